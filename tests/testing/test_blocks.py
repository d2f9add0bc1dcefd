"""Why a page may not read a response, and what to send and to change instead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import CorsGuard, Outcome, cors, cors_exempt
from flask_corsguard.testing import Block, Browser
from flask_corsguard.testing.blocks import POLICY_BLOCKS

from .servers import API, OPEN, SHOP, anyone, fixed, guarded, redirecting, serve

ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"
METHODS = "Access-Control-Allow-Methods"
HEADERS = "Access-Control-Allow-Headers"
OTHER = "https://b.test"
MINE = {ORIGIN: SHOP}
INCLUDE, PUT, X_A = {"credentials": "include"}, {"method": "PUT"}, {"headers": {"X-A": "1"}}
X_A_AND_B = {"headers": {"X-B": "1", "X-A": "1"}}
TRUE = f"{CREDENTIALS}: true"
ALLOW = f"{ORIGIN}: {SHOP}"
FOR_PUT = f"{ALLOW} | {METHODS}: PUT"
ADD, LIST = f"add '{SHOP}' to origins", "set allow_credentials=True"
AWAY = {SHOP: redirecting(f"{API}/"), API: redirecting(f"{OTHER}/")}
IN_WEBKIT = {"url": "/", "engine": "webkit"}
TO_NULL = {API: redirecting(f"{OTHER}/x"), OTHER: redirecting("https://c.test/")}


def preflights(status=204, **changes):
    lines = {name.replace("_", "-"): value for name, value in changes.items()}
    return fixed(lines=OPEN, preflight=(status, MINE | lines))


NOBODY = (
    "No guard decided about this request: either the app has none, or something in front of the app"
    " responded, which must then be changed."
)
# What was asked of which server (or servers, from which page, in which engine), which rule stopped
# it, what the sentence says, what it says to send, and what to change.
BLOCKS = [
    (fixed(), {}, Block.ALLOW_ORIGIN_MISSING, f"has no {ORIGIN}", ALLOW, ADD),
    (fixed(lines=OPEN, preflight=(204, {})), PUT, Block.ALLOW_ORIGIN_MISSING,
     f"The preflight's response has no {ORIGIN}", ALLOW, ADD),
    # Allowing null lets every site read.
    (fixed(), {"page": "null"}, Block.ALLOW_ORIGIN_MISSING, "pages of the origin null may", None,
     "serve the page from an origin of its own"),
    (TO_NULL | {"https://c.test": fixed()}, {}, Block.ALLOW_ORIGIN_MISSING,
     "pages of the origin null may", None, "have the page request the address that the"),
    (fixed(lines=[(ORIGIN, SHOP), (ORIGIN, SHOP)]), {}, Block.ALLOW_ORIGIN_MULTIPLE,
     f"'{SHOP}, {SHOP}'", ALLOW, "write CORS headers in one place"),
    (fixed(lines={ORIGIN: f"{SHOP}, https://b.example"}), {}, Block.ALLOW_ORIGIN_MULTIPLE,
     "several values", ALLOW, "write CORS headers in one place"),
    *(
        (fixed(lines={ORIGIN: value}), {}, Block.ALLOW_ORIGIN_INVALID,
         "neither '*' nor an origin as browsers write it", ALLOW, ADD)
        for value in (f"{SHOP}/", f"{SHOP}:443", SHOP.upper(), "shop.example", "https://*.example",
                      "")
    ),
    # Nothing from the network can end its line, or its quotes.
    (serve(lambda _: (200, {ORIGIN: "é'\x85"}, "")), {}, Block.ALLOW_ORIGIN_INVALID,
     r"'\xe9\x27\x85'", ALLOW, ADD),
    (fixed(lines={ORIGIN: "https://b.example"}), {}, Block.ALLOW_ORIGIN_MISMATCH,
     "lets pages of 'https://b.example' read it", ALLOW, ADD),
    (fixed(lines={ORIGIN: "null"}), {}, Block.ALLOW_ORIGIN_MISMATCH, "lets pages of 'null' read it",
     ALLOW, ADD),
    (anyone(), INCLUDE, Block.ALLOW_ORIGIN_WILDCARD, "browsers ignore for a request with",
     f"{ALLOW} | {TRUE}", "list the origins instead of '*'"),
    # What begins at the page's own origin, with cookies, has to allow them to redirect again.
    (AWAY, IN_WEBKIT, Block.ALLOW_ORIGIN_WILDCARD,
     "by WebKit, because the request began at the page's own origin", f"{ALLOW} | {TRUE}",
     "redirect straight to the last address"),
    (AWAY, IN_WEBKIT | {"credentials": "omit"}, Block.UNREACHABLE, f"leads to '{OTHER}/'", None,
     f"Browser({{'{OTHER}': app, ...}})"),
    (fixed(lines=MINE), INCLUDE, Block.ALLOW_CREDENTIALS_MISSING, f"has no {CREDENTIALS}", TRUE,
     LIST),
    (fixed(lines=MINE | {CREDENTIALS: "True"}), INCLUDE, Block.ALLOW_CREDENTIALS_MISSING,
     f"{CREDENTIALS}: 'True' instead of 'true'", TRUE, LIST),
    (preflights(), PUT | INCLUDE, Block.ALLOW_CREDENTIALS_MISSING,
     f"The preflight's response has no {CREDENTIALS}", TRUE, LIST),
    (preflights(), X_A_AND_B | INCLUDE, Block.ALLOW_CREDENTIALS_MISSING, f"has no {CREDENTIALS}",
     TRUE, LIST),
    (preflights(301, Location="/login"), PUT, Block.PREFLIGHT_REDIRECTED,
     "redirect (status 301, to '/login')", f"a 2xx status at {API}/ itself | {FOR_PUT}",
     "check the trailing slash"),
    (preflights(308), PUT, Block.PREFLIGHT_REDIRECTED, "redirect (status 308)",
     f"a 2xx status at {API}/ itself | {FOR_PUT}", "check the trailing slash"),
    (preflights(401), PUT, Block.PREFLIGHT_STATUS, "has status 401",
     f"204 No Content to OPTIONS {API}/ | {FOR_PUT}", "let the guard respond to OPTIONS"),
    (preflights(304), PUT, Block.PREFLIGHT_STATUS, "has status 304",
     f"204 No Content to OPTIONS {API}/ | {FOR_PUT}", "let the guard respond to OPTIONS"),
    (preflights(500), PUT | X_A | INCLUDE, Block.PREFLIGHT_STATUS, "has status 500",
     f"204 No Content to OPTIONS {API}/ | {ALLOW} | {TRUE} | {METHODS}: PUT | {HEADERS}: x-a",
     "let the guard respond to OPTIONS"),
    (preflights(500), PUT | {"page": "null"}, Block.PREFLIGHT_STATUS, "has status 500",
     f"204 No Content to OPTIONS {API}/", "let the guard respond to OPTIONS"),
    (preflights(Access_Control_Allow_Methods="PUT POST"), PUT, Block.ALLOW_METHODS_INVALID,
     f"{METHODS}: 'PUT POST', which is not a list", f"{METHODS}: PUT", "methods=['PUT']"),
    (preflights(Access_Control_Allow_Headers="X-A; X-B"), X_A, Block.ALLOW_HEADERS_INVALID,
     f"{HEADERS}: 'X-A; X-B', which is not a list", f"{HEADERS}: x-a", "allow_headers=['x-a']"),
    (preflights(), PUT, Block.METHOD_NOT_ALLOWED, "does not allow PUT: it allows none",
     f"{METHODS}: PUT", "add 'PUT' to methods"),
    (preflights(Access_Control_Allow_Methods="GET, PATCH"), {"method": "patch"},
     Block.METHOD_NOT_ALLOWED, "does not allow patch: it allows GET, PATCH", f"{METHODS}: patch",
     "have the page use method: 'PATCH'; names are case-sensitive"),
    (preflights(Access_Control_Allow_Methods="A," * 10_000), PUT, Block.METHOD_NOT_ALLOWED,
     "A and 9980 more", f"{METHODS}: PUT", "add 'PUT' to methods"),
    (preflights(Access_Control_Allow_Methods="*", Access_Control_Allow_Credentials="true"),
     PUT | INCLUDE, Block.METHOD_NOT_ALLOWED, "browsers ignore its '*' for a request with",
     f"{METHODS}: PUT", "methods=['PUT']"),
    (preflights(Access_Control_Allow_Headers="X-B"), X_A, Block.HEADER_NOT_ALLOWED,
     "request header x-a: it allows X-B", f"{HEADERS}: x-a", "add 'x-a' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="X-B"), X_A_AND_B, Block.HEADER_NOT_ALLOWED,
     "request header x-a", f"{HEADERS}: x-a, x-b", "add 'x-a' to allow_headers"),
    (preflights(), X_A_AND_B, Block.HEADER_NOT_ALLOWED, "request header x-a: it allows none",
     f"{HEADERS}: x-a, x-b", "add 'x-a', 'x-b' to allow_headers"),
    (preflights(), {"headers": {"Accept": "a" * 129}}, Block.HEADER_NOT_ALLOWED,
     "its value has 129 bytes, and only up to 128 are safelisted", f"{HEADERS}: accept",
     "add 'accept' to allow_headers"),
    (preflights(), {"method": "POST", "json": 1}, Block.HEADER_NOT_ALLOWED,
     "application/json is not a type that a form sends", f"{HEADERS}: content-type",
     "add 'content-type' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="*"), {"headers": {"Authorization": "x"}},
     Block.HEADER_NOT_ALLOWED, "its '*' does not cover Authorization, which must be named",
     f"{HEADERS}: authorization", "add 'authorization' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="*", Access_Control_Allow_Credentials="true"),
     X_A | INCLUDE, Block.HEADER_NOT_ALLOWED, "browsers ignore its '*' for a request with",
     f"{HEADERS}: x-a", "add 'x-a' to allow_headers"),
    (preflights(), {"headers": {ORIGIN: "*"}}, Block.HEADER_NOT_ALLOWED,
     "request header access-control-allow-origin: it allows none", None,
     "take access-control-allow-origin out of the page's fetch() or axios headers: it is a response"
     " header"),
    (preflights(), {"headers": {ORIGIN: "*", METHODS: "*", "X-A": "1"}}, Block.HEADER_NOT_ALLOWED,
     "request header access-control-allow-methods: it allows none", f"{HEADERS}: x-a",
     "add 'x-a' to allow_headers; take access-control-allow-methods, access-control-allow-origin"
     " out of the page's fetch() or axios headers: they are response headers"),
    (preflights(500), {"headers": {ORIGIN: "*"}}, Block.PREFLIGHT_STATUS, "status 500",
     f"204 No Content to OPTIONS {API}/ | {ALLOW}", "let the guard respond to OPTIONS"),
    (anyone(), {"mode": "same-origin"}, Block.MODE_SAME_ORIGIN, "has another origin", None,
     "have the page leave mode out"),
    (anyone(), {"mode": "no-cors"}, Block.MODE_NO_CORS, "makes the response opaque", None,
     "have the page leave mode out"),
    (anyone(), {"mode": "no-cors", "redirect": "error"}, Block.NO_CORS_REDIRECT,
     "mode: 'no-cors' and redirect: 'error'", None, "have the page leave both out"),
    (fixed(lines={"Cross-Origin-Resource-Policy": "same-site"}), {"mode": "no-cors"},
     Block.RESOURCE_POLICY, "has Cross-Origin-Resource-Policy: same-site",
     "Cross-Origin-Resource-Policy: cross-origin", "send that header"),
    (anyone(), {"url": "http://api.test/"}, Block.MIXED_CONTENT,
     "browsers block that as mixed content", None, "serve the API over https"),
    *(
        (anyone(), {"act": "submit", "url": "http://api.test/", "engine": engine}, Block.MIXED_FORM,
         "'http://api.test/' is http: browsers warn before they send a form", None,
         "serve the form's target over https")
        for engine in ("chromium", "firefox")
    ),
    (anyone(), {"url": "chrome-extension://abc/x"}, Block.NOT_HTTP, "is not http or https", None,
     "have the page request an http or https address"),
    (redirecting("data:text/plain,x"), {}, Block.NOT_HTTP, "'data:text/plain,x'", None,
     "have the page request an http or https address"),
    (redirecting(f"{OTHER}/x"), {}, Block.UNREACHABLE, f"leads to '{OTHER}/x'", None,
     f"Browser({{'{OTHER}': app, ...}})"),
    (redirecting("/x"), {"redirect": "error"}, Block.REDIRECT_UNWANTED, "(status 302)", None,
     "have the page request the address that the redirect leads to"),
    (redirecting("/x"), {"redirect": "manual"}, Block.REDIRECT_MANUAL, "(status 302)", None,
     "have the page leave redirect out"),
    (redirecting("/x"), {}, Block.REDIRECT_LIMIT,
     f"more than 20 redirects, the last of them from '{API}/x'", None, "end the loop"),
    (redirecting("https://a b/"), {}, Block.REDIRECT_INVALID, "'https://a b/', is not a URL", None,
     "redirect with url_for()"),
    (fixed(302, [*OPEN.items(), ("Location", "/a"), ("Location", "/b")]), {},
     Block.REDIRECT_MULTIPLE, "several Locations, '/a', '/b'", None, "redirect in one place"),
    (redirecting("https://me@api.test/"), {}, Block.REDIRECT_USERINFO,
     "'https://me@api.test/', has a user name or password", None,
     "redirect to the address without them"),
    (anyone(), {"act": "navigate"}, Block.NAVIGATION, "This was a navigation: ", None,
     "to read responses, use fetch()"),
    (anyone(), {"act": "send_beacon", "data": "x" * 65536}, Block.BEACON, "This was a beacon: ",
     None, "to read responses, use fetch()"),
    *(
        (anyone(), {"act": "send_beacon", "data": "x" * 65537, "engine": engine},
         Block.BEACON_LIMIT, "The beacon has 65537 bytes, and browsers send up to 65536", None,
         "have the page send less at a time")
        for engine in ("standard", "chromium", "webkit")
    ),
    (anyone(), {"act": "send_beacon", "data": "x" * 65537, "engine": "firefox"}, Block.BEACON,
     "This was a beacon: ", None, "to read responses, use fetch()"),
]  # fmt: skip
NOT_SENT = {
    Block.BEACON_LIMIT,
    Block.MIXED_CONTENT,
    Block.MIXED_FORM,
    Block.MODE_SAME_ORIGIN,
    Block.NO_CORS_REDIRECT,
}


@pytest.mark.parametrize(
    ("servers", "asked", "block", "found", "send", "change"),
    BLOCKS,
    ids=[f"{number}-{row[2]}" for number, row in enumerate(BLOCKS)],
)
def test_why(servers, asked, block, found, send, change):
    """Each rule with all of its words, and that the page sees nothing of the response."""
    asked = {"url": f"{API}/"} | asked
    page, engine = asked.pop("page", SHOP), asked.pop("engine", "standard")
    act = asked.pop("act", "fetch")
    if callable(servers):
        servers = {API: servers, "http://api.test": servers}
    response = getattr(Browser(servers, page, engine), act)(**asked).assert_blocked(block)
    assert response.reason is block
    first, *more = response.why.split("\n")
    if first.startswith("The request was redirected from "):
        first, *more = more
    assert found in first
    assert first.endswith(".")
    assert len(first) < 1000
    if more[-1].startswith("The request was redirected from "):
        more.pop()
    last = more.pop()
    assert last.startswith("Change: ")
    assert last.endswith(".")
    assert change in last
    lines = [f"Send: {line}" for line in send.split(" | ")] if send else []
    assert more == lines + [NOBODY] * (block in POLICY_BLOCKS)
    if block in NOT_SENT:
        assert response.exchanges == ()
    # The page sees nothing of it, except that there is one if it is opaque.
    seen = (response.readable, response.json, response.redirected, dict(response.headers))
    assert seen == (False, None, False, {})
    opaque = {Block.MODE_NO_CORS: "opaque", Block.REDIRECT_MANUAL: "opaqueredirect"}
    assert response.type == opaque.get(block)
    assert (response.status, response.text) == ((0, "") if response.type else (None, None))
    assert response.url == (f"{API}/" if block is Block.REDIRECT_MANUAL else "")
    assert not response.ok


def test_the_table_has_every_rule():
    assert {row[2] for row in BLOCKS} == set(Block)


CREDENTIALS_TOO = [
    ({"origins": "*"}, {}, "allow_origin_wildcard", f'origins=["{SHOP}"], allow_credentials=True'),
    ({"origins": SHOP}, {}, "allow_credentials_missing", "allow_credentials=True"),
    ({"origins": SHOP}, PUT, "allow_credentials_missing", "allow_credentials=True"),
    ({"origins": OTHER}, {}, "allow_origin_missing",
     f'origins=["{OTHER}", "{SHOP}"], allow_credentials=True'),
    ({"origins": OTHER}, X_A, "preflight_status",
     f'origins=["{OTHER}", "{SHOP}"], allow_headers=["Content-Type", "X-A"],'
     " allow_credentials=True"),
    ({"origins": OTHER, "allow_credentials": True}, {}, "allow_origin_missing",
     f'origins=["{OTHER}", "{SHOP}"]'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "asked", "block", "change"),
    CREDENTIALS_TOO,
    ids=[f"{number}-{row[2]}" for number, row in enumerate(CREDENTIALS_TOO)],
)
def test_a_guard_whose_policy_has_no_credentials(policy, asked, block, change):
    """Whatever else is wrong, the advice allows the credentials that the page asks with, too."""
    response = Browser(guarded(**policy), SHOP).fetch(f"{API}/", credentials="include", **asked)
    advice = response.assert_blocked(block).why.splitlines()[-1].strip()
    assert advice.startswith(f"To allow it: {change} (policy: default, ")
    changed = {**policy, **eval(f"dict({change})")}
    Browser(guarded(**changed), SHOP).fetch(
        f"{API}/", credentials="include", **asked
    ).assert_readable()


@pytest.mark.parametrize("origins", [SHOP, OTHER], ids=["read", "refused"])
def test_credentials_that_a_setting_allows_in_vain(origins):
    """Flask-CORS has that key; the guard has another one, and none where a view is exempt."""
    app = Flask("shop")
    app.config["CORS_SUPPORTS_CREDENTIALS"] = True
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    CorsGuard(app, origins=origins)
    browser = Browser(app, SHOP)
    found = "Ignored: CORS_SUPPORTS_CREDENTIALS in app.config (the guard reads CORSGUARD_ALL"
    assert found in browser.fetch(f"{API}/", credentials="include").why
    assert found not in browser.fetch(f"{API}/exempt", credentials="include").why
    assert found not in browser.fetch(f"{API}/").why


def test_a_redirect_to_a_sign_in_page():
    """Where a redirect led to what the page may not read, the advice is to answer with 401."""
    hint = f"The request was redirected from '{API}/'"
    for login in (fixed(), guarded(origins="https://b.example")):
        servers = {API: redirecting(f"{OTHER}/"), OTHER: login}
        why = Browser(servers, SHOP).fetch(f"{API}/").assert_blocked("allow_origin_missing").why
        first = why.splitlines()[0]
        assert first.startswith(hint)
        assert first.endswith(" If it is a sign-in page, respond with 401 instead.")
        why = Browser(servers, API).fetch("/").assert_blocked("allow_origin_missing").why
        assert why.splitlines()[-1] == (
            f"{hint}: if that is to a sign-in page, respond with 401 instead."
        )
    # What is said about a URL without a route comes last.
    servers = {API: redirecting(f"{OTHER}/x"), OTHER: guarded(origins="https://b.example")}
    first, *_, last = Browser(servers, API).fetch("/").why.splitlines()
    assert first.startswith(hint)
    assert "check the URL, the method and the trailing slash" in last
    # A page that has not been redirected is told nothing of it.
    assert hint not in Browser(fixed(), SHOP).fetch(f"{API}/").why


@pytest.mark.parametrize(
    ("target", "looks_like_one"),
    [
        (f"{OTHER}/login?next=/", True),
        (f"{OTHER}/users/sign-in", True),
        (f"{OTHER}/oauth2/authorize", True),
        ("https://sso.b.test/", True),
        ("https://login.b.test/x", True),
        (f"{OTHER}/authors", False),
        (f"{OTHER}/blogins", False),
        (f"{OTHER}/?next=/login", False),
        (f"{API}/login", False),
    ],
)
@pytest.mark.parametrize("serves_all", [True, False], ids=["one app", "no server there"])
@pytest.mark.parametrize("page", [SHOP, API])
def test_what_looks_like_a_sign_in_page(target, looks_like_one, serves_all, page):
    """At another origin, it is named first, and nothing that would not help is advised."""
    app = guarded(origins=SHOP)
    app.add_url_rule("/me", "me", lambda: ("", 302, {"Location": target}))
    response = Browser(app if serves_all else {API: app}, page).fetch(f"{API}/me")
    first, *more = response.why.splitlines() or [""]
    redirected = f"The request was redirected from '{API}/me' to '{target}', which looks like a"
    assert first.startswith(redirected) == looks_like_one
    if looks_like_one:
        assert first == (
            f"{redirected} sign-in page: respond with 401 instead, and have the page go there. If"
            " it is not one, respond with the URL in JSON, and have the page fetch that."
        )
        assert len(more) == 1
        assert response.reason in (Block.UNREACHABLE, Block.ALLOW_ORIGIN_MISSING)


def test_a_redirect_to_a_sign_in_page_that_the_page_may_not_follow():
    """The policy rejects the redirect already, and that is said as ever."""
    app = guarded(origins=SHOP)
    app.add_url_rule("/me", "me", lambda: ("", 302, {"Location": f"{OTHER}/login"}))
    why = Browser(app, "https://b.example").fetch(f"{API}/me").why
    assert 'To allow it: origins=["https://shop.example", "https://b.example"]' in why


TO_ANOTHER = (
    f"The request was redirected from '{API}/' to another origin, which makes its Origin null:"
    " respond with the URL in JSON instead, and have the page fetch that"
)
SIGN_IN = "If it is a sign-in page, respond with 401 instead."
# Which the page may read, with credentials too.
MOVED = fixed(
    302,
    {
        "Access-Control-Allow-Origin": SHOP,
        "Access-Control-Allow-Credentials": "true",
        "Location": f"{OTHER}/",
    },
)
PUBLIC = '; or, if everybody may read it without credentials, set origins="*" at that URL. '


@pytest.mark.parametrize("origins", [SHOP, "https://b.example"])
@pytest.mark.parametrize("credentials", ["omit", "include"])
def test_a_redirect_to_another_origin(origins, credentials):
    """The origin is null then, which no setting but ``"*"`` can let read."""
    servers = {API: MOVED, OTHER: guarded(origins=origins)}
    response = Browser(servers, SHOP).fetch(f"{API}/", credentials=credentials)
    first, *_, advice = response.assert_blocked("allow_origin_missing").why.splitlines()
    assert first == f"{TO_ANOTHER}{PUBLIC}{SIGN_IN}"
    assert "allow_credentials=True" not in advice
    assert "To allow it: serve the page from an origin of its own" in advice
    servers[OTHER] = guarded(origins="*")
    Browser(servers, SHOP).fetch(f"{API}/", credentials="omit").assert_readable()


def test_a_redirect_with_credentials_to_what_everybody_may_read():
    """It is the credentials that the browser refuses."""
    servers = {API: MOVED, OTHER: guarded(origins="*")}
    response = Browser(servers, SHOP).fetch(f"{API}/", credentials="include")
    why = response.assert_blocked("allow_origin_wildcard").why
    first, _, *more = why.splitlines()
    assert first == f"{TO_ANOTHER}. {SIGN_IN}"
    assert more == [
        "To allow it: have the page leave out credentials: 'include', if it needs no cookies there."
    ]
    # A page without an origin of its own.
    response = Browser(guarded(origins="*"), "null").fetch(f"{API}/", credentials="include")
    advice = response.assert_blocked("allow_origin_wildcard").why.splitlines()[-1]
    assert "leave out credentials: 'include', if it needs no cookies there; or serve" in advice


def test_a_guard_that_refused_names_its_policy():
    response = Browser(guarded(origins="https://partner.example"), SHOP).fetch(f"{API}/")
    _, send, *more = response.assert_blocked("allow_origin_missing").why.splitlines()
    assert send == f"Send: {ALLOW}"
    assert more[0].startswith("Flask-CorsGuard decided: GET / from 'https://shop.example': rej")
    allow = f'  To allow it: origins=["https://partner.example", "{SHOP}"] (policy: default, '
    assert more[-1].startswith(allow)
    assert not any("Change:" in line for line in more)


def in_front(environ, start_response):
    """Responds to an origin that it does not know, as Flask-SocketIO does."""
    start_response("400 BAD REQUEST", [("Content-Type", "text/plain"), ("Server", "x'\x1b")])
    return [b'"Not an accepted origin."']


def refusing(app):
    """Middleware that lets nobody through, and shows what it wraps only in its closure."""
    return lambda environ, start_response: (app and in_front)(environ, start_response)


def around(wsgi_app, **lines):
    """Middleware that replaces CORS headers, and hands a copy of the environment on."""

    def middleware(environ, start_response):
        def start(status, headers, exc_info=None):
            kept = [(n, v) for n, v in headers if not n.startswith("Access-Control-")]
            return start_response(status, [*kept, *lines.items()], exc_info)

        return wsgi_app(dict(environ), start)

    return middleware


def in_a_thread(wsgi_app):
    """Runs the app in another thread, with an environment of its own, as an ASGI server does."""

    def middleware(environ, start_response):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: [*wsgi_app(dict(environ), start_response)]).result()

    return middleware


def within(wrap, origins=SHOP, view=lambda: "ok", debug=False):
    """A guarded app with something around its ``wsgi_app``."""
    app = guarded(view, origins=origins)
    app.debug, app.wsgi_app = debug, wrap(app.wsgi_app)
    return app


def broken():
    raise KeyError("x")


FRONT = "The guard did not decide about this request: something in front of the app responded"
BY_STRANGER = (
    r"status 400, Content-Type 'text/plain', Server 'x\x27\x1b', body "
    "'\"Not an accepted origin.\"'."
)
IN_FRONT = "Change: whatever responded, such as WSGI middleware around app.wsgi_app, another"
ALLOWED = "Flask-CorsGuard decided: GET (endpoint index) from 'https://shop.example': allowed."
REJECTED = "Flask-CorsGuard decided: GET / from 'https://shop.example': rejected"
AROUND = (
    "Something around the app has changed the response, or responded instead of the app: status"
)
CHANGED = "Change: whatever does that, such as WSGI middleware around app.wsgi_app, another"
TO_OTHER = {ORIGIN: "https://b.example"}

# By what decided: the app, the words, and the change.
DECIDED = {
    "app.wsgi_app": (within(lambda _: in_front), [f"{FRONT}: {BY_STRANGER}"], IN_FRONT),
    "within middleware": (
        ProxyFix(within(lambda _: in_front)), [f"{FRONT}: {BY_STRANGER}"], IN_FRONT
    ),
    "beside a mounted app": (
        DispatcherMiddleware(guarded(origins=SHOP), {"/users": in_front}),
        [f"{FRONT}: {BY_STRANGER}"],
        IN_FRONT,
    ),
    "a function around the app": (
        refusing(guarded(origins=SHOP)), [f"{FRONT}: {BY_STRANGER}"], IN_FRONT
    ),
    "a function around an app without a guard": (
        refusing(Flask("shop")),
        ["No guard decided about this request: the app has none."],
        f"Change: {ADD}.",
    ),
    "a table with problems": (
        guarded(cors("unknown")(lambda: "ok"), origins=SHOP),
        [f"{FRONT}, or an exception ended it (see the server's log): status 500"],
        IN_FRONT,
    ),
    "a function": (in_front, [NOBODY], f"Change: {ADD}."),
    "no guard": (
        Flask("shop"), ["No guard decided about this request: the app has none."], f"Change: {ADD}."
    ),
    "taken off": (within(around), [ALLOWED, f"{AROUND} 200"], CHANGED),
    "replaced": (within(lambda app: around(app, **TO_OTHER)), [ALLOWED, f"{AROUND} 200"], CHANGED),
    "added": (
        within(lambda app: around(app, **TO_OTHER), origins="https://partner.example"),
        [REJECTED, f"{AROUND} 200"],
        CHANGED,
    ),
    "in a thread": (within(in_a_thread, origins="https://partner.example"), [REJECTED], "  "),
    "the debugger": (
        DebuggedApplication(within(lambda app: app, view=broken, debug=True)),
        [ALLOWED, "The view raised an exception, and Werkzeug's debugger responded"],
        "Change: fix the exception. Outside debug mode the page can read the 500.",
    ),
    "exempt": (
        guarded(cors_exempt(lambda: "ok"), origins=SHOP),
        ["Flask-CorsGuard decided: GET (endpoint index) from 'https://shop.example': exempt."],
        "Change: have the view send these headers itself, or remove cors_exempt.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("app_", "words", "change"), DECIDED.values(), ids=DECIDED)
def test_who_decided(app_, words, change):
    """A policy is to change only where a policy decided; ``why`` says what else did."""
    path = "/users" if isinstance(app_, DispatcherMiddleware) else "/"
    response = Browser(app_, SHOP).fetch(f"{API}{path}").assert_blocked()
    assert response.reason in (Block.ALLOW_ORIGIN_MISSING, Block.ALLOW_ORIGIN_MISMATCH)
    *lines, last = response.why.splitlines()
    assert last.startswith(change)
    for each in words:
        assert [line for line in lines if line.startswith(each)], response.why
    is_about_policy = ADD in response.why or f'"{SHOP}"] (policy: ' in response.why
    assert is_about_policy == (ADD in change or REJECTED in words)


def test_who_decided_about_a_preflight():
    """The same for preflights, where it is the last request that counts."""
    browser = Browser(within(lambda _: in_front), SHOP)
    why = browser.fetch(f"{API}/", method="PUT").assert_blocked("preflight_status").why
    assert f"{FRONT}: {BY_STRANGER}\n{IN_FRONT}" in why
    why = Browser(within(around), SHOP).fetch(f"{API}/", method="PUT").why
    assert f"\n{AROUND} 204.\n{CHANGED}" in why


def test_who_decided_what_is_hidden():
    """No policy exposes a header that something in front of the guard sends, or an exempt view."""
    lines = OPEN | {"X-Total": "7"}
    response = Browser(within(lambda _: fixed(lines=lines)), SHOP).fetch(f"{API}/")
    *_, found, change = response.assert_readable().why.splitlines()
    assert found.startswith(FRONT)
    assert change.startswith(IN_FRONT)
    view = cors_exempt(lambda: ("ok", lines))
    response = Browser(guarded(view, origins=SHOP), SHOP).fetch(f"{API}/").assert_readable()
    assert response.why.endswith(
        "Change: have the view send these headers itself, or remove cors_exempt."
    )


def test_a_rejection_that_is_not_what_stopped_it():
    """If something else stopped the response, the advice is not to allow the origin."""
    browser = Browser(guarded(origins=SHOP), "https://evil.example")
    for response in (browser.submit(f"{API}/"), browser.send_beacon(f"{API}/", "x")):
        assert response.exchanges[0].decision.outcome is Outcome.REJECTED
        assert "origins" not in response.why


def test_a_form_that_the_guard_refused():
    """Nobody reads the response of a form, so that it was not carried out is what counts."""
    browser = Browser(guarded(origins=SHOP, enforce="unsafe"), "https://evil.example")
    for response in (browser.submit(f"{API}/"), browser.send_beacon(f"{API}/", "x")):
        found = f"Flask-CorsGuard refused the request: POST / from '{browser.page}': refused ("
        assert found in response.why
        assert f'origins=["{SHOP}", "{browser.page}"]' in response.why
