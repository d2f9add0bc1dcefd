"""Sending the same requests to two servers, and writing down what each answers."""

import textwrap
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import NamedTuple

from ..listening import SECONDS_TO_ANSWER
from .recipes import Recipe, Request, Row

# What a page has room for.
WIDTH = 88


class Answer(NamedTuple):
    """A status, and all that CORS and caches look at."""

    status: int
    lines: tuple[tuple[str, str], ...]

    def told(self) -> list[str]:
        """As a page shows it."""
        return [str(self.status), *(f"    {name}: {value}" for name, value in self.lines)]


def answer_of(status: int, headers: Iterable[tuple[str, str]]) -> Answer:
    """Keep ``Access-Control-*`` and ``Vary``; a line that comes twice stays two lines."""
    lines: list[tuple[str, str]] = []
    for name, value in headers:
        if name.title() == "Vary":  # names of fields, so upper and lower case are the same
            lines.append(("Vary", value.title()))
        elif name.title().startswith("Access-Control-"):
            lines.append((name.title(), value))
    return Answer(status, tuple(sorted(lines)))


def ask(port: int, request: Request) -> Answer:
    """Send it over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)
    try:
        connection.request(request.method, request.path, headers=request.fields)
        response = connection.getresponse()
        response.read()
        return answer_of(response.status, response.getheaders())
    finally:
        connection.close()


def tell(row: Row, name: str, original: Answer, guard: Answer) -> str:
    """One request and both answers, as a page shows them."""
    lines = [row.request.line]
    first, *rest = original.told()
    lines += [f"  {name}: {first}", *rest]
    if guard == original:
        return "\n".join([*lines, "  Guard: the same", ""])
    first, *rest = guard.told()
    because = textwrap.fill(
        f"  Because: {row.because or '?'}", WIDTH, subsequent_indent="    ", break_long_words=False
    )
    return "\n".join([*lines, f"  Guard: {first}", *rest, because, ""])


def compare(recipe: Recipe, original: int, guard: int) -> str:
    """Send all requests of a recipe to both ports; the whole block, as it should stand."""
    return "\n".join(
        tell(row, recipe.name, ask(original, row.request), ask(guard, row.request))
        for row in recipe.rows
    )
