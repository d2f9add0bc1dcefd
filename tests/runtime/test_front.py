"""The guard in front of what responds before Flask: ``guard.wsgi`` and ``guard.asgi``, held to one
table."""

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask, Request, abort, current_app
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter
from werkzeug.test import Client, EnvironBuilder

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Decision,
    Policy,
    PolicyError,
    Reason,
    cors,
    cors_exempt,
    current_decision,
    origin_rejected,
    preflight_rejected,
)
from flask_corsguard.runtime.state import state_of

SHOP, OTHER = "https://shop.example", "https://other.example"


class Sent(NamedTuple):
    """What came back, and whether what is behind the guard has run."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    has_run: bool

    def value(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, values
        return values[0] if values else None


class Wsgi:
    """The guard in front of a WSGI app that sends headers of its own."""

    def __init__(self, guard: CorsGuard, app: Flask, paths: Any, headers: Any = ()) -> None:
        self.runs = 0

        def inner(environ: Any, start_response: Any) -> Iterator[bytes]:
            self.runs += 1
            start_response("200 OK", list(headers))
            return iter([b"a", b"b"])

        self.app = guard.wsgi(inner, paths=paths, app=app)

    def send(self, method: str, path: str, **headers: str) -> Sent:
        before = self.runs
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        response = Client(self.app).open(path, method=method, headers=sent)
        wire = list(response.headers)
        return Sent(response.status_code, wire, response.data, self.runs > before)


class Asgi:
    """The same for ASGI."""

    def __init__(self, guard: CorsGuard, app: Flask, paths: Any, headers: Any = ()) -> None:
        self.runs = 0

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            self.runs += 1
            wire = [(name.encode(), value.encode()) for name, value in headers]
            await send({"type": "http.response.start", "status": 200, "headers": wire})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body", "body": b"b"})

        self.app = guard.asgi(inner, paths=paths, app=app)

    def send(self, method: str, path: str, **headers: str) -> Sent:
        before = self.runs
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        environ = EnvironBuilder(path, method=method).get_environ()
        scope = {
            "type": "http",
            "method": method,
            "path": environ["PATH_INFO"].encode("latin-1").decode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")]
            + [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        }
        messages = played(self.app, scope)
        wire = [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]
        body = b"".join(message["body"] for message in messages[1:])
        return Sent(messages[0]["status"], wire, body, self.runs > before)


def played(app: Any, scope: Any, *received: Any) -> list[Any]:
    messages: list[Any] = []
    waiting = list(received)

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    return messages


@pytest.fixture(params=[Wsgi, Asgi])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def made() -> tuple[Flask, CorsGuard]:
    app = Flask("app", static_folder=None)
    guard = CorsGuard(app, origins=[SHOP], allow_headers=["x-own"])
    guard.for_path("/files", origins="*")
    guard.for_path("/locked", enforce="unsafe")

    @app.get("/files/marked")
    @cors(origins=[OTHER])
    def marked() -> str:
        return ""

    return app, guard


PREFLIGHT = {"Access_Control_Request_Method": "PUT"}
ACAO, VARY = "Access-Control-Allow-Origin", "Vary"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "has_run", "acao", "vary"),
    [
        # Elsewhere, nothing is touched.
        ("GET", "/", {"Origin": SHOP}, 200, True, None, None),
        ("OPTIONS", "/filesx", {"Origin": OTHER, **PREFLIGHT}, 200, True, None, None),
        # By the path, and by the default policy.
        ("GET", "/files", {}, 200, True, "*", None),
        ("GET", "/files/a.js", {"Origin": OTHER}, 200, True, "*", None),
        ("GET", "/plain/a", {"Origin": SHOP}, 200, True, SHOP, "Origin"),
        ("GET", "/plain/a", {"Origin": OTHER}, 200, True, None, "Origin"),
        ("GET", "/plain/a", {}, 200, True, None, "Origin"),
        ("HEAD", "/plain/a", {"Origin": SHOP}, 200, True, SHOP, "Origin"),
        # By the route, where one matches.
        ("GET", "/files/marked", {"Origin": OTHER}, 200, True, OTHER, "Origin"),
        ("GET", "/files/marked", {"Origin": SHOP}, 200, True, None, "Origin"),
        # Preflights end here.
        ("OPTIONS", "/plain/a", {"Origin": SHOP, **PREFLIGHT}, 204, False, SHOP, ...),
        ("OPTIONS", "/plain/a", {"Origin": OTHER, **PREFLIGHT}, 403, False, None, ...),
        ("OPTIONS", "/plain/a", {"Origin": SHOP}, 200, True, SHOP, "Origin"),
        # Refusals end here.
        ("POST", "/locked/a", {"Origin": OTHER}, 403, False, None, ...),
        ("POST", "/locked/a", {"Origin": SHOP}, 200, True, SHOP, "Origin"),
        ("POST", "/locked/a", {"Origin": "http://localhost"}, 200, True, None, "Origin"),
        # Aliases that lie there, as sent or as they normalise.
        ("GET", "/plain/../x", {"Origin": SHOP}, 403, False, None, ...),
        ("GET", "/x/../plain/a", {}, 403, False, None, ...),
        ("GET", "/x/..\\plain", {}, 403, False, None, ...),
        ("GET", "/.//plain/a", {}, 403, False, None, ...),
        ("GET", "/x//y", {}, 200, True, None, None),
    ],
)
def test_what_is_decided(
    kind: Any,
    method: str,
    path: str,
    headers: Any,
    status: int,
    has_run: bool,
    acao: Any,
    vary: Any,
) -> None:
    app, guard = made()
    front = kind(guard, app, ["/files", "/plain", "/locked"])
    sent = front.send(method, path, **headers)
    assert (sent.status, sent.has_run, sent.value(ACAO)) == (status, has_run, acao)
    if vary is not ...:
        assert sent.value(VARY) == vary
    elif acao is None and status == 403:
        assert "Origin" in (sent.value(VARY) or "")
    if sent.has_run and method != "HEAD":
        assert sent.body == b"ab"


def test_it_owns_the_headers(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What is behind sends ``*`` and a Vary: the first is replaced, with one warning."""
    app, guard = made()
    headers = [(ACAO, "*"), ("Access-Control-Expose-Headers", "x"), (VARY, "Accept-Encoding")]
    front = kind(guard, app, ["/plain", "/files"], headers)
    for _ in range(2):
        sent = front.send("GET", "/plain/a", Origin=OTHER)
        assert sent.value(ACAO) is None
        assert sent.value("Access-Control-Expose-Headers") is None
        assert sent.value(VARY) == "Accept-Encoding, Origin"
    elsewhere = front.send("GET", "/x", Origin=OTHER)
    assert elsewhere.value(ACAO) == "*"
    lines = [record.getMessage() for record in caplog.records if "itself" in record.getMessage()]
    [line] = lines
    assert "inner" in line
    assert "test_front.py:" in line


