"""What other libraries put in front of Flask, with no more of each than the audit knows it by."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask.json.provider import DefaultJSONProvider

Kind = TypeVar("Kind", bound=type)


def of_library(name: str) -> Callable[[Kind], Kind]:
    """Make a class look as if a library defined it."""

    def rename(kind: Kind) -> Kind:
        kind.__module__ = name
        return kind

    return rename


@of_library("engineio.server")
class EngineServer:
    def __init__(self, cors_allowed_origins: Any) -> None:
        self.cors_allowed_origins = cors_allowed_origins


@of_library("socketio.server")
class SocketServer:
    def __init__(self, cors_allowed_origins: Any) -> None:
        self.eio = EngineServer(cors_allowed_origins)


@of_library("engineio.middleware")
class EngineMiddleware:
    """Responds below a path of its own. What else comes, Flask-SocketIO copies and hands on."""

    engineio_path = "/socket.io/"

    def __init__(self, engineio_app: Any, wsgi_app: Any) -> None:
        self.engineio_app = engineio_app
        self.wsgi_app = wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/socket.io/"):
            start_response("200 OK", [("Access-Control-Allow-Origin", "*")])
            return [b"OK"]
        return self.wsgi_app(environ.copy(), start_response)


@of_library("flask_socketio")
class SocketIO:
    """The extension."""

    def __init__(self, app: Flask, cors_allowed_origins: Any = None) -> None:
        self.server = SocketServer(cors_allowed_origins)
        app.extensions["socketio"] = self
        app.wsgi_app = EngineMiddleware(self.server, app.wsgi_app)  # type: ignore[method-assign]


@of_library("whitenoise.base")
class WhiteNoise:
    def __init__(
        self, application: Any, *, allow_all_origins: bool = True, add_headers_function: Any = None
    ) -> None:
        self.allow_all_origins = allow_all_origins
        self.files = {"/files/a.js": "a file"}
        self.add_headers_function = add_headers_function
        self.application = application

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/files/"):
            headers = [("Access-Control-Allow-Origin", "*")] if self.allow_all_origins else []
            start_response("200 OK", headers)
            return [b"file"]
        return self.application(environ, start_response)


@of_library("connexion.frameworks.flask")
class ConnexionJson(DefaultJSONProvider):
    """What Connexion 3 makes of the JSON provider of the app inside of it."""


@of_library("connexion.apps.flask")
class ConnexionView:
    """A view that a specification names."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._fn = function
        self.__name__ = function.__name__

    def __call__(self, **arguments: Any) -> Any:
        return self._fn(**arguments)


@of_library("connexion.apps.flask")
class ConnexionApp:
    """The app around it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def in_connexion(app: Flask, view: Callable[..., Any]) -> None:
    """Put an app into a Connexion app, with a view at ``/spec``."""
    app.json = ConnexionJson(app)
    app.add_url_rule("/spec", "spec", ConnexionView(view), methods=["GET", "PUT"])


@of_library("flask_sockets")
class SocketMiddleware:
    """Accepts handshakes for routes that Flask does not know."""

    def __init__(self, wsgi_app: Any) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.wsgi_app(environ, start_response)
