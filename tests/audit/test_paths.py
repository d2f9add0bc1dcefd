"""Policies by path, and routes that serve the same under another spelling of their path."""

import inspect
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import BaseConverter, PathConverter

from flask_corsguard import CorsGuard, Policy, cors
from flask_corsguard.audit import Level, audit
from flask_corsguard.cli.sarif import as_sarif
from tests.audit.cases import MARKER, check_clean, codes_of, is_let_in, route, told

# Marks of other tests are not marks of the app.

APP, OTHER = "https://app.example.com", "https://other.example.com"
ACT = {"allow_credentials": True, "enforce": "unsafe"}


class _Lower(PathConverter):
    def to_python(self, value: str) -> str:
        return value.lower()


class _DecodedTwice(PathConverter):
    def to_python(self, value: str) -> str:
        return unquote(value)


class _WithoutParameters(PathConverter):
    def to_python(self, value: str) -> str:
        return re.sub(";[^/]*", "", value)


class _Slashes(PathConverter):
    def to_python(self, value: str) -> str:
        return value.replace("\\", "/")


class _Trimmed(BaseConverter):
    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return value.rstrip(" .")


def files(
    converter: type[BaseConverter],
    default: Any,
    rule: str = "/<odd:name>",
    app_class: type[Flask] = Flask,
    **paths: Any,
) -> Flask:
    """An app with one rule whose path is taken for others by its converter.

    :param paths: policies by path, without the slash.
    """
    app = app_class("files", static_folder=None)
    app.url_map.converters["odd"] = converter
    app.add_url_rule(rule, "file", lambda **names: str(names))
    guard = CorsGuard(app, default)
    for name, policy in paths.items():
        guard.for_path(f"/{name}", policy)  # seeded
    return app


PUBLIC, OWN, NOBODY = Policy(origins="*"), Policy(origins=APP), Policy()
ODD: dict[str, tuple[Any, str, str]] = {
    "upper case": (lambda: files(_Lower, PUBLIC, private=OWN), "/PRIVATE", OTHER),
    "a list of policies": (
        lambda: files(_Lower, [OWN, PUBLIC], private=[OWN, Policy(origins=OTHER)]),
        "/PRIVATE", "https://corsguard-audit.invalid"),
    "one segment": (
        lambda: files(_Lower, PUBLIC, "/<odd:lang>/about", de=OWN), "/DE/about", OTHER),
    "decoded twice": (
        lambda: files(_DecodedTwice, PUBLIC, private=OWN), "/x/%2e%2e/private", OTHER),
    "decoded twice, below an open path": (
        lambda: files(_DecodedTwice, NOBODY, open=PUBLIC), "/open/%2e%2e/xx", OTHER),
    "parameters": (
        lambda: files(_WithoutParameters, NOBODY, open=OWN), "/open/..;x/xx", APP),
    "parameters, with credentials": (
        lambda: files(_WithoutParameters, OWN, **{"a/b": Policy(origins=APP, **ACT)}),
        "/a/b/..;x/..;x/xx", APP),
    "a callable": (
        lambda: files(_DecodedTwice, Policy(origins=lambda o: o == APP), a=NOBODY),
        "/x/%2e%2e/a", APP),
    "a wildcard": (
        lambda: files(_Lower, Policy(origins="https://*.example.com"), private=OWN),
        "/PRIVATE", OTHER),
    "a raw origin": (
        lambda: files(_Lower, Policy(raw_origins="app://."), private=OWN), "/PRIVATE", "app://."),
    "white space": (
        lambda: files(_Trimmed, PUBLIC, "/<odd:name>/x", private=OWN), "/private /x", OTHER),
}  # fmt: skip


@pytest.mark.parametrize(("build", "path", "origin"), ODD.values(), ids=ODD)
def test_other_spellings(build: Any, path: str, origin: str) -> None:
    """Found once for a route, with a path and an origin that show it."""
    report = audit(build())
    (finding,) = (each for each in report.findings if each.code == "wrong_policy")
    assert finding.level is Level.ERROR
    assert finding.message.startswith(f"'{path}' serves the same as '"), finding.message
    assert "test_paths.py:" in finding.location
    assert finding.source
    assert len(finding.routes) == 1
    assert is_let_in(build(), path.replace("%", "%25"), finding.evidence)
    assert is_let_in(build(), path.replace("%", "%25"), origin)


class _AnyCase(Flask):
    """Takes every path in lower case."""

    def create_url_adapter(self, request: Any) -> Any:
        adapter = super().create_url_adapter(request)
        if adapter is not None:
            adapter.path_info = adapter.path_info.lower()
        return adapter


