from flask import Flask, jsonify
from flask_cors import CORS

app = Flask("pages")
CORS(app, origins=["https://app.example.com"])


@app.after_request
def show_total(response):
    response.headers["Access-Control-Expose-Headers"] = "X-Total"
    return response


@app.route("/list")
def pages():
    return jsonify([]), 200, {"X-Total": "0"}
