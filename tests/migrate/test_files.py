"""Which files are read, what is said of the others, and that no write loses anything."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flask_corsguard.migrate import files as module
from flask_corsguard.migrate.files import Tree, WriteError, read_tree, write_files
from flask_corsguard.migrate.findings import File

WORDS = (b"CORS_", b"before_request")
USE = b"from flask_cors import CORS\n"
ODD = os.fsdecode(b"caf\xe9.py")


def write(path: Path, data: bytes | str = USE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(path: Path) -> Tree:
    return read_tree(path, WORDS)


def names(tree: Tree, top: Path) -> list[str]:
    return [str(source.path.relative_to(top)) for source in tree.sources]


def problems(tree: Tree) -> list[str]:
    return [f"{f.path.name}:{f.line} {f.code} {f.message}" for f in tree.findings]


class TestWhatIsRead:
    def test_what_is_wanted_and_what_uses_flask_cors(self, tmp_path: Path) -> None:
        write(tmp_path / "b.py")
        write(tmp_path / "a" / "deep" / "c.py", "@app.before_request\n")
        write(tmp_path / "other.py", "import flask_corsguard\n")
        write(tmp_path / "text.txt")
        write(tmp_path / ODD)
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["b.py", ODD, "a/deep/c.py"]
        assert (tree.findings, tree.notes) == ((), ())
        assert tree == read(tmp_path)

    @pytest.mark.parametrize(
        "folder",
        [".git", ".venv/lib", "node_modules/x", "__pycache__", "__pypackages__/3.12/lib",
         "venv/lib/python3.12/site-packages/x", "env/Lib/site-packages", "x/dist-packages"],
    )  # fmt: skip
    def test_folders_that_are_left_out(self, folder: str, tmp_path: Path) -> None:
        write(tmp_path / folder / "app.py")
        assert read(tmp_path) == Tree((), (), ())
        assert len(read(tmp_path / folder).sources) == 1, "it is read if it is asked for"

    @pytest.mark.parametrize("folder", ["env", "venv", "virtualenv/bin", "site", "lib/python3.12"])
    def test_folders_that_only_look_like_it(self, folder: str, tmp_path: Path) -> None:
        write(tmp_path / folder / "app.py")
        assert names(read(tmp_path), tmp_path) == [f"{folder}/app.py"]

    @pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
    def test_an_app_in_a_virtual_environment(self, mark: str, tmp_path: Path) -> None:
        """Others are left out in silence; the folder itself can be given."""
        for folder in ("tools", "backend"):
            write(tmp_path / folder / mark, "")
            write(tmp_path / folder / "lib" / "python3.12" / "site-packages" / "flask_cors.py")
            write(tmp_path / folder / "bin" / "activate_this.py", "pass\n")
        write(tmp_path / "app.py")
        app = write(tmp_path / "backend" / "src" / "app.py")
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["app.py"]
        (finding,) = tree.findings
        assert (finding.path, finding.code) == (tmp_path / "backend", "left_out")
        assert f"though {app} uses Flask-CORS" in finding.message
        assert "run this on" in finding.choices[0]
        assert names(read(tmp_path / "backend"), tmp_path / "backend") == ["src/app.py"]

    @pytest.mark.slow
    def test_a_thousand_folders_in_each_other(self, tmp_path: Path) -> None:
        """Much of Python, such as shutil.rmtree, calls itself for each."""
        folder = tmp_path
        try:
            for _ in range(1010):
                folder /= "a"
                folder.mkdir()
            write(folder / "a.py")
            assert len(read(tmp_path).sources) == 1
        finally:
            subprocess.run(["rm", "-r", tmp_path / "a"], check=True)

    def test_one_file(self, tmp_path: Path) -> None:
        write(tmp_path / "app.py")
        write(tmp_path / "other.py")
        write(tmp_path / "requirements.txt", "flask-cors\n")
        tree = read(tmp_path / "app.py")
        assert names(tree, tmp_path) == ["app.py"]
        assert len(tree.notes) == 1

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "no such file or directory"),
            (os.mkfifo, "neither a file nor a directory"),
            (lambda path: path.symlink_to(path), "no such file or directory"),
            (lambda path: path.symlink_to("nowhere"), "no such file or directory"),
        ],
        ids=["nothing", "a pipe", "a loop", "a broken link"],
    )
    def test_nothing_to_read(
        self, make: Callable[[Path], Any], message: str, tmp_path: Path
    ) -> None:
        make(tmp_path / "x")
        with pytest.raises(OSError, match=message):
            read(tmp_path / "x")

    def test_a_folder_that_cannot_be_listed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The one that is given cannot be left out."""
        write(tmp_path / "app.py")
        write(tmp_path / "locked" / "b.py")
        _failing(monkeypatch, "scandir", "locked", PermissionError(13, "Permission denied"))
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["app.py"]
        assert tree.notes == (f"{tmp_path}/locked cannot be read: Permission denied.",)
        with pytest.raises(PermissionError):
            read(tmp_path / "locked")

    @pytest.mark.slow
    def test_time_and_memory(self, tmp_path: Path) -> None:
        """5,000 files with 40 MB take about a second, and are not all in memory."""
        text = b"import os  # about 8 kB of Python\n" * 240
        for number in range(5000):
            folder = tmp_path / f"folder{number % 100}"
            folder.mkdir(exist_ok=True)
            (folder / f"module{number}.py").write_bytes(text)
        write(tmp_path / "app.py")
        tracemalloc.start()
        began = time.process_time()
        tree = read(tmp_path)
        spent = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert names(tree, tmp_path) == ["app.py"]
        assert spent < 5
        assert peak < 10e6


