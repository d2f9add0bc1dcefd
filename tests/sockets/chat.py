"""A chat with Socket.IO, served: ``python tests/sockets/chat.py threading 8000``. Its origins are
those of the guard.

It tells each page which cookie came with its handshake.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from flask_corsguard import CorsGuard

CHAT = Path(__file__)
KINDS = ("threading", "gevent", "asgi")
#: The environment variable with the origin that may connect.
ALLOWED = "CHAT_ORIGIN"
PAGE = "<!doctype html><title>A page</title><link rel=icon href=data:,>"


def create_app() -> tuple[Flask, CorsGuard]:
    """The app around the chat, with a page of its own."""
    app = Flask("chat", static_folder=None)
    guard = CorsGuard(app, enforce="unsafe")
    guard.for_path("/socket.io", origins=os.environ[ALLOWED], allow_credentials=True)
    app.add_url_rule("/", "page", lambda: (PAGE, {"Set-Cookie": "visit=chat; Path=/"}))
    return app, guard


def cookie_of(environ: Mapping[str, Any]) -> dict[str, Any]:
    return {"cookie": environ.get("HTTP_COOKIE", "")}


def serve(kind: str, port: int) -> None:
    """Serve until the process ends."""
    app, guard = create_app()
    if kind == "asgi":
        return _serve_asgi(app, guard, port)
    from flask import request
    from flask_socketio import SocketIO

    chat = SocketIO(app, async_mode=kind, cors_allowed_origins=guard.origin_check(app))
    chat.on_event("who", lambda: cookie_of(request.environ))
    chat.run(
        app, "127.0.0.1", port, **({} if kind == "gevent" else {"allow_unsafe_werkzeug": True})
    )
    return None


def _serve_asgi(app: Flask, guard: CorsGuard, port: int) -> None:
    import asyncio

    import socketio
    from asgiref.wsgi import WsgiToAsgi
    from hypercorn.asyncio import serve as serve_asgi
    from hypercorn.config import Config

    chat = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=guard.origin_check(app))

    @chat.event
    async def who(sid: str) -> dict[str, Any]:
        return cookie_of(chat.get_environ(sid))

    config = Config()
    config.graceful_timeout = 0.1
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve_asgi(socketio.ASGIApp(chat, WsgiToAsgi(app)), config))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
