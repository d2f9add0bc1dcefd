"""The demo in real browsers: both pages, row by row, and the way to the inspector."""

import re

import pytest

from .browsers import Browser, Chromium, emulate, stop_emulating
from .demo import LOW_CONTRAST, cases, open_page, press, running_demo, written_by

pytestmark = pytest.mark.browser

PAGES = ("shop", "other")
READ_ROWS = """
return [...document.querySelectorAll(`#${arguments[0]} tr`)].map((row) => Object.fromEntries([
    ...Object.entries(row.dataset),
    ...[...row.querySelectorAll("[class]")].map((part) => [part.className, part.innerText]),
]));
"""
# The line of the API's code that sets the policy of each row, as the demo shows it.
POLICIES = {
    "orders": "CorsGuard(app, origins=shop)",
    "open": '@cors(origins="*")',
    "cookies": "@cors(allow_credentials=True)",
    "star": '@cors(origins="*")',
    "header": "CorsGuard(app, origins=shop)",
    "delete": "CorsGuard(app, origins=shop)",
    "null": "CorsGuard(app, origins=shop)",
    "plain": "CorsGuard(app, origins=shop)",
    "guarded": '@cors(enforce="unsafe")',
    "offers": "@cors(origins=FileOrigins(readers))",
}
EFFECTS = {
    "": "",
    "preflight": "The preflight was rejected, so the browser never sent the ",
    "blocked": "The guard responded with 403, and the view did not run.",
    "rejected": "The view ran, but the page may not read the response.",
}


