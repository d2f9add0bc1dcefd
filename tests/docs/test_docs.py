"""What the documentation lists is what there is. Its examples are run by the conftest above."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from blinker import Signal
from flask import Flask
from flask.views import MethodView

import flask_corsguard
import flask_corsguard.audit
import flask_corsguard.testing
from flask_corsguard import (
    CorsGuard,
    Decision,
    Outcome,
    Policy,
    PolicyError,
    Problem,
    Reason,
    cors,
    settings_rejected,
)
from flask_corsguard import signals as signals_module
from flask_corsguard.audit import RULES
from flask_corsguard.config import OTHER_KEYS
from flask_corsguard.protocol.policy import FIELDS
from flask_corsguard.sources import FileOrigins, RedisOrigins, SQLOrigins
from flask_corsguard.testing import Browser
from flask_corsguard.testing.engines import ENGINES
from flask_corsguard.verify.kinds import KINDS
from tests.docs.markdown import section, table

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flask_corsguard"
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def code(cell: str) -> str:
    return cell.strip("`")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def defaults() -> dict[str, object]:
    return {name: field.default for name, field in FIELDS.items()}


def test_policy_fields_page_lists_the_fields() -> None:
    page = (REFERENCE / "policy-fields.md").read_text()
    listed = re.findall(r"^## `(\w+)`\n\nType: .+\. Default: `(.+)`\.$", page, re.MULTILINE)
    assert {name: ast.literal_eval(default) for name, default in listed} == defaults()
    assert len(re.findall("^## `", page, re.MULTILINE)) == len(listed)
    rows = table(section(page, "All fields"))
    assert [row[0] for row in rows] == [f"[`{name}`](#{name})" for name, _ in listed]
    assert [code(row[2]) for row in rows] == [default for _, default in listed]


def test_configuration_keys() -> None:
    keys = {code(row[0]) for row in table((REFERENCE / "configuration.md").read_text())}
    assert keys == {"CORSGUARD_<FIELD>", *(f"CORSGUARD_{name.upper()}" for name in OTHER_KEYS)}


def test_audit_page() -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("*", "\\*")

    page = (REFERENCE / "audit.md").read_text()
    assert table(section(page, "Findings")) == [
        [f"`{rule.code}`", rule.level.name.lower(), *map(escaped, (rule.title, *rule[3:]))]
        for rule in RULES.values()
    ]


def test_verify_page() -> None:
    page = (ROOT / "docs" / "how-to" / "verify-a-deployment.md").read_text()
    assert table(section(page, "Findings")) == [
        [f"`{kind.code}`", *(text.replace("*", "\\*") for text in kind[1:])]
        for kind in KINDS.values()
    ]


def test_decision_page() -> None:
    page = (REFERENCE / "decision.md").read_text()
    attributes = [code(row[0]) for row in table(section(page, "Attributes"))]
    assert sorted(attributes) == sorted([*Decision._fields, "explain()"])
    assert [code(row[0]) for row in table(section(page, "Outcomes"))] == [o.name for o in Outcome]
    assert [code(row[0]) for row in table(section(page, "Reasons"))] == [r.name for r in Reason]


def test_signals_are_listed() -> None:
    signals = {
        n for n in flask_corsguard.__all__ if isinstance(vars(signals_module).get(n), Signal)
    }
    page = (REFERENCE / "signals-and-log.md").read_text()
    assert {code(row[0]) for row in table(section(page, "Signals"))} == signals


@pytest.mark.parametrize("name", ["api", "testing", "audit"])
def test_page_lists_the_public_names(name: str) -> None:
    page = (REFERENCE / f"{name}.md").read_text()
    kinds = "class|function|exception|data"
    names = re.findall(rf"^\.\. (?:auto)?(?:{kinds}):: (\w+)(?![\w.])", page, re.M)
    module = flask_corsguard if name == "api" else getattr(flask_corsguard, name)
    assert sorted(names) == sorted(module.__all__)


def test_testing_page_lists_the_engines() -> None:
    rows = table(section((REFERENCE / "testing.md").read_text(), "The browser"))
    assert [code(row[0]).strip('"') for row in rows] == list(ENGINES)


def codes_in_source() -> Iterator[str]:
    """Every code of a Problem: the first argument, a local called ``code`` or, in the diagnosis of
    origins, the first of a pair. What the audit and the migration find is no Problem."""
    others = {path for name in ("audit", "migrate") for path in (PACKAGE / name).iterdir()}
    for path in {*PACKAGE.rglob("*.py")} - others:
        for node in ast.walk(ast.parse(path.read_text())):
            found: ast.expr | None = None
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in ("Problem", "empty_entry", "unknown_field", "unknown_name"):
                    found = node.args[0]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
                found = node.value
            elif isinstance(node, ast.Tuple) and path.name == "origin_errors.py":
                found = node.elts[0] if len(node.elts) == 2 else None
            if isinstance(found, ast.Constant) and re.fullmatch(r"[a-z_]+", str(found.value)):
                yield str(found.value)


PROBLEMS = table((REFERENCE / "problems.md").read_text())


def test_problems_page_lists_the_codes() -> None:
    assert sorted(code(row[0]) for row in PROBLEMS) == sorted(set(codes_in_source()))


@pytest.mark.parametrize(("cells"), PROBLEMS, ids=[code(row[0]) for row in PROBLEMS])
def test_problem_examples(
    cells: list[str],
    login_required: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, _, example, correction = cells
    app = Flask("example")
    guard = CorsGuard(policies={"partners": Policy()})

    @app.get("/")
    def index() -> str:
        return ""

    class Item(MethodView):
        def get(self) -> str:
            return ""

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cors.toml"

    def save(text: str) -> None:
        file.write_text(text)
        file.chmod(0o644)
        os.utime(file, (0, 0))

    def write(text: str) -> None:
        app.config["CORSGUARD_SETTINGS_FILE"] = file
        guard.init_app(app)
        save(text)
        rejected: list[Problem] = []

        def receive(_sender: Flask, problems: tuple[Problem, ...], **_: object) -> None:
            rejected.extend(problems)

        with settings_rejected.connected_to(receive, app):
            app.test_client().get("/")
        raise PolicyError(rejected)

    save("max_age = 60")
    example = code(example)
    statement = f"Policy({example})" if re.match(r"\w+=", example) else example
    scope = {"Policy": Policy, "app": app, "cors": cors, "guard": guard, "index": index}
    scope |= {"login_required": login_required, "Item": Item, "os": os, "write": write}
    scope |= {"FileOrigins": FileOrigins, "RedisOrigins": RedisOrigins, "SQLOrigins": SQLOrigins}

    def run() -> None:
        exec(statement, scope)
        if "corsguard" not in app.extensions:
            guard.init_app(app)
        guard.routes(app)

    with patch.dict(os.environ), pytest.raises(PolicyError) as caught:
        run()
    problems = [problem for problem in caught.value.problems if problem.code == code(name)]
    assert problems
    assert problems == list(caught.value.problems)
    if correction.endswith(" (suggested)"):
        assert problems[0].suggestion == code(correction.removesuffix(" (suggested)"))
        assert problems[0].suggestion in problems[0].message
    if problems[0].field in FIELDS:
        assert problems[0].suggestion is None or "(suggested)" in correction


LINKING = sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob(".github/*.md")})


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_python_block_is_run() -> None:
    """Every block shown as Python is one that the conftest collects."""
    for page in PAGES:
        languages = set(re.findall(r"^```(\S+)", page.read_text(), re.MULTILINE))
        others = {"console", "sh", "text", "yaml"}
        others |= {"{toctree}", "{eval-rst}", "{include}", "{index}"}
        # Of other servers and frameworks; tests/recipes runs those that it can.
        others |= {"apache", "nginx", "php", "py", "js", "xml", "java", "csharp", "json"}
        # Of files and stores; the tests of the sources run the latter.
        others |= {"toml", "sql"}
        # Of uWSGI and python-dotenv; test_several_workers_page.py and test_recipes_page.py read it.
        others |= {"ini"}
        # Python as well, run when the docs are built and by test_exchanges.py.
        others |= {"{exchanges}"}
        assert languages <= {"python", *others}, page


# The two things on this page that are not run where they stand.
BROWSER_PAGE = (ROOT / "docs" / "how-to" / "test-with-a-browser.md").read_text()


def test_failing_output_is_what_is_printed() -> None:
    source = blocks(BROWSER_PAGE, "python")[0]
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(source, "app.py", "exec"), scope)
    browser = Browser(scope["app"], page="https://www.example.com")
    answer = browser.fetch("https://api.example/users/7", method="PUT", json={"name": "Grace"})
    with pytest.raises(AssertionError) as caught:
        answer.assert_readable()
    assert blocks(BROWSER_PAGE, "text") == [f"{caught.value}\n"]


def test_pytest_examples_pass(tmp_path: Path) -> None:
    """The examples for pytest pass with nothing but what they show."""
    for source in blocks(BROWSER_PAGE, "python"):
        if name := re.match(r"# (\w+\.py)\n", source):
            (tmp_path / name[1]).write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 5 passed in " in result.stdout
