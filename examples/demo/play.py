"""Plays the calls and the forms as either page would, without a browser, and prints the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from cases import CASES, TRANSFERS, Case, Expected, Moved, Transfer
from client import Page, Seen
from origins import Origins
from servers import running

PAGES = {"allowed": "an origin that is allowed", "stranger": "an origin that is not"}
_BALANCE = Case("balance", "", "GET", "/balance", Expected(200), Expected(200))
_REASONS = Case("reasons", "", "GET", "/reasons", Expected(200), Expected(200))


def play(cases: Iterable[Case] = CASES, transfers: Iterable[Transfer] = TRANSFERS) -> int:
    """Run the servers, do all of it from both pages, and print what came of it.

    :returns: how many lines were not as expected.
    """
    as_expected: list[bool] = []
    cases, transfers = tuple(cases), tuple(transfers)
    with running(lambda _signal, _decision: None) as origins:
        for page, words in PAGES.items():
            own = origins.of_page(page)
            print(f"The page on {own}, {words}. The API is on {origins.api}\n")
            print(_line("", "call", "what script reads", "the guard's reason"))
            for case, got in outcomes(cases, page, Page(own, origins.api)):
                expected = case.expected(page)._replace(note="")
                as_expected.append(_compare(_call(case), _shown(got), _shown(expected)))
            print("\n" + _line("", "form", "balance", "the guard's reason"))
            for transfer, before, moved in moves(transfers, page, origins):
                due = _moved(before, transfer.expected(page))
                as_expected.append(_compare(_form(transfer), _moved(before, moved), due))
            print()
    print(f"{sum(as_expected)} of {len(as_expected)} lines are as expected.")
    return as_expected.count(False)


def outcomes(cases: Iterable[Case], page: str, fetcher: Page) -> Iterator[tuple[Case, Expected]]:
    """Make the calls, then ask the API for its reasons, by the route that is open to every page."""
    seen: list[tuple[Case, Seen]] = [(case, fetcher.fetch(case)) for case in cases]
    reasons = _read(fetcher, _REASONS, page)
    for case, (status, reads) in seen:
        yield case, Expected(status, reads, reasons.get(case.id, {}).get("reason"))


def moves(
    transfers: Iterable[Transfer], page: str, origins: Origins
) -> Iterator[tuple[Transfer, int, Moved]]:
    """Send the forms, and look at each account before and after: the first balance, and what
    became of it."""
    for transfer in transfers:
        sender = Page(origins.of_page(page), origins.of_account(transfer.account))
        before: int = _read(sender, _BALANCE, page)["balance"]
        status = sender.submit(transfer.url, {"amount": transfer.amount})
        after: int = _read(sender, _BALANCE, page)["balance"]
        said = _read(sender, _REASONS, page).get(transfer.id, {})
        yield transfer, before, Moved(after - before, said.get("reason"), status == 403)


def _read(fetcher: Page, case: Case, page: str) -> dict[str, Any]:
    """Call a route that is open to every page."""
    status, reads = fetcher.fetch(case)
    if status != 200:
        raise RuntimeError(f"the {page} page cannot read {case.path}")
    answer: dict[str, Any] = json.loads(reads)
    return answer


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
