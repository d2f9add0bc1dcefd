"""Which request headers need permission, value by value, by the standard and in each engine."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.safelist import (
    SAFELISTED_RESPONSE_HEADERS,
    essence_of,
    unsafe_headers,
    why_unsafe,
)
from flask_corsguard.testing.engines import ENGINES

ALL = set(ENGINES)
LANGUAGES = ("accept-language", "content-language")
LANGUAGE_BYTES = {*b"0123456789 *,-.;=", *range(65, 91), *range(97, 123)}
# https://fetch.spec.whatwg.org/#cors-unsafe-request-header-byte
UNSAFE = {*range(9), *range(10, 32), *b'"():<>?@[\\]{}\x7f'}
WHY_NOT = "it is not one of the safelisted request headers"


def safe_in(name, value):
    return {
        engine for engine in ENGINES if why_unsafe(name, value, ENGINES[engine].safelist) is None
    }


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 1024])
@pytest.mark.parametrize("name", ["accept", *LANGUAGES, "content-type"])
def test_length(name, length):
    """Values are safelisted up to 128 bytes."""
    value = "a" * length
    if name == "content-type":
        value = "text/plain;a=".ljust(length, "b")
    assert safe_in(name, value) == (ALL if length <= 128 else set())
    assert (f"{length} bytes" in str(why_unsafe(name, value))) == (length > 128)


@pytest.mark.parametrize("byte", range(256))
def test_bytes(byte):
    """Each byte is safelisted in the value of each header, or not."""
    expected = set() if byte in UNSAFE else ALL - {"firefox"} if byte >= 0x80 else ALL
    assert safe_in("accept", f"a{chr(byte)}b") == expected
    assert safe_in("content-type", f"text/plain;a={chr(byte)}b") == expected
    for name in LANGUAGES:
        assert safe_in(name, f"a{chr(byte)}b") == (ALL if byte in LANGUAGE_BYTES else set())


@pytest.mark.parametrize(
    ("value", "essence"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/Plain", "text/plain"),
        ("Xtext/plainX", "xtext/plainx"),
        (" \t\r\ntext/plain\t ", "text/plain"),
        ("text/plain;charset=UTF-8", "text/plain"),
        ("text/plain ; x", "text/plain"),
        ("text/plain;", "text/plain"),
        ("text/plain;/", "text/plain"),
        ('text/plain;charset="utf-8"', "text/plain"),
        ("multipart/form-data", "multipart/form-data"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text/html", "text/html"),
        ("*/*", "*/*"),
        *((value, None) for value in (
            "text /plain", "text/ plain", "text / plain", "text/plain x", "text/plain,text/plain",
            "text/plain, application/json", "text/plain/x", "text/", "/plain", "text", "",
            "text;/plain", "\x0btext/plain", "text/plain\x0b", "t(ext/plain", "text/pl@in",
            "texté/plain",
        )),
    ],
)  # fmt: skip
def test_content_type(value, essence):
    """Only the types that a form sends are safelisted, whatever their parameters."""
    assert essence_of(value) == essence
    is_safe = essence in {
        "text/plain",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    } and not set('"\r\n') & set(value)
    assert safe_in("content-type", value) == (ALL if is_safe else set())


@pytest.mark.parametrize(
    ("value", "engines"),
    [
        *((value, ALL) for value in ("bytes=0-99", "bytes=0-", "bytes=5-5")),
        ("Bytes=0-1", {"webkit"}),
        *((value, set()) for value in (
            "bytes=-5", "bytes=5-4", "bytes=0-1,2-3", "bytes=-", "bytes=", "bytes=a-b",
            "bytes=0-٣", "items=0-1", "",
        )),
        # The largest numbers of each engine
        (f"bytes=0-{2**63 - 2}", ALL),
        (f"bytes=0-{2**63 - 1}", ALL - {"chromium"}),
        (f"bytes=0-{2**64 - 1}", ALL - {"chromium"}),
        (f"bytes=0-{2**64}", {"standard"}),
    ],
)  # fmt: skip
def test_range(value, engines):
    """A single range is safelisted."""
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
    """Chromium safelists more headers, with these values."""
    assert [safe_in(name, value) for value in safe] == [{"chromium"}] * len(safe)
    assert [safe_in(name, value) for value in unsafe] == [set()] * len(unsafe)


@pytest.mark.parametrize("name", ["authorization", "x-a", "if-none-match", "dnt", "content-length"])
def test_any_other_name(name):
    """No value of any other header is safelisted."""
    assert safe_in(name, "") == set()
    assert why_unsafe(name, "") == WHY_NOT


def accepts(*lengths):
    names = ["accept", *LANGUAGES]
    return [(names[n % 3], "a" * length) for n, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        (accepts(*[128] * 8), []),
        (accepts(*[128] * 8, 1), ["accept", *LANGUAGES]),
        # What is unsafe by itself does not count.
        ([*accepts(*[128] * 8), ("x-a", "1"), ("accept", "a" * 129)], ["accept", "x-a"]),
        ([*accepts(*[128] * 8, 1), ("x-a", "1")], ["accept", *LANGUAGES, "x-a"]),
    ],
)
def test_total(headers, asked):
    """By the standard, 1024 bytes are safelisted together; no engine counts."""
    assert list(unsafe_headers(headers)) == asked
    for name in ALL - {"standard"}:
        alone = [n for n, value in headers if why_unsafe(n, value)]
        assert list(unsafe_headers(headers, ENGINES[name].safelist)) == sorted(set(alone))
    assert unsafe_headers([("rtt", "100")], ENGINES["chromium"].safelist) == {}


def test_the_names_are_sorted_and_each_has_its_reason():
    headers = [("x-b", "1"), ("range", "x"), ("accept", "("), ("content-type", "a/b"), ("x-a", "")]
    assert list(unsafe_headers(headers).items()) == [
        ("accept", "its value has a byte that is not safelisted"),
        ("content-type", "a/b is not a type that a form sends"),
        ("range", "its value is not a single range such as bytes=0-99"),
        ("x-a", WHY_NOT),
        ("x-b", WHY_NOT),
    ]
    assert why_unsafe("content-type", "x") == "an invalid MIME type is not a type that a form sends"
    assert why_unsafe("accept-language", "_") == "its value has a byte that no language tag has"
    hint = why_unsafe("rtt", "x", ENGINES["chromium"].safelist)
    assert hint == "its value is not safelisted"
    assert set(unsafe_headers(accepts(*[128] * 8, 1)).values()) == {
        "the safelisted headers have 1025 bytes together, more than the 1024 allowed"
    }


def test_response_headers():
    """https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name"""
    names = (
        "cache-control content-language content-length content-type expires last-modified pragma"
    )
    assert set(names.split()) == SAFELISTED_RESPONSE_HEADERS
