"""The inspector: who may see it, what it shows, and that it keeps no more than it says."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import threading
import time
from urllib.parse import quote, urlencode

import pytest
from flask import Blueprint, Flask, Response, abort
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from flask_corsguard import CorsGuard, Policy, PolicyError, cors, cors_exempt
from flask_corsguard.inspector.rejections import MOST_ENTRIES
from flask_corsguard.inspector.site import EXTENSION_KEY
from flask_corsguard.testing import Browser

ROOT = "/_corsguard/"
PAGES = ("", "rejections", "rejections.json", "check")
ASSETS = ("inspector.css", "inspector.js", "icon.svg")
SHOP = "https://shop.example"
PARTNER = "https://partner.example"
STRANGER = "https://stranger.example"


def yes(request):
    return True


@pytest.fixture
def app():
    app = Flask("shop", static_folder=None)
    app.debug = True
    return app


@pytest.fixture
def shop(app):
    """An app with a route of each kind, and an inspector."""
    guard = CorsGuard(app, inspector=True, origins=SHOP)

    def view(**_):
        return "ok"

    for rule, endpoint, methods, mark in (
        ("/default", "default", ["GET"], None),
        ("/open", "open.one", ["GET"], cors(origins="*")),
        ("/account", "account", ["GET", "PUT"], cors(allow_credentials=True, enforce="unsafe")),
        ("/partners", "partners", ["POST"], cors(origins=["https://*.partner.example"])),
        ("/pattern", "pattern", ["GET"], cors(origins=[re.compile(r"https://pr-\d\.example")])),
        ("/asks", "asks", ["GET"], cors(origins=[SHOP, lambda origin: 1 / 0])),
        ("/some", "some", ["GET", "DELETE"], cors(methods=["GET"])),
        ("/hook", "hook", ["POST"], cors_exempt),
    ):
        function = (lambda: lambda **_: view())()
        app.add_url_rule(rule, endpoint, mark(function) if mark else function, methods=methods)
    app.extensions["guard"] = guard
    return app


def get(app, path="", query=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get(ROOT + path, query_string=query, headers=names)


def reject(app, origin=STRANGER, path="/default", method="GET", **environ):
    environ = {f"HTTP_{name}": value for name, value in environ.items()}
    overrides = {"HTTP_ORIGIN": origin, **environ}
    return app.test_client().open(path, method=method, environ_overrides=overrides)


def cells(page):
    """Path -> the signs in its row."""
    rows = re.findall(r"<tr[^>]*>\s*<th scope=\"row\".*?</tr>", page, re.DOTALL)
    return {
        re.search(r"<code>(.*?)</code>", row)[1]: re.findall(r'class="sign (\w+)"', row)
        for row in rows
    }


def rows(page):
    return sorted(cells(page))


def columns(page):
    return re.findall(r'class="origin[^>]*><span>(.*?)</span>', page)


# Switching it on


@pytest.mark.parametrize(
    ("argument", "key", "check", "debug", "expected"),
    [
        (None, None, None, False, "off"),
        (None, None, None, True, "off"),
        (None, False, None, True, "off"),
        (None, True, None, True, "on"),
        (True, None, None, True, "on"),
        (True, False, None, True, "on"),
        (False, True, None, True, "off"),
        (False, True, yes, False, "off"),
        (None, None, yes, False, "off"),
        (None, None, yes, True, "off"),
        (None, True, yes, False, "on"),
        (None, True, yes, True, "on"),
        (True, True, yes, False, "on"),
        (True, None, None, False, "inspector_outside_debug"),
        (None, True, None, False, "inspector_outside_debug"),
        (True, True, None, False, "inspector_outside_debug"),
        # The configuration has to say so.
        (True, None, yes, False, "inspector_outside_debug"),
        (True, False, yes, False, "inspector_outside_debug"),
        ("yes", None, None, True, "bool_expected"),
        (None, 1, None, True, "bool_expected"),
        (None, "true", yes, False, "bool_expected"),
        (None, True, "app.check", False, "wrong_type inspector_outside_debug"),
        (None, True, "app.check", True, "wrong_type"),
        (None, True, bool, True, "wrong_type"),
        (None, None, 1, True, "wrong_type"),
    ],
)
def test_whether_there_is_one(app, argument, key, check, debug, expected):
    app.debug = debug
    if key is not None:
        app.config["CORSGUARD_INSPECTOR"] = key
    app.config["CORSGUARD_INSPECTOR_CHECK"] = check
    if expected in ("on", "off"):
        CorsGuard(app, inspector=argument)
        assert get(app).status_code == (200 if expected == "on" else 404)
        assert (EXTENSION_KEY in app.extensions) == (expected == "on")
    else:
        with pytest.raises(PolicyError) as caught:
            CorsGuard(app, inspector=argument)
        assert [problem.code for problem in caught.value.problems] == expected.split()
        assert "corsguard" not in app.extensions


def test_an_asynchronous_check_is_refused(app):
    async def check(request):
        return True

    app.config["CORSGUARD_INSPECTOR_CHECK"] = check
    with pytest.raises(PolicyError, match="no plain function"):
        CorsGuard(app)


def test_the_refusal_names_the_place_and_the_remedy():
    app = Flask("shop")
    with pytest.raises(PolicyError, match=r"test_inspector.py:\d+: inspector: .*flask run --debug"):
        CorsGuard(app, inspector=True)
    app.config["CORSGUARD_INSPECTOR"] = True
    with pytest.raises(PolicyError, match=r"^CORSGUARD_INSPECTOR: inspector: .*INSPECTOR_CHECK"):
        CorsGuard(app)


def test_an_app_without_one_loads_none_of_it():
    code = (
        "import sys; from flask import Flask; from flask_corsguard import CorsGuard;"
        "app = Flask('x'); CorsGuard(app); app.test_client().get('/');"
        "print([name for name in sys.modules if 'inspector' in name or 'simulate' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Who may see it


@pytest.mark.parametrize("path", [*PAGES, *ASSETS])
def test_headers(shop, path):
    response = get(shop, path)
    assert response.status_code == 200
    headers = response.headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Vary"] == "Origin, Sec-Fetch-Site"
    assert not [name for name, _ in headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("http://localhost:5000", {}, "same-origin"),
        ("http://127.0.0.1", {}, "same-origin"),
        ("https://192.168.1.20", {}, "same-origin"),
        ("http://192.168.1.20", {"Sec-Fetch-Site": "none"}, "same-origin"),
        # Chromium would say in its console that it does not heed it.
        ("http://192.168.1.20:5000", {}, None),
    ],
)
def test_opener_policy_where_it_is_heeded(shop, url, headers, expected):
    response = shop.test_client().get(ROOT, base_url=url, headers=headers)
    assert response.status_code == 200
    assert response.headers.get("Cross-Origin-Opener-Policy") == expected


@pytest.mark.parametrize(
    ("host", "settings", "status"),
    [
        ("localhost", {}, 200),
        ("localhost:5000", {}, 200),
        ("localhost:80", {}, 200),
        ("LOCALHOST", {}, 200),
        ("shop.localhost:5000", {}, 200),
        ("127.0.0.1:5000", {}, 200),
        ("127.8.8.8", {}, 200),
        ("[::1]:5000", {}, 200),
        ("192.168.1.20:5000", {}, 200),
        ("[fe80::1]", {}, 200),
        ("shop.example", {}, 403),
        ("rebound.example:5000", {}, 403),
        ("localhost.rebound.example", {}, 403),
        ("127.0.0.1.rebound.example", {}, 403),
        ("rebound.example#localhost", {}, 403),
        ("", {}, 403),
        ("shop.example:5000", {"SERVER_NAME": "shop.example:5000"}, 200),
        ("shop.example", {"CORSGUARD_SELF_ORIGINS": "https://shop.example"}, 200),
        ("shop.example:443", {"CORSGUARD_SELF_ORIGINS": "https://shop.example"}, 200),
        ("shop.example:8000", {"CORSGUARD_SELF_ORIGINS": "http://shop.example:8000"}, 200),
        ("shop.example:8001", {"CORSGUARD_SELF_ORIGINS": "http://shop.example:8000"}, 403),
        ("a.shop.example", {"CORSGUARD_SELF_ORIGINS": "https://*.shop.example"}, 200),
        ("rebound.example", {"CORSGUARD_SELF_ORIGINS": "https://*.shop.example"}, 403),
        ("rebound.example", {"CORSGUARD_INSPECTOR_CHECK": yes}, 200),
    ],
)
def test_names_of_others_are_not_answered(app, host, settings, status):
    app.config.update(settings)
    CorsGuard(app, inspector=True)
    for path in (*PAGES, *ASSETS):
        response = app.test_client().get(ROOT + path, environ_overrides={"HTTP_HOST": host})
        assert response.status_code == status
        if status == 403:
            assert "CORSGUARD_SELF_ORIGINS" in response.text
            assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [
        ("rebound.example:5000", "localhost", 403),
        ("rebound.example:5000", None, 403),
        ("localhost:5000", "rebound.example", 403),
        ("127.0.0.1:5000", "localhost:8080", 200),
        ("localhost:5000", None, 200),
    ],
)
def test_names_of_others_are_not_forwarded(shop, host, forwarded, status):
    # Script of a page that has become of one origin with the app can set this header.
    shop.wsgi_app = ProxyFix(shop.wsgi_app, x_host=1)
    headers = {"Host": host} | ({"X-Forwarded-Host": forwarded} if forwarded else {})
    assert shop.test_client().get(ROOT, headers=headers).status_code == status


def fails(request):
    raise RuntimeError("no database")


def aborts(request):
    abort(401)


@pytest.mark.parametrize(
    ("check", "status", "logged"),
    [
        (yes, 200, ""),
        (lambda request: False, 403, ""),
        (lambda request: request.args.get("key") == "secret", 403, ""),
        (lambda request: "yes", 403, "TypeError"),
        (lambda request: None, 403, "TypeError"),
        (lambda request: 1, 403, "TypeError"),
        (lambda: True, 403, "TypeError"),
        (fails, 403, "no database"),
        (aborts, 403, "Unauthorized"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_check(app, check, status, logged, debug, log_lines):
    app.debug = debug
    app.config.update(CORSGUARD_INSPECTOR=True, CORSGUARD_INSPECTOR_CHECK=check)
    CorsGuard(app)
    for path in (*PAGES, *ASSETS):
        assert get(app, path).status_code == status
    lines = log_lines()
    assert len(lines) == (1 if logged else 0)
    assert all("CORSGUARD_INSPECTOR_CHECK failed" in line and logged in line for line in lines)


def test_the_check_is_asked_about_every_request(app):
    app.config.update(
        CORSGUARD_INSPECTOR=True,
        CORSGUARD_INSPECTOR_CHECK=lambda request: request.args.get("key") == "secret",
    )
    CorsGuard(app)
    assert get(app, query={"key": "secret"}).status_code == 200
    assert get(app).status_code == 403


def test_debug_mode_that_has_ended(shop):
    assert get(shop).status_code == 200
    shop.debug = False
    for path in (*PAGES, *ASSETS):
        response = get(shop, path)
        assert response.status_code == 404
        assert response.text == shop.test_client().get("/nowhere").text


def test_debug_mode_that_has_ended_with_a_check(app):
    app.config["CORSGUARD_INSPECTOR_CHECK"] = yes
    CorsGuard(app, inspector=True)
    assert get(app).status_code == 200
    # The configuration does not say that it may go on.
    app.debug = False
    assert get(app).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": STRANGER},
        {"Origin": "null"},
        {"Origin": SHOP},
        {"Origin": STRANGER, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("widen", ["default", "blueprint", "endpoint"])
def test_no_other_origin_reaches_it(app, headers, widen):
    blueprint = Blueprint("corsguard_inspector", "x")
    guard = CorsGuard(inspector=True, origins="*" if widen == "default" else ())
    guard.init_app(app)
    if widen == "blueprint":
        app.register_blueprint(cors(origins="*")(blueprint))
    if widen == "endpoint":
        guard.for_endpoint("corsguard_inspector.routes", Policy(origins="*"))
    for path in (*PAGES, *ASSETS):
        response = app.test_client().get(ROOT + path, headers=headers)
        assert response.status_code == 403
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]
        assert "Who may read" not in response.text


@pytest.mark.parametrize("mark", [None, cors_exempt])
def test_a_wrapped_view_shows_nothing(app, mark):
    CorsGuard(app, inspector=True, origins="*")

    def wrapped(view):
        return lambda **arguments: view(**arguments)

    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = mark(wrapped(view)) if mark else wrapped(view)
    for path in (*PAGES, *ASSETS):
        response = get(app, path)
        assert response.status_code == 403
        assert "functools.wraps" in response.text


@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
def test_pages_of_others_get_nothing(shop, engine):
    browser = Browser(shop, page=STRANGER, engine=engine)
    url = f"http://localhost:5000{ROOT}"
    for answer in (
        browser.fetch(url),
        browser.fetch(url, credentials="include"),
        browser.fetch(url, mode="no-cors"),
        browser.fetch(url, method="PUT"),
        browser.submit(url, {"a": "b"}),
        browser.submit(url, {"a": "b"}, method="GET"),
    ):
        assert not answer.readable
        assert {exchange.status for exchange in answer.exchanges} <= {403, 405}
        assert all(b"Who may read" not in e.response_body for e in answer.exchanges)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_answers_get(shop, method):
    assert shop.test_client().open(ROOT, method=method).status_code == 405


@pytest.mark.parametrize("path", [*PAGES, *ASSETS])
def test_functions_of_the_app_change_nothing(shop, path):
    """A toolbar, say, or a policy for the app's own pages."""
    closed, off = [], [True]

    @shop.after_request
    def change(response):
        if off:
            return response
        for name in ("Content-Security-Policy", "X-Frame-Options", "Cache-Control"):
            response.headers[name] = "changed"
        response.headers["Link"] = "<https://evil.example/x.css>; rel=preload; as=style"
        response.headers["Content-Security-Policy-Report-Only"] = "report-uri //evil.example"
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.set_cookie("session", "1")
        response.set_data(b"<script>toolbar()</script>")
        response.call_on_close(lambda: closed.append(True))
        return response

    class Custom(Response):
        default_mimetype = "application/json"

    expected = get(shop, path)
    off.clear()
    for shop.response_class in (Response, Custom):
        response = get(shop, path)
        assert response.data == expected.data
        response.close()
        assert response.headers.pop("Set-Cookie").startswith("session=1")
        assert sorted(response.headers) == sorted(expected.headers)
        assert closed.pop()
        head = shop.test_client().head(ROOT + path)
        head.close()
        assert (head.data, head.content_length) == (b"", len(expected.data))
        assert closed.pop()


