"""When a process asks the store of a source, and what it knows meanwhile. With a clock that stands
still, and without an app."""

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from flask_corsguard import Policy
from flask_corsguard.protocol.origins import CheckFailedError
from flask_corsguard.sources.deadline import deadline, seconds_left
from flask_corsguard.sources.feed import Feed, View, admits, feed_of, views_of
from flask_corsguard.sources.snapshot import Rules

A, B, C = "https://a.example", "https://b.example", "https://c.example"
RULES = Rules.of(Policy())


class Store:
    """What a source reads. *calls* is what it was asked for."""

    def __init__(self, *rows: str, **settings: Any) -> None:
        self.number = 0
        self.rows: Iterable[Any] = list(rows)
        self.calls: list[str] = []
        self.error: BaseException | None = None
        self.__dict__ |= settings

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.error is not None:
            raise self.error

    def put(self, *rows: str) -> None:
        self.number += 1
        self.rows = list(rows)

    def take_calls(self) -> str:
        calls, self.calls = " ".join(self.calls), []
        return calls


class Whole(Store):
    """Gives everything, whenever it is asked."""

    def load(self) -> tuple[object, Iterable[Any]]:
        self._called("load")
        return self.number, self.rows


class Versioned(Whole):
    """Says which version it has."""

    def version(self) -> object:
        self._called("version")
        return self.number


class Logged(Whole):
    """Says what has changed, as long as it knows."""

    def __init__(self, *rows: str, **settings: Any) -> None:
        super().__init__(*rows, **settings)
        self.log: dict[int, tuple[list[str], list[str]]] = {}

    def change(self, added: str = "", removed: str = "") -> None:
        self.number += 1
        self.log[self.number] = added.split(), removed.split()
        self.rows = [row for row in self.rows if row not in removed.split()] + added.split()

    def changes(self, since: int) -> tuple[int, list[str], list[str]] | None:
        self._called("changes")
        numbers = range(since + 1, self.number + 1)
        if any(number not in self.log for number in numbers):
            return None
        known = [self.log[number] for number in numbers]
        return (
            self.number,
            [a for row in known for a in row[0]],
            [r for row in known for r in row[1]],
        )


