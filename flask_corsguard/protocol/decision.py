"""The decision about a request, with its headers: pure functions of a policy and the request."""

# Without "from __future__ import annotations", under which each field of a NamedTuple would be
# compiled when this is imported.

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from flask_corsguard.protocol import headers
from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.compiled import CompiledPolicy
from flask_corsguard.protocol.origins import (
    MAX_ORIGIN_LENGTH,
    ORIGIN_CUT,
    CheckFailedError,
    parse_origin,
)
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import NOT_LISTED, Outcome, Reason

_NONE: Mapping[str, str] = MappingProxyType({})


class CorsRequest(NamedTuple):
    """The parts of a request that a decision depends on, as received.

    :ivar origin: the ``Origin`` value, or None if there is none.
    :ivar method: the method; for a preflight the requested one.
    :ivar path: the requested path, for people to read.
    :ivar preflight: whether this is a CORS-preflight request
        (https://fetch.spec.whatwg.org/#cors-preflight-request).
    :ivar requested_headers: the ``Access-Control-Request-Headers`` value, or None.
    :ivar private_network: whether the preflight asks for access to a private network.
    :ivar context: the second argument for an ``origins`` callable that takes two.
    """

    origin: str | None
    method: str
    path: str = ""
    preflight: bool = False
    requested_headers: str | None = None
    private_network: bool = False
    context: object = None


class Scope(NamedTuple):
    """Where a policy applies.

    :ivar endpoint: the endpoint, or None if no route was found.
    :ivar source: in words, what set the policy: ``view users.list``, ``default``.
    :ivar location: file and line where the policy was set, or "".
    :ivar methods: the methods that the routes at the URL accept, or None for any.
    :ivar governed_elsewhere: methods that another policy may govern at the same URL.
    :ivar allow_methods: for each policy, the ``Access-Control-Allow-Methods`` value, or None to
        repeat the requested method; empty if the requested method is always repeated.
    :ivar configured: fields of the policy that have their own key in the app's configuration.
    :ivar without_effect: policy field -> where it is set without effect, in words.
    :ivar ambiguous: the two policies of an ambiguous path, in words: then no origin is admitted.
        "" for any other path.
    """

    endpoint: str | None = None
    source: str = "default"
    location: str = ""
    methods: frozenset[str] | None = None
    governed_elsewhere: frozenset[str] = frozenset()
    allow_methods: tuple[str | None, ...] = ()
    configured: frozenset[str] = frozenset()
    without_effect: Mapping[str, str] = _NONE
    ambiguous: str = ""


ANYWHERE = Scope()

#: Returns, in words, which source of a policy admits the origin of a request; "" if none does.
AdmitsLive: TypeAlias = Callable[[Policy, CorsRequest], str]


def _not_read(_policy: Policy, _request: CorsRequest) -> str:
    raise CheckFailedError("the sources have not been read")


class Decision(NamedTuple):
    """The decision about one request, and why. Immutable.

    :ivar outcome: the verdict.
    :ivar reason: why the request was rejected or is not admitted, or None.
    :ivar origin: the ``Origin`` value as sent, cut after 320 characters. A malformed one can
        contain anything: escape it before you write it to a log or a page.
    :ivar method: the request's method; for a preflight the requested one.
    :ivar request_headers: the requested headers of a preflight, in lower case.
    :ivar preflight: whether the request is a CORS preflight.
    :ivar endpoint: the Flask endpoint, or None if no route was found.
    :ivar policy: the policy that decided, or None for an exempt route. Of a list, it is the last
        that was tried.
    :ivar policy_source: what set the policy: ``view users.list``, ``blueprint api``, ``default``.
    :ivar policy_location: file and line where the policy was set, or "".
    :ivar path: the requested path if there is a reason; "" otherwise.
    :ivar blocked: whether the server refuses the request.
    :ivar report_only: whether this decision, by a report-only policy or ``enforce="report"``, is
        only reported. It changes no response.
    :ivar headers: the CORS headers of the response, ``Vary`` included.
    :ivar detail: in words, more about a failure or a refusal, or which source admits the origin.
    :ivar further_reasons: further reasons why *policy* rejects a preflight.
    :ivar configured: fields of the policy that have their own key in the app's configuration.
    :ivar without_effect: policy field -> in words, where it is set without effect: the guard does
        not read it there, or another setting wins. Under ``"mark"``, a mark that does not reach the
        view or the method.
    :ivar policies: the policies that were tried, in order; the last is *policy*.
    :ivar in_front: what is known to respond in front of the app's routes, in words; or "".
    :ivar overridden: whether the view's own ``Access-Control-*`` headers replace *headers*, as
        ``dangerously_let_views_override`` permits. None if that is not known yet, or not permitted.
    :ivar route_methods: the methods that the routes at the URL accept, or None if they accept any,
        or if no route was found.
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
    headers: Mapping[str, str] = _NONE
    detail: str = ""
    further_reasons: tuple[Reason, ...] = ()
    configured: frozenset[str] = frozenset()
    without_effect: Mapping[str, str] = _NONE
    policies: tuple[Policy, ...] = ()
    in_front: str = ""
    overridden: bool | None = None
    route_methods: frozenset[str] | None = None

    @property
    def may_be_overridden(self) -> bool:
        """Whether it is not known yet if the view sends its own ``Access-Control-*`` headers, which
        would be kept. False for the guard's own responses."""
        policy = self.policy
        if policy is None or not policy.compiled.views_override or self.overridden is not None:
            return False
        guard_responds = self.preflight and policy.compiled.answers_preflight
        return not self.blocked and not (guard_responds and self.outcome is not Outcome.SAME_ORIGIN)

    def settled(self, has_own: bool) -> "Decision":
        """The decision, once it is known whether the response has its own ``Access-Control-*``
        headers. If they are kept, the guard has neither allowed nor rejected anything."""
        if not self.may_be_overridden:
            return self
        if not has_own:
            return self._replace(overridden=False)
        is_claim = self.outcome in (Outcome.ALLOWED, Outcome.REJECTED)
        return self._replace(
            outcome=Outcome.EXEMPT if is_claim else self.outcome,
            reason=None,
            path="",
            report_only=False,
            headers=MappingProxyType({headers.VARY: self.headers[headers.VARY]}),
            detail="",
            further_reasons=(),
            overridden=True,
        )

    def explain(self) -> str:
        """Explain the decision in a few lines of plain text: the request, the policy that decided
        and where it was set, what was found, and everything to change to allow the request.

        Safe to print: everything that came from the network is escaped and shortened.
        """
        # Loaded only when somebody reads an explanation.
        from flask_corsguard.protocol import explanation

        return "\n".join(explanation.lines(self))


