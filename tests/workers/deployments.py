"""Servers with several worker processes, and a client that asks each of the workers."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.listening import SECONDS_TO_ANSWER
from tests.strength.servers import Server, command_line, send

APP = "tests.workers.served_origins"
WORKERS = 2
SECONDS_TO_LOAD = 60
# Until each worker has answered, whichever of them the system prefers.
MOST_SECONDS = 20.0


class Response(NamedTuple):
    """What one worker answered.

    :ivar process: its process id.
    :ivar allowed: whether a page of the request's origin may read it, with credentials.
    :ivar begun: when the app began with it, by the monotonic clock of the system: a worker may be
        busy with another request for long.
    :ivar seconds: how long the app took.
    :ivar body: the text.
    """

    process: int
    allowed: bool
    begun: float
    seconds: float
    body: str


class Deployment(NamedTuple):
    """An app that is being served.

    :ivar name: how.
    :ivar processes: how many workers there are.
    :ivar directory: where its files are.
    :ivar rows: those of each source.
    """

    name: str
    processes: int
    port: int
    directory: Path
    rows: Mapping[str, Any]

    def ask(self, path: str, origin: str | None = None, host: str = "api.example") -> Response:
        """Send one request over a connection of its own, to whichever worker takes it."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if origin:
            lines.append(f"Origin: {origin}")
        (answer,) = send(self.port, "\r\n".join([*lines, "", ""]).encode())
        assert answer.status == 200, answer
        allowed = answer.get("Access-Control-Allow-Origin")
        assert allowed in (None, origin)
        assert answer.get("Access-Control-Allow-Credentials") == (allowed and "true")
        process, begun, seconds = (
            answer.get(f"X-{name}") for name in ("Process", "Begun", "Seconds")
        )
        assert process
        assert begun
        assert seconds
        return Response(
            int(process), allowed is not None, float(begun), float(seconds), answer.body
        )

    def ask_each(self, path: str, origin: str | None = None) -> list[Response]:
        """Send requests until each worker has answered one; every response, in order."""
        found: list[Response] = []
        end = time.monotonic() + MOST_SECONDS
        while len({response.process for response in found}) < self.processes:
            assert time.monotonic() < end, "not every worker has answered"
            found.append(self.ask(path, origin))
        return found

    def wait_for_workers(self) -> None:
        """Wait until each worker has loaded the app, before which it answers nothing."""
        for _ in range(SECONDS_TO_LOAD // round(SECONDS_TO_ANSWER)):
            with contextlib.suppress(TimeoutError):
                self.ask_each("/")
                return
        raise AssertionError(f"the workers do not answer: {self.log()[-2000:]}")

    def log(self) -> str:
        """What all workers have written to the log."""
        return (self.directory / f"{self.port}.log").read_text()


_GUNICORN = f"{{python}} -m gunicorn --bind=127.0.0.1:{{port}} --workers={WORKERS} {{app}}"
_KINDS = ("sync", "gthread --threads=8", "gevent")
# By default, uWSGI loads the app before it forks, and starts no other thread.
_UWSGI = f"uwsgi_python3 --module {{app}} --need-app --die-on-term --master --processes={WORKERS}"


class _Several(NamedTuple):
    server: Server
    processes: int


def _several(needs: tuple[str, ...], line: str, processes: int = WORKERS) -> _Several:
    return _Several(Server(needs, command_line(line, APP)), processes)


def _gunicorn(options: str) -> dict[str, _Several]:
    """One for each kind of workers."""
    commands = {kind.split()[0]: f"{_GUNICORN} -k {kind} {options}" for kind in _KINDS}
    needs = {"gevent": ("gunicorn", "gevent")}
    return {
        f"gunicorn {kind} {options}".strip(): _several(needs.get(kind, ("gunicorn",)), command)
        for kind, command in commands.items()
    }


_WAITRESS = "{python} -m waitress --threads=8 --listen=127.0.0.1:{port} {app}"
_WERKZEUG = "{python} -m flask --app {app} run --port={port}"
# Those in a row are served at the same time.
DEPLOYMENTS: dict[str, dict[str, _Several]] = {
    "gunicorn": _gunicorn(""),
    "gunicorn --preload": _gunicorn("--preload"),
    "others": {
        "uWSGI": _several(
            ("uwsgi_python3", "async_timeout"), _UWSGI + " --http-socket 127.0.0.1:{port}"
        ),
        "waitress": _several(("waitress",), _WAITRESS, processes=1),
        "Werkzeug": _several((), _WERKZEUG, processes=1),
    },
}
