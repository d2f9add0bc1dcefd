"""Plays the cases of tests/data/verdicts.json in real browsers: ``make browser-verdicts``."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .raw_server import Plan, Request, without_boundary

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


def load(path: Path = FILE) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text("ascii"))
    return data


def save(data: dict[str, Any], path: Path = FILE) -> None:
    """With a case on each line."""
    head = "".join(f"{json.dumps(k)}:{json.dumps(v)},\n" for k, v in data.items() if k != "cases")
    cases = ",\n".join(json.dumps(case) for case in data["cases"])
    path.write_text(f'{{{head}"cases":[\n{cases}\n]}}\n', "ascii")


def steps_of(case: Case) -> list[dict[str, Any]]:
    """The steps, each with the page that it is on, and whether that is sandboxed."""
    page = {"page": case.get("page", "A"), "sandbox": case.get("sandbox", False)}
    return [page | step for step in case.get("steps", [case])]


def plan_of(step: dict[str, Any], prefix: str) -> Plan:
    """What the servers answer to a step of the case with this prefix."""
    path = step.get("path", "x")
    path = path if path.startswith("/other") else f"{prefix}/{path.lstrip('/')}"
    hops = step.get("hops") or [{"server": step["server"], **step["response"]}]
    preflight = {"preflight_response": step.get("preflight_response")}
    # Such a form writes the query.
    any_query = step.get("submit", {}).get("method") == "get"
    return Plan(prefix, path, [preflight | hop for hop in hops], any_query)


def own_headers(step: dict[str, Any]) -> set[str]:
    """The headers that the case itself sets."""
    return {name.lower() for name, _ in step.get("fetch", {}).get("headers", [])}


def observed_requests(requests: list[Request], step: dict[str, Any]) -> Observation:
    """The part of an observation that the servers made."""
    preflight = next((request for request in requests if request.preflight), None)
    names = SENT | own_headers(step)
    observation = {
        "preflight": preflight
        and {
            name: preflight.header(f"access-control-request-{name}")
            for name in ("method", "headers")
        },
        "requests": [[r.server, r.method, r.header("origin")] for r in requests],
        "sent": [dict(sorted(sent(request, names))) for request in requests],
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
