"""A policy as a decision looks it up: lists as sets, and every header prepared."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from flask_corsguard.protocol import headers
from flask_corsguard.protocol.origins import OriginSet

if TYPE_CHECKING:
    from flask_corsguard.protocol.decision import CorsRequest, Scope
    from flask_corsguard.protocol.policy import Policy


class CompiledPolicy:
    """Everything about a policy that a decision looks up, worked out once.

    :ivar allow: origins that may read, or None for everyone.
    :ivar deny: origins that may not, or None for nobody.
    :ivar listed: origins that may read, as they are sent: these need no parsing.
    :ivar null: whether the opaque origin may read.
    :ivar sends_star: whether every response has ``Access-Control-Allow-Origin: *``.
    :ivar enforces: whether the server refuses, or reports, anybody.
    :ivar enforces_safe: whether it does for the safe methods too.
    :ivar any_header: whether every request header but ``Authorization`` is allowed.
    :ivar private_network: whether a page may reach a private network.
    :ivar answers_preflight: whether the guard responds to preflights, rather than the app.
    :ivar refused: the headers of a response that the page may not read.
    :ivar not_cors: the headers of a response to a request without ``Origin``.
    """

    def __init__(self, policy: Policy) -> None:
        deny = policy.deny_origins.compiled
        everyone = policy.origins == "*"
        self.sends_star = everyone and not deny
        self.allow: OriginSet | None = None if policy.origins == "*" else policy.origins.compiled
        self.deny: OriginSet | None = deny if deny else None
        self.listed: frozenset[str] = self.allow.exact if self.allow and not deny else frozenset()
        # By name, unless everyone may read: only then is there something to get past.
        is_named = everyone or "null" in policy.origins
        self.null: bool = policy.dangerously_allow_null_origin and is_named
        self.enforces = policy.enforce != "off" and not self.sends_star
        self.enforces_safe = self.enforces and policy.enforce == "all"
        self.private_network = policy.allow_private_network
        self.answers_preflight = policy.answer_preflight
        self._methods = policy.methods
        self.any_header = "*" in policy.allow_headers
        self._header_names = frozenset(name.lower() for name in policy.allow_headers) - {"*"}
        # With credentials a browser takes "*" for a header's name, so the requested names are
        # repeated instead: https://fetch.spec.whatwg.org/#cors-preflight-fetch step 7.
        self._repeats_headers = self.any_header and policy.allow_credentials
        self._preflight = self._prepare_preflight(policy)
        self._allowed, self.refused = self._prepare_responses(policy)
        self.not_cors: Mapping[str, str]
        self.not_cors = MappingProxyType(self._allowed) if self.sends_star else self.refused

    def _prepare_responses(self, policy: Policy) -> tuple[dict[str, str], Mapping[str, str]]:
        """The headers of a response that the page may read, but for its origin; and of others."""
        vary: dict[str, str] = {} if self.sends_star else {headers.VARY: "Origin"}
        if self.enforces_safe:
            # A cache must not hand to another site what it would have been refused.
            vary[headers.VARY] += f", {headers.SEC_FETCH_SITE}"
        allowed = {headers.ALLOW_ORIGIN: "*"}
        if policy.allow_credentials:
            allowed[headers.ALLOW_CREDENTIALS] = "true"
        if policy.expose_headers:
            allowed[headers.EXPOSE_HEADERS] = ", ".join(policy.expose_headers)
        return allowed | vary, MappingProxyType(vary)

    def _prepare_preflight(self, policy: Policy) -> dict[str, str]:
        """The headers of an allowed preflight, but for the origin and the methods."""
        prepared = {headers.ALLOW_ORIGIN: "*"}
        if policy.allow_credentials:
            prepared[headers.ALLOW_CREDENTIALS] = "true"
        if policy.allow_headers and not self._repeats_headers:
            prepared[headers.ALLOW_HEADERS] = ", ".join(policy.allow_headers)
        if policy.max_age is not None:
            prepared[headers.MAX_AGE] = str(policy.max_age)
        prepared[headers.VARY] = headers.PREFLIGHT_VARY
        return prepared

    def response_headers(self, origin: str) -> Mapping[str, str]:
        """The headers of a response that a page of *origin* may read."""
        if self.sends_star:
            return self.not_cors
        prepared = self._allowed.copy()
        prepared[headers.ALLOW_ORIGIN] = origin
        return MappingProxyType(prepared)

    def preflight_headers(
        self, request: CorsRequest, names: tuple[str, ...], scope: Scope
    ) -> Mapping[str, str]:
        """The headers of an allowed preflight.

        :param names: the requested headers.
        """
        prepared = self._preflight.copy()
        if not self.sends_star:
            prepared[headers.ALLOW_ORIGIN] = request.origin or ""
        methods = scope.allow_methods
        if methods is None or request.method in scope.governed_elsewhere:
            methods = request.method
        if methods:
            prepared[headers.ALLOW_METHODS] = methods
        if not scope.governed_elsewhere.isdisjoint(headers.SAFELISTED_METHODS):
            # A browser remembers header names for the whole URL too, whatever the method
            # (https://fetch.spec.whatwg.org/#header-name-cache-entry-match). A POST with one of
            # them would then be sent without a preflight, past the policy that governs it. So the
            # browser is to forget.
            prepared[headers.MAX_AGE] = "0"
        if names and self._repeats_headers:
            prepared[headers.ALLOW_HEADERS] = ", ".join(names)
        if request.private_network:
            prepared[headers.ALLOW_PRIVATE_NETWORK] = "true"
        return MappingProxyType(prepared)

    def allow_methods(
        self, accepted: frozenset[str] | None, governed_elsewhere: frozenset[str]
    ) -> str | None:
        """Prepare the ``Access-Control-Allow-Methods`` value of a route.

        A browser remembers every method in it for the whole URL, and then sends those without
        another preflight (https://fetch.spec.whatwg.org/#method-cache-entry-match). So a method
        that another policy governs at the same URL is never in it.

        :param accepted: the methods that the URL's routes accept, or None for any.
        :param governed_elsewhere: those that another policy governs.
        :returns: None where the requested method is to be repeated.
        """
        methods = self._methods
        if methods == "*":
            is_literal = not self._preflight.get(headers.ALLOW_CREDENTIALS)
            return "*" if is_literal and not governed_elsewhere else None
        if methods is None:
            if accepted is None:
                return None
            methods = tuple(sorted(accepted))
        return ", ".join(name for name in methods if name not in governed_elsewhere)

    def allows_method(self, method: str, accepted: frozenset[str] | None) -> bool:
        """Whether a method may be requested.

        :param accepted: the methods that the URL's routes accept, or None for any.
        """
        if method in headers.SAFELISTED_METHODS:
            return True
        methods = accepted if self._methods is None else self._methods
        if methods is not None and methods != "*":
            return method in methods
        # Any method: it is repeated in the response, so it must be one.
        return (
            len(method) <= headers.MAX_METHOD_LENGTH
            and headers.is_token(method)
            and method.upper() not in headers.FORBIDDEN_METHODS
        )

    def allows_header(self, lower_name: str) -> bool:
        """Whether a header may be requested. ``*`` never covers ``Authorization``:
        https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name."""
        return lower_name in self._header_names or (
            self.any_header and lower_name != "authorization"
        )
