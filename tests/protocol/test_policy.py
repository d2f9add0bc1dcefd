"""Policies: what is refused, with which words, and what stays true of those that are made."""

from __future__ import annotations

import datetime
import functools
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import flask_corsguard.protocol
from flask_corsguard import Policy, PolicyError, Problem
from flask_corsguard.protocol.policy import FIELDS, PolicyFields
from flask_corsguard.protocol.publicsuffix import (
    is_listed_suffix,
    is_public_suffix,
    is_reserved_suffix,
    registrable_domain,
)
from tests.ids import stable_id

A = "https://a.example.com"
B = "https://b.example.com"


def one(origin: str) -> bool:
    return origin == A


def two(origin: str, request: object) -> bool:
    return request is not None and origin == A


async def asynchronous(origin: str) -> bool:
    return origin == A


class AsynchronousInstance:
    async def __call__(self, origin: str) -> bool:
        return origin == A


# fields, then (code, field, suggestion) of each problem
REFUSED: list[tuple[dict[str, Any], list[tuple[str, str, str | None]]]] = [
    ({"orgins": A}, [("unknown_field", "orgins", "origins")]),
    ({"supports_credentials": True},
     [("unknown_field", "supports_credentials", "allow_credentials")]),
    ({"zzz": A}, [("unknown_field", "zzz", None)]),
    ({"origins": "https://A.com/"}, [("origin_trailing_slash", "origins", "'https://a.com'"),
                                     ("origin_case", "origins", "'https://a.com'")]),
    ({"origins": ["*", A]}, [("wildcard_not_alone", "origins", "'*'")]),
    ({"origins": 5}, [("wrong_type", "origins", None)]),
    ({"origins": b"https://a.com"}, [("wrong_type", "origins", None)]),
    ({"origins": {A: True}}, [("wrong_type", "origins", None)]),
    ({"origins": None}, [("wrong_type", "origins", None)]),
    ({"origins": [5]}, [("origin_type", "origins", None)]),
    ({"origins": [re.compile(rb"x")]}, [("origin_type", "origins", None)]),
    ({"origins": ""}, [("origin_empty", "origins", None)]),
    ({"origins": [one, two]}, [("origin_type", "origins", None)]),
    ({"origins": asynchronous}, [("origin_callable", "origins", None)]),
    ({"origins": AsynchronousInstance()}, [("origin_callable", "origins", None)]),
    ({"origins": lambda: True}, [("origin_callable", "origins", None)]),
    ({"origins": lambda a, b, c: True}, [("origin_callable", "origins", None)]),
    ({"origins": lambda a, *, b: True}, [("origin_callable", "origins", None)]),
    ({"origins": "null"}, [("null_origin", "origins", None)]),
    ({"deny_origins": "*"}, [("origin_type", "deny_origins", None)]),
    ({"deny_origins": one}, [("origin_type", "deny_origins", None)]),
    ({"deny_origins": "a.com"}, [("origin_no_scheme", "deny_origins", "'https://a.com'")]),
    ({"methods": "get"}, [("method_case", "methods", "'GET'")]),
    ({"methods": "patch"}, [("method_case", "methods", "'PATCH'")]),
    ({"methods": "TRACE"}, [("method_forbidden", "methods", None)]),
    ({"methods": "connect"}, [("method_forbidden", "methods", None)]),
    ({"methods": "G ET"}, [("method_malformed", "methods", None)]),
    ({"methods": "M" * 41}, [("method_malformed", "methods", None)]),
    ({"methods": ["*", "PUT"]}, [("wildcard_not_alone", "methods", "'*'")]),
    ({"methods": [1]}, [("wrong_type", "methods", None)]),
    ({"allow_headers": "X Y"}, [("header_malformed", "allow_headers", None)]),
    ({"allow_headers": "Cookie"}, [("header_forbidden", "allow_headers", None)]),
    ({"allow_headers": "Sec-X"}, [("header_forbidden", "allow_headers", None)]),
    ({"allow_headers": "ETag"}, [("header_is_response", "allow_headers", None)]),
    ({"allow_headers": "Access-Control-Allow-Origin"},
     [("header_is_response", "allow_headers", None)]),
    ({"expose_headers": "X:Y"}, [("header_malformed", "expose_headers", None)]),
    ({"expose_headers": "Set-Cookie"}, [("header_forbidden", "expose_headers", None)]),
    ({"expose_headers": "Authorization"}, [("header_is_request", "expose_headers", None)]),
    ({"expose_headers": "Access-Control-Request-Method"},
     [("header_is_request", "expose_headers", None)]),
    ({"expose_headers": "Access-Control-Max-Age"}, [("header_forbidden", "expose_headers", None)]),
    ({"expose_headers": ["*", "X-A"]}, [("wildcard_not_alone", "expose_headers", "'*'")]),
    ({"allow_credentials": "true"}, [("bool_expected", "allow_credentials", "True")]),
    ({"allow_credentials": "No"}, [("bool_expected", "allow_credentials", "False")]),
    ({"allow_credentials": 1}, [("bool_expected", "allow_credentials", "True")]),
    ({"allow_credentials": "maybe"}, [("bool_expected", "allow_credentials", None)]),
    ({"allow_credentials": None}, [("bool_expected", "allow_credentials", None)]),
    ({"max_age": -1}, [("max_age_range", "max_age", "0")]),
    ({"max_age": 86401}, [("max_age_range", "max_age", "86400")]),
    ({"max_age": datetime.timedelta(days=2)}, [("max_age_range", "max_age", "86400")]),
    ({"max_age": "600"}, [("wrong_type", "max_age", "600")]),
    ({"max_age": 600.0}, [("wrong_type", "max_age", "600")]),
    ({"max_age": "ten"}, [("wrong_type", "max_age", None)]),
    ({"max_age": True}, [("wrong_type", "max_age", None)]),
    ({"max_age": datetime.timedelta(milliseconds=1500)}, [("wrong_type", "max_age", None)]),
    ({"enforce": "Unsafe"}, [("enforce_unknown", "enforce", "'unsafe'")]),
    ({"enforce": "repot"}, [("enforce_unknown", "enforce", "'report'")]),
    ({"enforce": "every"}, [("enforce_unknown", "enforce", None)]),
    ({"enforce": True}, [("enforce_unknown", "enforce", None)]),
    ({"enforce": None}, [("enforce_unknown", "enforce", None)]),
    ({"enforce": ["all"]}, [("enforce_unknown", "enforce", None)]),
    ({"origins": "*", "allow_credentials": True}, [("credentials_any_origin", "origins", None)]),
    ({"origins": "http://a.com", "allow_credentials": True},
     [("credentials_insecure_origin", "origins", "'https://a.com'")]),
    ({"origins": "http://*.a.com:8080", "allow_credentials": True},
     [("credentials_insecure_origin", "origins", "'https://*.a.com:8080'")]),
    ({"origins": "https://*.co.uk", "allow_credentials": True},
     [("credentials_public_suffix", "origins", None)]),
    ({"origins": "https://*.github.io", "allow_credentials": True},
     [("credentials_public_suffix", "origins", None)]),
    ({"origins": "https://*.github.io", "enforce": "unsafe"},
     [("enforce_public_suffix", "origins", None)]),
    ({"origins": "https://*.github.io", "enforce": "report"},
     [("enforce_public_suffix", "origins", None)]),
    ({"expose_headers": "*", "allow_credentials": True},
     [("expose_all_with_credentials", "expose_headers", None)]),
    ({"max_age": -1, "orgins": "*", "origins": "*", "allow_credentials": True},
     [("max_age_range", "max_age", "0"), ("unknown_field", "orgins", "origins"),
      ("credentials_any_origin", "origins", None)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "problems"), REFUSED, ids=[stable_id(row[0])[:60] for row in REFUSED]
)
def test_refused(fields: dict[str, Any], problems: list[tuple[str, str, str | None]]) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    assert [(p.code, p.field, p.suggestion) for p in caught.value.problems] == problems
    for problem in caught.value.problems:
        assert problem.code in str(caught.value)
        assert problem.message.endswith((".", "?"))
        if problem.suggestion:
            assert problem.suggestion.strip("'") in problem.message


@pytest.mark.parametrize(
    "fields",
    [
        {"origins": "*"},
        {"origins": ["*"]},
        {"origins": f"{A}, {B}"},
        {"origins": f" {A} ,, "},
        {"origins": (A, re.compile("x"), one)},
        {"origins": {A, B}},
        {"origins": iter([A])},
        {"origins": re.compile("x")},
        {"origins": one},
        {"origins": two},
        {"origins": functools.partial(two, request=1)},
        {"origins": {A}.__contains__},
        {"origins": dict.fromkeys([A]).get},
        {"origins": "null", "dangerously_allow_null_origin": True},
        {"origins": "*", "deny_origins": [A, re.compile("y"), "https://*.evil.com"]},
        {"origins": "http://a.com"},
        {"origins": "https://*.co.uk"},
        {"origins": ["http://localhost:*", "http://127.0.0.1", "http://[::1]:1"],
         "allow_credentials": True},
        {"origins": "https://*.example.co.uk", "allow_credentials": True},
        {"origins": "https://*.internal", "allow_credentials": True},
        {"origins": "http://a.com", "allow_credentials": True,
         "dangerously_allow_insecure_origins": True},
        {"origins": "https://*.co.uk", "allow_credentials": True,
         "dangerously_allow_public_suffixes": True},
        {"origins": "capacitor://localhost", "allow_credentials": True},
        {"methods": "*"}, {"methods": None}, {"methods": ()}, {"methods": ""},
        {"methods": "PUT, DELETE"}, {"methods": ["PURGE", "M-SEARCH", "purge"]},
        {"allow_headers": "*"}, {"allow_headers": ["*", "Authorization"]}, {"allow_headers": ()},
        {"allow_headers": "*", "methods": "*", "origins": A, "allow_credentials": True},
        {"expose_headers": "*"}, {"expose_headers": "X-Total, ETag"},
        {"max_age": 0}, {"max_age": 86400}, {"max_age": None},
        {"max_age": datetime.timedelta(minutes=5)},
    ],
    ids=stable_id,
)  # fmt: skip
def test_accepted(fields: dict[str, Any]) -> None:
    policy = Policy(**fields)
    assert policy == Policy(**{name: getattr(policy, name) for name in FIELDS})


def test_all_problems_at_once_in_one_text() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins=["https://A.com", "b.com"], max_age=-1)
    assert str(caught.value) == (
        "3 problems:\n"
        "  - origins: 'https://A.com': browsers send origins in lower case, so this would never"
        " match. Write 'https://a.com'. [origin_case]\n"
        "  - origins: 'b.com': an origin starts with its scheme, such as https://."
        " Write 'https://b.com'. [origin_no_scheme]\n"
        "  - max_age: -1 is outside 0 to 86400 seconds. Write 0. [max_age_range]"
    )
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    assert isinstance(caught.value, ValueError)


