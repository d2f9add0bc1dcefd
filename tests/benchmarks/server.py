"""The same through a real server: gunicorn on loopback, asked by wrk, turn by turn."""

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import psutil

from .requests import REQUESTS, Request
from .tables import Table, times
from .timing import Spread, ratio, spread

# How gunicorn finds each app.
APPS = {
    "bare Flask": "tests.benchmarks.apps:bare()",
    "Flask-CORS": "tests.benchmarks.apps:flask_cors_extension()",
    "CorsGuard": "tests.benchmarks.apps:guarded()",
}
ASKED = list(REQUESTS)[:4]
_ROOT = Path(__file__).parents[2]
_START_SECONDS = 20.0


class Row(TypedDict):
    """One app, one request.

    :ivar to_bare: requests per second, as a multiple of bare Flask's.
    :ivar processor_to_bare: likewise, the processor's time that the worker takes for a request.
        Other work on the machine disturbs it less.
    """

    request: str
    app: str
    requests_per_second: Spread
    to_bare: Spread
    processor_to_bare: Spread


class Server(NamedTuple):
    """A server that is up."""

    url: str
    worker: psutil.Process


class Load(NamedTuple):
    """What wrk and the worker's clock say."""

    rate: float
    processor_seconds: float


def measure(rounds: int, seconds: int) -> list[Row] | None:
    """:returns: None where wrk is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(served(app)) for name, app in APPS.items()}
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows: list[Row] = []
        for asked in ASKED:
            script = directory / "request.lua"
            script.write_text(lua(REQUESTS[asked]))
            loads: dict[str, list[Load]] = {name: [] for name in APPS}
            for _ in range(rounds):
                for name, server in servers.items():
                    loads[name].append(load(wrk, server, script, seconds))
            rows += rows_of(asked, loads)
    return rows


def rows_of(asked: str, loads: dict[str, list[Load]]) -> list[Row]:
    base_rates, base_times = zip(*loads["bare Flask"], strict=True)
    rows: list[Row] = []
    for name, found in loads.items():
        rates, times_taken = zip(*found, strict=True)
        rows.append(
            {
                "request": asked,
                "app": name,
                "requests_per_second": spread(rates),
                "to_bare": ratio(rates, base_rates),
                "processor_to_bare": ratio(times_taken, base_times),
            }
        )
    return rows


@contextlib.contextmanager
def served(app: str) -> Iterator[Server]:
    """Serve an app with one worker of one thread.

    The worker that keeps connections is used: making a new one for each request would cost more
    than what is to be measured.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        command = [sys.executable, "-m", "gunicorn", f"--bind=fd://{descriptor}", app]
        options = ["--worker-class=gthread", "--workers=1", "--threads=1", "--log-level=error"]
        process = subprocess.Popen(
            [*command, *options, "--keep-alive=60"],
            cwd=_ROOT,
            pass_fds=[descriptor],
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/items/3"
            # The socket listens from the start, so that this waits for the worker.
            with urllib.request.urlopen(url, timeout=_START_SECONDS):
                pass
            [worker] = psutil.Process(process.pid).children()
            yield Server(url, worker)
        finally:
            process.terminate()
            process.wait()


def lua(request: Request) -> str:
    lines = [f'wrk.method = "{request.method}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items()]
    return "\n".join(lines)


def load(wrk: str, server: Server, script: Path, seconds: int) -> Load:
    """Ask over a few connections, so that the worker never waits for the next request."""
    before = processor_seconds(server.worker)
    result = subprocess.run(
        [wrk, "-t1", "-c4", f"-d{seconds}s", f"-s{script}", server.url],
        capture_output=True,
        text=True,
        check=True,
    )
    taken = processor_seconds(server.worker) - before
    rate = re.search(r"^Requests/sec: +([\d.]+)$", result.stdout, re.MULTILINE)
    count = re.search(r"^ +(\d+) requests in", result.stdout, re.MULTILINE)
    if not (rate and count) or "Non-2xx" in result.stdout or "Socket errors" in result.stdout:
        raise RuntimeError(result.stdout)
    return Load(float(rate[1]), taken / int(count[1]))


def processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def tables(rows: list[Row] | None) -> dict[str, Table]:
    columns = ("Request", "App", "A second", "To bare Flask", "Processor time, to bare Flask")
    lines = [
        (
            row["request"],
            row["app"],
            f"{row['requests_per_second']['median']:,.0f}",
            times(row["to_bare"]),
            times(row["processor_to_bare"]),
        )
        for row in rows or ()
    ]
    title = "Through gunicorn" if rows else "Through gunicorn: left out, wrk is not installed"
    return {"server": Table(title, columns, lines, frozenset({"A second"}))}
