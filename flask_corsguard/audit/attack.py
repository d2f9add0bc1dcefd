"""The attack: every route, with hostile origins; as a request and as its preflight."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from flask import Request

from flask_corsguard.audit.delivery import deliver, fault_of
from flask_corsguard.audit.findings import Findings, Level
from flask_corsguard.audit.hostile_origins import LABELS, UNRELATED, fitted
from flask_corsguard.audit.intended_origins import intended_by, named_by_strings, sites_of
from flask_corsguard.audit.policy_checks import Intended, PolicyChecks
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, Origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import suffix_below
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState

# How many attempts each further route of a policy gets; they begin with one of each kind. If a
# callable decides by the request, it is as many as fit into _SECONDS_AGAIN, within the other two
# bounds.
_AGAIN = 120
_LEAST_ASKED_AGAIN, _MOST_ASKED_AGAIN, _SECONDS_AGAIN = 5, 24, 0.01
# An origin that no callable is asked about.
_OPAQUE = "null"


class _Tried(NamedTuple):
    """What was tried on one route.

    :ivar decisions: each attempt with its decision; none if another mark governs the route's files.
    :ivar allowed: the origins that were let in.
    :ivar failure: how a callable failed, in words, or "".
    :ivar failed_for: the origin that it failed for, or "".
    :ivar seconds: how long all of them took.
    """

    decisions: list[tuple[str, Decision]]
    allowed: tuple[str, ...]
    failure: str
    failed_for: str
    seconds: float


def attack(
    state: AppState,
    decide: Callable[[Request], Decision],
    policy: Policy,
    routes: list[Route],
    found: Findings,
) -> Iterator[int]:
    """Attack the routes that have one policy, and find what is wrong with it.

    Everything is tried on the first route. What that let in, and some of each kind, is tried on the
    others too, since a callable can decide by the request. One that takes the origin alone says the
    same everywhere: it is asked about each origin once.

    :returns: how many requests were tried, route by route.
    """
    checks = PolicyChecks(policy, found, debug=state.app.debug)
    checks.on_sight(routes)
    if checks.is_slow(routes):
        return
    intended: Intended = {entry: intended_by(entry, state.app.config) for entry in checks.opaque}
    attempts = tuple(_hostile_to(policy, intended))
    is_asked_once = checks.callable is not None and not policy.compiled.asks_request
    first: _Tried | None = None
    again: Sequence[str] = ()
    let_in: dict[tuple[str, ...], list[Route]] = {}
    for route in routes:
        requests = SampleRequests(state.app, route, state.marks, state.current().table.paths)
        if first is None:
            tried = _try(decide, policy, requests, attempts, preflights=not is_asked_once)
            if tried.decisions:
                first = tried
                again = (_OPAQUE,) if is_asked_once else _again(tried, attempts, checks)
        else:
            tried = _try(decide, policy, requests, again)
            if tried.decisions and is_asked_once:
                tried = tried._replace(allowed=first.allowed, failure=first.failure)
            elif tried.allowed == tuple(text for text in again if text in first.allowed):
                tried = tried._replace(allowed=first.allowed)
        checks.count_asked(tried.decisions)
        let_in.setdefault(tried.allowed, []).append(route)
        if tried.failure:
            checks.failed(tried.failure, route)
        origins: Sequence[str] = ()
        if policy.answer_preflight and requests.is_reachable:
            allowed = first.allowed if first and checks.callable is None else ()
            unrelated = _OPAQUE if is_asked_once else UNRELATED[0]
            origins = tuple(dict.fromkeys((*_an_allowed_one(policy, allowed), unrelated)))
            checks.count_asked(_send_preflights(state, route, requests, origins, found))
        yield len(tried.decisions) + len(origins)
    for origins, concerned in let_in.items():
        checks.let_in(origins, intended, concerned)


def _try(
    decide: Callable[[Request], Decision],
    policy: Policy,
    requests: SampleRequests,
    texts: Iterable[str],
    *,
    preflights: bool = True,
) -> _Tried:
    """Have each origin decided about: as a request and, unless told otherwise, as its preflight."""
    started = time.perf_counter()
    decisions: list[tuple[str, Decision]] = []
    for preflight in (False, True) if preflights else (False,):
        request = requests.request(preflight=preflight)
        for text in texts:
            # As a server passes it on: bytes, read as Latin-1.
            request.environ["HTTP_ORIGIN"] = text.encode("utf-8").decode("latin-1")
            decisions.append((text, decide(request)))
    seconds = time.perf_counter() - started
    if any(decision.policy != policy for _, decision in decisions):
        decisions = []  # another mark governs the route's files
    allowed = dict.fromkeys(t for t, d in decisions if d.outcome is Outcome.ALLOWED)
    failures = ((d.detail, t) for t, d in decisions if d.reason is Reason.ORIGIN_CHECK_FAILED)
    failure, failed_for = next(failures, ("", ""))
    return _Tried(decisions, tuple(allowed), failure, failed_for, seconds)


def _again(first: _Tried, attempts: Sequence[str], checks: PolicyChecks) -> list[str]:
    """What to try on the further routes of a policy.

    :param first: what was tried on the first one.
    """
    if checks.callable is None:
        return list(dict.fromkeys((*first.allowed, *attempts[:_AGAIN])))
    asked = [text for text, decision in first.decisions if checks.was_asked(text, decision)]
    # Each is asked about twice.
    fitting = int(_SECONDS_AGAIN / 2 * len(asked) / first.seconds)
    most = max(_LEAST_ASKED_AGAIN, min(_MOST_ASKED_AGAIN, fitting))
    let_in = _spread(first.allowed, most // 2)
    refused = [text for text in dict.fromkeys(asked) if text not in first.allowed]
    again = (first.failed_for, *let_in, *_spread(refused, most - len(let_in)))
    return list(filter(None, dict.fromkeys(again)))


def _spread(texts: Sequence[str], most: int) -> Sequence[str]:
    """So many of *texts*, from all over it."""
    step = max(1, -(-len(texts) // most))
    return texts[::step]


def _an_allowed_one(policy: Policy, allowed: Iterable[str]) -> Iterator[str]:
    """An origin that the policy lists or, if it lists none, has allowed."""
    listed = () if policy.origins == "*" else policy.compiled.listed - {_OPAQUE}
    if listed:
        yield min(listed)
    else:
        yield from islice(allowed, 1)


def _send_preflights(
    state: AppState,
    route: Route,
    requests: SampleRequests,
    origins: Iterable[str],
    found: Findings,
) -> Iterator[tuple[str, Decision]]:
    """Send a route a preflight from each of some origins. Add a finding if something fails or ends
    one on its way, or changes its response.

    :returns: the origins with the guard's decisions.
    """
    for origin in origins:
        environ = {**requests.environ(preflight=True), "HTTP_ORIGIN": origin}
        delivery = deliver(state, environ)
        if delivery.is_bypass:
            message = "app.wsgi_app no longer leads through what CorsGuard has put there."
            found.add("middleware_bypassed", message)
        if delivery.decision is not None:
            yield origin, delivery.decision
        fault = fault_of(state, delivery)
        if fault is not None:
            level = Level.NOTE if fault.is_harmless else None
            found.add(fault.code, fault.message, [route], level=level, location=fault.location)
            return


def _hostile_to(policy: Policy, intended: Intended) -> Iterator[str]:
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
