"""Policies by path: the policy is that of what is served, however the path is spelt."""

from __future__ import annotations

import itertools
import json
import posixpath
from urllib.parse import unquote, unquote_to_bytes

import pytest
from flask import Blueprint, Flask, send_from_directory
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter, Map, PathConverter, Rule

from flask_corsguard import CorsGuard, CorsGuardError, Policy, PolicyError, Reason, cors
from flask_corsguard import cors_exempt as exempt
from flask_corsguard.path_prefix import is_alias, normalised
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.routing.paths import Paths
from flask_corsguard.runtime.state import InForce, state_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"
PAGES = (SHOP, PARTNER, ADMIN)
NOBODY = "nobody"


def sent_as(path: str) -> dict[str, str]:
    """A path as a server passes it on."""
    return {"PATH_INFO": unquote_to_bytes(path).decode("latin-1")}


class Item(MethodView):
    def get(self) -> str:
        return "item"

    @cors(origins=ADMIN)
    def put(self) -> str:
        return "put"


def build(**options: object) -> Flask:
    """The default policy admits SHOP, /x PARTNER, and /x/in ADMIN."""
    app = Flask("paths", static_folder=None, **options)
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    guard.for_path("/x/in/", origins=ADMIN)
    guard.for_path("/é", origins=PARTNER)
    guard.for_path("/a b;c", origins=PARTNER)
    for text in ("/x/fixed", "/x/slash/", "/x/in/fixed", "/apart", "/<lang>/page", "/<int:n>/n"):
        app.add_url_rule(text, text, lambda **_: "ok")
    app.add_url_rule("/<path:p>", "any", lambda p: "ok", methods=["GET", "POST"])
    app.add_url_rule("/x/own", "own", cors(origins=SHOP)(lambda: "ok"))
    app.add_url_rule("/x/fields", "fields", cors(max_age=5)(lambda: "ok"))
    app.add_url_rule("/x/own/<path:p>", "own below", cors(Policy(origins=SHOP))(lambda p: "ok"))
    app.add_url_rule("/x/exempt/<path:p>", "exempt", exempt(lambda p: "ok"))
    app.add_url_rule("/x/named", "named", lambda: "ok")
    guard.for_endpoint("named", origins=SHOP)
    app.add_url_rule("/x/item", view_func=Item.as_view("item"))
    inner = cors(origins=SHOP)(Blueprint("inner", __name__, url_prefix="/x/bp"))
    inner.add_url_rule("/page", "page", lambda: "ok")
    outer = cors(origins=ADMIN)(Blueprint("outer", __name__, url_prefix="/outer"))
    outer.add_url_rule("/page", "page", lambda: "ok")
    app.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def readers_of(app: Flask, http, path: str, **options: object) -> str:
    """Who of three pages reads a response; "nobody" if its path is ambiguous."""
    environ = {**sent_as(path), **options.pop("environ", {})}
    found = [
        page
        for page in PAGES
        if "Access-Control-Allow-Origin"
        in http.send(app, "/", page, environ=environ, **options).cors
    ]
    return " ".join(found) or NOBODY


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        # whole segments
        ("/", SHOP),
        ("/x", PARTNER),
        ("/x/", PARTNER),
        ("/x/y", PARTNER),
        ("/x/y/z/", PARTNER),
        ("/xx", SHOP),
        ("/xin/fixed", SHOP),
        ("/x/i", PARTNER),
        ("/x/in", ADMIN),
        ("/x/in/", ADMIN),
        ("/x/in/y", ADMIN),
        ("/x/inn", PARTNER),
        ("/y/x", SHOP),
        ("/y/x/in", SHOP),
        # rules with and without variables
        ("/x/fixed", PARTNER),
        ("/x/in/fixed", ADMIN),
        ("/apart", SHOP),
        ("/x/page", PARTNER),
        ("/y/page", SHOP),
        ("/7/n", SHOP),
        # case
        ("/X", SHOP),
        ("/X/fixed", SHOP),
        ("/x/IN", PARTNER),
        # percent-encoding
        ("/%78", PARTNER),
        ("/%78/%69%6e/y", ADMIN),
        ("/x%2fy", PARTNER),
        ("/x%2Fin", ADMIN),
        ("%2fx", PARTNER),
        ("/x%252f", SHOP),
        ("/%2578", SHOP),
        ("/x/%2569n", PARTNER),
        ("/%58", SHOP),
        ("/x%00", SHOP),
        ("/x/%00in", PARTNER),
        ("/x%3Fy", SHOP),
        ("/x%20", SHOP),
        ("/%20x", SHOP),
        # parameters of a segment are part of it
        ("/x;y", SHOP),
        ("/x;/in", SHOP),
        ("/x/;in", PARTNER),
        ("/x/in;v=1", PARTNER),
        ("/x/y;v=1", PARTNER),
        ("/a%20b;c", PARTNER),
        ("/a%20b;c/y", PARTNER),
        ("/a%20b", SHOP),
        # slashes at the beginning count as one
        ("//x", PARTNER),
        ("///x/in", ADMIN),
        ("/%2fx", PARTNER),
        # empty segments
        ("/x//", PARTNER),
        ("/x//y", PARTNER),
        ("/y//x", SHOP),
        pytest.param("/x//in", NOBODY, id="/x//in is served as /x/in"),
        ("/x/%2fin", NOBODY),
        ("/x/in//", ADMIN),
        # dots
        ("/x/.", PARTNER),
        ("/x/./y", PARTNER),
        ("/./x", NOBODY),
        ("/x/./in", NOBODY),
        ("/x/in/.", ADMIN),
        ("/x/..", NOBODY),
        ("/x/../y", NOBODY),
        ("/x/..%2fy", NOBODY),
        ("/x/%2e%2e/y", NOBODY),
        ("/x/%2E%2e%2Fy", NOBODY),
        ("/x/.%2e/y", NOBODY),
        ("/x/in/../y", NOBODY),
        ("/x/in/../in/y", ADMIN),
        ("/x/../x/y", PARTNER),
        ("/y/../x", NOBODY),
        ("/y/../z", SHOP),
        ("/../x", NOBODY),
        ("/../../y", SHOP),
        ("/x/y/../../../../x", PARTNER),
        ("/x/%252e%252e/y", PARTNER),
        ("/x/...", PARTNER),
        ("/x/.../in", PARTNER),
        ("/x/.hidden", PARTNER),
        ("/x/..hidden", PARTNER),
        ("/x/y../in", PARTNER),
        ("/.x", SHOP),
        ("/x.", SHOP),
        ("/x/in.", PARTNER),
        ("/x/.;/in", PARTNER),
        ("/x/..;/y", PARTNER),
        # backslashes
        ("/x%5cin", NOBODY),
        ("/x\\in", NOBODY),
        ("/x/%5c..%5cy", NOBODY),
        ("/x/..%5cy", NOBODY),
        ("/x/y%5C%2e%2e/%5cz", PARTNER),
        ("/x/y%5cz", PARTNER),
        ("/%5cx", NOBODY),
        ("/y%5cz", SHOP),
        # not ASCII
        ("/%c3%a9", PARTNER),
        ("/%c3%a9/y", PARTNER),
        ("/%C3%A9/y", PARTNER),
        ("/e%cc%81", SHOP),
        ("/%e9", SHOP),
        ("/%c3%89", SHOP),
        ("/%c3%a9%ff", SHOP),
        ("/x/%ff%fe", PARTNER),
        ("/x%ff", SHOP),
        ("/%ef%bc%8fx", SHOP),
        ("/x%ef%bc%8fin", SHOP),
        ("/x/%c0%ae%c0%ae/y", PARTNER),
        # marks further in
        ("/x/own", SHOP),
        ("/x/own/y", SHOP),
        pytest.param("/x/own/../in/y", SHOP, id="a whole policy on the view holds everywhere"),
        ("/x/named", SHOP),
        ("/x/fields", PARTNER),
        ("/x/item", PARTNER),
        ("/x/bp/page", SHOP),
        ("/outer/page", ADMIN),
        ("/x/exempt/y", NOBODY),
        # slash redirects
        ("/x/slash/", PARTNER),
        ("/x/slash", PARTNER),
    ],
)
def test_the_policy_of_a_path(http, path, reader):
    assert readers_of(build(), http, path) == reader


