"""What script asks for, and what goes over the wire for it."""

from __future__ import annotations

import re

import pytest

from flask_corsguard.testing import Blob, Browser, BrowserError, FetchTypeError, FormData

from .servers import API, SHOP, anyone, friendly

_PAIRS = "Failed to execute 'fetch': a mapping of str to str is needed, or pairs of them, not {}."
ENGINES = ("standard", "chromium", "firefox", "webkit")


@pytest.fixture(params=ENGINES)
def browser(request):
    return Browser(anyone(), SHOP, request.param)


def body_of(response):
    """The last request's media type and body, the boundary of a multipart one replaced."""
    last = response.exchanges[-1]
    kind, body = last.request_headers.get("Content-Type"), last.request_body.decode()
    boundary = re.search("boundary=(.*)", kind or "")
    if boundary is None:
        return kind, body
    return kind.replace(boundary[1], "B"), body.replace(boundary[1], "B")


# Methods


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("get", "GET"),
        ("Head", "HEAD"),
        ("pOST", "POST"),
        ("put", "PUT"),
        ("delete", "DELETE"),
        ("options", "OPTIONS"),
        ("PATCH", "PATCH"),
        ("patch", "patch"),
        ("Patch", "Patch"),
        ("propfind", "propfind"),
        ("chicken!", "chicken!"),
    ],
)
def test_methods(browser, given, expected):
    response = browser.fetch(f"{API}/", method=given).assert_readable()
    assert response.exchanges[-1].method == expected
    preflights = [e for e in response.exchanges if e.preflight]
    if expected in ("GET", "HEAD", "POST"):
        assert preflights == []
    else:
        (preflight,) = preflights
        assert preflight.method == "OPTIONS"
        assert preflight.request_headers["Access-Control-Request-Method"] == expected
        assert "Access-Control-Request-Headers" not in preflight.request_headers


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("CONNECT", "Failed to execute 'fetch': 'CONNECT' is unsupported."),
        ("trace", "Failed to execute 'fetch': 'trace' is unsupported."),
        ("Track", "Failed to execute 'fetch': 'Track' is unsupported."),
        ("", "Failed to execute 'fetch': '' is not a valid method."),
        ("P T", "Failed to execute 'fetch': 'P T' is not a valid method."),
        ("P\n", r"Failed to execute 'fetch': 'P\n' is not a valid method."),
        ("é", r"Failed to execute 'fetch': '\xe9' is not a valid method."),
    ],
)
def test_what_is_no_method(browser, given, words):
    with pytest.raises(FetchTypeError) as caught:
        browser.fetch(f"{API}/", method=given)
    assert str(caught.value) == words
    assert isinstance(caught.value, TypeError)


# Headers


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
def test_what_script_may_not_set_is_dropped(browser, name):
    response = browser.fetch(f"{API}/", headers={name: "7"}).assert_readable()
    (exchange,) = response.exchanges
    assert exchange.request_headers.get(name) != "7"


