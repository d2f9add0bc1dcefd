"""Recognises requests from the app's own pages."""

from __future__ import annotations

from typing import Any

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import SEC_FETCH_SITE
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    LOOPBACK,
    MAX_ORIGIN_LENGTH,
    ORIGIN_CUT,
    parse_origin,
)
from flask_corsguard.text import shown

#: The beginnings of origins that may be the app's own with another name for this machine.
ON_THIS_MACHINE = tuple(f"{scheme}://{name}" for scheme in ("http", "https") for name in LOOPBACK)
_PAGE_SCHEMES: dict[str | None, str] = {"ws": "http", "wss": "https"}


def is_same_origin(environ: dict[str, Any], self_origins: OriginList) -> bool:
    """Whether one of the app's own pages, or no page, caused a request.

    If the browser sends ``Sec-Fetch-Site``, that decides, since no proxy affects it
    (https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header). Otherwise, ``Origin``
    is compared with the request's own URL. ``X-Forwarded-*`` is not read: that is ProxyFix's job.

    :param self_origins: more origins that count as the app's own.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site in ("same-origin", "none")
    text: str | None = environ.get("HTTP_ORIGIN")
    # A request without either is not a browser's, or is a GET by a browser from before 2020.
    return text is None or _is_own(text, environ, self_origins)


def is_speculative(environ: dict[str, Any], self_origins: OriginList) -> bool:
    """Whether a browser has sent a request ahead of time, and a page of another site may have
    caused it.

    For any page's speculation rules, Chromium sends ``Sec-Fetch-Site: none``, as if the user had
    typed the address. The page can withhold its ``Referer``, but cannot forge the app's
    (https://wicg.github.io/nav-speculation/prefetch.html).
    """
    if "HTTP_SEC_PURPOSE" not in environ or environ.get("HTTP_SEC_FETCH_SITE") != "none":
        return False
    referer: str = environ.get("HTTP_REFERER", "")
    scheme, _, rest = referer[ORIGIN_CUT].partition("://")
    return not _is_own(f"{scheme}://{rest.partition('/')[0]}", environ, self_origins)


def _is_own(text: str, environ: dict[str, Any], self_origins: OriginList) -> bool:
    """Whether a serialized origin is the app's own.

    It is compared with ``Host`` unchanged, and never repeated, so :func:`parse_origin` need not
    accept it: over http, browsers also reach hosts that end with a dot, or that have a hyphen where
    none is valid.
    """
    if len(text) > MAX_ORIGIN_LENGTH:
        return False
    scheme, _, authority = text.partition("://")
    host = (environ.get("HTTP_HOST") or "").lower()
    # An origin never has its scheme's default port; a Host header may.
    if (
        authority
        and host.startswith(authority)
        and host in (authority, f"{authority}:{DEFAULT_PORTS.get(scheme)}")
    ):
        own_scheme = _own_scheme(environ)
        # A page with https in front of an app with http: a proxy terminates TLS. In the opposite
        # case, the page was loaded without TLS, so an attacker on the network may have written it.
        if scheme == own_scheme or (scheme, own_scheme) == ("https", "http"):
            return True
    origin = parse_origin(text) if self_origins else None
    return origin is not None and self_origins.compiled.matches(text, origin, None)


def other_name(text: str, environ: dict[str, Any]) -> str:
    """Words that say that an origin is the app's own except for the name of this machine; or ""."""
    scheme, _, authority = text.partition("://")
    theirs, port = _name_and_port(authority)
    if theirs not in LOOPBACK or scheme != _own_scheme(environ):
        return ""
    ours, own_port = _name_and_port((environ.get("HTTP_HOST") or "").lower())
    if ours not in LOOPBACK or ours == theirs or port != own_port:
        return ""
    return (
        f"the app was reached as {ours}, and {theirs} is a different origin: use the same name for"
        " both, and the page is the app's own"
    )


def _name_and_port(authority: str) -> tuple[str, str]:
    if authority.endswith("]"):  # an IPv6 address
        return authority, ""
    name, colon, port = authority.rpartition(":")
    return (name, port) if colon else (authority, "")


def evidence(environ: dict[str, Any]) -> str:
    """Why a request is not taken to be from the app's own pages, in words."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return f"{SEC_FETCH_SITE} is {shown(site, 40)}"
    host: str = environ.get("HTTP_HOST") or ""
    scheme = _own_scheme(environ)
    own = shown(f"{scheme}://{host[ORIGIN_CUT]}")
    theirs, _, authority = environ.get("HTTP_ORIGIN", "").partition("://")
    name, _ = _name_and_port(authority)
    if name and name == _name_and_port(host.lower())[0] and theirs in (scheme, "https"):
        fix = (
            "only the port differs; if a proxy drops it, have it send the whole host, in nginx"
            " $http_host"
        )
    else:
        fix = _if_it_is_own(environ)
    return f"the app takes its own origin to be {own} ({fix})"


def _if_it_is_own(environ: dict[str, Any]) -> str:
    """What to do if the page is one of the app's own, in words."""
    text: str = environ.get("HTTP_ORIGIN", "")
    # A parsed origin is safe to print.
    is_origin = text.startswith(("http://", "https://")) and parse_origin(text) is not None
    what = f"{text} is this app itself" if is_origin else "that is wrong"
    listed = f'["{text}"]' if is_origin else "[...]"
    before: dict[str, Any] | None = environ.get("werkzeug.proxy_fix.orig")
    fix = "have the proxy send Host and X-Forwarded-Proto and use ProxyFix(app.wsgi_app, x_proto=1)"
    if before is not None and "HTTP_X_FORWARDED_HOST" not in environ:
        fix = "have the proxy send Host or X-Forwarded-Host: ProxyFix is there, but gets neither"
    elif before is not None and before.get("HTTP_HOST") == environ.get("HTTP_HOST"):
        fix = "have ProxyFix trust the proxy's X-Forwarded-Host: x_host=1"
    elif before is not None:
        return f"if {what}, write CorsGuard(app, self_origins={listed})"
    return f"if {what}, write CorsGuard(app, self_origins={listed}), or {fix}"


def _own_scheme(environ: dict[str, Any]) -> str | None:
    """The scheme of the app's pages. For a WebSocket, some servers give the socket's scheme."""
    scheme: str | None = environ.get("wsgi.url_scheme")
    return _PAGE_SCHEMES.get(scheme, scheme)
