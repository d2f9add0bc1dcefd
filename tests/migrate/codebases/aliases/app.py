import flask_cors as fc
from flask import Flask
from flask_cors import CORS as FlaskCors
from flask_cors import cross_origin as open_to

app = Flask("aliases")
FlaskCors(app, origins=["https://app.example.com"])

other = Flask("other")


@app.get("/a")
def a():
    return "a"


@other.get("/b")
@open_to(origins=["https://admin.example.com"])
def b():
    return "b"


@other.get("/c")
@fc.cross_origin(origins="https://app.example.com")
def c():
    return "c"


def CORS(value):
    """Not what it sounds like."""
    return value


CORS("kept")
