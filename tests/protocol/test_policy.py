"""Policies: which are made, which are equal, and what stays true of them."""

from __future__ import annotations

import datetime
import enum
import functools
import pickle
import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.policy import FIELDS, PolicyFields, fields_meant

A = "https://a.example.com"
B = "https://b.example.com"


def one(origin: str) -> bool:
    return origin == A


def two(origin: str, request: object) -> bool:
    return request is not None and origin == A


ACCEPTED: dict[str, dict[str, Any]] = {
    "everyone": {"origins": "*"},
    "everyone in a list": {"origins": ["*"]},
    "a string with commas": {"origins": f"{A}, {B}"},
    "a string with spaces": {"origins": f" {A} , {B} "},
    "a tuple of all kinds": {"origins": (A, re.compile("x"), one)},
    "a set": {"origins": {A, B}},
    "an iterator": {"origins": iter([A])},
    "null": {"origins": "null", "dangerously_allow_null_origin": True},
    "deny_origins": {"origins": "*", "deny_origins": [A, re.compile("y"), "https://*.evil.com"]},
    "http without credentials": {"origins": "http://a.com"},
    "a public suffix without credentials": {"origins": "https://*.co.uk"},
    "http with credentials": {
        "origins": "http://a.com",
        "allow_credentials": True,
        "dangerously_allow_insecure_origins": True,
    },
    "a public suffix with credentials": {
        "origins": "https://*.co.uk",
        "allow_credentials": True,
        "dangerously_allow_public_suffixes": True,
    },
    "names under a public suffix": {"origins": "https://*.example.co.uk", "enforce": "all"},
    "names above one without credentials": {"origins": "https://*.amazonaws.com"},
    "names above one with credentials": {
        "origins": "https://*.amazonaws.com",
        "allow_credentials": True,
        "dangerously_allow_public_suffixes": True,
    },
    "denying names above one": {
        "origins": A,
        "deny_origins": "https://*.amazonaws.com",
        "allow_credentials": True,
    },
    "names that are never sold": {"origins": "https://*.internal", "allow_credentials": True},
    "any method": {"methods": "*"},
    "methods of the route": {"methods": None},
    "no method": {"methods": ()},
    "no method in the environment": {"methods": "[]"},
    "methods": {"methods": "PUT, DELETE"},
    "odd methods": {"methods": ["PURGE", "M-SEARCH", "purge"]},
    "any header": {"allow_headers": "*"},
    "any header and Authorization": {"allow_headers": ["*", "Authorization"]},
    "no header": {"allow_headers": ()},
    "anything with credentials": {
        "allow_headers": "*",
        "methods": "*",
        "origins": A,
        "allow_credentials": True,
    },
    "expose everything": {"expose_headers": "*"},
    "expose some": {"expose_headers": "X-Total, ETag"},
    "no max_age": {"max_age": None},
    "a timedelta": {"max_age": datetime.timedelta(minutes=5)},
}


