"""What keeps a connection open."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.serving import make_server

from .extension import APP, EVIL, Extension, Page, Scope


@contextmanager
def serving(app: object) -> Iterator[int]:
    """Serve a WSGI app in threads; the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever)
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


EXTENSIONS = [
    Extension("Flask-Sock", ("flask_sock", "websocket"), flask_sock, echoes),
]