@pytest.mark.parametrize("everything", ["/", ["/"], ["/x", "/"]])
def test_everything(kind: Any, everything: Any) -> None:
    app, guard = made()
    front = kind(guard, app, everything)
    assert front.send("GET", "/", Origin=SHOP).value(ACAO) == SHOP
    assert front.send("GET", "/x/y", Origin=SHOP).value(ACAO) == SHOP


def test_a_path_that_is_not_ascii(kind: Any) -> None:
    app, guard = made()
    guard.for_path("/größe", origins=[OTHER])
    front = kind(guard, app, "/größe")
    assert front.send("GET", "/größe/a", Origin=OTHER).value(ACAO) == OTHER
    assert front.send("GET", "/grösse", Origin=OTHER).value(ACAO) is None


def test_announced_once(kind: Any) -> None:
    app, guard = made()
    heard: list[Decision] = []

    def receiver(sender: Flask, decision: Decision) -> None:
        heard.append(decision)

    front = kind(guard, app, ["/plain"])
    with origin_rejected.connected_to(receiver), preflight_rejected.connected_to(receiver):
        front.send("GET", "/plain/a", Origin=OTHER)
        front.send(
            "OPTIONS",
            "/plain/a",
            Origin=SHOP,
            Access_Control_Request_Method="DELETE",
            Access_Control_Request_Headers="x-other",
        )
        front.send("GET", "/plain/../a")
        front.send("GET", "/elsewhere", Origin=OTHER)
    assert [decision.reason for decision in heard] == [
        Reason.ORIGIN_NOT_ALLOWED,
        Reason.HEADERS_NOT_ALLOWED,
        Reason.PATH_AMBIGUOUS,
    ]
    assert sum(guard.counts(app).values()) == 3


