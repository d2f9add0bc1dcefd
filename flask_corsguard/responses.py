"""Writing a decision on a response."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response
from werkzeug.datastructures import Headers

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import VARY


class _NoContent(Response):
    """A response without a body, so without a type of one."""

    default_mimetype = None


def preflight_response(decision: Decision, *, debug: bool) -> Response:
    """The answer to a preflight, but for the headers that every decision puts on its response.

    Any 2xx status would do (https://fetch.spec.whatwg.org/#ok-status); 204 says that there is no
    body. A refusal is a problem document (RFC 9457) with the reason's code.

    :param debug: whether a refusal may tell what the policy is.
    """
    if decision.reason is None:
        return _NoContent(status=204)
    brief = "The CORS policy of this resource refuses the preflight. The server's log says why."
    problem = {
        "title": "CORS preflight refused",
        "status": 403,
        "code": decision.reason.name,
        "detail": decision.explain() if debug else brief,
    }
    return Response(json.dumps(problem), 403, mimetype="application/problem+json")


def write_headers(target: Headers, wanted: Mapping[str, str]) -> set[str]:
    """Put a decision's headers on a response: each once, and no others of their kind.

    :param target: the response's headers.
    :param wanted: the decision's headers, ``Vary`` among them.
    :returns: the ``Access-Control-*`` headers that something else had set to another value.
    """
    has_vary = False
    present: list[tuple[str, str]] = []
    for name, value in target:
        lower = name.lower()
        if lower == "vary":
            has_vary = True
        elif lower.startswith("access-control-"):
            present.append((name, value))
    for name, _ in present:
        target.remove(name)
    for name, value in wanted.items():
        if has_vary and name == VARY:
            _merge_vary(target, value)
        else:
            target.add(name, value)
    return {name for name, value in present if wanted.get(name.title()) != value}


def _merge_vary(target: Headers, wanted: str) -> None:
    names = [part.strip() for line in target.getlist(VARY) for part in line.split(",")]
    if "*" in names:
        return
    present = {name.lower() for name in names}
    names += [name for name in wanted.split(", ") if name.lower() not in present]
    target.set(VARY, ", ".join(name for name in names if name))
