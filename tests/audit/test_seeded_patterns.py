"""Patterns and callables with a mistake in them, as people write them. Each test shows that
somebody gets in who should not, and that the audit finds this and nothing else."""

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
from flask import Flask, current_app, request

from flask_corsguard import CorsGuard, Reason
from flask_corsguard.audit import Level, audit
from tests.audit.cases import Case, check_found, codes_of, guarded, is_let_in, wrapping

# Marks of other tests are not marks of the app.

NEIGHBOUR = "neighbour_allowed"
ANYBODY = "anybody_allowed"
SUFFIX = "public_suffix_wildcard"
INSECURE = "insecure_origin"
LOOPBACK = "loopback_with_credentials"
SUBDOMAINS = "subdomains_with_credentials"
ACT: dict[str, Any] = {"allow_credentials": True}
APP, HTTP = "https://app.example.com", "http://app.example.com"


def check(origins: Any, codes: str, let_in: str, **fields: Any) -> None:
    # Without max_age=0, it is a finding that a callable takes the request.
    build = functools.partial(guarded, origins, **{"max_age": 0, **fields})
    check_found(Case(build, codes, guarded, let_in, routes={"/"}))


# A pattern, and an origin that it should not match and does.
NEIGHBOURS = [
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
    (r"https://www\.example\.com|.*shop\.example", "https://evilshop.example"),
    (r"(https://a\.example|https://b\.example).*", "https://b.example.evil.net"),
    (r"https://app\.example\.com|https://cdn\.shop\.example.*", "https://cdn.shop.example.evil.com"),
    (r"https://app\.example\.com$|^https://cdn.shop\.example", "https://cdnxshop.example"),
]  # fmt: skip
EVERYBODY = [
    (r".*", "https://evil.net"),
    (r".+", "https://evil.net"),
    (r"https://.*", "https://evil.net"),
    (r"https?://.*", "http://evil.net"),
    (r"https://[\w.-]+", "https://evil.net"),
    (r"https://[^/]+", "https://evil.net"),
    (r"https://\S+", "https://evil.net"),
    (r"^(http|https)://.+$", "https://evil.net"),
    (r"https://(?!evil)[\w.-]+", "https://other.net"),
    (r"https://(?!.*(evil|attacker|hacker)).*", "https://other.net"),
    (r"(https://app\.example\.com)?.*", "https://other.net"),
    (r"https://app\.example\.com|.*", "https://other.net"),
    (r"https://(app\.example\.com|[\w.-]+)", "https://other.net"),
    (r"https://([a-z0-9-]+\.)+[a-z]{2,}", "https://other.net"),
    (r"https://.{4,}", "https://other.net"),
    # at some port or address
    (r"https?://.*:3000", "https://evil.net:3000"),
    (r"https?://[^/:]+(:8080)", "https://evil.net:8080"),
    (r"https?://\d+\.\d+\.\d+\.\d+", "https://6.6.6.6"),
]
# Everybody who has a name under a suffix.
TENANTS = [
    (r"https://[a-z]+\.github\.io", "https://evil.github.io"),
    (r"https://.*\.github\.io", "https://evil.github.io"),
    (r"https://[\w-]+\.vercel\.app", "https://evil.vercel.app"),
    (r"https://.+\.herokuapp\.com", "https://evil.herokuapp.com"),
    (r"https://[^.]+\.netlify\.app", "https://evil.netlify.app"),
    (r"https://[a-z0-9-]+\.pages\.dev", "https://evil.pages.dev"),
    (r"https://(.*\.)?web\.app", "https://evil.web.app"),
    (r"https://\w+\.co\.uk", "https://evil.co.uk"),
    (r"https://.*\.com", "https://evil.com"),
    (r"https://.*\.(example\.com|github\.io)", "https://evil.github.io"),
    (r"https://[a-z0-9-]+\.ngrok-free\.app", "https://evil.ngrok-free.app"),
]
NEIGHBOURS += [
    # under a suffix
    (r"https://shop-[a-z0-9]+\.vercel\.app", "https://shop-evil.vercel.app"),
    (r"https://shop-git-[\w-]+\.vercel\.app", "https://shop-git-evil.vercel.app"),
    (r"https://.*shop\.netlify\.app", "https://evilshop.netlify.app"),
    (r"https://.+-team\.vercel\.app", "https://evil-team.vercel.app"),
]


