"""A preflight on its way through the whole app: what became of it, and what is at fault if it
fails. The guard responds to it, so no view runs."""

from __future__ import annotations

import contextlib
import functools
import logging
import traceback
from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import dropwhile
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple, cast

from flask import request
from flask.app import Flask
from flask.signals import got_request_exception, request_started, request_tearing_down
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from flask_corsguard.audit.surroundings import functions_ahead, hooks_of
from flask_corsguard.decorators import from_here
from flask_corsguard.errors import is_shutdown
from flask_corsguard.known_fronts import layers_around
from flask_corsguard.logging import logger
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import ALLOW_CREDENTIALS, ALLOW_ORIGIN, VARY
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.routing.closures import location_of
from flask_corsguard.runtime.front_record import FrontRecord
from flask_corsguard.runtime.state import AppState, RequestRecord
from flask_corsguard.signals import (
    origin_allowed,
    origin_rejected,
    preflight_rejected,
    source_failed,
    source_refreshed,
)
from flask_corsguard.text import described, name_of, shown

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_MOST_NAMED = 3
_SIGNALS = (origin_allowed, origin_rejected, preflight_rejected, source_failed, source_refreshed)
_FRAMEWORK = ("flask", "flask_corsguard", "werkzeug")
# Statuses of a refused preflight: the guard's own, or as if there were no such URL.
_REFUSED = (403, 404)


class Delivery(NamedTuple):
    """What became of one preflight.

    :ivar status: the status of the response; None if an exception left the app.
    :ivar headers: its headers.
    :ivar decision: what the guard has decided, or None if the preflight did not reach it.
    :ivar early: the status of a response that was made before the guard saw the preflight, or None.
    :ivar first: the name of the function of ``run_first`` that made it, or "".
    :ivar reached_app: whether it reached the app, through what is around it.
    :ivar is_bypass: whether it reached the app, but not through the guard's middleware.
    :ivar error: the exception that was raised on the way, or None.
    """

    status: int | None
    headers: Headers
    decision: Decision | None
    early: int | None
    first: str
    reached_app: bool
    is_bypass: bool
    error: BaseException | None

    @property
    def passes(self) -> bool:
        """Whether a browser then sends the request that it asked about."""
        decision, status = self.decision, self.status
        if decision is None or decision.outcome is not Outcome.ALLOWED or status is None:
            return False
        return _is_ok(status) and not any(_lost(self.headers, decision.headers))

    @property
    def changes_readers(self) -> bool:
        """Whether a response that is otherwise the guard's own lets other pages read it."""
        decision, status = self.decision, self.status
        if decision is None or status is None or not _is_right(decision, status):
            return False
        names = (ALLOW_ORIGIN, ALLOW_CREDENTIALS)
        sent = {name: ", ".join(self.headers.getlist(name)) for name in names}
        return any(sent[name] != decision.headers.get(name, "") for name in names)


class Fault(NamedTuple):
    """What goes wrong with a preflight on its way.

    :ivar code: the code of the finding.
    :ivar message: what happened, with the function at fault if it is known.
    :ivar location: file and line of that function, or "".
    :ivar is_harmless: whether the response is right nevertheless.
    """

    code: str
    message: str
    location: str = ""
    is_harmless: bool = False