def decide(
    policy: Policy | Audiences | None,
    request: CorsRequest,
    scope: Scope = ANYWHERE,
    *,
    asks: bool = True,
) -> Decision:
    """Decide one request.

    :param policy: the policy, or list of policies, of the route that the request would reach (for a
        preflight, the request that it asks about); None for an exempt route.
    :param request: the request as received. No value in it makes this raise an exception.
    :param scope: where the policy applies.
    :param asks: whether to call a callable in ``origins``. Sources are never asked here.
    :returns: :data:`UNDECIDED` if only a callable or a source can decide; then call
        :func:`decide_unlisted`.
    """
    if isinstance(policy, Audiences):
        return _decide_among(policy, request, scope, asks or None, _not_read)
    reason = None
    if policy is not None and request.origin is not None:
        if scope.ambiguous:
            return _decided(policy, request, scope, Reason.PATH_AMBIGUOUS, scope.ambiguous)
        reason = _check_origin(policy.compiled, request.origin[ORIGIN_CUT])
        if reason is Reason.ORIGIN_NOT_ALLOWED and policy.compiled.asks:
            return decide_unlisted(policy, request, scope, asks=True) if asks else UNDECIDED
    return _decided(policy, request, scope, reason)


def decide_listed(policy: Policy, request: CorsRequest, scope: Scope, admission: str) -> Decision:
    """Decide one request whose origin a source is known to admit.

    :param admission: which source, in words.
    """
    return _decided(policy, request, scope, None, admission)


def decide_unlisted(
    policy: Policy | Audiences,
    request: CorsRequest,
    scope: Scope,
    *,
    asks: bool,
    admits_live: AdmitsLive = _not_read,
) -> Decision:
    """Decide one request whose origin only a source or a callable in ``origins`` can admit.

    :param asks: whether to ask them. Otherwise they admit no origin.
    :param admits_live: asks the sources.
    """
    if isinstance(policy, Audiences):
        return _decide_among(policy, request, scope, asks, admits_live)
    reason: Reason | None = Reason.ORIGIN_NOT_ALLOWED
    detail = ""
    if asks:
        reason, detail = _ask(policy, request, admits_live)
    return _decided(policy, request, scope, reason, detail)


def _ask(
    policy: Policy, request: CorsRequest, admits_live: AdmitsLive
) -> tuple[Reason | None, str]:
    """Why neither the sources nor the callable in ``origins`` admit an origin, or None if one does;
    and details in words."""
    failures: list[str] = []
    try:
        if policy.compiled.sources and (admission := admits_live(policy, request)):
            return None, admission
    except CheckFailedError as error:
        failures.append(str(error))
    try:
        allow = policy.compiled.allow
        if allow is not None and allow.check_admits(request.origin or "", request.context):
            return None, ""
    except CheckFailedError as error:
        words = str(error)
        failures.append(f"the callable: {words}" if failures else words)
    if failures:
        return Reason.ORIGIN_CHECK_FAILED, "; ".join(failures)
    return Reason.ORIGIN_NOT_ALLOWED, ""


