"""Apps on which an audit could stumble: it ends soon, whatever they do."""

import itertools
import re
import time
from functools import partial
from typing import Any

import pytest
from flask import Flask, Request, g
from werkzeug.local import LocalProxy
from werkzeug.routing import BaseConverter

from flask_corsguard import CorsGuard, cors
from flask_corsguard.audit import Report, audit
from tests.audit.cases import Build, codes_of, guarded, route, told
from tests.raised import Timeout

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


def by_asking(origin: str, request: Request) -> bool:
    time.sleep(0.0002)  # as if there was a data base
    return origin == APP and bool(request.path)


@pytest.mark.parametrize(
    ("allows", "most"),
    [(lambda origin: origin in MANY, 500), (by_asking, 50)],
    ids=["a long list", "a data base"],
)
def test_many_routes_and_a_callable_with_much_to_do(allows: Any, most: int) -> None:
    """Everything is tried on the first route; on the others, only what takes little time."""
    first, app = guarded(allows), guarded(allows)
    for number in range(20):
        app.add_url_rule(f"/items-{number}", f"items-{number}", lambda: "shop")
    report = audit(app)
    assert not report.findings
    # Each as a request and as its preflight: these, and some that were let in.
    assert report.attempts <= audit(first).attempts + 20 * 2 * (most + 70)


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


GLOBS = ("[!a]*", "[a-", "[]]", "[[]x", "**/*.woff2", "?", "*.[jJ][sS]", "a[b-", "\\*", "a/b/*.js")


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
        "The pattern 'https?://localhost.*', which means 'localhost', lets in ",
    ),
    "callable": (
        lambda origin: origin.endswith("shop.example"),
        "The callable <lambda>, which means 'shop.example', lets in ",
    ),
    "callable for everybody": (lambda origin: bool(origin), "The callable <lambda> lets in "),
}


@pytest.mark.parametrize(("entry", "words"), MESSAGES.values(), ids=MESSAGES)
def test_what_an_entry_means_has_to_do_with_it(entry: Any, words: str) -> None:
    """A message never names a host from the configuration that has nothing to do with the entry."""
    report = audit(guarded(entry, {"MAIL_SERVER": "a.b.c", "PROXIES": ["10.0.0.1"]}))
    (finding,) = report.findings
    assert finding.message.startswith(words)
