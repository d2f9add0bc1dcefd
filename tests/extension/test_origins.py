"""Who may read, in every form that ``origins`` takes, through a whole app."""

import json
import re
from pathlib import Path

import pytest
from flask import request

from flask_corsguard import CorsGuard, Reason, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"
CORPUS = json.loads((Path(__file__).parent.parent / "data" / "origins.json").read_text("utf-8"))


def test_corpus(site, http, heard):
    """A whole site allows and rejects the origins of the corpus as listed there."""
    CorsGuard(site, origins=CORPUS["allow_list"])
    for case in CORPUS["cases"]:
        if "origin" in case:
            origin, allowed = case["origin"], case["allowed"]
            expected = http.allowed(origin) if allowed else http.refused()
            assert http.send(site, "/", origin, method="PUT") == expected
            expected = http.granted(origin) if allowed else http.denied()
            assert http.preflight(site, "/", origin) == expected
            names = {signal.name for signal in heard}
            assert names == {"origin-allowed" if allowed else "origin-rejected"}
            heard.clear()


def _shops_only(origin):
    return origin == SHOP


def _shops_with_header(origin, request):
    return origin == SHOP and "X-Nobody" not in request.headers


FORMS = {
    "a string": SHOP,
    "a list": [SHOP],
    "a generator": (origin for origin in [SHOP]),
    "a comma-separated string": f" https://other.example , {SHOP} ",
    "a wildcard, with the partner denied": "https://*.example",
    "a wildcard inside a label": "https://sh*p.example",
    "a regex": re.compile(r"https://shop\.example"),
    "a regex in a list": [re.compile(r"https://sh?op.example"), PARTNER],
    "alternatives": re.compile(r"https://shop\.exampl|https://shop\.example"),
    "a callable": _shops_only,
    "a callable in a list": [_shops_only, "https://other.example"],
    "a callable of two parameters": _shops_with_header,
}
# Another site, another scheme or port, more at either end.
OTHERS = (
    PARTNER,
    "http://shop.example",
    "https://shop.example:444",
    "https://shop.example.evil.test",
    "https://evil.test/https://shop.example",
    "https://shop.example\n",
    "null",
    "",
)


@pytest.mark.parametrize("origins", FORMS.values(), ids=FORMS)
def test_forms(site, http, origins):
    """Every form lets the origin in, and none that is near it."""
    CorsGuard(site, origins=origins, deny_origins=PARTNER)

    assert http.send(site, "/", SHOP, method="PUT") == http.allowed(SHOP)
    once = {"allow_methods": "PUT", "max_age": "0"} if origins is _shops_with_header else {}
    assert http.preflight(site, "/", SHOP) == http.granted(SHOP, **once)
    for origin in OTHERS:
        assert http.send(site, "/", origin, method="PUT") == http.refused()
        assert http.preflight(site, "/", origin) == http.denied()


@pytest.mark.parametrize(
    ("value", "readers"),
    [
        ("*", [SHOP, PARTNER, ADMIN]),
        (SHOP, [SHOP]),
        (f"{SHOP},{PARTNER}", [SHOP, PARTNER]),
        (f"{SHOP}, {PARTNER}", [SHOP, PARTNER]),
        (json.dumps([SHOP, PARTNER]), [SHOP, PARTNER]),
        ("https://*.shop.example", []),
        ("https://*.example", [SHOP, PARTNER, ADMIN]),
        ("https://shop.example:*", [SHOP]),
    ],
)
def test_environment_variable(site, http, monkeypatch, value, readers):
    """One environment variable can hold a list, with commas or as JSON."""
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", value)
    site.config.from_prefixed_env()
    CorsGuard(site)
    assert http.readers(site, "/") == readers


def test_every_setting_from_the_environment(site, http, monkeypatch):
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
    site.config.from_prefixed_env()
    CorsGuard(site)
    site.add_url_rule("/partner", "partner", cors("partners")(lambda: "ok"), methods=["PUT"])

    assert http.preflight(site, "/", SHOP) == http.granted(
        SHOP, "DELETE, PUT", allow_headers="X-A, X-B", max_age="5", allow_credentials="true"
    )
    assert http.preflight(site, "/partner", PARTNER) == http.granted(PARTNER, "OPTIONS, PUT")


def test_constructor_arguments_win_over_the_configuration(site, http):
    site.config.update(CORSGUARD_ORIGINS=PARTNER, CORSGUARD_MAX_AGE=5)
    CorsGuard(site, origins=SHOP)

    assert http.preflight(site, "/", SHOP) == http.granted(SHOP, max_age="5")
    assert http.readers(site, "/", "PUT") == [SHOP]


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
def test_a_callable_that_fails(site, http, heard, log_lines, check):
    """A callable that fails lets nobody in, and one line in the log says what went wrong."""
    CorsGuard(site, origins=check)

    assert http.send(site, "/", SHOP, method="PUT") == http.refused()
    assert http.preflight(site, "/", SHOP) == http.denied()
    assert [s.name for s in heard] == 2 * ["origin-rejected"]
    assert {s.decision.reason for s in heard} == {Reason.ORIGIN_CHECK_FAILED}
    (line,) = log_lines()
    detail = "no such tenant" if check is _raises else "True or False"
    assert detail in line


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


def test_a_callable_is_asked_each_time(site, http):
    tenants = {SHOP}
    CorsGuard(site, origins=tenants.__contains__)

    assert http.send(site, "/", SHOP) == http.allowed(SHOP)
    tenants.clear()
    assert http.send(site, "/", SHOP) == http.refused()


VARIABLES = [
    ("https://pr-*.shop.example,moz-extension://*", "file://"),
    ('["https://pr-*.shop.example", "moz-extension://*"]', '["file://", "app://."]'),
]


@pytest.mark.parametrize(("origins", "raw"), VARIABLES, ids=["plain", "JSON"])
def test_from_the_environment(site, http, monkeypatch, origins, raw):
    """Wildcards of each kind and raw origins can be set there, in either form."""
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", origins)
    monkeypatch.setenv("FLASK_CORSGUARD_RAW_ORIGINS", raw)
    site.config.from_prefixed_env()
    CorsGuard(site)
    for origin in ("https://pr-1.shop.example", "moz-extension://0a-1b", "file://"):
        assert http.send(site, "/", origin) == http.allowed(origin)
    for origin in ("https://pr-1.x.shop.example", "file:///", "null", "moz-extension://*"):
        assert http.send(site, "/", origin) == http.refused()


@pytest.mark.parametrize("origins", [(), "*", SHOP], ids=["nobody", "everybody", "a shop"])
def test_a_raw_origin_passes_enforce(site, origins):
    """As one that is listed exactly does; one that is only like it is refused."""
    CorsGuard(site, origins=origins, raw_origins=["file://"], enforce="unsafe")
    for origin, status in {"file://": 200, "file:///": 403, "null": 403}.items():
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        assert site.test_client().put("/", headers=headers).status_code == status
        asked = {**headers, "Access-Control-Request-Method": "PUT"}
        allowed = site.test_client().options("/", headers=asked).status_code
        assert allowed == (204 if status == 200 else 403)
