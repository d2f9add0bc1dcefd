"""Attacks every route of an app, and reports what it finds."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask_corsguard.audit.findings import RULES, AuditedRoute, Finding, Level, Report, Rule
    from flask_corsguard.audit.run import audit
else:
    # Other commands need only a module or two of this package.
    from flask_corsguard.lazy_names import load_on_use

    __getattr__, __dir__ = load_on_use(
        __name__,
        {
            "flask_corsguard.audit.findings": [
                "RULES",
                "AuditedRoute",
                "Finding",
                "Level",
                "Report",
                "Rule",
            ],
            "flask_corsguard.audit.run": ["audit"],
        },
    )

__all__ = ["RULES", "AuditedRoute", "Finding", "Level", "Report", "Rule", "audit"]