@pytest.mark.parametrize(
    ("codes", "pattern", "evil"),
    [
        pytest.param(codes, *row, id=row[0])
        for codes, rows in ((NEIGHBOUR, NEIGHBOURS), (ANYBODY, EVERYBODY), (SUFFIX, TENANTS))
        for row in rows
    ],
)
def test_patterns(codes: str, pattern: str, evil: str) -> None:
    """The audit finds a pattern that matches the origins of others."""
    check(re.compile(pattern), codes, evil)


ACTING = [
    # plain http
    (INSECURE, r"https?://app\.example\.com", ACT, HTTP),
    (INSECURE, r"http://app\.example\.com", ACT, HTTP),
    (INSECURE, r"http[s]?://app\.example\.com(:\d+)?", ACT, "http://app.example.com:8080"),
    (INSECURE, r".*://app\.example\.com", ACT, HTTP),
    (INSECURE, r"(https|http)://(app|www)\.example\.com", ACT, "http://www.example.com"),
    (INSECURE, r"\w+://app\.example\.com", ACT, HTTP),
    (INSECURE, r"https?://192\.168\.0\.\d+", ACT, "http://192.168.0.7"),
    (f"{INSECURE} {LOOPBACK}", r"https?://(localhost|app\.example\.com)(:\d+)?", ACT, HTTP),
    (LOOPBACK, r"http://localhost(:\d+)?", ACT, "http://localhost:3000"),
    (LOOPBACK, r"https?://(127\.0\.0\.1|\[::1\])(:\d+)?", ACT, "http://127.0.0.1:5000"),
    (INSECURE, r"https?://app\.example\.com", {"enforce": "unsafe"}, HTTP),
    (INSECURE, r"https?://app\.example\.com", {**ACT, "enforce": "unsafe"}, HTTP),
    # every sub-domain
    (SUBDOMAINS, r"https://.*\.example\.com", ACT, "https://forgotten.example.com"),
    (SUBDOMAINS, r"https://([a-z0-9-]+\.)*example\.com", ACT, "https://forgotten.example.com"),
    (SUBDOMAINS, r"https://[\w-]+\.example\.com", ACT, "https://forgotten.example.com"),
    (f"{SUBDOMAINS} {INSECURE}", r"https?://.*\.example\.com", ACT, "http://x.example.com"),
    # worse things
    (NEIGHBOUR, r"https://app.example.com", ACT, "https://appxexample.com"),
    (NEIGHBOUR, r"https://.*example\.com", ACT, "https://evilexample.com"),
    (ANYBODY, r"https://.*", ACT, "https://evil.net"),
    (ANYBODY, r".*", ACT, "http://evil.net"),
    (SUFFIX, r"https://[a-z]+\.github\.io", ACT, "https://evil.github.io"),
    (SUFFIX, r"https://[a-z0-9.-]+\.amazonaws\.com", ACT, "https://evil.s3.amazonaws.com"),
]


@pytest.mark.parametrize(
    ("codes", "pattern", "fields", "evil"),
    ACTING,
    ids=[f"{pattern} {' '.join(fields)}" for _, pattern, fields, _ in ACTING],
)
def test_patterns_that_let_act(codes: str, pattern: str, fields: dict[str, Any], evil: str) -> None:
    """With credentials or enforce, plain http and sub-domains matter; worse things hide them."""
    check(re.compile(pattern), codes, evil, **fields)


@pytest.mark.parametrize(
    ("pattern", "evil"),
    [
        (r"https://pr-\d+.preview\.example\.com", "https://pr-1xpreview.example.com"),
        (r"https://a\.example\.com|.*b\.example\.com", "https://evilb.example.com"),
    ],
)
def test_neighbours_on_the_same_site(pattern: str, evil: str) -> None:
    """With a dot too many or too few inside the company's own domain, the name is nobody else's.
    The audit may report that or not."""
    assert is_let_in(guarded(re.compile(pattern)), "/", evil)
    assert codes_of(audit(guarded(re.compile(pattern)))) <= {NEIGHBOUR}


MIXED: dict[str, tuple[Any, str]] = {
    "strings beside it": (
        [APP, "https://admin.example.com", re.compile(r"https://.*partner\.example")],
        "https://evilpartner.example",
    ),
    "good patterns beside it": (
        [re.compile(r"https://pr-\d+\.example\.com"), re.compile(r"https://shop.example.com")],
        "https://shopxexample.com",
    ),
    "a callable beside it": (
        [re.compile(r"https://.*shop\.example"), lambda origin: origin == "https://x.example"],
        "https://evilshop.example",
    ),
    "a good pattern beside a callable": (
        [re.compile(r"https://pr-\d+\.example\.com"), lambda o: o.endswith("shop.example")],
        "https://evilshop.example",
    ),
    "flags": (re.compile(r"https://[A-Z.]*EXAMPLE\.COM", re.IGNORECASE), "https://evilexample.com"),
    "verbose": (
        re.compile("https://  # always\n (app | admin) .example\\.com", re.VERBOSE),
        "https://adminxexample.com",
    ),
    "joined by hand": (re.compile("|".join([APP, "https://a.example"])), "https://appxexample.com"),
    "filled in": (re.compile("https://{}".format("app.example.com")), "https://appxexample.com"),
}


