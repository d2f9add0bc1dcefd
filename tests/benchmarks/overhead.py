"""What a request costs in each app, as a multiple of bare Flask."""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from . import apps, asgi
from .requests import ORIGIN, REQUESTS, Request
from .tables import Table, times
from .timing import Contender, Spread, ratio, spread, turns

BASE = "bare Flask"
OURS, THEIRS = "CorsGuard", "Flask-CORS"
#: What the guard adds to a request, as a share of what Flask-CORS adds.
SHARE = "CorsGuard's addition, as a share of Flask-CORS's"
_WITHOUT_CORS = {BASE, "two empty hooks", "bare Starlette"}

Overhead: TypeAlias = dict[str, dict[str, Spread]]


def measure(rounds: int) -> Overhead:
    return {name: measure_request(request, rounds) for name, request in REQUESTS.items()}


def measure_request(request: Request, rounds: int) -> dict[str, Spread]:
    taken = turns(contenders(request), rounds)
    found = {name: ratio(seconds, taken[BASE]) for name, seconds in taken.items()}
    found["Starlette's middleware, to bare Starlette"] = ratio(
        taken["Starlette's middleware"], taken["bare Starlette"]
    )
    of_each_round = zip(taken[OURS], taken[THEIRS], taken[BASE], strict=True)
    found[SHARE] = spread([(ours - bare) / (theirs - bare) for ours, theirs, bare in of_each_round])
    return found


def medians(named: Mapping[str, Collection[str]], rounds: int) -> dict[tuple[str, str], float]:
    """Of some apps only.

    :param named: their names, by request.
    """
    found = {}
    for asked, names in named.items():
        taken = turns(contenders(REQUESTS[asked], {BASE, *names}), rounds)
        found |= {(asked, name): ratio(taken[name], taken[BASE])["median"] for name in names}
    return found


def contenders(request: Request, names: Collection[str] | None = None) -> dict[str, Contender]:
    """All of them, or those that are named."""
    makers = {**apps.APPS, "two hooks that write the same": lambda: apps.writing_hooks(request)}
    environ = request.environ()
    found = {}
    for name, make in makers.items():
        if names is not None and name not in names:
            continue
        app = make()
        check(name, request, *apps.answer(app, environ.copy()))
        found[name] = apps.contender(app, environ)
    for name, make in asgi.STARLETTE_APPS.items() if names is None else ():
        check(name, request, *asgi.answer(make(), request))
        found[name] = asgi.contender(make(), request)
    return found


def check(name: str, request: Request, status: int, headers: Iterable[tuple[str, str]]) -> None:
    """An app that does not do its work is not worth timing."""
    allowed = [value for key, value in headers if key.lower() == "access-control-allow-origin"]
    origin = request.headers.get("origin")
    wanted = [ORIGIN] if origin == ORIGIN and name not in _WITHOUT_CORS else []
    # Flask-CORS names a single origin to anybody who asks, a page or not.
    if status not in (200, 204) or (origin and allowed != wanted):
        raise RuntimeError(f"{name} answers {request.method} with {status} and {allowed}")


def tables(found: Overhead) -> dict[str, Table]:
    names = list(REQUESTS)
    everything = [name for name in found[names[0]] if name not in (BASE, SHARE)]
    extras = [name for name in everything if name.startswith((OURS, THEIRS))]
    return {
        "requests": table(found, names[:4], everything),
        "own-pages": table(found, names[4:], extras),
    }


def table(found: Overhead, requests: list[str], names: list[str]) -> Table:
    rows = [(name, *(times(found[request][name]) for request in requests)) for name in names]
    return Table("A request, as a multiple of bare Flask's", ("", *requests), rows)
