"""What goes to the log ``flask_corsguard``: one line for each rejection, but no more of them than
a person can read."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from flask.app import Flask

from flask_corsguard.lock import Lock
from flask_corsguard.protocol import explanation
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.protocol.remedies import set_by
from flask_corsguard.text import called_by, described, shown

logger = logging.getLogger("flask_corsguard")

#: How long, in seconds, one line stands for all others like it.
QUIET_SECONDS = 60.0
#: How many different lines are remembered: an attacker can make up any number of origins.
MOST_REMEMBERED = 1024


class LeftOut(NamedTuple):
    """How many lines were left out: of the same kind, and of kinds no longer remembered."""

    alike: int
    others: int

    def __str__(self) -> str:
        alike = f"; {self.alike} more like it were left out" if self.alike else ""
        others = f"; {self.others} others were left out" if self.others else ""
        return alike + others


class RateLimit:
    """At most one line in :data:`QUIET_SECONDS` for each key, in bounded memory.

    While :data:`MOST_REMEMBERED` keys are being kept quiet, all new ones count as a single one.

    :param clock: seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # key -> until when it is kept quiet, and how many lines were left out; the oldest first
        self._quiet: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._others = 0
        self._last_of_others = -math.inf

    def admit(self, key: Hashable) -> LeftOut | None:
        """Ask whether a line may be written.

        :returns: what was left out since the last one, or None to leave this one out too.
        """
        now = self._clock()
        quiet = self._quiet
        with self._lock:
            until, left_out = quiet.get(key, (-math.inf, 0))
            if now < until:
                quiet[key] = (until, left_out + 1)
                return None
            if key not in quiet and len(quiet) >= MOST_REMEMBERED:
                while quiet and next(iter(quiet.values()))[0] <= now:
                    self._others += quiet.popitem(last=False)[1][1]
                if len(quiet) >= MOST_REMEMBERED:
                    return self._admit_another(now)
            quiet[key] = (now + QUIET_SECONDS, 0)
            quiet.move_to_end(key)
            return self._left_out(left_out)

    def _admit_another(self, now: float) -> LeftOut | None:
        if now - self._last_of_others < QUIET_SECONDS:
            self._others += 1
            return None
        self._last_of_others = now
        return self._left_out(0)

    def _left_out(self, alike: int) -> LeftOut:
        others, self._others = self._others, 0
        return LeftOut(alike, others)


class GuardLog:
    """The log of one app.

    :param log_rejections: whether rejections are logged; failures and warnings always are.
    """

    def __init__(self, app: Flask, log_rejections: bool) -> None:
        self._app = app
        self._log_rejections = log_rejections
        self.rate_limit = RateLimit()
        self._warned: set[str | None] = set()

    def rejection(self, decision: Decision) -> None:
        """Write who was turned away, and why. In debug mode, also what to change."""
        if not self._log_rejections and decision.reason is not Reason.ORIGIN_CHECK_FAILED:
            return
        left_out = self.rate_limit.admit(
            (
                decision.endpoint,
                decision.origin,
                decision.policy_source,
                decision.outcome,
                decision.reason,
                decision.blocked,
                decision.report_only,
            )
        )
        if left_out is not None:
            self._write_rejection(decision, left_out)

    def _write_rejection(self, decision: Decision, left_out: LeftOut) -> None:
        line = f"{explanation.summary(decision)} by {set_by(decision)}"
        if decision.reason is Reason.ORIGIN_CHECK_FAILED:
            line += f"; {explanation.found(decision)}"
        elif decision.outcome is Outcome.UNENFORCED:
            line += f'; {explanation.NOT_HELD_BACK}, enforce="unsafe" refuses it'
        elif decision.detail:
            line += f"; {decision.detail}"
        line += str(left_out)
        if self._app.debug:
            line = ". ".join([line, *explanation.advice(decision)])
        self._write(logging.WARNING, "%s.", line)

    def failure(self, what: str, error: BaseException) -> None:
        """Write that some of the app's code failed when the guard called it."""
        left_out = self.rate_limit.admit(("failure", what))
        if left_out is not None:
            self._write(logging.ERROR, "%s failed: %s%s.", what, described(error), left_out)

    def own_headers(self, endpoint: str | None, names: Iterable[str]) -> None:
        """Write, once for each endpoint, that a view sets headers that belong to the guard."""
        if endpoint not in self._warned:
            self._warned.add(endpoint)
            listed = ", ".join(sorted(map(shown, names)))
            who = f"endpoint {endpoint}" if endpoint else "a URL without a route"
            self._write(
                logging.WARNING,
                "%s: the app sets %s itself; the guard has replaced or removed it. Take it out, or"
                " mark the view with cors_exempt.",
                who,
                listed,
            )

    def own_response_failed(self, error: BaseException | None) -> None:
        """Write which of the app's functions failed on the guard's own response."""
        phases = ("process_response", "do_teardown_request", "do_teardown_appcontext")
        function = (error and called_by(error, *phases)) or "a function of the app"
        self.notice(
            ("own response", function),
            "%s failed on the guard's own response%s. It was sent all the same. Preflights and"
            " refused requests reach no other before_request function: if this one relies on one,"
            " register that with guard.run_first.",
            function,
            f": {described(error)}" if error else "",
        )

    def exception_left(self, path: str, error: BaseException) -> None:
        """Write that no hook could write headers, because an exception has left the app."""
        self.notice(
            ("exception", path),
            "%s raised %s, and the exception left the app, as it does in debug mode, under TESTING"
            " and with PROPAGATE_EXCEPTIONS. Whatever responds now, such as Werkzeug's debugger,"
            " sends no CORS headers, so a browser calls it a CORS error.",
            shown(path),
            described(error),
        )

    def preflight_ended(self, decision: Decision, function: str, status: int) -> None:
        """Write that a function of ``run_first`` has responded to a preflight with an error."""
        self.notice(
            ("preflight", decision.endpoint, function, status),
            "%s, but %s, which runs ahead of the guard, has responded with %s: the browser takes"
            " that for a refusal.",
            explanation.summary(decision),
            function,
            status,
        )

    def middleware_missed(self) -> None:
        """Write that a request has come past the guard's middleware."""
        if not self._app.testing:
            self.notice(
                "middleware",
                "a request has reached the app past the guard's middleware: something has put an"
                " older app.wsgi_app back after CorsGuard(app), or calls the app's methods itself."
                " Where an extension responds without after_request functions, its responses have"
                " no CORS headers.",
            )

    def notice(self, key: Hashable, text: str, *values: object) -> None:
        """Write a warning, at most once in :data:`QUIET_SECONDS` for each *key*."""
        if self.rate_limit.admit(("notice", key)) is not None:
            self._write(logging.WARNING, text, *values)

    @staticmethod
    def _write(level: int, text: str, *values: object) -> None:
        # A log handler that fails must not make the request fail.
        with contextlib.suppress(Exception):
            logger.log(level, text, *values)
