"""Finding a request's entry in the policy table if the rule and the method alone do not tell."""

from __future__ import annotations

from itertools import chain, repeat

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.exceptions import BadRequest, MethodNotAllowed
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter, Map, Rule

from flask_corsguard import CorsGuard, PolicyError, cors
from flask_corsguard.runtime.state import state_of
from tests.raised import RAISED, SHUTDOWNS

SHOP = "https://shop.example"
PARTNER = "https://partner.example"


def view():
    """A new one each time: a mark stays on the function."""
    return lambda *_, **__: "ok"


def test_where_the_policy_of_a_404_was_set(app, http, heard):
    CorsGuard(app, origins=SHOP)
    app.register_blueprint(cors(origins=SHOP)(Blueprint("api", __name__, url_prefix="/api")))
    for path in ("/none", "/api/none"):
        http.send(app, path, PARTNER)

    found = [(s.decision.endpoint, s.decision.policy_source) for s in heard]
    assert found == [(None, "default"), (None, "blueprint api")]
    assert all("test_lookup.py:" in s.decision.policy_location for s in heard)
    assert len({s.decision.policy_location for s in heard}) == 2


def test_a_method_that_a_url_lacks_counts_as_get(app, http, heard):
    class Item(MethodView):
        get = cors(origins=PARTNER)(view())
        delete = cors(origins=SHOP)(view())

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    app.add_url_rule("/write", "write", cors(origins=SHOP)(view()), methods=["PUT", "PATCH"])
    app.add_url_rule("/write", "erase", cors(origins=PARTNER)(view()), methods=["DELETE"])
    CorsGuard(app, origins=SHOP)

    assert http.preflight(app, "/item", PARTNER, "PATCH") == http.denied()
    assert http.send(app, "/item", PARTNER, method="PATCH") == http.allowed(PARTNER, 405)
    # Without a GET route, the first accepted method in alphabetical order decides.
    assert http.preflight(app, "/write", SHOP, "GET").status == 403
    assert http.send(app, "/write", PARTNER) == http.allowed(PARTNER, 405)
    assert [(s.name, s.decision.policy_source) for s in heard] == [
        ("preflight-rejected", "method GET of view item"),
        ("origin-allowed", "method GET of view item"),
        ("origin-rejected", "view erase"),
        ("origin-allowed", "view erase"),
    ]


def test_a_converter_that_raises_405(app, http):
    """It names no methods, and no route is known to be there: the default policy decides."""

    class Refusing(BaseConverter):
        def to_python(self, value):
            raise MethodNotAllowed

    app.url_map.converters["refusing"] = Refusing
    app.add_url_rule("/<refusing:name>", "index", cors(origins=PARTNER)(view()))
    CorsGuard(app, origins=SHOP)
    assert http.readers(app, "/x", status=405) == [SHOP]


class Moody(BaseConverter):
    """Raises something else at each look-up."""

    def __init__(self, map_, errors):
        super().__init__(map_)
        self.errors = errors

    def to_python(self, value):
        raise next(self.errors)()


@pytest.mark.parametrize("path", ["/x", "/api/x/none"], ids=["a route", "a prefix"])
@pytest.mark.parametrize("error", RAISED.values(), ids=RAISED)
def test_a_converter_that_raises_what_is_no_exception(app, http, path, error):
    """Where the guard looks a URL up once more, a failing converter finds no route, and the default
    policy decides. A shutdown is not held back."""
    # Flask itself looks the route up first, but never the prefix.
    first, status = ([BadRequest], 400) if path == "/x" else ([], 404)
    app.url_map.converters["moody"] = lambda map_: Moody(map_, chain(first, repeat(error)))
    app.add_url_rule("/<moody:name>", "index", cors(origins=PARTNER)(view()))
    api = cors(origins=PARTNER)(Blueprint("api", __name__, url_prefix="/api/<moody:name>"))
    api.add_url_rule("/", "other", view())
    app.register_blueprint(api)
    CorsGuard(app, origins=SHOP)
    if error in SHUTDOWNS.values():
        with pytest.raises(type(error())):
            http.send(app, path, SHOP)
    else:
        assert http.send(app, path, SHOP) == http.allowed(SHOP, status)


