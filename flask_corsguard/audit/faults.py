"""Faults of a policy that can be read off it, wherever it applies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask_corsguard.audit.findings import RULES, Level
from flask_corsguard.audit.hostile_origins import LABELS
from flask_corsguard.protocol.fields import OriginForm
from flask_corsguard.protocol.origins import OriginPattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import is_public_suffix
from flask_corsguard.text import name_of, shown

#: For how long Chromium remembers a preflight at most, in seconds.
LONGEST_REMEMBERED = 7200
_MOST_SHOWN = 3
_OUTSIDE = "outside of request context"


class Fault(NamedTuple):
    """What is wrong with a policy, wherever it applies.

    :ivar code: the rule's.
    :ivar fields: the fields at fault.
    """

    code: str
    level: Level
    message: str
    fields: tuple[str, ...]
    evidence: str = ""


def hurts(policy: Policy) -> bool:
    """Whether whoever is let in acts as the user."""
    return policy.allow_credentials or policy.enforce != "off"


def level_of(policy: Policy) -> Level:
    """How bad it is to let somebody in."""
    return Level.ERROR if hurts(policy) else Level.WARNING


def insecure_fault(policy: Policy, words: str, evidence: str) -> Fault:
    """A page loaded over plain http is let in, with credentials or past ``enforce``."""
    level = Level.ERROR if policy.allow_credentials else Level.WARNING
    because = "with credentials" if policy.allow_credentials else "and is what enforce lets pass"
    message = f"{words} lets in {shown(evidence)}, {because}."
    other = "allow_credentials" if policy.allow_credentials else "enforce"
    return Fault("insecure_origin", level, message, ("origins", other), evidence)


def subdomain_fault(words: str, evidence: str) -> Fault:
    """Any sub-domain is let in, with credentials."""
    message = f"{words} lets in {shown(evidence)}, with credentials."
    code = "subdomains_with_credentials"
    return Fault(code, RULES[code].level, message, ("origins", "allow_credentials"), evidence)


def callable_fault(policy: Policy, failure: str) -> Fault:
    """What is wrong with a callable that failed.

    :param failure: how, in words.
    """
    name = ", ".join(name_of(entry) for entry in opaque_entries(policy) if callable(entry))
    message = f"The callable {shown(name)[1:-1]} in origins failed for a hostile origin: {failure}."
    level = RULES["check_failed"].level
    if _OUTSIDE in failure:
        level = Level.NOTE
        message = (
            f"The callable {shown(name)[1:-1]} in origins could not be tried, because it looks at"
            " flask.request. Have it take the request as its second argument instead."
        )
    return Fault("check_failed", level, message, ("origins",))


def opaque_entries(policy: Policy) -> list[OriginForm]:
    """The entries that nobody can read an origin off: patterns and callables."""
    return [entry for entry in policy.origins if not isinstance(entry, str)]


def faults_on_sight(policy: Policy) -> Iterator[Fault]:
    """What can be told without trying."""
    if policy.origins != "*":
        yield from _of_wildcards(
            list(policy.origins.patterns(lambda text: "://*." in text)), policy
        )
        insecure = [
            pattern
            for pattern in policy.origins.patterns(lambda text: text.startswith(("http:", "ws:")))
            if not pattern.origin.is_loopback
        ]
        if insecure and hurts(policy):
            yield insecure_fault(policy, _listed(insecure), _example(insecure[0]))
    if policy.origins and (policy.max_age or 0) > LONGEST_REMEMBERED:
        code, message = "max_age_ignored", f"max_age={policy.max_age}."
        yield Fault(code, RULES[code].level, message, ("max_age",))


def _of_wildcards(wildcards: list[OriginPattern], policy: Policy) -> Iterator[Fault]:
    public = [pattern for pattern in wildcards if is_public_suffix(pattern.origin.host)]
    if public:
        evidence = _example(public[0])
        message = f"{_listed(public)} lets in {shown(evidence)}."
        yield Fault("public_suffix_wildcard", level_of(policy), message, ("origins",), evidence)
    own = [p for p in wildcards if p not in public and not p.origin.is_loopback]
    if own and policy.allow_credentials:
        yield subdomain_fault(_listed(own), _example(own[0]))


def _listed(patterns: list[OriginPattern]) -> str:
    more = f" and {len(patterns) - _MOST_SHOWN} more" if len(patterns) > _MOST_SHOWN else ""
    return ", ".join(shown(str(pattern)) for pattern in patterns[:_MOST_SHOWN]) + more


def _example(pattern: OriginPattern) -> str:
    """An origin that a pattern matches."""
    origin = pattern.origin
    host = f"{LABELS[0]}.{origin.host}" if pattern.subdomains else origin.host
    return str(origin._replace(host=host))
