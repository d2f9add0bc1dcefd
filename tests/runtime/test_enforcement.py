"""Refusing on the server: where it is set, what a refusal is, and what must not get round it."""

import functools
import html
from pathlib import Path

import pytest
from flask import Blueprint, Flask, current_app, send_from_directory, stream_with_context
from flask.views import MethodView, View
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import (
    CorsGuard,
    Outcome,
    PolicyError,
    Reason,
    cors,
    cors_exempt,
    current_decision,
    origin_rejected,
)
from tests.conftest import cors_headers

EVIL = "https://evil.example"
SHOP = "https://shop.example"
SITE = "HTTP_SEC_FETCH_SITE"
CROSS = {SITE: "cross-site"}
FORM = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

REFUSED = (403, "Origin, Sec-Fetch-Site, Accept", "no-store")


def summary(response):
    """The whole refusal, but for its body."""
    headers = dict(response.headers)
    assert len(headers) == len(response.headers)
    vary, cache = headers.pop("Vary", ""), headers.pop("Cache-Control", "")
    assert set(headers) == {"Content-Type", "Content-Length"}
    return response.status_code, vary, cache


def view(name):
    """A view that notes down that it ran."""

    def run(**_):
        current_app.config.setdefault("RAN", []).append(name)
        return "done"

    run.__name__ = name
    return run


def guarded(app, **fields):
    """A guard, and a view that it guards."""
    app.add_url_rule("/x", "x", view("x"), methods=["GET", "POST"])
    return CorsGuard(app, **fields)


def ran(app):
    return app.config.pop("RAN", [])


# Where it is set


@pytest.mark.parametrize("where", ["configuration", "blueprint", "named policy", "method"])
def test_where_it_is_set(app, http, where):
    """``enforce`` is a field like any other, and a mark can turn it off."""

    class Item(MethodView):
        get = post = lambda _: view("x")()

    if where == "method":
        Item.post = cors(enforce="unsafe")(lambda _: view("x")())
    app.config["CORSGUARD_ENFORCE"] = "unsafe" if where == "configuration" else "off"
    CorsGuard(app, policies={"closed": {"enforce": "unsafe"}})
    blueprint = Blueprint("api", __name__)
    if where == "blueprint":
        cors(enforce="unsafe")(blueprint)
    function = Item.as_view("x")
    marked = cors("closed")(function) if where == "named policy" else function
    blueprint.add_url_rule("/x", view_func=marked)
    app.register_blueprint(blueprint)
    app.add_url_rule("/free", "free", cors(enforce="off")(view("free")), methods=["POST"])

    assert summary(http.open(app, "/x", EVIL, "POST", CROSS)) == REFUSED
    assert http.send(app, "/x", EVIL, environ=CROSS) == http.refused()
    assert http.send(app, "/x", method="POST") == http.refused()
    assert http.send(app, "/free", EVIL, method="POST", environ=CROSS) == http.refused()
    assert ran(app) == ["x", "x", "free"]


# A refused request reaches nothing of the app's


def test_nothing_of_the_app_runs(app, http):
    CorsGuard(app, enforce="unsafe")
    happened = app.config["RAN"] = []

    def note(name):
        def run(*_, **__):
            happened.append(name)

        return run

    def decorate(function):
        @functools.wraps(function)
        def wrapper():
            happened.append("decorator")
            return function()

        return wrapper

    blueprint = Blueprint("api", __name__)
    blueprint.add_url_rule("/x", "x", decorate(view("view")), methods=["POST"])
    blueprint.before_request(note("blueprint's before_request"))
    blueprint.before_app_request(note("before_app_request"))
    app.before_request(note("before_request"))
    app.before_request_funcs[None].insert(0, note("inserted in front"))
    app.register_blueprint(blueprint)

    assert summary(http.open(app, "/x", EVIL, "POST")) == REFUSED
    assert happened == []
    http.send(app, "/x", method="POST")
    assert happened == [
        "inserted in front",
        "before_request",
        "before_app_request",
        "blueprint's before_request",
        "decorator",
        "view",
    ]


async def _asynchronous():
    return view("x")()


class _Plain(View):
    methods = ("GET", "POST")

    def dispatch_request(self):
        return view("x")()


class _ByMethod(MethodView):
    get = post = _Plain.dispatch_request


def _streamed():
    yield view("x")()


def _file():
    view("x")()
    return send_from_directory(Path(__file__).parent, Path(__file__).name)


VIEWS = {
    "async": _asynchronous,
    "View": _Plain.as_view("x"),
    "MethodView": _ByMethod.as_view("x"),
    "a file": _file,
    "streamed": lambda: stream_with_context(_streamed()),
}


