"""Explains what keeps a response from the page. What to change depends on what the guard did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flask_corsguard.protocol import explanation
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import ALLOW_ORIGIN, REDIRECT_STATUSES
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.remedies import to_send_credentials
from flask_corsguard.testing.blocks import CREDENTIALS_BLOCKS, POLICY_BLOCKS, Block, BlockedError
from flask_corsguard.testing.cookies import LostCookie
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.urls import is_same_site, parse_url
from flask_corsguard.text import shown

_NO_GUARD = "No guard decided about this request: the app has none."
_PERHAPS_NO_GUARD = (
    "No guard decided about this request: either the app has none, or something in front of the app"
    " responded, which must then be changed."
)
_IN_FRONT = (
    "Change: whatever responded, such as WSGI middleware around app.wsgi_app, another mounted app,"
    " a proxy, Connexion, or Flask-SocketIO (cors_allowed_origins). The policy has no effect there."
)
_AROUND = (
    "Something around the app has changed the response, or responded instead of the app:"
    " {response}.\n"
    "Change: whatever does that, such as WSGI middleware around app.wsgi_app, another mounted app,"
    " or a proxy."
)
_DEBUGGER = (
    "The view raised an exception, and Werkzeug's debugger responded, which sends no CORS"
    " headers.\n"
    "Change: fix the exception. Outside debug mode the page can read the 500."
)
_OVERRIDDEN = (
    "Change: have the view send the right headers itself, or no CORS headers at all, so that the"
    " policy's are sent."
)
_EXEMPT = "Change: have the view send these headers itself, or remove cors_exempt."
_NOT_ANSWERED = (
    "Change: set answer_preflight=True, or have a view accept OPTIONS here and respond with 2xx."
)
# Headers that show what has responded.
_TELLING = ("Content-Type", "Server", "Via", "X-Powered-By")
_MOST_OF_A_BODY = 60
# A part of the host or the path of a sign-in page.
_SIGN_IN = re.compile(
    r"(?<![a-z])(log-?in|sign-?in|sso|o?auth2?|authorize|authenticate|saml2?)(?![a-z])",
    re.IGNORECASE,
)
# SESSION_COOKIE_NAME, unless the app sets another.
_FLASK_SESSION = "session"


def why_blocked(error: BlockedError, exchanges: Sequence[Exchange]) -> str:
    """The rule that keeps a response from the page, what to send and what to change.

    :param exchanges: everything that was sent.
    """
    if not exchanges:
        return str(error)
    is_of_policy = error.block in POLICY_BLOCKS
    if is_of_policy or error.block is Block.UNREACHABLE:
        sign_in = _sign_in(exchanges[:-1] if is_of_policy else exchanges)
        if sign_in:
            return f"{sign_in}\n{error.found}"
    if not is_of_policy:
        decision = exchanges[-1].decision
        if decision is None or not decision.blocked:
            return str(error)
        refused = "\n".join(explanation.lines(decision))
        return f"{error.words(change=False)}\nFlask-CorsGuard refused the request: {refused}"
    lines = [_why(error, exchanges)]
    if redirect := _after_redirect(exchanges):
        decision = exchanges[-1].decision
        has_no_route = decision is not None and decision.endpoint is None
        # First if nothing that is said about the last address helps.
        lines.insert(0 if has_no_route or _is_null_now(exchanges) else 1, redirect)
    return "\n".join(lines)


def _why(error: BlockedError, exchanges: Sequence[Exchange]) -> str:
    exchange = exchanges[-1]
    decision, words = exchange.decision, error.words(change=False)
    if decision is None:
        if not exchange.has_guard:
            words += f"\n{_NO_GUARD if exchange.has_guard is False else _PERHAPS_NO_GUARD}"
        return f"{words}\n{change_at(exchange, error.change)}"
    explained = "\n".join(explanation.lines(decision, credentials=error.credentials))
    decided = f"{words}\nFlask-CorsGuard decided: {explained}"
    if decision.overridden:
        return f"{decided}\n{_OVERRIDDEN}"
    if _is_changed(exchange, decision):
        is_debugger = "Werkzeug Debugger" in exchange.text
        around = _DEBUGGER if is_debugger else _AROUND.format(response=_in_words(exchange))
        return f"{decided}\n{around}"
    if decision.outcome is Outcome.REJECTED:
        return decided  # it says better what to change, and where
    if error.block in CREDENTIALS_BLOCKS and decision.policy is not None:
        if ignored := explanation.without_effect(decision, credentials=True):
            words += f"\nIgnored: {ignored}."
        changes = [to_send_credentials(decision), error.without_credentials]
        if decision.origin == "null":  # no policy should allow both
            changes.reverse()
            changes = changes[:1] if _is_null_now(exchanges) else changes
        return f"{words}\nTo allow it: {'; or '.join(changes)}."
    change = change_at(exchange, error.change)
    return f"{words if decision.outcome is Outcome.ALLOWED else decided}\n{change}"


def cookies_lost(request: FetchRequest) -> str:
    """Which cookies the browser has not sent, or not kept, and what to change, in lines; "" if
    there are none."""
    sets_one = "Set-Cookie" in request.exchanges[-1].response_headers
    if not sets_one or request.tainting != "cors" or request.credentials == "include":
        return "\n".join(_lost(cookie, request) for cookie in request.lost_cookies.values())
    return (
        "The browser keeps no cookies from this response, because credentials is"
        f" {request.credentials!r}.\n"
        "Change: set credentials: 'include' in this request, and in those that need the cookie."
    )


def _lost(lost: LostCookie, request: FetchRequest) -> str:
    """Why a cookie is not kept, or not sent, and what to change."""
    cookie, server, is_set, why = lost
    name, page = shown(cookie.name), request.page
    attributes = {"SAMESITE": '"None"', "SECURE": "True"}
    if why == "insecure":
        found = "it has SameSite=None without Secure"
        del attributes["SAMESITE"]
    elif why == "same_site":
        same_site = f"SameSite={cookie.same_site.title()}" if cookie.same_site else "no SameSite"
        found = f"it has {same_site}, and {page or 'null'} is another site than {server}"
    else:
        found = f"it is a third-party cookie, which the engine {request.engine.name} restricts"
    one_site = "serve the page and the API under one domain"
    if page and page.is_loopback and server.is_loopback:
        one_site = f"have the page call {server._replace(host=page.host)}"
    if why == "third_party":
        change = one_site
    elif cookie.name == _FLASK_SESSION:
        change = f"set {' and '.join(f'SESSION_COOKIE_{n}={v}' for n, v in attributes.items())}"
    else:
        arguments = ", ".join(f"{n.lower()}={v}" for n, v in attributes.items())
        change = f"call set_cookie({name}, ..., {arguments})"
    if why != "third_party" and not is_same_site(page, server):
        change += f". Better, {one_site}, since many browsers block third-party cookies"
    verb = "keep" if is_set else "send"
    return f"The browser does not {verb} the cookie {name}: {found}.\nChange: {change}."


def _redirects(exchanges: Iterable[Exchange]) -> list[Exchange]:
    return [e for e in exchanges if e.status in REDIRECT_STATUSES and not e.preflight]


def _sign_in(exchanges: Sequence[Exchange]) -> str:
    """What to change if the last redirect seems to lead to a sign-in page at another origin, in a
    line; "" if it does not."""
    redirects = _redirects(exchanges)
    start = parse_url(redirects[-1].url) if redirects else None
    target = parse_url(redirects[-1].value_of("Location") or "", start) if start else None
    if start is None or target is None or target.origin == start.origin:
        return ""
    if not _SIGN_IN.search(f"{target.origin}{target.path}"):
        return ""
    return (
        f"The request was redirected from {shown(str(start))} to {shown(str(target))}, which looks"
        " like a sign-in page: respond with 401 instead, and have the page go there. If it is not"
        " one, respond with the URL in JSON, and have the page fetch that."
    )


def _after_redirect(exchanges: Sequence[Exchange]) -> str:
    """What to change where the request was redirected, in a line; "" if it was not."""
    redirects = [exchange.url for exchange in _redirects(exchanges[:-1])]
    if not redirects:
        return ""
    if not _is_null_now(exchanges):
        return (
            f"The request was redirected from {shown(redirects[0])}: if that is to a sign-in"
            " page, respond with 401 instead."
        )
    everybody = '; or, if everybody may read it without credentials, set origins="*" at that URL'
    is_for_everybody = exchanges[-1].value_of(ALLOW_ORIGIN) == "*"
    return (
        f"The request was redirected from {shown(redirects[-1])} to another origin, which makes"
        " its Origin null: respond with the URL in JSON instead, and have the page fetch that"
        f"{'' if is_for_everybody else everybody}. If it is a sign-in page, respond with 401"
        " instead."
    )


def _is_null_now(exchanges: Sequence[Exchange]) -> bool:
    """Whether redirects have made the origin ``null``."""
    *before, last = (exchange.request_headers.get("Origin") for exchange in exchanges)
    return last == "null" and any(origin not in (None, "null") for origin in before)


def change_at(exchange: Exchange, change: str) -> str:
    """A line "Change: ...".

    :param change: what to change if a policy decided, or if there is no guard.
    """
    if exchange.decision is None and exchange.has_guard:
        who = "something in front of the app responded"
        if exchange.status >= 500:
            who += ", or an exception ended it (see the server's log)"
        found = f"The guard did not decide about this request: {who}: {_in_words(exchange)}."
        return f"{found}\n{_IN_FRONT}"
    if exchange.decision is not None and exchange.decision.policy is None:
        return _EXEMPT
    policy = exchange.decision and exchange.decision.policy
    if policy and exchange.preflight and not policy.answer_preflight and exchange.status > 299:
        return _NOT_ANSWERED
    return f"Change: {change}."


def _is_changed(exchange: Exchange, decision: Decision) -> bool:
    """Whether a response's CORS headers differ from those that the guard has written."""
    if decision.policy is None or decision.in_front:
        return False
    sent = _cors_headers(decision.headers.items())
    return sent != _cors_headers(exchange.response_headers)


def _cors_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    lower = ((name.lower(), value) for name, value in headers)
    return sorted(header for header in lower if header[0].startswith("access-control-"))


def _in_words(exchange: Exchange) -> str:
    """A response in words that help to find what made it."""
    found = [f"status {exchange.status}"]
    values = ((name, exchange.value_of(name)) for name in _TELLING)
    found += [f"{name} {shown(value)}" for name, value in values if value]
    if body := exchange.text.strip():
        found.append(f"body {shown(body, _MOST_OF_A_BODY)}")
    return ", ".join(found)
