"""The browser from outside: its page, its servers, and what they may do."""

from __future__ import annotations

import pytest
from flask import Flask, request
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response as Answer
from werkzeug.wsgi import ClosingIterator

from flask_corsguard.testing import Browser, BrowserError, FetchTypeError

from .servers import API, OPEN, SHOP, anyone, fixed, friendly, guarded, serve


def acts_of(browser):
    return browser.fetch, browser.navigate, browser.submit, browser.send_beacon


def test_the_page_can_be_left_for_another():
    browser = Browser(friendly())
    assert browser.page == "https://app.example.com"
    for page in (SHOP, "null", "http://localhost:3000", "https://[::1]:444", API):
        browser.page = page
        assert browser.page == page
        response = browser.fetch(f"{API}/", method="POST").assert_readable()
        assert response.exchanges[-1].request_headers["Origin"] == page


@pytest.mark.parametrize(
    "page",
    [f"{SHOP}/", f"{SHOP}:443", "HTTPS://Shop.example", "shop.example", "", "https://*.example",
     "*", None, 7, "/users"],
)  # fmt: skip
def test_a_page_that_is_not_an_origin(page):
    """A page that is not an origin is refused, with the origin that may be meant."""
    hint = f" Did you mean '{SHOP}'?" if "shop" in str(page).lower() else ""
    words = f"a page is named by its origin, scheme://host[:port], not {page!r}.{hint}"
    with pytest.raises(BrowserError) as caught:
        Browser(anyone(), page)
    assert str(caught.value) == words
    browser = Browser(anyone(), SHOP)
    with pytest.raises(BrowserError) as caught:
        browser.page = page
    assert str(caught.value) == words
    assert browser.page == SHOP


def odd_status(status):
    def app(environ, start_response):
        start_response(status, [])
        return []

    return lambda: Browser(app, SHOP).fetch(f"{API}/")


def test_a_function_of_a_request_is_a_wsgi_app():
    @Request.application
    def app(_request):
        return Answer("hello", headers={"Access-Control-Allow-Origin": "*"})

    assert Browser(app, SHOP).fetch(f"{API}/").assert_readable().text == "hello"


an_app = Flask(__name__)
a_client = an_app.test_client()


def a_factory():
    return an_app


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("post", "'Browser' object has no attribute 'post'. Write fetch(url, method='POST')"),
        ("fecth", "'Browser' object has no attribute 'fecth'"),
    ],
)
def test_what_a_browser_has_not(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(Browser(anyone()), name)
    assert (str(caught.value), caught.value.name) == (words, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("status_code", "'Response' object has no attribute 'status_code'. Write status"),
        ("assert_allowed", "has no attribute 'assert_allowed'. Write assert_readable()"),
        ("assert_blokced", "'Response' object has no attribute 'assert_blokced'"),
    ],
)
def test_what_a_response_has_not(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(Browser(anyone()).fetch(f"{API}/"), name)
    assert str(caught.value).endswith(words)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Browser(anyone(), SHOP, "Chromium"),
         "there is no engine 'Chromium'. Did you mean 'chromium'?"),
        (lambda: Browser(anyone(), SHOP, "safari"),
         "there is no engine 'safari'. Did you mean 'webkit'?"),
        (lambda: Browser(anyone(), "app://."),
         "a page is named by its origin, scheme://host[:port], not 'app://.'. What is in"
         " raw_origins can be tried with guard.explain(url, origin=...)."),
        (lambda: Browser(anyone(), SHOP, "ie"),
         "there is no engine 'ie'. Known: chromium, firefox, standard, webkit."),
        *(
            (lambda address=address: Browser({address: anyone()}, SHOP),
             f"a server is named by its origin, scheme://host[:port], not {address!r}.{hint}")
            for address, hint in (
                ("https://api.test/", " Did you mean 'https://api.test'?"),
                ("null", " Did you mean 'https://null'?"),
                ("", ""),
            )
        ),
        *(
            (lambda servers=servers: Browser(servers),
             f"a WSGI app is needed, or a mapping of origins to WSGI apps, not {servers!r}")
            for servers in ([], "x", None, 7)
        ),
        (lambda: Browser(a_factory),
         "a_factory is not a WSGI app. If it makes one: Browser(a_factory())"),
        (lambda: Browser(a_client),
         f"a WSGI app is needed, or a mapping of origins to WSGI apps, not {a_client!r}. Pass the"
         " app itself: Browser(app)"),
        (lambda: Browser(SHOP, an_app),
         f"a page is named by its origin, scheme://host[:port], not {an_app!r}. The app comes"
         " first: Browser(app, page='https://app.example.com')"),
        (lambda: Browser({API: "app"}), "the server at https://api.test is not a WSGI app: 'app'"),
        *(
            (lambda scheme=scheme: Browser(anyone(), SHOP).fetch(f"{scheme}:x"),
             f"requests for {scheme}: are not simulated: use an http or https address")
            for scheme in ("about", "blob", "data", "file", "javascript")
        ),
        *(
            (odd_status(status), f"the app responded to GET {API}/ with the status {status!r}")
            for status in ("OK", "", "2xx ok", "0 x", "99 x", "1000 x")
        ),
        (lambda: Browser(anyone()).submit(f"{API}/", enctype="application/json"),
         "no form has the enctype 'application/json' and the method 'post'"),
        (lambda: Browser(anyone()).submit(f"{API}/", method="put"),
         "no form has the enctype 'application/x-www-form-urlencoded' and the method 'put'"),
    ],
)  # fmt: skip
def test_mistakes_of_a_test(act, words):
    """Arguments that do not describe a browser, a server or a form, in words."""
    with pytest.raises(BrowserError) as caught:
        act()
    assert str(caught.value) == words