def test_redirects_after_redirects(app, http):
    """From an alias to two slashes and none at the end, to one and one, to the URL with the
    defaults: every response on the way has the policy of what is there, a 405 too."""
    marked = cors(origins=PARTNER)(view())
    app.add_url_rule("/all/", "all", marked, defaults={"page": 1})
    app.add_url_rule("/all/page/<int:page>/", "all", marked)
    app.add_url_rule("/old", redirect_to="/all//page/1", endpoint="old")
    CorsGuard(app, origins=SHOP)
    assert http.readers(app, "/old", status=308) == [PARTNER]
    assert http.readers(app, "/old", "PATCH", status=405) == [PARTNER]


def test_a_marked_view_of_every_method(app, http):
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = cors(origins=PARTNER)(view())
    CorsGuard(app, origins=SHOP)

    for method in ("GET", "ODD"):
        assert http.readers(app, "/any", method) == [PARTNER]


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        pytest.param("/open", PARTNER, id="to a slash"),
        pytest.param("/moved", PARTNER, id="to another route"),
        pytest.param("/away", SHOP, id="to another site, where a path is as one here"),
        pytest.param("/out", SHOP, id="to another app of the site, likewise"),
    ],
)
@pytest.mark.parametrize("root", ["/mount", "/BOX"])
def test_a_redirect_has_the_policy_of_its_target(app, http, root, path, reader):
    """A redirect has its target's policy if that is in the same app, or else the default one."""
    app.add_url_rule("/open/", "open", cors(origins=PARTNER)(view()))
    for name, target in {
        "moved": "open/",
        "away": f"https://elsewhere.example{root}/open/",
        "out": "http://localhost/open/",
    }.items():
        app.add_url_rule(f"/{name}", name, redirect_to=target)
    CorsGuard(app, origins=SHOP)
    app.wsgi_app = DispatcherMiddleware(Flask("outside"), {root: app.wsgi_app})

    assert http.readers(app, f"http://localhost{root}{path}", status=308) == [reader]


def test_for_files_without_a_name_to_look_at(app):
    guard = CorsGuard(app)
    app.add_url_rule("/files/<folder>/<name>", "files", view())
    guard.for_files("files", "*.css", origins=SHOP)

    with pytest.raises(PolicyError) as caught:
        guard.routes()
    (problem,) = caught.value.problems
    assert "test_lookup.py:" in problem.where
    assert problem._replace(where="") == (
        "no_file_name",
        "for_files",
        "files",
        "the rule '/files/<folder>/<name>' captures no file name: it needs exactly one argument,"
        " or one called 'filename'.",
        None,
        "",
    )


def test_what_sets_the_policy_of_files(app, http, heard):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/files/<path:filename>", "files", view())
    guard.for_files("files", "*.css", "*.js", origins=SHOP)

    for name in ("a.css", "a.js", "a.html"):
        assert http.send(app, f"/files/{name}", PARTNER) == http.refused()
    files = "files *.css, *.js of endpoint files"
    assert [s.decision.policy_source for s in heard] == [files, files, "default"]


def test_an_app_that_cannot_tell_its_urls(http):
    class App(Flask):
        is_asked_again = False

        def create_url_adapter(self, request):
            """Flask lets this return None."""
            return None if self.is_asked_again else super().create_url_adapter(request)

    app = App("shop", static_folder=None)
    CorsGuard(app, origins=SHOP)

    @app.url_value_preprocessor
    def preprocess(*_):
        app.is_asked_again = True

    for origin, expected in ((SHOP, http.allowed(SHOP, 404)), (PARTNER, http.refused(404))):
        app.is_asked_again = False
        assert http.send(app, "/none", origin) == expected


