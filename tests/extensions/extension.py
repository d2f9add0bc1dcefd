"""One check for all extensions: beside each, the guard sends what it sends without it, and the
extension does what it is for."""

import importlib.util
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from flask_corsguard import CorsGuard, cors
from tests import listening
from tests.conftest import cors_headers

from .page import Row, rows

# The dependency group whose packages have to be there, as in .ci/nightly.
REQUIRED = os.environ.get("CORSGUARD_REQUIRE_EXTENSIONS")
APP, PARTNER, EVIL = "https://app.example.com", "https://partner.example", "https://evil.example"
ORIGINS = (APP, PARTNER, EVIL, None)
JSON = "application/json"
API = "https://api.example.com"
# Which of the two is put on the app first.
ORDERS = ("guard first", "extension first")

Scope = dict[str, Any]
# What a response is compared by: its status, and every CORS header of it.
Seen = tuple[int, Mapping[str, str]]


class Page(Client):
    """A page of one origin, with the cookies that it has been given: a client, and short names."""

    def __init__(self, wsgi: Any, origin: str | None = APP) -> None:
        super().__init__(wsgi, Response)
        self.origin = origin

    def send(self, method: str, path: str, status: int = 200, **options: Any) -> TestResponse:
        """Send a request as the page would, and check the status of its response."""
        headers = dict(options.pop("headers", {}))
        if self.origin is not None:
            headers |= {"Origin": self.origin, "Sec-Fetch-Site": "cross-site"}
        # Each request has a response of its own, and a connection of its own that is closed.
        with self.open(path, method=method, base_url=API, headers=headers, **options) as response:
            response.get_data()
        assert response.status_code == status, (method, path, response.status, response.text)
        return response

    def preflight(self, path: str, method: str, *headers: str, status: int = 204) -> TestResponse:
        """Ask as a browser does before it sends *method* with *headers*."""
        asked = {"Access-Control-Request-Method": method}
        if headers:
            asked["Access-Control-Request-Headers"] = ",".join(sorted(headers)).lower()
        return self.send("OPTIONS", path, status, headers=asked)

    def read(self, method: str, path: str, status: int = 200, **options: Any) -> TestResponse:
        """Send a request, and check that the page gets to read the response."""
        response = self.send(method, path, status, **options)
        assert response.headers.getlist("Access-Control-Allow-Origin") == [self.origin]
        return response


class Extension(NamedTuple):
    """A row of the page, and what shows that both sides work.

    :ivar name: the row's.
    :ivar needs: the modules that have to be installed.
    :ivar put: puts the extension on an app, as its documentation says, with views for *job*, and
        gives the names that the row's lines use; ``close``, if given, is called in the end.
    :ivar job: shows, as a page of ``APP``, that the extension does what it is for.
    :ivar errors: its own errors: (method, path, status).
    :ivar api: whether *put* makes the views under ``/api`` that :func:`plain` has.
    :ivar vary: what it writes into ``Vary`` itself.
    :ivar make: makes the app.
    :ivar served: what a server is given, by the names; a WSGI app.
    :ivar apart: whether it changes the whole process, and so is tested in one of its own.
    :ivar way: which way it is put on the app, if there are several.
    :ivar group: the dependency group that it is in.
    """

    name: str
    needs: tuple[str, ...]
    put: Callable[[Flask], Scope | None]
    job: Callable[[Page], object]
    errors: tuple[tuple[str, str, int], ...] = ()
    api: bool = False
    vary: frozenset[str] = frozenset()
    make: Callable[[], Flask] = lambda: Flask("shop", static_folder=None)
    served: Callable[[Scope], Any] = lambda scope: scope["app"]
    apart: bool = False
    way: str = ""
    group: str = "extensions"

    @property
    def title(self) -> str:
        """What tells it from all others."""
        return f"{self.name} {self.way}".strip()

    @property
    def row(self) -> Row:
        """The row of the page."""
        return rows()[self.name]

    def require(self, *, always: bool = False) -> None:
        """Skip the test if something is not installed; fail it if it has to be.

        :param always: whether .ci/run has it too.
        """
        missing = [name for name in self.needs if not _is_there(name)]
        if missing and (self.group == REQUIRED if REQUIRED else always and listening.REQUIRED):
            pytest.fail(f"not installed: {', '.join(missing)}")
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}; .ci/nightly has it")


def nightly_only() -> None:
    """Skip the test unless all extensions have to be there."""
    if REQUIRED != "extensions":
        pytest.skip("only with CORSGUARD_REQUIRE_EXTENSIONS=extensions, as in .ci/nightly")


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False


def add_views(app: Flask, prefix: str = "") -> None:
    """A view with the default policy, a marked one, one that refuses, and one that fails."""

    def view() -> str:
        return "ok"

    def fails() -> str:
        raise LookupError("as a test wants it")

    for name, function, policy in (
        ("item", view, {}),
        ("marked", view, {"origins": [PARTNER]}),
        ("guarded", view, {"enforce": "unsafe"}),
        ("fails", fails, {}),
    ):
        # A function of its own for each mark.
        marked = cors(**policy)(lambda function=function: function()) if policy else function
        endpoint = f"{prefix.strip('/')}{name}"
        methods = ["GET", "PUT", "POST"]
        app.add_url_rule(f"{prefix}/{name}", endpoint, marked, methods=methods)


def plain(fields: Mapping[str, Any]) -> Flask:
    """The same app, without an extension."""
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=[APP], **fields)
    for prefix in ("", "/api"):
        add_views(app, prefix)
    return app