class Told:
    """What a listener heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def refreshed(self, feed: Feed) -> None:
        self.heard.append("refreshed")

    def failed(self, feed: Feed) -> None:
        self.heard.append("failed")


class Asker:
    """Asks as a request does, at a time that the test sets."""

    def __init__(self, source: Any) -> None:
        self.now = 1000.0
        self.told = Told()
        self.source = source
        self.feed = Feed(source, lambda: self.now)
        self.view: View = self.feed.view(RULES)

    def __call__(self, origin: str, after: float = 0) -> bool | str:
        self.now += after
        if self.now >= self.feed.due:
            self.feed.ask(self.told)
        try:
            return admits(self.view, None, origin)
        except CheckFailedError as error:
            return str(error)

    def heard(self) -> str:
        heard, self.told.heard = " ".join(self.told.heard), []
        return heard


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        # seconds since the last row of the table -> what the store is asked for
        (Whole, [(0, "load"), (1, ""), (28.5, ""), (0.5, "load"), (29, ""), (1, "load")]),
        (Versioned, [(0, "load"), (0.9, ""), (0.1, "version"), (0.5, ""), (0.5, "version")]),
        (Logged, [(0, "load"), (0.9, ""), (0.1, "changes"), (0.5, ""), (0.5, "changes")]),
    ],
)
def test_when_the_store_is_asked(kind: type[Store], waits: list[tuple[float, str]]) -> None:
    ask = Asker(kind(A))
    for seconds, calls in waits:
        assert ask(A, after=seconds) is True
        assert ask.source.take_calls() == calls
    assert ask.heard() == " ".join(["refreshed"] * sum(c == "load" for _, c in waits))


def test_a_change_of_the_version_reads_everything() -> None:
    ask = Asker(Versioned(A))
    assert ask(A) is True
    ask.source.put(B)
    assert ask(A, after=0.99) is True
    assert ask(A, after=0.01) is False
    assert ask(B) is True
    assert ask.source.take_calls() == "load version load"


def test_changes_read_nothing_else() -> None:
    ask = Asker(Logged(A, B, "https://*.w.example"))
    assert ask(A) is True
    ask.source.take_calls()
    ask.source.change(added=C, removed=A)
    ask.source.change(added="https://*.v.example", removed="https://*.w.example")
    assert [ask(o, after=0.5) for o in (A, A)] == [True, False]
    assert [ask(o) for o in (B, C)] == [True, True]
    assert [ask(o) for o in ("https://x.v.example", "https://x.w.example")] == [True, False]
    assert ask.feed.status()["rows"] == 3
    assert ask.source.take_calls() == "changes"
    ask.source.change(added=A)
    del ask.source.log[ask.source.number]
    assert ask(A, after=1) is True
    assert ask.source.take_calls() == "changes load"


def test_everything_is_read_now_and_then_if_the_source_wants_that() -> None:
    ask = Asker(Logged(A, reload_every=60.0))
    assert ask(A) is True
    ask.source.rows = [B]  # behind the log's back
    assert [ask(A, after=1) for _ in range(59)] == [True] * 59
    assert ask(A, after=1) is False
    assert ask(B) is True


def test_last_known_good_until_stale() -> None:
    ask = Asker(Versioned(A, stale_after=10.0))
    assert ask(A) is True
    ask.source.error = ConnectionError("gone")
    assert [ask(A, after=1) for _ in range(9)] == [True] * 9
    assert ask(B) is False
    said = ask(A, after=1)
    assert isinstance(said, str)
    assert said.startswith("Versioned was last read 10 s ago: ConnectionError 'gone' at ")
    assert ask(B) == said
    assert ask.feed.due > ask.now > ask.feed.fresh_until - 1  # nothing that was kept counts
    ask.source.error = None
    assert ask(A, after=1) is True
    assert ask.heard() == "refreshed" + " failed" * 10
    assert ask.feed.status()["failures"] == 10


def test_nothing_known_yet() -> None:
    ask = Asker(Versioned(A))
    ask.source.error = ConnectionError("gone")
    assert str(ask(A)).startswith("Versioned has not been read: ConnectionError 'gone' at ")
    ask.source.error = None
    assert str(ask(A, after=0.5)).startswith("Versioned has not been read")
    assert ask(A, after=0.5) is True


def test_a_source_that_is_asked_seldom_is_asked_soon_after_a_failure() -> None:
    ask = Asker(Whole(A))
    ask.source.error = ConnectionError("gone")
    assert str(ask(A)).startswith("Whole has not been read")
    ask.source.error = None
    assert ask(A, after=1) is True
    assert [ask(A, after=1) for _ in range(29)] == [True] * 29
    assert ask.source.take_calls() == "load load"


def test_what_becomes_stale_is_asked_for_even_if_it_is_not_due() -> None:
    ask = Asker(Whole(A, stale_after=5.0))
    assert [ask(A, after=1) for _ in range(12)] == [True] * 12
    assert ask.source.take_calls() == "load load load"


class Cut(BaseException):
    """A time-out of the server's kind, which is no Exception."""


@pytest.mark.parametrize("error", [ValueError("x"), Cut("x"), TimeoutError(), RecursionError()])
def test_any_failure(error: BaseException) -> None:
    ask = Asker(Versioned(A))
    assert ask(A) is True
    ask.source.error = error
    assert ask(A, after=1) is True
    assert ask.feed.failure.startswith(type(error).__name__)


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), GeneratorExit()])
def test_what_ends_the_process_is_not_held_back(error: BaseException) -> None:
    ask = Asker(Versioned(A))
    assert ask(A) is True
    ask.source.error = error
    with pytest.raises(type(error)):
        ask(A, after=1)
    ask.source.error = None
    ask.source.put(B)
    assert ask(B, after=1) is True


