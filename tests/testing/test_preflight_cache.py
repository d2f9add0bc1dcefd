"""What a browser remembers of preflights, and for how long."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain, repeat

import pytest

from flask_corsguard.testing import Browser

from .servers import API, ENGINES, OPEN, SHOP, anyone, fixed, friendly, in_engine, serve

ALL = " ".join(ENGINES)
URL = f"{API}/x"
METHODS, HEADERS = "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"
MAX_AGE = "Access-Control-Max-Age"
FOR_X_A = OPEN | {HEADERS: "X-A"}
INCLUDE = {"credentials": "include"}
GET, PUT, X_A = {}, {"method": "PUT"}, {"headers": {"X-A": "1"}}
X_B, X_A_AND_B = {"headers": {"X-B": "1"}}, {"headers": {"X-A": "1", "X-B": "1"}}
WILD = {
    "Access-Control-Allow-Origin": SHOP,
    "Access-Control-Allow-Credentials": "true",
    METHODS: "PUT, *",
    HEADERS: "X-A, *",
}


def outcomes(browser, *steps):
    """What becomes of each fetch: ``asks`` if a preflight goes first, else ``sends``; and what
    blocks it. Other steps are another page, and seconds that pass."""
    found = []
    for step in steps:
        if isinstance(step, str):
            browser.page = step
        elif isinstance(step, int):
            browser.advance(step)
        else:
            response = browser.fetch(**{"url": URL} | step)
            how = "asks" if response.exchanges[0].preflight else "sends"
            found.append(f"{how}:{response.reason}" if response.reason else how)
    return " ".join(found)


def in_turn(preflights=(), responses=()):
    """Statuses and headers for the first preflights, headers for the first responses; the others
    allow everything."""
    preflights = chain(preflights, repeat((204, OPEN)))
    responses = chain(responses, repeat(OPEN))

    def view(request):
        if "Access-Control-Request-Method" in request.headers:
            return *next(preflights), ""
        return 200, next(responses), "ok"

    return serve(view)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("600", {"": 600}), ("1", {"": 1}), ("0600", {"": 600}), (" 600\t", {"": 600}),
        ("86401", {"": 86401, "chromium": 7200, "firefox": 86400, "webkit": 600}),
        ("9999999", {"": 9999999, "chromium": 7200, "firefox": 86400, "webkit": 600}),
        ("0", {"": 0}),
        # Not a number: the standard's five seconds.
        (None, {"": 5}), ("", {"": 5}), ("-1", {"": 0, "standard": 5}),
        *((value, {"": 5, "firefox": 0})
          for value in ("x", "+600", "600.5", "600s", "600, 60", "\xb2")),
    ],
)  # fmt: skip
def test_max_age(engine, value, seconds):
    """Each form of ``Access-Control-Max-Age`` counts for so many seconds."""
    lines = OPEN | {METHODS: "PUT"} | ({} if value is None else {MAX_AGE: value})
    browser = Browser(fixed(lines=OPEN, preflight=(204, lines)), SHOP, engine)
    limit = in_engine(engine, seconds)
    assert outcomes(browser, PUT) == "asks"
    if limit:
        browser.advance(timedelta(seconds=limit - 1))
        assert outcomes(browser, PUT, 1) == "sends"
    assert outcomes(browser, PUT) == "asks"


@pytest.mark.parametrize(
    ("first", "then", "again"),
    [
        # friendly() allows what is asked for, and no more.
        *((PUT, {"method": method}, "") for method in ("PUT", "put", "POST")),
        (PUT, {"method": "DELETE"}, ALL),
        ({"method": "ODD"}, {"method": "odd"}, ALL),
        (PUT, X_A, ALL),
        (X_A, {"headers": {"x-a": "2"}}, ""),
        (X_A, {"method": "POST", "headers": {"x-a": "2"}}, ""),
        (X_A, PUT | X_A, ALL),
        (X_A, X_A_AND_B, ALL),
        (X_A_AND_B, X_B, ""),
        ({"json": {}, "method": "POST"}, {"json": [], "method": "POST"}, ""),
        # Allowed with credentials is allowed without, and not the reverse.
        (PUT | INCLUDE, PUT, "firefox"),
        (PUT, PUT | INCLUDE, ALL),
        (PUT | {"credentials": "omit"}, PUT, ""),
        # By URL; a fragment is no part of it.
        (PUT, PUT | {"url": f"{URL}#f"}, ""),
        *((PUT, PUT | {"url": u}, ALL) for u in (f"{URL}?q", f"{API}/y", "https://other.test/x")),
    ],
)
def test_what_is_remembered(engine, first, then, again):
    """The second of two fetches needs a preflight again in these engines."""
    browser = Browser(friendly(), SHOP, engine)
    outcomes(browser, first)
    assert outcomes(browser, then) == ("asks" if engine in again.split() else "sends")


@pytest.mark.parametrize(
    ("build", "steps", "found"),
    [
        (lambda: anyone(Max_Age="60", Allow_Methods="PUT"), [PUT, PUT, PUT, 61, PUT, PUT],
         {"": "asks sends sends asks sends"}),
        # What is allowed adds up, or the last preflight counts.
        (friendly, [PUT, X_A, X_B, PUT | X_A_AND_B],
         {"": "asks asks asks sends", "chromium webkit": "asks asks asks asks"}),
        # A star is any; Firefox takes it for a name, once it is remembered.
        (anyone, [PUT | X_A, PUT | X_A, {"method": "DELETE"} | X_B],
         {"": "asks sends sends", "firefox": "asks asks asks"}),
        # https://fetch.spec.whatwg.org/#header-name-cache-entry-match
        (anyone, [X_A, {"headers": {"Authorization": "x"}}],
         {"": "asks asks", "standard": "asks asks:header_not_allowed", "webkit": "asks sends"}),
        (lambda: fixed(lines=WILD, preflight=(204, WILD | {MAX_AGE: "60"})),
         [PUT | X_A | INCLUDE, PUT | X_A | INCLUDE, {"method": "DELETE"} | X_A | INCLUDE,
          PUT | X_B | INCLUDE],
         {"": "asks sends asks:method_not_allowed asks:header_not_allowed"}),
        # In Firefox only GET and POST need no permission, once there is a preflight.
        (lambda: fixed(lines=OPEN, preflight=(204, FOR_X_A)),
         [X_A, {"method": "POST"} | X_A, {"method": "HEAD"} | X_A],
         {"": "asks sends sends", "firefox": "asks sends asks"}),
        # Each page has its own, also one without an origin.
        (friendly, [PUT, "https://partner.example", PUT, SHOP, PUT], {"": "asks asks sends"}),
        (friendly, ["null", PUT, PUT], {"": "asks sends", "chromium": "asks asks"}),
        (fixed, [API, {"method": "ODD"} | X_A | INCLUDE], {"": "sends"}),
        # A refusal is not remembered, and makes the browser forget.
        (lambda: in_turn([(403, {}), (204, OPEN | {METHODS: "PUT"})]), [PUT, PUT, PUT],
         {"": "asks:preflight_status asks sends"}),
        (lambda: in_turn([(204, OPEN | {METHODS: "PUT", HEADERS: ""}), (403, {})]), [PUT, X_A, PUT],
         {"": "asks asks:preflight_status asks"}),
        (lambda: in_turn([(204, FOR_X_A)], [OPEN, {}]), [X_A, X_A, X_A],
         {"": "asks sends:allow_origin_missing asks",
          "chromium webkit": "asks sends:allow_origin_missing sends"}),
        # A later preflight shortens what an earlier one allowed.
        (lambda: in_turn([(204, OPEN | {METHODS: "PUT", HEADERS: names, MAX_AGE: age})
                          for names, age in (("", "600"), ("X-A", "5"))]),
         [PUT, PUT | X_A, 6, PUT], {"": "asks asks asks"}),
    ],
)  # fmt: skip
def test_one_after_the_other(engine, build, steps, found):
    """Of several fetches, these need a preflight in each engine."""
    assert outcomes(Browser(build(), SHOP, engine), *steps) == in_engine(engine, found)