def _failing(monkeypatch: pytest.MonkeyPatch, function: str, end: str, error: OSError) -> None:
    """Have a function of ``os`` raise for paths with this end, as it does for whom is not root."""
    original = getattr(os, function)

    def fail(path: Any, *args: Any, **kwargs: Any) -> Any:
        if os.fsdecode(path).endswith(end):
            raise error
        return original(path, *args, **kwargs)

    monkeypatch.setattr(os, function, fail)


class TestWhatCannotBeRead:
    # What is in a file -> what is said of it, if it uses Flask-CORS.
    PROBLEMS: ClassVar = {
        b"\0": "NUL bytes",
        b"# coding: nonsense\n": "unknown encoding",
        b"x = '\xff'\n": "invalid or missing encoding",
        b"\xef\xbb\xbf# coding: latin-1\n": "encoding problem",
        b"# coding: utf-7\nx = '+AGE-'\n": "written back in utf-7, it would not have the same"
        " bytes",
        b"# coding: hex\n": "encod",
        b"# coding: undefined\n": "",
        b"# coding: utf-16\n": "",
        b"\n" * 2**20: "larger than 1 MB",
    }

    @pytest.mark.parametrize("data", PROBLEMS, ids=lambda data: data[:20].decode("latin-1"))
    def test_it_is_a_finding_if_it_uses_flask_cors(self, data: bytes, tmp_path: Path) -> None:
        write(tmp_path / "bad.py", data + b"\n\n" + USE)
        write(tmp_path / "no.py", data + b"\n\nbefore_request\n")
        write(tmp_path / "good.py")
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["good.py"]
        (finding,) = tree.findings
        assert (finding.path, finding.code) == (tmp_path / "bad.py", "unreadable_file")
        assert finding.line == (1 if len(data) > 99 else data.count(b"\n") + 3)
        assert self.PROBLEMS[data] in finding.message

    def test_utf_16(self, tmp_path: Path) -> None:
        write(tmp_path / "a.py", USE.decode().encode("utf-16"))
        (problem,) = problems(read(tmp_path))
        assert problem.startswith("a.py:1 unreadable_file the file cannot be read: it has NUL")

    @pytest.mark.parametrize("place", [0, 1, 25, 49])
    def test_50_megabytes(self, place: int, tmp_path: Path) -> None:
        """Not in memory, wherever the name is; also where two parts of the file meet."""
        with open(tmp_path / "big.py", "wb") as file:
            file.truncate(50 * 2**20)
            file.seek(place * 2**20 - 5 if place else 0)
            file.write(USE)
        tracemalloc.start()
        (problem,) = problems(read(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
        tracemalloc.stop()
        assert "larger than 1 MB" in problem

    @pytest.mark.parametrize("text", ["# coding: latin-1\nx = '\xff'\r\n", "\ufeffx = 1\r"])
    def test_encodings_and_line_ends_are_kept(self, text: str, tmp_path: Path) -> None:
        encoding = "utf-8" if text.startswith("\ufeff") else "latin-1"
        data = text.encode(encoding) + USE
        write(tmp_path / "a.py", data)
        (source,) = read(tmp_path).sources
        assert source.data == data == source.text.encode(source.encoding)
        assert source.text == text.lstrip("\ufeff") + USE.decode()

    @pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
    def test_what_is_not_a_file(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x.py"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            monkeypatch.chdir(tmp_path)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("x.py")
        elif kind == "device":
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
            except PermissionError:
                pytest.skip("only root makes devices")
        else:
            path.mkdir()
        write(tmp_path / "app.py")
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["app.py"]
        said = [] if kind == "folder" else [f"{path} is not a regular file, and is skipped."]
        assert [*tree.notes] == said

    @pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "EIO")])
    def test_a_file_that_cannot_be_opened(
        self, error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It cannot be known whether it uses Flask-CORS."""
        write(tmp_path / "app.py")
        write(tmp_path / "locked.py")
        write(tmp_path / "secret.env")
        for end in ("locked.py", "secret.env"):
            _failing(monkeypatch, "open", end, error)
        tree = read(tmp_path)
        assert names(tree, tmp_path) == ["app.py"]
        assert problems(tree) == [
            f"locked.py:1 unreadable_file the file cannot be read: {error.strerror}"
        ]
        assert tree.notes == (f"{tmp_path}/secret.env cannot be read: {error.strerror}.",)

    def test_a_pipe_that_takes_the_place_of_a_file(self, tmp_path: Path) -> None:
        """Opening one waits for whom writes to it."""
        os.mkfifo(tmp_path / "x.py")
        assert module._read(tmp_path / "x.py") == (b"", False)


class TestLinks:
    def test_out_of_the_path(self, tmp_path: Path) -> None:
        """Not followed, and said where it matters."""
        shared = write(tmp_path / "shared" / "views.py")
        write(tmp_path / "unrelated" / "a.py", "pass\n")
        top = tmp_path / "top"
        write(top / "app.py")
        (top / "file.py").symlink_to(shared)
        (top / "folder").symlink_to(tmp_path / "shared")
        (top / "text").symlink_to(shared)
        (top / "unrelated").symlink_to(tmp_path / "unrelated")
        (top / "broken.py").symlink_to("nowhere")
        (top / "self.py").symlink_to("self.py")
        tree = read(top)
        assert names(tree, top) == ["app.py"]
        assert [finding.path.name for finding in tree.findings] == ["file.py", "folder"]
        assert {finding.code for finding in tree.findings} == {"left_out"}
        assert f"a link to {tmp_path}/shared, which is not followed" in tree.findings[1].message

    @pytest.mark.parametrize(
        ("link", "target"),
        [
            ("a.py", "app.py"), ("a", "."), ("a", "sub"), ("sub/a", ".."),
            ("sub/a.py", "../app.py"), ("up", "../.."), ("a", "/"), ("sub/a", "/proc/self/root"),
        ],
    )  # fmt: skip
    def test_loops_and_what_is_read_anyway(self, link: str, target: str, tmp_path: Path) -> None:
        """Once, in its own place. What is above the path has it in itself, too."""
        top = tmp_path / "above" / "top"
        write(top / "app.py")
        write(top / "sub" / "b.py")
        (top / link).symlink_to(target)
        tree = read(top)
        assert names(tree, top) == ["app.py", "sub/b.py"]
        if target not in ("/", "/proc/self/root"):
            assert (tree.findings, tree.notes) == ((), ())

    def test_to_a_file_with_another_name(self, tmp_path: Path) -> None:
        """Which is not read in its own place."""
        (tmp_path / "app.py").symlink_to(write(tmp_path / "serve"))
        assert [f.path.name for f in read(tmp_path).findings] == ["app.py"]

    def test_into_what_is_left_out(self, tmp_path: Path) -> None:
        hidden = write(tmp_path / ".hidden" / "app.py")
        (tmp_path / "app.py").symlink_to(hidden)
        (tmp_path / "folder").symlink_to(hidden.parent)
        assert [f.path.name for f in read(tmp_path).findings] == ["app.py", "folder"]

    def test_the_path_itself(self, tmp_path: Path) -> None:
        write(tmp_path / "real" / "app.py")
        (tmp_path / "real" / "again.py").symlink_to("app.py")
        (tmp_path / "folder").symlink_to("real")
        (tmp_path / "file.py").symlink_to("real/app.py")
        assert names(read(tmp_path / "folder"), tmp_path) == ["folder/app.py"]
        assert names(read(tmp_path / "file.py"), tmp_path) == ["file.py"]
        assert not read(tmp_path / "folder").findings

    def test_to_more_than_can_be_looked_at(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MOST_ENTRIES", 10)
        for number in range(12):
            write(tmp_path / "elsewhere" / f"{number:02}.py", "pass\n")
        write(tmp_path / "elsewhere" / "z.py")
        write(tmp_path / "top" / "app.py")
        (tmp_path / "top" / "link").symlink_to(tmp_path / "elsewhere")
        tree = read(tmp_path / "top")
        assert tree.findings == ()
        assert "only partly read" in tree.notes[0]


class TestOtherFiles:
    # A file -> which line is noted, and what is said of it.
    NOTED: ClassVar = {
        ("requirements.txt", "flask\nFlask-Cors==3.0\n"): "2 names flask-cors",
        ("requirements-dev.in", "flask_cors\n"): "1 names flask-cors",
        ("requirements/base.txt", "a\n\nflask.cors[x]>1\n"): "3 names flask-cors",
        ("sub/pyproject.toml", "[p]\ndependencies = ['flask>=3', 'flask-cors']\n"): "2 names",
        ("pyproject.toml", "[tool.poetry.dependencies]\nflask-cors = '^4'\n"): "2 names",
        ("setup.cfg", "install_requires =\n    flask-cors\n"): "2 names",
        ("setup.py", "setup(install_requires=['Flask-Cors'])\n"): "1 names",
        ("Pipfile", "flask-cors = '*'\n"): "1 names",
        ("environment.yml", "- pip:\n  - flask-cors\n"): "2 names",
        (".env", "A=1\nCORS_ORIGINS=*\n"): "2: CORS_ORIGINS: flask_corsguard.compat reads it",
        (".flaskenv.env", "FLASK_CORS_MAX_AGE=1\n"): "otherwise write FLASK_CORSGUARD_MAX_AGE.",
        (".env.production", "export CORS_RESOURCES=x\n"): "write CORSGUARD_PATHS.",
        ("config.toml", "CORS_SUPPORTS_CREDENTIALS = true\n"): "write CORSGUARD_ALLOW_CREDENTIALS.",
        ("docker-compose.yaml", "x:\n  - CORS_SEND_WILDCARD=1\n"): "2: CORS_SEND_WILDCARD: remove",
        ("config.json", '{"CORS_AUTOMATIC_OPTIONS": 1}'): "write CORSGUARD_ANSWER_PREFLIGHT.",
        ("app.ini", "CORS_METHODS=GET\n"): "write CORSGUARD_METHODS.",
        ("Dockerfile", "FROM x\nENV CORS_ALLOW_HEADERS=X\n"): "2: CORS_ALLOW_HEADERS",
        ("demo.ipynb", '{"source": "from flask_cors import CORS"}'): "1 uses Flask-CORS, and is",
        ("app.wsgi", "\nimport flask_cors"): "2 uses Flask-CORS, and is not rewritten. Write `from",
        ("app.py.j2", "import flask_cors"): "1 uses Flask-CORS",
    }  # fmt: skip

    @pytest.mark.parametrize(("file", "text"), NOTED, ids=lambda value: value[:20])
    def test_what_is_noted(self, file: str, text: str, tmp_path: Path) -> None:
        write(tmp_path / file, text)
        tree = read(tmp_path)
        assert (tree.sources, tree.findings) == ((), ())
        (note,) = tree.notes
        assert note.startswith(f"{tmp_path}/{file}")
        assert self.NOTED[file, text] in note

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("requirements.txt", "# flask-cors\nflask-corsguard\nflask-cors-x\nmy-flask-cors\n"),
            ("pyproject.toml", "[[tool.mypy.overrides]]\nmodule = 'flask_cors.*'\n"),
            ("setup.cfg", "[mypy-flask_cors.*]\n"),
            (".env", "MY_CORS_ORIGINS=1\nCORS_ORIGINS_X=1\nCORSGUARD_ORIGINS=1\ncors_origins=1\n"),
            ("notes.txt", "flask-cors CORS_ORIGINS\n"),
            ("demo.ipynb", '{"source": "import flask_corsguard"}'),
            ("node_modules/x/.env", "CORS_ORIGINS=1\n"),
        ],
    )  # fmt: skip
    def test_what_is_not(self, file: str, text: str, tmp_path: Path) -> None:
        write(tmp_path / file, text)
        assert read(tmp_path) == Tree((), (), ())

    def test_dependencies_come_last_and_say_whether_code_needs_them(self, tmp_path: Path) -> None:
        write(tmp_path / "requirements.txt", "flask-cors\n")
        write(tmp_path / "z.env", "CORS_ORIGINS=1\nCORS_ORIGINS=2\n")
        (_, note) = read(tmp_path).notes
        assert "no Python file here uses it" in note
        write(tmp_path / "app.py")
        (_, note) = read(tmp_path).notes
        assert note.endswith("requirements.txt:1 names flask-cors: when nothing needs it any more,"
                             " write flask-corsguard.")  # fmt: skip

    def test_every_key_of_flask_cors_has_an_answer(self) -> None:
        from flask_cors.core import CONFIG_OPTIONS

        assert {f"CORS_{key}" for key in module._KEYS} == {*CONFIG_OPTIONS} - {"CORS_HEADERS"}


def change(path: Path, after: bytes = b"new\n") -> File:
    return File(path, path.read_bytes(), after, "utf-8")


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


class TestWriting:
    def test_all_that_a_file_has_is_kept(self, tmp_path: Path) -> None:
        path = write(tmp_path / ODD)
        path.chmod(0o4751)
        if os.geteuid() == 0:
            os.chown(path, 1234, 1234)
            path.chmod(0o4751)
        attributes: dict[str, bytes] = {"user.note": b"x"}
        with suppress(OSError):
            os.setxattr(path, "user.note", b"x")
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        os.utime(path, (1, 1))
        before = path.stat()
        assert write_files([change(path)]) == ()
        after = path.stat()
        assert path.read_bytes() == b"new\n"
        for name in ("st_mode", "st_uid", "st_gid"):
            assert getattr(after, name) == getattr(before, name)
        assert after.st_mtime > 1e9, "Python reads it again"
        assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == attributes
        assert [*tmp_path.iterdir()] == [path]

    def test_names_that_are_as_long_as_can_be(self, tmp_path: Path) -> None:
        path = write(tmp_path / f"{'a' * 252}.py")
        write_files([change(path)])
        assert path.read_bytes() == b"new\n"

    def test_the_target_of_a_link_is_written(self, tmp_path: Path) -> None:
        path = write(tmp_path / "real" / "app.py")
        link = tmp_path / "app.py"
        link.symlink_to(path)
        write_files([change(link)])
        assert link.is_symlink()
        assert path.read_bytes() == b"new\n"

    def test_hard_links_elsewhere_keep_what_they_have(self, tmp_path: Path) -> None:
        path = write(tmp_path / "app.py")
        backup = tmp_path / "backup"
        os.link(path, backup)
        assert write_files([change(path)]) == (
            f"{path} has other names too (hard links). Under those names it is unchanged.",
        )
        assert (path.read_bytes(), backup.read_bytes()) == (b"new\n", USE)

    def test_two_names_of_one_file(self, tmp_path: Path) -> None:
        one, two = write(tmp_path / "one.py"), tmp_path / "two.py"
        os.link(one, two)
        write_files([change(one), change(two)])
        assert one.read_bytes() == two.read_bytes() == b"new\n"

    @pytest.mark.parametrize("how", ["changed", "gone", "a folder"])
    def test_a_file_that_is_not_as_it_was_read(self, how: str, tmp_path: Path) -> None:
        one, two = (change(write(tmp_path / name)) for name in ("one.py", "two.py"))
        if how == "changed":
            write(two.path, b"edited\n")
        else:
            two.path.unlink()
            if how == "a folder":
                two.path.mkdir()
        before = listing(tmp_path)
        with pytest.raises(WriteError, match=r"^nothing was written. .*two.py: "):
            write_files([one, two])
        assert listing(tmp_path) == before

    @pytest.mark.parametrize("function", ["fsync", "replace"])
    @pytest.mark.parametrize("number", [0, 2])
    def test_whatever_fails(
        self, function: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is written, or it is said what."""
        changes = [change(write(tmp_path / f"{n}.py")) for n in range(4)]
        calls: list[int] = []
        original = getattr(os, function)

        def fail(*args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) == number + 1:
                raise OSError(28, "No space left on device")
            return original(*args, **kwargs)

        monkeypatch.setattr(os, function, fail)
        with pytest.raises(WriteError) as caught:
            write_files(changes)
        message, written = str(caught.value), number if function == "replace" else 0
        found = [file.path.read_bytes() == file.after for file in changes]
        assert found == [True] * written + [False] * (4 - written)
        assert sorted(tmp_path.iterdir()) == [file.path for file in changes]
        assert f"{number}.py: No space left on device" in message
        if written:
            assert f"Written: {tmp_path}/0.py, {tmp_path}/1.py. Not written: {tmp_path}/2.py" in (
                message
            )
            assert "undo what was written" in message
        else:
            assert message.startswith("nothing was written.")

    def test_a_mode_that_cannot_be_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "app.py")
        path.chmod(0o644)
        monkeypatch.setattr(os, "chmod", lambda *_, **__: None)
        with pytest.raises(WriteError, match="mode cannot be kept"):
            write_files([change(path)])
        assert listing(tmp_path) == {"app.py": USE}

    def test_a_file_of_somebody_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whom the folder belongs to may replace it, and has it then."""
        if os.geteuid():
            pytest.skip("only root has files of others")
        path = write(tmp_path / "app.py")
        os.chown(path, 1234, 1234)
        _failing(monkeypatch, "chown", ".tmp", PermissionError(1, "Operation not permitted"))
        (note,) = write_files([change(path)])
        assert "a new owner" in note

    def test_a_disk_that_is_full(self, tmp_path: Path) -> None:
        """A real one, of 64 kB."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("only root mounts a file system")
        try:
            changes = [change(write(disk / f"{n}.py"), USE + b"#" * 20_000) for n in range(3)]
            with pytest.raises(WriteError, match=r"^nothing was written. .*No space left"):
                write_files(changes)
            assert listing(disk) == {f"{n}.py": USE for n in range(3)}
            write_files(changes[:1])
            assert changes[0].path.read_bytes() == changes[0].after
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_who_may_not_write(self, tmp_path: Path) -> None:
        """In a folder, or a file, that is read-only. For root, everything is writable."""
        program = (
            "import os, signal, sys, pathlib\n"
            # A process in the background may have been started without.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from flask_corsguard.migrate.files import write_files\n"
            "from flask_corsguard.migrate.findings import File\n"
            "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "paths = [pathlib.Path(each) for each in sys.argv[1:]]\n"
            "try: write_files([File(p, p.read_bytes(), b'new', 'utf-8') for p in paths])\n"
            "except OSError as error: print(error)\n"
        )
        with tempfile.TemporaryDirectory() as name:  # that of pytest is for its user alone
            folder = Path(name)
            folder.chmod(0o777)
            free, locked = folder / "free", folder / "locked"
            for each in (free / "a.py", free / "b.py", locked / "c.py"):
                write(each)
                each.chmod(0o666)
            free.chmod(0o777)
            (free / "b.py").chmod(0o444)
            locked.chmod(0o555)
            for path, message in {
                free / "b.py": "it is write-protected",
                locked / "c.py": "Permission denied",
            }.items():
                before = listing(folder)
                ran = subprocess.run(
                    [sys.executable, "-c", program, free / "a.py", path],
                    capture_output=True, text=True,
                )  # fmt: skip
                assert (ran.stdout, ran.stderr) == (
                    f"nothing was written. {path}: {message}\n", "",
                )  # fmt: skip
                assert listing(folder) == before
            locked.chmod(0o755)


