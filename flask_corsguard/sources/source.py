"""What a source of origins has, whatever it reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, TypeAlias

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.text import text_of

AtStart: TypeAlias = Literal["closed", "fail"]
#: An origin; or a tenant and an origin, if the source has ``by``.
Row: TypeAlias = str | tuple[Hashable, str]
By: TypeAlias = Callable[[Any], Hashable]

#: In seconds: how often a store is asked that can only give everything.
SELDOM = 30.0


class Source(ABC):
    """Origins that change while the app runs.

    :param refresh: how old, in seconds, what is known may be before the next request has the store
        asked. A source without :meth:`changes` and :meth:`version` is asked at most every 30 s.
    :param deadline: how long, in seconds, one request waits for the store.
    :param stale_after: for how many seconds the last good read counts. After that, the source
        admits nobody.
    :param at_start: ``"fail"``: ``guard.prepare()`` raises if the rows cannot be read; or
        ``"closed"``: the first request that needs them has them read.
    :param by: takes the request and returns its tenant. Rows are (tenant, origin) then, and the
        policy needs ``origins_vary``.
    :raises PolicyError: with everything that is wrong with these.
    :ivar name: what the source is called in the log, without secrets.
    :ivar reload_every: in seconds, how often everything is read even if nothing says that it has
        changed; None for never.
    """

    name: str
    reload_every: float | None = None

    def __init__(
        self,
        *,
        refresh: float = 1.0,
        deadline: float = 0.2,
        stale_after: float = 300.0,
        at_start: AtStart = "closed",
        by: By | None = None,
    ) -> None:
        self.refresh = refresh
        self.deadline = deadline
        self.stale_after = stale_after
        self.at_start = at_start
        self.by = by
        problems = [*setting_problems(self)]
        if problems:
            raise PolicyError(problems)

    @abstractmethod
    def load(self) -> tuple[object, Iterable[Row]]:
        """Read everything.

        :returns: the version, and the rows. These may come one by one: reading them may go on in
            another request, if the deadline of this one has passed.
        :raises Exception: if the store cannot be read.
        """


def setting_problems(source: object) -> list[Problem]:
    """What is wrong with the settings of a source, be it one of the user's own."""
    problems: list[Problem] = []
    for name, default in (("refresh", 1.0), ("deadline", 0.2), ("stale_after", 300.0)):
        value = getattr(source, name, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 < value <= 86400:
            message = f"{text_of(value)} is not a number of seconds above 0, up to 86400."
            message += f" Write {name}={default:g}."
            problems.append(Problem("source_seconds", name, value, message, repr(default)))
    at_start = getattr(source, "at_start", "closed")
    if at_start not in ("closed", "fail"):
        message = f"{text_of(at_start)} is neither 'closed' nor 'fail'."
        problems.append(Problem("source_at_start", "at_start", at_start, message, "'closed'"))
    by = getattr(source, "by", None)
    if by is not None and not callable(by):
        message = f"{text_of(by)} is not a function that takes the request."
        problems.append(Problem("wrong_type", "by", by, message))
    return problems
