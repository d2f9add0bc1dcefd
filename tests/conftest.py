"""What the tests through whole Flask apps share."""

import contextlib
import functools
import importlib.metadata
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pytest
from flask import Flask, abort, request
from hypothesis import HealthCheck, settings
from werkzeug.test import TestResponse

from flask_corsguard import Decision, cors, origin_allowed, origin_rejected, preflight_rejected
from flask_corsguard.testing import Browser, BrowserError, FetchTypeError

# Properties are tried with the same few examples each time; with --hypothesis-profile=nightly, with
# many, and new ones each time.
settings.register_profile(
    "few",
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", settings.get_profile("few"), max_examples=10_000, derandomize=False
)
settings.load_profile("few")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests want a browser. Done here, because the reporting process collects none."""
    from tests.browser.browsers import PARTS, missing_parts

    missing = [part for name in PARTS for part in missing_parts(name)]
    left_out = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "tests/browser/" in report.nodeid
    ]
    if missing and left_out:
        terminalreporter.section("BROWSER TESTS LEFT OUT", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(left_out)} tests did not run, because these are not installed:"
            f" {', '.join(missing)}. With CORSGUARD_REQUIRE_BROWSERS=1 they fail instead."
        )


_LISTS = {
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Expose-Headers",
    "Vary",
}


class CorsResponse(NamedTuple):
    """A response, as far as CORS goes: its status and all of its CORS headers."""

    status: int
    cors: Mapping[str, str]


def cors_headers(response: TestResponse) -> dict[str, str]:
    """Every ``Access-Control-*`` and ``Vary`` header. Lists are sorted, because their order means
    nothing. Repeated lines are joined, so that a header added twice differs from one."""
    found: dict[str, str] = {}
    for name in {name.title() for name, _ in response.headers}:
        if name == "Vary" or name.startswith("Access-Control-"):
            value = ", ".join(response.headers.getlist(name))
            names = sorted(part.strip() for part in value.split(","))
            found[name] = ", ".join(names) if name in _LISTS else value
    return found


# Three pages that ask. The tests call them SHOP, PARTNER and ADMIN.
PAGES = ("https://shop.example", "https://partner.example", "https://admin.example")
ENGINES = ("standard", "chromium", "firefox", "webkit")
Lines = tuple[tuple[str, str], ...]


def cors_lines(response: TestResponse) -> Lines:
    """The ``Access-Control-*`` lines as they were sent."""
    return tuple((n, v) for n, v in response.headers if n.lower().startswith("access-control-"))


@functools.cache
def readers(origin: str, method: str, status: int, lines: Lines) -> set[tuple[str, bool]]:
    """The browsers in which a page of *origin* reads this response: engine, and whether with
    ``credentials: "include"``."""
    found = set()
    for engine in ENGINES:
        for credentials in ("omit", "include"):
            server = _server(_allowing(origin, method), (status, lines))
            browser = Browser(server, origin, engine)
            fetched = browser.fetch("https://api.test/", method=method, credentials=credentials)
            if fetched.readable:
                found.add((engine, credentials == "include"))
    return found


@functools.cache
def after_preflight(
    origin: str, method: str, names: str, status: int, lines: Lines
) -> set[str | None]:
    """What the browsers do after this response to a preflight: ``sent`` if they send the request,
    ``blocked`` if not, None if they would not have sent such a preflight."""
    found = set()
    for engine in ENGINES:
        browser = Browser(_server((status, lines), _allowing(origin, method)), origin, engine)
        headers = {name: '"' for name in names.split(",") if name}  # safelisted nowhere
        fetched = browser.fetch("https://api.test/", method=method, headers=headers)
        first = fetched.exchanges[0]
        asked = first.request_headers.get("Access-Control-Request-Headers", "")
        if not first.preflight or asked != names:
            found.add(None)
        else:
            found.add("sent" if fetched.readable else "blocked")
    return found


def _server(to_preflight: tuple[int, Lines], to_request: tuple[int, Lines]) -> Any:
    def server(environ: Any, start_response: Any) -> list[bytes]:
        is_preflight = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        status, lines = to_preflight if is_preflight else to_request
        start_response(f"{status} -", list(lines))
        return []

    return server


def _allowing(origin: str, method: str) -> tuple[int, Lines]:
    names, values = ("Origin", "Methods", "Credentials"), (origin, method, "true")
    return 200, tuple((f"Access-Control-Allow-{n}", v) for n, v in zip(names, values, strict=True))


def check_in_browsers(origin: str, method: str, response: TestResponse) -> None:
    """A response has ``Access-Control-Allow-Origin`` if and only if JavaScript of *origin* gets to
    read it; and the same for credentials.

    The response is played back, so that the app is not asked again. A redirect counts by itself.
    """
    lines = cors_lines(response)
    names = {name.lower() for name, _ in lines}
    readable = "access-control-allow-origin" in names
    with_credentials = readable and "access-control-allow-credentials" in names
    page = origin if lines else PAGES[0]  # without a line, it is the same for every page
    with contextlib.suppress(BrowserError, FetchTypeError):  # what no browser sends
        assert readers(page, method, response.status_code, lines) == {
            (engine, credentials)
            for engine in ENGINES
            for credentials in (False, True)
            if (with_credentials if credentials else readable)
        }


def check_preflight_in_browsers(
    origin: str, method: str, names: str, response: TestResponse
) -> None:
    """Browsers send the request after a preflight that the guard has allowed, and no other."""
    lines = cors_lines(response)
    expected = "sent" if any(n == "Access-Control-Allow-Origin" for n, _ in lines) else "blocked"
    page = origin if lines else PAGES[0]
    with contextlib.suppress(BrowserError, FetchTypeError):
        assert after_preflight(page, method, names, response.status_code, lines) <= {expected, None}


class Http:
    """Sends requests to an app, and knows the responses that docs/reference/wire.md describes.

    What it gets back is also shown to simulated browsers of every engine, which have to agree.
    """

    preflight_vary: str = "Access-Control-Request-Headers, Access-Control-Request-Method, Origin"

    def open(
        self,
        app: Flask,
        path: str,
        origin: str | None = None,
        method: str = "GET",
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> TestResponse:
        """Send one request. *origin* goes into the WSGI environment as it stands."""
        overrides = dict(environ or {})
        if origin is not None:
            overrides["HTTP_ORIGIN"] = origin
        return app.test_client().open(path, method=method, environ_overrides=overrides, **options)

    def send(
        self, app: Flask, path: str, origin: str | None = None, **options: Any
    ) -> CorsResponse:
        """Send one request and read what CORS looks at."""
        with self.open(app, path, origin, **options) as response:
            if origin is not None:
                check_in_browsers(origin, options.get("method", "GET"), response)
            return CorsResponse(response.status_code, cors_headers(response))

    def preflight(
        self,
        app: Flask,
        path: str,
        origin: str,
        method: str = "PUT",
        headers: str | None = None,
        **options: Any,
    ) -> CorsResponse:
        """Ask what a browser asks before it sends *method* with *headers*."""
        environ = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
        if headers is not None:
            environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"] = headers
        with self.open(app, path, origin, method="OPTIONS", environ=environ, **options) as response:
            check_preflight_in_browsers(origin, method, headers or "", response)
            return CorsResponse(response.status_code, cors_headers(response))

    def readers(
        self, app: Flask, path: str, method: str = "GET", status: int = 200, **options: Any
    ) -> list[str]:
        """Those of three pages whose JavaScript gets to read the response.

        A preflight for the request is allowed to the same pages, unless the URL does not accept the
        method.

        :param status: the status of the response to all of them.
        """
        found = []
        for origin in PAGES:
            response = self.send(app, path, origin, method=method, **options)
            assert response.status == status
            reader = response.cors.get("Access-Control-Allow-Origin")
            assert reader in (None, "*", origin)
            if reader:
                found.append(origin)
            if status != 405:
                base_url = options.get("base_url")  # and nothing else that the page would send
                preflight = self.preflight(app, path, origin, method, base_url=base_url)
                assert (preflight.status, "Access-Control-Allow-Origin" in preflight.cors) == (
                    (204, True) if reader else (403, False)
                )
        return found

    def allowed(self, origin: str, status: int = 200) -> CorsResponse:
        """An ordinary response that *origin* may read."""
        return CorsResponse(status, {"Access-Control-Allow-Origin": origin, "Vary": "Origin"})

    def refused(self, status: int = 200) -> CorsResponse:
        """An ordinary response that no page of another origin may read."""
        return CorsResponse(status, {"Vary": "Origin"})

    def granted(
        self, origin: str, methods: str = "GET, HEAD, OPTIONS, PUT", **changes: str | None
    ) -> CorsResponse:
        """The response to a preflight that is allowed, by a policy that is otherwise the default.

        :param methods: the methods that the URL takes; those of the fixture ``site`` by default.
        :param changes: headers that differ (``max_age="5"``), or None for those left out.
        """
        expected: dict[str, str | None] = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": "600",
            "Vary": self.preflight_vary,
        }
        for name, value in changes.items():
            expected[f"Access-Control-{name.replace('_', '-').title()}"] = value
        return CorsResponse(
            204, {name: value for name, value in expected.items() if value is not None}
        )

    def denied(self) -> CorsResponse:
        """The response to a preflight that is refused."""
        return CorsResponse(403, {"Vary": self.preflight_vary})


@pytest.fixture
def http() -> Http:
    """Requests, and the responses to expect."""
    return Http()


@pytest.fixture
def app() -> Flask:
    """An app without a guard or a view. Exceptions become responses, as in production."""
    return Flask("shop", static_folder=None)


@pytest.fixture
def site(app: Flask) -> Flask:
    """The app with a page at ``/`` that takes GET and PUT."""
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    return app


@pytest.fixture(
    params=[
        pytest.param(("/orders", "/orders/"), id="strict_slashes"),
        pytest.param(("/orders//", "/orders/"), id="merge_slashes"),
        pytest.param(("/old", "/orders/"), id="redirect_to"),
        pytest.param(("/old/7", "/orders/7"), id="redirect_to with arguments"),
        pytest.param(("/all/page/1", "/all/"), id="defaults"),
    ]
)
def moved(request: pytest.FixtureRequest, app: Flask) -> tuple[str, str]:
    """An address that the URL map redirects, and the target, which allows
    ``https://partner.example`` and takes GET and PUT."""

    @app.route("/orders/", methods=["GET", "PUT"])
    @app.route("/orders/<int:id>", methods=["GET", "PUT"])
    @app.route("/all/", defaults={"page": 1}, methods=["GET", "PUT"])
    @app.route("/all/page/<int:page>", methods=["GET", "PUT"])
    @cors(origins="https://partner.example")
    def orders(**_: int) -> str:
        return "ok"

    for rule, to in (("/old", "/orders/"), ("/old/<int:id>", "/orders/<id>")):
        app.add_url_rule(rule, rule, redirect_to=to, methods=["GET", "PUT"])
    pair: tuple[str, str] = request.param
    return pair


