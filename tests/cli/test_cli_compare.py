"""``flask cors compare``: what it prints, and with what it exits."""

import json
from pathlib import Path

import pytest

from flask_corsguard.cli.compare import lines
from flask_corsguard.compare.differences import AppDifference, Comparison
from tests.cli.command_line import flask, run

A = "https://a.example"


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    """Two versions of an app, of which the second lets somebody in and somebody else out."""
    for name, origins in (("old", [A, "https://old.example"]), ("new", [A, "https://new.example"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.py").write_text(
            "from flask import Flask\nfrom flask_corsguard import CorsGuard\n"
            "print('loaded')\napp = Flask(__name__, static_folder=None)\n"
            f"CorsGuard(app, origins={origins})\n"
            "app.add_url_rule('/<int:number>', 'item', lambda number: '', methods=['PUT'])\n"
        )
    return tmp_path


def test_text(apps: Path) -> None:
    ran = flask(apps, "cors", "compare", "old/shop.py", "new/shop.py")
    assert (ran.code, ran.err) == (1, "loaded\nloaded\n")
    assert (
        ran.out
        == """\
wider
  A browser sends a request that it did not send (only without credentials).
  Where: PUT /<int:number>
  Pages: https://new.example
  Headers: Content-Type, none
  fetch("https://localhost/1", {method: "PUT", headers: {"Content-Type": "application/json"}})
  Before: 403, preflight_status
  After: 204, the preflight passes
    Access-Control-Allow-Origin: https://new.example
    Access-Control-Allow-Headers: Content-Type
    Access-Control-Max-Age: 600
    Access-Control-Allow-Methods: OPTIONS, PUT

wider
  A page can read a response that it could not read (only without credentials).
  Where: GET /corsguard-compare
  Pages: https://new.example
  fetch("https://localhost/corsguard-compare")
  Before: 404, allow_origin_missing
  After: 404, readable
    Access-Control-Allow-Origin: https://new.example

narrower
  A browser no longer sends a request (only without credentials).
  Where: PUT /<int:number>
  Pages: https://old.example
  Headers: Content-Type, none
  fetch("https://localhost/1", {method: "PUT", headers: {"Content-Type": "application/json"}})
  Before: 204, the preflight passes
    Access-Control-Allow-Origin: https://old.example
    Access-Control-Allow-Headers: Content-Type
    Access-Control-Max-Age: 600
    Access-Control-Allow-Methods: OPTIONS, PUT
  After: 403, preflight_status

narrower
  A page can no longer read a response (only without credentials).
  Where: GET /corsguard-compare
  Pages: https://old.example
  fetch("https://localhost/corsguard-compare")
  Before: 404, readable
    Access-Control-Allow-Origin: https://old.example
  After: 404, allow_origin_missing

not compared: 1 of the routes' methods, for which only preflights were sent.

2 routes and paths, 26 requests to each app: 2 wider, 2 narrower.
"""
    )


def test_json(apps: Path) -> None:
    ran = run(["compare", f"{apps}/old/shop.py", f"{apps}/new/shop.py", "--json"])
    told = json.loads(ran.out)
    assert [*told] == ["before", "after", *Comparison._fields]
    assert [*told["differences"][0]] == [*AppDifference._fields]
    assert ran.code == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [("", 1), ("--fail-on any", 1), ("--fail-on wider", 0), ("--skip * --fail-on any", 0)],
)
def test_exit_codes(tmp_path: Path, options: str, code: int) -> None:
    for name, origin in (("wide", "*"), ("narrow", A)):
        (tmp_path / f"{name}.py").write_text(
            "from flask import Flask\nfrom flask_corsguard import CorsGuard\n"
            f"app = Flask(__name__)\nCorsGuard(app, origins={origin!r})\n"
        )
    ran = run(f"compare {tmp_path}/wide.py {tmp_path}/narrow.py {options}")
    assert ran.code == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.py none.py", "Error: none.py: Could not import 'none'.\n"),
        ("none.py none.py --origin a.example", "Error: --origin: write https://app.example.com"),
        ("none.py none.py --seconds 0", "Error: Invalid value for '--seconds'"),
    ],
)
def test_errors(arguments: str, message: str) -> None:
    ran = run(f"compare {arguments}")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize(("number", "more"), [(1, ""), (200, ""), (203, "; and 3 more")])
def test_every_route_is_named(number: int, more: str) -> None:
    """A change of many routes is read for the one that should not be among them."""
    routes = tuple(f"GET /{each}" for each in range(number))
    differing = AppDifference(
        "wider", "read", "A page can read", "any", routes, (A,), ("",), 9, "fetch()", ("",), ("",)
    )
    texts = [line.text for line in lines(Comparison((differing,), (A,), (), number, 9))]
    assert f"Where: {'; '.join(routes[:200])}{more}" in texts
