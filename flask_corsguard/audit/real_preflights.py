"""Real preflights, through everything that is around the guard. The guard answers them, so that no
view runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple, cast

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from flask_corsguard.audit.findings import RULES
from flask_corsguard.audit.hostile_origins import UNRELATED
from flask_corsguard.audit.remarks import Remark
from flask_corsguard.audit.sample_requests import RouteRequests
from flask_corsguard.audit.source_code import location_of
from flask_corsguard.audit.surroundings import is_ours
from flask_corsguard.logging import logger
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.hooks import ENDED_EARLY
from flask_corsguard.runtime.state import AppState
from flask_corsguard.signals import origin_allowed, origin_rejected, preflight_rejected
from flask_corsguard.text import described, name_of, shown

_NOT_FOUND = 404


class _Seen(NamedTuple):
    status: int
    headers: Headers
    decision: Decision | None
    ended_early: int | None


def preflight(
    state: AppState, route: Route, policy: Policy, requests: RouteRequests
) -> list[Remark]:
    """Send a route preflights of an origin that may, if one is listed, and of one that may not.

    :returns: what was not as the guard had it.
    """
    found: list[Remark] = []
    if not policy.answer_preflight or not requests.is_reachable:
        return found
    for origin in (_listed(policy), UNRELATED[0]):
        if origin is None:
            continue
        environ = {**requests.environ(preflight=True), "HTTP_ORIGIN": origin}
        try:
            seen = _send(state, environ)
        except Exception as error:
            words = f"A preflight raises {described(error)}."
            found.append(_ahead(words, route))
            break
        early = seen.status if seen.decision is None else seen.ended_early
        # Not found: a URL that was made up, or that the app around this one does not know.
        if early not in (None, _NOT_FOUND):
            words = f"A preflight is answered with status {early} before the guard sees it."
            found.append(_ahead(words, route))
            break
        changed = seen.decision and list(_changed(seen.headers, seen.decision.headers))
        if changed:
            message = f"On the way out, a preflight's answer is changed: {'; '.join(changed)}."
            level = RULES["answer_changed"].level
            found.append(Remark("answer_changed", level, message, (route,)))
            break
    return found


def runs_ahead(app: Flask) -> Iterator[Remark]:
    """The before_request functions ahead of the guard's, after its first request."""
    for function in cast("list[Callable[..., Any]]", app.before_request_funcs.get(None, [])):
        if is_ours(function):
            return
        words = f"{name_of(function)} runs before the guard on every request."
        yield _ahead(words, None, location_of(function))


@contextlib.contextmanager
def unheard() -> Generator[None]:
    """Nobody is told of what an audit tries: no signal is sent, no line is logged."""
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with origin_allowed.muted(), origin_rejected.muted(), preflight_rejected.muted():
            yield
    finally:
        logger.disabled = was_disabled


def _listed(policy: Policy) -> str | None:
    """An origin that may read, if that can be told without asking anybody."""
    if policy.origins == "*":
        return None
    exact = policy.compiled.listed - {"null"}
    return min(exact, default=None)


def _send(state: AppState, environ: dict[str, Any]) -> _Seen:
    seen: list[Mapping[str, Any]] = []

    def watched(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(environ)
        return state.app(environ, start_response)

    chunks, status, headers = run_wsgi_app(watched, environ)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    key, own = state.environ_key, seen[0]
    return _Seen(int(status[:3]), headers, own.get(key), own.get(f"{key}{ENDED_EARLY}"))


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


def _ahead(words: str, route: Route | None, location: str = "") -> Remark:
    level = RULES["runs_before_guard"].level
    return Remark("runs_before_guard", level, words, (route,) if route else (), location)
