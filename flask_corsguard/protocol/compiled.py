"""A policy prepared for decisions: lists as sets, and finished headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from flask_corsguard.protocol import headers
from flask_corsguard.protocol.origins import OriginSet
from flask_corsguard.protocol.response_headers import ResponseHeaders

if TYPE_CHECKING:
    from flask_corsguard.protocol.policy import Policy


class KnownRows(Protocol):
    """The rows of a source that a policy uses.

    :ivar admission: says, in words, that one of them admits the origin.
    """

    admission: str

    def words(self) -> str:
        """The number of rows and their age, in words."""
        ...

    def left_out(self, origin: str) -> str:
        """Why a row with an origin is left out; "" if there is no such row."""
        ...


class Audience(NamedTuple):
    """What each policy of a list needs to know about the list.

    :ivar name: the policy's name in words.
    :ivar is_last: whether it is the last.
    :ivar forgets_preflights: whether browsers must not remember preflights of any of them.
    :ivar vary: the ``origins_vary`` of all of them.
    """

    name: str
    is_last: bool
    forgets_preflights: bool
    vary: tuple[str, ...]


class CompiledPolicy:
    """Everything about a policy that decisions need, computed once.

    :param audience: given if it is one of a list of policies.
    :ivar allow: the origins that may read, or None for every origin.
    :ivar deny: the origins that may not, or None for none.
    :ivar raw: the raw origins that may read.
    :ivar listed: the exact origins that may read: they are looked up without being parsed.
    :ivar asks: whether a callable or a source can decide.
    :ivar sources: the sources in ``origins``.
    :ivar live: their rows; None until :mod:`flask_corsguard.sources` reads them.
    :ivar asks_request: whether there is a callable that takes the request.
    :ivar forgets_preflights: whether the callable may decide by the method, because there is no
        ``origins_vary``.
    :ivar null: whether the opaque origin may read.
    :ivar star: whether ``Access-Control-Allow-Origin`` is always a literal ``*``.
    :ivar enforces: whether the server refuses, or reports, any requests.
    :ivar enforces_safe: whether the server refuses requests with safe methods too.
    :ivar strangers_only_read: whether every origin may read, but the server refuses their requests
        with unsafe methods.
    :ivar any_header: whether every request header but ``Authorization`` is allowed.
    :ivar private_network: whether preflights for a private network are allowed.
    :ivar answers_preflight: whether the guard responds to preflights, rather than the app.
    :ivar views_override: whether a view's own ``Access-Control-*`` headers are kept.
    :ivar headers: the headers of its responses.
    """

    def __init__(self, policy: Policy, audience: Audience | None = None) -> None:
        deny = policy.deny_origins.compiled
        everyone = policy.origins == "*"
        self.audience = audience
        self.star = everyone and not deny
        self.allow: OriginSet | None = None if policy.origins == "*" else policy.origins.compiled
        self.deny: OriginSet | None = deny or None
        self.raw: frozenset[str] = frozenset(policy.raw_origins)
        listed = self.allow.exact if self.allow and not deny else frozenset[str]()
        self.listed = listed | self.raw if self.raw else listed
        self.asks = self.allow is not None and not self.allow.is_constant
        self.sources = self.allow.sources if self.allow else ()
        self.live: tuple[KnownRows, ...] | None = None
        self.asks_request = self.allow is not None and self.allow.check_takes_request
        self.forgets_preflights = self.asks_request and not policy.origins_vary
        # Unless every origin may read, "null" must be listed too.
        is_named = everyone or "null" in policy.origins
        self.null: bool = policy.dangerously_allow_null_origin and is_named
        self.enforces = policy.enforce != "off"
        self.enforces_safe = policy.enforce == "all"
        self.strangers_only_read = everyone and policy.enforce == "unsafe"
        self.private_network = policy.allow_private_network
        self.answers_preflight = policy.answer_preflight
        self.views_override = policy.dangerously_let_views_override
        self.any_header = "*" in policy.allow_headers
        self._header_names = frozenset(name.lower() for name in policy.allow_headers)
        self._methods = policy.methods
        self.headers = ResponseHeaders(policy, self)

    def allows_method(self, method: str, accepted: frozenset[str] | None) -> bool:
        """Whether a method may be requested.

        :param accepted: the methods that the URL's routes accept, or None for any.
        """
        if method in headers.SAFELISTED_METHODS:
            return True
        methods = accepted if self._methods is None else self._methods
        if methods is not None and methods != "*":
            return method in methods
        # Any method: it is repeated in the response, so it must be valid.
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
