"""The tables of docs/speed.md: each stands between two comments, the first of which names it."""

import re
from collections.abc import Mapping
from pathlib import Path

from .tables import Table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "speed.md"
FIGURES = DOCS / "figures"
JSON = FIGURES / "bench.json"
CHART = FIGURES / "bench.svg"

_BLOCK = re.compile(r"(?<=^<!-- figures: )([\w-]+)( -->\n).*?(?=^<!-- end -->)", re.M | re.S)


def filled(text: str, tables: Mapping[str, Table]) -> str:
    """The page with the tables that it names."""
    return _BLOCK.sub(
        lambda block: f"{block[1]}{block[2]}\n{tables[block[1]].markdown()}\n\n", text
    )
