"""A browser for tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Never, cast

from werkzeug.test import Client

from flask_corsguard.errors import BrowserError, FetchTypeError, unknown_name
from flask_corsguard.protocol.headers import REDIRECT_STATUSES
from flask_corsguard.protocol.origin_errors import repair
from flask_corsguard.protocol.origins import OPAQUE_SCHEMES, Origin, parse_origin
from flask_corsguard.protocol.safelist import FORM_TYPES
from flask_corsguard.testing.advice import cookies_lost
from flask_corsguard.testing.blocks import Block, BlockedError
from flask_corsguard.testing.engines import ENGINES, EngineName
from flask_corsguard.testing.exchange import WsgiApp
from flask_corsguard.testing.failure_notes import lost_cookies
from flask_corsguard.testing.fetch import Network
from flask_corsguard.testing.fetch_arguments import (
    Body,
    EncType,
    Pairs,
    append_header,
    encode_form,
    fetch_error,
    form_entries,
    read_body,
    read_choice,
    read_headers,
    read_json,
    read_method,
)
from flask_corsguard.testing.fetch_request import Credentials, FetchRequest, Mode, Redirect
from flask_corsguard.testing.fetch_response import Response, blocked
from flask_corsguard.testing.urls import Url, parse_url
from flask_corsguard.testing.visible_headers import visible_headers
from flask_corsguard.text import shown, text_of

_ENGINES_MEANT = {"safari": "webkit", "chrome": "chromium", "edge": "chromium"}
_HTTP_METHODS = ("get", "post", "put", "patch", "delete", "options", "head")


class Browser:
    """A simulated browser with one open page, in front of WSGI apps instead of a network.

    It follows the Fetch standard (https://fetch.spec.whatwg.org/) from the page's call of
    ``fetch()`` to what the page sees. It keeps cookies and remembered preflights from one call to
    the next. It has no HTTP cache and no service worker. Use each browser in one thread only.

    :param servers: one WSGI app, which then serves every origin, or a mapping from origins to apps:
        ``{"https://api.test": app}``.
    :param page: the origin of the open page; ``"null"`` for a sandboxed page. Assign to ``page`` to
        go to another page.
    :param engine: ``"standard"``, or the browser whose departures from the standard to imitate:
        ``"chromium"``, ``"firefox"`` or ``"webkit"``.
    :raises BrowserError: for a page or a server's address that is not an origin, and for an
        unknown engine.
    """

    def __init__(
        self,
        servers: WsgiApp | Mapping[str, WsgiApp],
        page: str = "https://app.example.com",
        engine: EngineName = "standard",
    ) -> None:
        if engine not in list(ENGINES):
            meant = _ENGINES_MEANT.get(str(engine).lower())
            raise BrowserError(unknown_name("", "engine", engine, "engine", ENGINES, meant).message)
        self.page = page
        self._network = Network(_finder(servers), ENGINES[engine])

    @property
    def page(self) -> str:
        """The origin of the open page."""
        return str(self._page or "null")

    @page.setter
    def page(self, page: str) -> None:
        self._page = None if page == "null" else _read_origin("page", page)

    def advance(self, seconds: float | timedelta) -> None:
        """Move the browser's clock forward, so that cookies and remembered preflights can expire.

        :param seconds: how far, in seconds or as a ``timedelta``.
        """
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        self._network.skew += seconds

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Pairs = (),
        body: Body | None = None,
        json: object = None,
        credentials: Credentials = "same-origin",
        mode: Mode = "cors",
        redirect: Redirect = "follow",
    ) -> Response:
        """Call ``fetch()`` in the page.

        :param url: absolute, or relative to the page. A relative URL has the page's own origin,
            where CORS decides nothing, so ``assert_readable()`` fails.
        :param method: the request's method.
        :param headers: a mapping, or pairs. Headers that a page may not set are dropped, as in a
            browser.
        :param body: a str, bytes, a mapping or pairs (``URLSearchParams``), a :class:`Blob` or a
            :class:`FormData`.
        :param json: a value to send as JSON, instead of *body*.
        :param credentials: ``"omit"``, ``"same-origin"`` or ``"include"``, as in ``fetch()``.
        :param mode: ``"cors"``, ``"no-cors"`` or ``"same-origin"``, as in ``fetch()``.
        :param redirect: ``"follow"``, ``"error"`` or ``"manual"``, as in ``fetch()``.
        :raises FetchTypeError: for arguments with which ``fetch()`` fails before it sends anything.
        :raises BrowserError: if there is no server at the URL.
        """
        engine = self._network.engine
        read_choice("mode", mode, Mode)
        read_choice("credentials", credentials, Credentials)
        read_choice("redirect", redirect, Redirect)
        target = self._read_url(url)
        if target.userinfo:
            raise fetch_error(f"{shown(url)} includes a user name or a password.")
        method = read_method(method, mode)
        given = read_headers(headers, mode, engine)
        data, content_type = None, None
        if body is not None and json is not None:
            raise fetch_error("give it body or json, not both.")
        if body is not None or json is not None:
            if method in ("GET", "HEAD"):
                raise fetch_error(f"{method} cannot have a body.")
            data, content_type = read_json(json) if body is None else read_body(body)
        if content_type and not any(name == "content-type" for name, _ in given):
            append_header(given, "content-type", content_type, mode, engine)
        request = self._request(target, method, given, data)
        request.mode, request.credentials, request.redirect = mode, credentials, redirect
        response = self._fetch(request, f"fetch() of {method} {target}")
        # This mode is for requests to the page's own origin.
        if response.type == "basic" and mode != "same-origin" and self._is_relative(url):
            return replace(response, relative=True)
        return response

    def submit(
        self,
        url: str,
        data: Pairs = (),
        enctype: EncType = "application/x-www-form-urlencoded",
        method: str = "post",
    ) -> Response:
        """Submit a form in the page, so that the browser shows the response as a new page.

        :param url: the form's address, absolute or relative to the page.
        :param data: the form's fields.
        :param enctype: the form's encoding, such as ``"multipart/form-data"``.
        :param method: ``"post"`` or ``"get"``.
        :returns: a response that is not readable; its ``exchanges`` show what happened.
        :raises BrowserError: if there is no server at the URL, or no such encoding or method.
        """
        form_method = str(method).lower()
        if enctype not in list(FORM_TYPES) or form_method not in ("get", "post"):
            raise BrowserError(f"no form has the enctype {enctype!r} and the method {method!r}")
        target, pairs = self._read_url(url), form_entries(data)
        if form_method == "get":
            query, _ = encode_form(pairs, "application/x-www-form-urlencoded")
            request = self._request(target._replace(query=f"?{query.decode()}"))
        else:
            body, content_type = encode_form(pairs, enctype)
            request = self._request(target, "POST", [("content-type", content_type)], body)
        request.is_form = True
        return self._navigate(request)

    def navigate(self, url: str) -> Response:
        """Go to an address, as ``location.assign()`` does.

        :param url: absolute, or relative to the page.
        :returns: a response that is not readable; its ``exchanges`` show what happened. The open
            page stays the same: assign to :attr:`page` to continue from another.
        :raises BrowserError: if there is no server at the URL.
        """
        return self._navigate(self._request(self._read_url(url)))

    def send_beacon(self, url: str, data: Body | None = None) -> Response:
        """Call ``navigator.sendBeacon()`` (https://w3c.github.io/beacon/).

        :param url: absolute, or relative to the page.
        :param data: the body, as in :meth:`fetch`.
        :returns: a response that is not readable; its ``exchanges`` show what happened.
        :raises BrowserError: if there is no server at the URL.
        """
        engine = self._network.engine
        body, content_type = (None, None) if data is None else read_body(data)
        request = self._request(self._read_url(url), "POST", body=body)
        request.mode, request.credentials = "no-cors", "include"
        if content_type is not None:
            append_header(request.headers, "content-type", content_type, "no-cors", engine)
            if not request.headers:
                request.mode, request.headers = "cors", [("content-type", content_type)]
        question, limit = f"sendBeacon() to {request.url}", engine.beacon_limit
        if body is not None and limit is not None and len(body) > limit:
            error = BlockedError(Block.BEACON_LIMIT, size=len(body), limit=limit)
            return blocked(f"{self.page}: {question}", (), error)
        return self._fetch(request, question, Block.BEACON)

    if not TYPE_CHECKING:  # type checkers report these themselves

        def __getattr__(self, name: str) -> Never:
            hint = ""
            if name in _HTTP_METHODS:
                hint = f". Write fetch(url, method={name.upper()!r})"
            message = f"'Browser' object has no attribute {name!r}{hint}"
            raise AttributeError(message, name=name, obj=self)

    def _request(
        self,
        url: Url,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> FetchRequest:
        return FetchRequest(self._network.engine, self._page, [url], method, [*headers], body)

    def _navigate(self, request: FetchRequest) -> Response:
        request.mode, request.credentials = "navigate", "include"
        question = f"navigation: {request.method} {request.url}"
        return self._fetch(request, question, Block.NAVIGATION)

    def _fetch(self, request: FetchRequest, question: str, block: Block | None = None) -> Response:
        """Fetch, and show what the page sees.

        :param block: the rule that keeps every response of this kind from the page, if there is
            one.
        """
        question = f"{self.page}: {question}"
        try:
            last = self._network.fetch(request)
        except BlockedError as caught:
            return blocked(question, request.exchanges, caught)
        if block is not None:
            return blocked(question, request.exchanges, BlockedError(block))
        if request.redirect == "manual" and last.status in REDIRECT_STATUSES:
            error = BlockedError(Block.REDIRECT_MANUAL, status=last.status)
            return blocked(question, request.exchanges, error, "opaqueredirect", last.url)
        if request.tainting == "opaque":
            return blocked(question, request.exchanges, BlockedError(Block.MODE_NO_CORS), "opaque")
        headers = visible_headers(
            last, cors=request.tainting == "cors", credentials=request.credentials == "include"
        )
        lost = cookies_lost(request)
        lost_cookies.append(lost if last.status in (401, 403) else "")
        return Response(
            question,
            tuple(request.exchanges),
            readable=True,
            why="\n".join(filter(None, [headers.missed, lost])),
            type=request.tainting,
            status=last.status,
            url=last.url,
            redirected=len(request.urls) > 1,
            headers=headers,
            text=last.text,
        )

    def _is_relative(self, url: str) -> bool:
        """Whether a URL's origin depends on the page's."""
        scheme = self._page.scheme if self._page else ""
        elsewhere = Url(scheme, Origin(scheme, "elsewhere.invalid", None), "/")
        target = parse_url(url, elsewhere)
        return target is not None and target.origin == elsewhere.origin

    def _read_url(self, text: object) -> Url:
        base = Url(self._page.scheme, self._page, "/") if self._page else None
        url = parse_url(text, base) if isinstance(text, str) else None
        if url is None:
            raise FetchTypeError(
                f"{text_of(text)} is not a URL, or is relative to a page that has no URL."
            )
        if url.scheme in OPAQUE_SCHEMES:
            raise BrowserError(
                f"requests for {url.scheme}: are not simulated: use an http or https address"
            )
        if url.origin is not None and self._network.find_server(str(url.origin)) is None:
            raise BrowserError(
                f"there is no server at {shown(str(url.origin))}; pass one:"
                f" Browser({{'{url.origin}': app}})"
            )
        return url


def _finder(servers: WsgiApp | Mapping[str, WsgiApp]) -> Callable[[str], WsgiApp | None]:
    """A function that finds the app at an origin. A single app is at every origin."""
    if callable(servers):
        if inspect.isfunction(servers) and not _takes_two(servers):
            name = servers.__name__
            raise BrowserError(f"{name} is not a WSGI app. If it makes one: Browser({name}())")
        return lambda _: servers
    if not isinstance(cast("object", servers), Mapping):
        hint = ". Pass the app itself: Browser(app)" if isinstance(servers, Client) else ""
        raise BrowserError(
            "a WSGI app is needed, or a mapping of origins to WSGI apps, not"
            f" {text_of(servers)}{hint}"
        )
    for origin, app in servers.items():
        if not callable(cast("object", app)):
            raise BrowserError(f"the server at {origin} is not a WSGI app: {text_of(app)}")
    return {str(_read_origin("server", origin)): app for origin, app in servers.items()}.get


def _takes_two(function: Callable[..., object]) -> bool:
    """Whether it can be called with an environment and ``start_response``."""
    try:
        inspect.signature(function, follow_wrapped=False).bind({}, None)
    except TypeError:
        return False
    return True


def _read_origin(what: str, text: object) -> Origin:
    origin = parse_origin(text) if isinstance(text, str) else None
    if origin is None:
        # A path is not a host.
        fixed = repair(text) if isinstance(text, str) and not text.startswith("/") else None
        hint = f" Did you mean {fixed!r}?" if fixed and "*" not in fixed else ""
        if not hint and isinstance(text, str) and "://" in text and not text.startswith("http"):
            hint = " What is in raw_origins can be tried with guard.explain(url, origin=...)."
        if callable(text):
            hint = " The app comes first: Browser(app, page='https://app.example.com')"
        raise BrowserError(
            f"a {what} is named by its origin, scheme://host[:port], not {text_of(text)}.{hint}"
        )
    return origin
