"""Decisions in words."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

from flask_corsguard import Outcome, Policy, Reason
from flask_corsguard.protocol.decision import CorsRequest, Decision, Scope, decide
from flask_corsguard.protocol.explanation import remedy
from flask_corsguard.protocol.fields import Enforce

A = "https://a.example.com"
HERE = Scope("users.list", "view users.list", "app.py:12", frozenset({"GET", "PUT"}), frozenset())


def check(origin: str) -> bool:
    raise KeyError(origin)


def test_the_whole_text() -> None:
    decision = decide(Policy(origins=A), CorsRequest("https://evil.com", "GET", "/users"), HERE)
    assert decision.explain() == (
        "GET /users from 'https://evil.com': rejected (ORIGIN_NOT_ALLOWED).\n"
        "  Policy: view users.list, set at app.py:12.\n"
        "  Found: the origin matches none of 'https://a.example.com'.\n"
        "  Change: add 'https://evil.com' to origins (policy: view users.list, set at app.py:12)."
    )


# policy fields, request, what was found, what to change
TABLE: list[tuple[dict[str, Any], CorsRequest, str, str]] = [
    ({}, CorsRequest(A, "GET"), "the policy allows no other origin", f"add '{A}' to origins"),
    ({"origins": [re.compile("x+"), check]}, CorsRequest("null", "GET"),
     "the page has an opaque origin, being sandboxed, a local file or reached by a redirect; or it"
     " sends a form and keeps its origin back with Referrer-Policy: no-referrer",
     "serve the page from an origin of its own, with another Referrer-Policy; allowing 'null'"
     " allows every site"),
    ({"origins": re.compile("x+")}, CorsRequest(A, "GET"),
     "the origin matches none of re.compile('x+')", f"add '{A}' to origins"),
    ({"origins": lambda origin: False}, CorsRequest(A, "GET"),
     "the origin matches none of <lambda>", f"add '{A}' to origins"),
    ({"origins": ",".join(f"https://{n}.com" for n in range(9, 16) if n != 12)},
     CorsRequest(A, "GET"),
     "the origin matches none of 'https://9.com', 'https://10.com', 'https://11.com',"
     " 'https://13.com', 'https://14.com' and 1 more", f"add '{A}' to origins"),
    ({"origins": ",".join(f"https://{n}.com" for n in "abcde")}, CorsRequest(A, "GET"),
     "the origin matches none of 'https://a.com', 'https://b.com', 'https://c.com',"
     " 'https://d.com', 'https://e.com'", f"add '{A}' to origins"),
    ({"origins": functools.partial(str.__eq__, "")}, CorsRequest(A, "GET"),
     "the origin matches none of partial", f"add '{A}' to origins"),
    ({"origins": "http://a.com"}, CorsRequest("https://a.com", "GET"),
     "the origin matches none of 'http://a.com'; 'http://a.com' would match: only the scheme"
     " differs", "add 'https://a.com' to origins"),
    ({"origins": "http://www.a.com"}, CorsRequest("https://a.com", "GET"),
     "the origin matches none of 'http://www.a.com'", "add 'https://a.com' to origins"),
    ({"origins": "app://a.com"}, CorsRequest("web://a.com", "GET"),
     "the origin matches none of 'app://a.com'", "add 'web://a.com' to origins"),
    ({"origins": "https://*.b.com"}, CorsRequest("https://c.com", "GET"),
     "the origin matches none of 'https://*.b.com'", "add 'https://c.com' to origins"),
    ({"origins": A}, CorsRequest("http://a.example.com", "GET"),
     f"the origin matches none of '{A}'; '{A}' would match: only the scheme differs",
     "add 'http://a.example.com' to origins"),
    ({"origins": A}, CorsRequest(f"{A}:8443", "GET"),
     f"the origin matches none of '{A}'; '{A}' is the same but for the port",
     f"add '{A}:8443' to origins"),
    ({"origins": f"{A}:8443"}, CorsRequest(A, "GET"),
     f"the origin matches none of '{A}:8443'; '{A}:8443' is the same but for the port",
     f"add '{A}' to origins"),
    ({"origins": "https://www.b.com"}, CorsRequest("https://b.com", "GET"),
     "the origin matches none of 'https://www.b.com'; 'https://www.b.com' would match: only the"
     " www. differs", "add 'https://b.com' to origins"),
    ({"origins": "https://b.com"}, CorsRequest("https://www.b.com", "GET"),
     "the origin matches none of 'https://b.com'; 'https://b.com' would match: only the www."
     " differs", "add 'https://www.b.com' to origins"),
    ({"origins": "https://*.b.com:1"}, CorsRequest("https://b.com:1", "GET"),
     "the origin matches none of 'https://*.b.com:1'; 'https://*.b.com:1' covers sub-domains but"
     " not 'b.com' itself", "add 'https://b.com:1' to origins"),
    ({"origins": "https://*.example.com", "deny_origins": A}, CorsRequest(A, "GET"),
     "the origin is listed in deny_origins", "take the origin out of deny_origins"),
    ({"origins": A}, CorsRequest("evil", "GET"),
     "no browser writes an origin like this: it is not scheme://host[:port] in lower case",
     "nothing: whatever sent this is not a browser's page"),
    ({"origins": A}, CorsRequest(A, "DELETE", preflight=True),
     "no route at this URL accepts DELETE", "add a route that accepts DELETE at this URL"),
    ({"origins": A, "methods": "PUT"}, CorsRequest(A, "DELETE", preflight=True),
     "DELETE is none of the methods that the policy allows: GET, HEAD, POST, PUT",
     "add 'DELETE' to methods"),
    ({"origins": A}, CorsRequest(A, "patch", preflight=True),
     "method names are case-sensitive: patch is not PATCH",
     "have the page say fetch(url, {method: 'PATCH'})"),
    ({"origins": A, "methods": ()}, CorsRequest(A, "a\nb'", preflight=True),
     r"a\nb\x27 is none of the methods that the policy allows: GET, HEAD, POST",
     r"add 'a\nb\x27' to methods"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, "x-a, content-type, x-b"),
     "the page wants to send x-a, x-b; the policy allows Content-Type",
     "add x-a, x-b to allow_headers"),
    ({"origins": A, "allow_headers": ()},
     CorsRequest(A, "GET", "", True, ",".join(f"x-{n}" for n in range(7))),
     "the page wants to send x-0, x-1, x-2, x-3, x-4 and 2 more; the policy allows none",
     "add x-0, x-1, x-2, x-3, x-4 and 2 more to allow_headers"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, ",".join(f"x-{n}" for n in range(5))),
     "the page wants to send x-0, x-1, x-2, x-3, x-4; the policy allows Content-Type",
     "add x-0, x-1, x-2, x-3, x-4 to allow_headers"),
    ({"origins": A, "allow_headers": [f"X-{n}" for n in range(10)]},
     CorsRequest(A, "GET", "", True, "authorization"),
     "the page wants to send authorization; the policy allows X-0, X-1, X-2, X-3, X-4, X-5, X-6,"
     " X-7, X-8, X-9", "add authorization to allow_headers"),
    ({"origins": A, "allow_headers": "*"}, CorsRequest(A, "GET", "", True, "authorization"),
     "the page wants to send authorization; the policy allows * ('*' never covers Authorization)",
     "add authorization to allow_headers"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, "x y"),
     "the list of requested headers isn't a list of header names, or is longer than 4096"
     " characters, 128 names or, with empty ones, 256",
     "have the page send fewer or shorter header names"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, None, True),
     "the browser asks whether a public page may reach this private network",
     "set allow_private_network=True"),
    ({"origins": "*", "deny_origins": "https://b.com"}, CorsRequest("https://b.com", "GET"),
     "the origin is listed in deny_origins", "take the origin out of deny_origins"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "request_", "found", "change"), TABLE, ids=[row[3][:40] for row in TABLE]
)
def test_each_reason(
    fields: dict[str, Any], request_: CorsRequest, found: str, change: str
) -> None:
    """For each reason, the explanation says what was found, and what to change in which policy."""
    decision = decide(Policy(**fields), request_, HERE)
    assert decision.explain().splitlines()[1:] == [
        "  Policy: view users.list, set at app.py:12.",
        f"  Found: {found}.",
        f"  Change: {change} (policy: view users.list, set at app.py:12).",
    ]


def test_every_reason_has_words() -> None:
    decision = decide(Policy(origins=A), CorsRequest("no origin", "GET"))
    for reason in Reason:
        assert reason.name in decision._replace(reason=reason).explain()


def test_a_check_that_failed() -> None:
    lines = decide(Policy(origins=check), CorsRequest(A, "GET")).explain().splitlines()
    assert lines[0] == f"GET from '{A}': rejected (ORIGIN_CHECK_FAILED)."
    assert lines[2].startswith("  Found: the callable in origins failed: KeyError")
    assert "test_explanation.py:" in lines[2]
    assert lines[3].startswith("  Change: fix the callable so that it returns True or False")


@pytest.mark.parametrize(
    ("changes", "first", "found", "change"),
    [
        ({"blocked": True, "detail": "Sec-Fetch-Site is 'same-site'"},
         f"POST from '{A}': refused (ORIGIN_NOT_ALLOWED).",
         "the policy allows no other origin; Sec-Fetch-Site is 'same-site'",
         f"add '{A}' to origins"),
        ({"report_only": True},
         f"POST from '{A}': would be rejected (ORIGIN_NOT_ALLOWED).",
         "the policy allows no other origin", f"add '{A}' to origins"),
        ({"blocked": True, "origin": None, "reason": Reason.CROSS_SITE_REQUEST},
         "POST: refused (CROSS_SITE_REQUEST).",
         "another site caused the request, and no Origin says which",
         "say enforce='off' where other sites may cause such requests"),
        ({"blocked": True, "reason": Reason.CROSS_SITE_REQUEST},
         f"POST from '{A}': refused (CROSS_SITE_REQUEST).",
         "origins='*' says who may read; with enforce, pages of other sites open no WebSocket and"
         " use no method that could change something",
         "say enforce='off' where other sites may cause such requests"),
        ({"blocked": True, "origin": None, "reason": Reason.SPECULATIVE, "detail": "this"},
         "POST: refused (SPECULATIVE).",
         "a browser asked ahead of time, perhaps for a page of another site; this",
         "nothing: it asks again when the user goes there. The app's own pages pass where they send"
         " Referer, and every site's with enforce='unsafe'"),
    ],
)  # fmt: skip
def test_what_the_server_refuses(
    changes: dict[str, Any], first: str, found: str, change: str
) -> None:
    rejected = decide(Policy(enforce="unsafe"), CorsRequest(A, "POST"))
    assert rejected._replace(**changes).explain() == (
        f"{first}\n  Policy: default.\n  Found: {found}.\n  Change: {change} (policy: default)."
    )


@pytest.mark.parametrize(
    ("decision", "first", "found"),
    [
        (decide(Policy(), CorsRequest(None, "GET")), "GET: not a CORS request.",
         "there is no Origin header, so there is nothing for CORS to decide"),
        (decide(Policy(origins=A), CorsRequest(A, "GET"), HERE),
         f"GET users.list from '{A}': allowed.", "the origin may read the response"),
        (decide(Policy(origins=A), CorsRequest(A, "GET", preflight=True), HERE),
         f"preflight for GET users.list from '{A}': allowed.", "the origin may read the response"),
        (decide(None, CorsRequest(A, "GET"), HERE), f"GET users.list from '{A}': exempt.",
         "the route is marked cors_exempt; its responses are as the app made them"),
        (decide(Policy(), CorsRequest(A, "GET"))._replace(outcome=Outcome.SAME_ORIGIN, reason=None),
         f"GET from '{A}': same origin.",
         "the request comes from the app's own origin, which CORS does not restrict"),
    ],
)  # fmt: skip
def test_what_is_not_rejected(decision: Decision, first: str, found: str) -> None:
    lines = decision.explain().splitlines()
    assert lines[0] == first
    assert lines[2] == f"  Found: {found}."
    assert len(lines) == 3


HOSTILE = "\r\n\x00\x1b[31m\u2028\u2029\x85\x7f \t'\"\\\ud800\U0001f600<script>"


@pytest.mark.parametrize(
    "request_",
    [
        CorsRequest(HOSTILE, "GET", HOSTILE),
        CorsRequest(A, HOSTILE, HOSTILE, True),
        CorsRequest(A, "GET", HOSTILE, True, HOSTILE),
        CorsRequest("https://" + "a" * 50_000, "X" * 50_000, "/" * 50_000, True),
    ],
)
def test_nothing_hostile_gets_through(request_: CorsRequest) -> None:
    text = decide(Policy(origins=A, methods=()), request_).explain()
    assert all(line.isascii() and line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) == 4
    assert len(text) < 2000


def test_a_path_cannot_pretend_to_be_the_rest_of_the_line() -> None:
    forged = "/x from 'https://trusted.example': allowed"
    first = decide(Policy(), CorsRequest(A, "GET", forged)).explain().splitlines()[0]
    assert first == (
        r"GET /x\x20from\x20\x27https://trusted.example\x27:\x20allowed"
        f" from '{A}': rejected (ORIGIN_NOT_ALLOWED)."
    )


def test_a_decision_without_a_policy_has_nothing_to_change() -> None:
    assert remedy(decide(None, CorsRequest(A, "GET"), HERE)) == "nothing"
    assert remedy(decide(Policy(origins=A), CorsRequest(A, "GET"))) == "nothing"


@pytest.mark.parametrize(
    ("enforce", "method", "weaker"),
    [
        ("all", "GET", "unsafe"),
        ("all", "HEAD", "unsafe"),
        ("all", "POST", "off"),
        ("unsafe", "GET", "off"),  # a WebSocket
        ("unsafe", "POST", "off"),
    ],
)
def test_the_weakest_change_that_lets_a_request_of_another_site_pass(
    enforce: Enforce, method: str, weaker: str
) -> None:
    decision = decide(Policy(enforce=enforce), CorsRequest(A, method))
    blocked = decision._replace(reason=Reason.CROSS_SITE_REQUEST, origin=None, blocked=True)
    assert blocked.explain().splitlines()[3] == (
        f"  Change: say enforce='{weaker}' where other sites may cause such requests"
        " (policy: default)."
    )


def test_a_long_path_is_cut() -> None:
    for length, shown in ((199, 199), (200, 200), (201, 200), (5000, 200)):
        decision = decide(Policy(), CorsRequest(A, "GET", "/".ljust(length, "-")))
        assert decision.explain().split()[1].count("-") == shown - 1
