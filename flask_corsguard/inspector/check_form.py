"""The form that simulates one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flask_corsguard.errors import CorsGuardError, is_shutdown
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.runtime.state import AppState
from flask_corsguard.simulate import Simulation, simulate
from flask_corsguard.testing.engines import ENGINES, EngineName
from flask_corsguard.text import described

_MAX_URL_LENGTH = 2000
_MAX_HEADERS_LENGTH = 4000
_MAX_HEADERS = 50


class CheckForm(NamedTuple):
    """The form's fields as they were filled in, up to a length."""

    url: str
    origin: str
    method: str
    headers: str
    credentials: bool
    engine: EngineName

    @classmethod
    def of(cls, query: Mapping[str, str]) -> CheckForm:
        """Read it from a query."""
        engine = query.get("engine", "")
        return cls(
            query.get("url", "").strip()[:_MAX_URL_LENGTH],
            query.get("origin", "").strip()[:MAX_ORIGIN_LENGTH],
            query.get("method", "").strip()[:MAX_METHOD_LENGTH] or "GET",
            query.get("headers", "")[:_MAX_HEADERS_LENGTH],
            "credentials" in query,
            engine if engine in ENGINES else "standard",
        )

    def simulated(self, state: AppState, base: str) -> Simulation | str:
        """The simulation, or a sentence that says why there is none. It never raises.

        :param base: the URL that the app is mounted at.
        """
        if not self.url or not self.origin:
            return "Enter a URL and the page's origin."
        lines = [line for line in map(str.strip, self.headers.split("\n")) if line]
        try:
            return simulate(
                state,
                self.url,
                origin=self.origin,
                method=self.method,
                headers=lines[:_MAX_HEADERS],
                credentials=self.credentials,
                engine=self.engine,
                base=base,
            )
        except (CorsGuardError, ValueError) as error:
            return str(error)
        except BaseException as error:  # from one of the app's converters, say
            if is_shutdown(error):
                raise
            return f"This cannot be simulated: {described(error)}."
