"""What a developer asks of the guard: explain, routes, reconfigure, for_endpoint, for_files, and
the mark cors_exempt."""

from __future__ import annotations

import threading

import pytest
from flask import Blueprint, Flask, current_app
from flask.views import MethodView

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Outcome,
    Policy,
    PolicyError,
    Reason,
    cors,
    cors_exempt,
    current_decision,
)

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"


# explain


def _explained_app(**config):
    app = Flask("shop", static_folder=None, subdomain_matching="SERVER_NAME" in config)
    app.config.update(config)
    guard = CorsGuard(app, origins=SHOP, self_origins="https://front.example")
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    app.add_url_rule("/x/", "x", cors(origins=PARTNER)(lambda: "ok"), methods=["GET", "DELETE"])
    app.add_url_rule("/x/", "put", cors(origins=ADMIN)(lambda: "ok"), methods=["PUT"])
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"), methods=["GET", "PUT"])
    api = cors(allow_headers="X-A")(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/<int:id>", "item", lambda id: str(id))  # noqa: A006
    app.register_blueprint(api)
    decisions = []
    app.after_request(
        lambda response: decisions.append(current_decision._get_current_object()) or response
    )
    return app, guard, decisions


@pytest.mark.parametrize(
    "origin",
    [None, SHOP, PARTNER, ADMIN, "null", "Bad", "http://localhost", "https://front.example"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/x/", "/x", "/exempt", "/api/7", "/api/none", "/none?a=b"])
def test_explain_is_what_a_real_request_gets(http, path, method, origin):
    app, guard, decisions = _explained_app()
    explained = guard.explain(path, origin=origin, method=method, app=app)
    if origin is not None and method != "GET":
        http.preflight(app, path, origin, method)
        if decisions[-1].outcome is not Outcome.REJECTED:
            http.send(app, path, origin, method=method)
    else:
        http.send(app, path, origin, method=method)

    assert explained == decisions[-1]


@pytest.mark.parametrize(
    ("headers", "announced"),
    [
        ([], None),
        (["X-A"], "x-a"),
        (["X-Z"], "x-z"),
        (["x-b", "X-A"], "x-a,x-b"),
        (["Accept", "Accept-Language"], None),
        (["Content-Type"], "content-type"),
        ({"Content-Type": "text/plain"}, None),
        ({"Content-Type": "application/json"}, "content-type"),
        (["Authorization"], "authorization"),
    ],
)
def test_explain_sends_the_preflight_that_a_browser_would(http, headers, announced):
    app, guard, decisions = _explained_app()
    explained = guard.explain("/api/7", origin=SHOP, headers=headers, app=app)
    if announced:
        http.preflight(app, "/api/7", SHOP, "GET", announced)
    if not announced or decisions[-1].outcome is not Outcome.REJECTED:
        http.send(app, "/api/7", SHOP)

    assert explained == decisions[-1]


@pytest.mark.parametrize("path", ["/x/", "/x", "/none"])
@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"APPLICATION_ROOT": "/mount"}, id="APPLICATION_ROOT"),
        pytest.param({"SERVER_NAME": "shop.test"}, id="SERVER_NAME"),
        pytest.param({"SERVER_NAME": "shop.test:8000"}, id="SERVER_NAME with a port"),
    ],
)
def test_explain_of_a_path_in_a_configured_app(http, path, config):
    app, guard, decisions = _explained_app(**config)
    for origin in (PARTNER, SHOP, "http://shop.test", "https://shop.test:8000"):
        explained = guard.explain(path, origin=origin, app=app)
        http.send(app, path, origin)
        assert explained == decisions[-1]


@pytest.mark.parametrize(
    ("url", "origin", "outcome"),
    [
        ("http://a.test/", "http://a.test", Outcome.SAME_ORIGIN),
        ("http://a.test/", "https://a.test", Outcome.SAME_ORIGIN),
        ("https://a.test/", "http://a.test", Outcome.REJECTED),
        ("http://a.test:81/", "http://a.test", Outcome.REJECTED),
        ("http://a.test/", SHOP, Outcome.ALLOWED),
    ],
)
def test_explain_of_a_whole_url(http, url, origin, outcome):
    app, guard, decisions = _explained_app()
    http.send(app, url, origin)
    assert decisions[-1].outcome is outcome
    assert guard.explain(url, origin=origin, app=app) == decisions[-1]


