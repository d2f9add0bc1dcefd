from flask import Blueprint, Flask
from flask_cors import CORS

parent = Blueprint("parent", __name__, url_prefix="/v1")
child = Blueprint("child", __name__, url_prefix="/child")
CORS(parent, origins=["https://app.example.com"])
CORS(child, origins=["https://admin.example.com"])


@parent.get("/top")
def top():
    return "top"


@child.get("/leaf")
def leaf():
    return "leaf"


parent.register_blueprint(child)
app = Flask("blueprints")
app.register_blueprint(parent)
