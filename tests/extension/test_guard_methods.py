"""What a developer asks of the guard: explain, routes, reconfigure, for_endpoint, for_files, and
the mark cors_exempt."""

import copy
import json
import re
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


ORIGINS = (None, SHOP, PARTNER, ADMIN, "null", "Bad", "http://localhost", "https://front.example")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/x/", "/x", "/exempt", "/api/7", "/api/none", "/none?a=b"])
def test_explain_is_what_a_real_request_gets(http, path, method):
    """explain() returns the decision of the request or, if that is refused, of its preflight."""
    app, guard, decisions = _explained_app()
    for origin in ORIGINS:
        explained = guard.explain(path, origin=origin, method=method, app=app)
        asks = origin is not None and method != "GET"
        if asks:
            http.preflight(app, path, origin, method)
        if not asks or decisions[-1].outcome is not Outcome.REJECTED:
            http.send(app, path, origin, method=method)
        assert explained == decisions[-1], origin


@pytest.mark.parametrize(
    ("headers", "requested"),
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
def test_explain_sends_the_preflight_that_a_browser_would(http, headers, requested):
    """explain() requests the headers that are not safelisted, by name and value."""
    app, guard, decisions = _explained_app()
    if requested:
        http.preflight(app, "/api/7", SHOP, "GET", requested)
    if not requested or decisions[-1].outcome is not Outcome.REJECTED:
        http.send(app, "/api/7", SHOP)
    assert guard.explain("/api/7", origin=SHOP, headers=headers, app=app) == decisions[-1]


@pytest.mark.parametrize(
    "config",
    [
        {"APPLICATION_ROOT": "/mount"},
        {"SERVER_NAME": "shop.test"},
        {"SERVER_NAME": "shop.test:8000"},
    ],
    ids=["APPLICATION_ROOT", "SERVER_NAME", "SERVER_NAME with a port"],
)
def test_explain_of_a_path_in_a_configured_app(http, config):
    """explain() takes a path to be below the app's own address."""
    app, guard, decisions = _explained_app(**config)
    for path in ("/x/", "/x", "/none"):
        for origin in (PARTNER, SHOP, "http://shop.test", "https://shop.test:8000"):
            http.send(app, path, origin)
            assert guard.explain(path, origin=origin, app=app) == decisions[-1]


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
    """The scheme and the host of a whole URL count."""
    app, guard, decisions = _explained_app()
    http.send(app, url, origin)
    assert decisions[-1].outcome is outcome
    assert guard.explain(url, origin=origin, app=app) == decisions[-1]


@pytest.mark.parametrize("slash", ["", "/"])
def test_explain_with_its_arguments_swapped(app, slash):
    """Whoever gives the page first is told what to type, rather than that no page has such an
    origin."""
    guard = CorsGuard(app, origins=SHOP)
    with pytest.raises(CorsGuardError) as caught:
        guard.explain(f"{SHOP}{slash}", origin="/api/x?a=1")
    assert str(caught.value) == (
        "guard.explain takes the URL first, and the page's origin by name: write"
        f" guard.explain('/api/x?a=1', origin='{SHOP}')"
    )
    for url, origin in ((f"{SHOP}/x", "/y"), ("/x", "/y"), ("", "/"), (SHOP, "x"), (SHOP, SHOP)):
        assert guard.explain(url, origin=origin) is not None


def test_explain_where_the_host_decides(http):
    app = Flask("shop", host_matching=True, static_host="static.test")
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "www", lambda: "ok", host="www.shop.test")
    app.add_url_rule("/", "api", cors(origins=PARTNER)(lambda: "ok"), host="api.shop.test")
    for host, readers in (("api", [PARTNER]), ("www", [SHOP]), ("other", [SHOP])):
        url = f"http://{host}.shop.test/"
        assert http.readers(app, url, status=404 if host == "other" else 200) == readers
        explained = [guard.explain(url, origin=origin, app=app) for origin in (SHOP, PARTNER)]
        allowed = [d.origin for d in explained if d.outcome is Outcome.ALLOWED]
        assert allowed == readers


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("/chat", {"Upgrade": "websocket"}, "UNENFORCED chat"),
        ("/chat", {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"}, "UNENFORCED chat"),
        ("/chat", ["Upgrade"], "UNENFORCED chat"),
        ("/chat", {"Upgrade": "websocket", "X-Trace": "1"}, "UNENFORCED chat"),
        ("ws://api.test/chat", (), "UNENFORCED chat"),
        ("WSS://api.test/chat", (), "UNENFORCED chat"),
        ("/closed", {"Upgrade": "websocket"}, "REJECTED closed"),
        ("/chat", (), "REJECTED None"),  # not a handshake
        ("/chat", {"Upgrade": "h2c"}, "REJECTED None"),
        ("/", {"Upgrade": "websocket"}, "UNENFORCED index"),  # as it stands
        ("/", {"Upgrade": "websocket", "Connection": "Upgrade"}, "UNENFORCED None"),
        ("ws://api.test/none", (), "UNENFORCED None"),
    ],
)
def test_explain_a_handshake(app, url, headers, expected):
    """A handshake is explained as a browser would send it."""
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    app.add_url_rule("/chat", "chat", lambda: "ok", websocket=True)
    app.add_url_rule("/closed", "closed", cors(enforce="unsafe")(lambda: "ok"), websocket=True)

    decision = guard.explain(url, origin=PARTNER, headers=headers, app=app)
    assert f"{decision.outcome.name} {decision.endpoint}" == expected
    assert decision.blocked == (decision.endpoint == "closed")
    if url.lower().startswith("ws"):
        own = "http" + url[2:].rpartition("/")[0].lower()
        assert guard.explain(url, origin=own, headers=headers, app=app).reason is None


