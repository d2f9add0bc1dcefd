"""What comes while the app runs, in many threads at once: rules that Werkzeug's map takes, and
receivers that blinker takes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_corsguard import CorsGuard, cors, origin_allowed

from .threads import frequent_switches, run_together

SHOP = "https://shop.example"
THREADS = 8
APPS = 3


def ask(app: Flask, path: str, origin: str) -> tuple[str, str | None]:
    environ = EnvironBuilder(path).get_environ() | {"HTTP_ORIGIN": origin}
    _, status, headers = run_wsgi_app(app, environ)
    return status, headers.get("Access-Control-Allow-Origin")


def test_first_requests_for_late_rules() -> None:
    for _ in range(APPS):
        app = Flask("shop", static_folder=None)
        CorsGuard(app)
        for n in range(150):  # so that it takes a while to work out what they mean together
            app.add_url_rule(f"/{n}", str(n), lambda: "ok")
        ask(app, "/0", SHOP)
        origins = [f"https://late{n}.example" for n in range(THREADS)]
        for n, origin in enumerate(origins):
            app.view_functions[f"late{n}"] = cors(origins=origin)(lambda: "late")
            app.url_map.add(Rule(f"/late/{n}", endpoint=f"late{n}", methods=["GET"]))
        with frequent_switches():
            run_together(partial(ask_all, app, origins, n) for n in range(THREADS))


def ask_all(app: Flask, origins: list[str], first: int) -> None:
    """Each of the late rules lets one origin read."""
    for n in (*range(first, THREADS), *range(first)):
        assert ask(app, f"/late/{n}", origins[n]) == ("200 OK", origins[n])


def test_receivers_that_change_while_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blinker fails then, in receivers_for()."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    listed = origin_allowed.receivers_for
    failures = iter([RuntimeError("dictionary changed size during iteration")])

    def list_receivers(sender: Flask) -> Iterator[Any]:
        for failure in failures:
            raise failure
        yield from listed(sender)

    monkeypatch.setattr(origin_allowed, "receivers_for", list_receivers)
    with origin_allowed.connected_to(lambda sender, decision: None, app):
        assert ask(app, "/", SHOP) == ("200 OK", SHOP)
