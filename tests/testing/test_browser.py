"""The browser from outside: its page, its servers, where its requests go and what they carry."""

from __future__ import annotations

import pytest
from flask import Flask, request

from flask_corsguard import CorsGuard
from flask_corsguard.testing import Blob, Browser, BrowserError, FetchTypeError

from .servers import API, OPEN, SHOP, anyone, fixed, friendly, serve

ENGINES = ("standard", "chromium", "firefox", "webkit")


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def sent(response, *names):
    """These headers of the last request."""
    headers = response.exchanges[-1].request_headers
    return tuple(headers.get(name) for name in names)


# The page and the servers


def test_the_page_can_be_left_for_another():
    browser = Browser(friendly())
    assert browser.page == "https://app.example.com"
    for page in (SHOP, "null", "http://localhost:3000", "https://[::1]:444", API):
        browser.page = page
        assert browser.page == page
        response = browser.fetch(f"{API}/", method="POST").assert_readable()
        assert sent(response, "Origin") == (page,)


@pytest.mark.parametrize(
    ("page", "hint"),
    [
        ("https://shop.example/", " Did you mean 'https://shop.example'?"),
        ("https://shop.example:443", " Did you mean 'https://shop.example'?"),
        ("HTTPS://Shop.example", " Did you mean 'https://shop.example'?"),
        ("shop.example", " Did you mean 'https://shop.example'?"),
        ("", ""),
        ("https://*.example", ""),
        ("*", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_a_page_that_is_no_origin(page, hint):
    words = f"a page is named by its origin, scheme://host[:port], not {page!r}.{hint}"
    with pytest.raises(BrowserError) as caught:
        Browser(anyone(), page)
    assert str(caught.value) == words
    browser = Browser(anyone(), SHOP)
    with pytest.raises(BrowserError) as caught:
        browser.page = page
    assert str(caught.value) == words
    assert browser.page == SHOP


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Chromium", "there is no engine 'Chromium'. Did you mean 'chromium'?"),
        ("ie", "there is no engine 'ie'. Known: chromium, firefox, standard, webkit."),
    ],
)
def test_no_such_engine(name, words):
    with pytest.raises(BrowserError) as caught:
        Browser(anyone(), SHOP, name)
    assert str(caught.value) == words


def test_servers_by_origin():
    servers = {API: fixed(lines=OPEN, body="api"), "http://localhost:8000": anyone()}
    browser = Browser(servers, SHOP)
    assert browser.fetch(f"{API}/x").text == "api"
    assert browser.fetch("https://API.test:443/x").text == "api"
    assert browser.fetch("http://localhost:8000/x").text == "ok"
    for url, origin in (
        ("https://api.test:444/", "https://api.test:444"),
        ("http://api.test/", "http://api.test"),
        ("/x", SHOP),
    ):
        for act in (browser.fetch, browser.navigate, browser.submit, browser.send_beacon):
            with pytest.raises(BrowserError) as caught:
                act(url)
            assert str(caught.value) == (
                f"there is no server at '{origin}'; pass one: Browser({{'{origin}': app}})"
            )


@pytest.mark.parametrize("address", ["https://api.test/", "api.test", "null", ""])
def test_an_address_of_a_server_that_is_no_origin(address):
    with pytest.raises(BrowserError, match="a server is named by its origin"):
        Browser({address: anyone()}, SHOP)


def test_one_server_is_everywhere():
    browser = Browser(serve(lambda r: (200, OPEN, f"{r.scheme}://{r.host}{r.full_path}")), SHOP)
    for url in ("https://a.test/x?y", "http://localhost:5000/?", "https://[::1]:9/é?é=%20"):
        assert browser.fetch(url).assert_readable().text
    assert browser.fetch("https://a.test/x?y").text == "https://a.test/x?y"


# Addresses


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
    browser = Browser(anyone(), API)
    assert browser.fetch(url).assert_readable().url == expected
    assert browser.navigate(url).exchanges[0].url == expected


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


@pytest.mark.parametrize("url", ["https://", "https://a b/", "http://1.2.3.4.5/", "https://a:x/"])
def test_what_is_no_address(url):
    browser = Browser(anyone(), SHOP)
    for act in (browser.fetch, browser.navigate, browser.submit, browser.send_beacon):
        with pytest.raises(FetchTypeError, match="is not a URL"):
            act(url)


def test_a_sandboxed_page_has_no_address_of_its_own():
    with pytest.raises(
        FetchTypeError, match="'/x' is not a URL, or relative to a page that has none"
    ):
        Browser(anyone(), "null").fetch("/x")


def test_a_user_name_in_an_address():
    browser = Browser(anyone(), SHOP)
    with pytest.raises(FetchTypeError, match="includes a user name or a password"):
        browser.fetch("https://me:secret@api.test/")


@pytest.mark.parametrize("page", [SHOP, "http://shop.example", "null"])
@pytest.mark.parametrize(
    ("url", "mixed"),
    [
        ("http://api.test/", True),
        ("http://192.0.2.1/", True),
        ("http://localhost/", False),
        ("http://127.0.0.1:5000/", False),
        ("http://[::1]/", False),
        ("https://api.test/", False),
    ],
)
def test_mixed_content(page, url, mixed):
    browser = Browser(anyone(), page)
    for mode in ("cors", "no-cors"):
        response = browser.fetch(url, mode=mode)
        blocked = mixed and page == SHOP
        assert (response.reason == "mixed_content") == blocked
        assert len(response.exchanges) == (0 if blocked else 1)
    assert len(browser.navigate(url).exchanges) == 1  # the address bar may go where it likes


@pytest.mark.parametrize("scheme", ["about", "blob", "data", "file", "javascript"])
def test_schemes_that_need_no_server(scheme):
    with pytest.raises(BrowserError) as caught:
        Browser(anyone(), SHOP).fetch(f"{scheme}:x")
    assert str(caught.value) == (
        f"requests for {scheme}: are not simulated; ask for an http or https address"
    )


@pytest.mark.parametrize("url", ["capacitor://localhost/x", "mailto:me@shop.example"])
def test_schemes_without_cors(url):
    browser = Browser(anyone(), SHOP)
    for act in (browser.fetch, browser.navigate):
        assert act(url).assert_blocked("not_http").exchanges == ()


# What a request carries


@pytest.mark.parametrize(
    ("page", "url", "site"),
    [
        (SHOP, "https://api.test/", "cross-site"),
        (API, "https://api.test/", "same-origin"),
        (API, "https://api.test:444/", "same-site"),
        ("https://www.api.test", "https://api.test/", "same-site"),
        ("https://one.github.io", "https://two.github.io/", "cross-site"),
        ("http://api.test", "https://api.test/", "cross-site"),
        ("null", "https://api.test/", "cross-site"),
        ("http://localhost:3000", "http://localhost:5000/", "same-site"),
        # Only where the connection is one that nobody listens to.
        ("http://api.test", "http://api.test/", None),
    ],
)
def test_fetch_metadata(page, url, site):
    names = ("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest")
    browser = Browser(friendly(), page)
    for act, mode, dest in (
        (browser.fetch, "cors", "empty"),
        (lambda url: browser.fetch(url, mode="no-cors"), "no-cors", "empty"),
        (browser.navigate, "navigate", "document"),
        (browser.submit, "navigate", "document"),
        (browser.send_beacon, "no-cors", "empty"),
    ):
        expected = (site, mode, dest) if site else (None, None, None)
        assert sent(act(url), *names) == expected
    for exchange in browser.fetch(url, method="PUT").exchanges:
        assert exchange.request_headers.get("Sec-Fetch-Mode") == ("cors" if site else None)


@pytest.mark.parametrize(
    ("page", "url", "method", "mode", "origin"),
    [
        (SHOP, API, "GET", "cors", SHOP),
        (SHOP, API, "HEAD", "cors", SHOP),
        (SHOP, API, "POST", "cors", SHOP),
        (SHOP, API, "GET", "no-cors", None),
        (SHOP, API, "POST", "no-cors", SHOP),
        (SHOP, SHOP, "GET", "cors", None),
        (SHOP, SHOP, "HEAD", "cors", None),
        (SHOP, SHOP, "POST", "cors", SHOP),
        (SHOP, SHOP, "PUT", "cors", SHOP),
        (SHOP, SHOP, "GET", "same-origin", None),
        (SHOP, SHOP, "DELETE", "same-origin", SHOP),
        ("null", API, "GET", "cors", "null"),
        ("null", API, "GET", "no-cors", None),
        ("null", API, "POST", "no-cors", "null"),
    ],
)
def test_origin(page, url, method, mode, origin):
    response = Browser(friendly(), page).fetch(f"{url}/", method=method, mode=mode)
    assert sent(response, "Origin") == (origin,)


def test_origin_of_what_is_no_fetch():
    browser = Browser(friendly(), SHOP)
    url = f"{API}/"
    assert sent(browser.navigate(url), "Origin") == (None,)
    assert sent(browser.submit(url), "Origin") == (SHOP,)
    assert sent(browser.submit(url, method="get"), "Origin") == (None,)
    assert sent(browser.send_beacon(url), "Origin") == (SHOP,)
    # Not told to a server that others can listen to.
    assert sent(browser.submit("http://api.test/"), "Origin", "Referer") == ("null", None)


@pytest.mark.parametrize(
    ("page", "url", "referer"),
    [
        (SHOP, API, f"{SHOP}/"),
        (SHOP, SHOP, f"{SHOP}/"),
        ("http://shop.example", "http://api.test", "http://shop.example/"),
        ("http://shop.example", API, "http://shop.example/"),
        ("null", API, None),
    ],
)
def test_referer(page, url, referer):
    browser = Browser(friendly(), page)
    assert sent(browser.fetch(f"{url}/"), "Referer") == (referer,)
    assert sent(browser.navigate(f"{url}/"), "Referer") == (referer,)


def test_what_a_preflight_carries(engine):
    sent = {"X-B": "1", "x-a": "1", "Content-Type": "application/json", "Accept-Language": "en"}
    response = Browser(anyone(), SHOP, engine).fetch(f"{API}/x?q", method="delete", headers=sent)
    preflight = response.assert_readable().exchanges[0]
    assert (preflight.method, preflight.url) == ("OPTIONS", f"{API}/x?q")
    assert (preflight.preflight, preflight.request_body) == (True, b"")
    headers = preflight.request_headers
    assert headers["Access-Control-Request-Method"] == "DELETE"
    assert headers["Access-Control-Request-Headers"] == "content-type,x-a,x-b"
    assert headers["Origin"] == SHOP
    for name in ("X-A", "Content-Type", "Cookie", "Content-Length"):
        assert name not in headers


# Redirects


def hop(location, status=302, **more):
    return fixed(status, {**OPEN, "Location": location, **more})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_what_redirects_make_of_methods(engine, status, method):
    def view(request):
        if request.method == "OPTIONS":
            return 204, OPEN, ""
        if request.path == "/":
            return status, {**OPEN, "Location": "/end"}, ""
        return 200, OPEN, ""

    given = {"body": "x", "headers": {"X-A": "1", "Content-Language": "en"}}
    if method in ("GET", "HEAD"):
        del given["body"]
    response = Browser(serve(view), SHOP, engine).fetch(f"{API}/", method=method, **given)
    last = response.assert_readable().exchanges[-1]
    becomes_get = (status in (301, 302) and method == "POST") or (
        status == 303 and method in ("POST", "PUT")
    )
    assert last.method == ("GET" if becomes_get else method)
    assert last.request_body == (b"" if becomes_get or "body" not in given else b"x")
    keeps = not becomes_get
    assert last.request_headers.get("Content-Language") == ("en" if keeps else None)
    assert ("Content-Type" in last.request_headers) == (keeps and "body" in given)
    assert last.request_headers["X-A"] == "1"
    assert (response.url, response.redirected) == (f"{API}/end", True)


def test_where_a_redirect_leads(engine):
    """In WebKit, those after the one that leaves the page's own origin have to allow cookies."""
    servers = {
        SHOP: hop(f"{API}/"),
        API: hop("https://cdn.test/"),
        "https://cdn.test": hop("https://api.test/x"),
    }
    response = Browser(servers, SHOP, engine).fetch("/")
    origins = [e.request_headers.get("Origin") for e in response.exchanges]
    if engine == "webkit":
        response.assert_blocked("allow_origin_wildcard")
        assert origins == [None, SHOP]
    else:
        response.assert_blocked("redirect_limit")
        assert origins == [None, SHOP, *["null"] * 19]


def test_sites_on_the_way(engine):
    """https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header: all count."""
    servers = {API: hop(f"{SHOP}/x"), SHOP: anyone()}
    response = Browser(servers, SHOP, engine).fetch(f"{API}/").assert_readable()
    found = [e.request_headers.get("Sec-Fetch-Site") for e in response.exchanges]
    assert found == ["cross-site", None if engine == "webkit" else "cross-site"]


def test_authorization_stays_behind(engine):
    lines = {**OPEN, "Access-Control-Allow-Headers": "Authorization"}

    def view(request):
        if request.method == "OPTIONS":
            return 204, lines, ""
        to = {"/": "/same", "/same": "https://b.test/other"}.get(request.path)
        return (302, {**lines, "Location": to}, "") if to else (200, lines, "")

    response = Browser(serve(view), SHOP, engine).fetch(f"{API}/", headers={"Authorization": "x"})
    actual = [e for e in response.assert_readable().exchanges if not e.preflight]
    assert [e.request_headers.get("Authorization") for e in actual] == ["x", "x", None]


@pytest.mark.parametrize("mode", ["cors", "no-cors", "same-origin"])
def test_redirects_out_of_the_page(mode):
    servers = {SHOP: hop(f"{API}/"), API: fixed()}
    response = Browser(servers, SHOP).fetch("/", mode=mode)
    reasons = {"cors": "allow_origin_missing", "no-cors": "mode_no_cors"}
    response.assert_blocked(reasons.get(mode, "mode_same_origin"))
    assert len(response.exchanges) == (1 if mode == "same-origin" else 2)


def test_a_redirect_without_an_address_is_an_answer():
    response = Browser(fixed(302, OPEN), SHOP).fetch(f"{API}/").assert_readable()
    assert (response.status, response.redirected) == (302, False)


def test_user_names_are_fine_within_one_origin():
    server = serve(
        lambda r: (
            (302, {"Location": "https://me:pw@shop.example/x"}, "")
            if r.path == "/"
            else (200, {}, "ok")
        )
    )
    assert Browser(server, SHOP).fetch("/").assert_readable().text == "ok"


def test_20_redirects_and_one_too_many():
    def app(environ, start_response):
        left = int(environ["PATH_INFO"][1:])
        lines = [("Location", f"/{left - 1}")] if left else []
        start_response("302 Found" if left else "200 OK", lines)
        return [b"end"]

    browser = Browser(app, SHOP)
    assert browser.fetch("/20").assert_readable().text == "end"
    response = browser.fetch("/21").assert_blocked("redirect_limit")
    assert len(response.exchanges) == 21


def test_a_navigation_follows_as_well():
    browser = Browser({API: hop("https://b.test/x"), "https://b.test": anyone()}, SHOP)
    response = browser.navigate(f"{API}/")
    assert [e.url for e in response.exchanges] == [f"{API}/", "https://b.test/x"]
    assert browser.page == SHOP
    browser.submit(f"{API}/", {"a": "1"}).assert_blocked("navigation")


@pytest.mark.parametrize("redirect", ["manual", "error"])
def test_redirects_that_are_not_followed(engine, redirect):
    response = Browser(hop("/x"), SHOP, engine).fetch(f"{API}/", redirect=redirect)
    response.assert_blocked({"manual": "redirect_manual", "error": "redirect_unwanted"}[redirect])
    assert len(response.exchanges) == 1
    assert Browser(anyone(), SHOP).fetch(f"{API}/", redirect=redirect).readable


# Opaque answers


@pytest.mark.parametrize(
    ("policy", "page", "reason"),
    [
        (None, SHOP, "mode_no_cors"),
        ("cross-origin", SHOP, "mode_no_cors"),
        ("odd", SHOP, "mode_no_cors"),
        ("same-origin", SHOP, "resource_policy"),
        ("same-site", SHOP, "resource_policy"),
        ("same-site", "https://www.api.test", "mode_no_cors"),
        ("same-origin", "https://www.api.test", "resource_policy"),
        ("same-site", "null", "resource_policy"),
        ("same-origin", API, None),
        ("same-site", API, None),
    ],
)
def test_resource_policy(engine, policy, page, reason):
    lines = {"Cross-Origin-Resource-Policy": policy} if policy else {}
    response = Browser(fixed(lines=lines), page, engine).fetch(f"{API}/", mode="no-cors")
    if reason is None:
        response.assert_readable()
    else:
        response.assert_blocked(reason)
    assert Browser(fixed(lines=OPEN | lines), SHOP, engine).fetch(f"{API}/").readable


# Apps of every kind


def test_an_app_that_raises():
    app = Flask("shop", static_folder=None)
    app.testing = True
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: 1 / 0)
    browser = Browser(app, SHOP)
    with pytest.raises(ZeroDivisionError):
        browser.fetch(f"{API}/")
    app.testing = False
    assert browser.fetch(f"{API}/").assert_readable().status == 500


