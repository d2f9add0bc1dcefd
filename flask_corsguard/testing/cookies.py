"""A browser's cookies: https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    :ivar same_site: ``strict``, ``lax``, ``none``, or "" where it did not say.
    :ivar expires: seconds since the epoch, or None for the end of the session.
    :ivar created: the same.
    :ivar partition: the site whose pages alone it is for, or None.
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
    def key(self) -> tuple[object, ...]:
        """What a later cookie has to share to replace this one."""
        return self.name, self.domain, self.host_only, self.path, self.partition


@dataclass(frozen=True, slots=True)
class CookieContext:
    """What decides which cookies go along with a request.

    :ivar same_site: whether the page and the server belong to one site, and those between them.
    :ivar navigation: whether the address bar follows.
    :ivar third_party: whether the server is of another site than the address bar shows.
    :ivar method: the request's.
    :ivar top_site: the site in the address bar.
    """

    same_site: bool
    navigation: bool
    third_party: bool
    method: str
    top_site: str


class CookieJar:
    """The cookies of one browser. Times are in seconds, and come from whoever calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cookies: list[Cookie] = []

    def header_for(self, url: Url, context: CookieContext, now: float) -> str:
        """The ``Cookie`` header of a request, "" for none."""
        found = [c for c in self._cookies if self._goes_along(c, url, context, now)]
        found.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{c.name}={c.value}" if c.name else c.value for c in found)

    def store(self, line: str, url: Url, context: CookieContext, now: float) -> None:
        """Read one ``Set-Cookie`` line, and keep what it sets where the rules allow it."""
        cookie = self._read(line, url, context, now)
        if cookie is None:
            return
        for index, old in enumerate(self._cookies):
            if old.key == cookie.key:
                self._cookies[index] = replace(cookie, created=old.created)
                break
        else:
            self._cookies.append(cookie)
        self._cookies = [c for c in self._cookies if c.expires is None or c.expires > now]

    def _goes_along(self, cookie: Cookie, url: Url, context: CookieContext, now: float) -> bool:
        origin = _origin(url)
        return (
            (
                origin.host == cookie.domain
                or (not cookie.host_only and _is_below(origin.host, cookie.domain))
            )
            and _path_covers(cookie.path, url.path)
            and (not cookie.secure or self._may_be_secure(origin))
            and (cookie.expires is None or cookie.expires > now)
            and self._is_at_hand(cookie, context)
            and self._may_cross(cookie, context, now)
        )

    def _is_at_hand(self, cookie: Cookie, context: CookieContext) -> bool:
        """Whether pages of the top site share this cookie."""
        rule = self._engine.third_party_cookies
        if context.third_party and rule in ("partitioned", "blocked"):
            return cookie.partition == context.top_site
        return cookie.partition in (None, context.top_site)

    def _may_cross(self, cookie: Cookie, context: CookieContext, now: float) -> bool:
        engine = self._engine
        same_site = cookie.same_site or engine.default_same_site
        if context.same_site or same_site == "none":
            return True
        if same_site == "strict" or not context.navigation:
            return False
        fresh = not cookie.same_site and now - cookie.created < engine.lax_post_window
        return context.method in SAFE_METHODS or fresh

    def _read(self, line: str, url: Url, context: CookieContext, now: float) -> Cookie | None:
        pair, _, rest = line.partition(";")
        name, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if not equals:
            name, value = "", name
        limit = self._engine.max_cookie
        too_long = limit is not None and len(name) + len(value) > limit
        if too_long or not (name or value) or not _CONTROLS.isdisjoint(line):
            return None
        attributes = _attributes(rest)
        origin = _origin(url)
        domain = _domain(attributes.get("domain", ""), origin.host)
        if domain is None:
            return None
        path = attributes.get("path", "")
        same_site = attributes.get("samesite", "").lower()
        cookie = Cookie(
            name,
            value,
            domain or origin.host,
            not domain,
            path if path.startswith("/") else _default_path(url.path),
            "secure" in attributes,
            same_site if same_site in _SAME_SITE else "",
            _expires(attributes, now),
            now,
            self._partition(attributes, context),
        )
        return cookie if self._may_store(cookie, attributes, url, context) else None

    def _partition(self, attributes: Mapping[str, str], context: CookieContext) -> str | None:
        engine = self._engine
        apart = context.third_party and engine.third_party_cookies == "partitioned"
        asked = engine.cookie_prefixes and "partitioned" in attributes
        return context.top_site if apart or asked else None

    def _may_store(
        self, cookie: Cookie, attributes: Mapping[str, str], url: Url, context: CookieContext
    ) -> bool:
        engine, origin = self._engine, _origin(url)
        if cookie.secure and not self._may_be_secure(origin):
            return False
        if origin.scheme == "http" and not cookie.secure and self._hides_secure(cookie):
            return False
        same_site = cookie.same_site or engine.default_same_site
        if same_site != "none" and not context.same_site and not context.navigation:
            return False
        if context.third_party and (
            engine.third_party_cookies == "unset"
            or (engine.third_party_cookies == "blocked" and cookie.partition is None)
        ):
            return False
        if cookie.same_site == "none" and not cookie.secure and engine.none_needs_secure:
            return False
        return not engine.cookie_prefixes or _keeps_promise(cookie, attributes)

    def _may_be_secure(self, origin: Origin) -> bool:
        on_loopback = self._engine.secure_on_loopback and origin.is_loopback
        return origin.scheme == "https" or on_loopback

    def _hides_secure(self, new: Cookie) -> bool:
        """Whether a cookie from plain http would get in the way of one from https."""
        return any(
            old.secure
            and old.name == new.name
            and (_is_below(old.domain, new.domain) or _is_below(new.domain, old.domain))
            and _path_covers(old.path, new.path)
            for old in self._cookies
        )


def _keeps_promise(cookie: Cookie, attributes: Mapping[str, str]) -> bool:
    """Whether a cookie is what its name says, and ``Partitioned`` one that may be."""
    prefix = (cookie.name or cookie.value).lower()
    if prefix.startswith("__host-"):
        rooted = attributes.get("path") == "/" and cookie.host_only
        return bool(cookie.name) and cookie.secure and rooted
    if prefix.startswith("__secure-"):
        return bool(cookie.name) and cookie.secure
    if prefix.startswith("__http-"):
        return bool(cookie.name) and cookie.secure and "httponly" in attributes
    return cookie.secure or "partitioned" not in attributes


def _origin(url: Url) -> Origin:
    assert url.origin is not None
    return url.origin


def _attributes(text: str) -> dict[str, str]:
    """Names in lower case; of several with one name, the last counts."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = (piece.strip(" \t") for piece in part.partition("="))
        if len(value) <= _MAX_ATTRIBUTE:
            found[name.lower()] = value
    return found


def _domain(given: str, host: str) -> str | None:
    """The domain that a cookie is for: "" for the host alone, None if it may not name this one."""
    domain = given.removeprefix(".").lower()
    if not domain:
        return ""
    if registrable_domain(domain) is None:
        return "" if domain == host else None
    return domain if _is_below(host, domain) else None


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _default_path(path: str) -> str:
    return path[: path.rindex("/")] or "/"


def _path_covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")


def _expires(attributes: Mapping[str, str], now: float) -> float | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal():
        # Python reads no number of thousands of digits.
        seconds = min(int(age[:_MOST_DIGITS]), _MAX_AGE)
        return now + seconds if seconds > 0 else 0.0
    try:
        date = parse_date(attributes.get("expires"))
    except OverflowError:
        date = None
    return min(date.timestamp(), now + _MAX_AGE) if date else None