def test_explain_says_the_same_of_an_alias() -> None:
    app, guard = made()
    path = "/plain/x/../a"
    assert guard.explain(path, origin=SHOP, app=app).reason is None
    guard.wsgi(lambda environ, start_response: [], paths=["/plain"], app=app)
    decision = guard.explain(path, origin=SHOP, app=app)
    assert decision.reason is Reason.PATH_AMBIGUOUS
    assert decision.blocked
    assert "mark the view" not in decision.explain()


class TestInFrontOfTheAppItself:
    """The app's own hooks hear of what was decided."""

    def site(self) -> tuple[Flask, CorsGuard]:
        app, guard = made()

        @app.route("/plain/who")
        def who() -> str:
            return current_decision.outcome.name

        @app.route("/plain/within")
        def within() -> str:
            got = app.test_client().get("/plain/who", headers={"Origin": SHOP})
            return f"{current_decision.outcome.name} {got.text} {got.headers.get(ACAO)}"

        return app, guard

    @pytest.mark.parametrize(
        ("path", "origin", "body", "acao"),
        [
            ("/plain/who", SHOP, "ALLOWED", SHOP),
            ("/plain/who", OTHER, "REJECTED", None),
            ("/plain/within", OTHER, f"REJECTED ALLOWED {SHOP}", None),
        ],
    )
    def test_wsgi(self, path: str, origin: str, body: str, acao: str | None) -> None:
        app, guard = self.site()
        app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/plain"])  # type: ignore[method-assign]
        heard: list[object] = []

        def receiver(_: Flask, decision: Decision) -> None:
            heard.append(decision)

        with origin_rejected.connected_to(receiver, app):
            got = app.test_client().get(path, headers={"Origin": origin})
        assert (got.text, got.headers.get(ACAO)) == (body, acao)
        assert len(heard) == (origin == OTHER)
        assert sum(guard.counts(app).values()) == 1 + path.endswith("within")

    def test_asgi(self) -> None:
        asgiref = pytest.importorskip("asgiref.wsgi")
        app, guard = self.site()
        served = guard.asgi(asgiref.WsgiToAsgi(app), paths=["/plain"])
        headers = [(b"origin", OTHER.encode()), (b"host", b"localhost")]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/plain/within",
            "headers": headers,
            "query_string": b"",
            "http_version": "1.1",
            "scheme": "http",
        }
        messages = played(served, scope, {"type": "http.request", "body": b"", "more_body": False})
        assert b"".join(m.get("body", b"") for m in messages[1:]) == (
            f"REJECTED ALLOWED {SHOP}".encode()
        )
        assert sum(guard.counts(app).values()) == 2

    def test_a_route_that_the_first_request_makes(self) -> None:
        app = Flask("app")
        guard = CorsGuard(app, origins=[SHOP])

        @cors(origins=[OTHER])
        def late() -> str:
            return ""

        def inner(environ: Any, start_response: Any) -> Any:
            if "late" not in app.view_functions:
                app.view_functions["late"] = late
                app.url_map.add(app.url_rule_class("/late", endpoint="late", methods=["GET"]))
            return app.wsgi_app(environ, start_response)

        front = Client(guard.wsgi(inner, paths="/"))
        for _ in range(2):
            got = front.get("/late", headers={"Origin": OTHER})
            assert got.headers[ACAO] == OTHER
            assert got.headers.getlist(VARY) == ["Origin"]

    def test_mounted(self) -> None:
        """What another app under the same server responds has the policy of the path."""
        app, guard = made()
        other = Flask("other")
        other.add_url_rule("/a", "a", lambda: "a")
        mounted = DispatcherMiddleware(app.wsgi_app, {"/plain": other})
        app.wsgi_app = guard.wsgi(mounted, paths=["/plain"])  # type: ignore[method-assign]
        got = app.test_client().get("/plain/a", headers={"Origin": SHOP})
        assert (got.text, got.headers[ACAO]) == ("a", SHOP)


