"""Names under which anybody can register one."""

from __future__ import annotations

import re
import unittest.mock
from pathlib import Path

import pytest
from publicsuffixlist import PSLFILE

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol import publicsuffix
from flask_corsguard.protocol.publicsuffix import (
    is_listed_suffix,
    is_public_suffix,
    is_reserved_suffix,
    registrable_domain,
    suffix_below,
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


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("amazonaws.com", "s3.amazonaws.com"),
        ("xn--stfold-9xa.no", "xn--vler-qoa.xn--stfold-9xa.no"),  # v\xe5ler.\xf8stfold.no
        ("ck", "any.ck"),  # *.ck
        ("www.ck", None),  # !www.ck
        ("s3.amazonaws.com", None),
        ("example.com", None),
        ("test", None),
        ("", None),
    ],
)
def test_a_suffix_below(host: str, expected: str | None) -> None:
    assert suffix_below(host) == expected


LIST = """\
// a comment
//a.comment.example

example
co.example text b.co.example
*.WILD.example
!w.wild.example
long-name.other.example
a.b.other.example
\xe4.uml\xe4ut.example
"""


def test_the_rules_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://github.com/publicsuffix/list/wiki/Format"""
    path = tmp_path / "list.dat"
    path.write_text(LIST, "utf-8")
    monkeypatch.setattr("publicsuffixlist.PSLFILE", str(path))
    assert publicsuffix._suffixes_below.__wrapped__() == {
        "example": "co.example",
        "wild.example": "any.wild.example",
        "b.other.example": "a.b.other.example",
        "other.example": "long-name.other.example",
        "xn--umlut-ira.example": "xn--4ca.xn--umlut-ira.example",
    }


def parents_of_suffixes() -> set[str]:
    """The names above each rule of the list that are not public suffixes themselves."""
    with open(PSLFILE, encoding="utf-8") as lines:
        rules = [line.split()[0] for line in lines if line.strip() and line[:2] != "//"]
    names = [rule.encode("idna").decode("ascii").split(".") for rule in rules if rule[0] != "!"]
    above = {".".join(labels[start:]) for labels in names for start in range(1, len(labels))}
    return {name for name in above if not is_public_suffix(name)}


def test_every_name_above_a_suffix() -> None:
    """A wildcard there spans what other people own. What the message says to write doesn't."""
    parents = parents_of_suffixes()
    assert len(parents) > 300  # they become more with each edition of the list
    for name in parents:
        below = suffix_below(name)
        assert below is not None
        assert below.endswith(f".{name}")
        assert is_public_suffix(below)
    for fields, code in (
        ({"allow_credentials": True}, "credentials_public_suffix"),
        ({"enforce": "report"}, "enforce_public_suffix"),
    ):
        with pytest.raises(PolicyError) as caught:
            Policy(origins=[f"https://*.{name}" for name in parents], **fields)
        problems = caught.value.problems
        assert {(p.code, p.value) for p in problems} == {(code, f"https://*.{n}") for n in parents}
        advised = [re.findall("such as '(.*?)'", problem.message)[0] for problem in problems]
        assert Policy(origins=[*advised, *(f"https://{name}" for name in parents)], **fields)


@pytest.mark.parametrize("host", ["uk", "co.uk", "ck", "elb.amazonaws.com", "xn--p1ai"])
def test_what_to_write_for_a_suffix_itself(host: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=f"https://*.{host}", enforce="unsafe")
    (advised,) = re.findall("such as '(.*?)'", str(caught.value))
    assert Policy(origins=advised, enforce="unsafe")


def test_a_long_list_is_checked_in_one_go() -> None:
    """The list of suffixes is read once, not for each entry."""
    Policy(origins="https://*.example.com", allow_credentials=True)
    entries = [f"https://*.a{number}.example.com" for number in range(2000)]
    with unittest.mock.patch("builtins.open", side_effect=AssertionError):
        assert Policy(origins=entries, allow_credentials=True, enforce="all")
