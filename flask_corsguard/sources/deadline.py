"""The deadline until which a request waits for a store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from contextvars import ContextVar

# On the clock of time.monotonic().
_until: ContextVar[float] = ContextVar("flask_corsguard_deadline")


def seconds_left() -> float:
    """Return how many seconds a source may still wait for its store. Call it before each wait.

    :returns: more than 0; 30 if no request is waiting.
    :raises TimeoutError: if the time is up.
    """
    left = _until.get(time.monotonic() + 30) - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def is_over() -> bool:
    """Whether no time is left."""
    try:
        seconds_left()
    except TimeoutError:
        return True
    return False


@contextlib.contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Start the time that :func:`seconds_left` counts down."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)
