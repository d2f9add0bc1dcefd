"""Mistakes that the guard refuses to start with, and what it says about them."""

import functools
import json
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from flask import Blueprint, Flask, current_app
from flask.views import MethodView

from flask_corsguard import CorsGuard, CorsGuardError, Policy, PolicyError, cors, cors_exempt
from flask_corsguard.text import source_of

SHOP = "https://shop.example"
PARTNER = "https://partner.example"
ADMIN = "https://admin.example"
LINE = r"test_startup\.py:\d+"


def test_two_guards_on_one_app(app, http):
    """A second guard is refused and changes nothing, even if it is the first one again."""
    guard = CorsGuard(app, origins=SHOP)
    with pytest.raises(CorsGuardError, match=rf"{LINE}: <Flask.*already has a guard.*reconfigure"):
        CorsGuard(app, origins=PARTNER)
    with pytest.raises(CorsGuardError, match="already has a guard"):
        guard.init_app(app)
    assert http.readers(app, "/", status=404) == [SHOP]


def test_init_app_after_the_first_request(app, http):
    http.send(app, "/")
    with pytest.raises(CorsGuardError, match=rf"{LINE}: <Flask.* has served a request"):
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
        "Write CorsGuard(app) once. For the blueprint, write, before it is registered,"
        " cors(origins=['https://app.example.com'])(api), and import cors from flask_corsguard",
    ),
    "what holds an app": (
        _Outer(Flask("shop")),
        "A _Outer keeps the Flask app in .app: CorsGuard(app.app, ...)",
    ),
    "Connexion": (_AsyncApp(), "Only a connexion.FlaskApp has one, as its .app"),
    "FastAPI": (
        _FastAPI(),
        "For FastAPI and Starlette, use starlette.middleware.cors.CORSMiddleware",
    ),
    "Quart": (_Quart(), "For Quart, use Quart-CORS"),
    "a factory": (lambda: Flask("shop"), "Call the factory first, and give the app that it"),
    "a WSGI function": (Flask("shop").wsgi_app, "Give the app itself: CorsGuard(app, ...)"),
}


@pytest.mark.parametrize(("thing", "hint"), NOT_AN_APP.values(), ids=NOT_AN_APP)
def test_something_other_than_an_app(thing, hint):
    """The error says what to write, from the constructor and from init_app()."""
    for guard in (CorsGuard, CorsGuard().init_app):
        with pytest.raises(CorsGuardError, match=f"{LINE}: CorsGuard takes a Flask app") as caught:
            guard(thing)
        assert f". {hint}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "policy", "fields", "written"),
    [
        (
            "api",
            None,
            {"origins": [SHOP], "max_age": 5},
            f"cors(origins=['{SHOP}'], max_age=5)(api)",
        ),
        ("v1-api", "partners", {}, "cors('partners')(blueprint)"),
    ],
)
def test_a_blueprint_with_a_policy(name, policy, fields, written):
    """The mark to write has the policy that was given."""
    with pytest.raises(CorsGuardError) as caught:
        CorsGuard(Blueprint(name, __name__), policy, **fields)
    assert str(caught.value).endswith(
        f"before it is registered, {written}, and import cors from flask_corsguard"
    )


def test_init_app_of_nothing():
    with pytest.raises(CorsGuardError, match="takes a Flask app, not None"):
        CorsGuard().init_app(None)


def test_init_app_of_the_current_app(app):
    with app.app_context(), pytest.raises(CorsGuardError, match="_get_current_object"):
        CorsGuard(current_app, origins=SHOP)
    with pytest.raises(CorsGuardError, match=f"{LINE}: .*_get_current_object"):
        CorsGuard(current_app)


INIT_APP = {
    "fields": (
        (),
        {"origins": [SHOP], "max_age": 60},
        f"origins=['{SHOP}'], max_age=60",
        "CORSGUARD_ORIGINS and CORSGUARD_MAX_AGE",
    ),
    "policy": ((Policy(),), {}, "policy=Policy()", "CORSGUARD_ORIGINS"),
    "origin": ((SHOP,), {}, f"origins='{SHOP}'", "CORSGUARD_ORIGINS"),
    "nothing": ((None,), {}, "origins=[...]", "CORSGUARD_ORIGINS"),
    "of Flask-CORS": ((), {"resources": {}}, "resources={}", "CORSGUARD_ORIGINS"),
}


