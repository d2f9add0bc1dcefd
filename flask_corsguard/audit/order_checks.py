"""What is wrong with the order of several policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flask_corsguard.audit.findings import Findings, Level, in_list
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origins import OriginPattern, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.routing.table import Route
from flask_corsguard.text import name_of, shown

_MOST_SHOWN = 3
# What a wildcard can stand for. Whatever covers all of them covers the wildcard: nobody lists such
# names, and they have no beginning and no end in common.
_NAMES = ("a-corsguard-audit-b", "0-corsguard-audit-1")
_PORT = 47391
_ADMITS, _DENIES = "admits", "denies"


def check_order(policies: Sequence[Policy], routes: Iterable[Route], found: Findings) -> None:
    """Find entries that an earlier policy of a list decides about already, policies that never
    admit anybody, and callables that are asked about what a later policy lists."""
    for number, policy in enumerate(policies[1:], 1):
        _check_earlier(policies[:number], policy, routes, found)
    for number, policy in enumerate(policies if len(policies) > 1 else ()):
        is_last = number == len(policies) - 1
        is_empty = not policy.origins and not policy.raw_origins
        if is_empty and (is_last or not policy.deny_origins):
            message = f"{in_list(policy)}no origin is listed."
            level, fields = Level.NOTE, ("origins",)
            found.add("policy_never_decides", message, routes, fields=fields, level=level)
        later = [each for each in policies[number + 1 :] if any(_entries(each))]
        if policy.compiled.asks and later:
            _check_callable(policy, later, routes, found)


def _check_callable(
    policy: Policy, later: Sequence[Policy], routes: Iterable[Route], found: Findings
) -> None:
    check = next(entry for entry in policy.origins if callable(entry))
    names = " and ".join(map(_name, later))
    message = (
        f"{in_list(policy)}the callable {shown(name_of(check))[1:-1]} is asked before {names}. An"
        " origin there that it allows, or fails for, never gets that far."
    )
    level = max(_level(policy, each) for each in later)
    found.add("callable_asked_first", message, routes, fields=("origins",), level=level)


def _check_earlier(
    earlier: Sequence[Policy], policy: Policy, routes: Iterable[Route], found: Findings
) -> None:
    """Find the entries of a policy that earlier ones decide about already."""
    decided: dict[tuple[Policy, str], list[str]] = {}
    is_left = False
    for entry, examples in _entries(policy):
        by = next(_deciding(earlier, entry, examples), None)
        if by is None:
            is_left = True
        else:
            decided.setdefault(by, []).append(entry)
    is_left = is_left or any(not isinstance(entry, str) for entry in policy.origins)
    for (other, verb), entries in decided.items():
        more = f" and {len(entries) - _MOST_SHOWN} more" if len(entries) > _MOST_SHOWN else ""
        code = "entry_decided_earlier" if is_left else "policy_never_decides"
        message = (
            f"{in_list(policy)}{', '.join(map(shown, entries[:_MOST_SHOWN]))}{more} cannot count,"
            f" because {_name(other)} {verb} {'them' if len(entries) > 1 else 'it'} already."
        )
        level = _level(other, policy) if verb == _ADMITS else Level.NOTE
        found.add(code, message, routes, fields=("origins",), level=level)


def _deciding(
    earlier: Sequence[Policy], entry: str, examples: Sequence[str]
) -> Iterator[tuple[Policy, str]]:
    """The earlier policies that admit or deny all that an entry stands for."""
    for policy in earlier:
        if examples:
            verbs = {_by_structure(policy, text) for text in examples}
        else:
            verbs = {_by_all_but_callables(policy, entry)}
        if verbs <= {_ADMITS, _DENIES}:
            yield policy, min(verbs)


def _by_structure(policy: Policy, text: str) -> str:
    """How the strings of a policy decide about an origin; "" if they don't."""
    compiled, origin = policy.compiled, parse_origin(text)
    if origin is None:
        return ""  # the name is too long for what stands beside it
    if compiled.deny is not None and compiled.deny.lists(text, origin):
        return _DENIES
    return _ADMITS if compiled.allow is not None and compiled.allow.lists(text, origin) else ""


def _by_all_but_callables(policy: Policy, text: str) -> str:
    """How a policy decides about an origin; "" if it does not, or if only its callable could."""
    decision = decide(policy, CorsRequest(text, "GET"), asks=False)
    if decision.reason is None:
        return _ADMITS
    return _DENIES if decision.reason is Reason.ORIGIN_DENIED else ""


def _entries(policy: Policy) -> Iterator[tuple[str, Sequence[str]]]:
    """The entries that are strings; each that stands for several origins with examples of them."""
    for entry in (*policy.raw_origins, *(() if policy.origins == "*" else policy.origins)):
        if isinstance(entry, str) and "*" not in entry:
            yield entry, ()
    if policy.origins == "*":
        return
    for pattern in policy.origins.patterns(lambda text: "*" in text):
        yield str(pattern), tuple(_examples(pattern))


def _examples(pattern: OriginPattern) -> Iterator[str]:
    for name in (*_NAMES, ".".join(_NAMES)) if pattern.label == "*" else _NAMES:
        origin = pattern.example(name)
        yield str(origin)
        if pattern.any_port:
            yield str(origin._replace(port=_PORT))


def _level(earlier: Policy, later: Policy) -> Level:
    """A warning where the earlier policy gives credentials, and the later one does not."""
    is_wider = earlier.allow_credentials and not later.allow_credentials
    return Level.WARNING if is_wider else Level.NOTE


def _name(policy: Policy) -> str:
    audience = policy.compiled.audience
    return audience.name if audience else "the policy"
