"""Recognising the app's own pages."""

from __future__ import annotations

from typing import Any

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.origins import DEFAULT_PORTS, MAX_ORIGIN_LENGTH, parse_origin


def is_same_origin(environ: dict[str, Any], origin: str, self_origins: OriginList) -> bool:
    """Whether a request that carries ``Origin`` comes from the app's own pages.

    A browser that sends ``Sec-Fetch-Site`` knows best (https://w3c.github.io/webappsec-fetch-metadata/):
    it sees through every proxy. For the others, the origin is compared with the request's own URL.

    :param environ: the WSGI environment; ``X-Forwarded-*`` is not looked at (that is ProxyFix's).
    :param origin: the ``Origin`` value.
    :param self_origins: further origins that count as the app's own.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    if len(origin) > MAX_ORIGIN_LENGTH:
        return False  # before any of it is copied
    if self_origins:
        parsed = parse_origin(origin)
        if parsed is not None and self_origins.compiled.matches(origin, parsed, None):
            return True
    scheme, _, authority = origin.partition("://")
    # https in front of an http app is a proxy that ends TLS. The other way round, the page was
    # loaded without TLS, and whoever controls the network may have written it.
    own_scheme = environ.get("wsgi.url_scheme")
    if scheme != own_scheme and (scheme, own_scheme) != ("https", "http"):
        return False
    # An origin never names its scheme's default port; a Host header may.
    host = (environ.get("HTTP_HOST") or "").lower()
    is_own = authority == host.removesuffix(f":{DEFAULT_PORTS.get(scheme)}")
    return is_own and parse_origin(origin) is not None
