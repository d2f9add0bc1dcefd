"""The guard is loaded in little time, and so is its policy table made. In instructions, which no
other process changes."""

import shutil

import pytest

from tests.nightly import IS_NIGHTLY

from . import beginnings, starting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
    pytest.mark.skipif(not IS_NIGHTLY, reason="takes minutes: only in .ci/nightly"),
]

# As a multiple of Flask-CORS's import, and of bare Flask's first request.
MOST = 5.0


def test_the_import() -> None:
    assert {row["of"]: row["ratio"] for row in starting.import_rows() if row["ratio"] > MOST} == {}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("layout", beginnings.LAYOUTS)
def test_the_first_request_of_an_app_with_many_routes(layout: str) -> None:
    assert starting.first_request_row(layout)["ratio"] <= MOST
