"""Who may read, in every form that ``origins`` takes, through a whole app."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import request

from flask_corsguard import CorsGuard, Outcome, Reason, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
CORPUS = json.loads((Path(__file__).parent.parent / "data" / "origins.json").read_text("utf-8"))


def _origin(case):
    # "build" stands in for an origin too long to write down: 'a' + 'b'*3 + 'c'
    if "build" not in case:
        return case["origin"]
    return "".join(
        text * int(times or 1)
        for text, times in re.findall(r"'([^']*)'(?:\*(\d+))?", case["build"])
    )


@pytest.mark.parametrize(
    "case", CORPUS["cases"], ids=[f"{n}-{c['class']}" for n, c in enumerate(CORPUS["cases"])]
)
def test_corpus(app, http, heard, case):
    CorsGuard(app, origins=CORPUS["allow_list"])
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    origin = _origin(case)

    for method in ("PUT", "DELETE"):
        status = {"PUT": 200, "DELETE": 405}[method]
        expected = http.allowed(origin, status) if case["allowed"] else http.refused(status)
        assert http.send(app, "/", origin, method=method) == expected
    expected = http.granted(origin, "OPTIONS, PUT") if case["allowed"] else http.denied()
    assert http.preflight(app, "/", origin) == expected
    assert [s.name for s in heard] == 3 * [
        "origin-allowed" if case["allowed"] else "origin-rejected"
    ]


def test_the_corpus_origin_that_is_built():
    (case,) = [case for case in CORPUS["cases"] if "build" in case]
    assert len(_origin(case)) > 8000
    assert _origin(case).endswith("a.example.com")


def _shops_only(origin):
    return origin == SHOP


def _shops_with_header(origin, request):
    return origin == SHOP and "X-Nobody" not in request.headers


class _Shops:
    def __call__(self, origin):
        return origin == SHOP

    def check(self, origin, _request):
        return origin == SHOP


@pytest.mark.parametrize(
    "origins",
    [
        pytest.param(SHOP, id="a string"),
        pytest.param([SHOP], id="a list"),
        pytest.param((SHOP, "https://other.example"), id="a tuple"),
        pytest.param({SHOP}, id="a set"),
        pytest.param((origin for origin in [SHOP]), id="a generator"),
        pytest.param(f"https://other.example,{SHOP}", id="a comma-separated string"),
        pytest.param(f" https://other.example , {SHOP} ,", id="with spaces and a trailing comma"),
        pytest.param("https://*.example", id="a wildcard, with the partner denied"),
        pytest.param(re.compile(r"https://shop\.example"), id="a regex"),
        pytest.param([re.compile(r"https://sh?op.example"), PARTNER], id="a regex in a list"),
        pytest.param(re.compile(r"https://shop\.exampl|https://shop\.example"), id="alternatives"),
        pytest.param(_shops_only, id="a callable"),
        pytest.param([_shops_only, "https://other.example"], id="a callable in a list"),
        pytest.param(_shops_with_header, id="a callable of two parameters"),
        pytest.param(_Shops(), id="an object that can be called"),
        pytest.param(_Shops().check, id="a bound method of two parameters"),
        pytest.param(lambda origin, *, extra=None: origin == SHOP, id="a keyword-only parameter"),
        pytest.param(lambda *args: args == (SHOP,), id="any number of parameters"),
    ],
)
def test_forms(app, http, origins):
    CorsGuard(app, origins=origins, deny_origins=PARTNER)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP)
    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    # Not one of these: another site, another scheme or port, more at either end.
    for origin in (
        PARTNER,
        "http://shop.example",
        "https://shop.example:444",
        "https://shop.example.evil.test",
        "https://evil.test/https://shop.example",
        "https://shop.example\n",
        "null",
        "",
    ):
        assert http.send(app, "/", origin, method="PUT") == http.refused()
        assert http.preflight(app, "/", origin) == http.denied()


@pytest.mark.parametrize(
    ("value", "allowed", "refused"),
    [
        ("*", [], []),
        (SHOP, [SHOP], [PARTNER]),
        (f"{SHOP},{PARTNER}", [SHOP, PARTNER], ["https://other.example"]),
        (f"{SHOP}, {PARTNER}", [SHOP, PARTNER], ["https://other.example"]),
        (json.dumps([SHOP, PARTNER]), [SHOP, PARTNER], ["https://other.example"]),
        ("https://*.shop.example", ["https://a.shop.example"], [SHOP]),
        ("http://localhost:*", ["http://localhost", "http://localhost:3000"], [SHOP]),
    ],
)
def test_environment_variable(app, http, monkeypatch, value, allowed, refused):
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", value)
    app.config.from_prefixed_env()
    CorsGuard(app)
    app.add_url_rule("/", "index", lambda: "ok")

    if value == "*":
        assert http.send(app, "/") == (200, {"Access-Control-Allow-Origin": "*"})
    for origin in allowed:
        assert http.send(app, "/", origin) == http.allowed(origin)
    for origin in refused:
        assert http.send(app, "/", origin) == http.refused()


def test_every_setting_from_the_environment(app, http, monkeypatch):
    for name, value in {
        "ORIGINS": SHOP,
        "METHODS": "PUT,DELETE",
        "ALLOW_HEADERS": "X-A,X-B",
        "EXPOSE_HEADERS": "X-C",
        "ALLOW_CREDENTIALS": "true",
        "MAX_AGE": "5",
        "DENY_ORIGINS": PARTNER,
        "POLICIES": json.dumps({"partners": {"origins": PARTNER}}),
    }.items():
        monkeypatch.setenv(f"FLASK_CORSGUARD_{name}", value)
    app.config.from_prefixed_env()
    CorsGuard(app)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    app.add_url_rule("/partner", "partner", cors("partners")(lambda: "ok"), methods=["PUT"])

    assert http.preflight(app, "/", SHOP) == http.granted(
        SHOP,
        "DELETE, PUT",
        allow_headers="X-A, X-B",
        max_age="5",
        allow_credentials="true",
    )
    assert http.preflight(app, "/partner", PARTNER) == http.granted(PARTNER, "OPTIONS, PUT")


def test_constructor_arguments_win_over_the_configuration(app, http):
    app.config.update(CORSGUARD_ORIGINS=PARTNER, CORSGUARD_MAX_AGE=5)
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT", max_age="5")
    assert http.preflight(app, "/", PARTNER) == http.denied()


def _raises(origin):
    raise LookupError("no such tenant")


async def _coroutine(origin):
    return True


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(_raises, id="raises"),
        pytest.param(lambda origin: _coroutine(origin), id="returns a coroutine"),
        *(
            pytest.param(lambda _, value=value: value, id=f"returns {value!r}")
            for value in (None, 1, 0, "yes", "", [SHOP], object)
        ),
        pytest.param(lambda origin: re.match("https", origin), id="returns a match"),
    ],
)
def test_a_callable_that_fails(app, http, heard, log_lines, check):
    CorsGuard(app, origins=check)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.send(app, "/", SHOP, method="PUT") == http.refused()
    assert http.preflight(app, "/", SHOP) == http.denied()
    assert [s.name for s in heard] == 2 * ["origin-rejected"]
    assert {s.decision.reason for s in heard} == {Reason.ORIGIN_CHECK_FAILED}
    # One line says what went wrong.
    (line,) = log_lines()
    detail = "no such tenant" if check is _raises else "True or False"
    assert detail in line


@pytest.mark.parametrize("origin", ["null", "", "not an origin", "HTTPS://SHOP.EXAMPLE", PARTNER])
def test_a_callable_is_asked_only_about_origins(app, http, origin):
    asked = []
    CorsGuard(app, origins=lambda o: asked.append(o) is None, deny_origins=PARTNER)
    app.add_url_rule("/", "index", lambda: "ok")

    assert http.send(app, "/", origin) == http.refused()
    assert asked == []


def test_a_callable_gets_the_request(app, http):
    def own_tenant(origin, asking):
        return asking is request._get_current_object() and origin.startswith(
            f"https://{asking.view_args['tenant']}."
        )

    CorsGuard(app, origins=own_tenant)
    app.add_url_rule("/<tenant>/", "index", lambda tenant: tenant)

    origin = "https://one.example"
    assert http.send(app, "/one/", origin) == http.allowed(origin)
    assert http.send(app, "/two/", origin) == http.refused()


def test_a_callable_is_asked_each_time(app, http):
    tenants = {SHOP}
    CorsGuard(app, origins=tenants.__contains__)
    app.add_url_rule("/", "index", lambda: "ok")

    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    tenants.clear()
    assert http.send(app, "/", SHOP) == http.refused()


@pytest.mark.parametrize(
    ("fields", "origin", "reason"),
    [
        ({"origins": SHOP}, SHOP, None),
        ({"origins": SHOP}, PARTNER, Reason.ORIGIN_NOT_ALLOWED),
        ({}, SHOP, Reason.ORIGIN_NOT_ALLOWED),
        ({"origins": "*", "deny_origins": SHOP}, SHOP, Reason.ORIGIN_DENIED),
        ({"origins": SHOP, "deny_origins": "https://*.example"}, SHOP, Reason.ORIGIN_DENIED),
        (
            {"origins": "*", "deny_origins": re.compile(r"https://shop\..*")},
            SHOP,
            Reason.ORIGIN_DENIED,
        ),
        ({"origins": SHOP}, "null", Reason.ORIGIN_NULL),
        ({"origins": "*", "deny_origins": PARTNER}, "null", Reason.ORIGIN_NULL),
        ({"origins": "null", "dangerously_allow_null_origin": True}, "null", None),
        ({"origins": SHOP}, f"{SHOP}/", Reason.ORIGIN_MALFORMED),
        ({"origins": SHOP}, f"{SHOP}, {SHOP}", Reason.ORIGIN_MALFORMED),
        ({"origins": SHOP}, "", Reason.ORIGIN_MALFORMED),
        ({"origins": lambda _: 1}, SHOP, Reason.ORIGIN_CHECK_FAILED),
        ({"origins": "capacitor://localhost"}, "capacitor://localhost", None),
        ({"origins": "http://[::1]:*"}, "http://[::1]:8000", None),
        ({"origins": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000", None),
    ],
)
def test_reasons(app, http, heard, fields, origin, reason):
    CorsGuard(app, **fields)
    app.add_url_rule("/", "index", lambda: "ok")

    expected = http.refused() if reason else http.allowed(origin)
    assert http.send(app, "/", origin) == expected
    (signal,) = heard
    assert signal.decision.reason is reason
    assert signal.decision.outcome is (Outcome.REJECTED if reason else Outcome.ALLOWED)
