"""The exceptions, and the problems of a policy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeGuard, cast

from flask_corsguard.text import SHUTDOWNS, text_of

_MOST_IN_WORDS = 50
_LONGEST_IN_WORDS = 1000


class CorsGuardError(Exception):
    """A mistake in how the guard is used. The message shows how to fix it."""


class NoFunction:
    """The base of classes whose objects can be called only so that the error says what to write."""


def is_function(value: object) -> TypeGuard[Callable[..., Any]]:
    """Whether calling a value does something."""
    return callable(value) and not isinstance(value, NoFunction)


class Problem(NamedTuple):
    """One problem of a policy or a configuration.

    :ivar code: stable name of the kind of problem, for tools and tests.
    :ivar field: the policy field or configuration key at fault.
    :ivar value: the value that was given.
    :ivar message: a sentence for people, with the corrected value if there is one.
    :ivar suggestion: the corrected value as Python source, or None; for an unknown name, the name
        that was probably meant.
    :ivar where: where the problem is, such as ``view users.list, app.py:12``; or "".
    """

    code: str
    field: str
    value: object
    message: str
    suggestion: str | None = None
    where: str = ""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.field}: {self.message} [{self.code}]"


class PolicyError(CorsGuardError, ValueError):
    """A policy or configuration that cannot be used, with all of its problems.

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


def in_words(problems: Sequence[Problem], of_file: str = "") -> str:
    """The first problems, shortened, for a log line.

    :param of_file: a file that the line names anyway.
    """
    texts = [
        str(problem._replace(where=problem.where.removeprefix(of_file).removeprefix(", ")))
        for problem in problems[:_MOST_IN_WORDS]
    ]
    more = len(problems) - len(texts)
    cut = (
        text if len(text) <= _LONGEST_IN_WORDS else f"{text[:_LONGEST_IN_WORDS]}..."
        for text in texts
    )
    return "; ".join([*cut, *([f"and {more:,} more"] if more > 0 else [])])


def unknown_name(
    code: str,
    field: str,
    name: object,
    kind: str,
    known: Iterable[str],
    meant: str | None = None,
    prefix: str = "",
) -> Problem:
    """The problem of an unknown name.

    :param kind: the kind of name, in words, for the message.
    :param known: the names that exist; the closest one is suggested, ignoring case.
    :param meant: the name to suggest instead of the closest one.
    :param prefix: the prefix of all known names, in upper case; it is left out of the comparison.
    """
    names = sorted(known)
    choices = {choice.removeprefix(prefix).lower(): choice for choice in names}
    wanted = name.upper().removeprefix(prefix).lower() if isinstance(name, str) else ""
    close = difflib.get_close_matches(wanted, choices, n=1)
    guess = meant or (choices[close[0]] if close else None)
    hint = f"Did you mean {guess!r}?" if guess else f"Known: {', '.join(names) or 'none'}."
    message = f"there is no {kind} {text_of(name)}. {hint}"
    return Problem(code, field, name, message, repr(guess) if guess else None)


class BrowserError(CorsGuardError, ValueError):
    """A test asks for something impossible, such as a page that is not an origin, or a URL for
    which there is no server."""


class FetchTypeError(CorsGuardError, TypeError):
    """A mistake in the page's own code, for which ``fetch()`` raises a ``TypeError`` before it
    sends anything (https://fetch.spec.whatwg.org/#dom-request)."""


def is_shutdown(error: BaseException) -> bool:
    """Whether an exception ends the process, the greenlet or the coroutine, and must not be caught.

    Every other exception, including ``gevent.Timeout`` and ``asyncio.CancelledError``, is a failure
    of the code that raised it.
    """
    if isinstance(error, Exception):
        return False
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(map(is_shutdown, group.exceptions))
    # By name, because greenlet need not be installed.
    return isinstance(error, SHUTDOWNS) or any(
        kind.__name__ == "GreenletExit" for kind in type(error).__mro__
    )
