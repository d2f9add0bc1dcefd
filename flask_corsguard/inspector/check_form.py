"""The form that plays one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flask_corsguard.errors import CorsGuardError
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.runtime.state import AppState
from flask_corsguard.simulate import Simulation, simulate
from flask_corsguard.testing.engines import ENGINES, EngineName
from flask_corsguard.text import described

_LONGEST_URL = 2000
_LONGEST_METHOD = 40
_LONGEST_HEADERS = 4000
_MOST_HEADERS = 50


class Question(NamedTuple):
    """What the form says, cut to what is worth playing."""

    url: str
    origin: str
    method: str
    headers: str
    credentials: bool
    engine: EngineName

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Question:
        """Read it from a query."""
        engine = given.get("engine", "")
        return cls(
            given.get("url", "").strip()[:_LONGEST_URL],
            given.get("origin", "").strip()[:MAX_ORIGIN_LENGTH],
            given.get("method", "").strip()[:_LONGEST_METHOD] or "GET",
            given.get("headers", "")[:_LONGEST_HEADERS],
            "credentials" in given,
            engine if engine in ENGINES else "standard",
        )

    @property
    def header_lines(self) -> list[str]:
        """The headers, one each."""
        lines = [line.strip() for line in self.headers.split("\n")]
        return [line for line in lines if line][:_MOST_HEADERS]


class Played(NamedTuple):
    """What came of it: a simulation, or a sentence why there is none."""

    simulation: Simulation | None = None
    objection: str = ""


def play(state: AppState, question: Question, base: str) -> Played:
    """Play it. Whatever was typed in, this does not raise.

    :param base: the URL that the app is mounted at, as the form was asked for.
    """
    if not question.url or not question.origin:
        return Played(objection="A URL and the page's origin are needed.")
    try:
        return Played(
            simulate(
                state,
                question.url,
                origin=question.origin,
                method=question.method,
                headers=question.header_lines,
                credentials=question.credentials,
                engine=question.engine,
                base=base,
            )
        )
    except (CorsGuardError, ValueError) as error:
        return Played(objection=str(error))
    except Exception as error:  # of the app's own converters, say
        return Played(objection=f"This cannot be played: {described(error)}.")
