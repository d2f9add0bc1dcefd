"""A policy in a few words, for tables; and with all of its fields, for machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from flask_corsguard.errors import name_of, shown
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.policy import Policy

_MOST_ORIGINS = 2
_MOST_METHODS = 7
_MOST_CHARACTERS = 60


def summary(policy: Policy | None) -> str:
    """Who may read, with credentials or not, by which methods, and what the server refuses.

    At most 600 characters, printable ASCII all of them, and the same for policies that list the
    same in the same order. It leaves out what says little about whom to fear: header names, ages.

    :param policy: None for a route that the guard leaves alone.
    """
    return "; ".join(_parts(policy)) if policy is not None else "exempt"


def _parts(policy: Policy) -> Iterator[str]:
    denied = f" except {_listed(policy.deny_origins)}" if policy.deny_origins else ""
    if policy.origins == "*":
        yield f"everyone (*){denied}"
    else:
        yield f"{_listed(policy.origins)}{denied}" if policy.origins else "nobody"
    if policy.allow_credentials:
        yield "credentials"
    if policy.methods == "*":
        yield "any method"
    elif policy.methods is not None:
        names = policy.methods[:_MOST_METHODS]
        more = len(policy.methods) - len(names)
        yield (", ".join(names) or "no preflighted method") + (f" +{more}" if more else "")
    if policy.enforce != "off":
        yield f"enforce={policy.enforce}"


def _listed(origins: OriginList) -> str:
    more = len(origins) - _MOST_ORIGINS
    named = ", ".join(map(_entry, origins[:_MOST_ORIGINS]))
    return f"{named} +{more}" if more > 0 else named


def _entry(form: object) -> str:
    if isinstance(form, str):
        return _cut(form)
    if isinstance(form, re.Pattern):
        return f"/{_cut(cast('re.Pattern[str]', form).pattern)}/"
    return f"{_cut(name_of(form))}()"


def _cut(text: str) -> str:
    """Escaped where needed, as a pattern and a name can hold anything, and cut."""
    if not (text.isascii() and text.isprintable()):
        text = shown(text)[1:-1]
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def fields_of(policy: Policy) -> dict[str, object]:
    """Every field of a policy, in what JSON knows.

    A pattern among the origins is ``{"pattern": ...}``, a callable ``{"callable": its name}``.
    """
    return {name: _jsonable(value) for name, value in policy.values.items()}


def _jsonable(value: object) -> object:
    if isinstance(value, tuple):
        return [_jsonable(entry) for entry in cast("tuple[object, ...]", value)]
    if isinstance(value, re.Pattern):
        return {"pattern": cast("re.Pattern[str]", value).pattern}
    if callable(value):
        return {"callable": name_of(value)}
    return value