def test_a_problem_says_where() -> None:
    problem = Problem("code", "origins", "x", "is wrong.", None, "view a")
    assert str(problem) == "view a: origins: is wrong. [code]"


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
        "answer_preflight": True,
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


EQUAL = [
    ({"origins": [A, B]}, {"origins": [B, A, B]}),
    ({"origins": "*"}, {"origins": ["*"]}),
    ({"origins": re.compile("x")}, {"origins": [re.compile("x")]}),
    ({"methods": ["PUT", "DELETE"]}, {"methods": "DELETE,PUT"}),
    ({"allow_headers": "X-A"}, {"allow_headers": ["x-a"]}),
    ({"expose_headers": "X-A"}, {"expose_headers": ["x-a"]}),
    ({"max_age": 60}, {"max_age": datetime.timedelta(seconds=60)}),
    ({"origins": A}, {"origins": A, "dangerously_allow_null_origin": True}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"origins": A}),
    ({"origins": A}, {"origins": B}),
    ({"origins": A}, {"origins": "*"}),
    ({"origins": "https://*.a.com"}, {"origins": "https://*.a.com:*"}),
    ({"origins": "http://localhost"}, {"origins": "http://localhost:*"}),
    ({"origins": one}, {"origins": two}),
    ({"origins": re.compile("x")}, {"origins": re.compile("x", re.I)}),
    ({}, {"deny_origins": A}),
    ({}, {"methods": ()}),
    ({"methods": "*"}, {"methods": "PUT"}),
    ({"methods": "PURGE"}, {"methods": "purge"}),
    ({}, {"allow_headers": ()}),
    ({"allow_headers": "*"}, {"allow_headers": ["*", "Authorization"]}),
    ({}, {"expose_headers": "*"}),
    ({}, {"allow_credentials": True}),
    ({}, {"max_age": None}),
    ({}, {"enforce": "unsafe"}),
    ({"enforce": "unsafe"}, {"enforce": "all"}),
    ({}, {"answer_preflight": False}),
    ({}, {"allow_private_network": True}),
    ({"origins": "*", "deny_origins": A},
     {"origins": "*", "deny_origins": A, "dangerously_allow_null_origin": True}),
]  # fmt: skip


