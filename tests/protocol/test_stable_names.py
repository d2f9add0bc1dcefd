"""Names and values that others rely on: browsers, logs, and code that reads a decision."""

from __future__ import annotations

from flask_corsguard import Outcome, Policy, Reason
from flask_corsguard.protocol import headers
from flask_corsguard.protocol.decision import CorsRequest, Decision, Scope


def test_outcomes() -> None:
    assert {outcome.name: outcome.value for outcome in Outcome} == {
        "NOT_CORS": "not-cors",
        "SAME_ORIGIN": "same-origin",
        "ALLOWED": "allowed",
        "REJECTED": "rejected",
        "UNENFORCED": "unenforced",
        "EXEMPT": "exempt",
    }


def test_reasons() -> None:
    assert {reason.name: reason.value for reason in Reason} == {
        "ORIGIN_NOT_ALLOWED": "origin-not-allowed",
        "ORIGIN_DENIED": "origin-denied",
        "ORIGIN_NULL": "origin-null",
        "ORIGIN_MALFORMED": "origin-malformed",
        "ORIGIN_CHECK_FAILED": "origin-check-failed",
        "METHOD_NOT_ALLOWED": "method-not-allowed",
        "HEADERS_NOT_ALLOWED": "headers-not-allowed",
        "HEADERS_MALFORMED": "headers-malformed",
        "PRIVATE_NETWORK_NOT_ALLOWED": "private-network-not-allowed",
        "CROSS_SITE_REQUEST": "cross-site-request",
        "SPECULATIVE": "speculative",
        "PATH_AMBIGUOUS": "path-ambiguous",
        "CREDENTIALS_NOT_ALLOWED": "credentials-not-allowed",
    }


def test_header_names() -> None:
    names = {
        headers.ALLOW_ORIGIN: "Access-Control-Allow-Origin",
        headers.ALLOW_CREDENTIALS: "Access-Control-Allow-Credentials",
        headers.ALLOW_METHODS: "Access-Control-Allow-Methods",
        headers.ALLOW_HEADERS: "Access-Control-Allow-Headers",
        headers.EXPOSE_HEADERS: "Access-Control-Expose-Headers",
        headers.MAX_AGE: "Access-Control-Max-Age",
        headers.ALLOW_PRIVATE_NETWORK: "Access-Control-Allow-Private-Network",
        headers.VARY: "Vary",
        headers.SEC_FETCH_SITE: "Sec-Fetch-Site",
        headers.PREFLIGHT_VARY: (
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        ),
    }
    assert list(names) == list(names.values())


def test_what_a_request_is_where_nothing_is_said() -> None:
    assert CorsRequest("null", "GET")._asdict() == {
        "origin": "null",
        "method": "GET",
        "path": "",
        "preflight": False,
        "requested_headers": None,
        "private_network": False,
        "context": None,
    }


def test_what_a_scope_is_where_nothing_is_said() -> None:
    assert Scope()._asdict() == {
        "endpoint": None,
        "source": "default",
        "location": "",
        "methods": None,
        "governed_elsewhere": frozenset(),
        "allow_methods": (),
        "configured": frozenset(),
        "without_effect": {},
        "ambiguous": "",
    }


def test_what_a_decision_is_where_nothing_is_said() -> None:
    policy = Policy()
    decision = Decision(Outcome.ALLOWED, None, "null", "GET", (), False, None, policy, "default")
    assert decision._asdict() == {
        "outcome": Outcome.ALLOWED,
        "reason": None,
        "origin": "null",
        "method": "GET",
        "request_headers": (),
        "preflight": False,
        "endpoint": None,
        "policy": policy,
        "policy_source": "default",
        "policy_location": "",
        "path": "",
        "blocked": False,
        "report_only": False,
        "headers": {},
        "detail": "",
        "further_reasons": (),
        "configured": frozenset(),
        "without_effect": {},
        "policies": (),
        "in_front": "",
        "overridden": None,
        "route_methods": None,
    }
