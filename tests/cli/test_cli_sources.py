"""``flask cors sources``, and what the other commands say of sources."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, cors, source_failed, source_refreshed
from tests.cli.command_line import Ran, made, run

A, B, C = "https://a.example", "https://b.example", "https://c.example"
HOST = "localhost:5000"


class Store:
    """A source; without rows, one that nobody can reach."""

    def __init__(self, name: str, rows: Iterable[Any] | None, by: Any = None) -> None:
        self.name = name
        self.rows = rows
        self.by = by

    def load(self) -> tuple[object, Iterable[Any]]:
        if self.rows is None:
            raise ConnectionError("nobody is there")
        return 7, self.rows


def _host(request: Any) -> object:
    return request.host


def _fails(request: Any) -> object:
    raise ValueError("no tenant")


PARTNERS = [A, "https://*.p.example", "http://plain.example", "b.example", 5]


def site(*, is_gone: bool = False) -> Flask:
    """An app with a source in its default policy, and one in each of some others."""
    app = Flask("site", static_folder=None)
    partners = Store("partners", None if is_gone else PARTNERS)
    CorsGuard(app, origins=[C, partners], allow_credentials=True, report_only={"origins": partners})
    tenants = Store("tenants", [(HOST, A), ("api.example", B)], _host)
    for rule, mark in {
        "/": None,
        "/short": cors(max_age=5),  # a policy of its own, which nothing but the table holds
        "/tenants": cors(origins=[tenants], origins_vary=["Host"]),
        "/fails": cors(origins=[Store("headers", [("x", A)], _fails)], origins_vary=["X-Tenant"]),
        "/list": cors([Policy(origins=partners), Policy(origins=B)]),
    }.items():
        view = (lambda: lambda: "")()
        app.add_url_rule(rule, rule, mark(view) if mark else view)
    return app


def in_words(ran: Ran) -> str:
    """The output, without ages and lines of code."""
    return re.sub(r"\d+\.\d s ", "N s ", re.sub(r"\S+\.py:\d+", "X.py:1", ran.out))


INSECURE = (
    "'http://plain.example': with allow_credentials=True: whoever controls the network in between"
    " can pose as that origin and act as the user. Write 'https://plain.example', or set"
    " dangerously_allow_insecure_origins=True"
)


def test_what_a_source_gives() -> None:
    ran = run("sources", site())
    assert (ran.code, ran.err) == (0, "")
    told = in_words(ran)
    for line in (
        "partners\n  3 rows, version 7, read N s ago\n  Left out:\n",
        f"    {INSECURE}\n",
        "    'b.example': ",
        "    5: a row must be a string",
        "  default, X.py:1: /\n",
        "  view /short, X.py:1: /short\n",
        "  view /list, policy 1 of 2, X.py:1: /list\n",
        "  report_only, X.py:1: /\n",
        "\ntenants\n  2 rows, version 7, read N s ago\n  view /tenants, X.py:1: /tenants\n",
        "guard.status()",
    ):
        assert line in told


def test_a_source_that_cannot_be_read() -> None:
    ran = run("sources", site(is_gone=True))
    assert ran.code == 1
    assert ran.err.startswith("Warning: partners has not been read: ConnectionError 'nobody is ")
    assert "  0 rows, never read\n  It admits nobody.\n  Last failure: Conn" in in_words(ran)


KEYS = ("name", "rows", "version", "age", "stale", "bad_rows", "last_failure")


@pytest.mark.parametrize("is_gone", [False, True])
def test_as_json(is_gone: bool) -> None:
    ran = run("sources --json", site(is_gone=is_gone))
    told = json.loads(ran.out)
    assert ran.code == is_gone
    assert [[source[key] for key in KEYS if key != "age"] for source in told[1:]] == [
        ["tenants", 2, "7", False, 0, None],
        ["headers", 1, "7", False, 0, None],
    ]
    first, used_by = told[0], told[0].pop("used_by")
    assert (first["stale"], first["age"] is None, first["bad_rows"]) == (
        (True, True, 0) if is_gone else (False, False, 3)
    )
    assert [(use["source"], use["policy"], use["rules"]) for use in used_by] == [
        ("default", "", ["/"]),
        ("view /short", "", ["/short"]),
        ("view /list", "policy 1 of 2", ["/list"]),
        ("report_only", "", ["/"]),
        ("view /short over report_only", "", ["/short"]),
    ]


def test_an_app_without_sources() -> None:
    assert run("sources") == Ran(0, "No policy uses a source.\n")
    assert run("sources --json", made()) == Ran(0, "[]\n")


def test_many_routes_and_bad_rows_are_a_few_lines() -> None:
    app = Flask("app", static_folder=None)
    CorsGuard(app, origins=Store("many", [A, *(f"bad{number}" for number in range(300))]))
    for number in range(9):
        app.add_url_rule(f"/{number}", f"{number}", lambda: "")
    told = run("sources", app)
    assert told.code == 0
    assert "    and 200 more\n" in told.out
    assert ": /0, /1, /2, and 6 more\n" in told.out


@pytest.mark.parametrize("columns", [40, 80])
def test_width_of_a_terminal(columns: int) -> None:
    seen = run("sources", site(is_gone=True), columns=columns).out
    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    assert max(map(len, lines)) <= columns


def test_what_a_store_says_is_escaped() -> None:
    app = Flask("app", static_folder=None)
    CorsGuard(app, origins=[Store("a\x1b[31m", ["\x1b[31m\u202e", A]), Store("b\x07", None)])
    app.add_url_rule("/", "index", lambda: "")
    for command in ("sources", f"check / --origin {B}", f"routes --origin {A}", "audit"):
        ran = run(command, app)
        assert not re.search("[\x07\x1b\u202e]", ran.out + ran.err), command


def test_nothing_is_sent_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []

    def hear(_: object, **values: object) -> None:
        heard.append(values)

    with source_refreshed.connected_to(hear), source_failed.connected_to(hear):
        for command in ("sources", f"check / --origin {B}", f"routes --origin {B}", "audit"):
            run(command, site(is_gone=True))
            run(command, site())
    assert (heard, caplog.messages) == ([], [])


ROWS = "the {} rows of partners, version 7, N s old"
STRICT, LAX = ROWS.format(2), ROWS.format(3)  # with credentials, and without
OF_TENANT = "the origins of the request's tenant in tenants (2 rows, version 7, N s old)"
MAY = "the origin may read the response"
FOUND = {
    # URL and origin -> the exit code, and what is found
    f"/ {A}": (0, f"{MAY}: it is among {STRICT}"),
    "/ https://x.p.example": (0, f"{MAY}: it is among {STRICT}"),
    f"/ {C}": (0, MAY),
    f"/ {B}": (1, f"the origin matches none of '{C}', and is not among {STRICT}"),
    f"/short {A}": (0, f"{MAY}: it is among {STRICT}"),
    f"/tenants {A}": (0, f"{MAY}: it is among {OF_TENANT}"),
    f"/tenants {B}": (1, f"the origin is not among {OF_TENANT}"),
    f"https://api.example/tenants {A}": (1, f"the origin is not among {OF_TENANT}"),
    f"https://api.example/tenants {B}": (0, f"{MAY}: it is among {OF_TENANT}"),
    f"/fails {A}": (
        1,
        "it is not known whether the origin may read: by of headers: ValueError 'no tenant' at"
        " X.py:1",
    ),
    f"/list {A}": (0, f"{MAY}: it is among {LAX}"),
    f"/list {B}": (0, MAY),
    f"/list {C}": (
        1,
        f"policy 1 of 2: the origin is not among {LAX};"
        f" policy 2 of 2: the origin matches none of '{B}'",
    ),
}


@pytest.mark.parametrize("asked", FOUND)
def test_check(asked: str) -> None:
    url, origin = asked.split()
    ran = run(f"check {url} --origin {origin}", site())
    code, found = FOUND[asked]
    assert (ran.code, ran.err) == (code, "")
    assert f"Found: {found}.\n" in in_words(ran)


def test_a_by_that_fails_is_what_to_fix() -> None:
    ran = run(f"check /fails --origin {A}", site())
    assert "fix by of headers, so that it returns a value for any request" in ran.out
    assert "readable again" not in ran.out


def test_a_preflight_whose_origin_a_source_admits() -> None:
    """It is the method that is wrong."""
    ran = run(f"check / --origin {A} --method PUT", site())
    assert ran.code == 1
    assert "no route at this URL accepts PUT; a row of partners admits the origin." in ran.out


def test_check_while_a_source_cannot_be_read() -> None:
    gone = "it is not known whether the origin may read: partners has not been read: Conn"
    for origin, code in ((A, 1), (C, 0)):
        ran = run(f"check / --origin {origin}", site(is_gone=True))
        assert (ran.code, gone in ran.out, "ORIGIN_CHECK_FAILED" in ran.out) == (code, *2 * [code])
        assert ran.err.startswith("Warning: partners has not been read: ConnectionError")


@pytest.mark.parametrize(
    ("origin", "is_gone", "rules"),
    [
        (A, False, "/ /list /short /tenants /fails"),
        (B, False, "/list /tenants"),
        (C, False, "/ /short"),
        ("https://d.example", False, ""),
        (A, True, "/tenants /fails"),
        (B, True, "/tenants"),  # the search ends at the source that cannot tell
        (C, True, "/ /short"),
    ],
)
def test_routes_that_an_origin_may_read(origin: str, is_gone: bool, rules: str) -> None:
    ran = run(f"routes --json --origin {origin}", site(is_gone=is_gone))
    assert {row["rule"] for row in json.loads(ran.out)} == {*rules.split()}
    assert bool(ran.err) == is_gone


def test_routes_name_a_source() -> None:
    ran = run("routes", site(is_gone=True))
    assert (ran.code, ran.err) == (0, "")  # nothing is read, where nobody asks about an origin
    assert f"{C}, partners; credentials" in ran.out
    told = json.loads(run("routes --json --path /", site()).out)
    assert told[0]["policy"]["origins"] == [C, {"source": "partners"}]
