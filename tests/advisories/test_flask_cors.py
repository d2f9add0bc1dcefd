"""The advisories of Flask-CORS, and what its changelog lists as fixed without one; one of
rack-cors, which had the same; and those of Sanic-CORS, which was made after it.

The first line of each docstring is what happened there; SECURITY.md lists them. Each attack is
shown twice: the guard withstands it, and Flask-CORS 6.0.5, or a stand-in for the version that was
vulnerable, does not. So it is known that the test would notice.
"""

import functools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from flask import Flask, send_from_directory

from flask_corsguard import CorsGuard

from .apps import EVIL, SHOP, by_flask_cors, by_origin, by_path, guarded, pages, refusal
from .attacks import CLOSED, OPEN, REFUSED, Received, ask, check_origins, preflight, readable_by


@pytest.fixture
def file_server(tmp_path: Path) -> Callable[[], Flask]:
    """Makes apps that serve two files. Each contains its own path."""
    for name in ("open/logo.svg", "private/salaries.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)

    def make() -> Flask:
        app = Flask("files", static_folder=None)
        send = functools.partial(send_from_directory, tmp_path)
        app.add_url_rule("/files/<path:filename>", "files", lambda filename: send(filename))
        return app

    return make


def check_files(app: Flask, private: str) -> None:
    for _ in range(2):
        assert ask(app, private) == Received(200, "private/salaries.txt", CLOSED)
        assert ask(app, "/files/open/logo.svg") == Received(200, "open/logo.svg", OPEN)


# Browsers resolve "..", and "%2e%2e" too, but not next to "%2f". Other programs send all of them.
TRAVERSALS = [
    "/files/open/..%2fprivate/salaries.txt",
    "/files/open/..%2Fprivate%2Fsalaries.txt",
    "/files/open/../private/salaries.txt",
    "/files/open/%2e%2e/private/salaries.txt",
    "/files/open/.%2f../private/salaries.txt",
    "/files/open/x/..%2f..%2fprivate/salaries.txt",
    "/files/open/%2f..%2fprivate/salaries.txt",
]


@pytest.mark.parametrize("url", TRAVERSALS)
def test_cve_2020_25032(file_server: Callable[[], Flask], url: str) -> None:
    """`..` in the path: a private file got the policy of a folder that the path only crossed"""
    resources = {r"/files/open/.*": {"origins": "*"}}
    # 6.0.5 does not resolve ".." either.
    flawed = by_flask_cors(file_server(), resources=resources, send_wildcard=True)
    assert ask(flawed, url) == Received(200, "private/salaries.txt", OPEN)

    app = file_server()
    CorsGuard(app).for_files("files", "open/*", origins="*")
    check_files(app, url)


@pytest.mark.parametrize("url", TRAVERSALS)
def test_cve_2019_18978(file_server: Callable[[], Flask], url: str) -> None:
    """`..` in the path: a private file got the policy of all other files"""
    flawed = by_path(file_server(), {"/files/private/": SHOP, "/files/": "*"})
    assert ask(flawed, url) == Received(200, "private/salaries.txt", OPEN)

    app = file_server()
    CorsGuard(app, origins="*").for_files("files", "private/*", origins=SHOP)
    check_files(app, url)


FORGED = "CRITICAL root: all is lost"
LINE_ENDS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028"]


def has_forged_line(text: str) -> bool:
    return any(line.startswith(FORGED) for line in text.splitlines())


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=ascii)
@pytest.mark.parametrize("debug", [False, True], ids=["production", "debug"])
def test_cve_2024_1681(caplog: pytest.LogCaptureFixture, debug: bool, line_end: str) -> None:
    """A line break in the path started a new log line, with the attacker's text"""
    for logger in ("flask_cors", "flask_corsguard"):
        caplog.set_level(logging.DEBUG, logger)
    text = f"https://a.example{line_end}{FORGED}"

    # 6.0.5 escapes the path, but not the origin
    flawed = by_flask_cors(Flask("site", static_folder=None), origins=SHOP)
    ask(flawed, "/", origin=text)
    assert has_forged_line(caplog.text)
    caplog.clear()

    app = guarded(pages({"/<path:rest>": ()}, method="PUT"), enforce="unsafe")
    app.debug = debug
    asked = {"ACCESS_CONTROL_REQUEST_HEADERS": text, "SEC_FETCH_SITE": text, "HOST": text}
    path = f"/{text}".encode().decode("latin-1")  # as in PATH_INFO
    for method in ("GET", "PUT", "OPTIONS", text):
        for headers in ({}, asked, asked | {"ACCESS_CONTROL_REQUEST_METHOD": text}):
            ask(app, path, EVIL, method, **headers)
            ask(app, path, text, method, **headers)
    messages = [r.getMessage() for r in caplog.records if r.name == "flask_corsguard"]
    assert any(FORGED in message for message in messages)
    for message in messages:
        assert not has_forged_line(message)
        assert message.isascii()
        assert message.replace("\n", "").isprintable()  # in debug mode there are several lines


