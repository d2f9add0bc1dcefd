"""Recognising the app's own pages."""

from __future__ import annotations

from typing import Any

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.origins import DEFAULT_PORTS, parse_origin, parse_port


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
    parsed = parse_origin(origin)
    if parsed is None:
        return False
    if self_origins.compiled.lists(origin, parsed):
        return True
    scheme = environ.get("wsgi.url_scheme")
    # https in front of an http app is a proxy that ends TLS. The other way round, the page was
    # loaded without TLS, and whoever controls the network may have written it.
    if parsed.scheme != scheme and (parsed.scheme, scheme) != ("https", "http"):
        return False
    host, port = _split_host(environ.get("HTTP_HOST") or "")
    default = DEFAULT_PORTS.get(parsed.scheme)
    return host == parsed.host and (port or default) == (parsed.port or default)


def _split_host(value: str) -> tuple[str, int | None]:
    """The parts of a ``Host`` value; a port that is none makes a host that no origin has."""
    host, colon, port_text = value.lower().rpartition(":")
    if not colon or port_text.endswith("]"):
        return value.lower(), None
    port = parse_port(port_text)
    return (value.lower(), None) if port is None else (host, port)
