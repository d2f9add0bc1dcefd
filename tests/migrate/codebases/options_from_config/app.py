from flask import Flask


class Config:
    ENABLE_CORS = True
    CORS_OPTIONS = {
        "origins": ["https://app.example.com"],
        "supports_credentials": True,
        "expose_headers": ["X-Total"],
    }


class Starter:
    def __init__(self, app):
        self.app = app
        self.config = app.config

    def configure_middlewares(self):
        if self.config["ENABLE_CORS"]:
            from flask_cors import CORS

            CORS(self.app, **self.config["CORS_OPTIONS"])


def create_app(config=Config):
    app = Flask(__name__)
    app.config.from_object(config)
    Starter(app).configure_middlewares()

    @app.route("/charts", methods=["GET", "POST"])
    def charts():
        return [], 200, {"X-Total": "0"}

    return app


def create_closed_app():
    return create_app(type("Closed", (Config,), {"ENABLE_CORS": False}))
