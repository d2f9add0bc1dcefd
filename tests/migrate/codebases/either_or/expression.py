import os

from flask import Flask
from flask_cors import CORS

app = Flask("expression")
app.config["OPEN"] = bool(os.environ.get("APP_ORIGINS"))
cors = (
    CORS(app, resources=[r"/stac/*", r"/api/*"])
    if app.config.get("OPEN")
    else None
)


@app.get("/stac/items")
def items():
    return []


@app.route("/api/products", methods=["GET", "PUT"])
def products():
    return []


@app.get("/about")
def about():
    return "about"
