"""The two hooks of an app, and how they come to run before and after everything else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, Response, after_this_request, request
from flask.signals import got_request_exception, request_started

from flask_corsguard import signals
from flask_corsguard.errors import CorsGuardError, PolicyError
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.judge import Judge
from flask_corsguard.runtime.responses import (
    COMMON_HEADERS,
    LISTED_HEADERS,
    OWN_PREFIXES,
    forbid_storing,
    preflight_response,
    refusal,
    write_headers,
)
from flask_corsguard.runtime.state import AppState

#: Added to a state's ``environ_key``: where the status is kept of what ended a request before the
#: guard saw it.
ENDED_EARLY = ".ended_early"
# The request itself, so that what follows does not go through the proxy each time.
_current_request = cast("Callable[[], Request]", cast("Any", request)._get_current_object)
_Before = Callable[[], Response | None]
_After = Callable[[Response], Response]
_Functions = dict[str | None, list[Callable[..., Any]]]
# Bound once: these are read for every request.
_EXEMPT, _REJECTED = Outcome.EXEMPT, Outcome.REJECTED


def install_hooks(state: AppState) -> None:
    """Register the hooks of one app.

    :raises CorsGuardError: if the app has answered a request; then nothing is registered.
    """
    app = state.app
    before_request = _before_request(state)
    after_request = _after_request(state, before_request)
    try:
        app.before_request(before_request)
    except AssertionError:
        raise CorsGuardError(
            f"{app!r} has answered a request already; call init_app() while the app is set up"
        ) from None
    app.after_request(after_request)
    _Starter(state, before_request, after_request).connect()


# Functions, not methods: Flask examines each hook on every request, and these are quickest.
def _before_request(state: AppState) -> _Before:
    key = state.environ_key
    origin_allowed, origin_rejected = signals.origin_allowed, signals.origin_rejected

    def before_request() -> Response | None:
        request = _current_request()
        environ = request.environ
        judge = state.judge or state.final_judge()
        origin: str | None = environ.get("HTTP_ORIGIN")
        # A long origin is not looked up: that would read all of it.
        if origin is None or len(origin) <= MAX_ORIGIN_LENGTH:
            asked = (id(request.url_rule), request.method, origin)
            memory = judge.memory
            known = memory.settled.get(asked)
            if known is not None:
                environ[key] = known
                if origin is not None and origin_allowed.receivers:
                    state.announce(known)
                return None
            rejection = memory.rejections.get(asked)
            if rejection is not None and not origin_rejected.receivers:
                repeated = rejection.repeated_by(request)
                if repeated is not None:
                    environ[key] = repeated
                    return None
        return _consider(state, judge, request)

    return before_request


def _consider(state: AppState, judge: Judge, request: Request) -> Response | None:
    """What is not settled by a look-up."""
    decision, judge = state.decide(request, judge)
    request.environ[state.environ_key] = decision
    line = None
    if decision.outcome is _REJECTED or signals.origin_allowed.receivers:
        line = state.announce(decision)
    if judge.trial is not None:
        state.try_out(judge.trial, request)
    elif line is not None:
        judge.expect_again(request, decision, line)
    if decision.blocked:
        return refusal(decision, request, debug=state.app.debug)
    return preflight_answer(decision, state.app) if decision.preflight else None


def _after_request(state: AppState, before_request: _Before) -> _After:
    key = state.environ_key

    def after_request(response: Response) -> Response:
        decision: Decision | None = _current_request().environ.get(key)
        if decision is None:
            return undecided(response)
        if decision.outcome is _EXEMPT:
            return response
        target = response.headers
        if type(target) is LISTED_HEADERS and not decision.blocked:
            # Werkzeug's own list. Its public methods would be a fifth of what the guard costs:
            # they check each value for line breaks, and none of these can have one.
            fields = target._list  # pyright: ignore[reportPrivateUsage]
            for name, _ in fields:
                if name not in COMMON_HEADERS and name.lower().startswith(OWN_PREFIXES):
                    break
            else:
                fields.extend(decision.headers.items())
                return response
        _write(state, decision, response)
        return response

    def undecided(response: Response) -> Response:
        """Something ended the request before the hook above: a url_value_preprocessor, say."""
        _current_request().environ[f"{key}{ENDED_EARLY}"] = response.status_code
        try:
            own_answer = before_request()
        except PolicyError:
            write_headers(response.headers, {VARY: "Origin"})
            return response
        return after_request(own_answer or response)

    return after_request


def _write(state: AppState, decision: Decision, response: Response) -> None:
    """Put a decision's headers on any response."""
    replaced = write_headers(response.headers, decision.headers)
    if replaced:
        state.log.own_headers(decision.endpoint, replaced)
    if decision.blocked:
        forbid_storing(response.headers)


class _Starter:
    """Receives the signals that matter once, or rarely."""

    def __init__(
        self,
        state: AppState,
        before_request: _Before,
        after_request: _After,
    ) -> None:
        self._state = state
        self._before_request = before_request
        self._after_request = after_request

    def connect(self) -> None:
        app = self._state.app
        self._move_to_the_edge()
        # Weakly, so that the app can be forgotten; until then, its state keeps this alive.
        self._state.keep(self)
        request_started.connect(self._first_request, app)
        got_request_exception.connect(self._exception, app)

    def _move_to_the_edge(self) -> None:
        """Run before every other function, and after every other (those run in reverse order).

        There is no public API for the order; the lists themselves are public.
        """
        app = self._state.app
        for functions, hook in (
            (cast("_Functions", app.before_request_funcs), self._before_request),
            (cast("_Functions", app.after_request_funcs), self._after_request),
        ):
            # A new list in one step: another thread may be going through the old one.
            functions[None] = [hook, *(f for f in functions[None] if f is not hook)]

    def _first_request(self, _sender: Flask, **_: object) -> None:
        """Put the hooks before and after whatever else was registered by now."""
        self._move_to_the_edge()
        # From every sender: from one alone, the receiver would stay known and cost every request.
        # Blinker fails where another thread connects meanwhile; then the next request comes here.
        with contextlib.suppress(RuntimeError):
            request_started.disconnect(self._first_request)

    def _exception(self, _sender: Flask, **_: object) -> None:
        """Should an ``after_request`` function raise, those that follow it do not run, and so the
        guard's does not. On the 500 that comes of it, run before them as well."""
        after_this_request(self._after_request)


def preflight_answer(decision: Decision, app: Flask) -> Response | None:
    """The guard's own response to a preflight, where it is the guard that answers."""
    policy = decision.policy
    if (
        policy is not None
        and policy.answer_preflight
        and decision.outcome in (Outcome.ALLOWED, Outcome.REJECTED)
    ):
        return preflight_response(decision, debug=app.debug)
    return None
