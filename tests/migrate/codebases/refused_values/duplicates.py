from flask import Flask
from flask_cors import CORS

app = Flask("duplicates")
CORS(app, origins=["https://app.example.com", "https://app.example.com"], methods=["GET", "GET"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
