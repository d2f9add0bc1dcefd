"""What leaves the app past the hooks, and what fails on the guard's own responses."""

import functools
import logging

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    g,
    request,
    session,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from flask.signals import got_request_exception, request_finished
from werkzeug.test import create_environ

from flask_corsguard import (
    CorsGuard,
    CorsGuardError,
    Outcome,
    cors,
    cors_exempt,
    current_decision,
    origin_allowed,
    origin_rejected,
)
from flask_corsguard.runtime import middleware
from flask_corsguard.runtime.middleware import guarded
from flask_corsguard.runtime.state import state_of
from tests.conftest import cors_headers

SHOP = "https://shop.example"
EVIL = "https://evil.example"
CROSS = {"HTTP_SEC_FETCH_SITE": "cross-site"}
ASKING = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}


def with_star(response):
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


# Whatever responds without after_request functions, or writes after them


class Star(Response):
    def get_wsgi_headers(self, environ):
        return with_star(self).headers.copy()


class StarWhenCalled(Response):
    def __call__(self, environ, start_response):
        return super().__call__(environ, lambda *a: start_response(a[0], [*a[1], STAR_LINE]))


STAR_LINE = ("access-control-allow-origin", "*")


class StarringSessions(SessionInterface):
    def open_session(self, app, request):
        return SecureCookieSession()

    def save_session(self, app, session, response):
        with_star(response)


def errors(app):
    """As Flask-RESTX does: its errors leave the app without after_request functions."""
    app.handle_exception = lambda error: with_star(Response("error", 500))


def user_errors(app):
    app.handle_user_exception = lambda error: with_star(Response("error", 500))


def subclass(name):
    def change(app):
        inner = getattr(Flask, name)
        method = lambda self, *values, **k: with_star(inner(self, *values, **k))  # noqa: E731
        app.__class__ = type("Starring", (Flask,), {name: method})

    return change


def handles_all(app):
    """What catches its exceptions responds itself."""

    def wsgi_app(self, environ, start_response):
        try:
            return Flask.wsgi_app(self, environ, start_response)
        except ZeroDivisionError:
            return with_star(Response("error", 500))(environ, start_response)

    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.__class__ = type("Handling", (Flask,), {"wsgi_app": wsgi_app})
    app.wsgi_app = guarded(state_of(app), app.__class__.wsgi_app.__get__(app))


def sessions(app):
    app.session_interface = StarringSessions()


def responses(kind):
    return lambda app: setattr(app, "response_class", kind)


def receiver(app):
    app.extensions["keeps"] = lambda sender, response: with_star(response)
    request_finished.connect(app.extensions["keeps"], app)


WRITERS = {
    "handle_exception": errors,
    "handle_user_exception": user_errors,
    "handle_exception in a subclass": subclass("handle_exception"),
    "finalize_request in a subclass": subclass("finalize_request"),
    "process_response in a subclass": subclass("process_response"),
    "full_dispatch_request in a subclass": subclass("full_dispatch_request"),
    "wsgi_app in a subclass": handles_all,
    "a session interface": sessions,
    "headers of a response class": responses(Star),
    "a response class that is called": responses(StarWhenCalled),
    "a receiver of request_finished": receiver,
}


@pytest.fixture(params=WRITERS)
def starring(app, request):
    """An app in which something lets everybody read, after the hooks or past them."""
    CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    app.add_url_rule("/raise", "raise", lambda: 1 / 0)
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: "ok"))
    WRITERS[request.param](app)
    app.starring_errors_only = request.param.startswith(("handle_", "wsgi_app"))
    return app


@pytest.mark.parametrize("path", ["/", "/raise", "/none"])
def test_the_decision_has_the_last_word(starring, http, path):
    for _ in range(2):  # the table is built on the first request
        allowed = http.send(starring, path, SHOP)
        assert allowed == http.allowed(SHOP, allowed.status)
        assert http.send(starring, path, EVIL) == http.refused(allowed.status)
        assert http.send(starring, path) == http.refused(allowed.status)


def test_the_guards_own_responses_keep_their_headers(starring, http):
    assert http.preflight(starring, "/", SHOP, "PUT").status == 204
    assert http.preflight(starring, "/", EVIL, "PUT") == http.denied()
    refused = http.open(starring, "/", EVIL, "PUT", CROSS)
    assert refused.status_code == 403
    assert refused.headers["Cache-Control"] == "no-store"
    assert "Access-Control" not in str(refused.headers)


