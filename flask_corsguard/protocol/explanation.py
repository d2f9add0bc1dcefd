"""Decisions and policies in words, for the log, the command line, the inspector and tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, cast

from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.fields import OriginForm
from flask_corsguard.protocol.headers import (
    MAX_LIST_ELEMENTS,
    MAX_LIST_LENGTH,
    MAX_LIST_NAMES,
    SAFELISTED_METHODS,
)
from flask_corsguard.protocol.lists import is_source, source_name
from flask_corsguard.protocol.origins import LOOPBACK, PROBE_HOST, Origin, OriginSet, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import HIDDEN_MARK, Outcome, Reason
from flask_corsguard.protocol.remedies import (
    MOST_SHOWN,
    and_more,
    missing_route,
    name_in_list,
    nobody_admits,
    plain,
    reasons_of,
    refused_headers,
    set_by,
    set_by_in_words,
    to_allow,
    to_refuse,
    upper_case_of,
)
from flask_corsguard.text import name_of, shown, source_of

if TYPE_CHECKING:
    from flask_corsguard.protocol.decision import Decision

# Limits of a policy's summary.
_MOST_ORIGINS = 2
_MOST_METHODS = 7
_MOST_CHARACTERS = 60
_NO_ORIGINS = (
    "neither CorsGuard(...) nor CORSGUARD_ORIGINS in app.config sets origins (from a"
    " file, Flask reads only whole keys in capitals at the top level)"
)
# The most characters of a requested header's name in the log.
_LONGEST_IN_LOG = 60
# Names of this machine that a page may be opened under.
_THIS_MACHINE = {*LOOPBACK} - {"0.0.0.0"}  # noqa: S104


def lines(decision: Decision, *, credentials: bool = False) -> Iterator[str]:
    """The lines of :meth:`Decision.explain`.

    :param credentials: whether the page's request has credentials, which the guard cannot see.
    """
    yield f"{summary(decision)}."
    if decision.in_front:
        yield f"  In front: {decision.in_front}."
        if decision.outcome is Outcome.EXEMPT:
            return
    yield f"  Policy: {set_by(decision)}."
    yield f"  Found: {found(decision)}."
    if depends_on_view(decision):
        yield f"  Not known: {_IF_OVERRIDDEN}."
    if unused := without_effect(decision, credentials=credentials):
        yield f"  Ignored: {unused}."
    yield from (f"  {line}." for line in advice(decision, credentials=credentials))


def advice(decision: Decision, *, credentials: bool = False) -> Iterator[str]:
    """What to change for another verdict: one line each; none if nobody would want another."""
    if decision.reason and PROBE_HOST in (decision.origin or ""):
        yield "No page has this origin: flask cors verify made it up"
    elif decision.outcome is Outcome.UNENFORCED:
        yield f"To refuse it: {to_refuse(decision)}"
        yield f"To admit it: {to_allow(decision)}"
    elif decision.outcome is Outcome.REJECTED and HIDDEN_MARK in decision.without_effect:
        words = decision.without_effect[HIDDEN_MARK].removesuffix(".")
        yield f"To allow it: first fix this: {words}"
    elif decision.outcome is Outcome.REJECTED:
        is_changed = "settings_file" in decision.without_effect
        first = "correct the settings file, which may then allow it; otherwise " * is_changed
        yield f"To allow it: {first}{to_allow(decision, credentials=credentials)}"


def summary(decision: Decision) -> str:
    """The origin, the request and the verdict."""
    what = plain(decision.method)
    if decision.path:
        what = f"{what} {plain(decision.path)}"
    elif decision.endpoint:  # decisions that are kept for other requests have no path
        what = f"{what} (endpoint {plain(decision.endpoint)})"
    if decision.preflight:
        what = f"preflight for {what}"
    who = "" if decision.origin is None else f" from {shown(decision.origin)}"
    reason = f" ({decision.reason.name})" if decision.reason else ""
    unless = f", {UNLESS_OVERRIDDEN}" if depends_on_view(decision) else ""
    return f"{what}{who}: {_verdict(decision)}{reason}{unless}"


def rejection(decision: Decision) -> str:
    """The line of the log about a rejected request."""
    by = "" if _is_of_routes(decision) else f" by {set_by_in_words(decision)}"
    return "; ".join([f"{summary(decision)}{by}", *_log_details(decision)])


def _is_of_routes(decision: Decision) -> bool:
    """Whether the routes at the URL, rather than the policy, decide which methods are allowed."""
    policy = decision.policy
    is_about_method = decision.reason is Reason.METHOD_NOT_ALLOWED
    return is_about_method and policy is not None and policy.methods is None


def _log_details(decision: Decision) -> Iterator[str]:
    """What the log says beyond the reason and the policy."""
    reason, policy = decision.reason, decision.policy
    assert policy is not None
    is_unrouted = decision.endpoint is None and not decision.in_front
    if is_unrouted:
        yield "no route matches"
    if reason is Reason.ORIGIN_CHECK_FAILED:
        yield found(decision)
        return
    if reason is Reason.ORIGIN_NOT_ALLOWED and _has_no_origins(decision) and not is_unrouted:
        yield _NO_ORIGINS
    if reason is Reason.CROSS_SITE_REQUEST and policy.origins == "*":
        yield f"origins='*' only lets pages read, and enforce={policy.enforce!r} refuses the rest"
    if reason is Reason.HEADERS_NOT_ALLOWED:
        named = _named(refused_headers(decision), _LONGEST_IN_LOG)
        yield f"not allowed: {named}{_star_is_less(decision, policy)}"
    if _is_of_routes(decision):
        yield _methods(decision, policy)
    elif method := missing_route(decision):
        yield _no_route(method)
    if decision.outcome is Outcome.UNENFORCED:
        yield UNSAFE_REFUSES
    elif decision.detail:
        yield decision.detail


def without_cookies(page: str, server: str, policy: Policy) -> str:
    """Why a page on this machine and a server on it exchange no cookies, and what to do; "" if they
    may.

    :param page: the page's origin.
    :param server: the server's origin.
    :param policy: the policy that allows the page.
    """
    theirs, ours = parse_origin(page), parse_origin(server)
    if theirs is None or ours is None or theirs.host == ours.host:
        return ""
    if not {theirs.host, ours.host} <= _THIS_MACHINE:
        return ""
    moved, allow = theirs._replace(host=ours.host), policy.compiled.allow
    is_allowed = allow is not None and allow.lists(str(moved), moved)
    return (
        f"{theirs.host} and {ours.host} are different sites: for a page at {page} that calls"
        f" {server}, the browser neither stores nor sends cookies with SameSite=Lax, the default in"
        f" Chromium. Have the page call {ours._replace(host=theirs.host)}"
        + (f", or open it at {moved}" if is_allowed else "")
    )


def depends_on_view(decision: Decision) -> bool:
    """Whether the view's own headers can still change the verdict."""
    is_verdict = decision.outcome in (Outcome.ALLOWED, Outcome.REJECTED)
    return is_verdict and decision.may_be_overridden and not decision.report_only


