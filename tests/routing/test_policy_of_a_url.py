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
    ("path", "reader", "status"),
    [
        ("/", SHOP, 200),
        ("/outer/", PARTNER, 200),
        ("/outer/mine", SHOP, 200),
        ("/outer/inner/", ADMIN, 200),
        ("/outer/inner/mine", SHOP, 200),
        pytest.param("/outer/plain/", PARTNER, 200, id="an unmarked blueprint in a marked one"),
        ("/outer/plain/mine", SHOP, 200),
        pytest.param("/outer/none", PARTNER, 404, id="404 under a prefix"),
        pytest.param("/outer/inner/none", ADMIN, 404, id="404 under a nested prefix"),
        pytest.param("/outer/inner", ADMIN, 308, id="redirect to a slash"),
        pytest.param("/outer/inner/a/b/c", ADMIN, 404, id="404 deep under a prefix"),
        pytest.param("/outer/plain/none", PARTNER, 404, id="404 under an unmarked nested prefix"),
        pytest.param("/outer/innermost", PARTNER, 404, id="a prefix covers whole segments: inner"),
        pytest.param("/outermost", SHOP, 404, id="a prefix covers whole segments: outer"),
        pytest.param("/none", SHOP, 404, id="404 elsewhere"),
    ],
)
def test_nested_blueprints(http, path, reader, status):
    """The innermost mark counts; a 404 has the mark of the longest prefix."""
    assert http.readers(nested_app(), path, status=status) == [reader]


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


def test_a_blueprint_registered_twice(app, http):
    api = cors(origins=PARTNER)(Blueprint("api", __name__))
    api.add_url_rule("/", "index", lambda: "ok")
    app.register_blueprint(api, name="one", url_prefix="/v1")
    app.register_blueprint(api, name="two", url_prefix="/v2")
    CorsGuard(app, origins=SHOP)

    for prefix in ("/v1", "/v2"):
        assert http.readers(app, prefix, status=308) == [PARTNER]
        assert http.readers(app, f"{prefix}/") == [PARTNER]
        assert http.readers(app, f"{prefix}/none", status=404) == [PARTNER]
    assert http.readers(app, "/v3/", status=404) == [SHOP]


@pytest.mark.parametrize(
    ("path", "reader", "status"),
    [
        ("/users/7/", PARTNER, 200),
        ("/users/7/none", PARTNER, 404),
        ("/users/7", PARTNER, 308),
        pytest.param("/users/seven/none", SHOP, 404, id="the converter does not fit"),
        ("/users/", SHOP, 404),
        ("/users", SHOP, 404),
    ],
)
def test_a_dynamic_prefix(app, http, path, reader, status):
    """A prefix with variables covers the URLs that its converters accept."""
    users = cors(origins=PARTNER)(Blueprint("users", __name__, url_prefix="/users/<int:id>"))
    users.add_url_rule("/", "index", lambda id: str(id))  # noqa: A006
    app.register_blueprint(users)
    CorsGuard(app, origins=SHOP)

    assert http.readers(app, path, status=status) == [reader]


@pytest.mark.parametrize(
    ("prefixes", "path", "under"),
    [
        (["", "/api"], "/api/none", "/api"),
        (["", "/api"], "/none", None),
        (["/api"], "/api", "/api"),
        (["/api"], "/api/", "/api"),
        (["/api"], "/api//none", "/api"),
        (["/a/b"], "/a//b/none", None),
        (["/api/"], "/api", "/api/"),
        (["/api/"], "/api/none", "/api/"),
        (["/api/"], "/apix", None),
        (["/fax"], "/fa/none", None),
        (["/faX"], "/faX/none", "/faX"),
        (["/"], "/", "/"),
        (["/"], "/none", "/"),
        (["/<lang>", "/api"], "/api/none", "/api"),
        (["/<lang>", "/api"], "/de/none", "/<lang>"),
        (["/<lang>", "/<lang>/<int:id>"], "/de/7/none", "/<lang>/<int:id>"),
        (["/<lang>", "/<lang>/<int:id>"], "/de/x/none", "/<lang>"),
        (["/<path:any>/x", "/<int:id>"], "/7/none", "/<int:id>"),
    ],
)
def test_the_prefix_that_a_404_lies_under(app, http, heard, prefixes, path, under):
    """The one that Werkzeug's routing prefers. What is under none has the default policy."""
    for number, prefix in enumerate(prefixes):
        blueprint = cors(origins=SHOP)(Blueprint(f"api{number}", __name__, url_prefix=prefix))
        app.register_blueprint(blueprint)
    CorsGuard(app, origins=SHOP)
    http.send(app, path, PARTNER)
    (sent,) = heard
    expected = f"blueprint api{prefixes.index(under)}" if under else "default"
    assert sent.decision.policy_source == expected