@pytest.mark.parametrize(("arguments", "fields", "given", "keys"), INIT_APP.values(), ids=INIT_APP)
def test_init_app_takes_no_policy(app, arguments, fields, given, keys):
    with pytest.raises(CorsGuardError) as caught:
        CorsGuard().init_app(app, *arguments, **fields)
    location, _, words = str(caught.value).partition(": ")
    assert location.startswith("tests/extension/test_startup.py:")
    assert words == (
        f"init_app() takes only the app. Write CorsGuard({given}) where the guard is made, or set"
        f" {keys} in app.config."
    )


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
        (
            "CORSGUARD_RESOURCES",
            {},
            "unknown_key",
            "Write CORSGUARD_PATHS = {'/api': {'origins': [...]}}.",
        ),
        ("CORSGUARD_", 5, "unknown_key", "CORSGUARD_ORIGINS"),
        ("corsguard_origins", SHOP, "unknown_key", "CORSGUARD_ORIGINS"),
        ("CORSGUARD_origins", SHOP, "unknown_key", "CORSGUARD_ORIGINS"),
        ("CORSGAURD_ORIGINS", SHOP, "unknown_key", "Did you mean 'CORSGUARD_ORIGINS'?"),
        ("CORGUARD_MAX_AGE", 5, "unknown_key", "Did you mean 'CORSGUARD_MAX_AGE'?"),
        ("crosguard_origin", SHOP, "unknown_key", "there is no setting 'crosguard_origin'"),
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
        (
            "CORSGUARD_POLICIES",
            "",
            "wrong_type",
            "Write, for example, {'partners': {'origins': ['https",
        ),
        ("CORSGUARD_POLICIES", {"a": {"ORIGINS": SHOP}}, "unknown_field", "mean 'origins'"),
        ("CORSGUARD_POLICIES", {"a": [SHOP]}, "wrong_type", f"{{'origins': ['{SHOP}']}}"),
        (
            "CORSGUARD_POLICIES",
            f"{{'a': {{'origins': '{SHOP}'}}}}",
            "wrong_type",
            f'trailing comma), not Python. Write {{"a": {{"origins": "{SHOP}"}}}}.',
        ),
        ("CORSGUARD_POLICIES", {"a": "{'max_age': 5}"}, "wrong_type", 'Write {"max_age": 5}.'),
        ("CORSGUARD_REPORT_ONLY", '{"max_age": 5,}', "wrong_type", 'Write {"max_age": 5}.'),
        ("CORSGUARD_AUDIT_ACCEPT", "{'a': ", "wrong_type", "trailing comma), not Python."),
        ("CORSGUARD_AUDIT_ACCEPT", "a", "wrong_type", "Write, for example, {'subdomains_with"),
        ("CORSGUARD_REPORT_ONLY", "", "wrong_type", "for example, {'origins': ['https"),
        ("CORSGUARD_REPORT_ONLY", SHOP, "wrong_type", f"{{'origins': '{SHOP}'}}"),
        ("CORSGUARD_REPORT_ONLY", {"ENFORCE": "all"}, "unknown_field", "mean 'enforce'"),
        ("CORSGUARDORIGINS", SHOP, "unknown_key", "mean 'CORSGUARD_ORIGINS'?"),
        ("CORSGUARD-ORIGINS", SHOP, "unknown_key", "mean 'CORSGUARD_ORIGINS'?"),
        ("CORSGUARD_ORIGINS", f"{SHOP} # ours", "origin_fragment", f"Write '{SHOP}'."),
        ("CORSGUARD_ORIGINS", f"ORIGINS={SHOP}", "origin_invalid", f"Write '{SHOP}'."),
        ("CORSGUARD_ORIGINS", f'["{SHOP}"', "list_in_string", f'Write ["{SHOP}"].'),
        ("CORSGUARD_POLICY", SHOP, "wrong_type", f"Write CORSGUARD_ORIGINS = '{SHOP}'."),
        ("CORSGUARD_POLICY", {"origins": "*"}, "wrong_type", "Write CORSGUARD_ORIGINS = '*'."),
        ("CORSGUARD_PATHS", {"origins": SHOP}, "wrong_type", "Write {'/api': {'origins': 'https"),
        ("CORSGUARD_PATHS", {"/api": {"policy": "p"}}, "wrong_type", "Write {'/api': 'p'}."),
        ("CORSGUARD_PATHS", f"/api={SHOP}", "wrong_type", "{'/api': {'origins': ['https://app.ex"),
        ("CORSGUARD", {"ORIGINS": SHOP}, "unknown_key", "single underscore"),
        ("FLASK_CORSGUARD_ORIGINS", SHOP, "unknown_key", "mean 'CORSGUARD_ORIGINS'?"),
        ("CORS_GUARD_ENFORCE", "unsafe", "unknown_key", "mean 'CORSGUARD_ENFORCE'?"),
        ("CORS_GUARD_POLICIES", {}, "unknown_key", "mean 'CORSGUARD_POLICIES'?"),
        ("corsguard_paths", {}, "unknown_key", "mean 'CORSGUARD_PATHS'?"),
        ("CORSGUARD_POLICIES_A_ORIGINS", SHOP, "unknown_key", "CORSGUARD_POLICIES__partners__ori"),
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


def test_the_whole_environment_in_the_configuration(app, monkeypatch):
    """The key of the variable itself is no mistake beside the one that Flask makes of it."""
    monkeypatch.setattr(os, "environ", {"FLASK_CORSGUARD_ORIGINS": SHOP})
    app.config.from_mapping(os.environ)
    app.config.from_prefixed_env()
    CorsGuard(app).prepare(app)


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
    with pytest.raises(CorsGuardError, match="or fields given by name") as caught:
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


# Settings that nothing reads: an error where they would change something, when the table is built


class _Odd:
    """Compares in a way of its own, as arrays do."""

    __hash__ = None

    def __call__(self, request):
        return True

    def __eq__(self, other):
        raise ValueError("the truth of an array is ambiguous")


def _problems(ask):
    with pytest.raises(PolicyError) as caught:
        ask()
    return [(problem.code, problem.field) for problem in caught.value.problems]


def _set(config):
    config["CORSGUARD_ENFORCE"] = "unsafe"


def _update(config):
    config.update(CORSGUARD_ENFORCE="unsafe")


def _from_mapping(config):
    config.from_mapping(CORSGUARD_ENFORCE="unsafe")


def _from_object(config):
    config.from_object(type("Production", (), {"CORSGUARD_ENFORCE": "unsafe"}))


