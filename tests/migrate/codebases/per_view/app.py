from flask import Flask, abort, jsonify
from flask_cors import cross_origin

app = Flask(__name__)


@app.route("/")
def index():
    return "closed"


@app.route("/status")
@cross_origin()
def status():
    return jsonify(status="ok")


@app.route("/rates", methods=["GET", "POST"])
@cross_origin(origins=["https://app.example.com"], allow_headers=["Content-Type", "X-Custom"], max_age=600)
def rates():
    return jsonify([]), 200, {"X-Total": "0"}


@app.route("/account", methods=["GET", "PUT"])
@cross_origin(
    origins="https://app.example.com",
    supports_credentials=True,
    expose_headers=["X-Total"],
)
def account():
    return jsonify(name="Ada"), 200, {"X-Total": "1"}


@app.route("/secret")
@cross_origin(origins="https://admin.example.com")
def secret():
    abort(401)
