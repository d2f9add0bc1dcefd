"""Servers that have loaded an export answer as the guard does, or allow less, for a reason.

``EXPORT_SEEDS`` says how many policies are made up beside those of the table.
"""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from flask import Flask

from flask_corsguard.path_prefix import is_alias
from flask_corsguard.protocol.headers import parse_requested_headers
from tests.export.policies import TABLE, made
from tests.export.servers import SERVERS, serving
from tests.export.traffic import Request, Response, ask_guard, ask_server, requests_for

SEEDS = int(os.environ.get("EXPORT_SEEDS", "7"))
REQUESTS = 500
NAMES = [*TABLE, *(f"seed {n}" for n in range(SEEDS))]
# Why a server may send less than the guard does, and how it shows.
EMPTY = "an empty Origin is none, for a server"
IPV6 = "among everybody, or for a pattern, an IPv6 address is not known from a misspelt one"
TAB = "nginx leaves a tab at the end of a value"
SPELLING = "a server repeats the requested headers as they are spelled"
MANY = "of 129 elements, a server reads none, though some of them may be empty"
ALIAS = "what a server takes for another path than was sent, nobody may read"
EXEMPT = "the guard leaves the route alone"


def why_different(request: Request, guard: Response, server: Response) -> str:
    """The reason for a difference; "" if there is none."""
    if is_alias(unquote(request.path.partition("?")[0])) and not server.own:
        return ALIAS
    sent = dict(request.headers)
    origin = sent.get("Origin", "-")
    if not guard.vary and not guard.own and not server.vary and not server.own:
        return EXEMPT
    if origin.strip(" \t") == "":
        return EMPTY
    narrower = not server.own and server.vary == guard.vary
    if narrower and "://[" in origin:
        return IPV6
    if narrower and origin.endswith("\t"):
        return TAB
    names = sent.get("Access-Control-Request-Headers", "")
    if narrower and names.count(",") >= 128:
        return MANY
    ours, theirs = dict(guard.own), dict(server.own)
    repeated = theirs.pop("access-control-allow-headers", "")
    ours.pop("access-control-allow-headers", None)
    is_same = parse_requested_headers(repeated) == parse_requested_headers(names)
    if ours == theirs and guard.vary == server.vary and is_same:
        return SPELLING
    return ""


def is_the_same(request: Request, guard: Response, server: Response) -> bool:
    if request.is_preflight and guard.status != server.status:
        return False
    return guard.own == server.own and guard.vary == server.vary


class Asked(NamedTuple):
    """An app, and what the guard says to each of some requests."""

    name: str
    app: Flask
    requests: list[Request]
    responses: list[Response]


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    found: list[Asked] = []
    for name in NAMES:
        app = made(name)
        requests = requests_for(app, REQUESTS, name)
        found.append(Asked(name, app, requests, ask_guard(app, requests)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_500_requests_for_each_policy(server: str, tmp_path: Path, asked: list[Asked]) -> None:
    apps = {f"app{number}": each.app for number, each in enumerate(asked)}
    reasons: Counter[str] = Counter()
    allowed: Counter[bool] = Counter()
    statuses: Counter[int] = Counter()
    with serving(server, apps, tmp_path) as port:
        for host, (name, _, requests, wanted) in zip(apps, asked, strict=True):
            found = ask_server(port, host, requests)
            for request, guard, theirs in zip(requests, wanted, found, strict=True):
                allowed[bool(theirs.own)] += 1
                statuses[theirs.status] += 1
                if not is_the_same(request, guard, theirs):
                    reason = why_different(request, guard, theirs)
                    assert reason, (name, request, guard, theirs)
                    reasons[reason] += 1
    assert {200, 204, 206, 301, 304, 403, 404} <= set(statuses)
    total = REQUESTS * len(NAMES)
    assert allowed[True] > 0.1 * total, "nearly all requests are refused anyway"
    assert reasons.total() - reasons[EMPTY] - reasons[ALIAS] < 0.02 * total, reasons
