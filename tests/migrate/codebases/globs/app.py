from flask import Flask
from flask_cors import CORS, cross_origin

app = Flask(__name__)
CORS(app, origins=["https://*.example.com", "http://localhost:*"])


@app.get("/maps")
def maps():
    return []


@app.get("/tiles")
@cross_origin(origins="https://app.example.com")
def tiles():
    return []
