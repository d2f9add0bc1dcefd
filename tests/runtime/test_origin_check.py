"""``guard.origin_check``: for each origin and environment, what it says, and that it announces what
it does not admit. Real Socket.IO servers and clients are in tests/sockets."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

from flask_corsguard import CorsGuard, CorsGuardError, Outcome, Policy, Reason, cors_exempt
from tests.conftest import Heard
from tests.raised import FAILURES, SHUTDOWNS

SHOP, OTHER, HOST = "https://shop.example", "https://other.example", "api.example.com"
OWN, OWN_HTTP = f"https://{HOST}", f"http://{HOST}"
ACT: dict[str, Any] = {"origins": [SHOP], "allow_credentials": True}
SOCKET = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
POST, OPTIONS = {"REQUEST_METHOD": "POST"}, {"REQUEST_METHOD": "OPTIONS"}
PREFLIGHT = {**OPTIONS, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}
CROSS, SAME = {"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_SEC_FETCH_SITE": "same-origin"}
HTTP = {"wsgi.url_scheme": "http"}


def environ_for(path: str = "/socket.io/", **changes: Any) -> dict[str, Any]:
    """What Engine.IO hands over."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "EIO=4&transport=polling",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": HOST,
        "wsgi.url_scheme": "https",
        **changes,
    }


def scope_for(scheme: str = "https", *headers: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """The same in ASGI, as Engine.IO makes it of the scope: over http, whatever the scope says."""
    given = [("host", HOST), *headers]
    scope = {
        "type": "websocket" if scheme.startswith("ws") else "http",
        "scheme": scheme,
        "path": "/socket.io/",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given],
        **changes,
    }
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": scope["path"],
        "SCRIPT_NAME": "",
        "SERVER_NAME": "asgi",
        "SERVER_PORT": "0",
        "asgi.scope": scope,
    }
    for name, value in given:
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", "http")
    return environ


def looked_at(origin: str, request: Any) -> bool:
    """A callable that takes the request, and needs the app's context."""
    return current_app.name == "app" and request.args["EIO"] == "4" and origin == SHOP


OPEN = {"origins": "*"}
SEVERAL = [Policy(**ACT), Policy(origins="*")]
DENY = {"origins": ["https://*.example"], "deny_origins": [OTHER], "allow_credentials": True}