def test_where_slashes_do_not_matter(app):
    app.url_map.strict_slashes = False
    CorsGuard(app, inspector=True)
    # Its addresses are relative.
    assert app.test_client().get("/_corsguard").location.endswith(ROOT)
    assert get(app, "check/").status_code == 404


def test_beside_a_route_for_everything():
    app = Flask("shop", static_url_path="")
    app.debug = True
    app.add_url_rule("/<path:path>", "all", lambda path: "everything")
    CorsGuard(app, inspector=True)
    for path in (*PAGES, *ASSETS):
        assert get(app, path).headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_host_matching():
    app = Flask("shop", host_matching=True, static_host="localhost")
    app.debug = True
    CorsGuard(app, inspector=True)
    for path in (*PAGES, *ASSETS):
        assert get(app, path).status_code == 200


def test_under_a_prefix(shop):
    response = shop.test_client().get(ROOT, environ_overrides={"SCRIPT_NAME": "/shop"})
    # Every address is relative, so there is nothing that could point elsewhere.
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', response.text)
    assert {"./", "rejections", "check", "inspector.css"} <= set(addresses)
    assert not [address for address in addresses if "//" in address or address.startswith("/")]


# The routes


def test_every_sign(shop):
    page = get(shop).text
    assert columns(page) == [SHOP, "https://*.partner.example", "null", "any other site"]
    assert cells(page) == {
        "/account": ["credentials", "no", "no", "no"],
        "/asks": ["read", "asked", "no", "asked"],
        "/default": ["read", "no", "no", "no"],
        "/hook": ["exempt"] * 4,
        "/open": ["everyone"] * 4,
        "/partners": ["no", "read", "no", "no"],
        "/pattern": ["no"] * 4,
        "/some": ["some", "no", "no", "no"],
    }
    text = html.unescape(page)
    assert "https://shop.example: some methods only, GET, but not DELETE" in text
    assert "https://*.partner.example (such as https://any-name.partner.example): may read" in text
    assert r"pattern https://pr-\d\.example" in text
    assert "1 origin + callable shop.<locals>.<lambda>" in text
    assert "with credentials, enforce unsafe" in text
    assert "<b>1</b> open to everyone" in text
    assert "view open.one" in text
    assert re.search(r"tests/inspector/test_inspector.py:\d+", text)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "no other origin"),
        ({"origins": "*", "deny_origins": STRANGER}, "everyone + 1 origin denied"),
        (
            {"origins": "*", "methods": "*", "allow_headers": "*"},
            "everyone, methods all, headers all",
        ),
        ({"origins": SHOP, "methods": ()}, "1 origin, methods none"),
        ({"origins": [SHOP, PARTNER], "expose_headers": "ETag"}, "2 origins, exposes ETag"),
        ({"methods": list("ABCDEFG")}, "no other origin, methods A B C D and 3 more"),
        ({"answer_preflight": False}, "no other origin, the app answers preflights"),
        ({"origins": re.compile("x" * 99)}, f"pattern {'x' * 60}…"),
        ({"origins": "http://localhost:*", "enforce": "all"}, "1 origin, enforce all"),
    ],
)
def test_policies_in_words(app, fields, expected):
    CorsGuard(app, inspector=True, **fields)
    app.add_url_rule("/", "index", lambda: "")
    (cell,) = re.findall(r'<td class="policy">(.*?)</td>', get(app).text)
    assert html.unescape(re.sub("<.*?>", "", cell)) == expected


