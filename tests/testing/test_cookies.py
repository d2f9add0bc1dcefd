"""What each attribute of a cookie does, and which cookies go along."""

from __future__ import annotations

import pytest

from flask_corsguard.testing import Browser
from flask_corsguard.testing.engines import ENGINES

from .servers import API, SHOP, in_engine, serve

SAME_SITE = "https://www.api.test"
LOCAL = "http://localhost:5000/"


def _view(request):
    """Sets each line of the body, and returns the cookies that came along."""
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
        ("a=1", "a=1"), (" a = 1 ;", "a=1"), ("a=1=2", "a=1=2"), ("a=", "a="), ("a", "a"),
        ("=a", "a"), ("a=\"1 2\"", 'a="1 2"'), ("a=1; Unknown; x=y", "a=1"), ("", ""), ("=", ""),
        (";Path=/", ""), ("a=1\x01", ""), ("a=1\x7f", ""), ("a=1\t2", "a=1\t2"),
        (f"a={'b' * 4095}", f"a={'b' * 4095}"), (f"a={'b' * 4096}", ""),
        # Domain
        ("a=1; Domain=api.test", "a=1"), ("a=1; Domain=.API.test", "a=1"), ("a=1; Domain=", "a=1"),
        ("a=1; Domain=test", ""), ("a=1; Domain=other.test", ""), ("a=1; Domain=b.api.test", ""),
        ("a=1; Domain=i.test", ""),
        # Path
        ("a=1; Path=/a", "a=1"), ("a=1; Path=/a/", "a=1"), ("a=1; Path=/a/b", "a=1"),
        ("a=1; Path=/a/b/c", ""), ("a=1; Path=/b", ""), ("a=1; Path=b", "a=1"),
        ("a=1; Path=", "a=1"), ("a=1; Path=/b; path=/", "a=1"), (f"a=1; Path=/{'b' * 1024}", "a=1"),
        (f"a=1; Path=/{'b' * 1023}", ""),
        # When it ends
        ("a=1; Max-Age=60", "a=1"), ("a=1; Max-Age=0", ""), ("a=1; Max-Age=-1", ""),
        ("a=1; Max-Age=x", "a=1"), ("a=1; Max-Age=+5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("a=1; Expires=Thu, 01 Jan 2999 00:00:00 GMT", "a=1"), ("a=1; Expires=never", "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "a=1"),
        # Secure, SameSite
        ("a=1; Secure", "a=1"), ("a=1; HttpOnly", "a=1"), ("a=1; SameSite=Strict", "a=1"),
        ("a=1; SameSite=None; Secure", "a=1"), ("a=1; SameSite=None", ""),
        ("a=1; SameSite=odd", "a=1"),
        # Names that promise something
        ("__Secure-a=1; Secure", "__Secure-a=1"), ("__Secure-a=1", ""), ("__secure-a=1", ""),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1"), ("__Host-a=1; Secure", ""),
        ("__Host-a=1; Path=/", ""), ("__Host-a=1; Secure; Path=/; Domain=api.test", ""),
        ("__Host-a; Secure; Path=/", ""), ("__Secure-a; Secure", ""),
    ],
)  # fmt: skip
def test_what_a_server_may_set(line, expected):
    """Each ``Set-Cookie`` line leaves this cookie, or none."""
    assert cookies(opened(line), f"{API}/a/b") == expected


