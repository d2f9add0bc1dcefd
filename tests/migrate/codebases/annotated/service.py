from __future__ import annotations

from typing import Final

from flask import Flask, Response, jsonify
from flask_cors import CORS, cross_origin

ORIGINS: Final[list[str]] = ["https://app.example.com", "https://admin.example.com"]
cors: CORS = CORS()


def configure(app: Flask) -> None:
    cors.init_app(app, origins=ORIGINS)


def create_app() -> Flask:
    app: Flask = Flask(__name__)
    configure(app)

    @app.get("/reports")
    def reports() -> Response:
        return jsonify([])

    @app.get("/reports/public")
    @cross_origin()
    def public() -> Response:
        return jsonify([])

    return app
