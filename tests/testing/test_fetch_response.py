"""What an response says: why script may not read it, and what to send and to change instead."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Outcome
from flask_corsguard.testing import Block, Browser, BrowserError, FetchTypeError

from .servers import API, OPEN, SHOP, anyone, fixed, serve

ORIGIN = "Access-Control-Allow-Origin"
MINE = {ORIGIN: SHOP}
METHODS = "Access-Control-Allow-Methods"
HEADERS = "Access-Control-Allow-Headers"
INCLUDE = {"credentials": "include"}
PUT = {"method": "PUT"}
X_A = {"headers": {"X-A": "1"}}
ALLOW_MINE = f"Access-Control-Allow-Origin: {SHOP}"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials: true"
FOR_PUT = f"{ALLOW_MINE} | {METHODS}: PUT"


def redirecting(location, status=302):
    return fixed(status, {**OPEN, "Location": location})


def preflights(status=204, **changes):
    lines = {name.replace("_", "-"): value for name, value in changes.items()}
    return fixed(lines=OPEN, preflight=(status, MINE | lines))


# What was asked of which server, which rule stopped it, what the sentence says, what it says to
# send, and what to change.
BLOCKS = [
    (fixed(), {}, Block.ALLOW_ORIGIN_MISSING, "has no Access-Control-Allow-Origin", ALLOW_MINE,
     f"add '{SHOP}' to origins"),
    (fixed(lines=OPEN, preflight=(204, {})), PUT, Block.ALLOW_ORIGIN_MISSING,
     "The preflight's response has no Access-Control-Allow-Origin", ALLOW_MINE,
     f"add '{SHOP}' to origins"),
    (fixed(lines=[(ORIGIN, SHOP), (ORIGIN, SHOP)]), {}, Block.ALLOW_ORIGIN_MULTIPLE,
     f"'{SHOP}, {SHOP}'", ALLOW_MINE, "have one place write CORS headers"),
    (fixed(lines={ORIGIN: f"{SHOP}, https://b.example"}), {}, Block.ALLOW_ORIGIN_MULTIPLE,
     "several values", ALLOW_MINE, "have one place write CORS headers"),
    *(
        (fixed(lines={ORIGIN: value}), {}, Block.ALLOW_ORIGIN_INVALID,
         "neither '*' nor an origin as browsers write it", ALLOW_MINE, f"add '{SHOP}' to origins")
        for value in (f"{SHOP}/", f"{SHOP}:443", SHOP.upper(), "shop.example", "https://*.example",
                      "")
    ),
    (fixed(lines={ORIGIN: "https://b.example"}), {}, Block.ALLOW_ORIGIN_MISMATCH,
     "lets pages of 'https://b.example' read it", ALLOW_MINE, f"add '{SHOP}' to origins"),
    (fixed(lines={ORIGIN: "null"}), {}, Block.ALLOW_ORIGIN_MISMATCH, "lets pages of 'null' read it",
     ALLOW_MINE, f"add '{SHOP}' to origins"),
    (anyone(), INCLUDE, Block.ALLOW_ORIGIN_WILDCARD, "does not count for a request with",
     f"{ALLOW_MINE} | {ALLOW_CREDENTIALS}", "list the origins instead of '*'"),
    (fixed(lines=MINE), INCLUDE, Block.ALLOW_CREDENTIALS_MISSING,
     "has no Access-Control-Allow-Credentials", ALLOW_CREDENTIALS, "set allow_credentials=True"),
    (fixed(lines=MINE | {"Access-Control-Allow-Credentials": "True"}), INCLUDE,
     Block.ALLOW_CREDENTIALS_MISSING, "Access-Control-Allow-Credentials: 'True' instead of 'true'",
     ALLOW_CREDENTIALS, "set allow_credentials=True"),
    (preflights(), PUT | INCLUDE, Block.ALLOW_CREDENTIALS_MISSING,
     "The preflight's response has no Access-Control-Allow-Credentials", ALLOW_CREDENTIALS,
     "set allow_credentials=True"),
    (preflights(301, Location="/login"), PUT, Block.PREFLIGHT_REDIRECTED,
     "redirect (status 301, to '/login')", f"a 2xx status at {API}/ itself | {FOR_PUT}",
     "mind a trailing slash"),
    (preflights(308), PUT, Block.PREFLIGHT_REDIRECTED, "redirect (status 308)",
     f"a 2xx status at {API}/ itself | {FOR_PUT}", "mind a trailing slash"),
    (preflights(401), PUT, Block.PREFLIGHT_STATUS, "answered with status 401",
     f"204 No Content to OPTIONS {API}/ | {FOR_PUT}", "let the guard answer OPTIONS"),
    (preflights(304), PUT, Block.PREFLIGHT_STATUS, "answered with status 304",
     f"204 No Content to OPTIONS {API}/ | {FOR_PUT}", "let the guard answer OPTIONS"),
    (preflights(Access_Control_Allow_Methods="PUT POST"), PUT, Block.ALLOW_METHODS_INVALID,
     "Access-Control-Allow-Methods: 'PUT POST', which is not a list", f"{METHODS}: PUT",
     "methods=['PUT']"),
    (preflights(Access_Control_Allow_Headers="X-A; X-B"), X_A, Block.ALLOW_HEADERS_INVALID,
     "Access-Control-Allow-Headers: 'X-A; X-B', which is not a list", f"{HEADERS}: x-a",
     "allow_headers=['x-a']"),
    (preflights(), PUT, Block.METHOD_NOT_ALLOWED, "does not allow PUT: it allows none",
     f"{METHODS}: PUT", "add 'PUT' to methods"),
    (preflights(Access_Control_Allow_Methods="GET, PATCH"), {"method": "patch"},
     Block.METHOD_NOT_ALLOWED, "does not allow patch: it allows GET, PATCH", f"{METHODS}: patch",
     "have the page say method: 'PATCH'; names are case-sensitive"),
    (preflights(Access_Control_Allow_Methods="*", Access_Control_Allow_Credentials="true"),
     PUT | INCLUDE, Block.METHOD_NOT_ALLOWED, "its '*' does not count for a request with",
     f"{METHODS}: PUT", "methods=['PUT']"),
    (preflights(Access_Control_Allow_Headers="X-B"), X_A, Block.HEADER_NOT_ALLOWED,
     "request header x-a: it allows X-B", f"{HEADERS}: x-a", "add 'x-a' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="X-B"), {"headers": {"X-A": "1", "X-B": "1"}},
     Block.HEADER_NOT_ALLOWED, "request header x-a", f"{HEADERS}: x-a, x-b",
     "add 'x-a' to allow_headers"),
    (preflights(), {"headers": {"X-B": "1", "X-A": "1"}, "credentials": "include"},
     Block.ALLOW_CREDENTIALS_MISSING, "has no Access-Control-Allow-Credentials",
     ALLOW_CREDENTIALS, "set allow_credentials=True"),
    (preflights(), {"headers": {"X-B": "1", "X-A": "1"}}, Block.HEADER_NOT_ALLOWED,
     "request header x-a: it allows none", f"{HEADERS}: x-a, x-b",
     "add 'x-a', 'x-b' to allow_headers"),
    (preflights(500), {"method": "PUT", "headers": {"X-A": "1"}, "credentials": "include"},
     Block.PREFLIGHT_STATUS, "answered with status 500",
     f"204 No Content to OPTIONS {API}/ | {ALLOW_MINE} | {ALLOW_CREDENTIALS} | {METHODS}: PUT"
     f" | {HEADERS}: x-a", "let the guard answer OPTIONS"),
    (preflights(), {"headers": {"Accept": "a" * 129}}, Block.HEADER_NOT_ALLOWED,
     "its value has 129 bytes, and only up to 128 are safelisted", f"{HEADERS}: accept",
     "add 'accept' to allow_headers"),
    (preflights(), {"method": "POST", "json": 1}, Block.HEADER_NOT_ALLOWED,
     "application/json is not a type that a form sends", f"{HEADERS}: content-type",
     "add 'content-type' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="*"), {"headers": {"Authorization": "x"}},
     Block.HEADER_NOT_ALLOWED, "its '*' does not cover Authorization, which has to be named",
     f"{HEADERS}: authorization", "add 'authorization' to allow_headers"),
    (preflights(Access_Control_Allow_Headers="*", Access_Control_Allow_Credentials="true"),
     X_A | INCLUDE, Block.HEADER_NOT_ALLOWED, "its '*' does not count for a request with",
     f"{HEADERS}: x-a", "add 'x-a' to allow_headers"),
    (anyone(), {"mode": "same-origin"}, Block.MODE_SAME_ORIGIN, "is of another origin", None,
     "have the page leave mode out"),
    (anyone(), {"mode": "no-cors"}, Block.MODE_NO_CORS, "makes the response opaque", None,
     "have the page leave mode out"),
    (anyone(), {"mode": "no-cors", "redirect": "error"}, Block.NO_CORS_REDIRECT,
     "mode: 'no-cors' and redirect: 'error'", None, "have the page leave both out"),
    (fixed(lines={"Cross-Origin-Resource-Policy": "same-site"}), {"mode": "no-cors"},
     Block.RESOURCE_POLICY, "has Cross-Origin-Resource-Policy: same-site",
     "Cross-Origin-Resource-Policy: cross-origin", "send that header"),
    (anyone(), {"url": "http://api.test/"}, Block.MIXED_CONTENT,
     "browsers block that as mixed content", None, "serve the API over https"),
    (anyone(), {"url": "chrome-extension://abc/x"}, Block.NOT_HTTP, "is not http or https", None,
     "have the page ask for an http or https address"),
    (redirecting("data:text/plain,x"), {}, Block.NOT_HTTP, "'data:text/plain,x'", None,
     "have the page ask for an http or https address"),
    (redirecting("https://b.test/x"), {}, Block.UNREACHABLE, "leads to 'https://b.test/x'", None,
     "Browser({'https://b.test': app, ...})"),
    (redirecting("/x"), {"redirect": "error"}, Block.REDIRECT_UNWANTED, "(status 302)", None,
     "have the page ask for the address where the redirect leads"),
    (redirecting("/x"), {"redirect": "manual"}, Block.REDIRECT_MANUAL, "(status 302)", None,
     "have the page leave redirect out"),
    (redirecting("/x"), {}, Block.REDIRECT_LIMIT, f"more than 20 redirects, the last of them from"
     f" '{API}/x'", None, "end the loop"),
    (redirecting("https://a b/"), {}, Block.REDIRECT_INVALID, "'https://a b/', is not a URL", None,
     "redirect with url_for()"),
    (fixed(302, [*OPEN.items(), ("Location", "/a"), ("Location", "/b")]), {},
     Block.REDIRECT_MULTIPLE, "several Locations, '/a', '/b'", None, "redirect in one place"),
    (redirecting("https://me@api.test/"), {}, Block.REDIRECT_USERINFO,
     "'https://me@api.test/', holds a user name or password", None,
     "redirect to the address without them"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("server", "asked", "block", "found", "send", "change"),
    BLOCKS,
    ids=[f"{n}-{row[2]}" for n, row in enumerate(BLOCKS)],
)
def test_why(server, asked, block, found, send, change):
    asked = {"url": f"{API}/", **asked}
    browser = Browser({API: server, "http://api.test": server}, SHOP)
    response = browser.fetch(**asked).assert_blocked(block)
    assert response.reason is block
    assert not response.readable
    first, *more = response.why.split("\n")
    assert found in first
    assert first.endswith(".")
    last = more.pop()
    assert last.startswith("Change: ")
    assert last.endswith(".")
    assert change in last
    assert more == ([f"Send: {line}" for line in send.split(" | ")] if send else [])
    # Script sees nothing of it, but that it is there where it is opaque.
    seen = (response.json, response.url, response.redirected, dict(response.headers))
    assert seen == (None, f"{API}/" if block is Block.REDIRECT_MANUAL else "", False, {})
    opaque = {Block.MODE_NO_CORS: "opaque", Block.REDIRECT_MANUAL: "opaqueredirect"}
    assert response.type == opaque.get(block)
    assert (response.status, response.text) == ((0, "") if response.type else (None, None))
    assert not response.ok


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda browser: browser.submit(f"{API}/"), "navigation"),
        (lambda browser: browser.send_beacon(f"{API}/", "x"), "beacon"),
        (lambda browser: browser.fetch(f"{API}/"), "unreachable"),
    ],
)
def test_what_stops_everything_has_to_be_named(ask, reason):
    elsewhere = fixed(302, [*OPEN.items(), ("Location", "https://b.test/")])
    browser = Browser({API: elsewhere}, SHOP)
    if reason != "unreachable":
        browser = Browser(anyone(), SHOP)
    response = ask(browser)
    assert f"is blocked, but by {reason}, which says nothing" in failure(response.assert_blocked)
    response.assert_blocked(reason)


@pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
def test_a_beacon_that_is_too_long(engine):
    browser = Browser(anyone(), SHOP, engine)
    browser.send_beacon(f"{API}/", "x" * 65536).assert_blocked("beacon")
    response = browser.send_beacon(f"{API}/", "x" * 65537)
    response.assert_blocked("beacon" if engine == "firefox" else "beacon_limit")
    assert bool(response.exchanges) == (engine == "firefox")
    if engine != "firefox":
        assert response.why == (
            "The beacon has 65537 bytes, and browsers send up to 65536: sendBeacon() returns false."
            "\nChange: have the page send less at a time, or use fetch()."
        )


def test_a_rejection_that_is_not_what_stopped_script():
    """Allowing the origin would not help."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["POST"])
    browser = Browser(app, "https://evil.example")
    for response in (browser.submit(f"{API}/"), browser.send_beacon(f"{API}/", "x")):
        assert response.exchanges[0].decision.outcome is Outcome.REJECTED
        assert "origins" not in response.why


