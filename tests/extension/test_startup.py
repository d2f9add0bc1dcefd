"""Mistakes that the guard refuses to start with, and what it says about them."""

import functools
import json
import subprocess
import sys

import pytest
from flask import Blueprint, Flask, current_app
from flask.views import MethodView

from flask_corsguard import CorsGuard, CorsGuardError, Policy, PolicyError, cors, cors_exempt

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
LINE = r"test_startup\.py:\d+"


def test_two_guards_on_one_app(app, http):
    """A second guard is refused and changes nothing, even if it is the first one again."""
    guard = CorsGuard(app, origins=SHOP)
    with pytest.raises(CorsGuardError, match=r"has a guard already.*reconfigure"):
        CorsGuard(app, origins=PARTNER)
    with pytest.raises(CorsGuardError, match="has a guard already"):
        guard.init_app(app)
    assert http.readers(app, "/", status=404) == [SHOP]


def test_init_app_after_the_first_request(app, http):
    http.send(app, "/")
    with pytest.raises(CorsGuardError, match="has served a request already"):
        CorsGuard(app, origins=SHOP)
    assert http.send(app, "/", SHOP) == (404, {})


class _Outer:
    """A FlaskApp of Connexion, a ProxyFix around the app, a flask_restx.Api."""

    def __init__(self, app):
        self.app = app


_FastAPI = type("FastAPI", (), {"__module__": "fastapi.applications", "__call__": len})
_Quart = type("Quart", (), {"__module__": "quart.app"})
_AsyncApp = type("AsyncApp", (), {"__module__": "connexion.apps.asynchronous"})
_BY_NAME = "Fields are given by name: CorsGuard(app, {})"
NOT_AN_APP = {
    "an origin": (SHOP, _BY_NAME.format(f"origins={SHOP!r}")),
    "everybody": ("*", _BY_NAME.format("origins='*'")),
    "a list": ([SHOP], _BY_NAME.format(f"origins=[{SHOP!r}]")),
    "fields": ({"max_age": 5}, _BY_NAME.format("max_age=5")),
    "a policy": (Policy(origins="*"), "The app comes first: CorsGuard(app, policy)"),
    "a name": ("shop", "Give the app itself: CorsGuard(app, ...), where app = Flask(__name__)"),
    "a blueprint": (
        Blueprint("api", __name__),
        "Mark the blueprint before it is registered: cors(origins=[...])(blueprint)",
    ),
    "what holds an app": (
        _Outer(Flask("shop")),
        "A _Outer has the Flask app as its .app: CorsGuard(app.app, ...)",
    ),
    "Connexion": (_AsyncApp(), "Only a connexion.FlaskApp has one, as its .app"),
    "FastAPI": (_FastAPI(), "FastAPI and Starlette have starlette.middleware.cors.CORSMiddleware"),
    "Quart": (_Quart(), "For Quart there is Quart-CORS"),
    "a factory": (lambda: Flask("shop"), "Call the factory first, and give the app that it"),
}


@pytest.mark.parametrize(("thing", "hint"), NOT_AN_APP.values(), ids=NOT_AN_APP)
def test_something_other_than_an_app(thing, hint):
    """The error says what to write, from the constructor and from init_app()."""
    for guard in (CorsGuard, CorsGuard().init_app):
        with pytest.raises(CorsGuardError, match="CorsGuard takes a Flask app, not ") as caught:
            guard(thing)
        assert f". {hint}" in str(caught.value)


def test_init_app_of_nothing():
    with pytest.raises(CorsGuardError, match="takes a Flask app, not None"):
        CorsGuard().init_app(None)


def test_init_app_of_the_current_app(app):
    with app.app_context(), pytest.raises(CorsGuardError, match="_get_current_object"):
        CorsGuard(current_app, origins=SHOP)
    with pytest.raises(CorsGuardError, match="_get_current_object"):
        CorsGuard(current_app)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [((), {"origins": SHOP}), ((Policy(),), {}), ((SHOP,), {})],
    ids=["fields", "policy", "origin"],
)
def test_init_app_takes_no_policy(app, arguments, fields):
    with pytest.raises(CorsGuardError, match=r"the constructor, CorsGuard\(origins.*app\.config"):
        CorsGuard().init_app(app, *arguments, **fields)


