"""Libraries that are known to respond in front of Flask. They are recognised by the names of their
classes and modules, so that nothing is imported."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import FunctionType, MethodType
from typing import Any, NamedTuple, TypeGuard, cast

from flask import Request
from flask.app import Flask
from werkzeug.local import LocalProxy

from flask_corsguard.decorators import EXTENSION_KEY
from flask_corsguard.errors import is_function
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.closures import cells_of
from flask_corsguard.runtime.front import Front
from flask_corsguard.runtime.hooks import is_tracing
from flask_corsguard.runtime.origin_check import OriginCheck
from flask_corsguard.runtime.state import AppState, state_of
from flask_corsguard.text import name_of, text_of

Function = Callable[..., Any]

#: The packages of Socket.IO and of Engine.IO, on which it is built.
SOCKETIO = ("engineio", "flask_socketio", "socketio")
_CONNEXION_CHANGE = "serve guard.asgi(connexion_app, paths=['/']) instead of the Connexion app"
# Connexion builds its middleware stack, perhaps with guard.asgi in it, when it starts.
_UNLESS_IN_STACK = (
    ", unless guard.asgi is in its stack: until Connexion has started, that cannot be seen"
)
_METHODS_OF_ENGINEIO = frozenset({"GET", "HEAD", "OPTIONS", "POST"})
_MOST_LAYERS = 50
_MOST_NAMED = 3
# They respond themselves, or only read the request.
_HARMLESS = (*SOCKETIO, "flask_sockets", "flask_uwsgi_websocket", "werkzeug", "whitenoise")
_MOUNT_CHANGE = "app.wsgi_app = guard.wsgi(app.wsgi_app, paths=[{path!r}])"


class LayerAround(NamedTuple):
    """One layer of WSGI middleware around an app.

    :ivar app: the middleware, which is a WSGI app itself.
    :ivar inner: the layers and apps that it holds.
    :ivar fronts: the guards in front of it.
    """

    app: Function
    inner: list[Function]
    fronts: tuple[Front, ...]

    def is_guarded_at(self, path: str) -> bool:
        """Whether the guard decides about a path first."""
        return any(front.covers(path) for front in self.fronts)


class KnownFront(NamedTuple):
    """What responds to a request in front of Flask.

    :ivar words: what it is, and what decides there.
    :ivar change: the line that lets the guard decide; "" if there is none.
    :ivar check: the ``guard.origin_check`` that it asks, or None.
    """

    words: str
    change: str
    check: OriginCheck | None = None


def layers_around(app: Flask) -> Iterator[LayerAround]:
    """The layers around the app, the outermost first, without the guard's own."""
    layers = [layer for layer in _held_below(app.wsgi_app) if _is_layer(layer, app)]
    own = {id(held) for layer in layers if is_ours(layer) for held in held_by(layer)}
    behind: list[tuple[Front, set[int]]] = []
    for front in state_of(app).fronts:
        held = {*map(id, _held_below(front.inner))}
        # A guard around the app that an ASGI server serves, say, is in front of all layers.
        is_outside = id(front) not in own and id(app) in held
        behind.append((front, held.union(map(id, layers)) if is_outside else held))
    for layer in layers:
        if not is_ours(layer):
            inner = [value for value in held_by(layer) if _is_layer(value, app)]
            yield LayerAround(layer, inner, tuple(f for f, held in behind if id(layer) in held))


def names_of_unknown_layers(app: Flask) -> str:
    """The names of what is around an app, as far as it is not known to leave CORS headers alone."""
    names = [
        name_of(layer.app)
        for layer in layers_around(app)
        if not layer.is_guarded_at("/")
        and not is_from(layer.app, *_HARMLESS)
        and not is_tracing(layer.app)
    ]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def _held_below(layer: object) -> Iterator[Function]:
    """A layer, what it holds, and so on; not what a Flask app holds, which is everything."""
    waiting, seen = deque([layer]), set[int]()
    while waiting and len(seen) < _MOST_LAYERS:
        layer = waiting.popleft()
        if is_function(layer) and not isinstance(layer, type) and id(layer) not in seen:
            seen.add(id(layer))
            yield layer
            is_of_app = isinstance(
                layer.__self__ if isinstance(layer, MethodType) else layer, Flask
            )
            waiting += [] if is_of_app else held_by(layer)


def _is_layer(value: object, app: Flask) -> TypeGuard[Function]:
    if not is_function(value) or isinstance(value, (type, Flask)):
        return False
    is_of_flask = str(getattr(value, "__module__", "")).startswith("flask.")
    return not is_of_flask and getattr(value, "__self__", None) is not app