def test_a_report_is_cut_and_escaped():
    odd = fixed(lines=[("X-Long", "x" * 10_000), ("X-Odd", "\x1b[31m")])
    report = failure(Browser(odd, SHOP).fetch(f"{API}/").assert_readable)
    assert len(report) < 2000
    assert "... (10000 characters)" in report
    assert r"< X-Odd: '\x1b[31m'" in report
    many = fixed(lines=OPEN, preflight=(204, [(ORIGIN, "*"), (METHODS, "A," * 10_000)]))
    response = Browser(many, SHOP).fetch(f"{API}/", method="PUT")
    assert "A and 9980 more" in response.assert_blocked("method_not_allowed").why
    assert len(response.why) < 1000


def test_what_says_that_nothing_is_told():
    browser = Browser(anyone(), SHOP)
    navigation, beacon = browser.navigate(f"{API}/"), browser.send_beacon(f"{API}/", "x")
    assert navigation.reason is Block.NAVIGATION
    assert navigation.why.startswith("This was a navigation: ")
    assert beacon.reason is Block.BEACON
    assert beacon.why.startswith("This was a beacon: ")
    for response in (navigation, beacon):
        assert response.why.endswith("Change: to read responses, use fetch().")
        assert (response.type, response.status, response.text) == (None, None, None)