def test_the_inspector_does_not_show_itself(shop):
    assert "corsguard_inspector" not in get(shop).text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["account", "asks", "default", "hook", "open", "partners", "pattern", "some"]),
        ({"path": "/P"}, ["partners", "pattern"]),
        ({"endpoint": "ONE"}, ["open"]),
        ({"method": "put"}, ["account"]),
        ({"method": "POST"}, ["hook", "partners"]),
        ({"method": "<b>"}, []),
        ({"origin": SHOP}, ["account", "asks", "default", "open", "some"]),
        ({"origin": "https://a.partner.example"}, ["asks", "open", "partners"]),
        ({"origin": "https://pr-1.example"}, ["asks", "open", "pattern"]),
        ({"origin": "null"}, ["open"]),
        ({"origin": SHOP, "path": "/o", "method": "GET", "endpoint": "one"}, ["open"]),
        ({"path": "x" * 10_000}, []),
    ],
)
def test_filters(shop, query, expected):
    page = get(shop, query=query)
    assert page.status_code == 200
    assert rows(page.text) == [f"/{name}" for name in expected]


def test_an_origin_that_is_none(shop):
    page = get(shop, query={"origin": "HTTPS://Shop.example/<script>"}).text
    assert "No browser sends the origin" in page
    assert "<script>" not in page.replace('<script src="inspector.js" defer>', "")


