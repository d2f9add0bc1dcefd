from collections.abc import Iterator

import pytest

from .fault_proxy import FaultProxy, fault_proxy
from .stores import Store, postgresql, redis_server


@pytest.fixture(scope="session")
def redis_store() -> Iterator[Store]:
    with redis_server() as store:
        yield store


@pytest.fixture(scope="session")
def sql_store() -> Iterator[Store]:
    with postgresql() as store:
        yield store


@pytest.fixture
def redis_proxy(redis_store: Store) -> Iterator[FaultProxy]:
    with fault_proxy(redis_store.port) as proxy:
        yield proxy


@pytest.fixture
def sql_proxy(sql_store: Store) -> Iterator[FaultProxy]:
    with fault_proxy(sql_store.port) as proxy:
        yield proxy
