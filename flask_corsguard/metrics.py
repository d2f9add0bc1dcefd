"""The guard's counts, and the state of its sources, as metrics for Prometheus."""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import os
import time
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary, WeakSet, ref

from flask.app import Flask

from flask_corsguard.errors import CorsGuardError, is_shutdown
from flask_corsguard.lock import Lock
from flask_corsguard.logging import GuardLog
from flask_corsguard.runtime.counts import DecisionKind, Kind
from flask_corsguard.runtime.state import AppState, state_of
from flask_corsguard.sources.feed import Feed
from flask_corsguard.text import described

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Metric

# In seconds: how often a process writes the metrics that are not written with each decision.
_INTERVAL = 1.0


def register(app: Flask, registry: CollectorRegistry | None = None) -> None:
    """Register an app's counts as Prometheus metrics. The counts of several apps are added up.

    In prometheus_client's multi-process mode, they cover all workers. Decisions are written at
    once; everything else at most once a second, and when the process ends.

    :param app: an app with a guard.
    :param registry: the registry that is scraped; by default, prometheus_client's own. In
        multi-process mode, it may have a ``MultiProcessCollector``, but does not need one.
    :raises CorsGuardError: if the app has no guard; if prometheus_client is not installed, or
        cannot write its files.
    """
    state = state_of(app)
    try:
        from prometheus_client import REGISTRY, values
    except ImportError as error:
        message = 'metrics need prometheus_client: pip install "flask-corsguard[prometheus]"'
        raise CorsGuardError(message) from error
    in_files = values.ValueClass is not values.MutexValue
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and not in_files:
        raise CorsGuardError(
            "PROMETHEUS_MULTIPROC_DIR was set too late: prometheus_client reads it when it is"
            " imported. Set it in the server's environment, or in gunicorn.conf.py"
        )
    if registry is None:
        registry = REGISTRY
    with _registering:
        metrics = _by_registry.get(registry)
        if metrics is None:
            metrics = _of_workers() if in_files else _Metrics()
            registry.register(_Files(metrics, registry) if in_files else metrics)
            _by_registry[registry] = metrics
        metrics.add(state)


