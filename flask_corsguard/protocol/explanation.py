"""Decisions and policies in words: the same in the log, on the command line, in the inspector and
in tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, cast

from flask_corsguard.protocol.fields import OriginList
from flask_corsguard.protocol.headers import (
    KNOWN_METHODS,
    MAX_LIST_ELEMENTS,
    MAX_LIST_LENGTH,
    MAX_LIST_NAMES,
    SAFE_METHODS,
    SAFELISTED_METHODS,
)
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.text import name_of, shown, source_of

if TYPE_CHECKING:
    from flask_corsguard.protocol.decision import Decision

_MOST_SHOWN = 5
# Limits of a policy's summary.
_MOST_ORIGINS = 2
_MOST_METHODS = 7
_MOST_CHARACTERS = 60


def lines(decision: Decision) -> Iterator[str]:
    """The lines of :meth:`Decision.explain`."""
    yield f"{summary(decision)}."
    yield f"  Policy: {set_by(decision)}."
    yield f"  Found: {found(decision)}."
    if vain := without_effect(decision):
        yield f"  Without effect: {vain}."
    if decision.outcome is Outcome.REJECTED:
        yield f"  Change: {remedy(decision)}."


def summary(decision: Decision) -> str:
    """Who asked, for what, and the verdict."""
    what = f"{_plain(decision.method)} {_plain(decision.path or decision.endpoint or '')}".strip()
    if decision.preflight:
        what = f"preflight for {what}"
    who = "" if decision.origin is None else f" from {shown(decision.origin)}"
    reason = f" ({decision.reason.name})" if decision.reason else ""
    return f"{what}{who}: {_verdict(decision)}{reason}"


def _verdict(decision: Decision) -> str:
    if decision.report_only:
        return "would be rejected"
    return "refused" if decision.blocked else _VERDICTS[decision.outcome]


def set_by(decision: Decision) -> str:
    """What set the policy that decided, and where."""
    location = f", set at {decision.policy_location}" if decision.policy_location else ""
    return f"{decision.policy_source}{location}"


def found(decision: Decision) -> str:
    """What the decision rests on."""
    policy = decision.policy
    if decision.outcome is Outcome.NOT_CORS:
        return "there is no Origin header, so there is nothing for CORS to decide"
    if decision.outcome is Outcome.SAME_ORIGIN:
        return "the request comes from the app's own origin, which CORS does not restrict"
    if decision.outcome is Outcome.EXEMPT or policy is None:
        return "the route is marked cors_exempt; its responses are as the app made them"
    if decision.outcome is Outcome.ALLOWED:
        return "the origin may read the response"
    assert decision.reason is not None
    words = _said(_FOUND[decision.reason], decision, policy)
    joint = ": " if decision.reason is Reason.ORIGIN_CHECK_FAILED else "; "
    return f"{words}{joint}{decision.detail}" if decision.detail else words


def without_effect(decision: Decision) -> str:
    """What is set in vain, and would have mattered to a rejection; or ""."""
    names = _SETTINGS.get(decision.reason, ()) if decision.reason else ()
    if decision.blocked:
        names += ("enforce", "self_origins")
    return "; ".join(
        decision.without_effect[name] for name in names if name in decision.without_effect
    )


def remedy(decision: Decision) -> str:
    """What to change if a rejected request should have been allowed."""
    policy = decision.policy
    if decision.reason is None or policy is None:
        return "nothing"
    return f"{_said(_REMEDY[decision.reason], decision, policy)} (policy: {set_by(decision)})"


def _said(words: _Words, decision: Decision, policy: Policy) -> str:
    return words if isinstance(words, str) else words(decision, policy)


def _plain(text: str) -> str:
    """Text from the network, escaped but without quotes; spaces are escaped, so that its end is
    unmistakable."""
    return shown(text, 200)[1:].replace("'", "", 1).replace(" ", r"\x20")


def _origin_not_allowed(decision: Decision, policy: Policy) -> str:
    entries = policy.origins
    if not entries:
        return "the policy allows no other origin"
    listed = ", ".join(map(source_of, entries[:_MOST_SHOWN]))
    more = f" and {len(entries) - _MOST_SHOWN} more" if len(entries) > _MOST_SHOWN else ""
    return f"the origin matches none of {listed}{more}{_near_miss(decision, policy)}"


def _near_miss(decision: Decision, policy: Policy) -> str:
    """The difference to an entry that was probably meant to match."""
    origin = parse_origin(decision.origin or "")
    allow = policy.compiled.allow
    if origin is None or allow is None or policy.origins == "*":
        return ""
    other_scheme = {"http": "https", "https": "http"}.get(origin.scheme, origin.scheme)
    www = (
        origin.host.removeprefix("www.") if origin.host.startswith("www.") else f"www.{origin.host}"
    )
    candidates = (
        (origin._replace(scheme=other_scheme), "only the scheme differs"),
        (origin._replace(host=www), "only the www. differs"),
    )
    for pattern in islice(policy.origins.patterns(), _MOST_SHOWN):
        if pattern.subdomains and pattern.origin == origin:
            return f"; {str(pattern)!r} covers sub-domains but not {origin.host!r} itself"
        if pattern.origin._replace(port=origin.port) == origin:
            return f"; {str(pattern)!r} is the same but for the port"
    for candidate, difference in candidates:
        if candidate != origin and allow.lists(str(candidate), candidate):
            return f"; {str(candidate)!r} would match: {difference}"
    return ""


def _methods(decision: Decision, policy: Policy) -> str:
    method = _plain(decision.method)
    upper = decision.method.upper()
    if upper in KNOWN_METHODS and upper != decision.method:
        return f"method names are case-sensitive: {method} is not {upper}"
    if policy.methods is None:
        return f"no route at this URL accepts {method}"
    listed = ", ".join(sorted(SAFELISTED_METHODS.union(policy.methods)))
    return f"{method} is none of the methods that the policy allows: {listed}"


def _method_remedy(decision: Decision, policy: Policy) -> str:
    method = _plain(decision.method)
    upper = decision.method.upper()
    if upper in KNOWN_METHODS and upper != decision.method:
        return f"have the page say fetch(url, {{method: '{upper}'}})"
    if policy.methods is None:
        return f"add a route that accepts {method} at this URL"
    return f"add '{method}' to methods"


def _refused_headers(decision: Decision, policy: Policy) -> str:
    refused = [n for n in decision.request_headers if not policy.compiled.allows_header(n)]
    more = f" and {len(refused) - _MOST_SHOWN} more" if len(refused) > _MOST_SHOWN else ""
    return ", ".join(_plain(name) for name in refused[:_MOST_SHOWN]) + more


def _headers(decision: Decision, policy: Policy) -> str:
    refused = _refused_headers(decision, policy)
    listed = ", ".join(policy.allow_headers[: 2 * _MOST_SHOWN]) or "none"
    star = ""
    if policy.compiled.any_header and "authorization" in decision.request_headers:
        star = " ('*' never covers Authorization)"
    return f"the page wants to send {refused}; the policy allows {listed}{star}"


def _cross_site_remedy(decision: Decision, policy: Policy) -> str:
    # With a safe method, "unsafe" refuses only WebSocket handshakes, and those name their origin.
    weaker = "unsafe" if policy.enforce == "all" and decision.method in SAFE_METHODS else "off"
    return f"say enforce={weaker!r} where other sites may cause such requests"


def _cross_site(decision: Decision, _policy: Policy) -> str:
    if decision.origin is None:
        return "another site caused the request, and no Origin says which"
    return (
        "origins='*' says who may read; with enforce, pages of other sites open no WebSocket and"
        " use no method that could change something"
    )


_VERDICTS = {
    Outcome.NOT_CORS: "not a CORS request",
    Outcome.SAME_ORIGIN: "same origin",
    Outcome.ALLOWED: "allowed",
    Outcome.REJECTED: "rejected",
    Outcome.EXEMPT: "exempt",
}

#: What can lead to another decision, for each reason.
_SETTINGS: dict[Reason, tuple[str, ...]] = {
    Reason.ORIGIN_NOT_ALLOWED: ("origins",),
    Reason.ORIGIN_DENIED: ("deny_origins",),
    Reason.ORIGIN_NULL: ("origins", "dangerously_allow_null_origin"),
    Reason.ORIGIN_CHECK_FAILED: ("origins",),
    Reason.METHOD_NOT_ALLOWED: ("methods",),
    Reason.HEADERS_NOT_ALLOWED: ("allow_headers",),
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: ("allow_private_network",),
}

_Words = str | Callable[["Decision", Policy], str]

# What was found, and what to change, for each reason: a text, or a function that makes one.
_FOUND: dict[Reason, _Words] = {
    Reason.ORIGIN_NOT_ALLOWED: _origin_not_allowed,
    Reason.ORIGIN_DENIED: "the origin is listed in deny_origins",
    Reason.ORIGIN_NULL: (
        "the page has an opaque origin, being sandboxed, a local file or reached by a redirect; or"
        " it sends a form and keeps its origin back with Referrer-Policy: no-referrer"
    ),
    Reason.ORIGIN_MALFORMED: (
        "no browser writes an origin like this: it is not scheme://host[:port] in lower case"
    ),
    Reason.ORIGIN_CHECK_FAILED: "the callable in origins failed",
    Reason.METHOD_NOT_ALLOWED: _methods,
    Reason.HEADERS_NOT_ALLOWED: _headers,
    Reason.HEADERS_MALFORMED: (
        "the list of requested headers isn't a list of header names, or is longer than"
        f" {MAX_LIST_LENGTH} characters, {MAX_LIST_NAMES} names or, with empty ones,"
        f" {MAX_LIST_ELEMENTS}"
    ),
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: (
        "the browser asks whether a public page may reach this private network"
    ),
    Reason.CROSS_SITE_REQUEST: _cross_site,
    Reason.SPECULATIVE: "a browser asked ahead of time, perhaps for a page of another site",
}

_REMEDY: dict[Reason, _Words] = {
    Reason.ORIGIN_NOT_ALLOWED: lambda d, _: f"add {shown(d.origin or '')} to origins",
    Reason.ORIGIN_DENIED: "take the origin out of deny_origins",
    Reason.ORIGIN_NULL: (
        "serve the page from an origin of its own, with another Referrer-Policy; allowing 'null'"
        " allows every site"
    ),
    Reason.ORIGIN_MALFORMED: "nothing: whatever sent this is not a browser's page",
    Reason.ORIGIN_CHECK_FAILED: "fix the callable so that it returns True or False",
    Reason.METHOD_NOT_ALLOWED: _method_remedy,
    Reason.HEADERS_NOT_ALLOWED: lambda d, p: f"add {_refused_headers(d, p)} to allow_headers",
    Reason.HEADERS_MALFORMED: "have the page send fewer or shorter header names",
    Reason.PRIVATE_NETWORK_NOT_ALLOWED: "set allow_private_network=True",
    Reason.CROSS_SITE_REQUEST: _cross_site_remedy,
    Reason.SPECULATIVE: (
        "nothing: it asks again when the user goes there. The app's own pages pass where they send"
        " Referer, and every site's with enforce='unsafe'"
    ),
}


def policy_summary(policy: Policy | None) -> str:
    """Who may read, with credentials or not, by which methods, and what the server refuses.

    At most 600 characters of printable ASCII. Policies with the same values in the same order have
    the same summary. Header names and max age are left out: they say little about who is let in.

    :param policy: None for a route that the guard leaves alone.
    """
    return "; ".join(_parts(policy)) if policy is not None else "exempt"


def _parts(policy: Policy) -> Iterator[str]:
    denied = f" except {_listed(policy.deny_origins)}" if policy.deny_origins else ""
    if policy.origins == "*":
        yield f"everyone (*){denied}"
    else:
        yield f"{_listed(policy.origins)}{denied}" if policy.origins else "nobody"
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


def _listed(origins: OriginList) -> str:
    more = len(origins) - _MOST_ORIGINS
    named = ", ".join(map(_short_entry, origins[:_MOST_ORIGINS]))
    return f"{named} +{more}" if more > 0 else named


def _short_entry(form: object) -> str:
    """An entry, escaped if needed, because a pattern or a name can hold anything, and cut."""
    text = form if isinstance(form, str) else source_of(form)
    if not (text.isascii() and text.isprintable()):
        text = shown(text)[1:-1]
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def fields_of(policy: Policy) -> dict[str, object]:
    """Every field of a policy, as a value that JSON can hold.

    A pattern among the origins is ``{"pattern": ...}``, a callable ``{"callable": its name}``.
    """
    return {name: _jsonable(value) for name, value in policy.values.items()}


def _jsonable(value: object) -> object:
    if isinstance(value, tuple):
        return [_jsonable(entry) for entry in cast("tuple[object, ...]", value)]
    if isinstance(value, re.Pattern):
        return {"pattern": cast("re.Pattern[str]", value).pattern}
    if callable(value):
        return {"callable": name_of(value)}
    return value