def _decide_among(
    audiences: Audiences,
    request: CorsRequest,
    scope: Scope,
    asks: bool | None,
    admits_live: AdmitsLive,
) -> Decision:
    """Decide one request by the first policy that admits the origin, or that rejects it for a
    reason other than not listing it.

    :param asks: whether to ask callables and sources. If False, they admit no origin; if None, and
        one would have to be asked, the decision is :data:`UNDECIDED`.
    :param admits_live: asks the sources.
    """
    number, policy = len(audiences) - 1, audiences[-1]
    reason, detail = None, ""
    if request.origin is not None:
        text = request.origin[ORIGIN_CUT]
        for number, policy in enumerate(audiences):  # noqa: B007  (used after the loop)
            reason = _check_origin(policy.compiled, text)
            if reason is Reason.ORIGIN_NOT_ALLOWED and policy.compiled.asks:
                if asks is None:
                    return UNDECIDED
                if asks:
                    reason, detail = _ask(policy, request, admits_live)
            if reason not in NOT_LISTED:
                break
    return _decided(policy, request, scope, reason, detail, audiences[: number + 1])


def _decided(
    policy: Policy | None,
    request: CorsRequest,
    scope: Scope,
    reason: Reason | None,
    detail: str = "",
    policies: tuple[Policy, ...] = (),
) -> Decision:
    """The decision, once it is known whether the origin may read.

    :param reason: why the origin may not read, or None.
    :param policies: the policies of a list that were tried.
    """
    origin = request.origin
    preflight = request.preflight and origin is not None
    names: tuple[str, ...] = ()
    further: tuple[Reason, ...] = ()
    if policy is None:
        outcome, own = Outcome.EXEMPT, _NONE
    elif origin is None:
        outcome, own = Outcome.NOT_CORS, policy.compiled.headers.not_cors
    else:
        compiled = policy.compiled
        if preflight:
            requested = headers.parse_requested_headers(request.requested_headers or "")
            names = requested or ()
            # It is not known which of an ambiguous path's two policies would decide.
            if reason is not Reason.PATH_AMBIGUOUS:
                further = _check_preflight(compiled, request, requested, scope)
            if further and reason is None:
                reason, *_ = further
                further = further[1:]
        outcome = Outcome.ALLOWED if reason is None else Outcome.REJECTED
        if reason is not None:
            prepared = compiled.headers
            own = prepared.preflight_refused if preflight else prepared.refused
        elif preflight:
            # The only policy, or the last of a list that was tried.
            known = scope.allow_methods
            methods = known[len(policies) - 1] if known else None
            own = compiled.headers.preflight(origin, request, names, scope, methods)
        else:
            own = compiled.headers.allowed(origin)
    values = (
        outcome,
        reason,
        origin and origin[:MAX_ORIGIN_LENGTH],
        request.method,
        names,
        preflight,
        scope.endpoint,
        policy,
        scope.source,
        scope.location,
        request.path if reason else "",
        False,  # blocked
        False,  # report_only
        own,
        detail,
        further,
        scope.configured,
        scope.without_effect,
        policies or (() if policy is None else (policy,)),
        "",  # in_front
        None,  # overridden
        scope.methods,
    )
    # Not Decision(...), which takes five times as long.
    return tuple.__new__(Decision, values)  # pyright: ignore[reportUnknownMemberType]


def _check_origin(compiled: CompiledPolicy, text: str) -> Reason | None:
    """Why an origin may not read, or None, without asking a callable or a source.

    :param text: the origin, cut to a length that is safe to look up.
    """
    if compiled.star or text in compiled.listed:
        return None
    allow, deny = compiled.allow, compiled.deny
    if text == "null":
        if deny is not None and text in deny.exact:
            return Reason.ORIGIN_DENIED
        return None if compiled.null else Reason.ORIGIN_NULL
    origin = parse_origin(text)
    if origin is None:
        return Reason.ORIGIN_MALFORMED
    if deny is not None and deny.admits(text, origin):
        return Reason.ORIGIN_DENIED
    return None if allow is None or allow.admits(text, origin) else Reason.ORIGIN_NOT_ALLOWED


def _check_preflight(
    compiled: CompiledPolicy, request: CorsRequest, names: tuple[str, ...] | None, scope: Scope
) -> tuple[Reason, ...]:
    """https://fetch.spec.whatwg.org/#cors-preflight-fetch, the browser's checks in its order.

    :param names: the requested headers, or None if they cannot be read.
    :returns: every reason why the request may not be sent, so that all can be fixed at once.
    """
    wrong: tuple[Reason, ...] = ()
    would_write = compiled.strangers_only_read and request.method not in headers.SAFE_METHODS
    if would_write and request.origin not in compiled.raw:
        wrong = (Reason.CROSS_SITE_REQUEST,)
    if not compiled.allows_method(request.method, scope.methods):
        wrong += (Reason.METHOD_NOT_ALLOWED,)
    if names is None:
        wrong += (Reason.HEADERS_MALFORMED,)
    elif not all(map(compiled.allows_header, names)):
        wrong += (Reason.HEADERS_NOT_ALLOWED,)
    if request.private_network and not compiled.private_network:
        wrong += (Reason.PRIVATE_NETWORK_NOT_ALLOWED,)
    return wrong


#: A placeholder for a decision that only a callable or a source can make.
UNDECIDED = decide(Policy(), CorsRequest("", ""))
