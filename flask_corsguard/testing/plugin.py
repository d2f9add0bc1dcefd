"""The pytest plugin: the fixture ``cors_browser``, and notes on tests that fail."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Never

import pytest

if TYPE_CHECKING:
    from flask_corsguard.testing import Browser
    from flask_corsguard.testing.engines import EngineName
    from flask_corsguard.testing.exchange import WsgiApp
    from flask_corsguard.testing.failure_notes import FailureNotes

_TITLE = "Flask-CorsGuard"
_notes: pytest.StashKey[FailureNotes] = pytest.StashKey()


class BrowserFactory:
    """The type of the fixture ``cors_browser``: call it to open a browser."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    def __call__(
        self,
        page: str = "https://app.example.com",
        engine: EngineName = "standard",
        *,
        servers: WsgiApp | Mapping[str, WsgiApp] | None = None,
    ) -> Browser:
        """Open a browser.

        :param page: the origin of the open page.
        :param engine: ``"standard"``, ``"chromium"``, ``"firefox"`` or ``"webkit"``.
        :param servers: WSGI apps by origin, or one for all; the fixture ``app`` by default.
        """
        # Imported here, because pytest imports this module in every run, and few tests need Flask.
        from flask_corsguard.testing import Browser

        if servers is not None:
            return Browser(servers, page, engine)
        try:
            app: WsgiApp = self._request.getfixturevalue("app")
        except pytest.FixtureLookupError as error:
            if error.argname != "app":
                raise
            pytest.fail("define a fixture named app, or call cors_browser(servers=...)")
        return Browser(app, page, engine)

    if not TYPE_CHECKING:  # type checkers report these themselves

        def __getattr__(self, name: str) -> Never:
            message = f"cors_browser opens browsers. Write cors_browser().{name}"
            raise AttributeError(message)


@pytest.fixture
def cors_browser(request: pytest.FixtureRequest) -> BrowserFactory:
    """Opens browsers in front of the fixture ``app`` (of pytest-flask):
    ``cors_browser(page="https://app.example.com").fetch("https://api.test/users")``."""
    return BrowserFactory(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the test's requests."""
    # Without a guard there is nothing to watch, and few tests need what this loads.
    if "flask_corsguard.runtime.state" in sys.modules:
        if _notes not in item.config.stash:
            from flask_corsguard.testing.failure_notes import FailureNotes

            item.config.stash[_notes] = FailureNotes()
        item.config.stash[_notes].begin()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """If a test has failed because of the requests that it sent, say what to send."""
    report = yield
    notes = item.config.stash.get(_notes, None)
    if notes is None or call.when != "call":
        return report
    error = call.excinfo.value if call.excinfo else None
    words = notes.words(report.longreprtext, error) if report.failed else ""
    notes.end()
    if words:
        # In the failure itself, which editors show too, if it has a traceback.
        add = getattr(report.longrepr, "addsection", None)
        if add is None:
            report.sections.append((_TITLE, words))
        else:
            add(_TITLE, words)
    return report
