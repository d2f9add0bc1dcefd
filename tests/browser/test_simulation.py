"""The simulation reproduces what three real browsers did, case by case."""

from typing import Any

import pytest

from .simulation import DATA, ENGINES, comparable, play

CASES: list[dict[str, Any]] = DATA["cases"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']}-{case['group']}")
def test_the_simulation_does_what_the_browser_did(case: dict[str, Any], engine: str) -> None:
    seen = case["seen"][engine]
    expected = comparable(case, seen if "steps" in case else [seen])
    assert play(case, engine) == expected, case["name"]
