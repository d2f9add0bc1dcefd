"""The request headers that tell a server about the page and its request."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from flask_corsguard.protocol.headers import SEC_FETCH_SITE
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.urls import is_https, is_same_site, is_trustworthy


def add_browser_headers(
    headers: Headers, request: FetchRequest, origin: str, *, preflight: bool = False
) -> None:
    """Add ``Origin``, ``Referer`` and ``Sec-Fetch-*``, exactly when a browser sends them.

    :param origin: the page's origin, serialized.
    """
    engine, server = request.engine, request.url.origin
    # https://fetch.spec.whatwg.org/#append-a-request-origin-header
    if request.tainting == "cors":
        headers.set("Origin", origin)
    elif request.method not in ("GET", "HEAD") or _keeps_origin(request):
        headers.set("Origin", "null" if _is_origin_hidden(request) else origin)
    if request.page is not None and _may_refer(request):
        headers.set("Referer", f"{request.page}/")
    is_cors = request.tainting == "cors" and not preflight
    is_lost = engine.fetch_metadata_lost and request.has_left and is_cors
    if is_trustworthy(server) and not is_lost:
        headers.set(SEC_FETCH_SITE, _fetch_site(request, preflight=preflight))
        headers.set("Sec-Fetch-Mode", request.mode)
        headers.set("Sec-Fetch-Dest", "document" if request.is_navigation else "empty")
    elif preflight and engine.preflight_mode_everywhere:
        headers.set("Sec-Fetch-Mode", "cors")


def _keeps_origin(request: FetchRequest) -> bool:
    """Whether ``Origin`` stays on a request that a redirect has made a GET."""
    had_origin = request.first_method not in ("GET", "HEAD") and not request.is_navigation
    return request.engine.origin_stays and had_origin and not request.has_left


def _is_origin_hidden(request: FetchRequest) -> bool:
    """Whether the page is https and the server may not learn its origin."""
    hidden_from, server = request.engine.hides_origin, request.url.origin
    if request.mode == "cors" or not is_https(request.page) or hidden_from == "none":
        return False
    if hidden_from == "untrustworthy" and not request.is_navigation:
        return not is_trustworthy(server)
    return not is_https(server)


def _may_refer(request: FetchRequest) -> bool:
    """https://w3c.github.io/webappsec-referrer-policy/#determine-requests-referrer, with the
    default policy, for a page of which only the origin is known. If one server may not learn it,
    neither may those that it redirects to."""
    is_safe = is_https if request.engine.referrer_by_scheme else is_trustworthy
    return not is_safe(request.page) or all(is_safe(url.origin) for url in request.urls)


def _fetch_site(request: FetchRequest, *, preflight: bool) -> str:
    """https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header

    In most engines, a preflight counts as a separate request that has not been redirected.
    """
    forgets = preflight and request.engine.preflight_forgets_redirects
    urls = request.urls[-1:] if forgets else request.urls
    if not all(is_same_site(request.page, url.origin) for url in urls):
        return "cross-site"
    return "same-origin" if all(url.origin == request.page for url in urls) else "same-site"