@pytest.mark.parametrize(
    ("line", "at", "sent_to", "not_to"),
    [
        ("a=1; Path=/", "/a/b", ["/", "/b", "/a/b"], []),
        ("a=1; Path=/a", "/a/b", ["/a", "/a/", "/a/b", "/a?q"], ["/ab", "/", "/A"]),
        ("a=1; Path=/a/", "/a/b", ["/a/", "/a/b"], ["/a", "/ab"]),
        # Without a path, it is for the folder of where it was set.
        ("a=1", "/a/b", ["/a/b", "/a/c", "/a/", "/a/b/c"], ["/", "/b", "/ab", "/a%2Fb"]),
        ("a=1", "/", ["/", "/x/y"], []),
        ("a=1", "/x", ["/", "/y", "/x/y"], []),
        ("a=1", "/x/", ["/x", "/x/y"], ["/", "/xy"]),
        ("a=1", "/x/y?/z", ["/x", "/x/z"], ["/", "/xy"]),
        ("a=1; Path=/; Domain=api.test", "/",
         ["https://b.api.test/", "https://c.b.api.test/", "http://api.test/", "https://api.test:444/"],
         ["https://xapi.test/", "https://test/", "https://other.test/"]),
        ("a=1; Path=/", "/", ["https://api.test:444/", "http://api.test/"],
         ["https://b.api.test/", "https://other.test/"]),
        ("a=1; Path=/; Secure", "/", ["https://api.test/"], ["http://api.test/"]),
    ],
)  # fmt: skip
def test_where_it_goes(line, at, sent_to, not_to):
    """A cookie is sent to the first addresses, and not to the others."""
    browser = opened(line, at=f"{API}{at}")
    urls = {url: url if "://" in url else f"{API}{url}" for url in sent_to + not_to}
    found = {url: cookies(browser, whole) for url, whole in urls.items()}
    assert found == dict.fromkeys(sent_to, "a=1") | dict.fromkeys(not_to, "")


def test_order_and_replacement():
    """The longest path comes first, then the oldest. One of a kind replaces another."""
    browser = opened("a=1; Path=/", "b=2; Path=/a", "c=3; Path=/", "a=4; Path=/")
    assert cookies(browser, f"{API}/a/b") == "b=2; a=4; c=3"
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
    """A cookie is sent for so many seconds, and no longer."""
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


def test_secure_cookies_of_a_trustworthy_address(engine):
    found = cookies(opened("a=1; Secure", at=LOCAL, engine=engine), LOCAL)
    assert found == in_engine(engine, {"": "a=1", "webkit": ""})
    assert cookies(opened("a=1; Path=/", at=LOCAL, engine=engine), LOCAL) == "a=1"
    assert cookies(opened("a=1; Secure", at="http://api.test/", engine=engine), f"{API}/") == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "[::1]", "localhost", "co.uk"])
def test_hosts_that_are_not_a_domain(host):
    """A host that is no domain may name itself in ``Domain``."""
    at = f"https://{host}/"
    for line in ("a=1", f"a=1; Domain={host}"):
        assert cookies(opened(line, at=at), at) == "a=1"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("SameSite=Strict", ["", "a=1", "", ""]),
        ("SameSite=Lax", ["", "a=1", "a=1", ""]),
        ("SameSite=None; Secure", ["a=1", "a=1", "a=1", "a=1"]),
    ],
)
def test_same_site(line, found):
    """The cookie goes along with a fetch from another site or the same one, a link, or a form."""
    browser = opened(f"a=1; Path=/; {line}", page=API)
    url, sent = f"{API}/", []
    for page, act, options in (
        (SHOP, browser.fetch, {"credentials": "include"}),
        (SAME_SITE, browser.fetch, {"credentials": "include"}),
        (SHOP, browser.navigate, {}),
        (SHOP, browser.submit, {}),
    ):
        browser.page = page
        sent.append(act(url, **options).exchanges[0].request_headers.get("Cookie", ""))
    assert sent == found


NONE = "a=1; Path=/; SameSite=None; Secure"
BOTH = {API, SHOP}


@pytest.mark.parametrize(
    ("line", "set_by", "sent_to"),
    [
        # Set under the server's own address: which engines send it along from another site?
        (NONE, API, {"": BOTH, "chromium firefox": {API}}),
        # Set from another site: stored at all, and for whom?
        (NONE, SHOP, {"standard": BOTH, "firefox": {SHOP}, "": set()}),
        # For the pages of one site, by wish; WebKit does not know that attribute.
        (f"{NONE}; Partitioned", SHOP, {"": {SHOP}, "webkit": set()}),
        (f"{NONE}; Partitioned", API, {"": {API}, "webkit": BOTH}),
        ("a=1; Path=/; Partitioned", API, {"": set(), "webkit": BOTH}),
    ],
)
def test_cookies_of_other_sites(engine, line, set_by, sent_to):
    """A cookie set by the server's own page, or another site's, is sent from these pages."""
    browser, found = opened(line, page=set_by, engine=engine), set()
    for page in (API, SHOP):
        browser.page = page
        if browser.fetch(f"{API}/", credentials="include").assert_readable().text:
            found.add(page)
    assert found == in_engine(engine, sent_to)


