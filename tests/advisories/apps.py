"""Apps with pages, and what they are served with: the guard, or a stand-in for what was vulnerable,
which has the flaw and as little else as will do."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from flask import Flask, Response, request
from flask_cors import CORS

from flask_corsguard import CorsGuard, Policy, PolicyError, cors

SHOP = "https://shop.example"
EVIL = "https://evil.example"
Origins = str | Iterable[str] | re.Pattern[str]


def pages(origins: Mapping[str, Origins], method: str = "GET") -> Flask:
    """An app without a guard, with a page at each URL rule that says which one it is.

    :param origins: who may read each of them, once there is a guard.
    """
    app = Flask("site", static_folder=None)
    for rule, allowed in origins.items():
        view = cors(origins=allowed)(lambda rule=rule, **_: rule)
        app.add_url_rule(rule, rule, view, methods=[method])
    return app


def refusal(**fields: Any) -> list[str]:
    """The codes of what is wrong with a policy."""
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    return [problem.code for problem in caught.value.problems]


def unmarked() -> Flask:
    """An app with one page, which has no policy of its own."""
    app = Flask("site", static_folder=None)
    app.add_url_rule("/", "index", lambda: "page")
    return app


def guarded(app: Flask, **fields: Any) -> Flask:
    CorsGuard(app, **fields)
    return app


def by_flask_cors(app: Flask, **options: Any) -> Flask:
    """Flask-CORS 6.0.5 itself."""
    CORS(app, **options)
    return app


def by_path(
    app: Flask, resources: Mapping[str, str], read: Callable[[str], str] = str, flags: int = 0
) -> Flask:
    """Flask-CORS before 6.0: of the patterns that the path matches, the longest counts.

    :param resources: the origin that may read, by pattern.
    :param read: changes the path before it is matched.
    """
    patterns = sorted(resources, key=len, reverse=True)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for pattern in patterns:
            if re.match(pattern, read(request.path), flags):
                if resources[pattern] in ("*", request.headers["Origin"]):
                    response.headers["Access-Control-Allow-Origin"] = resources[pattern]
                break
        return response

    return app


def by_origin(app: Flask, may_read: Callable[[str], object], **headers: str) -> Flask:
    """An allow-list that is looked through in the wrong way.

    :param headers: further headers, by their last words: ``allow_credentials="true"``.
    """

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers["Origin"]
        if may_read(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            for name, value in headers.items():
                response.headers[f"Access-Control-{name.replace('_', '-').title()}"] = value
        return response

    return app
