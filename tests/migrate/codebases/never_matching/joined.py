from flask import Flask
from flask_cors import CORS

app = Flask("joined")
CORS(app, origins="https://app.example.com,https://admin.example.com")


@app.get("/")
def root():
    return "root"
