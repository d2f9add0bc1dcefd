"""Origins in a table of a database."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, Unpack

from flask_corsguard.errors import CorsGuardError, PolicyError, Problem
from flask_corsguard.sources.deadline import is_over
from flask_corsguard.sources.feed import SELDOM
from flask_corsguard.sources.source import Row, Source, SourceSettings
from flask_corsguard.sources.store_errors import Secrets, StoreError, require
from flask_corsguard.text import text_of

if TYPE_CHECKING:
    from sqlalchemy import URL, CursorResult, Executable

    from flask_corsguard.sources.sql_session import DatabaseFile, SQLSession

#: SQL in the database's dialect, or a statement of SQLAlchemy Core.
Statement: TypeAlias = "str | Executable"
_T = TypeVar("_T")

# How many rows are fetched at a time.
_PORTION = 1000


class SQLVersion(NamedTuple):
    """The first row of a version statement, and SQLite's file, whose rows may be others after the
    same changes."""

    row: tuple[Any, ...]
    file: DatabaseFile | None

    def __str__(self) -> str:
        return ", ".join(map(str, self.row))


class SQLOrigins(Source):
    """Origins that a SQL statement returns.

    Each refresh executes *version*; it executes *rows* if the version has changed, or every ten
    minutes. Without *version*, *rows* is executed at most every 30 seconds. Rows are fetched in
    portions. Each process has its own connection; nothing is written.

    Needs ``pip install "flask-corsguard[sql]"`` and a driver. With psycopg (version 3), the default
    for ``postgresql://`` if it is installed, no wait for the server outlasts *deadline*, except for
    the look-up of a host's name. SQLite interrupts a statement at the deadline. PyMySQL, pg8000 and
    mysqlclient limit each single wait, mysqlclient to whole seconds. psycopg2 cannot be interrupted
    while a server is silent: connecting times out after 2 seconds or more, and PostgreSQL itself
    ends a statement that takes too long. Connecting takes about ten round trips, within the same
    deadline.

    A statement given as a string is sent unchanged, including ``%`` and ``:``.

    :param url: a SQLAlchemy URL: ``postgresql://user:password@host/database``.
    :param rows: a statement that returns the origins, in one column.
    :param version: a statement that returns one row, which must change whenever the result of
        *rows* does, such as ``SELECT number FROM cors_version``.
    :param settings: ``refresh``, ``deadline``, ``stale_after``, ``at_start`` and ``by``, as for all
        sources. ``by`` takes the request and returns its tenant. With it, *rows* returns two
        columns, the tenant and the origin.
    :ivar version: a method that executes the *version* statement; None if there is none.
    :raises CorsGuardError: if SQLAlchemy or the driver is not installed.
    :raises PolicyError: if the URL, a statement or a setting cannot be used.
    """

    version: Callable[[], SQLVersion] | None
    # A version statement may miss a change, such as one that is committed late.
    reload_every = 600.0

    def __init__(
        self,
        url: str | URL,
        rows: Statement,
        version: Statement | None = None,
        **settings: Unpack[SourceSettings],
    ) -> None:
        require("sqlalchemy", "SQLOrigins", "sql")
        super().__init__(**settings)
        self._url = _read_url(url, self.deadline)
        given = self._url.render_as_string(hide_password=False)
        self._secrets = Secrets(given, [str(self._url.password or "")])
        self._rows_statement = _read_statement("rows", rows)
        self._version_statement: Statement = ""
        self.version = None
        if version is not None:
            self._version_statement = _read_statement("version", version)
            self.version = self._read_version
        self.name = f"SQLOrigins {self._url.get_backend_name()}://{_place(self._url)}"
        # One for each process. A parent's session is neither used nor closed, so it stays here.
        self._sessions: dict[int, SQLSession] = {}

    def __repr__(self) -> str:
        url = self._secrets.hidden(self._url.render_as_string(hide_password=False))
        statements = [repr(str(self._rows_statement))]
        if self.version is not None:
            statements.append(f"version={str(self._version_statement)!r}")
        refresh = self.refresh if self.version is not None else max(self.refresh, SELDOM)
        return f"SQLOrigins({url!r}, {', '.join(statements)}, refresh={refresh!r})"

    def load(self) -> tuple[SQLVersion | None, Iterator[Row]]:
        """Read everything.

        :returns: the version, and the rows, which are fetched in portions.
        :raises CorsGuardError: if the database cannot be read.
        """
        with self._secrets.kept():
            session, version, result = self._ask(self._begin_to_load)
        return version, self._fetch(session, result)

    def close(self) -> None:
        """Close this process's connection. The next use makes another one."""
        session = self._sessions.pop(os.getpid(), None)
        if session is not None:
            session.close()

    def _read_version(self) -> SQLVersion:
        with self._secrets.kept():
            return self._ask(self._ask_version)

    def _ask(self, query: Callable[[SQLSession], _T]) -> _T:
        """Run a query on a connection without another query, and return its result."""
        from sqlalchemy.exc import DBAPIError

        session = self._sessions.get(os.getpid())
        if session is not None and session.is_busy:
            self.close()
        elif session is not None and session.is_current:
            try:
                return self._run(session, query)
            except DBAPIError as error:
                # Servers and proxies end connections that have been idle for a long time.
                if not error.connection_invalidated or is_over():
                    raise
        return self._run(self._connected(), query)

    def _run(self, session: SQLSession, query: Callable[[SQLSession], _T]) -> _T:
        try:
            return query(session)
        except BaseException:
            self.close()
            raise

    def _connected(self) -> SQLSession:
        from flask_corsguard.sources.sql_session import SQLSession

        session = SQLSession(self._url, self.deadline)
        self.close()  # only now, so that no file since then has the inode of the one before
        self._sessions[os.getpid()] = session
        return session

    def _ask_version(self, session: SQLSession) -> SQLVersion:
        session.begin()
        row = session.execute(self._version_statement).first()
        session.end()
        if row is None:
            raise StoreError("the version statement returns no row")
        return SQLVersion(tuple(row), session.file)

    def _begin_to_load(
        self, session: SQLSession
    ) -> tuple[SQLSession, SQLVersion | None, CursorResult[Any]]:
        # The version first: a change after it then changes the next version.
        version = None if self.version is None else self._ask_version(session)
        session.begin()
        result = session.execute(self._rows_statement, _PORTION)
        columns = len(result.keys())
        if columns != (1 if self.by is None else 2):
            wanted = "one, the origin" if self.by is None else "two, the tenant and the origin"
            raise StoreError(f"the statement returns {columns} columns, but must return {wanted}")
        return session, version, result

    def _fetch(self, session: SQLSession, result: CursorResult[Any]) -> Iterator[Row]:
        try:
            while True:
                if self._sessions.get(os.getpid()) is not session:
                    raise StoreError(
                        "the connection belongs to another process, or is no longer in use"
                    )
                with self._secrets.kept():
                    rows = result.fetchmany(_PORTION)
                    if not rows:
                        session.end()
                        return
                if self.by is None:
                    yield from (row[0] for row in rows)
                else:
                    yield from map(tuple, rows)
        except BaseException:
            if self._sessions.get(os.getpid()) is session:
                self.close()
            raise


