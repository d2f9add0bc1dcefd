"""The servers, on loopback, each on a port that was free. The API's is shared by two processes."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from account import create_account
from api import Listener, create_api
from cases import TRANSFERS
from flask import Flask
from origins import Origins
from page import create_page
from shared import Readers, Shared
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler, make_server

# In the order of the fields of Origins, of which the API is the first and the accounts the last.
HOSTS = ("localhost", "localhost", "localhost", "127.0.0.1", "127.0.0.1")
WORKERS = 2


class QuietHandler(WSGIRequestHandler):
    """Logs no line for each request, so that the rejections are readable."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class TurnTakingServer(ThreadedWSGIServer):
    """Leaves the next connection to the other worker, if it comes soon."""

    def process_request(self, request: Any, client_address: Any) -> None:
        """Have a thread respond, then accept nothing for 10 ms."""
        super().process_request(request, client_address)
        time.sleep(0.01)


@contextmanager
def running(listener: Listener) -> Iterator[Origins]:
    """Run the API, the two pages and the two accounts.

    :param listener: called for each rejection, see :func:`api.create_api`; in a worker process if
        the API rejects, so it has to be a function of a module.
    """
    with ExitStack() as stack:
        shared = Shared.in_folder(stack.enter_context(TemporaryDirectory(prefix="corsguard-demo-")))
        # The sockets come first: the API has to know the page's origin, and the page the API's.
        sockets = [stack.enter_context(_listening_socket()) for _ in HOSTS]
        ports = [own.getsockname()[1] for own in sockets]
        origins = Origins(
            *(f"http://{host}:{port}" for host, port in zip(HOSTS, ports, strict=True))
        )
        others = create_others(origins, listener, shared)
        for _ in range(WORKERS):
            stack.enter_context(_worker(sockets[0], origins, listener, shared))
        for own, app in zip(sockets[1:], others, strict=True):
            stack.enter_context(_serving(app, own))
        yield origins


def create_others(origins: Origins, listener: Listener, shared: Shared) -> tuple[Flask, ...]:
    """The apps besides the API, in the order of their origins.

    :param listener: called for each rejection, see :func:`api.create_api`.
    """
    readers = Readers(shared.readers, origins.allowed, origins.stranger)
    return (
        create_page("allowed", origins, readers, listener),
        create_page("stranger", origins, readers, listener),
        *(create_account(origins.allowed, each.enforce, listener, shared) for each in TRANSFERS),
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


@contextmanager
def _worker(
    listening: socket.socket, origins: Origins, listener: Listener, shared: Shared
) -> Iterator[None]:
    # Spawned, not forked: a fork takes no threads along, and macOS advises against it.
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(listening, origins, listener, shared), daemon=True
    )
    # Ctrl-C reaches the worker as well, which leaves its end to this process.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        process.terminate()
        process.join()
        process.close()


def work(listening: socket.socket, origins: Origins, listener: Listener, shared: Shared) -> None:
    """Serve the API in this process until the one that started it ends it, or has ended."""
    host, port = listening.getsockname()
    app = create_api(origins.allowed, listener, shared)
    server = TurnTakingServer(host, port, app, QuietHandler, fd=listening.fileno())
    # Both workers see each connection, and the one that comes too late must not wait for another.
    server.socket.settimeout(0.05)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
