"""What a page reads of a response, and what an assertion says that fails."""

from __future__ import annotations

import pytest

from flask_corsguard import Reason
from flask_corsguard.testing import Block, Browser, BrowserError, FetchTypeError

from .servers import API, OPEN, SHOP, anyone, fixed, guarded, redirecting

ASKED = f"{SHOP}: fetch() of GET {API}/"
URL = f"{API}/"


def failure(check, *args):
    with pytest.raises(AssertionError) as caught:
        check(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "value"), [('{"a": [1]}', {"a": [1]}), ("null", None), ("\ufeff7", 7)]
)
def test_json(body, value):
    """``json`` is the parsed body, a byte order mark aside."""
    assert Browser(fixed(lines=OPEN, body=body), SHOP).fetch(URL).json == value


def test_what_is_not_json():
    response = Browser(fixed(lines=OPEN, body="<html>"), SHOP).fetch(URL)
    assert response.text == "<html>"
    with pytest.raises(ValueError, match="Expecting value"):
        _ = response.json
    assert Browser(fixed(body="{}"), SHOP).fetch(URL).json is None


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (204, True), (299, True), (304, False), (404, False)]
)
def test_status(status, ok):
    """``ok`` is true for 2xx statuses."""
    response = Browser(fixed(status, OPEN, body=""), SHOP).fetch(URL).assert_readable()
    assert (response.status, response.ok) == (status, ok)


def test_bytes_that_are_not_text():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain; charset=latin-1")])
        return [b"\xe9"]

    assert Browser(app, API).fetch("/").text == "\ufffd"


def test_assertions_return_the_response():
    response, refused = (Browser(app, SHOP).fetch(URL) for app in (anyone(), fixed()))
    assert response.assert_readable() is response
    assert response.assert_visible() is response
    for reason in (None, "allow_origin_missing", Block.ALLOW_ORIGIN_MISSING):
        assert refused.assert_blocked(reason) is refused


