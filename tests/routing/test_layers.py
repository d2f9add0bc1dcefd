"""Which marks a route has, outermost first, and what is said if they do not add up."""

from __future__ import annotations

import functools
import re

import pytest
from flask import Blueprint
from flask.views import MethodView, View

from flask_corsguard import CorsGuard, CorsGuardError, PolicyError, cors, cors_exempt

SHOP = "https://shop.example"


@cors(max_age=1)
class Base(MethodView):
    @cors(max_age=2)
    def get(self):
        return "ok"

    def put(self):
        return "ok"


class WithHead(Base):
    @cors(max_age=3)
    def head(self):
        return ""


class Page(View):
    @cors(max_age=4)
    def dispatch_request(self):
        return "ok"


def not_a_class():
    return "ok"


not_a_class.view_class = "shop"

# A view, and the sources of the marks on each of its methods.
VIEWS = {
    "a class": (
        Base.as_view("view"),
        {
            "GET": ["view view", "method GET of view view"],
            "HEAD": ["view view", "method GET of view view"],
            "PUT": ["view view"],
            "OPTIONS": ["view view"],
        },
    ),
    "a class with head()": (
        WithHead.as_view("view"),
        {
            "GET": ["view view", "method GET of view view"],
            "HEAD": ["view view", "method HEAD of view view"],
        },
    ),
    "dispatch_request()": (Page.as_view("view"), {"GET": ["view view"], "HEAD": ["view view"]}),
    "a function": (lambda: "ok", {"GET": [], "HEAD": []}),
    "a function with a view_class of its own": (not_a_class, {"GET": []}),
}


@pytest.mark.parametrize(("view", "expected"), VIEWS.values(), ids=VIEWS)
def test_the_marks_of_each_method(app, view, expected):
    """HEAD has the mark of get(), unless the class has a head() of its own."""
    guard = CorsGuard(app)
    app.add_url_rule("/", "view", view)
    found = {
        method: [layer.source for layer in route.layers]
        for route in guard.routes()
        for method in route.methods
    }
    assert {method: found[method] for method in expected} == expected


def test_the_marks_of_nested_blueprints(app):
    """Each blueprint's mark counts once, the outermost first."""
    outer = cors(max_age=1)(Blueprint("outer", __name__))
    middle = Blueprint("middle", __name__)
    inner = cors(max_age=3)(Blueprint("inner", __name__))
    inner.add_url_rule("/", "view", lambda: "ok")
    middle.register_blueprint(inner)
    outer.register_blueprint(middle)
    app.register_blueprint(outer)
    (route,) = CorsGuard(app).routes()
    assert [layer.source for layer in route.layers] == [
        "blueprint outer",
        "blueprint outer.middle.inner",
    ]


def _unknown_policy(app, guard):
    app.add_url_rule("/", "index", cors("partner")(lambda: "ok"))


def _unknown_policy_further_out(app, guard):
    api = cors("partner")(Blueprint("api", __name__))
    api.add_url_rule("/", "index", cors(max_age=5)(lambda: "ok"))
    app.register_blueprint(api)


def _unknown_endpoint(app, guard):
    app.add_url_rule("/", "index", lambda: "ok")
    guard.for_endpoint("indexx", max_age=5)


def _an_endpoint_that_is_a_blueprint(app, guard):
    app.register_blueprint(Blueprint("api", __name__))
    guard.for_endpoint("api", max_age=5)


def _a_blueprint_that_is_an_endpoint(app, guard):
    app.add_url_rule("/", "index", lambda: "ok")
    guard.for_blueprint("index", max_age=5)


def _lost_mark(app, guard):
    view = app.get("/")(not_a_class)
    cors(origins=SHOP)(functools.wraps(view)(lambda: view()))


def _lost_above_the_route(app, guard):
    def login_required(view):
        return functools.wraps(view)(lambda: view())

    @cors(origins=SHOP)
    @login_required
    @app.get("/")
    def users():
        return "ok"


def _listed(app, **attributes):
    """A class such as those of Flask-RESTful and Flask-RESTX, which wrap what as_view() returns."""

    class Item(MethodView):
        def get(self):
            return "ok"

    for name, value in attributes.items():
        setattr(Item, name, value)
    view = Item.as_view("item")
    app.add_url_rule("/", view_func=functools.wraps(view)(lambda: view()))


def _listed_by_a_base(app, guard):
    class Base(MethodView):
        method_decorators = (cors(origins=SHOP),)

    class Item(Base):
        def get(self):
            return "ok"

    view = Item.as_view("item")
    for rule in ("/", "/again"):
        app.add_url_rule(rule, view_func=view)


