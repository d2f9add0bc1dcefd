"""The page: the same files, served from an origin that is allowed and from one that is not."""

from __future__ import annotations

from pathlib import Path

from cases import CASES, TRANSFERS
from flask import Flask, Response
from flask.typing import ResponseReturnValue
from origins import Origins

STATIC = Path(__file__).with_name("static")


def create_page(page: str, origins: Origins) -> Flask:
    """Build the server of one page.

    :param page: ``"allowed"`` or ``"stranger"``.
    :param origins: where everything is.
    """
    app = Flask(f"demo_page_{page}", static_folder=STATIC, static_url_path="/static")

    @app.get("/")
    def index() -> ResponseReturnValue:
        return app.send_static_file("index.html")

    @app.get("/cases.json")
    def cases() -> ResponseReturnValue:
        return {
            "page": page,
            "api": origins.api,
            "otherPage": origins.of_page("stranger" if page == "allowed" else "allowed"),
            "cases": [case.as_json(page) for case in CASES],
            "transfers": [
                {**transfer.as_json(page), "origin": origins.of_account(transfer.account)}
                for transfer in TRANSFERS
            ],
        }

    accounts = f"{origins.unprotected} {origins.protected}"

    @app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
            f" connect-src 'self' {origins.api} {accounts}; form-action {accounts};"
            f" frame-src {accounts}; base-uri 'none'"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    return app
