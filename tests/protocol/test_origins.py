"""Reading origins and matching them, on both sides of every limit."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError, Reason
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origins import (
    DEFAULT_PORTS,
    MAX_ORIGIN_LENGTH,
    CheckFailedError,
    Origin,
    OriginSet,
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

ORIGINS = f"""
    https://example.com http://localhost:3000 https://example.com:80 http://example.com:65535
    http://127.0.0.1 http://255.255.255.255:1 http://[::1]:3000 http://[::] https://[2001:db8::1]
    https://[2001:db8:0:1:1:1:1:1] https://[::ffff:7f00:1] http://[1:2:3:4:5:6:7:8] http://[1::8]
    http://[1111:2222:3333:4444:5555:6666:7777:8888]:65535 http://[::1:0:0:8] http://[1:0:0:2::3]
    capacitor://localhost chrome-extension://{LABEL} web+app.x-1://host
    https://foo_bar.example.com https://xn--exmple-cua.com https://a--b.0a https://3com.com
    https://{LONGEST_HOST}:65535 {LONGEST_ORIGIN}
"""


@pytest.mark.parametrize("text", ORIGINS.split())
def test_what_browsers_send(text: str) -> None:
    """What browsers send is read as its three parts, and written again as it was."""
    origin = parse_origin(text)
    assert origin is not None
    parts = re.fullmatch(r"(.+?)://(.+?)(?::([1-9]\d*))?", text)
    assert parts is not None
    assert origin == (parts[1], parts[2], int(parts[3]) if parts[3] else None)
    assert type(origin) is Origin
    assert str(origin) == text


NOT_ORIGINS = f"""
    null https https: https:// ://example.com //example.com example.com 1https://example.com
    -https://example.com HTTPS://example.com https://Example.com https://example.com/
    https://example.com? https://example.com# https://user@example.com https://example.com\\
    https://example.com: http://example.com:0 http://example.com:080 http://example.com:65536
    http://example.com:123456 http://example.com:+1 http://example.com:\u0663
    http://example.com:1:2 https://example.com. https://.example.com https://a..example.com
    https://-a.example.com https://a-.example.com https://a{LABEL}.example.com
    https://{LONGEST_HOST}a https://*.example.com https://ex%61mple.com https://ex\xe4mple.com
    https://a.com,https://b.com http://127.0.0.01 http://127.0.0.256 http://127.0.0
    http://127.0.0.0.1 http://2130706433 http://0x7f000001 http://example.0x http://example.0xff
    http://1.2.3.1000 http://[::1 http://::1] http://::1 http://[] http://[::1]3000
    http://[::1]x:3000 http://[::1]: http://[::1]:80 http://[::1]:0 http://[::1]. http://[[::1]]
    http://[::1]] http://a[::1] http://[0:0::1] http://[::0001] http://[::A] http://[1::0:8]
    http://[::ffff:127.0.0.1] http://[fe80::1%25eth0] http://[::1%1] http://[localhost]
    http://[1:2:3:4:5:6:7] http://[1:2:3:4:5:6:7::] http://[1:2:3:4:5:6:7:8:9]
    http://[{":" * 60}] https://{"a." * 200}com x{LONGEST_ORIGIN}
"""


@pytest.mark.parametrize(
    "text",
    [*NOT_ORIGINS.split(), "", " https://a.com", "https://a.com ", "https://a.com\n", "ht tps://a"],
)
def test_what_no_browser_sends(text: str) -> None:
    """What no browser sends is not an origin: nothing is stripped, decoded or lower-cased."""
    assert parse_origin(text) is None


def test_the_longest_origin() -> None:
    assert len(LONGEST_ORIGIN) == MAX_ORIGIN_LENGTH == 320


@pytest.mark.parametrize("origins", [[LONGEST_ORIGIN], re.compile(".*"), lambda origin: True])
def test_a_longer_origin_is_malformed_whatever_the_policy(origins: object) -> None:
    policy = Policy(origins=origins)  # type: ignore[typeddict-item]
    assert decide(policy, CorsRequest(LONGEST_ORIGIN, "GET")).reason is None
    decision = decide(policy, CorsRequest(f"x{LONGEST_ORIGIN}", "GET"))
    assert decision.reason is Reason.ORIGIN_MALFORMED
    assert decision.origin == f"x{LONGEST_ORIGIN[:-1]}"


HOSTS = f"""
    {LONGEST_HOST} {LABEL} {LABEL}.com a _ a-b 0.0.0.0 255.255.255.255 a.0xg a.0x7_ a.1x 0x7f.a
    1.2.3.4.a
