from flask import Flask
from flask_cors import cross_origin

app = Flask(__name__)


@app.route("/graphql", methods=["GET"])
def playground():
    return "playground"


@app.route("/graphql", methods=["POST"])
@cross_origin(origins=["https://app.example.com"])
def answer():
    return {"data": {}}


@app.route("/notes", methods=["GET"])
@cross_origin()
def read():
    return []


@app.route("/notes", methods=["PUT"])
@cross_origin(origins=["https://app.example.com"])
def write():
    return "", 204
