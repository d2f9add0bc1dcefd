"""What is around the guard in an app: middleware, and what Flask calls for each request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, takewhile
from typing import Any, TypeGuard, cast

from flask.app import Flask

from flask_corsguard.audit.source_code import held_by, is_ours
from flask_corsguard.runtime.hooks import is_tracing
from flask_corsguard.runtime.state import AppState

Function = Callable[..., Any]

_MOST_LAYERS = 20


def layers_around(app: Flask) -> Iterator[tuple[Function, list[Function]]]:
    """What is around the app, the outermost first; each with what it holds in turn."""
    waiting = deque([cast("object", app.wsgi_app)])
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_LAYERS:
        layer = waiting.popleft()
        if id(layer) not in seen and _is_layer(layer, app):
            seen.add(id(layer))
            inner = [value for value in held_by(layer) if _is_layer(value, app)]
            waiting += inner
            if not is_ours(layer):
                yield layer, inner


def is_decided_in_front(state: AppState, layer: Function, paths: Iterable[str]) -> bool:
    """Whether ``guard.wsgi`` decides about all of these paths before a layer responds."""
    return any(
        all(map(front.covers, paths)) and any(layer is each for each in _below(front.inner))
        for front in state.fronts
    )


def _below(layer: object) -> Iterator[object]:
    """A layer, and what it holds in turn."""
    waiting, seen = deque([layer]), set[int]()
    while waiting and len(seen) < _MOST_LAYERS:
        layer = waiting.popleft()
        if callable(layer) and id(layer) not in seen:
            seen.add(id(layer))
            yield layer
            waiting += held_by(layer)


def _is_layer(value: object, app: Flask) -> TypeGuard[Function]:
    if not callable(value) or isinstance(value, (type, Flask)):
        return False
    is_of_flask = str(getattr(value, "__module__", "")).startswith("flask.")
    return not is_of_flask and getattr(value, "__self__", None) is not app


def functions_ahead(state: AppState) -> list[Function]:
    """The functions that run before the guard on every request, and should not."""
    functions = cast("list[Function]", state.app.before_request_funcs.get(None, []))
    ahead = takewhile(lambda function: not is_ours(function), functions)
    return [f for f in ahead if not is_tracing(f) and _unwrapped(f) not in state.first]


def hooks_of(state: AppState) -> Iterator[tuple[Function, str]]:
    """What Flask calls before and after requests; each with its kind in words."""
    for function in state.first:
        yield function, "a function of run_first"
    for kind, words in (
        ("url_value_preprocessors", "a url_value_preprocessor"),
        ("before_request_funcs", "a before_request function"),
        ("after_request_funcs", "an after_request function"),
        ("teardown_request_funcs", "a teardown_request function"),
    ):
        registered: Mapping[str | None, Iterable[Function]] = getattr(state.app, kind)
        for function in chain.from_iterable(registered.values()):
            if not is_ours(function) and _unwrapped(function) not in state.first:
                yield function, words


def _unwrapped(function: Function) -> Function:
    """What the guard has wrapped, if it is a function of ``run_first``."""
    wrapped: Function = getattr(function, "__wrapped__", function)
    return wrapped
