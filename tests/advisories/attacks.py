"""What the attacks have in common: requests, and answers that are compared whole."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.test import TestResponse

from .apps import EVIL, by_origin, guarded, unmarked

Lines = list[tuple[str, str]]

OPEN: Lines = [("Access-Control-Allow-Origin", "*")]
CLOSED: Lines = [("Vary", "Origin")]
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
REFUSED: Lines = [("Vary", PREFLIGHT_VARY)]  # of a preflight


def readable_by(origin: str) -> Lines:
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


class Received(NamedTuple):
    """A response, with every line of its ``Access-Control-*`` and ``Vary`` headers.

    :ivar body: the text of the page, or the code of a refusal; "" for other errors.
    """

    status: int
    body: str
    headers: Lines


def ask(
    app: Flask, url: str, origin: str | None = EVIL, method: str = "GET", **headers: str
) -> Received:
    """Send one request, with values as a server would pass them on. Then send it once more: an
    answer from memory must be the same.

    :param headers: further headers, named as in the WSGI environment, without ``HTTP_``.
    """
    if origin is not None:
        headers["ORIGIN"] = origin
    environ = {f"HTTP_{name}": value for name, value in headers.items()}
    client = app.test_client()
    first = read(client.open(url, method=method, environ_overrides=environ))
    assert first == read(client.open(url, method=method, environ_overrides=environ))
    return first


def read(response: TestResponse) -> Received:
    with response:
        body = response.text
        if response.mimetype == "application/problem+json" and body:
            body = response.get_json(force=True)["code"]
        elif response.status_code >= 400:
            body = ""
        lines = [(n, v) for n, v in response.headers if n.startswith(("Vary", "Access-Control-"))]
        return Received(response.status_code, body, sorted(lines))


def preflight(
    app: Flask, url: str, origin: str = EVIL, method: str = "PUT", **headers: str
) -> Received:
    headers["ACCESS_CONTROL_REQUEST_METHOD"] = method
    return ask(app, url, origin, "OPTIONS", **headers)


def check_origins(
    origins: Any, right: Iterable[str], wrong: Iterable[str], flaw: Callable[[str], object]
) -> None:
    """The guard lets the right ones read, and the flaw the wrong ones as well."""
    app = guarded(unmarked(), origins=origins)
    flawed = by_origin(unmarked(), flaw)
    for origin in right:
        assert ask(app, "/", origin) == Received(200, "page", readable_by(origin))
    for origin in wrong:
        assert ask(app, "/", origin) == Received(200, "page", CLOSED)
        assert ask(flawed, "/", origin) == Received(200, "page", readable_by(origin))