@pytest.fixture(autouse=True)
def own_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the marks that other tests have made, and modules when they were imported."""
    marks: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
    monkeypatch.setattr("flask_corsguard.decorators._targets", marks)
    monkeypatch.setattr("flask_corsguard.decorators._returned", {})


@pytest.fixture
def login_required() -> Callable[..., Any]:
    """The decorator that everybody writes: it lets in anybody who sends an Authorization header."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if "Authorization" not in request.headers:
                abort(401)
            return view(*args, **kwargs)

        return wrapper

    return decorate


class Heard(NamedTuple):
    """One signal that was sent."""

    name: str
    sender: Flask
    decision: Decision


@pytest.fixture
def heard() -> Iterable[list[Heard]]:
    """The guard's signals that are sent while a test runs, in order."""
    sent: list[Heard] = []
    receivers = []
    for signal in (origin_allowed, origin_rejected, preflight_rejected):

        def receive(sender: Flask, decision: Decision, name: str = signal.name) -> None:
            sent.append(Heard(name, sender, decision))

        signal.connect(receive)
        receivers.append((signal, receive))
    yield sent
    for signal, receive in receivers:
        signal.disconnect(receive)


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the guard has logged since it was asked last."""
    caplog.set_level("INFO", "flask_corsguard")

    def lines() -> list[str]:
        found = [r.getMessage() for r in caplog.records if r.name == "flask_corsguard"]
        caplog.clear()
        return found

    return lines


@pytest.fixture
def failing_log() -> Iterable[list[str]]:
    """A handler that raises on every line, and the levels of those that it was given."""
    levels: list[str] = []

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            levels.append(record.levelname)
            raise OSError("the disk is full")

    handler = Failing()
    logger = logging.getLogger("flask_corsguard")
    logger.addHandler(handler)
    yield levels
    logger.removeHandler(handler)


@pytest.fixture
def flask_3_1() -> None:
    """Skip a test if this Flask does not have the configuration key yet."""
    if importlib.metadata.version("flask").startswith("3.0."):
        pytest.skip("Flask 3.0 has no such configuration key")
