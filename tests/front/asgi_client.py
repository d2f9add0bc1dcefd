"""Asks ASGI apps without a server."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
LONGEST = 20.0


class Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """The value of a header that may come once; None without it."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, values
        return values[0] if values else None


def http_scope(method: str, path: str, headers: dict[str, str], **others: Any) -> dict[str, Any]:
    named = {"host": "localhost", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 5),
        **others,
    }


def ask(app: Any, method: str, path: str, headers: dict[str, str], **others: Any) -> Response:
    start, *rest = played(app, http_scope(method, path, headers, **others), [REQUEST])
    sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Response(start["status"], sent, b"".join(each.get("body", b"") for each in rest))


def played(app: Any, scope: dict[str, Any], received: Iterable[Any] = ()) -> list[Any]:
    """What an app sends. After what it receives, nothing more comes."""
    waiting, messages = list(received), []

    async def receive() -> Any:
        if not waiting:
            await asyncio.sleep(LONGEST)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(asyncio.wait_for(app(scope, receive, send), LONGEST))
    return messages
