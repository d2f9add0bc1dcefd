from flask import Flask
from flask_cors import CORS

app = Flask("mixed")
CORS(app, origins=["*", "https://app.example.com"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
