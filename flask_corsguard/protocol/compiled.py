"""A policy as a decision looks it up: every header prepared, every list a set."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from flask_corsguard.protocol import headers
from flask_corsguard.protocol.origins import OriginSet

if TYPE_CHECKING:
    from flask_corsguard.protocol.policy import Policy


class CompiledPolicy:
    """Everything about a policy that a decision looks up, worked out once."""

    __slots__ = (
        "actual",
        "allow",
        "any_header",
        "constant",
        "deny",
        "enforces",
        "enforces_safe",
        "header_names",
        "key",
        "listed",
        "method_names",
        "null",
        "preflight",
        "refused",
    )

    def __init__(self, policy: Policy) -> None:
        credentials = policy.allow_credentials
        deny = policy.deny_origins.compiled
        origins = policy.origins
        everyone = origins == "*"
        #: whether the answer is ``*``, the same for every request
        self.constant = everyone and not deny
        #: origins that may, or None for everyone
        self.allow: OriginSet | None = None if origins == "*" else origins.compiled
        #: origins that may not, or None for nobody
        self.deny: OriginSet | None = deny if deny else None
        #: origins that may as they stand, since a serialized origin needs no parsing
        self.listed: frozenset[str] = self.allow.exact if self.allow and not deny else frozenset()
        #: whether the opaque origin may; only by name where there is something to get past
        self.null = policy.dangerously_allow_null_origin and (everyone or "null" in origins)
        #: whether there is anybody whom the server refuses, or would
        self.enforces = policy.enforce != "off" and not self.constant
        #: whether it refuses safe methods too
        self.enforces_safe = self.enforces and policy.enforce == "all"
        methods = policy.methods
        #: methods beyond the safelisted ones: names, None for those of the route, or all
        self.method_names = methods if methods is None or methods == "*" else frozenset(methods)
        names = policy.allow_headers
        self.any_header = "*" in names
        self.header_names = frozenset(name.lower() for name in names) - {"*"}
        #: headers of a response: where allowed, with an origin to be filled in unless the policy
        #: is constant; and where refused
        self.actual, self.refused = self._actual_headers(policy, credentials)
        self.preflight = self._preflight_headers(policy, credentials)
        #: what the policy means, for comparing two of them
        self.key = (
            self.allow,
            deny,
            self.null,
            self.method_names,
            self.any_header,
            self.header_names,
            frozenset(name.lower() for name in policy.expose_headers),
            credentials,
            policy.max_age,
            policy.enforce,
            policy.answer_preflight,
            policy.allow_private_network,
        )

    def _actual_headers(
        self, policy: Policy, credentials: bool
    ) -> tuple[dict[str, str], Mapping[str, str]]:
        """What goes on a response: where allowed, but for the origin, and where refused."""
        common: dict[str, str] = {} if self.constant else {headers.VARY: "Origin"}
        if self.enforces_safe:
            # A cache must not hand to another site what it would have been refused.
            common[headers.VARY] += f", {headers.SEC_FETCH_SITE}"
        allowed = {headers.ALLOW_ORIGIN: "*" if self.constant else ""}
        if credentials:
            allowed[headers.ALLOW_CREDENTIALS] = "true"
        if policy.expose_headers:
            allowed[headers.EXPOSE_HEADERS] = ", ".join(policy.expose_headers)
        return {**allowed, **common}, MappingProxyType(common)

    def _preflight_headers(self, policy: Policy, credentials: bool) -> dict[str, str]:
        """What goes on every allowed preflight beside Allow-Origin and Allow-Methods."""
        answer = {headers.ALLOW_ORIGIN: "*"} if self.constant else {}
        if credentials:
            answer[headers.ALLOW_CREDENTIALS] = "true"
        # With credentials a browser takes "*" for a header's name, so the announced names are
        # repeated instead: https://fetch.spec.whatwg.org/#cors-preflight-fetch step 7.
        if policy.allow_headers and not (self.any_header and credentials):
            answer[headers.ALLOW_HEADERS] = ", ".join(policy.allow_headers)
        if policy.max_age is not None:
            answer[headers.MAX_AGE] = str(policy.max_age)
        answer[headers.VARY] = headers.PREFLIGHT_VARY
        return answer

    def allows_header(self, lower_name: str) -> bool:
        """Whether a request header may be announced. ``*`` never covers ``Authorization``:
        https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name."""
        return lower_name in self.header_names or (
            self.any_header and lower_name != "authorization"
        )
