"""What goes on the wire, header set by header set."""

from __future__ import annotations

import io

import pytest
from flask import Response, jsonify, make_response, request, send_file, session
from werkzeug.datastructures import Headers, MultiDict

from flask_corsguard import CorsGuard, cors

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
STAR = {"Access-Control-Allow-Origin": "*"}


def _file():
    return send_file(io.BytesIO(b"0123456789"), "text/plain", etag="v1", max_age=60)


def _stream():
    return Response((chunk for chunk in ("a", "b")), mimetype="text/plain")


@pytest.fixture
def pages(app):
    """Every kind of response, by path."""
    app.config["SECRET_KEY"] = "for tests"
    app.add_url_rule("/text", "text", lambda: "ok")
    app.add_url_rule("/json", "json", lambda: jsonify(ok=True))
    app.add_url_rule("/file", "file", _file)
    app.add_url_rule("/stream", "stream", _stream)
    app.add_url_rule("/empty", "empty", lambda: ("", 204))
    app.add_url_rule("/redirect", "redirect", lambda: ("", 302, {"Location": "/text"}))
    app.add_url_rule("/raise", "raise", lambda: 1 / 0)
    return app


RESPONSES = [
    ("/text", {}, 200),
    ("/json", {}, 200),
    ("/file", {}, 200),
    ("/stream", {}, 200),
    ("/empty", {}, 204),
    ("/redirect", {}, 302),
    ("/none", {}, 404),
    ("/raise", {}, 500),
    pytest.param("/text", {"method": "DELETE"}, 405, id="405"),
    pytest.param("/text", {"method": "HEAD"}, 200, id="HEAD"),
    pytest.param("/stream", {"method": "HEAD"}, 200, id="HEAD of a stream"),
    pytest.param("/text", {"method": "OPTIONS"}, 200, id="OPTIONS that is no preflight"),
    pytest.param("/file", {"headers": {"Range": "bytes=2-4"}}, 206, id="206"),
    pytest.param("/file", {"headers": {"Range": "bytes=99-"}}, 416, id="416"),
    pytest.param("/file", {"headers": {"If-None-Match": '"v1"'}}, 304, id="304"),
    pytest.param(
        "/text", {"headers": {"Access-Control-Request-Method": "PUT"}}, 200, id="GET+ACRM"
    ),
]


@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES)
def test_listed_origins(pages, http, path, sent, status):
    CorsGuard(pages, origins=[SHOP])
    assert http.send(pages, path, SHOP, **sent) == http.allowed(SHOP, status)
    assert http.send(pages, path, PARTNER, **sent) == http.refused(status)
    assert http.send(pages, path, **sent) == http.refused(status)


@pytest.mark.parametrize("origin", [None, SHOP, "null", "not an origin", "https://é.example"])
@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES)
def test_any_origin_is_constant(pages, http, path, sent, status, origin):
    CorsGuard(pages, origins="*")
    assert http.send(pages, path, origin, **sent) == (status, STAR)


@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES)
def test_any_origin_but_some(pages, http, path, sent, status):
    CorsGuard(pages, origins="*", deny_origins=PARTNER)
    assert http.send(pages, path, SHOP, **sent) == http.allowed(SHOP, status)
    assert http.send(pages, path, PARTNER, **sent) == http.refused(status)
    assert http.send(pages, path, **sent) == http.refused(status)


@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES)
def test_credentials_and_exposed_headers(pages, http, path, sent, status):
    CorsGuard(pages, origins=SHOP, allow_credentials=True, expose_headers=["X-Total", "ETag"])
    headers = http.allowed(SHOP).cors | {
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "ETag, X-Total",
    }
    assert http.send(pages, path, SHOP, **sent) == (status, headers)
    assert http.send(pages, path, PARTNER, **sent) == http.refused(status)


@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES)
def test_without_a_policy_nothing_is_allowed(pages, http, path, sent, status):
    CorsGuard(pages)
    assert http.send(pages, path, SHOP, **sent) == http.refused(status)
    assert http.send(pages, path, **sent) == http.refused(status)


