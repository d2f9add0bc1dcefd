import os

from flask import Flask
from flask_cors import CORS

app = Flask("either")
if os.environ.get("APP_DEBUG") == "1":
    CORS(app)
else:
    CORS(app, origins=["https://app.example.com"])


@app.get("/api/cart")
def cart():
    return {"items": []}
