"""The kinds of findings, each with its stable code; and the findings of an audit."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flask_corsguard.config import Settings
from flask_corsguard.errors import CorsGuardError, unknown_name
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.layers import DEFAULT_SOURCE, Layer
from flask_corsguard.routing.table import Route
from flask_corsguard.text import shown

# How many entries a message has.
_MOST_SHOWN = 3


class Level(enum.IntEnum):
    """How serious a finding is. Named as in SARIF."""

    NOTE = 1
    """Works as designed, but perhaps not as its author expects."""
    WARNING = 2
    """Lets in an origin that it should not, or keeps none out, which can do harm."""
    ERROR = 3
    """Another site can act as the signed-in user, or a policy has no effect at all."""


class Rule(NamedTuple):
    """One kind of finding.

    :ivar code: its stable name.
    :ivar level: its highest level.
    :ivar title: what is wrong, in a few words.
    :ivar attack: what an attacker can do with it.
    :ivar change: how to fix it.
    """

    code: str
    level: Level
    title: str
    attack: str
    change: str


class AuditedRoute(NamedTuple):
    """A route that a finding is about.

    :ivar rule: the URL rule.
    :ivar methods: the methods concerned.
    :ivar endpoint: the endpoint.
    :ivar source: what sets the policy at fault: ``view users.list``, ``default``; or "".
    """

    rule: str
    methods: tuple[str, ...]
    endpoint: str
    source: str = ""

    def __str__(self) -> str:
        return f"{','.join(self.methods)} {self.rule}"


class Finding(NamedTuple):
    """One finding.

    :ivar rule: its kind.
    :ivar level: how serious it is here.
    :ivar message: what was found, with its values; safe to print.
    :ivar routes: the routes concerned; empty if it is about the app.
    :ivar source: what sets the policy at fault, in words; shortened if the routes differ.
    :ivar location: file and line of the source, or the configuration key, or "".
    :ivar evidence: an origin that was let in but should not be, or "".
    :ivar accepted: the reason why it is accepted, or "".
    """

    rule: Rule
    level: Level
    message: str
    routes: tuple[AuditedRoute, ...] = ()
    source: str = ""
    location: str = ""
    evidence: str = ""
    accepted: str = ""

    @property
    def code(self) -> str:
        """The rule's stable name."""
        return self.rule.code


class Report(NamedTuple):
    """The result of an audit.

    :ivar findings: the findings that are not accepted, the most serious first.
    :ivar accepted: the findings that ``CORSGUARD_AUDIT_ACCEPT`` accepts.
    :ivar unused: the keys of ``CORSGUARD_AUDIT_ACCEPT`` that accept no finding.
    :ivar routes: how many routes were attacked.
    :ivar attempts: how many requests were tried on them.
    :ivar not_seen: sentences about what the audit could not check. These are not findings.
    """

    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    unused: tuple[str, ...]
    routes: int
    attempts: int
    not_seen: tuple[str, ...] = ()

    def at_least(self, level: Level) -> list[Finding]:
        """Return the findings of a level and above."""
        return [finding for finding in self.findings if finding.level >= level]


_ACTING = "with credentials as the signed-in user, without them as anybody"