def test_cve_2024_6221() -> None:
    """Every preflight for a private network was allowed, and no option turned that off"""
    asked = {"ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": "true"}
    granted = [("Access-Control-Allow-Methods", "PUT"), ("Access-Control-Allow-Origin", SHOP)]
    options = {"origins": SHOP, "methods": "PUT", "allow_private_network": True}
    flawed = by_flask_cors(pages({"/": SHOP}, "PUT"), **options)
    private = ("Access-Control-Allow-Private-Network", "true")
    assert preflight(flawed, "/", SHOP, **asked).headers == sorted([*granted, private])

    granted += [("Access-Control-Allow-Headers", "Content-Type"), ("Access-Control-Max-Age", "600")]
    granted += REFUSED
    refused = Received(403, "PRIVATE_NETWORK_NOT_ALLOWED", REFUSED)
    for allow, answer in ((False, refused), (True, Received(204, "", sorted([*granted, private])))):
        app = guarded(pages({"/": SHOP}, "PUT"), methods=["PUT"], allow_private_network=allow)
        for _ in range(2):
            assert preflight(app, "/", SHOP, **asked) == answer
            assert preflight(app, "/", SHOP) == Received(204, "", sorted(granted))
        denied = Received(403, "ORIGIN_NOT_ALLOWED", REFUSED)
        assert preflight(app, "/", EVIL, **asked) == denied
    app = guarded(pages({"/": "*"}, method="PUT"))
    assert preflight(app, "/", EVIL, **asked) == refused


@pytest.mark.parametrize("reverse", [False, True], ids=["specific first", "specific last"])
def test_cve_2024_6839(reverse: bool) -> None:
    """Of two patterns that match a path, the longer counted, even if less specific"""
    secret = "/api/admin/users"
    origins = dict(sorted({"/api/<path:rest>": "*", secret: SHOP}.items(), reverse=reverse))

    patterns = {r"/api/admin/.*": {"origins": SHOP}, r"/(?:v1/)?api/.*": {"origins": "*"}}
    # 6.0.5 goes by slashes, then by length.
    flawed = by_flask_cors(pages(origins), resources=patterns, send_wildcard=True)
    assert ask(flawed, secret) == Received(200, secret, OPEN)

    app = guarded(pages(origins))
    assert ask(app, secret) == Received(200, secret, CLOSED)
    assert ask(app, "/api/admin/other") == Received(200, "/api/<path:rest>", OPEN)


def test_cve_2024_6844() -> None:
    """`+` in the path was read as a space, so one page got another page's policy"""
    origins = {"/a+b": SHOP, "/a b": "*", "/<name>": SHOP}

    flawed = by_path(pages(origins), {"/a b$": "*", "/.+": SHOP}, read=unquote_plus)
    assert ask(flawed, "/a+b") == Received(200, "/a+b", OPEN)
    twice = by_flask_cors(pages(origins), resources={"/a b": {"origins": "*"}}, send_wildcard=True)
    assert ask(twice, "/a%2520b") == Received(200, "/<name>", OPEN)

    app = guarded(pages(origins))
    assert ask(app, "/a b") == ask(app, "/a%20b") == Received(200, "/a b", OPEN)
    assert ask(app, "/a+b") == ask(app, "/a%2Bb") == Received(200, "/a+b", CLOSED)
    for url in ("/a%2520b", "/a%252Bb", "/a++b", "/a%20%20b", "/a%C2%A0b"):
        assert ask(app, url) == Received(200, "/<name>", CLOSED)


