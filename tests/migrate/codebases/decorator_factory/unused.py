from flask import Flask
from flask_cors import CORS, cross_origin

app = Flask("unused")
# CORS(app)


@app.get("/")
def root():
    return "root"
