"""Errors and redirects carry the headers of the policy, whatever made them."""

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
    for rule, view, method in (
        ("/abort/<int:status>", lambda status: abort(status), "PUT"),
        ("/raise", lambda: 1 / 0, "PUT"),
        ("/nothing", lambda: None, "PUT"),
        ("/upload", lambda: _read_form(), "PUT"),
        ("/only-get", lambda: "ok", "GET"),
    ):
        app.add_url_rule(rule, rule, cors(origins=PARTNER)(view), methods=[method])
    return app


def _read_form():
    return request.form["x"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((f"/abort/{status}", status) for status in (400, 401, 403, 404, 418, 429, 500, 503)),
        ("/raise", 500),
        ("/nothing", 500),
        ("/upload", 413),
        ("/only-get", 405),
    ],
)
def test_errors_of_a_view(api, http, path, status):
    """A page that may read the view may read its errors."""
    data = {"x": "more than ten bytes"}
    assert http.readers(api, path, "PUT", status=status, data=data) == [PARTNER]
    assert http.send(api, path, method="PUT", data=data) == http.refused(status)


def test_404(api, http):
    assert http.readers(api, "/none", status=404) == [SHOP]
    assert http.send(api, "/none") == http.refused(404)


def test_405_with_several_policies_at_the_url(app, http):
    CorsGuard(app)
    app.add_url_rule("/", "read", cors(origins=SHOP)(lambda: "ok"), methods=["GET"])
    app.add_url_rule("/", "write", cors(origins=PARTNER)(lambda: "ok"), methods=["PUT"])

    # The policy of *a* route at that URL, so of one and the same each time.
    assert http.readers(app, "/", "DELETE", status=405) in ([SHOP], [PARTNER])


def test_an_error_handler_that_raises(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: abort(404))
    app.register_error_handler(404, lambda _: 1 / 0)

    assert http.readers(app, "/", status=500) == [SHOP]


def test_redirects_of_the_url_map(app, http, moved):
    CorsGuard(app, origins=SHOP)
    path, location = moved

    response = http.open(app, path, PARTNER)
    assert response.location == f"http://localhost{location}"
    # A browser follows no redirect of a preflight: the response has to be there.
    assert http.readers(app, path, "PUT", status=308) == [PARTNER]
    assert http.readers(app, path, status=308) == [PARTNER]
    assert http.send(app, path) == http.refused(308)
    granted = http.granted(PARTNER, "GET, HEAD, OPTIONS, PUT")
    assert http.preflight(app, path, PARTNER) == granted


def test_a_redirect_of_the_url_map_to_another_site(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/away", "away", redirect_to="https://elsewhere.example/orders")

    assert http.readers(app, "/away", status=308) == [SHOP]


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
def test_an_after_request_function_that_raises(site, http, registered, on):
    """If an ``after_request`` function raises, the 500 still has the headers of the policy."""

    def fail(_response):
        raise ZeroDivisionError

    def register():
        if on == "app":
            site.after_request(fail)
        else:
            site.before_request(lambda: site.after_request_funcs.setdefault(None, []).append(fail))

    if registered == "before init_app":
        register()
    CorsGuard(site, origins=SHOP)
    if registered == "after init_app":
        register()

    assert http.send(site, "/", SHOP, method="PUT") == http.allowed(SHOP, 500)
    assert http.send(site, "/", PARTNER, method="PUT") == http.refused(500)


def test_an_after_request_function_that_raises_once(site, http):
    CorsGuard(site, origins=SHOP)
    failures = [ZeroDivisionError, None]

    @site.after_request
    def fail_once(response):
        if failure := failures.pop(0):
            raise failure
        return response

    assert http.send(site, "/", SHOP) == http.allowed(SHOP, 500)


def test_in_testing_mode_the_exception_reaches_the_test(app, http):
    app.testing = True
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        http.send(app, "/", SHOP)
