"""The attack on policies by path: every route, under other spellings of its path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from flask import Request

from flask_corsguard.audit.findings import Findings
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.intended_origins import intended_by
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.audit.source_rows import rows_of
from flask_corsguard.known_fronts import is_served_in_front
from flask_corsguard.path_prefix import normalised
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.lists import is_source
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.mark_checks import paths_without_routes
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import shown

# Further prefixes would show the same.
_MOST_PREFIXES = 10
# How many origins of a policy are tried.
_MOST_ORIGINS = 3
# What goes up one segment, with the slash before it: as it is, or for something that decodes once
# more than the guard, or removes parameters.
_UP = ("/..", "\\..", "/%2e%2e", "%2f..", "%5c..", "/..;x")
_SLASHES = ("//", "/./", "/%2e/", "\\", "%2f", "%5c")
# What something may remove from the end of a segment.
_ENDS = (";x", " ", ".", "%20", "%00")


def attack_paths(state: AppState, routes: Iterable[Route], found: Findings) -> int:
    """Find routes that serve the same under another spelling of their path, with a wider policy;
    and path prefixes that cover no route.

    :returns: how many requests were tried.
    """
    table = state.current().table
    if not table.paths.marks:
        return 0
    for prefix, location, message in paths_without_routes(table):
        if not is_served_in_front(state, prefix):
            found.add("path_without_rule", message, source=f"path {prefix}", location=location)
    return sum(_attack_route(state, table.paths.marks, route, found) for route in routes)


def _attack_route(state: AppState, prefixes: Iterable[str], route: Route, found: Findings) -> int:
    requests = SampleRequests(state, route)
    if not route.policies or not requests.is_reachable:
        return 0
    decide, tried = state.current().decision_for, 0
    plain = requests.request(preflight=False)
    # Without an origin, no callable is asked.
    policies, served = decide(plain).policies, _served(plain)
    for path, odd in requests.spelled(dict.fromkeys(_spellings(plain.path, prefixes))):
        odd_policies = decide(odd).policies
        tried += 1
        if odd_policies == policies or _served(odd) != served:
            continue
        for origin in _origins_of(odd_policies, state.app.config):
            for request in (odd, plain):
                request.environ["HTTP_ORIGIN"] = origin
            as_sent, meant = decide(odd), decide(plain)
            tried += 2
            if _rank(as_sent) > _rank(meant):
                message = (
                    f"{shown(path)} serves the same as {shown(plain.path)}, but has the policy of"
                    f" {as_sent.policy_source} ({as_sent.policy_location}) instead of that of"
                    f" {meant.policy_source}."
                )
                found.add(
                    "wrong_policy",
                    message,
                    [route],
                    source=meant.policy_source,
                    location=meant.policy_location,
                    evidence=origin,
                )
                return tried
    return tried


def _spellings(path: str, prefixes: Iterable[str]) -> Iterator[str]:
    """Other ways to write a path, as servers pass them on: decoded once."""
    first, slash, rest = path[1:].partition("/")
    for prefix in ("/x", *islice(prefixes, _MOST_PREFIXES)):
        for up in _UP:
            yield f"{prefix}{up * prefix.count('/')}{path}"
    for text in _SLASHES:
        yield f"{text}{path[1:]}"
        yield f"/{first}{text}{rest}"
    for end in _ENDS:
        yield f"/{first}{end}{slash}{rest}"
        yield f"{path}{end}"
    yield f"/%{ord(first[:1] or '/'):02x}{first[1:]}{slash}{rest}"
    yield f"/{first.upper()}{slash}{rest}"
    yield path.upper()


def _served(request: Request) -> Mapping[str, Any]:
    """What a route serves: its arguments, with paths as the file system reads them."""
    arguments: Mapping[str, Any] = request.view_args or {}
    return {
        name: normalised(value) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _origins_of(policies: Iterable[Policy], config: Mapping[str, Any]) -> Iterator[str]:
    """Some origins that the policies are meant for."""
    for policy in policies:
        opaque = (
            entry for entry in policy.origins if not isinstance(entry, str) and not is_source(entry)
        )
        intended = chain.from_iterable(intended_by(entry, config) for entry in opaque)
        patterns = () if policy.origins == "*" else policy.origins.patterns()
        named = (pattern.example("x") for pattern in patterns)
        origins = chain(policy.raw_origins, named, rows_of(policy), intended)
        yield from islice(map(str, origins), _MOST_ORIGINS)
    yield UNRELATED[0]


def _rank(decision: Decision) -> int:
    """How much a decision lets a page do."""
    if decision.outcome is not Outcome.ALLOWED:
        return 0 if decision.blocked else 1
    return 3 if decision.policy is not None and decision.policy.allow_credentials else 2