def deliver(state: AppState, environ: WSGIEnvironment) -> Delivery:
    """Send a preflight through the app and everything around it. The app's hooks run, but no view,
    if the policy has ``answer_preflight``."""
    app, key = state.app, state.environ_key
    seen: list[WSGIEnvironment] = []
    unmarked: list[WSGIEnvironment] = []
    errors: list[BaseException] = []
    sent: list[WSGIEnvironment] = []

    def served(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent.append(environ)  # run_wsgi_app() makes a copy of it
        return app(environ, start_response)

    # Not the environment that is sent: middleware may pass on a copy.
    def reached(_sender: Flask, **_: object) -> None:
        own = request.environ
        if all(own.get(name) == environ.get(name) for name in ("REQUEST_METHOD", "HTTP_ORIGIN")):
            seen.append(own)

    def began(_sender: Flask, **_: object) -> None:
        if key not in request.environ:
            unmarked.append(request.environ)

    def failed(_sender: Flask, exception: BaseException | None = None, **_: object) -> None:
        if exception is not None:
            errors.append(exception)

    status: int | None = None
    headers = Headers()
    with (
        request_started.connected_to(reached, app),
        request_started.connected_to(began, app),
        request_tearing_down.connected_to(reached, app),
        got_request_exception.connected_to(failed, app),
    ):
        try:
            chunks, line, headers = run_wsgi_app(served, environ)
            status = int(line[:3])
            getattr(chunks, "close", lambda: None)()
        except BaseException as left:
            if is_shutdown(left):
                raise
            errors.append(left)
    inner: WSGIEnvironment = seen[-1] if seen else {}
    record: RequestRecord = inner.get(key) or RequestRecord()
    return Delivery(
        status,
        headers,
        record.decision or _decision_in_front(state, sent),
        record.ended_early,
        record.ended_first,
        bool(seen),
        any(inner is each for each in unmarked),
        errors[0] if errors else None,
    )


def _decision_in_front(state: AppState, sent: list[WSGIEnvironment]) -> Decision | None:
    front: FrontRecord | None = sent[0].get(state.front_key) if sent else None
    return None if front is None else front.decision


@contextlib.contextmanager
def unheard(app: Flask) -> Generator[None]:
    """Try something on an app without anybody hearing of it: no signals, no log lines."""

    def nothing(_record: logging.LogRecord) -> bool:
        return False

    loggers = (logger, app.logger)
    for each in loggers:
        each.addFilter(nothing)
    try:
        with contextlib.ExitStack() as muted:
            for signal in _SIGNALS:
                muted.enter_context(signal.muted())
            yield
    finally:
        for each in loggers:
            each.removeFilter(nothing)


def fault_of(state: AppState, delivery: Delivery) -> Fault | None:
    """What is wrong with the response to a preflight, and what in the app is at fault; None if the
    response is what the guard decided."""
    app = state.app
    decision, status, error = delivery.decision, delivery.status, delivery.error
    if decision is None or delivery.early is not None:
        return _fault_before(state, delivery)
    if decision.policy is None or not decision.policy.answer_preflight:
        return None  # a mark on single files: the app responds
    is_right = status is not None and _is_right(decision, status)
    if error is not None:
        who, location = _culprit(state, error)
        also = "" if is_right else f", and the response is {_in_words(status)}"
        message = f"{who} fails on a preflight{also}: {described(error)}."
        return Fault("preflight_fails", message, location, is_right)
    if not is_right:
        message = (
            f"The response to a preflight is {_in_words(status)}, and not the guard's own. An"
            f" after_request function, or something around the app, changes it{_around(app)}."
        )
        return Fault("preflight_fails", message)
    changed = list(_changed(delivery.headers, decision.headers))
    if changed:
        message = f"A preflight's response is changed on its way out: {'; '.join(changed)}."
        return Fault("response_changed", message)
    return None


def _fault_before(state: AppState, delivery: Delivery) -> Fault | None:
    """What responded or failed before the guard saw the preflight."""
    status = delivery.early or delivery.status
    if delivery.error is not None:
        who, location = _culprit(state, delivery.error)
        message = f"{who} fails before the guard sees a preflight: {described(delivery.error)}."
        return Fault("runs_before_guard", message, location)
    # Not found: a URL that was made up, or that the app around this one does not know.
    if status == _REFUSED[-1]:
        return None
    if delivery.first:
        if status is not None and _is_ok(status):
            return None
        message = f"{delivery.first}, a function of run_first, ends a preflight with"
        location = next((location_of(f) for f in state.first if name_of(f) == delivery.first), "")
        return Fault("runs_before_guard", f"{message} status {status}.", location)
    message = f"A preflight gets status {status} before the guard sees it"
    if not delivery.reached_app:
        return Fault("runs_before_guard", f"{message}{_around(state.app)}.")
    ahead = functions_ahead(state)
    if ahead:
        names = ", ".join(map(name_of, ahead[:_MOST_NAMED]))
        return Fault("runs_before_guard", f"{message}: by {names}.", location_of(ahead[0]))
    return Fault("runs_before_guard", f"{message}.")


def _around(app: Flask) -> str:
    """The names of what is around the app, if anything is: ``: Timed``."""
    names = [name_of(layer.app) for layer in layers_around(app)][:_MOST_NAMED]
    return f": {', '.join(names)}" if names else ""


def _culprit(state: AppState, error: BaseException) -> tuple[str, str]:
    """The function that raised an exception: its name in words, and its file and line."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    hooks = {_code_of(function): (function, kind) for function, kind in hooks_of(state)}
    for frame in frames:
        if frame.f_code in hooks:
            function, kind = hooks[frame.f_code]
            return f"{name_of(function)}, {kind},", location_of(function)
    # Below the app itself, the first function of somebody else; around it, the last one.
    below = list(dropwhile(lambda frame: frame.f_code is not Flask.wsgi_app.__code__, frames))
    for frame in below or frames[-1:]:
        library = str(frame.f_globals.get("__name__")).partition(".")[0]
        if library not in _FRAMEWORK:
            code = frame.f_code
            return code.co_qualname, from_here(f"{code.co_filename}:{code.co_firstlineno}")
    return "Something", ""


def _code_of(function: object) -> CodeType | None:
    if isinstance(function, functools.partial):
        return _code_of(cast("object", function.func))
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = getattr(type(function), "__call__", None)  # noqa: B004
    return getattr(function, "__code__", None)


def _is_right(decision: Decision, status: int) -> bool:
    """Whether a browser understands a response as the guard means it."""
    if decision.outcome is Outcome.ALLOWED:
        return _is_ok(status)
    return status < 400 or status in _REFUSED


def _is_ok(status: int) -> bool:
    return 200 <= status < 300  # https://fetch.spec.whatwg.org/#ok-status


def _in_words(status: int | None) -> str:
    return "lost" if status is None else f"status {status}"


def _changed(sent: Headers, wanted: Mapping[str, str]) -> Iterator[str]:
    yield from _lost(sent, wanted)
    varies = {part.strip().lower() for part in ",".join(sent.getlist(VARY)).split(",")}
    names = wanted[VARY].split(", ") if VARY in wanted else []
    lost = [name for name in names if name.lower() not in varies]
    if lost and "*" not in varies:
        yield f"Vary lacks {', '.join(lost)}"
    known = {name.lower() for name in wanted}
    for name in dict.fromkeys(name.lower() for name, _ in sent):
        if name.startswith("access-control-") and name not in known:
            yield f"{shown(name)[1:-1]}: {shown(', '.join(sent.getlist(name)))} was added"


def _lost(sent: Headers, wanted: Mapping[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        if name != VARY and ", ".join(sent.getlist(name)) != value:
            yield f"{name} is not {shown(value)}"
