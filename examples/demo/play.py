"""Sends the calls and the forms as either page would, in the simulated browser, presses the button,
and prints the tables."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from api import create_api
from cases import CASES, LIVE_CASES, STEPS, TRANSFERS, Case, Expected, Moved, Step, Transfer
from origins import Origins
from servers import WORKERS, create_others, running
from shared import Shared
from show import show_nothing
from werkzeug import Request, Response

from flask_corsguard.testing import Browser

PAGES = {"allowed": "an origin that is allowed", "stranger": "an origin that is not"}
# Nothing listens there: for calls and forms, the browser calls the apps themselves.
ORIGINS = Origins(
    api="http://localhost:8001",
    allowed="http://localhost:8002",
    stranger="http://localhost:8003",
    unprotected="http://127.0.0.1:8004",
    protected="http://127.0.0.1:8005",
)
# In seconds: how long every worker is given to follow the file. It needs 1.5 s at most.
PATIENCE = 15.0
CHANGES_NOTHING = "Only the server's own page may press the button"


def play(
    cases: Iterable[Case] = CASES,
    transfers: Iterable[Transfer] = TRANSFERS,
    steps: Iterable[Step] = STEPS,
) -> int:
    """Do all of it from both pages, and print the results.

    :returns: how many lines were not as expected.
    """
    cases, transfers, steps = tuple(cases), tuple(transfers), tuple(steps)
    with TemporaryDirectory(prefix="corsguard-demo-") as folder:
        as_expected = play_pages(cases, transfers, Shared.in_folder(folder))
    if steps:
        with running(show_nothing) as origins:
            as_expected += play_steps(steps, origins)
    print(f"{sum(as_expected)} of {len(as_expected)} lines are as expected.")
    return as_expected.count(False)


def play_pages(cases: Iterable[Case], transfers: Iterable[Transfer], shared: Shared) -> list[bool]:
    """Make the calls and send the forms from both pages.

    :returns: for each line, whether it was as expected.
    """
    as_expected: list[bool] = []
    api = create_api(ORIGINS.allowed, show_nothing, shared)
    apps = (api, *create_others(ORIGINS, show_nothing, shared))
    servers = dict(zip(ORIGINS, apps, strict=True))
    for page, words in PAGES.items():
        browser = Browser(servers, page=ORIGINS.of_page(page))
        print(f"The page on {browser.page}, {words}. The API is on {ORIGINS.api}\n")
        print(_line("", "call", "what the page reads", "the guard's reason"))
        for case, got in outcomes(cases, browser):
            expected = case.expected(page)._replace(note="")
            as_expected.append(_compare(_call(case), _shown(got), _shown(expected)))
        print("\n" + _line("", "form", "balance", "the guard's reason"))
        for transfer, before, moved in moves(transfers, browser):
            due = _moved(before, transfer.expected(page))
            as_expected.append(_compare(_form(transfer), _moved(before, moved), due))
        print()
    return as_expected


def play_steps(steps: Iterable[Step], origins: Origins) -> list[bool]:
    """Press the button, and have both pages call until both workers follow. The servers are real.

    :returns: for each line, whether it was as expected.
    """
    servers = {origin: _forwarding_to(origin) for origin in origins[:3]}
    browsers = {page: Browser(servers, page=origins.of_page(page)) for page in PAGES}
    as_expected: list[bool] = []
    print("Who may read GET /offers is in a file. Two processes serve the API.\n")
    for step in steps:
        print(
            _line("", "the button, then GET /offers", "what the page reads", "the guard's reason")
        )
        as_expected.append(_press(browsers["allowed"], origins, step.both, 200, step.about))
        as_expected.append(
            _press(browsers["stranger"], origins, not step.both, 403, CHANGES_NOTHING)
        )
        for page, browser in browsers.items():
            for worker, got, found in follow(step.expected(page), browser, origins):
                expected = _shown(step.expected(page))
                as_expected.append(_compare(f"{page}, worker {worker}", _shown(got), expected))
                print(_line("", f"  {found}", "", ""))
        print()
    return as_expected


def follow(
    expected: Expected, browser: Browser, origins: Origins
) -> Iterator[tuple[int, Expected, str]]:
    """Make the calls again and again, until both workers respond as expected or time is up.

    :returns: for each worker: its process, what its last response was to the page, and what the
        guard found.
    """
    latest: dict[int, tuple[Expected, str]] = {}
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        # One right after the other, so that each worker gets one.
        responses = [browser.fetch(f"{origins.api}/offers?case={case}") for case in LIVE_CASES]
        decisions = _decisions(browser, origins)
        for case, response in zip(LIVE_CASES, responses, strict=True):
            if said := decisions.get(case):
                outcome = Expected(response.status, reason=said["reason"])
                latest[said["worker"]] = outcome, _found(said["explanation"])
        if [outcome for outcome, _ in latest.values()] == [expected] * WORKERS:
            break
        time.sleep(0.1)
    for worker, (outcome, found) in sorted(latest.items()):
        yield worker, outcome, found
    for _ in range(len(latest), WORKERS):
        yield 0, Expected(None), "This worker has not responded."


def outcomes(cases: Iterable[Case], browser: Browser) -> Iterator[tuple[Case, Expected]]:
    """Make the calls, then ask the API for its reasons, at the route that is open to every page."""
    seen = [(case, *fetch(case, browser)) for case in cases]
    reasons = _read(browser, f"{ORIGINS.api}/reasons")
    for case, status, reads in seen:
        yield case, Expected(status, reads, reasons.get(case.id, {}).get("reason"))


def fetch(case: Case, browser: Browser) -> tuple[int | None, str]:
    """Make one call.

    :returns: the status, and what the page reads; None and nothing where it may not.
    """
    response = browser.fetch(
        ORIGINS.api + case.url,
        method=case.method,
        headers=case.headers,
        body=case.body,
        credentials="include" if case.credentials else "same-origin",
    )
    if case.reads_header is None or not response.readable:
        return response.status, (response.text or "").strip()
    value = response.headers.get(case.reads_header, "null")
    return response.status, f"{case.reads_header}: {value}"


def moves(transfers: Iterable[Transfer], browser: Browser) -> Iterator[tuple[Transfer, int, Moved]]:
    """Send the forms, and look at each account before and after.

    :returns: each form, the balance before it, and what it did.
    """
    for transfer in transfers:
        account = ORIGINS.of_account(transfer.account)
        before: int = _read(browser, f"{account}/balance")["balance"]
        response = browser.submit(account + transfer.url, {"amount": str(transfer.amount)})
        after: int = _read(browser, f"{account}/balance")["balance"]
        said = _read(browser, f"{account}/reasons").get(transfer.id, {})
        blocked = response.exchanges[-1].status == 403
        yield transfer, before, Moved(after - before, said.get("reason"), blocked)


def _read(browser: Browser, url: str) -> dict[str, Any]:
    """Call a route that is open to every page."""
    found: dict[str, Any] = browser.fetch(url).assert_readable().json
    return found


def _decisions(browser: Browser, origins: Origins) -> dict[str, dict[str, Any]]:
    """What the workers have decided about the page's own calls."""
    found = _read(browser, f"{origins.api}/workers")["decisions"]
    return {said["case"]: said for said in found if said["origin"] == browser.page}


