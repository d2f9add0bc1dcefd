"""What would happen to one request: what a page's browser would send, what the guard would decide,
what the page would read, and what to change. No view, hook or signal of the app runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from flask import Request, Response, current_app, has_app_context
from flask.app import Flask
from werkzeug.datastructures import Headers as WsgiHeaders

from flask_corsguard.errors import CorsGuardError, FetchTypeError
from flask_corsguard.known_fronts import KnownFront, front_of, left_to, names_of_unknown_layers
from flask_corsguard.path_prefix import leading_host
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.explanation import depends_on_view, without_cookies
from flask_corsguard.protocol.headers import (
    ALLOW_CREDENTIALS,
    ALLOW_HEADERS,
    ALLOW_METHODS,
    ALLOW_ORIGIN,
    NORMALIZED_METHODS,
    SAFELISTED_METHODS,
    is_forbidden_request_header,
)
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.safelist import unsafe_headers
from flask_corsguard.routing.layers import PATH_PATTERNS_KEY, PathPatterns
from flask_corsguard.routing.mark_checks import noting_hidden_mark
from flask_corsguard.runtime.enforcement import opens_websocket
from flask_corsguard.runtime.origin_check import OriginCheck
from flask_corsguard.runtime.requests import matched_request
from flask_corsguard.runtime.responses import own_response, write_decision
from flask_corsguard.runtime.state import AppState, InForce, RequestRecord, app_context
from flask_corsguard.testing.blocks import BlockedError
from flask_corsguard.testing.browser import Browser
from flask_corsguard.testing.engines import ENGINES, Engine, EngineName
from flask_corsguard.testing.exchange import Exchange, WsgiApp, send
from flask_corsguard.testing.fetch_arguments import read_headers
from flask_corsguard.testing.fetch_request import FetchRequest
from flask_corsguard.testing.fetch_response import Response as PageResponse
from flask_corsguard.testing.fetch_response import blocked
from flask_corsguard.testing.urls import Url, parse_url
from flask_corsguard.text import text_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Headers = Iterable[str] | Mapping[str, str]

# For headers given without a value: something that a page would send.
_VALUES = {
    "authorization": "Bearer token",
    "content-type": "application/json",
    "upgrade": "websocket",
}
# The headers of a WebSocket handshake besides Origin. Chromium sends no Sec-Fetch-Site with it
# (https://websockets.spec.whatwg.org/#opening-handshake).
_HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
_SOCKET_SCHEMES = {"ws": "http", "wss": "https"}
_NOT_IN_CURL = frozenset({"accept", "content-length", "referer"})
_OPENED = "The page can use the socket"
_NOT_OPENED = "The page cannot open the socket"
#: A title for what nobody can tell.
UNKNOWN = "Whether the page can read or use it is not known"
# Where `flask run` listens.
_LOCAL = "http://localhost:5000"
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)


class Step(NamedTuple):
    """One step of a simulation.

    :ivar title: what happened, in a few words.
    :ivar lines: the details, in sentences.
    :ivar exchange: what went over the wire, if anything did.
    """

    title: str
    lines: tuple[str, ...]
    exchange: Exchange | None = None


class Simulation(NamedTuple):
    """The result of one simulated ``fetch()``, or of a WebSocket handshake.

    :ivar url: the whole URL asked for.
    :ivar response: what the page would see, and what would go over the wire.
    :ivar decision: the guard's last decision, or None if nothing went over the wire.
    :ivar steps: what happened, in order.
    :ivar curl: for each request, the command that repeats it.
    """

    url: str
    response: PageResponse
    decision: Decision | None
    steps: tuple[Step, ...]
    curl: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Whether the page may read the response, or can use the socket; False if that is not
        known."""
        may_differ = self.decision is not None and depends_on_view(self.decision)
        return self.response.readable and not may_differ

    @property
    def verdict(self) -> str:
        """The result in a few words; "not refused" if nothing has allowed the request either."""
        if not self.allowed:
            return "not known" if _is_unknown(self.decision) else "rejected"
        is_admitted = self.decision is None or self.decision.reason is None
        return "allowed" if is_admitted else "not refused"