PREFLIGHTS = [
    pytest.param({}, "PUT", None, {}, id="a listed origin"),
    pytest.param(
        {"allow_credentials": True}, "PUT", None, {"allow_credentials": "true"}, id="credentials"
    ),
    pytest.param({"max_age": None}, "PUT", None, {"max_age": None}, id="no max age"),
    pytest.param({"max_age": 0}, "PUT", None, {"max_age": "0"}, id="max age 0"),
    pytest.param({"allow_headers": ()}, "PUT", None, {"allow_headers": None}, id="no headers"),
    pytest.param({"allow_headers": "*"}, "PUT", "x-a,x-b", {"allow_headers": "*"}, id="headers *"),
    pytest.param(
        {"allow_headers": "*", "allow_credentials": True},
        "PUT",
        "x-a,x-b",
        {"allow_headers": "x-a, x-b", "allow_credentials": "true"},
        id="headers * with credentials",
    ),
    pytest.param(
        {"allow_headers": ["*", "Authorization"]},
        "PUT",
        "authorization,x-a",
        {"allow_headers": "*, Authorization"},
        id="headers * and Authorization",
    ),
    pytest.param({"methods": "*"}, "ODD", None, {"allow_methods": "*"}, id="methods *"),
    pytest.param(
        {"methods": "*", "allow_credentials": True},
        "ODD",
        None,
        {"allow_methods": "ODD", "allow_credentials": "true"},
        id="methods * with credentials",
    ),
    pytest.param({"methods": ["PUT"]}, "PUT", None, {"allow_methods": "PUT"}, id="methods listed"),
    pytest.param({}, "PUT", "content-type", {}, id="a listed header"),
    pytest.param({}, "PUT", "CONTENT-TYPE", {}, id="in upper case"),
    pytest.param({}, "PUT", " content-type ,\t,", {}, id="with white space and empty elements"),
    pytest.param(
        {"allow_headers": ["X-A", "X-B", "X-C"]},
        "PUT",
        "x-c,x-a",
        {"allow_headers": "X-A, X-B, X-C"},
        id="in any order",
    ),
]


@pytest.mark.parametrize(("fields", "method", "headers", "changes"), PREFLIGHTS)
def test_preflights_that_are_allowed(app, http, fields, method, headers, changes):
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    CorsGuard(app, origins=SHOP, **fields)

    granted = http.granted(SHOP, "GET, HEAD, OPTIONS, PUT", **changes)
    assert http.preflight(app, "/", SHOP, method, headers) == granted
    assert http.preflight(app, "/", PARTNER, method, headers) == http.denied()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("methods", "listed"), [((), None), (["PUT"], "PUT")], ids=["no methods", "PUT alone"]
)
def test_safelisted_methods_pass_any_preflight(app, http, method, methods, listed):
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT", "POST"])
    CorsGuard(app, origins=SHOP, methods=methods)

    answer = http.preflight(app, "/", SHOP, method, "content-type")
    # In the list or not: https://fetch.spec.whatwg.org/#cors-preflight-fetch asks for neither.
    named = answer.cors.get("Access-Control-Allow-Methods")
    assert named in (listed, method, f"{method}, {listed}", f"{listed}, {method}")
    assert answer == http.granted(SHOP, "", allow_methods=named)


