"""Media types: https://mimesniff.spec.whatwg.org/#parse-a-mime-type"""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.safelist import essence_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/Plain", "text/plain"),
        (" \t\r\ntext/plain\t ", "text/plain"),
        ("text/plain;charset=UTF-8", "text/plain"),
        ("text/plain ;charset=UTF-8", "text/plain"),
        ("text/plain;", "text/plain"),
        ("text/plain;/", "text/plain"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text /plain", None),
        ("text/ plain", None),
        ("text/plain x", None),
        ("text/plain,text/plain", None),
        ("text/plain/x", None),
        ("text/", None),
        ("/plain", None),
        ("text", None),
        ("", None),
        ("text;/plain", None),
        ("t(ext/plain", None),
        ("text/pl@in", None),
        ("texté/plain", None),
    ],
)
def test_essence(value: str, expected: str | None) -> None:
    assert essence_of(value) == expected
