"""Names under which anybody can register one."""

from __future__ import annotations

import pytest

from flask_corsguard.protocol.publicsuffix import (
    is_listed_suffix,
    is_public_suffix,
    is_reserved_suffix,
    registrable_domain,
)


@pytest.mark.parametrize(
    ("host", "is_public", "is_listed", "is_reserved"),
    [
        ("com", True, True, False),
        ("co.uk", True, True, False),
        ("github.io", True, True, False),
        ("no-such-tld", True, False, False),
        ("example.com", False, False, False),
        ("localhost", False, False, True),
        ("internal", False, False, True),
        ("home.arpa", False, None, True),  # listed since 2024
    ],
)
def test_suffixes(host: str, is_public: bool, is_listed: bool | None, is_reserved: bool) -> None:
    """An unknown top-level domain counts as public; one that is never sold does not."""
    assert is_public_suffix(host) is is_public
    assert is_listed is None or is_listed_suffix(host) is is_listed
    assert is_reserved_suffix(host) is is_reserved


@pytest.mark.parametrize("host", ["example", "invalid", "local", "test"])
def test_other_names_that_are_never_sold(host: str) -> None:
    assert not is_public_suffix(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("shop.co.uk", "shop.co.uk"),
        ("a.me.github.io", "me.github.io"),
        ("api.a.test", "a.test"),
        ("com", None),
        ("github.io", None),
        ("localhost", None),
    ],
)
def test_registrable_domain(host: str, expected: str | None) -> None:
    """A registrable domain is the public suffix and one label more."""
    assert registrable_domain(host) == expected
