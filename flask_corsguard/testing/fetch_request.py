"""A request as in the Fetch standard: what redirects change, and what it may ask for next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.protocol.origins import Origin
from flask_corsguard.protocol.publicsuffix import site_of
from flask_corsguard.protocol.safelist import unsafe_headers
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.cookies import CookieContext, LostCookie
from flask_corsguard.testing.cors_check import Requester
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import Url, is_https, is_same_site, is_trustworthy
from flask_corsguard.text import shown

Mode = Literal["cors", "no-cors", "same-origin"]
Credentials = Literal["omit", "same-origin", "include"]
Redirect = Literal["follow", "error", "manual"]
HeaderList = list[tuple[str, str]]


@dataclass(slots=True)
class FetchRequest:
    """https://fetch.spec.whatwg.org/#concept-request

    :ivar page: the origin of the page, None for an opaque one.
    :ivar urls: all addresses so far, the current one last.
    :ivar headers: what the page set, names in lower case.
    :ivar is_form: whether a form is submitted.
    :ivar tainting: how much of the response the page will see
        (https://fetch.spec.whatwg.org/#concept-request-response-tainting).
    :ivar first_method: the method that the page asked for.
    :ivar has_tainted_origin: whether redirects have made the origin ``null``
        (https://fetch.spec.whatwg.org/#concept-request-tainted-origin).
    :ivar held_back: the headers that the next redirect brings back.
    :ivar first_unsafe: the headers of the first preflight that was needed, if the engine insists
        on another one after every redirect.
    :ivar exchanges: what went over the wire so far.
    :ivar lost_cookies: by name, the cookies that the browser has not sent, or not kept.
    """

    engine: Engine
    page: Origin | None
    urls: list[Url]
    method: str = "GET"
    headers: HeaderList = field(default_factory=HeaderList)
    body: bytes | None = None
    mode: Mode | Literal["navigate"] = "cors"
    credentials: Credentials = "same-origin"
    redirect: Redirect = "follow"
    is_form: bool = False
    tainting: Literal["basic", "cors", "opaque"] = "basic"
    first_method: str = field(init=False)
    has_tainted_origin: bool = False
    held_back: HeaderList = field(default_factory=HeaderList)
    first_unsafe: dict[str, str] | None = None
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    lost_cookies: dict[str, LostCookie] = field(default_factory=dict[str, LostCookie])

    def __post_init__(self) -> None:
        self.first_method = self.method

    @property
    def url(self) -> Url:
        """Where the next request goes, or the last one went."""
        return self.urls[-1]

    @property
    def is_navigation(self) -> bool:
        """Whether the address bar follows."""
        return self.mode == "navigate"

    @property
    def has_left(self) -> bool:
        """Whether a redirect has led from one origin to another."""
        return any(url.origin != self.urls[0].origin for url in self.urls)

    @property
    def requester(self) -> Requester:
        """Who is asking, as the server is told, and for what."""
        is_null = self.has_tainted_origin or (
            self.mode in self.engine.origin_lost and self.has_left
        )
        origin = "null" if is_null else str(self.page or "null")
        return Requester(origin, is_null, self.credentials == "include", self.method)

    @property
    def needs_credentials(self) -> bool:
        """Whether the last redirect must have allowed credentials. WebKit remembers that a request
        began at the page's own origin, where cookies go along."""
        return (
            self.engine.redirects_need_credentials
            and self.credentials == "same-origin"
            and self.mode == "cors"
            and self.is_same_origin(self.urls[0])
        )

    def is_same_origin(self, url: Url) -> bool:
        """Whether a URL is of the page's own origin."""
        return self.page is not None and self.page == url.origin

    def choose_tainting(self) -> None:
        """https://fetch.spec.whatwg.org/#main-fetch, the part that decides what may be sent.

        :raises BlockedError: if nothing may be sent.
        """
        address = shown(str(self.url))
        if self._is_mixed_content():
            block = Block.MIXED_FORM if self.is_navigation else Block.MIXED_CONTENT
            raise BlockedError(block, url=address)
        is_basic = self.is_navigation or (
            self.tainting == "basic" and self.is_same_origin(self.url)
        )
        if not is_basic and self.mode == "same-origin":
            raise BlockedError(Block.MODE_SAME_ORIGIN, url=address)
        if self.url.origin is None:
            raise BlockedError(Block.NOT_HTTP, url=address)
        if is_basic:
            return
        if self.mode == "no-cors" and self.redirect != "follow":
            raise BlockedError(Block.NO_CORS_REDIRECT, redirect=self.redirect)
        self.tainting = "opaque" if self.mode == "no-cors" else "cors"

    def _is_mixed_content(self) -> bool:
        """https://w3c.github.io/webappsec-mixed-content/#should-block-fetch"""
        engine, url = self.engine, self.url
        if not is_https(self.page) or url.scheme != "http":
            return False
        is_insecure = not is_trustworthy(url.origin)
        if not self.is_navigation:
            return is_insecure or engine.loopback_is_mixed
        warns = engine.mixed_forms == "warned of redirects" or (
            engine.mixed_forms == "warned" and len(self.urls) == 1
        )
        return self.is_form and is_insecure and warns

    def headers_to_ask_for(self) -> dict[str, str] | None:
        """The headers that a preflight names, each with the reason; None if none is needed."""
        sticky, is_cors = self.engine.sticky_preflight, self.tainting == "cors"
        unsafe = unsafe_headers(self.headers, self.engine.safelist)
        needed = bool(unsafe) or self.method not in SAFELISTED_METHODS
        if sticky and (unsafe or (needed and is_cors)) and self.first_unsafe is None:
            self.first_unsafe = unsafe
        if not is_cors or not (needed or self.first_unsafe is not None):
            return None
        return self.first_unsafe or unsafe if sticky == "first" else unsafe

    def cookie_context(self) -> CookieContext:
        """What decides which cookies go along with the next request."""
        seen, schemeful = self.engine.cookies_see_redirects, self.engine.schemeful
        all_count = seen == "all" or (seen == "navigations" and self.is_navigation)
        same = [is_same_site(self.page, url.origin, schemeful=schemeful) for url in self.urls]
        top = self.url.origin if self.is_navigation else self.page
        return CookieContext(
            same_site=all(same) if all_count else same[-1],
            navigation=self.is_navigation,
            third_party=not self.is_navigation and not same[-1],
            method=self.method,
            top_site="://".join(site_of(top)) if top else "null",
        )
