"""What is wrong with the order of several policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flask_corsguard.audit.findings import Findings, Level, in_list, listed
from flask_corsguard.audit.source_rows import source_of_row
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origins import OriginPattern, parse_origin, parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.table import Route
from flask_corsguard.sources.feed import views_of
from flask_corsguard.text import name_of, shown

# What a wildcard can stand for. An entry that covers all of them covers the wildcard: nobody lists
# such names, and they have neither a beginning nor an end in common.
_NAMES = ("a-corsguard-audit-b", "0-corsguard-audit-1")
_PORT = 47391
_ADMITS, _DENIES = "admits", "denies"


def check_order(policies: Sequence[Policy], routes: Iterable[Route], found: Findings) -> None:
    """Find entries that an earlier policy of a list already decides about, policies that never
    admit anybody, and callables and sources that are asked about what a later policy lists."""
    if len(policies) == 1:
        return
    for number, policy in enumerate(policies):
        _check_entries(policies[:number], policy, routes, found)
        later = policies[number + 1 :]
        is_listing = policy.origins or policy.raw_origins or views_of(policy)
        if not (is_listing or (policy.deny_origins and later)):
            message = f"{in_list(policy)}no origin is listed."
            level, fields = Level.NOTE, ("origins",)
            found.add("policy_never_decides", message, routes, fields=fields, level=level)
        named = [each for each in later if _is_naming(each)]
        asked = " or ".join(_asked_by(policy))
        if asked and named:
            _check_asked(policy, asked, named, routes, found)


def _is_naming(policy: Policy) -> bool:
    """Whether a policy names origins itself, and not only in the rows of a source, which come
    last."""
    entry, _ = next(_entries(policy), ("", None))
    return bool(entry) and not source_of_row(policy, entry)


def _asked_by(policy: Policy) -> Iterator[str]:
    """The sources and the callable of a policy, in words."""
    yield from (f"the source {view.feed.name}" for view in views_of(policy))
    yield from (
        f"the callable {shown(name_of(entry))[1:-1]}" for entry in policy.origins if callable(entry)
    )


def _check_asked(
    policy: Policy, asked: str, later: Sequence[Policy], routes: Iterable[Route], found: Findings
) -> None:
    names = " and ".join(map(name_in_list, later))
    message = (
        f"{in_list(policy)}{asked} is asked before {names}. If it allows an origin that is listed"
        " there, or fails for it, that policy is never asked."
    )
    level = max(_level(policy, each) for each in later)
    found.add("callable_asked_first", message, routes, fields=("origins",), level=level)


def _check_entries(
    earlier: Sequence[Policy], policy: Policy, routes: Iterable[Route], found: Findings
) -> None:
    """Find the entries of a policy that earlier ones already decide about."""
    decided: dict[tuple[Policy, str], list[str]] = {}
    is_left = policy.origins == "*" or any(not isinstance(entry, str) for entry in policy.origins)
    is_left = is_left or bool(views_of(policy))  # the source may give others later
    for entry, pattern in _entries(policy):
        for other in earlier:
            verb = _verb_for_all(other, pattern) if pattern else _verb(other, entry)
            if verb:
                decided.setdefault((other, verb), []).append(entry)
                break
        else:
            is_left = True
    code = "item_decided_earlier" if is_left else "policy_never_decides"
    for (other, verb), entries in decided.items():
        have, them = ("have", "them") if len(entries) > 1 else ("has", "it")
        message = (
            f"{in_list(policy)}{listed(entries)} {have} no effect, because {name_in_list(other)}"
            f" already {verb} {them}."
        )
        level = _level(other, policy) if verb == _ADMITS else Level.NOTE
        found.add(code, message, routes, fields=("origins",), level=level)


def _entries(policy: Policy) -> Iterator[tuple[str, OriginPattern | None]]:
    """The entries that are strings; parsed, if they stand for several origins."""
    for entry in (*policy.raw_origins, *policy.origins):
        if isinstance(entry, str) and entry != "*":
            yield entry, parse_pattern(entry) if "*" in entry else None


def _verb(policy: Policy, text: str) -> str:
    """How a policy decides about an origin without its callable; "" if it cannot."""
    reason = decide(policy, CorsRequest(text, "GET"), asks=False).reason
    return _ADMITS if reason is None else _DENIES if reason is Reason.ORIGIN_DENIED else ""


def _verb_for_all(policy: Policy, pattern: OriginPattern) -> str:
    """How the strings of a policy decide about all that an entry stands for; "" if they don't."""
    names = (*_NAMES, ".".join(_NAMES)) if pattern.label == "*" else _NAMES
    origins = [pattern.example(name) for name in names]
    if pattern.any_port:
        origins += [origin._replace(port=_PORT) for origin in origins]
    verbs = {_verb_by_strings(policy, str(origin)) for origin in origins}
    return "" if "" in verbs else min(verbs)


def _verb_by_strings(policy: Policy, text: str) -> str:
    origin = parse_origin(text)  # None if the name is too long for what stands beside it
    for entries, verb in ((policy.compiled.deny, _DENIES), (policy.compiled.allow, _ADMITS)):
        if origin and entries and entries.lists(text, origin):
            return verb
    return ""


def _level(earlier: Policy, later: Policy) -> Level:
    """A warning where the earlier policy gives credentials, and the later one does not."""
    is_wider = earlier.allow_credentials and not later.allow_credentials
    return Level.WARNING if is_wider else Level.NOTE
