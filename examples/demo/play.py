"""Plays the calls and the forms as either page would, in the browser for tests, and prints the
tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cases import CASES, TRANSFERS, Case, Expected, Moved, Transfer
from origins import Origins
from servers import create_apps

from flask_corsguard.testing import Browser

PAGES = {"allowed": "an origin that is allowed", "stranger": "an origin that is not"}
# Nothing listens there: the browser calls the apps themselves.
ORIGINS = Origins(
    api="http://localhost:8001",
    allowed="http://localhost:8002",
    stranger="http://localhost:8003",
    unprotected="http://127.0.0.1:8004",
    protected="http://127.0.0.1:8005",
)


def play(cases: Iterable[Case] = CASES, transfers: Iterable[Transfer] = TRANSFERS) -> int:
    """Do all of it from both pages, and print what came of it.

    :returns: how many lines were not as expected.
    """
    as_expected: list[bool] = []
    cases, transfers = tuple(cases), tuple(transfers)
    apps = create_apps(ORIGINS, lambda _signal, _decision: None)
    servers = dict(zip(ORIGINS, apps, strict=True))
    for page, words in PAGES.items():
        browser = Browser(servers, page=ORIGINS.of_page(page))
        print(f"The page on {browser.page}, {words}. The API is on {ORIGINS.api}\n")
        print(_line("", "call", "what script reads", "the guard's reason"))
        for case, got in outcomes(cases, browser):
            expected = case.expected(page)._replace(note="")
            as_expected.append(_compare(_call(case), _shown(got), _shown(expected)))
        print("\n" + _line("", "form", "balance", "the guard's reason"))
        for transfer, before, moved in moves(transfers, browser):
            due = _moved(before, transfer.expected(page))
            as_expected.append(_compare(_form(transfer), _moved(before, moved), due))
        print()
    print(f"{sum(as_expected)} of {len(as_expected)} lines are as expected.")
    return as_expected.count(False)


def outcomes(cases: Iterable[Case], browser: Browser) -> Iterator[tuple[Case, Expected]]:
    """Make the calls, then ask the API for its reasons, by the route that is open to every page."""
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
    """Send the forms, and look at each account before and after: the first balance, and what
    became of it."""
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


def _call(case: Case) -> str:
    extras = [name for name in case.headers if name != "Content-Type"]
    if case.credentials:
        extras.append("cookies")
    return " + ".join((f"{case.method} {case.path}", ", ".join(extras))).removesuffix(" + ")


def _form(transfer: Transfer) -> str:
    return f"POST {transfer.path}, {transfer.account}"


def _shown(outcome: Expected) -> tuple[str, str]:
    reads = f"{outcome.status} {outcome.reads}" if outcome.readable else "nothing"
    return reads, outcome.reason or ("" if outcome.readable else "no signal: the browser's own")


def _moved(before: int, moved: Moved) -> tuple[str, str]:
    balances = f"{before} -> {before + moved.change}"
    return f"{balances}, {'refused' if moved.blocked else 'executed'}", moved.reason or ""


def _compare(what: str, got: tuple[str, str], expected: tuple[str, str]) -> bool:
    """Print a line, and what was expected if that is something else."""
    print(_line("ok" if got == expected else "NOT OK", what, *got))
    if got != expected:
        print(_line("", "  expected:", *expected))
    return got == expected


def _line(verdict: str, call: str, reads: str, reason: str) -> str:
    return f"  {verdict:<8}{call:<29}{reads:<40}{reason}".rstrip()
