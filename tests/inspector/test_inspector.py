"""The inspector: who may see it, what it shows, and that it keeps no more than it says."""

import asyncio
import html
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import Mock
from urllib.parse import quote, urlencode

import pytest
from flask import Blueprint, Flask, Response, abort
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter
from werkzeug.test import Client

from flask_corsguard import CorsGuard, Policy, PolicyError, cors, cors_exempt
from flask_corsguard.inspector.rejections import MAX_REJECTIONS
from flask_corsguard.inspector.site import EXTENSION_KEY
from flask_corsguard.testing import Browser
from tests.raised import FAILURES, RAISED, SHUTDOWNS

ROOT = "/_corsguard/"
PAGES = ("", "rejections", "rejections.json", "check")
ADDRESSES = (*PAGES, "inspector.css", "inspector.js", "icon.svg")
SHOP = "https://shop.example"
PARTNER = "https://partner.example"
STRANGER = "https://stranger.example"
# What the form answers.
READS, CANNOT, REFUSED = "The page reads", "The page cannot read", 'role="alert"'


def make(**options):
    app = Flask("shop", **{"static_folder": None, **options})
    app.debug = True
    return app


@pytest.fixture
def app():
    return make()


@pytest.fixture
def shop(app):
    """An app with a route of each kind, and an inspector."""
    CorsGuard(app, inspector=True, origins=SHOP)
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
        add(app, rule, mark, endpoint, methods=methods)
    return app


def add(app, rule="/", mark=None, endpoint=None, **options):
    view = (lambda: lambda **_: "ok")()
    app.add_url_rule(rule, endpoint or rule, mark(view) if mark else view, **options)


def get(app, path="", query=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get(ROOT + path, query_string=query, headers=names)


def statuses(app, addresses=ADDRESSES, **headers):
    return {get(app, path, **headers).status_code for path in addresses}


def text_of(app, path="", query=None, **headers):
    return html.unescape(get(app, path, query, **headers).text)


def reject(app, origin=STRANGER, path="/default", method="GET", **environ):
    environ = {f"HTTP_{name}": value for name, value in environ.items()}
    overrides = {"HTTP_ORIGIN": origin, **environ}
    return app.test_client().open(path, method=method, environ_overrides=overrides)


def ask(app, method, headers, **options):
    environ = {"ACCESS_CONTROL_REQUEST_METHOD": method, "ACCESS_CONTROL_REQUEST_HEADERS": headers}
    return reject(app, SHOP, method="OPTIONS", **environ, **options)


def entries(app):
    return json.loads(get(app, "rejections.json").text)["entries"]


def unbroken(page):
    """A page without the places where a path or a name can continue on the next line."""
    return page.replace("<wbr>", "")


def cells(page):
    """Path -> the signs in its row."""
    rows = re.findall(r"<tr[^>]*>\s*<th scope=\"row\".*?</tr>", unbroken(page), re.DOTALL)
    return {
        re.search(r"<code>(.*?)</code>", row)[1]: re.findall(r'class="sign (\w+)"', row)
        for row in rows
    }


def columns(page):
    return re.findall(r'class="origin[^>]*><span>(.*?)</span>', page)


# Switching it on


def yes(request):
    return True


OUTSIDE = "inspector_outside_debug"


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
        (True, None, None, False, OUTSIDE),
        (None, True, None, False, OUTSIDE),
        (True, True, None, False, OUTSIDE),
        # The configuration has to say so.
        (True, None, yes, False, OUTSIDE),
        (True, False, yes, False, OUTSIDE),
        ("yes", None, None, True, "bool_expected"),
        (None, 1, None, True, "bool_expected"),
        (None, "true", yes, False, "bool_expected"),
        (None, True, "app.check", False, f"wrong_type {OUTSIDE}"),
        (None, True, "app.check", True, "wrong_type"),
        (None, True, bool, True, "wrong_type"),
        (None, None, 1, True, "wrong_type"),
        (None, None, asyncio.sleep, True, "wrong_type"),
    ],
)
def test_whether_there_is_one(app, argument, key, check, debug, expected):
    """The argument overrides the key; outside debug mode, the key and a check are both needed."""
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


def test_headers(shop):
    for path in ADDRESSES:
        response = get(shop, path)
        headers = dict(response.headers)
        del headers["Content-Type"], headers["Content-Length"]
        assert response.status_code == 200
        assert headers == {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
                " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
                " require-trusted-types-for 'script'; trusted-types 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Vary": "Origin, Sec-Fetch-Site",
        }


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("http://localhost:5000", {}, "same-origin"),
        ("http://127.0.0.1", {}, "same-origin"),
        ("https://192.168.1.20", {}, "same-origin"),
        ("http://192.168.1.20", {"Sec-Fetch-Site": "none"}, "same-origin"),
        ("http://192.168.1.20:5000", {}, None),
    ],
)
def test_opener_policy(shop, url, headers, expected):
    """The header is sent only if browsers heed it. Otherwise, Chromium would complain."""
    response = shop.test_client().get(ROOT, base_url=url, headers=headers)
    assert response.status_code == 200
    assert response.headers.get("Cross-Origin-Opener-Policy") == expected


OWN = {"CORSGUARD_SELF_ORIGINS": "https://shop.example"}
PORT = {"CORSGUARD_SELF_ORIGINS": "http://shop.example:8000"}
SUBDOMAINS = {"CORSGUARD_SELF_ORIGINS": "https://*.shop.example"}


