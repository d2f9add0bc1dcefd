from flask import Flask
from flask_cors import CORS

app = Flask("response_headers")
CORS(
    app,
    origins=["https://app.example.com"],
    methods=["get", "put", "OPTIONS"],
    allow_headers=["Content-Type", "Authorization", "Origin", "Access-Control-Allow-Origin"],
    expose_headers=["Content-Type", "X-Total", "Access-Control-Allow-Origin", "Set-Cookie"],
)


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
