from flask import Flask
from flask_cors import CORS

import stages


def create_app(stage=stages.Production):
    app = Flask("parameter")
    app.config.from_object(stage)
    CORS(app)
    app.add_url_rule("/", "root", lambda: "root", methods=["GET", "PUT"])
    return app


def create_listed_app(stage="stages.Production"):
    app = Flask("listed")
    app.config.from_object(stage)
    CORS(app, origins=["https://admin.example.com"])
    app.add_url_rule("/", "root", lambda: "root", methods=["GET", "PUT"])
    return app
