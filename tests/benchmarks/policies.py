"""What a policy of many origins takes: time to compile it, and memory."""

import gc
import statistics
import time
import tracemalloc
from typing import NamedTuple, TypedDict

import psutil

from flask_corsguard import CorsGuard, Policy

from . import apps, timing
from .origins import KINDS
from .processes import alone
from .requests import get
from .tables import Table

COUNTS = (1, 100, 10_000, 1_000_000)


class Row(TypedDict):
    """A policy of so many origins of a kind.

    :ivar seconds: to compile it.
    :ivar requests: the same, as a multiple of one request to bare Flask.
    :ivar start_requests: likewise, from an empty app to its first answer.
    :ivar bytes_an_origin: that it holds, beside the caller's own list of strings.
    :ivar resident_bytes: by how much the process has grown when the policy is compiled.
    """

    kind: str
    origins: int
    seconds: float
    requests: int
    start_requests: int
    bytes_an_origin: int
    resident_bytes: int


class Times(NamedTuple):
    """Seconds: to compile the policy, to start an app with it, and for a request to bare Flask."""

    compile: float
    start: float
    request: float


def measure(kind: str, count: int, repeats: int) -> Row:
    times = [alone(seconds, kind, count) for _ in range(repeats)]
    return {
        "kind": kind,
        "origins": count,
        "seconds": round(statistics.median(found.compile for found in times), 6),
        "requests": round(statistics.median(found.compile / found.request for found in times)),
        "start_requests": round(statistics.median(found.start / found.request for found in times)),
        "bytes_an_origin": round(alone(traced_bytes, kind, count) / count),
        "resident_bytes": alone(resident_bytes, kind, count),
    }


def strings(kind: str, count: int) -> list[str]:
    return [KINDS[kind].format(number) for number in range(count)]


def seconds(kind: str, count: int) -> Times:
    request = timing.seconds(apps.contender(apps.bare(), get().environ()), calls=500)
    Policy(origins=["https://example.com"])  # whatever the first one of all has to do
    origins = strings(kind, count)
    gc.collect()
    begin = time.process_time()
    policy = Policy(origins=origins)
    compiled = time.process_time()
    del policy
    begin_start = time.process_time()
    app = apps.bare()
    CorsGuard(app, origins=origins)
    apps.answer(app, get().environ())
    return Times(compiled - begin, time.process_time() - begin_start, request)


def traced_bytes(kind: str, count: int) -> int:
    origins = strings(kind, count)
    gc.collect()
    tracemalloc.start()
    policy = Policy(origins=origins)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    del policy
    return held


def resident_bytes(kind: str, count: int) -> int:
    process = psutil.Process()
    origins = strings(kind, count)
    gc.collect()
    before = process.memory_info().rss
    policy = Policy(origins=origins)
    gc.collect()
    after = process.memory_info().rss
    del policy
    return after - before


def table(rows: list[Row]) -> Table:
    columns = (
        "Origins",
        "Seconds to compile",
        "To compile",
        "To the first answer",
        "Bytes an origin",
        "Growth of the process, MB",
    )
    return Table(
        "A policy of many origins, in requests to bare Flask",
        columns,
        [
            (
                f"{row['origins']:,} {row['kind']}",
                f"{row['seconds']:.4f}",
                f"{row['requests']:,}",
                f"{row['start_requests']:,}",
                f"{row['bytes_an_origin']:,}",
                f"{row['resident_bytes'] / 1e6:.1f}",
            )
            for row in rows
        ],
        only_printed=frozenset({"Seconds to compile"}),
    )