def test_servers_by_origin():
    browser = Browser({API: fixed(lines=OPEN, body="api"), "http://localhost:8000": anyone()}, SHOP)
    assert browser.fetch(f"{API}/x").text == "api"
    assert browser.fetch("https://API.test:443/x").text == "api"
    assert browser.fetch("http://localhost:8000/x").text == "ok"
    for origin, url in (
        ("https://api.test:444", "https://api.test:444/"),
        ("http://api.test", "http://api.test/"),
        (SHOP, "/x"),
    ):
        for act in acts_of(browser):
            with pytest.raises(BrowserError) as caught:
                act(url)
            assert str(caught.value) == (
                f"there is no server at '{origin}'; pass one: Browser({{'{origin}': app}})"
            )


def test_one_server_is_everywhere():
    browser = Browser(serve(lambda r: (200, OPEN, f"{r.scheme}://{r.host}{r.full_path}")), SHOP)
    for url in ("https://a.test/x?y", "http://localhost:5000/?", "https://[::1]:9/é?é=%20"):
        assert browser.fetch(url).assert_readable().text
    assert browser.fetch("https://a.test/x?y").text == "https://a.test/x?y"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", f"{API}/"),
        ("x", f"{API}/x"),
        ("/x/../y?q#f", f"{API}/y?q"),
        ("//other.test/x", "https://other.test/x"),
        ("https://other.test", "https://other.test/"),
        (" /x ", f"{API}/x"),
        ("/a b%20é", f"{API}/a%20b%20%C3%A9"),
    ],
)
def test_addresses(url, expected):
    """An address is resolved against the page of the API that asks for it."""
    browser = Browser(anyone(), API)
    response = browser.fetch(url)
    assert (response.readable, response.url) == (True, expected)
    assert browser.navigate(url).exchanges[0].url == expected


@pytest.mark.parametrize(
    ("page", "url"),
    [
        *((SHOP, u) for u in ("https://", "https://a b/", "http://1.2.3.4.5/", "https://a:x/")),
        ("null", "/x"),
    ],
)
def test_what_is_not_an_address(page, url):
    """What is not a URL, or is relative to a page without one, raises a FetchTypeError."""
    for act in acts_of(Browser(anyone(), page)):
        with pytest.raises(FetchTypeError) as caught:
            act(url)
        assert str(caught.value) == (
            f"{url!r} is not a URL, or is relative to a page that has no URL."
        )


@pytest.mark.parametrize("url", ["capacitor://localhost/x", "mailto:me@shop.example"])
def test_schemes_without_cors(url):
    """Other schemes are not looked for among the servers."""
    browser = Browser(anyone(), SHOP)
    for act in (browser.fetch, browser.navigate):
        assert act(url).assert_blocked("not_http").exchanges == ()


def test_what_the_server_is_asked_for():
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return []

    Browser(app, SHOP).fetch("https://api.test:8443/a%2Fb%20%C3%A9?x=%20&y", mode="no-cors")
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/a/b é"
    assert seen["QUERY_STRING"] == "x=%20&y"
    assert seen["REQUEST_URI"] == "/a%2Fb%20%C3%A9?x=%20&y"
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"]) == ("https", "api.test:8443")
    assert (seen["SCRIPT_NAME"], seen["REMOTE_ADDR"]) == ("", "127.0.0.1")


