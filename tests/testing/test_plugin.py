"""The pytest plugin, in runs of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .servers import anyone

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

APP = """
import pytest
from flask import Flask, jsonify
from flask_corsguard import CorsGuard

@pytest.fixture(scope="session")
def app():
    app = Flask("shop", static_folder=None)
    app.config["SERVER_NAME"] = "localhost"
    CorsGuard(app, origins="https://shop.example")
    app.add_url_rule("/users/<int:id>", "user", lambda id: jsonify(id=id), methods=["GET", "PUT"])
    return app
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs tests as a project with these two plugins would."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("-p", "pytest_flask.plugin", "-p", "flask_corsguard.testing.plugin")
    pytester.makeini("[pytest]\nfilterwarnings = error\n")

    def run(source, *options, conftest=APP, how=pytester.runpytest_inprocess):
        pytester.makeconftest(conftest)
        pytester.makepyfile(source)
        return how("-q", *plugins, *options)

    return run


def test_here(cors_browser, app):
    """The fixture works here, as it does in a project."""
    app.add_url_rule("/", "index", lambda: "of the fixture app")
    response = cors_browser("https://shop.example").fetch("https://shop.example/")
    assert response.assert_readable().text == "of the fixture app"
    other = cors_browser("https://shop.example", "webkit", servers={"https://b.test": anyone()})
    assert other.fetch("https://b.test/").assert_readable().text == "ok"


def test_the_fixture_is_no_browser(cors_browser):
    with pytest.raises(AttributeError, match=r"Write cors_browser\(\)\.fetch$"):
        cors_browser.fetch("https://shop.example/")


def test_the_fixture(run):
    result = run(
        """
        import pytest

        URL = "https://localhost/users/7"

        def test_it(cors_browser):
            browser = cors_browser("https://shop.example")
            assert browser.fetch(URL).assert_readable().json == {"id": 7}
            assert cors_browser().page == "https://app.example.com"
            cors_browser().fetch(URL).assert_blocked(reason="allow_origin_missing")

        @pytest.mark.parametrize("engine", ["standard", "chromium", "firefox", "webkit"])
        def test_engines(cors_browser, engine):
            browser = cors_browser(page="https://shop.example", engine=engine)
            browser.fetch(URL, method="PUT", json={}).assert_readable()

        def test_other_servers(cors_browser):
            def plain(environ, start_response):
                start_response("200 OK", [("Access-Control-Allow-Origin", "*")])
                return [b"plain"]

            for servers in (plain, {"https://cdn.test": plain}):
                assert cors_browser(servers=servers).fetch("https://cdn.test/").text == "plain"

        def test_client(client, cors_browser):
            assert client.get("/users/7").json == {"id": 7}
            cors_browser("https://shop.example").fetch("http://localhost/users/7").assert_readable()
            assert client.get("/users/8").json == {"id": 8}
        """
    )
    result.assert_outcomes(passed=7)


def test_beside_a_live_server(run, pytester):
    """The browser works beside a live server, here in another interpreter: pytest-flask forks."""
    result = run(
        """
        import urllib.request

        def test_live_server(live_server, cors_browser):
            url = live_server.url("/users/7")
            with urllib.request.urlopen(url, timeout=10) as received:
                assert received.status == 200
            browser = cors_browser("https://shop.example")
            assert browser.fetch(url).assert_readable().json == {"id": 7}
        """,
        how=pytester.runpytest_subprocess,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("tracebacks", ["--tb=auto", "--tb=short"])
def test_a_failure_says_what_to_change(run, tracebacks):
    """A failure says what to change, and no traceback shows the library's own lines."""
    result = run(
        """
        def test_it(cors_browser):
            browser = cors_browser("https://admin.example")
            browser.fetch("https://localhost/users/7", method="PUT").assert_readable()
        """,
        tracebacks,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *https://admin.example: fetch() of PUT https://localhost/users/7 is not readable",
            "E * The response to the preflight has status 403*",
            "E * Flask-CorsGuard decided: *rejected (ORIGIN_NOT_ALLOWED)*",
            'E * To allow it: origins=[[]*, "https://admin.example"] (policy: *conftest.py:*).',
            "E * 1. preflight OPTIONS https://localhost/users/7",
            "E * > Access-Control-Request-Method: PUT",
            "E * > Origin: https://admin.example",
            "E * < 403",
        ]
    )
    result.stdout.no_fnmatch_line("*fetch_response.py*")


def test_flask_comes_with_the_fixture():
    """Every run of pytest loads the plugin, and few need what it loads."""
    code = """if True:
        import sys, pytest
        before = set(sys.modules)
        import flask_corsguard.testing.plugin
        print(*sorted(set(sys.modules) - before))
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [
        "flask_corsguard",
        "flask_corsguard.lazy_names",
        "flask_corsguard.testing",
        "flask_corsguard.testing.plugin",
    ]


def test_a_relative_url(run):
    """The test that an empty policy passes fails, and says what to write."""
    result = run(
        """
        def test_it(cors_browser):
            cors_browser(page="https://admin.example").fetch("/users/7").assert_readable()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *fetch() of GET https://admin.example/users/7 tells you nothing about CORS",
            "E * The request has the page's own origin, which no policy restricts.",
            "E * Change: give the full URL of an API at another origin*",
        ]
    )


def test_without_an_app(run):
    result = run(
        """
        def test_needs_one(cors_browser):
            cors_browser()

        def test_needs_none(cors_browser):
            cors_browser(servers=lambda environ, start_response: [])
        """,
        conftest="",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*define a fixture named app, or call cors_browser(servers=...)*"])


def test_it_is_listed_among_the_fixtures(run):
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines(["cors_browser*", "*Opens browsers in front of the fixture*"])