@pytest.mark.parametrize("fields", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(fields: dict[str, Any]) -> None:
    """A policy is made of these fields, and an equal one of the values that it then has."""
    policy = Policy(**fields)
    assert policy == Policy(**{name: getattr(policy, name) for name in FIELDS})


def test_the_longest_values() -> None:
    assert Policy(methods="M" * 40).methods == ("M" * 40,)
    assert [Policy(max_age=seconds).max_age for seconds in (0, 1, 86400)] == [0, 1, 86400]
    for seconds in (-1, 86401):
        with pytest.raises(PolicyError, match="is outside 0 to 86400 seconds"):
            Policy(max_age=seconds)


def test_fields_as_they_are_read() -> None:
    policy = Policy(
        origins=f"{A},{B}",
        methods="PUT",
        allow_headers="X-A, x-a, X-B",
        max_age=datetime.timedelta(minutes=1),
    )
    assert policy.origins == (A, B)
    assert policy.methods == ("PUT",)
    assert policy.allow_headers == ("X-A", "X-B")
    assert policy.expose_headers == ()
    assert policy.max_age == 60
    assert policy.allow_credentials is False
    assert Policy(methods="*").methods == "*"
    assert Policy(methods="*").methods != ("*",)
    # A method in other case is another method.
    assert Policy(methods=["PURGE", "purge", "PURGE"]).methods == ("PURGE", "purge")
    assert Policy(expose_headers=["x-a", "X-A"]).expose_headers == ("x-a",)


def test_each_string_of_a_list_can_be_a_list() -> None:
    entries = ["https://a.com, https://b.com", "https://c.com"]
    assert Policy(origins=entries).origins == ("https://a.com", "https://b.com", "https://c.com")
    assert Policy(methods=["PUT,DELETE", "PATCH"]).methods == ("PUT", "DELETE", "PATCH")


def test_a_list_that_was_read_is_not_read_again() -> None:
    policy = Policy(origins=["https://a.com", "https://b.com"])
    assert policy.derive(max_age=1).origins is policy.origins
    assert Policy(origins=policy.origins).origins is policy.origins


def test_defaults() -> None:
    policy = Policy()
    assert {name: getattr(policy, name) for name in FIELDS} == {
        "origins": (),
        "deny_origins": (),
        "methods": None,
        "allow_headers": ("Content-Type",),
        "expose_headers": (),
        "allow_credentials": False,
        "max_age": 600,
        "enforce": "off",
        "origins_vary": (),
        "raw_origins": (),
        "answer_preflight": True,
        "dangerously_let_views_override": False,
        "allow_private_network": False,
        "dangerously_allow_null_origin": False,
        "dangerously_allow_insecure_origins": False,
        "dangerously_allow_public_suffixes": False,
    }


def test_every_field_is_known_to_type_checkers() -> None:
    assert list(FIELDS) == list(PolicyFields.__annotations__)
    assert {name for name, value in vars(Policy).items() if type(value).__name__ == "Field"} == set(
        FIELDS
    )
    assert Policy.max_age.default == 600


Pairs = list[tuple[dict[str, Any], dict[str, Any]]]
EQUAL: Pairs = [
    ({"origins": [A, B]}, {"origins": [B, A, B]}),
    ({"origins": "*"}, {"origins": ["*"]}),
    ({"origins": re.compile("x")}, {"origins": [re.compile("x")]}),
    ({"max_age": 60}, {"max_age": datetime.timedelta(seconds=60)}),
    ({"origins": "*", "deny_origins": [A, B]}, {"origins": "*", "deny_origins": [B, A]}),
    ({"origins": A}, {"origins": A, "dangerously_allow_null_origin": True}),
    ({"origins": A}, {"origins": A, "dangerously_allow_insecure_origins": True}),
    ({"origins": A}, {"origins": A, "dangerously_allow_public_suffixes": True}),
]
DIFFERENT: Pairs = [
    ({}, {"origins": A}),
    ({"origins": A}, {"origins": B}),
    ({"origins": A}, {"origins": "*"}),
    ({"origins": "https://*.a.com"}, {"origins": "https://*.a.com:*"}),
    ({"origins": "https://*.a.com:1"}, {"origins": "https://*.a.com:2"}),
    ({"origins": "http://localhost"}, {"origins": "http://localhost:*"}),
    ({"origins": one}, {"origins": two}),
    ({"origins": re.compile("x")}, {"origins": re.compile("x", re.I)}),
    ({"origins": [A, re.compile("x")]}, {"origins": [A, re.compile("y")]}),
    ({}, {"deny_origins": A}),
    ({"origins": "*"}, {"origins": "*", "deny_origins": A}),
    ({"origins": "*", "deny_origins": B}, {"origins": "*", "deny_origins": A}),
    ({}, {"methods": ()}),
    ({}, {"methods": "*"}),
    ({"methods": "*"}, {"methods": "PUT"}),
    ({"methods": "PURGE"}, {"methods": "purge"}),
    ({}, {"allow_headers": ()}),
    ({"allow_headers": "*"}, {"allow_headers": ()}),
    ({"allow_headers": "*"}, {"allow_headers": ["*", "Authorization"]}),
    ({"allow_headers": "Authorization"}, {"allow_headers": ["*", "Authorization"]}),
    ({}, {"expose_headers": "*"}),
    ({"expose_headers": "*"}, {"expose_headers": "X-A"}),
    ({}, {"allow_credentials": True}),
    ({}, {"max_age": None}),
    ({}, {"enforce": "unsafe"}),
    ({"enforce": "unsafe"}, {"enforce": "all"}),
    ({"origins": one}, {"origins": one, "origins_vary": "X-A"}),
    ({"origins": one, "origins_vary": "X-A"}, {"origins": one, "origins_vary": "x-a"}),
    ({}, {"answer_preflight": False}),
    ({}, {"dangerously_let_views_override": True}),
    ({}, {"allow_private_network": True}),
    ({"origins": "*", "deny_origins": A},
     {"origins": "*", "deny_origins": A, "dangerously_allow_null_origin": True}),
]  # fmt: skip


@pytest.mark.parametrize(("one_way", "another"), EQUAL)
def test_equal_by_meaning(one_way: dict[str, Any], another: dict[str, Any]) -> None:
    """However a policy is written, it equals one that means the same."""
    assert Policy(**one_way) == Policy(**another)
    assert hash(Policy(**one_way)) == hash(Policy(**another))


@pytest.mark.parametrize(("one_way", "another"), DIFFERENT)
def test_different_by_meaning(one_way: dict[str, Any], another: dict[str, Any]) -> None:
    """Policies that differ in one thing are not equal."""
    assert Policy(**one_way) != Policy(**another)
    assert len({Policy(**one_way), Policy(**another)}) == 2


def test_a_policy_equals_nothing_else() -> None:
    assert Policy() != "Policy()"


def test_policies_that_differ_have_hashes_that_differ() -> None:
    assert len({hash(Policy(max_age=seconds)) for seconds in range(100)}) > 90
    for form in ("https://a{}.com", "https://*.a{}.com", "https://a{}.com:*"):
        entries = [form.format(number) for number in range(100)]
        # As long as each other, and longer each time.
        for lists in (entries, [entries[:length] for length in range(100)]):
            assert len({hash(Policy(origins=origins).origins.compiled) for origins in lists}) > 90
            assert len({hash(Policy(origins=origins)) for origins in lists}) > 90
    checks = [functools.partial(str.startswith, A) for _ in range(100)]
    assert len({hash(Policy(origins=check)) for check in checks}) > 90


REPR: list[tuple[Policy, str]] = [
    (Policy(), "Policy()"),
    (Policy(origins="*"), "Policy(origins='*')"),
    (Policy(origins=[A, re.compile("x")], methods=["PUT"], max_age=None),
     f"Policy(origins=['{A}', re.compile('x')], methods=['PUT'], max_age=None)"),
    (Policy(origins=re.compile("x" * 300, re.I)),
     f"Policy(origins=[re.compile('{'x' * 300}', re.IGNORECASE)])"),
    (Policy(origins=re.compile("x", re.I | re.X)),
     "Policy(origins=[re.compile('x', re.IGNORECASE|re.VERBOSE)])"),
    (Policy(origins=re.compile("x", re.A)), "Policy(origins=[re.compile('x', re.ASCII)])"),
    (Policy(origins=one), "Policy(origins=[one])"),
    (Policy(origins=one, origins_vary="X-A, X-B, x-a"),
     "Policy(origins=[one], origins_vary=['X-A', 'X-B'])"),
    (Policy(allow_headers="*", expose_headers="*", methods="*"),
     "Policy(methods='*', allow_headers='*', expose_headers='*')"),
    (Policy(methods=(), allow_headers=()), "Policy(methods=[], allow_headers=[])"),
    (Policy(origins=A, allow_credentials=True),
     f"Policy(origins=['{A}'], allow_credentials=True)"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "text"), REPR, ids=[row[1][:60] for row in REPR])
def test_repr_can_be_pasted_back(policy: Policy, text: str) -> None:
    """A repr holds only what is not the default, and can be pasted back."""
    assert repr(policy) == text
    assert eval(text, {"Policy": Policy, "re": re, "one": one}) == policy


def test_a_callable_without_a_name() -> None:
    check = functools.partial(str.startswith, A)
    assert repr(Policy(origins=check)) == "Policy(origins=[partial])"


class Level(enum.StrEnum):
    ALL = "all"


def test_a_member_of_an_enum_is_the_word_that_it_stands_for() -> None:
    policy = Policy(enforce=Level.ALL)  # type: ignore[arg-type]
    assert type(policy.enforce) is str
    assert repr(policy) == "Policy(enforce='all')"


def test_immutable() -> None:
    policy = Policy(origins=A)
    with pytest.raises(AttributeError, match=r"derive\(max_age=\.\.\.\)"):
        policy.max_age = 5  # type: ignore[misc, assignment]
    with pytest.raises(
        AttributeError, match=r"^a Policy cannot be changed; use derive\(x=\.\.\.\)$"
    ):
        policy.x = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        object.__setattr__(policy, "max_age", 5)
    with pytest.raises(AttributeError, match=r"^a Policy cannot be changed$"):
        del policy.values
    assert policy == Policy(origins=A)


def test_derive() -> None:
    policy = Policy(origins=A, max_age=60)
    derived = policy.derive(max_age=None, allow_credentials=True)
    assert derived == Policy(origins=A, max_age=None, allow_credentials=True)
    assert policy == Policy(origins=A, max_age=60)
    assert policy.derive() == policy
    with pytest.raises(PolicyError) as caught:
        Policy(origins="*").derive(allow_credentials=True)
    assert [problem.code for problem in caught.value.problems] == ["credentials_any_origin"]


def test_survives_pickling() -> None:
    policy = Policy(origins=[A, "https://*.b.com", re.compile("x")], methods="*", max_age=1)
    assert pickle.loads(pickle.dumps(policy)) == policy


# What was given without a name, and how it is written with one.
UNNAMED: dict[str, tuple[Any, str | None]] = {
    "an origin": (A, f"origins={A!r}"),
    "everybody": (" * ", "origins=' * '"),
    "origins": ([A, "*"], f"origins=['{A}', '*']"),
    "a tuple": ((A,), f"origins=('{A}',)"),
    "a set": ({A}, f"origins={{'{A}'}}"),
    "a frozenset": (frozenset({A}), f"origins=frozenset({{'{A}'}})"),
    "a pattern": (re.compile("x"), "origins=re.compile('x')"),
    "fields": ({"origins": A, "max_age": 5}, f"origins={A!r}, max_age=5"),
    "no fields": ({}, None),
    "names of another library": (
        {"origin": A, "credentials": True},
        f"origins={A!r}, allow_credentials=True",
    ),
    "other names": ({"origins": A, "path": "/"}, None),
    "a name": ("partners", None),
    "names": ([A, "partners"], None),
    "an empty list": ([], None),
    "a number": (5, None),
}


@pytest.mark.parametrize(("value", "meant"), UNNAMED.values(), ids=UNNAMED)
def test_fields_without_a_name(value: Any, meant: str | None) -> None:
    assert fields_meant(value) == meant
    with pytest.raises(PolicyError) as caught:
        Policy(value)
    (problem,) = caught.value.problems
    written = meant or "origins=['https://app.example.com']"
    assert problem[:4] == (
        "wrong_type",
        "policy",
        value,
        f"fields are given by name, not as {value!r}. Write Policy({written}).",
    )
