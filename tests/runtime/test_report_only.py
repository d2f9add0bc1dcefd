"""A report-only policy: no response changes, and the signals say what it would have refused."""

import itertools
import json

import pytest
from flask import Blueprint, Flask, abort, redirect

from flask_corsguard import (
    CorsGuard,
    Policy,
    PolicyError,
    cors,
    cors_exempt,
    current_decision,
    origin_rejected,
)
from flask_corsguard.runtime.state import state_of
from tests.raised import RAISED, SHUTDOWNS

KNOWN = "https://app.example"
PARTNER = "https://partner.example"
EVIL = "https://evil.example"
STRICT = Policy(origins=KNOWN, enforce="unsafe")
CROSS = {"HTTP_SEC_FETCH_SITE": "cross-site"}
STAR = {"Access-Control-Allow-Origin": "*"}


def make_app(**settings) -> Flask:
    """One route of each kind."""
    app = Flask("open", static_folder=None)
    app.secret_key = "only for tests"
    api = Blueprint("api", __name__, url_prefix="/api")
    cors(max_age=5)(api)
    api.add_url_rule("/", "index", lambda: "api", methods=["GET", "PUT"])
    app.register_blueprint(api)
    app.add_url_rule("/", "index", lambda: "index", methods=["GET", "POST"])
    app.add_url_rule("/slash/", "slash", lambda: "slash", methods=["GET", "POST"])
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    app.add_url_rule("/gone", "gone", lambda: abort(410))
    app.add_url_rule("/moved", "moved", lambda: redirect("/"))
    app.add_url_rule("/own", "own", cors(origins=EVIL)(lambda: "own"), methods=["GET", "POST"])
    app.add_url_rule(
        "/replaced", "replaced", cors(Policy(origins=PARTNER))(lambda: "x"), methods=["GET", "POST"]
    )
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "x"), methods=["GET", "POST"])
    CorsGuard(app, **settings)
    return app


def whole(response):
    return response.status, list(response.headers), response.data


PATHS = [
    "/", "/slash", "/fails", "/gone", "/moved", "/own", "/replaced", "/exempt", "/nowhere", "/api/",
    "/api/nowhere",
]  # fmt: skip
REAL = {
    "open": {"origins": "*"},
    "closed": {},
    "partners": {"origins": [KNOWN, PARTNER], "allow_credentials": True},
    "enforcing": {"origins": PARTNER, "enforce": "unsafe"},
}
ORIGINS = [None, KNOWN, PARTNER, EVIL, "null", "http://localhost", "x" * 400]


@pytest.mark.parametrize("how", [*REAL, "report"])
@pytest.mark.parametrize("path", PATHS)
def test_no_response_changes(http, how, path):
    """A report-only policy beside any other, or ``enforce="report"``, changes no byte of any
    response."""
    if how == "report":
        without, beside = make_app(origins=PARTNER), make_app(origins=PARTNER, enforce="report")
    else:
        without, beside = make_app(**REAL[how]), make_app(**REAL[how], report_only=STRICT)
    for origin, method, environ in itertools.product(ORIGINS, ("GET", "POST"), ({}, CROSS)):
        sent = (path, origin, method, environ)
        assert whole(http.open(beside, *sent)) == whole(http.open(without, *sent))
        if origin is not None and not environ:
            requested = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
            sent = (path, origin, "OPTIONS", requested)
            assert whole(http.open(beside, *sent)) == whole(http.open(without, *sent))


def reports(heard):
    """The verdicts of the report-only policy."""
    found = [signal for signal in heard if signal.decision.report_only]
    heard.clear()
    return [(s.name, s.decision.reason.name, s.decision.policy_source) for s in found]


