"""Errors and redirects carry the headers of the policy, whatever made them."""

from __future__ import annotations

import pytest
from flask import abort, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


@pytest.fixture(params=[False, True], ids=["default handlers", "handlers that return JSON"])
def api(app, request):
    """An app whose views fail in every way, with and without error handlers of its own."""
    app.config["MAX_CONTENT_LENGTH"] = 10
    CorsGuard(app, origins=SHOP)
    if request.param:
        app.register_error_handler(HTTPException, lambda e: (jsonify(error=e.name), e.code))
        app.register_error_handler(ZeroDivisionError, lambda e: (jsonify(error=str(e)), 500))
    partner = cors(origins=PARTNER)

    @app.put("/abort/<int:status>")
    @partner
    def failing(status):
        abort(status)

    @app.put("/raise")
    @partner
    def raising():
        return 1 / 0

    @app.put("/nothing")
    @partner
    def returning_nothing():
        return None

    @app.put("/upload")
    @partner
    def upload():
        return _read_form()

    @app.get("/only-get")
    @partner
    def only_get():
        return "ok"

    return app


def _read_form():
    return request.form["x"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/abort/400", 400),
        ("/abort/401", 401),
        ("/abort/403", 403),
        ("/abort/404", 404),
        ("/abort/418", 418),
        ("/abort/429", 429),
        ("/abort/500", 500),
        ("/abort/503", 503),
        ("/raise", 500),
        ("/nothing", 500),
        ("/upload", 413),
        ("/only-get", 405),
    ],
)
def test_errors_of_a_view(api, http, path, status):
    sent = {"method": "PUT", "data": {"x": "more than ten bytes"}}
    assert http.send(api, path, PARTNER, **sent) == http.allowed(PARTNER, status)
    assert http.send(api, path, SHOP, **sent) == http.refused(status)
    assert http.send(api, path, **sent) == http.refused(status)


def test_404(api, http):
    assert http.send(api, "/none", SHOP) == http.allowed(SHOP, 404)
    assert http.send(api, "/none", PARTNER) == http.refused(404)
    assert http.send(api, "/none") == http.refused(404)


def test_405_with_several_policies_at_the_url(app, http):
    CorsGuard(app)
    app.add_url_rule("/", "read", cors(origins=SHOP)(lambda: "ok"), methods=["GET"])
    app.add_url_rule("/", "write", cors(origins=PARTNER)(lambda: "ok"), methods=["PUT"])

    # The policy of *a* route at that URL, so of one and the same each time
    answers = [http.send(app, "/", origin, method="DELETE") for origin in (SHOP, PARTNER)]
    assert answers in (
        [http.allowed(SHOP, 405), http.refused(405)],
        [http.refused(405), http.allowed(PARTNER, 405)],
    )


def test_an_error_handler_that_raises(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: abort(404))
    app.register_error_handler(404, lambda _: 1 / 0)

    assert http.send(app, "/", SHOP) == http.allowed(SHOP, 500)
    assert http.send(app, "/", PARTNER) == http.refused(500)


def test_redirects_of_the_url_map(app, http, moved):
    CorsGuard(app, origins=SHOP)
    path, location = moved

    response = http.open(app, path, PARTNER)
    assert response.location == f"http://localhost{location}"
    assert http.send(app, path, PARTNER) == http.allowed(PARTNER, 308)
    assert http.send(app, path, SHOP) == http.refused(308)
    assert http.send(app, path) == http.refused(308)
    # A browser follows no redirect of a preflight: it has to be answered in place.
    granted = http.granted(PARTNER, "GET, HEAD, OPTIONS, PUT")
    assert http.preflight(app, path, PARTNER) == granted
    assert http.preflight(app, path, SHOP) == http.denied()


def test_a_redirect_of_the_url_map_to_another_site(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/away", "away", redirect_to="https://elsewhere.example/orders")

    assert http.send(app, "/away", SHOP) == http.allowed(SHOP, 308)
    assert http.send(app, "/away", PARTNER) == http.refused(308)


@pytest.mark.usefixtures("flask_3_1")
def test_a_host_that_the_app_does_not_trust(app, http):
    app.config["TRUSTED_HOSTS"] = ["shop.test"]
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", cors(origins=PARTNER)(lambda: "ok"))

    trusted, other = {"base_url": "http://shop.test"}, {"base_url": "http://other.test"}
    assert http.send(app, "/", PARTNER, **trusted) == http.allowed(PARTNER)
    assert http.send(app, "/", SHOP, **other) == http.allowed(SHOP, 400)
    assert http.send(app, "/", PARTNER, **other) == http.refused(400)


def test_a_converter_that_raises(app, http):
    class Broken(BaseConverter):
        def to_python(self, value):
            return 1 / 0

    app.url_map.converters["broken"] = Broken
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/<broken:x>", "index", lambda x: x)

    assert http.send(app, "/a", SHOP) == http.allowed(SHOP, 500)
    assert http.send(app, "/a", PARTNER) == http.refused(500)


@pytest.mark.parametrize("registered", ["before init_app", "after init_app"])
@pytest.mark.parametrize("on", ["app", "view"])
def test_an_after_request_function_that_raises(app, http, registered, on):
    def fail(_response):
        raise ZeroDivisionError

    if registered == "before init_app":
        _fail_after(app, on, fail)
    CorsGuard(app, origins=SHOP)
    if registered == "after init_app":
        _fail_after(app, on, fail)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP, 500)
    assert http.send(app, "/", PARTNER, method="PUT") == http.refused(500)


def _fail_after(app, on, fail):
    if on == "app":
        app.after_request(fail)
    else:
        app.before_request(lambda: app.after_request_funcs.setdefault(None, []).append(fail))


def test_an_after_request_function_that_raises_once(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    failures = [ZeroDivisionError, None]

    @app.after_request
    def fail_once(response):
        if failure := failures.pop(0):
            raise failure
        return response

    assert http.send(app, "/", SHOP) == http.allowed(SHOP, 500)


def test_in_testing_mode_the_exception_reaches_the_test(app, http):
    app.testing = True
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        http.send(app, "/", SHOP)
