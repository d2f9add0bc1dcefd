"""Apps in which nothing is wrong, though some look as if: the audit has to keep still."""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import ipaddress
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Blueprint, Flask, Response, abort, g, request, session
from flask.views import MethodView, View
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt, origin_rejected
from tests.audit.judging import Build, codes_of, found_in, is_let_in, told

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


def guarded(origins: Any, **fields: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=origins, **fields)
    app.add_url_rule("/", "index", lambda: "shop")
    return app


# Patterns and callables. What is meant is let in, nobody else is.

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
    (r"app\.example\.com", ()),
    (re.escape(APP), (APP,)),
    ("|".join(map(re.escape, (APP, PARTNER))), (APP, PARTNER)),
]  # fmt: skip


def check_clean(build: Build) -> None:
    report = found_in(build())
    assert not codes_of(report), told(report)
    assert not report.accepted
    assert not report.unused
    assert report.routes or not list(build().url_map.iter_rules())


@pytest.mark.parametrize(("pattern", "meant"), PATTERNS, ids=[p for p, _ in PATTERNS])
def test_patterns(pattern: str, meant: tuple[str, ...]) -> None:
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
        r"http://localhost(:\d+)?",
        r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?",
        r"https://app\.example\.com|http://localhost:\d+",
        r"capacitor://localhost",
    ],
)
@pytest.mark.parametrize("enforce", ["off", "unsafe"])
def test_patterns_with_credentials(pattern: str, enforce: str) -> None:
    fields = {"allow_credentials": True, "enforce": enforce}
    app = guarded(re.compile(pattern), **fields)
    assert not [origin for origin in HOSTILE if is_let_in(app, "/", origin)]
    check_clean(lambda: guarded(re.compile(pattern), **fields))


ALLOWED = frozenset({APP, PARTNER})
SITES = ("example.com", "partner.example")
PATTERN = re.compile(r"https://pr-\d+\.example\.com")


def listed(origin: str) -> bool:
    return origin in ALLOWED


def equal(origin: str) -> bool:
    return (origin == APP) | (origin == PARTNER)


def below(origin: str) -> bool:
    return origin.startswith("https://") and origin.endswith(".example.com")


