"""Origins in a database."""

import contextlib
import itertools
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

from flask_corsguard import CorsGuardError, PolicyError
from flask_corsguard.sources import SQLOrigins
from flask_corsguard.sources.deadline import deadline
from flask_corsguard.sources.store_errors import StoreError
from tests.listening import ROOT

from .asking import run_python, whole, within_deadline
from .stores import QUOTED, Store

A, B = "https://a.example", "https://b.example"
ROWS = "SELECT origin FROM cors_origins ORDER BY origin"
VERSION = "SELECT count(*), max(changed) FROM cors_origins"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE cors_origins (tenant, origin, changed)")
        rows = [("shop", A, 1), ("blog", A, 1), ("shop", B, 2)]
        connection.executemany("INSERT INTO cors_origins VALUES (?, ?, ?)", rows)
        yield connection


@pytest.fixture
def url(database: sqlite3.Connection, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def administrator(sql_store: Store) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(sql_store.own_url, autocommit=True) as connection:
        yield connection


def test_rows_and_version(url: str, database: sqlite3.Connection) -> None:
    source = SQLOrigins(url, ROWS, VERSION)
    version, rows = whole(source)
    assert (str(version), rows) == ("3, 2", [A, A, B])
    assert source.version() == version
    database.execute("DELETE FROM cors_origins WHERE origin = ?", [B])
    assert source.version() != version
    assert str(whole(source)[0]) == "2, 1"
    source.close()


def test_without_a_version(url: str) -> None:
    source = SQLOrigins(url, ROWS)
    assert source.version is None
    assert repr(source).endswith("refresh=30.0)")  # asked seldom, whatever the setting
    assert whole(source) == (None, [A, A, B])
    assert repr(SQLOrigins(url, ROWS, refresh=60.0)).endswith("refresh=60.0)")
    source.close()


TABLE = sqlalchemy.table("cors_origins", sqlalchemy.column("tenant"), sqlalchemy.column("origin"))
AS_TENANTS = [("shop", A), ("blog", A), ("shop", B)]


@pytest.mark.parametrize(
    ("statement", "by", "expected"),
    [
        ("SELECT origin FROM cors_origins WHERE origin LIKE '%b.%'", None, [B]),
        ("SELECT origin FROM cors_origins WHERE ':a' <> '::b' AND '%s' <> '%%'", None, [A, A, B]),
        (r"SELECT '\:x'", None, [r"\:x"]),
        ("SELECT NULL UNION SELECT 3 UNION SELECT x'ff'", None, [None, 3, b"\xff"]),
        (sqlalchemy.select(TABLE.c.origin).where(TABLE.c.tenant == "shop"), None, [A, B]),
        (sqlalchemy.text("SELECT :a").bindparams(a=A), None, [A]),
        ("SELECT tenant, origin FROM cors_origins", "tenant", AS_TENANTS),
        (sqlalchemy.select(TABLE), "tenant", AS_TENANTS),
    ],
    ids=itertools.count(),
)
def test_statements(url: str, statement: Any, by: str | None, expected: list[Any]) -> None:
    source = SQLOrigins(url, statement, by=(lambda request: request.host) if by else None)
    assert whole(source)[1] == expected
    source.close()


@pytest.mark.parametrize(
    ("rows", "version", "by", "words"),
    [
        ("SELECT 1, 2", None, None, "returns 2 columns, but must return one, the origin"),
        (
            "SELECT 1",
            None,
            "by",
            "returns 1 columns, but must return two, the tenant and the origin",
        ),
        ("SELECT 1", "SELECT 1 WHERE 1 = 2", None, "the version statement returns no row"),
        ("SELECT 1 FROM nowhere", None, None, "no such table: nowhere"),
        ("INSERT INTO cors_origins VALUES (1, 2, 3)", None, None, "does not return rows"),
    ],
)
def test_statements_that_do_not_fit(
    url: str, database: sqlite3.Connection, rows: str, version: Any, by: Any, words: str
) -> None:
    source = SQLOrigins(url, rows, version, by=(lambda request: request.host) if by else None)
    for _ in range(2):
        with pytest.raises(StoreError, match=words):
            whole(source)
    assert database.execute("SELECT count(*) FROM cors_origins").fetchone() == (3,)


def test_sqlite_that_is_locked(url: str, database: sqlite3.Connection) -> None:
    source = SQLOrigins(url, ROWS, VERSION)
    assert len(whole(source)[1]) == 3
    database.execute("BEGIN EXCLUSIVE")
    for call in (source.version, source.load):
        assert "database is locked" in str(within_deadline(call))
    database.execute("ROLLBACK")
    assert len(whole(source)[1]) == 3
    source.close()


def _replace(path: Path) -> None:
    path.with_name("new.db").rename(path)


def _create_again(path: Path) -> None:
    path.unlink()
    path.with_name("new.db").rename(path)


def _link_to_another(path: Path) -> None:
    path.unlink()
    path.symlink_to("new.db")


@pytest.mark.parametrize("change", [_replace, _create_again, _link_to_another])
@pytest.mark.parametrize("version", [VERSION, None])
@pytest.mark.parametrize(
    "form", ["{}", "file:{}?mode=ro&uri=true", "file://{}?uri=true", "relative"]
)
def test_another_file_in_the_place_of_sqlite(
    tmp_path: Path,
    database: sqlite3.Connection,
    change: Callable[[Path], None],
    version: str | None,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as connection:
        database.backup(connection)
        # The same version, of another file.
        connection.execute("UPDATE cors_origins SET origin = ?", [B])
    monkeypatch.chdir(tmp_path)
    name = "shop.db" if form == "relative" else form.format(path)
    source = SQLOrigins(f"sqlite:///{name}", ROWS, version)
    before, rows = whole(source)
    assert rows == [A, A, B]
    change(path)
    if source.version is not None:
        assert source.version() != before
        assert str(source.version()) == str(before)
    after, rows = whole(source)
    assert (rows, str(after)) == ([B, B, B], str(before))
    assert whole(source) == (after, rows)
    source.close()


@pytest.mark.parametrize("form", ["{}", "file:{}"])
def test_a_missing_file_of_sqlite_is_not_created(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("50% a?#.db" if form == "{}" else "shop.db")
    query = {} if form == "{}" else {"uri": "true"}
    url = sqlalchemy.URL.create("sqlite", database=form.format(path), query=query)
    source = SQLOrigins(url, "SELECT 'https://a.example'", "SELECT 1")

    def assert_missing() -> None:
        for call in (source.version, source.load):
            with pytest.raises(StoreError) as caught:
                call()
            assert str(caught.value) == (
                f"there is no file '{path}'. Create it, or correct the path."
            )
        assert not [*tmp_path.iterdir()]

    assert_missing()
    path.touch()
    version, _ = whole(source)
    path.unlink()
    assert_missing()
    path.touch()
    assert source.version() != version
    source.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_sqlite_in_memory_has_no_file(url: str) -> None:
    source = SQLOrigins(url, "SELECT 'https://a.example'", "SELECT 1")
    assert whole(source)[1] == [A]
    assert source.version() == whole(source)[0]
    source.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def test_a_statement_without_end(url: str, sql_store: Store) -> None:
    for place, statement in ((url, ENDLESS), (sql_store.own_url, "SELECT pg_sleep(60)::text")):
        for source in (SQLOrigins(place, statement), SQLOrigins(place, "SELECT 1", statement)):
            error = within_deadline(source.load)
            assert "not done before the deadline" in str(error)
            source.close()


def test_postgresql_ends_what_nobody_waits_for(
    sql_store: Store, administrator: psycopg.Connection[Any]
) -> None:
    source = SQLOrigins(sql_store.own_url, "SELECT pg_sleep(60)::text /* forgotten */")
    assert isinstance(within_deadline(source.load), StoreError)
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%forgotten%%'"
        " AND state = %s AND pid <> pg_backend_pid()"
    )
    end = time.monotonic() + 5
    while _one(administrator, count, "active") > 0:
        assert time.monotonic() < end


def _one(connection: psycopg.Connection[Any], statement: Any, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


def test_rows_come_in_portions(sql_store: Store, administrator: psycopg.Connection[Any]) -> None:
    rows = "SELECT 'https://' || i || '.example' FROM generate_series(1, 1000000) AS i"
    pid = "SELECT pg_backend_pid()"
    state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
    source = SQLOrigins(sql_store.own_url, f"{rows} LIMIT 2500", pid)
    version, first = within_deadline(source.load, 5)
    assert [*itertools.islice(first, 1)] == ["https://1.example"]
    assert _one(administrator, state, version.row[0]) == "idle in transaction"
    assert len([*first]) == 2499
    assert _one(administrator, state, version.row[0]) == "idle"
    assert source.version() == version
    # One that is given up, of which the server has a million rows.
    source = SQLOrigins(sql_store.own_url, rows, pid)
    version, first = within_deadline(source.load, 5)
    with deadline(5):
        assert len([*itertools.islice(first, 5000)]) == 5000
    first.close()
    assert within_deadline(source.version, 5) != version
    source.close()


def test_a_transaction_that_is_forgotten_is_ended_by_postgresql(sql_store: Store) -> None:
    setting = "SELECT current_setting('{}_timeout')"
    statement, idle = (
        setting.format(name) for name in ("statement", "idle_in_transaction_session")
    )
    source = SQLOrigins(sql_store.own_url, f"{statement} UNION ALL {idle}", deadline=0.5)
    _, rows = within_deadline(source.load, 0.4)
    assert [*rows] == ["500ms", "1min"]
    source.close()


def test_a_connection_that_the_server_has_ended(
    sql_store: Store, administrator: psycopg.Connection[Any]
) -> None:
    source = SQLOrigins(sql_store.own_url, "SELECT 'x'", "SELECT pg_backend_pid()")
    version, _ = whole(source)
    administrator.execute("SELECT pg_terminate_backend(%s)", [version.row[0]])
    again = within_deadline(source.version, 5)
    assert again != version
    administrator.execute("SELECT pg_terminate_backend(%s)", [again.row[0]])
    assert whole(source)[1] == ["x"]
    source.close()


def test_a_table_that_somebody_has_locked(
    sql_store: Store, administrator: psycopg.Connection[Any]
) -> None:
    administrator.execute("CREATE TABLE locked (origin text)")
    source = SQLOrigins(sql_store.own_url, "SELECT origin FROM locked")
    assert whole(source)[1] == []
    with administrator.transaction():
        administrator.execute("LOCK TABLE locked")
        assert "deadline" in str(within_deadline(source.load))
    assert whole(source)[1] == []
    source.close()


PAGE = (ROOT / "docs/reference/sources.md").read_text("utf-8")
CHANGES = (
    f"INSERT INTO cors_origins VALUES ('{A}'), ('{B}')",
    f"UPDATE cors_origins SET origin = 'https://c.example' WHERE origin = '{A}'",
    f"DELETE FROM cors_origins WHERE origin = '{B}'",
)


@pytest.mark.parametrize("database", ["PostgreSQL", "SQLite"])
def test_the_tables_of_the_page(database: str, sql_store: Store, tmp_path: Path) -> None:
    schema = re.search(rf"\*\*{database}\*\*\n\n```sql\n(.*?)```", PAGE, re.DOTALL)
    assert schema
    url = f"sqlite:///file:{tmp_path}/shop.db?mode=ro&uri=true"
    with contextlib.ExitStack() as stack:
        if database == "SQLite":
            connection: Any = stack.enter_context(
                closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None))
            )
            connection.executescript(schema[1])
        else:
            url = sql_store.own_url
            connection = stack.enter_context(psycopg.connect(url, autocommit=True))
            connection.execute(schema[1])
            stack.callback(connection.execute, "DROP TABLE cors_origins, cors_version")
        source = SQLOrigins(
            url, "SELECT origin FROM cors_origins", version="SELECT number FROM cors_version"
        )
        version, rows = whole(source)
        assert (str(version), rows) == ("0", [])
        for change in CHANGES:
            connection.execute(change)
            assert within_deadline(source.version, 5) != version
            version, rows = whole(source)
        assert rows == ["https://c.example"]
        source.close()


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        (
            "",
            PolicyError,
            "url: this is not a URL that SQLAlchemy accepts. Write it like postgresql",
        ),
        (None, PolicyError, "url: this is not a URL that SQLAlchemy accepts."),
        ("postgresql://u:geheim@h:geheim/d", PolicyError, "url: this is not a URL"),
        ("postgres://u:geheim@h/d", PolicyError, "knows no database or driver 'postgres'. Write"),
        ("shop.db", PolicyError, "Write it like sqlite:///shop.db, and an absolute path like"),
        ("sqlite://shop.db", PolicyError, "Write it like sqlite:///shop.db, and an absolute path"),
        ("postgresql+asyncpg://u:geheim@h/d", PolicyError, "postgresql+asyncpg is asynchronous."),
        (
            "oracle+oracledb://u:geheim@h/d",
            CorsGuardError,
            "driver: No module named 'oracledb'. Install",
        ),
    ],
)
def test_what_is_no_url(url: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        SQLOrigins(url, "SELECT 1")
    assert words in str(caught.value)
    assert "geheim" not in repr(caught.value)


@pytest.mark.parametrize("statement", ["", " ", 3, None, b"SELECT 1"])
def test_what_is_no_statement(statement: Any) -> None:
    with pytest.raises(PolicyError, match="neither SQL nor an SQLAlchemy statement"):
        SQLOrigins("sqlite://", statement)


def test_a_table_is_no_statement() -> None:
    with pytest.raises(PolicyError) as caught:
        SQLOrigins("sqlite://", "partners")
    assert str(caught.value) == (
        "rows: 'partners' is not SQL. If it is the table, write a statement that reads it, such as"
        " rows='SELECT ...'. [source_statement]"
    )


def test_what_it_says_of_itself(sql_store: Store) -> None:
    source = SQLOrigins(sql_store.own_url, "SELECT 1", "SELECT 2")
    place = f"127.0.0.1:{sql_store.port}/postgres"
    assert source.name == f"SQLOrigins postgresql://{place}"
    assert repr(source) == (
        f"SQLOrigins('postgresql+psycopg://***@{place}', 'SELECT 1', version='SELECT 2',"
        " refresh=1.0)"
    )
    other = SQLOrigins(f"postgresql://h/d?user=x&password={QUOTED}", "SELECT 1")
    assert QUOTED not in repr(other)
    assert "s3cr" not in repr(other) + other.name


def test_without_sqlalchemy() -> None:
    code = """if True:
        import sys
        sys.modules["sqlalchemy"] = None
        from flask_corsguard import CorsGuardError
        from flask_corsguard.sources import SQLOrigins
        try:
            SQLOrigins("sqlite://", "SELECT 1")
        except CorsGuardError as error:
            print(error)
    """
    assert run_python(code) == (
        "SQLOrigins needs sqlalchemy, which is not installed. Run: pip install"
        ' "flask-corsguard[sql]"\n'
    )
