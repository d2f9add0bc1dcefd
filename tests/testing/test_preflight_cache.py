"""What a browser remembers of preflights, and for how long."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from flask_corsguard.testing import Browser

from .servers import API, OPEN, SHOP, anyone, fixed, friendly, serve

URL = f"{API}/x"
ENGINES = ("standard", "chromium", "firefox", "webkit")
FOR_X_A = OPEN | {"Access-Control-Allow-Headers": "X-A"}


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    """Time stands still but for Browser.advance(), however slow the machine is."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)


def asks(browser, url=URL, **sent):
    """Whether a fetch needs a preflight."""
    response = browser.fetch(url, **sent).assert_readable()
    return response.exchanges[0].preflight


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("600", 600),
        ("1", 1),
        ("0600", 600),
        (" 600\t", 600),
        ("86401", 86401),
        ("0", 0),
        # No number, so the standard's 5 seconds.
        (None, 5),
        ("", 5),
        ("x", 5),
        ("-1", 5),
        ("+600", 5),
        ("600.5", 5),
        ("600s", 5),
        ("600, 60", 5),
        ("\xb2", 5),
    ],
)
def test_forms_of_max_age(value, seconds):
    more = {} if value is None else {"Access-Control-Max-Age": value}
    browser = Browser(fixed(lines=OPEN, preflight=(204, OPEN | more)), SHOP)
    assert asks(browser, method="PUT")
    if seconds:
        browser.advance(seconds - 1)
        assert not asks(browser, method="PUT")
        browser.advance(1)
    assert asks(browser, method="PUT")


@pytest.mark.parametrize(
    ("engine", "limit"),
    [("standard", 10**7), ("chromium", 7200), ("firefox", 86400), ("webkit", 600)],
)
def test_engines_have_limits(engine, limit):
    browser = Browser(anyone(Max_Age=f"{10**7}", Allow_Methods="PUT"), SHOP, engine)
    assert asks(browser, method="PUT")
    browser.advance(timedelta(seconds=limit - 1))
    assert not asks(browser, method="PUT")
    browser.advance(1)
    assert asks(browser, method="PUT")


def test_asking_again_begins_anew():
    browser = Browser(anyone(Max_Age="60"), SHOP)
    assert [asks(browser, method="PUT") for _ in range(3)] == [True, False, False]
    browser.advance(61)
    assert [asks(browser, method="PUT") for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("first", "then", "again"),
    [
        # friendly() allows what is asked for, and no more.
        ({"method": "PUT"}, {"method": "PUT"}, False),
        ({"method": "PUT"}, {"method": "put"}, False),
        ({"method": "PUT"}, {"method": "DELETE"}, True),
        ({"method": "ODD"}, {"method": "odd"}, True),
        ({"method": "PUT"}, {"method": "POST"}, False),
        ({"method": "PUT"}, {"headers": {"X-A": "1"}}, True),
        ({"headers": {"X-A": "1"}}, {"headers": {"x-a": "2"}}, False),
        ({"headers": {"X-A": "1"}}, {"method": "POST", "headers": {"x-a": "2"}}, False),
        ({"headers": {"X-A": "1"}}, {"method": "PUT", "headers": {"X-A": "1"}}, True),
        ({"headers": {"X-A": "1"}}, {"headers": {"X-A": "1", "X-B": "1"}}, True),
        ({"headers": {"X-A": "1", "X-B": "1"}}, {"headers": {"X-B": "1"}}, False),
        ({"json": {}, "method": "POST"}, {"json": [], "method": "POST"}, False),
        # Allowed with credentials is allowed without, and not the reverse.
        ({"method": "PUT", "credentials": "include"}, {"method": "PUT"}, {"firefox"}),
        ({"method": "PUT"}, {"method": "PUT", "credentials": "include"}, True),
        ({"method": "PUT", "credentials": "omit"}, {"method": "PUT"}, False),
        # By URL; a fragment is no part of it.
        ({"method": "PUT"}, {"method": "PUT", "url": f"{URL}#f"}, False),
        ({"method": "PUT"}, {"method": "PUT", "url": f"{URL}?q"}, True),
        ({"method": "PUT"}, {"method": "PUT", "url": f"{API}/y"}, True),
        ({"method": "PUT"}, {"method": "PUT", "url": "https://other.test/x"}, True),
    ],
)
def test_what_is_remembered(first, then, again):
    asking = set()
    for engine in ENGINES:
        browser = Browser(friendly(), SHOP, engine)
        asks(browser, **first)
        if asks(browser, **then):
            asking.add(engine)
    assert asking == (again if isinstance(again, set) else set(ENGINES) if again else set())


