from flask import Blueprint
from flask_cors import CORS

bp = Blueprint("comments", __name__)
CORS(bp, origins=["https://app.example.com", "https://admin.example.com"], methods=["GET", "POST"])


@bp.route("/", methods=["GET", "POST"])
def comments():
    return {"comments": []}


@bp.delete("/<int:number>")
def remove(number):
    return "", 204
