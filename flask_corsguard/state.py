"""What is known about one app: its settings, its policy table, and the decisions made with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import cast

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy

from flask_corsguard import signals
from flask_corsguard.config import Settings
from flask_corsguard.enforcement import is_same_origin
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem
from flask_corsguard.logging import GuardLog
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.resolution import EndpointMarks
from flask_corsguard.routing import PolicyTable

EXTENSION_KEY = "corsguard"
# Bound once: these are read for every request.
_ALLOWED, _REJECTED = Outcome.ALLOWED, Outcome.REJECTED


class AppState:
    """The guard of one app, kept in ``app.extensions["corsguard"]``.

    :ivar environ_key: where a request's decision is kept in the WSGI environment. It names the
        app: a view can hand its environment on to another app with a guard of its own.
    """

    def __init__(self, app: Flask, settings: Settings, marks: EndpointMarks) -> None:
        self.app = app
        self.settings = settings
        self.marks = marks
        self.log = GuardLog(app, settings.log_rejections)
        self.environ_key = f"flask_corsguard.decision.{id(app)}"
        self._table: PolicyTable | None = None
        # The table's own memory of decisions, at hand: most requests need nothing else.
        self._known: Mapping[tuple[int, str, str | None], Decision] = {}
        self._problems: tuple[Problem, ...] = ()
        self._lock = threading.Lock()
        self._companion: object = None

    def keep(self, companion: object) -> None:
        """Keep something alive for as long as the app."""
        self._companion = companion

    def current_table(self) -> PolicyTable:
        """The table that is in force or, before the first request, the one that would be."""
        return self._table or PolicyTable(self.app, self.settings, self.marks)

    def final_table(self) -> PolicyTable:
        """The table that is in force; it is built now if it has not been.

        :raises PolicyError: while there is a problem with any route. The app answers nothing
            until it is put right.
        """
        table = self._table
        if table is not None:
            return table
        with self._lock:
            if self._table is None and not self._problems:
                self.marks.frozen = True
                try:
                    self._put_in_force(PolicyTable(self.app, self.settings, self.marks))
                except PolicyError as error:
                    self._problems = error.problems
            if self._table is None:
                raise PolicyError(self._problems)
            return self._table

    def change_settings(self, change: Callable[[Settings], Settings]) -> None:
        """Put other settings in force, for all requests that begin from now on.

        :param change: makes the new settings of the old ones.
        :raises PolicyError: if they do not fit the routes; then nothing has changed.
        """
        with self._lock:
            settings = change(self.settings)
            if self._table is not None or self._problems:
                self._put_in_force(PolicyTable(self.app, settings, self.marks))
            self.settings = settings
            self._problems = ()

    def _put_in_force(self, table: PolicyTable) -> None:
        self._table, self._known = table, table.known

    def decide(self, request: Request) -> Decision:
        """The decision about a request.

        :raises PolicyError: while there is a problem with any route.
        """
        origin: str | None = request.environ.get("HTTP_ORIGIN")
        decision = None
        # A long origin is not looked up: that would read all of it.
        if origin is None or len(origin) <= MAX_ORIGIN_LENGTH:
            decision = self._known.get((id(request.url_rule), request.method, origin))
        if decision is None:
            decision = (self._table or self.final_table()).decide(request)
        if decision.outcome is _REJECTED:
            return self._unless_same_origin(decision, request)
        return decision

    def foresee(self, request: Request) -> Decision:
        """The decision that there would be about a request that nobody has sent."""
        return self._unless_same_origin(self.current_table().decide(request), request)

    def _unless_same_origin(self, decision: Decision, request: Request) -> Decision:
        """A rejection, but of the app's own pages: those are none of CORS's business."""
        policy, origin = decision.policy, request.environ.get("HTTP_ORIGIN", "")
        if decision.outcome is not _REJECTED or policy is None:
            return decision
        if is_same_origin(request.environ, origin, self.settings.self_origins):
            return decision._replace(
                outcome=Outcome.SAME_ORIGIN,
                reason=None,
                path="",
                headers=policy.compiled.refused,
            )
        return decision if decision.path == request.path else decision._replace(path=request.path)

    def announce(self, decision: Decision) -> None:
        """Log a rejection, and send the signal of a verdict about another origin."""
        if decision.outcome is _ALLOWED:
            if signals.origin_allowed.receivers:
                signals.send(signals.origin_allowed, self.app, decision, self.log)
        elif decision.outcome is _REJECTED and decision.reason is not None:
            self.log.rejection(decision)
            about_origin = decision.reason.is_about_origin
            signal = signals.origin_rejected if about_origin else signals.preflight_rejected
            signals.send(signal, self.app, decision, self.log)


def state_of(app: Flask) -> AppState:
    """The guard's state for *app*.

    :raises CorsGuardError: if the app has no guard.
    """
    state = app.extensions.get(EXTENSION_KEY) if isinstance(cast("object", app), Flask) else None
    if not isinstance(state, AppState):
        raise CorsGuardError(f"{app!r} has no guard; call CorsGuard(app) or guard.init_app(app)")
    return state


def _current_decision() -> Decision:
    decision = request.environ.get(state_of(current_app).environ_key)
    if decision is None:
        raise CorsGuardError("nothing has been decided about this request yet")
    return cast("Decision", decision)


#: The decision about the current request, for views and everything that runs after the guard.
current_decision: Decision = cast("Decision", LocalProxy(_current_decision))
