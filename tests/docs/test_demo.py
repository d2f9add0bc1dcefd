"""The demo without a browser."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"

# Plays it with something else expected, or with a part that does not work.
PLAY_CHANGED = f"""
import sys
sys.path.insert(0, {str(DEMO)!r})
import play
from cases import ACCOUNTS, BROWSER, CASES, LIVE, READ
play.PATIENCE = 1.0
from page import write_readers
SAME_FILE = lambda file, *origins: write_readers(file, origins[0])
CHANGE
sys.exit(play.play(CASES, ACCOUNTS, LIVE))
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def once() -> subprocess.CompletedProcess[str]:
    return run(DEMO, "--once")


def test_once_succeeds(once: subprocess.CompletedProcess[str]) -> None:
    assert (once.returncode, once.stderr) == (0, "")
    assert once.stdout.endswith("\n16 of 16 as expected. See it in a browser: make demo\n")


def test_once_fits_a_terminal(once: subprocess.CompletedProcess[str]) -> None:
    assert [line for line in once.stdout.splitlines() if len(line) > 80] == []


def test_once_begins_with_the_balance(once: subprocess.CompletedProcess[str]) -> None:
    """Each result comes with what it means, and with the line of code that set the policy."""
    parts = [part for part in once.stdout.split("\n\n") if "balance" in part]
    plain, guarded = ([line.strip() for line in part.splitlines()] for part in parts[:2])
    assert once.stdout.index(parts[0]) < once.stdout.index("READ?")
    assert plain[:2] == [
        "CORS alone: balance 100 -> 90. The money is gone.",
        "The view ran, but the page may not read the response.",
    ]
    assert guarded[:2] == [
        'enforce="unsafe": balance 100 -> 100. The form is refused.',
        "The guard responded with 403, and the view did not run.",
    ]
    for lines, code in (
        (plain, "CorsGuard(app, origins=shop)"),
        (guarded, '@cors(enforce="unsafe")'),
    ):
        assert re.fullmatch(
            re.escape(f"Policy: {code}  # examples/demo/api.py:") + r"\d+", lines[2]
        )
        assert lines[3].startswith("Found: ")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("CASES = [CASES[0]._replace(expected={'other': READ})]", "READ"),
        ("CASES = [CASES[0]._replace(expected={'other': 'ORIGIN_DENIED'})]", "ORIGIN_DENIED"),
        ("CASES = [CASES[0]._replace(expected={'shop': BROWSER})]", "BROWSER"),
        ("ACCOUNTS = [ACCOUNTS[0]._replace(expected={'shop': -10, 'other': 0})]", "0"),
        ("ACCOUNTS = [ACCOUNTS[1]._replace(expected={'shop': 0, 'other': 0})]", "0"),
        ("LIVE = LIVE._replace(expected={'other': READ})", "READ"),
        ("import page; page.write_readers = SAME_FILE", "READ"),
        ("import page; page.LIVE = LIVE._replace(expected={})", "200"),
    ],
)
def test_once_fails_when_something_is_not_as_expected(change: str, line: str) -> None:
    done = run("-c", PLAY_CHANGED.replace("CHANGE", change))
    assert (done.returncode, done.stderr) == (1, "")
    assert f"  NOT AS EXPECTED: {line}\n" in done.stdout


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
                urls += re.findall(r"http://\S+", line)
                if "Ctrl-C" in line:
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


def is_open(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        urlopen(url, timeout=10).close()
    except HTTPError:
        return True
    except OSError as error:
        return "refused" not in str(error)
    return True


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path: Path, ending: signal.Signals) -> None:
    with running(tmp_path) as (demo, urls):
        assert len(set(urls)) == 3
        for url in urls:
            status, body = ask(url)
            assert status == 200
            assert b"<title>" in body
        demo.send_signal(ending)
        out, errors = demo.communicate(timeout=20)
        assert (demo.returncode, errors) == (0, "")
        assert out.endswith("The demo has ended.\n")
        assert [url for url in urls if is_open(url)] == []
        assert [*tmp_path.iterdir()] == []


def test_nothing_but_its_own_page_changes_the_file(tmp_path: Path) -> None:
    with running(tmp_path) as (_, urls):
        other, shop = (url.rstrip("/") for url in urls[:2])
        readers, port = f"{other}/readers", other.rpartition(":")[2]
        refused = {
            403: [
                {"Origin": shop},
                {"Origin": "null"},
                {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
                {"Origin": shop, "Sec_Fetch_Site": "same-site"},
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
                assert ask(readers, b"", **headers)[0] == status
        own = {"Origin": other, "Sec_Fetch_Site": "same-origin"}
        assert json.loads(ask(readers, b"", **own)[1]) == {"listed": True}
        assert json.loads(ask(readers, b"", **own)[1]) == {"listed": False}
        assert ask(f"{shop}/readers", b"", Origin=shop)[0] == 404


def test_the_inspector_is_open_to_this_machine_alone(tmp_path: Path) -> None:
    """Debug mode is off, and a site whose name points to this machine is kept out."""
    with running(tmp_path) as (_, urls):
        inspector = urls[2]
        port = inspector.split(":")[2].partition("/")[0]
        assert ask(inspector)[0] == 200
        assert ask(inspector, Host=f"evil.example:{port}")[0] == 403
        assert ask(inspector, Sec_Fetch_Site="same-site")[0] == 403
