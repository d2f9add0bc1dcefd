"""All workers of a real server let the same origins in, while lists, settings and stores change.

Most of that is waiting, so all of it goes on at once: origins are added and revoked, the settings
have a mistake, stores are gone and slow, two tenants share a URL, and strangers ask everywhere.
"""

import itertools
import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.sources.stores import PASSWORD, QUOTED, redis_server
from tests.strength.threads import run_together

from .agreed import OFTEN, REFRESH, SLOW_DEADLINE, STALE_AFTER, STATIC, listed
from .deployments import DEPLOYMENTS, Deployment
from .rows import replace, rows_in

pytestmark = pytest.mark.slow

# How many strangers ask each deployment, within how many seconds at least.
STRANGERS = int(os.environ.get("STRANGERS", "400"))
SECONDS = 5
CLIENTS = 4

# In seconds, like all that follow.
SETTINGS_FOLLOWED_AFTER = 2.0
# What a request may take that waits for nothing, on a busy machine.
NO_WAIT = 0.5
BETWEEN_REQUESTS = 0.05
# Until a file counts as written.
UNCHANGED_FOR = 0.6

EVIL = "https://evil.example"
# By the host that their pages ask.
TENANTS = {"a.example": "https://pages-of-a.example", "b.example": "https://pages-of-b.example"}
# In a file of which there is only half now and then.
LONG, HALF = "https://shop.example.com", "https://shop.example"


def allowed(deployment: Deployment, path: str, origin: str) -> set[bool]:
    """Whether the workers let an origin in: both, if they are not of one mind."""
    return {response.allowed for response in deployment.ask_each(path, origin)}


def allowed_at_once(deployment: Deployment, path: str, origin: str) -> set[bool]:
    """The same, for eight requests that come at once."""
    found: set[bool] = set()
    run_together([lambda: found.add(deployment.ask(path, origin).allowed)] * 8)
    return found


def repeat(seconds: float) -> Iterator[float]:
    """Come back until the time is over, with a pause each time."""
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + seconds:
        yield now - begun
        time.sleep(BETWEEN_REQUESTS)


def wait_until_allowed(deployment: Deployment, path: str, origin: str) -> None:
    """Wait until each worker has read rows with an origin. While one request does that, others do
    not wait for it; and a store that did not answer is spared for a while."""
    for _ in repeat(20):
        if allowed(deployment, path, origin) == {True}:
            return
    raise AssertionError("some worker has not read the rows")


def put_settings(deployment: Deployment, *origins: str) -> None:
    lines = ("[policies.followed]", f"origins = {json.dumps(origins)}", "allow_credentials = true")
    replace(deployment.directory / "cors.toml", "\n".join([*lines, ""]))


def add_and_revoke(kind: str, deployment: Deployment) -> None:
    """A row that is added or revoked is so in every worker within `refresh` and half a second,
    whether or not somebody asks meanwhile; and then for good."""
    asked, quiet = f"/{kind}", f"/quiet/{kind}"
    old, new = listed(kind), listed(kind, 2)
    for path in (asked, quiet):
        wait_until_allowed(deployment, path, old)
        assert allowed(deployment, path, new) == {False}
    for rows, expected in [((old, new), True), ((old,), False)]:
        deployment.rows[kind].put(*rows)
        know: set[int] = set()
        for _ in repeat(REFRESH + 0.5):
            response = deployment.ask(asked, new)
            assert response.allowed is expected or response.process not in know
            know |= {response.process} if response.allowed is expected else set()
        assert allowed_at_once(deployment, quiet, new) == {expected}
        for path in (asked, quiet):
            assert allowed(deployment, path, new) == {expected}
            assert allowed(deployment, path, old) == {True}


