from flask import Flask, jsonify
from flask_cors import cross_origin

app = Flask("view")


@app.route("/robots", methods=["GET", "PUT"])
@cross_origin(origin="https://app.example.com", headers=["Content-Type"])
def robots():
    return jsonify([])


@app.route("/parts")
@cross_origin(origins="https://app.example.com")
def parts():
    return jsonify([])
