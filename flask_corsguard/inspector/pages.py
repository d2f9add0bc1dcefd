"""The pages: what is known of the app, put into templates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from flask_corsguard.inspector.check_form import Question, play
from flask_corsguard.inspector.origin_grid import State
from flask_corsguard.inspector.rejections import MOST_ENTRIES, Entry, Recorder
from flask_corsguard.inspector.route_filter import Filters, table_of
from flask_corsguard.inspector.words import visible
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.runtime.state import AppState
from flask_corsguard.testing.engines import ENGINES

_LONGEST_LINE = 120
# What stays as it is in the path of a URL.
_PLAIN = "/:@!$&'()*+,;="


def _environment() -> Environment:
    """Templates of our own in an environment of our own: no setting of the app's turns the
    escaping off."""
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("flask_corsguard.inspector"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    return environment


class Pages:
    """The pages of one app's inspector."""

    def __init__(self, state: AppState, recorder: Recorder) -> None:
        self._state = state
        self._recorder = recorder
        self._environment = _environment()

    def routes(self, query: Mapping[str, str]) -> str:
        """What each origin may do where."""
        filters = Filters.of(query)
        table = table_of(self._state, filters)
        return self._render("routes", table=table, filters=filters, states=list(State))

    def rejections(self) -> str:
        """The last rejections."""
        return self._render("rejections", entries=self.entries(), most=MOST_ENTRIES)

    def entries(self) -> list[dict[str, str]]:
        """The last rejections, as they are shown."""
        return [_as_shown(entry) for entry in self._recorder.entries()]

    def check(self, query: Mapping[str, str], base: str) -> str:
        """The form that plays a request, and what came of it.

        :param base: the URL that the app is mounted at.
        """
        question = Question.of(query)
        played = play(self._state, question, base) if "url" in query else None
        return self._render("check", question=question, played=played, engines=list(ENGINES))

    def _render(self, page: str, **values: Any) -> str:
        settings = self._state.settings
        return self._environment.get_template(f"{page}.html").render(
            page=page,
            app_name=self._state.app.name,
            default_source=settings.source,
            trial=settings.report_only,
            rejected=len(self._recorder.entries()),
            **values,
        )


def _as_shown(entry: Entry) -> dict[str, str]:
    decision = entry.decision
    reason = decision.reason.name if decision.reason else ""
    verdict = "refused" if decision.blocked else ""
    what = "preflight for " if decision.preflight else ""
    return {
        "number": str(entry.number),
        "time": time.strftime("%H:%M:%S", time.localtime(entry.last)),
        "count": f"\N{MULTIPLICATION SIGN} {entry.times:,}" if entry.times > 1 else "",
        "reason": reason,
        "verdict": "only reported" if decision.report_only else verdict,
        "what": what,
        "request": visible(f"{decision.method} {decision.path}", _LONGEST_LINE),
        "origin": visible(decision.origin or "no Origin", _LONGEST_LINE),
        "explanation": decision.explain(),
        "again": _again(decision),
    }


def _again(decision: Decision) -> str:
    """The address that plays a request; empty where no ``fetch()`` has sent it, but a link, say."""
    if not decision.origin:
        return ""
    query = {
        # What was matched is the decoded path.
        "url": quote(decision.path, safe=_PLAIN),
        "origin": decision.origin,
        "method": decision.method,
    }
    if decision.request_headers:
        query["headers"] = "\n".join(decision.request_headers)
    return f"check?{urlencode(query)}"
