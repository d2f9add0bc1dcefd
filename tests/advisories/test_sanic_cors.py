"""The advisory of Sanic-CORS, and what is known of its successor in Sanic Extensions.

See ``test_flask_cors.py`` for how these tests are made.
"""

import re

import pytest
from flask_cors import CORS

from tests.advisories.attacks import (
    CLOSED,
    EVIL,
    SHOP,
    Answer,
    ask,
    check_origins,
    guarded,
    pages,
    readable_by,
)

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
    check_origins({"origins": pattern}, [SHOP], longer, pattern.match)
    flawed = pages({"/": ()})
    CORS(flawed, origins=pattern)  # 6.0.5 has the flaw too
    for origin in longer:
        assert ask(flawed, "/", origin) == Answer(200, "/", readable_by(origin))

    # "$" matches before a line end too.
    pattern = re.compile(f"(?:{pattern.pattern})$", pattern.flags)
    assert pattern.match(f"{SHOP}\n")
    app = guarded(pages({"/": pattern}))
    for end in ("\n", "\r\n", "\0", " "):
        assert ask(app, "/", SHOP + end) == Answer(200, "/", CLOSED)


def test_sanic_ext_274() -> None:
    """`Vary: Origin` was missing where one pattern was allowed, so a cache could mix responses"""
    pattern = re.compile(r"https://(shop|www)\.example")
    flawed = pages({"/": ()})
    CORS(flawed, origins=pattern)  # 6.0.5 leaves it out where the origin is rejected
    assert ask(flawed, "/") == Answer(200, "/", [])

    app = guarded(pages({"/": pattern}))
    assert ask(app, "/", SHOP) == Answer(200, "/", readable_by(SHOP))
    for origin in (EVIL, "null", "", None):
        assert ask(app, "/", origin) == Answer(200, "/", CLOSED)
        assert ask(app, "/missing", origin) == Answer(404, "", CLOSED)
