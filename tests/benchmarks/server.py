"""The same through a real server: gunicorn on loopback, asked by wrk, turn by turn."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import psutil

from ..listening import SECONDS_TO_START, free_port, listening
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
    """:returns: None if wrk is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {n: stack.enter_context(served(app, directory)) for n, app in APPS.items()}
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
    rates = {name: [load.rate for load in found] for name, found in loads.items()}
    taken = {name: [load.processor_seconds for load in found] for name, found in loads.items()}
    return [
        {
            "request": asked,
            "app": name,
            "requests_per_second": spread(rates[name]),
            "to_bare": ratio(rates[name], rates["bare Flask"]),
            "processor_to_bare": ratio(taken[name], taken["bare Flask"]),
        }
        for name in loads
    ]


@contextlib.contextmanager
def served(app: str, directory: Path) -> Iterator[Server]:
    """Serve an app with one worker of one thread.

    The worker that keeps connections is used: making a new one for each request would cost more
    than what this measures.
    """
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", app]
    options = ["--worker-class=gthread", "--workers=1", "--threads=1", "--log-level=error"]
    log = directory / f"{port}.log"
    with listening([*command, *options, "--keep-alive=60"], port, log, {}) as process:
        url = f"http://127.0.0.1:{port}/items/3"
        # It listens before its worker is there.
        with urllib.request.urlopen(url, timeout=SECONDS_TO_START):
            [worker] = psutil.Process(process.pid).children()
        yield Server(url, worker)


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


def table(rows: list[Row] | None) -> Table:
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
    return Table(title, columns, lines, frozenset({"A second"}))
