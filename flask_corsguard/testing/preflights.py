"""Remembered preflights: https://fetch.spec.whatwg.org/#concept-cache"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.testing.checks import AUTHORIZATION
from flask_corsguard.testing.engines import Engine


class CacheKey(NamedTuple):
    """What a preflight was about: who asked, for which URL, with credentials or without."""

    origin: str
    url: str
    credentials: bool


class _Grants(NamedTuple):
    """What one preflight allowed, until *expires*, in seconds since the epoch."""

    methods: frozenset[str]
    headers: frozenset[str]
    credentials: bool
    expires: float


class PreflightCache:
    """What servers have allowed in advance. Times come from whoever calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._grants: dict[tuple[str, str], list[_Grants]] = {}

    def covers(self, key: CacheKey, method: str, headers: Iterable[str], now: float) -> bool:
        """Whether a request needs no further preflight.

        :param headers: those that need permission, in lower case.
        """
        literal = self._engine.cache == "literal"
        grants = [
            grants
            for grants in self._grants.get((key.origin, key.url), ())
            if grants.expires > now
            and (
                grants.credentials == key.credentials
                if literal
                else grants.credentials >= key.credentials
            )
        ]
        if not grants:
            return False
        methods = frozenset[str]().union(*(g.methods for g in grants))
        names = frozenset[str]().union(*(g.headers for g in grants))
        if literal:
            # Firefox: only GET and POST need no permission, and "*" is the name of nothing else.
            return (method in ("GET", "POST") or method in methods) and names.issuperset(headers)
        if "*" in names and not key.credentials:
            covered = names.union(headers)
            if not self._engine.cached_wildcard_covers_authorization:
                covered -= {AUTHORIZATION} - names
            names = covered
        any_method = "*" in methods and not key.credentials
        return (
            any_method or method in SAFELISTED_METHODS or method in methods
        ) and names.issuperset(headers)

    def remember(
        self,
        key: CacheKey,
        methods: Iterable[str],
        headers: Iterable[str],
        now: float,
        max_age: int,
    ) -> None:
        """Note what a preflight allowed, for *max_age* seconds."""
        if key.origin == "null" and not self._engine.caches_for_opaque:
            return
        names = frozenset(name.lower() for name in headers)
        new = _Grants(frozenset(methods), names, key.credentials, now + max_age)
        place = (key.origin, key.url)
        before = [] if self._engine.cache == "latest" else self._grants.get(place, [])
        self._grants[place] = [grants for grants in (*before, new) if grants.expires > now]

    def forget(self, key: CacheKey) -> None:
        """Forget what is known of a URL: a request that it had let through has failed."""
        self._grants.pop((key.origin, key.url), None)
