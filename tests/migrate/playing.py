"""What pages get to see of an app before and after, and where the two differ."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from flask_corsguard.testing import Browser

APP = "https://app.example.com"
ADMIN = "https://admin.example.com"
IMPOSTORS = (
    "http://app.example.com",
    f"{APP}:8443",
    f"{APP}.attacker.example",
    "https://xexample.com",
    "https://appxexample.com",
    "http://localhost.attacker.example",
)
PAGES = (
    APP,
    ADMIN,
    "http://localhost:3000",
    "http://localhost:5173",
    "https://evil.example",
    "null",
    *IMPOSTORS,
)
SENT = {
    "nothing": ({}, "omit"),
    "cookies": ({}, "include"),
    "JSON": ({"Content-Type": "application/json"}, "omit"),
    "Authorization": ({"Authorization": "Bearer 1"}, "omit"),
    "X-Custom": ({"X-Custom": "1"}, "omit"),
    "X-Custom and cookies": ({"X-Custom": "1"}, "include"),
}
PLAINLY = ("nothing", "cookies", "X-Custom and cookies")  # enough where nobody is listed
SERVER = "https://api.test"
NOWHERE = "/nothing-here"


class Question(NamedTuple):
    """One call of fetch()."""

    path: str
    method: str
    accepted: bool
    page: str
    sent: str


class Verdict(NamedTuple):
    """What came of it: whether the request went out, and what script sees.

    Where every header is exposed, script sees those of CORS too; they tell it nothing.
    """

    ran: bool
    status: int | None
    headers: tuple[tuple[str, str], ...]


def ask(app: Flask, question: Question) -> Verdict:
    headers, credentials = SENT[question.sent]
    answer = Browser(app, question.page).fetch(
        SERVER + question.path, method=question.method, headers=headers, credentials=credentials
    )
    ran = any(not exchange.preflight for exchange in answer.exchanges)
    seen = {
        name: value
        for name, value in answer.headers.items()
        if name != "vary" and not name.startswith("access-control-")
    }
    return Verdict(ran, answer.status, tuple(seen.items()))


def path_of(rule: Rule) -> str:
    """A URL that the rule matches."""
    values = dict.fromkeys(rule.arguments, 7)
    with contextlib.suppress(ValueError):
        built = rule.build(values)
        if built is not None:
            return built[1]
    built = rule.build(dict.fromkeys(rule.arguments, "seven"))
    assert built is not None
    return built[1]


def questions(app: Flask, further_paths: tuple[str, ...] = ()) -> Iterator[Question]:
    """Every route with every method that it accepts and one that it does not, from every page."""
    methods: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        methods.setdefault(path_of(rule), set()).update(rule.methods or ())
    for path in (NOWHERE, *further_paths):
        methods.setdefault(path, {"GET"})
    for path, accepted in methods.items():
        plain = path == NOWHERE or path.startswith("/static/")
        for method in sorted(accepted - {"OPTIONS", "HEAD"}):
            for page in PAGES:
                for sent in SENT:
                    if sent in PLAINLY or not (plain or page in IMPOSTORS):
                        yield Question(path, method, True, page, sent)
        for method in ("POST", "DELETE"):
            if method not in accepted:
                yield from (Question(path, method, False, page, "nothing") for page in PAGES)


class Difference(NamedTuple):
    """A question that is answered in another way than before."""

    question: Question
    before: Verdict
    after: Verdict

    @property
    def wider(self) -> bool:
        """Script gets to do, or to see, what it could not."""
        before, after = self.before, self.after
        return (
            (after.ran and not before.ran)
            or (after.status is not None and before.status is None)
            or bool(set(after.headers) - set(before.headers))
        )

    def __str__(self) -> str:
        return f"{self.question}\n    before: {self.before}\n    after:  {self.after}"


def differences(
    before: Flask, after: Flask, paths: tuple[str, ...] = (), share: float = 1
) -> list[Difference]:
    """
    :param share: of the questions, how many are asked: always the same of these apps.
    """
    found = []
    chance = random.Random(str(before.url_map))
    for question in questions(before, paths):
        if chance.random() >= share:
            continue
        was, now = ask(before, question), ask(after, question)
        if was != now:
            found.append(Difference(question, was, now))
    return found


def load(directory: Path, target: str, environ: Mapping[str, str]) -> Flask:
    """Import ``module:name`` or ``module:factory()``, with warnings as errors, and forget it.

    :param environ: set while the modules are read.
    """
    module, _, name = target.partition(":")
    kept = dict(sys.modules)
    level = logging.getLogger("flask_cors").level
    own = {path.stem for path in directory.iterdir()}
    for known in [known for known in sys.modules if known.partition(".")[0] in own]:
        del sys.modules[known]
    unwritten, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    changed = {key: os.environ.get(key) for key in environ}
    os.environ.update(environ)
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = getattr(importlib.import_module(module), name.removesuffix("()"))
            return found() if name.endswith("()") else found
    finally:
        logging.getLogger("flask_cors").setLevel(level)
        sys.path.remove(str(directory))
        sys.dont_write_bytecode = unwritten
        for key, value in changed.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        for known in [known for known in sys.modules if known.partition(".")[0] in own]:
            del sys.modules[known]
        sys.modules.update({known: kept[known] for known in kept if known.partition(".")[0] in own})
