"""What makes an API's views."""

from collections.abc import Callable
from typing import Any

from flask import Flask, jsonify, request
from flask.views import MethodView

from flask_corsguard import cors

from .around import through_asgi
from .extension import APP, PARTNER, Extension, Page, Scope


class Item:
    """The methods of a view class with the default policy, one for each framework."""

    def get(self) -> Any:
        return {"name": "book"}

    put = post = get


class Fails:
    def get(self) -> Any:
        raise LookupError("as a test wants it")

    put = post = get


CLASSES = {"item": Item, "marked": Item, "guarded": Item, "fails": Fails}
MARKS = {"marked": cors(origins=[PARTNER]), "guarded": cors(enforce="unsafe")}


def view_classes(base: type) -> dict[str, Any]:
    """Classes of a framework's own, by the last part of their paths."""
    found = {name: type(name, (kind, base), {}) for name, kind in CLASSES.items()}
    for name, mark in MARKS.items():
        mark(found[name])
    return found


def flask_smorest(app: Flask) -> Scope:
    import marshmallow
    from flask_smorest import Api, Blueprint

    app.config.update(
        API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/docs"
    )
    api = Api(app)
    blueprint = Blueprint("api", "api", url_prefix="/api")
    for name, kind in view_classes(MethodView).items():
        blueprint.route(f"/{name}")(kind)

    class Order(marshmallow.Schema):
        number = marshmallow.fields.Integer(required=True)

    @blueprint.route("/orders")
    class Orders(MethodView):
        @blueprint.response(200, Order(many=True))
        @blueprint.paginate()
        def get(self, pagination_parameters: Any) -> list[Any]:
            pagination_parameters.item_count = 30
            return [{"number": pagination_parameters.first_item}]

        @blueprint.arguments(Order)
        @blueprint.response(201, Order)
        def post(self, order: Any) -> Any:
            return order

    api.register_blueprint(blueprint)
    return {"api": api, "blueprint": blueprint}


def checks_and_pages(page: Page) -> None:
    page.preflight("/api/orders", "POST", "Content-Type")
    assert page.read("POST", "/api/orders", 201, json={"number": "7"}).json == {"number": 7}
    assert "number" in page.read("POST", "/api/orders", 422, json={}).text
    response = page.read("GET", "/api/orders?page=2")
    assert response.json == [{"number": 10}]
    assert '"total_pages": 3' in response.headers["X-Pagination"]
    assert "X-Pagination" in response.headers["Access-Control-Expose-Headers"]
    assert "/api/orders" in page.read("GET", "/docs/openapi.json").text


def flask_restx(app: Flask) -> Scope:
    from flask_restx import Api, Resource, fields

    api = Api(app, prefix="/api", doc="/docs")
    for name, kind in view_classes(Resource).items():
        api.add_resource(kind, f"/{name}", endpoint=f"api.{name}")
    order = api.model("Order", {"number": fields.Integer(required=True)})

    @api.route("/orders")
    class Orders(Resource):
        @api.expect(order, validate=True)
        @api.marshal_with(order)
        def post(self) -> Any:
            return {"number": 7, "secret": 1}

    return {"api": api}


def checks(page: Page) -> None:
    page.preflight("/api/orders", "POST", "Content-Type")
    assert page.read("POST", "/api/orders", json={"number": 7}).json == {"number": 7}
    assert "number" in page.read("POST", "/api/orders", 400, json={}).text


def flask_restful(app: Flask) -> Scope:
    from flask_restful import Api, Resource, reqparse

    api = Api(app, prefix="/api")
    for name, kind in view_classes(Resource).items():
        api.add_resource(kind, f"/{name}", endpoint=f"api.{name}")
    parser = reqparse.RequestParser()
    parser.add_argument("number", type=int, required=True)

    class Orders(Resource):
        def post(self) -> Any:
            return {"number": parser.parse_args()["number"]}

    api.add_resource(Orders, "/orders")
    return {"api": api}


def apiflask() -> Flask:
    from apiflask import APIFlask

    return APIFlask("shop", static_folder=None, docs_path="/docs")


def apiflask_views(app: Any) -> Scope:
    from apiflask import APIBlueprint, Schema
    from apiflask.fields import Integer

    blueprint = APIBlueprint("api", "api", url_prefix="/api")
    for name, kind in view_classes(MethodView).items():
        blueprint.add_url_rule(f"/{name}", view_func=kind.as_view(name))

    class Order(Schema):
        number = Integer(required=True)

    @blueprint.post("/orders")
    @blueprint.input(Order)
    @blueprint.output(Order)
    def orders(json_data: Any) -> Any:
        return json_data

    app.register_blueprint(blueprint)
    return {"blueprint": blueprint}


def checks_with_422(page: Page) -> None:
    page.preflight("/api/orders", "POST", "Content-Type")
    assert page.read("POST", "/api/orders", json={"number": "7"}).json == {"number": 7}
    assert "number" in page.read("POST", "/api/orders", 422, json={}).text
    assert "/api/orders" in page.read("GET", "/openapi.json").text


def openapi3() -> Flask:
    from flask_openapi3 import Info, OpenAPI

    return OpenAPI("shop", info=Info(title="Shop", version="1"), static_folder=None)


def function_of(kind: type, name: str) -> Callable[[], Any]:
    """A function that does what the method of a class does."""

    def view() -> Any:
        return kind().get()

    view.__name__ = name
    return view


