"""Origins and lists of headers are read, and decided about, as the slow definition has it."""

import itertools
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


@pytest.mark.parametrize("name", POLICIES)
def test_of_a_list_the_first_that_admits_or_may_not_decides(name: str) -> None:
    """As if each policy were asked by itself, until one has the last word."""
    for second, *others in itertools.product(POLICIES.values(), [{}, POLICIES["everyone"]]):
        every = [{**f, "enforce": "off"} for f in (POLICIES[name], second, *filter(None, others))]
        try:
            audiences = Audiences([Policy(**fields) for fields in every], [""] * len(every))
        except PolicyError:
            continue  # "*" that is not last, or the same one twice
        names = [name for fields in every for name in entries(fields.get("origins_vary", ()))]
        for text in strategies.SERIALIZED:
            reasons = [against_origin(fields, text) for fields in every]
            ends = next((at for at, r in enumerate(reasons) if r not in NOT_LISTED), len(every) - 1)
            decides, decision = every[ends], decide(audiences, CorsRequest(text, "GET"))
            assert decision.reason is reasons[ends]
            assert decision.policies == audiences[: ends + 1]
            wanted = {"Vary": vary({"origins_vary": names})}
            if decision.reason is None:
                wanted["Access-Control-Allow-Origin"] = "*" if is_constant(decides) else text
                if decides.get("allow_credentials"):
                    wanted["Access-Control-Allow-Credentials"] = "true"
                if exposed := entries(decides.get("expose_headers", [])):
                    wanted["Access-Control-Expose-Headers"] = ", ".join(exposed)
            assert decision.headers == wanted


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
