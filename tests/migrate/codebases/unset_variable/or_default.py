import os

from flask import Flask
from flask_cors import CORS

app = Flask("or_default")
CORS(app, origins=[os.environ.get("FRONTEND_URL") or "https://admin.example.com"])


@app.get("/")
def root():
    return "root"
