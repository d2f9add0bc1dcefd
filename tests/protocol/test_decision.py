"""The decision: whole header sets, the order of the checks, and what is kept of a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from flask_corsguard import Decision, Outcome, Policy, Reason
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Scope,
    decide,
    decide_unlisted,
)
from flask_corsguard.protocol.headers import MAX_LIST_LENGTH, MAX_METHOD_LENGTH, PREFLIGHT_VARY

A = "https://a.example.com"
B = "https://b.example.com"
EVIL = "https://evil.com"
LONG = "x" * 60_000
ACAO = "Access-Control-Allow-Origin"
ACAC = "Access-Control-Allow-Credentials"
ACAM = "Access-Control-Allow-Methods"
ACAH = "Access-Control-Allow-Headers"
ACEH = "Access-Control-Expose-Headers"
ACMA = "Access-Control-Max-Age"
ACPN = "Access-Control-Allow-Private-Network"
ECHO = {ACAO: A, "Vary": "Origin"}
NULL = {ACAO: "null", "Vary": "Origin"}
STAR = {ACAO: "*"}
REFUSED = {"Vary": "Origin"}
SITE = {"Vary": "Origin, Sec-Fetch-Site"}


def raises(origin: str) -> bool:
    raise LookupError(origin)


def needs_request(origin: str, request: object) -> bool:
    return request == "the request" and origin == A


NULL_TOO = {"dangerously_allow_null_origin": True}
BUT_EVIL = {"origins": "*", "deny_origins": EVIL}

# Ordinary requests

# policy, Origin, reason or None, headers
Row = tuple[dict[str, Any], str, Reason | None, dict[str, str]]
ACTUAL: dict[str, Row] = {
    "listed": ({"origins": A}, A, None, ECHO),
    "not listed": ({"origins": A}, EVIL, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    "nobody listed": ({}, A, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    "null": ({"origins": A}, "null", Reason.ORIGIN_NULL, REFUSED),
    "a slash": ({"origins": A}, f"{A}/", Reason.ORIGIN_MALFORMED, REFUSED),
    "empty": ({"origins": A}, "", Reason.ORIGIN_MALFORMED, REFUSED),
    "long": ({"origins": A}, LONG, Reason.ORIGIN_MALFORMED, REFUSED),
    "wildcard": ({"origins": "https://*.example.com"}, A, None, ECHO),
    "regex": ({"origins": re.compile(r"https://[a-z]\.example\.com")}, A, None, ECHO),
    "regex, in part": ({"origins": re.compile(r"https://[a-z]\.example")}, A,
                       Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    "callable": ({"origins": lambda origin: origin == A}, A, None, ECHO),
    "callable, False": ({"origins": lambda origin: origin == A}, EVIL, Reason.ORIGIN_NOT_ALLOWED,
                        REFUSED),
    "callable, request": ({"origins": needs_request}, A, None, ECHO),
    "callable, 1": ({"origins": lambda origin: 1}, A, Reason.ORIGIN_CHECK_FAILED, REFUSED),
    "callable, raises": ({"origins": raises}, A, Reason.ORIGIN_CHECK_FAILED, REFUSED),
    "callable, null": ({"origins": raises}, "null", Reason.ORIGIN_NULL, REFUSED),
    "callable, malformed": ({"origins": raises}, "malformed", Reason.ORIGIN_MALFORMED, REFUSED),
    "null listed": ({"origins": "null", **NULL_TOO}, "null", None, NULL),
    "null listed, others denied": ({"origins": ["null", A], "deny_origins": B, **NULL_TOO}, "null",
                                   None, NULL),
    "null not listed": ({"origins": A, **NULL_TOO}, "null", Reason.ORIGIN_NULL, REFUSED),
    "*": ({"origins": "*"}, A, None, STAR),
    "*, null": ({"origins": "*"}, "null", None, STAR),
    "*, long": ({"origins": "*"}, LONG, None, STAR),
    "*, everything exposed": ({"origins": "*", "expose_headers": "*"}, A, None,
                              {**STAR, ACEH: "*"}),
    "* but one": (BUT_EVIL, A, None, ECHO),
    "* but one, that one": (BUT_EVIL, EVIL, Reason.ORIGIN_DENIED, REFUSED),
    "* but some, one of them": ({"origins": "*", "deny_origins": "https://*.com"}, A,
                                Reason.ORIGIN_DENIED, REFUSED),
    "* but one, null": (BUT_EVIL, "null", Reason.ORIGIN_NULL, REFUSED),
    "* but one, null too": ({**BUT_EVIL, **NULL_TOO}, "null", None, NULL),
    "* but null": ({"origins": "*", "deny_origins": "null", **NULL_TOO}, "null",
                   Reason.ORIGIN_DENIED, REFUSED),
    "* but one, malformed": (BUT_EVIL, "x", Reason.ORIGIN_MALFORMED, REFUSED),
    "denied by a regex": ({"origins": [A, EVIL], "deny_origins": re.compile(".*evil.*")}, EVIL,
                          Reason.ORIGIN_DENIED, REFUSED),
    "another one denied": ({"origins": [A, EVIL], "deny_origins": EVIL}, A, None, ECHO),
    "credentials": ({"origins": A, "allow_credentials": True, "expose_headers": ["X-B", "X-A"]}, A,
                    None, {**ECHO, ACAC: "true", ACEH: "X-B, X-A"}),
    "credentials, not listed": ({"origins": A, "allow_credentials": True, "expose_headers": "X-A"},
                                EVIL, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    "enforce all": ({"origins": A, "enforce": "all"}, A, None, {**ECHO, **SITE}),
    "enforce all, not listed": ({"origins": A, "enforce": "all"}, EVIL, Reason.ORIGIN_NOT_ALLOWED,
                                SITE),
    "enforce unsafe": ({"origins": A, "enforce": "unsafe"}, A, None, ECHO),
    "enforce report": ({"origins": A, "enforce": "report"}, EVIL, Reason.ORIGIN_NOT_ALLOWED,
                       REFUSED),
    "enforce unsafe, *": ({"origins": "*", "enforce": "unsafe"}, EVIL, None, STAR),
    "enforce unsafe, * but one": ({**BUT_EVIL, "enforce": "unsafe"}, A, None, ECHO),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "origin", "reason", "headers"), ACTUAL.values(), ids=ACTUAL)
def test_ordinary_requests(
    fields: dict[str, Any], origin: str, reason: Reason | None, headers: dict[str, str]
) -> None:
    """The whole decision is as in the table, with these headers alone."""
    policy = Policy(**fields)
    decision = decide(policy, CorsRequest(origin, "PUT", "/x", context="the request"))
    assert dict(decision.headers) == headers
    assert decision == Decision(
        outcome=Outcome.REJECTED if reason else Outcome.ALLOWED,
        reason=reason,
        origin=origin[:320],
        method="PUT",
        request_headers=(),
        preflight=False,
        endpoint=None,
        policy=policy,
        policy_source="default",
        path="/x" if reason else "",
        headers=decision.headers,
        detail=decision.detail,
        policies=(policy,),
    )
    assert bool(decision.detail) is (reason is Reason.ORIGIN_CHECK_FAILED)


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, REFUSED),
        ({"origins": A, "allow_credentials": True, "expose_headers": "X-A"}, REFUSED),
        (BUT_EVIL, REFUSED),
        ({"origins": "*"}, STAR),
        ({"origins": "*", "expose_headers": "X-A"}, {**STAR, ACEH: "X-A"}),
        ({"origins": A, "enforce": "all"}, SITE),
    ],
    ids=["nobody", "credentials", "* but one", "*", "*, one exposed", "enforce all"],
)
def test_requests_without_origin(fields: dict[str, Any], headers: dict[str, str]) -> None:
    """Only their method is read; ``Vary`` tells a cache what the response depends on."""
    policy = Policy(**fields)
    scope = Scope("e", "view e", "app.py:1", frozenset({"GET"}))
    decision = decide(policy, CorsRequest(None, "PUT", "/x", True, "x-a", True), scope)
    assert decision == Decision(
        outcome=Outcome.NOT_CORS,
        reason=None,
        origin=None,
        method="PUT",
        request_headers=(),
        preflight=False,
        endpoint="e",
        policy=policy,
        policy_source="view e",
        policy_location="app.py:1",
        route_methods=frozenset({"GET"}),
        headers=headers,
        policies=(policy,),
    )


def test_exempt() -> None:
    scope = Scope("e", "view e", "app.py:1", frozenset({"GET"}))
    assert decide(None, CorsRequest(A, "PUT", "/x", True, "x-a"), scope) == Decision(
        outcome=Outcome.EXEMPT,
        reason=None,
        origin=A,
        method="PUT",
        request_headers=(),
        preflight=True,
        endpoint="e",
        policy=None,
        policy_source="view e",
        policy_location="app.py:1",
        route_methods=frozenset({"GET"}),
    )


OVERRIDE = {"origins": A, "dangerously_let_views_override": True}
# policy fields, what else the decision has, and whether headers of a view's own would stand
STANDING: dict[str, tuple[dict[str, Any], CorsRequest, dict[str, Any], bool]] = {
    "allowed": (OVERRIDE, CorsRequest(A, "GET"), {}, True),
    "rejected": (OVERRIDE, CorsRequest(EVIL, "GET"), {}, True),
    "no Origin": (OVERRIDE, CorsRequest(None, "GET"), {}, True),
    "another policy": ({"origins": A}, CorsRequest(A, "GET"), {}, False),
    "a refused request": (OVERRIDE, CorsRequest(EVIL, "POST"), {"blocked": True}, False),
    "a preflight": (OVERRIDE, CorsRequest(A, "GET", preflight=True), {}, False),
    "a rejected preflight": (OVERRIDE, CorsRequest(EVIL, "GET", preflight=True), {}, False),
    "of an own page": (
        OVERRIDE, CorsRequest(A, "GET", preflight=True), {"outcome": Outcome.SAME_ORIGIN}, True
    ),
    "that the app answers": (
        {**OVERRIDE, "answer_preflight": False}, CorsRequest(A, "GET", preflight=True), {}, True
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "request_", "changes", "may"), STANDING.values(), ids=STANDING)
def test_where_headers_of_the_views_own_stand(
    fields: dict[str, Any], request_: CorsRequest, changes: dict[str, Any], may: bool
) -> None:
    decision = decide(Policy(**fields), request_)._replace(**changes)
    assert decision.may_be_overridden is may
    for has_own in (True, False):
        settled = decision.settled(has_own)
        assert (settled is decision) is not may
        assert settled.overridden is (has_own if may else None)
        assert not settled.may_be_overridden
        is_claim = decision.outcome in (Outcome.ALLOWED, Outcome.REJECTED)
        if may and has_own:
            expected = Outcome.EXEMPT if is_claim else decision.outcome
            assert (settled.outcome, settled.reason, settled.path) == (expected, None, "")
            assert settled.headers == {"Vary": decision.headers["Vary"]}
            assert settled.policies == decision.policies
        else:
            assert settled == decision._replace(overridden=settled.overridden)


def test_an_exempt_route_has_no_policy_to_override() -> None:
    assert not decide(None, CorsRequest(A, "GET")).may_be_overridden


@pytest.mark.parametrize("origin", [A, None])
def test_caches_where_a_view_may_say_something_else(origin: str | None) -> None:
    """What everybody may read is no longer the same for all."""
    fields = {"origins": "*", "dangerously_let_views_override": True}
    headers = {**STAR, "Vary": "Origin"}
    assert decide(Policy(**fields), CorsRequest(origin, "GET")).headers == headers


# fields, whether anybody is refused, whether for a safe method
ENFORCING: list[tuple[dict[str, Any], bool, bool]] = [
    ({"enforce": "off"}, False, False),
    ({"enforce": "report"}, True, False),
    ({"enforce": "unsafe"}, True, False),
    ({"enforce": "all"}, True, True),
    ({"enforce": "unsafe", "origins": "*"}, True, False),
    ({"enforce": "report", **BUT_EVIL}, True, False),
    ({"enforce": "off", **BUT_EVIL}, False, False),
]


@pytest.mark.parametrize(("fields", "enforces", "safe"), ENFORCING)
def test_whom_the_server_refuses(fields: dict[str, Any], enforces: bool, safe: bool) -> None:
    """Each ``enforce`` refuses what it says, with ``*`` too."""
    compiled = Policy(**{"origins": A, **fields}).compiled
    assert (compiled.enforces, compiled.enforces_safe) == (enforces, safe)


def test_what_else_is_looked_up() -> None:
    for value in (True, False):
        compiled = Policy(answer_preflight=value, allow_private_network=value).compiled
        assert (compiled.answers_preflight, compiled.private_network) == (value, value)
    assert Policy(origins=A).compiled.listed == {A}
    assert Policy(origins=A, deny_origins=EVIL).compiled.listed == frozenset()


# Preflights

ROUTE = Scope(methods=frozenset({"GET", "PUT"}), allow_methods=("GET, PUT",))
NAMELESS = {ACAO: A, ACAM: "GET, PUT", ACMA: "600", "Vary": PREFLIGHT_VARY}
GRANTED = {**NAMELESS, ACAH: "Content-Type"}
ANY_WITH_CREDENTIALS = {"allow_headers": "*", "allow_credentials": True}
NO_METHOD, MALFORMED = Reason.METHOD_NOT_ALLOWED, Reason.HEADERS_MALFORMED
NO_HEADER = Reason.HEADERS_NOT_ALLOWED

READ_ONLY = {"origins": "*", "enforce": "unsafe"}
STRANGER = Reason.CROSS_SITE_REQUEST
# policy, requested method, requested headers, reason or headers
PREFLIGHTS: list[tuple[dict[str, Any], str, str | None, Reason | dict[str, str]]] = [
    ({}, "PUT", None, GRANTED),
    ({}, "GET", "", GRANTED),
    ({}, "POST", None, GRANTED),
    ({}, "DELETE", None, NO_METHOD),
    ({}, "put", None, NO_METHOD),
    ({}, "", None, NO_METHOD),
    ({"methods": "*"}, "", None, NO_METHOD),
    ({"methods": "*"}, "P T", None, NO_METHOD),
    ({"methods": "*"}, "TRACE", None, NO_METHOD),
    ({"methods": "*"}, "connect", None, NO_METHOD),
    ({"methods": "*"}, "X" * (MAX_METHOD_LENGTH + 1), None, NO_METHOD),
    ({"methods": "*"}, "X" * MAX_METHOD_LENGTH, None, GRANTED),
    ({}, "PUT", "content-type", GRANTED),
    ({}, "PUT", "CONTENT-TYPE", GRANTED),
    ({}, "PUT", " content-type ,\t,", GRANTED),
    ({}, "PUT", "X-Trace", NO_HEADER),
    ({}, "PUT", "content-type,x-trace", NO_HEADER),
    ({}, "PUT", "x a", MALFORMED),
    ({}, "PUT", "x" * (MAX_LIST_LENGTH + 1), MALFORMED),
    ({}, "PUT", LONG, MALFORMED),
    ({"allow_headers": ("X-Trace", "X-B")}, "PUT", "x-b , X-TRACE",
     {**GRANTED, ACAH: "X-Trace, X-B"}),
    ({"allow_headers": ()}, "PUT", "content-type", NO_HEADER),
    ({"allow_headers": "*"}, "PUT", "x-a,x-b", {**GRANTED, ACAH: "*"}),
    ({"allow_headers": "*"}, "PUT", "authorization", NO_HEADER),
    ({"allow_headers": "*, Authorization"}, "PUT", "x-a, authorization",
     {**GRANTED, ACAH: "*, Authorization"}),
    (ANY_WITH_CREDENTIALS, "PUT", "x-b, X-A", {**GRANTED, ACAC: "true", ACAH: "x-b, x-a"}),
    (ANY_WITH_CREDENTIALS, "PUT", None, {**NAMELESS, ACAC: "true"}),
    (ANY_WITH_CREDENTIALS, "PUT", " , ", {**NAMELESS, ACAC: "true"}),
    (ANY_WITH_CREDENTIALS, "PUT", "authorization", NO_HEADER),
    ({"max_age": 0}, "PUT", None, {**GRANTED, ACMA: "0"}),
    ({"expose_headers": "X-A"}, "PUT", None, GRANTED),
    ({"origins": "*"}, "PUT", "content-type", {**GRANTED, ACAO: "*"}),
    ({"origins": "*"}, "PUT", "x-a", NO_HEADER),
    ({"origins": EVIL}, "DELETE", "x a", Reason.ORIGIN_NOT_ALLOWED),
    ({"origins": "*", "enforce": "report"}, "PUT", None, {**GRANTED, ACAO: "*"}),
    (READ_ONLY, "GET", None, {**GRANTED, ACAO: "*"}),
    (READ_ONLY, "OPTIONS", None, NO_METHOD),
    (READ_ONLY, "POST", None, STRANGER),
    (READ_ONLY, "PUT", None, STRANGER),
    (READ_ONLY, "DELETE", "x a", STRANGER),
    ({**READ_ONLY, "methods": "*"}, "PURGE", None, STRANGER),
    ({**READ_ONLY, "deny_origins": B}, "GET", None, GRANTED),
    ({**READ_ONLY, "deny_origins": B}, "PUT", None, STRANGER),
    ({**READ_ONLY, "deny_origins": A}, "PUT", None, Reason.ORIGIN_DENIED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "method", "requested", "expected"),
    PREFLIGHTS,
    ids=[" ".join(map(str, row[:3]))[:60] for row in PREFLIGHTS],
)
def test_preflights(
    fields: dict[str, Any], method: str, requested: str | None, expected: Reason | dict[str, str]
) -> None:
    """Each preflight is allowed with these headers alone, or refused for one reason."""
    policy = Policy(**{"origins": A, **fields})
    decision = decide(policy, CorsRequest(A, method, "/x", True, requested), ROUTE)
    assert decision.preflight
    if isinstance(expected, Reason):
        assert (decision.outcome, decision.reason) == (Outcome.REJECTED, expected)
        assert dict(decision.headers) == {"Vary": PREFLIGHT_VARY}
    else:
        assert (decision.outcome, decision.reason) == (Outcome.ALLOWED, None)
        assert dict(decision.headers) == expected


def test_no_header_is_written_empty() -> None:
    policy = Policy(origins=A, methods=(), allow_headers=(), max_age=None)
    scope = Scope(methods=frozenset({"GET"}), allow_methods=("",))
    decision = decide(policy, CorsRequest(A, "GET", preflight=True), scope)
    assert dict(decision.headers) == {ACAO: A, "Vary": PREFLIGHT_VARY}


@pytest.mark.parametrize(
    ("fields", "asks", "reason"),
    [
        ({}, False, None),
        ({}, True, Reason.PRIVATE_NETWORK_NOT_ALLOWED),
        ({"allow_private_network": True}, False, None),
        ({"allow_private_network": True}, True, None),
    ],
    ids=["not asked", "refused", "allowed, not asked", "allowed"],
)
def test_private_network(fields: dict[str, Any], asks: bool, reason: Reason | None) -> None:
    request = CorsRequest(A, "GET", preflight=True, private_network=asks)
    decision = decide(Policy(origins=A, **fields), request)
    assert decision.reason is reason
    granted = {ACPN: "true"} if asks and not reason else {}
    allowed = {**GRANTED, ACAM: "GET", **granted}
    assert dict(decision.headers) == ({"Vary": PREFLIGHT_VARY} if reason else allowed)


def test_the_requested_names_are_kept() -> None:
    decision = decide(Policy(origins=A), CorsRequest(A, "PUT", "/", True, "X-B, x-a"))
    assert decision.request_headers == ("x-b", "x-a")
    decision = decide(Policy(), CorsRequest(A, "PUT", "/", True, "X-B"))
    assert (decision.reason, decision.request_headers) == (Reason.ORIGIN_NOT_ALLOWED, ("x-b",))


ALL = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT"})
NONE: frozenset[str] = frozenset()
PUT = frozenset({"PUT"})


@pytest.mark.parametrize(
    ("fields", "accepted", "elsewhere", "value"),
    [
        ({}, ALL, NONE, "DELETE, GET, HEAD, OPTIONS, PUT"),
        ({}, ALL, PUT, "DELETE, GET, HEAD, OPTIONS"),
        ({}, None, NONE, None),
        ({"methods": ["PUT", "DELETE"]}, ALL, NONE, "PUT, DELETE"),
        ({"methods": ["PUT", "DELETE"]}, ALL, PUT, "DELETE"),
        ({"methods": ["PUT", "DELETE"]}, None, NONE, "PUT, DELETE"),
        ({"methods": ()}, ALL, NONE, ""),
        ({"methods": "*"}, ALL, NONE, "*"),
        ({"methods": "*"}, ALL, PUT, None),
        ({"methods": "*", "allow_credentials": True}, ALL, NONE, None),
        ({"methods": "*", "origins": needs_request}, ALL, NONE, None),
        ({"methods": ["PUT"], "origins": [A, needs_request]}, ALL, NONE, None),
        ({"methods": ["PUT"], "origins": raises}, ALL, NONE, "PUT"),
        (READ_ONLY, ALL, NONE, "GET, HEAD, OPTIONS"),
        (READ_ONLY, ALL, frozenset({"GET"}), "HEAD, OPTIONS"),
        ({**READ_ONLY, "methods": ["PUT", "GET"]}, ALL, NONE, "GET"),
        ({**READ_ONLY, "methods": "*"}, ALL, NONE, None),
        ({**READ_ONLY, "enforce": "report"}, ALL, NONE, "DELETE, GET, HEAD, OPTIONS, PUT"),
    ],
)
def test_allow_methods(
    fields: dict[str, Any],
    accepted: frozenset[str] | None,
    elsewhere: frozenset[str],
    value: str | None,
) -> None:
    """The header names these methods, or is left to repeat the requested one (None)."""
    assert Policy(**fields).compiled.headers.allow_methods(accepted, elsewhere) == value


def test_a_requested_method_is_named_even_if_some_other_route_may_have_it() -> None:
    scope = Scope(methods=ALL, governed_elsewhere=PUT, allow_methods=("DELETE",))
    decision = decide(Policy(origins=A), CorsRequest(A, "PUT", preflight=True), scope)
    assert decision.headers[ACAM] == "PUT"


@pytest.mark.parametrize(
    ("elsewhere", "max_age", "sent"),
    [
        ("POST", 600, "0"),
        ("GET", 600, "0"),
        ("HEAD", None, "0"),
        ("PUT DELETE", 600, "600"),
        ("PUT", None, None),
        ("", 600, "600"),
    ],
)
def test_header_names_are_not_remembered_for_a_method_of_another_policy(
    elsewhere: str, max_age: int | None, sent: str | None
) -> None:
    """If another policy governs a method that needs no preflight, the max age sent is 0."""
    others = frozenset(elsewhere.split())
    scope = Scope(methods=ALL, governed_elsewhere=others, allow_methods=("OPTIONS",))
    request = CorsRequest(A, "OPTIONS", preflight=True)
    decision = decide(Policy(origins=A, max_age=max_age), request, scope)
    assert decision.headers.get(ACMA) == sent


@pytest.mark.parametrize("max_age", [600, 0, None])
def test_a_callable_that_takes_the_request_is_asked_each_time(max_age: int | None) -> None:
    """What it has allowed once is not to be remembered, not even for a listed origin."""
    policy = Policy(origins=[B, needs_request], max_age=max_age)
    for origin in (A, B):
        request = CorsRequest(origin, "PUT", preflight=True, context="the request")
        assert decide(policy, request).headers[ACMA] == "0"


def test_a_method_in_other_case_is_another_method() -> None:
    scope = Scope(methods=frozenset({"GET", "HEAD", "POST", "PUT"}))
    for policy in (
        Policy(origins=A),
        Policy(origins=A, methods=()),
        Policy(origins=A, methods="PUT"),
    ):
        for method in ("get", "Get", "head", "post", "put", "gET"):
            decision = decide(policy, CorsRequest(A, method, "/", True), scope)
            assert decision.reason is Reason.METHOD_NOT_ALLOWED


# The order of the checks

ORDERED = Policy(origins=[A, B], deny_origins=B, methods="PUT", allow_headers="X-A")
# A request, and what is wrong with it first; then the same request put right in that.
STEPS: list[tuple[CorsRequest, Reason | None]] = [
    (CorsRequest("x" * 321, "DELETE", "/", True, "x b", True), Reason.ORIGIN_MALFORMED),
    (CorsRequest("null", "DELETE", "/", True, "x b", True), Reason.ORIGIN_NULL),
    (CorsRequest(B, "DELETE", "/", True, "x b", True), Reason.ORIGIN_DENIED),
    (CorsRequest(f"{A}.", "DELETE", "/", True, "x b", True), Reason.ORIGIN_MALFORMED),
    (CorsRequest(f"{A}:1", "DELETE", "/", True, "x b", True), Reason.ORIGIN_NOT_ALLOWED),
    (CorsRequest(A, "DELETE", "/", True, "x b", True), Reason.METHOD_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-b,x b", True), Reason.HEADERS_MALFORMED),
    (CorsRequest(A, "PUT", "/", True, "x-a,x-b", True), Reason.HEADERS_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-a", True), Reason.PRIVATE_NETWORK_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-a"), None),
    # Without a preflight, the method and what is requested make no difference.
    (CorsRequest(A, "DELETE", "/", False, "x b", True), None),
    (CorsRequest(B, "DELETE", "/", False, "x b", True), Reason.ORIGIN_DENIED),
]


@pytest.mark.parametrize(("request_", "reason"), STEPS)
def test_the_first_reason_is_given(request_: CorsRequest, reason: Reason | None) -> None:
    """If a request is wrong in several ways, the first check that fails gives the reason."""
    assert decide(ORDERED, request_).reason is reason


def never(origin: str) -> bool:
    raise AssertionError(origin)


@pytest.mark.parametrize(
    ("origins", "reason"),
    [
        (A, None),
        (f"{B} https://x.evil.com https://evil9.com", Reason.ORIGIN_DENIED),
        ("null", Reason.ORIGIN_NULL),
        (f"NULL {A.upper()} {A}:443 {'x' * 321}", Reason.ORIGIN_MALFORMED),
        ("https://c.example.com", Reason.ORIGIN_CHECK_FAILED),
    ],
    ids=["listed", "denied", "null", "malformed", "asked"],
)
def test_a_callable_is_asked_about_what_nothing_else_has_decided(
    origins: str, reason: Reason | None
) -> None:
    deny = [B, "https://*.evil.com", re.compile(r"https://evil\d\.com")]
    policy = Policy(origins=[A, never], deny_origins=deny)
    for origin in origins.split():
        assert decide(policy, CorsRequest(origin, "GET")).reason is reason


@pytest.mark.parametrize(
    ("origin", "reason"),
    [(A, None), (B, Reason.ORIGIN_DENIED), ("null", Reason.ORIGIN_NULL), (None, None),
     (f"{A}.", Reason.ORIGIN_MALFORMED), (EVIL, Reason.ORIGIN_NOT_ALLOWED)],
)  # fmt: skip
def test_what_the_list_knows_without_its_callable(origin: str, reason: Reason | None) -> None:
    policy = Policy(origins=[re.compile(r"https://\w\.example\.com"), never], deny_origins=B)
    decision = decide(policy, CorsRequest(origin, "GET"), asks=False)
    if reason is Reason.ORIGIN_NOT_ALLOWED:
        assert decision is UNDECIDED
        decision = decide_unlisted(policy, CorsRequest(origin, "GET"), ROUTE, asks=False)
    assert decision.reason is reason


@pytest.mark.parametrize("preflight", [False, True])
@pytest.mark.parametrize("check", [raises, needs_request, lambda origin: 1])
def test_asked_later_a_callable_has_the_same_say(
    check: Callable[..., bool], preflight: bool
) -> None:
    policy = Policy(origins=[B, check])
    for origin in (A, EVIL):
        request = CorsRequest(origin, "PUT", "/x", preflight, context="the request")
        assert decide_unlisted(policy, request, ROUTE, asks=True) == decide(policy, request, ROUTE)


def test_a_denied_origin_stays_out_however_it_was_let_in() -> None:
    for origins in ("*", [A, B], ["https://*.example.com"], re.compile(".*"), lambda origin: True):
        policy = Policy(origins=origins, deny_origins=B)
        assert decide(policy, CorsRequest(B, "GET")).reason is Reason.ORIGIN_DENIED
        assert decide(policy, CorsRequest(A, "GET")).reason is None


@pytest.mark.parametrize("dangerously", [True, False])
def test_null_comes_in_by_name_alone(dangerously: bool) -> None:
    for origins in ([A], ["https://*.example.com"], re.compile(".*"), lambda origin: True):
        policy = Policy(origins=origins, dangerously_allow_null_origin=dangerously)
        assert decide(policy, CorsRequest("null", "GET")).reason is Reason.ORIGIN_NULL


# What is kept, and cannot be changed


@pytest.mark.parametrize(("length", "kept"), [(319, 319), (320, 320), (321, 320), (60_000, 320)])
def test_no_more_of_an_origin_is_kept_than_a_real_one_has(length: int, kept: int) -> None:
    request = CorsRequest("x" * length, "GET")
    assert decide(Policy(), request).origin == "x" * kept
    assert decide(Policy(origins="*"), request).origin == "x" * kept
    assert decide(None, request, Scope()).origin == "x" * kept
    assert decide(None, request._replace(origin=""), Scope()).origin == ""
    assert decide(None, request._replace(origin=None), Scope()).origin is None


def test_no_decision_can_be_changed() -> None:
    decisions = [
        decide(Policy(origins=origins), CorsRequest(origin, "GET", "/", preflight))
        for origins in ("*", A)
        for origin in (A, B, None)
        for preflight in (False, True)
    ]
    for decision in (*decisions, decide(None, CorsRequest(A, "GET"), Scope())):
        with pytest.raises(AttributeError):
            decision.outcome = Outcome.REJECTED  # type: ignore[misc]
        with pytest.raises(TypeError):
            decision.headers["Vary"] = "*"  # type: ignore[index]


def test_one_request_changes_nothing_for_another() -> None:
    policy = Policy(origins=[A, B], allow_headers="*", allow_credentials=True)
    elsewhere = Scope(governed_elsewhere=frozenset({"GET"}), allow_methods=("PUT",))
    made: list[tuple[Decision, dict[str, str]]] = []
    for _ in range(2):
        for scope in (Scope(), elsewhere):
            for request in (
                CorsRequest(A, "GET", preflight=True),
                CorsRequest(B, "PUT", "/", True, "x-a"),
                CorsRequest(A, "GET"),
                CorsRequest(B, "GET"),
                CorsRequest(f"{B}:1", "GET"),
                CorsRequest(None, "GET"),
            ):
                decision = decide(policy, request, scope)
                made.append((decision, dict(decision.headers)))
    assert [dict(decision.headers) for decision, _ in made] == [headers for _, headers in made]
    assert made[: len(made) // 2] == made[len(made) // 2 :]


def test_reasons_are_about_the_origin_or_about_its_preflight() -> None:
    assert {reason for reason in Reason if not reason.is_about_origin} == {
        Reason.METHOD_NOT_ALLOWED,
        Reason.HEADERS_NOT_ALLOWED,
        Reason.HEADERS_MALFORMED,
        Reason.PRIVATE_NETWORK_NOT_ALLOWED,
    }


@pytest.mark.parametrize("origin", [A, B, "null", "not an origin", "", None])
@pytest.mark.parametrize("preflight", [False, True])
def test_an_ambiguous_path(origin: str | None, preflight: bool) -> None:
    """Whoever asks, for whatever: only what has no origin is not about CORS."""
    scope = Scope(ambiguous="two policies")
    request = CorsRequest(origin, "PUT", "/x/../y", preflight, "x-a", private_network=True)
    decision = decide(Policy(), request, scope, asks=False)
    if origin is None:
        assert (decision.outcome, decision.reason) == (Outcome.NOT_CORS, None)
    else:
        assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.PATH_AMBIGUOUS)
        assert (decision.detail, decision.further_reasons) == ("two policies", ())
        assert decision.path == "/x/../y"
    vary = PREFLIGHT_VARY if preflight and origin is not None else "Origin"
    assert decision.headers == {"Vary": vary}
