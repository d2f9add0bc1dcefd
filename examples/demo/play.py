"""Plays the list of calls as either page would, without a browser, and prints the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from cases import CASES, Case, Expected
from client import Page, Seen
from servers import running

PAGES = {"allowed": "an origin that is allowed", "stranger": "an origin that is not"}
_REASONS = Case("reasons", "", "GET", "/reasons", Expected(200), Expected(200))


def play(cases: Iterable[Case] = CASES) -> int:
    """Run the servers, make every call from both pages, and print what came of it.

    :returns: how many lines were not as expected.
    """
    unexpected = total = 0
    cases = tuple(cases)
    with running(lambda _signal, _decision: None) as origins:
        for page, words in PAGES.items():
            origin = origins.of_page(page)
            print(f"The page on {origin}, {words}. The API is on {origins.api}\n")
            print(_line("", "call", "what script reads", "the guard's reason"))
            for case, got in outcomes(cases, page, Page(origin, origins.api)):
                expected = case.expected(page)._replace(note="")
                total += 1
                print(_line("ok" if got == expected else "NOT OK", _call(case), *_shown(got)))
                if got != expected:
                    unexpected += 1
                    print(_line("", "  expected:", *_shown(expected)))
            print()
    print(f"{total - unexpected} of {total} lines are as expected.")
    return unexpected


def outcomes(cases: Iterable[Case], page: str, fetcher: Page) -> Iterator[tuple[Case, Expected]]:
    """Make the calls, then ask the API for its reasons, by the route that is open to every page."""
    seen: list[tuple[Case, Seen]] = [(case, fetcher.fetch(case)) for case in cases]
    answer = fetcher.fetch(_REASONS)
    if answer.status != 200:
        raise RuntimeError(f"the {page} page cannot read the reasons")
    reasons = json.loads(answer.reads)
    for case, (status, reads) in seen:
        yield case, Expected(status, reads, reasons.get(case.id, {}).get("reason"))


def _call(case: Case) -> str:
    extras = [name for name in case.headers if name != "Content-Type"]
    if case.credentials:
        extras.append("cookies")
    return " + ".join((f"{case.method} {case.path}", ", ".join(extras))).removesuffix(" + ")


def _shown(outcome: Expected) -> tuple[str, str]:
    reads = f"{outcome.status} {outcome.reads}" if outcome.readable else "nothing"
    return reads, outcome.reason or ("" if outcome.readable else "no signal: the browser's own")


def _line(verdict: str, call: str, reads: str, reason: str) -> str:
    return f"  {verdict:<8}{call:<29}{reads:<40}{reason}".rstrip()