@pytest.mark.parametrize("first", ["GET", "preflight"])
def test_a_rule_that_comes_late(app, http, first):
    """A rule that is added to the URL map itself after the first request has its mark."""
    app.add_url_rule("/", "index", view())
    CorsGuard(app, origins=SHOP)
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    app.url_map.add(Rule("/late", endpoint="late", methods=["GET", "OPTIONS"]))
    app.view_functions["late"] = cors(origins=PARTNER)(view())

    if first == "preflight":
        granted = http.granted(PARTNER, "GET, HEAD, OPTIONS")
        assert http.preflight(app, "/late", PARTNER, "GET") == granted
    assert http.readers(app, "/late") == [PARTNER]


@pytest.mark.parametrize("has_a_problem", [False, True])
def test_rules_that_come_late_together(app, http, has_a_problem):
    """As Connexion's do. They are told together which methods a URL accepts, and that another
    policy governs one of them; unless one of those rules has a problem, which is its own."""
    app.add_url_rule("/", "index", view())
    CorsGuard(app, origins=SHOP)
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    for method, function in (("PUT", view()), ("GET", cors(origins=PARTNER)(view()))):
        app.url_map.add(Rule("/late", endpoint=method, methods=[method, "OPTIONS"]))
        app.view_functions[method] = function
    if has_a_problem:
        app.url_map.add(Rule("/other", endpoint="other", methods=["GET"]))
        app.view_functions["other"] = cors("unknown")(view())
        granted = http.granted(SHOP, "OPTIONS, PUT")
    else:
        granted = http.granted(SHOP, "PUT", max_age="0")
    assert http.preflight(app, "/late", SHOP, "PUT") == granted
    assert http.readers(app, "/late") == [PARTNER]


def test_an_app_that_makes_a_url_map_for_each_look_at_a_url(http):
    """If the rules are other objects each time, nothing is kept of them, and their marks count."""

    class App(Flask):
        def create_url_adapter(self, request):
            if request is None:
                return super().create_url_adapter(request)
            rules = [
                Rule("/x", endpoint="read", methods=["GET", "OPTIONS"]),
                Rule("/x", endpoint="write", methods=["PUT", "OPTIONS"]),
                Rule("/y/", endpoint="read"),
                Rule("/item", endpoint="item", methods=["GET", "PUT"]),
            ]
            return Map(rules).bind_to_environ(request.environ)

    app = App("shop", static_folder=None)

    class Item(MethodView):
        get = view()
        put = cors(origins=PARTNER)(view())

    app.view_functions = {"read": cors(origins=PARTNER)(view()), "write": view()}
    app.view_functions["item"] = Item.as_view("item")
    app.add_url_rule("/fixed", "fixed", view())
    CorsGuard(app, origins=SHOP)
    for _ in range(3):
        assert http.readers(app, "/x") == [PARTNER]
        assert http.readers(app, "/x", "PUT") == [SHOP]
        assert http.readers(app, "/x", "PATCH", status=405) == [PARTNER]
        assert http.readers(app, "/y", status=308) == [PARTNER]
        assert http.readers(app, "/y/", "ODD") == [PARTNER]
        assert http.readers(app, "/item") == [SHOP]
        assert http.readers(app, "/item", "PUT") == [PARTNER]
        assert http.readers(app, "/none", status=404) == [SHOP]
        assert http.preflight(app, "/x", PARTNER, "GET") == http.granted(PARTNER, "GET, HEAD")
        # GET is another policy's here.
        granted = http.granted(SHOP, "PUT", max_age="0")
        assert http.preflight(app, "/x", SHOP, "PUT") == granted

    in_force = state_of(app).current()
    assert [rule.rule for rule in in_force.table.rules] == ["/fixed"]
    assert {decision.endpoint for decision, _ in in_force._cache.values()} == {None}


def test_a_mark_that_cannot_be_used_in_such_a_map(app, http):
    """A mark that cannot be used is found when its URL is asked for, which gets a 500."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", view())
    app.view_functions["bad"] = cors("nobody")(view())
    own = Map([Rule("/bad", endpoint="bad"), Rule("/", endpoint="index")])
    app.create_url_adapter = lambda request: own.bind_to_environ(request.environ)
    for _ in range(2):
        assert http.send(app, "/bad", SHOP) == http.refused(500)
