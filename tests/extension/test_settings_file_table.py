"""The settings file: what it may hold, and when a change of it is in force."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Policy,
    PolicyError,
    Problem,
    cors,
    settings_rejected,
)
from tests.cli.command_line import run
from tests.sources.memory_store import VersionedStore

A, B, C = "https://a.example", "https://b.example", "https://c.example"
STRANGER = "https://stranger.example"
# How long a change takes at most, and a little more.
LATER = 2.1


class Followed:
    """An app that follows a file."""

    def __init__(self, folder: Path, name: str = "cors.toml", content: str = "") -> None:
        self.path = folder / name
        self.app = Flask("shop", static_folder=None)
        self.app.config["CORSGUARD_LOG_REJECTIONS"] = False
        self.rejected: list[tuple[str, tuple[Problem, ...]]] = []
        if content:
            self.write(content)

    def write(self, content: str | bytes) -> None:
        data = content.encode("utf-8") if isinstance(content, str) else content
        self.path.write_bytes(data)
        self.path.chmod(0o644)

    def start(self, *arguments: Any, file: Path | None = None, **fields: Any) -> Followed:
        self.app.config["CORSGUARD_SETTINGS_FILE"] = str(file or self.path)
        for path in ("/", "/api/x", "/other"):
            self.app.add_url_rule(path, path, lambda: "ok", methods=["GET", "PUT"])
        self.guard = CorsGuard(self.app, *arguments, **fields)
        settings_rejected.connect(self._hear, self.app)
        self.guard.prepare()
        return self

    def _hear(self, sender: Flask, file: str, problems: tuple[Problem, ...]) -> None:
        self.rejected.append((file, problems))

    def readers(self, path: str = "/", asked: str = "abc") -> str:
        """Those of three origins that may read, by their letters."""
        client = self.app.test_client()
        found = ""
        for name in asked:
            origin = f"https://{name}.example"
            response = client.get(path, headers={"Origin": origin})
            assert response.status_code == 200
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed in (None, "*", origin)
            found += name if allowed else ""
        return found

    def preflight(self, origin: str, path: str = "/") -> dict[str, str]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        response = self.app.test_client().options(path, headers=headers)
        return {n: v for n, v in response.headers if n.startswith("Access-Control-")}

    def settings(self) -> Any:
        return self.guard.status(self.app)["settings"]


def toml(*origins: str, **more: Any) -> str:
    """A file for these origins."""
    fields = {"origins": list(origins), **more}
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


# --- What a file may hold ---

HOLDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "fields": ("cors.toml", toml(A, max_age=5), {"/": "a", "/api/x": "a"}),
    "a string": ("cors.toml", f'origins = "{A}, {B}"\n', {"/": "ab"}),
    "everybody": ("cors.toml", 'origins = "*"\n', {"/": "abc"}),
    "a path": (
        "cors.toml",
        f'{toml(A)}[paths."/api"]\norigins = ["{B}"]\n',
        {"/": "a", "/api/x": "b", "/other": "a"},
    ),
    "a named policy": (
        "cors.toml",
        f'policy = "own"\n[policies.own]\norigins = ["{C}"]\nmax_age = 7\n',
        {"/": "c", "/api/x": "c"},
    ),
    "several policies": (
        "cors.toml",
        f'policy = ["own", "other"]\n[policies.own]\norigins = "{C}"\nallow_credentials = true\n'
        f'[policies.other]\norigins = ["{A}"]\n',
        {"/": "ac"},
    ),
    "paths by name": (
        "cors.toml",
        f'{toml(A)}[policies.own]\norigins = "{B}"\n[paths]\n"/api" = "own"\n',
        {"/": "a", "/api/x": "b"},
    ),
    "report-only": ("cors.toml", f'{toml(A, B)}[report_only]\norigins = ["{A}"]\n', {"/": "ab"}),
    "JSON": (
        "cors.json",
        json.dumps({"origins": [A], "max_age": 5, "paths": {"/api": {"origins": [B]}}}),
        {"/": "a", "/api/x": "b"},
    ),
    "JSON policies": (
        "cors.json",
        json.dumps({"policy": "own", "policies": {"own": {"origins": [A, B]}}}),
        {"/": "ab"},
    ),
    "comments": ("cors.toml", f'# ours\norigins = [\n  "{A}", # the shop\n]\n', {"/": "a"}),
    "Windows lines": ("cors.toml", toml(A, max_age=5).replace("\n", "\r\n"), {"/": "a"}),
}


@pytest.mark.parametrize(("name", "content", "readers"), HOLDS.values(), ids=HOLDS)
def test_what_a_file_may_hold(tmp_path, name, content, readers):
    followed = Followed(tmp_path, name, content).start()
    assert {path: followed.readers(path) for path in readers} == readers
    assert followed.settings()["file"] == str(followed.path)
    assert followed.settings()["when_read"]
    assert not followed.settings()["last_mistake"]
    json.dumps(followed.guard.status(followed.app))


def test_every_field_as_in_the_configuration(tmp_path):
    fields = {
        "deny_origins": [B],
        "methods": ["PUT"],
        "allow_headers": ["X-A"],
        "expose_headers": ["X-B"],
        "allow_credentials": True,
        "max_age": 77,
        "enforce": "unsafe",
        "raw_origins": ["file://"],
        "allow_private_network": True,
    }
    followed = Followed(tmp_path, content=toml(A, **fields)).start()
    (policy,) = {route.policy for route in followed.guard.routes()}
    assert policy == Policy(origins=[A], **fields)


def test_beside_the_constructor_and_the_configuration(tmp_path):
    """Other fields than those of the file, and marks."""
    followed = Followed(tmp_path, content=toml(A))
    followed.app.config["CORSGUARD_EXPOSE_HEADERS"] = "X-A"
    followed.app.add_url_rule("/marked", "marked", cors(origins=B)(lambda: "ok"))
    followed.start(max_age=5, policies={"named": {"origins": C}})
    assert (followed.readers(), followed.readers("/marked")) == ("a", "b")
    assert followed.guard.routes()[0].policy.max_age == 5
    assert followed.guard.routes()[0].policy.expose_headers == ("X-A",)


def test_without_a_file_nothing_is_followed():
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, origins=A)
    assert not guard.status(app)["settings"]["file"]


# --- What a file may not hold: at the start an error, later a mistake that changes nothing ---

PLAIN = f'origins = ["http://plain.example", "{B}"]\nallow_credentials = true\n'
#: Content, and parts of what is said of it.
MISTAKES: dict[str, tuple[str | bytes, list[str]]] = {
    "syntax": (f'origins = ["{B}"\n', []),
    "no TOML": ("<html>", []),
    "an unknown key": (f'{toml(B)}\norigin = "{B}"\n', ["origin"]),
    "a setting of its own": (f"{toml(B)}inspector = true\n", ["inspector"]),
    "self_origins": (f'{toml(B)}self_origins = ["{B}"]\n', ["self_origins"]),
    "log_rejections": (f"{toml(B)}log_rejections = false\n", ["log_rejections"]),
    "settings_file": (f'{toml(B)}settings_file = "/etc/passwd"\n', ["settings_file"]),
    "audit_accept": (f'{toml(B)}[audit_accept]\nx = "y"\n', ["audit_accept"]),
    "a configuration key": (f'{toml(B)}CORSGUARD_ORIGINS = "{B}"\n', ["CORSGUARD_ORIGINS"]),
    "an unknown table": (f"{toml(B)}[tool.cors]\nx = 1\n", ["tool"]),
    "an unknown field": (f'{toml(B)}[policies.own]\norigin = "{B}"\n', ["origin"]),
    "an unknown field of a path": (f'{toml(B)}[paths."/api"]\nage = 1\n', ["age"]),
    "an unknown policy": ('policy = "partners"\n', ["partners"]),
    "a bad origin": (toml("https://Bad.example", B), ["Bad.example"]),
    "a bad path": (f'{toml(B)}[paths."api"]\norigins = "{B}"\n', ["api"]),
    "credentials for everybody": (toml("*", allow_credentials=True), ["allow_credentials"]),
    "several": (
        'origins = ["https://Bad.example"]\nmax_age = -7\n[paths."/api"]\nmethods = "GE T"\n',
        ["Bad.example", "-7", "GE T"],
    ),
    "a danger": (PLAIN + "dangerously_allow_insecure_origins = true\n", ["dangerously_allow_ins"]),
    "a danger of a path": (
        f'{toml(B)}[paths."/api"]\norigins = "null"\ndangerously_allow_null_origin = true\n',
        ["dangerously_allow_null_origin"],
    ),
    "a danger of a policy": (
        f'policy = "own"\n[policies.own]\n{PLAIN}dangerously_allow_insecure_origins = true\n',
        ["dangerously_allow_insecure_origins"],
    ),
    "a danger of views": (
        f"{toml(B)}dangerously_let_views_override = true\n",
        ["dangerously_let_views_override"],
    ),
    "wrong types": ('origins = 5\nallow_credentials = "yes"\n', ["5", "yes"]),
    "a table for a list": (f'[origins]\nx = "{B}"\n', ["origins"]),
    "a list for a table": (f'{toml(B)}policies = ["own"]\n', ["policies"]),
    "a date": (f"{toml(B)}max_age = 1979-05-27\n", ["max_age"]),
    "not a number": (f"{toml(B)}max_age = nan\n", ["max_age"]),
    "endless": (f"{toml(B)}max_age = inf\n", ["max_age"]),
    "very much": (f"{toml(B)}max_age = {'9' * 4000}\n", ["max_age"]),
    "far too much": (f"{toml(B)}max_age = {'9' * 50_000}\n", []),
    "the same key twice": (f'{toml(B)}{toml(C)}', []),
    "no UTF-8": (b'origins = ["' + B.encode() + b'"]\n# \xff\n', []),
    "UTF-16": (toml(B).encode("utf-16"), []),
    "zero bytes": (b"\0" * 100, []),
    "deep": (f"origins = {'[' * 50_000}{']' * 50_000}\n", []),
    "deep tables": ("a." * 1000 + "b = 1\n", []),
    "large": (toml(B) + "#" * (1024 * 1024 + 1) + "\n", []),
}  # fmt: skip
JSON_MISTAKES: dict[str, tuple[str | bytes, list[str]]] = {
    "JSON syntax": (f'{{"origins": ["{B}"]', []),
    "a JSON list": (f'["{B}"]', []),
    "a JSON string": (f'"{B}"', []),
    "JSON null": ("null", []),
    "JSON not a number": (f'{{"origins": ["{B}"], "max_age": NaN}}', []),
    "JSON far too much": (f'{{"origins": ["{B}"], "max_age": {"9" * 50_000}}}', []),
    "JSON deep": (f'{{"origins": {"[" * 100_000}{"]" * 100_000}}}', []),
    "JSON unknown key": (json.dumps({"origins": [B], "origin": B}), ["origin"]),
    "JSON no UTF-8": (f'{{"origins": ["{B}"], "x": "'.encode() + b'\xff"}', []),
    "JSON half of a pair": (f'{{"origins": ["{B}\\ud800"]}}', []),
}
ALL_MISTAKES = {**MISTAKES, **JSON_MISTAKES}


def name_for(mistake: str) -> str:
    return "cors.json" if mistake in JSON_MISTAKES else "cors.toml"


AT_START = {
    # What is on at the start, counts.
    name: case
    for name, case in ALL_MISTAKES.items()
    if not name.startswith("a danger")
}


@pytest.mark.parametrize("mistake", AT_START)
def test_a_mistake_at_the_start(tmp_path, mistake):
    content, said = AT_START[mistake]
    followed = Followed(tmp_path, name_for(mistake))
    followed.write(content)
    with pytest.raises(CorsGuardError) as caught:
        followed.start()
    text = str(caught.value)
    assert all(part in text for part in said)
    assert len(text) < 5000
    assert not isinstance(caught.value, PolicyError) or caught.value.problems


def dangle(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def make_pipe(path: Path) -> None:
    os.mkfifo(path, 0o644)


def give_away(path: Path) -> None:
    path.write_text(toml(B))
    os.chown(path, 12345, -1)


def with_mode(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(toml(B))
        path.chmod(mode)

    return make


IS_ROOT = os.getuid() == 0
#: Makes what is no file to follow, at a path where nothing is.
NO_FILES: dict[str, Callable[[Path], None]] = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a dangling link": dangle,
    "a link to itself": lambda path: path.symlink_to(path),
    "a named pipe": make_pipe,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "writable for all": with_mode(0o666),
    "writable for the group": with_mode(0o664),
    "writable for others": with_mode(0o646),
    **({"of another user": give_away} if IS_ROOT else {}),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_no_file_at_the_start(tmp_path, make):
    followed = Followed(tmp_path)
    make(followed.path)
    with pytest.raises(CorsGuardError) as caught:
        followed.start()
    assert "settings_file" in str(caught.value).lower()
    assert "cors.toml" in str(caught.value)


FILES: dict[str, Callable[[Path], Any]] = {
    "for its owner": lambda path: path.chmod(0o600),
    "to be read": lambda path: path.chmod(0o444),
    "executable": lambda path: path.chmod(0o755),
    "in a folder of everybody": lambda path: path.parent.chmod(0o777),
    "as large as can be": lambda path: path.write_text(
        toml(A) + "#" * (1_000_000 - len(toml(A)) - 1) + "\n"
    ),
}


@pytest.mark.parametrize("change", FILES.values(), ids=FILES)
def test_files_that_can_be_followed(tmp_path, change):
    followed = Followed(tmp_path, content=toml(A))
    change(followed.path)
    assert followed.start().readers() == "a"


def test_links_are_followed(tmp_path):
    followed = Followed(tmp_path, content=toml(A))
    first, second = tmp_path / "first", tmp_path / "second"
    first.symlink_to(followed.path)
    second.symlink_to("first")
    assert followed.start(file=second).readers() == "a"


TWICE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "constructor": (toml(A), {"origins": B}, {}),
    "constructor, the same": (toml(A), {"origins": [A]}, {}),
    "configuration": (toml(A, max_age=5), {}, {"CORSGUARD_MAX_AGE": 7}),
    "configuration, origins": (toml(A), {}, {"CORSGUARD_ORIGINS": [B]}),
    "a policy": (
        f'{toml(A)}[policies.own]\norigins = "{A}"\n',
        {"policies": {"own": {"origins": B}}},
        {},
    ),
    "a policy of the configuration": (
        f'{toml(A)}[policies.own]\norigins = "{A}"\n',
        {},
        {"CORSGUARD_POLICIES": {"own": {"origins": B}}},
    ),
    "a path": (
        f'{toml(A)}[paths."/api"]\norigins = "{A}"\n',
        {},
        {"CORSGUARD_PATHS": {"/api": {"origins": B}}},
    ),
    "report-only": (
        f'{toml(A)}[report_only]\norigins = "{A}"\n',
        {"report_only": {"origins": B}},
        {},
    ),
    "the default": (
        f'policy = "own"\n[policies.own]\norigins = "{A}"\n',
        {},
        {"CORSGUARD_POLICY": "other", "CORSGUARD_POLICIES": {"other": {"origins": B}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "fields", "config"), TWICE.values(), ids=TWICE)
def test_what_is_set_twice(tmp_path, content, fields, config):
    """Nobody could tell which of the two counts, once the file changes."""
    followed = Followed(tmp_path, content=content)
    followed.app.config.update(config)
    with pytest.raises(PolicyError) as caught:
        followed.start(**fields)
    assert caught.value.problems
    assert "cors.toml" in str(caught.value)


@pytest.mark.parametrize("value", [5, "", ["a.toml"], b"a.toml", True])
def test_what_names_no_file(value):
    app = Flask("shop", static_folder=None)
    app.config["CORSGUARD_SETTINGS_FILE"] = value
    with pytest.raises(CorsGuardError, match="CORSGUARD_SETTINGS_FILE"):
        CorsGuard(app).prepare()


def test_a_key_that_is_set_too_late(tmp_path):
    followed = Followed(tmp_path, content=toml(A))
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app)
    app.config["CORSGUARD_SETTINGS_FILE"] = str(followed.path)
    with pytest.raises(PolicyError, match="CORSGUARD_SETTINGS_FILE"):
        guard.prepare(app)


# --- Changes. All cases wait together: each `yield` is two seconds in which no request comes ---

Case = Callable[[Path, list[str]], Iterator[None]]
CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


@case
def a_change_in_place(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A, max_age=5)).start()
    assert followed.readers() == "a"
    read, fingerprint = followed.settings()["when_read"], followed.guard.status()["fingerprint"]
    followed.write(toml(B, max_age=7, expose_headers=["X-A"]))
    yield
    assert followed.readers(asked="b") == "b"  # the very next request
    assert followed.readers() == "b"
    assert followed.preflight(B)["Access-Control-Max-Age"] == "7"
    assert followed.preflight(A) == {}
    assert followed.settings()["when_read"] != read
    assert followed.guard.status()["fingerprint"] != fingerprint
    assert not followed.settings()["last_mistake"]
    followed.write(toml(A, max_age=5))
    yield
    assert followed.readers() == "a"
    assert followed.guard.status()["fingerprint"] == fingerprint
    assert followed.rejected == []
    assert log == []


@case
def a_change_before_the_first_request(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    followed.write(toml(B))
    yield
    assert followed.readers() == "b"


@case
def a_preflight_is_a_request(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    assert followed.preflight(A)
    followed.write(toml(B))
    yield
    assert followed.preflight(B)
    followed.write(toml(A))
    yield
    followed.app.test_client().get("/none")
    assert followed.preflight(A)
    assert followed.preflight(B) == {}


@case
def a_revocation(folder: Path, log: list[str]) -> Iterator[None]:
    """The first request after it is turned away."""
    followed = Followed(folder, content=toml(A, B)).start()
    for _ in range(3):
        assert followed.readers() == "ab"
    followed.write(toml(B))
    yield
    assert followed.readers(asked="a") == ""


@case
def a_file_put_in_its_place(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    assert followed.readers() == "a"
    for origin, letter in ((B, "b"), (C, "c")):
        new = folder / "new"
        new.write_text(toml(origin))
        new.chmod(0o644)
        new.replace(followed.path)
        yield
        assert followed.readers() == letter


@case
def a_config_map(folder: Path, log: list[str]) -> Iterator[None]:
    """As Kubernetes mounts it: a link to a folder is swapped."""

    def version(name: str, *origins: str) -> None:
        (folder / name).mkdir()
        (folder / name / "cors.toml").write_text(toml(*origins))
        (folder / name / "cors.toml").chmod(0o644)
        (folder / "..data_tmp").symlink_to(name)
        (folder / "..data_tmp").replace(folder / "..data")

    folder.chmod(0o777)
    version("..2024_1", A)
    (folder / "cors.toml").symlink_to("..data/cors.toml")
    followed = Followed(folder).start()
    assert followed.readers() == "a"
    version("..2024_2", B)
    yield
    assert followed.readers() == "b"
    version("..2024_3", "https://Bad.example")
    yield
    assert followed.readers() == "b"
    version("..2024_4", C)
    yield
    assert followed.readers() == "c"


@case
def the_time_of_long_ago(folder: Path, log: list[str]) -> Iterator[None]:
    """As `rsync --times` and `tar` leave it."""
    followed = Followed(folder, content=toml(A)).start()
    assert followed.readers() == "a"
    followed.write(toml(B, max_age=5))
    os.utime(followed.path, (1_000_000_000, 1_000_000_000))
    yield
    assert followed.readers() == "b"
    followed.write(toml(C, max_age=5))  # of the same size
    os.utime(followed.path, (1_000_000_001, 1_000_000_001))
    yield
    assert followed.readers() == "c"


@case
def the_time_of_tomorrow(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    assert followed.readers() == "a"
    followed.write(toml(B))
    tomorrow = time.time() + 86400
    os.utime(followed.path, (tomorrow, tomorrow))
    yield
    followed.readers()  # by its time, it may be written just now
    yield
    assert followed.readers() == "b"


@case
def json_changes(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, "cors.json", json.dumps({"origins": [A]})).start()
    assert followed.readers() == "a"
    followed.write(json.dumps({"origins": [B], "paths": {"/api": {"origins": [C]}}}))
    yield
    assert (followed.readers(), followed.readers("/api/x")) == ("b", "c")


@case
def every_part_changes(folder: Path, log: list[str]) -> Iterator[None]:
    """Policies, paths, and what is not there any more."""
    followed = Followed(
        folder,
        content=f'{toml(A)}[policies.own]\norigins = "{B}"\n[paths."/api"]\norigins = ["{C}"]\n',
    )
    followed.app.add_url_rule("/own", "own", cors("own")(lambda: "ok"))
    followed.start()
    seen = [followed.readers(p) for p in ("/", "/own", "/api/x", "/other")]
    assert seen == ["a", "b", "c", "a"]
    followed.write(
        f'max_age = 5\n[policies.own]\norigins = "{C}"\n[paths."/other"]\norigins = "{A}"\n'
    )
    yield
    seen = [followed.readers(p) for p in ("/", "/own", "/api/x", "/other")]
    assert seen == ["", "c", "", "a"]


@case
def report_only_changes(folder: Path, log: list[str]) -> Iterator[None]:
    from flask_corsguard import origin_rejected

    followed = Followed(folder, content=f'{toml(A, B)}[report_only]\norigins = ["{A}"]\n').start()
    reported: list[str | None] = []

    def hear(sender: Flask, decision: Any) -> None:
        if decision.report_only:
            reported.append(decision.origin)

    with origin_rejected.connected_to(hear, followed.app):
        assert followed.readers(asked="ab") == "ab"
        assert reported == [B]
        followed.write(f'{toml(A, B)}[report_only]\norigins = ["{B}"]\n')
        yield
        reported.clear()
        assert followed.readers(asked="ab") == "ab"
        assert reported == [A]
        followed.write(toml(A, B))
        yield
        reported.clear()
        assert followed.readers(asked="ab") == "ab"
        assert reported == []


@case
def a_list_of_policies(folder: Path, log: list[str]) -> Iterator[None]:
    policies = f'[policies.one]\norigins = "{A}"\n[policies.two]\norigins = "{B}"\n'
    followed = Followed(folder, content=f'policy = "one"\n{policies}').start()
    assert followed.readers() == "a"
    followed.write(f'policy = ["one", "two"]\n{policies}')
    yield
    assert followed.readers() == "ab"


@case
def marks_and_other_settings_stay(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A))
    followed.app.add_url_rule("/marked", "marked", cors(max_age=1)(lambda: "ok"))
    followed.app.config["CORSGUARD_EXPOSE_HEADERS"] = "X-A"
    followed.start(allow_headers="X-B")
    followed.write(toml(B))
    yield
    assert followed.readers("/marked") == "b"
    policies = {r.endpoint: r.policy for r in followed.guard.routes() if r.policy}
    assert policies["/"].expose_headers == ("X-A",)
    assert policies["marked"] == Policy(
        origins=B, expose_headers="X-A", allow_headers="X-B", max_age=1
    )


@case
def reconfigure_stands_until_the_file_changes(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A, max_age=5)).start()
    assert followed.readers() == "a"
    followed.guard.reconfigure(origins=C)
    assert followed.readers() == "c"
    yield
    assert followed.readers() == "c"
    yield
    assert followed.readers() == "c"
    followed.write(toml(B, max_age=5))
    yield
    assert followed.readers() == "b"


@case
def nothing_changes(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    status = followed.guard.status()
    for _ in range(2):
        assert followed.readers() == "a"
        yield
    assert followed.guard.status()["fingerprint"] == status["fingerprint"]
    assert followed.rejected == []
    assert log == []


@case
def half_of_it_is_written(folder: Path, log: list[str]) -> Iterator[None]:
    """The first lines alone would be good settings. They are never in force."""
    followed = Followed(folder, content=toml(A)).start()
    whole = f'origins = "*"\n# {"x" * 500}\ndeny_origins = ["{B}"]\n'
    assert followed.readers() == "a"
    seen = set()

    def write() -> None:
        with open(followed.path, "w", encoding="utf-8") as file:
            file.write(whole[:14])
            file.flush()
            time.sleep(0.2)
            file.write(whole[14:300])
            file.flush()
            time.sleep(0.2)
            file.write(whole[300:])

    def watch() -> None:
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            seen.add(followed.readers())
            time.sleep(0.02)

    threads = [threading.Thread(target=t) for t in (write, watch)]
    for thread in threads:
        thread.start()
    yield
    yield
    for thread in threads:
        thread.join()
    assert seen <= {"a", "ac"}
    assert followed.readers() == "ac"
    assert followed.rejected == []


@case
def a_source_beside_the_file(folder: Path, log: list[str]) -> Iterator[None]:
    """The rows that were read stay, and so do the counts."""
    source = VersionedStore(A, refresh=60)
    live = {"origins": [source]}
    followed = Followed(folder, content='policy = "live"\nmax_age = 5\n')
    followed.start(policies={"live": live})
    assert followed.readers() == "a"
    followed.write(f'policy = ["live", "own"]\n[policies.own]\norigins = "{B}"\n')
    yield
    assert followed.readers() == "ab"
    assert sum(followed.guard.counts().values()) == 6
    followed.write('policy = "live"\nmax_age = 9\n')
    yield
    assert followed.readers() == "a"
    assert followed.preflight(A)["Access-Control-Max-Age"] == "9"
    assert source.asked == ["load"]


@case
def two_apps(folder: Path, log: list[str]) -> Iterator[None]:
    first = Followed(folder, content=toml(A)).start()
    second = Followed(folder)
    second.start(max_age=5)
    assert first.readers() == second.readers() == "a"
    first.write(toml(B))
    yield
    assert first.readers() == second.readers() == "b"


@case
def dangers_that_were_on_at_the_start(folder: Path, log: list[str]) -> Iterator[None]:
    danger = "dangerously_allow_insecure_origins = true\n"
    fields = 'allow_credentials = true\norigins = ["http://{}.example"]\n' + danger

    def reads(name: str) -> bool:
        origin = f"http://{name}.example"
        return followed.guard.explain("/", origin=origin).reason is None

    followed = Followed(folder, content=fields.format("x")).start()
    assert followed.readers(asked="abc") == ""
    assert reads("x")
    followed.write(fields.format("y"))
    yield
    followed.readers()
    assert (reads("x"), reads("y")) == (False, True)
    assert followed.rejected == []


@case
def a_danger_of_the_constructor(folder: Path, log: list[str]) -> Iterator[None]:
    """It was on at the start, too; another one was not."""
    followed = Followed(folder, content=toml(A, allow_credentials=True))
    followed.start(dangerously_allow_insecure_origins=True)
    followed.readers()
    followed.write(toml("http://x.example", B, allow_credentials=True))
    yield
    assert followed.readers() == "b"
    assert followed.guard.explain("/", origin="http://x.example").reason is None
    followed.write(toml("null", C) + "dangerously_allow_null_origin = true\n")
    yield
    assert followed.readers() == "b"
    assert len(followed.rejected) == 1


@case
def a_mark_that_does_not_fit_any_more(folder: Path, log: list[str]) -> Iterator[None]:
    """What a mark makes of the settings is validated, too."""
    own = f'[policies.own]\norigins = "{B}"\n'
    followed = Followed(folder, content=toml(A) + own)
    followed.app.add_url_rule("/own", "own", cors("own")(lambda: "ok"))
    followed.app.add_url_rule("/open", "open", cors(origins="*")(lambda: "ok"))
    followed.start()
    assert followed.readers("/own") == "b"
    followed.write(toml(C))  # where is "own"?
    yield
    assert (followed.readers(), followed.readers("/own")) == ("a", "b")
    assert len(followed.rejected) == 1
    followed.write(toml(C, allow_credentials=True) + own)  # and everybody at /open
    yield
    assert (followed.readers(), followed.readers("/open")) == ("a", "abc")
    assert len(followed.rejected) == 2
    followed.write(toml(C) + own)
    yield
    assert (followed.readers(), followed.readers("/own")) == ("c", "b")


@case
def the_constructors_setting_in_the_file(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start(max_age=5)
    followed.readers()
    followed.write(toml(B, max_age=7))
    yield
    assert followed.readers() == "a"
    assert len(followed.rejected) == 1
    assert followed.preflight(A)["Access-Control-Max-Age"] == "5"


@case
def a_receiver_that_fails(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()

    def fails(sender: Flask, file: str, problems: Any) -> None:
        raise RuntimeError("in a receiver")

    followed.readers()
    with settings_rejected.connected_to(fails, followed.app):
        followed.write(toml("https://Bad.example"))
        yield
        assert followed.readers() == "a"
    followed.write(toml(B))
    yield
    assert followed.readers() == "b"


@case
def many_threads(folder: Path, log: list[str]) -> Iterator[None]:
    followed = Followed(folder, content=toml(A)).start()
    followed.readers()
    followed.write(toml(B))
    yield
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(followed.readers())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {"a", "b", "ab", ""}
    assert followed.readers() == "b"


def no_file(make: Callable[[Path], None]) -> Case:
    """Nothing is taken from what is no file to follow."""

    def play(folder: Path, log: list[str]) -> Iterator[None]:
        followed = Followed(folder, content=toml(A)).start()
        assert followed.readers() == "a"
        followed.path.unlink()
        make(followed.path)
        yield
        assert followed.readers() == "a"
        yield
        begun = time.monotonic()
        assert followed.readers() == "a"
        assert time.monotonic() < begun + 1
        assert len(followed.rejected) == 1
        file, problems = followed.rejected[0]
        assert file == str(followed.path)
        assert all(isinstance(problem, Problem) for problem in problems)
        assert problems
        assert sum(str(followed.path) in line for line in log) == 1
        assert followed.settings()["last_mistake"]
        if followed.path.is_dir() and not followed.path.is_symlink():
            followed.path.rmdir()
        else:
            followed.path.unlink(missing_ok=True)
        followed.write(toml(C))
        yield
        assert followed.readers() == "c"
        assert len(followed.rejected) == 1

    return play


def mistake(name: str) -> Case:
    """The last good settings stay, whoever asks; the mistake is said once; the next file counts."""
    content, said = ALL_MISTAKES[name]

    def play(folder: Path, log: list[str]) -> Iterator[None]:
        good = toml if name in MISTAKES else lambda *origins: json.dumps({"origins": origins})
        followed = Followed(folder, name_for(name), good(A)).start()
        assert followed.readers() == "a"
        followed.write(content)
        yield
        assert followed.readers() == followed.readers("/api/x") == "a"
        assert followed.preflight(A)
        yield
        assert followed.readers() == "a"
        assert len(followed.rejected) == 1
        file, problems = followed.rejected[0]
        assert file == str(followed.path)
        assert isinstance(problems, tuple)
        assert problems
        assert all(isinstance(problem, Problem) for problem in problems)
        text = " ".join(map(str, problems))
        assert all(part in text for part in said)
        lines = [line for line in log if str(followed.path) in line]
        assert len(lines) == 1
        assert all(part in lines[0] for part in said)
        assert len(lines[0]) < 5000
        assert followed.settings()["last_mistake"]
        json.dumps(followed.guard.status())
        followed.write(good(C))
        yield
        assert followed.readers() == "c"
        assert len(followed.rejected) == 1

    return play


for _name, _make in NO_FILES.items():
    CASES[f"no file: {_name}"] = no_file(_make)
for _name in ALL_MISTAKES:
    CASES[f"mistake: {_name}"] = mistake(_name)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BaseException | None]:
    """What each case has raised."""
    results: dict[str, BaseException | None] = {}
    playing: dict[str, Iterator[None]] = {}
    logs: dict[str, list[str]] = {}

    class Sort(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            # The views of other tests in this process may have marks.
            if record.levelno >= logging.WARNING and "no route has the view" not in text:
                logs[current].append(text)

    handler = Sort()
    logger = logging.getLogger("flask_corsguard")
    logger.addHandler(handler)
    root = tmp_path_factory.mktemp("followed")
    for number, (name, make) in enumerate(CASES.items()):
        folder = root / str(number)
        folder.mkdir()
        logs[name] = []
        playing[name] = make(folder, logs[name])
    try:
        while playing:
            begun = time.monotonic()
            for current in list(playing):
                try:
                    next(playing[current])
                except BaseException as error:
                    results[current] = None if isinstance(error, StopIteration) else error
                    del playing[current]
            if playing:
                # Two seconds after the last one has written.
                assert time.monotonic() < begun + 60
                time.sleep(LATER)
    finally:
        logger.removeHandler(handler)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_changes(played, name):
    error = played[name]
    if error is not None:
        raise error


def test_no_file_was_written_by_the_guard(tmp_path):
    followed = Followed(tmp_path, content=toml(A)).start()
    before = stat.S_IMODE(followed.path.stat().st_mode), followed.path.read_text()
    followed.readers()
    assert os.listdir(tmp_path) == ["cors.toml"]
    assert (stat.S_IMODE(followed.path.stat().st_mode), followed.path.read_text()) == before


# --- flask cors validate ---


@pytest.mark.parametrize("name", [*HOLDS, *AT_START])
def test_validating(tmp_path, name):
    """Says beforehand what a start would say, with an exit code for CI."""
    good = name in HOLDS
    file_name, content = HOLDS[name][:2] if good else (name_for(name), AT_START[name][0])
    candidate = tmp_path / f"new-{file_name}"
    candidate.write_bytes(content if isinstance(content, bytes) else content.encode())
    app = Followed(tmp_path, content=toml(C)).start().app
    ran = run(["validate", str(candidate)], app)
    assert (ran.code == 0) == good, ran
    if not good:
        assert all(part in ran.out + ran.err for part in AT_START[name][1])


@pytest.mark.parametrize("kind", ["missing", "a folder", "a dangling link"])
def test_validating_what_is_no_file(tmp_path, kind):
    app = Followed(tmp_path, content=toml(C)).start().app
    NO_FILES[kind](tmp_path / "new.toml")
    assert run(["validate", str(tmp_path / "new.toml")], app).code != 0
