"""The cases that real browsers have decided, played against the simulation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask_corsguard.testing import Answer, Blob, Browser, Exchange, FetchTypeError
from tests.browser.raw_server import Plan, Request, Servers

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


class Wire:
    """The servers of the data, as one WSGI app."""

    def __init__(self) -> None:
        self.servers = Servers(SERVERS)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        query = environ["QUERY_STRING"]
        headers = [
            (name[5:].replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        server = _LETTERS[f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"]
        target = environ["PATH_INFO"] + (f"?{query}" if query else "")
        answer = self.servers.answer(
            Request(server, environ["REQUEST_METHOD"], target, headers, b"")
        )
        lines = [(name, value) for name, value in answer.headers]
        body = b"" if answer.status in (204, 304) else answer.body
        if answer.status not in (204, 304) and "content-length" not in {
            n.lower() for n, _ in lines
        }:
            lines.append(("Content-Length", str(len(body))))
        start_response(f"{answer.status} Status", lines)
        return [body]


def plan_of(prefix: str, step: dict[str, Any]) -> Plan:
    path = step.get("path", "x")
    path = path if path.startswith("/other") else f"{prefix}/{path.lstrip('/')}"
    hops = step.get("hops") or [{"server": step["server"], **step["response"]}]
    preflight = {"preflight_response": step.get("preflight_response")}
    return Plan(prefix, path, [preflight | hop for hop in hops])


def play(case: Case, engine: Any) -> list[Observation]:
    """What the simulation makes of each step of a case."""
    prefix = f"/{case['id']}"
    case = json.loads(json.dumps(case).replace("{path}", prefix))
    wire = Wire()
    browser = Browser(dict.fromkeys(SERVERS.values(), wire), engine=engine)
    found = []
    for step in case.get("steps") or [case]:
        browser.advance(step.get("wait", 0))
        sandboxed = step.get("sandbox", case.get("sandbox", False))
        page = SERVERS[step.get("page", case.get("page", "A"))]
        browser.page = "null" if sandboxed else page
        plan = plan_of(prefix, step)
        wire.servers.begin(plan)
        answer = _act(browser, step, SERVERS[step["server"]] + plan.path)
        found.append(_observe(answer, step, plan))
    return comparable(case, found)


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
            return browser.send_beacon(
                url, Blob(data, beacon["type"]) if beacon.get("type") is not None else data
            )
        return browser.navigate(url)
    except FetchTypeError:
        return None


def _observe(answer: Answer | None, step: dict[str, Any], plan: Plan) -> Observation:
    exchanges = [e for e in answer.exchanges if _is_planned(e, plan)] if answer else []
    told = answer is not None and answer.type is not None
    preflights = [e for e in exchanges if e.preflight]
    seen: Observation = {
        "readable": (answer is not None and answer.readable) if "fetch" in step else None,
        "type": answer.type if told else None,
        "status": answer.status if told else None,
        "visible_headers": list(answer.headers) if told else None,
        "preflight": preflights[0] and _preflight(preflights[0]) if preflights else None,
        "requests": [[_letter(e), e.method, e.request_headers.get("Origin")] for e in exchanges],
        "sent": [_sent(e, step) for e in exchanges],
    }
    if exchanges and exchanges[-1].request_body:
        seen["body"] = _body(exchanges[-1])
    return seen


def _is_planned(exchange: Exchange, plan: Plan) -> bool:
    path = "/" + exchange.url.split("/", 3)[3]
    return path.startswith((f"{plan.prefix}/", plan.path))


def _letter(exchange: Exchange) -> str:
    return _LETTERS["/".join(exchange.url.split("/")[:3])]


def _preflight(exchange: Exchange) -> dict[str, str | None]:
    headers = exchange.request_headers
    return {
        "method": headers.get("Access-Control-Request-Method"),
        "headers": headers.get("Access-Control-Request-Headers"),
    }


def comparable(case: Case, observations: list[Observation]) -> list[Observation]:
    """Without what the simulation cannot know, on the requests that real browsers sent.

    It has no user agent's name or language. Where a page is sandboxed it knows no address of it,
    so none to refer to.
    """
    found = []
    for step, observation in zip(case.get("steps") or [case], observations, strict=True):
        leave_out = {"accept-encoding", "connection", "host", "user-agent"}
        if step.get("sandbox", case.get("sandbox", False)):
            leave_out.add("referer")
        own = {name.lower() for name, _ in step.get("fetch", {}).get("headers", ())} - _SENT
        sent = []
        for headers in observation["sent"]:
            is_preflight = "access-control-request-method" in headers
            dropped = leave_out | own if is_preflight else leave_out
            sent.append({name: value for name, value in headers.items() if name not in dropped})
        found.append(observation | {"sent": sent})
    return found


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
