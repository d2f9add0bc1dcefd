"""Checks on what surrounds the guard in an app, and can undo its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, cast

from flask.app import Flask
from werkzeug.test import create_environ

from flask_corsguard.audit.findings import RULES, Findings, Level, listed
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.source_code import mentions
from flask_corsguard.audit.surroundings import functions_ahead
from flask_corsguard.config import Settings
from flask_corsguard.errors import is_shutdown
from flask_corsguard.known_fronts import (
    SOCKETIO,
    KnownFront,
    LayerAround,
    endpoints_of_connexion,
    engineio_servers,
    is_from,
    is_in_connexion,
    is_ours,
    layers_around,
    mounts_in_front,
    name_of_socketio,
    path_of_socketio,
    paths_of_files,
)
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.closures import location_of
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.origin_check import OriginCheck
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import name_of, text_of


def check_app(state: AppState, routes: list[Route], found: Findings) -> None:
    """Look at middleware, at signs of a proxy, and at what runs ahead of the guard.

    :param state: the guard of an app that has served a request: at the first one, the guard moves
        to the front.
    """
    app = state.app
    _check_middleware(app, found)
    for mount, front in mounts_in_front(state):
        found.add_not_seen(_mounted_there(mount, front))
    _check_connexion(state, routes, found)
    _check_socketio(state, found)
    _check_proxy(app, state.settings, routes, found)
    _check_order(state, found)


def _check_middleware(app: Flask, found: Findings) -> None:
    """Find middleware that names a CORS header: the attack tries it only with preflights."""
    for layer in layers_around(app):
        if is_from(layer.app, "whitenoise"):
            _check_whitenoise(layer, found)
        elif is_from(layer.app, "flask_sockets", "flask_uwsgi_websocket"):
            message = (
                f"{name_of(layer.app)} accepts WebSocket handshakes before the guard sees them."
            )
            found.add("websocket_not_enforced", message)
        elif is_from(layer.app, *SOCKETIO) or layer.is_guarded_at("/"):
            continue
        elif _sends_header(layer.app) and not any(map(_sends_header, layer.inner)):
            message = f"{name_of(layer.app)}, around the app, sends {ALLOW_ORIGIN} itself."
            found.add("response_changed", message, location=location_of(layer.app))


def _mounted_there(mount: str, front: KnownFront) -> str:
    if not front.change:
        return f"The app mounted at {mount} has a guard of its own. Audit it too."
    return (
        f"The app mounted at {mount} responds in front of the guard, and may send any headers. To"
        f" have the guard decide there: {front.change}"
    )


def _check_whitenoise(layer: LayerAround, found: Findings) -> None:
    if all(map(layer.is_guarded_at, paths_of_files(layer.app) or ["/"])):
        return
    if getattr(layer.app, "allow_all_origins", False):
        message = "WhiteNoise(...) has allow_all_origins=True, which is its default."
        found.add("whitenoise_allows_all", message)


def _sends_header(layer: object) -> bool:
    return mentions(layer, ALLOW_ORIGIN.lower())


def _check_connexion(state: AppState, routes: list[Route], found: Findings) -> None:
    """Find a Connexion app around this one, which responds to preflights itself."""
    views, name = endpoints_of_connexion(state.app), state.app.name
    open_to_it = [
        route for route in routes if route.endpoint in views and is_in_connexion(state, route.rule)
    ]
    if open_to_it:
        message = f"{name} is inside a Connexion app, and no guard.asgi is in front of it."
        location = location_of(getattr(views[open_to_it[0].endpoint], "_fn", None))
        found.add("connexion_in_front", message, location=location)
    elif not views and is_in_connexion(state):
        message = (
            f"{name} is inside a Connexion app that has not started. Unless guard.asgi is in its"
            " stack, Connexion responds to preflights and errors itself."
        )
        found.add("connexion_in_front", message, level=Level.NOTE)


def _check_socketio(state: AppState, found: Findings) -> None:
    """Find Socket.IO, or Engine.IO below it, that lets in other origins than the policies do:
    neither Flask nor the guard sees its requests."""
    layers = list(layers_around(state.app))
    holders = [*state.app.extensions.values(), *(layer.app for layer in layers)]
    name = name_of_socketio(holders)
    for server in engineio_servers(holders):
        allowed: object = getattr(server, "cors_allowed_origins", None)
        around = [(path_of_socketio(layer.app, server), layer) for layer in layers]
        path = next((path for path, _ in around if path), "/socket.io/")
        is_guarded = any(layer.is_guarded_at(path) for own_path, layer in around if own_path)
        if isinstance(allowed, OriginCheck):
            if not allowed.credentials and getattr(server, "cors_credentials", True):
                message = (
                    f"{name} sends Access-Control-Allow-Credentials, and guard.origin_check(app,"
                    " credentials=False) does not check whether the policy allows them. Set"
                    " cors_credentials=False too, or leave credentials=False out."
                )
                found.add("socketio_differs", message)
        elif is_guarded and _is_refusing(state, path):
            continue  # the guard in front lets through only what its policy admits
        elif lets_in_all := _lets_in_all(allowed):
            location = location_of(allowed) if callable(allowed) else ""
            message = f"{name} has cors_allowed_origins={lets_in_all}"
            evidence = UNRELATED[0]
            found.add("socketio_allows_all", message, location=location, evidence=evidence)
        elif allowed is not None:
            _check_origins(state, name, allowed, path, found)


def _is_refusing(state: AppState, path: str) -> bool:
    """Whether the policy of a path refuses WebSocket handshakes."""
    check = OriginCheck(state, credentials=False)
    decision, *_ = check.decide(create_environ(path), state.current())
    return decision.policy is not None and decision.policy.enforce in ("unsafe", "all")


def _lets_in_all(allowed: object) -> str:
    """The value of ``cors_allowed_origins`` in words if it lets everybody in, or ""."""
    if callable(allowed):
        return f"{name_of(allowed)}, which allows all." if _lets_in(allowed, UNRELATED[0]) else ""
    if allowed == []:
        return "[], so it does not check the origin."
    several = (list, tuple, set)
    is_star = allowed == "*" or (isinstance(allowed, several) and "*" in cast("Any", allowed))
    return f"{text_of(cast('Any', allowed))}." if is_star else ""


def _check_origins(state: AppState, name: str, allowed: object, path: str, found: Findings) -> None:
    """Compare ``cors_allowed_origins`` with the policy of the path, entry by entry."""
    check, in_force = OriginCheck(state, credentials=False), state.current()

    def decided(origin: str) -> Decision:
        return check.decide({**create_environ(path), "HTTP_ORIGIN": origin}, in_force)[0]

    location = location_of(allowed) if callable(allowed) else ""
    entries = [allowed] if isinstance(allowed, str) else allowed
    theirs = [] if callable(allowed) else [str(each) for each in cast("Iterable[object]", entries)]
    # Engine.IO compares them literally, so a "*" in them is not a wildcard.
    more = [o for o in theirs if "*" not in o and decided(o).outcome is not Outcome.ALLOWED]
    policies = decided(UNRELATED[0]).policies
    ours = {str(each) for policy in policies for each in (*policy.origins, *policy.raw_origins)}
    less = [o for o in sorted(ours.difference(theirs)) if decided(o).outcome is Outcome.ALLOWED]
    if callable(allowed):
        less = [origin for origin in less if not _lets_in(allowed, origin)]
    if more:
        message = f"{name} lets in {listed(more)}, which the policy of {path} does not admit."
        found.add("socketio_differs", message, location=location, evidence=more[0])
    if less and (theirs or callable(allowed)):
        message = f"{name} turns away {listed(less)}, which the policy of {path} admits."
        found.add("socketio_differs", message, level=Level.NOTE, location=location)


def _lets_in(check: Callable[..., object], origin: str) -> bool:
    """Whether a callable for Engine.IO, which may also take the environment, allows an origin."""
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
    if settings.self_origins or any(_knows_of_proxy(layer.app) for layer in layers_around(app)):
        return
    code = "proxy_hides_origin"
    enforced = any(policy.compiled.enforces for route in routes for policy in route.policies)
    hooks = cast("Iterable[list[Callable[..., Any]]]", app.before_request_funcs.values())
    for function in (*chain.from_iterable(hooks), *app.view_functions.values()):
        if not is_ours(function) and mentions(function, "x-forwarded-", prefix=True):
            message = f"{name_of(function)} reads X-Forwarded-* itself."
            level = RULES[code].level if enforced else Level.NOTE
            found.add(code, message, level=level, location=location_of(function))
            return
    config = cast("Mapping[str, Any]", app.config)
    for key, usual in (("PREFERRED_URL_SCHEME", "http"), ("APPLICATION_ROOT", "/")):
        if enforced and config.get(key) not in (usual, None):
            message = f"{key} is {config[key]!r}, and a policy sets enforce."
            found.add(code, message, location=f"{key} in app.config")
            return


def _knows_of_proxy(layer: Callable[..., Any]) -> bool:
    return type(layer).__name__ == "ProxyFix" or mentions(layer, "x-forwarded-", prefix=True)