# Policy, origin, what differs in the environment, whether it is admitted, and the reason if not.
CASES: list[tuple[Any, str | None, dict[str, Any], bool, str]] = [
    (ACT, SHOP, {}, True, ""),
    (ACT, SHOP, POST, True, ""),
    (ACT, SHOP, SOCKET, True, ""),
    (ACT, SHOP, PREFLIGHT, True, ""),
    (ACT, OTHER, {}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OTHER, POST, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OTHER, SOCKET, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OTHER, PREFLIGHT, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OTHER, OPTIONS, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, None, {}, True, ""),
    (ACT, "null", SOCKET, False, "ORIGIN_NULL"),
    (ACT, "", {}, False, "ORIGIN_MALFORMED"),
    (ACT, SHOP.upper(), {}, False, "ORIGIN_MALFORMED"),
    (ACT, f"{SHOP},{SHOP}", {}, False, "ORIGIN_MALFORMED"),
    (ACT, f"{SHOP}.evil.example", {}, False, "ORIGIN_NOT_ALLOWED"),
    ({}, OTHER, {}, False, "ORIGIN_NOT_ALLOWED"),
    # The app's own pages; https in front of http is a proxy, http in front of https is not.
    (ACT, OWN, {}, True, ""),
    (ACT, OWN, {**SOCKET, "wsgi.url_scheme": "wss"}, True, ""),
    (ACT, OWN, {**SOCKET, **HTTP}, True, ""),
    (ACT, OWN_HTTP, HTTP, True, ""),
    (ACT, OWN_HTTP, {}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, f"{OWN}:8443", {}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OWN, {"HTTP_HOST": f"{HOST}:443"}, True, ""),
    (ACT, OWN, {"HTTP_HOST": "10.0.0.7:8000"}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, OWN, {"HTTP_HOST": "10.0.0.7:8000", **SAME}, True, ""),
    (ACT, OWN, {"HTTP_HOST": "10.0.0.7", "HTTP_X_FORWARDED_HOST": HOST}, False,
     "ORIGIN_NOT_ALLOWED"),
    (ACT, OTHER, {"HTTP_X_FORWARDED_HOST": "other.example"}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, SHOP, CROSS, True, ""),
    (ACT, OTHER, CROSS, False, "ORIGIN_NOT_ALLOWED"),
    # Without credentials, it is not enough for what sends them.
    ({"origins": [SHOP]}, SHOP, {}, False, "CREDENTIALS_NOT_ALLOWED"),
    ({"origins": [SHOP]}, SHOP, SOCKET, False, "CREDENTIALS_NOT_ALLOWED"),
    ({"origins": [SHOP]}, OWN, SOCKET, True, ""),
    (OPEN, OTHER, {}, False, "CREDENTIALS_NOT_ALLOWED"),
    (OPEN, OWN, {}, True, ""),
    (OPEN, OWN, SOCKET, True, ""),
    (SEVERAL, OWN, SOCKET, True, ""),
    ({**OPEN, "enforce": "unsafe"}, OWN, POST, True, ""),
    ({**OPEN, "enforce": "report"}, OTHER, SOCKET, False, "CREDENTIALS_NOT_ALLOWED"),
    ({**OPEN, "enforce": "unsafe"}, OTHER, SOCKET, False, "CROSS_SITE_REQUEST"),
    (SEVERAL, SHOP, {}, True, ""),
    (SEVERAL, OTHER, {}, False, "CREDENTIALS_NOT_ALLOWED"),
    # Every form of a policy.
    (DENY, SHOP, {}, True, ""),
    (DENY, OTHER, {}, False, "ORIGIN_DENIED"),
    ({**ACT, "origins": lambda origin: origin == SHOP}, SHOP, {}, True, ""),
    ({**ACT, "origins": lambda origin: origin == SHOP}, OTHER, {}, False, "ORIGIN_NOT_ALLOWED"),
    ({**ACT, "origins": looked_at}, SHOP, {}, True, ""),
    ({**ACT, "origins": lambda origin: 1 / 0}, SHOP, {}, False, "ORIGIN_CHECK_FAILED"),
    ({**ACT, "raw_origins": ["app://."]}, "app://.", SOCKET, True, ""),
    # What enforce says changes nothing: what is not admitted is refused in any case.
    *[
        ({**ACT, "enforce": enforce}, origin, kind, origin == SHOP,
         "" if origin == SHOP else "ORIGIN_NOT_ALLOWED")
        for enforce in ("off", "report", "unsafe", "all")
        for origin in (SHOP, OTHER)
        for kind in ({}, POST, SOCKET)
    ],
    # The path decides, below the app's root.
    (ACT, OTHER, {"PATH_INFO": "/open"}, True, ""),
    (ACT, OTHER, {"PATH_INFO": "/open/socket.io/"}, True, ""),
    (ACT, OTHER, {"PATH_INFO": "/socket.io/", "SCRIPT_NAME": "/open"}, False, "ORIGIN_NOT_ALLOWED"),
    (ACT, SHOP, {"PATH_INFO": "/open/../socket.io/"}, False, "PATH_AMBIGUOUS"),
    (ACT, OWN, {"PATH_INFO": "/open/../socket.io/"}, True, ""),
    (ACT, SHOP, {"PATH_INFO": "/exempt"}, False, ""),
    (ACT, OWN, {"PATH_INFO": "/exempt"}, True, ""),
]  # fmt: skip


def made(policy: Any, *, credentials: bool = True) -> tuple[Flask, CorsGuard, Any]:
    """An app, its guard, and the function."""
    app = Flask("app", static_folder=None)
    guard = CorsGuard(app, **policy) if isinstance(policy, dict) else CorsGuard(app, policy)
    guard.for_path("/open", Policy(origins=[OTHER], allow_credentials=True))
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: ""))
    return app, guard, guard.origin_check(app, credentials=credentials)


