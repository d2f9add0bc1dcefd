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

#: Sent in the same way, to the inspector, for a WebSocket handshake that nothing refuses. It has no
#: public signal: the others announce what happens, and here nothing does.
handshake_unenforced = _signals.signal("handshake-unenforced")


def announce(app: Flask, decision: Decision, log: GuardLog) -> None:
    """Log the decision if its origin is not admitted, and send the signal that belongs to it, if
    any."""
    if decision.reason is _SPECULATIVE:
        return  # the address bar asks ahead of time all day long, and looks the same
    if decision.outcome is _UNENFORCED:
        log.rejection(decision)
        _send(handshake_unenforced, app, decision, log)
    elif decision.reason is not None:
        log.rejection(decision)
        about_origin = decision.reason.is_about_origin
        _send(origin_rejected if about_origin else preflight_rejected, app, decision, log)
    elif decision.outcome is _ALLOWED:
        _send(origin_allowed, app, decision, log)


def _send(signal: NamedSignal, app: Flask, decision: Decision, log: GuardLog) -> None:
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
            app.ensure_sync(receiver)(app, decision=decision)
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
