"""Findings can be accepted in the configuration; a report is safe to print and the same each time,
and the audit leaves the app as it was."""

import itertools
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, got_request_exception

from flask_corsguard import CorsGuard, CorsGuardError, cors
from flask_corsguard.audit import Level, audit
from tests.audit import cases
from tests.audit.cases import codes_of, guarded, is_let_in, register, route

# Marks of other tests are not marks of the app.

APP = "https://app.example.com"
KEY = "CORSGUARD_AUDIT_ACCEPT"
NULL = "null_allowed"
SUBDOMAINS = "subdomains_with_credentials"


def shop(accept: Any = None) -> Flask:
    """An app with every sub-domain let in by default, and null at two routes."""
    app = cases.shop()
    if accept is not None:
        app.config[KEY] = accept
    guard = CorsGuard(app, origins="https://*.example.com", allow_credentials=True)
    for name in ("embed", "frame"):
        app.add_url_rule(f"/{name}", name, lambda: "")
        guard.for_endpoint(
            name, origins="null", allow_credentials=False, dangerously_allow_null_origin=True
        )
    return app


@pytest.mark.parametrize(
    ("accept", "left", "accepted"),
    [
        (None, {"index", "embed", "frame"}, set()),
        ({SUBDOMAINS: "ours"}, {"embed", "frame"}, {(SUBDOMAINS, "index", "ours")}),
        (
            {SUBDOMAINS: "ours", NULL: "old"},
            set(),
            {(SUBDOMAINS, "index", "ours"), (NULL, "embed", "old"), (NULL, "frame", "old")},
        ),
        ({f"{NULL}:embed": "old"}, {"index", "frame"}, {(NULL, "embed", "old")}),
    ],
    ids=["nothing", "a code", "several codes", "a code of an endpoint"],
)
def test_what_is_accepted(accept: Any, left: set[str], accepted: set[tuple[str, ...]]) -> None:
    """Accepted findings are reported with their reason, apart from the others."""
    report = audit(shop(accept))
    assert {route.endpoint for f in report.findings for route in f.routes} == left
    assert {(f.code, r.endpoint, f.accepted) for f in report.accepted for r in f.routes} == accepted
    assert report.unused == ()
    assert not [f for f in report.findings if f.accepted]


def test_an_endpoint_of_a_finding_about_several() -> None:
    """If a finding about two routes is accepted for one, it stays for the other."""

    def build(accept: Any) -> Flask:
        app = guarded([APP, "null"], {KEY: accept}, dangerously_allow_null_origin=True)
        route(app, "GET /a")
        return app

    report = audit(build({f"{NULL}:index": "an old page"}))
    assert {route.endpoint for f in report.findings for route in f.routes} == {"a"}
    report = audit(build({f"{NULL}:index": "an old page", f"{NULL}:a": "another"}))
    assert report.findings == ()
    assert {route.endpoint for f in report.accepted for route in f.routes} == {"index", "a"}


def test_a_code_with_a_route_of_a_blueprint() -> None:
    app = guarded((), {KEY: {f"{NULL}:legacy.embed": "reason"}})
    mark = cors(origins="null", dangerously_allow_null_origin=True)
    register(app, mark(Blueprint("legacy", __name__)), "GET /embed")
    report = audit(app)
    assert report.findings == ()
    assert [f.accepted for f in report.accepted] == ["reason"]


@pytest.mark.parametrize(
    "key", ["max_age_ignored", f"{NULL}:index", f"{NULL}:nowhere", f"{NULL}:", "lost_mark:embed"]
)
def test_what_accepts_nothing_is_named(key: str) -> None:
    """The report names a key that fits no finding."""
    report = audit(shop({key: "no longer", SUBDOMAINS: "ours"}))
    assert report.unused == (key,)
    assert codes_of(report) == {NULL}


@pytest.mark.parametrize(
    ("accept", "words"),
    [
        ({"null_alowed": "reason"}, ["null_alowed", "null_allowed"]),
        ({"null-allowed": "reason"}, ["null-allowed", "null_allowed"]),
        ({"NULL_ALLOWED": "reason"}, ["null_allowed"]),
        ({"null_alowed:embed": "reason"}, ["null_allowed"]),
        ({"subdomain_with_credentials": "reason"}, [SUBDOMAINS]),
        ({NULL: ""}, [NULL]),
        ({NULL: "   "}, [NULL]),
        ({NULL: None}, [NULL]),
        ({NULL: True}, [NULL]),
        ({f"{NULL}:embed": ""}, [NULL]),
        ({7: "reason"}, ["7"]),
        ({"null\x1b[31m\nallowed": "reason"}, ["null_allowed"]),
        ([NULL], [KEY]),
        (NULL, [KEY]),
    ],
)
def test_what_cannot_be_used(accept: Any, words: list[str]) -> None:
    """The error names the code that is probably meant, or the key without a usable reason. It
    is safe to print."""
    with pytest.raises(CorsGuardError) as caught:
        audit(shop(accept))
    for word in (KEY, *words):
        assert word in str(caught.value)
    assert str(caught.value).isprintable()


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FLASK_{KEY}", json.dumps({SUBDOMAINS: "ours", NULL: "an old page"}))
    app = Flask("shop", static_folder=None)
    app.config.from_prefixed_env()
    report = audit(shop(app.config[KEY]))
    assert report.findings == ()


def test_accepting_changes_no_response() -> None:
    for accept in (None, {NULL: "reason"}):
        app = shop(accept)
        assert is_let_in(app, "/embed", "null")
        assert not is_let_in(app, "/", "null")


