"""The two commands: what they print, what they exit with, and what they need."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask

from flask_corsguard.migrate import File, Migration
from tests.cli.command_line import Ran, environment, flask, run
from tests.migrate.command_line import migrate, tree

SHOP = """\
from flask import Flask
from flask_cors import CORS
app = Flask(__name__)
CORS(app, origins=["https://app.example.com"])

@app.route("/users", methods=["GET", "POST"])
def users():
    return {}
"""
NOTHING_MORE = "no difference."
UNWRITTEN = "Nothing has been written: add --write."


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def python(
    folder: Path, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "flask_corsguard.migrate", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(variables), capture_output=True)


class TestWithoutTheApp:
    """``python -m flask_corsguard.migrate``."""

    def test_what_was_written_is_said(self, shop: Path) -> None:
        (shop / "sub").mkdir()
        (shop / "sub" / "again.py").write_text(SHOP)
        ran = migrate(shop, ".")
        assert ran.summary == f"2 places migrated in 2 files, 0 findings. {UNWRITTEN}"
        assert "Written:" not in ran.output
        ran = migrate(shop, ".", "--write")
        assert (ran.status, ran.errors) == (0, "")
        *_, one, two, _, summary = ran.output.splitlines()
        assert {one, two} == {"Written: shop.py", "Written: sub/again.py"}
        assert summary == "2 places migrated in 2 files, 0 findings."
        after = tree(shop)
        ran = migrate(shop, ".", "--write")
        assert (ran.status, ran.output) == (0, "Nothing uses Flask-CORS here.\n")
        assert tree(shop) == after

    def test_what_else_names_flask_cors(self, tmp_path: Path) -> None:
        """It is not said that nothing uses Flask-CORS."""
        (tmp_path / "requirements.txt").write_text("flask-cors\n")
        ran = migrate(tmp_path, ".")
        assert ran.status == 0
        assert ran.output.startswith("note: requirements.txt:1 names flask-cors: no Python file")
        assert ran.summary == "No Python file that was read uses Flask-CORS, but see the notes."

    def test_what_is_left_out(self, shop: Path) -> None:
        """It is a finding, beside what is migrated."""
        (shop / "project").mkdir()
        (shop / "project" / "app.py").write_text(SHOP)
        (shop / "project" / "link.py").symlink_to(shop / "shop.py")
        before = (shop / "shop.py").read_bytes()
        ran = migrate(shop, "project", "--write")
        assert ran.status == 1
        assert len(ran.findings) == 1
        assert "\nproject/link.py:1: left_out: a link to " in ran.output
        assert (shop / "shop.py").read_bytes() == before
        assert "CorsGuard(" in (shop / "project" / "app.py").read_text()

    # What stands in a file that uses Flask-CORS, and cannot be parsed everywhere, or at all.
    @pytest.mark.parametrize(
        "code",
        ["print 'x'", "(" * 300 + ")" * 300, "[" * 10**5, "-" * 10**5 + "1", "x" + "()" * 10**4,
         "x = " + "+".join("1" * 10**4), "x = " + ".a" * 10**4, "lambda: " * 10**4 + "1",
         "if 1: pass\n" + "elif 2: pass\n" * 10**4, "f'{" * 500, "exec 'a' in b", "x = 1\0",
         "x = '\\d'", "assert (1, 2)", "0or 1", "x is 1"],
        ids=lambda code: code[:12].encode("unicode_escape").decode(),
    )  # fmt: skip
    def test_what_is_hard_to_parse(self, code: str, shop: Path) -> None:
        """The rest is migrated, and Python's own remarks about the code are not ours."""
        (shop / "bad.py").write_text(f"from flask_cors import CORS\n{code}\n")
        ran = python(shop, ".", "--write")
        assert ran.stderr == b""
        assert ran.returncode in (0, 1)
        assert (b"bad.py:" in ran.stdout) == (ran.returncode == 1)
        assert "CorsGuard(" in (shop / "shop.py").read_text()

    def test_nothing_can_be_written(self, shop: Path) -> None:
        (shop / "big.py").write_text(SHOP + "# keep me\n" * 20_000)
        before = tree(shop)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limit[1]))
        try:
            ran = migrate(shop, ".", "--write")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert (ran.status, ran.output) == (2, "")
        assert ran.errors == "nothing was written. big.py: File too large\n"
        assert tree(shop) == before

    @pytest.mark.parametrize(
        "variables",
        [
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"LC_ALL": "C"},
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONIOENCODING": "cp437"},
            {"PYTHONIOENCODING": "utf-8"},
        ],
        ids=str,
    )
    def test_every_encoding_of_the_output(self, variables: dict[str, str], tmp_path: Path) -> None:
        """Names that are not UTF-8, and text that the terminal has no characters for."""
        for name in (b"caf\xe9.py", b"\xe4\xb8\xad\x1b[2J.py"):
            path = os.path.join(os.fsencode(tmp_path), name)
            with open(path, "wb") as file:
                file.write(f"# {chr(0x4E2D)}\n{SHOP}".encode())
        ran = python(tmp_path, ".", "--write", **variables)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert ran.stdout.count(b"Written: ") == 2
        assert b"\x1b" not in ran.stdout
        with open(path, "rb") as file:
            assert b"CorsGuard(" in file.read()
        ran = python(tmp_path, os.fsdecode(b"n\xf6.py"), **variables)
        assert ran.returncode == 2
        assert ran.stderr.endswith(b"no such file or directory\n")

    def test_a_reader_that_has_read_enough(self, shop: Path) -> None:
        """What was to be written is."""
        command = [sys.executable, "-m", "flask_corsguard.migrate", ".", "--write"]
        reading, writing = os.pipe()
        os.close(reading)
        try:
            ran = subprocess.run(
                command, cwd=shop, env=environment({}), stdout=writing, stderr=subprocess.PIPE
            )
        finally:
            os.close(writing)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert "CorsGuard(" in (shop / "shop.py").read_text()


