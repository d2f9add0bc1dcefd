"""What functions are made with, found without running them."""

from __future__ import annotations

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import chain, islice
from types import CodeType, FunctionType, MethodType
from typing import Any, cast

from flask import Blueprint
from flask.app import Flask
from werkzeug.local import LocalProxy

from flask_corsguard.decorators import from_here
from flask_corsguard.errors import NoFunction, is_shutdown

#: How many values are looked at.
MOST_PARTS = 2000
_DEEPEST = 4


def made_with(start: object) -> Iterator[FunctionType]:
    """The callable itself, if it is a function; then the functions that it holds in its closure or
    its attributes, and those that they hold in turn."""

    def parts(value: object) -> Iterable[object]:
        if isinstance(value, FunctionType):
            return (*cells_of(value), *vars(value).values())
        return () if isinstance(value, type) else contents(value)

    return (value for value in walk(start, parts) if isinstance(value, FunctionType))


def walk(start: object, parts: Callable[[object], Iterable[object]]) -> Iterator[object]:
    """Everything that can be reached from an object, the nearest first, up to a limit.

    :param parts: what a value consists of.
    """
    seen: set[int] = set()
    waiting = deque([(start, 0)])
    while waiting and len(seen) < MOST_PARTS:
        value, depth = waiting.popleft()
        # Finding out what a proxy stands for would run its function.
        if id(value) not in seen and depth <= _DEEPEST and type(value) is not LocalProxy:
            seen.add(id(value))
            yield value
            waiting += [(part, depth + 1) for part in parts(value)]


def cells_of(function: FunctionType) -> Iterator[object]:
    """The values in the closure of a function."""
    return (value for _, value in named_cells(function))


def named_cells(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The same, each with the name of its variable."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def contents(value: object) -> list[object]:
    """What an object holds, up to a limit. Reading it may fail, because it can be anything."""
    try:
        return list(islice(_held_by(value), MOST_PARTS))
    except BaseException as error:
        if is_shutdown(error):
            raise
        return []


def _held_by(value: object) -> Iterable[object]:
    if isinstance(value, MethodType):
        return (value.__func__, value.__self__)
    if isinstance(value, functools.partial):
        partial: Any = value  # pyright: ignore[reportUnknownVariableType]
        return (partial.func, *partial.args, *partial.keywords.values())
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return chain.from_iterable(mapping.items())
    if isinstance(value, (tuple, list, set, frozenset)):
        return cast("Iterable[object]", value)
    if isinstance(value, Enum):
        return (value.value,)
    if isinstance(value, type):
        return [
            part for base in value.__mro__[:-1] for part in vars(base).values() if callable(part)
        ]
    call = getattr(type(value), "__call__", None)  # noqa: B004
    # Everything can be reached from an app.
    if isinstance(call, FunctionType) and not isinstance(value, (Flask, Blueprint, NoFunction)):
        return chain((call,), getattr(value, "__dict__", {}).values())
    return ()


def location_of(target: object) -> str:
    """File and line of a function, or of an object's class; or ""."""
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    if isinstance(code, CodeType):
        return from_here(f"{code.co_filename}:{code.co_firstlineno}")
    try:
        kind = target if isinstance(target, type) else type(target)
        return from_here(f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}")
    except (OSError, TypeError):
        return ""
