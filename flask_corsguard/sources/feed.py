"""The rows of a source that each process has, and when it reads the source again."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Generator, Hashable, Iterable
from typing import Any, Protocol, TypeAlias, cast
from weakref import WeakValueDictionary, ref

from flask_corsguard.errors import is_shutdown
from flask_corsguard.lock import Lock
from flask_corsguard.protocol.fields import SOURCE_SECONDS
from flask_corsguard.protocol.lists import source_name
from flask_corsguard.protocol.origins import CheckFailedError
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.publicsuffix import is_public_suffix
from flask_corsguard.sources.deadline import deadline
from flask_corsguard.sources.snapshot import Rows, Rules, Snapshot
from flask_corsguard.text import described, shown, text_of

#: In seconds: how often, at most, a source is read that can only return everything.
SELDOM = 30.0
#: In seconds: how long prepare() and commands wait for a store. They delay no request.
START_DEADLINE = 30.0
#: After a failure, a store is left alone for this many times as long as the failure took.
PAUSE = 10
#: In seconds: how overdue a read may be before other requests wait for it.
OVERDUE = 0.25
# How many rows are checked at a time.
_PORTION = 500

# Unfinished reads from before a fork. They may hold a connection of the parent, which must not be
# closed.
_left_alone: list[object] = []


class Listener(Protocol):
    """Receives news of a source."""

    def refreshed(self, feed: Feed) -> None:
        """The rows have changed."""

    def failed(self, feed: Feed) -> None:
        """The source could not be read."""


class View:
    """The rows of a source that a policy may list.

    :ivar feed: the source's feed.
    :ivar rules: what the policy may list.
    :ivar snapshot: the rows; None if they have not been read.
    :ivar admission: says, in words, that one of them admits the origin.
    """

    def __init__(self, feed: Feed, rules: Rules) -> None:
        self.feed = feed
        self.rules = rules
        self.snapshot: Snapshot | None = None
        self.admission = f"a row of {feed.name} admits the origin"

    def words(self) -> str:
        """The number of rows and their age, in words."""
        feed, snapshot = self.feed, self.snapshot
        if snapshot is None:
            return f"the rows of {feed.name}, which has not been read"
        version = f", version {feed.version}" if feed.version else ""
        rows = "one row" if snapshot.rows == 1 else f"{snapshot.rows:,} rows"
        age = f"{version}, {feed.age:.1f} s old"
        if feed.by is None:
            return f"the {rows} of {feed.name}{age}"
        return f"the origins of the request's tenant in {feed.name} ({rows}{age})"

    def left_out(self, origin: str) -> str:
        """Why a row with an origin is left out; "" if there is no such row."""
        whole = re.compile(rf"(?<![\w.:/-]){re.escape(origin)}(?![\w.:/-])")
        if self.snapshot is None:
            return ""
        return next((why for row, why in self.snapshot.bad.items() if whole.search(row)), "")


_Snapshots: TypeAlias = list[tuple[View, Snapshot]]


class Feed:
    """One process's state of one source. Policies and apps share it.

    :cvar published: a new object each time the rows of any source change.
    :ivar due: when the source must be read again, on the clock of ``time.monotonic()``.
    :ivar stale_at: from when the rows no longer count, on the same clock.
    :ivar fresh_until: the earlier of *due* and *stale_at*: until then, only the rows matter.
    :ivar failure: the last failure, in words; "" if there was none.
    :ivar failures: how many failures there were.
    """

    published: object = object()

    def __init__(self, source: Any, clock: Callable[[], float] = time.monotonic) -> None:
        def setting(name: str) -> float:
            return getattr(source, name, SOURCE_SECONDS[name])

        self.source = source
        self.name = source_name(source)
        self.by: Callable[[Any], Hashable] | None = getattr(source, "by", None)
        self.at_start: str = getattr(source, "at_start", "closed")
        self._clock = clock
        self._deadline = setting("deadline")
        self._stale_after = setting("stale_after")
        self._changes = _method(source, "changes")
        self._version_of = _method(source, "version")
        can_tell = self._changes or self._version_of
        self._retry = setting("refresh")
        self.refresh = setting("refresh") if can_tell else max(setting("refresh"), SELDOM)
        self._reload_every: float = getattr(source, "reload_every", None) or math.inf
        self.due = self.fresh_until = self.stale_at = -math.inf
        self._check_at = self._reload_at = self._read_at = self._failed_at = -math.inf
        self._version: object = None
        self.failure = ""
        self.failures = 0
        self._failures_before_fork = 0
        # Replaced as a whole, since other threads iterate over them.
        self._views: tuple[ref[View], ...] = ()
        self._published = 0
        self._loading: Generator[None] | None = None
        self._pid = os.getpid()
        self._locks = {self._pid: threading.Lock()}
        self._named: set[str] = set()

    @property
    def age(self) -> float:
        """How many seconds ago the rows were last known to be the same as the store's."""
        return max(0.0, self._clock() - self._read_at)

    @property
    def version(self) -> str:
        """The version of the rows, for people."""
        try:
            text = "" if self._version is None else str(self._version)
        except BaseException as error:
            if is_shutdown(error):
                raise
            text = text_of(self._version)
        return text if text.isprintable() and len(text) <= 100 else shown(text)

    @property
    def snapshot(self) -> Snapshot | None:
        """The rows for one of the policies; None if they have not been read."""
        return next((view.snapshot for view in self.views), None)

    @property
    def views(self) -> list[View]:
        """The rows for each of the policies."""
        return [view for view in (each() for each in self._views) if view is not None]

    @property
    def is_stale(self) -> bool:
        """Whether the source admits no origin, because it has never been read, or too long ago."""
        return self._clock() >= self.stale_at

    @property
    def is_known(self) -> bool:
        """Whether there is a snapshot for every policy."""
        return all(view.snapshot for view in self.views)

    def view(self, rules: Rules) -> View:
        """The rows that a policy with these rules may list."""
        with _registering:
            views = self.views
            for view in views:
                if view.rules == rules:
                    return view
            view = View(self, rules)
            known = next((other.snapshot for other in views if other.snapshot), None)
            if known is not None:
                # The last good rows that this policy may list too, until all are read again.
                by_tenant = self.by is not None
                reader = Rows(rules, by_tenant=by_tenant)
                reader.add(known if by_tenant else (origin for _, origin in known))
                view.snapshot = reader.finished()
            self._views = tuple(map(ref, (*views, view)))
            self._reload_at = -math.inf
            self._ask_at(-math.inf)
        return view

    def unknown(self) -> str:
        """Why the source's check fails, in words."""
        words = f"{self.name} has not been read"
        if self._read_at != -math.inf:
            words = f"{self.name} was last read {self.age:.0f} s ago"
        return f"{words}: {self.failure.removesuffix('.')}" if self.failure else words

    @property
    def effect(self) -> str:
        """The effect of a failure, in words."""
        left = self.stale_at - self._clock()
        if left <= 0:
            return "Until it is read, its origins are rejected"
        return f"The rows read then count for {left:.0f} s more"

    def status(self) -> dict[str, object]:
        """The source's state, for people and tools."""
        snapshots = [view.snapshot for view in self.views if view.snapshot is not None]
        bad = {row: why for snapshot in snapshots for row, why in snapshot.bad.items()}
        return {
            "name": self.name,
            "rows": max((snapshot.rows for snapshot in snapshots), default=0),
            "version": self.version,
            "age": None if self._read_at == -math.inf else round(self.age, 3),
            "stale": self.is_stale,
            "bad_rows": max((snapshot.bad_rows for snapshot in snapshots), default=0),
            "problems": [f"{row}: {why}" for row, why in bad.items()],
            "failures": self.failures - self._failures_before_fork if self._is_own() else 0,
            "last_failure": self.failure or None,
        }

    def ask(self, listener: Listener) -> None:
        """Read the store, unless another request in this process is doing so. Only one request
        waits for the store, until the deadline; the others use the rows that have been read."""
        lock = self._lock()
        if not lock.acquire(blocking=False):
            if self._is_overdue() and lock.acquire(timeout=self._deadline / 4):
                lock.release()
            return
        before, failures = self._published, self.failures
        try:
            started = self._clock()
            if started >= self.due:
                # Half of the time, as a wait that begins at its end may take the other half.
                self._work(self._deadline, started, started + self._deadline / 2)
        finally:
            lock.release()
            if self.failures != failures:
                listener.failed(self)
            elif self._published != before:
                listener.refreshed(self)

    def _is_overdue(self) -> bool:
        """Whether the store worked when it was last read, but that was a while ago. After such a
        pause, requests wait a little for the one that reads it: a row that was revoked long ago
        must not count in any of them."""
        is_answering = self._failed_at < self._read_at
        is_read_by_several = self.due == -math.inf
        is_late = self._clock() >= self._check_at + OVERDUE
        return is_answering and is_late and not is_read_by_several

    def load_now(self, listener: Listener) -> None:
        """Read everything, however long it takes, and close the connection."""
        with self._lock():
            failures = self.failures
            if self._is_own():
                self._loading = None
            self._reload_at = -math.inf
            self._work(START_DEADLINE, self._clock(), math.inf)
            close = _method(self.source, "close")
            if close is not None:
                try:
                    close()
                except BaseException as error:
                    if is_shutdown(error):
                        raise
        if self.failures != failures:
            listener.failed(self)
        else:
            listener.refreshed(self)

    def _is_own(self) -> bool:
        """Whether this process has read last, rather than its parent before a fork."""
        return self._pid == os.getpid()

    def _lock(self) -> threading.Lock:
        pid = os.getpid()
        # setdefault() is atomic, so that two threads of a new process take the same lock.
        return self._locks.get(pid) or self._locks.setdefault(pid, threading.Lock())

    def _work(self, seconds: float, now: float, until: float) -> None:
        """Read the store, and continue until the clock shows *until*.

        :param seconds: how long to wait for the store.
        """
        if not self._is_own():
            self._pid = os.getpid()
            self._failures_before_fork = self.failures
            _left_alone.append(self._loading)
            self._loading = None
        self._until = until
        try:
            with deadline(seconds):
                self._read(now)
        except BaseException as error:
            # Even for a time-out of the server, which leaves rows unread.
            self._loading = None
            self.failures += 1
            self.failure = described(error)
            self._failed_at = now_failed = self._clock()
            self._check_at = now_failed + max(self._retry, PAUSE * (now_failed - now))
            is_stale = now_failed >= self.stale_at
            self._ask_at(self._check_at if is_stale else min(self._check_at, self.stale_at))
            if is_shutdown(error):
                raise

    def _read(self, now: float) -> None:
        must_load = not self.is_known or now >= self._reload_at
        if self.is_known and now >= min(self._check_at, self.stale_at):
            # Even if everything is to be read, which can take several requests.
            must_load = not self._check(now) or must_load
        if must_load and self._loading is None:
            self._loading = self._load(now)
        if self._loading is not None and next(self._loading, self) is not self:
            self._ask_at(-math.inf)  # the next request continues
            return
        self._loading = None
        self._ask_at(min(self._check_at, self._reload_at, self.stale_at))

    def _check(self, now: float) -> bool:
        """Whether the rows are the same as the store's, once recent changes have been applied."""
        if self._changes is not None:
            known = [(view, view.snapshot) for view in self.views if view.snapshot is not None]
            found = self._changed(self._version, known)
            if found is None:
                return False
            version, changed = found
            for view, snapshot in changed:
                view.snapshot = snapshot
            if changed is not known:
                self._publish()
            self._version = version
        elif self._version_of is None or bool(self._version_of() != self._version):
            return False
        self._is_current(now)
        return True

    def _changed(self, since: object, snapshots: _Snapshots) -> tuple[object, _Snapshots] | None:
        """The version of the store, and its snapshots, made from those of an earlier version; None
        if the store no longer knows the changes."""
        assert self._changes is not None
        found = self._changes(since)
        if found is None:
            return None
        version, added, removed = _parts(found, "changes() returned", "added", "removed")
        added, removed = [*added], [*removed]
        if added or removed:
            by_tenant = self.by is not None
            snapshots = [
                (view, old.changed(added, removed, Rows(view.rules, by_tenant=by_tenant)))
                for view, old in snapshots
            ]
        return version, snapshots

    def _load(self, now: float) -> Generator[None]:
        """Read everything, and pause whenever a request has waited long enough."""
        by_tenant = self.by is not None
        readers = [(view, Rows(view.rules, by_tenant=by_tenant)) for view in self.views]
        version, rows = _parts(self.source.load(), "load() returned", "rows")
        portion: list[object] = []
        for row in rows:
            portion.append(row)
            is_late = self._clock() >= self._until
            if is_late or len(portion) == _PORTION:
                for _, reader in readers:
                    reader.add(portion)
                portion = []
                if is_late:
                    yield
        for _, reader in readers:
            reader.add(portion)
        finished = [(view, reader.finished()) for view, reader in readers]
        read_at = now
        took_long = self._clock() >= now + self.refresh  # if there were few requests, say
        if (self._read_at > now or took_long) and self._changes is not None:
            # These rows may lack what has changed in the meantime.
            read_at = self._clock()
            version, finished = self._changed(version, finished) or (version, finished)
        for view, snapshot in finished:
            view.snapshot = snapshot
        self._version = version
        self._publish()
        has_all = len(readers) == len(self.views)  # otherwise a policy was added in the meantime
        self._reload_at = now + self._reload_every if has_all else -math.inf
        self._is_current(read_at)

    def _ask_at(self, due: float) -> None:
        self.due = due
        self.fresh_until = min(due, self.stale_at)

    def _publish(self) -> None:
        self._published += 1
        Feed.published = object()

    def _is_current(self, now: float) -> None:
        self._read_at = now
        self._check_at = now + self.refresh
        self.stale_at = now + self._stale_after

    def take_unnamed(self) -> list[tuple[str, str]]:
        """The bad rows that have not been logged yet, each with the reason. From now on, they count
        as logged."""
        bad = {
            row: why
            for view in self.views
            if view.snapshot is not None
            for row, why in view.snapshot.bad.items()
        }
        new = [(row, why) for row, why in bad.items() if row not in self._named]
        self._named = set(bad)
        return new


