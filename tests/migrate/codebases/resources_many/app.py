from flask import Blueprint, Flask
from flask_cors import CORS

public = Blueprint("public", __name__, url_prefix="/api/public")
private = Blueprint("private", __name__, url_prefix="/api/private")


@public.get("/prices")
def prices():
    return [], 200, {"X-Total": "0"}


@private.route("/orders", methods=["GET", "PUT"])
def orders():
    return [], 200, {"X-Total": "0"}


def create_app():
    app = Flask(__name__)
    app.register_blueprint(public)
    app.register_blueprint(private)

    @app.get("/health")
    def health():
        return "ok"

    CORS(
        app,
        resources={
            r"/api/public/.*": {"origins": "*", "send_wildcard": True},
            r"/api/private/.*": {
                "origins": ["https://app.example.com"],
                "supports_credentials": True,
                "methods": ["GET", "PUT"],
            },
        },
        expose_headers=["X-Total"],
    )
    return app


def create_strict_app():
    app = Flask("strict")
    app.add_url_rule("/a", "a", lambda: "a")
    app.add_url_rule("/b", "b", lambda: "b")
    CORS(app, origins=["https://app.example.com"], resources={"/a": {"origins": "*"}})
    return app
