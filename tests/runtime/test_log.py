"""What the guard writes to the log ``flask_corsguard``."""

import atexit
import gc
import logging
import re
import subprocess
import sys
import threading
import weakref
from functools import partial
from types import SimpleNamespace

import pytest
from flask import Blueprint, Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_corsguard import CorsGuard, Policy, Reason, cors
from flask_corsguard.logging import RateLimit
from flask_corsguard.runtime.state import state_of
from flask_corsguard.simulate import explain
from tests.raised import FAILURES, SHUTDOWNS

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
MOST_LINES = 60
MOST_REMEMBERED = 1024


@pytest.fixture
def shop(app):
    """An app with a view that takes GET and PUT, and one of a blueprint."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/x", "x", lambda: "ok", methods=["GET", "PUT"])
    api = cors(origins=SHOP)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/y", "y", lambda: "ok", methods=["PUT"])
    app.register_blueprint(api)
    return app


@pytest.fixture
def clock(shop):
    """The clock of *shop*'s log, which goes when it is told to."""
    clock = SimpleNamespace(now=1000.0)
    log = state_of(shop).log
    log.rate_limit._clock = log._failures._clock = lambda: clock.now
    return clock


@pytest.mark.parametrize(
    ("path", "method", "origin", "parts"),
    [
        ("/x", "GET", PARTNER, ["GET", "/x", PARTNER, "ORIGIN_NOT_ALLOWED", "default"]),
        ("/x", "PUT", "null", ["PUT", "/x", "'null'", "ORIGIN_NULL", "default"]),
        ("/x", "GET", "X", ["GET", "/x", "'X'", "ORIGIN_MALFORMED", "default"]),
        ("/api/y", "PUT", PARTNER, ["PUT", "/api/y", "ORIGIN_NOT_ALLOWED", "blueprint api"]),
        ("/none", "GET", PARTNER, ["GET", "/none", "ORIGIN_NOT_ALLOWED", "default"]),
    ],
)
def test_one_line_for_a_rejection(shop, http, caplog, path, method, origin, parts):
    """Each rejection is a warning: who asked for what, why it was rejected, and by which policy."""
    http.send(shop, path, origin, method=method)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("flask_corsguard", logging.WARNING)
    assert [part for part in parts if part not in record.getMessage()] == []


BY = " by the default policy"


def without_places(lines):
    return [re.sub(r" \(\S+\.py:\d+\)", "", line) for line in lines]


