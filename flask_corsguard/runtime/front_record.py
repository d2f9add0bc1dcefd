"""The guard's decision in front of an app, passed on to the app's own hooks."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask import Request

from flask_corsguard.protocol.decision import Decision

if TYPE_CHECKING:
    from flask_corsguard.runtime.front import Front
    from flask_corsguard.runtime.state import AppState


class FrontRecord:
    """The decision about one request in front of an app.

    :ivar front: the :class:`Front` that decided.
    :ivar request: the request as it was then: code behind the front may change its environment.
    :ivar decision: the decision; once the app's hooks have decided, theirs.
    :ivar is_taken: whether the hooks have used the record. After that, a request is another one,
        which a view makes to its own app.
    :ivar is_asked: whether the responding code has called ``guard.origin_check``. It then follows
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

        :returns: whether the decision holds for them too. If they see another route, they know
            more: the app is mounted further down, or has made its routes since. If they see another
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


#: The record of the current request of a task or a thread. Between an ASGI app and a WSGI app, no
#: environment is passed on.
front_record: ContextVar[FrontRecord | None] = ContextVar("corsguard_front_record", default=None)


def record_of(state: AppState, request: Request) -> FrontRecord | None:
    """The record of a guard in front of the app about a request; or None."""
    record: FrontRecord | None = request.environ.get(state.front_key) or front_record.get()
    is_ours = record is not None and record.front.state is state and record.is_about(request)
    return record if is_ours else None


def has_passed_a_front(state: AppState, environ: dict[str, Any]) -> bool:
    """Whether a guard in front of the app has seen a request."""
    return state.front_key in environ or front_record.get() is not None
