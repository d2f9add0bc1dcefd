"""What keeps a connection open."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import product
from types import SimpleNamespace

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from .extension import APP, EVIL, Extension, Page, Scope


class OneRequest(WSGIRequestHandler):
    """Closes a connection after its request: else the end of a WebSocket takes seconds."""

    def handle(self) -> None:
        """Handle it."""
        self.handle_one_request()

    def log_request(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def serving(app: object) -> Iterator[int]:
    """Serve a WSGI app in threads; the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=OneRequest)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def flask_sock(app: Flask) -> Scope:
    from flask_sock import Sock

    sock = Sock(app)

    @sock.route("/echo")
    def echo(ws: object) -> None:
        ws.send(f"echo of {ws.receive()}")  # type: ignore[attr-defined]

    return {"sock": sock, "echo": echo}


def echoes(page: Page) -> None:
    import websocket

    with serving(page.application) as port:
        url = f"ws://127.0.0.1:{port}/echo"
        connection = websocket.create_connection(url, timeout=5, origin=APP)
        connection.send("hello")
        assert connection.recv() == "echo of hello"
        connection.close()
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(url, timeout=5, origin=EVIL)


# A poll that waits for an event ends with the next ping.
THREADED = {"async_mode": "threading", "ping_interval": 0.2}


def flask_socketio(app: Flask) -> Scope:
    from flask_socketio import SocketIO

    class Threaded(SocketIO):  # type: ignore[misc]
        """In threads, and with an event that is sent back, wherever the line makes it."""

        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **THREADED, **options)
            self.on_event("say", lambda text: f"echo of {text}")

    return {"SocketIO": Threaded}


def python_socketio(app: Flask) -> Scope:
    import socketio

    class Threaded(socketio.Server):  # type: ignore[misc]
        def __init__(self, **options: object) -> None:
            super().__init__(**THREADED, **options)
            self.on("say", lambda sid, text: f"echo of {text}")

    return {"socketio": SimpleNamespace(Server=Threaded, WSGIApp=socketio.WSGIApp)}


def says_and_hears(page: Page) -> None:
    """With the real client, over both transports; what the browser reads of a poll is checked too.

    A handshake and a poll are answered in front of Flask.
    """
    import socketio

    failure = socketio.exceptions.ConnectionError
    with serving(page.application) as port:
        url, own = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        admitted = ((APP, True), (own, True), (EVIL, False))
        for transport, (origin, is_admitted) in product(("polling", "websocket"), admitted):
            # websocket-client would add an Origin of its own.
            options = {"origin": origin} if transport == "websocket" else {}
            headers = {} if options else {"Origin": origin}
            client = socketio.Client(reconnection=False, websocket_extra_options=options)
            refused = nullcontext() if is_admitted else pytest.raises(failure)
            with ExitStack() as stack, refused:
                stack.callback(client.disconnect)
                client.connect(url, headers=headers, transports=[transport])
                assert client.call("say", "hello", timeout=5) == "echo of hello"
    poll = "/socket.io/?EIO=4&transport=polling"
    assert page.read("GET", poll).headers["Access-Control-Allow-Credentials"] == "true"
    refused = Page(page.application, EVIL).send("GET", poll, 400)
    assert "Access-Control-Allow-Origin" not in refused.headers


EXTENSIONS = [
    Extension("Flask-Sock", ("flask_sock", "websocket"), flask_sock, echoes),
    Extension(
        "Flask-SocketIO",
        ("flask_socketio", "simple_websocket", "requests", "websocket"),
        flask_socketio,
        says_and_hears,
    ),
    Extension(
        "python-socketio",
        ("socketio", "simple_websocket", "requests", "websocket"),
        python_socketio,
        says_and_hears,
    ),
]
