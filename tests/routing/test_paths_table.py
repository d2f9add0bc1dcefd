"""Which policy responds at which path: one app with marks by path, one request a row.

A row has the path as it stands on the wire. A policy is known by the origin that it lets read; each
row asks from all of these origins, so it also says that no other policy lets its own origin in.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import pytest
from flask import Blueprint, Flask, send_from_directory
from flask.views import MethodView
from werkzeug.datastructures import Headers
from werkzeug.test import create_environ, run_wsgi_app

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Policy,
    PolicyError,
    cors,
    cors_exempt,
    current_decision,
)

AMBIGUOUS = "PATH_AMBIGUOUS"
EXEMPT = "EXEMPT"
NAMES = (
    "default api v2 open private staff reports english german fonts street landing"  # by path
    " admin auditors view method files"  # by other marks
).split()
ORIGINS = {name: f"https://{name}.example" for name in NAMES}
STRANGER = "https://stranger.example"
# Prefix -> fields, or the name of a policy.
PATHS = {
    "/api": {"origins": ORIGINS["api"], "allow_credentials": True, "max_age": 11},
    "/api/v2": {"origins": ORIGINS["v2"], "max_age": 12},
    "/api/v2/open": "open",
    "/public": {"origins": "*"},
    "/private": {"origins": ORIGINS["private"], "enforce": "unsafe"},
    "/admin": {"origins": ORIGINS["staff"]},
    "/admin/reports": {"origins": ORIGINS["reports"]},
    "/en/news": {"origins": ORIGINS["english"]},
    "/de": {"origins": ORIGINS["german"]},
    "/static/fonts": {"origins": ORIGINS["fonts"]},
    "/straße": {"origins": ORIGINS["street"]},
    "/landing/": {"origins": ORIGINS["landing"]},
}


class Received(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class Row(NamedTuple):
    """One request, and the name of the policy that responds."""

    wire: str
    who: str
    method: str = "GET"
    preflight: bool = False
    script_name: str = ""
    host: str = "shop.test"

    def send(self, app: Flask, origin: str | None, **headers: str) -> Received:
        """The request as gunicorn hands it over: everything before ``?`` is percent-decoded."""
        path, _, query = self.wire.partition("?")
        environ = create_environ(base_url=f"http://{self.host}/", method=self.method)
        environ |= {
            "SCRIPT_NAME": self.script_name,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": self.script_name + self.wire,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        if self.preflight:
            environ |= {
                "REQUEST_METHOD": "OPTIONS",
                "HTTP_ACCESS_CONTROL_REQUEST_METHOD": self.method,
            }
        if origin is not None:
            environ["HTTP_ORIGIN"] = origin
        body, status, found = run_wsgi_app(app, environ, buffered=True)
        return Received(int(status.split()[0]), found, b"".join(body))


def check(app: Flask, row: Row) -> None:
    """Compare the responses to all origins with what the row says."""
    read, why = set(), set()
    for origin in ORIGINS.values():
        received = row.send(app, origin)
        allowed = received.headers.get("Access-Control-Allow-Origin")
        assert allowed in (None, "*", origin)
        read |= {allowed} - {None}
        why.add(received.headers["X-Reason"])
        if row.preflight and row.who != EXEMPT:
            assert received.status == (204 if allowed else 403)
        assert ("Origin" in received.headers.get("Vary", "")) == (
            row.who != EXEMPT and (row.preflight or row.who != "public")
        )
        if row.preflight and row.who == AMBIGUOUS:
            assert json.loads(received.body)["code"] == AMBIGUOUS
    expected: dict[str, tuple[set[str], set[str]]] = {
        AMBIGUOUS: (set(), {AMBIGUOUS}),
        EXEMPT: (set(), {EXEMPT}),
        "public": ({"*"}, {"-"}),
    }
    one = ({ORIGINS.get(row.who, "")}, {"-", "ORIGIN_NOT_ALLOWED"})
    assert (read, why) == expected.get(row.who, one)


def add_reason(response):
    """Say in a header what was decided."""
    reason = current_decision.reason
    exempt = current_decision.outcome.name == EXEMPT
    response.headers["X-Reason"] = EXEMPT if exempt else reason.name if reason else "-"
    return response


class Thing(MethodView):
    def get(self):
        return "thing"

    @cors(origins=ORIGINS["method"])
    def delete(self):
        return ""


def add_routes(app: Flask, guard: CorsGuard) -> None:
    def add(rule, *methods, mark=None, to=app):
        def view(**arguments):
            return "ok"

        target = mark(view) if mark else view
        to.add_url_rule(rule, rule.replace(".", "-"), target, methods=methods or ("GET",))

    add("/")
    add("/api/items", "GET", "PUT")
    add("/api/items/<name>")
    add("/api/dir/")
    add("/api/special", mark=cors(origins=ORIGINS["view"]))
    add("/api/hook", "GET", mark=cors_exempt)
    add("/api/v2/items")
    add("/api/v2/open/items")
    add("/public/page")
    add("/public/files/<path:p>")
    add("/landing/")
    add("/<lang>/news")
    add("/download/<path:p>")
    add("/anywhere/<path:p>", mark=cors(Policy(origins=ORIGINS["view"])))
    add("/partly/<path:p>", mark=cors(max_age=5))
    add("/raw/<path:p>", mark=cors_exempt)
    add("/admin/health")
    add("/admin/reports/daily")
    app.add_url_rule("/api/thing", view_func=Thing.as_view("thing"))

    admin = cors(origins=ORIGINS["admin"])(Blueprint("admin", __name__, url_prefix="/admin"))
    audit = cors(origins=ORIGINS["auditors"])(Blueprint("audit", __name__, url_prefix="/audit"))
    manual = Blueprint("manual", __name__, url_prefix="/manual")
    add("/users", to=admin)
    add("/users/mine", mark=cors(origins=ORIGINS["view"]), to=admin)
    add("/log", to=audit)
    add("/page", to=manual)
    admin.register_blueprint(audit)
    admin.register_blueprint(manual)
    app.register_blueprint(admin)
    guard.for_files("static", "*.woff2", origins=ORIGINS["files"])


def make_app(root: Path, how: str, catch_all: bool) -> Flask:
    app = Flask("shop", static_folder=root / "static", static_url_path="/static")
    if how in ("configured", "as JSON"):
        app.config["CORSGUARD_PATHS"] = PATHS if how == "configured" else json.dumps(PATHS)
    guard = CorsGuard(
        app, origins=ORIGINS["default"], policies={"open": Policy(origins=ORIGINS["open"])}
    )
    app.after_request(add_reason)
    if how == "for_path, after the routes":
        add_routes(app, guard)
    if how.startswith("for_path"):
        for prefix, value in PATHS.items():
            if isinstance(value, str):
                guard.for_path(prefix, value)
            else:
                guard.for_path(prefix, **value)
    if how != "for_path, after the routes":
        add_routes(app, guard)
    if catch_all:
        app.add_url_rule(
            "/<path:p>", "files", lambda p: send_from_directory(root, p), methods=["GET", "POST"]
        )
    guard.prepare()
    return app


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("files")
    for name in ("x", "private", "public", "static/fonts"):
        (root / name).mkdir(parents=True)
    for name in ("x/f.txt", "private/f.txt", "public/f.txt", "static/fonts/a.woff2"):
        (root / name).write_text("text")
    return root


HOW = ["for_path, before the routes", "for_path, after the routes", "configured", "as JSON"]


@pytest.fixture(scope="module", params=HOW)
def site(request, root):
    """The app whose last rule takes every path, GET and POST."""
    return make_app(root, request.param, catch_all=True)


@pytest.fixture(scope="module", params=HOW)
def plain(request, root):
    """The app without that rule."""
    return make_app(root, request.param, catch_all=False)


def rows(*table: Row):
    """With ids that are readable, and the same in every process."""
    found = []
    for row in table:
        words = [f"preflight for {row.method}" if row.preflight else row.method]
        words += [f"at {row.script_name}"] if row.script_name else []
        words += [f"on {row.host}"] if row.host != "shop.test" else []
        found.append(pytest.param(row, id=f"{' '.join(words)} {row.wire or '-'}"))
    return found


WHOLE_SEGMENTS = rows(
    Row("/", "default"),
    Row("/x/f.txt", "default"),
    Row("/api", "api"),
    Row("/api/", "api"),
    Row("/api/x", "api"),
    Row("/api/x/", "api"),
    Row("/api/items", "api"),
    Row("/api/items/7", "api"),
    Row("/apix", "default"),
    Row("/api.json", "default"),
    Row("/api-v2/x", "default"),
    Row("/xapi/x", "default"),
    Row("/x/api/y", "default"),
    Row("/api/v2", "v2"),
    Row("/api/v2/", "v2"),
    Row("/api/v2/items", "v2"),
    Row("/api/v2x", "api"),
    Row("/api/v2.1/items", "api"),
    Row("/api/v20/open", "api"),
    Row("/api/v2/open", "open"),
    Row("/api/v2/open/items", "open"),
    Row("/api/v2/open/x/y/z", "open"),
    Row("/api/v2/opened", "v2"),
    Row("/api/open", "api"),
    Row("/public", "public"),
    Row("/public/page", "public"),
    Row("/public/f.txt", "public"),
    Row("/public/files/a/b", "public"),
    Row("/publicity", "default"),
    Row("/private/f.txt", "private"),
    Row("/private", "private"),
    Row("/landing", "landing"),
    Row("/landing/", "landing"),
    Row("/landing/x", "landing"),
    Row("/landings", "default"),
)
VARIABLES = rows(
    Row("/en/news", "english"),
    Row("/en/news/1", "english"),
    Row("/en", "default"),
    Row("/en/newsletter", "default"),
    Row("/de/news", "german"),
    Row("/de", "german"),
    Row("/de/x/y", "german"),
    Row("/den/news", "default"),
    Row("/fr/news", "default"),
    Row("/api/news", "api"),
    Row("/download/api/x", "default"),
)
OTHER_MARKS = rows(
    Row("/api/special", "view"),
    Row("/api/special", "api", "POST"),  # the rule for every path takes POST there
    Row("/api/thing", "api"),
    Row("/api/thing", "method", "DELETE"),
    Row("/api/hook", EXEMPT),
    Row("/raw/private/f.txt", EXEMPT),
    Row("/anywhere/x", "view"),
    Row("/admin/users", "admin"),
    Row("/admin/users/mine", "view"),
    Row("/admin/audit/log", "auditors"),
    Row("/admin/manual/page", "admin"),
    Row("/admin/health", "staff"),
    Row("/admin", "staff"),
    Row("/admin/x", "staff"),
    Row("/admin/reports/daily", "reports"),
    Row("/static/app.css", "default"),
    Row("/static/fonts/a.css", "fonts"),
    Row("/static/fonts/a.woff2", "files"),
    Row("/static/a.woff2", "files"),
)
METHODS = rows(
    Row("/api/items", "api", "HEAD"),
    Row("/api/v2/x", "v2", "HEAD"),
    Row("/api/x", "api", "POST"),
    Row("/public/f.txt", "public", "HEAD"),
    Row("/api/v2/x", "v2", "OPTIONS"),
    Row("/api/items", "api", "GET", preflight=True),
    Row("/api/items", "api", "PUT", preflight=True),
    Row("/api/v2/items", "v2", "GET", preflight=True),
    Row("/api/v2/x", "v2", "POST", preflight=True),
    Row("/api/v2/open/x", "open", "POST", preflight=True),
    Row("/public/f.txt", "public", "POST", preflight=True),
    Row("/en/news", "english", "GET", preflight=True),
    Row("/de/news", "german", "GET", preflight=True),
    Row("/fr/news", "default", "GET", preflight=True),
    Row("/api/special", "view", "GET", preflight=True),
    Row("/api/special", "api", "POST", preflight=True),
    Row("/api/thing", "api", "GET", preflight=True),
    Row("/api/thing", "method", "DELETE", preflight=True),
    Row("/admin/users", "admin", "GET", preflight=True),
    Row("/admin/x", "staff", "POST", preflight=True),
    Row("/static/fonts/a.woff2", "files", "GET", preflight=True),
    Row("/apix", "default", "POST", preflight=True),
)
SPELLINGS = rows(
    # What is not a separator, and what is
    Row("/api%2Fx", "api"),
    Row("/api%2fv2%2fx", "v2"),
    Row("/%61pi/x", "api"),
    Row("/%61%70%69/v%32/items", "v2"),
    Row("/api%3Bv=1/x", "default"),
    Row("/api;v=1/x", "default"),
    Row("/api/x;v=1", "api"),
    Row("/api;/x", "default"),
    Row("/api%3Fx", "default"),
    Row("/api?x=1", "api"),
    Row("/api/x?y=/private/f.txt", "api"),
    Row("/x?/api/y", "default"),
    Row("/x?p=../private", "default"),
    Row("/api%23x", "default"),
    Row("/api%20/x", "default"),
    Row("/%20api/x", "default"),
    Row("/api+x", "default"),
    Row("/api%00/x", "default"),
    Row("/api/%00", "api"),
    Row("/api%0A/x", "default"),
    Row("/api/x%0Ay", "api"),
    # Case, and characters that look alike
    Row("/API/x", "default"),
    Row("/Api/v2/items", "default"),
    Row("/api/V2/items", "api"),
    Row("/api%EF%BC%8Fx", "default"),  # a fullwidth slash
    Row("/api%E2%88%95x", "default"),  # the division sign
    Row("/%EF%BD%81pi/x", "default"),  # a fullwidth a
    Row("/stra%C3%9Fe", "street"),
    Row("/stra%c3%9fe/7", "street"),
    Row("/strasse/7", "default"),
    Row("/stra%DFe/7", "default"),  # not UTF-8
    Row("/api/%FF", "api"),
    Row("/api%FF/x", "default"),
    # Percent signs that are decoded once
    Row("/api%252Fx", "default"),
    Row("/public/%252e%252e/private/f.txt", "public"),
    Row("/x/..%252Fprivate/f.txt", "default"),
    Row("/%2561pi/x", "default"),
    # Dots that are no dot segments
    Row("/api/...", "api"),
    Row("/.../api/x", "default"),
    Row("/..;/api/x", "default"),
    Row("/.api/x", "default"),
    Row("/api./x", "default"),
    Row("/api/.well-known", "api"),
    Row("/api../x", "default"),
    Row("/api/v2..", "api"),
)
ALIASES = rows(
    Row("/x/../private/f.txt", AMBIGUOUS),
    Row("/x/..%2Fprivate/f.txt", AMBIGUOUS),
    Row("/x/%2e%2e/private/f.txt", AMBIGUOUS),
    Row("/x/%2E%2E%2Fprivate%2Ff.txt", AMBIGUOUS),
    Row("/x/.%2e/private/f.txt", AMBIGUOUS),
    Row("/public/../private/f.txt", AMBIGUOUS),
    Row("/private/../public/f.txt", AMBIGUOUS),
    Row("/private/../x/f.txt", AMBIGUOUS),
    Row("/private/..", AMBIGUOUS),
    Row("/private/x/../..", AMBIGUOUS),
    Row("/./private/f.txt", AMBIGUOUS),
    Row("/x/y/../../private/f.txt", AMBIGUOUS),
    Row("/../private/f.txt", AMBIGUOUS),
    Row("/../../private/f.txt", AMBIGUOUS),
    Row("/api/x/../v2/y", AMBIGUOUS),
    Row("/api/./v2/y", AMBIGUOUS),
    Row("/api/v2/../y", AMBIGUOUS),
    Row("/api/v2/open/../y", AMBIGUOUS),
    Row("/./en/news", AMBIGUOUS),
    Row("/x/../de/y", AMBIGUOUS),
    Row("/private%5Cf.txt", AMBIGUOUS),
    Row("/api%5Cx", AMBIGUOUS),
    Row("/x%5C..%5Cprivate%5Cf.txt", AMBIGUOUS),
    Row("/x/..%5Cprivate/f.txt", AMBIGUOUS),
    Row("/public/..%5Cprivate/f.txt", AMBIGUOUS),
    Row("/api/v2%5Copen", AMBIGUOUS),
    Row("/download/../private/f.txt", AMBIGUOUS),
    Row("/public/files/../../private/f.txt", AMBIGUOUS),
    Row("/partly/../private/f.txt", AMBIGUOUS),
    Row("/x/../private/f.txt", AMBIGUOUS, "POST"),
    Row("/x/../private/f.txt", AMBIGUOUS, "HEAD"),
    Row("/x/../private/f.txt", AMBIGUOUS, "GET", preflight=True),
    Row("/x/../private/f.txt", AMBIGUOUS, "POST", preflight=True),
    Row("/x/../api/x", AMBIGUOUS, script_name="/mount"),
    # Both come to the same policy
    Row("/x/../y", "default"),
    Row("/x/./y", "default"),
    Row("/x/..", "default"),
    Row("/x//y", "default"),
    Row("/x%5Cy", "default"),
    Row("/x/../apix", "default"),
    Row("/..%2Fapix", "default"),
    Row("/api/.", "api"),
    Row("/api/x/..", "api"),
    Row("/api/x/../y", "api"),
    Row("/api/x//y", "api"),
    Row("/api/x%5Cy", "api"),
    Row("/api/../api/x", "api"),
    Row("/api/items/..", "api"),
    Row("/api/v2/x/%2e%2e/y", "v2"),
    Row("/api/v2//", "v2"),
    Row("/public//private/f.txt", "public"),
    Row("/api//v2/x", AMBIGUOUS),
    Row("/api//v2/x", AMBIGUOUS, "POST"),
    Row("/api/%2Fv2/x", AMBIGUOUS),
    Row("//api/v2/x", "v2"),
    Row("//api//v2/x", AMBIGUOUS),
    Row("/private/./f.txt", "private"),
    Row("/public/files/a/../b", "public"),
    # Paths make no difference to a policy that replaces all, nor to an exempt route
    Row("/anywhere/../private/f.txt", "view"),
    Row("/anywhere/%5Cprivate", "view"),
    Row("/anywhere/../private/f.txt", "view", "GET", preflight=True),
    Row("/raw/../private/f.txt", EXEMPT),
)
MOUNTED = rows(
    Row("/x", "default", script_name="/api"),
    Row("/items", "default", script_name="/api"),
    Row("/v2/items", "default", script_name="/api"),
    Row("/api/x", "api", script_name="/mount"),
    Row("/api/v2/items", "v2", script_name="/mount"),
    Row("/api/x", "api", script_name="/api"),
    Row("/api/x", "api", script_name="/private"),
    Row("/public/f.txt", "public", script_name="/private"),
    Row("", "default", script_name="/api"),
    Row("/", "default", script_name="/api"),
    Row("/de/news", "german", "GET", preflight=True, script_name="/api"),
    Row("/api/x", "api", host="api.test:8080"),
    Row("/x", "default", host="api.test"),
    Row("/de/news", "german", host="de.shop.test"),
)


@pytest.mark.parametrize(
    "row", WHOLE_SEGMENTS + VARIABLES + OTHER_MARKS + METHODS + SPELLINGS + ALIASES + MOUNTED
)
def test_paths(site, row):
    check(site, row)


@pytest.mark.parametrize(
    "row",
    rows(
        # 404: the blueprint whose prefix covers the path, then paths, then the default
        Row("/none", "default"),
        Row("/api/none", "api"),
        Row("/api", "api"),
        Row("/apix", "default"),
        Row("/api/v2/none", "v2"),
        Row("/api/v2/open/none", "open"),
        Row("/api/v2/opened", "v2"),
        Row("/public/none", "public"),
        Row("/private/f.txt", "private"),
        Row("/de/none", "german"),
        Row("/admin/none", "admin"),
        Row("/admin/reports/none", "admin"),
        Row("/admin/audit/none", "auditors"),
        Row("/admin/manual/none", "admin"),
        Row("/administrators", "default"),
        Row("/x/../private/f.txt", AMBIGUOUS),
        Row("/api%5Cnone", AMBIGUOUS),
        Row("/api/x/../none", "api"),
        Row("/x", "default", script_name="/api"),
        Row("/api/none", "api", script_name="/mount"),
        # A page gets to read the 404, whatever the method
        Row("/none", "default", "PATCH", preflight=True),
        Row("/api/none", "api", "PATCH", preflight=True),
        Row("/api/v2/none", "v2", "DELETE", preflight=True),
        Row("/public/none", "public", "PUT", preflight=True),
        Row("/private/none", "private", "PUT", preflight=True),
        Row("/admin/none", "admin", "PUT", preflight=True),
        Row("/x/../private/none", AMBIGUOUS, "PUT", preflight=True),
        # 405: a route at that URL
        Row("/api/items", "api", "DELETE"),
        Row("/api/v2/items", "v2", "DELETE"),
        Row("/api/special", "view", "DELETE"),
        Row("/public/page", "public", "POST"),
        Row("/admin/users", "admin", "DELETE"),
        Row("/admin/health", "staff", "DELETE"),
        Row("/en/news", "english", "DELETE"),
        Row("/fr/news", "default", "DELETE"),
        # Redirects: the target's, unless the path as it was sent is ambiguous
        Row("/api/dir", "api"),
        Row("/api//items", "api"),
        Row("//api/items", "api"),
        Row("//api/v2/items", "v2"),
        Row("/api//v2/items", AMBIGUOUS),
        Row("/api//v2/items", AMBIGUOUS, "POST"),
        Row("/api//v2/items", AMBIGUOUS, "GET", preflight=True),
        Row("/api/v2//items", "v2"),
        Row("/api/v2//open/items", AMBIGUOUS),
        Row("/api/v2/open//items", "open"),
        Row("/en//news", AMBIGUOUS),
        Row("/de//news", "german"),
        Row("/fr//news", "default"),
        Row("/api//special", "view"),
        Row("/admin//users", "admin"),
        Row("/admin//reports/daily", AMBIGUOUS),
        Row("/api//v2/none", AMBIGUOUS),
        Row("/api//none", "api"),
        Row("/api/dir", "api", script_name="/mount"),
        Row("/landing", "landing"),
        Row("/api/dir", "api", "GET", preflight=True),
    ),
)
def test_where_routing_fails(plain, row):
    check(plain, row)


def test_statuses_of_these(plain):
    """What the table above takes for a 404, a 405 or a redirect is one."""
    for wire, method, status in [
        ("/api/none", "GET", 404),
        ("/api", "GET", 404),
        ("/api/items", "DELETE", 405),
        ("/en/news", "DELETE", 405),
        ("/api/dir", "GET", 308),
        ("/api//items", "GET", 308),
        ("/api//v2/items", "GET", 308),
        ("/api//v2/items", "POST", 405),
        ("/api//v2/none", "GET", 404),
        ("/en//news", "GET", 308),
        ("/landing", "GET", 308),
    ]:
        assert Row(wire, "", method).send(plain, None).status == status


@pytest.mark.parametrize(
    ("wire", "name", "credentials", "age"),
    [
        ("/api/items", "api", "true", "11"),
        ("/api/v2/items", "v2", "true", "12"),
        ("/api/v2/open/items", "open", None, "600"),
        ("/admin/health", "staff", None, "600"),
    ],
)
def test_fields_add_up(site, wire, name, credentials, age):
    """A path inside a path changes fields of it; a policy replaces all of them."""
    headers = Row(wire, "", "GET", preflight=True).send(site, ORIGINS[name]).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGINS[name]
    assert headers.get("Access-Control-Allow-Credentials") == credentials
    assert headers["Access-Control-Max-Age"] == age


@pytest.mark.parametrize(
    ("wire", "refused"),
    [
        ("/private/f.txt", True),
        ("/x/f.txt", False),
        ("/x/../private/f.txt", True),
        ("/private/../x/f.txt", True),
        ("/public/../private/f.txt", True),
        ("/x%5C..%5Cprivate%5Cf.txt", True),
        ("/private/x/../f.txt", True),
        ("/public/../x/f.txt", False),
        ("/x/../api/y", False),
    ],
)
def test_the_stricter_of_two_refuses(site, wire, refused):
    """A stranger's POST; the app's own page and what is not a browser get through."""
    row = Row(wire, "", "POST")
    received = row.send(site, STRANGER, sec_fetch_site="cross-site")
    assert (received.status == 403) == refused
    assert "Access-Control-Allow-Origin" not in received.headers
    assert row.send(site, "http://shop.test", sec_fetch_site="same-origin").status != 403
    assert row.send(site, None).status != 403
    assert Row(wire, "").send(site, STRANGER, sec_fetch_site="cross-site").status != 403


def test_what_an_alias_is_about(site):
    """send_from_directory serves the file of another path."""
    received = Row("/x/..%2Fprivate/f.txt", "").send(site, ORIGINS["private"])
    assert (received.status, received.body) == (200, b"text")
    assert "Access-Control-Allow-Origin" not in received.headers
    received = Row("/x/..%2Fprivate/f.txt", "").send(site, None)
    assert "Origin" in received.headers["Vary"]


def test_an_alias_is_explained(root):
    """The decision says what was found wrong."""
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, origins=ORIGINS["default"])
    app.add_url_rule("/<path:p>", "files", lambda p: "ok")
    guard.for_path("/private", origins=ORIGINS["private"])
    decision = guard.explain("/x/..%2Fprivate/f.txt", origin=ORIGINS["private"], app=app)
    assert decision.reason is not None
    assert decision.reason.name == AMBIGUOUS
    assert decision.outcome.name == "REJECTED"
    assert AMBIGUOUS in decision.explain()


# --- Precedence: the innermost first ---

LAYERS = [
    "method",
    "view",
    "for_endpoint",
    "inner blueprint",
    "for_blueprint of the inner",
    "outer blueprint",
    "for_blueprint of the outer",
    "longest path",
    "longer path",
    "path",
    "default",
]


def layered(marks: dict[str, dict[str, object]]) -> tuple[Flask, CorsGuard]:
    """One view in a blueprint in a blueprint, with these layers."""

    def given(layer):
        fields = dict(marks[layer])
        return ([fields.pop("policy")] if "policy" in fields else []), fields

    def mark(layer, target):
        if layer not in marks:
            return target
        policy, fields = given(layer)
        return cors(*policy, **fields)(target)

    class View(MethodView):
        def get(self):
            return "ok"

    mark("method", View.get)
    mark("view", View)
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, **marks.get("default", {}))
    outer = mark("outer blueprint", Blueprint("outer", __name__, url_prefix="/outer"))
    inner = mark("inner blueprint", Blueprint("inner", __name__, url_prefix="/inner"))
    inner.add_url_rule("/thing/one", view_func=View.as_view("thing"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    for layer, add, target in [
        ("for_endpoint", "for_endpoint", "outer.inner.thing"),
        ("for_blueprint of the inner", "for_blueprint", "outer.inner"),
        ("for_blueprint of the outer", "for_blueprint", "outer"),
        ("longest path", "for_path", "/outer/inner/thing/one"),
        ("longer path", "for_path", "/outer/inner"),
        ("path", "for_path", "/outer"),
    ]:
        if layer in marks:
            policy, fields = given(layer)
            getattr(guard, add)(target, *policy, **fields)
    return app, guard


def policy_of(marks: dict[str, dict[str, object]]) -> Policy:
    app, guard = layered(marks)
    decision = guard.explain("/outer/inner/thing/one", origin=None, app=app)
    assert decision.policy is not None
    return decision.policy


def origin_of(layer: str) -> str:
    return f"https://{layer.replace(' ', '-').replace('_', '-')}.example"


@pytest.mark.parametrize(("inner", "outer"), list(combinations(LAYERS, 2)))
def test_of_two_layers_the_inner_one_wins(inner, outer):
    found = policy_of({outer: {"origins": origin_of(outer)}, inner: {"origins": origin_of(inner)}})
    assert found == Policy(origins=origin_of(inner))


@pytest.mark.parametrize("number", range(len(LAYERS)), ids=LAYERS)
def test_of_all_layers_the_innermost_wins(number):
    found = policy_of({layer: {"origins": origin_of(layer)} for layer in LAYERS[number:]})
    assert found == Policy(origins=origin_of(LAYERS[number]))


@pytest.mark.parametrize(("inner", "outer"), list(combinations(LAYERS, 2)))
def test_fields_of_two_layers_add_up(inner, outer):
    found = policy_of({outer: {"origins": origin_of(outer), "max_age": 1}, inner: {"max_age": 2}})
    assert found == Policy(origins=origin_of(outer), max_age=2)


@pytest.mark.parametrize("inner", LAYERS[:-1])
def test_a_policy_replaces_what_is_further_out(inner):
    marks = {layer: {"max_age": 5, "allow_credentials": True} for layer in LAYERS}
    marks["default"]["origins"] = origin_of("default")
    for layer in LAYERS[: LAYERS.index(inner)]:
        del marks[layer]
    marks[inner] = {"policy": Policy(origins=origin_of(inner))}
    assert policy_of(marks) == Policy(origins=origin_of(inner))


@pytest.mark.parametrize("prefix", ["/static", "/static/fonts", "/static/fonts/a.woff2"])
def test_files_win_over_paths(prefix):
    """And change fields of what a path says."""
    app = Flask("shop", static_folder="static")
    guard = CorsGuard(app, origins=ORIGINS["default"])
    guard.for_path(prefix, origins=ORIGINS["fonts"], max_age=5)
    guard.for_files("static", "*.woff2", origins=ORIGINS["files"])
    decision = guard.explain("/static/fonts/a.woff2", origin=None, app=app)
    assert decision.policy == Policy(origins=ORIGINS["files"], max_age=5)


# --- Hosts ---


@pytest.mark.parametrize("matching", ["host", "subdomain"])
def test_hosts_play_no_part(matching):
    """One prefix covers the path on every host."""
    app = Flask(
        "shop",
        static_folder=None,
        host_matching=matching == "host",
        subdomain_matching=matching == "subdomain",
    )
    if matching == "subdomain":
        app.config["SERVER_NAME"] = "shop.test"
    guard = CorsGuard(app, origins=ORIGINS["default"])
    guard.for_path("/api", origins=ORIGINS["api"])
    app.after_request(add_reason)
    for number, part in enumerate(["a", "b"]):
        place = {"host": f"{part}.shop.test"} if matching == "host" else {"subdomain": part}
        for rule in ("/api/items", "/x", "/<path:p>"):
            app.add_url_rule(rule, f"{number}{rule[1:2]}", lambda p="": "ok", **place)
    for host in ("a.shop.test", "b.shop.test", "c.shop.test"):
        check(app, Row("/api/items", "api", host=host))
        check(app, Row("/api/none", "api", host=host))
        check(app, Row("/api/none", "api", "GET", preflight=True, host=host))
        check(app, Row("/x", "default", host=host))
        check(app, Row("/apix", "default", host=host))


# --- What is wrong ---


def by_method(app, prefix, fields):
    guard = CorsGuard(app)
    guard.for_path(prefix, **fields)
    guard.prepare()


def by_configuration(app, prefix, fields):
    app.config["CORSGUARD_PATHS"] = {prefix: fields}
    CorsGuard(app).prepare()


@pytest.fixture
def shop():
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/api/x", "x", lambda: "ok")
    return app


@pytest.mark.parametrize("add", [by_method, by_configuration])
@pytest.mark.parametrize(
    "prefix",
    ["", "/", "/api?x=1", "/api?", "/%61pi", "/a%2Fb", "/a/../b", "/../a", "/a/..", "/./a", "/a/."],
)
def test_prefixes_that_are_wrong(shop, add, prefix):
    with pytest.raises(CorsGuardError, match=r"(?i)path|prefix"):
        add(shop, prefix, {"max_age": 5})


@pytest.mark.parametrize("prefix", ["/api", "/api/", "/a/b/c", "/...", "/.well-known", "/a..b"])
@pytest.mark.parametrize("add", [by_method, by_configuration])
def test_prefixes_that_are_right(shop, add, prefix):
    add(shop, prefix, {"max_age": 5})


@pytest.mark.parametrize("add", [by_method, by_configuration])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"orgins": "*"}, "origins"),
        ({"origins": "https://a.example/"}, "trailing slash"),
        ({"max_age": "600"}, "max_age"),
        ({"origins": "*", "allow_credentials": True}, "allow_credentials"),
    ],
    ids=["an unknown field", "an origin", "a type", "a combination"],
)
def test_fields_that_are_wrong(shop, add, fields, message):
    with pytest.raises(PolicyError, match=message):
        add(shop, "/api", fields)


def test_combined_with_what_is_further_out(shop):
    """Two layers that are right by themselves, and cannot be combined."""
    guard = CorsGuard(shop, origins=ORIGINS["default"], allow_credentials=True)
    guard.for_path("/api", origins="*")
    with pytest.raises(PolicyError, match="allow_credentials"):
        guard.prepare()


@pytest.mark.parametrize("second", ["/api", "/api/"])
def test_a_path_is_marked_once(second):
    guard = CorsGuard(Flask("shop"))
    guard.for_path("/api", max_age=5)
    with pytest.raises(CorsGuardError):
        guard.for_path(second, max_age=6)


def test_a_mark_changes_something():
    guard = CorsGuard(Flask("shop"))
    with pytest.raises(CorsGuardError):
        guard.for_path("/api")


@pytest.mark.parametrize("configured", [False, True])
def test_an_unknown_policy(shop, configured):
    if configured:
        shop.config["CORSGUARD_PATHS"] = {"/api": "partner"}

    def make():
        guard = CorsGuard(shop, policies={"partners": Policy(origins="https://a.example")})
        if not configured:
            guard.for_path("/api", "partner")
        guard.prepare()

    with pytest.raises(PolicyError, match="partners"):  # the one that exists
        make()


def test_a_path_is_a_source(shop):
    guard = CorsGuard(shop, origins=ORIGINS["default"])
    guard.for_path("/api/", origins=ORIGINS["api"])
    assert [(rule, source) for rule, _, _, source in guard.routes()] == [("/api/x", "path /api")]
    assert guard.explain("/api/none", origin=None).policy_source == "path /api"


def test_a_guard_whose_app_comes_later(shop):
    guard = CorsGuard(origins=ORIGINS["default"])
    guard.for_path("/api", origins=ORIGINS["api"])
    guard.init_app(shop)
    assert guard.explain("/api/x", origin=ORIGINS["api"], app=shop).outcome.name == "ALLOWED"