class TestBeingStopped:
    @pytest.fixture
    def changes(self, tmp_path: Path) -> list[File]:
        return [change(write(tmp_path / f"{n}.py")) for n in range(3)]

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    @pytest.mark.parametrize("during", ["fsync", "replace"])
    def test_signals(
        self, name: str, during: str, changes: list[File], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the first file is replaced, none is; after that, all are. The signal follows."""
        received: list[int] = []
        number = signal.Signals[name]
        old = signal.signal(number, lambda number, _: received.append(number))
        original = getattr(os, during)

        def interrupted(*args: Any) -> Any:
            if not calls:
                signal.raise_signal(number)
                assert not received
            calls.append(1)
            return original(*args)

        calls: list[int] = []
        monkeypatch.setattr(os, during, interrupted)
        try:
            if during == "fsync":
                with pytest.raises(WriteError, match=f"nothing was written. .*stopped by {name}"):
                    write_files(changes)
            else:
                write_files(changes)
            assert received == [number]
            assert signal.getsignal(number) is not old
        finally:
            signal.signal(number, old)
        folder = changes[0].path.parent
        assert sorted(folder.iterdir()) == [file.path for file in changes]
        wanted = USE if during == "fsync" else b"new\n"
        assert {file.path.read_bytes() for file in changes} == {wanted}

    def test_ignored_signals_stay_ignored(
        self, changes: list[File], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As under nohup."""
        original = os.fsync

        def interrupted(handle: int) -> None:
            signal.raise_signal(signal.SIGHUP)
            original(handle)

        monkeypatch.setattr(os, "fsync", interrupted)
        old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            write_files(changes)
        finally:
            signal.signal(signal.SIGHUP, old)
        assert changes[2].path.read_bytes() == b"new\n"

    def test_in_a_thread(self, changes: list[File]) -> None:
        """Where Python sets no handlers."""
        thread = threading.Thread(target=write_files, args=(changes,))
        thread.start()
        thread.join()
        assert changes[0].path.read_bytes() == b"new\n"

    @pytest.mark.parametrize(
        ("number", "place"),
        [(signal.SIGKILL, "replace"), (signal.SIGKILL, "fsync"), (signal.SIGTERM, "fsync"),
         (signal.SIGINT, "fsync")],
    )  # fmt: skip
    def test_a_process_that_is_killed(
        self, number: signal.Signals, place: str, changes: list[File]
    ) -> None:
        """Whenever it is, each file is whole; and a second run is not in the way of the first."""
        program = (
            "import os, signal, sys, pathlib\n"
            # A process in the background may have been started without.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from flask_corsguard.migrate.files import write_files\n"
            "from flask_corsguard.migrate.findings import File\n"
            f"def stop(*args): os.kill(os.getpid(), {number:d}); original(*args)\n"
            f"original, os.{place} = os.{place}, stop\n"
            "paths = [pathlib.Path(each) for each in sys.argv[1:]]\n"
            "write_files([File(p, p.read_bytes(), b'new\\n', 'utf-8') for p in paths])\n"
        )
        paths = [file.path for file in changes]
        ran = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True)
        assert ran.returncode in (-number, 130)
        assert [path.read_bytes() for path in paths] == [USE] * 3
        if number != signal.SIGKILL:
            assert sorted(paths[0].parent.iterdir()) == paths
        write_files(changes)
        assert [path.read_bytes() for path in paths] == [b"new\n"] * 3

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path) -> None:
        """It stands for a full disk, as anybody can set it."""
        changes = [change(write(tmp_path / f"{n}.py"), b"#" * (n * 80_000)) for n in range(2)]
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limit[1]))
        try:
            with pytest.raises(WriteError, match=r"^nothing was written. .*1.py: File too large"):
                write_files(changes)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert listing(tmp_path) == {"0.py": USE, "1.py": USE}


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> Iterator[None]:
    """All handles are closed: pytest would not say which test left one open."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before