def mistake(deployment: Deployment) -> None:
    """Settings with a mistake change nothing in any worker, and each says so once."""
    one, two = listed("followed"), listed("followed", 2)

    def in_force() -> list[set[bool]]:
        return [allowed(deployment, "/followed", origin) for origin in (one, two)]

    assert in_force() == [{True}, {False}]
    put_settings(deployment, one, two)
    time.sleep(SETTINGS_FOLLOWED_AFTER)
    assert in_force() == [{True}, {True}]
    put_settings(deployment, "https://elsewhere.example", "https://*.com")
    for _ in repeat(SETTINGS_FOLLOWED_AFTER):
        deployment.ask("/followed", one)
    assert in_force() == [{True}, {True}]
    put_settings(deployment, two)
    time.sleep(SETTINGS_FOLLOWED_AFTER)
    assert in_force() == [{False}, {True}]
    said = re.findall(r"^(\d+) .*https://\*\.com", deployment.log(), re.MULTILINE)
    assert len(said) == len({*said}) == deployment.processes


def gone(kind: str, deployment: Deployment) -> None:
    """What was read last counts for a while when the store is gone; static origins always do."""
    source = f"gone/{kind}"
    path, known, store = f"/{source}", listed(source), deployment.rows[source]
    wait_until_allowed(deployment, path, known)
    time.sleep(OFTEN)
    before = time.monotonic()
    deployment.ask_each(path, known)
    store.fail()
    since = time.monotonic()
    # Each worker has begun to read the rows at `before`, or so recently that it had no need to.
    until = before - OFTEN - NO_WAIT + STALE_AFTER
    for _ in repeat(STALE_AFTER):
        for origin in (None, STATIC, known):
            response = deployment.ask(path, origin)
            if origin != known:
                assert response.allowed is (origin == STATIC)
            elif response.begun < until:
                assert response.allowed
            elif response.begun > since + STALE_AFTER:
                assert not response.allowed
    assert allowed(deployment, path, known) == {False}
    assert allowed(deployment, path, STATIC) == {True}
    store.recover()
    wait_until_allowed(deployment, path, known)


def slow(kind: str, deployment: Deployment) -> None:
    """A request waits for a store until the deadline, unless nothing depends on the store."""
    source = f"slow/{kind}"
    path, known, store = f"/{source}", listed(source), deployment.rows[source]
    wait_until_allowed(deployment, path, known)
    store.hang()
    waits: dict[str | None, list[float]] = {None: [], STATIC: [], known: [], EVIL: []}

    def ask_all(origin: str | None) -> None:
        for _ in repeat(1.5 * SLOW_DEADLINE):
            response = deployment.ask(path, origin)
            assert response.allowed is (origin in (STATIC, known))
            waits[origin].append(response.seconds)

    run_together([partial(ask_all, origin) for origin in waits])
    assert max(waits[None] + waits[STATIC]) < NO_WAIT
    assert SLOW_DEADLINE - 0.1 < max(waits[known] + waits[EVIL]) < SLOW_DEADLINE + NO_WAIT
    store.put(known, listed(source, 2))
    store.recover()
    wait_until_allowed(deployment, path, listed(source, 2))


def tenants(deployment: Deployment) -> None:
    """Right after the start, two tenants under one URL, with made-up hosts beside."""
    done = threading.Event()

    def made_up() -> None:
        for number in itertools.count():
            if done.wait(0.02):
                break
            response = deployment.ask("/tenants", TENANTS["a.example"], f"{number}.example")
            assert not response.allowed

    def both() -> None:
        try:
            for seconds in repeat(2):
                for host, (owner, origin) in itertools.product(TENANTS, TENANTS.items()):
                    response = deployment.ask("/tenants", origin, host)
                    assert response.seconds < NO_WAIT
                    assert not response.allowed or host == owner
                    # While one request reads the first rows, others do not wait for it.
                    assert response.allowed or host != owner or seconds < 0.5
        finally:
            done.set()

    run_together([made_up, both])


def strangers(deployment: Deployment) -> None:
    """Nobody gets in who is not listed: not by another source's rows, nor by half an origin."""
    paths = ("file", "own", "redis", "gone/own", "gone/redis", "tenants", "changing")
    known = {path: {STATIC, listed(path), listed(path, 2)} for path in paths}
    known[""] = {STATIC}
    origins = {*itertools.chain(*known.values()), *TENANTS.values(), HALF, EVIL, "null"}
    origins |= {"https://static.example.evil.example", "http://static.example", listed("followed")}
    asked = [(path, origin) for path in known for origin in origins - known[path]]
    asked += [("changing", HALF)] * 40  # the file has not always only half
    random.Random(0).shuffle(asked)
    numbers = iter(range(STRANGERS))
    seen = set()

    def ask_all() -> None:
        for number in numbers:
            path, origin = asked[number % len(asked)]
            response = deployment.ask(f"/{path}", origin)
            assert not response.allowed, (path, origin)
            seen.add(response.process)
            time.sleep(CLIENTS * SECONDS / STRANGERS)

    run_together([ask_all] * CLIENTS)
    assert len(seen) == deployment.processes


