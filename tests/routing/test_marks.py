"""Where a mark may stand, and what runs between it and the response."""

from __future__ import annotations

import functools

import pytest
from flask import Blueprint, Flask, abort
from flask.views import MethodView, View

from flask_corsguard import CorsGuard, Policy, PolicyError, cors, current_decision

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
AUTHORIZED = {"Authorization": "Bearer x"}


# From the top line to the bottom line. login_required above route guards nothing in Flask, but
# the mark has to be found all the same.
@pytest.mark.parametrize(
    "order",
    [
        "cors route",
        "route cors",
        "cors route login_required",
        "route cors login_required",
        "route login_required cors",
        "route login_required cors login_required",
        "login_required cors route",
        "login_required route cors",
    ],
)
def test_order_of_decorators(app, http, login_required, order):
    CorsGuard(app, origins=SHOP)
    decorators = {
        "cors": cors(origins=PARTNER),
        "route": app.route("/orders", methods=["PUT"]),
        "login_required": login_required,
    }

    def orders():
        return "ok"

    view = orders
    for name in reversed(order.split()):
        view = decorators[name](view)

    guarded = "login_required" in order.partition("route")[2]
    assert http.send(app, "/orders", PARTNER, method="PUT", headers=AUTHORIZED) == http.allowed(
        PARTNER
    )
    assert http.send(app, "/orders", PARTNER, method="PUT") == http.allowed(
        PARTNER, 401 if guarded else 200
    )
    assert http.send(app, "/orders", SHOP, method="PUT", headers=AUTHORIZED) == http.refused()
    assert http.preflight(app, "/orders", PARTNER) == http.granted(PARTNER, "OPTIONS, PUT")
    assert http.preflight(app, "/orders", SHOP) == http.denied()


def test_a_mark_on_another_view_around_the_same_function_is_that_views(app, http):
    CorsGuard(app)

    def index():
        return "ok"

    @cors(origins="*")
    @functools.wraps(index)
    def public():
        return index()

    @functools.wraps(index)
    def audited():
        return index()

    app.add_url_rule("/private", "private", index)
    app.add_url_rule("/public", "public", public)
    app.add_url_rule("/audited", "audited", audited)
    assert http.send(app, "/public", SHOP).cors == {"Access-Control-Allow-Origin": "*"}
    assert http.send(app, "/private", SHOP) == http.refused()
    assert http.send(app, "/audited", SHOP) == http.refused()


# Flask calls the function that the route was given, so login_required guards nothing here, and the
# mark is not on the view.
@pytest.mark.parametrize("wrappers", [1, 2])
def test_a_mark_that_misses_its_view(app, login_required, wrappers):
    guard = CorsGuard(app)

    def orders():
        return "ok"

    view = app.get("/orders")(orders)
    for _ in range(wrappers):
        view = login_required(view)
    cors(origins=SHOP)(view)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    assert [problem.code for problem in caught.value.problems] == ["lost_mark"]
    assert "test_marks.py:" in str(caught.value)


def test_a_mark_that_misses_its_view_and_one_that_does_not(app, http, login_required):
    CorsGuard(app)

    def orders():
        return "ok"

    app.get("/orders")(orders)
    cors(origins=PARTNER)(login_required(orders))
    cors(origins=SHOP)(orders)
    assert http.send(app, "/orders", SHOP) == http.allowed(SHOP)
    assert http.send(app, "/orders", PARTNER) == http.refused()


def test_a_mark_on_a_view_of_another_app_is_not_taken_over(app, login_required):
    def report():
        return "report"

    for _ in range(3):  # a factory that runs again
        public = Flask("public")
        CorsGuard(public)
        public.get("/report")(cors(origins="*")(login_required(report)))
    guard = CorsGuard(app, origins=SHOP)
    app.get("/report")(report)
    with pytest.raises(PolicyError, match="lost_mark") as caught:
        guard.routes()
    assert len(caught.value.problems) == 1
    cors(max_age=60)(report)  # said for this view
    (row,) = [row for row in guard.routes() if row.rule == "/report"]
    assert row.policy == Policy(origins=SHOP, max_age=60)


