"""One request of a page to an app, and what the page may do and read, in the simulated browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask_corsguard.protocol.headers import EXPOSE_HEADERS, FORBIDDEN_RESPONSE_HEADERS
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.safelist import SAFELISTED_RESPONSE_HEADERS
from flask_corsguard.testing.blocks import BlockedError
from flask_corsguard.testing.cors_check import Requester, check_cors
from flask_corsguard.testing.engines import ENGINES
from flask_corsguard.testing.exchange import Exchange, WsgiApp
from flask_corsguard.testing.fetch import Network
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.preflight_check import check_preflight, read_preflight
from flask_corsguard.testing.urls import parse_url

_ENGINE = ENGINES["standard"]
_VALUES = {"content-type": "application/json", "authorization": "Bearer token"}
_UNREAD = SAFELISTED_RESPONSE_HEADERS | FORBIDDEN_RESPONSE_HEADERS


class Ask(NamedTuple):
    """One call of ``fetch()``.

    :ivar page: the page's origin, ``null``, or "" for a page of the app itself.
    :ivar headers: the headers that the page sets, in lower case.
    :ivar send: whether the request itself is sent, and not its preflight alone.
    """

    url: str
    method: str
    page: str
    headers: tuple[str, ...] = ()
    send: bool = True

    def fetch(self, *, credentials: bool) -> str:
        """The call, as JavaScript."""
        options = [] if self.method == "GET" else [f'method: "{self.method}"']
        if self.headers:
            listed = ", ".join(f'"{name.title()}": "{value}"' for name, value in self.with_values())
            options.append(f"headers: {{{listed}}}")
        options += ['credentials: "include"'] if credentials else []
        return f'fetch("{self.url}"' + (f", {{{', '.join(options)}}})" if options else ")")

    def with_values(self) -> list[tuple[str, str]]:
        """The headers, each with a value that a page would send."""
        return [(name, _VALUES.get(name, "x")) for name in self.headers]


class Seen(NamedTuple):
    """What came of it.

    :ivar status: the last response's status.
    :ivar refused: whether a guard has refused the request, so that no view ran.
    :ivar sent: whether the browser sends the request: it needs no preflight, or that passes.
    :ivar readable: whether the page may read the response.
    :ivar exposed: the response headers that JavaScript may read beyond the usual ones; ``*`` is all.
    :ivar block: the rule that keeps the request or the response back, or "".
    :ivar headers: the CORS headers of the last response.
    """

    status: int
    refused: bool
    sent: bool
    readable: bool
    exposed: frozenset[str]
    block: str
    headers: tuple[tuple[str, str], ...]


def seen_by_page(app: WsgiApp, ask: Ask) -> tuple[Seen, Seen]:
    """Play one call, without and with ``credentials: "include"``. As the browser has no cookies, both
    send the same bytes, so they are sent once."""
    url = parse_url(ask.url)
    assert url is not None
    page = url.origin if not ask.page else parse_origin(ask.page)
    request = FetchRequest(_ENGINE, page, [url], ask.method, ask.with_values())
    # What a redirect leads to is another request.
    request.credentials, request.redirect = "omit", "manual"
    try:
        Network(lambda _: _headers_only(app, ask), _ENGINE).fetch(request)
    except (BlockedError, _NotSentError):
        pass  # judged below
    requester = request.requester._replace(unsafe=request.headers_to_ask_for() or {})
    exchanges = request.exchanges
    if request.tainting == "basic":
        seen = _judged(exchanges, None, credentials=False)
        return seen, seen
    with_credentials = requester._replace(credentials=True)
    return (
        _judged(exchanges, requester, credentials=False),
        _judged(exchanges, with_credentials, credentials=True),
    )


def _judged(exchanges: list[Exchange], requester: Requester | None, *, credentials: bool) -> Seen:
    block, last = "", exchanges[-1]
    try:
        for exchange in exchanges if requester else ():
            last = exchange
            if exchange.preflight:
                check_preflight(read_preflight(exchange, requester), requester, _ENGINE)
            else:
                check_cors(exchange, requester)
    except BlockedError as error:
        block = str(error.block)
    names = {name.lower() for name in last.list_of(EXPOSE_HEADERS) or ()} - _UNREAD
    readable = not block and not last.preflight
    return Seen(
        last.status,
        last.decision is not None and last.decision.blocked,
        not (block and last.preflight),
        readable,
        frozenset(names - ({"*"} if credentials else set()) if readable else ()),
        block,
        tuple(h for h in last.response_headers if h[0].lower().startswith("access-control-")),
    )


class _NotSentError(Exception):
    """The preflight has passed, and only that is asked for."""


def _headers_only(app: WsgiApp, ask: Ask) -> WsgiApp:
    """The app without its bodies, so that a stream ends; and with a response where it fails, as a
    server gives one."""

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not ask.send and environ["REQUEST_METHOD"] != "OPTIONS":
            raise _NotSentError
        started = False

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal started
            started = True
            return start_response(status, headers, exc_info)

        try:
            body = app(environ, start)
            try:
                # An app may begin only when its body is read.
                chunks = iter(() if started else body)
                while not started:
                    next(chunks)
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()
        except Exception:
            if not started:
                start_response("500 Internal Server Error", [])
        return []

    return respond