@pytest.mark.parametrize(
    ("policy", "origin", "changes", "is_admitted", "reason"),
    CASES,
    ids=[str(n) for n in range(len(CASES))],
)
def test_what_it_says(
    policy: Any,
    origin: str | None,
    changes: dict[str, Any],
    is_admitted: bool,
    reason: str,
    heard: list[Heard],
) -> None:
    """The answer, twice about each request as Engine.IO asks; and one announcement that fits it."""
    app, guard, check = made(policy)
    environ = {**environ_for(), **changes}
    assert (check(origin, environ), check(origin, environ)) == (is_admitted, is_admitted)
    rejected = [decision for name, _, decision in heard if name == "origin-rejected"]
    reasons = [decision.reason and decision.reason.name for decision in rejected]
    assert reasons == ([reason] if reason else [])
    for decision in rejected:
        assert (decision.outcome, decision.report_only) == (Outcome.REJECTED, False)
        assert "check the URL" not in decision.explain()
        assert "In front: something responds here" in decision.explain()
    allowed = [decision for name, _, decision in heard if name == "origin-allowed"]
    assert not (allowed and not is_admitted)
    assert sum(guard.counts(app).values()) == 1


@pytest.mark.parametrize(
    ("policy", "origin", "is_admitted"),
    [
        ({"origins": [SHOP]}, SHOP, True),
        ({"origins": [SHOP]}, OTHER, False),
        (OPEN, OTHER, True),
        (SEVERAL, OTHER, True),
        ({"origins": "*", "deny_origins": [OTHER]}, OTHER, False),
    ],
)
@pytest.mark.parametrize("kind", [{}, POST, SOCKET], ids=["GET", "POST", "socket"])
def test_without_credentials(
    policy: Any, origin: str, is_admitted: bool, kind: Any, heard: list[Heard]
) -> None:
    *_, check = made(policy, credentials=False)
    assert check(origin, {**environ_for(), **kind}) is is_admitted


def test_star_says_who_may_read_and_opens_no_socket() -> None:
    *_, check = made({**OPEN, "enforce": "unsafe"}, credentials=False)
    for kind, is_admitted in (({}, True), (POST, False), (SOCKET, False)):
        assert check(OTHER, {**environ_for(), **kind}) is is_admitted
        assert check(OWN, {**environ_for(), **kind})


@pytest.mark.parametrize(
    ("environ", "origin", "is_admitted"),
    [
        (scope_for(), SHOP, True),
        (scope_for(), OTHER, False),
        (scope_for("wss"), SHOP, True),
        (scope_for("wss"), OTHER, False),
        (scope_for(), OWN, True),
        (scope_for("wss"), OWN, True),
        (scope_for("http"), OWN, True),  # the server's own proxy headers are off
        # Engine.IO says http here, or what the visitor says.
        (scope_for(), OWN_HTTP, False),
        (scope_for("https", ("x-forwarded-proto", "http")), OWN_HTTP, False),
        (scope_for("wss", ("x-forwarded-proto", "http")), OWN_HTTP, False),
        (scope_for("http"), OWN_HTTP, True),
        (scope_for("https", ("sec_fetch_site", "same-origin")), OTHER, False),
        (scope_for("https", ("sec-fetch-site", "same-origin")), OTHER, True),  # a proxy's own name
        # Paths are text in ASGI, and have the root in them or not.
        (scope_for(path="/größe/€/"), SHOP, True),
        (scope_for(path="/\udcff"), SHOP, True),
        (scope_for(path="/open/socket.io/"), OTHER, True),
        (scope_for(path="/root/open/x", root_path="/root"), OTHER, True),
        (scope_for(path="/open/x", root_path="/root"), OTHER, True),
    ],
)
def test_in_asgi(environ: Any, origin: str, is_admitted: bool) -> None:
    *_, check = made(ACT)
    assert check(origin, environ) is is_admitted


class Hostile(dict[str, Any]):
    """An environment that cannot be read."""

    def keys(self) -> Any:
        raise ConnectionError

    def get(self, *_: Any) -> Any:
        raise ConnectionError