@pytest.mark.parametrize("view_func", VIEWS.values(), ids=VIEWS)
def test_views_of_every_kind(app, http, view_func):
    """No kind of view runs for a request from another site, here in a nested blueprint."""
    inner = Blueprint("inner", __name__)
    methods = {} if hasattr(view_func, "view_class") else {"methods": ["GET", "POST"]}
    inner.add_url_rule("/x", "x", view_func, **methods)
    outer = Blueprint("outer", __name__, url_prefix="/")
    outer.register_blueprint(inner, url_prefix="/")
    app.register_blueprint(outer)
    CorsGuard(app, enforce="all")

    for method in ("GET", "POST"):
        assert summary(http.open(app, "/x", EVIL, method, CROSS)) == REFUSED
        assert summary(http.open(app, "/x", None, method, CROSS)) == REFUSED
    assert ran(app) == []
    with http.open(app, "/x", method="POST") as response:
        assert response.data
    assert ran(app) == ["x"]


def test_after_request_functions_cannot_undo_a_refusal(app, http):
    @app.after_request
    def meddle(response):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cache-Control"] = "public, max-age=600"
        response.headers["Vary"] = "Cookie"
        return response

    guarded(app, enforce="unsafe")
    response = http.open(app, "/x", EVIL, "POST")
    assert summary(response) == (403, "Cookie, Origin, Sec-Fetch-Site, Accept", "no-store")
    assert ran(app) == []


@pytest.mark.parametrize("failing", ["after_request", "url_value_preprocessor"])
def test_where_something_else_fails(app, http, failing):
    def fail(*_):
        raise RuntimeError("in other code")

    guarded(app, enforce="unsafe")
    getattr(app, failing)(fail)
    response = http.open(app, "/x", EVIL, "POST")
    assert response.status_code == 403
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"] == "Origin, Sec-Fetch-Site, Accept"
    assert "Access-Control" not in str(response.headers)
    assert ran(app) == []


# What is said


HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"
DETAIL = (
    "Another site caused this request, so it was not carried out. Go to this site itself and try"
    " again there. The server's log says more."
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (FORM, HTML),
        ("text/html", HTML),
        ("text/*", HTML),
        ("application/json;q=0.5, text/html", HTML),
        (None, PROBLEM),
        ("", PROBLEM),
        ("*/*", PROBLEM),
        ("application/json", PROBLEM),
        ("application/problem+json", PROBLEM),
        ("application/json, text/html;q=0.9", PROBLEM),
        ("application/json, text/html", PROBLEM),
        ("text/html;q=0.9, application/json", PROBLEM),
        ("text/html;q=0.9, application/problem+json", PROBLEM),
        ("image/png", PROBLEM),
        ("text/html;q=0", PROBLEM),
        ("text/html;q=banana", PROBLEM),
        ("\xff/;=,,q", PROBLEM),
        ("text/html," + "x" * 290, HTML),
        ("text/html," + "x" * 291, PROBLEM),
        ("text/html," + "x" * 60_000, PROBLEM),
        ("text/html" + ",a/b" * 11, HTML),
        ("text/html" + ",a/b" * 12, PROBLEM),
    ],
    ids=lambda value: value[:60] if value else None,
)
@pytest.mark.parametrize("debug", [False, True])
def test_the_form_of_a_refusal(app, http, heard, accept, expected, debug):
    """A refusal is a page for clients that ask for one. In debug mode it says what to change."""
    app.debug = debug
    guarded(app, enforce="unsafe")
    environ = CROSS if accept is None else {**CROSS, "HTTP_ACCEPT": accept}
    response = http.open(app, "/x", EVIL, "POST", environ)

    assert summary(response) == REFUSED
    assert response.content_type == expected
    detail = heard[0].decision.explain() if debug else DETAIL
    assert (f'To allow it: origins=["{EVIL}"]' in detail) == debug
    if expected == PROBLEM:
        assert list(response.get_json(force=True).items()) == [
            ("title", "Cross-origin request refused"),
            ("status", 403),
            ("code", "ORIGIN_NOT_ALLOWED"),
            ("detail", detail),
        ]
    else:
        lines = html.escape(detail).replace("\n", "<br>")
        assert response.text.startswith("<!doctype html>")
        assert "<title>Cross-origin request refused</title>" in response.text
        assert f"<p>{lines}</p>\n<p>Code: ORIGIN_NOT_ALLOWED</p>" in response.text
    assert (EVIL in response.text) == debug  # what did not match is not echoed to the world
    assert len(response.data) < 1000


@pytest.mark.parametrize(
    ("origin", "host", "is_port"),
    [
        ("https://www.example.com:8443", "www.example.com", True),
        ("https://www.example.com", "WWW.example.com:8080", True),
        ("http://[::1]:5173", "[::1]:5000", True),
        ("https://www.example.com:8443", "backend", False),
        ("ftp://www.example.com:8443", "www.example.com", False),
        ("https://other.example:8443", "www.example.com", False),
        ("null", "www.example.com", False),
        ("https://", "", False),
    ],
)
def test_what_is_said_of_a_port(app, http, log_lines, origin, host, is_port):
    guarded(app, enforce="unsafe")
    http.send(app, "/x", origin, method="POST", environ={"HTTP_HOST": host})
    [line] = log_lines()
    assert (
        "(only the port differs; if a proxy drops it, have it send the whole host, in nginx"
        " $http_host)." in line
    ) is is_port
    assert ("write CorsGuard(app, self_origins=[" in line) is not is_port