def test_a_generator_with_a_close_method():
    closed = []

    class Body:
        def __iter__(self):
            yield b"a"
            yield b"b"

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", list(OPEN.items()))
        return Body()

    assert Browser(app, SHOP).fetch(f"{API}/").text == "ab"
    assert closed == [True]


def test_an_app_gets_the_whole_request():
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)

    @app.post("/<name>")
    def view(name):
        return [name, request.args["q"], request.get_json(), request.content_length]

    response = Browser(app, SHOP).fetch(f"{API}/é?q=1", method="POST", json={"a": 1})
    assert response.assert_readable().json == ["é", "1", {"a": 1}, 7]
    preflight, actual = response.exchanges
    assert preflight.decision.preflight
    assert actual.decision.origin == SHOP
    assert Browser(anyone(), SHOP).fetch(f"{API}/").exchanges[0].decision is None


@pytest.mark.parametrize(
    ("method", "status", "body"), [("HEAD", 200, b""), ("GET", 204, b""), ("GET", 304, b"")]
)
def test_answers_without_a_body(method, status, body):
    response = Browser(fixed(status, OPEN, body="junk"), SHOP).fetch(f"{API}/", method=method)
    assert response.assert_readable().text == ""
    assert response.exchanges[0].response_body == body


def test_repeated_response_headers_are_joined():
    lines = [*OPEN.items(), ("Cache-Control", "no-cache "), ("cache-control", "max-age=0")]
    response = Browser(fixed(lines=lines), SHOP).fetch(f"{API}/")
    assert response.headers["Cache-Control"] == "no-cache, max-age=0"