def test_levels() -> None:
    report = audit(shop())
    levels = [f.level for f in report.findings]
    assert levels == sorted(levels, reverse=True)
    assert report.at_least(Level.NOTE) == list(report.findings)
    assert {f.code for f in report.at_least(Level.ERROR)} <= {NULL}


# Safe to print.

HOSTILE = "\x1b[31mred\x1b[0m\r\n\u202egnorw\x07"


def hostile_pattern() -> Flask:
    pattern = re.compile(f"(https://.*example\\.com|{re.escape(HOSTILE)})")
    app = guarded(pattern, {KEY: {NULL: f"because {HOSTILE}"}})
    view = cors(origins="null", dangerously_allow_null_origin=True)(lambda: "")
    app.add_url_rule(f"/{HOSTILE}", f"view {HOSTILE}", view)
    return app


def asking(allows: Any) -> Flask:
    allows.__name__ = allows.__qualname__ = HOSTILE
    return guarded(allows)


def fails(origin: str) -> Any:
    raise ValueError(HOSTILE)


@pytest.mark.parametrize(
    "build",
    [hostile_pattern, lambda: asking(fails), lambda: asking(lambda origin: HOSTILE)],
    ids=["pattern", "error", "return value"],
)
def test_what_is_found_is_safe_to_print(build: Callable[[], Flask]) -> None:
    """No control character in a pattern, a name, an error or a value gets through."""
    report = audit(build())
    assert report.findings
    for finding in (*report.findings, *report.accepted):
        assert finding.message.isprintable(), finding.message
        assert "\u202e" not in finding.message
        assert finding.evidence.isprintable()


# The same each time.


def test_the_order_is_the_same_each_time() -> None:
    app = shop()
    assert audit(app) == audit(app) == audit(shop())


# The app is as it was.


def names_of(app: Flask) -> Any:
    """What makes an app what it is."""
    return (
        {k: set(v) for k, v in app.before_request_funcs.items()},
        {k: set(v) for k, v in app.after_request_funcs.items()},
        dict(app.view_functions),
        list(app.url_map.iter_rules()),
        dict(app.config),
        app.wsgi_app,
        set(app.extensions),
        app.debug,
        app.testing,
    )


def test_the_app_is_as_it_was(caplog: pytest.LogCaptureFixture, heard: list[Any]) -> None:
    caplog.set_level(logging.DEBUG)
    app = shop()
    ran: list[str] = []
    app.before_request(lambda: ran.append("before"))
    app.after_request(lambda response: ran.append("after") or response)
    app.teardown_request(lambda error: ran.append("teardown"))
    app.teardown_appcontext(lambda error: ran.append("context"))
    before = names_of(app)
    with got_request_exception.connected_to(lambda *_, **__: heard.append("an exception")):
        audit(app)
    assert names_of(app) == before
    assert heard == []
    assert [r for r in caplog.records if r.name != "asyncio"] == []
    assert "before" not in ran  # the others run for preflights, which are really sent


def test_another_policy_is_audited_anew() -> None:
    app = guarded(re.compile(r"https://.*example\.com"))
    assert codes_of(audit(app)) == {"neighbour_allowed"}
    CorsGuard().reconfigure(origins=APP, app=app)
    assert codes_of(audit(app)) == set()
    assert is_let_in(app, "/", APP)
    assert not is_let_in(app, "/", "https://evilexample.com")


def test_requests_are_decided_as_before() -> None:
    asked = [
        ("/", APP), ("/", "https://a.b.example.com"), ("/", "https://evil.net"), ("/", "null"),
        ("/embed", "null"), ("/embed", APP), ("/nowhere", APP),
    ]  # fmt: skip

    def responses(app: Flask) -> Any:
        found = []
        for (path, origin), method in itertools.product(asked, ("GET", "OPTIONS")):
            headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            response = app.test_client().open(path, method=method, headers=headers)
            found.append((response.status_code, sorted(response.headers.items())))
        return found

    audited = shop()
    audit(audited)
    expected = responses(shop())
    assert responses(audited) == expected
    # in the middle of its life, too
    audit(audited)
    assert responses(audited) == expected


def test_rejections_are_logged_after_it_too(log_lines: Callable[[], list[str]]) -> None:
    """The log leaves out repeated lines for a minute, but the audit's requests do not count."""
    app = shop()
    audit(app)
    assert not is_let_in(app, "/", "https://evil.net")
    assert len(log_lines()) == 1


def test_a_part_names_its_own_sources() -> None:
    accepted = {"max_age_ignored:b": "old clients", "max_age_ignored:c": "old clients"}
    app = guarded(APP, {KEY: accepted})
    for name in "abc":
        app.add_url_rule(f"/{name}", name, cors(max_age=86400)(lambda: ""))
    report = audit(app)
    assert [finding.source for finding in report.findings] == ["view a"]
    assert [finding.source for finding in report.accepted] == ["view b", "view c"]


def test_an_app_without_a_guard() -> None:
    with pytest.raises(CorsGuardError):
        audit(Flask("shop"))


@pytest.mark.parametrize("answer_preflight", [True, False])
def test_no_view_runs(answer_preflight: bool) -> None:
    """An audit runs no view, not even one that takes OPTIONS itself."""
    ran: list[str] = []
    fields = {"allow_credentials": True, "enforce": "unsafe", "answer_preflight": answer_preflight}
    app = guarded(APP, **fields)

    @app.route("/<path:name>", methods=["GET", "POST", "OPTIONS"], provide_automatic_options=False)
    def view(name: str) -> str:
        ran.append(name)
        return ""

    audit(app)
    assert ran == []
