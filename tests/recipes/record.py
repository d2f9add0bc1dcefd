"""Writes the blocks of a page anew; reasons are kept, and a new difference has the reason ``?``."""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import caching, running
from .recipes import recipes_of


def write(page: Path, place: str, old: str, measure: Callable[[Path], str]) -> None:
    """Put what is measured in the place of a block."""
    with tempfile.TemporaryDirectory() as directory:
        new = measure(Path(directory))
    text = page.read_text("utf-8").replace(f"```text\n{old}```", f"```text\n{new}```", 1)
    page.write_text(text, "utf-8")
    print(place, "unchanged" if new == old else "written anew")


for page in map(Path, sys.argv[1:]):
    for recipe in list(recipes_of(page)):
        write(page, recipe.place, recipe.compared, partial(running.measured, recipe))
    for sequence in list(caching.sequences_of(page)):
        write(page, sequence.place, sequence.told, partial(caching.measured, sequence))
