import os

from flask import Flask
from flask_cors import CORS

app = Flask("either_way")
CORS(app, origins=os.environ.get("FRONTEND_URL", "*"))


@app.get("/")
def root():
    return "root"
