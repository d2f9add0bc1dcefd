import re

from flask import Flask
from flask_cors import CORS

app = Flask("insecure_pattern")
CORS(app, origins=re.compile(r"^https?://app\.example\.com$"), supports_credentials=True)


@app.get("/")
def root():
    return "root"
