"""Three servers on loopback, each on a port that was free."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from api import Listener, create_api
from flask import Flask
from page import create_page
from werkzeug.serving import WSGIRequestHandler, make_server


class Origins(NamedTuple):
    """Where the three servers are. Other ports are other origins, but the same site."""

    api: str
    allowed: str
    stranger: str

    def of_page(self, page: str) -> str:
        """The origin of the page called *page*."""
        return self.allowed if page == "allowed" else self.stranger


class QuietHandler(WSGIRequestHandler):
    """Leaves the line for each request out, so that the rejections are readable."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def running(listener: Listener) -> Iterator[Origins]:
    """Run the API and the two pages.

    :param listener: called for each rejection, see :func:`api.create_api`.
    """
    with ExitStack() as stack:
        # The sockets come first: the API has to know the page's origin, and the page the API's.
        sockets = [stack.enter_context(_listening_socket()) for _ in range(3)]
        origins = Origins(*(f"http://localhost:{own.getsockname()[1]}" for own in sockets))
        apps = (
            create_api(origins.allowed, listener),
            create_page("allowed", api=origins.api, other_page=origins.stranger),
            create_page("stranger", api=origins.api, other_page=origins.allowed),
        )
        for own, app in zip(sockets, apps, strict=True):
            stack.enter_context(_serving(app, own))
        yield origins


def _listening_socket() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def _serving(app: Flask, listening: socket.socket) -> Iterator[None]:
    host, port = listening.getsockname()
    server = make_server(
        host, port, app, threaded=True, request_handler=QuietHandler, fd=listening.fileno()
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=app.name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