@pytest.mark.parametrize(
    ("fields", "method", "headers", "code"),
    [
        ({}, "DELETE", None, "METHOD_NOT_ALLOWED"),
        ({}, "put", None, "METHOD_NOT_ALLOWED"),
        ({}, "", None, "METHOD_NOT_ALLOWED"),
        ({"methods": ()}, "PUT", None, "METHOD_NOT_ALLOWED"),
        ({"methods": ["DELETE"]}, "PUT", None, "METHOD_NOT_ALLOWED"),
        ({"methods": "*"}, "PUT, DELETE", None, "METHOD_NOT_ALLOWED"),
        ({"methods": "*"}, "P" * 60_000, None, "METHOD_NOT_ALLOWED"),
        ({}, "PUT", "x-other", "HEADERS_NOT_ALLOWED"),
        ({}, "PUT", "content-type,x-other", "HEADERS_NOT_ALLOWED"),
        ({"allow_headers": "*"}, "PUT", "authorization", "HEADERS_NOT_ALLOWED"),
        ({"allow_headers": "*", "allow_credentials": True}, "PUT", "authorization",
         "HEADERS_NOT_ALLOWED"),
        ({}, "PUT", "content type", "HEADERS_MALFORMED"),
        ({}, "PUT", "content-type\x00", "HEADERS_MALFORMED"),
        ({"allow_headers": "*"}, "PUT", "é", "HEADERS_MALFORMED"),
        ({"allow_headers": "*"}, "PUT", "x" * 60_000, "HEADERS_MALFORMED"),
        ({"allow_headers": "*"}, "PUT", "x," * 30_000, "HEADERS_MALFORMED"),
        ({"allow_headers": "*"}, "PUT", "," * 60_000, "HEADERS_MALFORMED"),
        ({"allow_headers": "*"}, "PUT", " " * 60_000, "HEADERS_MALFORMED"),
        ({"allow_headers": "*", "allow_credentials": True}, "PUT", "x," * 30_000,
         "HEADERS_MALFORMED"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)  # fmt: skip
def test_preflights_that_are_refused(app, http, fields, method, headers, code):
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    CorsGuard(app, origins=SHOP, **fields)

    assert http.preflight(app, "/", SHOP, method, headers) == http.denied()
    environ = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
    if headers is not None:
        environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"] = headers
    response = http.open(app, "/", SHOP, method="OPTIONS", environ=environ)
    assert response.mimetype == "application/problem+json"
    assert response.get_json(force=True)["code"] == code
    assert len(response.data) < 1000


def test_announced_headers_over_several_lines(app, http):
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    CorsGuard(app, origins=SHOP, allow_headers=["X-A", "X-B"])
    name = "Access-Control-Request-Headers"
    lines = [("Access-Control-Request-Method", "PUT"), (name, "x-a"), (name, "x-b")]

    granted = http.granted(SHOP, "OPTIONS, PUT", allow_headers="X-A, X-B")
    assert http.send(app, "/", SHOP, method="OPTIONS", headers=lines) == granted
    lines.append((name, "x-c"))
    assert http.send(app, "/", SHOP, method="OPTIONS", headers=lines) == http.denied()


def test_the_answer_to_a_preflight_has_no_body(app, http):
    app.add_url_rule("/", "index", lambda: "ok")
    CorsGuard(app, origins=SHOP)
    headers = {"Access-Control-Request-Method": "GET"}

    response = http.open(app, "/", SHOP, method="OPTIONS", headers=headers)
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers


def test_any_origin_answers_preflights_alike(app, http):
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    CorsGuard(app, origins="*")

    for origin in (SHOP, "null", "not an origin"):
        assert http.preflight(app, "/", origin) == http.granted("*", "OPTIONS, PUT")


@pytest.mark.parametrize(("allow", "answer"), [(False, None), (True, "true")])
def test_private_network(app, http, allow, answer):
    app.add_url_rule("/", "index", lambda: "ok")
    CorsGuard(app, origins=SHOP, allow_private_network=allow)
    headers = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }

    granted = http.granted(SHOP, "GET, HEAD, OPTIONS", allow_private_network=answer)
    expected = granted if allow else http.denied()
    assert http.send(app, "/", SHOP, method="OPTIONS", headers=headers) == expected
    del headers["Access-Control-Request-Private-Network"]
    granted = http.granted(SHOP, "GET, HEAD, OPTIONS")
    assert http.send(app, "/", SHOP, method="OPTIONS", headers=headers) == granted


# Views that set headers themselves


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        ("Accept", "Accept, Origin"),
        ("Accept, Cookie", "Accept, Cookie, Origin"),
        ("Origin", "Origin"),
        ("origin", "origin"),
        ("Accept,Origin", "Accept, Origin"),
        ("*", "*"),
    ],
)
def test_a_view_that_sets_vary(app, http, own, merged):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("ok", {"Vary": own}))

    allowed = {"Access-Control-Allow-Origin": SHOP, "Vary": merged}
    assert http.send(app, "/", SHOP) == (200, allowed)
    assert http.send(app, "/", PARTNER) == (200, {"Vary": merged})
    assert http.send(app, "/") == (200, {"Vary": merged})