# What OpenTelemetry's FlaskInstrumentor().instrument() does to the package.
_REPLACED = """
import flask
{before}
class Instrumented(flask.Flask):
    pass
flask.Flask = Instrumented
from flask_corsguard import CorsGuard
for app in (Flask("x"), flask.Flask("y")):
    CorsGuard(app, origins="https://app.example.com").prepare(app)
"""


@pytest.mark.parametrize("before", ["from flask import Flask", "Flask = flask.Flask"])
def test_a_flask_class_that_tracing_has_replaced(before):
    """An app of the class that was imported before is an app all the same."""
    script = _REPLACED.format(before=before)
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


# Configuration


@pytest.mark.parametrize(
    ("key", "value", "code", "remedy"),
    [
        ("CORSGUARD_ORIGIN", SHOP, "unknown_key", "CORSGUARD_ORIGINS"),
        ("CORSGUARD_MAXAGE", 5, "unknown_key", "CORSGUARD_MAX_AGE"),
        ("CORSGUARD_SELF_ORIGIN", SHOP, "unknown_key", "CORSGUARD_SELF_ORIGINS"),
        ("CORSGUARD_LOG_REJECTION", True, "unknown_key", "CORSGUARD_LOG_REJECTIONS"),
        ("CORSGUARD_SUPPORTS_CREDENTIALS", True, "unknown_key", "CORSGUARD_ALLOW_CREDENTIALS"),
        ("CORSGUARD_RESOURCES", {}, "unknown_key", "Mark blueprints and views"),
        ("CORSGUARD_", 5, "unknown_key", "CORSGUARD_ORIGINS"),
        ("CORSGUARD_ALLOW_CREDENTIALS", "true", "bool_expected", "True"),
        ("CORSGUARD_LOG_REJECTIONS", "false", "bool_expected", "False"),
        ("CORSGUARD_MAX_AGE", "60", "wrong_type", "60"),
        ("CORSGUARD_POLICIES", [SHOP], "wrong_type", "policies"),
        ("CORSGUARD_POLICIES", {"a": SHOP}, "wrong_type", "'a'"),
        ("CORSGUARD_POLICIES", {"a": {"origin": SHOP}}, "unknown_field", "origins"),
        ("CORSGUARD_SELF_ORIGINS", "*", "origin_type", "list the origins"),
        ("CORSGUARD_SELF_ORIGINS", "null", "null_origin", "Leave it out"),
        ("CORSGUARD_SELF_ORIGINS", "", "origin_empty", "or [] for none"),
        ("CORSGUARD_ORIGINS", "", "origin_empty", "or [] for none"),
        ("CORSGUARD_ORIGINS", f"['{SHOP}']", "list_in_string", f'["{SHOP}"]'),
        ("CORSGUARD_DENY_ORIGINS", ",", "origin_empty", "or [] for none"),
        ("CORSGUARD_ALLOW_HEADERS", "", "name_empty", "or [] for none"),
        ("CORSGUARD_METHODS", "", "name_empty", "or [] for none"),
        ("CORSGUARD_MAX_AGE", "", "wrong_type", "Give a number, such as 600."),
        ("CORSGUARD_ENFORCE", "", "enforce_unknown", "Known: all, off"),
        ("CORSGUARD_ALLOW_CREDENTIALS", "", "bool_expected", "false"),
        ("CORSGUARD_POLICIES", "", "wrong_type", "{'partners': {'origins': [...]}}"),
        ("CORSGUARD_POLICIES", {"a": {"ORIGINS": SHOP}}, "unknown_field", "mean 'origins'"),
        ("CORSGUARD_POLICIES", {"a": [SHOP]}, "wrong_type", f"{{'origins': ['{SHOP}']}}"),
        ("CORSGUARD_REPORT_ONLY", "", "wrong_type", "{'origins': [...]}"),
        ("CORSGUARD_REPORT_ONLY", SHOP, "wrong_type", f"{{'origins': '{SHOP}'}}"),
        ("CORSGUARD_REPORT_ONLY", {"ENFORCE": "all"}, "unknown_field", "mean 'enforce'"),
        ("CORSGUARD", {"ORIGINS": SHOP}, "unknown_key", "one underscore"),
        ("corsguard_origins", SHOP, "unknown_key", "'CORSGUARD_ORIGINS'"),
        ("CORSGUARD_CORS_ORIGINS", SHOP, "unknown_key", "'CORSGUARD_ORIGINS'"),
        ("CORSGUARD_TIMING_ALLOW_ORIGIN", "*", "unknown_key", "in the view"),
        ("CORSGUARD_ALLOW_NULL_ORIGIN", True, "unknown_key", "Leave it out"),
    ],
)
def test_a_setting_that_is_wrong(app, key, value, code, remedy):
    """The error says which key is wrong, and what would be right."""
    app.config[key] = value
    with pytest.raises(PolicyError) as caught:
        CorsGuard(app)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert remedy in str(caught.value)
    assert "CORSGUARD_" in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once(app):
    app.config.update(
        CORSGUARD_ORIGNS=SHOP,
        CORSGUARD_METHODS="get",
        CORSGUARD_POLICIES={"a": {"origins": "https://Shop.example/"}},
        CORSGUARD_SELF_ORIGINS="front",
        CORSGUARD_MAX_AGE=-1,
    )
    with pytest.raises(PolicyError) as caught:
        CorsGuard(app)
    assert {p.field for p in caught.value.problems} >= {
        "CORSGUARD_ORIGNS", "methods", "origins", "self_origins", "max_age",
    }  # fmt: skip