NOT_ALLOWED = ("origin-rejected", "ORIGIN_NOT_ALLOWED")
SIGNALS = [
    ("/", KNOWN, "GET", None),
    ("/", None, "GET", None),
    ("/", "http://localhost", "GET", None),
    ("/", PARTNER, "GET", (*NOT_ALLOWED, "report_only")),
    ("/", PARTNER, "POST", (*NOT_ALLOWED, "report_only")),
    ("/", "null", "GET", ("origin-rejected", "ORIGIN_NULL", "report_only")),
    ("/nowhere", EVIL, "GET", (*NOT_ALLOWED, "report_only")),
    ("/fails", EVIL, "GET", (*NOT_ALLOWED, "report_only")),
    # marks go on top of it as they go on top of the default policy
    ("/api/", EVIL, "GET", (*NOT_ALLOWED, "blueprint api over report_only")),
    ("/api/", KNOWN, "GET", None),
    ("/own", EVIL, "GET", None),
    ("/own", PARTNER, "GET", (*NOT_ALLOWED, "view own over report_only")),
    # if a mark replaces the policy whole, or no policy applies, it has no say
    ("/replaced", EVIL, "GET", None),
    ("/replaced", PARTNER, "POST", None),
    ("/exempt", EVIL, "POST", None),
]


@pytest.mark.parametrize(("path", "origin", "method", "expected"), SIGNALS)
@pytest.mark.parametrize("real", ["open", "enforcing"])
def test_what_is_signalled(http, heard, log_lines, real, path, origin, method, expected):
    """What would be rejected has one signal and one line, after those of the real verdict."""
    app = make_app(**REAL[real], report_only=STRICT)
    http.send(app, path, origin, method=method)
    decisions = [signal.decision for signal in heard]
    assert reports(heard) == ([expected] if expected else [])
    assert sum("would be rejected" in line for line in log_lines()) == bool(expected)
    assert [d.report_only for d in decisions] == sorted(d.report_only for d in decisions)
    assert not any(d.blocked for d in decisions if d.report_only)


@pytest.mark.parametrize("where", ["constructor", "fields", "configuration", "environment"])
def test_where_it_is_set(app, http, heard, log_lines, monkeypatch, where):
    """The line in the log says where the report-only policy was set."""
    fields = {"origins": [KNOWN], "enforce": "unsafe"}
    given = {}
    location = "CORSGUARD_REPORT_ONLY in app.config"
    if where in ("constructor", "fields"):
        given = {"report_only": Policy(**fields) if where == "constructor" else fields}
        location = "tests/"
    elif where == "configuration":
        app.config["CORSGUARD_REPORT_ONLY"] = Policy(**fields)
    else:
        monkeypatch.setenv("FLASK_CORSGUARD_REPORT_ONLY", json.dumps(fields))
        app.config.from_prefixed_env()
    CorsGuard(app, origins="*", **given)
    app.add_url_rule("/", "index", lambda: "ok", methods=["POST"])

    assert http.send(app, "/", EVIL, method="POST", environ=CROSS) == (200, STAR)
    names = [(s.name, s.decision.report_only, s.decision.blocked) for s in heard]
    assert names == [("origin-allowed", False, False), ("origin-rejected", True, False)]
    assert heard[1].decision.policy == STRICT
    said = f"POST / from '{EVIL}': would be rejected (ORIGIN_NOT_ALLOWED)"
    assert heard[1].decision.explain().splitlines()[0] == f"{said}."
    [line] = log_lines()
    assert line.startswith(f"{said} by the report-only policy ({location}")
    assert line.endswith("; Sec-Fetch-Site is 'cross-site'.")


def test_a_report_beside_a_rejection(site, http, heard, log_lines):
    """A report and a rejection are both logged, and neither line silences the other."""
    CorsGuard(site, report_only=STRICT)
    http.send(site, "/", EVIL)
    assert [signal.decision.report_only for signal in heard] == [False, True]
    assert [line.split(": ")[1].split(" (")[0] for line in log_lines()] == [
        "rejected",
        "would be rejected",
    ]


def test_preflights(app, http, heard):
    CorsGuard(app, origins="*", methods="*", report_only=Policy(origins=KNOWN, methods=["PUT"]))
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT", "DELETE"])
    for origin, method in ((KNOWN, "PUT"), (KNOWN, "DELETE"), (EVIL, "PUT")):
        assert http.preflight(app, "/", origin, method).status == 204
    assert reports(heard) == [
        ("preflight-rejected", "METHOD_NOT_ALLOWED", "report_only"),
        ("origin-rejected", "ORIGIN_NOT_ALLOWED", "report_only"),
    ]