@pytest.mark.parametrize(
    ("hosts", "settings", "status"),
    [
        ("localhost localhost:5000 localhost:80 LOCALHOST shop.localhost:5000", {}, 200),
        ("127.0.0.1:5000 127.8.8.8 [::1]:5000 192.168.1.20:5000 [fe80::1]", {}, 200),
        ("shop.example rebound.example:5000 localhost.rebound.example", {}, 403),
        ("127.0.0.1.rebound.example rebound.example#localhost", {}, 403),
        ("shop.example:5000", {"SERVER_NAME": "shop.example:5000"}, 200),
        ("shop.example shop.example:443", OWN, 200),
        ("shop.example:8000", PORT, 200),
        ("shop.example:8001", PORT, 403),
        ("a.shop.example", SUBDOMAINS, 200),
        ("rebound.example", SUBDOMAINS, 403),
        ("rebound.example", {"CORSGUARD_INSPECTOR_CHECK": yes}, 200),
    ],
)
def test_names_of_others_are_not_answered(app, hosts, settings, status):
    """A site that gives its own name this machine's address is kept out."""
    app.config.update(settings)
    CorsGuard(app, inspector=True)
    for host in hosts.split() if status == 200 else [*hosts.split(), ""]:
        for path in ADDRESSES:
            response = app.test_client().get(ROOT + path, environ_overrides={"HTTP_HOST": host})
            assert response.status_code == status, host
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
    """A page that has come to have the app's origin can set ``X-Forwarded-Host``."""
    shop.wsgi_app = ProxyFix(shop.wsgi_app, x_host=1)
    headers = {"X-Forwarded-Host": forwarded} if forwarded else {}
    assert statuses(shop, [""], Host=host, **headers) == {status}


def has_key(request):
    return request.args.get("key") == "secret"