class TestWithTheApp:
    """``flask cors migrate``."""

    def test_from_the_first_look_to_the_second_run(self, shop: Path) -> None:
        ran = flask(shop, "--app", "shop", "cors", "migrate")
        assert (ran.code, ran.err) == (0, "")
        assert "-from flask_cors import CORS\n" in ran.out
        assert NOTHING_MORE in ran.out
        assert ran.out.endswith(f"1 place migrated in 1 file, 0 findings. {UNWRITTEN}\n")
        assert (shop / "shop.py").read_text() == SHOP
        ran = flask(shop, "--app", "shop", "cors", "migrate", "--write")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.endswith("Written: shop.py\n\n1 place migrated in 1 file, 0 findings.\n")
        after = tree(shop)
        ran = flask(shop, "--app", "shop", "cors", "migrate", "--write")
        assert ran == Ran(0, "Nothing uses Flask-CORS here.\n", "")
        assert {name: after[name] for name in tree(shop)} == after

    @pytest.mark.parametrize(
        ("named", "path", "reason"),
        [
            ("", ".", "no app is named. Write flask --app shop cors migrate"),
            ("nowhere", ".", "nowhere: "),
            ("broken", "shop.py", "ZeroDivisionError"),
            ("ends", "shop.py", "ends: its process ended while it was loaded"),
            ("uninstalled", "shop.py", "ModuleNotFoundError: import of flask_cors halted"),
        ],
    )
    def test_without_an_app_that_can_be_loaded(
        self, named: str, path: str, reason: str, shop: Path
    ) -> None:
        (shop / "broken.py").write_text("1 / 0\n")
        (shop / "ends.py").write_text("import os\nos._exit(0)\n")
        (shop / "uninstalled.py").write_text(
            "import sys\nsys.modules['flask_' + 'cors'] = None\nimport shop\n"
        )
        ran = flask(shop, *(["--app", named] if named else []), "cors", "migrate", path, "--write")
        assert ran.code == 0
        assert ran.err.startswith("Warning: the app cannot be loaded, so nothing is compared: ")
        assert ran.err.count("\n") == 1
        assert reason in ran.err
        assert "requests to each app" not in ran.out
        assert ran.out.endswith("1 place migrated in 1 file, 0 findings.\n")

    def test_an_app_that_nobody_names(self, tmp_path: Path) -> None:
        """Flask looks for it in app.py."""
        (tmp_path / "app.py").write_text(SHOP)
        ran = flask(tmp_path, "cors", "migrate")
        assert (ran.code, ran.err) == (0, "")
        assert NOTHING_MORE in ran.out

    def test_a_command_of_the_apps_own(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A FlaskGroup with a function that makes the app, which no other process can call."""
        monkeypatch.chdir(shop)
        ran = run("migrate", Flask("shop"))
        assert ran.code == 0
        assert "Warning: the app cannot be loaded, so nothing is compared: no app is" in ran.err

    @pytest.mark.parametrize("arguments", ["nowhere", "nowhere --write"])
    def test_no_such_path(self, arguments: str, shop: Path) -> None:
        ran = flask(shop, "--app", "shop", "cors", "migrate", *arguments.split())
        assert ran == Ran(2, "", "Error: nowhere: no such file or directory\n")

    def test_methods_that_change_data(self, shop: Path) -> None:
        code = SHOP.replace("import Flask", "import Flask, request")
        note = "    open('called', 'a').write(request.method + ' ')\n    return"
        (shop / "shop.py").write_text(code.replace("    return", note))
        called = shop / "called"
        for arguments, methods in (
            ([], {"GET", "HEAD"}),
            (["--all-methods"], {"GET", "HEAD", "POST"}),
        ):
            ran = flask(shop, "--app", "shop", "cors", "migrate", *arguments)
            assert (ran.code, ran.err) == (0, "")
            assert {*called.read_text().split()} <= methods
            assert ("POST" in called.read_text()) == ("POST" in methods)
            called.unlink()


def after(code: str) -> Any:
    """Stands for a codemod that makes the wrong thing of the shop."""

    def migrated(path: Path, recorded: Iterable[Any] = ()) -> Migration:
        file = (path / "shop.py") if path.is_dir() else path
        before = file.read_bytes()
        changed = before.replace(b"flask_cors", b"flask_corsguard").replace(b"CORS", b"CorsGuard")
        new = changed.replace(b'["https://app.example.com"]', code.encode())
        heard.extend(recorded)
        return Migration((File(file, before, new, "utf-8"),), (), (), 1)

    heard: list[Any] = []
    migrated.heard = heard  # type: ignore[attr-defined]
    return patch("flask_corsguard.cli.migrate.migrate_code", migrated)


class TestWhatTheComparisonFinds:
    @pytest.fixture(autouse=True)
    def _in_the_folder(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(shop)

    def test_nothing_wider_is_written(self, shop: Path) -> None:
        with after('"*"'):
            ran = run("migrate --write", "shop.py")
        assert ran.code == 1
        assert "shop.py:4: wider: " in ran.out
        assert "fetch(" in ran.out
        assert ran.out.endswith("2 findings. Nothing has been written: pages could do more.\n")
        assert "Written:" not in ran.out
        assert (shop / "shop.py").read_text() == SHOP

    def test_unless_a_person_says_so(self, shop: Path) -> None:
        with after('"*"'):
            ran = run("migrate --write --accept-wider", "shop.py")
        assert ran.code == 0
        assert "wider\n" in ran.out
        assert "shop.py:4: wider: " not in ran.out
        assert "Written: shop.py" in ran.out
        assert '"*"' in (shop / "shop.py").read_text()

    def test_narrower_is_told(self, shop: Path) -> None:
        with after("()"):
            ran = run("migrate --write", "shop.py")
        assert ran.code == 0
        assert "narrower\n" in ran.out
        assert "Written: shop.py" in ran.out

    def test_an_app_that_does_not_start_after_it(self, shop: Path) -> None:
        with after('"https://app.example.com/x"'):
            ran = run("migrate --write", "shop.py")
        assert ran.code == 1
        assert (
            "shop.py:4: refused: after the migration, the app does not start: shop.py: "
        ) in ran.out
        assert "has no path" in ran.out
        assert ran.out.endswith("Nothing has been written: the app would not start.\n")
        assert (shop / "shop.py").read_text() == SHOP

    def test_the_call_is_named_even_if_only_the_import_changes(self, shop: Path) -> None:
        code = SHOP.replace('["https', 'open("origins").read().split() or ["https')
        (shop / "shop.py").write_text(code)
        (shop / "origins").write_text("https://app.example.com/x")
        ran = run("migrate", "shop.py")
        assert (
            "shop.py:4: refused: after the migration, the app does not start: shop.py: " in ran.out
        )

    def test_what_the_codemod_is_told(self, shop: Path) -> None:
        with after('"*"') as replaced:
            run("migrate", "shop.py")
        (call,) = replaced.heard
        assert (call.path, call.line, call.kind) == (str(shop / "shop.py"), 4, "app")
        assert call.options["origins"] == ["https://app.example.com"]