def _found(explanation: str) -> str:
    """What the guard's decision rests on."""
    return explanation.partition("  Found: ")[2].partition("\n")[0]


def _press(browser: Browser, origins: Origins, both: bool, status: int, about: str) -> bool:
    """Send what the button sends, from either page, and print the status of the response."""
    form = {"listed": "both" if both else "one"}
    got = browser.submit(f"{origins.allowed}/readers", form).exchanges[-1].status
    page = "allowed" if browser.page == origins.allowed else "stranger"
    return _compare(f"POST /readers, {page}", (f"{got}", about), (f"{status}", about))


def _forwarding_to(origin: str) -> Callable[..., Iterable[bytes]]:
    """An app for the simulated browser, in front of a server that runs."""

    @Request.application
    def forward(request: Request) -> Response:
        connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=60)
        with closing(connection):
            url = request.full_path.removesuffix("?")
            connection.request(request.method, url, request.get_data(), dict(request.headers))
            response = connection.getresponse()
            return Response(response.read(), response.status, response.getheaders())

    return forward


def _call(case: Case) -> str:
    extras = [name for name in case.headers if name != "Content-Type"]
    if case.credentials:
        extras.append("cookies")
    return " + ".join((f"{case.method} {case.path}", ", ".join(extras))).removesuffix(" + ")


def _form(transfer: Transfer) -> str:
    return f"POST {transfer.path}, {transfer.account}"


def _shown(outcome: Expected) -> tuple[str, str]:
    reads = f"{outcome.status} {outcome.reads}".rstrip() if outcome.readable else "nothing"
    return reads, outcome.reason or ("" if outcome.readable else "no signal: the browser's own")


def _moved(before: int, moved: Moved) -> tuple[str, str]:
    balances = f"{before} -> {before + moved.change}"
    return f"{balances}, {'refused' if moved.blocked else 'executed'}", moved.reason or ""


def _compare(what: str, got: tuple[str, str], expected: tuple[str, str]) -> bool:
    """Print a line, and what was expected if that differs."""
    print(_line("ok" if got == expected else "NOT OK", what, *got))
    if got != expected:
        print(_line("", "  expected:", *expected))
    return got == expected


def _line(verdict: str, call: str, reads: str, reason: str) -> str:
    return f"  {verdict:<8}{call:<29}{reads:<40}{reason}".rstrip()