def test_an_app_that_could_not_be_guarded_is_left_as_it_was(app, http):
    app.config["CORSGUARD_ORIGINS"] = "nonsense"
    with pytest.raises(PolicyError):
        CorsGuard(app)
    app.config["CORSGUARD_ORIGINS"] = SHOP
    CorsGuard(app)
    assert http.send(app, "/", SHOP) == http.allowed(SHOP, 404)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"origin": SHOP}, "unknown_field"),
        ({"origins": f"{SHOP}/"}, None),
        ({"origins": "*", "allow_credentials": True}, "credentials_any_origin"),
        ({"origins": SHOP, "max_age": 86401}, "max_age_range"),
        ({"allow_credentials": "true"}, "bool_expected"),
    ],
)
def test_constructor_arguments_are_checked_without_an_app(fields, code):
    """The constructor raises at once, and the error says at which line it was called."""
    with pytest.raises(PolicyError, match=LINE) as caught:
        CorsGuard(**fields)
    if code:
        assert [p.code for p in caught.value.problems] == [code]


@pytest.mark.parametrize("policy", [SHOP, "*", {"origins": SHOP}, [SHOP]])
def test_what_is_not_a_default_policy(policy):
    with pytest.raises(CorsGuardError, match="is a Policy or given by fields") as caught:
        CorsGuard(policy=policy)
    origins = policy["origins"] if isinstance(policy, dict) else policy
    assert f"Write origins={origins!r}." in str(caught.value)


def test_json_in_a_string_is_read(app, http):
    """As in a configuration that comes from the environment without from_prefixed_env()."""
    app.config.update(
        CORSGUARD_ORIGINS=json.dumps([SHOP]),
        CORSGUARD_POLICIES=json.dumps({"partners": {"origins": [PARTNER]}}),
        CORSGUARD_REPORT_ONLY=json.dumps({"origins": []}),
    )
    guard = CorsGuard(app)
    guard.for_endpoint("me", "partners")
    app.add_url_rule("/me", "me", lambda: "ok")
    assert http.readers(app, "/", status=404) == [SHOP]
    assert http.readers(app, "/me") == [PARTNER]


def test_capitals_in_a_policy_from_the_environment(app, monkeypatch):
    monkeypatch.setenv("FLASK_CORSGUARD_POLICIES__own__ORIGINS", SHOP)
    app.config.from_prefixed_env()
    with pytest.raises(PolicyError, match=r"policy 'own': ORIGINS: .*Did you mean 'origins'\?"):
        CorsGuard(app)


