"""The tests of a running deployment, and what they find."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

from flask_corsguard.errors import CorsGuardError
from flask_corsguard.runtime.state import AppState
from flask_corsguard.simulate import curl_of
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import Url
from flask_corsguard.text import shown
from flask_corsguard.verify.client import LARGEST_BODY, Client, Received
from flask_corsguard.verify.comparison import (
    ENDS,
    Difference,
    differences,
    follows,
    is_right,
    is_same,
    origin_of,
)
from flask_corsguard.verify.kinds import KINDS
from flask_corsguard.verify.plan import Planner, Series

Progress = Callable[[int, int], None]

# After this many tests in a row without a response, the run stops.
_MOST_FAILURES = 5
_MOST_LINES = 12
# Headers that show what made a response, besides those of CORS and of caches.
_TELLING = {"vary", "location", "allow", "server", "content-type", "www-authenticate"}


class DeploymentFinding(NamedTuple):
    """One thing found. All of it is safe to print.

    :ivar code: the stable code of its kind.
    :ivar title: what is wrong.
    :ivar where: the routes, as method and rule, and the paths.
    :ivar sent: an example: what was sent, line by line.
    :ivar received: what came back.
    :ivar policy: what the policy says.
    :ivar cause: the probable cause.
    :ivar change: how to fix it.
    :ivar curl: the command that sends the example again.
    """

    code: str
    title: str
    where: tuple[str, ...]
    sent: tuple[str, ...]
    received: tuple[str, ...]
    policy: tuple[str, ...]
    cause: str
    change: str
    curl: str


class Verification(NamedTuple):
    """The result of the tests.

    :ivar findings: the findings.
    :ivar not_tried: sentences about what was not tried. These are not findings.
    :ivar places: how many routes (counted once for each method) and paths were tried.
    :ivar requests: how many requests were sent.
    :ivar same_settings: whether the fingerprint on the status page is the app's; None if there is
        none.
    """

    findings: tuple[DeploymentFinding, ...]
    not_tried: tuple[str, ...]
    places: int
    requests: int
    same_settings: bool | None


class Deployment:
    """A deployment of an app.

    :param base: where the app's root is.
    :param gets: URLs below it to which GET is sent too.
    :param status: a URL that returns ``guard.status()``, or None.
    :param limit: the most requests that may be sent.
    :ivar requests: how many will be sent.
    """

    def __init__(
        self, state: AppState, base: Url, gets: Iterable[Url], status: Url | None, limit: int
    ) -> None:
        planner = Planner(state, base)
        self._fingerprint: str = state.status()["fingerprint"]
        self._status = status and planner.test("the status page", status, [None]).requests[0]
        tests = [test for url in dict.fromkeys(gets) for test in planner.gets(url)]
        tests += planner.preflights(state.current().table.routes())
        self._not_tried = planner.not_tried()
        self._tests: list[Series] = []
        self.requests = 1 if status else 0
        for number, test in enumerate(tests):
            if self.requests + len(test.requests) > limit:
                rest = f"{len(tests) - number:,} of {len(tests):,} tests, from {test.place} on"
                self._not_tried.append(f"{rest}, because of --limit {limit}.")
                break
            self.requests += len(test.requests)
            self._tests.append(test)
        self._found: dict[Difference, DeploymentFinding] = {}
        # The code of what was found on the status page; None before it is read.
        self._of_status: str | None = None

    def verify(self, rate: float, advance: Progress | None) -> Verification:
        """Send the requests, and compare the responses with the policies.

        :param rate: the most requests per second.
        :param advance: called with the numbers of sent and of all requests.
        :raises CorsGuardError: if there is no response to the first test.
        """
        return asyncio.run(self._verify(Client(rate), advance))

    async def _verify(self, client: Client, advance: Progress | None) -> Verification:
        played: list[tuple[Series, list[Received]]] = []
        failures = 0
        async with client:
            if self._status is not None:
                self._compare_status(self._status, await client.send(self._status, LARGEST_BODY))
            for test in self._tests:
                received = [await client.send(request) for request in test.requests]
                played.append((test, received))
                if len(played) == 1 and received[0].error:
                    raise CorsGuardError(f"{test.requests[0].url}: {received[0].error}")
                failures = failures + 1 if all(got.error for got in received) else 0
                if failures == _MOST_FAILURES:
                    rest = f"{len(self._tests) - len(played):,} of {len(self._tests):,} tests"
                    self._not_tried.append(
                        f"{rest}, because the {failures} before had no response."
                    )
                    break
                if advance:
                    advance(client.sent, self.requests)
        self._compare(played)
        places = len({test.place for test, _ in played})
        found = tuple(self._found.values())
        is_same = {"": True, "other_settings": False}.get(self._of_status or "")
        same_settings = None if self._of_status is None else is_same
        return Verification(found, tuple(self._not_tried), places, client.sent, same_settings)

    def _compare(self, played: list[tuple[Series, list[Received]]]) -> None:
        # Whether each origin gets the right response where it asks first, so that no cache has one.
        first: dict[tuple[str, str, bool], dict[str, bool]] = {}
        for test, received in played:
            want = test.requests[0]
            by_origin = first.setdefault((test.place, _path_of(want), want.preflight), {})
            by_origin.setdefault(origin_of(want), is_right(want, received[0]))
        gets: dict[str, list[tuple[Exchange, Received]]] = {}
        for test, received in played:
            if not test.requests[0].preflight:
                gets.setdefault(test.place, []).extend(zip(test.requests, received, strict=True))
        there: dict[str, list[tuple[Difference, int, Series, Received]]] = {}
        for test, received in played:
            both = list(zip(test.requests, received, strict=True))
            for number, (want, got) in enumerate(both):
                path = _path_of(want)
                by_origin = first[test.place, path, want.preflight]
                is_fine = by_origin.get(origin_of(want), all(by_origin.values()))
                others: list[tuple[Exchange, Received]] = []
                if not want.preflight:
                    sent = gets[test.place]
                    # Caches store no preflights, and servers that add headers add them there too.
                    is_one = all(first.get((test.place, path, True), {}).values()) and is_same(sent)
                    others = sent if is_one or got.is_stored else []
                there.setdefault(test.place, []).extend(
                    (each, number, test, got)
                    for each in differences(
                        want, got, both[:number], others, is_right_at_first=is_fine
                    )
                )
        for place, found in there.items():
            is_ended = any(difference.code in ENDS for difference, *_ in found)
            for difference, number, test, got in found:
                want = test.requests[number]
                if not (is_ended and follows(difference, want)):
                    before = map(origin_of, test.requests[:number])
                    self._add(difference, place, want, _in_words(got), _policy(want), before)

    def _compare_status(self, request: Exchange, got: Received) -> None:
        try:
            there = json.loads(got.body)
        except (ValueError, RecursionError):
            there = None
        known = cast("dict[str, object]", there) if isinstance(there, dict) else {}
        fingerprint = known.get("fingerprint")
        place, wanted = f"GET {request.url}", (f"the fingerprint {self._fingerprint}",)
        if got.status != 200 or not isinstance(fingerprint, str):
            code, came = "no_status", _in_words(got)
        elif fingerprint != self._fingerprint:
            code, came = "other_settings", (f"the fingerprint {shown(fingerprint, 40)}",)
        else:
            code, came = "", ()
        if code:
            self._add(Difference(code), place, request, came, wanted)
        self._of_status = code

    def _add(
        self,
        difference: Difference,
        place: str,
        want: Exchange,
        received: tuple[str, ...],
        policy: tuple[str, ...],
        before: Iterable[str] = (),
    ) -> None:
        known = self._found.get(difference)
        if known is not None:
            if place not in known.where:
                self._found[difference] = known._replace(where=(*known.where, place))
            return
        kind = KINDS[difference.code]
        if self._of_status is not None:
            kind = kind.after_status(self._of_status)
        code, title, cause, change = kind
        title += f": {difference.subject}" if difference.subject else ""
        sent = [f"{want.method} {want.url}", *(f"{n}: {v}" for n, v in want.request_headers)]
        if difference.code == "mixed_up":
            sent += [f"before it, the same URL from {', '.join(before)}"]
        self._found[difference] = DeploymentFinding(
            code, title, (place,), tuple(sent), received, policy, cause, change, curl_of(want)
        )


def _path_of(request: Exchange) -> str:
    return request.url.partition("?")[0]


def _in_words(got: Received) -> tuple[str, ...]:
    if got.error:
        return (got.error,)
    telling = {*got.cors, *_TELLING, *(name for name, _ in got.cache_lines)}
    lines = [(shown(n.title(), 60)[1:-1], shown(v)) for n, v in got.lines if n in telling]
    more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    said = [f"{name}: {value}" for name, value in lines[:_MOST_LINES]]
    code = f", the guard's {got.refusal}" if got.refusal else ""
    return (f"{got.status}{code}", *said, *more)


def _policy(want: Exchange) -> tuple[str, ...]:
    decision = want.decision
    assert decision is not None
    where = f"{decision.policy_source} {decision.policy_location}".strip()
    is_answered = want.preflight and decision.policy and decision.policy.answer_preflight
    # Any other status is up to the app.
    status = want.status if decision.blocked or (is_answered and want.status in (204, 403)) else ""
    cors = [h for h in want.response_headers if h[0].startswith(("Access-Control-", "Vary"))]
    lines = [f"{name}: {value}" for name, value in cors] or ["no CORS headers"]
    return (f"{status or 'any status'} ({where})", *lines)
