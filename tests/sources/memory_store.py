"""Stores in memory that can fail, as sources of origins, and an app that uses them."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flask import Flask

from flask_corsguard import (
    CorsGuard,
    Decision,
    Outcome,
    cors,
    cors_exempt,
    current_decision,
    source_failed,
    source_refreshed,
)


class Store:
    """A source that can only give everything.

    :ivar asked: the names of its methods that were called.
    :ivar fault: called in each of them first, to raise, or to wait.
    :ivar result: what ``load`` returns instead of version and rows.
    """

    def __init__(self, *rows: Any, name: str = "memory", **settings: Any) -> None:
        self.rows: list[Any] = list(rows)
        self.name = name
        self.number = 1
        self.asked: list[str] = []
        self.fault: Callable[[], object] | None = None
        self.result: Callable[[], object] | None = None
        for setting, value in settings.items():
            setattr(self, setting, value)

    def put(self, *rows: Any) -> None:
        """Replace all rows."""
        self.rows = list(rows)
        self.number += 1

    def asked_now(self, what: str) -> None:
        self.asked.append(what)
        if self.fault is not None:
            self.fault()

    def load(self) -> Any:
        self.asked_now("load")
        return self.number, list(self.rows) if self.result is None else self.result()


class VersionedStore(Store):
    """A source that can say whether anything has changed."""

    def version(self) -> Any:
        self.asked_now("version")
        return self.number


class LoggedStore(Store):
    """A source that can say what has changed.

    :ivar since: what ``changes`` was called with.
    :ivar log: version -> added, removed.
    """

    def __init__(self, *rows: Any, **settings: Any) -> None:
        super().__init__(*rows, **settings)
        self.since: list[object] = []
        self.log: dict[int, tuple[list[Any], list[Any]]] = {}
        self.forgotten = False

    def add(self, *rows: Any) -> None:
        self.put(*self.rows, *rows)
        self.log[self.number] = (list(rows), [])

    def remove(self, *rows: Any) -> None:
        self.put(*(row for row in self.rows if row not in rows))
        self.log[self.number] = ([], list(rows))

    def changes(self, since: Any) -> Any:
        self.asked_now("changes")
        self.since.append(since)
        now = self.number
        if self.forgotten or set(range(since + 1, now + 1)) - self.log.keys():
            return None
        added: list[Any] = []
        removed: list[Any] = []
        for number in range(since + 1, now + 1):
            # Net: what was added and removed again is in one of the two.
            for row in self.log[number][0]:
                added.append(row)
                removed = [other for other in removed if other != row]
            for row in self.log[number][1]:
                removed.append(row)
                added = [other for other in added if other != row]
        return now, added, removed


class Wire(NamedTuple):
    """A response as a server sends it."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def allows(self) -> str | None:
        found = [v for n, v in self.headers if n.lower() == "access-control-allow-origin"]
        assert len(found) < 2
        return found[0] if found else None

    @property
    def vary(self) -> set[str]:
        lines = [value for name, value in self.headers if name.lower() == "vary"]
        return {name.strip().lower() for name in ",".join(lines).split(",") if name.strip()}


def wire(
    app: Any,
    origin: str | None,
    path: str = "/",
    method: str = "GET",
    host: str = "api.test",
    **more: str,
) -> Wire:
    """Send one request over https. *more* is added to the WSGI environment."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "server.test",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **more,
    }
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin
    started: list[Any] = []
    body = app(environ, lambda status, headers, _=None: started.append((status, headers)))
    content = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    ((status, headers),) = started
    return Wire(status, headers, content)


def preflight(app: Any, origin: str, path: str = "/", asks: str = "PUT", **more: str) -> Wire:
    more = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": asks, **more}
    return wire(app, origin, path, "OPTIONS", **more)


class Site:
    """An app with a guard.

    ``/`` has the default policy, ``/listed`` a list, ``/public`` everybody, ``/exempt`` none.

    :ivar decisions: those about the requests so far.
    """

    def __init__(self, *arguments: Any, config: Any = (), **fields: Any) -> None:
        self.app = Flask("shop", static_folder=None)
        self.app.config.update(config)
        methods = ["GET", "PUT", "POST"]

        def view() -> str:
            return "ok"

        self.app.add_url_rule("/", "index", view, methods=methods)
        none: dict[str, Any] = {"deny_origins": [], "raw_origins": [], "origins_vary": []}
        listed = cors(origins="https://listed.example", **none)
        public = cors(origins="*", enforce="off", allow_credentials=False, **none)
        if arguments:  # a mark cannot change the origins of a list of policies
            listed = public = cors_exempt
        for name, mark in {"listed": listed, "public": public, "exempt": cors_exempt}.items():
            self.app.add_url_rule(f"/{name}", name, mark(lambda: "ok"), methods=methods)
        self.guard = CorsGuard(self.app, *arguments, **fields)
        self.decisions: list[Decision] = []
        self.app.after_request(self._note)

    def _note(self, response: Any) -> Any:
        self.decisions.append(current_decision._get_current_object())  # type: ignore[attr-defined]
        return response

    def ask(self, origin: str | None, path: str = "/", method: str = "GET", **more: str) -> str:
        """Send one request.

        :returns: the name of the reason, or of the outcome if there is none; it has been compared
            with what goes over the wire.
        """
        before = len(self.decisions)
        response = wire(self.app, origin, path, method, **more)
        assert not response.status.startswith("5"), response
        (decision,) = self.decisions[before:]
        assert (response.allows is not None) == (decision.outcome is Outcome.ALLOWED)
        assert response.allows in (None, "*", origin)
        return (decision.reason or decision.outcome).name

    def preflight(self, origin: str, path: str = "/", asks: str = "PUT", **more: str) -> str:
        more = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": asks, **more}
        return self.ask(origin, path, "OPTIONS", **more)

    def source(self, number: int = 0) -> Any:
        """What the guard says of a source."""
        return self.guard.status(self.app)["sources"][number]


ALLOWED = "ALLOWED"
NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
CANNOT_TELL = "ORIGIN_CHECK_FAILED"


@contextmanager
def announcements(app: Flask) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The signals about sources: name, and what was sent."""
    heard: list[tuple[str, dict[str, Any]]] = []

    def refreshed(sender: Flask, source: Any) -> None:
        heard.append(("refreshed", dict(source)))

    def failed(sender: Flask, source: Any) -> None:
        heard.append(("failed", dict(source)))

    with source_refreshed.connected_to(refreshed, app), source_failed.connected_to(failed, app):
        yield heard


def eventually(check: Callable[[], object], within: float) -> bool:
    """Whether *check* returns a true value, in so many seconds."""
    until = time.monotonic() + within
    while True:
        if check():
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
