"""The audit itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from flask import Flask

from flask_corsguard.audit.accepted import Acceptance
from flask_corsguard.audit.attack import Attacker
from flask_corsguard.audit.faults import Fault, callable_fault
from flask_corsguard.audit.findings import (
    RULES,
    AuditedRoute,
    Finding,
    Level,
    Report,
    most_serious_first,
    source_of,
)
from flask_corsguard.audit.real_preflights import preflight, runs_ahead, unheard
from flask_corsguard.audit.remarks import Remark, setter
from flask_corsguard.audit.route_checks import about_routes
from flask_corsguard.audit.sample_requests import RouteRequests
from flask_corsguard.audit.surroundings import about_surroundings
from flask_corsguard.config import Settings
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.routing.layers import DEFAULT_SOURCE
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState, app_context, state_of

_PLACE = re.compile(r"[^\s(),]+:\d+")
_REAL_PREFLIGHTS = 2


def audit(app: Flask, progress: Callable[[int, int], None] | None = None) -> Report:
    """Attack every route of an app, and tell what lets somebody in who should not be.

    No view runs: requests are only decided about. Each route is also sent preflights, which the
    guard answers; after that the app can be set up no further.

    :param progress: called with the number of routes done, and of all, now and then.
    :raises CorsGuardError: if the app has no guard, or ``CORSGUARD_AUDIT_ACCEPT`` names no code.
    """
    state = state_of(app)
    acceptance = Acceptance(state.settings.audit_accept)
    try:
        routes = state.current().table.routes()
    except PolicyError as error:
        findings = [_of_problem(problem) for problem in error.problems]
        return acceptance.report(most_serious_first(findings), 0, 0)
    collected = _Findings(state.settings)
    with unheard(), app_context(app):
        attempts = _attack(state, routes, collected, progress or _nobody)
        collected.add_remarks(about_routes(app, state.settings, routes))
        collected.add_remarks(about_surroundings(app, state.settings, routes))
        collected.add_remarks(runs_ahead(app))
    return acceptance.report(most_serious_first(collected.merged()), len(routes), attempts)


def _attack(
    state: AppState,
    routes: list[Route],
    collected: _Findings,
    progress: Callable[[int, int], None],
) -> int:
    attacker = Attacker(state.current(), state.app.config)
    attempts = 0
    for done, route in enumerate(routes):
        progress(done, len(routes))
        policy = route.policy
        if policy is None:
            continue
        requests = RouteRequests(state.app, route, state.marks)
        outcomes = attacker.attack(policy, requests)
        for fault in attacker.faults(policy, outcomes.allowed):
            collected.add(fault, route)
        if outcomes.failure:
            collected.add(callable_fault(policy, outcomes.failure), route)
        attempts += outcomes.attempts
        if not outcomes.too_slow:
            attempts += _REAL_PREFLIGHTS
            collected.add_remarks(preflight(state, route, policy, requests))
    progress(len(routes), len(routes))
    return attempts


class _Findings:
    """Collects findings, and puts those together that differ in the route only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._routes: dict[Finding, dict[AuditedRoute, None]] = {}

    def add(self, fault: Fault, route: Route) -> None:
        source, location = self._place(route, fault.fields)
        rule = RULES[fault.code]
        finding = Finding(rule, fault.level, fault.message, (), "", location, fault.evidence)
        self._add(finding, source, [route])

    def add_remarks(self, noticed: Iterable[Remark]) -> None:
        for remark in noticed:
            source, location = "", remark.location
            if remark.routes and not location:
                source, location = self._place(remark.routes[0], remark.fields)
            elif remark.location == self._settings.source and remark.fields:
                source, location = self._default_place(remark.fields)
            rule = RULES[remark.code]
            own = "" if remark.routes else source
            finding = Finding(rule, remark.level, remark.message, (), own, location)
            self._add(finding, source, remark.routes)

    def merged(self) -> Iterator[Finding]:
        for finding, routes in self._routes.items():
            source = source_of(routes) if routes else finding.source
            yield finding._replace(routes=tuple(routes), source=source)

    def _add(self, finding: Finding, source: str, routes: Iterable[Route]) -> None:
        known = self._routes.setdefault(finding, {})
        for route in routes:
            known[AuditedRoute(route.rule, route.methods, route.endpoint, source)] = None

    def _place(self, route: Route, fields: tuple[str, ...]) -> tuple[str, str]:
        """What sets the fields of a route's policy: the innermost mark that sets one of them."""
        layer = setter(route, fields)
        return (layer.source, layer.mark.location) if layer else self._default_place(fields)

    def _default_place(self, fields: tuple[str, ...]) -> tuple[str, str]:
        configured = self._settings.configured
        keys = [configured[field] for field in fields if field in configured]
        location = f"app.config ({', '.join(keys)})" if keys else self._settings.source
        return DEFAULT_SOURCE, location


def _of_problem(problem: Problem) -> Finding:
    code = problem.code if problem.code in RULES else "unusable_policy"
    places = _PLACE.findall(problem.message if code == "lost_mark" else problem.where)
    location = places[-1] if places else problem.where
    source = problem.where.removesuffix(f"({location})").strip()
    return Finding(RULES[code], Level.ERROR, problem.message, (), source, location)


def _nobody(_done: int, _total: int) -> None:
    """Whom progress is told when nobody asked."""
