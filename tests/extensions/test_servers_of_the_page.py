"""Every server of the page sends what the app does."""

from pathlib import Path
from typing import Any

import pytest

from tests.listening import require
from tests.strength.servers import Answer, send

from .extension import nightly_only
from .servers import SERVERS, Server, app_of_the_page

APP, EVIL = "https://app.example.com", "https://evil.example"
ASKED = {"Access-Control-Request-Method": "PUT"}
REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/", {}),
    ("GET", "/", {"Origin": APP}),
    ("GET", "/", {"Origin": EVIL}),
    ("GET", "/", {"Origin": APP, "Authorization": "Bearer letmein"}),
    ("HEAD", "/", {"Origin": APP}),
    ("OPTIONS", "/", {"Origin": APP, **ASKED}),
    ("OPTIONS", "/", {"Origin": EVIL, **ASKED}),
    ("OPTIONS", "/", {"Origin": APP}),
    ("POST", "/", {"Origin": EVIL, "Content-Length": "0"}),
    ("GET", "/public", {"Origin": EVIL}),
    ("GET", "/fails", {"Origin": APP}),
    ("GET", "/none", {"Origin": APP}),
]

# Status, the lines that are compared, and the body of what is not an error.
Seen = tuple[int, list[tuple[str, str]], str]


def of_the_app() -> list[Seen]:
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(app_of_the_page(), "app.py", "exec"), scope)
    found: list[Seen] = []
    for method, path, headers in REQUESTS:
        response = scope["app"].test_client().open(path, method=method, headers=headers)
        lines = tuple(response.headers)
        found.append(seen(Answer(response.status_code, lines, response.text)))
    return found


def seen(answer: Answer) -> Seen:
    # Apache leaves out the spaces in lists.
    lines = [(name, value.replace(", ", ",")) for name, value in answer.cors]
    return answer.status, lines, answer.body if answer.status == 200 else ""


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_beside_server(server: Server, tmp_path: Path) -> None:
    nightly_only()
    require(server.needs)
    with server.running(tmp_path) as port:
        found: list[Seen] = []
        for method, path, headers in REQUESTS:
            sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
            head = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items())]
            [answer] = send(port, "\r\n".join([*head, "", ""]).encode())
            found.append(seen(answer))
    assert found == of_the_app()
    assert {status for status, *_ in found} == {200, 204, 403, 404, 500}


def test_hypercorn_without_asgiref(tmp_path: Path) -> None:
    """The page says why it is needed; as soon as this is no longer so, it should not."""
    [server] = (server for server in SERVERS if server.name == "hypercorn")
    nightly_only()
    require(server.needs)
    command = "hypercorn --bind 127.0.0.1:8000 app:app"
    with server.running(tmp_path, [command]) as port:
        head = f"OPTIONS / HTTP/1.1|Host: x|Connection: close|Origin: {APP}"
        request = f"{head}|Access-Control-Request-Method: PUT||".replace("|", "\r\n")
        assert [answer.status for answer in send(port, request.encode())] == [500]