_ALL = (
    Rule(
        "anybody_allowed",
        Level.ERROR,
        "A pattern or callable allows every site",
        f"Any page that a user visits reads the responses: {_ACTING}.",
        "Name the origins; or, for what is public, write origins='*' without credentials.",
    ),
    Rule(
        "neighbour_allowed",
        Level.ERROR,
        "A pattern or callable allows a neighbour of the site that it means",
        f"They register the name, and their page there reads the responses: {_ACTING}.",
        "List the origins as strings: 'https://*.example.com' is every sub-domain, and never"
        " another site. In a pattern, write '.' as '\\.' and name the whole host.",
    ),
    Rule(
        "public_suffix_wildcard",
        Level.ERROR,
        "A wildcard spans sites of other people",
        f"They register a name under that suffix, or rent one, and read the responses: {_ACTING}.",
        "Name the site: 'https://*.your-site.github.io' instead of 'https://*.github.io'. For"
        " preview deployments, use a domain of your own; or accept this finding where nobody is"
        " signed in.",
    ),
    Rule(
        "insecure_origin",
        Level.ERROR,
        "A page loaded over plain http may act as the user",
        "Whoever controls the network in between (a hotspot, a router) takes that page over.",
        "Serve those pages over https, and write the origin with 'https://'.",
    ),
    Rule(
        "null_allowed",
        Level.ERROR,
        "The opaque origin 'null' is allowed",
        "Any site sends it from a sandboxed frame, and is let in.",
        "Serve the page from an origin of its own, and take dangerously_allow_null_origin out.",
    ),
    Rule(
        "subdomains_with_credentials",
        Level.WARNING,
        "Every sub-domain may act as the user",
        "They take over one forgotten sub-domain (a DNS entry to a service that is no longer"
        " rented), or find one that shows its users' content, and act as the user from there.",
        "List the sub-domains that need it.",
    ),
    Rule(
        "credentials_without_enforce",
        Level.WARNING,
        "Routes with credentials change state, and other sites can cause that",
        "A form or fetch() on any page sends a POST with the user's cookies. CORS keeps the page"
        " from reading the response, but the view has run by then.",
        "Say enforce='unsafe' in the policy (after a while of enforce='report'), or protect the"
        " routes from cross-site request forgery in another way, and accept this finding.",
    ),
    Rule(
        "websocket_not_enforced",
        Level.WARNING,
        "A route accepts WebSocket handshakes from every site",
        "Any page opens the socket with the user's cookies, and reads and writes as the user: CORS"
        " does not apply to WebSockets, so no browser holds it back.",
        "Say enforce='unsafe' in the policy: it refuses handshakes from origins that are not"
        " allowed. If something in front of Flask accepts them, have it check Origin.",
    ),
    Rule(
        "socketio_allows_all",
        Level.ERROR,
        "Socket.IO, in front of the guard, lets in every site",
        "Any page connects with the user's cookies, receives events and sends them as the user. No"
        " policy of the guard applies there.",
        "Say cors_allowed_origins=guard.origin_check(app), or give it the list of origins; or leave"
        " it out, for the app's own pages.",
    ),
    Rule(
        "socketio_differs",
        Level.WARNING,
        "Socket.IO, in front of the guard, has origins of its own",
        "Pages that the policy turns away connect with the user's cookies, receive events and send"
        " them as the user; or nobody, where it only turns away pages that the policy admits.",
        "Say cors_allowed_origins=guard.origin_check(app): then the policies decide there too.",
    ),
    Rule(
        "connexion_in_front",
        Level.WARNING,
        "Connexion, in front of the guard, responds to preflights and errors",
        "Nobody. But preflights get its 405, and its errors have no CORS headers: pages of other"
        " origins can neither use what needs a preflight nor read what went wrong.",
        "Serve guard.asgi(connexion_app, paths=['/']) instead of the Connexion app.",
    ),
    Rule(
        "whitenoise_allows_all",
        Level.WARNING,
        "WhiteNoise, in front of the guard, lets every site read its files",
        "Any page reads them in its visitors' browsers: also from networks that only these reach."
        " No policy of the guard applies there.",
        "Say WhiteNoise(..., allow_all_origins=False); or put guard.wsgi(..., paths=['/static'])"
        " around it, and the policies apply there too. If all of the files are public, accept this"
        " finding.",
    ),
    Rule(
        "any_origin_next_to_login",
        Level.WARNING,
        "'*' covers a login, or is the default of an app that has one",
        "Any page reads the login's responses, and tries passwords from its visitors' addresses;"
        " and each route that somebody adds without a mark is open to every site.",
        "Make the default policy list origins, and mark the public routes with @cors(origins='*').",
    ),
    Rule(
        "max_age_ignored",
        Level.NOTE,
        "Preflights are remembered for less time than max_age says",
        "Nobody. But whoever counts on it is wrong: Chromium remembers a preflight for 7200"
        " seconds at most, WebKit for 600; only Firefox does for 86400.",
        "Say max_age=7200 or less.",
    ),
    Rule(
        "preflights_not_remembered",
        Level.NOTE,
        "A callable takes the request, so preflights are not remembered",
        "Nobody. But each request that needs a preflight sends one: the callable may decide by the"
        " method, and what a browser remembers holds for every method that the response names.",
        "Say in origins_vary which request headers the callable looks at, if it does not decide by"
        " the method; or have it take the origin alone; or say max_age=0.",
    ),
    Rule(
        "loopback_with_credentials",
        Level.NOTE,
        "Pages on the user's own machine may act as the user",
        "Any program there that listens on such a port, and any page that it serves, acts as the"
        " user who has signed in.",
        "Allow these origins only where the app runs in debug mode.",
    ),
    Rule(
        "route_never_usable",
        Level.NOTE,
        "A policy names origins, and lets none of them use its route",
        "Nobody. But pages of other origins cannot use the route, though the origin is allowed.",
        "Name the method, or leave methods out: then it is what the route accepts. With"
        " origins='*', say enforce='off' for what everybody may send. If no other page is meant to"
        " use the route, say origins=[].",
    ),
    Rule(
        "entry_decided_earlier",
        Level.WARNING,
        "An entry of a policy never counts, because of an earlier policy of the list",
        "Nobody, as long as the earlier policy allows less. But it holds for these origins: its"
        " credentials, methods and headers, and not those that stand beside the entry.",
        "Take the entry out, or put the policy that is made for it before the other.",
    ),
    Rule(
        "policy_never_decides",
        Level.WARNING,
        "A policy of a list never admits anybody",
        "Nobody, as long as the earlier policies allow less. But these hold for its origins.",
        "Take the policy out; or put it before those that decide about its origins.",
    ),
    Rule(
        "callable_asked_first",
        Level.WARNING,
        "A callable or source is asked about origins that a later policy of the list names",
        "Nobody, as long as it allows none of them. But where it fails they are rejected, and those"
        " that it allows get the credentials, methods and headers of its policy.",
        "Put the policy with the callable or source after those that name their origins.",
    ),
    Rule(
        "wrong_policy",
        Level.ERROR,
        "A request has another policy than the one that is written for it",
        "They send the origin, or write the path, in the way that has the wider policy.",
        "Have converters, and whatever else changes paths, leave them as they were sent; and mark"
        " the view itself, whatever its path.",
    ),
    Rule(
        "path_without_rule",
        Level.NOTE,
        "A path that has a policy covers no route",
        "Nobody. But the policy holds for 404s alone, and the routes that it was meant for have the"
        " one that applies further out, which may be wider.",
        "Write the path as the routes have it, below the app's root. If something else than the"
        " app's routes answers there, accept this finding.",
    ),
    Rule(
        "exempt_sends_own_headers",
        Level.WARNING,
        "An exempt route sends CORS headers of its own",
        "Nothing checks them: with '*' or a repeated Origin, any page reads the responses.",
        "Take the headers out of the code, and cors_exempt off the route: a mark says the same.",
    ),
    Rule(
        "views_may_override",
        Level.ERROR,
        "Views may override their policy",
        "Nothing checks what these views send: where one writes '*' or repeats the Origin, any page"
        " reads its responses; with Access-Control-Allow-Credentials, as the signed-in user.",
        "Say dangerously_let_views_override only on the views whose headers have to stand, and"
        " accept this finding for them, with the reason. Elsewhere take it out, and the headers out"
        " of the code: a mark says the same.",
    ),
    Rule(
        "lost_mark",
        Level.ERROR,
        "A mark does not reach the view that it was meant for",
        "The route has the policy that applies further out, which may be wider.",
        "Use functools.wraps in the decorator in between, or put @cors directly above or below"
        " the route.",
    ),
    Rule(
        "mark_without_route",
        Level.NOTE,
        "A mark is on a function that is not a view of the app",
        "The route that it was meant for has the policy that applies further out, which may be"
        " wider.",
        "Use functools.wraps in the decorator in between, or register the view. If it is a view of"
        " another app, accept this finding.",
    ),
    Rule(
        "runs_before_guard",
        Level.WARNING,
        "Something runs ahead of the guard",
        "What it responds to never reaches the guard: preflights fail, responses lack CORS"
        " headers, and requests that enforce would refuse take effect.",
        "Make it an ordinary before_request function: those always run after the guard. What has to"
        " run first belongs in guard.run_first, and should let preflights pass: OPTIONS with"
        " Access-Control-Request-Method.",
    ),
    Rule(
        "preflight_fails",
        Level.WARNING,
        "Something fails on the guard's own response to a preflight",
        "Nobody. But the browser does not send the request for which it has asked.",
        "The app's before_request functions do not run for a preflight. Register what the failing"
        " function counts on with guard.run_first, which runs it for preflights too; or have the"
        " function do without.",
    ),
    Rule(
        "middleware_bypassed",
        Level.WARNING,
        "The guard's middleware is not around the app any more",
        "Nobody. But a response that an extension sends past the app's after_request functions has"
        " no CORS headers, or headers of its own.",
        "Wrap the app.wsgi_app that is there after CorsGuard(app), not one from before.",
    ),
    Rule(
        "proxy_hides_origin",
        Level.WARNING,
        "The app seems to be behind a proxy that hides its own origin",
        "Nobody. But requests of the app's own pages can be taken for another site's, and be"
        " refused where enforce is on: by browsers that send no Sec-Fetch-Site.",
        "Wrap the app in werkzeug.middleware.proxy_fix.ProxyFix, or name the public origin in"
        " CORSGUARD_SELF_ORIGINS.",
    ),
    Rule(
        "check_failed",
        Level.WARNING,
        "A callable in origins fails",
        "Nobody: whom it fails for is not allowed. But allowed origins may be turned away.",
        "Have it return True or False for any string; in by of a source, a value for any request.",
    ),
    Rule(
        "source_unread",
        Level.WARNING,
        "A source in origins cannot be read",
        "Nobody, as long as it cannot: it admits nobody. But what its rows let in, nobody has"
        " checked, and allowed origins are turned away.",
        "Run the audit where the source can be read; or accept this finding.",
    ),
    Rule(
        "rows_left_out",
        Level.NOTE,
        "Rows of a source are left out",
        "Nobody. But the origins that they were meant for are turned away.",
        "Correct these rows, or take them out of the source.",
    ),
    Rule(
        "slow_pattern",
        Level.WARNING,
        "A pattern takes long to say no",
        "They send an Origin made for it. Each keeps a worker busy for seconds, or for years.",
        "Leave out repetitions of repetitions: write '[a-z-]+' instead of '([a-z]+-?)+'. Or list"
        " the origins as strings.",
    ),
    Rule(
        "answer_changed",
        Level.ERROR,
        "Something outside of the guard changes its responses",
        "The policy isn't what goes out: added headers allow more, missing ones break pages.",
        "Take CORS headers out of the middleware around the app.",
    ),
    Rule(
        "unusable_policy",
        Level.ERROR,
        "A policy cannot be used, and every request fails",
        "Nobody: the app serves nothing until it is fixed.",
        "As the message says.",
    ),
)

