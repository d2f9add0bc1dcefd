"""Origins and lists of headers are read, and decided about, as the slow definition has it."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.reasons import NOT_LISTED
from tests.properties import checks, strategies
from tests.properties.legality import is_legal
from tests.properties.lists import POLICIES
from tests.properties.meaning import against_origin, entries, is_constant, vary

policies = st.sampled_from(list(POLICIES.values()))


@pytest.mark.parametrize("name", POLICIES)
def test_every_slip_from_an_origin(name: str) -> None:
    policy, fields = Policy(**POLICIES[name]), POLICIES[name]
    for text in strategies.SERIALIZED:
        checks.check_origin(policy, fields, text)
        for slip in strategies.SLIPS:
            checks.check_origin(policy, fields, slip(text))


@given(strategies.origins())
def test_what_parses_is_a_serialized_origin(text: str) -> None:
    checks.check_parsing(text)


@given(policies, strategies.origins())
def test_origins_are_decided_as_the_reference_says(fields: dict[str, Any], text: str) -> None:
    checks.check_origin(Policy(**fields), fields, text)


_beside = [fields for fields in POLICIES.values() if not is_constant(fields)]


@given(st.lists(st.sampled_from(_beside), min_size=1, max_size=3), policies, strategies.origins())
def test_the_first_that_admits_or_may_not_decides(
    before: list[dict[str, Any]], last: dict[str, Any], text: str
) -> None:
    """Of a list of policies, as if each were asked by itself until one has the last word."""
    every = [{**fields, "enforce": "off"} for fields in (*before, last)]
    try:
        audiences = Audiences([Policy(**fields) for fields in every], [""] * len(every))
    except PolicyError:
        return  # "*" that is not last, or the same one twice
    asked = list[dict[str, Any]]()
    reason = None
    for fields in every:
        asked.append(fields)
        reason = against_origin(fields, text)
        if reason not in NOT_LISTED:
            break
    decision = decide(audiences, CorsRequest(text, "GET"))
    assert decision.reason is reason
    assert decision.policies == tuple(Policy(**fields) for fields in asked)
    sent = decision.headers.get("Access-Control-Allow-Origin")
    assert sent == (None if reason else "*" if is_constant(asked[-1]) else text)
    names = [name for fields in every for name in entries(fields.get("origins_vary", ()))]
    assert decision.headers["Vary"] == vary({"origins_vary": names})
    assert reason or ("Access-Control-Allow-Credentials" in decision.headers) is bool(
        asked[-1].get("allow_credentials")
    )


@given(*strategies.asked())
def test_preflights_are_decided_as_the_reference_says(
    fields: dict[str, Any], text: str, method: str, requested: str
) -> None:
    checks.check_preflight(Policy(**fields), fields, text, method, requested)


@given(strategies.entry_texts(), st.data())
def test_entries_that_nobody_wrote_before(entry: str, data: st.DataObject) -> None:
    checks.check_fields({"origins": [entry]})
    fields: dict[str, Any] = {"origins": [entry], "deny_origins": "https://old.shop.example"}
    if is_legal(fields):
        plain = entry.replace("*.", "a.b-c.").removesuffix(":*").replace("*", "a-1")
        near = strategies.near_misses([plain, plain + ":9", entry])
        checks.check_origin(Policy(**fields), fields, data.draw(near))


@given(strategies.origins())
def test_an_origin_that_is_listed_is_allowed(text: str) -> None:
    if is_legal({"origins": text}):
        checks.check_origin(Policy(origins=text), {"origins": text}, text)


@given(strategies.header_lists() | st.text())
@example(",".join(["a"] * 128))
@example(",".join(["a"] * 129))
@example("a" * 4096)
@example("a" * 4097)
@example("," * 4097)
def test_lists_are_read_as_rfc_9110_says(value: str) -> None:
    checks.check_requested_headers(value)
