"""The same app with Flask-CORS and with ``flask_corsguard.compat``, asked the same by a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import flask_cors
from flask import Flask

from flask_corsguard import compat
from flask_corsguard.testing import Browser
from flask_corsguard.testing.fetch_request import Credentials

Make = Callable[[Any], Flask]


class Question(NamedTuple):
    """What a page asks for."""

    page: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials = "omit"


SERVER = "https://api.example"
PAGES = (
    "https://app.example.com",
    "https://a.b.example.com",
    "https://example.com",
    "https://xexample.com",
    "https://app.example.com.stranger.example",
    "https://other.example",
    "http://localhost:3000",
    "http://localhost",
    "http://localhost.stranger.example",
    "null",
)
KINDS: tuple[tuple[str, tuple[tuple[str, str], ...], Credentials], ...] = (
    ("GET", (), "omit"),
    ("GET", (), "include"),
    ("POST", (), "omit"),
    ("GET", (("X-One", "1"),), "omit"),
    ("HEAD", (("X-One", "1"),), "omit"),
    ("POST", (("Content-Type", "application/json"),), "omit"),
    ("POST", (("Authorization", "x"),), "include"),
    ("PUT", (), "include"),
    ("PUT", (("X-One", "1"),), "omit"),
    ("DELETE", (), "omit"),
    ("PATCH", (("Content-Type", "application/json"),), "omit"),
)


def questions(paths: Iterable[str], pages: Iterable[str] = PAGES) -> Iterator[Question]:
    """Every kind of request, from every page, for every path."""
    for path in paths:
        for page in pages:
            for method, headers, credentials in KINDS:
                yield Question(page, path, method, headers, credentials)


class Verdict(NamedTuple):
    """What came of it: whether the request went out, and what the page sees of the response."""

    ran: bool
    readable: bool
    status: int | None
    headers: tuple[str, ...]


class Difference(NamedTuple):
    """One question to which the two respond differently."""

    kind: str
    question: Question
    before: Verdict
    after: Verdict


def ask(app: Flask, question: Question) -> Verdict:
    response = Browser({SERVER: app}, question.page).fetch(
        f"{SERVER}{question.path}",
        method=question.method,
        headers=question.headers,
        credentials=question.credentials,
    )
    # Where every header is exposed, the page sees those of CORS too; they tell it nothing.
    names = (name.lower() for name in response.headers if response.readable)
    seen = {name for name in names if name != "vary" and not name.startswith("access-control-")}
    ran = any(not exchange.preflight for exchange in response.exchanges)
    return Verdict(ran, response.readable, response.status, tuple(sorted(seen)))


def differences(make: Make, asked: Iterable[Question]) -> list[Difference]:
    """Where the app that *make* makes of Flask-CORS, and of ``compat``, are not the same."""
    before, after = make(flask_cors), make(compat)
    found: list[Difference] = []
    for question in asked:
        one, two = ask(before, question), ask(after, question)
        if one != two:
            lost = one.ran > two.ran or one.readable > two.readable
            lost = lost or not set(one.headers) <= set(two.headers)
            won = two.ran > one.ran or two.readable > one.readable
            won = won or not set(two.headers) <= set(one.headers)
            kind = "wider" if won else "narrower" if lost else "other"
            found.append(Difference(kind, question, one, two))
    return found
