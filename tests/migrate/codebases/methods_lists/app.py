from datetime import timedelta

from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
CORS(
    app,
    origins=["https://app.example.com"],
    methods=["GET", "HEAD", "POST", "PUT", "OPTIONS"],
    allow_headers=["Content-Type", "Authorization", "X-Custom"],
    expose_headers=["X-Total", "X-Page"],
    max_age=timedelta(hours=1),
)


@app.route("/songs", methods=["GET", "POST"])
def songs():
    return [], 200, {"X-Total": "0", "X-Page": "1", "X-Other": "no"}


@app.route("/songs/<int:number>", methods=["GET", "PUT", "DELETE", "PATCH"])
def song(number):
    return {"number": number}
