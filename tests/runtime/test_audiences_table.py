"""Several audiences on one route: in which order they are asked, and what each decides alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, abort
from flask.views import MethodView

from flask_corsguard import CorsGuard, CorsGuardError, Outcome, Policy, PolicyError, Reason, cors
from tests.recipes import iis

APP = "https://app.example.com"
SHOP = "https://shop.partner.example"
BAD = "https://bad.partner.example"
STRANGER = "https://stranger.example"
VARY = {"Vary": "Origin"}
PREFLIGHT_VARY = {
    "Vary": "Access-Control-Request-Headers, Access-Control-Request-Method, Origin",
}
OWN = Policy(
    origins=APP,
    allow_credentials=True,
    methods=["PUT", "DELETE"],
    allow_headers=["Content-Type", "Authorization"],
    expose_headers="X-Own",
    max_age=1800,
)
PARTNERS = Policy(
    origins="https://*.partner.example",
    deny_origins=BAD,
    methods="PUT",
    allow_headers="X-Partner",
    expose_headers="X-Total",
    max_age=60,
)
PUBLIC = Policy(origins="*", methods=(), allow_headers=(), max_age=None)
POLICIES = {"ownpages": OWN, "partnersites": PARTNERS, "everyone": PUBLIC}
NAMES = ["ownpages", "partnersites", "everyone"]
METHODS = ["GET", "POST", "PUT", "DELETE"]


def with_view(app: Flask) -> Flask:
    app.add_url_rule("/", "index", lambda: "ok", methods=METHODS)
    return app


def headers(origin: str | None, **more: str) -> dict[str, str]:
    """Those of a response that *origin* may read: ``allow_methods="PUT"``."""
    found = {f"Access-Control-{n.replace('_', '-').title()}": v for n, v in more.items()}
    return found | ({"Access-Control-Allow-Origin": origin} if origin else {})


# --- Three audiences, whole responses ---

READ = {
    APP: headers(APP, allow_credentials="true", expose_headers="X-Own"),
    SHOP: headers(SHOP, expose_headers="X-Total"),
    "https://a.b.partner.example": headers("https://a.b.partner.example", expose_headers="X-Total"),
    BAD: {},  # denied, so "*" is not asked
    STRANGER: headers("*"),
    "https://partner.example": headers("*"),
    "http://app.example.com": headers("*"),
    "https://app.example.com:8443": headers("*"),
    "https://app.example.com.stranger.example": headers("*"),
    "null": headers("*"),
    "https://App.example.com": headers("*"),
    "https://app.example.com/": headers("*"),
    "https://app.example.com, https://stranger.example": headers("*"),
    "x" * 400: headers("*"),
    "file://": headers("*"),
    None: {},
}
FORMS: dict[str, Callable[[Flask], CorsGuard]] = {
    "policies": lambda app: CorsGuard(app, [OWN, PARTNERS, PUBLIC]),
    "names": lambda app: CorsGuard(app, NAMES, policies=POLICIES),
    "names and policies": lambda app: CorsGuard(
        app, [OWN, "partnersites", PUBLIC], policies=POLICIES
    ),
}


@pytest.fixture(params=FORMS)
def three(request, app):
    FORMS[request.param](with_view(app))
    return app


@pytest.mark.parametrize("origin", READ, ids=lambda o: "no origin" if o is None else o[:50])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_responses(three, http, origin, method):
    assert http.send(three, "/", origin, method=method) == (200, READ[origin] | VARY)


GRANTED_OWN = headers(
    APP,
    allow_credentials="true",
    allow_methods="DELETE, PUT",
    allow_headers="Authorization, Content-Type",
    max_age="1800",
)
GRANTED_PARTNER = headers(SHOP, allow_methods="PUT", allow_headers="X-Partner", max_age="60")


@pytest.mark.parametrize(
    ("origin", "method", "names", "granted"),
    [
        (APP, "PUT", None, GRANTED_OWN),
        (APP, "DELETE", "authorization,content-type", GRANTED_OWN),
        (APP, "PUT", "x-partner", None),
        (APP, "PATCH", None, None),
        (SHOP, "PUT", None, GRANTED_PARTNER),
        (SHOP, "PUT", "x-partner", GRANTED_PARTNER),
        (SHOP, "DELETE", None, None),
        (SHOP, "PUT", "authorization", None),
        (BAD, "PUT", None, None),
        (BAD, "GET", None, None),
        (STRANGER, "PUT", None, None),
        (STRANGER, "GET", "authorization", None),
        (STRANGER, "POST", "content-type", None),
    ],
)
def test_preflights(three, http, origin, method, names, granted):
    """What the first that admits the origin refuses, no other allows."""
    found = http.preflight(three, "/", origin, method, names)
    # A safelisted method may be named or not; these policies name others.
    assert found.cors.keys() - {"Access-Control-Allow-Methods"} == (
        (granted or {}).keys() | {"Vary"}
    ) - {"Access-Control-Allow-Methods"}
    allowed = set(found.cors.get("Access-Control-Allow-Methods", "").split(", "))
    wanted = set((granted or {}).get("Access-Control-Allow-Methods", "").split(", "))
    assert allowed - {"GET", "HEAD", "POST"} == wanted
    rest = {k: v for k, v in found.cors.items() if k != "Access-Control-Allow-Methods"}
    assert rest == {
        k: v for k, v in ((granted or {}) | PREFLIGHT_VARY).items() if not k.endswith("-Methods")
    }
    assert found.status == (204 if granted else 403)


@pytest.mark.parametrize("origin", [STRANGER, "null", "https://Stranger.example"])
def test_preflights_of_everyone(three, http, origin):
    found = http.preflight(three, "/", origin, "POST")
    assert found.status == 204
    assert found.cors["Access-Control-Allow-Origin"] == "*"
    assert found.cors["Vary"] == PREFLIGHT_VARY["Vary"]
    assert "Access-Control-Max-Age" not in found.cors
    assert "Access-Control-Allow-Credentials" not in found.cors
    assert "Access-Control-Allow-Headers" not in found.cors


# --- The search: which policy decides, and what ends it ---

ONE = Policy(origins=[APP, SHOP], max_age=1)
TWO = Policy(origins=[SHOP, STRANGER], max_age=2, methods=["PUT", "DELETE"], allow_headers="X-Two")
NARROW = Policy(origins=SHOP, max_age=3)
WIDE = Policy(origins="https://*.example", max_age=4)
DENIES_SHOP = Policy(origins=APP, deny_origins=SHOP, max_age=5)
DENIES_ALL_PARTNERS = Policy(deny_origins="https://*.partner.example", max_age=6)
ALL_BUT_SHOP = Policy(origins="*", deny_origins=SHOP, max_age=7)
NULL = Policy(origins="null", dangerously_allow_null_origin=True, max_age=8)
NOT_NULL = Policy(origins=APP, deny_origins="null", max_age=9)


def fails(origin):
    raise OSError("the database is down")


FAILS = Policy(origins=fails, max_age=10)
ODD = Policy(origins=lambda origin: "yes", max_age=11)
NO = Policy(origins=lambda origin: False, max_age=12)
LISTED_OR_FAILS = Policy(origins=[APP, fails], max_age=13)


@pytest.mark.parametrize(
    ("audiences", "origin", "decides", "reason"),
    [
        pytest.param([ONE, TWO], SHOP, ONE, None, id="the first of two that admit"),
        pytest.param([TWO, ONE], SHOP, TWO, None, id="the first of two that admit, reversed"),
        pytest.param([ONE, TWO], STRANGER, TWO, None, id="the second, which alone admits"),
        pytest.param([ONE, TWO], "https://x.example", TWO, "ORIGIN_NOT_ALLOWED", id="nobody"),
        pytest.param([NARROW, WIDE], SHOP, NARROW, None, id="most specific first"),
        pytest.param([NARROW, WIDE], STRANGER, WIDE, None, id="the less specific one"),
        pytest.param([WIDE, NARROW], SHOP, WIDE, None, id="the order given, not how specific"),
        pytest.param([DENIES_SHOP, ONE], SHOP, DENIES_SHOP, "ORIGIN_DENIED", id="a denial ends"),
        pytest.param([DENIES_SHOP, PUBLIC], SHOP, DENIES_SHOP, "ORIGIN_DENIED", id="even with *"),
        pytest.param([ONE, DENIES_SHOP], SHOP, ONE, None, id="a denial after the one that admits"),
        pytest.param(
            [NO, DENIES_SHOP, TWO], SHOP, DENIES_SHOP, "ORIGIN_DENIED", id="a denial in between"
        ),
        pytest.param([DENIES_SHOP, TWO], STRANGER, TWO, None, id="a denial of somebody else"),
        pytest.param(
            [DENIES_ALL_PARTNERS, WIDE],
            SHOP,
            DENIES_ALL_PARTNERS,
            "ORIGIN_DENIED",
            id="a policy that only denies",
        ),
        pytest.param(
            [NARROW, DENIES_ALL_PARTNERS, PUBLIC],
            SHOP,
            NARROW,
            None,
            id="one of the denied, listed before",
        ),
        pytest.param(
            [NARROW, DENIES_ALL_PARTNERS, PUBLIC],
            BAD,
            DENIES_ALL_PARTNERS,
            "ORIGIN_DENIED",
            id="another of the denied",
        ),
        pytest.param([FAILS, ONE], APP, FAILS, "ORIGIN_CHECK_FAILED", id="a failure ends"),
        pytest.param([FAILS, PUBLIC], APP, FAILS, "ORIGIN_CHECK_FAILED", id="even with * last"),
        pytest.param([ODD, PUBLIC], APP, ODD, "ORIGIN_CHECK_FAILED", id="not a bool ends"),
        pytest.param([NO, PUBLIC], APP, PUBLIC, None, id="False goes on, to *"),
        pytest.param([NO, ONE], APP, ONE, None, id="False goes on"),
        pytest.param([ONE, FAILS], APP, ONE, None, id="a callable after the one that admits"),
        pytest.param([LISTED_OR_FAILS, TWO], APP, LISTED_OR_FAILS, None, id="listed beside it"),
        pytest.param(
            [LISTED_OR_FAILS, TWO],
            SHOP,
            LISTED_OR_FAILS,
            "ORIGIN_CHECK_FAILED",
            id="not listed beside it",
        ),
        pytest.param([ONE, ALL_BUT_SHOP], SHOP, ONE, None, id="denied by the last alone"),
        pytest.param([NARROW, ALL_BUT_SHOP], STRANGER, ALL_BUT_SHOP, None, id="* with a denial"),
        pytest.param(
            [DENIES_SHOP, NO, ALL_BUT_SHOP], BAD, ALL_BUT_SHOP, None, id="* with another denial"
        ),
        pytest.param(
            [Policy(origins=APP), ALL_BUT_SHOP],
            SHOP,
            ALL_BUT_SHOP,
            "ORIGIN_DENIED",
            id="denied beside *",
        ),
        pytest.param(
            [ONE, ALL_BUT_SHOP], "null", ALL_BUT_SHOP, "ORIGIN_NULL", id="null, * with a denial"
        ),
        pytest.param(
            [ONE, ALL_BUT_SHOP],
            "https://X.example",
            ALL_BUT_SHOP,
            "ORIGIN_MALFORMED",
            id="malformed, * with a denial",
        ),
        pytest.param([ONE, PUBLIC], "null", PUBLIC, None, id="null, to *"),
        pytest.param([NOT_NULL, PUBLIC], "null", NOT_NULL, "ORIGIN_DENIED", id="null, denied"),
        pytest.param([ONE, NULL], "null", NULL, None, id="null, listed"),
        pytest.param([NULL, PUBLIC], "null", NULL, None, id="null, listed before *"),
        pytest.param([ONE, NULL], APP, ONE, None, id="null, listed, and another origin"),
        pytest.param([ONE, TWO], "null", TWO, "ORIGIN_NULL", id="null, nobody"),
        pytest.param([ONE, TWO], "https://X.example", TWO, "ORIGIN_MALFORMED", id="malformed"),
        pytest.param([ONE, TWO], "x" * 321, TWO, "ORIGIN_MALFORMED", id="too long"),
    ],
)
def test_who_decides(app, http, audiences, origin, decides, reason):
    guard = CorsGuard(with_view(app), audiences)
    decision = guard.explain("/", origin=origin, app=app)
    assert decision.reason == (None if reason is None else Reason[reason])
    assert decision.outcome == (Outcome.REJECTED if reason else Outcome.ALLOWED)
    assert decision.policy == decides
    reader = None if reason else "*" if decides is PUBLIC else origin
    assert http.send(app, "/", origin) == (200, headers(reader) | VARY)
    found = http.preflight(app, "/", origin, "GET")
    assert found.status == (403 if reason else 204)
    if not reason:
        age = None if decides is PUBLIC else str(decides.max_age)
        assert found.cors.get("Access-Control-Max-Age") == age
        assert found.cors["Access-Control-Allow-Origin"] == reader


def test_a_callable_is_not_asked_after_the_decision(app, http):
    asked = []

    def record(origin):
        asked.append(origin)
        return True

    CorsGuard(with_view(app), [ONE, DENIES_ALL_PARTNERS, Policy(origins=record)])
    for origin in (APP, SHOP, BAD, STRANGER):
        http.send(app, "/", origin)
    assert set(asked) == {STRANGER}


@pytest.mark.parametrize(
    ("method", "names", "reason"),
    [
        ("PUT", None, None),
        ("DELETE", None, "METHOD_NOT_ALLOWED"),
        ("PUT", "x-two", "HEADERS_NOT_ALLOWED"),
    ],
)
def test_what_the_first_refuses_is_refused(app, http, method, names, reason):
    """The next one admits the origin too, and would allow the method and the header."""
    first = Policy(origins=SHOP, methods="PUT", allow_headers=())
    guard = CorsGuard(with_view(app), [first, TWO])
    assert http.preflight(app, "/", SHOP, method, names).status == (403 if reason else 204)
    asked = [names] if names else []
    decision = guard.explain("/", origin=SHOP, method=method, headers=asked, app=app)
    assert decision.policy == first
    assert (decision.reason and decision.reason.name) == reason


# --- IIS: the most specific rule counts, whether or not it allows ---

# The example of "CORS configuration" in the reference of the IIS CORS module.
DOCUMENTED = """
<add origin="*" />
<add origin="https://*.microsoft.com" allowCredentials="true" maxAge="120">
  <allowHeaders allowAllRequestedHeaders="true">
    <add header="header1" /><add header="header2" />
  </allowHeaders>
  <allowMethods><add method="DELETE" /></allowMethods>
  <exposeHeaders><add header="header1" /><add header="header2" /></exposeHeaders>
