from flask import Flask
from flask_cors import CORS

app = Flask("null")
CORS(app, origins=["null", "https://app.example.com"])


@app.get("/")
def root():
    return "root"
