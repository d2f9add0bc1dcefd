"""Plays the cases of tests/data/verdicts.json in real browsers: ``make browser-verdicts``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .browsers import Browser
from .raw_server import Plan, Request, Servers, without_boundary

FILE = Path(__file__).parents[1] / "data" / "verdicts.json"

Case = dict[str, Any]
Observation = dict[str, Any]

# What is written down of each request, with all that the case itself sets.
SENT = {
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
    "access-control-request-private-network",
}
NOT_FETCHED = dict.fromkeys(("readable", "type", "status", "visible_headers"))

FETCH = """
const [url, init] = arguments;
let response;
try {
    response = await fetch(url, init);
} catch {
    return {readable: false, type: null, status: null, visible_headers: null};
}
return {
    readable: response.type === "basic" || response.type === "cors",
    type: response.type,
    status: response.status,
    visible_headers: [...response.headers.keys()].sort(),
};
"""
SUBMIT = """
const [url, step] = arguments;
const form = document.createElement("form");
form.action = url;
form.method = step.method;
if (step.enctype) { form.enctype = step.enctype; }
for (const [name, value] of step.data) {
    const field = document.createElement("textarea");
    Object.assign(field, {name, value});
    form.append(field);
}
document.body.append(form);
setTimeout(() => form.submit());
"""
NAVIGATE = "const [url] = arguments; setTimeout(() => location.assign(url))"
BEACON = """
const [url, step] = arguments;
const {data, type} = step;
navigator.sendBeacon(url, type === null ? data : new Blob([data], {type}));
"""
# For each site that pages are on, Firefox asks again the first two times or so that a preflight
# would have been cached. This has them over with.
WARM_UP = """
for (let count = 0; count < 5; count += 1) { await fetch(arguments[0], {method: "PUT"}); }
"""
LEAVING = {"submit": SUBMIT, "navigate": NAVIGATE, "beacon": BEACON}

# Seconds. Nobody says that no request will follow.
NOTHING = 1.5
QUIET = 0.3


def load(path: Path = FILE) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text("ascii"))
    return data


def save(data: dict[str, Any], path: Path = FILE) -> None:
    """With a case on each line."""
    head = "".join(f"{json.dumps(k)}:{json.dumps(v)},\n" for k, v in data.items() if k != "cases")
    cases = ",\n".join(json.dumps(case) for case in data["cases"])
    path.write_text(f'{{{head}"cases":[\n{cases}\n]}}\n', "ascii")


def steps_of(case: Case) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = case.get("steps", [case])
    return steps


def sets_cookies(case: Case) -> bool:
    return '"set-cookie"' in json.dumps(case).lower()


class Player:
    """Plays cases in one browser."""

    def __init__(self, browser: Browser, servers: Servers) -> None:
        self._browser = browser
        self._servers = servers
        self._open: tuple[str, bool] | None = None
        self._warm: set[str] = set()

    def play(self, case: Case, again: str = "") -> Any:
        """What the case's ``seen`` says of this browser.

        :param again: what tells the case's URLs from those of an earlier play
        """
        prefix = f"/{case['id']}{again}"
        case = json.loads(json.dumps(case).replace("{path}", prefix))
        observations = [self._play_step(case, step, prefix) for step in steps_of(case)]
        if sets_cookies(case):
            self._browser.forget_cookies()
            self._open = None
        return observations if "steps" in case else observations[0]

    def _play_step(self, case: Case, step: dict[str, Any], prefix: str) -> Observation:
        page = step.get("page", case.get("page", "A"))
        self._open_page(page, step.get("sandbox", case.get("sandbox", False)))
        path = step.get("path", "x")
        path = path if path.startswith("/other") else f"{prefix}/{path.lstrip('/')}"
        hops = step.get("hops") or [{"server": step["server"], **step["response"]}]
        preflight = {"preflight_response": step.get("preflight_response")}
        # Such a form writes the query.
        any_query = step.get("submit", {}).get("method") == "get"
        plan = Plan(prefix, path, [preflight | hop for hop in hops], any_query)
        url = step.get("url", self._servers.origins[step["server"]] + path)
        if step.get("wait"):
            self._browser.run(
                "await new Promise((resolve) => setTimeout(resolve, 1000 * arguments[0]))",
                step["wait"],
            )
        self._servers.begin(plan)
        if "fetch" in step:
            # The order is the file's, whatever the browser's is.
            observation = NOT_FETCHED | self._browser.run(FETCH, url, step["fetch"])
        else:
            (kind,) = LEAVING.keys() & step.keys()
            self._browser.run(LEAVING[kind], url, step[kind])
            self._servers.wait_until_quiet(NOTHING, QUIET)
            observation = NOT_FETCHED
            if kind != "beacon":
                self._open = None
        return observation | self._requests(step)

    def _open_page(self, page: str, sandbox: bool) -> None:
        if self._open != (page, sandbox):
            self._servers.sandbox = sandbox
            self._browser.open(f"{self._servers.origins[page]}/")
            self._open = (page, sandbox)
            # Each load of a sandboxed page is a site of its own.
            if sandbox or page not in self._warm:
                self._warm.add(page)
                secure = page.startswith("S")
                other = next(o for o in ("SB", "SC", "B", "C")[0 if secure else 2 :] if o != page)
                self._browser.run(WARM_UP, f"{self._servers.origins[other]}/otherput?warm-up")

    def _requests(self, step: dict[str, Any]) -> Observation:
        requests = list(self._servers.seen)
        own = {name.lower() for name, _ in step.get("fetch", {}).get("headers", [])}
        preflights = [
            {
                "method": request.header("access-control-request-method"),
                "headers": request.header("access-control-request-headers"),
            }
            for request in requests
            if request.preflight
        ]
        observation = {
            "preflight": preflights[0] if preflights else None,
            "requests": [[r.server, r.method, r.header("origin")] for r in requests],
            "sent": [dict(sorted(sent(request, SENT | own))) for request in requests],
        }
        if requests and requests[-1].body:
            text = requests[-1].body.decode("utf-8", "replace")
            kind = requests[-1].header("content-type") or ""
            observation["body"] = without_boundary(text, kind)
        return observation


def sent(request: Request, names: set[str]) -> Iterator[tuple[str, str]]:
    for name in {name.lower() for name, _ in request.headers} & names:
        value = request.header(name) or ""
        if name == "user-agent":
            # The browser's own has its version, and would be another next month.
            value = re.sub(r"^Mozilla/.*", "Mozilla/5.0 ...", value)
        yield name, without_boundary(value, value)