@pytest.mark.parametrize("name", ["X-HTTP-Method", "X-HTTP-Method-Override", "x-method-override"])
@pytest.mark.parametrize(
    ("value", "dropped"),
    [
        ("PUT", False),
        ("TRACE", True),
        ("get, track", True),
        ("connect ,x", True),
        ("traces", False),
    ],
)
def test_overriding_methods(browser, name, value, dropped):
    response = browser.fetch(f"{API}/", headers={name: value})
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
        (iter([("X-A", "1")]), "x-a", {"x-a": "1"}),
    ],
)
def test_headers(headers, asked, values):
    response = Browser(anyone(), SHOP).fetch(f"{API}/", headers=headers).assert_readable()
    first = response.exchanges[0]
    assert first.request_headers.get("Access-Control-Request-Headers") == asked
    assert first.preflight == (asked is not None)
    last = response.exchanges[-1].request_headers
    assert {name: last.getlist(name) for name in values} == {n: [v] for n, v in values.items()}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"": "1"}, "Failed to construct 'Headers': '' is not a name."),
        ({"X A": "1"}, "Failed to construct 'Headers': 'X A' is not a name."),
        ({"X-A:": "1"}, "Failed to construct 'Headers': 'X-A:' is not a name."),
        ({"É": "1"}, r"Failed to construct 'Headers': '\xc9' is not a name."),
        ({"X-A": "1\n2"}, r"Failed to construct 'Headers': X-A: '1\n2' is not a value: headers are"
         " single lines of bytes (Latin-1)."),
        ({"X-A": "\0"}, r"Failed to construct 'Headers': X-A: '\x00' is not a value: headers are"
         " single lines of bytes (Latin-1)."),
        ({"X-A": "€"}, r"Failed to construct 'Headers': X-A: '\u20ac' is not a value: headers are"
         " single lines of bytes (Latin-1)."),
        ([("X-A",)], _PAIRS.format("('X-A',)")),
        ([("X-A", "1", "2")], _PAIRS.format("('X-A', '1', '2')")),
        ({"X-A": 1}, _PAIRS.format("('X-A', 1)")),
        # A forbidden name with a value that is none: the value is read first.
        ({"Cookie": "\n1\n2"}, r"Failed to construct 'Headers': Cookie: '1\n2' is not a value:"
         " headers are single lines of bytes (Latin-1)."),
    ],
)  # fmt: skip
def test_what_is_no_header(browser, headers, words):
    with pytest.raises(FetchTypeError) as caught:
        browser.fetch(f"{API}/", headers=headers)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"mode": "navigate"}, "Failed to execute 'fetch': mode cannot be 'navigate'. Known:"
         " 'cors', 'no-cors', 'same-origin'."),
        ({"credentials": "always"}, "Failed to execute 'fetch': credentials cannot be 'always'."
         " Known: 'omit', 'same-origin', 'include'."),
        ({"redirect": "Follow"}, "Failed to execute 'fetch': redirect cannot be 'Follow'. Known:"
         " 'follow', 'error', 'manual'."),
        ({"mode": "no-cors", "method": "PUT"}, "Failed to execute 'fetch': 'PUT' is unsupported in"
         " no-cors mode; only GET, HEAD and POST are possible."),
        ({"body": ""}, "Failed to execute 'fetch': GET cannot have a body."),
        ({"method": "head", "json": {}}, "Failed to execute 'fetch': HEAD cannot have a body."),
        ({"method": "POST", "body": [("a",)]},
         _PAIRS.format("('a',)")),
    ],
)  # fmt: skip
def test_options_that_fetch_refuses(browser, option, words):
    with pytest.raises(FetchTypeError) as caught:
        browser.fetch(f"{API}/", **option)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"X-A": "1"}, {}),
        ({"Authorization": "x"}, {}),
        ({"Range": "bytes=0-1"}, {}),
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
    response = browser.fetch(f"{API}/", headers=headers, mode="no-cors", method="POST")
    (exchange,) = response.exchanges
    found = {n.lower(): v for n, v in exchange.request_headers}
    known = ("x-a", "authorization", "range", "accept-language", "content-language", "content-type")
    assert {name: found[name] for name in known if name in found} == kept


# Bodies


MULTIPART = '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1 2\r\n--B--\r\n'
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("given", "kind", "body", "asks"),
    [
        ({"body": "é"}, "text/plain;charset=UTF-8", "é", False),
        ({"body": ""}, "text/plain;charset=UTF-8", "", False),
        ({"body": b"x"}, None, "x", False),
        ({"body": {"a": "1 2", "b": "&=~*-._é"}}, f"{FORM};charset=UTF-8",
         "a=1+2&b=%26%3D%7E*-._%C3%A9", False),
        ({"body": [("a", "1"), ("a", "2")]}, f"{FORM};charset=UTF-8", "a=1&a=2", False),
        ({"body": Blob("x")}, None, "x", False),
        ({"body": Blob(b"x", "TEXT/PLAIN")}, "text/plain", "x", False),
        ({"body": Blob("{}", "application/json")}, "application/json", "{}", True),
        ({"body": FormData({"a": "1 2"})}, "multipart/form-data; boundary=B", MULTIPART, False),
        ({"json": {"a": [1, None, "é"]}}, "application/json", '{"a":[1,null,"é"]}', True),
        ({"json": 0}, "application/json", "0", True),
        ({"body": "{}", "headers": {"content-TYPE": "a/b"}}, "a/b", "{}", True),
        ({"json": {}, "headers": {"Content-Type": "text/plain"}}, "text/plain", "{}", False),
        ({}, None, "", False),
    ],
)  # fmt: skip
def test_bodies(browser, given, kind, body, asks):
    response = browser.fetch(f"{API}/", method="POST", **given).assert_readable()
    assert body_of(response) == (kind, body)
    assert [e.preflight for e in response.exchanges] == ([True, False] if asks else [False])


