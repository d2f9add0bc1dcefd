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

# Each has another answer under each of the settings.
REQUESTS = [
    *itertools.product(("GET", "POST", "OPTIONS"), (SHOP, PARTNER)),
    ("POST", "https://evil.example"),
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
    # By the policy that decides: what each request comes to while nothing changes.
    alone: dict[str | None, list[tuple[int, list[tuple[str, str]]]]] = {}

    def put_in_force(port: int, setting: int) -> None:
        assert ask(port, "POST", f"/settings/{setting}").status == 200

    def change(port: int) -> None:
        try:
            for number in range(MOST_CHANGES):
                if number >= CHANGES and len(seen) == 2 * len(REQUESTS):
                    break
                put_in_force(port, number % len(SETTINGS))
        finally:
            done.set()

    def ask_all(port: int) -> None:
        for number in itertools.cycle(range(len(REQUESTS))):
            if done.is_set():
                break
            method, origin = REQUESTS[number]
            found = ask(port, method, "/", origin)
            decided_by = found.get("X-Policy")
            assert (found.status, found.cors) == alone[decided_by][number]
            seen.add((number, decided_by))

    with server.running(tmp_path, {"SERVED_CALLS_WAIT": "1"}) as port:
        for setting, policy in enumerate(("1", "2")):
            put_in_force(port, setting)
            answers = [ask(port, method, "/", origin) for method, origin in REQUESTS]
            assert {answer.get("X-Policy") for answer in answers} == {policy}
            alone[policy] = [(answer.status, answer.cors) for answer in answers]
        assert not any(one == two for one, two in zip(*alone.values(), strict=True))
        run_together([partial(change, port), *[partial(ask_all, port)] * CLIENTS])
    assert seen == set(itertools.product(range(len(REQUESTS)), ("1", "2")))
