"""Wildcards inside a label, and for all hosts of a scheme: what they cover, what only looks alike,
and what to write where no string can have them."""

from __future__ import annotations

import random
import re
import time
import timeit
from collections.abc import Callable

import pytest

from flask_corsguard import Policy, PolicyError, Reason
from flask_corsguard.audit.patterns import is_slow
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origin_errors import diagnose
from flask_corsguard.protocol.origins import OriginSet, parse_origin, parse_pattern

PR, SHOP, BOTH = "https://pr-*.example.com", "https://*-shop.example.com", "https://a*z.example.com"
PREVIEW = "https://deploy-preview-*--shop.netlify.app:*"
LONGEST = "x" * 60
LISTED, OTHER, MALFORMED = None, Reason.ORIGIN_NOT_ALLOWED, Reason.ORIGIN_MALFORMED
TABLE = [
    (PR, "https://pr-1.example.com", LISTED),
    (PR, "https://pr-123.example.com", LISTED),
    (PR, "https://pr-a-b-9.example.com", LISTED),
    (PR, "https://pr--1.example.com", LISTED),
    (PR, f"https://pr-{LONGEST}.example.com", LISTED),
    (PR, f"https://pr-{LONGEST}x.example.com", MALFORMED),
    (PR, "https://pr-.example.com", MALFORMED),
    (PR, "https://pr.example.com", OTHER),
    (PR, "https://pr-1-.example.com", MALFORMED),
    (PR, "https://pr-1.x.example.com", OTHER),
    (PR, "https://pr-1.2.example.com", OTHER),
    (PR, "https://x.pr-1.example.com", OTHER),
    (PR, "https://xpr-1.example.com", OTHER),
    (PR, "https://pr-a_b.example.com", OTHER),
    (PR, "https://pr-_.example.com", OTHER),
    (PR, "https://PR-1.example.com", MALFORMED),
    (PR, "https://pr-A.example.com", MALFORMED),
    (PR, "https://pr-1.example.com.", MALFORMED),
    (PR, "https://pr-\xe4.example.com", MALFORMED),
    (PR, "https://pr-%61.example.com", MALFORMED),
    (PR, "https://pr-*.example.com", MALFORMED),
    (PR, "https://pr-1.example.com:443", MALFORMED),
    (PR, "https://pr-1.example.com:8443", OTHER),
    (PR, "http://pr-1.example.com", OTHER),
    (PR, "wss://pr-1.example.com", OTHER),
    (PR, "https://pr-1@example.com", MALFORMED),
    (PR, "https://pr-1.example.com@evil.test", MALFORMED),
    (PR, "https://pr-1.example.com/", MALFORMED),
    (PR, "https://pr-1.example.com\n", MALFORMED),
    (PR, "https://pr-1.example.com.evil.test", OTHER),
    (PR, "https://pr-1.evilexample.com", OTHER),
    (PR, "https://pr-1.example.co", OTHER),
    (PR, "https://pr-1example.com", OTHER),
    (PR, "https://pr-1-example.com", OTHER),
    (PR, "https://example.com", OTHER),
    (PR, "https://com", OTHER),
    (PR, "https://pr-1", OTHER),
    (PR, "https://xn--pr-1-abc.example.com", OTHER),
    (PR, "https://[::1]", OTHER),
    (PR, "https://1.2.3.4", OTHER),
    (PR, "null", Reason.ORIGIN_NULL),
    (SHOP, "https://a-shop.example.com", LISTED),
    (SHOP, "https://a.b-shop.example.com", OTHER),
    (SHOP, "https://-shop.example.com", MALFORMED),
    (SHOP, "https://shop.example.com", OTHER),
    (SHOP, "https://a-shopx.example.com", OTHER),
    (SHOP, "https://xn--a-shop.example.com", LISTED),
    (BOTH, "https://abz.example.com", LISTED),
    (BOTH, "https://a-z.example.com", LISTED),
    (BOTH, "https://az.example.com", OTHER),
    (BOTH, "https://a.z.example.com", OTHER),
    ("https://aa*aa.example.com", "https://aaa.example.com", OTHER),
    ("https://aa*aa.example.com", "https://aaaa.example.com", OTHER),
    ("https://aa*aa.example.com", "https://aaaaa.example.com", LISTED),
    (PREVIEW, "https://deploy-preview-7--shop.netlify.app", LISTED),
    (PREVIEW, "https://deploy-preview-7--shop.netlify.app:8888", LISTED),
    (PREVIEW, "https://deploy-preview---shop.netlify.app", OTHER),
    (PREVIEW, "https://deploy-preview-7--evil.netlify.app", OTHER),
    (PREVIEW, "https://deploy-preview-7--x--shop.netlify.app", LISTED),
    (PREVIEW, "http://deploy-preview-7--shop.netlify.app", OTHER),
    ("https://p*.example.com:8443", "https://p1.example.com:8443", LISTED),
    ("https://p*.example.com:8443", "https://p1.example.com", OTHER),
    ("https://p*.example.com:8443", "https://p1.example.com:844", OTHER),
    ("https://xn--*.example.com", "https://xn--exmple-cua.example.com", LISTED),
    ("http://pr-*.localhost:*", "http://pr-1.localhost:3000", LISTED),
    ("capacitor://a*.b", "capacitor://ax.b", LISTED),
    ("moz-extension://*", "moz-extension://0a1b-2c", LISTED),
    ("moz-extension://*", "moz-extension://a.b", LISTED),
    ("moz-extension://*", "moz-extension://0a1b:80", OTHER),
    ("moz-extension://*", "chrome-extension://0a1b", OTHER),
    ("moz-extension://*", "moz-extensions://0a1b", OTHER),
    ("moz-extension://*", "moz-extension://*", MALFORMED),
    ("moz-extension://*", "moz-extension://", MALFORMED),
    ("moz-extension://*", "https://moz-extension", OTHER),
]


