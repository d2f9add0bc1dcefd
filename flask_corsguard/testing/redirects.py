"""Where a request has been, and what becomes of it on the way."""

from __future__ import annotations

from typing import Literal

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.protocol.origins import Origin
from flask_corsguard.protocol.safelist import unsafe_headers
from flask_corsguard.testing.blocks import Block, NetworkError, finding
from flask_corsguard.testing.cookies import CookieContext
from flask_corsguard.testing.cors_check import AUTHORIZATION, Asker
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.fetch_arguments import FetchRequest
from flask_corsguard.testing.urls import (
    Url,
    is_https,
    is_same_site,
    is_trustworthy,
    parse_url,
    site_of,
)
from flask_corsguard.text import shown

MAX_REDIRECTS = 20
# https://fetch.spec.whatwg.org/#request-body-header-name
_BODY_HEADERS = frozenset(
    {"content-encoding", "content-language", "content-location", "content-type"}
)

# https://fetch.spec.whatwg.org/#concept-request-response-tainting
Tainting = Literal["basic", "cors", "opaque"]


class Journey:
    """One request from the page to wherever redirects lead it.

    :ivar request: what is sent next; redirects change it.
    :ivar urls: all addresses so far, the current one last.
    :ivar tainting: how much of the response script will see.
    :ivar first_method: the method that script asked for.
    """

    def __init__(self, request: FetchRequest, engine: Engine) -> None:
        self.request = request
        self.engine = engine
        self.urls = [request.url]
        self.tainting: Tainting = "basic"
        self.first_method = request.method
        self._origin_is_null = False
        self._held_back: list[tuple[str, str]] = []
        self._first_unsafe: dict[str, str] | None = None

    @property
    def url(self) -> Url:
        """Where the next request goes, or the last one went."""
        return self.urls[-1]

    @property
    def page(self) -> Origin | None:
        """The origin that asks, None for an opaque one."""
        return self.request.page

    @property
    def is_navigation(self) -> bool:
        """Whether the address bar follows."""
        return self.request.mode == "navigate"

    @property
    def has_left(self) -> bool:
        """Whether a redirect has led from one origin to another."""
        return any(url.origin != self.urls[0].origin for url in self.urls)

    @property
    def needs_credentials(self) -> bool:
        """Whether the response that redirected last has to have allowed credentials. WebKit
        remembers that a request began at the page's own origin, where cookies go along."""
        return (
            self.engine.redirects_need_credentials
            and self.request.credentials == "same-origin"
            and self.request.mode == "cors"
            and self._is_home(self.urls[0].origin)
        )

    @property
    def asker(self) -> Asker:
        """Who the server is told that asks."""
        is_null = self._origin_is_null or (
            self.request.mode in self.engine.origin_lost and self.has_left
        )
        origin = "null" if is_null else str(self.page or "null")
        return Asker(origin, self.request.credentials == "include", is_null)

    @property
    def asks_first(self) -> bool:
        """Whether every request across origins needs a preflight, because the first one did."""
        return self._first_unsafe is not None

    def choose_tainting(self) -> None:
        """https://fetch.spec.whatwg.org/#main-fetch, as far as it decides what may be asked.

        :raises NetworkError: if nothing may be.
        """
        request, url = self.request, self.url
        facts = {"url": shown(str(url))}
        if self._is_mixed_content():
            block = Block.MIXED_FORM if self.is_navigation else Block.MIXED_CONTENT
            raise NetworkError(finding(block, **facts))
        at_home = self.tainting == "basic" and self._is_home(url.origin)
        if not (at_home or self.is_navigation) and request.mode == "same-origin":
            raise NetworkError(finding(Block.MODE_SAME_ORIGIN, **facts))
        if url.origin is None:
            raise NetworkError(finding(Block.NOT_HTTP, **facts))
        if at_home or self.is_navigation:
            return
        if request.mode == "no-cors" and request.redirect != "follow":
            raise NetworkError(finding(Block.NO_CORS_REDIRECT, redirect=request.redirect))
        self.tainting = "opaque" if request.mode == "no-cors" else "cors"

    def headers_to_ask_for(self) -> dict[str, str] | None:
        """The headers that a preflight names, each with why; None if no preflight is needed."""
        request, sticky = self.request, self.engine.sticky_preflight
        unsafe = unsafe_headers(request.headers, self.engine.safelist)
        needed = bool(unsafe) or request.method not in SAFELISTED_METHODS
        is_cors = self.tainting == "cors"
        if sticky and (unsafe or (needed and is_cors)) and self._first_unsafe is None:
            self._first_unsafe = unsafe
        if not is_cors or not (needed or self.asks_first):
            return None
        return self._first_unsafe or unsafe if sticky == "first" else unsafe

    def follow(self, status: int, locations: list[str]) -> None:
        """https://fetch.spec.whatwg.org/#http-redirect-fetch

        :raises NetworkError: if the redirect leads nowhere.
        """
        request, url = self.request, self.url
        if self.engine.equal_locations_are_one:
            locations = list(dict.fromkeys(locations))
        facts = {"value": ", ".join(map(shown, locations)), "url": shown(str(url))}
        if len(locations) > 1:
            raise NetworkError(finding(Block.REDIRECT_MULTIPLE, **facts))
        target = parse_url(locations[0], url)
        if target is None:
            raise NetworkError(finding(Block.REDIRECT_INVALID, **facts))
        if target.origin is None:
            facts["url"] = f"The redirect's Location, {facts['value']},"
            raise NetworkError(finding(Block.NOT_HTTP, **facts))
        if len(self.urls) > MAX_REDIRECTS:
            raise NetworkError(finding(Block.REDIRECT_LIMIT, **facts))
        crosses = self.tainting == "cors" or (
            request.mode == "cors" and not self._is_home(target.origin)
        )
        if target.userinfo and (crosses or self.engine.refuses_userinfo):
            raise NetworkError(finding(Block.REDIRECT_USERINFO, **facts))
        leaves = target.origin != url.origin
        becomes_get = (
            (status in (301, 302) and request.method == "POST")
            or (status == 303 and request.method not in ("GET", "HEAD"))
            or (self.engine.delete_stays_home and request.method == "DELETE" and leaves)
        )
        if becomes_get:
            request.method, request.body = "GET", None
        self._drop_body_headers(becomes_get, status)
        if leaves:
            request.headers = [h for h in request.headers if h[0] != AUTHORIZATION]
            # https://fetch.spec.whatwg.org/#concept-request-tainted-origin
            self._origin_is_null |= not self._is_home(url.origin)
        self.urls.append(target)

    def _drop_body_headers(self, becomes_get: bool, status: int) -> None:
        held_back, self._held_back = self._held_back, []
        request = self.request
        request.headers += held_back
        if becomes_get or (held_back and status == 303):
            if self.engine.body_headers_come_back:
                self._held_back = [h for h in request.headers if h[0] in _BODY_HEADERS]
            request.headers = [h for h in request.headers if h[0] not in _BODY_HEADERS]

    def cookie_context(self) -> CookieContext:
        """What decides which cookies go along with the next request."""
        page, url, engine = self.page, self.url, self.engine
        seen = engine.cookies_see_redirects
        all_seen = seen == "all" or (seen == "navigations" and self.is_navigation)
        alike = [is_same_site(page, hop.origin, schemeful=engine.schemeful) for hop in self.urls]
        top = url.origin if self.is_navigation else page
        return CookieContext(
            same_site=all(alike) if all_seen else alike[-1],
            navigation=self.is_navigation,
            third_party=not self.is_navigation and not alike[-1],
            method=self.request.method,
            top_site="://".join(site_of(top)) if top else "null",
        )

    def _is_home(self, origin: Origin | None) -> bool:
        return self.page is not None and self.page == origin

    def _is_mixed_content(self) -> bool:
        """https://w3c.github.io/webappsec-mixed-content/#should-block-fetch"""
        engine, url = self.engine, self.url
        if not is_https(self.page) or url.scheme != "http":
            return False
        is_open = not is_trustworthy(url.origin)
        if not self.is_navigation:
            return is_open or engine.loopback_is_mixed
        is_watched = engine.mixed_forms == "warned of redirects" or (
            engine.mixed_forms == "warned" and len(self.urls) == 1
        )
        return self.request.is_form and is_open and is_watched
