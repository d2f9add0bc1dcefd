from functools import wraps

from flask import Flask, request
from flask_cors import CORS, cross_origin

app = Flask(__name__)


def counted(view):
    """Without functools.wraps."""

    def inner(*args, **kwargs):
        return view(*args, **kwargs)

    inner.__name__ = view.__name__
    return inner


def needs_token(view):
    @wraps(view)
    def inner(*args, **kwargs):
        if "Authorization" not in request.headers:
            return {"error": "sign in"}, 401
        return view(*args, **kwargs)

    return inner


@app.route("/a")
@cross_origin(origins="https://app.example.com")
@counted
def above():
    return "a"


@app.route("/b")
@counted
@cross_origin(origins="https://app.example.com")
def below():
    return "b"


@app.route("/c", methods=["GET", "PUT"])
@cross_origin(origins="https://app.example.com")
@needs_token
def above_token():
    return "c"


@app.route("/d", methods=["GET", "PUT"])
@needs_token
@cross_origin(origins="https://app.example.com")
def below_token():
    return "d"
