"""Several requests at once that need the rows of a source."""

import threading
import time
from collections.abc import Iterable
from functools import partial

from flask import Flask

from flask_corsguard import CorsGuard
from tests.strength.threads import run_together

ORIGIN = "https://a.example"


class SlowStore:
    """A store that takes its time, and says whether it may answer."""

    refresh = 0.05

    def __init__(self, stale_after: float = 300, deadline: float = 0.4) -> None:
        self.stale_after = stale_after
        self.deadline = deadline
        self.rows = [ORIGIN]
        self.may_answer = threading.Event()
        self.may_answer.set()

    def version(self) -> object:
        if not self.may_answer.wait(self.deadline):
            raise TimeoutError("no answer")
        time.sleep(0.02)
        return tuple(self.rows)

    def load(self) -> tuple[object, Iterable[str]]:
        return self.version(), self.rows


def guard(app: Flask, store: SlowStore) -> SlowStore:
    CorsGuard(app, origins=["https://static.example", store])
    # The second decision is kept.
    assert [ask_at_once(app, 1)[0][0] for _ in range(3)] == [True] * 3
    return store


def ask_at_once(app: Flask, number: int, apart: float = 0) -> list[tuple[bool, float]]:
    """Whether each request was allowed, and how many seconds it took; the quickest first.

    :param apart: how many seconds there are between two of them.
    """
    found: list[tuple[bool, float]] = []

    def ask(position: int) -> None:
        time.sleep(position * apart)
        begun = time.monotonic()
        headers = app.test_client().get("/", headers={"Origin": ORIGIN}).headers
        found.append(("Access-Control-Allow-Origin" in headers, time.monotonic() - begun))

    run_together([partial(ask, position) for position in range(number)])
    return sorted(found, key=lambda each: each[1])


def test_the_first_ones_after_a_pause(site: Flask) -> None:
    """A row that was revoked meanwhile counts in none of them."""
    # On a machine that has much else to do, the others have to wait longer.
    store = guard(site, SlowStore(deadline=8))
    store.rows.clear()
    time.sleep(0.4)
    assert {is_allowed for is_allowed, _ in ask_at_once(site, 8, 0.005)} == {False}


def test_only_one_waits_for_a_store_that_hangs(site: Flask) -> None:
    """The others wait a little, and go on with what is known."""
    store = guard(site, SlowStore())
    store.may_answer.clear()
    time.sleep(0.3)
    *others, last = ask_at_once(site, 4)
    assert all(is_allowed for is_allowed, _ in [*others, last])
    assert last[1] > store.deadline - 0.05
    assert max(seconds for _, seconds in others) < store.deadline / 2 + 0.05


def test_a_stale_source_admits_nobody(site: Flask) -> None:
    """Not by a decision that was kept before, either."""
    store = guard(site, SlowStore(stale_after=0.5))
    store.deadline = 0.01
    store.may_answer.clear()
    time.sleep(store.stale_after)
    for _ in range(20):
        assert not ask_at_once(site, 1)[0][0]
    store.may_answer.set()
    # After a failure, it is left alone ten times as long as that took.
    end = time.monotonic() + 5
    while not ask_at_once(site, 1)[0][0]:
        assert time.monotonic() < end
        time.sleep(0.02)
