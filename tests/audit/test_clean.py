"""Apps in which nothing is wrong, though some look as if it were: the audit must find nothing."""

import contextlib
import fnmatch
import functools
import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import simple_websocket
from flask import Blueprint, Flask, Response, abort, current_app, g, request, session
from flask.signals import request_started
from flask.views import MethodView, View
from flask_sock import Sock
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt, origin_rejected
from flask_corsguard.audit import audit
from tests.audit.cases import (
    Build,
    changed,
    check_clean,
    codes_of,
    guarded,
    handler,
    is_let_in,
    register,
    route,
    shop,
    told,
    unnamed,
    wrapping,
)
from tests.audit.look_alikes import (
    ConnexionApp,
    EngineMiddleware,
    SocketIO,
    SocketServer,
    WhiteNoise,
    in_connexion,
)
from tests.loading import load_file

# Marks of other tests are not marks of the app.

APP = "https://app.example.com"
PARTNER = "https://partner.example"
ROOT = Path(__file__).parents[2]
HOSTILE = (
    "https://evil.net", "http://evil.net", "https://evilexample.com", "https://evil-example.com",
    "https://example.com.evil.net", "https://app.example.com.evil.net", "https://appxexample.com",
    "https://app-example.com", "https://examplexcom", "https://example.co", "https://example.net",
    "https://app.example.net", "https://evil.github.io", "https://localhost.evil.net", "null",
    "http://localhost.evil.net:3000", "https://ex\u0430mple.com", "https://example.com@evil.net",
    "https://example.com%60.evil.net", "https://example.com_.evil.net", "https://xn--xample-9uf.com",
)  # fmt: skip


