"""A policy in a few words."""

from __future__ import annotations

import functools
import json
import re

import pytest
from hypothesis import given, settings

from flask_corsguard import Policy
from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.explanation import fields_of, policy_summaries, policy_summary
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.policy import FIELDS
from tests.properties import strategies
from tests.properties.checks import policy_or_none

A, B, C, D = (f"https://{name}.example.com" for name in "abcd")


def allow(origin: str) -> bool:
    return True


class Allow:
    def __call__(self, origin: str) -> bool:
        return True


WORDS = [
    (None, "exempt"),
    (Policy(), "nobody"),
    (Policy(max_age=5, allow_headers="X-A", expose_headers="X-B"), "nobody"),
    (Policy(enforce="all"), "nobody; enforce=all"),
    (Policy(dangerously_let_views_override=True), "nobody; views may override"),
    (Policy(deny_origins=A), "nobody"),
    (Policy(origins="*"), "everyone (*)"),
    (Policy(origins="*", deny_origins=[A, B, C]), f"everyone (*) except {A}, {B} +1"),
    (Policy(origins=A), A),
    (Policy(origins=[A, "https://*.b.example"]), f"{A}, https://*.b.example"),
    (Policy(origins=[A, B, C, D]), f"{A}, {B} +2"),
    (Policy(origins="https://*.example.com", deny_origins=A), f"https://*.example.com except {A}"),
    (Policy(raw_origins=["app://.", "file://"]), "app://., file://"),
    (Policy(origins=A, raw_origins=["app://.", "file://"]), f"{A}, app://. +1"),
    (
        Policy(origins="*", deny_origins=B, raw_origins="app://."),
        f"everyone (*) except {B}, and app://.",
    ),
    (Policy(origins=re.compile(r"https://a\.example")), r"re.compile('https://a\\.example')"),
    (Policy(origins=re.compile("a\x1bé\n'")), r"""re.compile("a\\x1b\xe9\\n\x27")"""),
    (Policy(origins=allow), "allow"),
    (Policy(origins=functools.partial(allow)), "partial"),
    (Policy(origins=Allow()), "Allow"),
    (Policy(origins=A, allow_credentials=True), f"{A}; credentials"),
    (Policy(origins=A, methods="*"), f"{A}; any method"),
    (Policy(origins=A, methods=()), f"{A}; no preflighted method"),
    (Policy(origins=A, methods=["GET", "PUT"]), f"{A}; GET, PUT"),
    (Policy(origins=A, methods=[f"M{n}" for n in range(9)]), f"{A}; M0, M1, M2, M3, M4, M5, M6 +2"),
    (
        Policy(origins=A, allow_credentials=True, methods="PUT", enforce="unsafe"),
        f"{A}; credentials; PUT; enforce=unsafe",
    ),
    (Policy(origins=f"https://{'a' * 60}.example"), f"https://{'a' * 49}..."),
]


@pytest.mark.parametrize(("policy", "words"), WORDS, ids=[line[1] for line in WORDS])
def test_summary(policy: Policy | None, words: str) -> None:
    assert policy_summary(policy) == words


LISTS = {
    "names": (["own", ""], f"1 own: {A}; credentials; then 2: everyone (*)"),
    "odd names": (["a\n" + "b" * 90, ""], f"1 a\\n{'b' * 54}...: {A}; credentials; then 2: every"),
}


@pytest.mark.parametrize(("names", "words"), LISTS.values(), ids=LISTS)
def test_several(names: list[str], words: str) -> None:
    own = Policy(origins=A, allow_credentials=True)
    assert policy_summary(Audiences([own, Policy(origins="*")], names)).startswith(words)


def test_many() -> None:
    """The summary is bounded; each policy by itself is there whatever their number."""
    many = Audiences([Policy(origins=A, max_age=n) for n in range(100)], [""] * 100)
    assert policy_summary(many).endswith(f"; then 5: {A} and 95 more")
    assert policy_summaries(many)[99] == f"100: {A}"


@settings(max_examples=100, deadline=None)
@given(strategies.fields(strategies.PYTHON).map(policy_or_none))
def test_any_policy(policy: Policy | None) -> None:
    if policy is None:  # refused
        return
    words = policy_summary(policy)
    assert len(words) <= 600
    assert words.isascii()
    assert words.isprintable()
    assert policy_summary(policy.derive()) == words
    assert list(json.loads(json.dumps(fields_of(policy)))) == list(FIELDS)


def test_the_longest() -> None:
    longest = re.compile("\U0010ffff" * 1000)
    policy = Policy(
        origins=[longest, re.compile(f"{longest.pattern}x"), A],
        deny_origins=[longest, re.compile(f"{longest.pattern}x"), A],
        allow_credentials=True,
        methods=[f"M{n}{'M' * (MAX_METHOD_LENGTH - 3)}" for n in range(10, 100)],
        enforce="unsafe",
    )
    assert 500 < len(policy_summary(policy)) <= 600


def test_fields() -> None:
    policy = Policy(origins=[A, re.compile("b"), allow], methods="*", max_age=None)
    assert fields_of(policy) == {
        **fields_of(Policy()),
        "origins": [A, {"pattern": "b"}, {"callable": "allow"}],
        "methods": "*",
        "max_age": None,
    }
