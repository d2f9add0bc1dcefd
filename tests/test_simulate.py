"""``explain()`` and ``flask cors check`` say the same of every request."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Outcome
from flask_corsguard.cli import cors
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
    code = shop.test_cli_runner().invoke(cors, arguments).exit_code
    assert code == (0 if explained(shop, [header]) else 1)


@pytest.mark.parametrize("headers", [{"a b": "1"}, {"\xe4": "1"}, {"Accept": "\u20ac"}])
def test_what_fetch_refuses(shop: Flask, headers: Headers) -> None:
    """What no page can send is not allowed; ``explain()`` decides all the same."""
    assert not explained(shop, headers)
    with pytest.raises(FetchTypeError):
        simulated(shop, headers)
