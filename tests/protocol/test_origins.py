"""Reading origins, and matching them."""

from __future__ import annotations

import ipaddress
import re

import pytest

from flask_corsguard import Policy
from flask_corsguard.protocol.origins import (
    MAX_ORIGIN_LENGTH,
    CheckFailedError,
    Origin,
    OriginSet,
    parse_origin,
    parse_pattern,
    parse_port,
    serialize_ipv6,
)

LABEL = "a" * 63
LONGEST_HOST = f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://example.com", ("https", "example.com", None)),
        ("http://localhost:3000", ("http", "localhost", 3000)),
        ("https://example.com:80", ("https", "example.com", 80)),
        ("http://example.com:65535", ("http", "example.com", 65535)),
        ("http://127.0.0.1", ("http", "127.0.0.1", None)),
        ("http://255.255.255.255:1", ("http", "255.255.255.255", 1)),
        ("http://[::1]:3000", ("http", "[::1]", 3000)),
        ("http://[::]", ("http", "[::]", None)),
        ("https://[2001:db8::1]", ("https", "[2001:db8::1]", None)),
        ("https://[2001:db8:0:1:1:1:1:1]", ("https", "[2001:db8:0:1:1:1:1:1]", None)),
        ("https://[::ffff:7f00:1]", ("https", "[::ffff:7f00:1]", None)),
        ("capacitor://localhost", ("capacitor", "localhost", None)),
        ("chrome-extension://" + "a" * 32, ("chrome-extension", "a" * 32, None)),
        ("web+app.x-1://host", ("web+app.x-1", "host", None)),
        ("https://foo_bar.example.com", ("https", "foo_bar.example.com", None)),
        ("https://xn--exmple-cua.com", ("https", "xn--exmple-cua.com", None)),
        ("https://a--b.0a", ("https", "a--b.0a", None)),
        ("https://3com.com", ("https", "3com.com", None)),
        (f"https://{LONGEST_HOST}:65535", ("https", LONGEST_HOST, 65535)),
    ],
)
def test_parses_and_serializes_back(text: str, parts: tuple[str, str, int | None]) -> None:
    origin = parse_origin(text)
    assert origin == parts
    assert str(origin) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "https",
        "https:",
        "https://",
        "://example.com",
        "//example.com",
        "example.com",
        "1https://example.com",
        "-https://example.com",
        "ht tps://example.com",
        "HTTPS://example.com",
        "https://Example.com",
        "https://example.com/",
        "https://example.com?",
        "https://example.com#",
        "https://user@example.com",
        "https://example.com\\",
        "https://example.com:",
        "https://example.com:443",
        "http://example.com:80",
        "http://example.com:0",
        "http://example.com:080",
        "http://example.com:65536",
        "http://example.com:123456",
        "http://example.com:+1",
        "http://example.com:\u0663",
        "http://example.com:1:2",
        "https://example.com.",
        "https://.example.com",
        "https://a..example.com",
        "https://-a.example.com",
        "https://a-.example.com",
        f"https://a{LABEL}.example.com",
        f"https://{LONGEST_HOST}a",
        "https://*.example.com",
        "https://ex%61mple.com",
        "https://ex\xe4mple.com",
        "https://example.com\n",
        " https://example.com",
        "https://example.com ",
        "https://a.com,https://b.com",
        "http://127.0.0.01",
        "http://127.0.0.256",
        "http://127.0.0",
        "http://127.0.0.0.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://example.0x",
        "http://example.0xff",
        "http://1.2.3.1000",
        "http://[::1",
        "http://::1]",
        "http://[]",
        "http://[::1]3000",
        "http://[::1]x:3000",
        "http://[::1]:",
        "http://[0:0::1]",
        "http://[::0001]",
        "http://[::A]",
        "http://[::ffff:127.0.0.1]",
        "http://[fe80::1%25eth0]",
        "http://[localhost]",
        "http://[1:2:3:4:5:6:7:8:9]",
        "http://[" + ":" * 60 + "]",
        "https://" + "a." * 200 + "com",
        "x" * (MAX_ORIGIN_LENGTH + 1),
    ],
)
def test_refuses_what_no_browser_sends(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost", True),
        ("http://app.localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://127.255.0.9:1", True),
        ("http://[::1]:8080", True),
        ("http://localhost.example.com", False),
        ("http://notlocalhost", False),
        ("http://127.0.0.example", False),
        ("http://128.0.0.1", False),
        ("http://[::2]", False),
    ],
)
def test_loopback(text: str, expected: bool) -> None:
    origin = parse_origin(text)
    assert origin is not None
    assert origin.is_loopback is expected


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://*.example.com",
        "http://localhost:*",
        "https://*.example.com:*",
        "https://*.example.com:8443",
        "http://127.0.0.1:*",
        "http://[::1]:*",
        "capacitor://localhost",
        "https://*.localhost",
        "https://*.cluster1",
    ],
)
def test_pattern_serializes_back(text: str) -> None:
    assert str(parse_pattern(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "https://*",
        "https://*:*",
        "https://*example.com",
        "https://*.*.example.com",
        "https://a.*.example.com",
        "https://example.*",
        "*://example.com",
        "https://example.com:80*",
        "https://example.com:8080:*",
        "https://*.127.0.0.1",
        "https://*.[::1]",
        "https://*.",
    ],
)
def test_pattern_refuses_other_wildcards(text: str) -> None:
    assert parse_pattern(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("65535", 65535), ("0", None), ("65536", None), ("", None), ("08", None)],
)
def test_port(text: str, expected: int | None) -> None:
    assert parse_port(text) == expected


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("::", "[::]"),
        ("0:0:1:0:0:0:1:1", "[0:0:1::1:1]"),
        ("1:0:0:2:0:0:3:4", "[1::2:0:0:3:4]"),
        ("::ffff:127.0.0.1", "[::ffff:7f00:1]"),
        ("::ffff:0.0.0.0", "[::ffff:0:0]"),
    ],
)
def test_ipv6_serializer(address: str, text: str) -> None:
    assert serialize_ipv6(ipaddress.IPv6Address(address)) == text


