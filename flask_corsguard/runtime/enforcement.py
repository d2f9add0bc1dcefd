"""The requests that the server refuses because another site's page caused them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import Request

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import PREFLIGHT_VARY, SAFE_METHODS, SEC_FETCH_SITE, VARY
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.runtime.same_origin import evidence, is_same_origin

#: An ``Upgrade`` value longer than this is taken for a WebSocket's without being read.
_MAX_UPGRADE_LENGTH = 100


def enforced(decision: Decision, request: Request, self_origins: OriginList) -> Decision:
    """The final decision about a request that the policy alone has not allowed.

    :param decision: the decision by the policy alone: a rejection, or a decision about a request
        without ``Origin`` by a policy that enforces.
    :param self_origins: further origins that count as the app's own.
    """
    policy, reason = decision.policy, decision.reason
    assert policy is not None
    if is_same_origin(request.environ, self_origins):
        if reason is None:
            return decision
        own = policy.compiled.headers.refused
        return decision._replace(outcome=Outcome.SAME_ORIGIN, reason=None, path="", headers=own)
    if reason is not None and decision.path != request.path:
        decision = decision._replace(path=request.path)
    if policy.compiled.enforces and (reason is None or reason.is_about_origin):
        return _refused(decision, policy, request)
    if reason is not None and request.method == "GET" and _opens_websocket(request.environ):
        return decision._replace(outcome=Outcome.UNENFORCED)
    return decision


def _refused(decision: Decision, policy: Policy, request: Request) -> Decision:
    """Refuse, or report, a request that another site caused, if the policy refuses its kind."""
    is_spared = not policy.compiled.enforces_safe and request.method in SAFE_METHODS
    if is_spared and not _opens_websocket(request.environ):
        return decision
    if decision.preflight and policy.answer_preflight:
        return decision  # refused as a preflight
    refusal = decision._replace(
        outcome=Outcome.REJECTED,
        reason=decision.reason or Reason.CROSS_SITE_REQUEST,
        path=request.path,
        detail="; ".join(filter(None, (decision.detail, evidence(request.environ)))),
    )
    if policy.enforce == "report":
        return refusal._replace(report_only=True)
    looked_at = [PREFLIGHT_VARY if decision.preflight else "Origin", SEC_FETCH_SITE]
    if is_spared:
        looked_at.append("Upgrade")
    looked_at.append("Accept")  # for the form of the refusal
    headers = MappingProxyType({VARY: ", ".join(looked_at)})
    return refusal._replace(blocked=True, headers=headers)


def _opens_websocket(environ: dict[str, Any]) -> bool:
    """Whether any server could take a request for a WebSocket handshake (RFC 6455 section 4.1).
    Such a GET needs no preflight, and the page reads everything that comes back."""
    upgrade: str = environ.get("HTTP_UPGRADE", "")
    return len(upgrade) > _MAX_UPGRADE_LENGTH or "websocket" in upgrade.lower()