# Scheme of a URL that names no driver -> how to get one.
_TO_INSTALL = {
    "postgresql": 'Run: pip install "psycopg[binary]"',
    "mysql": "Run: pip install pymysql, and write mysql+pymysql://",
    "mariadb": "Run: pip install pymysql, and write mariadb+pymysql://",
}
_ANOTHER_DRIVER = "Install it, or name another one in the URL, such as postgresql+psycopg://."


def _place(url: URL) -> str:
    host = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    return f"{host}/{url.database or ''}"


def _read_url(url: str | URL, deadline: float) -> URL:
    from sqlalchemy.exc import NoSuchModuleError

    from flask_corsguard.sources import sql_session

    wrong = (
        "this is not a URL that SQLAlchemy accepts. Write it like"
        " postgresql://user:password@host/database, with / ? # @ : in the password as %2F %3F %23"
        " %40 %3A."
    )
    if re.search(r"^sqlite:|\.(db|sqlite3?)$", str(url)):
        wrong = (
            "this is not a URL that SQLAlchemy takes. Write it like sqlite:///shop.db, and an"
            " absolute path like sqlite:////srv/shop.db."
        )
    name = str(url).partition(":")[0]
    try:
        read = sql_session.read_url(url)
        if not read.get_dialect().is_async:
            sql_session.engine_of(read, deadline)
            return read
        wrong = f"{read.drivername} is asynchronous. Write postgresql+psycopg://, for example."
    except NoSuchModuleError:
        wrong = (
            f"SQLAlchemy knows no database or driver {text_of(name)}. Write postgresql://, for"
            " example."
        )
    except ImportError as error:
        raise CorsGuardError(
            f"SQLOrigins needs the database's driver: {error}."
            f" {_TO_INSTALL.get(name) or _ANOTHER_DRIVER}"
        ) from None
    except Exception:
        # SQLAlchemy's message contains the password.
        raise PolicyError([Problem("source_url", "url", "***", wrong)]) from None
    raise PolicyError([Problem("source_url", "url", "***", wrong)])


def _read_statement(name: str, statement: object) -> Statement:
    from sqlalchemy import Executable

    if isinstance(statement, str) and re.fullmatch(r"[\w.]+", statement):
        message = (
            f"{statement!r} is not SQL. If it is the table, write a statement that reads it, such"
            f" as {name}='SELECT ...'."
        )
        raise PolicyError([Problem("source_statement", name, statement, message)])
    if isinstance(statement, Executable) or (isinstance(statement, str) and statement.strip()):
        return statement
    message = (
        f"{text_of(statement)} is neither SQL nor an SQLAlchemy statement. Write {name}='SELECT"
        " ...'."
    )
    raise PolicyError([Problem("source_statement", name, statement, message)])
