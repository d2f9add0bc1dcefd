from flask import Flask
from flask_cors import cross_origin

application = Flask("stacked")


def counted(view):
    return view


@application.get("/plain")
def plain():
    return "plain"


@application.route("/twice", methods=["GET", "POST"])
@cross_origin(headers=["Content-Type", "Authorization"])
@cross_origin(headers=["Access-Control-Allow-Origin", "*"])
@counted
def twice():
    return "twice"


@application.get("/same")
@cross_origin(origins="https://app.example.com")
@cross_origin(origins="https://app.example.com")
def same():
    return "same"
