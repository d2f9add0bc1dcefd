"""What the commands and the audit say of an app with ``compat`` is what its pages get."""

from __future__ import annotations

import random
import re

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_corsguard import CorsGuard, compat
from flask_corsguard.audit import audit
from flask_corsguard.cli import cors
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.state import state_of
from flask_corsguard.simulate import simulate
from tests.compat.random_apps import KINDS, PATHS, app_of
from tests.compat.side_by_side import PAGES, SERVER, ask, questions

# Nobody knows what a view does, or a function before it.
_KNOWN = [path for path in PATHS if not path.endswith(("/by-hand", "/fails"))]
_WITHOUT_DECORATORS = [each for each in KINDS if "decorators" not in each and each != "refusing"]
APP, OTHER = "https://app.example.com", "https://other.example"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", _WITHOUT_DECORATORS)
def test_check_says_what_happens(kind: str, seed: int) -> None:
    app = app_of(compat, kind, seed)
    state = state_of(app)
    pages = [page for page in PAGES if page != "null"]
    for question in random.Random(seed).sample([*questions(_KNOWN, pages)], 50):
        page, path, method, headers, credentials = question
        said = simulate(
            state,
            f"{SERVER}{path}",
            origin=page,
            method=method,
            headers=[f"{name}: {value}" for name, value in headers],
            credentials=credentials == "include",
        )
        assert said.response.readable == ask(app, question).readable, question


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", _WITHOUT_DECORATORS)
def test_a_route_says_at_least_who_reads(kind: str, seed: int) -> None:
    app = app_of(compat, kind, seed)
    rows = {(id(row.url_rule), row.prefix): row for row in CorsGuard().routes(app)}
    paths = state_of(app).current().table.paths
    exact = 0
    for path in _KNOWN:
        try:
            rule, _ = app.url_map.bind("api.example").match(path, return_rule=True)
        except HTTPException:
            continue
        # A mark of its own counts under every prefix, and has one row.
        (row,) = {
            rows.get((id(rule), paths.longest(path)))
            or next(row for (known, _), row in rows.items() if known == id(rule))
        }
        for page in PAGES[:4]:
            decision = decide(row.policy, CorsRequest(page, "GET"))
            listed = decision.outcome is Outcome.ALLOWED
            readable = next(ask(app, each).readable for each in questions([path], [page]))
            assert listed >= readable, (path, page)
            exact += not row.may_differ
            # A path that is encoded twice is decoded once more for its pattern.
            assert listed == readable or row.may_differ or "%" in path, (path, page)
    assert exact


def _shop() -> Flask:
    app = Flask("shop")
    app.secret_key = "x"
    compat.CORS(
        app,
        resources={
            r"/api/v\d+/public/*": {"origins": "*"},
            r"/admin/*": {"origins": [APP], "supports_credentials": True},
            r"/feed\.(json|xml)$": {"origins": "*"},
            r"/api/*": {"origins": [OTHER]},
        },
    )
    for rule in (
        "/admin/users",
        "/admin/users/<int:number>",
        "/api/v1/public/prices",
        "/api/<path:rest>",
        "/feed.json",
        "/feed.xml",
        "/feed.txt",
        "/<name>.json",
        "/login",
        "/settings",
    ):
        app.add_url_rule(rule, rule, lambda **_: "", methods=["GET", "POST"])
    return app


_BOUND = "flask_corsguard.compat narrows it by pattern"


def test_routes() -> None:
    """A closed route is shown as closed, even where another one's pattern admits everybody."""
    rows = CorsGuard().routes(_shop())
    assert {row.rule: (row.policies[0].origins, row.may_differ) for row in rows} == {
        "/static/<path:filename>": ((), False),
        "/admin/users": ((APP,), False),
        "/admin/users/<int:number>": ((APP,), False),
        "/api/v1/public/prices": ("*", False),
        "/api/<path:rest>": ("*", True),
        "/feed.json": ("*", False),
        "/feed.xml": ("*", False),
        "/feed.txt": ((), False),
        "/<name>.json": ("*", True),
        "/login": ((), False),
        "/settings": ((), False),
    }
    said = _shop().test_cli_runner().invoke(cors, ["routes", "--path", "/x.json"]).output
    assert re.split(" {2,}", said)[2] == (
        "at most everyone (*); GET, HEAD, POST, OPTIONS, PUT, PATCH, DELETE; views may override;"
        f" {_BOUND}"
    )


def test_audit() -> None:
    app = _shop()
    app.add_url_rule("/feed<name>/login", "logins", lambda **_: "", methods=["POST"])
    found = {
        (f.rule.code, route.rule): f.message.removeprefix("In 1: ")
        for f in audit(app).findings
        for route in f.routes
        if f.rule.code != "views_may_override"
    }
    no_enforce = "allow_credentials=True without enforce."
    assert found == {
        ("credentials_without_enforce", "/admin/users"): no_enforce,
        ("credentials_without_enforce", "/admin/users/<int:number>"): no_enforce,
        ("any_origin_next_to_login", "/feed<name>/login"): (
            f"origins='*' covers a login. This is an upper bound: {_BOUND}."
        ),
    }
