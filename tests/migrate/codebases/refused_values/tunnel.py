from flask import Flask
from flask_cors import CORS

app = Flask("tunnel")
CORS(app, origins=["https://app.example.com"], methods=["GET", "PUT", "TRACE"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
