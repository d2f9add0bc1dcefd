"""Decisions that rest on rows: kept as long as these count, and no longer."""

import time
from collections.abc import Iterable

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, Reason, cors, origin_rejected
from flask_corsguard.runtime import decision_cache
from flask_corsguard.sources.feed import Feed, feed_of

A, B = "https://a.example", "https://b.example"
SHAPES = {
    "one source": {},
    "a callable too": {"callable": True},
    "another source": {"more": True},
    "denied ones": {"deny_origins": ["https://denied.example"]},
    "several policies": {"audiences": True},
}


class Store:
    refresh = 1000.0
    stale_after = 2000.0

    def __init__(self, *rows: str) -> None:
        self.number = 0
        self.rows: Iterable[str] = rows
        self.has_gone = False

    def put(self, *rows: str) -> None:
        self.number += 1
        self.rows = rows

    def version(self) -> int:
        if self.has_gone:
            raise ConnectionError
        return self.number

    def load(self) -> tuple[int, Iterable[str]]:
        return self.version(), self.rows


class Site:
    """An app whose policy has a source, in one of several shapes."""

    def __init__(self, shape: str) -> None:
        self.store = Store(A)
        self.app = Flask("app")
        self.app.add_url_rule("/", view_func=lambda: "", methods=["GET", "PUT"])
        how = SHAPES[shape]
        origins: list[object] = [self.store]
        if "callable" in how:
            origins.append(lambda origin: False)
        if "more" in how:
            origins.insert(0, Store("https://other.example"))
        if "audiences" in how:
            policies = {"own": {"origins": origins}, "last": {"origins": "https://last.example"}}
            self.guard = CorsGuard(self.app, ["own", "last"], policies=policies)
        else:
            self.guard = CorsGuard(
                self.app, origins=origins, deny_origins=how.get("deny_origins", ())
            )
        self.client = self.app.test_client()
        self.reasons: list[Reason | None] = []

    def asks(self, origin: str, method: str = "GET") -> bool:
        headers = {"Origin": origin}
        if method != "GET":
            headers["Access-Control-Request-Method"] = method
        response = self.client.open(
            "/", method="GET" if method == "GET" else "OPTIONS", headers=headers
        )
        return "Access-Control-Allow-Origin" in response.headers

    def status(self) -> list[dict[str, object]]:
        with self.app.test_request_context():
            sources: list[dict[str, object]] = self.guard.status()["sources"]
        return sources

    def later(self, seconds: float) -> None:
        """Let time go by for the source: as if it had been read so much earlier."""
        feed = feed_of(self.store)
        for name in ("due", "fresh_until", "stale_at", "_check_at", "_reload_at", "_read_at"):
            setattr(feed, name, getattr(feed, name) - seconds)


@pytest.fixture(params=SHAPES)
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_change_ends_what_was_kept(site: Site, method: str) -> None:
    for _ in range(3):
        assert [site.asks(origin, method) for origin in (A, B)] == [True, False]
    site.store.put(B)
    assert [site.asks(origin, method) for origin in (A, B)] == [True, False]  # not yet due
    site.later(1001)
    for _ in range(3):
        assert [site.asks(origin, method) for origin in (B, A)] == [True, False]


def test_what_was_kept_ends_when_the_source_is_stale(site: Site) -> None:
    reasons: list[Reason | None] = []

    def note(_: object, decision: object) -> None:
        reasons.append(getattr(decision, "reason", None))

    for _ in range(3):
        assert [site.asks(origin) for origin in (A, B)] == [True, False]
    site.store.has_gone = True
    site.later(1001)
    for _ in range(3):
        assert [site.asks(origin) for origin in (A, B)] == [True, False]
    site.later(1001)
    with origin_rejected.connected_to(note, site.app):
        for _ in range(3):
            assert [site.asks(origin) for origin in (A, B)] == [False, False]
    assert reasons == [Reason.ORIGIN_CHECK_FAILED] * 6
    site.store.has_gone = False
    site.later(3000)
    assert [site.asks(origin) for origin in (A, B)] == [True, False]


