"""Attacks every route of an app, and reports what it finds."""

from flask_corsguard.audit.findings import RULES, AuditedRoute, Finding, Level, Report, Rule
from flask_corsguard.audit.run import audit

__all__ = ["RULES", "AuditedRoute", "Finding", "Level", "Report", "Rule", "audit"]
