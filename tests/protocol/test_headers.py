"""Tokens, and the list of announced header names."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.headers import (
    MAX_LIST_LENGTH,
    MAX_LIST_NAMES,
    is_forbidden_request_header,
    is_token,
    parse_announced_headers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET", True),
        ("X-Trace", True),
        ("!#$%&'*+-.^_`|~09az", True),
        ("", False),
        ("X Trace", False),
        ("X:Trace", False),
        ("X-Trace\n", False),
        ("X-Träce", False),
        ("a,b", False),
    ],
)
def test_token(text: str, expected: bool) -> None:
    assert is_token(text) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cookie", True),
        ("host", True),
        ("sec-fetch-site", True),
        ("proxy-authorization", True),
        ("access-control-request-method", True),
        ("authorization", False),
        ("x-secure", False),
        ("range", False),
    ],
)
def test_forbidden_request_header(name: str, expected: bool) -> None:
    assert is_forbidden_request_header(name) is expected


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
def test_announced_headers(value: str, names: tuple[str, ...] | None) -> None:
    assert parse_announced_headers(value) == names
