"""The guard's own responses, and the decision's headers on any response."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from flask import Request, Response
from flask.app import Flask
from werkzeug.datastructures import Headers

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.reasons import Outcome, Reason

# The prefixes of the headers that the guard writes, in lower case.
_OWN_PREFIXES = (_CORS_PREFIX := "access-control-", "vary")
# Nearly every response has these headers, and often no others.
_COMMON_HEADERS = frozenset({"Content-Type", "Content-Length"})
# The class of a response's headers, if it keeps them in a private list, ``_list``.
_LISTED_HEADERS = Headers if isinstance(getattr(Headers(), "_list", None), list) else None

# Headers besides Cache-Control that make some cache keep a response. RFC 9213's, and similar ones
# of some CDNs, have this suffix.
_CACHING_SUFFIX = "-cache-control"
_CACHING_HEADERS = frozenset(
    {"age", "edge-control", "expires", "pragma", "surrogate-control", "x-accel-expires"}
)

_NONE: Mapping[str, str] = MappingProxyType({})
# Bound once: on Python 3.11, looking up a member of an Enum is ten times as slow.
_ALLOWED = Outcome.ALLOWED


class _NoContent(Response):
    """A response without a body and without a ``Content-Type``."""

    default_mimetype = None


# Limits of an Accept header that is parsed, which is slow in Werkzeug. Browsers stay far below.
_MAX_ACCEPT_LENGTH = 300
_MOST_MEDIA_RANGES = 12

_PREFLIGHT_REFUSED = "CORS preflight rejected"
_REFUSED = "Cross-origin request refused"
_REFUSED_DETAIL = (
    "Another site caused this request, so it was not carried out. Go to this site itself and try"
    " again there. The server's log says more."
)
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<h1>{title}</h1>
<p>{detail}</p>
<p>Code: {code}</p>
</html>
"""


def _problem(title: str, reason: Reason, detail: str) -> bytes:
    """A problem document (RFC 9457) with the reason's code."""
    problem = {"title": title, "status": 403, "code": reason.name, "detail": detail}
    return json.dumps(problem).encode()


_BRIEF = {
    reason: _problem(
        _PREFLIGHT_REFUSED,
        reason,
        "The CORS policy of this resource rejects the preflight. The server's log says why.",
    )
    for reason in Reason
}


def own_response(decision: Decision, request: Request, app: Flask | None) -> Response | None:
    """The guard's own response to a preflight or a refused request, without the decision's headers;
    None if the app responds.

    :param app: the app, for a refusal that shows the policy in debug mode.
    """
    if decision.blocked:
        return _refusal(decision, request, app)
    policy = decision.policy
    if not decision.preflight or policy is None or not policy.compiled.answers_preflight:
        return None
    if decision.outcome is _ALLOWED or decision.report_only:
        # Any 2xx status would do (https://fetch.spec.whatwg.org/#ok-status); 204 means that there
        # is no body.
        return _NoContent(status=204)
    reason = decision.reason
    if reason is None:
        return None  # the preflight of one of the app's own pages
    explained = _explained(decision, app)
    body = _problem(_PREFLIGHT_REFUSED, reason, explained) if explained else _BRIEF[reason]
    return Response(body, 403, mimetype="application/problem+json")


def _explained(decision: Decision, app: Flask | None) -> str:
    """What the decision says, in debug mode; otherwise ""."""
    if app is None or not app.debug:
        return ""
    from flask_corsguard.routing.mark_checks import noting_hidden_mark

    return noting_hidden_mark(app, decision).explain()


def _refusal(decision: Decision, request: Request, app: Flask | None) -> Response:
    """A problem document, or a page if the client prefers one."""
    assert decision.reason is not None
    detail = _explained(decision, app) or _REFUSED_DETAIL
    if _prefers_html(request):
        lines = html.escape(detail).replace("\n", "<br>")
        page = _PAGE.format(title=_REFUSED, detail=lines, code=decision.reason.name)
        return Response(page, 403)
    body = _problem(_REFUSED, decision.reason, detail)
    return Response(body, 403, mimetype="application/problem+json")


