"""What each attribute of a cookie does, and which cookies go along."""

from __future__ import annotations

import time

import pytest

from flask_corsguard.testing import Browser
from flask_corsguard.testing.engines import ENGINES

from .servers import API, SHOP, serve


def _view(request):
    """Sets each line of the body, and answers with the cookies that came along."""
    lines = [
        ("Access-Control-Allow-Origin", request.headers.get("Origin", "*")),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Headers", "X-A"),
        *(("Set-Cookie", line) for line in request.get_data(as_text=True).splitlines()),
    ]
    if location := request.args.get("to"):
        return 307, [*lines, ("Location", location)], ""
    return 200, lines, request.headers.get("Cookie", "")


SERVER = serve(_view)


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    """Time stands still but for Browser.advance(), however slow the machine is."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)


def opened(*lines, at=f"{API}/a/b", page=None, engine="standard"):
    """A browser where a page has set cookies: by default one of the server's own."""
    browser = Browser(SERVER, page or "/".join(at.split("/")[:3]), engine)
    for line in lines:
        browser.fetch(at, method="POST", body=line, credentials="include").assert_readable()
    return browser


def cookies(browser, url):
    """The cookies that go to a URL, from a page of the same origin."""
    browser.page = "/".join(url.split("/")[:3])
    return browser.fetch(url).assert_readable().text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1", "a=1"),
        (" a = 1 ;", "a=1"),
        ("a=1=2", "a=1=2"),
        ("a=", "a="),
        ("a", "a"),
        ("=a", "a"),
        ("a=\"1 2\"", 'a="1 2"'),
        ("a=1; Unknown; x=y", "a=1"),
        ("", ""),
        ("=", ""),
        (";Path=/", ""),
        ("a=1\x01", ""),
        ("a=1\x7f", ""),
        ("a=1\t2", "a=1\t2"),
        (f"a={'b' * 4095}", f"a={'b' * 4095}"),
        (f"a={'b' * 4096}", ""),
        # Domain
        ("a=1; Domain=api.test", "a=1"),
        ("a=1; Domain=.API.test", "a=1"),
        ("a=1; Domain=", "a=1"),
        ("a=1; Domain=test", ""),
        ("a=1; Domain=other.test", ""),
        ("a=1; Domain=b.api.test", ""),
        ("a=1; Domain=i.test", ""),
        # Path
        ("a=1; Path=/a", "a=1"),
        ("a=1; Path=/a/", "a=1"),
        ("a=1; Path=/a/b", "a=1"),
        ("a=1; Path=/a/b/c", ""),
        ("a=1; Path=/b", ""),
        ("a=1; Path=b", "a=1"),
        ("a=1; Path=", "a=1"),
        ("a=1; Path=/b; path=/", "a=1"),
        (f"a=1; Path=/{'b' * 1024}", "a=1"),
        (f"a=1; Path=/{'b' * 1023}", ""),
        # When it ends
        ("a=1; Max-Age=60", "a=1"),
        ("a=1; Max-Age=0", ""),
        ("a=1; Max-Age=-1", ""),
        ("a=1; Max-Age=x", "a=1"),
        ("a=1; Max-Age=+5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("a=1; Expires=Thu, 01 Jan 2999 00:00:00 GMT", "a=1"),
        ("a=1; Expires=never", "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "a=1"),
        # Secure, SameSite
        ("a=1; Secure", "a=1"),
        ("a=1; HttpOnly", "a=1"),
        ("a=1; SameSite=Strict", "a=1"),
        ("a=1; SameSite=None; Secure", "a=1"),
        ("a=1; SameSite=None", ""),
        ("a=1; SameSite=odd", "a=1"),
        # Names that promise something
        ("__Secure-a=1; Secure", "__Secure-a=1"),
        ("__Secure-a=1", ""),
        ("__secure-a=1", ""),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1"),
        ("__Host-a=1; Secure", ""),
        ("__Host-a=1; Path=/", ""),
        ("__Host-a=1; Secure; Path=/; Domain=api.test", ""),
        ("__Host-a; Secure; Path=/", ""),
        ("__Secure-a; Secure", ""),
    ],
)  # fmt: skip
def test_what_a_server_may_set(line, expected):
    assert cookies(opened(line), f"{API}/a/b") == expected


