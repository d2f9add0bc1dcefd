"""Apps on which an audit could stumble: it ends soon, whatever they do."""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Blueprint, Flask, Request, Response, g, request
from flask.signals import request_started
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, cors
from flask_corsguard.audit import Level, Report, audit
from flask_corsguard.routing.closures import location_of
from tests.audit.cases import Build, codes_of, guarded, route, shop, told, unnamed
from tests.raised import Timeout

# Marks of other tests are not marks of the app.

APP = "https://app.example.com"


class _Failing(dict[str, str]):
    def _fail(self) -> Any:
        raise ConnectionError("no data base")

    keys = values = items = __iter__ = _fail


class _Slow(dict[str, str]):
    def _fail(self) -> Any:
        raise Timeout

    keys = values = items = __iter__ = __len__ = _fail


class _Endless(dict[str, str]):
    def items(self) -> Any:
        return itertools.repeat(("https://x.example", ""))


class _Hidden:
    @property
    def __dict__(self) -> Any:
        raise Timeout


PROXIES = (LocalProxy(lambda: g.db), LocalProxy(lambda: 1 / 0))
HIDDEN = _Hidden()
FAILING, SLOW, ENDLESS = _Failing(a="b"), _Slow(a="b"), _Endless(a="b")


def audited_soon(entry: Any) -> Report:
    """What is found about an entry of ``origins``, which must not take long."""
    started = time.process_time()
    report = audit(guarded(entry))
    assert time.process_time() - started < 5
    return report


def reads_odd_things(origin: str) -> bool:
    return origin == APP and bool(PROXIES or FAILING or SLOW or ENDLESS or HIDDEN.site)


COMPILED = re.compile(r"^https://([a-z0-9]+-?)+\.example\.com$")
PATTERNS: dict[str, Any] = {
    "after a start": re.compile(r"https://pr-([a-z0-9]+-?)+\.example\.com"),
    "in a branch": re.compile(r"https://(www|pr-([a-z0-9]+-?)+)\.example\.com"),
    "plain http": re.compile(r"http://([a-z0-9]+-?)+\.local"),
    "many options": re.compile("https://" + "[a-z]?" * 300),
    "many wildcards": re.compile("https://" + ".*" * 30 + "x"),
    "in a callable": lambda o: bool(re.match(r"^(https?://)?([\da-z.-]+)*\.example\.com/?$", o)),
    "compiled, in a callable": lambda origin: bool(COMPILED.match(origin)),
}


@pytest.mark.parametrize("entry", PATTERNS.values(), ids=PATTERNS)
def test_slow_patterns_wherever_they_are(entry: Any) -> None:
    """Slow patterns are found soon, because nothing is tried on them."""
    report = audited_soon(entry)
    assert "slow_pattern" in codes_of(report), told(report)


HARMLESS: dict[str, Any] = {
    "options": re.compile("https://" + "a?" * 100 + "a" * 100),
    "long": re.compile("x" * 50_000),
    "odd things": reads_odd_things,
}


@pytest.mark.parametrize("entry", HARMLESS.values(), ids=HARMLESS)
def test_what_nothing_is_wrong_with(entry: Any) -> None:
    """For a pattern that matches nothing, or a callable that holds odd things, the audit soon ends
    without a finding."""
    report = audited_soon(entry)
    assert not report.findings, told(report)


MANY = tuple(f"https://s{number}.customer{number}.example" for number in range(300))


def many_routes(origins: Any) -> Flask:
    """An app with 21 routes."""
    app = guarded(origins, max_age=0)
    for number in range(20):
        app.add_url_rule(f"/items-{number}", f"items-{number}", lambda: "shop")
    return app


def test_a_callable_is_asked_about_each_origin_once() -> None:
    """However many routes its policy has, and also by the preflights that are really sent."""
    asked: Counter[str] = Counter()

    def allows(origin: str) -> bool:
        asked[origin] += 1
        return origin in MANY

    report = audit(many_routes(allows))
    assert not report.findings, told(report)
    assert set(asked.values()) == {1}
    assert len(asked) > len(MANY)
    name = "test_a_callable_is_asked_about_each_origin_once.<locals>.allows"
    (sentence,) = report.not_seen
    assert f"The callable {name} in origins was asked {len(asked):,} times" in sentence


