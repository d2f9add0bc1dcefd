"""Runs the Python of a page's ``{exchanges}`` blocks, and collects what the simulated browser did.

It does not use Sphinx, so that the tests can run the same blocks without it.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from typing import Any, NamedTuple
from unittest.mock import patch

from werkzeug.datastructures import Headers

from flask_corsguard.testing import Block, Browser, Exchange, FetchTypeError, Response

# The same every time, or irrelevant to CORS.
_MATTERS_OF_COURSE = frozenset(
    {"accept", "content-length", "referer", "sec-fetch-dest", "sec-fetch-mode"}
)
_MOST_OF_A_BODY = 100
_BLOCK = re.compile(
    r"^```\{exchanges\}\n(?::[a-z-]+:[^\n]*\n)*(.*?)^```$", re.MULTILINE | re.DOTALL
)
_METHODS = ("fetch", "submit", "navigate", "send_beacon")


class Played(NamedTuple):
    """What came of one call in a page.

    :ivar question: who asked for what.
    :ivar messages: everything that went over the wire: a title and the lines of each exchange.
    :ivar verdict: what the page got, in words.
    :ivar reason: the rule that kept the response from the page, if one did.
    """

    question: str
    messages: tuple[tuple[str, str], ...]
    verdict: str
    reason: Block | None = None


class Stage:
    """Where the blocks of one page are run, one after the other. They share their names."""

    def __init__(self) -> None:
        self._events: list[Played | str] = []
        self._printed = io.StringIO()
        self._namespace: dict[str, Any] = {"__name__": "app"}

    def play(self, source: str) -> list[Played | str]:
        """Run one block.

        :returns: what came of it, in order. The strings are what it has printed.
        """
        self._events = []
        # A slow machine must not make remembered preflights expire.
        still = patch.object(time, "time", lambda: 1_800_000_000.0)
        with redirect_stdout(self._printed), _quiet(), _overheard(self._note), still:
            # As in the other examples, files and lines in messages are those that a reader sees.
            exec(compile(source, "app.py", "exec"), self._namespace)  # noqa: S102
        self._take_printed()
        return self._events

    def _note(self, browser: Browser, ask: Callable[[], Response]) -> Response:
        self._take_printed()
        try:
            response = ask()
        except FetchTypeError as error:
            self._events.append(Played(f"{browser.page}: fetch()", (), str(error)))
            raise
        told = _tell(response)
        engine = browser._network.engine.name
        if engine != "standard":
            told = told._replace(question=f"{told.question} ({engine})")
        self._events.append(told)
        return response

    def _take_printed(self) -> None:
        if text := self._printed.getvalue().rstrip():
            self._events.append(text)
        self._printed.seek(0)
        self._printed.truncate()


def blocks(page: str) -> list[str]:
    """The Python in the ``{exchanges}`` blocks of a page's Markdown."""
    return _BLOCK.findall(page)


@contextmanager
def _overheard(note: Callable[[Browser, Callable[[], Response]], Response]) -> Iterator[None]:
    """Have *note* called instead of each thing that a page can do, with a function that does it."""

    def replacement(original: Callable[..., Response]) -> Callable[..., Response]:
        def ask(browser: Browser, *arguments: Any, **named: Any) -> Response:
            return note(browser, lambda: original(browser, *arguments, **named))

        return ask

    with patch.multiple(
        Browser, **{name: replacement(getattr(Browser, name)) for name in _METHODS}
    ):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the guard's log out of the output of the build; a response says why as well."""
    log = logging.getLogger("flask_corsguard")
    was = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = was


def _tell(response: Response) -> Played:
    messages = tuple(map(_message, response.exchanges))
    # The first line is what was found; what to send and to change is not evidence.
    verdict = _seen(response) if response.readable else response.why.partition("\n")[0]
    return Played(response.question, messages, verdict, response.reason)


def _seen(response: Response) -> str:
    seen = f"status {response.status}, {_cut(response.text or '')!r}"
    names = [name for name in response.headers if name not in ("content-length", "content-type")]
    return f"{seen}, {', '.join(names)}" if names else seen


def _message(exchange: Exchange) -> tuple[str, str]:
    sent = [f"{exchange.method} {exchange.url}"]
    sent += _lines(exchange.request_headers, _MATTERS_OF_COURSE)
    received = [f"{exchange.status} {HTTPStatus(exchange.status).phrase}"]
    received += _lines(exchange.response_headers, _MATTERS_OF_COURSE | {"content-type"})
    for lines, body in ((sent, exchange.request_body), (received, exchange.response_body)):
        if body:
            lines += ["", _cut(body.decode())]
    lines = [f"> {line}".rstrip() for line in sent] + [f"< {line}".rstrip() for line in received]
    return ("Preflight" if exchange.preflight else "Request"), "\n".join(lines)


def _lines(headers: Headers, left_out: frozenset[str]) -> Iterator[str]:
    return (f"{name}: {value}" for name, value in headers if name.lower() not in left_out)


def _cut(text: str) -> str:
    line = text.strip().replace("\n", " ")
    return line if len(line) <= _MOST_OF_A_BODY else f"{line[:_MOST_OF_A_BODY]}…"
