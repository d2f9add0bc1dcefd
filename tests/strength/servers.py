"""WSGI servers, each in a process of its own, and a client that sends them any bytes."""

import contextlib
import importlib.util
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..listening import ROOT, SECONDS_TO_ANSWER, free_port, listening, require
from ..nginx import nginx

APP = "tests.strength.served"


class Answer(NamedTuple):
    """A response as it came: its status, its header lines and its body."""

    status: int
    lines: tuple[tuple[str, str], ...]
    body: str

    @property
    def cors(self) -> list[tuple[str, str]]:
        """Every line that CORS or a cache looks at, repeated ones as often as they came."""
        names = ("access-control-", "vary")
        found = ((n.title(), v) for n, v in self.lines if n.lower().startswith(names))
        return sorted(found)

    def get(self, name: str) -> str | None:
        """The value of one line, or None if there is none."""
        return next((value for n, value in self.lines if n.lower() == name.lower()), None)


def send(port: int, request: bytes) -> list[Answer]:
    """Send bytes over a connection of their own; every response that comes before it is closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS_TO_ANSWER) as connection:
        # A server that has read enough may answer and close at once.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    return list(_read(received.decode("latin-1")))


def _read(received: str) -> Iterator[Answer]:
    for response in received.split("HTTP/1.")[1:]:
        head, _, body = response.partition("\r\n\r\n")
        status_line, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        fields = tuple((name, value.strip(" \t")) for name, _, value in pairs)
        # Not the second word: uWSGI repeats what it took for the version of HTTP.
        status = re.search(r" (\d{3}) ", status_line)
        yield Answer(int(status[1]) if status else 0, fields, body)


class Server(NamedTuple):
    """How one is started.

    :ivar needs: the programs and modules that it takes.
    :ivar command: the command line, given a free port and a directory.
    :ivar behind: the server that this one passes requests on to.
    """

    needs: tuple[str, ...]
    command: Callable[[int, Path], list[str]]
    behind: str = ""

    def require(self) -> None:
        """Skip the test if something is not installed; fail it if everything has to be."""
        require(self.needs + (SERVERS[self.behind].needs if self.behind else ()))

    @contextmanager
    def running(
        self, directory: Path, environment: Mapping[str, str] | None = None
    ) -> Iterator[int]:
        """Serve the app until the block is left; the port."""
        with ExitStack() as stack:
            if self.behind:
                inner = SERVERS[self.behind].running(directory, environment)
                (directory / "inner").write_text(str(stack.enter_context(inner)))
            port = free_port()
            # The second is where gunicorn leaves a socket for its tools.
            places = {"PYTHONPATH": python_path(), "XDG_RUNTIME_DIR": str(directory)}
            log = directory / f"{port}.log"
            command = self.command(port, directory)
            stack.enter_context(listening(command, port, log, {**places, **(environment or {})}))
            yield port


def python_path() -> str:
    """What is installed here, for a server that brings an interpreter of its own."""
    places = [ROOT]
    for name in ("flask_corsguard", "flask"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        places.append(Path(spec.origin).parents[1])
    return os.pathsep.join(map(str, dict.fromkeys(places)))


def command_line(line: str, app: str = APP) -> Callable[[int, Path], list[str]]:
    """A command line that serves an app of a module, once the port is known."""

    def command(port: int, _: Path) -> list[str]:
        known = {"python": sys.executable, "app": f"{app}:app", "port": port}
        return [word.format(**known) for word in line.split()]

    return command


_GUNICORN = "{python} -m gunicorn --bind=127.0.0.1:{port} {app}"
_UWSGI = "uwsgi_python3 --module {app} --need-app --die-on-term --enable-threads"
_SERVER = """\
    server {{
        listen 127.0.0.1:{port};
        location / {{ {pass_on} }}
    }}
"""
_TO_GUNICORN = "proxy_set_header Host $http_host; proxy_pass http://127.0.0.1:{inner};"
_TO_UWSGI = """
    uwsgi_pass 127.0.0.1:{inner};
    uwsgi_param REQUEST_METHOD $request_method;
    uwsgi_param REQUEST_URI $request_uri;
    uwsgi_param PATH_INFO $document_uri;
    uwsgi_param QUERY_STRING $query_string;
    uwsgi_param CONTENT_TYPE $content_type;
    uwsgi_param CONTENT_LENGTH $content_length;
    uwsgi_param SERVER_NAME $server_name;
    uwsgi_param SERVER_PORT $server_port;
    uwsgi_param SERVER_PROTOCOL $server_protocol;
    uwsgi_param REQUEST_SCHEME $scheme;
"""


def _nginx(pass_on: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, directory: Path) -> list[str]:
        inner = (directory / "inner").read_text()
        return nginx(_SERVER.format(port=port, pass_on=pass_on.format(inner=inner)), directory)

    return command


SERVERS = {
    "Werkzeug": Server((), command_line("{python} -m flask --app {app} run --port={port}")),
    "gunicorn sync": Server(("gunicorn",), command_line(_GUNICORN)),
    "gunicorn gthread": Server(("gunicorn",), command_line(f"{_GUNICORN} --threads=16")),
    "gunicorn gevent": Server(("gunicorn", "gevent"), command_line(f"{_GUNICORN} -k gevent")),
    "waitress": Server(
        ("waitress",), command_line("{python} -m waitress --listen=127.0.0.1:{port} {app}")
    ),
    "uWSGI": Server(("uwsgi_python3",), command_line(_UWSGI + " --http-socket 127.0.0.1:{port}")),
    "nginx, gunicorn": Server(("nginx",), _nginx(_TO_GUNICORN), "gunicorn sync"),
    "nginx, uWSGI": Server(("nginx",), _nginx(_TO_UWSGI), "uWSGI protocol"),
}
# Served by another only.
SERVERS["uWSGI protocol"] = Server(
    ("uwsgi_python3",), command_line(_UWSGI + " --uwsgi-socket 127.0.0.1:{port}")
)
