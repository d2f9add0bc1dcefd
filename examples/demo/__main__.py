"""The demo: an API behind Flask-CorsGuard, in two processes, and one page on two origins that calls
it and takes money out of two accounts with a form. A button lets the other page read, or not.

Run ``python examples/demo`` and open the two pages that it names, or ``python examples/demo
--once`` to do the same in the simulated browser of ``flask_corsguard.testing``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from play import play
from servers import running
from show import show


def main() -> int:
    """Run the demo.

    :returns: the exit code: with ``--once``, 1 if anything was not as expected.
    """
    parser = argparse.ArgumentParser(prog="python examples/demo", description=__doc__)
    parser.add_argument(
        "--once",
        action="store_true",
        help="run it in a simulated browser, print the tables, fail if a line is not as expected",
    )
    once: bool = parser.parse_args().once
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        return min(play(), 1) if once else serve()
    except KeyboardInterrupt:
        return 130


def serve() -> int:
    """Serve the pages and show each rejection as its signal arrives, until Ctrl-C."""
    with running(show) as origins:
        print("Flask-CorsGuard demo\n")
        print(f"  The API, guarded:              {origins.api}/status")
        print(f"  A page that may read it:       {origins.allowed}/")
        print(f"  The same page, not allowed:    {origins.stranger}/")
        print(f"  An account, unprotected:       {origins.unprotected}/balance")
        print(f"  The same account, protected:   {origins.protected}/balance\n")
        print("Open both pages, side by side. Each rejection is shown here as its signal arrives.")
        print("The pages ask for GET /offers all the time: of that, what is new in either worker.")
        print("Ctrl-C ends the demo.\n", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nThe demo has ended.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
