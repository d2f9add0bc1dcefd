import os

from flask import Flask
from flask_cors import CORS

DEBUG = os.environ.get("APP_DEBUG") == "1"

app = Flask(__name__)

if DEBUG:
    # The dev server of the frontend runs on another port.
    CORS(app, origins=["http://localhost:5173"])


@app.get("/api/cart")
def cart():
    return {"items": []}


@app.put("/api/cart")
def fill():
    return {"items": [1]}
