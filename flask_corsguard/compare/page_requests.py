"""One request of a page to an app, and what the page may do and read, in the simulated browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import repeat
from typing import Any

from flask_corsguard.compare.messages import Ask, Seen
from flask_corsguard.protocol.headers import EXPOSE_HEADERS, FORBIDDEN_RESPONSE_HEADERS
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.safelist import SAFELISTED_RESPONSE_HEADERS
from flask_corsguard.testing.blocks import BlockedError
from flask_corsguard.testing.cors_check import Requester, check_cors
from flask_corsguard.testing.engines import ENGINES
from flask_corsguard.testing.exchange import WsgiApp
from flask_corsguard.testing.fetch import Network
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.preflight_check import check_preflight, read_preflight
from flask_corsguard.testing.urls import parse_url

_ENGINE = ENGINES["standard"]
_parsed = lru_cache(parse_url)
_UNREAD = SAFELISTED_RESPONSE_HEADERS | FORBIDDEN_RESPONSE_HEADERS


def seen_by_page(app: WsgiApp, ask: Ask) -> tuple[Seen, Seen]:
    """Play one call, without and with ``credentials: "include"``. The browser has no cookies, so
    both would send the same bytes, which are sent once."""
    url = _parsed(ask.url)
    assert url is not None
    page = parse_origin(ask.page) if ask.page else url.origin
    request = FetchRequest(_ENGINE, page, [url], ask.method, ask.with_values())
    # The target of a redirect would be another request.
    request.credentials, request.redirect = "omit", "manual"
    # For a preflight alone, there is no server for the request after it.
    servers = repeat(_headers_only(app), 2 if ask.send else 1)
    with suppress(BlockedError, StopIteration):  # judged below
        Network(lambda _: next(servers), _ENGINE).fetch(request)
    requester = request.requester._replace(unsafe=request.headers_to_ask_for() or {})
    return (
        _judged(request, requester),
        _judged(request, requester._replace(credentials=True)),
    )


def _judged(request: FetchRequest, requester: Requester) -> Seen:
    block, last = "", request.exchanges[-1]
    try:
        for exchange in request.exchanges:
            last = exchange
            if exchange.preflight:
                check_preflight(read_preflight(exchange, requester), requester, _ENGINE)
            elif request.tainting == "cors":
                check_cors(exchange, requester)
    except BlockedError as error:
        block = str(error.block)
    readable = not block and not last.preflight
    listed = last.list_of(EXPOSE_HEADERS) if readable and request.tainting == "cors" else None
    names = {name.lower() for name in listed or ()} - _UNREAD
    return Seen(
        last.status,
        last.decision is not None and last.decision.blocked,
        not (block and last.preflight),
        readable,
        frozenset(names - {"*"} if requester.credentials else names),
        block,
        tuple(h for h in last.response_headers if h[0].lower().startswith("access-control-")),
    )


def _headers_only(app: WsgiApp) -> WsgiApp:
    """The app without its bodies, so that streams end; if it fails, it responds with 500, as on a
    server."""

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = False

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal started
            started = True
            return start_response(status, headers, exc_info)

        try:
            body = app(environ, start)
            try:
                # An app may do its work only when its body is read.
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
