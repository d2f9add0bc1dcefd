"""A file that is read again when it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import stat
import time
import tomllib
from typing import Any, BinaryIO, NamedTuple

from flask_corsguard.errors import CorsGuardError
from flask_corsguard.text import text_of

#: The size of the largest file that is read, in bytes.
LARGEST_FILE = 1_000_000
# A dotted key with more parts than a host name can have: tomllib takes hours to read one of 1 MB.
_LONG_KEY = re.compile(
    r"""(?:^|[\[{,])[ \t]*(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){127}""", re.MULTILINE
)


class WatchedFileError(CorsGuardError):
    """A file that is missing, cannot be read, or could have been written by somebody else. The
    message does not name it."""


class _Facts(NamedTuple):
    """What shows that a file has changed, or is another file."""

    size: int
    written: int
    changed: int
    inode: int
    device: int


class WatchedFile:
    """A file that is read again when it has changed. Links are followed, and another file may
    replace the first one, as in a mounted ConfigMap. For one thread at a time.

    It must be a regular file of at most 1 MB that only root or the user of this process can write
    to. The folder's mode does not matter.

    :param path: the path, relative to the current directory at the time of this call.
    :param settle: how many seconds a change is left alone, because half a file may be valid too.
    :ivar pending: whether the last :meth:`look` has left a change alone.
    :ivar version: a hash of the content that was last returned; "" before.
    """

    def __init__(self, path: str, settle: float) -> None:
        # os.getcwd() fails if the directory has been removed, so it is called only if needed.
        self.path = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
        self.settle = settle
        self.pending = False
        self.version = ""
        self._taken: _Facts | None = None
        # What the last looks have seen, and since when, on the monotonic clock.
        self._seen: tuple[_Facts, float] | None = None

    def read(self) -> bytes:
        """The content as it is now, settled or not.

        :raises WatchedFileError: if the file cannot be used.
        """
        content, facts, _ = self._read(is_first=True)
        self._take(content, facts)
        return content

    def look(self) -> bytes | None:
        """The content, if it has changed and settled: its last write is old enough or, as clocks
        differ, two looks far enough apart have seen the same file. Otherwise None.

        :raises WatchedFileError: if the file cannot be used, changed or not.
        """
        self.pending = False
        content, facts, has_settled = self._read(is_first=False)
        if facts == self._taken:
            self._seen = None
            return None
        if not has_settled:
            self.pending = True
            return None
        before = self.version
        self._take(content, facts)
        return content if self.version != before else None

    def _take(self, content: bytes, facts: _Facts) -> None:
        self._taken, self._seen, self.pending = facts, None, False
        self.version = hashlib.sha256(content).hexdigest()[:12]

    def _read(self, *, is_first: bool) -> tuple[bytes, _Facts, bool]:
        """The content, the facts about the file, and whether it has settled. If it has not, or has
        been taken already, it is not read, unless it *is_first*."""
        try:
            # Opened before it is checked: another file may replace it in between.
            with open(self.path, "rb", opener=_open) as file:
                facts = self._checked(file)
                if not is_first and (facts == self._taken or not self._has_settled(facts)):
                    return b"", facts, False
                content = file.read(LARGEST_FILE + 1)
                is_same = self._checked(file) == facts and len(content) == facts.size
        except (OSError, ValueError) as error:  # a ValueError for a null character in the path
            raise WatchedFileError(self._unreadable(error)) from error
        if not is_same:
            self._seen = None
        return content[:LARGEST_FILE], facts, is_same

    def _has_settled(self, facts: _Facts) -> bool:
        now = time.monotonic()
        if self._seen is None or self._seen[0] != facts:
            self._seen = facts, now
        age = time.time() - facts.written / 1e9
        return age >= self.settle or now - self._seen[1] >= self.settle

    def _checked(self, file: BinaryIO) -> _Facts:
        found = os.fstat(file.fileno())
        file_name = shlex.quote(self.path)
        if not stat.S_ISREG(found.st_mode):
            raise WatchedFileError(
                "it is not a regular file: name a regular file, or a link to one."
            )
        if found.st_size > LARGEST_FILE:
            raise WatchedFileError(
                f"it has {found.st_size:,} bytes; at most {LARGEST_FILE:,} are read."
            )
        if hasattr(os, "geteuid"):  # Windows has other permissions
            user = os.geteuid()
            if found.st_uid not in (0, user):
                raise WatchedFileError(
                    f"it belongs to user {found.st_uid}, who could change it. It must belong to"
                    f" root or to user {user}, who runs this process: chown root {file_name}"
                )
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise WatchedFileError(
                    "it can be changed by its group or by everybody (its mode is"
                    f" {stat.S_IMODE(found.st_mode):04o}): chmod go-w {file_name}"
                )
        return _Facts(
            found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
        )

    def _unreadable(self, error: Exception) -> str:
        if isinstance(error, FileNotFoundError):
            return "there is no such file. Create it, or correct the path."
        if isinstance(error, IsADirectoryError):
            return "it is a folder, not a regular file: name a file."
        if isinstance(error, PermissionError):
            return (
                "it cannot be opened by the user who runs this process: chmod a+r"
                f" {shlex.quote(self.path)}; the folders above it need a+x."
            )
        reason = error.strerror if isinstance(error, OSError) else error
        return f"it cannot be read: {reason}."


def read_json(text: str) -> Any:
    """Read JSON.

    :raises ValueError: if it is something else, or if a name is listed twice.
    """
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError(f"a name is listed twice: {text_of([name for name, _ in pairs])}")
    return table


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML.

    :raises ValueError: if it is not TOML.
    :raises RecursionError: if it is nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise RecursionError("a key has too many parts")
    return tomllib.loads(text)


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe would wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
