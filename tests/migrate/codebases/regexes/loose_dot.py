from flask import Flask
from flask_cors import CORS

app = Flask("loose_dot")
CORS(app, origins=["^https://app.example.com$"])


@app.get("/data")
def data():
    return {"value": 1}