@pytest.mark.parametrize("seconds", [0, 0.0005], ids=["at once", "a data base"])
def test_a_callable_that_takes_the_request_is_asked_a_little_more_on_each_route(
    seconds: float,
) -> None:
    """Everything is tried on the first route; on the others, only what takes little time."""
    asked: Counter[str] = Counter()

    def allows(origin: str, request: Request) -> bool:
        asked[request.path] += 1
        time.sleep(seconds)
        return origin in MANY

    report = audit(many_routes(allows))
    assert not report.findings, told(report)
    first, *others = asked.values()
    assert first > len(MANY)
    # 24 origins, or 10 that take 0.01 s: as a request and as its preflight, and one really sent.
    assert all(5 <= number <= 2 * (10 if seconds else 24) + 1 for number in others)
    assert f"was asked {asked.total():,} times" in report.not_seen[0]


def test_a_callable_of_several_policies_is_counted_together() -> None:
    asked: Counter[str] = Counter()

    def allows(origin: str) -> bool:
        asked[origin] += 1
        return origin == APP

    app = many_routes(allows)
    app.add_url_rule("/other", "other", cors(max_age=60)(lambda: "shop"))
    (sentence,) = audit(app).not_seen
    assert max(asked.values()) == 2
    assert f"was asked {asked.total():,} times" in sentence


def test_what_was_not_seen_is_said_once_a_policy() -> None:
    """Also where nothing is asked, nothing is said."""
    app = many_routes(lambda origin: origin == APP)
    other = cors(origins=[APP, lambda origin: origin == "https://partner.example"])(lambda: "")
    app.add_url_rule("/other", "other", other)
    assert len(audit(app).not_seen) == 2
    assert audit(guarded([APP, re.compile(r"https://pr-\d+\.example\.com")])).not_seen == ()


def asks_for_a_login() -> Any:
    return ("log in", 401) if "Authorization" not in request.headers else None


def reads_what_did_not_run(response: Response) -> Response:
    response.headers["X-Took"] = g.started
    return response


def raises(values: Any) -> Any:
    raise ConnectionError("no store")


def with_after_request(app: Flask) -> None:
    app.after_request(reads_what_did_not_run)


def with_something_in_front(app: Flask) -> None:
    def move(sender: Flask, **_: Any) -> None:
        functions = sender.before_request_funcs[None]
        functions[:] = [asks_for_a_login, *(f for f in functions if f is not asks_for_a_login)]

    request_started.connect(move, app, weak=False)


def with_a_preprocessor(app: Flask) -> None:
    app.url_value_preprocessor(lambda endpoint, values: raises(values))


def with_middleware(app: Flask) -> None:
    def takes_options(environ: Any, start_response: Any) -> Any:
        start_response("405 Nope", [])
        return [b""]

    inner = app.wsgi_app

    def dispatching(environ: Any, start_response: Any) -> Any:
        options = environ["REQUEST_METHOD"] == "OPTIONS"
        return (takes_options if options else inner)(environ, start_response)

    app.wsgi_app = dispatching  # type: ignore[method-assign]


def with_middleware_that_fails(app: Flask) -> None:
    app.wsgi_app = lambda environ, _: raises(environ)  # type: ignore[method-assign]


def test_marks_without_a_route() -> None:
    """They are notes, at the line of the mark; unless the audit has found the view around it."""
    app = guarded(())
    lost = cors(origins=APP)(lambda: "")
    unused = cors(origins=APP)(lambda: "")
    app.add_url_rule("/lost", "lost", unnamed(lost))
    assert [(f.code, f.level, f.location) for f in audit(app).findings] == [
        ("lost_mark", Level.ERROR, location_of(lost)),
        ("mark_without_route", Level.NOTE, location_of(unused)),
    ]


@pytest.mark.parametrize("with_options", [False, True])
def test_preflights_that_nothing_responds_to(with_options: bool) -> None:
    app = Flask("shop", static_folder=None)
    CorsGuard(app, origins=APP, answer_preflight=False)
    app.add_url_rule("/x", "x", lambda: "", methods=["PUT"], provide_automatic_options=False)
    if with_options:
        app.add_url_rule("/x", "preflight", lambda: "", methods=["OPTIONS"])
    expected = [] if with_options else ["preflight_unanswered"]
    assert [f.code for f in audit(app).findings] == expected


