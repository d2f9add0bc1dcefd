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


def view():
    """A new one each time: a mark stays on the function."""
    return lambda *_, **__: "ok"


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
    """The mark is found, and the 401 of another decorator can be read too."""
    CorsGuard(app, origins=SHOP)
    decorators = {
        "cors": cors(origins=PARTNER),
        "route": app.route("/orders", methods=["PUT"]),
        "login_required": login_required,
    }

    def orders():
        return "ok"

    function = orders
    for name in reversed(order.split()):
        function = decorators[name](function)

    status = 401 if "login_required" in order.partition("route")[2] else 200
    assert http.readers(app, "/orders", "PUT", headers=AUTHORIZED) == [PARTNER]
    assert http.readers(app, "/orders", "PUT", status=status) == [PARTNER]


def test_a_mark_on_another_view_around_the_same_function_is_that_views(app, http):
    CorsGuard(app)

    def index():
        return "ok"

    @cors(origins=PARTNER)
    @functools.wraps(index)
    def public():
        return index()

    @functools.wraps(index)
    def audited():
        return index()

    app.add_url_rule("/private", "private", index)
    app.add_url_rule("/public", "public", public)
    app.add_url_rule("/audited", "audited", audited)
    assert http.readers(app, "/public") == [PARTNER]
    assert http.readers(app, "/private") == []
    assert http.readers(app, "/audited") == []


# Flask calls the function that the route was given, so login_required guards nothing here, and the
# mark is not on the view.
@pytest.mark.parametrize("wrappers", [1, 2])
def test_a_mark_that_misses_its_view(app, login_required, wrappers):
    guard = CorsGuard(app)
    function = app.get("/orders")(view())
    for _ in range(wrappers):
        function = login_required(function)
    cors(origins=SHOP)(function)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    assert [problem.code for problem in caught.value.problems] == ["lost_mark"]
    assert "test_marks.py:" in str(caught.value)


def test_a_mark_that_misses_its_view_and_one_that_does_not(app, http, login_required):
    CorsGuard(app)
    orders = app.get("/orders")(view())
    cors(origins=PARTNER)(login_required(orders))
    cors(origins=SHOP)(orders)
    assert http.readers(app, "/orders") == [SHOP]


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


def _endless():
    return "ok"


_endless.__wrapped__ = _endless
ODD_VIEWS = {
    "partial of a marked function": functools.partial(cors(origins=SHOP)(lambda text: text), "ok"),
    "marked partial": cors(origins=SHOP)(functools.partial(lambda text: text, "ok")),
    "instance": _Callable(),
    "static method": _Static.as_view("view"),
    "wrappers without end": cors(origins=SHOP)(_endless),
    "no attributes copied": functools.wraps(cors(origins=SHOP)(view()), updated=())(view()),
}


@pytest.mark.parametrize("function", ODD_VIEWS.values(), ids=ODD_VIEWS)
def test_odd_views(app, http, function):
    """Whatever Flask takes for a view can be marked."""
    CorsGuard(app)
    app.add_url_rule("/", "index", function, methods=["GET"])
    assert http.readers(app, "/") == [SHOP]


def test_a_view_given_by_its_endpoint(app, http):
    CorsGuard(app)
    app.add_url_rule("/", endpoint="index")
    app.endpoint("index")(cors(origins=SHOP)(view()))
    assert http.readers(app, "/") == [SHOP]


