"""The pytest plugin, in runs of its own."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from flask_corsguard.testing.failure_notes import FailureNotes

from .servers import anyone, guarded

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


ORIGIN = {"Origin": "https://shop.example"}
NOTES_APP = """
import pytest
from flask import Flask
from flask_corsguard import CorsGuard, cors, cors_exempt

ORIGIN = {"Origin": "https://shop.example"}
EVIL = {"Origin": "https://evil.example"}
ALLOW = "Access-Control-Allow-Origin"

@pytest.fixture
def app():
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=["https://shop.example", "https://*.shop.example"])
    app.add_url_rule(
        "/users", "users", lambda: ([], {"X-Total": "7"}), methods=["GET", "POST", "PATCH"]
    )
    signed_in = cors(allow_credentials=True)
    app.add_url_rule("/login", "login", signed_in(lambda: ("", {"Set-Cookie": "token=1"})))
    app.add_url_rule("/me", "me", signed_in(lambda: ("", 401)))
    app.add_url_rule("/list", "list", cors(origins="https://*.b.example")(lambda: ""))
    app.add_url_rule("/closed", "closed", cors(enforce="all")(lambda: ""), methods=["DELETE"])
    app.add_url_rule("/all", "all", cors(origins=lambda origin: True)(lambda: ""))
    app.add_url_rule("/open", "open", cors(origins="*")(lambda: ""))
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: ""))
    return app
