"""The request headers that tell a server who asks, and for what."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from flask_corsguard.protocol.headers import SEC_FETCH_SITE
from flask_corsguard.testing.cors_check import Asker
from flask_corsguard.testing.redirects import Journey
from flask_corsguard.testing.urls import is_https, is_same_site, is_trustworthy


def add_context(
    headers: Headers, journey: Journey, asker: Asker, *, preflight: bool = False
) -> None:
    """Add ``Origin``, ``Referer`` and ``Sec-Fetch-*``, when and only when a browser sends them."""
    request, engine, server = journey.request, journey.engine, journey.url.origin
    # https://fetch.spec.whatwg.org/#append-a-request-origin-header
    if journey.tainting == "cors":
        headers.set("Origin", asker.origin)
    elif request.method not in ("GET", "HEAD") or _stays(journey):
        headers.set("Origin", "null" if _is_origin_kept_back(journey) else asker.origin)
    if _has_referrer(journey):
        headers.set("Referer", f"{journey.page}/")
    is_cors = journey.tainting == "cors" and not preflight
    lost = engine.fetch_metadata_lost and journey.has_left and is_cors
    if is_trustworthy(server) and not lost:
        headers.set(SEC_FETCH_SITE, _fetch_site(journey, preflight=preflight))
        headers.set("Sec-Fetch-Mode", request.mode)
        headers.set("Sec-Fetch-Dest", "document" if journey.is_navigation else "empty")
    elif preflight and engine.preflight_mode_everywhere:
        headers.set("Sec-Fetch-Mode", "cors")


def _stays(journey: Journey) -> bool:
    """Whether ``Origin`` stays on a request that a redirect has made a GET."""
    was_sent = journey.first_method not in ("GET", "HEAD") and not journey.is_navigation
    return journey.engine.origin_stays and was_sent and not journey.has_left


def _is_origin_kept_back(journey: Journey) -> bool:
    """Whether the page is https and the server may not learn its origin."""
    kept_from, server = journey.engine.hides_origin, journey.url.origin
    if journey.request.mode == "cors" or not is_https(journey.page) or kept_from == "none":
        return False
    if kept_from == "untrustworthy" and not journey.is_navigation:
        return not is_trustworthy(server)
    return not is_https(server)


def _has_referrer(journey: Journey) -> bool:
    """https://w3c.github.io/webappsec-referrer-policy/#determine-requests-referrer, with the
    default policy, of a page about which nothing is known but its origin. What one server on the
    way may not learn, those after it do not learn either."""
    is_safe = is_https if journey.engine.referrer_by_scheme else is_trustworthy
    page = journey.page
    return page is not None and not (
        is_safe(page) and any(not is_safe(url.origin) for url in journey.urls)
    )


def _fetch_site(journey: Journey, *, preflight: bool) -> str:
    """https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header

    A preflight is a request of its own, without the other's way behind it.
    """
    site = "same-origin"
    forgets = preflight and journey.engine.preflight_forgets_way
    for url in journey.urls[-1:] if forgets else journey.urls:
        if not is_same_site(journey.page, url.origin):
            return "cross-site"
        if url.origin != journey.page:
            site = "same-site"
    return site