@pytest.mark.parametrize(
    ("page", "credentials", "goes"),
    [
        *((API, credentials, True) for credentials in ("include", "same-origin")),
        (API, "omit", False),
        (SAME_SITE, "include", True),
        *((SAME_SITE, credentials, False) for credentials in ("same-origin", "omit")),
    ],
)
def test_credentials(engine, page, credentials, goes):
    """``credentials`` says whether cookies are sent, and whether those of the response are kept."""
    browser = opened("a=1; Path=/", engine=engine)
    browser.page = page
    response = browser.fetch(f"{API}/", credentials=credentials).assert_readable()
    assert response.text == ("a=1" if goes else "")
    browser.fetch(f"{API}/", method="POST", body="b=2; Path=/", credentials=credentials)
    assert cookies(browser, f"{API}/") == ("a=1; b=2" if goes else "a=1")


def test_a_preflight_has_no_cookies(engine):
    browser = opened("a=1; Path=/", engine=engine)
    browser.page = SAME_SITE
    response = browser.fetch(f"{API}/", headers={"X-A": "1"}, credentials="include")
    preflight, request = response.assert_readable().exchanges
    assert preflight.preflight
    assert "Cookie" not in preflight.request_headers
    assert request.request_headers["Cookie"] == "a=1"


@pytest.mark.parametrize(
    ("page", "credentials", "body", "lost"),
    [
        (SHOP, "same-origin", "a=1", True),
        (SHOP, "omit", "a=1", True),
        (SHOP, "include", "a=1", False),
        (SHOP, "same-origin", "", False),
        (API, "same-origin", "a=1", False),
    ],
)
def test_a_cookie_that_credentials_keep_from_being_stored(page, credentials, body, lost):
    browser = Browser(SERVER, page)
    response = browser.fetch(f"{API}/", method="POST", body=body, credentials=credentials)
    found = (
        "The browser keeps no cookies from this response, because credentials is"
        f" '{credentials}'.\n"
    )
    assert (found in response.why) == lost
    assert ("set credentials: 'include' in this request" in response.why) == lost


ELSEWHERE = f"and {SHOP} is another site than {API}"
BETTER = (
    " Better, serve the page and the API under one domain, since many browsers block third-party"
    " cookies."
)
NONE = 'set SESSION_COOKIE_SAMESITE="None" and SESSION_COOKIE_SECURE=True.' + BETTER
TO_ONE_DOMAIN = "serve the page and the API under one domain."
# A cookie, what the browser objects to in each engine, and what to change ("" if it keeps it).
LOST = [
    ("session=1", f"it has no SameSite, {ELSEWHERE}.", NONE),
    ("session=1; SameSite=Strict; Secure", f"it has SameSite=Strict, {ELSEWHERE}.", NONE),
    ("session=1; SameSite=None", "it has SameSite=None without Secure.",
     "set SESSION_COOKIE_SECURE=True." + BETTER),
    ("token=1; SameSite=Lax", f"it has SameSite=Lax, {ELSEWHERE}.",
     "call set_cookie('token', ..., samesite=\"None\", secure=True)." + BETTER),
    ("token=1; SameSite=None", "it has SameSite=None without Secure.",
     "call set_cookie('token', ..., secure=True)." + BETTER),
    ("session=1; SameSite=None; Secure", "", ""),
    ("session=; Max-Age=0", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "found", "change"), LOST)
def test_a_cookie_that_its_attributes_keep_from_being_stored(line, found, change):
    """The response that sets it says so, and the next one says what the request lacked."""
    browser = Browser(SERVER, SHOP)
    name = line.partition("=")[0]
    for verb, body in (("keep", line), ("send", "")):
        response = browser.fetch(f"{API}/", method="POST", body=body, credentials="include")
        words = f"The browser does not {verb} the cookie '{name}': {found}\nChange: {change}"
        assert response.why == (words if found else "")
    # Nothing else needs to be said of a page of the same site.
    browser.page = SAME_SITE
    response = browser.fetch(f"{API}/", credentials="include")
    assert ("SameSite=None without Secure" in found) == bool(response.why)
    assert "Better" not in response.why


