"""What the response to a preflight lets a browser remember about a URL.

A browser keeps every method of Access-Control-Allow-Methods for the whole URL, whichever method it
asked about. So no response may name a method that another policy governs there. It keeps the header
names of Access-Control-Allow-Headers for the whole URL as well, so it must not keep them if another
policy governs a method that needs no preflight of its own.
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


def view():
    """A new one each time: a mark stays on the function."""
    return lambda *_, **__: "ok"


class _Deep(BaseConverter):
    """One of the app's own converters, which takes slashes."""

    part_isolating = False

    def __init__(self, url_map, regex=".*?"):
        super().__init__(url_map)
        self.regex = regex


# The rules of an app, their methods, and those that are marked with an asterisk. A rule that does
# not begin with a slash begins with its subdomain.
RULES = {
    "two rules": "/x GET, /x PUT DELETE *",
    "three rules": "/x GET, /x PUT DELETE *, /x PATCH third",
    "variable and fixed": "/<id> GET DELETE, /x PUT *",
    "two converters": "/<string:id> GET DELETE, /<any(x;y):xy> PUT *",
    "path converter": "/<path:rest> GET DELETE, /x PUT *, /a/b PATCH *",
    "path in the middle": "/<path:rest>/b GET DELETE, /a/<x> PUT *",
    "part of a segment": "/x<rest> GET DELETE, /<rest>y PUT *",
    "slash or not": "/x/ GET, /x PUT *",
    "own OPTIONS": "/x PUT -, /x OPTIONS *",
    "exempt": "/x GET PUT, /x DELETE exempt",
    "hosts": "<any>/x GET, a/x PUT *",
    "own converter": "/<deep:rest> GET DELETE, /a/b PUT *",
    "slash in an argument": '/<deep("a/b|x"):rest> GET DELETE, /x PUT *',
    "own default converter": "/<rest> GET DELETE, /a/b PUT *",
    "class with marked methods": "",
    "blueprints": "",
}


def build(app, name, **fields):
    """Add the rules. *fields* are those of the marks with an asterisk."""
    app.url_map.converters["default" if name == "own default converter" else "deep"] = _Deep
    marks = {
        "*": cors(**fields),
        "third": cors(allow_headers="X-Third"),
        "exempt": cors_exempt,
        "-": lambda function: function,
    }
    for number, line in enumerate(filter(None, RULES[name].split(", "))):
        rule, *methods = line.replace(";", ",").split()
        mark = marks[methods.pop()] if methods[-1] in marks else marks["-"]
        subdomain, slash, path = rule.partition("/")
        app.add_url_rule(
            slash + path, str(number), mark(view()), methods=methods, subdomain=subdomain,
            provide_automatic_options=False if line.endswith("-") else None,
        )  # fmt: skip
    if name == "class with marked methods":

        class Item(MethodView):
            get, put, delete = view(), cors(**fields)(view()), view()

        app.add_url_rule("/x", view_func=Item.as_view("item"))
    elif name == "blueprints":
        api = cors(**fields)(Blueprint("api", __name__, url_prefix="/a"))
        api.add_url_rule("/b", "write", view(), methods=["PUT"])
        app.add_url_rule("/a/<x>", "read", view(), methods=["GET", "DELETE"])
        app.register_blueprint(api)


