"""No response depends on what was asked before it."""

from __future__ import annotations

import itertools
import random

from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, cors, cors_exempt, current_decision
from flask_corsguard.runtime.decision_cache import Known
from flask_corsguard.runtime.state import state_of

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
    """Those are not examined again, unless something differs that the decision depends on."""
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

    rejected = sum(expected.startswith("REJECTED") for *_, expected in REPEATS)
    (entry,) = state_of(app).log.rate_limit.lines.values()
    assert entry.end() == rejected - 1


def test_origins_around_the_longest(app, http, log_lines):
    longest = f"{'s' * 305}://shop.example"
    assert len(longest) == 320
    CorsGuard(app, origins=SHOP)
    told = []
    app.add_url_rule("/", "index", lambda: told.append(current_decision.reason.name) or "")
    for origin in (longest, longest + "c", longest, longest + "c", longest):
        http.send(app, "/", origin)
    assert told == ["ORIGIN_NOT_ALLOWED", "ORIGIN_MALFORMED"] * 2 + ["ORIGIN_NOT_ALLOWED"]


def test_a_rejection_of_a_large_request_is_not_kept(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    for name in ("HTTP_SEC_FETCH_SITE", "wsgi.url_scheme"):
        for _ in range(2):
            assert http.send(app, "/", PARTNER, environ={name: "x" * 501}) == http.refused()
    assert state_of(app).final_judge().memory.rejections == {}


def str_of(decision):
    return f"{decision.outcome.name} {decision.path}"


def test_a_full_memory_keeps_what_it_has_and_starts_anew_at_times():
    known = Known()
    for number in range(4096):
        known.keep((number,), number)
    for number in range(40_959):
        known.keep(("made up", number), number)
    assert list(known.values()) == list(range(4096))
    known.renew((0,), -1)
    assert known[0,] == -1
    known.keep(("made up",), 0)
    assert not known
    known.keep(("another",), 1)
    assert known == {("another",): 1}
