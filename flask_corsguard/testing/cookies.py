"""A browser's cookies: https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from werkzeug.http import parse_date

from flask_corsguard.protocol.headers import SAFE_METHODS
from flask_corsguard.protocol.origins import Origin
from flask_corsguard.protocol.publicsuffix import registrable_domain
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.urls import Url

_MAX_ATTRIBUTE, _MAX_AGE, _MOST_DIGITS = 1024, 400 * 86400, 12
_CONTROLS = frozenset(map(chr, [*range(9), *range(10, 32), 127]))
_SAME_SITE = frozenset({"strict", "lax", "none"})


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie.

    :ivar domain: the host that set it or, if not *host_only*, the domain that it named.
    :ivar same_site: ``strict``, ``lax``, ``none``, or "" if the server did not say.
    :ivar expires: seconds since the epoch, or None for the end of the session.
    :ivar created: seconds since the epoch.
    :ivar partition: the only site whose pages the cookie is for, or None.
    """

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    same_site: str
    expires: float | None
    created: float
    partition: str | None

    @property
    def key(self) -> object:
        """What a later cookie must have in common with this one to replace it."""
        return self.name, self.domain, self.host_only, self.path, self.partition


@dataclass(frozen=True, slots=True)
class CookieContext:
    """The facts that decide which cookies a request carries.

    :ivar same_site: whether the page and the server (in some engines, all servers in between too)
        are same-site.
    :ivar navigation: whether the address bar changes.
    :ivar third_party: whether the server's site differs from that in the address bar.
    :ivar method: the request's method.
    :ivar top_site: the site in the address bar.
    """

    same_site: bool
    navigation: bool
    third_party: bool
    method: str
    top_site: str


class LostCookie(NamedTuple):
    """A cookie that the browser keeps from a server.

    :ivar server: the server's origin.
    :ivar is_set: whether a response sets it, so that it is not kept; otherwise, it is not sent.
    :ivar why: what the browser objects to: its ``SameSite``, ``SameSite=None`` without ``Secure``,
        or that it is a third-party cookie.
    """

    cookie: Cookie
    server: Origin
    is_set: bool
    why: Literal["same_site", "insecure", "third_party"]


