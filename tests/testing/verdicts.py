"""The cases that real browsers have decided, played against the simulation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask_corsguard.testing import Answer, Blob, Browser, Exchange, FetchTypeError

DATA = json.loads((Path(__file__).parents[1] / "data" / "verdicts.json").read_text("utf-8"))
SERVERS: dict[str, str] = DATA["servers"]
_LETTERS = {origin: letter for letter, origin in SERVERS.items()}
ENGINES = ("chromium", "firefox", "webkit")

Case = dict[str, Any]
Observation = dict[str, Any]

_SENT = {
    "origin",
    "cookie",
    "content-type",
    "authorization",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
    "access-control-request-method",
    "access-control-request-headers",
}
_OTHER: dict[str, list[tuple[str, str]]] = {
    "/other": [("Access-Control-Allow-Origin", "*")],
    "/otherput": [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", "*"),
        ("Access-Control-Allow-Headers", "*"),
    ],
}


class Server:
    """Answers one step of a case, at all servers, as the data says."""

    def __init__(self, case: Case) -> None:
        self.prefix = f"/{case['id']}"
        self.step: dict[str, Any] = {}

    def url(self, step: dict[str, Any], hop: int = 0) -> str:
        server = step["hops"][hop]["server"] if "hops" in step else step["server"]
        path = step.get("path", "/x")
        path = path if path.startswith("/other") else f"{self.prefix}{path}"
        return SERVERS[server] + (f"{path}/{hop}" if hop else path)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers = self._response(environ)
        body = b"" if status in (204, 205, 304) else b"body"
        lines = [(name, value.replace("{path}", self.prefix)) for name, value in headers]
        if body and not any(name.lower() == "content-length" for name, _ in lines):
            lines.append(("Content-Length", "4"))
        start_response(f"{status} Status", lines)
        return [body]

    def _response(self, environ: dict[str, Any]) -> tuple[int, list[Any]]:
        path, step = environ["PATH_INFO"], self.step
        for other, headers in _OTHER.items():
            if path == other:
                return 200, [*headers, ("Content-Type", "text/plain")]
        is_preflight = (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )
        if "hops" in step:
            tail = path.rpartition("/")[2]
            hop = int(tail) if tail.isdigit() and path.count("/") > 2 else 0
            entry = step["hops"][hop]
            if is_preflight and entry.get("preflight_response"):
                return entry["preflight_response"]["status"], entry["preflight_response"]["headers"]
            if hop + 1 == len(step["hops"]):
                return 200, entry["headers"]
            location = ("Location", self.url(step, hop + 1))
            return entry["redirect_status"], [*entry["headers"], location]
        if is_preflight and step.get("preflight_response"):
            return step["preflight_response"]["status"], step["preflight_response"]["headers"]
        return step["response"]["status"], step["response"]["headers"]


def play(case: Case, engine: Any) -> list[Observation]:
    """What the simulation makes of each step of a case."""
    steps: list[dict[str, Any]] = case.get("steps") or [case]
    server = Server(case)
    browser = Browser(dict.fromkeys(SERVERS.values(), server), engine=engine)
    found = []
    for step in steps:
        browser.advance(step.get("wait", 0))
        sandboxed = step.get("sandbox", case.get("sandbox", False))
        page = SERVERS[step.get("page", case.get("page", "A"))]
        browser.page = "null" if sandboxed else page
        server.step = step
        found.append(_observe(_act(browser, step, server.url(step)), step, server))
    return found


def _act(browser: Browser, step: dict[str, Any], url: str) -> Answer | None:
    try:
        if "fetch" in step:
            return browser.fetch(url, **step["fetch"])
        if "submit" in step:
            form = step["submit"]
            options = {k: v for k, v in form.items() if k in ("enctype", "method")}
            return browser.submit(url, form.get("data", []), **options)
        if "beacon" in step:
            beacon = step["beacon"]
            data = beacon["data"]
            return browser.send_beacon(url, Blob(data, beacon["type"]) if beacon.get("type") is not None else data)
        return browser.navigate(url)
    except FetchTypeError:
        return None


def _observe(answer: Answer | None, step: dict[str, Any], server: Server) -> Observation:
    exchanges = [e for e in answer.exchanges if not _is_other(e)] if answer else []
    told = answer is not None and answer.type is not None
    preflights = [e for e in exchanges if e.preflight]
    seen: Observation = {
        "readable": (answer is not None and answer.readable) if "fetch" in step else None,
        "type": answer.type if told else None,
        "status": answer.status if told else None,
        "visible_headers": list(answer.headers) if told else None,
        "preflight": preflights[0] and _preflight(preflights[0]) if preflights else None,
        "requests": [
            [_letter(e), e.method, e.request_headers.get("Origin")] for e in exchanges
        ],
        "sent": [_sent(e, step) for e in exchanges],
    }
    if exchanges and exchanges[-1].request_body:
        seen["body"] = _body(exchanges[-1])
    return seen


def _is_other(exchange: Exchange) -> bool:
    return re.fullmatch(r"https?://[^/]+/other(put)?([?].*)?", exchange.url) is not None


def _letter(exchange: Exchange) -> str:
    return _LETTERS["/".join(exchange.url.split("/")[:3])]


def _preflight(exchange: Exchange) -> dict[str, str | None]:
    headers = exchange.request_headers
    return {
        "method": headers.get("Access-Control-Request-Method"),
        "headers": headers.get("Access-Control-Request-Headers"),
    }


def _sent(exchange: Exchange, step: dict[str, Any]) -> dict[str, str]:
    names = _SENT | {name.lower() for name, _ in step.get("fetch", {}).get("headers", ())}
    return {
        name.lower(): re.sub(r"boundary=\S+", "boundary=BOUNDARY", value)
        for name, value in exchange.request_headers
        if name.lower() in names
    }


def _body(exchange: Exchange) -> str:
    body = exchange.request_body.decode("utf-8")
    found = re.search(r"boundary=(\S+)", exchange.request_headers.get("Content-Type", ""))
    return body.replace(found[1], "BOUNDARY") if found else body
