"""The attack on policies by path: every route, by other spellings of its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from flask import Request

from flask_corsguard.audit.findings import Findings
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.intended_origins import intended_by
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.path_prefix import normalised
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.paths import Paths
from flask_corsguard.routing.table import PolicyTable, Route
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import shown

# Every other prefix is a way around in the same manner.
_MOST_PREFIXES = 10
# How many origins of a policy are tried.
_MOST_ORIGINS = 3
# What leads up a segment where something decodes, or replaces characters, once more than the
# guard; with the slash before it.
_UP = ("/..", "/%2e%2e", "/.%2E", "%2f..", "%2F%2e%2e", "\\..", "%5c..", "/..;x", "/x/%2e%2e/..")


def attack_paths(
    state: AppState,
    table: PolicyTable,
    decide: Callable[[Request], Decision],
    routes: Iterable[Route],
    found: Findings,
) -> int:
    """Find routes that serve the same under another spelling of their path, with a wider policy;
    and path prefixes that cover no route.

    :returns: how many requests were tried.
    """
    paths, tried = table.paths, 0
    if not paths.marks:
        return tried
    for prefix, location in table.paths_without_rules():
        message = f"No rule of the app lies under {prefix!r}."
        found.add("path_without_rule", message, source=f"path {prefix}", location=location)
    for route in routes:
        requests = SampleRequests(state.app, route, state.marks, paths)
        if route.policies and requests.is_reachable:
            tried += _attack_route(state, paths, decide, route, requests, found)
    return tried


def _attack_route(
    state: AppState,
    paths: Paths,
    decide: Callable[[Request], Decision],
    route: Route,
    requests: SampleRequests,
    found: Findings,
) -> int:
    plain = requests.request(preflight=False)
    plain.environ.pop("HTTP_ORIGIN", None)
    served, policies, tried = _served(plain), decide(plain).policies, 0
    for path, odd in requests.spelled(dict.fromkeys(_spellings(plain.path, paths.marks))):
        if _served(odd) != served:
            continue
        tried += 1
        # Without an origin, no callable is asked.
        others = decide(odd).policies
        if others == policies:
            continue
        for origin in _origins_of(others, state.app.config):
            as_sent, meant = (decide(_with_origin(request, origin)) for request in (odd, plain))
            tried += 2
            if _is_wider(as_sent, meant):
                message = (
                    f"{shown(path)} serves what {shown(plain.path)} does, and has the policy of"
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
    """Other ways to write a path, as servers hand them on: decoded once."""
    first, slash, rest = path[1:].partition("/")
    for prefix in ("/x", *islice(prefixes, _MOST_PREFIXES)):
        for up in _UP:
            yield f"{prefix}{up * prefix.count('/')}{path}"
    for text in ("//", "/./", "/%2e/", "\\", "/%2f", "/%5c", "%2f"):
        yield path.replace("/", text)
        yield text + path[1:]
        yield f"/{first}{text}{rest}"
    for changed in (
        first.upper(),
        first.title(),
        f"{first};x",
        f"{first} ",
        f"{first}.",
        f"{first}%20",
    ):
        yield f"/{changed}{slash}{rest}"
    yield f"/%{ord(first[:1] or '/'):02x}{first[1:]}{slash}{rest}"
    yield path.upper()
    yield from (path + end for end in ("/", "/.", ";x", "/x/..", "/x%2f..", "%2f", "%00", " "))


def _served(request: Request) -> Mapping[str, Any]:
    """What a route serves: its arguments, with paths as they are opened."""
    arguments: Mapping[str, Any] = request.view_args or {}
    return {
        name: normalised(value) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _origins_of(policies: Sequence[Policy], config: Mapping[str, Any]) -> Iterator[str]:
    """Some origins that the policies are for."""
    for policy in policies:
        if policy.origins == "*":
            yield UNRELATED[0]
            continue
        opaque = (entry for entry in policy.origins if not isinstance(entry, str))
        intended = chain.from_iterable(intended_by(entry, config) for entry in opaque)
        named = (pattern.example("x") for pattern in policy.origins.patterns())
        yield from islice(map(str, chain(policy.raw_origins, named, intended)), _MOST_ORIGINS)


def _with_origin(request: Request, origin: str) -> Request:
    request.environ["HTTP_ORIGIN"] = origin
    return request


def _is_wider(one: Decision, other: Decision) -> bool:
    """Whether one of two decisions lets a page do more than the other."""
    if one.outcome is not Outcome.ALLOWED:
        return other.blocked and not one.blocked
    if other.outcome is not Outcome.ALLOWED:
        return True
    return _has_credentials(one) and not _has_credentials(other)


def _has_credentials(decision: Decision) -> bool:
    return decision.policy is not None and decision.policy.allow_credentials
