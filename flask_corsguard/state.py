"""What is known about one app: its settings, its policy table, and the decisions made with them."""

from __future__ import annotations

import threading
from typing import Any, cast

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy

from flask_corsguard import signals
from flask_corsguard.config import Settings
from flask_corsguard.enforcement import is_same_origin
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem
from flask_corsguard.logging import GuardLog
from flask_corsguard.protocol.decision import CorsRequest, Decision, decide
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.resolution import EndpointMarks
from flask_corsguard.routing import Place, PolicyTable

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
        self._problems: tuple[Problem, ...] = ()
        self._lock = threading.Lock()

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
                    self._table = PolicyTable(self.app, self.settings, self.marks)
                except PolicyError as error:
                    self._problems = error.problems
            if self._table is None:
                raise PolicyError(self._problems)
            return self._table

    def replace_settings(self, settings: Settings) -> None:
        """Put other settings in force, for all requests that begin from now on.

        :raises PolicyError: if they do not fit the routes; then nothing has changed.
        """
        with self._lock:
            if self._table is not None or self._problems:
                self._table = PolicyTable(self.app, settings, self.marks)
            self.settings = settings
            self._problems = ()

    def decide(self, request: Request, table: PolicyTable | None = None) -> Decision:
        """The decision about a request.

        :param table: another table than the one in force.
        :raises PolicyError: while there is a problem with any route.
        """
        table = table or self._table or self.final_table()
        environ = request.environ
        origin: str | None = environ.get("HTTP_ORIGIN")
        if origin is None:
            return table.for_request(request).plain
        if request.method == "OPTIONS":
            announced: str | None = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
            if announced is not None:
                return self._decide_preflight(request, origin, announced, table)
        place = table.for_request(request)
        decision = table.known.get((place, origin))
        if decision is None:
            asked = CorsRequest(origin, request.method, request.path, False, None, False, request)
            decision = _judge(asked, place)
            table.remember(place, origin, decision)
        if decision.outcome is _REJECTED:
            return self._unless_same_origin(decision._replace(path=request.path), environ)
        return decision

    def _decide_preflight(
        self, request: Request, origin: str, announced: str, table: PolicyTable
    ) -> Decision:
        announced = announced[: MAX_METHOD_LENGTH + 1]
        place = table.for_preflight(request, announced)
        decision = _judge(_preflight(origin, announced, request), place)
        if decision.outcome is _REJECTED:
            return self._unless_same_origin(decision, request.environ)
        return decision

    def _unless_same_origin(self, decision: Decision, environ: dict[str, Any]) -> Decision:
        """A rejection, but of the app's own pages: those are none of CORS's business."""
        policy = decision.policy
        if policy is None or not is_same_origin(
            environ, decision.origin or "", self.settings.self_origins
        ):
            return decision
        return decision._replace(
            outcome=Outcome.SAME_ORIGIN, reason=None, headers=policy.compiled.refused
        )

    def announce(self, decision: Decision) -> None:
        """Log a rejection, and send the signal of a verdict about another origin."""
        if decision.outcome is _ALLOWED:
            if signals.origin_allowed.receivers:
                signals.send(signals.origin_allowed, self.app, decision, self.log)
        elif decision.reason is not None:
            self.log.rejection(decision)
            about_origin = decision.reason.is_about_origin
            signal = signals.origin_rejected if about_origin else signals.preflight_rejected
            signals.send(signal, self.app, decision, self.log)


def _judge(asked: CorsRequest, place: Place) -> Decision:
    if place.policy is not None:
        return decide(place.policy, asked, place.scope)
    cut = (asked.origin or "")[:MAX_ORIGIN_LENGTH]
    return place.plain._replace(origin=cut, method=asked.method, preflight=asked.preflight)


def _preflight(origin: str, announced: str, request: Request) -> CorsRequest:
    environ = request.environ
    return CorsRequest(
        origin,
        announced,
        request.path,
        True,
        environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
        environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true",
        request,
    )


def state_of(app: Flask) -> AppState:
    """The guard's state for *app*.

    :raises CorsGuardError: if the app has no guard.
    """
    state = app.extensions.get(EXTENSION_KEY)
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
