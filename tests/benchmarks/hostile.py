"""What a header of up to 60 kB costs, as a multiple of the same request without it."""

from typing import TypedDict

from flask import Flask

from flask_corsguard import CorsGuard

from . import apps
from .requests import MADE_UP, ORIGIN, Environ, get, preflight
from .tables import Table, times
from .timing import Contender, Spread, ratio, turns

SIZES = (1_000, 8_000, 60_000)

REQUESTS = {
    "preflight": preflight(),
    "refused POST": get(origin=MADE_UP)._replace(method="POST"),
    "refused POST without Origin": get(sec_fetch_site="cross-site")._replace(method="POST"),
}

# By header: what its value begins with, and what is repeated until it is as long as wanted.
_ANY = (("", "x"), ("", "x,"), ("", " "), ("", "\xe4"))
FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "Origin": (*_ANY, ("https://", "a."), ("https://[", ":"), (ORIGIN, " "), ("https://a:", "1")),
    "Access-Control-Request-Headers": (*_ANY, ("", ","), ("", "a, \t"), ("content-type", " ")),
    "Access-Control-Request-Method": (*_ANY, ("GET", " "), ("", "GET")),
    "Access-Control-Request-Private-Network": (*_ANY, ("true", " ")),
    "Sec-Fetch-Site": (*_ANY, ("same-origin", " ")),
    "Host": (*_ANY, ("", "a."), ("[", ":"), ("localhost:", "1")),
    "Upgrade": (*_ANY, ("websocket", ","), ("", "websocket, ")),
    "Accept": (*_ANY, ("", "a/b,"), ("text/html;q=0.", "1"), ("text/html", ";a=b")),
    "Referer": _ANY,
}


class Row(TypedDict):
    """One header of one request, in the form that costs most when it is longest.

    :ivar form: how the value begins.
    :ivar to_ordinary: CorsGuard's time as a multiple of its time without the header, by size.
    :ivar bare_flask_to_ordinary: the same for bare Flask and the longest value.
    """

    request: str
    header: str
    form: str
    to_ordinary: dict[str, Spread]
    bare_flask_to_ordinary: Spread


def measure(name: str, rounds: int) -> list[Row]:
    return [measure_header(name, header, rounds) for header in FORMS]


def measure_header(name: str, header: str, rounds: int, sizes: tuple[int, ...] = SIZES) -> Row:
    guarded, bare = app_of(guarded=True), app_of(guarded=False)
    environ = REQUESTS[name].environ()
    check(guarded, environ)
    contenders: dict[tuple[str, str, int], Contender] = {
        ("guard", "", 0): apps.contender(guarded, environ),
        ("bare", "", 0): apps.contender(bare, environ),
    }
    for start, repeated in FORMS[header]:
        form = (start + repeated * 20)[:20]
        for size in sizes:
            value = (start + repeated * size)[:size]
            contenders["guard", form, size] = contender(guarded, environ, header, value)
        contenders["bare", form, sizes[-1]] = contender(bare, environ, header, value)
    taken = turns(contenders, rounds)
    to_ordinary = {key: ratio(times, taken[key[0], "", 0]) for key, times in taken.items()}
    dearest = max(
        (key for key in taken if key[0] == "guard" and key[1]),
        key=lambda key: to_ordinary[key]["median"],
    )[1]
    return {
        "request": name,
        "header": header,
        "form": dearest,
        "to_ordinary": {str(size): to_ordinary["guard", dearest, size] for size in sizes},
        "bare_flask_to_ordinary": to_ordinary["bare", dearest, sizes[-1]],
    }


def contender(app: Flask, environ: Environ, header: str, value: str) -> Contender:
    key = f"HTTP_{header.upper().replace('-', '_')}"
    # Another string of the same characters each time, as a server would have it.
    return Contender(apps.player(app), lambda: {**environ, key: value[:1] + value[1:]})


def app_of(*, guarded: bool) -> Flask:
    app = Flask("hostile")

    @app.route("/items/<int:number>", methods=["GET", "POST"])
    def item(number: int) -> str:
        return str(number)

    if guarded:
        CorsGuard(app, origins=[ORIGIN], enforce="unsafe")
    return app


def check(app: Flask, environ: Environ) -> None:
    """An app that does not do its work is not worth timing."""
    status, _ = apps.answer(app, environ.copy())
    if status != (204 if environ["REQUEST_METHOD"] == "OPTIONS" else 403):
        raise RuntimeError(f"{environ['REQUEST_METHOD']} is answered with {status}")


def table(rows: list[Row]) -> Table:
    sizes = [f"{size // 1000} kB" for size in SIZES]
    return Table(
        "A request with one long header, as a multiple of the same without it",
        ("Request", "Header", *sizes, f"Bare Flask, {sizes[-1]}"),
        [
            (
                row["request"],
                row["header"],
                *map(times, row["to_ordinary"].values()),
                times(row["bare_flask_to_ordinary"]),
            )
            for row in rows
        ],
    )
