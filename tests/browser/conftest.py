"""Real browsers, and servers for them to visit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from .browsers import (
    Browser,
    Chromium,
    Firefox,
    WebKit,
    complaints,
    missing_parts,
    requested_urls,
    stop_emulating,
)
from .demo import running_demo

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

REQUIRED = os.environ.get("CORSGUARD_REQUIRE_BROWSERS") == "1"


def require(name: str) -> None:
    missing = missing_parts(name)
    if missing:
        reason = f"not installed: {', '.join(missing)}; tests in a real browser cannot run"
        (pytest.fail if REQUIRED else pytest.skip)(reason)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    require("chromium")
    with closing(Chromium(tmp_path_factory.mktemp("chromium"))) as browser:
        yield browser


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    require("firefox")
    with closing(Firefox(tmp_path_factory.mktemp("firefox"))) as browser:
        yield browser


@pytest.fixture(scope="session")
def webkit() -> Iterator[WebKit]:
    require("webkit")
    with closing(WebKit()) as browser:
        yield browser


@pytest.fixture(scope="session")
def logging_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Another Chromium, with a log of its console and of its requests."""
    require("chromium")
    logs = {"browser": "ALL", "performance": "ALL"}
    with closing(Chromium(tmp_path_factory.mktemp("logging"), logs=logs)) as browser:
        yield browser


@pytest.fixture
def logged(logging_chromium: Chromium) -> Iterator[WebDriver]:
    """Its driver, with nothing in the log."""
    driver = logging_chromium.driver
    driver.get("data:,")
    requested_urls(driver)
    complaints(driver)
    yield driver
    stop_emulating(driver)


@pytest.fixture(scope="session", params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each of these browsers in turn."""
    found: Browser = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """The URLs of the demo, while it runs."""
    with running_demo() as (_, urls):
        yield urls


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
