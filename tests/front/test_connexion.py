"""Connexion 3 is an ASGI app that asks a Flask app, last of all."""

import asyncio
import os
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, cors, current_decision

from .asgi_client import ask
from .served import OTHER, SHOP

# What other packages warn of is not the guard's.
pytestmark = pytest.mark.filterwarnings("ignore", "error:::flask_corsguard")
IS_REQUIRED = bool(os.environ.get("CORSGUARD_REQUIRE_EXTENSIONS"))
OK = {"responses": {"200": {"description": "as wished"}}}
NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
SPECIFICATION = {
    "openapi": "3.0.0",
    "info": {"title": "items", "version": "1"},
    "paths": {
        "/items/{number}": {
            "parameters": [NUMBER],
            "get": {"operationId": "read", **OK},
            "post": {"operationId": "write", **OK},
        },
        "/page": {
            "get": {
                "operationId": "page",
                "parameters": [{"name": "at", "in": "query", "schema": {"type": "integer"}}],
                **OK,
            }
        },
        "/secret": {"get": {"operationId": "secret", "security": [{"token": []}], **OK}},
        "/failing": {"get": {"operationId": "failing", **OK}},
    },
    "components": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": f"{__name__}.nobody"}
        }
    },
}


def nobody(_: str) -> None:
    """The bearer of a token."""


class Site(NamedTuple):
    asgi_app: Any
    flask_app: Flask
    guard: CorsGuard
    ran: list[str]


def made(way: str) -> Site:
    import connexion
    from connexion.middleware import MiddlewarePosition

    ran: list[str] = []

    @cors(origins=[OTHER])
    def read(number: int) -> str:
        return current_decision.outcome.name

    def write(number: int) -> str:
        ran.append("write")
        return current_decision.outcome.name

    def failing() -> str:
        raise RuntimeError

    views = {"read": read, "write": write, "failing": failing}
    resolver = connexion.Resolver(lambda name: views.get(name, lambda **_: ""))
    app = connexion.FlaskApp("items")
    guard = CorsGuard(app.app, origins=[SHOP])
    guard.for_path("/v2", enforce="unsafe")
    guard.for_path("/v1/ui", origins=[OTHER])
    guard.for_endpoint("one.page", origins=[OTHER])
    paths = {"paths": ["/v1", "/v2"], "app": app.app}
    if way == "in the stack":
        app.add_middleware(guard.asgi, position=MiddlewarePosition.BEFORE_EXCEPTION, **paths)
    for name, version in (("one", "/v1"), ("two", "/v2")):
        app.add_api(SPECIFICATION, base_path=version, name=name, resolver=resolver)
    if way == "in the stack":
        return Site(app, app.app, guard, ran)
    front = guard.asgi(app, **paths)
    asyncio.run(_started(front))
    return Site(front, app.app, guard, ran)


async def _started(app: Any) -> None:
    """As a server starts it: then Connexion makes its routes."""
    started = asyncio.Event()

    async def receive() -> Any:
        if started.is_set():
            await asyncio.sleep(60)
        return {"type": "lifespan.startup"}

    async def send(_: Any) -> None:
        started.set()

    task = asyncio.create_task(app({"type": "lifespan", "asgi": {}}, receive, send))
    await asyncio.wait_for(started.wait(), 20)
    task.cancel()


@pytest.fixture(scope="module", params=["in the stack", "around it, started"])
def site(request: pytest.FixtureRequest) -> Site:
    missing = [name for name in ("connexion", "swagger_ui_bundle") if find_spec(name) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        pytest.fail(reason) if IS_REQUIRED else pytest.skip(reason)
    return made(request.param)


ACAO = "access-control-allow-origin"
PREFLIGHT = {"access-control-request-method": "GET"}


@pytest.mark.parametrize(
    ("method", "path", "origin", "status", "reader"),
    [
        ("preflight", "/v1/items/1", OTHER, 204, OTHER),
        ("preflight", "/v1/items/1", SHOP, 403, None),
        ("preflight", "/v2/items/1", OTHER, 204, OTHER),
        ("GET", "/v1/items/1", OTHER, 200, OTHER),
        ("GET", "/v1/items/1", SHOP, 200, None),
        ("GET", "/v1/page", OTHER, 200, OTHER),
        ("GET", "/v1/page?at=x", OTHER, 400, OTHER),
        ("GET", "/v1/items/x", SHOP, 404, SHOP),
        ("GET", "/v1/missing", SHOP, 404, SHOP),
        ("DELETE", "/v1/items/1", OTHER, 405, OTHER),
        ("GET", "/v1/secret", SHOP, 401, SHOP),
        ("GET", "/v1/failing", SHOP, 500, SHOP),
        ("GET", "/v1/ui/", OTHER, 200, OTHER),
        ("GET", "/v1/openapi.json", SHOP, 200, SHOP),
        ("POST", "/v2/items/1", OTHER, 403, None),
        ("POST", "/v2/items/1", SHOP, 200, SHOP),
        ("GET", "/v1/x/../items/1", OTHER, 403, None),
    ],
)
def test_one_request(
    site: Site, method: str, path: str, origin: str, status: int, reader: str | None
) -> None:
    before, runs = sum(site.guard.counts(site.flask_app).values()), len(site.ran)
    headers = {"origin": origin}
    if method == "preflight":
        method, headers = "OPTIONS", {**headers, **PREFLIGHT}
    where, _, query = path.partition("?")
    got = ask(site.asgi_app, method, where, headers, query_string=query.encode())
    assert (got.status, got.get(ACAO)) == (status, reader), got.body
    assert "Origin" in (got.get("vary") or "")
    if status >= 400:
        assert got.get("content-type") == "application/problem+json"
    assert sum(site.guard.counts(site.flask_app).values()) == before + 1
    assert len(site.ran) == runs + (method == "POST" and status == 200)


def test_the_views_hear_of_it(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for origin, outcome in ((OTHER, b"ALLOWED"), (SHOP, b"REJECTED")):
        assert outcome in ask(site.asgi_app, "GET", "/v1/items/1", {"origin": origin}).body
    # Connexion has the app's wsgi_app from before the guard; it is in front of both.
    assert not [each for each in caplog.records if "middleware" in each.getMessage()]
