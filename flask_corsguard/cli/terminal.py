"""Output for people: with rich if it is installed and writes to a terminal, otherwise plain."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from flask_corsguard.text import printable

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]

# Shorter work gets no progress bar, which would only flicker.
_SECONDS_WITHOUT_BAR = 1.0
_MOST_PLACES = 5


class Line(NamedTuple):
    """One line, or several on a terminal that is too narrow for it.

    :ivar text: the text, which is escaped when it is written.
    :ivar style: a rich style.
    :ivar indent: by how many columns the line is indented.
    :ivar for_copying: whether it is to be copied, and so never wrapped.
    """

    text: str
    style: str = ""
    indent: int = 0
    for_copying: bool = False


def console(stream: TextIO) -> Console | None:
    """A rich console, or None if the stream is not a terminal or rich is not installed."""
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def first_few(places: Sequence[object], most: int = _MOST_PLACES) -> str:
    """The first of some places, and the number of others."""
    more = len(places) - most
    named = "; ".join(map(str, places[:most]))
    return f"{named}; and {more:,} more" if more > 0 else named


def named_lines(name: str, texts: Sequence[str]) -> Iterator[Line]:
    """The lines for a value of one or more lines, with its name."""
    first, *others = texts
    yield Line(f"{name}: {first}", indent=2)
    yield from (Line(text, "dim", indent=4) for text in others)


def write(lines: Iterable[Line], to: Console | None) -> None:
    """Write lines.

    :param to: a console, or None for plain text.
    """
    if to is None:
        for line in lines:
            click.echo(" " * line.indent + printable(line.text))
        return
    from rich.padding import Padding
    from rich.text import Text

    for line in lines:
        text = Text(printable(line.text), line.style, overflow="fold")
        if line.for_copying or not line.text:  # a padded empty text prints no line
            to.print(text, soft_wrap=True)
        else:
            to.print(Padding(text, (0, 0, 0, line.indent), expand=False))


@contextmanager
def progress(words: str) -> Generator[Progress | None]:
    """A progress bar on standard error, if that is a terminal and the work takes long."""
    terminal = console(sys.stderr)
    if terminal is None:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=terminal,
        transient=True,
    )
    task = bar.add_task(words, total=None)
    begin = time.monotonic()

    def advance(done: int, total: int) -> None:
        if time.monotonic() - begin >= _SECONDS_WITHOUT_BAR:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        bar.stop()
