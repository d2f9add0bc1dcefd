"""An app that no guard serves, although its code counts on one: one line, at the first request."""

import pytest
from flask import Blueprint, Flask, request_started

from flask_corsguard import CorsGuard, cors, cors_exempt
from flask_corsguard.compat import cross_origin


@pytest.fixture(autouse=True)
def nobody_listens():
    """Tests before this one may have left marks of apps that were asked for nothing."""
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
    set_up(app)
    for _ in range(3):
        app.test_client().get("/")
    lines = log_lines()
    assert len(lines) == bool(words)
    if words:
        assert lines[0].startswith("<Flask 'shop'> has no guard")
        assert words.format(here="tests/extension/test_without_a_guard.py") in lines[0]
        assert "Add " in lines[0]
        assert "guard.init_app(app)" in lines[0]
    # From then on, a request costs nothing.
    assert not any(request_started.has_receivers_for(each) for each in (app, Flask("other")))
