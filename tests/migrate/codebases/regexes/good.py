import re

from flask import Flask
from flask_cors import CORS

app = Flask("good")
CORS(app, origins=[re.compile(r"^http://(localhost|127\.0\.0\.1):\d+$"), "https://app.example.com"])


@app.get("/data")
def data():
    return {"value": 1}


@app.put("/data")
def change():
    return {"value": 2}
