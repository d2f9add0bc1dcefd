"""What JavaScript gets from a guarded app, in browsers of every engine."""

import functools

import pytest
from flask import Blueprint, request

from flask_corsguard import CorsGuard, Outcome, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
API = "https://api.test"
VIEW = {"rule": "/", "endpoint": "index", "view_func": lambda: "ok", "methods": ["GET", "PUT"]}


@pytest.fixture(params=["standard", "chromium", "firefox", "webkit"])
def open_page(request, cors_browser):
    """Opens a page in a browser of each engine."""
    return lambda page=SHOP: cors_browser(page, request.param)


def test_the_guards_own_words_are_in_the_failure(app, cors_browser):
    CorsGuard(app, origins=PARTNER)
    app.add_url_rule(**VIEW)

    with pytest.raises(AssertionError) as caught:
        cors_browser(SHOP).fetch(f"{API}/", method="PUT").assert_readable()
    said = str(caught.value)
    assert f"Found: the origin matches none of '{PARTNER}'." in said
    assert f'To allow it: origins=["{PARTNER}", "{SHOP}"] (policy: default, ' in said
    assert "test_in_a_browser.py:" in said


# Seeing headers


@pytest.mark.parametrize(
    ("fields", "credentials", "visible"),
    [
        ({}, "omit", {"cache-control", "content-length", "content-type"}),
        ({"expose_headers": ["X-Total", "ETag"]}, "omit", {"etag", "x-total"}),
        ({"expose_headers": "x-total"}, "omit", {"x-total"}),
        ({"expose_headers": "X-None"}, "omit", set()),
        ({"expose_headers": "*"}, "omit", {"etag", "vary", "x-total"}),
        ({"expose_headers": "X-Total", "allow_credentials": True}, "include", {"x-total"}),
    ],
)
def test_exposed_headers(app, open_page, fields, credentials, visible):
    """JavaScript sees these headers, and of the others only the safelisted ones."""
    CorsGuard(app, origins=SHOP, **fields)
    own = {"X-Total": "7", "ETag": '"v1"', "Cache-Control": "no-cache", "Set-Cookie": "a=b"}
    app.add_url_rule("/", "index", lambda: ("ok", own))

    response = open_page().fetch(f"{API}/", credentials=credentials).assert_visible(*visible)
    hidden = {"x-total", "etag", "vary"} - visible
    assert hidden.isdisjoint(response.headers)
    assert "set-cookie" not in response.headers


# Asking first


@pytest.mark.parametrize(
    ("max_age", "seconds"),
    [
        (5, {"standard": 5, "chromium": 5, "firefox": 5, "webkit": 5}),
        (86400, {"standard": 86400, "chromium": 7200, "firefox": 86400, "webkit": 600}),
    ],
    ids=["5", "longer than some browsers remember"],
)
def test_max_age(app, cors_browser, max_age, seconds):
    """A browser asks again when that time is over, or before."""
    CorsGuard(app, origins=SHOP, max_age=max_age)
    app.add_url_rule(**VIEW)

    for engine, limit in seconds.items():
        browser = cors_browser(SHOP, engine)
        asked = []
        for wait in (0, limit - 2, 3):
            browser.advance(wait)
            response = browser.fetch(f"{API}/", method="PUT").assert_readable()
            asked.append(response.exchanges[0].preflight)
        assert asked == [True, False, True]


def test_max_age_0(app, open_page):
    CorsGuard(app, origins=SHOP, max_age=0)
    app.add_url_rule(**VIEW)

    browser = open_page()
    responses = [browser.fetch(f"{API}/", method="PUT").assert_readable() for _ in range(2)]
    assert [len(response.exchanges) for response in responses] == [2, 2]


def may(origin, request):
    """Everybody may read, and nobody may do anything else."""
    asked = request.headers.get("Access-Control-Request-Method", request.method)
    return asked in ("GET", "HEAD")


class May:
    def __call__(self, origin, request):
        return may(origin, request)


ASKS = {
    "function": may,
    "callable object": May(),
    "partial": functools.partial(lambda _, origin, request: may(origin, request), 1),
    "default": lambda origin, request=None: may(origin, request),
}
READ = {"headers": {"X-Own": "1"}}


@pytest.mark.parametrize(
    ("asks", "where", "max_age"),
    [
        ("function", "default", 600),
        ("callable object", "default", None),
        ("partial", "blueprint", 600),
        ("default", "beside a list", 600),
    ],
    ids=list(ASKS),
)
def test_a_callable_that_decides_by_method_is_asked_about_each(
    app, open_page, asks, where, max_age
):
    """What a browser was allowed to do lets it do nothing else: neither another method nor, with
    the same header, a POST. That holds for what a listed origin was told too."""
    fields = {"origins": ASKS[asks], "methods": "*", "allow_headers": ["*"], "max_age": max_age}
    if where == "beside a list":
        fields["origins"] = [PARTNER, ASKS[asks]]
    api = Blueprint("api", __name__)
    if where == "blueprint":
        cors(**fields)(api)
    CorsGuard(app, **({} if where == "blueprint" else fields))
    ran = []
    methods = ["GET", "POST", "DELETE"]
    api.add_url_rule("/", "index", lambda: ran.append(request.method) or "ok", methods=methods)
    app.register_blueprint(api)

    browser, url = open_page(), f"{API}/"
    browser.fetch(url, **READ).assert_readable()
    browser.fetch(url, method="HEAD", **READ).assert_readable()
    browser.fetch(url, method="DELETE").assert_blocked("preflight_status")
    browser.fetch(url, method="DELETE", **READ).assert_blocked("preflight_status")
    browser.fetch(url, method="POST", **READ).assert_blocked("preflight_status")
    assert ran == ["GET", "HEAD"]


