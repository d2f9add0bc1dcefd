"""What is wrong with a policy: on sight, or because of the origins that it let in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from flask_corsguard.audit.findings import RULES, Findings, Level, in_list, listed
from flask_corsguard.audit.hostile_origins import ATTACKER, LABELS, UNRELATED
from flask_corsguard.audit.intended_origins import named_by_strings, patterns_in, site_of, sites_of
from flask_corsguard.audit.patterns import is_slow
from flask_corsguard.audit.source_rows import is_unread, source_of_row
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import (
    MAX_AGE_CHROMIUM,
    OriginForm,
    OriginList,
    is_insecure_raw,
)
from flask_corsguard.protocol.origins import Origin, OriginPattern, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import (
    is_listed_suffix,
    is_public_suffix,
    is_reserved_suffix,
    suffix_below,
)
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route
from flask_corsguard.sources.feed import View, views_of
from flask_corsguard.text import name_of, shown

# How many bad rows of a source are named.
_MOST_BAD = 3
# How many wildcards of a policy are read one by one.
_MOST_READ = 200
# The worst first. Only the worst is reported, because the entry must be rewritten anyway.
_NOT_INTENDED = ("anybody_allowed", "public_suffix_wildcard", "neighbour_allowed")
_INTENDED_SITES = ("insecure_origin", "subdomains_with_credentials", "loopback_with_credentials")
# A name beside the intended one, under a suffix where names are not sold, such as .internal.
_OWN_SUFFIX = "own_suffix"
_BY = "by of "
_OUTSIDE = "outside of request context"
#: Patterns and callables, which do not name origins, and the origins that they were made for.
Intended: TypeAlias = dict[OriginForm, list[Origin]]
_CAN_BE_TOO_WIDE = re.compile(r"http:|ws:|[^/]*://(?:[^*:/]*\*[^:]|127\.|\[::1|(?:.*\.)?localhost)")
# The schemes of pages that a server on the user's machine serves; others are those of apps.
_SCHEMES_OF_PAGES = ("http", "https", "ws", "wss")


class PolicyChecks:
    """Finds what is wrong with one policy, wherever it applies.

    :param debug: whether the app is in debug mode.
    :ivar opaque: its entries that do not name origins: patterns and callables.
    :ivar callable: the callable among them, or None.
    """

    def __init__(self, policy: Policy, found: Findings, *, debug: bool) -> None:
        self.opaque = [entry for entry in policy.origins if not isinstance(entry, str)]
        self.callable = next((entry for entry in self.opaque if callable(entry)), None)
        strings = (entry for entry in policy.origins if isinstance(entry, str))
        self._wildcards = [text for text in strings if "*" in text]
        self._policy = policy
        self._found = found
        self._debug = debug
        # Whether whoever is let in can act as the user.
        acts = policy.allow_credentials or policy.enforce != "off"
        self._level = Level.ERROR if acts else Level.WARNING

    def _add(self, code: str, message: str, routes: Iterable[Route], **where: Any) -> None:
        self._found.add(code, f"{in_list(self._policy)}{message}", routes, **where)

    def on_sight(self, routes: Iterable[Route]) -> None:
        """Find what can be seen without any attempt."""
        policy = self._policy
        if policy.compiled.forgets_preflights and policy.max_age and policy.answer_preflight:
            message = (
                f"{self._callable_in_words()} takes the request, so preflights are not remembered:"
                f" max_age={policy.max_age} has no effect, and preflight responses name only the"
                " requested method."
            )
            self._add("preflights_not_remembered", message, routes, fields=("origins",))
        elif (policy.origins or policy.raw_origins) and (policy.max_age or 0) > MAX_AGE_CHROMIUM:
            message = f"max_age={policy.max_age}."
            self._add("max_age_ignored", message, routes, fields=("max_age",))
        plain = [*filter(is_insecure_raw, policy.raw_origins)]
        if plain:
            self._add_let_in("insecure_origin", listed(plain), plain[0], routes)
        for view in views_of(policy):
            self._source_on_sight(view, routes)
        if policy.origins != "*":
            self._strings_on_sight(policy.origins, routes)

    def _source_on_sight(self, view: View, routes: Iterable[Route]) -> None:
        """Find what is wrong with the rows of a source, and whether there are any."""
        fields = ("origins",)
        if is_unread(view):
            message = f"{view.feed.unknown()}. The audit does not know which origins it lets in."
            self._add("source_unread", message, routes, fields=fields)
        elif view.snapshot is not None and view.snapshot.bad_rows:
            bad, number = view.snapshot.bad, view.snapshot.bad_rows
            named = [f"{row}: {why}" for row, why in islice(bad.items(), _MOST_BAD)]
            more = f"; and {number - len(named):,} more" if number > len(named) else ""
            message = f"{view.feed.name} has rows that are left out: {'; '.join(named)}{more}."
            self._add("rows_left_out", message, routes, fields=fields)

    def _strings_on_sight(self, origins: OriginList, routes: Iterable[Route]) -> None:
        by_code: dict[str, list[OriginPattern]] = {}
        for pattern in origins.patterns(lambda text: bool(_CAN_BE_TOO_WIDE.match(text))):
            origin = pattern.origin
            if origin.is_loopback:
                if origin.scheme in _SCHEMES_OF_PAGES:
                    by_code.setdefault("loopback_with_credentials", []).append(pattern)
                continue
            if pattern.label:
                # A part of a label never reaches the names below a suffix that is below the host.
                is_above = pattern.label == "*" and suffix_below(origin.host)
                is_shared = is_above or _varies_site(pattern)
                code = "public_suffix_wildcard" if is_shared else "subdomains_with_credentials"
                by_code.setdefault(code, []).append(pattern)
            if origin.scheme in ("http", "ws"):
                by_code.setdefault("insecure_origin", []).append(pattern)
        for code, patterns in by_code.items():
            source = source_of_row(self._policy, str(patterns[0]))
            words = listed(patterns) + (f", from {source}," if source else "")
            self._add_let_in(code, words, _example(patterns[0]), routes)

    def is_slow(self, routes: Iterable[Route]) -> bool:
        """Whether a pattern of the policy, or of a callable, takes long to refuse some origins."""
        for entry in (*self._policy.origins, *self._policy.deny_origins):
            for pattern in () if isinstance(entry, str) else patterns_in(entry):
                if is_slow(pattern):
                    user = f", which the callable {name_of(entry)} uses," if callable(entry) else ""
                    message = f"The pattern {shown(pattern.pattern, 200)}{user} is slow."
                    fields = ("origins", "deny_origins")
                    self._add("slow_pattern", message, routes, fields=fields)
                    return True
        return False

    def failed(self, failure: str, route: Route) -> None:
        """Add a finding: a callable failed on a route, in ``origins`` or as the ``by`` of a source.

        :param failure: how it failed, in words.
        """
        if any(map(is_unread, views_of(self._policy))):
            return  # already found on sight
        message = f"{self._callable_in_words()} failed for a hostile origin: {failure}."
        level = None
        if _OUTSIDE in failure:
            level = Level.NOTE
            message = (
                f"{self._callable_in_words()} could not be tried, because it uses flask.request."
                " Have it take the request as a second argument."
            )
        if failure.startswith(_BY):
            message = f"The callable {failure}."
        self._add("check_failed", message, [route], fields=("origins",), level=level)

    def count_asked(self, decisions: Iterable[tuple[str, Decision]]) -> None:
        """Count how often the callable was asked about a made-up origin."""
        asked = sum(self.was_asked(text, decision) for text, decision in decisions)
        if asked:
            self._found.count_asked(self.callable, self._callable_in_words(), asked)

    def was_asked(self, text: str, decision: Decision) -> bool:
        """Whether a decision depended on the callable."""
        policy, origin = self._policy, parse_origin(text)
        if self.callable is None or origin is None or policy.origins == "*":
            return False
        if policy not in decision.policies:
            return False  # an earlier one of the list has decided
        is_denied = decision.reason is Reason.ORIGIN_DENIED and decision.policy == policy
        by_others = decision.outcome is Outcome.SAME_ORIGIN or (
            is_denied or policy.origins.compiled.lists(text, origin)
        )
        return not by_others and self._entry_for(text) is self.callable

    def _callable_in_words(self) -> str:
        return f"The callable {shown(name_of(self.callable))[1:-1]} in origins"

    def let_in(self, origins: Iterable[str], intended: Intended, routes: Iterable[Route]) -> None:
        """Find what is wrong if some origins were let in at some routes.

        :param intended: what each of :attr:`opaque` was made for.
        """
        policy = self._policy
        named = sites_of(named_by_strings(policy))
        sites = {entry: sites_of(intended[entry]) for entry in intended}
        by_entry: dict[OriginForm, dict[str, list[str]]] = {}
        not_written: list[str] = []
        for text in origins:
            origin = parse_origin(text)
            if text == "null":
                also = ", with credentials" if policy.allow_credentials else ""
                self._add(
                    "null_allowed",
                    f"'null' is among the origins{also}.",
                    routes,
                    fields=("origins",),
                    level=self._level,
                    evidence=text,
                )
            elif not self._is_written(text, origin):
                entry = self._entry_for(text)
                if entry is None or origin is None:
                    not_written.append(text)
                elif code := _code_of(text, origin, sites[entry], named):
                    by_entry.setdefault(entry, {}).setdefault(code, []).append(text)
        if not_written:
            message = f"No entry names {shown(not_written[0])}, but it is let in."
            fields, evidence = ("origins",), not_written[0]
            self._add("wrong_policy", message, routes, fields=fields, evidence=evidence)
        for entry, by_code in by_entry.items():
            self._add_worst(_described(entry, intended[entry], by_code), by_code, routes)

    def _is_written(self, text: str, origin: Origin | None) -> bool:
        """Whether a string of the policy stands for an origin. The strings are read one by one, not
        looked up as in the guard."""
        compiled = self._policy.compiled
        if text in compiled.raw or compiled.allow is None or text in compiled.allow.exact:
            return True
        if len(self._wildcards) > _MOST_READ:
            return origin is not None and compiled.allow.lists(text, origin)
        return any(re.fullmatch(_as_regex(entry), text) for entry in self._wildcards)

    def _entry_for(self, text: str) -> OriginForm | None:
        for entry in self.opaque:
            if isinstance(entry, re.Pattern) and entry.fullmatch(text):
                return entry
        return self.callable

    def _add_worst(
        self, words: str, by_code: Mapping[str, list[str]], routes: Iterable[Route]
    ) -> None:
        own = by_code.get(_OWN_SUFFIX, [])
        if len(own) > 1:
            # Every name under that suffix is intended, and nobody else can have one there.
            suffix = own[0].partition(".")[2]
            neighbours = by_code.get("neighbour_allowed", ())
            others = [text for text in neighbours if not text.endswith(f".{suffix}")]
            by_code = {**by_code, "neighbour_allowed": others}
        elif own:
            by_code = {"neighbour_allowed": own, **by_code}
        worst = next((code for code in _NOT_INTENDED if by_code.get(code)), None)
        codes = (worst, "insecure_origin") if worst else _INTENDED_SITES
        for code in codes[:1] if worst == _NOT_INTENDED[0] else codes:
            if by_code.get(code):
                self._add_let_in(code, words, by_code[code][0], routes)

    def _add_let_in(self, code: str, words: str, example: str, routes: Iterable[Route]) -> None:
        fields: tuple[str, ...] = ("origins",)
        level, also = self._level, ""
        if code in _INTENDED_SITES:
            if code == "loopback_with_credentials" and self._debug:
                return
            if self._policy.allow_credentials:
                fields, also = ("origins", "allow_credentials"), ", with credentials"
                level = RULES[code].level
            elif code == "insecure_origin" and self._policy.enforce != "off":
                fields, also = ("origins", "enforce"), ", and enforce lets it pass"
                level = Level.WARNING
            else:
                return
        message = f"{words} lets in {shown(example)}{also}."
        self._add(code, message, routes, fields=fields, level=level, evidence=example)


class LetIn(NamedTuple):
    """An origin that was let in, and the number of the policy that let it in."""

    origin: str
    number: int


class ListChecks:
    """Finds what is wrong with several policies that are asked in order, or with a single one.

    :ivar opaque: the entries that do not name origins.
    :ivar asks_callable: whether there are callables among them.
    :ivar asks_once: whether all of these decide the same on every route.
    :ivar answer_preflights: whether the guard responds to every preflight.
    """

    def __init__(self, policies: Sequence[Policy], found: Findings, *, debug: bool) -> None:
        self._checks = [PolicyChecks(policy, found, debug=debug) for policy in policies]
        self.opaque = [entry for check in self._checks for entry in check.opaque]
        self.asks_callable = any(map(callable, self.opaque))
        asks_request = any(policy.compiled.asks_request for policy in policies)
        self.asks_once = self.asks_callable and not asks_request
        self.answer_preflights = all(policy.answer_preflight for policy in policies)

    def on_sight(self, routes: Iterable[Route]) -> bool:
        """Find what can be seen without any attempt.

        :returns: whether a pattern is too slow for attempts.
        """
        is_slow = False
        for check in self._checks:
            check.on_sight(routes)
            is_slow |= check.is_slow(routes)
        return is_slow

    def failed(self, decision: Decision, route: Route) -> None:
        """Add a finding: the callable of the policy that decided failed on a route."""
        self._checks[len(decision.policies) - 1].failed(decision.detail, route)

    def count_asked(self, decisions: Iterable[tuple[str, Decision]]) -> None:
        """Count how often each callable was asked about a made-up origin."""
        decisions = tuple(decisions)
        for check in self._checks:
            check.count_asked(decisions)

    def was_asked(self, text: str, decision: Decision) -> bool:
        """Whether a decision depended on a callable."""
        return any(check.was_asked(text, decision) for check in self._checks)

    def let_in(self, origins: Iterable[LetIn], intended: Intended, routes: Iterable[Route]) -> None:
        """Find what is wrong if some origins were let in at some routes."""
        for number, check in enumerate(self._checks):
            own = [each.origin for each in origins if each.number == number]
            check.let_in(own, intended, routes)


def _code_of(text: str, origin: Origin, sites: list[str], named: list[str]) -> str:
    """The code of the finding if an origin was let in; "" if nothing is wrong.

    :param sites: the sites that the entry was made for.
    :param named: the sites that the policy's strings name.
    """
    site = site_of(origin)
    if text in UNRELATED or origin.host == ATTACKER:
        return "anybody_allowed"
    if origin.is_loopback:
        return "loopback_with_credentials" if origin.scheme in _SCHEMES_OF_PAGES else ""
    if site not in sites and site not in named:
        label, _, suffix = site.partition(".")
        if label in LABELS and any(suffix.endswith(f".{name}") for name in sites):
            return "public_suffix_wildcard"  # the suffix is below a site
        known = {name for site in sites for name in (site, site.partition(".")[2])}
        if label in LABELS and suffix in known and is_reserved_suffix(suffix):
            return _OWN_SUFFIX
        if label in LABELS and suffix in known and is_listed_suffix(suffix):
            return "public_suffix_wildcard"
        return "neighbour_allowed"
    if origin.scheme in ("http", "ws"):
        return "insecure_origin"
    if "attacker" in origin.host.removesuffix(site).split("."):
        return "subdomains_with_credentials"
    return ""


def _as_regex(text: str) -> str:
    """An entry with a wildcard as a regular expression."""
    if text.endswith("://*"):
        return re.escape(text[:-1]) + r"(?:[^:/]+|\[.+\])"
    plain = text.removesuffix(":*")
    port = "(?::[0-9]+)?" if plain != text else ""
    escaped = re.escape(plain).replace(r"://\*\.", r"://(?:[a-z0-9_-]+\.)+")
    return escaped.replace(r"\*", "[a-z0-9-]+") + port


def _varies_site(pattern: OriginPattern) -> bool:
    """Whether the wildcard is in the name of a site, and not only in a name below it."""
    return site_of(pattern.example("x")) != site_of(pattern.example("y"))


def _example(pattern: OriginPattern) -> str:
    origin = pattern.origin
    shared = None if is_public_suffix(origin.host) else suffix_below(origin.host)
    if pattern.label == "*" and shared:
        pattern = pattern._replace(origin=origin._replace(host=shared))
    return str(pattern.example(LABELS[0]))


def _described(entry: OriginForm, intended: list[Origin], let_in: Mapping[str, list[str]]) -> str:
    """An entry in words, with the plainest host that it was made for. For a callable, that host
    must be part of an origin that was let in."""
    hosts = sorted({origin.host for origin in intended}, key=lambda host: (len(host), host))
    # A single letter stands for any name.
    hosts = [host for host in hosts if "." in host or host in ("localhost", "[::1]")]
    if callable(entry):
        texts = "".join(text for each in let_in.values() for text in each)
        hosts = [host for host in hosts if host in texts and "anybody_allowed" not in let_in]
    means = f", which is meant for {shown(hosts[0])}," if hosts and ATTACKER not in hosts[0] else ""
    if isinstance(entry, re.Pattern):
        return f"The pattern {shown(entry.pattern, 200)}{means}"
    return f"The callable {shown(name_of(entry))[1:-1]}{means}"
