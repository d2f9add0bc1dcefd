"""What more routes cost: for a request, and when the policy table is made at the first one."""

import gc
import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import TypedDict

from flask import Flask

from flask_corsguard import CorsGuard, cors

from . import apps
from .requests import ORIGIN, Request, get, preflight
from .tables import Table, times
from .timing import Contender, Spread, ratio, turns

COUNTS = (1, 100, 2000)
ASKED: dict[str, Callable[[str], Request]] = {
    "without Origin": get,
    "allowed": lambda path: get(path, origin=ORIGIN),
    "preflight": preflight,
}


class RequestRow(TypedDict):
    """Requests to so many routes in turn, as multiples of bare Flask's with as many."""

    routes: int
    to_bare: dict[str, Spread]


class TableRow(TypedDict):
    """What the first request of the guarded app takes more than that of the bare one.

    :ivar to_bare: everything from an empty app to its first answer, as a multiple.
    """

    routes: int
    policies: str
    seconds: float
    bytes_a_route: int
    to_bare: float


def apart(number: int) -> str:
    return f"/r{number}/items/<int:number>"


def crossing(number: int) -> str:
    """Each of one half shares a URL with each of the other half."""
    return f"/r{number}/<number>" if number % 2 else f"/<number>/r{number}"


# The URLs, and whether each route has a policy of its own.
POLICIES: dict[str, tuple[Callable[[int], str], bool]] = {
    "one policy": (apart, False),
    "a policy each": (apart, True),
    "a policy each, and URLs that overlap": (crossing, True),
}


def app_of(count: int, policies: str, *, guarded: bool) -> Flask:
    app = Flask("routes")
    url, marked = POLICIES[policies]
    for number in range(count):
        view = view_of(number)
        if guarded and marked:
            cors(origins=[f"https://t{number}.example"])(view)
        app.add_url_rule(url(number), f"r{number}", view)
    if guarded:
        CorsGuard(app, origins=[ORIGIN])
    return app


def view_of(number: int) -> Callable[..., str]:
    return lambda **_: str(number)


def measure_requests(rounds: int) -> list[RequestRow]:
    return [
        {
            "routes": count,
            "to_bare": {asked: measure_asked(count, asked, rounds) for asked in ASKED},
        }
        for count in COUNTS
    ]


def measure_asked(count: int, asked: str, rounds: int) -> Spread:
    def contender(app: Flask) -> Contender:
        environs = [ASKED[asked](f"/r{number}/items/3").environ() for number in range(count)]
        following = itertools.cycle(environs)
        return Contender(apps.player(app), lambda: next(following).copy())

    contenders = {
        name: contender(app_of(count, "one policy", guarded=name == "guard"))
        for name in ("bare", "guard")
    }
    taken = turns(contenders, rounds)
    return ratio(taken["guard"], taken["bare"])


def measure_table(count: int, policies: str, repeats: int) -> TableRow:
    environ = get("/r1/items/3").environ()

    def first_request(*, guarded: bool) -> tuple[float, float]:
        """Seconds of the first request, and of all until its answer."""
        gc.collect()
        begin = time.process_time()
        app = app_of(count, policies, guarded=guarded)
        ready = time.process_time()
        apps.answer(app, environ.copy())
        answered = time.process_time()
        return answered - ready, answered - begin

    def size(*, guarded: bool) -> int:
        """Bytes that the first request leaves in memory."""
        app = app_of(count, policies, guarded=guarded)
        gc.collect()
        tracemalloc.start()
        apps.answer(app, environ.copy())
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    pairs = [(first_request(guarded=True), first_request(guarded=False)) for _ in range(repeats)]
    return {
        "routes": count,
        "policies": policies,
        "seconds": round(statistics.median(ours[0] - bare[0] for ours, bare in pairs), 4),
        "bytes_a_route": round((size(guarded=True) - size(guarded=False)) / count),
        "to_bare": round(statistics.median(ours[1] / bare[1] for ours, bare in pairs), 2),
    }


def request_table(rows: list[RequestRow]) -> Table:
    return Table(
        "A request, by routes of the app, as a multiple of bare Flask's with as many",
        ("Routes", *ASKED),
        [
            (f"{row['routes']:,}", *(times(row["to_bare"][asked]) for asked in ASKED))
            for row in rows
        ],
    )


def policy_table(rows: list[TableRow]) -> Table:
    return Table(
        "The policy table",
        ("Routes", "Policies", "Seconds", "Start, to bare Flask", "Bytes a route"),
        [
            (
                f"{row['routes']:,}",
                row["policies"],
                f"{row['seconds']:.3f}",
                f"{row['to_bare']:.2f}",
                f"{row['bytes_a_route']:,}",
            )
            for row in rows
        ],
        only_printed=frozenset({"Seconds"}),
    )
