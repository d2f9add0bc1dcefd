"""The attack: every route, with hostile origins; as a request and as its preflight."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from flask import Request

from flask_corsguard.audit.faults import (
    Fault,
    faults_on_sight,
    hurts,
    insecure_fault,
    level_of,
    opaque_entries,
    subdomain_fault,
)
from flask_corsguard.audit.findings import RULES
from flask_corsguard.audit.hostile_origins import ATTACKER, LABELS, UNRELATED, fitted
from flask_corsguard.audit.meant_origins import Meant, meant_by, meant_by_strings, site_of
from flask_corsguard.audit.sample_requests import RouteRequests
from flask_corsguard.audit.slow_patterns import slow_pattern
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import OriginForm
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, Origin, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import is_listed_suffix, is_reserved_suffix
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.runtime.state import InForce
from flask_corsguard.text import name_of, shown

# A suffix such as .internal, where names are not sold.
_OWN_SUFFIX = "own_suffix"
# How many of the attempts, which begin with one of each kind, every route gets; where a callable
# decides, as many as it answers in some seconds.
_AGAIN = 120
_LEAST_AGAIN, _MOST_AGAIN, _SECONDS_AGAIN = 5, 500, 0.01


class Outcomes(NamedTuple):
    """What came of the attempts on one route.

    :ivar allowed: the origins that were let in.
    :ivar failure: how a callable failed, in words, or "".
    :ivar attempts: how many requests were tried.
    :ivar too_slow: whether they would not have come to an end.
    """

    allowed: tuple[str, ...] = ()
    failure: str = ""
    attempts: int = 0
    too_slow: bool = False


class Attacker:
    """Attacks routes, and finds fault with what lets it in.

    :param config: the app's configuration, which callables may read.
    """

    def __init__(self, in_force: InForce, config: Mapping[str, Any]) -> None:
        self._in_force = in_force
        self._config = config
        self._meant: dict[int, Meant] = {}
        # What is tried on each route of a policy: on the first one everything, on the others what
        # was let in there and one variant of each kind; more where a callable can decide by the
        # request.
        self._attempts: dict[Policy, tuple[str, ...]] = {}
        self._slow: dict[Policy, str] = {}
        self._faults: dict[tuple[Policy, tuple[str, ...]], list[Fault]] = {}

    def attack(self, policy: Policy, requests: RouteRequests) -> Outcomes:
        """Try every hostile origin on a route."""
        if self._slow_pattern(policy):
            return Outcomes(too_slow=True)
        attempts = self._attempts.get(policy)
        if attempts is None:
            attempts = tuple(self._fitted(policy))
        failure, failed = "", ""
        allowed: dict[str, None] = {}
        started = time.perf_counter()
        for preflight in (False, True):
            request = requests.request(preflight=preflight)
            for text in attempts:
                decision = self._try(request, text)
                if decision.policy != policy:
                    return Outcomes()  # no request comes to it: another mark has its files
                if decision.outcome is Outcome.ALLOWED:
                    allowed[text] = None
                elif decision.reason is Reason.ORIGIN_CHECK_FAILED and not failure:
                    failure, failed = decision.detail, text
        if policy not in self._attempts:
            most = _AGAIN
            if any(map(callable, opaque_entries(policy))):
                each = (time.perf_counter() - started) / (2 * len(attempts))
                most = max(_LEAST_AGAIN, min(_MOST_AGAIN, int(_SECONDS_AGAIN / each)))
            again = filter(None, (*allowed, failed, *attempts[:most]))
            self._attempts[policy] = tuple(dict.fromkeys(again))
        return Outcomes(tuple(allowed), failure, 2 * len(attempts))

    def faults(self, policy: Policy, allowed: tuple[str, ...]) -> list[Fault]:
        """What is wrong with a policy: on sight, and because of whom it let in."""
        key = (policy, allowed)
        if key not in self._faults:
            self._faults[key] = list(self._find(policy, allowed))
        return self._faults[key]

    def _slow_pattern(self, policy: Policy) -> str:
        if policy not in self._slow:
            self._slow[policy] = slow_pattern(policy)
        return self._slow[policy]

    def _try(self, request: Request, text: str) -> Decision:
        # As a server hands it on: bytes, read as Latin-1.
        request.environ["HTTP_ORIGIN"] = text.encode("utf-8").decode("latin-1")
        return self._in_force.decision_for(request)

    def _fitted(self, policy: Policy) -> Iterator[str]:
        if policy.origins == "*":
            return
        meant = list(meant_by_strings(policy).origins)
        for entry in opaque_entries(policy):
            meant += self._meant_by(entry).origins
        # The plainest first: what they let in is the best example.
        plainest_first = sorted(dict.fromkeys(meant), key=lambda origin: len(origin.host))
        found = dict.fromkeys((*UNRELATED, *map(str, meant), *fitted(plainest_first)))
        for entry in opaque_entries(policy):
            found |= dict.fromkeys(_beside(self._meant_by(entry)))
        # One longer than any that is read is among them; the others of its kind say no more.
        too_long = [text for text in found if len(text) > MAX_ORIGIN_LENGTH]
        yield from (text for text in found if text not in too_long[1:])

    def _meant_by(self, entry: OriginForm) -> Meant:
        if id(entry) not in self._meant:
            self._meant[id(entry)] = meant_by(entry, self._config)
        return self._meant[id(entry)]

    def _find(self, policy: Policy, allowed: Iterable[str]) -> Iterator[Fault]:
        yield from faults_on_sight(policy)
        slow = self._slow_pattern(policy)
        if slow:
            code = "slow_pattern"
            yield Fault(code, RULES[code].level, f"{slow} is slow.", ("origins", "deny_origins"))
        if policy.origins == "*":
            return
        lists = policy.origins.compiled.lists
        by_entry: dict[OriginForm, dict[str, list[str]]] = {}
        named = meant_by_strings(policy).sites
        for text in allowed:
            origin = parse_origin(text)
            if text == "null":
                yield _fault_of_null(policy)
            elif origin is not None and not lists(text, origin):
                entry = _entry_that_lets_in(policy, text)
                code = _kind(text, origin, self._meant_by(entry), named)
                if code:
                    kinds = by_entry.setdefault(entry, {})
                    kinds.setdefault(code, []).append(text)
        for entry, kinds in by_entry.items():
            words = _described(entry, self._meant_by(entry), kinds)
            yield from _faults_of(policy, words, kinds)


def _beside(meant: Meant) -> Iterator[str]:
    """Other names under the public suffixes of what is meant."""
    for site in meant.sites:
        suffix = site.partition(".")[2]
        for scheme in dict.fromkeys(origin.scheme for origin in meant.origins):
            for label in LABELS:
                yield f"{scheme}://{label}.{suffix}"
                yield f"{scheme}://www.{label}.{suffix}"


def _entry_that_lets_in(policy: Policy, text: str) -> OriginForm:
    entries = opaque_entries(policy)
    for entry in entries:
        if isinstance(entry, re.Pattern) and entry.fullmatch(text):
            return entry
    return next(entry for entry in entries if callable(entry))


def _kind(text: str, origin: Origin, meant: Meant, named: frozenset[str]) -> str:
    """The code of what it means that an origin was let in; "" where it may be."""
    site = site_of(origin)
    if text in UNRELATED or origin.host == ATTACKER:
        return "anybody_allowed"
    if origin.is_loopback:
        return ""
    if site not in meant.sites and site not in named:
        label, _, suffix = site.partition(".")
        known = {suffix for known in meant.sites for suffix in (known, known.partition(".")[2])}
        if label in LABELS and suffix in known and is_reserved_suffix(suffix):
            return _OWN_SUFFIX
        if label in LABELS and suffix in known and is_listed_suffix(suffix):
            return "public_suffix_wildcard"
        return "neighbour_allowed"
    if origin.scheme in ("http", "ws"):
        return "insecure_origin"
    labels = origin.host.removesuffix(site).split(".")
    if "attacker" in labels:
        return "subdomains_with_credentials"
    return ""


def _faults_of(policy: Policy, words: str, let_in: Mapping[str, list[str]]) -> Iterator[Fault]:
    """The faults of one entry, by what they let in. Who has to write an entry anew is told the
    worst of it only."""
    own = let_in.get(_OWN_SUFFIX, [])
    if len(own) > 1:
        # All of that suffix is meant, and nobody else can have a name there.
        suffix = own[0].partition(".")[2]
        others = [t for t in let_in.get("neighbour_allowed", ()) if not t.endswith(f".{suffix}")]
        let_in = {**let_in, "neighbour_allowed": others}
    elif own:
        let_in = {"neighbour_allowed": own, **let_in}
    kinds = {code: texts[0] for code, texts in let_in.items() if texts}
    worst = next(
        (
            code
            for code in ("anybody_allowed", "public_suffix_wildcard", "neighbour_allowed")
            if code in kinds
        ),
        None,
    )
    if worst is not None:
        evidence = kinds[worst]
        yield Fault(
            worst, level_of(policy), f"{words} lets in {shown(evidence)}.", ("origins",), evidence
        )
    if worst == "anybody_allowed":
        return
    if "insecure_origin" in kinds and hurts(policy):
        yield insecure_fault(policy, words, kinds["insecure_origin"])
    if "subdomains_with_credentials" in kinds and worst is None and policy.allow_credentials:
        yield subdomain_fault(words, kinds["subdomains_with_credentials"])


def _fault_of_null(policy: Policy) -> Fault:
    message = "'null' is among the origins."
    if policy.allow_credentials:
        message = "'null' is among the origins, with credentials."
    return Fault("null_allowed", level_of(policy), message, ("origins",), "null")


def _described(entry: OriginForm, meant: Meant, let_in: Mapping[str, list[str]]) -> str:
    """An entry, and the plainest host that it means: of those in a callable's code and in the
    configuration, one that has to do with what it let in."""
    hosts = sorted({origin.host for origin in meant.origins}, key=lambda host: (len(host), host))
    # A single letter stands for any name.
    hosts = [host for host in hosts if "." in host or host in ("localhost", "[::1]")]
    if callable(entry):
        texts = "".join(chain(*let_in.values()))
        hosts = [host for host in hosts if host in texts and "anybody_allowed" not in let_in]
    means = f", which means {shown(hosts[0])}," if hosts and ATTACKER not in hosts[0] else ""
    if isinstance(entry, re.Pattern):
        return f"The pattern {shown(entry.pattern, 200)}{means}"
    return f"The callable {shown(name_of(entry))[1:-1]}{means}"
