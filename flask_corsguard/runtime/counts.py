"""Counts of the decisions of each kind."""

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
    """A kind of decision that is counted. Every part comes from the app's code, so the number of
    kinds is limited, whatever requests are sent.

    :ivar outcome: the verdict.
    :ivar reason: why the requests were rejected or are not admitted, or None.
    :ivar endpoint: the Flask endpoint, or None if no route was found.
    :ivar policy: what set the policy, as in ``Decision.policy_source``: ``view users.list``,
        ``blueprint api``, ``default``.
    :ivar preflight: whether these were CORS preflights.
    :ivar blocked: whether the server refused these requests.
    """

    outcome: Outcome
    reason: Reason | None
    endpoint: str | None
    policy: str
    preflight: bool
    blocked: bool


#: The same as a plain tuple: equal to it, and faster to make.
Kind: TypeAlias = tuple[Outcome, Reason | None, str | None, str, bool, bool]

_PARTS = ("outcome", "reason", "endpoint", "policy_source", "preflight", "blocked")
#: The kind of a decision.
kind_of: Callable[[Decision], Kind] = itemgetter(*map(Decision._fields.index, _PARTS))


class Counts:
    """The decisions about one app's requests. Each process counts its own.

    No lock is needed. With its global lock, CPython switches threads and runs signal handlers only
    at the start of a Python function, at the end of a loop iteration, and after a call. None of
    these comes between reading a number and changing it, so no count is lost.

    :ivar receiver: called with the kind of each decision as it is counted; or None.
    """

    __slots__ = ("_numbers", "_pid", "receiver")

    def __init__(self) -> None:
        self.receiver: Callable[[Kind], None] | None = None
        self._pid = os.getpid()
        # Each number is in a list, so that the kind, which takes time, is looked up only once.
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
        """How many decisions of each kind have been counted in this process."""
        if self._pid != _getpid():
            self._start_over()
        numbers = self._numbers.copy()  # another thread may add a kind during the loop
        return {DecisionKind(*kind): number for kind, [number] in numbers.items()}

    def _start_over(self) -> None:
        """Start at zero after a fork. Every call checks the process id, because servers that fork
        in C, such as uWSGI, do not run ``os.register_at_fork`` functions."""
        pid, numbers = os.getpid(), dict[Kind, list[int]]()
        if self._pid != pid:  # unless another thread was faster
            self._numbers = numbers
            self._pid = pid
