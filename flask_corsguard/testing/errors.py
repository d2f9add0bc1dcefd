"""What goes wrong in a test itself, as opposed to what a server gets wrong."""

from __future__ import annotations

from flask_corsguard.errors import CorsGuardError


class BrowserError(CorsGuardError, ValueError):
    """A test asks for what no browser could be asked for: a page that is no origin, a URL for
    which there is no server."""


class FetchTypeError(CorsGuardError, TypeError):
    """What ``fetch()`` refuses with a ``TypeError`` before anything is sent: a mistake in the
    page's own code (https://fetch.spec.whatwg.org/#dom-request)."""