def test_requests_without_an_origin(site, http, heard):
    CorsGuard(site, report_only=Policy(enforce="all"))
    assert http.send(site, "/", environ=CROSS) == http.refused()
    assert http.send(site, "/") == http.refused()
    assert reports(heard) == [("origin-rejected", "CROSS_SITE_REQUEST", "report_only")]


def test_the_view_and_receivers_see_the_real_verdict(app, http):
    seen = []
    CorsGuard(app, origins="*", report_only=STRICT)
    app.add_url_rule("/", "index", lambda: current_decision.outcome.name)

    def receive(sender, decision):
        seen.append((decision.report_only, current_decision.report_only))

    with origin_rejected.connected_to(receive):
        assert http.open(app, "/", EVIL).text == "ALLOWED"
    assert seen == [(True, False)]


def test_two_reports(app, http, heard, log_lines):
    CorsGuard(app, enforce="report", report_only=Policy(enforce="all"))
    app.add_url_rule("/", "index", lambda: "ok", methods=["POST"])
    http.send(app, "/", EVIL, method="POST", environ=CROSS)
    assert [s.decision.policy_source for s in heard] == ["default", "report_only"]
    assert [line.split(" by ")[1].split(" (")[0] for line in log_lines()] == [
        "the default policy",
        "the report-only policy",
    ]


@pytest.mark.parametrize("inner", ["fields", "exempt"])
def test_fields_inside_a_policy_that_replaces(app, http, heard, inner):
    """The default policy has no say there, so neither has the report-only one."""
    blueprint = cors(Policy(origins=PARTNER))(Blueprint("api", __name__))
    child = Blueprint("child", __name__)
    if inner == "exempt":
        cors_exempt(child)
    child.add_url_rule("/", "index", cors(max_age=5)(lambda: "ok"))
    blueprint.register_blueprint(child)
    app.register_blueprint(blueprint)
    CorsGuard(app, origins="*", report_only=STRICT)
    assert http.send(app, "/", EVIL) == http.refused()
    assert [signal.decision.report_only for signal in heard] == [False]


@pytest.mark.parametrize("fields", [{"origins": PARTNER}, {"raw_origins": "file://"}], ids=str)
def test_who_may_read_inside_of_a_list(app, http, heard, fields):
    """Nobody can say which of several report-only policies that is for."""
    app.add_url_rule("/", "index", cors(**fields)(lambda: "ok"))
    CorsGuard(app, report_only=[Policy(origins=KNOWN), Policy(origins="*")])
    assert http.send(app, "/", EVIL) == http.refused()
    assert [signal.decision.report_only for signal in heard] == [False]


# Turning it on and off


@pytest.mark.parametrize(
    ("configured", "given"),
    [(False, {}), (None, {}), ({"origins": KNOWN}, {"report_only": False})],
    ids=["False", "None", "the constructor wins"],
)
def test_turned_off(app, http, heard, configured, given):
    app.config["CORSGUARD_REPORT_ONLY"] = configured
    CorsGuard(app, **given)
    http.send(app, "/", EVIL)
    assert [signal.decision.report_only for signal in heard] == [False]


def test_reconfigured(site, http, heard):
    guard = CorsGuard(site, origins="*")

    def report():
        http.send(site, "/", EVIL)
        return [policy for *_, policy in reports(heard)]

    assert report() == []
    guard.reconfigure(report_only=STRICT, app=site)
    assert report() == ["report_only"]
    guard.reconfigure(max_age=5, app=site)
    assert report() == ["report_only"]
    with pytest.raises(PolicyError):
        guard.reconfigure(report_only={"orgins": KNOWN}, app=site)
    assert report() == ["report_only"]
    guard.reconfigure(report_only=False, app=site)
    assert report() == []
    guard.reconfigure(report_only={"origins": EVIL}, app=site)
    assert report() == []