def matches(entries: OriginSet, text: str, context: object = None) -> bool:
    origin = parse_origin(text)
    assert origin is not None
    return entries.matches(text, origin, context)


def listed(*texts: str) -> OriginSet:
    patterns = [parse_pattern(text) for text in texts]
    return OriginSet([pattern for pattern in patterns if pattern])


@pytest.mark.parametrize(
    ("entry", "origin", "expected"),
    [
        ("https://example.com", "https://example.com", True),
        ("https://example.com", "http://example.com", False),
        ("https://example.com", "https://example.com:8443", False),
        ("https://example.com", "https://www.example.com", False),
        ("https://example.com", "https://example.com.evil.com", False),
        ("https://*.example.com", "https://www.example.com", True),
        ("https://*.example.com", "https://a.b.c.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "http://www.example.com", False),
        ("https://*.example.com", "https://www.example.com:8443", False),
        ("https://*.example.com", "https://www.example.com.evil.com", False),
        ("https://*.example.com:8443", "https://www.example.com:8443", True),
        ("https://*.example.com:8443", "https://www.example.com", False),
        ("https://*.example.com:*", "https://www.example.com", True),
        ("https://*.example.com:*", "https://www.example.com:1", True),
        ("https://*.example.com:*", "https://example.com:1", False),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "http://localhost:5000", True),
        ("http://localhost:*", "https://localhost:5000", False),
        ("http://localhost:*", "http://a.localhost:5000", False),
        ("http://[::1]:*", "http://[::1]:5000", True),
        ("https://*.co", "https://example.co", True),
    ],
)
def test_matching(entry: str, origin: str, expected: bool) -> None:
    assert matches(listed(entry), origin) is expected


def test_several_ports_of_one_wildcard() -> None:
    entries = listed("https://*.example.com", "https://*.example.com:8443")
    assert matches(entries, "https://a.example.com")
    assert matches(entries, "https://a.example.com:8443")
    assert not matches(entries, "https://a.example.com:9443")


