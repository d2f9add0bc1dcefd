"""Flask apps beside others, in ASGI frameworks and in WSGI dispatchers."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from flask_corsguard import CorsGuard, cors, current_decision

from ..listening import require
from .asgi_client import ask, played
from .served import OTHER, SHOP

# What other packages warn of is not the guard's: Starlette's WSGIMiddleware, that it is old.
pytestmark = pytest.mark.filterwarnings("ignore", "error:::flask_corsguard")
ACAO = "access-control-allow-origin"
PREFLIGHT = {"access-control-request-method": "PUT"}


def made() -> tuple[Flask, CorsGuard]:
    app = Flask("app", static_folder=None)
    guard = CorsGuard(app, origins=[SHOP])
    guard.for_path("/api", origins=[OTHER], enforce="unsafe")

    @app.get("/who")
    @cors(origins=[OTHER])
    def who() -> str:
        return current_decision.outcome.name

    return app, guard


def _asgiref(app: Flask) -> Any:
    require(["asgiref"])
    from asgiref.wsgi import WsgiToAsgi

    return WsgiToAsgi(app)


def _a2wsgi(app: Flask) -> Any:
    require(["a2wsgi"])
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(app)


def _starlette(app: Flask) -> Any:
    from starlette.middleware.wsgi import WSGIMiddleware

    return WSGIMiddleware(app)


WAYS = {"asgiref": _asgiref, "a2wsgi": _a2wsgi, "Starlette": _starlette}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
class TestInStarlette:
    def site(self, way: Callable[[Flask], Any], where: str) -> tuple[Any, Flask, CorsGuard]:
        require(["starlette"])
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Mount, Route

        app, guard = made()

        async def thing(_: Any) -> Any:
            return PlainTextResponse("thing", headers={"Access-Control-Allow-Origin": "*"})

        mounted = way(app)
        if where == "inside":
            mounted = guard.asgi(mounted, paths="/", app=app)
        routes = [
            Route("/api/thing", thing, methods=["GET", "POST"]),
            Mount("/flask", mounted),
        ]
        starlette = Starlette(routes=routes)
        if where == "outside":
            starlette.add_middleware(guard.asgi, paths=["/api"], app=app)  # type: ignore[arg-type]
        return starlette, app, guard

    def test_beside_the_flask_app(self, way: Any) -> None:
        """Under ``/api`` the guard decides in front of Starlette, elsewhere the app's hooks do."""
        starlette, app, guard = self.site(way, "outside")
        for method, path, headers, status, reader in (
            ("GET", "/api/thing", {"origin": OTHER}, 200, OTHER),
            ("GET", "/api/thing", {"origin": SHOP}, 200, None),
            ("POST", "/api/thing", {"origin": SHOP}, 403, None),
            ("OPTIONS", "/api/thing", {"origin": OTHER, **PREFLIGHT}, 204, OTHER),
            ("GET", "/api/missing", {"origin": OTHER}, 404, OTHER),
            ("GET", "/flask/../api/thing", {"origin": OTHER}, 403, None),
            ("GET", "/flask/who", {"origin": OTHER}, 200, OTHER),
            ("GET", "/flask/who", {"origin": SHOP}, 200, None),
            ("OPTIONS", "/flask/who", {"origin": SHOP, **PREFLIGHT}, 403, None),
        ):
            got = ask(starlette, method, path, headers)
            assert (got.status, got.get(ACAO)) == (status, reader), path
        assert sum(guard.counts(app).values()) == 9

    def test_inside_of_a_mount(self, way: Any) -> None:
        starlette, app, guard = self.site(way, "inside")
        for root in ("", "/root"):
            got = ask(starlette, "GET", f"{root}/flask/who", {"origin": OTHER}, root_path=root)
            assert (got.status, got.get(ACAO), got.body) == (200, OTHER, b"ALLOWED")
        got = ask(starlette, "OPTIONS", "/flask/who", {"origin": SHOP, **PREFLIGHT})
        assert (got.status, got.get(ACAO)) == (403, None)
        assert sum(guard.counts(app).values()) == 3


def test_in_fastapi() -> None:
    """What has a side effect does not run for a stranger."""
    require(["fastapi", "asgiref"])
    from fastapi import FastAPI, WebSocket

    app, guard = made()
    ran: list[str] = []
    site = FastAPI()

    @site.post("/api/thing")
    async def thing() -> str:
        ran.append("thing")
        return "thing"

    @site.websocket("/api/socket")
    async def socket(opened: WebSocket) -> None:
        ran.append("socket")
        await opened.accept()
        await opened.send_text("hello")
        await opened.close()

    site.mount("/", _asgiref(app))
    site.add_middleware(guard.asgi, paths=["/api"], app=app)
    assert ask(site, "POST", "/api/thing", {"origin": SHOP}).status == 403
    assert ask(site, "POST", "/api/thing", {"origin": OTHER}).get(ACAO) == OTHER
    assert ask(site, "GET", "/who", {"origin": OTHER}).body == b"ALLOWED"
    for origin, types in (
        (SHOP, ["websocket.close"]),
        (OTHER, ["websocket.accept", "websocket.send", "websocket.close"]),
    ):
        headers = [(b"origin", origin.encode()), (b"host", b"localhost")]
        scope = {"type": "websocket", "path": "/api/socket", "headers": headers, "scheme": "ws"}
        messages = played(site, {**scope, "query_string": b""}, [{"type": "websocket.connect"}])
        assert [message["type"] for message in messages] == types
    assert ran == ["thing", "socket"]


def test_the_guard_in_front_of_a_dispatcher() -> None:
    """What another app responds there has the policy of the path."""
    app, guard = made()
    other = Flask("other")
    other.add_url_rule("/a", "a", lambda: ("a", 200, {"Access-Control-Allow-Origin": "*"}))
    dispatcher = DispatcherMiddleware(app.wsgi_app, {"/api": other})
    app.wsgi_app = guard.wsgi(dispatcher, paths=["/api"])  # type: ignore[method-assign]
    for root in ("", "/root"):
        client = Client(DispatcherMiddleware(Flask("outer"), {root: app}) if root else app)
        for origin, reader in ((OTHER, [OTHER]), (SHOP, [])):
            got = client.get(f"{root}/api/a", headers={"Origin": origin})
            assert (got.text, got.headers.getlist(ACAO)) == ("a", reader)
        assert client.post(f"{root}/api/a", headers={"Origin": SHOP}).status_code == 403
        assert client.get(f"{root}/who", headers={"Origin": OTHER}).text == "ALLOWED"


def test_proxy_fix_outside() -> None:
    """As the app knows what host and scheme it has, so does the guard in front of it."""
    app, guard = made()

    def inner(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ran"]

    front = guard.wsgi(inner, paths=["/api"], app=app)
    own = {"Origin": "https://own.example"}
    forwarded = {**own, "X-Forwarded-Host": "own.example", "X-Forwarded-Proto": "https"}
    assert Client(front).post("/api/x", headers=forwarded).status_code == 403
    fixed = ProxyFix(front, x_host=1, x_proto=1)
    assert Client(fixed).post("/api/x", headers=forwarded).text == "ran"
