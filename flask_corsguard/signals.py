"""The signals. _Receivers only observe: none can change a decision or break a request."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType, MethodType
from typing import Any, TypeVar

from blinker import ANY, NamedSignal
from flask.app import Flask
from werkzeug.local import LocalProxy

from flask_corsguard.decorators import from_here
from flask_corsguard.errors import CorsGuardError, is_shutdown
from flask_corsguard.logging import GuardLog, logger
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.text import name_of, text_of

_Receiver = TypeVar("_Receiver", bound=Callable[..., Any])

_TRIES = 100
# Bound once: on Python 3.11, looking up a member of an Enum is ten times as slow.
_SPECULATIVE, _UNENFORCED, _ALLOWED = Reason.SPECULATIVE, Outcome.UNENFORCED, Outcome.ALLOWED


class _AppSignal(NamedSignal):
    """A signal whose sender is an app. To a receiver of any other sender, nothing is ever sent.

    :ivar sent: how many times it was sent while it had receivers.
    """

    sent = 0

    def connect(self, receiver: _Receiver, sender: Any = ANY, weak: bool = True) -> _Receiver:
        """Connect *receiver*, as with every signal. One that is freed before it was ever called, as
        those are that an app factory defines and connects, is logged.

        :raises CorsGuardError: if *sender* is not a Flask app.
        """
        if sender is ANY or (isinstance(sender, Flask) and not isinstance(sender, LocalProxy)):
            super().connect(receiver, sender, weak)
            function: object = receiver
            code = function.__code__ if weak and isinstance(function, FunctionType) else None
            if code and "<" in code.co_qualname:  # a lambda, or inside another function
                # Called before blinker's own callback, which was registered before it
                # (https://docs.python.org/3/library/weakref.html#weakref.ref).
                to: object = self if sender is ANY else sender
                freed = (id(receiver), code, weakref.ref(to), self.sent)
                weakref.finalize(receiver, self._tell_of_freed, *freed).atexit = False
            return receiver
        raise CorsGuardError(
            f"the sender of {self.name} is the Flask app itself, not {text_of(sender)}. Write"
            " connect_via(app), or connect for every app"
        )

    def _tell_of_freed(
        self, receiver: int, code: CodeType, to: weakref.ref[object], sent: int
    ) -> None:
        # With its app, a receiver may go.
        is_early = to() is not None and self.sent == sent and not sys.is_finalizing()
        if is_early and receiver in self.receivers:
            logger.warning(
                "The receiver %s (%s) of the signal %s is never called: signals hold their"
                " receivers weakly, and nothing else holds it. Write"
                " @%s.connect_via(app), or connect(%s, weak=False).",
                code.co_qualname,
                from_here(f"{code.co_filename}:{code.co_firstlineno}"),
                self.name,
                self.name.replace("-", "_"),
                code.co_name,
            )


origin_rejected = _AppSignal("origin-rejected")
"""Sent when an origin may not read the response, or its request is refused. The sender is the app;
``decision=`` is a :class:`Decision`."""

preflight_rejected = _AppSignal("preflight-rejected")
"""Sent with the same arguments as :data:`origin_rejected` when the origin is allowed, but the
method or a header that its preflight requests is not."""

origin_allowed = _AppSignal("origin-allowed")
"""Sent with the same arguments as :data:`origin_rejected` when a request from another origin is
allowed."""

source_refreshed = _AppSignal("source-refreshed")
"""Sent when the rows of a source have changed. The sender is the app; ``source=`` is the source's
entry in :meth:`CorsGuard.status`."""

source_failed = _AppSignal("source-failed")
"""Sent with the same arguments as :data:`source_refreshed` when a source could not be read."""

settings_rejected = _AppSignal("settings-rejected")
"""Sent when a changed settings file has a mistake, so that the last good settings stay in force.
The sender is the app; ``file=`` is the file's path, ``problems=`` a tuple of :class:`Problem`."""

#: For the inspector: sent with the app as sender and ``decision=`` for a WebSocket handshake that
#: nothing refuses. Not public, because the guard changes nothing about such a handshake.
handshake_unenforced = _AppSignal("handshake-unenforced")

#: The signals about requests.
ABOUT_DECISIONS = (origin_rejected, preflight_rejected, origin_allowed, handshake_unenforced)


def announce(app: Flask, decision: Decision, log: GuardLog) -> None:
    """Log a decision unless it admits the origin, and send its signal, if it has one."""
    if decision.reason is _SPECULATIVE:
        return  # address bars prefetch all day long, with the same headers
    if decision.outcome is _UNENFORCED:
        log.rejection(decision)
        send(handshake_unenforced, app, log, decision=decision)
    elif decision.reason is not None:
        log.rejection(decision)
        about_origin = decision.reason.is_about_origin
        send(origin_rejected if about_origin else preflight_rejected, app, log, decision=decision)
    elif decision.outcome is _ALLOWED:
        send(origin_allowed, app, log, decision=decision)


def send(signal: _AppSignal, app: Flask, log: GuardLog, **values: object) -> None:
    """Call every receiver. If one raises an exception, that is logged; the others still run."""
    if signal.is_muted or not signal.receivers:
        return
    try:
        receivers = _receivers(signal, app)
    except RuntimeError as error:
        log.failure(f"looking for receivers of the signal {signal.name}", error)
        return
    signal.sent += 1
    for receiver in receivers:
        try:
            app.ensure_sync(receiver)(app, **values)
        except BaseException as error:
            if is_shutdown(error):
                raise
            what, of_signal = f"receiver {name_of(receiver)}", f"of the signal {signal.name}"
            if isinstance(error, TypeError) and _has_not_run(error):
                place, meant = _as_called(receiver, values)
                # The only line in the traceback is the call above.
                log.failure(f"{what}{place} {of_signal}", error.with_traceback(None), meant)
            else:
                log.failure(f"{what} {of_signal}", error)


def _has_not_run(error: TypeError) -> bool:
    """Whether the function did not accept the arguments, so that none of its code has run."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _as_called(receiver: Callable[..., object], values: Iterable[str]) -> tuple[str, str]:
    """Where a receiver is, and how to write it so that it accepts the arguments."""
    takes, code = ["sender", *values], getattr(receiver, "__code__", None)
    if not isinstance(code, CodeType):
        return "", f"It is called with ({', '.join(takes)})"
    place = f" ({from_here(f'{code.co_filename}:{code.co_firstlineno}')})"
    if code.co_name == "<lambda>":
        return place, f"Write lambda {', '.join(takes)}: ..."
    first = code.co_varnames[:1] if isinstance(receiver, MethodType) else ()
    return place, f"Write def {code.co_name}({', '.join([*first, *takes])})"


def _receivers(signal: NamedSignal, app: Flask) -> list[Callable[..., object]]:
    # Blinker fails if another thread connects or disconnects a receiver at the same time.
    for _ in range(_TRIES):
        with contextlib.suppress(RuntimeError):
            return list(signal.receivers_for(app))
    return list(signal.receivers_for(app))
