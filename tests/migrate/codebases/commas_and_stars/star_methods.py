from flask import Flask
from flask_cors import CORS

app = Flask("star_methods")
CORS(app, origins=["https://app.example.com"], methods=["*"])


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
