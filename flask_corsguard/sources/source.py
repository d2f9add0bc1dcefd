"""What a source of origins has, whatever it reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, TypeAlias, TypedDict

from flask_corsguard.errors import PolicyError
from flask_corsguard.protocol.fields import source_problems

AtStart: TypeAlias = Literal["closed", "fail"]
#: An origin; or a tenant and an origin, if the source has ``by``.
Row: TypeAlias = str | tuple[Hashable, str]
By: TypeAlias = Callable[[Any], Hashable]


class SourceSettings(TypedDict, total=False):
    """The settings that all sources have, for type checkers."""

    refresh: float
    deadline: float
    stale_after: float
    at_start: AtStart
    by: By | None


class Source(ABC):
    """Origins that change while the app runs.

    :param refresh: how old, in seconds, what is known may be before the next request has the store
        asked. A source without ``changes()`` and ``version()`` is asked at most every 30 s.
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
        problems = [*source_problems(self)]
        if problems:
            raise PolicyError(problems)

    @abstractmethod
    def load(self) -> tuple[object, Iterable[Row]]:
        """Read everything.

        :returns: the version, and the rows. These may come one by one: reading them may go on in
            another request, if the deadline of this one has passed.
        :raises Exception: if the store cannot be read.
        """
