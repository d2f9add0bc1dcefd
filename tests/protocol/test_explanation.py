"""Decisions in words."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

from flask_corsguard import Outcome, Policy, Reason
from flask_corsguard.protocol.decision import CorsRequest, Decision, Scope, decide
from flask_corsguard.protocol.explanation import advice, found, lines
from flask_corsguard.protocol.origins import PROBE_HOST
from flask_corsguard.protocol.reasons import HIDDEN_MARK

A = "https://a.example.com"
ACCEPTED = frozenset({"GET", "POST", "PUT", "MKCOL"})
HERE = Scope("users.list", "view users.list", "app.py:12", ACCEPTED)

SET = "(policy: view users.list, app.py:12)"


def check(origin: str) -> bool:
    raise KeyError(origin)


def refuses(origin: str) -> bool:
    return False


def test_the_whole_text() -> None:
    decision = decide(Policy(origins=A), CorsRequest("https://evil.com", "GET", "/users"), HERE)
    assert decision.explain() == (
        "GET /users from 'https://evil.com': rejected (ORIGIN_NOT_ALLOWED).\n"
        "  Policy: view users.list, app.py:12.\n"
        "  Found: the origin matches none of 'https://a.example.com'.\n"
        f'  To allow it: origins=["{A}", "https://evil.com"] {SET}.'
    )


NOT_NULL = (
    "serve the page from an origin of its own (a file: with 'python -m http.server'), with another"
    " Referrer-Policy; if a redirect from"
    " another origin led here, respond there with this URL in JSON, for the page to fetch, or with"
    " 401 if this is a sign-in page; do not allow 'null', which every site can send; mark a view"
    ' that everybody may read without credentials with @cors(origins="*")'
)
# policy fields, request, what was found, what to change: at the policy, if it is a value
TABLE: list[tuple[dict[str, Any], CorsRequest, str, str]] = [
    ({}, CorsRequest(A, "GET"), "the policy allows no other origin", f'origins=["{A}"]'),
    ({"origins": [re.compile("x+"), check]}, CorsRequest("null", "GET"),
     "the origin is opaque: the page is in a sandboxed frame, or is a local file; or its request"
     " was redirected from one other origin to another; or it sent a form under Referrer-Policy:"
     " no-referrer", NOT_NULL),
    ({"origins": re.compile("x+")}, CorsRequest(A, "GET"),
     "the origin matches none of re.compile('x+')", f"""origins=[re.compile('x+'), "{A}"]"""),
    ({"origins": ",".join(f"https://{n}.com" for n in range(9, 16) if n != 12)},
     CorsRequest(A, "GET"),
     "the origin matches none of 'https://9.com', 'https://10.com', 'https://11.com',"
     " 'https://13.com', 'https://14.com' and 1 more",
     'origins=["https://9.com", "https://10.com", "https://11.com", "https://13.com",'
     f' "https://14.com", "https://15.com", "{A}"]'),
    ({"origins": ",".join(f"https://{n}.com" for n in "abcde")}, CorsRequest(A, "GET"),
     "the origin matches none of 'https://a.com', 'https://b.com', 'https://c.com',"
     " 'https://d.com', 'https://e.com'",
     'origins=["https://a.com", "https://b.com", "https://c.com", "https://d.com", "https://e.com",'
     f' "{A}"]'),
    ({"origins": "https://*.example.com", "deny_origins": A}, CorsRequest(A, "GET"),
     "the origin is listed in deny_origins", "deny_origins=[]"),
    ({"origins": "*", "deny_origins": "https://b.com"}, CorsRequest("https://b.com", "GET"),
     "the origin is listed in deny_origins", "deny_origins=[]"),
    ({"origins": A}, CorsRequest("evil", "GET"),
     "browsers never send an origin like this: it is not scheme://host[:port] in lower case",
     "no setting can, because no page in a browser sends this origin"),
    ({"origins": A}, CorsRequest(A, "DELETE", preflight=True),
     "no route at this URL accepts DELETE", "add a route that accepts DELETE at this URL"),
    ({"origins": A, "methods": "PUT"}, CorsRequest(A, "DELETE", preflight=True),
     "DELETE is not one of the methods that the policy allows: GET, HEAD, POST, PUT; also: no route"
     " at this URL accepts DELETE",
     "add a route that accepts DELETE at this URL"),
    ({"origins": A, "methods": "DELETE"}, CorsRequest(A, "PUT", preflight=True),
     "PUT is not one of the methods that the policy allows: DELETE, GET, HEAD, POST",
     'methods=["DELETE", "PUT"]'),
    ({"origins": A}, CorsRequest(A, "patch", preflight=True),
     "method names are case-sensitive: patch is not PATCH",
     "have the page call fetch(url, {method: 'PATCH'}), which a route at this URL must accept"),
    ({"origins": A}, CorsRequest(A, "mkcol", preflight=True),
     "method names are case-sensitive: mkcol is not MKCOL",
     "have the page call fetch(url, {method: 'MKCOL'})"),
    ({"origins": A, "methods": ()}, CorsRequest(A, "a\nb'", preflight=True),
     r"a\nb\x27 is not one of the methods that the policy allows: GET, HEAD, POST",
     r"have the page use another method: no policy can allow a\nb\x27"),
    ({"origins": A, "methods": "*"}, CorsRequest(A, "TRACE", preflight=True),
     "TRACE is not one of the methods that the policy allows: *, GET, HEAD, POST",
     "have the page use another method: no policy can allow TRACE"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, "x-a, content-type, x-b"),
     "the page wants to send x-a, x-b; the policy allows Content-Type",
     'allow_headers=["Content-Type", "X-A", "X-B"]'),
    ({"origins": A, "allow_headers": ()},
     CorsRequest(A, "GET", "", True, ",".join(f"x-{n}" for n in range(7))),
     "the page wants to send x-0, x-1, x-2, x-3, x-4 and 2 more; the policy allows none",
     'allow_headers=["X-0", "X-1", "X-2", "X-3", "X-4", "X-5", "X-6"]'),
    ({"origins": A, "allow_headers": [f"X-{n}" for n in range(10)]},
     CorsRequest(A, "GET", "", True, "authorization"),
     "the page wants to send authorization; the policy allows X-0, X-1, X-2, X-3, X-4, X-5, X-6,"
     " X-7, X-8, X-9",
     'allow_headers=["X-0", "X-1", "X-2", "X-3", "X-4", "X-5", "X-6", "X-7", "X-8", "X-9",'
     ' "Authorization"]'),
    ({"origins": A, "allow_headers": "*"}, CorsRequest(A, "GET", "", True, "authorization"),
     "the page wants to send authorization; the policy allows * ('*' never covers Authorization)",
     'allow_headers=["*", "Authorization"]'),
    ({"origins": A}, CorsRequest(A, "GET", "", True, "x y"),
     "the requested headers are not a list of header names, or they have more than 4096 characters,"
     " 128 names, or 256 names counting empty ones",
     "have the page send fewer or shorter header names"),
    ({"origins": A}, CorsRequest(A, "GET", "", True, None, True),
     "the browser asks whether a public page may reach this private network",
     "allow_private_network=True"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "request_", "found", "change"),
    TABLE,
    ids=[f"{number} {row[3][:40]}" for number, row in enumerate(TABLE)],
)
def test_each_reason(
    fields: dict[str, Any], request_: CorsRequest, found: str, change: str
) -> None:
    """For each reason, the explanation says what was found, and what to change in which policy."""
    decision = decide(Policy(**fields), request_, HERE)
    assert decision.explain().splitlines()[1:] == [
        "  Policy: view users.list, app.py:12.",
        f"  Found: {found}.",
        f"  To allow it: {change}{f' {SET}' if '=' in change and '@' not in change else ''}.",
    ]


def test_every_reason_has_words() -> None:
    decision = decide(Policy(origins=A), CorsRequest("no origin", "GET"))
    for reason in Reason:
        assert reason.name in decision._replace(reason=reason).explain()


def test_a_check_that_failed() -> None:
    lines = decide(Policy(origins=check), CorsRequest(A, "GET"), HERE).explain().splitlines()
    assert lines[0] == f"GET (endpoint users.list) from '{A}': rejected (ORIGIN_CHECK_FAILED)."
    assert lines[2].startswith("  Found: the callable in origins failed: KeyError")
    assert "test_explanation.py:" in lines[2]
    assert lines[3] == "  To allow it: fix the callable so that it returns True or False."


@pytest.mark.parametrize(
    ("origins", "origin", "near"),
    [
        ("http://a.com", "https://a.com", "'http://a.com' would match: only the scheme differs"),
        ("http://www.a.com", "https://a.com", ""),
        ("app://a.com", "web://a.com", ""),
        ("https://*.b.com", "https://c.com", ""),
        (A, "http://a.example.com", f"'{A}' would match: only the scheme differs"),
        (A, f"{A}:8443", f"'{A}' differs only in the port"),
        (f"{A}:8443", A, f"'{A}:8443' differs only in the port"),
        ("https://www.b.com", "https://b.com",
         "'https://www.b.com' would match: only the www. differs"),
        ("https://b.com", "https://www.b.com",
         "'https://b.com' would match: only the www. differs"),
        ("https://*.b.com:1", "https://b.com:1",
         "'https://*.b.com:1' covers sub-domains but not 'b.com' itself"),
        ("http://localhost:3000", "http://127.0.0.1:3000",
         "'http://localhost:3000' would match: 127.0.0.1 and localhost are different origins"),
        ("http://127.0.0.1:3000", "http://localhost:3000",
         "'http://127.0.0.1:3000' would match: localhost and 127.0.0.1 are different origins"),
        ("http://localhost:*", "http://[::1]:3000",
         "'http://localhost:3000' would match: [::1] and localhost are different origins"),
        ("http://0.0.0.0:3000", "http://localhost:3000",
         "'http://0.0.0.0:3000' would match: localhost and 0.0.0.0 are different origins"),
        ("http://localhost:3000", "http://127.0.0.1:5173",
         "'http://localhost:3000' has a different port, and 127.0.0.1 and localhost are different"
         " origins"),
        ("http://localhost:3000", "http://localhost:5173",
         "'http://localhost:3000' differs only in the port"),
        ("http://localhost:3000", "https://127.0.0.1:3000", ""),
        ("http://localhost:3000", "http://192.168.0.1:3000", ""),
    ],
)  # fmt: skip
def test_near_misses(origins: str, origin: str, near: str) -> None:
    """An entry that was probably meant to match is named, with the difference."""
    found = decide(Policy(origins=origins), CorsRequest(origin, "GET")).explain().splitlines()[2]
    near = f"; {near}" if near else ""
    assert found == f"  Found: the origin matches none of '{origins}'{near}."


@pytest.mark.parametrize(
    ("origins", "found"),
    [
        ([lambda origin: False], "<lambda>() returned False"),
        ([functools.partial(str.__eq__, "")], "partial() returned False"),
        ([*(f"https://{n}.com" for n in range(10, 15)), refuses],
         "the origin matches none of 'https://10.com', 'https://11.com', 'https://12.com',"
         " 'https://13.com', 'https://14.com', and refuses() returned False"),
        ([*(f"https://{n}.com" for n in range(10, 16)), refuses],
         "the origin matches none of 'https://10.com', 'https://11.com', 'https://12.com',"
         " 'https://13.com', 'https://14.com' and 1 more, and refuses() returned False"),
        (["https://b.com", refuses],
         "the origin matches none of 'https://b.com', and refuses() returned False"),
        (["http://a.example.com", refuses],
         "the origin matches none of 'http://a.example.com', and refuses() returned False;"
         " 'http://a.example.com' would match: only the scheme differs"),
    ],
    ids=["lambda", "partial", "beside five", "beside six", "beside a list", "near"],
)  # fmt: skip
def test_a_callable_that_said_no(origins: Any, found: str) -> None:
    lines = decide(Policy(origins=origins), CorsRequest(A, "GET")).explain().splitlines()
    assert lines[2] == f"  Found: {found}."


def test_a_page_that_asks_with_credentials() -> None:
    """The guard is not told of that; who knows can say so."""
    decision = decide(Policy(), CorsRequest(A, "GET"), HERE)
    with_them = [*lines(decision, credentials=True)]
    assert with_them[:3] == [*lines(decision)][:3]
    assert with_them[3] == f'  To allow it: origins=["{A}"], allow_credentials=True {SET}.'
    assert [*advice(decision)] == [f'To allow it: origins=["{A}"] {SET}']


def test_a_handshake_that_no_route_takes() -> None:
    decision = decide(Policy(), CorsRequest(A, "GET", "/chat"))
    lines = decision._replace(outcome=Outcome.UNENFORCED).explain().splitlines()
    assert lines[2].endswith(", but no route of the app accepts this one.")
    assert lines[3] == '  To refuse it: enforce="unsafe" (policy: default).'
    assert lines[4].startswith("  To admit it: check the URL, the method and the trailing slash: ")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    request = CorsRequest(A, "PUT", "/users", True, "x-a", True)
    assert decide(Policy(origins="https://b.com", methods="DELETE"), request, HERE).explain() == (
        f"preflight for PUT /users from '{A}': rejected (ORIGIN_NOT_ALLOWED).\n"
        "  Policy: view users.list, app.py:12.\n"
        "  Found: the origin matches none of 'https://b.com'; also: PUT is not one of the"
        " methods that the policy allows: DELETE, GET, HEAD, POST; also: the page wants to send"
        " x-a; the policy allows Content-Type; also: the browser asks whether a public page may"
        " reach this private network.\n"
        f'  To allow it: origins=["https://b.com", "{A}"], methods=["DELETE", "PUT"],'
        f' allow_headers=["Content-Type", "X-A"], allow_private_network=True {SET}.'
    )


@pytest.mark.parametrize(
    ("changes", "first", "found", "change"),
    [
        ({"blocked": True, "detail": "Sec-Fetch-Site is 'same-site'"},
         f"POST (endpoint users.list) from '{A}': refused (ORIGIN_NOT_ALLOWED).",
         "the policy allows no other origin; Sec-Fetch-Site is 'same-site'",
         f'origins=["{A}"] {SET}'),
        ({"report_only": True},
         f"POST (endpoint users.list) from '{A}': would be rejected (ORIGIN_NOT_ALLOWED).",
         "the policy allows no other origin", f'origins=["{A}"] {SET}'),
        ({"blocked": True, "origin": None, "reason": Reason.CROSS_SITE_REQUEST},
         "POST (endpoint users.list): refused (CROSS_SITE_REQUEST).",
         "another site caused the request, and without an Origin header it is not known which",
         f'enforce="off" {SET}; other sites can then cause such requests'),
        ({"blocked": True, "reason": Reason.CROSS_SITE_REQUEST},
         f"POST (endpoint users.list) from '{A}': refused (CROSS_SITE_REQUEST).",
         "origins='*' only lets pages read; with enforce, pages of other sites may not open a"
         " WebSocket or use a method that can change something",
         f'enforce="off" {SET}; other sites can then cause such requests'),
        ({"blocked": True, "origin": None, "reason": Reason.SPECULATIVE, "detail": "this"},
         "POST (endpoint users.list): refused (SPECULATIVE).",
         "the browser sent this ahead of time, perhaps for a page of another site; this",
         "nothing to do, because the browser asks again when the user goes there; requests ahead"
         " of time are let through from the app's own pages if they send Referer, and from every"
         " site with"
         ' enforce="unsafe"'),
        ({"reason": Reason.PATH_AMBIGUOUS, "detail": "as sent, this; normalised, that"},
         f"POST (endpoint users.list) from '{A}': rejected (PATH_AMBIGUOUS).",
         "the path can be read in two ways; as sent, this; normalised, that",
         "have the page request the normalised path; or mark the view with a whole policy, such"
         " as @cors(Policy(...)), which then applies to every path"),
        ({"reason": Reason.CREDENTIALS_NOT_ALLOWED},
         f"POST (endpoint users.list) from '{A}': rejected (CREDENTIALS_NOT_ALLOWED).",
         "the origin may read, but not with credentials, and guard.origin_check was asked for both",
         f"allow_credentials=True {SET}"),
    ],
)  # fmt: skip
def test_what_the_server_refuses(
    changes: dict[str, Any], first: str, found: str, change: str
) -> None:
    rejected = decide(Policy(enforce="unsafe"), CorsRequest(A, "POST"), HERE)
    assert rejected._replace(**changes).explain() == (
        f"{first}\n  Policy: view users.list, app.py:12.\n  Found: {found}.\n"
        f"  To allow it: {change}."
    )


def test_a_path_with_two_readings_in_front_of_an_app_that_refuses_nothing() -> None:
    """No mark helps where everything is refused whose path has two readings."""
    decision = decide(Policy(origins=A), CorsRequest(A, "GET", "//users"), HERE)
    refused = decision._replace(
        outcome=Outcome.REJECTED, reason=Reason.PATH_AMBIGUOUS, blocked=True
    )
    assert [*advice(refused)] == ["To allow it: have the page request the normalised path"]


FRONT = "WhiteNoise responds to it"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (None, f"GET (endpoint users.list) from '{A}': not for the guard to decide.\n"
         f"  In front: {FRONT}."),
        (Policy(origins=A),
         f"GET (endpoint users.list) from '{A}': allowed.\n  In front: {FRONT}.\n"
         "  Policy: view users.list, app.py:12.\n"
         "  Found: the origin may read the response."),
    ],
    ids=["which does not ask", "which asks"],
)  # fmt: skip
def test_what_responds_in_front_of_the_app(policy: Policy | None, text: str) -> None:
    decision = decide(policy, CorsRequest(A, "GET"), HERE)._replace(in_front=FRONT)
    assert decision.explain() == text
    assert found(decision) == (FRONT if policy is None else "the origin may read the response")


@pytest.mark.parametrize(
    ("report_only", "verdict"),
    [(False, "not refused"), (True, "would not be refused")],
    ids=["in force", "report-only"],
)
def test_a_handshake_that_nothing_refuses(report_only: bool, verdict: str) -> None:
    decision = decide(Policy(origins="https://b.com"), CorsRequest(A, "GET", "/chat"), HERE)
    assert decision._replace(outcome=Outcome.UNENFORCED, report_only=report_only).explain() == (
        f"GET /chat from '{A}': {verdict} (ORIGIN_NOT_ALLOWED).\n"
        "  Policy: view users.list, app.py:12.\n"
        "  Found: the origin matches none of 'https://b.com'; browsers do not block WebSocket"
        " handshakes: if the view opens the socket, any page of that origin can use it.\n"
        f'  To refuse it: enforce="unsafe" {SET}.\n'
        f'  To admit it: origins=["https://b.com", "{A}"] {SET}.'
    )


@pytest.mark.parametrize(
    ("decision", "first", "found"),
    [
        (decide(Policy(), CorsRequest(None, "GET")), "GET: not a CORS request.",
         "there is no Origin header, so there is nothing for CORS to decide"),
        (decide(Policy(origins=A), CorsRequest(A, "GET"), HERE),
         f"GET (endpoint users.list) from '{A}': allowed.", "the origin may read the response"),
        (decide(Policy(origins=A), CorsRequest(A, "GET", preflight=True), HERE),
         f"preflight for GET (endpoint users.list) from '{A}': allowed.",
         "the origin may read the response"),
        (decide(None, CorsRequest(A, "GET"), HERE),
         f"GET (endpoint users.list) from '{A}': exempt.",
         "the route is marked cors_exempt, so the guard leaves its responses alone"),
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


@pytest.mark.parametrize(
    "origin", ["https://{}", "http://{}:3000", "https://a.example.{}", "http://localhost:1.{}"]
)
@pytest.mark.parametrize("fields", [{"origins": A}, {"enforce": "unsafe"}])
def test_no_advice_for_a_made_up_origin(origin: str, fields: dict[str, Any]) -> None:
    """Whoever pastes it would list an origin that no page has."""
    request_ = CorsRequest(origin.format(PROBE_HOST), "PUT", preflight=True)
    *_, last = decide(Policy(**fields), request_, HERE).explain().splitlines()
    assert last == "  No page has this origin: flask cors verify made it up."


OVERRIDE = Policy(origins=A, dangerously_let_views_override=True)
UNLESS = ", unless the view overrides it"
NOT_KNOWN = (
    "whether the view sets Access-Control-* headers itself; the guard would leave them alone"
    " (dangerously_let_views_override), and they would decide what the page may do"
)


@pytest.mark.parametrize(
    ("origin", "verdict"),
    [(A, "allowed"), ("https://evil.com", "rejected (ORIGIN_NOT_ALLOWED)")],
    ids=["allowed", "rejected"],
)
def test_where_a_view_may_override(origin: str, verdict: str) -> None:
    """Before the response it is not known, and said so; after it, it is."""
    decision = decide(OVERRIDE, CorsRequest(origin, "GET"), HERE)
    first, _, _, unknown, *_ = decision.explain().splitlines()
    assert first == f"GET (endpoint users.list) from '{origin}': {verdict}{UNLESS}."
    assert unknown == f"  Not known: {NOT_KNOWN}."
    usual = decide(Policy(origins=A), CorsRequest(origin, "GET"), HERE)
    assert decision.settled(has_own=False).explain() == usual.explain()
    assert decision.settled(has_own=True).explain() == (
        f"GET (endpoint users.list) from '{origin}': decided by the view.\n"
        "  Policy: view users.list, app.py:12.\n"
        "  Found: the view has set Access-Control-* headers itself; the guard leaves them alone"
        " (dangerously_let_views_override), and they decide what the page may do."
    )


@pytest.mark.parametrize(
    "decision",
    [
        decide(OVERRIDE, CorsRequest(A, "GET", preflight=True), HERE),
        decide(OVERRIDE, CorsRequest(None, "GET"), HERE),
        decide(OVERRIDE, CorsRequest("https://evil.com", "POST"), HERE)._replace(blocked=True),
        decide(OVERRIDE, CorsRequest("https://evil.com", "POST"), HERE)._replace(report_only=True),
    ],
    ids=["a preflight", "no Origin", "refused", "would be refused"],
)
def test_where_no_view_can_make_another_verdict(decision: Decision) -> None:
    assert UNLESS not in decision.explain()
    assert "Not known" not in decision.explain()


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


def test_a_long_path_is_cut() -> None:
    for length, shown in ((199, 199), (200, 200), (201, 200), (5000, 200)):
        decision = decide(Policy(), CorsRequest(A, "GET", "/".ljust(length, "-")))
        assert decision.explain().split()[1].count("-") == shown - 1


@pytest.mark.parametrize(
    ("origin", "credentials", "named"),
    [
        ("https://b.com", False, ["CORS_ORIGINS in app.config"]),
        ("https://b.com", True, ["CORS_ORIGINS in app.config", "CORS_SUPPORTS in app.config"]),
        (A, False, []),
    ],
    ids=["a rejection", "a rejection with credentials", "allowed"],
)
def test_settings_without_effect(origin, credentials, named):
    """Those that would have mattered for this verdict."""
    vain = {
        "origins": "CORS_ORIGINS in app.config",
        "methods": "CORS_METHODS in app.config",
        "allow_credentials": "CORS_SUPPORTS in app.config",
    }
    decision = decide(Policy(origins=A), CorsRequest(origin, "GET"), Scope(without_effect=vain))
    found = [line for line in lines(decision, credentials=credentials) if "Ignored" in line]
    assert found == ([f"  Ignored: {'; '.join(named)}."] if named else [])


def test_a_mark_that_is_hidden_comes_first() -> None:
    decision = decide(Policy(origins=A), CorsRequest("https://b.com", "GET"), HERE)
    decision = decision._replace(without_effect={HIDDEN_MARK: "@cors is hidden. Do this."})
    assert decision.explain().endswith("\n  To allow it: first fix this: @cors is hidden. Do this.")
