from flask import Flask
from flask_cors import CORS

app = Flask("in_list")
CORS(app, origins=["*"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