@pytest.mark.parametrize(
    ("entry", "origin", "reason"), TABLE, ids=[f"{row[0]} {row[1][:50]!a}" for row in TABLE]
)
def test_what_a_wildcard_covers(entry: str, origin: str, reason: Reason | None) -> None:
    """Alone, among others with the same rest, from the environment, and the other way round."""
    beside = [entry, "https://q-*.example.com:1", "https://*--q.netlify.app", "https://b.test"]
    for policy in (Policy(origins=entry), Policy(origins=beside), Policy(origins=",".join(beside))):
        assert decide(policy, CorsRequest(origin, "GET")).reason is reason
    denied = Policy(origins="*", deny_origins=entry)
    wanted = Reason.ORIGIN_DENIED if reason is LISTED else None if reason is OTHER else reason
    assert decide(denied, CorsRequest(origin, "GET")).reason is wanted


def test_ports_add_up() -> None:
    policy = Policy(origins="https://a*.b.test:1, https://a*.b.test, https://a*z.b.test:2")
    for origin, listed in {"a1": True, "a1:1": True, "a1:2": False, "a1z:2": True}.items():
        host, _, port = origin.partition(":")
        text = f"https://{host}.b.test" + (f":{port}" if port else "")
        assert (decide(policy, CorsRequest(text, "GET")).reason is None) is listed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PR, "https://pr-*.example.com:*"),
        (PR, "https://*.example.com"),
        (PR, "https://pr*.example.com"),
        (SHOP, "https://*shop.example.com"),
        ("moz-extension://*", "chrome-extension://*"),
        ("moz-extension://*", "moz-extension://a"),
    ],
)
def test_equality_knows_them(one: str, other: str) -> None:
    both = Policy(origins=[one, other]), Policy(origins=f"{other},{one}")
    assert both[0] == both[1]
    assert hash(both[0]) == hash(both[1])
    assert len({Policy(origins=one), Policy(origins=other), both[0]}) == 3
    assert Policy(origins=one).compiled.allow


def random_label(chance: random.Random, letters: str, longest: int) -> str:
    return "".join(chance.choice(letters) for _ in range(chance.randint(1, longest)))


@pytest.mark.parametrize("count", [3, 30, 3000], ids=["few", "some", "many"])
def test_wildcards_in_every_place(count: int) -> None:
    """Beside others with the same rest, of any length on both sides, each covers what it did."""
    chance = random.Random(count)
    labels = {
        random_label(chance, "ab-1", 6) + "*" + random_label(chance, "ab_", 5) for _ in range(count)
    }
    entries = [f"https://{label}.{rest}" for label in labels for rest in ("a.test", "b.test:1")]
    patterns = [pattern for pattern in map(parse_pattern, entries) if pattern is not None]
    listed = OriginSet(patterns)
    regexes = [re.compile(re.escape(str(each)).replace(r"\*", "[a-z0-9-]+")) for each in patterns]
    for _ in range(2000):
        label = random_label(chance, "ab-1_", 12)
        text = f"https://{label}.{chance.choice(['a.test', 'b.test:1', 'b.test', 'c.test'])}"
        origin = parse_origin(text)
        if origin is not None:
            assert listed.lists(text, origin) is any(regex.fullmatch(text) for regex in regexes)


