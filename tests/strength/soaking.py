"""One app, asked again and again, with everything turned on that could keep something."""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from flask import Flask

from flask_corsguard import Decision, origin_allowed, origin_rejected, preflight_rejected
from flask_corsguard.protocol.policy import PolicyFields

from .containers import Found, reachable
from .traffic import Traffic, build

SEED = 1
REPORT_ONLY: PolicyFields = {"origins": "https://shop.example", "enforce": "unsafe"}


class Soak:
    """The app, and what came of the requests.

    :param paths: those that are asked for.
    :param has_report_only: whether there is a report-only policy.
    :ivar statuses: how many answers had each status.
    :ivar heard: how many signals of each kind were received.
    :ivar lines: how many lines were logged.
    """

    def __init__(self, paths: Sequence[str], has_report_only: bool) -> None:
        self.app = build(REPORT_ONLY if has_report_only else None)
        self.statuses: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.lines = 0
        self._requests = iter(Traffic(SEED, paths))

    def go_on(self, number: int) -> None:
        """Put that many more requests to the app."""
        app, statuses = self.app, self.statuses

        def start_response(status: str, *_: object) -> Callable[[bytes], object]:
            statuses[status[:3]] += 1
            return bytes

        for environ in itertools.islice(self._requests, number):
            answer = app.wsgi_app(environ, start_response)
            for _ in answer:
                pass
            answer.close()  # type: ignore[attr-defined]

    def kept(self) -> Found:
        """What the guard keeps now."""
        return reachable(self.app)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """With receivers on every signal, and a handler for the log."""
        logger = logging.getLogger("flask_corsguard")
        signals = (origin_allowed, origin_rejected, preflight_rejected)
        receivers = [(signal, partial(self._hear, name=signal.name)) for signal in signals]
        for signal, receiver in receivers:
            signal.connect(receiver, self.app)
        logger.addFilter(self._count_line)
        try:
            yield
        finally:
            logger.removeFilter(self._count_line)
            for signal, receiver in receivers:
                signal.disconnect(receiver, self.app)

    def _hear(self, sender: Flask, decision: Decision, name: str) -> None:
        self.heard[name] += 1

    def _count_line(self, record: logging.LogRecord) -> bool:
        record.getMessage()
        self.lines += 1
        return False
