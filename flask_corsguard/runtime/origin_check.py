"""The policies as a function, for what has an origin setting of its own: ``guard.origin_check``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import nullcontext
from typing import Any, TypeAlias

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.enforcement import what_happens
from flask_corsguard.runtime.front import record_of
from flask_corsguard.runtime.requests import served_request
from flask_corsguard.runtime.state import AppState, app_context
from flask_corsguard.text import shown

OriginCheck: TypeAlias = Callable[[str | None, Mapping[str, Any]], bool]

# What Werkzeug needs of an environment.
_DEFAULTS = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
}


def origin_check(state: AppState, *, credentials: bool) -> OriginCheck:
    """See :meth:`flask_corsguard.CorsGuard.origin_check`."""
    told_key = f"flask_corsguard.told.{id(state)}"

    def admits(origin: str | None, environ: Mapping[str, Any] | None = None) -> bool:
        if environ is None:
            # Without the path there is no policy.
            state.log.notice(
                "calls without an environment",
                "guard.origin_check was called without the WSGI environment, and refuses that:"
                " python-engineio hands it on from version 4.12 on",
            )
            return False
        try:
            decision = _decision(state, origin, environ, told_key)
            return _is_admitted(state, decision, credentials=credentials)
        except BaseException as error:
            if is_shutdown(error):
                raise
            state.log.failure("guard.origin_check", error)
            return False

    return admits


def _decision(
    state: AppState, origin: str | None, environ: Mapping[str, Any], told_key: str
) -> Decision:
    asked: dict[str, Any] = {**_DEFAULTS, **environ}
    asked.pop("HTTP_ORIGIN", None)
    if origin is not None:
        asked["HTTP_ORIGIN"] = origin
    if asked["REQUEST_METHOD"] == "OPTIONS":
        # Whoever asks answers preflights itself: only who may read counts.
        asked["REQUEST_METHOD"] = "GET"
    in_force = state.put_in_force() if state.in_force is None else state.in_force
    with app_context(state.app) if in_force.calls_app or state.has_receivers else nullcontext():
        request = served_request(state.app, asked)
        record = record_of(state, request)
        if record is not None:
            return record.decision
        state.follow()
        decision, in_force = state.late_decision(request, in_force)
        if decision.outcome is Outcome.UNENFORCED:
            # It is: what asks keeps the socket closed.
            decision = decision._replace(outcome=Outcome.REJECTED)
        # Engine.IO asks twice about each request.
        if told_key not in environ:
            state.tell(request, decision, in_force)
            if isinstance(environ, MutableMapping):
                environ[told_key] = True
    if decision.policy is None and in_force.is_own(request):
        return decision._replace(outcome=Outcome.SAME_ORIGIN)
    return what_happens(decision, request)


def _is_admitted(state: AppState, decision: Decision, *, credentials: bool) -> bool:
    if decision.outcome is not Outcome.ALLOWED:
        # Without Origin, no page asks that could read the response.
        return decision.outcome in (Outcome.SAME_ORIGIN, Outcome.NOT_CORS)
    assert decision.policy is not None
    if credentials and not decision.policy.allow_credentials:
        state.log.notice(
            ("origins without credentials", decision.policy_source, decision.origin),
            "guard.origin_check: %s may read, but not with credentials, and what asks sends"
            " Access-Control-Allow-Credentials: refused by the policy of %s. Set"
            " allow_credentials=True there; or, where no credentials are sent, call"
            " guard.origin_check(app, credentials=False)",
            shown(decision.origin or ""),
            decision.policy_source,
        )
        return False
    return True
