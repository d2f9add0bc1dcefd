"""No answer depends on what was asked before it."""

from __future__ import annotations

import itertools
import random

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, cors, cors_exempt

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


def ask(http, app, path, origin, method, site, please):
    environ = {"HTTP_SEC_FETCH_SITE": site} if site else {}
    if please:
        environ["HTTP_X_PLEASE"] = "yes"
    if method.startswith("preflight"):
        environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"] = method.split()[-1]
        method = "OPTIONS"
    return http.send(app, path, origin, method=method, environ=environ)


def test_the_order_of_requests_makes_no_difference(http):
    cases = list(itertools.product(PATHS, ORIGINS, METHODS, SITES, [False, True]))
    expected = {case: ask(http, build(), *case) for case in random.Random(1).sample(cases, 400)}
    assert len({str(answer) for answer in expected.values()}) > 10

    app = build()
    for seed in (2, 3):
        order = list(expected)
        random.Random(seed).shuffle(order)
        for case in order:
            assert ask(http, app, *case) == expected[case], case


@pytest.mark.parametrize("origin", [SHOP, PARTNER, OWN, None])
def test_more_origins_than_are_remembered(http, origin):
    app = build()
    expected = http.send(app, "/", origin)
    for n in range(1100):
        assert http.send(app, "/", f"https://evil{n}.example") == http.refused()
    assert http.send(app, "/", origin) == expected


def test_reconfigure_forgets(app, http):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    for origin in (SHOP, PARTNER):
        guard.reconfigure(origins=origin)
        for asked in (SHOP, PARTNER, None):
            expected = http.allowed(asked) if asked == origin else http.refused()
            assert http.send(app, "/", asked) == expected
