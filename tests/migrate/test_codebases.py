"""Code bases on Flask-CORS, migrated, and what pages get to see before and after."""

from __future__ import annotations

import argparse
import ast
import difflib
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from flask_corsguard import CorsGuardError
from tests.migrate.command_line import Finding, Run, migrate, tree
from tests.migrate.playing import APP, Difference, Question, Verdict, ask, differences, load
from tests.nightly import IS_NIGHTLY

CODEBASES = Path(__file__).parent / "codebases"
NAMES = sorted(path.parent.name for path in CODEBASES.glob("*/expected.toml"))
EXPECTED = {
    name: tomllib.loads((CODEBASES / name / "expected.toml").read_text("utf-8")) for name in NAMES
}
RUNS = [
    pytest.param(name, app, environ, id=f"{name}-{app}-{number}")
    for name in NAMES
    for app in EXPECTED[name]["apps"]
    for number, environ in enumerate(EXPECTED[name].get("environ", [{}]))
]

WHO = (
    r"\b(sites?|pages?|origins?|scripts?|browsers?|anybody|nobody|headers?|requests?|preflights?)\b"
)
MADE: list[str] = []


class Migrated(NamedTuple):
    """One code base, and what the tool did to a copy of it."""

    original: Path
    directory: Path
    dry: Run
    untouched: bool
    written: Run
    again: Run
    unchanged: bool


@functools.cache
def migrated(name: str) -> Migrated:
    MADE.append(tempfile.mkdtemp(prefix="migrated-"))
    directory = Path(MADE[-1], name)
    shutil.copytree(CODEBASES / name, directory, ignore=shutil.ignore_patterns("expected.toml"))
    first = tree(directory)
    dry = migrate(directory, ".")
    untouched = tree(directory) == first
    written = migrate(directory, ".", "--write")
    second = tree(directory)
    again = migrate(directory, ".", "--write")
    return Migrated(
        CODEBASES / name, directory, dry, untouched, written, again, tree(directory) == second
    )


