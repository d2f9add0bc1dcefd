"""One request played through a guard, for people: what a page's browser would send, what the guard
would answer, what script would read, and what to change. No view, hook or signal of the app runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from flask import Flask, Request, Response, current_app, has_app_context
from werkzeug.exceptions import HTTPException

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import (
    NORMALIZED_METHODS,
    SAFELISTED_METHODS,
    is_forbidden_request_header,
)
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.safelist import unsafe_headers
from flask_corsguard.runtime.hooks import preflight_answer
from flask_corsguard.runtime.judge import Judge
from flask_corsguard.runtime.responses import forbid_storing, refusal, write_headers
from flask_corsguard.runtime.state import AppState, app_context
from flask_corsguard.testing.browser import Browser
from flask_corsguard.testing.engines import ENGINES, EngineName
from flask_corsguard.testing.exchange import Exchange, WsgiApp
from flask_corsguard.testing.fetch_arguments import read_headers
from flask_corsguard.testing.fetch_response import Response as Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# What a header without a value is given: something that a page would send.
_VALUES = {"authorization": "Bearer token", "content-type": "application/json"}
_MATTERS_OF_COURSE = frozenset({"accept", "content-length", "referer"})
# Where `flask run` answers.
_LOCAL = "http://localhost:5000"
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)


# https://fetch.spec.whatwg.org/#cors-safelisted-request-header, as far as names go
_SAFELISTED_HEADERS = frozenset({"accept", "accept-language", "content-language"})
_SIMPLE_TYPES = frozenset(
    {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)


def explain(
    state: AppState,
    url: str,
    origin: str | None,
    method: str,
    headers: Iterable[str] | Mapping[str, str],
) -> Decision:
    """See :meth:`flask_corsguard.CorsGuard.explain`."""
    if method.upper() in NORMALIZED_METHODS:
        method = method.upper()
    if isinstance(headers, str):
        headers = [name.strip() for name in headers.split(",") if name.strip()]
    if isinstance(headers, Mapping):
        given = dict(cast("Mapping[str, str]", headers))
    else:
        given = dict.fromkeys(headers, "")
    names = {name.lower() for name in given}
    judge = state.current_judge()
    announced = sorted(name.lower() for name, value in given.items() if _is_announced(name, value))
    needs_preflight = method not in SAFELISTED_METHODS or bool(announced)
    is_preflight = method == "OPTIONS" and "access-control-request-method" in names
    if origin is not None and needs_preflight and not is_preflight:
        asked = {"Access-Control-Request-Method": method}
        if announced:
            asked["Access-Control-Request-Headers"] = ",".join(announced)
        browser_set = {
            name: value for name, value in given.items() if name.lower() not in announced
        }
        decision = _decide(state, judge, url, origin, "OPTIONS", {**browser_set, **asked})
        if decision.outcome is Outcome.REJECTED:
            return decision
    return _decide(state, judge, url, origin, method, given)


def _is_announced(name: str, value: str) -> bool:
    lower = name.lower()
    if is_forbidden_request_header(lower) or lower in _SAFELISTED_HEADERS:
        return False
    return lower != "content-type" or value.partition(";")[0].strip().lower() not in _SIMPLE_TYPES


def _decide(
    state: AppState,
    judge: Judge,
    url: str,
    origin: str | None,
    method: str,
    headers: Mapping[str, str],
) -> Decision:
    # Flask's own builder knows the app's server name and root. Imported where it is needed: it
    # brings the test client along.
    from flask.testing import EnvironBuilder

    builder = EnvironBuilder(state.app, url, method=method, headers=list(headers.items()))
    if origin is not None:
        builder.headers["Origin"] = origin
    try:
        environ = builder.get_environ()
    finally:
        builder.close()
    return decide_aside(state, matched_request(state.app, environ), judge)


def decide_aside(state: AppState, request: Request, judge: Judge) -> Decision:
    """What is decided about a request that nobody sent. A callable in the policy may need the app's
    context. If there is one already, it stays: the end of another would run the functions that the
    app has for it, and close what the request that is under way has opened."""
    is_current = has_app_context() and cast("Any", current_app)._get_current_object() is state.app
    with nullcontext() if is_current else app_context(state.app):
        decision, _ = state.decide(request, judge)
    return decision


def matched_request(app: Flask, environ: WSGIEnvironment) -> Request:
    """The request that Flask would make of *environ*, with its route looked up."""
    request = app.request_class(environ)
    try:
        adapter = app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(return_rule=True)
            request.view_args = dict(arguments)
    except HTTPException as error:
        request.routing_exception = error
    return request


class Step(NamedTuple):
    """One part of the story.

    :ivar title: what happened, in a few words.
    :ivar lines: what there is to say about it.
    :ivar exchange: what went over the wire, where something did.
    """

    title: str
    lines: tuple[str, ...]
    exchange: Exchange | None = None


class Rehearsal(NamedTuple):
    """What came of it.

    :ivar url: the whole URL asked for.
    :ivar answer: what script would see, and what would go over the wire.
    :ivar decision: the guard's last decision, or None where nothing went over the wire.
    :ivar steps: the story.
    :ivar curl: a command for each request, which repeats it.
    """

    url: str
    answer: Answer
    decision: Decision | None
    steps: tuple[Step, ...]
    curl: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether script may read the response."""
        return self.answer.readable


