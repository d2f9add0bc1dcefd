"""Writing a decision on a response."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response
from werkzeug.datastructures import Headers

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY
from flask_corsguard.protocol.reasons import Reason

_NONE: frozenset[str] = frozenset()
_OWN_INITIALS = frozenset("AVav")
_OWN_PREFIXES = ("access-control-", "vary")


class _NoContent(Response):
    """A response without a body, so without a type of one."""

    default_mimetype = None


def _problem(reason: Reason, detail: str) -> bytes:
    title = "CORS preflight refused"
    problem = {"title": title, "status": 403, "code": reason.name, "detail": detail}
    return json.dumps(problem).encode("ascii")


_BRIEF = {
    reason: _problem(
        reason, "The CORS policy of this resource refuses the preflight. The server's log says why."
    )
    for reason in Reason
}


def preflight_response(decision: Decision, *, debug: bool) -> Response:
    """The answer to a preflight, but for the headers that every decision puts on its response.

    Any 2xx status would do (https://fetch.spec.whatwg.org/#ok-status); 204 says that there is no
    body. A refusal is a problem document (RFC 9457) with the reason's code.

    :param debug: whether a refusal may tell what the policy is.
    """
    if decision.reason is None:
        return _NoContent(status=204)
    body = _problem(decision.reason, decision.explain()) if debug else _BRIEF[decision.reason]
    return Response(body, 403, mimetype="application/problem+json")


def write_headers(target: Headers, wanted: Mapping[str, str]) -> frozenset[str]:
    """Put a decision's headers on a response: each once, and no others of their kind.

    :param target: the response's headers.
    :param wanted: the decision's headers, ``Vary`` among them.
    :returns: the ``Access-Control-*`` headers that something else had set to another value.
    """
    for name, _ in target:
        # Nearly always nothing is there yet. Most names are told apart by their first letter.
        if name[:1] in _OWN_INITIALS and name.lower().startswith(_OWN_PREFIXES):
            return _replace_headers(target, wanted)
    for name, value in wanted.items():
        target.add(name, value)
    return _NONE


def _replace_headers(target: Headers, wanted: Mapping[str, str]) -> frozenset[str]:
    present = [(name, value) for name, value in target if name.lower().startswith(_OWN_PREFIXES)]
    foreign = [(name, value) for name, value in present if name.lower() != "vary"]
    for name, _ in foreign:
        target.remove(name)
    for name, value in wanted.items():
        if name == VARY and len(present) > len(foreign):
            _merge_vary(target, value)
        else:
            target.add(name, value)
    return frozenset(name for name, value in foreign if wanted.get(name.title()) != value)


def _merge_vary(target: Headers, wanted: str) -> None:
    names = [part.strip() for line in target.getlist(VARY) for part in line.split(",")]
    if "*" in names:
        return
    present = {name.lower() for name in names}
    names += [name for name in wanted.split(", ") if name.lower() not in present]
    target.set(VARY, ", ".join(name for name in names if name))
