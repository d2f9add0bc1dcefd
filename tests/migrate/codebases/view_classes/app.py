from flask import Flask, jsonify
from flask.views import MethodView
from flask_cors import cross_origin

app = Flask(__name__)


class Api:
    """Registers resources, as REST extensions do."""

    def __init__(self, app):
        self.app = app

    def add_resource(self, resource, *urls):
        view = resource.as_view(resource.__name__.lower())
        for url in urls:
            self.app.add_url_rule(url, view_func=view)


def logged(view):
    return view


class Robots(MethodView):
    decorators = [cross_origin()]

    def get(self):
        return jsonify([])

    def post(self):
        return jsonify(id=1), 201


class Robot(MethodView):
    decorators = [cross_origin(origins=["https://app.example.com"], methods=["GET", "PUT"]), logged]

    def get(self, number):
        return jsonify(id=number)

    def put(self, number):
        return jsonify(id=number)

    def delete(self, number):
        return "", 204


class Parts(MethodView):
    def get(self):
        return jsonify([])


api = Api(app)
api.add_resource(Robots, "/robots")
api.add_resource(Robot, "/robots/<int:number>")
app.add_url_rule("/parts", view_func=Parts.as_view("parts"))
