from flask import Flask
from flask_cors import CORS

HOST = "app.example.com"
app = Flask("scalar")
CORS(app, resources={r"/*": {"origins": f"https://{HOST}"}}, max_age=86400, methods=["GET"])


@app.route("/", methods=["GET", "POST"])
def root():
    return "root"
