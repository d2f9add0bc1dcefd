"""The headers that a browser adds to requests."""

from __future__ import annotations

import pytest

from flask_corsguard.testing import Blob, Browser

from .servers import API, OPEN, SHOP, anyone, friendly, in_engine, serve

HTTP_SHOP, HTTP_API = "http://shop.example", "http://api.test"
JSON = Blob("{}", "application/json")


def sent(response, *names):
    """These headers of the last request."""
    return tuple(response.exchanges[-1].request_headers.get(name) for name in names)


@pytest.mark.parametrize(
    ("page", "url", "site"),
    [
        (SHOP, API, "cross-site"),
        (API, API, "same-origin"),
        (API, f"{API}:444", "same-site"),
        ("https://www.api.test", API, "same-site"),
        ("https://one.github.io", "https://two.github.io", "cross-site"),
        (HTTP_API, API, "cross-site"),
        ("null", API, "cross-site"),
        ("http://localhost:3000", "http://localhost:5000", "same-site"),
        # Only if nobody can listen to the connection.
        (HTTP_API, HTTP_API, None),
    ],
)
def test_fetch_metadata(page, url, site):
    """Everything that a page can do has these ``Sec-Fetch-*`` headers."""
    names, url = ("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"), f"{url}/"
    browser = Browser(friendly(), page)
    for response, mode, dest in (
        (browser.fetch(url), "cors", "empty"),
        (browser.fetch(url, mode="no-cors"), "no-cors", "empty"),
        (browser.navigate(url), "navigate", "document"),
        (browser.submit(url), "navigate", "document"),
        (browser.send_beacon(url), "no-cors", "empty"),
        (browser.send_beacon(url, "x"), "no-cors", "empty"),
        (browser.send_beacon(url, JSON), "cors", "empty"),
    ):
        assert sent(response, *names) == ((site, mode, dest) if site else (None, None, None))
    for exchange in browser.fetch(url, method="PUT").exchanges:
        assert exchange.request_headers.get("Sec-Fetch-Mode") == ("cors" if site else None)


@pytest.mark.parametrize(
    ("page", "url", "method", "mode", "origin"),
    [
        *((SHOP, API, method, "cors", SHOP) for method in ("GET", "HEAD", "POST")),
        (SHOP, API, "GET", "no-cors", None),
        (SHOP, API, "POST", "no-cors", SHOP),
        *((SHOP, SHOP, method, "cors", None) for method in ("GET", "HEAD")),
        *((SHOP, SHOP, method, "cors", SHOP) for method in ("POST", "PUT")),
        (SHOP, SHOP, "GET", "same-origin", None),
        (SHOP, SHOP, "DELETE", "same-origin", SHOP),
        ("null", API, "GET", "cors", "null"),
        ("null", API, "GET", "no-cors", None),
        ("null", API, "POST", "no-cors", "null"),
    ],
)
def test_origin(page, url, method, mode, origin):
    """These fetches have an ``Origin``, and the others have none."""
    response = Browser(friendly(), page).fetch(f"{url}/", method=method, mode=mode)
    assert sent(response, "Origin") == (origin,)


def test_origin_without_a_fetch():
    browser, url = Browser(friendly(), SHOP), f"{API}/"
    assert sent(browser.navigate(url), "Origin") == (None,)
    assert sent(browser.submit(url), "Origin") == (SHOP,)
    assert sent(browser.submit(url, method="get"), "Origin") == (None,)
    assert sent(browser.send_beacon(url), "Origin", "Content-Type") == (SHOP, None)
    # Not told to a server that others can listen to.
    assert sent(browser.submit(f"{HTTP_API}/"), "Origin", "Referer") == ("null", None)


@pytest.mark.parametrize(
    ("page", "url", "referer"),
    [
        (SHOP, API, f"{SHOP}/"),
        (SHOP, SHOP, f"{SHOP}/"),
        (HTTP_SHOP, HTTP_API, f"{HTTP_SHOP}/"),
        (HTTP_SHOP, API, f"{HTTP_SHOP}/"),
        ("null", API, None),
    ],
)
def test_referer(page, url, referer):
    """``Referer`` is the page's origin, or missing."""
    browser = Browser(friendly(), page)
    for response in (browser.fetch(f"{url}/"), browser.navigate(f"{url}/")):
        assert sent(response, "Referer") == (referer,)


def test_what_a_preflight_carries(engine):
    given = {"X-B": "1", "x-a": "1", "Content-Type": "application/json", "Accept-Language": "en"}
    response = Browser(anyone(), SHOP, engine).fetch(f"{API}/x?q", method="delete", headers=given)
    preflight = response.assert_readable().exchanges[0]
    assert (preflight.method, preflight.url) == ("OPTIONS", f"{API}/x?q")
    assert (preflight.preflight, preflight.request_body) == (True, b"")
    headers = preflight.request_headers
    assert headers["Access-Control-Request-Method"] == "DELETE"
    assert headers["Access-Control-Request-Headers"] == "content-type,x-a,x-b"
    assert headers["Origin"] == SHOP
    assert not {"X-A", "Content-Type", "Cookie", "Content-Length"} & set(headers.keys())


def test_headers_that_are_given_twice(engine):
    """Firefox names each that needs permission, and sends the last value of some."""
    browser = Browser(friendly(), SHOP, engine)
    given = [("X-A", "1"), ("x-a", "2"), ("Accept", "*/*"), ("Accept", '"')]
    response = browser.fetch(f"{API}/", headers=given).assert_readable()
    asked = response.exchanges[0].request_headers["Access-Control-Request-Headers"]
    assert asked == in_engine(engine, {"": "accept,x-a", "firefox": "accept,x-a,x-a"})
    given = [("Authorization", "1"), ("Authorization", "2")]
    response = browser.fetch(f"{SHOP}/", headers=given)
    assert sent(response, "Authorization") == in_engine(engine, {"": ("1, 2",), "firefox": ("2",)})


def test_content_length():
    """Requests that could have a body say that they have none. The type of a form does not make
    one."""
    for method, length in (("POST", "0"), ("PUT", "0"), ("GET", None), ("DELETE", None)):
        response = Browser(anyone(), API).fetch("/", method=method)
        assert sent(response, "Content-Length") == (length,)
    seen = []

    def view(request):
        seen.append((request.get_data(), request.environ.get("CONTENT_LENGTH")))
        return 200, OPEN, "ok"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    Browser(serve(view), SHOP).fetch(f"{API}/", headers=headers).assert_readable()
    assert seen == [(b"", None)]
