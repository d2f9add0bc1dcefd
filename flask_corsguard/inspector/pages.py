"""The pages: what is known about the app, put into templates."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from flask_corsguard.inspector.check_form import CheckForm
from flask_corsguard.inspector.origin_grid import Sign
from flask_corsguard.inspector.rejections import MAX_REJECTIONS, RecentRejection, RecentRejections
from flask_corsguard.inspector.route_filter import RouteFilter, filtered_routes
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.runtime.state import AppState
from flask_corsguard.testing.engines import ENGINES

_MAX_LINE_LENGTH = 120
# Characters that stay as they are in the path of a URL.
_PLAIN = "/:@!$&'()*+,;="


def visible(text: str, limit: int = 200) -> str:
    """Text from anywhere: cut, and with everything escaped that does not print or would change the
    direction of text. Markup stays as it is, because templates escape it."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:limit]
    )
    return f"{shown}…" if len(text) > limit else shown


def breakable(text: str) -> Markup:
    """The same as markup that can be broken inside a path or a name."""
    return Markup("<wbr>").join(re.split(r"(?<=[/._])", visible(text)))


class Pages:
    """The pages of one app's inspector."""

    def __init__(self, state: AppState, recent: RecentRejections) -> None:
        self._state = state
        self._recent = recent
        # An environment of its own: none of the app's settings can turn escaping off.
        self._environment = Environment(
            autoescape=True,
            loader=PackageLoader("flask_corsguard.inspector"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"visible": visible, "breakable": breakable, "time": _time}

    def routes(self, query: Mapping[str, str]) -> str:
        """What each origin may do on each route."""
        filters = RouteFilter.of(query)
        table = filtered_routes(self._state, filters)
        rows = (*table.rows, *(row for group in table.groups for row in group.rows))
        shown = {cell.sign for row in rows for cell in row.cells}
        signs = [sign for sign in Sign if sign in shown]
        sources = [feed.status() for feed in self._state.current().feeds()]
        return self._render("routes", table=table, filters=filters, signs=signs, sources=sources)

    def rejections(self) -> str:
        """The last rejections."""
        return self._render("rejections", entries=self.entries(), most=MAX_REJECTIONS)

    def entries(self) -> list[dict[str, str]]:
        """The last rejections, as they are shown."""
        return list(map(_as_shown, self._recent.latest()))

    def poll(self) -> dict[str, object]:
        """The same for the page's script, with the process that responds, which may change."""
        return {"process": self.process(), "entries": self.entries()}

    def process(self) -> str:
        """What distinguishes this process from the others, and its settings from theirs."""
        return f"Process {os.getpid()}, fingerprint {self._state.current().fingerprint()}"

    def check(self, query: Mapping[str, str], base: str) -> str:
        """The form that simulates a request, and the result.

        :param base: the URL that the app is mounted at.
        """
        form = CheckForm.of(query)
        result = form.simulated(self._state, base) if "url" in query else None
        return self._render("check", form=form, result=result, engines=list(ENGINES))

    def _render(self, page: str, **values: Any) -> str:
        settings = self._state.settings
        return self._environment.get_template(f"{page}.html").render(
            page=page,
            app_name=self._state.app.name,
            default_source=settings.source,
            report_only=settings.report_only,
            rejected=len(self._recent.latest()),
            process=self.process(),
            settings=self._state.settings_status(),
            **values,
        )


def _as_shown(entry: RecentRejection) -> dict[str, str]:
    decision = entry.decision
    verdict = "refused" if decision.blocked else ""
    if decision.outcome is Outcome.UNENFORCED:
        verdict = "not refused"
    return {
        "number": str(entry.number),
        "time": _time(entry.last),
        "count": f"\N{MULTIPLICATION SIGN} {entry.times:,}" if entry.times > 1 else "",
        "reason": decision.reason.name if decision.reason else "",
        "verdict": "report-only" if decision.report_only else verdict,
        "what": "preflight for " if decision.preflight else "",
        "request": visible(f"{decision.method} {decision.path}", _MAX_LINE_LENGTH),
        "origin": visible(decision.origin or "no Origin", _MAX_LINE_LENGTH),
        "explanation": entry.explanation or decision.explain(),
        "again": _again(decision),
    }


def _time(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def _again(decision: Decision) -> str:
    """The address that simulates a request; "" if no ``fetch()`` sent it, but a link, say."""
    if not decision.origin:
        return ""
    query = {
        # The decision has the decoded path.
        "url": quote(decision.path, safe=_PLAIN),
        "origin": decision.origin,
        "method": decision.method,
    }
    if decision.outcome is Outcome.UNENFORCED:
        query["headers"] = "Upgrade: websocket"
    elif decision.request_headers:
        query["headers"] = "\n".join(decision.request_headers)
    return f"check?{urlencode(query)}"
