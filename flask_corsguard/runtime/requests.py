"""Reads the parts of a request that the guard needs."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

from flask import Request
from flask.app import Flask
from werkzeug.exceptions import HTTPException

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import CorsRequest
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import ORIGIN_CUT

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: One character more than any policy allows.
LONGEST_METHOD = MAX_METHOD_LENGTH + 1
#: Cuts a requested method before it is used. It leaves one character too many, so that no policy
#: allows a method that was cut.
METHOD_CUT = slice(LONGEST_METHOD)
# In characters. The decision about a preflight with a longer list is not cached.
_LONGEST_LIST = 200

#: The parts of a request on which the decision by its policy depends.
Key: TypeAlias = tuple[object, ...]


def key_of(request: Request, place: object) -> Key | None:
    """The key that a decision is kept under: the place, the method, the origin, and the other CORS
    headers of a preflight.

    :param place: identifies the rule, and the path prefix if the rule has several.
    :returns: None for a preflight with a list that is too long to be cached.
    """
    environ = request.environ
    origin: str | None = environ.get("HTTP_ORIGIN")
    if origin is not None:
        origin = origin[ORIGIN_CUT]
        if request.method == "OPTIONS":
            method: str | None = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
            if method is not None:
                names: str = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
                if len(names) > _LONGEST_LIST:
                    return None
                private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
                return (place, method[METHOD_CUT], origin, names, private)
    return (place, request.method, origin)


def cors_request(request: Request) -> CorsRequest:
    """The parts of a request that a decision depends on."""
    sent = request.environ.get
    origin: str | None = sent("HTTP_ORIGIN")
    method: str | None = None
    if origin is not None and request.method == "OPTIONS":
        method = sent("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    if method is None:
        return CorsRequest(origin, request.method, request.path, False, None, False, request)
    names: str | None = sent("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
    private = sent("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
    return CorsRequest(origin, method[METHOD_CUT], request.path, True, names, private, request)


def matched_request(app: Flask, environ: WSGIEnvironment) -> Request:
    """The request that Flask would make of *environ*, with its route looked up. Exceptions from the
    app's converters are not caught."""
    request = app.request_class(environ)
    _match(app, request)
    return request


def served_request(app: Flask, environ: WSGIEnvironment) -> Request:
    """The same, but without a route if a converter raises an exception, which Flask would turn into
    a 500; and without a body, which a callable could otherwise read before the app does.

    :param environ: used by this request only.
    """
    environ["wsgi.input"] = BytesIO()
    request = app.request_class(environ)
    # A reference cycle, which would last until the garbage collector runs. Flask breaks it too.
    environ.pop("werkzeug.request", None)
    try:
        _match(app, request)
    except BaseException as error:
        if is_shutdown(error):
            raise
    return request


def _match(app: Flask, request: Request) -> None:
    try:
        adapter = app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(return_rule=True)
            request.view_args = dict(arguments)
    except HTTPException as error:
        # Its traceback, and those of its causes, would keep the request alive.
        error.__context__ = None
        request.routing_exception = error.with_traceback(None)