# Mistakes and failures


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ("partners", "unknown_policy", "policy"),
        (True, "wrong_type", "report_only"),
        ("", "wrong_type", "report_only"),
        ([KNOWN], "wrong_type", "report_only"),
        ({"orgins": KNOWN}, "unknown_field", "orgins"),
        ({"origins": "app.example"}, "origin_no_scheme", "origins"),
        ({"origins": "*", "allow_credentials": True}, "credentials_any_origin", "origins"),
    ],
)
@pytest.mark.parametrize("how", ["constructor", "configuration"])
def test_what_it_is_not(app, value, code, field, how):
    """report_only is checked like the default policy, and the problem says where it was given."""
    given = {"report_only": value} if how == "constructor" else {}
    app.config.update({} if given else {"CORSGUARD_REPORT_ONLY": value})
    with pytest.raises(PolicyError) as caught:
        CorsGuard(app, **given)
    [problem] = caught.value.problems
    assert (problem.code, problem.field) == (code, field)
    assert ("CORSGUARD_REPORT_ONLY" in problem.where) == (how == "configuration")


def test_one_that_does_not_fit_the_marks(app, http):
    """A report-only policy that does not fit the marks is found at the first request."""
    CorsGuard(app, report_only=Policy(origins=KNOWN, allow_credentials=True))
    app.add_url_rule("/", "index", cors(origins="*")(lambda: "ok"))
    app.testing = True
    with pytest.raises(PolicyError) as caught:
        http.send(app, "/")
    [problem] = caught.value.problems
    assert problem.code == "credentials_any_origin"
    assert problem.where.startswith("view index over report_only (tests/runtime/")


def raising(origin):
    raise LookupError("the store is away")


def test_a_failing_callable(site, http, heard, log_lines):
    CorsGuard(site, origins="*", report_only=Policy(origins=raising))
    assert http.send(site, "/", EVIL) == (200, STAR)
    assert reports(heard) == [("origin-rejected", "ORIGIN_CHECK_FAILED", "report_only")]
    [line] = log_lines()
    assert "LookupError" in line


def test_one_that_fails(site, http, log_lines, monkeypatch):
    """Requests go on even if the report-only policy fails."""
    CorsGuard(site, origins=KNOWN, report_only=STRICT)
    report_only = state_of(site).put_in_force().report_only
    monkeypatch.setattr(report_only, "_lookup", None)
    assert http.send(site, "/", KNOWN) == http.allowed(KNOWN)
    [line] = log_lines()
    assert line.startswith("the policy in report_only failed: AttributeError")


@pytest.mark.parametrize("error", RAISED.values(), ids=RAISED)
def test_one_that_raises_what_is_no_exception(site, http, log_lines, monkeypatch, error):
    """A time-out or a cancellation is a failure; only a shutdown gets through."""

    class Failing:
        def by_rule(self, *_, **__):
            raise error()

    CorsGuard(site, origins=KNOWN, report_only=STRICT)
    report_only = state_of(site).put_in_force().report_only
    monkeypatch.setattr(report_only, "_lookup", Failing())
    if error in SHUTDOWNS.values():
        with pytest.raises(type(error())):
            http.send(site, "/", KNOWN)
        return
    assert http.send(site, "/", KNOWN) == http.allowed(KNOWN)
    [line] = log_lines()
    assert line.startswith(f"the policy in report_only failed: {type(error()).__name__}")


def test_a_failing_log(site, http, failing_log):
    CorsGuard(site, origins="*", report_only=STRICT)
    assert http.send(site, "/", EVIL) == (200, STAR)
    assert failing_log == ["WARNING"]


@pytest.mark.parametrize(
    ("reported", "verdict", "signals"),
    [
        ({"origins": KNOWN}, "would not be refused", []),
        ({"origins": KNOWN, "enforce": "unsafe"}, "would be rejected", ["origin-rejected"]),
    ],
    ids=["not enforced", "enforced"],
)
def test_a_handshake(site, http, heard, log_lines, reported, verdict, signals):
    """A report-only policy that would not refuse a handshake does not say that it would."""
    CorsGuard(site, origins=[KNOWN, PARTNER], report_only=reported)
    http.send(site, "/", PARTNER, environ={"HTTP_UPGRADE": "websocket"})
    (line,) = log_lines()
    assert (
        f"GET / from '{PARTNER}': {verdict} (ORIGIN_NOT_ALLOWED) by the report-only policy ("
        in line
    )
    assert [sent.name for sent in heard] == ["origin-allowed", *signals]
