from flask import Flask
from flask_cors import CORS, cross_origin

app = Flask(__name__)
CORS(
    app,
    origins=["https://app.example.com"],
    supports_credentials=True,
    expose_headers=["X-Total"],
    methods=["GET", "POST", "PUT"],
    allow_headers=["Content-Type", "X-Custom"],
)


@app.route("/inbox", methods=["GET", "PUT"])
def inbox():
    return [], 200, {"X-Total": "0"}


@app.route("/widget", methods=["GET", "PUT", "DELETE"])
@cross_origin(origins=["https://admin.example.com"])
def widget():
    return [], 200, {"X-Total": "0"}


@app.route("/public")
@cross_origin()
def public():
    return [], 200, {"X-Total": "0"}


@app.route("/limited", methods=["GET", "PUT"])
@cross_origin(methods=["GET"], origins="https://app.example.com", allow_headers="X-Custom")
def limited():
    return [], 200, {"X-Total": "0"}