@pytest.mark.parametrize(("one_way", "another"), EQUAL)
def test_equal_by_meaning(one_way: dict[str, Any], another: dict[str, Any]) -> None:
    assert Policy(**one_way) == Policy(**another)
    assert hash(Policy(**one_way)) == hash(Policy(**another))


@pytest.mark.parametrize(("one_way", "another"), DIFFERENT)
def test_different_by_meaning(one_way: dict[str, Any], another: dict[str, Any]) -> None:
    assert Policy(**one_way) != Policy(**another)
    assert len({Policy(**one_way), Policy(**another)}) == 2


def test_a_policy_equals_nothing_else() -> None:
    assert Policy() != "Policy()"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (Policy(), "Policy()"),
        (Policy(origins="*"), "Policy(origins='*')"),
        (
            Policy(origins=[A, re.compile("x")], methods=["PUT"], max_age=None),
            f"Policy(origins=['{A}', re.compile('x')], methods=['PUT'], max_age=None)",
        ),
        (Policy(origins=one), "Policy(origins=[one])"),
        (
            Policy(allow_headers="*", expose_headers="*", methods="*"),
            "Policy(methods='*', allow_headers='*', expose_headers='*')",
        ),
        (Policy(methods=(), allow_headers=()), "Policy(methods=[], allow_headers=[])"),
        (
            Policy(origins=A, allow_credentials=True),
            f"Policy(origins=['{A}'], allow_credentials=True)",
        ),
    ],
)
def test_repr_can_be_pasted_back(policy: Policy, text: str) -> None:
    assert repr(policy) == text
    assert eval(text, {"Policy": Policy, "re": re, "one": one}) == policy


