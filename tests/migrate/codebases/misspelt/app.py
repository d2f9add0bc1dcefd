from flask import Flask, jsonify
from flask_cors import CORS, cross_origin

app = Flask(__name__)
CORS(app, origin=["https://app.example.com"])


@app.route("/robots", methods=["GET", "PUT"])
def robots():
    return jsonify([])


view = Flask("view")


@view.route("/robots", methods=["GET", "PUT"])
@cross_origin(origin="https://app.example.com", headers=["Content-Type"])
def robots_of_view():
    return jsonify([])


keyed = Flask("keyed")
keyed.config["CORS_ORIGIN"] = "https://app.example.com"
CORS(keyed)


@keyed.route("/robots")
def keyed_robots():
    return jsonify([])