@pytest.mark.parametrize("engine", ["chromium", "firefox"])
def test_why_a_form_is_not_sent(engine):
    response = Browser(anyone(), SHOP, engine).submit("http://api.test/", {"a": "1"})
    response.assert_blocked("mixed_form")
    assert response.exchanges == ()
    assert response.why == (
        "The page is https and 'http://api.test/' is http: browsers warn before they send a form"
        " there.\nChange: serve what the form goes to over https."
    )


def test_why_webkit_stops_at_a_redirect():
    """What begins at the page's own origin, with cookies, has to allow them to redirect again."""
    servers = {SHOP: redirecting(f"{API}/"), API: redirecting("https://b.test/")}
    browser = Browser(servers, SHOP, "webkit")
    response = browser.fetch("/").assert_blocked("allow_origin_wildcard")
    assert "does not count by WebKit, as the request began at the page's own origin" in response.why
    assert f"\nSend: {ALLOW_MINE}\nSend: {ALLOW_CREDENTIALS}\n" in response.why
    assert "redirect to the last address at once" in response.why
    browser.fetch("/", credentials="omit").assert_blocked("unreachable")


def test_the_tests_above_have_every_rule():
    others = {Block.NAVIGATION, Block.BEACON, Block.BEACON_LIMIT, Block.MIXED_FORM}
    assert {row[2] for row in BLOCKS} | others == set(Block)


