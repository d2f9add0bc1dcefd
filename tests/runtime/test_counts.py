"""What the guard counts by itself: ``guard.counts()``."""

import itertools
import random
import signal
import subprocess
import sys
import threading

import pytest
from flask import abort, current_app, request
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_corsguard import (
    CorsGuard,
    Outcome,
    Policy,
    Reason,
    cors,
    cors_exempt,
    origin_rejected,
)
from flask_corsguard.runtime.counts import Counts, DecisionKind

SHOP = "https://shop.example"
OTHER = "https://other.example"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
HANDSHAKE = {"Upgrade": "websocket"}


def fails(origin):
    raise LookupError(origin)


@pytest.fixture
def guard(app):
    """The guard of an app with a view for each kind of decision."""
    guard = CorsGuard(app, origins=SHOP)
    guard.for_path("/files", origins=OTHER)
    marks = {
        "open": cors(origins="*", enforce="unsafe"),
        "denied": cors(origins=SHOP, deny_origins=SHOP),
        "fails": cors(origins=fails),
        "locked": cors(enforce="all"),
        "watched": cors(enforce="report"),
        "watched_open": cors(origins="*", enforce="report"),
        "exempt": cors_exempt,
        "several": cors([Policy(origins=SHOP), Policy(origins=OTHER)]),
    }
    methods = ["GET", "POST"]
    for name, mark in marks.items():
        app.add_url_rule(f"/{name}", name, mark(lambda: "ok"), methods=methods)
    app.add_url_rule("/x", "x", lambda: "ok", methods=methods)
    app.add_url_rule("/<path:name>", "any", lambda name: "ok", methods=methods)
    app.add_url_rule("/aborted", "aborted", lambda: abort(418))
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)

    @app.url_value_preprocessor
    def end_early(endpoint, values):
        if "early" in request.args:
            abort(410) if request.args["early"] == "abort" else fails(endpoint)

    @guard.run_first
    def log_in():
        if "login" in request.args:
            abort(401)

    return guard