@pytest.mark.parametrize(
    ("check", "status", "logged"),
    [
        (yes, 200, ""),
        (lambda request: False, 403, ""),
        (has_key, 403, ""),
        (lambda request: "yes", 403, "TypeError"),
        (lambda request: None, 403, "TypeError"),
        (lambda request: 1, 403, "TypeError"),
        (lambda request: Mock(spec=True), 403, "TypeError"),
        (lambda: True, 403, "TypeError"),
        (lambda request: 1 / 0, 403, "division by zero"),
        (lambda request: abort(401), 403, "Unauthorized"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_check(app, check, status, logged, debug, log_lines):
    """Only ``True`` lets a request see anything; whatever else is wrong is logged once."""
    app.debug = debug
    app.config.update(CORSGUARD_INSPECTOR=True, CORSGUARD_INSPECTOR_CHECK=check)
    CorsGuard(app)
    assert statuses(app) == {status}
    lines = log_lines()
    assert len(lines) == (1 if logged else 0)
    assert all("CORSGUARD_INSPECTOR_CHECK failed" in line and logged in line for line in lines)
    if check is has_key:
        assert get(app, query={"key": "secret"}).status_code == 200
        assert get(app).status_code == 403


@pytest.mark.parametrize("error", RAISED.values(), ids=RAISED)
def test_a_check_that_raises_what_is_no_exception(app, error, log_lines):
    """A time-out or a cancellation lets nobody in. Only a shutdown gets through."""

    def check(request):
        raise error()

    app.config.update(CORSGUARD_INSPECTOR=True, CORSGUARD_INSPECTOR_CHECK=check)
    CorsGuard(app)
    if error in SHUTDOWNS.values():
        with pytest.raises(type(error())):
            get(app)
        return
    assert statuses(app) == {403}
    (line,) = log_lines()
    assert f"CORSGUARD_INSPECTOR_CHECK failed: {type(error()).__name__}" in line


@pytest.mark.parametrize("check", [None, yes])
def test_debug_mode_that_has_ended(app, check):
    """There is no inspector any more, because the configuration does not allow it to go on."""
    app.config["CORSGUARD_INSPECTOR_CHECK"] = check
    CorsGuard(app, inspector=True)
    assert statuses(app) == {200}
    app.debug = False
    assert statuses(app) == {404}
    assert get(app).text == app.test_client().get("/nowhere").text


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
        {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch"},
        {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender", "Referer": f"{STRANGER}/"},
    ],
)
@pytest.mark.parametrize("widen", ["default", "blueprint", "endpoint"])
def test_no_other_origin_reaches_it(app, headers, widen):
    """Whatever other marks allow, a request that another site causes gets 403."""
    guard = CorsGuard(app, inspector=True, origins="*" if widen == "default" else ())
    if widen == "blueprint":
        app.register_blueprint(cors(origins="*")(Blueprint("corsguard_inspector", "x")))
    if widen == "endpoint":
        guard.for_endpoint("corsguard_inspector.routes", Policy(origins="*"))
    for path in ADDRESSES:
        response = get(app, path, **headers)
        assert response.status_code == 403
        assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]
        assert "Who may read" not in response.text


@pytest.mark.parametrize("mark", [lambda view: view, cors_exempt], ids=["unmarked", "exempt"])
def test_a_wrapped_view_shows_nothing(app, mark):
    """A wrapped view has lost its policy: it shows nothing, and says why."""
    CorsGuard(app, inspector=True, origins="*")
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = mark(lambda _view=view, **arguments: _view(**arguments))
    assert statuses(app) == {403}
    assert "functools.wraps" in get(app).text


@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
def test_pages_of_others_get_nothing(shop, engine):
    """Pages of others read nothing, by ``fetch()`` or by a form, in any browser."""
    browser = Browser(shop, page=STRANGER, engine=engine)
    url = f"http://localhost:5000{ROOT}"
    for response in (
        browser.fetch(url),
        browser.fetch(url, credentials="include"),
        browser.fetch(url, mode="no-cors"),
        browser.fetch(url, method="PUT"),
        browser.submit(url, {"a": "b"}),
        browser.submit(url, {"a": "b"}, method="GET"),
    ):
        assert not response.readable
        assert {exchange.status for exchange in response.exchanges} <= {403, 405}
        assert all(b"Who may read" not in e.response_body for e in response.exchanges)


def test_it_only_answers_get(shop):
    for method in ("POST", "PUT", "DELETE"):
        assert shop.test_client().open(ROOT, method=method).status_code == 405


class JsonResponse(Response):
    default_mimetype = "application/json"


@pytest.mark.parametrize("response_class", [Response, JsonResponse])
def test_functions_of_the_app_change_nothing(shop, response_class):
    """The app's own functions change nothing in the pages; only its session cookie goes out."""
    closed = []

    def change(response):
        for name in ("Content-Security-Policy", "X-Frame-Options", "Cache-Control"):
            response.headers[name] = "changed"
        response.headers["Link"] = "<https://evil.example/x.css>; rel=preload; as=style"
        response.headers["Content-Security-Policy-Report-Only"] = "report-uri //evil.example"
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.set_cookie("session", "1")
        response.set_data(b"<script>toolbar()</script>")
        response.call_on_close(lambda: closed.append(True))
        return response

    expected = {path: get(shop, path) for path in ADDRESSES}
    shop.after_request_funcs[None].append(change)
    shop.response_class = response_class
    for path in ADDRESSES:
        with get(shop, path) as response:
            assert response.data == expected[path].data
        assert response.headers.pop("Set-Cookie").startswith("session=1")
        assert sorted(response.headers) == sorted(expected[path].headers)
        with shop.test_client().head(ROOT + path) as head:
            assert (head.data, head.content_length) == (b"", len(expected[path].data))
    assert len(closed) == 2 * len(ADDRESSES)


@pytest.mark.parametrize(
    "options", [{"static_folder": "static", "static_url_path": ""}, {"host_matching": True}, {}]
)
def test_beside_other_rules(options):
    """The inspector has addresses of its own, whatever the app's URL map is like."""
    app = make(**options)
    app.url_map.strict_slashes = bool(options)
    if "static_folder" in options:
        add(app, "/<path:path>")
    CorsGuard(app, inspector=True)
    for path in ADDRESSES:
        response = get(app, path)
        assert response.status_code == 200
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    if "static_folder" not in options:
        # They are relative, so they exist in one spelling.
        assert app.test_client().get("/_corsguard").location.endswith(ROOT)
        assert get(app, "check/").status_code == 404


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
    text = html.unescape(unbroken(page))
    for part in (
        "https://shop.example: some methods only, GET, but not DELETE",
        "https://*.partner.example (such as https://any-name.partner.example): may read",
        r"re.compile('https://pr-\\d\\.example')",
        "https://shop.example, shop.<locals>.<lambda>",
        "; credentials; enforce=unsafe",
        "<b>1</b> open to everyone",
        "its view",
    ):
        assert part in text
    assert re.search(r"tests/inspector/test_inspector.py:\d+", text)
    assert "corsguard_inspector" not in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "nobody"),
        ({"origins": "*", "deny_origins": STRANGER}, f"everyone (*) except {STRANGER}"),
        (
            {"origins": "*", "methods": "*", "allow_headers": "*"},
            "everyone (*); any method; headers all",
        ),
        ({"origins": SHOP, "methods": ()}, f"{SHOP}; no preflighted method"),
        ({"origins": SHOP, "expose_headers": "ETag"}, f"{SHOP}; exposes ETag"),
        ({"allow_headers": [*"ABCDEF"]}, "nobody; headers A B C D and 2 more"),
        ({"answer_preflight": False}, "nobody; the app responds to preflights"),
        ({"origins": "http://localhost:*", "enforce": "all"}, "http://localhost:*; enforce=all"),
        ({"dangerously_let_views_override": True}, "nobody; views may override"),
    ],
)
def test_policies_in_words(app, fields, expected):
    """Policies read as in ``flask cors routes``, with the fields that are left out there."""
    CorsGuard(app, inspector=True, **fields)
    add(app)
    (cell,) = re.findall(r'<td class="policy">(.*?)</td>', get(app).text)
    assert html.unescape(re.sub("<.*?>", "", cell)) == expected


