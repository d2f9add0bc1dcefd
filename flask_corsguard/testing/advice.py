"""Explains what keeps a response from the page. What to change depends on what the guard did."""

from __future__ import annotations

from collections.abc import Iterable

from flask_corsguard.protocol import explanation
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.remedies import to_send_credentials
from flask_corsguard.testing.blocks import CREDENTIALS_BLOCKS, POLICY_BLOCKS, BlockedError
from flask_corsguard.testing.exchange import REDIRECT_STATUSES, Exchange
from flask_corsguard.testing.fetch_request import FetchRequest
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


def why_blocked(error: BlockedError, exchange: Exchange | None) -> str:
    """The rule that keeps a response from the page, what to send and what to change.

    :param exchange: the last exchange, or None if nothing was sent.
    """
    if exchange is None or error.block not in POLICY_BLOCKS:
        return str(error)
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
        change = to_send_credentials(decision)
        return f"{words}\nTo allow it: {change}; or {error.without_credentials}."
    change = change_at(exchange, error.change)
    return f"{words if decision.outcome is Outcome.ALLOWED else decided}\n{change}"


def cookies_not_kept(request: FetchRequest) -> str:
    """What to change if the browser keeps no cookies from a response, in lines; "" if there are
    none, or if a cookie's own attributes decide."""
    sets_one = "Set-Cookie" in request.exchanges[-1].response_headers
    if not sets_one or request.tainting != "cors" or request.credentials == "include":
        return ""
    return (
        "The browser keeps no cookies from this response, because credentials is"
        f" {request.credentials!r}.\n"
        "Change: set credentials: 'include' in this request, and in those that need the cookie."
    )


def after_redirect(exchanges: Iterable[Exchange]) -> str:
    """What to change if a redirect has led to a sign-in page, in a line; "" if there was none.

    :param exchanges: all exchanges but the last.
    """
    for exchange in exchanges:
        if exchange.status in REDIRECT_STATUSES and not exchange.preflight:
            return (
                "\n"
                f"The request was redirected from {shown(exchange.url)}: if that is to a sign-in"
                " page, respond with 401 instead."
            )
    return ""


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
