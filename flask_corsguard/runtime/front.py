"""The guard in front of code that responds before Flask. Under some paths it decides first, and
passes the decision on to the app's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask import Request, Response
from werkzeug.datastructures import Headers

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.path_prefix import is_alias, normalised, read_prefix
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.runtime.enforcement import refusal
from flask_corsguard.runtime.front_record import FrontRecord
from flask_corsguard.runtime.requests import served_request
from flask_corsguard.runtime.responses import (
    has_own_headers,
    is_written,
    own_response,
    write_decision,
)
from flask_corsguard.runtime.state import AppState, InForce, app_context
from flask_corsguard.text import name_of, shown, text_of

# The policy for refusals on exempt routes.
_NOBODY = Policy()


class Front:
    """The guard in front of an app or middleware.

    :param inner: the app or middleware.
    :param paths: the prefixes under which it decides, below the middleware's own root.
    :param location: file and line of the call, for messages.
    :raises PolicyError: if a path cannot be used.
    """

    def __init__(self, state: AppState, inner: object, paths: Iterable[str], location: str) -> None:
        self.state = state
        self.inner = inner
        self.name = f"{name_of(inner)} ({location})"
        self._decides_here = f"the guard in front of {self.name} decides here"
        self._prefixes = _read_paths(paths, location)
        self._exact = frozenset(self._prefixes)
        self._below = tuple(f"{prefix}/" if prefix else "" for prefix in self._prefixes)
        # In WSGI, each character of a path stands for a byte.
        self._wsgi_exact = frozenset(map(_as_wsgi, self._exact))
        self._wsgi_below = tuple(map(_as_wsgi, self._below))
        self._has_warned = False
        state.fronts.append(self)
        state.unusual.append(self)

    def covers(self, path: str) -> bool:
        """Whether the guard decides about a path, or about the path of which it is an alias."""
        if path in self._exact or path.startswith(self._below):
            return True
        return is_alias(path) and f"{normalised(path)}/".startswith(self._below)

    def covers_wsgi(self, path: str) -> bool:
        """The same for a path in WSGI's encoding."""
        if path in self._wsgi_exact or path.startswith(self._wsgi_below):
            return True
        if not path.startswith("/"):
            return self.covers_wsgi(f"/{path}")
        return is_alias(path) and f"{normalised(path)}/".startswith(self._wsgi_below)

    @property
    def may_wait(self) -> bool:
        """Whether deciding may take time, or call the app's code."""
        in_force = self.state.in_force
        return in_force is None or in_force.calls_app or self.state.has_receivers

    def decide(self, environ: dict[str, Any]) -> FrontRecord:
        """Decide about a request, and announce the decision.

        :param environ: a copy of the environment, which no other code changes.
        :raises PolicyError: if the policy of any route cannot be used.
        """
        state = self.state
        in_force = state.up_to_date()
        if self.may_wait:
            with app_context(state.app):
                return self._record(environ, in_force)
        return self._record(environ, in_force)

    def _record(self, environ: dict[str, Any], in_force: InForce) -> FrontRecord:
        state = self.state
        request = served_request(state.app, environ)
        decision, in_force = state.late_decision(request, in_force)
        # Here, even a view's own CORS headers are replaced.
        decision = self.unless_alias(decision, request).settled(has_own=False)
        state.tell(request, decision, in_force)
        return FrontRecord(self, request, decision)

    def named_in(self, decision: Decision, path: str) -> Decision:
        """The decision, with the guard in front if that decides about a path."""
        return decision._replace(in_front=self._decides_here) if self.covers(path) else decision

    def unless_alias(self, decision: Decision, request: Request) -> Decision:
        """The decision; a refusal if the path is an alias, because *inner* may serve either."""
        path = request.path
        if request.environ.get("PATH_INFO", "").startswith("//"):
            path = f"/{path}"  # Werkzeug has removed the empty segments at the beginning
        is_plain = decision.reason is None and not is_alias(path)
        if is_plain or not self.covers(path):
            return decision
        decision = decision._replace(in_front=self._decides_here)
        if not is_alias(path):
            return decision
        if decision.policy is None:
            decision = decision._replace(policy=_NOBODY, policies=(_NOBODY,))
        detail = (
            f"as sent, it is {shown(path)}; normalised, it is {shown(normalised(path))}; it is not"
            f" known which of the two {self.name} uses"
        )
        decision = decision._replace(detail="", further_reasons=())
        return refusal(decision, request, Reason.PATH_AMBIGUOUS, detail)

    def response(self, record: FrontRecord) -> Response | None:
        """The guard's own response, or None if the request may pass."""
        decision = record.decision
        response = own_response(decision, record.request, self.state.app)
        if response is not None:
            write_decision(decision, response.headers)
        return response

    def written(self, record: FrontRecord, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers of a response, with those of the decision."""
        decision = record.decision
        if decision.policy is None:
            return headers
        if not decision.blocked and not has_own_headers(headers):
            return [*headers, *decision.headers.items()]
        if is_written(decision, headers):
            return headers
        final = Headers(headers)
        replaced = write_decision(decision, final)
        if replaced and not self._has_warned and not record.is_asked:
            self._has_warned = True
            self.state.log.own_headers(decision, replaced, self.name)
        return final.to_wsgi_list()


def _as_wsgi(path: str) -> str:
    return path.encode().decode("latin-1")


def _read_paths(paths: object, location: str) -> list[str]:
    """The prefixes, with "" for everything."""
    problems: list[Problem] = []
    given = [paths] if isinstance(paths, str) else paths
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        message = f"a list of paths such as ['/static'] is needed, not {text_of(paths)}."
        if isinstance(given, Mapping):
            message += " The policies of paths are given by guard.for_path(...)."
        raise PolicyError([Problem("wrong_type", "paths", paths, message, where=location)])
    every = [*cast("Iterable[object]", given)]
    found = ["" if path == "/" else read_prefix("paths", path, problems) for path in every]
    if not every:
        message = "no path is given, so the guard would decide nothing. Write '/' for every path."
        problems.append(Problem("path_prefix", "paths", paths, message, "['/']"))
    if problems:
        raise PolicyError(problem._replace(where=location) for problem in problems)
    return found
