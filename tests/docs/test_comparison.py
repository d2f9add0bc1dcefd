"""The rows of the page that compares the two, each shown against Flask-CORS and Flask-CorsGuard.

What they are called in the table is a key of FACTS or the docstring of a test.
"""

import importlib.metadata
import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import flask_cors
import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from flask_cors import CORS, cross_origin
from werkzeug.test import TestResponse

from flask_corsguard import CorsGuard, Policy, PolicyError, cors, origin_rejected
from flask_corsguard.testing import Browser

PAGE = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text("utf-8")
ALLOWED = "https://app.example.com"
OTHER = "https://other.example.net"
Options = Mapping[str, Any]
Lines = list[tuple[str, str]]
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def make_app() -> Flask:
    app = Flask("compared")

    @app.get("/data")
    def data() -> dict[str, str]:
        return {"hello": "world"}

    return app


def served(extension: Callable[..., object], **options: object) -> FlaskClient:
    app = make_app()
    extension(app, **options)
    return app.test_client()


theirs, ours = partial(served, CORS), partial(served, CorsGuard)


def get(client: FlaskClient, origin: str | None) -> list[tuple[str, str]]:
    return cors_headers(client.get("/data", headers={"Origin": origin} if origin else {}))


def preflight(
    client: FlaskClient, method: str, origin: str = ALLOWED, url: str = "/data"
) -> TestResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return client.options(url, headers=asked)


def cors_headers(response: TestResponse) -> list[tuple[str, str]]:
    names = ("Access-Control-", "Vary")
    return sorted((name, value) for name, value in response.headers if name.startswith(names))


def only(**headers: str) -> list[tuple[str, str]]:
    """Headers named by their last words, as a whole set: allow_origin="*"."""
    names = {name: f"access-control-{name.replace('_', '-')}".title() for name in headers}
    names["vary"] = "Vary"
    return sorted((names[name], value) for name, value in headers.items())


ALLOWS = only(allow_origin=ALLOWED, vary="Origin")
REJECTS = only(vary="Origin")


def test_version() -> None:
    assert importlib.metadata.version("flask-cors") == "6.0.5"
    assert "Flask-CORS 6.0.5" in PAGE


CREDENTIALS = {"supports_credentials": True}
SLASH, LIST = {"origins": [f"{ALLOWED}/"]}, {"origins": [ALLOWED, "https://admin.example.com"]}
REGEX = r"https://.*\.example\.com"
# Facts that one request shows: the options of both, its origin, and the headers that it gets from
# each, or what ours says of its options.
FACTS: dict[str, tuple[Options, Options, str, Lines, Lines | str]] = {
    "Nothing configured": ({}, {}, OTHER, only(allow_origin=OTHER, vary="Origin"), REJECTS),
    "A misspelt option, `orgins=[...]`": (
        {"orgins": [ALLOWED]}, {"orgins": [ALLOWED]}, OTHER,
        only(allow_origin=OTHER, vary="Origin"), "Did you mean 'origins'"),
    "Credentials, and no list of origins": (
        CREDENTIALS, {"origins": "*", "allow_credentials": True}, OTHER,
        only(allow_origin=OTHER, allow_credentials="true", vary="Origin"),
        "credentials_any_origin"),
    "The origin `null`, with credentials and no list": (
        CREDENTIALS, {"origins": "null", "allow_credentials": True}, "null",
        only(allow_origin="null", allow_credentials="true", vary="Origin"), "null_origin"),
    f'A regular expression in a string, `r"{REGEX}"`': (
        {"origins": REGEX}, {"origins": REGEX}, ALLOWED, ALLOWS,
        r"Write 'https://\*\.example\.com'"),
    'An origin that can never match, `"https://app.example.com/"`': (
        SLASH, SLASH, ALLOWED, [], f"Write '{ALLOWED}'"),
    "`Vary: Origin` where the origin is rejected": (LIST, LIST, OTHER, [], REJECTS),
    "`Vary: Origin` where one origin is listed": (
        {"origins": [ALLOWED]}, {"origins": [ALLOWED]}, ALLOWED, only(allow_origin=ALLOWED),
        ALLOWS),
}  # fmt: skip


@pytest.mark.parametrize("fact", FACTS)
def test_one_request(fact: str) -> None:
    options, fields, origin, their_headers, our_headers = FACTS[fact]
    assert get(theirs(**options), origin) == their_headers
    if isinstance(our_headers, str):
        with pytest.raises(PolicyError, match=our_headers):
            ours(**fields)
    else:
        assert get(ours(**fields), origin) == our_headers


