"""What the guard costs on a request, beside bare Flask and Flask-CORS, in one process.

Run it with ``make bench``. The figures are ratios: the same request through the bare app, turn by
turn, so that what else the machine does hits all of them alike.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import flask_cors
from flask import Flask
from werkzeug.test import EnvironBuilder

from flask_corsguard import CorsGuard, Policy, cors

ORIGIN = "https://app.example.com"
ROUNDS = 40
CALLS = 250

Environ = dict[str, Any]


def bare() -> Flask:
    app = Flask("bare")

    @app.get("/items/<int:number>")
    def item(number: int) -> str:
        return str(number)

    return app


def with_flask_cors() -> Flask:
    app = bare()
    flask_cors.CORS(app, origins=[ORIGIN])
    return app


def guarded() -> Flask:
    """Measured on a route that does not enforce, in an app where another does."""
    app = bare()
    app.add_url_rule("/other", "other", cors(enforce="all")(lambda: ""))
    CorsGuard(app, origins=[ORIGIN])
    return app


def enforcing() -> Flask:
    app = bare()
    CorsGuard(app, origins=[ORIGIN], enforce="unsafe")
    return app


def trying_out() -> Flask:
    app = bare()
    CorsGuard(app, origins=[ORIGIN], report_only=Policy(origins=[ORIGIN], enforce="unsafe"))
    return app


APPS: dict[str, Callable[[], Flask]] = {
    "bare Flask": bare,
    "Flask-CORS": with_flask_cors,
    "Flask-CorsGuard": guarded,
    '... with enforce="unsafe"': enforcing,
    "... with a policy on trial": trying_out,
}


def request(method: str = "GET", **headers: str) -> Environ:
    environ = EnvironBuilder("/items/3", method=method).get_environ()
    return environ | {f"HTTP_{name.upper()}": value for name, value in headers.items()}


def preflight(origin: str = ORIGIN, names: str = "content-type") -> Environ:
    return request(
        "OPTIONS",
        origin=origin,
        access_control_request_method="GET",
        access_control_request_headers=names,
    )


REQUESTS: dict[str, Environ] = {
    "without Origin": request(),
    "allowed": request(origin=ORIGIN),
    "rejected": request(origin="https://evil.example"),
    "preflight": preflight(),
    "without Origin, from an own page": request(sec_fetch_site="same-origin"),
    "without Origin, from another site": request(sec_fetch_site="cross-site"),
}


def seconds(app: Flask, environ: Environ, calls: int = CALLS) -> float:
    """How long *calls* requests take."""

    def start_response(*_: object) -> None:
        """Take the status and the headers."""

    begin = time.perf_counter()
    for _ in range(calls):
        for _chunk in app.wsgi_app(environ.copy(), start_response):  # type: ignore[arg-type]
            pass
    return time.perf_counter() - begin


def ratios(environ: Environ, rounds: int = ROUNDS) -> dict[str, float]:
    """The median cost of a request in each app, as a multiple of bare Flask's."""
    apps = {name: make() for name, make in APPS.items()}
    for app in apps.values():
        seconds(app, environ, 20)
    times: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(rounds):
        for name, app in apps.items():
            times[name].append(seconds(app, environ))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {name: median / medians["bare Flask"] for name, median in medians.items()}


def against(environ: Environ, other: Environ, rounds: int = ROUNDS) -> float:
    """The median cost of one request to the guarded app, as a multiple of another's."""
    app = guarded()
    seconds(app, environ, 20)
    seconds(app, other, 20)
    pairs = [(seconds(app, environ, 50), seconds(app, other, 50)) for _ in range(rounds)]
    return statistics.median(one / another for one, another in pairs)


def quiet() -> None:
    """Rejections are logged, but nowhere to be seen."""
    logging.getLogger("flask_corsguard").addHandler(logging.NullHandler())
    logging.getLogger("flask_corsguard").propagate = False


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """All figures: for each request the cost in each app; for hostile ones, beside a preflight."""
    hostile = {
        "60,000 bytes of Access-Control-Request-Headers": preflight(names="x," * 30_000),
        "60,000 bytes of Origin": preflight(origin="https://" + "a." * 30_000),
    }
    return {
        **{name: ratios(environ, rounds) for name, environ in REQUESTS.items()},
        **{
            name: {"an ordinary preflight": against(environ, preflight(), rounds)}
            for name, environ in hostile.items()
        },
    }


def main() -> None:
    quiet()
    if "--json" in sys.argv:
        print(json.dumps(measure(rounds=15)))
        return
    for name, row in measure(ROUNDS).items():
        print(name)
        for other, ratio in row.items():
            print(f"  {ratio:5.2f}  {other if len(row) > 1 else f'x {other}'}")


if __name__ == "__main__":
    main()