def _method(source: object, name: str) -> Callable[..., Any] | None:
    method = getattr(source, name, None)
    return method if callable(method) else None


def _parts(result: object, what: str, *lists: str) -> tuple[Any, ...]:
    """The parts of what a method of a source has returned.

    :raises TypeError: if it has the wrong form.
    """
    parts: list[Any] = []
    if isinstance(result, (tuple, list)):
        parts += cast("Iterable[Any]", result)
    is_wrong = [isinstance(p, (str, bytes)) or not isinstance(p, Iterable) for p in parts[1:]]
    if len(parts) != 1 + len(lists) or any(is_wrong):
        words = text_of(result)  # pyright: ignore[reportUnknownArgumentType]
        raise TypeError(f"{what} {words} where ({', '.join(('version', *lists))}) was expected")
    return tuple(parts)


_feeds = WeakValueDictionary[int, Feed]()
_registering = Lock()


def feed_of(source: object) -> Feed:
    """The feed of a source."""
    with _registering:
        feed = _feeds.get(id(source))
        if feed is None:
            feed = _feeds[id(source)] = Feed(source)
        return feed


def views_of(policy: Policy) -> tuple[View, ...]:
    """The views of a policy's sources."""
    compiled = policy.compiled
    if compiled.live is None and not compiled.sources:
        compiled.live = ()
    elif compiled.live is None:
        is_public_suffix("example.com")  # so that no request waits for its data
        rules = Rules.of(policy)
        compiled.live = tuple(feed_of(source).view(rules) for source in compiled.sources)
    return cast("tuple[View, ...]", compiled.live)


def admits(view: View, tenant: Hashable, text: str) -> bool:
    """Whether the rows of a source admit an origin.

    :raises CheckFailedError: if the rows have never been read, or too long ago.
    """
    snapshot = view.snapshot
    if snapshot is None or view.feed.is_stale:
        raise CheckFailedError(view.feed.unknown())
    return snapshot.admits(tenant, text)
