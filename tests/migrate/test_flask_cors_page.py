"""The page for those who come from Flask-CORS, held against the real one.

The first line of each claim's docstring is its name in the page's table.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
from pathlib import Path
from typing import ClassVar

import flask_cors.core
import pytest
from flask import Blueprint, Flask, abort
from flask.testing import FlaskClient
from flask.views import MethodView
from flask_cors import CORS, cross_origin
from werkzeug.test import TestResponse

from flask_corsguard import CorsGuard, CorsGuardError, Policy, PolicyError, cors
from flask_corsguard.testing import Browser

PAGE = (Path(__file__).parents[2] / "docs" / "migrating" / "flask-cors.md").read_text("utf-8")
APP = "https://app.example.com"
ADMIN = "https://admin.example.com"
OTHER = "https://other.example.net"


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.+) \|$", section.replace("| | ", "| - | "), re.MULTILINE)
    return [line.split(" | ") for line in lines][1:]


def headers(response: TestResponse) -> list[tuple[str, str]]:
    return sorted(
        (name.removeprefix("Access-Control-"), value)
        for name, value in response.headers
        if name.startswith("Access-Control-") or name == "Vary"
    )


def get(client: FlaskClient, origin: str | None = APP, url: str = "/") -> list[tuple[str, str]]:
    return headers(client.get(url, headers={"Origin": origin} if origin else {}))


def preflight(
    client: FlaskClient, method: str, *announced: str, origin: str = APP, url: str = "/"
) -> TestResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if announced:
        asked["Access-Control-Request-Headers"] = ", ".join(announced)
    return client.options(url, headers=asked)


def plain_app() -> Flask:
    app = Flask("compared")
    app.add_url_rule("/", "root", lambda: "root", methods=["GET", "PUT"])
    return app


def theirs(**options: object) -> FlaskClient:
    app = plain_app()
    CORS(app, **options)
    return app.test_client()


def ours(**fields: object) -> FlaskClient:
    app = plain_app()
    CorsGuard(app, **fields)
    return app.test_client()


ALLOWED = [("Allow-Origin", APP), ("Vary", "Origin")]
REJECTED = [("Vary", "Origin")]


# The tables of options and keys


def test_version() -> None:
    assert importlib.metadata.version("flask-cors") == "6.0.5"
    assert "Flask-CORS 6.0.5" in PAGE


def test_options() -> None:
    """Every option that Flask-CORS knows, in its order, with its default."""
    written = {cells[0].strip("`"): cells[1] for cells in rows("Options")}
    defaults = dict(flask_cors.core.DEFAULT_OPTIONS)
    assert set(written) == set(flask_cors.core._KNOWN_OPTIONS) == set(defaults)
    for option, default in defaults.items():
        shown = ", ".join(default) if option == "methods" else f"`{default!r}`"
        assert written[option] == shown.replace("'", '"'), option


def test_keys() -> None:
    """Every key that Flask-CORS reads, and CORS_HEADERS is none of them."""
    assert [cells[0].strip("`") for cells in rows("Configuration keys")] == (
        flask_cors.core.CONFIG_OPTIONS
    )
    assert "CORS_HEADERS" not in flask_cors.core.CONFIG_OPTIONS
    app = Flask("misspelt")
    app.config["CORSGUARD_ORIGIN"] = APP
    with pytest.raises(PolicyError, match="CORSGUARD_ORIGINS"):
        CorsGuard(app)


def test_counterparts_exist() -> None:
    """Every field and key that the tables name is one."""
    fields = {name for name in dir(Policy()) if not name.startswith("_")}
    named = {field for cells in rows("Options") for field in re.findall(r"^`(\w+)`", cells[2])}
    assert named == {
        "origins",
        "methods",
        "allow_headers",
        "expose_headers",
        "allow_credentials",
        "max_age",
        "answer_preflight",
        "allow_private_network",
    }
    assert named <= fields
    app = Flask("configured")
    values = {"ORIGINS": APP, "ALLOW_CREDENTIALS": True, "MAX_AGE": 5, "ANSWER_PREFLIGHT": False}
    values["PATHS"] = {"/api": {"max_age": 5}}
    for cells in rows("Configuration keys"):
        for key in re.findall(r"^`CORSGUARD_(\w+)`", cells[1]):
            value = (
                True
                if key == "ALLOW_PRIVATE_NETWORK"
                else values.get(key, "X-A" if "HEADERS" in key else "GET")
            )
            app.config[f"CORSGUARD_{key}"] = value
    assert len([key for key in app.config if key.startswith("CORSGUARD_")]) == 9
    CorsGuard(app)


def test_no_counterpart() -> None:
    """What is no longer needed is no field, and is said to be none."""
    for cells in rows("Options"):
        if cells[2].startswith("no "):
            with pytest.raises(PolicyError, match="unknown_field"):
                Policy(**{cells[0].strip("`"): True})


# What works differently


def test_precedence() -> None:
    """Order of precedence"""
    app = plain_app()
    app.config["CORS_ORIGINS"] = "https://config.example"
    app.config["CORS_EXPOSE_HEADERS"] = "X-Config"
    app.config["CORS_MAX_AGE"] = 5
    extension = CORS(origins="https://constructor.example", expose_headers="X-Constructor")
    extension.init_app(app, resources={"/": {"origins": APP}}, origins="https://init.example")
    answer = preflight(app.test_client(), "PUT")
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Constructor"
    assert answer.headers["Access-Control-Max-Age"] == "5"

    app = Flask("compared")
    app.config.update(CORSGUARD_ORIGINS="https://config.example", CORSGUARD_MAX_AGE=5)
    app.config["CORSGUARD_EXPOSE_HEADERS"] = "X-Config"
    blueprint = cors(origins="https://blueprint.example")(Blueprint("b", __name__))
    blueprint.add_url_rule("/", "root", cors(origins=APP)(lambda: ""), methods=["PUT"])
    CorsGuard(app, expose_headers="X-Constructor", origins="https://constructor.example")
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert get(client, APP, "/unknown")[0][0] == "Vary"
    answer = client.put("/", headers={"Origin": APP})
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Constructor"
    assert preflight(client, "PUT").headers["Access-Control-Max-Age"] == "5"


def test_decorator_beside_arguments() -> None:
    """`CORS(app, ...)` and a decorated view"""
    app = Flask("compared")
    app.add_url_rule("/", "root", cross_origin(origins=APP)(lambda: ""))
    CORS(app, supports_credentials=True, origins=ADMIN)
    assert get(app.test_client()) == [("Allow-Origin", APP)]

    app = Flask("compared")
    app.add_url_rule("/", "root", cors(origins=APP)(lambda: ""))
    app.add_url_rule("/whole", "whole", cors(Policy(origins=APP))(lambda: ""))
    CorsGuard(app, allow_credentials=True, origins=ADMIN)
    client = app.test_client()
    assert get(client) == [("Allow-Credentials", "true"), *ALLOWED]
    assert get(client, url="/whole") == ALLOWED


def test_decorator_beside_keys() -> None:
    """`CORS_` keys and a decorated view"""
    app = Flask("compared")
    app.config["CORS_SUPPORTS_CREDENTIALS"] = True
    app.add_url_rule("/", "root", cross_origin(origins=APP)(lambda: ""))
    assert get(app.test_client()) == [("Allow-Credentials", "true"), ("Allow-Origin", APP)]

    app = Flask("compared")
    app.config["CORSGUARD_ALLOW_CREDENTIALS"] = True
    app.add_url_rule("/", "root", cors(origins=APP)(lambda: ""))
    CorsGuard(app)
    assert get(app.test_client()) == [("Allow-Credentials", "true"), *ALLOWED]


def test_blueprint_beside_keys() -> None:
    """`CORS_` keys and `CORS(blueprint)`"""
    app = Flask("compared")
    app.config["CORS_ORIGINS"] = ADMIN
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "root", lambda: "")
    CORS(blueprint)
    app.register_blueprint(blueprint)
    assert get(app.test_client(), OTHER) == [("Allow-Origin", OTHER), ("Vary", "Origin")]

    app = Flask("compared")
    app.config["CORSGUARD_ORIGINS"] = ADMIN
    blueprint = cors(max_age=5)(Blueprint("b", __name__))
    blueprint.add_url_rule("/", "root", lambda: "")
    CorsGuard(app)
    app.register_blueprint(blueprint)
    assert get(app.test_client(), OTHER) == REJECTED


def test_regex_guessing() -> None:
    r"""A string with one of ``* \ ] ? $ ^ [ ( )``"""
    assert set(r"*\]?$^[()") == set(flask_cors.core._REGEX_HINT_CHARS)
    assert get(theirs(origins="https://ap?.example.com"), "https://a.example.com") == [
        ("Allow-Origin", "https://a.example.com"),
        ("Vary", "Origin"),
    ]
    for character in r"\]?$^[()":
        with pytest.raises(PolicyError):
            Policy(origins=f"https://a{character}.example.com")
    assert get(ours(origins="https://*.example.com")) == ALLOWED
    assert get(ours(origins="https://a*.example.com")) == ALLOWED


def test_case() -> None:
    """Upper case in an origin"""
    assert get(theirs(origins="https://App.Example.com")) == [("Allow-Origin", APP)]
    with pytest.raises(PolicyError, match=f"Write '{APP}'"):
        Policy(origins="https://App.Example.com")


def test_prefix() -> None:
    """`resources={"/api/*": ...}`"""
    app = Flask("compared")
    app.add_url_rule("/apikeys", "keys", lambda: "")
    CORS(app, resources={"/api/*": {"origins": APP}})
    assert get(app.test_client(), url="/apikeys") == [("Allow-Origin", APP)]

    app = Flask("compared")
    app.add_url_rule("/apikeys", "keys", lambda: "")
    app.add_url_rule("/api/books", "books", lambda: "")
    CorsGuard(app).for_path("/api", origins=APP)
    client = app.test_client()
    assert get(client, url="/apikeys") == REJECTED
    assert get(client, url="/api/books") == get(client, url="/api/unknown") == ALLOWED


def test_several_resources() -> None:
    """Several `resources` that match"""
    app = Flask("compared")
    options = {"origins": APP, "expose_headers": "X-Total"}
    resources = {"/a/*": options, "/a/b/*": {"origins": OTHER}, "/a/b/c": {"origins": ADMIN}}
    CORS(app, resources=resources)
    client = app.test_client()
    exposed = ("Expose-Headers", "X-Total")
    assert get(client, url="/a/c") == [("Allow-Origin", APP), exposed]
    assert get(client, OTHER, "/a/b/d") == [("Allow-Origin", OTHER)]
    assert get(client, ADMIN, "/a/b/c") == [("Allow-Origin", ADMIN)]

    app = Flask("compared")
    guard = CorsGuard(app)
    guard.for_path("/a/b", origins=OTHER)
    guard.for_path("/a", origins=APP, expose_headers="X-Total")
    client = app.test_client()
    assert get(client, url="/a/c") == [("Allow-Origin", APP), exposed, ("Vary", "Origin")]
    assert get(client, OTHER, "/a/b") == [("Allow-Origin", OTHER), exposed, ("Vary", "Origin")]


def test_twice() -> None:
    """`CORS(app)` twice, the second with a list"""
    app = plain_app()
    CORS(app)
    CORS(app, origins=[APP])
    assert get(app.test_client(), OTHER) == [("Allow-Origin", OTHER), ("Vary", "Origin")]
    app = plain_app()
    CorsGuard(app, origins="*")
    with pytest.raises(CorsGuardError):
        CorsGuard(app, origins=[APP])


def test_part_of_a_method() -> None:
    """`methods`, and a method that contains another's name"""
    answer = preflight(theirs(methods=["GETTING"]), "GET", "x-trace")
    assert answer.headers["Access-Control-Allow-Headers"] == "x-trace"
    assert preflight(theirs(methods=["COMPUTE"]), "PUT").headers["Access-Control-Allow-Methods"]
    assert preflight(ours(methods=["COMPUTE"], origins=APP), "PUT").status_code == 403


def test_get_is_not_listed() -> None:
    """`methods=["PUT"]`, and the preflight of a GET"""
    answer = preflight(theirs(methods=["PUT"], origins=APP), "GET", "x-trace")
    assert headers(answer) == [("Allow-Origin", APP)]
    answer = preflight(
        ours(methods=["PUT"], origins=APP, allow_headers="x-trace"), "GET", "x-trace"
    )
    assert answer.status_code == 204


def test_status_of_preflights() -> None:
    """An allowed preflight"""
    answer = preflight(theirs(origins=APP), "PUT")
    assert (answer.status_code, "Allow" in answer.headers) == (200, True)
    answer = preflight(ours(origins=APP), "PUT")
    assert (answer.status_code, "Allow" in answer.headers) == (204, False)


def test_authorization() -> None:
    """`Authorization`, with the defaults"""
    asked = {"headers": {"Authorization": "Bearer 1"}}
    client = theirs(origins=APP)
    Browser(client.application, APP).fetch("https://api.test/", **asked).assert_readable()
    client = ours(origins=APP)
    Browser(client.application, APP).fetch("https://api.test/", **asked).assert_blocked()
    client = ours(origins=APP, allow_headers=["*", "Authorization"])
    Browser(client.application, APP).fetch("https://api.test/", **asked).assert_readable()


def test_everybody() -> None:
    """Everybody may read, without credentials"""
    assert get(theirs()) == ALLOWED
    assert get(ours(origins="*")) == [("Allow-Origin", "*")]


def test_without_origin() -> None:
    """A list, and a request without `Origin`"""
    named = [("Allow-Origin", ADMIN), ("Vary", "Origin")]
    assert get(theirs(origins=[APP, ADMIN]), None) == named
    assert get(ours(origins=[APP, ADMIN]), None) == REJECTED


def test_decorators_of_a_class() -> None:
    """`decorators = [cross_origin()]` on a view class, and a preflight"""

    class Theirs(MethodView):
        decorators: ClassVar = [cross_origin(origins=APP)]

        def put(self) -> str:
            return ""

    app = Flask("compared")
    app.add_url_rule("/", view_func=Theirs.as_view("root"))
    assert headers(preflight(app.test_client(), "PUT")) == []

    @cors(origins=APP)
    class Ours(MethodView):
        def put(self) -> str:
            return ""

    app = Flask("compared")
    app.add_url_rule("/", view_func=Ours.as_view("root"))
    CorsGuard(app)
    assert preflight(app.test_client(), "PUT").status_code == 204


def test_abort() -> None:
    """A decorated view that calls `abort(401)`"""
    app = Flask("compared")
    app.add_url_rule("/", "root", cross_origin(origins=APP)(lambda: abort(401)))
    answer = app.test_client().get("/", headers={"Origin": APP})
    assert (answer.status_code, headers(answer)) == (401, [])

    app = Flask("compared")
    app.add_url_rule("/", "root", cors(origins=APP)(lambda: abort(401)))
    CorsGuard(app)
    answer = app.test_client().get("/", headers={"Origin": APP})
    assert (answer.status_code, headers(answer)) == (401, ALLOWED)


def test_wrong_method() -> None:
    """A 405, where the view is decorated"""
    app = Flask("compared")
    app.add_url_rule("/", "root", cross_origin(origins=APP)(lambda: ""))
    answer = app.test_client().post("/", headers={"Origin": APP})
    assert (answer.status_code, headers(answer)) == (405, [])

    app = Flask("compared")
    app.add_url_rule("/", "root", cors(origins=APP)(lambda: ""))
    CorsGuard(app)
    answer = app.test_client().post("/", headers={"Origin": APP})
    assert (answer.status_code, headers(answer)) == (405, ALLOWED)


def test_not_found() -> None:
    """A 404 below the prefix of a blueprint"""
    app = Flask("compared")
    blueprint = Blueprint("b", __name__, url_prefix="/b")
    blueprint.add_url_rule("/", "root", lambda: "")
    CORS(blueprint, origins=APP)
    app.register_blueprint(blueprint)
    assert get(app.test_client(), url="/b/") == [("Allow-Origin", APP)]
    assert get(app.test_client(), url="/b/unknown") == []

    app = Flask("compared")
    blueprint = cors(origins=APP)(Blueprint("b", __name__, url_prefix="/b"))
    blueprint.add_url_rule("/", "root", lambda: "")
    CorsGuard(app)
    app.register_blueprint(blueprint)
    assert get(app.test_client(), url="/b/") == ALLOWED
    assert get(app.test_client(), url="/b/unknown") == ALLOWED


def test_null_for_everybody() -> None:
    """`null`, and everybody may read, without credentials"""
    for client in (theirs(), ours(origins="*")):
        Browser(client.application, "null").fetch("https://api.test/").assert_readable()


def test_null_in_a_list() -> None:
    """`null`, and a list that names it"""
    client = theirs(origins=["null", APP])
    Browser(client.application, "null").fetch("https://api.test/").assert_readable()
    with pytest.raises(PolicyError, match="null_origin"):
        ours(origins=["null", APP])
    client = ours(origins=["null", APP], dangerously_allow_null_origin=True)
    Browser(client.application, "null").fetch("https://api.test/").assert_readable()


def by_hand(name: str, value: str) -> Flask:
    app = Flask("compared")
    app.add_url_rule("/", "root", lambda: ("", {f"Access-Control-{name}": value}))
    return app


def test_own_allow_origin(caplog: pytest.LogCaptureFixture) -> None:
    """A view that sets `Access-Control-Allow-Origin` itself"""
    app = by_hand("Allow-Origin", OTHER)
    CORS(app, origins=APP, supports_credentials=True)
    assert get(app.test_client()) == [("Allow-Origin", OTHER)]
    app = by_hand("Allow-Origin", OTHER)
    CorsGuard(app, origins=APP)
    assert get(app.test_client()) == get(app.test_client()) == ALLOWED
    assert len(caplog.messages) == 1


def test_own_expose_headers(caplog: pytest.LogCaptureFixture) -> None:
    """A view that sets `Access-Control-Expose-Headers` itself"""
    app = by_hand("Expose-Headers", "X-View")
    CORS(app, origins=APP, expose_headers="X-App")
    exposed = [("Expose-Headers", "X-App"), ("Expose-Headers", "X-View")]
    assert get(app.test_client()) == [("Allow-Origin", APP), *exposed]
    app = by_hand("Expose-Headers", "X-View")
    CorsGuard(app, origins=APP, expose_headers="X-App")
    expected = [("Allow-Origin", APP), ("Expose-Headers", "X-App"), ("Vary", "Origin")]
    assert get(app.test_client()) == get(app.test_client()) == expected
    assert len(caplog.messages) == 1


def test_misspelt_option(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt option, at the log level WARNING"""
    theirs(orgins=APP)
    assert caplog.messages[0] == "Unknown option passed to Flask-CORS: orgins"
    silent = logging.getLogger("flask_cors").handlers
    assert [type(handler) for handler in silent] == [logging.NullHandler]
    with pytest.raises(PolicyError, match="Did you mean 'origins'"):
        ours(orgins=APP)


def test_origin_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The `Origin` header in the log"""
    odd = f"https://{'a' * 500}.example\x1b[2J"
    with caplog.at_level(logging.DEBUG, "flask_cors"):
        get(theirs(origins=APP), odd)
    assert odd in caplog.text
    caplog.clear()
    get(ours(origins=APP), odd)
    assert len(caplog.messages) == 1
    assert "\x1b" not in caplog.text
    assert len(caplog.messages[0]) < 400


def test_two_apps() -> None:
    """The extension on two apps"""
    for extension in (CORS(origins=APP), CorsGuard(origins=APP)):
        for app in (plain_app(), plain_app()):
            extension.init_app(app)
            assert dict(get(app.test_client()))["Allow-Origin"] == APP


def test_the_page_lists_these_claims() -> None:
    claims = [function.__doc__ for name, function in globals().items() if name.startswith("test_")]
    first = claims.index("Order of precedence")
    assert [cells[0] for cells in rows("What works differently")] == [
        claim for claim in claims[first:] if claim
    ]