def front_of(state: AppState, request: Request, decision: Decision) -> KnownFront | None:
    """What responds to a request before Flask, otherwise than the guard decides; None if nothing
    known does.

    :param decision: what the guard would decide.
    """
    path = request.path
    for layer in (*layers_around(state.app), *_sockets_of_asgi(state)):
        app, is_guarded = layer.app, layer.is_guarded_at(path)
        if is_from(app, *SOCKETIO):
            if path.startswith(path_of_socketio(app)):
                return _socketio(layer, path, decision.method)
        elif _has_file(app, path):
            return None if is_guarded else _files(app, path)
        elif (mount := _mount(app, path)) is not None:
            return None if is_guarded else _mounted(app, mount)
    if is_in_connexion(state, path) and _is_for_connexion(state, decision):
        what = "preflights" if decision.preflight else "errors"
        words = f"Connexion responds to {what} like this one, in front of the guard"
        unless = "" if endpoints_of_connexion(state.app) else _UNLESS_IN_STACK
        return KnownFront(f"{words}{unless}", _CONNEXION_CHANGE)
    return None


def _sockets_of_asgi(state: AppState) -> Iterator[LayerAround]:
    """Socket.IO behind ``guard.asgi``. Without that, the app has no reference to it."""
    for front in state.fronts:
        for layer in _held_below(front.inner):
            if is_from(layer, *SOCKETIO) and hasattr(layer, "engineio_path"):
                yield LayerAround(layer, [], (front,))


def _socketio(layer: LayerAround, path: str, method: str) -> KnownFront | None:
    name, server = name_of_socketio([layer.app]), next(engineio_servers([layer.app]), None)
    if server is None:
        return None  # a class of another library with the same package name
    allowed: object = server.cors_allowed_origins
    if method not in _METHODS_OF_ENGINEIO:
        return KnownFront(f"{name} responds here, and accepts only GET and POST", "")
    if isinstance(allowed, OriginCheck):
        return KnownFront(f"{name} responds here, and asks guard.origin_check", "", allowed)
    if layer.is_guarded_at(path) and (allowed == "*" or allowed == []):
        return None
    whom = "the app's own pages" if allowed is None else text_of(allowed, 100)
    words = f"{name} responds here in front of the guard, according to cors_allowed_origins: {whom}"
    return KnownFront(words, "cors_allowed_origins=guard.origin_check(app)")


def name_of_socketio(holders: Iterable[object]) -> str:
    """The name "Socket.IO", or "Engine.IO" if that is used alone."""
    held = chain.from_iterable((holder, *_held_by_socketio(holder)) for holder in holders)
    is_socketio = any(is_from(each, "flask_socketio", "socketio") for each in held)
    return "Socket.IO" if is_socketio else "Engine.IO"


def engineio_servers(holders: Iterable[object]) -> Iterator[Any]:
    """The servers that hold ``cors_allowed_origins``: behind an extension, or in middleware."""
    waiting, found = list(holders), set[int]()
    for holder in waiting:
        if is_from(holder, *SOCKETIO):
            if hasattr(holder, "cors_allowed_origins") and id(holder) not in found:
                found.add(id(holder))
                yield holder
            waiting += _held_by_socketio(holder)


def path_of_socketio(app: object, server: object = None) -> str:
    """The path below which a middleware of Socket.IO responds; "" if it does not use *server*."""
    is_its = server is None or any(held is server for held in engineio_servers([app]))
    return str(getattr(app, "engineio_path", "/socket.io/")) if is_its else ""


def _held_by_socketio(holder: object) -> list[object]:
    names = ("server", "engineio_app", "engineio_server", "eio")
    held = (getattr(holder, name, None) for name in names)
    return [value for value in held if value is not None]


def paths_of_files(app: object) -> list[str]:
    """The paths of the files that WhiteNoise, or Werkzeug's SharedDataMiddleware, knows; and the
    folders that it looks into, each with a slash at its end."""
    if is_from(app, "whitenoise"):
        folders = (prefix for _, prefix in getattr(app, "directories", ()))
        return [*getattr(app, "files", ()), *folders]
    return [f"{prefix.rstrip('/')}/" for prefix, _ in _exports(app)]


def _exports(app: Any) -> list[tuple[str, Function]]:
    return getattr(app, "exports", []) if is_from(app, "werkzeug") else []


def _has_file(app: Any, path: str) -> bool:
    if is_from(app, "whitenoise"):
        if getattr(app, "autorefresh", False):
            return app.find_file(path) is not None
        return path in getattr(app, "files", ())
    for prefix, load in _exports(app):
        folder = f"{prefix.rstrip('/')}/"
        name, _ = load(path.removeprefix(folder)) if path.startswith(folder) else (None, None)
        if name is not None or (path == prefix and load(None)[0] is not None):
            return True
    return False