@pytest.mark.parametrize("host", ["api.shop.test", "www.shop.test", "other.test"])
def test_explain_where_the_host_decides(http, host):
    app = Flask("shop", host_matching=True, static_host="static.test")
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "www", lambda: "ok", host="www.shop.test")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), host="api.shop.test")
    for origin in (SHOP, PARTNER):
        explained = guard.explain(f"http://{host}/", origin=origin, app=app)
        allowed = http.send(app, f"http://{host}/", origin) in (
            http.allowed(origin),
            http.allowed(origin, 404),
        )
        assert (explained.outcome is Outcome.ALLOWED) == allowed


def test_explain_runs_nothing(app, heard, log_lines):
    guard = CorsGuard(app, origins=SHOP)
    ran = []
    app.before_request(lambda: ran.append("before"))
    app.add_url_rule("/", "index", lambda: ran.append("view") or "ok")

    assert guard.explain("/", origin=PARTNER).reason is Reason.ORIGIN_NOT_ALLOWED
    assert guard.explain("/", origin=SHOP).outcome is Outcome.ALLOWED
    assert (ran, heard, log_lines()) == ([], [], [])
    # and the app can still be set up
    app.add_url_rule("/late", "late", cors(origins=PARTNER)(lambda: "ok"))
    assert guard.explain("/late", origin=PARTNER).outcome is Outcome.ALLOWED


def test_explain_ends_no_context_of_the_app():
    app, guard, _ = _explained_app()
    other, other_guard, _ = _explained_app()
    ended = []
    for each in (app, other):
        each.teardown_appcontext(lambda _: ended.append(current_app.name))
    with app.app_context():
        # It would close what the request that is under way has opened.
        guard.explain("/", origin=SHOP)
        assert ended == []
        other_guard.explain("/", origin=SHOP, app=other)
        assert len(ended) == 1


def test_explain_in_words(app):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/x", "x", cors(max_age=5)(lambda: "ok"))
    text = guard.explain("/x", origin=PARTNER).explain()

    for part in (PARTNER, "GET", "/x", "view x", "test_guard_methods.py:", SHOP):
        assert part in text
    last = text.splitlines()[-1]
    assert PARTNER in last
    assert "origins" in last


@pytest.mark.parametrize("call", ["explain", "routes", "reconfigure"])
def test_which_app(call):
    guard = CorsGuard()
    arguments = {"explain": {"url": "/", "origin": SHOP}}.get(call, {})
    with pytest.raises(CorsGuardError, match="which app"):
        getattr(guard, call)(**arguments)
    with pytest.raises(CorsGuardError, match="has no guard"):
        getattr(guard, call)(**arguments, app=Flask("bare"))


# routes


def test_routes(app):
    guard = CorsGuard(app, origins=SHOP)

    class Item(MethodView):
        def get(self):
            return "ok"

        @cors(origins=PARTNER)
        def put(self):
            return "ok"

    api = cors(max_age=5)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/", "index", lambda: "ok")
    api.add_url_rule("/item", view_func=Item.as_view("item"))
    app.register_blueprint(api)
    app.add_url_rule("/view", "view", cors(origins=PARTNER)(lambda: "ok"), methods=["POST"])
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    app.add_url_rule("/plain", "plain", lambda: "ok")
    app.add_url_rule("/named", "named", lambda: "ok")
    app.add_url_rule("/files/<path:filename>", "files", lambda filename: filename)
    guard.for_endpoint("named", max_age=7)
    guard.for_files("files", "*.woff2", origins="*")

    get = ("GET", "HEAD", "OPTIONS")
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    rows = sorted(guard.routes(), key=lambda row: (rules.index(row.rule), row.methods))
    assert [row.rule for row in guard.routes()] == [row.rule for row in rows]
    assert [tuple(row) for row in rows] == [
        ("/api/", get, Policy(origins=SHOP, max_age=5), "blueprint api"),
        ("/api/item", get, Policy(origins=SHOP, max_age=5), "blueprint api"),
        (
            "/api/item",
            ("PUT",),
            Policy(origins=PARTNER, max_age=5),
            "method PUT of view api.item",
        ),
        ("/view", ("OPTIONS", "POST"), Policy(origins=PARTNER), "view view"),
        ("/exempt", get, None, "view exempt"),
        ("/plain", get, Policy(origins=SHOP), "default"),
        ("/named", get, Policy(origins=SHOP, max_age=7), "endpoint named"),
        ("/files/<path:filename>", get, Policy(origins=SHOP), "default"),
        ("/files/<path:filename>", get, Policy(origins="*"), "files *.woff2 of endpoint files"),
    ]
    assert all("test_guard_methods.py:" in row.location for row in guard.routes())


