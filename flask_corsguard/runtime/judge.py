"""The judge: everything that decides about the requests of one app, under one set of settings."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Request
from werkzeug.routing import Rule

from flask_corsguard.config import Settings
from flask_corsguard.logging import Line
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import MAX_ORIGIN_LENGTH
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.layers import EndpointMarks
from flask_corsguard.routing.lookup import PolicyTable
from flask_corsguard.runtime.decision_cache import Memory, Rejection
from flask_corsguard.runtime.enforcement import settle

# Bound once: these are read for every request.
_NOT_CORS, _REJECTED = Outcome.NOT_CORS, Outcome.REJECTED


class Judge:
    """Decides about requests. Replaced as a whole when the settings or the routes change.

    :param rules: the rules of the routes.
    :ivar table: the policy of each route.
    :ivar trial: judges by the policy that is only being tried out; None where there is none.
    :ivar memory: decisions that a request can have at once. Nothing is in it while there is a
        trial, which is to hear of each request.
    :raises PolicyError: with everything that is wrong with any route.
    """

    __slots__ = ("_self_origins", "memory", "table", "trial")

    def __init__(
        self, app: Flask, settings: Settings, marks: EndpointMarks, rules: Iterable[Rule]
    ) -> None:
        self.table = PolicyTable(app, settings, marks, rules)
        self._self_origins = settings.self_origins
        on_trial = settings.on_trial()
        self.trial = Judge(app, on_trial, marks, self.table.rules) if on_trial else None
        self.memory = Memory() if on_trial else self.table.memory

    def decide(self, request: Request) -> Decision:
        """The decision about a request.

        :raises LateRuleError: if the rule that the request reaches is not in the table.
        """
        decision = self.table.decide(request)
        if decision.outcome is _REJECTED or decision.outcome is _NOT_CORS:
            return settle(decision, request, self._self_origins)
        return decision

    def expect_again(self, request: Request, decision: Decision, line: Line) -> None:
        """Keep a rejection that was announced, if the rest of the request had no say in it but for
        what :class:`~flask_corsguard.runtime.decision_cache.Rejection` compares.

        :param line: the log's line for it.
        """
        policy = decision.policy
        if policy is None or policy.compiled.enforces:
            return
        origin: str = request.environ["HTTP_ORIGIN"]
        if len(origin) > MAX_ORIGIN_LENGTH:
            return
        key = (id(request.url_rule), request.method, origin)
        if key in self.memory.open:
            rejection = Rejection(decision, request, line)
            if rejection.is_short:
                # Known already: from another host, or before the line's time was over.
                self.memory.rejections.renew(key, rejection)