"""
NOT_HOSTS = f"""
    {LONGEST_HOST}a {LABEL}a {LABEL}a.com - a- -a a.b-.c a.-b.c 256.0.0.0 0.0.0.256 1.2.3 1.2.3.4.5
    01.2.3.4 1.2.3.00 1000.2.3.4 0x1.2.3.4 a.2.3.4 a.0x a.0x7f
"""
PORTS = "1 9 10 65535"
NOT_PORTS = "65536 99999 100000 0 00 01 080 08 +1 1_0 \u0661"


def test_hosts_and_ports() -> None:
    """Hosts are names of letters, digits, hyphens and underscores, or IPv4; ports, 1 to 65535."""
    assert [host for host in HOSTS.split() if not is_host(host)] == []
    assert [host for host in NOT_HOSTS.split() if is_host(host)] == []
    assert [str(parse_port(port)) for port in PORTS.split()] == PORTS.split()
    assert [port for port in ("", " 1", *NOT_PORTS.split()) if parse_port(port) is not None] == []


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


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("::", "[::]"),
        ("0:0:1:0:0:0:1:1", "[0:0:1::1:1]"),
        ("1:0:0:2:0:0:3:4", "[1::2:0:0:3:4]"),
        ("::ffff:127.0.0.1", "[::ffff:7f00:1]"),
        ("::ffff:0.0.0.0", "[::ffff:0:0]"),
        ("::ffff:18.52.86.120", "[::ffff:1234:5678]"),
    ],
)
def test_how_ipv6_is_written(address: str, text: str) -> None:
    """https://url.spec.whatwg.org/#concept-ipv6-serializer"""
    assert serialize_ipv6(ipaddress.IPv6Address(address)) == text


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("localhost app.localhost:3000 127.0.0.1 127.255.0.9:1 [::1]:8080", True),
        ("localhost.example.com notlocalhost 127.0.0.example 128.0.0.1 [::2]", False),
    ],
    ids=["loopback", "not loopback"],
)
def test_loopback(hosts: str, expected: bool) -> None:
    for host in hosts.split():
        origin = parse_origin(f"http://{host}")
        assert origin is not None
        assert origin.is_loopback is expected


# Entries of an allow-list

PATTERNS = """
    https://example.com https://*.example.com http://localhost:* https://*.example.com:*
    https://*.example.com:8443 http://127.0.0.1:* http://[::1]:* capacitor://localhost
    https://*.localhost https://*.cluster1 https://pr-*.example.com https://*-shop.a.b:*
    https://a*b.localhost:8443 app://x*.y https://*example.com moz-extension://* a+b://*
"""
NOT_PATTERNS = """
    * null https://* https://*:* https://*.*.example.com https://example.*
    https://a.*.example.com *://example.com https://example.com:80* https://example.com:8080:*
    https://*.127.0.0.1 https://*.[::1] https://*. http://* ws://* wss://* file://* ://* A://*
    moz-extension://*:* moz-extension://*:1 https://a*b*.example.com https://a.b*.example.com
    https://*.a*.example.com https://pr-* https://pr-*:8443 http://1*.2.3.4 http://1*.2.3
    http://[*::1] https://-*.a.com https://*-.a.com https://A*.a.com https://a*.com. h*://a.com
    h*://a*.b.com https://a*.b.com:4* https://a*.b.com:443 file://a*.b x*://*
"""


def test_wildcards() -> None:
    """A wildcard stands in front of a whole name, for a part of its first label, for the port, or
    for all hosts of an app's scheme, and nowhere else."""
    assert [str(parse_pattern(text)) for text in PATTERNS.split()] == PATTERNS.split()
    assert [text for text in NOT_PATTERNS.split() if parse_pattern(text)] == []


def matches(entries: OriginSet, text: str, context: object = None) -> bool:
    origin = parse_origin(text)
    assert origin is not None
    return entries.matches(text, origin, context)


def listed(*texts: str) -> OriginSet:
    patterns = [parse_pattern(text) for text in texts]
    return OriginSet([pattern for pattern in patterns if pattern])