def _with_blueprint() -> Flask:
    app = Flask("shop", static_folder=None)
    api = cors(origins=APP)(Blueprint("api", __name__, url_prefix="/api"))
    route(api, "GET /a", "GET /b/<path:name>")
    app.register_blueprint(api)
    CorsGuard(app).for_path("/api", origins=OTHER)
    return app


CLEAN: dict[str, Any] = {
    "any path": lambda: files(PathConverter, PUBLIC, private=OWN),
    "any path, opened": lambda: files(PathConverter, NOBODY, open=PUBLIC),
    "any path, two": lambda: files(PathConverter, NOBODY, a=OWN, **{"a/b": PUBLIC}),
    "any path, a list": lambda: files(PathConverter, [OWN, PUBLIC], private=OWN),
    "any segment": lambda: files(BaseConverter, PUBLIC, "/<odd:lang>/x", de=OWN),
    "backslashes": lambda: files(_Slashes, NOBODY, open=PUBLIC),
    "lower case, opened": lambda: files(_Lower, NOBODY, open=PUBLIC),
    "the same policy everywhere": lambda: files(_DecodedTwice, OWN, a=OWN, b=OWN),
    "a rule of its own": lambda: files(PathConverter, PUBLIC, "/private/x", private=OWN),
    "any case, a rule of its own": lambda: files(
        PathConverter, PUBLIC, "/private/x", _AnyCase, private=OWN),
    "below a blueprint's mark": _with_blueprint,
}  # fmt: skip


@pytest.mark.parametrize("build", CLEAN.values(), ids=CLEAN)
def test_clean(build: Any) -> None:
    """No spelling has a wider policy, or none serves the same."""
    check_clean(build)


def _in_configuration() -> Flask:
    app = Flask("shop", static_folder=None)
    route(app, "GET /api/a")
    app.config["CORSGUARD_PATHS"] = {"/api": {"origins": APP}, "/apis": {"origins": APP}}
    CorsGuard(app)
    return app


def test_locations_in_sarif() -> None:
    """A path's and a list's findings are at the line of their mark; what differs is told apart."""
    app = files(_Lower, PUBLIC, private=[OWN, Policy(origins=APP, max_age=9000)], nowhere=OWN)
    report = audit(app)
    results = json.loads(as_sarif(report, None))["runs"][0]["results"]
    lines, first = inspect.getsourcelines(files)
    line = next(n for n, text in enumerate(lines, first) if text.rstrip().endswith(MARKER))
    assert {each["ruleId"] for each in results} == {
        "wrong_policy",
        "policy_never_decides",
        "max_age_ignored",
    }
    for each in results:
        (location,) = each["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("test_paths.py")
        assert location["physicalLocation"]["region"]["startLine"] == line
    assert len({each["partialFingerprints"]["flaskCorsGuard/v1"] for each in results}) == len(
        results
    )


UNUSED: dict[str, tuple[Any, str, str]] = {
    "by for_path": (
        lambda: files(PathConverter, OWN, "/x/y", private=NOBODY), "/private", "test_paths.py:"),
    "in the configuration": (_in_configuration, "/apis", "CORSGUARD_PATHS"),
}  # fmt: skip


@pytest.mark.parametrize(("build", "prefix", "location"), UNUSED.values(), ids=UNUSED)
def test_paths_without_a_rule(build: Any, prefix: str, location: str) -> None:
    """A remark, at the mark."""
    (finding,) = audit(build()).findings
    assert (finding.code, finding.level) == ("path_without_rule", Level.NOTE)
    assert f"'{prefix}'" in finding.message
    assert " covers no route of the app. " in finding.message
    assert finding.source == f"path {prefix}"
    assert location in finding.location


def test_a_callable_is_asked_a_few_times() -> None:
    """However many spellings there are."""
    asked: list[str] = []

    def allows(origin: str, request: Any) -> bool:
        asked.append(origin)
        return False

    app = files(_DecodedTwice, Policy(origins=allows, max_age=0), a=OWN, b=PUBLIC)
    audit(app)
    assert len(asked) < 2_000


def test_each_prefix_of_a_rule_is_attacked() -> None:
    """A catch-all rule has a row for each path, and each of these is attacked as others are."""
    loose = Policy(origins=re.compile(r"https://.*example\.com"))
    app = files(PathConverter, OWN, a=loose, **{"b/c": loose})
    report = audit(app)
    assert codes_of(report) == {"neighbour_allowed"}, told(report)
    sources = {each.source for finding in report.findings for each in finding.routes}
    assert sources == {"path /a", "path /b/c"}
