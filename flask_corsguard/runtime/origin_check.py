"""The policies as a function, for libraries with their own setting for origins:
``guard.origin_check``."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import nullcontext
from typing import Any

from flask import Request

from flask_corsguard import signals
from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.explanation import UNSAFE_REFUSES
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.runtime.enforcement import what_happens
from flask_corsguard.runtime.front_record import record_of
from flask_corsguard.runtime.requests import served_request
from flask_corsguard.runtime.state import AppState, InForce, app_context

# Without Origin, a request does not come from a page that could read the response.
_ADMITTED = frozenset({Outcome.ALLOWED, Outcome.SAME_ORIGIN, Outcome.NOT_CORS})
_IN_FRONT = "something responds here that asks guard.origin_check"
# The parts of an environment that Werkzeug needs.
_DEFAULTS = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
}


class OriginCheck:
    """A function of (origin, WSGI environment) that returns whether an app's policies admit the
    origin.

    :param credentials: whether they must also allow credentials.
    """

    def __init__(self, state: AppState, *, credentials: bool) -> None:
        self.state = state
        self.credentials = credentials
        # Engine.IO calls this twice for each request.
        self._told_key = f"flask_corsguard.told.{id(state)}"

    def __call__(self, origin: str | None, environ: Mapping[str, Any] | None = None) -> bool:
        """Whether a request comes from the app's own pages, or from an origin that is admitted."""
        if environ is None:
            # The policy depends on the path.
            self.state.log.notice(
                "calls without an environment",
                "guard.origin_check was called without the WSGI environment, so it refuses."
                ' Run: pip install "python-engineio>=4.12", which passes it on',
            )
            return False
        try:
            return self._decision(origin, environ).outcome in _ADMITTED
        except BaseException as error:
            if is_shutdown(error):
                raise
            self.state.log.failure("guard.origin_check", error)
            return False

    def _decision(self, origin: str | None, environ: Mapping[str, Any]) -> Decision:
        state = self.state
        asked = _environ(environ)
        asked.pop("HTTP_ORIGIN", None)
        if origin is not None:
            asked["HTTP_ORIGIN"] = origin
        request = Request(asked, populate_request=False)
        record = record_of(state, request) if state.fronts else None
        if record is not None and record.has_host_of(request):
            decision = self.final(record.decision, record.request)
            record.is_asked = True
            told = record.decision
            is_told = told.outcome is Outcome.REJECTED and not told.report_only
            is_told = is_told or decision.outcome is not Outcome.REJECTED
            if not is_told and self._is_new(decision, environ):
                signals.announce(state.app, decision, state.log)
            return decision
        in_force = state.up_to_date()
        with app_context(state.app) if in_force.calls_app or state.has_receivers else nullcontext():
            decision, request, in_force = self.decide(asked, in_force)
            if self._is_new(decision, environ):
                state.tell(request, decision, in_force)
        return decision

    def _is_new(self, decision: Decision, environ: Mapping[str, Any]) -> bool:
        """Whether this decision has not been announced yet for the request."""
        told = decision.origin, decision.outcome, decision.reason
        is_new = bool(environ.get(self._told_key) != told)
        if is_new and isinstance(environ, MutableMapping):
            environ[self._told_key] = told
        return is_new

    def decide(
        self, environ: dict[str, Any], in_force: InForce
    ) -> tuple[Decision, Request, InForce]:
        """The decision about a request, not announced; and the policies behind it."""
        is_options = environ["REQUEST_METHOD"] == "OPTIONS"
        if is_options:
            # The caller responds to preflights itself: all that counts is who may read.
            environ = {**environ, "REQUEST_METHOD": "GET"}
        request = served_request(self.state.app, environ)
        decision, in_force = self.state.late_decision(request, in_force)
        decision = self.final(decision, request)
        return decision._replace(method="OPTIONS") if is_options else decision, request, in_force

    def final(self, decision: Decision, request: Request) -> Decision:
        """The outcome of a request, from the decision by the policies."""
        decision = decision.settled(has_own=False)  # the caller writes the headers, not a view
        policy = decision.policy
        is_enough = policy is not None and (policy.allow_credentials or not self.credentials)
        # For an exempt route, and for what "*" allows, the decision does not say whose page it is.
        if not is_enough and not decision.blocked and self.state.current().is_own(request):
            return decision._replace(outcome=Outcome.SAME_ORIGIN, reason=None)
        if policy is None:
            return decision
        verdict = what_happens(decision, request).outcome
        if verdict in (Outcome.UNENFORCED, Outcome.REJECTED):
            # It is refused even without enforce: the caller keeps the socket closed.
            detail = decision.detail.removesuffix(UNSAFE_REFUSES).removesuffix("; ")
            return decision._replace(
                outcome=Outcome.REJECTED, report_only=False, detail=detail, in_front=_IN_FRONT
            )
        if verdict is Outcome.ALLOWED and not is_enough:
            return decision._replace(
                outcome=Outcome.REJECTED,
                reason=Reason.CREDENTIALS_NOT_ALLOWED,
                path=request.path,
                report_only=False,
                detail="",
                in_front=_IN_FRONT,
            )
        return decision


def _environ(environ: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the parts that Werkzeug needs. For an ASGI scope, it is made from the scope:
    Engine.IO takes the scheme from a header that any visitor can send, and does not encode the
    path."""
    scope = environ.get("asgi.scope")
    if scope is None:
        return {**_DEFAULTS, **environ}
    # Imported only here, because it needs asyncio, which an ASGI server has loaded already.
    from flask_corsguard.runtime.asgi import environ_of

    return environ_of(scope)
