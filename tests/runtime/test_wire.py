"""What goes on the wire, header set by header set."""

import io

import pytest
from flask import Response, jsonify, make_response, request, send_file, session
from werkzeug.datastructures import Headers, MultiDict

from flask_corsguard import CorsGuard, PolicyError

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
STAR = {"Access-Control-Allow-Origin": "*"}
ALLOWED = {"Access-Control-Allow-Origin": SHOP, "Vary": "Origin"}
REFUSED = {"Vary": "Origin"}
TENANT = {"Vary": "Origin, X-Tenant"}


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


RESPONSES = {
    "text": ("/text", {}, 200),
    "JSON": ("/json", {}, 200),
    "a file": ("/file", {}, 200),
    "a stream": ("/stream", {}, 200),
    "204": ("/empty", {}, 204),
    "206": ("/file", {"headers": {"Range": "bytes=2-4"}}, 206),
    "302": ("/redirect", {}, 302),
    "304": ("/file", {"headers": {"If-None-Match": '"v1"'}}, 304),
    "404": ("/none", {}, 404),
    "405": ("/text", {"method": "DELETE"}, 405),
    "416": ("/file", {"headers": {"Range": "bytes=99-"}}, 416),
    "500": ("/raise", {}, 500),
    "HEAD": ("/text", {"method": "HEAD"}, 200),
    "HEAD of a stream": ("/stream", {"method": "HEAD"}, 200),
    "OPTIONS that is not a preflight": ("/text", {"method": "OPTIONS"}, 200),
    "GET with a requested method": (
        "/text",
        {"headers": {"Access-Control-Request-Method": "PUT"}},
        200,
    ),
}
CREDENTIALS = {"allow_credentials": True, "expose_headers": ["X-Total", "ETag"]}
# Fields, the headers for SHOP, and those for everybody else.
POLICIES = {
    "listed": ({"origins": [SHOP]}, ALLOWED, REFUSED),
    "everybody": ({"origins": "*"}, STAR, STAR),
    "everybody but some": ({"origins": "*", "deny_origins": PARTNER}, ALLOWED, REFUSED),
    "credentials": (
        {"origins": SHOP, **CREDENTIALS},
        {
            **ALLOWED,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "ETag, X-Total",
        },
        REFUSED,
    ),
    "nobody": ({}, REFUSED, REFUSED),
    "a callable that looks at a header": (
        {"origins": lambda origin, request: origin == SHOP, "origins_vary": ["X-Tenant"]},
        ALLOWED | TENANT,
        TENANT,
    ),
}