@pytest.mark.parametrize("change", [_set, _update, _from_mapping, _from_object])
@pytest.mark.parametrize(
    "ask",
    [
        lambda app, guard: guard.prepare(app),
        lambda app, guard: guard.routes(app),
        lambda app, guard: guard.explain("/", origin=SHOP, app=app),
        lambda app, guard: app.test_client().get("/"),
    ],
    ids=["prepare", "routes", "explain", "first request"],
)
def test_a_key_that_is_set_after_it_was_read(app, change, ask):
    app.testing = True
    guard = CorsGuard(app, origins=SHOP)
    change(app.config)
    with pytest.raises(PolicyError, match=LINE) as caught:
        ask(app, guard)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field, problem.value) == (
        "late_setting", "CORSGUARD_ENFORCE", "unsafe",
    )  # fmt: skip
    assert problem.message == (
        "it was set after init_app() had read app.config, so it has no effect. Set it before"
        " CorsGuard(app), or before guard.init_app(app), in tests too; or call"
        " guard.reconfigure(enforce=..., app=app) instead."
    )


LATE = {
    "a list": ("CORSGUARD_ORIGINS", [SHOP], lambda c, k: c[k].append(PARTNER)),
    "a set": ("CORSGUARD_ORIGINS", {SHOP}, lambda c, k: c[k].add(PARTNER)),
    "a mapping in a mapping": (
        "CORSGUARD_POLICIES", {"a": {"origins": [SHOP]}},
        lambda c, k: c[k]["a"]["origins"].append(PARTNER),
    ),
    "another value": ("CORSGUARD_MAX_AGE", 5, lambda c, k: c.update({k: 6})),
    "another type": ("CORSGUARD_MAX_AGE", 1, lambda c, k: c.update({k: True})),
    "one more entry": ("CORSGUARD_AUDIT_ACCEPT", {}, lambda c, k: c[k].update(a="b")),
    "another object": (
        "CORSGUARD_INSPECTOR_CHECK", _Odd(), lambda c, k: c.update({k: _Odd()}),
    ),
    "removed": ("CORSGUARD_SELF_ORIGINS", [SHOP], lambda c, k: c.pop(k)),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "change"), LATE.values(), ids=LATE)
def test_a_key_that_is_changed_after_it_was_read(app, key, value, change):
    """In place too; and putting the same value there again is no change."""
    app.config[key] = value
    guard = CorsGuard(app)
    app.config[key] = list(value) if isinstance(value, list) else value
    guard.routes(app)
    change(app.config, key)
    assert _problems(lambda: guard.routes(app)) == [("late_setting", key)]
    with pytest.raises(PolicyError, match="it was removed" if key not in app.config else "changed"):
        guard.prepare(app)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CORSGUARD_ORIGINS", [SHOP]),
        ("CORSGUARD_METHODS", None),
        ("CORSGUARD_MAX_AGE", timedelta(minutes=10)),
        ("CORSGUARD_ENFORCE", "off"),
        ("CORSGUARD_SELF_ORIGINS", []),
        ("CORSGUARD_ORIGINS", (SHOP,)),
    ],
)
def test_a_late_key_that_changes_nothing(site, http, key, value):
    """It says what is so anyway: a default, or the same in another form."""
    site.config["CORSGUARD_ORIGINS"] = SHOP
    guard = CorsGuard(site)
    site.config[key] = value
    guard.prepare(site)
    assert http.readers(site, "/") == [SHOP]


def test_a_late_key_that_does_not_exist(app):
    guard = CorsGuard(app)
    app.config.update(CORSGUARD_ORIGNS=SHOP, corsguard_max_age=5)
    with pytest.raises(PolicyError) as caught:
        guard.routes(app)
    messages = [problem.message for problem in caught.value.problems]
    assert [problem.code for problem in caught.value.problems] == ["unknown_key"] * 2
    assert "'CORSGUARD_ORIGINS'? Set it before CorsGuard(app)" in messages[0]
    assert "'CORSGUARD_MAX_AGE'? Set it before CorsGuard(app)" in messages[1]


def test_late_keys_are_said_together_with_everything_else(app):
    guard = CorsGuard(app)
    app.add_url_rule("/", "index", cors("nobody")(lambda: "ok"))
    app.config["CORSGUARD_MAX_AGE"] = 5
    expected = [("late_setting", "CORSGUARD_MAX_AGE"), ("unknown_policy", "policy")]
    assert _problems(lambda: guard.prepare(app)) == expected


def test_once_policies_are_in_force_app_config_may_change(site, http):
    """Nothing reads it, and nothing looks at it, until the process starts again."""
    guard = CorsGuard(site, origins=SHOP)
    guard.prepare(site)
    site.config["CORSGUARD_ENFORCE"] = "all"
    assert http.readers(site, "/") == [SHOP]
    guard.reconfigure(origins=PARTNER, app=site)
    assert http.readers(site, "/") == [PARTNER]


def test_the_extension_is_made_before_the_configuration_is_loaded(site, http):
    guard = CorsGuard(max_age=5)
    site.config["CORSGUARD_ORIGINS"] = SHOP
    guard.init_app(site)
    assert http.readers(site, "/") == [SHOP]


