"""Everything that is measured, part by part."""

import importlib.metadata
import platform
from typing import NamedTuple, TypedDict

from . import hostile, live, origins, overhead, policies, routes, server, starting
from .processes import alone
from .tables import Table

_PACKAGES = ("Flask-CorsGuard", "Flask", "Werkzeug", "Flask-CORS", "Starlette")


class Effort(NamedTuple):
    """How much is done for a figure.

    :ivar rounds: turns that each contender has.
    :ivar repeats: how often what takes long is done.
    :ivar most_origins: policies of more than that are left out.
    :ivar server_seconds: for how long a server is asked in each turn.
    """

    rounds: int
    repeats: int
    most_origins: int
    server_seconds: int


FULL = Effort(rounds=40, repeats=5, most_origins=1_000_000, server_seconds=2)
QUICK = Effort(rounds=5, repeats=2, most_origins=10_000, server_seconds=1)


class Results(TypedDict):
    """What ``bench.json`` holds. Times are multiples, sizes bytes, unless a name says seconds."""

    versions: dict[str, str]
    requests: overhead.Overhead
    origins: list[origins.Row]
    live: list[live.Row]
    policies: list[policies.Row]
    routes: list[routes.RequestRow]
    policy_table: list[routes.TableRow]
    starting: list[starting.Row] | None
    hostile: list[hostile.Row]
    server: list[server.Row] | None


def measure(effort: Effort) -> Results:
    def counts(of: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(count for count in of if count <= effort.most_origins)

    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "versions": {"Python": platform.python_version(), **versions},
        "requests": alone(overhead.measure, effort.rounds),
        "origins": [
            row
            for kind in origins.KINDS
            for row in alone(origins.measure, kind, counts(origins.COUNTS), effort.rounds)
        ],
        "live": [
            row
            for count in counts(live.COUNTS)
            for row in alone(live.measure, count, effort.rounds)
        ],
        "policies": [
            policies.measure(kind, count, effort.repeats)
            for kind in origins.KINDS
            for count in counts(policies.COUNTS)
        ],
        "routes": alone(routes.measure_requests, effort.rounds),
        "policy_table": [
            alone(routes.measure_table, count, layout, effort.repeats)
            for layout in routes.POLICIES
            for count in routes.COUNTS
        ],
        "starting": starting.measure(),
        "hostile": [
            row
            for request in hostile.REQUESTS
            for row in alone(hostile.measure, request, effort.repeats)
        ],
        "server": server.measure(effort.repeats, effort.server_seconds),
    }


def tables(results: Results) -> dict[str, Table]:
    return {
        **overhead.tables(results["requests"]),
        "origins": origins.table(results["origins"]),
        "live": live.table(results["live"]),
        "policies": policies.table(results["policies"]),
        "routes": routes.request_table(results["routes"]),
        "policy-table": routes.policy_table(results["policy_table"]),
        "starting": starting.table(results["starting"]),
        "hostile": hostile.table(results["hostile"]),
        "server": server.table(results["server"]),
    }
