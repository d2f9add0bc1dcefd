"""A connection to a database through SQLAlchemy."""

from __future__ import annotations

import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy
from sqlalchemy import URL, CursorResult, Engine, Executable, event, make_url
from sqlalchemy.pool import NullPool

from flask_corsguard.sources.deadline import is_over, seconds_left
from flask_corsguard.sources.store_errors import StoreError

# In seconds: after such a pause, PostgreSQL ends a transaction, so that a read that no request
# continues blocks nothing.
_LONGEST_PAUSE = 60
# Dialect -> the first statement of a transaction. It sets the deadline, in milliseconds, in the
# database too: PostgreSQL does not notice that nobody is waiting any longer. It applies to this
# transaction only, because a proxy may give the connection to another client afterwards.
_LIMITS = {
    "postgresql": (
        "SELECT set_config('statement_timeout', '{longest}', true),"
        " set_config('idle_in_transaction_session_timeout', '{pause}', true)"
    ),
    "sqlite": "PRAGMA busy_timeout = {left}",
}
# The drivers for postgresql://, if they are installed, best first.
_POSTGRESQL = ("psycopg", "psycopg2", "pg8000")


def read_url(given: str | URL) -> URL:
    """A URL, with the driver.

    :raises Exception: if the URL is not valid, or no driver for it is installed.
    """
    url = make_url(given)
    if url.drivername == "postgresql":
        driver = next(filter(find_spec, _POSTGRESQL), None)
        url = url.set(drivername=f"postgresql+{driver}") if driver else url
    return url


def engine_of(url: URL, deadline: float) -> Engine:
    """An engine for a database, without a pool.

    :param deadline: the driver's time-out, in seconds, if the driver cannot end a wait at the
        deadline of each request.
    :raises Exception: if the driver is not installed.
    """
    options = _time_outs(url.get_driver_name(), deadline)
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=options)
    if engine.driver == "psycopg":
        from flask_corsguard.sources.psycopg_connection import BoundedConnection

        @event.listens_for(engine, "do_connect")
        def _connect(
            _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
        ) -> object:
            return BoundedConnection.connect(*arguments, **options)

    if engine.driver == "pysqlite":
        event.listen(engine, "do_connect", _open_existing)
        event.listen(engine, "connect", _interrupt_at_deadline)
    return engine


def _time_outs(driver: str, deadline: float) -> dict[str, Any]:
    """Arguments for a driver's ``connect()``."""
    whole = math.ceil(deadline)
    three: tuple[str, ...] = ("connect_timeout", "read_timeout", "write_timeout")
    time_outs: dict[str, dict[str, Any]] = {
        # Proxies between here and the server lose prepared statements.
        "psycopg": {"prepare_threshold": None},
        "psycopg2": {"connect_timeout": max(2, whole), "tcp_user_timeout": int(deadline * 1000)},
        "pg8000": {"timeout": deadline},
        "pymysql": dict.fromkeys(three, deadline),
        "mysqldb": dict.fromkeys(three, whole),
        "mariadbconnector": dict.fromkeys(three, whole),
        "mysqlconnector": {"connection_timeout": whole},
        # Portions are fetched in several requests, and so in several threads.
        "pysqlite": {"check_same_thread": False},
    }
    return time_outs.get(driver, {})


def _open_existing(
    _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
) -> None:
    """Have SQLite not create a file that is missing."""
    if not options.get("uri") and arguments[0] != ":memory:":
        arguments[0] = f"{Path(arguments[0]).as_uri()}?mode=rw"
        options["uri"] = True


def _interrupt_at_deadline(connection: Any, _record: object) -> None:
    # How many of SQLite's instructions run between two checks.
    connection.set_progress_handler(is_over, 10_000)


class DatabaseFile(NamedTuple):
    """What distinguishes a file from another one in its place, while it is open."""

    device: int
    inode: int


def _database_path(engine: Engine) -> str | None:
    """The path of SQLite's file; None for a database in memory, or another database."""
    if engine.driver not in ("pysqlite", "pysqlcipher"):
        return None
    arguments, options = engine.dialect.create_connect_args(engine.url)
    name = str(arguments[0])
    if options.get("uri") and name.startswith("file:"):  # https://www.sqlite.org/uri.html
        uri = urlsplit(name)
        query = parse_qs(uri.query)
        is_file = query.get("mode") != ["memory"] and "vfs" not in query
        name = unquote(uri.path) if is_file else ""
    return os.path.abspath(name) if name not in ("", ":memory:") else None


def _database_file(path: str | None) -> DatabaseFile | None:
    if path is None:
        return None
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise StoreError(f"there is no file {path!r}. Create it, or correct the path.") from None
    return DatabaseFile(found.st_dev, found.st_ino)


class SQLSession:
    """A connection of one process.

    :param deadline: for how many seconds, at least, a statement may run.
    :ivar is_busy: whether a transaction has started and may not have ended.
    :ivar file: SQLite's file, which the connection keeps, whatever takes its place.
    :raises StoreError: if there is no such file.
    """

    def __init__(self, url: URL, deadline: float) -> None:
        engine = engine_of(url, deadline)
        self._path = _database_path(engine)
        # Before it is opened: if another one takes its place meanwhile, that is noticed.
        self.file = _database_file(self._path)
        self._deadline = deadline
        self._connection = engine.connect()
        self._driver: Any = self._connection.connection.driver_connection
        # So that no pool resets it when this object is deleted, in a child process say.
        self._connection.detach()
        self._doubles_percent = engine.driver == "pg8000"
        self._limits = _LIMITS.get(engine.dialect.name, "")
        self.is_busy = False

    @property
    def is_current(self) -> bool:
        """Whether SQLite's file is still in its place.

        :raises StoreError: if there is none.
        """
        return _database_file(self._path) == self.file

    def begin(self) -> None:
        """Start a read-only transaction."""
        self.is_busy = True
        self._connection.begin()
        if self._limits:
            left = seconds_left()
            limits = self._limits.format(
                left=math.ceil(left * 1000),
                longest=math.ceil(max(self._deadline, left) * 1000),
                pause=_LONGEST_PAUSE * 1000,
            )
            self._connection.exec_driver_sql(limits).close()

    def execute(self, statement: str | Executable, portion: int | None = None) -> CursorResult[Any]:
        """Execute a statement.

        :param portion: how many rows are fetched at a time; None for all.
        """
        options: dict[str, Any] = {"yield_per": portion} if portion else {}
        if not isinstance(statement, str):
            return self._connection.execute(statement, execution_options=options)
        options["no_parameters"] = True
        if self._doubles_percent:
            statement = statement.replace("%", "%%")
        return self._connection.exec_driver_sql(statement, execution_options=options)

    def end(self) -> None:
        """End the transaction."""
        self._connection.rollback()
        self.is_busy = False

    def close(self) -> None:
        """Close the connection, whatever its state."""
        self._driver.close()
