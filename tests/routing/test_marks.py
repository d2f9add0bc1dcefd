"""Where a mark may stand, and what runs between it and the response."""

from __future__ import annotations

import abc
import functools
import gc
import re
import weakref

import pytest
from flask import Blueprint, Flask, abort
from flask.views import MethodView, View

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Policy,
    PolicyError,
    cors,
    cors_exempt,
    current_decision,
    decorators,
)
from flask_corsguard.audit.run import audit
from flask_corsguard.decorators import all_marked, mark_of
from flask_corsguard.routing.mark_checks import unrouted_marks

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


# Marks that no route has. Each of these leaves marks, and says which are unrouted.


def _hidden(function):
    """A decorator that everybody has written once: without functools.wraps."""
    return lambda *arguments: function(*arguments)


def _without_wraps(app):
    @app.get("/")
    @_hidden
    @cors(origins=SHOP)
    def orders():
        return "ok"

    return orders, ["_hidden.<locals>.<lambda>"]


def _above_the_route_without_wraps(app):
    @cors(origins=SHOP)
    @_hidden
    @app.get("/")
    def orders():
        return "ok"

    return orders, ["_hidden.<locals>.<lambda>"]


def _a_view(app):
    @cors_exempt
    def orders():
        return "ok"

    return orders, ["orders"]


def _an_error_handler(app):
    @app.errorhandler(404)
    @cors(origins=SHOP)
    def missing(error):
        return "no", 404

    return missing, ["missing"]


def _an_endpoint_without_a_rule(app):
    @app.endpoint("orders")
    @cors(origins=SHOP)
    def orders():
        return "ok"

    return orders, ["orders"]


def _a_blueprint(app):
    api = cors(origins=SHOP)(Blueprint("api", __name__))

    @api.get("/orders")
    @cors(max_age=5)
    def orders():
        return "ok"

    return api, ["blueprint 'api'", "orders"]


def _a_class(app):
    @cors(origins=SHOP)
    class Items(MethodView):
        get = view()

    return Items, ["Items"]


def _a_view_class(app):
    @cors(origins=SHOP)
    class Page(View):
        @cors(max_age=5)
        def dispatch_request(self):
            return "ok"

    return Page, ["Page", "Page.dispatch_request"]


def _no_handler(app):
    class Items(MethodView):
        get = view()

        @cors(origins=SHOP)
        def fetch(self):
            return "ok"

    app.add_url_rule("/", view_func=Items.as_view("items"))
    return Items, ["Items.fetch"]


def _other_methods(app):
    class Items(MethodView):
        @cors(max_age=5)
        def get(self):
            return "ok"

        @cors(origins=SHOP)
        def put(self):
            return "ok"

    app.add_url_rule("/", view_func=Items.as_view("items"), methods=["HEAD"])
    return Items, ["Items.put"]


def _overridden(app):
    class Base(MethodView):
        @cors(origins=SHOP)
        def get(self):
            return "ok"

    class Items(Base):
        def get(self):
            return super().get()

    app.add_url_rule("/", view_func=Items.as_view("items"))
    return Base, ["Base.get"]


def _one_of_several_with_one_mark(app):
    public = cors(origins=SHOP)

    @app.get("/")
    @public
    def orders():
        return "ok"

    @public
    def items():
        return "ok"

    return items, ["items"]


def _in_use(app):
    """Every place where a mark counts."""
    api = cors(origins=SHOP)(Blueprint("api", __name__))
    outer = cors(origins=SHOP)(Blueprint("outer", __name__, url_prefix="/none"))
    outer.register_blueprint(api)
    app.register_blueprint(outer)
    for number, function in enumerate(ODD_VIEWS.values()):
        mark = mark_of(function)
        if mark and not mark.exempt:
            app.add_url_rule(f"/{number}", f"odd{number}", function, methods=["GET"])
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))

    @cors(origins=SHOP)
    class Base(MethodView):
        pass

    class Sub(Base):
        @cors(max_age=5)
        def purge(self):
            return "ok"

    app.add_url_rule("/sub", view_func=Sub.as_view("sub"), methods=["PURGE"])

    @functools.wraps(cors(origins=SHOP)(view()))
    def rewrapped():
        return "ok"

    del rewrapped.__wrapped__
    app.add_url_rule("/rewrapped", "rewrapped", rewrapped)
    return (api, outer, Base, Sub), []


