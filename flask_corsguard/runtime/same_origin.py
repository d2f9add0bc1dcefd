"""Which requests come from the app's own pages."""

from __future__ import annotations

from typing import Any

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import SEC_FETCH_SITE
from flask_corsguard.protocol.origins import DEFAULT_PORTS, ORIGIN_CUT, parse_origin
from flask_corsguard.text import shown

_PAGE_SCHEMES: dict[str | None, str] = {"ws": "http", "wss": "https"}


def is_same_origin(environ: dict[str, Any], self_origins: OriginList) -> bool:
    """Whether the app's own pages, or no page at all, caused a request.

    A browser that sends ``Sec-Fetch-Site`` knows best
    (https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header): it sees through every
    proxy. For the others, ``Origin`` is compared with the request's own URL. ``X-Forwarded-*`` is
    not looked at: that is ProxyFix's job.

    :param self_origins: further origins that count as the app's own.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    text: str | None = environ.get("HTTP_ORIGIN")
    if text is None:
        return True  # not a browser, or a GET by one from before 2020
    text = text[ORIGIN_CUT]
    scheme, _, authority = text.partition("://")
    host = (environ.get("HTTP_HOST") or "").lower()
    # https in front of an http app is a proxy that ends TLS. The other way round, the page was
    # loaded without TLS, and an attacker on the network may have written it.
    own_scheme = _own_scheme(environ)
    # An origin never names its scheme's default port; a Host header may.
    is_own = (
        host.startswith(authority)
        and (scheme == own_scheme or (scheme, own_scheme) == ("https", "http"))
        and host in (authority, f"{authority}:{DEFAULT_PORTS.get(scheme)}")
    )
    if not (is_own or self_origins):
        return False
    origin = parse_origin(text)
    return origin is not None and (is_own or self_origins.compiled.matches(text, origin, None))


def evidence(environ: dict[str, Any]) -> str:
    """What shows that a request is not from the app's own pages, in words."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return f"{SEC_FETCH_SITE} is {shown(site, 40)}"
    host: str = environ.get("HTTP_HOST") or ""
    own = shown(f"{_own_scheme(environ)}://{host[ORIGIN_CUT]}")
    return f"the app takes {own} for its own origin (if it is not: ProxyFix, or self_origins)"


def _own_scheme(environ: dict[str, Any]) -> str | None:
    """The scheme of the app's pages. For a WebSocket, some proxies send the socket's scheme."""
    scheme: str | None = environ.get("wsgi.url_scheme")
    return _PAGE_SCHEMES.get(scheme, scheme)
