"""What can be wrong, and how it is put into words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple


class CorsGuardError(Exception):
    """A mistake in how the guard is used. The message names the remedy."""


class Problem(NamedTuple):
    """One thing that is wrong with a policy.

    :ivar code: stable name of the kind of problem, for tools and tests.
    :ivar field: the policy field or configuration key at fault.
    :ivar value: the value as it was given.
    :ivar message: a sentence for people, with the corrected value where there is one.
    :ivar suggestion: the corrected value as Python source, or None.
    :ivar where: what the policy belongs to (``view users.list, app.py:12``), or "".
    """

    code: str
    field: str
    value: object
    message: str
    suggestion: str | None = None
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.field}: {self.message} [{self.code}]"


class PolicyError(CorsGuardError, ValueError):
    """A policy that cannot be used. Carries *all* of its problems, not only the first.

    :ivar problems: every :class:`Problem` found, in the order of the fields.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if len(lines) == 1:
            return lines[0]
        return "\n".join([f"{len(lines)} problems:", *(f"  - {line}" for line in lines)])


def unknown_name(
    code: str, field: str, name: object, kind: str, known: Iterable[str], meant: str | None = None
) -> Problem:
    """The problem of a name that nothing goes by, with the one that is *meant*, or the nearest."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1) if isinstance(name, str) else []
    guess = meant or (close[0] if close else None)
    hint = f"Did you mean {guess!r}?" if guess else f"Known: {', '.join(choices) or 'none'}."
    return Problem(code, field, name, f"there is no {kind} {text_of(name)}. {hint}", guess)


def text_of(value: object, limit: int = 200) -> str:
    """A value as Python source, cut after *limit* characters; for any object, however odd."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[:limit]}..."


def name_of(target: object) -> str:
    """What a callable is called in its code; an object that can be called, by its class."""
    return str(getattr(target, "__qualname__", type(target).__qualname__))


def shown(value: str, limit: int = 100) -> str:
    """Text from the network, safe for a log line: quoted printable ASCII, cut after *limit*
    characters, so that it can neither end the line nor close its own quotes."""
    escaped = value[:limit].encode("unicode_escape").decode("ascii").replace("'", r"\x27")
    rest = f"... ({len(value)} characters)" if len(value) > limit else ""
    return f"'{escaped}'{rest}"


def described(error: BaseException) -> str:
    """An exception in one safe line, with the place that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    try:
        message = str(error)
    except Exception:
        message = ""
    return f"{type(error).__name__} {shown(message, 200)}{place}"
