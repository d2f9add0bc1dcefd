"""The browser's side of the Fetch standard: https://fetch.spec.whatwg.org/#fetching"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from werkzeug.datastructures import Headers

from flask_corsguard.protocol.headers import MAX_AGE
from flask_corsguard.protocol.safelist import why_unsafe
from flask_corsguard.testing.blocks import Block, NetworkError, finding
from flask_corsguard.testing.browser_headers import add_context
from flask_corsguard.testing.cookies import CookieJar
from flask_corsguard.testing.cors_check import (
    REDIRECT_STATUSES,
    Asker,
    check_cors,
    check_preflight,
    check_resource_policy,
    read_preflight,
)
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.exchange import Exchange, WsgiApp, send
from flask_corsguard.testing.fetch_arguments import FetchRequest, joined
from flask_corsguard.testing.preflight_cache import CacheKey, PreflightCache
from flask_corsguard.testing.redirects import Journey
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
    """One fetch, from the request that script makes to the response that is left at the end.

    :ivar exchanges: what went over the wire so far.
    :ivar journey: where the request has been.
    """

    def __init__(self, network: Network, request: FetchRequest) -> None:
        self.exchanges: list[Exchange] = []
        self.journey = Journey(request, network.engine)
        self._network = network
        self._request = request

    def run(self) -> Exchange:
        """The last exchange, or the redirect that ``redirect: "manual"`` stops at.

        :raises NetworkError: where a browser's ``fetch()`` would fail.
        """
        journey, engine, redirect = self.journey, self._network.engine, self._request.redirect
        while True:
            journey.choose_tainting()
            exchange = self._http_fetch()
            if exchange.status not in REDIRECT_STATUSES or redirect == "manual":
                return exchange
            locations = exchange.response_headers.getlist("Location")
            if not locations and (redirect == "follow" or engine.redirects_have_locations):
                return exchange
            if redirect == "error":
                raise NetworkError(finding(Block.REDIRECT_UNWANTED, status=exchange.status))
            self._check_redirect(exchange)
            journey.follow(exchange.status, locations)

    def _http_fetch(self) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-fetch"""
        network, request, journey = self._network, self._request, self.journey
        asker = journey.asker
        unsafe = journey.headers_to_ask_for()
        if unsafe is not None:
            self._ask(asker, unsafe)
        exchange = self._send(request.method, self._headers(asker), request.body)
        if journey.tainting == "cors":
            try:
                check_cors(exchange, asker)
            except NetworkError:
                if network.engine.failure_clears_cache:
                    network.preflights.forget(self._cache_key(asker))
                raise
        elif journey.tainting == "opaque":
            check_resource_policy(exchange, request.page, journey.url.origin)
        return exchange

    def _ask(self, asker: Asker, unsafe: Mapping[str, str]) -> None:
        """https://fetch.spec.whatwg.org/#cors-preflight-fetch, unless one is remembered.

        :param unsafe: the headers that need permission, each with why.
        """
        network, request, engine = self._network, self._request, self._network.engine
        if engine.preflight_keeps_origin:
            asker = replace(asker, origin=str(request.page or "null"))
        if self.journey.needs_credentials and self._was_redirected_elsewhere():
            asker = _with_credentials(asker)
        key = self._cache_key(asker)
        if network.preflights.covers(key, request.method, unsafe, network.now()):
            return
        headers = Headers([("Accept", "*/*"), ("Access-Control-Request-Method", request.method)])
        if unsafe:
            names = list(unsafe)
            if engine.repeats_names:
                names = sorted(n for n, v in request.headers if why_unsafe(n, v, engine.safelist))
            headers.add("Access-Control-Request-Headers", ",".join(names))
        add_context(headers, self.journey, asker, preflight=True)
        exchange = self._send("OPTIONS", headers, None, preflight=True)
        waiting = (asker, request.method, unsafe)
        try:
            methods, allowed = read_preflight(exchange, *waiting)
            if not engine.remembers_what_did_not_suffice:
                check_preflight(methods, allowed, *waiting, engine)
        except NetworkError:
            network.preflights.forget(key)
            raise
        max_age = self._max_age(exchange)
        network.preflights.remember(key, methods, allowed, network.now(), max_age)
        check_preflight(methods, allowed, *waiting, engine)

    def _was_redirected_elsewhere(self) -> bool:
        urls = self.journey.urls
        return any(url.origin != urls[0].origin for url in urls[:-1])

    def _cache_key(self, asker: Asker) -> CacheKey:
        return CacheKey(asker.origin, str(self.journey.url), asker.credentials)

    def _max_age(self, exchange: Exchange) -> int:
        engine, value = self._network.engine, exchange.value_of(MAX_AGE)
        if not value:
            return _DEFAULT_MAX_AGE
        if not engine.max_age_pattern.fullmatch(value):
            return engine.max_age_if_invalid
        age = int(value[:_MOST_DIGITS])
        return age if engine.max_age_limit is None else min(age, engine.max_age_limit)

    def _headers(self, asker: Asker) -> Headers:
        """What the request itself carries, but for cookies
        (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch)."""
        request = self._request
        own = joined(request.headers)
        own |= {n: v for n, v in request.headers if n in self._network.engine.single_headers}
        if self._network.engine.utf8_values:
            own = {name: value.encode().decode("latin-1") for name, value in own.items()}
        headers = Headers(list(own.items()))
        headers.setdefault("Accept", _ACCEPT.get(request.mode, "*/*"))
        if request.body is None and request.method in ("POST", "PUT"):
            headers.set("Content-Length", "0")
        add_context(headers, self.journey, asker)
        return headers

    def _send(
        self, method: str, headers: Headers, body: bytes | None, *, preflight: bool = False
    ) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-network-fetch"""
        network, journey, url = self._network, self.journey, self.journey.url
        app = network.find_server(str(url.origin))
        if app is None:
            facts = {"url": shown(str(url)), "target": url.origin}
            raise NetworkError(finding(Block.UNREACHABLE, **facts))
        credentials = self._request.credentials
        with_cookies = not preflight and (
            credentials == "include"
            or (credentials == "same-origin" and journey.tainting == "basic")
        )
        context = journey.cookie_context()
        cookies = network.cookies.header_for(url, context, network.now()) if with_cookies else ""
        if cookies:
            headers.set("Cookie", cookies)
        exchange = send(app, method, url, headers, body, preflight=preflight)
        self.exchanges.append(exchange)
        if with_cookies:
            for line in exchange.response_headers.getlist("Set-Cookie"):
                network.cookies.store(line, url, context, network.now())
        return exchange

    def _check_redirect(self, exchange: Exchange) -> None:
        """What WebKit asks of a response from elsewhere that redirects. Where it asks for leave
        first, it asks the next server that."""
        journey = self.journey
        if journey.tainting == "cors" and journey.needs_credentials and not journey.asks_first:
            check_cors(exchange, _with_credentials(journey.asker))


def _with_credentials(asker: Asker) -> Asker:
    return replace(
        asker,
        credentials=True,
        with_credentials=(
            "by WebKit, as the request began at the page's own origin and was redirected from"
            " another one"
        ),
        without_credentials="redirect to the last address at once",
    )
