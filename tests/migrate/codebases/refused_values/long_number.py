from flask import Flask
from flask_cors import CORS

app = Flask("long_number")
CORS(app, origins=["https://app.example.com"], max_age=31536000)


@app.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
