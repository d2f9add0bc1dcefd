"""Real Socket.IO clients at real Socket.IO servers whose origins are those of the guard: each asks
by polling and by WebSocket."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from flask_corsguard import CorsGuard
from tests.listening import free_port, listening, require

from .chat import ALLOWED, CHAT, KINDS

SHOP, OTHER = "https://shop.example", "https://other.example"
NEEDS = {"threading": (), "gevent": ("gevent",), "asgi": ("hypercorn", "asgiref")}
pytestmark = [
    pytest.mark.slow,
    # Clients leave the connections of refused handshakes open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Served(NamedTuple):
    """A chat that is served."""

    kind: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module", params=KINDS)
def chat(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Served]:
    kind: str = request.param
    require(("flask_socketio", "socketio", "websocket", "requests", *NEEDS[kind]))
    port, log = free_port(), Path(tmp_path_factory.mktemp(kind)) / "log"
    command = [sys.executable, str(CHAT), kind, str(port)]
    with listening(command, port, log, {ALLOWED: SHOP}):
        yield Served(kind, port)


def connected(chat: Served, transport: str, **headers: str) -> Any:
    """What the server says of a client that connects; None if it may not."""
    import socketio

    # websocket-client would send an Origin of its own too.
    options = {"suppress_origin": True}
    client = socketio.Client(reconnection=False, websocket_extra_options=options)
    try:
        client.connect(chat.url, headers=headers, transports=[transport], wait_timeout=5)
    except socketio.exceptions.ConnectionError:
        return None
    try:
        return client.call("who", timeout=5)
    finally:
        # Without a farewell: to wait for the response, or for the end of a poll, takes seconds.
        if transport == "websocket":
            client.eio.ws.shutdown()
        else:
            client.eio.disconnect(abort=True)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize(
    ("origin", "is_admitted"),
    [
        (SHOP, True),
        (OTHER, False),
        ("OWN", True),
        ("https://OWN", True),  # behind a proxy that ends TLS
        (None, True),  # not a browser
    ],
)
def test_who_connects(chat: Served, transport: str, origin: str | None, is_admitted: bool) -> None:
    """And cookies come along."""
    own = f"127.0.0.1:{chat.port}"
    headers = {"Cookie": "visit=7"}
    if origin is not None:
        headers["Origin"] = chat.url if origin == "OWN" else origin.replace("OWN", own)
    said = connected(chat, transport, **headers)
    assert said == ({"cookie": "visit=7"} if is_admitted else None)


@pytest.mark.parametrize(
    ("origin", "status", "acao"), [(SHOP, 200, SHOP), (OTHER, 400, None), ("OWN", 200, "OWN")]
)
def test_what_a_page_gets(chat: Served, origin: str, status: int, acao: str | None) -> None:
    """A poll, a preflight and a message: Engine.IO repeats the origin, with credentials."""
    import requests

    origin, acao = (chat.url if text == "OWN" else text for text in (origin, acao))
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    url = f"{chat.url}/socket.io/?EIO=4&transport=polling"
    for got in (
        requests.get(url, headers={"Origin": origin}, timeout=5),
        requests.options(url, headers=asked, timeout=5),
    ):
        assert (got.status_code, got.headers.get("Access-Control-Allow-Origin")) == (status, acao)
    if status == 200:
        assert got.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    ("is_behind", "site", "status"),
    [(False, "cross-site", 200), (True, "cross-site", 403), (True, "same-origin", 200)],
)
def test_a_script_that_polls(is_behind: bool, site: str, status: int) -> None:
    """It sends no Origin, so Engine.IO asks nobody; the guard in front refuses it."""
    require(("flask_socketio",))
    from flask_socketio import SocketIO

    app = Flask("chat", static_folder=None)
    guard = CorsGuard(app, origins=[SHOP], allow_credentials=True, enforce="all")
    SocketIO(app, async_mode="threading", cors_allowed_origins=guard.origin_check(app))
    if is_behind:
        app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/socket.io"])  # type: ignore[method-assign]
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    got = app.test_client().get("/socket.io/?EIO=4&transport=polling&j=0", headers=headers)
    assert got.status_code == status
    assert got.text.startswith("___eio[0](") is (status == 200)


def test_the_rest_of_the_app_has_its_own_policy(chat: Served) -> None:
    import requests

    got = requests.get(chat.url, headers={"Origin": SHOP}, timeout=5)
    assert got.status_code == 200
    assert "Access-Control-Allow-Origin" not in got.headers
    assert "Origin" in got.headers["Vary"]
