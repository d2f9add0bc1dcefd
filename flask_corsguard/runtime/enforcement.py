"""Recognising the app's own pages, and refusing what pages of others have caused."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import Request

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import PREFLIGHT_VARY, SAFE_METHODS, SEC_FETCH_SITE, VARY
from flask_corsguard.protocol.origins import DEFAULT_PORTS, MAX_ORIGIN_LENGTH, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.text import shown

#: An ``Upgrade`` value longer than this is taken for a WebSocket's without being read.
_MAX_UPGRADE_LENGTH = 100
_PAGE_SCHEMES: dict[str | None, str] = {"ws": "http", "wss": "https"}


def settle(decision: Decision, request: Request, self_origins: OriginList) -> Decision:
    """What becomes of a request that its ``Origin`` alone does not let pass.

    :param decision: by the policy alone: the origin is rejected, or there is none.
    :param self_origins: further origins that count as the app's own.
    """
    policy, reason = decision.policy, decision.reason
    if policy is None:
        return decision  # an exempt route
    enforces = policy.compiled.enforces
    if reason is None:
        if enforces and not _has_passage(request.environ, self_origins):
            return _enforce(decision, policy, request)
        return decision
    if _has_passage(request.environ, self_origins):
        own = policy.compiled.refused
        return decision._replace(outcome=Outcome.SAME_ORIGIN, reason=None, path="", headers=own)
    if decision.path != request.path:
        decision = decision._replace(path=request.path)
    return _enforce(decision, policy, request) if enforces and reason.is_about_origin else decision


def _has_passage(environ: dict[str, Any], self_origins: OriginList) -> bool:
    """Whether the app's own pages, or no page at all, caused a request.

    A browser that sends ``Sec-Fetch-Site`` knows best
    (https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header): it sees through every
    proxy. For the others, ``Origin`` is compared with the request's own URL. ``X-Forwarded-*`` is
    not looked at: that is ProxyFix's.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    origin: str | None = environ.get("HTTP_ORIGIN")
    if origin is None:
        return True  # not a browser, or one from before 2020 that was asked to GET
    if len(origin) > MAX_ORIGIN_LENGTH:
        return False  # before any of it is copied
    if self_origins:
        parsed = parse_origin(origin)
        if parsed is not None and self_origins.compiled.matches(origin, parsed, None):
            return True
    scheme, _, authority = origin.partition("://")
    # https in front of an http app is a proxy that ends TLS. The other way round, the page was
    # loaded without TLS, and whoever controls the network may have written it.
    own_scheme = _own_scheme(environ)
    if scheme != own_scheme and (scheme, own_scheme) != ("https", "http"):
        return False
    host = (environ.get("HTTP_HOST") or "").lower()
    # An origin never names its scheme's default port; a Host header may.
    is_own = host.startswith(authority) and (
        host == authority or host == f"{authority}:{DEFAULT_PORTS.get(scheme)}"
    )
    return is_own and parse_origin(origin) is not None


def _own_scheme(environ: dict[str, Any]) -> str | None:
    """The scheme of the app's pages. For a WebSocket, some proxies announce that of the socket."""
    scheme: str | None = environ.get("wsgi.url_scheme")
    return _PAGE_SCHEMES.get(scheme, scheme)


def _enforce(decision: Decision, policy: Policy, request: Request) -> Decision:
    """Refuse, or report, a request that another site caused, if it is of a kind to be refused."""
    is_spared = not policy.compiled.enforces_safe and request.method in SAFE_METHODS
    if is_spared and not _opens_websocket(request.environ):
        return decision
    if decision.preflight and policy.answer_preflight:
        return decision  # refused as a preflight
    verdict = decision._replace(
        outcome=Outcome.REJECTED,
        reason=decision.reason or Reason.CROSS_SITE_REQUEST,
        path=request.path,
        detail="; ".join(filter(None, (decision.detail, _evidence(request.environ)))),
    )
    if policy.enforce == "report":
        return verdict._replace(report_only=True)
    looked_at = [PREFLIGHT_VARY if decision.preflight else "Origin", SEC_FETCH_SITE]
    if is_spared:
        looked_at.append("Upgrade")
    looked_at.append("Accept")  # for the form of the answer
    headers = MappingProxyType({VARY: ", ".join(looked_at)})
    return verdict._replace(blocked=True, headers=headers)


def _opens_websocket(environ: dict[str, Any]) -> bool:
    """Whether a request is a WebSocket handshake (RFC 6455 section 4.1), for any server's reading
    of the header. It is a GET, needs no preflight, and script reads all that comes back."""
    upgrade: str = environ.get("HTTP_UPGRADE", "")
    return len(upgrade) > _MAX_UPGRADE_LENGTH or "websocket" in upgrade.lower()


def _evidence(environ: dict[str, Any]) -> str:
    """What told that another site caused the request."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return f"Sec-Fetch-Site is {shown(site, 40)}"
    host = (environ.get("HTTP_HOST") or "")[:MAX_ORIGIN_LENGTH]
    own = shown(f"{_own_scheme(environ)}://{host}")
    return f"the app takes {own} for its own origin (if it is not: ProxyFix, or self_origins)"
