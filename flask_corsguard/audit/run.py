"""The audit itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask.app import Flask

from flask_corsguard.audit.app_checks import check_app
from flask_corsguard.audit.attack import attack
from flask_corsguard.audit.delivery import unheard
from flask_corsguard.audit.findings import RULES, Findings, Report
from flask_corsguard.audit.path_attack import attack_paths
from flask_corsguard.audit.route_checks import check_routes
from flask_corsguard.audit.source_rows import with_rows
from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.protocol.audiences import Audiences, policies_of
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import app_context, state_of

_LOCATION = re.compile(r"[^\s(),]+:\d+")


def audit(app: Flask, progress: Callable[[int, int], None] | None = None) -> Report:
    """Attack every route of an app, and report the policies that let in origins that they should
    not.

    No view runs: the guard only decides about the requests. Sources are read, and their rows are
    audited like listed origins. Each route is also sent preflights, to which the guard responds;
    afterwards, Flask allows no further set-up of the app.

    :param app: the app.
    :param progress: called now and then with the numbers of finished and of all routes.
    :raises CorsGuardError: if the app has no guard, or ``CORSGUARD_AUDIT_ACCEPT`` is invalid.
    """
    state = state_of(app)
    found = Findings(state.settings)
    try:
        current = state.put_in_force("the audit")
        routes = current.table.routes()
    except PolicyError as error:
        for problem in error.problems:
            _add_problem(problem, found)
        return found.report([], 0)
    by_policy: dict[Policy | Audiences, list[Route]] = {}
    for route in routes:
        if route.policy is not None:
            by_policy.setdefault(route.policy, []).append(route)
    done = attempts = 0
    with unheard(app), app_context(app):
        state.load_sources()
        for policy, concerned in by_policy.items():
            policies = tuple(map(with_rows, policies_of(policy)))
            for tried in attack(state, current.decision_for, policies, concerned, found):
                done, attempts = done + 1, attempts + tried
                if progress:
                    progress(done, len(routes))
        attempts += attack_paths(state, routes, found)
        check_routes(app, state.settings, routes, found)
        check_app(state, routes, found)
    if progress:
        progress(len(routes), len(routes))
    return found.report(routes, attempts)


def _add_problem(problem: Problem, found: Findings) -> None:
    code = problem.code if problem.code in RULES else "unusable_policy"
    locations = _LOCATION.findall(problem.message if code == "lost_mark" else problem.where)
    location = locations[-1] if locations else problem.where
    source = problem.where.removesuffix(f"({location})").strip()
    found.add(code, problem.message, source=source, location=location)
