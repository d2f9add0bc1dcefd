"""The demo's forms in real browsers: what becomes of the two accounts."""

import json
import re
from typing import Any
from urllib.request import urlopen

import pytest

from .browsers import Browser, Chromium, emulate, stop_emulating
from .demo import LOW_CONTRAST, cases, open_page, running_demo, until, written_by

pytestmark = pytest.mark.browser

SEND = f"""document.getElementById("send").click(); {until("sent")}"""

READ_TABLE = """
return [...document.querySelectorAll("#transfers tr")].map((row) => ({
    ...row.dataset,
    verdict: row.querySelector(".verdict").innerText,
    balance: row.querySelector(".balance").innerText,
    shownReason: row.querySelector(".reason .name").innerText,
    note: row.querySelector(".reason .note").innerText,
    explanation: row.querySelector("pre").textContent,
    match: row.querySelector(".match").innerText,
}))
"""

SUMMARIES = {
    "allowed": "Executed: 2 of 2. Refused: 0. All as expected.",
    "stranger": "Executed: 1 of 2. Refused: 1. All as expected.",
}


def fetch_json(url: str) -> Any:
    with urlopen(url, timeout=10) as response:
        return json.load(response)


def balances(urls: dict[str, str]) -> list[int]:
    """What the accounts themselves say."""
    transfers = fetch_json(f"{urls['allowed']}cases.json")["transfers"]
    return [fetch_json(f"{transfer['origin']}/balance")["balance"] for transfer in transfers]


def check_rows(
    rows: list[dict[str, str]], page: str, origin: str, before: list[int], after: list[int]
) -> None:
    for row, transfer, start, end in zip(rows, cases.TRANSFERS, before, after, strict=True):
        expected = transfer.expected(page)
        assert end - start == expected.change
        explanation = row.pop("explanation")
        assert row == {
            "transfer": transfer.account,
            "executed": "true" if expected.change else "false",
            "before": str(start),
            "after": str(end),
            "reason": expected.reason or "",
            "asExpected": "true",
            # What a person sees says the same.
            "verdict": "✓ Executed" if expected.change else "✕ Refused",
            "balance": f"{start} → {end}",
            "shownReason": expected.reason or "",
            "note": note(expected),
            "match": "Yes",
        }
        verb = "refused" if expected.blocked else "rejected"
        said = f"POST {transfer.path} from '{origin}': {verb} ({expected.reason})."
        assert explanation.startswith(said if expected.reason else "")
        # By its own word, the browser sent the form from one site to another.
        assert ("Sec-Fetch-Site is 'cross-site'" in explanation) == expected.blocked


def note(expected: Any) -> str:
    if expected.reason is None:
        return "The policy allows this page’s origin."  # noqa: RUF001
    if expected.blocked:
        return "The guard answered 403, and the view never ran."
    return "The page may not read the response. The view had run by then."


@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_a_form_moves_what_is_expected(browser: Browser, urls: dict[str, str], page: str) -> None:
    """A form moves what is expected, twice in one visit and again on a second visit."""
    for times in (2, 1):
        open_page(browser, urls[page])
        for _ in range(times):
            before = balances(urls)
            browser.run(SEND)
            rows = browser.run(READ_TABLE)
            check_rows(rows, page, urls[page].rstrip("/"), before, balances(urls))
            summary = browser.run("return document.getElementById('sent').innerText")
            assert summary == SUMMARIES[page]
            assert browser.run("return document.querySelectorAll('iframe').length") == 0


def test_nothing_is_sent_until_the_button_is_pressed(
    browser: Browser, urls: dict[str, str]
) -> None:
    before = balances(urls)
    open_page(browser, urls["stranger"])
    rows = browser.run(READ_TABLE)
    assert [(row["verdict"], row["balance"]) for row in rows] == [("Not sent yet", "")] * 2
    assert balances(urls) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_a_phone_never_scrolls_sideways(
    chromium: Chromium, urls: dict[str, str], page: str, scheme: str
) -> None:
    emulate(chromium.driver, 360, 740, mobile=True, scheme=scheme)
    try:
        open_page(chromium, urls[page])
        chromium.run(SEND)
        chromium.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert chromium.run("return document.documentElement.scrollWidth") == 360
        assert chromium.run(LOW_CONTRAST) == []
    finally:
        stop_emulating(chromium.driver)


def test_a_demo_that_has_ended_is_said_to_have(browser: Browser) -> None:
    with running_demo() as (process, urls):
        open_page(browser, urls["stranger"])
        written_by(process)
    browser.run(SEND)
    words = browser.run("return document.getElementById('sent').innerText")
    assert words.startswith("The demo stopped: ")


def test_the_terminal_shows_each_rejected_form(browser: Browser) -> None:
    with running_demo() as (process, urls):
        open_page(browser, urls["stranger"])
        browser.run(SEND)
        lines = written_by(process)
    origin = urls["stranger"].rstrip("/")
    forms = [line for line in lines if "/transfer" in line]
    for line, verb in zip(forms, ("rejected", "refused"), strict=True):
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  origin_rejected +"
            rf"POST /transfer from '{origin}': {verb} \(ORIGIN_NOT_ALLOWED\)\.",
            line,
        )
