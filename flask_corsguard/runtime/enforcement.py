"""Requests that the server refuses because another site's page caused them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import Request

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import (
    PREFLIGHT_VARY,
    SAFE_METHODS,
    SEC_FETCH_SITE,
    VARY,
    vary_by,
)
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.runtime.same_origin import (
    ON_THIS_MACHINE,
    evidence,
    is_speculative,
    other_name,
)
from flask_corsguard.text import shown

#: In characters. A longer ``Upgrade`` value counts as a WebSocket's without being searched.
_MAX_UPGRADE_LENGTH = 100


def is_final(decision: Decision, sent: str | None) -> bool:
    """Whether a decision by the policy alone is final. That is so if an exact or raw entry matches
    the origin; and without ``enforce``, for ``*`` and for requests without ``Origin``.

    :param decision: the decision, which is not a rejection.
    :param sent: the ``Origin`` value as sent. The decision's is cut, and might equal a raw entry.
    """
    policy = decision.policy
    if policy is None:
        return True
    compiled = policy.compiled
    if sent in compiled.raw:
        return True
    if decision.origin is None or compiled.star:
        return not compiled.enforces
    return compiled.allow is not None and decision.origin in compiled.allow.exact


def of_own_page(decision: Decision, request: Request, self_origins: OriginList) -> Decision:
    """The final decision about a request that ``is_same_origin()`` has recognised.

    :param decision: the decision by the policy alone.
    :param self_origins: more origins that count as the app's own.
    """
    policy, environ = decision.policy, request.environ
    assert policy is not None
    if policy.compiled.enforces_safe and is_speculative(environ, self_origins):
        referer: str | None = environ.get("HTTP_REFERER")
        told = "there is no Referer" if referer is None else f"Referer is {shown(referer, 100)}"
        detail = f"Sec-Purpose is {shown(environ['HTTP_SEC_PURPOSE'], 40)}, and {told}"
        return refusal(decision, request, Reason.SPECULATIVE, detail)
    if decision.origin is None:
        return decision
    if decision.reason is None:
        # The policy allows it too, by a wildcard, say. The headers do no harm.
        return decision._replace(outcome=Outcome.SAME_ORIGIN)
    own = policy.compiled.headers.not_cors
    return decision._replace(outcome=Outcome.SAME_ORIGIN, reason=None, path="", headers=own)


def enforced(decision: Decision, request: Request) -> Decision:
    """The final decision about a request that is not from the app's own pages.

    :param decision: the decision by the policy.
    """
    policy, reason = decision.policy, decision.reason
    assert policy is not None
    if reason is None:
        if decision.origin is not None and policy.compiled.allow is not None:
            return decision  # an origin that only "*" allows may do no more than read
    elif decision.path != request.path:
        decision = decision._replace(path=request.path)
    origin = decision.origin or ""
    if origin.startswith(ON_THIS_MACHINE) and reason is Reason.ORIGIN_NOT_ALLOWED:
        other = other_name(origin, request.environ)
        decision = decision._replace(detail=other) if other else decision
    if policy.compiled.enforces and (reason is None or reason.is_about_origin):
        return _refused(decision, policy, request)
    if reason is not None and request.method == "GET" and opens_websocket(request.environ):
        return decision._replace(outcome=Outcome.UNENFORCED)
    return decision


def what_happens(decision: Decision, request: Request) -> Decision:
    """The decision with its actual outcome: under ``enforce="report"``, it shows what ``"unsafe"``
    would do."""
    if not decision.report_only:
        return decision
    if decision.reason is Reason.CROSS_SITE_REQUEST:
        outcome = Outcome.NOT_CORS if decision.origin is None else Outcome.ALLOWED
        return decision._replace(outcome=outcome, reason=None)
    if request.method == "GET" and opens_websocket(request.environ):
        return decision._replace(outcome=Outcome.UNENFORCED)
    return decision


def _refused(decision: Decision, policy: Policy, request: Request) -> Decision:
    """Refuse, or report, a request that another site caused, if ``enforce`` covers it."""
    is_rejected = decision.reason is not None
    # Under "report", a preflight that "unsafe" would reject has been allowed.
    method = request.method if is_rejected else decision.method
    is_spared = not policy.compiled.enforces_safe and method in SAFE_METHODS
    if is_spared and not opens_websocket(request.environ):
        return decision
    if decision.preflight and policy.answer_preflight and is_rejected:
        return decision  # rejected as a preflight
    reason = decision.reason or Reason.CROSS_SITE_REQUEST
    detail = "; ".join(filter(None, (decision.detail, evidence(request.environ))))
    if policy.enforce == "report" and is_spared:
        # This is for the log, whose words are loaded late.
        from flask_corsguard.protocol.explanation import UNSAFE_REFUSES

        detail = f"{detail}; {UNSAFE_REFUSES}"
    refused = refusal(decision, request, reason, detail, "Upgrade" if is_spared else "")
    if policy.enforce == "report":
        return refused._replace(blocked=False, report_only=True, headers=decision.headers)
    return refused


def refusal(
    decision: Decision, request: Request, reason: Reason, detail: str, also: str = ""
) -> Decision:
    """The decision that the server refuses a request.

    :param also: a request header that was checked, in addition to the usual ones.
    """
    assert decision.policy is not None
    looked_at = [PREFLIGHT_VARY if decision.preflight else "Origin", SEC_FETCH_SITE, also]
    looked_at += decision.policy.compiled.headers.vary
    looked_at.append("Accept")  # for the form of the refusal
    return decision._replace(
        outcome=Outcome.REJECTED,
        reason=reason,
        path=request.path,
        blocked=True,
        headers=MappingProxyType({VARY: vary_by(*filter(None, looked_at))}),
        detail=detail,
    )


def opens_websocket(environ: dict[str, Any]) -> bool:
    """Whether a server could take a request for a WebSocket handshake (RFC 6455 section 4.1). Such
    a GET needs no preflight, and the page can read everything that comes back."""
    upgrade: str | None = environ.get("HTTP_UPGRADE")
    if upgrade is None:
        return False
    return len(upgrade) > _MAX_UPGRADE_LENGTH or "websocket" in upgrade.lower()