def _verdict(decision: Decision) -> str:
    if decision.report_only:
        return _WOULD_BE.get(decision.outcome, "would be rejected")
    if decision.outcome is Outcome.EXEMPT and decision.in_front:
        return "not for the guard to decide"
    if decision.outcome is Outcome.EXEMPT and decision.overridden:
        return "decided by the view"
    return "refused" if decision.blocked else _VERDICTS[decision.outcome]


def found(decision: Decision) -> str:
    """The facts that led to the decision."""
    policy = decision.policy
    if decision.outcome is Outcome.NOT_CORS:
        return "there is no Origin header, so there is nothing for CORS to decide"
    if decision.outcome is Outcome.SAME_ORIGIN:
        return "the request comes from the app's own origin, which CORS does not restrict"
    if decision.outcome is Outcome.EXEMPT or policy is None:
        return decision.in_front or (_OVERRIDDEN if decision.overridden else _MARKED)
    if decision.outcome is Outcome.ALLOWED:
        admission = _admission(decision, policy) if decision.detail else ""
        return f"the origin may read the response{admission}"
    reasons = reasons_of(decision)
    words = [_found_for(reason, decision, policy) for reason in reasons]
    is_said = policy.methods is None and Reason.METHOD_NOT_ALLOWED in reasons
    if not is_said and (method := missing_route(decision)):
        words.append(_no_route(method))
    also = "; also: "
    if nobody_admits(decision):
        also = f"; also, by {name_in_list(policy)}: "
        if decision.reason is Reason.ORIGIN_NOT_ALLOWED:
            of_each = (
                f"{name_in_list(each)}: {_origin_not_allowed(decision, each)}"
                for each in decision.policies
            )
            words[0] = "; ".join(filter(None, (*of_each, decision.detail)))
    if decision.outcome is Outcome.UNENFORCED:
        use = ": if the view opens the socket, any page of that origin can use it"
        if decision.endpoint is None:
            use = ", but no route of the app accepts this one"
        return f"{words[0]}; {NOT_HELD_BACK}{use}"
    return also.join(words)


