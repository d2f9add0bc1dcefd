"""The app's own pages are recognised, and never called rejected."""

import re

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import CorsGuard, Outcome, cors, current_decision

SHOP = "https://shop.example"
SITE = "HTTP_SEC_FETCH_SITE"
LONG = f"{'a.' * 156}a"
LONGEST = "x" * 64 + "://" + ".".join(["a" * 63, "a" * 63, "a" * 63, "a" * 61])


def _app(app, **fields):
    seen = []
    CorsGuard(app, **fields)

    @app.route("/", methods=["GET", "POST", "PUT"])
    def index():
        seen.append(current_decision._get_current_object())
        return "ok"

    return seen


# Origin, the address that was asked, and what else there is in the environment.
OWN = {
    "own host": ("http://a.test", "http://a.test", {}),
    "own host and port": ("http://a.test:8000", "http://a.test:8000", {}),
    "own host over https": ("https://a.test", "https://a.test", {}),
    "https in front of http": ("https://a.test", "http://a.test", {}),
    "the same with a port": ("https://a.test:8443", "http://a.test:8443", {}),
    "default port": ("http://a.test", "http://a.test", {"HTTP_HOST": "a.test:80"}),
    "default port of https": ("https://a.test", "https://a.test", {"HTTP_HOST": "a.test:443"}),
    "and in front of http": ("https://a.test", "http://a.test", {"HTTP_HOST": "a.test:443"}),
    "Host in capitals": ("http://a.test", "http://a.test", {"HTTP_HOST": "A.Test"}),
    "IPv6": ("http://[::1]:5000", "http://[::1]:5000", {}),
    "IPv6 in capitals": ("http://[fe80::1]", "http://a.test", {"HTTP_HOST": "[FE80::1]:80"}),
    "a dot at the end": ("http://a.test.", "http://a.test.", {}),
    "a hyphen in front": ("http://-a.test", "http://-a.test", {}),
    "a hyphen at the end": ("http://a-.test:8080", "http://a-.test:8080", {}),
    "underscores": ("http://_a_b.test", "http://_A_b.test", {}),
    "the longest": (f"http://{LONG}", "http://a.test", {"HTTP_HOST": LONG}),
    "same-origin": ("https://b.test", "http://a.test", {SITE: "same-origin"}),
    "none": ("http://b.test", "https://a.test", {SITE: "none"}),
    "opaque, same-origin": ("null", "http://a.test", {SITE: "same-origin"}),
}
FOREIGN = {
    "another host": ("http://b.test", "http://a.test", {}),
    "another port": ("http://a.test:8000", "http://a.test", {}),
    "no port": ("http://a.test", "http://a.test:8000", {}),
    "http in front of https": ("http://a.test", "https://a.test", {}),
    "another scheme": ("ftp://a.test", "http://a.test", {}),
    "more at the end": ("http://a.test.evil.test", "http://a.test", {}),
    "more at the beginning": ("http://evil-a.test", "http://a.test", {}),
    "origin in capitals": ("http://A.test", "http://a.test", {}),
    "a slash": ("http://a.test/", "http://a.test", {}),
    "userinfo": ("http://x@a.test", "http://a.test", {}),
    "opaque": ("null", "http://a.test", {}),
    "a dot more": ("http://a.test.", "http://a.test", {}),
    "a dot less": ("http://a.test", "http://a.test.", {}),
    "too long": (f"http://{LONG}b", "http://a.test", {"HTTP_HOST": f"{LONG}b"}),
    "a hyphen, cross-site": ("http://-a.test", "http://-a.test", {SITE: "cross-site"}),
    "no host": ("http://", "http://a.test", {"HTTP_HOST": ""}),
    "no host, a port": ("http://", "http://a.test", {"HTTP_HOST": ":80"}),
    "no host, an origin": ("http://localhost", "http://localhost", {"HTTP_HOST": ""}),
    "no scheme": ("://a.test", "http://a.test", {}),
    "cross-site": ("http://a.test", "http://a.test", {SITE: "cross-site"}),
    "same-site": ("http://a.test", "http://a.test", {SITE: "same-site"}),
    "no such site": ("http://a.test", "http://a.test", {SITE: "Same-Origin"}),
    "X-Forwarded-Host": ("http://b.test", "http://a.test", {"HTTP_X_FORWARDED_HOST": "b.test"}),
    "Forwarded": ("http://b.test", "http://a.test", {"HTTP_FORWARDED": "host=b.test"}),
}


