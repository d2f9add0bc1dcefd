from flask import Flask
from flask_cors import cross_origin

app = Flask("view")


@app.route("/votes", methods=["GET", "POST"])
@cross_origin(origins=["https://app.example.com"], methods=["POST"])
def votes():
    return []