def test_a_view_that_sets_vary_twice(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("ok", [("Vary", "Accept"), ("vary", "Cookie")]))

    assert http.send(app, "/") == (200, {"Vary": "Accept, Cookie, Origin"})


def test_any_origin_leaves_vary_as_it_is(app, http):
    CorsGuard(app, origins="*")
    app.add_url_rule("/", "index", lambda: ("ok", {"Vary": "Accept"}))

    assert http.send(app, "/", SHOP) == (200, STAR | {"Vary": "Accept"})


OWN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "access-control-allow-credentials": "true",
    "ACCESS-CONTROL-EXPOSE-HEADERS": "*",
    "Access-Control-Allow-Methods": "DELETE",
    "Access-Control-Anything": "else",
}


@pytest.mark.parametrize("origins", [SHOP, "*"])
def test_the_guard_owns_the_headers(app, http, origins):
    CorsGuard(app, origins=origins)
    app.add_url_rule("/", "index", lambda: ("ok", OWN_HEADERS))

    def answer(origin):
        if origins == "*":
            return (200, STAR)
        return http.allowed(origin) if origin == SHOP else http.refused()

    for origin in (SHOP, PARTNER, None):
        assert http.send(app, "/", origin) == answer(origin)


def _add_origin_header(response):
    response.headers.add("Access-Control-Allow-Origin", "*")
    return response


def _reflect_origin(response):
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.vary.add("Origin")
    return response


@pytest.mark.parametrize("when", ["before init_app", "after init_app"])
@pytest.mark.parametrize("recipe", [_add_origin_header, _reflect_origin])
def test_an_after_request_recipe(app, http, recipe, when):
    if when == "before init_app":
        app.after_request(recipe)
    CorsGuard(app, origins=SHOP)
    if when == "after init_app":
        app.after_request(recipe)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP)
    assert http.send(app, "/", PARTNER, method="PUT") == http.refused()
    assert http.send(app, "/none", PARTNER) == http.refused(404)
    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    assert http.preflight(app, "/", PARTNER) == http.denied()


@pytest.mark.parametrize("origin", [SHOP, PARTNER, None])
def test_sessions(pages, http, origin):
    CorsGuard(pages, origins=SHOP, allow_credentials=True)

    @pages.get("/visit")
    def visit():
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    answer = http.send(pages, "/visit", origin)
    allowed = {"Access-Control-Allow-Origin": SHOP, "Access-Control-Allow-Credentials": "true"}
    assert answer == (200, {"Vary": "Cookie, Origin"} | (allowed if origin == SHOP else {}))


def test_sessions_with_any_origin(pages, http):
    CorsGuard(pages, origins="*")
    pages.add_url_rule("/visit", "visit", lambda: str(session.get("visits")))

    assert http.send(pages, "/visit", SHOP) == (200, STAR | {"Vary": "Cookie"})


# OPTIONS


def _own_options(app):
    @app.route("/", methods=["OPTIONS"])
    def options():
        return "mine", 299


@pytest.mark.parametrize("first", ["get", "options"])
def test_an_options_view_of_the_app(app, http, first):
    CorsGuard(app, origins=SHOP)
    if first == "options":
        _own_options(app)
    app.add_url_rule("/", "index", lambda: "ok", provide_automatic_options=False)
    if first == "get":
        _own_options(app)

    assert http.preflight(app, "/", SHOP, "GET") == http.granted(SHOP, "GET, HEAD, OPTIONS")
    assert http.preflight(app, "/", PARTNER, "GET") == http.denied()
    # without Access-Control-Request-Method it is an ordinary request
    assert http.send(app, "/", SHOP, method="OPTIONS") == http.allowed(SHOP, 299)
    assert http.send(app, "/", PARTNER, method="OPTIONS") == http.refused(299)


def test_a_view_that_takes_options_as_well(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: ("mine", 299), methods=["PUT", "OPTIONS"])

    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    assert http.send(app, "/", SHOP, method="OPTIONS") == http.allowed(SHOP, 299)