@pytest.mark.parametrize(
    ("methods", "credentials"),
    [(None, False), (METHODS, False), ("*", False), ("*", True)],
    ids=["methods of the route", "methods listed", "any method", "any method, credentials"],
)
@pytest.mark.parametrize("name", RULES)
def test_no_response_speaks_for_another_policy(http, name, methods, credentials):
    """A preflight's response follows the policy of the requested method, and names no method that
    another policy governs."""
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    default = Policy(origins=[SHOP, PARTNER], methods=methods, allow_credentials=credentials)
    CorsGuard(app, default)
    build(app, name, allow_headers="X-Special")
    policies = []
    app.after_request(lambda response: policies.append(current_decision.policy) or response)

    asked = 0
    for path in ("/x", "/y", "/xy", "/a/b", "/a/c", "/x/", "a/x"):
        url = f"http://shop.test{path}" if path[0] == "/" else "http://a.shop.test/x"
        policies.clear()
        statuses = [http.send(app, url, SHOP, method=method).status for method in METHODS]
        if set(statuses) == {404}:
            continue
        governing = dict(zip(METHODS, policies, strict=True))
        accepted = {m for m, status in zip(METHODS, statuses, strict=True) if status != 405}
        for method in METHODS:
            status, headers = http.preflight(app, url, SHOP, method)
            if status != 204:
                continue
            asked += 1
            named = headers["Access-Control-Allow-Methods"].split(", ")
            own = governing[method]
            assert headers["Access-Control-Allow-Headers"] == ", ".join(own.allow_headers)
            if method in accepted or method not in SAFELISTED:
                assert method in named or (named == ["*"] and not credentials)
            spoken_for = accepted if named == ["*"] else accepted.intersection(named)
            others = {name for name in accepted if governing[name] != own}
            assert others & spoken_for == set(), f"preflight for {method} {url}"
            if others & SAFELISTED:
                assert headers["Access-Control-Max-Age"] == "0", f"preflight for {method} {url}"
    assert asked >= 4


@pytest.mark.parametrize(
    "engine", ["standard", *(pytest.param(name, marks=pytest.mark.slow) for name in ENGINES[1:])]
)
@pytest.mark.parametrize("methods", [None, METHODS, "*"], ids=["route", "listed", "any"])
@pytest.mark.parametrize("name", RULES)
def test_what_a_browser_remembers_lets_nothing_through(name, methods, engine):
    """After any fetch, the next one comes out as it does in a browser that remembers nothing."""
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    guard = CorsGuard(app, Policy(origins=[SHOP, PARTNER], methods=methods))
    build(app, name, allow_headers="X-Special", origins=SHOP)
    sent = {"headers": {"X-Special": "1"}}
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    compared = 0
    for path in ("/x", "/y", "/xy", "/a/b", "/x/", "a/x"):
        url = f"https://shop.test{path}" if path[0] == "/" else "https://a.shop.test/x"
        governing = {m: guard.explain(url, origin=SHOP, method=m, app=app).policy for m in methods}
        if len(set(governing.values())) == 1:
            continue
        fresh = {m: Browser(app, SHOP).fetch(url, method=m, **sent).readable for m in methods}
        for first, then in itertools.permutations(methods, 2):
            browser = Browser(app, SHOP, engine)
            browser.fetch(url, method=first, **sent)
            response = browser.fetch(url, method=then, **sent)
            assert response.readable == fresh[then], f"{then} {url} after {first}"
            compared += 1
    assert compared >= 20


@pytest.mark.parametrize("requested", ["GET", "PUT"])
def test_equal_policies_share_a_response(app, http, requested):
    CorsGuard(app, origins=SHOP, max_age=5)
    app.add_url_rule("/x", "read", cors(origins=[SHOP])(lambda: "ok"), methods=["GET"])
    app.add_url_rule("/x", "write", cors(origins=[SHOP])(lambda: "ok"), methods=["PUT"])

    granted = http.granted(SHOP, "GET, HEAD, OPTIONS, PUT", max_age="5")
    assert http.preflight(app, "/x", SHOP, requested) == granted


def test_items_and_special_items(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/items/<id>", "item", view(), methods=["GET", "DELETE"])
    special = cors(origins=PARTNER, methods=["GET", "PUT", "DELETE"])(lambda: "ok")
    app.add_url_rule("/items/special", "special", special, methods=["PUT"])

    assert http.preflight(app, "/items/special", PARTNER) == http.granted(
        PARTNER, "PUT", max_age="0"
    )
    assert http.preflight(app, "/items/special", SHOP) == http.denied()
    response = http.preflight(app, "/items/special", SHOP, "DELETE")
    assert response.status == 204
    assert "PUT" not in response.cors["Access-Control-Allow-Methods"].split(", ")
    assert http.preflight(app, "/items/special", PARTNER, "DELETE") == http.denied()


@pytest.mark.parametrize("method", ["PATCH", "patch", "Patch", "NONE", "x" * 41])
def test_a_method_is_requested_in_any_case(app, http, method):
    """Flask runs the view of PATCH for patch, so PATCH's policy decides, not that of GET."""

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
