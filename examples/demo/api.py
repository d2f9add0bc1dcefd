"""The API: a Flask app with one policy of each kind, one of them from a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from cases import LIVE_CASES
from flask import Flask, Response, abort, request, session
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from shared import Decisions, Shared
from werkzeug.exceptions import HTTPException

from flask_corsguard import (
    CorsGuard,
    Decision,
    Outcome,
    cors,
    cors_exempt,
    origin_allowed,
    origin_rejected,
    preflight_rejected,
)
from flask_corsguard.sources import FileOrigins

#: An origin that may do what neither page of the demo may. No request is ever sent to it.
ADMIN_ORIGIN = "https://admin.example.com"

#: How many origins a worker remembers; whoever calls can make up any number.
MOST_ORIGINS = 100

Listener = Callable[[str, Decision], object]


def create_api(page_origin: str, listener: Listener, shared: Shared) -> Flask:
    """Build the API.

    :param page_origin: the origin that its policies allow.
    :param listener: called with the name of the signal and the decision, for each rejection.
    :param shared: what the worker processes share.
    """
    app = Flask("demo_api", static_folder=None)
    app.config.update(
        SECRET_KEY=shared.key,
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
    decisions = Decisions(shared.decisions)
    add_reasons(app, listener, decisions)
    add_offers(app, listener, shared, decisions)
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


def add_reasons(app: Flask, listener: Listener, decisions: Decisions) -> None:
    """Keep what the signals say, and add the route by which a page learns about its own calls.

    A demo may tell everyone why they were refused. An API in production had better not: the
    reasons describe its policies.
    """

    def was_rejected(name: str, _sender: Flask, decision: Decision) -> None:
        if decision.endpoint != "offers":
            decisions.add(request.args.get("case", ""), decision)
            listener(name, decision)

    # A signal holds its receivers weakly, and nothing else refers to these.
    for name, signal in (
        ("origin_rejected", origin_rejected),
        ("preflight_rejected", preflight_rejected),
    ):
        signal.connect(partial(was_rejected, name), app, weak=False)

    @app.get("/reasons")
    @cors(origins="*")
    def reasons() -> ResponseReturnValue:
        return decisions.of(request.headers.get("Origin")), {"Cache-Control": "no-store"}


def add_offers(app: Flask, listener: Listener, shared: Shared, decisions: Decisions) -> None:
    """Add the route whose readers are listed in a file, and one that tells how each worker decides.

    The pages call all the time, so the listener hears only of what is new.
    """
    latest: dict[str | None, Outcome] = {}

    def was_decided(_sender: Flask, decision: Decision) -> None:
        if decision.endpoint == "offers":
            decisions.add(request.args.get("case", ""), decision)
            if latest.get(decision.origin) is not decision.outcome:
                if len(latest) >= MOST_ORIGINS:
                    latest.clear()
                latest[decision.origin] = decision.outcome
                listener(f"worker {os.getpid()}", decision)

    for signal in (origin_allowed, origin_rejected):
        signal.connect(was_decided, app, weak=False)

    @app.get("/offers")
    @cors(origins=FileOrigins(shared.readers))
    def offers() -> ResponseReturnValue:
        return {"worker": os.getpid()}, {"Cache-Control": "no-store"}

    @app.get("/workers")
    @cors(origins="*")
    def workers() -> ResponseReturnValue:
        found = decisions.recent(LIVE_CASES, seconds=5)
        return {"decisions": found}, {"Cache-Control": "no-store"}


def as_json(error: HTTPException) -> Response:
    """An HTTP error as JSON."""
    response = Response(error.get_response().get_data(), error.code, error.get_headers())
    response.set_data(f'{{"error":"{error.code} {error.name}"}}')
    response.mimetype = "application/json"
    return response