def test_many_routes_are_put_together(app):
    CorsGuard(app, inspector=True, origins=SHOP)
    for name, fields in (("open", {"origins": "*"}), ("closed", {"origins": ()}), ("plain", None)):
        blueprint = Blueprint(name, "x", url_prefix=f"/{name}")
        if fields:
            cors(**fields)(blueprint)
        for number in range(100):
            blueprint.add_url_rule(f"/{number}/<int:id>", f"view{number}", lambda **_: "")
        app.register_blueprint(blueprint)
    page = get(app).text
    labels = re.findall(r'<input type="checkbox"> <span>(.*?)</span>', page)
    # Those that are open to the most first.
    assert labels == [f"100 routes <code>/{name}/…</code>" for name in ("open", "plain", "closed")]
    assert len(rows(page)) == 300
    assert "checkbox" not in get(app, query={"by": "route"}).text
    assert "checkbox" not in get(app, query={"path": "/open/1/"}).text
    assert "checkbox" in get(app, query={"path": "/open/1/", "by": "policy"}).text


def test_the_most_used_origins_have_columns(app):
    CorsGuard(app, inspector=True, origins=[f"https://o{n}.example" for n in range(2000)])
    app.add_url_rule("/", "index", cors(origins=["https://o500.example", SHOP])(lambda: ""))
    app.add_url_rule("/b", "other", lambda: "")
    page = get(app).text
    assert len(columns(page)) == 14
    assert columns(page)[:2] == ["https://o500.example", SHOP]
    assert "1,989 more origins" in page


