from flask import Flask
from flask_cors import CORS


def create_app():
    app = Flask(__name__)

    from shop.api import bp as api_bp

    app.register_blueprint(api_bp, url_prefix="/api/v1")
    CORS(app, resources={r"/api/.*": {"origins": ["https://app.example.com"]}})

    @app.get("/")
    def home():
        return "home"

    return app
