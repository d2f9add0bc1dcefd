"""Apps with one mistake each, wherever a policy can be set: the audit finds that and nothing else,
and says on which line."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    make_response,
    redirect,
    request,
)
from flask.signals import request_started
from flask.views import MethodView, View
from flask_cors import CORS, cross_origin

from flask_corsguard import CorsGuard, Policy, cors, cors_exempt
from flask_corsguard.audit.findings import Level
from tests.audit.judging import Build, Case, check_found, check_let_in, one_of

CASES: list[Case] = []
APP = "https://app.example.com"
LOOSE = re.compile(r"https://.*example\.com")
LOOSE_EVIL = "https://evilexample.com"
NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR


def seeded(
    *codes: str,
    let_in: str = "",
    path: str = "/",
    levels: dict[str, Level] | None = None,
    level: Level | None = None,
    routes: set[str] | None = None,
    place: str | None = None,
) -> Callable[[Build], Build]:
    """Put an app in the table."""

    def add(build: Build) -> Build:
        found = one_of(*codes)
        assert level is None or len(found) == 1
        given = levels or ({next(iter(found[0])): level} if level else {})
        rules = None if routes is None else frozenset(routes)
        origins = (let_in,) if let_in else ()
        CASES.append(Case(build, found, origins, path, given, rules, place))
        return build

    return add


def shop(**config: Any) -> Flask:
    """An app without a guard, and without files."""
    app = Flask("shop", static_folder=None)
    app.config.update(config)
    return app


def index() -> str:
    return "shop"


def unmarked() -> Callable[[], str]:
    """A view of its own, since a mark stays on a function."""
    return lambda: "shop"


def pages(app: Flask | Blueprint) -> None:
    """Two routes that only show something."""
    app.add_url_rule("/", "index", lambda: "shop")
    app.add_url_rule("/items/<int:number>", "item", lambda number: str(number))


# Where a policy can be set.


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, routes={"/", "/items/<int:number>"})
def in_the_default_policy() -> Flask:
    app = shop()
    CorsGuard(app, origins=LOOSE)  # seeded
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL)
def in_a_call_over_several_lines() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins=[
            APP,
            LOOSE,
        ],
        max_age=60,
    )
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL)
def in_a_policy_object() -> Flask:
    policy = Policy(origins=LOOSE)
    app = shop()
    CorsGuard(app, policy)  # seeded
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL)
def in_a_guard_without_an_app() -> Flask:
    guard = CorsGuard(origins=LOOSE)  # seeded
    app = shop()
    pages(app)
    guard.init_app(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, place="CORSGUARD_ORIGINS")
def in_the_configuration() -> Flask:
    app = shop(CORSGUARD_ORIGINS=[LOOSE])
    CorsGuard(app)
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, place="CORSGUARD_ORIGINS")
def in_the_configuration_beside_others() -> Flask:
    app = shop(CORSGUARD_ORIGINS=LOOSE, CORSGUARD_MAX_AGE=60, CORSGUARD_EXPOSE_HEADERS="X-Total")
    CorsGuard(app)
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, place="CORSGUARD_ORIGINS")
def in_the_configuration_below_arguments() -> Flask:
    app = shop(CORSGUARD_ORIGINS=LOOSE)
    CorsGuard(app, max_age=60)
    pages(app)
    return app


@seeded("max_age_ignored", level=NOTE, place="CORSGUARD_MAX_AGE")
def max_age_in_the_configuration_below_arguments() -> Flask:
    app = shop(CORSGUARD_MAX_AGE=86400)
    CorsGuard(app, origins=APP)
    pages(app)
    return app


@seeded("public_suffix_wildcard", let_in="https://evil.github.io", place="CORSGUARD_ORIGINS")
def a_list_in_one_string() -> Flask:
    app = shop(CORSGUARD_ORIGINS="https://app.example.com, https://*.github.io")
    CorsGuard(app)
    pages(app)
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, routes={"/"})
def in_a_view_mark() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    app.view_functions["index"] = cors(origins=LOOSE)(unmarked())  # seeded
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/open", routes={"/open"})
def in_a_decorator() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.get("/open")
    @cors(origins=LOOSE)  # seeded
    def opened() -> str:
        return "open"

    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/open", routes={"/open"})
def in_a_decorator_above_the_route() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @cors(origins=LOOSE)  # seeded
    @app.get("/open")
    def opened() -> str:
        return "open"

    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/open", routes={"/open"})
def in_a_decorator_below_another() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    def timed(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        return wrapper

    @app.get("/open")
    @timed
    @cors(origins=LOOSE)  # seeded
    def opened() -> str:
        return "open"

    return app


@seeded(
    "neighbour_allowed",
    let_in=LOOSE_EVIL,
    path="/api/",
    routes={"/api/", "/api/items/<int:number>"},
)
def in_a_blueprint_mark() -> Flask:
    app = shop()
    CorsGuard(app)
    api = Blueprint("api", __name__, url_prefix="/api")
    cors(origins=LOOSE)(api)  # seeded
    pages(api)
    pages(app)
    app.register_blueprint(api)
    return app


@seeded(
    "neighbour_allowed",
    let_in=LOOSE_EVIL,
    path="/api/v1/",
    routes={"/api/v1/", "/api/v1/items/<int:number>"},
)
def in_an_outer_blueprint() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    api = Blueprint("api", __name__, url_prefix="/api")
    v1 = Blueprint("v1", __name__, url_prefix="/v1")
    cors(origins=LOOSE)(api)  # seeded
    cors(max_age=60)(v1)
    pages(v1)
    api.register_blueprint(v1)
    app.register_blueprint(api)
    return app


@seeded(
    "neighbour_allowed",
    let_in=LOOSE_EVIL,
    path="/api/v1/",
    routes={"/api/v1/", "/api/v1/items/<int:number>"},
)
def in_an_inner_blueprint() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    api = Blueprint("api", __name__, url_prefix="/api")
    v1 = Blueprint("v1", __name__, url_prefix="/v1")
    cors(max_age=60)(api)
    cors(origins=LOOSE)(v1)  # seeded
    pages(v1)
    api.add_url_rule("/", "index", index)
    api.register_blueprint(v1)
    app.register_blueprint(api)
    return app


@seeded(
    "neighbour_allowed",
    let_in=LOOSE_EVIL,
    path="/new/",
    routes={"/old/", "/new/", "/old/items/<int:number>", "/new/items/<int:number>"},
)
def in_a_blueprint_registered_twice() -> Flask:
    app = shop()
    CorsGuard(app)
    api = Blueprint("api", __name__)
    cors(origins=LOOSE)(api)  # seeded
    pages(api)
    app.register_blueprint(api, url_prefix="/old")
    app.register_blueprint(api, url_prefix="/new", name="new")
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/notes/7")
def in_a_class_mark() -> Flask:
    app = shop()
    CorsGuard(app)

    @cors(origins=LOOSE)  # seeded
    class Note(MethodView):
        def get(self, number: int) -> str:
            return "note"

        @cors(origins=APP)
        def delete(self, number: int) -> str:
            return ""

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/notes/7", routes={"/notes/<int:number>"})
def in_a_handler_mark() -> Flask:
    app = shop()
    CorsGuard(app)

    @cors(origins=APP)
    class Note(MethodView):
        @cors(origins=LOOSE)  # seeded
        def get(self, number: int) -> str:
            return "note"

        def put(self, number: int) -> str:
            return "note"

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/notes/7")
def in_a_base_class() -> Flask:
    app = shop()
    CorsGuard(app)

    @cors(origins=LOOSE)  # seeded
    class Base(MethodView):
        pass

    @cors(max_age=60)
    class Note(Base):
        def get(self, number: int) -> str:
            return "note"

    app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/plain")
def in_a_plain_view_class() -> Flask:
    app = shop()
    CorsGuard(app)

    class Plain(View):
        @cors(origins=LOOSE)  # seeded
        def dispatch_request(self) -> str:
            return "plain"

    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/", routes={"/"})
def in_a_named_policy() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, policies={"partners": Policy(origins=LOOSE)})
    pages(app)
    app.view_functions["index"] = cors("partners")(unmarked())  # seeded
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/", routes={"/"})
def in_a_policy_named_in_the_configuration() -> Flask:
    app = shop(CORSGUARD_POLICIES={"partners": {"origins": [LOOSE]}})
    CorsGuard(app, origins=APP)
    pages(app)
    app.view_functions["index"] = cors("partners", max_age=5)(unmarked())  # seeded
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL, path="/", routes={"/"})
def for_an_endpoint() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins=APP)
    pages(app)
    guard.for_endpoint("index", origins=LOOSE)  # seeded
    return app


@seeded(
    "neighbour_allowed", let_in=LOOSE_EVIL, path="/files/a.woff2", routes={"/files/<path:filename>"}
)
def for_files() -> Flask:
    app = shop()
    guard = CorsGuard(app)
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_files("files", "*.woff2", origins=LOOSE)  # seeded
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL)
def on_the_way_from_the_default_policy() -> Flask:
    """Marks on the way change other fields."""
    app = shop()
    guard = CorsGuard(app, origins=LOOSE)  # seeded
    api = Blueprint("api", __name__)
    cors(max_age=60)(api)
    view = cors(expose_headers=["X-Total"])(unmarked())
    api.add_url_rule("/", "index", view)
    app.register_blueprint(api)
    guard.for_endpoint("api.index", allow_headers=["X-Trace"])
    return app


@seeded("neighbour_allowed", let_in=LOOSE_EVIL)
def reconfigured() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins=APP)
    pages(app)
    guard.reconfigure(origins=LOOSE, app=app)  # seeded
    return app


@seeded("neighbour_allowed max_age_ignored", let_in=LOOSE_EVIL)
def two_mistakes_in_two_places() -> Flask:
    app = shop()
    CorsGuard(app, origins=LOOSE)  # seeded: neighbour_allowed
    app.add_url_rule("/", "index", cors(max_age=86400)(unmarked()))  # seeded: max_age_ignored
    return app


@seeded("neighbour_allowed", let_in="https://appxexample.com", path="/second")
def the_second_of_two_patterns() -> Flask:
    app = shop()
    CorsGuard(app, origins=re.compile(r"https://app\.example\.com"))
    pages(app)

    @app.get("/second")
    @cors(origins=re.compile(r"https://app.example.com"))  # seeded
    def second() -> str:
        return ""

    return app


# Lists of strings that go too far.


@seeded("public_suffix_wildcard", let_in="https://evil.github.io")
def a_suffix() -> Flask:
    app = shop()
    CorsGuard(app, origins="https://*.github.io")  # seeded
    pages(app)
    return app


@seeded("public_suffix_wildcard", let_in="https://evil.co.uk")
def a_suffix_of_a_country() -> Flask:
    app = shop()
    CorsGuard(app, origins=[APP, "https://*.co.uk"])  # seeded
    pages(app)
    return app


@seeded("public_suffix_wildcard", let_in="https://evil.vercel.app:8443")
def a_suffix_and_any_port() -> Flask:
    app = shop()
    CorsGuard(app, origins="https://*.vercel.app:*")  # seeded
    pages(app)
    return app


@seeded(
    "public_suffix_wildcard",
    "public_suffix_wildcard subdomains_with_credentials",
    let_in="https://evil.github.io",
)
def a_suffix_with_credentials() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins="https://*.github.io",
        allow_credentials=True,
        dangerously_allow_public_suffixes=True,
    )
    pages(app)
    return app


@seeded("public_suffix_wildcard", let_in="https://evil.pages.dev")
def a_suffix_with_enforce() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins="https://*.pages.dev",
        enforce="unsafe",
        dangerously_allow_public_suffixes=True,
    )
    pages(app)
    return app


@seeded("insecure_origin", let_in="http://app.example.com", level=ERROR)
def plain_http_with_credentials() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins=[APP, "http://app.example.com"],
        allow_credentials=True,
        dangerously_allow_insecure_origins=True,
    )
    pages(app)
    return app


@seeded("insecure_origin", let_in="http://192.168.0.7:8080", level=ERROR)
def plain_http_at_an_address() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins="http://192.168.0.7:8080",
        allow_credentials=True,
        dangerously_allow_insecure_origins=True,
    )
    pages(app)
    return app


@seeded("insecure_origin", let_in="http://app.example.com", level=WARNING)
def plain_http_with_enforce() -> Flask:
    app = shop()
    CorsGuard(app, origins=[APP, "http://app.example.com"], enforce="unsafe")  # seeded
    pages(app)
    return app


@seeded("insecure_origin subdomains_with_credentials", let_in="http://any.example.com")
def plain_http_and_subdomains() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app,
        origins="http://*.example.com",
        allow_credentials=True,
        dangerously_allow_insecure_origins=True,
    )
    pages(app)
    return app


@seeded("null_allowed", let_in="null")
def null() -> Flask:
    app = shop()
    CorsGuard(app, origins=[APP, "null"], dangerously_allow_null_origin=True)  # seeded
    pages(app)
    return app


@seeded("null_allowed", let_in="null", level=ERROR)
def null_with_credentials() -> Flask:
    app = shop()
    CorsGuard(  # seeded
        app, origins=[APP, "null"], allow_credentials=True, dangerously_allow_null_origin=True
    )
    pages(app)
    return app


@seeded("null_allowed", let_in="null", path="/legacy/embed", routes={"/legacy/embed"})
def null_in_a_blueprint() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    legacy = Blueprint("legacy", __name__, url_prefix="/legacy")
    legacy.add_url_rule("/embed", "embed", unmarked())
    cors(origins="null", dangerously_allow_null_origin=True)(legacy)  # seeded
    app.register_blueprint(legacy)
    return app


@seeded("null_allowed", let_in="null", place="CORSGUARD_ORIGINS")
def null_in_the_configuration() -> Flask:
    app = shop(
        CORSGUARD_ORIGINS="https://app.example.com,null",
        CORSGUARD_DANGEROUSLY_ALLOW_NULL_ORIGIN=True,
    )
    CorsGuard(app)
    pages(app)
    return app


@seeded("subdomains_with_credentials", let_in="https://forgotten.example.com", level=WARNING)
def subdomains() -> Flask:
    app = shop()
    CorsGuard(app, origins="https://*.example.com", allow_credentials=True)  # seeded
    pages(app)
    return app


@seeded("subdomains_with_credentials", let_in="https://a.b.example.com:8443")
def subdomains_and_any_port() -> Flask:
    app = shop()
    CorsGuard(app, origins=[APP, "https://*.example.com:*"], allow_credentials=True)  # seeded
    pages(app)
    return app


@seeded("subdomains_with_credentials", let_in="https://forgotten.example.com", routes={"/"})
def subdomains_at_one_route() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins="https://*.example.com")
    pages(app)
    policy = Policy(origins="https://*.example.com", allow_credentials=True)
    guard.for_endpoint("index", policy)  # seeded
    return app


@seeded("subdomains_with_credentials", let_in="https://x.example.com", routes={"/"})
def subdomains_and_credentials_from_two_places() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins="https://*.example.com")  # seeded
    pages(app)
    guard.for_endpoint("index", allow_credentials=True)  # seeded
    return app


# Credentials, and what changes state.


def account(app: Flask, *methods: str, path: str = "/account") -> None:
    app.add_url_rule(path, path, lambda: "", methods=methods)


@seeded("credentials_without_enforce", level=WARNING, routes={"/account"})
def a_post() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True)  # seeded
    pages(app)
    account(app, "GET", "POST")
    return app


@seeded("credentials_without_enforce", level=NOTE, routes={"/account"})
def a_put() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True)  # seeded
    pages(app)
    account(app, "PUT", "DELETE")
    return app


@seeded("credentials_without_enforce", level=NOTE, routes={"/account"})
def a_patch() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True)  # seeded
    account(app, "GET", "PATCH")
    return app


@seeded("credentials_without_enforce", level=NOTE, routes={"/account"})
def a_post_and_report() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, allow_credentials=True, enforce="report")  # seeded
    account(app, "GET", "POST")
    return app


@seeded("credentials_without_enforce", level=WARNING, routes={"/me"})
def a_post_in_a_view_class() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @cors(allow_credentials=True)  # seeded
    class Me(MethodView):
        def get(self) -> str:
            return ""

        def post(self) -> str:
            return ""

    app.add_url_rule("/me", view_func=Me.as_view("me"))
    return app


@seeded("credentials_without_enforce", level=WARNING, routes={"/me"})
def a_handler_with_credentials() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    class Me(MethodView):
        def get(self) -> str:
            return ""

        @cors(allow_credentials=True)  # seeded
        def post(self) -> str:
            return ""

    app.add_url_rule("/me", view_func=Me.as_view("me"))
    return app


@seeded("credentials_without_enforce", level=WARNING, routes={"/api/account"})
def enforce_elsewhere() -> Flask:
    app = shop()
    CorsGuard(app, enforce="unsafe")
    account(app, "POST")
    api = Blueprint("api", __name__, url_prefix="/api")
    cors(Policy(origins=APP, allow_credentials=True))(api)  # seeded
    api.add_url_rule("/account", "account", lambda: "", methods=["POST"])
    app.register_blueprint(api)
    return app


@seeded("credentials_without_enforce", level=WARNING, place="CORSGUARD_ALLOW_CREDENTIALS")
def credentials_in_the_configuration() -> Flask:
    app = shop(CORSGUARD_ORIGINS=APP, CORSGUARD_ALLOW_CREDENTIALS=True)
    CorsGuard(app)
    account(app, "POST")
    return app


@seeded("enforce_without_effect", level=WARNING)
def enforce_for_everybody() -> Flask:
    app = shop()
    CorsGuard(app, origins="*", enforce="unsafe")  # seeded
    account(app, "GET", "POST")
    return app


@seeded("enforce_without_effect", routes={"/open"})
def enforce_and_a_public_route_that_changes_state() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    view = cors(origins="*", enforce="all")(lambda: "")  # seeded
    app.add_url_rule("/open", "open", view, methods=["POST"])
    return app


@seeded("max_age_ignored", level=NOTE)
def max_age() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, max_age=86400)  # seeded
    pages(app)
    return app


@seeded("max_age_ignored", level=NOTE)
def max_age_by_a_second() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, max_age=7201)  # seeded
    pages(app)
    return app


@seeded("max_age_ignored", level=NOTE, routes={"/"})
def max_age_in_a_mark() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins=APP)
    pages(app)
    guard.for_endpoint("index", max_age=36000)  # seeded
    return app


# '*' and logins.


@seeded("any_origin_next_to_login")
def everybody_and_a_login() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")  # seeded
    pages(app)
    app.add_url_rule("/login", "login", index, methods=["GET", "POST"])
    return app


@seeded("any_origin_next_to_login")
def everybody_and_a_login_of_an_api() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")  # seeded
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    api.add_url_rule("/auth/login", "login", index, methods=["POST"])
    app.register_blueprint(api)
    return app


@seeded("any_origin_next_to_login")
def everybody_and_a_signin() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")  # seeded
    app.add_url_rule("/users/sign_in", "sign_in", index, methods=["POST"])
    return app


@seeded("any_origin_next_to_login")
def everybody_and_a_logout() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")  # seeded
    pages(app)
    app.add_url_rule("/logout", "logout", index, methods=["POST"])
    return app


@seeded("any_origin_next_to_login", place="CORSGUARD_ORIGINS")
def everybody_in_the_configuration_and_a_login() -> Flask:
    app = shop(CORSGUARD_ORIGINS="*")
    CorsGuard(app)
    pages(app)
    app.add_url_rule("/login", "login", index, methods=["GET", "POST"])
    return app


@seeded("any_origin_next_to_login", routes={"/login"})
def a_mark_for_everybody_on_the_login() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.post("/login")
    @cors(origins="*")  # seeded
    def login() -> str:
        return ""

    return app


@seeded("any_origin_next_to_login", routes={"/auth/login", "/auth/logout"})
def a_blueprint_for_everybody_with_the_login() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    auth = Blueprint("auth", __name__, url_prefix="/auth")
    cors(origins="*")(auth)  # seeded
    auth.add_url_rule("/login", "login", index, methods=["POST"])
    auth.add_url_rule("/logout", "logout", index, methods=["POST"])
    app.register_blueprint(auth)
    return app


@seeded("any_origin_next_to_login")
def everybody_and_flask_login() -> Flask:
    flask_login = pytest.importorskip("flask_login")
    app = shop(SECRET_KEY="x")
    flask_login.LoginManager(app)
    CorsGuard(app, origins="*")  # seeded
    pages(app)
    return app


@seeded("any_origin_next_to_login")
def everybody_by_default_and_credentials_elsewhere() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")  # seeded
    pages(app)
    app.add_url_rule("/me", "me", cors(origins=APP, allow_credentials=True)(lambda: ""))
    return app


# Exempt routes.


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_in_a_tuple() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        return "legacy", 200, {"Access-Control-Allow-Origin": "*"}

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_set_on_a_response() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        response = make_response("legacy")
        response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
        return response

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_added_in_lower_case() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        response = make_response("legacy")
        response.headers.add("access-control-allow-origin", "*")
        return response

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_as_an_attribute() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        response = make_response("legacy")
        response.access_control_allow_origin = "*"
        return response

    return app


def with_cors(response: Response) -> Response:
    response.headers.update({"Access-Control-Allow-Origin": "*"})
    return response


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_a_helper() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        return with_cors(make_response("legacy"))

    return app


HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_a_constant() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        return "legacy", HEADERS

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_an_after_request_function() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> str:
        return "legacy"

    return app


@seeded("exempt_sends_own_headers", routes={"/hooks/payment"})
def a_header_from_an_after_request_function_of_a_blueprint() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    hooks = Blueprint("hooks", __name__, url_prefix="/hooks")
    cors_exempt(hooks)  # seeded
    hooks.add_url_rule("/payment", "payment", index, methods=["POST"])
    hooks.after_request(with_cors)
    app.register_blueprint(hooks)
    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_flask_cors() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    @cross_origin()
    def legacy() -> str:
        return "legacy"

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_a_decorator() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    def crossdomain(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            response = make_response(view(*args, **kwargs))
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response

        return wrapper

    @app.get("/legacy")
    @cors_exempt  # seeded
    @crossdomain
    def legacy() -> str:
        return "legacy"

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_in_a_view_class() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @cors_exempt  # seeded
    class Legacy(MethodView):
        def get(self) -> Any:
            return self.answer("legacy")

        def answer(self, text: str) -> Any:
            return text, {"Access-Control-Allow-Origin": "*"}

    app.add_url_rule("/legacy", view_func=Legacy.as_view("legacy"))
    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_from_flask_cors_for_the_whole_app() -> Flask:
    app = shop()
    CORS(app)
    CorsGuard(app, origins=APP)
    pages(app)
    app.add_url_rule("/legacy", "legacy", cors_exempt(unmarked()))  # seeded
    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_given_to_the_response() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> Any:
        return Response("legacy", headers=[("Access-Control-Allow-Origin", "*")])

    return app


@seeded("exempt_sends_own_headers", routes={"/legacy"})
def a_header_added_after_this_request() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/legacy")
    @cors_exempt  # seeded
    def legacy() -> str:
        @after_this_request
        def add(response: Response) -> Response:
            response.headers.set("Access-Control-Allow-Origin", "*")
            return response

        return "legacy"

    return app


# Marks that are lost.


def unnamed(view: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def renamed(view: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

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


@seeded("lost_mark", routes={"/open"}, level=ERROR)
def a_decorator_without_wraps() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    @app.get("/open", endpoint="open")
    @unnamed
    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def a_decorator_that_copies_the_name() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    @app.get("/open")
    @renamed
    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def a_decorator_with_arguments() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    @app.get("/open", endpoint="open")
    @with_role("admin")
    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def two_decorators_without_wraps() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    @app.get("/open", endpoint="open")
    @unnamed
    @with_role("admin")
    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def a_decorator_without_wraps_inside_of_one_with_it() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    def logged(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        return wrapper

    @app.get("/open", endpoint="open")
    @logged
    @unnamed
    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def a_lost_exemption() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)

    @app.get("/open", endpoint="open")
    @unnamed
    @cors_exempt  # seeded
    def opened() -> str:
        return ""

    return app


@seeded("lost_mark", routes={"/open"})
def a_handler_behind_a_decorator() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    class Open(MethodView):
        @unnamed
        @cors(origins=APP)  # seeded
        def get(self) -> str:
            return ""

    app.add_url_rule("/open", view_func=Open.as_view("open"))
    return app


@seeded("lost_mark", routes={"/open"})
def an_object_as_a_decorator() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    class Cached:
        def __init__(self, view: Callable[..., Any]) -> None:
            self.view = view

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.view(*args, **kwargs)

    @cors(origins=APP)  # seeded
    def opened() -> str:
        return ""

    app.add_url_rule("/open", "open", Cached(opened))
    return app


@seeded("lost_mark", routes={"/open"})
def a_decorator_in_a_partial() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")

    @cors(origins=APP)  # seeded
    def opened(number: int) -> str:
        return ""

    app.add_url_rule("/open", "open", functools.partial(unnamed(opened), 5))
    return app


@seeded("lost_mark", "unusable_policy")
def a_mark_around_the_view() -> Flask:
    """The guard finds this one itself."""
    app = shop()
    CorsGuard(app, origins=APP)

    def logged(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        return wrapper

    @cors(origins="https://partner.example")  # seeded
    @logged
    @app.get("/open")
    def opened() -> str:
        return ""

    return app


# What runs ahead of the guard.


@seeded("runs_before_guard")
def put_in_front_when_a_request_starts() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    def login_first() -> None:
        if "Authorization" not in request.headers:
            abort(401)

    def move(sender: Flask, **_: Any) -> None:
        functions = sender.before_request_funcs[None]
        # Each time: on the first request, the guard may move after this.
        functions[:] = [login_first, *(f for f in functions if f is not login_first)]

    request_started.connect(move, app, weak=False)
    return app


class LoginFirst(Flask):
    def preprocess_request(self) -> Any:
        if "Authorization" not in request.headers:
            return "log in", 401
        return super().preprocess_request()


@seeded("runs_before_guard")
def a_subclass_that_preprocesses() -> Flask:
    app = LoginFirst("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    pages(app)
    return app


class Maintenance(Flask):
    def full_dispatch_request(self) -> Response:
        if self.config.get("DOWN") or request.method == "OPTIONS":
            return make_response("back soon", 503)
        return super().full_dispatch_request()


@seeded("runs_before_guard")
def a_subclass_that_dispatches() -> Flask:
    app = Maintenance("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    pages(app)
    return app


class Options(Flask):
    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            start_response("200 OK", [("Allow", "GET")])
            return [b""]
        return super().wsgi_app(environ, start_response)


@seeded("runs_before_guard")
def a_subclass_that_answers_options() -> Flask:
    app = Options("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    pages(app)
    return app


class AnswerOptions:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            start_response("204 No Content", [])
            return []
        return self.app(environ, start_response)


@seeded("runs_before_guard")
def middleware_that_answers_options() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    app.wsgi_app = AnswerOptions(app.wsgi_app)  # type: ignore[method-assign]
    return app


@seeded("runs_before_guard")
def middleware_that_asks_for_a_login() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    inner = app.wsgi_app

    def basic_auth(environ: Any, start_response: Any) -> Any:
        if "HTTP_AUTHORIZATION" not in environ:
            start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
            return [b""]
        return inner(environ, start_response)

    app.wsgi_app = basic_auth  # type: ignore[method-assign]
    return app


@seeded("runs_before_guard")
def a_preprocessor_that_aborts() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.url_value_preprocessor
    def tenant(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if request.headers.get("X-Tenant") is None:
            abort(403)

    return app


# Proxies.


@seeded("proxy_hides_origin")
def a_view_that_reads_the_proxys_header() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)

    @app.get("/me")
    def me() -> Any:
        return {"address": request.headers.get("X-Forwarded-For", request.remote_addr)}

    return app


@seeded("proxy_hides_origin")
def a_before_request_function_that_reads_it() -> Flask:
    app = shop()
    CorsGuard(app, enforce="unsafe")
    pages(app)

    @app.before_request
    def to_https() -> Any:
        if request.headers.get("X-Forwarded-Proto") == "http":
            return redirect(request.url.replace("http://", "https://", 1))
        return None

    return app


@seeded("proxy_hides_origin")
def code_that_reads_it_from_the_environment() -> Flask:
    app = shop()
    CorsGuard(app, enforce="unsafe")

    @app.get("/")
    def home() -> str:
        return str(request.environ.get("HTTP_X_FORWARDED_HOST", request.host))

    return app


@seeded("proxy_hides_origin")
def https_by_preference() -> Flask:
    app = shop(PREFERRED_URL_SCHEME="https")
    CorsGuard(app, enforce="unsafe")
    account(app, "POST")
    return app


@seeded("proxy_hides_origin")
def below_a_path() -> Flask:
    app = shop(APPLICATION_ROOT="/shop")
    CorsGuard(app, enforce="unsafe")
    account(app, "POST")
    return app


# Answers that are changed.


class Everybody:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("Access-Control-Allow-Origin", "*")], *rest)

        return self.app(environ, start)


@seeded("answer_changed", level=ERROR)
def middleware_that_adds_a_header() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    app.wsgi_app = Everybody(app.wsgi_app)  # type: ignore[method-assign]
    return app


@seeded("answer_changed")
def middleware_that_repeats_the_origin() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    inner = app.wsgi_app

    def reflect(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(n, v) for n, v in headers if not n.lower().startswith("access-control-")]
            origin = environ.get("HTTP_ORIGIN")
            if origin:
                kept += [
                    ("Access-Control-Allow-Origin", origin),
                    ("Access-Control-Allow-Credentials", "true"),
                ]
            return start_response(status, kept, *rest)

        return inner(environ, start)

    app.wsgi_app = reflect  # type: ignore[method-assign]
    return app


@seeded("answer_changed")
def middleware_that_takes_headers_out() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    inner = app.wsgi_app

    def clean(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(n, v) for n, v in headers if not n.startswith("Access-Control-")]
            return start_response(status, kept, *rest)

        return inner(environ, start)

    app.wsgi_app = clean  # type: ignore[method-assign]
    return app


@seeded("answer_changed")
def middleware_below_other_middleware() -> Flask:
    from werkzeug.middleware.proxy_fix import ProxyFix

    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    app.wsgi_app = ProxyFix(Everybody(app.wsgi_app))  # type: ignore[method-assign]
    return app


class Processing(Flask):
    def process_response(self, response: Response) -> Response:
        response = super().process_response(response)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response


@seeded("answer_changed")
def a_subclass_that_processes_responses() -> Flask:
    app = Processing("shop", static_folder=None)
    CorsGuard(app, origins=APP)
    pages(app)
    return app


class ForEverybody(Response):
    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        headers["Access-Control-Allow-Origin"] = "*"
        return headers


@seeded("answer_changed")
def a_response_that_changes_itself() -> Flask:
    app = shop()
    app.response_class = ForEverybody
    CorsGuard(app, origins=APP)
    pages(app)
    return app


@seeded("answer_changed")
def middleware_that_spares_preflights() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP)
    pages(app)
    inner = app.wsgi_app

    def add(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if environ["REQUEST_METHOD"] != "OPTIONS":
                headers = [*headers, ("Access-Control-Allow-Origin", "*")]
            return start_response(status, headers, *rest)

        return inner(environ, start)

    app.wsgi_app = add  # type: ignore[method-assign]
    return app


# Policies that cannot be used.


@seeded("unusable_policy", level=ERROR, place="test_seeded.py")
def credentials_for_everybody() -> Flask:
    app = shop()
    CorsGuard(app, origins="*")
    app.add_url_rule("/", "index", cors(allow_credentials=True)(unmarked()))
    return app


@seeded("unusable_policy", level=ERROR, place="test_seeded.py")
def an_unknown_name() -> Flask:
    app = shop()
    CorsGuard(app, origins=APP, policies={"partners": Policy(origins="https://partner.example")})
    app.add_url_rule("/", "index", cors("partner")(unmarked()))
    return app


@seeded("unusable_policy", level=ERROR)
def an_unknown_endpoint() -> Flask:
    app = shop()
    guard = CorsGuard(app, origins=APP)
    pages(app)
    guard.for_endpoint("indx", origins="*")
    return app


@seeded("unusable_policy", level=ERROR)
def plain_http_meets_credentials() -> Flask:
    app = shop()
    CorsGuard(app, origins="http://app.example.com")
    app.add_url_rule("/", "index", cors(allow_credentials=True)(unmarked()))
    return app


# Names that the audit must not trip over.


@seeded("neighbour_allowed", let_in="https://evilxn--bcher-kva.example")
def a_name_in_punycode() -> Flask:
    app = shop()
    CorsGuard(app, origins=re.compile(r"https://.*xn--bcher-kva\.example"))  # seeded
    pages(app)
    return app


@seeded("neighbour_allowed", let_in="https://evilshop.co.uk")
def a_name_below_a_suffix_of_two_labels() -> Flask:
    app = shop()
    CorsGuard(app, origins=re.compile(r"https://.*shop\.co\.uk"))  # seeded
    pages(app)
    return app


@seeded("neighbour_allowed", let_in="https://evil.example:8443")
def a_name_with_a_port() -> Flask:
    app = shop()
    CorsGuard(app, origins=re.compile(r"https://.*l\.example:8443"))  # seeded
    pages(app)
    return app


@seeded("neighbour_allowed", let_in="https://shop.example.evil.net", path="/only", routes={"/only"})
def a_rule_with_a_host() -> Flask:
    app = Flask("shop", static_folder=None, host_matching=True)
    CorsGuard(app, origins=APP)
    view = cors(origins=re.compile(r"https://shop\.example.*"))(unmarked())  # seeded
    app.add_url_rule("/only", "only", view, host="localhost")
    return app


@pytest.mark.parametrize("case", CASES, ids=[case.build.__name__ for case in CASES])
def test_the_mistake_is_real(case: Case) -> None:
    for origin in case.let_in:
        check_let_in(case.build(), case.path, origin)


@pytest.mark.parametrize("case", CASES, ids=[case.build.__name__ for case in CASES])
def test_found(case: Case) -> None:
    check_found(case)