def _admission(decision: Decision, policy: Policy) -> str:
    """Which source admits the origin, and how old its rows are."""
    by = [live.words() for live in policy.compiled.live or () if live.admission == decision.detail]
    return f": it is among {by[0]}" if len(by) == 1 else f": {decision.detail}"


def _found_for(reason: Reason, decision: Decision, policy: Policy) -> str:
    words = _FOUND[reason]
    said = words if isinstance(words, str) else words(decision, policy)
    if reason is not decision.reason or not decision.detail:
        return said
    joint = ": " if reason is Reason.ORIGIN_CHECK_FAILED else "; "
    return f"{said}{joint}{decision.detail}"


def without_effect(decision: Decision, *, credentials: bool = False) -> str:
    """The settings without effect that could otherwise have changed this verdict, or ""."""
    reasons = reasons_of(decision) if decision.reason else ()
    names = [name for reason in reasons for name in _SETTINGS.get(reason, ())]
    names += ["policy", "settings_file"] if names else []
    if credentials and decision.policy is not None:
        names.append("allow_credentials")
    if decision.blocked or decision.outcome is Outcome.UNENFORCED:
        names += ("enforce", "self_origins")
    return "; ".join(
        decision.without_effect[name] for name in names if name in decision.without_effect
    )


def _origin_not_allowed(decision: Decision, policy: Policy) -> str:
    allow = policy.compiled.allow
    check = allow.check if allow is not None else None
    sources = policy.compiled.sources
    opaque = {*map(id, (check, *sources))}
    all_entries = chain(policy.origins, policy.raw_origins)
    first = islice(all_entries, MOST_SHOWN + len(opaque))
    entries = [entry for entry in first if id(entry) not in opaque]
    said: list[str] = []
    if entries:
        listed = ", ".join(map(source_of, entries[:MOST_SHOWN]))
        number = len(policy.origins) + len(policy.raw_origins)
        number -= (check is not None) + len(sources)
        said.append(f"the origin matches none of {listed}{and_more(range(number))}")
    for live in policy.compiled.live or ():
        why = live.left_out(decision.origin or "")
        left_out = f", and its row is left out: {why}" if why else ""
        said.append(f"{'is' if said else 'the origin is'} not among {live.words()}{left_out}")
    if check is not None:
        said.append(f"{name_of(check)}() returned False")
    words = ", and ".join(said) or "the policy allows no other origin"
    if _has_no_origins(decision):
        words += f": {_NO_ORIGINS}"
    return f"{words}{_near_miss(decision, policy)}"


def _has_no_origins(decision: Decision) -> bool:
    """Whether it decides because nobody has set anything, as when Flask does not read the key."""
    if decision.policy_source != "default":
        return False
    # With enforce, no origins are needed.
    return not any(p.origins or p.raw_origins or p.enforce != "off" for p in decision.policies)


def _near_miss(decision: Decision, policy: Policy) -> str:
    """How the origin differs from an entry that was probably meant to match it; or ""."""
    origin = parse_origin(decision.origin or "")
    allow = policy.compiled.allow
    if origin is None or allow is None or policy.origins == "*":
        return ""
    for pattern in islice(policy.origins.patterns(), MOST_SHOWN):
        if pattern.label == "*" and pattern.origin == origin:
            return f"; {str(pattern)!r} covers sub-domains but not {origin.host!r} itself"
        any_port = pattern._replace(any_port=True)
        if not pattern.any_host and OriginSet([any_port]).lists(str(origin), origin):
            return f"; {str(pattern)!r} differs only in the port"
    for candidate, difference in _candidates(origin):
        if candidate != origin and allow.lists(str(candidate), candidate):
            return f"; {str(candidate)!r} would match: {difference}"
    if origin.host in LOOPBACK:
        for pattern in islice(policy.origins.patterns(), MOST_SHOWN):
            other = pattern.origin
            same_scheme = other.scheme == origin.scheme
            if not pattern.label and other.host in LOOPBACK and same_scheme:
                return (
                    f"; {str(pattern)!r} has a different port, and {_are_different(origin, other)}"
                )
    return ""


def _candidates(origin: Origin) -> Iterator[tuple[Origin, str]]:
    """Origins that are easily mistaken for this one, each with the difference."""
    other_scheme = {"http": "https", "https": "http"}.get(origin.scheme, origin.scheme)
    yield origin._replace(scheme=other_scheme), "only the scheme differs"
    bare = origin.host.removeprefix("www.")
    www = bare if bare != origin.host else f"www.{bare}"
    yield origin._replace(host=www), "only the www. differs"
    if origin.host in LOOPBACK:
        for host in LOOPBACK:
            other = origin._replace(host=host)
            yield other, _are_different(origin, other)