@pytest.mark.parametrize(
    ("engine", "verbs"), [("chromium", "keep send"), ("webkit", "keep send"), ("firefox", "")]
)
def test_a_third_party_cookie(engine, verbs):
    browser = Browser(SERVER, SHOP, engine)
    line = "session=1; SameSite=None; Secure"
    found = []
    for body in (line, ""):
        response = browser.fetch(f"{API}/", method="POST", body=body, credentials="include")
        found += [response.why] if response.why else []
    assert found == [
        f"The browser does not {verb} the cookie 'session': it is a third-party cookie, which the"
        f" engine {engine} restricts.\nChange: {TO_ONE_DOMAIN}"
        for verb in verbs.split()
    ]


def test_a_cookie_that_was_stored_on_another_page():
    """As after a sign-in on a page of the server's own."""
    browser = opened("session=1; SameSite=Lax; Secure; Path=/")
    browser.page = SHOP
    why = browser.fetch(f"{API}/", credentials="include").why
    assert why == (
        f"The browser does not send the cookie 'session': it has SameSite=Lax, {ELSEWHERE}.\n"
        f"Change: {NONE}"
    )
    assert browser.fetch(f"{API}/").why == ""  # a request that wants no cookies lacks none


def test_a_cookie_that_is_deleted_is_not_missed():
    browser = Browser(SERVER, SHOP)
    for body, is_missed in (("session=1", True), ("session=; Max-Age=0", False), ("", False)):
        response = browser.fetch(f"{API}/", method="POST", body=body, credentials="include")
        assert ("does not keep" in response.why) == is_missed
    assert response.why == ""


def test_a_cookie_that_is_sent_from_its_own_partition():
    """Another one with its name is not missed."""
    line = "session=1; SameSite=None; Secure"
    browser = opened(line, at=f"{API}/", engine="firefox")
    browser.page = SHOP
    assert "third-party" in browser.fetch(f"{API}/", credentials="include").why
    browser.fetch(f"{API}/", method="POST", body=line, credentials="include")
    assert browser.fetch(f"{API}/", credentials="include").why == ""


def test_a_cookie_between_two_names_of_this_machine():
    browser = Browser(SERVER, "http://localhost:5173")
    response = browser.fetch(
        "http://127.0.0.1:5000/", method="POST", body="session=1", credentials="include"
    )
    assert "Better, have the page call http://localhost:5000, since many" in response.why


def test_a_sandboxed_page_is_of_no_site():
    browser = opened("a=1; Path=/", "b=2; Path=/; SameSite=None; Secure")
    browser.page = "null"
    assert browser.fetch(f"{API}/", credentials="include").assert_readable().text == "b=2"


def test_javascript_never_sets_or_sees_them():
    response = opened("a=1; Path=/").fetch(
        "/", method="POST", body="c=3", headers={"Cookie": "x=y"}
    )
    assert response.text == "a=1"
    assert "set-cookie" not in response.headers
    assert response.headers.why_not("Set-Cookie").startswith("JavaScript never sees Set-Cookie")


def test_cookies_of_a_redirect():
    browser = opened()
    browser.fetch("/x?to=/y", method="POST", body="a=1; Path=/")
    assert cookies(browser, f"{API}/") == "a=1"


def test_chromium_lets_a_young_cookie_go_with_a_form():
    """If the server did not name a SameSite, the cookie goes along for two minutes
    (https://www.chromium.org/updates/same-site/faq/)."""
    browser = opened("a=1; Path=/", engine="chromium")
    window = ENGINES["chromium"].lax_post_window
    browser.page = SHOP
    assert (browser.submit(f"{API}/").exchanges[0].response_body == b"a=1") == (window > 0)
    browser.advance(window + 1)
    assert browser.submit(f"{API}/").exchanges[0].response_body == b""