# the constructor's arguments, variables, and the problems
ENVIRONMENT = {
    "forgotten": ({}, {"FLASK_CORSGUARD_ORIGINS": SHOP}, "unread_variable"),
    "forgotten, in a mapping": (
        {}, {"FLASK_CORSGUARD_POLICIES__a__origins": SHOP}, "unread_variable",
    ),
    "without FLASK_": ({}, {"CORSGUARD_ORIGINS": SHOP}, "unread_variable"),
    "another case": ({}, {"flask_corsguard_enforce": "all"}, "unread_variable"),
    "another field": ({"origins": SHOP}, {"FLASK_CORSGUARD_ENFORCE": "all"}, "unread_variable"),
    "no field": ({}, {"FLASK_CORSGUARD_LOG_REJECTIONS": "false"}, "unread_variable"),
    "another policy": (
        {"policies": {"a": {}}}, {"FLASK_CORSGUARD_POLICIES__b__origins": SHOP}, "unread_variable",
    ),
    "misspelt": ({}, {"FLASK_CORSGUARD_ORIGNS": SHOP}, "unknown_key"),
    "two underscores": ({}, {"FLASK_CORSGUARD__ORIGINS": SHOP}, "unknown_key"),
    "given": ({"origins": SHOP}, {"FLASK_CORSGUARD_ORIGINS": PARTNER}, None),
    "given by a policy": ({"policy": Policy()}, {"CORSGUARD_ENFORCE": "all"}, None),
    "given, in a mapping": (
        {"policies": {"a": {}}}, {"FLASK_CORSGUARD_POLICIES__a__origins": SHOP}, None,
    ),
    "given, as JSON": (
        {"policies": {"a": {}}}, {"FLASK_CORSGUARD_POLICIES": '{"a": {"max_age": 5}}'}, None,
    ),
    "no report-only policy": (
        {"report_only": False}, {"FLASK_CORSGUARD_REPORT_ONLY": "{}"}, None,
    ),
    "the default": ({}, {"FLASK_CORSGUARD_MAX_AGE": "600", "CORSGUARD_ENFORCE": "off"}, None),
    "own origins": ({"self_origins": SHOP}, {"CORSGUARD_SELF_ORIGINS": PARTNER}, None),
    "no inspector": ({"inspector": False}, {"CORSGUARD_INSPECTOR": "true"}, None),
    "another app's": ({}, {"SHOP_CORSGUARD_ORIGINS": SHOP}, None),
    "another tool's": ({}, {"CORSGUARD_REQUIRE_BROWSERS": "1", "MYCORSGUARD_ORIGINS": SHOP}, None),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "variables", "code"), ENVIRONMENT.values(), ids=ENVIRONMENT)
def test_a_variable_that_nothing_reads(app, monkeypatch, arguments, variables, code):
    """The error has the name of the variable, and never its value."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    guard = CorsGuard(app, **arguments)
    if code is None:
        guard.prepare(app)
        return
    with pytest.raises(PolicyError, match=LINE) as caught:
        guard.prepare(app)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, *variables)
    assert (SHOP in str(caught.value), SHOP in str(problem.value)) == (False, False)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("FLASK_CORSGUARD_ORIGINS", "start the app with 'flask run', or call load_dotenv() (from"),
        ("CORSGUARD_ORIGINS", "name it FLASK_CORSGUARD_ORIGINS, and call app.config.from_prefixed"),
        ("corsguard_policies__a__origins", "name it FLASK_CORSGUARD_POLICIES__a__origins, and"),
        ("FLASK_CORSGUARD_ORIGNS", "Did you mean 'FLASK_CORSGUARD_ORIGINS'?"),
    ],
)
def test_what_to_do_about_a_variable_that_nothing_reads(app, monkeypatch, name, remedy):
    guard = CorsGuard(app)
    monkeypatch.setenv(name, SHOP)  # as app.run() does, which reads .env files
    with pytest.raises(PolicyError) as caught:
        guard.prepare(app)
    assert remedy in str(caught.value)


def test_a_variable_that_the_app_does_not_read(app, monkeypatch):
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", SHOP)
    with pytest.raises(PolicyError, match=r"To use it, call app\.config\.from_prefixed_env\(\) be"):
        CorsGuard(app).prepare(app)


@pytest.mark.parametrize(
    ("file", "arguments", "variables", "words"),
    [
        (f"A=1\nexport FLASK_CORSGUARD_ORIGINS={SHOP}\n", {}, {}, ["FLASK_CORSGUARD_ORIGINS"]),
        (f"FLASK_CORSGUARD_ORIGINS={SHOP}", {"origins": SHOP}, {}, []),
        ("FLASK_CORSGUARD_X=1\nCORSGUARD_ORIGINS=1\n# FLASK_CORSGUARD_ORIGINS=1", {}, {}, []),
        ("FLASK_CORSGUARD_MAX_AGE=5", {}, {"FLASK_CORSGUARD_MAX_AGE": "5"}, []),
        ("\0", {}, {}, []),
        (None, {}, {}, []),
    ],
    ids=["unread", "beside an argument", "other names", "loaded", "no text", "no file"],
)
def test_an_env_file_that_nothing_has_loaded(
    site, monkeypatch, tmp_path, log_lines, file, arguments, variables, words
):
    """As under gunicorn."""
    monkeypatch.chdir(tmp_path)
    if file is not None:
        tmp_path.joinpath(".env").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    site.config.from_prefixed_env()
    CorsGuard(site, **arguments)
    site.test_client().get("/")
    load = "call load_dotenv() before app.config.from_prefixed_env()"
    ignore = "If other code does, ignore this."
    assert log_lines() == [f"the guard does not read {w} in .env ({load}). {ignore}" for w in words]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.timeout(5)
def test_an_env_file_that_is_a_named_pipe(site, monkeypatch, tmp_path):
    """Some programs provide one. Nobody waits for it."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo(".env")
    CorsGuard(site)
    assert site.test_client().get("/").status_code == 200


