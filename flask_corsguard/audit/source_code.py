"""What a function's code contains, read without running it."""

from __future__ import annotations

import functools
import re
import sysconfig
from collections.abc import Container, Iterable, Iterator
from itertools import chain, islice
from types import FunctionType, ModuleType
from typing import Any, cast

from flask import Blueprint
from flask.app import Flask
from werkzeug.local import LocalProxy

from flask_corsguard.errors import is_shutdown
from flask_corsguard.known_fronts import is_from, is_ours
from flask_corsguard.routing.closures import MOST_PARTS, cells_of, codes_of, contents, walk

_LONGEST_NAME = 60
# How many attributes in a row are followed: settings.cors.site.
_LONGEST_PATH = 2
_PLAIN = (str, bytes, int, float, bool, type(None), tuple, list, set, frozenset, dict, LocalProxy)
_WEBSOCKET_LIBRARIES = ("eventlet", "simple_websocket")
_WEBSOCKET_CLASSES = frozenset({"Server", "WebSocketWSGI"})
_PATHS = (sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
# One directory can lie in another: the innermost comes first.
_LIBRARIES = tuple(sorted((path for path in _PATHS if path), reverse=True))


def reachable(start: object) -> Iterator[object]:
    """Everything in the code of a callable, in that of the functions that it calls by name, and in
    the variables that it was made with: functions, classes, strings, compiled patterns.

    Code of libraries is left out, except for the library that the callable belongs to.
    """
    entered = ("", _library_of(start))

    def is_entered(function: FunctionType) -> bool:
        return _library_of(function) in entered and not is_ours(function)

    def parts(value: object) -> Iterable[object]:
        if isinstance(value, (str, bytes, re.Pattern)):
            return ()
        if isinstance(value, FunctionType):
            return _read_by(value) if is_entered(value) else ()
        return contents(value)

    for value in walk(start, parts):
        if isinstance(value, bytes):
            yield value.decode("latin-1")
        elif isinstance(value, (str, re.Pattern)):
            yield cast("object", value)
        elif isinstance(value, type) or (isinstance(value, FunctionType) and is_entered(value)):
            yield value


def mentions(start: object, header: str, *, prefix: bool = False) -> bool:
    """Whether a callable's code names a header: as a text, as a WSGI key, or as an attribute of a
    response. Texts that merely contain the name are meant for people.

    :param header: its name in lower case.
    :param prefix: whether *header* is only the beginning of the name.
    """
    variable = header.replace("-", "_")
    for value in reachable(start):
        if isinstance(value, str) and len(value) <= _LONGEST_NAME:
            name = value.lower().replace("-", "_").removeprefix("http_")
            if name == variable or (prefix and name.startswith(variable) and name.isidentifier()):
                return True
        elif isinstance(value, FunctionType) and any(
            variable in code.co_names for code in codes_of(value.__code__)
        ):
            return True
    return False


def opens_websockets(start: object) -> bool:
    """Whether a callable's code accepts WebSocket handshakes, in one of the ways that WSGI has."""
    for value in reachable(start):
        if isinstance(value, str):
            found = value == "wsgi.websocket"  # of gevent-websocket
        elif isinstance(value, type):
            found = value.__name__ in _WEBSOCKET_CLASSES and is_from(value, *_WEBSOCKET_LIBRARIES)
        elif isinstance(value, FunctionType):
            names = {name for code in codes_of(value.__code__) for name in code.co_names}
            found = "websocket_handshake" in names or (  # of uWSGI
                not names.isdisjoint(_WEBSOCKET_CLASSES)
                and any(_is_websocket_module(value, name) for name in names)
            )
        else:
            continue
        if found:
            return True
    return False


def _is_websocket_module(function: FunctionType, name: str) -> bool:
    """Whether a name in a function's code is a WebSocket library, imported there or globally."""
    value: object = function.__globals__.get(name)
    full_name = value.__name__ if isinstance(value, ModuleType) else name
    return full_name.partition(".")[0] in _WEBSOCKET_LIBRARIES


def _read_by(function: FunctionType) -> Iterator[object]:
    codes = list(codes_of(function.__code__))
    yield from chain.from_iterable(code.co_consts for code in codes)
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()
    yield from cells_of(function)
    names = dict.fromkeys(chain.from_iterable(code.co_names for code in codes))
    read = [function.__globals__[name] for name in names if name in function.__globals__]
    yield from read
    for _ in range(_LONGEST_PATH):
        held = (_named(value, names) for value in (*read, *cells_of(function)))
        read = list(islice(chain.from_iterable(held), MOST_PARTS))
        yield from read


def _named(value: object, names: Container[str]) -> list[object]:
    """What code that uses these names can read from a module, a class or an object."""
    if isinstance(value, ModuleType):
        if str(getattr(value, "__file__", None) or _LIBRARIES[0]).startswith(_LIBRARIES):
            return []
    elif type(value) in _PLAIN or isinstance(value, (FunctionType, Flask, Blueprint)):
        return []
    kind = cast("type[object]", value) if isinstance(value, type) else type(value)
    try:
        parts = chain(*(vars(base).items() for base in kind.__mro__[-2::-1]), vars(value).items())
        return [part for name, part in parts if name in names]
    except BaseException as error:
        if is_shutdown(error):
            raise
        return []


def _library_of(function: object) -> str:
    """The package, or the module, of a library that a function is in; "" for all other code."""
    target: Any = function
    if isinstance(function, functools.partial):
        target = target.func
    file = str(getattr(getattr(target, "__code__", None), "co_filename", ""))
    library = next((path for path in _LIBRARIES if file.startswith(path)), None)
    return "" if library is None else re.split(r"[/\\]", file[len(library) + 1 :])[0]
