"""The app's own pages are recognised, and never called rejected."""

from __future__ import annotations

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import CorsGuard, Outcome, cors, current_decision

SHOP = "https://shop.example"

SITE = "HTTP_SEC_FETCH_SITE"


def _app(app, **fields):
    seen = []
    CorsGuard(app, **fields)

    @app.route("/", methods=["GET", "POST", "PUT"])
    def index():
        seen.append(current_decision._get_current_object())
        return "ok"

    return seen


OWN = [
    pytest.param("http://a.test", "http://a.test", {}, id="own host"),
    pytest.param("http://a.test:8000", "http://a.test:8000", {}, id="own host and port"),
    pytest.param("https://a.test", "https://a.test", {}, id="own host over https"),
    pytest.param("https://a.test", "http://a.test", {}, id="https in front of http"),
    pytest.param("https://a.test:8443", "http://a.test:8443", {}, id="the same with a port"),
    pytest.param("http://a.test", "http://a.test", {"HTTP_HOST": "a.test:80"}, id="default port"),
    pytest.param(
        "https://a.test", "https://a.test", {"HTTP_HOST": "a.test:443"}, id="default port of https"
    ),
    pytest.param(
        "https://a.test", "http://a.test", {"HTTP_HOST": "a.test:443"}, id="and in front of http"
    ),
    pytest.param("http://a.test", "http://a.test", {"HTTP_HOST": "A.Test"}, id="Host in capitals"),
    pytest.param("http://[::1]:5000", "http://[::1]:5000", {}, id="IPv6"),
    pytest.param("https://b.test", "http://a.test", {SITE: "same-origin"}, id="same-origin"),
    pytest.param("http://b.test", "https://a.test", {SITE: "none"}, id="none"),
    pytest.param("null", "http://a.test", {SITE: "same-origin"}, id="opaque, same-origin"),
]

FOREIGN = [
    pytest.param("http://b.test", "http://a.test", {}, id="another host"),
    pytest.param("http://a.test:8000", "http://a.test", {}, id="another port"),
    pytest.param("http://a.test", "http://a.test:8000", {}, id="no port"),
    pytest.param("http://a.test", "https://a.test", {}, id="http in front of https"),
    pytest.param("ftp://a.test", "http://a.test", {}, id="another scheme"),
    pytest.param("http://a.test.evil.test", "http://a.test", {}, id="more at the end"),
    pytest.param("http://evil-a.test", "http://a.test", {}, id="more at the beginning"),
    pytest.param("http://A.test", "http://a.test", {}, id="origin in capitals"),
    pytest.param("http://a.test/", "http://a.test", {}, id="a slash"),
    pytest.param("http://x@a.test", "http://a.test", {}, id="userinfo"),
    pytest.param("null", "http://a.test", {}, id="opaque"),
    pytest.param("http://", "http://a.test", {"HTTP_HOST": ""}, id="no host"),
    pytest.param("://a.test", "http://a.test", {}, id="no scheme"),
    pytest.param("http://a.test", "http://a.test", {SITE: "cross-site"}, id="cross-site"),
    pytest.param("http://a.test", "http://a.test", {SITE: "same-site"}, id="same-site"),
    pytest.param("http://a.test", "http://a.test", {SITE: "Same-Origin"}, id="no such site"),
    pytest.param(
        "http://b.test", "http://a.test", {"HTTP_X_FORWARDED_HOST": "b.test"}, id="X-Forwarded-Host"
    ),
    pytest.param(
        "http://b.test", "http://a.test", {"HTTP_FORWARDED": "host=b.test"}, id="Forwarded"
    ),
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(("origin", "base_url", "environ"), OWN)
def test_own_pages(app, http, heard, log_lines, origin, base_url, environ, method):
    seen = _app(app, origins=SHOP)

    sent = {"base_url": base_url, "environ": environ, "method": method}
    assert http.send(app, "/", origin, **sent) == http.refused()
    assert [(d.outcome, d.reason) for d in seen] == [(Outcome.SAME_ORIGIN, None)]
    assert heard == []
    assert log_lines() == []


@pytest.mark.parametrize(("origin", "base_url", "environ"), FOREIGN)
def test_pages_of_others(app, http, heard, origin, base_url, environ):
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
    given = {"self_origins": self_origins} if how == "constructor" else {}
    app.config.update({} if given else {"CORSGUARD_SELF_ORIGINS": self_origins})
    seen = _app(app, origins=SHOP, **given)

    assert http.send(app, "/", "https://front.example") == http.refused()
    assert http.send(app, "/", "http://front.example") == http.refused()
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN, Outcome.REJECTED]
    assert len(heard) == 1


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
    """No browser sends one; whatever does is answered as without the guard."""
    _app(app, origins=SHOP)
    answer = http.preflight(app, "/", "http://localhost", "DELETE")

    assert answer.status == 200
    assert answer.cors == {"Vary": "Origin"}
    assert heard == []


def test_an_own_page_that_is_listed_as_well_is_allowed(app, http):
    _app(app, origins="http://localhost")
    assert http.send(app, "/", "http://localhost") == http.allowed("http://localhost")


def test_own_pages_where_the_check_fails(app, http, heard, log_lines):
    seen = _app(app, origins=lambda _: "yes")
    assert http.send(app, "/", "http://localhost") == http.refused()
    assert [d.outcome for d in seen] == [Outcome.SAME_ORIGIN]
    assert heard == []
    assert log_lines() == []


def test_a_denied_own_page(app, http, heard):
    _app(app, origins="*", deny_origins="http://localhost")
    assert http.send(app, "/", "http://localhost") == http.refused()
    assert heard == []


def test_credentials_are_not_announced_to_own_pages(app, http):
    CorsGuard(app)
    app.add_url_rule(
        "/", "index", cors(origins=SHOP, allow_credentials=True, expose_headers="X-A")(lambda: "ok")
    )
    assert http.send(app, "/", "http://localhost") == http.refused()