def rehearse(
    state: AppState,
    url: str,
    *,
    origin: str,
    method: str = "GET",
    headers: Iterable[str] = (),
    credentials: bool = False,
    engine: EngineName = "standard",
    base: str | None = None,
) -> Rehearsal:
    """Play one ``fetch()``.

    :param url: a path, or a whole URL where the host matters.
    :param origin: the page's origin.
    :param headers: the request headers that script sets: ``Name`` or ``Name: value``.
    :param credentials: whether the page says ``credentials: "include"``.
    :param base: the URL that the app is mounted at; if left out, its ``SERVER_NAME``, or where
        ``flask run`` answers.
    :raises BrowserError: for an origin that no page has, and for an unknown engine.
    :raises FetchTypeError: for what ``fetch()`` refuses before it sends anything.
    :raises PolicyError: if the policy of any route cannot be used.
    """
    url = absolute_url(state, url, base)
    pairs = [_pair(header) for header in headers]
    root = urlsplit(base).path.rstrip("/") if base else ""
    browser = Browser(stand_in(state, unquote(root)), page=origin, engine=engine)
    answer = browser.fetch(
        url,
        method=method,
        headers=pairs,
        credentials="include" if credentials else "same-origin",
    )
    decisions = [exchange.decision for exchange in answer.exchanges if exchange.decision]
    decision = decisions[-1] if decisions else None
    kept = read_headers(pairs, "cors", ENGINES[engine])
    left_out = {name.lower() for name, _ in pairs} - {name.lower() for name, _ in kept}
    unsafe = unsafe_headers(kept, ENGINES[engine].safelist)
    steps = (*_tell_left_out(left_out), *_tell(answer, unsafe), _outcome(answer, decision))
    return Rehearsal(url, answer, decision, steps, tuple(map(_curl, answer.exchanges)))


def absolute_url(state: AppState, url: str, base: str | None = None) -> str:
    """The whole URL of a path: at *base*, at the app's ``SERVER_NAME``, or where ``flask run``
    answers."""
    # Not any "://": a path or its query can have a whole URL in it.
    if _ABSOLUTE.match(url):
        return url
    if base is None:
        config = cast("dict[str, str | None]", state.app.config)
        name = config.get("SERVER_NAME")
        base = f"{config['PREFERRED_URL_SCHEME']}://{name}" if name else _LOCAL
    return f"{base.rstrip('/')}/{url.lstrip('/')}"