def _bases_only(app):
    """They could not serve a request themselves."""

    @cors(origins=SHOP)
    class Base(MethodView):
        pass

    @cors(origins=SHOP)
    class Page(View):
        pass

    @cors(origins=SHOP)
    class Abstract(View, abc.ABC):
        def dispatch_request(self):
            return self.render()

        @abc.abstractmethod
        def render(self): ...

    @cors(origins=SHOP)
    class Items(MethodView, abc.ABC):
        def get(self):
            return self.items()

        @abc.abstractmethod
        def items(self): ...

    return (Base, Page, Abstract, Items), []


def _made_again(app):
    """An app factory runs again, and the first app still exists."""

    def make():
        @cors(origins=SHOP)
        def orders():
            return "ok"

        return orders

    app.add_url_rule("/", "index", make())
    return make(), []


def _of_another_app(app):
    other = Flask("other")
    CorsGuard(other)
    function = cors(origins=SHOP)(view())
    other.add_url_rule("/", "index", function)
    return (other, function), []


def _not_guarded(app):
    other = Flask("other")
    other.add_url_rule("/", "index", cors(origins=SHOP)(view()))
    return other, ["view.<locals>.<lambda>"]


UNROUTED = [
    _without_wraps, _above_the_route_without_wraps, _a_view, _an_error_handler,
    _an_endpoint_without_a_rule, _a_blueprint, _a_class, _a_view_class, _no_handler, _other_methods,
    _overridden, _one_of_several_with_one_mark, _in_use, _bases_only, _made_again, _of_another_app,
    _not_guarded,
]  # fmt: skip


@pytest.mark.parametrize("build", UNROUTED, ids=lambda build: build.__name__[1:])
def test_marks_that_no_route_has(app, build):
    CorsGuard(app)
    kept, names = build(app)
    unrouted = unrouted_marks(app)
    found = [
        re.search(
            r"has the view (.*?)\. |: (blueprint .*?) is not|: (\S*) \(.*\) hides", each.message
        )
        .expand(r"\1\2\3")
        .removeprefix(f"{__name__}.")
        .removeprefix(f"{build.__name__}.<locals>.")
        for each in unrouted
    ]
    assert sorted(found) == sorted(names)
    assert all(re.search(r"test_marks\.py:\d+$", each.location) for each in unrouted)
    assert all(each.location in each.message for each in unrouted)
    assert kept is not None


def test_a_mark_that_an_app_has_had(app):
    """As in a test suite, where apps come and go and the views stay."""
    function = cors(origins=SHOP)(view())
    first = Flask("first")
    CorsGuard(first)
    first.add_url_rule("/", "index", function)
    assert unrouted_marks(first) == []
    del first
    gc.collect()
    CorsGuard(app)
    assert unrouted_marks(app) == []
    assert function() == "ok"


def test_what_is_said_of_a_mark_that_no_route_has(app):
    CorsGuard(app)
    kept, _ = _a_view(app)
    (unrouted,) = unrouted_marks(app)
    assert re.sub(r"\S*test_marks\.py:\d+", "LINE", unrouted.message) == (
        "@cors_exempt at LINE has no effect: no route has the view"
        f" {__name__}._a_view.<locals>.orders. Use functools.wraps in the decorators around it, or"
        " put @cors_exempt directly below the route. If it has no route, add one. If it belongs to"
        " another app, ignore this."
    )
    assert kept


def _by_a_function(function):
    def wrapper():
        return function()

    return wrapper


def _by_a_good_one(function):
    return functools.wraps(function)(_hidden(function))


class _ByAnObject:
    def __init__(self, function):
        self.function = function

    def __call__(self):
        return self.function()


