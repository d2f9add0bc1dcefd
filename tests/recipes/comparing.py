"""Sending the same requests to two servers, and writing down what each answers."""

import textwrap
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from typing import NamedTuple

from ..listening import SECONDS_TO_ANSWER
from .recipes import Recipe, Request, Row

# What a page has room for.
WIDTH = 88


class Answer(NamedTuple):
    """A status, and all that CORS and caches look at."""

    status: int
    lines: tuple[tuple[str, str], ...]

    def told(self, who: str, more: str = "") -> list[str]:
        """As a page shows it."""
        first = f"  {who}: {self.status}{more}"
        return [first, *(f"    {name}: {value}" for name, value in self.lines)]


def answer_of(response: HTTPResponse) -> Answer:
    """Keep ``Access-Control-*`` and ``Vary``; a line that comes twice stays two lines."""
    lines: list[tuple[str, str]] = []
    for name, value in response.getheaders():
        if name.title() == "Vary":  # names of fields, so upper and lower case are the same
            lines.append(("Vary", value.title()))
        elif name.title().startswith("Access-Control-"):
            lines.append((name.title(), value))
    return Answer(response.status, tuple(sorted(lines)))


def send(
    port: int, method: str, path: str, fields: Mapping[str, str]
) -> tuple[HTTPResponse, bytes]:
    """Send a request over a connection of its own; the response, and its body."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)) as connection:
        connection.request(method, path, headers=dict(fields))
        response = connection.getresponse()
        return response, response.read()


def ask(port: int, request: Request) -> Answer:
    """What a server answers to a request of a page."""
    response, _ = send(port, request.method, request.path, request.fields)
    return answer_of(response)


def tell(row: Row, name: str, original: Answer, guard: Answer) -> str:
    """One request and both answers, as a page shows them."""
    lines = [row.request.line, *original.told(name)]
    if guard == original:
        return "\n".join([*lines, "  Guard: the same", ""])
    because = textwrap.fill(
        f"  Because: {row.because or '?'}", WIDTH, subsequent_indent="    ", break_long_words=False
    )
    return "\n".join([*lines, *guard.told("Guard"), because, ""])


def compare(recipe: Recipe, original: int, guard: int) -> str:
    """Send all requests of a recipe to both ports; the whole block, as it should stand."""
    asked = ((row, ask(original, row.request), ask(guard, row.request)) for row in recipe.rows)
    return "\n".join(tell(row, recipe.name, theirs, ours) for row, theirs, ours in asked)
