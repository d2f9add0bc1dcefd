"""Apps with options, routes and calls drawn by lot, each as Flask-CORS or ``compat`` makes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, abort, make_response, request
from flask.typing import ResponseReturnValue

Options = dict[str, Any]

ORIGINS: tuple[Any, ...] = (
    "*",
    ".*",
    "https://app.example.com",
    ["https://app.example.com", "https://example.com"],
    ["HTTPS://APP.example.com", ""],
    r"https://.*\.example\.com$",
    "https://.*.example.com",
    "http://localhost:*",
    r"http://localhost:\d+",
    r"https?://localhost(:\d+)?",
    r"https://(.+\.)?example\.com",
    "https://.*",
    [],
    None,
)
WITH_CREDENTIALS = (
    "https://app.example.com",
    r"https://.*\.example\.com$",
    r"https://(.+\.)?example\.com",
    "http://localhost:*",
)
METHODS: tuple[Any, ...] = (
    None,
    ["GET", "POST"],
    ["GET"],
    ["POST"],
    "GET, POST, PUT",
    ["GET", "HEAD", "POST", "PUT", "DELETE"],
    ["PUT"],
)
HEADERS: tuple[Any, ...] = (None, ["Content-Type"], ["Content-Type", "Authorization"], [], "X-One")
RESOURCES: tuple[Any, ...] = (
    "/*",
    "/api/*",
    "/api/.*",
    "*",
    ["/api/*", "/v1/.*"],
    "/(api|v1)/.*",
    "^/api",
)
IN_A_DICTIONARY = ("/*", "/api/*", "/api/admin/*", "/v1/.*", "/slash/*")
PATTERNS = (
    *IN_A_DICTIONARY,
    r"/v\d/.*",
    r"/(api|v1)/(x|1)$",
    r".*/x$",
    "/api",
    r"^/slash(/|$)",
)
KINDS = (
    "app",
    "resources",
    "dictionary",
    "patterns",
    "configuration",
    "twice",
    "blueprint",
    "blueprint and app",
    "decorators",
    "decorators and app",
    "refusing",
)
RULES = (
    ("/api/x", ("GET", "POST", "PUT")),
    ("/api", ("GET",)),
    ("/apix", ("GET", "POST", "DELETE")),
    ("/v1/<one>", ("GET", "PATCH")),
    ("/slash/", ("GET",)),
    ("/<path:rest>", ("GET",)),
    ("/api/admin/y", ("GET", "PUT")),
)
PATHS = (
    "/api/x",
    "/api",
    "/apix",
    "/v1/1",
    "/slash",
    "/slash/",
    "/zzz/q",
    "/api/nope",
    "/api/admin/y",
    "/by-hand",
    "/fails",
    "/bp/api/x",
    "/bp/fails",
    "/bp/nope",
    "/bp/slash",
    "//api/x",
    "/%2561pi/x",
)


def app_of(library: Any, kind: str, seed: int) -> Flask:
    """The same app for the same kind and seed, made with one library or the other."""
    drawn = random.Random(f"{kind} {seed}")
    app = Flask("app")
    blueprint = Blueprint("bp", "bp", url_prefix="/bp")
    marks: Mapping[str, Options] = {}
    if kind in ("app", "refusing", "decorators and app", "blueprint and app", "twice"):
        library.CORS(app, **_options(drawn))
    if kind == "twice":
        library.CORS(app, **_options(drawn))
    if kind == "resources":
        library.CORS(app, resources=drawn.choice(RESOURCES), **_options(drawn))
    if kind in ("dictionary", "patterns"):
        chosen = drawn.sample(PATTERNS if kind == "patterns" else IN_A_DICTIONARY, 3)
        library.CORS(app, resources={each: _options(drawn) for each in chosen})
    if kind == "configuration":
        app.config.update({f"CORS_{n.upper()}": value for n, value in _options(drawn).items()})
        library.CORS().init_app(app)
    if kind.startswith("blueprint"):
        library.CORS(blueprint, **_options(drawn))
    if kind.startswith("decorators"):
        rules = drawn.sample([rule for rule, _ in RULES], 3)
        marks = {each: _options(drawn) for each in (*rules, "/by-hand", "/fails")}
    if kind == "decorators" and drawn.random() < 0.5:
        app.config["CORS_EXPOSE_HEADERS"] = "X-A"
    _add_routes(app, library, marks)
    _add_routes(blueprint, library, {})
    app.register_blueprint(blueprint)
    if kind == "refusing":
        app.before_request(_refuse_options)
    return app


def _options(drawn: random.Random) -> Options:
    options: Options = {}
    if drawn.random() < 0.8:
        options["origins"] = drawn.choice(ORIGINS)
    for name, choices in (("methods", METHODS), ("allow_headers", HEADERS)):
        value = drawn.choice(choices)
        if value is not None:
            options[name] = value
    if drawn.random() < 0.3:
        options |= {"supports_credentials": True, "origins": drawn.choice(WITH_CREDENTIALS)}
    if drawn.random() < 0.3:
        options["expose_headers"] = drawn.choice(["X-A", "X-A, X-B", ["X-A"]])
    if drawn.random() < 0.3:
        options["max_age"] = drawn.choice([0, 5, "60"])
    for name in ("send_wildcard", "vary_header", "always_send", "intercept_exceptions"):
        if drawn.random() < 0.1 and "supports_credentials" not in options:
            options[name] = drawn.random() < 0.5
    return options


def _refuse_options() -> None:
    if request.method == "OPTIONS" and request.path == "/api/x":
        abort(401)


def _add_routes(router: Flask | Blueprint, library: Any, marks: Mapping[str, Options]) -> None:
    def add(rule: str, methods: tuple[str, ...], view: Callable[..., ResponseReturnValue]) -> None:
        if rule in marks:
            view = library.cross_origin(**marks[rule])(view)
        router.add_url_rule(rule, f"view{rule.count('/')}{len(rule)}", view, methods=methods)

    for rule, methods in RULES:
        add(rule, methods, _plain_view())
    add("/by-hand", ("GET",), _view_with_headers_by_hand())
    add("/fails", ("GET",), _failing_view())


def _plain_view() -> Callable[..., ResponseReturnValue]:
    def view(**_: str) -> ResponseReturnValue:
        return make_response("seen", {"X-A": "1", "X-B": "1"})

    return view


def _view_with_headers_by_hand() -> Callable[..., ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        return "seen", {"Access-Control-Allow-Origin": "https://app.example.com"}

    return view


def _failing_view() -> Callable[..., ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        abort(404, "not there")

    return view
