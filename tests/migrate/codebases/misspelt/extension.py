from flask import Flask
from flask_cors import CORS

app = Flask("extension")
CORS(app, origin=["https://app.example.com"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root"
