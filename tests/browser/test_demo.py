"""The demo in a real browser: both pages, row by row."""

import re
import time

import pytest

from .browsers import Browser, Chromium, emulate, stop_emulating
from .demo import LOW_CONTRAST, cases, open_page, running_demo, written_by

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
        lines = [line for line in written_by(process) if "  worker " not in line]
    origin = urls["stranger"].rstrip("/")
    assert lines.pop() == "The demo has ended."
    rejected = [case for case in cases.CASES if case.stranger.reason]
    for line, case in zip(lines, rejected, strict=True):
        assert re.match(r"\d\d:\d\d:\d\d  origin_rejected ", line)
        assert f"{case.method} {case.path} from '{origin}': rejected (ORIGIN_NOT_ALLOWED)" in line


READ_WORKERS = """
return [...document.querySelectorAll("#workers tr")].map((row) => [
    row.querySelector("th").innerText,
    ...["own", "other"].map((name) => row.querySelector(`.${name}`).innerText),
])
"""
FOLLOWED = """
return document.body.dataset.followed === "true"
    && document.body.dataset.listed === "LISTED"
    && [...document.querySelectorAll("#workers td")].every((cell) => cell.dataset.readable);
"""


def until_followed(browser: Chromium, listed: str) -> None:
    deadline = time.monotonic() + 20
    while not browser.run(FOLLOWED.replace("LISTED", listed)):
        assert time.monotonic() < deadline, browser.run("return document.body.innerText")
        time.sleep(0.05)


def workers_shown(browser: Chromium, *, own: bool, other: bool) -> list[str]:
    """The workers that a page shows, each of which lets this page or the other one read, or not."""
    names: list[str] = []
    for name, *cells in browser.run(READ_WORKERS):
        names.append(name)
        for cell, readable in zip(cells, (own, other), strict=True):
            verdict = "✓ Readable\n" if readable else "✕ Refused\nORIGIN_NOT_ALLOWED\n"
            found = "it is among" if readable else "The origin is not among"
            assert cell.startswith(verdict)
            assert re.search(
                rf"{found} the (one row|2 rows) of FileOrigins \S+, version \w+, \d\.\d s old\.$",
                cell,
            )
    return names


def test_both_workers_follow_the_button_while_both_pages_run(chromium: Chromium) -> None:
    driver = chromium.driver
    with running_demo() as (_, urls):
        first = driver.current_window_handle
        open_page(chromium, urls["allowed"])
        driver.switch_to.new_window("window")
        second = driver.current_window_handle
        try:
            open_page(chromium, urls["stranger"])
            assert not chromium.run("return document.getElementById('change').checkVisibility()")
            shown: list[list[str]] = []
            for listed in ("one", "both", "one"):
                both = listed == "both"
                driver.switch_to.window(first)
                if shown:
                    chromium.run("document.getElementById('change').click()")
                until_followed(chromium, listed)
                shown.append(workers_shown(chromium, own=True, other=both))
                driver.switch_to.window(second)
                until_followed(chromium, listed)
                shown.append(workers_shown(chromium, own=both, other=True))
            assert len(set(shown[0])) == 2
            assert shown == [shown[0]] * 6
            for scheme in ("light", "dark"):
                emulate(driver, 360, 740, mobile=True, scheme=scheme)
                assert chromium.run("return document.documentElement.scrollWidth") == 360
                assert chromium.run(LOW_CONTRAST) == []
        finally:
            driver.switch_to.window(second)
            stop_emulating(driver)
            driver.close()
            driver.switch_to.window(first)


def test_no_other_origin_can_press_the_button(chromium: Chromium, urls: dict[str, str]) -> None:
    """A form needs no preflight, so the request arrives; the guard of the page's server refuses."""
    # Not from the stranger's page, which its own Content-Security-Policy restricts.
    chromium.open(f"{urls['api']}status")
    chromium.run(f"""
        const body = new URLSearchParams({{listed: "both"}});
        await fetch("{urls["allowed"]}readers", {{method: "POST", mode: "no-cors", body}});
    """)
    chromium.open(f"{urls['allowed']}readers")
    found = chromium.run("return (await (await fetch('/readers')).json()).origins")
    assert found == [urls["allowed"].rstrip("/")]
