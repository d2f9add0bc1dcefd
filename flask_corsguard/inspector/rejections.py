"""The last rejections, and the last handshakes that nothing refuses, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from itertools import count
from typing import NamedTuple

from flask.app import Flask

from flask_corsguard.lock import Lock
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.signals import handshake_unenforced, origin_rejected, preflight_rejected

#: How many are kept. A client can make up any number.
MAX_REJECTIONS = 100
_MAX_PATH_LENGTH = 300
_MAX_NAME_LENGTH = 80
_MAX_NAMES = 30
_MAX_DETAIL_LENGTH = 600


class RecentRejection(NamedTuple):
    """All rejections, or handshakes that nothing refuses, that are alike.

    :ivar number: tells the entries apart; a higher number is a later entry.
    :ivar times: how many there were.
    :ivar last: when the last one was, in seconds since the epoch.
    :ivar decision: the last one, cut.
    :ivar explanation: what :meth:`Decision.explain` said at the time if the policy has a source,
        whose rows change; or "".
    """

    number: int
    times: int
    last: float
    decision: Decision
    explanation: str


class RecentRejections:
    """Receives every rejection of one app, and every handshake that nothing refuses; keeps the last
    ones."""

    def __init__(self, app: Flask) -> None:
        self._kept: OrderedDict[Hashable, RecentRejection] = OrderedDict()
        self._numbers = count(1)
        self._lock = Lock()

        def receiver(_sender: Flask, decision: Decision) -> None:
            self._keep(_cut(decision))

        # The signals hold it weakly, so it is called as long as somebody keeps self. Not a method:
        # blinker before 1.8 forgets to disconnect a method that two signals hold, and mistakes the
        # next one at the same address for it.
        self._receiver = receiver
        for signal in (origin_rejected, preflight_rejected, handshake_unenforced):
            signal.connect(receiver, sender=app)

    def _keep(self, cut: Decision) -> None:
        key = (
            cut.origin,
            cut.method,
            cut.endpoint,
            cut.outcome,
            cut.reason,
            cut.preflight,
            cut.report_only,
        )
        is_live = any(policy.compiled.sources for policy in cut.policies)
        explanation = cut.explain() if is_live else ""
        with self._lock:
            known = self._kept.pop(key, None)
            number, before = (known.number, known.times) if known else (next(self._numbers), 0)
            self._kept[key] = RecentRejection(number, before + 1, time.time(), cut, explanation)
            if len(self._kept) > MAX_REJECTIONS:
                self._kept.popitem(last=False)

    def latest(self) -> list[RecentRejection]:
        """The rejections that are kept, the latest first."""
        with self._lock:
            return [*reversed(self._kept.values())]


def _cut(decision: Decision) -> Decision:
    """A decision in bounded size. Its origin is bounded from the start."""
    names = decision.request_headers
    reasons = (decision.reason, *decision.further_reasons)
    if Reason.HEADERS_NOT_ALLOWED in reasons and decision.policy is not None:
        # Only the ones that are not allowed matter.
        names = tuple(n for n in names if not decision.policy.compiled.allows_header(n))
    return decision._replace(
        method=decision.method[:MAX_METHOD_LENGTH],
        path=decision.path[:_MAX_PATH_LENGTH],
        request_headers=tuple(name[:_MAX_NAME_LENGTH] for name in names[:_MAX_NAMES]),
        detail=decision.detail[:_MAX_DETAIL_LENGTH],
        headers={},
    )
