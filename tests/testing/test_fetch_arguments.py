"""What a page asks for, and what goes over the wire for it."""

from __future__ import annotations

import re

import pytest

from flask_corsguard.testing import Blob, Browser, FetchTypeError, FormData

from .servers import API, SHOP, anyone, friendly

URL = f"{API}/"
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
TEXT, JSON = "text/plain;charset=UTF-8", "application/json"


@pytest.fixture
def browser(engine):
    return Browser(anyone(), SHOP, engine)


def body_of(response):
    """The last request's media type and body, the boundary of a multipart one replaced."""
    last = response.exchanges[-1]
    kind, body = last.request_headers.get("Content-Type"), last.request_body.decode()
    boundary = re.search("boundary=(.*)", kind or "")
    if boundary is None:
        return kind, body
    return kind.replace(boundary[1], "B"), body.replace(boundary[1], "B")


def multipart(*fields):
    """https://html.spec.whatwg.org/#multipart/form-data-encoding-algorithm"""
    parts = (
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    )
    return f"{MULTIPART}; boundary=B", f"{''.join(parts)}--B--\r\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((name, name.upper()) for name in ("get", "Head", "pOST", "put", "delete", "options")),
        *((name, name) for name in ("PATCH", "patch", "Patch", "propfind", "chicken!")),
    ],
)
def test_methods(browser, given, expected):
    """Each method becomes this one, and needs a preflight or not."""
    *preflights, last = browser.fetch(URL, method=given).assert_readable().exchanges
    assert last.method == expected
    assert len(preflights) == (expected not in ("GET", "HEAD", "POST"))
    for preflight in preflights:
        assert preflight.method == "OPTIONS"
        assert preflight.request_headers["Access-Control-Request-Method"] == expected
        assert "Access-Control-Request-Headers" not in preflight.request_headers


FETCH, HEADERS = "Failed to execute 'fetch': ", "Failed to construct 'Headers': "
PAIRS = f"{FETCH}a mapping of str to str is needed, or pairs of them, not "
LINES = "is not a value: headers are single lines of bytes (Latin-1)."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"method": name}, f"{FETCH}{name!r} is unsupported.")
          for name in ("CONNECT", "trace", "Track")),
        *(({"method": name}, f"{FETCH}{name!a} is not a valid method.")
          for name in ("", "P T", "P\n", "é", None)),
        *(({"headers": {name: "1"}}, f"{HEADERS}{name!a} is not a name.")
          for name in ("", "X A", "X-A:", "É")),
        *(({"headers": {"X-A": value}}, f"{HEADERS}X-A: {value!a} {LINES}")
          for value in ("1\n2", "\0", "€")),
        # The value is read first, whatever the name.
        ({"headers": {"Cookie": "\n1\n2"}}, rf"{HEADERS}Cookie: '1\n2' {LINES}"),
        ({"headers": [("X-A",)]}, f"{PAIRS}('X-A',)."),
        ({"headers": [("X-A", "1", "2")]}, f"{PAIRS}('X-A', '1', '2')."),
        ({"headers": {"X-A": 1}}, f"{PAIRS}('X-A', 1)."),
        ({"headers": 7}, f"{PAIRS}7."),
        ({"headers": "X-A: 1"}, f"{PAIRS}'X-A: 1'."),
        ({"method": "POST", "body": [("a",)]}, f"{PAIRS}('a',)."),
        ({"method": "POST", "body": 7}, f"{PAIRS}7."),
        ({"method": "POST", "body": "x", "json": {}}, f"{FETCH}give it body or json, not both."),
        ({"body": ""}, f"{FETCH}GET cannot have a body."),
        ({"method": "head", "json": {}}, f"{FETCH}HEAD cannot have a body."),
        ({"mode": "no-cors", "method": "PUT"}, f"{FETCH}'PUT' is unsupported in no-cors mode; only"
         " GET, HEAD and POST are possible."),
        ({"mode": "navigate"}, f"{FETCH}mode cannot be 'navigate'. Known: 'cors', 'no-cors',"
         " 'same-origin'."),
        ({"credentials": "always"}, f"{FETCH}credentials cannot be 'always'. Known: 'omit',"
         " 'same-origin', 'include'."),
        ({"redirect": "Follow"}, f"{FETCH}redirect cannot be 'Follow'. Known: 'follow', 'error',"
         " 'manual'."),
        ({"url": "https://me:secret@api.test/"}, f"{FETCH}'https://me:secret@api.test/' includes a"
         " user name or a password."),
        ({"url": 7}, "7 is not a URL, or is relative to a page that has no URL."),
    ],
)  # fmt: skip
def test_what_fetch_refuses(browser, options, words):
    """With such arguments nothing is sent, and the error says why."""
    with pytest.raises(FetchTypeError) as caught:
        browser.fetch(**{"url": URL} | options)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "name",
    [
        "Accept-Charset", "Accept-Encoding", "Access-Control-Request-Headers",
        "Access-Control-Request-Method", "Connection", "Content-Length", "Cookie", "COOKIE2",
        "Date", "DNT", "Expect", "Host", "Keep-Alive", "Origin", "Referer", "Set-Cookie", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Via", "Proxy-Anything", "Sec-Fetch-Site",
        "sec-",
    ],
)  # fmt: skip
def test_what_a_page_may_not_set_is_dropped(browser, name):
    """https://fetch.spec.whatwg.org/#forbidden-request-header: not even a preflight asks."""
    (exchange,) = browser.fetch(URL, headers={name: "7"}).assert_readable().exchanges
    assert exchange.request_headers.get(name) != "7"