@pytest.mark.parametrize(("origins", "evil"), MIXED.values(), ids=MIXED)
def test_patterns_beside_others(origins: Any, evil: str) -> None:
    """The audit finds a loose pattern among other entries, or written in another way."""
    check(origins, NEIGHBOUR, evil)


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
    """The audit finds patterns that take twice as long for each further letter of an origin."""
    compiled = re.compile(pattern)

    def seconds(length: int) -> float:
        started = time.process_time()
        assert not compiled.fullmatch(f"https://{'a' * length}:1")
        return time.process_time() - started

    assert seconds(21) > 20 * seconds(12)
    started = time.process_time()
    check(compiled, "slow_pattern", "")
    assert time.process_time() - started < 5


ALLOWED = [APP, "https://shop.example"]
SITE = "example.com"
SUFFIXES = (".example.com", "shop.example")
PATTERN = re.compile(r"https://app\.example\.com")
LOOSE = re.compile(r"https://.*example\.com")
CONFIG = {"sites": {"main": "example.com"}, "debug": False}
NAME, TOP = "example", "com"
DEBUG = True


def ends_with(origin: str) -> bool:
    return origin.endswith("example.com")


def contains_any(origin: str) -> bool:
    for allowed in ALLOWED:  # noqa: SIM110
        if allowed in origin:
            return True
    return False


