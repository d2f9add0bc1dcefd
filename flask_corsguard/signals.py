"""The signals. They observe: no receiver can change a verdict or break a request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from blinker import NamedSignal, Namespace
from flask.app import Flask

from flask_corsguard.errors import is_shutdown
from flask_corsguard.logging import GuardLog
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.text import name_of

_signals = Namespace()
_TRIES = 100
# Bound once: on Python 3.11 each look-up of an Enum's member takes as long as ten others.
_SPECULATIVE, _UNENFORCED, _ALLOWED = Reason.SPECULATIVE, Outcome.UNENFORCED, Outcome.ALLOWED

#: Sent with the app as sender and ``decision=`` when an origin may not read the response.
origin_rejected = _signals.signal("origin-rejected")

#: Sent in the same way when the origin is allowed, but its preflight is rejected.
preflight_rejected = _signals.signal("preflight-rejected")

#: Sent in the same way when a request from another origin is allowed.
origin_allowed = _signals.signal("origin-allowed")

#: Sent with the app as sender and ``source=`` when the origins of a source have changed: what
#: :meth:`flask_corsguard.CorsGuard.status` says of it.
source_refreshed = _signals.signal("source-refreshed")

#: Sent in the same way when a source could not be read.
source_failed = _signals.signal("source-failed")

#: Sent with the app as sender, ``file=`` and ``problems=`` when a changed settings file has a
#: mistake, so that the last good settings stay.
settings_rejected = _signals.signal("settings-rejected")

#: Sent with the app as sender and ``decision=``, to the inspector, for a WebSocket handshake that
#: nothing refuses. It is not public: the others announce what happens, and here nothing does.
handshake_unenforced = _signals.signal("handshake-unenforced")

#: The signals about single requests.
ABOUT_DECISIONS = (origin_rejected, preflight_rejected, origin_allowed, handshake_unenforced)


def announce(app: Flask, decision: Decision, log: GuardLog) -> None:
    """Log the decision if its origin is not admitted, and send the signal that belongs to it, if
    any."""
    if decision.reason is _SPECULATIVE:
        return  # the address bar asks ahead of time all day long, and looks the same
    if decision.outcome is _UNENFORCED:
        log.rejection(decision)
        send(handshake_unenforced, app, log, decision=decision)
    elif decision.reason is not None:
        log.rejection(decision)
        about_origin = decision.reason.is_about_origin
        send(origin_rejected if about_origin else preflight_rejected, app, log, decision=decision)
    elif decision.outcome is _ALLOWED:
        send(origin_allowed, app, log, decision=decision)


def send(signal: NamedSignal, app: Flask, log: GuardLog, **values: object) -> None:
    """Tell every receiver. One that raises is logged, and the others are told all the same."""
    if signal.is_muted or not signal.receivers:
        return
    try:
        receivers = _receivers(signal, app)
    except RuntimeError as error:
        log.failure(f"looking for receivers of the signal {signal.name}", error)
        return
    for receiver in receivers:
        try:
            app.ensure_sync(receiver)(app, **values)
        except BaseException as error:
            if is_shutdown(error):
                raise
            log.failure(f"receiver {name_of(receiver)} of the signal {signal.name}", error)


def _receivers(signal: NamedSignal, app: Flask) -> list[Callable[..., object]]:
    # Blinker fails if another thread connects or disconnects a receiver meanwhile.
    for _ in range(_TRIES):
        with contextlib.suppress(RuntimeError):
            return list(signal.receivers_for(app))
    return list(signal.receivers_for(app))
