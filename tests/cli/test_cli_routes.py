"""``flask cors routes``, and what all commands have in common."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.protocol.explanation import fields_of
from flask_corsguard.protocol.policy import FIELDS
from tests.cli.command_line import APP, Ran, flask, made, run

USER = "/api/users/<int:number>"
STATIC = "/static/<path:filename>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("app.py").write_text(APP)
    return tmp_path


def rows(app: Flask | None, arguments: str = "") -> list[tuple[str, str]]:
    ran = run(f"routes --json {arguments}", app)
    assert ran.code == 0, ran
    return [(row["rule"], " ".join(row["methods"])) for row in json.loads(ran.out)]


ALL = [
    (STATIC, "GET HEAD OPTIONS"),
    (STATIC, "GET HEAD OPTIONS"),
    ("/hook", "OPTIONS POST"),
    (USER, "GET HEAD OPTIONS"),
    (USER, "OPTIONS PUT"),
]
FILTERS = {
    "": [0, 1, 2, 3, 4],
    "--endpoint static": [0, 1],
    "--endpoint api.*": [3, 4],
    "--endpoint API.*": [],
    "--endpoint user": [],
    "--path /api/users/7": [3, 4],
    "--path /api/users/7?page=2": [3, 4],
    "--path /api/users/seven": [],
    "--path /api/*": [3, 4],
    "--path /static/a/b.woff2": [0, 1],
    "--path /hook": [2],
    "--path /hook/": [],
    f"--path {USER}": [3, 4],
    "--path /api": [],
    "--method put": [4],
    "--method PUT": [4],
    "--method HEAD": [0, 1, 3],
    "--method BREW": [],
    "--origin https://app.example.com": [0, 1, 3],
    "--origin https://admin.example.com": [1, 4],
    "--origin https://a7.example": [1, 4],
    "--origin https://a77.example": [1],
    "--origin null": [1],
    "--origin https://app.example.com --method GET --endpoint api.*": [3],
    "--origin https://app.example.com --method PUT": [],
}


@pytest.mark.parametrize("arguments", FILTERS)
def test_filters(arguments: str) -> None:
    """Each option narrows the list of routes down."""
    assert rows(None, arguments) == [ALL[number] for number in FILTERS[arguments]]


def test_a_json_row() -> None:
    (row,) = json.loads(run("routes --json --method PUT").out)
    assert row == {
        "rule": USER,
        "methods": ["OPTIONS", "PUT"],
        "endpoint": "api.change_user",
        "policy": {
            **fields_of(Policy(allow_credentials=True, enforce="unsafe")),
            "origins": ["https://admin.example.com", {"pattern": r"https://a[0-9]\.example"}],
        },
        "summary": r"https://admin.example.com, re.compile('https://a[0-9]\\.example');"
        " credentials; enforce=unsafe",
        "source": "view api.change_user",
        "location": "app.py:18",
    }
    assert list(row["policy"]) == list(FIELDS)
    (row,) = json.loads(run("routes --json --method POST").out)
    assert (row["policy"], row["summary"]) == (None, "exempt")


PLAIN = rf"""
{STATIC}  GET,HEAD,OPTIONS  https://app.example.com  default  app.py:8
{STATIC}  GET,HEAD,OPTIONS  everyone (*)  files *.woff2 of endpoint static  app.py:9
/hook  OPTIONS,POST  exempt  view hook  app.py:23
{USER}  GET,HEAD,OPTIONS  https://app.example.com; credentials; enforce=unsafe  blueprint api  app.py:11
{USER}  OPTIONS,PUT  https://admin.example.com, re.compile('https://a[0-9]\\.example'); credentials; enforce=unsafe  view api.change_user  app.py:18
"""  # noqa: E501


def test_plain_lines(folder: Path) -> None:
    """There is one line for each route, in columns, without colour, and never cut."""
    ran = flask(folder, "--app", "app", "cors", "routes", COLUMNS="20", FORCE_COLOR="1")
    assert (ran.code, ran.err) == (0, "")
    assert re.sub("  +", "  ", ran.out) == PLAIN[1:]


OWN = Policy(origins="https://own.example", allow_credentials=True, methods=["PUT"])
PARTNERS = Policy(origins=["https://*.partner.example"], deny_origins="https://x.partner.example")
PUBLIC = Policy(origins="*", methods=[])
NUMBERED = [
    "1 own: https://own.example; credentials; PUT",
    "2 par\\x1btners: https://*.partner.example except https://x.partner.example",
    "3: everyone (*); no preflighted method",
]


def several() -> Flask:
    app = Flask("x", static_folder=None)
    named = {"own": OWN, "par\x1btners": PARTNERS}
    CorsGuard(app, ["own", "par\x1btners", PUBLIC], policies=named)
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "PUT"])
    app.add_url_rule("/own", "own", cors("own")(lambda: ""))
    return app


def test_several_policies_have_a_line_each() -> None:
    """In a terminal as well; and each has a number and its name."""
    lines = run("routes --path /", several()).out.splitlines()
    columns = [re.split("  +", line) for line in lines]
    assert [line[2] for line in columns] == NUMBERED
    assert {tuple(line[:2]) for line in columns} == {("/", "GET,HEAD,OPTIONS,PUT")}
    assert {line[3] for line in columns} == {"default"}
    stacked = run("routes --path /", several(), columns=89, NO_COLOR="1").out.splitlines()
    assert stacked[1:4] == [f"  {line}" for line in NUMBERED]
    table = run("routes --path /", several(), columns=160, NO_COLOR="1").out
    assert [line for line in NUMBERED if line in table] == NUMBERED


def test_a_json_row_of_several_policies() -> None:
    """What is said of the policy is a list then, as in Python: never null, and not the first."""
    several_row, own_row = json.loads(run("routes --json", several()).out)
    each = [fields_of(policy) for policy in (OWN, PARTNERS, PUBLIC)]
    each = json.loads(json.dumps(each))
    assert several_row["policy"] == each
    said = [(entry["name"], entry["fields"]) for entry in several_row["policies"]]
    assert said == [*zip(("own", "par\x1btners", ""), each, strict=True)]
    assert several_row["policies"][2]["summary"] == "everyone (*); no preflighted method"
    assert several_row["summary"] == "; then ".join(NUMBERED)
    assert own_row["policy"] == each[0]
    assert "policies" not in own_row


SEVERAL = {
    "--origin https://own.example": ["/", "/own"],
    "--origin https://own.example --method PUT": ["/"],
    "--origin https://a.partner.example --method PUT": ["/"],
    "--origin https://x.partner.example": [],
    "--origin https://any.example": ["/"],
    "--origin https://any.example --method PUT": [],
    "--origin null": ["/"],
}


@pytest.mark.parametrize("arguments", SEVERAL)
def test_the_origin_is_looked_up_in_all_of_several_policies(arguments: str) -> None:
    assert [rule for rule, _ in rows(several(), arguments)] == SEVERAL[arguments]


def by_path() -> Flask:
    app = Flask("x", static_folder=None)
    guard = CorsGuard(app, origins="https://a.example")
    guard.for_path("/api", [OWN, PUBLIC])
    guard.for_path("/api/private", OWN)
    app.add_url_rule("/api/users", "users", lambda: "")
    app.add_url_rule("/<path:p>", "any", cors(max_age=5)(lambda p: ""))
    app.add_url_rule("/v/<path:p>", "own", cors(OWN)(lambda p: ""))
    app.add_url_rule("/w/<path:p>", "w", lambda p: "")
    return app


UNDER = {
    "/api/users": [("/api/users", "path /api"), ("/<path:p>", "view any, under /api")],
    "/api": [("/<path:p>", "view any, under /api")],
    "/apix": [("/<path:p>", "view any")],
    "/api/private/x": [("/<path:p>", "view any, under /api/private")],
    "/v/x": [("/<path:p>", "view any"), ("/v/<path:p>", "view own")],
    "/w/x": [("/<path:p>", "view any"), ("/w/<path:p>", "default")],
}


@pytest.mark.parametrize("path", UNDER)
def test_a_path_is_what_sets_a_policy(path: str) -> None:
    """A rule that may lie under several has a row for each, and a path finds its own."""
    lines = run(f"routes --path {path}", by_path()).out.splitlines()
    found = [(columns[0], columns[3]) for line in lines if (columns := re.split("  +", line))]
    assert [*dict.fromkeys(found)] == UNDER[path]


def test_files_under_a_path() -> None:
    """Their own mark holds there too."""
    app = Flask("x")
    guard = CorsGuard(app, origins="https://a.example")
    guard.for_files("static", "*.woff2", origins="*")
    guard.for_path("/static/fonts", origins="https://b.example")
    told = json.loads(run("routes --json --path /static/fonts/x.woff2", app).out)
    assert [row["source"] for row in told] == [
        "files *.woff2 of endpoint static",
        "path /static/fonts",
    ]


def test_the_json_rows_of_a_path() -> None:
    told = json.loads(run("routes --json --endpoint any", by_path()).out)
    assert [row.get("prefix") for row in told] == [None, "/api", "/api/private"]
    assert {row["source"] for row in told} == {"view any"}
    assert len(json.loads(run(["routes", "--json", "--path", "/<path:p>"], by_path()).out)) == 3


def test_no_route_is_no_error() -> None:
    assert run("routes --endpoint none --json") == Ran(0, "[]\n")
    assert run("routes --endpoint none", columns=80) == Ran(0, "No route matches.\n")
    assert run("routes --endpoint none") == Ran(0, "", "No route matches.\n")


@pytest.mark.parametrize("columns", [40, 60, 89, 90, 140])
def test_width_of_a_terminal(columns: int) -> None:
    """The output is a table from 90 columns on; below, lines are folded and never cut."""
    seen = run("routes", columns=columns).out
    assert "\x1b[" in seen
    lines = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    assert max(map(len, lines)) <= columns
    assert ("Methods" in seen) == (columns >= 90)
    together = re.sub(r"\s", "", "".join(lines))
    assert "…" not in together
    assert columns >= 90 or "credentials;enforce=unsafe" in together


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_no_colour_where_nobody_wants_it(variables: dict[str, str], coloured: bool) -> None:
    """``NO_COLOR`` and ``TERM=dumb`` turn colours off."""
    seen = run("check /hook --origin null", columns=80, **variables).out
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", seen)) is coloured


@pytest.mark.parametrize("arguments", ["routes", "sources", "check /hook --origin null"])
def test_without_rich(monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    """Without rich, a terminal gets the same as a pipe."""
    for name in ("rich", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(arguments, columns=40) == run(arguments)


@pytest.mark.parametrize("name", ["", ":create_app", ":create_app('https://b.example')"])
def test_factories(folder: Path, name: str) -> None:
    """The app is found by Flask's rules, factories included."""
    ran = run("routes --path /api/users/7", f"{folder / 'app.py'}{name}")
    assert ran.code == 0
    assert ran.out.count("\n") == 2
    assert ("https://b.example" in ran.out) == ("b.example" in name)


