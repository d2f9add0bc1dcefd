"""The routes that a person has asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flask_corsguard.inspector.origin_grid import (
    STRANGERS,
    Column,
    Grid,
    Row,
    RowGroup,
    Sign,
    columns_of,
    grouped,
)
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH, parse_origin
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState

#: How the inspector's own endpoints begin.
PREFIX = "corsguard_inspector."
#: More rows than this are grouped by policy, unless the person says otherwise.
MANY_ROWS = 60
_MAX_LENGTH = 200


class RouteFilter(NamedTuple):
    """What a person wants to see.

    :ivar path: part of a rule.
    :ivar endpoint: part of an endpoint.
    :ivar method: a method, or "".
    :ivar origin: only routes that this origin may read, or "".
    :ivar by: ``route`` or ``policy``, or "" for whichever fits the number of rows.
    """

    path: str
    endpoint: str
    method: str
    origin: str
    by: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> RouteFilter:
        """Read it from a query."""
        path, endpoint, method = (
            query.get(name, "").strip()[:_MAX_LENGTH] for name in ("path", "endpoint", "method")
        )
        origin = query.get("origin", "").strip()[:MAX_ORIGIN_LENGTH]
        by = query.get("by", "")
        return cls(path, endpoint, method.upper(), origin, by if by in ("route", "policy") else "")

    def fits(self, route: Route) -> bool:
        """Whether a route fits, leaving the origin aside."""
        return (
            self.path.lower() in route.rule.lower()
            and self.endpoint.lower() in route.endpoint.lower()
            and (not self.method or self.method in route.methods)
        )


class FilteredRoutes(NamedTuple):
    """The routes to show, and numbers about all of them.

    :ivar columns: one for each origin.
    :ivar left_out: how many origins that policies name have no column.
    :ivar rows: one for each route; empty if *groups* has them.
    :ivar groups: the rows grouped by policy, or empty.
    :ivar shown: how many routes are shown.
    :ivar total: how many routes there are.
    :ivar policies: how many different policies the routes have.
    :ivar open_to_all: how many routes anybody may read.
    :ivar with_credentials: how many routes let others use the user's cookies.
    :ivar exempt: how many routes the guard leaves alone.
    :ivar several: whether a route has several policies.
    :ivar methods: every method that a route accepts.
    :ivar odd_origin: whether no browser sends the origin that was asked for.
    """

    columns: Sequence[Column]
    left_out: int
    rows: Sequence[Row]
    groups: Sequence[RowGroup]
    shown: int
    total: int
    policies: int
    open_to_all: int
    with_credentials: int
    exempt: int
    several: bool
    methods: Sequence[str]
    odd_origin: bool


def filtered_routes(state: AppState, wanted: RouteFilter) -> FilteredRoutes:
    """The app's routes, without those of the inspector itself.

    :raises PolicyError: if the policy of any route cannot be used.
    """
    routes = [
        route for route in state.current().table.routes() if not route.endpoint.startswith(PREFIX)
    ]
    routes.sort(key=lambda route: (route.rule, route.methods))
    columns, left_out = columns_of(routes)
    columns += STRANGERS
    origin = wanted.origin
    if origin:
        # In front, even if it has a column already.
        columns = [Column(origin, origin), *(c for c in columns if c.label != origin)]
    grid = Grid(columns)
    rows = [grid.row(route) for route in routes if wanted.fits(route)]
    if origin:
        rows = [row for row in rows if row.cells[0].sign not in (Sign.NO, Sign.EXEMPT)]
    governed = [route.policies for route in routes if route.policies]
    by_policy = wanted.by == "policy" or (not wanted.by and len(rows) > MANY_ROWS)
    return FilteredRoutes(
        columns=columns,
        left_out=left_out,
        rows=() if by_policy else rows,
        groups=grouped(rows) if by_policy else (),
        shown=len(rows),
        total=len(routes),
        policies=len({policy for policies in governed for policy in policies}),
        # Of several policies, only the last one can be open to everyone.
        open_to_all=sum(policies[-1].origins == "*" for policies in governed),
        with_credentials=sum(any(p.allow_credentials for p in policies) for policies in governed),
        exempt=len(routes) - len(governed),
        several=any(len(policies) > 1 for policies in governed),
        methods=sorted({method for route in routes for method in route.methods}),
        odd_origin=bool(origin)
        and origin != "null"
        and parse_origin(origin) is None
        and not any(origin in p.compiled.raw for policies in governed for p in policies),
    )
