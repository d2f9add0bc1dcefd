from flask import Flask
from flask_cors import CORS

app = Flask("inner")
CORS(app, resources={r"/*": {"origin": "https://app.example.com"}})


@app.get("/")
def root():
    return "root"
