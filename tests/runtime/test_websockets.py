"""WebSocket handshakes, and other things that only a real server and a real client can show."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import websocket
from flask import Flask
from flask_sock import Sock
from werkzeug.serving import make_server

from flask_corsguard import CorsGuard, Policy, cors

SHOP = "https://shop.example"
EVIL = "https://evil.example"


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], int]]:
    """Serve an app on a free port of loopback until the test is done; the port."""
    servers = []

    def start(app: Flask) -> int:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def opened() -> list[str]:
    """The sockets that the app has opened, by name."""
    return []


@pytest.fixture
def chat(app: Flask, opened: list[str]) -> Flask:
    """An app that echoes what comes over its sockets."""
    sock = Sock(app)

    def add(name: str, mark: Callable[..., Callable[..., None]]) -> None:
        @sock.route(f"/{name}", endpoint=name)
        @mark
        def echo(ws) -> None:
            opened.append(name)
            ws.send(ws.receive())

    add("chat", lambda view: view)
    add("open", cors(enforce="off"))
    add("partners", cors(origins=SHOP))
    return app


def says(port: int, path: str, headers: dict[str, str]) -> str:
    """What a client hears over a socket: the echo, or the status of the refusal."""
    url = f"ws://127.0.0.1:{port}{path}"
    client = websocket.WebSocket()
    try:
        client.connect(url, header=headers, suppress_origin=True, timeout=10)
        client.send("hello")
        return client.recv()
    except websocket.WebSocketBadStatusException as error:
        return str(error.status_code)
    finally:
        client.close()


HANDSHAKES = [
    ("/chat", {}, True),
    ("/chat", {"Origin": "http://127.0.0.1:PORT"}, True),
    ("/chat", {"Origin": "https://127.0.0.1:PORT"}, True),
    ("/chat", {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
    ("/chat", {"Origin": EVIL}, False),
    ("/chat", {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}, False),
    ("/chat", {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "same-site"}, False),
    ("/chat", {"Origin": "http://127.0.0.1:1"}, False),
    ("/chat", {"Origin": "null"}, False),
    ("/chat", {"Origin": SHOP}, False),
    ("/partners", {"Origin": SHOP}, True),
    ("/partners", {"Origin": EVIL}, False),
    ("/open", {"Origin": EVIL}, True),
]


@pytest.mark.parametrize("enforce", ["unsafe", "all"])
@pytest.mark.parametrize(("path", "headers", "opens"), HANDSHAKES)
def test_handshakes(chat, opened, serve, heard, path, headers, opens, enforce):
    """A real client opens a socket, or gets a 403 before the app hears of it."""
    CorsGuard(chat, enforce=enforce)
    port = serve(chat)
    headers = {name: value.replace("PORT", str(port)) for name, value in headers.items()}
    assert says(port, path, headers) == ("hello" if opens else "403")
    assert opened == ([path[1:]] if opens else [])
    refused = [s.decision for s in heard if s.decision.blocked]
    assert [(d.origin, d.endpoint) for d in refused] == (
        [] if opens else [(headers["Origin"], path[1:])]
    )


@pytest.mark.parametrize("how", ["off", "report", "report_only"])
def test_handshakes_that_are_only_reported(chat, opened, serve, how):
    """Handshakes that are only reported all open a socket."""
    strict = Policy(enforce="unsafe") if how == "report_only" else None
    CorsGuard(chat, enforce="report" if how == "report" else "off", report_only=strict)
    port = serve(chat)
    for path, headers, _ in HANDSHAKES:
        sent = {name: value.replace("PORT", str(port)) for name, value in headers.items()}
        assert says(port, path, sent) == "hello"
    assert opened == [path[1:] for path, _, _ in HANDSHAKES]


def test_two_origin_lines(app, serve):
    """A WSGI server joins two Origin lines, and so they are no origin."""
    ran = []
    CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: ran.append("view") or "done", methods=["POST"])
    port = serve(app)
    for own in (f"http://127.0.0.1:{port}", SHOP):
        for lines in ((own, EVIL), (EVIL, own), (own, own)):
            head = ["POST / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Length: 0"]
            head += [f"Origin: {origin}" for origin in lines]
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
                response = b"".join(iter(lambda c=connection: c.recv(65536), b"")).decode()
            assert response.split(" ", 2)[1] == "403"
            assert '"code": "ORIGIN_MALFORMED"' in response
    assert ran == []
