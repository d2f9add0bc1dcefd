"""Sources whose rows belong to tenants."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort, has_request_context

from flask_corsguard import CorsGuard, Outcome, Policy, PolicyError
from flask_corsguard.runtime import decision_cache
from tests.raised import FAILURES
from tests.sources.memory_store import (
    ALLOWED,
    CANNOT_TELL,
    NOT_ALLOWED,
    LoggedStore,
    Site,
    Store,
    VersionedStore,
    eventually,
    preflight,
    wire,
)
from tests.strength.threads import run_together

A, B, BOTH = "https://a.example", "https://b.example", "https://both.example"
STRANGER = "https://stranger.example"
LISTED = "https://listed.example"
QUIET = {"CORSGUARD_LOG_REJECTIONS": False}
ROWS = [("a.test", A), ("b.test", B), ("a.test", BOTH), ("b.test", BOTH)]
ALWAYS = 1e-9
PREFLIGHT = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}


def host(request: Any) -> Any:
    return request.host


def create(source: Any, *origins: Any, vary: Any = ("Host",), **fields: Any) -> Site:
    return Site(origins=[source, *origins], origins_vary=list(vary), config=QUIET, **fields)


def tenants(**settings: Any) -> VersionedStore:
    return VersionedStore(*ROWS, by=host, **settings)


@pytest.mark.parametrize("credentials", [False, True])
def test_each_tenant_has_its_own(credentials):
    """Whatever is asked first, again and again, with every kind of request."""
    site = create(tenants(), LISTED, allow_credentials=credentials)
    expected = {
        ("a.test", A): ALLOWED,
        ("a.test", B): NOT_ALLOWED,
        ("a.test", BOTH): ALLOWED,
        ("b.test", A): NOT_ALLOWED,
        ("b.test", B): ALLOWED,
        ("b.test", BOTH): ALLOWED,
        ("c.test", A): NOT_ALLOWED,
        ("c.test", B): NOT_ALLOWED,
        ("c.test", BOTH): NOT_ALLOWED,
        **{(f"{name}.test", LISTED): ALLOWED for name in "abc"},
        **{(f"{name}.test", STRANGER): NOT_ALLOWED for name in "abc"},
    }
    for _ in range(3):
        for (tenant, origin), verdict in expected.items():
            for path in ("/", "/none"):
                assert site.ask(origin, path, host=tenant) == verdict
                assert site.ask(origin, path, "HEAD", host=tenant) == verdict
                assert site.ask(origin, path, "OPTIONS", host=tenant, **PREFLIGHT) == verdict
        expected = dict(reversed(expected.items()))


def test_what_a_tenant_is_part_of():
    """The port and the case as ``by`` gives them: nothing is made of them."""
    site = create(tenants())
    assert site.ask(A, host="a.test") == ALLOWED
    for other in ("a.test:8443", "a.test.", "xa.test", "a.test.evil.test", "b.test", "test"):
        assert site.ask(A, host=other) == NOT_ALLOWED


FORMS = [
    ("https://*.wild.example", "https://x.wild.example"),
    ("https://pr-*.example.net", "https://pr-1.example.net"),
    ("http://localhost:*", "http://localhost:3000"),
    ("moz-extension://*", "moz-extension://x"),
    ("http://[::1]:3000", "http://[::1]:3000"),
]


@pytest.mark.parametrize(("row", "origin"), FORMS)
def test_every_form_is_the_tenants_own(row, origin):
    source = VersionedStore(("a.test", row), ("b.test", B), by=host)
    site = create(source)
    for _ in range(2):
        assert site.ask(origin, host="a.test") == ALLOWED
        for other in ("b.test", "c.test"):
            assert site.ask(origin, host=other) == NOT_ALLOWED
            assert site.preflight(origin, host=other) == NOT_ALLOWED


TENANTS: dict[str, tuple[Any, Any]] = {
    "numbers": (1, 2),
    "tuples": (("a", 1), ("a", 2)),
    "bytes": (b"a", b"b"),
    "empty": ("", "a"),
    "near": ("a", "a "),
    "in a set": (frozenset("a"), frozenset("b")),
}


@pytest.mark.parametrize(("one", "other"), TENANTS.values(), ids=TENANTS)
def test_tenants_of_any_kind(one, other):
    names = {"a.test": one, "b.test": other}
    source = VersionedStore((one, A), (other, B), by=lambda request: names[request.host])
    site = create(source)
    for _ in range(2):
        assert (site.ask(A, host="a.test"), site.ask(B, host="a.test")) == (ALLOWED, NOT_ALLOWED)
        assert (site.ask(A, host="b.test"), site.ask(B, host="b.test")) == (NOT_ALLOWED, ALLOWED)
    assert site.source()["bad_rows"] == 0


# --- Vary ---


def test_it_has_to_be_said_what_tells_tenants_apart():
    with pytest.raises(PolicyError, match="origins_vary") as caught:
        Policy(origins=[tenants()])
    assert [p.field for p in caught.value.problems] == ["origins_vary"]
    with pytest.raises(PolicyError, match="origins_vary"):
        CorsGuard(Flask("shop"), origins=[LISTED, tenants()], allow_credentials=True)
    Policy(origins=[tenants()], origins_vary="Host")
    Policy(origins=[tenants()], origins_vary=["X-Tenant", "Host"])


@pytest.mark.parametrize("names", ["*", "Cookie", "authorization", ["Host", "Cookie"]])
def test_what_a_preflight_does_not_have(names):
    with pytest.raises(PolicyError, match="origins_vary"):
        Policy(origins=[tenants()], origins_vary=names)


def test_without_tenants_there_is_nothing_to_vary_by():
    with pytest.raises(PolicyError, match="origins_vary"):
        Policy(origins=[Store(A)], origins_vary="Host")


@pytest.mark.parametrize("enforce", ["off", "all"])
@pytest.mark.parametrize("gone", [False, True], ids=["", "gone"])
def test_every_response_varies(enforce, gone):
    source = tenants()
    if gone:
        source.fault = lambda: 1 / 0
    site = create(source, LISTED, vary=["X-Tenant", "Host"], enforce=enforce, deny_origins=B)
    site.app.add_url_rule("/error", "error", lambda: 1 / 0)
    site.app.add_url_rule("/abort", "abort", lambda: abort(418))
    site.app.add_url_rule("/move/", "move", lambda: "ok")
    for origin in (None, A, B, BOTH, STRANGER, LISTED, "null", "X", "https://a.test"):
        for tenant in ("a.test", "c.test"):
            for path in ("/", "/none", "/error", "/abort", "/move"):
                for method, more in [
                    ("GET", {}), ("HEAD", {}), ("POST", {}), ("DELETE", {}), ("OPTIONS", {}),
                    ("OPTIONS", PREFLIGHT), ("GET", {"HTTP_SEC_FETCH_SITE": "same-origin"}),
                    ("POST", {"HTTP_SEC_FETCH_SITE": "cross-site"}),
                ]:  # fmt: skip
                    response = wire(site.app, origin, path, method, tenant, **more)
                    assert {"origin", "x-tenant", "host"} <= response.vary, (origin, path, method)


# --- What the store is asked ---


def test_unknown_tenants_are_no_question_to_the_store():
    source = tenants(refresh=60)
    site = create(source)
    for i in range(200):
        assert site.ask(A, host=f"t{i}.test") == NOT_ALLOWED
        assert site.preflight(A, host=f"t{i}.test") == NOT_ALLOWED
    assert site.ask(A, host="a.test") == ALLOWED
    assert source.asked == ["load"]


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_tenants_that_come_and_go(kind):
    source = kind(*ROWS, by=host, refresh=ALWAYS)
    site = create(source)
    new = ("c.test", "https://c.example")

    def put(row: Any, here: bool) -> None:
        if isinstance(source, LoggedStore):
            (source.add if here else source.remove)(row)
        else:
            source.put(*[r for r in source.rows if r != row], *([row] if here else []))
        time.sleep(0.001)

    for _ in range(2):
        assert site.ask(new[1], host="c.test") == NOT_ALLOWED
        put(new, True)
        assert site.ask(new[1], host="c.test") == site.preflight(new[1], host="c.test") == ALLOWED
        assert site.ask(new[1], host="a.test") == NOT_ALLOWED
        put(new, False)
        assert site.ask(new[1], host="c.test") == NOT_ALLOWED
        # One of two tenants with the same origin.
        put(("a.test", BOTH), False)
        assert site.ask(BOTH, host="a.test") == NOT_ALLOWED
        assert site.ask(BOTH, host="b.test") == ALLOWED
        put(("a.test", BOTH), True)
        assert site.ask(BOTH, host="a.test") == ALLOWED
    if kind is LoggedStore:
        assert source.asked.count("load") == 1


def test_a_store_that_is_gone():
    source = tenants(refresh=0.01, stale_after=0.5)
    site = create(source, LISTED)
    assert site.ask(A, host="a.test") == ALLOWED
    source.fault = lambda: 1 / 0
    assert site.ask(A, host="a.test") == ALLOWED
    assert site.ask(A, host="c.test") == NOT_ALLOWED
    assert eventually(lambda: site.ask(A, host="a.test") == CANNOT_TELL, 2)
    for tenant in ("a.test", "b.test", "c.test"):
        assert site.ask(A, host=tenant) == site.preflight(A, host=tenant) == CANNOT_TELL
        assert site.ask(LISTED, host=tenant) == ALLOWED
    source.fault = None
    assert eventually(lambda: site.ask(A, host="a.test") == ALLOWED, 2)


# --- Functions that tell the tenant ---


def failing(error: Callable[[], BaseException]) -> Callable[[Any], str]:
    def by(request: Any) -> str:
        if request.host == "a.test":
            return "a.test"
        raise error()

    return by


WITHOUT_TENANT: dict[str, Callable[[Any], Any]] = {
    **{name: failing(error) for name, error in FAILURES.items()},
    "an exception": failing(lambda: LookupError("no such tenant")),
    "an answer": failing(lambda: abort_error()),
    "no hash": lambda request: "a.test" if request.host == "a.test" else [],
    "a hash that fails": lambda request: "a.test" if request.host == "a.test" else NoHash(),
    "no comparison": lambda request: "a.test" if request.host == "a.test" else NotComparable(),
}


def abort_error() -> BaseException:
    with pytest.raises(Exception, match="404") as caught:
        abort(404)
    return caught.value


class NoHash:
    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class NotComparable:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        return 1


@pytest.mark.parametrize("by", WITHOUT_TENANT.values(), ids=WITHOUT_TENANT)
def test_a_tenant_that_cannot_be_told(by, log_lines):
    """Nobody whom nothing else admits is let in, and the request goes on."""
    source = VersionedStore(*ROWS, by=by)
    site = Site(origins=[source, LISTED], origins_vary="Host")
    for _ in range(2):
        assert site.ask(A, host="a.test") == ALLOWED
        assert site.ask(A, host="b.test") == site.preflight(A, host="b.test") == CANNOT_TELL
        assert site.ask(B, host="b.test") == CANNOT_TELL
        assert site.ask(LISTED, host="b.test") == ALLOWED
        assert site.ask(None, host="b.test") == "NOT_CORS"
        assert site.ask("null", host="b.test") == "ORIGIN_NULL"
    assert site.ask(B, host="a.test") == NOT_ALLOWED
    assert all(line.isprintable() for line in log_lines())


def test_what_it_is_called_with():
    """The request itself, in its context, and only where somebody has to be told apart."""
    seen: list[Any] = []

    def by(request: Any) -> str:
        assert has_request_context()
        seen.append((request.host, request.method, request.headers.get("Origin")))
        return str(request.host)

    site = create(VersionedStore(*ROWS, by=by), LISTED)
    site.ask(A, host="a.test")
    assert set(seen) == {("a.test", "GET", A)}
    seen.clear()
    site.preflight(A, host="b.test")
    assert set(seen) == {("b.test", "OPTIONS", A)}
    seen.clear()
    site.ask(None, host="a.test")
    site.ask(A, "/exempt", host="a.test")
    site.ask(A, "/public", host="a.test")
    assert seen == []


def test_explaining():
    site = create(tenants())
    decision = site.guard.explain("https://a.test/", origin=A)
    assert decision.outcome is Outcome.ALLOWED
    decision = site.guard.explain("https://b.test/", origin=A)
    assert decision.reason.name == NOT_ALLOWED
    for other in ("https://a.test/", "https://b.test/", "https://c.test/"):
        assert site.guard.explain(other, origin=STRANGER).explain()


def test_tenants_by_a_header():
    source = VersionedStore(("1", A), ("2", B), by=lambda r: r.headers.get("X-Tenant"))
    site = create(source, vary=["X-Tenant"])
    for _ in range(2):
        for tenant, origin, verdict in [
            ("1", A, ALLOWED), ("1", B, NOT_ALLOWED), ("2", B, ALLOWED), ("2", A, NOT_ALLOWED),
        ]:  # fmt: skip
            assert site.ask(origin, HTTP_X_TENANT=tenant) == verdict
            assert site.preflight(origin, HTTP_X_TENANT=tenant) == verdict
        assert site.ask(A) == site.preflight(B) == NOT_ALLOWED


# --- Rows ---

BAD: dict[str, Any] = {
    "no tenant": "https://bad.example",
    "one": ("https://bad.example",),
    "three": ("a.test", "https://bad.example", "x"),
    "no pair": ["a.test", "https://bad.example", 3],
    "turned round": ("https://bad.example", "a.test"),
    "upper case": ("a.test", "https://Bad.example"),
    "any": ("a.test", "*"),
    "null": ("a.test", "null"),
    "no origin": ("a.test", None),
    "no hash": ([], "https://bad.example"),
    "a hash that fails": (NoHash(), "https://bad.example"),
    "bytes": ("a.test", b"https://bad.example"),
    "two letters": "ab",
    "None": None,
}


@pytest.mark.parametrize("row", BAD.values(), ids=BAD)
def test_bad_rows(row):
    site = create(VersionedStore(ROWS[0], row, ROWS[1], by=host))
    for tenant, origin in ROWS[:2]:
        assert site.ask(origin, host=tenant) == ALLOWED
    for tenant in ("a.test", "b.test", "c.test", "https://bad.example"):
        for origin in ("https://bad.example", "https://x.example", "null", STRANGER):
            assert site.ask(origin, host=tenant) != ALLOWED
    assert site.source()["bad_rows"] == 1
    assert site.source()["rows"] == 2


def test_rows_with_a_tenant_where_there_is_no_by():
    site = Site(origins=[VersionedStore(*ROWS, "https://good.example")], config=QUIET)
    assert site.ask("https://good.example") == ALLOWED
    for tenant, origin in ROWS:
        assert site.ask(origin, host=tenant) == NOT_ALLOWED
    assert site.source()["bad_rows"] == 4


# --- Beside others, and under load ---


def test_beside_a_source_without_tenants():
    site = create(tenants(), Store(STRANGER), LISTED)
    for tenant in ("a.test", "b.test", "c.test"):
        assert site.ask(STRANGER, host=tenant) == site.ask(LISTED, host=tenant) == ALLOWED
    assert site.ask(A, host="b.test") == NOT_ALLOWED
    assert site.ask(A, host="a.test") == ALLOWED


def test_two_sources_with_tenants_of_their_own():
    """Each looks at its own value; both are in the key."""
    first = VersionedStore(("1", A), by=lambda request: request.headers.get("X-First"))
    second = VersionedStore(("1", B), by=lambda request: request.headers.get("X-Second"))
    site = Site(origins=[first, second], origins_vary=["X-First", "X-Second"], config=QUIET)
    for _ in range(2):
        for one in ("1", "2"):
            for two in ("1", "2"):
                more = {"HTTP_X_FIRST": one, "HTTP_X_SECOND": two}
                assert site.ask(A, **more) == (ALLOWED if one == "1" else NOT_ALLOWED)
                assert site.ask(B, **more) == (ALLOWED if two == "1" else NOT_ALLOWED)


def test_tenants_in_an_audience():
    own = Policy(origins=[tenants()], origins_vary="Host", allow_credentials=True)
    site = Site([own, Policy(origins="*")], config=QUIET)
    for _ in range(2):
        for tenant, credentials in {"a.test": True, "b.test": False, "c.test": False}.items():
            response = wire(site.app, A, host=tenant)
            assert response.allows == (A if credentials else "*")
            names = {name for name, _ in response.headers}
            assert ("Access-Control-Allow-Credentials" in names) == credentials
            assert {"origin", "host"} <= response.vary


def test_threads_do_not_mix_tenants():
    source = VersionedStore(*ROWS, by=host, refresh=0.005)
    app = create(source, allow_credentials=True).app
    mixed = []

    def play(tenant: str, own: str, others: str) -> Callable[[], None]:
        def ask() -> None:
            for i in range(150):
                for allowed, origin in ((True, own), (False, others), (True, BOTH)):
                    asks = preflight if i % 2 else wire
                    if (asks(app, origin, host=tenant).allows == origin) != allowed:
                        mixed.append((tenant, origin))
                if wire(app, own, host=f"{tenant}{i}.made-up.test").allows:
                    mixed.append((i, own))

        return ask

    def change() -> None:
        for _ in range(40):
            source.number += 1
            time.sleep(0.003)

    app.test_client().get("/")  # the table
    wire(app, A, host="a.test")  # and the rows
    run_together([*[play("a.test", A, B), play("b.test", B, A)] * 3, change])
    assert mixed == []


@pytest.mark.parametrize("beside", [(), (VersionedStore(A, refresh=60),)], ids=["", "beside"])
def test_made_up_tenants_do_not_grow_anything(beside, monkeypatch):
    """Nothing is kept of them, and no more of made-up origins than there is room for; not where
    another source admits the origin either."""
    monkeypatch.setattr(decision_cache, "MOST_DECISIONS", 100)
    source = tenants(refresh=60)
    site = create(source) if not beside else create(beside[0], source)
    app = site.app

    def play(numbers: range) -> None:
        for i in numbers:
            wire(app, A, host=f"tenant-{i}.{'x' * 150}.test")
            preflight(app, f"https://{'y' * 40}{i}.example", host=f"t{i}.{'x' * 150}.test")
            site.decisions.clear()

    tracemalloc.start()
    try:
        play(range(150))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        play(range(150, 400))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 30_000
    assert source.asked == ["load"]
    assert site.ask(A, host="a.test") == ALLOWED
