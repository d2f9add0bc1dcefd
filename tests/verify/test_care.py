"""What ``flask cors verify`` sends to a service, how fast, and what it reads of the responses."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from flask import Flask

from flask_corsguard import CorsGuard, __version__, cors
from flask_corsguard.verify import client
from tests.cli.command_line import Ran, run
from tests.listening import in_a_thread

SHOP = "https://shop.example"


@pytest.fixture
def shop() -> Flask:
    """Its only route takes GET, HEAD and OPTIONS."""
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/items/<int:number>", "items", lambda number: {"number": number})
    app.add_url_rule("/ready", "ready", lambda: guard.status(app), methods=["GET"])
    return app


@contextmanager
def raw(respond: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that sends what it likes, for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                try:
                    respond(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


class Recorder:
    """An app that keeps what it is asked, and when."""

    def __init__(self, app: Any, change: Callable[[list[tuple[str, str]]], None] | None = None):
        self._app, self._change = app, change or (lambda _: None)
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.asked.append(environ)
        self.times.append(time.monotonic())

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            self._change(headers)
            return start_response(status, headers, exc_info)

        return self._app(environ, start)


def verify(url: str, app: Flask, *options: str, **variables: str) -> Ran:
    return run(["verify", url, "--rate", "1000", *options], app, **variables)


def urls(recorder: Recorder) -> list[str]:
    return [f"{each['PATH_INFO']}?{each['QUERY_STRING']}" for each in recorder.asked]


def test_only_preflights_are_sent(shop: Flask) -> None:
    recorder = Recorder(shop)
    with in_a_thread(recorder) as url:
        assert verify(url, shop).code == 0
    assert {each["REQUEST_METHOD"] for each in recorder.asked} == {"OPTIONS"}
    assert all("HTTP_ACCESS_CONTROL_REQUEST_METHOD" in each for each in recorder.asked)


def test_get_is_sent_to_the_named_paths_alone(shop: Flask) -> None:
    recorder = Recorder(shop)
    with in_a_thread(recorder) as url:
        assert verify(url, shop, "--get", "/items/7?full=1", "--status", "/ready").code == 0
    got = {each["PATH_INFO"] for each in recorder.asked if each["REQUEST_METHOD"] == "GET"}
    assert got == {"/items/7", "/ready"}
    assert all("full=1&corsguard-verify=" in url for url in urls(recorder) if "/items/7" in url)


def _lose_headers(headers: list[tuple[str, str]]) -> None:
    headers[:] = [each for each in headers if not each[0].startswith("Access-Control-")]


_LOST = (
    "Have it leave the app's headers alone, and send the policy's headers with everything that it"
    " serves itself, including errors."
)
_SAME = "The settings are the same as here: the fingerprints match.\n"


@pytest.mark.parametrize(
    ("options", "same", "change", "names_policy"),
    [
        ([], None, f"{_LOST} If it already does, use --status.", True),
        (["--status", "/ready"], True, _LOST, False),
        (["--status", "/other"], False, f"{_LOST} If it already does, fix other_settings first.",
         True),
        (["--status", "/items/7"], None, f"{_LOST} If it already does, fix no_status first.", True),
    ],
    ids=["without", "same", "other", "no status"],
)  # fmt: skip
def test_what_the_status_page_says_of_the_other_findings(
    shop: Flask, options: list[str], same: bool | None, change: str, names_policy: bool
) -> None:
    """Whether the settings are the same is said, and no longer advised to find out."""
    shop.add_url_rule("/other", "other", lambda: {"fingerprint": "0123456789ab"}, methods=["GET"])
    with in_a_thread(Recorder(shop, _lose_headers)) as url:
        told = json.loads(verify(url, shop, "--json", *options).out)
        text = verify(url, shop, *options).out
    assert told["same_settings"] is same
    found = next(each for each in told["findings"] if each["code"] == "header_lost")
    assert found["change"] == change
    assert ("another policy" in found["cause"]) is names_policy
    assert (_SAME in text) is (same is True)


def test_another_decision_with_the_same_settings(shop: Flask) -> None:
    """It must be what the fingerprint does not count: a source."""
    guard, rows = CorsGuard(), list[str]()

    class Rows:
        name, refresh = "rows", 0.001

        def load(self) -> tuple[None, list[str]]:
            return None, [*rows]

    def made() -> Flask:
        app = Flask("shop", static_folder=None)
        guard.init_app(app)
        app.add_url_rule("/x", "x", cors(origins=Rows())(lambda: ""))
        app.add_url_rule("/ready", "ready", lambda: guard.status(app), methods=["GET"])
        return app

    there = made()
    there.test_client().get("/x", headers={"Origin": SHOP})  # which reads the rows
    rows.append(SHOP)
    with in_a_thread(there) as url:
        told = json.loads(verify(url, made(), "--status", "/ready", "--json").out)
    found = next(each for each in told["findings"] if each["code"] == "other_decision")
    assert "so a source has other rows there" in found["cause"]
    assert found["change"] == (
        "Compare the sources on the status page with 'flask cors sources' here."
    )


def test_who_asks(shop: Flask) -> None:
    recorder = Recorder(shop, lambda headers: headers.append(("Set-Cookie", "a=1; Path=/")))
    with in_a_thread(recorder) as url:
        verify(url, shop, "--get", "/items/7")
        host = url.partition("://")[2]
    for each in recorder.asked:
        assert each["HTTP_USER_AGENT"].startswith(f"Flask-CorsGuard/{__version__} (flask cors ver")
        assert each["HTTP_HOST"] == host
        assert not {"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_REFERER"} & each.keys()
        assert each["HTTP_ACCEPT_ENCODING"] == "identity"


def test_each_test_has_a_url_of_its_own(shop: Flask) -> None:
    """Which its requests share, from different origins."""
    first, second = Recorder(shop), Recorder(shop)
    for recorder in (first, second):
        with in_a_thread(recorder) as url:
            verify(url, shop, "--get", "/items/7")
        for tested in {each["QUERY_STRING"] for each in recorder.asked}:
            asked = [each for each in recorder.asked if each["QUERY_STRING"] == tested]
            assert len({each["PATH_INFO"] for each in asked}) == 1
            origins = [each.get("HTTP_ORIGIN") for each in asked]
            assert 2 <= len(origins) <= 3
            assert len({*origins}) == len(origins)
            assert len({each["REQUEST_METHOD"] for each in asked}) == 1
    assert {*urls(first)}.isdisjoint(urls(second))
    orders = {
        tuple(o.get("HTTP_ORIGIN") for o in first.asked if o["QUERY_STRING"] == each)
        for each in {o["QUERY_STRING"] for o in first.asked if o["REQUEST_METHOD"] == "GET"}
    }
    stranger = "https://corsguard-audit.invalid"
    assert {(SHOP, stranger, "null"), (stranger, SHOP, None), (None, SHOP, stranger)} <= orders


def test_redirects_are_not_followed(shop: Flask) -> None:
    def away(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("302 Found", [("Location", "/elsewhere"), ("Content-Length", "0")])
        return []

    recorder = Recorder(away)
    with in_a_thread(recorder) as url:
        assert verify(url, shop, "--get", "/items/7").code == 1
    assert "/elsewhere" not in {each["PATH_INFO"] for each in recorder.asked}


def test_rate(shop: Flask) -> None:
    recorder = Recorder(shop)
    with in_a_thread(recorder) as url:
        run(["verify", url, "--rate", "25", "--limit", "9"], shop)
    gaps = [
        after - before for before, after in zip(recorder.times, recorder.times[1:], strict=False)
    ]
    assert len(gaps) == 6
    assert sum(gaps) >= 6 * 0.04 - 0.02


def test_limit(shop: Flask) -> None:
    recorder = Recorder(shop)
    with in_a_thread(recorder) as url:
        ran = verify(url, shop, "--limit", "10")
    assert len(recorder.asked) == 10
    assert (
        "not tried: 6 of 10 tests, from GET /items/<int:number> on, because of --limit 10."
        in ran.out
    )
    assert ran.code == 0


def test_what_refuses_preflights_as_an_export_does() -> None:
    """Without a document of the guard, and those of the app's own pages too."""
    app = Flask("shop", static_folder="static")
    guard = CorsGuard(app, origins=SHOP)
    guard.for_files("static", "*.woff2", origins="*")
    guard.for_path("/static/fonts", allow_credentials=False)

    def front(environ: Any, start_response: Any) -> Any:
        is_open = environ["PATH_INFO"].endswith(".woff2")
        if is_open or environ.get("HTTP_ORIGIN", SHOP) == SHOP:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Vary", "Origin")])
        return [b""]

    with in_a_thread(front) as url:
        ran = verify(url, app, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["findings"], told["not_tried"]) == (0, [], [])