@pytest.mark.parametrize(("origin", "base_url", "environ"), OWN.values(), ids=OWN)
def test_own_pages(app, http, heard, log_lines, origin, base_url, environ):
    """An own page gets no CORS headers, because it needs none, and nothing is reported."""
    seen = _app(app, origins=SHOP)
    for method in ("GET", "POST", "PUT"):
        sent = {"base_url": base_url, "environ": environ, "method": method}
        assert http.send(app, "/", origin, **sent) == http.refused()
    assert [(d.outcome, d.reason, d.path) for d in seen] == 3 * [(Outcome.SAME_ORIGIN, None, "")]
    assert (heard, log_lines()) == ([], [])


@pytest.mark.parametrize(("origin", "base_url", "environ"), FOREIGN.values(), ids=FOREIGN)
def test_pages_of_others(app, http, heard, origin, base_url, environ):
    """A page whose address is only near the app's has another origin, and is rejected."""
    seen = _app(app, origins=SHOP)
    assert http.send(app, "/", origin, base_url=base_url, environ=environ) == http.refused()
    assert [d.outcome for d in seen] == [Outcome.REJECTED]
    assert [s.name for s in heard] == ["origin-rejected"]


@pytest.mark.parametrize(
    "self_origins",
    [
        "https://front.example",
        ["https://front.example"],
        "https://other.example, https://front.example",
        "https://*.example",
    ],
)
@pytest.mark.parametrize("how", ["constructor", "configuration"])
def test_self_origins(app, http, heard, self_origins, how):
    """``self_origins`` takes every form that ``origins`` takes, except callables."""
    given = {"self_origins": self_origins} if how == "constructor" else {}
    app.config.update({} if given else {"CORSGUARD_SELF_ORIGINS": self_origins})
    seen = _app(app, origins=SHOP, **given)

    assert http.send(app, "/", "https://front.example") == http.refused()
    assert http.send(app, "/", "http://front.example") == http.refused()
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN, Outcome.REJECTED]
    assert len(heard) == 1


def test_the_longest_of_self_origins(app, http):
    seen = _app(app, self_origins=LONGEST)
    assert len(LONGEST) == 320
    http.send(app, "/", LONGEST)
    http.send(app, "/", f"x{LONGEST}")
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN, Outcome.REJECTED]


def test_sec_fetch_site_comes_before_self_origins(app, http):
    seen = _app(app, self_origins="https://front.example")
    http.send(app, "/", "https://front.example", environ={SITE: "cross-site"})
    assert [d.outcome for d in seen] == [Outcome.REJECTED]


def test_behind_proxy_fix(app, http):
    seen = _app(app, origins=SHOP)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_proto=1)
    environ = {"HTTP_X_FORWARDED_HOST": "front.example", "HTTP_X_FORWARDED_PROTO": "https"}

    http.send(app, "/", "https://front.example", environ=environ)
    http.send(app, "/", "http://front.example", environ=environ)
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN, Outcome.REJECTED]


def test_a_preflight_of_an_own_page_goes_to_the_app(app, http, heard):
    """No browser sends such a preflight, and the app answers it as it would without a guard."""
    _app(app, origins=SHOP)
    assert http.preflight(app, "/", "http://localhost", "DELETE") == (200, {"Vary": "Origin"})
    assert heard == []


