"""What is known about one app: its settings, who judges by them, and who is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from typing import cast

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule

from flask_corsguard import signals
from flask_corsguard.config import Settings
from flask_corsguard.errors import CorsGuardError, PolicyError, Problem
from flask_corsguard.logging import GuardLog, Line
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.layers import EndpointMarks
from flask_corsguard.routing.lookup import LateRuleError
from flask_corsguard.runtime.judge import Judge

EXTENSION_KEY = "corsguard"
# Bound once: these are read for every request.
_ALLOWED, _REJECTED = Outcome.ALLOWED, Outcome.REJECTED


class AppState:
    """The guard of one app, kept in ``app.extensions["corsguard"]``.

    :ivar environ_key: where a request's decision is kept in the WSGI environment. It names the
        app: a view can hand its environment on to another app with a guard of its own.
    """

    def __init__(self, app: Flask, settings: Settings, marks: EndpointMarks) -> None:
        self.app = app
        self.settings = settings
        self.marks = marks
        self.log = GuardLog(app, settings.log_rejections)
        self.environ_key = f"flask_corsguard.decision.{id(app)}"
        #: decides about requests; None until the first
        self.judge: Judge | None = None
        self._problems: tuple[Problem, ...] = ()
        self._lock = threading.Lock()
        self._companion: object = None

    def keep(self, companion: object) -> None:
        """Keep something alive for as long as the app."""
        self._companion = companion

    def current_judge(self) -> Judge:
        """The judge that is in office or, before the first request, the one that would be."""
        return self.judge or self._judge(self.settings)

    def final_judge(self) -> Judge:
        """The judge that is in office; made now if there is none.

        :raises PolicyError: while there is a problem with any route. The app answers nothing
            until it is put right.
        """
        with self._lock:
            if self.judge is None and not self._problems:
                self.marks.frozen = True
                try:
                    self.judge = self._judge(self.settings)
                except PolicyError as error:
                    self._problems = error.problems
            if self.judge is None:
                raise PolicyError(self._problems)
            return self.judge

    def decide(self, request: Request, judge: Judge) -> tuple[Decision, Judge]:
        """The decision about a request, and who made it: another judge, where the request reaches
        a rule that was added since *judge* was made.

        :raises PolicyError: if there is a problem with that rule.
        """
        while True:
            try:
                return judge.decide(request), judge
            except LateRuleError as error:
                judge = self._renewed_judge(judge, error.rule)

    def _renewed_judge(self, outdated: Judge, rule: Rule) -> Judge:
        """A judge that also knows a rule that *outdated* does not know."""
        with self._lock:
            if self.judge not in (None, outdated):
                return self.judge
            # Not all that the map has by now: a problem with another rule is that one's own.
            renewed = self._judge(self.settings, (*outdated.table.rules, rule))
            if self.judge is outdated:
                self.judge = renewed
            return renewed

    def change_settings(self, change: Callable[[Settings], Settings]) -> None:
        """Put other settings in force, for all requests that begin from now on.

        :param change: makes the new settings of the old ones.
        :raises PolicyError: if they do not fit the routes; then nothing has changed.
        """
        with self._lock:
            settings = change(self.settings)
            if self.judge is not None or self._problems:
                self.judge = self._judge(settings)
            self.settings = settings
            self._problems = ()

    def _judge(self, settings: Settings, rules: Iterable[Rule] | None = None) -> Judge:
        """Make a judge, for the rules that the app's URL map has or for those given."""
        if rules is None:
            rules = self.app.url_map.iter_rules()
        return Judge(self.app, settings, self.marks, rules)

    def announce(self, decision: Decision) -> Line | None:
        """Log a rejection, and send the signal of a verdict about another origin.

        :returns: the log's line for a rejection, if it has one.
        """
        if decision.outcome is _ALLOWED:
            signals.send(signals.origin_allowed, self.app, decision, self.log)
        elif decision.outcome is _REJECTED and decision.reason is not None:
            line = self.log.rejection(decision)
            about_origin = decision.reason.is_about_origin
            signal = signals.origin_rejected if about_origin else signals.preflight_rejected
            if signal.receivers:
                signals.send(signal, self.app, decision, self.log)
            return line
        return None

    def try_out(self, trial: Judge, request: Request) -> None:
        """Announce what the policy on trial would reject. Whatever comes of it, the request goes
        on as if there were no trial."""
        try:
            decision = trial.decide(request)
        except Exception as error:
            self.log.failure("the policy in report_only", error)
            return
        if decision.outcome is _REJECTED:
            self.announce(decision._replace(blocked=False, report_only=True))


def state_of(app: Flask) -> AppState:
    """The guard's state for *app*.

    :raises CorsGuardError: if the app has no guard.
    """
    state = app.extensions.get(EXTENSION_KEY) if isinstance(cast("object", app), Flask) else None
    if not isinstance(state, AppState):
        raise CorsGuardError(f"{app!r} has no guard; call CorsGuard(app) or guard.init_app(app)")
    return state


@contextlib.contextmanager
def app_context(app: Flask) -> Generator[None]:
    """The app's context, for what its code is asked without a request. Teardown functions, which
    may count on one, cannot make that fail."""
    context = app.app_context()
    context.push()
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            context.pop()


def _current_decision() -> Decision:
    decision = request.environ.get(state_of(current_app).environ_key)
    if decision is None:
        raise CorsGuardError("nothing has been decided about this request yet")
    return cast("Decision", decision)


#: The decision about the current request, for views and everything that runs after the guard.
current_decision: Decision = cast("Decision", LocalProxy(_current_decision))
