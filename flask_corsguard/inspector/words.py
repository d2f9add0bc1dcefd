"""Policies and values in a few words, for cells of a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.text import name_of

_MOST_NAMES = 4
_LONGEST_PATTERN = 60


def visible(text: str, limit: int = 200) -> str:
    """Text from anywhere: cut, and with everything that does not print, or would turn the direction
    of what follows, escaped. Markup stays as it is: to escape it is the template's part."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:limit]
    )
    return f"{shown}…" if len(text) > limit else shown


def readers(origins: Literal["*"] | OriginList) -> tuple[str, ...]:
    """Who is in a list of origins, as far as that is no matter of single ones."""
    if origins == "*":
        return ("everyone",)
    parts: list[str] = []
    listed = sum(isinstance(form, str) for form in origins)
    if listed:
        parts.append(_counted(listed, "origin"))
    for form in origins:
        if isinstance(form, re.Pattern):
            parts.append(f"pattern {visible(form.pattern, _LONGEST_PATTERN)}")
        elif callable(form):
            parts.append(f"callable {visible(name_of(form))}")
    return tuple(parts)


def who(policy: Policy, named: Sequence[str]) -> str:
    """Whom a policy lets read.

    :param named: the :func:`readers` in its list. That can be long, and that of many policies.
    """
    parts = [*named]
    if policy.deny_origins:
        parts.append(f"{_counted(len(policy.deny_origins), 'origin')} denied")
    return " + ".join(parts) or "no other origin"


def how(policy: Policy) -> str:
    """What else a policy says that is not as it would be by itself."""
    parts: list[str] = []
    if policy.allow_credentials:
        parts.append("with credentials")
    if policy.methods is not None:
        parts.append(f"methods {_names(policy.methods)}")
    if policy.allow_headers != Policy.allow_headers.default:
        parts.append(f"headers {_names(policy.allow_headers)}")
    if policy.expose_headers:
        parts.append(f"exposes {_names(policy.expose_headers)}")
    if policy.enforce != "off":
        parts.append(f"enforce {policy.enforce}")
    if not policy.answer_preflight:
        parts.append("the app answers preflights")
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _names(names: str | Sequence[str]) -> str:
    if isinstance(names, str):
        return "all"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (" ".join(names[:_MOST_NAMES]) or "none") + more
