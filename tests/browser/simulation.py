"""Plays the cases of tests/data/verdicts.json in the simulation."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from flask_corsguard.testing import Blob, Browser, FetchTypeError

from .raw_server import Request, Servers
from .verdicts import (
    NOT_FETCHED,
    SENT,
    Case,
    Observation,
    load,
    observed_requests,
    own_headers,
    plan_of,
    steps_of,
)

DATA = load()
ORIGINS: dict[str, str] = DATA["servers"]
LETTERS = {origin: letter for letter, origin in ORIGINS.items()}
ENGINES = ("chromium", "firefox", "webkit")


class WsgiServers:
    """The servers of the data as one WSGI app."""

    def __init__(self) -> None:
        self.servers = Servers(ORIGINS)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answer = self.servers.answer(request_of(environ))
        headers, body = answer.framed()
        start_response(f"{answer.status} Status", headers)
        return [body]


def request_of(environ: dict[str, Any]) -> Request:
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-"), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    ]
    server = LETTERS[f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"]
    body = environ["wsgi.input"].read()
    return Request(server, environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, body)


def play(case: Case, engine: Any) -> list[Observation]:
    """What the simulation makes of each step of a case."""
    prefix = f"/{case['id']}"
    case = json.loads(json.dumps(case).replace("{path}", prefix))
    app = WsgiServers()
    browser = Browser(dict.fromkeys(ORIGINS.values(), app), engine=engine)
    observations = []
    for step in steps_of(case):
        browser.advance(step.get("wait", 0))
        browser.page = "null" if step["sandbox"] else ORIGINS[step["page"]]
        plan = plan_of(step, prefix)
        app.servers.begin(plan)
        seen = act(browser, step, ORIGINS[step["server"]] + plan.path)
        observations.append(seen | observed_requests(app.servers.seen, step))
    return comparable(case, observations)


def act(browser: Browser, step: dict[str, Any], url: str) -> Observation:
    if "submit" in step:
        browser.submit(url, **step["submit"])
    elif "beacon" in step:
        data, kind = step["beacon"]["data"], step["beacon"]["type"]
        browser.send_beacon(url, data if kind is None else Blob(data, kind))
    elif "navigate" in step:
        browser.navigate(url)
    else:
        return fetch(browser, step, url)
    return NOT_FETCHED


def fetch(browser: Browser, step: dict[str, Any], url: str) -> Observation:
    try:
        response = browser.fetch(url, **step["fetch"])
    except FetchTypeError:
        return NOT_FETCHED | {"readable": False}
    seen = {name: getattr(response, name) for name in ("readable", "type", "status")}
    return seen | {"visible_headers": None if response.type is None else list(response.headers)}


def comparable(case: Case, observations: list[Observation]) -> list[Observation]:
    """Without what the simulation does not know, on the requests that real browsers sent.

    The simulation has no name of its own and no language. Of a sandboxed page, it knows no address
    to refer to.
    """
    found = []
    for step, observation in zip(steps_of(case), observations, strict=True):
        unknown = {"accept-encoding", "connection", "host", "user-agent"}
        if step["sandbox"]:
            unknown.add("referer")
        unknown_in_preflights = unknown | own_headers(step) - SENT
        sent = []
        for headers in observation["sent"]:
            is_preflight = "access-control-request-method" in headers
            names = headers.keys() - (unknown_in_preflights if is_preflight else unknown)
            sent.append({name: headers[name] for name in names})
        found.append(observation | {"sent": sent})
    return found