@pytest.mark.parametrize("page", [SHOP, "http://shop.example", "null"])
@pytest.mark.parametrize(
    ("url", "mixed"),
    [
        *((f"http://{host}/", True) for host in ("api.test", "192.0.2.1")),
        *((f"http://{host}/", False) for host in ("localhost", "127.0.0.1:5000", "[::1]")),
        ("https://api.test/", False),
    ],
)
def test_mixed_content(page, url, mixed):
    """A page with https may not fetch mixed content; the address bar may go anywhere."""
    browser, mixed = Browser(anyone(), page), mixed and page == SHOP
    for mode in ("cors", "no-cors"):
        response = browser.fetch(url, mode=mode)
        assert (response.reason == "mixed_content") == mixed
        assert len(response.exchanges) == (not mixed)
    assert len(browser.navigate(url).exchanges) == 1


@pytest.mark.parametrize(
    ("policy", "page", "reason"),
    [
        *((policy, SHOP, "mode_no_cors") for policy in (None, "cross-origin", "odd")),
        *((policy, SHOP, "resource_policy") for policy in ("same-origin", "same-site")),
        ("same-site", "https://www.api.test", "mode_no_cors"),
        ("same-origin", "https://www.api.test", "resource_policy"),
        ("same-site", "null", "resource_policy"),
        *((policy, API, None) for policy in ("same-origin", "same-site")),
    ],
)
def test_resource_policy(engine, policy, page, reason):
    """``Cross-Origin-Resource-Policy`` keeps these responses from pages without CORS."""
    lines = {"Cross-Origin-Resource-Policy": policy} if policy else {}
    response = Browser(fixed(lines=lines), page, engine).fetch(f"{API}/", mode="no-cors")
    assert response.reason == reason
    assert Browser(fixed(lines=OPEN | lines), SHOP, engine).fetch(f"{API}/").readable


def test_an_app_that_raises():
    app = guarded(lambda: 1 / 0, origins=SHOP)
    app.testing = True
    browser = Browser(app, SHOP)
    with pytest.raises(ZeroDivisionError):
        browser.fetch(f"{API}/")
    app.testing = False
    assert browser.fetch(f"{API}/").assert_readable().status == 500


def test_an_app_gets_the_whole_request():
    app = guarded(origins=SHOP)

    @app.post("/<name>")
    def view(name):
        return [name, request.args["q"], request.get_json(), request.content_length]

    response = Browser(app, SHOP).fetch(f"{API}/é?q=1", method="POST", json={"a": 1})
    assert response.assert_readable().json == ["é", "1", {"a": 1}, 7]
    preflight, actual = response.exchanges
    assert preflight.decision.preflight
    assert actual.decision.origin == SHOP
    assert Browser(anyone(), SHOP).fetch(f"{API}/").exchanges[0].decision is None


def test_bodies_of_every_kind():
    """An app may write its body the old way, or return one that has to be closed."""
    closed = []

    def app(environ, start_response):
        write = start_response("200 OK", list(OPEN.items()))
        if environ["PATH_INFO"] == "/":
            return ClosingIterator([b"a", b"b"], lambda: closed.append(True))
        write(b"hello ")
        return [b"world"]

    browser = Browser(app, SHOP)
    assert browser.fetch(f"{API}/").text == "ab"
    assert closed == [True]
    assert browser.fetch(f"{API}/x").text == "hello world"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_responses_without_a_body(method, status):
    """The body that an app sends all the same is dropped."""
    response = Browser(fixed(status, OPEN, body="junk"), SHOP).fetch(f"{API}/", method=method)
    assert response.assert_readable().text == ""
    assert response.exchanges[0].response_body == b""


def test_browsers_share_nothing():
    app = anyone()
    for _ in range(2):
        assert len(Browser(app, SHOP).fetch(f"{API}/", method="PUT").exchanges) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Access-Control-Max-Age", "9" * 5000),
        ("Access-Control-Max-Age", "-" + "9" * 5000),
        ("Set-Cookie", f"a=1; Max-Age={'9' * 5000}"),
        ("Set-Cookie", "a=1; Expires=Thu, 01 Jan 99999999999999999999 00:00:00 GMT"),
        ("Set-Cookie", "; ; =; Domain=..; Path"),
        ("Location", f"https://api.test:{'9' * 5000}/"),
        ("Access-Control-Allow-Headers", "," * 100_000),
    ],
    ids=range(7),
)
def test_odd_headers(engine, name, value):
    """Whatever a server sends, no exception reaches the test."""
    lines = [*OPEN.items(), ("Access-Control-Allow-Methods", "PUT"), (name, value)]
    browser = Browser(fixed(200, lines, preflight=(204, lines)), SHOP, engine)
    browser.fetch(f"{API}/", method="PUT")
    browser.navigate(f"{API}/")
    Browser(fixed(302, lines), SHOP, engine).fetch(f"{API}/")