def test_report_of_what_is_not_readable():
    app = fixed(lines=OPEN, preflight=(204, {"Access-Control-Allow-Origin": "*"}))
    response = Browser(app, SHOP).fetch(f"{API}/users/7", method="PUT", json={})
    assert failure(response.assert_readable) == (
        f"""\
{SHOP}: fetch() of PUT {API}/users/7 is not readable
  The preflight's response does not allow PUT: it allows none.
  Send: Access-Control-Allow-Methods: PUT
  No guard decided about this request: either the app has none, or something in front of the app \
responded, which must then be changed.
  Change: add 'PUT' to methods, or add a route at this URL that accepts it.

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


@pytest.mark.parametrize(
    ("app_", "reason", "begin"),
    [
        *(
            (fixed(lines=OPEN, body="x" * 300), reason,
             f"{ASKED} is not blocked\n"
             f"  The page can read it: status 200, '{'x' * 199}\n"
             "\n"
             f"  1. GET {URL}\n"
             "    > Accept: */*\n")
            for reason in (None, "mixed_content")
        ),
        (fixed(), Block.PREFLIGHT_STATUS,
         f"{ASKED} is blocked by allow_origin_missing, not by preflight_status\n"
         "  The response has no Access-Control-Allow-Origin"),
        (redirecting("https://b.test/"), None,
         f"{ASKED} is blocked, but by unreachable, which says nothing about the server\n"
         "  The redirect leads to"),
    ],
)  # fmt: skip
def test_report_of_what_is_not_blocked_by_that(app_, reason, begin):
    """``assert_blocked`` says what the page could read, or which rule blocked it instead."""
    response = Browser({API: app_}, SHOP).fetch(URL)
    assert failure(response.assert_blocked, reason).startswith(begin)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda browser: browser.submit(URL), "navigation"),
        (lambda browser: browser.send_beacon(URL, "x"), "beacon"),
        (lambda browser: browser.send_beacon(URL, "x" * 70_000), "beacon_limit"),
        (lambda browser: browser.fetch(URL, mode="no-cors"), "mode_no_cors"),
        (lambda browser: browser.fetch(URL, mode="same-origin"), "mode_same_origin"),
        (lambda browser: browser.fetch(URL, mode="no-cors", redirect="error"), "no_cors_redirect"),
        (lambda browser: browser.fetch("http://api.test/"), "mixed_content"),
        (lambda browser: browser.fetch("localhost:5000/"), "not_http"),
    ],
)
def test_what_stops_everything_has_to_be_named(ask, reason):
    """What the page itself did wrong does not show that a policy keeps it out."""
    response = ask(Browser(anyone(), SHOP))
    assert f"is blocked, but by {reason}, which" in failure(response.assert_blocked)
    response.assert_blocked(reason)


def test_report_of_what_was_never_sent():
    response = Browser(anyone(), SHOP).fetch("http://api.test/")
    assert failure(response.assert_readable).endswith("\n\n  Nothing was sent.")


def test_report_of_a_hidden_header():
    response = Browser(fixed(lines=OPEN | {"X-Total": "7"}), SHOP).fetch(URL)
    assert failure(response.assert_visible, "x-total", "x-none").startswith(
        f"{ASKED} does not show every header\n"
        "  JavaScript does not see X-Total: no Access-Control-Expose-Headers names it.\n"
        "  Send: Access-Control-Expose-Headers: X-Total\n"
        "  Change: add 'X-Total' to expose_headers.\n"
        "  The response has no header x-none.\n\n  1. GET "
    )


def test_a_report_is_cut_and_escaped():
    odd = fixed(lines=[("X-Long", "x" * 10_000), ("X-Odd", "\x1b[31m")])
    report = failure(Browser(odd, SHOP).fetch(URL).assert_readable)
    assert len(report) < 2000
    assert "... (10000 characters)" in report
    assert r"< X-Odd: '\x1b[31m'" in report


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("allow_origin_mising", "Did you mean 'allow_origin_missing'?"),
        ("ALLOW_ORIGIN_MISSING", "Did you mean 'allow_origin_missing'?"),
        ("allow-origin-missing", "Did you mean 'allow_origin_missing'?"),
        *((reason, "Known: ") for reason in ("", 7)),
    ],
)
def test_no_such_rule(reason, hint):
    """A reason that no response can have is a mistake in the test."""
    with pytest.raises(BrowserError) as caught:
        Browser(fixed(), SHOP).fetch(URL).assert_blocked(reason)
    assert str(caught.value).startswith(f"there is no rule {reason!r}. {hint}")


@pytest.mark.parametrize(
    ("reason", "method", "meant"),
    [
        ("origin_not_allowed", "GET", "allow_origin_missing"),
        ("origin_not_allowed", "PUT", "preflight_status"),
        ("ORIGIN_NOT_ALLOWED", "GET", "allow_origin_missing"),
        ("origin-denied", "GET", "allow_origin_missing"),
        (Reason.ORIGIN_NOT_ALLOWED, "GET", "allow_origin_missing"),
        (Reason.METHOD_NOT_ALLOWED, "GET", "preflight_status"),
        ("METHOD_NOT_ALLOWED", "PUT", "preflight_status"),
        ("headers_not_allowed", "PUT", "preflight_status"),
    ],
)  # fmt: skip
def test_a_reason_of_the_guard(reason, method, meant):
    """A guard's reason is not the browser's. The right one is named, whether the page reads the
    response or not."""
    for origins in (SHOP, "https://partner.example"):
        response = Browser(guarded(origins=origins), SHOP).fetch(URL, method=method)
        with pytest.raises(BrowserError) as caught:
            response.assert_blocked(reason)
        name = getattr(reason, "name", str(reason).upper().replace("-", "_"))
        assert str(caught.value) == (
            f"there is no rule {reason!r}. Did you mean '{meant}'? {name} is one of the guard's"
            " reasons, which pages never see. In a test, it is"
            " response.exchanges[-1].decision.reason."
        )


OWN = (
    "The request has the page's own origin, which no policy restricts.\n"
    "  Change: give the full URL of an API at another origin, such as https://api.test/users. If"
    " the page's own origin is meant, write {}."
)


@pytest.mark.parametrize(
    "url", ["/users?q", "users?q", " \t/users?q#x", "https:/users?q", "https:users?q", "../users?q"]
)
def test_a_relative_url_says_nothing_about_cors(url):
    """It is of the page's own origin, where an empty policy would do as well."""
    response = Browser(fixed(), SHOP).fetch(url)
    assert response.readable
    own = OWN.format(f"{SHOP}/users?q")
    for check in (response.assert_readable, response.assert_visible):
        about = f"{SHOP}: fetch() of GET {SHOP}/users?q tells you nothing about CORS"
        begin = f"{about}\n  {own}\n\n  1. GET"
        assert failure(check).startswith(begin)
    assert f" is not blocked\n  The page can read it: status 200, 'ok'\n  {own}" in failure(
        response.assert_blocked
    )


def test_the_own_origin_on_purpose():
    """The whole URL, or a mode, says that the same origin is meant. Nor does a relative URL matter
    where a redirect has led to another origin."""
    browser = Browser({SHOP: redirecting(URL), API: anyone()}, SHOP)
    assert browser.fetch("/").assert_readable().url == URL
    browser = Browser(fixed(), SHOP)
    browser.fetch(f"{SHOP}/").assert_readable()
    browser.fetch("//shop.example/").assert_readable()
    browser.fetch("/", mode="same-origin").assert_readable()
    browser = Browser(redirecting("/"), SHOP)
    browser.fetch("/").assert_blocked("redirect_limit")
    browser.fetch("/", redirect="manual").assert_blocked("redirect_manual")


def test_repr():
    assert repr(Browser(anyone(), SHOP).fetch(URL)) == f"<{ASKED}: readable, 200 cors>"
    assert repr(Browser(fixed(), SHOP).fetch(URL)).startswith(
        f"<{ASKED}: not readable, allow_origin_missing: The response has no"
    )


def test_errors_are_of_the_kinds_that_people_catch():
    assert issubclass(BrowserError, ValueError)
    assert issubclass(FetchTypeError, TypeError)