def test_immutable() -> None:
    policy = Policy(origins=A)
    with pytest.raises(AttributeError, match=r"derive\(max_age=\.\.\.\)"):
        policy.max_age = 5  # type: ignore[misc, assignment]
    with pytest.raises(AttributeError, match="cannot be changed"):
        policy.values = {}  # type: ignore[misc, assignment]
    with pytest.raises(AttributeError):
        object.__setattr__(policy, "max_age", 5)
    with pytest.raises(AttributeError, match="cannot be changed"):
        del policy.compiled
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
    assert is_public_suffix(host) is is_public
    assert is_listed is None or is_listed_suffix(host) is is_listed
    assert is_reserved_suffix(host) is is_reserved


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
    assert registrable_domain(host) == expected


def test_the_protocol_imports_no_framework() -> None:
    folder = Path(flask_corsguard.protocol.__file__).parent
    allowed = r"flask_corsguard\.(errors|text|protocol)|publicsuffixlist"
    for module in folder.glob("*.py"):
        for line in module.read_text("utf-8").splitlines():
            found = re.match(r"\s*(?:from|import) ([\w.]+)", line)
            if found and not re.match(allowed, found[1]):
                assert found[1].partition(".")[0] in STANDARD, f"{module.name}: {line}"


STANDARD: set[str] = {
    "__future__", "collections", "datetime", "enum", "functools", "inspect", "ipaddress",
    "itertools", "re",
    "types", "typing", "unicodedata",
}  # fmt: skip
