"""URLs as browsers read them."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.publicsuffix import site_of
from flask_corsguard.testing.urls import is_same_site, is_trustworthy, parse_url

BASE = parse_url("https://api.test/a/b?c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # absolute
        ("https://api.test", "https://api.test/"), ("HTTPS://API.TEST/X", "https://api.test/X"),
        ("http:api.test", "http://api.test/"), ("http:/api.test/x", "http://api.test/x"),
        ("https:///api.test/x", "https://api.test/x"),
        ("https:////////api.test/x", "https://api.test/x"),
        ("http://api.test?q", "http://api.test/?q"), ("http://api.test#f", "http://api.test/"),
        # backslashes
        ("https:\\\\api.test\\x", "https://api.test/x"),
        ("http:/\\a.test\\..\\b", "http://a.test/b"),
        ("https://api.test\\x?a\\b", "https://api.test/x?a\\b"),
        ("\\\\cdn.test\\x", "https://cdn.test/x"), ("/\\cdn.test/x", "https://cdn.test/x"),
        ("\\x", "https://api.test/x"),
        # ports
        ("https://api.test:443/", "https://api.test/"),
        ("https://api.test:0443/", "https://api.test/"),
        ("https://api.test:80/", "https://api.test:80/"),
        ("http://api.test:80/", "http://api.test/"), ("https://api.test:/", "https://api.test/"),
        ("https://api.test:0/", "https://api.test:0/"),
        ("https://api.test:65535/", "https://api.test:65535/"), ("https://api.test:65536/", None),
        ("https://api.test:99999999/", None), ("https://api.test:x/", None),
        ("https://api.test:-1/", None), ("https://api.test: 80/", None),
        ("https://api.test:00000444/", "https://api.test:444/"),
        ("https://[fe80::1%25eth0]/", None),
        # relative to the server, and to the page
        *(
            (text, f"https://api.test/{path}") for text, path in (
                ("", "a/b?c"), ("#f", "a/b?c"), ("?q", "a/b?q"), ("?", "a/b?"), ("x", "a/x"),
                ("./x", "a/x"), ("../x", "x"), ("../../x", "x"), ("/x", "x"), ("https:x", "a/x"),
                ("https:/x", "x"), ("https:?q", "a/b?q"), ("1a:b", "a/1a:b"), ("é:b", "a/%C3%A9:b"),
                (":", "a/:"), ("api.test/x", "a/api.test/x"),
                # dots
                (".", "a/"), ("..", ""), ("...", "a/..."), ("/a/./b/../c", "a/c"), ("/a/..", ""),
                ("/a/.", "a/"), ("/a/%2e%2E/b", "b"), ("/a/.%2e", ""), ("/a/%2e", "a/"),
                ("/a//../b", "a/b"), ("/../..", ""),
                # percent-encoding
                ("/a b", "a%20b"), ("/é", "%C3%A9"), ("/\U0001f600", "%F0%9F%98%80"),
                ("/\x7f", "%7F"), ("/a%2fb", "a%2fb"), ("/%zz", "%zz"), ('/"<>', "%22%3C%3E"),
                ("/~-_.!*()'[x];a=b|", "~-_.!*()'[x];a=b|"), ("/?a=b&c= d", "?a=b&c=%20d"),
                ('/?é"<>', "?%C3%A9%22%3C%3E"), ("/{}`^", "%7B%7D%60%5E"), ("/?'{}`^", "?%27{}`^"),
                ("/a?b?c", "a?b?c"), ("/a#b?c", "a"),
            )
        ),
        ("//cdn.test/x", "https://cdn.test/x"),
        # white space
        (" https://api.test/ ", "https://api.test/"),
        ("\x00https://api.test/\x1f", "https://api.test/"),
        ("ht\ntps://api\t.test/a\rb", "https://api.test/ab"),
        # user names
        ("https://user@api.test/", "https://api.test/"),
        ("https://a:b@c:d@api.test:444/", "https://api.test:444/"),
        ("https://us/er@api.test/", "https://us/er@api.test/"), ("https://user@/", None),
        # no host
        ("http://", None), ("https:///", None), ("https://?q", None), ("https://#f", None),
        ("http:", None), ("https://a%00b/", None), ("https://a%20b/", None), ("https://a b/", None),
        ("https://a<b/", None), ("https://a|b/", None), ("https://a%b/", None),
        # names
        ("https://a_b.test/", "https://a_b.test/"), ("https://a./", "https://a./"),
        ("https://%61pi.test/", "https://api.test/"), ("https://É.test/", "https://xn--9ca.test/"),
        ("https://xn--9ca.test/", "https://xn--9ca.test/"),
        ("https://日本.test/", "https://xn--wgv71a.test/"), ("https://a\u3002b/", "https://a.b/"),
        ("https://\uff41.test/", "https://a.test/"), ("https://a\xadb/", "https://ab/"),
        ("https://\xad/", None),
        # IPv4, in all the forms that there are
        ("http://1.2.3.4/", "http://1.2.3.4/"), ("http://1.2.3.4./", "http://1.2.3.4/"),
        ("http://1.2.3/", "http://1.2.0.3/"), ("http://1.65536/", "http://1.1.0.0/"),
        ("http://16909060/", "http://1.2.3.4/"), ("http://0x1020304/", "http://1.2.3.4/"),
        ("http://0x1.0x2.0x3.0x4/", "http://1.2.3.4/"), ("http://0177.1/", "http://127.0.0.1/"),
        ("http://0/", "http://0.0.0.0/"), ("http://0x/", "http://0.0.0.0/"),
        ("http://\uff11.2.3.4/", "http://1.2.3.4/"), ("http://%31.2.3.4/", "http://1.2.3.4/"),
        ("http://4294967295/", "http://255.255.255.255/"), ("http://4294967296/", None),
        ("http://1.16777216/", None), ("http://256.1.1.1/", None), ("http://1.2.3.4.5/", None),
        ("http://08.1/", None), ("http://a.08/", None), ("http://a.1/", None),
        ("http://a.0x1/", None), ("http://1..2/", None), ("http://1.a/", "http://1.a/"),
        ("http://0xg/", "http://0xg/"),
        # IPv6
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"),
        ("http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"),
        ("http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"),
        ("http://[2001:DB8::A]/", "http://[2001:db8::a]/"), ("http://[::1.2.3]/", None),
        ("http://[::g]/", None), ("http://[::1/", None), ("http://::1]/", None),
        ("http://[]/", None), ("http://[::1]x/", None),
        # other schemes
        ("data:text/plain,x", "data:text/plain,x"), ("javascript:alert(1)", "javascript:alert(1)"),
        ("localhost:5000/x", "localhost:5000/x"), ("a+b-c.d:e", "a+b-c.d:e"),
    ],
)  # fmt: skip
def test_parse_url(text, expected):
    """A URL reads as ``new URL(text, "https://api.test/a/b?c")`` does, except for the fragment."""
    url = parse_url(text, BASE)
    assert (str(url) if url else None) == expected


def test_without_a_base():
    for text in ("", "x", "/x", "//api.test", "?q", "#f", "://x", "-a:b"):
        assert parse_url(text) is None
    for text in ("https://api.test/x", "http:api.test", "a:b"):
        assert parse_url(text) == parse_url(text, BASE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((f"https://{user}@api.test/", True) for user in ("user", "user:pw", ":pw", "a@b")),
        *((f"https://{user}@api.test/", False) for user in ("", ":")),
        *((f"https://api.test/{rest}", False) for rest in ("a@b", "?a@b")),
    ],
)
def test_userinfo(text, expected):
    """``userinfo`` is true if a URL has a user name or a password."""
    assert parse_url(text).userinfo is expected


@pytest.mark.parametrize(
    ("text", "scheme", "has_origin"),
    [
        *((f"{scheme}://a.test", scheme, True) for scheme in ("https", "http")),
        ("ws://a.test/x", "ws", False),
        ("wss://a.test", "wss", False),
        ("FILE:///etc", "file", False),
        ("blob:https://a.test/x", "blob", False),
        ("about:blank", "about", False),
    ],
)
def test_origins_are_those_of_http(text, scheme, has_origin):
    """Each URL has this scheme, and an origin only if it leads to a server."""
    url = parse_url(text)
    assert (url.scheme, url.origin is not None) == (scheme, has_origin)


SITES = {
    "https://a.example.com": ("https", "example.com"),
    "https://example.com:444": ("https", "example.com"),
    "http://example.com": ("http", "example.com"),
    "https://a.b.example.co.uk": ("https", "example.co.uk"),
    # A public suffix, and what stands on it: each is a site of its own.
    "https://co.uk": ("https", "co.uk"),
    "https://one.github.io": ("https", "one.github.io"),
    "https://two.github.io": ("https", "two.github.io"),
    "http://localhost:8000": ("http", "localhost"),
    "http://api.a.test": ("http", "a.test"),
    "http://192.0.2.1": ("http", "192.0.2.1"),
    "http://193.0.2.1": ("http", "193.0.2.1"),
    "http://[::1]:80": ("http", "[::1]"),
}


@pytest.mark.parametrize("text", SITES)
def test_site_of(text):
    """Each origin has this site, and is same-site with the origins that share it."""
    origin = parse_url(text).origin
    assert site_of(origin) == SITES[text]
    for other in SITES:
        assert is_same_site(origin, parse_url(other).origin) == (SITES[text] == SITES[other])


def test_an_opaque_origin_is_of_no_site():
    origin = parse_origin("https://a.test")
    assert not is_same_site(None, None)
    assert not is_same_site(None, origin)
    assert not is_same_site(origin, None)


LOCAL = ("localhost:8000", "a.localhost", "[::1]", "127.0.0.1", "127.9.9.9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.test", True),
        *((f"http://{host}", False) for host in ("a.test", "128.0.0.1")),
        *((f"http://{host}", True) for host in LOCAL),
    ],
)
def test_trustworthy(text, expected):
    """https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy"""
    assert is_trustworthy(parse_origin(text)) is expected
    assert not is_trustworthy(None)
