from flask import Flask
from flask_cors import CORS

app = Flask("joined_exposed")
CORS(app, origins=["https://app.example.com"], expose_headers="X-Total, X-Page")


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
