"""Audits an app that was not written for it, and writes down what was found, as JSON.

``python tests/audit/real_apps.py httpbin strict``

It runs in a process of its own: one of these packages replaces the standard library's sockets,
others keep one app for the whole process.
"""

import inspect
import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Flask
from flask.views import MethodView

from flask_corsguard import CorsGuard, cors_exempt
from flask_corsguard.audit import audit

APP = "https://app.example.com"


def handler() -> Callable[..., Any]:
    """A new method for a view class."""
    return lambda self, **_: []


def httpbin() -> Flask:
    from httpbin import app

    return app


def moto(service: str) -> Flask:
    from moto.moto_server.werkzeug_app import create_backend_app

    return create_backend_app(service)  # type: ignore[arg-type]


def locust(login: bool = False) -> Flask:
    from locust.env import Environment
    from locust.web import WebUI

    environment = Environment()
    environment.create_local_runner()
    app = WebUI(environment, "127.0.0.1", 0, web_login=login, delayed_start=True).app
    assert app is not None
    return app


def flask_restx() -> Flask:
    from flask_restx import Api, Resource

    app = Flask("restx_app")
    api = Api(app, title="Shop")
    items = api.namespace("items", description="Items")

    @items.route("/")
    class Items(Resource):
        get, post = handler(), handler()

    @items.route("/<int:number>")
    class Item(Resource):
        get, put, delete = handler(), handler(), handler()

    return app


def flask_smorest() -> Flask:
    from flask_smorest import Api
    from flask_smorest import Blueprint as ApiBlueprint

    app = Flask("smorest_app")
    app.config.update(
        API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/docs"
    )
    api = Api(app)
    blueprint = ApiBlueprint("items", "items", url_prefix="/items")

    @blueprint.route("/")
    class Items(MethodView):
        get = blueprint.response(200)(handler())
        post = blueprint.response(201)(handler())

    @blueprint.route("/<int:number>")
    class Item(MethodView):
        put, delete = blueprint.response(200)(handler()), handler()

    api.register_blueprint(blueprint)
    return app


def flasgger() -> Flask:
    from flasgger import Swagger

    app = Flask("flasgger_app")
    Swagger(app)
    api = Blueprint("api", __name__, url_prefix="/api")
    for number in range(8):
        api.add_url_rule(f"/{number}", f"view_{number}", lambda: "", methods=["GET", "POST"])
    app.register_blueprint(api)
    return app


def flask_admin() -> Flask:
    from flask_admin import Admin, BaseView, expose
    from flask_admin.contrib.fileadmin import FileAdmin

    app = Flask("admin_app")
    app.secret_key = "x"
    admin = Admin(app, name="Shop")

    class Report(BaseView):
        index = expose("/")(handler())
        run = expose("/run", methods=["POST"])(handler())

    admin.add_view(Report(name="Report"))
    admin.add_view(FileAdmin("/tmp", "/files", name="Files"))
    return app


APPS: dict[str, Callable[[], Flask]] = {
    **{f"moto_{service}": partial(moto, service) for service in ("s3", "apigateway", "iot")},
    "locust_with_login": partial(locust, login=True),
    **{
        each.__name__: each
        for each in (httpbin, locust, flask_restx, flask_smorest, flasgger, flask_admin)
    },
}


def guarded(app: Flask, **fields: Any) -> list[list[Any]]:
    """Guard the app with nothing but a default policy."""
    CorsGuard(app, **fields)
    return []


def seeded(app: Flask) -> list[list[Any]]:
    """Make a mistake at each of some endpoints: [code, endpoint]."""
    guard = CorsGuard(app, origins=APP)
    posts = sorted({rule.endpoint for rule in app.url_map.iter_rules() if "POST" in rule.methods})
    others = iter(sorted({rule.endpoint for rule in app.url_map.iter_rules()} - set(posts[:1])))
    acting = {"allow_credentials": True, "enforce": "unsafe"}
    wrong: list[list[Any]] = []

    def put(code: str, endpoint: str | None, **fields: Any) -> None:
        if endpoint is not None:
            guard.for_endpoint(endpoint, **fields)
            wrong.append([code, endpoint])

    put("credentials_without_enforce", posts[0] if posts else None, allow_credentials=True)
    loose = re.compile(r"https://.*example\.com")
    put("neighbour_allowed", next(others, None), origins=loose)
    put("null_allowed", next(others, None), origins="null", dangerously_allow_null_origin=True)
    put("max_age_ignored", next(others, None), max_age=86400)
    put("public_suffix_wildcard", next(others, None), origins="https://*.github.io")
    put("anybody_allowed", next(others, None), origins=lambda origin: "evil" not in origin)
    put(
        "subdomains_with_credentials", next(others, None), origins="https://*.example.com", **acting
    )
    plain = {"origins": "http://app.example.com", "dangerously_allow_insecure_origins": True}
    put("insecure_origin", next(others, None), **plain, **acting)
    put("check_failed", next(others, None), origins=lambda origin: None)
    return wrong


def exempted(app: Flask) -> list[list[Any]]:
    """Guard the app, but leave one route alone."""
    CorsGuard(app, origins=APP)
    views = app.view_functions.items()
    cors_exempt(min((e, v) for e, v in views if not inspect.ismethod(v) and "static" not in e)[1])
    return []


VARIANTS: dict[str, Callable[[Flask], list[list[Any]]]] = {
    "strict": partial(guarded, origins=APP),
    "strict_with_credentials": partial(
        guarded, origins=APP, allow_credentials=True, enforce="unsafe"
    ),
    "for_everybody": partial(guarded, origins="*"),
    "seeded": seeded,
    "exempted": exempted,
}


def main(name: str, variant: str) -> None:
    app = APPS[name]()
    wrong = VARIANTS[variant](app)
    ran: list[None] = []
    app.before_request(lambda: ran.append(None))
    started = time.process_time()
    report = audit(app)
    seconds = time.process_time() - started
    found = [
        {name: getattr(f, name) for name in ("code", "source", "location", "message")}
        | {"level": f.level.name, "endpoints": sorted({route.endpoint for route in f.routes})}
        for f in report.findings
    ]
    rules = len(list(app.url_map.iter_rules()))
    told = {"found": found, "wrong": wrong, "routes": report.routes, "rules": rules}
    sys.stdout.write(json.dumps({**told, "ran": len(ran), "seconds": round(seconds, 2)}, indent=1))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
