from flask import Flask
from flask_cors import cross_origin

app = Flask("view")


@app.route("/both")
@cross_origin(origins="https://app.example.com")
@cross_origin(origins="https://admin.example.com")
def both():
    return "both"


@app.route("/one")
@cross_origin(origins="https://admin.example.com")
def one():
    return "one"