OWN = Policy(origins=SHOP, allow_credentials=True)
PARTNERS = Policy(origins=[PARTNER, "https://*.partner.example"], methods=["PUT"])
BUT_ONE = Policy(origins="*", deny_origins=STRANGER)
# Policies, and each cell by its column: the sign, and what is said of it.
SEVERAL = {
    "* last": (
        ["own", "partners", Policy(origins="*")],
        {
            SHOP: ("credentials", "may read, with cookies, by policy 'own' (1 of 3)"),
            PARTNER: (
                "some",
                "some methods only, GET PUT, but not DELETE, by policy 'partners' (2",
            ),
            "null": ("everyone", "everyone may read, by policy 3 of 3"),
            "any other site": ("everyone", "everyone may read, by policy 3 of 3"),
        },
    ),
    "closed": (
        ["own", "partners"],
        {
            SHOP: ("credentials", "may read, with cookies, by policy 'own' (1 of 2)"),
            "null": ("no", "may not read"),
            "any other site": ("no", "may not read"),
        },
    ),
    "denied": (
        ["own", BUT_ONE],
        {
            STRANGER: ("no", "may not read, by policy 2 of 2"),
            "any other site": ("read", "may read, by policy 2 of 2"),
            "null": ("no", "may not read"),
        },
    ),
    "a callable": (
        ["own", Policy(origins=[PARTNER, lambda origin: True])],
        {
            SHOP: ("credentials", "may read, with cookies, by policy 'own' (1 of 2)"),
            PARTNER: ("read", "may read, by policy 2 of 2"),
            "any other site": ("asked", "a callable or source decides"),
        },
    ),
    "views may override one": (
        [Policy(origins=SHOP, dangerously_let_views_override=True), "partners"],
        {
            SHOP: (
                "view",
                "the view may decide; if the view sets no headers of its own: may read, by policy"
                " 1 of 2",
            ),
            "any other site": ("no", "may not read"),
        },
    ),
    "views may override both": (
        [
            Policy(origins=SHOP, dangerously_let_views_override=True),
            Policy(origins=PARTNER, dangerously_let_views_override=True),
        ],
        {
            "any other site": (
                "view",
                "the view may decide; if the view sets no headers of its own: may not read",
            ),
        },
    ),
    "views may override what is not refused": (
        [
            Policy(origins=SHOP, dangerously_let_views_override=True, enforce="all"),
            Policy(origins=PARTNER, dangerously_let_views_override=True, enforce="all"),
        ],
        {
            SHOP: ("view", "the view may decide"),
            "any other site": ("no", "may not read"),
        },
    ),
    "a callable, then *": (
        [Policy(origins=lambda origin: True), Policy(origins="*")],
        {
            "any other site": (
                "asked",
                "a callable or source decides; if it does not admit the origin: everyone may"
                " read, by policy 2",
            ),
            "null": ("everyone", "everyone may read, by policy 2 of 2"),
        },
    ),
}


def several(app, policies, **options):
    named = {"own": OWN, "partners": PARTNERS}
    CorsGuard(app, policies, policies=named, inspector=True, **options)
    add(app, methods=["GET", "PUT", "DELETE"])
    return app


@pytest.mark.parametrize(("policies", "expected"), SEVERAL.values(), ids=SEVERAL)
def test_which_of_several_policies_a_page_reads_by(app, policies, expected):
    """Each cell says by which of them, in words and by its number."""
    page = get(several(app, policies)).text
    found = re.findall(r'<td class="sign (\w+)" title="(.*?)" aria-label="(.*?)">(.*?)</td>', page)
    by_column = dict(zip(columns(page), found, strict=True))
    for column, (sign, words) in expected.items():
        key, title, label, shown = by_column[column]
        said = html.unescape(title).partition(": ")[2]
        assert (key, said.startswith(words)) == (sign, True), said
        number = re.search(r"by policy (?:'\w+' \()?(\d)", said)
        if number and sign != "asked":
            assert label.endswith(f", by policy {number[1]}")
            assert shown.endswith(f"<sub>{number[1]}</sub>")
        else:
            assert "<sub>" not in shown


def test_several_policies_in_words(app):
    page = get(several(app, ["own", "partners", Policy(origins="*", expose_headers="ETag")])).text
    (cell,) = re.findall(r'<td class="policy">(.*?)</td>', page)
    assert [html.unescape(re.sub("<.*?>", "", line)) for line in cell.split("</div><div>")] == [
        f"1 own: {SHOP}; credentials",
        f"2 partners: {PARTNER}, https://*.partner.example; PUT",
        "3: everyone (*); exposes ETag",
    ]
    assert "under 3 policies:" in page
    assert "<b>1</b> open to everyone" in page
    assert "<b>1</b> with the user" in page
    assert "which of several policies decides" in page


def test_several_policies_are_put_together_by_their_names(app):
    """The same policies under other names are the same, but say so in other words."""
    several(app, ["own", "partners"])
    add(app, "/b", cors([OWN, PARTNERS]))
    add(app, "/c", cors(["own", "partners"]), methods=["GET", "PUT", "DELETE"])
    page = unbroken(get(app, query={"by": "policy"}).text)
    labels = re.findall(r'<input type="checkbox"> <span>(.*?)</span>', page)
    assert sorted(labels) == ["1 route <code>/b</code>", "2 routes <code>/…</code>"]


@pytest.mark.parametrize(
    ("origin", "shown"),
    [(SHOP, True), (PARTNER, True), (STRANGER, False), ("https://any.example", True)],
)
def test_routes_that_one_of_several_policies_opens(app, origin, shown):
    several(app, ["own", "partners", BUT_ONE])
    assert bool(cells(get(app, query={"origin": origin}).text)) is shown


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({}, "tests/inspector/test_inspector.py:"),
        ({"CORSGUARD_ORIGINS": SHOP}, "CORSGUARD_ORIGINS in app.config."),
    ],
)
def test_where_the_default_policy_comes_from(app, setting, expected):
    app.config.update(setting)
    CorsGuard(app, inspector=True)
    add(app)
    assert f"The default policy comes from {expected}" in get(app).text