def test_a_callable_beside_null(app):
    origins = ["null", SHOP, yes]
    CorsGuard(app, inspector=True, origins=origins, dangerously_allow_null_origin=True)
    app.add_url_rule("/", "index", lambda: "")
    assert columns(get(app).text) == [SHOP, "null", "any other site"]
    assert cells(get(app).text) == {"/": ["read", "read", "asked"]}


def test_large_apps_take_no_long_time(app):
    def ask(origin):
        raise AssertionError("a picture runs nothing of the app")

    listed = [f"https://o{number}.example" for number in range(20_000)]
    CorsGuard(app, inspector=True, origins=[*listed, ask])
    for number in range(1000):
        view = (lambda: lambda: "")()
        if number % 3 == 0:
            cors(max_age=number)(view)
        app.add_url_rule(f"/{number}", f"view{number}", view)
    app.test_client().get("/0")
    began = time.process_time()
    assert "1000 of 1000 routes" in get(app).text
    assert time.process_time() - began < 10


def test_routes_of_other_hosts_say_so():
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.debug = True
    app.config["SERVER_NAME"] = "shop.example"
    CorsGuard(app, inspector=True)
    for number, subdomain in enumerate((None, "api", "<i>")):
        app.add_url_rule("/users", f"users{number}", lambda **_: "", subdomain=subdomain)
    page = app.test_client().get(ROOT, base_url="http://shop.example").text
    found = re.findall(r'(?:<span class="quiet">([^<]*)</span>)?<code>/users</code>', page)
    assert sorted(found) == ["", "&lt;i&gt;.…", "api.…"]

    app = Flask("shop", static_folder=None, host_matching=True)
    app.debug = True
    CorsGuard(app, inspector=True)
    app.add_url_rule("/users", "users", lambda: "", host="api.shop.example")
    assert '<span class="quiet">api.shop.example</span><code>/users</code>' in get(app).text


