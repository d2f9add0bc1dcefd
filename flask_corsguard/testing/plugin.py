"""The pytest plugin: the fixture ``cors_browser``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Never

import pytest

if TYPE_CHECKING:
    from flask_corsguard.testing import Browser
    from flask_corsguard.testing.engines import EngineName
    from flask_corsguard.testing.exchange import WsgiApp


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
