"""The CORS headers of a policy's responses, prepared once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from flask_corsguard.protocol import headers

if TYPE_CHECKING:
    from flask_corsguard.protocol.compiled import CompiledPolicy
    from flask_corsguard.protocol.decision import CorsRequest, Scope
    from flask_corsguard.protocol.policy import Policy


class ResponseHeaders:
    """The headers of one policy's responses.

    :param compiled: the rest of the compiled policy.
    :ivar vary: further request headers that the decision depends on.
    :ivar refused: the headers of a response that the page may not read.
    :ivar preflight_refused: the headers of the response to a rejected preflight.
    :ivar not_cors: the headers of a response to a request without ``Origin``.
    """

    def __init__(self, policy: Policy, compiled: CompiledPolicy) -> None:
        audience = compiled.audience
        self.vary: tuple[str, ...] = audience.vary if audience else policy.origins_vary
        self._star = compiled.star
        self._only_safe_methods = compiled.strangers_only_read
        self._forgets_preflights = (audience or compiled).forgets_preflights
        self._methods = policy.methods
        self._credentials = policy.allow_credentials
        # With credentials a browser takes "*" for a header's name, so the requested names are
        # repeated instead: https://fetch.spec.whatwg.org/#cors-preflight-fetch step 7.
        self._repeats_names = "*" in policy.allow_headers and policy.allow_credentials
        # A policy in a list cannot know whether it will be tried.
        always_star = self._star and audience is None
        # A cache must not give another site a response that the server would refuse to it.
        # Sec-Purpose is not named: if it were, browsers would never use what the app's own pages
        # have prefetched.
        looked_at = ("Origin", headers.SEC_FETCH_SITE) if compiled.enforces_safe else ("Origin",)
        # A view that sets its own headers may set them for some origins only.
        is_constant = always_star and not compiled.views_override
        varies = {} if is_constant else {headers.VARY: headers.vary_by(*looked_at, *self.vary)}
        self.preflight_refused: Mapping[str, str] = MappingProxyType(
            {headers.VARY: headers.vary_by(headers.PREFLIGHT_VARY, *self.vary)}
        )
        common = {headers.ALLOW_ORIGIN: "*"}
        if policy.allow_credentials:
            common[headers.ALLOW_CREDENTIALS] = "true"
        exposed = {headers.EXPOSE_HEADERS: ", ".join(policy.expose_headers)}
        self._allowed = common | (exposed if policy.expose_headers else {}) | varies
        self._preflight = common | self._prepare_preflight(policy)
        self.refused: Mapping[str, str] = MappingProxyType(varies)
        self._with_star: Mapping[str, str] = MappingProxyType(self._allowed)
        self.not_cors = self._with_star if always_star else self.refused

    def _prepare_preflight(self, policy: Policy) -> dict[str, str]:
        prepared: dict[str, str] = {}
        if policy.allow_headers and not self._repeats_names:
            prepared[headers.ALLOW_HEADERS] = ", ".join(policy.allow_headers)
        max_age = 0 if self._forgets_preflights else policy.max_age
        if max_age is not None:
            prepared[headers.MAX_AGE] = str(max_age)
        return {**prepared, **self.preflight_refused}

    def allowed(self, origin: str) -> Mapping[str, str]:
        """The headers of a response that a page of *origin* may read."""
        if self._star:
            return self._with_star
        prepared = self._allowed.copy()
        prepared[headers.ALLOW_ORIGIN] = origin
        return MappingProxyType(prepared)

    def preflight(
        self,
        origin: str,
        request: CorsRequest,
        names: tuple[str, ...],
        scope: Scope,
        methods: str | None,
    ) -> Mapping[str, str]:
        """The headers of the response to an allowed preflight.

        :param names: the requested headers.
        :param methods: what :meth:`allow_methods` has prepared.
        """
        prepared = self._preflight.copy()
        if not self._star:
            prepared[headers.ALLOW_ORIGIN] = origin
        # If strangers may only read, only a raw origin gets here with an unsafe method.
        is_raw = self._only_safe_methods and request.method not in headers.SAFE_METHODS
        if methods is None or is_raw or request.method in scope.governed_elsewhere:
            methods = request.method
        if methods:
            prepared[headers.ALLOW_METHODS] = methods
        if not scope.governed_elsewhere.isdisjoint(headers.SAFELISTED_METHODS):
            # A browser remembers header names for the whole URL, whatever the method
            # (https://fetch.spec.whatwg.org/#header-name-cache-entry-match). It would then send a
            # POST with one of them without a preflight, past the policy that governs it. So it must
            # forget.
            prepared[headers.MAX_AGE] = "0"
        if names and self._repeats_names:
            prepared[headers.ALLOW_HEADERS] = ", ".join(names)
        if request.private_network:
            prepared[headers.ALLOW_PRIVATE_NETWORK] = "true"
        return MappingProxyType(prepared)

    def allow_methods(
        self, accepted: frozenset[str] | None, governed_elsewhere: frozenset[str]
    ) -> str | None:
        """Prepare the ``Access-Control-Allow-Methods`` value of a route.

        A browser remembers every method in it for the whole URL, and then sends such requests
        without another preflight (https://fetch.spec.whatwg.org/#method-cache-entry-match). So the
        value never has a method that another policy governs at the same URL, that the server
        refuses, or about which the callable in ``origins`` has not decided.

        :param accepted: the methods that the routes at the URL accept, or None for any.
        :param governed_elsewhere: the methods that another policy governs.
        :returns: None if the response should repeat the requested method.
        """
        methods = self._methods
        if self._forgets_preflights:
            return None
        if methods == "*":
            is_repeated = self._credentials or governed_elsewhere or self._only_safe_methods
            return None if is_repeated else "*"
        if methods is None:
            if accepted is None:
                return None
            methods = tuple(sorted(accepted))
        if self._only_safe_methods:
            methods = tuple(name for name in methods if name in headers.SAFE_METHODS)
        return ", ".join(name for name in methods if name not in governed_elsewhere)
