"""The corpus of hostile origins, through the matcher."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from flask_corsguard.protocol.decision import CorsRequest, decide
from flask_corsguard.protocol.headers import ALLOW_ORIGIN
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome

DATA = json.loads(Path(__file__).parents[1].joinpath("data", "origins.json").read_text("utf-8"))


def text_of(case: dict[str, str]) -> str:
    """The origin, or the one that a concatenation of repeated strings stands for."""
    if "origin" in case:
        return case["origin"]
    return "".join(_evaluate(part) for part in _terms(ast.parse(case["build"], mode="eval").body))


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _evaluate(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        assert isinstance(node.op, ast.Mult)
        return str(ast.literal_eval(node.left)) * int(ast.literal_eval(node.right))
    return str(ast.literal_eval(node))


@pytest.mark.parametrize("preflight", [False, True], ids=["request", "preflight"])
@pytest.mark.parametrize("case", DATA["cases"], ids=lambda c: ascii(text_of(c))[:60])
def test_every_origin_is_judged_as_listed(case: dict[str, str], preflight: bool) -> None:
    policy = Policy(origins=DATA["allow_list"])
    origin = text_of(case)
    decision = decide(policy, CorsRequest(origin, "GET", "/", preflight))
    assert (decision.outcome is Outcome.ALLOWED) is case["allowed"]
    assert decision.headers.get(ALLOW_ORIGIN) == (origin if case["allowed"] else None)
    assert decision.explain().isprintable() is False  # it has several lines ...
    assert all(line.isprintable() and line.isascii() for line in decision.explain().splitlines())