"""
NO_ORIGIN = "had no Origin header, so the guard sent no CORS headers. Add it: client"
ONLY_PREFLIGHTS = (
    "is no preflight. Access-Control-Allow-Methods, -Allow-Headers and -Max-Age are sent only in"
    " responses to preflights"
)
NO_METHOD = "OPTIONS /users had no Access-Control-Request-Method header, so it was not a preflight."
# The last lines of a failing test, and the lines of its report's section.
NOTES = [
    ('client.get("/users?page=2").headers[ALLOW]',
     [f"GET /users?page=2 {NO_ORIGIN}.get('/users?page=2', headers={ORIGIN}).",
      "The fixture cors_browser sends what a browser sends:"
      " cors_browser('https://shop.example').fetch('https://localhost/users?page=2')."]),
    ('assert client.post("/users").headers.get("access-control-allow-origin")',
     [f"POST /users {NO_ORIGIN}.post('/users', headers={ORIGIN}).",
      "The fixture cors_browser sends what a browser sends:"
      " cors_browser('https://shop.example').fetch('https://localhost/users', method='POST')."]),
    ('assert client.get("/list").access_control_allow_origin',
     [f"GET /list {NO_ORIGIN}.get('/list', headers={{'Origin': 'https://www.b.example'}}).", ...]),
    ('assert ALLOW in client.get("/all").headers',
     [f"GET /all {NO_ORIGIN}.get('/all', headers={{'Origin': 'https://app.example.com'}}).", ...]),
    # Three at most, the last first, and none twice.
    ('[client.get(f"/{n}") for n in "12344"]; assert not ALLOW',
     [*(f"GET /{n} {NO_ORIGIN}.get('/{n}', headers={ORIGIN})." for n in "432"), ...]),
    ('assert client.options("/users", headers=ORIGIN).status_code == 204',
     [f"{NO_METHOD} Add it: client.options('/users', headers={{'Origin': 'https://shop.example',"
      " 'Access-Control-Request-Method': 'PATCH'}).",
      "The fixture cors_browser sends what a browser sends:"
      " cors_browser('https://shop.example').fetch('https://localhost/users', method='PATCH')."]),
    ('name = "Access-Control-Request-Method"\n    assert'
     ' client.options("/users", headers={name: "POST"}).status_code == 204',
     ["OPTIONS /users had no Origin header, so it was not a preflight. Add it:"
      " client.options('/users', headers={'Origin': 'https://shop.example',"
      " 'Access-Control-Request-Method': 'POST'}).", ...]),
    ('client.options("/open").headers["Access-Control-Allow-Methods"]',
     ["OPTIONS /open had no Origin and no Access-Control-Request-Method header, so it was not a"
      " preflight. Add them: client.options('/open', headers={'Origin': 'https://app.example.com',"
      " 'Access-Control-Request-Method': 'GET'}).", ...]),
    ('assert cors_browser("https://shop.example").fetch("https://a.test/users").headers.get("X-Total")',
     ["JavaScript does not see X-Total: no Access-Control-Expose-Headers names it.",
      "Send: Access-Control-Expose-Headers: X-Total", "Change: add 'X-Total' to expose_headers."]),
    ('browser = cors_browser("https://shop.example")\n    for path in ("login", "me"): r ='
     ' browser.fetch(f"https://a.test/{path}", credentials="include")\n    assert r.ok',
     ["The browser does not send the cookie 'token': it has no SameSite, and https://shop.example"
      " is another site than https://a.test.", ...]),
    ('cors_browser("https://shop.example").fetch("https://a.test/login", credentials="include");'
     ' assert False', []),
    ('client.put("/users"); assert client.get("/users", headers=EVIL).status_code == 403',
     ["GET /users from 'https://evil.example' was rejected, which changes no status: the browser"
      " keeps the response from the page. Assert 'Access-Control-Allow-Origin' not in"
      ' response.headers, or have the server refuse it with enforce="all".',
      "The fixture cors_browser sends what a browser sends:"
      " cors_browser('https://evil.example').fetch('https://localhost/users')."]),
    ('assert client.post("/users", headers=EVIL).status == "403 FORBIDDEN"',
     ["POST /users from 'https://evil.example' was rejected, which changes no status: the browser"
      " keeps the response from the page. Assert 'Access-Control-Allow-Origin' not in"
      ' response.headers, or have the server refuse it with enforce="unsafe".', ...]),
    ('name = "Access-Control-Allow-Methods"\n    assert'
     ' client.patch("/users", headers=ORIGIN).headers[name]',
     [f"PATCH /users {ONLY_PREFLIGHTS}: client.options('/users', headers={{'Origin':"
      " 'https://shop.example', 'Access-Control-Request-Method': 'PATCH'}).",
      "The fixture cors_browser sends what a browser sends:"
      " cors_browser('https://shop.example').fetch('https://localhost/users', method='PATCH')."]),
    # Only the last.
    ('client.get("/users")\n    assert client.get("/list").headers.get("Access-Control-Max-Age")',
     [f"GET /list {ONLY_PREFLIGHTS}: client.options('/list', headers={{'Origin':"
      " 'https://www.b.example', 'Access-Control-Request-Method': 'GET'}).", ...]),
    # Nothing, where a request was as it should be, or the failure is about something else.
    ('assert client.get("/users").status_code == 201', []),
    ('client.get("/users"); assert ALLOW not in client.get("/users", headers=ORIGIN).headers', []),
    ('assert ALLOW not in client.get("/open").headers', []),
    ('assert client.get("/users", headers=ORIGIN).status_code == 403', []),
    ('assert client.get("/none", headers=EVIL).status_code == 403', []),
    ('assert client.delete("/closed", headers=EVIL).status_code != 403', []),
    ('assert client.get("/users", headers=EVIL).status_code == 201', []),
    ('headers = {**ORIGIN, "Access-Control-Request-Method": "GET"}\n    client.get("/users");'
     ' assert client.options("/users", headers=headers).headers["Access-Control-Max-Age"] == ""',
     []),
    ('assert ALLOW in client.get("/exempt").headers', []),
    ('assert client.options("/users").status_code == 204', []),
    ('client.get("/users"); cors_browser().fetch("https://a.test/users").assert_readable()', []),
    ('cors_browser("https://a.test").fetch("https://a.test/users"); assert not ALLOW', []),
    ('cors_browser("https://shop.example").fetch("https://a.test/users").assert_visible("X-Total")',
     []),
]  # fmt: skip


def section_of(lines):
    """The lines of each section that the plugin has added."""
    found = []
    for line in lines:
        if " Flask-CorsGuard " in line and line.startswith("---"):
            found.append([])
            continue
        if line.startswith(("---", "___", "===")):
            found.append(None)
        elif found and found[-1] is not None:
            found[-1].append(line)
    return [lines for lines in found if lines is not None]


@pytest.mark.parametrize("how", ["in process", "with xdist"])
def test_notes_on_a_failure(run, pytester, how):
    """A failed test says what its requests lack, in whichever process it ran."""
    tests = [
        f"def test_{number:02}(client, cors_browser):\n    {lines}\n"
        for number, (lines, _) in enumerate(NOTES)
    ]
    source = "from conftest import ALLOW, EVIL, ORIGIN\n" + "\n".join(tests)
    options, runs = (), pytester.runpytest_inprocess
    if how == "with xdist":
        options, runs = ("-p", "xdist.plugin", "-n1"), pytester.runpytest_subprocess
    result = run(source, "--tb=short", *options, conftest=NOTES_APP, how=runs)
    result.assert_outcomes(failed=len(NOTES))
    found = section_of(result.outlines)
    expected = [lines for _, lines in NOTES if lines]
    assert len(found) == len(expected)
    for lines, wanted in zip(found, expected, strict=True):
        assert len(lines) == len(wanted)
        assert lines[: len(wanted) - (wanted[-1] is ...)] == [x for x in wanted if x is not ...]


def test_no_notes_on_what_passes_or_has_no_guard(run):
    result = run(
        """
        from flask import Flask

        def test_passing(client):
            assert "Access-Control-Allow-Origin" not in client.get("/users/7").headers

        def test_without_a_guard(client):
            client = Flask("shop").test_client()
            assert "Access-Control-Allow-Origin" in client.get("/users/7").headers

        def test_after_another(client):
            assert not "Access-Control-Allow-Origin"
        """
    )
    result.assert_outcomes(passed=1, failed=2)
    assert section_of(result.outlines) == []


def test_notes_on_a_failure_without_a_traceback(run):
    result = run(
        """
        import pytest

        def test_it(client):
            client.get("/users/7")
            pytest.fail("no Access-Control-Allow-Origin", pytrace=False)
        """
    )
    result.assert_outcomes(failed=1)
    ((first, _),) = section_of(result.outlines)
    assert first.startswith("GET /users/7 had no Origin header")


def test_the_watched_requests_keep_no_app_alive():
    notes = FailureNotes()
    notes.begin()
    app = guarded(origins="https://shop.example")
    app.test_client().get("/")
    forgotten = weakref.ref(app)
    del app
    gc.collect()
    assert forgotten() is None
    assert notes.words("Access-Control-", None).startswith("GET / had no Origin header")
    notes.end()
    assert notes.words("Access-Control-", None) == ""