def test_a_form_of_each_type(browser):
    data = [("a b", "1\n2"), ("a b", "é")]
    for enctype, kind, body in (
        (FORM, FORM, "a+b=1%0D%0A2&a+b=%C3%A9"),
        ("text/plain", "text/plain", "a b=1\r\n2\r\na b=é\r\n"),
    ):
        response = browser.submit(f"{API}/", data, enctype=enctype)
        assert body_of(response) == (kind, body)
        assert [e.method for e in response.exchanges] == ["POST"]
    response = browser.submit(f"{API}/", {"a": "1 2"}, enctype="multipart/form-data")
    assert body_of(response) == ("multipart/form-data; boundary=B", MULTIPART)


@pytest.mark.parametrize("how", ["form", "script"])
def test_multipart_in_order_and_quoted(browser, how):
    """https://html.spec.whatwg.org/#multipart/form-data-encoding-algorithm"""
    data = [("a", "1"), ("b", '2"'), ("a", "3\r\n4"), ('"x\r\ny', "é")]
    if how == "form":
        response = browser.submit(f"{API}/", data, enctype="multipart/form-data")
    else:
        response = browser.fetch(f"{API}/", method="POST", body=FormData(data))
    names = ["a", "b", "a", "%22x%0D%0Ay"]
    values = ["1", '2"', "3\r\n4", "é"]
    assert (
        body_of(response)[1]
        == "".join(
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in zip(names, values, strict=True)
        )
        + "--B--\r\n"
    )


def test_a_form_that_is_got(browser):
    response = browser.submit(f"{API}/x?old=1", {"a": "1 2"}, method="GET")
    (exchange,) = response.exchanges
    assert (exchange.method, exchange.url, exchange.request_body) == ("GET", f"{API}/x?a=1+2", b"")
    assert "Content-Type" not in exchange.request_headers
    assert "Origin" not in exchange.request_headers


@pytest.mark.parametrize("options", [{"enctype": "application/json"}, {"method": "put"}])
def test_what_is_no_form(browser, options):
    with pytest.raises(BrowserError, match="no form has the enctype"):
        browser.submit(f"{API}/", **options)


@pytest.mark.parametrize(
    ("data", "kind", "asks"),
    [
        ("text", "text/plain;charset=UTF-8", False),
        ("", "text/plain;charset=UTF-8", False),
        (b"bytes", None, False),
        (Blob("x"), None, False),
        (Blob("x", "text/plain"), "text/plain", False),
        (Blob("{}", "application/json"), "application/json", True),
        ({"a": "1"}, f"{FORM};charset=UTF-8", False),
        (FormData({"a": "1 2"}), "multipart/form-data; boundary=B", False),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_beacons(data, kind, asks, engine):
    response = Browser(friendly(), SHOP, engine).send_beacon(f"{API}/", data)
    response.assert_blocked("beacon")
    assert [e.preflight for e in response.exchanges] == ([True, False] if asks else [False])
    assert response.exchanges[-1].method == "POST"
    assert response.exchanges[-1].request_headers["Origin"] == SHOP
    assert body_of(response)[0] == kind
    if asks:  # a beacon always has credentials
        Browser(anyone(), SHOP, engine).send_beacon(f"{API}/", data).assert_blocked(
            "allow_origin_wildcard"
        )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("\ud800", "\ufffd".encode()),
        (Blob("\ud800"), "\ufffd".encode()),
        ({"a\nb": "1\n2"}, b"a%0Ab=1%0A2"),
    ],
)
def test_text_that_is_encoded(browser, given, sent):
    response = browser.fetch(f"{API}/", method="POST", body=given)
    assert response.exchanges[-1].request_body == sent


@pytest.mark.parametrize("how", ["fetch", "submit"])
def test_line_ends_in_multipart(browser, how):
    fields = {"a\nb": "1\r2"}
    if how == "fetch":
        response = browser.fetch(f"{API}/", method="POST", body=FormData(fields))
    else:
        response = browser.submit(f"{API}/", fields, enctype="multipart/form-data")
    assert b'; name="a%0D%0Ab"\r\n\r\n1\r\n2\r\n--' in response.exchanges[-1].request_body


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([7], {}),
        ([f"{API}/"], {"method": None}),
        ([f"{API}/"], {"headers": 7}),
        ([f"{API}/"], {"method": "POST", "body": 7}),
        ([f"{API}/"], {"method": "POST", "body": "x", "json": {}}),
    ],
)
def test_arguments_of_the_wrong_kind(browser, arguments, options):
    with pytest.raises(FetchTypeError):
        browser.fetch(*arguments, **options)


@pytest.mark.parametrize("servers", [[], "x", None, 7])
def test_what_is_no_server(servers):
    with pytest.raises(BrowserError, match="a WSGI app is needed"):
        Browser(servers)
