from flask import Flask
from flask_cors import CORS

app = Flask(__name__)

options = {
    "origins": ["https://app.example.com"],
    "methods": ["GET", "POST"],
    "supports_credentials": True,
}
CORS(app, **options)


@app.get("/mail")
def mail():
    return []


@app.put("/mail")
def move():
    return "", 204