def test_functions_that_pushed_themselves_to_the_front(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", view(), methods=["PUT"])
    seen = []

    def add_origin(response):
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app.before_request_funcs[None].insert(0, lambda: seen.append(current_decision.origin))
    app.after_request_funcs[None].insert(0, add_origin)

    assert http.readers(app, "/", "PUT") == [SHOP]
    assert seen == ["https://shop.example", "https://partner.example", "https://admin.example"]


def test_a_mark_returns_its_target():
    class Empty(MethodView):
        pass

    for target in (view(), Empty, Blueprint("api", __name__)):
        assert cors(origins=SHOP)(target) is target


def _abort():
    abort(401)


@pytest.mark.parametrize("when", ["before init_app", "after init_app"])
@pytest.mark.parametrize(
    ("hook", "function"),
    [
        ("before_request", _abort),
        ("before_request", lambda: ("log in", 401)),
        ("url_value_preprocessor", lambda *_: abort(401)),
    ],
    ids=["abort", "response", "preprocessor"],
)
def test_a_function_that_ends_the_request_early(app, http, hook, function, when):
    """A response that ends the request early can be read, and preflights do not get there."""
    app.add_url_rule("/orders", "orders", view(), methods=["PUT"])
    if when == "before init_app":
        getattr(app, hook)(function)
    CorsGuard(app, origins=SHOP)
    if when == "after init_app":
        getattr(app, hook)(function)

    assert http.readers(app, "/orders", "PUT", status=401) == [SHOP]
    assert http.send(app, "/orders", method="PUT") == http.refused(401)


def test_a_blueprint_function_that_ends_the_request_early(app, http):
    api = cors(origins=SHOP)(Blueprint("api", __name__, url_prefix="/api"))
    api.add_url_rule("/orders", view_func=view(), endpoint="orders", methods=["PUT"])
    api.before_request(_abort)
    app.register_blueprint(api)
    CorsGuard(app)

    assert http.readers(app, "/api/orders", "PUT", status=401) == [SHOP]


def test_two_views_on_one_url(app, http):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/orders", "list", view(), methods=["GET"])
    app.add_url_rule("/orders", "change", cors(origins=PARTNER)(view()), methods=["PUT", "DELETE"])
    readers = {m: http.readers(app, "/orders", m) for m in ("GET", "HEAD", "PUT", "DELETE")}
    assert readers == {"GET": [SHOP], "HEAD": [SHOP], "PUT": [PARTNER], "DELETE": [PARTNER]}


class Orders(MethodView):
    """Marked as a class and, for some methods, as a method."""

    decorators = ()
    get = view()
    put = cors(origins=PARTNER)(view())
    delete = cors(allow_headers="X-Delete")(view())


cors(origins=SHOP)(Orders)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "with decorators"])
def test_method_view(app, http, login_required, wrapped):
    """A method has the mark of its class, and its own on top; HEAD has the mark of GET."""

    class Wrapped(Orders):
        decorators = (login_required,) if wrapped else ()

    app.add_url_rule("/orders", view_func=Wrapped.as_view("orders"))
    CorsGuard(app)
    for method, reader, names in (
        ("GET", SHOP, "Content-Type"),
        ("HEAD", SHOP, "Content-Type"),
        ("PUT", PARTNER, "Content-Type"),
        ("DELETE", SHOP, "X-Delete"),
    ):
        assert http.readers(app, "/orders", method, headers=AUTHORIZED) == [reader]
        cors_headers = http.preflight(app, "/orders", reader, method).cors
        assert cors_headers["Access-Control-Allow-Headers"] == names


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["last", "first"])
def test_a_mark_among_the_decorators_of_a_class(app, http, login_required, order):
    class Page(View):
        decorators = [login_required, cors(origins=SHOP)][order]
        dispatch_request = view()

    app.add_url_rule("/one", view_func=Page.as_view("one"))
    app.add_url_rule("/two", view_func=Page.as_view("two"))
    CorsGuard(app)

    for path in ("/one", "/two"):
        assert http.readers(app, path, status=401) == [SHOP]
        assert http.readers(app, path, headers=AUTHORIZED) == [SHOP]


def test_a_mark_on_what_as_view_returns(app, http):
    class Page(View):
        dispatch_request = view()

    app.add_url_rule("/one", view_func=cors(origins=SHOP)(Page.as_view("one")))
    app.add_url_rule("/two", view_func=Page.as_view("two"))
    CorsGuard(app)

    assert http.readers(app, "/one") == [SHOP]
    assert http.readers(app, "/two") == []


def test_a_subclass_overrides_the_mark_of_its_base(app, http):
    class Archive(Orders):
        pass

    cors(origins=PARTNER)(Archive)
    app.add_url_rule("/archive", view_func=Archive.as_view("archive"))
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    CorsGuard(app)

    assert http.readers(app, "/archive") == [PARTNER]
    assert http.readers(app, "/orders") == [SHOP]


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
        assert http.readers(app, path, "PUT") == [SHOP]
        assert http.preflight(app, path, SHOP) == http.granted(SHOP, methods)


@pytest.mark.parametrize("shared", ["view", "guard"])
def test_two_apps(http, shared):
    """Nothing of one app is remembered for the other."""
    marked, guard = cors(max_age=5)(view()), CorsGuard(max_age=5)
    apps = {}
    for origin in (SHOP, PARTNER):
        app = apps[origin] = Flask("shop")
        app.config["CORSGUARD_ORIGINS"] = origin
        if shared == "view":
            CorsGuard(app)
        else:
            guard.init_app(app)
        app.add_url_rule("/", "index", marked if shared == "view" else view(), methods=["PUT"])

    for _ in range(2):
        for origin, app in apps.items():
            assert http.readers(app, "/", "PUT") == [origin]
            granted = http.granted(origin, "OPTIONS, PUT", max_age="5")
            assert http.preflight(app, "/", origin) == granted


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
@pytest.mark.parametrize("how", ["cors", "for_endpoint before init_app", "for_endpoint after it"])
def test_fields_override_and_a_policy_replaces(app, http, how, arguments, fields, max_age):
    """A mark with fields leaves the others to the default policy; with a policy, it leaves none."""
    guard = CorsGuard(
        origins=SHOP, max_age=5, policies={"partners": {"origins": PARTNER, "max_age": 60}}
    )
    if how == "for_endpoint before init_app":
        guard.for_endpoint("index", *arguments, **fields)
    guard.init_app(app)
    if how == "for_endpoint after it":
        guard.for_endpoint("index", *arguments, **fields)
    marked = cors(*arguments, **fields)(view()) if how == "cors" else view()
    app.add_url_rule("/", "index", marked, methods=["PUT"])

    granted = http.granted(PARTNER, "OPTIONS, PUT", max_age=max_age)
    assert http.preflight(app, "/", PARTNER) == granted
    assert http.readers(app, "/", "PUT") == [PARTNER]