def rows_of(browser: Browser, table: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = browser.run(READ_ROWS, table)
    return rows


def check_words(row: dict[str, str], reason: str, effect: str) -> None:
    """A person sees the line of code that set the policy, the reason, and the guard's words."""
    assert (row["code"], row["reason"]) == (POLICIES[row["name"]], reason)
    assert re.fullmatch(r"examples/demo/api\.py:\d+", row["location"])
    assert row["effect"].startswith(EFFECTS[effect])
    assert bool(row["effect"]) == bool(effect)
    assert row["why"].startswith("Found: ")
    assert ("\nTo allow it: " in row["why"]) == bool(reason)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_reads_what_is_expected(browser: Browser, urls: dict[str, str], page: str) -> None:
    """On a second visit too, when the browser remembers preflights and has a cookie."""
    expected = {case.id: case for case in cases.CASES if page in case.expected}
    for _ in range(2):
        open_page(browser, urls[page])
        rows = rows_of(browser, "calls")
        assert [row["name"] for row in rows] == [*expected]
        for row in rows:
            case = expected[row["name"]]
            outcome = case.expected[page]
            is_read = outcome == cases.READ
            assert row["outcome"] == outcome
            assert row["verdict"] == ("✓ Readable" if is_read else "✕ Nothing")
            assert row["reads"].startswith("200 {" if is_read else "")
            assert row["note"] == case.note
            reason = "" if outcome in (cases.READ, cases.BROWSER) else outcome
            is_preflighted = case.method == "DELETE" or case.headers
            check_words(row, reason, reason and ("preflight" if is_preflighted else "rejected"))
        assert browser.run("return document.getElementById('failed').innerText") == ""


@pytest.mark.parametrize("page", PAGES)
def test_the_balance_before_and_after(browser: Browser, urls: dict[str, str], page: str) -> None:
    """The other website empties the account that CORS alone protects. Nothing is sent until the
    button is pressed, and the buttons come first."""
    open_page(browser, urls[page])
    assert browser.run("return document.querySelector('main button').id") == "send"
    unsent = rows_of(browser, "accounts")
    assert [(row["after"], row["verdict"]) for row in unsent] == [("?", "Not sent")] * 2
    press(browser, "send")
    for first, row, account in zip(
        unsent, rows_of(browser, "accounts"), cases.ACCOUNTS, strict=True
    ):
        change = account.expected[page]
        assert row["before"] == first["before"]
        assert int(row["after"]) - int(row["before"]) == change
        if page == "shop":
            assert row["verdict"] == "✓ Sent"
            check_words(row, "", "")
        else:
            assert row["verdict"] == ("✕ The money is gone" if change else "✓ Refused")
            check_words(row, "ORIGIN_NOT_ALLOWED", "rejected" if change else "blocked")
            # The browser says that another site has sent the form.
            assert ("Sec-Fetch-Site is 'cross-site'" in row["why"]) == (not change)
    assert browser.run("return document.querySelectorAll('iframe').length") == 0


def test_the_button_lets_the_page_in(browser: Browser, urls: dict[str, str]) -> None:
    """And out again when it is pressed once more."""
    open_page(browser, urls["other"])
    for number, outcome in enumerate(("ORIGIN_NOT_ALLOWED", cases.READ, "ORIGIN_NOT_ALLOWED")):
        if number:
            press(browser, "change")
        (row,) = rows_of(browser, "live")
        assert row["outcome"] == outcome
        is_read = outcome == cases.READ
        check_words(row, "" if is_read else outcome, "" if is_read else "rejected")


def test_a_mistake_is_named_with_its_correction(browser: Browser, urls: dict[str, str]) -> None:
    open_page(browser, urls["shop"])
    message = "return document.getElementById('message').innerText"
    assert "Write 'https://app.example.com'." in browser.run(message)
    browser.run(
        "document.getElementById('origin').value = 'https://app.example.com';"
        "document.querySelector('#start button').click()"
    )
    browser.run(
        f"while (!({message[7:]}).startsWith('The app starts')) await new Promise(setTimeout)"
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_inspector_is_open_at_the_third_address(
    browser: Browser, urls: dict[str, str], page: str
) -> None:
    """It is where the terminal and the pages say, and it has the page's rejections."""
    open_page(browser, urls[page])
    browser.follow("document.querySelector('nav a:last-child').click()")
    browser.run(
        "while (!location.pathname.startsWith('/_corsguard/')) await new Promise(setTimeout)"
    )
    assert browser.run("return location.href") == urls["inspector"]
    browser.open(f"{urls['inspector']}rejections")
    reasons = browser.run(
        "return [...document.querySelectorAll('[data-field=reason]')].map((e) => e.innerText)"
    )
    assert {"shop": "HEADERS_NOT_ALLOWED", "other": "ORIGIN_NULL"}[page] in reasons


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_phone_never_scrolls_sideways(
    chromium: Chromium, urls: dict[str, str], page: str, scheme: str
) -> None:
    emulate(chromium.driver, 360, 740, mobile=True, scheme=scheme)
    try:
        open_page(chromium, urls[page])
        assert chromium.run(LOW_CONTRAST) == []
        press(chromium, "send")
        assert chromium.run("return document.documentElement.scrollWidth") == 360
        assert chromium.run(LOW_CONTRAST) == []
    finally:
        stop_emulating(chromium.driver)


def test_the_page_asks_nobody_but_its_own_server_and_the_api(
    browser: Browser, urls: dict[str, str]
) -> None:
    open_page(browser, urls["other"])
    loaded = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    api = urls["inspector"].partition("_corsguard")[0]
    assert loaded
    assert [url for url in loaded if not url.startswith((api, urls["other"]))] == []


def test_the_terminal_has_the_log_of_the_api(browser: Browser) -> None:
    with running_demo() as (process, urls):
        open_page(browser, urls["other"])
        press(browser, "send")
        lines = written_by(process)
    origin = re.escape(urls["other"].rstrip("/"))
    for request, verb in (
        ("GET /orders", "rejected"),
        ("POST /transfer", "rejected"),
        ("POST /guarded/transfer", "refused"),
    ):
        line = rf"\d\d:\d\d:\d\d  {request} from '{origin}': {verb} \(ORIGIN_NOT_ALLOWED\) by .*"
        assert len([each for each in lines if re.fullmatch(line, each)]) == 1
    assert "The demo has ended." in lines


def test_a_demo_that_has_ended_is_said_to_have(browser: Browser) -> None:
    with running_demo() as (process, urls):
        open_page(browser, urls["other"])
        written_by(process)
    press(browser, "send")
    words = browser.run("return document.getElementById('failed').innerText")
    assert words.startswith("The demo has stopped: ")


def test_no_other_origin_can_press_the_button(chromium: Chromium, urls: dict[str, str]) -> None:
    """A form needs no preflight, so the request arrives; the guard of the page's server refuses."""
    # Not from the shop's page, which its own Content-Security-Policy restricts.
    chromium.open(f"{urls['inspector'].partition('_corsguard')[0]}status")
    chromium.run(f"await fetch('{urls['other']}readers', {{method: 'POST', mode: 'no-cors'}})")
    open_page(chromium, urls["other"])
    assert rows_of(chromium, "live")[0]["outcome"] == "ORIGIN_NOT_ALLOWED"