def test_many_places_cost_little() -> None:
    """A label is not cut in each of a thousand ways in turn."""
    chance = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    labels = [
        random_label(chance, letters, 30) + "*" + random_label(chance, letters, 30)
        for _ in range(20_000)
    ]
    one = OriginSet(filter(None, [parse_pattern(PR)]))
    many = OriginSet(
        filter(None, (parse_pattern(f"https://{each}.example.com") for each in labels))
    )
    text = f"https://{'pr1-' * 15}x.example.com"
    origin = parse_origin(text)
    assert origin is not None
    assert not many.lists(text, origin)
    assert best(lambda: many.lists(text, origin)) < 60 * best(lambda: one.lists(text, origin))


def best(function: Callable[[], object]) -> float:
    """How long a function takes at least."""
    return min(timeit.repeat(function, number=50, repeat=20))


def test_a_hundred_thousand_cost_what_one_costs() -> None:
    """A request is cut only where some entry with the same rest has its wildcard."""
    texts = [f"https://pr-{n}-*.{'example.com' if n % 2 else f's{n}.test'}" for n in range(100_000)]
    sets = {
        count: OriginSet(pattern for pattern in map(parse_pattern, texts[:count]) if pattern)
        for count in (2, 100_000)
    }
    asked = [
        (text, origin)
        for text in (
            "https://pr-1-x.example.com",
            "https://no.example.com",
            "https://pr-0-x.s0.test",
        )
        if (origin := parse_origin(text))
    ]
    assert sets[100_000].lists(*asked[0])
    assert not sets[100_000].lists(*asked[1])

    def seconds(entries: OriginSet) -> float:
        started = time.perf_counter()
        for _ in range(300):
            for text, origin in asked:
                entries.lists(text, origin)
        return time.perf_counter() - started

    taken = {count: min(seconds(entries) for _ in range(7)) for count, entries in sets.items()}
    assert taken[100_000] < 8 * taken[2]


# What is refused with which fields, and the codes
ACTS = {"allow_credentials": True, "enforce": "unsafe"}
REFUSED: list[tuple[str, str, str]] = [
    ("https://shop-*.co.uk", "origin_wildcard", "credentials_public_suffix enforce_public_suffix"),
    ("https://my-*.com", "origin_wildcard", "credentials_public_suffix enforce_public_suffix"),
    ("https://my-app-*.vercel.app", "", "credentials_public_suffix enforce_public_suffix"),
    ("https://my-*.amazonaws.com", "", "credentials_public_suffix enforce_public_suffix"),
    ("https://my-*.unlisted", "", "credentials_public_suffix enforce_public_suffix"),
    ("https://pr-*.example.com", "", ""),
    ("https://pr-*.internal", "", ""),
    ("https://pr-*.home.arpa", "", ""),
    ("https://pr-*.ck", "origin_wildcard", "credentials_public_suffix enforce_public_suffix"),
    ("https://pr-*.a.ck", "origin_wildcard", "credentials_public_suffix enforce_public_suffix"),
    ("https://pr-*.www.ck", "", ""),
    (
        "https://*-x.xn--55qx5d.cn",
        "origin_wildcard",
        "credentials_public_suffix enforce_public_suffix",
    ),
    ("http://pr-*.localhost:*", "", ""),
    ("http://pr-*.example.com:443", "", "credentials_insecure_origin"),
    ("moz-extension://*", "", "credentials_any_host enforce_any_host"),
]


def codes(origins: str, **fields: object) -> list[str]:
    try:
        Policy(origins=origins, **fields)  # type: ignore[arg-type]
    except PolicyError as error:
        return [problem.code for problem in error.problems]
    return []


