"""What requests notice of a store that fails."""

import logging
import time
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard
from flask_corsguard.logging import RateLimit
from flask_corsguard.runtime.state import state_of
from flask_corsguard.sources import RedisOrigins, SQLOrigins

from .asking import noise, whole
from .fault_proxy import FAULTS, Fault, FaultProxy
from .stores import Store

LIVE, LISTED, STRANGER = (f"https://{name}.example" for name in ("live", "listed", "stranger"))
DEADLINE = 0.1
STALE_AFTER = 1.0
# After a failure that has taken time, the store is left in peace for ten times as long.
SECONDS_TO_COME_BACK = 20 * DEADLINE + 10


class Requests:
    """Asks an app, and keeps how long the longest request has taken."""

    def __init__(self, source: Any) -> None:
        app = Flask("app")
        CorsGuard(app, origins=[LISTED, source], allow_credentials=True)
        app.get("/")(lambda: "")
        self._app = app
        self._client = app.test_client()
        self.longest = 0.0

    def forget_lines(self) -> None:
        """Have no line left out because there was one like it: on a slow machine, the first
        connection fails."""
        state_of(self._app).log._failures = RateLimit()

    def readers(self) -> set[str]:
        found = set()
        for origin in (LIVE, LISTED, STRANGER):
            started = time.monotonic()
            response = self._client.get("/", headers={"Origin": origin})
            self.longest = max(self.longest, time.monotonic() - started)
            if response.headers.get("Access-Control-Allow-Origin") == origin:
                found.add(origin)
        return found

    def wait_for(self, *readers: str, seconds: float) -> float:
        """For how long these have not been who may read."""
        started = time.monotonic()
        while (found := self.readers()) != set(readers):
            assert STRANGER not in found
            assert time.monotonic() - started < seconds, found
            time.sleep(0.01)
        return time.monotonic() - started


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("store", ["redis", "sql"])
def test_the_last_good_rows_stand_for_some_time(
    store: str, fault: Fault, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    server: Store = request.getfixturevalue(f"{store}_store")
    proxy: FaultProxy = request.getfixturevalue(f"{store}_proxy")
    url = server.at(proxy.port)
    settings: Any = {"refresh": 0.1, "deadline": DEADLINE, "stale_after": STALE_AFTER}
    source: Any
    if store == "redis":
        RedisOrigins(server.own_url, key="app").add(LIVE)
        source = RedisOrigins(url, key="app", **settings)
    else:
        source = SQLOrigins(url, f"SELECT '{LIVE}'", "SELECT 1", **settings)
    whole(source)  # whatever is imported and connected for the first time
    requests = Requests(source)
    requests.wait_for(LIVE, LISTED, seconds=SECONDS_TO_COME_BACK)
    requests.longest = 0.0
    requests.forget_lines()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        proxy.fault = fault
        taken = requests.wait_for(LISTED, seconds=STALE_AFTER + 1)
        assert taken > STALE_AFTER - 0.2  # the last refresh may have been that long ago
        for _ in range(20):
            assert requests.readers() == {LISTED}
        lines = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(lines) == 1, lines
    assert source.name in lines[0]
    assert "s3cr" not in caplog.text
    proxy.fault = "pass"
    requests.wait_for(LIVE, LISTED, seconds=SECONDS_TO_COME_BACK)
    assert requests.longest < DEADLINE + noise()
    source.close()
