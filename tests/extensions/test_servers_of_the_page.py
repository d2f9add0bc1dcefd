"""Every server of the page sends what the app does."""

from pathlib import Path
from typing import Any

import pytest

from tests.listening import require
from tests.strength.servers import send

from .servers import SERVERS, Server, app_of_the_page

APP, EVIL = "https://app.example.com", "https://evil.example"
ASKED = {"Access-Control-Request-Method": "PUT"}
REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/", {}),
    ("GET", "/", {"Origin": APP}),
    ("GET", "/", {"Origin": EVIL}),
    ("HEAD", "/", {"Origin": APP}),
    ("OPTIONS", "/", {"Origin": APP, **ASKED}),
    ("OPTIONS", "/", {"Origin": EVIL, **ASKED}),
    ("OPTIONS", "/", {"Origin": APP}),
    ("POST", "/", {"Origin": EVIL, "Content-Length": "0"}),
    ("GET", "/public", {"Origin": EVIL}),
    ("GET", "/fails", {"Origin": APP}),
    ("GET", "/none", {"Origin": APP}),
]

Seen = tuple[int, list[tuple[str, str]]]


def of_the_app() -> list[Seen]:
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(app_of_the_page(), "app.py", "exec"), scope)
    found: list[Seen] = []
    for method, path, headers in REQUESTS:
        response = scope["app"].test_client().open(path, method=method, headers=headers)
        lines = [(n.title(), v) for n, v in response.headers if _is_compared(n)]
        found.append((response.status_code, sorted(lines)))
    return found


def _is_compared(name: str) -> bool:
    return name.lower().startswith(("access-control-", "vary"))


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_beside_server(server: Server, tmp_path: Path) -> None:
    require(server.needs)
    with server.running(tmp_path) as port:
        found: list[Seen] = []
        for method, path, headers in REQUESTS:
            sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
            head = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items())]
            [answer] = send(port, "\r\n".join([*head, "", ""]).encode())
            found.append((answer.status, answer.cors))
    assert found == of_the_app()
    assert {status for status, _ in found} == {200, 204, 403, 404, 500}
