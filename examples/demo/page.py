"""The page: the same files, served from an origin that is allowed and from one that is not."""

from __future__ import annotations

from pathlib import Path

from cases import CASES
from flask import Flask, Response
from flask.typing import ResponseReturnValue

STATIC = Path(__file__).with_name("static")


def create_page(page: str, *, api: str, other_page: str) -> Flask:
    """Build the server of one page.

    :param page: ``"allowed"`` or ``"stranger"``.
    :param api: the API's origin.
    :param other_page: the other page's origin, to link to.
    """
    app = Flask(f"demo_page_{page}", static_folder=STATIC, static_url_path="/static")

    @app.get("/")
    def index() -> ResponseReturnValue:
        return app.send_static_file("index.html")

    @app.get("/cases.json")
    def cases() -> ResponseReturnValue:
        return {
            "page": page,
            "api": api,
            "otherPage": other_page,
            "cases": [case.as_json(page) for case in CASES],
        }

    @app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
            f" connect-src 'self' {api}"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    return app