class TestWebSockets:
    def scope(self, origin: str) -> dict[str, Any]:
        headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
        return {"type": "websocket", "path": "/locked/a", "headers": headers, "scheme": "ws"}

    @pytest.mark.parametrize(
        ("origin", "is_open"), [(SHOP, True), (OTHER, False), ("http://localhost", True)]
    )
    def test_a_refused_one_is_closed_before_it_is_accepted(
        self, origin: str, is_open: bool
    ) -> None:
        app, guard = made()
        opened: list[Any] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            opened.append(await receive())
            await send({"type": "websocket.accept"})

        front = guard.asgi(inner, paths=["/locked"], app=app)
        messages = played(front, self.scope(origin), {"type": "websocket.connect"})
        assert bool(opened) == is_open
        wanted = "websocket.accept" if is_open else "websocket.close"
        assert [message["type"] for message in messages] == [wanted]

    def test_lifespan_passes(self) -> None:
        app, guard = made()
        seen: list[Any] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope, receive, send))

        front = guard.asgi(inner, paths=["/"], app=app)
        scope = {"type": "lifespan"}
        asyncio.run(front(scope, "receive", "send"))  # type: ignore[arg-type]
        assert seen == [(scope, "receive", "send")]


def test_callables_run_in_a_thread_with_the_context() -> None:
    """The event loop goes on while a callable thinks."""
    app = Flask("app")
    where: list[Any] = []

    def check(origin: str, request: Any) -> bool:
        where.append((threading.current_thread(), current_app.name, request.path))
        return origin == SHOP

    guard = CorsGuard(app, origins=check, origins_vary=["X-Tenant"])

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    front = guard.asgi(inner, paths="/", app=app)
    headers = [(b"origin", SHOP.encode()), (b"host", b"localhost"), (b"origin_", b"x")]
    [start] = played(front, {"type": "http", "method": "GET", "path": "/a", "headers": headers})
    assert dict(start["headers"])[b"access-control-allow-origin"] == SHOP.encode()
    [(thread, name, path)] = where
    assert thread is not threading.main_thread()
    assert (name, path) == ("app", "/a")


def test_a_callable_leaves_the_body_to_what_responds() -> None:
    app = Flask("app")
    guard = CorsGuard(
        app, origins=lambda _, request: request.get_data() == b"x", origins_vary=["X-Tenant"]
    )
    check = guard.origin_check(app)
    read: list[bytes] = []

    def inner(environ: Any, start_response: Any) -> Any:
        assert not check(OTHER, environ)
        read.append(environ["wsgi.input"].read(1))
        start_response("200 OK", [])
        return []

    got = Client(guard.wsgi(inner, paths="/")).post("/a", data="x", headers={"Origin": SHOP})
    assert (got.headers.get(ACAO), read) == (None, [b"x"])


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "no path is given"),
        (None, "a list of paths"),
        (3, "a list of paths"),
        ({"/api": {"origins": "*"}}, r"The policies of paths are given by guard\.for_path\("),
        ([3], "a path must be a string"),
        (["static"], "a path begins with a slash"),
        (["/a*"], "not a pattern"),
        ([""], "paths"),
    ],
)
def test_paths_that_cannot_be_used(paths: Any, words: str) -> None:
    app, guard = made()
    with pytest.raises(PolicyError, match=words) as caught:
        guard.wsgi(app.wsgi_app, paths=paths)
    assert "test_front.py:" in str(caught.value)


