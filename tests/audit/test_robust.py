"""Apps on which an audit could stumble: it comes to its end, and soon, whatever they do."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest
from flask import Flask, Request, g
from werkzeug.local import LocalProxy

from flask_corsguard import CorsGuard
from tests.audit.judging import Build, codes_of, found_in, told

APP = "https://app.example.com"
SLOW = r"^https://([a-z0-9]+-?)+\.example\.com$"


def guarded(origins: Any = APP, **config: Any) -> Flask:
    app = Flask("shop", static_folder=None)
    app.config.update(config)
    CorsGuard(app, origins=origins)
    app.add_url_rule("/", "index", lambda: "shop")
    return app


class _Failing(dict[str, str]):
    def _fail(self) -> Any:
        raise ConnectionError("no data base")

    keys = values = items = __iter__ = _fail


class _Endless(dict[str, str]):
    def items(self) -> Any:
        return itertools.repeat(("https://x.example", ""))


PROXIES = (LocalProxy(lambda: g.db), LocalProxy(lambda: 1 / 0))
FAILING, ENDLESS = _Failing(a="b"), _Endless(a="b")


def reads_odd_things(origin: str) -> bool:
    return origin == APP and bool(PROXIES or FAILING or ENDLESS)


def test_callables_that_hold_odd_things() -> None:
    report = found_in(guarded(reads_odd_things))
    assert not report.findings, told(report)


def _matches(origin: str) -> bool:
    return bool(re.match(r"^(https?://)?([\da-z.-]+)*\.example\.com/?$", origin))


def _matches_compiled(origin: str) -> bool:
    return bool(COMPILED.match(origin))


COMPILED = re.compile(SLOW)
PATTERNS: tuple[Any, ...] = (
    re.compile(r"https://pr-([a-z0-9]+-?)+\.example\.com"),
    re.compile(r"https://(www|pr-([a-z0-9]+-?)+)\.example\.com"),
    re.compile(r"http://([a-z0-9]+-?)+\.local"),
    re.compile("https://" + "[a-z]?" * 300),
    re.compile("https://" + ".*" * 30 + "x"),
    _matches,
    _matches_compiled,
)


@pytest.mark.parametrize("entry", PATTERNS)
def test_slow_patterns_wherever_they_are(entry: Any) -> None:
    started = time.process_time()
    report = found_in(guarded(entry))
    assert "slow_pattern" in codes_of(report), told(report)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", ["https://" + "a?" * 100 + "a" * 100, "x" * 50_000])
def test_patterns_that_match_nothing(pattern: str) -> None:
    started = time.process_time()
    report = found_in(guarded(re.compile(pattern)))
    assert not report.findings, told(report)
    assert time.process_time() - started < 5


MANY = tuple(f"https://s{number}.customer{number}.example" for number in range(300))


def _by_list(origin: str) -> bool:
    return origin in MANY


def _by_asking(origin: str, request: Request) -> bool:
    time.sleep(0.0002)  # as if there was a data base
    return origin == APP and bool(request.path)


@pytest.mark.parametrize("check", [_by_list, _by_asking])
def test_many_routes_and_a_callable_with_much_to_do(check: Any) -> None:
    app = guarded(check)
    for number in range(500):
        app.add_url_rule(f"/items-{number}", f"items-{number}", lambda: "shop")
    started = time.perf_counter()
    assert not found_in(app).findings
    assert time.perf_counter() - started < 30


def _with_failing_teardown() -> Flask:
    app = guarded()

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        g.db.close()

    return app


def _with_a_request_class_that_fails() -> Flask:
    class Versioned(Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.version = self.environ["HTTP_X_VERSION"]

    app = guarded(re.compile(r"https://.*example\.com"))
    app.request_class = Versioned
    return app


def _with_odd_keys() -> Flask:
    app = guarded(reads_odd_things)
    app.config[1] = "example.com"  # type: ignore[index]
    return app


APPS: dict[Build, set[str]] = {
    _with_failing_teardown: set(),
    _with_a_request_class_that_fails: {"neighbour_allowed"},
    _with_odd_keys: set(),
    lambda: guarded(TRUSTED_HOSTS="shop.example"): set(),
    lambda: guarded(TRUSTED_HOSTS={"shop.example"}): set(),
}


@pytest.mark.parametrize("build", APPS)
def test_apps(build: Build) -> None:
    report = found_in(build())
    assert codes_of(report) == APPS[build], told(report)


GLOBS = ("[!a]*", "[a-", "[]]", "[[]x", "**/*.woff2", "?", "*.[jJ][sS]", "a[b-", "\\*", "a/b/*.js")


@pytest.mark.parametrize("globs", [*((glob,) for glob in GLOBS), GLOBS, GLOBS[::-1]])
def test_files_of_every_kind(globs: tuple[str, ...]) -> None:
    """The name that is asked for is one that the globs fit."""
    app = Flask("shop")
    guard = CorsGuard(app, origins=APP)
    for glob in globs:
        guard.for_files("static", glob, origins=re.compile(r"https://.*"))
    report = found_in(app)
    assert codes_of(report) == {"anybody_allowed"}, told(report)


MESSAGES: tuple[tuple[Any, str], ...] = (
    (re.compile(r"https://.*"), "The pattern 'https://.*' lets in "),
    (
        re.compile(r"https?://localhost.*"),
        "The pattern 'https?://localhost.*', which means 'localhost', lets in ",
    ),
    (
        lambda origin: origin.endswith("shop.example"),
        "The callable <lambda>, which means 'shop.example', lets in ",
    ),
    (lambda origin: bool(origin), "The callable <lambda> lets in "),
)


@pytest.mark.parametrize(("entry", "words"), MESSAGES)
def test_what_an_entry_means_has_to_do_with_it(entry: Any, words: str) -> None:
    report = found_in(guarded(entry, MAIL_SERVER="a.b.c", PROXIES=["10.0.0.1"]))
    (finding,) = report.findings
    assert finding.message.startswith(words)