def explain(
    state: AppState, url: str, origin: str | None, method: str, headers: Headers
) -> Decision:
    """See :meth:`flask_corsguard.CorsGuard.explain`."""
    _check_arguments(url, origin, method)
    if method.upper() in NORMALIZED_METHODS:
        method = method.upper()
    in_force = state.current()
    given = _pairs(headers)
    if method == "GET" and (http_url := _handshake_url(url, given)) is not None:
        return _explain_handshake(state, in_force, http_url, origin, given)
    # A preflight also has the headers that only a browser sets, but opens no socket.
    preflight = {n.lower(): v for n, v in given if is_forbidden_request_header(n.lower())}
    preflight.pop("upgrade", None)
    is_preflight = method == "OPTIONS" and "access-control-request-method" in preflight
    if origin is not None and not is_preflight:
        try:
            unsafe = _unsafe(given, ENGINES["standard"])
        except FetchTypeError:  # what no page can send is not safelisted
            unsafe = dict.fromkeys(sorted(name.lower() for name, _ in given), "")
        if unsafe or method not in SAFELISTED_METHODS:
            preflight["access-control-request-method"] = method
            if unsafe:
                preflight["access-control-request-headers"] = ",".join(unsafe)
            decision = _decide(state, in_force, url, origin, "OPTIONS", preflight.items())
            if decision.outcome is Outcome.REJECTED or decision.in_front:
                return decision
    return _decide(state, in_force, url, origin, method, given)


def _check_arguments(url: str, origin: str | None, method: str) -> None:
    """:raises CorsGuardError: if they are not what :func:`explain` takes."""
    for name, value in (("a URL", url), ("a method", method), ("an origin", origin)):
        if not isinstance(value, str) and not (value is None and origin is None):
            raise CorsGuardError(f"guard.explain takes {name} as a string, not {text_of(value)}")
    if origin is not None and are_swapped(url, origin):
        raise CorsGuardError(
            "guard.explain takes the URL first, and the page's origin by name: write"
            f" guard.explain({text_of(origin)}, origin={text_of(url.rstrip('/'))})"
        )
    _check_url(url)


def _check_url(url: str) -> None:
    """:raises CorsGuardError: if what is given as a URL would be taken for another one."""
    host, wrong = leading_host(url), ""
    if host:
        scheme = "http" if ":" in host or host == "localhost" else "https"
        wrong = f"{text_of(url)} is a path. For the URL, write {scheme}://{url}"
    elif re.search(r"<(?:\w+(?:\(.*\))?:)?\w+>", url):
        wrong = f"{text_of(url)} is a rule. Write a URL, with a value for each variable"
    elif re.match("[A-Z]+ /", url):
        wrong = f"{text_of(url)} is not a URL. Give the method by itself"
    if wrong:
        raise CorsGuardError(wrong)


def are_swapped(url: str, origin: str) -> bool:
    """Whether *url* is an origin, and *origin* is a path."""
    return origin.startswith("/") and parse_origin(url.rstrip("/")) is not None


def _handshake_url(url: str, given: Iterable[tuple[str, str]]) -> str | None:
    """The URL as http or https, if its scheme or an ``Upgrade`` header makes the request a
    WebSocket handshake; otherwise None."""
    scheme, separator, rest = url.partition("://")
    if scheme.lower() in _SOCKET_SCHEMES:
        return f"{_SOCKET_SCHEMES[scheme.lower()]}{separator}{rest}"
    upgrade = any(
        name.lower() == "upgrade" and "websocket" in value.lower() for name, value in given
    )
    return url if upgrade else None


