"""The fuzzers' targets, on their seeds alone: what every run of the tests can afford."""

import pytest

from flask_corsguard.protocol import origins
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    run(name)


def run(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = origins.parse_origin
    monkeypatch.setattr(origins, "parse_origin", lambda text: parse(text.removesuffix(".")))
    with pytest.raises(AssertionError):
        run("origins")