def test_the_rows_of_one_rule_are_in_the_same_order_each_time(app):
    class Item(MethodView):
        get = cors(max_age=1)(lambda self: "ok")
        put = cors(max_age=2)(lambda self: "ok")
        post = cors(max_age=3)(lambda self: "ok")
        patch = cors(max_age=4)(lambda self: "ok")
        delete = cors(max_age=5)(lambda self: "ok")

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    methods = [row.methods for row in CorsGuard(app).routes()]
    assert methods == sorted(methods)


def test_where_a_default_from_the_configuration_came_from(app):
    app.config["CORSGUARD_ORIGINS"] = SHOP
    guard = CorsGuard(app)
    app.add_url_rule("/", "index", lambda: "ok")
    (row,) = guard.routes()
    assert (row.source, row.policy) == ("default", Policy(origins=SHOP))
    assert "CORSGUARD_ORIGINS" in row.location


# reconfigure


@pytest.mark.parametrize("started", [False, True], ids=["before", "after the first request"])
@pytest.mark.parametrize(
    ("change", "max_age"),
    [
        ({"origins": PARTNER}, "5"),
        ({"policy": Policy(origins=PARTNER)}, "600"),
        ({"policy": Policy(origins=ADMIN), "origins": PARTNER, "max_age": 9}, "9"),
    ],
    ids=["fields", "a policy", "both"],
)
def test_reconfigure_the_default(app, http, change, max_age, started):
    guard = CorsGuard(app, origins=SHOP, max_age=5)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    app.add_url_rule("/mark", "mark", cors(origins=SHOP)(lambda: "ok"), methods=["PUT"])
    if started:
        assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP)
    guard.reconfigure(**change)

    granted = http.granted(PARTNER, "OPTIONS, PUT", max_age=max_age)
    assert http.preflight(app, "/", PARTNER) == granted
    assert http.preflight(app, "/", SHOP) == http.denied()
    assert http.send(app, "/", SHOP, method="PUT") == http.refused()
    # marks stay, and their other fields follow the default
    granted = http.granted(SHOP, "OPTIONS, PUT", max_age=max_age)
    assert http.preflight(app, "/mark", SHOP) == granted


def test_reconfigure_named_policies(app, http):
    guard = CorsGuard(app, policies={"a": {"origins": SHOP}, "b": {"origins": SHOP}})
    for name in ("a", "b"):
        app.add_url_rule(f"/{name}", name, cors(name)(lambda: "ok"))
    assert http.send(app, "/a", SHOP) == http.allowed(SHOP)
    guard.reconfigure(policies={"a": {"origins": PARTNER}})

    assert http.send(app, "/a", PARTNER) == http.allowed(PARTNER)
    assert http.send(app, "/a", SHOP) == http.refused()
    assert http.send(app, "/b", SHOP) == http.allowed(SHOP)


def test_reconfigure_keeps_what_it_is_not_told(app, http, log_lines):
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    guard = CorsGuard(app, origins=SHOP, self_origins="https://front.example")
    app.add_url_rule("/", "index", lambda: "ok")
    guard.reconfigure(max_age=5)

    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    assert http.send(app, "/", PARTNER) == http.refused()
    explained = guard.explain("/", origin="https://front.example")
    assert explained.outcome is Outcome.SAME_ORIGIN
    assert log_lines() == []


@pytest.mark.parametrize("started", [False, True], ids=["before", "after the first request"])
@pytest.mark.parametrize(
    "change",
    [
        {"origins": "https://Shop.example/"},
        {"origins": "*", "allow_credentials": True},
        {"policies": {"named": {"origins": "nonsense"}}},
        {"origin": PARTNER},
        {"policies": {"named": {"origins": PARTNER}}, "max_age": -1},
        {"policies": {"named": 7}, "origins": PARTNER},
        {"policy": PARTNER},
        {"policy": Policy(origins=PARTNER), "max_age": "soon"},
    ],
    ids=repr,
)
def test_an_invalid_change_changes_nothing(app, http, change, started):
    guard = CorsGuard(app, origins=SHOP, policies={"named": {"origins": SHOP}})
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/named", "named", cors("named")(lambda: "ok"))
    if started:
        http.send(app, "/", SHOP)
    with pytest.raises(CorsGuardError):
        guard.reconfigure(**change)

    for path in ("/", "/named"):
        assert http.send(app, path, SHOP) == http.allowed(SHOP)
        assert http.send(app, path, PARTNER) == http.refused()


