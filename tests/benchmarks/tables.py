"""Figures as tables: for a terminal and for the documentation."""

from typing import NamedTuple

from .timing import Spread


class Table(NamedTuple):
    """Figures in rows; what stands first in each says what they are about.

    :ivar only_printed: the columns that say more about the machine than about the software. The
        documentation leaves them out.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    only_printed: frozenset[str] = frozenset()

    def text(self) -> str:
        lines = [self.columns, *self.rows]
        first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = [
            "  ".join([f"  {cells[0]:<{first}}", *map(str.rjust, cells[1:], others)]).rstrip()
            for cells in lines
        ]
        return "\n".join([self.title, *padded])

    def markdown(self) -> str:
        columns = [
            [name, "---" if place == 0 else "--:", *cells]
            for place, (name, *cells) in enumerate(zip(self.columns, *self.rows, strict=True))
            if name not in self.only_printed
        ]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True))


def times(figure: Spread | None) -> str:
    """A ratio, with what the middle half of the rounds gave."""
    if figure is None:
        return ""
    return f"{short(figure['median'])} ({short(figure['low'])} to {short(figure['high'])})"


def short(figure: float) -> str:
    return f"{figure:.2f}" if figure < 10 else f"{figure:,.0f}"
