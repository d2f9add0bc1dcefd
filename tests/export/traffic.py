"""Requests for a server and for the guard, and what each says to them."""

import io
import itertools
import json
import random
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from flask import Flask

from flask_corsguard.audit.hostile_origins import around_raw, around_wildcard, fitted
from flask_corsguard.runtime.state import app_context, state_of
from flask_corsguard.simulate import stand_in
from tests.properties.strategies import SERIALIZED, SLIPS

_CORPUS = json.loads((Path(__file__).parents[1] / "data" / "origins.json").read_text("utf-8"))
ORIGINS = [case["origin"] for case in _CORPUS["cases"] if "origin" in case]
PATHS = """
/static/x.js /static/f1.ttf /static/fonts/body.woff2 /static/LOGO.TTF /static/private/x.js
/static/private/own/x /static/private /static/private/ /static/privat /static /static/ /static/gone
/static/x.woff2/ /static/a%20b%3B%7B%7D%24%23%27%22c /static/x%2Ejs /static/x.js%0A
/static/%C3%A9.woff2 /static/f%C3%A9.ttf /static/private/report.json /static/users/7
/static/users/ada /static/hook /static/docs /static/docs/ /static/q%22%24%3B/x.js
/static/q%22%24%3B%27%0Ax/y
/static//private/x.js /static/./private/x.js /static/y/../private/x.js /static/a;b?c=d
/static/y/%2e%2E/private/x.js /static/private/..%2fx.js /static/x.js?a=/../b //static/x.js
/static/.x.js /static/x..js /static/private/.. /static/x.js/.?a
""".split()
METHODS = "GET HEAD POST PUT DELETE PATCH PURGE get put OPTIONS TRACE track x!# A,B".split()
METHODS += ["A" * 40, "A" * 41, "PUT /static/private"]
LISTS = [
    *(None, "content-type", "Content-Type", "content-type,x-a", " X-A ,\tcontent-type", "x-a,,x-b"),
    *("authorization", "x-trace", "content-type,authorization", "x a", "x-a;x-b", "content-typex"),
    *("x-'%&`~!#+^x", "x", ",", "x-\xe4", ",".join(["x-a"] * 127), ",".join(["x-a"] * 129)),
    *("x" * 4000, "x-a," * 1025, "xcontent-type", "x-!#%&'+.^_`~x,x-b"),
]


class Request(NamedTuple):
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]

    @property
    def is_preflight(self) -> bool:
        names = {name for name, value in self.headers if value.strip()}
        return self.method == "OPTIONS" and {"Origin", "Access-Control-Request-Method"} <= names


class Response(NamedTuple):
    """A status, the ``Access-Control-*`` headers, the names in ``Vary``, and other headers."""

    status: int
    own: tuple[tuple[str, str], ...]
    vary: frozenset[str]
    others: dict[str, str]


def _response(status: int, headers: Iterable[tuple[str, str]]) -> Response:
    found = [(name.lower(), value.strip()) for name, value in headers]
    own = sorted(pair for pair in found if pair[0].startswith("access-control-"))
    vary = {part.strip().lower() for name, v in found if name == "vary" for part in v.split(",")}
    return Response(status, tuple(own), frozenset(vary - {"accept-encoding"}), dict(found))


