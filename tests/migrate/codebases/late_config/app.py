import logging

from flask import Flask, jsonify
from flask_cors import CORS, cross_origin

logging.getLogger("flask_cors").level = logging.DEBUG

app = Flask(__name__)
cors = CORS(app)
app.config["CORS_ORIGINS"] = ["https://app.example.com"]


@app.route("/check", methods=["POST"])
def check():
    return jsonify([])


@app.route("/marked")
@cross_origin()
def marked():
    return jsonify([])