PAGE_IS_OWN = f'(if {EVIL} is this app itself, write CorsGuard(app, self_origins=["{EVIL}"])'
SEND_AND_FIX = (
    ", or have the proxy send Host and X-Forwarded-Proto and use ProxyFix(app.wsgi_app, x_proto=1)"
)
OWN_IN_DOUBT = {
    "no ProxyFix": (EVIL, None, {}, f"{PAGE_IS_OWN}{SEND_AND_FIX})."),
    "no origin": (
        "null",
        None,
        {},
        f"(if that is wrong, write CorsGuard(app, self_origins=[...]){SEND_AND_FIX}).",
    ),
    "no website": (
        "ftp://x",
        None,
        {},
        f"(if that is wrong, write CorsGuard(app, self_origins=[...]){SEND_AND_FIX}).",
    ),
    "no header": (
        EVIL,
        1,
        {},
        f"{PAGE_IS_OWN}, or have the proxy send Host or X-Forwarded-Host: ProxyFix is there, but"
        " gets neither).",
    ),
    "not trusted": (
        EVIL,
        0,
        {"HTTP_X_FORWARDED_HOST": "www.example.com"},
        f"{PAGE_IS_OWN}, or have ProxyFix trust the proxy's X-Forwarded-Host: x_host=1).",
    ),
    "trusted": (EVIL, 1, {"HTTP_X_FORWARDED_HOST": "www.example.com"}, f"{PAGE_IS_OWN})."),
}


@pytest.mark.parametrize(
    ("origin", "x_host", "environ", "fix"), OWN_IN_DOUBT.values(), ids=OWN_IN_DOUBT
)
def test_what_to_do_if_the_page_is_the_apps_own(app, http, log_lines, origin, x_host, environ, fix):
    guarded(app, enforce="unsafe")
    if x_host is not None:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_host=x_host)
    http.send(app, "/x", origin, method="POST", environ=environ)
    [line] = log_lines()
    assert line.endswith(fix)


def test_what_a_page_shows_is_escaped(app, http):
    app.debug = True
    guarded(app, enforce="unsafe")
    for environ in ({SITE: "<script>"}, {"HTTP_HOST": "<script>"}, {"PATH_INFO": "/<script>"}):
        text = http.open(app, "/x", "<script>", "POST", {**environ, "HTTP_ACCEPT": FORM}).text
        assert "<script>" not in text


