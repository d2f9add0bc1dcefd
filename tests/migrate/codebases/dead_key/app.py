from flask import Flask
from flask_cors import CORS


class Config:
    DEBUG = False


class CorsConfig:
    CORS_HEADERS = "Content-Type"


app = Flask(__name__)
app.config.from_object(Config)
app.config.from_object(CorsConfig)
if not app.debug:
    app.config["CORS_HEADERS"] = "Content-Type"
CORS(app)


@app.route("/tasks", methods=["GET", "POST"])
def tasks():
    return []
