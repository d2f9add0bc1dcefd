"""The API: a Flask app with one policy of each kind."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, request, session
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from flask_corsguard import (
    CorsGuard,
    Decision,
    cors,
    cors_exempt,
    origin_rejected,
    preflight_rejected,
)

#: An origin that may do what neither page of the demo may. No request is ever sent to it.
ADMIN_ORIGIN = "https://admin.example.com"

Listener = Callable[[str, Decision], object]


class Rejections:
    """The latest rejections, by origin and case, for the page to ask about.

    :param most: how many are kept; whoever asks can make up any number of origins and cases.
    """

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._latest: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()

    def add(self, case: str, decision: Decision) -> None:
        """Remember a rejection."""
        if decision.reason is None:
            return
        said = {
            "reason": decision.reason.name,
            "preflight": decision.preflight,
            "blocked": decision.blocked,
            "explanation": decision.explain(),
        }
        with self._lock:
            self._latest[decision.origin or "", case[:64]] = said
            while len(self._latest) > self._most:
                self._latest.popitem(last=False)

    def of(self, origin: str | None) -> dict[str, dict[str, Any]]:
        """The rejections of *origin*, by case."""
        with self._lock:
            return {case: said for (asked, case), said in self._latest.items() if asked == origin}


def create_api(page_origin: str, listener: Listener) -> Flask:
    """Build the API.

    :param page_origin: the origin that its policies allow.
    :param listener: called with the name of the signal and the decision, for each rejection.
    """
    app = Flask("demo_api", static_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="corsguard_demo",
        SESSION_COOKIE_SAMESITE="Lax",
        # The listener shows them; the log would only repeat them.
        CORSGUARD_LOG_REJECTIONS=False,
    )
    CorsGuard(
        app,
        origins=page_origin,
        allow_headers=["Content-Type", "X-Request-ID"],
        expose_headers=["X-Total-Count"],
    )
    add_routes(app, page_origin)
    add_reasons(app, listener)
    app.register_error_handler(HTTPException, as_json)
    return app


def add_routes(app: Flask, page_origin: str) -> None:
    """Add the routes that the page calls."""

    @app.get("/orders")
    def orders() -> ResponseReturnValue:
        return {"orders": 3}, {"X-Total-Count": "3", "X-Server-Node": "a7"}

    @app.get("/status")
    @cors(origins="*")
    def status() -> ResponseReturnValue:
        return {"up": True}

    @cors(allow_credentials=True)
    class Session(MethodView):
        def get(self) -> ResponseReturnValue:
            if "name" not in session:
                abort(401)
            return {"name": session["name"]}

        def post(self) -> ResponseReturnValue:
            session["name"] = str(request.get_json()["name"])[:64]
            return {"signed_in": session["name"]}

    class Article(MethodView):
        @cors(origins="*")
        def get(self, number: int) -> ResponseReturnValue:
            return {"article": number}

        @cors(origins=page_origin)
        def put(self, number: int) -> ResponseReturnValue:
            return {"saved": number}

        @cors(origins=ADMIN_ORIGIN)
        def delete(self, number: int) -> ResponseReturnValue:
            return {"deleted": number}

    @app.get("/legacy")
    @cors_exempt
    def legacy() -> ResponseReturnValue:
        return {"legacy": True}, {"Access-Control-Allow-Origin": page_origin}

    app.add_url_rule("/session", view_func=Session.as_view("session"))
    app.add_url_rule("/articles/<int:number>", view_func=Article.as_view("article"))


def add_reasons(app: Flask, listener: Listener) -> None:
    """Keep what the signals say, and add the route by which a page learns about its own calls.

    A demo may tell everyone why they were refused. An API in production had better not: the
    reasons describe its policies.
    """
    rejections = Rejections()

    def origin_was_rejected(_sender: Flask, decision: Decision) -> None:
        rejections.add(request.args.get("case", ""), decision)
        listener("origin_rejected", decision)

    def preflight_was_rejected(_sender: Flask, decision: Decision) -> None:
        rejections.add(request.args.get("case", ""), decision)
        listener("preflight_rejected", decision)

    # A signal holds its receivers weakly, and nothing else refers to these.
    origin_rejected.connect(origin_was_rejected, app, weak=False)
    preflight_rejected.connect(preflight_was_rejected, app, weak=False)

    @app.get("/reasons")
    @cors(origins="*")
    def reasons() -> ResponseReturnValue:
        return rejections.of(request.headers.get("Origin")), {"Cache-Control": "no-store"}


def as_json(error: HTTPException) -> Response:
    """An HTTP error as JSON."""
    response = Response(error.get_response().get_data(), error.code, error.get_headers())
    response.set_data(f'{{"error":"{error.code} {error.name}"}}')
    response.mimetype = "application/json"
    return response
