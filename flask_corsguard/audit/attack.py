"""The attack: every route, with hostile origins; as a request and as its preflight."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from flask import Request

from flask_corsguard.audit.findings import Findings
from flask_corsguard.audit.hostile_origins import LABELS, UNRELATED, fitted
from flask_corsguard.audit.intended_origins import intended_by, named_by_strings, sites_of
from flask_corsguard.audit.policy_checks import Intended, PolicyChecks
from flask_corsguard.audit.real_preflights import send_preflights
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, Origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState

# How many attempts each further route of a policy gets; they begin with one of each kind. If a
# callable decides, it is as many as fit into _SECONDS_AGAIN, within the other two bounds.
_AGAIN = 120
_LEAST_AGAIN, _MOST_AGAIN, _SECONDS_AGAIN = 5, 500, 0.01
_REAL_PREFLIGHTS = 2


def attack(
    state: AppState,
    decide: Callable[[Request], Decision],
    policy: Policy,
    routes: list[Route],
    found: Findings,
) -> Iterator[int]:
    """Attack the routes that have one policy, and find what is wrong with it.

    Everything is tried on the first route. What that let in, and some of each kind, is tried on the
    others too, since a callable can decide by the request.

    :returns: how many requests were tried, route by route.
    """
    checks = PolicyChecks(policy, found)
    checks.on_sight(routes)
    if checks.is_slow(routes):
        return
    config, opaque = state.app.config, checks.opaque
    intended: Intended = {entry: intended_by(entry, config) for entry in opaque}
    attempts = tuple(_hostile_to(policy, intended))
    again: tuple[str, ...] = ()
    let_in: dict[tuple[str, ...], list[Route]] = {}
    for route in routes:
        requests = SampleRequests(state.app, route, state.marks)
        started = time.perf_counter()
        decisions = list(_decisions(decide, requests, again or attempts))
        seconds = time.perf_counter() - started
        if any(decision.policy != policy for _, decision in decisions):
            decisions = []  # another mark governs the route's files
        allowed = dict.fromkeys(t for t, d in decisions if d.outcome is Outcome.ALLOWED)
        failures = ((t, d) for t, d in decisions if d.reason is Reason.ORIGIN_CHECK_FAILED)
        failed, failure = next(failures, ("", None))
        if decisions and not again:
            most = _AGAIN
            if any(map(callable, opaque)):
                most = int(_SECONDS_AGAIN * len(decisions) / seconds)
                most = max(_LEAST_AGAIN, min(_MOST_AGAIN, most))
            again = tuple(dict.fromkeys(filter(None, (*allowed, failed, *attempts[:most]))))
        let_in.setdefault(tuple(allowed), []).append(route)
        if failure:
            checks.failed(failure.detail, route)
        send_preflights(state, route, policy, requests, found)
        yield len(decisions) + _REAL_PREFLIGHTS
    for origins, concerned in let_in.items():
        checks.let_in(origins, intended, concerned)


def _decisions(
    decide: Callable[[Request], Decision], requests: SampleRequests, attempts: Iterable[str]
) -> Iterator[tuple[str, Decision]]:
    for preflight in (False, True):
        request = requests.request(preflight=preflight)
        for text in attempts:
            # As a server passes it on: bytes, read as Latin-1.
            request.environ["HTTP_ORIGIN"] = text.encode("utf-8").decode("latin-1")
            yield text, decide(request)


def _hostile_to(policy: Policy, intended: Intended) -> Iterator[str]:
    if policy.origins == "*":
        return
    origins = dict.fromkeys(chain(named_by_strings(policy.origins), *intended.values()))
    # The plainest first: their variants make the best examples of what is let in.
    plainest_first = sorted(origins, key=lambda origin: len(origin.host))
    found = dict.fromkeys((*UNRELATED, *map(str, origins), *fitted(plainest_first)))
    for each in intended.values():
        found |= dict.fromkeys(_names_beside(each))
    # One origin that is too long to be read is enough: others would show nothing more.
    too_long = [text for text in found if len(text) > MAX_ORIGIN_LENGTH]
    yield from (text for text in found if text not in too_long[1:])


def _names_beside(origins: Iterable[Origin]) -> Iterator[str]:
    """Other names under the same public suffixes."""
    for site in sites_of(origins):
        suffix = site.partition(".")[2]
        for scheme in dict.fromkeys(origin.scheme for origin in origins):
            for label in LABELS:
                yield f"{scheme}://{label}.{suffix}"
                yield f"{scheme}://www.{label}.{suffix}"