def test_the_legend_has_the_signs_in_the_table(shop):
    """Nobody reads about WebSockets where there is none."""
    page = get(shop, query={"path": "/open"}).text
    assert re.findall(r'<li><span class="sign (\w+)"', page) == ["everyone"]


def test_a_path_is_what_sets_a_policy(app):
    guard = CorsGuard(app, inspector=True, origins=SHOP)
    guard.for_path("/api", [OWN, BUT_ONE])
    add(app, "/api/users")
    add(app, "/<path:p>", cors(max_age=5))
    text = unbroken(get(app).text)
    assert re.findall(r'<td class="source">(.*?) <span', text) == [
        "its view",
        "view /&lt;path:p&gt;, under /api",
        "path /api",
    ]


def test_a_rejection_by_several_policies(app):
    several(app, ["own", "partners"])
    reject(app, path="/")
    (entry,) = entries(app)
    assert (
        "Policy: default, policy 'own' (1 of 2), policy 'partners' (2 of 2),"
        in entry["explanation"]
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "account asks default hook open partners pattern some"),
        ({"path": "/P"}, "partners pattern"),
        ({"endpoint": "ONE"}, "open"),
        ({"method": "put"}, "account"),
        ({"method": "POST"}, "hook partners"),
        ({"method": "<b>"}, ""),
        ({"origin": SHOP}, "account asks default open some"),
        ({"origin": "https://a.partner.example"}, "asks open partners"),
        ({"origin": "https://pr-1.example"}, "asks open pattern"),
        ({"origin": "null"}, "open"),
        ({"origin": SHOP, "path": "/o", "method": "GET", "endpoint": "one"}, "open"),
        ({"path": "x" * 10_000}, ""),
    ],
)
def test_filters(shop, query, expected):
    """Each field of the form narrows the list down."""
    page = get(shop, query=query)
    assert page.status_code == 200
    assert sorted(cells(page.text)) == [f"/{name}" for name in expected.split()]


def test_wildcards_and_raw_origins_have_columns(app):
    forms = ["https://pr-*.shop.example:*", "moz-extension://*"]
    CorsGuard(app, origins=forms, raw_origins=["file://"], inspector=True)
    add(app)
    page = get(app).text
    assert columns(page) == [*forms, "file://", "null", "any other site"]
    assert set(map(tuple, cells(page).values())) == {("read", "read", "read", "no", "no")}
    text = html.unescape(page)
    assert "(such as https://pr-any-name.shop.example:49152): may read" in text
    assert "(such as moz-extension://any-name): may read" in text
    page = get(app, query={"origin": "file://"}).text
    assert "No browser sends the origin" not in page
    assert set(map(tuple, cells(page).values())) == {("read", "read", "read", "no", "no")}


def test_an_origin_that_no_browser_sends(shop):
    page = get(shop, query={"origin": "HTTPS://Shop.example/<script>"}).text
    assert "No browser sends the origin" in page
    assert page.count("<script") == 1


def test_many_routes_are_put_together(app):
    CorsGuard(app, inspector=True, origins=SHOP)
    for name, fields in (("open", {"origins": "*"}), ("closed", {"origins": ()}), ("plain", None)):
        blueprint = Blueprint(name, "x", url_prefix=f"/{name}")
        if fields:
            cors(**fields)(blueprint)
        for number in range(100):
            blueprint.add_url_rule(f"/{number}/<int:id>", f"view{number}", lambda **_: "")
        app.register_blueprint(blueprint)
    page = unbroken(get(app).text)
    labels = re.findall(r'<input type="checkbox"> <span>(.*?)</span>', page)
    # The groups that are open to the most origins come first.
    assert labels == [f"100 routes <code>/{name}/…</code>" for name in ("open", "plain", "closed")]
    assert len(cells(page)) == 300
    assert "checkbox" not in get(app, query={"by": "route"}).text
    assert "checkbox" not in get(app, query={"path": "/open/1/"}).text
    assert "checkbox" in get(app, query={"path": "/open/1/", "by": "policy"}).text


def test_the_most_used_origins_have_columns(app):
    CorsGuard(app, inspector=True, origins=[f"https://o{n}.example" for n in range(2000)])
    add(app, "/", cors(origins=["https://o500.example", SHOP]))
    add(app, "/b")
    page = get(app).text
    assert len(columns(page)) == 14
    assert columns(page)[:2] == ["https://o500.example", SHOP]
    assert "1,989 more origins" in page


def test_a_callable_beside_null(app):
    origins = ["null", SHOP, lambda origin: True]
    CorsGuard(app, inspector=True, origins=origins, dangerously_allow_null_origin=True)
    add(app)
    page = get(app).text
    assert columns(page) == [SHOP, "null", "any other site"]
    assert cells(page) == {"/": ["read", "read", "asked"]}


