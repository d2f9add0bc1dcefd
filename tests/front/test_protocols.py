"""What WSGI and ASGI allow passes through the guard; what is odd does no harm."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from flask_corsguard import CorsGuard

from .asgi_client import ask, http_scope, played
from .served import OTHER, SHOP

ACAO, VARY = "Access-Control-Allow-Origin", "Vary"


def made() -> tuple[Flask, CorsGuard]:
    app = Flask("app", static_folder=None)
    guard = CorsGuard(app, origins=[SHOP])
    guard.for_path("/locked", enforce="unsafe")
    return app, guard


class Started:
    """What a WSGI server has been told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        assert type(headers) is list
        assert len(dict(headers)) == len(headers)
        self.calls.append((status, dict(headers), exc_info))
        return self.written.append

    def call(self, inner: Any, path: str = "/x", **environ: Any) -> Any:
        _, guard = made()
        asked = EnvironBuilder(path, headers={"Origin": SHOP}).get_environ() | environ
        return guard.wsgi(inner, paths="/")(asked, self)


class TestWsgi:
    def test_what_is_written(self) -> None:
        def inner(_: Any, start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [])
            write(b"one")
            write(b"two")
            return [b"three"]

        started = Started()
        assert started.call(inner) == [b"three"]
        assert started.written == [b"one", b"two"]
        assert started.calls == [("200 OK", {ACAO: SHOP, VARY: "Origin"}, None)]

    def test_a_second_start(self) -> None:
        """What replaces the first response has the headers too; ``exc_info`` goes on."""

        def inner(_: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [(ACAO, "*"), ("X-A", "1")])
            start_response("500 Sorry", [(VARY, "Cookie")], ("type", "value", "traceback"))
            return []

        started = Started()
        started.call(inner)
        assert started.calls == [
            ("200 OK", {"X-A": "1", ACAO: SHOP, VARY: "Origin"}, None),
            ("500 Sorry", {ACAO: SHOP, VARY: "Cookie, Origin"}, ("type", "value", "traceback")),
        ]

    def test_a_start_with_the_first_chunk(self) -> None:
        closed: list[str] = []

        def inner(_: Any, start_response: Any) -> Iterator[bytes]:
            try:
                start_response("200 OK", [])
                yield b"one"
                yield b"two"
            finally:
                closed.append("closed")

        started = Started()
        chunks = started.call(inner)
        assert started.calls == []
        assert next(chunks) == b"one"
        assert started.calls == [("200 OK", {ACAO: SHOP, VARY: "Origin"}, None)]
        chunks.close()
        assert closed == ["closed"]

    def test_a_file(self) -> None:
        """The server recognises its own wrapper, and can have the system send the file."""

        def inner(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"file"))

        started = Started()
        assert type(started.call(inner, **{"wsgi.file_wrapper": FileWrapper})) is FileWrapper

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
    def test_an_exception(self, error: type[BaseException]) -> None:
        def inner(_: Any, start_response: Any) -> Any:
            raise error

        with pytest.raises(error):
            Started().call(inner)

    def test_elsewhere_nothing_is_touched(self) -> None:
        _, guard = made()
        seen: list[Any] = []

        def inner(environ: Any, start_response: Any) -> Any:
            seen.extend((environ, dict(environ), start_response))
            return seen

        environ = EnvironBuilder("/elsewhere", headers={"Origin": OTHER}).get_environ()
        before, started = dict(environ), Started()
        assert guard.wsgi(inner, paths=["/x"])(environ, started) is seen
        assert seen[0] is environ
        assert seen[1:] == [before, started]

    @pytest.mark.parametrize(
        ("environ", "status"),
        [
            ({"PATH_INFO": "//locked/x"}, "403"),
            ({"PATH_INFO": "locked/x"}, "200"),
            ({"PATH_INFO": ""}, "200"),
            ({"PATH_INFO": None}, "200"),
            ({"PATH_INFO": "/\0"}, "200"),
            ({"PATH_INFO": "/\xff"}, "200"),
            ({"PATH_INFO": "/" + "x" * 1_000_000}, "200"),
            ({"PATH_INFO": "/../" * 10_000}, "403"),
            ({"SCRIPT_NAME": None}, "200"),
            ({"QUERY_STRING": None}, "200"),
            ({"HTTP_HOST": None}, "200"),
            ({"HTTP_HOST": ""}, "200"),
            ({"HTTP_HOST": "[::1"}, "200"),
            ({"HTTP_HOST": "\xff..:x"}, "200"),
            ({"HTTP_HOST": "x" * 1_000_000}, "200"),
            ({"HTTP_ORIGIN": "x" * 1_000_000}, "200"),
            ({"HTTP_ORIGIN": "\r\n\xff"}, "200"),
            ({"REQUEST_METHOD": "x" * 1_000_000}, "200"),
            ({"REMOTE_ADDR": None}, "200"),
        ],
    )
    def test_odd_requests(self, environ: dict[str, Any], status: str) -> None:
        def inner(_: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return [b""]

        asked = EnvironBuilder("/locked/x", headers={"Origin": SHOP}).get_environ() | environ
        _, guard = made()
        started = Started()
        given = {name: value for name, value in asked.items() if value is not None}
        assert guard.wsgi(inner, paths="/")(given, started)
        [(found, headers, _)] = started.calls
        assert found[:3] == status
        assert "Origin" in headers[VARY]


async def _ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ran"})


class TestAsgi:
    @pytest.mark.parametrize(
        ("others", "status", "reader"),
        [
            ({"root_path": "/root", "path": "/root/locked/x"}, 200, SHOP),
            ({"root_path": "/root/", "path": "/root/locked/x"}, 200, SHOP),
            ({"root_path": "/root", "path": "/locked/x"}, 200, SHOP),
            ({"root_path": "/root", "path": "/rooted/locked/x"}, 200, None),
            ({"root_path": "/root", "path": "/root"}, 200, None),
            ({"root_path": "/root", "path": "/root/x/../locked"}, 403, None),
            ({"path": "/locked/\ud800\udc80"}, 200, SHOP),
            ({"path": "/locked/\0"}, 200, SHOP),
            ({"path": "/locked/" + "x" * 1_000_000}, 200, SHOP),
            ({"path": "locked/x"}, 200, SHOP),
            ({"path": "//locked/x"}, 403, None),
            ({"path": "*"}, 200, None),
            ({"path": ""}, 200, None),
            ({"server": None}, 200, SHOP),
            ({"server": ("/run/socket", None)}, 200, SHOP),
            ({"client": None}, 200, SHOP),
            ({"http_version": "3"}, 200, SHOP),
        ],
    )
    def test_odd_scopes(self, others: dict[str, Any], status: int, reader: str | None) -> None:
        app, guard = made()
        front = guard.asgi(_ok, paths=["/locked"], app=app)
        got = ask(front, "GET", others.pop("path", "/locked/x"), {"origin": SHOP}, **others)
        assert (got.status, got.get(ACAO.lower())) == (status, reader)

    def test_as_little_as_the_specification_asks_for(self) -> None:
        app, guard = made()
        front = guard.asgi(_ok, paths="/", app=app)
        scope = {"type": "http", "asgi": {}, "http_version": "1.1", "method": "GET", "path": "/"}
        start, _ = played(front, {**scope, "query_string": b"", "headers": []})
        assert start["headers"] == [(b"vary", b"Origin")]
        # HTTP/2 has no Upgrade and no Connection.
        opened = played(
            guard.asgi(_ok, paths="/", app=app),
            {"type": "websocket", "path": "/locked/x", "headers": [(b"origin", b"https://x.test")]},
            [{"type": "websocket.connect"}],
        )
        assert [message["type"] for message in opened] == ["websocket.close"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ([(b"origin", SHOP.encode())], 200),
            ([(b"origin", SHOP.encode()), (b"origin", SHOP.encode())], 403),
            ([(b"origin", OTHER.encode()), (b"sec-fetch-site", b"same-origin")], 200),
            ([(b"origin", OTHER.encode()), (b"sec_fetch_site", b"same-origin")], 403),
            (
                [
                    (b"origin", OTHER.encode()),
                    (b"sec-fetch-site", b"same-origin"),
                    (b"sec-fetch-site", b"cross-site"),
                ],
                403,
            ),
            ([(b"origin", b"\xff\x00")], 403),
            ([(b"origin", SHOP.encode()), (b"\xff", b"\xff"), (b"", b"")], 200),
            ([(b"ORIGIN", SHOP.encode())], 200),
            ([(b"origin", SHOP.encode())] + [(b"x", b"x" * 100)] * 5000, 200),
        ],
    )
    def test_odd_headers(self, headers: list[tuple[bytes, bytes]], status: int) -> None:
        """What an app could take for another header is not read as that."""
        app, guard = made()
        front = guard.asgi(_ok, paths="/", app=app)
        scope = http_scope("POST", "/locked/x", {})
        messages = played(front, {**scope, "headers": [(b"host", b"localhost"), *headers]})
        assert messages[0]["status"] == status

    def test_each_message_passes_when_it_comes(self) -> None:
        """Also those of ASGI's extensions; only the headers are others."""
        app, guard = made()
        start = {
            "type": "http.response.start", "status": 200, "trailers": True,
            "headers": [(b"X-Odd", b"\xff"), (b"set-cookie", b"a"), (b"set-cookie", b"b")],
        }  # fmt: skip
        others: list[dict[str, Any]] = [
            {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
            {"type": "http.response.push", "path": "/a", "headers": [(b"origin", b"x")]},
            {"type": "http.response.pathsend", "path": "/tmp/file"},
            {"type": "http.response.body", "body": b"a", "more_body": True},
            {"type": "http.response.trailers", "headers": [(b"vary", b"x")]},
        ]
        seen: list[Any] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            seen.extend((scope, receive))
            for message in (*others[:2], start, *others[2:]):
                await send(message)
                assert seen[-1]["type"] == message["type"]

        async def receive() -> Any:
            raise AssertionError("the guard does not read")

        async def send(message: Any) -> None:
            seen.append(message)

        scope = http_scope("GET", "/x", {"origin": SHOP})
        asyncio.run(guard.asgi(inner, paths="/", app=app)(scope, receive, send))
        assert seen[:2] == [scope, receive]
        assert all(given is sent for given, sent in zip(others[:2], seen[2:4], strict=True))
        assert all(given is sent for given, sent in zip(others[2:], seen[5:], strict=True))
        headers = [*start["headers"], (b"access-control-allow-origin", SHOP.encode())]
        headers = [(name.lower(), value) for name, value in headers]
        assert seen[4] == {**start, "headers": [*headers, (b"vary", b"Origin")]}

    def test_an_exception(self) -> None:
        app, guard = made()

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            raise RuntimeError("inner")

        front = guard.asgi(inner, paths="/", app=app)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="inner"):
                ask(front, "GET", "/x", {"origin": SHOP})

    def test_a_response_instead_of_a_socket(self) -> None:
        app, guard = made()

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})

        headers = [(b"origin", SHOP.encode()), (b"host", b"localhost")]
        scope = {"type": "websocket", "path": "/locked/x", "headers": headers, "scheme": "wss"}
        start, _ = played(guard.asgi(inner, paths="/", app=app), scope)
        assert (b"access-control-allow-origin", SHOP.encode()) in start["headers"]

    def test_elsewhere_nothing_is_touched(self) -> None:
        app, guard = made()
        seen: list[Any] = []

        async def inner(*arguments: Any) -> None:
            seen.extend(arguments)

        front = guard.asgi(inner, paths=["/x"], app=app)
        for scope in (http_scope("GET", "/elsewhere", {"origin": OTHER}), {"type": "lifespan"}):
            before, arguments = dict(scope), (scope, object(), object())
            asyncio.run(front(*arguments))  # type: ignore[arg-type]
            assert all(given is got for given, got in zip(arguments, seen, strict=True))
            assert scope == before
            seen.clear()
