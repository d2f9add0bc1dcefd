"""Findings that somebody has looked at and accepts, with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask_corsguard.audit.findings import RULES, Finding, Report, source_of
from flask_corsguard.errors import CorsGuardError, unknown_name


class Acceptance:
    """What ``CORSGUARD_AUDIT_ACCEPT`` accepts.

    :param reasons: a code, or ``code:endpoint``, -> the reason.
    :raises CorsGuardError: if there is no such code.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        for key in reasons:
            code = key.partition(":")[0]
            if code not in RULES:
                problem = unknown_name("", "CORSGUARD_AUDIT_ACCEPT", code, "finding", RULES)
                raise CorsGuardError(f"CORSGUARD_AUDIT_ACCEPT: {problem.message}")
        self._reasons = reasons

    def report(self, findings: Iterable[Finding], routes: int, attempts: int) -> Report:
        """Tell what is accepted from what is not. A finding whose routes are accepted in part is
        divided."""
        open_: list[Finding] = []
        accepted: list[Finding] = []
        used: set[str] = set()
        for finding in findings:
            keys = {route: f"{finding.code}:{route.endpoint}" for route in finding.routes}
            by_key: dict[str, Finding] = {}
            for route, own_key in keys.items():
                key = next((k for k in (own_key, finding.code) if k in self._reasons), "")
                concerned = (*by_key[key].routes, route) if key in by_key else (route,)
                by_key[key] = finding._replace(routes=concerned, source=source_of(concerned))
            if not finding.routes:
                by_key[finding.code if finding.code in self._reasons else ""] = finding
            for key, part in by_key.items():
                used.add(key)
                if key:
                    accepted.append(part._replace(accepted=self._reasons[key]))
                else:
                    open_.append(part)
        unused = tuple(key for key in self._reasons if key not in used)
        return Report(tuple(open_), tuple(accepted), unused, routes, attempts)
