"""The libraries that respond in front of Flask themselves, where other tests have what looks like
them: what the audit finds, what explain() says, and what happens."""

import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard
from flask_corsguard.audit import audit

from .cases import codes_of, told

SHOP, OTHER = "https://shop.example", "https://other.example"
REQUIRED = os.environ.get("CORSGUARD_REQUIRE_APPS") == "1"
pytestmark = pytest.mark.slow


def need(*modules: str) -> None:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        (pytest.fail if REQUIRED else pytest.skip)(f"not installed: {', '.join(missing)}")


def shop(**fields: Any) -> tuple[Flask, CorsGuard]:
    app = Flask("shop", static_folder=None)
    return app, CorsGuard(app, origins=[SHOP], **fields)


def read(app: Flask, path: str, origin: str) -> tuple[int, str | None]:
    with app.test_client().get(path, headers={"Origin": origin}) as got:
        return got.status_code, got.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize(
    ("allowed", "found", "outcome", "status"),
    [
        ("*", "socketio_allows_all", "EXEMPT", 200),
        ([], "socketio_allows_all", "EXEMPT", 200),
        (None, "", "EXEMPT", 400),
        ([SHOP], "", "EXEMPT", 400),
        ([SHOP, OTHER], "socketio_differs", "EXEMPT", 200),
        ("the guard's", "", "REJECTED", 400),
    ],
)
def test_flask_socketio(allowed: Any, found: str, outcome: str, status: int) -> None:
    need("flask_socketio")
    from flask_socketio import SocketIO

    app, guard = shop(allow_credentials=True, enforce="unsafe")
    guard.for_path("/socket.io", origins=[SHOP])
    setting = guard.origin_check(app) if allowed == "the guard's" else allowed
    SocketIO(app, async_mode="threading", cors_allowed_origins=setting)
    report = audit(app)
    assert codes_of(report) == set(found.split()), told(report)
    path = "/socket.io/?EIO=4&transport=polling"
    assert guard.explain(path, origin=OTHER, app=app).outcome.name == outcome
    assert read(app, path, OTHER)[0] == status


def test_socketio_under_asgi() -> None:
    need("socketio")
    from socketio import ASGIApp, AsyncServer

    app, guard = shop(allow_credentials=True)
    server = AsyncServer(async_mode="asgi", cors_allowed_origins=guard.origin_check(app))
    guard.asgi(ASGIApp(server), paths=["/socket.io"], app=app)
    for origin, outcome in ((SHOP, "ALLOWED"), (OTHER, "REJECTED")):
        decision = guard.explain("ws://localhost/socket.io/", origin=origin, app=app)
        assert decision.outcome.name == outcome
        assert decision.in_front == "Socket.IO responds here, and asks guard.origin_check"


@pytest.mark.parametrize("autorefresh", [False, True])
@pytest.mark.parametrize(
    ("is_behind", "found", "outcome", "acao"),
    [(False, "whitenoise_allows_all", "EXEMPT", "*"), (True, "", "REJECTED", None)],
)
def test_whitenoise(
    tmp_path: Path,
    autorefresh: bool,
    is_behind: bool,
    found: str,
    outcome: str,
    acao: str | None,
) -> None:
    need("whitenoise")
    from whitenoise import WhiteNoise

    (tmp_path / "a.js").write_text("")
    app, guard = shop()
    guard.for_path("/static", origins=[SHOP], max_age=60)
    files: Any = WhiteNoise(app.wsgi_app, tmp_path, "static", autorefresh=autorefresh)
    app.wsgi_app = guard.wsgi(files, paths=["/static"]) if is_behind else files  # type: ignore[method-assign]
    report = audit(app)
    assert codes_of(report) == set(found.split()), told(report)
    assert guard.explain("/static/a.js", origin=OTHER, app=app).outcome.name == outcome
    assert guard.explain("/static/b.js", origin=OTHER, app=app).outcome.name == "REJECTED"
    assert read(app, "/static/a.js", OTHER) == (200, acao)


@pytest.mark.filterwarnings("ignore")  # its own, about Starlette
@pytest.mark.parametrize("guarded", ["not at all", "around", "in the stack"])
def test_connexion(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each outcome is what a client of the Connexion app then finds."""
    need("connexion", "starlette", "httpx")
    import connexion
    from connexion.middleware import MiddlewarePosition
    from starlette.testclient import TestClient

    views = types.ModuleType("views_of_a_specification")
    views.put = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, views.__name__, views)
    put = {"operationId": f"{views.__name__}.put", "responses": {"200": {"description": ""}}}
    outer = connexion.FlaskApp("api")
    outer.add_api({
        "openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {"/x": {"put": put}}
    })  # fmt: skip
    outer.app.add_url_rule("/own", "own", lambda: "", methods=["GET", "PUT"])
    guard = CorsGuard(outer.app, origins=[SHOP])
    is_behind, served = guarded != "not at all", outer
    paths = {"paths": ["/"], "app": outer.app}
    if guarded == "around":
        served = guard.asgi(outer, **paths)
    elif guarded == "in the stack":
        outer.add_middleware(guard.asgi, MiddlewarePosition.BEFORE_EXCEPTION, **paths)
    early = guard.explain("/x", origin=SHOP, method="PUT", app=outer.app)
    # It has no route and no stack yet.
    assert early.outcome.name == ("ALLOWED" if guarded == "around" else "EXEMPT")
    assert guarded == "around" or "unless guard.asgi is in its stack" in early.in_front
    client = TestClient(served, raise_server_exceptions=False)
    for path, method in (("/x", "PUT"), ("/own", "PUT"), ("/own", "GET"), ("/nowhere", "GET")):
        asked = {"Access-Control-Request-Method": method} if method == "PUT" else {}
        verb = "OPTIONS" if asked else method
        got = client.request(verb, path, headers={"Origin": SHOP, **asked})
        is_read = got.headers.get("access-control-allow-origin") == SHOP
        outcome = guard.explain(path, origin=SHOP, method=method, app=outer.app).outcome.name
        assert outcome == ("ALLOWED" if is_read else "EXEMPT"), (path, method)
        assert is_read or not is_behind
    report = audit(outer.app)
    assert codes_of(report) == (set() if is_behind else {"connexion_in_front"}), told(report)
