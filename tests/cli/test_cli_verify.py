"""``flask cors verify``: its options, what it prints, and what it does not try. What it finds is in
tests/verify."""

import json
import re
import sys
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter, ValidationError

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from tests.cli.command_line import Ran, run
from tests.listening import in_a_thread

SHOP = "https://shop.example"


@pytest.fixture
def shop() -> Flask:
    return Flask("shop", static_folder=None)


def view(**_: object) -> str:
    return ""


def verify(url: str, app: Flask, *options: str, columns: int = 0) -> Ran:
    return run(["verify", url, "--rate", "1000", *options], app, columns)


def told(url: str, app: Flask, *options: str) -> dict[str, Any]:
    ran = verify(url, app, "--json", *options)
    result: dict[str, Any] = json.loads(ran.out)
    assert ran.code == bool(result["findings"])
    return result


def with_star(app: Flask) -> Any:
    """What is around it adds a header."""

    def around(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("Access-Control-Allow-Origin", "*")])

        return app(environ, start)

    return around


def test_nothing_found(shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/", "index", view, methods=["GET"])
    with in_a_thread(shop) as url:
        ran = verify(url, shop)
    assert ran == (0, f"{url}/: 3 routes and paths, 12 requests: nothing found.\n", "")


def test_a_finding(shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    for number in range(7):
        shop.add_url_rule(f"/{number}", str(number), view, methods=["POST"])
    with in_a_thread(with_star(shop)) as url:
        ran = verify(url, shop)
    assert ran.code == 1
    first, second, last = ran.out.split("\n\n")
    assert (
        re.sub(r"verify=\S+", "verify=...", first)
        == f"""\
doubled_header
  A header is sent twice, which browsers reject: Access-Control-Allow-Origin.
  Where: POST /0; POST /1; POST /2; POST /3; POST /4; and 9 more
  Sent: OPTIONS {url}/0?corsguard-verify=...
    Origin: https://shop.example
    Access-Control-Request-Method: POST
  Received: 204
    Server: '{re.search("Server: '(.*)'", first)[1]}'
    Access-Control-Allow-Origin: 'https://shop.example'
    Access-Control-Allow-Headers: 'Content-Type'
    Access-Control-Max-Age: '600'
    Vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'
    Access-Control-Allow-Methods: 'OPTIONS, POST'
    Access-Control-Allow-Origin: '*'
  Policy: 204 (default tests/cli/test_cli_verify.py:{first.rpartition("py:")[2].partition(")")[0]})
    Access-Control-Allow-Origin: https://shop.example
    Access-Control-Allow-Headers: Content-Type
    Access-Control-Max-Age: 600
    Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
    Access-Control-Allow-Methods: OPTIONS, POST
  Cause: The guard sends it, and something in front adds it (nginx: add_header; Apache: Header).
  Change: Remove it from the configuration of the server in front."""
    )
    assert second.startswith(
        "star_added\n  Every site may read what the policy lets only some read.\n"
    )
    assert last == f"{url}/: 14 routes and paths, 70 requests: 2 findings.\n"


def test_80_columns(shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/", "index", view)
    with in_a_thread(with_star(shop)) as url:
        ran = verify(url, shop, "--get", "/", columns=80)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", ran.out).splitlines()
    assert max(map(len, lines)) <= 80
    assert "star_added" in lines


def test_json(shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/", "index", view, methods=["PUT"])
    with in_a_thread(with_star(shop)) as url:
        result = told(url, shop)
    first, _ = result["findings"]
    assert (result["url"], result["places"], result["requests"]) == (f"{url}/", 2, 10)
    assert first["code"] == "doubled_header"
    assert first["where"] == ["PUT /", "OPTIONS /"]
    assert first["received"].count("Access-Control-Allow-Origin: '*'") == 1
    assert first["curl"].startswith("curl --include --request OPTIONS --header")
    assert first["sent"][0].removeprefix("OPTIONS ") in first["curl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop.example"], "URL: shop.example has no scheme. Write https://shop.example"),
        (["localhost:5000"], "URL: localhost:5000 has no scheme. Write http://localhost:5000"),
        (["ftp://shop.example"], "URL: write https://example.com, without"),
        (["https://ada:secret@shop.example"], "URL: write https://example.com, without"),
        (["https://shop.example/#top"], "URL: write https://example.com, without"),
        (["https://shop.example?x=1"], "URL: the app's root has no query."),
        (["https://shop.example", "--get", "items"], "--get: write https://example.com, or a path"),
        (
            ["https://shop.example", "--get", "https://other.example/"],
            "--get: give a path below URL",
        ),
        (["https://shop.example", "--status", "ready"], "password or #. Did you mean /ready?"),
        (["https://shop.example", "--rate", "0"], "Invalid value for '--rate'"),
        (["https://shop.example", "--limit", "0"], "Invalid value for '--limit'"),
        (["http://127.0.0.1:1"], "ConnectError 'All connection attempts failed'"),
        (["http://no-such-host.invalid"], "ConnectError '"),
    ],
)
def test_what_cannot_be_run(arguments: list[str], message: str, shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/", "index", view)
    ran = run(["verify", *arguments], shop)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "secret" not in ran.err


def test_without_the_extra(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    CorsGuard(shop)
    for name in [name for name in sys.modules if name.startswith("flask_corsguard.verify")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    ran = run(["verify", "https://shop.example"], shop)
    assert ran == (2, "", 'Error: httpx is not installed: pip install "flask-corsguard[cli]"\n')


def test_below_a_path(shop: Flask) -> None:
    """The deployment has a path that the app does not know."""
    CorsGuard(shop, origins=SHOP, enforce="unsafe")
    shop.add_url_rule("/a b/<name>", "names", view, methods=["POST"])

    def front(environ: Any, start_response: Any) -> Any:
        if not environ["PATH_INFO"].startswith("/shop/v1/"):
            start_response("404 Not Found", [])
            return []
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/shop/v1")
        return shop(environ, start_response)

    with in_a_thread(front) as url:
        assert told(f"{url}/shop/v1/", shop, "--get", "/a%20b/x")["findings"] == []
        (found,) = told(url, shop)["findings"]
    assert found["code"] == "not_found"


class Number(BaseConverter):
    """With a check digit, which no regular expression knows."""

    def to_python(self, value: str) -> str:
        if value != "DE136695976":
            raise ValidationError
        return value


def test_what_is_not_tried(shop: Flask) -> None:
    guard = CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/exempt", "exempt", cors_exempt(lambda: ""), methods=["POST"])
    shop.add_url_rule("/socket", "socket", view, websocket=True)
    shop.add_url_rule("/old", "old", view, redirect_to="/new")
    shop.add_url_rule("/hosted", "hosted", view, subdomain="api")
    shop.url_map.converters["vat"] = Number
    shop.add_url_rule("/vat/<vat:number>", "vat", view, methods=["POST"])
    shop.add_url_rule("/partners", "partners", view, methods=["POST"])
    guard.for_endpoint("partners", origins=lambda origin: origin in database())
    with in_a_thread(shop) as url:
        result = told(url, shop)
    assert result["findings"] == []
    assert result["not_tried"] == [
        "OPTIONS,POST /exempt: it is exempt, so no policy applies.",
        "GET,HEAD,OPTIONS /socket: it is a WebSocket, which has no preflight.",
        "GET,HEAD,OPTIONS /old: it only redirects.",
        "GET,HEAD,OPTIONS /hosted: it is not on the host of the URL.",
        "OPTIONS,POST /vat/<vat:number>: no URL for it was found. Give one with --get.",
        "POST /partners: no origin is known that its policy admits, so only rejected origins are"
        " tried, here and wherever that policy applies.",
    ]


def database() -> list[str]:
    """Stands for what no code shows."""
    return ["".join(map(chr, (104, 116, 116, 112, 115))) + "://partner" + ".example"]


POLICIES = {
    "a list": {"origins": [SHOP, "https://partner.example"]},
    "a wildcard": {"origins": ["https://*.shop.example"]},
    "a label": {"origins": ["https://pr-*.shop.example"]},
    "a pattern": {"origins": [re.compile(r"https://(a|b)\.shop\.example")]},
    "a callable": {"origins": lambda origin: origin == "https://partner.example"},
    "a callable of the request": {
        "origins": lambda origin, request: "partner.example" in origin and request.path != "/none"
    },
    "everybody": {"origins": "*"},
    "everybody but one": {"origins": "*", "deny_origins": ["https://bad.example"]},
    "everybody may read": {"origins": "*", "enforce": "unsafe"},
    "nobody": {"origins": []},
    "null": {"origins": ["null"], "dangerously_allow_null_origin": True},
    "raw": {"raw_origins": ["file://"]},
    "credentials": {"origins": SHOP, "allow_credentials": True, "allow_headers": "*"},
    "no max age": {"origins": SHOP, "max_age": None, "expose_headers": ["X-Total"]},
    "one method": {"origins": SHOP, "methods": ["GET"]},
    "enforced": {"origins": SHOP, "enforce": "all"},
    "reported": {"origins": SHOP, "enforce": "report"},
    "its own preflights": {"origins": SHOP, "answer_preflight": False},
}


@pytest.mark.parametrize("fields", POLICIES.values(), ids=POLICIES)
def test_every_kind_of_policy(fields: dict[str, Any], shop: Flask) -> None:
    """Nothing is found where nothing is in front, and whom each lets in is played."""
    CorsGuard(shop, **fields)
    shop.add_url_rule("/", "index", view, methods=["GET", "PUT"])
    allowed: list[str] = []

    def watched(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            allowed.extend(value for name, value in headers if name.endswith("Allow-Origin"))
            return start_response(status, headers, exc_info)

        return shop(environ, start)

    with in_a_thread(watched) as url:
        result = told(url, shop, "--get", "/", "--get", "/unknown")
    assert (result["findings"], result["not_tried"]) == ([], [])
    assert bool(allowed) == (fields != {"origins": []})


OVERRIDABLE = "the view may override its policy, so its headers are not known."
BY_VIEW = {"origins": SHOP, "dangerously_let_views_override": True}


@pytest.mark.parametrize(
    ("fields", "not_tried"),
    [
        (BY_VIEW, [f"GET /: {OVERRIDABLE}"]),
        (
            {**BY_VIEW, "answer_preflight": False},
            [f"{method} /: {OVERRIDABLE}" for method in ("GET", "HEAD", "OPTIONS", "PUT")],
        ),
    ],
    ids=["the guard's preflights", "the view's own"],
)
def test_what_views_may_override(fields: dict[str, Any], not_tried: list[str], shop: Flask) -> None:
    """What they send is left out; the guard's own preflights are tried."""
    CorsGuard(shop, **fields)
    own = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "DELETE"}
    methods = ["GET", "OPTIONS", "PUT"]
    shop.add_url_rule("/", "index", lambda: ("", own), methods=methods)
    with in_a_thread(shop) as url:
        result = told(url, shop, "--get", "/")
    assert result["findings"] == []
    assert {*result["not_tried"]} == {*not_tried}


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("a list", {"doubled_header", "star_added"}),
        ("everybody", {"doubled_header"}),
        ("everybody may read", {"doubled_header", "header_added"}),
        ("nobody", {"star_added"}),
        ("its own preflights", {"doubled_header", "star_added"}),
    ],
)
def test_what_a_star_does_to_it(name: str, codes: set[str], shop: Flask) -> None:
    CorsGuard(shop, **POLICIES[name])
    shop.add_url_rule("/", "index", view, methods=["PUT"])
    with in_a_thread(with_star(shop)) as url:
        assert {each["code"] for each in told(url, shop)["findings"]} == codes


def test_a_function_that_runs_first(shop: Flask) -> None:
    """The guard writes its headers on the response, which ends the preflight all the same."""
    guard = CorsGuard(shop, origins=SHOP)
    guard.run_first(lambda: ("", 401))
    shop.add_url_rule("/", "index", view, methods=["PUT"])
    with in_a_thread(shop) as url:
        (found,) = told(url, shop)["findings"]
    assert found["code"] == "preflight_needs_login"


def test_several_policies(shop: Flask) -> None:
    """Each of them is played."""
    own = Policy(origins=SHOP, allow_credentials=True)
    CorsGuard(shop, [own, Policy(origins="https://partner.example"), Policy(origins="*")])
    shop.add_url_rule("/", "index", view)
    seen: list[tuple[str, str | None]] = []

    def watched(environ: Any, start_response: Any) -> Any:
        seen.append((environ["QUERY_STRING"], environ.get("HTTP_ORIGIN")))
        return shop(environ, start_response)

    with in_a_thread(watched) as url:
        assert told(url, shop, "--get", "/")["findings"] == []
    tests = {query: [o for q, o in seen if q == query] for query, _ in seen}
    assert ["https://partner.example", SHOP] in tests.values()
    assert [SHOP, "https://partner.example"] in tests.values()
    assert ["https://corsguard-audit.invalid", SHOP] in tests.values()


def test_a_source(shop: Flask) -> None:
    """What it gives is what the policy admits."""

    class Partners:
        name = "partners"

        def load(self) -> tuple[int, list[str]]:
            return 1, ["https://partner.example"]

    CorsGuard(shop, origins=[Partners()])
    shop.add_url_rule("/", "index", view)
    asked: list[str] = []

    def watched(environ: Any, start_response: Any) -> Any:
        asked.append(environ.get("HTTP_ORIGIN"))
        return shop(environ, start_response)

    with in_a_thread(watched) as url:
        result = told(url, shop)
    assert (result["findings"], result["not_tried"]) == ([], [])
    assert "https://partner.example" in asked


def test_views_with_policies_of_their_own(shop: Flask) -> None:
    CorsGuard(shop, origins=SHOP)
    shop.add_url_rule("/", "read", view, methods=["GET"])
    admin = cors(origins="https://admin.example", allow_credentials=True)
    shop.add_url_rule("/", "write", admin(lambda: ""), methods=["PUT"])
    with in_a_thread(shop) as url:
        assert told(url, shop, "--get", "/")["findings"] == []