def test_cve_2024_6866() -> None:
    """Paths were matched without regard to case, so one page got another page's policy"""
    origins = {"/reports": "*", "/Reports": SHOP, "/<name>": SHOP}
    flawed = by_path(pages(origins), {"/reports": "*", "/.+": SHOP}, flags=re.IGNORECASE)
    assert ask(flawed, "/Reports") == Received(200, "/Reports", OPEN)

    app = guarded(pages(origins))
    assert ask(app, "/reports") == Received(200, "/reports", OPEN)
    assert ask(app, "/Reports") == Received(200, "/Reports", CLOSED)
    for url in ("/REPORTS", "/report%C5%BF", "/reportS"):  # the long s is an s without its case
        assert ask(app, url) == Received(200, "/<name>", CLOSED)


def test_flask_cors_165() -> None:
    """Parts of an allowed origin or header name were allowed too"""
    parts = ["https://shop", "https://shop.exampl", "shop.example", "https://", "h", "s"]
    check_origins(SHOP, [SHOP], parts, lambda origin: origin in SHOP)

    app = guarded(pages({"/": SHOP}, method="PUT"), allow_headers="X-Customer-Id")
    assert preflight(app, "/", SHOP, ACCESS_CONTROL_REQUEST_HEADERS="x-customer-id").status == 204
    for part in ("x", "x-customer", "customer-id", "x-customer-i"):
        answer = preflight(app, "/", SHOP, ACCESS_CONTROL_REQUEST_HEADERS=part)
        assert answer == Received(403, "HEADERS_NOT_ALLOWED", REFUSED)


def test_flask_cors_202() -> None:
    """`*` was sent together with `Access-Control-Allow-Credentials`"""
    flawed = by_origin(pages({"/": "*"}), bool, allow_credentials="true", allow_origin="*")
    both = [("Access-Control-Allow-Credentials", "true"), *OPEN, ("Vary", "Origin")]
    assert ask(flawed, "/") == Received(200, "/", both)

    assert refusal(origins="*", allow_credentials=True) == ["credentials_any_origin"]
    app = guarded(pages({"/": "*"}), allow_credentials=True)
    assert ask(app, "/") == Received(500, "", CLOSED)
    app = guarded(pages({"/": "*"}))
    for origin in (None, EVIL, "null"):
        assert ask(app, "/", origin) == Received(200, "/", OPEN)


ENDINGS = [".evil.example", "evil.example", ":8080", ":443", "/", "@evil.example", "-evil.example"]
PATTERNS = [
    re.compile(r"https://shop\.example"),
    re.compile(r"^https://shop\.example"),
    re.compile(r"https://(shop|www)\.example"),
    re.compile(r"https://shop\.example|https://www\.example"),
    re.compile(r"https://shop\.example|http://shop\.example$", re.MULTILINE),
    re.compile(r"HTTPS://SHOP\.EXAMPLE", re.IGNORECASE),
]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.pattern)
def test_cve_2026_37737(pattern: re.Pattern[str]) -> None:
    """A pattern had to match only the beginning of the origin: `https://shop.example.evil.example`"""
    longer = [SHOP + ending for ending in ENDINGS]
    check_origins(pattern, [SHOP], longer, pattern.match)
    flawed = by_flask_cors(pages({"/": ()}), origins=pattern)  # 6.0.5 has the flaw too
    for origin in longer:
        assert ask(flawed, "/", origin) == Received(200, "/", readable_by(origin))

    # "$" matches before a line end too.
    pattern = re.compile(f"(?:{pattern.pattern})$", pattern.flags)
    assert pattern.match(f"{SHOP}\n")
    app = guarded(pages({"/": pattern}))
    for end in ("\n", "\r\n", "\0", " "):
        assert ask(app, "/", SHOP + end) == Received(200, "/", CLOSED)


def test_sanic_ext_274() -> None:
    """`Vary: Origin` was missing if only a pattern was allowed, so a cache could mix responses"""
    pattern = re.compile(r"https://(shop|www)\.example")
    # 6.0.5 leaves it out if the origin is rejected
    flawed = by_flask_cors(pages({"/": ()}), origins=pattern)
    assert ask(flawed, "/") == Received(200, "/", [])

    app = guarded(pages({"/": pattern}))
    assert ask(app, "/", SHOP) == Received(200, "/", readable_by(SHOP))
    for origin in (EVIL, "null", "", None):
        assert ask(app, "/", origin) == Received(200, "/", CLOSED)
        assert ask(app, "/missing", origin) == Received(404, "", CLOSED)