PROBLEMS = {
    _unknown_policy: (
        ("unknown_policy", "policy", "partner", "'partners'", "view index (LINE)"),
        "there is no policy 'partner'. Did you mean 'partners'?",
    ),
    _unknown_policy_further_out: (
        ("unknown_policy", "policy", "partner", "'partners'", "blueprint api (LINE)"),
        "there is no policy 'partner'. Did you mean 'partners'?",
    ),
    _unknown_endpoint: (
        ("unknown_endpoint", "endpoint", "indexx", "'index'", "LINE"),
        "there is no endpoint 'indexx'. Did you mean 'index'?",
    ),
    _an_endpoint_that_is_a_blueprint: (
        ("unknown_endpoint", "endpoint", "api", None, "LINE"),
        "'api' is a blueprint. Write guard.for_blueprint('api', ...).",
    ),
    _a_blueprint_that_is_an_endpoint: (
        ("unknown_blueprint", "blueprint", "index", None, "LINE"),
        "'index' is an endpoint. Write guard.for_endpoint('index', ...).",
    ),
    _lost_mark: (
        ("lost_mark", "cors", "not_a_class", None, "view not_a_class"),
        "@cors at LINE marks a function around the view 'not_a_class', but the route calls the view"
        " itself. Put @cors directly above or below the route, or mark this view separately.",
    ),
    _lost_above_the_route: (
        ("lost_mark", "cors", "users", None, "view users"),
        "@cors at LINE does not reach the view 'users': the app calls the view without the"
        " decorators above its route, so these do not protect it either. Move the route to the top,"
        " then @cors, then the other decorators.",
    ),
    _listed_by_a_base: (
        ("method_decorators", "cors", "item", None, "view item (LINE)"),
        "@cors is among the method_decorators of _listed_by_a_base.<locals>.Item, which run on"
        " each request, too late for a mark. Put it above the class, or above a handler method.",
    ),
}


def _same(function):
    return function


LISTS = {
    "list": {"method_decorators": [cors(origins=SHOP)]},
    "tuple, below another": {"method_decorators": (_same, cors(origins=SHOP))},
    "by method": {"method_decorators": {"get": [_same], "put": [cors("partners")]}},
    "by method, alone": {"method_decorators": {"put": cors("partners")}},
    "without parentheses": {"method_decorators": [cors]},
    "a partial": {"method_decorators": [functools.partial(cors, origins=SHOP)]},
    "exempt": {"method_decorators": [cors_exempt]},
    "another list": {"handler_decorators": [cors(origins=SHOP)]},
    "not a list": {"method_decorators": cors(origins=SHOP)},
}


@pytest.mark.parametrize("attributes", LISTS.values(), ids=LISTS)
def test_a_mark_among_decorators_that_are_applied_on_each_request(app, attributes):
    """An error that names the line and, where there is none, the line of the class."""
    guard = CorsGuard(app, policies={"partners": {"origins": SHOP}})
    _listed(app, **attributes)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    (problem,) = caught.value.problems
    (name,) = attributes
    decorator = "@cors_exempt" if attributes[name] == [cors_exempt] else "@cors"
    assert problem.message == (
        f"{decorator} is among the {name} of _listed.<locals>.Item, which run on each request, too"
        " late for a mark. Put it above the class, or above a handler method."
    )
    assert (problem.code, problem.value) == ("method_decorators", "item")
    assert _without_line(problem.where) == "view item (LINE)"


APPLIED = {
    "decorators": {"decorators": [cors(origins=SHOP)]},
    "other lists": {"method_decorators": [_same, functools.wraps(_same)], "my_decorators": None},
    "no list": {"method_decorators": property(lambda self: [cors(origins=SHOP)])},
}


@pytest.mark.parametrize("attributes", APPLIED.values(), ids=APPLIED)
def test_decorators_of_a_class_that_are_no_problem(app, attributes):
    guard = CorsGuard(app)
    _listed(app, **attributes)
    (route,) = (route for route in guard.routes() if "GET" in route.methods)
    assert len(route.layers) == ("decorators" in attributes)


def test_decorators_that_a_class_applies_by_itself(app):
    class Base(MethodView):
        def __init_subclass__(cls, **_):
            super().__init_subclass__()
            for decorate in cls.handler_decorators:
                decorate(cls.get)

    class Item(Base):
        handler_decorators = (cors(origins=SHOP),)

        def get(self):
            return "ok"

    class Left(Base):
        handler_decorators = (cors_exempt,)

        def get(self):
            return "ok"

    guard = CorsGuard(app)
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    app.add_url_rule("/left", view_func=Left.as_view("left"))
    sources = {route.source for route in guard.routes() if "GET" in route.methods}
    assert sources == {"method GET of view item", "method GET of view left"}


@pytest.mark.parametrize("build", PROBLEMS, ids=lambda build: build.__name__)
def test_what_does_not_add_up(app, build):
    """The error is a whole: nothing of it is left to guess."""
    guard = CorsGuard(app, policies={"partners": {"origins": SHOP}})
    build(app, guard)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    (problem,) = caught.value.problems
    data, message = PROBLEMS[build]
    found = (problem.code, problem.field, problem.value, problem.suggestion, problem.where)
    assert tuple(map(_without_line, found)) == data
    assert _without_line(problem.message) == message


def _without_line(text):
    return text and re.sub(r"[^\s(]*test_layers\.py:\d+", "LINE", text)


def test_a_mark_that_comes_too_late(app, http):
    guard = CorsGuard(app)
    http.send(app, "/")
    marks = [(guard.for_endpoint, "index"), (guard.for_files, "static", "*.css")]
    for mark, *names in (*marks, (guard.for_path, "/index")):
        with pytest.raises(CorsGuardError) as caught:
            mark(*names, max_age=5)
        assert _without_line(str(caught.value)) == (
            f"LINE: this guard's policies are already in force, since the first request to {app!r};"
            " move this before it, to where the app is set up"
        )


def test_a_mark_after_prepare(app):
    guard = CorsGuard(app)
    guard.prepare()
    with pytest.raises(CorsGuardError) as caught:
        guard.for_path("/index", max_age=5)
    assert _without_line(str(caught.value)) == (
        "LINE: this guard's policies are already in force, since guard.prepare() at LINE; move this"
        " before it, to where the app is set up"
    )