def test_an_exempt_route_is_left_alone(starring, http):
    response = http.open(starring, "/exempt", EVIL)
    star = None if starring.starring_errors_only else "*"
    assert response.headers.get("Access-Control-Allow-Origin") == star


def test_an_ordinary_request_is_not_made_twice(starring, http, monkeypatch):
    """Where ``start_response`` is wrapped, a second Request would cost more than all the rest."""
    monkeypatch.setattr(middleware, "Request", None)
    assert http.open(starring, "/", SHOP).headers["Access-Control-Allow-Origin"] == SHOP


def test_nothing_is_wrapped_without_need(site, http):
    CorsGuard(site, origins=SHOP)
    http.send(site, "/")
    assert state_of(site).later_writers == []


def test_a_view_with_a_response_class_of_its_own(app, http):
    """Not known until the view has returned one."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: Star(stream(), headers={"Set-Cookie": "a=b"}))
    closed = []

    def stream():
        yield b"o"
        yield b"k"
        closed.append(True)

    http.send(app, "/none")  # the table is built
    assert http.send(app, "/", EVIL) == http.refused()
    response = http.open(app, "/", SHOP)
    assert (response.data, response.headers["Set-Cookie"]) == (b"ok", "a=b")
    assert cors_headers(response) == http.allowed(SHOP).cors
    assert closed == [True]
    assert http.open(app, "/", SHOP, "HEAD").data == b""


class CookieSessions(SecureCookieSessionInterface):
    def save_session(self, *arguments):
        super().save_session(*arguments)


def test_what_a_session_varies_by_is_kept(app, http):
    CorsGuard(app, origins=SHOP)
    app.secret_key, app.session_interface = "x", CookieSessions()
    app.add_url_rule("/", "index", lambda: session.get("user", "nobody"))
    assert http.open(app, "/", SHOP).headers["Vary"] == "Origin, Cookie"


# What fails on the guard's own responses


def reads_g(app):
    @app.before_request
    def begin():
        g.started = 1

    @app.after_request
    def end(response):
        response.headers["X-Took"] = str(g.started)
        return response


def raising(*_, **__):
    raise KeyError("in other code")


def saves_session(app):
    class Failing(StarringSessions):
        save_session = raising

    app.session_interface = Failing()


def finishes(app):
    @app.after_request
    def later(response):
        after_this_request(raising)
        return raising()


def fails_to_handle(app):
    reads_g(app)
    app.register_error_handler(500, raising)


def returns_400(app):
    reads_g(app)
    app.register_error_handler(Exception, lambda _: ("bad", 400))


def restx(app):
    reads_g(app)
    errors(app)


def extension_responds(status):
    """As Flask-RESTful does, with a status for the exception, and without the signal."""

    def change(app):
        reads_g(app)
        app.handle_exception = lambda error: with_star(Response("error", status))

    return change


def tears_down(app):
    app.before_request(lambda: setattr(g, "database", None))
    # pytest-flask pushes a request of its own, for GET.
    app.teardown_request(lambda _: request.method == "GET" or g.database)


FAILING = {
    "after_request reads g": reads_g,
    "teardown reads g": tears_down,
    "saving the session": saves_session,
    "after_this_request": finishes,
    "a handler of the error too": fails_to_handle,
    "a handler that makes it a 400": returns_400,
    "an extension handles the error": restx,
    "an extension makes it a 200": extension_responds(200),
    "an extension makes it a 403": extension_responds(403),
}
MODES = {
    "production": {},
    "testing": {"TESTING": True},
    "debug": {"DEBUG": True},
    "propagating": {"PROPAGATE_EXCEPTIONS": True},
}


def copies(app):
    """As Flask-SocketIO's middleware does if it is there first."""
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start_response: inner(dict(environ), start_response)


