"""What ``flask cors audit`` prints in each format, and its exit code."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flask_corsguard
from flask_corsguard.audit.findings import RULES, AuditedRoute, Finding, Level, Report
from flask_corsguard.cli.formats import as_json, file_and_line, github_lines, text_lines
from flask_corsguard.cli.sarif import as_sarif
from flask_corsguard.errors import CorsGuardError
from flask_corsguard.text import printable
from tests.cli.command_line import APP, Ran, flask, run

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
# Of one result: the rest of a log is the same every time.
RESULT = jsonschema.Draft202012Validator(
    {"$ref": "#/definitions/result", "definitions": SCHEMA["definitions"]}
)


def finding(code: str, **other: Any) -> Finding:
    rule = RULES[code]
    values = {"level": rule.level, "message": f"What {code} found.", **other}
    return Finding(rule, **values)


USERS = AuditedRoute("/api/users/<int:number>", ("GET", "HEAD"), "api.user")
ERROR = finding(
    "neighbour_allowed",
    message="/https://.*example/ allows a neighbour, 50 % of the time",
    routes=(USERS, *(AuditedRoute(f"/{n}", ("GET",), f"e{n}") for n in range(6))),
    source="view api.user",
    location="my app/größe.py:12",
    evidence="https://attacker-example",
)
WARNING = finding(
    "credentials_without_enforce", routes=(USERS,), source="default",
    location="CORSGUARD_ORIGINS in app.config",
)  # fmt: skip
NOTE = finding("max_age_ignored", location="<stdin>:4")
ACCEPTED = finding(
    "subdomains_with_credentials", source="blueprint api", location="/srv/app.py:3",
    accepted="All of them are ours",
)  # fmt: skip

CLEAN = Report((), (), (), 12, 3400)
NOT_SEEN = "The callable allows in origins was asked 72 times, with made-up origins."
FULL = Report((ERROR, WARNING, NOTE), (ACCEPTED,), ("check_failed",), 12, 3400, (NOT_SEEN,))
ONLY_ACCEPTED = Report((), (ACCEPTED,), (), 1, 1)
ONLY_UNUSED = Report((), (), ("check_failed",), 1, 1)

Audited = Callable[..., Ran]


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> Audited:
    """What the command makes of a report."""

    def audited(outcome: Report | Exception, arguments: str = "", **options: Any) -> Ran:
        def audit(app: object, progress: Callable[[int, int], None] | None = None) -> Report:
            if isinstance(outcome, Exception):
                raise outcome
            for done in range(12 if progress else 0):
                progress(done, 12)
            return outcome

        monkeypatch.setattr("flask_corsguard.cli.audit.attack_routes", audit)
        return run(f"audit {arguments}", **options)

    return audited


CODES = [
    (CLEAN, "", 0),
    (FULL, "", 1),
    (FULL, "--fail-on error", 1),
    (Report((WARNING, NOTE), (), (), 1, 1), "--fail-on note", 1),
    (Report((WARNING, NOTE), (), (), 1, 1), "--fail-on warning", 1),
    (Report((WARNING, NOTE), (), (), 1, 1), "--fail-on error", 0),
    (Report((NOTE,), (), (), 1, 1), "", 1),
    (Report((NOTE,), (), (), 1, 1), "--fail-on warning", 0),
    (ONLY_ACCEPTED, "", 0),
    (ONLY_UNUSED, "", 0),
    (CorsGuardError("CORSGUARD_AUDIT_ACCEPT: there is no finding 'x'"), "", 2),
]


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize(("outcome", "arguments", "code"), CODES)
def test_exit_codes(
    audited: Audited, outcome: Report | Exception, arguments: str, code: int, form: str
) -> None:
    """The exit code is 1 for findings of the level of ``--fail-on`` and above, in every format."""
    assert audited(outcome, f"--format {form} {arguments}").code == code


TEXT = f"""\
error neighbour_allowed
  A pattern or callable also allows a site with a similar name.
  /https://.*example/ allows a neighbour, 50 % of the time
  Where: view api.user, my app/größe.py:12
  Routes: GET,HEAD /api/users/<int:number>; GET /0; GET /1; GET /2; GET /3; and 2 more
  Let in: https://attacker-example
  Risk: {ERROR.rule.attack}
  Change: {ERROR.rule.change}

