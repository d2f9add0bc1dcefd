"""What the guard keeps of an app: every container that can be reached from it, and its size."""

import functools
import gc
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from types import CellType, FunctionType, MappingProxyType, MethodType
from typing import Any, NamedTuple

from flask import Flask
from flask.signals import got_request_exception, request_started

from flask_corsguard import origin_allowed, origin_rejected, preflight_rejected

# What can grow in place.
_GROWING = (dict, list, set, deque, bytearray)
# Where to look further. All else belongs to Flask, Werkzeug, the standard library or the app.
_PLAIN = (
    dict, list, set, deque, tuple, frozenset, MappingProxyType, CellType, MethodType,
    type(functools.cache(len)),
)  # fmt: skip
_OWN = ("flask_corsguard", "blinker")
_MODULES_LEFT_OUT = ("flask_corsguard.testing",)


class Found(NamedTuple):
    """What is reachable.

    :ivar containers: those that can grow, by their place.
    :ivar objects: how many objects there are in all.
    """

    containers: dict[str, Collection[Any]]
    objects: int

    @property
    def entries(self) -> dict[str, int]:
        """How much is in each container now."""
        return {place: len(container) for place, container in self.containers.items()}


def reachable(app: Flask) -> Found:
    """Everything that the guard keeps of *app*, and what its modules keep for all."""
    containers: dict[str, Collection[Any]] = {}
    seen: set[int] = set()
    waiting = deque(_roots(app))
    while waiting:
        place, thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if issubclass(type(thing), _GROWING):
            # Of those in one place, the largest.
            containers[place] = max(thing, containers.get(place, ()), key=len)
        waiting += _within(place, thing)
    return Found(containers, len(seen))


def _roots(app: Flask) -> Iterator[tuple[str, Any]]:
    yield "state", app.extensions["corsguard"]
    yield "before_request_funcs", app.before_request_funcs
    yield "after_request_funcs", app.after_request_funcs
    for signal in (origin_allowed, origin_rejected, preflight_rejected):
        yield signal.name, signal
    yield "request_started", request_started
    yield "got_request_exception", got_request_exception
    for name, module in sys.modules.items():
        if name.startswith("flask_corsguard") and not name.startswith(_MODULES_LEFT_OUT):
            yield from _named(name, vars(module))


def _within(place: str, thing: Any) -> Iterable[tuple[str, Any]]:
    """What *thing* holds, each with the name of its place."""
    kind = type(thing)  # not isinstance(), which a proxy answers for what it stands for
    if kind is FunctionType:
        # Not its globals: those are looked at module by module.
        return _named(place, {"closure": thing.__closure__, "defaults": thing.__defaults__})
    if issubclass(kind, type):
        return _named(place, vars(thing)) if thing.__module__.startswith(_OWN) else ()
    if kind.__module__.startswith(_OWN):
        named = [(f"{place}.{name}", held) for name, held in _attributes(thing)]
        return [*named, *_listed(place, thing)]
    if issubclass(kind, _PLAIN):
        return _listed(place, thing)
    return ()


def _listed(place: str, thing: Any) -> list[tuple[str, Any]]:
    return [(f"{place}[]", held) for held in gc.get_referents(thing)]


def _named(place: str, held: Any) -> list[tuple[str, Any]]:
    return [(f"{place}.{name}", value) for name, value in held.items()]


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(thing, name):
                yield name, getattr(thing, name)