class CookieJar:
    """The cookies of one browser. Times are in seconds, and come from the caller."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cookies: dict[object, Cookie] = {}
        # Those that it has not kept, so that later requests can say why they lack them.
        self._refused: dict[object, Cookie] = {}

    def header_for(self, url: Url, context: CookieContext, now: float) -> str:
        """The ``Cookie`` header of a request, "" for none."""
        found = [c for c in self._cookies.values() if self._is_sent(c, url, context, now)]
        found.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{c.name}={c.value}" if c.name else c.value for c in found)

    def not_sent(self, url: Url, context: CookieContext, now: float) -> Iterator[LostCookie]:
        """The server's cookies that a request lacks because of its page."""
        kept = self._cookies.values()
        sent = {c.name for c in kept if self._is_sent(c, url, context, now)}
        for cookie in (*kept, *self._refused.values()):
            if cookie.name not in sent and self._is_for(cookie, url, now):
                why = self._why_lost(cookie, context)
                if why is not None:
                    yield LostCookie(cookie, _origin(url), False, why)

    def store(self, line: str, url: Url, context: CookieContext, now: float) -> LostCookie | None:
        """Read one ``Set-Cookie`` line, and keep the cookie if the rules allow it.

        :returns: the cookie, if it is not kept because of the page or its own ``SameSite``.
        """
        read = self._read(line, url, context, now)
        if read is None:
            return None
        cookie, attributes = read
        self._refused.pop(cookie.key, None)
        if not self._may_store(cookie, attributes, url, context):
            why = self._why_lost(cookie, context)
            is_deleted = cookie.expires is not None and cookie.expires <= now
            if why is None or is_deleted:
                return None
            self._refused[cookie.key] = cookie
            return LostCookie(cookie, _origin(url), True, why)
        old = self._cookies.get(cookie.key)
        self._cookies[cookie.key] = replace(cookie, created=old.created) if old else cookie
        for key, kept in list(self._cookies.items()):
            if kept.expires is not None and kept.expires <= now:
                del self._cookies[key]
        return None

    def _is_sent(self, cookie: Cookie, url: Url, context: CookieContext, now: float) -> bool:
        return (
            self._is_for(cookie, url, now)
            and self._is_in_partition(cookie, context)
            and self._same_site_allows(cookie, context, now)
        )

    def _is_for(self, cookie: Cookie, url: Url, now: float) -> bool:
        """Whether a request for the URL has the cookie, whatever its page is."""
        origin = _origin(url)
        is_below = not cookie.host_only and _is_below(origin.host, cookie.domain)
        return (
            (origin.host == cookie.domain or is_below)
            and _path_covers(cookie.path, url.path)
            and (not cookie.secure or self._may_be_secure(origin))
            and (cookie.expires is None or cookie.expires > now)
        )

    def _why_lost(
        self, cookie: Cookie, context: CookieContext
    ) -> Literal["same_site", "insecure", "third_party"] | None:
        engine = self._engine
        if cookie.same_site == "none" and not cookie.secure and engine.none_needs_secure:
            return "insecure"
        if not context.same_site and (cookie.same_site or engine.default_same_site) != "none":
            return "same_site"
        is_restricted = context.third_party and engine.third_party_cookies != "allowed"
        return "third_party" if is_restricted else None

    def _is_in_partition(self, cookie: Cookie, context: CookieContext) -> bool:
        is_apart = self._engine.third_party_cookies in ("partitioned", "blocked")
        if context.third_party and is_apart:
            return cookie.partition == context.top_site
        return cookie.partition in (None, context.top_site)

    def _same_site_allows(self, cookie: Cookie, context: CookieContext, now: float) -> bool:
        same_site = cookie.same_site or self._engine.default_same_site
        if context.same_site or same_site == "none":
            return True
        if same_site == "strict" or not context.navigation:
            return False
        is_new = not cookie.same_site and now - cookie.created < self._engine.lax_post_window
        return context.method in SAFE_METHODS or is_new

    def _read(
        self, line: str, url: Url, context: CookieContext, now: float
    ) -> tuple[Cookie, Mapping[str, str]] | None:
        pair, _, rest = line.partition(";")
        name, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if not equals:
            name, value = "", name
        limit = self._engine.max_cookie
        too_long = limit is not None and len(name) + len(value) > limit
        if too_long or not (name or value) or not _CONTROLS.isdisjoint(line):
            return None
        attributes, host = _attributes(rest), _origin(url).host
        domain = _domain(attributes.get("domain", ""), host)
        if domain is None:
            return None
        path = attributes.get("path", "")
        same_site = attributes.get("samesite", "").lower()
        cookie = Cookie(
            name,
            value,
            domain=domain or host,
            host_only=not domain,
            path=path if path.startswith("/") else url.path[: url.path.rindex("/")] or "/",
            secure="secure" in attributes,
            same_site=same_site if same_site in _SAME_SITE else "",
            expires=_expires(attributes, now),
            created=now,
            partition=self._partition(attributes, context),
        )
        return cookie, attributes

    def _partition(self, attributes: Mapping[str, str], context: CookieContext) -> str | None:
        engine = self._engine
        apart = context.third_party and engine.third_party_cookies == "partitioned"
        asked = engine.cookie_prefixes and "partitioned" in attributes
        return context.top_site if apart or asked else None

    def _may_store(
        self, cookie: Cookie, attributes: Mapping[str, str], url: Url, context: CookieContext
    ) -> bool:
        engine, origin = self._engine, _origin(url)
        same_site = cookie.same_site or engine.default_same_site
        is_refused = (
            (cookie.secure and not self._may_be_secure(origin))
            or (origin.scheme == "http" and not cookie.secure and self._hides_secure(cookie))
            or not (same_site == "none" or context.same_site or context.navigation)
            or (context.third_party and engine.third_party_cookies == "unset")
            or (
                context.third_party
                and engine.third_party_cookies == "blocked"
                and cookie.partition is None
            )
            or (cookie.same_site == "none" and not cookie.secure and engine.none_needs_secure)
            or (engine.cookie_prefixes and not _is_as_named(cookie, attributes))
        )
        return not is_refused

    def _may_be_secure(self, origin: Origin) -> bool:
        on_loopback = self._engine.secure_on_loopback and origin.is_loopback
        return origin.scheme == "https" or on_loopback

    def _hides_secure(self, new: Cookie) -> bool:
        """Whether a cookie from plain http would shadow one from https."""
        return any(
            old.secure
            and old.name == new.name
            and (_is_below(old.domain, new.domain) or _is_below(new.domain, old.domain))
            and _path_covers(old.path, new.path)
            for old in self._cookies.values()
        )


def _is_as_named(cookie: Cookie, attributes: Mapping[str, str]) -> bool:
    """Whether a cookie keeps what its prefix promises, and is secure if it is ``Partitioned``."""
    prefix = (cookie.name or cookie.value).lower()
    is_secure = bool(cookie.name) and cookie.secure
    if prefix.startswith("__host-"):
        return is_secure and attributes.get("path") == "/" and cookie.host_only
    if prefix.startswith("__secure-"):
        return is_secure
    if prefix.startswith("__http-"):
        return is_secure and "httponly" in attributes
    return cookie.secure or "partitioned" not in attributes


def _origin(url: Url) -> Origin:
    assert url.origin is not None
    return url.origin


def _attributes(text: str) -> dict[str, str]:
    """The attributes, with names in lower case; if a name is repeated, the last counts."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = (piece.strip(" \t") for piece in part.partition("="))
        if len(value) <= _MAX_ATTRIBUTE:
            found[name.lower()] = value
    return found


def _domain(given: str, host: str) -> str | None:
    """The domain of a cookie: "" for the host alone, None if the host may not set it."""
    domain = given.removeprefix(".").lower()
    if not domain:
        return ""
    if registrable_domain(domain) is None:
        return "" if domain == host else None
    return domain if _is_below(host, domain) else None


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _path_covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")


def _expires(attributes: Mapping[str, str], now: float) -> float | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal():
        # Python refuses to read a number of thousands of digits.
        seconds = min(int(age[:_MOST_DIGITS]), _MAX_AGE)
        return now + seconds if seconds > 0 else 0.0
    try:
        date = parse_date(attributes.get("expires"))
    except OverflowError:
        date = None
    return min(date.timestamp(), now + _MAX_AGE) if date else None
