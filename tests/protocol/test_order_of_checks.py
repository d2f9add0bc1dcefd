"""Which reason is given where several would do, and what is not even looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from flask_corsguard import Decision, Outcome, Policy, Reason
from flask_corsguard.protocol.decision import CorsRequest, Scope, decide

A = "https://a.example.com"
B = "https://b.example.com"
LONG = "x" * 321


def never(origin: str) -> bool:
    raise AssertionError(origin)


POLICY = Policy(origins=[A, B], deny_origins=B, methods="PUT", allow_headers="X-A")

# A request, what is wrong with it first, and the same request put right in that.
STEPS: list[tuple[CorsRequest, Reason | None]] = [
    (CorsRequest(LONG, "DELETE", "/", True, "x b", True), Reason.ORIGIN_MALFORMED),
    (CorsRequest("null", "DELETE", "/", True, "x b", True), Reason.ORIGIN_NULL),
    (CorsRequest(B, "DELETE", "/", True, "x b", True), Reason.ORIGIN_DENIED),
    (CorsRequest(f"{A}.", "DELETE", "/", True, "x b", True), Reason.ORIGIN_MALFORMED),
    (CorsRequest(f"{A}:1", "DELETE", "/", True, "x b", True), Reason.ORIGIN_NOT_ALLOWED),
    (CorsRequest(A, "DELETE", "/", True, "x b", True), Reason.METHOD_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-b,x b", True), Reason.HEADERS_MALFORMED),
    (CorsRequest(A, "PUT", "/", True, "x-a,x-b", True), Reason.HEADERS_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-a", True), Reason.PRIVATE_NETWORK_NOT_ALLOWED),
    (CorsRequest(A, "PUT", "/", True, "x-a"), None),
    # Without a preflight, the method and what it announces make no difference.
    (CorsRequest(A, "DELETE", "/", False, "x b", True), None),
    (CorsRequest(B, "DELETE", "/", False, "x b", True), Reason.ORIGIN_DENIED),
]


@pytest.mark.parametrize(("request_", "reason"), STEPS)
def test_the_first_reason_is_given(request_: CorsRequest, reason: Reason | None) -> None:
    assert decide(POLICY, request_).reason is reason


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (A, None),
        (B, Reason.ORIGIN_DENIED),
        ("https://x.evil.com", Reason.ORIGIN_DENIED),
        ("https://evil9.com", Reason.ORIGIN_DENIED),
        ("null", Reason.ORIGIN_NULL),
        ("NULL", Reason.ORIGIN_MALFORMED),
        (A.upper(), Reason.ORIGIN_MALFORMED),
        (f"{A}:443", Reason.ORIGIN_MALFORMED),
        (LONG, Reason.ORIGIN_MALFORMED),
        ("", Reason.ORIGIN_MALFORMED),
        ("https://c.example.com", Reason.ORIGIN_CHECK_FAILED),
    ],
)
def test_a_callable_is_asked_about_what_nothing_else_has_settled(
    origin: str, reason: Reason | None
) -> None:
    deny = [B, "https://*.evil.com", re.compile(r"https://evil\d\.com")]
    policy = Policy(origins=[A, never], deny_origins=deny)
    assert decide(policy, CorsRequest(origin, "GET")).reason is reason


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


@pytest.mark.parametrize(
    "headers",
    [
        decide(Policy(origins="*"), CorsRequest(A, "GET")).headers,
        decide(Policy(origins=A), CorsRequest(A, "GET")).headers,
        decide(Policy(origins=A), CorsRequest(B, "GET")).headers,
        decide(Policy(origins=A), CorsRequest(None, "GET")).headers,
        decide(Policy(origins="*"), CorsRequest(None, "GET")).headers,
        decide(Policy(origins=A), CorsRequest(A, "GET", preflight=True)).headers,
        decide(Policy(origins=A), CorsRequest(B, "GET", preflight=True)).headers,
        decide(None, CorsRequest(A, "GET"), Scope()).headers,
    ],
)
def test_no_decision_can_be_written_to(headers: Mapping[str, str]) -> None:
    with pytest.raises(TypeError):
        headers["Vary"] = "*"  # type: ignore[index]


def test_one_request_changes_nothing_for_another() -> None:
    policy = Policy(origins=[A, B], allow_headers="*", allow_credentials=True)
    elsewhere = Scope(governed_elsewhere=frozenset({"GET"}), allow_methods="PUT")
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


@pytest.mark.parametrize(("length", "kept"), [(319, 319), (320, 320), (321, 320), (60_000, 320)])
def test_no_more_of_an_origin_is_kept_than_a_real_one_has(length: int, kept: int) -> None:
    request = CorsRequest("x" * length, "GET")
    assert decide(Policy(), request).origin == "x" * kept
    assert decide(Policy(origins="*"), request).origin == "x" * kept
    assert decide(None, request, Scope()).origin == "x" * kept
    assert decide(None, request._replace(origin=""), Scope()).origin == ""
    assert decide(None, request._replace(origin=None), Scope()).origin is None


def test_what_an_exempt_route_is_said_to_be() -> None:
    scope = Scope("e", "view e", "app.py:1", frozenset({"GET"}))
    decision = decide(None, CorsRequest(A, "PUT", "/x", True, "x-a"), scope)
    assert (decision.method, decision.preflight, decision.request_headers) == ("PUT", True, ())
    assert (decision.endpoint, decision.policy_source) == ("e", "view e")
    assert (decision.policy_location, decision.path) == ("app.py:1", "")


def test_what_is_known_of_a_request_without_an_origin() -> None:
    policy = Policy(origins=A)
    scope = Scope("e", "view e", "app.py:1", frozenset({"GET"}))
    assert decide(policy, CorsRequest(None, "PUT", "/x", True, "x-a", True), scope) == Decision(
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
        headers={"Vary": "Origin"},
    )


@pytest.mark.parametrize("methods", [None, (), "PUT"])
@pytest.mark.parametrize("method", ["get", "Get", "head", "post", "put", "gET"])
def test_a_method_in_other_case_is_another_method(
    method: str, methods: str | tuple[str, ...] | None
) -> None:
    scope = Scope(methods=frozenset({"GET", "HEAD", "POST", "PUT"}))
    request = CorsRequest(A, method, "/", True)
    decision = decide(Policy(origins=A, methods=methods), request, scope)
    assert decision.reason is Reason.METHOD_NOT_ALLOWED


def test_names_are_repeated_only_where_some_were_announced() -> None:
    policy = Policy(origins=A, allow_headers="*", allow_credentials=True)
    for announced, repeated in ((None, None), ("", None), (" , ", None), ("X-A,x-b", "x-a, x-b")):
        headers = decide(policy, CorsRequest(A, "GET", "/", True, announced)).headers
        assert headers.get("Access-Control-Allow-Headers") == repeated
