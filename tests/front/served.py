"""What the servers in these tests serve: a Flask app, and its guard in front of that and of what
responds without Flask."""

import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask

from flask_corsguard import CorsGuard, cors, current_decision

SHOP, OTHER = "https://shop.example", "https://other.example"
CHUNKS = b"first", b"last"

flask_app = Flask("served", static_folder=None)
guard = CorsGuard(flask_app, origins=[SHOP])
guard.for_path("/locked", enforce="unsafe")
_may_end = threading.Event()
_runs: list[str] = []


@flask_app.get("/slow")
def slow() -> Any:
    """Its end comes when another request has asked for it."""
    _may_end.clear()

    def chunks() -> Iterator[bytes]:
        yield CHUNKS[0]
        assert _may_end.wait(20)
        yield CHUNKS[1]

    return chunks(), {"Content-Type": "text/plain"}


@flask_app.get("/end")
def end() -> str:
    _may_end.set()
    return ""


@flask_app.route("/locked/do", methods=["POST"])
def do() -> str:
    _runs.append("do")
    return current_decision.outcome.name


@flask_app.get("/marked")
@cors(origins=[OTHER])
def marked() -> str:
    return current_decision.outcome.name


@flask_app.get("/known")
def known() -> dict[str, Any]:
    counts = guard.counts(flask_app)
    return {"runs": len(_runs), "counted": sum(counts.values())}


def beside(wsgi_as_asgi: Any) -> Any:
    """An ASGI app that has WebSockets of its own, and passes requests on to the Flask app."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            message = {"type": ""}
            while message["type"] != "lifespan.shutdown":
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
        elif scope["type"] == "websocket":
            _runs.append("socket")
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"].upper()})
        elif scope["path"] == "/end":  # asgiref has one thread for all requests to the Flask app
            _may_end.set()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await wsgi_as_asgi(scope, receive, send)

    return guard.asgi(app, paths="/")


def by_asgiref() -> Any:
    from asgiref.wsgi import WsgiToAsgi

    return beside(WsgiToAsgi(flask_app))


def by_a2wsgi() -> Any:
    from a2wsgi import WSGIMiddleware

    return beside(WSGIMiddleware(flask_app))


def by_starlette() -> Any:
    from starlette.middleware.wsgi import WSGIMiddleware

    return beside(WSGIMiddleware(flask_app))


def by_wsgi() -> Any:
    return guard.wsgi(flask_app, paths="/")
