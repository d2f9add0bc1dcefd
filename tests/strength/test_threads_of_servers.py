"""Real servers answer many requests at once while the app's settings change."""

import itertools
import threading
from functools import partial
from pathlib import Path

import pytest

from .served import PARTNER, SETTINGS, SHOP
from .servers import SERVERS, Answer, send
from .threads import run_together

CLIENTS = 8
CHANGES = 30
# On a busy machine, until each request has met both settings.
MOST_CHANGES = 100 * CHANGES
SERVED_AT_ONCE = ("gunicorn gthread", "gunicorn gevent", "waitress", "Werkzeug")

VARY = ("Vary", "Origin")
PREFLIGHT_VARY = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
REFUSED = (403, [("Vary", "Origin, Sec-Fetch-Site, Accept")])


def answer(status: int, origin: str, *others: tuple[str, str]) -> tuple[int, list[tuple[str, str]]]:
    lines = [("Allow-Origin", origin), *others]
    named = [(f"Access-Control-{name}", value) for name, value in lines]
    return status, sorted([*named, PREFLIGHT_VARY if status == 204 else VARY])


ONE = (("Allow-Credentials", "true"), ("Expose-Headers", "X-One"))
TWO = (("Expose-Headers", "X-Two"),)
ONE_ASKED = (
    ("Allow-Credentials", "true"),
    ("Allow-Headers", "X-One"),
    ("Allow-Methods", "GET, HEAD, OPTIONS, POST, PUT"),
    ("Max-Age", "1"),
)
TWO_ASKED = (("Allow-Headers", "X-Two, X-One"), ("Allow-Methods", "PUT, DELETE"), ("Max-Age", "2"))

# What is asked, and the answers under each of the settings.
EXPECTED = [
    ("GET", SHOP, answer(200, SHOP, *ONE), answer(200, SHOP, *TWO)),
    ("GET", PARTNER, (200, [VARY]), answer(200, PARTNER, *TWO)),
    ("POST", SHOP, answer(200, SHOP, *ONE), answer(200, SHOP, *TWO)),
    ("POST", PARTNER, REFUSED, answer(200, PARTNER, *TWO)),
    ("POST", "https://evil.example", REFUSED, (200, [VARY])),
    ("OPTIONS", SHOP, answer(204, SHOP, *ONE_ASKED), answer(204, SHOP, *TWO_ASKED)),
    ("OPTIONS", PARTNER, (403, [PREFLIGHT_VARY]), answer(204, PARTNER, *TWO_ASKED)),
]


def ask(port: int, method: str, path: str, origin: str | None = None) -> Answer:
    lines = [f"{method} {path} HTTP/1.1", "Host: api.example", "Connection: close"]
    if origin:
        lines.append(f"Origin: {origin}")
    if method == "OPTIONS":
        asked = ("Method: PUT", "Headers: x-one")
        lines += [f"Access-Control-Request-{line}" for line in asked]
    if method == "POST":
        lines.append("Content-Length: 0")
    (found,) = send(port, "\r\n".join([*lines, "", ""]).encode())
    return found


@pytest.mark.parametrize("name", SERVED_AT_ONCE)
def test_settings_that_change(name: str, tmp_path: Path) -> None:
    server = SERVERS[name]
    server.require()
    done = threading.Event()
    seen: set[tuple[int, str | None]] = set()

    def change(port: int) -> None:
        try:
            for number in range(MOST_CHANGES):
                if number >= CHANGES and len(seen) == 2 * len(EXPECTED):
                    break
                path = f"/settings/{number % len(SETTINGS)}"
                assert ask(port, "POST", path).status == 200
        finally:
            done.set()

    def ask_all(port: int) -> None:
        for number in itertools.cycle(range(len(EXPECTED))):
            if done.is_set():
                break
            method, origin, one, two = EXPECTED[number]
            found = ask(port, method, "/", origin)
            decided_by = found.get("X-Policy")
            assert (found.status, found.cors) == {"1": one, "2": two}[decided_by or ""]
            seen.add((number, decided_by))

    with server.running(tmp_path, {"SERVED_CALLS_WAIT": "1"}) as port:
        assert ask(port, "POST", "/settings/0").status == 200
        run_together([partial(change, port), *[partial(ask_all, port)] * CLIENTS])
    assert seen == set(itertools.product(range(len(EXPECTED)), ("1", "2")))