@pytest.mark.slow
def test_large_apps_take_no_long_time(app):
    def ask(origin):
        raise AssertionError("a page runs nothing of the app")

    listed = [f"https://o{number}.example" for number in range(20_000)]
    CorsGuard(app, inspector=True, origins=[*listed, ask])
    for number in range(1000):
        add(app, f"/{number}", cors(max_age=number) if number % 3 == 0 else None)
    app.test_client().get("/0")
    began = time.process_time()
    assert "1000 of 1000 routes" in get(app).text
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("options", "rules", "expected"),
    [
        (
            {"subdomain_matching": True},
            [{"subdomain": None}, {"subdomain": "api"}, {"subdomain": "<i>"}],
            ["", "&lt;i&gt;.…", "api.…"],
        ),
        ({"host_matching": True}, [{"host": "api.shop.example"}], ["api.shop.example"]),
    ],
)
def test_routes_of_other_hosts_say_so(options, rules, expected):
    """The host or sub-domain stands before the rule."""
    app = make(**options)
    app.config["SERVER_NAME"] = "shop.example"
    CorsGuard(app, inspector=True)
    for number, rule in enumerate(rules):
        add(app, "/users", endpoint=f"users{number}", **rule)
    page = unbroken(app.test_client().get(ROOT, base_url="http://shop.example").text)
    found = re.findall(r'(?:<span class="quiet">([^<]*)</span>)?<code>/users</code>', page)
    assert sorted(found) == expected


def test_an_app_without_routes(app):
    CorsGuard(app, inspector=True)
    assert "no routes yet" in get(app).text
    assert "Nothing has been rejected yet" in get(app, "rejections").text


# The rejections


def test_a_rejection_is_shown_with_what_to_change(shop):
    reject(shop)
    (entry,) = entries(shop)
    shown = (entry["reason"], entry["request"], entry["origin"])
    assert shown == ("ORIGIN_NOT_ALLOWED", "GET /default", STRANGER)
    assert STRANGER in entry["explanation"].splitlines()[-1]
    page = text_of(shop, "rejections")
    assert entry["explanation"] in page
    assert f'href="{entry["again"]}"' in page
    assert "The page cannot read the response" in get(shop, entry["again"]).text


def test_what_no_page_has_sent_is_not_played(app):
    CorsGuard(app, inspector=True, enforce="all")
    app.test_client().get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert [entry["again"] for entry in entries(app)] == [""]
    assert '<p hidden><a href=""' in get(app, "rejections").text


def test_all_kinds_are_told_apart(shop):
    reject(shop)
    reject(shop, path="/account", method="POST")
    reject(shop, path="/account", method="PUT")
    ask(shop, "GET", "x-a")
    get(shop, Sec_Fetch_Site="cross-site")
    found = [(e["reason"], e["verdict"], e["what"], e["origin"]) for e in entries(shop)]
    assert found == [
        ("CROSS_SITE_REQUEST", "refused", "", "no Origin"),
        ("HEADERS_NOT_ALLOWED", "", "preflight for ", SHOP),
        ("ORIGIN_NOT_ALLOWED", "refused", "", STRANGER),
        ("ORIGIN_NOT_ALLOWED", "refused", "", STRANGER),
        ("ORIGIN_NOT_ALLOWED", "", "", STRANGER),
    ]


def test_a_socket_that_nothing_refuses(app):
    """The pages do not say that a page is kept from it, and the form plays its handshake."""
    CorsGuard(app, inspector=True, origins=SHOP)
    add(app, "/chat", websocket=True)
    add(app, "/closed", cors(enforce="unsafe"), websocket=True)
    add(app, "/asks", cors(origins=lambda origin: False), websocket=True)
    add(app, "/open", cors(origins="*"), websocket=True)
    add(app, "/exempt", cors_exempt, websocket=True)
    assert cells(get(app).text) == {
        "/asks": ["socket"] * 3,
        "/chat": ["read", "socket", "socket"],
        "/closed": ["read", "no", "no"],
        "/exempt": ["exempt"] * 3,
        "/open": ["everyone"] * 3,
    }
    assert [*cells(get(app, query={"origin": STRANGER}).text)] == ["/asks", "/chat", "/open"]

    handshake = {"UPGRADE": "websocket", "CONNECTION": "Upgrade"}
    reject(app, path="/chat", **handshake)
    reject(app, path="/chat", **handshake)
    (entry,) = entries(app)
    assert (entry["verdict"], entry["reason"]) == ("not refused", "ORIGIN_NOT_ALLOWED")
    assert 'To refuse it: enforce="unsafe"' in entry["explanation"]
    again = text_of(app, entry["again"])
    assert "The page can use the socket" in again
    assert 'To refuse it: enforce="unsafe"' in again
    assert "rejected" not in entry["explanation"]
    for query in ({"url": "/closed", "headers": "Upgrade: websocket"}, {"url": "ws://localhost/x"}):
        closed = text_of(app, "check", query={"origin": STRANGER, **query})
        assert "The page cannot open the socket" in closed


def test_report_only(app):
    """The pages name the report-only policy, and what it would reject."""
    CorsGuard(app, inspector=True, origins="*", report_only={"origins": SHOP})
    add(app, "/default")
    assert "Report-only" in get(app).text
    assert reject(app).headers["Access-Control-Allow-Origin"] == "*"
    assert [entry["verdict"] for entry in entries(app)] == ["report-only"]


def test_those_alike_share_a_line(shop):
    for _ in range(3):
        reject(shop)
        reject(shop, origin=PARTNER)
    reject(shop)
    times = "\N{MULTIPLICATION SIGN}"
    found = [(entry["origin"], entry["count"]) for entry in entries(shop)]
    assert found == [(STRANGER, f"{times} 4"), (PARTNER, f"{times} 3")]


