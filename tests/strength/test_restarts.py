"""Workers are replaced and killed while requests come in: what is lost was in flight at a kill."""

import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.listening import free_port, listening, require
from tests.nightly import IS_NIGHTLY

from .served import PARTNER, SHOP
from .servers import APP
from .test_threads_of_servers import ask
from .threads import run_together

pytestmark = pytest.mark.slow

# `.ci/nightly` sends 200,000.
REQUESTS = int(os.environ.get("RESTART_REQUESTS", "1500"))
CLIENTS = 8
# After this share of all requests, a worker is killed; after another, all of them are replaced.
DISTURBANCES = 8 if IS_NIGHTLY else 4

MIXED = [
    *itertools.product(("GET", "POST", "OPTIONS"), ("/", "/none"), (SHOP, PARTNER)),
    ("POST", "/", "https://evil.example"),
    ("GET", "/", None),
]


class Clients:
    """Requests of all kinds, from several clients at once.

    :ivar kills: when a worker was killed.
    :ivar lost: from when to when each request was under way that got no response.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = iter(range(REQUESTS))
        self._sent = itertools.count(1)
        self._expected = [self._answer(number) for number in range(len(MIXED))]
        self._due = threading.Semaphore(0)
        self.kills: list[float] = []
        self.lost: list[tuple[float, float]] = []

    def _answer(self, number: int) -> object:
        method, path, origin = MIXED[number % len(MIXED)]
        found = ask(self._port, method, path, origin)
        return found.status, found.cors

    def ask_all(self) -> None:
        for number in self._numbers:
            begun = time.monotonic()
            try:
                found = self._answer(number)
            except (OSError, ValueError):  # no connection, or no response
                self.lost.append((begun, time.monotonic()))
            else:
                assert found == self._expected[number % len(MIXED)]
            if next(self._sent) % (REQUESTS // (DISTURBANCES + 1)) == 0:
                self._due.release()

    def disturb(self, master: psutil.Process) -> None:
        for number in range(DISTURBANCES):
            assert self._due.acquire(timeout=60)
            if number % 2:
                master.send_signal(signal.SIGHUP)
            else:
                self.kills.append(time.monotonic())
                master.children()[-1].kill()


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_requests_while_workers_come_and_go(kind: str, preload: list[str], tmp_path: Path) -> None:
    require(["gunicorn", "gevent"])
    port = free_port()
    options = ["--workers=2", "--graceful-timeout=5", f"-k{kind}", "--threads=4", *preload]
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", *options, f"{APP}:app"]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with listening(command, port, tmp_path / "log", environment) as process:
        clients, master = Clients(port), psutil.Process(process.pid)
        run_together([lambda: clients.disturb(master), *[clients.ask_all] * CLIENTS])
    assert len(clients.lost) <= len(clients.kills) * CLIENTS
    for begun, ended in clients.lost:
        assert any(begun - 1 <= kill <= ended for kill in clients.kills)