@pytest.mark.parametrize(
    ("path", "reader", "status"),
    [
        ("/none", SHOP, 404),
        ("/x", PARTNER, 404),
        ("/x/none", PARTNER, 404),
        ("/x/in/none", ADMIN, 404),
        ("/x/in", ADMIN, 404),
        ("/xx/none", SHOP, 404),
        ("/x/bp/none", SHOP, 404),
        ("/x/bp", SHOP, 404),
        ("/x/bpp", PARTNER, 404),
        ("/x/slash", PARTNER, 308),
        ("/x//slash/", PARTNER, 308),
        ("/x/post", PARTNER, 405),
        ("/x/in/post", ADMIN, 405),
        ("/x/both", ADMIN, 405),
        ("/x/../none", NOBODY, 404),
        ("/x/./none", PARTNER, 404),
        ("/x/%2e%2e/x/in/none", NOBODY, 404),
        ("/x\\in\\none", NOBODY, 404),
        ("/y//none", SHOP, 404),
        pytest.param("/x/bp/.", PARTNER, 404, id="the blueprint's fields on top of the path's"),
        pytest.param("/x/bp/../../none", NOBODY, 404, id="and on top of the default policy"),
    ],
)
def test_where_routing_fails(http, path, reader, status):
    app = Flask("paths", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    guard.for_path("/x/in", origins=ADMIN)
    inner = cors(origins=SHOP)(Blueprint("inner", __name__, url_prefix="/x/bp"))
    if "bp/." in path:
        inner = cors(max_age=5)(Blueprint("inner", __name__, url_prefix="/x/bp"))
    app.register_blueprint(inner)
    app.add_url_rule("/x/slash/", "slash", lambda: "ok")
    app.add_url_rule("/x/post", "post", lambda: "ok", methods=["POST"])
    app.add_url_rule("/x/in/post", "inner post", lambda: "ok", methods=["POST"])
    app.add_url_rule("/x/both", "both", cors(origins=ADMIN)(lambda: "ok"), methods=["POST"])
    environ = sent_as(path)
    for page in PAGES:
        assert http.send(app, "/", page, environ=environ).status == status
    assert readers_of(app, http, path) == reader
    # Where there is no route, any method's preflight is let through, and the page reads the 404.
    for page in PAGES:
        if status == 404:
            asks = {**environ, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PURGE"}
            response = http.open(app, "/", page, method="OPTIONS", environ=asks)
            assert response.status_code == (204 if page == reader else 403)


@pytest.mark.parametrize(
    ("path", "method", "reader"),
    [
        ("/x/item", "GET", PARTNER),
        ("/x/item", "HEAD", PARTNER),
        ("/x/item", "PUT", ADMIN),
        ("/x/y", "POST", PARTNER),
        ("/y", "POST", SHOP),
        ("/x/in/y", "HEAD", ADMIN),
        ("/x/in/fixed", "OPTIONS", ADMIN),
        ("/x/in/y", "OPTIONS", ADMIN),
        ("/x/own", "HEAD", SHOP),
        ("/x/../y", "POST", NOBODY),
        ("/x/../y", "HEAD", NOBODY),
        ("/x/../y", "OPTIONS", NOBODY),
        ("/x/%2e%2e/x/y", "POST", PARTNER),
    ],
)
def test_methods_and_their_preflights(http, path, method, reader):
    app = build()
    assert readers_of(app, http, path, method=method) == reader
    asks = {**sent_as(path), "HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
    for page in PAGES:
        response = http.open(app, "/", page, method="OPTIONS", environ=asks)
        assert response.status_code == (204 if page == reader else 403)
        allowed = "Access-Control-Allow-Origin" in response.headers
        assert allowed == (page == reader)


@pytest.mark.parametrize(
    ("prefix", "written", "meant"),
    [
        ("/api/*", "a prefix is not a pattern", "/api"),
        ("/api*", "a prefix is not a pattern", "/api"),
        ("/api/.*", "a prefix is not a pattern", "/api"),
        (r"^/api/(.*)$", "a prefix is not a pattern", "/api"),
        (r"/api/.+", "a prefix is not a pattern", "/api"),
        (r"/api/?.*", "a prefix is not a pattern", "/api"),
        (r"/api/v\d/x", "a prefix is not a pattern", None),
        ("/v[12]", "a prefix is not a pattern", None),
        ("/a|/b", "this is several paths", None),
        ("/a, /b", "this is several paths", None),
        ("/api/**", "a prefix is not a pattern", "/api"),
        ("/api$", "a prefix is not a pattern", "/api"),
        ("(/api)", "a path begins with a slash", "/api"),
        ("api.example.com/v1", "a path begins with a slash", "/v1"),
        ("localhost:5000/v1", "a path begins with a slash", "/v1"),
        ("v1.0/users", "a path begins with a slash", "/v1.0/users"),
        ("users.json", "a path begins with a slash", "/users.json"),
        ("/api/:id", "a prefix has no variables", None),
        ("/*", "that is every path", None),
        ("*", "that is every path", None),
        ("", "that is every path", None),
        ("/", "that is every path", None),
        ("//", "that is every path", None),
        ("/.", "that is every path", None),
        ("https://x.example", "that is every path", None),
        ("https://x.example/api/", "scheme and host do not count", "/api"),
        ("https://[x/api", "scheme and host do not count", None),
        ("api", "a path begins with a slash", "/api"),
        ("api/*", "a prefix is not a pattern", "/api"),
        (" /api", "white space", "/api"),
        ("/api?x=1", "no query", "/api"),
        ("/api#top", "no query and no fragment", "/api"),
        ("/a%20b", "write the path decoded", "/a b"),
        ("/a%2e%2e", "write the path decoded", "/a.."),
        ("/a/../b", "no empty or dot segment", "/b"),
        ("/a/.", "no empty or dot segment", "/a"),
        ("/a//b", "no empty or dot segment", "/a/b"),
        ("//api", "no empty or dot segment", "/api"),
        ("/a\\b", "no backslash", "/a/b"),
        ("/<lang>/x", "a prefix has no variables", None),
        ("/<path:p>", "a prefix has no variables", None),
    ],
)
def test_what_is_no_prefix(app, prefix, written, meant):
    with pytest.raises(PolicyError, match=written) as caught:
        CorsGuard().for_path(prefix, origins="*")
    (problem,) = caught.value.problems
    assert (problem.code, problem.value) == ("path_prefix", prefix)
    assert problem.suggestion == (meant and repr(meant))
    assert problem.where.startswith("tests/routing/test_path_policies.py:")
    app.config["CORSGUARD_PATHS"] = {prefix: {"origins": "*"}}
    with pytest.raises(PolicyError) as caught:
        CorsGuard(app)
    (configured,) = caught.value.problems
    assert configured.where == f"CORSGUARD_PATHS, {prefix!r}"
    assert configured.message == problem.message
    if meant is not None:  # advice that has to be taken once
        CorsGuard().for_path(meant, origins="*")


def test_two_paths_at_once():
    with pytest.raises(CorsGuardError, match=r"takes one path: call it for each of them$"):
        CorsGuard().for_path("/api", "/auth", origins="*")


@pytest.mark.parametrize(
    "prefix",
    ["/$metadata", "/a(1)", "/c++", "/@me", "/~x", "/a b", "/é", "/.well-known", "/a..b", "/a:b"],
)
def test_odd_prefixes(http, app, prefix):
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path(prefix, origins=PARTNER)
    assert readers_of(app, http, f"{prefix}/x") == PARTNER


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        (5, "wrong_type", "does not map paths"),
        ("{'/api': 1}", "wrong_type", 'Write {"/api": 1}'),
        ({"/api": {}}, "wrong_type", "Write, for example, {'/api': {'origins': ["),
        ({"/api": None}, "wrong_type", "Write, for example, {'/api': {'origins': ["),
        ({"/api": SHOP}, "wrong_type", f"Write {{'/api': {{'origins': '{SHOP}'}}}}"),
        ({"/api": "own"}, "unknown_policy", "no policy 'own'"),
        ({"/api": {"origin": "*"}}, "unknown_field", "Did you mean 'origins'?"),
        ({"/api": []}, "policies_empty", "an empty list"),
        ({3: {"max_age": 5}}, "wrong_type", "a path must be a string"),
        ({"/a": {"max_age": 5}, "/a/": {"max_age": 5}}, "duplicate_path", "listed twice"),
        ({"/x": {"max_age": 5}}, "duplicate_path", "for_path marks '/x' too, at tests/routing/"),
        (
            {"/api": {"allow_credentials": True}},
            "credentials_any_origin",
            "path /api (CORSGUARD_PATHS in app.config)",
        ),
    ],
)
def test_what_is_wrong_in_the_configuration(app, value, code, words):
    app.config["CORSGUARD_PATHS"] = value
    with pytest.raises(PolicyError) as caught:
        _prepare_with_a_path(app)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert words in str(problem)


def _prepare_with_a_path(app: Flask) -> None:
    guard = CorsGuard(app, origins="*")
    guard.for_path("/x", max_age=5)
    app.add_url_rule("/api/x", "x", lambda: "ok")
    guard.prepare(app)


@pytest.mark.parametrize("how", ["mapping", "JSON", "environment", "named", "policy", "list"])
def test_paths_in_the_configuration(http, app, monkeypatch, how):
    fields = {"origins": [PARTNER]}
    value = {
        "mapping": {"/x": fields},
        "JSON": json.dumps({"/x": fields}),
        "environment": None,
        "named": {"/x/": "own"},
        "policy": {"/x": Policy(**fields)},
        "list": {"/x": ["own", Policy(origins=ADMIN)]},
    }[how]
    app.config["CORSGUARD_PATHS"] = value
    if value is None:
        del app.config["CORSGUARD_PATHS"]
        monkeypatch.setenv("FLASK_CORSGUARD_PATHS", json.dumps({"/x": fields}))
        app.config.from_prefixed_env()
    CorsGuard(app, origins=SHOP, policies={"own": fields})
    assert readers_of(app, http, "/y") == SHOP
    assert readers_of(app, http, "/x/y") == (f"{PARTNER} {ADMIN}" if how == "list" else PARTNER)
    decision = app.extensions["corsguard"].in_force.table.unrouted["", "/x"]
    assert decision.scope.source == "path /x"
    assert decision.scope.location == "CORSGUARD_PATHS in app.config"


def test_paths_that_are_set_too_late(app):
    guard = CorsGuard(app)
    app.config["CORSGUARD_PATHS"] = {"/x": {"origins": SHOP}}
    with pytest.raises(PolicyError) as caught:
        guard.prepare(app)
    assert [problem.code for problem in caught.value.problems] == ["late_setting"]


def test_a_path_is_marked_once():
    guard = CorsGuard()
    for _ in range(2):  # as when a factory runs twice
        guard.for_path("/x", origins=SHOP)
    with pytest.raises(CorsGuardError, match="path '/x' is already marked, at tests/routing/"):
        guard.for_path("/x/", max_age=5)
    with pytest.raises(PolicyError, match="a path must be a string such as '/api', not 5"):
        guard.for_path(5, max_age=5)  # type: ignore[arg-type]


def rows(guard: CorsGuard, app: Flask) -> list[tuple[str, str, str]]:
    return [(route.rule, route.source, route.prefix) for route in guard.routes(app)]


class Two(BaseConverter):
    regex = "[a-z]{2}"


class Pair(PathConverter):
    regex = "[^/]+/[^/]+"


class Deep(BaseConverter):
    regex = "[a-z/]+"


@pytest.mark.parametrize(
    ("rule", "prefixes"),
    [
        ("/", [""]),
        ("/x", ["/x"]),
        ("/x/", ["/x"]),
        ("/x/y", ["/x/y"]),
        ("/x/y/z", ["/x/y"]),
        ("//x//z", ["/x"]),
        ("/<p>", ["", "/12", "/x"]),
        ("/<p>/", ["", "/12", "/x"]),
        ("/<p>/y", ["", "/12", "/x/y"]),
        ("/x/<p>", ["/x", "/x/y"]),
        ("/<p>/<q>", ["", "/12", "/x", "/x/y"]),
        ("/<int:p>", ["", "/12"]),
        ("/<int:p>/y", ["", "/12"]),
        ("/x/<int:p>", ["/x"]),
        ("/<two:p>/y", [""]),
        ("/<float:p>", [""]),
        ("/<uuid:p>/x", [""]),
        ("/<any(x, y):p>/y", ["", "/x/y"]),
        ("/<any(x):p>/y", ["/x/y"]),
        ("/<any(x):p>/<q>", ["/x", "/x/y"]),
        ("/<p>2", ["", "/12"]),
        ("/1<int:p>", ["", "/12"]),
        ("/v<p>", [""]),
        ("/x<path:p>", [""]),
        ("/<path:p>x", ["", "/12", "/x", "/x/y"]),
        ("/<path:p>", ["", "/12", "/x", "/x/y"]),
        ("/x/<path:p>", ["/x", "/x/y"]),
        ("/x/y/<path:p>", ["/x/y"]),
        ("/z/<path:p>", [""]),
        ("/1<path:p>", ["", "/12"]),
        ("/<int:p>/<path:q>", ["", "/12"]),
        ("/<path:p>/y", ["", "/12", "/x", "/x/y"]),
        ("/<deep:p>/z", ["", "/12", "/x", "/x/y"]),
        ("/<pair:p>", ["", "/12", "/x", "/x/y"]),
        ("/<pair:p>/z", ["", "/12", "/x", "/x/y"]),
        ("/x/<pair:p>", ["/x", "/x/y"]),
    ],
)
def test_the_prefixes_of_a_rule(app, rule, prefixes):
    app.url_map.converters |= {"two": Two, "deep": Deep, "pair": Pair}
    guard = CorsGuard(app)
    for prefix in ("/x", "/x/y", "/12"):
        guard.for_path(prefix, origins=SHOP)
    app.add_url_rule(rule, "view", lambda **_: "ok")
    expected = [(rule, f"path {prefix}" if prefix else "default", prefix) for prefix in prefixes]
    assert rows(guard, app) == expected
    varying = state_of(app).current().table.varying
    numbers = [sorted(places) for places in varying.values()]
    assert numbers == (
        [prefixes if len(prefixes) > 1 else []] if "<" in rule or "//" in rule else []
    )


def test_what_an_own_path_converter_takes(http, app):
    """Its regular expression says more than that of the one it inherits from."""
    app.url_map.converters["pair"] = Pair
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    guard.for_path("/x/y/z", origins=ADMIN)
    app.add_url_rule("/<pair:p>", "pair", lambda p: "ok")
    team = cors(max_age=5)(Blueprint("team", __name__, url_prefix="/<pair:p>/z"))
    app.register_blueprint(team)
    for path, reader in (("/x/y", PARTNER), ("/y/x", SHOP), ("/x/y/z/7", ADMIN), ("/y/y/z", SHOP)):
        assert readers_of(app, http, path) == reader


def test_a_line_end_in_a_blueprint(http, app):
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    app.register_blueprint(cors(origins=ADMIN)(Blueprint("in", __name__, url_prefix="/x/in")))
    assert readers_of(app, http, "/x/in/%0Ay") == ADMIN
    assert readers_of(app, http, "/x/in%0A/y") == PARTNER


def test_one_row_where_a_policy_replaces_all(app):
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/<path:p>", "any", cors(Policy(origins=ADMIN))(lambda p: "ok"))
    assert rows(guard, app) == [("/<path:p>", "view any", "")]


def test_paths_inside_paths_add_up(http, app):
    guard = CorsGuard(app, origins=SHOP, max_age=1)
    guard.for_path("/x/y/z", Policy(origins=ADMIN))
    guard.for_path("/x/y", allow_headers="X-Y")
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/x/y/page", "page", cors(expose_headers="X-Z")(lambda: "ok"))
    app.add_url_rule("/x/y/z/page", "inner", lambda: "ok")
    page, inner = (route.policy for route in guard.routes(app))
    assert page == Policy(origins=PARTNER, max_age=1, allow_headers="X-Y", expose_headers="X-Z")
    assert inner == Policy(origins=ADMIN)


def test_problems_of_a_path_are_found_at_the_start(app):
    guard = CorsGuard(app)
    guard.for_path("/x", "missing")
    with pytest.raises(PolicyError, match="there is no policy 'missing'"):
        guard.prepare(app)


def test_a_blueprint_under_a_path_it_cannot_be_added_to(app):
    """What no URL can come to is not a problem: the blueprint never lies under /x."""
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins="*")
    api = cors(allow_credentials=True)(Blueprint("api", __name__, url_prefix="/<int:n>"))
    app.register_blueprint(api)
    guard.prepare(app)
    other = Flask("other")
    guard = CorsGuard(other, origins=SHOP)
    guard.for_path("/7", origins="*")
    other.register_blueprint(api)
    with pytest.raises(PolicyError, match=r"blueprint api .*credentials_any_origin"):
        guard.prepare(other)


