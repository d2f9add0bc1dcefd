"""Policies: made of fields, or refused in words; nothing else, whatever the values."""

import os
from typing import Any
from unittest import mock

import pytest
from flask import Config
from hypothesis import example, given
from hypothesis import strategies as st

from flask_corsguard import Policy
from tests.properties import checks, strategies
from tests.properties.legality import FIELDS
from tests.properties.lists import POLICIES


@given(strategies.fields())
def test_json_makes_a_policy_where_the_reference_says_so(fields: dict[str, Any]) -> None:
    checks.check_fields(fields)
    policy = checks.policy_or_none(fields)
    if policy is not None:
        checks.check_pickle(policy)


@pytest.mark.parametrize("entry", strategies.DANGEROUS)
@pytest.mark.parametrize(
    "together", [{}, {"allow_credentials": True}, {"enforce": "report"}], ids=str
)
def test_every_danger_is_refused_unless_it_is_named(entry: str, together: dict[str, Any]) -> None:
    for danger in ("null_origin", "insecure_origins", "public_suffixes"):
        checks.check_fields({"origins": [entry], **together})
        checks.check_fields({"origins": [entry], **together, f"dangerously_allow_{danger}": True})


@given(strategies.fields(strategies.PYTHON))
@example({"enforce": strategies.Word.ALL})
@example({"methods": strategies.Word.STAR, "origins": strategies.Word.SHOP})
@example({"max_age": strategies.Number.HOUR})
def test_any_values_make_a_policy_or_are_refused_in_words(fields: dict[str, Any]) -> None:
    policy = checks.policy_or_none(fields)
    if policy is not None:
        checks.check_policy(policy)


@given(st.sampled_from(list(POLICIES.values())), strategies.fields())
def test_derived_policies_are_checked_as_a_whole(
    base: dict[str, Any], fields: dict[str, Any]
) -> None:
    merged = {**base, **fields}
    derived = None
    try:
        derived = Policy(**base).derive(**fields)
    except ValueError:
        assert checks.policy_or_none(merged) is None
    else:
        assert derived == Policy(**merged)
        checks.check_policy(derived)
        if not any(callable(entry) for entry in derived.origins):
            checks.check_pickle(derived)


_keys = st.sampled_from(sorted(FIELDS)).map(str.upper) | st.sampled_from(
    ("POLICIES", "REPORT_ONLY", "SELF_ORIGINS", "LOG_REJECTIONS", "ORIGIN", "MAXAGE", "")
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    fields = draw(strategies.fields())
    config = {f"CORSGUARD_{name.upper()}": value for name, value in fields.items()}
    other = draw(strategies.JSON | st.dictionaries(st.text(max_size=5), strategies.fields()))
    return {**config, f"CORSGUARD_{draw(_keys)}": other} if draw(st.booleans()) else config


@given(configs())
def test_settings_are_used_or_refused_in_words(config: dict[str, Any]) -> None:
    checks.check_settings(config)


_values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(
    st.dictionaries(
        st.tuples(_keys, st.sampled_from(("", "", "", "__a", "__A__origins"))).map("".join),
        _values | strategies.entry_texts() | st.sampled_from(("true", "60", "[]", "{}", "null")),
        max_size=3,
    )
)
def test_the_environment_is_used_or_refused_in_words(variables: dict[str, str]) -> None:
    environ = {f"FLASK_CORSGUARD_{name}": value for name, value in variables.items()}
    config = Config("/")
    with mock.patch.dict(os.environ, {k: v for k, v in environ.items() if _is_settable(k, v)}):
        try:
            config.from_prefixed_env()
        except (TypeError, AttributeError):
            return  # Flask's own: a variable and one below it
    checks.check_settings(config)


def _is_settable(name: str, value: str) -> bool:
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
    return "\0" not in value