def _are_different(one: Origin, other: Origin) -> str:
    return f"{one.host} and {other.host} are different origins"


def _methods(decision: Decision, policy: Policy) -> str:
    method = plain(decision.method)
    if upper := upper_case_of(decision):
        return f"method names are case-sensitive: {method} is not {upper}"
    if policy.methods is None:
        return _no_route(method)
    listed = ", ".join(sorted(SAFELISTED_METHODS.union(policy.methods)))
    return f"{method} is not one of the methods that the policy allows: {listed}"


def _no_route(method: str) -> str:
    return f"no route at this URL accepts {method}"


def _named(names: Sequence[str], limit: int = 200) -> str:
    """The first names of a list, each cut after *limit* characters."""
    return f"{', '.join(plain(name, limit) for name in names[:MOST_SHOWN])}{and_more(names)}"


def _headers(decision: Decision, policy: Policy) -> str:
    named = _named(refused_headers(decision))
    listed = ", ".join(policy.allow_headers[: 2 * MOST_SHOWN]) or "none"
    star = _star_is_less(decision, policy)
    return f"the page wants to send {named}; the policy allows {listed}{star}"


def _star_is_less(decision: Decision, policy: Policy) -> str:
    """What ``"*"`` in ``allow_headers`` does not cover, in words; "" if nothing is left out."""
    is_less = policy.compiled.any_header and "authorization" in refused_headers(decision)
    return " ('*' never covers Authorization)" if is_less else ""


def _check_failed(_decision: Decision, policy: Policy) -> str:
    if not policy.compiled.sources:
        return "the callable in origins failed"
    return "it is not known whether the origin may read"


def _cross_site(decision: Decision, _policy: Policy) -> str:
    if decision.origin is None:
        return "another site caused the request, and without an Origin header it is not known which"
    return (
        "origins='*' only lets pages read; with enforce, pages of other sites may not open a"
        " WebSocket or use a method that can change something"
    )


_VERDICTS = {
    Outcome.NOT_CORS: "not a CORS request",
    Outcome.SAME_ORIGIN: "same origin",
    Outcome.ALLOWED: "allowed",
    Outcome.REJECTED: "rejected",
    Outcome.UNENFORCED: "not refused",
    Outcome.EXEMPT: "exempt",
}

_WOULD_BE = {Outcome.UNENFORCED: "would not be refused"}
#: Why nothing rejects a WebSocket handshake that the guard does not refuse.
NOT_HELD_BACK = "browsers do not block WebSocket handshakes"
#: The same, with the setting that would refuse it.
UNSAFE_REFUSES = f'{NOT_HELD_BACK}; to refuse it, set enforce="unsafe"'
#: Added to a verdict that the view's own headers may override.
UNLESS_OVERRIDDEN = "unless the view overrides it"
_IF_OVERRIDDEN = (
    "whether the view sets Access-Control-* headers itself; the guard would leave them alone"
    " (dangerously_let_views_override), and they would decide what the page may do"
)
_MARKED = "the route is marked cors_exempt, so the guard leaves its responses alone"
_OVERRIDDEN = (
    "the view has set Access-Control-* headers itself; the guard leaves them alone"
    " (dangerously_let_views_override), and they decide what the page may do"
)
#: For each reason, the fields that can lead to another decision.
_SETTINGS: dict[Reason, tuple[str, ...]] = {
    Reason.ORIGIN_NOT_ALLOWED: ("origins",),
    Reason.ORIGIN_DENIED: ("deny_origins",),
    Reason.ORIGIN_NULL: ("origins", "dangerously_allow_null_origin"),
    Reason.ORIGIN_MALFORMED: ("raw_origins",),
    Reason.ORIGIN_CHECK_FAILED: ("origins",),
    Reason.METHOD_NOT_ALLOWED: ("methods",),
    Reason.HEADERS_NOT_ALLOWED: ("allow_headers",),
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: ("allow_private_network",),
    Reason.CREDENTIALS_NOT_ALLOWED: ("allow_credentials",),
}

_Words = str | Callable[["Decision", Policy], str]

