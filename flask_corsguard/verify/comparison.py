"""Responses of a deployment, compared with the guard's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from flask_corsguard.protocol import headers
from flask_corsguard.protocol.headers import REDIRECT_STATUSES
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.testing.exchange import Exchange
from flask_corsguard.testing.urls import parse_url
from flask_corsguard.verify.client import Received

Cors = dict[str, set[str]]

_ORIGIN = headers.ALLOW_ORIGIN.lower()
_METHODS = headers.ALLOW_METHODS.lower()
# Headers with a single value: sent twice, they have another value.
_SINGLE = {_ORIGIN, headers.ALLOW_CREDENTIALS.lower(), headers.MAX_AGE.lower()}
# Headers that only responses to preflights have.
_OF_PREFLIGHTS = {_METHODS, headers.ALLOW_HEADERS.lower(), headers.MAX_AGE.lower()}
_BY_STATUS = {
    **dict.fromkeys((401, 407), "preflight_needs_login"),
    **dict.fromkeys((403, 405, 429, 501), "preflight_not_allowed"),
    **dict.fromkeys((502, 503, 504), "app_unreachable"),
    **dict.fromkeys(REDIRECT_STATUSES, "preflight_redirected"),
    404: "not_found",
}
_REPLACED = "preflight_replaced"
#: Codes for something that keeps requests from the guard.
ENDS = {*_BY_STATUS.values(), _REPLACED, "https_redirect", "origin_lost", "preflight_lost"}
_FOLLOWING = {"header_lost", "vary_lost", "other_decision"}


class Difference(NamedTuple):
    """How one response differs from the guard's own. Equal differences become one finding.

    :ivar code: the code of the finding.
    :ivar subject: the header that it is about, or the like, or "".
    """

    code: str
    subject: str = ""


def differences(
    want: Exchange,
    got: Received,
    earlier: Sequence[tuple[Exchange, Received]],
    others: Sequence[tuple[Exchange, Received]],
    *,
    is_right_at_first: bool,
) -> Iterator[Difference]:
    """How a response differs from the guard's own.

    :param want: the request, with the guard's own response.
    :param got: the deployment's response.
    :param earlier: the earlier requests of the same test, with their responses.
    :param others: those of all tests, if a cache may have mistaken them for the same request.
    :param is_right_at_first: whether the same origin gets the right response where it asks first,
        so that no cache has one.
    """
    if got.error:
        yield Difference("no_response")
    elif _is_to_https(want, got):
        yield Difference("https_redirect")
    elif (is_right_at_first or got.is_stored) and (how := _mixed_up(want, got, earlier)):
        yield Difference("mixed_up", how)
    elif how := _mixed_up(want, got, others):
        yield Difference("mixed_up", f"{how}, and the cache's key has no query")
    elif other := _other_response(want, got):
        yield other
    # Something else may refuse it, or serve another page, as long as nobody is let in.
    elif not want.preflight or _is_allowed(want) or got.refusal or got.cors:
        yield from _in_headers(want, got)


def follows(difference: Difference, want: Exchange) -> bool:
    """Whether it merely follows if something keeps the route's requests from the guard."""
    is_of_preflight = want.method == "OPTIONS" and difference.code not in ENDS
    return is_of_preflight or difference.code in _FOLLOWING


def origin_of(request: Exchange) -> str:
    """The request's ``Origin``, in words."""
    return request.request_headers.get("Origin", "no Origin")


def _is_to_https(want: Exchange, got: Received) -> bool:
    asked, locations = parse_url(want.url), got.values("Location")
    if got.status not in REDIRECT_STATUSES or not locations or asked is None:
        return False
    target = parse_url(locations[0][:2000], asked)
    if target is None or target.origin is None or asked.origin is None:
        return False
    schemes = asked.scheme, target.scheme
    return schemes == ("http", "https") and target.origin.host == asked.origin.host


def is_right(want: Exchange, got: Received) -> bool:
    """Whether the origin gets the right response, in whatever matters to browsers."""
    is_refused = want.status == 403
    # Anything may refuse a preflight.
    is_as_meant = bool(got.refusal) == is_refused or (is_refused and want.preflight)
    return is_as_meant and _cors(got) == _wanted(want)


def is_same(sent: Iterable[tuple[Exchange, Received]]) -> bool:
    """Whether all requests get the response for one origin, whoever asks."""
    came = {repr((got.status, got.cors)) for _, got in sent if _ORIGIN in got.cors}
    return len(came) == 1 and all(_ORIGIN in got.cors for _, got in sent)


def _is_allowed(want: Exchange) -> bool:
    return want.decision is not None and want.decision.outcome is Outcome.ALLOWED


def _mixed_up(want: Exchange, got: Received, earlier: Sequence[tuple[Exchange, Received]]) -> str:
    """What is known about it if another origin got this response before; or ""."""
    for asked, before in earlier:
        is_same = before.status == got.status and is_right(asked, got) and is_right(asked, before)
        if is_same and not is_right(want, got):
            return f"its Vary {'names' if 'origin' in _vary(before) else 'does not name'} Origin"
    return ""