@pytest.mark.parametrize("name", ["X-HTTP-Method", "X-HTTP-Method-Override", "x-method-override"])
@pytest.mark.parametrize(
    ("value", "dropped"),
    [("PUT", False), ("traces", False), ("TRACE", True), ("get,track", True), ("connect ,x", True)],
)
def test_overriding_methods(browser, name, value, dropped):
    """A header may not name a forbidden method either."""
    response = browser.fetch(URL, headers={name: value})
    assert response.exchanges[-1].request_headers.get(name) == (None if dropped else value)


@pytest.mark.parametrize(
    ("headers", "asked", "values"),
    [
        ({"X-B": "2", "x-a": "1"}, "x-a,x-b", {"x-a": "1", "x-b": "2"}),
        ([("X-A", "1"), ("x-a", "2")], "x-a", {"x-a": "1, 2"}),
        ([["X-A", "1"], ["X-A", ""]], "x-a", {"x-a": "1, "}),
        ({"X-A": " \t1\r\n"}, "x-a", {"x-a": "1"}),
        ({"X-A": "é"}, "x-a", {"x-a": "é"}),
        ({"Accept-Language": "en"}, None, {"accept-language": "en"}),
        ({"Content-Type": "text/plain"}, None, {"content-type": "text/plain"}),
        ({"Range": "bytes=0-1"}, None, {"range": "bytes=0-1"}),
        ({"Accept": '"'}, "accept", {"accept": '"'}),
        (lambda: iter([("X-A", "1")]), "x-a", {"x-a": "1"}),
    ],
)
def test_headers(headers, asked, values):
    """The preflight, if there is one, asks for these headers, and then these values are sent."""
    headers = headers() if callable(headers) else headers
    response = Browser(anyone(), SHOP).fetch(URL, headers=headers).assert_readable()
    first = response.exchanges[0]
    assert first.request_headers.get("Access-Control-Request-Headers") == asked
    assert first.preflight == (asked is not None)
    last = response.exchanges[-1].request_headers
    assert {name: last.getlist(name) for name in values} == {n: [v] for n, v in values.items()}


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"X-A": "1", "Authorization": "x", "Range": "bytes=0-1"}, {}),
        ({"Accept-Language": "en"}, {"accept-language": "en"}),
        ({"Content-Language": "en"}, {"content-language": "en"}),
        ({"Content-Type": "text/plain;a=b"}, {"content-type": "text/plain;a=b"}),
        ({"Content-Type": "application/json"}, {}),
        # Taken together they are too long.
        ([("Accept-Language", "a" * 100), ("Accept-Language", "b" * 100)],
         {"accept-language": "a" * 100}),
    ],
)  # fmt: skip
def test_no_cors_drops_what_is_not_safelisted(browser, headers, kept):
    """https://fetch.spec.whatwg.org/#no-cors-safelisted-request-header"""
    (exchange,) = browser.fetch(URL, headers=headers, mode="no-cors", method="POST").exchanges
    found = {name.lower(): value for name, value in exchange.request_headers}
    known = ("x-a", "authorization", "range", "accept-language", "content-language", "content-type")
    assert {name: found[name] for name in known if name in found} == kept


