"""Remembered preflights: https://fetch.spec.whatwg.org/#concept-cache"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# Who asks, and what for: the origin as it is serialized, and the URL.
CacheKey = tuple[str, str]


class _Grant(NamedTuple):
    """One method or one header, allowed for a while.

    :ivar name: the method, or the header in lower case; ``*`` is any.
    """

    is_method: bool
    name: str
    credentials: bool
    expires: float


class PreflightCache:
    """What servers have allowed in advance.

    Times are in seconds, and come from whoever calls.
    """

    def __init__(self) -> None:
        self._grants: dict[CacheKey, list[_Grant]] = {}

    def allows(
        self, key: CacheKey, *, is_method: bool, name: str, credentials: bool, now: float
    ) -> bool:
        """Whether a method, or a header, needs no further preflight."""
        return any(
            grant.is_method == is_method
            and (grant.name == name or (grant.name == "*" and not grant.credentials))
            and (grant.credentials or not credentials)
            and grant.expires > now
            for grant in self._grants.get(key, ())
        )

    def remember(
        self,
        key: CacheKey,
        methods: Iterable[str],
        headers: Iterable[str],
        *,
        credentials: bool,
        expires: float,
    ) -> None:
        """Note what a preflight allowed. Later grants of the same replace earlier ones."""
        new = [_Grant(True, name, credentials, expires) for name in methods]
        new += [_Grant(False, name.lower(), credentials, expires) for name in headers]
        same = {(grant.is_method, grant.name, grant.credentials) for grant in new}
        kept = [
            g for g in self._grants.get(key, ()) if (g.is_method, g.name, g.credentials) not in same
        ]
        self._grants[key] = kept + new

    def forget(self, key: CacheKey) -> None:
        """Forget all grants of a URL: a request that they had let through has failed."""
        self._grants.pop(key, None)
