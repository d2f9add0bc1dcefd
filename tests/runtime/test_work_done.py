"""What is decided once is not worked out again, and no URL is matched a second time for nothing."""

from __future__ import annotations

import functools
import re
from collections import Counter

import pytest
from flask import Flask
from werkzeug.routing import MapAdapter, Rule

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.routing import table
from flask_corsguard.routing.lookup import Lookup
from flask_corsguard.runtime import responses, state
from flask_corsguard.runtime.state import state_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
LONGEST = f"{'s' * 305}://shop.example"
TOO_LONG = f"{'s' * 306}://shop.example"


@pytest.fixture
def work(monkeypatch):
    """How often something was decided, and searched for by its URL."""
    done = Counter()

    def count(target, name, what):
        original = getattr(target, name)

        @functools.wraps(original)
        def counting(*arguments, **keywords):
            done[what] += 1
            return original(*arguments, **keywords)

        monkeypatch.setattr(target, name, counting)

    count(state, "decide", "decided")
    count(Lookup, "by_url", "searched")
    return done


def build(**fields):
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, origins=SHOP, **fields)
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    app.add_url_rule("/asked", "asked", cors(origins=lambda origin: True)(lambda: "ok"))
    app.add_url_rule("/enforced", "enforced", cors(enforce="all")(lambda: "ok"))
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_files("files", "*.css", origins=PARTNER)
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = lambda: "ok"
    return app


def requesting(method, headers=None):
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
    return asked | ({"HTTP_ACCESS_CONTROL_REQUEST_HEADERS": headers} if headers else {})


# Of three requests alike: the path, the method, the origin, what else is in the environment; then
# how many were decided anew, and how many URLs were searched.
SAME = [
    ("without Origin", "/", "GET", None, {}, 1, 0),
    ("allowed", "/", "GET", SHOP, {}, 1, 0),
    ("rejected", "/", "GET", PARTNER, {}, 1, 0),
    ("the longest origin", "/", "GET", LONGEST, {}, 1, 0),
    ("a longer origin", "/", "GET", TOO_LONG, {}, 1, 0),
    ("plain OPTIONS", "/", "OPTIONS", SHOP, {}, 1, 0),
    ("exempt", "/exempt", "GET", SHOP, {}, 1, 0),
    ("a callable", "/asked", "GET", SHOP, {}, 1, 0),
    ("a callable, without Origin", "/asked", "GET", None, {}, 1, 0),
    ("enforced", "/enforced", "GET", PARTNER, {}, 1, 0),
    ("enforced, without Origin", "/enforced", "GET", None, {}, 1, 0),
    ("a file", "/files/a.css", "GET", PARTNER, {}, 3, 0),
    ("a 404", "/none", "GET", SHOP, {}, 1, 3),
    ("the longest method", "/any", "X" * 41, SHOP, {}, 1, 0),
    ("a longer method", "/any", "X" * 42, SHOP, {}, 3, 0),
    ("preflight", "/", "OPTIONS", SHOP, requesting("GET"), 1, 0),
    ("preflight, refused", "/", "OPTIONS", PARTNER, requesting("GET"), 1, 0),
    ("preflight with headers", "/", "OPTIONS", SHOP, requesting("GET", "x-a"), 1, 0),
    ("the longest list", "/", "OPTIONS", SHOP, requesting("GET", "x" * 200), 1, 0),
    ("a longer list", "/", "OPTIONS", SHOP, requesting("GET", "x" * 201), 3, 0),
    ("preflight, the longest origin", "/", "OPTIONS", LONGEST, requesting("GET"), 1, 0),
    ("preflight, a longer origin", "/", "OPTIONS", TOO_LONG, requesting("GET"), 1, 0),
    ("preflight, a callable", "/asked", "OPTIONS", SHOP, requesting("GET"), 1, 0),
    ("preflight for a file", "/files/a.css", "OPTIONS", PARTNER, requesting("GET"), 3, 0),
    ("preflight, another method", "/", "OPTIONS", SHOP, requesting("PUT"), 1, 3),
    ("preflight, the longest method", "/", "OPTIONS", SHOP, requesting("X" * 40), 1, 3),
    ("preflight, a longer method", "/", "OPTIONS", SHOP, requesting("X" * 41), 1, 0),
    ("preflight for a 404", "/none", "OPTIONS", SHOP, requesting("GET"), 1, 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "method", "origin", "environ", "decided", "searched"),
    [pytest.param(*row, id=name) for name, *row in SAME],
)
def test_three_requests_alike(http, work, path, method, origin, environ, decided, searched):
    app = build()
    sent = [http.send(app, path, origin, method=method, environ=dict(environ)) for _ in range(3)]
    assert sent[0] == sent[1] == sent[2]
    assert (work["decided"], work["searched"]) == (decided, searched)


def test_a_404_is_matched_once(http, monkeypatch):
    """Flask has found no route; only what else a preflight asks for is looked up again."""
    app = build()
    matched = []
    original = MapAdapter.match

    def counting(self, *arguments, **keywords):
        matched.append(self)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(MapAdapter, "match", counting)
    assert http.send(app, "/none", SHOP) == http.allowed(SHOP, 404)
    assert len(matched) == 1


@pytest.mark.parametrize("origin", [None, SHOP, PARTNER])
def test_with_a_report_only_policy(http, work, origin):
    app = build(report_only=Policy(origins=PARTNER))
    for _ in range(3):
        http.send(app, "/", origin)
    assert work == {"decided": 2}  # by either policy


