"""When a source is asked, and what holds while it cannot be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Policy,
    cors,
    origin_rejected,
    source_failed,
    source_refreshed,
)
from flask_corsguard.sources import seconds_left
from tests.raised import FAILURES, SHUTDOWNS
from tests.sources.memory_store import (
    ALLOWED,
    CANNOT_TELL,
    NOT_ALLOWED,
    LoggedStore,
    Site,
    Store,
    VersionedStore,
    announcements,
    eventually,
    preflight,
    wire,
)
from tests.strength.threads import run_together

GOOD = "https://good.example"
NEW = "https://new.example"
LISTED = "https://listed.example"
STRANGER = "https://stranger.example"
OWN = "https://api.test"
ROOT = Path(__file__).parents[2]
QUIET = {"CORSGUARD_LOG_REJECTIONS": False}
ALWAYS = 1e-9
SITE = "HTTP_SEC_FETCH_SITE"


# --- For whom the store is not asked ---

#: Fields of the guard beside the source, and requests: origin, path, method, environment.
NOT_ASKED: dict[str, tuple[dict[str, Any], list[tuple[str | None, str, str, dict[str, str]]]]] = {
    "no Origin": (
        {},
        [
            (None, "/", method, more)
            for method in ("GET", "HEAD", "PUT", "OPTIONS")
            for more in ({}, {SITE: "cross-site"}, {SITE: "none"})
        ],
    ),
    "no Origin, enforced": (
        {"enforce": "all"},
        [(None, "/", m, {SITE: s}) for m in ("GET", "POST") for s in ("cross-site", "same-site")],
    ),
    "listed": ({}, [(LISTED, "/", m, {}) for m in ("GET", "HEAD", "PUT", "OPTIONS", "DELETE")]),
    "listed, preflights": (
        {"methods": ["PUT"]},
        [
            (LISTED, path, "OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method})
            for path in ("/", "/none")
            for method in ("PUT", "DELETE")
        ],
    ),
    "listed, enforced": ({"enforce": "all"}, [(LISTED, "/", "POST", {SITE: "cross-site"})]),
    "by a wildcard": ({}, [("https://a.wild.example", "/", "GET", {})]),
    "by a wildcard in a label": ({}, [("https://pr-1.example.net", "/", "GET", {})]),
    "by a port": ({}, [("http://localhost:81", "/", "GET", {})]),
    "by a pattern": ({}, [("https://p12.example", "/", "PUT", {})]),
    "raw": (
        {"raw_origins": ["file://", "https://Raw.example"]},
        [("file://", "/", "GET", {}), ("https://Raw.example", "/", "GET", {})],
    ),
    "malformed": (
        {},
        [
            (origin, "/", "GET", {})
            for origin in (
                "",
                " ",
                "https://Good.example",
                f"{GOOD}/",
                f"{GOOD}, {GOOD}",
                "x" * 400,
                f"https://{'a.' * 200}example",
                "https://good.example:443",
                "https://gööd.example",
                f"{GOOD}\x00",
                "*",
                "https://*",
                "good.example",
                "https://",
                "file://",
            )
        ],
    ),
    "null": ({}, [("null", "/", "GET", {}), ("null", "/", "PUT", {})]),
    "null, enforced": ({"enforce": "all"}, [("null", "/", "POST", {})]),
    "denied": (
        {"deny_origins": [GOOD, "https://*.denied.example"]},
        [(o, "/", m, {}) for o in (GOOD, "https://a.denied.example") for m in ("GET", "POST")],
    ),
    "own pages": (
        {},
        [
            (STRANGER, "/", "GET", {SITE: "same-origin"}),
            (STRANGER, "/", "POST", {SITE: "none"}),
            ("null", "/", "POST", {SITE: "same-origin"}),
        ],
    ),
    "own host": ({}, [(OWN, "/", "GET", {}), (OWN, "/", "POST", {})]),
    "self_origins": (
        {"self_origins": "https://front.example"},
        [("https://front.example", "/", "PUT", {})],
    ),
    "own pages, enforced": (
        {"enforce": "all"},
        [(STRANGER, "/", "POST", {SITE: "same-origin"}), (OWN, "/", "POST", {})],
    ),
    "another policy": (
        {},
        [
            (o, p, m, {})
            for o in (GOOD, STRANGER)
            for p in ("/listed", "/public")
            for m in ("GET", "PUT")
        ],
    ),
    "another policy, preflights": (
        {},
        [
            (o, p, "OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"})
            for o in (GOOD, STRANGER)
            for p in ("/listed", "/public")
        ],
    ),
    "exempt": (
        {},
        [(o, "/exempt", m, {}) for o in (GOOD, STRANGER) for m in ("GET", "PUT", "OPTIONS")],
    ),
}


@pytest.mark.parametrize("known", [False, True], ids=["before the first", "after it"])
@pytest.mark.parametrize(("fields", "requests"), NOT_ASKED.values(), ids=NOT_ASKED)
def test_who_is_not_asked_about(fields, requests, known):
    source = VersionedStore(GOOD, refresh=ALWAYS)
    static = [
        LISTED,
        "https://*.wild.example",
        "https://pr-*.example.net",
        "http://localhost:*",
        re.compile(r"https://p\d+\.example"),
    ]
    site = Site(origins=[source, *static], config=QUIET, **fields)
    site.guard.prepare()
    if known:
        site.ask("https://somebody.example")
        assert source.asked
        source.asked.clear()
        time.sleep(0.002)
    source.fault = lambda: pytest.fail("the store was asked")
    for origin, path, method, more in requests * 2:
        assert site.ask(origin, path, method, **more) != CANNOT_TELL
    assert source.asked == []


def audiences(*sources: Any) -> list[Policy]:
    return [
        Policy(origins=[LISTED, *sources[:1]], deny_origins="https://denied.example", max_age=1),
        Policy(origins=["https://later.example", *sources[1:]], max_age=2),
    ]


@pytest.mark.parametrize("origin", [LISTED, "https://denied.example", GOOD])
def test_a_later_audience_is_not_asked(origin):
    """Where an earlier one has decided: by its list, or by its own source."""
    first, second = VersionedStore(GOOD, refresh=ALWAYS), VersionedStore(GOOD, refresh=ALWAYS)
    site = Site(audiences(first, second), config=QUIET)
    for _ in range(3):
        assert site.ask(origin) == (ALLOWED if origin in (LISTED, GOOD) else "ORIGIN_DENIED")
        assert site.decisions[-1].policy.max_age == 1
    assert bool(first.asked) == (origin == GOOD)
    assert second.asked == []


def test_explaining_and_looking_count_nothing_and_stop_nothing():
    """What a person looks at does not raise while the store is gone, either."""
    source = Store(GOOD, refresh=ALWAYS)
    source.fault = fail_with(OSError("gone"))
    site = Site(origins=[source, LISTED], config=QUIET)
    assert site.guard.explain("/", origin=LISTED).reason is None
    assert site.guard.explain("/", origin=GOOD).reason.name == CANNOT_TELL
    assert "To allow it" in site.guard.explain("/", origin=GOOD).explain()
    assert site.guard.routes()
    assert site.guard.status()


# --- For whom it is, and how often ---

ASKED: dict[str, tuple[str, str, dict[str, str]]] = {
    "GET": ("/", "GET", {}),
    "HEAD": ("/", "HEAD", {}),
    "POST": ("/", "POST", {SITE: "cross-site"}),
    "from the same site": ("/", "GET", {SITE: "same-site"}),
    "OPTIONS": ("/", "OPTIONS", {}),
    "a preflight": ("/", "OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}),
    "404": ("/none", "GET", {}),
    "405": ("/", "PATCH", {}),
    "a preflight for a 404": ("/none", "OPTIONS", {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}),
    "a handshake": ("/", "GET", {"HTTP_UPGRADE": "websocket"}),
}


@pytest.mark.parametrize("enforce", ["off", "unsafe", "all", "report"])
@pytest.mark.parametrize(("path", "method", "more"), ASKED.values(), ids=ASKED)
def test_who_is_asked_about(path, method, more, enforce):
    """The first such request has the rows read, and is decided by them."""
    source = VersionedStore(GOOD, refresh=60)
    site = Site(origins=[LISTED, source], enforce=enforce, config=QUIET)
    assert site.ask(GOOD, path, method, **more) == ALLOWED
    assert site.ask(STRANGER, path, method, **more) == NOT_ALLOWED
    assert source.asked == ["load"]
    source.put(NEW)
    assert site.ask(GOOD, path, method, **more) == ALLOWED
    assert source.asked == ["load"]


KINDS: dict[str, tuple[type[Store], list[str], list[str]]] = {
    "all": (Store, [], []),  # at most every 30 s
    "version": (VersionedStore, ["version"], ["version", "load"]),
    "changes": (LoggedStore, ["changes"], ["changes"]),
}


@pytest.mark.parametrize(("kind", "unchanged", "changed"), KINDS.values(), ids=KINDS)
def test_what_a_refresh_asks(kind, unchanged, changed):
    source = kind(GOOD, refresh=0.05)
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    assert source.asked == ["load"]

    def due() -> list[str]:
        """What the next request has asked, and that no other asks anything."""
        time.sleep(0.06)
        source.asked.clear()
        site.ask(STRANGER)
        return list(source.asked)

    for _ in range(3):
        assert due() == unchanged
    if isinstance(source, LoggedStore):
        source.add(NEW)
    else:
        source.put(GOOD, NEW)
    assert due() == changed
    assert site.ask(NEW) == (ALLOWED if changed else NOT_ALLOWED)
    assert due() == unchanged
    if isinstance(source, LoggedStore):
        source.remove(GOOD)
        assert list(dict.fromkeys(source.since)) == [1, 2]
        assert due() == changed
        assert site.ask(GOOD) == NOT_ALLOWED
        # The log does not go back that far, or has been lost.
        source.forgotten = True
        source.put(GOOD, "https://newest.example")
        assert due() == ["changes", "load"]
        assert site.ask("https://newest.example") == ALLOWED
        assert site.ask(NEW) == NOT_ALLOWED


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_at_most_once_in_each_refresh(kind):
    """Whoever asks: those who are in, strangers, preflights; also while it fails."""
    source = kind(GOOD, refresh=0.05)
    site = Site(origins=source, config=QUIET)
    for fails in (False, True):
        source.fault = fail_with(OSError("gone")) if fails else None
        source.asked.clear()
        begun, requests = time.monotonic(), 0
        while time.monotonic() < begun + 0.4:
            site.ask(GOOD if requests % 2 else f"https://s{requests}.example")
            site.preflight(f"https://p{requests}.example")
            requests += 2
        elapsed = time.monotonic() - begun
        assert requests > 10
        # Where the first question fails, a second one may be tried with the same request.
        assert 1 <= len(source.asked) <= 2 * (elapsed / 0.05 + 2)
        if not fails:
            assert len(source.asked) <= elapsed / 0.05 + 2


def test_a_store_that_is_down_from_the_start_is_not_asked_each_time():
    source = VersionedStore(GOOD, refresh=1)
    source.fault = fail_with(OSError("refused"))
    site = Site(origins=[source, LISTED], config=QUIET)
    begun = time.monotonic()
    answers = {site.ask(f"https://s{i}.example") for i in range(100)}
    assert answers == {CANNOT_TELL}
    assert len(source.asked) <= 2 * (time.monotonic() - begun + 1)


def test_everything_is_read_again_now_and_then():
    """With ``reload_every``: somebody may have changed the rows and not the version."""
    source = VersionedStore(GOOD, refresh=0.01, reload_every=0.1)
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.rows = [NEW]
    assert site.ask(NEW) == NOT_ALLOWED
    time.sleep(0.12)
    assert eventually(lambda: site.ask(NEW) == ALLOWED, 2)
    assert site.ask(GOOD) == NOT_ALLOWED


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_a_refresh_by_whoever_comes_next(kind):
    """Anybody's request will do, and the one that finds the rows too old is decided by new ones."""
    source = kind(GOOD, refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.remove(GOOD) if isinstance(source, LoggedStore) else source.put()
    time.sleep(0.001)
    assert site.ask(GOOD) == NOT_ALLOWED
    assert site.preflight(GOOD) == NOT_ALLOWED
    source.add(GOOD) if isinstance(source, LoggedStore) else source.put(GOOD)
    time.sleep(0.001)
    assert site.preflight(GOOD) == ALLOWED
    assert site.ask(GOOD) == ALLOWED


VERSIONS = ["", "v1", b"v1", 0, 1.5, None, (1, 2), True, "2024-05-01T00:00:00Z"]


@pytest.mark.parametrize("version", VERSIONS, ids=repr)
def test_versions_of_any_kind(version):
    """Other than a number, and one that is false."""
    source = VersionedStore(GOOD, refresh=ALWAYS)
    source.number = version
    site = Site(origins=source, config=QUIET)
    for _ in range(3):
        assert site.ask(GOOD) == ALLOWED
    if version is not None:
        assert source.asked.count("load") == 1
    source.rows, source.number = [NEW], "another"
    time.sleep(0.001)
    assert site.ask(NEW) == ALLOWED
    assert site.ask(GOOD) == NOT_ALLOWED
    json.dumps(site.guard.status())


def test_a_version_that_goes_back():
    """A store that was restored: another version is another version."""
    source = VersionedStore(GOOD, refresh=ALWAYS)
    source.number = 812
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.rows, source.number = [NEW], 3
    time.sleep(0.001)
    assert site.ask(NEW) == ALLOWED
    assert site.ask(GOOD) == NOT_ALLOWED


# --- Failures ---


def fail_with(error: BaseException | Callable[[], BaseException]) -> Callable[[], object]:
    def fault() -> None:
        raise error() if callable(error) else error

    return fault


def waits() -> None:
    """As a client with time-outs would."""
    time.sleep(seconds_left())
    seconds_left()


def rows_that_fail() -> Any:
    yield GOOD
    yield STRANGER
    raise OSError("reset by peer")


RAISING: dict[str, Callable[[], object]] = {
    **{name: fail_with(error) for name, error in FAILURES.items()},
    "refused": fail_with(ConnectionRefusedError("refused")),
    "slow": waits,
    "the time is up": fail_with(TimeoutError),
    "odd text": fail_with(ValueError("a\nb\x1b[2J" + "x" * 5000)),
    "no text": fail_with(KeyError),
    "deep": fail_with(RecursionError("maximum recursion depth exceeded")),
    "memory": fail_with(MemoryError),
    "iteration": fail_with(StopIteration),
    "asynchronous iteration": fail_with(StopAsyncIteration),
    "not there": fail_with(AttributeError("load")),
    "its own error": fail_with(CorsGuardError("from a guard")),
    "assertion": fail_with(AssertionError),
}
RETURNING: dict[str, Callable[[], object]] = {
    "rows that fail": lambda: (2, rows_that_fail()),
    "None": lambda: None,
    "a number": lambda: 5,
    "a string": lambda: "https://stranger.example",
    "an empty tuple": lambda: (),
    "one of two": lambda: (2,),
    "three": lambda: (2, [STRANGER], []),
    "no rows": lambda: (2, None),
    "a number of rows": lambda: (2, 5),
    "a function": lambda: (2, rows_that_fail),
    "a string of rows": lambda: (2, STRANGER),
    "two characters": lambda: "ab",
}


def break_down(source: Store, how: str) -> None:
    source.number += 1
    if how in RAISING:
        source.fault = RAISING[how]
    else:
        source.result = lambda: Returned(RETURNING[how]())


class Returned:
    def __init__(self, value: object) -> None:
        self.value = value


class Faulty(VersionedStore):
    """Whose ``load`` returns what ``break_down`` says."""

    def load(self) -> Any:
        loaded = super().load()
        rows = loaded[1]
        return rows.value if isinstance(rows, Returned) else loaded


def repair(source: Store, *rows: str) -> None:
    source.fault = source.result = None
    source.put(*rows)


@pytest.mark.parametrize("how", [*RAISING, *RETURNING])
def test_a_refresh_that_fails(how):
    """What was read last stays, until the store is back."""
    source = Faulty(GOOD, refresh=ALWAYS, deadline=0.02 if how == "slow" else 0.5)
    site = Site(origins=[source, LISTED], config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    break_down(source, how)
    time.sleep(0.001)
    with announcements(site.app) as heard:
        for _ in range(3):
            begun = time.monotonic()
            assert site.ask(GOOD) == site.ask(LISTED) == ALLOWED
            assert site.ask(STRANGER) == NOT_ALLOWED
            assert time.monotonic() < begun + 1
    assert {name for name, _ in heard} == {"failed"}
    assert set(heard[0][1]) >= STATUS
    assert heard[0][1]["last_failure"]
    status = site.source()
    assert status["rows"] == 1
    assert isinstance(status["last_failure"], str)
    assert status["last_failure"].isprintable()
    assert len(status["last_failure"]) < 1000
    assert not status["stale"]
    repair(source, NEW)
    assert eventually(lambda: site.ask(NEW) == ALLOWED, 2)
    assert site.ask(GOOD) == NOT_ALLOWED


STATUS = {"name", "rows", "version", "age", "bad_rows", "last_failure", "stale", "problems"}


@pytest.mark.parametrize("how", [*RAISING, *RETURNING])
def test_a_first_read_that_fails(how):
    """Nobody can be told to be in the rows or not, and the rest of the list goes on."""
    source = Faulty(GOOD, refresh=ALWAYS, deadline=0.02 if how == "slow" else 0.5)
    break_down(source, how)
    site = Site(origins=[LISTED, source], config=QUIET)
    for origin in (GOOD, STRANGER, "https://third.example"):
        assert site.ask(origin) == CANNOT_TELL
        assert site.preflight(origin) == CANNOT_TELL
    assert site.ask(LISTED) == site.preflight(LISTED) == ALLOWED
    assert site.ask("null") == "ORIGIN_NULL"
    assert site.ask(None) == "NOT_CORS"
    assert site.ask(STRANGER, "/public") == ALLOWED
    status = site.source()
    assert status.keys() >= STATUS - {"problems"}
    assert status["stale"]
    assert status["last_failure"]
    assert not status["rows"]
    repair(source, NEW)
    assert eventually(lambda: site.ask(NEW) == ALLOWED, 2)
    assert site.ask(GOOD) == NOT_ALLOWED
    assert not site.source()["stale"]


WRONG_CHANGES: dict[str, Any] = {
    "a number": 5,
    "a string": "abc",
    "one": (2,),
    "two": (2, [STRANGER]),
    "four": (2, [STRANGER], [], []),
    "no rows": (2, None, None),
    "numbers of rows": (2, 1, 0),
    "False": False,
    "an empty tuple": (),
}


@pytest.mark.parametrize("returned", WRONG_CHANGES.values(), ids=WRONG_CHANGES)
def test_changes_that_cannot_be_read(returned):
    """They are a failure like any other, or everything is read: they change nothing."""
    source = LoggedStore(GOOD, refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.changes = lambda since: returned
    for _ in range(3):
        time.sleep(0.001)
        assert site.ask(GOOD) == ALLOWED
        assert site.ask(STRANGER) == NOT_ALLOWED


def test_changes_that_fail_half_way():
    """They are taken whole or not at all."""
    source = LoggedStore(GOOD, refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.changes = lambda since: (2, rows_that_fail(), [GOOD])
    for _ in range(3):
        time.sleep(0.001)
        assert site.ask(GOOD) == ALLOWED
        assert site.ask(STRANGER) == NOT_ALLOWED
    del source.changes
    source.remove(GOOD)
    time.sleep(0.001)
    assert site.ask(GOOD) == NOT_ALLOWED


@pytest.mark.parametrize("error", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_a_shutdown_while_the_store_is_asked(error):
    """It is not held back, and the source is not left locked where the process goes on."""
    source = VersionedStore(GOOD, refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)
    for origin in (GOOD, NEW):
        source.fault = fail_with(error)
        with pytest.raises(type(error())):
            site.ask(origin)
        repair(source, origin)
        assert eventually(lambda o=origin: wire(site.app, o).allows, 2)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_an_asynchronous_source():
    """A coroutine is no answer. Nobody is let in."""

    class Asynchronous(Store):
        async def load(self) -> Any:
            return 1, [GOOD]

    site = Site(origins=[Asynchronous(), LISTED], config=QUIET)
    assert site.ask(GOOD) == CANNOT_TELL
    assert site.ask(LISTED) == ALLOWED


# --- Too old ---


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_rows_that_are_too_old(kind):
    source = kind(GOOD, refresh=0.01, stale_after=0.15)
    site = Site(origins=[source, LISTED, "https://*.wild.example"], config=QUIET)
    for _ in range(2):
        assert eventually(lambda: site.ask(GOOD) == ALLOWED, 2)
        read = time.monotonic()
        source.fault = fail_with(OSError("gone"))
        assert eventually(lambda: site.ask(GOOD) == CANNOT_TELL, 2)
        assert time.monotonic() - read > 0.1
        for origin in (GOOD, STRANGER):
            assert site.ask(origin) == site.preflight(origin) == CANNOT_TELL
        for origin in (LISTED, "https://a.wild.example"):
            assert site.ask(origin) == site.preflight(origin) == ALLOWED
        assert site.ask(STRANGER, "/none") == CANNOT_TELL
        assert site.ask(OWN) == site.ask("null", **{SITE: "same-origin"}) == "SAME_ORIGIN"
        assert site.source()["stale"]
        assert site.source()["age"] > 0.1
        assert "ORIGIN_CHECK_FAILED" in site.guard.explain("/", origin=GOOD).explain()
        source.fault = None


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_a_store_that_says_that_nothing_has_changed_keeps_the_rows_fresh(kind):
    """The age counts from the last good answer, not from the last change."""
    source = kind(GOOD, refresh=0.01, stale_after=1.0)
    site = Site(origins=source, config=QUIET)
    until = time.monotonic() + 1.3
    while time.monotonic() < until:
        assert site.ask(GOOD) == ALLOWED
        assert site.source()["age"] < 1.0
        assert not site.source()["stale"]
    assert source.asked.count("load") == 1


@pytest.mark.parametrize("kind", [VersionedStore, LoggedStore])
def test_the_first_request_after_a_quiet_night(kind):
    """Rows that are too old are first read again, and then decide."""
    source = kind(GOOD, refresh=0.01, stale_after=0.2)
    site = Site(origins=source, config=QUIET)
    for origin in (GOOD, STRANGER):
        assert site.ask(origin) == (ALLOWED if origin == GOOD else NOT_ALLOWED)
        time.sleep(0.3)
    assert site.preflight(GOOD) == ALLOWED


@pytest.mark.parametrize("enforce", ["unsafe", "all"])
def test_who_cannot_be_told_is_refused(enforce):
    """Nothing fails open."""
    source = Store(GOOD, refresh=ALWAYS)
    source.fault = fail_with(OSError("gone"))
    site = Site(origins=[source, LISTED], enforce=enforce, config=QUIET)
    for origin in (GOOD, STRANGER):
        response = wire(site.app, origin, method="POST", **{SITE: "cross-site"})
        assert response.status.startswith("403")
        assert ("Cache-Control", "no-store") in response.headers
        assert site.decisions[-1].blocked
        assert site.decisions[-1].reason.name == CANNOT_TELL
        assert wire(site.app, origin).status.startswith("403" if enforce == "all" else "200")
        assert preflight(site.app, origin).status.startswith("403")
    assert wire(site.app, LISTED, method="POST").allows
    assert site.ask(STRANGER, method="POST", **{SITE: "same-origin"}) == "SAME_ORIGIN"


# --- Log and signals ---


def test_one_line_a_minute(log_lines):
    source = VersionedStore(GOOD, refresh=ALWAYS, name="store-7")
    site = Site(origins=source, config=QUIET)
    with announcements(site.app) as heard:
        for _ in range(3):
            for fault in (fail_with(OSError("first boom")), fail_with(ValueError("second boom"))):
                source.fault = fault
                for i in range(20):
                    site.ask(f"https://s{i}.example")
                    site.ask(GOOD, "/none")
            source.fault = None
            assert eventually(lambda: site.ask(GOOD) == ALLOWED, 2)
    lines = [line for line in log_lines() if "boom" in line]
    assert len(lines) == 1
    assert "store-7" in lines[0]
    assert "first boom" in lines[0]
    assert "failed" in {name for name, _ in heard}


def test_rejections_for_a_source_that_is_gone_are_bounded(log_lines):
    """Whatever the origin and the endpoint."""
    source = VersionedStore(GOOD, refresh=ALWAYS, name="store-7")
    source.fault = fail_with(OSError("boom"))
    site = Site(origins=source)
    for i in range(50):
        site.ask(f"https://s{i}.example")
        site.ask(f"https://s{i}.example", "/none")
    assert 1 <= len(log_lines()) <= 3


def test_a_line_is_one_line(log_lines):
    source = VersionedStore(GOOD, name="store-7", refresh=ALWAYS)
    source.fault = RAISING["odd text"]
    site = Site(origins=source)
    site.ask(STRANGER)
    lines = log_lines()
    assert lines
    for line in lines:
        assert line.isprintable()
        assert line.isascii()
        assert len(line) < 3000
    json.dumps(site.guard.status())
    assert site.guard.explain("/", origin=STRANGER).explain().replace("\n", "").isprintable()


def test_signals():
    source = VersionedStore(GOOD, "https://Bad.example", name="store-7", refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)
    with announcements(site.app) as heard:
        site.ask(GOOD)
        ((name, told),) = heard
        assert name == "refreshed"
        assert set(told) >= STATUS
        assert told["name"] == "store-7"
        assert (told["rows"], str(told["version"]), told["bad_rows"]) == (1, "1", 1)
        assert (told["last_failure"], told["stale"]) == (None, False)
        assert 0 <= told["age"] < 5
        assert "Bad.example" in " ".join(told["problems"])
        time.sleep(0.001)
        site.ask(GOOD)  # nothing has changed
        assert len(heard) == 1
        source.put(GOOD, NEW)
        time.sleep(0.001)
        site.ask(GOOD)
        assert [(n, t["rows"], str(t["version"])) for n, t in heard[1:]] == [("refreshed", 2, "2")]


def test_receivers_that_fail():
    source = VersionedStore(GOOD, refresh=ALWAYS)
    site = Site(origins=source, config=QUIET)

    def fails(sender: Flask, source: Any) -> None:
        raise RuntimeError("in a receiver")

    with (
        source_failed.connected_to(fails, site.app),
        source_refreshed.connected_to(fails, site.app),
    ):
        assert site.ask(GOOD) == ALLOWED
        source.fault = fail_with(OSError("gone"))
        time.sleep(0.001)
        assert site.ask(GOOD) == ALLOWED
        repair(source, NEW)
        assert eventually(lambda: site.ask(NEW) == ALLOWED, 5)


def test_the_status_of_sources():
    named = VersionedStore(GOOD, NEW, name="store-7")
    other = Store("https://other.example", "https://Bad.example")
    del other.name
    site = Site(origins=[named, other], config=QUIET)
    before = site.guard.status()["sources"]
    assert len(before) == 2
    assert "store-7" in [s["name"] for s in before]
    assert all(s["name"] for s in before)
    assert not any(s["rows"] or s["version"] or s["age"] for s in before)
    site.ask(STRANGER)
    first, second = sorted(site.guard.status()["sources"], key=lambda s: s["name"] != "store-7")
    assert first.keys() >= STATUS - {"problems"}
    assert (first["rows"], str(first["version"]), first["bad_rows"]) == (2, "1", 0)
    assert (second["rows"], second["bad_rows"]) == (1, 1)
    assert first["last_failure"] is None
    assert isinstance(first["age"], float)
    json.dumps(site.guard.status())


def test_a_rejection_says_what_was_asked():
    source = VersionedStore(GOOD, NEW, name="store-7", refresh=60)
    site = Site(origins=[source, LISTED], config=QUIET)
    site.ask(STRANGER)
    text = site.decisions[-1].explain()
    pattern = r"not among the 2 rows of .*store-7.*, version 1, \d+(\.\d+)? s old"
    assert re.search(pattern, text)
    assert re.search(pattern, site.guard.explain("/", origin=STRANGER).explain())
    assert GOOD not in text
    assert site.guard.explain("/", origin=GOOD).reason is None


# --- Slow stores ---


class Slow(VersionedStore):
    """Waits for ``release`` where the test says so."""

    def __init__(self, *rows: Any, **settings: Any) -> None:
        super().__init__(*rows, **settings)
        self.holds, self.takes = False, 0.0
        self.release, self.waiting = threading.Event(), threading.Event()
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.fault = self._hold

    def _hold(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        if self.holds:
            self.waiting.set()
            self.release.wait(10)
        time.sleep(self.takes)
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
def test_others_do_not_wait(known):
    """One request waits for the store. All others are decided by what is known, at once."""
    source = Slow(GOOD, refresh=ALWAYS, deadline=5)
    site = Site(origins=[source, LISTED], config=QUIET)
    if known:
        assert site.ask(GOOD) == ALLOWED
        source.put(GOOD, NEW)
    source.holds = True
    waiting = threading.Thread(target=wire, args=(site.app, NEW))
    waiting.start()
    assert source.waiting.wait(5)
    begun = time.monotonic()
    for origin in (GOOD, STRANGER, NEW):
        expected = (ALLOWED if origin == GOOD else NOT_ALLOWED) if known else CANNOT_TELL
        assert site.ask(origin) == site.preflight(origin) == expected
        assert site.ask(LISTED) == ALLOWED
    assert time.monotonic() < begun + 1
    source.holds = False
    source.release.set()
    waiting.join(5)
    assert eventually(lambda: site.ask(GOOD) == ALLOWED, 2)
    assert source.most == 1


def test_one_thread_at_a_time():
    source = Slow(GOOD, refresh=ALWAYS)
    source.takes = 0.005
    site = Site(origins=source, config=QUIET)
    site.ask(GOOD)

    def play() -> None:
        for i in range(30):
            assert wire(site.app, GOOD).allows
            assert not wire(site.app, f"https://s{i}.example").allows

    def change() -> None:
        for _ in range(30):
            source.put(GOOD, NEW)
            time.sleep(0.002)

    run_together([play] * 6 + [change])
    assert source.most == 1


def test_how_long_a_store_may_take():
    """``seconds_left()`` is the deadline in a request, and more where nobody waits."""
    seen: list[float] = []
    source = VersionedStore(GOOD, refresh=ALWAYS, deadline=0.5)
    source.fault = lambda: seen.append(seconds_left())
    site = Site(origins=source, config=QUIET)
    site.ask(GOOD)
    assert 0.2 < seen[0] <= 0.5
    time.sleep(0.001)
    site.ask(GOOD)
    assert 0.2 < seen[1] <= 0.5
    patient = Store(GOOD, deadline=0.5, at_start="fail")
    patient.fault = source.fault
    site = Site(origins=patient, config=QUIET)
    site.guard.prepare()
    assert seen[-1] > 1


def test_the_time_of_one_request():
    """It goes for all that one request asks of one store: version, rows, and each row."""
    source = VersionedStore(GOOD, refresh=ALWAYS, deadline=0.1)
    source.fault = lambda: time.sleep(min(0.07, seconds_left()))
    site = Site(origins=source, config=QUIET)
    for _ in range(6):
        begun = time.monotonic()
        site.ask(GOOD)
        assert time.monotonic() < begun + 0.25
        source.number += 1


class Trickling(VersionedStore):
    """Gives one row after the other."""

    def load(self) -> Any:
        self.asked_now("load")
        return self.number, self._one_by_one(list(self.rows))

    @staticmethod
    def _one_by_one(rows: list[str]) -> Any:
        for row in rows:
            time.sleep(min(0.01, seconds_left()))
            yield row


def test_rows_that_come_slowly():
    """They are read on by the requests that follow, none of which waits longer than the deadline.
    Until all are there, the earlier ones count."""
    rows = [f"https://r{i}.example" for i in range(30)]
    source = Trickling(*rows, refresh=ALWAYS, deadline=0.1)
    site = Site(origins=[source, LISTED], config=QUIET)
    took = []

    def ask(origin: str) -> str:
        begun = time.monotonic()
        verdict = site.ask(origin)
        took.append(time.monotonic() - begun)
        return verdict

    assert ask("https://r0.example") == CANNOT_TELL
    assert ask(LISTED) == ALLOWED
    assert eventually(lambda: ask("https://r29.example") == ALLOWED, 3)
    assert source.asked.count("load") == 1
    assert len(took) > 4
    assert ask("https://r0.example") == ALLOWED
    source.put(*rows[1:], NEW)
    while ask(NEW) == NOT_ALLOWED:
        assert site.ask(LISTED) == ALLOWED
        assert len(took) < 200
    assert ask("https://r0.example") == NOT_ALLOWED
    assert sorted(took)[-3] < 0.2


def test_many_rows():
    """They are read in the end, whatever the deadline."""
    rows = [f"https://r{i}.example" for i in range(20_000)]
    source = VersionedStore(*rows, refresh=60, deadline=0.02)
    site = Site(origins=source, config=QUIET)
    assert eventually(lambda: site.ask("https://r19999.example") == ALLOWED, 5)
    assert source.asked == ["load"]
    assert site.ask(STRANGER) == NOT_ALLOWED
    assert site.source()["rows"] == 20_000


# --- At the start ---


def test_nothing_is_asked_before_a_request():
    """By default. Workers are forked in between, and clients must not be there yet."""
    source = Store(GOOD)
    source.fault = lambda: pytest.fail("the store was asked")
    site = Site(origins=source, config=QUIET)
    site.guard.prepare()
    site.guard.routes()
    site.guard.status()
    assert repr(site.guard.routes()[0].policy)
    assert source.asked == []


class Closed(VersionedStore):
    def close(self) -> None:
        self.asked.append("close")


def test_a_start_that_reads_the_rows():
    source = Closed(GOOD, at_start="fail", refresh=60)
    site = Site(origins=source, config=QUIET)
    assert source.asked == []
    site.guard.prepare()
    assert source.asked[0] == "load"
    assert source.asked[-1] == "close"
    source.asked.clear()
    assert site.ask(GOOD) == ALLOWED
    assert site.ask(STRANGER) == NOT_ALLOWED
    assert source.asked == []


@pytest.mark.parametrize("how", [h for h in RAISING if h != "slow"] + list(RETURNING))
def test_a_start_that_fails(how):
    source = Faulty(GOOD, at_start="fail", name="store-7")
    break_down(source, how)
    site = Site(origins=[source, LISTED], config=QUIET)
    with pytest.raises(CorsGuardError, match="store-7"):
        site.guard.prepare()


def test_a_start_that_fails_in_one_of_two():
    good, bad = Store(GOOD, at_start="fail"), Store(NEW, at_start="fail", name="store-8")
    bad.fault = fail_with(OSError("gone"))
    site = Site(origins=[good, bad], config=QUIET)
    with pytest.raises(CorsGuardError, match="store-8"):
        site.guard.prepare()


def test_a_start_without_prepare():
    """``at_start="fail"`` is for ``prepare()``; without it, requests go on."""
    source = VersionedStore(GOOD, at_start="fail", refresh=ALWAYS)
    source.fault = fail_with(OSError("gone"))
    site = Site(origins=[source, LISTED], config=QUIET)
    assert site.ask(LISTED) == ALLOWED
    assert site.ask(GOOD) == CANNOT_TELL
    source.fault = None
    assert eventually(lambda: site.ask(GOOD) == ALLOWED, 2)


# --- Several ---


def test_one_of_two_sources_is_gone():
    gone, here = VersionedStore(NEW, refresh=ALWAYS), VersionedStore(GOOD, refresh=ALWAYS)
    gone.fault = fail_with(OSError("gone"))
    for sources in ([gone, here], [here, gone]):
        site = Site(origins=[*sources, LISTED], config=QUIET)
        for _ in range(2):
            assert site.ask(GOOD) == site.preflight(GOOD) == site.ask(LISTED) == ALLOWED
            assert site.ask(STRANGER) == site.ask(NEW) == site.preflight(NEW) == CANNOT_TELL
    gone.fault = None
    assert eventually(lambda: site.ask(NEW) == ALLOWED, 2)
    assert site.ask(STRANGER) == NOT_ALLOWED


@pytest.mark.parametrize("order", [1, -1], ids=["the source first", "the callable first"])
@pytest.mark.parametrize("takes_request", [False, True])
def test_a_source_and_a_callable(order, takes_request):
    def check(origin: str) -> bool:
        if origin == "https://raises.example":
            raise LookupError(origin)
        return origin == NEW

    def check_request(origin: str, request: Any) -> bool:
        return check(origin) and request.path == "/"

    source = VersionedStore(GOOD, "https://raises.example", refresh=ALWAYS, stale_after=0.1)
    entries = [source, check_request if takes_request else check]
    site = Site(origins=entries[::order], config=QUIET)
    for _ in range(2):
        assert site.ask(GOOD) == site.ask(NEW) == site.preflight(NEW) == ALLOWED
        assert site.ask("https://raises.example") == ALLOWED  # the source lets it in
        assert site.ask(STRANGER) == NOT_ALLOWED
    source.fault = fail_with(OSError("gone"))
    assert eventually(lambda: site.ask(GOOD) == CANNOT_TELL, 2)
    for _ in range(2):
        assert site.ask(NEW) == site.preflight(NEW) == ALLOWED
        assert site.ask(STRANGER) == site.ask("https://raises.example") == CANNOT_TELL
    repair(source)
    assert eventually(lambda: site.ask(STRANGER) == NOT_ALLOWED, 2)
    assert site.ask("https://raises.example") == CANNOT_TELL
    assert site.ask(GOOD) == NOT_ALLOWED


def test_a_source_in_an_audience():
    """Not being listed goes on to the next audience; not being able to tell ends the search."""
    source = VersionedStore(GOOD, refresh=ALWAYS, stale_after=0.1)
    own = Policy(origins=[source, LISTED], allow_credentials=True)
    site = Site([own, Policy(origins=NEW), Policy(origins="*", methods=[])], config=QUIET)

    def seen(origin: str) -> tuple[str | None, bool]:
        response = wire(site.app, origin)
        names = {name for name, _ in response.headers}
        return response.allows, "Access-Control-Allow-Credentials" in names

    for round_ in range(2):
        assert seen(GOOD) == (GOOD, True)
        assert seen(LISTED) == (LISTED, True)
        assert seen(NEW) == (NEW, False)
        assert seen(STRANGER) == ("*", False)
        assert seen("null") == ("*", False)
        if round_:
            break
        source.fault = fail_with(OSError("gone"))
        assert eventually(lambda: seen(GOOD) == (None, False), 2)
        for origin in (GOOD, NEW, STRANGER):
            assert site.ask(origin) == site.preflight(origin) == CANNOT_TELL
        assert seen(LISTED) == (LISTED, True)
        assert seen("null") == ("*", False)  # which no source can hold
        source.fault = None
        assert eventually(lambda: seen(STRANGER) == ("*", False), 2)


def test_one_source_in_several_audiences():
    source = VersionedStore(GOOD, NEW, refresh=60)
    policies = [
        Policy(origins=[source], deny_origins="https://denied.example", max_age=1),
        Policy(origins=[LISTED, source], max_age=2),
    ]
    site = Site(policies, config=QUIET)
    for origin, expected, age in [(GOOD, ALLOWED, 1), (LISTED, ALLOWED, 2)]:
        assert site.ask(origin) == expected
        assert site.decisions[-1].policy.max_age == age
    assert site.ask(STRANGER) == NOT_ALLOWED
    assert source.asked.count("load") == 1


def test_denied_whatever_the_source_says():
    source = VersionedStore(GOOD, NEW, "https://*.example", refresh=ALWAYS)
    site = Site(origins=source, deny_origins=[GOOD, "https://d*.example"], config=QUIET)
    assert site.ask(NEW) == site.ask("https://a.b.example") == ALLOWED
    for origin in (GOOD, "https://d1.example"):
        assert site.ask(origin) == site.preflight(origin) == "ORIGIN_DENIED"
    source.fault = fail_with(OSError("gone"))
    assert site.ask(GOOD) == "ORIGIN_DENIED"


def test_report_only():
    """It changes no response, whatever becomes of its source."""
    source = VersionedStore(GOOD, refresh=ALWAYS, stale_after=0.1)
    site = Site(origins="*", report_only={"origins": [source]}, config=QUIET)
    reported: list[tuple[str | None, str]] = []

    def hear(sender: Flask, decision: Any) -> None:
        assert decision.report_only
        reported.append((decision.origin, decision.reason.name))

    with origin_rejected.connected_to(hear, site.app):
        for origin in (GOOD, STRANGER):
            assert site.ask(origin) == ALLOWED
        assert reported == [(STRANGER, NOT_ALLOWED)]
        source.fault = fail_with(OSError("gone"))
        time.sleep(0.12)
        reported.clear()
        for origin in (GOOD, STRANGER):
            assert site.ask(origin) == site.preflight(origin) == ALLOWED
        assert {reason for _, reason in reported} == {CANNOT_TELL}
        repair(source, NEW)
        assert eventually(lambda: site.ask(STRANGER) and not site.source()["stale"], 2)
        reported.clear()
        for origin in (NEW, GOOD):
            assert site.ask(origin) == ALLOWED
        assert reported == [(GOOD, NOT_ALLOWED)]


def test_report_only_on_the_same_source():
    source = VersionedStore(GOOD, NEW, refresh=60)
    report = {"origins": [source], "deny_origins": [NEW]}
    site = Site(origins=[source], report_only=report, config=QUIET)
    assert site.ask(NEW) == site.ask(GOOD) == ALLOWED
    assert source.asked == ["load"]


def test_reconfigure_keeps_the_rows():
    source = VersionedStore(GOOD, refresh=60)
    site = Site(origins=[source, LISTED], max_age=5, config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    source.fault = fail_with(OSError("gone"))
    for fields in [
        {"max_age": 7},
        {"origins": [source]},
        {"origins": [source, NEW], "expose_headers": "X-A"},
        {"policies": {"other": {"origins": "*"}}},
        {"report_only": {"origins": [source]}},
    ]:
        site.guard.reconfigure(**fields)
        assert site.ask(GOOD) == site.preflight(GOOD) == ALLOWED
        assert site.ask(STRANGER) == NOT_ALLOWED
    site.guard.reconfigure(origins=NEW, report_only=False)
    assert site.ask(GOOD) == NOT_ALLOWED
    assert site.ask(NEW) == ALLOWED
    assert site.guard.status()["sources"] == []
    assert source.asked == ["load"]


def test_a_change_of_the_credentials_checks_the_rows_again():
    """Those that are good without credentials only."""
    source = VersionedStore(GOOD, "http://plain.example", refresh=60)
    site = Site(origins=[source], config=QUIET)
    assert site.ask("http://plain.example") == ALLOWED
    site.guard.reconfigure(allow_credentials=True)
    assert site.ask("http://plain.example") == NOT_ALLOWED
    assert site.ask(GOOD) == ALLOWED
    site.guard.reconfigure(allow_credentials=False)
    assert site.ask("http://plain.example") == ALLOWED


PLAIN, SUFFIX = "http://plain.example", "https://x.co.uk"
#: What changes, and which rows are bad then.
CHECKS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "credentials": ({"allow_credentials": True}, {PLAIN, SUFFIX}),
    "enforce": ({"enforce": "unsafe"}, {SUFFIX}),
    "insecure origins": ({"dangerously_allow_insecure_origins": True}, set()),
    "suffixes": ({"dangerously_allow_public_suffixes": True}, set()),
}


@pytest.mark.parametrize(("fields", "bad"), CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("refresh", [ALWAYS, 0.3])
def test_a_change_of_the_checks_while_the_store_is_gone(fields, bad, refresh):
    """Whether the rows are still known or not, the app goes on, and nobody else gets in."""
    good = {GOOD, PLAIN, SUFFIX} - bad
    source = VersionedStore(GOOD, PLAIN, "https://*.co.uk", refresh=refresh)
    site = Site(origins=[source, LISTED], config=QUIET)
    assert site.ask(GOOD) == site.ask(PLAIN) == site.ask(SUFFIX) == ALLOWED
    source.fault = fail_with(OSError("gone"))
    site.guard.reconfigure(**fields)
    for _ in range(3):
        for origin in (GOOD, STRANGER, PLAIN, SUFFIX):
            found = {site.ask(origin), site.preflight(origin)}
            assert found <= {CANNOT_TELL, ALLOWED if origin in good else NOT_ALLOWED}
        assert site.ask(LISTED) == ALLOWED
    json.dumps(site.guard.status())
    assert site.guard.explain("/", origin=STRANGER).explain()
    source.fault = None
    assert eventually(lambda: site.ask(GOOD) == ALLOWED, 2)
    for origin in (STRANGER, PLAIN, SUFFIX):
        assert site.ask(origin) == (ALLOWED if origin in good else NOT_ALLOWED)


@pytest.mark.parametrize("refresh", [ALWAYS, 0.3])
def test_an_app_with_other_checks_that_starts_while_the_store_is_gone(refresh):
    source = VersionedStore(GOOD, refresh=refresh)
    first = Site(origins=[source], config=QUIET)
    assert first.ask(GOOD) == ALLOWED
    source.fault = fail_with(OSError("gone"))
    second = Site(origins=[source, LISTED], allow_credentials=True, config=QUIET)
    for _ in range(4):
        assert second.ask(GOOD) in (CANNOT_TELL, ALLOWED)
        assert second.ask(STRANGER) in (CANNOT_TELL, NOT_ALLOWED)
        assert second.ask(LISTED) == first.ask(GOOD) == ALLOWED
    source.fault = None
    assert eventually(lambda: second.ask(GOOD) == ALLOWED, 2)


def test_another_source_put_in_by_reconfigure():
    first, second = Store(GOOD), VersionedStore(NEW, refresh=60)
    site = Site(origins=[first], config=QUIET)
    assert site.ask(GOOD) == ALLOWED
    site.guard.reconfigure(origins=[second])
    assert site.ask(GOOD) == NOT_ALLOWED
    assert site.ask(NEW) == ALLOWED


def test_two_apps_on_one_source():
    source = VersionedStore(GOOD, refresh=ALWAYS, stale_after=0.15)
    guard = CorsGuard(origins=[source, LISTED])
    apps = [Flask(name, static_folder=None) for name in ("a", "b")]
    for app in apps:
        app.config.update(QUIET)
        guard.init_app(app)
    third = Site(origins=[source], allow_credentials=True, config=QUIET).app
    for app in [*apps, third]:
        assert wire(app, GOOD).allows
        assert not wire(app, NEW).allows
    source.put(NEW)
    time.sleep(0.001)
    for app in [*apps, third]:
        assert wire(app, NEW).allows
        assert not wire(app, GOOD).allows
    source.fault = fail_with(OSError("gone"))
    assert eventually(lambda: not any(wire(app, NEW).allows for app in [*apps, third]), 2)
    assert all(wire(app, LISTED).allows for app in apps)
    assert [guard.status(app)["sources"][0]["stale"] for app in apps] == [True, True]
    source.fault = None
    assert eventually(lambda: all(wire(app, NEW).allows for app in [*apps, third]), 2)


def test_signals_go_to_every_app_that_uses_the_source():
    """Each has receivers of its own."""
    source = VersionedStore(GOOD, refresh=60)
    first, second = Site(origins=[source], config=QUIET), Site(origins=[source], config=QUIET)
    with announcements(first.app) as at_first, announcements(second.app) as at_second:
        for site in (first, second):
            assert site.ask(GOOD) == ALLOWED
    assert [name for name, _ in [*at_first, *at_second]].count("refreshed") >= 1
    assert {name for name, _ in [*at_first, *at_second]} == {"refreshed"}


def test_policies_with_sources_as_values():
    """Equal by the object; ``repr`` and hash work; deriving keeps it."""
    source, other = Store(GOOD), Store(GOOD)
    policy = Policy(origins=[source, LISTED])
    assert policy == Policy(origins=[source, LISTED])
    assert hash(policy) == hash(Policy(origins=[source, LISTED]))
    assert policy != Policy(origins=[other, LISTED])
    assert policy != Policy(origins=[LISTED])
    assert policy.derive(max_age=5).derive(max_age=600) == policy
    assert "Store" in repr(policy)
    assert source.asked == []


# --- Forks ---

FORK = """
    import json, os, sys, threading, time
    from flask import Flask
    from flask_corsguard import CorsGuard
    from tests.sources.memory_store import Site, VersionedStore, wire

    GOOD, NEW, STRANGER = (f"https://{n}.example" for n in ("good", "new", "stranger"))
    found = {}

    def in_child(play):
        '''What it returns, in a child.'''
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, json.dumps(play()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as lines:
            said = lines.read()
        os.waitpid(pid, 0)
        return json.loads(said or b"null")

    def verdicts(site):
        return [bool(wire(site.app, o).allows) for o in (GOOD, NEW, STRANGER)]

    # Forked after the first snapshot: it is there, and each goes on for itself.
    source = VersionedStore(GOOD, refresh=0.02)
    site = Site(origins=source)
    verdicts(site)

    def revoked():
        source.put(NEW)
        time.sleep(0.03)
        return [verdicts(site), os.getpid() == site.guard.status()["pid"]]

    found["child"] = in_child(revoked)
    time.sleep(0.03)
    found["parent"] = verdicts(site)

    # Forked before it, and after prepare().
    source = VersionedStore(GOOD, refresh=0.02)
    site = Site(origins=source)
    site.guard.prepare()
    found["before"] = in_child(lambda: verdicts(site))
    found["asked by the parent"] = source.asked

    # Forked while another thread reads.
    for known in (False, True):
        source = VersionedStore(GOOD, refresh=0.02, deadline=0.1)
        site = Site(origins=source)
        site.guard.prepare()
        if known:
            verdicts(site)
        held, go_on = threading.Event(), threading.Event()
        parent = os.getpid()

        def hold():
            if os.getpid() == parent:
                held.set()
                go_on.wait(10)

        source.fault = hold
        time.sleep(0.03)
        reader = threading.Thread(target=verdicts, args=(site,))
        reader.start()
        held.wait(10)

        def after():
            source.put(NEW)
            begun = time.monotonic()
            while True:
                seen = verdicts(site)
                if seen == [False, True, False] or time.monotonic() > begun + 2:
                    return [seen, time.monotonic() < begun + 0.6]
                time.sleep(0.01)

        found[f"while it is read, {known}"] = in_child(after)
        go_on.set()
        reader.join()
        found[f"then the parent, {known}"] = verdicts(site)
    print(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks():
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORK)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    assert json.loads(ended.stdout) == {
        "child": [[False, True, False], True],
        "parent": [True, False, False],
        "before": [True, False, False],
        "asked by the parent": [],
        "while it is read, False": [[False, True, False], True],
        "while it is read, True": [[False, True, False], True],
        "then the parent, False": [True, False, False],
        "then the parent, True": [True, False, False],
    }


def test_marks_of_one_source_on_many_routes():
    """One snapshot, and one question, for all of them."""
    source = VersionedStore(GOOD, refresh=60)
    app = Flask("shop", static_folder=None)
    app.config.update(QUIET)
    for i in range(20):
        mark = cors(origins=[source], max_age=i)
        app.add_url_rule(f"/{i}", f"e{i}", mark(lambda: "ok"))
    guard = CorsGuard(app)
    for i in range(20):
        assert wire(app, GOOD, f"/{i}").allows
        assert not wire(app, STRANGER, f"/{i}").allows
    assert source.asked == ["load"]
    assert len(guard.status(app)["sources"]) == 1
