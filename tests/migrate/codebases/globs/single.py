from flask import Flask
from flask_cors import cross_origin

site = Flask("single")


@site.route("/tiles")
@cross_origin(origins="https://*.example.com")
def tiles():
    return []


@site.route("/legend")
@cross_origin(origins="https://app.example.com")
def legend():
    return []