def test_browsers_share_nothing():
    app = anyone()
    for _ in range(2):
        response = Browser(app, SHOP).fetch(f"{API}/", method="PUT")
        assert len(response.exchanges) == 2


# What the engines do on the way


def hops(*answers):
    """A server whose first address redirects to the next, and so on."""

    def view(request):
        number = int(request.path.strip("/") or 0)
        if "Access-Control-Request-Method" in request.headers:
            return 204, OPEN, ""
        if number < len(answers):
            status, location = answers[number]
            return status, [*OPEN.items(), ("Location", location)], ""
        return 200, OPEN, "ok"

    return serve(view)


def methods_of(response):
    return [exchange.method for exchange in response.exchanges]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_delete_across_origins(engine, status):
    """In WebKit it becomes a GET, for which it asks all the same."""
    app = hops((status, "https://b.test/1"))
    response = Browser(app, SHOP, engine).fetch(f"{API}/", method="DELETE").assert_readable()
    last = "GET" if engine == "webkit" else "DELETE"
    assert methods_of(response) == ["OPTIONS", "DELETE", "OPTIONS", last]
    within = hops((status, "/1"))
    response = Browser(within, SHOP, engine).fetch(f"{API}/", method="DELETE").assert_readable()
    assert methods_of(response)[-1] == "DELETE"