def test_another_source_has_no_part_in_it(site: Site) -> None:
    assert site.asks(A)
    other = Site("one source")
    other.store.put(B)
    assert other.asks(B)
    before = Feed.published
    assert site.asks(A)
    assert Feed.published is before


@pytest.mark.parametrize("count", [1, 3])
def test_a_request_that_finds_the_source_due_waits_and_no_other(count: int) -> None:
    site = Site("one source")
    assert site.asks(A)
    waits: list[float] = []

    def version() -> int:
        waits.append(time.monotonic())
        return 0

    feed_of(site.store)._version_of = version
    for _ in range(count):
        site.later(1001)
        assert [site.asks(A) for _ in range(5)] == [True] * 5
    assert len(waits) == count


def test_the_status_has_a_source_asked_that_admits_nobody() -> None:
    """Else a probe that reads it would wait for a request that does not come before it is ready."""
    site = Site("one source")
    (status,) = site.status()
    assert (status["rows"], status["stale"]) == (1, False)
    site.store.put(A, B)
    site.later(1001)
    (status,) = site.status()
    assert (status["rows"], status["stale"]) == (1, False)  # not for this
    site.later(1001)
    (status,) = site.status()
    assert (status["rows"], status["stale"]) == (2, False)


@pytest.mark.parametrize("listed", [A, "https://*.example"])
@pytest.mark.parametrize("is_gone", [False, True], ids=["revoked", "gone"])
@pytest.mark.parametrize("is_full", [False, True], ids=["", "full"])
def test_what_is_listed_beside_the_source_stays(
    listed: str, is_gone: bool, is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a row named the same origin first; and if nothing more is kept."""
    if is_full:
        monkeypatch.setattr(decision_cache, "MOST_DECISIONS", 0)
    site = Site("one source")
    site.guard.reconfigure(origins=[listed, site.store], app=site.app)
    assert site.asks("https://b.com") is False  # the rows are read
    assert [site.asks(A) for _ in range(3)] == [True] * 3
    site.store.put()
    site.store.has_gone = is_gone
    site.later(2001 if is_gone else 1001)
    assert [site.asks(A) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("shape", ["source", "callable too", "tenants"])
@pytest.mark.parametrize("automatic", [False, True])
def test_each_url_keeps_its_own(shape: str, automatic: bool) -> None:
    """Also where no rule has matched the request, because none accepts OPTIONS, say."""

    def policy(origin: str) -> Policy:
        if shape == "tenants":
            source = Store()
            source.rows = [("localhost", origin)]  # type: ignore[list-item]
            source.by = lambda request: request.host  # type: ignore[attr-defined]
            return Policy(origins=[source], origins_vary=["Host"])
        further = [lambda _: False] if shape == "callable too" else []
        return Policy(origins=[Store(origin), *further])

    app = Flask("app")
    guard = CorsGuard(app)
    for name, origin in (("one", A), ("two", B)):
        view = cors(policy(origin))(lambda: "")
        app.add_url_rule(
            f"/{name}",
            name,
            view,
            methods=["GET", "PUT"],
            provide_automatic_options=automatic,
        )
        guard.for_path(f"/{name}s", policy(origin))
    client = app.test_client()

    def preflight(path: str, origin: str) -> int:
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        return client.options(path, headers=headers).status_code

    def reads(path: str, origin: str) -> bool:
        response = client.post(path, headers={"Origin": origin})
        return "Access-Control-Allow-Origin" in response.headers

    for _ in range(3):
        for one, two in (("/one", "/two"), ("/ones/x", "/twos/x")):
            found = [preflight(one, A), preflight(two, A), preflight(one, B), preflight(two, B)]
            assert found == [204, 403, 403, 204]
            found = [reads(one, A), reads(two, A), reads(one, B), reads(two, B)]
            assert found == [True, False, False, True]