def _explain_handshake(
    state: AppState,
    in_force: InForce,
    url: str,
    origin: str | None,
    given: list[tuple[str, str]],
) -> Decision:
    """The decision about a handshake, completed with the headers that are missing. If no route
    accepts handshakes, but one accepts other requests, it is that route's."""
    known = {name.lower() for name, _ in given}
    missing = [header for header in _HANDSHAKE.items() if header[0].lower() not in known]
    decision = _decide(state, in_force, url, origin, "GET", [*given, *missing])
    if decision.endpoint is not None:
        return decision
    missing = [header for header in missing if header[0] == "Upgrade"]
    return _decide(state, in_force, url, origin, "GET", [*given, *missing])


def simulate(
    state: AppState,
    url: str,
    *,
    origin: str,
    method: str = "GET",
    headers: Headers = (),
    credentials: bool = False,
    engine: EngineName = "standard",
    base: str | None = None,
) -> Simulation:
    """Simulate one ``fetch()``, step by step; or a WebSocket handshake, if the URL is ``ws:`` or
    ``wss:``, or ``Upgrade: websocket`` is among the headers.

    :param url: a path, or a whole URL if the host matters.
    :param origin: the page's origin.
    :param headers: the request headers that the page sets: ``Name`` or ``Name: value``.
    :param credentials: whether the page says ``credentials: "include"``.
    :param engine: the browser engine whose rules apply.
    :param base: the URL that the app is mounted at; if left out, its ``SERVER_NAME``, or where
        ``flask run`` listens.
    :raises BrowserError: for an origin that no page has, and for an unknown engine.
    :raises FetchTypeError: for what ``fetch()`` refuses before it sends anything.
    :raises PolicyError: if the policy of any route cannot be used.
    :raises CorsGuardError: for a URL without a scheme, and for a rule.
    """
    _check_url(url)
    is_host_known = base is not None or _ABSOLUTE.match(url) is not None
    url = _absolute_url(state.app, url, base)
    given = _pairs(headers)
    root = urlsplit(base).path.rstrip("/") if base else ""
    server = stand_in(state, unquote(root))
    browser = Browser(server, page=origin, engine=engine)
    if method.upper() == "GET" and (http_url := _handshake_url(url, given)) is not None:
        return _simulate_handshake(server, http_url, origin, ENGINES[engine], given)
    target = parse_url(url, None)
    if target is not None and _is_ahead_of_time(given):
        return _simulate_ahead_of_time(server, target, origin, method, given)
    response = browser.fetch(
        url, method=method, headers=given, credentials="include" if credentials else "same-origin"
    )
    decisions = [exchange.decision for exchange in response.exchanges if exchange.decision]
    decision = decisions[-1] if decisions else None
    kept = {name for name, _ in read_headers(given, "cors", ENGINES[engine])}
    left_out = {name.lower() for name, _ in given} - kept
    around = names_of_unknown_layers(state.app)
    steps = [*_steps(response, _unsafe(given, ENGINES[engine]), left_out, decision, around)]
    policy = decision.policy if decision and credentials and is_host_known else None
    if response.readable and policy is not None and target is not None:
        why = without_cookies(origin, str(target.origin), policy)
        steps += [Step("No cookies", (f"{why}.",))] if why else []
    return Simulation(
        url, response, decision, tuple(steps), tuple(map(curl_of, response.exchanges))
    )


