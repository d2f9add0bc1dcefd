from flask import Flask
from flask_cors import CORS

app = Flask("joined_headers")
CORS(app, origins=["https://app.example.com"], allow_headers="Content-Type,Authorization")


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
