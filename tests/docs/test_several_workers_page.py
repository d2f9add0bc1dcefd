"""The page about several workers: its recipes, with the servers, and what it says of mistakes."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.strength.servers import Server, send
from tests.strength.threads import run_together

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "several-workers.md").read_text("utf-8")
# What begins with the name of a file, by that name.
FILES = {
    name: block
    for block, name in re.findall(
        r"^```(?:python|ini)\n((?:#|;) (\S+)\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
}
[SETTINGS] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRELOAD = "preload_app = True\n"  # what the page says to leave out
ADDRESS = "127.0.0.1:8000"
WORKERS = 4
SECONDS_TO_START = 30.0
# In seconds, what the page says, and a little for the requests themselves.
SETTINGS_FOLLOWED_AFTER = 2.0
ROWS_FOLLOWED_AFTER = 1.5

APP, NEW = "https://app.example.com", "https://new.example.com"
PARTNER, SECOND = "https://partner.example", "https://second.example"


def replace(path: Path, text: str) -> None:
    """Put a file in its place as the page says."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


def recipe(name: str, text: str, line: str) -> Server:
    """A server that runs a configuration of the page, with other paths and another port.

    :param name: the file.
    :param text: what it says.
    :param line: the command line.
    """

    def command(port: int, directory: Path) -> list[str]:
        for file, content in {"shop.py": FILES["shop.py"], name: text}.items():
            moved = content.replace("/etc/shop", str(directory.parent))
            (directory / file).write_text(moved.replace(ADDRESS, f"127.0.0.1:{port}"))
        return [word.format(sys.executable, directory, directory / name) for word in line.split()]

    return Server(("uwsgi_python3",) if "uwsgi" in line else ("gunicorn",), command)


_GUNICORN = "{0} -m gunicorn --chdir={1} --pid={1}/pid --config={2}"
_UWSGI = "uwsgi_python3 --chdir={1} --pidfile={1}/pid {2}"
_CONFIGURATION = FILES["gunicorn.conf.py"]
RECIPES = {
    "gunicorn": recipe("gunicorn.conf.py", _CONFIGURATION.replace(PRELOAD, ""), _GUNICORN),
    "gunicorn with preload_app": recipe("gunicorn.conf.py", _CONFIGURATION, _GUNICORN),
    "uWSGI": recipe("uwsgi.ini", FILES["uwsgi.ini"], _UWSGI),
}


class Ready(NamedTuple):
    """What ``/ready`` says."""

    status: int
    body: dict[str, Any]


class Running(NamedTuple):
    """A recipe that is being served."""

    port: int
    directory: Path

    def ask(self, path: str, origin: str | None = None) -> Any:
        lines = [f"GET {path} HTTP/1.1", f"Host: {ADDRESS}", "Connection: close"]
        lines += [f"Origin: {origin}"] if origin else []
        [answer] = send(self.port, "\r\n".join([*lines, "", ""]).encode())
        return answer

    def allows(self, path: str, origin: str) -> set[bool]:
        """What many requests at once are told, so that each worker has some."""
        found: set[bool] = set()

        def ask_some() -> None:
            for _ in range(4):
                found.add(self.ask(path, origin).get("Access-Control-Allow-Origin") == origin)

        run_together([ask_some] * WORKERS * 2)
        return found

    def ready(self) -> list[Ready]:
        """What each worker says."""
        found: dict[int, Ready] = {}
        end = time.monotonic() + SECONDS_TO_START

        def ask() -> None:
            with contextlib.suppress(OSError, ValueError):
                answer = self.ask("/ready")
                body = json.loads(answer.body)
                found[body["pid"]] = Ready(answer.status, body)

        while len(found) < WORKERS:
            assert time.monotonic() < end, f"only {sorted(found)} answer"
            run_together([ask] * WORKERS * 2)
        return [*found.values()]

    def signal(self, number: signal.Signals, pid: int = 0) -> None:
        """Send a signal to the server, or to a worker."""
        os.kill(pid or int((self.directory / "pid").read_text()), number)

    def fingerprint(self) -> str:
        [fingerprint] = {ready.body["fingerprint"] for ready in self.ready()}
        return str(fingerprint)

    def wait_until_it_ends(self) -> None:
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionError:
                return
            time.sleep(0.1)
        raise AssertionError("the server goes on")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[dict[str, Running]]:
    """All recipes, over the same files."""
    for server in RECIPES.values():
        server.require()
    replace(tmp_path / "cors.toml", SETTINGS)
    found: dict[str, Running] = {}
    with ExitStack() as stack:

        def start(name: str) -> None:
            directory = tmp_path / name.replace(" ", "_")
            directory.mkdir()
            port = stack.enter_context(RECIPES[name].running(directory))
            found[name] = Running(port, directory)

        run_together([partial(start, name) for name in RECIPES])
        yield found