def test_a_change_that_one_mark_makes_dangerous(app, http):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/me", "me", cors(allow_credentials=True)(lambda: "ok"))
    http.send(app, "/", SHOP)
    with pytest.raises(PolicyError) as caught:
        guard.reconfigure(origins="*")

    assert [p.code for p in caught.value.problems] == ["credentials_any_origin"]
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    assert http.send(app, "/", PARTNER) == http.refused()


def test_reconfigure_changes_one_app(http):
    guard = CorsGuard(origins=SHOP)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.add_url_rule("/", "index", lambda: "ok")
        guard.init_app(app)
    guard.reconfigure(origins=PARTNER, app=apps[0])

    assert http.send(apps[0], "/", PARTNER) == http.allowed(PARTNER)
    assert http.send(apps[1], "/", SHOP) == http.allowed(SHOP)
    assert http.send(apps[1], "/", PARTNER) == http.refused()


def test_each_request_sees_the_old_settings_or_the_new(app, http):
    guard = CorsGuard()

    def reconfigures(_origin):
        guard.reconfigure(origins=PARTNER, max_age=2, allow_headers="X-New")
        return True

    app.config.update(CORSGUARD_ORIGINS=reconfigures, CORSGUARD_MAX_AGE=1)
    guard.init_app(app)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])

    assert http.preflight(app, "/", SHOP, "PUT", "content-type") == http.granted(
        SHOP, "OPTIONS, PUT", max_age="1"
    )
    assert http.preflight(app, "/", SHOP) == http.denied()
    assert http.preflight(app, "/", PARTNER) == http.granted(
        PARTNER, "OPTIONS, PUT", max_age="2", allow_headers="X-New"
    )


def test_reconfigure_while_requests_run(app, http):
    guard = CorsGuard(app, origins=SHOP, max_age=1)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    changes = [{"origins": SHOP, "max_age": 1}, {"origins": PARTNER, "max_age": 2}]
    expected = [
        http.denied(),
        http.granted(SHOP, "OPTIONS, PUT", max_age="1"),
        http.granted(PARTNER, "OPTIONS, PUT", max_age="2"),
    ]

    def change():
        for n in range(50):
            guard.reconfigure(**changes[n % 2], app=app)

    changer = threading.Thread(target=change)
    changer.start()
    while changer.is_alive():
        assert http.preflight(app, "/", SHOP) in (expected[0], expected[1])
        assert http.preflight(app, "/", PARTNER) in (expected[0], expected[2])
    changer.join()


# for_endpoint


@pytest.mark.parametrize(
    ("marks", "reader"),
    [
        ("", ADMIN),
        ("blueprint", PARTNER),
        ("endpoint", SHOP),
        ("endpoint blueprint", SHOP),
        ("view endpoint blueprint", "https://view.example"),
        ("view blueprint", "https://view.example"),
        ("method view endpoint blueprint", "https://method.example"),
        ("method endpoint", "https://method.example"),
    ],
)
def test_the_most_specific_mark_wins(app, http, marks, reader):
    guard = CorsGuard(app, origins=ADMIN)
    blueprint = Blueprint("api", __name__, url_prefix="/api")

    class Item(MethodView):
        def put(self):
            return "ok"

    if "view" in marks:
        cors(origins="https://view.example")(Item)
    if "method" in marks:
        cors(origins="https://method.example")(Item.put)
    if "blueprint" in marks:
        cors(origins=PARTNER)(blueprint)
    if "endpoint" in marks:
        guard.for_endpoint("api.item", origins=SHOP)
    blueprint.add_url_rule("/item", view_func=Item.as_view("item"))
    app.register_blueprint(blueprint)

    others = {ADMIN, PARTNER, SHOP, "https://view.example", "https://method.example"} - {reader}
    assert http.send(app, "/api/item", reader, method="PUT") == http.allowed(reader)
    assert http.preflight(app, "/api/item", reader).status == 204
    for other in others:
        assert http.send(app, "/api/item", other, method="PUT") == http.refused()
        assert http.preflight(app, "/api/item", other) == http.denied()


