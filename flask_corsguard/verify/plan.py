"""The requests to send to a deployment, each with the guard's own response."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote, unquote

from werkzeug.datastructures import Headers

from flask_corsguard.audit.hostile_origins import ATTACKER, UNRELATED
from flask_corsguard.audit.intended_origins import probably_admitted
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState
from flask_corsguard.simulate import stand_in
from flask_corsguard.testing.exchange import Exchange, send
from flask_corsguard.testing.urls import DECODED_PATH_SAFE, Url, parse_url

_PARAMETER = "corsguard-verify"
_OPAQUE = "null"
_OVERRIDABLE = "the view may override its policy, so its headers are not known"
# Every route tries each of them.
_MOST_CANDIDATES = 40

Order = tuple[str | None, ...]


class Series(NamedTuple):
    """One test: requests for the same URL, one after the other, from different origins.

    :ivar place: what is tested: ``PUT /users/<int:number>``.
    :ivar requests: the requests, each with the guard's own response.
    """

    place: str
    requests: tuple[Exchange, ...]


class Planner:
    """Makes the tests.

    :param base: where the app's root is. Its path has no slash at the end.
    """

    def __init__(self, state: AppState, base: Url) -> None:
        self._state = state
        self._base = base
        self._respond = stand_in(state, unquote(base.path))
        self._candidates: dict[Policy, list[str]] = {}
        # Different in each run: a cache may still have responses to the last one.
        self._run, self._number = secrets.token_hex(4), 0
        self._left_out: list[str] = []
        # Policies for which an admitted origin is known; the others, each with a place where it
        # applies.
        self._known: set[Policy] = set()
        self._unknown: dict[Policy, str] = {}

    def not_tried(self) -> list[str]:
        """Sentences about what there is no test for."""
        for policy in self._known & self._unknown.keys():
            del self._unknown[policy]
        return self._left_out + [
            f"{place}: no origin is known that {name_in_list(policy) or 'its policy'} admits, so"
            " only rejected origins are tried, here and wherever that policy applies."
            for policy, place in self._unknown.items()
        ]

    def preflights(self, routes: Iterable[Route]) -> list[Series]:
        """The preflight tests of every route: all tests of one method, in turns with the other
        routes; then one test of each further method."""
        first: list[tuple[int, Series]] = []
        further: list[Series] = []
        for route in routes:
            samples = SampleRequests(self._state, route, f"{self._base}/")
            if route.policy is None or not samples.is_reachable:
                self._left_out.append(f"{','.join(route.methods)} {route.rule}: {_why(route)}.")
                continue
            url = parse_url(f"{self._base}{quote(samples.path, safe=DECODED_PATH_SAFE)}")
            assert url is not None
            # Methods that change something come first: for most of them, browsers always ask.
            methods = sorted(route.methods, key=lambda name: (name in SAFE_METHODS, name))
            for method in methods:
                place = f"{method} {route.rule}"
                tests = self._preflight_tests(place, url, method, route.policies)
                if method == methods[0]:
                    first += enumerate(tests)
                else:
                    further += tests[:1]
        first.sort(key=itemgetter(0))
        return [test for _, test in first] + further

    def gets(self, url: Url) -> Iterator[Series]:
        """The tests of one URL, with preflights and GET requests."""
        place = f"GET {url.path}{url.query}"
        (about,) = self.test(place, url, [None]).requests
        policies = about.decision.policies if about.decision else ()
        if not policies:
            self._left_out.append(f"{place}: it is exempt, so no policy applies.")
            return
        yield from self._preflight_tests(place, url, "GET", policies)
        if any(policy.compiled.views_override for policy in policies):
            self._left_out.append(f"{place}: {_OVERRIDABLE}.")
            return
        # Each origin asks first in one test, where no cache in front can have a response.
        one, stranger, look_alike, own, *others = self._origins(place, url, "", policies)
        orders: list[Order] = [(one, stranger, _OPAQUE), (stranger, one, None)]
        orders += [(None, one, stranger), (_OPAQUE, one, None), (look_alike, one), (own, one)]
        orders += [pair for other in others for pair in ((one, other), (other, one))]
        for order in orders:
            yield self.test(place, url, order)

    def test(self, place: str, url: Url, order: Iterable[str | None], method: str = "") -> Series:
        """One test, with a query parameter of its own.

        :param order: the origins that ask, in this order.
        :param method: the requested method of preflights, or "" for GET requests.
        """
        self._number += 1
        query = f"{url.query}&" if url.query else "?"
        url = url._replace(query=f"{query}{_PARAMETER}={self._run}-{self._number}")
        return Series(place, tuple(self._ask(url, o, method) for o in dict.fromkeys(order)))

    def _preflight_tests(
        self, place: str, url: Url, method: str, policies: tuple[Policy, ...]
    ) -> list[Series]:
        """The preflight tests, without requests to which a view may respond as it likes."""
        found: list[Series] = []
        for order in self._preflight_orders(place, url, method, policies):
            test = self.test(place, url, order, method)
            known = [r for r in test.requests if not (r.decision and r.decision.may_be_overridden)]
            if known:
                found.append(test._replace(requests=tuple(known)))
        if not found:
            self._left_out.append(f"{place}: {_OVERRIDABLE}.")
        return found

    def _preflight_orders(
        self, place: str, url: Url, method: str, policies: tuple[Policy, ...]
    ) -> list[Order]:
        one, stranger, look_alike, own, *others = self._origins(place, url, method, policies)
        orders: list[Order] = [(one, stranger), (stranger, one, _OPAQUE), (own, look_alike, None)]
        return orders + [(other, one) for other in others]

    def _origins(
        self, place: str, url: Url, method: str, policies: tuple[Policy, ...]
    ) -> list[str]:
        """An origin that is admitted, two that probably are not, and the app's own; then one for
        each further policy that admits one."""
        admitted: list[str] = []
        for policy in policies:
            candidates = self._candidates_for(policy)
            found = next((o for o in candidates if self._admits(policy, url, o, method)), None)
            if found is not None:
                self._known.add(policy)
                admitted.append(found)
            elif policy.origins:
                self._unknown.setdefault(policy, place)
        one, *others = admitted or UNRELATED[1:2]
        stranger = next(each for each in UNRELATED if each not in admitted)
        return [one, stranger, f"{one}.{ATTACKER}", str(self._base.origin), *others]

    def _candidates_for(self, policy: Policy) -> list[str]:
        if policy.origins == "*":
            return [*UNRELATED[:1]]
        if policy not in self._candidates:
            found = chain(probably_admitted(policy, self._state.app.config), [_OPAQUE])
            self._candidates[policy] = [*islice(found, _MOST_CANDIDATES)]
        return self._candidates[policy]

    def _admits(self, policy: Policy, url: Url, origin: str, method: str) -> bool:
        decision = self._ask(url, origin, method).decision
        if decision is None or decision.outcome is Outcome.SAME_ORIGIN:
            return False
        reason = decision.reason
        # An origin that "*" admits may still be refused.
        is_admitted = reason in (None, Reason.CROSS_SITE_REQUEST) or not reason.is_about_origin
        return is_admitted and decision.policy == policy

    def _ask(self, url: Url, origin: str | None, method: str) -> Exchange:
        headers = Headers()
        if origin is not None:
            headers["Origin"] = origin
        if method:
            headers["Access-Control-Request-Method"] = method
        kind = "OPTIONS" if method else "GET"
        return send(self._respond, kind, url, headers, None, preflight=bool(method))


def _why(route: Route) -> str:
    """Why a route cannot be tried."""
    rule = route.url_rule
    if route.policy is None:
        return "it is exempt, so no policy applies"
    if rule.websocket:
        return "it is a WebSocket, which has no preflight"
    if rule.redirect_to:
        return "it only redirects"
    if rule.host or rule.subdomain:
        return "it is not on the host of the URL"
    return "no URL for it was found. Give one with --get"
