"""The guard in front of a WSGI app: ``guard.wsgi``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from flask import Request

from flask_corsguard.errors import CorsGuardError
from flask_corsguard.runtime.front import Front
from flask_corsguard.runtime.front_record import front_record, record_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class FrontedApp(Protocol):
    """A WSGI app. The names of its parameters are Flask's, so that type checkers accept it as
    ``app.wsgi_app``."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        ...


def wsgi_front(front: Front, inner: WSGIApplication) -> FrontedApp:
    """The guard in front of *inner*, whose response is passed on without being read."""
    covers, state, key = front.covers_wsgi, front.state, front.state.front_key

    def corsguard_wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not covers(environ.get("PATH_INFO", "")):
            return inner(environ, start_response)
        record = None
        if key in environ or front_record.get() is not None:
            # A guard in front of this one may have decided, or this one in an earlier attempt.
            if inner is state.app and state.app.wsgi_app is corsguard_wsgi:
                raise CorsGuardError(
                    f"{front.name} calls itself without end. Write app.wsgi_app ="
                    " guard.wsgi(app.wsgi_app, ...)"
                )
            record = record_of(state, Request(environ, populate_request=False))
        if record is None:
            record = environ[key] = front.decide({**environ})
        own = front.response(record)
        if own is not None:
            return own(environ, start_response)

        def write_last(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers = front.written(record, headers)
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        return inner(environ, write_last)

    return corsguard_wsgi
