from flask import Flask
from flask_cors import CORS

app = Flask("any_pattern")
CORS(app, origins=r".*")


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
