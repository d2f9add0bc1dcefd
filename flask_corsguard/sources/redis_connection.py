"""A connection to Redis on which no wait outlasts the deadline."""

from __future__ import annotations

import socket
from typing import Any, TypeAlias, cast

import redis.connection
import redis.exceptions
from redis._parsers import _RESP2Parser  # pyright: ignore[reportPrivateUsage]
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from flask_corsguard.sources.deadline import seconds_left
from flask_corsguard.sources.store_errors import StoreError

Command: TypeAlias = tuple[str | int | bytes, ...]

# In bytes. A reply has about 1000 rows, but nothing else limits its size.
_LARGEST_REPLY = 16_000_000
# Options of pools and time-outs: here, only the deadline counts.
_NOT_OF_A_CONNECTION = ("max_connections", "timeout", "socket_timeout", "socket_connect_timeout")
_OPTIONS = {
    "decode_responses": False,
    "health_check_interval": 0,
    "protocol": 2,
    "retry_on_timeout": False,
    # With the parser of hiredis, 14 bytes that announce 2,000,000,000 replies take seconds.
    "parser_class": _RESP2Parser,
}


class _Socket:
    """A socket on which each wait ends at the deadline. redis-py's own time-outs start again with
    each byte."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._received = 0

    def sendall(self, data: bytes) -> None:
        self._received = 0
        self._inner.settimeout(seconds_left())
        self._inner.sendall(data)

    def recv(self, size: int) -> bytes:
        self._inner.settimeout(seconds_left())
        data = self._inner.recv(size)
        self._received += len(data)
        if self._received > _LARGEST_REPLY:
            raise OSError(f"the reply has more than {_LARGEST_REPLY:,} bytes")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _BoundedConnection:
    """Mixed into each of redis-py's connection classes."""

    @property
    def socket_timeout(self) -> float:
        return seconds_left()

    @socket_timeout.setter
    def socket_timeout(self, _value: float | None) -> None: ...

    socket_connect_timeout = socket_timeout

    def _connect(self) -> _Socket:
        return _Socket(cast("Any", super())._connect())


class RedisConnection:
    """A connection that is made on first use, and again after a failure.

    :param url: begins with ``redis://``, ``rediss://`` or ``unix://``.
    :ivar password: the password in the URL, or "".
    :raises Exception: if the URL is not valid, or has an option that redis-py does not know.
    """

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {**cast("Any", redis.connection).parse_url(url), **_OPTIONS}
        for name in _NOT_OF_A_CONNECTION:
            options.pop(name, None)
        kind: Any = options.pop("connection_class", Connection)
        if kind is SSLConnection and options.get("ssl_cert_reqs") != "none":
            options.setdefault("ssl_check_hostname", True)  # redis-py 5 does not check it
        # Without a password, the user name is probably meant to be one.
        self.password: str = options.get("password") or options.get("username") or ""
        self._inner: Any = _BOUNDED[kind](**options)
        # Otherwise, redis-py sends its name and version, which takes time. Each of its versions has
        # some of these attributes.
        self._inner.lib_name = self._inner.lib_version = self._inner.driver_info = None
        self._is_made = False

    def ask(self, *commands: Command, goes_on: bool = False) -> list[Any]:
        """The replies to commands that only read, or that are one script.

        :param goes_on: whether the connection of the previous commands is required.
        :raises Exception: if there are no replies before the deadline.
        """
        was_made = self._is_made
        if goes_on and not was_made:
            raise StoreError("the connection was lost")
        try:
            return self._replies(commands)
        except redis.exceptions.ConnectionError:
            if goes_on or not was_made:
                raise
        # Servers close connections that have been idle for some time.
        return self._replies(commands)

    def _replies(self, commands: tuple[Command, ...]) -> list[Any]:
        try:
            packed = self._inner.pack_commands(commands)
            self._inner.send_packed_command(packed, check_health=False)
            self._is_made = True
            return [self._inner.read_response() for _ in commands]
        except BaseException:
            # The remaining replies would be taken for those to later commands.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._is_made = False
        self._inner.disconnect()


_BOUNDED: dict[Any, Any] = {
    kind: type(f"Bounded{kind.__name__}", (_BoundedConnection, kind), {})
    for kind in (Connection, SSLConnection, UnixDomainSocketConnection)
}