PATTERNS: list[tuple[str, tuple[str, ...]]] = [
    (r"https://app\.example\.com", (APP,)),
    (r"^https://app\.example\.com$", (APP,)),
    (r"\Ahttps://app\.example\.com\Z", (APP,)),
    (r"https://app[.]example[.]com", (APP,)),
    (r"https:\/\/app\.example\.com", (APP,)),
    (r"https://pr-\d+\.example\.com", ("https://pr-17.example.com",)),
    (r"https://pr-\d+\.preview\.example\.com(:\d+)?", ("https://pr-17.preview.example.com",)),
    (r"https://pr-[0-9]{1,6}--shop\.example\.com", ("https://pr-17--shop.example.com",)),
    (r"https://[0-9a-f]{7,40}\.preview\.example\.com", ("https://0123abc.preview.example.com",)),
    (r"https://shop-[a-z0-9]+-team\.example\.com", ("https://shop-x1-team.example.com",)),
    (r"https://(?:[a-z0-9-]+\.)*example\.com", ("https://example.com", "https://a.b.example.com")),
    (r"https://([a-z0-9-]+\.)*example\.com(:[0-9]{1,5})?", ("https://a.example.com:8443",)),
    (r"https://(.+\.)?example\.com", ("https://example.com", "https://a.example.com")),
    (r"https://.*\.example\.com", ("https://a.example.com",)),
    (r"https://.+\.example\.com(:\d+)?", ("https://a.example.com:8443",)),
    (r"https://[^.]+\.example\.com", ("https://a.example.com",)),
    (r"https://[^/]*\.example\.com", ("https://a.example.com",)),
    (r"https://[\w-]+\.example\.com", ("https://a.example.com",)),
    (r"https://.{0,10}\.example\.com", ("https://a.example.com",)),
    (r"https://(app|admin|www)\.example\.com", (APP, "https://www.example.com")),
    (r"https://(app|admin)\.(example\.com|example\.org)", (APP, "https://app.example.org")),
    (r"https://app\.example\.(com|org)", (APP,)),
    (r"https://(www\.)?example\.(com|co\.uk)", ("https://www.example.co.uk",)),
    (r"https://a\.example\.com|https://b\.example\.com", ("https://b.example.com",)),
    (r"https://a\.example\.com|b\.example\.com", ("https://a.example.com",)),
    (r"https://(?:a\.example\.com|b\.example\.com)", ("https://b.example.com",)),
    (r"https?://app\.example\.com", (APP, "http://app.example.com")),
    (r"http://app\.example\.com", ("http://app.example.com",)),
    (r"https?://(.+\.)?example\.com", (APP, "http://app.example.com")),
    (r"http://localhost(:\d+)?", ("http://localhost:3000", "http://localhost")),
    (r"https?://(localhost|127\.0\.0\.1)(:\d+)?", ("http://127.0.0.1:8000",)),
    (r"http://localhost:.*", ("http://localhost:3000",)),
    (r"https?://(\[::1\]|localhost):[0-9]+", ("http://[::1]:3000",)),
    (r"http://192\.168\.\d{1,3}\.\d{1,3}(:\d+)?", ("http://192.168.0.7:8080",)),
    (r"http://10\.\d+\.\d+\.\d+", ("http://10.0.0.7",)),
    (r"http://(\w+\.)?localhost:\d+", ("http://shop.localhost:3000", "http://localhost:3000")),
    # a name before the site's own, which nobody else can have
    (
        r"https://deploy-preview-\d+--shop\.netlify\.app",
        ("https://deploy-preview-7--shop.netlify.app",),
    ),
    (r"https://[a-z0-9-]+--shop\.netlify\.app", ("https://main--shop.netlify.app",)),
    (r"https://shop--pr\d+-\w+\.web\.app", ("https://shop--pr7-abc123.web.app",)),
    (r"(?i)HTTPS://APP\.EXAMPLE\.COM", (APP,)),
    (r"https://(?!admin\.)[a-z]+\.example\.com", ("https://shop.example.com",)),
    (r"(?=https://)https://app\.example\.com", (APP,)),
    (r"https://(?P<tenant>[a-z0-9]+)\.shop\.example", ("https://a.shop.example",)),
    (r"https://xn--bcher-kva\.example", ("https://xn--bcher-kva.example",)),
    (r"capacitor://localhost", ("capacitor://localhost",)),
    (r"(capacitor|ionic)://localhost|http://localhost", ("ionic://localhost",)),
    (r"chrome-extension://abcdefghijklmnopabcdefghijklmnop", ("chrome-extension://abcdefghijklmnopabcdefghijklmnop",)),
    (r"https://[\w-]+\.shop\.github\.io", ("https://a.shop.github.io",)),
    (r"https://shop\.github\.io", ("https://shop.github.io",)),
    (r"https://[a-z]+\.s3\.example\.com", ("https://a.s3.example.com",)),
    (r"https://.*\.internal", ("https://a.internal",)),
    (r"https://staging.*\.example\.com", ("https://staging-2.example.com",)),
    (r"https://[\w-]+\.example\.com|https://[\w-]+\.example\.org", ("https://a.example.org",)),
    (r"https://(eu|us)-(east|west)-[1-9]\.example\.com", ("https://eu-west-1.example.com",)),
    (r"https://(?!www\.)([a-z]+)\.(shop|store)\.example", ("https://a.store.example",)),
    (r"", ()),
    (r"https://", ()),
    (re.escape(APP), (APP,)),
    ("|".join(map(re.escape, (APP, PARTNER))), (APP, PARTNER)),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "meant"), PATTERNS, ids=[p for p, _ in PATTERNS])
def test_patterns(pattern: str, meant: tuple[str, ...]) -> None:
    """A pattern that lets in what it means, and nobody else, is no finding."""
    app = guarded(re.compile(pattern))
    assert all(is_let_in(app, "/", origin) for origin in meant)
    assert not [origin for origin in HOSTILE if is_let_in(app, "/", origin)]
    check_clean(lambda: guarded(re.compile(pattern)))


@pytest.mark.parametrize(
    "pattern",
    [
        r"https://app\.example\.com",
        r"https://pr-\d+\.example\.com",
        r"https://(app|admin)\.example\.com(:\d+)?",
        r"capacitor://localhost",
    ],
)
@pytest.mark.parametrize("enforce", ["off", "unsafe"])
def test_patterns_with_credentials(pattern: str, enforce: str) -> None:
    """Nor is one with credentials, if it means neither plain http nor every sub-domain."""
    fields = {"allow_credentials": True, "enforce": enforce}
    app = guarded(re.compile(pattern), **fields)
    assert not [origin for origin in HOSTILE if is_let_in(app, "/", origin)]
    check_clean(lambda: guarded(re.compile(pattern), **fields))


ALLOWED = frozenset({APP, PARTNER})
SITES = ("example.com", "partner.example")
PATTERN = re.compile(r"https://pr-\d+\.example\.com")
TENANTS = {"a": "https://a.example.com", "b": "https://b.example.com"}