def test_responses_to_get_alone(shop: Flask) -> None:
    """Where one header is missing whoever asks, that is no cache; a firewall's refusal of a
    stranger is nothing."""

    def front(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            kept = [line for line in headers if line[0] != "Access-Control-Allow-Origin"]
            return start_response(status, kept, exc_info)

        if environ.get("HTTP_ORIGIN", SHOP) != SHOP:
            start_response("403 Forbidden", [])
            return [b""]
        return shop(environ, start if environ["REQUEST_METHOD"] == "GET" else start_response)

    with in_a_thread(front) as url:
        ran = verify(url, shop, "--json", "--get", "/items/7")
    assert {finding["code"] for finding in json.loads(ran.out)["findings"]} == {"header_lost"}


def test_each_route_is_tried_within_a_limit() -> None:
    app = Flask("large", static_folder=None)
    CorsGuard(app, origins=SHOP)
    for number in range(12):
        app.add_url_rule(f"/{number}", f"view{number}", lambda: "", methods=["GET", "PUT"])
    recorder = Recorder(app)
    with in_a_thread(recorder) as url:
        verify(url, app, "--limit", "24")
    assert {each["PATH_INFO"] for each in recorder.asked} == {f"/{n}" for n in range(12)}


def test_another_path_than_the_root_of_the_app(shop: Flask) -> None:
    with in_a_thread(shop) as url:
        ran = verify(f"{url}/elsewhere", shop, "--json")
    assert {finding["code"] for finding in json.loads(ran.out)["findings"]} == {"not_found"}


def test_a_long_run_is_announced(shop: Flask) -> None:
    with in_a_thread(shop) as url:
        ran = run(["verify", url, "--rate", "0.1", "--limit", "1"], shop)
        assert ran.err == ""
        assert "10 of 10 tests" in ran.out
        ran = run(["verify", "http://127.0.0.1:1", "--rate", "2"], shop)
    assert ran.err.startswith("24 requests, 2 per second: about 12 s\n")


def test_no_proxy_of_the_environment_is_used(shop: Flask) -> None:
    dead = "http://127.0.0.1:1"
    with in_a_thread(shop) as url:
        assert verify(url, shop, HTTP_PROXY=dead, http_proxy=dead, ALL_PROXY=dead).code == 0


def test_certificates_are_verified(shop: Flask, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    known = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(known)
    with in_a_thread(shop, ssl_context=context) as url:
        ran = verify(url, shop)
        assert ran.code == 2
        assert "CERTIFICATE_VERIFY_FAILED" in ran.err
        assert verify(url, shop, SSL_CERT_FILE=str(known)).code == 0


def test_a_body_is_read_up_to_a_limit(shop: Flask) -> None:
    sent: list[int] = []

    def endless(connection: socket.socket) -> None:
        sent.append(0)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent[-1] < 100_000_000:
            sent[-1] += connection.send(b"x" * 100_000)

    with raw(endless) as url:
        ran = verify(url, shop, "--limit", "2")
    assert ran.code == 1
    assert "preflight_replaced" in ran.out
    # What the machine holds on the way comes on top.
    assert all(client.LARGEST_BODY <= each < 20_000_000 for each in sent)
    assert len(sent) == 2


def test_a_response_that_trickles_in(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.3)

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n")
        for _ in range(20):
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)

    with raw(trickle) as url:
        ran = verify(url, shop)
    assert ran.code == 2
    assert "no complete response within 0.3 seconds" in ran.err


def test_it_ends_when_nothing_responds_any_more(shop: Flask) -> None:
    requests = iter(range(100))

    def at_first(connection: socket.socket) -> None:
        if next(requests) < 2:
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with raw(at_first) as url:
        ran = verify(url, shop, "--json")
    told = json.loads(ran.out)
    assert "no_response" in {finding["code"] for finding in told["findings"]}
    assert told["not_tried"] == ["4 of 10 tests, because the 5 before had no response."]
    assert told["requests"] < 24


HOSTILE = {
    "escape sequences": b"Vary: \x1b[31mOrigin\r\nAccess-Control-Allow-Origin: \x9b2J\xff\r\n",
    "a long line": b"Access-Control-Allow-Origin: " + b"a" * 60_000 + b"\r\n",
    "many lines": b"Access-Control-Allow-Origin: *\r\n" * 900,
    "many names": b"Vary: " + b"a, " * 20_000 + b"\r\n",
    "many kinds": b"".join(b"Access-Control-Allow-%d: x\r\n" % n for n in range(900)),
    "an odd age": b"Age: " + b"9" * 5000 + b"\r\nX-Cache: \xe2\x80\xaehit\r\n",
    "an odd location": b"Location: https://[::1\r\n",
    "a made-up code": b"Content-Type: application/problem+json\r\n",
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("status", [b"204 -", b"301 -", b"403 -"])
def test_hostile_responses(status: bytes, lines: bytes, shop: Flask) -> None:
    body = b'{"code": "\x1b[2J"}'

    def respond(connection: socket.socket) -> None:
        head = b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + lines
        connection.sendall(head + b"\r\n" + (b"" if status[:3] == b"204" else body))

    with raw(respond) as url:
        ran = verify(url, shop, "--limit", "12", "--get", "/items/7")
    assert ran.code == 1
    assert ran.out.replace("\n", "").isascii()
    assert ran.out.replace("\n", "").isprintable()
    assert max(map(len, ran.out.splitlines())) < 400
    assert len(ran.out.splitlines()) < 150


def test_errors_of_many_kinds(shop: Flask) -> None:
    """They are one finding."""
    numbers = iter(range(1000))

    def respond(connection: socket.socket) -> None:
        number = next(numbers)
        text = "204 -\r\n" if number < 4 else f"-\r\nbad header {number}\r\n"
        connection.sendall(f"HTTP/1.1 {text}Connection: close\r\n\r\n".encode())

    with raw(respond) as url:
        ran = verify(url, shop, "--json")
    codes = [finding["code"] for finding in json.loads(ran.out)["findings"]]
    assert codes == ["preflight_replaced", "no_response"]


def test_a_cache_of_preflights(shop: Flask) -> None:
    kept: dict[str, tuple[Any, ...]] = {}

    def cache(environ: Any, start_response: Any) -> Any:
        url = environ["PATH_INFO"] + environ["QUERY_STRING"]
        if url not in kept:
            told: list[Any] = []
            body = list(shop(environ, lambda *arguments: told.extend(arguments)))
            kept[url] = (body, *told[:2])
        body, status, headers = kept[url]
        start_response(status, headers)
        return body

    with in_a_thread(cache) as url:
        ran = verify(url, shop, "--json")
    assert {finding["code"] for finding in json.loads(ran.out)["findings"]} == {"mixed_up"}


@pytest.mark.parametrize(
    "response",
    [b"", b"\x00\xff" * 100, b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000],
    ids=["nothing", "noise", "another protocol", "no end"],
)
def test_what_is_not_http(response: bytes, shop: Flask) -> None:
    with raw(lambda connection: connection.sendall(response)) as url:
        ran = verify(url, shop)
    assert ran.code == 2
    assert re.fullmatch(
        r"Error: http://127\.0\.0\.1:\d+/items/\d\?corsguard-verify=\S+: .+\n", ran.err
    )


@pytest.mark.parametrize(
    "body", [b"[" * 500_000, b"{", b'{"fingerprint": 7}', b"\xff", b"null"], ids=range(5)
)
def test_a_hostile_status_page(body: bytes, shop: Flask) -> None:
    def respond(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/ready" and environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [body]
        return shop(environ, start_response)

    with in_a_thread(respond) as url:
        ran = verify(url, shop, "--status", "/ready", "--json")
    assert [finding["code"] for finding in json.loads(ran.out)["findings"]] == ["no_status"]