# Configuration, arguments, and the mark on the view
SET_IN = {
    "arguments": ({}, {"origins": PARTNER}, None),
    "nothing": ({}, {}, None),
    "configuration": ({"ORIGINS": PARTNER}, {}, None),
    "configuration and arguments": ({"ALLOW_HEADERS": "X-A"}, {"origins": PARTNER}, None),
    "the other way round": ({"ORIGINS": PARTNER}, {"allow_headers": "X-A"}, None),
    "mark": ({}, {"origins": PARTNER}, {"max_age": 5}),
    "mark and configuration": ({"ORIGINS": PARTNER}, {}, {"allow_headers": "X-A"}),
    "named policy": ({"POLICIES": {"open": {"origins": PARTNER}}}, {}, "open"),
}


@pytest.mark.parametrize("name", SET_IN)
def test_the_advice_of_explain_is_taken_once(name):
    """What explain() says to write, written where it says, allows the request."""
    config, arguments, mark = copy.deepcopy(SET_IN[name])
    policy, marked = ((mark,), {}) if isinstance(mark, str) else ((), mark)

    def explained():
        app = Flask("shop")
        app.config.from_mapping({f"CORSGUARD_{key}": value for key, value in config.items()})
        guard = CorsGuard(app, **arguments)
        decorate = (lambda view: view) if mark is None else cors(*policy, **marked)
        app.add_url_rule("/x", "x", decorate(lambda: "ok"))
        names = ["Authorization", "X-Trace"]
        return guard.explain("/x", origin=SHOP, headers=names, app=app)

    before = explained()
    assert before.reason is Reason.ORIGIN_NOT_ALLOWED
    advice = before.explain().splitlines()[-1]
    assert advice.startswith("  To allow it: ")
    for key, value in re.findall(r"CORSGUARD_(\w+)=(\[.*?\])", advice):
        config[key] = json.loads(value)
    for field, value in re.findall(r"\b([a-z_]+)=(\[.*?\])", advice):
        (arguments if mark is None else marked)[field] = json.loads(value)
    assert explained().outcome is Outcome.ALLOWED, advice
    # Nothing is set in two places.
    assert not {key.lower() for key in config} & set(arguments)


