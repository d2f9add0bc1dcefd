"""What redirects make of a request, and when they end it."""

from __future__ import annotations

import pytest

from flask_corsguard.testing import Browser

from .servers import API, OPEN, SHOP, anyone, fixed, hops, in_engine, redirecting, serve

OTHER = "https://other.test"
TEXT = "text/plain;charset=UTF-8"
DELETE = {"method": "DELETE"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_methods_and_bodies(engine, status, method):
    """These requests become a GET, without a body and the headers that go with one."""
    body = "x" if method in ("POST", "PUT") else None
    headers = {"X-A": "1", "Content-Language": "en"}
    browser = Browser(hops((status, "/1")), SHOP, engine)
    response = browser.fetch(f"{API}/", method=method, headers=headers, body=body)
    last = response.assert_readable().exchanges[-1]
    becomes_get = (status in (301, 302) and method == "POST") or (status == 303 and bool(body))
    keeps_body = body is not None and not becomes_get
    assert last.method == ("GET" if becomes_get else method)
    assert last.request_body == (b"x" if keeps_body else b"")
    sent = [last.request_headers.get(n) for n in ("Content-Type", "Content-Language", "X-A")]
    assert sent == [TEXT if keeps_body else None, None if becomes_get else "en", "1"]
    assert (response.url, response.redirected) == (f"{API}/1", True)


# Servers, a fetch, what to look at in each exchange ("" for methods), and what is found there.
ON_THE_WAY = [
    # In WebKit, DELETE becomes a GET, which needs a preflight all the same.
    *(
        (hops((status, f"{OTHER}/1")), API, DELETE, "",
         {"": "OPTIONS DELETE OPTIONS DELETE", "webkit": "OPTIONS DELETE OPTIONS GET"})
        for status in (301, 302, 307, 308)
    ),
    *(
        (hops((status, "/1")), API, DELETE, "", {"": "OPTIONS DELETE OPTIONS DELETE"})
        for status in (301, 302, 307, 308)
    ),
    # On the page's own origin, Firefox and WebKit note headers that need permission, not methods.
    (hops((303, f"{API}/1")), SHOP, {"method": "PUT"}, "", {"": "PUT GET"}),
    (hops((303, f"{API}/1")), SHOP, {"headers": {"Authorization": "x"}}, "",
     {"": "GET GET", "firefox webkit": "GET OPTIONS GET"}),
    (hops((302, "/1"), (302, f"{OTHER}/2")), API, {"headers": {"Authorization": "x"}},
     "Authorization", {"": "- x - x -", "firefox webkit": "- x - x - -"}),
    (hops((303, "/1")), SHOP, {"method": "POST"}, "Origin",
     {"": f"{SHOP} -", "webkit": f"{SHOP} {SHOP}"}),
    # In Firefox and WebKit, the next redirect brings back the headers that go with a body.
    (hops((303, "/1"), (302, "/2"), (302, "/3")), SHOP, {"method": "POST", "body": "x"},
     "Content-Type", {"": f"{TEXT} - - -", "firefox webkit": f"{TEXT} - {TEXT} {TEXT}"}),
    # All sites on the way count. A preflight is a request of its own. In WebKit, the request
    # after it says nothing.
    (hops((302, f"{SHOP}/1")), API, {}, "Sec-Fetch-Site",
     {"": "cross-site cross-site", "webkit": "cross-site -"}),
    (hops((307, f"{OTHER}/1"), (307, f"{SHOP}/2")), SHOP,
     {"method": "PUT", "credentials": "omit"}, "Sec-Fetch-Site",
     {"": "same-origin cross-site cross-site same-origin cross-site",
      "webkit": "same-origin cross-site - cross-site -"}),
]  # fmt: skip


@pytest.mark.parametrize(("server", "at", "sent", "header", "found"), ON_THE_WAY)
def test_on_the_way(engine, server, at, sent, header, found):
    """Every request, preflights included, has this method or header in each engine."""
    response = Browser(server, SHOP, engine).fetch(f"{at}/", **sent).assert_readable()
    values = [
        e.request_headers.get(header, "-") if header else e.method for e in response.exchanges
    ]
    assert " ".join(values) == in_engine(engine, found)
    assert not response.exchanges[-1].request_body


def test_where_the_origin_becomes_null(engine):
    """In WebKit, redirects that leave the page's own origin have to allow credentials."""
    servers = {SHOP: redirecting(f"{API}/"), API: redirecting(f"{OTHER}/")}
    servers[OTHER] = redirecting(f"{API}/x")
    response = Browser(servers, SHOP, engine).fetch("/")
    origins = [exchange.request_headers.get("Origin") for exchange in response.exchanges]
    if engine == "webkit":
        response.assert_blocked("allow_origin_wildcard")
        assert origins == [None, SHOP]
    else:
        response.assert_blocked("redirect_limit")
        assert origins == [None, SHOP, *["null"] * 19]


@pytest.mark.parametrize(
    ("location", "mode", "reason", "sent"),
    [
        (f"{API}/", "cors", "allow_origin_missing", 2),
        (f"{API}/", "no-cors", "mode_no_cors", 2),
        (f"{API}/", "same-origin", "mode_same_origin", 1),
        ("https://me:pw@shop.example/1", "cors", None, 2),
        ("https://me:pw@api.test/", "cors", "redirect_userinfo", 1),
    ],
)
def test_away_from_the_own_origin(location, mode, reason, sent):
    """A redirect from the page's own origin is stopped by this rule, after so many requests."""
    response = Browser({SHOP: hops((302, location)), API: fixed()}, SHOP).fetch("/", mode=mode)
    assert (response.reason, len(response.exchanges)) == (reason, sent)


@pytest.mark.parametrize(
    ("locations", "redirect", "reason"),
    [
        (["/1"], "follow", {"": None}),
        (["/1"], "manual", {"": "redirect_manual"}),
        (["/1"], "error", {"": "redirect_unwanted"}),
        ([], "follow", {"": None}),
        ([], "manual", {"": "redirect_manual"}),
        ([], "error", {"": "redirect_unwanted", "chromium webkit": None}),
        (["/1", "/1"], "follow", {"": "redirect_multiple", "chromium firefox": None}),
        (["/1", "/2"], "follow", {"": "redirect_multiple"}),
    ],
)
def test_what_is_followed(engine, locations, redirect, reason):
    """A redirect is followed or blocked by how many ``Location`` lines it has."""
    lines = [*OPEN.items(), *(("Location", location) for location in locations)]
    browser = Browser(
        serve(lambda r: (200, OPEN, "") if r.path == "/1" else (302, lines, "")), SHOP, engine
    )
    response = browser.fetch(f"{API}/", redirect=redirect)
    assert response.reason == in_engine(engine, reason)
    is_followed = response.readable and bool(locations)
    assert (len(response.exchanges), response.redirected) == (1 + is_followed, is_followed)
    if response.readable:
        assert response.status == (200 if is_followed else 302)
    assert browser.fetch(f"{API}/1", redirect=redirect).readable


def test_20_redirects_and_one_too_many():
    for count, reason in ((20, None), (21, "redirect_limit")):
        chain = hops(*((302, f"/{number + 1}") for number in range(count)))
        response = Browser(chain, SHOP).fetch(f"{API}/")
        assert (response.reason, len(response.exchanges)) == (reason, 21)


def test_a_navigation_follows_as_well():
    browser = Browser({API: redirecting(f"{OTHER}/x"), OTHER: anyone()}, SHOP)
    response = browser.navigate(f"{API}/")
    assert [exchange.url for exchange in response.exchanges] == [f"{API}/", f"{OTHER}/x"]
    assert browser.page == SHOP
    assert len(browser.submit(f"{API}/", {"a": "1"}).assert_blocked("navigation").exchanges) == 2