@pytest.mark.parametrize(
    ("given", "kind", "body"),
    [
        ({"body": "é"}, TEXT, "é"), ({"body": ""}, TEXT, ""), ({"body": "\ud800"}, TEXT, "\ufffd"),
        ({"body": b"x"}, None, "x"),
        ({"body": {"a": "1 2", "b": "&=~*-._é"}}, f"{FORM};charset=UTF-8",
         "a=1+2&b=%26%3D%7E*-._%C3%A9"),
        ({"body": [("a", "1"), ("a", "2")]}, f"{FORM};charset=UTF-8", "a=1&a=2"),
        ({"body": {"a\nb": "1\n2"}}, f"{FORM};charset=UTF-8", "a%0Ab=1%0A2"),
        ({"body": Blob("x")}, None, "x"), ({"body": Blob("\ud800")}, None, "\ufffd"),
        ({"body": Blob(b"x", "TEXT/PLAIN")}, "text/plain", "x"),
        ({"body": Blob("{}", JSON)}, JSON, "{}"),
        ({"body": FormData({"a": "1 2"})}, *multipart(("a", "1 2"))),
        ({"body": FormData({"a\nb": "1\r2"})}, *multipart(("a%0D%0Ab", "1\r\n2"))),
        ({"json": {"a": [1, None, "é"]}}, JSON, '{"a":[1,null,"é"]}'), ({"json": 0}, JSON, "0"),
        ({"body": "{}", "headers": {"content-TYPE": "a/b"}}, "a/b", "{}"),
        ({"json": {}, "headers": {"Content-Type": "text/plain"}}, "text/plain", "{}"),
        ({}, None, ""),
    ],
)  # fmt: skip
def test_bodies(browser, given, kind, body):
    """Each kind of body has this type and these bytes; a preflight asks for the type if needed."""
    response = browser.fetch(URL, method="POST", **given).assert_readable()
    assert body_of(response) == (kind, body)
    assert response.exchanges[0].preflight == (kind in (JSON, "a/b"))


FIELDS = [("a", "1"), ("b", '2"'), ("a", "3\r\n4"), ('"x\ny', "é")]


@pytest.mark.parametrize(
    ("enctype", "data", "kind", "body"),
    [
        (FORM, [("a b", "1\n2"), ("a b", "é")], FORM, "a+b=1%0D%0A2&a+b=%C3%A9"),
        ("text/plain", [("a b", "1\n2"), ("a b", "é")], "text/plain",
         "a b=1\r\n2\r\na b=é\r\n"),
        (MULTIPART, {"a": "1 2"}, *multipart(("a", "1 2"))),
        (MULTIPART, FIELDS, *multipart(*FIELDS[:3], ("%22x%0D%0Ay", "é"))),
    ],
)  # fmt: skip
def test_forms(browser, enctype, data, kind, body):
    """A form of each type, and ``FormData``, sends its fields in order and quoted."""
    response = browser.submit(URL, data, enctype=enctype)
    assert body_of(response) == (kind, body)
    assert [exchange.method for exchange in response.exchanges] == ["POST"]
    if enctype == MULTIPART:
        assert body_of(browser.fetch(URL, method="POST", body=FormData(data))) == (kind, body)


def test_a_form_with_get(browser):
    (exchange,) = browser.submit(f"{URL}x?old=1", {"a": "1 2"}, method="GET").exchanges
    assert (exchange.method, exchange.url, exchange.request_body) == ("GET", f"{URL}x?a=1+2", b"")
    assert not {"Content-Type", "Origin"} & set(exchange.request_headers.keys())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        *((data, TEXT) for data in ("text", "")),
        *((data, None) for data in (b"bytes", Blob("x"))),
        (Blob("x", "text/plain"), "text/plain"),
        (Blob("{}", JSON), JSON),
        ({"a": "1"}, f"{FORM};charset=UTF-8"),
        (FormData({"a": "1 2"}), f"{MULTIPART}; boundary=B"),
    ],
)
def test_beacons(engine, data, kind):
    """A beacon takes each kind of body, and always has credentials."""
    response = Browser(friendly(), SHOP, engine).send_beacon(URL, data).assert_blocked("beacon")
    *preflights, last = response.exchanges
    assert len(preflights) == (kind == JSON)
    assert (last.method, last.request_headers["Origin"]) == ("POST", SHOP)
    assert body_of(response)[0] == kind
    if preflights:
        refused = Browser(anyone(), SHOP, engine).send_beacon(URL, data)
        refused.assert_blocked("allow_origin_wildcard")
