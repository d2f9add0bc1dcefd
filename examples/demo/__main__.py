"""The demo: a page that an API allows, a page of another website, and the API's inspector.

Run ``python examples/demo`` and open the three addresses that it prints, or ``python examples/demo
--once`` to see the same as text, from the simulated browser of ``flask_corsguard.testing``.
"""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cases import Origins
from page import create_apps
from play import play
from werkzeug.serving import make_server


def main() -> int:
    """Run the demo.

    :returns: the exit code: with ``--once``, 1 if anything was not as expected.
    """
    parser = argparse.ArgumentParser(prog="python examples/demo", description=__doc__)
    parser.add_argument(
        "--once",
        action="store_true",
        help="run it in a simulated browser, print what happens, fail if it is not as expected",
    )
    once: bool = parser.parse_args().once
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        return play() if once else serve()
    except KeyboardInterrupt:
        return 130


def serve() -> int:
    """Serve the pages and the API, with the guard's log in the terminal, until Ctrl-C."""
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    # Werkzeug would log a line for each request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with running() as origins:
        print("Flask-CorsGuard demo\n")
        print(f"  1  A page of another website:  {origins.other}/")
        print(f"  2  The shop's own page:        {origins.shop}/")
        print(f"  3  The inspector of the API:   {origins.api}/_corsguard/\n")
        print("Open 1 and press the button: it tries to take money from two accounts.")
        print("The guard's log is below. Ctrl-C ends the demo.\n", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nThe demo has ended.", flush=True)
    return 0


@contextmanager
def running() -> Iterator[Origins]:
    """Run the servers, each on a free port of this machine."""
    with ExitStack() as stack:
        # The sockets come first: each app has to know the others' origins.
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        shop, other, api = (own.getsockname()[1] for own in sockets)
        origins = Origins(
            f"http://localhost:{shop}", f"http://127.0.0.1:{other}", f"http://localhost:{api}"
        )
        folder = stack.enter_context(TemporaryDirectory(prefix="corsguard-demo-"))
        for own, app in zip(sockets, create_apps(origins, Path(folder)), strict=True):
            host, port = own.getsockname()
            server = make_server(host, port, app, threaded=True, fd=own.fileno())
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            for end in (server.server_close, thread.join, server.shutdown):
                stack.callback(end)
        yield origins


if __name__ == "__main__":
    sys.exit(main())
