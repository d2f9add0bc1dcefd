"""Servers of a few lines, for browsers to meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from flask import Flask
from werkzeug import Request

from flask_corsguard import CorsGuard

ENGINES = ("standard", "chromium", "firefox", "webkit")
SHOP = "https://shop.example"
API = "https://api.test"
Lines = Mapping[str, str] | Iterable[tuple[str, str]]
T = TypeVar("T")

OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Allow-Headers": "*",
}


def serve(view: Callable[[Request], tuple[int, Lines, str]]) -> Callable[..., Any]:
    """A WSGI app that responds with the status, the headers and the body that *view* returns."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, lines, body = view(Request(environ))
        pairs = lines.items() if isinstance(lines, Mapping) else lines
        start_response(f"{status} Some Reason", [*pairs])
        return [body.encode()]

    return app


def fixed(
    status: int = 200,
    lines: Lines = (),
    body: str = "ok",
    preflight: tuple[int, Lines] = (204, OPEN),
) -> Callable[..., Any]:
    """A WSGI app that responds to every preflight alike, and to every other request alike."""

    def view(request: Request) -> tuple[int, Lines, str]:
        if "Access-Control-Request-Method" in request.headers:
            return *preflight, ""
        return status, lines, body

    return serve(view)


def anyone(**changes: str) -> Callable[..., Any]:
    """A WSGI app that lets everybody read everything.

    :param changes: headers in addition (``Max_Age="5"``), ``Access-Control-`` left out.
    """
    more = {f"Access-Control-{name.replace('_', '-')}": value for name, value in changes.items()}
    return fixed(lines=OPEN | more, preflight=(204, OPEN | more))


def friendly() -> Callable[..., Any]:
    """A WSGI app that lets everybody read everything, with credentials."""

    def view(request: Request) -> tuple[int, Lines, str]:
        asked = request.headers
        lines = {
            "Access-Control-Allow-Origin": asked.get("Origin", "*"),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": asked.get("Access-Control-Request-Method", ""),
            "Access-Control-Allow-Headers": asked.get("Access-Control-Request-Headers", ""),
        }
        return 200, lines, "ok"

    return serve(view)


def guarded(view: Callable[[], str] = lambda: "ok", **policy: Any) -> Flask:
    """A Flask app with a page at ``/`` that takes GET, POST and PUT, behind a guard."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, **policy)
    app.add_url_rule("/", "index", view, methods=["GET", "POST", "PUT"])
    return app


def redirecting(location: str, status: int = 302) -> Callable[..., Any]:
    """A WSGI app that redirects everything but preflights, for everybody to see."""
    return fixed(status, {**OPEN, "Location": location})


def hops(*redirects: tuple[int, str]) -> Callable[..., Any]:
    """A WSGI app that redirects ``/``, ``/1``, ``/2``, ... with these statuses, and lets everybody
    read the rest."""
    lines = OPEN | {"Access-Control-Allow-Headers": "*, Authorization"}

    def view(request: Request) -> tuple[int, Lines, str]:
        number = int(request.path.strip("/") or 0)
        if "Access-Control-Request-Method" in request.headers:
            return 204, lines, ""
        if number < len(redirects):
            status, location = redirects[number]
            return status, {**lines, "Location": location}, ""
        return 200, lines, "ok"

    return serve(view)


def in_engine(engine: str, outcomes: Mapping[str, T]) -> T:
    """What is expected in an engine: ``{"": elsewhere, "firefox webkit": in these}``."""
    return next((o for names, o in outcomes.items() if engine in names.split()), outcomes[""])
