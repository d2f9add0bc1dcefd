"""The guard in front of code that responds before Flask: under some paths it decides first, and
tells the app's hooks."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, cast

from flask import Request, Response
from werkzeug.datastructures import Headers

from flask_corsguard.errors import PolicyError, Problem
from flask_corsguard.path_prefix import is_alias, normalised, read_prefix
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Reason
from flask_corsguard.runtime.enforcement import refusal
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


class FrontRecord:
    """What was decided in front of an app about one request.

    :ivar front: the :class:`Front` that decided.
    :ivar request: the request as it was then: code behind the front may change its environment.
    :ivar decision: the decision; once the app's hooks have decided, theirs.
    :ivar is_taken: whether the hooks have used the record. A request that a view makes to its own
        app is a different one.
    :ivar is_asked: whether the responding code has called ``guard.origin_check``: then it follows
        the policies, whatever headers it sends.
    """

    __slots__ = ("decision", "front", "is_asked", "is_taken", "request")

    def __init__(self, front: Front, request: Request, decision: Decision) -> None:
        self.front = front
        self.request = request
        self.decision = decision
        self.is_taken = False
        self.is_asked = False

    def is_about(self, request: Request) -> bool:
        """Whether this is the same request, possibly with a part of its path moved to the root."""
        decided = self.request
        return (
            not self.is_taken
            and request.method == decided.method
            and request.environ.get("HTTP_ORIGIN") == decided.environ.get("HTTP_ORIGIN")
            and f"{request.root_path.rstrip('/')}{request.path}".endswith(decided.path)
        )

    def take(self, request: Request) -> bool:
        """Record that the app's hooks use it.

        :returns: whether the decision is right for them. If they see another route, they know more:
            the app is mounted deeper, or its first request has made its routes. If they see another
            host, ProxyFix is in between.
        """
        self.is_taken = True
        decided = self.request
        is_same_path = request.path == decided.path
        if (
            is_same_path
            and request.url_rule == decided.url_rule
            and request.endpoint == decided.endpoint
        ):
            return self.has_host_of(request)
        if request.url_rule is not None and not (is_same_path and decided.url_rule):
            self.front.state.log.front_differs(self.front.name, decided.path, request.path)
        return False

    def has_host_of(self, request: Request) -> bool:
        """Whether the scheme and host, which identify the app's own pages, are the same too."""
        ours, theirs = self.request.environ, request.environ
        return all(ours.get(key) == theirs.get(key) for key in ("HTTP_HOST", "wsgi.url_scheme"))


#: The record of the current request of a task or a thread. An ASGI server passes no environment to
#: a WSGI app.
front_record: ContextVar[FrontRecord | None] = ContextVar("corsguard_front_record", default=None)


def record_of(state: AppState, request: Request) -> FrontRecord | None:
    """The record of a guard in front of the app about a request; or None."""
    record: FrontRecord | None = request.environ.get(state.front_key) or front_record.get()
    is_ours = record is not None and record.front.state is state and record.is_about(request)
    return record if is_ours else None


def has_passed_a_front(state: AppState, environ: dict[str, Any]) -> bool:
    """Whether a guard in front of the app has seen a request."""
    return state.front_key in environ or front_record.get() is not None


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
        self._prefixes = _read_paths(paths, location)
        self._exact = frozenset(self._prefixes)
        self._below = tuple(f"{prefix}/" if prefix else "" for prefix in self._prefixes)
        # In WSGI, each character is one byte.
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
        """Decide about a request, and announce that.

        :param environ: a copy, which nobody changes.
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
        # The CORS headers of any response here are replaced, even a view's.
        decision = self.unless_alias(decision, request).settled(has_own=False)
        state.tell(request, decision, in_force)
        return FrontRecord(self, request, decision)

    def unless_alias(self, decision: Decision, request: Request) -> Decision:
        """The decision, or a refusal if *inner* may take the path for another one."""
        path = request.path
        if request.environ.get("PATH_INFO", "").startswith("//"):
            path = f"/{path}"  # Werkzeug has removed the empty segments at the beginning
        is_plain = decision.reason is None and not is_alias(path)
        if is_plain or not self.covers(path):
            return decision
        decision = decision._replace(in_front=f"the guard in front of {self.name} decides here")
        if not is_alias(path):
            return decision
        if decision.policy is None:
            decision = decision._replace(policy=_NOBODY, policies=(_NOBODY,))
        detail = (
            f"as sent, it is {shown(path)}; normalised, {shown(normalised(path))}; which of the two"
            f" {self.name} uses is not known"
        )
        decision = decision._replace(detail="", further_reasons=())
        return refusal(decision, request, Reason.PATH_AMBIGUOUS, detail)

    def response(self, record: FrontRecord) -> Response | None:
        """The guard's own response, or None if the request may pass."""
        decision = record.decision
        response = own_response(decision, record.request, debug=self.state.app.debug)
        if response is not None:
            write_decision(decision, response.headers)
        return response

    def written(self, record: FrontRecord, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """A response's headers, with those of the decision."""
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
            self.state.log.own_headers(decision.endpoint, replaced, self.name)
        return final.to_wsgi_list()


def _as_wsgi(path: str) -> str:
    return path.encode().decode("latin-1")


def _read_paths(paths: object, location: str) -> list[str]:
    """The prefixes, with "" for everything."""
    problems: list[Problem] = []
    given = [paths] if isinstance(paths, str) else paths
    if not isinstance(given, Iterable):
        message = f"a list of paths such as ['/static'] is needed, not {text_of(paths)}."
        raise PolicyError([Problem("wrong_type", "paths", paths, message, where=location)])
    every = [*cast("Iterable[object]", given)]
    found = ["" if path == "/" else read_prefix("paths", path, problems) for path in every]
    if not every:
        message = "no path is given, so the guard would decide nothing. Write '/' for every path."
        problems.append(Problem("path_prefix", "paths", paths, message, "['/']"))
    if problems:
        raise PolicyError(problem._replace(where=location) for problem in problems)
    return found
