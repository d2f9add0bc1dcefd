"""The browser's side of the Fetch standard: https://fetch.spec.whatwg.org/#fetching"""

from __future__ import annotations

import time
from collections.abc import Callable

from werkzeug.datastructures import Headers

from flask_corsguard.protocol.headers import MAX_AGE
from flask_corsguard.protocol.safelist import why_unsafe
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.browser_headers import add_browser_headers
from flask_corsguard.testing.cookies import CookieJar
from flask_corsguard.testing.cors_check import Requester, check_cors, check_resource_policy
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.exchange import Exchange, WsgiApp, send
from flask_corsguard.testing.fetch_arguments import joined
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.preflight_cache import PreflightCache
from flask_corsguard.testing.preflight_check import check_preflight, read_preflight
from flask_corsguard.testing.redirects import follow_redirect
from flask_corsguard.text import shown

# In seconds: https://fetch.spec.whatwg.org/#cors-preflight-fetch
_DEFAULT_MAX_AGE = 5
# Longer numbers exceed every limit, and Python refuses to read one of thousands of digits.
_MOST_DIGITS = 12
_ACCEPT = {"navigate": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Network:
    """The network between pages and servers, with the state that outlives a single fetch: cookies,
    remembered preflights, the time.

    :ivar find_server: returns the app at an origin, or None.
    :ivar skew: by how many seconds a test has moved the clock forward.
    """

    def __init__(self, find_server: Callable[[str], WsgiApp | None], engine: Engine) -> None:
        self.find_server = find_server
        self.engine = engine
        self.cookies = CookieJar(engine)
        self.preflights = PreflightCache(engine)
        self.skew = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.skew

    def fetch(self, request: FetchRequest) -> Exchange:
        """Send a request, and follow redirects.

        :returns: the last exchange, or the redirect at which ``redirect: "manual"`` stops.
        :raises BlockedError: if a browser's ``fetch()`` would fail.
        """
        while True:
            request.choose_tainting()
            exchange = self._http_fetch(request)
            if not follow_redirect(request, exchange):
                return exchange

    def _http_fetch(self, request: FetchRequest) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-fetch"""
        requester, unsafe = request.requester, request.headers_to_ask_for()
        if unsafe is not None:
            self._ask_permission(request, requester._replace(unsafe=unsafe))
        exchange = self._send(request, self._headers(request, requester))
        if request.tainting == "cors":
            try:
                check_cors(exchange, requester)
            except BlockedError:
                if self.engine.failure_clears_cache:
                    self.preflights.forget(requester, request.url)
                raise
        elif request.tainting == "opaque":
            check_resource_policy(exchange, request.page, request.url.origin)
        return exchange

    def _ask_permission(self, request: FetchRequest, requester: Requester) -> None:
        """https://fetch.spec.whatwg.org/#cors-preflight-fetch, if no earlier one still counts."""
        engine, earlier = self.engine, request.urls[:-1]
        if engine.preflight_keeps_origin:
            requester = requester._replace(origin=str(request.page or "null"))
        if request.needs_credentials and any(u.origin != earlier[0].origin for u in earlier):
            requester = requester._replace(credentials=True, redirected_in_webkit=True)
        if self.preflights.covers(requester, request.url, self.now()):
            return
        headers = Headers([("Accept", "*/*"), ("Access-Control-Request-Method", request.method)])
        if requester.unsafe:
            names = list(requester.unsafe)
            if engine.repeats_names:
                names = sorted(n for n, v in request.headers if why_unsafe(n, v, engine.safelist))
            headers.add("Access-Control-Request-Headers", ",".join(names))
        add_browser_headers(headers, request, requester.origin, preflight=True)
        exchange = self._send(request, headers, preflight=True)
        try:
            allowed = read_preflight(exchange, requester)
            if not engine.remembers_what_did_not_suffice:
                check_preflight(allowed, requester, engine)
        except BlockedError:
            self.preflights.forget(requester, request.url)
            raise
        end = self.now() + self._max_age(exchange)
        self.preflights.remember(requester, request.url, allowed, end)
        check_preflight(allowed, requester, engine)

    def _max_age(self, exchange: Exchange) -> int:
        value, limit = exchange.value_of(MAX_AGE), self.engine.max_age_limit
        if not value:
            return _DEFAULT_MAX_AGE
        if not self.engine.max_age_pattern.fullmatch(value):
            return self.engine.max_age_if_invalid
        age = int(value[:_MOST_DIGITS])
        return age if limit is None else min(age, limit)

    def _headers(self, request: FetchRequest, requester: Requester) -> Headers:
        """The headers of the request itself, without cookies
        (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch)."""
        own = joined(request.headers)
        own |= {n: v for n, v in request.headers if n in self.engine.single_headers}
        if self.engine.utf8_values:
            own = {name: value.encode().decode("latin-1") for name, value in own.items()}
        headers = Headers(list(own.items()))
        headers.setdefault("Accept", _ACCEPT.get(request.mode, "*/*"))
        if request.body is None and request.method in ("POST", "PUT"):
            headers.set("Content-Length", "0")
        add_browser_headers(headers, request, requester.origin)
        return headers

    def _send(
        self, request: FetchRequest, headers: Headers, *, preflight: bool = False
    ) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-network-fetch"""
        url, context = request.url, request.cookie_context()
        app = self.find_server(str(url.origin))
        if app is None:
            raise BlockedError(Block.UNREACHABLE, url=shown(str(url)), origin=url.origin)
        with_cookies = not preflight and (
            request.credentials == "include"
            or (request.credentials == "same-origin" and request.tainting == "basic")
        )
        if with_cookies and (cookies := self.cookies.header_for(url, context, self.now())):
            headers.set("Cookie", cookies)
        method, body = ("OPTIONS", None) if preflight else (request.method, request.body)
        exchange = send(app, method, url, headers, body, preflight=preflight)
        request.exchanges.append(exchange)
        if with_cookies:
            lines = exchange.response_headers.getlist("Set-Cookie")
            lost = [*self.cookies.not_sent(url, context, self.now())]
            stored = [self.cookies.store(line, url, context, self.now()) for line in lines]
            request.lost_cookies |= {each.cookie.name: each for each in (*lost, *stored) if each}
        return exchange
