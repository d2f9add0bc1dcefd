"""What would be decided, without running anything of the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request, current_app, has_app_context
from werkzeug.exceptions import HTTPException

from flask_corsguard.judge import Judge
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import (
    NORMALIZED_METHODS,
    SAFELISTED_METHODS,
    is_forbidden_request_header,
)
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.state import AppState, app_context

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# https://fetch.spec.whatwg.org/#cors-safelisted-request-header, as far as names go
_SAFELISTED_HEADERS = frozenset({"accept", "accept-language", "content-language"})
_SIMPLE_TYPES = frozenset(
    {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)


def explain(
    state: AppState,
    url: str,
    origin: str | None,
    method: str,
    headers: Iterable[str] | Mapping[str, str],
) -> Decision:
    """See :meth:`flask_corsguard.CorsGuard.explain`."""
    if method.upper() in NORMALIZED_METHODS:
        method = method.upper()
    if isinstance(headers, str):
        headers = [name.strip() for name in headers.split(",") if name.strip()]
    if isinstance(headers, Mapping):
        given = dict(cast("Mapping[str, str]", headers))
    else:
        given = dict.fromkeys(headers, "")
    names = {name.lower() for name in given}
    judge = state.current_judge()
    announced = sorted(name.lower() for name, value in given.items() if _is_announced(name, value))
    needs_preflight = method not in SAFELISTED_METHODS or bool(announced)
    is_preflight = method == "OPTIONS" and "access-control-request-method" in names
    if origin is not None and needs_preflight and not is_preflight:
        asked = {"Access-Control-Request-Method": method}
        if announced:
            asked["Access-Control-Request-Headers"] = ",".join(announced)
        browser_set = {
            name: value for name, value in given.items() if name.lower() not in announced
        }
        decision = _decide(state, judge, url, origin, "OPTIONS", {**browser_set, **asked})
        if decision.outcome is Outcome.REJECTED:
            return decision
    return _decide(state, judge, url, origin, method, given)


def _is_announced(name: str, value: str) -> bool:
    lower = name.lower()
    if is_forbidden_request_header(lower) or lower in _SAFELISTED_HEADERS:
        return False
    return lower != "content-type" or value.partition(";")[0].strip().lower() not in _SIMPLE_TYPES


def _decide(
    state: AppState,
    judge: Judge,
    url: str,
    origin: str | None,
    method: str,
    headers: Mapping[str, str],
) -> Decision:
    # Flask's own builder knows the app's server name and root. Imported where it is needed: it
    # brings the test client along.
    from flask.testing import EnvironBuilder

    builder = EnvironBuilder(state.app, url, method=method, headers=list(headers.items()))
    if origin is not None:
        builder.headers["Origin"] = origin
    try:
        environ = builder.get_environ()
    finally:
        builder.close()
    return decide_aside(state, matched_request(state.app, environ), judge)


def decide_aside(state: AppState, request: Request, judge: Judge) -> Decision:
    """What is decided about a request that nobody sent. A callable in the policy may need the app's
    context. If there is one already, it stays: the end of another would run the functions that the
    app has for it, and close what the request that is under way has opened."""
    is_current = has_app_context() and cast("Any", current_app)._get_current_object() is state.app
    with nullcontext() if is_current else app_context(state.app):
        decision, _ = state.decide(request, judge)
    return decision


def matched_request(app: Flask, environ: WSGIEnvironment) -> Request:
    """The request that Flask would make of *environ*, with its route looked up."""
    request = app.request_class(environ)
    try:
        adapter = app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(return_rule=True)
            request.view_args = dict(arguments)
    except HTTPException as error:
        request.routing_exception = error
    return request
