from flask import Flask
from flask.views import MethodView
from flask_cors import CORS, cross_origin


class Namespace:
    """Resources with the same decorators, as REST extensions have it."""

    def __init__(self, name, decorators=()):
        self.name = name
        self.decorators = decorators
        self.resources = []

    def route(self, url):
        def register(resource):
            self.resources.append((url, resource))
            return resource

        return register


cars = Namespace("cars", decorators=[cross_origin(origins=["https://app.example.com"])])
parts = Namespace("parts")


@cars.route("/cars")
class Cars(MethodView):
    def get(self):
        return []

    def post(self):
        return {"id": 1}, 201


@parts.route("/parts")
class Parts(MethodView):
    def get(self):
        return []


app = Flask(__name__)
CORS(app, resources=r"/parts/*")
for namespace in (cars, parts):
    for url, resource in namespace.resources:
        view = resource.as_view(resource.__name__)
        for decorator in namespace.decorators:
            view = decorator(view)
        app.add_url_rule(f"/{namespace.name}{url}", view_func=view)
