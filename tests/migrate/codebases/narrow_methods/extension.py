from flask import Flask
from flask_cors import CORS

app = Flask("extension")
CORS(app, methods=["PUT"], origins=["https://app.example.com"], allow_headers=["X-Custom"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root"
