from flask import Flask, abort, request
from flask_cors import CORS

app = Flask(__name__)
CORS(app, origins=["https://app.example.com"], expose_headers=["X-Total"])


@app.before_request
def sign_in():
    if "Authorization" not in request.headers:
        abort(401)


@app.route("/data", methods=["GET", "PUT"])
def data():
    return [], 200, {"X-Total": "0"}