def test_rows_that_fail_half_way_are_not_used() -> None:
    def some() -> Iterator[str]:
        yield B
        raise ConnectionError("in the middle")

    ask = Asker(Versioned(A))
    assert ask(A) is True
    ask.source.number, ask.source.rows = 1, some()
    assert (ask(A, after=1), ask(B)) == (True, False)
    ask.source.put(B)
    assert (ask(A, after=1), ask(B)) == (False, True)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "load() returned None where (version, rows) was expected"),
        ([A], "load() returned"),
        ((1, A), "load() returned"),
        ((1, None), "load() returned"),
        ((1, [A], 2), "load() returned"),
        ((1, b"x"), "load() returned"),
    ],
)
def test_what_load_must_return(result: object, words: str) -> None:
    ask = Asker(Whole())
    ask.source.load = lambda: result
    assert words in str(ask(A))


@pytest.mark.parametrize("result", [(1, A, []), (1, []), (1, [], None), 5])
def test_what_changes_must_return(result: object) -> None:
    ask = Asker(Logged(A))
    assert ask(A) is True
    ask.source.changes = None
    ask.feed._changes = lambda _: result
    assert ask(A, after=1) is True
    assert "changes() returned" in ask.feed.failure


class Slow(Whole):
    """A long list, of which each portion takes a tenth of a second of the test's clock."""

    wait: Callable[[], None]

    def load(self) -> tuple[object, Iterable[Any]]:
        self._called("load")
        return self.number, self._rows()

    def _rows(self) -> Iterator[str]:
        for number in range(5000):
            if number % 500 == 0:
                self.wait()
            yield f"https://s{number}.example"


def test_a_long_list_is_read_by_several_requests() -> None:
    ask = Asker(Slow(deadline=0.4))

    def wait() -> None:
        ask.now += 0.1

    ask.source.wait = wait
    last = "https://s4999.example"
    for _ in range(4):
        before = ask.now
        assert isinstance(ask(last), str)
        assert ask.now - before <= 0.3  # half of the deadline, and one portion
    assert isinstance(ask(last), str)
    assert ask(last) is True
    assert ask.source.take_calls() == "load"
    assert ask.heard() == "refreshed"


def test_a_change_is_seen_while_a_long_list_is_read() -> None:
    class Both(Slow, Logged):
        reload_every = 60.0

    ask = Asker(Both(deadline=0.4))
    ask.source.wait = lambda: None
    assert ask("https://s1.example") is True

    def wait() -> None:
        ask.now += 0.1

    ask.source.wait = wait
    ask.now += 60
    assert ask("https://s1.example") is True  # begins to read everything
    assert ask.feed._loading is not None
    ask.source.change(removed="https://s1.example")
    ask.source.take_calls()
    assert ask("https://s1.example", after=1) is False
    assert ask.source.take_calls() == "changes"
    while ask.feed._loading is not None:
        assert ask("https://s1.example") is False
    assert ask("https://s1.example") is False  # in what was read before the change, it was there
    assert ask("https://s2.example") is True


def test_a_change_before_the_request_that_reads_the_rest() -> None:
    class Both(Slow, Logged): ...

    ask = Asker(Both(deadline=0.4))

    def wait() -> None:
        ask.now += 0.1

    ask.source.wait = wait
    assert isinstance(ask("https://s1.example"), str)
    ask.source.change(removed="https://s1.example")
    ask.source.wait = lambda: None
    assert ask("https://s1.example", after=200) is False
    assert ask("https://s2.example") is True


def test_one_thread_asks_and_the_others_go_on() -> None:
    store = Versioned(A)
    ask = Asker(store)
    assert ask(A) is True
    entered, leave = threading.Event(), threading.Event()

    def version() -> int:
        entered.set()
        leave.wait(10)
        return 0

    ask.feed._version_of = version
    ask.now += 1
    thread = threading.Thread(target=ask.feed.ask, args=(ask.told,))
    thread.start()
    assert entered.wait(10)
    assert ask(A) is True  # does not wait
    assert ask(B) is False
    leave.set()
    thread.join()
    assert ask.feed.due == ask.now + 1


