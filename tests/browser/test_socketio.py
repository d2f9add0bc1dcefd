"""The JavaScript client of Socket.IO, on pages in Chromium, at a Socket.IO server whose origins
are those of the guard."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.listening import free_port, listening, require
from tests.recipes.packages import node_modules
from tests.sockets.chat import ALLOWED, CHAT, PAGE

from .browsers import Chromium

pytestmark = pytest.mark.browser

CONNECT = """
const [client, url, transport] = arguments;
(0, eval)(client);
const options = {transports: [transport], reconnection: false, forceNew: true};
const socket = io(url, {...options, withCredentials: true});
try {
    return await new Promise((resolve) => {
        socket.on("connect_error", () => resolve(null));
        socket.on("connect", () => socket.emit("who", resolve));
    });
} finally {
    socket.disconnect();
}
"""


class Chat(NamedTuple):
    """The URL of the chat, and of the pages that connect to it."""

    url: str
    pages: dict[str, str]
    client: str


def page() -> Flask:
    app = Flask("page", static_folder=None)
    app.add_url_rule("/", "index", lambda: PAGE)
    return app


@pytest.fixture(scope="module")
def chat(serve: Callable[[Flask], str], tmp_path_factory: Any) -> Iterator[Chat]:
    require(("flask_socketio", "simple_websocket", "npm"))
    client = node_modules() / "socket.io-client" / "dist" / "socket.io.min.js"
    allowed, other, port = serve(page()), serve(page()), free_port()
    log = tmp_path_factory.mktemp("chat") / "log"
    command = [sys.executable, str(CHAT), "threading", str(port)]
    with listening(command, port, log, {ALLOWED: allowed}):
        url = f"http://localhost:{port}"
        yield Chat(url, {"allowed": allowed, "other": other, "own": url}, client.read_text("utf-8"))


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize(
    ("name", "is_admitted"), [("allowed", True), ("other", False), ("own", True)]
)
def test_who_connects(
    chat: Chat, chromium: Chromium, name: str, is_admitted: bool, transport: str
) -> None:
    """And the cookies of the chat come along, by polling and with the handshake."""
    chromium.open(chat.url)
    chromium.forget_cookies()  # other tests' servers had this host
    chromium.open(chat.url)  # which sets one
    chromium.open(chat.pages[name])
    said = chromium.run(CONNECT, chat.client, chat.url, transport)
    assert said == ({"cookie": "visit=chat"} if is_admitted else None)
    chromium.forget_cookies()
