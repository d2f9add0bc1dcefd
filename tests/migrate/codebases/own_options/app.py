from flask import Flask, jsonify
from flask_cors import cross_origin

app = Flask(__name__)


@app.route("/upload", methods=["PUT", "OPTIONS"])
@cross_origin(origins="https://app.example.com", automatic_options=False)
def upload():
    return jsonify(done=True)


@app.route("/private-network")
@cross_origin(allow_private_network=True, vary_header=False, always_send=False)
def printer():
    return jsonify([])
