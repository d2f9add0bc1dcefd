"""The app that the workers serve: a route for each source, and the settings file."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Request

from flask_corsguard import CorsGuard, Policy, cors
from flask_corsguard.sources import FileOrigins, RedisOrigins, seconds_left
from tests.workers.agreed import DEADLINE, OFTEN, REFRESH, SLOW_DEADLINE, STALE_AFTER, STATIC

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DIRECTORY = Path(os.environ["WORKERS_DIRECTORY"])


class JsonOrigins:
    """A source of one's own: a file of rows, or of the name of a fault."""

    refresh = REFRESH
    deadline = DEADLINE

    def __init__(self, name: str, **settings: Any) -> None:
        self.name = name
        self._path = DIRECTORY / f"{name.replace('/', '-')}.json"
        vars(self).update(settings)

    def load(self) -> tuple[object, Iterable[Any]]:
        text = self._path.read_text()
        found = json.loads(text)
        if found == "hangs":
            while True:
                time.sleep(seconds_left())
        if found == "fails":
            raise ConnectionError("the store is gone")
        return text, [row if isinstance(row, str) else tuple(row) for row in found]

    def version(self) -> object:
        return self.load()[0]


def host(request: Request) -> str:
    return request.host


def redis(name: str, **settings: Any) -> RedisOrigins:
    url = json.loads((DIRECTORY / "urls.json").read_text())[name]
    settings = {"refresh": REFRESH, "deadline": DEADLINE} | settings
    return RedisOrigins(url, key=f"{DIRECTORY.name} {name}", **settings)


stale: dict[str, Any] = {"refresh": OFTEN, "stale_after": STALE_AFTER}
slow: dict[str, Any] = {"refresh": OFTEN, "deadline": SLOW_DEADLINE}
# Some are read before the workers are forked, others at a worker's first request.
SOURCES = {
    "file": FileOrigins(DIRECTORY / "file.txt", refresh=REFRESH, at_start="fail"),
    "own": JsonOrigins("own", at_start="fail"),
    "redis": redis("redis", at_start="fail"),
    # The same rows, for which nobody asks until their time is up.
    "quiet/file": FileOrigins(DIRECTORY / "file.txt", refresh=REFRESH),
    "quiet/own": JsonOrigins("own"),
    "quiet/redis": redis("redis"),
    "changing": FileOrigins(DIRECTORY / "changing.txt", refresh=OFTEN),
    "gone/own": JsonOrigins("gone/own", **stale),
    "gone/redis": redis("gone/redis", **stale, at_start="fail"),
    "slow/own": JsonOrigins("slow/own", **slow, at_start="fail"),
    "slow/redis": redis("slow/redis", **slow),
    "tenants": JsonOrigins("tenants", by=host),
}

logging.basicConfig(format="%(process)d %(levelname)s %(name)s %(message)s", level="INFO")
app = Flask("served", static_folder=None)
app.config["CORSGUARD_SETTINGS_FILE"] = str(DIRECTORY / "cors.toml")
guard = CorsGuard(app, origins=STATIC, allow_credentials=True)


def view() -> str:
    return "ok"


for name, source in SOURCES.items():
    vary = "Host" if name == "tenants" else ()
    policy = Policy(origins=[STATIC, source], origins_vary=vary, allow_credentials=True)
    app.add_url_rule(f"/{name}", name, cors(policy)(lambda: "ok"))
app.add_url_rule("/", "index", view)


@app.get("/followed")
@cors("followed")
def followed() -> str:
    return "ok"


@app.get("/status")
def status() -> dict[str, Any]:
    return guard.status(app)


guard.prepare(app)
# These connections are open when a server forks that has loaded the app before.
for name in ("quiet/redis", "slow/redis"):
    app.test_client().get(f"/{name}", headers={"Origin": "https://warm-up.example"})


def reporting(app: WSGIApplication) -> WSGIApplication:
    """The app, which says on every response what Response has of it."""

    def reporting_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.monotonic()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            report = {"Process": os.getpid(), "Begun": begun, "Seconds": time.monotonic() - begun}
            lines = [(f"X-{name}", str(value)) for name, value in report.items()]
            return start_response(status, [*headers, *lines], *rest)

        return app(environ, start)

    return reporting_app


app.wsgi_app = reporting(app.wsgi_app)  # type: ignore[assignment, method-assign]