@pytest.mark.parametrize("around", [None, copies], ids=["", "copied environment"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failing", FAILING)
def test_the_guards_own_responses_survive(app, http, caplog, failing, mode, around):
    app.config.update(MODES[mode])
    if around:
        around(app)
    CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    FAILING[failing](app)
    for _ in range(2):
        assert http.preflight(app, "/", SHOP, "PUT") == http.granted(SHOP, "OPTIONS, PUT")
        assert http.preflight(app, "/", EVIL, "PUT") == http.denied()
        refused = http.open(app, "/", EVIL, "PUT", CROSS)
        assert (refused.status_code, refused.headers["Cache-Control"]) == (403, "no-store")
        assert refused.get_json()["code"] == "ORIGIN_NOT_ALLOWED"
    lines = [r.getMessage() for r in caplog.records if "own response" in r.getMessage()]
    assert len(lines) == 1, lines
    assert "guard.run_first" in lines[0]
    assert failing != "after_request reads g" or "reads_g.<locals>.end (" in lines[0]


def test_opening_the_session_fails(app, http):
    class Failing(SessionInterface):
        open_session = raising

    CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    app.session_interface = Failing()
    refused = http.open(app, "/", EVIL, "PUT", CROSS)
    assert (refused.status_code, refused.headers["Vary"]) == (
        403,
        "Origin, Sec-Fetch-Site, Accept",
    )
    assert http.preflight(app, "/", SHOP, "PUT") == http.granted(SHOP, "OPTIONS, PUT")
    assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP, 500)


@pytest.mark.parametrize(
    "name",
    [
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        "surrogate-control",
        "Expires",
        "X-Accel-Expires",
        "Edge-Control",
        "Pragma",
    ],
)
def test_nothing_keeps_a_refusal(app, http, name):
    CorsGuard(app, enforce="all")
    app.add_url_rule("/", "index", lambda: "ok")
    app.after_request(lambda r: r.headers.set(name, "max-age=3600") or r)
    assert name in http.open(app, "/").headers
    refused = http.open(app, "/", None, "GET", CROSS)
    assert (refused.status_code, refused.headers["Cache-Control"]) == (403, "no-store")
    assert name not in refused.headers


# Exceptions that leave the app


@pytest.mark.parametrize("mode", [*MODES][1:])
@pytest.mark.parametrize(
    ("origin", "path", "lines"),
    [
        (SHOP, "/", 1),
        (EVIL, "/", 0),
        (None, "/", 0),
        ("http://localhost", "/", 0),  # the app's own page reads it
        (SHOP, "/exempt", 0),
    ],
)
def test_an_exception_that_leaves_the_app(app, http, caplog, mode, origin, path, lines):
    app.config.update(MODES[mode])
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", raising)
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: raising()))
    for _ in range(2):
        with pytest.raises(KeyError):
            http.open(app, path, origin)
    found = [r.getMessage() for r in caplog.records if "Fix the exception; CORS" in r.getMessage()]
    assert len(found) == lines
    assert not found or "Werkzeug's debugger" in found[0]


def test_an_exception_of_the_guard_that_leaves_the_app(app, http, log_lines):
    """Its traceback says everything."""
    guard = CorsGuard(app, origins=SHOP)
    app.testing = True
    app.add_url_rule("/", "index", lambda: guard.for_path(1))
    with pytest.raises(CorsGuardError):
        http.open(app, "/", SHOP)
    assert log_lines() == []


def test_an_environment_without_a_path(app):
    """PEP 3333 lets servers leave it out where it is empty."""
    CorsGuard(app, origins=SHOP)
    app.testing = True
    app.add_url_rule("/", "index", raising)
    environ = create_environ(headers={"Origin": SHOP})
    del environ["PATH_INFO"]
    with pytest.raises(KeyError, match="in other code"):
        app(environ, lambda *_: None)


def test_the_exception_signal_outside_a_request(app):
    CorsGuard(app)
    got_request_exception.send(app, exception=ValueError())
    with Flask("other").test_request_context():
        got_request_exception.send(app, exception=ValueError())


# An app that calls itself


def as_is(environ):
    return environ


@pytest.mark.parametrize("inside", ["app", "full_dispatch_request"])
@pytest.mark.parametrize("copied", [as_is, dict])
def test_an_app_with_its_own_environment(app, http, inside, copied):
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/public", "public", cors(origins="*")(lambda: "public"))

    @app.get("/private")
    def private():
        environ = copied(request.environ)
        environ["PATH_INFO"] = "/public"
        if inside == "app":
            Response.from_app(current_app, environ)
        else:
            with app.request_context(environ):
                assert app.full_dispatch_request().headers["Access-Control-Allow-Origin"] == "*"
        assert current_decision.endpoint == "private"
        return "private"

    assert http.send(app, "/private", EVIL) == http.refused()
    assert http.send(app, "/private", SHOP) == http.allowed(SHOP)
    errors(app)
    state_of(app).later_writers.append("errors")
    assert http.send(app, "/private", EVIL) == http.refused()