@pytest.mark.parametrize(
    ("arguments", "fields", "max_age"),
    [
        ((), {"origins": PARTNER}, "5"),
        ((Policy(origins=PARTNER),), {}, "600"),
        (("partners",), {}, "60"),
        (("partners",), {"max_age": 7}, "7"),
    ],
    ids=["fields", "a policy", "a named policy", "a named policy with fields"],
)
@pytest.mark.parametrize("when", ["before init_app", "after init_app"])
def test_for_endpoint(app, http, arguments, fields, max_age, when):
    guard = CorsGuard(
        origins=SHOP, max_age=5, policies={"partners": {"origins": PARTNER, "max_age": 60}}
    )
    if when == "after init_app":
        guard.init_app(app)
    guard.for_endpoint("theirs", *arguments, **fields)
    if when == "before init_app":
        guard.init_app(app)
    app.add_url_rule("/theirs", "theirs", lambda: "ok", methods=["PUT"])

    granted = http.granted(PARTNER, "OPTIONS, PUT", max_age=max_age)
    assert http.preflight(app, "/theirs", PARTNER) == granted
    assert http.preflight(app, "/theirs", SHOP) == http.denied()


# for_files

FONT = (200, {"Access-Control-Allow-Origin": "*"})


@pytest.fixture
def static_app(tmp_path):
    """An app with static files of several kinds."""
    for name in ("a.woff2", "a.WOFF2", "b.ttf", "secret.json", "fonts/c.woff2", "x.woff2/e.json"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("data")
    return Flask("shop", static_folder=tmp_path, static_url_path="/static")


@pytest.mark.parametrize(
    ("path", "is_font"),
    [
        ("/static/a.woff2", True),
        ("/static/b.ttf", True),
        ("/static/fonts/c.woff2", True),
        pytest.param("/static/a.woff2?v=1", True, id="a query"),
        pytest.param("/static/a%2Ewoff2", True, id="percent-encoded"),
        ("/static/secret.json", False),
        pytest.param("/static/secret.json?a.woff2", False, id="the glob in the query"),
        pytest.param("/static/secret.json#a.woff2", False, id="the glob in the fragment"),
        pytest.param("/static/a.WOFF2", False, id="case"),
        pytest.param("/static/x.woff2/e.json", False, id="the glob in a folder"),
    ],
)
def test_for_files(static_app, http, path, is_font):
    guard = CorsGuard(static_app, origins=SHOP)
    guard.for_files("static", "*.woff2", "*.ttf", origins="*")

    if is_font:
        for origin in (None, SHOP, PARTNER):
            assert http.send(static_app, path, origin) == FONT
        assert http.preflight(static_app, path, PARTNER, "GET") == http.granted(
            "*", "GET, HEAD, OPTIONS"
        )
    else:
        assert http.send(static_app, path, SHOP) == http.allowed(SHOP)
        assert http.send(static_app, path, PARTNER) == http.refused()
        assert http.preflight(static_app, path, PARTNER, "GET") == http.denied()


@pytest.mark.parametrize(
    ("path", "status", "is_font"),
    [
        pytest.param("/static/none.woff2", 404, True, id="no such file"),
        pytest.param("/static/..%2Fa.woff2", 404, True, id="outside the folder"),
        pytest.param("/static/a.woff2%0A", 404, False, id="a newline after the name"),
        pytest.param("/static/secret.json%00.woff2", 404, True, id="a null byte"),
    ],
)
def test_names_of_no_file(static_app, http, path, status, is_font):
    guard = CorsGuard(static_app, origins=SHOP)
    guard.for_files("static", "*.woff2", origins="*")

    answer = http.send(static_app, path, PARTNER)
    assert answer == ((status, FONT[1]) if is_font else http.refused(status))


@pytest.mark.parametrize(
    ("request_headers", "status"),
    [({"Range": "bytes=1-2"}, 206), ({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304)],
)
def test_files_in_parts_and_not_at_all(static_app, http, request_headers, status):
    guard = CorsGuard(static_app, origins=SHOP)
    guard.for_files("static", "*.woff2", origins="*")
    sent = {"headers": request_headers}
    assert http.send(static_app, "/static/a.woff2", PARTNER, **sent) == (status, FONT[1])
    assert http.send(static_app, "/static/b.ttf", SHOP, **sent) == http.allowed(SHOP, status)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("*.json", "/static/secret.json"),
        ("*.json", "/static/secret.json/"),
        ("*.json", "/static/secret.json%2F."),
        ("x.woff2/*", "/static/x.woff2/e.json"),
        ("x.woff2/*", "/static/fonts%2F..%2Fx.woff2/e.json"),
        ("x.woff2/*", "/static/.%2Fx.woff2/e.json"),
        ("secret.json", "/static/fonts%2F..%2Fsecret.json"),
    ],
)
def test_another_spelling_is_no_way_round_a_stricter_policy(static_app, http, glob, path):
    guard = CorsGuard(static_app, origins="*")
    guard.for_files("static", glob, origins=SHOP)

    answer = http.send(static_app, path, PARTNER)
    assert answer == http.refused() or answer.status == 404


