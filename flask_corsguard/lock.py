"""A lock that neither a signal handler nor a fork can leave locked for ever."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator
from types import TracebackType


class Lock:
    """A lock for ``with``. A signal handler may take it while its own thread holds it. After a
    fork, it is free in the new process, whoever held it in the old one.

    The process id is checked each time, because servers that fork in C, such as uWSGI, do not run
    ``os.register_at_fork`` functions.
    """

    def __init__(self) -> None:
        self._of_processes = {os.getpid(): threading.RLock()}

    def __enter__(self) -> None:
        self._acquire(-1)

    @contextlib.contextmanager
    def unless_taken(self, seconds: float = 0) -> Generator[bool]:
        """Take the lock, unless another thread holds it. The value is whether it was taken.

        :param seconds: how long to wait for the other thread.
        """
        is_taken = self._acquire(seconds)
        try:
            yield is_taken
        finally:
            if is_taken:
                self.__exit__(None, None, None)

    def _acquire(self, seconds: float) -> bool:
        pid = os.getpid()
        # setdefault() is atomic, so that two threads of a new process take the same lock.
        lock = self._of_processes.get(pid) or self._of_processes.setdefault(pid, threading.RLock())
        return lock.acquire(timeout=seconds)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        lock = self._of_processes.get(os.getpid())
        # If a signal handler has forked since, this process has not taken it.
        if lock is not None:
            with contextlib.suppress(RuntimeError):
                lock.release()
