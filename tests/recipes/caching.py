"""nginx as a cache in front of an app, and whose answer each request gets.

A page shows it as a block ``text`` like this one, measured with the nearest configuration of nginx
and the nearest ``# app.py`` above it::

    GET /prices from https://shop.example
      Cache: 200, response 1 of the app
        Access-Control-Allow-Origin: https://shop.example
        Vary: Origin
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..listening import free_port, listening, require
from .comparing import Answer, answer_of, send
from .originals import ORIGINALS
from .recipes import Request, read_request
from .running import BEHIND, lay_out

# Where the page says that nginx keeps what it stores.
STORE = "/var/cache/nginx"

_BLOCK = re.compile(r"^```(nginx|python|py|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Numbers the app's answers, so that one from the cache can be told.
_COUNTED = """\
import itertools

from app import app

numbers = itertools.count(1)


def counted(environ, start_response):
    number = str(next(numbers))
    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Answer", number)], exc_info)
    return app(environ, start)
"""


class Sequence(NamedTuple):
    """Requests that a page sends, one after the other.

    :ivar place: for the names of tests.
    """

    place: str
    cache: str
    app: str
    requests: list[Request]
    told: str


class Got(NamedTuple):
    """What came back, and the number of the app's answer that it is."""

    answer: Answer
    body: bytes
    etag: str | None
    number: int


class Ports(NamedTuple):
    """Where the cache listens, and where the app does."""

    cache: int
    app: int


def sequences_of(page: Path) -> Iterator[Sequence]:
    """Every sequence of one page."""
    cache = app = ""
    whole = page.read_text("utf-8")
    for block in _BLOCK.finditer(whole):
        language, text = block.groups()
        if language == "nginx":
            cache = text
        elif text.startswith("# app.py"):
            app = text
        elif language == "text" and "\n  Cache:" in text:
            lines = [line for line in text.splitlines() if line and not line.startswith(" ")]
            place = f"{page.stem}, line {whole.count(chr(10), 0, block.start()) + 1}"
            yield Sequence(place, cache, app, [read_request(line) for line in lines], text)


@contextmanager
def cached(cache: str, app: str, directory: Path) -> Iterator[Ports]:
    """Serve the app, and the cache in front of it."""
    require(["gunicorn", "nginx"])
    lay_out(directory)
    (directory / "app.py").write_text(app)
    (directory / "counted.py").write_text(_COUNTED)
    port = free_port()
    bind = f"--bind=127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", bind, "counted:counted"]
    # gunicorn leaves a socket for its tools there.
    environment = {"XDG_RUNTIME_DIR": str(directory)}
    configuration = cache.replace(BEHIND, f"127.0.0.1:{port}")
    configuration = configuration.replace(STORE, str(directory / "stored"))
    with (
        listening(command, port, directory / "app.log", environment, directory),
        ORIGINALS["nginx"].running(configuration, directory) as front,
    ):
        yield Ports(front, port)


def get(port: int, path: str, fields: Mapping[str, str], method: str = "GET") -> Got:
    """Ask over a connection of its own."""
    response, body = send(port, method, path, fields)
    number = int(response.headers["X-Answer"])
    return Got(answer_of(response), body, response.headers["ETag"], number)


def measured(sequence: Sequence, directory: Path) -> str:
    """Send the requests to the cache; the block as it should stand in the page."""
    lines: list[str] = []
    with cached(sequence.cache, sequence.app, directory) as ports:
        for request in sequence.requests:
            got = get(ports.cache, request.path, request.fields, request.method)
            told = got.answer.told("Cache", f", response {got.number} of the app")
            lines += [request.line, *told, ""]
    return "\n".join(lines)