def _files(app: Any, path: str) -> KnownFront:
    is_open = getattr(app, "allow_all_origins", False)
    sent = "Access-Control-Allow-Origin: *" if is_open else "no CORS headers"
    words = f"{type(app).__name__} responds here in front of the guard, with {sent}"
    first = f"/{path.split('/')[1]}"
    return KnownFront(words, _MOUNT_CHANGE.format(path=first))


def _mount(app: Any, path: str) -> str | None:
    """The longest prefix of a path at which another app is mounted."""
    mounts: Mapping[str, object] = getattr(app, "mounts", None) or {}
    if not is_from(app, "werkzeug"):
        return None
    covering = (mount for mount in mounts if f"{path}/".startswith(f"{mount}/"))
    return max(covering, key=len, default=None)


def _mounted(dispatcher: Any, mount: str) -> KnownFront:
    app, words = dispatcher.mounts[mount], f"another app, mounted at {mount}, responds here"
    if isinstance(app, Flask) and EXTENSION_KEY in app.extensions:
        return KnownFront(f"{words}, with a guard of its own", "")
    return KnownFront(f"{words} in front of the guard", _MOUNT_CHANGE.format(path=mount))


def mounts_in_front(state: AppState) -> Iterator[tuple[str, KnownFront]]:
    """The paths at which another app is mounted where no guard of this app decides first."""
    for layer in layers_around(state.app):
        mounts = getattr(layer.app, "mounts", None) if is_from(layer.app, "werkzeug") else None
        for mount in cast("Mapping[str, object]", mounts or {}):
            if not layer.is_guarded_at(mount):
                yield mount, _mounted(layer.app, mount)


def is_served_in_front(state: AppState, prefix: str) -> bool:
    """Whether something known, or a guard, is in front of Flask below a path."""
    below = f"{prefix}/"
    if any(front.covers(prefix) for front in state.fronts):
        return True
    for layer in layers_around(state.app):
        app = layer.app
        served = [path_of_socketio(app)] if is_from(app, *SOCKETIO) else paths_of_files(app)
        if any(path.startswith(below) for path in served) or _mount(app, prefix) is not None:
            return True
    return False


def is_in_connexion(state: AppState, path: str = "/") -> bool:
    """Whether the app is inside a Connexion 3 app that has no guard in front of it."""
    return type(state.app.json).__module__.startswith("connexion.frameworks.") and not any(
        front.covers(path) and any(is_from(each, "connexion") for each in _held_below(front.inner))
        for front in state.fronts
    )


def endpoints_of_connexion(app: Flask) -> dict[str, object]:
    """The endpoints that Connexion has made from specifications, with their views: none before it
    has started, which it does with its first request at the latest."""
    return {name: view for name, view in app.view_functions.items() if is_from(view, "connexion")}


def _is_for_connexion(state: AppState, decision: Decision) -> bool:
    if decision.endpoint is None:
        return True  # Connexion may not have made its routes yet
    return decision.preflight and decision.endpoint in endpoints_of_connexion(state.app)


def left_to(front: KnownFront, decision: Decision, path: str) -> Decision:
    """The decision about a request to which something else responds."""
    change = f". To have the guard decide: {front.change}" if front.change else ""
    return decision._replace(
        outcome=Outcome.EXEMPT,
        reason=None,
        policy=None,
        path=path,
        blocked=False,
        report_only=False,
        headers={},
        detail="",
        further_reasons=(),
        policies=(),
        in_front=f"{front.words}{change}",
    )


def held_by(target: object) -> list[object]:
    """What a callable holds: in its closure, its attributes or, for a partial, its arguments."""
    if isinstance(target, MethodType):
        return [target.__func__, target.__self__]
    if isinstance(target, functools.partial):
        partial: Any = target  # pyright: ignore[reportUnknownVariableType]
        return [partial.func, *partial.args, *partial.keywords.values()]
    closure = cells_of(target) if isinstance(target, FunctionType) else ()
    held = (*closure, *getattr(target, "__dict__", {}).values())
    # Finding the object behind a proxy would run code of the app.
    return [value for value in held if type(value) is not LocalProxy]


def is_from(value: object, *libraries: str) -> bool:
    """Whether a class, or an object's class, is one of these libraries', or inherits from one."""
    kind = cast("type[object]", value) if isinstance(value, type) else type(value)
    return any(str(base.__module__).partition(".")[0] in libraries for base in kind.__mro__)


def is_ours(function: object) -> bool:
    """Whether a function is one of the guard's."""
    return str(getattr(function, "__module__", "")).startswith("flask_corsguard.")
