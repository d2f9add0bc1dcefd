"""What the pages of ``docs/migrating/`` say that both answer is what both answer.

``python -m tests.recipes.record PAGE...`` writes the blocks of a page anew.
"""

import re
from pathlib import Path

import pytest

from .caching import sequences_of
from .recipes import PAGES, Recipe, all_recipes
from .running import measured

RECIPES = all_recipes()


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.place for recipe in RECIPES])
def test_both_answer_as_the_page_says(recipe: Recipe, tmp_path: Path) -> None:
    found = measured(recipe, tmp_path)
    assert found == recipe.compared
    assert "Because: ?" not in found, "a difference without a reason"


ANSWERS = re.compile(
    r"^```text\n((?:[A-Z]+|preflight for \S+) /.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_block_of_answers_is_measured(page: Path) -> None:
    compared = {recipe.compared for recipe in RECIPES if recipe.page == page}
    compared |= {sequence.told for sequence in sequences_of(page)}  # test_caches.py measures them
    assert set(ANSWERS.findall(page.read_text("utf-8"))) == compared
