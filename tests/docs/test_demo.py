"""The demo without a browser."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

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
sys.exit(min(play(CASES, TRANSFERS, ()), 1))
"""
# Plays the steps with a part of the demo that does not work.
PLAY_STEPS = f"""
import sys
sys.path.insert(0, {str(DEMO)!r})
import page, play, servers
from cases import STEPS
from shared import Readers
play.PATIENCE = 1.0
CHANGE
sys.exit(min(play.play((), (), STEPS[1:2]), 1))
"""
UNCHANGED_FILE = """
write = Readers.write
Readers.write = lambda self, both: write(self, both=False)
"""
ONE_WORKER = "servers.WORKERS = 1"
UNGUARDED_BUTTON = "page.CorsGuard = lambda *_, **fields: None"
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
    assert once.stdout.endswith("\n56 of 56 lines are as expected.\n")


def test_once_prints_both_tables(once: subprocess.CompletedProcess[str]) -> None:
    pages, _, _ = once.stdout.partition("Who may read GET /offers")
    tables = re.split(r"^The page on (http://localhost:\d+), .*\n", pages, flags=re.M)
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


def test_once_has_both_workers_follow_the_file(once: subprocess.CompletedProcess[str]) -> None:
    _, _, steps = once.stdout.partition("Who may read GET /offers")
    tables = [lines_of(table) for table in steps.split("\n\n")[1:4]]
    workers = sorted({int(line[1].split()[-1]) for line in tables[0][2:]})
    assert len(workers) == 2
    for table, words, read in zip(
        tables,
        ("The file lists the allowed page", "The button adds", "The button takes it out again"),
        (False, True, False),
        strict=True,
    ):
        assert table[0][:3] == ["ok", "POST /readers, allowed", "200"]
        assert table[0][3].startswith(words)
        assert table[1][:3] == ["ok", "POST /readers, stranger", "403"]
        outcome = ["200"] if read else ["nothing", "ORIGIN_NOT_ALLOWED"]
        assert table[2:] == [
            *(["ok", f"allowed, worker {worker}", "200"] for worker in workers),
            *(["ok", f"stranger, worker {worker}", *outcome] for worker in workers),
        ]
    file = r"FileOrigins /\S+/readers\.txt, version \w+, \d\.\d s old\.\n"
    assert re.search(f"the origin is not among the one row of {file}", steps)
    assert re.search(f"it is among the 2 rows of {file}", steps)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (UNCHANGED_FILE, r"NOT OK  stranger, worker \d+ +nothing +ORIGIN_NOT_ALLOWED"),
        (ONE_WORKER, r"NOT OK  stranger, worker 0 +nothing"),
        (UNGUARDED_BUTTON, r"NOT OK  POST /readers, stranger +200"),
    ],
    ids=["the file does not change", "one worker", "the button is unguarded"],
)
def test_once_fails_when_a_step_is_not_as_expected(change: str, line: str) -> None:
    done = run("-c", PLAY_STEPS.replace("CHANGE", change))
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(line, done.stdout)


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


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The demo as a user starts it, and the URLs that it prints.

    :param folder: where it keeps its files.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-W", "error", DEMO],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "TMPDIR": str(folder)},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            urls: list[str] = []
            for line in process.stdout:
                urls += re.findall(r"http://[\w.]+:\d+/(?:balance)?", line)
                if line.startswith("Ctrl-C"):
                    break
            yield process, urls
        finally:
            process.kill()


def ask(url: str, form: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """The status and the body of one response."""
    request = Request(url, form, {name.replace("_", "-"): headers[name] for name in headers})
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except HTTPError as error:
        return error.code, error.read()


def workers_of(api: str) -> set[int]:
    """The processes that serve the API, once both have responded."""
    found: set[int] = set()
    until = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < until:
        found.add(json.loads(ask(f"{api}offers")[1])["worker"])
    return found


def is_open(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        urlopen(url, timeout=10).close()
    except HTTPError:
        return True
    except OSError as error:
        return "refused" not in str(error)
    return True


@pytest.mark.parametrize(
    ("send", "ending"),
    [(os.kill, signal.SIGINT), (os.kill, signal.SIGTERM), (os.killpg, signal.SIGINT)],
    ids=["SIGINT", "SIGTERM", "Ctrl-C"],
)
def test_a_signal_ends_everything(
    tmp_path: Path, send: Callable[[int, int], None], ending: signal.Signals
) -> None:
    """So does Ctrl-C in a terminal, which sends it to the workers too."""
    with running(tmp_path) as (demo, urls):
        assert len(set(urls)) == 5
        assert [url.endswith("/balance") for url in urls] == [False] * 3 + [True] * 2
        for url in urls[1:3]:
            status, body = ask(url)
            assert status == 200
            assert b"<title>" in body
        workers = workers_of(urls[0])
        assert len(workers) == 2
        send(demo.pid, ending)
        out, errors = demo.communicate(timeout=20)
        assert (demo.returncode, errors) == (0, "")
        assert out.endswith("The demo has ended.\n")
        assert [url for url in urls if is_open(url)] == []
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        assert [*tmp_path.iterdir()] == []


def test_the_workers_end_with_the_demo_whatever_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as (demo, urls):
        assert len(workers_of(urls[0])) == 2
        demo.kill()
        demo.wait(timeout=20)
        until = time.monotonic() + 20
        while is_open(urls[0]):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_nothing_but_its_own_page_changes_the_file(tmp_path: Path) -> None:
    with running(tmp_path) as (_, urls):
        _, allowed, stranger = (url.rstrip("/") for url in urls[:3])
        readers = f"{allowed}/readers"
        port = allowed.rpartition(":")[2]
        refused = {
            403: [
                {"Origin": stranger},
                {"Origin": "null"},
                {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
                {"Origin": stranger, "Sec_Fetch_Site": "same-site"},
            ],
            # DNS rebinding: evil.example is this machine, and its page is same-origin.
            400: [
                {
                    "Host": f"evil.example:{port}",
                    "Origin": f"http://evil.example:{port}",
                    "Sec_Fetch_Site": "same-origin",
                }
            ],
        }
        for status, requests in refused.items():
            for headers in requests:
                assert ask(readers, b"listed=both", **headers)[0] == status
        own = {"Origin": allowed, "Sec_Fetch_Site": "same-origin"}
        assert ask(readers, b"listed=https://evil.example", **own)[0] == 400
        assert ask(f"{stranger}/readers", b"listed=both")[0] == 405
        assert json.loads(ask(readers)[1]) == {"origins": [allowed]}
        assert ask(readers, b"listed=both", **own)[0] == 200
        assert json.loads(ask(readers)[1]) == {"origins": [allowed, stranger]}
