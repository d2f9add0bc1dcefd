import re

from flask import Flask
from flask_cors import CORS

LOCAL = re.compile(r"^http://localhost:3000|https://app\.example\.com$")

app = Flask("alternatives")
CORS(app, origins=LOCAL)


@app.get("/data")
def data():
    return {"value": 1}