def built(extensions: Iterable[Extension], order: str) -> Scope:
    """An app with extensions and a guard, and with the lines of their rows.

    :returns: the names that there are then: ``app``, ``guard`` and those of the extensions.
    """
    extensions = list(extensions)
    app = extensions[0].make()
    scope: Scope = {"app": app, "cors": cors}
    each = [extension.row for extension in extensions]

    def put_guard() -> None:
        scope["guard"] = CorsGuard(app, origins=[APP], **merged(row.fields for row in each))

    def put_extensions() -> None:
        for extension in extensions:
            scope.update(extension.put(app) or {})
            run(extension.row.lines, scope)

    first, second = put_guard, put_extensions
    if order != ORDERS[0]:
        first, second = second, first
    run(chain.from_iterable(row.before for row in each), scope)
    first()
    add_views(app)
    second()
    run(chain.from_iterable(row.of_the_guard for row in each), scope)
    return scope


def run(lines: Iterable[str], scope: Scope) -> None:
    """Run lines of the page, with names that they use and make."""
    for line in lines:
        exec(line, scope)


def merged(several: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of several rows, as one policy has them."""
    found: dict[str, Any] = {}
    for fields in several:
        for name, value in fields.items():
            old = found.get(name)
            found[name] = list(dict.fromkeys([*old, *value])) if isinstance(old, list) else value
    return found


def requests(paths: Iterable[str]) -> Iterable[tuple[str, str, str | None, str]]:
    """What each app is asked: method, path, origin, requested method."""
    for path in paths:
        for origin in ORIGINS:
            yield "GET", path, origin, ""
            for method in ("PUT", "PATCH") if origin else ():
                yield "OPTIONS", path, origin, method
    for path in paths:
        if path.endswith("/guarded"):
            yield "POST", path, EVIL, ""


def seen(wsgi: Any, request: tuple[str, str, str | None, str], vary: Iterable[str] = ()) -> Seen:
    """The response to one request, without cookies, as far as it is compared."""
    method, path, origin, asked = request
    headers = {"Access-Control-Request-Method": asked} if asked else {"Accept": JSON}
    page = Page(wsgi, origin)
    if origin is not None:
        headers |= {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    json = {} if method == "POST" else None
    with page.open(path, method=method, base_url=API, headers=headers, json=json) as response:
        response.get_data()
        found = cors_headers(response)
    names = [name for name in found.get("Vary", "").split(", ") if name not in {*vary, ""}]
    found.pop("Vary", None)
    return response.status_code, {**found, **({"Vary": ", ".join(names)} if names else {})}


def check(extension: Extension, order: str) -> None:
    """Put the extension and the guard on an app, and check both."""
    scope = built([extension], order)
    wsgi = extension.served(scope)
    prefixes = ["", "/api"] if extension.api else [""]
    try:
        with warnings_of_the_guard() as warnings:
            check_headers(scope, wsgi, merged([extension.row.fields]), prefixes, extension.vary)
            check_own_errors(wsgi, extension)
            extension.job(Page(wsgi))
    finally:
        scope.get("close", list)()
    assert warnings == []


def check_headers(
    scope: Scope,
    wsgi: Any,
    fields: Mapping[str, Any],
    prefixes: Iterable[str],
    vary: frozenset[str],
) -> None:
    """The guard's headers, and the statuses, are those of the same app without an extension; and
    each request is decided about once."""
    names = ("item", "marked", "guarded", "fails", "none")
    paths = [f"{prefix}/{name}" for prefix in prefixes for name in names]
    alone = plain(fields)
    wanted = {request: seen(alone, request) for request in requests(paths)}
    # Twice: the table is built on the first request, and caches are filled.
    for _ in range(2):
        found = {request: seen(wsgi, request, vary) for request in wanted}
        differing = {r: (found[r], wanted[r]) for r in wanted if found[r] != wanted[r]}
        assert not differing, list(differing.items())[:3]
    assert sum(scope["guard"].counts(scope["app"]).values()) == 2 * len(wanted)
    for path in (f"{prefix}/item" for prefix in prefixes):
        listed = fields.get("allow_headers", [])
        assert Page(wsgi).preflight(path, "PUT", *listed)
        exposed = Page(wsgi).send("GET", path).headers.get("Access-Control-Expose-Headers")
        assert (exposed or "").split(", ") == (fields.get("expose_headers") or [""])


def check_own_errors(wsgi: Any, extension: Extension) -> None:
    """The extension's own errors have the headers that any response of the app has."""
    fields = merged([extension.row.fields])
    for method, path, status in extension.errors:
        for origin in ORIGINS:
            _, wanted = seen(plain(fields), ("GET", "/item", origin, ""))
            found = seen(wsgi, (method, path, origin, ""), extension.vary)
            assert found == (status, wanted), (method, path, found, (status, wanted))


@contextmanager
def warnings_of_the_guard() -> Iterator[list[str]]:
    """What the guard logs meanwhile, but for rejections. Flask's own lines about views that fail
    are not shown."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if ": rejected (" not in text and ": refused (" not in text:
                lines.append(text)

    handler, guard, shop = Kept(), logging.getLogger("flask_corsguard"), logging.getLogger("shop")
    guard.addHandler(handler)
    shop.disabled = True
    try:
        yield lines
    finally:
        guard.removeHandler(handler)
        shop.disabled = False
