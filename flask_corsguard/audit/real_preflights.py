"""Real preflights, through everything that surrounds the guard. The guard responds to them, so no
view runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from flask_corsguard.audit.findings import Findings
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.middleware import ENDED_EARLY
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import described, shown

_NOT_FOUND = 404


def send_preflights(
    state: AppState, route: Route, policy: Policy, requests: SampleRequests, found: Findings
) -> None:
    """Send a route preflights from an allowed origin, if one is listed, and from an unrelated one.
    Add a finding if something fails or ends one on its way, or changes its response."""
    if not policy.answer_preflight or not requests.is_reachable:
        return
    listed = () if policy.origins == "*" else policy.compiled.listed - {"null"}
    for origin in filter(None, (min(listed, default=""), UNRELATED[0])):
        environ = {**requests.environ(preflight=True), "HTTP_ORIGIN": origin}
        try:
            status, headers, decision, ended_early = _send(state, environ)
        except BaseException as error:
            if is_shutdown(error):
                raise
            message = f"A preflight raises {described(error)}."
            found.add("runs_before_guard", message, [route])
            return
        early = status if decision is None else ended_early
        # Not found: a URL that was made up, or that the app around this one does not know.
        if early not in (None, _NOT_FOUND):
            message = f"A preflight gets status {early} before the guard sees it."
            found.add("runs_before_guard", message, [route])
            return
        changed = list(_changed(headers, decision.headers)) if decision else []
        if changed:
            message = f"A preflight's response is changed on its way out: {'; '.join(changed)}."
            found.add("answer_changed", message, [route])
            return


def _send(
    state: AppState, environ: dict[str, Any]
) -> tuple[int, Headers, Decision | None, int | None]:
    """:returns: status and headers, the guard's decision, and the status of what ended it early."""
    seen: list[Mapping[str, Any]] = []

    def watched(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(environ)
        return state.app(environ, start_response)

    chunks, status, headers = run_wsgi_app(watched, environ)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    key, own = state.environ_key, seen[0]
    return int(status[:3]), headers, own.get(key) or None, own.get(f"{key}{ENDED_EARLY}")


def _changed(sent: Headers, wanted: Mapping[str, str]) -> Iterator[str]:
    present = {
        name.lower(): ", ".join(sent.getlist(name))
        for name, _ in sent
        if name.lower().startswith("access-control-")
    }
    for name, value in wanted.items():
        if name == VARY:
            varies = {part.strip().lower() for part in ",".join(sent.getlist(VARY)).split(",")}
            lost = [part for part in value.split(", ") if part.lower() not in varies]
            if lost and "*" not in varies:
                yield f"Vary lacks {', '.join(lost)}"
        elif present.pop(name.lower(), None) != value:
            yield f"{name} is not {shown(value)}"
    for name, value in present.items():
        yield f"{shown(name)[1:-1]}: {shown(value)} was added"