class _Callable:
    @cors(origins=SHOP)
    def __call__(self):
        return "ok"


class _Static(MethodView):
    @cors(origins=SHOP)
    @staticmethod
    def get():
        return "ok"


@pytest.mark.parametrize(
    "view",
    [
        functools.partial(cors(origins=SHOP)(lambda text: text), "ok"),
        _Callable(),
        _Static.as_view("view"),
    ],
    ids=["partial", "instance", "static method"],
)
def test_odd_views(app, http, view):
    CorsGuard(app)
    app.add_url_rule("/", "index", view, methods=["GET"])
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    assert http.send(app, "/", PARTNER) == http.refused()


def test_a_chain_of_wrappers_without_end(app, http):
    CorsGuard(app)

    def index():
        return "ok"

    index.__wrapped__ = index
    cors(origins=SHOP)(index)
    app.add_url_rule("/", "index", index)
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)


def test_under_a_decorator_that_copies_no_attributes(app, http):
    CorsGuard(app)

    @app.get("/")
    @lambda view: functools.wraps(view, updated=())(lambda: view())
    @cors(origins=SHOP)
    def index():
        return "ok"

    assert http.send(app, "/", SHOP) == http.allowed(SHOP)


def test_functions_that_pushed_themselves_to_the_front(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    seen = []

    def add_origin(response):
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app.before_request_funcs[None].insert(0, lambda: seen.append(current_decision.origin))
    app.after_request_funcs[None].insert(0, add_origin)

    assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP)
    assert http.send(app, "/", PARTNER, method="PUT") == http.refused()
    assert seen == [SHOP, PARTNER]


def test_the_mark_on_get_governs_head(app, http):
    class Page(MethodView):
        get = cors(origins=PARTNER)(lambda _: "ok")

    app.add_url_rule("/", view_func=Page.as_view("page"))
    CorsGuard(app, origins=SHOP)

    for method in ("GET", "HEAD"):
        assert http.send(app, "/", PARTNER, method=method) == http.allowed(PARTNER)
        assert http.send(app, "/", SHOP, method=method) == http.refused()
        assert http.preflight(app, "/", SHOP, method) == http.denied()


def test_a_mark_returns_its_target():
    def view():
        return "ok"

    class Orders(MethodView):
        pass

    blueprint = Blueprint("api", __name__)
    for target in (view, Orders, blueprint):
        assert cors(origins=SHOP)(target) is target


def _abort_before_request(app):
    @app.before_request
    def login():
        abort(401)


def _answer_before_request(app):
    @app.before_request
    def login():
        return "log in", 401


def _abort_in_preprocessor(app):
    @app.url_value_preprocessor
    def login(_endpoint, _values):
        abort(401)


@pytest.mark.parametrize("when", ["before init_app", "after init_app"])
@pytest.mark.parametrize(
    "install", [_abort_before_request, _answer_before_request, _abort_in_preprocessor]
)
def test_a_function_that_ends_the_request_early(app, http, install, when):
    app.add_url_rule("/orders", "orders", lambda: "ok", methods=["PUT"])
    if when == "before init_app":
        install(app)
    CorsGuard(app, origins=SHOP)
    if when == "after init_app":
        install(app)

    assert http.send(app, "/orders", SHOP, method="PUT") == http.allowed(SHOP, 401)
    assert http.send(app, "/orders", PARTNER, method="PUT") == http.refused(401)
    assert http.send(app, "/orders", method="PUT") == http.refused(401)
    assert http.preflight(app, "/orders", SHOP) == http.granted(SHOP, "OPTIONS, PUT")
    assert http.preflight(app, "/orders", PARTNER) == http.denied()


def test_a_blueprint_function_that_ends_the_request_early(app, http):
    api = cors(origins=SHOP)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/orders", view_func=lambda: "ok", endpoint="orders", methods=["PUT"])
    api.before_request(lambda: abort(401))
    app.register_blueprint(api)
    CorsGuard(app)

    assert http.send(app, "/api/orders", SHOP, method="PUT") == http.allowed(SHOP, 401)
    assert http.preflight(app, "/api/orders", SHOP) == http.granted(SHOP, "OPTIONS, PUT")


