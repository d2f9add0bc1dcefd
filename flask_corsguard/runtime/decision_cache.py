"""The decision cache: most requests need only one look-up."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from flask_corsguard.protocol.decision import Decision
from flask_corsguard.routing.table import Entry
from flask_corsguard.runtime.requests import LONGEST_METHOD, Key

MOST_DECISIONS = 4096
# How many new decisions a full cache turns away before it is cleared.
_MOST_TURNED_AWAY = 10 * MOST_DECISIONS
#: The longest path that is kept, in characters.
LONGEST_PATH = 100

#: A cached value: the decision by the policy alone (``UNDECIDED`` if only a callable or a source
#: can decide); and the entry of the table if the rest of the request matters too: whether one of
#: the app's own pages sent it, and whether the server refuses it. None if the decision is final.
Kept: TypeAlias = tuple[Decision, Entry | None]


_Rest = TypeVar("_Rest")


class DecisionCache(dict[Key | None, tuple[Decision, _Rest]], Generic[_Rest]):
    """A bounded number of decisions, by :func:`~flask_corsguard.runtime.requests.key_of`, each with
    what it depends on."""

    __slots__ = ("_turned_away",)

    def __init__(self) -> None:
        super().__init__()
        self._turned_away = 0

    def keep(self, key: Key, kept: tuple[Decision, _Rest]) -> None:
        """Keep a decision, if there is room."""
        decision, rest = kept
        if len(decision.method) > LONGEST_METHOD:
            return
        if len(self) < MOST_DECISIONS or key in self:
            # A long path is not kept: it is replaced by the next request's own anyway.
            is_long = len(decision.path) > LONGEST_PATH
            self[key] = (decision._replace(path=""), rest) if is_long else kept
            return
        # A full cache keeps its decisions: requests with made-up origins must not evict those about
        # the few real pages. But real pages change over time, so it is cleared now and then.
        self._turned_away += 1
        if self._turned_away >= _MOST_TURNED_AWAY:
            self._turned_away = 0
            self.clear()
