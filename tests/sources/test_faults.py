"""Stores that refuse, hang, break off, dawdle or send garbage."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_corsguard.sources import RedisOrigins, SQLOrigins
from flask_corsguard.sources.store_errors import StoreError

from .asking import within_deadline
from .fault_proxy import FAULTS, GARBAGE, Fault, FaultProxy
from .stores import PASSWORD, QUOTED, Store

ORIGINS = [f"https://{i}.example" for i in range(5000)]


@pytest.fixture
def redis(redis_store: Store, redis_proxy: FaultProxy) -> Iterator[tuple[Any, FaultProxy]]:
    RedisOrigins(redis_store.own_url, key="faults").add(*ORIGINS)
    source = RedisOrigins(redis_store.at(redis_proxy.port), key="faults")
    yield source, redis_proxy
    source.close()


@pytest.fixture
def sql(sql_store: Store, sql_proxy: FaultProxy) -> Iterator[tuple[Any, FaultProxy]]:
    rows = "SELECT 'https://' || i || '.example' FROM generate_series(0, 4999) AS i"
    source = SQLOrigins(sql_store.at(sql_proxy.port), rows, "SELECT count(*) FROM pg_database")
    yield source, sql_proxy
    source.close()


def _first(source: Any) -> object:
    _, rows = source.load()
    return next(iter(rows))


def _changes(source: Any) -> object:
    """Something short that needs an answer."""
    return source.version() if isinstance(source, SQLOrigins) else _first(source)


def _load(source: Any) -> list[str]:
    return [*source.load()[1]]


@pytest.mark.parametrize("moment", ["connecting", "connected", "reading"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("store", ["redis", "sql"])
def test_no_call_outlasts_the_deadline(
    store: str, fault: Fault, moment: str, request: pytest.FixtureRequest
) -> None:
    source, proxy = request.getfixturevalue(store)
    call: Callable[[Any], object] = _load
    rows: Iterator[str] = iter(())
    if moment != "connecting":
        assert within_deadline(lambda: _changes(source), 5) is not None
    if moment == "reading":
        rows = iter(within_deadline(source.load, 5)[1])
        call = lambda _: [*rows]  # noqa: E731
    proxy.fault = fault
    for number in range(2):
        error = within_deadline(lambda: call(source))
        if number == 0 or moment != "reading":
            _check_error(error)
    proxy.fault = "pass"
    assert sorted(within_deadline(lambda: _load(source), 5)) == sorted(ORIGINS)


def _check_error(error: object) -> None:
    assert isinstance(error, StoreError), error
    for secret in (PASSWORD, QUOTED, repr(PASSWORD)[1:-1], "s3cr"):
        assert secret not in str(error)
        assert secret not in repr(error)


@pytest.mark.parametrize("number", range(len(GARBAGE)))
@pytest.mark.parametrize("store", ["redis", "sql"])
def test_no_garbage_is_taken_for_rows(
    store: str, number: int, request: pytest.FixtureRequest
) -> None:
    source, proxy = request.getfixturevalue(store)
    proxy.garbage = itertools.repeat(GARBAGE[number])
    _load(source)
    proxy.fault = "garbage"
    for _ in range(2):
        _check_error(within_deadline(lambda: _load(source)))


@pytest.mark.parametrize("store", ["redis", "sql"])
def test_an_echo_of_what_is_sent_does_not_tell_the_password(
    store: str, request: pytest.FixtureRequest
) -> None:
    source, proxy = request.getfixturevalue(store)
    proxy.garbage = None
    proxy.fault = "garbage"
    for _ in range(2):
        _check_error(within_deadline(lambda: _load(source)))


@pytest.mark.parametrize("store", ["redis", "sql"])
def test_a_connection_that_was_idle_for_too_long_is_made_again_at_once(
    store: str, request: pytest.FixtureRequest
) -> None:
    source, proxy = request.getfixturevalue(store)
    for _ in range(3):
        assert isinstance(within_deadline(lambda: _first(source), 5), str)
        proxy.fault = "pass"  # which ends what is open


@pytest.mark.parametrize("store", ["redis", "sql"])
def test_one_connection_is_used(store: str, request: pytest.FixtureRequest) -> None:
    source, proxy = request.getfixturevalue(store)
    for _ in range(5):
        _load(source)
        _changes(source)
    assert proxy.accepted == 1
    source.close()
    _load(source)
    assert proxy.accepted == 2


@pytest.mark.parametrize("store", ["redis", "sql"])
def test_a_wrong_password(store: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{store}_store").own_url
    url = url.replace(QUOTED, "wr0ng%2F")
    source: Any = (
        RedisOrigins(url, key="faults") if store == "redis" else SQLOrigins(url, "SELECT 1")
    )
    error = within_deadline(source.load)
    assert re.search("authentication failed|username-password", str(error))
    assert "wr0ng" not in str(error)