def test_where_a_route_answers_no_options(http, work):
    """If a route takes no OPTIONS, the rule that matched a preflight says nothing about its URL."""
    app = build()
    app.add_url_rule("/other", "other", lambda: "ok", provide_automatic_options=False)
    for _ in range(3):
        http.preflight(app, "/", SHOP, "GET")
    assert work == {"decided": 1, "searched": 3}


OWN = "http://localhost"
# What the rest of the policy knows, and what only its callable does: an origin, the method, what
# else is in the environment, and how often three requests alike ask the callable.
BESIDE_A_CALLABLE = {
    "without Origin": (None, "GET", {}, 0),
    "listed": (SHOP, "GET", {}, 0),
    "wildcard": ("https://a.wild.example", "GET", {}, 0),
    "any port": ("http://localhost:1", "GET", {}, 0),
    "pattern": ("https://pr-1.example", "GET", {}, 0),
    "denied": ("https://bad.example", "GET", {}, 0),
    "null": ("null", "GET", {}, 0),
    "malformed": ("https://bad.example/", "GET", {}, 0),
    "own page": (OWN, "POST", {}, 0),
    "the browser says own page": (PARTNER, "POST", {"HTTP_SEC_FETCH_SITE": "same-origin"}, 0),
    "another origin": (PARTNER, "GET", {}, 3),
    "another site": (OWN, "POST", {"HTTP_SEC_FETCH_SITE": "cross-site"}, 3),
    "preflight, listed": (SHOP, "OPTIONS", requesting("POST"), 0),
    "preflight, another origin": (PARTNER, "OPTIONS", requesting("POST"), 3),
}


@pytest.mark.parametrize(
    ("origin", "method", "environ", "times"), BESIDE_A_CALLABLE.values(), ids=BESIDE_A_CALLABLE
)
@pytest.mark.parametrize("says", [True, False])
def test_beside_a_callable(http, work, origin, method, environ, times, says):
    asked = []
    app = Flask("shop", static_folder=None)
    CorsGuard(
        app,
        origins=[
            SHOP,
            "https://*.wild.example",
            "http://localhost:1",
            re.compile(r"https://pr-\d\.example"),
            lambda origin: asked.append(origin) or says,
        ],
        deny_origins="https://bad.example",
    )
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST"])
    sent = [http.send(app, "/", origin, method=method, environ=dict(environ)) for _ in range(3)]
    assert sent[0] == sent[1] == sent[2]
    assert asked == [origin] * times
    assert work == {"decided": 1}
    if times:
        assert ("Access-Control-Allow-Origin" in sent[0].cors) == says


def test_a_callable_is_asked_about_each_request(http):
    answers = iter([True, False, True])
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=lambda origin: next(answers))
    app.add_url_rule("/", "index", lambda: "ok")
    sent = [http.send(app, "/", SHOP) for _ in range(3)]
    assert sent == [http.allowed(SHOP), http.refused(), http.allowed(SHOP)]


# By path and origin: whether the decision is kept.
KEPT = [
    ("/", None, 1),
    ("/", SHOP, 1),
    ("/", PARTNER, 1),
    ("/exempt", PARTNER, 1),
    ("/enforced", None, 1),
    ("/enforced", SHOP, 1),
    ("/enforced", PARTNER, 1),
    ("/asked", SHOP, 1),
    ("/files/a.css", PARTNER, 0),
    ("/none", SHOP, 1),
]


@pytest.mark.parametrize(("path", "origin", "kept"), KEPT)
def test_what_is_kept_of_a_request(http, path, origin, kept):
    """One entry of the decision cache, or none, however often a request comes."""
    app = build()
    for _ in range(3):
        http.send(app, path, origin)
    assert len(state_of(app).current()._cache) == kept


# The fields, the origin, and whether anything else about a request matters.
FINAL = [
    ({"origins": SHOP}, None, True),
    ({"origins": SHOP}, SHOP, True),
    ({"origins": SHOP}, PARTNER, False),
    ({"origins": "https://*.example"}, SHOP, False),
    ({"origins": SHOP, "enforce": "unsafe"}, None, False),
    ({"origins": SHOP, "enforce": "unsafe"}, SHOP, True),
    ({"origins": SHOP, "deny_origins": PARTNER}, SHOP, True),
    ({"origins": "*"}, None, True),
    ({"origins": "*"}, SHOP, True),
    ({"origins": "*", "enforce": "unsafe"}, None, False),
    ({"origins": "*", "enforce": "unsafe"}, SHOP, False),
]


@pytest.mark.parametrize(("fields", "origin", "is_final"), FINAL)
def test_whether_the_rest_of_a_request_is_looked_at(http, fields, origin, is_final):
    app = Flask("shop", static_folder=None)
    CorsGuard(app, **fields)
    app.add_url_rule("/", "index", lambda: "ok")
    http.send(app, "/", origin)
    [(_, entry)] = state_of(app).current()._cache.values()
    assert (entry is None) == is_final


def test_a_rule_without_options_makes_no_request_search(http, work):
    app = build()
    app.add_url_rule("/no-options", "no", lambda: "ok", provide_automatic_options=False)
    for path in ("/", "/no-options"):
        assert http.send(app, path, SHOP) == http.allowed(SHOP)
    assert work["searched"] == 0


def test_no_map_of_prefixes_without_marked_blueprints(http, monkeypatch):
    monkeypatch.setattr(table, "prefix_map", None)
    assert http.send(build(), "/none", SHOP) == http.allowed(SHOP, 404)


def test_an_ordinary_response_is_written_on_at_once(http, monkeypatch):
    """Its headers are read one by one only if one of them may be the guard's to replace."""
    monkeypatch.setattr(responses, "write_headers", None)
    for origin, expected in ((None, http.refused()), (SHOP, http.allowed(SHOP))):
        assert http.send(build(), "/", origin) == expected
