"""What the pages of ``docs/migrating/`` say that both answer is what both answer.

``python -m tests.migrating.record PAGE...`` writes the blocks of a page anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .recipes import Recipe, all_recipes
from .running import measured

RECIPES = all_recipes()


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.place for recipe in RECIPES])
def test_both_answer_as_the_page_says(recipe: Recipe, tmp_path: Path) -> None:
    found = measured(recipe, tmp_path)
    assert found == recipe.compared
    assert "Because: ?" not in found, "a difference without a reason"