@pytest.mark.parametrize(
    ("method", "headers", "reason", "rest"),
    [
        ("DELETE", None, "METHOD_NOT_ALLOWED", "; no route at this URL accepts DELETE."),
        ("put", None, "METHOD_NOT_ALLOWED", "; method names are case-sensitive: put is not PUT."),
        ("PUT", "x a", "HEADERS_MALFORMED", f"{BY}."),
        ("PUT", "x-a", "HEADERS_NOT_ALLOWED", f"{BY}; not allowed: x-a."),
        ("PUT", "content-type, Authorization,x-request-id", "HEADERS_NOT_ALLOWED",
         f"{BY}; not allowed: authorization, x-request-id."),
        ("PUT", "x-'`,x-1,x-2,x-3,x-4,x-5,x-6", "HEADERS_NOT_ALLOWED",
         rf"{BY}; not allowed: x-\x27`, x-1, x-2, x-3, x-4 and 2 more."),
        ("PUT", "x" * 1000, "HEADERS_NOT_ALLOWED",
         f"{BY}; not allowed: {'x' * 60}... (1000 characters)."),
        ("DELETE", "x-a", "METHOD_NOT_ALLOWED", "; no route at this URL accepts DELETE."),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_one_line_for_a_refused_preflight(shop, http, log_lines, method, headers, reason, rest):
    http.preflight(shop, "/x", SHOP, method, headers)
    who = f"preflight for {method} /x from '{SHOP}'"
    assert without_places(log_lines()) == [f"{who}: rejected ({reason}){rest}"]


def test_made_up_headers_make_no_lines(shop, http, log_lines):
    """Whoever sends preflights can name any headers: these lines are alike."""
    for number in range(10):
        http.preflight(shop, "/x", SHOP, "PUT", f"x-{number}")
    (line,) = log_lines()
    assert line.endswith("; not allowed: x-0.")


@pytest.mark.parametrize(
    ("path", "method", "rest"),
    [
        ("/pay/", "GET", "; no route matches."),
        ("/x/", "PUT", "; no route matches."),
        ("/x", "POST", "; no route at this URL accepts POST."),
        ("/x", "GET", "."),
    ],
)
def test_where_the_route_is_missing(shop, http, log_lines, path, method, rest):
    """Nobody needs to open the policy for that."""
    http.send(shop, path, PARTNER, method=method)
    who = f"{method} {path} from '{PARTNER}': rejected (ORIGIN_NOT_ALLOWED)"
    assert without_places(log_lines()) == [f"{who}{BY}{rest}"]


def test_a_missing_route_and_what_shows_another_site(app, http, log_lines):
    CorsGuard(app, enforce="unsafe")
    http.send(app, "/pay/", PARTNER, method="POST", environ={"HTTP_SEC_FETCH_SITE": "cross-site"})
    (line,) = log_lines()
    assert line.endswith("; no route matches; Sec-Fetch-Site is 'cross-site'.")
    CorsGuard(other := Flask("other"))
    http.send(other, "/ws", PARTNER, environ={"HTTP_UPGRADE": "websocket"})
    assert "; no route matches; browsers do not block WebSocket" in log_lines()[-1]


@pytest.mark.parametrize(
    ("arguments", "is_said"),
    [({}, True), ({"origins": []}, True), ({"origins": SHOP}, False), ({"policy": "one"}, False)],
    ids=str,
)
def test_a_policy_for_which_nothing_sets_origins(site, http, log_lines, arguments, is_said):
    """As when Flask does not read a key, because it is not in capitals."""
    CorsGuard(site, policies={"one": {"origins": SHOP}}, **arguments)
    http.send(site, "/", PARTNER)
    (line,) = log_lines()
    end = " (from a file, Flask reads only whole keys in capitals at the top level)."
    assert line.endswith(end) == is_said


@pytest.mark.parametrize("debug", [False, True])
def test_one_template_for_each_reason(shop, http, caplog, debug):
    """What groups lines by their template, as Sentry does, groups them by reason."""
    shop.debug = debug
    http.send(shop, "/x", PARTNER)
    http.send(shop, "/x%25s(ORIGIN_NOT_ALLOWED)", "https://other.example")
    http.preflight(shop, "/api/y", PARTNER, "PUT", None)
    http.send(shop, "/x", "null")
    http.preflight(shop, "/x", SHOP, "DELETE", None)
    state_of(shop).change_settings(  # so that it is refused
        lambda old: old._replace(default=old.default.derive(enforce="unsafe"))
    )
    http.send(shop, "/x", PARTNER, method="PUT")

    own, null, method = (
        f"%s{reason}%s." for reason in ("ORIGIN_NOT_ALLOWED", "ORIGIN_NULL", "METHOD_NOT_ALLOWED")
    )
    assert [record.msg for record in caplog.records] == [own, own, own, null, method, own]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[1].startswith("GET /x%s(ORIGIN_NOT_ALLOWED) from 'https://other.example': reject")
    assert lines[3].startswith("GET /x from 'null': rejected (ORIGIN_NULL) by the default policy (")


def test_of_several_policies_the_one_that_decided(app, http, log_lines, heard):
    """Where none did, all are named. The signals have those that were asked."""

    def fails(origin):
        raise LookupError(origin)

    own = Policy(origins=SHOP, methods=["PUT"])
    partners = Policy(origins=PARTNER, deny_origins="https://denied.example", methods=["DELETE"])
    CorsGuard(app, ["own", partners], policies={"own": own})
    app.add_url_rule("/x", "x", lambda: "ok")
    app.add_url_rule("/y", "y", cors(["own", Policy(origins=fails)])(lambda: "ok"))
    first, second = "policy 'own' (1 of 2)", "policy 2 of 2"
    for path, origin, method, named, asked in (
        ("/x", "https://other.example", "GET", f"{first} and {second} of the default policies", 2),
        ("/x", "null", "PUT", f"{first} and {second} of the default policies", 2),
        ("/x", "https://denied.example", "GET", f"{second} of the default policies", 2),
        ("/x", SHOP, "DELETE", f"{first} of the default policies", 1),
        ("/x", PARTNER, "PUT", f"{second} of the default policies", 2),
        ("/y", PARTNER, "GET", f"{second} of view y", 2),
    ):
        heard.clear()
        if method == "GET":
            http.send(app, path, origin)
        else:
            http.preflight(app, path, origin, method)
        (line,) = log_lines()
        assert f" by {named} (" in line
        assert [len(signal.decision.policies) for signal in heard] == [asked]


def test_nothing_for_what_is_not_rejected(shop, http, log_lines):
    http.send(shop, "/x")
    http.send(shop, "/x", SHOP)
    http.send(shop, "/x", "http://localhost")
    http.preflight(shop, "/x", SHOP)
    assert log_lines() == []


def test_one_line_a_minute(shop, http, log_lines, clock):
    for _ in range(4):
        http.send(shop, "/x", PARTNER)
    assert len(log_lines()) == 1
    clock.now += 59.9
    http.send(shop, "/x", PARTNER)
    assert log_lines() == []
    clock.now += 0.2
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert "4 more" in line
    clock.now += 60
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert "more" not in line


def test_other_rejections_have_lines_of_their_own(shop, http, log_lines, clock):
    for _ in range(2):
        http.send(shop, "/x", PARTNER)
        http.send(shop, "/x", "https://other.example")  # another origin
        http.send(shop, "/api/y", PARTNER, method="PUT")  # another endpoint
        http.preflight(shop, "/x", SHOP, "DELETE")  # another reason
        http.preflight(shop, "/x", SHOP, "PUT", "x-a")
    assert len(log_lines()) == 5


def test_other_verdicts_have_lines_of_their_own(app, http, log_lines):
    CorsGuard(app, origins=SHOP, enforce="unsafe", report_only=Policy(enforce="unsafe"))
    app.add_url_rule("/x", "x", lambda: "ok", methods=["GET", "POST"])
    for _ in range(2):
        http.send(app, "/x", PARTNER)
        http.send(app, "/x", PARTNER, method="POST")
    verdicts = [re.search(r": (\w+(?: be \w+)?) \(", line)[1] for line in log_lines()]
    assert verdicts == ["rejected", "would be rejected", "refused"]


# What made-up origins can cause


def flood(app, number, path="/x", method="GET", name="evil"):
    """Requests from so many made-up origins. Not with Flask's test client, which takes longer."""
    environ = EnvironBuilder(path, method=method).get_environ()
    for n in range(number):
        run_wsgi_app(app, environ | {"HTTP_ORIGIN": f"https://{name}{n}.example"})


@pytest.mark.slow
def test_10_000_made_up_origins(shop, log_lines):
    """They cause 60 lines, and one with the count of the others: in real time."""
    flood(shop, 10_000)
    state_of(shop).log.write_counts()
    lines = log_lines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "endpoint x (ORIGIN_NOT_ALLOWED): 9940 more lines were left out."


def test_the_budget_of_an_endpoint_and_reason(shop, http, log_lines, clock):
    """The 60th line in a minute is the last, and says so; the first in the next has the count."""
    flood(shop, MOST_LINES + 40)
    lines = log_lines()
    assert len(lines) == MOST_LINES
    assert ["are counted but not logged" in line for line in lines] == [False] * 59 + [True]
    clock.now += 59.9
    http.send(shop, "/x", PARTNER)
    assert log_lines() == []
    clock.now += 0.2
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert PARTNER in line
    assert "; 41 more of this kind were left out." in line
    flood(shop, MOST_LINES + 5, name="later")
    lines = log_lines()
    assert len(lines) == MOST_LINES - 1
    assert not any("left out" in line for line in lines)


def test_what_is_alike_is_counted_for_itself(shop, http, log_lines, clock):
    """Also where others are left out, and no line is counted twice."""
    http.send(shop, "/x", PARTNER)
    flood(shop, MOST_LINES + 7)
    for _ in range(3):
        http.send(shop, "/x", PARTNER)
    log_lines()
    clock.now += 61
    http.send(shop, "/x", PARTNER)
    (line,) = log_lines()
    assert "; 3 more like it were left out; 8 more of" in line
    state_of(shop).log.write_counts()
    assert log_lines() == []


def test_endpoints_and_reasons_have_budgets_of_their_own(shop, http, log_lines, clock):
    flood(shop, 2 * MOST_LINES)
    flood(shop, 2 * MOST_LINES, "/api/y", "PUT")
    flood(shop, 2 * MOST_LINES, "/none")
    http.send(shop, "/x", "null")
    lines = log_lines()
    assert len(lines) == 3 * MOST_LINES + 1
    assert "ORIGIN_NULL" in lines[-1]


@pytest.mark.parametrize("minutes", [1, 3])
def test_memory_and_lines_are_bounded(shop, http, log_lines, clock, monkeypatch, minutes):
    """Over all endpoints and reasons, and what is forgotten is counted."""
    monkeypatch.setattr("flask_corsguard.logging.MOST_REMEMBERED", 20)
    limit = state_of(shop).log.rate_limit
    asked = 0
    for minute in range(minutes):
        for path, method in (("/x", "GET"), ("/api/y", "PUT"), ("/none", "GET")):
            for name in (f"a{minute}", f"b{minute}", f"a{minute}"):
                flood(shop, 15, path, method, name)
                asked += 15
        assert len(limit._quiet) == 20
        clock.now += 61
    lines = log_lines()
    assert len(lines) == 20 * minutes
    state_of(shop).log.write_counts()
    counted = re.findall(r"(\d+) (?:more|others)", " ".join([*lines, *log_lines()]))
    assert sum(map(int, counted)) == asked - len(lines)


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        pytest.param("0a 30b 40c 61d 62e 91e", "ab-d-e", id="no room meanwhile"),
        pytest.param("0a 30b 61a 91c 122c", "abac-", id="written again"),
    ],
)
def test_the_oldest_are_forgotten_first(monkeypatch, asked, written):
    """At each second, a kind; and whether a line was written."""
    monkeypatch.setattr("flask_corsguard.logging.MOST_REMEMBERED", 2)
    clock = SimpleNamespace(now=0.0)
    limit = RateLimit(lambda: clock.now)
    admitted = ""
    for step in asked.split():
        clock.now, kind = float(step[:-1]), step[-1]
        admitted += kind if limit.admit(kind, "x") is not None else "-"
    assert admitted == written


