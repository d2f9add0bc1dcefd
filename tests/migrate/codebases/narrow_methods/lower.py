from flask import Flask
from flask_cors import CORS

app = Flask("lower")
CORS(app, methods="get, put", origins=["https://app.example.com"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root"
