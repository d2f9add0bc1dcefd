"""What a preflight's answer lets a browser remember about a URL.

A browser keeps every method of Access-Control-Allow-Methods for the whole URL, whichever method it
asked about. So no answer may name a method that another policy governs there. It keeps the header
names of Access-Control-Allow-Headers for the whole URL as well, so it must not keep them where
another policy governs a method that needs no preflight of its own.
"""

from __future__ import annotations

import itertools

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt, current_decision
from flask_corsguard.testing import Browser

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFELISTED = {"GET", "HEAD", "POST"}
ENGINES = ("standard", "chromium", "firefox", "webkit")


def view(**_):
    return "ok"


def _two_rules(app, **fields):
    app.add_url_rule("/x", "read", view, methods=["GET"])
    app.add_url_rule("/x", "write", cors(**fields)(lambda: "ok"), methods=["PUT", "DELETE"])


def _three_rules(app, **fields):
    _two_rules(app, **fields)
    app.add_url_rule("/x", "patch", cors(allow_headers="X-Third")(lambda: "ok"), methods=["PATCH"])


def _variable_and_fixed(app, **fields):
    app.add_url_rule("/<id>", "one", view, methods=["GET", "DELETE"])
    app.add_url_rule("/x", "special", cors(**fields)(lambda: "ok"), methods=["PUT"])


def _two_converters(app, **fields):
    app.add_url_rule("/<string:id>", "one", view, methods=["GET", "DELETE"])
    app.add_url_rule("/<any(x, y):xy>", "other", cors(**fields)(lambda xy: xy), methods=["PUT"])


def _path_converter(app, **fields):
    app.add_url_rule("/<path:rest>", "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/x", "special", cors(**fields)(lambda: "ok"), methods=["PUT"])
    app.add_url_rule("/a/b", "deep", cors(**fields)(lambda: "ok"), methods=["PATCH"])


def _path_in_the_middle(app, **fields):
    app.add_url_rule("/<path:rest>/b", "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/a/<x>", "deep", cors(**fields)(lambda x: x), methods=["PUT"])


def _part_of_a_segment(app, **fields):
    app.add_url_rule("/x<rest>", "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/<rest>y", "other", cors(**fields)(lambda rest: rest), methods=["PUT"])


def _slash_or_not(app, **fields):
    app.add_url_rule("/x/", "slash", view, methods=["GET"])
    app.add_url_rule("/x", "none", cors(**fields)(lambda: "ok"), methods=["PUT"])


def _own_options(app, **fields):
    app.add_url_rule("/x", "write", view, methods=["PUT"], provide_automatic_options=False)
    app.add_url_rule("/x", "options", cors(**fields)(lambda: "ok"), methods=["OPTIONS"])


def _class_with_marked_methods(app, **fields):
    class Item(MethodView):
        def get(self):
            return "ok"

        @cors(**fields)
        def put(self):
            return "ok"

        def delete(self):
            return "ok"

    app.add_url_rule("/x", view_func=Item.as_view("item"))


def _blueprints(app, **fields):
    api = cors(**fields)(Blueprint("api", __name__, url_prefix="/a"))
    api.add_url_rule("/b", "write", view, methods=["PUT"])
    app.add_url_rule("/a/<x>", "read", view, methods=["GET", "DELETE"])
    app.register_blueprint(api)


def _exempt(app, **_):
    app.add_url_rule("/x", "read", view, methods=["GET", "PUT"])
    app.add_url_rule("/x", "exempt", cors_exempt(lambda: "ok"), methods=["DELETE"])


def _hosts(app, **fields):
    app.add_url_rule("/x", "read", view, methods=["GET"], subdomain="<any>")
    app.add_url_rule("/x", "write", cors(**fields)(lambda: "ok"), methods=["PUT"], subdomain="a")


class _Deep(BaseConverter):
    """A converter of the app's own that takes slashes."""

    part_isolating = False

    def __init__(self, url_map, regex=".*?"):
        super().__init__(url_map)
        self.regex = regex


def _own_converter(app, **fields):
    app.url_map.converters["deep"] = _Deep
    app.add_url_rule("/<deep:rest>", "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/a/b", "deep", cors(**fields)(lambda: "ok"), methods=["PUT"])


def _slash_in_an_argument(app, **fields):
    app.url_map.converters["deep"] = _Deep
    app.add_url_rule('/<deep("a/b|x"):rest>', "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/x", "fixed", cors(**fields)(lambda: "ok"), methods=["PUT"])


def _own_default_converter(app, **fields):
    app.url_map.converters["default"] = _Deep
    app.add_url_rule("/<rest>", "rest", view, methods=["GET", "DELETE"])
    app.add_url_rule("/a/b", "deep", cors(**fields)(lambda: "ok"), methods=["PUT"])


APPS = [
    _two_rules,
    _three_rules,
    _variable_and_fixed,
    _two_converters,
    _path_converter,
    _path_in_the_middle,
    _part_of_a_segment,
    _slash_or_not,
    _own_options,
    _class_with_marked_methods,
    _blueprints,
    _exempt,
    _hosts,
    _own_converter,
    _slash_in_an_argument,
    _own_default_converter,
]