@pytest.mark.parametrize(
    ("outer", "below"),
    [
        ({"origins": "*"}, {"allow_credentials": True}),
        (
            {"origins": PARTNER, "enforce": "all", "dangerously_allow_public_suffixes": True},
            {"dangerously_allow_public_suffixes": False},
        ),
    ],
)
def test_an_alias_for_what_cannot_be_added_up(http, app, outer, below):
    """It is refused each time: what was found wrong with the sum is not forgotten."""
    guard = CorsGuard(app, self_origins="https://*.github.io")
    guard.for_path("/x", **outer)
    api = cors(**below)(Blueprint("api", __name__, url_prefix="/<int:n>"))
    view = cors(origins=SHOP, allow_credentials=False, enforce="off")(lambda n, p: "ok")
    api.add_url_rule("/<path:p>", "view", view)
    app.register_blueprint(api)
    assert readers_of(app, http, "/7/x/a") == SHOP
    for _ in range(3):
        assert readers_of(app, http, "/7/../x/a") == NOBODY


def test_rules_that_share_no_url_do_not_govern_each_other(http):
    """The catch-all's preflights under /x name only what is under /x too."""
    app = Flask("paths", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/<path:p>", "any", lambda p: "ok", methods=["GET", "PUT"])
    app.add_url_rule("/x/fixed", "fixed", lambda: "ok", methods=["DELETE"])
    for path, page in (("/x/y", PARTNER), ("/y", SHOP)):
        granted = http.preflight(app, path, page, "PUT")
        assert granted == http.granted(page, "GET, HEAD, OPTIONS, PUT")


def test_decisions_are_kept_by_prefix(http):
    app = build()
    for _ in range(2):
        for path, reader in (("/x/a", PARTNER), ("/b", SHOP), ("/x/in/c", ADMIN), ("/d", SHOP)):
            assert readers_of(app, http, path) == reader
    cache = app.extensions["corsguard"].in_force._cache
    assert len(cache) == 9
    assert readers_of(app, http, "/x/../b") == NOBODY
    assert len(cache) == 9


def test_without_paths_nothing_is_looked_at(http, site, monkeypatch):
    CorsGuard(site, origins=SHOP)
    monkeypatch.setattr(InForce, "_place_of", None)
    monkeypatch.setattr("flask_corsguard.runtime.state.is_alias", None)
    monkeypatch.setattr("flask_corsguard.routing.table.is_alias", None)
    assert readers_of(site, http, "/") == SHOP


def test_files_that_are_served_as_others(http, app, tmp_path):
    """No page of an origin that is allowed at /x reads what is under /private."""
    for name in ("x", "private"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f.txt").write_text(name)
    guard = CorsGuard(app)
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/<path:p>", "file", lambda p: send_from_directory(tmp_path, p))
    read = {}
    for path in (
        *("/x/f.txt", "/private/f.txt", "/x/..%2Fprivate/f.txt", "/x/%2e%2e/private/f.txt"),
        *("/x/../private/f.txt", "//x/../private/f.txt", "/x/./../private/f.txt"),
        *("/x//../private/f.txt", "/x/y/../../private/f.txt", "/private/../x/f.txt"),
        *("/x/..%5cprivate/f.txt", "/x/%252e%252e/private/f.txt", "/x;/../private/f.txt"),
        *("/./private/f.txt", "/x/../x/f.txt", "/X/../private/f.txt"),
    ):
        with http.open(app, "/", PARTNER, environ=sent_as(path)) as response:
            if "Access-Control-Allow-Origin" in response.headers:
                read[path] = response.get_data(as_text=True) if response.status_code < 400 else ""
    assert read == {"/x/f.txt": "x", "/x/../x/f.txt": "x", "/x/%252e%252e/private/f.txt": ""}


def test_static_files(http, tmp_path):
    for name in ("font.woff2", "open/a.css", "open/a.woff2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    app = Flask("files", static_folder=str(tmp_path), static_url_path="/static")
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/static/open", origins=PARTNER)
    guard.for_files("static", "*.woff2", origins=ADMIN)
    for path, reader in {
        "/static/font.woff2": ADMIN,
        "/static/open/a.css": PARTNER,
        "/static/open/a.woff2": ADMIN,
        "/static/open/../font.woff2": ADMIN,
        "/static/./open/a.css": NOBODY,
        "/static/open/../open/a.css": PARTNER,
        "/static/open/../none": NOBODY,
        "/static/none": SHOP,
    }.items():
        assert readers_of(app, http, path) == reader, path


@pytest.mark.parametrize("path", ["/x/y", "/x", "/x/fixed", "/y"])
def test_below_script_name(http, path):
    """A mount point is no part of the path; neither is a prefix that a proxy names."""
    app = build()
    reader = SHOP if path == "/y" else PARTNER
    mount = Flask("mount")
    mount.wsgi_app = DispatcherMiddleware(mount.wsgi_app, {"/api": app.wsgi_app})
    for page in PAGES:
        response = mount.test_client().get(f"/api{path}", headers={"Origin": page})
        assert ("Access-Control-Allow-Origin" in response.headers) == (page == reader)
    assert readers_of(app, http, path, environ={"SCRIPT_NAME": "/x"}) == reader


@pytest.mark.parametrize("kind", ["host_matching", "subdomain_matching"])
def test_host_and_subdomain_play_no_part(http, kind):
    options = {"static_host": "shop.test"} if kind == "host_matching" else {}
    app = Flask("hosts", static_folder=None, **{kind: True}, **options)
    app.config["SERVER_NAME"] = "shop.test"
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    where = {"host": "a.shop.test"} if kind == "host_matching" else {"subdomain": "a"}
    app.add_url_rule("/x/page", "fixed", lambda: "ok", **where)
    app.add_url_rule("/<path:p>", "any", lambda p: "ok", **where)
    for host in ("a.shop.test", "b.shop.test", "x.shop.test"):
        for path, reader in (("/x/page", PARTNER), ("/x/y", PARTNER), ("/y", SHOP)):
            assert readers_of(app, http, path, base_url=f"http://{host}/") == reader


@pytest.mark.usefixtures("flask_3_1")
def test_an_untrusted_host(http):
    app = build()
    app.config["TRUSTED_HOSTS"] = ["shop.test"]
    assert readers_of(app, http, "/x/y") == PARTNER
    assert http.send(app, "/x/y", PARTNER).status == 400


def test_a_rule_that_is_an_alias_itself(http):
    app = Flask("paths", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/x/../y", "odd", lambda: "ok")
    for _ in range(2):
        assert readers_of(app, http, "/x/../y") == NOBODY


def test_rules_of_a_map_of_the_apps_own(http, app):
    """As an extension that chooses the map by the request has it."""
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/x", origins=PARTNER)
    own = Map([Rule("/<path:p>", endpoint="any")])
    app.view_functions["any"] = lambda p: "ok"
    app.create_url_adapter = lambda request: request and own.bind_to_environ(request.environ)
    for path, reader in (("/x/y", PARTNER), ("/y", SHOP), ("/x/../y", NOBODY)):
        assert readers_of(app, http, path) == reader


def test_a_rule_that_comes_late(http):
    app = build()
    assert readers_of(app, http, "/x/late/y") == PARTNER
    app.url_map.add(Rule("/x/late/<path:p>", endpoint="fields", methods=["GET"]))
    app.view_functions["fields"] = cors(max_age=5)(lambda p="": "ok")
    assert readers_of(app, http, "/x/late/y") == PARTNER
    assert readers_of(app, http, "/x/late/../../z") == NOBODY


def test_reconfigure_keeps_the_paths(http):
    app = build()
    guard = CorsGuard()
    assert readers_of(app, http, "/y") == SHOP
    guard.reconfigure(app=app, origins=ADMIN)
    assert readers_of(app, http, "/y") == ADMIN
    assert readers_of(app, http, "/x/y") == PARTNER
    guard.reconfigure(app=app, origins=PARTNER)
    assert readers_of(app, http, "/x/../y") == PARTNER


def test_report_only(http, app, heard):
    guard = CorsGuard(app, origins="*", report_only={"origins": SHOP})
    guard.for_path("/x", max_age=5)
    guard.for_path("/z", origins=PARTNER)
    app.add_url_rule("/<path:p>", "any", lambda p: "ok")
    for path, page in (("/x/y", SHOP), ("/x/y", PARTNER), ("/z/y", PARTNER), ("/y", PARTNER)):
        http.send(app, path, page)
    assert [
        (sent.decision.policy_source, sent.decision.path) for sent in heard if sent.decision.reason
    ] == [
        ("path /x over report_only", "/x/y"),
        ("report_only", "/y"),
    ]


@pytest.mark.parametrize(
    ("outer", "inner", "method", "status"),
    [
        ("off", "unsafe", "GET", 200),
        ("off", "unsafe", "POST", 403),
        ("unsafe", "off", "POST", 403),
        ("all", "off", "GET", 403),
        ("off", "report", "POST", 200),
        ("report", "unsafe", "POST", 403),
        ("off", "off", "POST", 200),
    ],
)
def test_the_stricter_enforce_counts(http, app, outer, inner, method, status):
    guard = CorsGuard(app, origins=SHOP, enforce=outer)
    guard.for_path("/x", origins=PARTNER, enforce=inner)
    app.add_url_rule("/<path:p>", "any", lambda p: "ok", methods=["GET", "POST"])
    for path in ("/x/../y", "/y/../x"):
        for page in (SHOP, PARTNER):
            assert http.send(app, path, page, method=method).status == status
        own = http.send(app, path, "http://localhost", method=method)
        assert own.status == 200
        without = http.send(app, path, method=method)
        vary = "Origin, Sec-Fetch-Site" if "all" in (outer, inner) else "Origin"
        assert (without.status, without.cors) == (200, {VARY: vary})


def test_a_callable_is_not_asked_about_an_ambiguous_path(http, app):
    guard = CorsGuard(app, origins=lambda origin: pytest.fail("asked"))
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/<path:p>", "any", lambda p: "ok")
    for path in ("/x/../y", "/y/../x"):
        for origin in (PARTNER, "null", "not an origin"):
            decision = guard.explain(path, origin=origin, app=app)
            assert decision.reason is Reason.PATH_AMBIGUOUS


def test_what_cannot_be_added_up_is_ambiguous(http, app):
    guard = CorsGuard(app, origins="*")
    guard.for_path("/x", origins=PARTNER)
    app.add_url_rule("/x/<path:p>", "view", cors(allow_credentials=True)(lambda p: "ok"))
    assert readers_of(app, http, "/x/y") == PARTNER
    for _ in range(2):  # it is no problem of the app's, and of no other request
        assert readers_of(app, http, "/x/../y") == NOBODY
    assert readers_of(app, http, "/x/z") == PARTNER


def test_the_explanation_of_an_ambiguous_path():
    app = build()
    guard = CorsGuard()
    decision = guard.explain("/x/%2e%2e/%1by", origin=PARTNER, method="POST", app=app)
    text = decision.explain()
    assert r"'/x/../\x1by' has the policy of path /x (tests/routing/" in text
    assert r"normalised, '/\x1by' has that of default (tests/routing/" in text
    assert "the normalised path; or mark the view" in text
    preflight = guard.explain("/x/..%2fy", origin=PARTNER, method="PUT", headers=["X-A"], app=app)
    assert (preflight.preflight, preflight.further_reasons) == (True, ())


def test_prefixes_that_cover_no_rule(app):
    guard = CorsGuard(app)
    for prefix in ("/x", "/x/y", "/none", "/z/a"):
        guard.for_path(prefix, origins=SHOP)
    app.add_url_rule("/x/y/page", "page", lambda: "ok")
    app.add_url_rule("/z/<path:p>", "any", lambda p: "ok")
    found = state_of(app).current().table.paths_without_rules()
    assert [prefix for prefix, _ in found] == ["/none"]
    assert found[0][1].startswith("tests/routing/test_path_policies.py:")


# A second, naive definition.
PREFIXES = ("/a", "/a/b", "/b/a", "/x", "/a/b/x")


def longest(path: str) -> str:
    covering = [p for p in PREFIXES if path == p or path.startswith(f"{p}/")]
    return max(covering, key=len, default="")


def has_two_readings(path: str) -> bool:
    _, *segments = path.split("/")
    return "\\" in path or not {".", ".."}.isdisjoint(segments) or "" in segments[:-1]


def meant_by(path: str) -> str:
    return posixpath.normpath("/" + path.replace("\\", "/").lstrip("/"))


def paths_of(most: int) -> list[str]:
    """Every path of so many pieces."""
    pieces = ("/", ".", "..", "a", "b", "\\", "x")
    tails = (t for n in range(most + 1) for t in itertools.product(pieces, repeat=n))
    # Werkzeug takes several slashes at the beginning for one.
    return sorted({"/" + "".join(tail).lstrip("/") for tail in tails})


def test_every_short_path_is_read_as_defined():
    paths = Paths(dict.fromkeys(PREFIXES))  # type: ignore[arg-type]
    for path in paths_of(6):
        assert is_alias(path) == has_two_readings(path), path
        assert normalised(path) == meant_by(path), path
        assert paths.longest(path) == longest(path), path


@pytest.mark.parametrize("rule", ["/<path:p>", "/<p>/<path:q>", "/<p>", "/a/<path:p>", None])
def test_the_policy_of_every_short_path(app, rule):
    """That of the longest prefix; nobody's if the path that it is taken for has another one."""
    guard = CorsGuard(app, max_age=0)
    for number, prefix in enumerate(PREFIXES, 1):
        guard.for_path(prefix, origins=SHOP, max_age=number)
    if rule:
        app.add_url_rule(rule, "any", lambda **_: "ok")
    ages = {"": 0, **{prefix: number for number, prefix in enumerate(PREFIXES, 1)}}
    in_force = state_of(app).put_in_force()
    for path in paths_of(4):
        with app.test_request_context("/", environ_overrides={"PATH_INFO": path}) as context:
            redirect = getattr(context.request.routing_exception, "new_url", None)
            decision = in_force.decision_for(context.request)
        served = path if redirect is None else unquote(redirect.removeprefix("http://localhost"))
        if has_two_readings(path) and longest(path) != longest(meant_by(path)):
            assert decision.policy == Policy(), path
        else:
            assert decision.policy.max_age == ages[longest(served)], path


@pytest.mark.slow
def test_the_prefixes_of_rules_are_those_of_their_urls():
    """Compared with every short URL that the rule matches."""
    firsts = ["a", "b", "x", "7", "<p>", "<int:p>", "<path:p>", "<any(a, b):p>", "a<p>"]
    seconds = ["", "a", "b", "x", "<q>", "<int:q>", "<path:q>", "<any(a, b):q>", "a<path:q>"]
    marks = Paths(dict.fromkeys((*PREFIXES, "/7", "/ab")))  # type: ignore[arg-type]
    segments = ("a", "b", "x", "7", "ab", "ac", "8")
    urls = ["/" + "/".join(s) for n in (1, 2, 3, 4) for s in itertools.product(segments, repeat=n)]
    for first, second in itertools.product(firsts, seconds):
        text = f"/{first}/{second}".rstrip("/")
        rule = Rule(text, endpoint="e")
        adapter = Map([rule]).bind("localhost")
        found = {marks.longest(url) for url in urls if adapter.test(url)}
        assert marks.of_rule(rule) == sorted(found), text
