"""What the attacks have in common: pages, requests, and answers that are compared whole."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_corsguard import CorsGuard, Policy, PolicyError, cors

from .flawed import by_origin

SHOP = "https://shop.example"
EVIL = "https://evil.example"

Lines = list[tuple[str, str]]
Origins = str | Iterable[str] | re.Pattern[str]

OPEN: Lines = [("Access-Control-Allow-Origin", "*")]
CLOSED: Lines = [("Vary", "Origin")]
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
REFUSED_PREFLIGHT: Lines = [("Vary", PREFLIGHT_VARY)]


def readable_by(origin: str) -> Lines:
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


class Received(NamedTuple):
    """A response, with every line of its ``Access-Control-*`` and ``Vary`` headers.

    :ivar body: the text of the page, or the code of a refusal; "" for other errors.
    """

    status: int
    body: str
    headers: Lines


def pages(origins: Mapping[str, Origins], method: str = "GET") -> Flask:
    """An app without a guard, with a page at each URL rule that says which one it is.

    :param origins: who may read each of them, once there is a guard.
    """
    app = Flask("site", static_folder=None)
    for rule, allowed in origins.items():

        def view(rule: str = rule, **arguments: str) -> str:
            return rule

        app.add_url_rule(rule, rule, cors(origins=allowed)(view), methods=[method])
    return app


def unmarked() -> Flask:
    """An app with one page, which has no policy of its own."""
    app = Flask("site", static_folder=None)
    app.add_url_rule("/", "index", lambda: "page")
    return app


def guarded(app: Flask, **fields: Any) -> Flask:
    CorsGuard(app, **fields)
    return app


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
    first, second = (
        read(app.test_client().open(url, method=method, environ_overrides=environ))
        for _ in range(2)
    )
    assert first == second
    return first


def read(response: TestResponse) -> Received:
    with response:
        body = response.text
        if response.mimetype == "application/problem+json" and body:
            body = response.get_json(force=True)["code"]
        elif response.status_code >= 400:
            body = ""
        lines = [
            (name, value)
            for name, value in response.headers
            if name == "Vary" or name.startswith("Access-Control-")
        ]
        return Received(response.status_code, body, sorted(lines))


def preflight(
    app: Flask, url: str, origin: str = EVIL, method: str = "PUT", **headers: str
) -> Received:
    headers["ACCESS_CONTROL_REQUEST_METHOD"] = method
    return ask(app, url, origin, "OPTIONS", **headers)


def refusal(**fields: Any) -> list[str]:
    """The codes of what is wrong with a policy."""
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    return [problem.code for problem in caught.value.problems]


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