def at_or_below(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return any(host == site or host.endswith("." + site) for site in SITES)


def in_the_own_network(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def a_port_that_is_a_number(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.hostname == "localhost" and (parts.port or 80) >= 80
    except ValueError:
        return False


class Directory:
    def __init__(self, *origins: str) -> None:
        self.origins = set(origins)

    def __call__(self, origin: str) -> bool:
        return origin in self.origins

    def has(self, origin: str) -> bool:
        return origin in self.origins


def counting() -> Callable[[str], bool]:
    asked: list[str] = []

    def check(origin: str) -> bool:
        asked.append(origin)
        return origin == APP

    return check


CALLABLES: dict[str, Any] = {
    "listed": lambda origin: origin in ALLOWED,
    "equal": lambda origin: (origin == APP) | (origin == PARTNER),
    "below": lambda origin: origin.startswith("https://") and origin.endswith(".example.com"),
    "at or below": at_or_below,
    "last labels": lambda o: (urlsplit(o).hostname or "").split(".")[-2:] == ["example", "com"],
    "in full": lambda origin: PATTERN.fullmatch(origin) is not None,
    "to the end": lambda origin: bool(re.match(r"https://app\.example\.com$", origin)),
    "of the tenant": lambda o, req: o == f"https://{req.host.partition(':')[0]}.example.com",
    "of the own host": lambda origin, request: origin == f"https://{request.host}",
    "by the query": lambda o, request: TENANTS.get(request.args.get("tenant", "")) == o,
    "glob": lambda origin: fnmatch.fnmatch(origin, "https://*.example.com"),
    "in bytes": lambda o: o.encode() in (b"https://app.example.com", b"https://partner.example"),
    "by path": lambda origin, request: request.path == "/nowhere" or origin == APP,
    "configured": lambda o, request: o in current_app.config.get("ALLOWED_ORIGINS", ()),
    "nobody": lambda origin: False,
    "in the own network": in_the_own_network,
    "a port that is a number": a_port_that_is_a_number,
    "remembered": functools.cache(lambda origin: origin in ALLOWED),
    "counting": counting(),
    "an object": Directory(APP),
    "a method": Directory(APP).has,
    "a built-in method": ALLOWED.__contains__,
    "a partial": functools.partial(lambda allowed, origin: origin in allowed, ALLOWED),
}


@pytest.mark.parametrize("allows", CALLABLES.values(), ids=CALLABLES)
def test_callables(allows: Any) -> None:
    """A callable that lets in nobody who is hostile is no finding."""
    assert not [origin for origin in HOSTILE if is_let_in(guarded(allows), "/", origin)]
    check_clean(lambda: guarded(allows, max_age=0))


@pytest.mark.parametrize(
    "origins",
    [
        "http://localhost:*",
        "http://127.0.0.1:5000",
        "https://app.localhost",
        re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"),
        re.compile(r"https://app\.example\.com|http://localhost:\d+"),
    ],
    ids=str,
)
def test_the_own_machine_in_debug_mode(origins: Any) -> None:
    """Nor are pages of a development server, with credentials where the app is in debug mode."""
    fields = {"allow_credentials": True, "enforce": "unsafe"}
    check_clean(lambda: guarded(origins, {"DEBUG": True}, **fields))
    check_clean(lambda: guarded(origins))


@pytest.mark.parametrize(
    "name", ["listed", "equal", "in full", "to the end", "nobody", "an object"]
)
def test_callables_with_credentials(name: str) -> None:
    """Nor is one with credentials, if it means neither plain http nor every sub-domain."""
    check_clean(lambda: guarded(CALLABLES[name], allow_credentials=True))


@pytest.mark.parametrize(
    ("origins", "fields"),
    [
        ((), {}),
        (APP, {}),
        ([APP, PARTNER, "http://localhost:*"], {}),
        ("https://*.example.com", {}),
        (["https://*.example.com", "https://example.com"], {"enforce": "unsafe"}),
        ("https://*.your-site.github.io", {}),
        ("http://app.example.com", {}),
        ("http://192.168.0.7:8080", {}),
        ("http://localhost:*", {"enforce": "unsafe"}),
        (APP, {"allow_credentials": True}),
        ("https://example.com:8443", {"allow_credentials": True}),
        ("capacitor://localhost", {"allow_credentials": True}),
        ("*", {}),
        ("*", {"allow_headers": ["*", "Authorization"], "expose_headers": "*"}),
        ("*", {"deny_origins": "https://evil.example"}),
        ("*", {"methods": "*"}),
        (APP, {"max_age": 7200}),
        (APP, {"max_age": 0}),
        (APP, {"max_age": None}),
        (APP, {"enforce": "all"}),
        (APP, {"enforce": "report"}),
        (APP, {"raw_origins": ["file://", "app://."], "enforce": "all"}),
        ((), {"raw_origins": "HTTPS://Shop.example"}),
        ("https://pr-*.shop.example, moz-extension://*", {}),
        ("https://pr-*.shop.example", {"enforce": "unsafe"}),
        (("https://pr-*.shop.example", re.compile(r"https://v\d\.shop\.example")), {}),
        (APP, {"allow_private_network": True}),
        (APP, {"answer_preflight": False}),
        (APP, {"dangerously_allow_null_origin": True}),
        (APP, {"allow_credentials": True, "dangerously_allow_insecure_origins": True}),
    ],
)
def test_fields(origins: Any, fields: dict[str, Any]) -> None:
    """A list of strings is no finding, nor is any field at its limit."""
    check_clean(lambda: guarded(origins, **fields))


# Whole apps.

APPS: dict[str, Build] = {}


def clean(
    *, app: Callable[[], Flask] = shop, config: dict[str, Any] | None = None, **fields: Any
) -> Callable[[Callable[..., None]], None]:
    """Put an app in the table.

    :param fields: the fields of the default policy, if it does more than let APP read.
    """

    def add(change: Callable[..., None]) -> None:
        APPS[change.__name__] = changed(change, app, config, fields or {"origins": APP})

    return add


def flask() -> Flask:
    """An app with static files."""
    return Flask(__name__)


def plain(
    *rules: str,
    views: Mapping[str, Callable[..., Any]] | None = None,
    around: Callable[[Any], Any] | None = None,
    app: Callable[[], Flask] = shop,
    config: dict[str, Any] | None = None,
    **fields: Any,
) -> Build:
    """An app with further routes, some with a view of their own, and middleware around it."""

    def change(app: Flask, guard: CorsGuard) -> None:
        route(app, *rules)
        for rule, view in (views or {}).items():
            route(app, rule, view=view)
        app.wsgi_app = around(app.wsgi_app) if around else app.wsgi_app  # type: ignore[method-assign]

    return changed(change, app, config, fields or {"origins": APP})


PROXY = {"PREFERRED_URL_SCHEME": "https", "APPLICATION_ROOT": "/shop"}
SECRET = {"SECRET_KEY": "x"}
ACT = {"origins": APP, "allow_credentials": True, "enforce": "unsafe"}
APPS |= {
    "a_public_api": plain(
        "GET,POST,PUT,DELETE /items",
        origins="*", allow_headers=["Authorization", "Content-Type"], max_age=7200),
    "words_that_are_no_login": plain(
        "GET /blog/logins-explained", "GET /design/signage", "GET /catalogue", "GET /logistics",
        "GET /authors", origins="*"),
    "credentials_with_enforce": plain("POST,PUT,PATCH,DELETE /items", config=SECRET, **ACT),
    "credentials_with_enforce_for_everything": plain(
        "POST /items", config={"CORSGUARD_ALLOW_CREDENTIALS": True, "CORSGUARD_ENFORCE": "all"}),
    "enforce_and_nothing_else": plain("GET,POST /login", config=SECRET, enforce="unsafe"),
    "behind_a_proxy_with_self_origins": plain(
        config=PROXY, enforce="unsafe", self_origins="https://shop.example"),
    "behind_a_proxy_with_self_origins_in_the_configuration": plain(
        config={**PROXY, "CORSGUARD_SELF_ORIGINS": "https://shop.example"}, enforce="all"),
    "https_by_preference_where_nothing_is_enforced": plain(config=PROXY),
    "a_report_only_policy": plain(origins="*", report_only=Policy(origins=APP)),
}  # fmt: skip


@clean(origins=())
def a_public_blueprint_beside_a_login(app: Flask, guard: CorsGuard) -> None:
    public = cors(origins="*")(Blueprint("public", __name__, url_prefix="/public"))
    register(app, public, "GET,POST /items")
    route(app, "POST /login")


@clean(config=SECRET)
def flask_login_beside_listed_origins(app: Flask, guard: CorsGuard) -> None:
    pytest.importorskip("flask_login").LoginManager(app)
    app.add_url_rule("/status", "status", cors(origins="*")(lambda: ""))


@clean(app=flask, **ACT)
def fonts(app: Flask, guard: CorsGuard) -> None:
    public = {"origins": "*", "allow_credentials": False, "enforce": "off"}
    guard.for_files("static", "*.woff2", "*.ttf", **public)


@clean(app=flask, origins=APP, enforce="unsafe")
def public_routes_for_reading_beside_enforce(app: Flask, guard: CorsGuard) -> None:
    """They inherit enforce from the default policy, which lets strangers do no more than read."""
    guard.for_files("static", "*.woff2", origins="*")
    app.add_url_rule("/status", "status", cors(origins="*")(lambda: ""))
    app.add_url_rule("/open", "open", cors(origins="*")(lambda: ""), methods=["GET", "POST"])
    route(app, "POST /account")


class Timed:
    """Middleware that passes everything on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ["shop.started"] = 1

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Server-Timing", "app;dur=1")], *rest)

        return self.app(environ, start)


class Copying(Timed):
    """Middleware that hands a copy of the environment on."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return super().__call__(environ.copy(), start_response)


def behind_the_guard(app: Flask, guard: CorsGuard) -> None:
    guard.for_path("/files", origins="*")
    app.wsgi_app = guard.wsgi(WhiteNoise(app.wsgi_app), paths=["/files"])  # type: ignore[method-assign]


def asking_the_guard(app: Flask, guard: CorsGuard) -> None:
    guard.for_path("/socket.io", origins=PARTNER, allow_credentials=True)
    SocketIO(app, guard.origin_check(app))


def open_behind_the_guard(app: Flask, guard: CorsGuard) -> None:
    SocketIO(app, "*")
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/socket.io"])  # type: ignore[method-assign]


def connexion(app: Flask, guard: CorsGuard) -> None:
    in_connexion(app, lambda: "")

    guard.asgi(ConnexionApp(), paths="/spec", app=app)


APPS |= {
    "middleware_that_copies_the_environment": plain(around=Copying),
    "middleware_that_copies_it_around_other": plain(around=lambda app: Copying(Timed(app))),
    "whitenoise_without_the_header": plain(
        around=lambda app: WhiteNoise(app, allow_all_origins=False)
    ),
    "whitenoise_behind_the_guard": changed(behind_the_guard, shop, None, {"origins": APP}),
    "socketio_that_asks_the_guard": changed(asking_the_guard, shop, None, {"origins": APP}),
    "socketio_behind_the_guard": changed(open_behind_the_guard, shop, None, ACT),
    "connexion_behind_the_guard": changed(connexion, shop, None, {"origins": APP}),
    "socketio_as_middleware": plain(around=lambda app: EngineMiddleware(SocketServer([APP]), app)),
    "behind_a_proxy_with_proxy_fix": plain(
        views={"GET /me": lambda: request.headers.get("X-Forwarded-For", "")},
        around=lambda app: ProxyFix(app, x_for=1, x_host=1),
        config=PROXY,
        enforce="unsafe",
    ),
    "behind_a_proxy_with_proxy_fix_inside_other_middleware": plain(
        around=lambda app: Timed(ProxyFix(app)), config=PROXY, enforce="unsafe"
    ),
    "middleware_that_measures": plain(around=Timed),
    "middleware_below_a_path": plain(
        around=lambda app: DispatcherMiddleware(app, {"/other": Flask("other")})
    ),
    "middleware_that_serves_files": plain(
        around=lambda app: SharedDataMiddleware(app, {"/shared": str(ROOT)})
    ),
}


@clean(config=SECRET)
def a_login_for_everything_before_the_guard(app: Flask) -> None:
    @app.before_request
    def login() -> Any:
        return None if "user" in session else ("log in", 401)

    CorsGuard(app, origins=APP)


@clean()
def a_login_for_everything_after_the_guard(app: Flask, guard: CorsGuard) -> None:
    @app.before_request
    def login() -> None:
        if request.method == "OPTIONS" or "Authorization" not in request.headers:
            abort(401)


SOCKETIO: dict[str, Any] = {
    "own pages": None,
    "an origin": APP,
    "a list": [APP],
    "nobody": (),
    "a callable": lambda origin: origin == APP,
    "a callable that takes the environment": lambda origin, environ: origin == APP,
}


@pytest.mark.parametrize("allowed", SOCKETIO.values(), ids=SOCKETIO)
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_socketio(allowed: Any, is_first: bool) -> None:
    """Flask-SocketIO in front of the guard is no finding, if it does not let everybody in."""

    def build() -> Flask:
        app = shop()
        if is_first:
            SocketIO(app, allowed)
        CorsGuard(app, origins=APP)
        if not is_first:
            SocketIO(app, allowed)
        return app

    check_clean(build)


def chat() -> Any:
    return simple_websocket.Server(request.environ).receive()


def chat_with_own_pages() -> Any:
    if request.headers.get("Origin") != APP:
        abort(403)
    return chat()


def broadcast(clients: Any = ()) -> str:
    for client in clients:
        with contextlib.suppress(simple_websocket.ConnectionClosed):
            client.send("news")
    return ""


@clean(origins=APP, enforce="unsafe")
def websockets_where_a_policy_enforces(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/chat", "chat", chat)
    app.add_url_rule("/live", "live", cors(enforce="all")(lambda: ""), websocket=True)
    Sock(app).route("/sock")(lambda ws: None)


@clean()
def views_that_look_at_the_origin_themselves(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/chat", "chat", chat_with_own_pages)
    app.add_url_rule("/exempt", "exempt", cors_exempt(wrapping(chat_with_own_pages)))
    Sock(app).route("/sock")(lambda ws: ws.close() if request.origin != APP else None)


@clean()
def views_that_only_have_to_do_with_websockets(app: Flask, guard: CorsGuard) -> None:
    route(app, "POST /news", view=broadcast)
    route(app, "GET /server", view=lambda: simple_websocket.__name__)
    route(app, "POST /chat", view=lambda: chat())  # no handshake is a POST


@clean(origins=APP, methods=["GET", "POST"])
def methods_that_some_routes_do_not_need(app: Flask, guard: CorsGuard) -> None:
    """A policy for reading, and routes that are not for other pages."""
    route(app, "PUT /item", "DELETE /items")


@clean(origins="*", enforce="unsafe")
def a_public_api_that_only_own_pages_change(app: Flask, guard: CorsGuard) -> None:
    route(app, "POST /items", "GET,PUT /item")


APPS |= {
    "methods_for_nobody": plain("PUT /item", origins=(), methods="GET"),
    "methods_that_the_view_takes_over": plain(
        views={"PUT /item": cors(methods=["PUT"])(lambda: "")}, origins=APP, methods="GET"
    ),
    "methods_that_need_no_preflight": plain(
        views={"POST /item": cors(methods=["GET"])(lambda: "")}
    ),
    "an_app_that_answers_preflights": plain(
        views={"PUT /item": cors(methods=["GET"], answer_preflight=False)(lambda: "")}
    ),
    "a_public_view_that_everybody_changes": plain(
        views={"POST /items": cors(origins="*", enforce="off")(lambda: "")}, enforce="unsafe"
    ),
}


def of_tracing() -> None:
    g.span = 1


of_tracing.__module__ = "opentelemetry.instrumentation.flask"


@clean()
def functions_that_run_first(app: Flask, guard: CorsGuard) -> None:
    """A pair of which both run, one that lets preflights pass, and one that knows its hosts."""

    @guard.run_first
    def begin() -> None:
        g.started = 1

    @guard.run_first
    def login() -> Any:
        return None if request.method == "OPTIONS" or "user" in session else ("log in", 401)

    @guard.run_first
    def known_hosts() -> None:
        if request.host not in ("localhost", "shop.example"):
            abort(400)

    @guard.run_first
    def health() -> Any:
        return "up" if request.path == "/" else None

    app.before_request(of_tracing)

    @app.after_request
    def took(response: Response) -> Response:
        response.headers["X-Took"] = str(g.started)
        return response


@clean()
def a_pair_of_functions_of_which_one_does_without(app: Flask, guard: CorsGuard) -> None:
    app.before_request(lambda: setattr(g, "started", 1))

    @app.after_request
    def took(response: Response) -> Response:
        response.headers["X-Took"] = str(getattr(g, "started", 0))
        return response


ANYBODY = {"Access-Control-Allow-Origin": "*"}


@clean()
def options_by_hand(app: Flask) -> None:
    @app.before_request
    def options() -> Any:
        return ("", 204, ANYBODY) if request.method == "OPTIONS" else None

    CorsGuard(app, origins=APP)


def for_anybody(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@clean()
def headers_by_hand_that_the_guard_replaces(app: Flask, guard: CorsGuard) -> None:
    app.after_request(for_anybody)
    app.add_url_rule("/own", "own", lambda: ("", ANYBODY))


@clean()
def put_in_front_while_the_app_is_set_up(app: Flask, guard: CorsGuard) -> None:
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: abort(503))


@clean()
def functions_of_a_blueprint(app: Flask, guard: CorsGuard) -> None:
    api = Blueprint("api", __name__, url_prefix="/api")
    api.before_request(lambda: abort(401))
    api.before_app_request(lambda: abort(503))
    api.after_app_request(lambda response: response)
    register(app, api, "GET /")


@clean(app=lambda: Flask("shop", static_folder=None))
def preprocessors_that_only_take_apart(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/<lang>/", "index", lambda: "")

    @app.url_value_preprocessor
    def language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang = (values or {}).pop("lang", None)


@clean()
def a_preprocessor_that_knows_its_tenants(app: Flask, guard: CorsGuard) -> None:
    """It runs before the guard, which decides all the same. The address is made up."""
    tenants = Blueprint("tenants", __name__, url_prefix="/<tenant>")

    @tenants.url_value_preprocessor
    def find(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.tenant = (values or {}).pop("tenant", None)
        if g.tenant not in ("a", "b"):
            abort(404)

    register(app, tenants, "GET /")


class Harmless(Flask):
    def make_response(self, rv: Any) -> Response:
        return super().make_response(rv)

    def dispatch_request(self) -> Any:
        g.started = True
        return super().dispatch_request()

    def handle_exception(self, e: Exception) -> Response:
        return super().handle_exception(e)


@clean()
def a_receiver_that_only_listens(app: Flask, guard: CorsGuard) -> None:
    request_started.connect(lambda sender, **_: setattr(g, "seen", True), app, weak=False)
    origin_rejected.connect(lambda sender, decision: None, app, weak=False)


@clean(origins=())
def a_view_that_calls_another(app: Flask, guard: CorsGuard) -> None:
    public = cors(origins="*")(lambda: "public")
    route(app, "GET /public", view=public)
    route(app, "GET /page", view=lambda: public())


@clean(origins=())
def a_view_that_calls_a_marked_blueprint(app: Flask, guard: CorsGuard) -> None:
    api = cors(origins="*")(Blueprint("api", __name__, url_prefix="/api"))
    items = api.get("/")(lambda: api.name)
    app.register_blueprint(api)
    route(app, "GET /names", view=lambda: [api.name, items.__name__])


@clean()
def an_exempt_blueprint_beside_functions_of_another(app: Flask, guard: CorsGuard) -> None:
    api = Blueprint("api", __name__)
    api.after_request(for_anybody)
    register(app, cors_exempt(Blueprint("hooks", __name__)), "POST /hook")
    register(app, api, "GET /items")


# Shapes of apps.


@clean(
    app=lambda: Flask("shop", static_folder=None, subdomain_matching=True),
    config={"SERVER_NAME": "shop.example"},
)
def hosts_and_subdomains(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/", "index", lambda: "", subdomain="api")
    app.add_url_rule("/", "tenant", lambda: "", subdomain="<tenant>")


@clean(**ACT)
def converters_of_all_kinds(app: Flask, guard: CorsGuard) -> None:
    for rule in (
        "/a/<int:n>", "/b/<float:x>", "/c/<uuid:id>", "/d/<path:p>", "/e/<any(x, y):w>",
        "/f/<string(length=2):s>", "/g/<int(min=5):n>/", "/h/<n>.<ext>",
        "/i/<int(fixed_digits=3):n>",
    ):  # fmt: skip
        app.add_url_rule(rule, rule, lambda **_: "", methods=["GET", "POST"])


@clean()
def redirects_and_defaults(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/old", "old", redirect_to="/")
    app.view_functions["old"] = lambda: ""
    app.add_url_rule("/all/", "all", lambda page: "", defaults={"page": 1})
    app.add_url_rule("/all/<int:page>", "all")
    app.add_url_rule("/only", "only", build_only=True)


@clean(origins=())
def methods_with_policies_of_their_own(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/n", "read", cors(origins="*")(lambda: ""))
    app.add_url_rule("/n", "write", cors(origins=APP, max_age=0)(lambda: ""), methods=["PUT"])


# Views with marks, decorators and exemptions.


def about() -> str:
    """A page that explains X-Forwarded-For, and does not read it."""
    return "nginx: proxy_set_header X-Forwarded-For $remote_addr;"


def echo() -> Any:
    """Says what was asked: Origin and Access-Control-Request-Method."""
    return {"asked": request.headers.get("Access-Control-Request-Method", "")}


def items() -> str:
    return ""


async def later() -> str:
    return ""


class Me(MethodView):
    get = cors(allow_credentials=True)(handler())
    post = handler()


MARK = cors(origins=APP)


@MARK
class Note(MethodView):
    decorators = (wrapping,)
    get = cors(origins=PARTNER)(handler())
    post = handler()


@MARK
class Plain(View):
    """Flask itself notes the class down on what the decorator returns, which keeps nothing."""

    decorators = (unnamed,)
    dispatch_request = handler()


MARKED, PUBLIC = MARK(lambda: ""), cors(Policy(origins="*"))(lambda: "")
APPS |= {
    "nothing_configured": plain(app=flask, origins=()),
    "a_public_route_beside_credentials": plain(
        "GET,POST /login", "POST /logout", views={"GET /status": PUBLIC}, **ACT
    ),
    "credentials_for_reading_alone": plain(views={"GET,POST /me": Me.as_view("me")}),
    "code_that_writes_about_a_proxy": plain(views={"GET /help": about}, enforce="unsafe"),
    "a_subclass_that_overrides_other_methods": plain("GET /", app=lambda: Harmless("shop")),
    "marks_that_reach_their_views_and_decorators_that_hide_nothing": plain(
        views={
            "GET /mark/inside": wrapping(MARK(lambda: "")),
            "GET /mark/outside": MARK(wrapping(lambda: "")),
            "GET /mark/outside/of/what/keeps/nothing": MARK(unnamed(lambda: "")),
            "GET /no/mark": unnamed(lambda: ""),
            "GET /partial": functools.partial(MARK(lambda number: ""), 5),
            "GET /cached": functools.lru_cache(MARKED),
            "GET /updated": functools.update_wrapper(unnamed(MARKED), MARKED, assigned=()),
            "GET /hidden/and/the/same/outside": MARK(unnamed(MARK(lambda: ""))),
            "GET /one/function/private": items,
            "GET /one/function/public": cors(origins="*")(wrapping(items)),
            "GET,POST /class/and/decorators": Note.as_view("notes"),
            "GET /class/and/decorator/that/keeps/nothing": Plain.as_view("plain"),
        },
        origins=(),
    ),
    # The headers by hand are on another route, where the guard replaces them.
    "exempt_routes_without_the_header": plain(
        views={
            "POST /hook": cors_exempt(lambda: ("", 204, {"Cache-Control": "no-store"})),
            "GET /echo": cors_exempt(echo),
            "GET /own": lambda: ("", ANYBODY),
        }
    ),
    "named_policies_and_configuration": plain(
        views={
            "GET /export": cors("partners")(lambda: ""),
            "GET /status": cors("public", max_age=7200)(lambda: ""),
        },
        config={
            "CORSGUARD_ORIGINS": "https://app.example.com,http://localhost:*",
            "CORSGUARD_POLICIES": {"partners": {"origins": "https://*.partner.example"}},
        },
        policies={"public": Policy(origins="*")},
    ),
    "an_async_view_and_a_stream": plain(
        views={"GET /later": later, "GET /stream": lambda: Response(iter(("a", "b")))}
    ),
}


@pytest.mark.parametrize("build", APPS.values(), ids=APPS)
def test_apps(build: Build) -> None:
    """Nothing is found in whole apps, though some look as if something were wrong."""
    check_clean(build)


# The examples.


FILES = sorted((ROOT / "examples").glob("*.py"))
EXAMPLES = [path for path in FILES if not path.stem.endswith(".conf")]  # a server's


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found in the documentation's examples."""
    report = audit(load_file(path, monkeypatch).app)
    assert codes_of(report) == set(), told(report)


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's API lets a page on this machine use cookies."""
    demo = ROOT / "examples" / "demo"
    monkeypatch.syspath_prepend(demo)
    try:
        page = load_file(demo / "page.py", monkeypatch)
        origins = sys.modules["cases"].Origins(
            *(f"http://localhost:{port}" for port in range(8001, 8004))
        )
        apps = page.create_apps(origins, tmp_path)
        found = {app.name: codes_of(audit(app)) for app in apps}
    finally:
        for name in ("api", "cases", "page"):
            sys.modules.pop(name, None)
    assert found == {
        "demo_shop": set(),
        "demo_other": set(),
        "demo_api": {"loopback_with_credentials"},
    }