def _simulate_handshake(
    server: WsgiApp, url: str, origin: str, engine: Engine, given: Iterable[tuple[str, str]]
) -> Simulation:
    target = parse_url(url)
    if target is None or target.origin is None:
        raise FetchTypeError(f"{text_of(url)} is not a URL for a WebSocket.")
    question = f"{origin}: WebSocket handshake with {str(target).replace('http', 'ws', 1)}"
    left_out = {name.lower() for name, _ in given} - {name.lower() for name in _HANDSHAKE}
    steps: list[Step] = []
    if left_out:
        names = ", ".join(sorted(left_out))
        line = f"Left out, because a page cannot set the headers of a handshake: {names}."
        steps.append(Step("Headers", (line,)))
    request = FetchRequest(engine, parse_origin(origin), [target])
    try:
        request.choose_tainting()
    except BlockedError as error:
        response = blocked(question, (), error)
        steps.append(Step(_NOT_OPENED, tuple(response.why.splitlines())))
        return Simulation(url, response, None, tuple(steps), ())
    headers = WsgiHeaders([*_HANDSHAKE.items(), ("Origin", origin)])
    exchange = send(server, "GET", target, headers, None)
    decision = exchange.decision
    assert decision is not None
    steps.append(Step("Handshake", tuple(_about_request(exchange)), exchange))
    # The view, which is not run, or Socket.IO would open it. Any other response keeps it closed.
    is_unknown = bool(decision.in_front) and decision.outcome is Outcome.EXEMPT
    opens = exchange.status == 200 and not is_unknown
    why = decision.explain()
    if not opens and not decision.blocked and not decision.in_front:
        why = f"No route of the app accepts this handshake.\n{why}"
    title = UNKNOWN if is_unknown else _OPENED if opens else _NOT_OPENED
    steps.append(Step(title, tuple(why.splitlines())))
    response = PageResponse(question, (exchange,), readable=opens, why="" if opens else why)
    return Simulation(url, response, decision, tuple(steps), (curl_of(exchange),))


def _is_ahead_of_time(given: Iterable[tuple[str, str]]) -> bool:
    """Whether a browser sends these headers for speculation rules; no page can."""
    sent = {name.lower(): value for name, value in given}
    return "sec-purpose" in sent and sent.get("sec-fetch-site") == "none"


def _simulate_ahead_of_time(
    server: WsgiApp, url: Url, origin: str, method: str, given: list[tuple[str, str]]
) -> Simulation:
    """Simulate a request that a browser sends before the user goes there. It has no ``Origin``."""
    headers = WsgiHeaders([] if origin == "null" else [("Referer", f"{origin}/")])
    for name, value in given:
        headers[name] = value
    exchange = send(server, method, url, headers, None)
    decision = exchange.decision
    is_held_back = decision is not None and decision.blocked
    lines = tuple(decision.explain().splitlines()) if decision else ()
    question = f"{origin}: ahead of time: {method} {url}"
    response = PageResponse(question, (exchange,), not is_held_back, why="\n".join(lines))
    kept = "The browser keeps it until the user goes there"
    title = "The server holds it back" if is_held_back else kept
    steps = (
        Step("Request ahead of time", tuple(_about_request(exchange)), exchange),
        Step(title, lines),
    )
    return Simulation(str(url), response, decision, steps, (curl_of(exchange),))


def _absolute_url(app: Flask, url: str, base: str | None) -> str:
    # Looking for "://" would not do: a path or its query can contain a whole URL.
    if _ABSOLUTE.match(url):
        return url
    if base is None:
        config = cast("dict[str, str | None]", app.config)
        name = config.get("SERVER_NAME")
        base = f"{config['PREFERRED_URL_SCHEME']}://{name}" if name else _LOCAL
    return f"{base.rstrip('/')}/{url.lstrip('/')}"


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    if isinstance(headers, Mapping):
        return list(cast("Mapping[str, str]", headers).items())
    if isinstance(headers, str):
        # Names, or one header with a value, which can contain commas.
        names = [headers] if ":" in headers else headers.split(",")
        headers = [name for name in names if name.strip()]
    split = [header.partition(":") for header in headers]
    return [
        (name.strip(), value.strip() if colon else _VALUES.get(name.strip().lower(), "1"))
        for name, colon, value in split
    ]


def _unsafe(given: Iterable[tuple[str, str]], engine: Engine) -> dict[str, str]:
    """The headers that a preflight asks for, each with the reason.

    :raises FetchTypeError: if one of them is not a header.
    """
    return unsafe_headers(read_headers(list(given), "cors", engine), engine.safelist)


