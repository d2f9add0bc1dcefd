"""The app that the servers serve, and what tells the tests how far a request came."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from flask_corsguard import CorsGuard, Policy, cors, current_decision, origin_allowed
from flask_corsguard.protocol.policy import PolicyFields

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


def let_others_run(*_: object, **__: object) -> None:
    """Take as long as an app's own code might that waits for something."""
    time.sleep(0)


def knows(origin: str) -> bool:
    let_others_run()
    return origin in (SHOP, PARTNER)


# Two policies of which everything differs that shows on an answer.
ONE = Policy(
    origins=SHOP,
    allow_credentials=True,
    allow_headers="X-One",
    expose_headers="X-One",
    max_age=1,
    enforce="unsafe",
)
TWO: PolicyFields = {
    "origins": [SHOP, PARTNER],
    "methods": ["PUT", "DELETE"],
    "allow_headers": ["X-Two", "X-One"],
    "expose_headers": "X-Two",
    "max_age": 2,
}
SETTINGS: tuple[dict[str, Any], ...] = (
    {"policy": ONE, "report_only": False},
    {"policy": Policy(**{**TWO, "origins": knows}), "report_only": {"origins": PARTNER}},
)

app = Flask("served", static_folder=None)
guard = CorsGuard(app, origins=SHOP, methods="PUT", enforce="unsafe")


@app.route("/", methods=["GET", "POST", "PUT"])
def index() -> str:
    return "index"


@app.get("/open/<path:name>")
@cors(Policy(origins="*"))
def open_to_all(name: str) -> str:
    return "open"


@app.get("/private")
@cors(Policy())
def private() -> str:
    return "private"


@app.post("/settings/<int:number>")
@cors(Policy())
def change_settings(number: int) -> str:
    guard.reconfigure(**SETTINGS[number])
    return "changed"


@app.after_request
def tell(response: Response) -> Response:
    """Name the view, and what was decided."""
    response.headers["X-View"] = request.endpoint or "none"
    response.headers["X-Outcome"] = current_decision.outcome.value
    policy = current_decision.policy
    response.headers["X-Policy"] = str(policy and policy.max_age)
    return response


if os.environ.get("SERVED_CALLS_WAIT"):
    sys.setswitchinterval(1e-6)
    origin_allowed.connect(let_others_run)
    app.before_request(let_others_run)


def reached(app: WSGIApplication) -> WSGIApplication:
    """The app, which says on every response in which process it was reached."""

    def reached_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("X-Process", str(os.getpid()))], *rest)

        return app(environ, start)

    return reached_app


app.wsgi_app = reached(app.wsgi_app)  # type: ignore[assignment, method-assign]
