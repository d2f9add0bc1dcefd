from flask import Flask
from flask_cors import CORS

app = Flask("resource")
CORS(app, resource={r"/api/*": {"origins": "https://app.example.com"}})


@app.get("/")
def root():
    return "root"