# An own page that the policy lets read as well: the fields, and what it is called. It is sent the
# headers all the same.
ALSO_ALLOWED = {
    "listed": ({"origins": "http://localhost"}, Outcome.ALLOWED),
    "listed, others denied": (
        {"origins": "http://localhost", "deny_origins": SHOP}, Outcome.ALLOWED,
    ),
    "any port": ({"origins": "http://localhost:*"}, Outcome.SAME_ORIGIN),
    "pattern": ({"origins": re.compile("http://local.*")}, Outcome.SAME_ORIGIN),
    "everybody but one": ({"origins": "*", "deny_origins": SHOP}, Outcome.SAME_ORIGIN),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "outcome"), ALSO_ALLOWED.values(), ids=ALSO_ALLOWED)
@pytest.mark.parametrize("enforce", ["off", "report", "unsafe"])
def test_own_pages_that_are_allowed_as_well(app, http, heard, fields, outcome, enforce):
    seen = _app(app, enforce=enforce, **fields)
    assert http.send(app, "/", "http://localhost") == http.allowed("http://localhost")
    assert [d.outcome for d in seen] == [outcome]
    allowed = [] if outcome is Outcome.SAME_ORIGIN else ["origin-allowed"]
    assert [s.name for s in heard] == allowed


def test_no_callable_is_asked_about_own_pages(app, http, heard, log_lines):
    """Nor one of a report-only policy. What it would say, or raise, makes no difference."""

    def fail(origin):
        raise LookupError(origin)

    seen = _app(app, origins=fail, report_only={"origins": fail})
    http.send(app, "/", "http://localhost.", environ={"HTTP_HOST": "localhost."})
    http.send(app, "/", "null", environ={SITE: "same-origin"})
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN] * 2
    assert (heard, log_lines()) == ([], [])
    http.send(app, "/", "http://localhost", environ={SITE: "cross-site"})
    assert len(log_lines()) == 1  # one a minute for a callable


@pytest.mark.parametrize(
    "fields",
    [
        {"origins": lambda _: "yes"},
        {"origins": "*", "deny_origins": "http://localhost"},
        {"origins": SHOP, "allow_credentials": True, "expose_headers": "X-A"},
    ],
    ids=["the check fails", "denied", "credentials"],
)
def test_nothing_is_said_of_own_pages(app, http, heard, log_lines, fields):
    """An own page is not reported, even if the policy would reject its origin."""
    CorsGuard(app)
    app.add_url_rule("/", "index", cors(**fields)(lambda: current_decision.outcome.name))
    assert http.send(app, "/", "http://localhost") == http.refused()
    assert http.open(app, "/", "http://localhost").text == "SAME_ORIGIN"
    assert (heard, log_lines()) == ([], [])


@pytest.mark.parametrize(
    ("origin", "url", "ours"),
    [
        ("http://localhost:5000", "http://127.0.0.1:5000", "127.0.0.1"),
        ("http://127.0.0.1:5000", "http://LOCALHOST:5000", "localhost"),
        ("http://[::1]", "http://localhost", "localhost"),
        ("http://0.0.0.0:1", "http://[::1]:1", "[::1]"),
        # Another app, or another scheme, which a name would not change.
        ("http://localhost:3000", "http://127.0.0.1:5000", ""),
        ("https://localhost:5000", "http://127.0.0.1:5000", ""),
        ("http://127.0.0.1:5000", "http://api.test:5000", ""),
        (SHOP, "http://127.0.0.1:5000", ""),
    ],
)
def test_the_machine_has_several_names(app, http, log_lines, origin, url, ours):
    """Where the page is the app's own but for that, the log and the explanation say so."""
    CorsGuard(app, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: current_decision.explain(), methods=["GET", "POST"])
    words = "; the app was reached as " + (f"{ours}, and " if ours else "")
    response = app.test_client().get("/", url, headers={"Origin": origin})
    app.test_client().post("/", url, headers={"Origin": origin})
    said = [response.text, *log_lines()]
    assert [words in text for text in said] == [bool(ours)] * 3
