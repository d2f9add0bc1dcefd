"""Origins in a file."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, CorsGuardError, PolicyError
from flask_corsguard.sources import FileOrigins
from flask_corsguard.sources.source import BadRow

A, B = "https://a.example", "https://b.example"


UNFINISHED = (
    "it is the last line and has no line end, so it may be half-written and does not count: end it"
    " with a newline"
)


def unfinished(text: str) -> BadRow:
    return BadRow(text, UNFINISHED)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file as it may be, long ago."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o644)
    os.utime(path, (time.time() - 60,) * 2)
    return path


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("origins.txt", f"{A}\n{B}\n", [A, B]),
        ("origins.txt", f"# all of them\n\n  {A} \t# ours\r\n\t\n{B}\r\n#{A}\n", [A, B]),
        ("origins.txt", f"\ufeff{A}\n", [A]),
        ("origins.txt", f"{A}\nhttps://b.exam", [A, unfinished("https://b.exam")]),
        ("origins.txt", f"{A} # ours", [unfinished(A)]),
        ("origins.txt", f"{A}\n  \t", [A]),
        ("origins.txt", f"{A}\n# all of th", [A]),
        ("origins.txt", "", []),
        ("origins.txt", f"{A}#x\n", [f"{A}#x"]),
        (
            "origins.txt",
            f"{A}\n".encode() + b"https://\xff.example\n",
            [A, r"https://\xff.example"],
        ),
        ("origins.txt", f'["{A}", "{B}"]', [A, B]),
        ("origins.txt", f'\n  ["{A}"]\n', [A]),
        ("origins.json", f'["{A}", 3, ["{B}"], null]', [A, 3, [B], None]),
        ("origins.json", "[]", []),
        ("origins.toml", f'origins = [\n  "{A}", # ours\n  "{B}",\n]\n', [A, B]),
    ],
)
def test_rows(tmp_path: Path, name: str, content: str | bytes, rows: list[Any]) -> None:
    source = FileOrigins(write(tmp_path / name, content))
    assert source.load() == (source.version(), rows)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("origins.txt", f"shop {A}\nblog\t {B} # theirs\n", [("shop", A), ("blog", B)]),
        ("origins.txt", f"{A}\n", [A]),  # which the guard leaves out
        ("origins.txt", f"shop {A}", [unfinished(f"shop {A}")]),
        ("origins.json", f'[["shop", "{A}"], ["blog"]]', [["shop", A], ["blog"]]),
        ("origins.json", f'{{"shop": ["{A}", "{B}"], "blog": []}}', [("shop", A), ("shop", B)]),
        ("origins.json", f'{{"shop": "{A}"}}', [("shop", A)]),
        ("origins.toml", f'[origins]\nshop = ["{A}"]\n"b.example" = ["{B}"]\n',
         [("shop", A), ("b.example", B)]),
        ("origins.toml", f'origins = [["shop", "{A}"]]\n', [["shop", A]]),
    ],
)  # fmt: skip
def test_rows_of_tenants(tmp_path: Path, name: str, content: str, rows: list[Any]) -> None:
    source = FileOrigins(write(tmp_path / name, content), by=lambda request: request.host)
    assert source.load()[1] == rows


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("origins.json", "", "Expecting value"),
        ("origins.json", f'["{A}",', "Expecting value"),
        ("origins.json", f'["{A}",]', "Illegal trailing comma|Expecting value"),
        ("origins.json", "{}", "it has {}, but must have a list of origins"),
        ("origins.json", '{"a": 1, "a": 2}', "a name is listed twice: ['a', 'a']"),
        ("origins.json", "[" * 100_000, "recursion"),
        ("origins.toml", "", "it has the keys [], but may have only origins"),
        (
            "origins.toml",
            "origin = []",
            "it has the keys ['origin'], but may have only origins",
        ),
        ("origins.toml", "origins = []\nmore = 1", "may have only origins"),
        ("origins.toml", "origins = 3", "it has 3, but must have a list of origins"),
        ("origins.toml", "origins = [", "Invalid value"),
        ("origins.toml", "a." * 100_000 + "a = 1", "a key has too many parts"),
        ("origins.toml", b"origins = ['\xff']", "can't decode"),
    ],
)
def test_content_that_cannot_be_used(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(CorsGuardError) as caught:
        FileOrigins(path).load()
    assert str(caught.value).startswith("it cannot be read: ")
    assert any(part in str(caught.value) for part in words.split("|"))


def test_it_is_looked_at_again(tmp_path: Path) -> None:
    path = write(tmp_path / "origins.txt", f"{A}\n")
    source = FileOrigins(path)
    version, rows = source.load()
    assert (source.version(), rows) == (version, [A])
    write(path, f"{B}\n")
    assert source.version() != version
    assert source.load() == (source.version(), [B])
    write(path, f"{A}\n")
    assert source.version() == version
    # Emptied is not the same as unread.
    write(path, "")
    assert source.version() != version
    assert source.load()[1] == []


def test_half_of_a_change_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "origins.txt", f"{A}\n{B}\n")
    source = FileOrigins(path)
    version, _ = source.load()
    # With a time ahead of this machine's clock, as on a network's file system: what counts then is
    # for how long it has been the same.
    for content, ahead in ((f"{A}\n", 50), (f"{A}\nhttps://c.example\n", 60)):
        path.write_text(content)
        os.utime(path, (time.time() + ahead,) * 2)
        assert (source.version(), source.load()[1]) == (version, [A, B])
    end = time.monotonic() + 5
    while source.version() == version:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert source.load()[1] == [A, "https://c.example"]


def test_a_file_that_goes_away(tmp_path: Path) -> None:
    path = write(tmp_path / "origins.txt", f"{A}\n")
    source = FileOrigins(path)
    version, _ = source.load()
    path.unlink()
    for call in (source.version, source.load):
        with pytest.raises(CorsGuardError, match="there is no such file"):
            call()
    write(path, f"{A}\n")
    assert source.version() == version


def test_a_file_that_others_can_write(tmp_path: Path) -> None:
    path = write(tmp_path / "origins.txt", f"{A}\n")
    path.chmod(0o666)
    for call in (FileOrigins(path).version, FileOrigins(path).load):
        with pytest.raises(CorsGuardError, match="can be changed by its group or by everybody"):
            call()


def test_what_the_log_says_of_a_file_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("shop")
    path = tmp_path / "origins.txt"
    source = FileOrigins(path, refresh=0.001)
    guard = CorsGuard(app, origins=source)
    missing = "there is no such file. Create it, or correct the path"
    said = guard.explain("/", origin=A, app=app).explain()
    assert f": FileOrigins {path} has not been read: {missing}.\n" in said
    assert caplog.messages == [
        f"FileOrigins {path} has not been read: {missing}. Until it is read, its origins are"
        " rejected."
    ]
    write(path, f"{A}\n")
    other = CorsGuard(app := Flask("other"), origins=source)
    time.sleep(0.01)
    assert other.explain("/", origin=A, app=app).outcome.name == "ALLOWED"
    path.unlink()
    time.sleep(0.01)
    assert other.explain("/", origin=A, app=app).outcome.name == "ALLOWED"
    assert caplog.messages[1:] == [
        f"FileOrigins {path} was last read 0 s ago: {missing}. The rows read then count for 300 s"
        " more."
    ]


def test_a_link_to_another_file(tmp_path: Path) -> None:
    """As a mounted ConfigMap changes."""
    for name, origin in (("1", A), ("2", B)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "origins.txt", f"{origin}\n")
    link = tmp_path / "data"
    link.symlink_to("1")
    source = FileOrigins(link / "origins.txt")
    version, rows = source.load()
    assert rows == [A]
    (tmp_path / "new").symlink_to("2")
    (tmp_path / "new").rename(link)
    assert source.version() != version
    assert source.load()[1] == [B]


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "origins.txt", f"{A}\n")
    monkeypatch.chdir(tmp_path)
    source = FileOrigins("origins.txt")
    monkeypatch.chdir("/")
    assert source.load()[1] == [A]
    assert source.name == f"FileOrigins {tmp_path}/origins.txt"
    assert repr(source) == f"FileOrigins('{tmp_path}/origins.txt', refresh=1.0)"


@pytest.mark.parametrize("path", ["", None, 3, ["a"]])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(PolicyError, match="is not a path"):
        FileOrigins(path)


@pytest.mark.parametrize("tenant", ["", "localhost"])
def test_a_last_line_that_is_not_finished(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tenant: str
) -> None:
    """It admits nobody, and everything that speaks of the source says why."""
    path = write(tmp_path / "origins.txt", f"{tenant} {A}\n{tenant} {B}")
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "")
    by = (lambda request: request.host) if tenant else None
    vary = {"origins_vary": ["Host"]} if tenant else {}
    source = FileOrigins(path, by=by, refresh=0.001)
    guard = CorsGuard(app, origins=source, **vary)
    decision = guard.explain("/", origin=B, app=app)
    assert decision.outcome.name == "REJECTED"
    said = decision.explain()
    end = ")" if tenant else ""
    assert f" s old{end}, and its row is left out: {UNFINISHED}.\n" in said
    assert f"To allow it: correct its row in FileOrigins {path}, or list it in origins" in said
    row = f"{tenant} {B}".strip()
    (status,) = guard.status(app)["sources"]
    assert (status["rows"], status["bad_rows"]) == (1, 1)
    assert status["problems"] == [f"'{row}': {UNFINISHED}"]
    assert guard.explain("/", origin=B, app=app).outcome.name == "REJECTED"
    line = f"FileOrigins {path}: the row '{row}' was left out: {UNFINISHED}."
    assert caplog.messages.count(line) == 1
    for other in ("https://b.example:8443", "https://xb.example", "https://b.example.org"):
        assert "left out" not in guard.explain("/", origin=other, app=app).explain()
    write(path, f"{tenant} {A}\n{tenant} {B}\n")
    time.sleep(0.01)
    assert guard.explain("/", origin=B, app=app).outcome.name == "ALLOWED"
