"""The page: the same files, served from an origin that is allowed and from one that is not. The
server of the allowed one also changes the list of readers."""

from __future__ import annotations

from pathlib import Path

from api import Listener
from cases import CASES, LIVE_CASES, TRANSFERS
from flask import Flask, Response, abort, request
from flask.typing import ResponseReturnValue
from origins import Origins
from shared import Readers

from flask_corsguard import CorsGuard, Decision, origin_rejected

STATIC = Path(__file__).with_name("static")


def create_page(page: str, origins: Origins, readers: Readers, listener: Listener) -> Flask:
    """Build the server of one page.

    :param page: ``"allowed"`` or ``"stranger"``.
    :param origins: where everything is.
    :param readers: the file that the button changes.
    :param listener: see :func:`api.create_api`.
    """
    app = Flask(f"demo_page_{page}", static_folder=STATIC, static_url_path="/static")
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    # The button is for this server's own page: no other one can send a form in its place.
    CorsGuard(app, enforce="unsafe")

    @app.get("/")
    def index() -> ResponseReturnValue:
        return app.send_static_file("index.html")

    @app.get("/cases.json")
    def cases() -> ResponseReturnValue:
        return {
            "page": page,
            "api": origins.api,
            "otherPage": origins.of_page("stranger" if page == "allowed" else "allowed"),
            "liveCases": LIVE_CASES,
            "cases": [case.as_json(page) for case in CASES],
            "transfers": [
                {**transfer.as_json(page), "origin": origins.of_account(transfer.account)}
                for transfer in TRANSFERS
            ],
        }

    @app.get("/readers")
    def list_readers() -> ResponseReturnValue:
        return {"origins": readers.read()}

    if page == "allowed":

        @app.post("/readers")
        def change_readers() -> ResponseReturnValue:
            # A site whose name comes to mean 127.0.0.1 is same-origin with this server under its
            # own name alone.
            if request.host_url != f"{origins.allowed}/":
                abort(400, "The button works on the page that the demo names.")
            listed = request.form.get("listed")
            if listed not in {"one", "both"}:
                abort(400, "listed has to be 'one' or 'both'.")
            readers.write(both=listed == "both")
            return list_readers()

    def was_rejected(_sender: Flask, decision: Decision) -> None:
        listener("origin_rejected", decision)

    origin_rejected.connect(was_rejected, app, weak=False)
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
