"""What a request costs with more origins in the policy, up to a million."""

import itertools
from collections.abc import Callable
from typing import TypedDict

import flask_cors
from flask import Flask

from flask_corsguard import CorsGuard

from . import apps
from .requests import MADE_UP, Environ, get
from .tables import Table, times
from .timing import Contender, Spread, ratio, turns

COUNTS = (1, 3, 100, 10_000, 1_000_000)
# It tries its origins one by one.
MOST_FOR_FLASK_CORS = 10_000
KINDS = {"exact": "https://t{}.example", "wildcard": "https://*.t{}.example"}
# Far from each other in the list, and prime, so that in time all of them have a turn.
_STRIDE = 611_953


class Row(TypedDict):
    """A policy of so many origins of a kind, asked in one way.

    :ivar to_one: CorsGuard's time as a multiple of its time for a policy of one origin.
    :ivar to_bare: CorsGuard's time as a multiple of bare Flask's.
    """

    kind: str
    asked: str
    origins: int
    to_one: Spread
    to_bare: Spread
    flask_cors_to_bare: Spread | None


def origin(kind: str, number: int) -> str:
    """An origin that is on the list, or below the wildcard that is."""
    return KINDS[kind].format(number).replace("*", "www")


def one(kind: str, count: int) -> Callable[[int], str]:
    asking = origin(kind, count // 2)
    return lambda turn: asking


def each(kind: str, count: int) -> Callable[[int], str]:
    if kind == "exact":
        return lambda turn: origin(kind, turn * _STRIDE % count)
    return lambda turn: f"https://u{turn}.t{turn * _STRIDE % count}.example"


def made_up(kind: str, count: int) -> Callable[[int], str]:
    return lambda turn: f"https://u{turn}.evil.example"


# Who asks: given the turn, an origin.
ASKED = {"one, again and again": one, "each in turn": each, "made-up ones": made_up}


def measure(kind: str, counts: tuple[int, ...], rounds: int) -> list[Row]:
    guarded, theirs = {}, {}
    for count in counts:
        guarded[count] = app = apps.bare()
        CorsGuard(app, origins=[KINDS[kind].format(number) for number in range(count)])
        if count <= MOST_FOR_FLASK_CORS:
            theirs[count] = app = apps.bare()
            flask_cors.CORS(app, origins=[for_flask_cors(kind, number) for number in range(count)])
    return [row for asked in ASKED for row in measure_asked(kind, asked, guarded, theirs, rounds)]


def measure_asked(
    kind: str, asked: str, guarded: dict[int, Flask], theirs: dict[int, Flask], rounds: int
) -> list[Row]:
    contenders = {"bare": contender(apps.bare(), ASKED[asked](kind, 1))}
    for name, made in (("guard", guarded), ("Flask-CORS", theirs)):
        for count, app in made.items():
            contenders[f"{name} {count}"] = found = contender(app, ASKED[asked](kind, count))
            check(app, found.make(), asked)
    taken = turns(contenders, rounds)
    return [
        {
            "kind": kind,
            "asked": asked,
            "origins": count,
            "to_one": ratio(taken[f"guard {count}"], taken["guard 1"]),
            "to_bare": ratio(taken[f"guard {count}"], taken["bare"]),
            "flask_cors_to_bare": ratio(taken[f"Flask-CORS {count}"], taken["bare"])
            if count in theirs
            else None,
        }
        for count in guarded
    ]


def for_flask_cors(kind: str, number: int) -> str:
    """It has no wildcards: a string that looks like a regular expression is taken for one."""
    return KINDS[kind].format(number) if kind == "exact" else rf"https://.*\.t{number}\.example"


def contender(app: Flask, origin_at: Callable[[int], str]) -> Contender:
    environ = get(origin=MADE_UP).environ()
    turn = itertools.count()
    return Contender(apps.player(app), lambda: {**environ, "HTTP_ORIGIN": origin_at(next(turn))})


def check(app: Flask, environ: Environ, asked: str) -> None:
    """An app that does not do its work is not worth timing."""
    _, headers = apps.answer(app, environ)
    wanted = None if asked == "made-up ones" else environ["HTTP_ORIGIN"]
    if headers.get("Access-Control-Allow-Origin") != wanted:
        raise RuntimeError(f"{environ['HTTP_ORIGIN']} is answered with {headers}")


def table(rows: list[Row]) -> Table:
    columns = ("Origins", "Asked by", "To one origin", "To bare Flask", "Flask-CORS, to bare Flask")
    return Table(
        "A request, by origins in the policy",
        columns,
        [
            (
                f"{row['origins']:,} {row['kind']}",
                row["asked"],
                times(row["to_one"]),
                times(row["to_bare"]),
                times(row["flask_cors_to_bare"]),
            )
            for row in rows
        ],
    )
