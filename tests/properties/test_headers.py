"""Requested header lists."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import strategies
from tests.properties.checks import check_requested_headers


@given(strategies.header_lists() | st.text())
@example(",".join(["a"] * 128))
@example(",".join(["a"] * 129))
@example("a" * 4096)
@example("a" * 4097)
@example("," * 4097)
def test_lists_are_read_as_rfc_9110_says(value: str) -> None:
    check_requested_headers(value)
