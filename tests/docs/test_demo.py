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
from cases import CASES, TRANSFERS
from play import play
CHANGE
sys.exit(min(play(CASES, TRANSFERS), 1))
"""
CHANGED_CASE = "CASES = [case._replace({}) if case.id == 'default' else case for case in CASES]"
CHANGED_TRANSFER = """
TRANSFERS = [
    form._replace(stranger=form.stranger._replace({1})) if form.account == {0!r} else form
    for form in TRANSFERS
]
"""


READ = ["GET /orders", '200 {"orders":3}']
UNREAD = ["GET /orders", "nothing", "ORIGIN_NOT_ALLOWED"]
EXECUTED = ["POST /transfer, unprotected", "90 -> 80, executed", "ORIGIN_NOT_ALLOWED"]
REFUSED = ["POST /transfer, protected", "90 -> 90, refused", "ORIGIN_NOT_ALLOWED"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def once() -> subprocess.CompletedProcess[str]:
    return run(DEMO, "--once")


def test_once_succeeds(once: subprocess.CompletedProcess[str]) -> None:
    assert (once.returncode, once.stderr) == (0, "")
    assert once.stdout.endswith("\n38 of 38 lines are as expected.\n")


def test_once_prints_both_tables(once: subprocess.CompletedProcess[str]) -> None:
    tables = re.split(r"^The page on (http://localhost:\d+), .*\n", once.stdout, flags=re.M)
    assert len(tables) == 5
    allowed, stranger = (lines_of(table) for table in tables[2::2])
    assert len(allowed) == len(stranger) == 19
    assert {line[0] for line in allowed + stranger} == {"ok"}
    assert allowed[0] == ["ok", *READ]
    assert ["ok", "PUT /articles/1", '200 {"saved":1}'] in allowed
    assert ["ok", "DELETE /articles/1", "nothing", "ORIGIN_NOT_ALLOWED"] in allowed
    assert ["ok", "GET /orders + X-Debug", "nothing", "HEADERS_NOT_ALLOWED"] in allowed
    assert ["ok", "PATCH /orders", "nothing", "METHOD_NOT_ALLOWED"] in allowed
    read = [line[1] for line in stranger[:17] if line[2] != "nothing"]
    assert read == ["GET /status", "GET /articles/1"]
    assert allowed[17:] == [
        ["ok", "POST /transfer, unprotected", "100 -> 90, executed"],
        ["ok", "POST /transfer, protected", "100 -> 90, executed"],
    ]
    assert stranger[17:] == [["ok", *EXECUTED], ["ok", *REFUSED]]


def lines_of(table: str) -> list[list[str]]:
    lines = [re.split(r" {2,}", line.strip()) for line in table.splitlines()]
    return [line for line in lines if line[0] in ("ok", "NOT OK")]


@pytest.mark.parametrize(
    ("template", "change", "line"),
    [
        (CHANGED_CASE, ["stranger=case.allowed"], UNREAD),
        (CHANGED_CASE, ["allowed=case.stranger"], READ),
        (CHANGED_CASE, ['stranger=case.stranger._replace(reason="ORIGIN_DENIED")'], UNREAD),
        (CHANGED_CASE, ["allowed=case.allowed._replace(status=201)"], READ),
        (CHANGED_CASE, ['allowed=case.allowed._replace(reads="other")'], READ),
        (CHANGED_TRANSFER, ["unprotected", "change=0, blocked=True"], EXECUTED),
        (CHANGED_TRANSFER, ["unprotected", "reason=None"], EXECUTED),
        (CHANGED_TRANSFER, ["protected", "change=-10"], REFUSED),
        (CHANGED_TRANSFER, ["protected", "blocked=False"], REFUSED),
        (CHANGED_TRANSFER, ["protected", "reason='CROSS_SITE_REQUEST'"], REFUSED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_once_fails_when_a_line_is_not_as_expected(
    template: str, change: list[str], line: list[str]
) -> None:
    """If something else is expected of a case or a form, its line says so, and the demo fails."""
    done = run("-c", PLAY_CHANGED.replace("CHANGE", template.format(*change)))
    assert (done.returncode, done.stderr) == (1, "")
    assert [found for found in lines_of(done.stdout) if found[0] != "ok"] == [["NOT OK", *line]]
    assert done.stdout.endswith("\n37 of 38 lines are as expected.\n")


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


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_everything(demo: subprocess.Popen[str], ending: signal.Signals) -> None:
    assert demo.stdout is not None
    urls: list[str] = []
    for line in demo.stdout:
        urls += re.findall(r"http://[\w.]+:\d+/(?:balance)?", line)
        if line.startswith("Ctrl-C"):
            break
    assert len(set(urls)) == 5
    assert [url.endswith("/balance") for url in urls] == [False] * 3 + [True] * 2
    for url in urls[1:3]:
        with urlopen(url, timeout=10) as response:
            assert response.status == 200
            assert b"<title>" in response.read()
    demo.send_signal(ending)
    out, errors = demo.communicate(timeout=20)
    assert (demo.returncode, errors) == (0, "")
    assert out.endswith("The demo has ended.\n")
    for url in urls:
        with pytest.raises(OSError, match="refused"):
            urlopen(url, timeout=10)
