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
        """Do not warn: a cursor that was left open is closed with its connection."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection with a deadline. psycopg's own time-out is in whole seconds, and only for
    connecting."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.server_cursor_factory = _Cursor

    def __del__(self, _warn: Any = None, /) -> None:
        """Do not warn: the connection stays open for as long as the process runs."""

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Generator[Any, Any, Any]:
        connecting: Generator[Any, Any, Any] = super()._connect_gen(*arguments, **options)
        made = _waited_for(connecting)
        yield from ()
        return made

    def wait(self, gen: Generator[Any, Any, _T], *_arguments: Any, **_options: Any) -> _T:
        """Wait for the server, as psycopg does, but until the deadline."""
        try:
            return _waited_for(gen, self.pgconn.socket)
        except psycopg.Error:
            raise
        except BaseException:
            # While a reply is due, nothing can be sent, not even to close a cursor.
            self.close()
            raise


def _waited_for(steps: Generator[Any, Any, _T], socket: int | None = None) -> _T:
    """The result of the steps.

    :param socket: the socket that they wait for; None if each step names it.
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