# Some entries, origins that match one of them, and origins that match none.
MATCHING: list[tuple[str, str, str]] = [
    ("https://example.com", "https://example.com",
     "http://example.com https://example.com:8443 https://www.example.com"
     " https://example.com.evil.com"),
    ("https://*.example.com", "https://www.example.com https://a.b.c.example.com",
     "https://example.com https://evilexample.com http://www.example.com"
     " https://www.example.com:8443 https://www.example.com.evil.com"),
    ("https://*.example.com:8443", "https://www.example.com:8443", "https://www.example.com"),
    ("https://*.example.com:*", "https://www.example.com https://www.example.com:1",
     "https://example.com:1"),
    ("http://localhost:*", "http://localhost http://localhost:5000",
     "https://localhost:5000 http://a.localhost:5000"),
    ("http://[::1]:*", "http://[::1]:5000", "http://[::2]:5000"),
    ("https://*.co", "https://example.co", "https://co"),
    ("https://*.a.com https://*.a.com:8443", "https://x.a.com https://x.a.com:8443",
     "https://x.a.com:9443"),
    ("https://*.a.com https://*.b.com https://*.a.com:1 https://*.b.com:*",
     "https://x.a.com https://x.a.com:1 https://x.b.com https://x.b.com:1 https://x.b.com:2",
     "https://x.a.com:2"),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "inside", "outside"), MATCHING, ids=[r[0] for r in MATCHING])
def test_matching(entries: str, inside: str, outside: str) -> None:
    """Each list lets the first origins in and keeps out the others, which are near them."""
    compiled = listed(*entries.split())
    assert [origin for origin in inside.split() if not matches(compiled, origin)] == []
    assert [origin for origin in outside.split() if matches(compiled, origin)] == []


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("https://a.example,null,http://localhost:3000", True),
        ("https://*.a.example", False),
        ("http://localhost:*", False),
        ("app://*", False),
        (re.compile("https://a"), False),
        ([], True),
    ],
    ids=str,
)
def test_sets_whose_entries_are_one_origin_each(entries: Any, expected: bool) -> None:
    fields = {"origins": entries, "dangerously_allow_null_origin": True}
    assert Policy(**fields).origins.compiled.is_exact is expected


def test_regex_must_match_in_full() -> None:
    entries = OriginSet(regexes=[re.compile(r"https://(a|b)\.example\.com")])
    assert matches(entries, "https://a.example.com")
    assert not matches(entries, "https://a.example.com.evil.com")
    assert not matches(entries, "https://c.example.com")
    assert entries.is_constant


def test_null_is_an_entry_like_others() -> None:
    assert "null" in OriginSet(exact=["null"]).exact
    assert "null" not in OriginSet().exact


@pytest.mark.parametrize("verdict", [True, False])
def test_callable(verdict: bool) -> None:
    seen: list[tuple[object, ...]] = []

    def check(*arguments: object) -> bool:
        seen.append(arguments)
        return verdict

    assert matches(OriginSet(check=check), "https://a.com", "request") is verdict
    assert matches(OriginSet(check=check, check_takes_request=True), "https://a.com", 1) is verdict
    assert seen == [("https://a.com",), ("https://a.com", 1)]


def test_callable_that_raises() -> None:
    def check(origin: str) -> bool:
        raise KeyError(f"no such\n{origin}")

    with pytest.raises(CheckFailedError) as caught:
        matches(OriginSet(check=check), "https://a.com")
    assert "KeyError" in str(caught.value)
    assert "test_origins.py:" in str(caught.value)
    assert "\n" not in str(caught.value)


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


def test_wildcards_share_their_ports() -> None:
    """Wildcards with the same ports share one set, because there can be very many of them."""
    hosts = range(100)
    entries = listed(*(f"https://*.a{n}.com{port}" for port in (":1", ":2") for n in hosts))
    one = listed(*(f"https://*.a{n}.com" for n in hosts))
    for entry in (entries, one):
        assert len({id(ports) for ports in entry._wildcards.values()}) == 1


def test_entries_of_a_list_are_parsed_when_asked_for() -> None:
    entries = ["null", "https://a.com", re.compile("x"), "https://*.b.com:*"]
    origins = Policy(origins=entries, dangerously_allow_null_origin=True).origins
    assert not isinstance(origins, str)
    assert list(map(str, origins.patterns())) == ["https://a.com", "https://*.b.com:*"]


def test_exact_entries_stand_beside_parsed_ones() -> None:
    pattern = parse_pattern("https://a.com")
    assert pattern
    assert OriginSet([pattern], exact=["https://b.com", "null"]).exact == {
        "https://a.com",
        "https://b.com",
        "null",
    }
