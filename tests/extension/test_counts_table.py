"""What the guard counts, and what it says of its own state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Outcome, Policy, Reason, cors, cors_exempt
from tests.sources.memory_store import Store, VersionedStore, preflight, wire
from tests.strength.threads import frequent_switches, run_together

ROOT = Path(__file__).parents[2]
SHOP, BAD, STRANGER = "https://shop.example", "https://bad.example", "https://stranger.example"
OWN = "https://api.test"
SITE = "HTTP_SEC_FETCH_SITE"
PREFLIGHT = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
NAMES = "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"
FIELDS = ("outcome", "reason", "endpoint", "policy", "preflight", "blocked")
O, R = Outcome, Reason  # noqa: E741


def raises(origin: str) -> bool:
    raise LookupError(origin)


def create(name: str = "shop", **fields: Any) -> tuple[Flask, CorsGuard]:
    app = Flask(name, static_folder=None)
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    methods = ["GET", "PUT", "POST"]
    app.add_url_rule("/", "index", lambda: "ok", methods=methods)
    for path, mark in {
        "asks": cors(origins=raises),
        "refuses": cors(enforce="unsafe"),
        "refuses-all": cors(enforce="all"),
        "reports": cors(enforce="report"),
        "public": cors(origins="*", deny_origins=[]),
        "exempt": cors_exempt,
    }.items():
        app.add_url_rule(f"/{path}", path, mark(lambda: "ok"), methods=methods)
    app.add_url_rule("/several/<path:file>", "several", lambda file: "ok", methods=methods)
    defaults: dict[str, Any] = {"origins": SHOP, "deny_origins": BAD}
    guard = CorsGuard(app, **defaults | fields)
    guard.for_path("/several/a", origins="https://path.example")
    return app, guard


#: Origin, path, method, more of the environment; and outcome, reason, endpoint, policy, preflight,
#: blocked.
ROWS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "no Origin": ((None, "/"), (O.NOT_CORS, None, "index", "default", False, False)),
    "HEAD": ((None, "/", "HEAD"), (O.NOT_CORS, None, "index", "default", False, False)),
    "OPTIONS": ((None, "/", "OPTIONS"), (O.NOT_CORS, None, "index", "default", False, False)),
    "allowed": ((SHOP, "/"), (O.ALLOWED, None, "index", "default", False, False)),
    "everybody": ((STRANGER, "/public"), (O.ALLOWED, None, "public", "view public", False, False)),
    "own page": (
        (OWN, "/", "POST"),
        (O.SAME_ORIGIN, None, "index", "default", False, False),
    ),
    "own page, by the browser": (
        (STRANGER, "/", "GET", {SITE: "same-origin"}),
        (O.SAME_ORIGIN, None, "index", "default", False, False),
    ),
    "rejected": (
        (STRANGER, "/"),
        (O.REJECTED, R.ORIGIN_NOT_ALLOWED, "index", "default", False, False),
    ),
    "denied": ((BAD, "/"), (O.REJECTED, R.ORIGIN_DENIED, "index", "default", False, False)),
    "null": (("null", "/"), (O.REJECTED, R.ORIGIN_NULL, "index", "default", False, False)),
    "malformed": (
        ("https://Shop.example/", "/"),
        (O.REJECTED, R.ORIGIN_MALFORMED, "index", "default", False, False),
    ),
    "a callable that fails": (
        (STRANGER, "/asks"),
        (O.REJECTED, R.ORIGIN_CHECK_FAILED, "asks", "view asks", False, False),
    ),
    "404": ((STRANGER, "/none"), (O.REJECTED, R.ORIGIN_NOT_ALLOWED, None, "default", False, False)),
    "404, allowed": ((SHOP, "/none"), (O.ALLOWED, None, None, "default", False, False)),
    "a path": (
        ("https://path.example", "/several/a/x"),
        (O.ALLOWED, None, "several", "path /several/a", False, False),
    ),
    "preflight": (
        (SHOP, "/", "OPTIONS", {PREFLIGHT: "PUT"}),
        (O.ALLOWED, None, "index", "default", True, False),
    ),
    "preflight, origin": (
        (STRANGER, "/", "OPTIONS", {PREFLIGHT: "PUT"}),
        (O.REJECTED, R.ORIGIN_NOT_ALLOWED, "index", "default", True, False),
    ),
    "preflight, method": (
        (SHOP, "/", "OPTIONS", {PREFLIGHT: "DELETE"}),
        (O.REJECTED, R.METHOD_NOT_ALLOWED, "index", "default", True, False),
    ),
    "preflight, headers": (
        (SHOP, "/", "OPTIONS", {PREFLIGHT: "PUT", NAMES: "x-a"}),
        (O.REJECTED, R.HEADERS_NOT_ALLOWED, "index", "default", True, False),
    ),
    "preflight, list": (
        (SHOP, "/", "OPTIONS", {PREFLIGHT: "PUT", NAMES: "x a"}),
        (O.REJECTED, R.HEADERS_MALFORMED, "index", "default", True, False),
    ),
    "preflight, private network": (
        (
            SHOP,
            "/",
            "OPTIONS",
            {PREFLIGHT: "PUT", "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": "true"},
        ),
        (O.REJECTED, R.PRIVATE_NETWORK_NOT_ALLOWED, "index", "default", True, False),
    ),
    "refused": (
        (STRANGER, "/refuses", "POST"),
        (O.REJECTED, R.ORIGIN_NOT_ALLOWED, "refuses", "view refuses", False, True),
    ),
    "refused, without Origin": (
        (None, "/refuses", "POST", {SITE: "cross-site"}),
        (O.REJECTED, R.CROSS_SITE_REQUEST, "refuses", "view refuses", False, True),
    ),
    "not refused": (
        (STRANGER, "/refuses", "GET"),
        (O.REJECTED, R.ORIGIN_NOT_ALLOWED, "refuses", "view refuses", False, False),
    ),
    "refused, GET": (
        (STRANGER, "/refuses-all"),
        (O.REJECTED, R.ORIGIN_NOT_ALLOWED, "refuses-all", "view refuses-all", False, True),
    ),
    "ahead of time": (
        (None, "/refuses-all", "GET", {SITE: "none", "HTTP_SEC_PURPOSE": "prefetch"}),
        (O.REJECTED, R.SPECULATIVE, "refuses-all", "view refuses-all", False, True),
    ),
    "only reported": (  # counts as what happens
        (None, "/reports", "POST", {SITE: "cross-site"}),
        (O.NOT_CORS, None, "reports", "view reports", False, False),
    ),
    "a handshake": (
        (STRANGER, "/", "GET", {"HTTP_UPGRADE": "websocket"}),
        (O.UNENFORCED, R.ORIGIN_NOT_ALLOWED, "index", "default", False, False),
    ),
    "two readings": (
        (SHOP, "/several/x/../a/y"),
        (O.REJECTED, R.PATH_AMBIGUOUS, "several", None, False, False),
    ),
}
EXEMPT = [
    (SHOP, "/exempt"),
    (None, "/exempt"),
    (STRANGER, "/exempt", "POST"),
]


def send(app: Flask, origin: Any, path: str, method: str = "GET", more: Any = ()) -> None:
    wire(app, origin, path, method, **dict(more))


def test_every_outcome_and_reason_is_in_the_table():
    counted = [expected for _, expected in ROWS.values()]
    assert {row[0] for row in counted} | {O.EXEMPT} == set(Outcome)
    # The one that is missing is only for guard.origin_check.
    assert {row[1] for row in counted} - {None} == set(Reason) - {R.CREDENTIALS_NOT_ALLOWED}


@pytest.mark.parametrize(("sent", "expected"), ROWS.values(), ids=ROWS)
def test_a_request(sent, expected):
    """Once, with the decision cache and without."""
    app, guard = create()
    assert sum(guard.counts().values()) == 0
    for times in (1, 2, 3):
        send(app, *sent)
        ((key, number),) = guard.counts().items()
        assert number == times
        assert key._fields == FIELDS
        assert (*key[:3], *key[4:]) == (*expected[:3], *expected[4:])
        if expected[3] is not None:
            assert key.policy == expected[3]


@pytest.mark.parametrize("sent", EXEMPT, ids=repr)
def test_exempt_routes(sent):
    app, guard = create()
    send(app, *sent)
    for key, number in guard.counts().items():
        assert (key.outcome, key.endpoint, key.blocked, number) == (O.EXEMPT, "exempt", False, 1)


def test_all_together():
    app, guard = create()
    expected: Counter[tuple[Any, ...]] = Counter()
    for times, (sent, row) in enumerate(ROWS.values(), 1):
        for _ in range(times):
            send(app, *sent)
        expected[row[:3] + row[4:]] += times
    found: Counter[tuple[Any, ...]] = Counter()
    for key, number in guard.counts().items():
        found[key[:3] + key[4:]] += number
    assert found == expected


def test_a_source_that_cannot_tell():
    source = VersionedStore(SHOP)
    source.fault = lambda: 1 / 0
    app, guard = create(origins=[source])
    send(app, STRANGER, "/")
    ((key, number),) = guard.counts().items()
    assert (key.reason, number) == (R.ORIGIN_CHECK_FAILED, 1)


def test_a_report_only_policy_is_beside_the_count():
    """One decision in force for each request."""
    app, guard = create(report_only={"origins": "https://other.example"})
    for origin in (SHOP, STRANGER, None):
        send(app, origin, "/")
    in_force = {k: n for k, n in guard.counts().items() if "report_only" not in k.policy}
    assert sum(in_force.values()) == 3
    assert sorted(k.outcome.name for k in in_force) == ["ALLOWED", "NOT_CORS", "REJECTED"]


def test_of_several_policies():
    app = Flask("several", static_folder=None)
    app.add_url_rule("/", "index", lambda: "ok")
    guard = CorsGuard(app, [Policy(origins=SHOP), Policy(origins="*", methods=[])])
    for origin in (SHOP, STRANGER):
        send(app, origin, "/")
    assert {(k.outcome, k.endpoint) for k in guard.counts()} == {(O.ALLOWED, "index")}
    assert sum(guard.counts().values()) == 2


def test_errors_are_counted_once():
    """Whatever the view does, and also where nobody listens."""
    app, guard = create()
    app.add_url_rule("/error", "error", lambda: 1 / 0)
    send(app, SHOP, "/error")
    ((key, number),) = guard.counts().items()
    assert (key.outcome, key.endpoint, number) == (O.ALLOWED, "error", 1)


def test_looking_counts_nothing():
    app, guard = create()
    guard.prepare()
    guard.explain("/", origin=STRANGER)
    guard.routes()
    guard.status()
    guard.counts()
    guard.origin_check(app)
    assert sum(guard.counts().values()) == 0


def test_what_is_made_up_is_in_no_key():
    """Neither origins nor paths nor methods, however many."""
    app, guard = create()
    for i in range(300):
        send(app, f"https://s{i}.example", f"/none/{i}")
        send(app, f"https://s{i}.example", f"/several/{i}")
        send(app, SHOP, "/", f"M{i}")
        send(app, SHOP, "/", "OPTIONS", {PREFLIGHT: f"M{i}"})
        send(app, SHOP, "/", "OPTIONS", {PREFLIGHT: "PUT", NAMES: f"x-{i}"})
        send(app, f"{i} {'x' * 400}", "/")
    counts = guard.counts()
    assert len(counts) < 15
    assert sum(counts.values()) == 1800
    text = repr(counts)
    assert all(made_up not in text for made_up in ("s299", "M299", "x-299", "https://"))


def test_the_result_is_the_callers():
    app, guard = create()
    send(app, SHOP, "/")
    counts = guard.counts()
    counts.clear()
    assert sum(guard.counts().values()) == 1
    counts = guard.counts()
    send(app, SHOP, "/")
    assert sum(counts.values()) == 1
    assert sum(guard.counts().values()) == 2


def test_each_app_has_its_own():
    app, guard = create()
    other = Flask("other", static_folder=None)
    guard.init_app(other)
    send(app, SHOP, "/")
    send(other, SHOP, "/none")
    send(other, STRANGER, "/none")
    assert sum(guard.counts(app).values()) == 1
    assert sum(guard.counts(other).values()) == 2
    with other.app_context():
        assert sum(guard.counts().values()) == 2


def test_reconfigure_keeps_the_counts():
    app, guard = create()
    send(app, SHOP, "/")
    guard.reconfigure(max_age=5)
    send(app, SHOP, "/")
    assert sum(guard.counts().values()) == 2


def test_no_request_is_lost_among_threads():
    app, guard = create()
    send(app, SHOP, "/")

    def play() -> None:
        for i in range(60):
            send(app, SHOP, "/")
            send(app, f"https://s{i}.example", "/")
            preflight(app, SHOP)
            guard.counts()

    with frequent_switches():
        run_together([play] * 6)
    assert sum(guard.counts().values()) == 1 + 6 * 60 * 3


# --- guard.status() ---


def test_the_keys_of_the_status():
    app, guard = create(origins=[Store(SHOP), "https://x.example"])
    status = guard.status(app)
    assert set(status) >= {"fingerprint", "pid", "settings", "sources"}
    assert status["pid"] == os.getpid()
    assert set(status["settings"]) >= {"file", "when_read", "last_mistake"}
    assert isinstance(status["fingerprint"], str)
    assert 4 <= len(status["fingerprint"]) <= 64
    assert status["fingerprint"].isalnum()
    assert status["sources"][0].keys() >= {
        "name",
        "rows",
        "version",
        "age",
        "bad_rows",
        "last_failure",
    }
    json.dumps(status)
    assert create()[1].status()["sources"] == []


def test_the_fingerprint_of_a_changed_app():
    """Settings and routes are in it. Rows, requests and counts are not."""
    source = VersionedStore(SHOP, refresh=0.0001)
    app, guard = create(origins=[source, "https://x.example"])
    before = guard.status()["fingerprint"]
    guard.prepare()
    assert guard.status()["fingerprint"] == before
    send(app, SHOP, "/")
    source.put(STRANGER)
    send(app, STRANGER, "/")
    send(app, STRANGER, "/none")
    assert guard.status()["sources"][0]["rows"] == 1
    assert guard.status()["fingerprint"] == before
    seen = {before}
    for fields in [
        {"max_age": 7},
        {"max_age": 8},
        {"methods": ["PUT"]},
        {"allow_headers": "X-A"},
        {"expose_headers": "X-A"},
        {"enforce": "unsafe"},
        {"deny_origins": []},
        {"origins": [source]},
        {"origins": SHOP},
        {"allow_private_network": True},
        {"raw_origins": "file://"},
        {"report_only": {"origins": SHOP}},
        {"report_only": {"origins": STRANGER}},
    ]:
        guard.reconfigure(**fields)
        found = guard.status()["fingerprint"]
        assert found not in seen
        seen.add(found)
        assert guard.status()["fingerprint"] == found
    guard.reconfigure(
        max_age=600, methods=None, allow_headers="Content-Type", expose_headers=[], enforce="off",
        deny_origins=BAD, origins=[source, "https://x.example"], allow_private_network=False,
        raw_origins=[], report_only=False,
    )  # fmt: skip
    assert guard.status()["fingerprint"] == before


FINGERPRINTS = """
    import json, re, sys
    from flask import Flask
    from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
    from tests.sources.memory_store import Store

    def check(origin): return False
    def other(origin): return False

    def create(*rows, rules=(), marks=(), self_origins=(), **fields):
        app = Flask("shop")
        app.config["SECRET_KEY"] = str(id(app))
        app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT", "POST", "DELETE"])
        app.add_url_rule("/marked", "marked", cors(origins=check)(lambda: "ok"))
        app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
        for rule in rules:
            app.add_url_rule(rule, rule, lambda **_: "ok")
        source = Store(*rows, name="store-7")
        given = dict(
            origins=["https://a.example", "https://*.b.example", re.compile("https://c[0-9]"),
                     check, source],
            deny_origins={f"https://d{i}.example" for i in range(20)},
            methods={"PUT", "DELETE", "PATCH"}, expose_headers={"X-A", "X-B", "X-C"},
            policies={"one": Policy(origins="https://one.example"), "two": {"origins": "*"}},
            report_only={"origins": ["https://r.example"]},
        )
        guard = CorsGuard(app, self_origins=self_origins, **{**given, **fields})
        for path, mark in marks:
            guard.for_path(path, **mark)
        return guard.status(app)["fingerprint"]

    a = "https://a.example"
    print(json.dumps({
        "plain": create(), "again": create(), "rows": create(a), "rule": create(rules=["/x"]),
        "variable": create(rules=["/<x>"]), "path": create(marks=[("/x", {"origins": a})]),
        "another path": create(marks=[("/y", {"origins": a})]),
        "another policy": create(marks=[("/x", {"origins": "*"})]),
        "callable": create(origins=[a, other]), "another": create(origins=[a, check]),
        "pattern": create(origins=re.compile("https://x")),
        "flags": create(origins=re.compile("https://x", re.A)),
        "age": create(max_age=5), "report": create(report_only={"origins": ["https://s.example"]}),
        "own": create(self_origins="https://front.example"),
        "nothing": create(report_only=None),
    }))
"""


def fingerprints(seed: str) -> dict[str, str]:
    command = [sys.executable, "-c", textwrap.dedent(FINGERPRINTS)]
    environ = {**os.environ, "PYTHONHASHSEED": seed}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environ, check=True
    )
    found: dict[str, str] = json.loads(ended.stdout)
    return found


@pytest.mark.slow
def test_the_fingerprint_in_several_processes():
    """The same settings and routes, the same fingerprint."""
    first, second = fingerprints("1"), fingerprints("2")
    assert first == second
    assert first.pop("again") == first.pop("rows") == first["plain"]
    assert len(set(first.values())) == len(first)
