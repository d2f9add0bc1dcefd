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
# More are more than any limit. Python reads no number of thousands of digits.
_MOST_DIGITS = 12
_ACCEPT = {"navigate": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Network:
    """What outlives a single fetch: the servers, the cookies, the remembered preflights, the time.

    :ivar find_server: finds the app that answers at an origin, or None.
    :ivar skew: seconds that a test has moved the clock ahead.
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


class Fetch:
    """One fetch, from the page's request to the response that is left at the end.

    :ivar exchanges: what went over the wire so far.
    """

    def __init__(self, network: Network, request: FetchRequest) -> None:
        self.exchanges: list[Exchange] = []
        self._network = network
        self._request = request

    def run(self) -> Exchange:
        """The last exchange, or the redirect that ``redirect: "manual"`` stops at.

        :raises BlockedError: where a browser's ``fetch()`` would fail.
        """
        while True:
            self._request.choose_tainting()
            exchange = self._http_fetch()
            if not follow_redirect(self._request, exchange):
                return exchange

    def _http_fetch(self) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-fetch"""
        network, request, requester = self._network, self._request, self._request.requester
        unsafe = request.headers_to_ask_for()
        if unsafe is not None:
            self._ask_permission(requester._replace(unsafe=unsafe))
        exchange = self._send(request.method, self._headers(requester), request.body)
        if request.tainting == "cors":
            try:
                check_cors(exchange, requester)
            except BlockedError:
                if network.engine.failure_clears_cache:
                    network.preflights.forget(requester, request.url)
                raise
        elif request.tainting == "opaque":
            check_resource_policy(exchange, request.page, request.url.origin)
        return exchange

    def _ask_permission(self, requester: Requester) -> None:
        """https://fetch.spec.whatwg.org/#cors-preflight-fetch, unless one is remembered."""
        network, request, engine = self._network, self._request, self._network.engine
        if engine.preflight_keeps_origin:
            requester = requester._replace(origin=str(request.page or "null"))
        earlier = request.urls[:-1]
        if request.needs_credentials and any(u.origin != earlier[0].origin for u in earlier):
            requester = requester._replace(credentials=True, redirected_in_webkit=True)
        if network.preflights.covers(requester, request.url, network.now()):
            return
        headers = Headers([("Accept", "*/*"), ("Access-Control-Request-Method", request.method)])
        if requester.unsafe:
            names = list(requester.unsafe)
            if engine.repeats_names:
                names = sorted(n for n, v in request.headers if why_unsafe(n, v, engine.safelist))
            headers.add("Access-Control-Request-Headers", ",".join(names))
        add_browser_headers(headers, request, requester.origin, preflight=True)
        exchange = self._send("OPTIONS", headers, None, preflight=True)
        try:
            allowed = read_preflight(exchange, requester)
            if not engine.remembers_what_did_not_suffice:
                check_preflight(allowed, requester, engine)
        except BlockedError:
            network.preflights.forget(requester, request.url)
            raise
        end = network.now() + self._max_age(exchange)
        network.preflights.remember(requester, request.url, allowed, network.now(), end)
        check_preflight(allowed, requester, engine)

    def _max_age(self, exchange: Exchange) -> int:
        engine, value = self._network.engine, exchange.value_of(MAX_AGE)
        if not value:
            return _DEFAULT_MAX_AGE
        if not engine.max_age_pattern.fullmatch(value):
            return engine.max_age_if_invalid
        age = int(value[:_MOST_DIGITS])
        return age if engine.max_age_limit is None else min(age, engine.max_age_limit)

    def _headers(self, requester: Requester) -> Headers:
        """What the request itself carries, but for cookies
        (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch)."""
        request, engine = self._request, self._network.engine
        own = joined(request.headers)
        own |= {n: v for n, v in request.headers if n in engine.single_headers}
        if engine.utf8_values:
            own = {name: value.encode().decode("latin-1") for name, value in own.items()}
        headers = Headers(list(own.items()))
        headers.setdefault("Accept", _ACCEPT.get(request.mode, "*/*"))
        if request.body is None and request.method in ("POST", "PUT"):
            headers.set("Content-Length", "0")
        add_browser_headers(headers, request, requester.origin)
        return headers

    def _send(
        self, method: str, headers: Headers, body: bytes | None, *, preflight: bool = False
    ) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-network-fetch"""
        network, request, url = self._network, self._request, self._request.url
        app = network.find_server(str(url.origin))
        if app is None:
            raise BlockedError(Block.UNREACHABLE, url=shown(str(url)), origin=url.origin)
        with_cookies = not preflight and (
            request.credentials == "include"
            or (request.credentials == "same-origin" and request.tainting == "basic")
        )
        context = request.cookie_context()
        if with_cookies and (cookies := network.cookies.header_for(url, context, network.now())):
            headers.set("Cookie", cookies)
        exchange = send(app, method, url, headers, body, preflight=preflight)
        self.exchanges.append(exchange)
        if with_cookies:
            for line in exchange.response_headers.getlist("Set-Cookie"):
                network.cookies.store(line, url, context, network.now())
        return exchange
