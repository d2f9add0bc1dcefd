"""Starlette, for scale: its apps are played without a server and without an event loop."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from .requests import ORIGIN, Request
from .timing import Contender

Scope = dict[str, Any]
Message = dict[str, Any]


async def item(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse(str(request.path_params["number"]))


def bare_starlette() -> Starlette:
    # OPTIONS, as Flask has it on every route.
    return Starlette(routes=[Route("/items/{number:int}", item, methods=["GET", "OPTIONS"])])


def starlette_middleware() -> Starlette:
    app = bare_starlette()
    middleware = Middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_headers=["content-type"])
    app.user_middleware.append(middleware)
    return app


STARLETTE_APPS: dict[str, Callable[[], Starlette]] = {
    "bare Starlette": bare_starlette,
    "Starlette's middleware": starlette_middleware,
}


def contender(app: Starlette, request: Request) -> Contender:
    scope = scope_of(request)
    return Contender(player(app), lambda: {**scope, "headers": [*scope["headers"]]})


def player(app: Starlette) -> Callable[[Scope], None]:
    async def send(_: Message) -> None:
        """Take a part of the answer."""

    return lambda scope: step(app, scope, send)


def step(app: Starlette, scope: Scope, send: Any) -> None:
    """Nothing in these apps waits, so the first step of the coroutine is its last."""
    coroutine: Any = app(scope, receive, send)
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the app waits for something")


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def answer(app: Starlette, request: Request) -> tuple[int, list[tuple[str, str]]]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    step(app, scope_of(request), send)
    headers = [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]
    return messages[0]["status"], headers


def scope_of(request: Request) -> Scope:
    headers = {"host": "localhost", **request.headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
    }
