"""No page can do what it could not with Flask-CORS, in apps drawn by lot."""

from __future__ import annotations

import functools
import random
from typing import Any

import pytest

from flask_corsguard import Decision, compat, origin_allowed, origin_rejected
from tests.compat.random_apps import KINDS, PATHS, app_of
from tests.compat.side_by_side import ask, differences, questions

ASKED = tuple(questions(PATHS))
SEEDS = range(3)
MOST = 60


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_never_wider(kind: str, seed: int) -> None:
    """Where something is lost, it is by a rule of the guard's: a pattern has to match the whole of
    an origin that browsers send, and a prefix covers whole segments."""
    asked = random.Random(seed).sample(ASKED, MOST)
    make = functools.partial(app_of, kind=kind, seed=seed)
    found = differences(make, asked)
    assert [each for each in found if each.kind != "narrower"] == []
    for each in found:
        patterns_end = each.question.page not in ("https://app.example.com", "https://example.com")
        assert patterns_end or each.question.path in ("/apix", "/%2561pi/x"), each


# With nothing but decorators there is no guard.
@pytest.mark.parametrize("kind", sorted({*KINDS} - {"decorators"}))
def test_what_is_announced_is_what_the_page_sees(kind: str) -> None:
    app = app_of(compat, kind, 1)
    told: list[Decision] = []

    def remember(_sender: Any, decision: Decision, **_: Any) -> None:
        told.append(decision)

    origin_allowed.connect(remember, app)
    origin_rejected.connect(remember, app)
    plain = [each for each in ASKED if each.credentials == "omit"]
    announced = 0
    for question in random.Random(kind).sample(plain, MOST):
        told.clear()
        verdict = ask(app, question)
        # The last one, after redirects.
        final = [each for each in told if not each.preflight][-1:]
        announced += len(final)
        if verdict.ran and final:
            assert verdict.readable == (final[0].outcome.value == "allowed"), question
    assert announced