def _other_response(want: Exchange, got: Received) -> Difference | None:
    """What responded instead of the guard, or how the guard decided otherwise."""
    decision = want.decision
    assert decision is not None
    is_ok = 200 <= got.status < 300
    # Of all that sends CORS headers, only the guard sends this.
    is_guards = bool(got.refusal) or "access-control-request-method" in _vary(got)
    wanted, came = _wanted(want), _cors(got)
    is_own = decision.outcome is Outcome.SAME_ORIGIN
    if got.refusal and want.status != 403:
        # The app's own origin is neither, whatever Host says.
        is_changed = got.refusal in ("ORIGIN_MALFORMED", "ORIGIN_NULL")
        code = "host_lost" if is_own and not is_changed else "other_decision"
        return Difference(code, got.refusal)
    if is_own and is_guards and _METHODS in came and not wanted:
        return Difference("host_lost", "allowed as such")
    if decision.blocked and is_ok:
        return Difference("other_decision", "it does not refuse the request")
    policy = decision.policy
    if not want.preflight or is_own or policy is None:
        return None
    if not _is_allowed(want):
        is_let_in = policy.answer_preflight and decision.origin and is_ok and _ORIGIN in came
        other = Difference("other_decision", "it allows the preflight")
        return (other if is_guards else Difference(_REPLACED)) if is_let_in else None
    of_preflights = _OF_PREFLIGHTS & wanted.keys()
    if (is_ok or not policy.answer_preflight) and (
        is_guards or all(came.get(name) == wanted[name] for name in of_preflights)
    ):
        # The guard's response where there is no route.
        requested = {want.request_headers.get("Access-Control-Request-Method", "")}
        is_unrouted = came.get(_METHODS) == requested != wanted.get(_METHODS)
        return Difference("not_found") if is_guards and is_unrouted else None
    is_apps = "origin" in _vary(got) or bool(got.values("allow"))
    if is_apps and came and not _OF_PREFLIGHTS & came.keys():
        if came.get(_ORIGIN) == wanted.get(_ORIGIN):
            return Difference("preflight_lost")
    elif "origin" in _vary(got) and not came:
        return Difference("origin_lost")
    return Difference(_BY_STATUS.get(got.status, _REPLACED))


def _in_headers(want: Exchange, got: Received) -> Iterator[Difference]:
    wanted, came = _wanted(want), _cors(got)
    decision = want.decision
    assert decision is not None
    for name, value in came.items():
        if name in _SINGLE and len(_parts(got.values(name))) > 1:
            yield Difference("doubled_header", name.title())
        elif (
            name == _ORIGIN and value == {"*"} and all(p.origins != "*" for p in decision.policies)
        ):
            yield Difference("star_added")
        elif decision.outcome is Outcome.REJECTED and (name, value) == (_ORIGIN, {origin_of(want)}):
            yield Difference("stranger_admitted")
        elif name == _METHODS and decision.endpoint is None and wanted.get(name, {""}) <= value:
            continue  # the deployment may have routes that this app gets only when it is served
        # Without Origin, OPTIONS is not a preflight: nobody looks at these.
        elif value != wanted.get(name) and (decision.origin or name not in _OF_PREFLIGHTS):
            code = "header_changed" if name in wanted else "header_added"
            yield Difference(code, name.title())
    yield from (Difference("header_lost", n.title()) for n in wanted if n not in came)
    is_refused = got.status in (401, 403, 429) and not got.refusal
    if not came and (wanted or is_refused):
        return  # it is not the guard's response, Vary or not
    # Where nobody may read, every origin gets the same response.
    varies = (
        _vary(got) if came or any(p.origins or p.raw_origins for p in decision.policies) else {"*"}
    )
    for name in _parts(want.response_headers.getlist(headers.VARY)):
        if "*" not in varies and name.lower() not in varies:
            yield Difference("vary_lost", name)
            return


def _vary(got: Received) -> set[str]:
    return {name.lower() for name in _parts(got.values(headers.VARY))}


def _parts(values: Sequence[str]) -> list[str]:
    return [part for value in values for each in value.split(",") if (part := each.strip())]


def _cors(got: Received) -> Cors:
    return {name: _value(name, got.values(name)) for name in got.cors}


def _wanted(want: Exchange) -> Cors:
    lines = ((name.lower(), value) for name, value in want.response_headers)
    return {name: _value(name, [v]) for name, v in lines if name.startswith("access-control-")}


def _value(name: str, values: Sequence[str]) -> set[str]:
    """The value of a header as a set, because the order of a list means nothing."""
    is_exact = name in _SINGLE or name == _METHODS
    return {part if is_exact else part.lower() for part in _parts(values)}
