"""What around the guard can undo what it does: read off the app, without running it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

from flask import Flask

from flask_corsguard.audit.findings import RULES, Level
from flask_corsguard.audit.remarks import Remark
from flask_corsguard.audit.source_code import location_of, made_with, mentions
from flask_corsguard.config import Settings
from flask_corsguard.routing.table import Route
from flask_corsguard.text import name_of

_MOST_MIDDLEWARE = 20


def about_surroundings(app: Flask, settings: Settings, routes: list[Route]) -> Iterator[Remark]:
    """Everything that is noticed about what else is in an app, and around it."""
    yield from _own_headers(app, routes)
    yield from _changing_middleware(app)
    yield from _proxy(app, settings, routes)


def _own_headers(app: Flask, routes: list[Route]) -> Iterator[Remark]:
    """Exempt routes whose code, or that of an after_request function, names CORS headers."""
    code = "exempt_sends_own_headers"
    for route in routes:
        if route.policy is not None:
            continue
        for function in _answering(app, route.endpoint):
            if mentions(function, "access-control-allow-origin"):
                message = (
                    f"{name_of(function)} ({location_of(function)}) sends"
                    " Access-Control-Allow-Origin itself."
                )
                yield Remark(code, RULES[code].level, message, (route,), route.location)
                break


def _answering(app: Flask, endpoint: str) -> Iterator[Callable[..., Any]]:
    """The functions that a response of an endpoint comes from, or goes through."""
    view = app.view_functions.get(endpoint)
    yield from made_with(view)
    view_class = getattr(view, "view_class", None)
    for value in vars(view_class).values() if isinstance(view_class, type) else ():
        if callable(value):
            yield value
    functions = cast("dict[str | None, list[Callable[..., Any]]]", app.after_request_funcs)
    parts = endpoint.split(".")
    for name in (None, *(".".join(parts[:end]) for end in range(1, len(parts)))):
        yield from (f for f in functions.get(name, ()) if not is_ours(f))


def is_ours(function: object) -> bool:
    """Whether a hook is one of the guard's."""
    return str(getattr(function, "__module__", "")).startswith("flask_corsguard.")


def _proxy(app: Flask, settings: Settings, routes: list[Route]) -> Iterator[Remark]:
    code = "proxy_hides_origin"
    if settings.self_origins or _knows_of_proxy(app):
        return
    enforced = any(route.policy and route.policy.compiled.enforces for route in routes)
    level = RULES[code].level if enforced else Level.NOTE
    hooks = cast("Iterable[list[Callable[..., Any]]]", app.before_request_funcs.values())
    for function in (*chain.from_iterable(hooks), *app.view_functions.values()):
        if not is_ours(function) and mentions(function, "x-forwarded-", prefix=True):
            location = location_of(function)
            message = f"{name_of(function)} reads X-Forwarded-* by itself."
            yield Remark(code, level, message, (), location)
            return
    if enforced:
        config = cast("Mapping[str, Any]", app.config)
        for key, usual in (("PREFERRED_URL_SCHEME", "http"), ("APPLICATION_ROOT", "/")):
            if config.get(key) not in (usual, None):
                message = f"{key} is {config[key]!r}, and a policy enforces."
                yield Remark(code, level, message, (), f"app.config ({key})")
                return


def _knows_of_proxy(app: Flask) -> bool:
    """Whether some middleware around the app reads what a proxy says."""
    return any(
        type(layer).__name__ == "ProxyFix" or mentions(layer, "x-forwarded-", prefix=True)
        for layer in _middleware(app)
    )


def _changing_middleware(app: Flask) -> Iterator[Remark]:
    """Middleware that names a CORS header. Only what it does to preflights is tried."""
    for layer in _middleware(app):
        if mentions(layer, "access-control-allow-origin"):
            message = f"{name_of(layer)}, around the app, sends Access-Control-Allow-Origin itself."
            code = "answer_changed"
            yield Remark(code, RULES[code].level, message, (), location_of(layer))


def _middleware(app: Flask) -> Iterator[Callable[..., Any]]:
    """What is around the app, from the outermost to the app itself."""
    around: object = app.wsgi_app
    for _ in range(_MOST_MIDDLEWARE):
        if not callable(around) or getattr(around, "__self__", None) is app:
            return
        yield around
        inner = (*getattr(around, "__dict__", {}).values(), *made_with(around))
        around = next((value for value in inner if callable(value) and value is not around), None)