def test_a_flood_does_not_hide_a_failure(shop, http, log_lines, monkeypatch):
    monkeypatch.setattr("flask_corsguard.logging.MOST_REMEMBERED", 20)
    flood(shop, 30)
    log_lines()
    state_of(shop).log.failure("something", LookupError())
    state_of(shop).log.notice("a notice", "something else")
    assert len(log_lines()) == 2


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_in_debug_mode_every_rejection_is_a_line(shop, http, log_lines, debug):
    shop.debug = debug
    for _ in range(3):
        flood(shop, MOST_LINES + 1)
    assert len(log_lines()) == (3 * (MOST_LINES + 1) if debug else MOST_LINES)
    state_of(shop).log.write_counts()
    assert len(log_lines()) == (0 if debug else 1)


# A callable that fails


def failing(origin):
    raise LookupError("the store is away")


def test_one_line_for_a_failing_callable(app, http, log_lines):
    """Whatever the origin, the endpoint and the policy that has it, and then how many more."""
    CorsGuard(app, origins=failing, report_only=Policy(origins=failing, max_age=5))
    app.add_url_rule("/x", "x", cors(max_age=5)(lambda: "ok"))
    app.add_url_rule("/other", "other", cors(origins=lambda origin: None)(lambda: "ok"))
    log = state_of(app).log
    clock = SimpleNamespace(now=1000.0)
    log._failures._clock = lambda: clock.now
    for path in ("/x", "/none"):
        flood(app, 5, path)
    (line,) = log_lines()
    assert "GET /x from 'https://evil0.example': rejected (ORIGIN_CHECK_FAILED)" in line
    assert "LookupError" in line
    flood(app, 5, "/other")
    (line,) = log_lines()
    assert "it returned None where" in line

    clock.now += 61
    http.send(app, "/", SHOP)
    (line,) = log_lines()
    assert "19 more like it were left out" in line
    http.send(app, "/", SHOP)
    log.write_counts()
    assert log_lines() == [
        "callable test_one_line_for_a_failing_callable.<locals>.<lambda>: 9 more lines were left"
        " out.",
        "callable failing: 3 more lines were left out.",
    ]


