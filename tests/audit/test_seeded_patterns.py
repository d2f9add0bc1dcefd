"""Patterns and callables with a mistake in them, as people write them: each lets somebody in who
should not be, which is shown, and the audit finds that and nothing else."""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
import functools
import re
import time
import types
from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse, urlsplit

import pytest
from flask import Flask

from flask_corsguard import CorsGuard
from tests.audit.judging import Case, check_found, check_let_in, one_of

NEIGHBOUR = "neighbour_allowed"
ANYBODY = "anybody_allowed"
SUFFIX = "public_suffix_wildcard"
INSECURE = "insecure_origin"
SUBDOMAINS = "subdomains_with_credentials"
FAILED = "check_failed"


def guarded(origins: Any, fields: dict[str, Any]) -> Flask:
    """An app with one public view, whose default policy has these origins."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=origins, **fields)  # seeded

    @app.get("/")
    def index() -> str:
        return "shop"

    return app


Row = tuple[Any, ...]

# A pattern; an origin that it should not match and does; what is to be found.
NEIGHBOUR_PATTERNS: list[Row] = [
    # dots that are not escaped
    (r"https://app.example.com", "https://appxexample.com"),
    (r"https://app.example\.com", "https://app-example.com"),
    (r"https://www.example\.com", "https://wwwxexample.com"),
    (r"https://example.co.uk", "https://examplexco.uk"),
    (r"https://example.com", "https://examplexcom"),
    (r"https://.*\.example.com", "https://evil.examplexcom"),
    (r"https://(.+\.)?example.com", "https://examplexcom"),
    (r"https://(www.)?example\.com", "https://wwwxexample.com"),
    (r"https://(app|admin).example.com", "https://adminxexample.com"),
    (r"https://(app|admin).example\.com", "https://appxexample.com"),
    (r"https://[^.]*.example\.com", "https://evilxexample.com"),
    (r"https://\w+.example\.com", "https://evilxexample.com"),
    (r"https://[a-z0-9-]+.example\.com", "https://evil-example.com"),
    (r"https://[a-z]+\.(?:prod|stage).example\.com", "https://a.prodxexample.com"),
    (r"https://pr-\d+.preview\.example\.com", "https://pr-1xpreview.example.com", "shared"),
    (r"https://pr-\d+\.preview.example\.com", "https://pr-1.previewxexample.com"),
    (r"https://app[.-]example\.com", "https://app-example.com"),
    (r"https://app\.example.com(:\d+)?", "https://app.examplexcom"),
    (r"(?x) https :// app.example.com  # ours", "https://appxexample.com"),
    # no dot, or not always, in front of the host
    (r"https://.*example\.com", "https://evilexample.com"),
    (r"https?://.*example\.com", "https://evilexample.com"),
    (r".*example\.com", "https://evilexample.com"),
    (r".+example\.com$", "https://evilexample.com"),
    (r"^https:\/\/.*example\.com$", "https://notexample.com"),
    (r"https://(.*)example\.com", "https://evilexample.com"),
    (r"https://[a-z.]*example\.com", "https://notexample.com"),
    (r"https://[\w.-]+example\.com", "https://evil-example.com"),
    (r"https://[^/]+example\.com", "https://evilexample.com"),
    (r"https://[a-z0-9-]*\.?example\.com", "https://evilexample.com"),
    (r"https://(.*[.-])?example\.com", "https://evil-example.com"),
    (r"https://.{1,20}example\.com", "https://evilexample.com"),
    (r"https://(www|.*)example\.com", "https://evilexample.com"),
    (r"https://([a-z-]+\.?)?example\.com", "https://evilexample.com"),
    (r"https://.*(example\.com|example\.org)", "https://evilexample.org"),
    (r"https://\S*example\.com", "https://evilexample.com"),
    (r"https://\D+example\.com", "https://evilexample.com"),
    (r"https://.*?example\.com", "https://evilexample.com"),
    (r"(?i)HTTPS://[A-Z0-9-]*EXAMPLE\.COM", "https://evilexample.com"),
    # the host goes on
    (r"https://example\.com.*", "https://example.com.evil.net"),
    (r"https://app\.example\.com.*", "https://app.example.com.evil.net"),
    (r"https://app\.example\.com[\w.:-]*", "https://app.example.company"),
    (r"https://app\.example\.com\S*", "https://app.example.com.evil.net"),
    (r"^https://app\.example\.com(:\d+)?.*$", "https://app.example.com.evil.net"),
    (r"https://.*\.example\.com.*", "https://a.example.com.evil.net"),
    (r"https://app\.example\.com(|.*)", "https://app.example.com.evil.net"),
    (r"(?=https://app\.example\.com).*", "https://app.example.com.evil.net"),
    (r"https://(?=.*example\.com).*", "https://example.com.evil.net"),
    (r".*example\.com.*", "https://example.com.evil.net"),
    (r"https://.*example.*", "https://example.evil.net"),
    # any top-level domain
    (r"https://app\.example\.\w+", "https://app.example.net"),
    (r"https://app\.example\.[a-z]{2,3}", "https://app.example.org"),
    (r"https://example\.[a-z.]+", "https://example.net"),
    (r"https://app\.example\..*", "https://app.example.evil.net"),
    # the own machine and network
    (r"https?://localhost.*", "http://localhost.evil.net"),
    (r".*localhost.*", "https://localhost.evil.net"),
    (r"http://127\.0\.0\.1.*", "http://127.0.0.1.evil.net"),
    (r"http://192\.168\..*", "http://192.168.evil.net"),
    (r"http://10\..*", "http://10.evil.net"),
    # more of each
    (r"https://app\.example\.com[^/]*", "https://app.example.com.evil.net"),
    (r"https://(.*\.)?example\.com(\..*)?", "https://example.com.evil.net"),
    (r"https://[a-z]+example\.com", "https://evilexample.com"),
    (r"https://(\w+)?example\.com", "https://evilexample.com"),
    (r"https://(?:(?!admin).)*example\.com", "https://evilexample.com"),
    (r"https://[^.]+\.example\.[^.]+", "https://a.example.net"),
    (r"https://staging-.*example\.com", "https://staging-evilexample.com"),
    (r"https://.*-shop\.com", "https://evil-shop.com"),
    (r"https://app-.*\.com", "https://app-evil.com"),
    (r"https://shop.*\.example", "https://shop-evil.example"),
    (r"https://\w+\.shop-\w+\.example", "https://dev.shop-evil.example"),
    # one half of an alternation
    (r"https://a\.example\.com|.*b\.example\.com", "https://evilb.example.com", "shared"),
    (r"https://www\.example\.com|.*shop\.example", "https://evilshop.example"),
    (r"(https://a\.example|https://b\.example).*", "https://b.example.evil.net"),
    (r"https://app\.example\.com|https://cdn\.shop\.example.*", "https://cdn.shop.example.evil.com"),
    (r"https://app\.example\.com$|^https://cdn.shop\.example", "https://cdnxshop.example"),
]  # fmt: skip
PATTERNS: list[Row] = [
    *((p, {}, one_of(NEIGHBOUR), evil) for p, evil, *about in NEIGHBOUR_PATTERNS if not about),
    # everybody
    (r".*", {}, one_of(ANYBODY), "https://evil.net"),
    (r".+", {}, one_of(ANYBODY), "https://evil.net"),
    (r"https://.*", {}, one_of(ANYBODY), "https://evil.net"),
    (r"https?://.*", {}, one_of(ANYBODY), "http://evil.net"),
    (r"https://[\w.-]+", {}, one_of(ANYBODY), "https://evil.net"),
    (r"https://[^/]+", {}, one_of(ANYBODY), "https://evil.net"),
    (r"https://\S+", {}, one_of(ANYBODY), "https://evil.net"),
    (r"^(http|https)://.+$", {}, one_of(ANYBODY), "https://evil.net"),
    (r"https://(?!evil)[\w.-]+", {}, one_of(ANYBODY), "https://other.net"),
    (r"https://(?!.*(evil|attacker|hacker)).*", {}, one_of(ANYBODY), "https://other.net"),
    (r"(https://app\.example\.com)?.*", {}, one_of(ANYBODY), "https://other.net"),
    (r"https://app\.example\.com|.*", {}, one_of(ANYBODY), "https://other.net"),
    (r"https://(app\.example\.com|[\w.-]+)", {}, one_of(ANYBODY), "https://other.net"),
    (r"https://([a-z0-9-]+\.)+[a-z]{2,}", {}, one_of(ANYBODY), "https://other.net"),
    (r"https://.{4,}", {}, one_of(ANYBODY), "https://other.net"),
    # everybody who has a name under a suffix
    (r"https://[a-z]+\.github\.io", {}, one_of(SUFFIX), "https://evil.github.io"),
    (r"https://.*\.github\.io", {}, one_of(SUFFIX), "https://evil.github.io"),
    (r"https://[\w-]+\.vercel\.app", {}, one_of(SUFFIX), "https://evil.vercel.app"),
    (r"https://.+\.herokuapp\.com", {}, one_of(SUFFIX), "https://evil.herokuapp.com"),
    (r"https://[^.]+\.netlify\.app", {}, one_of(SUFFIX), "https://evil.netlify.app"),
    (r"https://[a-z0-9-]+\.pages\.dev", {}, one_of(SUFFIX), "https://evil.pages.dev"),
    (r"https://(.*\.)?web\.app", {}, one_of(SUFFIX), "https://evil.web.app"),
    (r"https://\w+\.co\.uk", {}, one_of(SUFFIX), "https://evil.co.uk"),
    (r"https://.*\.com", {}, one_of(SUFFIX, ANYBODY), "https://evil.com"),
    (
        r"https://shop-[a-z0-9]+\.vercel\.app",
        {},
        one_of(SUFFIX, NEIGHBOUR),
        "https://shop-evil.vercel.app",
    ),
    (
        r"https://shop-git-[\w-]+\.vercel\.app",
        {},
        one_of(SUFFIX, NEIGHBOUR),
        "https://shop-git-evil.vercel.app",
    ),
    (
        r"https://.*shop\.netlify\.app",
        {},
        one_of(NEIGHBOUR, SUFFIX),
        "https://evilshop.netlify.app",
    ),
    (r"https://.*\.(example\.com|github\.io)", {}, one_of(SUFFIX), "https://evil.github.io"),
    (r"https://[a-z0-9-]+\.ngrok-free\.app", {}, one_of(SUFFIX), "https://evil.ngrok-free.app"),
    (
        r"https://.+-team\.vercel\.app",
        {},
        one_of(NEIGHBOUR, SUFFIX),
        "https://evil-team.vercel.app",
    ),
    # everybody, at some port or address
    (r"https?://.*:3000", {}, one_of(ANYBODY, NEIGHBOUR), "https://evil.net:3000"),
    (r"https?://[^/:]+(:8080)", {}, one_of(ANYBODY, NEIGHBOUR), "https://evil.net:8080"),
    (r"https?://\d+\.\d+\.\d+\.\d+", {}, one_of(ANYBODY, NEIGHBOUR), "https://6.6.6.6"),
    # plain http, with credentials
    (
        r"https?://app\.example\.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"http://app\.example\.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"http[s]?://app\.example\.com(:\d+)?",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com:8080",
    ),
    (
        r".*://app\.example\.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"(https|http)://(app|www)\.example\.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://www.example.com",
    ),
    (
        r"\w+://app\.example\.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"https?://192\.168\.0\.\d+",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://192.168.0.7",
    ),
    (
        r"https?://(localhost|app\.example\.com)(:\d+)?",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"https?://app\.example\.com",
        {"enforce": "unsafe"},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        r"https?://app\.example\.com",
        {"allow_credentials": True, "enforce": "unsafe"},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    # every sub-domain, with credentials
    (
        r"https://.*\.example\.com",
        {"allow_credentials": True},
        one_of(SUBDOMAINS),
        "https://forgotten.example.com",
    ),
    (
        r"https://([a-z0-9-]+\.)*example\.com",
        {"allow_credentials": True},
        one_of(SUBDOMAINS),
        "https://forgotten.example.com",
    ),
    (
        r"https://[\w-]+\.example\.com",
        {"allow_credentials": True},
        one_of(SUBDOMAINS),
        "https://forgotten.example.com",
    ),
    (
        r"https?://.*\.example\.com",
        {"allow_credentials": True},
        one_of(f"{SUBDOMAINS} {INSECURE}"),
        "http://forgotten.example.com",
    ),
    # worse things, with credentials
    (
        r"https://app.example.com",
        {"allow_credentials": True},
        one_of(NEIGHBOUR),
        "https://appxexample.com",
    ),
    (
        r"https://.*example\.com",
        {"allow_credentials": True},
        one_of(NEIGHBOUR, f"{NEIGHBOUR} {SUBDOMAINS}"),
        "https://evilexample.com",
    ),
    (r"https://.*", {"allow_credentials": True}, one_of(ANYBODY), "https://evil.net"),
    (
        r".*",
        {"allow_credentials": True},
        one_of(ANYBODY, f"{ANYBODY} {INSECURE}"),
        "http://evil.net",
    ),
    (
        r"https://[a-z]+\.github\.io",
        {"allow_credentials": True},
        one_of(SUFFIX, f"{SUFFIX} {SUBDOMAINS}"),
        "https://evil.github.io",
    ),
]


@pytest.mark.parametrize(
    ("pattern", "fields", "codes", "evil"), PATTERNS, ids=[f"{r[0]} {r[1]}" for r in PATTERNS]
)
def test_patterns(pattern: str, fields: dict[str, Any], codes: Any, evil: str) -> None:
    origins = re.compile(pattern)
    check_let_in(guarded(origins, fields), "/", evil)
    check_found(Case(lambda: guarded(origins, fields), codes, routes=frozenset({"/"})), guarded)


@pytest.mark.parametrize(
    ("pattern", "evil"), [(p, evil) for p, evil, *about in NEIGHBOUR_PATTERNS if about]
)
def test_neighbours_on_the_same_site(pattern: str, evil: str) -> None:
    """A dot too many or too few inside the company's own domain: the name is nobody else's. To
    say so is fine, and so is to say nothing."""
    origins = re.compile(pattern)
    check_let_in(guarded(origins, {}), "/", evil)
    check_found(Case(lambda: guarded(origins, {}), one_of(NEIGHBOUR, "")), guarded)


MIXED: list[Row] = [
    (
        "strings beside it",
        [
            "https://app.example.com",
            "https://admin.example.com",
            re.compile(r"https://.*partner\.example"),
        ],
        "https://evilpartner.example",
    ),
    (
        "good patterns beside it",
        [re.compile(r"https://pr-\d+\.example\.com"), re.compile(r"https://shop.example.com")],
        "https://shopxexample.com",
    ),
    (
        "a callable beside it",
        [re.compile(r"https://.*shop\.example"), lambda origin: origin == "https://x.example"],
        "https://evilshop.example",
    ),
    (
        "a good pattern beside a callable",
        [re.compile(r"https://pr-\d+\.example\.com"), lambda o: o.endswith("shop.example")],
        "https://evilshop.example",
    ),
    ("flags", re.compile(r"https://[A-Z.]*EXAMPLE\.COM", re.IGNORECASE), "https://evilexample.com"),
    (
        "verbose",
        re.compile(
            r"""https://  # always
        (app | admin) .example\.com""",
            re.VERBOSE,
        ),
        "https://adminxexample.com",
    ),
    (
        "joined by hand",
        re.compile("|".join(["https://app.example.com", "https://shop.example.com"])),
        "https://shopxexample.com",
    ),
    ("filled in", re.compile("https://{}".format("app.example.com")), "https://appxexample.com"),
]


@pytest.mark.parametrize(("origins", "evil"), [r[1:] for r in MIXED], ids=[r[0] for r in MIXED])
def test_patterns_beside_others(origins: Any, evil: str) -> None:
    check_let_in(guarded(origins, {}), "/", evil)
    check_found(Case(lambda: guarded(origins, {}), one_of(NEIGHBOUR)), guarded)


SLOW = (
    r"https://(?:[a-z-]+\.?)*example\.com",
    r"https://([a-z0-9]+)*\.example\.com",
    r"https://(\w+\.?)+\.example\.com",
    r"https://([a-z]+-?)+\.example\.com",
    r"https://((a|[a-z])*)*\.example\.com",
    r"https://(([\w-]+)+\.)+example\.com",
)


@pytest.mark.parametrize("pattern", SLOW)
def test_patterns_that_take_long_to_say_no(pattern: str) -> None:
    """Twice as long for each further letter: one long origin keeps the server busy for ever."""
    compiled = re.compile(pattern)

    def seconds(length: int) -> float:
        started = time.process_time()
        assert not compiled.fullmatch(f"https://{'a' * length}:1")
        return time.process_time() - started

    assert seconds(21) > 20 * seconds(12)
    codes = one_of("slow_pattern", "slow_pattern neighbour_allowed")
    started = time.process_time()
    check_found(Case(lambda: guarded(compiled, {}), codes), guarded)
    assert time.process_time() - started < 5


ALLOWED = ["https://app.example.com", "https://shop.example"]
SITE = "example.com"
SUFFIXES = (".example.com", "shop.example")
PATTERN = re.compile(r"https://app\.example\.com")
LOOSE = re.compile(r"https://.*example\.com")


def ends_with(origin: str) -> bool:
    return origin.endswith("example.com")


def ends_with_constant(origin: str) -> bool:
    return origin.endswith(SITE)


def ends_with_tuple(origin: str) -> bool:
    return origin.endswith(SUFFIXES)


def starts_with(origin: str) -> bool:
    return origin.startswith("https://app.example.com")


def starts_with_any(origin: str) -> bool:
    return any(origin.startswith(allowed) for allowed in ALLOWED)


def contains_any(origin: str) -> bool:
    for allowed in ALLOWED:  # noqa: SIM110
        if allowed in origin:
            return True
    return False


def contains(origin: str) -> bool:
    return "example.com" in origin


def finds(origin: str) -> bool:
    return origin.find("example.com") != -1


def splits(origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme == "https" and "example" in host.split(".")


def second_level(origin: str) -> bool:
    labels = origin.partition("://")[2].split(".")
    return len(labels) > 1 and labels[-2] == "example"


def matches_beginning(origin: str) -> bool:
    return re.match(r"https://app\.example\.com", origin) is not None


def matches_compiled(origin: str) -> bool:
    return bool(PATTERN.match(origin))


def searches(origin: str) -> bool:
    return bool(re.search(r"app\.example\.com", origin))


def matches_in_full_but_loosely(origin: str) -> bool:
    return LOOSE.fullmatch(origin) is not None


def host_ends_with(origin: str) -> bool:
    return (urlparse(origin).hostname or "").endswith("example.com")


def netloc_ends_with(origin: str) -> bool:
    return urlsplit(origin).netloc.endswith("example.com")


def host_starts_with(origin: str) -> bool:
    return (urlparse(origin).hostname or "").startswith("app.example.")


def strips(origin: str) -> bool:
    return origin.replace("https://", "").replace("www.", "").startswith("example.com")


def through_a_helper(origin: str) -> bool:
    return _is_ours(urlsplit(origin).netloc)


def _is_ours(host: str) -> bool:
    return host == "example.com" or host.endswith("example.com")


def case_folded(origin: str) -> bool:
    return origin.lower().strip().endswith("example.com")


def compares_ends(origin: str) -> bool:
    return origin[-len("example.com") :] == "example.com"


def configured(origin: str, request: Any) -> bool:
    from flask import current_app

    return any(name in origin for name in current_app.config["ALLOWED_SITES"])


def configured_ends(origin: str, request: Any) -> bool:
    from flask import current_app

    return origin.endswith(tuple(current_app.config["ALLOWED_SITES"]))


def glob(origin: str) -> bool:
    return fnmatch.fnmatch(origin, "https://*example.com")


def within_a_string(origin: str) -> bool:
    return origin in "https://app.example.com,https://admin.example.com"


def any_beginning(origin: str) -> bool:
    return any(map(origin.startswith, ALLOWED))


CONFIG = {"sites": {"main": "example.com"}, "debug": False}


def from_a_mapping(origin: str) -> bool:
    return origin.endswith(CONFIG["sites"]["main"])


def in_bytes(origin: str) -> bool:
    return origin.encode().endswith(b"example.com")


NAME, TOP = "example", "com"


def put_together(origin: str) -> bool:
    return origin.endswith(f"{NAME}.{TOP}")


def by_default(origin: str, site: str = "example.com") -> bool:
    return origin.endswith(site)


def without_the_port(origin: str) -> bool:
    return urlsplit(origin).netloc.split(":")[0].endswith("example.com")


@dataclasses.dataclass(frozen=True)
class Tenants:
    patterns: tuple[re.Pattern[str], ...]

    def __call__(self, origin: str) -> bool:
        return any(pattern.match(origin) for pattern in self.patterns)


class Sites:
    """An object that is asked."""

    def __init__(self, *sites: str) -> None:
        self.sites = sites

    def __call__(self, origin: str) -> bool:
        return any(origin.endswith(site) for site in self.sites)

    def allows(self, origin: str) -> bool:
        return any(origin.startswith(f"https://{site}") for site in self.sites)

    @staticmethod
    def ours(origin: str) -> bool:
        return "example.com" in origin


def ends_with_site(site: str, origin: str) -> bool:
    return origin.endswith(site)


def closure(site: str) -> Callable[[str], bool]:
    def check(origin: str) -> bool:
        return origin.endswith(site)

    return check


def decorated(function: Callable[[str], bool]) -> Callable[[str], bool]:
    @functools.wraps(function)
    def wrapper(origin: str) -> bool:
        return function(origin)

    return wrapper


def not_blocked(origin: str) -> bool:
    return origin not in {"https://evil.net", "https://attacker.example"}


def not_evil(origin: str) -> bool:
    return not any(word in origin for word in ("evil", "attacker", "hacker", "malicious"))


def only_https(origin: str) -> bool:
    return origin.startswith("https://")


def only_the_scheme(origin: str) -> bool:
    return urlparse(origin).scheme in ("http", "https")


def everybody(origin: str) -> bool:
    return True


def everybody_who_asks(origin: str, request: Any) -> bool:
    return request.method in ("GET", "HEAD", "POST", "OPTIONS")


def everybody_in_debug(origin: str) -> bool:
    return origin == "https://app.example.com" or DEBUG


DEBUG = True


class Settings:
    SITES = ("example.com",)


class Names(enum.Enum):
    SITE = "example.com"


@dataclasses.dataclass
class Nested:
    cors: Any


NAMESPACE = types.SimpleNamespace(site="example.com")
NESTED = Nested(NAMESPACE)
MODULE = types.ModuleType("settings")
MODULE.__file__ = __file__
MODULE.__dict__.update(site="example.com", is_ours=_is_ours)


def by_a_class(origin: str) -> bool:
    return any(origin.endswith(site) for site in Settings.SITES)


def by_an_enumeration(origin: str) -> bool:
    return origin.endswith(Names.SITE.value)


def by_an_object(origin: str) -> bool:
    return origin.endswith(NAMESPACE.site)


def by_an_object_in_another(origin: str) -> bool:
    return origin.endswith(NESTED.cors.site)


def by_a_module(origin: str) -> bool:
    return origin.endswith(MODULE.site)


def by_a_function_in_a_module(origin: str) -> bool:
    return bool(MODULE.is_ours(origin))


def in_a_template(origin: str) -> bool:
    name = "example"
    return origin.endswith(f"{name}.com")


def in_the_network(origin: str) -> bool:
    return origin.startswith(("http://10.", "http://192.168."))


def by_the_port(origin: str) -> bool:
    return urlparse(origin).port in (3000, 8080)


CALLABLES: list[Row] = [
    (by_the_port, {}, one_of(ANYBODY), "https://evil.net:3000"),
    *(
        (each, {}, one_of(NEIGHBOUR), evil)
        for each, evil in (
            (ends_with, "https://evilexample.com"),
            (ends_with_constant, "https://evilexample.com"),
            (ends_with_tuple, "https://evilshop.example"),
            (starts_with, "https://app.example.com.evil.net"),
            (starts_with_any, "https://shop.example.evil.net"),
            (contains_any, "https://shop.example.evil.net"),
            (contains, "https://example.com.evil.net"),
            (finds, "https://example.com.evil.net"),
            (splits, "https://example.evil.net"),
            (second_level, "https://example.net"),
            (matches_beginning, "https://app.example.com.evil.net"),
            (matches_compiled, "https://app.example.com.evil.net"),
            (searches, "https://app.example.com.evil.net"),
            (matches_in_full_but_loosely, "https://evilexample.com"),
            (host_ends_with, "https://evilexample.com"),
            (netloc_ends_with, "https://evilexample.com"),
            (host_starts_with, "https://app.example.evil.net"),
            (strips, "https://example.com.evil.net"),
            (through_a_helper, "https://evilexample.com"),
            (case_folded, "https://evilexample.com"),
            (by_a_class, "https://evilexample.com"),
            (by_an_enumeration, "https://evilexample.com"),
            (by_an_object, "https://evilexample.com"),
            (by_an_object_in_another, "https://evilexample.com"),
            (by_a_module, "https://evilexample.com"),
            (by_a_function_in_a_module, "https://evilexample.com"),
            (in_a_template, "https://evilexample.com"),
            (in_the_network, "http://10.evil.net"),
            (compares_ends, "https://evilexample.com"),
            (decorated(ends_with), "https://evilexample.com"),
            (closure("example.com"), "https://evilexample.com"),
            (Sites("example.com"), "https://evilexample.com"),
            (Sites("example.com").allows, "https://example.com.evil.net"),
            (Sites.ours, "https://example.com.evil.net"),
            (functools.partial(ends_with_site, "example.com"), "https://evilexample.com"),
            (glob, "https://evilexample.com"),
            (within_a_string, "https://app.example.co"),
            (any_beginning, "https://shop.example.evil.net"),
            (from_a_mapping, "https://evilexample.com"),
            (in_bytes, "https://evilexample.com"),
            (put_together, "https://evilexample.com"),
            (by_default, "https://evilexample.com"),
            (without_the_port, "https://evilexample.com"),
            (
                Tenants((re.compile(r"https://a\.shop\.example"),)),
                "https://a.shop.example.evil.net",
            ),
            (lambda origin: origin.endswith("example.com"), "https://evilexample.com"),
            (lambda origin, request: origin.endswith("example.com"), "https://evilexample.com"),
            (lambda o: o.split("//")[1].startswith("example.com"), "https://example.com.evil.net"),
            (lambda o: o.rstrip("/").endswith("example.com"), "https://evilexample.com"),
            (lambda o: bool(re.match("https://app.example.com$", o)), "https://appxexample.com"),
        )
    ),
    (not_blocked, {}, one_of(ANYBODY), "https://other.net"),
    (not_evil, {}, one_of(ANYBODY), "https://other.net"),
    (only_https, {}, one_of(ANYBODY), "https://other.net"),
    (only_the_scheme, {}, one_of(ANYBODY), "https://other.net"),
    (everybody, {}, one_of(ANYBODY), "https://other.net"),
    (everybody_who_asks, {}, one_of(ANYBODY), "https://other.net"),
    (everybody_in_debug, {}, one_of(ANYBODY), "https://other.net"),
    (lambda origin: bool(origin), {}, one_of(ANYBODY), "https://other.net"),
    (lambda origin: origin != "null", {}, one_of(ANYBODY), "https://other.net"),
    (lambda origin: len(origin) < 100, {}, one_of(ANYBODY), "https://other.net"),
    (lambda o: o.endswith(".github.io"), {}, one_of(SUFFIX), "https://evil.github.io"),
    (
        lambda o: (urlparse(o).hostname or "").endswith(".vercel.app"),
        {},
        one_of(SUFFIX),
        "https://evil.vercel.app",
    ),
    (
        lambda origin: urlparse(origin).hostname == "app.example.com",
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        lambda o: o.partition("://")[2] in ("app.example.com", "localhost:3000"),
        {"allow_credentials": True},
        one_of(INSECURE),
        "http://app.example.com",
    ),
    (
        lambda o: o.startswith("https://") and o.endswith(".example.com"),
        {"allow_credentials": True},
        one_of(SUBDOMAINS),
        "https://forgotten.example.com",
    ),
    (
        lambda o: o.endswith(".example.com"),
        {"allow_credentials": True},
        one_of(f"{SUBDOMAINS} {INSECURE}"),
        "http://forgotten.example.com",
    ),
    (
        ends_with,
        {"allow_credentials": True},
        one_of(
            NEIGHBOUR,
            f"{NEIGHBOUR} {INSECURE}",
            f"{NEIGHBOUR} {SUBDOMAINS}",
            f"{NEIGHBOUR} {INSECURE} {SUBDOMAINS}",
        ),
        "https://evilexample.com",
    ),
]


@pytest.mark.parametrize(
    ("check", "fields", "codes", "evil"),
    CALLABLES,
    ids=[getattr(r[0], "__qualname__", type(r[0]).__name__) for r in CALLABLES],
)
def test_callables(check: Any, fields: dict[str, Any], codes: Any, evil: str) -> None:
    check_let_in(guarded(check, fields), "/", evil)
    check_found(Case(lambda: guarded(check, fields), codes, routes=frozenset({"/"})), guarded)


@pytest.mark.parametrize("check", [configured, configured_ends])
def test_callables_that_read_the_configuration(check: Any) -> None:
    def build() -> Flask:
        app = guarded(check, {})
        app.config["ALLOWED_SITES"] = ["example.com", "shop.example"]
        return app

    evil = "https://example.com.evil.net" if check is configured else "https://evilexample.com"
    check_let_in(build(), "/", evil)
    check_found(Case(build, one_of(NEIGHBOUR)), guarded)


def returns_a_match(origin: str) -> Any:
    return re.fullmatch(r"https://app\.example\.com", origin)


def returns_none(origin: str) -> Any:
    if origin == "https://app.example.com":
        return True
    return None


def returns_the_name(origin: str) -> Any:
    return origin == "https://app.example.com" and "app"


def looks_up(origin: str) -> Any:
    return {"https://app.example.com": True}[origin]


def takes_apart(origin: str) -> bool:
    _, host = origin.split("://")
    name, domain, top = host.split(".")
    return (domain, top) == ("example", "com") and name == "app"


def wants_a_port(origin: str) -> bool:
    return int(origin.rsplit(":", 1)[1]) == 8443 and origin == "https://app.example.com:8443"


def is_not_finished(origin: str) -> bool:
    raise NotImplementedError


async def is_asynchronous(origin: str) -> bool:
    return origin == "https://app.example.com"


FAILING: list[Row] = [
    (returns_a_match, "https://app.example.com"),
    (PATTERN.fullmatch, "https://app.example.com"),
    (returns_none, "https://other.net"),
    (returns_the_name, "https://app.example.com"),
    (looks_up, "https://other.net"),
    (takes_apart, "https://other.net"),
    (wants_a_port, "https://app.example.com"),
    (is_not_finished, "https://app.example.com"),
    (lambda origin: 1 if origin == "https://app.example.com" else 0, "https://app.example.com"),
    (lambda origin: [o for o in ALLOWED if o == origin], "https://app.example.com"),
]


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize(
    ("check", "asked"), [*FAILING, (lambda o: is_asynchronous(o), "https://app.example.com")]
)
def test_callables_that_fail(check: Any, asked: str) -> None:
    from flask_corsguard import Reason
    from tests.audit.judging import decision_on

    decision = decision_on(guarded(check, {}), "/", asked)
    assert decision.reason is Reason.ORIGIN_CHECK_FAILED
    check_found(Case(lambda: guarded(check, {}), one_of(FAILED)), guarded)


def test_callables_that_fail_and_let_in() -> None:
    def check(origin: str) -> bool:
        return origin.split("://")[1].split(".")[1] == "example"

    codes = one_of(f"{FAILED} {NEIGHBOUR}")
    check_let_in(guarded(check, {}), "/", "https://evil.example.net")
    check_found(Case(lambda: guarded(check, {}), codes), guarded)


def test_a_callable_that_lets_everybody_in_at_one_route() -> None:
    def check(origin: str, request: Any) -> bool:
        return request.path.startswith("/public") or origin == "https://app.example.com"

    def build() -> Flask:
        app = guarded(check, {})
        app.add_url_rule("/public/<name>", "public", lambda name: name)
        return app

    check_let_in(build(), "/public/a", "https://evil.net")
    found = Case(build, one_of(ANYBODY), path="/public/1", routes=frozenset({"/public/<name>"}))
    check_found(found, guarded)