HIDDEN = {
    "by a function": (
        _by_a_function,
        "_by_a_function.<locals>.wrapper (LINE) hides it. Write @functools.wraps(function) above"
        " it, or put @cors directly below the route.",
    ),
    "by a lambda": (
        _hidden,
        "_hidden.<locals>.<lambda> (LINE) hides it. Write functools.wraps(function)(...) around it,"
        " or put @cors directly below the route.",
    ),
    "by an object": (
        _ByAnObject,
        "_ByAnObject (LINE) hides it. Call functools.update_wrapper(self, f) in its __init__(), or"
        " put @cors directly below the route.",
    ),
    "by the inner of two": (
        lambda function: _by_a_good_one(_by_a_function(function)),
        "_by_a_function.<locals>.wrapper (LINE) hides it. Write @functools.wraps(function) above"
        " it, or put @cors directly below the route.",
    ),
}


@pytest.mark.parametrize(("decorator", "words"), HIDDEN.values(), ids=HIDDEN)
def test_what_is_said_of_a_hidden_mark(app, log_lines, decorator, words):
    """By prepare(), in debug mode by the first request, and first of all in an explanation."""
    guard = CorsGuard(app, origins=SHOP)

    @cors(origins=PARTNER)
    def me():
        return "me"

    app.add_url_rule("/me", "me", decorator(me))
    (unrouted,) = unrouted_marks(app)
    message = re.sub(r"[^ (]*test_marks\.py:\d+", "LINE", unrouted.message)
    assert message == f"@cors at LINE does not reach the view of /me: {words}"
    explained = guard.explain("/me", origin=PARTNER).explain()
    assert explained.endswith(f"To allow it: first fix this: {unrouted.message}")
    app.debug = True
    app.test_client().get("/me", headers={"Origin": PARTNER})
    notice, rejected = log_lines()
    assert notice == unrouted.message
    assert rejected.endswith(f"To allow it: first fix this: {unrouted.message}")


ON_GET = {
    "fields": ({"get": cors(origins=PARTNER)}, "get"),
    "everybody": ({"get": cors(origins="*")}, "get"),
    "a policy": ({"get": cors(Policy(origins=PARTNER))}, "get"),
    "one of several": ({"get": cors([Policy(origins=SHOP), Policy(origins=PARTNER)])}, "get"),
    "get and options": ({"get": cors(origins=PARTNER), "options": cors(origins=PARTNER)}, "get"),
    "options alone": ({"options": cors(origins=PARTNER)}, "options"),
    "another origin": ({"get": cors(origins="https://other.example")}, ""),
    "only a field": ({"get": cors(max_age=60)}, ""),
    "by name": ({"get": cors("partners")}, ""),
    "exempt": ({"get": cors_exempt}, ""),
    "the method too": ({"get": cors(origins=PARTNER), "put": cors(max_age=60)}, ""),
    "none": ({}, ""),
}


@pytest.mark.parametrize(("marks", "marked"), ON_GET.values(), ids=ON_GET)
def test_a_mark_on_another_method_of_the_class(app, log_lines, marks, marked):
    """The advice opens that method, not the whole app."""
    guard = CorsGuard(app, origins=SHOP, policies={"partners": Policy(origins=PARTNER)})
    names = ("get", "put", "options")
    handlers = {name: marks.get(name, lambda function: function)(view()) for name in names}
    users = type("Users", (MethodView,), handlers)
    app.add_url_rule("/users", view_func=users.as_view("users"))
    app.debug = True
    http_headers = {"Origin": PARTNER, "Access-Control-Request-Method": "PUT"}
    app.test_client().options("/users", headers=http_headers)
    (rejected,) = log_lines()
    explained = guard.explain("/users", origin=PARTNER, method="PUT").explain()
    for text in (rejected, explained):
        advice = re.sub(r"at [^ (]*test_marks\.py:\d+", "at LINE", text.partition("To allow")[2])
        if marked:
            assert advice == (
                f" it: first fix this: @cors at LINE applies to Users.{marked} alone. Put it above"
                " Users.put too, or above the class instead."
            )
        else:
            assert "first fix" not in advice