class _Store:
    def admits(self, origin):
        raise LookupError("away")


def test_one_line_for_a_failing_method(app, http, log_lines):
    """Each time that one asks for a method of an object, it is a new one, and equal."""
    CorsGuard(app)
    store = _Store()
    app.add_url_rule("/a", "a", cors(origins=store.admits)(lambda: "ok"))
    app.add_url_rule("/b", "b", cors(origins=store.admits)(lambda: "ok"))
    http.send(app, "/a", SHOP)
    http.send(app, "/b", SHOP)
    assert len(log_lines()) == 1


def test_a_failing_callable_where_rejections_are_not_logged(app, http, log_lines):
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    CorsGuard(app, origins=failing)
    flood(app, 5)
    assert len(log_lines()) == 1


NASTY = "\n\r\x00\x1b[31m\x7f\x85\xa0\u2028\u2029'\"\\%s{0}\ud800\U0001f600"


@pytest.mark.parametrize("length", [1, 1000], ids=["short", "long"])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("where", ["path", "origin", "method", "requested method", "header"])
def test_no_line_is_broken(shop, http, log_lines, where, debug, length):
    """Whatever comes from the network, the log has one short line of printable ASCII."""
    shop.debug = debug
    text = NASTY * length
    wsgi_text = text.encode("utf-8", "surrogatepass").decode("latin-1")
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}
    environ = {
        "path": {"PATH_INFO": f"/{wsgi_text}"},
        "origin": {"HTTP_ORIGIN": text},
        "method": {"REQUEST_METHOD": text},
        "requested method": {**asked, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": text},
        "header": {**asked, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": f"x-a,{text}"},
    }[where]
    method = "OPTIONS" if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ else "GET"
    if where != "origin":
        origin = SHOP if method == "OPTIONS" else PARTNER
        environ = {**environ, "HTTP_ORIGIN": origin}
    http.send(shop, "/x", method=method, environ=environ)

    (line,) = log_lines()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 2500


def test_a_value_cannot_pass_for_the_rest_of_the_line(shop, http, log_lines):
    http.send(shop, "/x", "https://a.example': allowed by default. '")
    (line,) = log_lines()
    assert "': allowed" not in line
    http.send(shop, "/x from 'https://a.example': allowed", PARTNER)
    (line,) = log_lines()
    assert "'https://a.example'" not in line
    assert "': allowed" not in line


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [(PARTNER, "PUT", None), ("null", "PUT", None), (SHOP, "DELETE", None), (SHOP, "PUT", "x-a")],
)
def test_turned_off(app, http, log_lines, heard, origin, method, headers):
    """If rejections are not logged, signals are sent all the same."""
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/x", "x", lambda: "ok", methods=["PUT"])

    assert http.preflight(app, "/x", origin, method, headers) == http.denied()
    assert log_lines() == []
    assert len(heard) == 1


def test_turned_off_from_the_environment(app, http, log_lines, monkeypatch):
    monkeypatch.setenv("FLASK_CORSGUARD_LOG_REJECTIONS", "false")
    app.config.from_prefixed_env()
    CorsGuard(app)
    assert http.send(app, "/", SHOP) == http.refused(404)
    assert log_lines() == []


@pytest.mark.parametrize(
    ("origin", "method", "remedy"),
    [
        (PARTNER, "PUT", f'To allow it: origins=["{SHOP}", "{PARTNER}"]'),
        (SHOP, "DELETE", "To allow it: add a route that accepts DELETE"),
    ],
)
def test_debug_mode_ends_with_the_remedy(shop, http, log_lines, heard, origin, method, remedy):
    """In debug mode, a line ends with the same words as explain()."""
    http.preflight(shop, "/x", origin, method)
    (line,) = log_lines()
    assert remedy not in line

    shop.debug = True
    http.preflight(shop, "/x", origin, method)
    (line,) = log_lines()
    assert remedy in line
    last_line = heard[-1].decision.explain().splitlines()[-1]
    assert line.endswith(f". {last_line.strip()}")


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_a_handshake_that_nothing_refuses(shop, http, log_lines, heard, debug):
    """The line says that nobody holds it back, and what would; there is no signal."""
    shop.debug = debug
    state = state_of(shop)
    handshake = {"HTTP_UPGRADE": "websocket"}
    assert http.send(shop, "/x", PARTNER, environ=handshake) == http.refused()
    (line,) = log_lines()
    location = state.settings.source
    assert line == (
        f"GET /x from '{PARTNER}': not refused (ORIGIN_NOT_ALLOWED) by the default policy"
        f" ({location}); browsers do not block WebSocket handshakes; to refuse it, set"
        ' enforce="unsafe"'
        + f'. To refuse it: enforce="unsafe" (policy: default, {location}). To admit it:'
        f' origins=["{SHOP}", "{PARTNER}"] (policy: default, {location})' * debug + "."
    )
    assert heard == []


def test_a_handshake_has_a_line_of_its_own(shop, http, log_lines):
    for environ in ({"HTTP_UPGRADE": "websocket"}, {}) * 2:
        http.send(shop, "/x", PARTNER, environ=environ)
    verdicts = [re.search("rejected|not refused", line)[0] for line in log_lines()]
    assert verdicts == ["not refused", "rejected"]


def test_a_failing_check_says_what_raised(app, http, log_lines):
    def tenants(origin):
        raise LookupError(f"no tenant\n{origin}")

    CorsGuard(app, origins=tenants)
    http.send(app, "/", SHOP)
    (line,) = log_lines()
    assert "LookupError" in line
    assert line.isprintable()


# Headers that a view sets itself


def test_the_star_does_not_cover_authorization(app, http, log_lines):
    CorsGuard(app, origins=SHOP, allow_headers="*")
    app.add_url_rule("/", "index", lambda: "ok")
    http.preflight(app, "/", SHOP, "GET", "authorization,x-a")
    (line,) = log_lines()
    assert line.endswith("; not allowed: authorization ('*' never covers Authorization).")


def test_one_warning_for_each_endpoint(app, http, log_lines):
    CorsGuard(app, origins=SHOP)
    for name in ("one", "two"):
        app.add_url_rule(
            f"/{name}", name, lambda: ("ok", {"Access-Control-Allow-Origin": "*", "Vary": "Accept"})
        )
    for _ in range(3):
        http.send(app, "/one", SHOP)
    (line,) = log_lines()
    assert "one" in line
    assert "Access-Control-Allow-Origin" in line
    assert "Vary" not in line
    http.send(app, "/two")
    (line,) = log_lines()
    assert "two" in line


def test_one_warning_for_an_endpoint_that_sets_now_this_now_that(app, http, log_lines):
    CorsGuard(app, origins=SHOP)
    names = iter(["Origin", "Methods", "Headers"])
    app.add_url_rule("/", "index", lambda: ("ok", {f"Access-Control-Allow-{next(names)}": "x"}))
    for _ in range(3):
        http.send(app, "/", SHOP)
    assert len(log_lines()) == 1


KEEPS = (
    r'\. To go on allowing the same headers: allow_headers=\["Content-Type", "{}"\]'
    r" \(policy: \S+ \S+\)"
)
OPENS = (
    r'\. If everybody may read the view, mark it with @cors\(origins="\*",'
    r" allow_credentials=False{}\)"
)
LONG = "X" * 199
OWN_HEADERS = {  # the headers; what is said on every page; what is said where a view can be marked
    "everybody": ("*", "", "it", "", OPENS.format("")),
    "everybody, with headers": (
        "*",
        "X-API-KEY, ,Origin,\x7f",  # no policy can allow the last two
        "them",
        KEEPS.format("X-API-KEY"),
        OPENS.format(r', allow_headers=\["X-API-KEY"\]'),
    ),
    "what is allowed": (
        "*",
        "content-type",
        "them",
        "",
        OPENS.format(r', allow_headers=\["content-type"\]'),
    ),
    "everybody, with any": ("*", "*", "them", "", OPENS.format(r', allow_headers="\*"')),
    "everybody, with very many": (
        "*",
        ",".join([LONG] * 9),
        "them",
        KEEPS.format(LONG),
        OPENS.format(rf', allow_headers=\["{LONG}"\]'),
    ),
    "one": (PARTNER, "", "it", "", ""),
}


@pytest.mark.parametrize(
    ("origin", "names", "them", "keeps", "opens"), OWN_HEADERS.values(), ids=OWN_HEADERS
)
def test_what_to_do_about_own_headers(app, http, log_lines, origin, names, them, keeps, opens):
    """One line for the function that sets them. Without a route there is no view to mark."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")

    @app.after_request
    def add(response):
        response.headers["Access-Control-Allow-Origin"] = origin
        if names:
            response.headers["Access-Control-Allow-Headers"] = names
        return response

    for paths, sentences in (["/", "/none"], keeps + opens), (["/none", "/"], keeps):
        state_of(app).log._warned.clear()
        for path in paths:
            http.send(app, path, SHOP)
        (line,) = log_lines()
        code = r"\S+add \(\S*test_log\.py:\d+\)"
        assert re.search(rf" removed {them}\. Take {them} out of {code}{sentences}\.$", line)


@pytest.mark.parametrize(
    ("origin", "other"),
    [
        (SHOP, ""),
        (PARTNER, ". If the view needs a policy of its own, mark it with @cors(origins=[...])"),
    ],
)
def test_what_to_do_about_the_own_headers_of_a_view(app, http, log_lines, origin, other):
    CorsGuard(app, origins=SHOP)

    @app.get("/")
    def index():
        return "ok", {"access-control-allow-origin": "https://other.example"}

    http.send(app, "/", origin)
    line = log_lines()[-1]
    assert re.search(
        r"Take it out of \S+index \(\S*test_log\.py:\d+\)" + re.escape(f"{other}."), line
    )


def test_the_headers_of_flask_restx(app, http, log_lines):
    """Those of its ``@cors.crossdomain(origin="*", headers=["X-API-Key"])``."""
    CorsGuard(app, origins=SHOP, allow_credentials=True)
    own = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "HEAD, OPTIONS, GET",
        "Access-Control-Max-Age": "21600",
        "Access-Control-Allow-Headers": "X-API-KEY",
    }
    app.add_url_rule("/", "items", lambda: ("ok", own))
    http.send(app, "/", SHOP)
    assert log_lines() == [
        "endpoint items: the app sets 'Access-Control-Allow-Headers',"
        " 'Access-Control-Allow-Methods', 'Access-Control-Allow-Origin', 'Access-Control-Max-Age'"
        " itself; the guard has replaced or removed them. Take them out of the code. To go on"
        ' allowing the same headers: allow_headers=["Content-Type", "X-API-KEY"] (policy: default,'
        f" {state_of(app).settings.source}). If everybody may read the view, mark it with"
        ' @cors(origins="*", allow_credentials=False, allow_headers=["X-API-KEY"]).'
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Vary": "Accept"},
        {"Access-Control-Allow-Origin": SHOP},
        {"access-control-allow-origin": SHOP},
    ],
    ids=["none", "Vary", "the same", "the same in lower case"],
)
def test_no_warning_where_nothing_is_lost(app, http, log_lines, headers):
    """There is no warning if the view sets nothing, only ``Vary``, or what the guard sets."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("ok", headers))
    http.send(app, "/", SHOP)
    assert log_lines() == []


# Pages on this machine that get no cookies, in debug mode

VITE, MOVED = "http://localhost:5173", "http://127.0.0.1:5173"
APART = (
    "localhost and 127.0.0.1 are different sites: for a page at http://localhost:5173 that calls"
    " http://127.0.0.1:5000, the browser neither stores nor sends cookies with SameSite=Lax, the"
    " default in Chromium. Have the page call http://localhost:5000"
)


@pytest.fixture
def local(app):
    """An app that its developer runs, and opens under several names."""
    CorsGuard(app, origins=[VITE, "http://127.0.0.1:*", SHOP], allow_credentials=True)
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/public", "public", cors(allow_credentials=False)(lambda: "ok"))
    app.debug = True  # as app.run(debug=True) does: after the guard
    return app


def _ask(app, origin, host="127.0.0.1:5000", path="/", **headers):
    headers["Origin"] = origin
    client = app.test_client(use_cookies=False)
    return client.get(path, base_url=f"http://{host}", headers=headers)


def test_a_page_that_gets_no_cookies(local, log_lines):
    """Once for each pair of addresses, with what to type; only an origin that is allowed is named
    as another address for the page."""
    for _ in range(3):
        assert _ask(local, VITE).status_code == 200
    assert log_lines() == [f"{APART}, or open it at {MOVED}."]
    _ask(local, MOVED, "[::1]:5000")
    _ask(local, MOVED, "localhost")
    assert [line.rpartition(". ")[2] for line in log_lines()] == [
        "Have the page call http://127.0.0.1:5000.",
        "Have the page call http://127.0.0.1, or open it at http://localhost:5173.",
    ]


def _debug_off(app):
    app.debug = False
    _ask(app, VITE)
    functions = [function.__name__ for function in app.before_request_funcs[None]]
    assert functions == ["before_request"]  # so it costs nothing


NOTHING_TO_SAY = {
    "not in debug mode": _debug_off,
    "cookies are sent": lambda app: _ask(app, VITE, Cookie="a=b"),
    "without credentials": lambda app: _ask(app, VITE, path="/public"),
    "one name": lambda app: _ask(app, VITE, "localhost:5000"),
    "another machine": lambda app: (_ask(app, SHOP), _ask(app, VITE, "192.168.1.5:5000")),
    "every name of this machine": lambda app: _ask(app, VITE, "0.0.0.0:5000"),
    "a preflight": lambda app: app.test_client().options(
        "/",
        base_url="http://127.0.0.1:5000",
        headers={"Origin": VITE, "Access-Control-Request-Method": "PUT"},
    ),
}


@pytest.mark.parametrize("ask", NOTHING_TO_SAY.values(), ids=NOTHING_TO_SAY)
def test_pages_that_get_their_cookies(local, log_lines, ask):
    ask(local)
    assert [line for line in log_lines() if "different sites" in line] == []


def test_pages_without_cookies_are_named_up_to_a_number(local, log_lines):
    for port in range(5000, 5000 + MOST_LINES + 10):
        _ask(local, VITE, f"127.0.0.1:{port}")
    assert len(log_lines()) == MOST_LINES


# Notices


def test_a_notice(shop, log_lines, clock):
    """A warning once a minute for each key, of which the next one says how many there were."""
    log = state_of(shop).log
    for key in ("one", "two", "one"):
        log.notice(key, "%s failed with %s.", key, 500)
    assert log_lines() == ["one failed with 500.", "two failed with 500."]
    clock.now += 61
    for text in ("100 percent", "none"):
        log.notice("one", text)
    log.write_counts()
    assert log_lines() == [
        "100 percent; 1 more like it was left out.",
        "one: 1 more line was left out.",
    ]


def test_notices_about_made_up_paths(shop, log_lines):
    """What is in a key can come from the network: then there are no more than of rejections."""
    log = state_of(shop).log
    for n in range(MOST_LINES + 10):
        log.notice(("paths", f"/{n}"), "%s failed.", n)
    log.notice("other", "something failed.")
    assert len(log_lines()) == MOST_LINES + 1
    log.write_counts()
    assert log_lines() == ["paths: 10 more lines were left out."]


# A logger that is turned off


@pytest.mark.parametrize("is_prepared", [True, False])
def test_a_disabled_logger(app, http, caplog, monkeypatch, is_prepared):
    """dictConfig() disables it. That is said once, where it can be seen."""
    guard = CorsGuard(app, origins=SHOP)
    monkeypatch.setattr(logging.getLogger("flask_corsguard"), "disabled", True)
    for _ in range(2):
        if is_prepared:
            guard.prepare()
        else:
            http.send(app, "/", PARTNER)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        (
            "root",
            "the logger flask_corsguard is disabled, so rejections are not logged. Add"
            " 'disable_existing_loggers': False to the dict given to dictConfig().",
        )
    ]


