"""Stores in processes that fork, or that gevent has patched."""

import pytest

from .asking import run_python
from .fault_proxy import FaultProxy
from .stores import Store

FORKING = """if True:
    import os, sys
    from flask_corsguard.sources.deadline import deadline

    {source}
    opened = {opened}[os.getpid()]
    rows = iter(source.load()[1])
    first = next(rows)
    child = os.fork()
    with deadline(5):
        expected = {expected}
    for _ in range({times}):
        with deadline(5):
            assert {call} == expected, {call}
    assert {opened}.get(os.getpid(), opened) is not (opened if not child else None)
    {after}
    if child:
        status = os.waitpid(child, 0)[1]
        assert status == 0, status
        print("both")
"""


def test_a_fork_with_redis(redis_store: Store) -> None:
    code = FORKING.format(
        source="""
    from flask_corsguard.sources import RedisOrigins
    source = RedisOrigins(sys.argv[1], key="forking")
    source.add("https://a.example")
    before, _ = source.load()
    source.add("https://b.example")
    now, _, _ = source.changes(before)""",
        times=1000,
        opened="source._connections",
        # What the one is told differs from what the other is told.
        expected="(now, ['https://b.example'] if child else [], [])",
        call="source.changes(before if child else now)",
        after="rest = [*rows]  # asked for in one portion",
    )
    assert run_python(code, redis_store.own_url) == "both\n"


def test_a_fork_with_sql(sql_store: Store) -> None:
    code = FORKING.format(
        source="""
    from flask_corsguard.sources import SQLOrigins
    from flask_corsguard.sources.store_errors import StoreError
    rows = "SELECT 'https://' || i || '.example' FROM generate_series(1, 3000) AS i"
    source = SQLOrigins(sys.argv[1], rows, "SELECT pg_backend_pid()")
    source.version()""",
        times=300,
        opened="source._sessions",
        expected="source.version()",
        call="source.version()",
        after="""
    # Reading that was begun is not gone on with: another question has taken its place in the
    # parent, and in the child the connection is the parent's.
    try:
        assert not [*rows]
    except StoreError:
        print("stopped", flush=True)
    else:
        raise AssertionError""",
    )
    assert run_python(code, sql_store.own_url) == "stopped\nstopped\nboth\n"


ENDING = """if True:
    import gc, os, sys
    from flask_corsguard.sources import SQLOrigins

    source = SQLOrigins(sys.argv[1], "SELECT 'x'", "SELECT pg_backend_pid()")
    connection = source.version()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print(source.version() == connection)
    else:
        del source  # with it goes what has been inherited
        gc.collect()
"""


def test_a_child_that_ends_does_not_end_its_parents_connection(sql_store: Store) -> None:
    assert run_python(ENDING, sql_store.own_url) == "True\n"


GEVENT = """if True:
    from gevent import monkey
    monkey.patch_all()
    import sys, gevent
    from flask_corsguard.sources import RedisOrigins, SQLOrigins
    from flask_corsguard.sources.deadline import deadline

    turns = []
    def others():
        while True:
            turns.append(1)
            gevent.sleep(0.01)
    gevent.spawn(others)

    def ask(url, seconds):
        source = {source}
        with deadline(seconds):
            try:
                return [*source.load()[1]]
            except Exception as error:
                return "deadline" in str(error)

    asked = [gevent.spawn(ask, sys.argv[1], 5), gevent.spawn(ask, sys.argv[2], 0.3)]
    print(*(one.get() for one in asked), len(turns) > 15)
"""


@pytest.mark.parametrize(
    ("store", "source", "rows"),
    [
        ("redis", "RedisOrigins(url, key='gevent')", "[]"),
        ("sql", "SQLOrigins(url, 'SELECT 1')", "[1]"),
    ],
)
def test_gevent(store: str, source: str, rows: str, request: pytest.FixtureRequest) -> None:
    server: Store = request.getfixturevalue(f"{store}_store")
    proxy: FaultProxy = request.getfixturevalue(f"{store}_proxy")
    proxy.fault = "hang"
    printed = run_python(GEVENT.format(source=source), server.own_url, server.at(proxy.port))
    assert printed == f"{rows} True True\n"
