"""What Flask calls for each request of an app."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, takewhile
from typing import cast

from flask_corsguard.known_fronts import Function, is_ours
from flask_corsguard.runtime.hooks import is_tracing
from flask_corsguard.runtime.state import AppState


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
