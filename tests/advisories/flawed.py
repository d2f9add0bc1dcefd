"""Stand-ins for what was vulnerable: each has the flaw, and as little else as will do."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request
from flask_cors import CORS


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