@pytest.mark.parametrize(
    ("line", "sent_to", "not_to"),
    [
        ("a=1", ["/a/b", "/a/c", "/a/", "/a/b/c"], ["/", "/b", "/ab", "/a%2Fb"]),
        ("a=1; Path=/", ["/", "/b", "/a/b"], []),
        ("a=1; Path=/a", ["/a", "/a/", "/a/b", "/a?q"], ["/ab", "/", "/A"]),
        ("a=1; Path=/a/", ["/a/", "/a/b"], ["/a", "/ab"]),
        ("a=1; Path=/; Domain=api.test",
         ["https://b.api.test/", "https://c.b.api.test/", "http://api.test/", "https://api.test:444/"],
         ["https://xapi.test/", "https://test/", "https://other.test/"]),
        ("a=1; Path=/", ["https://api.test:444/", "http://api.test/"],
         ["https://b.api.test/", "https://other.test/"]),
        ("a=1; Path=/; Secure", ["https://api.test/"], ["http://api.test/"]),
    ],
)  # fmt: skip
def test_where_it_goes(line, sent_to, not_to):
    browser = opened(line)
    found = {
        url: cookies(browser, url if "://" in url else f"{API}{url}") for url in sent_to + not_to
    }
    assert found == dict.fromkeys(sent_to, "a=1") | dict.fromkeys(not_to, "")


@pytest.mark.parametrize(
    ("at", "sent_to", "not_to"),
    [
        ("/", ["/", "/x/y"], []),
        ("/x", ["/", "/y", "/x/y"], []),
        ("/x/", ["/x", "/x/y"], ["/", "/xy"]),
        ("/x/y?/z", ["/x", "/x/z"], ["/", "/xy"]),
    ],
)
def test_where_one_without_a_path_goes(at, sent_to, not_to):
    browser = opened("a=1", at=f"{API}{at}")
    for path in sent_to:
        assert cookies(browser, f"{API}{path}") == "a=1"
    for path in not_to:
        assert cookies(browser, f"{API}{path}") == ""


def test_the_longest_path_comes_first_and_then_the_oldest():
    browser = opened("a=1; Path=/", "b=2; Path=/a", "c=3; Path=/", "a=4; Path=/")
    assert cookies(browser, f"{API}/a/b") == "b=2; a=4; c=3"


def test_one_of_a_kind_replaces_another():
    browser = opened("a=1; Path=/", "a=2; Path=/a", "a=3; Path=/; Domain=api.test")
    assert cookies(browser, f"{API}/a/b") == "a=2; a=1; a=3"
    browser.fetch("/", method="POST", body="a=0; Path=/; Max-Age=0")
    assert cookies(browser, f"{API}/a/b") == "a=2; a=3"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("a=1; Path=/; Max-Age=60", 60),
        ("a=1; Path=/; Max-Age=99999999999", 400 * 86400),
        ("a=1; Path=/; Expires=Thu, 01 Jan 2999 00:00:00 GMT", 400 * 86400),
        ("a=1; Path=/", None),
    ],
)
def test_it_grows_old(line, seconds):
    browser = opened(line)
    browser.advance((seconds or 10**9) - 1)
    assert cookies(browser, f"{API}/") == "a=1"
    browser.advance(1)
    assert cookies(browser, f"{API}/") == ("" if seconds else "a=1")
    assert cookies(opened("b=2", "c=3; Max-Age=1"), f"{API}/a/") == "b=2; c=3"


def test_an_insecure_server_cannot_hide_a_secure_cookie():
    browser = opened("a=1; Path=/; Secure; Domain=api.test")
    browser.page = "http://b.api.test"
    for line in ("a=2; Path=/", "a=3; Path=/; Domain=api.test", "a=4; Path=/x"):
        browser.fetch("/", method="POST", body=line)
    browser.fetch("/", method="POST", body="b=5; Path=/; Domain=api.test")
    assert cookies(browser, "https://b.api.test/x") == "a=1; b=5"


@pytest.mark.parametrize("engine", ENGINES)
def test_secure_cookies_of_a_trustworthy_address(engine):
    local = "http://localhost:5000/"
    found = cookies(opened("a=1; Secure", at=local, engine=engine), local)
    assert found == ("" if engine == "webkit" else "a=1")
    browser = opened("a=1; Path=/", at="http://localhost:5000/", engine=engine)
    assert cookies(browser, "http://localhost:5000/") == "a=1"
    assert cookies(opened("a=1; Secure", at="http://api.test/", engine=engine), API + "/") == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "[::1]", "localhost", "co.uk"])
def test_hosts_that_are_no_domain(host):
    at = f"https://{host}/"
    assert cookies(opened("a=1", at=at), at) == "a=1"
    assert cookies(opened(f"a=1; Domain={host}", at=at), at) == "a=1"


# Which go along. The page is SHOP or of the same site as the server; the line is the server's.

