import re

from flask import Flask
from flask_cors import CORS

app = Flask("any_pattern")
CORS(app, origins=re.compile(".*"), supports_credentials=True)


@app.get("/")
def root():
    return "root"
