import os

from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
allowed = os.environ.get("APP_ORIGINS")
if allowed == "*":
    CORS(app, origins="*", methods=["GET", "POST", "DELETE"])
else:
    CORS(app, origins=["https://app.example.com"], supports_credentials=True)


@app.route("/runs", methods=["GET", "POST", "DELETE"])
def runs():
    return []