def test_a_front_that_is_inside_its_app() -> None:
    app, guard = made()
    app.wsgi_app = guard.wsgi(app, paths="/")
    with pytest.raises(CorsGuardError, match=r"Write app\.wsgi_app = guard\.wsgi\(app\.wsgi_app, "):
        Client(app).get("/a", headers={"Origin": SHOP})


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("method", "inner", "words"),
    [
        ("wsgi", None, "takes a WSGI app"),
        ("wsgi", _asgi, "guard.asgi"),
        ("asgi", 3, "takes an ASGI app"),
        ("asgi", Flask("app"), "WsgiToAsgi"),
    ],
)
def test_what_is_no_app(method: str, inner: Any, words: str) -> None:
    _, guard = made()
    with pytest.raises(CorsGuardError, match=words):
        getattr(guard, method)(inner, paths="/")


def test_an_empty_segment_at_the_beginning(kind: Any) -> None:
    """Werkzeug drops it; what is behind may not."""
    app, guard = made()
    sent = kind(guard, app, ["/plain"]).send("GET", "http://localhost//plain/a", Origin=SHOP)
    assert (sent.status, sent.has_run) == (403, False)


BOTH = [Policy(origins=SHOP), Policy(origins="*")]
ENFORCED = {"origins": SHOP, "enforce": "all"}
BY_VIEW = {"origins": SHOP, "answer_preflight": False}
PUBLIC = {"origins": "*", "enforce": "unsafe"}
AHEAD = {"Sec_Fetch_Site": "none", "Sec_Purpose": "prefetch"}
# The fields of a path; then the request's method and headers, and what comes of it: the status,
# whether what is behind has run, who may read.
POLICIES: dict[str, tuple[dict[str, Any], str, dict[str, str], int, bool, str | None]] = {
    "an audience": ({"policy": BOTH}, "GET", {"Origin": SHOP}, 200, True, SHOP),
    "everybody else": ({"policy": BOTH}, "GET", {"Origin": OTHER}, 200, True, "*"),
    "credentials": (
        {"origins": SHOP, "allow_credentials": True}, "GET", {"Origin": SHOP}, 200, True, SHOP
    ),
    "only reported": (
        {"origins": SHOP, "enforce": "report"}, "POST", {"Origin": OTHER}, 200, True, None
    ),
    "a preflight for the view": (
        BY_VIEW, "OPTIONS", {"Origin": SHOP, **PREFLIGHT}, 200, True, SHOP
    ),
    "a rejected one": (BY_VIEW, "OPTIONS", {"Origin": OTHER, **PREFLIGHT}, 200, True, None),
    "a safe method": (ENFORCED, "GET", {"Origin": OTHER}, 403, False, None),
    "ahead of time": (ENFORCED, "GET", AHEAD, 403, False, None),
    "from another site": (ENFORCED, "GET", {"Sec_Fetch_Site": "cross-site"}, 403, False, None),
    "an own page": (ENFORCED, "POST", {"Sec_Fetch_Site": "same-origin"}, 200, True, None),
    "public to read": (PUBLIC, "GET", {"Origin": OTHER}, 200, True, "*"),
    "public, to write": (PUBLIC, "POST", {"Origin": OTHER}, 403, False, None),
    "the preflight for that": (PUBLIC, "OPTIONS", {"Origin": OTHER, **PREFLIGHT}, 403, False, None),
    "a handshake": (
        {"origins": SHOP, "enforce": "unsafe"},
        "GET", {"Origin": OTHER, "Upgrade": "websocket"}, 403, False, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "method", "headers", "status", "has_run", "acao"), POLICIES.values(), ids=POLICIES
)
def test_every_kind_of_policy(
    kind: Any, fields: Any, method: str, headers: Any, status: int, has_run: bool, acao: str | None
) -> None:
    app, guard = made()
    given = dict(fields)
    guard.for_path("/p", given.pop("policy", None), **given)
    sent = kind(guard, app, ["/p"]).send(method, "/p/a", **headers)
    assert (sent.status, sent.has_run, sent.value(ACAO)) == (status, has_run, acao)
    credentials = sent.value("Access-Control-Allow-Credentials")
    assert (credentials == "true") == ("allow_credentials" in fields)