def test_the_log_says_what_told(app, http, log_lines):
    guarded(app, enforce="unsafe", origins=SHOP)
    file = "tests/runtime/test_enforcement.py"

    http.send(app, "/x", EVIL, method="POST", environ={SITE: "same-site"})
    http.send(app, "/x", "null", method="POST", environ={"HTTP_HOST": "backend:8000"})
    http.send(app, "/x", None, method="POST", environ={SITE: "cross-site'\n" * 10})
    lines = [line.replace(file, "app.py") for line in log_lines()]
    location = lines[0].partition("policy (")[2].partition(")")[0]
    assert lines == [
        f"POST /x from '{EVIL}': refused (ORIGIN_NOT_ALLOWED) by the default policy ({location});"
        " Sec-Fetch-Site is 'same-site'.",
        f"POST /x from 'null': refused (ORIGIN_NULL) by the default policy ({location}); the app"
        " takes its own origin to be 'http://backend:8000' (if that is wrong, write CorsGuard(app,"
        f" self_origins=[...]){SEND_AND_FIX}).",
        f"POST /x: refused (CROSS_SITE_REQUEST) by the default policy ({location});"
        r" Sec-Fetch-Site is 'cross-site\x27\ncross-site\x27\ncross-site\x27\ncros'..."
        " (120 characters).",
    ]
    # a refusal does not silence the ordinary rejection of the same origin, nor the reverse
    http.send(app, "/x", EVIL, method="POST", environ={SITE: "same-site"})
    assert log_lines() == []
    http.send(app, "/x", EVIL)
    assert [line.partition(" by ")[0] for line in log_lines()] == [
        f"GET /x from '{EVIL}': rejected (ORIGIN_NOT_ALLOWED)"
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("enforce", ["off", "report", "unsafe", "all"])
def test_explain_is_what_happens(app, http, heard, enforce, method):
    """explain() returns the decision that a request gets, whether or not another site causes it."""
    guard = CorsGuard(app, origins=SHOP, enforce=enforce)
    seen = []

    @app.route("/x", methods=["GET", "POST"])
    def x():
        seen.append(current_decision._get_current_object())
        return "done"

    for origin in (EVIL, SHOP, "null", "x" * 400, "http://localhost", None):
        for site in (None, "cross-site", "same-origin", "none", "?"):
            heard.clear()
            seen.clear()
            environ = {} if site is None else {SITE: site}
            http.send(app, "/x", origin, method=method, environ=environ)
            happened = seen[0] if seen else heard[0].decision
            headers = {} if site is None else {"Sec-Fetch-Site": site}
            asked = {"origin": origin, "method": method, "headers": headers, "app": app}
            assert guard.explain("/x", **asked) == happened
            assert happened.blocked == (not seen)


# Which requests


def test_preflights_go_on(app, http):
    CorsGuard(app, origins=SHOP, enforce="all")
    app.add_url_rule("/x", "x", view("x"), methods=["PUT"])
    assert http.preflight(app, "/x", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    assert http.preflight(app, "/x", EVIL) == http.denied()
    assert http.preflight(app, "/x", SHOP, "DELETE") == http.denied()


@pytest.mark.parametrize(
    ("enforce", "origin", "method", "refused"),
    [
        ("unsafe", EVIL, "PUT", False),
        ("all", EVIL, "PUT", True),
        ("all", SHOP, "PUT", False),
        ("all", SHOP, "DELETE", False),  # the origin is allowed; the method is for the view to say
        ("report", EVIL, "PUT", False),
    ],
)
def test_preflights_that_go_to_the_app(app, http, enforce, origin, method, refused):
    """A preflight that goes to the app counts as OPTIONS, which is a safe method."""
    CorsGuard(app, origins=SHOP, enforce=enforce, answer_preflight=False)
    app.add_url_rule("/x", "x", view("own"), methods=["OPTIONS", "PUT"])
    environ = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
    response = http.open(app, "/x", origin, "OPTIONS", environ)
    assert ran(app) == ([] if refused else ["own"])
    if refused:
        vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        assert summary(response) == (403, f"{vary}, Sec-Fetch-Site, Accept", "no-store")


@pytest.mark.parametrize("path", ["/nowhere", "/get-only", "/slash"])
def test_urls_without_a_route(app, http, path):
    CorsGuard(app, enforce="unsafe")
    app.add_url_rule("/get-only", "get_only", view("x"))
    app.add_url_rule("/slash/", "slash", view("x"), methods=["POST"])
    assert summary(http.open(app, path, EVIL, "POST", CROSS)) == REFUSED


# "*" says who may read, and lets nobody past enforce. Origin, Sec-Fetch-Site, method, and why it is
# refused with "unsafe", if it is.
STRANGER = "CROSS_SITE_REQUEST"
PUBLIC = [
    (EVIL, "cross-site", "POST", STRANGER),
    (EVIL, "cross-site", "DELETE", STRANGER),
    (EVIL, "same-site", "POST", STRANGER),
    (EVIL, None, "POST", STRANGER),
    ("null", "cross-site", "POST", STRANGER),
    ("null", None, "POST", STRANGER),
    ("garbage", "cross-site", "POST", STRANGER),
    (None, "cross-site", "POST", STRANGER),
    (None, "same-site", "POST", STRANGER),
    (None, "?", "POST", STRANGER),
    (EVIL, "cross-site", "WS", STRANGER),
    (EVIL, None, "WS", STRANGER),
    (None, "cross-site", "WS", STRANGER),
    ("http://localhost:1", None, "POST", STRANGER),
    # reading
    (EVIL, "cross-site", "GET", None),
    (EVIL, "cross-site", "HEAD", None),
    (EVIL, "cross-site", "OPTIONS", None),
    ("null", "cross-site", "GET", None),
    (None, "cross-site", "GET", None),
    (EVIL, None, "GET", None),
    # own pages, and programs
    (EVIL, "same-origin", "POST", None),
    ("null", "same-origin", "POST", None),
    ("http://localhost", "same-origin", "WS", None),
    (None, "same-origin", "POST", None),
    (None, "none", "POST", None),
    ("http://localhost", None, "POST", None),
    ("https://localhost", None, "POST", None),
    ("http://localhost", None, "WS", None),
    (None, None, "POST", None),
    (None, None, "DELETE", None),
    (None, None, "WS", None),
]


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe"])
@pytest.mark.parametrize(("origin", "site", "method", "reason"), PUBLIC)
def test_a_public_view(app, http, heard, enforce, origin, site, method, reason):
    """Every response keeps the literal ``*`` and no ``Vary``, but for refusals."""
    seen = []
    CorsGuard(app, origins="*", enforce=enforce)
    app.add_url_rule("/x", "x", lambda: seen.append(current_decision.outcome.name) or "done",
                     methods=["GET", "POST", "DELETE", "OPTIONS"])  # fmt: skip
    app.add_url_rule("/x", "socket", app.view_functions["x"], websocket=True)
    environ = {} if site is None else {SITE: site}
    if method == "WS":
        environ |= {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
    response = http.open(app, "/x", origin, "GET" if method == "WS" else method, environ)

    verdicts = [(s.name, s.decision.reason and s.decision.reason.name) for s in heard]
    if reason is None or enforce == "off":
        assert verdicts == [] or {name for name, _ in verdicts} == {"origin-allowed"}
    else:
        assert verdicts == [("origin-rejected", reason)]
        assert heard[0].decision.report_only == (enforce == "report")
    if reason is not None and enforce == "unsafe":
        upgrade = "Upgrade, " if method == "WS" else ""
        vary = f"Origin, Sec-Fetch-Site, {upgrade}Accept"
        assert summary(response) == (403, vary, "no-store")
        assert seen == []
    else:
        assert (response.status_code, cors_headers(response)) == (200, STAR)
        assert len(seen) == 1


STAR = {"Access-Control-Allow-Origin": "*"}


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe"])
@pytest.mark.parametrize(
    ("method", "names", "refused"),
    [
        ("GET", "content-type", False),
        ("HEAD", "content-type", False),
        ("POST", "content-type", True),
        ("PUT", None, True),
    ],
)
def test_preflights_for_a_public_view(app, http, heard, enforce, method, names, refused):
    """Refused for what would be refused; an allowed one names no method that would be."""
    guard = CorsGuard(app, origins="*", enforce=enforce)
    app.add_url_rule("/x", "x", view("x"), methods=["GET", "POST", "PUT"])
    asked = guard.explain("/x", origin=EVIL, method=method, headers=names or (), app=app)
    response = http.preflight(app, "/x", EVIL, method, names)
    assert [s.decision.reason for s in heard] == [asked.reason]
    if refused and enforce == "unsafe":
        assert response == http.denied()
        assert asked.reason is Reason.CROSS_SITE_REQUEST
        assert 'enforce="off"' in asked.explain()
    else:
        named = "GET, HEAD, OPTIONS" + ("" if enforce == "unsafe" else ", POST, PUT")
        assert response == http.granted("*", named)
        is_told = refused and enforce == "report"
        assert (asked.reason, asked.report_only) == (
            (Reason.CROSS_SITE_REQUEST, True) if is_told else (None, False)
        )


def test_a_public_view_that_anybody_may_use(app, http):
    """What to change where strangers are to use it: ``enforce="off"`` on the view."""
    CorsGuard(app, enforce="unsafe")
    app.add_url_rule("/read", "read", cors(origins="*")(view("read")), methods=["POST"])
    free = cors(origins="*", enforce="off")(view("free"))
    app.add_url_rule("/free", "free", free, methods=["POST"])
    assert summary(http.open(app, "/read", EVIL, "POST", CROSS)) == REFUSED
    assert http.send(app, "/free", EVIL, method="POST", environ=CROSS) == (200, STAR)
    assert http.preflight(app, "/free", EVIL, "POST").status == 204
    assert ran(app) == ["free"]


BUT_EVIL = {"origins": "*", "deny_origins": EVIL}


@pytest.mark.parametrize(
    ("fields", "origin", "reason"),
    [
        (BUT_EVIL, SHOP, STRANGER),
        (BUT_EVIL, EVIL, "ORIGIN_DENIED"),
        (BUT_EVIL, "null", "ORIGIN_NULL"),
        (BUT_EVIL, "garbage", "ORIGIN_MALFORMED"),
        (BUT_EVIL, None, STRANGER),
        ({**BUT_EVIL, "dangerously_allow_null_origin": True}, "null", STRANGER),
        ({"origins": ["null", SHOP], "dangerously_allow_null_origin": True}, "null", None),
        ({"origins": ["null", SHOP], "dangerously_allow_null_origin": True}, SHOP, None),
    ],
    ids=["*", "denied", "null", "malformed", "no Origin", "* with null", "null", "listed"],
)
def test_who_is_let_past(app, http, heard, fields, origin, reason):
    guarded(app, enforce="unsafe", **fields)
    response = http.open(app, "/x", origin, "POST", CROSS)
    assert (response.status_code, ran(app)) == ((403, []) if reason else (200, ["x"]))
    assert [s.decision.reason.name for s in heard if s.decision.blocked] == [reason][: bool(reason)]
    assert http.open(app, "/x", origin, "GET", CROSS).status_code == 200


def test_everybody_and_all(app):
    """Both cannot be: an error where they meet, which says what to write there."""
    for fields in ({}, {"deny_origins": EVIL}):
        with pytest.raises(PolicyError, match=r"enforce='unsafe'.*enforce='off'"):
            CorsGuard(Flask("other"), origins="*", enforce="all", **fields)
    guard = CorsGuard(app, enforce="all")
    app.add_url_rule("/health", "health", cors(origins="*")(view("health")))
    app.add_url_rule("/open", "open", cors(origins="*", enforce="unsafe")(view("open")))
    with pytest.raises(PolicyError) as caught:
        guard.routes(app)
    [problem] = caught.value.problems
    assert (problem.code, problem.field) == ("enforce_all_any_origin", "enforce")
    assert problem.where.startswith("view health (")


# What a browser asks ahead of time

AHEAD = {SITE: "none", "HTTP_SEC_PURPOSE": "prefetch"}


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "", "x" * 10_000])
def test_asked_ahead_of_time(app, http, heard, log_lines, purpose):
    """Held back before anything runs, and neither logged nor signalled."""
    guard = guarded(app, origins=SHOP, enforce="all")
    environ = {**AHEAD, "HTTP_SEC_PURPOSE": purpose}
    assert summary(http.open(app, "/x", None, "GET", environ)) == REFUSED
    own = {**environ, "HTTP_REFERER": "http://localhost/page"}
    assert http.send(app, "/x", environ=own) == (200, {"Vary": "Origin, Sec-Fetch-Site"})
    assert ran(app) == ["x"]
    assert (heard, log_lines()) == ([], [])
    headers = {"Sec-Fetch-Site": "none", "Sec-Purpose": purpose}
    decision = guard.explain("/x", origin=None, headers=headers, app=app)
    assert (decision.reason, decision.blocked) == (Reason.SPECULATIVE, True)
    headers["Referer"] = "http://localhost/page"
    assert guard.explain("/x", origin=None, headers=headers, app=app).outcome.name == "NOT_CORS"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, "Sec-Purpose is 'prefetch', and there is no Referer"),
        ({"Referer": f"{EVIL}/"}, f"Sec-Purpose is 'prefetch', and Referer is '{EVIL}/'"),
        (
            {"Sec-Purpose": "p" * 41, "Referer": "r" * 101},
            f"Sec-Purpose is '{'p' * 40}'... (41 characters), and Referer is '{'r' * 100}'..."
            " (101 characters)",
        ),
    ],
    ids=["no Referer", "Referer", "long"],
)
def test_what_is_said_of_what_is_asked_ahead_of_time(app, headers, found):
    guard = guarded(app, enforce="all")
    sent = {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch", **headers}
    decision = guard.explain("/x", origin=None, headers=sent, app=app)
    assert (decision.outcome.name, decision.path, decision.report_only) == ("REJECTED", "/x", False)
    assert decision.explain().splitlines()[2] == (
        "  Found: the browser sent this ahead of time, perhaps for a page of another site;"
        f" {found}."
    )


@pytest.mark.parametrize("referer", ["", "/", "https:///", "http://" + "x" * 60_000, "\xff\x80"])
def test_odd_referers(app, http, referer):
    guarded(app, enforce="all")
    environ = {**AHEAD, "HTTP_REFERER": referer, "HTTP_ACCEPT": FORM}
    app.debug = True
    response = http.open(app, "/x", None, "GET", environ)
    assert response.status_code == 403
    assert len(response.data) < 1000
    assert "SPECULATIVE" in response.text


def test_a_self_origin_may_ask_ahead_of_time(app, http):
    guarded(app, enforce="all", self_origins="https://front.example")
    environ = {**AHEAD, "HTTP_REFERER": "https://front.example/page"}
    assert http.open(app, "/x", None, "GET", environ).status_code == 200


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe"])
def test_where_other_sites_may_get(app, http, heard, log_lines, enforce):
    guarded(app, enforce=enforce, report_only={"enforce": "all"})
    assert http.send(app, "/x", environ=AHEAD) == http.refused()
    assert (heard, log_lines()) == ([], [])


def test_exempt_routes_are_left_alone(app, http):
    CorsGuard(app, enforce="all")
    app.add_url_rule("/x", "x", cors_exempt(view("x")), methods=["POST"])
    assert http.send(app, "/x", EVIL, method="POST", environ=CROSS) == (200, {})


def test_caches_keep_safe_responses_apart(app, http):
    """With "all", who caused a GET decides what it gets; a cache must know."""
    guarded(app, origins=SHOP, enforce="all")
    vary = {"Vary": "Origin, Sec-Fetch-Site"}
    assert http.send(app, "/x") == (200, vary)
    assert http.send(app, "/x", "http://localhost") == (200, vary)
    assert http.send(app, "/x", SHOP) == (200, vary | {"Access-Control-Allow-Origin": SHOP})


@pytest.mark.parametrize(
    ("upgrade", "is_handshake"),
    [
        ("websocket", True),
        ("WebSocket", True),
        ("WEBSOCKET", True),
        ("h2c, websocket", True),
        ("websocket/13", True),
        (" websocket ", True),
        ("x" * 100, False),
        ("x" * 101, True),  # not read
        ("x" * 60_000, True),
        ("h2c", False),
        ("", False),
        (None, False),
    ],
    ids=lambda value: value[:110] if isinstance(value, str) else None,
)
def test_upgrades(app, http, upgrade, is_handshake):
    """A GET that opens a WebSocket is refused like an unsafe method."""
    guarded(app, enforce="unsafe")
    environ = {} if upgrade is None else {"HTTP_UPGRADE": upgrade}
    response = http.open(app, "/x", EVIL, environ=environ)
    assert response.status_code == (403 if is_handshake else 200)
    if is_handshake:
        assert summary(response) == (403, "Origin, Sec-Fetch-Site, Upgrade, Accept", "no-store")


HANDSHAKE = {"HTTP_UPGRADE": "websocket"}
UNENFORCED = "UNENFORCED ORIGIN_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("fields", "origin", "method", "environ", "expected"),
    [
        ({}, EVIL, "GET", HANDSHAKE, UNENFORCED),
        ({}, EVIL, "GET", HANDSHAKE | CROSS, UNENFORCED),
        ({}, EVIL, "GET", {"HTTP_UPGRADE": "h2c, WebSocket"}, UNENFORCED),
        ({}, "null", "GET", HANDSHAKE, "UNENFORCED ORIGIN_NULL"),
        ({"deny_origins": SHOP}, SHOP, "GET", HANDSHAKE, "UNENFORCED ORIGIN_DENIED"),
        ({"origins": lambda _: None}, EVIL, "GET", HANDSHAKE, "UNENFORCED ORIGIN_CHECK_FAILED"),
        ({}, SHOP, "GET", HANDSHAKE, "ALLOWED"),
        ({"origins": "*"}, EVIL, "GET", HANDSHAKE, "ALLOWED"),
        # No page of another site sent these, or none that a browser would let open the socket.
        ({}, "http://localhost", "GET", HANDSHAKE, "SAME_ORIGIN"),
        ({}, EVIL, "GET", HANDSHAKE | {SITE: "same-origin"}, "SAME_ORIGIN"),
        ({}, None, "GET", HANDSHAKE, "NOT_CORS"),
        ({}, None, "GET", HANDSHAKE | CROSS, "NOT_CORS"),
        ({}, EVIL, "GET", {"HTTP_UPGRADE": "h2c"}, "REJECTED ORIGIN_NOT_ALLOWED"),
        ({}, EVIL, "GET", {}, "REJECTED ORIGIN_NOT_ALLOWED"),
        ({}, EVIL, "POST", HANDSHAKE, "REJECTED ORIGIN_NOT_ALLOWED"),
        # It would be refused.
        ({"enforce": "report"}, EVIL, "GET", HANDSHAKE, "REJECTED ORIGIN_NOT_ALLOWED"),
    ],
)
def test_handshakes_that_nothing_refuses(
    app, http, heard, log_lines, fields, origin, method, environ, expected
):
    """No browser holds a WebSocket handshake back, so it is not called rejected."""
    guarded(app, **{"origins": SHOP, **fields})
    seen = []
    app.after_request(
        lambda response: seen.append(current_decision._get_current_object()) or response
    )
    response = http.open(app, "/x", origin, method, environ)

    (decision,) = seen
    reason = f" {decision.reason.name}" if decision.reason else ""
    assert f"{decision.outcome.name}{reason}" == expected
    assert (response.status_code, ran(app)) == (200, ["x"])
    if decision.report_only:
        words = '; browsers do not block WebSocket handshakes; to refuse it, set enforce="unsafe"'
        assert words in decision.explain()
        assert words in log_lines()[0]
    if decision.outcome is Outcome.UNENFORCED:
        assert heard == []
        assert dict(response.headers).get("Vary") == "Origin"
        assert "rejected" not in decision.explain()
        assert "rejected" not in log_lines()[0]