warning credentials_without_enforce
  Other sites can trigger changes on routes with credentials.
  What credentials_without_enforce found.
  Where: default, CORSGUARD_ORIGINS in app.config
  Routes: GET,HEAD /api/users/<int:number>
  Risk: {WARNING.rule.attack}
  Change: {WARNING.rule.change}

note max_age_ignored
  Preflights are remembered for less time than max_age says.
  What max_age_ignored found.
  Where: <stdin>:4
  Risk: {NOTE.rule.attack}
  Change: {NOTE.rule.change}

accepted subdomains_with_credentials, blueprint api, /srv/app.py:3: All of them are ours
CORSGUARD_AUDIT_ACCEPT: 'check_failed' matches no finding. Remove it
not seen: {NOT_SEEN}

12 routes, 3,400 requests tried: 1 error, 1 warning, 1 note, 1 accepted.
"""


def test_text(audited: Audited) -> None:
    assert audited(FULL).out == TEXT


def test_text_of_a_clean_app(audited: Audited) -> None:
    assert audited(CLEAN).out == "12 routes, 3,400 requests tried: nothing found.\n"
    last = "\n\n1 route, 1 request tried: nothing found, 1 accepted.\n"
    assert audited(ONLY_ACCEPTED).out.endswith(last)


@pytest.mark.parametrize("option", ["--format json", "--json"])
def test_json(audited: Audited, option: str) -> None:
    told = json.loads(audited(FULL, option).out)
    assert list(told) == ["findings", "accepted", "unused", "not_seen", "routes", "attempts"]
    assert told["not_seen"] == [NOT_SEEN]
    assert (told["routes"], told["attempts"], told["unused"]) == (12, 3400, ["check_failed"])
    assert [item["level"] for item in told["findings"]] == ["error", "warning", "note"]
    route = {"rule": USERS.rule, "methods": ["GET", "HEAD"], "endpoint": "api.user", "source": ""}
    warning = {"code": "credentials_without_enforce", "level": "warning", "routes": [route]}
    warning |= {"source": "default", "location": "CORSGUARD_ORIGINS in app.config", "evidence": ""}
    warning |= {name: getattr(WARNING.rule, name) for name in ("title", "attack", "change")}
    assert told["findings"][1] == {**warning, "message": WARNING.message, "accepted": ""}
    assert told["accepted"][0]["accepted"] == "All of them are ours"


def test_github(audited: Audited) -> None:
    error, warning, note, unused, not_seen, last = audited(FULL, "--format github").out.splitlines()
    head = "::error file=my app/größe.py,line=12,title=A pattern or callable also allows a site"
    assert error.startswith(f"{head} with a similar name (neighbour_allowed)::")
    assert "%0A/https://.*example/ allows a neighbour, 50 %25 of the time%0A" in error
    head = "::warning title=Other sites can trigger changes on routes with credentials"
    assert warning.startswith(f"{head} (credentials_without_enforce)::Other sites")
    assert note.startswith("::notice title=")
    assert unused.startswith("::notice title=Unused acceptance::")
    assert not_seen == f"::notice title=Not seen by the audit::{NOT_SEEN}"
    assert last == "12 routes, 3,400 requests tried: 1 error, 1 warning, 1 note, 1 accepted."


def test_github_escapes_what_ends_a_property() -> None:
    odd = finding("check_failed", location="a,b%\n:x::y.py:7", message="a\r\nb\x1b[31m::c")
    assert file_and_line(odd.location) is None
    odd = odd._replace(location="a,b%:x::y.py:7")
    line, _ = github_lines(Report((odd,), (), (), 1, 1))
    assert line.startswith("::warning file=a%2Cb%25%3Ax%3A%3Ay.py,line=7,title=")
    assert r"%0Aa\r\nb\x1b[31m::c%0A" in line


PLACES = {
    "app.py:12": ("app.py", 12),
    "/srv/a b/app.py:1": ("/srv/a b/app.py", 1),
    "C:\\srv\\app.py:12": ("C:\\srv\\app.py", 12),
}
NO_PLACES = (
    "", "app.py", "app.py:0", "app.py:x", "<stdin>:4", "<doctest app.md[0]>:1", ":12",
    "CORSGUARD_ORIGINS in app.config", "CORSGUARD_ORIGINS, CORSGUARD_MAX_AGE in app.config",
)  # fmt: skip


def test_places() -> None:
    """A location is a file and a line, or something else."""
    for location, (file, line) in PLACES.items():
        assert file_and_line(location) == (Path(file), line)
    assert not any(map(file_and_line, NO_PLACES))


def sarif(report: Report, app_file: str | None = None) -> Any:
    log = json.loads(as_sarif(report, None if app_file is None else Path(app_file)))
    VALIDATOR.validate(log)
    return log


def test_sarif() -> None:
    log = sarif(FULL, "app.py")
    assert log["$schema"] == "https://json.schemastore.org/sarif-2.1.0.json"
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    told = [{"level": "note", "message": {"text": NOT_SEEN}}]
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": told}]
    assert sarif(CLEAN)["runs"][0]["invocations"] == [{"executionSuccessful": True}]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("Flask-CorsGuard", flask_corsguard.__version__)
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        known = RULES[rule["id"]]
        assert rule == {
            "id": known.code,
            "shortDescription": {"text": known.title},
            "fullDescription": {"text": known.attack},
            "help": {"text": known.change},
            "defaultConfiguration": {"level": known.level.name.lower()},
            "properties": {"tags": ["security"]},
        }
    for result, found in zip(run["results"], (*FULL.findings, *FULL.accepted), strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == found.code
        assert result["level"] == found.level.name.lower()
        suppressed = [(each["kind"], each["justification"]) for each in result["suppressions"]]
        assert suppressed == ([("external", found.accepted)] if found.accepted else [])


def test_places_in_sarif() -> None:
    locations = [r["locations"][0] for r in sarif(FULL, "src/app.py")["runs"][0]["results"]]
    physical = [location["physicalLocation"] for location in locations]
    assert [(at["artifactLocation"], at["region"]["startLine"]) for at in physical] == [
        ({"uri": "my%20app/gr%C3%B6%C3%9Fe.py", "uriBaseId": "%SRCROOT%"}, 12),
        ({"uri": "src/app.py", "uriBaseId": "%SRCROOT%"}, 1),
        ({"uri": "src/app.py", "uriBaseId": "%SRCROOT%"}, 1),
        ({"uri": "file:///srv/app.py"}, 3),
    ]
    route, member = locations[1]["logicalLocations"]
    rule = "GET,HEAD /api/users/<int:number>"
    assert route == {"name": "api.user", "fullyQualifiedName": rule, "kind": "function"}
    assert member == {"name": "CORSGUARD_ORIGINS in app.config", "kind": "member"}


def fingerprints(*findings: Finding) -> list[str]:
    results = sarif(Report(findings, (), (), 1, 1))["runs"][0]["results"]
    return [result["partialFingerprints"]["flaskCorsGuard/v1"] for result in results]


def test_fingerprints() -> None:
    moved = ERROR._replace(location="app.py:99")
    assert fingerprints(ERROR) == fingerprints(moved) == fingerprints(WARNING, moved)[1:]
    assert len(set(fingerprints(*FULL.findings, ACCEPTED, ERROR))) == 5
    assert fingerprints(ERROR) != fingerprints(ERROR._replace(source="default"))
    assert fingerprints(ERROR) != fingerprints(ERROR._replace(routes=()))


@pytest.mark.parametrize("name", ["app.py", None])
def test_every_result_has_a_file_for_github(
    audited: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    """A finding in no file gets the app's file, if it has one: GitHub refuses the whole log if a
    result has none."""
    tmp_path.joinpath("app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    odd = Report((finding("runs_before_guard"),), (), (), 1, 1)
    log = json.loads(audited(odd, "--format sarif", app=name).out)
    VALIDATOR.validate(log)
    artifact = {"uri": "app.py", "uriBaseId": "%SRCROOT%"}
    physical = {"artifactLocation": artifact, "region": {"startLine": 1}}
    expected = {"physicalLocation": physical} if name else {}
    assert log["runs"][0]["results"][0]["locations"] == [expected]


def test_a_real_audit(tmp_path: Path) -> None:
    tmp_path.joinpath("app.py").write_text(APP)
    ran = flask(tmp_path, "--app", "app", "cors", "audit", "--format", "sarif")
    assert (ran.code, ran.err) == (1, "")
    log = json.loads(ran.out)
    VALIDATOR.validate(log)
    assert "neighbour_allowed" in {result["ruleId"] for result in log["runs"][0]["results"]}
    for result in log["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert place == {"uri": "app.py", "uriBaseId": "%SRCROOT%"}


words = st.text(max_size=20)
names = words | st.sampled_from(["app.py:12", "<stdin>:1", "a b/ü.py:3", "/x/y.py:9", "C:\\x.py:1"])
routes = st.builds(AuditedRoute, words, st.lists(words, max_size=3).map(tuple), words)
findings = st.builds(
    Finding,
    rule=st.sampled_from(list(RULES.values())),
    level=st.sampled_from(Level),
    message=words,
    routes=st.lists(routes, max_size=7).map(tuple),
    source=words,
    location=names,
    evidence=words,
)
accepted = st.builds(lambda found, reason: found._replace(accepted=reason), findings, words)
reports = st.builds(
    Report,
    findings=st.lists(findings, max_size=4).map(tuple),
    accepted=st.lists(accepted, max_size=3).map(tuple),
    unused=st.lists(words, max_size=2).map(tuple),
    routes=st.integers(0, 10**6),
    attempts=st.integers(0, 10**9),
)


@settings(max_examples=60, deadline=None)
@given(reports)
def test_any_report_is_valid_sarif(report: Report) -> None:
    """Every result is valid, has a file, and can be told from the others."""
    results = json.loads(as_sarif(report, Path("app.py")))["runs"][0]["results"]
    assert len(results) == len(report.findings) + len(report.accepted)
    for result in results:
        RESULT.validate(result)
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9_.~%/:-]+", uri)
        assert "\\" not in unquote(uri) or os.sep == "/"
    suppressed = [len(result["suppressions"]) for result in results]
    assert suppressed == [0] * len(report.findings) + [1] * len(report.accepted)
    prints = {str(result["partialFingerprints"]) for result in results}
    assert len(prints) == len(results)


@settings(max_examples=60, deadline=None)
@given(reports)
def test_any_report_in_the_other_formats(report: Report) -> None:
    """The other formats show all of any report, and nothing that a terminal or GitHub acts on."""
    assert len(json.loads(as_json(report))["findings"]) == len(report.findings)
    lines = list(github_lines(report))
    others = len(report.unused) + len(report.not_seen)
    assert len(lines) == len(report.findings) + others + 1
    assert "".join(lines).isprintable()
    for line, found in zip(lines, report.findings, strict=False):
        match = re.fullmatch(r"::(\w+) ((?:[a-z]+=[^:,]*,?)+)::(.*)", line)
        assert match
        assert match[1] == {1: "notice", 2: "warning", 3: "error"}[found.level]
        assert "title=" in match[2]
    for line in text_lines(report):
        assert printable(line.text).isprintable()


@pytest.mark.parametrize(
    ("seconds", "columns", "shown"), [(0.0, 80, True), (60.0, 80, False), (0.0, 0, False)]
)
def test_a_bar(
    audited: Audited, monkeypatch: pytest.MonkeyPatch, seconds: float, columns: int, shown: bool
) -> None:
    """There is a bar on the standard error if that is a terminal and the audit takes long."""
    monkeypatch.setattr("flask_corsguard.cli.terminal._SECONDS_WITHOUT_BAR", seconds)
    ran = audited(CLEAN, columns=columns)
    assert "Attacking" not in ran.out
    assert "12 routes, 3,400 requests tried: nothing found." in ran.out
    assert ("Attacking the routes" in ran.err, "/12" in ran.err) == (shown, shown)
    assert shown or ran.err == ""