def openapi3_views(app: Any) -> Scope:
    from flask_openapi3 import APIBlueprint
    from pydantic import BaseModel

    blueprint = APIBlueprint("api", "api", url_prefix="/api")
    for name, kind in CLASSES.items():
        for method in ("get", "put", "post"):
            view = function_of(kind, f"{method}_{name}")
            getattr(blueprint, method)(f"/{name}")(MARKS[name](view) if name in MARKS else view)

    class Order(BaseModel):
        number: int

    @blueprint.post("/orders")
    def orders(body: Order) -> Any:
        return {"number": body.number}

    app.register_api(blueprint)
    return {"blueprint": blueprint}


def checks_with_its_page(page: Page) -> None:
    page.preflight("/api/orders", "POST", "Content-Type")
    assert page.read("POST", "/api/orders", json={"number": "7"}).json == {"number": 7}
    assert "number" in page.read("POST", "/api/orders", 422, json={}).text
    assert "/api/orders" in page.read("GET", "/openapi/openapi.json").text


QUERY = {"query": "{ book(number: 7) }"}


def strawberry(app: Flask) -> Scope:
    import strawberry
    from strawberry.flask.views import GraphQLView

    @strawberry.type
    class Query:
        @strawberry.field
        def book(self, number: int) -> str:
            return f"book {number}"

    view = GraphQLView.as_view("graphql", schema=strawberry.Schema(Query))
    app.add_url_rule("/graphql", view_func=view)
    return {"view": view}


def graphene(app: Flask) -> Scope:
    import graphene

    class Query(graphene.ObjectType):
        book = graphene.String(number=graphene.Int())

        def resolve_book(self, info: Any, number: int) -> str:
            return f"book {number}"

    schema = graphene.Schema(query=Query)

    @app.post("/graphql")
    def graphql() -> Any:
        done = schema.execute(request.get_json()["query"])
        if done.errors:
            return jsonify(errors=[error.formatted for error in done.errors])
        return jsonify(data=done.data)

    return {"schema": schema}


def resolves(page: Page) -> None:
    page.preflight("/graphql", "POST", "Content-Type")
    response = page.read("POST", "/graphql", json=QUERY)
    assert response.json == {"data": {"book": "book 7"}}
    response = page.send("POST", "/graphql", json={"query": "{ film }"})
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "Cannot query field" in response.json["errors"][0]["message"]  # type: ignore[index]


# Connexion looks the functions up by their names.
SPECIFICATION = """
openapi: 3.0.0
info: {title: Shop, version: "1"}
paths:
%s
  /api/orders:
    post:
      operationId: order
      requestBody:
        content:
          application/json:
            schema: {type: object, required: [number], properties: {number: {type: integer}}}
      responses: {200: {description: An order}}
"""
PATH = """\
  /api/%s:
    get: {operationId: "get.%s", responses: {200: {description: Any}}}
    put: {operationId: "put.%s", responses: {200: {description: Any}}}
    post: {operationId: "post.%s", responses: {200: {description: Any}}}
"""


def connexion_app(**options: Any) -> Flask:
    import connexion

    made = connexion.FlaskApp("shop", **options)
    app: Flask = made.app
    app.extensions["connexion"] = made
    return app


def connexion_resolver(views: dict[str, Any]) -> Any:
    from connexion.resolver import Resolver

    return Resolver(views.__getitem__)


def connexion_3(app: Flask) -> Scope:
    from connexion.middleware import MiddlewarePosition

    return {"MiddlewarePosition": MiddlewarePosition, **connexion(app)}


def connexion(app: Flask) -> Scope:
    import yaml

    def order(body: Any) -> Any:
        return {"number": body["number"]}

    views = {"order": order}
    for name, kind in CLASSES.items():
        for method in ("get", "put", "post"):
            view = function_of(kind, f"{method}_{name}")
            views[f"{method}.{name}"] = MARKS[name](view) if name in MARKS else view
    paths = "".join(PATH.replace("%s", name) for name in CLASSES)
    made = app.extensions["connexion"]
    made.add_api(yaml.safe_load(SPECIFICATION % paths), resolver=connexion_resolver(views))
    return {"connexion_app": made}


ORDERS = "/api/orders"

EXTENSIONS = [
    Extension(
        "flask-smorest",
        ("flask_smorest",),
        flask_smorest,
        checks_and_pages,
        (("POST", ORDERS, 422),),
        api=True,
    ),
    Extension(
        "Flask-RESTX", ("flask_restx",), flask_restx, checks, (("POST", ORDERS, 400),), api=True
    ),
    Extension(
        "Flask-RESTful",
        ("flask_restful",),
        flask_restful,
        checks,
        (("POST", ORDERS, 400),),
        api=True,
    ),
    Extension(
        "APIFlask",
        ("apiflask",),
        apiflask_views,
        checks_with_422,
        (("POST", ORDERS, 422),),
        api=True,
        make=apiflask,
    ),
    Extension(
        "flask-openapi3",
        ("flask_openapi3",),
        openapi3_views,
        checks_with_its_page,
        (("POST", ORDERS, 422),),
        api=True,
        make=openapi3,
    ),
    Extension(
        "Connexion 3",
        ("connexion.middleware", "yaml"),
        connexion_3,
        checks,
        (("POST", ORDERS, 400),),
        api=True,
        make=connexion_app,
        served=lambda scope: through_asgi(scope["connexion_app"]),
    ),
    Extension(
        "Connexion 2",
        ("connexion.apis.flask_api", "yaml"),
        connexion,
        checks,
        (("POST", ORDERS, 400),),
        api=True,
        make=connexion_app,
        group="extensions-older",
    ),
    Extension("Strawberry", ("strawberry",), strawberry, resolves, (("POST", "/graphql", 400),)),
    Extension("Graphene", ("graphene",), graphene, resolves, group="extensions-older"),
]