# What is sent (with the requested method and headers of a preflight in place of the method), and
# the kind of the decision about it.
SENT = [
    ("GET /x", None, {}, "NOT_CORS - x default"),
    ("HEAD /x", None, {}, "NOT_CORS - x default"),
    ("OPTIONS /x", None, {}, "NOT_CORS - x default"),
    ("PUT /x", None, {}, "NOT_CORS - x default"),
    ("GET /", None, {}, "NOT_CORS - - default"),
    ("GET /files/x/y", None, {}, "NOT_CORS - any path /files"),
    ("GET /x", "http://localhost", {}, "SAME_ORIGIN - x default"),
    ("GET /x", OTHER, {"Sec-Fetch-Site": "same-origin"}, "SAME_ORIGIN - x default"),
    ("GET /x", SHOP, {}, "ALLOWED - x default"),
    ("POST /x", SHOP, {}, "ALLOWED - x default"),
    ("?POST /x", SHOP, {}, "ALLOWED - x default preflight"),
    ("GET /several", OTHER, {}, "ALLOWED - several view several"),
    ("GET /aborted", SHOP, {}, "ALLOWED - aborted default"),
    ("GET /broken", SHOP, {}, "ALLOWED - broken default"),
    ("PUT /x", SHOP, {}, "ALLOWED - x default"),
    ("GET /", SHOP, {}, "ALLOWED - - default"),
    ("GET /x", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED x default"),
    ("?POST /x", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED x default preflight"),
    ("GET /several", SHOP + "x", {}, "REJECTED ORIGIN_NOT_ALLOWED several view several"),
    ("GET /denied", SHOP, {}, "REJECTED ORIGIN_DENIED denied view denied"),
    ("GET /x", "null", {}, "REJECTED ORIGIN_NULL x default"),
    ("GET /x", "Shop", {}, "REJECTED ORIGIN_MALFORMED x default"),
    ("GET /fails", OTHER, {}, "REJECTED ORIGIN_CHECK_FAILED fails view fails"),
    ("?PUT /x", SHOP, {}, "REJECTED METHOD_NOT_ALLOWED x default preflight"),
    ("?MADE-UP /x", SHOP, {}, "REJECTED METHOD_NOT_ALLOWED x default preflight"),
    ("?POST:x-a /x", SHOP, {}, "REJECTED HEADERS_NOT_ALLOWED x default preflight"),
    ("?POST:x(a /x", SHOP, {}, "REJECTED HEADERS_MALFORMED x default preflight"),
    ("?POST /x", SHOP, {"Access-Control-Request-Private-Network": "true"},
     "REJECTED PRIVATE_NETWORK_NOT_ALLOWED x default preflight"),
    ("POST /open", OTHER, {}, "REJECTED CROSS_SITE_REQUEST open view open blocked"),
    ("POST /open", None, CROSS_SITE, "REJECTED CROSS_SITE_REQUEST open view open blocked"),
    ("?POST /open", OTHER, {}, "REJECTED CROSS_SITE_REQUEST open view open preflight"),
    ("GET /locked", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED locked view locked blocked"),
    ("GET /locked", None, {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
     "REJECTED SPECULATIVE locked view locked blocked"),
    ("GET /files//../x", OTHER, {}, "REJECTED PATH_AMBIGUOUS any path /files"),
    ("GET /x", OTHER, HANDSHAKE, "UNENFORCED ORIGIN_NOT_ALLOWED x default"),
    ("GET /open", OTHER, HANDSHAKE, "REJECTED CROSS_SITE_REQUEST open view open blocked"),
    ("GET /exempt", OTHER, {}, "EXEMPT - exempt view exempt"),
    ("POST /exempt", None, CROSS_SITE, "EXEMPT - exempt view exempt"),
    # What is only reported counts as what happens.
    ("POST /watched", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED watched view watched"),
    ("POST /watched", None, CROSS_SITE, "NOT_CORS - watched view watched"),
    ("GET /watched", OTHER, HANDSHAKE, "UNENFORCED ORIGIN_NOT_ALLOWED watched view watched"),
    ("POST /watched_open", OTHER, {}, "ALLOWED - watched_open view watched_open"),
    ("?POST /watched_open", OTHER, {}, "ALLOWED - watched_open view watched_open preflight"),
    # Something ends the request before the guard sees it.
    ("GET /x?early=abort", None, {}, "NOT_CORS - x default"),
    ("GET /x?early=abort", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED x default"),
    ("GET /x?early=raise", OTHER, {}, "REJECTED ORIGIN_NOT_ALLOWED x default"),
    ("GET /locked?early=abort", OTHER, {},
     "REJECTED ORIGIN_NOT_ALLOWED locked view locked blocked"),
    ("GET /x?login", SHOP, {}, "ALLOWED - x default"),
    ("?POST /x?login", SHOP, {}, "ALLOWED - x default preflight"),
    ("POST /watched_open?login", OTHER, {}, "ALLOWED - watched_open view watched_open"),
]  # fmt: skip


def send(app, line, origin, headers=()):
    what, _, path = line.partition(" ")
    headers = dict(headers)
    if what.startswith("?"):
        method, _, names = what[1:].partition(":")
        what = "OPTIONS"
        headers["Access-Control-Request-Method"] = method
        headers["Access-Control-Request-Headers"] = names
    path, _, query = path.partition("?")
    environ = EnvironBuilder(path, method=what, headers=headers, query_string=query).get_environ()
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin
    run_wsgi_app(app.wsgi_app, environ, buffered=True)


def kind(text):
    outcome, reason, endpoint, *policy = text.split()
    flags = [name in policy[1:] for name in ("preflight", "blocked")]
    policy = [word for word in policy if word not in ("preflight", "blocked")]
    return DecisionKind(
        Outcome[outcome],
        None if reason == "-" else Reason[reason],
        None if endpoint == "-" else endpoint,
        " ".join(policy),
        *flags,
    )


@pytest.mark.parametrize(("line", "origin", "headers", "expected"), SENT)
def test_the_kind_of_a_decision(app, guard, line, origin, headers, expected):
    """Each request counts once, whether or not anybody is told of the decision."""
    for number in (1, 2):
        send(app, line, origin, headers)
        assert guard.counts(app) == {kind(expected): number}


def test_the_table_has_every_outcome_and_reason():
    kinds = [kind(expected) for *_, expected in SENT]
    assert {each.outcome for each in kinds} == {*Outcome}
    # One of the reasons is guard.origin_check's, which no request of the app's asks.
    assert {each.reason for each in kinds} == {*Reason, None} - {Reason.CREDENTIALS_NOT_ALLOWED}


def test_a_kind_has_names(app, guard):
    send(app, "POST /open", OTHER)
    [(found, number)] = guard.counts(app).items()
    assert number == 1
    assert found == (Outcome.REJECTED, Reason.CROSS_SITE_REQUEST, "open", "view open", False, True)
    assert (found.endpoint, found.policy, found.blocked) == ("open", "view open", True)


def test_what_is_returned_is_a_copy(app, guard):
    send(app, "GET /x", None)
    guard.counts(app).clear()
    assert list(guard.counts(app).values()) == [1]


def test_a_report_only_policy_counts_nothing(app):
    """Its decision is another one about a request that has been counted."""
    guard = CorsGuard(app, origins="*", report_only={"origins": SHOP, "enforce": "all"})
    app.add_url_rule("/x", "x", lambda: "ok")
    heard = []
    with origin_rejected.connected_to(lambda sender, decision: heard.append(decision), app):
        send(app, "GET /x", OTHER)
        send(app, "GET /x?", None, CROSS_SITE)
    assert len(heard) == 2
    kinds = [kind("ALLOWED - x default"), kind("NOT_CORS - x default")]
    assert guard.counts(app) == dict.fromkeys(kinds, 1)


def test_a_request_within_a_request_counts_too(app):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/inner", "inner", lambda: "ok")
    app.add_url_rule("/outer", "outer", lambda: send(current_app, "GET /inner", SHOP) or "ok")
    send(app, "GET /outer", None)
    kinds = [kind("NOT_CORS - outer default"), kind("ALLOWED - inner default")]
    assert guard.counts(app) == dict.fromkeys(kinds, 1)


def test_what_is_only_explained_does_not_count(app, guard):
    guard.explain("/x", origin=OTHER, app=app)
    assert guard.counts(app) == {}


def test_each_app_has_its_own(app, guard):
    other = type(app)("other")
    guard.init_app(other)
    send(app, "GET /x", None)
    assert guard.counts(other) == {}
    with app.app_context():
        assert list(guard.counts().values()) == [1]


def test_other_policies_go_on_counting(app, guard):
    send(app, "GET /x", OTHER)
    guard.reconfigure(origins=OTHER, app=app)
    send(app, "GET /x", OTHER)
    kinds = [kind("REJECTED ORIGIN_NOT_ALLOWED x default"), kind("ALLOWED - x default")]
    assert guard.counts(app) == dict.fromkeys(kinds, 1)


def test_what_is_sent_makes_no_new_kind(app, guard):
    """Methods, paths, hosts, origins and headers can be made up: the number of kinds is limited."""
    made_up = random.Random(19)

    def text():
        return "".join(made_up.choices("abcXYZ019-._~:/%@ \x00\xff'\"\\", k=9))

    for number in range(600):
        headers = {"Host": f"h{number}.example", **dict([made_up.choice([*CROSS_SITE.items()])])}
        path = made_up.choice(["/x", "/open", "/exempt", f"/a{number}", f"/files/{text()}", "//"])
        environ = EnvironBuilder("/", headers=headers).get_environ()
        environ |= {"PATH_INFO": path, "REQUEST_METHOD": f"M{number}" if number % 3 else "OPTIONS"}
        environ["HTTP_ORIGIN"] = made_up.choice([f"https://o{number}.example", text(), SHOP])
        environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"] = made_up.choice([text(), f"M{number}"])
        environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"] = f"x-{number}"
        run_wsgi_app(app.wsgi_app, environ, buffered=True)
    counts = guard.counts(app)
    assert sum(counts.values()) == 600
    assert {each.endpoint for each in counts} <= {"x", "open", "exempt", "any", None}
    policies = {"default", "view open", "view exempt", "path /files"}
    assert {each.policy for each in counts} <= policies
    assert len(counts) < 50


THREADS, EACH = 8, 10_000
KINDS = [kind("ALLOWED - x default"), kind("REJECTED ORIGIN_NULL x default")]


@pytest.fixture
def switching():
    """Threads change as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching")
def test_threads_lose_no_count():
    counts, ready = Counts(), threading.Barrier(THREADS)

    def count():
        ready.wait()
        for each in itertools.islice(itertools.cycle(KINDS), EACH):
            counts.add(each)

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.copy() == dict.fromkeys(KINDS, THREADS * EACH // len(KINDS))


@pytest.mark.usefixtures("switching")
def test_threads_that_begin_at_once_lose_no_count():
    """Neither where a kind is new, nor where the process is."""
    for _ in range(200):
        counts, ready = Counts(), threading.Barrier(4)
        counts._pid = 0

        def count(counts=counts, ready=ready):
            ready.wait()
            counts.add(KINDS[0])

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts.copy() == {KINDS[0]: 4}


def test_a_signal_handler_loses_no_count():
    """It can interrupt the counting at any point."""
    counts, handled = Counts(), 0

    def handle(*_):
        nonlocal handled
        handled += 1
        counts.add(KINDS[0])

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        added = 0
        while handled < 300:
            counts.add(KINDS[0])
            added += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert counts.copy() == {KINDS[0]: added + handled}


FORKING = """
import os, sys
from flask import Flask
from flask_corsguard import CorsGuard

app = Flask("shop")
guard = CorsGuard(app)
ask = app.test_client().get
ask("/"); ask("/")
if {in_c}:  # as uWSGI does it
    import ctypes
    child = ctypes.PyDLL(None).fork()
else:
    child = os.fork()
if not child:
    print(sum(guard.counts(app).values()))
    ask("/")
    print(sum(guard.counts(app).values()), flush=True)
    os._exit(0)
os.waitpid(child, 0)
ask("/")
print(sum(guard.counts(app).values()))
"""


@pytest.mark.parametrize("in_c", [False, True])
def test_a_forked_process_begins_at_zero(in_c):
    command = [sys.executable, "-c", FORKING.format(in_c=in_c)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "1", "3"]
