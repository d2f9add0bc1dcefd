"""Both sides of a recipe, started."""

import re
import subprocess
import sys
from pathlib import Path

from .comparing import compare
from .originals import ORIGINALS, guarded
from .recipes import Recipe

# Where the pages say that the app listens, behind the original.
BEHIND = "127.0.0.1:8000"
FILES = {"index.html": "<!doctype html><title>A page</title>", "style.css": "body {}"}
FILES |= dict.fromkeys(("fonts/body.woff2", "fonts/body.ttf", "fonts/LOGO.TTF"), "a font")
FILES |= {f"private/{name}.json": "{}" for name in ("report", "data", "geotags")}
FILES |= {"data.json": "{}"}


def lay_out(directory: Path) -> None:
    """Put the files there, for both sides."""
    for name, text in FILES.items():
        for folder in ("www", "static"):
            path = directory / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def measured(recipe: Recipe, directory: Path) -> str:
    """Start both, send both the same requests; the block as it should stand in the page."""
    lay_out(directory)
    original = ORIGINALS[recipe.language]
    with guarded(recipe.app, directory, recipe.environment) as ours:
        for command in re.findall(r"^# flask (cors export .*)$", recipe.original, re.MULTILINE):
            arguments = [sys.executable, "-m", "flask", *command.split()]
            subprocess.run(arguments, cwd=directory, check=True, capture_output=True)
        configuration = recipe.original.replace(BEHIND, f"127.0.0.1:{ours}")
        with original.running(configuration, directory) as theirs:
            return compare(recipe, theirs, ours)