def test_a_hidden_mark_is_not_looked_for_in_production(app, log_lines):
    """Another app of the process may not have its routes yet."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/me", "me", _hidden(cors(origins=PARTNER)(view())))
    app.test_client().get("/me", headers={"Origin": PARTNER})
    (rejected,) = log_lines()
    assert "To allow it" not in rejected


class _Notes(MethodView):
    def get(self):
        return ""


METHODS = {
    "one": (
        {"/a/<int:n>": ["GET"]},
        ["GET", "PUT"],
        "methods at LINE allows PUT, but no route at /a/<int:n> accepts PUT, which gets a 405."
        ' Write @app.route("/a/<int:n>", methods=["GET", "PUT"]), or leave PUT out of the mark.',
    ),
    "two": (
        {"/a": ["GET", "POST"]},
        ["PUT", "DELETE"],
        "methods at LINE allows PUT and DELETE, but no route at /a accepts PUT or DELETE, which get"
        ' a 405. Write @app.route("/a", methods=["GET", "POST", "PUT", "DELETE"]), or leave PUT or'
        " DELETE out of the mark.",
    ),
    "with several rules": (
        {"/a": ["GET"], "/b": ["PATCH"]},
        ["PATCH", "PUT"],
        "methods at LINE allows PUT, but no route at /a accepts PUT, which gets a 405."
        ' Write methods=["GET", "PUT"] in its route, or leave PUT out of the mark.',
    ),
    "accepted": ({"/a": ["GET", "PUT"]}, ["PUT"], ""),
    "accepted by another rule of the view": ({"/a": ["GET"], "/b": ["PUT"]}, ["PUT"], ""),
    "accepted by another view": ({"/other/<n>": ["GET"]}, ["PUT"], ""),
    "any": ({"/a": ["GET"]}, "*", ""),
    "those of the routes": ({"/a": ["GET"]}, None, ""),
    "never in need of a policy": ({"/a": ["GET"]}, ["GET", "POST", "OPTIONS"], ""),
}


@pytest.mark.parametrize(("rules", "methods", "words"), METHODS.values(), ids=METHODS)
def test_methods_that_no_route_accepts(app, log_lines, rules, methods, words):
    guard = CorsGuard(app, origins=SHOP, methods=["DELETE", "PURGE"])
    function = cors(methods=methods)(view())
    app.add_url_rule("/other/<int:id>", "other", view(), methods=["PUT"])
    for rule, accepted in rules.items():
        app.add_url_rule(rule, "function", function, methods=accepted)
    guard.prepare()
    lines = [re.sub(r"\S*test_marks\.py:\d+", "LINE", line) for line in log_lines()]
    assert lines == ([words] if words else [])


def test_methods_that_a_class_does_not_handle(app, log_lines):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/notes", view_func=cors(methods="PUT")(_Notes.as_view("notes")))
    guard.prepare()
    (line,) = log_lines()
    assert line.endswith(" Add put() to _Notes, or leave PUT out of the mark.")


def test_a_path_that_covers_no_route(app, log_lines):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/api/users", "users", view())
    guard.for_path("/api", max_age=5)
    guard.for_path("/apii", max_age=5)
    app.debug = True
    app.test_client().get("/api/users")
    guard.prepare()
    (line,) = (line for line in log_lines() if "left out" not in line)
    assert re.sub(r"\S*test_marks\.py:\d+", "LINE", line) == (
        "for_path('/apii') at LINE covers no route of the app. Did you mean '/api'? If only a"
        " mounted app or a proxy responds there, ignore this."
    )


# Marks that are on nothing. Each of these calls cors(...); and whether it is named.


def _without_the_at(app):
    cors(origins=SHOP)
    app.add_url_rule("/", "index", view())
    return None, 1


def _given_to_a_variable(app):
    """It may be applied yet."""
    return cors(origins=SHOP), 0


def _in_a_variable_that_is_gone(app):
    partners = cors(origins=PARTNER)
    assert callable(partners)
    return None, 1


def _applied_to_several(app):
    partners = cors(origins=PARTNER)
    app.add_url_rule("/a", "a", partners(view()))
    app.add_url_rule("/b", "b", partners(view()))
    return None, 0


def _applied_by_the_class(app):
    class Page(View):
        decorators = (cors(origins=SHOP),)

        def dispatch_request(self):
            return "ok"

    app.add_url_rule("/", view_func=Page.as_view("index"))
    return None, 0


def _on_a_blueprint(app):
    app.register_blueprint(cors(origins=SHOP)(Blueprint("api", __name__)))
    return None, 0


def _applied_in_one_of_two_apps(app):
    """As by a factory that does not always use it."""
    for number in range(2):
        mark = cors(origins=SHOP)
        if number == 0:
            app.add_url_rule("/", "index", mark(view()))
    return None, 0


def _in_none_of_two_apps(app):
    for _ in range(2):
        cors(origins=SHOP)
    return None, 1


def _on_what_cannot_be_marked(app):
    with pytest.raises(CorsGuardError):
        cors(origins=SHOP)(5)
    return None, 0


def _with_a_mistake(app):
    with pytest.raises(PolicyError):
        cors(origins="shop.example")
    return None, 0


ON_NOTHING = [
    _without_the_at, _given_to_a_variable, _in_a_variable_that_is_gone, _applied_to_several,
    _applied_by_the_class, _on_a_blueprint, _applied_in_one_of_two_apps, _in_none_of_two_apps,
    _on_what_cannot_be_marked, _with_a_mistake,
]  # fmt: skip


@pytest.mark.parametrize("call", ON_NOTHING, ids=lambda call: call.__name__[1:])
def test_marks_on_nothing(app, call):
    CorsGuard(app)
    kept, number = call(app)
    assert [each.has_target for each in unrouted_marks(app)] == [False] * number
    del kept


def test_what_is_said_of_a_mark_on_nothing(app, log_lines):
    guard = CorsGuard(app)
    _without_the_at(app)
    guard.prepare()
    (line,) = log_lines()
    line_number = _without_the_at.__code__.co_firstlineno + 1
    assert re.sub(r" \S*(?=test_marks\.py:)", " ", line) == (
        f"cors(...) at test_marks.py:{line_number} has no effect: it is not applied to anything."
        " Write @cors(...) directly above the view, or cors(...)(blueprint)."
    )


def test_memory_for_marks_on_nothing_is_bounded(app, monkeypatch):
    """By place, and in all. Where there is no room, nothing is said, rather than what is wrong."""
    monkeypatch.setattr("flask_corsguard.decorators._MOST_PLACES", 3)
    CorsGuard(app)
    kept = []
    for name in "abcde":
        code = compile("found = cors(max_age=5)\nif found and used: found(view())", name, "exec")
        for used in (False, name in "ae"):
            exec(code, {"cors": cors, "view": view, "used": used})
        kept.append(code)
    assert [each.location for each in unrouted_marks(app)] == ["b:1", "c:1"]
    assert sorted(decorators._returned) == ["a:1", "b:1", "c:1"]


@pytest.mark.parametrize(
    ("build", "instead"),
    [
        (_overridden, "Items.get overrides it, and has no mark: mark that."),
        (_no_handler, "It handles no method of a route: mark Items, or a handler method of it."),
        (_other_methods, "It handles no method of a route: mark Items, or a handler method of it."),
        (
            _an_error_handler,
            "It is not a view: what it returns has the policy of the requested route. Mark that.",
        ),
    ],
    ids=lambda build: getattr(build, "__name__", "")[1:],
)
def test_what_to_mark_instead(app, build, instead):
    CorsGuard(app)
    kept, _ = build(app)
    (unrouted,) = unrouted_marks(app)
    assert unrouted.message.replace(f"{build.__name__}.<locals>.", "").endswith(f". {instead}")
    del kept


# Marks on functions that several endpoints have. Each of these returns those that are named.


def _meant_for_one(app):
    function = view()
    app.add_url_rule("/public", "public", cors(origins="*")(function))
    app.add_url_rule("/private", "private", function)
    return [["public", "private"]]


def _above_the_function(app):
    @app.get("/a", endpoint="a")
    @app.get("/b", endpoint="b")
    @cors(
        origins=SHOP,
    )
    def function():
        return "ok"

    return []


def _two_routes_of_one_endpoint(app):
    function = app.get("/a", endpoint="a")(app.get("/b", endpoint="a")(view()))
    cors(origins=SHOP)(function)
    return []


def _a_blueprint_twice(app):
    api = Blueprint("api", __name__)
    api.add_url_rule("/x", "x", cors(origins=SHOP)(view()))
    for name in ("one", "two"):
        app.register_blueprint(api, name=name, url_prefix=f"/{name}")
    return []


def _a_class_twice(app):
    class Items(MethodView):
        get = view()

    cors(origins=SHOP)(Items)
    app.add_url_rule("/a", view_func=Items.as_view("a"))
    app.add_url_rule("/b", view_func=Items.as_view("b"))
    return []


@pytest.mark.parametrize(
    "build",
    [
        _meant_for_one, _above_the_function, _two_routes_of_one_endpoint, _a_blueprint_twice,
        _a_class_twice,
    ],
    ids=lambda build: build.__name__[1:],
)  # fmt: skip
def test_marks_of_several_endpoints(app, log_lines, build):
    guard = CorsGuard(app)
    named = build(app)
    guard.prepare()
    lines = [re.sub(r"\S*test_marks\.py:\d+", "LINE", line) for line in log_lines()]
    assert [line for line in lines if "same function" in line] == [
        f"@cors at LINE applies to the endpoints {', '.join(names)}, which have the same function."
        f" For one of them, write guard.for_endpoint({names[0]!r}, ...) instead; for all, write it"
        " as a decorator above the function."
        for names in named
    ]
    findings = [f for f in audit(app).findings if f.code == "shared_mark"]
    assert len(findings) == len(named)


# Marks on what a running app serves


@pytest.mark.parametrize("kind", ["view", "class", "method"])
@pytest.mark.parametrize("how", ["prepare", "request"])
def test_a_mark_after_the_first_request(app, http, kind, how):
    """It would count from the next reconfigure() on."""

    class Items(MethodView):
        def get(self):
            return "ok"

    function = view()
    target = {"view": function, "class": Items, "method": Items.get}[kind]
    guard = CorsGuard(app)
    app.add_url_rule("/", "index", function)
    app.add_url_rule("/items", view_func=Items.as_view("items"))
    guard.prepare() if how == "prepare" else http.send(app, "/")
    for mark in (cors(origins="*"), cors_exempt):
        with pytest.raises(CorsGuardError, match=r"test_marks.py:\d+: .* is a view of <Flask") as e:
            mark(target)
    assert str(e.value).endswith(
        "whose policies are already in force; move this to where the app is set up"
    )
    guard.reconfigure(max_age=5)
    assert http.readers(app, "/") == http.readers(app, "/items") == []


def test_a_mark_that_a_running_app_has_already(app, http):
    """As by a factory that runs again; and one on what no running app serves."""
    mark, function = cors(origins=SHOP), view()
    CorsGuard(app)
    app.add_url_rule("/", "index", mark(function))
    assert http.readers(app, "/") == [SHOP]
    assert mark(function) is function
    assert cors(origins=PARTNER)(view())


def test_a_late_rule_whose_mark_is_wrong(app):
    """The error is not shown as one about late rules."""
    guard = CorsGuard(app)
    guard.prepare()
    app.add_url_rule("/late", "late", cors("partners")(view()))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(PolicyError) as caught:
        app.test_client().get("/late")
    assert caught.value.__suppress_context__


def test_marks_are_forgotten_with_what_they_are_on():
    """So that a process which makes many apps, as tests do, keeps none of them."""

    def make_app():
        app = Flask("shop")
        CorsGuard(app)
        app.add_url_rule("/", "index", cors(origins=SHOP)(view()))
        app.register_blueprint(cors(origins=SHOP)(Blueprint("api", __name__)))
        cors(origins=SHOP)(type("Items", (MethodView,), {}))
        return weakref.ref(app)

    apps = [make_app() for _ in range(20)]
    gc.collect()
    assert [app() for app in apps if app()] == []
    assert list(all_marked()) == []


def test_what_cannot_be_referred_to_weakly_is_marked_all_the_same(app, http):
    class Slots:
        __slots__ = ("__corsguard_mark__", "__name__")

        def __call__(self):
            return "ok"

    CorsGuard(app)
    app.add_url_rule("/", "index", cors(origins=SHOP)(Slots()))
    assert http.readers(app, "/") == [SHOP]
    assert unrouted_marks(app) == []


def test_a_failure_while_marks_are_looked_at(app, log_lines):
    """In debug mode; the request goes on."""
    CorsGuard(app, origins=SHOP)

    def fails(_state):
        raise OSError("no")

    app.extensions["corsguard"].in_debug = fails
    app.debug = True
    assert app.test_client().get("/").status_code == 404
    (line,) = log_lines()
    assert line.startswith("looking for marks without effect failed: OSError 'no'")
