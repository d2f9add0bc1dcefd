"""Every name that is suggested in the place of another library's is a field."""

from __future__ import annotations

import pytest

from flask_corsguard import Policy, PolicyError
from flask_corsguard.protocol.fields import INSTEAD, MEANT
from flask_corsguard.protocol.policy import FIELDS


@pytest.mark.parametrize("name", MEANT)
def test_a_name_from_elsewhere(name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy(**{name: "https://app.example.com"})
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == ("unknown_field", name)
    assert problem.suggestion in FIELDS


def test_no_field_is_taken_for_another() -> None:
    assert not (MEANT.keys() | INSTEAD.keys()) & FIELDS.keys()
    assert not MEANT.keys() & INSTEAD.keys()
