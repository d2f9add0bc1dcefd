"""Sources where they do not belong, and settings of sources that cannot be used."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy, PolicyError, cors
from tests.sources.memory_store import ALLOWED, NOT_ALLOWED, Site, Store

GOOD = "https://good.example"


class NotCallable:
    load = "rows"


MISUSED: dict[str, tuple[dict[str, Any], str]] = {
    "deny_origins": ({"origins": "*", "deny_origins": [Store(GOOD)]}, "deny_origins"),
    "deny_origins alone": ({"origins": "*", "deny_origins": Store(GOOD)}, "deny_origins"),
    "raw_origins": ({"raw_origins": [Store(GOOD)]}, "raw_origins"),
    "raw_origins alone": ({"raw_origins": Store(GOOD)}, "raw_origins"),
    "a class": ({"origins": [Store]}, "origins"),
    "a class alone": ({"origins": Store}, "origins"),
    "beside everybody": ({"origins": ["*", Store(GOOD)]}, "origins"),
    "beside everybody, first": ({"origins": [Store(GOOD), "*"]}, "origins"),
    "its method": ({"origins": [Store(GOOD).load]}, "origins"),
    "its rows": ({"origins": Store(GOOD).load()}, "origins"),
    "no source": ({"origins": [object()]}, "origins"),
    "a list in a list": ({"origins": [[Store(GOOD)]]}, "origins"),
    "a load that cannot be called": ({"origins": [NotCallable()]}, "origins"),
    "methods": ({"origins": GOOD, "methods": [Store("PUT")]}, "methods"),
    "allow_headers": ({"origins": GOOD, "allow_headers": Store("X-A")}, "allow_headers"),
}


@pytest.mark.parametrize(("fields", "field"), MISUSED.values(), ids=MISUSED)
def test_where_no_source_can_be(fields, field):
    with pytest.raises(PolicyError) as caught:
        Policy(**fields)
    assert {problem.field for problem in caught.value.problems} == {field}
    assert all(problem.message for problem in caught.value.problems)
    with pytest.raises(PolicyError):
        CorsGuard(Flask("shop"), **fields)
    with pytest.raises(PolicyError):
        cors(**fields)


def test_no_source_for_own_pages():
    for value in (Store(GOOD), [Store(GOOD)], [GOOD, Store(GOOD)]):
        with pytest.raises(PolicyError, match="self_origins"):
            CorsGuard(Flask("shop"), origins=GOOD, self_origins=value)


SECONDS = [0, -1, float("nan"), float("inf"), 86401, "1", None, True, [1], 1j, "a\nb"]
SETTINGS: list[tuple[str, Any]] = [
    *((name, value) for name in ("refresh", "deadline", "stale_after") for value in SECONDS),
    *(("reload_every", value) for value in SECONDS if value is not None),
    *(("at_start", value) for value in ("open", "", None, True, "Fail", 1, [], ["fail"])),
    *(("by", value) for value in ("request.host", 1, "host", [], True)),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=repr)
def test_settings_of_a_source(name, value):
    """Said when the policy is made, with the field, the value and what to write."""
    with pytest.raises(PolicyError, match=name) as caught:
        Policy(origins=[GOOD, Store(GOOD, **{name: value})], origins_vary=["Host"])
    assert name in str(caught.value)
    assert str(caught.value).isprintable() or "problems:" in str(caught.value)
    if name != "by":
        assert repr(value) in str(caught.value)


def test_everything_at_once():
    wrong = Store(GOOD, refresh=0, deadline="x", at_start="open")
    with pytest.raises(PolicyError) as caught:
        Policy(origins=[wrong, "https://Bad.example"], deny_origins="x", max_age=-1)
    text = str(caught.value)
    assert all(part in text for part in ("refresh", "deadline", "at_start", "Bad.example"))
    assert {"deny_origins", "max_age"} <= {problem.field for problem in caught.value.problems}


@pytest.mark.parametrize("name", ["refresh", "deadline", "stale_after"])
@pytest.mark.parametrize("value", [0.001, 1, 0.5, 86400])
def test_settings_that_can_be_used(name, value):
    site = Site(origins=[Store(GOOD, **{name: value})])
    # On a busy machine, a millisecond can be over before anything is read.
    assert any(site.ask(GOOD) == ALLOWED for _ in range(200))


def test_a_source_has_only_to_load():
    class Mine:
        def load(self) -> Any:
            return 1, [GOOD]

    site = Site(origins=Mine())
    assert site.ask(GOOD) == ALLOWED
    assert site.ask("https://stranger.example") == NOT_ALLOWED
    assert site.source()["name"]
    assert "Mine" in repr(site.guard.routes()[0].policy)


def test_a_source_with_slots():
    class Slotted:
        __slots__ = ()

        def load(self) -> Any:
            return 1, [GOOD]

    site = Site(origins=[Slotted()])
    assert site.ask(GOOD) == ALLOWED
    assert site.ask("https://stranger.example") == NOT_ALLOWED


def test_a_source_that_cannot_be_hashed():
    """Such as most dataclasses: it works, or it is said what is wrong with it."""

    @dataclass
    class Mine:
        rows: list[str]

        def load(self) -> Any:
            return 1, self.rows

    with contextlib.suppress(PolicyError):
        policy = Policy(origins=[Mine([GOOD])])
        assert hash(policy) == hash(policy)
        assert policy != Policy(origins=[Mine([GOOD])])
        assert Site(policy).ask(GOOD) == ALLOWED


def test_several_sources_and_one_callable():
    Policy(origins=[Store(GOOD), Store(GOOD), lambda origin: True])
    with pytest.raises(PolicyError):
        Policy(origins=[Store(GOOD), lambda origin: True, lambda origin: False])


def test_where_a_source_can_be():
    """Everywhere where ``origins`` can stand."""
    source = Store(GOOD)
    app = Flask("shop", static_folder=None)
    app.config.update(
        CORSGUARD_ORIGINS=[source],
        CORSGUARD_POLICIES={"named": {"origins": source}},
        CORSGUARD_PATHS={"/path": {"origins": [source]}},
        CORSGUARD_REPORT_ONLY={"origins": [source]},
    )
    for name, mark in {
        "config": None,
        "path/view": None,
        "named": cors("named"),
        "marked": cors(origins=source),
        "policy": cors(Policy(origins=source)),
        "audiences": cors([Policy(origins=source), Policy(origins="*")]),
    }.items():
        app.add_url_rule(f"/{name}", name, mark(lambda: "ok") if mark else lambda: "ok")
    CorsGuard(app)
    client = app.test_client()
    for rule in list(app.url_map.iter_rules()):
        response = client.get(rule.rule, headers={"Origin": GOOD})
        assert response.headers["Access-Control-Allow-Origin"] == GOOD


def test_policies_that_differ_by_a_source_are_not_equal():
    sources = [Store(GOOD), Store(GOOD)]
    policies = {Policy(origins=[s, GOOD], max_age=m) for s in sources for m in (1, 2)}
    assert len(policies) == 4