def test_an_exempt_socket_is_exempt(app, http, heard, log_lines):
    CorsGuard(app)
    app.add_url_rule("/x", "x", cors_exempt(view("x")))
    http.open(app, "/x", EVIL, environ=HANDSHAKE)
    assert (heard, log_lines()) == ([], [])


# What must not get round it


def raising(origin):
    raise LookupError("the store is away")


@pytest.mark.parametrize(
    "check", [raising, lambda o: "yes", lambda o: None], ids=["raises", "yes", "None"]
)
def test_a_failing_callable_lets_nobody_pass(app, http, heard, log_lines, check):
    guarded(app, origins=check, enforce="unsafe")
    assert summary(http.open(app, "/x", EVIL, "POST", CROSS)) == REFUSED
    assert ran(app) == []
    [signal] = heard
    assert (signal.decision.reason, signal.decision.blocked) == (Reason.ORIGIN_CHECK_FAILED, True)
    [line] = log_lines()
    assert "refused (ORIGIN_CHECK_FAILED)" in line
    assert line.endswith("; Sec-Fetch-Site is 'cross-site'.")


def test_a_failing_receiver_lets_nobody_pass(app, http, log_lines):
    def receive(sender, decision):
        raise RuntimeError("in a receiver")

    guarded(app, enforce="unsafe")
    with origin_rejected.connected_to(receive):
        assert summary(http.open(app, "/x", EVIL, "POST", CROSS)) == REFUSED
    assert ran(app) == []
    assert len(log_lines()) == 2


