"""Several policies in one list: each is attacked, and so is their order."""

import re
import time
from collections import Counter
from typing import Any

import pytest
from flask import Blueprint, Flask
from werkzeug.utils import import_string

from flask_corsguard import CorsGuard, Policy, cors
from flask_corsguard.audit import Level, audit
from tests.audit.cases import Case, check_clean, check_found, route, shop, told

# Marks of other tests are not marks of the app.

NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR
EARLIER, NEVER, FIRST = "item_decided_earlier", "policy_never_decides", "callable_asked_first"
APP, OTHER = "https://app.example.com", "https://other.example.com"
LOOSE, EVIL = re.compile(r"https://.*example\.com"), "https://evilexample.com"
ANYBODY = Policy(origins="*")
CREDENTIALS: dict[str, Any] = {"allow_credentials": True}


def listed(*policies: Policy | str, **given: Any) -> Flask:
    """An app with a list of policies, and two routes."""
    app = shop()
    route(app, "GET,PUT /items")
    app.config.update(given)
    CorsGuard(app, policies, policies={"own": Policy(origins=APP), "public": ANYBODY})  # seeded
    return app


def only(origin: str) -> Any:
    """A callable that takes the origin alone."""
    return lambda asked: asked == origin


def _is_other(origin: str) -> bool:
    return origin == OTHER