def test_an_exempt_route_is_untouched(kind: Any) -> None:
    app, guard = made()
    app.add_url_rule("/plain/own", "own", cors_exempt(lambda: ""))
    own = [(ACAO, "https://own.example"), (VARY, "Cookie")]
    front = kind(guard, app, ["/plain"], own)
    for method, extra in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        sent = front.send(method, "/plain/own", Origin=OTHER, **extra)
        assert sent.has_run
        assert [(name.title(), value) for name, value in sent.headers] == own


def test_changes_while_the_app_runs(kind: Any, tmp_path: Path) -> None:
    app, guard = made()
    front = kind(guard, app, ["/plain"])
    assert front.send("GET", "/plain/a", Origin=OTHER).value(ACAO) is None
    guard.reconfigure(origins=[OTHER], app=app)
    assert front.send("GET", "/plain/a", Origin=OTHER).value(ACAO) == OTHER

    app.add_url_rule("/plain/late", "late", cors(origins=["https://late.example"])(lambda: ""))
    late = front.send("GET", "/plain/late", Origin="https://late.example")
    assert late.value(ACAO) == "https://late.example"


def test_a_settings_file_is_followed(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "cors.toml"
    path.write_text(f'origins = ["{SHOP}"]\n')
    path.chmod(0o600)
    app = Flask("app", static_folder=None)
    app.config["CORSGUARD_SETTINGS_FILE"] = str(path)
    guard = CorsGuard(app)
    front = kind(guard, app, ["/plain"])
    assert front.send("GET", "/plain/a", Origin=OTHER).value(ACAO) is None
    other = tmp_path / "other.toml"
    other.write_text(f'origins = ["{OTHER}"]\n')
    other.chmod(0o600)
    os.utime(other, (1_000_000_000, 1_000_000_000))
    other.replace(path)
    file = state_of(app).settings_file
    assert file is not None
    for _ in range(2):  # it counts once two looks at it agree
        file.next_look = 0
        sent = front.send("GET", "/plain/a", Origin=OTHER)
    assert sent.value(ACAO) == OTHER


def test_a_report_only_policy(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("app", static_folder=None)
    guard = CorsGuard(app, origins=[OTHER], report_only=Policy(origins=[SHOP]))
    heard: list[Decision] = []

    def receiver(sender: Flask, decision: Decision) -> None:
        heard.append(decision)

    with origin_rejected.connected_to(receiver):
        assert kind(guard, app, "/").send("GET", "/a", Origin=OTHER).value(ACAO) == OTHER
    assert [decision.report_only for decision in heard] == [True]
    assert "no route matches" not in caplog.text  # what is behind the guard may serve it
    assert "To allow it: origins=" in heard[0].explain()


def test_a_policy_that_cannot_be_used(kind: Any) -> None:
    """As in the app: nothing is served until it is fixed."""
    app, guard = made()
    app.add_url_rule("/plain/x", "x", cors("nobody")(lambda: ""))
    front = kind(guard, app, ["/plain"])
    for _ in range(2):
        with pytest.raises(PolicyError, match="nobody"):
            front.send("GET", "/plain/a", Origin=SHOP)
    assert front.runs == 0


def test_a_converter_runs_in_the_context_of_the_app(kind: Any) -> None:
    class Slug(BaseConverter):
        def to_python(self, value: str) -> str:
            return f"{current_app.name} {value}"

    app, guard = made()
    app.url_map.converters["slug"] = Slug
    app.add_url_rule("/plain/<slug:name>", "slug", cors(origins=[OTHER])(lambda name: name))
    front = kind(guard, app, ["/plain"])
    assert front.send("GET", "/plain/a", Origin=OTHER).value(ACAO) == OTHER


class TestMountedDeeper:
    """The app's own paths are others than those in front of it: its own routes decide, and one log
    line says where the guard belongs."""

    def site(self) -> tuple[Flask, CorsGuard, list[str]]:
        app, guard = made()
        ran: list[str] = []

        @app.route("/who", methods=["GET", "POST"])
        @cors(origins=[OTHER], enforce="unsafe")
        def who() -> str:
            ran.append(current_decision.outcome.name)
            return ran[-1]

        return app, guard, ran

    def mounted(self, app: Flask) -> DispatcherMiddleware:
        return DispatcherMiddleware(Flask("other"), {"/plain": app})

    def test_the_guard_outside(self, caplog: pytest.LogCaptureFixture) -> None:
        app, guard, ran = self.site()
        front = Client(guard.wsgi(self.mounted(app), paths=["/plain"], app=app))
        assert front.post("/plain/who", headers={"Origin": SHOP}).status_code == 403
        assert ran == []
        got = front.get("/plain/who", headers={"Origin": OTHER})
        assert (got.text, got.headers[ACAO], got.headers[VARY]) == ("ALLOWED", OTHER, "Origin")
        missing = front.get("/plain/missing", headers={"Origin": SHOP})
        assert (missing.status_code, missing.headers[ACAO]) == (404, SHOP)
        lines = [each.getMessage() for each in caplog.records if "mounted" in each.getMessage()]
        [line] = lines
        assert "DispatcherMiddleware" in line
        assert "'/plain/who'" in line
        assert "'/who'" in line

    def test_the_guard_inside(self, caplog: pytest.LogCaptureFixture) -> None:
        app, guard, ran = self.site()
        app.wsgi_app = guard.wsgi(app.wsgi_app, paths="/")  # type: ignore[method-assign]
        client = Client(self.mounted(app))
        assert client.post("/plain/who", headers={"Origin": SHOP}).status_code == 403
        assert client.get("/plain/who", headers={"Origin": OTHER}).headers[ACAO] == OTHER
        assert ran == ["ALLOWED"]
        assert sum(guard.counts(app).values()) == 2
        assert not [each for each in caplog.records if "mounted" in each.getMessage()]


def test_a_guard_in_front_of_another(kind: Any) -> None:
    """It is decided, and counted, once."""
    app, guard = made()

    def inner(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [b""]

    within = guard.wsgi(inner, paths=["/plain"], app=app)
    if kind is Wsgi:
        outside = guard.wsgi(within, paths="/", app=app)
        got = Client(outside).get("/plain/a", headers={"Origin": SHOP})
        assert got.headers.getlist(ACAO) == [SHOP]
    else:
        asgiref = pytest.importorskip("asgiref.wsgi")
        outside = guard.asgi(asgiref.WsgiToAsgi(within), paths="/", app=app)
        messages = played(outside, http_scope("/plain/a", SHOP), REQUEST)
        assert dict(messages[0]["headers"])[b"access-control-allow-origin"] == SHOP.encode()
    assert sum(guard.counts(app).values()) == 1


REQUEST = {"type": "http.request", "body": b"", "more_body": False}


def http_scope(path: str, origin: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"origin", origin.encode()), (b"host", b"localhost")],
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
    }


def test_the_headers_of_a_refusal_within_the_app(caplog: pytest.LogCaptureFixture) -> None:
    """What the app's ``url_value_preprocessor`` ends early has the decision in front of it."""
    app, guard = made()

    @app.url_value_preprocessor
    def end(endpoint: str | None, values: Any) -> None:
        abort(418)

    app.add_url_rule("/plain/x", "x", lambda: "")
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths="/")  # type: ignore[method-assign]
    got = app.test_client().get("/plain/x", headers={"Origin": SHOP})
    assert (got.status_code, got.headers[ACAO]) == (418, SHOP)
    assert sum(guard.counts(app).values()) == 1