def test_a_method_that_needs_leave_from_the_own_origin(engine):
    """Headers are remembered to have needed leave, a method is not, where it did not."""
    app = hops((303, f"{API}/1"))
    response = Browser(app, SHOP, engine).fetch("/", method="PUT").assert_readable()
    assert methods_of(response) == ["PUT", "GET"]
    response = (
        Browser(app, SHOP, engine).fetch("/", headers={"Authorization": "x"}).assert_readable()
    )
    asks = ["OPTIONS"] if engine in ("firefox", "webkit") else []
    assert methods_of(response) == ["GET", *asks, "GET"]


def test_origin_of_what_a_redirect_made_a_get(engine):
    app = hops((303, "/1"))
    response = Browser(app, SHOP, engine).fetch("/", method="POST").assert_readable()
    sent = [exchange.request_headers.get("Origin") for exchange in response.exchanges]
    assert sent == [SHOP, SHOP if engine == "webkit" else None]


def test_headers_that_go_with_a_body(engine):
    """They go with it; in Firefox and WebKit the next redirect brings them back."""
    app = hops((303, "/1"), (302, "/2"), (302, "/3"))
    response = Browser(app, SHOP, engine).fetch("/", method="POST", body="x").assert_readable()
    kinds = ["Content-Type" in exchange.request_headers for exchange in response.exchanges]
    back = engine in ("firefox", "webkit")
    assert kinds == [True, False, back, back]
    assert [exchange.request_body for exchange in response.exchanges] == [b"x", b"", b"", b""]