@pytest.mark.parametrize(
    ("url", "arguments", "words"),
    [
        (len, {}, "takes a URL as a string, not <built-in function len>"),
        ("/", {"method": ["PUT"]}, "takes a method as a string, not ['PUT']"),
        ("/", {"origin": [SHOP]}, f"takes an origin as a string, not ['{SHOP}']"),
        ("localhost:5000/x", {}, "is a path. For the URL, write http://localhost:5000/x"),
        ("127.0.0.1:5000", {}, "is a path. For the URL, write http://127.0.0.1:5000"),
        ("api.example.com/x", {}, "is a path. For the URL, write https://api.example.com/x"),
        ("/x/<int:id>", {}, "is a rule. Write a URL, with a value for each variable"),
        ("/x/<id>", {}, "is a rule. Write a URL, with a value for each variable"),
        ("GET /x", {}, "is not a URL. Give the method by itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_explain_cannot_take(app, url, arguments, words):
    with pytest.raises(CorsGuardError) as caught:
        CorsGuard(app, origins=SHOP).explain(url, **{"origin": SHOP, **arguments})
    assert str(caught.value).endswith(words)


@pytest.mark.parametrize("url", ["x", "favicon.ico", "v1.0/x", "/x?next=http://a:1/", "/a:1", ""])
def test_odd_urls(app, url):
    assert CorsGuard(app, origins=SHOP).explain(url, origin=SHOP).outcome is Outcome.ALLOWED


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
        # Ending the context would close what the current request has opened.
        guard.explain("/", origin=SHOP)
        assert ended == []
        other_guard.explain("/", origin=SHOP, app=other)
        assert len(ended) == 1


@pytest.mark.parametrize("other", [Flask("bare"), 3, "shop"], ids=type)
@pytest.mark.parametrize("call", ["explain", "routes", "reconfigure"])
def test_which_app(call, other):
    """A call without an app needs an app context, and the app has to be guarded."""
    guard = CorsGuard()
    arguments = {"explain": {"url": "/", "origin": SHOP}}.get(call, {})
    with pytest.raises(CorsGuardError, match="which app"):
        getattr(guard, call)(**arguments)
    with pytest.raises(CorsGuardError, match="has no guard"):
        getattr(guard, call)(**arguments, app=other)


# routes


def test_routes(app):
    guard = CorsGuard(app, origins=SHOP)

    class Item(MethodView):
        def get(self):
            return "ok"

        put = cors(origins=PARTNER)(lambda _: "ok")

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
        ("/api/item", ("PUT",), Policy(origins=PARTNER, max_age=5), "method PUT of view api.item"),
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


def test_where_a_default_from_the_configuration_came_from(site):
    site.config["CORSGUARD_ORIGINS"] = SHOP
    guard = CorsGuard(site)
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
def test_reconfigure_the_default(site, http, change, max_age, started):
    """Marks stay, and the fields that they do not set follow the new default."""
    guard = CorsGuard(site, origins=SHOP, max_age=5)
    site.add_url_rule("/mark", "mark", cors(origins=SHOP)(lambda: "ok"), methods=["GET", "PUT"])
    if started:
        assert http.readers(site, "/", "PUT") == [SHOP]
    guard.reconfigure(**change)

    for path, reader in (("/", PARTNER), ("/mark", SHOP)):
        assert http.readers(site, path, "PUT") == [reader]
        granted = http.granted(reader, max_age=max_age)
        assert http.preflight(site, path, reader) == granted


def test_reconfigure_named_policies(app, http):
    guard = CorsGuard(app, policies={"a": {"origins": SHOP}, "b": {"origins": SHOP}})
    for name in ("a", "b"):
        app.add_url_rule(f"/{name}", name, cors(name)(lambda: "ok"))
    assert http.readers(app, "/a") == [SHOP]
    guard.reconfigure(policies={"a": {"origins": PARTNER}})
    assert http.readers(app, "/a") == [PARTNER]
    assert http.readers(app, "/b") == [SHOP]


def test_reconfigure_keeps_what_it_is_not_told(site, http, log_lines):
    site.config["CORSGUARD_LOG_REJECTIONS"] = False
    guard = CorsGuard(site, origins=SHOP, self_origins="https://front.example")
    guard.reconfigure(max_age=5)

    assert http.readers(site, "/") == [SHOP]
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
def test_an_invalid_change_changes_nothing(site, http, change, started):
    """reconfigure() applies no part of an invalid change, not even a valid one."""
    guard = CorsGuard(site, origins=SHOP, policies={"named": {"origins": SHOP}})
    site.add_url_rule("/named", "named", cors("named")(lambda: "ok"))
    if started:
        http.send(site, "/", SHOP)
    with pytest.raises(CorsGuardError):
        guard.reconfigure(**change)

    for path in ("/", "/named"):
        assert http.readers(site, path) == [SHOP]


def test_a_change_that_one_mark_makes_dangerous(site, http):
    guard = CorsGuard(site, origins=SHOP)
    site.add_url_rule("/me", "me", cors(allow_credentials=True)(lambda: "ok"))
    http.send(site, "/", SHOP)
    with pytest.raises(PolicyError) as caught:
        guard.reconfigure(origins="*")

    assert [p.code for p in caught.value.problems] == ["credentials_any_origin"]
    assert http.readers(site, "/") == [SHOP]


def test_reconfigure_changes_one_app(http):
    guard = CorsGuard(origins=SHOP)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        app.add_url_rule("/", "index", lambda: "ok")
        guard.init_app(app)
    guard.reconfigure(origins=PARTNER, app=apps[0])

    assert http.readers(apps[0], "/") == [PARTNER]
    assert http.readers(apps[1], "/") == [SHOP]


def test_each_request_sees_the_old_settings_or_the_new(site, http):
    guard = CorsGuard()

    def reconfigures(_origin):
        guard.reconfigure(origins=PARTNER, max_age=2, allow_headers="X-New")
        return True

    site.config.update(CORSGUARD_ORIGINS=reconfigures, CORSGUARD_MAX_AGE=1)
    guard.init_app(site)

    assert http.preflight(site, "/", SHOP, "PUT", "content-type") == http.granted(SHOP, max_age="1")
    assert http.preflight(site, "/", SHOP) == http.denied()
    assert http.preflight(site, "/", PARTNER) == http.granted(
        PARTNER, max_age="2", allow_headers="X-New"
    )


def test_reconfigure_while_requests_run(site, http):
    guard = CorsGuard(site, origins=SHOP, max_age=1)
    changes = [{"origins": SHOP, "max_age": 1}, {"origins": PARTNER, "max_age": 2}]
    expected = [http.denied(), http.granted(SHOP, max_age="1"), http.granted(PARTNER, max_age="2")]

    def change():
        for n in range(50):
            guard.reconfigure(**changes[n % 2], app=site)

    changer = threading.Thread(target=change)
    changer.start()
    while changer.is_alive():
        assert http.preflight(site, "/", SHOP) in (expected[0], expected[1])
        assert http.preflight(site, "/", PARTNER) in (expected[0], expected[2])
    changer.join()


# Several marks


@pytest.mark.parametrize(
    ("marks", "max_age"),
    [
        ("", "1"),
        ("blueprint", "2"),
        ("endpoint", "3"),
        ("endpoint blueprint", "3"),
        ("view endpoint blueprint", "4"),
        ("view blueprint", "4"),
        ("method view endpoint blueprint", "5"),
        ("method endpoint", "5"),
    ],
)
def test_the_most_specific_mark_wins(app, http, marks, max_age):
    """The order is: method, view, endpoint, blueprint, default."""
    guard = CorsGuard(app, origins=SHOP, max_age=1)
    blueprint = Blueprint("api", __name__, url_prefix="/api")

    class Item(MethodView):
        def put(self):
            return "ok"

    if "blueprint" in marks:
        cors(max_age=2)(blueprint)
    if "endpoint" in marks:
        guard.for_endpoint("api.item", max_age=3)
    if "view" in marks:
        cors(max_age=4)(Item)
    if "method" in marks:
        cors(max_age=5)(Item.put)
    blueprint.add_url_rule("/item", view_func=Item.as_view("item"))
    app.register_blueprint(blueprint)

    assert http.preflight(app, "/api/item", SHOP).cors["Access-Control-Max-Age"] == max_age


# for_files

EVERYBODY = [SHOP, PARTNER, ADMIN]


@pytest.fixture
def static_app(tmp_path):
    """An app with static files of several kinds."""
    for name in ("a.woff2", "a.WOFF2", "b.ttf", "secret.json", "fonts/c.woff2", "x.woff2/e.json"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("data")
    return Flask("shop", static_folder=tmp_path, static_url_path="/static")


@pytest.mark.parametrize(
    ("path", "status", "is_font"),
    [
        ("a.woff2", 200, True),
        ("b.ttf", 200, True),
        ("fonts/c.woff2", 200, True),
        pytest.param("a.woff2?v=1", 200, True, id="a query"),
        pytest.param("a%2Ewoff2", 200, True, id="percent-encoded"),
        ("secret.json", 200, False),
        pytest.param("secret.json?a.woff2", 200, False, id="the glob in the query"),
        pytest.param("secret.json#a.woff2", 200, False, id="the glob in the fragment"),
        pytest.param("a.WOFF2", 200, False, id="case"),
        pytest.param("x.woff2/e.json", 200, False, id="the glob in a folder"),
        pytest.param("none.woff2", 404, True, id="no such file"),
        pytest.param("..%2Fa.woff2", 404, True, id="outside the folder"),
        pytest.param("a.woff2%0A", 404, False, id="a newline after the name"),
        pytest.param("secret.json%00.woff2", 404, True, id="a null byte"),
    ],
)
def test_for_files(static_app, http, path, status, is_font):
    """A glob is matched against the file's name as the view gets it."""
    guard = CorsGuard(static_app, origins=SHOP)
    guard.for_files("static", "*.woff2", "*.ttf", origins="*")
    readers = EVERYBODY if is_font else [SHOP]
    assert http.readers(static_app, f"/static/{path}", status=status) == readers


@pytest.mark.parametrize(
    ("request_headers", "status"),
    [({"Range": "bytes=1-2"}, 206), ({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304)],
    ids=["206", "304"],
)
def test_files_in_parts_and_not_at_all(static_app, http, request_headers, status):
    guard = CorsGuard(static_app, origins=SHOP)
    guard.for_files("static", "*.woff2", origins="*")
    sent = {"status": status, "headers": request_headers}
    assert http.readers(static_app, "/static/a.woff2", **sent) == EVERYBODY
    assert http.readers(static_app, "/static/b.ttf", **sent) == [SHOP]


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
    """However its URL is written, a file under a stricter policy is refused or not found."""
    guard = CorsGuard(static_app, origins="*")
    guard.for_files("static", glob, origins=SHOP)

    response = http.send(static_app, path, PARTNER)
    assert response == http.refused() or response.status == 404


def test_of_several_marks_on_files_the_first_counts(static_app, http):
    guard = CorsGuard(static_app)
    guard.for_files("static", "fonts/*", origins=SHOP)
    guard.for_files("static", "*.woff2", origins=PARTNER)
    guard.for_endpoint("static", origins=ADMIN)

    assert http.readers(static_app, "/static/fonts/c.woff2") == [SHOP]
    assert http.readers(static_app, "/static/a.woff2") == [PARTNER]
    assert http.readers(static_app, "/static/b.ttf") == [ADMIN]


# cors_exempt

OWN = {"Access-Control-Allow-Origin": "*", "Vary": "Accept"}


@pytest.mark.parametrize("kind", ["view", "class", "blueprint"])
def test_exempt(app, http, heard, log_lines, kind):
    """An exempt route has the app's own headers, is never reported, and exempts no other route."""
    CorsGuard(app, origins=SHOP)

    class Item(MethodView):
        def put(self):
            return "ok", OWN

    view = Item.as_view("x") if kind == "class" else lambda: ("ok", OWN)
    blueprint = Blueprint("api", __name__, url_prefix="/x")
    cors_exempt({"view": view, "class": Item, "blueprint": blueprint}[kind])
    blueprint.add_url_rule("", "x", view, methods=["PUT"])
    app.register_blueprint(blueprint)
    for origin in (SHOP, PARTNER):
        assert http.send(app, "/x", origin, method="PUT") == (200, OWN)
        assert http.preflight(app, "/x", origin) == (200, {})
    assert http.send(app, "/x", method="PUT") == (200, OWN)
    assert (heard, log_lines()) == ([], [])
    assert http.readers(app, "/other", status=404) == [SHOP]


def test_exempt_method_of_a_class(app, http):
    class Item(MethodView):
        def get(self):
            return "ok"

        put = cors_exempt(lambda _: ("ok", OWN))

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


def test_an_origin_check_that_is_not_made_yet(app):
    """What Socket.IO does with cors_allowed_origins=guard.origin_check."""
    guard = CorsGuard(app)
    with pytest.raises(CorsGuardError, match=r"cors_allowed_origins=guard.origin_check\(app\)"):
        guard.origin_check(SHOP)


def test_an_origin_check_that_is_told_no_path(app, log_lines):
    """As python-engineio before 4.12 calls it."""
    admits = CorsGuard(app, origins=SHOP, allow_credentials=True).origin_check()
    assert admits(SHOP, {"PATH_INFO": "/socket.io/"})
    assert not admits(SHOP)
    assert [line.partition(",")[0] for line in log_lines()] == [
        "guard.origin_check was called without the WSGI environment"
    ]
