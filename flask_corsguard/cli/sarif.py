"""The result of an audit as SARIF 2.1.0
(https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import flask_corsguard
from flask_corsguard.audit.findings import RULES, Finding, Report, Rule
from flask_corsguard.cli.formats import file_and_line, level_name

_INDEX = {code: number for number, code in enumerate(RULES)}


def as_sarif(report: Report, app_file: Path | None) -> str:
    """A log of one run.

    :param app_file: the app's own file, for findings that name none: GitHub rejects the whole log
        if one result has no file.
    """
    seen = Counter[str]()
    results = [
        *(_result(finding, app_file, seen, accepted=False) for finding in report.findings),
        *(_result(finding, app_file, seen, accepted=True) for finding in report.accepted),
    ]
    driver = {
        "name": "Flask-CorsGuard",
        "version": flask_corsguard.__version__,
        "rules": list(map(_rule, RULES.values())),
    }
    invocation: dict[str, object] = {"executionSuccessful": True}
    if report.not_seen:
        invocation["toolExecutionNotifications"] = [
            {"level": "note", "message": {"text": sentence}} for sentence in report.not_seen
        ]
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2)


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.attack},
        "help": {"text": rule.change},
        "defaultConfiguration": {"level": level_name(rule.level)},
        # Without it GitHub lists the rule under code quality.
        "properties": {"tags": ["security"]},
    }


def _result(
    finding: Finding, app_file: Path | None, seen: Counter[str], *, accepted: bool
) -> dict[str, object]:
    suppression = {"kind": "external", "justification": finding.accepted}
    return {
        "ruleId": finding.code,
        "ruleIndex": _INDEX[finding.code],
        "level": level_name(finding.level),
        "message": {"text": finding.message or finding.rule.title},
        "locations": [_location(finding, app_file)],
        "partialFingerprints": {"flaskCorsGuard/v1": _fingerprint(finding, seen)},
        # Empty if there is none: once one result has this key, all must have it (section 3.27.23).
        "suppressions": [suppression] if accepted else [],
    }


def _location(finding: Finding, app_file: Path | None) -> dict[str, object]:
    # Each name once, as the schema requires: rules on several hosts can have the same text.
    about = dict.fromkeys((route.endpoint, str(route)) for route in finding.routes)
    names = [
        {"name": endpoint, "fullyQualifiedName": route, "kind": "function"}
        for endpoint, route in about
    ]
    found = file_and_line(finding.location)
    if found is None and finding.location:
        names.append({"name": finding.location, "kind": "member"})
    if found is None and app_file is not None:
        found = (app_file, 1)
    location: dict[str, object] = {}
    if found is not None:
        location["physicalLocation"] = {
            "artifactLocation": _artifact(found[0]),
            "region": {"startLine": found[1]},
        }
    if names:
        location["logicalLocations"] = names
    return location


def _artifact(file: Path) -> dict[str, str]:
    if file.is_absolute():
        return {"uri": file.as_uri()}
    return {"uri": quote(file.as_posix()), "uriBaseId": "%SRCROOT%"}


def _fingerprint(finding: Finding, seen: Counter[str]) -> str:
    """A hash that stays the same for the same finding when other lines of the file change."""
    about = [finding.code, finding.source, *map(str, finding.routes)]
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"
