"""The result of an audit: for people, for programs, for GitHub's annotations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from flask_corsguard.audit.findings import Finding, Level, Report
from flask_corsguard.cli.terminal import Line, first_few
from flask_corsguard.text import counted, printable

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "bold yellow", Level.NOTE: "bold cyan"}
# https://docs.github.com/actions/reference/workflow-commands-for-github-actions
_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
# Code from no file is in "<stdin>" or the like.
_FILE_AND_LINE = re.compile(r"([^<\n][^\n]*):([1-9][0-9]{0,8})")


def file_and_line(location: str) -> tuple[Path, int] | None:
    """Read ``app.py:12``; None for a configuration key, and for code from no file."""
    match = _FILE_AND_LINE.fullmatch(location)
    return (Path(match[1]), int(match[2])) if match else None


def level_name(level: Level) -> str:
    """The name of a level on the command line and in SARIF."""
    return level.name.lower()


def counts(report: Report) -> str:
    """``12 routes, 3,400 requests tried: 2 errors, 1 warning``."""
    numbers = [
        counted(sum(finding.level == level for finding in report.findings), level_name(level))
        for level in sorted({finding.level for finding in report.findings}, reverse=True)
    ]
    found = ", ".join(numbers) or "nothing found"
    also = f", {len(report.accepted):,} accepted" if report.accepted else ""
    tried = f"{counted(report.routes, 'route')}, {counted(report.attempts, 'request')} tried"
    return f"{tried}: {found}{also}"


def text_lines(report: Report) -> Iterator[Line]:
    """The report for people."""
    for finding in sorted(report.findings, key=lambda finding: -finding.level):
        yield Line(f"{level_name(finding.level)} {finding.code}", _STYLES[finding.level])
        for text in _sentences(finding):
            yield Line(text, indent=2)
        yield Line("")
    for finding in report.accepted:
        yield Line(f"accepted {finding.code}, {_where(finding)}: {finding.accepted}", "dim")
    for key in report.unused:
        yield Line(_unused(key), "yellow")
    for sentence in report.not_seen:
        yield Line(f"not seen: {sentence}", "dim")
    if report.accepted or report.unused or report.not_seen:
        yield Line("")
    yield Line(f"{counts(report)}.", "bold" if report.findings else "bold green")


def _sentences(finding: Finding) -> Iterator[str]:
    yield f"{finding.rule.title}."
    if finding.message:
        yield finding.message
    yield f"Where: {_where(finding)}"
    if finding.routes:
        yield f"Routes: {first_few(finding.routes)}"
    if finding.evidence:
        yield f"Let in: {finding.evidence}"
    yield f"Risk: {finding.rule.attack}"
    yield f"Change: {finding.rule.change}"


def _where(finding: Finding) -> str:
    return ", ".join(filter(None, (finding.source, finding.location))) or "the app"


def _unused(key: str) -> str:
    return f"CORSGUARD_AUDIT_ACCEPT: {key!r} matches no finding. Remove it"


def as_json(report: Report) -> str:
    """The report for programs. The keys are documented."""
    return json.dumps(
        {
            "findings": list(map(_object, report.findings)),
            "accepted": list(map(_object, report.accepted)),
            "unused": report.unused,
            "not_seen": report.not_seen,
            "routes": report.routes,
            "attempts": report.attempts,
        },
        indent=2,
    )


def _object(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "level": level_name(finding.level),
        "title": finding.rule.title,
        "message": finding.message,
        "routes": [route._asdict() for route in finding.routes],
        "source": finding.source,
        "location": finding.location,
        "evidence": finding.evidence,
        "attack": finding.rule.attack,
        "change": finding.rule.change,
        "accepted": finding.accepted,
    }


def github_lines(report: Report) -> Iterator[str]:
    """Workflow commands, which GitHub Actions shows beside the code."""
    for finding in report.findings:
        properties = {"title": f"{finding.rule.title} ({finding.code})"}
        found = file_and_line(finding.location)
        if found is not None:
            properties = {"file": found[0].as_posix(), "line": str(found[1]), **properties}
        message = "\n".join(map(printable, _sentences(finding)))
        yield _command(_COMMANDS[finding.level], properties, message)
    for key in report.unused:
        yield _command("notice", {"title": "Unused acceptance"}, printable(_unused(key)))
    for sentence in report.not_seen:
        yield _command("notice", {"title": "Not seen by the audit"}, printable(sentence))
    yield printable(f"{counts(report)}.")


def _command(name: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(
        f"{key}={_escaped(printable(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{name} {listed}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
