"""What is true of all tests."""

from __future__ import annotations

import pytest


def test_ids_are_the_same_in_every_process(request: pytest.FixtureRequest) -> None:
    """Of the tests that are collected with this one. That sets stand in order, pytest-xdist sees:
    its workers have hash seeds of their own, and it compares what they collect."""
    assert [i.nodeid for i in request.session.items if " at 0x" in i.nodeid] == []
