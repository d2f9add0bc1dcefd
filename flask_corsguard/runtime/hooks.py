"""The two hooks of an app, and how they come to run before and after everything else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, cast

from flask import Request, Response, after_this_request, request
from flask.app import Flask
from flask.signals import got_request_exception, request_started

from flask_corsguard import signals
from flask_corsguard.errors import CorsGuardError, PolicyError, is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.routing.table import LateRuleError
from flask_corsguard.runtime.responses import own_response, write_decision, write_headers
from flask_corsguard.runtime.state import AppState, InForce

#: Appended to ``AppState.environ_key``, the key for the status of a response that something else
#: made before the guard saw the request.
ENDED_EARLY = ".ended_early"
# The request itself, because Flask's proxy for it would take time on every access.
_current_request: Callable[[], Request] = cast("Any", request)._get_current_object


class Hooks:
    """What Flask calls for one app, by :class:`~flask_corsguard.runtime.state.AppState`.

    :raises CorsGuardError: if the app has served a request; then nothing is registered.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        app = state.app
        # Functions, not methods: on every request, Flask checks whether a hook is asynchronous, and
        # for each method that takes Python 3.13 another 2 % of a bare request.
        self._before_request = self._make_before_request()
        self._after_request = self._make_after_request()
        try:
            app.before_request(self._before_request)
        except AssertionError:
            raise CorsGuardError(
                f"{app!r} has served a request already; call init_app() while the app is set up"
            ) from None
        app.after_request(self._after_request)
        self._move_to_the_edge()
        # Connected weakly, so that the app can be forgotten. Until then, its hooks keep self alive.
        request_started.connect(self._first_request, app)
        got_request_exception.connect(self._exception, app)

    def _make_before_request(self) -> Callable[[], Response | None]:
        state = self._state

        def before_request() -> Response | None:
            request = _current_request()
            in_force = state.in_force or state.put_in_force()
            try:
                decision = in_force.decision_for(request)
            except LateRuleError:
                decision, in_force = state.late_decision(request, in_force)
            request.environ[state.environ_key] = decision
            if decision.reason is not None or signals.origin_allowed.receivers:
                signals.announce(state.app, decision, state.log)
            if in_force.report_only is not None:
                self._report(in_force.report_only, request)
            if decision.blocked or decision.preflight:
                return own_response(decision, request, debug=state.app.debug)
            return None

        return before_request

    def _report(self, report_only: InForce, request: Request) -> None:
        """Signal and log the request if the report-only policy would reject it. A failure in here
        never affects the request."""
        state = self._state
        try:
            decision = report_only.decision_for(request)
        except BaseException as error:
            if is_shutdown(error):
                raise
            state.log.failure("the policy in report_only", error)
            return
        if decision.reason is not None:
            decision = decision._replace(blocked=False, report_only=True)
            signals.announce(state.app, decision, state.log)

    def _make_after_request(self) -> Callable[[Response], Response]:
        state = self._state

        def after_request(response: Response) -> Response:
            decision: Decision | None = _current_request().environ.get(state.environ_key)
            if decision is None:
                return self._undecided(response)
            if decision.policy is not None:
                replaced = write_decision(decision, response.headers)
                if replaced:
                    state.log.own_headers(decision.endpoint, replaced)
            return response

        return after_request

    def _undecided(self, response: Response) -> Response:
        """Decide now, because something ended the request before the guard's ``before_request``: a
        ``url_value_preprocessor``, for example."""
        environ = _current_request().environ
        environ[f"{self._state.environ_key}{ENDED_EARLY}"] = response.status_code
        try:
            own = self._before_request()
        except PolicyError:
            write_headers({VARY: "Origin"}, response.headers)
            return response
        return self._after_request(own or response)

    def _move_to_the_edge(self) -> None:
        """Run before every other function, and after every other (those run in reverse order).

        There is no public API for the order; the lists themselves are public.
        """
        app = self._state.app
        hooks: list[tuple[Any, Callable[..., Any]]] = [
            (app.before_request_funcs, self._before_request),
            (app.after_request_funcs, self._after_request),
        ]
        for functions, hook in hooks:
            # A new list in one step: another thread may be going through the old one.
            functions[None] = [hook, *[f for f in functions[None] if f is not hook]]

    def _first_request(self, _sender: Flask, **_: object) -> None:
        """Put the hooks before and after everything that has been registered by now."""
        self._move_to_the_edge()
        # Disconnected for all senders: for one alone, blinker would keep the receiver, which costs
        # every request time. Blinker raises if another thread connects a receiver meanwhile; then
        # the next request tries again.
        with contextlib.suppress(RuntimeError):
            request_started.disconnect(self._first_request)

    def _exception(self, _sender: Flask, **_: object) -> None:
        """Write the headers on the 500 response too.

        If an ``after_request`` function raises, Flask skips the functions that follow it, and the
        guard's own is the last. ``after_this_request`` functions run before all of them.
        """
        after_this_request(self._after_request)
