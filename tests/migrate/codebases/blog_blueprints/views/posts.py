from flask import Blueprint
from flask_cors import CORS

posts = Blueprint("posts", __name__, url_prefix="/posts")
CORS(posts)


@posts.get("/")
def index():
    return ["First post"]


@posts.get("/<slug>")
def show(slug):
    return {"slug": slug}
