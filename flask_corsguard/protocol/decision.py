"""The decision: from a policy and a request to a verdict with its headers. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from flask_corsguard.protocol import explanation, headers
from flask_corsguard.protocol.compiled import CompiledPolicy
from flask_corsguard.protocol.origins import (
    MAX_ORIGIN_LENGTH,
    CheckFailedError,
    parse_origin,
)
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.protocol.tuples import named

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_PREFLIGHT_REFUSED = MappingProxyType({headers.VARY: headers.PREFLIGHT_VARY})
# Bound once: these are read for every request.
_ALLOWED, _REJECTED = Outcome.ALLOWED, Outcome.REJECTED


class CorsRequest(NamedTuple):
    """What a decision looks at, as it came from the network.

    :ivar origin: the ``Origin`` value, or None where there is none.
    :ivar method: the method; for a preflight the one that it announces.
    :ivar path: the path asked for, for people to read.
    :ivar preflight: whether this is a CORS-preflight request
        (https://fetch.spec.whatwg.org/#cors-preflight-request).
    :ivar announced_headers: the ``Access-Control-Request-Headers`` value, or None.
    :ivar private_network: whether the preflight asks for access to a private network.
    :ivar context: handed to an ``origins`` callable that takes a second parameter.
    """

    origin: str | None
    method: str
    path: str = ""
    preflight: bool = False
    announced_headers: str | None = None
    private_network: bool = False
    context: object = None


class Scope(NamedTuple):
    """Where a policy applies.

    :ivar endpoint: the endpoint, or None where no route was found.
    :ivar source: in words, what set the policy: ``view users.list``, ``default``.
    :ivar location: file and line of that place, or "".
    :ivar methods: the methods that the URL's routes accept, or None for any.
    :ivar governed_elsewhere: methods for which another policy may answer at the same URL.
    :ivar allow_methods: the ``Access-Control-Allow-Methods`` value, as :func:`allow_methods`
        prepared it, or None to repeat the announced method.
    """

    endpoint: str | None = None
    source: str = "default"
    location: str = ""
    methods: frozenset[str] | None = None
    governed_elsewhere: frozenset[str] = frozenset()
    allow_methods: str | None = None


ANYWHERE = Scope()


class Decision(NamedTuple):
    """What was decided about one request, and why. Immutable.

    :ivar outcome: the verdict.
    :ivar reason: why it was rejected, or None.
    :ivar origin: the ``Origin`` value as sent, cut after 320 characters. Where it is malformed it
        can hold anything: escape it before it goes into a log or a page.
    :ivar method: the request's method; for a preflight the one that it announces.
    :ivar request_headers: the header names that a preflight announces, in lower case.
    :ivar preflight: whether the request is a CORS preflight.
    :ivar endpoint: the Flask endpoint, or None where no route was found.
    :ivar policy: the policy that decided, or None for an exempt route.
    :ivar policy_source: in words, what set the policy: ``view users.list``, ``blueprint api``,
        ``default``.
    :ivar policy_location: file and line of that place, or "".
    :ivar path: the path asked for, where it was rejected; "" otherwise.
    :ivar blocked: whether the server refuses to run the request.
    :ivar report_only: whether this only reports what would be refused: by a policy that is on
        trial, or by ``enforce="report"``. No response is other for it.
    :ivar headers: the CORS headers of the response, ``Vary`` included.
    :ivar detail: what else is known about a failure or a refusal, in words.
    """

    outcome: Outcome
    reason: Reason | None
    origin: str | None
    method: str
    request_headers: tuple[str, ...]
    preflight: bool
    endpoint: str | None
    policy: Policy | None
    policy_source: str
    policy_location: str = ""
    path: str = ""
    blocked: bool = False
    report_only: bool = False
    headers: Mapping[str, str] = _NO_HEADERS
    detail: str = ""

    def explain(self) -> str:
        """A few lines of plain text for a person: who asked for what, which policy answered and
        where that was set, what was found, and what to change if it should have been allowed.

        Safe to print: everything that came from the network is escaped and cut.
        """
        return "\n".join(explanation.lines(self))


def exempt(request: CorsRequest, scope: Scope) -> Decision:
    """The decision for a route that the guard leaves alone."""
    origin = request.origin[:MAX_ORIGIN_LENGTH] if request.origin else request.origin
    return Decision(
        Outcome.EXEMPT, None, origin, request.method, (), request.preflight,
        scope.endpoint, None, scope.source, scope.location,
    )  # fmt: skip


def not_cors(policy: Policy, method: str, scope: Scope) -> Decision:
    """The decision for a request without ``Origin``."""
    compiled = policy.compiled
    own = MappingProxyType(compiled.actual) if compiled.constant else compiled.refused
    return Decision(
        Outcome.NOT_CORS, None, None, method, (), False,
        scope.endpoint, policy, scope.source, scope.location, headers=own,
    )  # fmt: skip


def decide(policy: Policy, request: CorsRequest, scope: Scope = ANYWHERE) -> Decision:
    """Decide one request.

    :param policy: the policy of the route that the request, or the request that a preflight
        announces, would reach.
    :param request: what came from the network. No value in it makes this raise.
    :param scope: where the policy applies.
    """
    origin = request.origin
    if origin is None:
        return not_cors(policy, request.method, scope)
    compiled = policy.compiled
    names: tuple[str, ...] | None = ()
    reason, detail = None, ""
    # The length is first: to look something up is to read all of it.
    is_listed = len(origin) <= MAX_ORIGIN_LENGTH and origin in compiled.listed
    if not (is_listed or compiled.constant):
        reason, detail = _judge_origin(compiled, origin, request.context)
    if request.preflight:
        names = headers.parse_announced_headers(request.announced_headers or "")
        if reason is None:
            reason = _judge_preflight(policy, request, names, scope)
    if reason is not None:
        own = _PREFLIGHT_REFUSED if request.preflight else compiled.refused
    elif request.preflight:
        own = _preflight_headers(policy, request, names or (), scope)
    elif compiled.constant:
        own = MappingProxyType(compiled.actual)
    else:
        answer = compiled.actual.copy()
        answer[headers.ALLOW_ORIGIN] = origin
        own = MappingProxyType(answer)
    return named(
        Decision,
        (
            _ALLOWED if reason is None else _REJECTED,
            reason,
            origin if len(origin) <= MAX_ORIGIN_LENGTH else origin[:MAX_ORIGIN_LENGTH],
            request.method,
            names or (),
            request.preflight,
            scope.endpoint,
            policy,
            scope.source,
            scope.location,
            "" if reason is None else request.path,
            False,
            False,
            own,
            detail,
        ),
    )


def _judge_origin(
    compiled: CompiledPolicy, text: str, context: object
) -> tuple[Reason | None, str]:
    if len(text) > MAX_ORIGIN_LENGTH:
        return Reason.ORIGIN_MALFORMED, ""
    allow, deny = compiled.allow, compiled.deny
    if text == "null":
        if deny is not None and text in deny.exact:
            return Reason.ORIGIN_DENIED, ""
        return (None if compiled.null else Reason.ORIGIN_NULL), ""
    origin = parse_origin(text)
    if origin is None:
        return Reason.ORIGIN_MALFORMED, ""
    if deny is not None and deny.matches(text, origin, context):
        return Reason.ORIGIN_DENIED, ""
    try:
        allowed = allow is None or allow.matches(text, origin, context)
    except CheckFailedError as error:
        return Reason.ORIGIN_CHECK_FAILED, str(error)
    return (None if allowed else Reason.ORIGIN_NOT_ALLOWED), ""


def _judge_preflight(
    policy: Policy, request: CorsRequest, names: tuple[str, ...] | None, scope: Scope
) -> Reason | None:
    """https://fetch.spec.whatwg.org/#cors-preflight-fetch, the browser's checks in its order."""
    method = request.method
    if method not in headers.SAFELISTED_METHODS and not _allows_method(policy, method, scope):
        return Reason.METHOD_NOT_ALLOWED
    if names is None:
        return Reason.HEADERS_MALFORMED
    compiled = policy.compiled
    for name in names:
        if not compiled.allows_header(name):
            return Reason.HEADERS_NOT_ALLOWED
    if request.private_network and not policy.allow_private_network:
        return Reason.PRIVATE_NETWORK_NOT_ALLOWED
    return None


def _allows_method(policy: Policy, method: str, scope: Scope) -> bool:
    listed = policy.compiled.method_names
    if listed is None:
        listed = scope.methods
    if listed is not None and listed != "*":
        return method in listed
    # Any method: it is repeated in the answer, so it must be one.
    return (
        len(method) <= headers.MAX_METHOD_LENGTH
        and headers.is_token(method)
        and method.upper() not in headers.FORBIDDEN_METHODS
    )


def _preflight_headers(
    policy: Policy, request: CorsRequest, names: tuple[str, ...], scope: Scope
) -> Mapping[str, str]:
    answer = dict(policy.compiled.preflight)
    if not policy.compiled.constant:
        answer[headers.ALLOW_ORIGIN] = request.origin or ""
    methods = scope.allow_methods
    if methods is None or request.method in scope.governed_elsewhere:
        methods = request.method
    if methods:
        answer[headers.ALLOW_METHODS] = methods
    if not scope.governed_elsewhere.isdisjoint(headers.SAFELISTED_METHODS):
        # A browser remembers header names for the whole URL too, whatever the method
        # (https://fetch.spec.whatwg.org/#header-name-cache-entry-match). A POST with one of them
        # would then go out unasked, past the policy that governs it. So it is to forget.
        answer[headers.MAX_AGE] = "0"
    if names and policy.compiled.any_header and policy.allow_credentials:
        answer[headers.ALLOW_HEADERS] = ", ".join(names)
    if request.private_network:
        answer[headers.ALLOW_PRIVATE_NETWORK] = "true"
    return MappingProxyType(answer)


def allow_methods(
    policy: Policy, accepted: frozenset[str] | None, governed_elsewhere: frozenset[str]
) -> str | None:
    """Prepare the ``Access-Control-Allow-Methods`` value of a route.

    A browser remembers every method in it for the whole URL, and then sends those without asking
    again (https://fetch.spec.whatwg.org/#method-cache-entry-match). So a method for which another
    policy answers at the same URL is never in it.

    :param accepted: the methods that the URL's routes accept, or None for any.
    :param governed_elsewhere: those that another policy governs.
    :returns: None where the announced method is to be repeated.
    """
    listed = policy.methods
    if listed == "*":
        return None if policy.allow_credentials or governed_elsewhere else "*"
    if listed is None:
        if accepted is None:
            return None
        listed = tuple(sorted(accepted))
    return ", ".join(name for name in listed if name not in governed_elsewhere)
