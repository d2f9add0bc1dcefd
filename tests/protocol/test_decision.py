"""The decision: verdicts, and whole header sets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flask_corsguard import Decision, Outcome, Policy, Reason
from flask_corsguard.protocol.decision import (
    CorsRequest,
    Scope,
    decide,
)
from flask_corsguard.protocol.headers import MAX_LIST_LENGTH, MAX_METHOD_LENGTH, PREFLIGHT_VARY

A = "https://a.example.com"
EVIL = "https://evil.com"
ACAO = "Access-Control-Allow-Origin"
ACAC = "Access-Control-Allow-Credentials"
ACAM = "Access-Control-Allow-Methods"
ACAH = "Access-Control-Allow-Headers"
ACEH = "Access-Control-Expose-Headers"
ACMA = "Access-Control-Max-Age"
ACPN = "Access-Control-Allow-Private-Network"
ECHO = {ACAO: A, "Vary": "Origin"}
REFUSED = {"Vary": "Origin"}


def raises(origin: str) -> bool:
    raise LookupError(origin)


def needs_request(origin: str, request: object) -> bool:
    return request == "the request" and origin == A


# policy, Origin, reason or None, headers
ACTUAL: list[tuple[dict[str, Any], str, Reason | None, dict[str, str]]] = [
    ({"origins": A}, A, None, ECHO),
    ({"origins": A}, EVIL, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    ({}, A, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    ({"origins": A}, "null", Reason.ORIGIN_NULL, REFUSED),
    ({"origins": A}, f"{A}/", Reason.ORIGIN_MALFORMED, REFUSED),
    ({"origins": A}, "", Reason.ORIGIN_MALFORMED, REFUSED),
    ({"origins": A}, "x" * 60_000, Reason.ORIGIN_MALFORMED, REFUSED),
    ({"origins": "https://*.example.com"}, A, None, ECHO),
    ({"origins": re.compile(r"https://[a-z]\.example\.com")}, A, None, ECHO),
    ({"origins": re.compile(r"https://[a-z]\.example")}, A, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    ({"origins": lambda origin: origin == A}, A, None, ECHO),
    ({"origins": lambda origin: origin == A}, EVIL, Reason.ORIGIN_NOT_ALLOWED, REFUSED),
    ({"origins": needs_request}, A, None, ECHO),
    ({"origins": lambda origin: 1}, A, Reason.ORIGIN_CHECK_FAILED, REFUSED),
    ({"origins": raises}, A, Reason.ORIGIN_CHECK_FAILED, REFUSED),
    ({"origins": raises}, "null", Reason.ORIGIN_NULL, REFUSED),
    ({"origins": raises}, "malformed", Reason.ORIGIN_MALFORMED, REFUSED),
    ({"origins": "null", "dangerously_allow_null_origin": True}, "null", None,
     {ACAO: "null", "Vary": "Origin"}),
    ({"origins": A, "dangerously_allow_null_origin": True}, "null", Reason.ORIGIN_NULL, REFUSED),
    ({"origins": "*"}, A, None, {ACAO: "*"}),
    ({"origins": "*"}, "null", None, {ACAO: "*"}),
    ({"origins": "*"}, "x" * 60_000, None, {ACAO: "*"}),
    ({"origins": "*", "expose_headers": "*"}, A, None, {ACAO: "*", ACEH: "*"}),
    ({"origins": "*", "deny_origins": EVIL}, A, None, ECHO),
    ({"origins": "*", "deny_origins": EVIL}, EVIL, Reason.ORIGIN_DENIED, REFUSED),
    ({"origins": "*", "deny_origins": "https://*.com"}, A, Reason.ORIGIN_DENIED, REFUSED),
    ({"origins": "*", "deny_origins": EVIL}, "null", Reason.ORIGIN_NULL, REFUSED),
    ({"origins": "*", "deny_origins": EVIL, "dangerously_allow_null_origin": True}, "null", None,
     {ACAO: "null", "Vary": "Origin"}),
    ({"origins": "*", "deny_origins": "null", "dangerously_allow_null_origin": True}, "null",
     Reason.ORIGIN_DENIED, REFUSED),
    ({"origins": "*", "deny_origins": EVIL}, "x", Reason.ORIGIN_MALFORMED, REFUSED),
    ({"origins": [A, EVIL], "deny_origins": re.compile(".*evil.*")}, EVIL, Reason.ORIGIN_DENIED,
     REFUSED),
    ({"origins": [A, EVIL], "deny_origins": EVIL}, A, None, ECHO),
    ({"origins": A, "allow_credentials": True, "expose_headers": ["X-B", "X-A"]}, A, None,
     {**ECHO, ACAC: "true", ACEH: "X-B, X-A"}),
    ({"origins": A, "allow_credentials": True, "expose_headers": "X-A"}, EVIL,
     Reason.ORIGIN_NOT_ALLOWED, REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "origin", "reason", "headers"), ACTUAL)
def test_ordinary_requests(
    fields: dict[str, Any], origin: str, reason: Reason | None, headers: dict[str, str]
) -> None:
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
    )
    assert bool(decision.detail) is (reason is Reason.ORIGIN_CHECK_FAILED)


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, REFUSED),
        ({"origins": A, "allow_credentials": True, "expose_headers": "X-A"}, REFUSED),
        ({"origins": "*", "deny_origins": EVIL}, REFUSED),
        ({"origins": "*"}, {ACAO: "*"}),
        ({"origins": "*", "expose_headers": "X-A"}, {ACAO: "*", ACEH: "X-A"}),
    ],
)
def test_requests_without_origin(fields: dict[str, Any], headers: dict[str, str]) -> None:
    policy = Policy(**fields)
    scope = Scope("endpoint", "view endpoint", "app.py:1")
    decision = decide(policy, CorsRequest(None, "GET"), scope)
    assert dict(decision.headers) == headers
    assert decision == decide(policy, CorsRequest(None, "GET"), scope)
    assert (decision.outcome, decision.reason, decision.origin) == (Outcome.NOT_CORS, None, None)
    assert decision.policy_location == "app.py:1"


def test_exempt() -> None:
    decision = decide(None, CorsRequest(A, "GET"), Scope("e", "view e", "app.py:1"))
    assert decision.outcome is Outcome.EXEMPT
    assert decision.headers == {}
    assert decision.policy is None


BASE = {ACAO: A, ACAH: "Content-Type", ACMA: "600", "Vary": PREFLIGHT_VARY}
ROUTE = Scope(methods=frozenset({"GET", "PUT"}), allow_methods="GET, PUT")
STAR = {**BASE, ACAO: "*"}

# policy, announced method, announced headers, reason or None, headers where allowed
PREFLIGHTS: list[tuple[dict[str, Any], str, str | None, Reason | None, dict[str, str]]] = [
    ({}, "PUT", None, None, {**BASE, ACAM: "GET, PUT"}),
    ({}, "GET", "", None, {**BASE, ACAM: "GET, PUT"}),
    ({}, "POST", None, None, {**BASE, ACAM: "GET, PUT"}),
    ({}, "DELETE", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({}, "put", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({}, "", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "P T", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "TRACE", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "connect", None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "X" * (MAX_METHOD_LENGTH + 1), None, Reason.METHOD_NOT_ALLOWED, {}),
    ({"methods": "*"}, "X" * MAX_METHOD_LENGTH, None, None, {**BASE, ACAM: "GET, PUT"}),
    ({}, "PUT", "content-type", None, {**BASE, ACAM: "GET, PUT"}),
    ({}, "PUT", "X-Trace", Reason.HEADERS_NOT_ALLOWED, {}),
    ({}, "PUT", "x a", Reason.HEADERS_MALFORMED, {}),
    ({}, "PUT", "x" * (MAX_LIST_LENGTH + 1), Reason.HEADERS_MALFORMED, {}),
    ({}, "PUT", "x" * 60_000, Reason.HEADERS_MALFORMED, {}),
    ({"allow_headers": ("X-Trace", "X-B")}, "PUT", "x-b , X-TRACE", None,
     {**BASE, ACAM: "GET, PUT", ACAH: "X-Trace, X-B"}),
    ({"allow_headers": ()}, "PUT", "content-type", Reason.HEADERS_NOT_ALLOWED, {}),
    ({"allow_headers": "*"}, "PUT", "x-a,x-b", None, {**BASE, ACAM: "GET, PUT", ACAH: "*"}),
    ({"allow_headers": "*"}, "PUT", "authorization", Reason.HEADERS_NOT_ALLOWED, {}),
    ({"allow_headers": "*, Authorization"}, "PUT", "x-a, authorization", None,
     {**BASE, ACAM: "GET, PUT", ACAH: "*, Authorization"}),
    ({"allow_headers": "*", "allow_credentials": True}, "PUT", "x-b, X-A", None,
     {**BASE, ACAC: "true", ACAM: "GET, PUT", ACAH: "x-b, x-a"}),
    ({"allow_headers": "*", "allow_credentials": True}, "PUT", "authorization",
     Reason.HEADERS_NOT_ALLOWED, {}),
    ({"max_age": 0}, "PUT", None, None, {**BASE, ACAM: "GET, PUT", ACMA: "0"}),
    ({"expose_headers": "X-A"}, "PUT", None, None, {**BASE, ACAM: "GET, PUT"}),
    ({"origins": "*"}, "PUT", "content-type", None, {**STAR, ACAM: "GET, PUT"}),
    ({"origins": "*"}, "PUT", "x-a", Reason.HEADERS_NOT_ALLOWED, {}),
    ({"origins": EVIL}, "DELETE", "x a", Reason.ORIGIN_NOT_ALLOWED, {}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "method", "announced", "reason", "headers"), PREFLIGHTS)
def test_preflights(
    fields: dict[str, Any],
    method: str,
    announced: str | None,
    reason: Reason | None,
    headers: dict[str, str],
) -> None:
    policy = Policy(**{"origins": A, **fields})
    decision = decide(policy, CorsRequest(A, method, "/x", True, announced), ROUTE)
    assert decision.reason is reason
    assert decision.preflight
    assert decision.outcome is (Outcome.REJECTED if reason else Outcome.ALLOWED)
    assert dict(decision.headers) == (headers if reason is None else {"Vary": PREFLIGHT_VARY})


def test_no_header_is_written_empty() -> None:
    policy = Policy(origins=A, methods=(), allow_headers=(), max_age=None)
    scope = Scope(methods=frozenset({"GET"}), allow_methods="")
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
)
def test_private_network(fields: dict[str, Any], asks: bool, reason: Reason | None) -> None:
    request = CorsRequest(A, "GET", preflight=True, private_network=asks)
    decision = decide(Policy(origins=A, **fields), request)
    assert decision.reason is reason
    granted = {ACPN: "true"} if asks and not reason else {}
    allowed = {**BASE, ACAM: "GET", **granted}
    assert dict(decision.headers) == ({"Vary": PREFLIGHT_VARY} if reason else allowed)


def test_the_announced_names_are_kept() -> None:
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
    ],
)
def test_allow_methods(
    fields: dict[str, Any],
    accepted: frozenset[str] | None,
    elsewhere: frozenset[str],
    value: str | None,
) -> None:
    assert Policy(**fields).compiled.allow_methods(accepted, elsewhere) == value


def test_an_announced_method_is_named_even_if_some_other_route_may_claim_it() -> None:
    scope = Scope(methods=ALL, governed_elsewhere=PUT, allow_methods="DELETE")
    decision = decide(Policy(origins=A), CorsRequest(A, "PUT", preflight=True), scope)
    assert decision.headers[ACAM] == "PUT"


@pytest.mark.parametrize(
    ("elsewhere", "max_age", "sent"),
    [
        ({"POST"}, 600, "0"),
        ({"GET"}, 600, "0"),
        ({"HEAD"}, None, "0"),
        ({"PUT", "DELETE"}, 600, "600"),
        ({"PUT"}, None, None),
        (set(), 600, "600"),
    ],
)
def test_header_names_are_not_remembered_for_a_method_of_another_policy(
    elsewhere: set[str], max_age: int | None, sent: str | None
) -> None:
    scope = Scope(methods=ALL, governed_elsewhere=frozenset(elsewhere), allow_methods="OPTIONS")
    request = CorsRequest(A, "OPTIONS", preflight=True)
    decision = decide(Policy(origins=A, max_age=max_age), request, scope)
    assert decision.headers.get(ACMA) == sent


def test_a_decision_cannot_be_changed() -> None:
    decision = decide(Policy(origins=A), CorsRequest(A, "GET"))
    with pytest.raises(AttributeError):
        decision.outcome = Outcome.REJECTED  # type: ignore[misc]
    with pytest.raises(TypeError):
        decision.headers["X"] = "y"  # type: ignore[index]


def test_reasons_are_about_the_origin_or_about_its_preflight() -> None:
    assert {reason for reason in Reason if not reason.is_about_origin} == {
        Reason.METHOD_NOT_ALLOWED,
        Reason.HEADERS_NOT_ALLOWED,
        Reason.HEADERS_MALFORMED,
        Reason.PRIVATE_NETWORK_NOT_ALLOWED,
    }
