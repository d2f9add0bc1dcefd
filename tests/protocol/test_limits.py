"""Both sides of every limit, and every entry of the tables about origins."""

from __future__ import annotations

import ipaddress
import re

import pytest

from flask_corsguard import Policy, PolicyError, Reason
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    MAX_ORIGIN_LENGTH,
    is_host,
    is_scheme,
    parse_origin,
    parse_pattern,
    parse_port,
    serialize_ipv6,
)

LABEL = "a" * 63
LONGEST_HOST = f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"
LONGEST_ORIGIN = "x" * 64 + f"://{LONGEST_HOST}"


def test_the_longest_origin() -> None:
    assert len(LONGEST_ORIGIN) == MAX_ORIGIN_LENGTH == 320
    assert str(parse_origin(LONGEST_ORIGIN)) == LONGEST_ORIGIN
    assert parse_origin(f"x{LONGEST_ORIGIN}") is None


@pytest.mark.parametrize("origins", [[LONGEST_ORIGIN], re.compile(".*"), lambda origin: True])
def test_a_longer_origin_is_malformed_whatever_the_policy(origins: object) -> None:
    policy = Policy(origins=origins)  # type: ignore[typeddict-item]
    assert decide(policy, CorsRequest(LONGEST_ORIGIN, "GET")).reason is None
    decision = decide(policy, CorsRequest(f"x{LONGEST_ORIGIN}", "GET"))
    assert decision.reason is Reason.ORIGIN_MALFORMED
    assert decision.origin == f"x{LONGEST_ORIGIN[:-1]}"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (LONGEST_HOST, True),
        (f"{LONGEST_HOST}a", False),
        (LABEL, True),
        (f"{LABEL}a", False),
        (f"{LABEL}.com", True),
        (f"{LABEL}a.com", False),
        ("a", True),
        ("_", True),
        ("-", False),
        ("a-b", True),
        ("a-", False),
        ("-a", False),
        ("a.b-.c", False),
        ("a.-b.c", False),
        ("0.0.0.0", True),
        ("255.255.255.255", True),
        ("256.0.0.0", False),
        ("0.0.0.256", False),
        ("1.2.3", False),
        ("1.2.3.4.5", False),
        ("01.2.3.4", False),
        ("1.2.3.00", False),
        ("1000.2.3.4", False),
        ("0x1.2.3.4", False),
        ("a.2.3.4", False),
        ("a.0x", False),
        ("a.0x7f", False),
        ("a.0xg", True),
        ("a.0x7_", True),
        ("a.1x", True),
        ("0x7f.a", True),
        ("1.2.3.4.a", True),
    ],
)
def test_hosts(host: str, expected: bool) -> None:
    assert is_host(host) is expected


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("1", 1),
        ("9", 9),
        ("10", 10),
        ("65535", 65535),
        ("65536", None),
        ("99999", None),
        ("100000", None),
        ("0", None),
        ("00", None),
        ("01", None),
        ("080", None),
        ("", None),
        ("+1", None),
        ("1_0", None),
        (" 1", None),
        ("\u0661", None),
    ],
)
def test_ports(text: str, port: int | None) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize(
    ("scheme", "port"), [("ftp", 21), ("http", 80), ("https", 443), ("ws", 80), ("wss", 443)]
)
def test_no_origin_names_the_default_port(scheme: str, port: int) -> None:
    assert DEFAULT_PORTS[scheme] == port
    assert parse_origin(f"{scheme}://a.com:{port}") is None
    for other in (port - 1, port + 1):
        assert parse_origin(f"{scheme}://a.com:{other}") == (scheme, "a.com", other)
    with pytest.raises(PolicyError, match=f"leave out :{port}, the default port of {scheme}"):
        Policy(origins=f"{scheme}://a.com:{port}")


def test_only_these_schemes_have_a_default_port() -> None:
    assert len(DEFAULT_PORTS) == 5
    assert parse_origin("app://a.com:80") == ("app", "a.com", 80)


