from flask import Flask
from flask_cors import CORS

app = Flask("none")
CORS(app, origins=None)


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
