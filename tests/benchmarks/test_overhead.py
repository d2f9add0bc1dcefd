"""The guard stays cheap. Ratios in one run; a noisy machine gets three tries."""

from __future__ import annotations

import logging
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).with_name("overhead.py")))
PREFLIGHT: Callable[..., dict[str, Any]] = BENCHMARK["preflight"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("flask_corsguard")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


def best_of_three(measure: Callable[[], float], limit: float) -> float:
    best = measure()
    for _ in range(2):
        if best > limit:
            best = min(best, measure())
    return best


@pytest.mark.parametrize(
    ("request_name", "limit"), [("without Origin", 1.15), ("allowed", 1.20), ("preflight", 1.0)]
)
def test_cost_beside_bare_flask(request_name: str, limit: float) -> None:
    environ = BENCHMARK["REQUESTS"][request_name]

    def measure() -> float:
        return float(BENCHMARK["ratios"](environ, rounds=15)["Flask-CorsGuard"])

    assert best_of_three(measure, limit) <= limit


@pytest.mark.parametrize(
    "hostile",
    [PREFLIGHT(names="x," * 30_000), PREFLIGHT(origin="https://" + "a." * 30_000)],
    ids=["Access-Control-Request-Headers", "Origin"],
)
def test_sixty_thousand_bytes_cost_no_more_than_an_ordinary_preflight(
    hostile: dict[str, Any],
) -> None:
    def measure() -> float:
        return float(BENCHMARK["against"](hostile, PREFLIGHT(), rounds=15))

    assert best_of_three(measure, 1.5) <= 1.5