# Marks


def view():
    return "ok"


class _Class(MethodView):
    pass


class _NoView:
    pass


class _Slots:
    __slots__ = ()

    def __call__(self):
        return "ok"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (cors(origins=SHOP), cors(origins=PARTNER)),
        (cors(max_age=5), cors("named")),
        (cors(origins=SHOP), cors_exempt),
        (cors_exempt, cors(max_age=5)),
        (cors_exempt, cors_exempt),
    ],
    ids=["fields", "a named policy", "exempt", "not exempt", "exempt twice"],
)
@pytest.mark.parametrize("kind", ["view", "class", "method", "blueprint"])
def test_two_marks_on_one_target(first, second, kind):
    """The error names the lines of both marks."""

    class Item(MethodView):
        def get(self):
            return "ok"

    target = {
        "view": lambda: "ok",
        "class": Item,
        "method": Item.get,
        "blueprint": Blueprint("api", __name__),
    }[kind]
    first(target)
    with pytest.raises(CorsGuardError, match=rf"{LINE}.*marked already, at .*{LINE}"):
        second(target)


def test_two_marks_with_a_decorator_between_them():
    def decorate(function):
        return functools.wraps(function)(lambda: function())

    with pytest.raises(CorsGuardError, match="marked already"):

        @cors(origins=SHOP)
        @decorate
        @cors(origins=PARTNER)
        def target():
            return "ok"


def test_the_same_endpoint_twice():
    guard = CorsGuard()
    guard.for_endpoint("static", origins=SHOP)
    with pytest.raises(CorsGuardError, match=rf"{LINE}.*'static' is marked already, at .*{LINE}"):
        guard.for_endpoint("static", max_age=5)


def test_the_same_files_twice():
    guard = CorsGuard()
    guard.for_files("static", "*.ttf", "*.woff2", origins=SHOP)
    with pytest.raises(CorsGuardError, match=r"'\*.woff2' of endpoint 'static' is marked already"):
        guard.for_files("static", "*.woff2", origins=PARTNER)


@pytest.mark.parametrize(
    "target", [None, 7, "view", [view], _NoView, _Slots(), _Class().dispatch_request, len], ids=type
)
def test_what_cannot_be_marked(target):
    for mark in (cors(origins=SHOP), cors_exempt):
        with pytest.raises(CorsGuardError, match=LINE):
            mark(target)


@pytest.mark.parametrize("target", [view, _Class, Blueprint("api", __name__)], ids=type)
def test_cors_without_parentheses(target):
    with pytest.raises(CorsGuardError, match=rf"{LINE}: cors needs parentheses"):
        cors(target)


def test_cors_with_nothing_in_its_parentheses():
    with pytest.raises(CorsGuardError, match=r"cors\(\) changes nothing"):
        cors()


@pytest.mark.parametrize("policy", [[], 7, ["own", "partners"], {"own": SHOP}], ids=repr)
def test_a_mark_with_no_policy(policy):
    with pytest.raises(CorsGuardError, match="takes a Policy or the name of one"):
        cors(policy)


@pytest.mark.parametrize(
    ("policy", "written"),
    [
        *((value, f"origins={value!r}") for value in (SHOP, "*", f"{SHOP}, {PARTNER}", [SHOP])),
        ({"origins": SHOP, "max_age": 5}, f"origins={SHOP!r}, max_age=5"),
    ],
    ids=["an origin", "everybody", "several", "a list", "fields"],
)
def test_origins_where_a_policy_belongs(policy, written):
    """The error has the line to write."""
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        cors(policy)
    assert str(caught.value).endswith(f"Write cors({written})")
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        CorsGuard().for_endpoint("me", policy)
    assert str(caught.value).endswith(f"Write for_endpoint(..., {written})")