def test_a_long_list_is_read_once(app, monkeypatch):
    read = []
    monkeypatch.setattr(
        "flask_corsguard.inspector.origin_grid.readers", lambda origins: read.append(origins) or ()
    )
    CorsGuard(app, inspector=True, origins=[f"https://o{number}.example" for number in range(100)])
    for number in range(20):
        app.add_url_rule(f"/{number}", f"view{number}", cors(max_age=number)(lambda: ""))
    get(app)
    assert len(read) == 1


def test_a_policy_on_trial_is_named(app):
    CorsGuard(app, inspector=True, origins="*", report_only={"origins": SHOP})
    app.add_url_rule("/", "index", lambda: "")
    assert "On trial" in get(app).text


def test_an_app_without_routes(app):
    CorsGuard(app, inspector=True)
    assert "no routes yet" in get(app).text
    assert "Nothing was rejected yet" in get(app, "rejections").text


# The rejections


def entries(app):
    return json.loads(get(app, "rejections.json").text)


def test_a_rejection_is_shown_with_what_to_change(shop):
    reject(shop)
    (entry,) = entries(shop)
    assert entry["reason"] == "ORIGIN_NOT_ALLOWED"
    assert entry["request"] == "GET /default"
    assert entry["origin"] == STRANGER
    assert f"Change: add '{STRANGER}' to origins" in entry["explanation"]
    page = html.unescape(get(shop, "rejections").text)
    assert entry["explanation"] in page
    assert f'href="{entry["again"]}"' in page
    played = get(shop, entry["again"])
    assert "The page cannot read the response" in played.text


def test_what_no_script_has_sent_is_not_played(app):
    CorsGuard(app, inspector=True, enforce="all")
    app.test_client().get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert [entry["again"] for entry in entries(app)] == [""]
    assert '<p hidden><a href=""' in get(app, "rejections").text


def test_all_kinds_are_told_apart(shop):
    reject(shop)
    reject(shop, path="/account", method="POST")
    reject(shop, path="/account", method="PUT")
    environ = {"ACCESS_CONTROL_REQUEST_METHOD": "GET", "ACCESS_CONTROL_REQUEST_HEADERS": "x-a"}
    reject(shop, origin=SHOP, method="OPTIONS", **environ)
    get(shop, Sec_Fetch_Site="cross-site")
    found = [(e["reason"], e["verdict"], e["what"], e["origin"]) for e in entries(shop)]
    assert found == [
        ("CROSS_SITE_REQUEST", "refused", "", "no Origin"),
        ("HEADERS_NOT_ALLOWED", "", "preflight for ", SHOP),
        ("ORIGIN_NOT_ALLOWED", "refused", "", STRANGER),
        ("ORIGIN_NOT_ALLOWED", "refused", "", STRANGER),
        ("ORIGIN_NOT_ALLOWED", "", "", STRANGER),
    ]


def test_what_is_only_reported_says_so(app):
    CorsGuard(app, inspector=True, origins="*", report_only={"origins": SHOP})
    app.add_url_rule("/default", "default", lambda: "")
    assert reject(app).headers["Access-Control-Allow-Origin"] == "*"
    assert [entry["verdict"] for entry in entries(app)] == ["only reported"]


def test_those_alike_share_a_line(shop):
    for _ in range(3):
        reject(shop)
        reject(shop, origin=PARTNER)
    reject(shop)
    found = [(entry["origin"], entry["count"]) for entry in entries(shop)]
    assert found == [
        (STRANGER, "\N{MULTIPLICATION SIGN} 4"),
        (PARTNER, "\N{MULTIPLICATION SIGN} 3"),
    ]


