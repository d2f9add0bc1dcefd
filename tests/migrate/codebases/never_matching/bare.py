from flask import Flask
from flask_cors import CORS

app = Flask("bare")
CORS(app, origins=["app.example.com", "https://admin.example.com:443"])


@app.get("/")
def root():
    return "root"
