"""The apps that are played to: one view, and what each extension puts around it."""

from collections.abc import Callable
from typing import Any

import flask_cors
from flask import Flask, Response
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from flask_corsguard import CorsGuard, Policy, cors

from .requests import ORIGIN, Environ, Request
from .timing import Contender

View = Callable[[int], str]

REPORT_ONLY = Policy(origins=[ORIGIN], enforce="unsafe")


def bare(decorate: Callable[[View], View] = lambda view: view) -> Flask:
    app = Flask("bare")

    @app.get("/items/<int:number>")
    @decorate
    def item(number: int) -> str:
        return str(number)

    return app


def flask_cors_extension() -> Flask:
    app = bare()
    flask_cors.CORS(app, origins=[ORIGIN])
    return app


def guarded(**options: Any) -> Flask:
    app = bare()
    CorsGuard(app, origins=[ORIGIN], **options)
    return app


def guarded_by_decorator() -> Flask:
    app = bare(cors(origins=[ORIGIN]))
    CorsGuard(app)
    return app


def guarded_beside_enforcement() -> Flask:
    """Measured on a route that does not enforce, in an app where another does."""
    app = bare()
    app.add_url_rule("/other", "other", cors(enforce="all")(lambda: ""))
    CorsGuard(app, origins=[ORIGIN])
    return app


def guarded_by_paths() -> Flask:
    """Measured under one of ten paths, which has three policies."""
    app = bare()
    guard = CorsGuard(app)
    for number in range(9):
        guard.for_path(f"/{number}", origins=[f"https://{number}.example.com"])
    partners, previews = "https://*.partner.example", "https://pr-*.example.com"
    guard.for_path("/items", [Policy(origins=each) for each in (partners, ORIGIN, previews)])
    return app


def empty_hooks() -> Flask:
    """The least that an extension can do: two hooks, which do nothing."""
    app = bare()
    app.before_request(lambda: None)
    app.after_request(lambda response: response)
    return app


def writing_hooks(request: Request) -> Flask:
    """Two hooks that write what the guard writes, but have not to find out what that is."""
    status, headers = answer(guarded(), request.environ())
    own = [(name, value) for name, value in headers if name == "Vary" or is_cors(name)]
    app = bare()

    @app.before_request
    def before() -> Response | None:
        return Response(status=status) if request.is_preflight else None

    @app.after_request
    def after(response: Response) -> Response:
        for name, value in own:
            response.headers.add(name, value)
        return response

    return app


APPS: dict[str, Callable[[], Flask]] = {
    "bare Flask": bare,
    "two empty hooks": empty_hooks,
    "Flask-CORS": flask_cors_extension,
    "Flask-CORS, @cross_origin": lambda: bare(flask_cors.cross_origin(origins=[ORIGIN])),
    "CorsGuard": guarded,
    "CorsGuard, @cors": guarded_by_decorator,
    "CorsGuard, another route enforces": guarded_beside_enforcement,
    'CorsGuard, enforce="unsafe"': lambda: guarded(enforce="unsafe"),
    "CorsGuard, ten paths and three policies": guarded_by_paths,
    "CorsGuard, a report-only policy": lambda: guarded(report_only=REPORT_ONLY),
}


def contender(app: Flask, environ: Environ) -> Contender:
    """A request to an app, through the door that a server uses."""
    return Contender(player(app), environ.copy)


def player(app: Flask) -> Callable[[Environ], None]:
    def start_response(*_: object) -> None:
        """Take the status and the headers."""

    def play(environ: Environ) -> None:
        body: Any = app.wsgi_app(environ, start_response)  # type: ignore[arg-type]
        for _chunk in body:
            pass
        body.close()

    return play


def answer(app: Flask, environ: Environ) -> tuple[int, Headers]:
    _, status, headers = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    return int(status.split()[0]), headers


def is_cors(name: str) -> bool:
    return name.lower().startswith("access-control-")
