"""What is said to a field's name that another CORS library has."""

import pytest

from flask_corsguard.protocol.fields import unknown_field
from flask_corsguard.protocol.policy import FIELDS

OURS = {
    "allow_credentials": "credentials support_credentials supports_credentials",
    "allow_headers": "allowed_headers headers",
    "answer_preflight": "automatic_options",
    "expose_headers": "exposed_headers",
    "max_age": "preflight_max_age",
    "methods": "allow_method allow_methods allowed_methods",
    "origins": "allow_origin allow_origin_func allow_origin_regex allow_origins allowed_origin"
    " allowed_origin_patterns allowed_origin_regexes allowed_origins origin",
}
NEEDLESS = "always_send intercept_exceptions send_wildcard vary_header"
LEAVE_OUT = "It is not needed here: leave it out."
MARKS = "Mark blueprints and views with @cors(...), or endpoints with for_endpoint()."
THEIRS = [
    *((name, f"Did you mean {ours!r}?", ours) for ours in OURS for name in OURS[ours].split()),
    *((name, LEAVE_OUT, None) for name in NEEDLESS.split()),
    ("resources", MARKS, None),
    ("max_ages", "Did you mean 'max_age'?", "max_age"),
]


@pytest.mark.parametrize(("name", "advice", "ours"), THEIRS)
def test_a_name_of_another_library(name, advice, ours):
    """The field that does it here, or why none is needed; not merely the nearest name."""
    problem = unknown_field("unknown_field", name, "policy field", FIELDS)
    message = f"there is no policy field {name!r}. {advice}"
    assert problem == ("unknown_field", name, name, message, ours, "")


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("CORSGUARD_SUPPORTS_CREDENTIALS", "Did you mean 'CORSGUARD_ALLOW_CREDENTIALS'?"),
        ("CORSGUARD_ALLOWED_ORIGINS", "Did you mean 'CORSGUARD_ORIGINS'?"),
        ("CORSGUARD_Origin", "Did you mean 'CORSGUARD_ORIGINS'?"),
        ("CORSGUARD_SEND_WILDCARD", LEAVE_OUT),
        ("CORSGUARD_MAX_AG", "Did you mean 'CORSGUARD_MAX_AGE'?"),
    ],
)
def test_the_same_in_the_configuration(key, advice):
    known = [f"CORSGUARD_{name.upper()}" for name in FIELDS]
    problem = unknown_field("unknown_key", key, "setting", known, "CORSGUARD_")
    assert problem.message == f"there is no setting {key!r}. {advice}"
