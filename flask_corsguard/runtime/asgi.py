"""The guard in front of an ASGI app: ``guard.asgi``.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar, cast

from flask import Request, Response

from flask_corsguard.runtime.front import Front
from flask_corsguard.runtime.front_record import front_record, record_of

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_Result = TypeVar("_Result")
# The messages that start a response; the second one does if a WebSocket is refused.
_STARTS = ("http.response.start", "websocket.http.response.start")
# "Policy violation": https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
_CLOSED = {"type": "websocket.close", "code": 1008, "reason": ""}


def asgi_front(front: Front, inner: AsgiApp) -> AsgiApp:
    """The guard in front of *inner*. Each message passes as soon as it arrives."""
    state = front.state

    async def corsguard_asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not front.covers(_path(scope)[1]):
            return await inner(scope, receive, send)
        environ = environ_of(scope)
        if front_record.get() is not None:
            request = Request(environ, populate_request=False)
            if record_of(state, request) is not None:
                return await inner(scope, receive, send)  # decided by a guard in front of this one
        decide = functools.partial(front.decide, environ)
        record = await _in_thread(decide) if front.may_wait else decide()
        own = front.response(record)
        if own is not None:
            return await _respond(own, environ, scope, receive, send)

        async def send_last(message: Message) -> None:
            if message["type"] in _STARTS:
                sent = list(message.get("headers", ()))  # it may be an iterator
                headers = [(n.decode("latin-1"), value.decode("latin-1")) for n, value in sent]
                written = front.written(record, headers)
                final = sent if written is headers else _encoded(written)
                message = {**message, "headers": final}
            await send(message)

        token = front_record.set(record)
        try:
            await inner(scope, receive, send_last)
        finally:
            front_record.reset(token)
            record.is_taken = True  # tasks that it has started keep this context

    return corsguard_asgi


async def _in_thread(function: Callable[[], _Result]) -> _Result:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # the server runs on Trio
        trio: Any = importlib.import_module("trio")
        return cast("_Result", await trio.to_thread.run_sync(function))
    return await asyncio.to_thread(function)


async def _respond(
    own: Response, environ: dict[str, Any], scope: Scope, receive: Receive, send: Send
) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send(dict(_CLOSED))
        return
    headers = own.get_wsgi_headers(environ).to_wsgi_list()
    body = b"" if scope["method"] == "HEAD" else own.get_data()
    await send({"type": _STARTS[0], "status": own.status_code, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    # Names are in lower case in ASGI.
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _path(scope: Scope) -> tuple[str, str]:
    """The root, and the path below it. Servers differ on whether ``path`` includes the root."""
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if root and f"{path}/".startswith(f"{root}/"):
        path = path[len(root) :]
    return root, path if path.startswith("/") else f"/{path}"


def environ_of(scope: Scope) -> dict[str, Any]:
    """The WSGI environment of an ASGI request, with everything that decisions, and callables that
    take the request, need."""
    # Even a path that no server can have read from bytes must not raise an exception.
    root, path = (part.encode("utf-8", "surrogatepass").decode("latin-1") for part in _path(scope))
    scheme = scope.get("scheme", "http")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "wsgi.url_scheme": scheme,
    }
    server, client = scope.get("server"), scope.get("client")
    name, port = server or ("localhost", None)
    environ["SERVER_NAME"] = name
    environ["SERVER_PORT"] = str(port or (443 if scheme in ("https", "wss") else 80))
    if client:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    for name, value in scope.get("headers", ()):
        if b"_" in name:
            continue  # in WSGI, it would look like the name with a hyphen
        key, text = name.upper().decode("latin-1").replace("-", "_"), value.decode("latin-1")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if scope["type"] == "websocket":  # over HTTP/2 it does not have these headers
        environ |= {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
    return environ
