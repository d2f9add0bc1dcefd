"""How many decisions were made in this process, by what can be known of them beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import NamedTuple

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome, Reason


_getpid = os.getpid


class DecisionKind(NamedTuple):
    """What decisions are counted by. All of it comes from the code: whoever sends requests can make
    up nothing, so the number of kinds is limited.

    :ivar outcome: the verdict.
    :ivar reason: why it was rejected or is not admitted, or None.
    :ivar endpoint: the Flask endpoint, or None if no route was found.
    :ivar policy: in words, what set the policy: ``view users.list``, ``blueprint api``,
        ``default``.
    :ivar preflight: whether the requests were CORS preflights.
    :ivar blocked: whether the server refused to run them.
    """

    outcome: Outcome
    reason: Reason | None
    endpoint: str | None
    policy: str
    preflight: bool
    blocked: bool


_COUNTED = ("outcome", "reason", "endpoint", "policy_source", "preflight", "blocked")
# A plain tuple, which is equal to a DecisionKind and takes a fifth of the time.
kind_of: Callable[[Decision], DecisionKind] = itemgetter(*map(Decision._fields.index, _COUNTED))


class Counts:
    """The decisions of one app. Each process counts its own.

    There is no lock. CPython changes threads, and runs signal handlers, only where a function
    written in Python begins, a loop goes back, or a call ends. Between the reading of a number and
    the writing of the next one there is none of that: lists and ints are C. So no count is lost.

    :ivar receiver: told of each kind as soon as it is counted, or None.
    """

    __slots__ = ("_cells", "_pid", "receiver")

    def __init__(self) -> None:
        self.receiver: Callable[[DecisionKind], None] | None = None
        self._pid = os.getpid()
        # Lists with one number each: a kind takes longer to look up than all else here.
        self._cells: dict[DecisionKind, list[int]] = {}

    def add(self, kind: DecisionKind) -> None:
        """Count a decision of that kind."""
        if self._pid != _getpid():
            self._start_over()
        try:
            cell = self._cells[kind]
        except KeyError:
            cell = self._cells.setdefault(kind, [0])
        cell[0] += 1
        if self.receiver is not None:
            self.receiver(kind)

    def _start_over(self) -> None:
        fresh: dict[DecisionKind, list[int]] = {}
        pid = os.getpid()
        if self._pid != pid:
            self._cells = fresh
            self._pid = pid

    def copy(self) -> dict[DecisionKind, int]:
        """How many decisions of each kind there were so far."""
        return {DecisionKind._make(kind): cell[0] for kind, cell in self._cells.copy().items()}