@pytest.mark.parametrize(("path", "sent", "status"), RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize(("fields", "allowed", "refused"), POLICIES.values(), ids=POLICIES)
def test_responses(pages, http, fields, allowed, refused, path, sent, status):
    """Whatever the response is, it has these CORS headers and no others."""
    CorsGuard(pages, **fields)
    assert http.send(pages, path, SHOP, **sent) == (status, allowed)
    for origin in (None, PARTNER, "null", "not an origin", "https://é.example"):
        assert http.send(pages, path, origin, **sent) == (status, refused)


# Fields, the requested method and headers, and the headers that differ from the default's.
PREFLIGHTS = {
    "a listed origin": ({}, "PUT", None, {}),
    "a listed header": ({}, "PUT", " CONTENT-TYPE ,\t,", {}),
    "credentials": ({"allow_credentials": True}, "PUT", None, {"allow_credentials": "true"}),
    "no max age": ({"max_age": None}, "PUT", None, {"max_age": None}),
    "max age 0": ({"max_age": 0}, "PUT", None, {"max_age": "0"}),
    "no headers": ({"allow_headers": ()}, "PUT", None, {"allow_headers": None}),
    "headers *": ({"allow_headers": "*"}, "PUT", "x-a,x-b", {"allow_headers": "*"}),
    "headers * with credentials": (
        {"allow_headers": "*", "allow_credentials": True},
        "PUT",
        "x-a,x-b",
        {"allow_headers": "x-a, x-b", "allow_credentials": "true"},
    ),
    "methods *": ({"methods": "*"}, "ODD", None, {"allow_methods": "*"}),
    "methods * with credentials": (
        {"methods": "*", "allow_credentials": True},
        "ODD",
        None,
        {"allow_methods": "ODD", "allow_credentials": "true"},
    ),
    "methods listed": ({"methods": ["PUT"]}, "PUT", None, {"allow_methods": "PUT"}),
    # A callable that takes the request is asked about each one.
    "a callable": ({"origins": lambda origin: origin == SHOP}, "PUT", None, {}),
    **{
        f"a callable that takes the request, {name}": (
            {
                "origins": ["https://admin.example", lambda origin, request: origin == SHOP],
                **fields,
            },
            method,
            "content-type",
            {"allow_methods": method, "max_age": "0"},
        )
        for name, fields, method in (
            ("methods of the route", {}, "PUT"),
            ("methods listed", {"methods": ["PUT", "DELETE"]}, "PUT"),
            ("methods *", {"methods": "*"}, "ODD"),
            ("no max age", {"max_age": None}, "GET"),
        )
    },
    # https://fetch.spec.whatwg.org/#cors-preflight-fetch: they need not be in the list
    "GET, not listed": ({"methods": ()}, "GET", "content-type", {"allow_methods": None}),
    "POST, not listed": ({"methods": ["PUT"]}, "POST", None, {"allow_methods": "PUT"}),
}


@pytest.mark.parametrize(
    ("fields", "method", "headers", "changes"), PREFLIGHTS.values(), ids=PREFLIGHTS
)
def test_preflights_that_are_allowed(site, http, fields, method, headers, changes):
    """An allowed preflight gets these headers alone, no body, and nothing for another origin."""
    CorsGuard(site, **{"origins": SHOP, **fields})

    granted = http.granted(SHOP, **changes)
    assert http.preflight(site, "/", SHOP, method, headers) == granted
    assert http.preflight(site, "/", PARTNER, method, headers) == http.denied()


DETAIL = "The CORS policy of this resource rejects the preflight. The server's log says why."
ANY_HEADER = {"allow_headers": "*"}
WITH_CREDENTIALS = {"allow_headers": "*", "allow_credentials": True}


@pytest.mark.parametrize(
    ("fields", "method", "headers", "code"),
    [
        ({}, "DELETE", None, "METHOD_NOT_ALLOWED"),
        ({}, "put", None, "METHOD_NOT_ALLOWED"),
        ({}, "", None, "METHOD_NOT_ALLOWED"),
        ({"methods": ()}, "PUT", None, "METHOD_NOT_ALLOWED"),
        ({"methods": "*"}, "PUT, DELETE", None, "METHOD_NOT_ALLOWED"),
        ({"methods": "*"}, "P" * 60_000, None, "METHOD_NOT_ALLOWED"),
        ({}, "PUT", "content-type,x-other", "HEADERS_NOT_ALLOWED"),
        (WITH_CREDENTIALS, "PUT", "authorization", "HEADERS_NOT_ALLOWED"),
        ({}, "PUT", "content-type\x00", "HEADERS_MALFORMED"),
        (ANY_HEADER, "PUT", "é", "HEADERS_MALFORMED"),
        (ANY_HEADER, "PUT", "x" * 60_000, "HEADERS_MALFORMED"),
        (ANY_HEADER, "PUT", "," * 60_000, "HEADERS_MALFORMED"),
        (ANY_HEADER, "PUT", " " * 60_000, "HEADERS_MALFORMED"),
        (WITH_CREDENTIALS, "PUT", "x," * 30_000, "HEADERS_MALFORMED"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_preflights_that_are_refused(site, http, heard, fields, method, headers, code):
    """A refusal says why in few words, whatever was sent; in debug mode it explains."""
    CorsGuard(site, origins=SHOP, **fields)

    assert http.preflight(site, "/", SHOP, method, headers) == http.denied()
    environ = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": method}
    if headers is not None:
        environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"] = headers
    for site.debug in (False, True):
        response = http.open(site, "/", SHOP, method="OPTIONS", environ=environ)
        assert response.mimetype == "application/problem+json"
        assert response.get_json(force=True) == {
            "title": "CORS preflight rejected",
            "status": 403,
            "code": code,
            "detail": heard[0].decision.explain() if site.debug else DETAIL,
        }
        assert len(response.data) < 1000


def test_requested_headers_over_several_lines(site, http):
    CorsGuard(site, origins=SHOP, allow_headers=["X-A", "X-B"])
    name = "Access-Control-Request-Headers"
    lines = [("Access-Control-Request-Method", "PUT"), (name, "x-a"), (name, "x-b")]

    granted = http.granted(SHOP, allow_headers="X-A, X-B")
    assert http.send(site, "/", SHOP, method="OPTIONS", headers=lines) == granted
    lines.append((name, "x-c"))
    assert http.send(site, "/", SHOP, method="OPTIONS", headers=lines) == http.denied()


def test_the_response_to_a_preflight_has_no_body(site, http):
    CorsGuard(site, origins=SHOP)
    headers = {"Access-Control-Request-Method": "GET"}

    response = http.open(site, "/", SHOP, method="OPTIONS", headers=headers)
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers


def test_preflights_where_everybody_may_read(site, http):
    CorsGuard(site, origins="*")

    for origin in (SHOP, "null", "not an origin"):
        assert http.preflight(site, "/", origin) == http.granted("*")


@pytest.mark.parametrize(("allow", "sent"), [(False, None), (True, "true")])
def test_private_network(site, http, allow, sent):
    CorsGuard(site, origins=SHOP, allow_private_network=allow)
    headers = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }

    granted = http.granted(SHOP, allow_private_network=sent)
    expected = granted if allow else http.denied()
    assert http.send(site, "/", SHOP, method="OPTIONS", headers=headers) == expected
    del headers["Access-Control-Request-Private-Network"]
    granted = http.granted(SHOP)
    assert http.send(site, "/", SHOP, method="OPTIONS", headers=headers) == granted


@pytest.mark.parametrize("origin", [None, SHOP, PARTNER])
def test_no_other_header_is_touched(site, http, origin):
    """Nothing says how long to cache, say: only a refusal is kept out of caches."""
    CorsGuard(site, origins=SHOP)
    response = http.open(site, "/", origin)
    assert [header for header in response.headers if header[0] not in http.allowed(SHOP).cors] == [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", "2"),
    ]


# Views that set headers themselves


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        (["Accept"], "Accept, Origin"),
        (["Accept, Cookie"], "Accept, Cookie, Origin"),
        (["Accept", "Cookie"], "Accept, Cookie, Origin"),
        (["Origin"], "Origin"),
        (["origin"], "origin"),
        (["Accept,Origin"], "Accept, Origin"),
        (["Accept,, ,"], "Accept, Origin"),
        (["*"], "*"),
    ],
)
def test_a_view_that_sets_vary(app, http, own, merged):
    """The guard adds Origin once, or nothing if everybody may read."""
    CorsGuard(app, origins=SHOP)
    lines = [("Vary", value) for value in own]
    app.add_url_rule("/", "index", lambda: ("ok", lines))

    allowed = {"Access-Control-Allow-Origin": SHOP, "Vary": merged}
    assert http.send(app, "/", SHOP) == (200, allowed)
    assert http.send(app, "/", PARTNER) == (200, {"Vary": merged})
    assert http.send(app, "/") == (200, {"Vary": merged})


PREFLIGHT_VARY = (
    "Access-Control-Request-Headers, Access-Control-Request-Method, Host, Origin, X-Tenant"
)


@pytest.mark.parametrize(
    "check",
    [
        lambda origin, request: request.headers.get("X-Tenant") == "shop",
        lambda origin: request.headers.get("X-Tenant") == "shop",
    ],
    ids=["takes the request", "looks at flask.request"],
)
def test_a_callable_that_says_at_what_it_looks(site, http, check):
    """Every response varies by it; it is not asked about each method."""
    CorsGuard(site, origins=check, origins_vary=["X-Tenant", "x-tenant", "Host"])
    site.add_url_rule("/own", "own", lambda: ("ok", {"Vary": "x-tenant"}))
    vary = {"Vary": PREFLIGHT_VARY}

    def preflight(path, method="PUT", tenant="shop"):
        headers = {"Access-Control-Request-Method": method, "X-Tenant": tenant}
        return http.send(site, path, SHOP, method="OPTIONS", headers=headers)

    assert preflight("/") == (204, {**http.granted(SHOP).cors, **vary})
    assert preflight("/", tenant="other") == (403, vary)
    assert preflight("/", "DELETE") == (403, vary)
    assert preflight("/none").cors["Vary"] == PREFLIGHT_VARY
    assert http.send(site, "/own") == (200, {"Vary": "Host, Origin, x-tenant"})


@pytest.mark.parametrize("enforce", ["unsafe", "all"])
def test_refusals_vary_by_what_a_callable_looks_at(site, http, enforce):
    names = ["X-Tenant", "Accept", "sec-fetch-site"]
    CorsGuard(site, origins=lambda origin: False, origins_vary=names, enforce=enforce)

    response = http.open(site, "/", SHOP, "POST")
    assert response.status_code == 403
    assert response.headers["Vary"] == "Origin, Sec-Fetch-Site, X-Tenant, Accept"
    assert "X-Tenant" in http.open(site, "/", environ={"HTTP_SEC_FETCH_SITE": "none"}).vary


def test_origins_without_a_callable_where_one_looks_at_headers(site):
    """A mark that takes the callable away has to take the names away too."""
    guard = CorsGuard(
        site, origins=lambda origin: False, origins_vary="X-Tenant", self_origins=SHOP
    )
    guard.for_endpoint("index", origins=SHOP)

    with pytest.raises(PolicyError, match=r"or set origins_vary=\[\]\. \[vary_without_callable\]"):
        guard.prepare(site)
    again = CorsGuard(origins=lambda origin: False, origins_vary="X-Tenant")
    del site.extensions["corsguard"]
    again.init_app(site)
    again.for_endpoint("index", origins=SHOP, origins_vary=[])
    again.prepare(site)


def test_vary_of_a_view_that_everybody_may_read(app, http):
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


@pytest.mark.parametrize(
    ("origins", "allowed", "refused"), [(SHOP, ALLOWED, REFUSED), ("*", STAR, STAR)]
)
def test_the_guard_owns_the_headers(app, http, origins, allowed, refused):
    """The guard replaces what a view sets in its headers."""
    CorsGuard(app, origins=origins)
    app.add_url_rule("/", "index", lambda: ("ok", OWN_HEADERS))
    assert http.send(app, "/", SHOP) == (200, allowed)
    assert http.send(app, "/", PARTNER) == (200, refused)
    assert http.send(app, "/") == (200, refused)


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
def test_an_after_request_recipe(site, http, recipe, when):
    """The guard writes last, whichever was registered first."""
    if when == "before init_app":
        site.after_request(recipe)
    CorsGuard(site, origins=SHOP)
    if when == "after init_app":
        site.after_request(recipe)

    assert http.send(site, "/", SHOP, method="PUT") == http.allowed(SHOP)
    assert http.readers(site, "/", "PUT") == [SHOP]
    assert http.readers(site, "/none", status=404) == [SHOP]


@pytest.mark.parametrize("origin", [SHOP, PARTNER, None])
def test_sessions(pages, http, origin):
    CorsGuard(pages, origins=SHOP, allow_credentials=True)

    @pages.get("/visit")
    def visit():
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    response = http.send(pages, "/visit", origin)
    allowed = {"Access-Control-Allow-Origin": SHOP, "Access-Control-Allow-Credentials": "true"}
    assert response == (200, {"Vary": "Cookie, Origin"} | (allowed if origin == SHOP else {}))


def test_sessions_that_everybody_may_read(pages, http):
    CorsGuard(pages, origins="*")
    pages.add_url_rule("/visit", "visit", lambda: str(session.get("visits")))

    assert http.send(pages, "/visit", SHOP) == (200, STAR | {"Vary": "Cookie"})


# OPTIONS


@pytest.mark.parametrize(
    "views", [["GET", "OPTIONS"], ["OPTIONS", "GET"], ["GET OPTIONS"]], ids="->".join
)
def test_an_options_view_of_the_app(app, http, views):
    """A view that takes OPTIONS gets only requests that are not preflights."""
    CorsGuard(app, origins=SHOP)
    for methods in views:
        app.add_url_rule(
            "/", methods, lambda: ("mine", 299), methods=methods.split(),
            provide_automatic_options=False,
        )  # fmt: skip

    assert http.preflight(app, "/", SHOP, "GET") == http.granted(SHOP, "GET, HEAD, OPTIONS")
    assert http.preflight(app, "/", PARTNER, "GET") == http.denied()
    assert http.send(app, "/", SHOP, method="OPTIONS") == http.allowed(SHOP, 299)
    assert http.send(app, "/", PARTNER, method="OPTIONS") == http.refused(299)


@pytest.mark.parametrize("how", ["argument", "attribute", "config"])
def test_without_automatic_options(app, http, how, request):
    """Without automatic OPTIONS, the guard responds to preflights all the same."""
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


@pytest.mark.parametrize(("own_view", "status"), [(False, 200), (True, 299)])
def test_answer_preflight_off(app, http, own_view, status):
    """The app responds, but the guard decides who may read, and replaces the app's headers."""
    CorsGuard(app, origins=SHOP, answer_preflight=False)
    if own_view:

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


# What is too long


@pytest.mark.parametrize("length", [321, 60_000])
@pytest.mark.parametrize("part", ["scheme", "host"])
def test_an_origin_that_is_too_long(site, http, heard, part, length):
    """An origin that is too long is refused, and cut to the length of a real one."""
    CorsGuard(site, origins=lambda _: True)
    long = "a" * (length - 8)
    origin = f"https://{long}" if part == "host" else f"{long}://a.test"

    assert http.send(site, "/", origin, method="PUT") == http.refused()
    assert http.preflight(site, "/", origin) == http.denied()
    for signal in heard:
        assert signal.name == "origin-rejected"
        assert signal.decision.reason.name == "ORIGIN_MALFORMED"
        assert len(signal.decision.origin) <= 320
        assert len(signal.decision.explain()) < 2000
    assert len(heard) == 2


@pytest.mark.parametrize("origins", [SHOP, "*"])
def test_60000_bytes_are_not_echoed(site, http, origins):
    CorsGuard(site, origins=origins)
    junk = "x" * 60_000
    environ = {
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": junk,
    }
    for origin in (SHOP, junk):
        response = http.open(site, "/", origin, method="OPTIONS", environ=environ)
        assert response.status_code == 403
        assert "xxx" not in f"{response.headers}{response.text}"
    assert "xxx" not in str(http.open(site, "/", junk, method="PUT").headers)


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