@pytest.mark.slow
def test_recipes(running: dict[str, Running], tmp_path: Path) -> None:
    settings, partners = tmp_path / "cors.toml", tmp_path / "partners.txt"
    check_unready(running, f"FileOrigins {partners}")
    replace(partners, f"{PARTNER}\n")
    time.sleep(ROWS_FOLLOWED_AFTER)
    at_start = check_ready(running)

    replace(settings, SETTINGS.replace(APP, f'{APP}", "{NEW}'))
    replace(partners, f"{SECOND}\n")
    time.sleep(SETTINGS_FOLLOWED_AFTER)
    for server in running.values():
        assert server.allows("/orders", NEW) == {True}
        assert server.allows("/prices", SECOND) == {True}
        assert server.allows("/prices", PARTNER) == {False}
    [changed] = {server.fingerprint() for server in running.values()}
    assert changed != at_start

    replace(settings, SETTINGS.replace("origins", "orgins"))
    time.sleep(SETTINGS_FOLLOWED_AFTER)
    for server in running.values():
        assert server.fingerprint() == changed
        for ready in server.ready():
            assert ready.status == 200
            assert "Did you mean 'origins'?" in ready.body["mistake"]
    check_replaced_workers(running, at_start, changed)
    check_reload(running, at_start)

    # What is put right is in force without a reload.
    replace(settings, SETTINGS.replace(APP, NEW))
    time.sleep(SETTINGS_FOLLOWED_AFTER)
    preloaded = running["gunicorn with preload_app"]
    assert preloaded.allows("/orders", NEW) == {True}
    assert preloaded.allows("/orders", APP) == {False}


def check_unready(running: dict[str, Running], source: str) -> None:
    """A source that cannot be read has nobody ready; what does not need it works."""
    for server in running.values():
        for ready in server.ready():
            assert (ready.status, ready.body["stale"]) == (503, [source])
        assert server.allows("/orders", APP) == {True}
        assert server.allows("/prices", PARTNER) == {False}


def check_ready(running: dict[str, Running]) -> str:
    """Everybody is ready, as the page shows it; the fingerprint of all."""
    [shown] = [json.loads(text) for text in re.findall(r"^```json\n(.*?)```", PAGE, re.M | re.S)]
    for server in running.values():
        for ready in server.ready():
            assert ready.status == 200
            assert ready.body.keys() == shown.keys()
            assert (ready.body["mistake"], ready.body["stale"]) == (None, [])
        assert server.allows("/prices", PARTNER) == {True}
    [fingerprint] = {server.fingerprint() for server in running.values()}
    return fingerprint


def check_replaced_workers(running: dict[str, Running], at_start: str, changed: str) -> None:
    """What becomes of a worker that starts while the file has a mistake."""
    for server in running.values():
        server.signal(signal.SIGKILL, server.ready()[0].body["pid"])
    for name in ("gunicorn with preload_app", "uWSGI"):
        found = sorted(ready.body["fingerprint"] for ready in running[name].ready())
        assert found == sorted([at_start] + [changed] * (WORKERS - 1))
    running["gunicorn"].wait_until_it_ends()


def check_reload(running: dict[str, Running], at_start: str) -> None:
    """What becomes of a reload while the file has a mistake."""
    preloaded, uwsgi = running["gunicorn with preload_app"], running["uWSGI"]
    before = {ready.body["pid"] for ready in preloaded.ready()}
    for server in (preloaded, uwsgi):
        server.signal(signal.SIGHUP)
    uwsgi.wait_until_it_ends()
    end = time.monotonic() + SECONDS_TO_START
    while before & {ready.body["pid"] for ready in preloaded.ready()}:
        assert time.monotonic() < end, "the workers are not replaced"
    assert preloaded.fingerprint() == at_start


def test_files_are_validated_before_they_are_put_in_place(tmp_path: Path) -> None:
    """With the commands of the page, which do nothing after a mistake."""
    [command] = [
        text for text in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) if "mv" in text
    ]
    target = tmp_path / "etc"
    target.mkdir()
    (tmp_path / "shop.py").write_text(FILES["shop.py"].replace("/etc/shop", str(target)))
    flask = shutil.which("flask", path=str(Path(sys.executable).parent))
    script = command.replace("/etc/shop", str(target)).replace("flask ", f"{flask} ")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def put(text: str) -> int:
        (tmp_path / "new.toml").write_text(text)
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        return done.returncode

    assert put(SETTINGS.replace("origins", "orgins")) == 1
    assert [*target.iterdir()] == []
    assert put(SETTINGS) == 0
    assert [path.name for path in target.iterdir()] == ["cors.toml"]
    assert (target / "cors.toml").read_text() == SETTINGS


def test_kubernetes() -> None:
    """The probes ask what the app has, where gunicorn listens."""
    yaml = pytest.importorskip("yaml")
    [text] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    template = yaml.safe_load(text)
    [container] = template["containers"]
    port = int(ADDRESS.rpartition(":")[2])
    assert f'@app.get("{container["readinessProbe"]["httpGet"]["path"]}")' in FILES["shop.py"]
    assert container["readinessProbe"]["httpGet"]["port"] == port
    assert container["livenessProbe"] == {"tcpSocket": {"port": port}}
    assert container["ports"] == [{"containerPort": port}]
    assert [each["name"] for each in container["volumeMounts"]] == ["cors"]
    assert [each["name"] for each in template["volumes"]] == ["cors"]