@pytest.mark.parametrize(
    ("server", "page", "change"),
    [
        (fixed(), "null", "serve the page from an origin of its own"),
        (redirecting("https://b.test/"), SHOP, "have the page ask for the address where the"),
    ],
    ids=["a sandboxed page", "tainted by redirects"],
)
def test_remedies_for_null(server, page, change):
    b = redirecting("https://c.test/")
    servers = {API: server, "https://b.test": b, "https://c.test": fixed()}
    response = Browser(servers, page).fetch(f"{API}/").assert_blocked("allow_origin_missing")
    assert "pages of null may not read it" in response.why
    assert "Send: " not in response.why  # it would let every site read
    assert f"\nChange: {change}" in response.why


def test_a_guard_that_allowed_it_has_no_more_to_say():
    """What took the headers off came after it."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")

    def proxy(environ, start_response):
        return app(environ, lambda status, headers: start_response(status, []))

    response = Browser(proxy, SHOP).fetch(f"{API}/").assert_blocked("allow_origin_missing")
    assert response.exchanges[0].decision.outcome is Outcome.ALLOWED
    assert response.why.endswith(f"\nChange: add '{SHOP}' to origins.")


def test_a_guard_that_refused_says_what_to_change():
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins="https://partner.example")
    app.add_url_rule("/", "index", lambda: "ok")
    response = Browser(app, SHOP).fetch(f"{API}/").assert_blocked("allow_origin_missing")
    lines = response.why.splitlines()
    assert lines[1] == f"Send: {ALLOW_MINE}"
    assert lines[2].startswith("Flask-CorsGuard decided: GET / from 'https://shop.example': rej")
    assert lines[-1].startswith(f"  Change: add '{SHOP}' to origins (policy: default, set at ")
    assert sum("Change:" in line for line in lines) == 1


# Headers


VISIBLE = {
    **OPEN,
    "Content-Type": "text/plain",
    "X-Total": "7",
    "X-Page": "1",
    "ETag": '"v1"',
    "Set-Cookie": "a=b",
    "Vary": "Origin",
}


def test_visible_headers():
    exposed = {"Access-Control-Expose-Headers": "x-total"}
    response = Browser(fixed(lines=VISIBLE | exposed), SHOP).fetch(f"{API}/")
    headers = response.headers
    assert dict(headers) == {"content-type": "text/plain", "x-total": "7"}
    assert repr(headers) == "{'content-type': 'text/plain', 'x-total': '7'}"
    assert (len(headers), list(headers)) == (2, ["content-type", "x-total"])
    assert headers["X-TOTAL"] == headers.get("x-total") == "7"
    assert headers.get("ETag") is None
    assert "etag" in headers.hidden
    response.assert_visible("X-Total", "content-type")


@pytest.mark.parametrize(
    ("expose", "credentials", "name", "words"),
    [
        (None, "omit", "X-Total", "no Access-Control-Expose-Headers names it"),
        ("X-Page", "omit", "X-Total", "no Access-Control-Expose-Headers names it"),
        ("X-Page;X-Total", "omit", "X-Total",
         "'X-Page;X-Total' is not a list of header names separated by commas"),
        ("*", "include", "X-Total", "'*' does not count for a request with credentials: 'include'"),
        ("*", "include", "etag", "'*' does not count for a request with credentials: 'include'"),
    ],
)  # fmt: skip
def test_a_header_that_is_not_seen(expose, credentials, name, words):
    mine = MINE | {"Access-Control-Allow-Credentials": "true"}
    more = {} if expose is None else {"Access-Control-Expose-Headers": expose}
    browser = Browser(fixed(lines=VISIBLE | mine | more), SHOP)
    response = browser.fetch(f"{API}/", credentials=credentials).assert_readable()
    with pytest.raises(KeyError) as caught:
        response.headers[name]
    why = response.headers.why_not(name)
    assert caught.value.args == (why.replace("\n", " "),)  # a KeyError prints its one line
    assert words in why
    assert f"Access-Control-Expose-Headers: {name}".lower() in why.lower()
    assert "to expose_headers" in why
    # Nobody misses an ETag.
    assert (why in response.why) == (name == "X-Total")
    with pytest.raises(AssertionError) as failed:
        response.assert_visible("content-type", name)
    assert words in str(failed.value)


def test_headers_that_nobody_ever_sees_or_that_are_not_there():
    response = Browser(fixed(lines=VISIBLE), API).fetch("/")
    assert response.why == ""  # a page of the server's own sees the rest
    with pytest.raises(KeyError, match="The response has no header X-None"):
        response.headers["X-None"]
    with pytest.raises(KeyError, match="JavaScript never sees Set-Cookie"):
        response.headers["Set-Cookie"]
    blocked = Browser(fixed(), SHOP).fetch(f"{API}/")
    with pytest.raises(KeyError):
        blocked.headers["Content-Type"]


# What is read


@pytest.mark.parametrize(
    ("body", "value"), [('{"a": [1]}', {"a": [1]}), ("null", None), ("\ufeff7", 7)]
)
def test_json(body, value):
    assert Browser(fixed(lines=OPEN, body=body), SHOP).fetch(f"{API}/").json == value


def test_what_is_no_json():
    response = Browser(fixed(lines=OPEN, body="<html>"), SHOP).fetch(f"{API}/")
    assert response.text == "<html>"
    with pytest.raises(ValueError, match="Expecting value"):
        _ = response.json
    assert Browser(fixed(body="{}"), SHOP).fetch(f"{API}/").json is None


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (204, True), (299, True), (304, False), (404, False)]
)
def test_status(status, ok):
    response = Browser(fixed(status, OPEN, body=""), SHOP).fetch(f"{API}/").assert_readable()
    assert (response.status, response.ok) == (status, ok)


def test_bytes_that_are_no_text():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain; charset=latin-1")])
        return [b"\xe9"]

    assert Browser(app, API).fetch("/").text == "\ufffd"


# Failing assertions


def failure(check, *args):
    with pytest.raises(AssertionError) as caught:
        check(*args)
    return str(caught.value)


def test_report_of_what_is_not_readable():
    app = fixed(lines=OPEN, preflight=(204, {"Access-Control-Allow-Origin": "*"}))
    response = Browser(app, SHOP).fetch(f"{API}/users/7", method="PUT", json={})
    assert failure(response.assert_readable) == (
        f"""\
{SHOP}: fetch() of PUT {API}/users/7 is not readable
  The preflight's response does not allow PUT: it allows none.
  Send: Access-Control-Allow-Methods: PUT
  Change: add 'PUT' to methods, or have a route at this URL accept it.

  1. preflight OPTIONS {API}/users/7
    > Accept: */*
    > Access-Control-Request-Method: PUT
    > Access-Control-Request-Headers: content-type
    > Origin: {SHOP}
    > Referer: {SHOP}/
    > Sec-Fetch-Site: cross-site
    > Sec-Fetch-Mode: cors
    > Sec-Fetch-Dest: empty
    < 204
    < Access-Control-Allow-Origin: *"""
    )
    assert failure(response.assert_visible, "X-Total") == failure(response.assert_readable)


def test_report_of_what_is_not_blocked():
    response = Browser(fixed(lines=OPEN, body="x" * 300), SHOP).fetch(f"{API}/")
    report = failure(response.assert_blocked)
    assert report.startswith(
        f"{SHOP}: fetch() of GET {API}/ is not blocked\n"
        f"  The page reads it: status 200, '{'x' * 199}\n\n  1. GET {API}/\n    > Accept: */*\n"
    )
    assert failure(response.assert_blocked, "mixed_content") == report


