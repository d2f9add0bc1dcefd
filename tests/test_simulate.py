"""``explain()`` and ``flask cors check`` say the same of every request, and of a handshake."""

from __future__ import annotations

import functools

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Outcome, cors, cors_exempt
from flask_corsguard.cli import cors as command
from flask_corsguard.errors import FetchTypeError
from flask_corsguard.runtime.state import state_of
from flask_corsguard.simulate import Headers, simulate

PAGE = "https://app.example.com"
METHODS = ("GET", "HEAD", "POST", "PUT", "put", "patch", "OPTIONS", "ODD")
NAMES = (
    "Accept", "accept-language", "Content-Language", "CONTENT-TYPE", "Range", "X-Trace",
    "X-Allowed", "Authorization", "Cookie", "Sec-Purpose", "Proxy-X", "X-HTTP-Method-Override",
)  # fmt: skip
VALUES = (
    "", "1", "a" * 128, "a" * 129, " \t" + "a" * 128 + " ", "text/plain", "text", "(", "<b>", "@",
    "Text/Plain ; charset=utf-8", "text/plain;" + "x" * 150, "multipart/form-data; boundary=(",
    "application/json", "en-GB, de;q=0.5", "\xe9", "\x7f", "a\tb", "bytes=0-", "bytes=0-1",
    "bytes=1-0", "bytes=-1", "bytes=0-1,3-4", "BYTES=0-1", "items=0-1", "TRACE", "get, track",
)  # fmt: skip
FIVE = {
    "Accept": "a" * 128, "Accept-Language": "e" * 128, "Content-Language": "e" * 128,
    "Content-Type": "text/plain;" + "x" * 117, "Range": "bytes=0-1",
}  # fmt: skip
SEVERAL: dict[str, tuple[Headers, bool]] = {
    "none": ((), True),
    "names": (["Accept", "Accept-Language"], True),
    "a name that is not safelisted": (["Accept", "X-Trace"], False),
    "names in a str": ("X-Allowed, Accept", True),
    "names in a str, one too many": ("X-Allowed, X-Trace,", False),
    "empty str": ("", True),
    "a value with commas": ("Accept: text/html, x-trace", True),
    "names and values": (["Content-Type: text/plain", "X-Allowed", "X-Allowed: 2"], True),
    "names without values": (["Content-Type", "Range"], False),
    "all that are safelisted": (FIVE, True),
    "1024 bytes": (["Accept: " + "a" * 128] * 8, True),
    "1025 bytes": ([*["Accept: " + "a" * 128] * 8, "Accept-Language: e"], False),
    "in any case": ({"ACCEPT": "(", "accept": "a"}, False),
    "left out by browsers": ({"Cookie": "a=b", "Sec-GPC": "1"}, True),
}


@pytest.fixture(scope="module")
def shop() -> Flask:
    app = Flask("shop", static_folder=None)
    app.extensions["guard"] = CorsGuard(app, origins=PAGE, allow_headers=["X-Allowed"])
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT", "PATCH"])
    return app


def explained(app: Flask, headers: Headers, method: str = "GET") -> bool:
    guard: CorsGuard = app.extensions["guard"]
    decision = guard.explain("/", origin=PAGE, method=method, headers=headers, app=app)
    return decision.outcome is Outcome.ALLOWED


def simulated(app: Flask, headers: Headers, method: str = "GET") -> bool:
    return simulate(state_of(app), "/", origin=PAGE, method=method, headers=headers).allowed


@pytest.mark.parametrize("name", NAMES)
def test_one_header(shop: Flask, name: str) -> None:
    """``explain()`` and the simulated browser agree on every value, however it is given."""
    assert explained(shop, [name]) is explained(shop, name) is simulated(shop, [name])
    for value in VALUES:
        headers = {name: value}
        for method in ("GET", "PUT"):
            verdict = explained(shop, headers, method)
            assert simulated(shop, headers, method) is verdict, (method, value)
            assert explained(shop, [f"{name}: {value}"], method) is verdict, (method, value)
        assert explained(shop, f"{name}:{value}", method) is verdict, value


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("headers", "safelisted"), SEVERAL.values(), ids=SEVERAL)
def test_several_headers(shop: Flask, headers: Headers, safelisted: bool, method: str) -> None:
    """Whether headers may be sent depends on all of them and on the method."""
    allowed = safelisted and method not in ("patch", "ODD")
    assert explained(shop, headers, method) is simulated(shop, headers, method) is allowed


@pytest.mark.parametrize("header", ["Range: bytes=0-1", "Range", "Accept: (", "X-Allowed"])
def test_the_command_line(shop: Flask, header: str) -> None:
    """``flask cors check`` exits with what ``explain()`` says."""
    arguments = ["check", "/", "--origin", PAGE, "--header", header]
    code = shop.test_cli_runner().invoke(command, arguments).exit_code
    assert code == (0 if explained(shop, [header]) else 1)


@pytest.mark.parametrize("headers", [{"a b": "1"}, {"\xe4": "1"}, {"Accept": "\u20ac"}])
def test_what_fetch_refuses(shop: Flask, headers: Headers) -> None:
    """What no page can send is not allowed; ``explain()`` decides all the same."""
    assert not explained(shop, headers)
    with pytest.raises(FetchTypeError):
        simulated(shop, headers)


