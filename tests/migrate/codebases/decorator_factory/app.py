from functools import wraps

from flask import Flask, request
from flask_cors import CORS, cross_origin

app = Flask(__name__)


def role_required(role):
    def decorate(view):
        @cross_origin(origins=["https://app.example.com"], supports_credentials=True)
        @wraps(view)
        def wrapper(*args, **kwargs):
            if request.headers.get("Authorization") != f"Bearer {len(role)}":
                return {"error": "not yours"}, 401
            return view(*args, **kwargs)

        return wrapper

    return decorate


@app.route("/review", methods=["GET", "PUT"])
@role_required("a")
def review():
    return {"open": 3}


@app.route("/public")
def public():
    return "public"