def test_from_prefixed_env_is_called_too_late(app, monkeypatch):
    """One problem: it would be two if variables and keys were looked at by themselves."""
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", SHOP)
    guard = CorsGuard(app)
    app.config.from_prefixed_env()
    with pytest.raises(PolicyError) as caught:
        guard.prepare(app)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("late_setting", "CORSGUARD_ORIGINS")
    assert "Call app.config.from_prefixed_env() before CorsGuard(app)" in problem.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASK_CORSGUARD_ORIGINS", f"{SHOP}, {PARTNER}"),
        ("FLASK_CORSGUARD_POLICIES__a__origins", SHOP),
        ("FLASK_CORSGUARD_POLICIES", '{"a": {"origins": []}}'),
    ],
)
def test_from_prefixed_env_is_called_in_time(app, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    app.config.from_prefixed_env()
    guard = CorsGuard(app)
    app.config.from_prefixed_env()
    guard.prepare(app)


# constructor's arguments, configuration, variables, and what the explanation says
IN_VAIN = {
    "the key of Flask-CORS": (
        {}, {"CORS_ORIGINS": SHOP}, {},
        "CORS_ORIGINS in app.config (the guard reads CORSGUARD_ORIGINS in app.config)",
    ),
    "a variable with an underscore": (
        {}, {}, {"CORS_GUARD_ORIGINS": SHOP},
        "CORS_GUARD_ORIGINS in the environment (rename it to FLASK_CORSGUARD_ORIGINS)",
    ),
    "its other key": (
        {}, {"CORS_RESOURCES": {"/api/*": {"origins": SHOP}}}, {},
        "CORS_RESOURCES in app.config (the guard reads CORSGUARD_PATHS in app.config)",
    ),
    "its variable": (
        {}, {}, {"FLASK_CORS_ORIGINS": SHOP},
        "FLASK_CORS_ORIGINS in the environment (rename it to FLASK_CORSGUARD_ORIGINS)",
    ),
    "a key beside an argument": (
        {"origins": []}, {"CORSGUARD_ORIGINS": SHOP}, {},
        "CORSGUARD_ORIGINS in app.config (LINE sets it too, and wins)",
    ),
    "a key beside a policy": (
        {"policy": Policy()}, {"CORSGUARD_ORIGINS": SHOP}, {},
        "CORSGUARD_ORIGINS in app.config (LINE sets it too, and wins)",
    ),
    "a variable beside a key": (
        {}, {"CORSGUARD_ORIGINS": PARTNER}, {"FLASK_CORSGUARD_ORIGINS": SHOP},
        "FLASK_CORSGUARD_ORIGINS in the environment (app.config sets it too, and wins)",
    ),
    "a variable beside an argument": (
        {"origins": PARTNER}, {}, {"FLASK_CORSGUARD_ORIGINS": SHOP},
        "FLASK_CORSGUARD_ORIGINS in the environment (LINE sets it too, and wins)",
    ),
    "a variable without FLASK_": (
        {"origins": PARTNER}, {}, {"CORSGUARD_ORIGINS": SHOP},
        "CORSGUARD_ORIGINS in the environment (Flask reads FLASK_CORSGUARD_ORIGINS)",
    ),
    "a variable with another prefix": (
        {}, {}, {"SHOP_CORSGUARD_ORIGINS": SHOP},
        "SHOP_CORSGUARD_ORIGINS in the environment"
        " (only app.config.from_prefixed_env('SHOP') reads it)",
    ),
    "a policy that the constructor overrides": (
        {"policy": Policy(origins=PARTNER), "policies": {"shop": {"origins": SHOP}}},
        {"CORSGUARD_POLICY": "shop"}, {"FLASK_CORSGUARD_POLICY": "shop"},
        "CORSGUARD_POLICY in app.config (LINE sets it too, and wins), FLASK_CORSGUARD_POLICY in"
        " the environment (LINE sets it too, and wins)",
    ),
    "a policy that is in force": (
        {"policies": {"shop": {"origins": PARTNER}}}, {"CORSGUARD_POLICY": "shop"}, {}, "",
    ),
    "an empty key of Flask-CORS": ({}, {"CORS_ORIGINS": []}, {}, ""),
    "a list that the app has read": (
        {"origins": [ADMIN]}, {"CORS_ORIGINS": [ADMIN]}, {"CORSGUARD_ORIGINS": ADMIN}, "",
    ),
    "a key for something else": ({}, {"CORS_MAX_AGE": 5, "CORS_METHODS": "PUT"}, {}, ""),
    "a key that means nothing here": ({}, {"CORS_LOGGER": "x", "CORSIKA": "x"}, {}, ""),
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "config", "variables", "words"), IN_VAIN.values(), ids=IN_VAIN
)
def test_what_is_set_in_vain_is_named_where_it_would_have_mattered(
    site, monkeypatch, log_lines, arguments, config, variables, words
):
    """In the explanation of a rejection and, in debug mode, in the log."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    site.config.update(config, DEBUG=True)
    guard = CorsGuard(site, **arguments)
    site.add_url_rule("/own", "own", cors(origins=PARTNER)(lambda: "ok"))
    site.add_url_rule("/other", "other", cors(Policy())(lambda: "ok"))
    said = guard.explain("/", origin=SHOP, app=site).explain()
    line = "".join(re.findall(r"  Ignored: (.*)\.\n", said))
    assert re.sub(r"[^\s(]*test_startup\.py:\d+", "LINE", line) == words
    site.test_client().get("/", headers={"Origin": SHOP})
    assert (f". Ignored: {line}. " in log_lines()[-1]) == bool(words)
    for url in ("/own", "/other"):  # where a mark has a say in it
        assert "Without effect" not in guard.explain(url, origin=SHOP, app=site).explain()


# constructor's arguments, configuration, variables, and what the log says
OF_FLASK_CORS = {
    "a key": (
        {}, {"CORS_ORIGINS": SHOP}, {},
        "CORS_ORIGINS in app.config (set CORSGUARD_ORIGINS instead)",
    ),
    "a variable": (
        {}, {}, {"FLASK_CORS_ORIGINS": SHOP},
        "FLASK_CORS_ORIGINS in the environment (set FLASK_CORSGUARD_ORIGINS instead)",
    ),
    "several": (
        {"origins": SHOP}, {"CORS_SUPPORTS_CREDENTIALS": True}, {"FLASK_CORS_MAX_AGE": "5"},
        "CORS_SUPPORTS_CREDENTIALS in app.config (set CORSGUARD_ALLOW_CREDENTIALS instead) or"
        " FLASK_CORS_MAX_AGE in the environment (set FLASK_CORSGUARD_MAX_AGE instead)",
    ),
    "paths": (
        {}, {"CORS_RESOURCES": {"/api/*": {"origins": SHOP}}}, {},
        "CORS_RESOURCES in app.config (set CORSGUARD_PATHS instead)",
    ),
    "a switch of Django's": (
        {}, {"CORS_ALLOW_ALL_ORIGINS": True}, {},
        "CORS_ALLOW_ALL_ORIGINS in app.config (set CORSGUARD_ORIGINS = '*' instead)",
    ),
    "a switch that is off": ({}, {"CORS_ORIGIN_ALLOW_ALL": False}, {}, ""),
    "beside an argument": ({"origins": PARTNER}, {"CORS_ORIGINS": SHOP}, {}, ""),
    "beside a policy": ({"policy": Policy()}, {"CORS_ORIGINS": SHOP}, {}, ""),
    "beside the guard's key": ({}, {"CORS_ORIGINS": SHOP, "CORSGUARD_ORIGINS": PARTNER}, {}, ""),
    "what a view's policy has": ({}, {"CORS_ORIGINS": [PARTNER]}, {}, ""),
    "what is in force anyway": ({}, {"CORS_MAX_AGE": 600, "CORS_HEADERS": "Content-Type"}, {}, ""),
    "nothing": ({}, {"CORS_ORIGINS": None, "CORS_METHODS": "", "CORS_EXPOSE_HEADERS": []}, {}, ""),
    "what means nothing here": ({}, {"CORS_LOGGER": "x", "cors_origins": SHOP}, {}, ""),
    "a variable that nothing has read": ({}, {}, {"CORS_ORIGINS": SHOP}, ""),
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "config", "variables", "words"), OF_FLASK_CORS.values(), ids=OF_FLASK_CORS
)
@pytest.mark.parametrize("prepares", [True, False], ids=["prepare()", "the first request"])
def test_keys_of_flask_cors_that_nothing_reads(
    site, monkeypatch, log_lines, arguments, config, variables, words, prepares
):
    for module in ("flask_cors", "flask_corsguard.compat"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    site.config.update(config)
    site.config.from_prefixed_env()
    guard = CorsGuard(site, **arguments)
    site.add_url_rule("/own", "own", cors(origins=PARTNER)(lambda: "ok"))
    if prepares:
        guard.prepare(site)
    for _ in range(2):
        site.test_client().get("/")
    notice = f"the guard does not read {words}. If other code does, ignore this."
    assert log_lines() == ([notice] if words else [])


@pytest.mark.parametrize("module", ["flask_cors", "flask_corsguard.compat"])
def test_keys_of_flask_cors_that_something_reads(site, monkeypatch, log_lines, module):
    monkeypatch.setitem(sys.modules, module, sys)
    site.config["CORS_ORIGINS"] = SHOP
    CorsGuard(site)
    site.test_client().get("/")
    assert log_lines() == []


@pytest.mark.parametrize("requested", ["PUT", "DELETE"])
def test_what_is_set_in_vain_is_not_named_elsewhere(site, requested):
    """Not where the request is allowed, nor where only something else is wrong with it."""
    site.config["CORS_METHODS"] = ["PUT", "DELETE"]
    guard = CorsGuard(site, origins=SHOP)
    decision = guard.explain("/", origin=SHOP, method=requested, app=site)
    assert ("Ignored: CORS_METHODS" in decision.explain()) == (requested == "DELETE")
    other = guard.explain("/", origin=PARTNER, method=requested, app=site)
    assert ("Ignored: CORS_METHODS" in other.explain()) == (requested == "DELETE")


def test_what_is_set_in_vain_beside_a_list_that_does_not_agree_on_it(site):
    guard = CorsGuard(site, [Policy(origins=ADMIN), Policy(origins=PARTNER)])
    site.config["CORSGUARD_ORIGINS"] = SHOP
    said = guard.explain("/", origin=SHOP, app=site).explain()
    assert "Ignored: CORSGUARD_ORIGINS in app.config (" in said


def test_what_would_have_let_a_refused_request_pass(site):
    site.config["CORSGUARD_ENFORCE"] = "off"
    guard = CorsGuard(site, enforce="all", self_origins=SHOP)
    said = guard.explain("/", origin=PARTNER, app=site).explain()
    assert "Ignored: CORSGUARD_ENFORCE in app.config" in said


def test_a_late_key_that_an_argument_overrides_is_only_named(site, http):
    guard = CorsGuard(site, origins=PARTNER, policies={"a": {}}, self_origins=ADMIN)
    site.config.update(CORSGUARD_ORIGINS=SHOP, CORSGUARD_SELF_ORIGINS=SHOP)
    site.config["CORSGUARD_POLICIES"] = {"a": {"max_age": 5}}
    said = guard.explain("/", origin=SHOP, app=site).explain()
    assert "Ignored: CORSGUARD_ORIGINS in app.config (" in said
    site.config["CORSGUARD_POLICIES"]["b"] = {}
    assert _problems(lambda: guard.prepare(site)) == [("late_setting", "CORSGUARD_POLICIES")]


def test_after_reconfigure_what_is_set_in_vain_is_worked_out_anew(site):
    site.config["CORSGUARD_ORIGINS"] = SHOP
    guard = CorsGuard(site)
    guard.prepare(site)
    guard.reconfigure(origins=PARTNER, app=site)
    said = guard.explain("/", origin=SHOP, app=site).explain()
    assert "Ignored: CORSGUARD_ORIGINS in app.config (" in said


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
    with pytest.raises(CorsGuardError, match=rf"{LINE}.*already marked, at .*{LINE}"):
        second(target)


def test_two_marks_with_a_decorator_between_them():
    def decorate(function):
        return functools.wraps(function)(lambda: function())

    with pytest.raises(CorsGuardError, match="already marked"):

        @cors(origins=SHOP)
        @decorate
        @cors(origins=PARTNER)
        def target():
            return "ok"


COMBINED = {
    "fields": ({"origins": SHOP}, {"allow_credentials": True},
               f"Write one: @cors(origins=['{SHOP}'], allow_credentials=True)"),
    "the same field": ({"max_age": 5}, {"max_age": 5, "methods": "PUT"},
                       "Write one: @cors(max_age=5, methods=['PUT'])"),
    "a name": ({"policy": "partners"}, {"max_age": 5}, "Write one: @cors('partners', max_age=5)"),
    "in conflict": ({"max_age": 5}, {"max_age": 6}, "Combine the two marks"),
    "two names": ({"policy": "a"}, {"policy": "b"}, "Combine the two marks"),
    "not together": ({"origins": "*"}, {"allow_credentials": True}, "Combine the two marks"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "words"), COMBINED.values(), ids=COMBINED)
def test_two_marks_as_one(first, second, words):
    first, second = dict(first), dict(second)
    first, second = (cors(fields.pop("policy", None), **fields) for fields in (first, second))
    with pytest.raises(CorsGuardError) as caught:

        @second
        @first
        def target(): ...

    assert f". {words}; or, for another route, " in str(caught.value)


def test_the_same_endpoint_twice():
    guard = CorsGuard()
    guard.for_endpoint("static", origins=SHOP)
    with pytest.raises(CorsGuardError, match=rf"{LINE}.*'static' is already marked, at .*{LINE}"):
        guard.for_endpoint("static", max_age=5)


def test_the_same_files_twice():
    guard = CorsGuard()
    guard.for_files("static", "*.ttf", "*.woff2", origins=SHOP)
    with pytest.raises(CorsGuardError, match=r"'\*.woff2' of endpoint 'static' is already marked"):
        guard.for_files("static", "*.woff2", origins=PARTNER)


@pytest.mark.parametrize(
    "target", [None, 7, "view", [view], _NoView, _Slots(), _Class().dispatch_request, len], ids=type
)
def test_what_cannot_be_marked(target):
    for mark in (cors(origins=SHOP), cors_exempt):
        with pytest.raises(CorsGuardError, match=LINE):
            mark(target)


@pytest.mark.parametrize(
    ("target", "instead"),
    [(len, "use guard.for_endpoint("), (_Class().dispatch_request, "put the mark above the class")],
    ids=["built in", "bound"],
)
def test_what_to_do_about_what_cannot_carry_a_mark(target, instead):
    with pytest.raises(CorsGuardError) as caught:
        cors_exempt(target)
    assert f" cannot be marked: {instead}" in str(caught.value)


_MARK = "cors(origins=['https://app.example.com'])"


@pytest.mark.parametrize(
    ("target", "instead"),
    [
        (view, f"@{_MARK}"),
        (_Class, f"@{_MARK}"),
        (Blueprint("api", __name__), f"{_MARK}(blueprint)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_cors_without_parentheses(target, instead):
    with pytest.raises(CorsGuardError, match=rf"{LINE}: cors needs parentheses") as caught:
        cors(target)
    assert str(caught.value).endswith(f"something to change, such as {instead}")


def _wrapped(function):
    return functools.wraps(function)(lambda: function())


@pytest.mark.parametrize("decorators", [[cors], [_wrapped, cors]], ids=["", "above another"])
def test_cors_without_parentheses_in_the_decorators_of_a_class(decorators):
    """Flask calls them. The message names the line that calls Flask."""

    users = type("Users", (MethodView,), {"decorators": decorators})
    with pytest.raises(CorsGuardError, match=rf"^\S*{LINE}: cors needs parentheses") as caught:
        users.as_view("users")
    assert str(caught.value).endswith(f"something to change, such as decorators = [{_MARK}]")


@pytest.mark.parametrize(
    ("target", "written"),
    [
        (view, "@cors(origins='*', max_age=5)"),
        (Blueprint("api", __name__), "cors(origins='*', max_age=5)(blueprint)"),
    ],
    ids=["view", "blueprint"],
)
def test_a_target_beside_the_policy(target, written):
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        cors(target, origins="*", max_age=5)
    assert str(caught.value).endswith(f"takes only the policy in its parentheses. Write {written}")


@pytest.mark.parametrize("origins", [None, "https://app.example.com"])
def test_an_app_is_not_marked(origins):
    fields = {"origins": origins} if origins else {}
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        cors(Flask(__name__), **fields)
    written = source_of(origins or ["https://app.example.com"])
    assert str(caught.value).endswith(
        ": cors marks a view or a blueprint. For a whole app, import CorsGuard from flask_corsguard"
        f" and write CorsGuard(app, origins={written})."
    )


def test_cors_exempt_with_parentheses():
    with pytest.raises(CorsGuardError, match=rf"{LINE}: .* no parentheses: write @cors_exempt$"):
        cors_exempt()


@pytest.mark.parametrize(
    ("policy", "fields", "words"),
    [
        (cors_exempt, {}, "for_path cannot exempt: mark the view or blueprint with cors_exempt"),
        (cors(origins="*"), {}, "Leave cors out: for_path('/x', origins='*')"),
        (cors("partners"), {}, "Leave cors out: for_path('/x', 'partners')"),
        (view, {}, "Give fields by name, such as for_path('/x', origins=['https://app.example."),
        (7, {"max_age": 5}, "Give fields by name, such as for_path('/x', max_age=5)"),
        (
            None,
            {},
            "for_path('/x') changes nothing. Give it a policy or a field, such as for_path(",
        ),
    ],
    ids=["exempt", "cors", "a name in cors", "view", "number", "nothing"],
)
def test_what_is_no_policy_of_a_path(policy, fields, words):
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        CorsGuard().for_path("/x", policy, **fields)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (lambda: cors(SHOP, PARTNER), f"cors(origins={[SHOP, PARTNER]})"),
        (lambda: cors("partners", "public"), "cors(['partners', 'public'])"),
        (
            lambda: CorsGuard(Flask(__name__), SHOP, PARTNER, max_age=5),
            f"CorsGuard(app, origins={[SHOP, PARTNER]})",
        ),
        (
            lambda: CorsGuard().for_path("/x", SHOP, PARTNER),
            f"for_path('/x', origins={[SHOP, PARTNER]})",
        ),
        (
            lambda: CorsGuard().for_blueprint("api", "partners", "public"),
            "for_blueprint('api', ['partners', 'public'])",
        ),
        (
            lambda: CorsGuard().for_endpoint("static", SHOP, "*"),
            f"for_endpoint('static', origins={[SHOP, '*']})",
        ),
    ],
)
def test_several_that_are_not_in_a_list(call, written):
    with pytest.raises(CorsGuardError, match=LINE) as caught:
        call()
    assert str(caught.value).endswith(f": give several as one list: {written}")


def test_one_function_for_two_routes(app):
    """Each can have its own policy, but not by a mark on the function."""

    def function():
        return "ok"

    app.add_url_rule("/a", "a", cors(origins="*")(function))
    with pytest.raises(CorsGuardError, match=r"for another route, use guard\.for_endpoint\("):
        app.add_url_rule("/b", "b", cors(max_age=5)(function))


def test_cors_with_nothing_in_its_parentheses():
    with pytest.raises(CorsGuardError, match=r"cors\(\) changes nothing"):
        cors()


@pytest.mark.parametrize("policy", [7, {"own": SHOP}, {"own"}], ids=repr)
def test_a_mark_with_no_policy(policy):
    with pytest.raises(CorsGuardError, match="takes a Policy, the name of one or a list of these"):
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
    assert str(caught.value).endswith(f"Write for_endpoint('me', {written})")


def test_an_origin_among_the_files():
    with pytest.raises(CorsGuardError, match=rf"'\*.woff2', origins=\['{SHOP}'\]"):
        CorsGuard().for_files("static", "*.css", SHOP)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Partners", "Did you mean 'partners'?"),
        ("app.example.com", "If it is an origin, write origins='https://app.example.com'."),
        ("localhost:3000", "If it is an origin, write origins='http://localhost:3000'."),
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
@pytest.mark.parametrize("how", ["cors", "for_endpoint", "for_blueprint", "for_files"])
def test_fields_of_a_mark_are_checked_at_once(how, fields, code, remedy):
    """A mark raises at once for fields that no policy further out could put right."""
    guard = CorsGuard(dangerously_allow_null_origin=False)
    make = {
        "cors": cors,
        "for_endpoint": functools.partial(guard.for_endpoint, "static"),
        "for_blueprint": functools.partial(guard.for_blueprint, "api"),
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
    with pytest.raises(
        CorsGuardError, match=rf"{LINE}: blueprint 'api' is already registered"
    ) as e:
        cors(origins=SHOP)(blueprint)
    assert str(e.value).endswith("or use guard.for_blueprint('api', ...)")


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


@pytest.mark.parametrize(
    ("value", "write"),
    [
        ("'https://a.example'", "Write https://a.example."),
        ("['https://a.example', 'https://b.example']",
         "Write FLASK_CORSGUARD_ORIGINS=https://a.example,https://b.example."),
        ("https://a.example/", "Write https://a.example."),
    ],
)  # fmt: skip
def test_what_to_write_into_a_variable(app, monkeypatch, value, write):
    """Not with quotes, which a shell, docker and .env files treat each in another way."""
    monkeypatch.setenv("FLASK_CORSGUARD_ORIGINS", value)
    app.config.from_prefixed_env()
    with pytest.raises(PolicyError) as caught:
        CorsGuard(app)
    assert write in str(caught.value)


def test_what_is_the_apps(app):
    with pytest.raises(
        AttributeError, match=r"That is the app's\. Write guard = CorsGuard\(app, ..."
    ):
        CorsGuard(app).get("/")