</add>
<add origin="http://*" allowed="false" />
"""
MICROSOFT = Policy(
    origins="https://*.microsoft.com",
    allow_credentials=True,
    max_age=120,
    allow_headers=["*", "Authorization"],
    methods="DELETE",
    expose_headers=["header1", "header2"],
)
PLAIN_HTTP = Policy(deny_origins=re.compile("http://.+"))
EVERYBODY = Policy(origins="*", allow_headers=(), methods=(), max_age=None)

PARTNERS_EXCEPT = """
<add origin="https://*.partners.example" maxAge="60">
  <exposeHeaders><add header="X-Total" /></exposeHeaders>
</add>
<add origin="https://old.partners.example" allowed="false" />
<add origin="https://best.partners.example" allowCredentials="true" maxAge="3600" />
"""
ANY_PARTNER = Policy(
    origins="https://*.partners.example", max_age=60, expose_headers="X-Total", allow_headers=()
)
OLD_PARTNER = Policy(deny_origins="https://old.partners.example")
BEST_PARTNER = Policy(
    origins="https://best.partners.example",
    allow_credentials=True,
    max_age=3600,
    allow_headers=(),
)

ONE_OF_THE_DENIED = """
<add origin="*" />
<add origin="https://*.rivals.example" allowed="false" />
<add origin="https://friend.rivals.example" allowCredentials="true">
  <exposeHeaders><add header="X-Friend" /></exposeHeaders>
