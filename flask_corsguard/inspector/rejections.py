"""The last rejections, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import NamedTuple

from flask import Flask

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.signals import origin_rejected, preflight_rejected

#: How many are kept. Whoever sends requests can make up any number.
MOST_ENTRIES = 100
_LONGEST_METHOD = 40
_LONGEST_PATH = 300
_LONGEST_NAME = 80
_MOST_NAMES = 30
_LONGEST_DETAIL = 600


class Entry(NamedTuple):
    """All rejections that are alike.

    :ivar number: tells entries apart; higher is later.
    :ivar times: how many there were.
    :ivar last: when the last one was, in seconds since the epoch.
    :ivar decision: the last one, cut.
    """

    number: int
    times: int
    last: float
    decision: Decision


class Recorder:
    """Hears of every rejection of one app, and keeps the last ones.

    :param clock: the time, in seconds since the epoch.
    """

    def __init__(self, app: Flask, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._numbers = count(1)
        self._lock = threading.Lock()

        def receiver(sender: Flask, decision: Decision) -> None:
            self.record(sender, decision)

        # Known weakly to the signals: it hears of things for as long as somebody keeps this. Not a
        # method: blinker before 1.8 forgets to disconnect one that two signals know, and takes the
        # next one at the same address for that.
        self._receiver = receiver
        for signal in (origin_rejected, preflight_rejected):
            signal.connect(receiver, sender=app)

    def record(self, _sender: Flask, decision: Decision) -> None:
        """Keep one rejection, with those that are like it."""
        kept = _cut(decision)
        key = (
            kept.origin, kept.method, kept.endpoint, kept.reason, kept.preflight, kept.report_only,
        )  # fmt: skip
        with self._lock:
            known = self._entries.pop(key, None)
            number, before = (known.number, known.times) if known else (next(self._numbers), 0)
            self._entries[key] = Entry(number, before + 1, self._clock(), kept)
            if len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)

    def entries(self) -> list[Entry]:
        """What is kept; the latest first."""
        with self._lock:
            return [*reversed(self._entries.values())]


def _cut(decision: Decision) -> Decision:
    """The same in bounded size. Of the origin, no more was kept to begin with."""
    names = decision.request_headers
    if decision.reason is Reason.HEADERS_NOT_ALLOWED and decision.policy is not None:
        # Those that are refused are what there is to tell about.
        names = tuple(n for n in names if not decision.policy.compiled.allows_header(n))
    return decision._replace(
        method=decision.method[:_LONGEST_METHOD],
        path=decision.path[:_LONGEST_PATH],
        request_headers=tuple(name[:_LONGEST_NAME] for name in names[:_MOST_NAMES]),
        detail=decision.detail[:_LONGEST_DETAIL],
        headers={},
    )
