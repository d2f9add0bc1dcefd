"""How many decisions of each kind there were."""

from __future__ import annotations

import os
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome, Reason

# Bound once: this is called on every request.
_getpid = os.getpid


class DecisionKind(NamedTuple):
    """What decisions are counted by. Every part comes from the code, so their number is limited,
    whatever is sent.

    :ivar outcome: the verdict.
    :ivar reason: why it was rejected or is not admitted, or None.
    :ivar endpoint: the Flask endpoint, or None if no route was found.
    :ivar policy: in words, what set the policy: ``view users.list``, ``blueprint api``,
        ``default``.
    :ivar preflight: whether these were CORS preflights.
    :ivar blocked: whether the server refused to run these requests.
    """

    outcome: Outcome
    reason: Reason | None
    endpoint: str | None
    policy: str
    preflight: bool
    blocked: bool


#: The same as a plain tuple, which is equal, and made in a fraction of the time.
Kind: TypeAlias = tuple[Outcome, Reason | None, str | None, str, bool, bool]

_PARTS = ("outcome", "reason", "endpoint", "policy_source", "preflight", "blocked")
#: The kind of a decision.
kind_of: Callable[[Decision], Kind] = itemgetter(*map(Decision._fields.index, _PARTS))


class Counts:
    """The decisions about one app's requests. Each process counts its own.

    No thread takes a lock. With its global lock, CPython changes threads and runs signal handlers
    only where a function in Python begins, where a loop goes back, and after a call. There is none
    of these between the look at a number and its change, in one statement, so no count is lost.

    :ivar receiver: is called with the kind of each decision that is counted; or None.
    """

    __slots__ = ("_numbers", "_pid", "receiver")

    def __init__(self) -> None:
        self.receiver: Callable[[Kind], None] | None = None
        self._pid = os.getpid()
        # In lists of one: to look a kind up takes longer than all else here.
        self._numbers: dict[Kind, list[int]] = {}

    def add(self, kind: Kind) -> None:
        """Count a decision."""
        if self._pid != _getpid():
            self._start_over()
        try:
            number = self._numbers[kind]
        except KeyError:
            number = self._numbers.setdefault(kind, [0])
        number[0] += 1
        if self.receiver is not None:
            self.receiver(kind)

    def copy(self) -> dict[DecisionKind, int]:
        """How many there are of each kind."""
        if self._pid != _getpid():
            self._start_over()
        numbers = self._numbers.copy()  # a loop could meet a kind that another thread adds
        return {DecisionKind(*kind): number for kind, [number] in numbers.items()}

    def _start_over(self) -> None:
        """Begin at zero after a fork. The process is looked at each time: servers that fork in C,
        as uWSGI does, do not run ``os.register_at_fork`` functions."""
        pid, numbers = os.getpid(), dict[Kind, list[int]]()
        if self._pid != pid:  # no other thread has been first
            self._numbers = numbers
            self._pid = pid
