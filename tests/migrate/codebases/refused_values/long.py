from datetime import timedelta

from flask import Flask
from flask_cors import CORS

app = Flask("long")
CORS(app, origins=["https://app.example.com"], max_age=timedelta(days=10))


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
