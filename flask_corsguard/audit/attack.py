"""The attack: every route, with hostile origins, in requests and in preflights."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from flask import Request

from flask_corsguard.audit.delivery import deliver, fault_of
from flask_corsguard.audit.findings import Findings, Level
from flask_corsguard.audit.hostile_origins import (
    LABELS,
    UNRELATED,
    around_raw,
    around_wildcard,
    fitted,
)
from flask_corsguard.audit.intended_origins import intended_by, named_by_strings, sites_of
from flask_corsguard.audit.order_checks import check_order
from flask_corsguard.audit.policy_checks import Intended, LetIn, ListChecks
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, Origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import suffix_below
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState

# How many attempts each further route of a policy gets; one of each kind comes first. If a callable
# decides by the request, the number is what fits into _SECONDS_AGAIN, within the other two bounds.
_AGAIN = 120
_LEAST_ASKED_AGAIN, _MOST_ASKED_AGAIN, _SECONDS_AGAIN = 5, 24, 0.01
# For how many entries with wildcards, and how many raw ones, look-alikes are made.
_MOST_LOOK_ALIKES = 3
# An origin that no callable is asked about.
_OPAQUE = "null"


class _Tried(NamedTuple):
    """What was tried on one route.

    :ivar decisions: each attempt with its decision; none if another mark governs the route's files.
    :ivar allowed: what was let in.
    :ivar failed: the first attempt for which a callable failed, or None.
    :ivar seconds: how long all of them took.
    """

    decisions: list[tuple[str, Decision]]
    allowed: tuple[LetIn, ...]
    failed: tuple[str, Decision] | None
    seconds: float

    def unless_like(self, first: _Tried, again: Collection[str], *, asks_once: bool) -> _Tried:
        """This attempt with *again* on a further route; with all results of the *first* route, if
        those of *again* are the same, or must be."""
        if asks_once and self.decisions:
            return self._replace(allowed=first.allowed, failed=first.failed)
        if {*self.allowed} == {each for each in first.allowed if each.origin in again}:
            return self._replace(allowed=first.allowed)
        return self


def attack(
    state: AppState,
    decide: Callable[[Request], Decision],
    policies: tuple[Policy, ...],
    routes: list[Route],
    found: Findings,
) -> Iterator[int]:
    """Attack the routes that have one policy, or one list of policies, and find what is wrong.

    Everything is tried on the first route. What that let in, and some of each kind, is tried on the
    others too, because a callable can decide by the request. One that takes only the origin decides
    the same everywhere, and is asked about each origin once.

    :returns: how many requests were tried, route by route.
    """
    checks = ListChecks(policies, found, debug=state.app.debug)
    if checks.on_sight(routes):
        return
    check_order(policies, routes, found)
    intended: Intended = {entry: intended_by(entry, state.app.config) for entry in checks.opaque}
    attempts = tuple(dict.fromkeys(chain(*(_hostile_to(policy, intended) for policy in policies))))
    listed = tuple(map(_listed_one, policies))
    first: _Tried | None = None
    again: Collection[str] = ()
    let_in: dict[tuple[LetIn, ...], list[Route]] = {}
    for route in routes:
        requests = SampleRequests(state, route)
        if first is None:
            tried = _try(decide, policies, requests, attempts, preflights=not checks.asks_once)
            if tried.decisions:
                first = tried
                again = (_OPAQUE,) if checks.asks_once else _again(tried, attempts, checks)
        else:
            tried = _try(decide, policies, requests, again)
            tried = tried.unless_like(first, again, asks_once=checks.asks_once)
        let_in.setdefault(tried.allowed, []).append(route)
        if tried.failed:
            checks.failed(tried.failed[1], route)
        sent: list[tuple[str, Decision]] = []
        if checks.answer_preflights and requests.is_reachable:
            allowed = first.allowed if first and not checks.asks_callable else ()
            unrelated = _OPAQUE if checks.asks_once else UNRELATED[0]
            origins = dict.fromkeys((*_allowed_ones(listed, allowed), unrelated))
            sent += _send_preflights(state, route, requests, origins, found)
        checks.count_asked((*tried.decisions, *sent))
        yield len(tried.decisions) + len(sent)
    for allowed, concerned in let_in.items():
        checks.let_in(allowed, intended, concerned)


def _try(
    decide: Callable[[Request], Decision],
    policies: tuple[Policy, ...],
    requests: SampleRequests,
    texts: Iterable[str],
    *,
    preflights: bool = True,
) -> _Tried:
    """Try each origin in a request and, unless told otherwise, in its preflight."""
    started = time.perf_counter()
    decisions: list[tuple[str, Decision]] = []
    for preflight in (False, True) if preflights else (False,):
        request = requests.request(preflight=preflight)
        for text in texts:
            # As a server passes it on: bytes, read as Latin-1.
            request.environ["HTTP_ORIGIN"] = text.encode("utf-8").decode("latin-1")
            decisions.append((text, decide(request)))
    seconds = time.perf_counter() - started
    if any(not d.policies or d.policies != policies[: len(d.policies)] for _, d in decisions):
        decisions = []  # another mark governs the route's files
    allowed = dict.fromkeys(
        LetIn(text, len(decision.policies) - 1)
        for text, decision in decisions
        # An origin that "*" lets in is not a finding, and "*" lets in all that are left.
        if decision.outcome is Outcome.ALLOWED
        and policies[len(decision.policies) - 1].origins != "*"
    )
    failures = (each for each in decisions if each[1].reason is Reason.ORIGIN_CHECK_FAILED)
    return _Tried(decisions, tuple(allowed), next(failures, None), seconds)


def _again(first: _Tried, attempts: Sequence[str], checks: ListChecks) -> Collection[str]:
    """What to try on the further routes of a policy.

    :param first: what was tried on the first one.
    """
    allowed = list(dict.fromkeys(each.origin for each in first.allowed))
    if not checks.asks_callable:
        return tuple(dict.fromkeys((*allowed, *attempts[:_AGAIN])))
    asked = [text for text, decision in first.decisions if checks.was_asked(text, decision)]
    # Each is asked about twice.
    fitting = int(_SECONDS_AGAIN / 2 * len(asked) / first.seconds)
    most = max(_LEAST_ASKED_AGAIN, min(_MOST_ASKED_AGAIN, fitting))
    let_in = _spread(allowed, most // 2)
    refused = [text for text in dict.fromkeys(asked) if text not in allowed]
    failed = first.failed[:1] if first.failed else ()
    return tuple(dict.fromkeys((*failed, *let_in, *_spread(refused, most - len(let_in)))))


def _spread(texts: Sequence[str], most: int) -> Sequence[str]:
    """About *most* of *texts*, spread evenly."""
    step = max(1, -(-len(texts) // most))
    return texts[::step]


def _listed_one(policy: Policy) -> str:
    """An origin that the policy lists, or ""."""
    listed = frozenset[str]() if policy.origins == "*" else policy.compiled.listed
    return min(listed - {_OPAQUE}, default="")


def _allowed_ones(listed: Iterable[str], allowed: Iterable[LetIn]) -> Iterator[str]:
    """For each policy, an origin that it lists or, if it lists none, one that it allowed."""
    for number, text in enumerate(listed):
        if text:
            yield text
        else:
            yield from islice((each.origin for each in allowed if each.number == number), 1)


def _send_preflights(
    state: AppState,
    route: Route,
    requests: SampleRequests,
    origins: Iterable[str],
    found: Findings,
) -> Iterator[tuple[str, Decision]]:
    """Send a route a preflight from each origin. Add a finding if something on the way fails,
    responds first or changes the response.

    :returns: the origins with the guard's decisions.
    """
    for origin in origins:
        environ = {**requests.environ(preflight=True), "HTTP_ORIGIN": origin}
        delivery = deliver(state, environ)
        if delivery.is_bypass:
            message = (
                "app.wsgi_app no longer leads through the middleware that CorsGuard put there."
            )
            found.add("middleware_bypassed", message)
        if delivery.decision is not None:
            yield origin, delivery.decision
        fault = fault_of(state, delivery)
        if fault is not None:
            level = Level.NOTE if fault.is_harmless else None
            found.add(fault.code, fault.message, [route], level=level, location=fault.location)
            return


def _hostile_to(policy: Policy, intended: Intended) -> Iterator[str]:
    yield from chain.from_iterable(map(around_raw, policy.raw_origins[:_MOST_LOOK_ALIKES]))
    if policy.origins == "*":
        return
    origins = dict.fromkeys(chain(named_by_strings(policy), *intended.values()))
    # The plainest first: their variants make the best examples of what is let in.
    plainest_first = sorted(origins, key=lambda origin: len(origin.host))
    found = dict.fromkeys((*UNRELATED, *map(str, origins), *fitted(plainest_first)))
    for each in intended.values():
        found |= dict.fromkeys(_names_beside(each))
    # One origin that is too long to be read is enough: others would show nothing more.
    too_long = [text for text in found if len(text) > MAX_ORIGIN_LENGTH]
    yield from (text for text in found if text not in too_long[1:])
    wildcards = islice(policy.origins.patterns(lambda text: "*" in text), _MOST_LOOK_ALIKES)
    yield from chain.from_iterable(map(around_wildcard, wildcards))


def _names_beside(origins: Iterable[Origin]) -> Iterator[str]:
    """Other names under the same public suffixes, and under one below the site."""
    for site in sites_of(origins):
        suffix, below = site.partition(".")[2], suffix_below(site)
        for scheme in dict.fromkeys(origin.scheme for origin in origins):
            for label in LABELS:
                yield f"{scheme}://{label}.{suffix}"
                yield f"{scheme}://www.{label}.{suffix}"
                if below is not None:
                    yield f"{scheme}://{label}.{below}"
