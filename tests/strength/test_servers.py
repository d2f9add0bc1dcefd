"""Odd requests through WSGI servers: servers.txt says what becomes of each.

Safe is: the server refuses the request, or the app answers with the header set of the verdict and
of the view that ran, line by line, and goes on serving.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .odd_requests import REQUESTS
from .served import SHOP
from .servers import SERVERS, Answer, send

GATEWAY_STATUS = 502

Lines = list[tuple[str, str]]
# Those of the table that have another name elsewhere.
VERDICTS = {"not-cors": "no CORS", "same-origin": "same origin"}
ORDINARY: Lines = [("Vary", "Origin")]
PREFLIGHT: Lines = [
    ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
]
REFUSED: Lines = [("Vary", "Origin, Sec-Fetch-Site, Accept")]
# By what was decided, and by the status.
HEADERS: dict[tuple[str, int], Lines] = {
    **dict.fromkeys([("no CORS", 200), ("same origin", 200)], ORDINARY),
    **dict.fromkeys([("rejected", 200), ("rejected", 404)], ORDINARY),
    ("allowed", 200): [("Access-Control-Allow-Origin", SHOP), *ORDINARY],
    ("allowed", 204): [
        ("Access-Control-Allow-Headers", "Content-Type"),
        ("Access-Control-Allow-Methods", "PUT"),
        ("Access-Control-Allow-Origin", SHOP),
        ("Access-Control-Max-Age", "600"),
        *PREFLIGHT,
    ],
}
OPEN_TO_ALL: Lines = [("Access-Control-Allow-Origin", "*")]


def read_table() -> dict[str, dict[str, str]]:
    """What the table expects, by server and request."""
    text = Path(__file__).with_name("servers.txt").read_text("utf-8")
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    (_, *names), *cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {name: {row[0]: row[n] for row in cells} for n, name in enumerate(names, 1)}


TABLE = read_table()


class Running(NamedTuple):
    """A server, and where it listens."""

    name: str
    port: int


@pytest.fixture(scope="module", params=TABLE)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Each server in turn."""
    name: str = request.param
    SERVERS[name].require()
    with SERVERS[name].running(tmp_path_factory.mktemp("server")) as port:
        yield Running(name, port)


def verdict_of(answers: list[Answer], is_preflight: bool) -> str:
    """What became of a request, once the answer has proved to be what it should be then."""
    if not answers:
        return "refused"
    (answer,) = answers
    if answer.get("X-Process") is None:
        assert 400 <= answer.status < 500 or answer.status == GATEWAY_STATUS
        assert answer.cors == []
        return "refused"
    outcome = answer.get("X-Outcome") or ""
    verdict = VERDICTS.get(outcome, outcome)
    if answer.get("X-View") == "open_to_all":
        expected = OPEN_TO_ALL
    elif (verdict, answer.status) == ("rejected", 403):
        expected = PREFLIGHT if is_preflight else REFUSED
    else:
        expected = HEADERS[verdict, answer.status]
    assert answer.cors == expected
    return verdict


def test_the_table_is_about_these_requests() -> None:
    assert {tuple(rows) for rows in TABLE.values()} == {tuple(REQUESTS)}


@pytest.mark.parametrize("name", REQUESTS)
def test_odd_requests(server: Running, name: str) -> None:
    request = REQUESTS[name]
    is_preflight = any(line.startswith("Access-Control-Request-") for line in request.lines)
    (before,) = send(server.port, REQUESTS["an allowed origin"].wire)
    assert verdict_of(send(server.port, request.wire), is_preflight) == TABLE[server.name][name]

    (after,) = send(server.port, REQUESTS["an allowed origin"].wire)
    assert (after.status, after.cors) == (200, HEADERS["allowed", 200])
    assert after.get("X-Process") == before.get("X-Process")