def test_fetch_metadata_after_leaving(engine):
    """A preflight is a request of its own. In WebKit the one after it says nothing."""
    app = hops((307, "https://b.test/1"), (307, f"{SHOP}/2"))
    response = Browser(app, SHOP, engine).fetch("/", method="PUT", credentials="omit")
    response.assert_readable()
    found = [
        (exchange.method, exchange.request_headers.get("Sec-Fetch-Site"))
        for exchange in response.exchanges
    ]
    after = None if engine == "webkit" else "cross-site"
    assert found == [
        ("PUT", "same-origin"),
        ("OPTIONS", "cross-site"),
        ("PUT", after),
        ("OPTIONS", "cross-site" if engine == "webkit" else "same-origin"),
        ("PUT", after),
    ]


def test_one_location_twice(engine):
    def view(request):
        if request.path == "/1":
            return 200, OPEN, "ok"
        return 302, [*OPEN.items(), ("Location", "/1"), ("Location", "/1")], ""

    response = Browser(serve(view), SHOP, engine).fetch(f"{API}/")
    assert response.readable == (engine in ("chromium", "firefox"))


def test_a_redirect_without_a_location(engine):
    browser = Browser(fixed(302, OPEN), SHOP, engine)
    assert browser.fetch(f"{API}/").assert_readable().status == 302
    response = browser.fetch(f"{API}/", redirect="error")
    assert response.readable == (engine in ("chromium", "webkit"))