def test_a_pause_after_a_failure_that_took_time() -> None:
    ask = Asker(Versioned(A))
    assert ask(A) is True

    def version() -> int:
        ask.now += 0.2
        raise TimeoutError

    ask.feed._version_of = version
    assert ask(A, after=1) is True
    assert ask.feed.due == pytest.approx(ask.now + 2)


def test_the_deadline_is_what_the_source_may_wait() -> None:
    left: list[float] = []
    ask = Asker(Whole(A, deadline=0.5))
    ask.source.load = lambda: left.append(seconds_left()) or (0, [A])
    assert ask(A) is True
    assert 0 < left[0] <= 0.5
    assert seconds_left() == pytest.approx(30, abs=1)
    with deadline(-1), pytest.raises(TimeoutError):
        seconds_left()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_leaves_what_its_parent_reads_alone() -> None:
    """A child goes on with the rows, reads anew, and closes nothing that is the parent's."""
    reader, writer = os.pipe()

    class Streamed(Slow):
        def _rows(self) -> Iterator[str]:
            opened_by = os.getpid()
            try:
                yield from super()._rows()
            finally:
                is_own = os.getpid() == opened_by
                os.write(writer, f"closed {'its own' if is_own else 'the parent'}\n".encode())

    ask = Asker(Streamed(deadline=0.4))

    def wait() -> None:
        ask.now += 0.1

    ask.source.wait = wait
    assert isinstance(ask(A), str)
    assert ask.feed._loading is not None
    ask.feed._lock().acquire()  # another thread has it; in the child it has nobody
    child = os.fork()
    if child == 0:
        ask.source.wait = lambda: None
        is_read = ask("https://s1.example")
        gc.collect()
        os.write(writer, f"{is_read} {ask.source.take_calls()}\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
    ask.feed._loading = None
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert sorted(lines) == ["True load load\n", "closed its own\n", "closed its own\n"]


def test_policies_share_a_feed_and_its_rows() -> None:
    source = Whole(A, "http://h.example")
    strict = Policy(origins=[source], allow_credentials=True)
    loose, also = Policy(origins=[source, C]), Policy(origins=[source])
    (one,), (two,), (three,) = map(views_of, (strict, loose, also))
    assert one.feed is two.feed is feed_of(source)
    assert two is three
    one.feed.ask(Told())
    assert source.take_calls() == "load"
    rows = [(view.snapshot is not None and view.snapshot.rows) for view in (one, two)]
    assert rows == [1, 2]


def test_a_feed_is_forgotten_with_its_policies() -> None:
    policy = Policy(origins=[Whole(A)])
    (view,) = views_of(policy)
    feed = weakref.ref(view.feed)
    del policy, view
    gc.collect()
    assert feed() is None


def test_a_policy_that_comes_while_a_long_list_is_read() -> None:
    """All is read once more, at once: nothing of this list was read for it."""
    ask = Asker(Slow(deadline=0.4))

    def wait() -> None:
        ask.now += 0.1

    ask.source.wait = wait
    assert isinstance(ask("https://s1.example"), str)
    ask.view = ask.feed.view(Rules.of(Policy(allow_credentials=True)))
    for _ in range(20):
        answer = ask("https://s1.example")
    assert answer is True


class Unspeakable:
    """A version without a text of its own."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize("version", [Unspeakable(), 10**5000], ids=["object", "number"])
def test_a_version_that_is_no_text(version: object) -> None:
    ask = Asker(Whole(A, number=version))
    ask.source.number = version
    assert ask(A) is True
    assert ask.feed.status()["version"] == f"<{type(version).__name__}>"
    assert "one row" in ask.view.words()
