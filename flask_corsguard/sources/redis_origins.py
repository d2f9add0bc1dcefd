"""Origins in a Redis set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.sources.deadline import deadline
from flask_corsguard.sources.snapshot import Rows, Rules
from flask_corsguard.sources.source import Row, Source, SourceSettings
from flask_corsguard.sources.store_errors import Secrets, StoreError, require
from flask_corsguard.text import text_of

if TYPE_CHECKING:
    from flask_corsguard.sources.redis_connection import Command, RedisConnection

# How many rows are asked for, or written, at a time.
_PORTION = 1000
#: How many of the last changes are kept.
KEPT_CHANGES = 1000
#: In seconds: how long add() and remove() wait, for each portion.
WRITE_DEADLINE = 5.0

# A script is atomic. With keys of another type, it fails before it writes anything.
_WRITE = f"""
redis.call("INCRBY", KEYS[2], 0)
redis.call("ZCARD", KEYS[3])
local changed = 0
for i = 3, #ARGV do
  if redis.call(ARGV[1], KEYS[1], ARGV[i]) == 1 then
    local version = redis.call("INCR", KEYS[2])
    redis.call("ZADD", KEYS[3], version, string.format("%.0f", version) .. ARGV[2] .. ARGV[i])
    changed = changed + 1
  end