def test_middleware_that_is_put_out_of_the_way(app, http, caplog):
    before = app.wsgi_app
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    app.wsgi_app = before
    for _ in range(2):
        assert http.send(app, "/", SHOP) == http.allowed(SHOP)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "without passing through the guard's middleware" in record.getMessage()


@pytest.mark.parametrize("error", [AssertionError, RuntimeError])
def test_a_server_that_has_been_given_a_response(app, http, error):
    """A teardown function fails after that. What servers raise the second time is not the same."""
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    tears_down(app)
    given = []

    def start_response(status, headers, exc_info=None):
        assert exc_info is None  # gunicorn would send the headers twice
        if given:
            raise error
        given.append(status)

    environ = create_environ(method="OPTIONS", headers={"Origin": SHOP}, environ_base=ASKING)
    list(app(environ, start_response))
    assert given == ["204 NO CONTENT"]


# A response that is returned more than once


def test_one_response_for_each_request(app, http, caplog):
    CorsGuard(app, origins=[SHOP, "https://partner.example"])
    same = Response("ready")
    app.add_url_rule("/", "index", lambda: same)
    app.add_url_rule("/exempt", "exempt", cors_exempt(lambda: same))
    for origin in (SHOP, "https://partner.example", EVIL, SHOP):
        expected = http.refused() if origin == EVIL else http.allowed(origin)
        assert http.send(app, "/", origin) == expected
    assert "Access-Control-Allow-Origin" not in http.send(app, "/exempt", SHOP).cors
    assert "the app sets" not in caplog.text


def test_one_response_for_two_requests_at_once(app, http):
    CorsGuard(app, origins=SHOP)
    same = Response("ready")
    app.add_url_rule("/", "index", lambda: same)
    http.send(app, "/")

    def another_request(session):
        if request.headers.get("Origin") == SHOP:
            assert http.send(app, "/", EVIL) == http.refused()
        return True

    app.session_interface = SecureCookieSessionInterface()
    app.session_interface.is_null_session = another_request
    assert http.send(app, "/", SHOP) == http.allowed(SHOP)


# run_first


def test_functions_that_run_first(app, http):
    guard = CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "PUT"])
    ran = []

    def note(name):
        def function():
            with pytest.raises(CorsGuardError, match="has not decided"):
                current_decision.outcome  # noqa: B018
            ran.append(name)

        return function

    app.before_request(lambda: ran.append("other"))
    second = note("second")
    assert guard.run_first(guard.run_first(note("first")))
    guard.run_first(app.before_request(second))
    guard.run_first(second)
    http.preflight(app, "/", SHOP, "PUT")
    http.open(app, "/", EVIL, "PUT", CROSS)
    assert ran == ["first", "second"] * 2
    http.send(app, "/")
    assert ran == [*["first", "second"] * 3, "other"]


def test_a_gauge_that_stays_paired(app, http, caplog):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    open_now = []
    guard.run_first(lambda: open_now.append(1))
    app.teardown_request(lambda _: request.method == "GET" or open_now.pop())
    assert http.preflight(app, "/", SHOP, "PUT") == http.granted(SHOP, "OPTIONS, PUT")
    assert (open_now, caplog.text) == ([], "")


def unauthorized():
    abort(401)


def says_401():
    return "who are you?", 401


@pytest.mark.parametrize("function", [unauthorized, says_401])
def test_what_it_responds_with_is_the_response(app, http, caplog, function):
    guard = CorsGuard(app, origins=SHOP, enforce="unsafe")
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    guard.run_first(function)
    heard = []
    receiver = lambda sender, decision: heard.append((decision.outcome, decision.preflight))  # noqa: E731
    with origin_allowed.connected_to(receiver, app), origin_rejected.connected_to(receiver, app):
        response = http.open(app, "/", SHOP, "OPTIONS", ASKING)
        assert response.status_code == 401
        assert cors_headers(response) == http.granted(SHOP, "OPTIONS, PUT").cors
        assert heard == []
        assert len(caplog.records) == 1
        assert f"{function.__name__}, which runs before the guard, responded with 401" in (
            caplog.text
        )
        response = http.open(app, "/", EVIL, "PUT", CROSS)
        assert (response.status_code, response.headers["Cache-Control"]) == (401, "no-store")
        assert "Access-Control" not in str(response.headers)
        assert http.send(app, "/", SHOP, method="PUT") == http.allowed(SHOP, 401)
    assert heard == [(Outcome.REJECTED, False), (Outcome.ALLOWED, False)]


