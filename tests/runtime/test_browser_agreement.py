"""The guard and the browsers agree: JavaScript reads what the guard calls allowed, and no more.

The guard is told who asks for what, and never sees a response of its own; the browser sees
responses, and knows no policy.
"""

import itertools
import random

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Outcome, Policy
from flask_corsguard.testing import Browser

pytestmark = pytest.mark.slow

SHOP = "https://shop.example"
API = "https://api.test"
ENGINES = ("standard", "chromium", "firefox", "webkit")

POLICIES = {
    "nothing": Policy(),
    "listed": Policy(origins=SHOP),
    "wildcard": Policy(origins=["https://*.example", "http://localhost:*"]),
    "any": Policy(origins="*"),
    "any but one": Policy(origins="*", deny_origins=SHOP),
    "null": Policy(origins=["null", SHOP], dangerously_allow_null_origin=True),
    "credentials": Policy(origins=SHOP, allow_credentials=True),
    "no methods": Policy(origins=SHOP, methods=()),
    "any method": Policy(origins=SHOP, methods="*"),
    "any header": Policy(origins="*", allow_headers="*"),
    "Authorization": Policy(origins=SHOP, allow_headers=["*", "Authorization", "Range"]),
    "any, with credentials": Policy(
        origins=SHOP, methods="*", allow_headers="*", allow_credentials=True
    ),
    "no headers": Policy(origins=SHOP, allow_headers=(), max_age=None),
    "named headers": Policy(origins=SHOP, allow_headers=["X-A", "Accept", "Range", "DPR"]),
    "enforced": Policy(origins=SHOP, enforce="all"),
}
PAGES = [SHOP, "https://a.shop.example", "https://partner.test", "http://localhost:3000", "null"]
METHODS = ["GET", "HEAD", "POST", "PUT", "put", "DELETE", "PATCH", "patch", "OPTIONS", "ODD"]
HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "application/json"},
    {"Content-Type": "TEXT/PLAIN; charset=utf-8"},
    {"Accept": "text/html", "Accept-Language": "en"},
    {"X-A": "1"},
    {"X-A": "1", "Content-Type": "application/json"},
    {"X-B": "1"},
    {"Authorization": "Bearer x"},
    {"authorization": "Bearer x", "x-a": "1"},
    {"Cookie": "a=b", "Sec-Anything": "1"},
    {"Range": "bytes=0-1"},
    {"Accept": '"'},
    {"Accept-Language": "e" * 129},
]

# How engines depart from the standard, which the guard goes by.
BY_RULE = [
    # The client hints that Chromium safelists.
    ({"DPR": "2"}, {"chromium": True}),
    ({"Range": "BYTES=0-1"}, {"webkit": True}),
]


def guarded(policy: Policy) -> tuple[Flask, CorsGuard]:
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, policy)
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT", "PATCH", "OPTIONS"])
    return app, guard


def is_allowed(guard, app, path, page, method, headers) -> bool:
    decision = guard.explain(f"{API}{path}", origin=page, method=method, headers=headers, app=app)
    return decision.outcome in (Outcome.ALLOWED, Outcome.SAME_ORIGIN)


@pytest.mark.parametrize(
    "count", [30, pytest.param(200, marks=pytest.mark.slow)], ids=["some", "more"]
)
@pytest.mark.parametrize("name", POLICIES)
def test_what_is_allowed_is_read(name, count):
    """Of a sample of requests, to a route and to none, JavaScript reads what the guard allows."""
    policy = POLICIES[name]
    app, guard = guarded(policy)
    product = [*itertools.product(["/", "/none"], [*PAGES, API], METHODS, HEADERS)]
    # The same ones in every run, and others for every policy.
    for path, page, method, headers in random.Random(name).sample(product, count):
        allowed = is_allowed(guard, app, path, page, method, headers)
        for engine, credentials in itertools.product(ENGINES, ("same-origin", "include")):
            response = Browser(app, page, engine).fetch(
                f"{API}{path}", method=method, headers=headers, credentials=credentials
            )
            # By rule: the guard is not told about credentials. It sends what would allow them.
            unasked = credentials == "same-origin" or policy.allow_credentials or page == API
            assert response.readable == (allowed and unasked), response


def test_both_verdicts_occur():
    """The table is worth something: the samples hold both, for every policy but the one without."""
    for name, policy in POLICIES.items():
        app, guard = guarded(policy)
        found = {
            is_allowed(guard, app, "/", page, method, headers)
            for page in PAGES
            for method in ("GET", "PUT", "ODD")
            for headers in HEADERS[:8]
        }
        assert found == ({False} if name == "nothing" else {False, True}), name


@pytest.mark.parametrize(("headers", "differs"), BY_RULE, ids=[str(row[0])[:40] for row in BY_RULE])
def test_differences_by_rule(headers, differs):
    """Guard and browsers differ only in the engines named, which depart from the standard."""
    app, guard = guarded(Policy(origins=SHOP))
    for engine in ENGINES:
        response = Browser(app, SHOP, engine).fetch(f"{API}/", headers=headers)
        allowed = is_allowed(guard, app, "/", SHOP, "GET", headers)
        assert response.readable == differs.get(engine, allowed), response
        assert differs.get(engine, not allowed) != allowed


@pytest.mark.parametrize("engine", ENGINES)
def test_a_star_covers_authorization_nowhere_in_what_the_guard_sends(engine):
    """By rule: browsers let ``*`` cover Authorization, against the standard; the guard asks for
    the name, and refuses the preflight, so that it is refused in all of them."""
    app, guard = guarded(Policy(origins="*", allow_headers="*"))
    headers = {"Authorization": "Bearer x"}
    assert not is_allowed(guard, app, "/", SHOP, "GET", headers)
    response = Browser(app, SHOP, engine).fetch(f"{API}/", headers=headers)
    response.assert_blocked("preflight_status")

    def unguarded(environ, start_response):
        start_response(
            "200 OK", [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Headers", "*")]
        )
        return []

    response = Browser(unguarded, SHOP, engine).fetch(f"{API}/", headers=headers)
    assert response.readable == (engine != "standard")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sent_decision_is_the_explained_one(engine):
    app, guard = guarded(Policy(origins=SHOP, allow_headers="X-A"))
    for page, method, headers in itertools.product(PAGES, METHODS, HEADERS):
        response = Browser(app, page, engine).fetch(f"{API}/", method=method, headers=headers)
        sent = response.exchanges[-1].decision
        told = guard.explain(f"{API}/", origin=page, method=method, headers=headers, app=app)
        assert sent is not None
        assert (sent.outcome, sent.reason) == (told.outcome, told.reason), response
