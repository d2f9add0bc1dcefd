"""Which headers of a response a page sees."""

from __future__ import annotations

import pytest

from flask_corsguard.testing import Browser

from .servers import API, OPEN, SHOP, fixed

EXPOSE = "Access-Control-Expose-Headers"
MINE = {"Access-Control-Allow-Origin": SHOP, "Access-Control-Allow-Credentials": "true"}
LINES = {
    **OPEN,
    "Content-Type": "text/plain",
    "X-Total": "7",
    "X-Page": "1",
    "ETag": '"v1"',
    "Set-Cookie": "a=b",
    "Vary": "Origin",
}


def test_visible_headers():
    lines = [*LINES.items(), (EXPOSE, "x-total"), ("Cache-Control", "no-cache "),
             ("cache-control", "max-age=0")]  # fmt: skip
    response = Browser(fixed(lines=lines), SHOP).fetch(f"{API}/")
    headers = response.headers
    seen = {"cache-control": "no-cache, max-age=0", "content-type": "text/plain", "x-total": "7"}
    assert dict(headers) == seen
    assert repr(headers) == repr(seen)
    assert (len(headers), list(headers)) == (3, [*seen])
    assert headers["X-TOTAL"] == headers.get("x-total") == "7"
    assert headers.get("ETag") is None
    assert "etag" in headers.hidden
    response.assert_visible("X-Total", "content-type")


@pytest.mark.parametrize(
    ("expose", "credentials", "name", "words"),
    [
        (None, "omit", "X-Total", f"no {EXPOSE} names it"),
        ("X-Page", "omit", "X-Total", f"no {EXPOSE} names it"),
        ("X-Page;X-Total", "omit", "X-Total",
         "'X-Page;X-Total' is not a list of header names separated by commas"),
        ("*", "include", "X-Total", "browsers ignore '*' for a request with credentials:"
                                    " 'include'"),
        ("*", "include", "etag", "browsers ignore '*' for a request with credentials: 'include'"),
    ],
)  # fmt: skip
def test_a_header_that_is_not_seen(expose, credentials, name, words):
    """Wherever a test looks for a hidden header, it is told what hides it."""
    lines = LINES | MINE | ({} if expose is None else {EXPOSE: expose})
    response = Browser(fixed(lines=lines), SHOP).fetch(f"{API}/", credentials=credentials)
    why = response.assert_readable().headers.why_not(name)
    assert words in why
    assert f"{EXPOSE}: {name}".lower() in why.lower()
    assert "to expose_headers" in why
    with pytest.raises(KeyError) as caught:
        response.headers[name]
    assert caught.value.args == (why.replace("\n", " "),)  # a KeyError prints its one line
    with pytest.raises(AssertionError) as failed:
        response.assert_visible("content-type", name)
    assert words in str(failed.value)
    # Nobody misses an ETag.
    assert (why in response.why) == (name == "X-Total")


def test_headers_that_nobody_ever_sees_or_that_are_not_there():
    response = Browser(fixed(lines=LINES), API).fetch("/")
    assert response.why == ""  # a page of the server's own sees the rest
    with pytest.raises(KeyError, match="The response has no header X-None"):
        response.headers["X-None"]
    with pytest.raises(KeyError, match="JavaScript never sees Set-Cookie"):
        response.headers["Set-Cookie"]
    with pytest.raises(KeyError):
        Browser(fixed(), SHOP).fetch(f"{API}/").headers["Content-Type"]
