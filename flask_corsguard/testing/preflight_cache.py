"""The preflights that a browser remembers: https://fetch.spec.whatwg.org/#concept-cache"""

from __future__ import annotations

from typing import NamedTuple

from flask_corsguard.protocol.headers import SAFELISTED_METHODS
from flask_corsguard.testing.cors_check import Requester
from flask_corsguard.testing.engines import Engine
from flask_corsguard.testing.preflight_check import AUTHORIZATION, Allowed
from flask_corsguard.testing.urls import Url


class _Grant(NamedTuple):
    """One method, or one header in lower case, that a server has allowed; ``*`` is any."""

    is_method: bool
    name: str
    credentials: bool


class PreflightCache:
    """The permissions of servers from earlier preflights. Times are in seconds, and come from the
    caller."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # For each origin and URL, what is allowed, and until when.
        self._expiry: dict[tuple[str, str], dict[_Grant, float]] = {}

    def covers(self, requester: Requester, url: Url, now: float) -> bool:
        """Whether a request needs no further preflight."""
        literal, credentials = self._engine.cache == "literal", requester.credentials
        grants = [
            grant
            for grant, end in self._expiry.get((requester.origin, str(url)), {}).items()
            if end > now
            and (grant.credentials == credentials or (grant.credentials and not literal))
        ]
        methods = {grant.name for grant in grants if grant.is_method}
        names = {grant.name for grant in grants if not grant.is_method}
        if literal:
            # Firefox: only GET and POST need no permission, and "*" is a name like any other.
            methods |= {"GET", "POST"}
        else:
            methods |= SAFELISTED_METHODS
            if "*" in methods and not credentials:
                methods.add(requester.method)
            if "*" in names and not credentials:
                covers_all = self._engine.cached_wildcard_covers_authorization
                names |= set(requester.unsafe) - (set() if covers_all else {AUTHORIZATION})
        is_covered = requester.method in methods and names.issuperset(requester.unsafe)
        return bool(grants) and is_covered

    def remember(self, requester: Requester, url: Url, allowed: Allowed, end: float) -> None:
        """Record what a preflight allows until *end*, in place of an earlier record about the same
        method or header."""
        key, credentials = (requester.origin, str(url)), requester.credentials
        if requester.origin == "null" and not self._engine.caches_for_opaque:
            return
        known = {} if self._engine.cache == "latest" else self._expiry.get(key, {})
        known |= {_Grant(True, name, credentials): end for name in allowed.methods}
        known |= {_Grant(False, name.lower(), credentials): end for name in allowed.headers}
        self._expiry[key] = known

    def forget(self, requester: Requester, url: Url) -> None:
        """Forget the records about a URL, because a preflight or a request to it has failed."""
        self._expiry.pop((requester.origin, str(url)), None)
