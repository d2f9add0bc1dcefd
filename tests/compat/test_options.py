"""What becomes of the options of Flask-CORS, and what is said of the others."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest

from flask_corsguard import Policy
from flask_corsguard.compat import CompatError
from flask_corsguard.flask_cors_options import compat_fields, origin_entry
from flask_corsguard.flask_cors_resources import resource_paths
from flask_corsguard.protocol.origins import parse_origin
from tests.compat.side_by_side import PAGES


def ignoring_case(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


COMPILED = re.compile(r"^https://([\w-]+\.)*example\.com$")
ENTRIES: list[tuple[Any, Any]] = [
    ("*", "*"),
    (".*", "*"),
    ("^.*$", "*"),
    ("(.*)", "*"),
    ("https://app.example.com", "https://app.example.com"),
    ("HTTPS://App.Example.com", "https://app.example.com"),
    ("capacitor://localhost", "capacitor://localhost"),
    ("https://example.com$", "https://example.com"),
    ("https://example.com/*", "https://example.com"),
    (r"https://.*\.example\.com$", "https://*.example.com"),
    (r"^https://.+\.example\.com\Z", "https://*.example.com"),
    ("https://.*.example.com", "https://*.example.com"),
    (r"https://pr-.*\.example\.com$", "https://pr-*.example.com"),
    ("http://localhost:*", "http://localhost:*"),
    ("http://localhost*", "http://localhost:*"),
    (r"http://localhost(:\d+)?$", "http://localhost:*"),
    ("chrome-extension://.*", "chrome-extension://*"),
    # Each of these would let in more as one of the guard's forms.
    (r"http://localhost:\d+", ignoring_case(r"http://localhost:\d+")),
    (r"https?://localhost(:\d+)?", ignoring_case(r"https?://localhost(:\d+)?")),
    (r"https://(.+\.)?example\.com", ignoring_case(r"https://(.+\.)?example\.com")),
    (r"https://[^.]+\.example\.com$", ignoring_case(r"https://[^.]+\.example\.com$")),
    (r"https://[a-z]+\.example\.com$", ignoring_case(r"https://[a-z]+\.example\.com$")),
    (r"https://[a-z]*\.example\.com$", ignoring_case(r"https://[a-z]*\.example\.com$")),
    ("https://.*", ignoring_case("https://.*")),
    ("https://*", ignoring_case("https://.*")),
    (COMPILED, COMPILED),
    (re.compile("https://example.com$"), "https://example.com"),
]


@pytest.mark.parametrize(("entry", "meant"), ENTRIES, ids=[repr(entry) for entry, _ in ENTRIES])
def test_an_entry_of_origins(entry: Any, meant: Any) -> None:
    assert origin_entry(entry) == meant


@pytest.mark.parametrize("entry", [entry for entry, _ in ENTRIES], ids=repr)
def test_an_entry_lets_in_nobody_new(entry: Any) -> None:
    compared = re.match if isinstance(entry, re.Pattern) or re.search(r"[*\\$]", entry) else None
    admits = Policy(origins=[origin_entry(entry)]).compiled
    for page in (*PAGES, "https://pr-1.example.com", "https://prx.example.com"):
        if entry == "*" or not admits.allow or page == "null":
            continue
        if compared:
            known = re.compile(entry, 0 if isinstance(entry, re.Pattern) else re.IGNORECASE)
            was_in = known.match(page) is not None
        else:
            was_in = entry.lower() == page
        assert was_in or not _admits(admits, page), page


def _admits(compiled: Any, page: str) -> bool:
    origin = parse_origin(page)
    return origin is not None and bool(compiled.allow.admits(page, origin))


NEVER = "matches nothing that browsers send"
WRONG_ENTRIES: list[tuple[Any, str]] = [
    (
        "https://a.example/",
        f"origins: 'https://a.example/' {NEVER}: an origin has no trailing slash. Write"
        " 'https://a.example'",
    ),
    (
        "https://a.example/app",
        f"origins: 'https://a.example/app' {NEVER}: an origin has no path: CORS is decided for"
        " whole origins. Write 'https://a.example'",
    ),
    (
        "a.example",
        f"origins: 'a.example' {NEVER}: an origin starts with its scheme, such as https://. Write"
        " 'https://a.example'",
    ),
    (
        "https://a.example, https://b.example",
        "origins: 'https://a.example, https://b.example' is a single string, which matches no"
        " origin. Write a list: origins=['https://a.example', 'https://b.example']",
    ),
    (
        "null",
        "origins: any site can send 'null', from a sandboxed frame. Take it out, and serve the page"
        " that needs it from an origin of its own",
    ),
    (
        "https://*.example.com",
        "origins: 'https://*.example.com' is read as a regular expression, and does not match"
        r" the origin that it looks like. Write r'https://.*\.example\.com$'",
    ),
    (
        "https://pr-*.example.com",
        "origins: 'https://pr-*.example.com' is read as a regular expression, and does not match"
        r" the origin that it looks like. Write r'https://pr-.*\.example\.com$'",
    ),
    (
        "*.example.com",
        "origins: '*.example.com' is not a regular expression. For the sub-domains write"
        r" r'https://.*\.example\.com$'",
    ),
    (
        r"https://.*\.example\.com/",
        r"origins: 'https://.*\\.example\\.com/' matches nothing that browsers send: an origin has"
        r" no trailing slash. Write r'https://.*\.example\.com$'",
    ),
    (
        r"example\.com$",
        r"origins: 'example\\.com$' matches nothing that browsers send: an origin begins with its"
        r" scheme. Write r'https://example\.com$'",
    ),
    (
        3,
        "origins: 3 is not a string or a pattern, and matches no origin. Write"
        " origins=['https://app.example.com']",
    ),
]


@pytest.mark.parametrize(
    ("entry", "message"), WRONG_ENTRIES, ids=[repr(entry) for entry, _ in WRONG_ENTRIES]
)
def test_an_entry_that_cannot_be_taken_over(entry: Any, message: str) -> None:
    with pytest.raises(CompatError) as raised:
        origin_entry(entry)
    assert str(raised.value) == message
    # The advice can be taken.
    advice = re.search(r"r?'(https://[^,']*?)'\Z", message)
    if advice and "example.com'" not in message[-14:]:
        assert origin_entry(advice[1])


RESOURCES: list[tuple[Any, list[str]]] = [
    ("/*", ["/"]),
    ("*", ["/"]),
    (".*", ["/"]),
    ("^/.*$", ["/"]),
    ("/api/*", ["/api"]),
    ("/api/.*", ["/api"]),
    ("/api/.*$", ["/api"]),
    ("/api.*", ["/api"]),
    ("^/api", ["/api"]),
    ("^/api/", ["/api"]),
    ("/api/(.*)", ["/api"]),
    ("/api(/.*)?", ["/api"]),
    (r"\/api\/.*", ["/api"]),
    (r"/api/v1\.0/*", ["/api/v1.0"]),
    ("/(api|auth)/.*", ["/api", "/auth"]),
    ("^/(?:api|auth)/", ["/api", "/auth"]),
    ("/a/(b|c)/d/*", ["/a/b/d", "/a/c/d"]),
    (re.compile("/api"), ["/api"]),
]


@pytest.mark.parametrize(
    ("resource", "prefixes"), RESOURCES, ids=[repr(resource) for resource, _ in RESOURCES]
)
def test_a_key_of_resources(resource: Any, prefixes: list[str]) -> None:
    assert resource_paths(resource) == prefixes
    for prefix in prefixes:
        below = f"{prefix.rstrip('/')}/x/y"
        assert re.match(".*" if resource == "*" else resource, below)


def one_path(resource: str, wider: str) -> tuple[str, str]:
    return resource, (
        f"resources: {resource!r} covers that one path and nothing below it. Write {wider!r} for"
        " everything below it, or take it out and write @cross_origin() on the view"
    )


def no_prefix(resource: str, wider: str) -> tuple[str, str]:
    return resource, (
        f"resources: no list of path prefixes matches the same paths as {resource!r}. Write"
        f" prefixes such as {wider!r}, or take it out and write @cross_origin() on the views"
    )


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        one_path("/api", "/api/*"),
        one_path("/api/", "/api/*"),
        one_path("/", "/*"),
        one_path("/api/.+", "/api/*"),
        one_path("/api/<id>", "/api/*"),
        no_prefix("/api$", "/api/*"),
        no_prefix("/api/*$", "/api/*"),
        no_prefix("/api*", "/*"),  # the i may be left out
        no_prefix("api/*", "/api/*"),
        no_prefix(r"/v\d+/.*", "/*"),
        no_prefix(r"/static/.*\.js", "/static/*"),
        no_prefix("/api/v1/.*/x", "/api/v1/*"),
        no_prefix("/ap(i|p)/*", "/*"),
        no_prefix("/a/../*", "/a/*"),
    ],
)
def test_a_key_of_resources_that_cannot_be_taken_over(resource: str, message: str) -> None:
    with pytest.raises(CompatError) as raised:
        resource_paths(resource)
    assert str(raised.value) == message


DEFAULTS = {
    "origins": "*",
    "methods": ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["*", "Authorization"],
    "expose_headers": [],
    "allow_credentials": False,
    "max_age": None,
    "allow_private_network": False,
}


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, {}),
        ({"origins": ".*"}, {}),
        ({"origins": ["https://a.example", "*"]}, {}),
        ({"origins": None}, {"origins": []}),
        ({"origins": [""]}, {"origins": []}),
        ({"origins": "https://a.example"}, {"origins": ["https://a.example"]}),
        (
            {"origins": ["https://a.example", "https://A.example"]},
            {"origins": ["https://a.example"]},
        ),
        ({"origins": "file://"}, {"origins": [], "raw_origins": ["file://"]}),
        ({"methods": ["get", "POST"]}, {"methods": ["GET", "POST"]}),
        ({"methods": "GET, POST, PUT"}, {"methods": ["GET", "POST", "PUT"]}),
        ({"allow_headers": "Content-Type"}, {"allow_headers": ["Content-Type"]}),
        ({"allow_headers": []}, {"allow_headers": []}),
        ({"allow_headers": ["X-One", "*"]}, {}),
        ({"expose_headers": "X-A, X-B"}, {"expose_headers": ["X-A", "X-B"]}),
        ({"max_age": 60}, {"max_age": 60}),
        ({"max_age": "60"}, {"max_age": 60}),
        ({"max_age": 0}, {}),
        ({"max_age": datetime.timedelta(minutes=1)}, {"max_age": 60}),
        ({"max_age": 10**7}, {"max_age": 86400}),
        ({"allow_private_network": True}, {"allow_private_network": True}),
        ({"send_wildcard": True, "vary_header": False, "always_send": False}, {}),
        ({"intercept_exceptions": False, "automatic_options": False, "resources": "/x"}, {}),
        (
            {"supports_credentials": True, "origins": ["https://a.example"]},
            {"allow_credentials": True, "origins": ["https://a.example"]},
        ),
    ],
)
def test_options(options: dict[str, Any], changed: dict[str, Any]) -> None:
    assert compat_fields(options) == {**DEFAULTS, **changed}


ANYBODY = (
    "any site on the web could act as the signed-in user. List the origins:"
    " origins=['https://app.example.com'], or take supports_credentials out"
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orgins": "x"}, "Flask-CORS has no option 'orgins', and ignores it. Write origins"),
        (
            {"headers": "x"},
            "Flask-CORS has no option 'headers', and ignores it. Write allow_headers",
        ),
        (
            {"supports_credentials": True},
            f"supports_credentials=True with origins='*': {ANYBODY}",
        ),
        (
            {"supports_credentials": True, "origins": "https?://.*"},
            f"supports_credentials=True with origins='https?://.*': {ANYBODY}",
        ),
        (
            {"origins": {"/api/*": {}}},
            "origins: Flask-CORS reads only the keys of a dictionary: '/api/*'. Write resources=",
        ),
        (
            {"allow_headers": "Content-Type,Authorization"},
            "allow_headers: 'Content-Type,Authorization' is one string, which is not the name of a"
            " header. Write allow_headers=['Content-Type', 'Authorization']",
        ),
        (
            {"allow_headers": ["X-.*"]},
            "allow_headers: 'X-.*' is a pattern. List the names:"
            " allow_headers=['Content-Type', 'Authorization']",
        ),
        (
            {"supports_credentials": "False"},
            "supports_credentials: Flask-CORS takes 'False' as True. Write"
            " supports_credentials=True or False",
        ),
        ({"max_age": "long"}, "max_age: 'long' is not a number. Write max_age=600"),
        (
            {"supports_credentials": True, "origins": "http://a.example"},
            "origins: 'http://a.example' with allow_credentials=True: whoever controls the network"
            " in between can pose as that origin and act as the user. Write 'https://a.example',"
            " or set dangerously_allow_insecure_origins=True. [credentials_insecure_origin]. All"
            " other fields belong in CorsGuard(app, ...)",
        ),
    ],
)
def test_options_that_cannot_be_taken_over(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompatError) as raised:
        compat_fields(options)
    assert str(raised.value) == message
