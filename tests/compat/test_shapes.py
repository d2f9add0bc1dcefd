"""The ways in which code calls Flask-CORS, the same with ``compat``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

from flask_corsguard import CorsGuard, PolicyError, compat, cors
from flask_corsguard.compat import CORS, CompatError, cross_origin
from flask_corsguard.runtime.state import state_of
from tests.compat.side_by_side import SERVER, Question, ask, differences, questions

APP, OTHER = "https://app.example.com", "https://example.com"
ASKED = tuple(questions(["/"], [APP, OTHER, "https://other.example", "null"]))
METHODS = ["GET", "POST", "PUT"]


def a_view() -> Callable[[], ResponseReturnValue]:
    """A function of its own for each app: both libraries leave something on it."""

    def view() -> ResponseReturnValue:
        return "seen", {"X-A": "1"}

    return view


def app_with(function: Callable[..., Any], methods: list[str] | None = None) -> Flask:
    app = Flask("app")
    app.add_url_rule("/", "view", function, methods=methods or METHODS)
    return app


def signed_in(function: Any) -> Any:
    @functools.wraps(function)
    def inner() -> Any:
        if "Authorization" not in request.headers:
            abort(401)
        return function()

    return inner


def without_wraps(function: Any) -> Any:
    def inner() -> Any:
        return function()

    return inner


def failing() -> Callable[[], ResponseReturnValue]:
    return lambda: abort(404, "not there")


def with_headers_by_hand() -> Callable[[], ResponseReturnValue]:
    return lambda: ("seen", {"Access-Control-Allow-Origin": "*"})


def decorated(library: Any) -> Flask:
    return app_with(library.cross_origin(origins=APP, allow_headers="Content-Type")(a_view()))


def behind_a_refusing_decorator(library: Any) -> Flask:
    return app_with(signed_in(library.cross_origin(origins=APP)(a_view())))


def before_a_refusing_decorator(library: Any) -> Flask:
    return app_with(library.cross_origin(origins=APP)(signed_in(a_view())))


def behind_a_decorator_without_wraps(library: Any) -> Flask:
    return app_with(without_wraps(library.cross_origin(origins=APP)(a_view())))


def decorated_and_failing(library: Any) -> Flask:
    return app_with(library.cross_origin(origins=APP)(failing()))


def decorated_with_headers_by_hand(library: Any) -> Flask:
    return app_with(library.cross_origin(origins=APP)(with_headers_by_hand()))


def decorated_with_own_options(library: Any) -> Flask:
    mark = library.cross_origin(origins=APP, automatic_options=False)
    return app_with(mark(a_view()), [*METHODS, "OPTIONS"])


def decorated_and_configured(library: Any) -> Flask:
    app = app_with(library.cross_origin()(a_view()))
    app.config.update(CORS_ORIGINS=APP, CORS_METHODS=["PUT"])
    return app


def a_method_of_a_class(library: Any) -> Flask:
    class Item(MethodView):
        @library.cross_origin(origins=APP)  # type: ignore[untyped-decorator]
        def get(self) -> str:
            return "seen"

        def put(self) -> str:
            return "changed"

    return app_with(Item.as_view("item"), ["GET", "PUT"])


def decorators_of_a_class(library: Any) -> Flask:
    class Item(MethodView):
        decorators = [library.cross_origin(origins=APP)]  # noqa: RUF012

        def get(self) -> str:
            return "seen"

    return app_with(Item.as_view("item"), ["GET"])


def splat_from_configuration(library: Any) -> Flask:
    app = app_with(a_view())
    app.config["CORS_OPTIONS"] = {
        "origins": [APP, "http://localhost:*"],
        "supports_credentials": True,
        "resources": ["/*"],
        "allow_headers": ["*"],
    }
    library.CORS(app, **app.config["CORS_OPTIONS"])
    return app


def unbound_and_two_calls(library: Any) -> Flask:
    app = app_with(a_view())
    extension = library.CORS(origins=OTHER)
    extension.init_app(app, supports_credentials=True)
    library.CORS(app, origins=APP, methods=["GET", "PUT"])
    return app


def the_current_app(library: Any) -> Flask:
    app = app_with(a_view())
    with app.app_context():
        library.CORS(current_app, origins=APP)
    return app


def in_blueprints(library: Any) -> Flask:
    app, outer, inner = Flask("app"), Blueprint("outer", "x"), Blueprint("inner", "x")
    inner.add_url_rule("/", "view", a_view(), methods=METHODS)
    library.CORS(outer, origins=APP)
    library.CORS(inner, origins=OTHER, methods=["GET", "PUT"])
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def headers_after_request(library: Any) -> Flask:
    app = app_with(a_view())
    library.CORS(app)

    @app.after_request
    def by_hand(response: Response) -> Response:
        response.headers.add("Access-Control-Allow-Headers", "Content-Type,Authorization,true")
        response.headers.add("Access-Control-Allow-Methods", "GET,PATCH")
        return response

    return app


def a_refusing_before_request(library: Any) -> Flask:
    app = app_with(a_view())
    library.CORS(app, origins=APP)
    app.before_request(lambda: None if "Authorization" in request.headers else ("no", 401))
    return app


SHAPES = (
    decorated,
    behind_a_refusing_decorator,
    before_a_refusing_decorator,
    behind_a_decorator_without_wraps,
    decorated_and_failing,
    decorated_with_headers_by_hand,
    decorated_with_own_options,
    decorated_and_configured,
    a_method_of_a_class,
    decorators_of_a_class,
    splat_from_configuration,
    unbound_and_two_calls,
    the_current_app,
    in_blueprints,
    headers_after_request,
    a_refusing_before_request,
)


@pytest.mark.parametrize("beside", ["alone", "with CORS(app)"])
@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_the_same(make: Callable[[Any], Flask], beside: str) -> None:
    def whole(library: Any) -> Flask:
        app = make(library)
        if beside != "alone":
            library.CORS(app, origins=OTHER)
        return app

    assert differences(whole, ASKED) == []


def test_an_extension_that_is_given_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Superset: the import is inside of a function."""
    monkeypatch.setitem(sys.modules, "flask_cors", compat)

    def init_cors(app: Flask) -> None:
        import flask_cors

        flask_cors.CORS(app, **app.config["CORS_OPTIONS"])

    app = app_with(a_view())
    app.config["CORS_OPTIONS"] = {"origins": [APP]}
    init_cors(app)
    assert ask(app, Question(APP, "/")).readable
    assert not ask(app, Question(OTHER, "/")).readable