def test_memory_is_bounded(shop):
    path, method = "/default" + "x" * 50_000, "M" * 3000
    for number in range(MAX_REJECTIONS + 5):
        reject(shop, f"https://{number}.example", path, method)
    ask(shop, "GET", ",".join(f"x-{'y' * 60}-{number}" for number in range(60)))
    kept = shop.extensions[EXTENSION_KEY].latest()
    assert len(kept) == MAX_REJECTIONS
    assert kept[1].decision.origin == f"https://{MAX_REJECTIONS + 4}.example"
    for decision in (entry.decision for entry in kept):
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

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(entries(shop)) == MAX_REJECTIONS


def test_two_apps_with_one_guard():
    guard = CorsGuard(inspector=True, origins=SHOP)
    first, second = make(), make()
    for app, rule in ((first, "/first"), (second, "/second")):
        guard.init_app(app)
        add(app, rule)
    reject(first, path="/first")
    assert [[*cells(get(app).text)] for app in (first, second)] == [["/first"], ["/second"]]
    assert (len(entries(first)), len(entries(second))) == (1, 0)


# The form


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, READS),
        ({"url": "default"}, READS),
        ({"origin": STRANGER}, CANNOT),
        ({"url": "/account", "method": "PUT"}, READS),
        ({"url": "/some", "method": "DELETE"}, "METHOD_NOT_ALLOWED"),
        ({"headers": "X-A: 1\r\nX-B"}, "HEADERS_NOT_ALLOWED"),
        ({"credentials": "on"}, CANNOT),
        ({"url": "/account", "credentials": "on"}, READS),
        ({"engine": "webkit"}, "mixed content"),
        ({"url": "https://api.example/default", "engine": "webkit"}, READS),
        ({"engine": "lynx"}, READS),
        ({"url": ""}, "Enter a URL and"),
        ({"origin": ""}, "Enter a URL and"),
        ({"origin": "shop"}, REFUSED),
        ({"method": "TRACE"}, REFUSED),
        ({"method": "A B"}, REFUSED),
        ({"headers": "ä b: c"}, REFUSED),
        ({"headers": "X-A: \x00"}, REFUSED),
        ({"url": "http://["}, REFUSED),
        ({"url": "ftp://a/b"}, "an http or https address"),
        ({"url": "/%ff\ud7ff?\x00"}, "The page "),
        ({"url": "/" + "x" * 100_000}, "The page "),
        ({"headers": "X\n" * 100_000}, "The page "),
    ],
)
def test_check_form(shop, query, expected):
    """Whatever is filled in, the page says what comes of it."""
    response = get(shop, "check", query={"url": "/default", "origin": SHOP, **query})
    assert response.status_code == 200
    assert expected in response.text
    assert len(response.text) < 100_000


def test_simulating_runs_nothing(shop):
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


@pytest.mark.parametrize(
    ("url", "origin", "expected"),
    [
        ("/default", "http://localhost:8000", "same origin"),
        ("/default", "http://localhost:5000", CANNOT),
        ("/default?next=https://shop.example/", STRANGER, CANNOT),
        ("/far/https://shop.example/x", STRANGER, CANNOT),
    ],
)
def test_a_path_is_one_where_the_form_is(shop, url, origin, expected):
    """A path stays a path of the app that serves the form, whatever is in it."""
    page = text_of(shop, "check", {"url": url, "origin": origin}, Host="localhost:8000")
    assert expected in page
    assert f"http://localhost:8000{url}" in page


@pytest.mark.parametrize("mount", ["/api", "/a/b", "/é b"])
def test_the_app_is_simulated_where_it_is_mounted(shop, mount):
    """A path, a whole URL and a rejection are all asked for under the mount point."""
    client = Client(DispatcherMiddleware(Flask("main"), {mount.encode().decode("latin-1"): shop}))
    root = quote(mount)
    client.get(f"{root}/default", headers={"Origin": STRANGER})
    (entry,) = client.get(f"{root}{ROOT}rejections.json").json["entries"]
    mounted = f"http://localhost{root}/default"
    queries = (urlencode({"url": url, "origin": STRANGER}) for url in ("/default", mounted))
    for again in (entry["again"], *(f"check?{query}" for query in queries)):
        page = html.unescape(client.get(f"{root}{ROOT}{again}").text)
        assert f"GET {mounted}" in page
        assert f"GET /default from '{STRANGER}': rejected" in page


def test_a_rejection_is_played_as_it_was(shop):
    seen = []

    def says_no(origin, request):
        seen.append(request.path)
        return False

    add(shop, "/<name>", cors(origins=[says_no]))
    for path in ("/a?b", "/a#b", "/a%2Fb", "/a b ", "/a\\b", "/é", "/a\tb", "/a+b"):
        reject(shop, path=quote(path))
        get(shop, entries(shop)[0]["again"])
        assert seen == [path, path]
        seen.clear()


@pytest.mark.parametrize(
    "error",
    [partial(RuntimeError, "<b>no</b>"), *FAILURES.values()],
    ids=["an error", *FAILURES],
)
def test_a_converter_that_fails(app, error):
    class Broken(BaseConverter):
        def to_python(self, value):
            raise error()

    app.url_map.converters["broken"] = Broken
    CorsGuard(app, inspector=True)
    add(app, "/<broken:x>")
    response = get(app, "check", query={"url": "/7", "origin": SHOP})
    assert response.status_code == 200
    assert "cannot be simulated" in response.text
    assert "<b>no</b>" not in response.text