@pytest.mark.parametrize("place", ["app", "blueprint"])
@pytest.mark.parametrize("files", [(), ("a.css", "fonts/b.woff2")], ids=["none", "some"])
def test_globs_without_a_file(tmp_path: Path, place: str, files: Iterable[str]) -> None:
    """They are notes, unless the folder is empty."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    app = Flask("shop", static_folder=str(tmp_path) if place == "app" else None)
    guard = CorsGuard(app, origins=APP)
    if place == "blueprint":
        app.register_blueprint(Blueprint("api", __name__, static_folder=tmp_path, url_prefix="/b"))
    endpoint = "static" if place == "app" else "api.static"
    guard.for_files(endpoint, "*.css", "*.woff2", "css/*", "*.WOFF2", max_age=5)
    messages = [f"{glob!r} matches no file in {tmp_path}." for glob in ("*.WOFF2", "css/*")]
    found = [(f.code, f.message) for f in audit(app).findings]
    assert sorted(found) == [("glob_without_file", each) for each in messages if files]


def test_a_mark_on_nothing() -> None:
    app = guarded(())
    cors(origins=APP)
    (found,) = audit(app).findings
    assert (found.code, found.level) == ("mark_without_target", Level.ERROR)
    assert found.message.startswith(f"cors(...) at {found.location} has no effect: ")


FAULTS: dict[str, tuple[Callable[[Flask], None], str, str]] = {
    "after_request": (
        with_after_request,
        "preflight_fails",
        "reads_what_did_not_run, an after_request function, fails on a preflight",
    ),
    "in front": (
        with_something_in_front,
        "runs_before_guard",
        "A preflight gets status 401 before the guard sees it: by asks_for_a_login.",
    ),
    "run_first": (
        lambda app: cast("Any", app).guard.run_first(asks_for_a_login),
        "runs_before_guard",
        "asks_for_a_login, a function of run_first, ends a preflight with status 401.",
    ),
    "run_first that fails": (
        lambda app: cast("Any", app).guard.run_first(lambda: raises(app)),
        "runs_before_guard",
        "<lambda>.<locals>.<lambda>, a function of run_first, fails before the guard sees a",
    ),
    "a preprocessor": (
        with_a_preprocessor,
        "runs_before_guard",
        "with_a_preprocessor.<locals>.<lambda>, a url_value_preprocessor, fails before the guard"
        " sees a preflight: ConnectionError 'no store' at ",
    ),
    "middleware": (
        with_middleware,
        "runs_before_guard",
        "A preflight gets status 405 before the guard sees it:"
        " with_middleware.<locals>.dispatching, with_middleware.<locals>.takes_options.",
    ),
    "middleware that fails": (
        with_middleware_that_fails,
        "runs_before_guard",
        "raises fails before the guard sees a preflight: ConnectionError 'no store' at ",
    ),
}


@pytest.mark.parametrize("config", [{}, {"TESTING": True}], ids=["as it is", "in tests"])
@pytest.mark.parametrize(("change", "code", "words"), FAULTS.values(), ids=FAULTS)
def test_a_preflight_that_fails_names_what_is_at_fault(
    change: Callable[[Flask], None], code: str, words: str, config: dict[str, Any]
) -> None:
    """The message names the function, the location is that of the function, if it is known."""
    app = shop()
    app.config.update(config)
    app.guard = CorsGuard(app, origins=APP)  # type: ignore[attr-defined]
    change(app)
    (finding,) = (found for found in audit(app).findings if found.message.startswith(words))
    assert finding.code == code
    assert "test_robust.py:" in finding.location or "dispatching" in words


def _with_failing_teardown(error: type[BaseException]) -> Flask:
    def fail(_error: object) -> None:
        raise error

    app = guarded(APP)
    app.teardown_appcontext(fail)
    return app


def _with_a_failing_hook(error: type[BaseException]) -> Flask:
    app = guarded(APP)

    @app.url_value_preprocessor
    def fail(*_: object) -> None:
        raise error

    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app


def _with_a_request_class_that_fails(error: type[BaseException]) -> Flask:
    class Versioned(Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if "HTTP_X_VERSION" not in self.environ:
                raise error

    app = guarded(re.compile(r"https://.*example\.com"))
    app.request_class = Versioned
    return app


class Failing(BaseConverter):
    """Looks things up in a database that is not there."""

    error: type[BaseException] = ConnectionError

    def to_python(self, value: str) -> str:
        raise self.error(value)


class Slow(Failing):
    """Does not find it in time."""

    error = Timeout


class Choosy(BaseConverter):
    """Rejects every value that can be made up."""

    regex = r"[A-Z]{3}-\d{4}"

    def to_python(self, value: str) -> str:
        if value != "ABC-0001":
            raise ValueError(value)
        return value


def _with_a_converter(converter: type[BaseConverter]) -> Flask:
    app = guarded(APP)
    app.url_map.converters["own"] = converter
    view = cors(origins=lambda o: o.endswith("example.com"))(lambda order: pytest.fail("it ran"))
    route(app, "GET /orders/<own:order>", view=view)
    return app


ROOT = "neighbour_allowed GET,HEAD,OPTIONS /"
FIRST = "runs_before_guard GET,HEAD,OPTIONS /"
ORDERS = "neighbour_allowed GET,HEAD,OPTIONS /orders/<own:order>"
APPS: dict[str, tuple[Build, set[str]]] = {
    "failing teardown": (partial(_with_failing_teardown, LookupError), set()),
    "slow teardown": (partial(_with_failing_teardown, Timeout), set()),
    "failing request class": (partial(_with_a_request_class_that_fails, KeyError), {ROOT}),
    "slow request class": (partial(_with_a_request_class_that_fails, Timeout), {ROOT}),
    "failing hook": (partial(_with_a_failing_hook, LookupError), {FIRST}),
    "slow hook": (partial(_with_a_failing_hook, Timeout), {FIRST}),
    "odd keys": (lambda: guarded(reads_odd_things, {1: "example.com"}), set()),
    "a trusted host": (lambda: guarded(APP, {"TRUSTED_HOSTS": "shop.example"}), set()),
    "trusted hosts": (lambda: guarded(APP, {"TRUSTED_HOSTS": {"shop.example"}}), set()),
    "failing converter": (lambda: _with_a_converter(Failing), {ORDERS}),
    "slow converter": (lambda: _with_a_converter(Slow), {ORDERS}),
    "choosy converter": (lambda: _with_a_converter(Choosy), {ORDERS}),
}


@pytest.mark.parametrize(("build", "wrong"), APPS.values(), ids=APPS)
def test_apps(build: Build, wrong: set[str]) -> None:
    """The audit goes on if the app's own code fails on the way to a view."""
    report = audit(build())
    found = {f"{f.code} {route}" for f in report.findings for route in f.routes}
    assert found == wrong, told(report)