def test_an_origin_among_the_files():
    with pytest.raises(CorsGuardError, match=rf"'\*.woff2', origins=\['{SHOP}'\]"):
        CorsGuard().for_files("static", "*.css", SHOP)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Partners", "Did you mean 'partners'?"),
        ("app.example.com", "If it is an origin, write origins='https://app.example.com'."),
    ],
)
def test_a_name_that_is_no_policy(app, name, hint):
    guard = CorsGuard(app, policies={"partners": {}})
    app.add_url_rule("/", "index", cors(name)(lambda: "ok"))
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "code", "remedy"),
    [
        ({"origin": SHOP}, "unknown_field", "origins"),
        ({"allow_header": "X-A"}, "unknown_field", "allow_headers"),
        ({"supports_credentials": True}, "unknown_field", "allow_credentials"),
        ({"max_age": "60"}, "wrong_type", "60"),
        ({"origins": "*", "allow_credentials": True}, "credentials_any_origin", "List the origins"),
        ({"origins": "null"}, "null_origin", "dangerously_allow_null_origin"),
    ],
)
@pytest.mark.parametrize("how", ["cors", "for_endpoint", "for_files"])
def test_fields_of_a_mark_are_checked_at_once(how, fields, code, remedy):
    """A mark raises at once for fields that no policy further out could put right."""
    guard = CorsGuard(dangerously_allow_null_origin=False)
    make = {
        "cors": cors,
        "for_endpoint": functools.partial(guard.for_endpoint, "static"),
        "for_files": functools.partial(guard.for_files, "static", "*"),
    }[how]
    if code == "null_origin":
        fields = {**fields, "dangerously_allow_null_origin": False}
    with pytest.raises(PolicyError, match=LINE) as caught:
        make(**fields)
    assert [p.code for p in caught.value.problems] == [code]
    assert remedy in str(caught.value)


def test_for_files_without_files():
    with pytest.raises(CorsGuardError, match=rf"{LINE}: name the files"):
        CorsGuard().for_files("static", origins="*")


def test_a_blueprint_that_is_registered_already(app):
    blueprint = Blueprint("api", __name__)
    app.register_blueprint(blueprint)
    with pytest.raises(CorsGuardError, match=rf"{LINE}: blueprint 'api' is registered already"):
        cors(origins=SHOP)(blueprint)


def test_an_app_factory_may_run_again(http):
    """Also after its first app has served requests; and a line in a loop marks all its files."""
    shared = Blueprint("shared", __name__)
    guard = CorsGuard()

    def make_app():
        app = Flask("shop")
        cors(origins=SHOP)(shared)
        cors(origins=SHOP)(view)
        guard.for_endpoint("index", max_age=5)
        for glob in ("*.css", "*.js"):
            guard.for_files("static", glob, origins=SHOP)
        app.register_blueprint(shared, url_prefix="/shared")
        app.add_url_rule("/", "index", view, methods=["PUT"])
        guard.init_app(app)
        return app

    for _ in range(2):
        app = make_app()
        assert http.preflight(app, "/", SHOP) == http.granted(SHOP, "OPTIONS, PUT", max_age="5")
        assert http.readers(app, "/static/a.css", status=404) == [SHOP]
        assert http.readers(app, "/static/a.js", status=404) == [SHOP]


# What shows when marks meet the default: there is nothing but 500s until it is put right.


def _unknown_endpoint(guard):
    guard.for_endpoint("mee", origins=SHOP)
    return cors(max_age=5)


def _files_without_a_name(guard):
    guard.for_files("me", "*.css", origins=SHOP)
    return cors(max_age=5)


def _credentials(guard):
    return cors(allow_credentials=True)


def _unknown_policy(guard):
    return cors("partner")


BROKEN = {
    "unknown policy": ({}, _unknown_policy, "unknown_policy", "'partners'"),
    "unknown endpoint": ({}, _unknown_endpoint, "unknown_endpoint", "'me'"),
    "no file name": ({}, _files_without_a_name, "no_file_name", "filename"),
    "* and credentials": (
        {"origins": "*"},
        _credentials,
        "credentials_any_origin",
        "List the origins",
    ),
    "expose * and credentials": (
        {"origins": SHOP, "expose_headers": "*"},
        _credentials,
        "expose_all_with_credentials",
        "List the names",
    ),
    "http and credentials": (
        {"origins": "http://shop.example"},
        _credentials,
        "credentials_insecure_origin",
        "'https://shop.example'",
    ),
}


