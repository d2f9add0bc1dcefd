import re

from flask import Flask
from flask_cors import CORS

app = Flask("null_pattern")
CORS(app, origins=re.compile(r"^(null|https://app\.example\.com)$"))


@app.get("/")
def root():
    return "root"
