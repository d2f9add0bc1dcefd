"""No decision depends on what was asked before it."""

from __future__ import annotations

import itertools
import random

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt, current_decision
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.runtime.decision_cache import DecisionCache

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
OWN = "http://localhost"

PATHS = (
    "/",
    "/item",
    "/files/a.css",
    "/files/b.js",
    "/exempt",
    "/any",
    "/asked",
    "/api/none",
    "/x",
)
ORIGINS = (None, SHOP, PARTNER, OWN, "null", "x" * 400)
METHODS = ("GET", "HEAD", "PUT", "OPTIONS", "preflight for PUT", "preflight for GET")
SITES = (None, "same-origin", "cross-site")
# The second is PARTNER's own, behind a proxy that ends TLS.
HOSTS = ("localhost", "partner.example")


def build():
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)

    class Item(MethodView):
        def get(self):
            return "ok"

        @cors(origins=PARTNER)
        def put(self):
            return "ok"

    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_files("files", "*.css", origins=PARTNER)
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    app.add_url_rule("/any", "any", cors(origins="*")(lambda: "ok"))
    asked = cors(origins=lambda origin, request: "X-Please" in request.headers)(lambda: "ok")
    app.add_url_rule("/asked", "asked", asked)
    app.register_blueprint(cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api")))
    app.add_url_rule("/x/", "slash", cors(origins=PARTNER)(lambda: "ok"))
    return app


def ask(http, app, path, origin, method, site, host, please):
    environ = {"HTTP_HOST": host}
    if site:
        environ["HTTP_SEC_FETCH_SITE"] = site
    if please:
        environ["HTTP_X_PLEASE"] = "yes"
    if method.startswith("preflight"):
        environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"] = method.split()[-1]
        method = "OPTIONS"
    return http.send(app, path, origin, method=method, environ=environ)


@pytest.mark.slow
def test_the_order_of_requests_makes_no_difference(http):
    cases = list(itertools.product(PATHS, ORIGINS, METHODS, SITES, HOSTS, [False, True]))
    expected = {case: ask(http, build(), *case) for case in random.Random(1).sample(cases, 300)}
    assert len({str(response) for response in expected.values()}) > 10

    app = build()
    for seed in (2, 3):
        order = list(expected)
        random.Random(seed).shuffle(order)
        for case in order:
            assert ask(http, app, *case) == expected[case], case


@pytest.mark.slow
def test_more_origins_than_are_remembered(http):
    app = build()
    origins = (SHOP, PARTNER, OWN, None)
    expected = [http.send(app, "/", origin) for origin in origins]
    for n in range(1100):
        assert http.send(app, "/", f"https://evil{n}.example") == http.refused()
    assert [http.send(app, "/", origin) for origin in origins] == expected


def test_reconfigure_forgets(app, http):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    for origin in (SHOP, PARTNER):
        guard.reconfigure(origins=origin)
        for asked in (SHOP, PARTNER, None):
            expected = http.allowed(asked) if asked == origin else http.refused()
            assert http.send(app, "/", asked) == expected


# One after the other: a path, a host, a scheme and a Sec-Fetch-Site, and what the view is told.
REPEATS = (
    ("/a", "localhost", "http", None, "REJECTED /a"),
    ("/a", "localhost", "http", None, "REJECTED /a"),
    ("/b", "localhost", "http", None, "REJECTED /b"),
    ("/" + "b" * 200, "localhost", "http", None, "REJECTED /" + "b" * 200),
    ("/b", "localhost", "http", None, "REJECTED /b"),
    ("/b", "partner.example", "http", None, "SAME_ORIGIN "),
    ("/b", "localhost", "http", None, "REJECTED /b"),
    ("/b", "localhost", "http", "same-origin", "SAME_ORIGIN "),
    ("/b", "localhost", "http", "cross-site", "REJECTED /b"),
    ("/b", "partner.example", "http", "cross-site", "REJECTED /b"),
    ("/b", "partner.example", "https", "cross-site", "REJECTED /b"),
    ("/b", "partner.example", "https", None, "SAME_ORIGIN "),
    ("/b", "localhost", "https", None, "REJECTED /b"),
    ("/b", "localhost", "https", "x" * 1000, "REJECTED /b"),
)


def test_rejections_that_come_again(app, http, log_lines):
    """What a kept rejection becomes depends on the rest of each request."""
    CorsGuard(app, origins=SHOP)
    told = []
    app.add_url_rule("/<name>", "name", lambda name: told.append(str_of(current_decision)) or "")
    for path, host, scheme, site, expected in REPEATS:
        environ = {"HTTP_HOST": host, "wsgi.url_scheme": scheme}
        if site:
            environ["HTTP_SEC_FETCH_SITE"] = site
        http.send(app, path, PARTNER, environ=environ)
        assert told.pop() == expected, (path, host, scheme, site)
    (line,) = log_lines()
    assert "REJECTED" not in line


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_preflights_headers_on_another_request(site, http, method):
    """On another request they do not count, even if the same preflight has been decided."""
    CorsGuard(site, origins=SHOP)
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}
    assert http.preflight(site, "/", SHOP) == http.granted(SHOP)
    assert http.send(site, "/", SHOP, method=method, environ=asked) == http.allowed(SHOP)
    assert http.preflight(site, "/", SHOP) == http.granted(SHOP)


def test_origins_around_the_longest(app, http, log_lines):
    longest = f"{'s' * 305}://shop.example"
    assert len(longest) == 320
    CorsGuard(app, origins=SHOP)
    told = []
    app.add_url_rule("/", "index", lambda: told.append(current_decision.reason.name) or "")
    for origin in (longest, longest + "c", longest, longest + "c", longest):
        http.send(app, "/", origin)
    assert told == ["ORIGIN_NOT_ALLOWED", "ORIGIN_MALFORMED"] * 2 + ["ORIGIN_NOT_ALLOWED"]


def str_of(decision):
    return f"{decision.outcome.name} {decision.path}"


def test_a_full_cache_keeps_what_it_has_and_starts_anew_at_times():
    kept = decide(None, CorsRequest(None, "GET")), None
    cache = DecisionCache()
    for _ in range(2):
        for number in range(4096):
            cache.keep((number,), kept)
        for number in range(40_959):
            cache.keep(("made up", number), kept)
        assert list(cache) == [(number,) for number in range(4096)]
        cache.keep(("made up",), kept)
        assert not cache
    cache.keep(("another",), kept)
    assert cache == {("another",): kept}


def test_a_long_path_is_not_kept():
    cache = DecisionCache()
    for path, kept in (("/" * 100, "/" * 100), ("/" * 101, "")):
        cache.keep((path,), (decide(Policy(), CorsRequest(SHOP, "GET", path)), None))
        assert cache[path,][0].path == kept
