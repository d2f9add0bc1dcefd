"""Writes the blocks of a page anew; reasons are kept, and a new difference has the reason ``?``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .recipes import recipes_of
from .running import measured

for page in map(Path, sys.argv[1:]):
    for recipe in list(recipes_of(page)):
        with tempfile.TemporaryDirectory() as directory:
            found = measured(recipe, Path(directory))
        page.write_text(page.read_text("utf-8").replace(recipe.compared, found), "utf-8")
        print(recipe.place, "unchanged" if found == recipe.compared else "written anew")