def test_report_of_another_rule():
    response = Browser(fixed(), SHOP).fetch(f"{API}/")
    report = failure(response.assert_blocked, Block.PREFLIGHT_STATUS)
    assert report.startswith(
        f"{SHOP}: fetch() of GET {API}/ is blocked by allow_origin_missing, not by"
        " preflight_status\n"
        "  The response has no Access-Control-Allow-Origin"
    )


def test_report_of_what_was_never_sent():
    response = Browser(anyone(), SHOP).fetch("http://api.test/")
    assert failure(response.assert_readable).endswith("\n\n  Nothing went over the wire.")


def test_report_of_a_hidden_header():
    response = Browser(fixed(lines=OPEN | {"X-Total": "7"}), SHOP).fetch(f"{API}/")
    report = failure(response.assert_visible, "x-total", "x-none")
    assert report.startswith(
        f"{SHOP}: fetch() of GET {API}/ does not show every header\n"
        "  JavaScript does not see X-Total: no Access-Control-Expose-Headers names it.\n"
        "  Send: Access-Control-Expose-Headers: X-Total\n"
        "  Change: add 'X-Total' to expose_headers.\n"
        "  The response has no header x-none.\n\n  1. GET "
    )


def test_assertions_return_the_answer():
    response = Browser(anyone(), SHOP).fetch(f"{API}/")
    assert response.assert_readable() is response
    assert response.assert_visible() is response
    refused = Browser(fixed(), SHOP).fetch(f"{API}/")
    assert refused.assert_blocked() is refused
    assert refused.assert_blocked("allow_origin_missing") is refused
    assert refused.assert_blocked(Block.ALLOW_ORIGIN_MISSING) is refused


