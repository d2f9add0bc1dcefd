from flask import Blueprint, Flask
from flask_cors import CORS

parent = Blueprint("parent", __name__, url_prefix="/v1")
child = Blueprint("child", __name__, url_prefix="/child")
CORS(parent, origins=["https://app.example.com"])


@parent.get("/top")
def top():
    return "top"


@child.get("/leaf")
def leaf():
    return "leaf"


parent.register_blueprint(child)

first = Blueprint("first", __name__, url_prefix="/first")
second = Blueprint("second", __name__, url_prefix="/second")
first.add_url_rule("/", "root", lambda: "first")
second.add_url_rule("/", "root", lambda: "second")


def create_app():
    app = Flask(__name__)
    app.register_blueprint(parent)
    for blueprint in (first, second):
        CORS(blueprint, origins="https://admin.example.com")
        app.register_blueprint(blueprint)
    return app