def test_one_instance_for_several_apps() -> None:
    extension = CORS(allow_headers=["Content-Type"])
    one, two = app_with(a_view()), app_with(a_view())
    extension.init_app(one, origins=APP)
    extension.init_app(two, origins=OTHER)
    seen = [ask(app, Question(page, "/")).readable for app in (one, two) for page in (APP, OTHER)]
    assert seen == [True, False, False, True]


def test_the_guard_knows() -> None:
    app = app_with(a_view())
    CORS(app, resources={"/api/*": {"origins": APP}})
    guard = CorsGuard()
    allowed = guard.explain("/api/x", origin=APP, app=app)
    rejected = guard.explain("/", origin=APP, app=app)
    assert (allowed.outcome.value, rejected.outcome.value) == ("allowed", "rejected")
    assert allowed.policy_source == "path /api"
    assert "test_shapes.py:" in allowed.policy_location


def test_a_mark_of_the_guard_wins() -> None:
    app = app_with(cors(origins=OTHER)(a_view()))
    CORS(app, origins=APP)
    assert ask(app, Question(OTHER, "/")).readable
    assert not ask(app, Question(APP, "/")).readable


def test_a_preflight_passes_the_functions_before_a_request() -> None:
    """As with Flask-CORS: the guard alone would respond to it before they run."""
    app = a_refusing_before_request(compat)
    assert not ask(app, Question(APP, "/", "PUT")).ran
    preflight = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    assert app.test_client().options(SERVER, headers=preflight).status_code == 401


def error_of(function: Callable[[], object]) -> str:
    with pytest.raises(CompatError) as raised:
        function()
    return str(raised.value)