def test_a_2xx_response_to_a_preflight_permits_it(app, http):
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    guard.run_first(lambda: "hello")
    heard = []
    receiver = lambda sender, decision: heard.append(decision.outcome)  # noqa: E731
    with origin_allowed.connected_to(receiver, app):
        http.preflight(app, "/", SHOP, "PUT")
    assert heard == [Outcome.ALLOWED]


def test_one_that_fails_keeps_the_door_shut(app, http):
    """It may be what checks the host: the guard's own response does not take its place."""
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    guard.run_first(functools.partial(raising))
    assert http.open(app, "/", SHOP, "OPTIONS", ASKING).status_code == 500


async def asynchronous():
    return "later", 202


def test_an_asynchronous_function(app, http):
    pytest.importorskip("asgiref")
    CorsGuard(app).run_first(asynchronous)
    app.add_url_rule("/", "index", lambda: "ok")
    assert http.send(app, "/").status == 202


def test_one_guard_for_several_apps(http):
    guard, ran = CorsGuard(), []
    note = lambda: ran.append(current_app.name)  # noqa: E731
    for name in ("a", "b"):
        app = Flask(name)
        guard.init_app(app)
        guard.run_first(note)
        guard.prepare(app)
        http.send(app, "/")
    assert ran == ["a", "b"]


def test_a_function_of_blueprints_too(app, http):
    guard, ran = CorsGuard(app), []
    note = lambda: ran.append(1)  # noqa: E731
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    for blueprint in (outer, inner):
        blueprint.before_request(note)
    inner.add_url_rule("/", "index", lambda: "ok")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    guard.run_first(note)
    http.send(app, "/")
    assert ran == [1]


@pytest.mark.parametrize(
    "module", ["opentelemetry.instrumentation.flask", "prometheus_flask_exporter"]
)
def test_tracing_keeps_its_place(app, http, module):
    ran = []

    def span():
        ran.append("span")

    span.__module__ = module
    guard = CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok", methods=["PUT"])
    guard.run_first(lambda: ran.append("first"))
    app.before_request(span)
    assert http.preflight(app, "/", SHOP, "PUT") == http.granted(SHOP, "OPTIONS, PUT")
    assert ran == ["span", "first"]


def test_an_agent_wraps_every_function(app, http, heard, monkeypatch):
    """As those of Datadog and New Relic do. The guard's own still run once, at the edge."""
    ran = []

    def wrapping(register):
        def registered(self, function):
            @functools.wraps(function)
            def measured(*arguments):
                ran.append(function.__name__)
                return function(*arguments)

            return register(self, measured)

        return registered

    for name in ("before_request", "after_request"):
        monkeypatch.setattr(Flask, name, wrapping(getattr(Flask, name)))
    CorsGuard(app, origins=SHOP)
    app.add_url_rule("/", "index", lambda: "ok")
    app.before_request(lambda: None)
    app.after_request(with_star)
    assert http.send(app, "/", EVIL) == http.refused()
    assert len(heard) == 1
    assert ran == ["<lambda>", "with_star"]


@pytest.mark.parametrize("function", [None, "f", Flask], ids=str)
def test_what_cannot_run_first(app, function):
    with pytest.raises(CorsGuardError, match=r"test_middleware.py:\d+: run_first takes a function"):
        CorsGuard(app).run_first(function)


@pytest.mark.parametrize("how", ["prepare", "request"])
def test_too_late_to_run_first(app, http, how):
    """Unless it does already, as when an app factory runs again."""
    guard = CorsGuard(app)
    function = guard.run_first(lambda: None)
    guard.prepare() if how == "prepare" else http.send(app, "/")
    assert guard.run_first(function) is function
    with pytest.raises(CorsGuardError, match="already in force"):
        guard.run_first(lambda: None)