def splits(origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme == "https" and "example" in host.split(".")


def _is_ours(host: str) -> bool:
    return host == "example.com" or host.endswith("example.com")


def in_a_template(origin: str) -> bool:
    name = "example"
    return origin.endswith(f"{name}.com")


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


def closure(site: str) -> Callable[[str], bool]:
    return lambda origin: origin.endswith(site)


class Settings:
    SITES = ("example.com",)


class Names(enum.Enum):
    SITE = "example.com"


NAMESPACE = types.SimpleNamespace(site="example.com")
NESTED = types.SimpleNamespace(cors=NAMESPACE)
MODULE = types.ModuleType("settings")
MODULE.__file__ = __file__
MODULE.__dict__.update(site="example.com", is_ours=_is_ours)

END, START = "https://evilexample.com", "https://example.com.evil.net"
APP_START, SHOP_START = "https://app.example.com.evil.net", "https://shop.example.evil.net"
NEIGHBOUR_CALLABLES: dict[str, tuple[Any, str]] = {
    "ends with": (ends_with, END),
    "ends with a constant": (lambda origin: origin.endswith(SITE), END),
    "ends with one of a tuple": (lambda o: o.endswith(SUFFIXES), "https://evilshop.example"),
    "starts with": (lambda origin: origin.startswith("https://app.example.com"), APP_START),
    "starts with any": (lambda o: any(o.startswith(allowed) for allowed in ALLOWED), SHOP_START),
    "any beginning": (lambda origin: any(map(origin.startswith, ALLOWED)), SHOP_START),
    "contains any": (contains_any, SHOP_START),
    "contains": (lambda origin: "example.com" in origin, START),
    "finds": (lambda origin: origin.find("example.com") != -1, START),
    "splits": (splits, "https://example.evil.net"),
    "second level": (
        lambda o: o.partition("://")[2].split(".")[-2:-1] == ["example"], "https://example.net"),
    "matches the beginning": (
        lambda origin: re.match(r"https://app\.example\.com", origin) is not None, APP_START),
    "matches a compiled beginning": (lambda origin: bool(PATTERN.match(origin)), APP_START),
    "searches": (lambda origin: bool(re.search(r"app\.example\.com", origin)), APP_START),
    "matches in full, but loosely": (lambda origin: LOOSE.fullmatch(origin) is not None, END),
    "matches with dots": (
        lambda o: bool(re.match("https://app.example.com$", o)), "https://appxexample.com"),
    "host ends with": (lambda o: (urlparse(o).hostname or "").endswith("example.com"), END),
    "netloc ends with": (lambda origin: urlsplit(origin).netloc.endswith("example.com"), END),
    "host starts with": (
        lambda o: (urlparse(o).hostname or "").startswith("app.example."),
        "https://app.example.evil.net"),
    "strips": (
        lambda o: o.replace("https://", "").replace("www.", "").startswith("example.com"), START),
    "splits and starts with": (lambda o: o.split("//")[1].startswith("example.com"), START),
    "strips a slash": (lambda o: o.rstrip("/").endswith("example.com"), END),
    "without the port": (
        lambda o: urlsplit(o).netloc.split(":")[0].endswith("example.com"), END),
    "through a helper": (lambda origin: _is_ours(urlsplit(origin).netloc), END),
    "case folded": (lambda origin: origin.lower().strip().endswith("example.com"), END),
    "compares ends": (lambda o: o[-len("example.com") :] == "example.com", END),
    "by a class": (lambda origin: any(origin.endswith(site) for site in Settings.SITES), END),
    "by an enumeration": (lambda origin: origin.endswith(Names.SITE.value), END),
    "by an object": (lambda origin: origin.endswith(NAMESPACE.site), END),
    "by an object in another": (lambda origin: origin.endswith(NESTED.cors.site), END),
    "by a module": (lambda origin: origin.endswith(MODULE.site), END),
    "by a function in a module": (lambda origin: bool(MODULE.is_ours(origin)), END),
    "in a template": (in_a_template, END),
    "put together": (lambda origin: origin.endswith(f"{NAME}.{TOP}"), END),
    "by default": (lambda origin, site="example.com": origin.endswith(site), END),
    "in the network": (
        lambda o: o.startswith(("http://10.", "http://192.168.")), "http://10.evil.net"),
    "decorated": (wrapping(ends_with), END),
    "a closure": (closure("example.com"), END),
    "an object": (Sites("example.com"), END),
    "a method": (Sites("example.com").allows, START),
    "a static method": (Sites.ours, START),
    "a partial": (functools.partial(lambda site, o: o.endswith(site), "example.com"), END),
    "a data class": (
        Tenants((re.compile(r"https://a\.shop\.example"),)), "https://a.shop.example.evil.net"),
    "glob": (lambda origin: fnmatch.fnmatch(origin, "https://*example.com"), END),
    "within a string": (
        lambda o: o in "https://app.example.com,https://admin.example.com",
        "https://app.example.co"),
    "from a mapping": (lambda origin: origin.endswith(CONFIG["sites"]["main"]), END),
    "in bytes": (lambda origin: origin.encode().endswith(b"example.com"), END),
    "takes the request": (lambda origin, request: origin.endswith("example.com"), END),
}  # fmt: skip
OTHER = "https://other.net"
EVERYBODYS_CALLABLES: dict[str, tuple[Any, str]] = {
    "by the port": (lambda o: urlparse(o).port in (3000, 8080), "https://evil.net:3000"),
    "not blocked": (lambda o: o not in {"https://evil.net", "https://attacker.example"}, OTHER),
    "not evil": (lambda o: not any(word in o for word in ("evil", "attacker", "hacker")), OTHER),
    "only https": (lambda origin: origin.startswith("https://"), OTHER),
    "only the scheme": (lambda origin: urlparse(origin).scheme in ("http", "https"), OTHER),
    "everybody": (lambda origin: True, OTHER),
    "everybody who asks": (lambda o, request: request.method in ("GET", "POST", "OPTIONS"), OTHER),
    "everybody in debug": (lambda origin: origin == APP or DEBUG, OTHER),
    "anything": (lambda origin: bool(origin), OTHER),
    "anything but null": (lambda origin: origin != "null", OTHER),
    "anything short": (lambda origin: len(origin) < 100, OTHER),
}
TENANTS_CALLABLES: dict[str, tuple[Any, str]] = {
    "below a suffix": (lambda o: o.endswith(".github.io"), "https://evil.github.io"),
    "below the parent of a suffix": (
        lambda o: o.endswith(".amazonaws.com"),
        "https://evil.s3.amazonaws.com",
    ),
    "host below a suffix": (
        lambda o: (urlparse(o).hostname or "").endswith(".vercel.app"),
        "https://evil.vercel.app",
    ),
}


@pytest.mark.parametrize(
    ("codes", "allows", "evil"),
    [
        pytest.param(codes, *row, id=name)
        for codes, rows in (
            (NEIGHBOUR, NEIGHBOUR_CALLABLES),
            (ANYBODY, EVERYBODYS_CALLABLES),
            (SUFFIX, TENANTS_CALLABLES),
        )
        for name, row in rows.items()
    ],
)
def test_callables(codes: str, allows: Any, evil: str) -> None:
    """The audit finds a callable that allows the origins of others, by reading its code."""
    check(allows, codes, evil)


ACTING_CALLABLES: dict[str, tuple[str, Any, str]] = {
    "host": (INSECURE, lambda o: urlparse(o).hostname == "app.example.com", HTTP),
    "rest": (
        INSECURE, lambda o: o.partition("://")[2] in ("app.example.com", "localhost:3000"), HTTP),
    "below": (
        SUBDOMAINS, lambda o: o.startswith("https://") and o.endswith(".example.com"),
        "https://forgotten.example.com"),
    "ends with a dot and more": (
        f"{SUBDOMAINS} {INSECURE}", lambda o: o.endswith(".example.com"), "http://x.example.com"),
    "ends with": (f"{NEIGHBOUR} {INSECURE}", ends_with, END),
}  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "allows", "evil"), ACTING_CALLABLES.values(), ids=ACTING_CALLABLES
)
def test_callables_that_let_act(codes: str, allows: Any, evil: str) -> None:
    """With credentials, plain http and sub-domains matter."""
    check(allows, codes, evil, allow_credentials=True)


