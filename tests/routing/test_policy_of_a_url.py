"""Which policy a URL has: blueprints, prefixes, hosts, mount points."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import Rule

from flask_corsguard import CorsGuard, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"
EVERYBODY = (SHOP, PARTNER, ADMIN)


def readers(http, app, path, **options):
    """The origins that may read *path*; every answer is checked as a whole."""
    found = []
    for origin in EVERYBODY:
        answer = http.send(app, path, origin, **options)
        if "Access-Control-Allow-Origin" in answer.cors:
            assert answer == http.allowed(origin, answer.status)
            found.append(origin)
        else:
            assert answer == http.refused(answer.status)
        allowed = origin in found
        preflight = http.preflight(app, path, origin, "GET", **options)
        assert preflight.status == (204 if allowed else 403)
        assert preflight.cors.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    return found


def nested_app():
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)
    outer = cors(origins=PARTNER)(Blueprint("outer", __name__, url_prefix="/outer"))
    inner = cors(origins=ADMIN)(Blueprint("inner", __name__, url_prefix="/inner"))
    plain = Blueprint("plain", __name__, url_prefix="/plain")
    for blueprint in (outer, inner, plain):
        blueprint.add_url_rule("/", "index", lambda: "ok")
        blueprint.add_url_rule("/mine", "mine", cors(origins=SHOP)(lambda: "ok"))
    outer.register_blueprint(inner)
    outer.register_blueprint(plain)
    app.register_blueprint(outer)
    app.add_url_rule("/", "index", lambda: "ok")
    return app


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        ("/", SHOP),
        ("/outer/", PARTNER),
        ("/outer/mine", SHOP),
        ("/outer/inner/", ADMIN),
        ("/outer/inner/mine", SHOP),
        pytest.param("/outer/plain/", PARTNER, id="an unmarked blueprint in a marked one"),
        ("/outer/plain/mine", SHOP),
        pytest.param("/outer/none", PARTNER, id="404 under a prefix"),
        pytest.param("/outer/inner/none", ADMIN, id="404 under a nested prefix"),
        pytest.param("/outer/inner", ADMIN, id="redirect to a slash"),
        pytest.param("/outer/inner/a/b/c", ADMIN, id="404 deep under a prefix"),
        pytest.param("/outer/plain/none", PARTNER, id="404 under an unmarked nested prefix"),
        pytest.param("/outer/innermost", PARTNER, id="a prefix covers whole segments: inner"),
        pytest.param("/outermost", SHOP, id="a prefix covers whole segments: outer"),
        pytest.param("/none", SHOP, id="404 elsewhere"),
    ],
)
def test_nested_blueprints(http, path, reader):
    assert readers(http, nested_app(), path) == [reader]


def test_fields_of_nested_blueprints_add_up(app, http):
    outer = cors(origins=PARTNER, max_age=5)(Blueprint("outer", __name__, url_prefix="/outer"))
    inner = cors(allow_headers="X-Inner")(Blueprint("inner", __name__, url_prefix="/inner"))
    inner.add_url_rule("/", "index", cors(allow_credentials=True)(lambda: "ok"), methods=["PUT"])
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    CorsGuard(app, origins=SHOP)

    assert http.preflight(app, "/outer/inner/", PARTNER, headers="x-inner") == http.granted(
        PARTNER, "OPTIONS, PUT", max_age="5", allow_headers="X-Inner", allow_credentials="true"
    )


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/none", "/v2", "/v2/", "/v2/none"])
def test_a_blueprint_registered_twice(app, http, path):
    api = cors(origins=PARTNER)(Blueprint("api", __name__))
    api.add_url_rule("/", "index", lambda: "ok")
    app.register_blueprint(api, name="one", url_prefix="/v1")
    app.register_blueprint(api, name="two", url_prefix="/v2")
    CorsGuard(app, origins=SHOP)

    assert readers(http, app, path) == [PARTNER]
    assert readers(http, app, "/v3/") == [SHOP]


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        ("/users/7/", PARTNER),
        ("/users/7/none", PARTNER),
        ("/users/7", PARTNER),
        pytest.param("/users/seven/none", SHOP, id="the converter does not fit"),
        ("/users/", SHOP),
        ("/users", SHOP),
    ],
)
def test_a_dynamic_prefix(app, http, path, reader):
    users = cors(origins=PARTNER)(Blueprint("users", __name__, url_prefix="/users/<int:id>"))
    users.add_url_rule("/", "index", lambda id: str(id))  # noqa: A006
    app.register_blueprint(users)
    CorsGuard(app, origins=SHOP)

    assert readers(http, app, path) == [reader]


def test_the_longest_prefix_claims_a_404(app, http):
    for name, prefix, origin in (
        ("api", "/api", PARTNER),
        ("admin", "/api/admin", ADMIN),
        ("rootless", None, SHOP),
    ):
        blueprint = cors(origins=origin)(Blueprint(name, __name__, url_prefix=prefix))
        app.register_blueprint(blueprint)
    CorsGuard(app)

    assert readers(http, app, "/api/none") == [PARTNER]
    assert readers(http, app, "/api/admin/none") == [ADMIN]
    assert readers(http, app, "/api/administrators") == [PARTNER]
    assert readers(http, app, "/none") == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "ODD"])
@pytest.mark.parametrize(
    ("path", "reader"), [("/none", SHOP), ("/api/none", PARTNER)], ids=["default", "blueprint"]
)
def test_script_gets_to_read_a_404_of_any_method(app, http, path, reader, method):
    app.register_blueprint(cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api")))
    CorsGuard(app, origins=SHOP)

    assert http.preflight(app, path, reader, method) == http.granted(reader, method)
    assert http.send(app, path, reader, method=method) == http.allowed(reader, 404)


@pytest.mark.parametrize(
    "method", ["", "TRACE", "connect", "P T", "é", "PUT, DELETE", "X" * 60_000]
)
def test_what_is_no_method_is_refused_everywhere(app, http, method):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    for path in ("/", "/none"):
        assert http.preflight(app, path, SHOP, method) == http.denied()


@pytest.mark.parametrize(
    ("host", "path", "reader"),
    [
        ("api.example", "/", PARTNER),
        ("www.example", "/", SHOP),
        ("eu.pages.example", "/", ADMIN),
        pytest.param("api.example", "/none", SHOP, id="404"),
        pytest.param("other.example", "/", SHOP, id="unknown host"),
    ],
)
def test_host_matching(http, host, path, reader):
    app = Flask("shop", host_matching=True, static_host="static.example")
    app.add_url_rule("/", "www", lambda: "ok", host="www.example")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), host="api.example")
    app.add_url_rule(
        "/", "pages", cors(origins=ADMIN)(lambda region: region), host="<region>.pages.example"
    )
    CorsGuard(app, origins=SHOP)

    assert readers(http, app, path, base_url=f"http://{host}/") == [reader]


@pytest.mark.parametrize(
    ("host", "path", "reader"),
    [
        ("shop.test", "/", SHOP),
        ("api.shop.test", "/", PARTNER),
        ("admin.shop.test", "/v1/", ADMIN),
        pytest.param("admin.shop.test", "/v1/none", ADMIN, id="404 under a prefix"),
        pytest.param("shop.test", "/v1/none", SHOP, id="the prefix on another subdomain"),
        pytest.param("api.shop.test", "/none", SHOP, id="404"),
    ],
)
def test_subdomains(http, host, path, reader):
    app = Flask("shop", subdomain_matching=True, static_folder=None)
    app.config["SERVER_NAME"] = "shop.test"
    app.add_url_rule("/", "www", lambda: "ok")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), subdomain="api")
    admin = Blueprint("admin", __name__, url_prefix="/v1", subdomain="admin")
    cors(origins=ADMIN)(admin).add_url_rule("/", "index", lambda: "ok")
    app.register_blueprint(admin)
    CorsGuard(app, origins=SHOP)

    assert readers(http, app, path, base_url=f"http://{host}/") == [reader]


def mounted_app():
    app = Flask("shop", static_folder=None)
    api = cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/orders/", "orders", lambda: "ok")
    app.register_blueprint(api)
    app.add_url_rule("/", "index", lambda: "ok")
    CorsGuard(app, origins=SHOP)
    return app


MOUNTED = [
    ("", SHOP),
    ("api/orders/", PARTNER),
    pytest.param("api/orders", PARTNER, id="redirect to a slash"),
    pytest.param("api//orders/", PARTNER, id="redirect to merged slashes"),
    pytest.param("api/none", PARTNER, id="404 under a prefix"),
    pytest.param("none", SHOP, id="404"),
]


@pytest.mark.parametrize(("path", "reader"), MOUNTED)
def test_application_root(http, path, reader):
    app = mounted_app()
    app.config["APPLICATION_ROOT"] = "/mount"

    assert readers(http, app, f"/{path}") == [reader]


@pytest.mark.parametrize(("path", "reader"), MOUNTED)
def test_script_name(http, path, reader):
    app = mounted_app()
    app.wsgi_app = DispatcherMiddleware(Flask("outside"), {"/mount": app.wsgi_app})

    assert readers(http, app, f"http://localhost/mount/{path}") == [reader]


def test_a_rule_for_every_method(app, http):
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = lambda: "ok"
    CorsGuard(app, origins=SHOP)

    assert http.preflight(app, "/any", SHOP, "ODD") == http.granted(SHOP, "ODD")
    assert http.preflight(app, "/any", SHOP, "PUT") == http.granted(SHOP, "PUT")
    assert http.preflight(app, "/any", PARTNER, "ODD") == http.denied()