RULES = {rule.code: rule for rule in _ALL}


class Findings:
    """Collects what the checks find. Findings that differ only in the route become one.

    :raises CorsGuardError: if ``CORSGUARD_AUDIT_ACCEPT`` names a code that does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reasons = settings.audit_accept
        self._found: dict[Finding, dict[int, AuditedRoute]] = {}
        self._asked: Counter[tuple[int, str]] = Counter()
        for key in self._reasons:
            code = key.partition(":")[0]
            if code not in RULES:
                problem = unknown_name("", "CORSGUARD_AUDIT_ACCEPT", code, "finding", RULES)
                raise CorsGuardError(f"CORSGUARD_AUDIT_ACCEPT: {problem.message}")

    def add(
        self,
        code: str,
        message: str,
        routes: Iterable[Route] = (),
        *,
        fields: tuple[str, ...] = (),
        level: Level | None = None,
        source: str = "",
        location: str = "",
        evidence: str = "",
    ) -> None:
        """Add a finding.

        :param routes: the routes concerned; empty if it is about the app.
        :param fields: the policy fields at fault. Unless *location* is given, source and location
            are those of the mark, or the default policy, that sets one of these fields.
        :param level: the level, if it is not the rule's.
        """
        rule = RULES[code]
        for route in tuple(routes) or (None,):
            setter = (source, location)
            if not location and (route or fields):
                setter = self._setter(route, fields)
            own = "" if route else setter[0]
            finding = Finding(rule, level or rule.level, message, (), own, setter[1], evidence)
            known = self._found.setdefault(finding, {})
            if route:
                audited = AuditedRoute(route.rule, route.methods, route.endpoint, setter[0])
                known[id(route)] = audited

    def count_asked(self, check: object, words: str, number: int) -> None:
        """Count how often a callable was asked. What it lets in besides, the audit cannot know.

        :param words: the callable in words.
        """
        self._asked[id(check), words] += number

    def has(self, code: str, location: str) -> bool:
        """Whether there is a finding of a kind at some file and line."""
        return any((found.code, found.location) == (code, location) for found in self._found)

    def report(self, routes: Sequence[Route], attempts: int) -> Report:
        """Everything found. A finding is divided if only some of its routes are accepted.

        :param routes: all routes, in the order in which a finding names its own.
        """
        position = {id(route): number for number, route in enumerate(routes)}
        parts: dict[tuple[Finding, str], dict[AuditedRoute, None]] = {}
        for finding, known in self._found.items():
            code = finding.code
            if not known:
                parts[finding, self._accepting(code)] = {}
            for number in sorted(known, key=position.__getitem__):
                key = self._accepting(f"{code}:{known[number].endpoint}", code)
                parts.setdefault((finding, key), {})[known[number]] = None
        order = {code: number for number, code in enumerate(RULES)}
        found = [
            finding._replace(
                routes=tuple(concerned),
                source=_in_short(route.source for route in concerned) or finding.source,
                accepted=self._reasons.get(key, ""),
            )
            for (finding, key), concerned in parts.items()
        ]
        found.sort(key=lambda f: (-f.level, order[f.code], f.location, f.message))
        used = {key for _, key in parts}
        return Report(
            tuple(finding for finding in found if not finding.accepted),
            tuple(finding for finding in found if finding.accepted),
            tuple(key for key in self._reasons if key not in used),
            len(routes),
            attempts,
            tuple(
                f"{words} was asked {number:,} times, with made-up origins. What else it lets in,"
                " because of a database for example, the audit cannot know."
                for (_, words), number in self._asked.items()
            ),
        )

    def _accepting(self, *keys: str) -> str:
        return next((key for key in keys if key in self._reasons), "")

    def _setter(self, route: Route | None, fields: tuple[str, ...]) -> tuple[str, str]:
        layer = layer_that_sets(route, fields) if route else None
        if layer:
            return layer.source, layer.mark.location
        configured = self._settings.configured
        keys = [configured[field] for field in fields if field in configured]
        location = f"{', '.join(keys)} in app.config" if keys else self._settings.source
        return DEFAULT_SOURCE, location


def _in_short(sources: Iterable[str]) -> str:
    first, *others = dict.fromkeys(sources) or [""]
    return f"{first} and {len(others)} more" if others else first


def in_list(policy: Policy) -> str:
    """The beginning of a message about one policy of a list; "" if it stands alone."""
    name = name_in_list(policy)
    return f"In {name}: " if name else ""


def listed(entries: Sequence[object]) -> str:
    """The first few of some origins, as they are written."""
    more = f" and {len(entries) - _MOST_SHOWN} more" if len(entries) > _MOST_SHOWN else ""
    return ", ".join(shown(str(entry)) for entry in entries[:_MOST_SHOWN]) + more


def layer_that_sets(route: Route, fields: Iterable[str]) -> Layer | None:
    """The innermost mark that sets one of *fields* (without any, the innermost mark) of a route's
    policy; None if the default policy sets them."""
    for layer in reversed(route.layers):
        mark = layer.mark
        if mark.policy is not None or not fields or not mark.fields.keys().isdisjoint(fields):
            return layer
    return None
