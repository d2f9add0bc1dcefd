"""Which request headers need permission, value by value."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.safelist import essence_of, unsafe_headers, why_unsafe
from flask_corsguard.testing.engines import ENGINES

ALL = set(ENGINES)


def safe_in(name, value):
    return {
        engine for engine in ENGINES if why_unsafe(name, value, ENGINES[engine].safelist) is None
    }


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 1024])
@pytest.mark.parametrize("name", ["accept", "accept-language", "content-language"])
def test_length(name, length):
    assert safe_in(name, "a" * length) == (ALL if length <= 128 else set())


@pytest.mark.parametrize("length", [127, 128, 129])
def test_length_of_a_content_type(length):
    value = "text/plain;a=".ljust(length, "b")
    assert safe_in("content-type", value) == (ALL if length <= 128 else set())
    assert ("129 bytes" in str(why_unsafe("content-type", value))) == (length == 129)


# https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte
UNSAFE = {*range(9), *range(10, 32), *b'"():<>?@[\\]{}\x7f'}


def test_bytes():
    languages = b"0123456789 *,-.;=" + bytes(range(65, 91)) + bytes(range(97, 123))
    for byte in range(256):
        character = chr(byte)
        expected = ALL
        if byte in UNSAFE:
            expected = set()
        elif byte >= 0x80:
            expected = ALL - {"firefox"}
        assert safe_in("accept", f"a{character}b") == expected, byte
        assert safe_in("content-type", f"text/plain;a={character}b") == expected, byte
        for name in ("accept-language", "content-language"):
            assert safe_in(name, f"a{character}b") == (ALL if byte in languages else set()), byte


# A value of Content-Type, its essence, and whether it is safelisted.
CONTENT_TYPES = [
    ("text/plain", "text/plain", True),
    ("TEXT/Plain", "text/plain", True),
    ("text/plain;charset=utf-8", "text/plain", True),
    ("text/plain ; x", "text/plain", True),
    ("text/plain;", "text/plain", True),
    ("text/plain;/", "text/plain", True),
    (" text/plain", "text/plain", True),
    (" \t\r\ntext/plain\t ", "text/plain", False),
    ('text/plain;charset="utf-8"', "text/plain", False),
    ("multipart/form-data", "multipart/form-data", True),
    ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded", True),
    ("application/json", "application/json", False),
    ("application/vnd.api+json", "application/vnd.api+json", False),
    ("text/html", "text/html", False),
    ("*/*", "*/*", False),
    *((f"text/plain{more}", None, False) for more in (" x", ",text/plain", "/x")),
    *((value, None, False) for value in ("text /plain", "text/ plain", "text / plain", "")),
    *((value, None, False) for value in ("text/", "/plain", "text", "text;/plain")),
    *((value, None, False) for value in ("t(ext/plain", "text/pl@in", "texté/plain")),
]


@pytest.mark.parametrize(("value", "essence", "safe"), CONTENT_TYPES)
def test_content_type(value, essence, safe):
    """https://mimesniff.spec.whatwg.org/#parse-a-mime-type"""
    assert essence_of(value) == essence
    assert safe_in("content-type", value) == (ALL if safe else set())


@pytest.mark.parametrize(
    ("value", "engines"),
    [
        ("bytes=0-99", ALL),
        ("bytes=0-", ALL),
        ("bytes=5-5", ALL),
        ("Bytes=0-1", {"webkit"}),
        ("bytes=-5", set()),
        ("bytes=5-4", set()),
        ("bytes=0-1,2-3", set()),
        ("bytes=-", set()),
        ("bytes=", set()),
        ("bytes=a-b", set()),
        ("bytes=0-٣", set()),
        ("items=0-1", set()),
        ("", set()),
    ],
)
def test_range(value, engines):
    assert safe_in("range", value) == engines


@pytest.mark.parametrize(
    ("name", "safe", "unsafe"),
    [
        ("device-memory", ["1", "0.5"], ["", "-1", ".5", "x"]),
        ("downlink", ["1", "10.25"], ["", "x"]),
        ("dpr", ["2", "1.5"], ["", "x"]),
        ("ect", ["slow-2g", "4g"], ["", "5g", "4G"]),
        ("rtt", ["0", "100"], ["", "1.5", "01"]),
        ("save-data", ["on", "ON"], ["", "off"]),
        ("viewport-width", ["320"], ["", "x"]),
        ("width", ["320"], ["", "x", "1" * 129]),
    ],
)
def test_client_hints(name, safe, unsafe):
    assert [safe_in(name, value) for value in safe] == [{"chromium"}] * len(safe)
    assert [safe_in(name, value) for value in unsafe] == [set()] * len(unsafe)
    reason = why_unsafe(name, "?", ENGINES["chromium"].safelist)
    assert reason == "its value is none of those that are safelisted"


@pytest.mark.parametrize("name", ["authorization", "x-a", "if-none-match", "dnt", "content-length"])
def test_any_other_name(name):
    assert safe_in(name, "") == set()
    assert why_unsafe(name, "") == "it is not one of the safelisted request headers"


def accepts(*lengths):
    names = ["accept", "accept-language", "content-language"]
    return [(names[n % 3], "a" * length) for n, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        (accepts(*[128] * 8), []),
        (accepts(*[128] * 8, 1), ["accept", "accept-language", "content-language"]),
        # What is unsafe by itself does not count.
        ([*accepts(*[128] * 8), ("x-a", "1"), ("accept", "a" * 129)], ["accept", "x-a"]),
        ([*accepts(*[128] * 8, 1), ("x-a", "1")],
         ["accept", "accept-language", "content-language", "x-a"]),
    ],
)  # fmt: skip
def test_total(headers, asked):
    assert list(unsafe_headers(headers)) == asked
    for name in ("chromium", "firefox", "webkit"):
        alone = [n for n, value in headers if why_unsafe(n, value)]
        assert list(unsafe_headers(headers, ENGINES[name].safelist)) == sorted(set(alone))


def test_the_names_are_sorted_and_each_has_its_reason():
    headers = [("x-b", "1"), ("range", "x"), ("accept", "("), ("content-type", "a/b"), ("x-a", "")]
    assert unsafe_headers(headers) == {
        "accept": "its value has a byte that is not safelisted",
        "content-type": "a/b is none of the types that a form sends",
        "range": "its value is not a single range such as bytes=0-99",
        "x-a": "it is not one of the safelisted request headers",
        "x-b": "it is not one of the safelisted request headers",
    }
    assert unsafe_headers([("content-type", "x")]) == {
        "content-type": "a value that is no MIME type is none of the types that a form sends"
    }
    assert unsafe_headers([("accept-language", "_")]) == {
        "accept-language": "its value has a byte that no language tag has"
    }