ALL = {"fetch", "same-site fetch", "link", "form"}
SAME_SITE = "https://www.api.test"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SameSite=Strict", {"same-site fetch"}),
        ("SameSite=Lax", {"same-site fetch", "link"}),
        ("SameSite=None; Secure", ALL),
    ],
)
def test_same_site(line, expected):
    browser = opened(f"a=1; Path=/; {line}")
    found = set()
    url = f"{API}/"
    for page, what in (
        (SHOP, lambda: browser.fetch(url, credentials="include")),
        (SAME_SITE, lambda: browser.fetch(url, credentials="include")),
        (SHOP, lambda: browser.navigate(url)),
        (SHOP, lambda: browser.submit(url)),
    ):
        browser.page = page
        (exchange,) = what().exchanges
        if exchange.response_body == b"a=1":
            method = exchange.request_headers["Sec-Fetch-Mode"]
            kind = "fetch" if method == "cors" else "link" if exchange.method == "GET" else "form"
            found.add(f"same-site {kind}" if page == SAME_SITE else kind)
    assert found == expected


NONE = "a=1; Path=/; SameSite=None; Secure"


@pytest.mark.parametrize(
    ("line", "set_by", "sent_to"),
    [
        # Set under the server's own address: which engines send it along from another site?
        (NONE, API, {"standard": {API, SHOP}, "chromium": {API}, "firefox": {API},
                     "webkit": {API, SHOP}}),
        # Set from another site: stored at all, and for whom?
        (NONE, SHOP, {"standard": {API, SHOP}, "chromium": set(), "firefox": {SHOP},
                      "webkit": set()}),
        # For the pages of one site, by wish; WebKit does not know that attribute.
        (f"{NONE}; Partitioned", SHOP, {"standard": {SHOP}, "chromium": {SHOP}, "firefox": {SHOP},
                                        "webkit": set()}),
        (f"{NONE}; Partitioned", API, {"standard": {API}, "chromium": {API}, "firefox": {API},
                                       "webkit": {API, SHOP}}),
        ("a=1; Path=/; Partitioned", API, {"standard": set(), "chromium": set(), "firefox": set(),
                                           "webkit": {API, SHOP}}),
    ],
)  # fmt: skip
def test_cookies_of_other_sites(line, set_by, sent_to):
    found = {}
    for engine in ENGINES:
        browser = opened(line, page=set_by, engine=engine)
        found[engine] = set()
        for page in (API, SHOP):
            browser.page = page
            if browser.fetch(f"{API}/", credentials="include").assert_readable().text:
                found[engine].add(page)
    assert found == sent_to


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("page", "credentials", "goes"),
    [
        (API, "include", True),
        (API, "same-origin", True),
        (API, "omit", False),
        (SAME_SITE, "include", True),
        (SAME_SITE, "same-origin", False),
        (SAME_SITE, "omit", False),
    ],
)
def test_credentials(engine, page, credentials, goes):
    browser = opened("a=1; Path=/", engine=engine)
    browser.page = page
    response = browser.fetch(f"{API}/", credentials=credentials).assert_readable()
    assert response.text == ("a=1" if goes else "")
    # What goes decides about what stays, too.
    browser.fetch(f"{API}/", method="POST", body="b=2; Path=/", credentials=credentials)
    assert cookies(browser, f"{API}/") == ("a=1; b=2" if goes else "a=1")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_preflight_has_no_cookies(engine):
    browser = opened("a=1; Path=/", engine=engine)
    browser.page = SAME_SITE
    response = browser.fetch(f"{API}/", headers={"X-A": "1"}, credentials="include")
    preflight, request = response.assert_readable().exchanges
    assert preflight.preflight
    assert "Cookie" not in preflight.request_headers
    assert request.request_headers["Cookie"] == "a=1"


def test_a_sandboxed_page_is_of_no_site():
    browser = opened("a=1; Path=/", "b=2; Path=/; SameSite=None; Secure")
    browser.page = "null"
    assert browser.fetch(f"{API}/", credentials="include").assert_readable().text == "b=2"


def test_script_never_sets_or_sees_them():
    browser = opened("a=1; Path=/")
    response = browser.fetch("/", method="POST", body="c=3", headers={"Cookie": "x=y"})
    assert response.text == "a=1"
    assert "set-cookie" not in response.headers
    assert response.headers.why_not("Set-Cookie").startswith("JavaScript never sees Set-Cookie")


def test_cookies_of_a_redirect():
    browser = opened()
    browser.fetch("/x?to=/y", method="POST", body="a=1; Path=/")
    assert cookies(browser, f"{API}/") == "a=1"


def test_chromium_lets_a_young_cookie_go_with_a_form():
    """Where a server did not say what SameSite is: for two minutes
    (https://www.chromium.org/updates/same-site/faq/)."""
    browser = opened("a=1; Path=/", engine="chromium")
    window = ENGINES["chromium"].lax_post_window
    browser.page = SHOP
    assert (browser.submit(f"{API}/").exchanges[0].response_body == b"a=1") == (window > 0)
    browser.advance(window + 1)
    assert browser.submit(f"{API}/").exchanges[0].response_body == b""
