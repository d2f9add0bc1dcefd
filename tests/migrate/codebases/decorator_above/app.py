from flask import Flask, jsonify
from flask_cors import cross_origin

app = Flask(__name__)


@cross_origin(origins="https://app.example.com")
@app.route("/quotes", methods=["GET", "POST"])
def quotes():
    return jsonify([])


@app.route("/quotes/random")
@cross_origin(origins="https://app.example.com")
def random_quote():
    return jsonify("...")