def _prefers_html(request: Request) -> bool:
    accept: str = request.environ.get("HTTP_ACCEPT", "")
    if len(accept) > _MAX_ACCEPT_LENGTH or accept.count(",") >= _MOST_MEDIA_RANGES:
        return False
    offered = ["application/problem+json", "application/json", "text/html"]
    return request.accept_mimetypes.best_match(offered) == "text/html"


def write_decision(decision: Decision, target: Headers) -> dict[str, str]:
    """Write a decision's headers on a response: each once, and no other ``Access-Control-*``
    headers.

    :param target: the response's headers.
    :returns: the ``Access-Control-*`` headers that other code had set to another value.
    """
    if decision.blocked:
        # No cache may keep a refusal: the next request may be allowed.
        for name in [name.lower() for name, _ in target]:
            if name in _CACHING_HEADERS or name.endswith(_CACHING_SUFFIX):
                target.remove(name)
        target.set("Cache-Control", "no-store")
    return write_headers(decision.headers, target)


def write_first(decision: Decision, target: Headers) -> bool:
    """The same in a fifth of the time, for responses without such headers, as nearly all are.

    :returns: False for any other response, on which nothing is written.
    """
    if decision.blocked or type(target) is not _LISTED_HEADERS:
        return False
    # Werkzeug's private list. The public methods would take a fifth of the guard's time, because
    # they check each value for line breaks, which none of these can have.
    fields = target._list  # pyright: ignore[reportPrivateUsage]
    for name, _ in fields:
        if name not in _COMMON_HEADERS and name.lower().startswith(_OWN_PREFIXES):
            return False
    fields.extend(decision.headers.items())
    return True


def has_own_headers(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a response has any of the headers that the guard writes."""
    for name, _ in headers:  # in a third of the time that any() takes
        if name not in _COMMON_HEADERS and name.lower().startswith(_OWN_PREFIXES):
            return True
    return False


def is_written(decision: Decision, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a response already has exactly a decision's headers. False if in doubt."""
    if decision.blocked:
        return False
    wanted = decision.headers
    found = 0
    for name, value in headers:
        if name in wanted:
            if value != wanted[name]:
                return False
            found += 1
        elif name not in _COMMON_HEADERS and name.lower().startswith(_OWN_PREFIXES):
            return False
    return found == len(wanted)


def cors_headers(
    headers: Iterable[tuple[str, str]], written: Mapping[str, str] = _NONE
) -> list[tuple[str, str]]:
    """The ``Access-Control-*`` headers of a response.

    :param written: headers that the guard has written, to leave out.
    """
    return [
        (name, value)
        for name, value in headers
        if name.lower().startswith(_CORS_PREFIX) and written.get(name.title()) != value
    ]


def let_stand(own: list[tuple[str, str]], decision: Decision, target: Headers) -> dict[str, str]:
    """Keep a response's own ``Access-Control-*`` headers, and write ``Vary`` for caches.

    :returns: the headers that were written.
    """
    written = {VARY: decision.headers[VARY]}
    write_headers(written, target)
    for name, value in own:
        target.add(name, value)
    return written


def write_headers(wanted: Mapping[str, str], target: Headers) -> dict[str, str]:
    """Write *wanted* on a response, as :func:`write_decision` writes a decision's headers."""
    present = [(name, value) for name, value in target if name.lower().startswith(_OWN_PREFIXES)]
    foreign = [(name, value) for name, value in present if name.lower() != "vary"]
    for name, _ in foreign:
        target.remove(name)
    for name, value in wanted.items():
        if name == VARY and len(present) > len(foreign):
            _merge_vary(target, value)
        else:
            target.add(name, value)
    return {name: value for name, value in foreign if wanted.get(name.title()) != value}


def _merge_vary(target: Headers, wanted: str) -> None:
    names = [part.strip() for line in target.getlist(VARY) for part in line.split(",")]
    if "*" in names:
        return
    present = {name.lower() for name in names}
    names += [name for name in wanted.split(", ") if name.lower() not in present]
    target.set(VARY, ", ".join(name for name in names if name))