@pytest.mark.parametrize("how", ["argument", "attribute", "config"])
def test_without_automatic_options(app, http, how, request):
    CorsGuard(app, origins=SHOP)

    def view():
        return "ok"

    if how == "config":
        request.getfixturevalue("flask_3_1")
        app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    elif how == "attribute":
        view.provide_automatic_options = False
    provide = False if how == "argument" else None
    app.add_url_rule("/", "index", view, methods=["PUT"], provide_automatic_options=provide)

    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "PUT")
    assert http.preflight(app, "/", PARTNER) == http.denied()
    assert http.send(app, "/", SHOP, method="OPTIONS") == http.allowed(SHOP, 405)


@pytest.mark.parametrize("own_view", [False, True], ids=["automatic", "own view"])
def test_answer_preflight_off(app, http, own_view):
    """The app answers. The guard still says who may, and the app's own list does not count."""
    CorsGuard(app, origins=SHOP, answer_preflight=False)
    status = 200
    if own_view:
        status = 299

        @app.route("/", methods=["OPTIONS"])
        def options():
            return make_response("mine", 299, {"Access-Control-Allow-Origin": "*"})

    automatic = False if own_view else None
    app.add_url_rule(
        "/", "index", lambda: "ok", methods=["PUT"], provide_automatic_options=automatic
    )

    granted = http.granted(SHOP, "OPTIONS, PUT")
    assert http.preflight(app, "/", SHOP) == granted._replace(status=status)
    assert http.preflight(app, "/", PARTNER) == http.denied()._replace(status=status)
    assert http.preflight(app, "/", SHOP, "DELETE") == http.denied()._replace(status=status)


@pytest.mark.parametrize("length", [321, 60_000])
@pytest.mark.parametrize("part", ["scheme", "host"])
def test_an_origin_that_is_too_long(app, http, heard, part, length):
    CorsGuard(app, origins=lambda _: True)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    long = "a" * (length - 8)
    origin = f"https://{long}" if part == "host" else f"{long}://a.test"

    assert http.send(app, "/", origin, method="PUT") == http.refused()
    assert http.preflight(app, "/", origin) == http.denied()
    for signal in heard:
        assert signal.name == "origin-rejected"
        assert signal.decision.reason.name == "ORIGIN_MALFORMED"
        assert len(signal.decision.origin) <= 320
        assert len(signal.decision.explain()) < 2000
    assert len(heard) == 2


@pytest.mark.parametrize("fields", [{"origins": SHOP}, {"origins": "*"}], ids=["listed", "any"])
def test_60000_bytes_are_not_echoed(app, http, fields):
    CorsGuard(app, **fields)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    junk = "x" * 60_000
    environ = {
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": junk,
    }
    for origin in (SHOP, junk):
        response = http.open(app, "/", origin, method="OPTIONS", environ=environ)
        assert response.status_code == 403
        assert "xxx" not in f"{response.headers}{response.text}"
    assert "xxx" not in str(http.open(app, "/", junk, method="PUT").headers)


def test_a_mark_decides_about_one_view_only(app, http):
    CorsGuard(app)
    app.add_url_rule("/open", "open", cors(origins="*")(lambda: "ok"))
    app.add_url_rule("/", "index", lambda: "ok")

    assert http.send(app, "/open") == (200, STAR)
    assert http.send(app, "/", SHOP) == http.refused()


class _Elsewhere(Headers):
    """Headers that keep their fields somewhere else."""

    def __init__(self, defaults=None):
        self.fields = []
        super().__init__(defaults)

    def extend(self, *args, **kwargs):
        for name, value in MultiDict(*args, **kwargs).items(multi=True):
            self.add(name, value)

    def add(self, key, value, /, **kwargs):
        self.fields.append((key, value))

    def __iter__(self):
        return iter(self.fields)


def test_headers_of_another_kind(app):
    CorsGuard(app, origins=SHOP)

    @app.get("/")
    def index():
        response = Response("ok")
        response.headers = _Elsewhere()
        return response

    with app.test_request_context("/", headers={"Origin": SHOP}):
        fields = app.full_dispatch_request().headers.fields
    assert fields == [("Access-Control-Allow-Origin", SHOP), ("Vary", "Origin")]