</add>
"""
FRIEND = Policy(
    origins="https://friend.rivals.example",
    allow_credentials=True,
    expose_headers="X-Friend",
    allow_headers=(),
    max_age=None,
)
RIVALS = Policy(deny_origins="https://*.rivals.example")

NESTED = """
<add origin="https://*.example.com" maxAge="10" />
<add origin="https://*.api.example.com" maxAge="20">
  <exposeHeaders><add header="X-Api" /></exposeHeaders>
</add>
<add origin="https://v1.api.example.com" allowed="false" />
<add origin="https://v2.api.example.com" allowCredentials="true" maxAge="30" />
"""
SUB = Policy(origins="https://*.example.com", max_age=10, allow_headers=())
API = Policy(
    origins="https://*.api.example.com", max_age=20, allow_headers=(), expose_headers="X-Api"
)
V1 = Policy(deny_origins="https://v1.api.example.com")
V2 = Policy(
    origins="https://v2.api.example.com", allow_credentials=True, max_age=30, allow_headers=()
)

# Rules of IIS, the audiences from the most to the least specific, and who decides about whom.
CONFIGURATIONS: dict[str, tuple[str, list[Policy], dict[str, Policy | None]]] = {
    "the documented example": (
        DOCUMENTED,
        [MICROSOFT, PLAIN_HTTP, EVERYBODY],
        {
            "https://www.microsoft.com": MICROSOFT,
            "https://a.b.microsoft.com": MICROSOFT,
            "https://microsoft.com": EVERYBODY,
            "https://www.microsoft.com.evil.test": EVERYBODY,
            "https://evilmicrosoft.com": EVERYBODY,
            "http://www.microsoft.com": None,
            "http://shop.example": None,
            "http://localhost:3000": None,
            "https://shop.example": EVERYBODY,
            "https://shop.example:8443": EVERYBODY,
            "null": EVERYBODY,
        },
    ),
    "a disallowed origin, and one with settings of its own": (
        PARTNERS_EXCEPT,
        [OLD_PARTNER, BEST_PARTNER, ANY_PARTNER],
        {
            "https://best.partners.example": BEST_PARTNER,
            "https://old.partners.example": None,
            "https://new.partners.example": ANY_PARTNER,
            "https://partners.example": None,
            "http://best.partners.example": None,
            "https://shop.example": None,
        },
    ),
    "one of the disallowed is allowed": (
        ONE_OF_THE_DENIED,
        [FRIEND, RIVALS, EVERYBODY],
        {
            "https://friend.rivals.example": FRIEND,
            "https://other.rivals.example": None,
            "https://x.friend.rivals.example": None,
            "https://rivals.example": EVERYBODY,
            "http://friend.rivals.example": EVERYBODY,
            "https://shop.example": EVERYBODY,
        },
    ),
    "sub-domains of sub-domains": (
        NESTED,
        [V1, V2, API, SUB],
        {
            "https://v1.api.example.com": None,
            "https://v2.api.example.com": V2,
            "https://v3.api.example.com": API,
            "https://api.example.com": SUB,
            "https://www.example.com": SUB,
            "https://example.com": None,
        },
    ),
}
IIS_ROWS = [
    pytest.param(name, origin, decides, id=f"{name}: {origin}")
    for name, (_, _, table) in CONFIGURATIONS.items()
    for origin, decides in table.items()
]


@pytest.mark.parametrize(("name", "origin", "decides"), IIS_ROWS)
def test_rules_of_iis(app, http, name, origin, decides):
    rules, audiences, _ = CONFIGURATIONS[name]
    guard = CorsGuard(with_view(app), audiences)
    found = http.send(app, "/", origin).cors
    assert found["Vary"] == "Origin"
    if decides is None:
        assert found == VARY
        assert http.preflight(app, "/", origin, "GET") == (403, PREFLIGHT_VARY)
    else:
        assert guard.explain("/", origin=origin, app=app).policy == decides
        preflight = http.preflight(app, "/", origin, "GET")
        age = None if decides.max_age is None else str(decides.max_age)
        assert preflight.status == 204
        assert preflight.cors.get("Access-Control-Max-Age") == age
    # IIS repeats the origin where the guard sends "*"; a page reads both.
    module = iis.read(
        f"<configuration><system.webServer><cors enabled='true'>{rules}</cors>"
        "</system.webServer></configuration>"
    )
    _, theirs = iis.answer(module, "GET", {"Origin": origin})
    assert dict(theirs) == {
        k: origin if (k, v) == ("Access-Control-Allow-Origin", "*") else v for k, v in found.items()
    }


@pytest.mark.parametrize(
    ("origin", "method", "names", "status"),
    [
        ("https://www.microsoft.com", "DELETE", "header1,x-any,authorization", 204),
        ("https://www.microsoft.com", "PUT", None, 403),
        ("https://shop.example", "DELETE", None, 403),
        ("https://shop.example", "GET", "header1", 403),
        ("https://shop.example", "POST", None, 204),
        ("http://www.microsoft.com", "DELETE", None, 403),
    ],
)
def test_preflights_of_the_documented_example(app, http, origin, method, names, status):
    CorsGuard(with_view(app), [MICROSOFT, PLAIN_HTTP, EVERYBODY])
    assert http.preflight(app, "/", origin, method, names).status == status


@pytest.mark.parametrize("allowed", [APP, SHOP])
def test_fail_unlisted_origins(app, http, allowed):
    """The attribute is ``enforce="all"``."""
    CorsGuard(with_view(app), [OWN, PARTNERS], enforce="all")
    assert http.send(app, "/", allowed).status == 200
    for origin in (BAD, STRANGER, "null"):
        assert http.send(app, "/", origin).status == 403


# --- "*" last ---


@pytest.mark.parametrize("origin", [STRANGER, "null", "https://Upper.example", "x" * 400])
def test_everyone_gets_the_literal(app, http, origin):
    CorsGuard(with_view(app), [OWN, PUBLIC])
    assert http.send(app, "/", origin) == (200, headers("*") | VARY)


def test_everyone_with_a_denial_repeats(app, http):
    CorsGuard(with_view(app), [OWN, ALL_BUT_SHOP])
    assert http.send(app, "/", STRANGER) == (200, headers(STRANGER) | VARY)
    for origin in (SHOP, "null", "https://Upper.example"):
        assert http.send(app, "/", origin) == (200, VARY)


def test_without_an_origin(app, http):
    """Nothing can be read, and caches are told that it depends on the origin."""
    for number, audiences in enumerate([[OWN, PUBLIC], [OWN, PARTNERS], [OWN, ALL_BUT_SHOP]]):
        app.add_url_rule(f"/{number}", f"{number}", cors(audiences)(lambda: "ok"))
    CorsGuard(app)
    for number in range(3):
        assert http.send(app, f"/{number}") == (200, VARY)
        assert http.send(app, f"/{number}", method="HEAD") == (200, VARY)
        assert http.send(app, f"/{number}", method="OPTIONS") == (200, VARY)


@pytest.mark.parametrize("audiences", [[OWN, PARTNERS], [OWN, PUBLIC]], ids=["listed", "everyone"])
@pytest.mark.parametrize("origin", [None, APP, STRANGER, "null", "https://Upper.example"])
@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        ("/", "HEAD", 200),
        ("/none", "GET", 404),
        ("/", "PATCH", 405),
        ("/dir", "GET", 308),
        ("/broken", "GET", 500),
        ("/gone", "GET", 410),
        ("/not-modified", "GET", 304),
        ("/streamed", "GET", 200),
    ],
)
def test_every_response_varies(app, http, audiences, origin, path, method, status):
    with_view(app)
    app.add_url_rule("/dir/", "dir", lambda: "ok")
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    app.add_url_rule("/gone", "gone", lambda: abort(410))
    app.add_url_rule("/not-modified", "not-modified", lambda: ("", 304))
    app.add_url_rule("/streamed", "streamed", lambda: iter("ok"))
    CorsGuard(app, audiences)
    found = http.send(app, path, origin, method=method)
    assert found.status == status
    assert found.cors["Vary"] == "Origin"
    other = "*" if audiences[-1] is PUBLIC and origin else None
    reader = APP if origin == APP else other
    assert found.cors.get("Access-Control-Allow-Origin") == reader


@pytest.mark.parametrize("audiences", [[OWN, PARTNERS], [OWN, PUBLIC]], ids=["listed", "everyone"])
@pytest.mark.parametrize("origin", [APP, STRANGER, "null"])
@pytest.mark.parametrize("path", ["/", "/none"])
def test_every_preflight_varies(app, http, audiences, origin, path):
    CorsGuard(with_view(app), audiences)
    assert http.preflight(app, path, origin, "GET").cors["Vary"] == PREFLIGHT_VARY["Vary"]


def test_refusals_vary(app, http):
    CorsGuard(with_view(app), [OWN, PUBLIC], enforce="unsafe")
    found = http.send(app, "/", STRANGER, method="POST")
    assert found.status == 403
    assert "Origin" in found.cors["Vary"].split(", ")


# --- enforce ---

ENFORCED: dict[str, Callable[[Flask], CorsGuard]] = {
    "beside the list": lambda app: CorsGuard(app, [OWN, PARTNERS, PUBLIC], enforce="unsafe"),
    "in each": lambda app: CorsGuard(
        app, [policy.derive(enforce="unsafe") for policy in (OWN, PARTNERS, PUBLIC)]
    ),
    "beside, and in each": lambda app: CorsGuard(
        app,
        [policy.derive(enforce="unsafe") for policy in (OWN, PARTNERS, PUBLIC)],
        enforce="unsafe",
    ),
}


@pytest.mark.parametrize("how", ENFORCED)
@pytest.mark.parametrize(
    ("origin", "site", "method", "runs"),
    [
        (APP, "cross-site", "POST", True),
        (APP, "cross-site", "DELETE", True),
        (SHOP, "cross-site", "POST", True),
        (BAD, "cross-site", "POST", False),
        (STRANGER, "cross-site", "POST", False),
        (STRANGER, None, "POST", False),
        (STRANGER, "cross-site", "GET", True),
        (BAD, "cross-site", "GET", True),
        ("null", "cross-site", "POST", False),
        ("https://Upper.example", None, "POST", False),
        (None, None, "POST", True),
        (None, "cross-site", "POST", False),
        (None, "same-origin", "POST", True),
        ("http://localhost", "same-origin", "POST", True),
        ("http://localhost", None, "POST", True),
    ],
)
def test_enforce_is_one_for_all(app, http, how, origin, site, method, runs):
    ENFORCED[how](with_view(app))
    environ = {} if site is None else {"HTTP_SEC_FETCH_SITE": site}
    with http.open(app, "/", origin, method, environ) as response:
        assert response.status_code == (200 if runs else 403)
        if not runs:
            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("how", ENFORCED)
@pytest.mark.parametrize(
    ("origin", "method", "status"),
    [(APP, "POST", 204), (SHOP, "POST", 204), (STRANGER, "POST", 403), (STRANGER, "GET", 204)],
)
def test_preflights_for_what_is_refused(app, http, how, origin, method, status):
    ENFORCED[how](with_view(app))
    found = http.preflight(app, "/", origin, method)
    assert found.status == status
    if origin == STRANGER and status == 204:
        assert "POST" not in found.cors.get("Access-Control-Allow-Methods", "")


def test_a_refused_preflight_says_why(app):
    guard = CorsGuard(with_view(app), [OWN, PUBLIC], enforce="unsafe")
    decision = guard.explain("/", origin=STRANGER, method="POST", app=app)
    assert decision.reason is Reason.CROSS_SITE_REQUEST


# --- What is wrong ---


def prepared(app: Flask, *arguments: Any, **more: Any) -> CorsGuard:
    guard = CorsGuard(app, *arguments, policies=POLICIES, **more)
    guard.prepare()
    return guard


UNSAFE = OWN.derive(enforce="unsafe")


@pytest.mark.parametrize(
    ("audiences", "fields", "message"),
    [
        pytest.param([UNSAFE, PARTNERS], {}, "enforce", id="enforce in one"),
        pytest.param([PARTNERS, UNSAFE], {}, "enforce", id="enforce in the last"),
        pytest.param(
            [UNSAFE, PARTNERS.derive(enforce="all")], {}, "enforce", id="two kinds of enforce"
        ),
        pytest.param([OWN, PUBLIC], {"enforce": "all"}, "enforce", id="* with enforce all"),
        pytest.param([OWN, PARTNERS], {"origins": STRANGER}, "origins", id="origins beside it"),
        pytest.param(["ownpages", "everyone"], {"origins": STRANGER}, "origins", id="names"),
        pytest.param([OWN, PUBLIC], {"allow_credentials": True}, "credentials", id="credentials"),
        pytest.param([PUBLIC, OWN], {}, "(?i)last", id="* first"),
        pytest.param([OWN, PUBLIC, PARTNERS], {}, "(?i)last", id="* in between"),
        pytest.param(["everyone", "ownpages"], {}, "(?i)last", id="* first, by name"),
        pytest.param([ALL_BUT_SHOP, OWN], {}, "(?i)last", id="* with a denial first"),
        pytest.param([PUBLIC, PUBLIC], {}, "(?i)last", id="* twice"),
        pytest.param([], {}, "(?i)policy|policies|list", id="an empty list"),
        pytest.param([[OWN, PARTNERS]], {}, "(?i)policy|policies|list", id="a list in a list"),
        pytest.param([OWN, ["everyone"]], {}, "(?i)policy|policies|list", id="a list beside"),
        pytest.param([OWN, 7], {}, "7", id="a number"),
        pytest.param("", {}, "there is no policy ''", id="no name"),
        pytest.param("ownpages,everyone", {}, r"\['ownpages', 'everyone'\]", id="commas"),
        pytest.param(["ownpages", "*"], {}, r"Policy\(origins='\*'\)", id="a star for a policy"),
        pytest.param({"ownpages", "everyone"}, {}, "list", id="a set has no order"),
        pytest.param([OWN, None], {}, "None", id="None"),
        pytest.param([OWN, "everybody"], {}, "everyone", id="an unknown name"),
        pytest.param([APP, STRANGER], {}, "(?i)origins|polic", id="origins instead of names"),
        pytest.param([OWN, PARTNERS], {"max_age": "600"}, "max_age", id="a field beside it"),
        pytest.param([OWN, PARTNERS], {"maxage": 600}, "max_age", id="an unknown field beside it"),
    ],
)
@pytest.mark.parametrize("where", ["default", "view", "for_endpoint", "for_path", "for_blueprint"])
def test_lists_that_are_wrong(app, where, audiences, fields, message):
    def make():
        if where == "default":
            return prepared(app, audiences, **fields)
        blueprint = Blueprint("shop", __name__, url_prefix="/shop")
        view = cors(audiences, **fields)(lambda: "ok") if where == "view" else lambda: "ok"
        blueprint.add_url_rule("/", "index", view)
        app.register_blueprint(blueprint)
        guard = CorsGuard(app, policies=POLICIES)
        if where != "view":
            target = {"for_endpoint": "shop.index", "for_path": "/shop", "for_blueprint": "shop"}
            getattr(guard, where)(target[where], audiences, **fields)
        return guard.prepare()

    with pytest.raises(CorsGuardError, match=message):
        make()


@pytest.mark.parametrize("policy", [[OWN, PUBLIC], NAMES])
@pytest.mark.parametrize("configured", [False, True])
def test_a_list_and_configured_origins(app, policy, configured):
    app.config["CORSGUARD_ORIGINS"] = STRANGER
    if configured:
        app.config["CORSGUARD_POLICY"] = NAMES
        policy = None
    with pytest.raises(PolicyError, match="CORSGUARD_ORIGINS"):
        prepared(app, policy)


@pytest.mark.parametrize("outer", ["default", "blueprint"])
def test_origins_over_an_inherited_list(app, outer):
    """Which of them should these origins be for?"""
    shop = Blueprint("shop", __name__)
    shop.add_url_rule("/", "index", cors(origins=STRANGER)(lambda: "ok"))
    guard = CorsGuard(app, [OWN, PUBLIC] if outer == "default" else Policy())
    app.register_blueprint(shop if outer == "default" else cors([OWN, PUBLIC])(shop))
    with pytest.raises(PolicyError, match=re.escape("@cors(Policy(origins=")):
        guard.prepare()


@pytest.mark.parametrize("where", ["for_endpoint", "for_path", "for_blueprint", "for_files"])
def test_origins_of_other_marks_over_an_inherited_list(where):
    app = Flask("shop")
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    shop.add_url_rule("/<path:filename>", "index", lambda filename: "ok")
    app.register_blueprint(shop)
    guard = CorsGuard(app, [OWN, PUBLIC])
    targets = {"for_path": ["/shop"], "for_blueprint": ["shop"], "for_files": ["static", "*.css"]}
    getattr(guard, where)(*targets.get(where, ["shop.index"]), origins=STRANGER)
    with pytest.raises(PolicyError, match=re.escape("Policy(origins=")):
        guard.prepare()


def test_a_policy_replaces_an_inherited_list(app, http):
    app.add_url_rule("/", "index", cors(Policy(origins=STRANGER))(lambda: "ok"))
    CorsGuard(app, [OWN, PUBLIC])
    assert http.send(app, "/", STRANGER) == (200, headers(STRANGER) | VARY)
    assert http.send(app, "/", APP) == (200, VARY)


@pytest.mark.parametrize(
    "field", [{"allow_credentials": True}, {"enforce": "all"}], ids=["credentials", "enforce"]
)
def test_fields_that_everyone_cannot_have(app, field):
    app.add_url_rule("/", "index", cors(**field)(lambda: "ok"))
    guard = CorsGuard(app, [OWN, PUBLIC])
    with pytest.raises(PolicyError, match=next(iter(field))):
        guard.prepare()


# --- Fields of inner marks change each of them ---


@pytest.mark.parametrize("where", ["beside", "view", "blueprint", "for_endpoint", "for_path"])
def test_inner_fields_change_each(app, http, where):
    fields = {"max_age": 5, "expose_headers": "X-Inner"}
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    view = cors(**fields)(lambda: "ok") if where == "view" else lambda: "ok"
    shop.add_url_rule("/", "index", view, methods=METHODS)
    app.register_blueprint(cors(**fields)(shop) if where == "blueprint" else shop)
    guard = CorsGuard(app, [OWN, PARTNERS, PUBLIC], **(fields if where == "beside" else {}))
    if where == "for_endpoint":
        guard.for_endpoint("shop.index", **fields)
    if where == "for_path":
        guard.for_path("/shop", **fields)
    for origin, reader in [(APP, APP), (SHOP, SHOP), (STRANGER, "*")]:
        found = http.send(app, "/shop/", origin).cors
        credentials = {"allow_credentials": "true"} if origin == APP else {}
        assert found == headers(reader, expose_headers="X-Inner", **credentials) | VARY
        assert http.preflight(app, "/shop/", origin, "GET").cors["Access-Control-Max-Age"] == "5"
    assert http.send(app, "/shop/", BAD) == (200, VARY)


def test_inner_denials_change_each(app, http):
    app.add_url_rule("/", "index", cors(deny_origins=[APP, STRANGER])(lambda: "ok"))
    CorsGuard(app, [OWN, PARTNERS, PUBLIC])
    for origin in (APP, STRANGER):
        assert http.send(app, "/", origin) == (200, VARY)
    assert http.send(app, "/", SHOP).cors["Access-Control-Allow-Origin"] == SHOP


def test_two_lists_at_one_url(app, http):
    """A response to a preflight names no method of the other, and is not remembered."""
    app.add_url_rule("/", "read", cors([OWN, PUBLIC])(lambda: "ok"))
    app.add_url_rule("/", "write", cors([OWN, PARTNERS])(lambda: "ok"), methods=["PUT"])
    CorsGuard(app)
    for origin in (APP, SHOP):
        found = http.preflight(app, "/", origin, "PUT").cors
        assert found["Access-Control-Max-Age"] == "0"
        assert "PUT" in found["Access-Control-Allow-Methods"]
        assert "GET" not in found["Access-Control-Allow-Methods"]
    assert http.preflight(app, "/", STRANGER, "PUT").status == 403
    assert http.send(app, "/", STRANGER).cors["Access-Control-Allow-Origin"] == "*"


# --- Where a list can stand ---


@pytest.mark.parametrize("policy", [OWN, PARTNERS, PUBLIC, "partnersites"])
def test_a_list_of_one_is_the_policy(http, policy):
    sites = []
    for given in (POLICIES.get(policy, policy), [policy]):
        app = with_view(Flask("shop", static_folder=None))
        guard = CorsGuard(app, given, policies=POLICIES)
        sites.append((app, guard))
    for origin in (None, APP, SHOP, BAD, STRANGER, "null", "https://Upper.example"):
        for method in ("GET", "PATCH"):
            alone, listed = (http.send(app, "/", origin, method=method) for app, _ in sites)
            assert alone == listed
        if origin:
            alone, listed = (http.preflight(app, "/", origin) for app, _ in sites)
            assert alone == listed
        alone, listed = (guard.explain("/", origin=origin) for _, guard in sites)
        assert (alone.outcome, alone.reason, alone.policy) == (
            listed.outcome,
            listed.reason,
            listed.policy,
        )


PLACES = ["default", "blueprint", "for_blueprint", "for_path", "for_endpoint", "view", "method"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("audiences", [[OWN, PARTNERS, PUBLIC], NAMES], ids=["policies", "names"])
def test_places(app, http, place, audiences):
    """Each replaces what is further out."""

    class View(MethodView):
        def get(self):
            return "ok"

    if place == "method":
        cors(audiences)(View.get)
    if place == "view":
        cors(audiences)(View)
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    shop.add_url_rule("/", view_func=View.as_view("index"))
    app.register_blueprint(cors(audiences)(shop) if place == "blueprint" else shop)
    default = audiences if place == "default" else Policy(origins="https://nobody.example")
    guard = CorsGuard(app, default, policies=POLICIES)
    targets = {"for_blueprint": "shop", "for_path": "/shop", "for_endpoint": "shop.index"}
    if place in targets:
        getattr(guard, place)(targets[place], audiences)
    for origin in (APP, SHOP, BAD, STRANGER, None):
        assert http.send(app, "/shop/", origin) == (200, READ[origin] | VARY)


CONFIGURED = {
    "a list": NAMES,
    "a tuple": tuple(NAMES),
    "JSON": json.dumps(NAMES),
    "commas": "ownpages, partnersites,everyone",
}


@pytest.mark.parametrize("value", CONFIGURED.values(), ids=CONFIGURED)
@pytest.mark.parametrize("origin", [APP, SHOP, BAD, STRANGER, None])
def test_configured_lists(app, http, value, origin):
    app.config["CORSGUARD_POLICY"] = value
    CorsGuard(with_view(app), policies=POLICIES)
    assert http.send(app, "/", origin) == (200, READ[origin] | VARY)


def test_a_configured_name(app, http):
    app.config["CORSGUARD_POLICY"] = "partnersites"
    app.config["CORSGUARD_POLICIES"] = {"partnersites": {"origins": SHOP}}
    CorsGuard(with_view(app))
    assert http.send(app, "/", SHOP) == (200, headers(SHOP) | VARY)
    assert http.send(app, "/", APP) == (200, VARY)


@pytest.mark.parametrize("value", ['["ownpages", "everyone"]', "ownpages,everyone"])
def test_lists_from_the_environment(app, http, monkeypatch, value):
    monkeypatch.setenv("FLASK_CORSGUARD_POLICY", value)
    app.config.from_prefixed_env()
    CorsGuard(with_view(app), policies=POLICIES)
    for origin in (APP, STRANGER, None):
        assert http.send(app, "/", origin) == (200, READ[origin] | VARY)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ownpage", "ownpages"),
        (["ownpages", "every"], "every"),
        (["everyone", "ownpages"], "(?i)last"),
        ([], "CORSGUARD_POLICY"),
        ("", "CORSGUARD_POLICY"),
        ("[]", "CORSGUARD_POLICY"),
        ("ownpages,", "CORSGUARD_POLICY"),
        ([["ownpages"]], "CORSGUARD_POLICY"),
        (7, "CORSGUARD_POLICY"),
        (False, "CORSGUARD_POLICY"),
        ({}, "CORSGUARD_POLICY"),
        ({"ownpages", "everyone"}, "Write a list: policies are asked in order"),
        ("ownpages,*", r"Policy\(origins='\*'\)"),
        ('{"origins": "*"}', r"Write origins='\*'"),
        ("['ownpages', 'everyone']", r'Write \["ownpages", "everyone"\]'),
        ("{'ownpages': 'everyone'}", r'such as \["own", "public"\]'),
    ],
)
def test_configured_lists_that_are_wrong(app, value, message):
    app.config["CORSGUARD_POLICY"] = value
    with pytest.raises(PolicyError, match=message) as caught:
        prepared(app)
    assert len(caught.value.problems) == 1


def test_the_constructor_wins(app, http):
    app.config["CORSGUARD_POLICY"] = ["partnersites", "everyone"]
    CorsGuard(with_view(app), OWN, policies=POLICIES)
    assert http.send(app, "/", APP) == (200, READ[APP] | VARY)
    assert http.send(app, "/", STRANGER) == (200, VARY)


@pytest.mark.parametrize("place", ["constructor", "reconfigure", "configuration", "JSON"])
def test_report_only_lists(app, http, heard, place):
    names = ["ownpages", "partnersites"]
    if place == "configuration":
        app.config["CORSGUARD_REPORT_ONLY"] = names
    if place == "JSON":
        app.config["CORSGUARD_REPORT_ONLY"] = json.dumps(names)
    more = {"report_only": [OWN, PARTNERS]} if place == "constructor" else {}
    guard = CorsGuard(with_view(app), PUBLIC, policies=POLICIES, **more)
    if place == "reconfigure":
        guard.reconfigure(report_only=[OWN, PARTNERS], app=app)
    for origin, reason in [
        (APP, None),
        (SHOP, None),
        (STRANGER, Reason.ORIGIN_NOT_ALLOWED),
        (BAD, Reason.ORIGIN_DENIED),
    ]:
        heard.clear()
        assert http.send(app, "/", origin) == (200, headers("*"))
        found = [signal.decision.reason for signal in heard if signal.decision.report_only]
        assert found == ([reason] if reason else [])


def test_reconfigure_with_a_list(app, http):
    guard = CorsGuard(with_view(app), origins=STRANGER, policies=POLICIES)
    for audiences in ([OWN, PARTNERS, PUBLIC], NAMES, ["ownpages", PARTNERS, "everyone"]):
        guard.reconfigure(Policy(origins=STRANGER), app=app)
        assert http.send(app, "/", STRANGER) == (200, headers(STRANGER) | VARY)
        guard.reconfigure(audiences, app=app)
        for origin in (APP, SHOP, BAD, STRANGER, None):
            assert http.send(app, "/", origin) == (200, READ[origin] | VARY)
    guard.reconfigure(max_age=5, app=app)
    for origin in (APP, SHOP, STRANGER):
        assert http.preflight(app, "/", origin, "GET").cors["Access-Control-Max-Age"] == "5"


@pytest.mark.parametrize(
    "audiences",
    [[PUBLIC, OWN], [], [OWN, 7], ["unknown"], [UNSAFE, PARTNERS]],
    ids=["* first", "empty", "a number", "an unknown name", "enforce"],
)
def test_reconfigure_with_a_wrong_list(app, http, audiences):
    """Nothing changes."""
    guard = CorsGuard(with_view(app), origins=STRANGER, policies=POLICIES)
    with pytest.raises(CorsGuardError):
        guard.reconfigure(audiences, app=app)
    assert http.send(app, "/", STRANGER) == (200, headers(STRANGER) | VARY)
    assert http.send(app, "/", APP) == (200, VARY)


def test_reconfigured_names_that_make_lists_wrong(app):
    """Of the default policy and of the report-only one, each where it is."""
    guard = CorsGuard(with_view(app), NAMES, report_only=NAMES, policies=POLICIES)
    with pytest.raises(PolicyError) as caught:
        guard.reconfigure(policies={"ownpages": UNSAFE}, app=app)
    reported, default = caught.value.problems
    assert default.code == reported.code == "enforce_of_several"
    assert reported.where == f"{default.where}, report_only"


# --- What is said ---


@pytest.mark.parametrize(
    ("audiences", "origin", "policy"),
    [
        pytest.param([OWN, PARTNERS], APP, OWN, id="the first"),
        pytest.param([OWN, PARTNERS], SHOP, PARTNERS, id="the second"),
        pytest.param([OWN, PARTNERS], BAD, PARTNERS, id="denied"),
        pytest.param([OWN, PARTNERS], STRANGER, PARTNERS, id="nobody: the last asked"),
        pytest.param([OWN, PARTNERS, PUBLIC], STRANGER, PUBLIC, id="everyone"),
        pytest.param([FAILS, PARTNERS], STRANGER, FAILS, id="failed"),
    ],
)
def test_the_policy_of_a_decision(app, audiences, origin, policy):
    guard = CorsGuard(with_view(app), audiences)
    assert guard.explain("/", origin=origin, app=app).policy == policy


def test_the_policies_of_a_rejection(app):
    guard = CorsGuard(with_view(app), [OWN, PARTNERS, TWO.derive(origins=SHOP)])
    decision = guard.explain("/", origin=STRANGER, app=app)
    assert list(decision.policies) == [OWN, PARTNERS, TWO.derive(origins=SHOP)]
    assert decision.policy == decision.policies[-1]


@pytest.mark.parametrize(
    ("origin", "method", "named"),
    [
        pytest.param(STRANGER, "GET", ["ownpages", "partnersites"], id="nobody"),
        pytest.param(BAD, "GET", ["partnersites"], id="a denial"),
        pytest.param(APP, "PATCH", ["ownpages"], id="a method"),
        pytest.param(SHOP, "DELETE", ["partnersites"], id="another method"),
    ],
)
@pytest.mark.parametrize("where", ["explain", "log"])
def test_names_in_what_is_said(app, http, log_lines, where, origin, method, named):
    guard = CorsGuard(with_view(app), NAMES[:2], policies=POLICIES)
    if where == "explain":
        text = guard.explain("/", origin=origin, method=method, app=app).explain()
    else:
        http.preflight(app, "/", origin, method)
        (text,) = log_lines()
    assert {name for name in NAMES if name in text} >= set(named)


def test_an_explanation_has_the_origins_of_all(app):
    guard = CorsGuard(with_view(app), [OWN, PARTNERS])
    text = guard.explain("/", origin=STRANGER, app=app).explain()
    assert APP in text
    assert "https://*.partner.example" in text
    assert "To allow it:" in text


@pytest.mark.parametrize("origin", [APP, SHOP, STRANGER])
def test_signals_have_the_policy(app, http, heard, origin):
    CorsGuard(with_view(app), [OWN, PARTNERS])
    http.send(app, "/", origin)
    (signal,) = heard
    assert signal.name == ("origin-rejected" if origin == STRANGER else "origin-allowed")
    assert signal.decision.policy == (OWN if origin == APP else PARTNERS)