def test_wildcard() -> None:
    """`"https://*.example.com"`"""
    client = theirs(origins="https://*.example.com")
    assert get(client, ALLOWED) == []
    allows_other = only(allow_origin="https://xexample.com", vary="Origin")
    assert get(client, "https://xexample.com") == allows_other
    client = ours(origins="https://*.example.com")
    assert get(client, ALLOWED) == ALLOWS
    assert get(client, "https://xexample.com") == REJECTS


def test_regex_prefix() -> None:
    """A regular expression that matches only the beginning"""
    written = re.compile(r"https://app\.example\.com")
    longer = f"{ALLOWED}.attacker.example"
    assert get(theirs(origins=written), longer) == only(allow_origin=longer, vary="Origin")
    assert get(ours(origins=written), longer) == REJECTS
    assert get(ours(origins=written), ALLOWED) == ALLOWS


def test_who_hears_of_a_rejection(caplog: pytest.LogCaptureFixture) -> None:
    """A rejection, at the log level WARNING"""
    with caplog.at_level(logging.WARNING):
        get(theirs(origins=[ALLOWED]), OTHER)
        assert caplog.messages == []
        client = ours(origins=[ALLOWED])
        heard = []
        with origin_rejected.connected_to(lambda _, decision: heard.append(decision.reason)):
            get(client, OTHER)
        assert len(caplog.messages) == len(heard) == 1
        assert f"GET /data from '{OTHER}': rejected (ORIGIN_NOT_ALLOWED)" in caplog.text


def test_refused_preflight() -> None:
    """The response to a preflight from an origin that isn't allowed"""
    response = preflight(theirs(origins=[ALLOWED]), "GET", OTHER)
    assert (response.status_code, response.data, cors_headers(response)) == (200, b"", [])
    response = preflight(ours(origins=[ALLOWED]), "GET", OTHER)
    assert (response.status_code, response.get_json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    assert cors_headers(response) == only(vary=PREFLIGHT_VARY)


def test_two_views_at_one_url() -> None:
    """GET and PUT views at one URL; PUT has a narrower list"""

    def client(mark: Callable[..., Any], app: Flask) -> FlaskClient:
        app.get("/note")(mark(origins=[ALLOWED, OTHER])(lambda: "read"))
        app.put("/note", endpoint="write")(mark(origins=[ALLOWED])(lambda: "written"))
        return app.test_client()

    response = preflight(client(cross_origin, Flask("compared")), "PUT", OTHER, "/note")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == OTHER
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]

    app = Flask("compared")
    CorsGuard(app)
    guarded = client(cors, app)
    assert preflight(guarded, "PUT", OTHER, "/note").status_code == 403
    assert cors_headers(preflight(guarded, "PUT", ALLOWED, "/note")) == only(
        allow_origin=ALLOWED,
        allow_methods="PUT",
        allow_headers="Content-Type",
        max_age="0",
        vary=PREFLIGHT_VARY,
    )


def test_before_request_aborts() -> None:
    """A preflight, where a `before_request` function requires a login"""
    for extension, status in ((CORS, 401), (CorsGuard, 204)):
        app = make_app()
        app.before_request(lambda: abort(401))
        extension(app, origins=[ALLOWED])
        assert preflight(app.test_client(), "GET").status_code == status


def test_unknown_method() -> None:
    """A preflight for a method that no view at the URL accepts"""
    response = preflight(theirs(origins=[ALLOWED]), "DELETE")
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"]
    response = preflight(ours(origins=[ALLOWED]), "DELETE")
    assert (response.status_code, response.get_json()["code"]) == (403, "METHOD_NOT_ALLOWED")


def test_form_of_another_site() -> None:
    """A form on another site that sends a POST"""
    for extension, fields, runs in (
        (CORS, {"origins": [ALLOWED]}, True),
        (CorsGuard, {"origins": [ALLOWED]}, True),
        (CorsGuard, {"origins": [ALLOWED], "enforce": "unsafe"}, False),
    ):
        app, ran = make_app(), []
        app.add_url_rule("/send", "send", lambda ran=ran: ran.append(1) or "", methods=["POST"])
        extension(app, **fields)
        sent = {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}
        response = app.test_client().post("/send", data={"a": "b"}, headers=sent)
        assert (response.status_code, ran) == ((200, [1]) if runs else (403, []))


def test_decorated_view() -> None:
    """What the decorator returns"""

    def view() -> str:
        return ""

    assert cross_origin()(view) is not view
    assert cors(max_age=1)(view) is view


def test_patched_app() -> None:
    """`app.handle_exception`"""
    assert "handle_exception" in vars(theirs().application)
    assert "handle_exception" not in vars(ours().application)


