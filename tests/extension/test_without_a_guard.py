"""An app that no guard serves, although its code counts on one: one line, at the first request."""

import pytest
from flask import Blueprint, Flask, request_started

from flask_corsguard import CorsGuard, cors, cors_exempt
from flask_corsguard.compat import cross_origin
from flask_corsguard.extension import _look_for_any_guard


@pytest.fixture(autouse=True)
def nobody_listens():
    """Tests before this one may have left marks of apps that were asked for nothing."""
    request_started.disconnect(_look_for_any_guard)
    before = dict(request_started.receivers)
    request_started.receivers.clear()
    yield
    request_started.receivers.clear()
    request_started.receivers.update(before)


def marked_view(app):
    app.add_url_rule("/", "index", cors(origins="https://a.example")(lambda: "ok"))


def marked_blueprint(app):
    app.register_blueprint(cors(max_age=5)(Blueprint("api", __name__)))


def forgotten_guard(app):
    app.config["kept alive"] = CorsGuard(origins="https://a.example")


def guarded(app):
    marked_view(app)
    CorsGuard(app)


def guarded_later(app):
    marked_view(app)
    guard = app.config["kept alive"] = CorsGuard()
    guard.init_app(app)


def exempt(app):
    app.add_url_rule("/", "index", cors_exempt(lambda: "ok"))


def as_with_flask_cors(app):
    app.add_url_rule("/", "index", cross_origin(origins="*")(lambda: "ok"))


def marks_of_another_app(app):
    marked_view(Flask("other"))


@pytest.mark.parametrize(
    ("set_up", "words"),
    [
        (marked_view, "@cors at {here}:"),
        (marked_blueprint, "@cors at {here}:"),
        (forgotten_guard, "the CorsGuard made at {here}:"),
        (guarded, ""),
        (guarded_later, ""),
        (exempt, ""),
        (as_with_flask_cors, ""),
        (marks_of_another_app, ""),
    ],
)
def test_one_line(set_up, words, log_lines):
    app = Flask("shop")
    before = {*request_started.receivers}  # what watches the test
    set_up(app)
    for _ in range(3):
        app.test_client().get("/")
    lines = log_lines()
    assert len(lines) == bool(words)
    if words:
        assert lines[0].startswith("<Flask 'shop'> has no guard")
        assert words.format(here="tests/extension/test_without_a_guard.py") in lines[0]
        assert "Add " in lines[0] or "Call " in lines[0]
        assert "guard.init_app(app)" in lines[0]
    # From then on, a request costs nothing.
    assert {*request_started.receivers} == before


def test_no_guard_and_a_host_that_is_not_trusted():
    """An app without a guard responds as it would without the package."""
    app = Flask("shop")
    app.debug = True
    app.config["TRUSTED_HOSTS"] = ["example.com"]
    app.add_url_rule("/", "index", lambda: "ok")

    def status():
        sent = {"Origin": "https://a.example", "Host": "b.example"}
        return app.test_client().get("/", headers=sent).status_code

    before = status()
    request_started.connect(_look_for_any_guard)
    assert status() == before


@pytest.mark.parametrize(
    ("set_up", "origin", "debug", "is_said"),
    [
        (lambda app: None, "https://a.example", True, True),
        (lambda app: None, "http://localhost", True, False),
        (lambda app: None, None, True, False),
        (lambda app: None, "https://a.example", False, False),
        (lambda app: CorsGuard(app), "https://a.example", True, False),
        (lambda app: CorsGuard(), "https://a.example", True, False),
    ],
    ids=["none", "an own page", "no page", "not debug", "a guard", "a guard without an app"],
)
def test_no_guard_at_all(set_up, origin, debug, is_said, log_lines):
    """As with CorsGuard(app) below ``if __name__ == "__main__"``, which ``flask run`` ignores."""
    request_started.connect(_look_for_any_guard)
    app = Flask("shop")
    app.debug = debug
    set_up(app)
    for _ in range(2):
        app.test_client().get("/", headers={"Origin": origin} if origin else {})
    words = "has no guard: CorsGuard is imported, but no CorsGuard(app, ...) has run. Write it"
    assert [words in line for line in log_lines() if "no CorsGuard" in line] == [True] * is_said