def requests_for(app: Flask, count: int, seed: str) -> list[Request]:
    """As many requests, at random: from origins that a policy of the app lists, from neighbours of
    these and from anybody, for all paths, half of them preflights."""
    chance = random.Random(seed)
    origins = [*_origins_for(app)]
    common = [*ORIGINS, *SERIALIZED]
    made: list[Request] = []
    for number in itertools.count():
        if len(made) == count:
            return made
        origin = chance.choice(origins if origins and chance.random() < 0.7 else common)
        if chance.random() < 0.1:
            origin = chance.choice(SLIPS)(origin)
        headers = [("Origin", origin)] if number % 20 else []
        method = chance.choice(("GET", "GET", "HEAD", "POST", "OPTIONS"))
        if number % 2:
            method = "OPTIONS"
            headers.append(("Access-Control-Request-Method", chance.choice(METHODS)))
            names = chance.choice(LISTS)
            headers += [("Access-Control-Request-Headers", names)] if names is not None else []
            if chance.random() < 0.15:
                private = chance.choice(("true", "false", "TRUE", "true, true"))
                headers.append(("Access-Control-Request-Private-Network", private))
        elif chance.random() < 0.2:
            further = [
                ("Range", "bytes=0-1"),
                ("If-None-Match", "*"),
            ]
            headers.append(chance.choice(further))
        if all(_can_be_sent(value) for _, value in headers):
            made.append(Request(method, chance.choice(PATHS), tuple(headers)))
    raise AssertionError


def _origins_for(app: Flask) -> Iterator[str]:
    """Half of them examples of what is listed."""
    with app_context(app):
        policies = state_of(app).current().table.policies()
    for policy in policies:
        for text in policy.raw_origins:
            yield from itertools.islice(around_raw(text), 20)
        for forms in (policy.origins, policy.deny_origins):
            for pattern in () if isinstance(forms, str) else forms.patterns():
                if pattern.any_host or "*" in str(pattern):
                    hostile = around_wildcard(pattern)
                else:
                    hostile = fitted([pattern.origin])
                near = list(itertools.islice(hostile, 0, 200, 4))
                plain = [str(pattern.example(name)) for name in ("x", "a1-b", "x" * 60, "1", "a.b")]
                ports = [f"{text}:{port}" for text in plain[:1] for port in (80, 443, 8443, 65536)]
                yield from (*near, *plain * (len(near) // 6), *ports)


def _can_be_sent(value: str) -> bool:
    """Whether a server reads a field's value at all."""
    encoded = value.encode("utf-8", "surrogateescape")
    return not any((byte < 32 and byte != 9) or byte == 127 for byte in encoded)


def ask_guard(app: Flask, requests: Sequence[Request]) -> list[Response]:
    """What the guard decides. As a server does it, white space around a value is taken away."""
    told: list[Response] = []

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        told.append(_response(int(status[:3]), headers))

    with app_context(app):
        respond = stand_in(state_of(app))
        for request in requests:
            path = unquote_to_bytes(request.path.partition("?")[0]).decode("latin-1")
            environ: dict[str, Any] = {
                "REQUEST_METHOD": request.method,
                "SCRIPT_NAME": "",
                "PATH_INFO": path,
                "QUERY_STRING": "",
                "SERVER_NAME": "files.test",
                "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "files.test",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
            }
            for name, value in request.headers:
                text = value.encode("utf-8", "surrogateescape").decode("latin-1").strip(" \t")
                environ[f"HTTP_{name.upper().replace('-', '_')}"] = text
            list(respond(environ, start))
    return told


def ask_server(port: int, host: str, requests: Sequence[Request]) -> list[Response]:
    """What a server sends, over one connection."""
    told: list[Response] = []
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        reader = connection.makefile("rb")
        for start in range(0, len(requests), 40):
            batch = requests[start : start + 40]
            connection.sendall(b"".join(_bytes_of(request, host) for request in batch))
            told += [_read(reader, request) for request in batch]
    return told


def _bytes_of(request: Request, host: str) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    lines += ["Content-Length: 0"] if request.method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def _read(reader: io.BufferedReader, request: Request) -> Response:
    status = int(reader.readline().split()[1])
    headers: list[tuple[str, str]] = []
    while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value))
    fields = {name.lower(): value.strip() for name, value in headers}
    if request.method != "HEAD" and status not in (204, 304):
        if fields.get("transfer-encoding") == "chunked":
            while size := int(reader.readline(), 16):
                reader.read(size + 2)
            reader.readline()
        else:
            reader.read(int(fields.get("content-length", "0")))
    assert fields.get("connection") != "close", (request, status)
    return _response(status, headers)
