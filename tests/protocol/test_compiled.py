"""What a policy is compiled to: the headers that it prepares, and whom it keeps out."""

from __future__ import annotations

import enum
import functools
import re
from typing import Any

import pytest

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.origins import OriginSet, parse_pattern
from flask_corsguard.protocol.policy import check_combination

A = "https://a.example.com"
B = "https://b.example.com"
ORIGIN = {"Vary": "Origin"}
SITE = {"Vary": "Origin, Sec-Fetch-Site"}
STAR = {"Access-Control-Allow-Origin": "*"}
ECHO = {"Access-Control-Allow-Origin": A}


# fields, whether anybody is refused, whether for a safe method, headers where allowed and refused
ENFORCING: list[tuple[dict[str, Any], bool, bool, dict[str, str], dict[str, str]]] = [
    ({"enforce": "off"}, False, False, {**ECHO, **ORIGIN}, ORIGIN),
    ({"enforce": "report"}, True, False, {**ECHO, **ORIGIN}, ORIGIN),
    ({"enforce": "unsafe"}, True, False, {**ECHO, **ORIGIN}, ORIGIN),
    ({"enforce": "all"}, True, True, {**ECHO, **SITE}, SITE),
    ({"enforce": "off", "origins": "*"}, False, False, STAR, {}),
    ({"enforce": "unsafe", "origins": "*"}, False, False, STAR, {}),
    ({"enforce": "all", "origins": "*"}, False, False, STAR, {}),
    ({"enforce": "all", "origins": "*", "deny_origins": B}, True, True, {**ECHO, **SITE}, SITE),
    ({"enforce": "off", "origins": "*", "deny_origins": B}, False, False, {**ECHO, **ORIGIN},
     ORIGIN),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "enforces", "safe", "allowed", "refused"), ENFORCING)
def test_whom_the_server_refuses(
    fields: dict[str, Any],
    enforces: bool,
    safe: bool,
    allowed: dict[str, str],
    refused: dict[str, str],
) -> None:
    policy = Policy(**{"origins": A, **fields})
    assert policy.compiled.enforces is enforces
    assert policy.compiled.enforces_safe is safe
    assert dict(decide(policy, CorsRequest(A, "GET")).headers) == allowed
    assert dict(policy.compiled.refused) == refused


def test_null_by_name_beside_origins_that_may_not() -> None:
    policy = Policy(origins=["null", A], deny_origins=B, dangerously_allow_null_origin=True)
    assert decide(policy, CorsRequest("null", "GET")).headers == {
        "Access-Control-Allow-Origin": "null",
        "Vary": "Origin",
    }


def test_only_the_scheme_is_put_right() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(origins="http://http:8080", allow_credentials=True)
    assert [p.suggestion for p in caught.value.problems] == ["'https://http:8080'"]


@pytest.mark.parametrize(
    ("origin", "codes"),
    [
        ("http://a.com", ["credentials_insecure_origin"]),
        ("ws://a.com", ["credentials_insecure_origin"]),
        ("https://a.com", []),
        ("wss://a.com", []),
        ("app://a.com", []),
        ("xhttp://a.com", []),
        ("news://a.com", []),
        ("https://aws:8443", []),
        ("https://http:8443", []),
        ("http://aws:8443", ["credentials_insecure_origin"]),
        ("http://localhost", []),
        ("http://a.localhost:1", []),
        ("http://*.localhost", []),
        ("http://127.0.0.1", []),
        ("http://[::1]", []),
        ("http://128.0.0.1", ["credentials_insecure_origin"]),
        ("http://notlocalhost", ["credentials_insecure_origin"]),
    ],
)
def test_which_schemes_are_safe_with_credentials(origin: str, codes: list[str]) -> None:
    try:
        problems = Policy(origins=origin, allow_credentials=True) and ()
    except PolicyError as error:
        problems = error.problems
    assert [problem.code for problem in problems] == codes


def test_checks_wait_for_what_is_known_further_out() -> None:
    assert check_combination({}) == []
    assert check_combination({"origins": "*"}) == []
    assert check_combination({"allow_credentials": True}) == []
    found = check_combination({"origins": "*", "allow_credentials": True})
    assert [problem.code for problem in found] == ["credentials_any_origin"]
    assert check_combination({"origins": "*", "allow_credentials": False}) == []


@pytest.mark.parametrize(
    "regex",
    [
        re.compile("x" * 300),
        re.compile("x" * 300, re.IGNORECASE),
        re.compile("x", re.IGNORECASE | re.VERBOSE),
        re.compile("x", re.ASCII),
    ],
)
def test_a_pattern_can_be_pasted_back(regex: re.Pattern[str]) -> None:
    policy = Policy(origins=regex)
    assert eval(repr(policy), {"Policy": Policy, "re": re}) == policy


def test_a_callable_without_a_name() -> None:
    check = functools.partial(str.startswith, A)
    assert repr(Policy(origins=check)) == f"Policy(origins=[{check!r}])"


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


def test_what_is_said_to_who_changes_a_policy() -> None:
    with pytest.raises(AttributeError, match=r"^a Policy cannot be changed$"):
        del Policy().values
    with pytest.raises(
        AttributeError, match=r"^a Policy cannot be changed; use derive\(x=\.\.\.\)$"
    ):
        Policy().x = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"allow_headers": "*"}, {"allow_headers": ()}),
        ({"allow_headers": "*, Authorization"}, {"allow_headers": "Authorization"}),
        ({"methods": "*"}, {"methods": None}),
        ({"methods": ()}, {"methods": None}),
        ({"expose_headers": "*"}, {"expose_headers": "X-A"}),
        ({"origins": "*"}, {"origins": "*", "deny_origins": A}),
        ({"origins": "*", "deny_origins": B}, {"origins": "*", "deny_origins": A}),
        ({"origins": [A, re.compile("x")]}, {"origins": [A, re.compile("y")]}),
        ({"origins": "https://*.a.com:1"}, {"origins": "https://*.a.com:2"}),
    ],
)
def test_policies_that_differ_in_one_thing(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert Policy(**one) != Policy(**other)


def test_exact_entries_stand_beside_parsed_ones() -> None:
    pattern = parse_pattern(A)
    assert pattern
    assert OriginSet([pattern], exact=[B, "null"]).exact == {A, B, "null"}


class Level(enum.StrEnum):
    ALL = "all"


def test_a_member_of_an_enum_is_the_word_that_it_stands_for() -> None:
    policy = Policy(enforce=Level.ALL)  # type: ignore[arg-type]
    assert type(policy.enforce) is str
    assert repr(policy) == "Policy(enforce='all')"
