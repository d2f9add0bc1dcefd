"""What the audit is judged by: small apps in which one thing is wrong, or nothing, and where."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flask import Flask

from flask_corsguard import Outcome
from flask_corsguard.audit.findings import RULES, Finding, Level, Report
from flask_corsguard.runtime.state import state_of

Codes = frozenset[str]
Build = Callable[[], Flask]
MARKER = "# seeded"


class Case(NamedTuple):
    """An app, and what is to be found in it.

    :ivar build: makes the app. The line that is at fault ends in the comment ``# seeded``, or
        ``# seeded: code`` where there are several.
    :ivar codes: sets of codes, of which one has to be found: exactly it.
    :ivar let_in: origins that should not be allowed, and are: at the URL ``path``.
    :ivar levels: the highest level of some codes.
    :ivar routes: the rules that the findings are about, all together.
    :ivar place: what the location of each finding has to end in, where no line does.
    """

    build: Build
    codes: tuple[Codes, ...]
    let_in: tuple[str, ...] = ()
    path: str = "/"
    levels: Mapping[str, Level] = {}
    routes: frozenset[str] | None = None
    place: str | None = None


def one_of(*codes: str | Iterable[str]) -> tuple[Codes, ...]:
    """The sets of codes that would each be right: ``"a b"`` is the set of a and b."""
    found = tuple(frozenset(c.split() if isinstance(c, str) else c) for c in codes)
    assert all(each <= RULES.keys() for each in found), "no such code"
    return found


def found_in(app: Flask) -> Report:
    """Audit an app."""
    from flask_corsguard.audit import audit

    return audit(app)


def codes_of(report: Report) -> Codes:
    """The codes of what was found."""
    return frozenset(finding.code for finding in report.findings)


def told(report: Report) -> str:
    """The findings, for whoever reads why a test failed."""
    return "\n".join(
        f"{f.level.name} {f.code} [{f.source} | {f.location}] {f.message} {f.evidence!r}"
        f" {', '.join(map(str, f.routes))}"
        for f in report.findings
    )


def seeded_lines(build: Build) -> dict[str, set[int]]:
    """The numbers of the marked lines of a function, by code; "" is any code."""
    lines, first = inspect.getsourcelines(build)
    found: dict[str, set[int]] = {}
    for number, line in enumerate(lines, first):
        _, marker, rest = line.partition(MARKER)
        if marker:
            for code in rest.lstrip(":").split() or [""]:
                assert not code or code in RULES, code
                found.setdefault(code, set()).add(number)
    return found


def check_places(case: Case, findings: Iterable[Finding], build: Build | None = None) -> None:
    """Every finding names the line that is at fault."""
    build = build or case.build
    lines = seeded_lines(build)
    file = (inspect.getsourcefile(build) or "").rpartition("/")[2]
    for finding in findings:
        wanted = lines.get(finding.code, lines.get(""))
        if wanted:
            ends = tuple(f"{file}:{number}" for number in wanted)
            assert finding.location.endswith(ends), (finding.code, finding.location, ends)
        elif case.place is not None:
            assert case.place in finding.location, (finding.code, finding.location, case.place)


def check_found(case: Case, build: Build | None = None) -> None:
    """Exactly what is wrong is found, where it is wrong."""
    report = found_in(case.build())
    found = codes_of(report)
    assert found in case.codes, f"{set(found)} is none of {list(map(set, case.codes))}\n" + told(
        report
    )
    check_places(case, report.findings, build)
    for code, level in case.levels.items():
        got = {finding.level for finding in report.findings if finding.code == code}
        if code in found:
            assert got == {level}, (code, got)
    if case.routes is not None:
        concerned = {route.rule for finding in report.findings for route in finding.routes}
        assert concerned == case.routes, told(report)
    for finding in report.findings:
        assert finding.message
        assert finding.message.isprintable()
        assert finding.rule is RULES[finding.code]
        assert finding.level <= finding.rule.level
        if finding.code in ("neighbour_allowed", "anybody_allowed"):
            check_let_in(case.build(), case.path, finding.evidence, finding)


def check_let_in(app: Flask, path: str, origin: str, finding: Finding | None = None) -> None:
    """An origin really is allowed."""
    method = "GET"
    if finding is not None and finding.routes:
        route = finding.routes[0]
        method = next(iter(m for m in route.methods if m != "OPTIONS"))
        path = route.rule if "<" not in route.rule else path
    assert is_let_in(app, path, origin, method), (origin, path)


def is_let_in(app: Flask, path: str, origin: str, method: str = "GET") -> bool:
    """Whether a request from another site is answered for its script."""
    response = app.test_client().open(path, method=method, headers={"Origin": origin})
    return response.headers.get("Access-Control-Allow-Origin") in (origin, "*")


def decision_on(app: Flask, path: str, origin: str, method: str = "GET") -> Any:
    """What the guard says about a request."""
    from flask_corsguard.simulate import explain

    return explain(state_of(app), path, origin, method, ())


def is_allowed(app: Flask, path: str, origin: str, method: str = "GET") -> bool:
    """Whether the guard allows a request, without sending it."""
    return decision_on(app, path, origin, method).outcome is Outcome.ALLOWED
