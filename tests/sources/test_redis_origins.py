"""Origins in Redis."""

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from flask_corsguard import PolicyError
from flask_corsguard.sources import RedisOrigins
from flask_corsguard.sources.redis_connection import RedisConnection
from flask_corsguard.sources.store_errors import StoreError
from tests.listening import free_port

from .asking import DEADLINE, run_python, whole, within_deadline
from .fault_proxy import Fault, fault_proxy
from .stores import QUOTED, Store, redis_server

A, B, C = (f"https://{name}.example" for name in "abc")
KEYS = itertools.count()


@pytest.fixture
def key() -> str:
    return f"cors:{next(KEYS)}"


@pytest.fixture
def source(redis_store: Store, key: str) -> Iterator[RedisOrigins]:
    source = RedisOrigins(redis_store.own_url, key=key)
    yield source
    source.close()


class Client:
    """What another program does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._connection = RedisConnection(store.own_url)

    def __call__(self, *command: str | int | bytes) -> Any:
        return self._connection.ask(command)[0]


@pytest.fixture
def by_hand(redis_store: Store) -> Client:
    return Client(redis_store)


def test_a_change_is_read_as_one(source: RedisOrigins) -> None:
    assert source.add(A, B) == 2
    version, rows = whole(source)
    assert (str(version), sorted(rows)) == ("2", [A, B])
    assert source.changes(version) == (version, [], [])
    assert (source.add(A, f" {C} "), source.remove(B, B, "nothing")) == (1, 1)
    after, added, removed = source.changes(version) or ()
    assert (str(after), added, removed) == ("4", [C], [B])
    assert source.changes(after) == (after, [], [])
    # What has been added and removed again is in the end what counts.
    source.remove(C)
    source.add(C)
    source.add(B)
    source.remove(B)
    last, added, removed = source.changes(after) or ()
    assert (str(last), added, removed) == ("8", [C], [B])


def test_nothing_is_there_yet(source: RedisOrigins) -> None:
    version, rows = whole(source)
    assert (str(version), rows) == ("", [])
    assert source.changes(version) == (version, [], [])
    source.add(A)
    _, added, removed = source.changes(version) or ()
    assert (added, removed) == ([A], [])


def test_a_plain_set(source: RedisOrigins, by_hand: Client, key: str) -> None:
    by_hand("SADD", key, A, B)
    version, rows = whole(source)
    assert (str(version), sorted(rows)) == ("", [A, B])
    assert source.changes(version) == (version, [], [])
    by_hand("SADD", key, C)
    assert source.changes(version) is None
    # It begins to be counted.
    version, _ = whole(source)
    source.remove(C)
    after, added, removed = source.changes(version) or ()
    assert (str(after), added, removed) == ("1", [], [C])


@pytest.mark.parametrize(
    "commands",
    [
        [("SREM", "{key}", A)],
        [("SADD", "{key}", C)],
        [("DEL", "{key}")],
        [("DEL", "{key}:version")],
        [("DEL", "{key}", "{key}:version", "{key}:log")],
        [("SET", "{key}:version", "1")],
        [("SET", "{key}:version", "7")],
        [("DEL", "{key}:log")],
        [("ZADD", "{key}:log", 3, "3+https://c.example")],
        [("ZADD", "{key}:log", 3, "something"), ("INCR", "{key}:version")],
        [("ZADD", "{key}:log", 3, b"\xff"), ("INCR", "{key}:version")],
        [("RENAME", "{key}:log", "{key}:old")],
    ],
    ids=lambda commands: " ".join(str(part) for part in commands[0]),
)
def test_what_does_not_fit_together_is_read_again(
    source: RedisOrigins, by_hand: Client, key: str, commands: list[tuple[Any, ...]]
) -> None:
    source.add(A, B)
    version, _ = whole(source)
    for command in commands:
        by_hand(*(part.format(key=key) if isinstance(part, str) else part for part in command))
    assert source.changes(version) is None
    again, _ = whole(source)
    assert source.changes(again) == (again, [], [])


def test_what_was_emptied_and_filled_again_is_not_taken_for_the_old_one(
    source: RedisOrigins, by_hand: Client, key: str
) -> None:
    source.add(A, B)
    version, _ = whole(source)
    by_hand("DEL", key, f"{key}:version", f"{key}:log")
    source.add(C, "https://d.example", "https://e.example")
    # Version and number of members are what one change would have left.
    assert source.changes(version) is None


def test_a_log_that_has_been_cut_short(source: RedisOrigins, by_hand: Client, key: str) -> None:
    source.add(A)
    version, _ = whole(source)
    source.add(*(f"https://{i}.example" for i in range(999)))
    _, added, _ = source.changes(version) or ()
    assert len(added) == 999
    assert by_hand("ZCARD", f"{key}:log") == 1000
    source.add(B)
    assert by_hand("ZCARD", f"{key}:log") == 1000
    assert source.changes(version) is None


@pytest.mark.parametrize("name", ["{key}", "{key}:version", "{key}:log"])
def test_a_key_of_another_type(source: RedisOrigins, by_hand: Client, key: str, name: str) -> None:
    source.add(A)
    version, _ = whole(source)
    by_hand("DEL", name.format(key=key))
    by_hand("HSET", name.format(key=key), "a", "b")
    for call in (source.load, lambda: source.changes(version), lambda: source.add(B)):
        assert "WRONGTYPE" in str(within_deadline(call))
    if name != "{key}":
        assert by_hand("SMEMBERS", key) == [A.encode()]  # nothing was written


def test_what_is_left_of_a_reply_is_not_taken_for_the_next_one(
    source: RedisOrigins, by_hand: Client, key: str
) -> None:
    source.add(A)
    by_hand("ACL", "SETUSER", "limited", "on", ">x", "~*", "+@all", "-scard")
    source = RedisOrigins(by_hand.store.at(by_hand.store.port, "limited:x"), key=key)
    for _ in range(3):
        assert "has no permissions to run the 'scard' command" in str(within_deadline(source.load))
    by_hand("ACL", "SETUSER", "limited", "+scard")
    assert whole(source)[1] == [A]
    source.close()


def test_a_version_that_is_no_number(source: RedisOrigins, by_hand: Client, key: str) -> None:
    by_hand("SET", f"{key}:version", "many")
    assert "is 'many', not a number" in str(within_deadline(source.load))


def test_members_that_are_no_text(source: RedisOrigins, by_hand: Client, key: str) -> None:
    by_hand("SADD", key, A, b"https://\xff.example", b"", b"x" * 100_000)
    _, rows = whole(source)
    assert sorted(map(len, rows)) == [0, len(A), 20, 100_000]
    assert r"https://\xff.example" in rows


def test_a_reply_that_is_too_large(source: RedisOrigins, by_hand: Client, key: str) -> None:
    by_hand("SADD", key, b"x" * 17_000_000)
    with pytest.raises(StoreError, match="more than 16,000,000 bytes"):
        whole(source)


def test_tenants(redis_store: Store, key: str, by_hand: Client) -> None:
    source = RedisOrigins(redis_store.own_url, key=key, by=lambda request: request.host)
    assert source.add(A, B, tenant="shop.example") == 2
    assert source.add(A, tenant="blog.example") == 1
    by_hand("SADD", key, "https://nobody.example")
    version, rows = whole(source)
    shop, blog = "shop.example", "blog.example"
    assert sorted(map(str, rows)) == sorted(
        map(str, [(shop, A), (shop, B), (blog, A), "https://nobody.example"])
    )
    source.remove(A, tenant=shop)
    source.remove("https://nobody.example")  # as it stands
    _, added, removed = source.changes(version) or ()
    assert (added, removed) == ([], [(shop, A), "https://nobody.example"])
    source.close()


@pytest.mark.parametrize("tenant", [None, "", "a b", "a\n", 3])
def test_what_is_no_tenant(redis_store: Store, tenant: Any) -> None:
    source = RedisOrigins(redis_store.own_url, key="none", by=lambda request: request.host)
    with pytest.raises(PolicyError, match="without white space"):
        source.add(A, tenant=tenant)


def test_a_tenant_without_by(source: RedisOrigins) -> None:
    with pytest.raises(PolicyError, match=r"Write RedisOrigins\(\.\.\., by="):
        source.add(A, tenant="shop")


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("*", "a source cannot allow everybody"),
        ("null", "a source cannot allow 'null'"),
        ("", "it is empty"),
        (f"{A}/", f"Write '{A}'"),
        ("a.example", "an origin starts with its scheme"),
        (f"{A},{B}", "are not split at commas"),
        ("https://*.co.uk", None),
        ("http://c.example", None),
        (None, "a row must be a string"),
    ],
)
def test_what_can_never_be_let_in_is_not_written(
    source: RedisOrigins, origin: Any, words: str | None
) -> None:
    if words is None:  # some policy lets it in
        assert source.add(A, origin) == 2
        return
    with pytest.raises(PolicyError) as caught:
        source.add(A, origin)
    assert words in str(caught.value)
    assert whole(source)[1] == []


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "http://a", "redis://:pa/ss@h:1/0", "redis://h:x/0", "redis://h/?pass=s"],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(PolicyError) as caught:
        RedisOrigins(url, key="key")
    assert ("url: this is not a URL that redis-py accepts. Write it like redis://") in str(
        caught.value
    )
    assert "pa/ss" not in repr(caught.value)


@pytest.mark.parametrize("key", ["", None, 3])
def test_what_is_no_key(key: Any) -> None:
    with pytest.raises(PolicyError, match="is not the name of a key"):
        RedisOrigins("redis://localhost", key=key)


def test_what_it_says_of_itself(source: RedisOrigins, redis_store: Store, key: str) -> None:
    shown = f"RedisOrigins('redis://***@127.0.0.1:{redis_store.port}/0', key='{key}', refresh=1.0)"
    assert (repr(source), source.name) == (shown, f"RedisOrigins {key}")
    secret = RedisOrigins("rediss://h/1?password=geheim&ssl_cert_reqs=none", key="k")
    assert "geheim" not in repr(secret)
    assert "geheim" not in repr(RedisOrigins("redis://geheim@h", key="k"))


def test_without_redis_py() -> None:
    code = """if True:
        import sys
        sys.modules["redis"] = None
        from flask_corsguard import CorsGuardError
        from flask_corsguard.sources import RedisOrigins
        try:
            RedisOrigins("redis://localhost", key="cors:origins")
        except CorsGuardError as error:
            print(error)
    """
    assert run_python(code) == (
        "RedisOrigins needs redis, which is not installed. Run: pip install"
        ' "flask-corsguard[redis]"\n'
    )


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = """if True:
        import sys
        import flask_corsguard.sources
        from flask_corsguard.sources import RedisOrigins, SQLOrigins
        print({"redis", "sqlalchemy", "psycopg"} & set(sys.modules))
    """
    assert run_python(code) == "set()\n"


def test_a_socket_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with redis_server("--unixsocket", str(path)):
        source = RedisOrigins(f"unix://:{QUOTED}@{path}?db=3", key="cors")
        source.add(A)
        assert whole(source)[1] == [A]
        source.close()


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    for name, blob in (
        ("ca.pem", authority.cert_pem),
        ("key.pem", certificate.private_key_pem),
        ("cert.pem", certificate.cert_chain_pems[0]),
    ):
        blob.write_to_path(str(tmp_path / name))
    port = free_port()
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    for name, file in (("ca-cert", "ca"), ("key", "key"), ("cert", "cert")):
        options += [f"--tls-{name}-file", str(tmp_path / f"{file}.pem")]
    with redis_server(*options), fault_proxy(port) as proxy:
        url = f"rediss://:{QUOTED}@127.0.0.1:{proxy.port}/0"
        source = RedisOrigins(f"{url}?ssl_ca_certs={tmp_path}/ca.pem", key="cors")
        source.add(A)
        assert whole(source)[1] == [A]
        faults: list[Fault] = ["hang", "trickle"]
        for proxy.fault in faults:  # on which there is a connection, and then none
            for _ in range(2):
                assert isinstance(within_deadline(lambda: whole(source, DEADLINE)), StoreError)
        proxy.fault = "pass"
        assert whole(source)[1] == [A]
        source.close()
        stranger = RedisOrigins(url, key="cors")
        assert "certificate verify failed" in str(within_deadline(stranger.load))


def test_changes_from_all_sides_at_once(redis_store: Store, key: str, by_hand: Client) -> None:
    """Eight threads add and remove; one follows. Nothing is lost."""
    errors: list[BaseException] = []

    def change(number: int) -> None:
        try:
            source = RedisOrigins(redis_store.own_url, key=key)
            for i in range(60):
                source.add(f"https://{number}-{i}.example", f"https://shared-{i % 7}.example")
                source.remove(
                    f"https://{number}-{i - 3}.example", f"https://shared-{i % 5}.example"
                )
        except BaseException as error:
            errors.append(error)

    reader = RedisOrigins(redis_store.own_url, key=key)
    version, rows = whole(reader)
    known = set(rows)
    threads = [threading.Thread(target=change, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    is_last = False
    while not is_last:
        is_last = not any(thread.is_alive() for thread in threads)
        found = reader.changes(version)
        if found is None:  # more than the log has
            version, rows = whole(reader)
            known = set(rows)
        else:
            version, added, removed = found
            known = known - set(removed) | set(added)
    assert errors == []
    assert known == {member.decode() for member in by_hand("SMEMBERS", key)}
    assert len(known) >= 8 * 3
    reader.close()


def test_reading_goes_on_while_changes_are_made(source: RedisOrigins) -> None:
    source.add(*(f"https://{i}.example" for i in range(5000)))
    version, rows = source.load()
    rows = iter(rows)
    known = {next(rows) for _ in range(1500)}
    source.remove(*(f"https://{i}.example" for i in range(400)))
    source.add(*(f"https://new-{i}.example" for i in range(400)))
    known |= set(rows)
    _, added, removed = source.changes(version) or ()
    known = known - set(removed) | set(added)
    assert known == set(whole(source)[1])


@pytest.mark.slow
def test_a_million(redis_store: Store, by_hand: Client, key: str) -> None:
    fill = """for i = 0, 999 do
      local members = {}
      for j = 1, 1000 do members[j] = 'https://h' .. i * 1000 + j .. '.example' end
      redis.call('SADD', KEYS[1], unpack(members))
    end"""
    by_hand("EVAL", fill, 1, key)
    source = RedisOrigins(redis_store.own_url, key=key)
    version, rows = within_deadline(source.load)
    for _ in range(3):  # portions, each a wait of its own
        assert len(within_deadline(lambda: [*itertools.islice(rows, 1000)])) == 1000
    source.add("https://new.example")
    started = time.perf_counter()
    after, added, removed = within_deadline(lambda: source.changes(version))
    assert time.perf_counter() - started < 0.05
    assert (added, removed) == (["https://new.example"], [])
    by_hand("SREM", key, "https://h7.example")
    assert within_deadline(lambda: source.changes(after)) is None
    source.close()
