"""The demo in a real browser: both pages, row by row."""

import re

import pytest

from .browsers import Browser
from .demo import cases, open_page, running_demo, written_by

pytestmark = pytest.mark.browser

READ_TABLE = """
return [...document.querySelectorAll("#calls tr")].map((row) => ({
    ...row.dataset,
    verdict: row.querySelector(".verdict").innerText,
    shownReason: row.querySelector(".reason .name").innerText,
    note: row.querySelector(".reason .note").innerText,
    explanation: row.querySelector("pre").textContent,
    match: row.querySelector(".match").innerText,
}))
"""


@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_the_page_reads_what_is_expected(browser: Browser, urls: dict[str, str], page: str) -> None:
    open_page(browser, urls[page])
    assert browser.run("return document.body.dataset.failed ?? ''") == ""
    assert browser.run("return document.body.dataset.page") == page
    rows = browser.run(READ_TABLE)
    assert [row["case"] for row in rows] == [case.id for case in cases.CASES]
    for row, case in zip(rows, cases.CASES, strict=True):
        expected = case.expected(page)
        explanation, note = row.pop("explanation"), row.pop("note")
        assert row == {
            "case": case.id,
            "readable": "true" if expected.readable else "false",
            "status": str(expected.status or ""),
            "reads": expected.reads,
            "reason": expected.reason or "",
            "asExpected": "true",
            # What a person sees says the same.
            "match": "Yes",
            "shownReason": expected.reason or "",
            "verdict": f"✓ Readable, {expected.status}" if expected.readable else "✕ Refused",
        }
        assert note or expected.readable
        if expected.reason:
            assert f"rejected ({expected.reason})" in explanation
            assert urls[page].rstrip("/") in explanation
    readable = sum(case.expected(page).readable for case in cases.CASES)
    assert browser.run("return document.getElementById('summary').innerText") == (
        f"{readable} of {len(cases.CASES)} calls were readable,"
        f" {len(cases.CASES) - readable} were refused. All as expected."
    )


@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_a_second_visit_shows_the_same(browser: Browser, urls: dict[str, str], page: str) -> None:
    """A second visit shows the same, though the browser remembers preflights and has the cookie."""
    open_page(browser, urls[page])
    open_page(browser, urls[page])
    rows = browser.run(READ_TABLE)
    assert [row["case"] for row in rows if row["asExpected"] != "true"] == []


def test_the_page_asks_nobody_but_its_own_server_and_the_api(
    browser: Browser, urls: dict[str, str]
) -> None:
    open_page(browser, urls["allowed"])
    loaded = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert loaded
    assert [url for url in loaded if not url.startswith((urls["api"], urls["allowed"]))] == []


def test_the_terminal_shows_each_rejection(browser: Browser) -> None:
    with running_demo() as (process, urls):
        open_page(browser, urls["stranger"])
        lines = written_by(process)
    origin = urls["stranger"].rstrip("/")
    assert lines.pop() == "The demo has ended."
    rejected = [case for case in cases.CASES if case.stranger.reason]
    for line, case in zip(lines, rejected, strict=True):
        assert re.match(r"\d\d:\d\d:\d\d  origin_rejected ", line)
        assert f"{case.method} {case.path} from '{origin}': rejected (ORIGIN_NOT_ALLOWED)" in line
