from flask import Flask
from flask.views import MethodView
from flask_cors import cross_origin

app = Flask(__name__)


@app.route("/a")
@cross_origin(origins="https://app.example.com")
@app.route("/b", endpoint="between_b")
def between():
    return "between"


@app.route("/c")
@app.route("/d")
@cross_origin(origins="https://app.example.com")
def below():
    return "below"


def shared():
    return "shared"


app.add_url_rule("/open", "open", cross_origin()(shared))
app.add_url_rule("/closed", "closed", shared)


class Base(MethodView):
    decorators = [cross_origin(origins="https://app.example.com")]

    def get(self):
        return "base"


class Closed(Base):
    decorators = []


class Method(MethodView):
    @cross_origin(origins="https://app.example.com")
    def get(self):
        return "method"

    def put(self):
        return "method"


app.add_url_rule("/base", view_func=Base.as_view("base"))
app.add_url_rule("/subclass", view_func=Closed.as_view("subclass"))
app.add_url_rule("/method", view_func=Method.as_view("method"))
