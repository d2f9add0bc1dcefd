"""The preflights that a browser remembers: https://fetch.spec.whatwg.org/#concept-cache"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.preflight_check import AUTHORIZATION


class CacheKey(NamedTuple):
    """What a preflight was about: the page's origin, the URL, with credentials or without."""

    origin: str
    url: str
    credentials: bool


class _Grant(NamedTuple):
    """One method, or one header in lower case, that a server has allowed; ``*`` is any."""

    is_method: bool
    name: str
    credentials: bool


class PreflightCache:
    """What servers have allowed in advance. Times are in seconds, and come from the caller."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # For each origin and URL: until when.
        self._expiry: dict[tuple[str, str], dict[_Grant, float]] = {}

    def covers(self, key: CacheKey, method: str, headers: Iterable[str], now: float) -> bool:
        """Whether a request needs no further preflight.

        :param headers: those that need permission, in lower case.
        """
        literal = self._engine.cache == "literal"
        grants = [
            grant
            for grant, expires in self._expiry.get((key.origin, key.url), {}).items()
            if expires > now
            and (grant.credentials == key.credentials or (grant.credentials and not literal))
        ]
        methods = {grant.name for grant in grants if grant.is_method}
        names = {grant.name for grant in grants if not grant.is_method}
        if literal:
            # Firefox: only GET and POST need no permission, and "*" is a name like any other.
            methods |= {"GET", "POST"}
        else:
            methods |= SAFELISTED_METHODS
            if "*" in methods and not key.credentials:
                methods.add(method)
            if "*" in names and not key.credentials:
                covers_all = self._engine.cached_wildcard_covers_authorization
                names |= set(headers) - (set() if covers_all else {AUTHORIZATION})
        return bool(grants) and method in methods and names.issuperset(headers)

    def remember(
        self,
        key: CacheKey,
        methods: Iterable[str],
        headers: Iterable[str],
        now: float,
        max_age: int,
    ) -> None:
        """Note what a preflight allowed, for *max_age* seconds. That replaces what an earlier one
        said of the same method or header."""
        if key.origin == "null" and not self._engine.caches_for_opaque:
            return
        earlier = self._expiry.get((key.origin, key.url), {})
        known = {} if self._engine.cache == "latest" else earlier
        known |= {_Grant(True, name, key.credentials): now + max_age for name in methods}
        known |= {_Grant(False, name.lower(), key.credentials): now + max_age for name in headers}
        self._expiry[key.origin, key.url] = {g: end for g, end in known.items() if end > now}

    def forget(self, key: CacheKey) -> None:
        """Forget what is known of a URL: a request that it had let through has failed."""
        self._expiry.pop((key.origin, key.url), None)
