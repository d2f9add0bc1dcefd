"""Wildcards inside a label, all hosts of a scheme, and origins that are listed raw: what can be
configured, and who gets in."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, PolicyError, Reason

# Form -> who gets in, and look-alikes that do not.
FORMS: dict[str, tuple[list[str], list[str]]] = {
    "https://pr-*.example.com": (
        [
            "https://pr-1.example.com",
            "https://pr-12345.example.com",
            "https://pr-a.example.com",
            "https://pr-fix-the-login.example.com",
            "https://pr-a--b.example.com",
            "https://pr-pr-1.example.com",
        ],
        [
            "https://pr-.example.com",
            "https://pr.example.com",
            "https://example.com",
            "https://www.example.com",
            "https://xpr-1.example.com",
            "https://qr-1.example.com",
            "https://pr_1.example.com",
            "https://pr-_.example.com",
            "https://pr-a_b.example.com",
            "https://pr-1.x.example.com",
            "https://pr-a.b.example.com",
            "https://x.pr-1.example.com",
            "https://pr-1..example.com",
            "https://pr-1.example.com.evil.test",
            "https://pr-1.example.com.",
            "https://pr-1.example.community",
            "https://pr-1.example.co",
            "https://pr-1.exampleXcom",
            "https://pr-1.examplexcom",
            "https://pr-1xexample.com",
            "https://pr-1example.com",
            "https://pr-1.evilexample.com",
            "https://pr-evil.test",
            "https://pr-evil.test/.example.com",
            "https://pr-evil.test#.example.com",
            "https://pr-evil.test?.example.com",
            "https://pr-@evil.test",
            "https://pr-1@.example.com",
            "https://pr-%2e.example.com",
            "https://pr-*.example.com",
            "https://pr-1.example.com:443",
            "https://pr-1.example.com:8443",
            "https://pr-1.example.com/",
            "https://pr-1.example.com\n",
            "https://pr-1.example.com https://evil.test",
            "https://pr-1\n.example.com",
            "https://pr-é.example.com",
            "https://pr-\u0661.example.com",
            "https://PR-1.example.com",
            "https://pr-A.example.com",
            "https://pr-1.Example.com",
            "http://pr-1.example.com",
            "httpsx://pr-1.example.com",
            "null",
        ],
    ),
    "https://*-preview.example.com": (
        ["https://1-preview.example.com", "https://a-b-preview.example.com"],
        [
            "https://-preview.example.com",
            "https://preview.example.com",
            "https://x.1-preview.example.com",
            "https://1-preview.x.example.com",
            "https://1-previews.example.com",
            "https://1-preview.example.com.evil.test",
            "https://evil.test/1-preview.example.com",
            "https://a_b-preview.example.com",
        ],
    ),
    "https://deploy-preview-*--shop.netlify.app": (
        [
            "https://deploy-preview-12--shop.netlify.app",
            "https://deploy-preview-a--b--shop.netlify.app",
        ],
        [
            "https://deploy-preview-12--evil.netlify.app",
            "https://deploy-preview-12--evilshop.netlify.app.evil.test",
            "https://deploy-preview-12--shops.netlify.app",
            "https://deploy-preview-12-shop.netlify.app",
            "https://deploy-preview---shop.netlify.app",
            "https://deploy-preview--shop.netlify.app",
            "https://deploy-preview-12--shop.evil.netlify.app",
            "https://deploy-preview-1.x--shop.netlify.app",
            "https://shop.netlify.app",
            "https://evil--shop.netlify.app",
        ],
    ),
    "https://deploy-preview-*--shop.example.org:*": (
        [
            "https://deploy-preview-12--shop.example.org",
            "https://deploy-preview-12--shop.example.org:1",
            "https://deploy-preview-12--shop.example.org:8443",
        ],
        [
            "https://deploy-preview-12--shop.example.org:",
            "https://deploy-preview-12--shop.example.org:0443",
            "https://deploy-preview-12--shop.example.org:x",
            "https://deploy-preview-12--shop.example.org:70000",
            "https://deploy-preview-12--shop.example.org.evil.test:8443",
            "https://deploy-preview---shop.example.org:8443",
            "http://deploy-preview-12--shop.example.org:8443",
        ],
    ),
    "https://pr-*.example.com:8443": (
        ["https://pr-1.example.com:8443"],
        [
            "https://pr-1.example.com",
            "https://pr-1.example.com:8444",
            "https://pr-1.example.com:84430",
            "https://pr-1.example.com:08443",
            "https://pr-.example.com:8443",
        ],
    ),
    "http://dev-*.example.com:3000": (
        ["http://dev-a.example.com:3000"],
        [
            "https://dev-a.example.com:3000",
            "http://dev-a.example.com",
            "http://dev-a.b.example.com:3000",
        ],
    ),
    "https://v*.example.com": (
        ["https://v1.example.com", "https://vv.example.com", "https://v1-2.example.com"],
        ["https://v.example.com", "https://1v.example.com", "https://v1.2.example.com"],
    ),
    "https://*x.example.com": (
        ["https://ax.example.com", "https://xx.example.com"],
        ["https://x.example.com", "https://xa.example.com", "https://a.x.example.com"],
    ),
    "https://ab-*-ba.example.com": (
        ["https://ab-1-ba.example.com", "https://ab-ab-ba.example.com"],
        [
            "https://ab-ba.example.com",  # the hyphen is not there twice
            "https://ab--ba.example.com",
            "https://ab-1.example.com",
            "https://1-ba.example.com",
        ],
    ),
    "https://pr-*.a.b.example.com": (
        ["https://pr-1.a.b.example.com"],
        [
            "https://pr-1.b.example.com",
            "https://pr-1.a.example.com",
            "https://pr-1.c.a.b.example.com",
            "https://pr-1.a-b.example.com",
        ],
    ),
    "moz-extension://*": (
        [
            "moz-extension://0b0e1a52-5a7a-4e0c-9a0e-6b8a1f3f5d11",
            "moz-extension://a",
            "moz-extension://a.b",
        ],
        [
            "moz-extension://",
            "moz-extension:",
            "moz-extension://a/",
            "moz-extension://a/b",
            "moz-extension://A",
            "Moz-Extension://a",
            "moz-extensions://a",
            "xmoz-extension://a",
            "moz-extension://a b",
            "moz-extension://a\n",
            "moz-extension://u@a",
            "moz-extension://*",
            "chrome-extension://a",
            "https://moz-extension",
            "https://a",
            "null",
        ],
    ),
    "chrome-extension://*": (
        ["chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh"],
        ["moz-extension://aaaabbbbccccddddeeeeffffgggghhhh", "chrome-extension://", "null"],
    ),
    "capacitor://*": (
        ["capacitor://localhost", "capacitor://app.example.com"],
        ["ionic://localhost", "http://localhost:8080", "capacitor://", "https://localhost:8443"],
    ),
}
ROWS = [
    pytest.param(form, origin, allowed, id=f"{form} {ascii(origin)[1:-1]}")
    for form, (inside, outside) in FORMS.items()
    for allowed, origins in ((True, inside), (False, outside))
    for origin in origins
]


@pytest.fixture(params=["alone", "among others", "from the configuration"])
def guarded(request, site):
    """Guards the site with one form."""

    def guard(form: str) -> CorsGuard:
        if request.param == "from the configuration":
            site.config["CORSGUARD_ORIGINS"] = f"https://other.test, {form},https://more.test"
            return CorsGuard(site)
        others = ["https://other.test", "https://*.more.test", re.compile("https://third.test")]
        return CorsGuard(site, origins=form if request.param == "alone" else [*others, form])

    return guard


@pytest.mark.parametrize(("form", "origin", "allowed"), ROWS)
def test_who_gets_in(site, http, guarded, form, origin, allowed):
    guarded(form)
    sent = origin.encode("utf-8").decode("latin-1")
    expected = http.allowed(sent) if allowed else http.refused()
    assert http.send(site, "/", sent) == expected
    assert http.preflight(site, "/", sent) == (http.granted(sent) if allowed else http.denied())


@pytest.mark.parametrize(("form", "origin", "allowed"), ROWS)
def test_who_is_denied(site, http, heard, form, origin, allowed):
    """The same forms in ``deny_origins``."""
    CorsGuard(site, origins="*", deny_origins=form)
    http.send(site, "/", origin.encode("utf-8").decode("latin-1"))
    (signal,) = heard
    assert (signal.decision.reason is Reason.ORIGIN_DENIED) == allowed


@pytest.mark.parametrize("form", FORMS)
def test_a_policy_can_be_pasted_back(form):
    policy = Policy(origins=form, max_age=5)
    assert form in repr(policy)
    assert eval(repr(policy)) == policy
    assert policy != Policy(origins="https://example.com", max_age=5)


def test_every_form_is_another_policy():
    policies = [Policy(origins=form) for form in FORMS]
    assert len(set(policies)) == len(FORMS)


# --- What can be configured ---

SUFFIXES = {"dangerously_allow_public_suffixes": True}


@pytest.mark.parametrize(
    ("form", "plain", "credentials", "enforce"),
    [
        ("https://pr-*.example.com", True, True, True),
        ("https://*-pr.example.com", True, True, True),
        ("https://pr-*.example.com:*", True, True, True),
        ("https://pr-*.example.co.uk", True, True, True),
        ("https://pr-*.my-site.netlify.app", True, True, True),
        ("https://pr-*.my-site.github.io", True, True, True),
        # Plain http is insecure with credentials
        ("http://pr-*.example.com", True, False, True),
        # Anybody can have a name there: suffixes of companies, and names above suffixes
        ("https://pr-*.github.io", True, False, False),
        ("https://deploy-preview-*--shop.netlify.app", True, False, False),
        ("https://shop-*.vercel.app", True, False, False),
        ("https://shop-*.amazonaws.com", True, False, False),
        # Suffixes of the registries
        ("https://shop-*.co.uk", False, False, False),
        ("https://shop-*.com", False, False, False),
        ("https://*-shop.org", False, False, False),
        ("https://shop-*.co.uk:8443", False, False, False),
        ("https://shop-*.com:*", False, False, False),
        ("http://shop-*.com", False, False, False),
        # All hosts of a scheme
        ("moz-extension://*", True, False, False),
        ("chrome-extension://*", True, False, False),
        ("capacitor://*", True, False, False),
        ("https://*", False, False, False),
        ("http://*", False, False, False),
        ("wss://*", False, False, False),
        ("ws://*", False, False, False),
        ("*://example.com", False, False, False),
        ("*://*", False, False, False),
        ("moz-*://a", False, False, False),
        ("MOZ-extension://*", False, False, False),
        # One wildcard, in the leftmost label, and not together with "*."
        ("https://pr-*-*.example.com", False, False, False),
        ("https://pr-**.example.com", False, False, False),
        ("https://*-*.example.com", False, False, False),
        ("https://**.example.com", False, False, False),
        ("https://*.pr-*.example.com", False, False, False),
        ("https://pr-*.*.example.com", False, False, False),
        ("https://www.pr-*.example.com", False, False, False),
        ("https://api.*.example.com", False, False, False),
        ("https://pr-*.exam*.com", False, False, False),
        ("https://example.*", False, False, False),
        ("https://www.example.c*", False, False, False),
        # Not in an address
        ("http://192.168.0.*", False, False, False),
        ("http://192.168.*.1", False, False, False),
        ("http://1*.0.0.1", False, False, False),
        ("http://10*.168.0.1:8080", False, False, False),
        ("http://[::*]", False, False, False),
        ("http://[fe80*::1]", False, False, False),
        # What is wrong without a wildcard too
        ("https://PR-*.example.com", False, False, False),
        ("https://pr-*.Example.com", False, False, False),
        ("https://pr-*.example.com/", False, False, False),
        ("https://pr-*.example.com/x", False, False, False),
        ("https://pr-*.example.com?x", False, False, False),
        ("https://user@pr-*.example.com", False, False, False),
        ("https://pr-*.example.com:443", False, False, False),
        ("https://pr-*.exämple.com", False, False, False),
        ("https://é-*.example.com", False, False, False),
        ("https://pr-*..example.com", False, False, False),
        ("https://pr-*.example.com:80*", False, False, False),
        ("pr-*.example.com", False, False, False),
        ("https://pr-?.example.com", False, False, False),
        ("https://pr-[0-9]*.example.com", False, False, False),
        (r"https://pr-.*\.example\.com", False, False, False),
        (r"https://pr-\d*.example.com", False, False, False),
        ("https://pr-*.example.com https://pr-*.example.org", False, False, False),
    ],
)
def test_what_can_be_configured(form, plain, credentials, enforce):
    for possible, fields in [
        (plain, {}),
        (credentials, {"allow_credentials": True}),
        (enforce, {"enforce": "unsafe"}),
        (enforce, {"enforce": "all"}),
        (enforce, {"enforce": "report"}),
    ]:
        if possible:
            Policy(origins=form, **fields)
            continue
        with pytest.raises(PolicyError) as caught:
            Policy(origins=form, **fields)
        assert {problem.field for problem in caught.value.problems} <= {"origins", *fields}


@pytest.mark.parametrize(
    "form",
    [
        "https://pr-*.github.io",
        "https://deploy-preview-*--x.netlify.app",
        "https://a*.amazonaws.com",
    ],
)
def test_the_check_of_suffixes_can_be_lifted(form):
    for fields in ({"allow_credentials": True}, {"enforce": "unsafe"}, {"enforce": "all"}):
        with pytest.raises(PolicyError, match="dangerously_allow_public_suffixes"):
            Policy(origins=form, **fields)
        Policy(origins=form, **fields, **SUFFIXES)


def test_insecure_origins_can_be_allowed():
    form = "http://pr-*.example.com"
    Policy(origins=form, allow_credentials=True, dangerously_allow_insecure_origins=True)


@pytest.mark.parametrize(
    ("form", "inside", "outside"),
    [
        ("https://pr-*-*.example.com", "https://pr-1-2.example.com", "https://pr-1-2xexample.com"),
        (
            "https://www.pr-*.example.com",
            "https://www.pr-1.example.com",
            "https://pr-1.example.com",
        ),
        ("https://api.*.example.com", "https://api.a.example.com", "https://api.axexample.com"),
    ],
)
def test_what_no_string_can_say(form, inside, outside):
    """The error shows the pattern to paste."""
    with pytest.raises(PolicyError) as caught:
        Policy(origins=form)
    shown = re.search(r"""re\.compile\(r?(['"]).*?\1\)""", str(caught.value))
    assert shown is not None
    pattern = eval(shown[0])
    app = Flask("shop")
    guard = CorsGuard(app, origins=pattern)
    assert guard.explain("/", origin=inside, app=app).reason is None
    for origin in (outside, f"{inside}.evil.test", inside.replace(".com", "xcom")):
        assert guard.explain("/", origin=origin, app=app).reason is not None


@pytest.mark.parametrize(
    ("origin", "site_header", "status"),
    [
        ("https://pr-1.example.com", "cross-site", 200),
        ("https://pr-1.example.com", "same-site", 200),
        ("https://pr-1.x.example.com", "cross-site", 403),
        ("https://pr-.example.com", "cross-site", 403),
        ("https://pr-1.example.com.evil.test", "cross-site", 403),
        ("https://pr_1.example.com", None, 403),
    ],
)
@pytest.mark.parametrize("enforce", ["unsafe", "all"])
def test_who_gets_past_enforce(site, http, enforce, origin, site_header, status):
    CorsGuard(site, origins="https://pr-*.example.com", enforce=enforce)
    environ = {"HTTP_SEC_FETCH_SITE": site_header} if site_header else {}
    assert http.open(site, "/", origin, "PUT", environ).status_code == status


def test_with_credentials(site, http):
    CorsGuard(site, origins="https://pr-*.example.com", allow_credentials=True)
    found = http.send(site, "/", "https://pr-1.example.com").cors
    assert found["Access-Control-Allow-Credentials"] == "true"
    assert http.send(site, "/", "https://pr-1.x.example.com") == http.refused()


# --- Raw origins ---

LONG = "app://" + "x" * 314
RAW: dict[str, list[str]] = {
    "file://": ["file:///", "FILE://", "file:", "file://a", "null", "file:// "],
    "app://.": ["app://", "app://..", "app://a", "App://.", "app://./"],
    "wss://host:443": ["wss://host", "wss://host:444", "wss://Host:443", "ws://host:443"],
    "ws://host:80": ["ws://host", "wss://host:80"],
    "https://Example.com": ["https://example.com", "https://EXAMPLE.com", "https://Example.com/"],
    "https://example.com:443": ["https://example.com", "https://example.com:0443"],
    "http://example.com:80": ["http://example.com", "https://example.com:80"],
    "HTTPS://example.com": ["https://example.com", "Https://example.com"],
    "capacitor://LocalHost": ["capacitor://localhost", "capacitor://LOCALHOST"],
    "native-app": ["native-ap", "native-app2", "Native-App"],
    LONG: [f"{LONG}x", LONG[:-1]],
}


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw[:40])
def test_raw_origins_are_compared_byte_for_byte(site, http, raw):
    CorsGuard(site, origins="https://other.test", raw_origins=[raw])
    assert http.send(site, "/", raw) == http.allowed(raw)
    assert http.preflight(site, "/", raw) == http.granted(raw)
    assert http.send(site, "/") == http.refused()
    for origin in (*RAW[raw], f"{raw}.", f" {raw}x", raw + "\t"):
        assert http.send(site, "/", origin) == http.refused()
        assert http.preflight(site, "/", origin) == http.denied()


@pytest.mark.parametrize(
    "value", ["file://", ["file://"], ("file://",), '["file://", "app://."]', '["file://"]']
)
@pytest.mark.parametrize("configured", [False, True])
def test_how_raw_origins_are_given(site, http, value, configured):
    if configured:
        site.config["CORSGUARD_RAW_ORIGINS"] = value
    CorsGuard(site, **({} if configured else {"raw_origins": value}))
    assert http.send(site, "/", "file://") == http.allowed("file://")
    assert http.send(site, "/", "https://other.test") == http.refused()


@pytest.mark.parametrize(
    "raw",
    [
        "null",
        "*",
        "",
        # What origins can hold
        "https://example.com",
        "http://localhost:3000",
        "capacitor://localhost",
        "wss://host",
        "wss://host:8443",
        "http://[::1]:3000",
        "https://*.example.com",
        "https://pr-*.example.com",
        "moz-extension://*",
        # http(s), for another reason than upper case or a default port
        "https://example.com/",
        "https://Example.com/",
        "https://example.com/x",
        "https://example.com?x",
        "https://user@example.com",
        "https://",
        "http://",
        # Characters and length
        "my app",
        "file:// ",
        " file://",
        "file://\t",
        "file://\n",
        "file://\x00",
        "file://\x7f",
        "file://é",
        f"{LONG}x",
        # Types
        7,
        b"file://",
        re.compile("file://"),
    ],
    ids=lambda raw: ascii(raw)[:60],
)
@pytest.mark.parametrize("listed", [True, False])
def test_raw_origins_that_are_wrong(raw, listed):
    with pytest.raises(PolicyError) as caught:
        Policy(raw_origins=[raw] if listed else raw)
    assert {problem.field for problem in caught.value.problems} == {"raw_origins"}
    assert "no policy field" not in str(caught.value)


@pytest.mark.parametrize("raw", ["file://,app://.", "file://, app://.", ["file://,app://."]])
def test_raw_origins_are_never_split(raw):
    with pytest.raises(PolicyError, match="JSON"):
        Policy(raw_origins=raw)


@pytest.mark.parametrize(
    ("raw", "possible"),
    [
        ("https://Example.com", True),
        ("https://example.com:443", True),
        ("wss://host:443", True),
        ("file://", True),
        ("app://.", True),
        ("http://Example.com", False),
        ("http://example.com:80", False),
        ("ws://host.example:80", False),
        ("HTTP://example.com", False),
    ],
)
def test_raw_origins_with_credentials(site, http, raw, possible):
    fields = {"raw_origins": [raw], "allow_credentials": True}
    if not possible:
        with pytest.raises(PolicyError, match=r"dangerously_allow_insecure_origins|https|wss"):
            Policy(**fields)
        fields["dangerously_allow_insecure_origins"] = True
    CorsGuard(site, **fields)
    assert http.send(site, "/", raw).cors["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("enforce", ["unsafe", "all"])
def test_raw_origins_get_past_enforce(site, http, enforce):
    CorsGuard(site, raw_origins=["file://", "https://Example.com"], enforce=enforce)
    cross_site = {"HTTP_SEC_FETCH_SITE": "cross-site"}
    for origin, status in [
        ("file://", 200),
        ("https://Example.com", 200),
        ("https://example.com", 403),
        ("FILE://", 403),
        ("app://.", 403),
    ]:
        assert http.open(site, "/", origin, "PUT", cross_site).status_code == status


@pytest.mark.parametrize("origins", ["*", ()])
def test_what_is_longer_than_a_raw_origin_does_not_get_past_enforce(site, http, origins):
    """An Origin is cut before it is kept, and must not become a raw one by that."""
    CorsGuard(site, origins=origins, raw_origins=[LONG], enforce="unsafe")
    cross_site = {"HTTP_SEC_FETCH_SITE": "cross-site"}
    for origin, status in [(LONG, 200), (f"{LONG}x", 403), (LONG * 2, 403), (LONG[:-1], 403)]:
        for _ in range(2):
            assert http.open(site, "/", origin, "PUT", cross_site).status_code == status


@pytest.mark.parametrize(
    "origin", ["file://", "app://.", "wss://host:443", "https://Example.com", "http://example.COM"]
)
def test_errors_that_name_raw_origins(origin):
    with pytest.raises(PolicyError, match="raw_origins"):
        Policy(origins=origin)


def test_what_is_said_of_an_origin_that_is_not_listed(site):
    guard = CorsGuard(site, raw_origins=["file://"])
    assert guard.explain("/", origin="file://", app=site).reason is None
    assert guard.explain("/", origin="app://.", app=site).reason is Reason.ORIGIN_MALFORMED
    assert guard.explain("/", origin="https://a.test", app=site).reason is Reason.ORIGIN_NOT_ALLOWED


def test_raw_origins_make_a_difference():
    policies = [Policy(raw_origins=[raw]) for raw in ("file://", "FILE://", "app://.")]
    assert len({*policies, Policy()}) == 4
    for policy in policies:
        assert eval(repr(policy)) == policy