class _Metrics:
    """The metrics of one registry; in multi-process mode, of the process, because two objects would
    overwrite each other's numbers in the files.

    :param in_files: whether prometheus_client is in multi-process mode.
    """

    def __init__(self, *, in_files: bool = False) -> None:
        from prometheus_client import Counter, Gauge

        counter = functools.partial(Counter, registry=None)
        # The value of the worker that wrote last: a worker without requests has not read its
        # sources.
        latest = functools.partial(Gauge, registry=None, multiprocess_mode="livemostrecent")
        self._decisions = counter(
            "corsguard_decisions_total", "Decisions about requests.", DecisionKind._fields
        )
        self._left_out = counter(
            "corsguard_log_lines_left_out_total",
            "Log lines left out, because lines like them had been written.",
        )
        self._failures = counter(
            "corsguard_source_failures_total", "How often a source could not be read.", ["source"]
        )
        self._rows = latest("corsguard_source_rows", "Rows of a source.", ["source"])
        self._age = latest(
            "corsguard_source_age_seconds",
            "Seconds since the source was last known to match its store.",
            ["source"],
        )
        # Not an Info, which does not work in multi-process mode.
        self._settings = Gauge(
            "corsguard_settings_info",
            "1 for the settings in force, 0 for earlier ones.",
            ["fingerprint"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self._in_files = in_files
        self._lock = Lock()
        self._states = WeakSet[AppState]()
        self._pid, self._due = 0, 0.0
        self._kinds: dict[Kind, Counter] = {}
        # How much of this process's counts is in the metrics already.
        self._written = WeakKeyDictionary[AppState | Feed, dict[Hashable, int]]()
        self._shown: dict[Gauge, dict[str, float]] = {}

    def add(self, state: AppState) -> None:
        """Add an app."""
        with self._lock:
            self._states.add(state)
        if self._in_files:
            state.counts.receiver = functools.partial(self._receive, state.log)

    def describe(self) -> Iterable[Metric]:
        """For the registry: the names, which no other collector may use."""
        return [metric for each in self._all() for metric in each.describe()]

    def collect(self) -> Iterable[Metric]:
        """For the registry: all current values."""
        with self._lock:
            self.update()
            return [metric for each in self._all() for metric in each.collect()]

    def update(self) -> None:
        """Bring everything up to date."""
        self._due = time.monotonic() + _INTERVAL
        with self._lock:
            self._begin()
            settings: dict[str, float] = {}
            rows: dict[str, float] = {}
            ages: dict[str, float] = {}
            feeds: dict[Feed, None] = {}
            for state in [*self._states]:
                if not self._in_files:
                    for kind, number in state.counts.copy().items():
                        self._raise(self._decision(kind), state, kind, number)
                self._raise(self._left_out, state, "left out", state.log.left_out)
                if state.in_force is None:
                    continue
                settings[state.in_force.fingerprint()] = 1.0
                feeds |= dict.fromkeys(state.in_force.feeds())
            for feed in feeds:
                status = cast("dict[str, Any]", feed.status())
                name, age = status["name"], status["age"]
                # Several sources can have the same name: two statements to one database, say.
                rows[name] = rows.get(name, 0.0) + status["rows"]
                ages[name] = max(ages.get(name, 0.0), math.inf if age is None else age)
                self._raise(self._failures.labels(name), feed, "failures", status["failures"])
            self._set(self._settings, settings, 0.0)
            self._set(self._rows, rows, math.nan)
            self._set(self._age, ages, math.nan)

    def _receive(self, log: GuardLog, kind: Kind) -> None:
        """Write a decision at once: the worker may be killed, or may get no other request for a
        long time. If writing fails, the request goes on."""
        try:
            self._decision(kind).inc()
            if time.monotonic() >= self._due or self._pid != os.getpid():
                self.update()
        except BaseException as error:
            if is_shutdown(error):
                raise
            log.failure("writing the metrics", error)

    def _begin(self) -> None:
        """Start at zero in a new process, as the counts and prometheus_client's files do. The exit
        handler is registered here, in the process that serves requests."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._written.clear()
            if self._in_files:
                atexit.register(self._update_at_exit)

    def _update_at_exit(self) -> None:
        # The directory of the files may be gone, which has been logged.
        with contextlib.suppress(Exception):
            self.update()

    def _raise(self, counter: Counter, owner: AppState | Feed, key: Hashable, number: int) -> None:
        """Increase a counter up to the number that its owner has counted."""
        written = self._written.setdefault(owner, {})
        missing = number - written.get(key, 0)
        if missing > 0:
            counter.inc(missing)
            written[key] = number

    def _decision(self, kind: Kind) -> Counter:
        counter = self._kinds.get(kind)
        if counter is None:
            outcome, reason, endpoint, policy, *flags = kind
            words = (str(flag).lower() for flag in flags)
            texts = (outcome.name, reason.name if reason else "", endpoint or "", policy, *words)
            counter = self._kinds[kind] = self._decisions.labels(*texts)
        return counter

    def _set(self, gauge: Gauge, values: dict[str, float], gone: float) -> None:
        """Set a gauge for each label.

        :param gone: the value for a label that no longer exists, which files keep.
        """
        if self._in_files:
            values = {**dict.fromkeys(self._shown.get(gauge, ()), gone), **values}
            self._shown[gauge] = values
        else:
            gauge.clear()
        for label, value in values.items():
            gauge.labels(label).set(value)

    def _all(self) -> Iterable[Counter | Gauge]:
        counters = (self._decisions, self._left_out, self._failures)
        return (*counters, self._rows, self._age, self._settings)


class _Files:
    """A registry's collector in multi-process mode: the metrics of all workers, unless the registry
    reads the files anyway."""

    def __init__(self, metrics: _Metrics, registry: CollectorRegistry) -> None:
        self._metrics = metrics
        self._registry = ref(registry)

    def describe(self) -> Iterable[Metric]:
        """For the registry: no names, because a ``MultiProcessCollector`` has the same."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """For the registry: the current values of this worker, and the last ones of the others."""
        from prometheus_client import multiprocess

        files: Any = multiprocess.MultiProcessCollector
        self._metrics.update()
        # There is no public list of the collectors.
        others: Iterable[object] = getattr(self._registry(), "_collector_to_names", ())
        if any(isinstance(other, files) for other in others):
            return ()
        names = {metric.name for metric in self._metrics.describe()}
        return (metric for metric in files(None).collect() if metric.name in names)


@functools.cache
def _of_workers() -> _Metrics:
    try:
        return _Metrics(in_files=True)
    except OSError as error:
        message = (
            f"prometheus_client cannot write its files: {described(error)}. Set"
            " PROMETHEUS_MULTIPROC_DIR to a directory of its own, and empty it before each start."
        )
        raise CorsGuardError(message) from error


_by_registry = WeakKeyDictionary["CollectorRegistry", _Metrics]()
_registering = Lock()