def test_headers_that_are_given_twice(engine):
    """Firefox names each that needs leave, and sends the last value of some."""
    browser = Browser(friendly(), SHOP, engine)
    given = [("X-A", "1"), ("x-a", "2"), ("Accept", "*/*"), ("Accept", '"')]
    response = browser.fetch(f"{API}/", headers=given).assert_readable()
    asked = response.exchanges[0].request_headers["Access-Control-Request-Headers"]
    assert asked == ("accept,x-a,x-a" if engine == "firefox" else "accept,x-a")
    given = [("Authorization", "1"), ("Authorization", "2")]
    sent = browser.fetch("https://shop.example/", headers=given).exchanges[-1].request_headers
    assert sent["Authorization"] == ("2" if engine == "firefox" else "1, 2")


# What is sent along


def test_length_of_no_body():
    app = anyone()
    for method, length in (("POST", "0"), ("PUT", "0"), ("GET", None), ("DELETE", None)):
        response = Browser(app, API).fetch("/", method=method)
        assert response.exchanges[0].request_headers.get("Content-Length") == length


def test_no_body_is_made_up():
    """The type of a form alone does not make one."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    seen = []

    def view(request):
        seen.append((request.get_data(), request.environ.get("CONTENT_LENGTH")))
        return 200, OPEN, "ok"

    Browser(serve(view), SHOP).fetch(f"{API}/", headers=headers).assert_readable()
    assert seen == [(b"", None)]


def test_mode_of_a_beacon():
    browser = Browser(friendly(), SHOP)
    for data, mode in (
        ("x", "no-cors"),
        (Blob("{}", "application/json"), "cors"),
        (None, "no-cors"),
    ):
        response = browser.send_beacon(f"{API}/", data)
        assert response.exchanges[-1].request_headers["Sec-Fetch-Mode"] == mode
    assert "Content-Type" not in response.exchanges[-1].request_headers


def test_what_is_written_the_old_way():
    def app(environ, start_response):
        write = start_response("200 OK", list(OPEN.items()))
        write(b"hello ")
        return [b"world"]

    assert Browser(app, SHOP).fetch(f"{API}/").assert_readable().text == "hello world"


# Hostile answers


@pytest.mark.parametrize("status", ["OK", "", "2xx ok", "0 x", "99 x", "1000 x"])
def test_a_status_line_that_is_none(status):
    def app(environ, start_response):
        start_response(status, [])
        return []

    with pytest.raises(BrowserError, match=r"the app answered GET https://api.* with the status"):
        Browser(app, SHOP).fetch(f"{API}/")


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
)
def test_odd_headers(engine, name, value):
    lines = [*OPEN.items(), ("Access-Control-Allow-Methods", "PUT"), (name, value)]
    browser = Browser(fixed(200, lines, preflight=(204, lines)), SHOP, engine)
    browser.fetch(f"{API}/", method="PUT")
    browser.navigate(f"{API}/")
    moved = Browser(fixed(302, lines), SHOP, engine)
    moved.fetch(f"{API}/")
