"""Which of an app's functions set CORS headers themselves, found without running them."""

from __future__ import annotations

from itertools import chain
from types import FunctionType
from typing import NamedTuple

from flask.app import Flask

from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.routing.closures import codes_of, location_of, made_with
from flask_corsguard.text import name_of

_OURS = __name__.partition(".")[0]


class Setter(NamedTuple):
    """A function that names a CORS header.

    :ivar name: its name, with its file and line.
    :ivar is_for_all: whether it is an ``after_request`` function.
    """

    name: str
    is_for_all: bool


def setter_of(app: Flask, endpoint: str | None) -> Setter | None:
    """What probably sets ``Access-Control-Allow-Origin`` on an endpoint's responses."""
    after = chain.from_iterable(app.after_request_funcs.values())
    view = app.view_functions.get(endpoint or "")
    for start, is_for_all in (*((each, True) for each in after), (view, False)):
        for function in made_with(start):
            if not function.__module__.startswith(_OURS) and _names_header(function):
                return Setter(f"{name_of(function)} ({location_of(function)})", is_for_all)
    return None


def _names_header(function: FunctionType) -> bool:
    name = ALLOW_ORIGIN.lower()
    return any(
        name.replace("-", "_") in code.co_names  # Werkzeug's attribute of a response
        or any(isinstance(value, str) and value.lower() == name for value in code.co_consts)
        for code in codes_of(function.__code__)
    )
