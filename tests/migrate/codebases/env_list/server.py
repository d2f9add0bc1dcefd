import os

from flask import Flask
from flask_cors import CORS

app = Flask(__name__)

origins = os.environ.get("ALLOWED_ORIGINS", "http://localhost:3000").split(",")
CORS(app, origins=origins)


@app.get("/weather")
def weather():
    return {"degrees": 21}


@app.post("/weather")
def report():
    return "", 201