@pytest.mark.parametrize("reason", ["allow_origin_mising", "ALLOW_ORIGIN_MISSING", "", 7])
def test_no_such_rule(reason):
    response = Browser(fixed(), SHOP).fetch(f"{API}/")
    with pytest.raises(BrowserError, match="there is no rule"):
        response.assert_blocked(reason)
    with pytest.raises(BrowserError, match="Did you mean 'allow_origin_missing'"):
        response.assert_blocked("allow_origin_mising")


def test_repr():
    assert repr(Browser(anyone(), SHOP).fetch(f"{API}/")) == (
        f"<{SHOP}: fetch() of GET {API}/: readable, 200 cors>"
    )
    assert repr(Browser(fixed(), SHOP).fetch(f"{API}/")).startswith(
        f"<{SHOP}: fetch() of GET {API}/: not readable, allow_origin_missing: The response has no"
    )


def test_what_comes_from_the_network_is_escaped():
    """No value can end its line in a report, or look like another."""
    view = serve(lambda _: (200, {ORIGIN: "é'\x85"}, ""))
    response = Browser(view, SHOP).fetch(f"{API}/").assert_blocked("allow_origin_invalid")
    assert r"'\xe9\x27\x85'" in response.why


def test_errors_are_of_the_kinds_that_people_catch():
    browser = Browser({API: anyone()}, SHOP)
    with pytest.raises(ValueError, match="there is no server"):
        browser.fetch("https://b.test/")
    with pytest.raises(TypeError, match="not a valid method"):
        browser.fetch(f"{API}/", method="")
    assert issubclass(BrowserError, ValueError)
    assert issubclass(FetchTypeError, TypeError)