@pytest.mark.parametrize(
    "name",
    ["HTTP_ORIGIN", SITE, "HTTP_HOST", "HTTP_UPGRADE", "HTTP_ACCEPT", "HTTP_X_FORWARDED_HOST"],
)
def test_odd_headers(app, http, log_lines, name):
    """No value of any header lets a request of another site pass, or breaks a line of the log."""
    guarded(app, enforce="all")
    for value in ("x" * 60_000, "\xff\x80", "'\"<>\\", "https://" + "[" * 50):
        environ = {"HTTP_ORIGIN": EVIL, **CROSS, name: value}
        assert http.open(app, "/x", None, "POST", environ).status_code == 403
    assert ran(app) == []
    assert all(len(line) < 500 and line.isascii() for line in log_lines())


def test_a_failing_log_lets_nobody_pass(app, http, failing_log):
    guarded(app, enforce="unsafe")
    assert summary(http.open(app, "/x", EVIL, "POST", CROSS)) == REFUSED
    assert failing_log == ["WARNING"]


@pytest.mark.parametrize("enforce", ["off", "all"])
def test_each_path_of_a_rule_is_told(app, http, heard, enforce):
    CorsGuard(app, enforce=enforce)
    app.add_url_rule("/<name>", "x", view("x"))
    for path in ("/a", "/b", "/a"):
        http.send(app, path, EVIL)
    assert [signal.decision.path for signal in heard] == ["/a", "/b", "/a"]


