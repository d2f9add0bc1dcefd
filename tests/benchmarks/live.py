"""What a request costs with a list that a source gives, as a multiple of the same list written in
the policy."""

import itertools
from collections.abc import Iterable
from typing import TypedDict

from flask import Flask

from flask_corsguard import CorsGuard, Policy

from . import apps, origins
from .requests import get
from .tables import Table, times
from .timing import Contender, Spread, ratio, turns

COUNTS = (10_000, 50_000, 1_000_000)
#: How the store behaves, once a second.
STORES = ("has no change", "has a change each time", "has gone")
ASKED = {**origins.ASKED, "without Origin": None}


class Row(TypedDict):
    """A list of so many exact origins in a store, asked in one way.

    :ivar to_static: its time as a multiple of the written list's.
    """

    origins: int
    store: str
    asked: str
    to_static: Spread


class Store:
    """A source whose rows change in the way of a store."""

    def __init__(self, rows: list[str], behaviour: str) -> None:
        self._rows = rows
        self._behaviour = behaviour
        self._versions = itertools.count(1)

    def load(self) -> tuple[int, Iterable[str]]:
        return 0, self._rows

    def changes(self, since: int) -> tuple[int, list[str], list[str]]:
        if self._behaviour == "has gone":
            raise ConnectionError
        if self._behaviour == "has no change":
            return since, [], []
        number = next(self._versions)
        return number, [f"https://new{number}.example"], [f"https://new{number - 1}.example"]


def measure(count: int, rounds: int, stores: Iterable[str] = STORES) -> list[Row]:
    rows = [origins.origin("exact", number) for number in range(count)]
    policy = Policy(origins=rows)
    found: list[Row] = []
    for store in stores:
        # Both anew, so that neither has seen any of the origins.
        static, live = apps.bare(), apps.bare()
        CorsGuard(static, policy)
        CorsGuard(live, origins=[Store(rows, store)])
        live.extensions["corsguard"].load_sources()
        for asked in ASKED:
            taken = turns(
                {"static": contender(static, asked, count), "live": contender(live, asked, count)},
                rounds,
            )
            row: Row = {
                "origins": count,
                "store": store,
                "asked": asked,
                "to_static": ratio(taken["live"], taken["static"]),
            }
            found.append(row)
    return found


def contender(app: Flask, asked: str, count: int) -> Contender:
    origin_at = ASKED[asked]
    if origin_at is None:
        environ = get().environ()
        return Contender(apps.player(app), environ.copy)
    made = origins.contender(app, origin_at("exact", count))
    origins.check(app, made.make(), asked)
    return made


def table(rows: list[Row]) -> Table:
    return Table(
        "A request, by what the store does, to the same list in the policy",
        ("Origins", "The store", "Asked by", "To the written list"),
        [
            (f"{row['origins']:,}", row["store"], row["asked"], times(row["to_static"]))
            for row in rows
        ],
    )
