"""Two policies that could ever send a different byte are not equal, field by field."""

from __future__ import annotations

from itertools import combinations
from operator import itemgetter
from typing import Any

import pytest
from flask import Flask

from flask_corsguard import CorsGuard, Policy
from flask_corsguard.protocol import policy as policies
from flask_corsguard.protocol.policy import FIELDS

A, B = "https://a.example", "https://b.example"
NAMES = "Access-Control-Request-Headers"
REQUESTS = (
    ("GET", ""),
    ("POST", "X-A,X-B"),
    ("PUT", "Content-Type"),
    ("PUT", "X-A"),
    ("DELETE", "X-A"),
    ("PATCH", "X-C"),
)
EVERYONE_BUT_B = {"origins": "*", "deny_origins": B}


def is_a(origin: str) -> bool:
    return origin == A


# For every field: the other fields, and values that change what is sent. A new field needs a row.
CHANGES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "origins": ({}, [(), A, B, [A, B], "*", "https://*.example", "https://*-c.example"]),
    "deny_origins": ({"origins": [A, B]}, [(), A, B]),
    "methods": ({"origins": A}, [None, "*", (), "PUT", ["PUT", "DELETE"], ["DELETE", "PUT"]]),
    "allow_headers": ({"origins": A}, [(), "*", "X-A", "x-a", ["X-A", "X-B"], ["X-B", "X-A"]]),
    "expose_headers": ({"origins": A}, [(), "*", "X-A", "x-a", ["X-A", "X-B"], ["X-B", "X-A"]]),
    "allow_credentials": ({"origins": A}, [False, True]),
    "max_age": ({"origins": A}, [None, 0, 600]),
    "enforce": ({"origins": A}, ["off", "unsafe", "all"]),
    "origins_vary": ({"origins": is_a}, [(), "X-A", "x-a", ["X-A", "X-B"], ["X-B", "X-A"]]),
    "raw_origins": ({"origins": A}, [(), "file://", ["file://", "app://."]]),
    "answer_preflight": ({"origins": A}, [True, False]),
    "dangerously_let_views_override": ({"origins": A}, [False, True]),
    "allow_private_network": ({"origins": A}, [True, False]),
    "dangerously_allow_null_origin": (EVERYONE_BUT_B, [True, False]),
}


class Rows:
    """A source."""

    def __init__(self, *rows: str) -> None:
        self.rows = rows

    def load(self) -> tuple[int, tuple[str, ...]]:
        return 0, self.rows


# These lift a check, and change nothing that is sent.
LIFTED: dict[str, dict[str, Any]] = {
    "dangerously_allow_insecure_origins": {"origins": A, "allow_credentials": True},
    "dangerously_allow_public_suffixes": {"origins": "https://*.a.example", "enforce": "all"},
}


def sent_by(policy: Policy) -> list[Any]:
    """Every status and header of the responses to one request of each kind."""
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "ok", methods=["GET", "POST", "PUT"])
    app.add_url_rule("/own", "own", lambda: ("ok", 200, {"Access-Control-Allow-Origin": "*"}))
    CorsGuard(app, policy)
    client = app.test_client()
    responses = []
    for origin in (
        A,
        B,
        "https://c.a.example",
        "null",
        "file://",
        "app://.",
        "https://x-c.example",
        None,
    ):
        headers = {"Sec-Fetch-Site": "cross-site"} | ({"Origin": origin} if origin else {})
        for method, names in REQUESTS:
            asked = {"Access-Control-Request-Method": method, NAMES: names}
            if not names:
                asked["Access-Control-Request-Private-Network"] = "true"
            responses.append(client.open("/", method=method, headers=headers))
            responses.append(client.options("/", headers=headers | asked))
        responses.append(client.get("/own", headers=headers))
    return [(response.status_code, sorted(response.headers)) for response in responses]


def check(field: str) -> None:
    base, values = CHANGES[field]
    policies = [Policy(**{**base, field: value}) for value in values]
    sent = [sent_by(policy) for policy in policies]
    for one, other in combinations(range(len(policies)), 2):
        assert sent[one] != sent[other], f"{values[one]!r} and {values[other]!r} send the same"
        assert policies[one] != policies[other], f"{values[one]!r} equals {values[other]!r}"
        assert len({policies[one], policies[other]}) == 2


def test_every_field_has_a_row() -> None:
    assert {*CHANGES, *LIFTED} == set(FIELDS)


@pytest.mark.parametrize("field", CHANGES)
def test_what_changes_a_byte_changes_equality(field: str) -> None:
    """Policies that differ in a field's value send different bytes, and are not equal."""
    check(field)


@pytest.mark.parametrize("field", LIFTED)
def test_what_lifts_a_check_changes_nothing(field: str) -> None:
    """A policy with the field sends the same as one without, and equals it."""
    policy = Policy(**LIFTED[field])
    lifted = policy.derive(**{field: True})  # type: ignore[misc]
    assert sent_by(policy) == sent_by(lifted)
    assert policy == lifted


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_that_equality_forgets_is_noticed(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of these tests fails if a field's value plays no part in equality."""
    compared = [name for name in FIELDS if FIELDS[name].meaning is None and name != field]
    meanings = [each.meaning for name, each in FIELDS.items() if each.meaning and name != field]
    monkeypatch.setattr(policies, "_values_compared", itemgetter(*compared))
    monkeypatch.setattr(policies, "_MEANINGS", meanings)
    with pytest.raises(AssertionError, match="equals"):
        check(field)


def test_the_order_of_origins_changes_nothing() -> None:
    one, other = Policy(origins=[A, B]), Policy(origins=f"{B}, {A}, {B}")
    assert sent_by(one) == sent_by(other)
    assert one == other
    assert hash(one) == hash(other)


def test_different_sources() -> None:
    """Even with the same rows: they can differ later."""
    source = Rows(A)
    assert Policy(origins=source) == Policy(origins=[source]) != Policy(origins=[Rows(A)])
    assert hash(Policy(origins=source)) == hash(Policy(origins=[source]))
    assert Policy(origins=source) != Policy(origins=A)


@pytest.mark.parametrize(
    ("field", "row", "fields"),
    [
        ("dangerously_allow_insecure_origins", "http://a.example", {"allow_credentials": True}),
        ("dangerously_allow_public_suffixes", "https://*.github.io", {"allow_credentials": True}),
    ],
)
def test_rows_are_checked_by_the_fields_that_lift_a_check(
    field: str, row: str, fields: dict[str, Any]
) -> None:
    source = Rows(row)
    strict, lax = (Policy(origins=source, **fields, **{field: lifts}) for lifts in (False, True))
    assert strict != lax
    app = Flask("shop")
    app.add_url_rule("/", "index", lambda: "ok")
    CorsGuard(app, lax)
    origin = row.replace("*", "x")
    response = app.test_client().get("/", headers={"Origin": origin})
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert Policy(origins=A) == Policy(origins=A, **{field: True})
