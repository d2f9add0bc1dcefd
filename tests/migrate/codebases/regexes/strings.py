from flask import Flask
from flask_cors import CORS

app = Flask("strings")
CORS(app, origins=r"^https://[a-z]+\.example\.com$")


@app.get("/data")
def data():
    return {"value": 1}