@pytest.fixture(scope="module")
def chat() -> Flask:
    """An app with sockets of every kind."""
    app = Flask("chat", static_folder=None)
    app.extensions["guard"] = CorsGuard(app, origins=PAGE)
    app.add_url_rule("/plain", "plain", lambda: "ok")
    for name, mark in (
        ("chat", cors(max_age=5)),
        ("open", cors(origins="*")),
        ("reported", cors(enforce="report")),
        ("closed", cors(enforce="unsafe")),
        ("exempt", cors_exempt),
    ):
        app.add_url_rule(f"/{name}", name, mark(lambda: "ok"), websocket=True)
    return app


UPGRADE = {"Upgrade": "websocket"}
OTHER = "https://other.example"


@pytest.mark.parametrize(
    ("url", "origin", "headers", "verdict", "status"),
    [
        ("/chat", OTHER, UPGRADE, "not refused", 200),
        ("/chat", OTHER, ["Upgrade"], "not refused", 200),
        ("/chat", OTHER, ["Upgrade: WebSocket", "Connection: Upgrade"], "not refused", 200),
        ("ws://localhost:5000/chat", OTHER, (), "not refused", 200),
        ("wss://api.example.com/chat", "null", (), "not refused", 200),
        ("/chat", PAGE, UPGRADE, "allowed", 200),
        ("/chat", "http://localhost:5000", UPGRADE, "allowed", 200),
        ("/open", OTHER, UPGRADE, "allowed", 200),
        ("/exempt", OTHER, UPGRADE, "allowed", 200),
        ("/reported", OTHER, UPGRADE, "not refused", 200),
        ("/closed", OTHER, UPGRADE, "rejected", 403),
        ("/closed", PAGE, UPGRADE, "allowed", 200),
        # Nothing opens a socket there.
        ("/plain", PAGE, UPGRADE, "rejected", 400),
        ("/none", OTHER, UPGRADE, "rejected", 404),
        ("ws://api.example.com/chat", PAGE, (), "rejected", None),  # mixed content
    ],
)
def test_handshakes(
    chat: Flask, url: str, origin: str, headers: Headers, verdict: str, status: int | None
) -> None:
    """A handshake is played as a browser sends it; only what opens the socket is for the page."""
    simulation = simulate(state_of(chat), url, origin=origin, headers=headers)
    assert simulation.verdict == verdict
    assert simulation.allowed is (verdict != "rejected")
    exchanges = simulation.response.exchanges
    assert [exchange.status for exchange in exchanges] == ([status] if status else [])
    title = "can use the socket" if simulation.allowed else "cannot open the socket"
    assert simulation.steps[-1].title == f"The page {title}"
    says_why = simulation.steps[-1].lines[0] == "No route of the app accepts this handshake."
    assert says_why is (status in (400, 404))
    if simulation.decision:
        guard: CorsGuard = chat.extensions["guard"]
        whole = simulation.url.replace("ws", "http", 1)
        explained = guard.explain(whole, origin=origin, headers=UPGRADE, app=chat)
        assert simulation.decision.outcome is explained.outcome


def test_headers_that_a_handshake_cannot_have(chat: Flask) -> None:
    headers = {**UPGRADE, "Authorization": "Bearer x", "Cookie": "a=b"}
    simulation = simulate(state_of(chat), "/chat", origin=OTHER, headers=headers)
    line = "Left out, because a page cannot set the headers of a handshake: authorization, cookie."
    assert simulation.steps[0].lines == (line,)
    assert "Authorization" not in simulation.response.exchanges[0].request_headers


def test_what_is_no_handshake(chat: Flask) -> None:
    ask = functools.partial(simulate, state_of(chat), "/chat", origin=OTHER)
    assert ask(headers=UPGRADE, method="POST").response.question.startswith(f"{OTHER}: fetch() of ")
    for method in ("POST", "PATCH", "patch"):
        explained = chat.extensions["guard"].explain(
            "/chat", origin=PAGE, method=method, headers=UPGRADE, app=chat
        )
        simulation = simulate(state_of(chat), "/chat", origin=PAGE, method=method, headers=UPGRADE)
        assert simulation.allowed is (explained.outcome is Outcome.ALLOWED)
    assert ask(headers={"Upgrade": "h2c"}).response.question.startswith(f"{OTHER}: fetch() of ")


@pytest.mark.parametrize("url", ["ws://[", "wss:///"])
def test_a_url_that_no_socket_has(chat: Flask, url: str) -> None:
    with pytest.raises(FetchTypeError, match="is not a URL"):
        simulate(state_of(chat), url, origin=OTHER)


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("https://app.example.com/page", "; in explain(), pass origin='https://app.example.com'"),
        ("https://app.example.com/", "; in explain(), pass origin='https://app.example.com'"),
        ("https://APP.example.com/page", ""),
        ("https://-/page", ""),
        ("app.example.com", ""),
    ],
)
def test_an_origin_that_no_page_has(shop: Flask, origin: str, meant: str) -> None:
    """``explain()`` says what to pass instead of a page's URL."""
    explained = shop.extensions["guard"].explain("/", origin=origin, app=shop).explain()
    assert explained.endswith(f"no page in a browser sends this origin{meant}.")
