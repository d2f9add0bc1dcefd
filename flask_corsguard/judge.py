"""The judge: everything that decides about the requests of one app, under one set of settings."""

from __future__ import annotations

from flask import Flask, Request

from flask_corsguard.config import Settings
from flask_corsguard.enforcement import settle
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.resolution import EndpointMarks
from flask_corsguard.routing import PolicyTable

# Bound once: these are read for every request.
_NOT_CORS, _REJECTED = Outcome.NOT_CORS, Outcome.REJECTED


class Judge:
    """Decides about requests. Replaced as a whole when the settings change.

    :ivar table: the policy of each route.
    :ivar trial: judges by the policy that is only being tried out; None where there is none.
    :raises PolicyError: with everything that is wrong with any route.
    """

    def __init__(self, app: Flask, settings: Settings, marks: EndpointMarks) -> None:
        self.table = PolicyTable(app, settings, marks)
        # The table's own memory of decisions, at hand: most requests need nothing else.
        self._known = self.table.known
        self._self_origins = settings.self_origins
        on_trial = settings.on_trial()
        self.trial = Judge(app, on_trial, marks) if on_trial else None

    def decide(self, request: Request) -> Decision:
        """The decision about a request.

        :raises PolicyError: if there is a problem with a rule that was added after the others.
        """
        origin: str | None = request.environ.get("HTTP_ORIGIN")
        decision = None
        # A long origin is not looked up: that would read all of it.
        if origin is None or len(origin) <= MAX_ORIGIN_LENGTH:
            decision = self._known.get((id(request.url_rule), request.method, origin))
        if decision is None:
            decision = self.table.decide(request)
            if decision.outcome is _NOT_CORS:
                return settle(decision, request, self._self_origins)
        if decision.outcome is _REJECTED:
            return settle(decision, request, self._self_origins)
        return decision
