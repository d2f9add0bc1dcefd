"""The middleware around ``app.wsgi_app`` that does what hooks cannot. Flask documents this place
for it (https://flask.palletsprojects.com/en/stable/api/#flask.Flask.wsgi_app)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Request, Response
from flask.signals import request_finished
from werkzeug.datastructures import Headers

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.responses import (
    cors_headers,
    is_written,
    let_stand,
    own_response,
    write_decision,
)
from flask_corsguard.runtime.state import AppState, RequestRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def finished_response(
    state: AppState, decision: Decision, request: Request, record: RequestRecord
) -> Response | None:
    """The guard's own response to a preflight or a refused request, with the decision's headers;
    None if the app, or a function of ``run_first``, responds."""
    if record.ended_first:
        return None
    response = own_response(decision, request, state.app)
    if response is not None:
        write_decision(decision, response.headers)
    return response


def guarded(state: AppState, inner: WSGIApplication) -> WSGIApplication:
    """The middleware of one app.

    - It marks the environment, so that the hooks can tell if something has restored the old
      ``wsgi_app``.
    - If an exception leaves the app (``TESTING``, ``DEBUG``, ``PROPAGATE_EXCEPTIONS``), it still
      sends the guard's own response.
    - If something can respond without the hooks, or change a response after them, it writes the
      decision's headers once more. Only then, because wrapping ``start_response`` takes longer than
      all the rest.

    :param inner: the app's previous ``wsgi_app``.
    """
    key = state.environ_key
    # Local names, which are faster. Both objects are only changed in place.
    later_writers, finish_receivers = state.later_writers, request_finished.receivers

    def corsguard_middleware(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if key in environ:
            return inside(environ, start_response)
        record = environ[key] = RequestRecord()
        try:
            if later_writers or finish_receivers:
                return _watched_response(state, record, inner, environ, start_response)
            return inner(environ, start_response)
        except Exception as error:
            own = _own_response_after(state, record, environ, error)
            if own is None:
                raise
            return own(environ, _again(start_response))

    def inside(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request within a request: a view has called the app with the environment of
        its own request, which keeps its decision."""
        outer = environ.pop(key)
        try:
            return corsguard_middleware(environ, start_response)
        finally:
            environ[key] = outer

    return corsguard_middleware


def _own_response_after(
    state: AppState, record: RequestRecord, environ: WSGIEnvironment, error: Exception
) -> Response | None:
    """The guard's own response, after an exception has left the app; None if the app should have
    responded."""
    record.announce([])
    decision = record.decision
    own = decision and finished_response(state, decision, Request(environ), record)
    if decision is None or own is None:
        is_allowed = decision is None or decision.outcome is Outcome.ALLOWED
        if "HTTP_ORIGIN" in environ and is_allowed:
            state.log.exception_left(environ.get("PATH_INFO", ""), error)
        return None
    if not record.has_failed:
        state.log.own_response_failed(error)
    if record.finished:
        own = record.finished  # the server may already have this response
        write_decision(decision, own.headers)
    return own


def _watched_response(
    state: AppState,
    record: RequestRecord,
    inner: WSGIApplication,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    """Call *inner*, and write the decision's headers on its response. If *inner* has replaced the
    guard's own response, send that instead."""
    own: Response | None = None
    is_called = record.is_watched = True

    def write_last(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        nonlocal own
        decision = record.decision
        if record.tell is not None:
            record.announce(headers)
        # Without a decision, something has responded before the hooks, rather than the app.
        if decision is not None and decision.policy is not None:
            if is_called and (decision.preflight or decision.blocked):
                own = _replaced_response(state, record, decision, environ, status)
                if own is not None:
                    return _ignore
            if not is_written(decision, headers):
                headers = _written(decision, record, headers)
        if exc_info is None:
            return start_response(status, headers)
        return start_response(status, headers, exc_info)

    chunks = inner(environ, write_last)
    is_called = False
    if own is None:
        return chunks
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    return own(environ, start_response)


def _written(
    decision: Decision, record: RequestRecord, headers: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """A response's headers, with the decision's ``Access-Control-*`` headers, or with its own if
    they are kept."""
    final = Headers(headers)
    own = record.has_own_headers is not False and cors_headers(headers)
    if own and (decision.may_be_overridden or decision.overridden):
        let_stand(own, decision, final)
    else:
        write_decision(decision, final)
    return final.to_wsgi_list()


def _replaced_response(
    state: AppState,
    record: RequestRecord,
    decision: Decision,
    environ: WSGIEnvironment,
    status: str,
) -> Response | None:
    """The guard's own response, if an extension has responded in its place without the hooks."""
    if record.finished and not record.has_failed and status < "5":
        return None
    own = finished_response(state, decision, Request(environ), record)
    if own is not None and not record.has_failed:
        state.log.own_response_failed(None)
    return own


def _ignore(_: bytes) -> None:
    """A ``write`` for a response that is not sent."""


def _again(start_response: StartResponse) -> StartResponse:
    """A ``start_response`` that may have been called already, with the same response, before a
    teardown function failed."""

    def start_again(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        try:
            return start_response(status, headers)
        except Exception:
            # PEP 3333 forbids a second call without exc_info, and each server raises a different
            # exception. With it, gunicorn would send the headers twice.
            return _ignore

    return start_again
