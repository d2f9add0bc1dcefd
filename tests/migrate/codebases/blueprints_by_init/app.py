from flask import Blueprint, Flask
from flask_cors import CORS

cors = CORS()
articles = Blueprint("articles", __name__, url_prefix="/articles")
profiles = Blueprint("profiles", __name__, url_prefix="/profiles")


@articles.route("/", methods=["GET", "POST"])
def article():
    return []


@profiles.get("/<name>")
def profile(name):
    return {"name": name}


class Config:
    CORS_ORIGIN_WHITELIST = ["https://app.example.com", "http://localhost:3000"]


def create_app(config=Config):
    app = Flask(__name__)
    app.config.from_object(config)
    origins = app.config.get("CORS_ORIGIN_WHITELIST", "*")
    cors.init_app(articles, origins=origins)
    cors.init_app(profiles, origins=origins)
    app.register_blueprint(articles)
    app.register_blueprint(profiles)

    @app.get("/health")
    def health():
        return "ok"

    return app