end
redis.call("ZREMRANGEBYRANK", KEYS[3], 0, {-KEPT_CHANGES - 1})
return changed
"""
_CHANGE = re.compile(r"([0-9]+)([+-])(.*)", re.DOTALL)
_NUMBER = re.compile(rb"[0-9]{1,18}")
# An origin that is wrong under every policy is wrong under this one.
_ANY_POLICY = Rules(
    allow_credentials=False,
    enforce="off",
    dangerously_allow_insecure_origins=True,
    dangerously_allow_public_suffixes=True,
)


class RedisVersion(NamedTuple):
    """What distinguishes two states of the set.

    :ivar number: how often :meth:`RedisOrigins.add` and :meth:`RedisOrigins.remove` have changed
        it; None if they never have.
    :ivar members: how many members it has.
    :ivar last: the last change in the log, which shows whether it is still the same log.
    """

    number: int | None
    members: int
    last: bytes

    def __str__(self) -> str:
        return "" if self.number is None else str(self.number)


class RedisOrigins(Source):
    """Origins that are the members of a Redis set.

    :meth:`add` and :meth:`remove` also write ``key:version``, which counts the changes, and
    ``key:log``, which has the last 1000 of them, so that usually only changes need to be read. Each
    refresh reads the version, the number of members and the missing changes, in one round trip. If
    they do not match, because another program has written the set, or because more has changed than
    the log holds, everything is read. Everything is also read once a minute, because replacing one
    member with another does not change their number.

    Needs ``pip install "flask-corsguard[redis]"``. No wait for the server outlasts *deadline*,
    except for the look-up of a host's name, which no time-out in Python ends. Connecting takes
    several round trips, within the same deadline.

    :param url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, or
        ``unix:///path/of/the.sock?db=0``. Its options are those of redis-py, except for time-outs.
    :param key: the name of the set.
    :param settings: ``refresh``, ``deadline``, ``stale_after``, ``at_start`` and ``by``, as for all
        sources. ``by`` takes the request and returns its tenant, a string without a space. With it,
        each member is the tenant, a space and the origin.
    :raises CorsGuardError: if redis-py is not installed.
    :raises PolicyError: if the URL, the key or a setting cannot be used.
    """

    reload_every = 60.0

    def __init__(self, url: str, *, key: str, **settings: Unpack[SourceSettings]) -> None:
        require("redis", "RedisOrigins", "redis")
        super().__init__(**settings)
        self._url = url
        self._check(url, key)
        self.key = key
        self.name = f"RedisOrigins {key}"
        # One for each process. A parent's connection is neither used nor closed, so it stays here.
        self._connections: dict[int, RedisConnection] = {}

    def _check(self, url: object, key: object) -> None:
        if not isinstance(key, str) or not key:
            message = f"{text_of(key)} is not the name of a key. Write key='cors:origins'."
            raise PolicyError([Problem("source_key", "key", key, message, "'cors:origins'")])
        try:
            password = self._connection().password
        except Exception:
            # redis-py's message can contain part of the password.
            message = (
                "this is not a URL that redis-py accepts. Write it like redis://host:6379/0 or"
                " rediss://user:password@host:6379/0, with / ? # @ : in the password as %2F %3F %23"
                " %40 %3A."
            )
            shown = "***" if isinstance(url, str) else url
            raise PolicyError([Problem("source_url", "url", shown, message)]) from None
        self._secrets = Secrets(cast("str", url), [password])

    def __repr__(self) -> str:
        url = self._secrets.hidden(self._url)
        return f"RedisOrigins({url!r}, key={self.key!r}, refresh={self.refresh!r})"

    def load(self) -> tuple[RedisVersion, Iterator[Row]]:
        """Read everything.

        :returns: the version, and the members, which are read in portions.
        :raises CorsGuardError: if Redis cannot be read.
        """
        with self._secrets.kept():
            version, _ = self._state(None)
        return version, self._rows()

    def _rows(self) -> Iterator[Row]:
        cursor = b"0"
        while True:
            with self._secrets.kept():
                # On the same connection: on another server, the order of members may differ.
                reply = self._ask(("SSCAN", self.key, cursor, "COUNT", _PORTION), goes_on=True)[0]
                cursor, members = cast("tuple[bytes, list[bytes]]", _checked(reply, list, 2))
                texts = [*map(_text, _checked(members, list))]
            yield from map(self._row, texts)
            if cursor == b"0":
                return

    def changes(self, since: RedisVersion) -> tuple[RedisVersion, list[Row], list[Row]] | None:
        """The changes since a version.

        :returns: the new version, and the members added and removed since; None if that is not
            known.
        :raises CorsGuardError: if Redis cannot be read.
        """
        first = since.number or 0
        with self._secrets.kept():
            now, log = self._state(first)
        if now == since:
            return now, [], []
        known = [since.last] if since.last else []
        if log[: len(known)] != known:
            return None
        number, count = first, since.members
        signs: dict[str, str] = {}  # of the last change of each member
        for number, entry in enumerate(log[len(known) :], first + 1):
            found = _CHANGE.fullmatch(_text(entry))
            if found is None or int(found[1]) != number:
                return None
            signs[found[3]] = found[2]
            count += 1 if found[2] == "+" else -1
        if (number, count) != (now.number or 0, now.members):
            return None
        added = [self._row(member) for member, sign in signs.items() if sign == "+"]
        removed = [self._row(member) for member, sign in signs.items() if sign == "-"]
        return now, added, removed

    def _state(self, first: int | None) -> tuple[RedisVersion, list[bytes]]:
        """The version, and the changes from number *first* on, both at one moment."""
        log = f"{self.key}:log"
        commands: list[Command] = [
            ("GET", f"{self.key}:version"),
            ("SCARD", self.key),
            ("ZRANGE", log, -1, -1),
        ]
        if first is not None:
            commands.append(("ZRANGEBYSCORE", log, first, "+inf", "LIMIT", 0, KEPT_CHANGES + 1))
        replies = self._ask(("MULTI",), *commands, ("EXEC",))
        found = _checked(replies[-1], list, len(commands))
        for reply in found:
            if isinstance(reply, Exception):
                raise reply
        number, members, last, *changes = found
        if number is not None:
            if not _NUMBER.fullmatch(_checked(number, bytes)):
                raise StoreError(
                    f"{self.key}:version is {text_of(_text(number))}, not a number. Delete it, and"
                    f" {log}; add() creates both again"
                )
            number = int(number)
        texts = [
            [_checked(entry, bytes) for entry in _checked(entries, list)]
            for entries in (last, *changes)
        ]
        version = RedisVersion(number, _checked(members, int), b"".join(texts[0]))
        return version, texts[-1]

    def _row(self, member: str) -> Row:
        tenant, space, origin = member.partition(" ")
        return (tenant, origin) if self.by is not None and space else member

    def _ask(self, *commands: Command, goes_on: bool = False) -> list[Any]:
        pid = os.getpid()
        connection = self._connections.get(pid)
        if connection is None:
            connection = self._connections[pid] = self._connection()
        return connection.ask(*commands, goes_on=goes_on)

    def _connection(self) -> RedisConnection:
        from flask_corsguard.sources.redis_connection import RedisConnection

        return RedisConnection(self._url)

    def add(self, *origins: str, tenant: str | None = None) -> int:
        """Add origins. Every process uses them after *refresh*.

        They are written in portions of 1000, each atomically.

        :param origins: the origins to add.
        :param tenant: the tenant that they are for; needed if the source has ``by``.
        :returns: how many were new.
        :raises PolicyError: for an origin that no policy could allow, or if the tenant is missing;
            then nothing is written.
        :raises CorsGuardError: if Redis does not finish within 5 seconds.
        """
        texts = [origin.strip() if isinstance(origin, str) else origin for origin in origins]
        rows = Rows(_ANY_POLICY, by_tenant=False)
        rows.add(texts)
        bad = rows.finished().bad
        if bad:
            raise PolicyError(
                Problem("source_row", "origins", row, f"{row}: {why}.") for row, why in bad.items()
            )
        is_tenant = isinstance(tenant, str) and tenant.split() == [tenant]
        if self.by is not None and not is_tenant:
            message = (
                f"{text_of(tenant)} is not a tenant: a tenant is a string without white space."
            )
            raise PolicyError([Problem("source_tenant", "tenant", tenant, message)])
        return self._write("SADD", "+", texts, tenant)

    def remove(self, *origins: str, tenant: str | None = None) -> int:
        """Remove origins, or any other members.

        :param origins: the members to remove.
        :param tenant: the tenant that they are for, if the source has ``by``.
        :returns: how many of them were in the set.
        :raises CorsGuardError: if Redis does not finish within 5 seconds.
        """
        return self._write("SREM", "-", origins, tenant)

    def _write(self, command: str, sign: str, origins: Sequence[str], tenant: str | None) -> int:
        if self.by is None and tenant is not None:
            message = (
                f"{self.name} has no tenants. Write RedisOrigins(..., by=...), or leave tenant out."
            )
            raise PolicyError([Problem("source_tenant", "tenant", tenant, message)])
        members = [origin if tenant is None else f"{tenant} {origin}" for origin in origins]
        changed = 0
        keys = (self.key, f"{self.key}:version", f"{self.key}:log")
        connection = self._connection()
        try:
            for start in range(0, len(members), _PORTION):
                portion = members[start : start + _PORTION]
                script: Command = ("EVAL", _WRITE, 3, *keys, command, sign, *portion)
                with deadline(WRITE_DEADLINE), self._secrets.kept():
                    changed += _checked(connection.ask(script, goes_on=start > 0)[0], int)
        finally:
            connection.close()
        return changed

    def close(self) -> None:
        """Close this process's connection. The next use makes another one."""
        connection = self._connections.pop(os.getpid(), None)
        if connection is not None:
            connection.close()


def _text(member: bytes) -> str:
    """A member as text. Bytes that are not text become text that is not an origin."""
    return member.decode("utf-8", "backslashreplace")


def _checked(reply: Any, kind: type[Any], length: int | None = None) -> Any:
    """A reply, if it has the expected type and length."""
    if not isinstance(reply, kind) or (length is not None and len(reply) != length):
        raise StoreError(f"Redis replied with something unexpected: a {type(reply).__name__}")
    return reply
