"""What code can raise that is not an ``Exception``: for each, what makes a new one."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial


class Timeout(BaseException):
    """Like those of gevent and Eventlet."""


class Unprintable(BaseException):
    """Raises itself when it is printed."""

    def __str__(self) -> str:
        raise self


class GreenletExit(BaseException):
    """Like greenlet's, which ends a greenlet."""


class Killed(GreenletExit):
    """A subclass."""


group = partial(BaseExceptionGroup, "several")

Kinds = Mapping[str, Callable[[], BaseException]]
FAILURES: Kinds = {
    "a time-out": partial(Timeout, "5 seconds"),
    "cancelled": asyncio.CancelledError,
    "unprintable": Unprintable,
    "any other": partial(BaseException, "\n"),
    "a group": lambda: group([Timeout(), asyncio.CancelledError()]),
}
SHUTDOWNS: Kinds = {
    "Ctrl-C": KeyboardInterrupt,
    "exit": partial(SystemExit, 3),
    "generator": GeneratorExit,
    "greenlet": GreenletExit,
    "greenlet, a subclass": Killed,
    "exit, in a group": lambda: group([Timeout(), group([SystemExit()])]),
}
RAISED: Kinds = {**FAILURES, **SHUTDOWNS}