# Escaping


MARKUP = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</textarea></pre><b>")


@pytest.mark.parametrize("payload", MARKUP)
@pytest.mark.parametrize("autoescape", [False, True])
def test_everything_is_escaped(payload, autoescape):
    """Names, requests and queries are escaped, whether or not the app's own templates escape."""
    app = Flask(f"shop {payload}", static_folder=None)
    app.debug = True
    app.jinja_options = {"autoescape": autoescape}
    app.select_jinja_autoescape = lambda filename: autoescape
    app.config["CORSGUARD_POLICIES"] = {payload: {"origins": SHOP}}
    CorsGuard(app, inspector=True, origins=[re.compile(re.escape(payload))])
    app.jinja_env.autoescape = autoescape
    add(app, f"/{payload.replace('<', '').replace('>', '')}", None, payload)
    add(app, "/named", cors(payload))
    reject(app, origin=payload, path=f"/{payload}", method=payload)
    ask(app, payload, payload, path="/named")
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


def test_what_does_not_print_is_spelt_out(shop):
    for character in "\x00\x1b\x7f\u202e\u2066\u200b\ufeff":
        reject(shop, path=f"/a{character}b")
        request = entries(shop)[0]["request"]
        assert character not in request
        assert "\\" in request


# Sources, and the process


class Rows:
    """A source of origins; without rows, one that nobody can reach."""

    def __init__(self, name, rows):
        self.name, self.rows = name, rows

    def load(self):
        if self.rows is None:
            raise ConnectionError("<nobody> is there")
        return "<7>", self.rows


def test_every_page_names_its_process(shop):
    fingerprint = shop.extensions["corsguard"].current().fingerprint()
    name = f"Process {os.getpid()}, fingerprint {fingerprint}"
    for path in ("", "rejections", "check"):
        page = text_of(shop, path)
        assert f'<span id="process">{name}</span>' in page
        assert "These pages show this process only" in page
    assert get(shop, "rejections.json").json["process"] == name


def test_an_app_without_sources_has_no_part_about_them(shop):
    assert "Sources" not in text_of(shop)


def listed_sources(app):
    (section,) = re.findall(r'<section class="sources".*?</section>', get(app).text, re.DOTALL)
    items = re.findall(r"<li>(.*?)</li>", section, re.DOTALL)
    plain = [html.unescape(re.sub("<[^>]*>", "", item)) for item in items]
    return [re.sub(r"\d+\.\d s", "N s", " ".join(item.split())) for item in plain]


def test_what_is_known_of_sources(app):
    bad = [f"bad<{number}>" for number in range(3)]
    partners, gone = Rows("<partners>", [SHOP, PARTNER, *bad]), Rows("gone", None)
    CorsGuard(app, inspector=True, origins=[partners, gone])
    add(app)
    assert listed_sources(app) == [
        "<partners>: not read yet; the next request that needs it will read it",
        "gone: not read yet; the next request that needs it will read it",
    ]
    reject(app, path="/")
    first, second = listed_sources(app)
    assert first.startswith("<partners>: 2 rows, version <7>, N s old 3 rows are left out 'bad<0>'")
    assert second.startswith(
        "gone: not read; it admits nobody Last failure: ConnectionError '<nobody> is there' at "
    )
    assert "<partners>" not in get(app).text
    assert "<nobody>" not in get(app).text


def test_a_source_that_no_request_has_needed_for_long(app):
    """Nothing has failed: it will be read when it is needed."""
    CorsGuard(app, inspector=True, origins=Rows("partners", [PARTNER]))
    add(app)
    reject(app, path="/")
    (feed,) = app.extensions["corsguard"].current().feeds()
    feed.stale_at = 0.0
    (line,) = listed_sources(app)
    assert line == (
        "partners: 1 row, version <7>, N s old; the next request that needs it will read it"
    )


def test_the_cells_of_a_source(app):
    CorsGuard(app, inspector=True, origins=[SHOP, Rows("partners", [PARTNER])])
    add(app)
    reject(app, path="/")
    page = get(app).text
    assert "partners" in page
    assert cells(page)["/"] == ["read", "no", "asked"]


def test_an_explanation_is_of_its_time(app):
    """Rows that have come later play no part in it."""
    source = Rows("partners", [PARTNER])
    CorsGuard(app, inspector=True, origins=source)
    add(app)
    reject(app, path="/")
    (before,) = entries(app)
    source.rows = [STRANGER, SHOP, PARTNER]
    app.extensions["corsguard"].load_sources()
    assert "Access-Control-Allow-Origin" in reject(app, path="/").headers
    (after,) = entries(app)
    assert "is not among the one row of partners" in after["explanation"]
    assert after == before


def test_the_settings_file(shop):
    status = {"file": "/etc/<shop>.toml", "when_read": 0.0, "last_mistake": None}
    assert "Settings file" not in get(shop, "check").text
    shop.extensions["corsguard"].settings_status = lambda: status
    for path in ("", "rejections", "check"):
        page = text_of(shop, path)
        assert "Settings file <code>/etc/<shop>.toml</code>, read at " in page
        assert "not in force" not in page
    status["last_mistake"] = "<b>wrong"
    page = get(shop, "check").text
    assert "Its current content is not in force:</strong> &lt;b&gt;wrong</p>" in page
    assert "<shop>" not in page