HEAD = "from flask import Flask\nfrom flask_corsguard import CorsGuard, cors\napp = Flask('x')\n"
BROKEN = {
    "no_guard": (HEAD, "has no guard; call CorsGuard(app)"),
    "bad_policy": (
        f"{HEAD}CorsGuard(app, origins='*', allow_credentials=True)\n",
        "'*' with allow_credentials=True would let every site",
    ),
    "bad_route": (
        f"{HEAD}CorsGuard(app)\n@app.get('/')\n@cors('partners')\ndef index(): return ''\n",
        "there is no policy 'partners'",
    ),
    "raises": ("1 / 0\n", "the app cannot be loaded: ZeroDivisionError 'division by zero' at "),
    "cannot_import": ("import nothing_of_the_kind\n", "No module named 'nothing_of_the_kind'"),
    "syntax": ("def\n", "the app cannot be loaded: SyntaxError"),
    "no_app": ("x = 1\n", "Failed to find Flask application"),
    "escapes": ("raise ValueError('\\x1b[31m')\n", r"ValueError '\x1b[31m'"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["routes", "sources", "check / --origin https://a.example"])
def test_apps_that_cannot_be_used(tmp_path: Path, name: str, command: str) -> None:
    """A message says what is wrong with the app, without a traceback."""
    source, message = BROKEN[name]
    tmp_path.joinpath("broken.py").write_text(source)
    ran = run(command, str(tmp_path / "broken.py"))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err


def test_missing_app(tmp_path: Path) -> None:
    ran = flask(tmp_path, "--app", "nothing_here", "cors", "routes")
    assert (ran.code, ran.out) == (2, "")
    assert "Could not import 'nothing_here'" in ran.err


A = "--origin https://a.example"
USAGE = ["none", "audit --format xml", "audit --fail-on never", "routes extra", "routes --origin *"]
USAGE += ["routes --orign https://a.example", f"routes {A}/", "routes --origin a.example"]
USAGE += ["check /", f"check {A}", f"check / {A}/", f"check http://[ {A}"]
USAGE += [f"check / {A} {more}" for more in ("--engine opera", "--method TRACE", "--header a@b")]


@pytest.mark.parametrize("arguments", USAGE)
def test_wrong_usage(arguments: str) -> None:
    """Wrong usage gets a message and exit code 2."""
    ran = run(arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_a_raw_origin_that_some_policy_lists() -> None:
    app = Flask("api")
    app.add_url_rule("/native", "native", cors(raw_origins="app://.")(lambda: ""))
    app.add_url_rule("/other", "other", lambda: "")
    CorsGuard(app, origins="https://app.example.com")
    assert rows(app, "--origin app://.") == [("/native", "GET HEAD OPTIONS")]
    assert run("routes --origin app://..", app).code == 2


def test_an_origin_is_corrected() -> None:
    ran = run("routes --origin https://App.example.com/")
    assert "Did you mean 'https://app.example.com'?" in ran.err


@pytest.mark.parametrize(
    "command", ["", "routes", "check", "audit", "sources", "verify", "compare", "migrate"]
)
def test_help_needs_no_app(command: str) -> None:
    """``--help`` works without an app."""
    ran = run(f"{command} --help", "nothing_here")
    assert (ran.code, ran.err) == (0, "")
    assert "Usage: " in ran.out


def test_the_group_is_cheap_to_import() -> None:
    """The group imports little, because every ``flask`` command imports it."""
    source = (
        "import sys\nfrom flask_corsguard import CorsGuard\nbefore = set(sys.modules)\n"
        "import flask_corsguard.cli\nprint(*sorted(set(sys.modules) - before))\n"
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    new, everything = (line.split() for line in ran.stdout.splitlines())
    own = {name for name in new if name.startswith("flask_corsguard")}
    assert own == {"flask_corsguard.cli"}
    heavy = (
        "rich",
        "httpx",
        "flask_corsguard.testing",
        "flask_corsguard.audit",
        "flask.testing",
        "pytest",
    )
    assert not set(heavy).intersection(everything)


def test_what_the_app_says_is_escaped() -> None:
    app = Flask("x")
    CorsGuard(app, origins="*")
    for number, rule in enumerate(("/[red]a", "/\x1b[31mb", "/c\u202ed", "/größe")):
        app.add_url_rule(rule, f"e{number}", lambda: "")
    shown = [line.split()[0] for line in run("routes --endpoint e*", app).out.splitlines()]
    assert shown == ["/[red]a", r"/\x1b[31mb", r"/c\u202ed", "/größe"]


def test_a_terminal_without_the_characters(folder: Path) -> None:
    source = APP.replace('"/hook"', '"/gr\xf6\xdfe"')
    folder.joinpath("app.py").write_text(source, "utf-8")
    ran = flask(folder, "--app", "app", "cors", "routes", PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert r"/gr\xf6\xdfe " in ran.out


@pytest.mark.parametrize("command", ["check /api/users/7 --json", "routes --json"])
def test_an_app_that_prints_while_it_is_loaded(folder: Path, command: str) -> None:
    """What an app prints does not get into the JSON."""
    source = APP.replace("app = Flask(__name__)", "app = Flask(__name__); print('connected')")
    folder.joinpath("app.py").write_text(f"print('loading')\n{source}")
    ran = run(f"{command} --origin https://app.example.com", str(folder / "app.py"))
    assert json.loads(ran.out)
    assert ran.err.splitlines() == ["loading", "connected"]


@pytest.mark.parametrize(
    "command", ["check / --origin https://a.example", "routes", "routes --json"]
)
def test_marks_that_no_route_has(folder: Path, command: str) -> None:
    """They are named on the standard error, with file and line; the output is as without them."""
    folder.joinpath("app.py").write_text(
        "from flask import Flask\n"
        "from flask_corsguard import CorsGuard, cors\n"
        "app = Flask(__name__, static_folder=None)\n"
        "CorsGuard(app, origins='https://a.example')\n"
        "app.add_url_rule('/', 'index', lambda: '')\n"
        "@cors(origins='https://b.example')\n"
        "def orders(): return ''\n"
        "cors(origins='https://b.example')\n"
    )
    ran = run(command, str(folder / "app.py"))
    assert ran.code == 0
    assert "orders" not in ran.out
    on_nothing, line = ran.err.splitlines()
    assert re.match(r"Warning: @cors at \S*app\.py:6 has no effect: .* view app\.orders\. ", line)
    assert re.match(
        r"Warning: cors\(\.\.\.\) at \S*app\.py:8 has no effect: it is not ", on_nothing
    )


def test_callables_that_take_the_request() -> None:
    app = Flask("x")
    seen = []

    def check(origin: str, request: object) -> bool:
        seen.append((origin, request.method, request.headers["Origin"]))  # type: ignore[attr-defined]
        return origin.endswith("a.example")

    CorsGuard(app, origins=check)
    app.add_url_rule("/", "index", lambda: "")
    assert rows(app, "--endpoint index --origin https://a.example")
    assert not rows(app, "--endpoint index --origin https://b.example")
    assert seen[0] == ("https://a.example", "GET", "https://a.example")


def test_a_method_that_no_preflight_allows() -> None:
    app = Flask("x")
    CorsGuard(app, origins="https://a.example", methods="PATCH")
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "PUT", "PATCH"])
    for method, readable in (("PUT", False), ("patch", True), ("GET", True)):
        assert bool(rows(app, f"--endpoint index {A} --method {method}")) is readable


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe"])
def test_where_strangers_only_read(enforce: str) -> None:
    app = Flask("x")
    CorsGuard(app, origins="*", enforce=enforce)
    app.add_url_rule("/", "index", lambda: "", methods=["GET", "POST", "PUT"])
    for method in ("GET", "HEAD", "POST", "PUT"):
        readable = enforce != "unsafe" or method in ("GET", "HEAD")
        assert bool(rows(app, f"--endpoint index {A} --method {method}")) is readable


def test_paths_on_other_hosts_and_with_other_converters() -> None:
    class Even(BaseConverter):
        regex = "[02468]"

    app = Flask("x", host_matching=True, static_host="static.example")
    CorsGuard(app, origins="*")
    app.url_map.converters["even"] = Even
    app.add_url_rule("/n/<even:number>", "even", lambda number: "", host="<name>.example")
    assert rows(app, "--path /n/4") == [("/n/<even:number>", "GET HEAD OPTIONS")]
    assert not rows(app, "--path /n/5")


def test_an_app_can_still_be_set_up() -> None:
    """The command shows the table of a first request, but it makes no request."""
    app = made()
    assert run("routes", app).code == 0
    app.add_url_rule("/late", "late", cors_exempt(lambda: ""))
    assert ("/late", "GET HEAD OPTIONS") in rows(app)


def test_a_socket_that_nothing_refuses_is_open_to_every_origin() -> None:
    app = Flask("x", static_folder=None)
    CorsGuard(app, origins="https://a.example")
    app.add_url_rule("/chat", "chat", lambda: "", websocket=True)
    app.add_url_rule("/closed", "closed", cors(enforce="unsafe")(lambda: ""), websocket=True)
    for arguments, expected in (
        ("--origin https://b.example", ["/chat"]),
        ("--origin https://b.example --method GET", ["/chat"]),
        ("--origin https://b.example --method HEAD", []),
        ("--origin https://a.example", ["/chat", "/closed"]),
    ):
        assert [rule for rule, _ in rows(app, arguments)] == expected