@pytest.mark.parametrize(
    ("origin", "environ"),
    [
        *[
            (origin, environ_for())
            for origin in ("\0", "\r\nx: y", "😀", "\udcff", f"https://{'a' * 99_999}", "," * 9_999)
        ],
        *[(origin, environ_for()) for origin in (b"https://shop.example", 7, [], object())],
        *[(OTHER, environ) for environ in (None, 7, [], {}, {"PATH_INFO": None}, Hostile())],
        *[
            (OTHER, environ_for(**{key: value}))
            for key in ("PATH_INFO", "HTTP_HOST", "SCRIPT_NAME", "REQUEST_METHOD", "HTTP_UPGRADE",
                        "wsgi.url_scheme", "QUERY_STRING", "HTTP_SEC_FETCH_SITE", "SERVER_PORT")
            for value in ("", "\r\n", "€", "\udcff", "a" * 100_000, None, 7, b"/")
        ],
        *[(OTHER, {"asgi.scope": scope}) for scope in (7, {}, {"type": "http"}, [])],
    ],
)  # fmt: skip
def test_it_never_raises(origin: Any, environ: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And says no to whoever is not admitted; and what it writes is a short line."""
    *_, check = made(ACT)
    assert check(origin, environ) is False
    for record in caplog.records:
        assert record.getMessage().isprintable()
        assert len(record.getMessage()) < 1200


def test_what_is_written_of_hostile_requests_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    *_, check = made(ACT)
    for number in range(2000):
        assert not check(f"https://{number}.evil.example", environ_for(f"/socket.io/{number}/"))
        assert not check(OTHER, environ_for(PATH_INFO="€"))
    assert len(caplog.records) < 130


@pytest.mark.parametrize("make", FAILURES.values(), ids=FAILURES)
def test_a_callable_that_fails_admits_nobody(make: Callable[[], BaseException]) -> None:
    def fails(origin: str) -> bool:
        raise make()

    *_, check = made({**ACT, "origins": fails})
    assert check(SHOP, environ_for()) is False
    assert check(OWN, environ_for()) is True


@pytest.mark.parametrize("make", SHUTDOWNS.values(), ids=SHUTDOWNS)
def test_what_ends_the_process_passes(make: Callable[[], BaseException]) -> None:
    error = make()

    def ends(origin: str) -> bool:
        raise error

    *_, check = made({**ACT, "origins": ends})
    with pytest.raises(type(error)):
        check(SHOP, environ_for())


def test_an_environment_that_nobody_may_write_to() -> None:
    class Frozen(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return environ_for()[key]

        def __iter__(self) -> Iterator[str]:
            return iter(environ_for())

        def __len__(self) -> int:
            return len(environ_for())

    *_, check = made(ACT)
    assert check(SHOP, Frozen())
    assert not check(OTHER, Frozen())


def test_the_environment_keeps_what_it_had() -> None:
    *_, check = made(ACT)
    environ = environ_for(HTTP_ORIGIN=OTHER, REQUEST_METHOD="OPTIONS")
    assert check(SHOP, environ)  # the origin that is asked about counts
    told = {key for key in environ if key.startswith("flask_corsguard.")}
    assert {key: value for key, value in environ.items() if key not in told} == environ_for(
        HTTP_ORIGIN=OTHER, REQUEST_METHOD="OPTIONS"
    )
    assert len(told) == 1


def test_the_method_is_the_one_that_was_sent(log_lines: Any) -> None:
    *_, check = made(ACT)
    assert not check(OTHER, environ_for(REQUEST_METHOD="OPTIONS"))
    (line,) = log_lines()
    assert line.startswith("OPTIONS /socket.io/ from ")


def test_a_signal_and_a_line_for_each_request(heard: list[Heard], log_lines: Any) -> None:
    """And one that says what to change, in debug mode."""
    app, _, check = made({"origins": [SHOP]})
    app.debug = True
    for _ in range(2):
        environ = environ_for()
        assert not check(SHOP, environ)
        assert not check(SHOP, environ)
    assert [decision.reason for *_, decision in heard] == [Reason.CREDENTIALS_NOT_ALLOWED] * 2
    lines = [line for line in log_lines() if "covers no route" not in line]
    assert len(lines) == 2
    assert "GET /socket.io/ from 'https://shop.example': rejected (CREDENTIALS_NOT_" in lines[0]
    assert "To allow it: allow_credentials=True" in lines[0]


def test_before_the_first_request_and_after_it() -> None:
    app, guard, check = made(ACT)
    assert check(SHOP, environ_for())
    app.add_url_rule("/socket.io/", "late", lambda: "late")  # the function has frozen no app
    guard_of_late = CorsGuard(Flask("other"), **ACT)
    assert app.test_client().get("/socket.io/").text == "late"
    assert check(SHOP, environ_for())
    assert not check(OTHER, environ_for())
    assert guard_of_late is not guard


def test_one_look_up_before_the_first_request_and_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _, check = made(ACT)
    assert check(SHOP, environ_for())  # which makes the table
    table, matched = app.extensions["corsguard"].in_force, MapAdapter.match
    matches: list[object] = []

    def match(self: MapAdapter, *arguments: Any, **options: Any) -> Any:
        matches.append(self)
        return matched(self, *arguments, **options)

    monkeypatch.setattr(MapAdapter, "match", match)
    for _ in ("before", "after"):
        matches.clear()
        assert check(SHOP, environ_for())
        assert not check(OTHER, environ_for())
        assert len(matches) == 2
        app.test_client().get("/")
    assert app.extensions["corsguard"].in_force is table


def test_the_settings_of_the_moment() -> None:
    app, guard, check = made(ACT)
    environ = environ_for()
    assert (check(SHOP, environ), check(OTHER, environ)) == (True, False)
    guard.reconfigure(app=app, origins=[OTHER], allow_credentials=True)
    assert (check(SHOP, environ), check(OTHER, environ)) == (False, True)


def test_a_settings_file_that_has_changed(tmp_path: Path) -> None:
    """It is in force for the very request that finds it."""
    file = tmp_path / "cors.json"

    def write(**fields: Any) -> None:
        file.write_text(json.dumps(fields))
        file.chmod(0o644)
        os.utime(file, (time.time() - 10,) * 2)  # it has settled

    write(**ACT)
    app = Flask("app", static_folder=None)
    app.config["CORSGUARD_SETTINGS_FILE"] = str(file)
    check = CorsGuard(app).origin_check()
    assert check(SHOP, environ_for())
    write(**{**ACT, "origins": [OTHER]})
    app.extensions["corsguard"].settings_file.next_look = 0.0
    assert check(OTHER, environ_for())
    assert not check(SHOP, environ_for())


def test_an_unusable_policy_admits_nobody(caplog: pytest.LogCaptureFixture) -> None:
    _, guard, check = made(ACT)
    guard.for_endpoint("nowhere", origins="*")
    assert not check(SHOP, environ_for())
    assert not check(OWN, environ_for())
    assert "guard.origin_check failed: tests/" in caplog.text


def test_which_app() -> None:
    guard = CorsGuard()
    with pytest.raises(CorsGuardError, match="which app"):
        guard.origin_check()
    with pytest.raises(CorsGuardError, match="has no guard"):
        guard.origin_check(Flask("none"))
    one, two = Flask("one"), Flask("two")
    one.config["CORSGUARD_ORIGINS"], two.config["CORSGUARD_ORIGINS"] = SHOP, OTHER
    guard.init_app(one)
    guard.init_app(two)
    checks = [guard.origin_check(each, credentials=False) for each in (one, two)]
    environ = environ_for()
    assert [check(SHOP, environ) for check in checks] == [True, False]
    assert [check(OTHER, environ) for check in checks] == [False, True]


def test_a_proxy_that_changes_the_host() -> None:
    """ProxyFix is for that: around what asks."""
    *_, check = made(ACT)
    seen: list[bool] = []

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(check(environ["HTTP_ORIGIN"], environ))
        return []

    forwarded = {"HTTP_X_FORWARDED_HOST": HOST, "HTTP_X_FORWARDED_PROTO": "https"}
    for origin in (OWN, OWN_HTTP, OTHER):
        environ = environ_for(**{**SOCKET, **HTTP, **forwarded}, HTTP_ORIGIN=origin)
        ProxyFix(inner, x_host=1)({**environ, "HTTP_HOST": "10.0.0.7:8000"}, None)  # type: ignore[arg-type]
    assert seen == [True, False, False]


class TestBehindTheGuardInFront:
    """With guard.wsgi or guard.asgi over the same path, each request is decided and announced
    once."""

    @pytest.mark.parametrize(
        ("origin", "changes", "is_admitted", "outcome", "status"),
        [
            (SHOP, {}, True, "ALLOWED", "200"),
            (SHOP, SOCKET, True, "ALLOWED", "200"),
            (OTHER, {}, False, "REJECTED", "200"),  # the view of an unsafe one would not run
            (OTHER, SOCKET, None, "REJECTED", "403"),
            (OTHER, POST, None, "REJECTED", "403"),
            (OWN, SOCKET, True, "SAME_ORIGIN", "200"),
            (SHOP, PREFLIGHT, None, "ALLOWED", "204"),
            (SHOP, OPTIONS, True, "ALLOWED", "200"),
        ],
    )
    def test_wsgi(
        self, origin: str, changes: Any, is_admitted: bool | None, outcome: str, status: str
    ) -> None:
        app, guard, check = made({**ACT, "enforce": "unsafe"})
        asked: list[bool] = []
        sent: list[str] = []

        def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            asked.extend(check(environ["HTTP_ORIGIN"], environ) for _ in range(2))
            start_response("200 OK", [])
            return []

        front = guard.wsgi(inner, paths=["/socket.io"], app=app)
        environ = {**environ_for(), **changes, "HTTP_ORIGIN": origin}
        front(environ, lambda line, headers, *_: sent.append(line))  # type: ignore[arg-type, return-value]
        assert sent[0].startswith(status)
        assert asked == ([] if is_admitted is None else [is_admitted] * 2)
        [(kind, number)] = guard.counts(app).items()
        assert (kind.outcome.name, number) == (outcome, 1)

    def test_what_it_refuses_besides(self, log_lines: Any, heard: list[Heard]) -> None:
        """Credentials; and handshakes, where the guard in front refuses none. It is announced once
        for each request."""
        app, guard, check = made({"origins": [SHOP]})
        front = guard.wsgi(
            lambda environ, _: [check(environ["HTTP_ORIGIN"], environ) for _ in range(2)],  # type: ignore[misc]
            paths="/socket.io",
            app=app,
        )
        for origin, changes, words in (
            (SHOP, {}, "rejected (CREDENTIALS_NOT_ALLOWED)"),
            (OTHER, SOCKET, "rejected (ORIGIN_NOT_ALLOWED)"),
            ("https://third.example", {}, "rejected (ORIGIN_NOT_ALLOWED)"),
        ):
            environ = {**environ_for(), **changes, "HTTP_ORIGIN": origin}
            assert front(environ, lambda *_: None) == [False, False]  # type: ignore[arg-type, return-value]
            assert words in log_lines()[-1]
        reasons = [decision.reason and decision.reason.name for _, _, decision in heard]
        assert reasons == [None, "CREDENTIALS_NOT_ALLOWED", *["ORIGIN_NOT_ALLOWED"] * 2]

    @pytest.mark.parametrize("origin", [OWN, OTHER])
    def test_its_headers_are_no_mistake(self, origin: str, log_lines: Any) -> None:
        """Socket.IO sends them on the app's own pages too, and on a refusal."""
        app, guard, check = made({**ACT, "enforce": "off"})

        def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            check(environ["HTTP_ORIGIN"], environ)
            start_response("200 OK", [("Access-Control-Allow-Credentials", "true")])
            return []

        front = guard.wsgi(inner, paths=["/socket.io"], app=app)
        front({**environ_for(), "HTTP_ORIGIN": origin}, lambda *_: None)  # type: ignore[arg-type, return-value]
        assert not [line for line in log_lines() if "itself" in line]

    def test_asgi_asks_in_a_thread(self) -> None:
        """So that a callable, which the function itself would call in the event loop, does not hold
        it up."""
        threads: list[threading.Thread] = []

        def asked(origin: str) -> bool:
            threads.append(threading.current_thread())
            return origin == SHOP

        app, guard, check = made({**ACT, "origins": asked})
        said: list[bool] = []

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            environ = {**scope_for(), "asgi.scope": scope}
            said.extend(check(origin, environ) for origin in [SHOP, SHOP])

        front = guard.asgi(inner, paths=["/socket.io"], app=app)
        scope = scope_for("https", ("origin", SHOP), method="GET")["asgi.scope"]
        asyncio.run(front(scope, None, None))  # type: ignore[arg-type]
        assert said == [True, True]
        assert len(threads) == 1
        assert threads[0] is not threading.main_thread()
        assert sum(guard.counts(app).values()) == 1


def test_an_exempt_route_of_its_own_page_behind_the_guard() -> None:
    app, guard, check = made(ACT)
    seen: list[bool] = []

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(check(environ["HTTP_ORIGIN"], environ))
        return []

    front = guard.wsgi(inner, paths=["/exempt"], app=app)
    for origin in (OWN, SHOP):
        front(environ_for("/exempt", HTTP_ORIGIN=origin), lambda *_: None)  # type: ignore[arg-type, return-value]
    assert seen == [True, False]