def stand_in(state: AppState, root: str = "") -> WsgiApp:
    """The app's routes and guard as they are, with an empty answer in the place of every view.

    :param root: the path that the app is mounted at.
    """
    app = state.app
    judge = state.current_judge()
    # As WSGI has it: each character is a byte.
    script_name = root.encode().decode("latin-1")

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(f"{script_name}/"):
            environ["SCRIPT_NAME"] = script_name
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(script_name)
        request = matched_request(app, environ)
        decision = decide_aside(state, request, judge)
        environ[state.environ_key] = decision
        response = None
        if decision.blocked:
            response = refusal(decision, request, debug=False)
            forbid_storing(response.headers)
        elif decision.preflight:
            response = preflight_answer(decision, app)
        if response is None and request.routing_exception is not None:
            error = request.routing_exception.get_response(environ)
            response = Response(status=error.status_code, headers=error.headers)
        response = response or Response()
        if decision.outcome is not Outcome.EXEMPT:
            write_headers(response.headers, decision.headers)
        return response(environ, start_response)

    return answer


def _pair(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    return name.strip(), value.strip() if colon else _VALUES.get(name.strip().lower(), "1")


def _tell_left_out(names: Iterable[str]) -> Iterator[Step]:
    if names:
        listed = ", ".join(sorted(names))
        yield Step(
            "Headers", (f"Left out, because browsers do not let script set them: {listed}.",)
        )


def _tell(answer: Answer, unsafe: dict[str, str]) -> Iterator[Step]:
    if not any(exchange.preflight for exchange in answer.exchanges):
        yield Step("No preflight", (_why_no_preflight(answer, unsafe),))
    for exchange in answer.exchanges:
        if exchange.preflight:
            yield Step("Preflight", tuple(_why_preflight(exchange, unsafe)), exchange)
        else:
            yield Step("Request", tuple(_about_request(exchange)), exchange)


def _why_no_preflight(answer: Answer, unsafe: dict[str, str]) -> str:
    if not answer.exchanges:
        return "Not sent: the browser stops before that."
    if answer.type == "basic":
        return "Not sent: the page is of the same origin."
    method = answer.exchanges[0].method
    also = "" if unsafe else ", and so is every header"
    return f"Not sent: {method} is safelisted{also}."


def _why_preflight(exchange: Exchange, unsafe: dict[str, str]) -> Iterator[str]:
    method = exchange.request_headers.get("Access-Control-Request-Method", "")
    if method not in SAFELISTED_METHODS:
        yield f"Sent, because {method} is not GET, HEAD or POST."
    for name, why in unsafe.items():
        yield f"Sent, because of the header {name}: {why}."
    yield f"Answered with status {exchange.status}."


def _about_request(exchange: Exchange) -> Iterator[str]:
    decision = exchange.decision
    if decision is None or exchange.status != 200:
        yield f"Answered with status {exchange.status}."
    if decision is None or decision.blocked:
        return
    if decision.outcome is Outcome.EXEMPT:
        yield (
            "The route is marked cors_exempt: what it answers is up to the app, and is not played."
        )
    elif exchange.status == 200:
        yield f"The view {decision.endpoint} would run here; it is not run for this."


def _outcome(answer: Answer, decision: Decision | None) -> Step:
    if not answer.readable:
        return Step("Script cannot read the response", tuple(answer.why.splitlines()))
    lines = decision.explain().splitlines() if decision else []
    if answer.type == "cors":
        lines.append(f"Headers that script sees besides the safelisted ones: {_exposed(answer)}.")
    return Step("Script reads the response", tuple(lines))


def _exposed(answer: Answer) -> str:
    listed = answer.exchanges[-1].value_of("Access-Control-Expose-Headers")
    return listed or "none"


def _curl(exchange: Exchange) -> str:
    """A command that sends the same request."""
    words = ["curl", "--include"]
    if exchange.method == "HEAD":
        words = ["curl", "--head"]
    elif exchange.method != "GET":
        words += ["--request", exchange.method]
    for name, value in exchange.request_headers:
        if name.lower() not in _MATTERS_OF_COURSE:
            words += ["--header", f"{name}: {value}" if value else f"{name};"]
    return shlex.join([*words, exchange.url])
