"""The two hooks of an app, which run before and after everything else."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import functools
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from flask import Request, Response, after_this_request, current_app, has_request_context, request
from flask.app import Flask
from flask.signals import got_request_exception, request_started

from flask_corsguard import signals
from flask_corsguard.decorators import call_site
from flask_corsguard.errors import CorsGuardError, PolicyError
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.table import LateRuleError
from flask_corsguard.runtime.counts import kind_of
from flask_corsguard.runtime.enforcement import opens_websocket, what_happens
from flask_corsguard.runtime.front_record import FrontRecord, has_passed_a_front, record_of
from flask_corsguard.runtime.middleware import finished_response, guarded
from flask_corsguard.runtime.responses import (
    cors_headers,
    let_stand,
    own_response,
    write_decision,
    write_first,
    write_headers,
)
from flask_corsguard.runtime.state import (
    DECISION,
    OVERRIDE,
    AppState,
    InForce,
    RequestRecord,
    is_later_writer,
)
from flask_corsguard.text import name_of

# Returns the request itself: each access through Flask's proxy takes time.
_current_request: Callable[[], Request] = cast("Any", request)._get_current_object
# The attribute of a response with the headers that were written on it: a view can return the same
# response again.
_WRITTEN = "_corsguard_written"
# Packages that measure whole requests. Their functions still run before the guard.
_TRACING = {
    "aws_xray_sdk",
    "flask_opentracing",
    "opentelemetry",
    "prometheus_flask_exporter",
    "scout_apm",
}

Function = Callable[[], Any]


class Hooks:
    """The functions that Flask calls for one app, with its
    :class:`~flask_corsguard.runtime.state.AppState`.

    :raises CorsGuardError: if the app has served a request; then nothing is registered.
    """

    def __init__(self, state: AppState) -> None:
        self._state = state
        app = state.app
        # Functions, not methods: on every request, Flask checks whether a hook is asynchronous. For
        # a method, that takes 2 % of a bare request on Python 3.13.
        self._before_request = self._make_before_request()
        self._after_request = self._make_after_request()
        try:
            app.before_request(self._before_request)
        except AssertionError:
            raise CorsGuardError(
                f"{call_site()}: {app!r} has served a request already; call init_app() while the"
                " app is set up"
            ) from None
        app.after_request(self._after_request)
        self._first: dict[Function, Function] = {}
        self._move_outermost()
        app.wsgi_app = guarded(state, app.wsgi_app)  # type: ignore[assignment, method-assign]
        # Connected weakly, so that the app can be forgotten. Until then, its hooks keep self alive.
        request_started.connect(self._first_request, app)
        got_request_exception.connect(self._exception, app)

    def _make_before_request(self) -> Callable[[], Response | None]:
        state = self._state
        file, unusual = state.settings_file, state.unusual
        app, log, count = state.app, state.log, state.counts.add
        announce, allowed = signals.announce, signals.origin_allowed

        def before_request() -> Response | None:
            request = _current_request()
            if file is not None and time.monotonic() >= file.next_look:
                state.follow()
            in_force = state.in_force or state.put_in_force()
            if unusual:
                decision, in_force, is_announced = self._decide(request, in_force)
            else:
                is_announced = False
                try:
                    decision = in_force.decision_for(request)
                except LateRuleError:
                    decision, in_force = state.late_decision(request, in_force)
            _keep(state, request, decision)
            # Unpacking the kind is faster than three attributes of the decision.
            _, reason, _, _, preflight, blocked = kind = kind_of(decision)
            if not is_announced:  # the same as state.tell(), but faster
                if reason is not None and decision.report_only:
                    kind = kind_of(what_happens(decision, request))
                count(kind)
                if reason is not None or allowed.receivers:
                    announce(app, decision, log)
                if in_force.report_only is not None:
                    state.report(in_force.report_only, request)
            if blocked or preflight:
                return own_response(decision, request, state.app)
            return None

        return before_request

    def _decide(self, request: Request, in_force: InForce) -> tuple[Decision, InForce, bool]:
        """The decision, if a guard may be in front of the app, or views may override; the
        :class:`InForce` behind it; and whether not to announce it now."""
        state = self._state
        front = record_of(state, request) if state.fronts else None
        if front is not None:
            return _decision_behind(front, request, in_force)
        decision, in_force = state.late_decision(request, in_force)
        return decision, in_force, self._waits(decision, request, in_force)

    def _waits(self, decision: Decision, request: Request, in_force: InForce) -> bool:
        """Delay the announcement of a decision until the response, if that may change it."""
        report_only, record = in_force.report_only, _record(self._state, request)
        may_differ = decision.may_be_overridden or (report_only and report_only.views_override)
        # A view that opens a WebSocket runs for as long as it is open. If the record already has a
        # decision, a view has pushed this request, which gets no response.
        waits = may_differ and decision.origin is not None and record.decision is None
        if not waits or opens_websocket(request.environ):
            return False
        # In this context, for receivers that use the request.
        tell = functools.partial(self._state.tell_late, request, decision, in_force, record)
        record.tell = functools.partial(contextvars.copy_context().run, tell)
        return True

    def _make_after_request(self) -> Callable[[Response], Response]:
        state, unusual = self._state, self._state.unusual

        def after_request(response: Response) -> Response:
            decision: Decision | None = getattr(_current_request(), DECISION, None)
            if decision is None:
                return self._undecided(response)
            if decision.policy is None:
                return _without_headers(response)
            if type(response) is not state.response_class and is_later_writer(type(response)):
                # What it would write when it is sent, it writes now.
                response = cast("Response", Response.from_app(response, request.environ))
            if unusual and (own := self._overridden(decision, response)) is not None:
                return own
            if not write_first(decision, response.headers):
                written = getattr(response, _WRITTEN, None)
                if written is not None:
                    response = _copied(response)
                replaced = write_decision(decision, response.headers)
                if replaced and written is None:
                    state.log.own_headers(decision, replaced)
            response._corsguard_written = decision.headers  # type: ignore[attr-defined]
            if decision.preflight or decision.blocked:
                _record(state, _current_request()).finished = response
            return response

        return after_request

    def _overridden(self, decision: Decision, response: Response) -> Response | None:
        """A response with its own ``Access-Control-*`` headers, which are kept; None if it has
        none, or they are not kept."""
        if OVERRIDE not in self._state.unusual:
            return None
        record = _record(self._state, _current_request())
        written: Mapping[str, str] | None = getattr(response, _WRITTEN, None)
        own = cors_headers(response.headers, written or {})
        record.has_own_headers = bool(own)
        if not record.is_watched:
            record.announce(own)
        if not own or not decision.may_be_overridden:
            return None
        if written is not None:
            response = _copied(response)
        response._corsguard_written = let_stand(  # type: ignore[attr-defined]
            own, decision, response.headers
        )
        return response

    def _undecided(self, response: Response) -> Response:
        """Decide now, because something ended the request before the guard's ``before_request``: a
        ``url_value_preprocessor``, for example."""
        decision = self._late_decision(response.status_code)
        if decision is None:
            write_headers({VARY: "Origin"}, response.headers)
            return response
        request = _current_request()
        own = finished_response(self._state, decision, request, _record(self._state, request))
        return self._after_request(own or response)

    def _late_decision(self, status: int) -> Decision | None:
        """Decide about a request that has ended, and announce the decision.

        :param status: the status of its response.
        :returns: None if there is a problem with the policies.
        """
        state, request = self._state, _current_request()
        record = _record(state, request)
        record.ended_early = status
        front = record_of(state, request) if state.fronts else None
        state.follow()
        try:
            in_force = state.put_in_force()
            if front is None:
                is_announced = False
                decision, in_force = state.late_decision(request, in_force)
            else:
                decision, in_force, is_announced = _decision_behind(front, request, in_force)
        except PolicyError:
            return None
        first = record.ended_first
        is_permitted = decision.preflight and decision.outcome is Outcome.ALLOWED
        is_ended = bool(first) and is_permitted and status // 100 != 2
        if not is_announced and not is_ended:
            is_announced = self._waits(decision, request, in_force)
        _keep(state, request, decision)
        if is_announced:
            return decision
        state.counts.add(kind_of(what_happens(decision, request)))
        if is_ended:
            state.log.preflight_ended(decision, first, status)
        else:
            signals.announce(state.app, decision, state.log)
        if in_force.report_only is not None:
            state.report(in_force.report_only, request)
        return decision

    def _move_outermost(self) -> None:
        """Move the hooks, so that one runs before all other functions, and one after
        (``after_request`` functions run in reverse order).

        There is no public API for the order, but the lists themselves are public.
        """
        app = self._state.app
        wanted = self._state.first
        before: list[Function] = app.before_request_funcs[None]
        own = (*wanted, *self._first.values(), self._look_for_cookies)
        others = [f for f in before if f not in own and not _is_hook(f, self._before_request)]
        tracing = [function for function in others if is_tracing(function)]
        others = [function for function in others if function not in tracing]
        self._first = {
            function: self._first.get(function) or self._ahead(function) for function in wanted
        }
        # A new list in one step: another thread may be going through the old one.
        app.before_request_funcs[None] = [
            *tracing,
            *self._first.values(),
            self._before_request,
            *([self._look_for_cookies] if app.debug else ()),
            *others,
        ]
        for name, functions in app.before_request_funcs.items():
            if name is not None and wanted:
                functions[:] = [function for function in functions if function not in wanted]
        after = [f for f in app.after_request_funcs[None] if f != self._look_at_response]
        app.after_request_funcs[None] = [
            *([self._look_at_response] if app.debug else ()),
            self._after_request,
            *[f for f in after if not _is_hook(f, self._after_request)],
        ]

    def _look_for_cookies(self) -> None:
        """In debug mode, find a page that gets no cookies although it may send credentials."""
        current = _current_request()
        decision: Decision | None = getattr(current, DECISION, None)
        if decision is None or decision.outcome is not Outcome.ALLOWED or decision.policy is None:
            return
        policy, server = decision.policy, f"{current.scheme}://{current.host}"
        if policy.allow_credentials and not current.cookies:
            from flask_corsguard.protocol.explanation import without_cookies

            page = decision.origin or ""
            if why := without_cookies(page, server, policy):
                self._state.log.once("pages without cookies", (page, server), why)

    def _look_at_response(self, response: Response) -> Response:
        """In debug mode, find what the page does not get from a finished response."""
        current = _current_request()
        decision: Decision | None = getattr(current, DECISION, None)
        # Whatever fails here, the response is sent.
        with contextlib.suppress(Exception):
            if decision is not None:
                from flask_corsguard.runtime.debug_notes import notes

                for note in notes(decision, self._state.app, current, response):
                    self._state.log.once(*note)
        return response

    def _ahead(self, function: Function) -> Function:
        """A wrapper for a function of ``run_first`` that records if it ends the request."""
        state = self._state

        @functools.wraps(function)
        def run_first() -> Any:
            record = _record(state, _current_request())
            record.ended_first = name_of(function)
            result = state.app.ensure_sync(function)()
            if result is None:
                record.ended_first = ""
            return result

        return run_first

    def _first_request(self, _sender: Flask, **_: object) -> None:
        """Move the hooks again, as functions may have been registered since."""
        self._move_outermost()
        self._state.log.say_if_disabled()
        # Disconnected for all senders: for one sender only, blinker would keep the receiver, which
        # takes time on every request. Blinker raises an error if another thread connects a receiver
        # at the same time; the next request then tries again.
        with contextlib.suppress(RuntimeError):
            request_started.disconnect(self._first_request)

    def _exception(
        self, _sender: Flask, exception: BaseException | None = None, **_: object
    ) -> None:
        """Write the headers on the 500 response too; if something has failed on the guard's own
        response, turn the 500 response into that.

        If an ``after_request`` function raises an exception, Flask skips those that follow it, and
        the guard's is the last. ``after_this_request`` functions run before all of them.
        """
        state = self._state
        if not has_request_context() or current_app != state.app:
            return  # not from a request of this app
        request = _current_request()
        decision: Decision | None = getattr(request, DECISION, None) or self._late_decision(500)
        record = _record(state, request)
        own = decision and finished_response(state, decision, request, record)
        if own:
            record.has_failed = True
            state.log.own_response_failed(exception)
            _run_next(functools.partial(_turn_into, own))
        else:
            _run_next(self._after_request)


def _keep(state: AppState, request: Any, decision: Decision) -> None:
    request._corsguard_decision = decision
    record = request.environ.get(state.environ_key) or _record(state, request)
    if record.decision is None:
        record.decision = decision
    # Otherwise, a view has pushed this request, with its own environment: it gets no response.


def _record(state: AppState, request: Request) -> RequestRecord:
    record: RequestRecord | None = request.environ.get(state.environ_key)
    if record is None:
        record = request.environ[state.environ_key] = RequestRecord()
        if not has_passed_a_front(state, request.environ):
            state.log.middleware_missed()
    return record


def _decision_behind(
    front: FrontRecord, request: Request, in_force: InForce
) -> tuple[Decision, InForce, bool]:
    """The decision, if the guard has decided in front of the app; the :class:`InForce` behind it;
    and whether it has been announced there."""
    if front.take(request):
        return front.decision, in_force, True
    told = front.decision
    decision, in_force = front.front.state.late_decision(request, in_force)
    front.decision = decision.settled(has_own=False)  # in front, the view's headers are replaced
    return front.decision, in_force, not _differs(front.decision, told)


def _differs(decision: Decision, told: Decision) -> bool:
    """Whether a decision differs from the one that was announced."""
    return (decision.outcome, decision.reason, decision.blocked) != (
        told.outcome,
        told.reason,
        told.blocked,
    )


def _run_next(function: Callable[[Response], Response]) -> None:
    """Run a function on the response before any ``after_this_request`` function of the app, which
    may fail. There is no public API for that."""
    from flask.globals import request_ctx

    after_this_request(function)
    functions = request_ctx._after_request_functions  # pyright: ignore[reportPrivateUsage]
    functions.insert(0, functions.pop())


def _turn_into(own: Response, response: Response) -> Response:
    """Make a response the same as *own*. If anything else fails, Flask sends this very object."""
    response.status = own.status
    response.headers = own.headers
    response.set_data(own.get_data())
    return response


def _copied(response: Response) -> Response:
    """A copy of a response that was sent before: another thread may be sending it again."""
    response = copy.copy(response)
    response.headers = response.headers.copy()
    return response


def _without_headers(response: Response) -> Response:
    """The response of an exempt route, without the headers that were written on it for another
    route."""
    written: Iterable[str] | None = getattr(response, _WRITTEN, None)
    if written is not None:
        response = _copied(response)
        for name in written:
            if name != VARY:
                response.headers.remove(name)
    return response


def is_tracing(function: Function) -> bool:
    """Whether a function is from a package that measures whole requests."""
    return str(getattr(function, "__module__", "")).partition(".")[0] in _TRACING


def _is_hook(function: Callable[..., Any], hook: Callable[..., Any]) -> bool:
    """Whether a function is one of the guard's two hooks, or wraps one: Datadog and New Relic wrap
    every registered function."""
    return inspect.unwrap(function) is hook