@pytest.mark.slow
@pytest.mark.parametrize("credentials", [False, True], ids=["", "credentials"])
@pytest.mark.parametrize(
    "methods", [None, METHODS, "*"], ids=["methods of the route", "methods listed", "any method"]
)
@pytest.mark.parametrize("build", APPS)
def test_no_answer_speaks_for_another_policy(http, build, methods, credentials):
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    default = Policy(origins=[SHOP, PARTNER], methods=methods, allow_credentials=credentials)
    CorsGuard(app, default)
    build(app, allow_headers="X-Special")
    policies = []
    app.after_request(lambda response: policies.append(current_decision.policy) or response)

    asked = 0
    for path in ("/x", "/y", "/xy", "/a/b", "/a/c", "/x/", "a/x"):
        url = f"http://shop.test{path}" if path[0] == "/" else "http://a.shop.test/x"
        policies.clear()
        statuses = [http.send(app, url, SHOP, method=method).status for method in METHODS]
        governing = dict(zip(METHODS, policies, strict=True))
        accepted = {m for m, status in zip(METHODS, statuses, strict=True) if status != 405}
        for method in METHODS:
            status, headers = http.preflight(app, url, SHOP, method)
            if status != 204:
                continue
            asked += 1
            named = headers["Access-Control-Allow-Methods"].split(", ")
            # The answer is that of the method's own policy, and names the method.
            own = governing[method]
            assert headers["Access-Control-Allow-Headers"] == ", ".join(own.allow_headers)
            if method in accepted or method not in SAFELISTED:
                assert method in named or (named == ["*"] and not credentials)
            spoken_for = accepted if named == ["*"] else accepted.intersection(named)
            others = {name for name in accepted if governing[name] != own}
            assert others & spoken_for == set(), f"preflight for {method} {url}"
            if others & SAFELISTED:
                assert headers["Access-Control-Max-Age"] == "0", f"preflight for {method} {url}"
    assert asked > 10


@pytest.mark.slow
@pytest.mark.parametrize("methods", [None, METHODS, "*"], ids=["route", "listed", "any"])
@pytest.mark.parametrize("build", APPS)
def test_what_a_browser_remembers_lets_nothing_through(build, methods):
    """After any fetch, the next one comes out as it does in a browser that remembers nothing."""
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    guard = CorsGuard(app, Policy(origins=[SHOP, PARTNER], methods=methods))
    build(app, allow_headers="X-Special", origins=SHOP)
    sent = {"headers": {"X-Special": "1"}}
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    compared = 0
    for path in ("/x", "/y", "/xy", "/a/b", "/x/", "a/x"):
        url = f"https://shop.test{path}" if path[0] == "/" else "https://a.shop.test/x"
        governing = {m: guard.explain(url, origin=SHOP, method=m, app=app).policy for m in methods}
        if len(set(governing.values())) == 1:
            continue
        fresh = {m: Browser(app, SHOP).fetch(url, method=m, **sent).readable for m in methods}
        for engine, (first, then) in itertools.product(ENGINES, itertools.permutations(methods, 2)):
            browser = Browser(app, SHOP, engine)
            browser.fetch(url, method=first, **sent)
            answer = browser.fetch(url, method=then, **sent)
            assert answer.readable == fresh[then], f"{engine}: {then} {url} after {first}"
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("announced", ["GET", "PUT"])
def test_equal_policies_share_an_answer(app, http, announced):
    CorsGuard(app, origins=SHOP, max_age=5)
    app.add_url_rule("/x", "read", cors(origins=[SHOP])(lambda: "ok"), methods=["GET"])
    app.add_url_rule("/x", "write", cors(origins=[SHOP])(lambda: "ok"), methods=["PUT"])

    granted = http.granted(SHOP, "GET, HEAD, OPTIONS, PUT", max_age="5")
    assert http.preflight(app, "/x", SHOP, announced) == granted


def test_items_and_special_items(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/items/<id>", "item", view, methods=["GET", "DELETE"])
    special = cors(origins=PARTNER, methods=["GET", "PUT", "DELETE"])(lambda: "ok")
    app.add_url_rule("/items/special", "special", special, methods=["PUT"])

    assert http.preflight(app, "/items/special", PARTNER) == http.granted(
        PARTNER, "PUT", max_age="0"
    )
    assert http.preflight(app, "/items/special", SHOP) == http.denied()
    answer = http.preflight(app, "/items/special", SHOP, "DELETE")
    assert answer.status == 204
    assert "PUT" not in answer.cors["Access-Control-Allow-Methods"].split(", ")
    assert http.preflight(app, "/items/special", PARTNER, "DELETE") == http.denied()


@pytest.mark.parametrize("method", ["PATCH", "patch", "Patch", "NONE", "x" * 41])
def test_a_method_is_announced_in_any_case(app, http, method):
    """Flask runs the view of PATCH for patch, so PATCH's policy answers, not that of GET."""

    class Item(MethodView):
        @cors(origins="*", methods="*")
        def get(self):
            return "ok"

        def patch(self):
            return "ok"

    app.add_url_rule("/x", view_func=Item.as_view("x"))
    CorsGuard(app)
    is_granted = method == "NONE"
    assert (http.preflight(app, "/x", SHOP, method).status == 204) == is_granted