def test_a_callable_in_report_only_changes_no_response(app, open_page):
    CorsGuard(app, origins=SHOP, report_only={"origins": may})
    app.add_url_rule(**VIEW)

    browser = open_page()
    browser.fetch(f"{API}/", method="PUT").assert_readable()
    assert len(browser.fetch(f"{API}/", method="PUT").assert_readable().exchanges) == 1


def test_a_view_does_not_run_before_its_preflight_is_allowed(app, open_page):
    CorsGuard(app, origins=SHOP)
    ran = []
    app.add_url_rule("/", "index", lambda: ran.append(request.method) or "ok", methods=["POST"])

    url = f"{API}/"
    open_page(PARTNER).fetch(url, method="POST", json={}).assert_blocked()
    open_page(PARTNER).send_beacon(url, {"a": "b"}).assert_blocked("beacon")
    assert ran == ["POST"]  # CORS stops no request that a form could make
    open_page().fetch(url, method="POST", json={}).assert_readable()
    assert ran == ["POST", "POST"]


@pytest.mark.parametrize("enforce", ["off", "report", "unsafe", "all"])
def test_enforcement_stops_what_needs_no_preflight(app, open_page, enforce):
    CorsGuard(app, origins=SHOP, enforce=enforce)
    ran = []
    app.add_url_rule("/", "index", lambda: ran.append(request.method) or "ok", methods=["POST"])

    url, refused = f"{API}/", enforce in ("unsafe", "all")
    for page in (PARTNER, "null"):
        stranger = open_page(page)
        stranger.fetch(url, method="POST").assert_blocked("allow_origin_missing")
        responses = [
            stranger.submit(url, {"a": "b"}),
            stranger.send_beacon(url, "text"),
            stranger.fetch(url, method="POST", mode="no-cors"),
        ]
        statuses = {response.exchanges[-1].status for response in responses}
        assert statuses == ({403} if refused else {200})
    assert len(ran) == (0 if refused else 8)
    # A friend and the app's own pages go on.
    open_page().fetch(url, method="POST").assert_readable()
    open_page(API).fetch(url, method="POST").assert_readable()
    assert open_page(API).submit("/").exchanges[0].status == 200


@pytest.mark.parametrize("own", [API, "http://api.test", "http://localhost:5000"])
def test_own_pages_are_recognised(app, open_page, heard, own):
    CorsGuard(app, origins=SHOP, enforce="all")
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT"])

    browser = open_page(own)
    responses = [browser.fetch("/", method=method) for method in ("GET", "HEAD", "POST", "PUT")]
    responses += [browser.fetch("/", method="POST", mode="no-cors"), browser.navigate("/")]
    responses += [browser.submit("/"), browser.submit("/", method="get"), browser.send_beacon("/")]
    exchanges = [exchange for response in responses for exchange in response.exchanges]
    assert [exchange.status for exchange in exchanges] == [200] * len(responses)
    assert {e.decision.outcome for e in exchanges} <= {Outcome.SAME_ORIGIN, Outcome.NOT_CORS}
    assert heard == []


# Redirects


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_redirects_of_the_url_map(app, open_page, moved, method):
    CorsGuard(app, origins=SHOP)
    path, target = moved

    response = open_page(PARTNER).fetch(f"{API}{path}", method=method).assert_readable()
    assert (response.url, response.redirected, response.text) == (f"{API}{target}", True, "ok")
    reason = "preflight_status" if method == "PUT" else "allow_origin_missing"
    open_page(SHOP).fetch(f"{API}{path}", method=method).assert_blocked(reason)


# The fixture http shows every response to browsers, and fails if they disagree


@pytest.mark.parametrize(
    "lines",
    [
        [("Access-Control-Allow-Origin", f"{SHOP}/")],
        [("Access-Control-Allow-Origin", PARTNER)],
        [("Access-Control-Allow-Origin", SHOP), ("Access-Control-Allow-Origin", SHOP)],
        [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Credentials", "true")],
        [("Access-Control-Allow-Origin", SHOP), ("Access-Control-Allow-Credentials", "True")],
    ],
)
def test_what_no_browser_takes_for_leave(app, http, lines):
    app.add_url_rule("/", "index", lambda: ("ok", lines))
    with pytest.raises(AssertionError):
        http.send(app, "/", SHOP)


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (403, {}),
        (204, {"Access-Control-Allow-Methods": "PUT, X Y"}),
        (204, {"Access-Control-Allow-Headers": "X-B"}),
    ],
)
def test_what_no_browser_takes_for_an_allowed_preflight(app, http, status, more):
    given = {"Access-Control-Allow-Origin": SHOP, "Access-Control-Allow-Methods": "PUT"} | more
    app.add_url_rule("/", "index", lambda: ("", status, given), methods=["OPTIONS"])
    with pytest.raises(AssertionError):
        http.preflight(app, "/", SHOP, "PUT", "x-a")
