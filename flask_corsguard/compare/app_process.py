"""An app in a process of its own, so that modules of two apps may have the same names."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from flask_corsguard.compare.messages import Ask, Description, Seen
from flask_corsguard.errors import CorsGuardError

# In seconds.
_LONGEST_LOADING = 120
# A slow request is cut off before this, unless the app prevents it.
_LONGEST_SILENCE = 10
_LONGEST_END = 1


class AppProcessError(CorsGuardError):
    """An app cannot be loaded, or its process has ended."""


def _serve(*arguments: Any) -> None:
    # Imported only here: the command itself does not need it.
    from flask_corsguard.compare.loaded_app import serve

    serve(*arguments)


class AppProcess:
    """An app, loaded in another process. This is a context manager: the process, and what it has
    started, end with the body.

    :param app: what ``flask --app`` takes: ``shop``, ``old/shop.py:create_app("dev")``.
    :param overlay: bytes to read instead of some files: modules, and what
        ``app.config.from_pyfile`` reads.
    :param watch: ``"package.module:function"``, called without arguments before the app is
        loaded. What it returns, and fills later, comes back as ``description.watched``.
    :ivar spent: how many seconds of CPU time the requests have taken; a tenth of the time by the
        clock, if that is more.
    """

    def __init__(
        self, app: str, *, overlay: Mapping[Path, bytes] | None = None, watch: str = ""
    ) -> None:
        self.app = app
        self.spent = 0.0
        replaced = {os.path.realpath(path): data for path, data in (overlay or {}).items()}
        # Not forked, so that no threads or modules of this process come along.
        context = multiprocessing.get_context("spawn")
        self._connection, self._theirs = context.Pipe()
        arguments = (self._theirs, app, replaced, watch)
        self._process = context.Process(target=_serve, args=arguments, name=f"flask --app {app}")
        self._description: Description | None = None

    @property
    def description(self) -> Description:
        """What to ask the app. Waits until it is loaded.

        :raises AppProcessError: if it cannot be loaded.
        """
        if self._description is None:
            found: Description | str = self._received("while it was loaded", _LONGEST_LOADING)
            if isinstance(found, str):
                raise AppProcessError(f"{self.app}: {found}")
            self._description = found
        return self._description

    def ask(self, asks: list[Ask]) -> Iterator[tuple[Seen, Seen] | str]:
        """Send requests.

        :returns: for each, the results without and with credentials; or in words, why there are
            none.
        :raises AppProcessError: if the process ends or hangs.
        """
        self._connection.send(asks)
        return self._heard(asks)

    def _heard(self, asks: Iterable[Ask]) -> Iterator[tuple[Seen, Seen] | str]:
        where = ""
        for ask in asks:
            where = f"at {ask.method} {ask.url}"
            yield self._received(where, _LONGEST_SILENCE)
        cpu, clock = self._received(where, _LONGEST_SILENCE)
        self.spent += max(cpu, clock / 10)

    def _received(self, where: str, seconds: float) -> Any:
        try:
            if self._connection.poll(seconds):
                return self._connection.recv()
        except (EOFError, OSError):
            raise AppProcessError(f"{self.app}: its process ended {where}") from None
        raise AppProcessError(f"{self.app}: no response for {seconds} s {where}")

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()  # then the process ends by itself
        try:
            wait([self._process.sentinel], _LONGEST_END)
        finally:
            try:
                # Also what the app has started. No other process has this number yet.
                os.killpg(cast("int", self._process.pid), signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):
                self._process.kill()
            self._process.join()