def test_a_refused_request_that_is_tried_again() -> None:
    """By middleware that calls the same app once more, with the same environment."""
    app, guard = made()
    front = Wsgi(guard, app, ["/locked"])
    once = front.app

    def again(environ: Any, start_response: Any) -> Any:
        list(once(environ, lambda *_: None))
        return once(environ, start_response)

    front.app = again
    sent = front.send("POST", "/locked/a", Origin=OTHER)
    assert (sent.status, sent.has_run) == (403, False)
    assert sum(guard.counts(app).values()) == 1


def test_the_second_app_if_the_first_has_nothing() -> None:
    app, guard = made()
    guards = [Wsgi(guard, app, paths).app for paths in ("/plain", "/")]

    def cascade(environ: Any, start_response: Any) -> Any:
        list(guards[0](environ, lambda *_: None))
        return guards[1](environ, start_response)

    assert Client(cascade).get("/plain/a", headers={"Origin": SHOP}).headers[ACAO] == SHOP


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({}, "REJECTED"),
        ({"HTTP_ORIGIN": SHOP}, "ALLOWED"),
        ({"HTTP_ORIGIN": None}, "NOT_CORS"),
        ({"HTTP_HOST": "other.example"}, "SAME_ORIGIN"),
        ({"HTTP_HOST": "other.example", "wsgi.url_scheme": "https"}, "SAME_ORIGIN"),
        ({"REQUEST_METHOD": "POST"}, "REJECTED"),
    ],
)
def test_what_changes_the_request_within(changes: Any, body: str) -> None:
    """Then the app's hooks decide again: method override, ProxyFix, what drops Origin."""
    app, guard = made()
    app.add_url_rule(
        "/plain/who", "who", lambda: current_decision.outcome.name, methods=["GET", "POST"]
    )

    def inner(environ: Any, start_response: Any) -> Any:
        environ.update(changes)
        if environ.get("HTTP_ORIGIN") is None:
            environ.pop("HTTP_ORIGIN")
        return app(environ, start_response)

    front = Client(guard.wsgi(inner, paths="/plain"))
    assert front.get("/plain/who", headers={"Origin": OTHER}).text == body


