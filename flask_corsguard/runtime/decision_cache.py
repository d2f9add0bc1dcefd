"""Decisions kept for requests that come again: most requests cost one look-up."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from flask import Request

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.protocol.headers import MAX_METHOD_LENGTH
from flask_corsguard.protocol.origins import ORIGIN_CUT
from flask_corsguard.routing.table import Entry

#: Cuts a requested method before it is used. One character too many is left, so that no policy
#: allows a method that was cut.
METHOD_CUT = slice(MAX_METHOD_LENGTH + 1)
MOST_DECISIONS = 4096
# How many new decisions a full cache turns away before it starts anew.
_MOST_TURNED_AWAY = 10 * MOST_DECISIONS
# In characters. A preflight with a longer list is decided each time; a longer path is not kept.
_LONGEST_LIST = 200
LONGEST_PATH = 100

#: A request, as far as its policy's decision depends on it.
Key: TypeAlias = tuple[object, ...]


def key_of(request: Request, place: object) -> Key | None:
    """The key that a decision is kept under: the place, the method, the origin, and the other CORS
    headers of a preflight.

    :param place: stands for the rule, and for the path prefix where the rule has several.
    :returns: None for a preflight with a list that is too long to be kept.
    """
    environ = request.environ
    origin: str | None = environ.get("HTTP_ORIGIN")
    if origin is not None:
        origin = origin[ORIGIN_CUT]
        if request.method == "OPTIONS":
            method: str | None = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
            if method is not None:
                names: str = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
                if len(names) > _LONGEST_LIST:
                    return None
                private = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
                return (place, method[METHOD_CUT], origin, names, private)
    return (place, request.method, origin)


#: What is kept of a request: the decision by the policy alone (``UNDECIDED`` if only its callable
#: can tell); and what made it, if the rest of the request has a say too: whether one of the app's
#: own pages sent it, whether the server refuses it. None if the decision is final.
Kept: TypeAlias = tuple[Decision, Entry | None]


_Rest = TypeVar("_Rest")


class DecisionCache(dict[Key | None, tuple[Decision, _Rest]], Generic[_Rest]):
    """A bounded number of decisions, by :func:`key_of`, each with what it rests on."""

    __slots__ = ("_turned_away",)

    def __init__(self) -> None:
        super().__init__()
        self._turned_away = 0

    def keep(self, key: Key, kept: tuple[Decision, _Rest]) -> None:
        """Keep a decision, if there is room."""
        if len(self) < MOST_DECISIONS or key in self:
            decision, rest = kept
            # A long path comes with the next request anyway.
            is_long = len(decision.path) > LONGEST_PATH
            self[key] = (decision._replace(path=""), rest) if is_long else kept
            return
        # A full cache keeps what it has: requests with made-up origins must not drive out the few
        # real pages. But the real pages change over time, so it starts anew now and then.
        self._turned_away += 1
        if self._turned_away >= _MOST_TURNED_AWAY:
            self._turned_away = 0
            self.clear()