SCENARIOS: list[Callable[[Deployment], None]] = [
    tenants,
    strangers,
    mistake,
    *[partial(add_and_revoke, kind) for kind in ("file", "own", "redis")],
    *[partial(breaks, kind) for breaks in (gone, slow) for kind in ("own", "redis")],
]


def keep_changing(deployment: Deployment, done: threading.Event) -> None:
    """Write half of a list, the rest after a while, and the next one. The half ends in an origin
    that is not meant."""
    while not done.is_set():
        with (deployment.directory / "changing.txt").open("w") as file:
            file.write(HALF)
            file.flush()
            done.wait(UNCHANGED_FOR)
            file.write(f"{LONG.removeprefix(HALF)}\n")
        done.wait(UNCHANGED_FOR)


def check_status(deployment: Deployment, since: float) -> None:
    """In the end all workers are in the same state, and have said at most once a minute what
    failed."""
    wait_until_allowed(deployment, "/changing", LONG)
    for source in deployment.rows:
        deployment.ask_each(f"/{source}", EVIL)
    found = [(r.process, json.loads(r.body)) for r in deployment.ask_each("/status")]
    assert [status["pid"] for _, status in found] == [process for process, _ in found]
    assert len({status["fingerprint"] for _, status in found}) == 1
    for _, status in found:
        assert status["settings"]["last_mistake"] is None
        assert [source["name"] for source in status["sources"] if source["stale"]] == []
    log = deployment.log()
    said = Counter(re.findall(r"^(\d+) ERROR flask_corsguard (.*?): ", log, re.MULTILINE))
    minutes = (time.monotonic() - since) / 60
    assert [line for line, times in said.items() if times > 1 + minutes] == []
    assert PASSWORD not in log
    assert QUOTED not in log


def play(deployment: Deployment) -> list[Exception]:
    """Play all scenarios at once; whatever goes wrong."""
    errors: list[Exception] = []
    done = threading.Event()
    begun = time.monotonic()

    def run(scenario: Callable[[Deployment], None]) -> None:
        try:
            scenario(deployment)
        except Exception as error:
            error.add_note(f"With {deployment.name}.")
            errors.append(error)

    deployment.wait_for_workers()
    changing = threading.Thread(target=keep_changing, args=(deployment, done))
    changing.start()
    try:
        run_together([partial(run, scenario) for scenario in SCENARIOS])
    finally:
        done.set()
        changing.join()
    run(partial(check_status, since=begun))
    return errors


@contextmanager
def deployed(group: str, directory: Path) -> Iterator[list[Deployment]]:
    """All servers of a group."""
    for server, _ in DEPLOYMENTS[group].values():
        server.require()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        found = []
        for name, (server, processes) in DEPLOYMENTS[group].items():
            own = directory / name.replace(" ", "_")
            own.mkdir()
            rows = stack.enter_context(rows_in(own, redis))
            rows["tenants"].put(*TENANTS.items())
            deployment = Deployment(name, processes, 0, own, rows)
            put_settings(deployment, listed("followed"))
            running = server.running(own, {"WORKERS_DIRECTORY": str(own)})
            found.append(deployment._replace(port=stack.enter_context(running)))
        yield found


@pytest.mark.parametrize("group", DEPLOYMENTS)
def test_every_worker(group: str, tmp_path: Path) -> None:
    errors: list[Exception] = []

    def play_one(deployment: Deployment) -> None:
        errors.extend(play(deployment))

    with deployed(group, tmp_path) as deployments:
        run_together([partial(play_one, deployment) for deployment in deployments])
    if errors:
        raise ExceptionGroup("some workers do not do what they should", errors)
