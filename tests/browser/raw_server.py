"""Servers that answer with any bytes, for all origins of the verdicts, and keep the requests."""

import re
import socketserver
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

Pairs = Iterable[tuple[str, str]]

PAGE = "<!doctype html><meta charset=utf-8><title>Verdicts</title><body></body>"
SANDBOX = ("Content-Security-Policy", "sandbox allow-scripts allow-forms")
BODY = b"body"
ANYTHING = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "*"),
    ("Access-Control-Allow-Headers", "*"),
]


class Request(NamedTuple):
    server: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The values of a header, in one."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None

    @property
    def preflight(self) -> bool:
        return self.method == "OPTIONS" and bool(self.header("access-control-request-method"))


class Answer(NamedTuple):
    status: int
    headers: Pairs = ()
    body: bytes = BODY

    def framed(self) -> tuple[list[tuple[str, str]], bytes]:
        """The headers, which say how long the body is, and the body."""
        headers = list(self.headers)
        if self.status in {204, 304}:
            return headers, b""
        if not {name.lower() for name, _ in headers} & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(self.body))))
        return headers, self.body


class Plan(NamedTuple):
    """What a step's URLs answer: those that a redirect leads along, or only the first."""

    prefix: str
    path: str
    hops: list[dict[str, Any]]
    any_query: bool = False

    def url_path(self, hop: int) -> str:
        return f"{self.prefix}/{hop}" if hop else self.path


NO_PLAN = Plan("/ ", "/ ", [])


@dataclass
class Servers:
    """All servers, with one plan at a time."""

    origins: dict[str, str]
    sandbox: bool = False
    plan: Plan = NO_PLAN
    seen: list[Request] = field(default_factory=list)
    last: float = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        import trustme

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        hosts = sorted({urlsplit(origin).hostname or "" for origin in self.origins.values()})
        trustme.CA().issue_cert(*hosts).configure_cert(context)
        for letter, origin in self.origins.items():
            url = urlsplit(origin)
            assert url.port is not None
            server = Server(url.port, letter, self, context if url.scheme == "https" else None)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self._stack.callback(server.server_close)
            self._stack.callback(server.shutdown)
        return self

    def __exit__(self, *args: object) -> None:
        self._stack.close()

    def begin(self, plan: Plan) -> None:
        self.plan, self.seen, self.last = plan, [], time.monotonic()

    def wait_until_quiet(self, nothing: float, quiet: float) -> None:
        """Wait until no request has come for a while. The first may take longer."""
        while time.monotonic() - self.last < (quiet if self.seen else nothing):
            time.sleep(0.01)

    def answer(self, request: Request) -> Answer:
        path, _, _ = request.target.partition("?")
        if path == "/" and request.method == "GET":
            kind = ("Content-Type", "text/html")
            headers = [kind, ("Cache-Control", "no-store"), *([SANDBOX] if self.sandbox else [])]
            return Answer(200, headers, PAGE.encode())
        planned = request.target.startswith((f"{self.plan.prefix}/", self.plan.path))
        if planned:
            self.seen.append(request)
            self.last = time.monotonic()
            target = path if self.plan.any_query else request.target
            for number, hop in enumerate(self.plan.hops):
                if target == self.plan.url_path(number):
                    return self.answer_planned(request, number, hop)
        if path == "/otherput":
            return Answer(200, [*ANYTHING, ("Content-Type", "text/plain")])
        if path == "/other" or planned:
            return Answer(200, [ANYTHING[0], ("Content-Type", "text/plain")])
        return Answer(404)

    def answer_planned(self, request: Request, number: int, hop: dict[str, Any]) -> Answer:
        preflight = hop.get("preflight_response")
        if preflight and request.preflight:
            return Answer(preflight["status"], preflight["headers"])
        if number + 1 == len(self.plan.hops):
            body = BODY if hop.get("body") is None else hop["body"].encode()
            return Answer(hop.get("status", 200), hop["headers"], body)
        after = self.plan.hops[number + 1]["server"]
        location = self.origins[after] + self.plan.url_path(number + 1)
        return Answer(hop["redirect_status"], [*hop["headers"], ("Location", location)])


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, port: int, letter: str, servers: Servers, context: ssl.SSLContext | None
    ) -> None:
        self.letter, self.servers, self.context = letter, servers, context
        super().__init__(("127.0.0.1", port), Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with ExitStack() as stack:
            stack.enter_context(suppress(OSError))  # a browser may break off at any time
            if self.context:
                # Here and not where connections are accepted: a browser may be slow to begin.
                secure = self.context.wrap_socket(request, server_side=True)
                request = stack.enter_context(secure)
            super().finish_request(request, client_address)


class Handler(socketserver.StreamRequestHandler):
    server: Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ValueError):
            while line := self.rfile.readline().decode("latin-1"):
                method, target, _version = line.split()
                headers = list(self.read_headers())
                request = Request(self.server.letter, method, target, headers, b"")
                length = int(request.header("content-length") or 0)
                request = request._replace(body=self.rfile.read(length))
                self.send(self.server.servers.answer(request), method)

    def read_headers(self) -> Iterable[tuple[str, str]]:
        while line := self.rfile.readline().decode("latin-1").strip("\r\n"):
            name, _, value = line.partition(":")
            yield name, value.strip(" \t")

    def send(self, answer: Answer, method: str) -> None:
        headers, body = answer.framed()
        lines = [f"HTTP/1.1 {answer.status} Status", *(f"{n}: {v}" for n, v in headers), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        self.wfile.write(head + (b"" if method == "HEAD" else body))


def without_boundary(text: str, kind: str) -> str:
    """A multipart body is cut at a random string."""
    found = re.search(r"boundary=([^;]+)", kind)
    return text.replace(found[1], "BOUNDARY") if found else text