# Policies, and what is found about their order.
ORDER: dict[str, tuple[tuple[Policy | str, ...], list[tuple[str, Level, str]]]] = {
    "an entry of an earlier one": (
        (Policy(origins=APP), Policy(origins=[APP, OTHER])),
        [(EARLIER, NOTE, f"In policy 2 of 2: '{APP}' has no effect, because policy 1 of 2"
                         " already admits it.")],
    ),
    "by name": (
        ("own", Policy(origins=[OTHER, APP]), "public"),
        [(EARLIER, NOTE, f"In policy 2 of 3: '{APP}' has no effect, because policy 'own' (1 of"
                         " 3) already admits it.")],
    ),
    "a wider one with credentials": (
        (Policy(origins=[APP, OTHER], allow_credentials=True), Policy(origins=[APP, EVIL])),
        [(EARLIER, WARNING, f"In policy 2 of 2: '{APP}' has no effect, because policy 1 of 2"
                            " already admits it.")],
    ),
    "nothing is left": (
        (Policy(origins=[APP, OTHER]), Policy(origins=APP, max_age=0), ANYBODY),
        [(NEVER, NOTE, f"In policy 2 of 3: '{APP}' has no effect, because policy 1 of 3 already"
                       " admits it.")],
    ),
    "nothing is left, by two": (
        (Policy(origins=APP), Policy(origins=OTHER), Policy(origins=[APP, OTHER])),
        [(NEVER, NOTE, f"In policy 3 of 3: '{APP}' has no effect, because policy 1 of 3 already"
                       " admits it."),
         (NEVER, NOTE, f"In policy 3 of 3: '{OTHER}' has no effect, because policy 2 of 3"
                       " already admits it.")],
    ),
    "many entries": (
        (Policy(origins="https://*.example.com"),
         Policy(origins=[EVIL, *(f"https://a{n}.example.com" for n in range(5))])),
        [(EARLIER, NOTE, "In policy 2 of 2: 'https://a0.example.com', 'https://a1.example.com',"
                         " 'https://a2.example.com' and 2 more have no effect, because policy 1"
                         " of 2 already admits them.")],
    ),
    "denied by an earlier one": (
        (Policy(origins=APP, deny_origins=OTHER), Policy(origins=[OTHER, EVIL])),
        [(EARLIER, NOTE, f"In policy 2 of 2: '{OTHER}' has no effect, because policy 1 of 2"
                         " already denies it.")],
    ),
    "a pattern before an origin": (
        (Policy(origins=re.compile(r"https://[a-z]+\.example\.com")), Policy(origins=[APP, EVIL])),
        [(EARLIER, NOTE, f"In policy 2 of 2: '{APP}' has no effect, because policy 1 of 2"
                         " already admits it.")],
    ),
    "a wildcard before one below it": (
        (Policy(origins="https://*.example.com:*"),
         Policy(origins=["https://*.shop.example.com", "https://*.example.com:8443", EVIL])),
        [(EARLIER, NOTE, "In policy 2 of 2: 'https://*.shop.example.com',"
                         " 'https://*.example.com:8443' have no effect, because policy 1 of 2"
                         " already admits them.")],
    ),
    "any port before one": (
        (Policy(origins="http://localhost:*"), Policy(origins=["http://localhost:3000", EVIL])),
        [(EARLIER, NOTE, "In policy 2 of 2: 'http://localhost:3000' has no effect, because"
                         " policy 1 of 2 already admits it.")],
    ),
    "any sub-domain before some": (
        (Policy(origins="https://*.example.com"),
         Policy(origins=["https://pr-*.example.com", "https://pr-*.example.org"])),
        [(EARLIER, NOTE, "In policy 2 of 2: 'https://pr-*.example.com' has no effect, because"
                         " policy 1 of 2 already admits it.")],
    ),
    "a part of a label before a longer one": (
        (Policy(origins="https://pr-*.example.com"),
         Policy(origins=["https://pr-a-*.example.com", "https://pr-*-b.example.com", APP])),
        [(EARLIER, NOTE, "In policy 2 of 2: 'https://pr-a-*.example.com',"
                         " 'https://pr-*-b.example.com' have no effect, because policy 1 of 2"
                         " already admits them.")],
    ),
    "every extension before one": (
        (Policy(origins="moz-extension://*"), Policy(origins="moz-extension://ab-cd")),
        [(NEVER, NOTE, "In policy 2 of 2: 'moz-extension://ab-cd' has no effect, because policy"
                       " 1 of 2 already admits it.")],
    ),
    "a raw one twice": (
        (Policy(raw_origins=["file://", "app://."]), Policy(origins=APP, raw_origins="file://")),
        [(EARLIER, NOTE, "In policy 2 of 2: 'file://' has no effect, because policy 1 of 2"
                         " already admits it.")],
    ),
    "a raw one before everybody": (
        (Policy(raw_origins="file://"), Policy(origins="*", raw_origins="file://")),
        [(EARLIER, NOTE, "In policy 2 of 2: 'file://' has no effect, because policy 1 of 2"
                         " already admits it.")],
    ),
    "no origins": (
        (Policy(origins=APP), Policy(max_age=0), ANYBODY),
        [(NEVER, NOTE, "In policy 2 of 3: no origin is listed.")],
    ),
    "nobody but those denied, last": (
        (Policy(origins=APP), Policy(deny_origins=OTHER)),
        [(NEVER, NOTE, "In policy 2 of 2: no origin is listed.")],
    ),
    "a callable before a list": (
        (Policy(origins=_is_other), Policy(origins=APP)),
        [(FIRST, NOTE, "In policy 1 of 2: the callable _is_other is asked before policy 2 of 2."
                       " If it allows an origin that is listed there, or fails for it, that"
                       " policy is never asked.")],
    ),
    "a callable with credentials before lists": (
        (Policy(origins=_is_other, allow_credentials=True),
         Policy(origins=APP, allow_credentials=True), Policy(origins=EVIL)),
        [(FIRST, WARNING, "In policy 1 of 3: the callable _is_other is asked before policy 2 of"
                          " 3 and policy 3 of 3. If it allows an origin that is listed there,"
                          " or fails for it, that policy is never asked.")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policies", "expected"), ORDER.values(), ids=ORDER)
def test_order(policies: tuple[Policy | str, ...], expected: list[tuple[str, Level, str]]) -> None:
    """Found once, for all routes, at the mark that sets the list."""
    report = audit(listed(*policies))
    found = [finding for finding in report.findings if finding.code in (EARLIER, NEVER, FIRST)]
    assert [(f.code, f.level, f.message) for f in found] == expected, told(report)
    for finding in found:
        assert {each.rule for each in finding.routes} == {"/", "/items"}
        assert "test_lists.py:" in finding.location


CLEAN: dict[str, tuple[Policy | str, ...]] = {
    "by name": ("own", "public"),
    "the narrower one first": (
        Policy(origins=APP), Policy(origins="https://*.example.com"), ANYBODY),
    "credentials for one": (
        Policy(origins=APP, allow_credentials=True, enforce="unsafe"),
        Policy(origins=OTHER, enforce="unsafe")),
    "a list that denies": (Policy(deny_origins=EVIL), Policy(origins=APP), ANYBODY),
    "a wildcard and its apex": (
        Policy(origins="https://*.example.com"), Policy(origins="https://example.com")),
    "a wildcard for another port": (
        Policy(origins="https://*.example.com"), Policy(origins="https://*.example.com:8443")),
    "a wildcard below another name": (
        Policy(origins=["https://*.a.example.com", APP]), Policy(origins="https://*.example.com")),
    "a part of a label before a shorter one": (
        Policy(origins="https://pr-a-*.example.com"), Policy(origins="https://pr-*.example.com")),
    "a part of a label before any": (
        Policy(origins="https://pr-*.example.com"), Policy(origins="https://*.example.com")),
    "a part of a label before longer names": (
        Policy(origins="https://pr-*.example.com"), Policy(origins="https://*.pr-1.example.com")),
    "a label too long to try": (
        Policy(origins=f"https://{'x' * 61}*.example.com"),
        Policy(origins=f"https://y{'x' * 60}*.example.com")),
    "raw": (Policy(raw_origins="file://"), Policy(raw_origins="app://."), "public"),
    "a port before any": (
        Policy(origins="http://localhost:3000"), Policy(origins="http://localhost:*")),
    "a callable last": (Policy(origins=APP), Policy(origins=only(OTHER))),
    "a callable before everybody": (Policy(origins=only(APP)), ANYBODY),
    "the apps that answer preflights": (
        Policy(origins=APP, answer_preflight=False), Policy(origins=OTHER)),
    "everybody but one": ("own", Policy(origins="*", deny_origins=EVIL)),
    "null": (
        Policy(origins=APP), ANYBODY.derive(deny_origins=EVIL)),
}  # fmt: skip


@pytest.mark.parametrize("policies", CLEAN.values(), ids=CLEAN)
def test_clean(policies: tuple[Policy | str, ...]) -> None:
    """Nothing is wrong."""
    check_clean(lambda: listed(*policies))


def _by_mark(*policies: Policy | str) -> Case:
    def build() -> Flask:
        app = shop()
        CorsGuard(app, policies={"own": Policy(origins=APP)})
        cors(policies)(app.view_functions["index"])  # seeded
        return app

    return Case(build, "neighbour_allowed", build, EVIL, routes={"/"})


def _by_blueprint(*policies: Policy | str) -> Case:
    def build() -> Flask:
        app = shop()
        CorsGuard(app)
        api = cors(policies)(Blueprint("api", __name__))  # seeded
        route(api, "GET /a", "GET /b")
        app.register_blueprint(api)
        return app

    return Case(build, "neighbour_allowed", build, EVIL, "/a", routes={"/a", "/b"})


def _by_default(codes: str, *policies: Policy | str, rules: str = "", **given: Any) -> Case:
    def build() -> Flask:
        app = listed(*policies, **given)
        route(app, *filter(None, [rules]))
        return app

    return Case(build, codes, listed)


FOUND = {
    "in the first": _by_mark(Policy(origins=LOOSE), ANYBODY),
    "in the second": _by_mark(Policy(origins=OTHER), Policy(origins=LOOSE)),
    "after a name": _by_mark("own", Policy(origins=LOOSE)),
    "of a blueprint": _by_blueprint(Policy(origins=OTHER), Policy(origins=LOOSE)),
    "max_age": _by_default("max_age_ignored", "own", Policy(origins=OTHER, max_age=9000)),
    "credentials": _by_default(
        "credentials_without_enforce", Policy(origins=APP, **CREDENTIALS), "public"),
    "a login": _by_default("any_origin_next_to_login", "own", "public", rules="POST /login"),
    "one that cannot be used": _by_default(
        "route_never_usable", "own", ANYBODY.derive(methods=["DELETE"]), rules="DELETE /x"),
}  # fmt: skip
FOUND.pop("one that cannot be used")


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_found(case: Case) -> None:
    """What is wrong with one policy of a list is found once, and names that one."""
    check_found(case)
    (finding,) = audit(case.build()).findings
    assert re.match(r"In policy .*\d of 2\b", finding.message) or "login" in finding.code


def test_each_is_named_once() -> None:
    """Two policies with the same mistake are two findings, whatever the number of routes."""
    loose = [Policy(origins=re.compile(rf"https://.*{name}\.example")) for name in ("a", "b")]
    report = audit(listed(*loose))
    assert [finding.message.partition(":")[0] for finding in report.findings] == [
        "In policy 1 of 2",
        "In policy 2 of 2",
    ], told(report)
    assert {finding.evidence for finding in report.findings} == {
        "https://evila.example",
        "https://evilb.example",
    }


def test_callables_of_a_list_are_asked_once() -> None:
    """However many routes there are, and whoever stands before and after them."""
    asked: Counter[str] = Counter()

    def allows(origin: str) -> bool:
        asked[origin] += 1
        return origin == OTHER

    app = listed("own", Policy(origins=allows), "public")
    for number in range(30):
        app.add_url_rule(f"/more-{number}", f"more-{number}", lambda: "")
    report = audit(app)
    assert not report.findings, told(report)
    assert set(asked.values()) == {1}
    assert APP not in asked
    (sentence,) = report.not_seen
    assert f"was asked {len(asked):,} times" in sentence


def test_a_callable_that_fails_in_a_list() -> None:
    """The policy with it is named."""

    def allows(origin: str) -> bool:
        raise ConnectionError(origin)

    (finding,) = audit(listed("own", Policy(origins=allows), "public")).findings
    assert finding.code == "check_failed"
    assert finding.message.startswith("In policy 2 of 3: The callable ")


def test_long_lists_end_soon() -> None:
    """20,000 origins that are all decided about earlier, 100 routes, and everybody last."""
    many = [f"https://c{number}.example.com" for number in range(20_000)]
    app = listed(Policy(origins="https://*.example.com"), Policy(origins=many), "public")
    for number in range(100):
        app.add_url_rule(f"/more-{number}", f"more-{number}", lambda: "")
    started = time.process_time()
    (finding,) = audit(app).findings
    assert time.process_time() - started < 5
    assert finding.code == NEVER


LOOK_ALIKE = "https://evilapp.example.com"
WRONG: dict[str, tuple[tuple[Policy, ...], str]] = {
    "alone": ((Policy(origins=APP),), ""),
    "the first": ((Policy(origins=APP), Policy(origins=LOOK_ALIKE)), "In policy 1 of 2: "),
    "everybody last": ((Policy(origins=APP), ANYBODY), "In policy 1 of 2: "),
    "before a callable": (
        (Policy(origins=APP), Policy(origins=only(LOOK_ALIKE))), "In policy 1 of 2: "),
    "with many wildcards": (
        (Policy(origins=[APP, *(f"https://*.a{n}.example" for n in range(300))]),), ""),
}  # fmt: skip


@pytest.mark.parametrize(("policies", "where"), WRONG.values(), ids=WRONG)
def test_a_guard_that_decides_otherwise(
    policies: tuple[Policy, ...], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guard lets in is compared with the entries as they are written."""
    name = "flask_corsguard.protocol.decision._check_origin"
    check = import_string(name)
    monkeypatch.setattr(name, lambda c, text: None if text == LOOK_ALIKE else check(c, text))
    report = audit(listed(*policies))
    finding = next(each for each in report.findings if each.code == "wrong_policy")
    assert finding.evidence == LOOK_ALIKE
    message = f"{where}No entry names '{LOOK_ALIKE}', but it is let in."
    assert finding.message == message, told(report)