def test_by_path() -> None:
    """Policies by path"""
    app = make_app()
    app.add_url_rule("/apikeys", "keys", lambda: "")
    CORS(app, resources={r"/api/*": {"origins": ALLOWED}})
    sent = {"Origin": ALLOWED}
    assert cors_headers(app.test_client().get("/apikeys", headers=sent)) == only(
        allow_origin=ALLOWED
    )
    assert get(app.test_client(), ALLOWED) == []

    app = make_app()
    CorsGuard(app).for_path("/api", origins=ALLOWED)
    client = app.test_client()
    assert cors_headers(client.get("/apikeys", headers=sent)) == get(client, ALLOWED) == REJECTS
    assert cors_headers(client.get("/api/unknown", headers=sent)) == ALLOWS


def test_several_audiences() -> None:
    """Different settings for different origins on one route"""
    app = make_app()
    CORS(app)
    CORS(app, origins=[ALLOWED], supports_credentials=True)
    with_credentials = only(allow_origin=ALLOWED, allow_credentials="true")
    assert get(app.test_client(), ALLOWED) == with_credentials
    assert get(app.test_client(), OTHER) == only(allow_origin=OTHER, vary="Origin")

    own = Policy(origins=ALLOWED, allow_credentials=True)
    client = served(CorsGuard, policy=[own, Policy(origins="*")])
    assert get(client, ALLOWED) == [*with_credentials, *REJECTS]
    assert get(client, OTHER) == only(allow_origin="*", vary="Origin")
    assert get(client, None) == REJECTS


def test_wildcard_in_a_label() -> None:
    """`"https://pr-*.example.com"`"""
    preview, other = "https://pr-7.example.com", "https://prxexample.com"
    client = theirs(origins="https://pr-*.example.com")
    assert get(client, preview) == []
    assert get(client, other) == only(allow_origin=other, vary="Origin")
    client = ours(origins="https://pr-*.example.com")
    assert get(client, preview) == only(allow_origin=preview, vary="Origin")
    assert get(client, other) == REJECTS


def test_function() -> None:
    """A function in `origins`"""
    called = []

    def allows(origin: str, request: object) -> bool:
        called.append(origin)
        return origin == ALLOWED

    for origins in (allows, [allows]):
        assert get(theirs(origins=origins), ALLOWED) == []
    assert called == []
    client = ours(origins=allows, origins_vary="X-Tenant")
    assert get(client, ALLOWED) == only(allow_origin=ALLOWED, vary="Origin, X-Tenant")
    assert get(client, None) == only(vary="Origin, X-Tenant")
    assert called == [ALLOWED]


def test_errors() -> None:
    """Headers on a 404, and on a 500 after an exception, outside debug mode"""
    for app, extension in ((make_app(), CORS), (make_app(), CorsGuard)):

        @app.get("/error")
        def error() -> str:
            raise RuntimeError

        app.config["PROPAGATE_EXCEPTIONS"] = False
        extension(app, origins=[ALLOWED, OTHER])
        client = app.test_client()
        for url, status in (("/unknown", 404), ("/error", 500)):
            response = client.get(url, headers={"Origin": ALLOWED})
            assert (response.status_code, cors_headers(response)) == (status, ALLOWS)


def test_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    """A view that raises in debug mode, so that the debugger responds without CORS headers"""
    caplog.set_level(logging.WARNING)
    for extension, said in ((CORS, 0), (CorsGuard, 1)):
        app = make_app()
        app.debug = True
        extension(app, origins=[ALLOWED])
        app.add_url_rule("/error", view_func=lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # reaches the debugger
            app.test_client().get("/error", headers={"Origin": ALLOWED})
        assert caplog.text.count("sends no CORS headers") == said == len(caplog.records)


def test_browser() -> None:
    """A browser for tests that shows what a page may read, and why not"""
    assert "testing" not in dir(flask_cors)
    assert not importlib.metadata.distribution("flask-cors").entry_points
    app = make_app()
    CORS(app, origins=[ALLOWED])
    Browser(app, page=ALLOWED).fetch("https://api.test/data").assert_readable()
    Browser(app, page=OTHER).fetch("https://api.test/data").assert_blocked("allow_origin_missing")


def test_page_lists_these_facts() -> None:
    rows = re.findall(r"^\| (.+?) \|.*\|.*\|$", PAGE, re.MULTILINE)
    facts = [function.__doc__ for name, function in globals().items() if name.startswith("test_")]
    assert sorted(rows) == sorted([*FACTS, *filter(None, facts)])
