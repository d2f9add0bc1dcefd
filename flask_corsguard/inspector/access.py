"""Who may see the inspector. Its policy keeps other sites out; this module makes sure that the
policy decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from flask import Request
from werkzeug.exceptions import NotFound

from flask_corsguard.config import InspectorSettings
from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import DEFAULT_PORTS, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.runtime.state import DECISION, AppState
from flask_corsguard.text import shown, text_of

#: No other origin may read, and requests that another site causes are refused.
POLICY = Policy(enforce="all")
_CHECK = "CORSGUARD_INSPECTOR_CHECK"


def objection(state: AppState, settings: InspectorSettings, request: Request) -> str | None:
    """A sentence that says why a request may not see the inspector, or None.

    :raises NotFound: if debug mode has ended since the inspector was set up.
    """
    if not (state.app.debug or settings.outside_debug):
        raise NotFound
    decision: Decision | None = getattr(request, DECISION, None)
    if decision is None or decision.policy != POLICY:
        return (
            "The inspector works only under its own policy, which has been lost: something has"
            f" replaced or wrapped the view {shown(request.endpoint or '')} without"
            " functools.wraps()."
        )
    if settings.check is not None:
        passes = _passes(settings.check, request, state)
        return None if passes else f"{_CHECK} does not let this request see the inspector."
    # Another site can point its own name to this machine (DNS rebinding), and then has the app's
    # origin. But the browser sends that name, and no other.
    for host in _hosts(request.environ):
        if not _is_own(host.lower(), state):
            return (
                f"The inspector does not respond to the name {shown(host)}, only to localhost, an"
                " IP address, SERVER_NAME and CORSGUARD_SELF_ORIGINS. Otherwise, a site could"
                " point its own name to this machine and read the inspector. Open it under one of"
                f" these names, or set {_CHECK}."
            )
    return None


def _passes(check: Callable[[Any], object], request: Request, state: AppState) -> bool:
    try:
        verdict = check(request)
        # As with a callable in origins, a truthy object is not a yes.
        if type(verdict) is not bool:
            raise TypeError(f"it returned {text_of(verdict, 60)}, not True or False")
    except BaseException as error:
        if is_shutdown(error):
            raise
        state.log.failure(_CHECK, error)
        return False
    return verdict


def _is_own(host: str, state: AppState) -> bool:
    # With a scheme that has no default port, which would not be part of an origin.
    parsed = parse_origin(f"host://{host}")
    if parsed is None:
        return False
    config = cast("dict[str, str | None]", state.app.config)
    server_name = (config["SERVER_NAME"] or "").lower().partition(":")[0]
    if parsed.is_loopback or parsed.is_address or parsed.host == server_name:
        return True
    own = state.settings.self_origins.compiled
    texts = (f"{s}://{host.removesuffix(f':{DEFAULT_PORTS[s]}')}" for s in ("http", "https"))
    return any((o := parse_origin(text)) and own.matches(text, o, None) for text in texts)


def _hosts(environ: dict[str, Any]) -> Iterator[str]:
    """The host that a request was sent to, and the one that ProxyFix has replaced it with, which
    the client chooses if there is no proxy in front."""
    yield environ.get("HTTP_HOST") or ""
    original: dict[str, str | None] | None = environ.get("werkzeug.proxy_fix.orig")
    if original is not None:
        yield original.get("HTTP_HOST") or ""
