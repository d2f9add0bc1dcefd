"""Checks on what surrounds the guard in an app and can undo its work, read off the app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, cast

from flask.app import Flask
from werkzeug.test import create_environ

from flask_corsguard.audit.findings import RULES, Findings, Level
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.source_code import is_from, is_ours, location_of, mentions
from flask_corsguard.audit.surroundings import (
    functions_ahead,
    is_decided_in_front,
    layers_around,
)
from flask_corsguard.config import Settings
from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import name_of, text_of

_SOCKETIO = ("engineio", "flask_socketio", "socketio")


def check_app(state: AppState, routes: list[Route], found: Findings) -> None:
    """Look at middleware, at signs of a proxy, and at what runs ahead of the guard.

    :param state: the guard of an app that has served a request: the guard moves to the front on
        the first.
    """
    app = state.app
    _check_middleware(state, found)
    _check_socketio(app, found)
    _check_proxy(app, state.settings, routes, found)
    _check_order(state, found)


def _check_middleware(state: AppState, found: Findings) -> None:
    """Find middleware that names a CORS header. Only what it does to preflights is tried."""
    for layer, inner in layers_around(state.app):
        if is_from(layer, "whitenoise"):
            folders = [prefix for _, prefix in getattr(layer, "directories", ())]
            paths = [*getattr(layer, "files", ()), *folders]
            is_open = getattr(layer, "allow_all_origins", False)
            if is_open and not is_decided_in_front(state, layer, paths or ["/"]):
                message = "WhiteNoise(...) has allow_all_origins=True, which is its default."
                found.add("whitenoise_allows_all", message)
        elif is_from(layer, "flask_sockets", "flask_uwsgi_websocket"):
            message = f"{name_of(layer)} accepts WebSocket handshakes before the guard sees them."
            found.add("websocket_not_enforced", message)
        elif is_from(layer, *_SOCKETIO) or is_decided_in_front(state, layer, ["/"]):
            continue
        elif _sends_header(layer) and not any(map(_sends_header, inner)):
            message = f"{name_of(layer)}, around the app, sends {ALLOW_ORIGIN} itself."
            found.add("answer_changed", message, location=location_of(layer))


def _sends_header(layer: object) -> bool:
    return mentions(layer, ALLOW_ORIGIN.lower())


def _check_socketio(app: Flask, found: Findings) -> None:
    """Find Socket.IO, or Engine.IO below it, that lets in every origin: neither Flask nor the guard
    sees its requests."""
    holders = (*app.extensions.values(), *(layer for layer, _ in layers_around(app)))
    is_socketio = any(is_from(holder, "flask_socketio", "socketio") for holder in holders)
    name = "Socket.IO" if is_socketio else "Engine.IO"
    for server in _engineio_servers(holders):
        allowed: object = getattr(server, "cors_allowed_origins", None)
        location, message = "", ""
        if callable(allowed):
            if _lets_in(allowed, UNRELATED[0]):
                message = f"{name} has cors_allowed_origins={name_of(allowed)}, which allows all."
                location = location_of(allowed)
        elif allowed == []:
            message = f"{name} has cors_allowed_origins=[], and so does not look at the origin."
        elif allowed == "*" or (isinstance(allowed, (list, tuple, set)) and "*" in allowed):
            shown = text_of(cast("object", allowed))
            message = f"{name} has cors_allowed_origins={shown}."
        if message:
            evidence = UNRELATED[0]
            found.add("socketio_allows_all", message, location=location, evidence=evidence)


def _engineio_servers(holders: Iterable[object]) -> list[object]:
    """The servers that hold ``cors_allowed_origins``: behind an extension, or in middleware."""
    waiting, found = list(holders), dict[int, object]()
    for holder in waiting:
        if is_from(holder, *_SOCKETIO):
            if hasattr(holder, "cors_allowed_origins"):
                found[id(holder)] = holder
            held = (getattr(holder, name, None) for name in ("server", "engineio_app", "eio"))
            waiting += [value for value in held if value is not None]
    return list(found.values())


def _lets_in(check: Callable[..., object], origin: str) -> bool:
    """Whether a callable of Engine.IO, which may take the environment too, allows an origin."""
    environ = {**create_environ("/socket.io/"), "HTTP_ORIGIN": origin}
    for arguments in ((origin, environ), (origin,)):
        try:
            return bool(check(*arguments))
        except BaseException as error:
            if is_shutdown(error):
                raise
    return False


def _check_order(state: AppState, found: Findings) -> None:
    for function in functions_ahead(state):
        message = f"{name_of(function)} runs before the guard on every request."
        found.add("runs_before_guard", message, location=location_of(function))


def _check_proxy(app: Flask, settings: Settings, routes: list[Route], found: Findings) -> None:
    if settings.self_origins or any(_knows_of_proxy(layer) for layer, _ in layers_around(app)):
        return
    code = "proxy_hides_origin"
    enforced = any(policy.compiled.enforces for route in routes for policy in route.policies)
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
