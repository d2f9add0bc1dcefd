"""Who may see the inspector. Its policy keeps other sites out; here it is only made sure that the
policy was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from flask import Request
from werkzeug.exceptions import NotFound

from flask_corsguard.config import InspectorSettings
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.origins import DEFAULT_PORTS, parse_origin
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.runtime.state import AppState
from flask_corsguard.text import shown, text_of

#: No other origin may read, and requests that another site causes are refused.
POLICY = Policy(enforce="all")
_CHECK = "CORSGUARD_INSPECTOR_CHECK"
_CHECK_SAYS_NO = f"{_CHECK} does not let this request see the inspector."


class InspectorAccess:
    """Decides who may see the inspector of one app."""

    def __init__(self, state: AppState, settings: InspectorSettings) -> None:
        self._state = state
        self._check = settings.check
        self._outside_debug = settings.outside_debug

    def objection(self, request: Request) -> str | None:
        """A sentence that says why a request may not see it, or None.

        :raises NotFound: if debug mode has ended since the inspector was set up.
        """
        if not (self._state.app.debug or self._outside_debug):
            raise NotFound
        decision: Decision | None = request.environ.get(self._state.environ_key)
        if decision is None or decision.policy != POLICY:
            return (
                "The inspector works under its own policy only, and that was lost: something has"
                f" replaced or wrapped the view {shown(request.endpoint or '')} without"
                " functools.wraps()."
            )
        if self._check is not None:
            return None if self._passes_check(request) else _CHECK_SAYS_NO
        return next(filter(None, map(self._objection_to, _hosts(request.environ))), None)

    def _objection_to(self, host: str) -> str | None:
        # Another site can give its own name this machine's address (DNS rebinding), and then has
        # the app's origin. It cannot choose the name that the browser sends.
        if self._is_own(host):
            return None
        return (
            f"The inspector does not answer as {shown(host)}: only as localhost, as an IP address,"
            " as SERVER_NAME, or as one of CORSGUARD_SELF_ORIGINS. Otherwise a site that gives its"
            f" own name this machine's address could read it. Use one of these, or set {_CHECK}."
        )

    def _passes_check(self, request: Request) -> bool:
        assert self._check is not None
        try:
            verdict = self._check(request)
            if not isinstance(verdict, bool):
                # As in origins, a truthy object is not a yes.
                raise TypeError(f"it returned {text_of(verdict, 60)}, not True or False")
        except Exception as error:
            self._state.log.failure(_CHECK, error)
            return False
        return verdict

    def _is_own(self, host: str) -> bool:
        host = host.lower()
        # With a scheme that has no default port, which would not be part of an origin.
        parsed = parse_origin(f"host://{host}")
        if parsed is None:
            return False
        if parsed.is_loopback or parsed.is_address:
            return True
        config = cast("dict[str, str | None]", self._state.app.config)
        server_name = config["SERVER_NAME"]
        if server_name and parsed.host == server_name.lower().partition(":")[0]:
            return True
        own = self._state.settings.self_origins.compiled
        texts = (f"{s}://{host.removesuffix(f':{DEFAULT_PORTS[s]}')}" for s in ("http", "https"))
        return any((o := parse_origin(text)) and own.matches(text, o, None) for text in texts)


def _hosts(environ: dict[str, Any]) -> Iterator[str]:
    """The host that a request was sent to, and the one that ProxyFix has replaced it with: without
    a proxy in front, whoever sends the request chooses that one."""
    yield environ.get("HTTP_HOST") or ""
    original: dict[str, str | None] | None = environ.get("werkzeug.proxy_fix.orig")
    if original is not None:
        yield original.get("HTTP_HOST") or ""
