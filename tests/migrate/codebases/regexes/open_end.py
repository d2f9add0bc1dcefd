import re

from flask import Flask
from flask_cors import CORS

app = Flask("open_end")
CORS(app, origins=[re.compile(r"https://app\.example\.com")])


@app.get("/data")
def data():
    return {"value": 1}
