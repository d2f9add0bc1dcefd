from flask import Flask
from flask_cors import CORS

app = Flask("upper")
CORS(app, origins=["https://App.Example.com"])


@app.get("/")
def root():
    return "root"
