"""What is wrong with the name of a method or a header in a policy, and the name that was meant.

Runs at startup, on configuration, like the diagnosis of origins.
"""

from __future__ import annotations

import json
import re

from flask_corsguard.protocol.headers import is_token
from flask_corsguard.protocol.lists import is_unreplaced
from flask_corsguard.text import text_of

_SEPARATORS = re.compile(r"[\s;|]+")
_QUOTES = "'\"`"
# Signs of a pattern. Some of them are valid in a token, but no real name has them.
_PATTERN_SIGNS = re.compile(r"[*?|\\()\[\]{}]|\.\+|^[\^'`]|[$'`]$")


def _of_word(name: str, *, can_be_all: bool) -> tuple[str, str] | None:
    """The end of the message about a word that stands for other names."""
    if name.lower() == "none":
        return ", but stands for none. Write [].", "[]"
    if name.lower() in ("all", "any") and can_be_all:
        return ", but stands for all. Write '*'.", "'*'"
    if re.fullmatch("HTTP_[A-Z_]+", name):
        meant = repr(name[5:].replace("_", "-").title())
        return f", but a key of the WSGI environ. Write {meant}.", meant
    return None


def diagnose_name(
    name: str, kind: str, longest: int | None = None, *, can_be_all: bool = True
) -> tuple[str, str | None] | None:
    """Find out why *name* can never match.

    :param kind: the kind of name, in words, for the message.
    :param longest: the most characters that it may have.
    :param can_be_all: whether ``"*"`` alone means all names.
    :returns: a message, and the correction as Python source, or None if none is certain. None
        instead of both if nothing is wrong.
    """
    if name == "*":
        return None
    found = f"{text_of(name)} is not {kind}"
    word = _of_word(name, can_be_all=can_be_all)
    if word:
        return found + word[0], word[1]
    if is_unreplaced(name):
        return f"{found}: it is a variable that was never replaced by its value.", None
    if re.match(r"[a-z]+://", name):
        return f"{found}, but an origin: it belongs in origins.", None
    parts = [part for part in _SEPARATORS.split(name) if part]
    if parts and parts != [name] and not any(diagnose_name(part, kind) for part in parts):
        source = json.dumps(parts)
        return f"{found}: commas separate names. Write {source}.", source
    for meant, problem in (
        (name.strip(_QUOTES), "it has quotes"),
        (name.partition(":")[0], "it has a colon"),
    ):
        if meant != name and diagnose_name(meant, kind) is None:
            return f"{found}: {problem}. Write {meant!r}.", repr(meant)
    if _PATTERN_SIGNS.search(name):
        hint = ", or '*' alone for all" if can_be_all else ""
        return f"{found}, and names cannot be patterns: list each one{hint}.", None
    if not is_token(name) or (longest is not None and len(name) > longest):
        return f"{found}.", None
    return None