def _steps(
    response: PageResponse,
    unsafe: dict[str, str],
    left_out: set[str],
    decision: Decision | None,
    around: str,
) -> Iterator[Step]:
    if left_out:
        names = ", ".join(sorted(left_out))
        line = f"Left out, because browsers do not let JavaScript set them: {names}."
        yield Step("Headers", (line,))
    if not any(exchange.preflight for exchange in response.exchanges):
        yield Step("No preflight", (_why_no_preflight(response, unsafe),))
    for exchange in response.exchanges:
        if exchange.preflight:
            yield Step("Preflight", tuple(_why_preflight(exchange, unsafe)), exchange)
        else:
            yield Step("Request", tuple(_about_request(exchange, around)), exchange)
    if decision and (
        depends_on_view(decision) or (not response.readable and _is_unknown(decision))
    ):
        yield Step(UNKNOWN, tuple(decision.explain().splitlines()))
        return
    if not response.readable:
        yield Step("The page cannot read the response", tuple(response.why.splitlines()))
        return
    lines = decision.explain().splitlines() if decision else []
    if response.type == "cors":
        exposed = response.exchanges[-1].value_of("Access-Control-Expose-Headers") or "none"
        lines.append(
            f"Headers that JavaScript can read in addition to the safelisted ones: {exposed}."
        )
    yield Step("The page reads the response", tuple(lines))


def _why_no_preflight(response: PageResponse, unsafe: dict[str, str]) -> str:
    if not response.exchanges:
        return "Not sent: the browser stops earlier."
    if response.type == "basic":
        return "Not sent: the page has the same origin."
    also = "" if unsafe else ", and so is every header"
    return f"Not sent: {response.exchanges[0].method} is safelisted{also}."


def _why_preflight(exchange: Exchange, unsafe: dict[str, str]) -> Iterator[str]:
    method = exchange.request_headers.get("Access-Control-Request-Method", "")
    if method not in SAFELISTED_METHODS:
        yield f"Sent, because {method} is not GET, HEAD or POST."
    for name, why in unsafe.items():
        yield f"Sent, because of the header {name}: {why}."
    yield f"The status of the response is {exchange.status}."


def _about_request(exchange: Exchange, around: str = "") -> Iterator[str]:
    decision = exchange.decision
    if exchange.status == 404 and decision is not None and decision.endpoint is None:
        yield "The status of the response is 404: the app has no route for this URL."
    elif decision is None or exchange.status != 200:
        yield f"The status of the response is {exchange.status}."
    if decision is None or decision.blocked:
        return
    if decision.in_front:
        yield f"{decision.in_front[0].upper()}{decision.in_front[1:]}."
    elif decision.outcome is Outcome.EXEMPT:
        yield (
            "The route is marked cors_exempt: only the app decides about its response, which is"
            " not simulated."
        )
    elif exchange.status == 200:
        yield f"The view {decision.endpoint} would run here. This simulation does not run it."
        if around:
            yield (
                f"Nor does it run the code around app.wsgi_app ({around}), which may change the"
                " response."
            )


def curl_of(exchange: Exchange) -> str:
    """The command that sends the same request."""
    words = ["curl", "--include"]
    if exchange.method == "HEAD":
        words = ["curl", "--head"]
    elif exchange.method != "GET":
        words += ["--request", exchange.method]
    for name, value in exchange.request_headers:
        # For requests ahead of time, the guard recognises the app's own pages by Referer.
        if name.lower() not in _NOT_IN_CURL or "Sec-Purpose" in exchange.request_headers:
            words += ["--header", f"{name}: {value}" if value else f"{name};"]
    return shlex.join([*words, exchange.url])


