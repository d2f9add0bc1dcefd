"""The corpus of hostile origins, through the matcher."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome

DATA = json.loads(Path(__file__).parents[1].joinpath("data", "origins.json").read_text("utf-8"))
# "build" stands in for an origin that is too long to write down.
BUILT = {"'https://'+'a.'*4000+'example.com'": "https://" + "a." * 4000 + "example.com"}
CASES = [
    (BUILT.get(case.get("build"), case.get("origin")), case["allowed"]) for case in DATA["cases"]
]


@pytest.mark.parametrize(
    ("origin", "allowed"), CASES, ids=[ascii(origin)[:60] for origin, _ in CASES]
)
def test_every_origin_is_decided_as_listed(origin: str, allowed: bool) -> None:
    """Each origin is decided as listed, on a request and a preflight, and can be explained."""
    policy = Policy(origins=DATA["allow_list"])
    for preflight in (False, True):
        decision = decide(policy, CorsRequest(origin, "GET", "/", preflight))
        assert (decision.outcome is Outcome.ALLOWED) is allowed
        assert decision.headers.get(ALLOW_ORIGIN) == (origin if allowed else None)
        lines = decision.explain().splitlines()
        assert len(lines) > 1
        assert all(line.isprintable() and line.isascii() for line in lines)