@pytest.fixture(scope="module", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    while MADE:
        shutil.rmtree(MADE.pop())
    migrated.cache_clear()


class Place(NamedTuple):
    """Where a finding is expected: lines of a file."""

    path: Path
    lines: frozenset[int]
    wanted: dict[str, Any]

    def holds(self, finding: Finding) -> bool:
        return finding.path == self.path and finding.line in self.lines


def spans(source: bytes) -> Iterator[range]:
    """The lines of every statement, of a compound one those of its head, and of every decorator."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt):
            continue
        for decorator in getattr(node, "decorator_list", ()):
            yield range(decorator.lineno, (decorator.end_lineno or 0) + 1)
        body = getattr(node, "body", None)
        end = max(node.lineno + 1, body[0].lineno) if body else (node.end_lineno or 0) + 1
        yield range(node.lineno, end)


def places(name: str) -> list[Place]:
    found = []
    for wanted in EXPECTED[name].get("finding", ()):
        path = CODEBASES / name / wanted["file"]
        source = path.read_bytes()
        lines = source.decode("utf-8").splitlines()
        covered: set[int] = set()
        for key in ("at", "also_at"):
            if key in wanted:
                numbers = [number for number, line in enumerate(lines, 1) if wanted[key] in line]
                number = numbers[wanted.get("occurrence", 1) - 1]
                covered.add(number)
                try:
                    around = [span for span in spans(source) if number in span]
                except SyntaxError:
                    around = [range(len(lines) + 1)]
                covered.update(min(around, key=len))
        found.append(Place(Path(wanted["file"]), frozenset(covered), wanted))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_original_is_what_it_says(name: str) -> None:
    """The code base runs, and its manifest names places that exist."""
    assert EXPECTED[name]["what"].strip()
    for app in EXPECTED[name]["apps"]:
        assert isinstance(load(CODEBASES / name, app, {}), Flask)
    assert all(place.lines for place in places(name))


def test_odd_files_are_odd() -> None:
    """No editor has mended what these are there for."""
    crlf = (CODEBASES / "crlf_tabs" / "app.py").read_bytes()
    assert crlf.count(b"\r\n") == crlf.count(b"\n") > 20
    assert crlf.count(b"\n\t") > 5
    assert not (CODEBASES / "crlf_tabs" / "no_newline_at_end.py").read_bytes().endswith(b"\n")
    assert b"f\xfcr" in (CODEBASES / "crlf_tabs" / "latin.py").read_bytes()
    with pytest.raises(SyntaxError):
        ast.parse((CODEBASES / "syntax_error_beside/old_scripts/old_app.py").read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    """They are where they have to be, say what is the case, and are nowhere else."""
    run, expected = migrated(name).written, places(name)
    for place in expected:
        if not place.wanted.get("may"):
            here = [finding for finding in run.findings if place.holds(finding)]
            assert here, f"nothing is said of {place}\n{run.output}{run.errors}"
            says = place.wanted["says"]
            assert any(re.search(says, finding.text, re.IGNORECASE) for finding in here), here
    for finding in run.findings:
        assert any(place.holds(finding) for place in expected), f"{finding}\n{run.output}"


@pytest.mark.parametrize("name", NAMES)
def test_words_of_findings(name: str) -> None:
    """Each says what is the case today, for whom, and what the choices are."""
    for finding in migrated(name).written.findings:
        today, _, choices = finding.details.partition("Choice: ")
        assert today.startswith("Today: "), finding
        assert re.search(WHO, today), finding
        assert choices, finding


@pytest.mark.parametrize("name", NAMES)
def test_exit_code(name: str) -> None:
    runs = migrated(name)
    assert runs.dry.status == runs.written.status == (1 if runs.written.findings else 0)
    assert runs.again.status == (1 if runs.again.findings else 0)
    assert runs.dry.errors == ""


@pytest.mark.parametrize("name", NAMES)
def test_without_write_nothing_is_touched(name: str) -> None:
    assert migrated(name).untouched


@pytest.mark.parametrize("name", NAMES)
def test_second_run(name: str) -> None:
    """It changes nothing, and still says what is open."""
    runs = migrated(name)
    assert runs.unchanged
    assert runs.again.changed == []
    codes = [(finding.path, finding.code) for finding in runs.written.findings]
    assert [(finding.path, finding.code) for finding in runs.again.findings] == codes


def read(path: Path) -> list[str]:
    """The lines, with their ends, in the encoding that the file declares."""
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding).splitlines(keepends=True)


def edits(name: str) -> Iterator[tuple[Path, list[int], list[str]]]:
    """Each file that changed: the numbers of the lines that are gone, and the new lines."""
    runs = migrated(name)
    for path in sorted(runs.directory.rglob("*.py")):
        relative = path.relative_to(runs.directory)
        old, new = read(runs.original / relative), read(path)
        gone, added = [], []
        for tag, *ends in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                gone += range(ends[0] + 1, ends[1] + 1)
                added += new[ends[2] : ends[3]]
        if gone or added:
            yield relative, gone, added


@pytest.mark.parametrize("name", NAMES)
def test_diff_is_what_is_written(name: str) -> None:
    runs = migrated(name)
    wanted = []
    for relative, gone, added in edits(name):
        old = read(runs.original / relative)
        wanted += [f"-{old[number - 1]}" for number in gone] + [f"+{line}" for line in added]
        assert str(relative) in runs.dry.output
    # A line that only moved may be in one diff and not in the other, so both are levelled.
    assert settled(runs.dry.changed) == settled(line.rstrip("\r\n") for line in wanted)
    assert runs.dry.changed == runs.written.changed
    assert runs.dry.summary
    assert not runs.dry.summary.startswith((" ", "+", "-"))


def settled(lines: Any) -> list[str]:
    left = sorted(lines)
    for line in list(left):
        if line.startswith("-") and f"+{line[1:]}" in left and line in left:
            left.remove(line)
            left.remove(f"+{line[1:]}")
    return left


@pytest.mark.parametrize("name", NAMES)
def test_all_else_is_kept(name: str) -> None:
    """Only statements that have to do with Flask-CORS change; ends of lines and tabs stay."""
    runs = migrated(name)
    for relative, gone, added in edits(name):
        source = (runs.original / relative).read_bytes()
        old = read(runs.original / relative)
        about = lines_about_cors(source)
        assert set(gone) <= about, [old[number - 1] for number in gone if number not in about]
        end = "\r\n" if old[0].endswith("\r\n") else "\n"
        for line in added[:-1]:
            assert line.endswith(end), line
            assert line.endswith("\r\n") == (end == "\r\n"), line
        new = read(runs.directory / relative)
        assert new[-1].endswith("\n") == old[-1].endswith("\n")
        if any(line.startswith("\t") for line in old):
            assert not [line for line in added if re.match(r"\t* +\S", line)]


@pytest.mark.parametrize("name", NAMES)
def test_comments_stay(name: str) -> None:
    """What somebody has noted beside the code is still there."""
    runs = migrated(name)
    for relative, _, _ in edits(name):
        kept = comments(runs.directory / relative)
        assert [said for said in comments(runs.original / relative) if said not in kept] == []


def comments(path: Path) -> list[str]:
    with path.open("rb") as file:
        tokens = tokenize.tokenize(file.readline)
        return [token.string for token in tokens if token.type == tokenize.COMMENT]


def lines_about_cors(source: bytes) -> set[int]:
    """The lines of statements that name Flask-CORS, or what is given to it."""
    text = [line.decode("latin-1") for line in source.splitlines()]
    names = {"cors"}
    about: set[int] = set()
    for _ in range(2):
        pattern = re.compile("|".join(rf"\b{name}|{name}\b" for name in names), re.IGNORECASE)
        for span in spans(source):
            words = "\n".join(text[number - 1] for number in span)
            if pattern.search(words) or re.search("cors|cross_origin", words, re.IGNORECASE):
                about.update(span)
        for node in ast.walk(ast.parse(source)):
            if getattr(node, "lineno", None) in about:
                if isinstance(node, ast.alias) and node.asname:
                    names.add(node.asname)
                if isinstance(node, ast.keyword):
                    names.update(
                        part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)
                    )
    return about


@pytest.mark.parametrize("name", [name for name in NAMES if "finding" not in EXPECTED[name]])
def test_nothing_is_forgotten(name: str) -> None:
    """Without findings, nothing of Flask-CORS is left."""
    runs = migrated(name)
    for path in runs.directory.rglob("*.py"):
        tree_ = ast.parse(path.read_bytes())
        for node in ast.walk(tree_):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "flask_cors", path
            if isinstance(node, ast.Import):
                assert "flask_cors" not in [alias.name for alias in node.names], path


@pytest.mark.parametrize("name", NAMES)
def test_findings_are_left_alone(name: str) -> None:
    """The lines that a finding is about are in the new file as they were."""
    runs = migrated(name)
    for finding in runs.written.findings:
        line = read(runs.original / finding.path)[finding.line - 1]
        assert line in read(runs.directory / finding.path), finding


@pytest.mark.parametrize(("name", "target", "environ"), RUNS)
def test_verdicts(name: str, target: str, environ: dict[str, Any]) -> None:
    """Nothing is wider than before. What is narrower is named by a note, or documented."""
    runs = migrated(name)
    variables = environ.get("set", {})
    before = load(runs.original, target, variables)
    try:
        after = load(runs.directory, target, variables)
    except CorsGuardError:
        refusing = environ.get("may_refuse", [])
        if refusing is True or target in refusing:
            return
        raise
    share = 1 if IS_NIGHTLY else 0.1
    found = differences(before, after, tuple(EXPECTED[name].get("paths", ())), share)
    wider, narrower = [], []
    for difference in found:
        documented = opens_errors(name, before, difference)
        if difference.wider and not documented:
            wider.append(difference)
        elif not difference.wider and not excused(name, target, runs.written, difference):
            narrower.append(difference)
    assert not wider, report("wider", wider)
    assert not narrower, report("narrower", narrower)


def report(word: str, found: list[Difference]) -> str:
    return "\n".join([f"{len(found)} {word}:", *map(str, found[:6])])


def opens_errors(name: str, before: Flask, difference: Difference) -> bool:
    """A policy covers the errors of its routes, too: documented in docs/reference/marks.md.

    Those of a route count where Flask-CORS names the page when it is asked about that URL; the 404
    of no route where the page could read that of a plain GET: there any preflight passes. Those
    below a blueprint's prefix are listed in the manifest.
    """
    question, after = difference.question, difference.after
    if after.status == 404 and not routed(before, question.path):
        plain = question._replace(method="GET", sent="nothing")
        return ask(before, plain).status == 404 or listed(name, question)
    if after.status is None or after.status < 400 or after.ran != difference.before.ran:
        return False
    asked = {"Origin": question.page, "Access-Control-Request-Method": "GET"}
    told = before.test_client().options(question.path, headers=asked).headers
    return told.get("Access-Control-Allow-Origin") in (question.page, "*") and (
        "cookies" not in question.sent or "Access-Control-Allow-Credentials" in told
    )


def routed(app: Flask, path: str) -> bool:
    return app.url_map.bind("api.test").test(path) or bool(
        app.url_map.bind("api.test").allowed_methods(path)
    )


def listed(name: str, question: Question) -> bool:
    pages = EXPECTED[name].get("errors_open", {}).get(question.path, ())
    return question.page in pages or "*" in pages


def excused(name: str, target: str, run: Run, difference: Difference) -> bool:
    """A method that no view accepts: its preflight is refused, or the 405 has another policy, that
    of a view; or what a note names."""
    question = difference.question
    if not question.accepted and difference.after.status is None:
        return True
    return any(
        target in note.get("apps", [target])
        and (question.path in note.get("narrows", ()) or question.page in note.get("pages", ()))
        and ("narrows" not in note or question.page in note.get("pages", [question.page]))
        and said(note, run)
        for note in EXPECTED[name].get("note", ())
    )


def said(note: dict[str, Any], run: Run) -> bool:
    lines = [line for line in run.output.splitlines() if line.startswith("note: ")]
    return any(re.search(note["says"], line) for line in lines)


@pytest.mark.parametrize("name", [name for name in NAMES if "note" in EXPECTED[name]])
def test_notes(name: str) -> None:
    """What is worth knowing is said."""
    run = migrated(name).written
    assert [note for note in EXPECTED[name]["note"] if not said(note, run)] == [], run.output


def test_grid_notices() -> None:
    """What is compared tells an app from one that is a little wider, or narrower."""
    from flask_cors import CORS

    def app(**options: object) -> Flask:
        made = Flask("made")
        made.add_url_rule("/a", "a", lambda: ("", 200, {"X-Total": "1"}), methods=["GET", "PUT"])
        CORS(made, **{"origins": [APP], "methods": ["GET"], "allow_headers": "X-Custom", **options})
        return made

    for wider in (
        {"origins": "*"},
        {"origins": [APP, "http://localhost:5173"]},
        {"origins": re.compile(r"https://app\.example\.com")},
        {"origins": [APP, "null"]},
        {"methods": ["GET", "PUT"]},
        {"allow_headers": ["X-Custom", "Authorization"]},
        {"allow_headers": ["X-Custom", "Content-Type"]},
        {"expose_headers": "X-Total"},
        {"supports_credentials": True},
    ):
        found = differences(app(), app(**wider))
        assert found, wider
        assert all(difference.wider for difference in found), wider
        narrower = [change._replace(before=change.after, after=change.before) for change in found]
        assert not any(difference.wider for difference in narrower), wider
    assert differences(app(), app()) == []
    question = Question("/a", "GET", True, APP, "nothing")
    assert ask(app(), question) == Verdict(
        True, 200, (("content-length", "0"), ("content-type", "text/html; charset=utf-8"))
    )


class TestCommandLine:
    """What no code base shows."""

    def test_as_a_program(self, tmp_path: Path) -> None:
        """In a process of its own; and the result is imported in another, warnings as errors."""
        shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path)

        def python(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-W", "error", *arguments],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )

        result = python("-m", "flask_corsguard.migrate", "app.py", "--write")
        assert (result.returncode, result.stderr) == (0, "")
        assert "+from flask_corsguard import CorsGuard" in result.stdout
        result = python("-c", "import app, sys; print('flask_cors' in sys.modules, app.app.name)")
        assert (result.returncode, result.stderr, result.stdout) == (0, "", "False app\n")

    def test_one_file(self, tmp_path: Path) -> None:
        """The others are not touched."""
        for name in ("one", "two"):
            shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path / f"{name}.py")
        before = tree(tmp_path)
        assert migrate(tmp_path, "one.py", "--write").status == 0
        after = tree(tmp_path)
        assert after["two.py"] == before["two.py"]
        assert after["one.py"] != before["one.py"]

    @pytest.mark.parametrize("part", ["app.py", "views.py"])
    def test_part_of_an_app(self, tmp_path: Path, part: str) -> None:
        """A guard would replace what the decorators in another file send, so it takes both."""
        (tmp_path / "app.py").write_text(
            "from flask import Flask\nfrom flask_cors import CORS\n\napp = Flask('parts')\n"
            f"CORS(app, origins=['{APP}'])\n\nimport views  # noqa: E402, F401\n"
        )
        (tmp_path / "views.py").write_text(
            "from flask_cors import cross_origin\n\nfrom app import app\n\n\n@app.get('/')\n"
            "@cross_origin(origins=['https://admin.example.com'])\ndef root():\n    return 'root'\n"
        )
        before = load(tmp_path, "app:app", {})
        run = migrate(tmp_path, part, "--write")
        found = differences(before, load(tmp_path, "app:app", {}))
        assert not [difference for difference in found if difference.wider]
        assert not found or run.findings
        run = migrate(tmp_path, ".", "--write")
        after = load(tmp_path, "app:app", {})
        assert not [change for change in differences(before, after) if change.question.accepted]
        assert (run.status, run.findings) == (0, [])

    def test_no_such_path(self, tmp_path: Path) -> None:
        run = migrate(tmp_path, "nothing")
        assert run.status == 2
        assert "nothing" in run.output + run.errors

    def test_no_arguments(self, tmp_path: Path) -> None:
        run = migrate(tmp_path)
        assert run.status == 2
        assert "PATH" in run.errors.upper()

    def test_unknown_option(self, tmp_path: Path) -> None:
        run = migrate(tmp_path, ".", "--force")
        assert run.status == 2
        assert "--force" in run.errors

    def test_empty_directory(self, tmp_path: Path) -> None:
        run = migrate(tmp_path, ".")
        assert (run.status, run.findings, run.changed) == (0, [], [])

    def test_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        """It is named, and left as it is."""
        path = tmp_path / "app.py"
        path.write_text("from flask_cors import CORS\nprint 'no'\n")
        before = tree(tmp_path)
        run = migrate(tmp_path, "app.py", "--write")
        assert run.status == 1
        assert [str(finding.path) for finding in run.findings] == ["app.py"]
        assert tree(tmp_path) == before

    def test_odd_files(self, tmp_path: Path) -> None:
        """One that cannot be read is named, or left out, and the app is migrated all the same."""
        named = b"from flask_cors import CORS\n"
        (tmp_path / "app.py").write_bytes((CODEBASES / "todo_one_file" / "app.py").read_bytes())
        (tmp_path / "nul.py").write_bytes(named + b"\x00\n")
        (tmp_path / "coding.py").write_bytes(b"# -*- coding: nonsense -*-\n" + named)
        (tmp_path / "latin.py").write_bytes(named + b"name = '\xff'\n")
        (tmp_path / "long.py").write_bytes(named + b"x = " + b"+".join([b"1"] * 3000) + b"\n")
        (tmp_path / "deep.py").write_bytes(named + b"x = " + b"(" * 150 + b"1" + b")" * 150 + b"\n")
        (tmp_path / "empty.py").touch()
        (tmp_path / "directory.py").mkdir()
        (tmp_path / "gone.py").symlink_to("nowhere.py")
        (tmp_path / "loop").symlink_to(".")
        os.mkfifo(tmp_path / "pipe.py")
        run = migrate(tmp_path, ".", "--write")
        assert run.status == 1
        unreadable = {"nul.py", "coding.py", "latin.py"}
        assert unreadable <= {str(finding.path) for finding in run.findings}
        assert {finding.code for finding in run.findings} == {"unreadable_file"}
        assert "CorsGuard(app" in (tmp_path / "app.py").read_text()

    def test_many_other_files(self, tmp_path: Path) -> None:
        """Files that have nothing to do with Flask take no time."""
        shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path)
        for number in range(20):
            shutil.copy(argparse.__file__, tmp_path / f"module{number}.py")
        began = time.process_time()
        assert migrate(tmp_path, ".").summary.startswith("1 place")
        assert time.process_time() - began < 3

    @pytest.mark.parametrize(
        "folder",
        [
            ".venv/lib/site-packages/other",
            "node_modules/x",
            ".git/x",
            "venv/lib/python3.12/site-packages/y",
        ],
    )
    def test_code_of_others(self, tmp_path: Path, folder: str) -> None:
        """Installed packages are not the project's to change."""
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder.partition("/")[0] / "pyvenv.cfg").write_text("home = /usr/bin\n")
        shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path / folder)
        shutil.copy(CODEBASES / "credentials_any" / "app.py", tmp_path / folder / "b.py")
        before = tree(tmp_path)
        run = migrate(tmp_path, ".", "--write")
        assert (run.status, run.findings) == (0, [])
        assert tree(tmp_path) == before

    def test_links_out_of_the_directory(self, tmp_path: Path) -> None:
        """What a link leads to lies elsewhere, and is not rewritten."""
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "project").mkdir()
        shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path / "elsewhere")
        (tmp_path / "project" / "linked").symlink_to(tmp_path / "elsewhere")
        before = tree(tmp_path / "elsewhere")
        migrate(tmp_path, "project", "--write")
        assert tree(tmp_path / "elsewhere") == before

    def test_mode_of_the_file(self, tmp_path: Path) -> None:
        """A program stays one."""
        path = Path(shutil.copy(CODEBASES / "todo_one_file" / "app.py", tmp_path))
        path.chmod(0o755)
        assert migrate(tmp_path, ".", "--write").status == 0
        assert path.stat().st_mode & 0o777 == 0o755

    def test_control_characters_in_source(self, tmp_path: Path) -> None:
        """What a terminal would act on is not written to it in a finding."""
        path = tmp_path / "app.py"
        path.write_text(
            "from flask import Flask\nfrom flask_cors import CORS\napp = Flask('a')\n"
            "CORS(app, orgins='\\x1b]0;title\\x07', origins='https://\x9b31m.example.com/')\n",
            encoding="utf-8",
        )
        run = migrate(tmp_path, ".")
        assert run.status == 1
        said = "".join(finding.text for finding in run.findings)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said)
