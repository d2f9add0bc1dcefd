"""The guard in front of an app, through servers of both kinds."""

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from websocket import WebSocketBadStatusException, create_connection

from ..listening import ROOT, free_port, listening, require
from .served import CHUNKS, OTHER, SHOP

pytestmark = pytest.mark.slow

_UVICORN = "uvicorn --factory --port={port} --log-level=warning tests.front.served:"
_HYPERCORN = "hypercorn --bind=127.0.0.1:{port} tests.front.served:"
_GUNICORN = "gunicorn --bind=127.0.0.1:{port} --threads=4 "


class Server(NamedTuple):
    """How one is started.

    :ivar needs: the modules that it takes.
    :ivar command: what follows ``python -m``, without the port.
    :ivar is_asgi: whether it knows WebSockets.
    """

    needs: tuple[str, ...]
    command: str
    is_asgi: bool = True


SERVERS = {
    "uvicorn, asgiref": Server(("uvicorn", "asgiref"), f"{_UVICORN}by_asgiref"),
    "uvicorn, a2wsgi": Server(("uvicorn", "a2wsgi"), f"{_UVICORN}by_a2wsgi"),
    "hypercorn, asgiref": Server(("hypercorn", "asgiref"), f"{_HYPERCORN}by_asgiref()"),
    "hypercorn on Trio": Server(
        ("hypercorn", "trio", "starlette"),
        f"{_HYPERCORN}by_starlette() --worker-class=trio",
    ),
    "gunicorn": Server(("gunicorn",), f"{_GUNICORN}tests.front.served:by_wsgi()", False),
    "gunicorn, gevent": Server(
        ("gunicorn", "gevent"), f"{_GUNICORN}-k gevent tests.front.served:by_wsgi()", False
    ),
    "waitress": Server(
        ("waitress",), "waitress --port={port} --call tests.front.served:by_wsgi", False
    ),
}


class Running(NamedTuple):
    server: Server
    port: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def send(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connect()) as connection:
            connection.request(method, path, headers=names)
            response = connection.getresponse()
            sent = [(name.lower(), value) for name, value in response.getheaders()]
            own = [pair for pair in sent if pair[0].startswith(("access-control-", "vary"))]
            assert len(dict(own)) == len(own), own
            return response.status, dict(own), response.read()

    def known(self) -> dict[str, int]:
        return json.loads(self.send("GET", "/known")[2])


@pytest.fixture(scope="module", params=SERVERS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    server = SERVERS[request.param]
    require(server.needs)
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", *server.command.format(port=port).split()]
    with listening(command, port, log, {"PYTHONPATH": str(ROOT)}):
        yield Running(server, port)


PREFLIGHT = {"Access_Control_Request_Method": "POST"}
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
ACAO = "access-control-allow-origin"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reader", "vary"),
    [
        ("GET", "/marked", {"Origin": OTHER}, 200, OTHER, "Origin"),
        ("GET", "/marked", {"Origin": SHOP}, 200, None, "Origin"),
        ("HEAD", "/marked", {"Origin": OTHER}, 200, OTHER, "Origin"),
        ("GET", "/missing", {"Origin": SHOP}, 404, SHOP, "Origin"),
        ("PUT", "/marked", {"Origin": OTHER}, 405, OTHER, "Origin"),
        ("OPTIONS", "/locked/do", {"Origin": SHOP, **PREFLIGHT}, 204, SHOP, PREFLIGHT_VARY),
        ("OPTIONS", "/locked/do", {"Origin": OTHER, **PREFLIGHT}, 403, None, PREFLIGHT_VARY),
        ("POST", "/locked/do", {"Origin": OTHER}, 403, None, "Origin, Sec-Fetch-Site, Accept"),
        ("GET", "/x/..%2flocked/do", {}, 403, None, "Origin, Sec-Fetch-Site, Accept"),
        ("GET", "/x/%2e%2e/locked/do", {}, 403, None, "Origin, Sec-Fetch-Site, Accept"),
        ("GET", "/x%5c..%5clocked/do", {}, 403, None, "Origin, Sec-Fetch-Site, Accept"),
    ],
)
def test_one_request(
    running: Running,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    reader: str | None,
    vary: str,
) -> None:
    """It is counted once, and what is refused does not run."""
    before = running.known()
    got, sent, _ = running.send(method, path, **headers)
    assert (got, sent.get(ACAO), sent["vary"]) == (status, reader, vary)
    after = running.known()
    assert after["counted"] == before["counted"] + 2  # with one of the two that ask for it
    assert after["runs"] == before["runs"]


def test_the_app_hears_of_it(running: Running) -> None:
    before = running.known()["runs"]
    assert running.send("POST", "/locked/do", Origin=SHOP)[2] == b"ALLOWED"
    assert running.send("GET", "/marked", Origin=SHOP)[2] == b"REJECTED"
    assert running.known()["runs"] == before + 1


def test_a_stream_stays_one(running: Running) -> None:
    """What comes first arrives before the app knows what comes last."""
    with closing(running.connect()) as connection:
        connection.request("GET", "/slow", headers={"Origin": SHOP})
        response = connection.getresponse()
        assert response.getheader(ACAO) == SHOP
        assert response.read(len(CHUNKS[0])) == CHUNKS[0]
        assert running.send("GET", "/end")[0] == 200
        assert response.read() == CHUNKS[1]


def test_a_client_that_leaves(running: Running) -> None:
    with closing(running.connect()) as connection:
        connection.request("GET", "/slow", headers={"Origin": SHOP})
        assert connection.getresponse().read(len(CHUNKS[0])) == CHUNKS[0]
    assert running.send("GET", "/end")[0] == 200
    assert running.send("GET", "/marked", Origin=OTHER)[1][ACAO] == OTHER


def test_sockets(running: Running) -> None:
    if not running.server.is_asgi:
        return
    before = running.known()["runs"]
    url = f"ws://127.0.0.1:{running.port}/locked/socket"
    with pytest.raises(WebSocketBadStatusException) as caught:
        create_connection(url, origin=OTHER, timeout=20)
    assert caught.value.status_code == 403
    assert running.known()["runs"] == before
    for origin in (SHOP, f"http://127.0.0.1:{running.port}"):
        with closing(create_connection(url, origin=origin, timeout=20)) as opened:
            for text in ("one", "two"):
                opened.send(text)
                assert opened.recv() == text.upper()
    assert running.known()["runs"] == before + 2


def test_http2(running: Running) -> None:
    if "hypercorn" not in running.server.needs:
        return
    for method, origin, status, reader in (("GET", SHOP, 404, SHOP), ("GET", OTHER, 404, None)):
        found, sent = _by_http2(running.port, method, "/missing", origin)
        assert (found, sent.get(ACAO), sent["vary"]) == (status, reader, "Origin")
    assert _by_http2(running.port, "POST", "/locked/do", OTHER)[0] == 403


def _by_http2(port: int, method: str, path: str, origin: str) -> tuple[int, dict[str, str]]:
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import ResponseReceived, StreamEnded

    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    named = {":method": method, ":path": path, ":authority": "localhost", ":scheme": "http"}
    connection.send_headers(1, [*named.items(), ("origin", origin)], end_stream=True)
    headers: dict[str, str] = {}
    with socket.create_connection(("127.0.0.1", port), 20) as wire:
        while True:
            wire.sendall(connection.data_to_send())
            received = wire.recv(65536)
            assert received, "the connection was closed"
            for event in connection.receive_data(received):
                if isinstance(event, ResponseReceived):
                    headers = dict(event.headers)
                elif isinstance(event, StreamEnded):
                    return int(headers[":status"]), headers
