from flask import Flask
from flask_cors import CORS, cross_origin

app = Flask(__name__)


@app.route("/votes", methods=["GET", "POST"])
@cross_origin(origins=["https://app.example.com"], methods=["POST"])
def votes():
    return []


app2 = Flask("app2")
CORS(app2, methods=["PUT"], origins=["https://app.example.com"], allow_headers=["X-Custom"])


@app2.route("/votes", methods=["GET", "PUT"])
def votes_too():
    return []


app3 = Flask("app3")
CORS(app3, methods="get, put", origins=["https://app.example.com"])


@app3.route("/votes", methods=["GET", "PUT"])
def votes_three():
    return []
