"""Remembered preflights: https://fetch.spec.whatwg.org/#concept-cache"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.testing.cors_check import AUTHORIZATION
from flask_corsguard.testing.engines import Engine


class CacheKey(NamedTuple):
    """What a preflight was about: who asked, for which URL, with credentials or without."""

    origin: str
    url: str
    credentials: bool


class _Grant(NamedTuple):
    """One method, or one header in lower case, that a server has allowed; ``*`` is any."""

    is_method: bool
    name: str
    credentials: bool


class PreflightCache:
    """What servers have allowed in advance. Times are in seconds, and come from whoever calls."""

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
            # Firefox: only GET and POST need no permission, and "*" is the name of nothing else.
            may_send = method in {"GET", "POST"} | methods
            return bool(grants) and may_send and names.issuperset(headers)
        if "*" in names and not key.credentials:
            covers_all = self._engine.cached_wildcard_covers_authorization
            names |= set(headers) - (set() if covers_all else {AUTHORIZATION})
        any_method = "*" in methods and not key.credentials
        may_send = any_method or method in SAFELISTED_METHODS | methods
        return bool(grants) and may_send and names.issuperset(headers)

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
        place = (key.origin, key.url)
        known = {} if self._engine.cache == "latest" else self._expiry.get(place, {})
        for name in methods:
            known[_Grant(True, name, key.credentials)] = now + max_age
        for name in headers:
            known[_Grant(False, name.lower(), key.credentials)] = now + max_age
        self._expiry[place] = {grant: expires for grant, expires in known.items() if expires > now}

    def forget(self, key: CacheKey) -> None:
        """Forget what is known of a URL: a request that it had let through has failed."""
        self._expiry.pop((key.origin, key.url), None)