def test_memory_is_bounded(shop):
    for number in range(MOST_ENTRIES + 50):
        reject(
            shop,
            origin=f"https://{number}.example",
            path="/default" + "x" * 50_000,
            method="M" * 3000,
        )
    names = ",".join(f"x-{'y' * 60}-{number}" for number in range(60))
    environ = {"ACCESS_CONTROL_REQUEST_METHOD": "GET", "ACCESS_CONTROL_REQUEST_HEADERS": names}
    reject(shop, origin=SHOP, method="OPTIONS", **environ)
    kept = shop.extensions[EXTENSION_KEY].entries()
    assert len(kept) == MOST_ENTRIES
    assert kept[1].decision.origin == f"https://{MOST_ENTRIES + 49}.example"
    for entry in kept:
        decision = entry.decision
        assert len(decision.path) <= 300
        assert len(decision.method) <= 40
        assert sum(map(len, decision.request_headers)) <= 30 * 80
        assert not decision.headers
    assert len(get(shop, "rejections.json").text) < 300_000


def test_threads(shop):
    def work(number):
        for index in range(50):
            reject(shop, origin=f"https://o{(number * 50 + index) % 130}.example")
            get(shop, "rejections.json")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries(shop)) == MOST_ENTRIES


def test_two_apps_with_one_guard():
    guard = CorsGuard(inspector=True, origins=SHOP)
    first, second = Flask("first", static_folder=None), Flask("second", static_folder=None)
    for app in (first, second):
        app.debug = True
        guard.init_app(app)
        app.add_url_rule(f"/{app.name}", "index", lambda: "")
    reject(first, path="/first")
    assert (rows(get(first).text), rows(get(second).text)) == (["/first"], ["/second"])
    assert (len(entries(first)), len(entries(second))) == (1, 0)


# The form


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"url": "/default", "origin": SHOP}, "The page reads the response"),
        ({"url": "default", "origin": SHOP}, "The page reads the response"),
        ({"url": "/default", "origin": STRANGER}, "The page cannot read the response"),
        ({"url": "/account", "origin": SHOP, "method": "PUT"}, "The page reads the response"),
        ({"url": "/some", "origin": SHOP, "method": "DELETE"}, "METHOD_NOT_ALLOWED"),
        ({"url": "/default", "origin": SHOP, "headers": "X-A: 1\r\nX-B"}, "HEADERS_NOT_ALLOWED"),
        ({"url": "/default", "origin": SHOP, "credentials": "on"}, "cannot read"),
        ({"url": "/account", "origin": SHOP, "credentials": "on"}, "The page reads"),
        ({"url": "/default", "origin": SHOP, "engine": "webkit"}, "mixed content"),
        (
            {"url": "https://api.example/default", "origin": SHOP, "engine": "webkit"},
            "The page reads",
        ),
        ({"url": "/default", "origin": SHOP, "engine": "lynx"}, "The page reads the response"),
        ({"url": "", "origin": SHOP}, "are needed"),
        ({"url": "/default", "origin": ""}, "are needed"),
        ({"url": "/default", "origin": "shop"}, 'role="alert"'),
        ({"url": "/default", "origin": SHOP, "method": "TRACE"}, 'role="alert"'),
        ({"url": "/default", "origin": SHOP, "method": "A B"}, 'role="alert"'),
        ({"url": "/default", "origin": SHOP, "headers": "ä b: c"}, 'role="alert"'),
        ({"url": "/default", "origin": SHOP, "headers": "X-A: \x00"}, 'role="alert"'),
        ({"url": "http://[", "origin": SHOP}, 'role="alert"'),
        ({"url": "ftp://a/b", "origin": SHOP}, "an http or https address"),
        ({"url": "/%ff\ud7ff?\x00", "origin": SHOP}, "The page "),
        ({"url": "/" + "x" * 100_000, "origin": SHOP}, "The page "),
        ({"url": "/default", "origin": SHOP, "headers": "X\n" * 100_000}, "The page "),
    ],
)
def test_check_form(shop, query, expected):
    response = get(shop, "check", query=query)
    assert response.status_code == 200
    assert expected in response.text
    assert len(response.text) < 100_000


def test_playing_runs_nothing(shop):
    ran = []
    shop.before_request(lambda: ran.append("before"))
    shop.teardown_request(lambda _: ran.append("teardown"))
    shop.teardown_appcontext(lambda _: ran.append("end"))
    get(shop, "check")
    for_the_page = ran[:]
    assert "before" in for_the_page
    ran.clear()
    get(shop, "check", query={"url": "/default", "origin": STRANGER})
    assert ran == for_the_page
    assert entries(shop) == []


