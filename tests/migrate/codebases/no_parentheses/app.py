from flask import Flask
from flask_cors import cross_origin

app = Flask(__name__)


@app.route("/bare")
@cross_origin
def bare():
    return "bare"


other = Flask("other")


@other.route("/positional", methods=["GET", "PUT"])
@cross_origin("https://app.example.com")
def positional():
    return "positional"