@pytest.mark.parametrize(
    ("method", "reader"), [("GET", SHOP), ("HEAD", SHOP), ("PUT", PARTNER), ("DELETE", PARTNER)]
)
def test_two_views_on_one_url(app, http, method, reader):
    CorsGuard(app, origins=SHOP)

    @app.get("/orders")
    def list_orders():
        return "ok"

    @app.route("/orders", methods=["PUT", "DELETE"])
    @cors(origins=PARTNER)
    def change_orders():
        return "ok"

    other = {SHOP: PARTNER, PARTNER: SHOP}[reader]
    assert http.send(app, "/orders", reader, method=method) == http.allowed(reader)
    assert http.send(app, "/orders", other, method=method) == http.refused()
    assert http.preflight(app, "/orders", reader, method).status == 204
    assert http.preflight(app, "/orders", other, method) == http.denied()


class Orders(MethodView):
    """Marked as a class and, for PUT, as a method."""

    decorators = ()

    def get(self):
        """List the orders."""
        return "ok"

    @cors(origins=PARTNER)
    def put(self):
        """Replace the orders."""
        return "ok"

    @cors(allow_headers="X-Delete")
    def delete(self):
        """Delete the orders."""
        return "ok"


cors(origins=SHOP)(Orders)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "with decorators"])
@pytest.mark.parametrize(
    ("method", "reader", "headers"),
    [
        ("GET", SHOP, "Content-Type"),
        ("HEAD", SHOP, "Content-Type"),
        ("PUT", PARTNER, "Content-Type"),
        ("DELETE", SHOP, "X-Delete"),
    ],
)
def test_method_view(app, http, login_required, method, reader, headers, wrapped):
    class Wrapped(Orders):
        decorators = (login_required,) if wrapped else ()

    app.add_url_rule("/orders", view_func=Wrapped.as_view("orders"))
    CorsGuard(app)

    other = {SHOP: PARTNER, PARTNER: SHOP}[reader]
    sent = {"method": method, "headers": AUTHORIZED}
    assert http.send(app, "/orders", reader, **sent) == http.allowed(reader)
    assert http.send(app, "/orders", other, **sent) == http.refused()
    answer = http.preflight(app, "/orders", reader, method)
    assert answer.status == 204
    assert answer.cors["Access-Control-Allow-Headers"] == headers
    assert http.preflight(app, "/orders", other, method) == http.denied()


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["last", "first"])
def test_a_mark_among_the_decorators_of_a_class(app, http, login_required, order):
    class Page(View):
        decorators = [login_required, cors(origins=SHOP)][order]

        def dispatch_request(self):
            return "ok"

    app.add_url_rule("/one", view_func=Page.as_view("one"))
    app.add_url_rule("/two", view_func=Page.as_view("two"))
    CorsGuard(app)

    for path in ("/one", "/two"):
        assert http.send(app, path, SHOP) == http.allowed(SHOP, 401)
        assert http.send(app, path, SHOP, headers=AUTHORIZED) == http.allowed(SHOP)
        assert http.send(app, path, PARTNER) == http.refused(401)


def test_other_ways_to_give_an_endpoint_its_view(app, http):
    CorsGuard(app)
    app.add_url_rule("/endpoint", endpoint="endpoint")

    @app.endpoint("endpoint")
    @cors(origins=SHOP)
    def view():
        return "ok"

    marked = cors(origins=SHOP)(functools.partial(lambda word: word, "ok"))
    app.add_url_rule("/partial", "partial", marked)
    for path in ("/endpoint", "/partial"):
        assert http.send(app, path, SHOP) == http.allowed(SHOP)
        assert http.send(app, path, PARTNER) == http.refused()


