"""Programs that listen on a port of their own until a test is over."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
from werkzeug.serving import make_server

REQUIRED = os.environ.get("CORSGUARD_REQUIRE_SERVERS") == "1"
ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 30.0
SECONDS_TO_ANSWER = 5.0


def require(needs: Iterable[str]) -> None:
    """Skip the test if a program, file or module is missing; fail it if everything has to be there.

    :param needs: the names of programs and modules, and the paths of files.
    """
    missing = [name for name in needs if not _is_there(name)]
    if missing:
        do_without(f"not installed: {', '.join(missing)}")


def _is_there(name: str) -> bool:
    if name.startswith("/"):
        return Path(name).exists()
    return shutil.which(name) is not None or find_spec(name) is not None


def do_without(reason: str) -> NoReturn:
    """Skip the test; fail it if everything has to be there."""
    if REQUIRED:
        pytest.fail(f"{reason}; CORSGUARD_REQUIRE_SERVERS=1 forbids it")
    pytest.skip(reason)


# Below those that the system gives to clients, and other ones for each process that runs tests.
_ports = itertools.cycle(range(10_000 + os.getpid() * 97 % 20_000, 32_000))


def free_port() -> int:
    """A port that nobody listens on."""
    for port in _ports:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@contextmanager
def listening(
    command: list[str], port: int, log: Path, environment: Mapping[str, str], directory: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block is left; the block begins when it listens."""
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdout=written,
            stderr=written,
        )
        try:
            _wait_until_it_listens(port, process, log)
            yield process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def in_a_thread(app: Any, **options: Any) -> Iterator[str]:
    """Serve a WSGI app from this process until the block is left; its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if options else ''}://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER),
        ):
            return
        time.sleep(0.02)
    raise AssertionError(f"the server does not listen: {log.read_text()[-2000:]}")