def test_regex_must_match_in_full() -> None:
    entries = OriginSet(regexes=[re.compile(r"https://(a|b)\.example\.com")])
    assert matches(entries, "https://a.example.com")
    assert not matches(entries, "https://a.example.com.evil.com")
    assert not matches(entries, "https://c.example.com")
    assert entries.is_constant


def test_null_is_an_entry_like_others() -> None:
    assert "null" in OriginSet(exact=["null"]).exact
    assert "null" not in OriginSet().exact


@pytest.mark.parametrize("answer", [True, False])
def test_callable(answer: bool) -> None:
    seen: list[tuple[object, ...]] = []

    def check(*arguments: object) -> bool:
        seen.append(arguments)
        return answer

    assert matches(OriginSet(check=check), "https://a.com", "request") is answer
    assert matches(OriginSet(check=check, check_takes_request=True), "https://a.com", 1) is answer
    assert seen == [("https://a.com",), ("https://a.com", 1)]


@pytest.mark.parametrize("answer", [None, 1, "yes", object(), [True]])
def test_callable_that_answers_no_bool(answer: object) -> None:
    with pytest.raises(CheckFailedError, match="where True or False was expected"):
        matches(OriginSet(check=lambda _: answer), "https://a.com")


def test_callable_that_raises() -> None:
    def check(origin: str) -> bool:
        raise KeyError(f"no such\n{origin}")

    with pytest.raises(CheckFailedError) as caught:
        matches(OriginSet(check=check), "https://a.com")
    assert "KeyError" in str(caught.value)
    assert "test_origins.py:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_callable_is_asked_last() -> None:
    def check(origin: str) -> bool:
        raise AssertionError(origin)

    pattern = parse_pattern("https://a.com")
    assert pattern
    assert matches(OriginSet([pattern], check=check), "https://a.com")


def test_truth_and_equality_of_sets() -> None:
    assert not OriginSet()
    for entries in (
        listed("https://a.com"),
        listed("https://*.a.com"),
        listed("http://localhost:*"),
        OriginSet(regexes=[re.compile("x")]),
        OriginSet(check=lambda _: True),
    ):
        assert entries
        assert entries != OriginSet()
        assert hash(entries) == hash(entries)
    one = listed("https://a.com", "https://*.b.com:*", "https://*.b.com:8443")
    other = listed("https://*.b.com:8443", "https://*.b.com:*", "https://a.com")
    assert one == other
    assert hash(one) == hash(other)
    assert one != "https://a.com"
    assert one not in (listed("https://a.com", "https://*.b.com:*"), listed("https://a.com"))


def test_wildcards_of_several_ports() -> None:
    forms = ("https://*.a.com", "https://*.b.com", "https://*.a.com:1", "https://*.b.com:*")
    entries = listed(*forms)
    found = {
        (host, port): matches(entries, f"https://x.{host}.com{port}")
        for host in ("a", "b")
        for port in ("", ":1", ":2")
    }
    assert found == {
        ("a", ""): True, ("a", ":1"): True, ("a", ":2"): False,
        ("b", ""): True, ("b", ":1"): True, ("b", ":2"): True,
    }  # fmt: skip


def test_wildcards_share_their_ports() -> None:
    """There can be very many of them."""
    hosts = range(100)
    entries = listed(*(f"https://*.a{n}.com{port}" for port in (":1", ":2") for n in hosts))
    one = listed(*(f"https://*.a{n}.com" for n in hosts))
    for entry in (entries, one):
        assert len({id(ports) for ports in entry._wildcards.values()}) == 1


def test_origin_is_a_tuple() -> None:
    assert Origin("https", "a.com", 1) == ("https", "a.com", 1)


def test_entries_of_a_list_are_parsed_when_asked_for() -> None:
    entries = ["null", "https://a.com", re.compile("x"), "https://*.b.com:*"]
    origins = Policy(origins=entries, dangerously_allow_null_origin=True).origins
    assert not isinstance(origins, str)
    assert list(map(str, origins.patterns())) == ["https://a.com", "https://*.b.com:*"]