def test_of_several_marks_on_files_the_first_counts(static_app, http):
    guard = CorsGuard(static_app)
    guard.for_files("static", "fonts/*", origins=SHOP)
    guard.for_files("static", "*.woff2", origins=PARTNER)
    guard.for_endpoint("static", origins=ADMIN)

    assert http.send(static_app, "/static/fonts/c.woff2", SHOP) == http.allowed(SHOP)
    assert http.send(static_app, "/static/fonts/c.woff2", PARTNER) == http.refused()
    assert http.send(static_app, "/static/a.woff2", PARTNER) == http.allowed(PARTNER)
    assert http.send(static_app, "/static/b.ttf", ADMIN) == http.allowed(ADMIN)


# cors_exempt

OWN = {"Access-Control-Allow-Origin": "*", "Vary": "Accept"}


def _exempt_view(app, guard):
    app.add_url_rule("/x", "x", cors_exempt(lambda: ("ok", OWN)), methods=["PUT"])


def _exempt_class(app, guard):
    @cors_exempt
    class Item(MethodView):
        def put(self):
            return "ok", OWN

    app.add_url_rule("/x", view_func=Item.as_view("item"))


def _exempt_blueprint(app, guard):
    blueprint = cors_exempt(Blueprint("api", __name__, url_prefix="/x"))
    blueprint.add_url_rule("", "x", lambda: ("ok", OWN), methods=["PUT"])
    app.register_blueprint(blueprint)


@pytest.mark.parametrize("build", [_exempt_view, _exempt_class, _exempt_blueprint])
@pytest.mark.parametrize("origin", [None, SHOP, PARTNER])
def test_exempt(app, http, heard, log_lines, build, origin):
    guard = CorsGuard(app, origins=SHOP)
    build(app, guard)

    assert http.send(app, "/x", origin, method="PUT") == (200, OWN)
    if origin:
        assert http.preflight(app, "/x", origin) == (200, {})
    assert (heard, log_lines()) == ([], [])
    # only that route
    assert http.send(app, "/other", SHOP) == http.allowed(SHOP, 404)


def test_exempt_method_of_a_class(app, http):
    class Item(MethodView):
        def get(self):
            return "ok"

        @cors_exempt
        def put(self):
            return "ok", OWN

    app.add_url_rule("/x", view_func=Item.as_view("item"))
    CorsGuard(app, origins=SHOP)

    assert http.send(app, "/x", SHOP, method="PUT") == (200, OWN)
    assert http.send(app, "/x", SHOP) == http.allowed(SHOP)
    assert http.preflight(app, "/x", SHOP, "PUT") == (200, {})
    assert http.preflight(app, "/x", PARTNER, "GET") == http.denied()


def test_a_mark_inside_an_exempt_blueprint(app, http):
    blueprint = cors_exempt(Blueprint("api", __name__, url_prefix="/x"))
    blueprint.add_url_rule("/mine", "mine", lambda: ("ok", OWN))
    blueprint.add_url_rule("/guarded", "guarded", cors(max_age=5)(lambda: ("ok", OWN)))
    app.register_blueprint(blueprint)
    CorsGuard(app, origins=SHOP)

    allowed = {"Access-Control-Allow-Origin": SHOP, "Vary": "Accept, Origin"}
    assert http.send(app, "/x/guarded", SHOP) == (200, allowed)
    assert http.send(app, "/x/mine", SHOP) == (200, OWN)
    assert http.send(app, "/x/none", SHOP) == (404, {})