# A log that fails or is slow


@pytest.fixture
def handling():
    """Adds a handler that calls a function with each line."""
    logger = logging.getLogger("flask_corsguard")
    added = []

    def add(function):
        class Handler(logging.Handler):
            def emit(self, record):
                function(record.getMessage())

        added.append(Handler())
        logger.addHandler(added[-1])

    yield add
    for handler in added:
        logger.removeHandler(handler)


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_a_handler_that_raises_what_is_no_exception(shop, http, handling, error):
    def fail(line):
        raise error()

    handling(fail)
    log = state_of(shop).log
    assert http.send(shop, "/x", PARTNER) == http.refused()
    log.failure("something", error())
    log.notice("a notice", "something else")
    log.own_headers(
        explain(state_of(shop), "/x", PARTNER, "GET", {}), {"Access-Control-Allow-Origin": "*"}
    )
    log.once("a kind", "x", "something else")
    http.send(shop, "/x", PARTNER)
    log.write_counts()


@pytest.mark.parametrize("error", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_the_log_does_not_hold_back_a_shutdown(shop, http, handling, error):
    def stop(line):
        raise error()

    handling(stop)
    with pytest.raises(type(error())):
        http.send(shop, "/x", PARTNER)


def test_other_requests_do_not_wait_for_a_line(shop, http):
    """Nothing is locked while it is written, but for what logging itself locks."""
    logger = logging.getLogger("flask_corsguard")
    ended = []

    def ask_elsewhere(record):
        logger.removeFilter(ask_elsewhere)
        thread = threading.Thread(target=http.send, args=(shop, "/none", PARTNER), daemon=True)
        thread.start()
        thread.join(10)
        ended.append(not thread.is_alive())

    logger.addFilter(ask_elsewhere)
    http.send(shop, "/x", PARTNER)
    assert ended == [True]


@pytest.mark.parametrize("seconds", [0, 61], ids=["", "a minute later"])
def test_a_signal_handler_in_the_middle(monkeypatch, seconds):
    """Whatever step of it a request is interrupted at by another one, nothing raises."""
    monkeypatch.setattr("flask_corsguard.logging.MOST_REMEMBERED", 2)
    monkeypatch.setattr("flask_corsguard.logging.MOST_LINES", 3)
    for stop in range(1, 1000):
        clock = SimpleNamespace(now=0.0)
        limit = RateLimit(partial(getattr, clock, "now"))
        for kind in "abb":
            limit.admit(kind, "x")
        clock.now += seconds
        steps = interrupted(partial(limit.admit, "c", "x"), stop, partial(limit.admit, "d", "x"))
        assert 0 <= limit.take_counts()["x"] <= 3
        if steps < stop:
            break
    assert stop > 50


def interrupted(function, stop, handler):
    """Call *function*, and *handler* before the instruction with this number; return how many."""
    steps = 0
    own = [RateLimit.admit.__code__, RateLimit._has_room.__code__]

    def trace(frame, event, _):
        nonlocal steps
        if frame.f_code not in own:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps += 1
            if steps == stop:
                handler()  # not traced itself
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return steps


# The end of a process


def test_an_app_is_not_kept_for_its_counts(http):
    app = Flask("gone", static_folder=None)
    CorsGuard(app, origins=SHOP)
    flood(app, 3)
    kept = weakref.ref(app)
    del app
    gc.collect()
    assert kept() is None


def test_all_apps_share_one_function_at_the_end(app):
    def serve_app():
        served = Flask("shop", static_folder=None)
        CorsGuard(served)
        flood(served, 1)
        return atexit._ncallbacks()

    assert serve_app() == serve_app()


def test_lines_at_the_end_are_bounded(app, log_lines):
    """The largest counts have a line each, all others one."""
    CorsGuard(app, origins=SHOP)
    log = state_of(app).log
    for n in range(MOST_LINES + 10):
        for _ in range(102 - n):
            log.rate_limit.admit(n, (f"view{n}", Reason.ORIGIN_NULL))
    log.write_counts()
    lines = log_lines()
    assert len(lines) == MOST_LINES + 1
    assert lines[0] == "endpoint view0 (ORIGIN_NULL): 101 more lines were left out."
    assert lines[-1] == f"elsewhere: {sum(range(32, 42))} more lines were left out."


def test_nothing_is_counted_where_nothing_is_logged(shop, http, log_lines, monkeypatch):
    logger = logging.getLogger("flask_corsguard")
    monkeypatch.setattr(logger, "disabled", True)
    for _ in range(2):
        flood(shop, 3)
        state_of(shop).log.failure("something", LookupError())
        state_of(shop).log.notice("a notice", "something")
    monkeypatch.setattr(logger, "disabled", False)
    state_of(shop).log.write_counts()
    assert log_lines() == []


PROGRAM = """
import atexit, logging, os, queue, sys
from logging.handlers import QueueHandler, QueueListener
from flask import Flask
from flask_corsguard import CorsGuard

app = Flask("shop", static_folder=None)
app.testing = True
CorsGuard(app, origins="https://shop.example")
app.add_url_rule("/x", "x", lambda: "ok")

logger = logging.getLogger("flask_corsguard")
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(process)d %(message)s"))
logger.addHandler(handler)

def use_queue():
    lines = queue.SimpleQueue()
    listener = QueueListener(lines, handler)
    listener.start()
    atexit.register(listener.stop)  # as the standard library's documentation has it
    logger.removeHandler(handler)
    logger.addHandler(QueueHandler(lines))

def ask(number, path="/x"):
    for n in range(number):
        app.test_client().get(path, headers={"Origin": f"https://evil{n}.example"})

def fork(number):
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        print(pid, "has ended")
    else:
        ask(number)
        sys.exit()
"""


@pytest.mark.parametrize(
    ("code", "counts"),
    [
        pytest.param("ask(70); ask(3, '/none')", [10], id="more than the budget"),
        pytest.param("ask(5); ask(7)", [5], id="alike"),
        pytest.param("use_queue(); ask(70)", [10], id="a queue"),
        pytest.param("ask(60)", [], id="nothing"),
        pytest.param("ask(70); 1 / 0", [10], id="an exception"),
        pytest.param("ask(70); fork(80)", [20, 10], id="a fork"),
        pytest.param("ask(70); fork(0)", [10], id="a fork without requests"),
        pytest.param("fork(70); fork(61)", [10, 1], id="workers"),
    ],
)
def test_counts_at_the_end_of_a_process(code, counts):
    """Each process writes what it has left out itself, while its log still works."""
    command = [sys.executable, "-c", f"{PROGRAM}\n{code}"]
    written = subprocess.run(command, capture_output=True, text=True, check=False)
    assert written.stderr == "" or "ZeroDivisionError" in written.stderr
    found = re.findall(
        r"^(\d+) endpoint x \(ORIGIN_NOT_ALLOWED\): (\d+) more", written.stdout, re.M
    )
    assert [int(count) for _, count in found] == counts
    assert len({pid for pid, _ in found}) == len(counts)
    assert written.stdout.count("left out") == len(counts)


def test_debug_mode_that_comes_too_late(app, http, log_lines):
    """As by ``app.run(debug=True)``: what the code chose by ``app.debug`` is production's."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    app.debug = True
    for origin in (PARTNER, "http://localhost:5173", "http://localhost:5174"):
        http.send(app, "/", origin)
    late = "app.debug was still False when CorsGuard(app) was called: app.run(debug=True) sets it"
    assert [line.startswith(late) for line in log_lines() if "app.debug" in line] == [True]