def test_a_404_on_the_default_subdomain(http):
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    app.url_map.default_subdomain = "www"
    app.register_blueprint(cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api")))
    CorsGuard(app, origins=SHOP)
    for host, reader in (("www.shop.test", PARTNER), ("other.shop.test", SHOP)):
        url = f"http://{host}/"
        assert http.readers(app, "/api/none", status=404, base_url=url) == [reader]


def test_the_longest_prefix_has_the_say_about_a_404(app, http):
    for name, prefix, origin in (
        ("api", "/api", PARTNER),
        ("admin", "/api/admin", ADMIN),
        ("rootless", None, SHOP),
    ):
        blueprint = cors(origins=origin)(Blueprint(name, __name__, url_prefix=prefix))
        app.register_blueprint(blueprint)
    CorsGuard(app)

    for path, readers in (
        ("/api/none", [PARTNER]),
        ("/api/admin/none", [ADMIN]),
        ("/api/administrators", [PARTNER]),
        ("/none", []),
    ):
        assert http.readers(app, path, status=404) == readers


@pytest.mark.parametrize(
    ("path", "reader"), [("/none", SHOP), ("/api/none", PARTNER)], ids=["default", "blueprint"]
)
def test_a_page_gets_to_read_a_404_of_any_method(app, http, path, reader):
    app.register_blueprint(cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api")))
    CorsGuard(app, origins=SHOP)

    for method in ("GET", "PUT", "DELETE", "PATCH", "ODD"):
        assert http.readers(app, path, method, status=404) == [reader]
        assert http.preflight(app, path, reader, method) == http.granted(reader, method)


@pytest.mark.parametrize(
    "method",
    ["", "TRACE", "connect", "P T", "é", "PUT, DELETE", pytest.param("X" * 60_000, id="long")],
)
def test_what_is_not_a_method_is_refused_everywhere(app, http, method):
    """What is not a method is refused even at a URL without a route, which allows any method."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    for path in ("/", "/none"):
        assert http.preflight(app, path, SHOP, method) == http.denied()


@pytest.mark.parametrize(
    ("host", "path", "reader", "status"),
    [
        ("api.example", "/", PARTNER, 200),
        ("www.example", "/", SHOP, 200),
        ("eu.pages.example", "/", ADMIN, 200),
        pytest.param("api.example", "/none", SHOP, 404, id="404"),
        pytest.param("other.example", "/", SHOP, 404, id="unknown host"),
    ],
)
def test_host_matching(http, host, path, reader, status):
    """With host matching, the route of the host counts."""
    app = Flask("shop", host_matching=True, static_host="static.example")
    app.add_url_rule("/", "www", lambda: "ok", host="www.example")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), host="api.example")
    app.add_url_rule(
        "/", "pages", cors(origins=ADMIN)(lambda region: region), host="<region>.pages.example"
    )
    CorsGuard(app, origins=SHOP)

    assert http.readers(app, path, status=status, base_url=f"http://{host}/") == [reader]


@pytest.mark.parametrize(
    ("host", "path", "reader", "status"),
    [
        ("shop.test", "/", SHOP, 200),
        ("api.shop.test", "/", PARTNER, 200),
        ("admin.shop.test", "/v1/", ADMIN, 200),
        pytest.param("admin.shop.test", "/v1/none", ADMIN, 404, id="404 under a prefix"),
        pytest.param("shop.test", "/v1/none", SHOP, 404, id="the prefix on another subdomain"),
        pytest.param("api.shop.test", "/none", SHOP, 404, id="404"),
    ],
)
def test_subdomains(http, host, path, reader, status):
    """The prefix of a blueprint covers its own subdomain only."""
    app = Flask("shop", subdomain_matching=True, static_folder=None)
    app.config["SERVER_NAME"] = "shop.test"
    app.add_url_rule("/", "www", lambda: "ok")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), subdomain="api")
    admin = Blueprint("admin", __name__, url_prefix="/v1", subdomain="admin")
    cors(origins=ADMIN)(admin).add_url_rule("/", "index", lambda: "ok")
    app.register_blueprint(admin)
    CorsGuard(app, origins=SHOP)

    assert http.readers(app, path, status=status, base_url=f"http://{host}/") == [reader]


@pytest.mark.parametrize(
    ("path", "reader", "status"),
    [
        ("", SHOP, 200),
        ("api/orders/", PARTNER, 200),
        pytest.param("api/orders", PARTNER, 308, id="redirect to a slash"),
        pytest.param("api//orders/", PARTNER, 308, id="redirect to merged slashes"),
        pytest.param("api/none", PARTNER, 404, id="404 under a prefix"),
        pytest.param("none", SHOP, 404, id="404"),
    ],
)
@pytest.mark.parametrize("how", ["APPLICATION_ROOT", "SCRIPT_NAME"])
def test_mounted(app, http, how, path, reader, status):
    """A mounted app finds its routes and prefixes below its root."""
    api = cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/orders/", "orders", lambda: "ok")
    app.register_blueprint(api)
    app.add_url_rule("/", "index", lambda: "ok")
    CorsGuard(app, origins=SHOP)
    url = f"/{path}"
    if how == "APPLICATION_ROOT":
        app.config["APPLICATION_ROOT"] = "/mount"
    else:
        app.wsgi_app = DispatcherMiddleware(Flask("outside"), {"/mount": app.wsgi_app})
        url = f"http://localhost/mount/{path}"

    assert http.readers(app, url, status=status) == [reader]


def test_a_rule_for_every_method(app, http):
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = lambda: "ok"
    CorsGuard(app, origins=SHOP)

    assert http.preflight(app, "/any", SHOP, "ODD") == http.granted(SHOP, "ODD")
    assert http.preflight(app, "/any", SHOP, "PUT") == http.granted(SHOP, "PUT")
    assert http.preflight(app, "/any", PARTNER, "ODD") == http.denied()
