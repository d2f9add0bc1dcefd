"""An app with several policies for one route, and what pages of each audience get from it.

It is played in simulated browsers and in real ones.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import Flask, Request, request

from flask_corsguard import CorsGuard, Policy, cors

INCLUDE = {"credentials": "include"}
X_A = {"headers": {"X-A": "1"}}
JSON = {"headers": {"Content-Type": "application/json"}, "body": "{}"}


class Call(NamedTuple):
    """A call of ``fetch()`` on a page.

    :ivar reads: whether the page gets to read the response.
    :ivar arrived: the methods that reach the server, or None where browsers differ.
    """

    request: str
    reads: bool
    arrived: str | None
    options: Mapping[str, Any] = MappingProxyType({})


def create_api(own: str, partner: str, denied: str) -> Flask:
    """The app.

    :param own: the origin of the pages that may do more than the others.
    :param denied: an origin that nothing lets in.
    """

    def asks(_origin: str, request: Request) -> bool:
        wanted = request.headers.get("Access-Control-Request-Method", request.method)
        return wanted == "PUT"

    app = Flask("several", static_folder=None)
    policies = {
        "own": Policy(origins=own, allow_credentials=True, methods=["PUT"]),
        "partners": Policy(
            origins=partner, deny_origins=denied, methods=["DELETE"], allow_headers="X-A"
        ),
        "public": Policy(origins="*", methods=[]),
        "asks": Policy(origins=asks),
    }
    CorsGuard(app, ["own", "partners", "public"], policies=policies)
    closed, asking = cors(["own", "partners"]), cors(["own", "asks", "public"])
    for name, mark in {"open": None, "closed": closed, "asking": asking}.items():

        def view() -> str:
            return request.method

        methods = ["GET", "POST", "PUT", "DELETE"]
        app.add_url_rule(f"/{name}", name, mark(view) if mark else view, methods=methods)
    return app


# By page, and by what they show: calls, one after the other. Each has URLs of its own.
CALLS: dict[str, dict[str, list[Call]]] = {
    "own": {
        "reads": [Call("GET /open", True, "GET"), Call("GET /closed", True, "GET")],
        "with credentials": [Call("GET /open", True, "GET", INCLUDE)],
        "asks once": [
            Call("PUT /open", True, "OPTIONS PUT"),
            Call("PUT /open", True, "PUT"),
            # What partners may do is not remembered for it.
            Call("DELETE /open", False, "OPTIONS"),
        ],
        "asks once with credentials": [
            Call("PUT /closed", True, "OPTIONS PUT", INCLUDE),
            Call("PUT /closed", True, "PUT", INCLUDE),
        ],
        "not with another's headers": [Call("GET /open", False, "OPTIONS", X_A)],
        "asks each time beside a callable that takes the request": [
            Call("PUT /asking", True, "OPTIONS PUT"),
            Call("PUT /asking", True, "OPTIONS PUT"),
        ],
    },
    "partner": {
        "reads": [Call("GET /open", True, "GET"), Call("GET /closed", True, "GET")],
        "not with credentials": [Call("GET /open", False, "GET", INCLUDE)],
        "asks once": [
            Call("DELETE /open", True, "OPTIONS DELETE"),
            Call("DELETE /open", True, "DELETE"),
            Call("PUT /open", False, "OPTIONS"),
        ],
        "asks once for headers": [
            Call("GET /closed", True, "OPTIONS GET", X_A),
            Call("GET /closed", True, "GET", X_A),
            Call("POST /closed", False, "OPTIONS", JSON),
        ],
        # Where it would have been allowed, had it not asked with credentials.
        "remembers nothing for credentials": [
            Call("DELETE /open", True, "OPTIONS DELETE"),
            Call("DELETE /open", False, "OPTIONS", INCLUDE),
        ],
    },
    "denied": {
        "reads nothing": [
            Call("GET /open", False, "GET"),
            Call("GET /open", False, "GET", INCLUDE),
            Call("PUT /open", False, "OPTIONS"),
            Call("GET /closed", False, "GET"),
        ],
    },
    "other": {
        "reads what everybody may": [Call("GET /open", True, "GET")],
        "not with credentials": [Call("GET /open", False, "GET", INCLUDE)],
        "not what others may": [
            Call("PUT /open", False, "OPTIONS"),
            Call("DELETE /open", False, "OPTIONS"),
            Call("GET /open", False, "OPTIONS", X_A),
            Call("GET /closed", False, "GET"),
            Call("DELETE /closed", False, "OPTIONS"),
        ],
        "asks once for headers": [
            Call("POST /open", True, "OPTIONS POST", JSON),
            Call("POST /open", True, "POST", JSON),
        ],
        "by a callable for one method, by * for the others": [
            Call("PUT /asking", True, "OPTIONS PUT"),
            Call("DELETE /asking", False, "OPTIONS"),
            Call("GET /asking", True, "GET"),
            Call("PUT /asking", True, "OPTIONS PUT"),
        ],
    },
    "null": {
        "reads what everybody may": [Call("GET /open", True, "GET")],
        "not with credentials": [Call("GET /open", False, "GET", INCLUDE)],
        "asks, perhaps each time": [
            Call("POST /open", True, "OPTIONS POST", JSON),
            Call("POST /open", True, None, JSON),
        ],
        "not what others may": [
            Call("PUT /open", False, "OPTIONS"),
            Call("GET /closed", False, "GET"),
        ],
    },
}
#: Page and name of each.
CASES = [(page, case) for page in CALLS for case in CALLS[page]]
