"""Small apps in which something is wrong, or nothing, and what an audit has to find in them."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Blueprint, Flask

from flask_corsguard import CorsGuard
from flask_corsguard.audit import RULES, Finding, Level, Report, audit

Build = Callable[[], Flask]
MARKER = "# seeded"


class Case(NamedTuple):
    """An app with a mistake, and what has to be found in it.

    :ivar build: makes the app.
    :ivar codes: all codes that have to be found, with spaces in between.
    :ivar marked: the function with the line at fault, which ends in the comment ``# seeded``, or in
        ``# seeded: code`` if there are several. Without one, the line is of no interest.
    :ivar let_in: an origin that should not be allowed, and is, at the URL ``path``; or "".
    :ivar level: the level of every finding, if that is of interest.
    :ivar routes: the rules that the findings are about, if that is of interest.
    :ivar location: where the findings are, if that is not a line.
    """

    build: Build
    codes: str
    marked: Callable[..., Any]
    let_in: str = ""
    path: str = "/"
    level: Level | None = None
    routes: set[str] | None = None
    location: str = ""


def codes_of(report: Report) -> set[str]:
    """The codes of what was found."""
    return {finding.code for finding in report.findings}


def told(report: Report) -> str:
    """The findings, for the message of a test that fails."""
    return "\n".join(
        f"{f.level.name} {f.code} [{f.source} | {f.location}] {f.message} {f.evidence!r}"
        f" {', '.join(map(str, f.routes))}"
        for f in report.findings
    )


def check_clean(build: Build) -> None:
    """Nothing is found, at all of the app's routes."""
    app = build()
    report = audit(app)
    assert not codes_of(report), told(report)
    assert not report.accepted
    assert not report.unused
    assert report.routes or not list(app.url_map.iter_rules())


def check_found(case: Case) -> None:
    """The mistake is real, and the audit finds exactly that, at the right place."""
    assert not case.let_in or is_let_in(case.build(), case.path, case.let_in)
    report = audit(case.build())
    assert codes_of(report) == set(case.codes.split()), told(report)
    if case.routes is not None:
        concerned = {route.rule for finding in report.findings for route in finding.routes}
        assert concerned == case.routes, told(report)
    lines = _seeded_lines(case.marked)
    file = (inspect.getsourcefile(case.marked) or "").rpartition("/")[2]
    for finding in report.findings:
        assert case.level in (None, finding.level)
        assert case.location in finding.location
        wanted = () if case.location else lines.get(finding.code, lines.get("", ()))
        ends = tuple(f"{file}:{number}" for number in wanted)
        assert not ends or finding.location.endswith(ends), (finding.location, ends)
        _check_finding(finding, case)


def _check_finding(finding: Finding, case: Case) -> None:
    assert finding.message
    assert finding.message.isprintable()
    assert finding.rule is RULES[finding.code]
    assert finding.level <= finding.rule.level
    if finding.code in ("neighbour_allowed", "anybody_allowed"):
        route = finding.routes[0]
        method = next(method for method in route.methods if method != "OPTIONS")
        path = case.path if "<" in route.rule else route.rule
        assert is_let_in(case.build(), path, finding.evidence, method), finding


def _seeded_lines(function: Callable[..., Any]) -> dict[str, set[int]]:
    """The numbers of the marked lines of a function, by code; "" is any code."""
    lines, first = inspect.getsourcelines(function)
    found: dict[str, set[int]] = {}
    for number, line in enumerate(lines, first):
        _, marker, rest = line.partition(MARKER)
        for code in (rest.lstrip(":").split() or [""]) if marker else ():
            assert not code or code in RULES, code
            found.setdefault(code, set()).add(number)
    return found


def is_let_in(app: Flask, path: str, origin: str, method: str = "GET") -> bool:
    """Whether a page of that origin gets to read the response."""
    response = app.test_client().open(path, method=method, headers={"Origin": origin})
    return response.headers.get("Access-Control-Allow-Origin") in (origin, "*")


def changed(
    change: Callable[..., Any],
    make: Callable[[], Flask],
    config: dict[str, Any] | None,
    fields: dict[str, Any],
) -> Build:
    """Makes an app, with a guard that has these fields, and changes it. A *change* that takes
    nothing but the app makes its own guard."""

    def build() -> Flask:
        app = make()
        app.config.update(config or {})
        if change.__code__.co_argcount == 1:
            change(app)
        else:
            change(app, CorsGuard(app, **fields))
        return app

    return build


def shop() -> Flask:
    """An app without a guard, with one public view."""
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/", "index", lambda: "shop")
    return app


def guarded(origins: Any, config: Mapping[Any, Any] | None = None, **fields: Any) -> Flask:
    """The app of :func:`shop`, with a guard whose default policy has these fields."""
    app = shop()
    app.config.update(config or {})
    CorsGuard(app, origins=origins, **fields)  # seeded
    return app


def register(app: Flask, blueprint: Blueprint, *rules: str) -> None:
    """Add routes to a blueprint, and it to the app."""
    route(blueprint, *rules)
    app.register_blueprint(blueprint)


def route(app: Flask | Blueprint, *rules: str, view: Callable[..., Any] | None = None) -> None:
    """Add routes: ``GET,POST /login``. Without *view*, each has one of its own."""
    for methods, path in map(str.split, rules):
        endpoint = path.strip("/").replace("/", "_") or "index"
        app.add_url_rule(path, endpoint, view or (lambda: ""), methods=methods.split(","))


def handler() -> Callable[..., str]:
    """A new method for a view class."""
    return lambda self, **_: ""


def wrapping(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that keeps what a view is."""
    return functools.wraps(view)(unnamed(view))


def unnamed(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides what a view is."""
    return lambda *args, **kwargs: view(*args, **kwargs)
