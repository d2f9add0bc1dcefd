"""What to change in a test that fails because its requests are not those of a page."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from flask import Response, has_request_context, request, request_finished, request_started
from flask.app import Flask

from flask_corsguard.decorators import EXTENSION_KEY
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import ALLOW_ORIGIN, SAFE_METHODS
from flask_corsguard.protocol.reasons import Outcome
from flask_corsguard.protocol.remedies import plain
from flask_corsguard.runtime.state import AppState, RequestRecord
from flask_corsguard.text import shown, text_of

#: The key of a WSGI environment that marks the simulated browser's requests.
BROWSER_KEY = "flask_corsguard.browser"
_STATUSES_KEY = "flask_corsguard.statuses"
#: The header that a test has looked for last, and why the page does not see it.
hidden_header: deque[tuple[str, str]] = deque(maxlen=1)
#: Which cookies the last response of a browser lacked, in words, if it asks for a sign-in.
lost_cookies: deque[str] = deque(maxlen=1)

_CORS_HEADER = re.compile("access[-_]control[-_]", re.IGNORECASE)
_PREFLIGHT_HEADER = re.compile(
    "access[-_]control[-_](?:allow[-_](?:methods|headers)|max[-_]age)", re.IGNORECASE
)
_FORBIDDEN = re.compile(r"\b403\b")
# How much of an exception is read.
_LONGEST_ERROR = 2000
_MOST_KEPT, _MOST_NAMED = 50, 3
_FIRST_ERROR = 400
_METHODS = ("PUT", "PATCH", "DELETE", "POST", "GET")


class _SentRequest(NamedTuple):
    """A request to an app with a guard. Nothing here keeps the app alive.

    :ivar path: with the query, below the app's root.
    :ivar url: the same at the server, with https.
    :ivar origin: the ``Origin`` header, or None.
    :ivar requested_method: the ``Access-Control-Request-Method`` header, or None.
    :ivar is_of_browser: whether the simulated browser has sent it.
    :ivar record: has the decision, once there is one.
    :ivar statuses: has the status of the response, once there is one.
    """

    method: str
    path: str
    url: str
    origin: str | None
    requested_method: str | None
    is_of_browser: bool
    record: RequestRecord
    statuses: list[int]


class FailureNotes:
    """Watches the requests of one test at a time."""

    def __init__(self) -> None:
        self._sent: deque[_SentRequest] | None = None
        # Connected once: another thread may be sending the signal, which Blinker does not bear.
        request_started.connect(self._began)
        request_finished.connect(self._finished)

    def begin(self) -> None:
        """Begin with a test."""
        self._sent = deque(maxlen=_MOST_KEPT)
        hidden_header.clear()
        lost_cookies.clear()

    def end(self) -> None:
        """Forget the test."""
        self._sent = None

    def words(self, failure: str, error: BaseException | None) -> str:
        """What to change in the test, in lines; "" if there is nothing to say.

        :param failure: the test's failure, in words.
        :param error: the exception, which may be a ``KeyError`` whose key is not in its words.
        """
        sent = list(self._sent or ())
        raised = "" if error is None else text_of(error.args, _LONGEST_ERROR)
        about = f"{failure} {raised}"
        is_about_cors = _CORS_HEADER.search(about) is not None
        # If the last request had an Origin, the failure is probably about that one.
        lacks_origin = is_about_cors and bool(sent) and not _is_of_a_page(sent[-1])
        is_about_preflights = _PREFLIGHT_HEADER.search(raised) is not None
        lacks_preflight = is_about_preflights and not any(map(_is_preflight, sent))
        found: dict[str, str] = {}
        for each in reversed(sent):
            if each.is_of_browser:
                continue
            if each.method == "OPTIONS":
                is_meant = is_about_cors or each.origin or each.requested_method
                line = _no_preflight(each) if is_meant else ""
            elif lacks_preflight:
                line = _only_in_preflights(each) if each is sent[-1] else ""
            else:
                line = _no_origin(each) if lacks_origin else ""
                if each is sent[-1] and _FORBIDDEN.search(raised):
                    line = line or _not_refused(each)
            if line:
                found.setdefault(line, _in_browser(each))
        lines = [*islice(found, _MOST_NAMED)]
        if lines:
            lines.append(found[lines[0]])
        return "\n".join([*lines, *_of_browser(failure)])

    def _began(self, app: Flask, **_: object) -> None:
        sent, state = self._sent, app.extensions.get(EXTENSION_KEY)
        if sent is None or not isinstance(state, AppState) or not has_request_context():
            return  # a test can send the signal itself
        environ = request.environ
        record: RequestRecord | None = environ.get(state.environ_key)
        if record is None:
            return
        query = request.query_string.decode("latin-1")
        path = f"{request.path}?{query}" if query else request.path
        sent.append(
            _SentRequest(
                request.method,
                path,
                # Not request.url, which raises an exception for some hosts.
                f"https://{environ.get('HTTP_HOST', 'localhost')}{request.root_path}{path}",
                environ.get("HTTP_ORIGIN"),
                environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"),
                BROWSER_KEY in environ,
                record,
                environ.setdefault(_STATUSES_KEY, []),
            )
        )

    def _finished(self, _: Flask, response: Response, **__: object) -> None:
        if has_request_context():
            request.environ.get(_STATUSES_KEY, []).append(response.status_code)


def _is_of_a_page(sent: _SentRequest) -> bool:
    return sent.origin is not None or sent.is_of_browser


def _no_origin(sent: _SentRequest) -> str:
    decision = sent.record.decision
    if sent.origin is not None or decision is None or decision.policy is None:
        return ""
    if decision.may_be_overridden or ALLOW_ORIGIN in decision.headers:
        return ""
    return (
        f"{_named(sent)} had no Origin header, so the guard sent no CORS headers. Add it:"
        f" {_call(sent, {'Origin': _page(decision)})}."
    )


def _no_preflight(sent: _SentRequest) -> str:
    decision, known = sent.record.decision, (sent.origin, sent.requested_method)
    if decision is None or decision.policy is None or None not in known:
        return ""
    headers = {
        "Origin": sent.origin or _page(decision),
        "Access-Control-Request-Method": sent.requested_method or _method(decision),
    }
    missing = [name for name, value in zip(headers, known, strict=True) if value is None]
    return (
        f"{_named(sent)} had no {' and no '.join(missing)} header, so it was not a preflight. Add"
        f" {'it' if len(missing) == 1 else 'them'}: {_call(sent, headers)}."
    )


def _is_preflight(sent: _SentRequest) -> bool:
    decision = sent.record.decision
    return decision is not None and decision.preflight


def _only_in_preflights(sent: _SentRequest) -> str:
    decision = sent.record.decision
    if decision is None or decision.policy is None:
        return ""
    origin = sent.origin or _page(decision)
    headers = {"Origin": origin, "Access-Control-Request-Method": sent.method}
    return (
        f"{_named(sent)} is no preflight. Access-Control-Allow-Methods, -Allow-Headers and -Max-Age"
        f" are sent only in responses to preflights: {_call(sent, headers, 'options')}."
    )


def _not_refused(sent: _SentRequest) -> str:
    decision = sent.record.decision
    if decision is None or decision.outcome is not Outcome.REJECTED or decision.blocked:
        return ""
    if sent.origin is None or not sent.statuses or sent.statuses[-1] >= _FIRST_ERROR:
        return ""
    enforce = "all" if sent.method in SAFE_METHODS else "unsafe"
    return (
        f"{_named(sent)} from {shown(sent.origin)} was rejected, which changes no status: the"
        " browser keeps the response from the page. Assert 'Access-Control-Allow-Origin' not in"
        f' response.headers, or have the server refuse it with enforce="{enforce}".'
    )


def _in_browser(sent: _SentRequest) -> str:
    decision = sent.record.decision
    assert decision is not None
    method = sent.requested_method or _method(decision) if sent.method == "OPTIONS" else sent.method
    options = "" if method == "GET" else f", method={shown(method)}"
    page = sent.origin or _page(decision)
    return (
        "The fixture cors_browser sends what a browser sends:"
        f" cors_browser({shown(page)}).fetch({shown(sent.url, 200)}{options})."
    )


def _named(sent: _SentRequest) -> str:
    return f"{plain(sent.method)} {plain(sent.path)}"


def _call(sent: _SentRequest, headers: dict[str, str], method: str = "") -> str:
    pairs = ", ".join(f"'{name}': {shown(value)}" for name, value in headers.items())
    method = method or plain(sent.method).lower()
    return f"client.{method}({shown(sent.path, 200)}, headers={{{pairs}}})"


def _page(decision: Decision) -> str:
    """An origin that the policy lists, if it lists any."""
    for policy in decision.policies:
        for pattern in () if policy.origins == "*" else policy.origins.patterns():
            return str(pattern.example("www"))
    return "https://app.example.com"


def _method(decision: Decision) -> str:
    """A method that a page may request at the URL."""
    policy, accepted = decision.policy, decision.route_methods
    for method in _METHODS:
        is_accepted = accepted is None or method in accepted
        if policy and is_accepted and policy.compiled.allows_method(method, accepted):
            return method
    return _METHODS[0]


def _of_browser(failure: str) -> Iterator[str]:
    """What a browser has found, unless the failure says it."""
    found = [why for name, why in hidden_header if name in failure.lower()]
    for words in (*found, *lost_cookies):
        if words and words.partition("\n")[0] not in failure:
            yield words
