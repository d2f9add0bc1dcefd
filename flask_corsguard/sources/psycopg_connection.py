"""A connection to PostgreSQL on which no wait outlasts the deadline."""

from __future__ import annotations

import selectors
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from flask_corsguard.sources.deadline import seconds_left

_T = TypeVar("_T")


class _Cursor(psycopg.ServerCursor[Any]):
    __slots__ = ()

    def __del__(self, _warn: Any = None, /) -> None:
        """Do not warn: one that is left goes together with its connection."""


class BoundedConnection(psycopg.Connection[Any]):
    """psycopg's own time-out is one for connecting, in whole seconds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.server_cursor_factory = _Cursor

    def __del__(self, _warn: Any = None, /) -> None:
        """Do not warn: one stays open for as long as the process runs."""

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Generator[Any, Any, Any]:
        connecting: Generator[Any, Any, Any] = super()._connect_gen(*arguments, **options)
        made = _waited_for(connecting)
        yield from ()
        return made

    def wait(self, gen: Generator[Any, Any, _T], *_arguments: Any, **_options: Any) -> _T:
        """Wait for the server, as psycopg does for everything."""
        try:
            return _waited_for(gen, self.pgconn.socket)
        except psycopg.Error:
            raise
        except BaseException:
            # Nothing can be asked on it while a reply is due, not even to close a cursor.
            self.close()
            raise


def _waited_for(steps: Generator[Any, Any, _T], socket: int | None = None) -> _T:
    """What the steps return.

    :param socket: what they wait for; None if each step says that too.
    :raises TimeoutError: if they are not done before the deadline.
    """
    try:
        step = next(steps)
        with selectors.DefaultSelector() as selector:
            while True:
                file, events = step if socket is None else (socket, step)
                selector.register(file, events)
                ready: list[Any] = []
                while not ready:
                    ready = selector.select(seconds_left())
                selector.unregister(file)
                step = steps.send(ready[0][1])
    except StopIteration as end:
        value: _T = end.value
        return value