def _broken_app(fields, build):
    app = Flask("shop", static_folder=None)
    guard = CorsGuard(app, policies={"partners": {"origins": PARTNER}}, **fields)
    app.add_url_rule("/me", "me", build(guard)(lambda: "ok"), methods=["GET", "PUT"])
    app.add_url_rule("/other", "other", lambda: "ok")
    return app, guard


@pytest.mark.parametrize(("fields", "build", "code", "remedy"), BROKEN.values(), ids=BROKEN)
def test_the_first_request_says_what_is_wrong(http, fields, build, code, remedy):
    """The first request, explain() and routes() all raise what is wrong with a mark."""
    app, guard = _broken_app(fields, build)
    app.testing = True
    for ask in (
        lambda: http.send(app, "/other"),
        lambda: http.send(app, "/me"),
        lambda: guard.routes(app),
        lambda: guard.explain("/other", origin=SHOP, app=app),
    ):
        with pytest.raises(PolicyError) as caught:
            ask()
        assert [p.code for p in caught.value.problems] == [code]
        assert remedy in str(caught.value)
        assert "test_startup.py:" in str(caught.value)


@pytest.mark.parametrize(("fields", "build", "code", "remedy"), BROKEN.values(), ids=BROKEN)
def test_every_response_of_a_broken_app_is_a_500(http, fields, build, code, remedy):
    """None of the app's code runs, and nobody may read the response."""
    app, _ = _broken_app(fields, build)
    ran = []
    app.before_request(lambda: ran.append("before"))
    for _ in range(2):
        for path in ("/me", "/other", "/none", "/me/"):
            for origin in (None, SHOP, PARTNER, "null"):
                assert http.send(app, path, origin) == http.refused(500)
            response = http.preflight(app, path, SHOP)
            assert response.status == 500
            assert set(response.cors) <= {"Vary"}
    assert ran == []


def test_an_early_end_is_no_way_round_a_broken_table(http):
    app, _ = _broken_app({"origins": "*"}, _credentials)
    app.url_value_preprocessor(lambda *_: 1 / 0)
    assert http.send(app, "/me", SHOP) == http.refused(500)


@pytest.mark.parametrize("requests", [0, 1])
def test_reconfigure_puts_it_right(http, requests):
    app, guard = _broken_app({"origins": "*"}, _credentials)
    for _ in range(requests):
        assert http.send(app, "/other").status == 500
        with pytest.raises(PolicyError):
            guard.reconfigure(max_age=5, app=app)
        assert http.send(app, "/other").status == 500
    guard.reconfigure(origins=SHOP, app=app)

    assert http.send(app, "/other", SHOP) == http.allowed(SHOP)
    allowed = http.allowed(SHOP).cors | {"Access-Control-Allow-Credentials": "true"}
    assert http.send(app, "/me", SHOP) == (200, allowed)


def test_reconfigure_adds_the_policy_that_was_missing(http):
    app, guard = _broken_app({}, _unknown_policy)
    assert http.send(app, "/me", SHOP).status == 500
    guard.reconfigure(policies={"partner": Policy(origins=SHOP)}, app=app)
    assert http.readers(app, "/me") == [SHOP]
    assert http.readers(app, "/other") == []


def test_every_problem_of_every_route_at_once(app):
    guard = CorsGuard(app, origins="*")
    app.add_url_rule("/1", "one", cors("nobody")(lambda: "ok"))
    app.add_url_rule("/2", "two", cors(allow_credentials=True)(lambda: "ok"))
    app.add_url_rule("/3", "three", cors(expose_headers="*", origins=SHOP)(lambda: "ok"))
    guard.for_endpoint("four", max_age=5)
    with pytest.raises(PolicyError) as caught:
        guard.routes()
    assert {p.code for p in caught.value.problems} == {
        "unknown_policy",
        "credentials_any_origin",
        "unknown_endpoint",
    }
