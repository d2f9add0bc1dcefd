# -*- coding: latin-1 -*-
from flask import Flask
from flask_cors import CORS

app = Flask("latin")
CORS(app, origins=["https://app.example.com"])  # für die Oberfläche


@app.get("/cafe")
def cafe():
    return {"name": "Café"}