@pytest.mark.parametrize("scheme", ["about", "blob", "data", "file", "javascript"])
def test_no_entry_for_pages_with_an_opaque_origin(scheme: str) -> None:
    assert parse_pattern(f"{scheme}://a") is None
    assert parse_pattern(f"{scheme}x://a") is not None
    with pytest.raises(PolicyError, match=f"pages loaded from {scheme}: send the origin 'null'"):
        Policy(origins=f"{scheme}://a")


def test_the_characters_of_schemes_and_hosts() -> None:
    letters, digits = set("abcdefghijklmnopqrstuvwxyz"), set("0123456789")
    characters = [chr(code) for code in range(0x250)]
    assert {c for c in characters if is_scheme(c)} == letters
    assert {c for c in characters if is_scheme(f"a{c}b")} == letters | digits | set("+-.")
    assert {c for c in characters if is_host(f"a{c}b")} == letters | digits | set("-_.")
    assert {c for c in characters if parse_origin(f"http://a{c}b")} == letters | digits | set("-_.")
    assert {c for c in characters if parse_origin(f"a{c}b://a")} == letters | digits | set("+-.")
    assert not is_scheme("")


@pytest.mark.parametrize(
    "text",
    [
        "http://[::]",
        "http://[1:2:3:4:5:6:7:8]",
        "http://[1111:2222:3333:4444:5555:6666:7777:8888]",
        "http://[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
        "http://[1::8]",
        "http://[::1:0:0:8]",
        "http://[1:0:0:2::3]",
    ],
)
def test_ipv6(text: str) -> None:
    assert str(parse_origin(text)) == text


def test_an_ipv4_address_in_ipv6() -> None:
    address = ipaddress.IPv6Address("::ffff:18.52.86.120")
    assert serialize_ipv6(address) == "[::ffff:1234:5678]"


@pytest.mark.parametrize(
    "text",
    [
        "http://[1:2:3:4:5:6:7]",
        "http://[1:2:3:4:5:6:7::]",
        "http://[1::0:8]",
        "http://[::1%1]",
        "http://[::1]]",
        "http://[[::1]]",
        "http://[::1].",
        "http://[::1]:80",
        "http://[::1]:0",
        "http://a[::1]",
        "http://::1",
    ],
)
def test_no_ipv6(text: str) -> None:
    assert parse_origin(text) is None


def test_the_longest_method_name() -> None:
    assert Policy(methods="M" * 40).methods == ("M" * 40,)
    with pytest.raises(PolicyError, match="is not an HTTP method name"):
        Policy(methods="M" * 41)


def test_the_longest_max_age() -> None:
    assert [Policy(max_age=seconds).max_age for seconds in (0, 1, 86400)] == [0, 1, 86400]
    for seconds in (-1, 86401):
        with pytest.raises(PolicyError, match="is outside 0 to 86400 seconds"):
            Policy(max_age=seconds)


def test_method_names_that_differ_in_case_are_two() -> None:
    assert Policy(methods=["PURGE", "purge", "PURGE"]).methods == ("PURGE", "purge")
    assert Policy(allow_headers=["X-A", "x-a"]).allow_headers == ("X-A",)
    assert Policy(expose_headers=["x-a", "X-A"]).expose_headers == ("x-a",)


def test_each_string_of_a_list_can_be_a_list() -> None:
    entries = ["https://a.com, https://b.com", "https://c.com"]
    assert Policy(origins=entries).origins == ("https://a.com", "https://b.com", "https://c.com")
    assert Policy(methods=["PUT,DELETE", "PATCH"]).methods == ("PUT", "DELETE", "PATCH")


def test_a_list_that_was_read_is_not_read_again() -> None:
    policy = Policy(origins=["https://a.com", "https://b.com"])
    assert policy.derive(max_age=1).origins is policy.origins
    assert Policy(origins=policy.origins).origins is policy.origins
