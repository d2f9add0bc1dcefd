"""Tokens, and lists of header names."""

from __future__ import annotations

import pytest

from flask_corsguard import Problem
from flask_corsguard.protocol.fields import read_allow_headers, read_expose_headers
from flask_corsguard.protocol.headers import (
    FORBIDDEN_METHODS,
    KNOWN_METHODS,
    MAX_LIST_ELEMENTS,
    MAX_LIST_LENGTH,
    MAX_LIST_NAMES,
    MAX_METHOD_LENGTH,
    NORMALIZED_METHODS,
    SAFE_METHODS,
    SAFELISTED_METHODS,
    is_token,
    parse_requested_headers,
)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", ()),
        (" \t", ()),
        ("x-a", ("x-a",)),
        ("x-a,x-b", ("x-a", "x-b")),
        ("X-B, X-A", ("x-b", "x-a")),
        ("x-a ,\tx-b", ("x-a", "x-b")),
        ("x-a,,x-b,", ("x-a", "x-b")),
        (",".join(["x"] * MAX_LIST_NAMES), ("x",) * MAX_LIST_NAMES),
        ("x" * MAX_LIST_LENGTH, ("x" * MAX_LIST_LENGTH,)),
        (",".join(["x"] * (MAX_LIST_NAMES + 1)), None),
        ("x" + "," * (MAX_LIST_ELEMENTS - 1), ("x",)),
        ("x" + "," * MAX_LIST_ELEMENTS, None),
        ("x" * (MAX_LIST_LENGTH + 1), None),
        ("," * (MAX_LIST_LENGTH + 1), None),
        ("x a", None),
        ("x-a;x-b", None),
        ("x-a\nx-b", None),
        ("x-\u212a", None),  # the Kelvin sign, which lower() makes a plain k of
        ("x-\xe4", None),
        ("x\x0b", None),
        ('"x"', None),
    ],
)
def test_requested_headers(value: str, names: tuple[str, ...] | None) -> None:
    """A list is read as names in lower case, or as None if it is malformed or too long."""
    assert parse_requested_headers(value) == names


# Field names, and what is said of them in allow_headers and in expose_headers. The forbidden ones
# are those of https://fetch.spec.whatwg.org/#forbidden-request-header, every one.
IN_LISTS: list[tuple[str, str, str]] = [
    ("accept-charset accept-encoding connection content-length cookie2 date dnt expect keep-alive"
     " te trailer transfer-encoding upgrade via", "header_forbidden", ""),
    ("proxy-authenticate proxy-connection proxy- sec-ch-ua sec-fetch-site sec-", "header_forbidden",
     ""),
    ("cookie host origin proxy-authorization referer", "header_forbidden", ""),
    ("access-control-request-headers access-control-request-method", "header_forbidden",
     "header_is_request"),
    ("accept accept-language authorization if-match if-modified-since if-none-match if-range"
     " if-unmodified-since range user-agent x-http-method-override x-requested-with", "", ""),
    ("accept-ranges age allow content-range etag location retry-after server server-timing"
     " timing-allow-origin vary www-authenticate", "", ""),
    ("access-control-allow-credentials access-control-allow-headers access-control-allow-methods"
     " access-control-allow-origin access-control-expose-headers access-control-max-age",
     "header_is_response", "header_forbidden"),
    ("access-control-request-private-network", "header_is_response", "header_is_request"),
    ("set-cookie", "header_forbidden", "header_forbidden"),
    ("set-cookie2", "", "header_forbidden"),
    ("cache-control content-disposition content-encoding content-language content-type expires"
     " forwarded idempotency-key last-modified link pragma priority proxy refresh save-data sec"
     " secure strict-transport-security traceparent x-csrf-token x-forwarded-for x-request-id"
     " x-sec-x x-total-count", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("names", "allow", "expose"), IN_LISTS, ids=[r[0][:30] for r in IN_LISTS])
def test_which_list_a_name_belongs_in(names: str, allow: str, expose: str) -> None:
    """Each list refuses a name with this code, in whatever case it is written."""
    for name in names.split():
        for written in (name, name.upper(), name.title()):
            problems: list[Problem] = []
            read_allow_headers("allow_headers", written, problems)
            read_expose_headers("expose_headers", written, problems)
            assert [(p.field, p.code) for p in problems] == [
                (field, code)
                for field, code in (("allow_headers", allow), ("expose_headers", expose))
                if code
            ], name


def test_the_limits_on_what_is_read() -> None:
    assert (MAX_METHOD_LENGTH, MAX_LIST_LENGTH) == (40, 4096)
    assert (MAX_LIST_NAMES, MAX_LIST_ELEMENTS) == (128, 256)


def test_a_token_is_of_these_characters_alone() -> None:
    # https://www.rfc-editor.org/rfc/rfc9110#name-tokens
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = set(f"!#$%&'*+-.^_`|~0123456789{letters}{letters.upper()}")
    characters = [chr(code) for code in range(0x250)]
    assert {c for c in characters if is_token(c)} == tokens
    assert {c for c in characters if is_token(f"a{c}b")} == tokens
    assert {c for c in characters if is_token(f"a{c}")} == tokens
    assert not is_token("")
    # In a list, a comma and white space around a name mean something of their own.
    listed = {c for c in characters if parse_requested_headers(f"a,{c}") == ("a", c.lower())}
    assert listed == tokens
    assert {c for c in characters if parse_requested_headers(f"a{c}b")} == tokens | {","}
    assert {c for c in characters if parse_requested_headers(c) == ()} == {" ", "\t", ","}


# https://fetch.spec.whatwg.org/#methods, and RFC 9110 section 9.2.1 for those that are safe
METHODS = {
    "GET": "safelisted safe normalized",
    "HEAD": "safelisted safe normalized",
    "POST": "safelisted normalized",
    "OPTIONS": "safe normalized",
    "PUT": "normalized",
    "DELETE": "normalized",
    "PATCH": "known",
    "CONNECT": "forbidden",
    "TRACE": "forbidden",
    "TRACK": "forbidden",
}


def test_what_the_standard_says_of_methods() -> None:
    def called(word: str) -> set[str]:
        return {method for method, words in METHODS.items() if word in words.split()}

    assert called("safelisted") == SAFELISTED_METHODS
    assert called("safe") == SAFE_METHODS
    assert called("normalized") == NORMALIZED_METHODS
    assert called("normalized") | called("known") == KNOWN_METHODS
    assert called("forbidden") == FORBIDDEN_METHODS
