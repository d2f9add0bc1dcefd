"""Where sources read their rows, and what can happen there."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from flask_corsguard.sources import RedisOrigins
from tests.sources.fault_proxy import FaultProxy, fault_proxy
from tests.sources.stores import Store as RedisServer

from .agreed import listed


def replace(path: Path, text: str) -> None:
    """Put a file in the place of another."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


class Rows(Protocol):
    """The rows of one source."""

    def put(self, *origins: str) -> None:
        """Change all of them."""


class Store(Rows, Protocol):
    """What can break."""

    def fail(self) -> None:
        """Be gone."""

    def hang(self) -> None:
        """Let nothing through any longer."""

    def recover(self) -> None:
        """Be as before."""


class TextFile:
    """What FileOrigins reads. It is written in place, in two parts."""

    def __init__(self, directory: Path, source: str) -> None:
        self._path = directory / f"{source}.txt"
        self.put(listed(source))

    def put(self, *origins: str) -> None:
        text = "".join(f"{origin}\n" for origin in origins)
        with self._path.open("w") as file:
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                file.write(part)
                file.flush()


class JsonFile:
    """What a source of the app's own reads."""

    def __init__(self, directory: Path, source: str) -> None:
        self._path = directory / f"{source.replace('/', '-')}.json"
        self._rows: tuple[object, ...] = ()
        self.put(listed(source))

    def put(self, *rows: object) -> None:
        self._rows = rows
        self.recover()

    def fail(self) -> None:
        replace(self._path, json.dumps("fails"))

    def hang(self) -> None:
        replace(self._path, json.dumps("hangs"))

    def recover(self) -> None:
        replace(self._path, json.dumps(self._rows))


class RedisSet:
    """A set in Redis, which the app reaches through a proxy."""

    def __init__(self, directory: Path, source: str, url: str, proxy: FaultProxy) -> None:
        self._origins = RedisOrigins(url, key=f"{directory.name} {source}")
        self._proxy = proxy
        self._known: set[str] = set()
        self.put(listed(source))

    def put(self, *origins: str) -> None:
        self._origins.add(*set(origins) - self._known)
        self._origins.remove(*self._known - set(origins))
        self._known = set(origins)

    def fail(self) -> None:
        self._proxy.fault = "refuse"

    def hang(self) -> None:
        self._proxy.fault = "hang"

    def recover(self) -> None:
        self._proxy.fault = "pass"


@contextmanager
def rows_in(directory: Path, redis: RedisServer) -> Iterator[dict[str, Any]]:
    """The rows of each source of one deployment."""
    with ExitStack() as stack:
        found: dict[str, Any] = {
            "file": TextFile(directory, "file"),
            "changing": TextFile(directory, "changing"),
        }
        for source in ("own", "gone/own", "slow/own", "tenants"):
            found[source] = JsonFile(directory, source)
        urls = {}
        for source in ("redis", "gone/redis", "slow/redis"):
            proxy = stack.enter_context(fault_proxy(redis.port))
            urls[source] = redis.at(proxy.port)
            found[source] = RedisSet(directory, source, redis.own_url, proxy)
        (directory / "urls.json").write_text(json.dumps(urls))
        yield found
