"""The browser's side of the Fetch standard: https://fetch.spec.whatwg.org/#fetching"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from werkzeug.datastructures import Headers

from flask_corsguard.errors import shown
from flask_corsguard.protocol.headers import MAX_AGE, SAFELISTED_METHODS
from flask_corsguard.protocol.origins import Origin
from flask_corsguard.testing.blocks import Block, NetworkError, finding
from flask_corsguard.testing.checks import (
    AUTHORIZATION,
    REDIRECT_STATUSES,
    Asker,
    check_cors,
    check_preflight,
    check_resource_policy,
)
from flask_corsguard.testing.cookies import CookieContext, CookieJar
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.preflights import CacheKey, PreflightCache
from flask_corsguard.testing.requests import FetchRequest, joined
from flask_corsguard.testing.safelist import unsafe_headers
from flask_corsguard.testing.urls import Url, is_same_site, is_trustworthy, parse_url, site_of
from flask_corsguard.testing.wire import Exchange, WsgiApp, send

MAX_REDIRECTS = 20
# https://fetch.spec.whatwg.org/#cors-preflight-fetch
DEFAULT_MAX_AGE = 5
# https://fetch.spec.whatwg.org/#request-body-header-name
_BODY_HEADERS = frozenset(
    {"content-encoding", "content-language", "content-location", "content-type"}
)
_ACCEPT = {"navigate": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

# https://fetch.spec.whatwg.org/#concept-request-response-tainting
Tainting = Literal["basic", "cors", "opaque"]


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
    :ivar url: where the next request goes, or the last one went.
    :ivar tainting: how much of the response script will see.
    """

    def __init__(self, network: Network, request: FetchRequest) -> None:
        self.exchanges: list[Exchange] = []
        self.url = request.url
        self.tainting: Tainting = "basic"
        self._network = network
        self._request = request
        self._urls = [request.url]
        self._is_redirect_tainted = False
        self._has_referrer = True
        #: whether every request across origins is to be asked for, and for which headers
        self._sticky: dict[str, str] | None = None

    @property
    def redirected(self) -> bool:
        """Whether a redirect was followed."""
        return len(self._urls) > 1

    def run(self) -> Exchange:
        """The last exchange, or the redirect that ``redirect: "manual"`` stops at.

        :raises NetworkError: where a browser's ``fetch()`` would fail.
        """
        while True:
            self._choose_tainting()
            exchange = self._http_fetch()
            if exchange.status not in REDIRECT_STATUSES or self._request.redirect == "manual":
                return exchange
            facts = {"status": exchange.status, "url": self.url}
            if self._request.redirect == "error":
                raise NetworkError(finding(Block.REDIRECT_UNWANTED, **facts))
            locations = exchange.response_headers.getlist("Location")
            if not locations:
                return exchange
            self._check_redirect(exchange)
            self._follow(exchange.status, locations)

    def _choose_tainting(self) -> None:
        """https://fetch.spec.whatwg.org/#main-fetch, as far as it decides what may be asked."""
        request, url = self._request, self.url
        facts = {"url": shown(str(url))}
        if self._is_mixed_content():
            block = Block.MIXED_FORM if request.mode == "navigate" else Block.MIXED_CONTENT
            raise NetworkError(finding(block, **facts))
        if request.mode == "navigate" or (
            self.tainting == "basic" and _same(request.page, url.origin)
        ):
            if url.origin is None:
                raise NetworkError(finding(Block.NOT_HTTP, **facts))
        elif request.mode == "same-origin":
            raise NetworkError(finding(Block.MODE_SAME_ORIGIN, **facts))
        elif url.origin is None:
            raise NetworkError(finding(Block.NOT_HTTP, **facts))
        elif request.mode == "no-cors" and request.redirect != "follow":
            raise NetworkError(finding(Block.NO_CORS_REDIRECT, redirect=request.redirect))
        else:
            self.tainting = "opaque" if request.mode == "no-cors" else "cors"

    def _is_mixed_content(self) -> bool:
        """https://w3c.github.io/webappsec-mixed-content/#should-block-fetch"""
        engine, request, url = self._network.engine, self._request, self.url
        if not _is_https(request.page) or url.scheme not in ("http", "ftp"):
            return False
        if request.mode != "navigate":
            return engine.loopback_is_mixed or not is_trustworthy(url.origin)
        warned = engine.mixed_forms
        hushed = warned == "sent" or (warned == "warned" and self.redirected)
        return request.is_form and not hushed and not is_trustworthy(url.origin)

    @property
    def _asker(self) -> Asker:
        request, engine = self._request, self._network.engine
        tainted = self._is_redirect_tainted or (
            request.mode in engine.origin_lost and self._has_left(self._urls)
        )
        origin = "null" if tainted else str(request.page or "null")
        return Asker(origin, request.credentials == "include", tainted)

    def _has_left(self, urls: list[Url]) -> bool:
        """Whether a redirect has led from one origin to another."""
        return any(url.origin != urls[0].origin for url in urls)

    def _http_fetch(self) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-fetch"""
        asker = self._asker
        unsafe = unsafe_headers(self._request.headers, self._network.engine)
        needs_preflight = bool(unsafe) or self._request.method not in SAFELISTED_METHODS
        if self._network.engine.sticky_preflight and needs_preflight and self._sticky is None:
            self._sticky = unsafe
        if self.tainting == "cors" and (needs_preflight or self._sticky is not None):
            first = self._network.engine.sticky_preflight == "first" and self._sticky
            self._ask(asker, first or unsafe)
        exchange = self._send(self._request.method, self._headers(asker), self._request.body)
        if self.tainting == "cors":
            try:
                check_cors(exchange, asker)
            except NetworkError:
                if self._network.engine.failure_clears_cache:
                    self._network.preflights.forget(self._cache_key(asker))
                raise
        elif self.tainting == "opaque":
            assert self.url.origin is not None
            check_resource_policy(exchange, self._request.page, self.url.origin)
        return exchange

    def _cache_key(self, asker: Asker) -> CacheKey:
        return CacheKey(asker.origin, str(self.url), asker.credentials)

    def _ask(self, asker: Asker, unsafe: Mapping[str, str]) -> None:
        """https://fetch.spec.whatwg.org/#cors-preflight-fetch, unless it is remembered

        :param unsafe: the headers that need permission, each with why.
        """
        network, request = self._network, self._request
        if network.engine.preflight_keeps_origin:
            asker = replace(asker, origin=str(request.page or "null"))
        key = self._cache_key(asker)
        if network.preflights.covers(key, request.method, unsafe, network.now()):
            return
        headers = Headers([("Accept", "*/*"), ("Access-Control-Request-Method", request.method)])
        if unsafe:
            names = list(unsafe)
            if network.engine.repeats_names:
                given = [name for name, _ in request.headers if name != "content-type"]
                names = sorted(name for name in names for _ in range(given.count(name) or 1))
            headers.add("Access-Control-Request-Headers", ",".join(names))
        self._add_context(headers, asker)
        if network.engine.preflight_mode_everywhere:
            headers.set("Sec-Fetch-Mode", "cors")
        exchange = self._send("OPTIONS", headers, None, preflight=True)
        try:
            methods, allowed = check_preflight(
                exchange, asker, request.method, unsafe, network.engine
            )
        except NetworkError:
            network.preflights.forget(key)
            raise
        network.preflights.remember(key, methods, allowed, network.now() + self._max_age(exchange))

    def _max_age(self, exchange: Exchange) -> int:
        engine, value = self._network.engine, exchange.value_of(MAX_AGE)
        if not value:
            return DEFAULT_MAX_AGE
        if not engine.max_age_pattern.fullmatch(value):
            return engine.max_age_if_invalid
        age = int(value)
        return age if engine.max_age_limit is None else min(age, engine.max_age_limit)

    def _headers(self, asker: Asker) -> Headers:
        """What the request itself carries, but for cookies
        (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch)."""
        request = self._request
        own = joined(request.headers)
        if self._network.engine.utf8_values:
            own = {name: value.encode().decode("latin-1") for name, value in own.items()}
        headers = Headers(list(own.items()))
        headers.setdefault("Accept", _ACCEPT.get(request.mode, "*/*"))
        if request.body is None and request.method in ("POST", "PUT"):
            headers.set("Content-Length", "0")
        self._add_context(headers, asker)
        return headers

    def _add_context(self, headers: Headers, asker: Asker) -> None:
        """Who asks, and for what: ``Origin``, ``Referer``, ``Sec-Fetch-*``."""
        request = self._request
        engine, page, server = self._network.engine, request.page, self.url.origin
        is_cors, is_navigation = self.tainting == "cors", request.mode == "navigate"
        # https://fetch.spec.whatwg.org/#append-a-request-origin-header
        if is_cors:
            headers.set("Origin", asker.origin)
        elif request.method not in ("GET", "HEAD"):
            hidden = request.mode != "cors" and _is_https(page) and self._is_origin_hidden()
            headers.set("Origin", "null" if hidden else asker.origin)
        # https://w3c.github.io/webappsec-referrer-policy/: strict-origin-when-cross-origin, of
        # a page about which nothing is known but its origin
        downgrade = is_trustworthy(page) and not is_trustworthy(server)
        if engine.referrer_by_scheme:
            downgrade = _is_https(page) and not _is_https(server)
        self._has_referrer = self._has_referrer and page is not None and not downgrade
        if self._has_referrer:
            headers.set("Referer", f"{page}/")
        lost = engine.fetch_metadata_lost and not is_navigation and self._has_left(self._urls)
        if is_trustworthy(server) and not lost:
            headers.set("Sec-Fetch-Site", self._fetch_site())
            headers.set("Sec-Fetch-Mode", "cors" if is_cors else request.mode)
            headers.set("Sec-Fetch-Dest", "document" if is_navigation else "empty")

    def _is_origin_hidden(self) -> bool:
        kept_from = self._network.engine.hides_origin
        if kept_from == "http" or (kept_from == "untrustworthy" and self._request.is_form):
            return not _is_https(self.url.origin)
        return kept_from == "untrustworthy" and not is_trustworthy(self.url.origin)

    def _fetch_site(self) -> str:
        """https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header"""
        page, site = self._request.page, "same-origin"
        for url in self._urls:
            if not is_same_site(page, url.origin):
                return "cross-site"
            if url.origin != page:
                site = "same-site"
        return site

    def _send(
        self, method: str, headers: Headers, body: bytes | None, *, preflight: bool = False
    ) -> Exchange:
        """https://fetch.spec.whatwg.org/#http-network-fetch"""
        network, request, url = self._network, self._request, self.url
        app = network.find_server(str(url.origin))
        if app is None:
            target = shown(str(url))
            raise NetworkError(finding(Block.UNREACHABLE, url=target, target=url.origin))
        with_cookies = not preflight and (
            request.credentials == "include"
            or (request.credentials == "same-origin" and self.tainting == "basic")
        )
        context = self._cookie_context()
        cookies = network.cookies.header_for(url, context, network.now()) if with_cookies else ""
        if cookies:
            headers.set("Cookie", cookies)
        exchange = send(app, method, url, headers, body, preflight=preflight)
        self.exchanges.append(exchange)
        if with_cookies:
            for line in exchange.response_headers.getlist("Set-Cookie"):
                network.cookies.store(line, url, context, network.now())
        return exchange

    def _cookie_context(self) -> CookieContext:
        request, url, engine = self._request, self.url, self._network.engine
        is_navigation = request.mode == "navigate"
        top = url.origin if is_navigation else request.page
        seen = engine.cookies_see_redirects
        see_all = seen == "all" or (seen == "navigations" and is_navigation)
        return CookieContext(
            all(
                is_same_site(request.page, hop.origin, schemeful=engine.schemeful)
                for hop in (self._urls if see_all else [url])
            ),
            is_navigation,
            not is_navigation
            and not is_same_site(request.page, url.origin, schemeful=engine.schemeful),
            request.method,
            "://".join(site_of(top)) if top else "null",
        )

    def _check_redirect(self, exchange: Exchange) -> None:
        """WebKit remembers that a request began at the page's own origin, where cookies went along;
        redirects from elsewhere then have to allow them."""
        request = self._request
        began_at_home = request.credentials == "same-origin" and _same(
            request.page, self._urls[0].origin
        )
        if (
            self._network.engine.redirects_need_credentials
            and began_at_home
            and self.tainting == "cors"
            and self._sticky is None
        ):
            words = "cookies, as WebKit sees one that began at the page's own origin"
            check_cors(exchange, replace(self._asker, credentials=True, credentials_words=words))

    def _follow(self, status: int, locations: list[str]) -> None:
        """https://fetch.spec.whatwg.org/#http-redirect-fetch"""
        request, url = self._request, self.url
        target = parse_url(locations[0], url) if len(locations) == 1 else None
        facts = {"value": shown(", ".join(locations)), "url": shown(str(url))}
        if target is None:
            raise NetworkError(finding(Block.REDIRECT_INVALID, **facts))
        if target.origin is None:
            raise NetworkError(
                finding(Block.NOT_HTTP, url=f"The redirect's Location, {facts['value']},")
            )
        if len(self._urls) > MAX_REDIRECTS:
            raise NetworkError(finding(Block.REDIRECT_LIMIT, **facts))
        engine = self._network.engine
        crosses = request.mode == "cors" and not _same(request.page, target.origin)
        if target.userinfo and (crosses or self.tainting == "cors" or engine.refuses_userinfo):
            raise NetworkError(finding(Block.REDIRECT_USERINFO, **facts))
        if (status in (301, 302) and request.method == "POST") or (
            status == 303 and request.method not in ("GET", "HEAD")
        ):
            request.method, request.body = "GET", None
            request.headers = [(n, v) for n, v in request.headers if n not in _BODY_HEADERS]
        if target.origin != url.origin:
            request.headers = [(n, v) for n, v in request.headers if n != AUTHORIZATION]
            # https://fetch.spec.whatwg.org/#concept-request-tainted-origin
            if not _same(request.page, url.origin):
                self._is_redirect_tainted = True
        self._urls.append(target)
        self.url = target


def _is_https(origin: Origin | None) -> bool:
    return origin is not None and origin.scheme == "https"


def _same(page: Origin | None, other: Origin | None) -> bool:
    """Whether two origins are the same; an opaque one, None, is the same as no other."""
    return page is not None and page == other
