"""Origins in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Unpack

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.sources.source import BadRow, Row, Source, SourceSettings
from flask_corsguard.sources.store_errors import StoreError
from flask_corsguard.text import text_of
from flask_corsguard.watched_file import WatchedFile, read_json, read_toml

# In seconds: how long a change of the file is left alone.
_SETTLE = 0.4
_UNFINISHED = (
    "it is the last line and has no line end, so it may be half-written and does not count: end it"
    " with a newline"
)
_COMMENT = re.compile(r"(?:^|\s)#.*")


class FileOrigins(Source):
    """Origins in a file, which is checked for changes at each refresh.

    A text file has one origin per line. A comment begins with ``#``, at the beginning of a line or
    after white space; empty lines are skipped. A last line without a line end is a bad row, because
    it may be half-written. A file whose name ends with ``.json``, or that begins with ``[``, is a
    JSON list; a file whose name ends with ``.toml`` has the key ``origins``.

    It must be a regular file of at most 1 MB, owned by root or the user of the process, and not
    writable by others. Links are followed. A changed file is read once it has been left unchanged
    for 0.4 seconds. Reading has no time limit, which matters on a network file system.

    :param path: the file's path, relative to the current directory at the time of this call.
    :param settings: ``refresh``, ``deadline``, ``stale_after``, ``at_start`` and ``by``, as for all
        sources. ``by`` takes the request and returns its tenant, a string. With it, each line is a
        tenant without white space, white space and an origin; in JSON, rows are pairs, or an object
        has a list for each tenant; in TOML, ``origins`` is a table with a list for each tenant.
    :raises PolicyError: if the path or a setting cannot be used. Whether the file exists is checked
        when it is read.
    """

    def __init__(self, path: str | os.PathLike[str], **settings: Unpack[SourceSettings]) -> None:
        super().__init__(**settings)
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            message = f"{text_of(path)} is not a path. Write '/etc/shop/origins.txt', for example."
            raise PolicyError([Problem("source_path", "path", path, message)])
        self._file = WatchedFile(os.fspath(path), settle=_SETTLE)
        self._content: bytes | None = None
        self.name = f"FileOrigins {self._file.path}"

    def __repr__(self) -> str:
        return f"FileOrigins({self._file.path!r}, refresh={self.refresh!r})"

    def version(self) -> str:
        """A text that is different for each content of the file.

        :raises CorsGuardError: if the file cannot be used.
        """
        self._look()
        return self._file.version

    def load(self) -> tuple[str, list[Row]]:
        """The version and the rows.

        :raises CorsGuardError: if the file cannot be used.
        """
        content = self._look()
        try:
            rows = [*_read(self._file.path, content, by_tenant=self.by is not None)]
        except (ValueError, RecursionError) as error:
            raise StoreError(f"it cannot be read: {error}") from error
        return self._file.version, rows

    def _look(self) -> bytes:
        content = self._file.read() if self._content is None else self._file.look()
        if content is not None:
            self._content = content
        assert self._content is not None
        return self._content


def _read(path: str, content: bytes, *, by_tenant: bool) -> Iterable[Row]:
    """The rows.

    :raises ValueError: if the content is not the JSON or TOML that it should be.
    """
    if path.endswith(".toml"):
        table = read_toml(content.decode("utf-8-sig"))
        if [*table] != ["origins"]:
            raise ValueError(f"it has the keys {text_of([*table])}, but may have only origins")
        return _rows(table["origins"], by_tenant=by_tenant)
    text = content.decode("utf-8-sig", "backslashreplace")
    if path.endswith(".json") or text.lstrip().startswith("["):
        value = read_json(text)
        return _rows(value, by_tenant=by_tenant)
    return _lines(text, by_tenant=by_tenant)


def _lines(text: str, *, by_tenant: bool) -> Iterator[Row]:
    *lines, unfinished = (_COMMENT.sub("", line).strip() for line in text.split("\n"))
    for row in filter(None, lines):
        parts = row.split(None, 1) if by_tenant else ()
        yield (parts[0], parts[1]) if len(parts) == 2 else row
    if unfinished:
        yield BadRow(unfinished, _UNFINISHED)


def _rows(value: Any, *, by_tenant: bool) -> Iterable[Row]:
    entries: Any = value  # rows are checked later
    if isinstance(value, list):
        return _each(entries)
    if by_tenant and isinstance(value, dict):
        return [(tenant, origin) for tenant, rows in entries.items() for origin in _each(rows)]
    wanted = "a list of pairs, or a list for each tenant" if by_tenant else "a list of origins"
    raise ValueError(f"it has {text_of(entries)}, but must have {wanted}")


def _each(value: Any) -> list[Any]:
    entries: Any = value
    return entries if isinstance(value, list) else [value]
