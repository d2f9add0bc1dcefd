"""Checks on what surrounds the guard in an app and can undo its work, read off the app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, takewhile
from typing import Any, cast

from flask.app import Flask

from flask_corsguard.audit.findings import RULES, Findings, Level
from flask_corsguard.audit.source_code import is_ours, location_of, made_with, mentions
from flask_corsguard.config import Settings
from flask_corsguard.routing.table import Route
from flask_corsguard.text import name_of

_MOST_MIDDLEWARE = 20


def check_app(app: Flask, settings: Settings, routes: list[Route], found: Findings) -> None:
    """Look at middleware, at signs of a proxy, and at what runs ahead of the guard.

    :param app: one that has served a request, since the guard moves to the front on the first.
    """
    _check_middleware(app, found)
    _check_proxy(app, settings, routes, found)
    _check_order(app, found)


def _check_middleware(app: Flask, found: Findings) -> None:
    """Find middleware that names a CORS header. Only what it does to preflights is tried."""
    for layer in _middleware(app):
        if mentions(layer, "access-control-allow-origin"):
            message = f"{name_of(layer)}, around the app, sends Access-Control-Allow-Origin itself."
            found.add("answer_changed", message, location=location_of(layer))


def _check_order(app: Flask, found: Findings) -> None:
    functions = cast("list[Callable[..., Any]]", app.before_request_funcs.get(None, []))
    for function in takewhile(lambda function: not is_ours(function), functions):
        message = f"{name_of(function)} runs before the guard on every request."
        found.add("runs_before_guard", message, location=location_of(function))


def _check_proxy(app: Flask, settings: Settings, routes: list[Route], found: Findings) -> None:
    if settings.self_origins or any(map(_knows_of_proxy, _middleware(app))):
        return
    code = "proxy_hides_origin"
    enforced = any(route.policy and route.policy.compiled.enforces for route in routes)
    hooks = cast("Iterable[list[Callable[..., Any]]]", app.before_request_funcs.values())
    for function in (*chain.from_iterable(hooks), *app.view_functions.values()):
        if not is_ours(function) and mentions(function, "x-forwarded-", prefix=True):
            message = f"{name_of(function)} reads X-Forwarded-* by itself."
            level = RULES[code].level if enforced else Level.NOTE
            found.add(code, message, level=level, location=location_of(function))
            return
    config = cast("Mapping[str, Any]", app.config)
    for key, usual in (("PREFERRED_URL_SCHEME", "http"), ("APPLICATION_ROOT", "/")):
        if enforced and config.get(key) not in (usual, None):
            message = f"{key} is {config[key]!r}, and a policy enforces."
            found.add(code, message, location=f"app.config ({key})")
            return


def _knows_of_proxy(layer: Callable[..., Any]) -> bool:
    return type(layer).__name__ == "ProxyFix" or mentions(layer, "x-forwarded-", prefix=True)


def _middleware(app: Flask) -> Iterator[Callable[..., Any]]:
    """What is around the app, from the outermost to the app itself."""
    around: object = app.wsgi_app
    for _ in range(_MOST_MIDDLEWARE):
        if not callable(around) or getattr(around, "__self__", None) is app:
            return
        yield around
        inner = (*getattr(around, "__dict__", {}).values(), *made_with(around))
        around = next((value for value in inner if callable(value) and value is not around), None)
