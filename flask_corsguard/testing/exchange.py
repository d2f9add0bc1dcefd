"""Requests and responses on the wire, and the WSGI apps that respond."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request, request_started
from flask.app import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import create_environ, run_wsgi_app

from flask_corsguard.decorators import EXTENSION_KEY
from flask_corsguard.errors import BrowserError
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import is_token
from flask_corsguard.protocol.safelist import HTTP_WHITESPACE
from flask_corsguard.runtime.front_record import FrontRecord
from flask_corsguard.runtime.state import FRONT_KEY, RECORD_KEY, RequestRecord
from flask_corsguard.testing.failure_notes import BROWSER_KEY
from flask_corsguard.testing.urls import Url
from flask_corsguard.text import shown

WsgiApp = Callable[..., Iterable[bytes]]

# https://fetch.spec.whatwg.org/#null-body-status
_NULL_BODY = frozenset({101, 103, 204, 205, 304})
_STATUS_LINE = re.compile(r"[1-9][0-9]{2}( .*)?")
_MOST_SHOWN = 300
# Attributes where middleware with slots keeps the app that it wraps, and where a method such as
# app.wsgi_app keeps its object.
_WRAPPED = ("wsgi_app", "app", "application", "__self__")
_MOST_WRAPPED = 50


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that went over the wire, and its response.

    :ivar preflight: whether it is a preflight.
    :ivar method: the request's method.
    :ivar url: the request's URL.
    :ivar request_headers: the request's headers, including ``Origin`` and ``Cookie``.
    :ivar request_body: the request's body, in bytes.
    :ivar status: the response's status.
    :ivar response_headers: the response's headers, whether or not the page sees them.
    :ivar response_body: the response's body, in bytes, whether or not the page sees it.
    :ivar decision: the :class:`~flask_corsguard.Decision` of a guard in the app, or None.
    :ivar has_guard: whether the app has a guard; None if that cannot be determined.
    """

    preflight: bool
    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    response_headers: Headers
    response_body: bytes
    decision: Decision | None
    has_guard: bool | None

    @property
    def text(self) -> str:
        """The response's body, decoded as a browser decodes it
        (https://encoding.spec.whatwg.org/#utf-8-decode)."""
        return self.response_body.decode("utf-8-sig", "replace")

    def value_of(self, name: str) -> str | None:
        """Return a response header as a browser reads it: its lines joined by commas, or None
        (https://fetch.spec.whatwg.org/#concept-header-list-get)."""
        values = self.response_headers.getlist(name)
        return ", ".join(value.strip(HTTP_WHITESPACE) for value in values) if values else None

    def list_of(self, name: str) -> list[str] | None:
        """Return the names in a response header; an empty list if it is missing.

        :returns: None if the header is not a list of names
            (https://fetch.spec.whatwg.org/#extract-header-list-values).
        """
        elements = ",".join(self.response_headers.getlist(name)).split(",")
        names = [name for element in elements if (name := element.strip(HTTP_WHITESPACE))]
        return names if all(map(is_token, names)) else None

    def __str__(self) -> str:
        kind = "preflight " if self.preflight else ""
        lines = [f"{kind}{self.method} {self.url}"]
        lines += [f"    > {_printed(*header)}" for header in self.request_headers]
        lines += [f"    < {self.status}"]
        lines += [f"    < {_printed(*header)}" for header in self.response_headers]
        return "\n".join(lines)


def _printed(name: str, value: str) -> str:
    is_plain = len(value) <= _MOST_SHOWN and value.isprintable()
    return f"{name}: {value if is_plain else shown(value, _MOST_SHOWN)}"


def send(
    app: WsgiApp,
    method: str,
    url: Url,
    headers: Headers,
    body: bytes | None,
    *,
    preflight: bool = False,
) -> Exchange:
    """Send *app* one request. Exceptions that it raises reach the test."""
    environ = create_environ(
        base_url=str(url.origin),
        method=method,
        # A copy, because the builder changes it.
        headers=headers.copy(),
        # Never None, or the builder would invent a body for a form's media type.
        input_stream=BytesIO(body or b""),
        environ_base={"REMOTE_ADDR": "127.0.0.1"},
    )
    if body is None and "Content-Length" not in headers:
        del environ["CONTENT_LENGTH"]
    # Set unchanged: the builder would decode and encode them.
    environ["PATH_INFO"] = unquote_to_bytes(url.path).decode("latin-1")
    environ["QUERY_STRING"] = url.query[1:]
    environ[BROWSER_KEY] = True
    environ["REQUEST_URI"] = environ["RAW_URI"] = url.path + url.query
    # The app's environment, and those that middleware makes for a Flask app: copies, or new ones in
    # another thread.
    environs: list[dict[str, Any]] = []
    identity = _identity(environ)

    def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environs.append(environ)  # run_wsgi_app() gives the app a copy
        return app(environ, start_response)

    def began(_sender: Flask, **_: object) -> None:
        if _identity(request.environ) == identity:
            environs.append(request.environ)

    with request_started.connected_to(began):
        chunks, status_line, response_headers = run_wsgi_app(watched, environ)
    try:
        content = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    if not _STATUS_LINE.fullmatch(status_line):
        raise BrowserError(
            f"the app responded to {method} {url} with the status {status_line!r:.100}"
        )
    status = int(status_line[:3])
    keys = (RECORD_KEY, FRONT_KEY)
    records: list[RequestRecord | FrontRecord] = [
        value for each in environs for key, value in each.items() if key.startswith(keys)
    ]
    decision = next((record.decision for record in records if record.decision), None)
    has_body = method != "HEAD" and status not in _NULL_BODY
    return Exchange(
        preflight,
        method,
        str(url),
        headers,
        body or b"",
        status,
        response_headers,
        content if has_body else b"",
        decision,
        bool(records) or _has_guard(app),
    )


def _identity(environ: dict[str, Any]) -> tuple[str | None, ...]:
    """What distinguishes a request from others that the same apps receive at the same time."""
    names = ("REQUEST_METHOD", "QUERY_STRING", "HTTP_ORIGIN")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return (path, *(environ.get(name) for name in names))


def _has_guard(app: object) -> bool | None:
    """Whether an app, or one that it wraps, has a guard; None if it hides what it wraps."""
    waiting, found = [app], None
    for layer in islice(waiting, _MOST_WRAPPED):  # includes items added during the loop
        if isinstance(layer, Flask):
            if EXTENSION_KEY in layer.extensions:
                return True
            found = False
        else:
            waiting += filter(_may_be_layer, _held_by(layer))
    return found


def _may_be_layer(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def _held_by(layer: object) -> Iterator[object]:
    """What WSGI middleware may wrap: the values of its attributes and of its closure."""
    for name in _WRAPPED:
        yield getattr(layer, name, None)
    yield from getattr(layer, "__dict__", {}).values()
    for cell in getattr(layer, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents
