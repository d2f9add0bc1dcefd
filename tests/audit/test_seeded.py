"""Apps with one mistake each, wherever a policy can be set: the audit finds that and nothing else,
and says on which line."""

import functools
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import simple_websocket
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    g,
    make_response,
    redirect,
    request,
)
from flask.sessions import SecureCookieSessionInterface
from flask.signals import request_started
from flask.views import MethodView, View
from flask_cors import CORS, cross_origin
from flask_sock import Sock
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.audit import Level
from tests.audit.cases import (
    Case,
    changed,
    check_found,
    handler,
    register,
    route,
    unnamed,
    wrapping,
)
from tests.audit.look_alikes import (
    ConnexionJson,
    EngineMiddleware,
    EngineServer,
    SocketIO,
    SocketMiddleware,
    SocketServer,
    WhiteNoise,
    in_connexion,
)

# Marks of other tests are not marks of the app.

NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR
NEIGHBOUR, SUFFIX, INSECURE = "neighbour_allowed", "public_suffix_wildcard", "insecure_origin"
SUBDOMAINS, UNENFORCED = "subdomains_with_credentials", "credentials_without_enforce"
NULL, MAX_AGE, LOGIN = "null_allowed", "max_age_ignored", "any_origin_next_to_login"
EXEMPT, LOST, AHEAD = "exempt_sends_own_headers", "lost_mark", "runs_before_guard"
PROXY, CHANGED, UNUSABLE = "proxy_hides_origin", "response_changed", "unusable_policy"
LOOPBACK, FORGOTTEN = "loopback_with_credentials", "preflights_not_remembered"
BYPASSED = "middleware_bypassed"
NEVER, SOCKET, FAILS = "route_never_usable", "websocket_not_enforced", "preflight_fails"
SOCKETIO, WHITENOISE = "socketio_allows_all", "whitenoise_allows_all"
DIFFERS, CONNEXION = "socketio_differs", "connexion_in_front"
OVERRIDE = "views_may_override"

APP, HTTP = "https://app.example.com", "http://app.example.com"
OTHER, SITES = "https://other.example", "https://*.example.com"
TWO: dict[str, Any] = {"origins": [APP, OTHER]}
LOOSE, EVIL = re.compile(r"https://.*example\.com"), "https://evilexample.com"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"

CASES: dict[str, Case] = {}


def shop(app_class: Callable[..., Flask] = Flask) -> Flask:
    """An app without a guard, with two routes that only show something."""
    app = app_class("shop", static_folder=None)
    pages(app)
    return app


def pages(app: Flask | Blueprint) -> None:
    app.add_url_rule("/", "index", lambda: "shop")
    app.add_url_rule("/items/<int:number>", "item", lambda number: str(number))


def seeded(
    codes: str,
    let_in: str = "",
    path: str = "/",
    *,
    app_class: Callable[..., Flask] = Flask,
    config: dict[str, Any] | None = None,
    level: Level | None = None,
    routes: set[str] | None = None,
    location: str = "",
    **fields: Any,
) -> Callable[..., None]:
    """Put an app with a mistake in the table.

    :param fields: the fields of the default policy, if it does more than let APP read. A function
        that takes nothing but the app makes its own guard.
    """

    def add(change: Callable[..., Any], name: str = "") -> None:
        build = changed(change, functools.partial(shop, app_class), config, fields)
        name = name or change.__name__
        CASES[name] = Case(build, codes, change, let_in, path, level, routes, location)

    fields = fields or {"origins": APP}
    return add


# Mistakes in the default policy.

ACT = {"allow_credentials": True}
HTTP_TOO = {**ACT, "dangerously_allow_insecure_origins": True}
SUFFIXES_TOO = {"dangerously_allow_public_suffixes": True}
NULL_TOO = {"dangerously_allow_null_origin": True}
AT_ADDRESS = "http://192.168.0.7:8080"


def default(
    codes: str,
    level: Level | None,
    fields: dict[str, Any],
    let_in: str = "",
    *rules: str,
    config: dict[str, Any] | None = None,
    location: str = "",
) -> Case:
    """An app whose default policy is wrong, with further routes."""

    def build() -> Flask:
        app = shop()
        app.config.update(config or {})
        CorsGuard(app, **fields)  # seeded
        route(app, *rules)
        return app

    routes = {"/", "/items/<int:number>"} if let_in else None
    if codes == UNENFORCED:
        routes = {rule.partition(" ")[2] for rule in rules}
    return Case(build, codes, build, let_in, "/", level, routes, location)


def configured(
    codes: str, location: str, config: dict[str, Any], let_in: str = "", *rules: str, **fields: Any
) -> Case:
    """An app whose default policy is wrong, and set in ``app.config``."""
    return default(codes, None, fields, let_in, *rules, config=config, location=location)


CASES |= {
    "a_loose_pattern": default(NEIGHBOUR, WARNING, {"origins": LOOSE}, EVIL),
    "a_suffix": default(
        SUFFIX, WARNING, {"origins": "https://*.github.io"}, "https://evil.github.io"),
    "a_suffix_of_a_country": default(
        SUFFIX, WARNING, {"origins": [APP, "https://*.co.uk"]}, "https://evil.co.uk"),
    "a_suffix_and_any_port": default(
        SUFFIX, WARNING, {"origins": "https://*.vercel.app:*"}, "https://evil.vercel.app:8443"),
    "a_suffix_with_credentials": default(
        SUFFIX, ERROR, {"origins": "https://*.github.io", **ACT, **SUFFIXES_TOO},
        "https://evil.github.io"),
    "inside_a_label_before_a_suffix": default(
        SUFFIX, WARNING, {"origins": "https://my-*.vercel.app"}, "https://my-evil.vercel.app"),
    "inside_a_label_before_a_suffix_with_credentials": default(
        SUFFIX, ERROR, {"origins": "https://my-*.vercel.app", **ACT, **SUFFIXES_TOO},
        "https://my-evil.vercel.app"),
    "inside_a_label_with_credentials": default(
        SUBDOMAINS, WARNING, {"origins": "https://pr-*.shop.example", **ACT},
        "https://pr-evil.shop.example"),
    "raw_without_tls": default(
        INSECURE, ERROR, {"raw_origins": ["HTTP://Shop.example"], **HTTP_TOO},
        "HTTP://Shop.example"),
    "above_a_suffix": default(
        SUFFIX, WARNING, {"origins": "https://*.amazonaws.com"}, "https://evil.s3.amazonaws.com"),
    "above_a_suffix_with_credentials": default(
        SUFFIX, ERROR, {"origins": "https://*.amazonaws.com", **ACT, **SUFFIXES_TOO},
        "https://evil.s3.amazonaws.com"),
    "a_suffix_with_enforce": default(
        SUFFIX, ERROR, {"origins": "https://*.pages.dev", "enforce": "unsafe", **SUFFIXES_TOO},
        "https://evil.pages.dev"),
    "plain_http_with_credentials": default(
        INSECURE, ERROR, {"origins": [APP, HTTP], **HTTP_TOO}, HTTP),
    "plain_http_at_an_address": default(
        INSECURE, ERROR, {"origins": AT_ADDRESS, **HTTP_TOO}, AT_ADDRESS),
    "plain_http_with_enforce": default(
        INSECURE, WARNING, {"origins": [APP, HTTP], "enforce": "unsafe"}, HTTP),
    "plain_http_and_subdomains": default(
        f"{INSECURE} {SUBDOMAINS}", None, {"origins": "http://*.example.com", **HTTP_TOO},
        "http://any.example.com"),
    "null": default(NULL, WARNING, {"origins": [APP, "null"], **NULL_TOO}, "null"),
    "null_with_credentials": default(
        NULL, ERROR, {"origins": [APP, "null"], **ACT, **NULL_TOO}, "null"),
    "subdomains": default(
        SUBDOMAINS, WARNING, {"origins": "https://*.example.com", **ACT}, "https://x.example.com"),
    "subdomains_and_any_port": default(
        SUBDOMAINS, WARNING, {"origins": [APP, "https://*.example.com:*"], **ACT},
        "https://a.b.example.com:8443"),
    "a_name_in_punycode": default(
        NEIGHBOUR, WARNING, {"origins": re.compile(r"https://.*xn--bcher-kva\.example")},
        "https://evilxn--bcher-kva.example"),
    "a_name_below_a_suffix_of_two_labels": default(
        NEIGHBOUR, WARNING, {"origins": re.compile(r"https://.*shop\.co\.uk")},
        "https://evilshop.co.uk"),
    "a_name_with_a_port": default(
        NEIGHBOUR, WARNING, {"origins": re.compile(r"https://.*l\.example:8443")},
        "https://evil.example:8443"),
    "a_post": default(UNENFORCED, WARNING, {"origins": APP, **ACT}, "", "GET,POST /account"),
    "a_put": default(UNENFORCED, NOTE, {"origins": APP, **ACT}, "", "PUT,DELETE /account"),
    "a_patch": default(UNENFORCED, NOTE, {"origins": APP, **ACT}, "", "GET,PATCH /account"),
    "a_post_and_report": default(
        UNENFORCED, NOTE, {"origins": APP, **ACT, "enforce": "report"}, "", "GET,POST /account"),
    "a_post_and_a_cookie_for_the_site_alone": default(
        UNENFORCED, NOTE, {"origins": APP, **ACT}, "", "GET,POST /account",
        config={"SESSION_COOKIE_SAMESITE": "Lax"}),
    "the_own_machine": default(
        LOOPBACK, NOTE, {"origins": [APP, "http://localhost:*"], **ACT}, "http://localhost:3000"),
    "a_port_of_the_own_machine": default(
        LOOPBACK, NOTE, {"origins": "http://127.0.0.1:5000", **ACT, "enforce": "unsafe"},
        "http://127.0.0.1:5000"),
    "a_name_of_the_own_machine": default(
        LOOPBACK, NOTE, {"origins": "https://app.localhost", **ACT}, "https://app.localhost"),
    "a_callable_that_takes_the_request": default(
        FORGOTTEN, NOTE, {"origins": lambda origin, request: origin == APP}),
    "a_callable_that_takes_the_request_and_a_long_max_age": default(
        FORGOTTEN, NOTE, {"origins": [lambda o, request: o == APP], "max_age": 86400}),
    "a_callable_that_says_at_what_it_looks_and_a_long_max_age": default(MAX_AGE, NOTE, {
        "origins": lambda o, request: o == APP, "origins_vary": "X-Tenant", "max_age": 86400}),
    "max_age": default(MAX_AGE, NOTE, {"origins": APP, "max_age": 86400}),
    "max_age_by_a_second": default(MAX_AGE, NOTE, {"origins": APP, "max_age": 7201}),
    "everybody_and_a_login": default(LOGIN, WARNING, {"origins": "*"}, "", "GET,POST /login"),
    "everybody_and_a_login_of_an_api": default(
        LOGIN, WARNING, {"origins": "*"}, "", "POST /api/v1/auth/login"),
    "everybody_and_a_signin": default(LOGIN, WARNING, {"origins": "*"}, "", "POST /users/sign_in"),
    "everybody_and_a_logout": default(LOGIN, WARNING, {"origins": "*"}, "", "POST /logout"),
    "in_the_configuration": configured(
        NEIGHBOUR, "CORSGUARD_ORIGINS in app.config", {"CORSGUARD_ORIGINS": [LOOSE]}, EVIL),
    "in_the_configuration_beside_others": configured(
        NEIGHBOUR, "CORSGUARD_ORIGINS in app.config",
        {"CORSGUARD_ORIGINS": LOOSE, "CORSGUARD_MAX_AGE": 60, "CORSGUARD_METHODS": "GET"}, EVIL),
    "in_the_configuration_below_arguments": configured(
        NEIGHBOUR, "CORSGUARD_ORIGINS", {"CORSGUARD_ORIGINS": LOOSE}, EVIL, max_age=60),
    "max_age_in_the_configuration_below_arguments": configured(
        MAX_AGE, "CORSGUARD_MAX_AGE", {"CORSGUARD_MAX_AGE": 86400}, origins=APP),
    "a_list_in_one_string": configured(
        SUFFIX, "CORSGUARD_ORIGINS", {"CORSGUARD_ORIGINS": f"{APP}, https://*.github.io"},
        "https://evil.github.io"),
    "null_in_the_configuration": configured(
        NULL, "CORSGUARD_ORIGINS",
        {"CORSGUARD_ORIGINS": f"{APP},null", "CORSGUARD_DANGEROUSLY_ALLOW_NULL_ORIGIN": True},
        "null"),
    "credentials_in_the_configuration": configured(
        UNENFORCED, "CORSGUARD_ALLOW_CREDENTIALS",
        {"CORSGUARD_ORIGINS": APP, "CORSGUARD_ALLOW_CREDENTIALS": True}, "", "POST /account"),
    "everybody_in_the_configuration_and_a_login": configured(
        LOGIN, "CORSGUARD_ORIGINS", {"CORSGUARD_ORIGINS": "*"}, "", "GET,POST /login"),
    "https_by_preference": configured(
        PROXY, "PREFERRED_URL_SCHEME", {"PREFERRED_URL_SCHEME": "https"}, "", "POST /account",
        enforce="unsafe"),
    "below_a_path": configured(
        PROXY, "APPLICATION_ROOT", {"APPLICATION_ROOT": "/shop"}, "", "POST /account",
        enforce="unsafe"),
}  # fmt: skip


# Where a policy can be set.


@seeded(NEIGHBOUR, EVIL)
def in_a_call_over_several_lines(app: Flask) -> None:
    CorsGuard(  # seeded
        app, origins=[APP, LOOSE], max_age=60
    )


@seeded(NEIGHBOUR, EVIL)
def in_a_policy_object(app: Flask) -> None:
    CorsGuard(app, Policy(origins=LOOSE))  # seeded


@seeded(NEIGHBOUR, EVIL)
def in_a_guard_without_an_app(app: Flask) -> None:
    CorsGuard(origins=LOOSE).init_app(app)  # seeded


def at_index(
    name: str, codes: str, policy: str | None, marked: dict[str, Any], *let_in: str, **given: Any
) -> None:
    """Put an app in the table with a mark on its first view.

    :param policy: the name of a policy, or None.
    :param marked: the fields of the mark.
    """

    def change(app: Flask, guard: CorsGuard) -> None:
        cors(policy, **marked)(app.view_functions["index"])  # seeded

    seeded(codes, *let_in, **given)(change, name)


PARTNERS = {"partners": {"origins": [LOOSE]}}
at_index("in_a_view_mark", NEIGHBOUR, None, {"origins": LOOSE}, EVIL, routes={"/"})
at_index("in_a_named_policy", NEIGHBOUR, "partners", {}, EVIL, routes={"/"}, policies=PARTNERS)
at_index(
    "in_a_policy_named_in_the_configuration", NEIGHBOUR, "partners", {"max_age": 5}, EVIL,
    routes={"/"}, config={"CORSGUARD_POLICIES": PARTNERS},
)  # fmt: skip
at_index("max_age_in_a_mark", MAX_AGE, None, {"max_age": 36000}, level=NOTE, routes={"/"})
at_index("credentials_for_everybody", UNUSABLE, None, ACT, level=ERROR, origins="*")
at_index("an_unknown_name", UNUSABLE, "partner", {}, level=ERROR, policies=PARTNERS)
at_index("plain_http_meets_credentials", UNUSABLE, None, ACT, level=ERROR, origins=HTTP)


@seeded(NEIGHBOUR, EVIL, "/open", routes={"/open"})
def in_a_decorator(app: Flask, guard: CorsGuard) -> None:
    @app.get("/open")
    @cors(origins=LOOSE)  # seeded
    def opened() -> str:
        return "open"


@seeded(NEIGHBOUR, EVIL, "/open", routes={"/open"})
def in_a_decorator_above_the_route(app: Flask, guard: CorsGuard) -> None:
    cors(origins=LOOSE)(app.get("/open")(lambda: ""))  # seeded


@seeded(NEIGHBOUR, EVIL, "/open", routes={"/open"})
def in_a_decorator_below_another(app: Flask, guard: CorsGuard) -> None:
    route(app, "GET /open", view=wrapping(cors(origins=LOOSE)(lambda: "")))  # seeded


@seeded(NEIGHBOUR, EVIL, "/api/", routes={"/api/", "/api/items/<int:number>"}, origins=())
def in_a_blueprint_mark(app: Flask, guard: CorsGuard) -> None:
    api = cors(origins=LOOSE)(Blueprint("api", __name__, url_prefix="/api"))  # seeded
    pages(api)
    app.register_blueprint(api)


def nested(app: Flask) -> tuple[Blueprint, Blueprint, Callable[[], None]]:
    """Two blueprints, one in the other, and a function that registers them."""
    api = Blueprint("api", __name__, url_prefix="/api")
    v1 = Blueprint("v1", __name__, url_prefix="/v1")

    def register() -> None:
        pages(v1)
        route(api, "GET /")
        api.register_blueprint(v1)
        app.register_blueprint(api)

    return api, v1, register


@seeded(NEIGHBOUR, EVIL, "/api/v1/", routes={"/api/", "/api/v1/", "/api/v1/items/<int:number>"})
def in_an_outer_blueprint(app: Flask, guard: CorsGuard) -> None:
    api, v1, register = nested(app)
    cors(origins=LOOSE)(api)  # seeded
    cors(max_age=60)(v1)
    register()


@seeded(NEIGHBOUR, EVIL, "/api/v1/", routes={"/api/v1/", "/api/v1/items/<int:number>"})
def in_an_inner_blueprint(app: Flask, guard: CorsGuard) -> None:
    api, v1, register = nested(app)
    cors(max_age=60)(api)
    cors(origins=LOOSE)(v1)  # seeded
    register()


TWICE = {"/old/", "/new/", "/old/items/<int:number>", "/new/items/<int:number>"}


@seeded(NEIGHBOUR, EVIL, "/new/", routes=TWICE, origins=())
def in_a_blueprint_registered_twice(app: Flask, guard: CorsGuard) -> None:
    api = cors(origins=LOOSE)(Blueprint("api", __name__))  # seeded
    pages(api)
    app.register_blueprint(api, url_prefix="/old")
    app.register_blueprint(api, url_prefix="/new", name="new")


@seeded(NEIGHBOUR, EVIL, "/notes/7", origins=())
def in_a_class_mark(app: Flask, guard: CorsGuard) -> None:
    @cors(origins=LOOSE)  # seeded
    class Note(MethodView):
        get = handler()
        delete = cors(origins=APP)(handler())

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))


@seeded(NEIGHBOUR, EVIL, "/notes/7", routes={"/notes/<int:number>"}, origins=())
def in_a_handler_mark(app: Flask, guard: CorsGuard) -> None:
    @cors(origins=APP)
    class Note(MethodView):
        get = cors(origins=LOOSE)(handler())  # seeded
        put = handler()

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))


@seeded(NEIGHBOUR, EVIL, "/notes/7", origins=())
def in_a_base_class(app: Flask, guard: CorsGuard) -> None:
    @cors(origins=LOOSE)  # seeded
    class Base(MethodView):
        pass

    @cors(max_age=60)
    class Note(Base):
        get = handler()

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))


@seeded(NEIGHBOUR, EVIL, "/plain", origins=())
def in_a_plain_view_class(app: Flask, guard: CorsGuard) -> None:
    class Plain(View):
        @cors(origins=LOOSE)  # seeded
        def dispatch_request(self) -> str:
            return "plain"

    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))


@seeded(NEIGHBOUR, EVIL, routes={"/"})
def for_an_endpoint(app: Flask, guard: CorsGuard) -> None:
    guard.for_endpoint("index", origins=LOOSE)  # seeded


@seeded(NEIGHBOUR, EVIL, "/files/a.woff2", routes={"/files/<path:filename>"}, origins=())
def for_files(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_files("files", "*.woff2", origins=LOOSE)  # seeded


@seeded(NEIGHBOUR, EVIL, "/api")
def on_the_way_from_the_default_policy(app: Flask) -> None:
    """Marks on the way change other fields."""
    guard = CorsGuard(app, origins=LOOSE)  # seeded
    api = cors(max_age=60)(Blueprint("api", __name__))
    route(api, "GET /api", view=cors(expose_headers=["X-Total"])(lambda: ""))
    app.register_blueprint(api)
    guard.for_endpoint("api.api", allow_headers=["X-Trace"])


@seeded(NEIGHBOUR, EVIL)
def reconfigured(app: Flask, guard: CorsGuard) -> None:
    guard.reconfigure(origins=LOOSE, app=app)  # seeded


@seeded(f"{NEIGHBOUR} {MAX_AGE}", EVIL)
def two_mistakes_in_two_places(app: Flask) -> None:
    CorsGuard(app, origins=LOOSE)  # seeded: neighbour_allowed
    cors(max_age=86400)(app.view_functions["index"])  # seeded: max_age_ignored


@seeded(NEIGHBOUR, "https://appxexample.com", "/second")
def the_second_of_two_patterns(app: Flask) -> None:
    CorsGuard(app, origins=re.compile(r"https://app\.example\.com"))
    second = cors(origins=re.compile(r"https://app.example.com"))(lambda: "")  # seeded
    route(app, "GET /second", view=second)


# Lists of strings that go too far.


@seeded(NULL, "null", "/legacy/embed", routes={"/legacy/embed"})
def null_in_a_blueprint(app: Flask, guard: CorsGuard) -> None:
    mark = cors(origins="null", dangerously_allow_null_origin=True)  # seeded
    register(app, mark(Blueprint("legacy", __name__, url_prefix="/legacy")), "GET /embed")


@seeded(SUBDOMAINS, "https://forgotten.example.com", routes={"/"}, origins="https://*.example.com")
def subdomains_at_one_route(app: Flask, guard: CorsGuard) -> None:
    policy = Policy(origins="https://*.example.com", allow_credentials=True)
    guard.for_endpoint("index", policy)  # seeded


@seeded(SUBDOMAINS, "https://x.example.com", routes={"/"})
def subdomains_and_credentials_from_two_places(app: Flask) -> None:
    guard = CorsGuard(app, origins="https://*.example.com")  # seeded
    guard.for_endpoint("index", allow_credentials=True)  # seeded


# Credentials, and what changes state.


@seeded(UNENFORCED, level=WARNING, routes={"/me"})
def a_post_in_a_view_class(app: Flask, guard: CorsGuard) -> None:
    @cors(allow_credentials=True)  # seeded
    class Me(MethodView):
        get, post = handler(), handler()

    app.add_url_rule("/me", view_func=Me.as_view("me"))


@seeded(UNENFORCED, level=WARNING, routes={"/me"})
def a_handler_with_credentials(app: Flask, guard: CorsGuard) -> None:
    class Me(MethodView):
        get = handler()
        post = cors(allow_credentials=True)(handler())  # seeded

    app.add_url_rule("/me", view_func=Me.as_view("me"))


class CsrfProtect:
    """What ``CSRFProtect`` of Flask-WTF keeps in an app."""

    _exempt_views = frozenset({f"{__name__}.exempt_view"})
    _exempt_blueprints = frozenset({"api"})


def exempt_view() -> str:
    return ""


@seeded(UNENFORCED, level=WARNING, routes={"/exempt", "/api/account"})
def exempt_from_another_protection(app: Flask) -> None:
    CorsGuard(app, origins=APP, allow_credentials=True)  # seeded
    app.extensions["csrf"] = CsrfProtect()
    route(app, "POST /account")
    app.add_url_rule("/exempt", "exempt", exempt_view, methods=["POST"])
    register(app, Blueprint("api", __name__, url_prefix="/api"), "POST /account")


@seeded(UNENFORCED, level=WARNING, routes={"/api/account"}, enforce="unsafe")
def enforce_elsewhere(app: Flask, guard: CorsGuard) -> None:
    route(app, "POST /account")
    mark = cors(Policy(origins=APP, allow_credentials=True))  # seeded
    register(app, mark(Blueprint("api", __name__, url_prefix="/api")), "POST /account")


# Routes that a policy closes.


@seeded(NEVER, level=NOTE, routes={"/note"})
def a_method_that_the_mark_leaves_out(app: Flask, guard: CorsGuard) -> None:
    route(app, "PUT /note", view=cors(methods=["GET"])(lambda: ""))  # seeded


@seeded(f"{NEVER} methods_without_route", level=NOTE, routes={"/note"})
def every_method_that_the_mark_leaves_out(app: Flask, guard: CorsGuard) -> None:
    view = cors(methods=["GET", "PUT"])(lambda: "")  # seeded
    route(app, "PATCH,DELETE /note", view=view)


@seeded(NEVER, level=NOTE, routes={"/api/item", "/api/items"})
def methods_that_a_blueprint_leaves_out(app: Flask, guard: CorsGuard) -> None:
    api = Blueprint("api", __name__, url_prefix="/api", static_folder=".", static_url_path="/s")
    cors(origins="*", methods="GET")(api)  # seeded
    register(app, api, "PUT /item", "DELETE /items")


@seeded(NEVER, level=NOTE, routes={"/notes"})
def a_method_that_the_mark_on_its_handler_leaves_out(app: Flask, guard: CorsGuard) -> None:
    class Notes(MethodView):
        get = handler()
        delete = cors(methods=["PUT"])(handler())  # seeded

    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))


@seeded(NEVER, level=NOTE, routes={"/open"}, enforce="unsafe")
def everybody_where_enforce_refuses_everything(app: Flask, guard: CorsGuard) -> None:
    route(app, "POST,PUT /open", view=cors(origins="*")(lambda: ""))  # seeded


# WebSockets.


def chat() -> Any:
    return simple_websocket.Server(request.environ).receive()


def chat_with_what_it_imports() -> Any:
    from simple_websocket import Server as Accepted

    return Accepted.accept(request.environ).receive()


def of_gevent() -> Any:
    return request.environ["wsgi.websocket"].receive()


def accept() -> Any:
    return simple_websocket.Server.accept(request.environ)


def calls_a_helper() -> Any:
    return accept().receive()


class Chat(MethodView):
    def get(self) -> Any:
        return simple_websocket.Server(self.environ()).receive()

    def environ(self) -> Any:
        return request.environ


def socket(
    name: str, view: Callable[..., Any], routed: dict[str, Any] | None = None, **fields: Any
) -> None:
    """Put an app in the table with a view that accepts handshakes."""
    view = cors(origins=APP, **fields)(view)

    def change(app: Flask, guard: CorsGuard) -> None:
        app.add_url_rule("/chat", "chat", view, **(routed or {}))

    seeded(SOCKET, level=WARNING, routes={"/chat"})(change, name)


socket("a_rule_for_websockets", lambda: "", {"websocket": True})
socket("a_rule_for_websockets_for_everybody", lambda: "", {"websocket": True}, enforce="report")
socket("a_view_that_accepts", chat)
socket("a_view_that_imports_what_accepts", chat_with_what_it_imports)
socket("a_view_that_calls_what_accepts", calls_a_helper)
socket("a_view_that_reads_the_socket_of_gevent", of_gevent, {"methods": ["GET", "POST"]})
socket("a_view_that_accepts_below_a_decorator", wrapping(lambda: chat()))
socket("a_view_class_that_accepts", Chat.as_view("chat"), {"methods": ["GET"]})


@seeded(SOCKET, level=WARNING, routes={"/chat"}, origins="*")
def flask_sock_for_everybody(app: Flask, guard: CorsGuard) -> None:
    Sock(app).route("/chat")(lambda ws: None)


@seeded(SOCKET, level=WARNING, routes={"/live/chat"})
def flask_sock_on_a_blueprint(app: Flask, guard: CorsGuard) -> None:
    live = cors(enforce="report")(Blueprint("live", __name__, url_prefix="/live"))  # seeded
    Sock(app).route("/chat", bp=live)(lambda ws: None)
    app.register_blueprint(live)


@seeded(SOCKET, level=WARNING, routes={"/chat"}, enforce="all")
def an_exempt_route_that_accepts(app: Flask, guard: CorsGuard) -> None:
    @Sock(app).route("/chat")
    def chat(ws: Any) -> None: ...

    cors_exempt(app.view_functions["chat"])  # seeded


# '*' and logins.


@seeded(LOGIN, routes={"/login"})
def a_mark_for_everybody_on_the_login(app: Flask, guard: CorsGuard) -> None:
    route(app, "POST /login", view=cors(origins="*")(lambda: ""))  # seeded


@seeded(LOGIN, routes={"/auth/login", "/auth/logout"})
def a_blueprint_for_everybody_with_the_login(app: Flask, guard: CorsGuard) -> None:
    auth = cors(origins="*")(Blueprint("auth", __name__, url_prefix="/auth"))  # seeded
    register(app, auth, "POST /login", "POST /logout")


@seeded(LOGIN, config={"SECRET_KEY": "x"})
def everybody_and_flask_login(app: Flask) -> None:
    pytest.importorskip("flask_login").LoginManager(app)
    CorsGuard(app, origins="*")  # seeded


@seeded(LOGIN)
def everybody_by_default_and_credentials_elsewhere(app: Flask) -> None:
    CorsGuard(app, origins="*")  # seeded
    app.add_url_rule("/me", "me", cors(origins=APP, allow_credentials=True)(lambda: ""))


@seeded(LOGIN)
def everybody_by_default_and_a_marked_login(app: Flask) -> None:
    CorsGuard(app, origins="*")  # seeded
    app.add_url_rule("/login", "login", cors(origins=APP)(lambda: ""), methods=["POST"])


# Exempt routes.


def exempt(view: Callable[..., Any], name: str = "") -> None:
    """Put an app in the table with an exempt view that sends the header."""

    def change(app: Flask, guard: CorsGuard) -> None:
        app.add_url_rule("/legacy", "legacy", cors_exempt(view))  # seeded

    seeded(EXEMPT, routes={"/legacy"})(change, name or view.__name__)


@exempt
def a_header_set_on_a_response() -> Any:
    response = make_response("legacy")
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    return response


@exempt
def a_header_added_in_lower_case() -> Any:
    response = make_response("legacy")
    response.headers.add("access-control-allow-origin", "*")
    return response


@exempt
def a_header_as_an_attribute() -> Any:
    response = make_response("legacy")
    response.access_control_allow_origin = "*"
    return response


def with_cors(response: Response) -> Response:
    response.headers.update({"Access-Control-Allow-Origin": "*"})
    return response


def crossdomain(view: Callable[..., Any]) -> Callable[..., Any]:
    return functools.wraps(view)(lambda **given: with_cors(make_response(view(**given))))


HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
exempt(lambda: ("legacy", 200, {ALLOW_ORIGIN: "*"}), "a_header_in_a_tuple")
exempt(lambda: with_cors(make_response("legacy")), "a_header_from_a_helper")
exempt(lambda: ("legacy", HEADERS), "a_header_from_a_constant")
exempt(cross_origin()(lambda: "legacy"), "a_header_from_flask_cors")
exempt(crossdomain(lambda: "legacy"), "a_header_from_a_decorator")
exempt(lambda: Response(headers=[(ALLOW_ORIGIN, "*")]), "a_header_given_to_the_response")


@exempt
def a_header_added_after_this_request() -> str:
    @after_this_request
    def add(response: Response) -> Response:
        response.headers.set("Access-Control-Allow-Origin", "*")
        return response

    return "legacy"


@seeded(EXEMPT, routes={"/"})
def a_header_from_an_after_request_function(app: Flask, guard: CorsGuard) -> None:
    app.after_request(with_cors)
    cors_exempt(app.view_functions["index"])  # seeded


@seeded(EXEMPT, routes={"/hooks/payment"})
def a_header_from_an_after_request_function_of_a_blueprint(app: Flask, guard: CorsGuard) -> None:
    hooks = cors_exempt(Blueprint("hooks", __name__, url_prefix="/hooks"))  # seeded
    hooks.after_request(with_cors)
    register(app, hooks, "POST /payment")


@seeded(EXEMPT, routes={"/legacy"})
def a_header_in_a_view_class(app: Flask, guard: CorsGuard) -> None:
    @cors_exempt  # seeded
    class Legacy(MethodView):
        def get(self) -> Any:
            return self.reply("legacy")

        def reply(self, text: str) -> Any:
            return text, {"Access-Control-Allow-Origin": "*"}

    app.add_url_rule("/legacy", view_func=Legacy.as_view("legacy"))


@seeded(EXEMPT, routes={"/"})
def a_header_from_flask_cors_for_the_whole_app(app: Flask) -> None:
    CORS(app)
    CorsGuard(app, origins=APP)
    cors_exempt(app.view_functions["index"])  # seeded


# Views that may override their policy.

OWN = {"dangerously_let_views_override": True}


def repeats_origin() -> Any:
    response = make_response("own")
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


@seeded(OVERRIDE, routes={"/own"}, level=ERROR)
def a_view_that_repeats_the_origin_with_credentials(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/own", "own", cors(**OWN)(repeats_origin))  # seeded


@seeded(OVERRIDE, routes={"/own"}, level=WARNING)
def a_view_that_lets_everybody_read(app: Flask, guard: CorsGuard) -> None:
    view = lambda: ("", {"Access-Control-Allow-Origin": "*"})  # noqa: E731
    app.add_url_rule("/own", "own", cors(**OWN)(view))  # seeded


@seeded(OVERRIDE, routes={"/own"}, level=WARNING)
def a_view_whose_headers_come_from_elsewhere(app: Flask, guard: CorsGuard) -> None:
    app.add_url_rule("/own", "own", cors(**OWN)(lambda: ("", app.config["HEADERS"])))  # seeded


@seeded(OVERRIDE, routes={"/", "/items/<int:number>"}, level=WARNING)
def every_view_may_override(app: Flask) -> None:
    CorsGuard(app, origins=APP, dangerously_let_views_override=True)  # seeded


@seeded(OVERRIDE, routes={"/", "/items/<int:number>"}, level=WARNING)
def one_policy_of_two_that_views_may_override(app: Flask) -> None:
    CorsGuard(app, [Policy(origins=APP), Policy(origins=OTHER, **OWN)])  # seeded


# Marks that are lost.


def renamed(view: Callable[..., Any]) -> Callable[..., Any]:
    wrapper = unnamed(view)
    wrapper.__name__ = view.__name__
    return wrapper


def with_role(role: str) -> Callable[..., Any]:
    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if request.headers.get("X-Role") != role:
                abort(403)
            return view(*args, **kwargs)

        return wrapper

    return decorate


class Cached:
    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.view(*args, **kwargs)


def lost(name: str, decorate: Callable[..., Any], mark: Any = None) -> None:
    """Put an app in the table with a decorator around a marked view."""

    def change(app: Flask, guard: CorsGuard) -> None:
        view = (mark or cors(origins=APP))(lambda *_: "")  # seeded
        app.add_url_rule("/open", "open", decorate(view))

    seeded(LOST, level=ERROR, routes={"/open"}, origins="*")(change, name)


lost("a_decorator_without_wraps", unnamed)
lost("a_decorator_that_copies_the_name", renamed)
lost("a_decorator_with_arguments", with_role("admin"))
lost("two_decorators_without_wraps", lambda view: unnamed(with_role("admin")(view)))
lost("a_decorator_without_wraps_inside_of_one_with_it", lambda view: wrapping(unnamed(view)))
lost("a_lost_exemption", unnamed, cors_exempt)
lost("an_object_as_a_decorator", Cached)
lost("a_decorator_in_a_partial", lambda view: functools.partial(unnamed(view), 5))


@seeded(LOST, routes={"/open"}, origins="*")
def a_handler_behind_a_decorator(app: Flask, guard: CorsGuard) -> None:
    class Open(MethodView):
        get = unnamed(cors(origins=APP)(handler()))  # seeded

    app.add_url_rule("/open", view_func=Open.as_view("open"))


@seeded(LOST)
def a_mark_around_the_view(app: Flask, guard: CorsGuard) -> None:
    """The guard finds this one itself."""
    cors(origins="https://partner.example")(wrapping(app.get("/open")(lambda: "")))  # seeded


# What runs ahead of the guard.


def login_first() -> Any:
    if "Authorization" not in request.headers:
        abort(401)


@seeded(AHEAD)
def put_in_front_when_a_request_starts(app: Flask, guard: CorsGuard) -> None:
    def move(sender: Flask, **_: Any) -> None:
        functions = sender.before_request_funcs[None]
        # Each time: on the first request, the guard may move after this.
        functions[:] = [login_first, *(f for f in functions if f is not login_first)]

    request_started.connect(move, app, weak=False)


@seeded(AHEAD)
def run_first_and_asks_for_a_login(app: Flask, guard: CorsGuard) -> None:
    guard.run_first(login_first)


@seeded(AHEAD)
def run_first_and_fails(app: Flask, guard: CorsGuard) -> None:
    @guard.run_first  # seeded
    def tenant() -> None:
        g.tenant = request.headers["X-Tenant"]


@seeded(BYPASSED)
def the_old_wsgi_app_put_back(app: Flask) -> None:
    old = app.wsgi_app
    CorsGuard(app, origins=APP)
    app.wsgi_app = old  # type: ignore[method-assign]


@seeded(BYPASSED)
def middleware_around_the_old_wsgi_app(app: Flask) -> None:
    old = app.wsgi_app
    CorsGuard(app, origins=lambda origin: origin == APP)
    app.wsgi_app = ProxyFix(old)  # type: ignore[method-assign]


@seeded(AHEAD)
def a_preprocessor_that_aborts(app: Flask, guard: CorsGuard) -> None:
    @app.url_value_preprocessor
    def tenant(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if request.headers.get("X-Tenant") is None:
            abort(403)


class LoginFirst(Flask):
    def preprocess_request(self) -> Any:
        if "Authorization" not in request.headers:
            return "log in", 401
        return super().preprocess_request()


class Maintenance(Flask):
    def full_dispatch_request(self) -> Response:
        if self.config.get("DOWN") or request.method == "OPTIONS":
            return make_response("back soon", 503)
        return super().full_dispatch_request()


class Options(Flask):
    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            start_response("200 OK", [("Allow", "GET")])
            return [b""]
        return super().wsgi_app(environ, start_response)


class Raising(Flask):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        if "HTTP_X_TENANT" not in environ:
            raise KeyError("HTTP_X_TENANT")
        return super().__call__(environ, start_response)


def subclass(name: str, code: str, app_class: type[Flask]) -> None:
    """Put an app of a class in the table that does something wrong itself."""
    seeded(code, app_class=app_class)(lambda app, guard: None, name)


subclass("a_subclass_that_preprocesses", AHEAD, LoginFirst)
subclass("a_subclass_that_dispatches", AHEAD, Maintenance)
subclass("a_subclass_that_takes_options", AHEAD, Options)
subclass("a_subclass_that_raises", AHEAD, Raising)


# Middleware.


def answering(status: str, when: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """Middleware that responds to some requests itself."""

    def around(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            if when(environ):
                start_response(status, [])
                return []
            return inner(environ, start_response)

        return layer

    return around


take_options = answering("204 No Content", lambda environ: environ["REQUEST_METHOD"] == "OPTIONS")
ask_for_login = answering("401 Unauthorized", lambda environ: "HTTP_AUTHORIZATION" not in environ)


def changing(change: Callable[[Any, list[tuple[str, str]]], Any]) -> Callable[[Any], Any]:
    """Middleware that changes the headers of responses."""

    def around(inner: Any) -> Any:
        def layer(environ: Any, start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                return start_response(status, change(environ, headers), *rest)

            return inner(environ, start)

        return layer

    return around


@changing
def reflect(environ: Any, headers: list[tuple[str, str]]) -> Any:
    kept = [(n, v) for n, v in headers if not n.lower().startswith("access-control-")]
    origin = environ.get("HTTP_ORIGIN")
    if origin:
        kept += [(ALLOW_ORIGIN, origin), ("Access-Control-Allow-Credentials", "true")]
    return kept


everybody = changing(lambda _, headers: [*headers, (ALLOW_ORIGIN, "*")])
clean = changing(lambda _, headers: [h for h in headers if not h[0].startswith("Access-Control-")])
forget_vary = changing(lambda _, headers: [h for h in headers if h[0] != "Vary"])
spare_preflights = changing(
    lambda e, h: h if e["REQUEST_METHOD"] == "OPTIONS" else [*h, (ALLOW_ORIGIN, "*")]
)


def replacing(app: Any, status: str) -> Any:
    """Middleware that sends another status for preflights."""

    def layer(environ: Any, start_response: Any) -> Any:
        def start(own: str, *rest: Any) -> Any:
            return start_response(status if environ["REQUEST_METHOD"] == "OPTIONS" else own, *rest)

        return app(environ, start)

    return layer


class Timed:
    """Middleware that passes everything on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


def middleware(name: str, code: str, around: Callable[[Any], Any]) -> None:
    """Put an app in the table with something around it."""
    level = ERROR if code in (CHANGED, SOCKETIO) else WARNING
    seeded(code, level=level)(
        lambda app, guard: setattr(app, "wsgi_app", around(app.wsgi_app)), name
    )


middleware("middleware_that_takes_options", AHEAD, take_options)
middleware("middleware_that_asks_for_a_login", AHEAD, ask_for_login)
middleware("middleware_that_adds_a_header", CHANGED, everybody)
middleware("middleware_that_repeats_the_origin", CHANGED, reflect)
middleware("middleware_that_takes_headers_out", CHANGED, clean)
middleware("middleware_that_takes_vary_out", CHANGED, forget_vary)
middleware("middleware_below_other_middleware", CHANGED, lambda app: ProxyFix(everybody(app)))
middleware("middleware_that_spares_preflights", CHANGED, spare_preflights)


def nobody(origin: str) -> bool:
    return False


def in_front(name: str, code: str, put: Callable[[Flask], Any], **given: Any) -> None:
    """Put an app in the table with another library in front of Flask."""
    seeded(code, **given)(lambda app, guard: put(app), name)


@seeded(SOCKETIO, level=ERROR)
def socketio_before_the_guard(app: Flask) -> None:
    SocketIO(app, cors_allowed_origins="*")
    CorsGuard(app, origins=APP)


in_front("socketio", SOCKETIO, lambda app: SocketIO(app, "*"), level=ERROR)
in_front("socketio_with_a_list", SOCKETIO, lambda app: SocketIO(app, [APP, "*"]), level=ERROR)
in_front("socketio_that_does_not_look", SOCKETIO, lambda app: SocketIO(app, []), level=ERROR)
in_front("socketio_with_a_callable", SOCKETIO, lambda app: SocketIO(app, lambda o: True))
in_front(
    "socketio_that_also_takes", SOCKETIO, lambda app: SocketIO(app, lambda o, environ: o != "")
)
middleware("socketio_as_middleware", SOCKETIO, lambda app: EngineMiddleware(SocketServer("*"), app))
middleware("engineio_below", SOCKETIO, lambda app: Timed(EngineMiddleware(EngineServer("*"), app)))
in_front("socketio_for_more", DIFFERS, lambda app: SocketIO(app, [APP, HTTP]), level=WARNING)
in_front("socketio_for_another", DIFFERS, lambda app: SocketIO(app, HTTP))
in_front("socketio_for_fewer", DIFFERS, lambda app: SocketIO(app, [OTHER]), level=NOTE, **TWO)
in_front("socketio_with_a_wildcard", DIFFERS, lambda app: SocketIO(app, SITES), level=NOTE)
in_front("socketio_with_a_narrow_callable", DIFFERS, lambda app: SocketIO(app, nobody), level=NOTE)


@seeded(DIFFERS, level=WARNING)
def socketio_by_the_path(app: Flask, guard: CorsGuard) -> None:
    guard.for_path("/socket.io", origins=[OTHER])
    SocketIO(app, [APP, OTHER])


@seeded(DIFFERS, level=WARNING)
def socketio_that_sends_credentials(app: Flask, guard: CorsGuard) -> None:
    SocketIO(app, guard.origin_check(app, credentials=False))


@seeded(SOCKETIO)
def socketio_behind_a_guard_that_refuses_nobody(app: Flask, guard: CorsGuard) -> None:
    SocketIO(app, "*")
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/socket.io"])  # type: ignore[method-assign]


@seeded(WHITENOISE)
def whitenoise_around_the_guard_in_front(app: Flask, guard: CorsGuard) -> None:
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/files"])  # type: ignore[method-assign]
    app.wsgi_app = WhiteNoise(app.wsgi_app)  # type: ignore[method-assign]


@seeded(WHITENOISE)
def whitenoise_beside_the_guard_in_front(app: Flask, guard: CorsGuard) -> None:
    app.wsgi_app = guard.wsgi(WhiteNoise(app.wsgi_app), paths=["/other"])  # type: ignore[method-assign]


def from_a_specification() -> str:  # seeded
    return ""


@seeded(CONNEXION, level=WARNING)
def connexion(app: Flask, guard: CorsGuard) -> None:
    in_connexion(app, from_a_specification)


@seeded(CONNEXION, level=NOTE)
def connexion_that_has_not_started(app: Flask, guard: CorsGuard) -> None:
    app.json = ConnexionJson(app)


@seeded(CONNEXION, level=WARNING)
def connexion_with_a_guard_below(app: Flask, guard: CorsGuard) -> None:
    in_connexion(app, from_a_specification)
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths="/")  # type: ignore[method-assign]


middleware("whitenoise", WHITENOISE, WhiteNoise)
middleware("whitenoise_below", WHITENOISE, lambda app: ProxyFix(WhiteNoise(app)))
middleware(
    "whitenoise_with_a_header", CHANGED,
    lambda app: WhiteNoise(
        app, allow_all_origins=False, add_headers_function=lambda h, *_: h.update(HEADERS)
    ),
)  # fmt: skip
middleware("sockets_in_front", SOCKET, SocketMiddleware)


# What fails on a preflight.


class Timer(Flask):
    """Times requests, and fails for those that nobody has begun to time."""

    def process_response(self, response: Response) -> Response:
        response.headers["X-Took"] = f"{time.perf_counter() - g.started:.3f}"
        return super().process_response(response)


def took(response: Response) -> Response:
    response.headers["X-Took"] = f"{time.perf_counter() - g.started:.3f}"  # seeded
    return response


def begin() -> None:
    g.started = time.perf_counter()


def timed(name: str, **given: Any) -> None:
    def change(app: Flask, guard: CorsGuard) -> None:
        app.before_request(begin)
        app.after_request(took)

    seeded(FAILS, level=NOTE, **given)(change, name)


timed("what_reads_what_did_not_run")
timed("what_reads_what_did_not_run_in_a_test", config={"TESTING": True})
timed("what_reads_what_did_not_run_in_debug_mode", config={"DEBUG": True})
timed("what_reads_what_did_not_run_and_propagates", config={"PROPAGATE_EXCEPTIONS": True})
timed("what_reads_what_did_not_run_for_a_callable", origins=lambda origin: origin == APP)
timed("what_reads_what_did_not_run_for_everybody", origins="*")


@seeded(FAILS, level=NOTE, routes={"/api/items"})
def an_after_request_function_of_a_blueprint(app: Flask, guard: CorsGuard) -> None:
    api = Blueprint("api", __name__, url_prefix="/api")
    api.before_request(begin)
    api.after_request(functools.partial(took))
    register(app, api, "PUT /items")


@seeded(FAILS, level=NOTE, config={"SECRET_KEY": "x"})
def a_session_that_cannot_be_saved(app: Flask, guard: CorsGuard) -> None:
    class Sessions(SecureCookieSessionInterface):
        def save_session(self, *_: Any) -> None:
            raise ConnectionError("no store")

    app.session_interface = Sessions()


@seeded(FAILS, level=WARNING)
def an_after_request_function_that_asks_for_a_login(app: Flask, guard: CorsGuard) -> None:
    app.after_request(lambda response: Response("log in", 401, response.headers))


middleware("middleware_that_knows_no_204", FAILS, lambda app: replacing(app, "405 Nope"))
subclass("a_subclass_that_times", FAILS, Timer)


# Proxies.


@seeded(PROXY, level=NOTE)
def a_view_that_reads_the_proxys_header(app: Flask, guard: CorsGuard) -> None:
    route(app, "GET /me", view=lambda: request.headers.get("X-Forwarded-For", ""))  # seeded


@seeded(PROXY, level=WARNING, enforce="unsafe")
def a_before_request_function_that_reads_it(app: Flask, guard: CorsGuard) -> None:
    @app.before_request  # seeded
    def to_https() -> Any:
        if request.headers.get("X-Forwarded-Proto") == "http":
            return redirect(request.url.replace("http://", "https://", 1))
        return None


@seeded(PROXY, level=WARNING, enforce="unsafe")
def code_that_reads_it_from_the_environment(app: Flask, guard: CorsGuard) -> None:
    route(app, "GET /host", view=lambda: request.environ.get("HTTP_X_FORWARDED_HOST"))  # seeded


# Policies that cannot be used.


@seeded(UNUSABLE, level=ERROR)
def an_unknown_endpoint(app: Flask, guard: CorsGuard) -> None:
    guard.for_endpoint("indx", origins="*")  # seeded


# Names that the audit must not trip over.


@seeded(
    NEIGHBOUR,
    "https://shop.example.evil.net",
    "/only",
    routes={"/only"},
    app_class=functools.partial(Flask, host_matching=True),
)
def a_rule_with_a_host(app: Flask, guard: CorsGuard) -> None:
    view = cors(origins=re.compile(r"https://shop\.example.*"))(lambda: "")  # seeded
    app.add_url_rule("/only", "only", view, host="localhost")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_found(case: Case) -> None:
    """The mistake lets somebody in; the audit finds it at its line, and nothing else."""
    check_found(case)