@pytest.mark.parametrize(("entry", "always", "acting"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused(entry: str, always: str, acting: str) -> None:
    assert codes(entry) == always.split()
    assert sorted(codes(entry, **ACTS)) == sorted([*always.split(), *acting.split()])
    lifted = codes(entry, **ACTS, dangerously_allow_public_suffixes=True)
    assert lifted == [code for code in acting.split() if "suffix" not in code]


def test_an_insecure_one_is_corrected_as_it_is_written() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(
            origins="http://pr-*.example.com:443, ws://a*b.example.com:1", allow_credentials=True
        )
    assert [problem.suggestion for problem in caught.value.problems] == [
        "'https://pr-*.example.com'",
        "'wss://a*b.example.com:1'",
    ]


# What no string can say, the pattern for it, what that matches, and what not.
ADDRESS = "http://192.168.1.7:8080"
PASTED: list[tuple[str, str, str, str]] = [
    ("http://192.168.1.*:8080", r"http://192\.168\.1\.[0-9]{1,3}:8080", ADDRESS,
     "http://192.168.1.evil:8080 http://192.168.1.7 http://192.168.11.7:8080"
     " http://192x168.1.7:8080"),
    ("http://10.*", r"http://10\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}", "http://10.0.0.1",
     "http://10.0.0.com http://10.com"),
    ("http://192.168.*.*:*", r"http://192\.168\.[0-9]{1,3}\.[0-9]{1,3}(?::[0-9]+)?",
     "http://192.168.0.1 http://192.168.0.1:3000", "http://192.168.0.1.evil.test"),
    ("https://a*b*.example.com", r"https://a[a-z0-9-]+b[a-z0-9-]+\.example\.com",
     "https://a1b2.example.com", "https://a.b2.example.com https://a1b2xexample.com"),
    ("https://*.*.example.com", r"https://[a-z0-9-]+\.[a-z0-9-]+\.example\.com",
     "https://a.b.example.com", "https://a.example.com https://a.b.example.com.evil.test"),
    ("https://app.*.example.com", r"https://app\.[a-z0-9-]+\.example\.com",
     "https://app.x.example.com", "https://app.x.y.example.com https://appx.x.example.com"),
    ("https://*.pr-*.example.com/", r"https://[a-z0-9-]+\.pr-[a-z0-9-]+\.example\.com",
     "https://a.pr-1.example.com", "https://pr-1.example.com"),
    ("http://localhost:30*", r"http://localhost:30[0-9]+", "http://localhost:3000",
     "http://localhost:30 http://localhost:31 http://localhost"),
    ("http://8.8.8.8:80*", r"http://8\.8\.8\.8:80[0-9]+", "http://8.8.8.8:8080", "http://8.8.8.8"),
    ("HTTPS://A.*.B.test", r"https://a\.[a-z0-9-]+\.b\.test", "https://a.x.b.test", ""),
    ("web+a.b://x.*.y.test", r"web\+a\.b://x\.[a-z0-9-]+\.y\.test", "web+a.b://x.a.y.test",
     "webba.b://x.a.y.test"),
    ("https://a*b.*.c.test:84*3", r"https://a[a-z0-9-]+b\.[a-z0-9-]+\.c\.test:84[0-9]+3",
     "https://axb.y.c.test:8443", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "pattern", "meant", "others"), PASTED, ids=[row[0] for row in PASTED]
)
def test_the_pattern_to_paste(entry: str, pattern: str, meant: str, others: str) -> None:
    """The message shows it; it covers what was meant and nothing like it, and the audit has nothing
    against it."""
    with pytest.raises(PolicyError) as caught:
        Policy(origins=entry)
    suggestion = f're.compile(r"{pattern}")'
    assert {problem.suggestion for problem in caught.value.problems} == {suggestion}
    assert f"Write {suggestion}." in str(caught.value)
    regex: re.Pattern[str] = eval(suggestion, {"re": re})
    policy = Policy(origins=regex)
    assert all(decide(policy, CorsRequest(text, "GET")).reason is None for text in meant.split())
    assert not any(map(regex.fullmatch, others.split()))
    assert not is_slow(regex)


@pytest.mark.parametrize("stars", range(2, 4))
def test_no_pattern_to_paste_is_slow(stars: int) -> None:
    suggestion = diagnose(f"https://{'a*' * stars}.example.com")[1]
    assert suggestion is not None
    assert not is_slow(eval(suggestion, {"re": re}))


OPEN = """
https://example.* https://* https://*.* https://a.*.com https://a*b*.com https://*.*.co.uk
https://a*b*.vercel.app https://a*b*.amazonaws.com https://localhost* http://8.8.8.* http://172.*
http://192.168.1.1*:8080 http://1.2.*.4 file://a.*.b.test https://a*b*c*d*.example.com https://[fe80::*]
https://*:* https://*:80* http://*.*.1.2 https://app.*
""".split()


@pytest.mark.parametrize("entry", OPEN)
def test_no_pattern_that_lets_anybody_in(entry: str) -> None:
    found, suggestion = diagnose(entry)
    assert suggestion is None
    if [code for code, _ in found] == ["origin_wildcard"]:
        assert found[0][1].endswith("; list the hosts")


# Regular expressions in strings, and the entry that was meant.
EXPRESSIONS = [
    (r"https://pr-[a-z0-9-]+\.example\.com", "'https://pr-*.example.com'"),
    (r"^https://pr-\d+\.example\.com$", r're.compile(r"https://pr-\d+\.example\.com")'),
    (r"^https://(.*)-preview\.example\.com$", "'https://*-preview.example.com'"),
    (
        r"^https://deploy-preview-\d+--x\.netlify\.app$",
        r're.compile(r"https://deploy-preview-\d+--x\.netlify\.app")',
    ),
    (r"http://localhost:\d+", "'http://localhost:*'"),
    (r"https://x-.*-y-.*\.example\.com$", None),
    (
        r"https://www\.[a-z]+\.example\.com$",
        r're.compile(r"https://www\.[a-z]+\.example\.com")',
    ),
    # Anybody's
    (r"https://a.*\.co\.uk$", None),
    (r"https://.*vercel\.app$", None),
    (r"^https://.+\.com$", None),
    (r"^https://[^.]+-x\.com$", None),
    (r"https://a.*$", None),
    (r"https://\w+\.com", None),
    (r"https://[a-z]+example\.com", None),
    (r"https://\d\.vercel\.app", None),
    (r"https://[a-z]+\.vercel\.app", None),
    (r"https://a\.com|[a-z]+\.example\.com", None),
]


@pytest.mark.parametrize(("entry", "suggestion"), EXPRESSIONS, ids=[row[0] for row in EXPRESSIONS])
def test_what_an_expression_was_meant_for(entry: str, suggestion: str | None) -> None:
    found, suggested = diagnose(entry)
    assert [code for code, _ in found] == ["origin_regex"]
    assert suggested == suggestion


# Mistakes beside a wildcard inside a label, and the correction.
BESIDE = [
    ("https://PR-*.Example.com", ["origin_case"], "'https://pr-*.example.com'"),
    ("https://pr-*.example.com/", ["origin_trailing_slash"], "'https://pr-*.example.com'"),
    ("https://pr-*.example.com:443", ["origin_default_port"], "'https://pr-*.example.com'"),
    ("https://*-shop.example.com/x", ["origin_path"], "'https://*-shop.example.com'"),
    ("pr-*.example.com", ["origin_no_scheme"], "'https://pr-*.example.com'"),
    ("https://pr-*.\xe4.com", ["origin_not_ascii"], "'https://pr-*.xn--4ca.com'"),
    ("https://pr-**.example.com", ["origin_wildcard"], "'https://pr-*.example.com'"),
    ("https://**.example.com", ["origin_wildcard"], "'https://*.example.com'"),
    ("moz-extension://*/", ["origin_trailing_slash"], "'moz-extension://*'"),
    ("moz-extension://*:*", ["origin_port"], "'moz-extension://*'"),
    ("moz-extension://*:80", ["origin_port"], "'moz-extension://*'"),
    ("https://*:8080", ["origin_wildcard"], None),
    (
        "https://*example.com/",
        ["origin_trailing_slash", "origin_wildcard"],
        "'https://*.example.com'",
    ),
    ("https://*example.com", ["origin_wildcard"], "'https://*.example.com'"),
    ("https://*.co.uk.", ["origin_host"], "'https://*.co.uk'"),
    ("https://shop-*.co.uk/", ["origin_trailing_slash", "origin_wildcard"], None),
]


@pytest.mark.parametrize(
    ("entry", "codes", "suggestion"), BESIDE, ids=[ascii(r[0]) for r in BESIDE]
)
def test_other_mistakes(entry: str, codes: list[str], suggestion: str | None) -> None:
    found, suggested = diagnose(entry)
    assert [code for code, _ in found] == codes
    assert suggested == suggestion


@pytest.mark.parametrize(
    ("entry", "origin", "near"),
    [
        (PR, "https://pr-1.example.com:8443", f"; {PR!r} differs only in the port"),
        (PR, "https://example.com:8443", ""),
        (PR, "https://example.com", ""),
        (PR, "http://pr-1.example.com",
         "; 'https://pr-1.example.com' would match: only the scheme differs"),
        ("https://*.example.com", "https://a.example.com:1",
         "; 'https://*.example.com' differs only in the port"),
        ("https://*.example.com", "https://example.com:1", ""),
        ("http://pr-*.localhost", "http://localhost:3000", ""),
        ("moz-extension://*", "moz-extension://a:1", ""),
    ],
)  # fmt: skip
def test_near_misses(entry: str, origin: str, near: str) -> None:
    lines = decide(Policy(origins=entry), CorsRequest(origin, "GET")).explain().split("\n")
    assert lines[2] == f"  Found: the origin matches none of {entry!r}{near}."