def test_what_is_played_is_of_the_same_app(shop):
    def play(**query):
        return html.unescape(get(shop, "check", query=query, Host="localhost:8000").text)

    # A path is one where the form is.
    page = play(url="/default", origin="http://localhost:8000")
    assert "same origin" in page
    assert "http://localhost:8000/default" in page
    page = play(url="/default", origin="http://localhost:5000")
    assert "The page cannot read" in page
    # Whatever is in it.
    for url in ("/default?next=https://shop.example/", "/far/https://shop.example/x"):
        page = play(url=url, origin=STRANGER)
        assert "The page cannot read" in page
        assert f"http://localhost:8000{url}" in page


@pytest.mark.parametrize("mount", ["/api", "/a/b", "/é b"])
def test_what_is_played_is_where_the_app_is_mounted(shop, mount):
    client = Client(DispatcherMiddleware(Flask("main"), {mount.encode().decode("latin-1"): shop}))
    root = quote(mount)
    client.get(f"{root}/default", headers={"Origin": STRANGER})
    (entry,) = client.get(f"{root}{ROOT}rejections.json").json
    mounted = f"http://localhost{root}/default"
    urls = ({"url": "/default", "origin": STRANGER}, {"url": mounted, "origin": STRANGER})
    for again in (entry["again"], *(f"check?{urlencode(query)}" for query in urls)):
        page = html.unescape(client.get(f"{root}{ROOT}{again}").text)
        assert f"GET {mounted}" in page
        assert f"GET /default from '{STRANGER}': rejected" in page


@pytest.mark.parametrize(
    "path", ["/a?b", "/a#b", "/a%2Fb", "/a b ", "/a\\b", "/é", "/a\tb", "/a+b"]
)
def test_a_rejection_is_played_as_it_was(shop, path):
    seen = []

    def says_no(origin, request):
        seen.append(request.path)
        return False

    shop.add_url_rule("/<name>", "seen", cors(origins=[says_no])(lambda name: ""))
    reject(shop, path=quote(path))
    (entry,) = entries(shop)
    shop.test_client().get(ROOT + entry["again"])
    assert seen == [path, path]


def test_a_converter_that_fails(app):
    from werkzeug.routing import BaseConverter

    class Broken(BaseConverter):
        def to_python(self, value):
            raise RuntimeError("<b>no</b>")

    app.url_map.converters["broken"] = Broken
    CorsGuard(app, inspector=True)
    app.add_url_rule("/<broken:x>", "x", lambda x: "")
    response = get(app, "check", query={"url": "/7", "origin": SHOP})
    assert response.status_code == 200
    assert "cannot be played" in response.text
    assert "<b>no</b>" not in response.text


# Escaping


MARKUP = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</textarea></pre><b>")


@pytest.mark.parametrize("payload", MARKUP)
@pytest.mark.parametrize("autoescape", [False, True])
def test_everything_is_escaped(payload, autoescape):
    app = Flask(f"shop {payload}", static_folder=None)
    app.debug = True
    app.jinja_options = {"autoescape": autoescape}
    app.select_jinja_autoescape = lambda filename: autoescape
    app.config["CORSGUARD_POLICIES"] = {payload: {"origins": SHOP}}
    CorsGuard(app, inspector=True, origins=[re.compile(re.escape(payload))])
    app.jinja_env.autoescape = autoescape
    app.add_url_rule(f"/{payload.replace('<', '').replace('>', '')}", payload, lambda: "")
    app.add_url_rule("/named", "named", cors(payload)(lambda: ""))
    reject(app, origin=payload, path=f"/{payload}", method=payload)
    environ = {"ACCESS_CONTROL_REQUEST_METHOD": payload, "ACCESS_CONTROL_REQUEST_HEADERS": payload}
    reject(app, origin=SHOP, path="/named", method="OPTIONS", **environ)
    query = dict.fromkeys(("path", "endpoint", "method", "origin", "by", "url", "headers"), payload)
    for path in ("", "rejections", "check"):
        for given in (None, query, {**query, "origin": SHOP, "method": "GET"}):
            page = get(app, path, query=given).text
            assert payload not in page
            assert len(re.findall(r"<script", page)) == 1
            assert "<img src=x" not in page
            assert "</textarea></pre>" not in page
            assert "<b>" not in re.sub("<b>[0-9]+</b>|<b data-field", "", page)
    assert get(app, "rejections.json").mimetype == "application/json"


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\u202e", "\u2066", "\u200b", "\ufeff"]
)
def test_what_does_not_print_is_spelt_out(shop, character):
    reject(shop, path=f"/a{character}b")
    (entry,) = entries(shop)
    assert character not in entry["request"]
    assert "\\" in entry["request"]