def test_another_host_within_has_other_routes() -> None:
    app = Flask("app", static_folder=None, host_matching=True, static_host="x")
    guard = CorsGuard(app, origins=[SHOP])
    app.add_url_rule("/a", "inside", lambda: "", host="inside")
    app.add_url_rule("/a", "outside", cors(origins=[OTHER])(lambda: ""), host="outside")

    def inner(environ: Any, start_response: Any) -> Any:
        return app({**environ, "HTTP_HOST": "outside"}, start_response)

    front = Client(guard.wsgi(inner, paths="/"))
    for origin, acao in ((SHOP, None), (OTHER, OTHER)):
        got = front.get("/a", headers={"Host": "inside", "Origin": origin})
        assert (got.status_code, got.headers.get(ACAO)) == (200, acao)


def test_headers_that_can_be_read_once() -> None:
    """ASGI allows any iterable."""
    app, guard = made()
    app.add_url_rule("/plain/own", "own", cors_exempt(lambda: ""))

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": iter([(b"x", b"y")])})

    front = guard.asgi(inner, paths="/", app=app)
    for path in ("/plain/own", "/plain/a"):
        [start] = played(front, http_scope(path, SHOP))
        assert (b"x", b"y") in list(start["headers"])


def test_a_task_that_outlives_the_request() -> None:
    """It has a copy of the request's context. What it asks of the app is another request."""
    app, guard = made()
    app.add_url_rule("/plain/a", "a", lambda: current_decision.outcome.name)
    counts: list[int] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0)
            app.test_client().get("/plain/a", headers={"Origin": OTHER})
            counts.append(sum(guard.counts(app).values()))

        tasks.append(asyncio.create_task(later()))

    tasks: list[Any] = []

    async def served() -> None:
        await guard.asgi(inner, paths="/", app=app)(http_scope("/plain/a", OTHER), None, None)  # type: ignore[arg-type]
        await tasks[0]

    asyncio.run(served())
    assert counts == [2]


@pytest.mark.parametrize("path", ["/plain/a", "/files/marked", "/locked/a", "/plain/../a"])
def test_nothing_waits_for_the_garbage_collector(kind: Any, path: str) -> None:
    """A request in front is gone with its response."""
    app, guard = made()
    requests: list[weakref.ref[Any]] = []

    class Remembered(Request):
        def __init__(self, environ: Any) -> None:
            super().__init__(environ)
            requests.append(weakref.ref(self))

    app.request_class = Remembered
    front = kind(guard, app, "/")
    front.send("POST", path, Origin=OTHER)
    requests.clear()
    gc.disable()
    try:
        front.send("POST", path, Origin=OTHER)
        assert [each() for each in requests] == [None]
    finally:
        gc.enable()
