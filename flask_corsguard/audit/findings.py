"""The kinds of findings, each with its stable code; and the findings of an audit."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flask_corsguard.config import Settings
from flask_corsguard.errors import CorsGuardError, unknown_name
from flask_corsguard.protocol.fields import MAX_AGE_CHROMIUM, MAX_AGE_LIMIT
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.layers import DEFAULT_SOURCE, Layer
from flask_corsguard.routing.table import Route
from flask_corsguard.text import shown

_MAY_DIFFER = "This is an upper bound: flask_corsguard.compat narrows it by pattern."
_OF_ORIGINS = frozenset({"origins", "allow_credentials"})
# How many items a message has.
_MOST_SHOWN = 3


class Level(enum.IntEnum):
    """How serious a finding is. Named as in SARIF."""

    NOTE = 1
    """Works as designed, but perhaps not as its author expects."""
    WARNING = 2
    """Lets in origins that it should not, which can do harm."""
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
    :ivar source: what sets the policy at fault, in words; shortened if it differs by route.
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


_ACTING = "as the signed-in user if the policy allows credentials"

_ALL = (
    Rule(
        "anybody_allowed",
        Level.ERROR,
        "A pattern or callable allows every site",
        f"Any page that a user visits can read the responses, {_ACTING}.",
        "Name the origins. If the responses are public, write origins='*' without credentials.",
    ),
    Rule(
        "neighbour_allowed",
        Level.ERROR,
        "A pattern or callable also allows a site with a similar name",
        f"Anybody can register that name, and a page there can read the responses, {_ACTING}.",
        "List the origins as strings: 'https://*.example.com' covers every sub-domain, and never"
        " another site. In a pattern, write '.' as '\\.' and name the whole host.",
    ),
    Rule(
        "public_suffix_wildcard",
        Level.ERROR,
        "A wildcard covers other people's sites",
        "Anybody can register or rent a name under that suffix, and a page there can read the"
        f" responses, {_ACTING}.",
        "List your own: 'https://your-site.github.io' instead of 'https://*.github.io'. For"
        " preview deployments, use a domain of your own; or accept this finding if no user signs"
        " in.",
    ),
    Rule(
        "insecure_origin",
        Level.ERROR,
        "A page loaded over plain http may act as the user",
        "Whoever controls the network in between (a hotspot, a router) can take that page over,"
        " and act as the user.",
        "Serve those pages over https, and write their origins with 'https://'.",
    ),
    Rule(
        "null_allowed",
        Level.ERROR,
        "The opaque origin 'null' is allowed",
        "Any site can send this origin from a sandboxed frame, and is then let in.",
        "Serve the page from an origin of its own, and remove dangerously_allow_null_origin.",
    ),
    Rule(
        "subdomains_with_credentials",
        Level.WARNING,
        "Every sub-domain may act as the user",
        "An attacker who takes over one forgotten sub-domain (a DNS entry for a service that is no"
        " longer rented), or finds one that shows its users' content, can act as the user from"
        " there.",
        "List only the sub-domains that need it.",
    ),
    Rule(
        "credentials_without_enforce",
        Level.WARNING,
        "Other sites can trigger changes on routes with credentials",
        "A form or fetch() on any page can send a POST with the user's cookies. CORS keeps the"
        " page from reading the response, but the view has run by then.",
        "Set enforce='unsafe' in the policy (after trying enforce='report' for a while); or"
        " protect the routes from cross-site request forgery in another way, and accept this"
        " finding.",
    ),
    Rule(
        "websocket_not_enforced",
        Level.WARNING,
        "A route accepts WebSocket handshakes from every site",
        "Any page can open the socket with the user's cookies, and read and write as the user:"
        " CORS does not apply to WebSockets, so browsers do not block it.",
        "Set enforce='unsafe' in the policy, which refuses handshakes from origins that are not"
        " allowed. If something in front of Flask accepts them, have it check Origin.",
    ),
    Rule(
        "socketio_allows_all",
        Level.ERROR,
        "Socket.IO, in front of the guard, lets in every site",
        "Any page can connect with the user's cookies, and receive and send events as the user."
        " The guard's policies do not apply there.",
        "Set cors_allowed_origins=guard.origin_check(app), or to the list of origins; or leave it"
        " out to allow only the app's own pages.",
    ),
    Rule(
        "socketio_differs",
        Level.WARNING,
        "Socket.IO, in front of the guard, allows other origins than the policy",
        "Pages that the policy rejects can connect with the user's cookies, and receive and send"
        " events as the user. If Socket.IO only turns away pages that the policy admits, nothing"
        " is exposed.",
        "Set cors_allowed_origins=guard.origin_check(app): then the policies decide there too.",
    ),
    Rule(
        "connexion_in_front",
        Level.WARNING,
        "Connexion, in front of the guard, responds to preflights and errors",
        "Nothing is exposed. But preflights get Connexion's 405, and its errors have no CORS"
        " headers: pages of other origins cannot send requests that need a preflight, and cannot"
        " read what went wrong.",
        "Serve guard.asgi(connexion_app, paths=['/']) instead of the Connexion app.",
    ),
    Rule(
        "whitenoise_allows_all",
        Level.WARNING,
        "WhiteNoise, in front of the guard, lets every site read its files",
        "Any page can read them in its visitors' browsers, even on networks that only those"
        " browsers can reach. The guard's policies do not apply there.",
        "Set WhiteNoise(..., allow_all_origins=False); or put guard.wsgi(..., paths=['/static'])"
        " around it, so that the policies apply there too. If all of the files are public, accept"
        " this finding.",
    ),
    Rule(
        "any_origin_next_to_login",
        Level.WARNING,
        "'*' covers a login, or is the default of an app that has one",
        "Any page can read the login's responses, and try passwords from its visitors' IP"
        " addresses; and every route that is added without a mark is open to every site.",
        "Make the default policy list origins, and mark the public routes with @cors(origins='*').",
    ),
    Rule(
        "max_age_ignored",
        Level.NOTE,
        "Preflights are remembered for less time than max_age says",
        "Nothing is exposed. But max_age promises too much: Chromium remembers a preflight for at"
        f" most {MAX_AGE_CHROMIUM} seconds, WebKit for 600; only Firefox remembers it for"
        f" {MAX_AGE_LIMIT}.",
        f"Set max_age={MAX_AGE_CHROMIUM} or less.",
    ),
    Rule(
        "preflights_not_remembered",
        Level.NOTE,
        "A callable takes the request, so preflights are not remembered",
        "Nothing is exposed. But each request that needs a preflight sends one: the callable may"
        " decide by the method, and a browser would use a remembered preflight for every method"
        " that the response names.",
        "If the callable does not decide by the method, list in origins_vary the request headers"
        " that it looks at. Otherwise have it take only the origin, or set max_age=0.",
    ),
    Rule(
        "loopback_with_credentials",
        Level.NOTE,
        "Pages on the user's own machine may act as the user",
        "Any program on that machine that listens on such a port can act as the signed-in user,"
        " and so can any page that it serves.",
        "Allow these origins only in debug mode.",
    ),
    Rule(
        "route_never_usable",
        Level.NOTE,
        "A policy names origins, but lets none of them use its route",
        "Nothing is exposed. But pages of other origins cannot use the route, although their"
        " origin is allowed.",
        "Add the method to methods, or leave methods out to allow what the route accepts. With"
        " origins='*', set enforce='off' if everybody may send these requests. If no other page is"
        " meant to use the route, set origins=[].",
    ),
    Rule(
        "item_decided_earlier",
        Level.WARNING,
        "An item of a policy has no effect, because an earlier policy in the list decides",
        "These origins get the earlier policy's credentials, methods and headers, not those next to"
        " the item. That is harmless if the earlier policy allows less.",
        "Remove the item, or put its policy before the other one.",
    ),
    Rule(
        "policy_never_decides",
        Level.WARNING,
        "A policy in a list never admits anybody",
        "The earlier policies decide about its origins. That is harmless if they allow less.",
        "Remove the policy, or put it before the ones that decide about its origins.",
    ),
    Rule(
        "callable_asked_first",
        Level.WARNING,
        "A callable or source is asked about origins that a later policy in the list names",
        "If it fails, these origins are rejected. Those that it allows get the credentials, methods"
        " and headers of its own policy, not of the later one.",
        "Put the policy with the callable or source after the ones that name their origins.",
    ),
    Rule(
        "wrong_policy",
        Level.ERROR,
        "A request gets a different policy from the one written for it",
        "An attacker can send the origin, or write the path, in the form that gets the wider"
        " policy.",
        "Have converters, and anything else that changes paths, leave them as they were sent; and"
        " mark the view itself, which then has the policy under every path.",
    ),
    Rule(
        "path_without_rule",
        Level.NOTE,
        "A path with a policy covers no route",
        "The policy applies only to 404s. The routes that it was meant for have a more general"
        " policy, which may be wider.",
        "Write the path as in the routes, below the app's root. If something other than the app's"
        " routes responds there, accept this finding.",
    ),
    Rule(
        "glob_without_file",
        Level.NOTE,
        "A glob of for_files matches no file",
        "The files that it was meant for have a more general policy, which may be wider.",
        "Write what follows the static folder's own name, such as 'fonts/*.woff2'. If the files are"
        " only built later, accept this finding.",
    ),
    Rule(
        "exempt_sends_own_headers",
        Level.WARNING,
        "An exempt route sends its own CORS headers",
        "Nothing checks them: with '*' or a repeated Origin, any page can read the responses.",
        "Remove the headers from the code and cors_exempt from the route, and give the route a"
        " policy with a mark.",
    ),
    Rule(
        "views_may_override",
        Level.ERROR,
        "Views may override their policy",
        "Nothing checks what these views send: if one writes '*' or repeats the Origin, any page"
        " can read its responses; with Access-Control-Allow-Credentials, as the signed-in user.",
        "Set dangerously_let_views_override only on the views whose headers must stay, and accept"
        " this finding for them, with the reason. Elsewhere, remove it and remove the headers from"
        " the code: a mark can set the same policy.",
    ),
    Rule(
        "lost_mark",
        Level.ERROR,
        "A mark does not reach the view that it was meant for",
        "The route has a more general policy instead, which may be wider.",
        "Use functools.wraps in the decorator in between, or put @cors directly above or below"
        " the route.",
    ),
    Rule(
        "mark_without_route",
        Level.NOTE,
        "A mark is on a function that is not a view of the app",
        "The route that it was meant for has a more general policy instead, which may be wider.",
        "Use functools.wraps in the decorator in between, or register the view. If it is a view of"
        " another app, accept this finding.",
    ),
    Rule(
        "mark_without_target",
        Level.ERROR,
        "cors(...) is called, but not applied to anything",
        "The route that it was meant for has a more general policy instead, which may be wider.",
        "Write @cors(...), with the @, directly above the view; or cors(...)(blueprint).",
    ),
    Rule(
        "methods_without_route",
        Level.NOTE,
        "A mark allows a method that no route accepts",
        "Nothing is exposed. But the preflight succeeds, and then the request gets a 405.",
        "Add the method to the route, or leave it out of the mark.",
    ),
    Rule(
        "shared_mark",
        Level.NOTE,
        "A mark applies to several endpoints, which have the same function",
        "If it was meant for one of them, the others have its policy too, which may be wider.",
        "Write guard.for_endpoint(...) for the one that it was meant for. If it was meant for all,"
        " write it as a decorator above the function.",
    ),
    Rule(
        "runs_before_guard",
        Level.WARNING,
        "Something runs before the guard",
        "Requests that it responds to never reach the guard: preflights fail, responses lack CORS"
        " headers, and requests that enforce would refuse take effect.",
        "Make it an ordinary before_request function: those always run after the guard. If it must"
        " run first, register it with guard.run_first, and have it let preflights pass: OPTIONS"
        " with Access-Control-Request-Method.",
    ),
    Rule(
        "preflight_fails",
        Level.WARNING,
        "Something fails on the guard's own response to a preflight",
        "Nothing is exposed. But the browser does not send the request that it asked about.",
        "The app's before_request functions do not run for a preflight. If the failing function"
        " relies on one of them, register that one with guard.run_first, which also runs it for"
        " preflights; or change the function so that it does not need it.",
    ),
    Rule(
        "preflight_unanswered",
        Level.WARNING,
        "Nothing responds to preflights",
        "Nothing is exposed. But browsers do not send the requests that they ask about.",
        "Leave answer_preflight out; or have a view accept OPTIONS and respond with 2xx.",
    ),
    Rule(
        "middleware_bypassed",
        Level.WARNING,
        "The guard's middleware is no longer around the app",
        "When an extension responds without running the app's after_request functions, the"
        " response has no CORS headers, or the extension's own.",
        "Wrap the app.wsgi_app that is in place after CorsGuard(app), not an earlier one.",
    ),
    Rule(
        "proxy_hides_origin",
        Level.WARNING,
        "The app seems to be behind a proxy that hides its own origin",
        "Nothing is exposed. But in browsers that send no Sec-Fetch-Site, requests from the app's"
        " own pages can be taken for another site's, and be refused where enforce is on.",
        "Wrap the app in werkzeug.middleware.proxy_fix.ProxyFix, or name the public origin in"
        " CORSGUARD_SELF_ORIGINS.",
    ),
    Rule(
        "check_failed",
        Level.WARNING,
        "A callable in origins fails",
        "Nothing is exposed: an origin for which it fails is not allowed. But origins that should"
        " be allowed may be rejected.",
        "Have the callable return True or False for any string. If it is the 'by' of a source, have"
        " it return a value for any request.",
    ),
    Rule(
        "source_unread",
        Level.WARNING,
        "A source in origins cannot be read",
        "While it cannot be read, it admits nobody, and origins that should be allowed are"
        " rejected. The audit has not checked which origins its rows let in.",
        "Run the audit where the source can be read; or accept this finding.",
    ),
    Rule(
        "rows_left_out",
        Level.NOTE,
        "Rows of a source are left out",
        "Nothing is exposed. But the origins that they were meant for are rejected.",
        "Correct these rows, or remove them from the source.",
    ),
    Rule(
        "slow_pattern",
        Level.WARNING,
        "A pattern takes very long to reject some origins",
        "An attacker can send such an Origin. Each one keeps a worker busy for seconds, or for"
        " years.",
        "Do not nest repetitions: write '[a-z-]+' instead of '([a-z]+-?)+'. Or list the origins"
        " as strings.",
    ),
    Rule(
        "response_changed",
        Level.ERROR,
        "Something around the guard changes its responses",
        "Browsers do not get what the policy says: added headers allow more, missing ones break"
        " pages.",
        "Remove CORS headers from the middleware around the app.",
    ),
    Rule(
        "unusable_policy",
        Level.ERROR,
        "A policy cannot be used, and every request fails",
        "Nothing is exposed: the app serves nothing until this is fixed.",
        "Do what the message says.",
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
        self._not_seen: list[str] = []
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
            is_bound = route and route.may_differ and not _OF_ORIGINS.isdisjoint(fields)
            text = f"{message} {_MAY_DIFFER}" if is_bound else message
            finding = Finding(rule, level or rule.level, text, (), own, setter[1], evidence)
            known = self._found.setdefault(finding, {})
            if route:
                audited = AuditedRoute(route.rule, route.methods, route.endpoint, setter[0])
                known[id(route)] = audited

    def count_asked(self, check: object, words: str, number: int) -> None:
        """Count how often a callable was asked: the audit cannot know what else it lets in.

        :param words: the callable in words.
        """
        self._asked[id(check), words] += number

    def add_not_seen(self, sentence: str) -> None:
        """Add a sentence about what the audit could not check."""
        self._not_seen.append(sentence)

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
            (
                *self._not_seen,
                *(
                    f"{words} was asked {number:,} times, with made-up origins. The audit cannot"
                    " know whether it lets in others, from a database for example."
                    for (_, words), number in self._asked.items()
                ),
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
    """The innermost mark of a route's policy that sets one of *fields*, or without *fields*, the
    innermost mark; None if the default policy sets them."""
    for layer in reversed(route.layers):
        mark = layer.mark
        if mark.policy is not None or not fields or not mark.fields.keys().isdisjoint(fields):
            return layer
    return None
