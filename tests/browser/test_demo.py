"""The demo in a real browser: both pages, row by row."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"

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


def load_cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_cases", DEMO / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()


Demo = tuple[subprocess.Popen[str], dict[str, str]]


@contextmanager
def running_demo() -> Iterator[Demo]:
    """The demo as a user starts it, and the URLs that it prints."""
    with subprocess.Popen(
        [sys.executable, DEMO], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            urls: list[str] = []
            for line in process.stdout:
                urls += re.findall(r"http://localhost:\d+/", line)
                if line.startswith("Ctrl-C"):
                    break
            yield process, dict(zip(("api", "allowed", "stranger"), urls, strict=True))
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with running_demo() as (_, urls):
        yield urls


def open_page(driver: WebDriver, url: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(url)
    WebDriverWait(driver, 30).until(
        lambda browser: browser.execute_script("return document.body.dataset.done") == "true"
    )


@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_the_page_reads_what_is_expected(
    driver: WebDriver, urls: dict[str, str], page: str
) -> None:
    open_page(driver, urls[page])
    assert driver.execute_script("return document.body.dataset.failed ?? ''") == ""
    assert driver.execute_script("return document.body.dataset.page") == page
    rows = driver.execute_script(READ_TABLE)
    assert [row["case"] for row in rows] == [case.id for case in cases.CASES]
    for row, case in zip(rows, cases.CASES, strict=True):
        expected = case.expected(page)
        assert {
            key: row[key] for key in ("case", "readable", "status", "reads", "reason", "asExpected")
        } == {
            "case": case.id,
            "readable": "true" if expected.readable else "false",
            "status": str(expected.status or ""),
            "reads": expected.reads,
            "reason": expected.reason or "",
            "asExpected": "true",
        }
        # What a person sees says the same.
        assert row["match"] == "Yes"
        assert row["shownReason"] == (expected.reason or "")
        if expected.readable:
            assert row["verdict"] == f"✓ Readable, {expected.status}"
        else:
            assert row["verdict"] == "✕ Refused"
            assert row["note"]
        if expected.reason:
            assert f"rejected ({expected.reason})" in row["explanation"]
            assert urls[page].rstrip("/") in row["explanation"]
    readable = sum(case.expected(page).readable for case in cases.CASES)
    assert driver.execute_script("return document.getElementById('summary').innerText") == (
        f"{readable} of {len(cases.CASES)} calls were readable,"
        f" {len(cases.CASES) - readable} were refused. All as expected."
    )


@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_a_second_visit_shows_the_same(driver: WebDriver, urls: dict[str, str], page: str) -> None:
    """Although by then the browser remembers preflights, and has the cookie."""
    open_page(driver, urls[page])
    open_page(driver, urls[page])
    rows = driver.execute_script(READ_TABLE)
    assert [row["case"] for row in rows if row["asExpected"] != "true"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["allowed", "stranger"])
def test_a_phone_never_scrolls_sideways(
    driver: WebDriver, urls: dict[str, str], page: str, scheme: str
) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        open_page(driver, urls[page])
        driver.execute_script(
            "document.querySelectorAll('details').forEach((details) => { details.open = true; })"
        )
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360
        assert low_contrast(driver) == []
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def low_contrast(driver: WebDriver) -> list[str]:
    """Texts with a contrast below 4.5:1, https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    found: list[str] = driver.execute_script(
        """
        const parts = (color) => color.match(/[\\d.]+/g).map(Number);
        const luminance = (color) => {
            const [r, g, b] = parts(color).map((part) => {
                const share = part / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = (element) => {
            if (!element) { return "rgb(255, 255, 255)"; }
            const color = getComputedStyle(element).backgroundColor;
            return parts(color)[3] === 0 ? ground(element.parentElement) : color;
        };
        return [...document.querySelectorAll("body *")]
            .filter((element) => element.innerText && !element.children.length)
            .filter((element) => {
                const pair = [getComputedStyle(element).color, ground(element)].map(luminance);
                const [dark, light] = pair.sort((a, b) => a - b);
                return (light + 0.05) / (dark + 0.05) < 4.5;
            })
            .map((element) => element.innerText);
        """
    )
    return found


def test_the_page_asks_nobody_but_its_own_server_and_the_api(
    driver: WebDriver, urls: dict[str, str]
) -> None:
    open_page(driver, urls["allowed"])
    loaded = driver.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert loaded
    assert [url for url in loaded if not url.startswith((urls["api"], urls["allowed"]))] == []


def test_the_terminal_shows_each_rejection(driver: WebDriver) -> None:
    with running_demo() as (process, urls):
        open_page(driver, urls["stranger"])
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    origin = urls["stranger"].rstrip("/")
    *lines, last = [line for line in out.splitlines() if line]
    assert last == "The demo has ended."
    rejected = [case for case in cases.CASES if case.stranger.reason]
    for line, case in zip(lines, rejected, strict=True):
        assert re.match(r"\d\d:\d\d:\d\d  origin_rejected ", line)
        assert f"{case.method} {case.path} from '{origin}': rejected (ORIGIN_NOT_ALLOWED)" in line