GLOBS = ("[!a]*", "[a-", "[]]", "[[]x", "a/**.woff2", "?", "*.[jJ][sS]", "a[b-", "\\*", "a/b/*.js")


@pytest.mark.parametrize("globs", [*((glob,) for glob in GLOBS), GLOBS, GLOBS[::-1]], ids=" ".join)
def test_files_of_every_kind(globs: tuple[str, ...]) -> None:
    """The audit asks for a name that the globs fit, and so tries the mark on these files."""
    app = Flask("shop")
    guard = CorsGuard(app, origins=APP)
    for glob in globs:
        guard.for_files("static", glob, origins=re.compile(r"https://.*"))
    report = audit(app)
    assert codes_of(report) == {"anybody_allowed"}, told(report)


MESSAGES: dict[str, tuple[Any, str]] = {
    "pattern": (re.compile(r"https://.*"), "The pattern 'https://.*' lets in "),
    "pattern of localhost": (
        re.compile(r"https?://localhost.*"),
        "The pattern 'https?://localhost.*', which is meant for 'localhost', lets in ",
    ),
    "callable": (
        lambda origin: origin.endswith("shop.example"),
        "The callable <lambda>, which is meant for 'shop.example', lets in ",
    ),
    "callable for everybody": (lambda origin: bool(origin), "The callable <lambda> lets in "),
}


@pytest.mark.parametrize(("entry", "words"), MESSAGES.values(), ids=MESSAGES)
def test_what_an_entry_means_has_to_do_with_it(entry: Any, words: str) -> None:
    """A message never names a host from the configuration that has nothing to do with the entry."""
    report = audit(guarded(entry, {"MAIL_SERVER": "a.b.c", "PROXIES": ["10.0.0.1"]}))
    (finding,) = report.findings
    assert finding.message.startswith(words)


def test_apps_that_are_mounted_in_front_are_not_seen() -> None:
    app, other, guarded_one = guarded([APP]), Flask("other"), guarded([APP])
    guard = CorsGuard()

    mounts = {"/admin": other, "/a/b": Response(), "/own": guarded_one, "/behind": other}
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounts)  # type: ignore[method-assign]
    app.wsgi_app = guard.wsgi(app.wsgi_app, paths=["/behind"], app=app)  # type: ignore[method-assign]
    change = "app.wsgi_app = guard.wsgi(app.wsgi_app, paths=['{}'])"
    report = audit(app)
    assert not report.findings, told(report)
    assert report.not_seen == (
        "The app mounted at /admin responds in front of the guard, and may send any headers. To"
        f" have the guard decide there: {change.format('/admin')}",
        "The app mounted at /a/b responds in front of the guard, and may send any headers. To"
        f" have the guard decide there: {change.format('/a/b')}",
        "The app mounted at /own has a guard of its own. Audit it too.",
    )
