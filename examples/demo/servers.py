"""The servers, on loopback, each on a port that was free."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from account import create_account
from api import Listener, create_api
from cases import TRANSFERS
from flask import Flask
from origins import Origins
from page import create_page
from werkzeug.serving import WSGIRequestHandler, make_server

# In the order of the fields of Origins, of which the accounts are the last.
HOSTS = ("localhost", "localhost", "localhost", "127.0.0.1", "127.0.0.1")


class QuietHandler(WSGIRequestHandler):
    """Logs no line for each request, so that the rejections are readable."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def running(listener: Listener) -> Iterator[Origins]:
    """Run the API, the two pages and the two accounts.

    :param listener: called for each rejection, see :func:`api.create_api`.
    """
    with ExitStack() as stack:
        # The sockets come first: the API has to know the page's origin, and the page the API's.
        sockets = [stack.enter_context(_listening_socket()) for _ in HOSTS]
        ports = [own.getsockname()[1] for own in sockets]
        origins = Origins(
            *(f"http://{host}:{port}" for host, port in zip(HOSTS, ports, strict=True))
        )
        for own, app in zip(sockets, create_apps(origins, listener), strict=True):
            stack.enter_context(_serving(app, own))
        yield origins


def create_apps(origins: Origins, listener: Listener) -> tuple[Flask, ...]:
    """The apps, in the order of their origins.

    :param listener: called for each rejection, see :func:`api.create_api`.
    """
    return (
        create_api(origins.allowed, listener),
        create_page("allowed", origins),
        create_page("stranger", origins),
        *(create_account(origins.allowed, each.enforce, listener) for each in TRANSFERS),
    )


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
