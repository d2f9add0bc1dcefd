from flask import Flask

from .extensions import cors
from .settings import FRONTENDS


def create_app(settings=None):
    app = Flask(__name__)
    app.config.from_mapping(settings or {})

    cors.init_app(
        app,
        # Only what we host ourselves.
        origins=FRONTENDS,
        allow_headers=["Content-Type", "Authorization"],  # the token
        expose_headers=["X-Total"],
        supports_credentials=True,  # the basket is a cookie
        max_age=3600,
    )  # nothing else

    from .catalogue import catalogue

    app.register_blueprint(catalogue, url_prefix="/catalogue")
    return app
