from flask import Flask, jsonify
from flask_cors import CORS

app = Flask(__name__)
cors = CORS(app, resources={r"/api/*": {"origins": "*"}})


@app.route("/")
def home():
    return "<h1>Hello</h1>"


@app.route("/api/books", methods=["GET", "POST"])
def books():
    return jsonify([])


@app.route("/api/books/<isbn>", methods=["PUT"])
def book(isbn):
    return jsonify(isbn=isbn)


@app.route("/apikeys")
def keys():
    return jsonify(["one", "two"])


@app.route("/apis")
def other():
    return jsonify([])