def test_every_request_is_looked_at_anew(app, http):
    """What is kept of a route never holds for a request with another source."""
    guarded(app, enforce="all")
    own, cross = {SITE: "same-origin"}, CROSS
    for origin in (None, EVIL, "http://localhost", "null"):
        for method in ("GET", "POST"):
            for environ, status in [(own, 200), (cross, 403), (own, 200), (cross, 403)]:
                response = http.send(app, "/x", origin, method=method, environ=environ)
                assert response.status == status


# Mistakes


@pytest.mark.parametrize(
    ("own", "fields", "code"),
    [
        ("https://shop.example/", {}, "origin_trailing_slash"),
        ("shop.example", {}, "origin_no_scheme"),
        ("null", {}, "null_origin"),
        ("null", {"dangerously_allow_null_origin": True}, "null_origin"),
        ("*", {}, "origin_type"),
        (lambda origin: True, {}, "origin_type"),
        ("http://shop.example", {"allow_credentials": True}, "credentials_insecure_origin"),
        ("https://*.co.uk", {"allow_credentials": True}, "credentials_public_suffix"),
        ("https://*.co.uk", {"enforce": "unsafe"}, "enforce_public_suffix"),
        ("https://pr-*.github.io", {"enforce": "unsafe"}, "enforce_public_suffix"),
        ("moz-extension://*", {"enforce": "report"}, "enforce_any_host"),
        ("https://pr-*.co.uk", {}, "origin_wildcard"),
        ("file://", {}, "origin_scheme"),
    ],
    ids=lambda value: "callable" if callable(value) else None,
)
def test_self_origins_are_checked_like_origins(app, own, fields, code):
    """self_origins are checked in the constructor and in the configuration alike."""
    app.config["CORSGUARD_SELF_ORIGINS"] = own
    for make in (
        lambda: CorsGuard(Flask("other"), self_origins=own, **fields),
        lambda: CorsGuard(app, **fields),
    ):
        with pytest.raises(PolicyError) as caught:
            make()
        assert {p.field for p in caught.value.problems} == {"self_origins"}
        assert sorted(p.code for p in caught.value.problems) == code.split()


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ("https://*.github.io", "enforce_public_suffix"),
        ("https://pr-*.github.io", "enforce_public_suffix"),
        ("moz-extension://*", "enforce_any_host"),
        ("https://pr-*.example.com", None),
        ("http://intranet.example", None),
    ],
)
def test_self_origins_where_a_mark_is_in_force(app, own, code):
    """Strangers must not pass as the app's own pages under a path either."""
    named = {"own": {"enforce": "unsafe"}, "public": {"origins": "*", "enforce": "unsafe"}}
    for policy, fields in ((None, {"enforce": "unsafe"}), ("own", {}), (["own", "public"], {})):
        guard = CorsGuard(other := Flask("other"), self_origins=own, policies=named)
        guard.for_path("/x", policy, **fields)
        if code is None:
            guard.routes(other)
            continue
        with pytest.raises(PolicyError) as caught:
            guard.routes(other)
        (problem,) = caught.value.problems
        assert (problem.code, problem.field) == (code, "self_origins")
        assert problem.where.startswith("path /x (")
    guard = CorsGuard(app, self_origins="https://*.github.io")
    guard.for_path("/x", enforce="unsafe", dangerously_allow_public_suffixes=True)
    guard.routes(app)


def test_self_origins_where_the_danger_is_named(app, http):
    CorsGuard(
        app,
        enforce="unsafe",
        self_origins="http://intranet.example",
        allow_credentials=True,
        dangerously_allow_insecure_origins=True,
    )
    app.add_url_rule("/x", "x", view("x"), methods=["POST"])
    assert http.send(app, "/x", "http://intranet.example", method="POST") == http.refused()
    assert ran(app) == ["x"]


def test_credentials_that_come_later_are_checked_too(app):
    guard = CorsGuard(app, self_origins="http://intranet.example")
    with pytest.raises(PolicyError) as caught:
        guard.reconfigure(allow_credentials=True, app=app)
    assert [p.code for p in caught.value.problems] == ["credentials_insecure_origin"]


def test_reconfigured(app, http):
    guard = guarded(app)
    assert http.send(app, "/x", EVIL, method="POST") == http.refused()
    guard.reconfigure(enforce="unsafe", app=app)
    assert summary(http.open(app, "/x", EVIL, "POST")) == REFUSED
    guard.reconfigure(origins=EVIL, app=app)
    assert http.send(app, "/x", EVIL, method="POST") == http.allowed(EVIL)