def test_marked_as_view_and_dispatch_request(app, http):
    class Page(View):
        def dispatch_request(self):
            return "ok"

    app.add_url_rule("/one", view_func=cors(origins=SHOP)(Page.as_view("one")))
    app.add_url_rule("/two", view_func=Page.as_view("two"))
    CorsGuard(app)

    assert http.send(app, "/one", SHOP) == http.allowed(SHOP)
    assert http.send(app, "/two", SHOP) == http.refused()


def test_a_subclass_overrides_the_mark_of_its_base(app, http):
    class Archive(Orders):
        pass

    cors(origins=PARTNER)(Archive)
    app.add_url_rule("/archive", view_func=Archive.as_view("archive"))
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    CorsGuard(app)

    assert http.send(app, "/archive", PARTNER) == http.allowed(PARTNER)
    assert http.send(app, "/archive", SHOP) == http.refused()
    assert http.send(app, "/orders", SHOP) == http.allowed(SHOP)


def test_async_views(app, http):
    CorsGuard(app)

    @app.put("/orders")
    @cors(origins=SHOP)
    async def orders():
        return "ok"

    class Items(MethodView):
        @cors(origins=SHOP)
        async def put(self):
            return "ok"

    app.add_url_rule("/items", view_func=Items.as_view("items"))
    # OPTIONS of the class has the default policy, so the mark on put() does not speak for it.
    for path, methods in (("/orders", "OPTIONS, PUT"), ("/items", "PUT")):
        assert http.send(app, path, SHOP, method="PUT") == http.allowed(SHOP)
        assert http.preflight(app, path, SHOP) == http.granted(SHOP, methods)
        assert http.preflight(app, path, PARTNER) == http.denied()


def test_a_view_shared_by_two_apps(http):
    @cors(max_age=5)
    def shared():
        return "ok"

    apps = {}
    for origin in (SHOP, PARTNER):
        app = apps[origin] = Flask("shop")
        app.add_url_rule("/shared", view_func=shared, methods=["PUT"])
        CorsGuard(app, origins=origin)

    for origin, app in apps.items():
        assert http.preflight(app, "/shared", origin) == http.granted(
            origin, "OPTIONS, PUT", max_age="5"
        )
    assert http.preflight(apps[SHOP], "/shared", PARTNER) == http.denied()
    assert http.preflight(apps[PARTNER], "/shared", SHOP) == http.denied()


def test_one_guard_on_two_apps(http):
    guard = CorsGuard(max_age=5)
    apps = {}
    for origin in (SHOP, PARTNER):
        app = apps[origin] = Flask("shop")
        app.config["CORSGUARD_ORIGINS"] = origin
        app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
        guard.init_app(app)

    for _ in range(2):  # in turns: nothing of one app is remembered for the other
        assert http.preflight(apps[SHOP], "/", SHOP) == http.granted(
            SHOP, "OPTIONS, PUT", max_age="5"
        )
        assert http.preflight(apps[PARTNER], "/", SHOP) == http.denied()
        assert http.send(apps[PARTNER], "/", PARTNER, method="PUT") == http.allowed(PARTNER)
        assert http.send(apps[SHOP], "/", PARTNER, method="PUT") == http.refused()


@pytest.mark.parametrize(
    ("mark", "max_age"),
    [
        pytest.param(cors(origins=PARTNER), "5", id="fields override"),
        pytest.param(cors(Policy(origins=PARTNER)), "600", id="a policy replaces"),
        pytest.param(cors("partners"), "60", id="a named policy replaces"),
        pytest.param(cors("partners", max_age=7), "7", id="a named policy with fields"),
    ],
)
def test_fields_override_and_a_policy_replaces(app, http, mark, max_age):
    app.add_url_rule("/", "index", mark(lambda: "ok"), methods=["PUT"])
    CorsGuard(
        app, origins=SHOP, max_age=5, policies={"partners": {"origins": PARTNER, "max_age": 60}}
    )

    assert http.preflight(app, "/", PARTNER) == http.granted(
        PARTNER, "OPTIONS, PUT", max_age=max_age
    )
    assert http.preflight(app, "/", SHOP) == http.denied()