def at_or_below(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return any(host == site or host.endswith("." + site) for site in SITES)


def last_labels(origin: str) -> bool:
    return (urlsplit(origin).hostname or "").split(".")[-2:] == ["example", "com"]


def in_full(origin: str) -> bool:
    return PATTERN.fullmatch(origin) is not None


def to_the_end(origin: str) -> bool:
    return bool(re.match(r"https://app\.example\.com$", origin))


def of_the_tenant(origin: str, request: Any) -> bool:
    return origin == f"https://{request.host.partition(':')[0]}.example.com"


def of_the_own_host(origin: str, request: Any) -> bool:
    return origin == f"https://{request.host}"


def by_the_query(origin: str, request: Any) -> bool:
    tenants = {"a": "https://a.example.com", "b": "https://b.example.com"}
    return tenants.get(request.args.get("tenant", "")) == origin


def configured(origin: str, request: Any) -> bool:
    from flask import current_app

    return origin in current_app.config.get("ALLOWED_ORIGINS", ())


def in_the_own_network(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def nobody(origin: str) -> bool:
    return False


def a_port_that_is_a_number(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.hostname == "localhost" and (parts.port or 80) >= 80
    except ValueError:
        return False


def glob(origin: str) -> bool:
    return fnmatch.fnmatch(origin, "https://*.example.com")


def in_bytes(origin: str) -> bool:
    return origin.encode() in (b"https://app.example.com", b"https://partner.example")


def by_path(origin: str, request: Any) -> bool:
    return request.path == "/nowhere" or origin == APP


class Directory:
    def __init__(self, *origins: str) -> None:
        self.origins = set(origins)

    def __call__(self, origin: str) -> bool:
        return origin in self.origins

    def has(self, origin: str) -> bool:
        return origin in self.origins


@functools.cache
def remembered(origin: str) -> bool:
    return origin in ALLOWED


def counting() -> Callable[[str], bool]:
    asked: list[str] = []

    def check(origin: str) -> bool:
        asked.append(origin)
        return origin == APP

    return check


CHECKS: list[Any] = [
    listed, equal, below, at_or_below, last_labels, in_full, to_the_end, of_the_tenant,
    of_the_own_host, by_the_query, glob, in_bytes, by_path, configured, nobody,
    in_the_own_network,
    a_port_that_is_a_number, remembered, counting(), Directory(APP), Directory(APP).has,
    ALLOWED.__contains__, functools.partial(lambda allowed, origin: origin in allowed, ALLOWED),
    lambda o: o == APP,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_callables(check: Any) -> None:
    assert not [origin for origin in HOSTILE if is_let_in(guarded(check), "/", origin)]
    check_clean(lambda: guarded(check))


@pytest.mark.parametrize("check", [listed, equal, in_full, to_the_end, nobody, Directory(APP)])
def test_callables_with_credentials(check: Any) -> None:
    check_clean(lambda: guarded(check, allow_credentials=True))


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
        ("http://localhost:*", {"allow_credentials": True}),
        ("http://127.0.0.1:5000", {"allow_credentials": True, "enforce": "unsafe"}),
        ("http://app.localhost", {"allow_credentials": True}),
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
        (APP, {"allow_private_network": True}),
        (APP, {"answer_preflight": False}),
        (APP, {"dangerously_allow_null_origin": True}),
        (APP, {"allow_credentials": True, "dangerously_allow_insecure_origins": True}),
    ],
)
def test_fields(origins: Any, fields: dict[str, Any]) -> None:
    check_clean(lambda: guarded(origins, **fields))


# Whole apps.

APPS: list[Build] = []


def clean(build: Build) -> Build:
    """Put an app in the table."""
    APPS.append(build)
    return build


def shop(**config: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    app.config.update(config)
    app.add_url_rule("/", "index", lambda: "shop")
    return app


@clean
def nothing_configured() -> Flask:
    app = Flask(__name__)
    CorsGuard(app)
    return app


@clean
def a_public_api() -> Flask:
    app = shop()
    CorsGuard(app, origins="*", allow_headers=["Authorization", "Content-Type"], max_age=7200)
    app.add_url_rule("/items", "items", lambda: "", methods=["GET", "POST", "PUT", "DELETE"])
    return app


@clean
def a_public_route_beside_credentials() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True, enforce="unsafe")
    app.add_url_rule("/status", "status", cors(Policy(origins="*"))(lambda: ""))
    app.add_url_rule("/login", "login", lambda: "", methods=["GET", "POST"])
    app.add_url_rule("/logout", "logout", lambda: "", methods=["POST"])
    return app


@clean
def a_public_blueprint_beside_a_login() -> Flask:
    app = shop()
    CorsGuard(app)
    public = Blueprint("public", __name__, url_prefix="/public")
    cors(origins="*")(public)
    public.add_url_rule("/items", "items", lambda: "", methods=["GET", "POST"])
    app.register_blueprint(public)
    app.add_url_rule("/login", "login", lambda: "", methods=["POST"])
    return app


@clean
def flask_login_beside_listed_origins() -> Flask:
    flask_login = pytest.importorskip("flask_login")
    app = shop(SECRET_KEY="x")
    flask_login.LoginManager(app)
    CorsGuard(app, origins=APP)
    app.add_url_rule("/status", "status", cors(origins="*")(lambda: ""))
    return app


@clean
def words_that_are_no_login() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")
    for path in (
        "/blog/logins-explained",
        "/design/signage",
        "/catalogue",
        "/logistics",
        "/authors",
    ):
        app.add_url_rule(path, path, lambda: "")
    return app


@clean
def fonts() -> Flask:
    app = Flask(__name__)
    guard = CorsGuard(app, origins=APP, allow_credentials=True, enforce="unsafe")
    guard.for_files(
        "static", "*.woff2", "*.ttf", origins="*", allow_credentials=False, enforce="off"
    )
    return app


@clean
def public_routes_for_reading_beside_enforce() -> Flask:
    """They have enforce from the default policy, where it means nothing for them."""
    app = Flask(__name__)
    guard = CorsGuard(app, origins=APP, enforce="unsafe")
    guard.for_files("static", "*.woff2", origins="*")
    app.add_url_rule("/status", "status", cors(origins="*")(lambda: ""))
    app.add_url_rule("/account", "account", lambda: "", methods=["POST"])
    return app


@clean
def credentials_with_enforce() -> Flask:
    app = shop(SECRET_KEY="x")
    CorsGuard(app, origins=APP, allow_credentials=True, enforce="unsafe")
    app.add_url_rule("/items", "items", lambda: "", methods=["POST", "PUT", "PATCH", "DELETE"])
    return app


@clean
def credentials_with_enforce_for_everything() -> Flask:
    app = shop(CORSGUARD_ORIGINS=APP, CORSGUARD_ALLOW_CREDENTIALS=True, CORSGUARD_ENFORCE="all")
    CorsGuard(app)
    app.add_url_rule("/items", "items", lambda: "", methods=["POST"])
    return app


@clean
def credentials_for_reading_alone() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    class Me(MethodView):
        @cors(allow_credentials=True)
        def get(self) -> str:
            return ""

        def post(self) -> str:
            return ""

    app.add_url_rule("/me", view_func=Me.as_view("me"))
    return app


@clean
def enforce_and_nothing_else() -> Flask:
    app = shop(SECRET_KEY="x")
    CorsGuard(app, enforce="unsafe")
    app.add_url_rule("/login", "login", lambda: "", methods=["GET", "POST"])
    return app


@clean
def behind_a_proxy_with_proxy_fix() -> Flask:
    app = shop(PREFERRED_URL_SCHEME="https", APPLICATION_ROOT="/shop")
    CorsGuard(app, enforce="unsafe")
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_host=1)  # type: ignore[method-assign]

    @app.get("/me")
    def me() -> str:
        return request.headers.get("X-Forwarded-For", "")

    return app


@clean
def behind_a_proxy_with_proxy_fix_inside_other_middleware() -> Flask:
    app = shop(PREFERRED_URL_SCHEME="https")
    CorsGuard(app, enforce="unsafe")
    app.wsgi_app = Timed(ProxyFix(app.wsgi_app))  # type: ignore[method-assign]
    return app


@clean
def behind_a_proxy_with_self_origins() -> Flask:
    app = shop(PREFERRED_URL_SCHEME="https")
    CorsGuard(app, enforce="unsafe", self_origins="https://shop.example")
    return app


@clean
def behind_a_proxy_with_self_origins_in_the_configuration() -> Flask:
    app = shop(APPLICATION_ROOT="/shop", CORSGUARD_SELF_ORIGINS="https://shop.example")
    CorsGuard(app, enforce="all")
    return app


@clean
def https_by_preference_where_nothing_is_enforced() -> Flask:
    app = shop(PREFERRED_URL_SCHEME="https", APPLICATION_ROOT="/shop")
    CorsGuard(app, origins=APP)
    return app


@clean
def code_that_writes_about_a_proxy() -> Flask:
    app = shop()
    CorsGuard(app, enforce="unsafe")

    @app.get("/help")
    def about() -> str:
        """A page that explains X-Forwarded-For, and does not read it."""
        return "nginx: proxy_set_header X-Forwarded-For $remote_addr;"

    return app


class Timed:
    """Middleware that passes everything on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ["shop.started"] = 1

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Server-Timing", "app;dur=1")], *rest)

        return self.app(environ, start)


@clean
def middleware_that_measures() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    app.wsgi_app = Timed(app.wsgi_app)  # type: ignore[method-assign]
    return app


@clean
def middleware_below_a_path() -> Flask:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = shop()
    CorsGuard(app, origins=APP)
    other = Flask("other")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": other})  # type: ignore[method-assign]
    return app


@clean
def middleware_that_serves_files() -> Flask:
    from werkzeug.middleware.shared_data import SharedDataMiddleware

    app = shop()
    CorsGuard(app, origins=APP)
    app.wsgi_app = SharedDataMiddleware(app.wsgi_app, {"/shared": str(ROOT)})  # type: ignore[method-assign]
    return app


@clean
def a_login_for_everything_before_the_guard() -> Flask:
    app = shop(SECRET_KEY="x")

    @app.before_request
    def login() -> Any:
        if "user" not in session:
            return "log in", 401
        return None

    CorsGuard(app, origins=APP)
    return app


@clean
def a_login_for_everything_after_the_guard() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.before_request
    def login() -> None:
        if request.method == "OPTIONS" or "Authorization" not in request.headers:
            abort(401)

    return app


@clean
def options_answered_by_hand() -> Flask:
    app = shop()

    @app.before_request
    def options() -> Any:
        if request.method == "OPTIONS":
            return "", 204, {"Access-Control-Allow-Origin": "*"}
        return None

    CorsGuard(app, origins=APP)
    return app


@clean
def headers_by_hand_that_the_guard_replaces() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    @app.get("/own")
    def own() -> Any:
        return "", {"Access-Control-Allow-Origin": "*"}

    return app


@clean
def put_in_front_while_the_app_is_set_up() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: abort(503))
    return app


@clean
def functions_of_a_blueprint() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    api = Blueprint("api", __name__, url_prefix="/api")
    api.before_request(lambda: abort(401))
    api.before_app_request(lambda: abort(503))
    api.after_app_request(lambda response: response)
    api.add_url_rule("/", "index", lambda: "")
    app.register_blueprint(api)
    return app


@clean
def preprocessors_that_only_take_apart() -> Flask:
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    app.add_url_rule("/<lang>/", "index", lambda: "")

    @app.url_value_preprocessor
    def language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang = (values or {}).pop("lang", None)

    return app


@clean
def a_preprocessor_that_knows_its_tenants() -> Flask:
    """It has run before the guard, which then decides all the same. The address is made up."""
    app = shop()
    CorsGuard(app, origins=APP)
    tenants = Blueprint("tenants", __name__, url_prefix="/<tenant>")

    @tenants.url_value_preprocessor
    def find(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.tenant = (values or {}).pop("tenant", None)
        if g.tenant not in ("a", "b"):
            abort(404)

    tenants.add_url_rule("/", "index", lambda: "")
    app.register_blueprint(tenants)
    return app


class Harmless(Flask):
    def make_response(self, rv: Any) -> Response:
        return super().make_response(rv)

    def dispatch_request(self) -> Any:
        g.started = True
        return super().dispatch_request()

    def handle_exception(self, e: Exception) -> Response:
        return super().handle_exception(e)


@clean
def a_subclass_that_overrides_other_methods() -> Flask:
    app = Harmless("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    app.add_url_rule("/", "index", lambda: "shop")
    return app


@clean
def a_receiver_that_only_listens() -> Flask:
    from flask.signals import request_started

    app = shop()
    CorsGuard(app, origins=APP)
    request_started.connect(lambda sender, **_: setattr(g, "seen", True), app, weak=False)
    origin_rejected.connect(lambda sender, decision: None, app, weak=False)
    return app


# Marks that reach their views, and decorators that hide nothing.


def wrapping(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def bare(view: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


@clean
def marks_above_and_below_decorators() -> Flask:
    app = shop()
    CorsGuard(app)
    app.add_url_rule("/a", "a", wrapping(cors(origins=APP)(lambda: "")))
    app.add_url_rule("/b", "b", cors(origins=APP)(wrapping(lambda: "")))
    app.add_url_rule("/c", "c", cors(origins=APP)(bare(lambda: "")))
    app.add_url_rule("/d", "d", bare(lambda: ""))
    app.add_url_rule("/e", "e", functools.partial(cors(origins=APP)(lambda number: ""), 5))
    return app


@clean
def decorators_from_the_standard_library() -> Flask:
    app = shop()
    CorsGuard(app)
    view = cors(origins=APP)(lambda: "")
    app.add_url_rule("/a", "a", functools.lru_cache(view))

    def wrapper() -> Any:
        return view()

    app.add_url_rule("/b", "b", functools.update_wrapper(wrapper, view, assigned=()))
    return app


@clean
def a_mark_inside_and_the_same_outside() -> Flask:
    """The decorator hides one, and its result has one of its own."""
    app = shop()
    CorsGuard(app)
    mark = cors(origins=APP)
    app.add_url_rule("/a", "a", mark(bare(mark(lambda: ""))))
    return app


@clean
def a_view_that_calls_another() -> Flask:
    app = shop()
    CorsGuard(app)

    @app.get("/public")
    @cors(origins="*")
    def public() -> str:
        return "public"

    @app.get("/page")
    def page() -> str:
        return public()

    return app


@clean
def a_view_that_calls_a_marked_blueprint() -> Flask:
    app = shop()
    CorsGuard(app)
    api = Blueprint("api", __name__, url_prefix="/api")
    cors(origins="*")(api)

    @api.get("/")
    def items() -> str:
        return api.name

    app.register_blueprint(api)

    @app.get("/names")
    def names() -> Any:
        return [api.name, items.__name__]

    return app


@clean
def two_views_of_one_function() -> Flask:
    app = shop()
    CorsGuard(app)

    def items() -> str:
        return ""

    app.add_url_rule("/private", "private", items)
    app.add_url_rule("/public", "public", cors(origins="*")(wrapping(items)))
    return app


@clean
def a_class_with_a_mark_and_decorators() -> Flask:
    app = shop()
    CorsGuard(app)

    @cors(origins=APP)
    class Note(MethodView):
        decorators = (wrapping,)

        @cors(origins=PARTNER)
        def get(self) -> str:
            return ""

        def post(self) -> str:
            return ""

    app.add_url_rule("/notes", view_func=Note.as_view("notes"))
    return app


@clean
def a_class_with_a_decorator_that_keeps_nothing() -> Flask:
    """Flask itself notes the class down on what the decorator returns."""
    app = shop()
    CorsGuard(app)

    @cors(origins=APP)
    class Plain(View):
        decorators = (bare,)

        def dispatch_request(self) -> str:
            return ""

    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    return app


# Exempt routes.


@clean
def an_exempt_route_without_headers() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.post("/hooks/payment")
    @cors_exempt
    def payment() -> Any:
        return "", 204, {"Cache-Control": "no-store", "X-Request-Id": "1"}

    return app


@clean
def an_exempt_route_that_reads_the_header() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/echo")
    @cors_exempt
    def echo() -> Any:
        """Says what was asked: Origin and Access-Control-Request-Method."""
        return {"asked": request.headers.get("Access-Control-Request-Method", "")}

    return app


@clean
def an_exempt_route_beside_headers_by_hand() -> Flask:
    """The headers are on another route, where the guard replaces them."""
    app = shop()
    CorsGuard(app, origins=APP)
    app.add_url_rule("/hook", "hook", cors_exempt(lambda: ""), methods=["POST"])

    @app.get("/own")
    def own() -> Any:
        return "", {"Access-Control-Allow-Origin": "*"}

    return app


@clean
def an_exempt_blueprint_beside_functions_of_another() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    hooks, api = Blueprint("hooks", __name__), Blueprint("api", __name__)
    cors_exempt(hooks)
    hooks.add_url_rule("/hook", "hook", lambda: "", methods=["POST"])
    api.add_url_rule("/items", "items", lambda: "")

    @api.after_request
    def add(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app.register_blueprint(hooks)
    app.register_blueprint(api)
    return app


# Shapes of apps.


@clean
def hosts_and_subdomains() -> Flask:
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"
    CorsGuard(app, origins=APP)
    app.add_url_rule("/", "index", lambda: "", subdomain="api")
    app.add_url_rule("/", "tenant", lambda: "", subdomain="<tenant>")
    return app


@clean
def converters_of_all_kinds() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True, enforce="unsafe")
    for rule in (
        "/a/<int:n>", "/b/<float:x>", "/c/<uuid:id>", "/d/<path:p>", "/e/<any(x, y):w>",
        "/f/<string(length=2):s>", "/g/<int(min=5):n>/", "/h/<n>.<ext>",
        "/i/<int(fixed_digits=3):n>",
    ):  # fmt: skip
        app.add_url_rule(rule, rule, lambda **_: "", methods=["GET", "POST"])
    return app


@clean
def redirects_and_defaults() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    app.add_url_rule("/old", "old", redirect_to="/")
    app.view_functions["old"] = lambda: ""
    app.add_url_rule("/all/", "all", lambda page: "", defaults={"page": 1})
    app.add_url_rule("/all/<int:page>", "all")
    app.add_url_rule("/only", "only", build_only=True)
    return app


@clean
def methods_with_policies_of_their_own() -> Flask:
    app = shop()
    CorsGuard(app)
    app.add_url_rule("/n", "read", cors(origins="*")(lambda: ""))
    app.add_url_rule("/n", "write", cors(origins=APP, max_age=0)(lambda: ""), methods=["PUT"])
    return app


@clean
def a_policy_on_trial() -> Flask:
    app = shop()
    CorsGuard(app, origins="*", report_only=Policy(origins=APP))
    return app


@clean
def named_policies_and_configuration() -> Flask:
    app = shop(
        CORSGUARD_ORIGINS="https://app.example.com,http://localhost:*",
        CORSGUARD_POLICIES={"partners": {"origins": "https://*.partner.example"}},
    )
    CorsGuard(app, policies={"public": Policy(origins="*")})
    app.add_url_rule("/export", "export", cors("partners")(lambda: ""))
    app.add_url_rule("/status", "status", cors("public", max_age=7200)(lambda: ""))
    return app


@clean
def an_async_view_and_a_stream() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    async def later() -> str:
        return ""

    def stream() -> Response:
        return Response(iter(("a", "b")))

    app.add_url_rule("/later", "later", later)
    app.add_url_rule("/stream", "stream", stream)
    return app


@pytest.mark.parametrize("build", APPS, ids=[build.__name__ for build in APPS])
def test_apps(build: Build) -> None:
    check_clean(build)


# The examples.


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Any]]:
    def load(path: Path) -> Any:
        spec = importlib.util.spec_from_file_location(f"audited_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples(path: Path, load: Callable[[Path], Any]) -> None:
    report = found_in(load(path).app)
    assert codes_of(report) == set(), told(report)


def test_the_demo(load: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its API signs in with a cookie and enforces nothing, and has an exempt route that sends a
    header: both are there to be shown. Of the accounts, one is to be unprotected."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "demo")
    before = set(sys.modules)
    try:
        api = load(ROOT / "examples" / "demo" / "api.py")
        page = load(ROOT / "examples" / "demo" / "page.py")
        account = load(ROOT / "examples" / "demo" / "account.py")
        origins = sys.modules["origins"].Origins(
            *(f"http://localhost:{port}" for port in range(8001, 8006))
        )
        found = {
            "api": codes_of(found_in(api.create_api(origins.allowed, lambda *_: None))),
            "unprotected": codes_of(
                found_in(account.create_account(origins.allowed, "off", lambda *_: None))
            ),
            "protected": codes_of(
                found_in(account.create_account(origins.allowed, "unsafe", lambda *_: None))
            ),
        }
        assert "corsguard" not in page.create_page("allowed", origins).extensions
    finally:
        for name in set(sys.modules) - before:
            if name in ("api", "cases", "origins", "page", "account"):
                del sys.modules[name]
    assert found == {
        "api": {"credentials_without_enforce", "exempt_sends_own_headers"},
        "unprotected": set(),
        "protected": set(),
    }