@pytest.mark.parametrize("engine", ENGINES)
def test_grants_add_up_or_the_last_one_counts(engine):
    browser = Browser(friendly(), SHOP, engine)
    assert asks(browser, method="PUT")
    assert asks(browser, headers={"X-A": "1"})
    assert asks(browser, headers={"X-B": "1"})
    all_at_once = {"method": "PUT", "headers": {"X-A": "1", "X-B": "1"}}
    assert asks(browser, **all_at_once) == (engine in ("chromium", "webkit"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_star_is_remembered_as_any(engine):
    browser = Browser(anyone(), SHOP, engine)
    assert asks(browser, method="PUT", headers={"X-A": "1"})
    # Firefox takes it for a name, there.
    assert asks(browser, method="PUT", headers={"X-A": "1"}) == (engine == "firefox")
    assert asks(browser, method="DELETE", headers={"X-B": "1"}) == (engine == "firefox")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_star_that_is_remembered_does_not_cover_authorization(engine):
    """https://fetch.spec.whatwg.org/#header-name-cache-entry-match; in WebKit it does."""
    browser = Browser(anyone(), SHOP, engine)
    assert asks(browser, headers={"X-A": "1"})
    response = browser.fetch(URL, headers={"Authorization": "x"})
    assert response.exchanges[0].preflight == (engine != "webkit")
    assert response.readable == (engine != "standard")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_without_an_origin(engine):
    browser = Browser(friendly(), "null", engine)
    assert asks(browser, method="PUT")
    assert asks(browser, method="PUT") == (engine == "chromium")


@pytest.mark.parametrize("engine", ENGINES)
def test_head_and_headers(engine):
    """In Firefox only GET and POST need no permission, once it is asked for."""
    browser = Browser(fixed(lines=OPEN, preflight=(204, FOR_X_A)), SHOP, engine)
    assert asks(browser, headers={"X-A": "1"})
    assert not asks(browser, method="POST", headers={"X-A": "1"})
    assert asks(browser, method="HEAD", headers={"X-A": "1"}) == (engine == "firefox")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("-1", {"standard": 5, "chromium": 0, "firefox": 0, "webkit": 0}),
        ("x", {"standard": 5, "chromium": 5, "firefox": 0, "webkit": 5}),
        (None, {"standard": 5, "chromium": 5, "firefox": 5, "webkit": 5}),
    ],
)
def test_engines_read_odd_values_in_their_own_ways(value, seconds):
    more = {} if value is None else {"Access-Control-Max-Age": value}
    for engine, limit in seconds.items():
        app = fixed(lines=OPEN, preflight=(204, FOR_X_A | more))
        browser = Browser(app, SHOP, engine)
        asked = [asks(browser, headers={"X-A": "1"})]
        for wait in (0, limit):
            browser.advance(wait)
            asked.append(asks(browser, headers={"X-A": "1"}))
        assert asked == [True, limit == 0, True]


def test_pages_do_not_share_what_they_may():
    browser = Browser(friendly(), SHOP)
    assert asks(browser, method="PUT")
    browser.page = "https://partner.example"
    assert asks(browser, method="PUT")
    browser.page = SHOP
    assert not asks(browser, method="PUT")


def test_a_page_of_the_servers_own_never_asks():
    browser = Browser(fixed(), API)
    assert not asks(browser, method="ODD", headers={"X-A": "1"}, credentials="include")


def test_a_refused_preflight_is_not_remembered():
    answers = iter([(403, {}), (204, OPEN)])
    app = serve(
        lambda request: (*next(answers), "") if request.method == "OPTIONS" else (200, OPEN, "")
    )
    browser = Browser(app, SHOP)
    browser.fetch(URL, method="PUT").assert_blocked("preflight_status")
    assert asks(browser, method="PUT")
    assert not asks(browser, method="PUT")


def test_a_refused_preflight_forgets_what_was_remembered():
    answers = iter([(204, {**OPEN, "Access-Control-Allow-Headers": ""}), (403, {}), (204, OPEN)])
    app = serve(
        lambda request: (*next(answers), "") if request.method == "OPTIONS" else (200, OPEN, "")
    )
    browser = Browser(app, SHOP)
    assert asks(browser, method="PUT")
    browser.fetch(URL, headers={"X-A": "1"}).assert_blocked("preflight_status")
    assert asks(browser, method="PUT")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_request_that_fails_the_check_forgets(engine):
    lines = iter([OPEN, {}, OPEN])

    def view(request):
        if request.method == "OPTIONS":
            return 204, FOR_X_A, ""
        return 200, next(lines), ""

    browser, sent = Browser(serve(view), SHOP, engine), {"headers": {"X-A": "1"}}
    assert asks(browser, **sent)
    response = browser.fetch(URL, **sent).assert_blocked("allow_origin_missing")
    assert [e.preflight for e in response.exchanges] == [False]
    assert asks(browser, **sent) == (engine in ("standard", "firefox"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_star_that_is_remembered_with_credentials_covers_nothing_else(engine):
    allows = {
        "Access-Control-Allow-Origin": SHOP,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "PUT, *",
        "Access-Control-Allow-Headers": "X-A, *",
        "Access-Control-Max-Age": "60",
    }
    browser = Browser(fixed(lines=allows, preflight=(204, allows)), SHOP, engine)
    put = {"method": "PUT", "headers": {"X-A": "1"}, "credentials": "include"}
    assert asks(browser, **put)
    assert not asks(browser, **put)
    browser.fetch(URL, **put | {"method": "DELETE"}).assert_blocked("method_not_allowed")
    browser.fetch(URL, **put | {"headers": {"X-B": "1"}}).assert_blocked("header_not_allowed")


@pytest.mark.parametrize("engine", ["standard", "firefox"])
def test_a_later_preflight_shortens_what_an_earlier_one_granted(engine):
    age = iter(["600", "5"])

    def view(request):
        names = request.headers.get("Access-Control-Request-Headers", "")
        granted = {"Access-Control-Allow-Methods": "PUT", "Access-Control-Allow-Headers": names}
        lines = OPEN | granted
        if "Access-Control-Request-Method" in request.headers:
            lines["Access-Control-Max-Age"] = next(age)
        return 200, lines, "ok"

    browser = Browser(serve(view), SHOP, engine)
    assert asks(browser, method="PUT")
    assert asks(browser, method="PUT", headers={"X-A": "1"})
    browser.advance(6)
    age = iter(["600"])
    assert asks(browser, method="PUT")