@pytest.mark.parametrize(
    ("allows", "evil"),
    [
        (lambda o, _: any(name in o for name in current_app.config["ALLOWED_SITES"]), START),
        (lambda o, _: o.endswith(tuple(current_app.config["ALLOWED_SITES"])), END),
    ],
    ids=["contains", "ends with"],
)
def test_callables_that_read_the_configuration(allows: Any, evil: str) -> None:
    """The audit reads what a callable means from app.config too."""
    sites = {"ALLOWED_SITES": ["example.com", "shop.example"]}
    check_found(Case(lambda: guarded(allows, sites, max_age=0), NEIGHBOUR, guarded, evil))


def takes_apart(origin: str) -> bool:
    _, host = origin.split("://")
    name, domain, top = host.split(".")
    return (domain, top) == ("example", "com") and name == "app"


def is_not_finished(origin: str) -> bool:
    raise NotImplementedError


async def is_asynchronous(origin: str) -> bool:
    return origin == APP


FAILING: dict[str, tuple[Any, str]] = {
    "a match": (lambda origin: re.fullmatch(r"https://app\.example\.com", origin), APP),
    "none": (lambda origin: True if origin == APP else None, OTHER),
    "the name": (lambda origin: origin == APP and "app", APP),
    "looks up": (lambda origin: {APP: True}[origin], OTHER),
    "takes apart": (takes_apart, OTHER),
    "wants a port": (lambda o: int(o.rsplit(":", 1)[1]) == 8443 and o == f"{APP}:8443", APP),
    "not finished": (is_not_finished, APP),
    "a number": (lambda origin: 1 if origin == APP else 0, APP),
    "a list": (lambda origin: [o for o in ALLOWED if o == origin], APP),
    "a coroutine": (lambda origin: is_asynchronous(origin), APP),
}


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize(("allows", "asked"), FAILING.values(), ids=FAILING)
def test_callables_that_fail(allows: Any, asked: str) -> None:
    """A callable that raises, or returns no bool, lets nobody in, and is found."""
    decision = CorsGuard().explain("/", origin=asked, app=guarded(allows))
    assert decision.reason is Reason.ORIGIN_CHECK_FAILED
    check(allows, "check_failed", "")


def test_a_callable_that_looks_at_the_current_request() -> None:
    """A callable that looks at the current request cannot be tried, which is only a note."""
    build = functools.partial(guarded, lambda origin: request.host in origin)
    check_found(Case(build, "check_failed", guarded, level=Level.NOTE))


def test_callables_that_fail_and_let_in() -> None:
    """If a callable fails for some origins and lets others in, both are found."""
    codes = f"check_failed {NEIGHBOUR}"
    check(lambda o: o.split("://")[1].split(".")[1] == "example", codes, "https://evil.example.net")


def test_a_callable_that_lets_everybody_in_at_one_route() -> None:
    """A callable is asked about each route, so one open route is found."""

    def allows(origin: str, request: Any) -> bool:
        return request.path.startswith("/public") or origin == APP

    def build() -> Flask:
        app = guarded(allows, max_age=0)
        app.add_url_rule("/public/<name>", "public", lambda name: name)
        return app

    routes = {"/public/<name>"}
    check_found(Case(build, ANYBODY, guarded, "https://evil.net", "/public/a", routes=routes))
