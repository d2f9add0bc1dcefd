"""What the worker processes and the pages share: files in a temporary folder, and a key."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from flask_corsguard import Decision


class Shared(NamedTuple):
    """What the processes of one demo share.

    :ivar key: signs the sessions, of which either worker may get any request.
    :ivar decisions: see :class:`Decisions`.
    :ivar readers: see :class:`Readers`.
    """

    key: str
    decisions: Path
    readers: Path

    @classmethod
    def in_folder(cls, folder: str) -> Shared:
        """Have the files in *folder*, which nobody else can write to."""
        return cls(secrets.token_hex(), Path(folder, "decisions.db"), Path(folder, "readers.txt"))


class Decisions:
    """The latest decisions that the signals announced, by origin and case, for the pages to ask
    about. In a file, as the page that asks about a call may reach the other worker.

    :param file: where they are kept. Made if it is missing.
    :param most: how many are kept; whoever asks can make up any number of origins and cases.
    """

    def __init__(self, file: Path, most: int = 256) -> None:
        self._file = file
        self._most = most
        with self._database() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS decisions"
                " (origin TEXT, name TEXT, said TEXT, at REAL, PRIMARY KEY (origin, name))"
            )

    def add(self, case: str, decision: Decision) -> None:
        """Remember a decision."""
        said = {
            "worker": os.getpid(),
            "reason": decision.reason and decision.reason.name,
            "preflight": decision.preflight,
            "blocked": decision.blocked,
            "explanation": decision.explain(),
        }
        row = (decision.origin or "", case[:64], json.dumps(said), time.time())
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)", row)
            database.execute(
                "DELETE FROM decisions WHERE rowid NOT IN"
                " (SELECT rowid FROM decisions ORDER BY rowid DESC LIMIT ?)",
                (self._most,),
            )

    def of(self, origin: str | None) -> dict[str, dict[str, Any]]:
        """The decisions about *origin*, by case."""
        with self._database() as database:
            query = "SELECT name, said FROM decisions WHERE origin = ?"
            return {case: json.loads(said) for case, said in database.execute(query, (origin,))}

    def recent(self, cases: tuple[str, ...], seconds: float) -> list[dict[str, Any]]:
        """The decisions about these cases of the last *seconds*, with their origins."""
        with self._database() as database:
            query = "SELECT origin, name, said FROM decisions WHERE at > ?"
            found = database.execute(query, (time.time() - seconds,))
            return [
                {"origin": origin, "case": case, **json.loads(said)}
                for origin, case, said in found
                if case in cases
            ]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file)) as database, database:
            # Nothing here has to outlive the demo.
            database.execute("PRAGMA synchronous = OFF")
            yield database


class Readers:
    """The file that lists who may read ``GET /offers``: one page always, the other one at times.

    :param file: where it is.
    :param always: the origin of the one page.
    :param at_times: the origin of the other.
    """

    def __init__(self, file: Path, always: str, at_times: str) -> None:
        self._file = file
        self._always = always
        self._at_times = at_times
        self._lock = threading.Lock()
        self.write(both=False)

    def write(self, *, both: bool) -> None:
        """List the one page alone, or both."""
        origins = [self._always, *([self._at_times] if both else [])]
        new = self._file.with_suffix(".new")
        with self._lock:
            new.write_text("".join(f"{origin}\n" for origin in origins))
            # Whatever the umask is: FileOrigins reads no file that others could write to.
            new.chmod(0o600)
            # At once, so that nobody ever reads half of it.
            new.replace(self._file)

    def read(self) -> list[str]:
        """The origins that it lists."""
        return self._file.read_text().split()
