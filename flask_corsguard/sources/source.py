"""The base class of sources of origins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

from flask_corsguard.errors import PolicyError
from flask_corsguard.protocol.fields import source_problems

AtStart: TypeAlias = Literal["closed", "fail"]
#: An origin; if the source has ``by``, a tenant and an origin.
Row: TypeAlias = str | tuple[Hashable, str]


class BadRow(NamedTuple):
    """A row that a source itself cannot use.

    :ivar text: the row as it is written.
    :ivar why: what is wrong with it.
    """

    text: str
    why: str


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

    :param refresh: after how many seconds the next request reads the store again; at least 30 for a
        source with neither ``changes()`` nor ``version()``.
    :param deadline: for how many seconds one request waits for the store.
    :param stale_after: for how many seconds the rows count after they were last known to be
        current. After that, the source admits no origin.
    :param at_start: with ``"fail"``, ``guard.prepare()`` reads the rows, and raises an error if it
        cannot; with ``"closed"``, the first request that needs the rows reads them.
    :param by: takes the request and returns its tenant, which must be hashable. Rows are then
        (tenant, origin), and the policy needs ``origins_vary``.
    :raises PolicyError: with every problem of these settings.
    :ivar name: the source's name in the log, without secrets.
    :ivar reload_every: after how many seconds everything is read even if the store reports no
        change; None for never.
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

        :returns: the version, and the rows. The rows may be a generator: if this request's deadline
            passes, the next request reads on.
        :raises Exception: if the store cannot be read.
        """