# For each reason, what was found: a text, or a function that returns one.
_FOUND: dict[Reason, _Words] = {
    Reason.ORIGIN_NOT_ALLOWED: _origin_not_allowed,
    Reason.ORIGIN_DENIED: "the origin is listed in deny_origins",
    Reason.ORIGIN_NULL: (
        "the origin is opaque: the page is in a sandboxed frame, or is a local file; or its request"
        " was redirected from one other origin to another; or it sent a form under Referrer-Policy:"
        " no-referrer"
    ),
    Reason.ORIGIN_MALFORMED: (
        "browsers never send an origin like this: it is not scheme://host[:port] in lower case"
    ),
    Reason.ORIGIN_CHECK_FAILED: _check_failed,
    Reason.METHOD_NOT_ALLOWED: _methods,
    Reason.HEADERS_NOT_ALLOWED: _headers,
    Reason.HEADERS_MALFORMED: (
        "the requested headers are not a list of header names, or they have more than"
        f" {MAX_LIST_LENGTH} characters, {MAX_LIST_NAMES} names, or {MAX_LIST_ELEMENTS} names"
        " counting empty ones"
    ),
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: (
        "the browser asks whether a public page may reach this private network"
    ),
    Reason.CROSS_SITE_REQUEST: _cross_site,
    Reason.PATH_AMBIGUOUS: "the path can be read in two ways",
    Reason.CREDENTIALS_NOT_ALLOWED: (
        "the origin may read, but not with credentials, and guard.origin_check was asked for both"
    ),
    Reason.SPECULATIVE: "the browser sent this ahead of time, perhaps for a page of another site",
}


def policy_summary(policy: Policy | Audiences | None) -> str:
    """A policy in a few words: the origins that may read, whether with credentials, the methods,
    and what the server refuses.

    At most 600 characters of printable ASCII for each of up to five policies. Policies with the
    same values in the same order have the same summary. Header names and max age are left out: they
    say little about who may read.

    :param policy: a policy, a list of policies, or None for an exempt route.
    """
    return summary_of(policy_summaries(policy))


def summary_of(summaries: Sequence[str]) -> str:
    """The summaries of several policies as one text."""
    return "; then ".join(summaries[:MOST_SHOWN]) + and_more(summaries)


def policy_summaries(policy: Policy | Audiences | None) -> list[str]:
    """The summary of each policy; in a list of policies, with its number and name."""
    if policy is None:
        return ["exempt"]
    if isinstance(policy, Policy):
        return ["; ".join(_parts(policy))]
    labels = (f"{at} {_short_entry(name)}".strip() for at, name in enumerate(policy.names, 1))
    return [
        f"{label}: {'; '.join(_parts(each))}" for label, each in zip(labels, policy, strict=True)
    ]


def _parts(policy: Policy) -> Iterator[str]:
    denied = f" except {_listed(policy.deny_origins)}" if policy.deny_origins else ""
    raw = policy.raw_origins
    if policy.origins == "*":
        yield f"everyone (*){denied}{f', and {_listed(raw)}' if raw else ''}"
    else:
        yield f"{_listed(policy.origins, raw)}{denied}" if policy.origins or raw else "nobody"
    if policy.allow_credentials:
        yield "credentials"
    if policy.methods == "*":
        yield "any method"
    elif policy.methods is not None:
        names = policy.methods[:_MOST_METHODS]
        more = len(policy.methods) - len(names)
        yield (", ".join(names) or "no preflighted method") + (f" +{more}" if more else "")
    if policy.enforce != "off":
        yield f"enforce={policy.enforce}"
    if policy.dangerously_let_views_override:
        yield "views may override"


def _listed(*lists: Sequence[OriginForm]) -> str:
    more = sum(map(len, lists)) - _MOST_ORIGINS
    named = ", ".join(map(_short_entry, islice(chain(*lists), _MOST_ORIGINS)))
    return f"{named} +{more}" if more > 0 else named


def _short_entry(form: object) -> str:
    """An entry, shortened and escaped, because a pattern or a name can contain anything."""
    text = form if isinstance(form, str) else source_of(form)
    text = source_name(form) if is_source(form) else text
    if not (text.isascii() and text.isprintable()):
        text = shown(text)[1:-1]
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def fields_of(policy: Policy) -> dict[str, object]:
    """Every field of a policy, as a value for JSON.

    A pattern among the origins is ``{"pattern": ...}``, a callable ``{"callable": its name}``, a
    source ``{"source": its name}``.
    """
    return {name: _jsonable(value) for name, value in policy.values.items()}


def _jsonable(value: object) -> object:
    if isinstance(value, tuple):
        return [_jsonable(entry) for entry in cast("tuple[object, ...]", value)]
    if isinstance(value, re.Pattern):
        return {"pattern": cast("re.Pattern[str]", value).pattern}
    if is_source(value):
        return {"source": source_name(value)}
    if callable(value):
        return {"callable": name_of(value)}
    return value