def test_what_has_no_effect_is_an_error() -> None:
    line = sys._getframe().f_lineno  # pyright: ignore[reportPrivateUsage]
    assert error_of(lambda: cross_origin(APP)) == (
        f"tests/compat/test_shapes.py:{line + 1}: Flask-CORS ignores '{APP}' here. Write"
        " @cross_origin(origins=['https://app.example.com'])"
    )
    assert "Flask-CORS ignores resources here" in error_of(lambda: cross_origin(resources="/x"))
    assert "no option 'orgins'" in error_of(lambda: cross_origin(orgins=APP))
    assert "no option 'orgins'" in error_of(lambda: CORS(Flask("x"), orgins=APP))
    assert "no option 'orgins'" in error_of(
        lambda: CORS(Flask("x"), resources={"/api/*": {"orgins": APP}})
    )
    assert error_of(lambda: CORS(Flask("x"), resources={"/api/*": APP})) == (
        f"resources: '{APP}' is not a dictionary of options. Write {{'/api/*': {{'origins':"
        f" '{APP}'}}}}"
    )


def test_above_the_route_is_an_error() -> None:
    """Flask-CORS does nothing there, since Flask knows the function beneath."""
    app = Flask("app")
    CORS(app)
    cross_origin(origins=APP)(app.get("/")(a_view()))
    with pytest.raises(PolicyError, match="Put @cross_origin directly below the route"):
        CorsGuard().prepare(app)


def test_two_decorators_are_an_error() -> None:
    inner = cross_origin(origins=APP)(lambda: "seen")
    with pytest.raises(Exception, match="Combine the two marks"):
        cross_origin(origins=OTHER)(inner)


def test_what_a_guard_has_is_not_changed() -> None:
    app = app_with(a_view())
    CorsGuard(app, origins=OTHER)
    assert error_of(lambda: CORS(app)).endswith(
        "the app already has a CorsGuard, or configuration keys for one. Take CORS out, and give"
        " the fields to CorsGuard"
    )
    assert ask(app, Question(OTHER, "/")).readable
    assert not ask(app, Question(APP, "/")).readable
    configured = Flask("configured")
    configured.config["CORSGUARD_ENFORCE"] = "unsafe"
    assert "or configuration keys for one" in error_of(lambda: CORS(configured))


def test_a_blueprint_beside_a_guard() -> None:
    app, blueprint = app_with(a_view()), Blueprint("bp", "bp", url_prefix="/bp")
    CorsGuard(app, origins=OTHER)
    blueprint.add_url_rule("/", "view", a_view())
    CORS(blueprint, origins=APP)
    app.register_blueprint(blueprint)
    seen = {(path, page): ask(app, Question(page, path)) for path in ("/", "/bp/", "/bp/x")
            for page in (APP, OTHER)}  # fmt: skip
    readable = {each for each, verdict in seen.items() if verdict.readable}
    assert readable == {("/", OTHER), ("/bp/", APP)}


def test_too_late() -> None:
    app = app_with(a_view())
    CORS(app)
    ask(app, Question(APP, "/"))
    assert state_of(app).in_force
    assert "has already served a request. Call CORS earlier" in error_of(
        lambda: CORS(app, origins=APP)
    )


def test_resources_by_path_and_a_blueprint() -> None:
    app, blueprint = Flask("app"), Blueprint("bp", "bp", url_prefix="/api")
    CORS(app, resources={"/api/v1/*": {"origins": APP}})
    CORS(blueprint, origins=OTHER)
    message = error_of(lambda: app.register_blueprint(blueprint))
    assert message.endswith(
        "there are resources by path as well as options for blueprint 'bp'. Write both as resources"
        " of the app: CORS(app, resources={'/api/*': {...}})"
    )


def test_an_error_in_a_blueprint_with_other_options_than_the_app() -> None:
    """Flask-CORS asks ``CORS(app)`` first where a view raises, and last where it returns. Here an
    error has what both come to."""

    def make(library: Any) -> Flask:
        app, blueprint = Flask("app"), Blueprint("bp", "bp", url_prefix="/bp")
        library.CORS(app)
        library.CORS(blueprint, origins=[APP], supports_credentials=True, expose_headers="X-A")
        blueprint.add_url_rule("/raises", "raises", failing())
        blueprint.add_url_rule("/returns", "returns", lambda: ("not there", 404, {"X-A": "1"}))
        blueprint.add_url_rule("/seen", "seen", a_view())
        app.register_blueprint(blueprint)
        return app

    found = differences(make, questions(["/bp/raises", "/bp/returns", "/bp/seen"], [APP, OTHER]))
    assert {(each.kind, each.question.path) for each in found} == {("narrower", "/bp/returns")}
