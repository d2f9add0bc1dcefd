"""A real browser, and servers for it to visit."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

REQUIRED = os.environ.get("CORSGUARD_REQUIRE_BROWSERS") == "1"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A container's /dev/shm may be too small for the browser.
    "--disable-dev-shm-usage",
)


def missing_parts() -> list[str]:
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return missing if importlib.util.find_spec("selenium") else [*missing, "selenium"]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    missing = missing_parts()
    if missing:
        reason = f"not installed: {', '.join(missing)}; tests in a real browser cannot run"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    # With both paths given, selenium looks for nothing and downloads nothing.
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.set_page_load_timeout(30)
        browser.set_script_timeout(30)
        yield browser
    finally:
        browser.quit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = missing_parts()
    left_out = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "tests/browser/" in report.nodeid
    ]
    if missing and left_out:
        terminalreporter.section("BROWSER TESTS LEFT OUT", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(left_out)} tests did not run, because these are not installed:"
            f" {', '.join(missing)}. With CORSGUARD_REQUIRE_BROWSERS=1 they fail instead."
        )


class QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Flask], str]]:
    """Serve an app on a free port of loopback until the module's tests are done; its origin."""
    with ExitStack() as stack:

        def start(app: Flask) -> str:
            server = make_server("localhost", 0, app, threaded=True, request_handler=QuietHandler)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://localhost:{server.server_port}"

        yield start
