"""What goes to the log ``flask_corsguard``: one line for each rejection, but no more of them than
a person can read."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from flask import Flask

from flask_corsguard.errors import described
from flask_corsguard.protocol import explanation
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Reason

logger = logging.getLogger("flask_corsguard")

#: How long, in seconds, one line stands for all others like it.
QUIET_SECONDS = 60.0
#: How many different lines are remembered: whoever attacks can make up any number of origins.
MOST_REMEMBERED = 1024

_EVERYTHING_ELSE = object()


class RateLimit:
    """At most one line in :data:`QUIET_SECONDS` for each key, in bounded memory.

    While :data:`MOST_REMEMBERED` keys are being kept quiet, all new ones share a single key.

    :param clock: seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # key -> (time of the last line, how many were left out since); the oldest line first
        self._entries: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def admit(self, key: Hashable) -> int | None:
        """Ask for a line.

        :returns: how many were left out since the last one, or None if this one is left out too.
        """
        now = self._clock()
        entries = self._entries
        with self._lock:
            if key not in entries and len(entries) >= MOST_REMEMBERED:
                while entries and now - next(iter(entries.values()))[0] >= QUIET_SECONDS:
                    entries.popitem(last=False)
                if len(entries) >= MOST_REMEMBERED:
                    key = _EVERYTHING_ELSE
            last, left_out = entries.get(key, (now - QUIET_SECONDS, 0))
            if now - last < QUIET_SECONDS:
                entries[key] = (last, left_out + 1)
                return None
            entries[key] = (now, 0)
            entries.move_to_end(key)
            return left_out


class GuardLog:
    """The log of one app.

    :param log_rejections: whether rejections are logged; failures and warnings always are.
    """

    def __init__(self, app: Flask, log_rejections: bool) -> None:
        self._app = app
        self._log_rejections = log_rejections
        self.rate_limit = RateLimit()
        self._warned: set[tuple[str | None, str]] = set()

    def rejection(self, decision: Decision) -> None:
        """Write who was turned away, and why. In debug mode, also what to change."""
        failed = decision.reason is Reason.ORIGIN_CHECK_FAILED
        if not (self._log_rejections or failed):
            return
        left_out = self.rate_limit.admit((decision.endpoint, decision.origin, decision.reason))
        if left_out is None:
            return
        line = f"{explanation.summary(decision)} by {explanation.policy_place(decision)}"
        if failed:
            line += f"; {explanation.found(decision)}"
        if left_out:
            line += f"; {left_out} more like it were left out since the last such line"
        if self._app.debug:
            line += f". If it should be allowed: {explanation.remedy(decision)}"
        logger.warning("%s.", line)

    def failure(self, what: str, error: BaseException) -> None:
        """Write that code of the app's failed while the guard called it."""
        if self.rate_limit.admit(("failure", what)) is not None:
            logger.error("%s failed: %s.", what, described(error))

    def own_headers(self, endpoint: str | None, names: Iterable[str]) -> None:
        """Write, once for each endpoint, that a view sets headers that the guard answers for."""
        listed = ", ".join(sorted(names))
        if (endpoint, listed) not in self._warned and len(self._warned) < MOST_REMEMBERED:
            self._warned.add((endpoint, listed))
            place = f"endpoint {endpoint}" if endpoint else "a URL without a route"
            logger.warning(
                "%s: the app sets %s itself; the guard has replaced or removed it. Take it out, or"
                " mark the view with cors_exempt.",
                place,
                listed,
            )