def _decide(
    state: AppState,
    in_force: InForce,
    url: str,
    origin: str | None,
    method: str,
    headers: Iterable[tuple[str, str]],
) -> Decision:
    # Flask's own builder knows the app's server name and root. Imported only here, because it
    # brings the test client along.
    from flask.testing import EnvironBuilder

    with closing(EnvironBuilder(state.app, url, method=method, headers=list(headers))) as builder:
        if origin is not None:
            builder.headers["Origin"] = origin
        request = matched_request(state.app, builder.get_environ())
    return _decide_aside(state, request, in_force)[0]


def stand_in(state: AppState, root: str = "") -> WsgiApp:
    """A WSGI app with the app's own routes and guard, and an empty response for every view.

    :param root: the path that the app is mounted at.
    """
    app = state.app
    in_force = state.current()
    # In WSGI, each character stands for a byte.
    script_name = root.encode().decode("latin-1")

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(f"{script_name}/"):
            environ["SCRIPT_NAME"] = script_name
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(script_name)
        request = matched_request(app, environ)
        record = environ[state.environ_key] = RequestRecord()
        decision, front = _decide_aside(state, request, in_force)
        record.decision = decision
        if front is not None:
            return _response_of_socketio(decision, front.check, request)(environ, start_response)
        response = own_response(decision, request, None)
        if response is None and request.routing_exception is not None:
            error = request.routing_exception.get_response(environ)
            response = Response(status=error.status_code, headers=error.headers)
        response = response or Response()
        if decision.outcome is not Outcome.EXEMPT:
            write_decision(decision, response.headers)
        return response(environ, start_response)

    return respond


def _decide_aside(
    state: AppState, request: Request, in_force: InForce
) -> tuple[Decision, KnownFront | None]:
    """The decision about a simulated request, and what would respond to it in front of Flask.

    A callable in the policy may need the app's context. If one is active already, it is used: at
    the end of a second one, teardown functions would close what the current request still uses.
    """
    is_current = has_app_context() and cast("Any", current_app)._get_current_object() is state.app
    with nullcontext() if is_current else app_context(state.app):
        decision, _ = state.late_decision(request, in_force)
        patterns: PathPatterns | None = state.app.extensions.get(PATH_PATTERNS_KEY)
        if patterns is not None:
            is_error = request.routing_exception is not None
            decision = patterns.decided(request, decision, is_error=is_error)
        decision = noting_hidden_mark(state.app, decision)
        for guard_in_front in state.fronts:
            decision = guard_in_front.unless_alias(decision, request)
            if guard_in_front.covers(request.path):
                decision = decision.settled(has_own=False)
        if opens_websocket(request.environ):
            decision = decision.settled(has_own=False)  # no headers keep a page from it
        if decision.in_front and (decision.blocked or decision.preflight):
            return decision, None
        front = front_of(state, request, decision)
        if front is None:
            return decision, None
        if front.check is None:
            return left_to(front, decision, request.path), front
        decision, *_ = front.check.decide(request.environ, in_force)
        return decision._replace(in_front=front.words), front


def _response_of_socketio(
    decision: Decision, check: OriginCheck | None, request: Request
) -> Response:
    """Socket.IO's response, which is known only if it asks ``guard.origin_check``."""
    if check is None:
        return Response()
    is_refused = decision.outcome is Outcome.REJECTED
    response, sent = Response(status=400 if is_refused else 200), request.headers
    if not is_refused and "Origin" in sent:
        response.headers[ALLOW_ORIGIN] = sent["Origin"]
    if check.credentials:
        response.headers[ALLOW_CREDENTIALS] = "true"
    if request.method == "OPTIONS":
        response.headers[ALLOW_METHODS] = "OPTIONS, GET, POST"
        response.headers[ALLOW_HEADERS] = sent.get("Access-Control-Request-Headers", "")
    return response


def _is_unknown(decision: Decision | None) -> bool:
    """Whether something other than the guard decides what the page can do."""
    return decision is not None and (
        decision.outcome is Outcome.EXEMPT or depends_on_view(decision)
    )
