import os

from flask import Flask
from flask_cors import CORS

app = Flask("signed_in")
CORS(app, origins=os.environ.get("FRONTEND_URL", "*"), supports_credentials=True)


@app.get("/")
def root():
    return "root"
