from flask import Flask
from flask_cors import CORS

from config import config

cors = CORS()


def create_app(settings=config):
    app = Flask(__name__)
    app.config.from_object(settings)
    cors.init_app(app)

    @app.get("/notes")
    def notes():
        return [], {"X-Total": "0"}

    @app.put("/notes/<int:number>")
    def write(number):
        return {"number": number}

    return app
