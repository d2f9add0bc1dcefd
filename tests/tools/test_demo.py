"""The demo without a browser."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"

# Plays a changed list, the way that --once plays the real one.
PLAY_CHANGED = f"""
import sys
sys.path.insert(0, {str(DEMO)!r})
from cases import CASES
from play import play
changed = [case._replace(CHANGE) if case.id == "default" else case for case in CASES]
sys.exit(min(play(changed), 1))
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def once() -> subprocess.CompletedProcess[str]:
    return run(DEMO, "--once")


def test_once_succeeds(once: subprocess.CompletedProcess[str]) -> None:
    assert once.stderr == ""
    assert once.returncode == 0
    assert once.stdout.endswith("\n34 of 34 lines are as expected.\n")


def test_once_prints_both_tables(once: subprocess.CompletedProcess[str]) -> None:
    tables = re.split(r"^The page on (http://localhost:\d+), .*\n", once.stdout, flags=re.M)
    assert len(tables) == 5
    allowed, stranger = (lines_of(table) for table in tables[2::2])
    assert len(allowed) == len(stranger) == 17
    assert {line[0] for line in allowed + stranger} == {"ok"}
    assert allowed[0] == ["ok", "GET /orders", '200 {"orders":3}']
    assert ["ok", "PUT /articles/1", '200 {"saved":1}'] in allowed
    assert ["ok", "DELETE /articles/1", "nothing", "ORIGIN_NOT_ALLOWED"] in allowed
    assert ["ok", "GET /orders + X-Debug", "nothing", "HEADERS_NOT_ALLOWED"] in allowed
    assert ["ok", "PATCH /orders", "nothing", "METHOD_NOT_ALLOWED"] in allowed
    assert [line[1] for line in stranger if line[2] != "nothing"] == [
        "GET /status",
        "GET /articles/1",
    ]


def lines_of(table: str) -> list[list[str]]:
    lines = [re.split(r" {2,}", line.strip()) for line in table.splitlines()]
    return [line for line in lines if line[0] in ("ok", "NOT OK")]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("stranger=case.allowed", ["NOT OK", "GET /orders", "nothing", "ORIGIN_NOT_ALLOWED"]),
        ("allowed=case.stranger", ["NOT OK", "GET /orders", '200 {"orders":3}']),
        (
            'stranger=case.stranger._replace(reason="ORIGIN_DENIED")',
            ["NOT OK", "GET /orders", "nothing", "ORIGIN_NOT_ALLOWED"],
        ),
        (
            "allowed=case.allowed._replace(status=201)",
            ["NOT OK", "GET /orders", '200 {"orders":3}'],
        ),
        (
            'allowed=case.allowed._replace(reads="other")',
            ["NOT OK", "GET /orders", '200 {"orders":3}'],
        ),
    ],
)
def test_once_fails_when_a_line_is_not_as_expected(change: str, line: list[str]) -> None:
    done = run("-c", PLAY_CHANGED.replace("CHANGE", change))
    assert done.stderr == ""
    assert done.returncode == 1
    assert [found for found in lines_of(done.stdout) if found[0] != "ok"] == [line]
    assert done.stdout.endswith("\n33 of 34 lines are as expected.\n")


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", DEMO],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_ends_everything(
    demo: subprocess.Popen[str], ending: signal.Signals, code: int
) -> None:
    assert demo.stdout is not None
    urls: list[str] = []
    for line in demo.stdout:
        urls += re.findall(r"http://localhost:\d+/", line)
        if line.startswith("Ctrl-C"):
            break
    assert len(set(urls)) == 3
    for url in urls[1:]:
        with urlopen(url, timeout=10) as response:
            assert response.status == 200
            assert b"<title>" in response.read()
    demo.send_signal(ending)
    out, errors = demo.communicate(timeout=20)
    assert demo.returncode == code
    assert errors == ""
    assert out.endswith("The demo has ended.\n")
    for url in urls:
        with pytest.raises(OSError, match="refused"):
            urlopen(url, timeout=10)
