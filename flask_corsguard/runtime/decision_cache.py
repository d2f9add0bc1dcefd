"""Decisions that later requests can have unchanged, so that most of them cost one look-up."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from flask import Request

from flask_corsguard.logging import Line
from flask_corsguard.protocol.decision import Decision

_MOST_REMEMBERED = 4096
# How many newcomers a full memory turns away before it starts anew.
_MOST_TURNED_AWAY = 10 * _MOST_REMEMBERED
_LONGEST_PATH_REMEMBERED = 100
_LONGEST_CONTEXT_REMEMBERED = 500
#: A preflight that announces a longer list of headers, in characters, is not remembered.
LONGEST_LIST_REMEMBERED = 200

#: A request, as far as a decision depends on it. Rules by identity: they have no hash.
Key: TypeAlias = tuple[object, ...]
_T = TypeVar("_T")


class Rejection:
    """A rejection that was announced, for requests that come again just like it: there is nothing
    to do for them but to count.

    :param decision: about a policy that lets every request run.
    :param line: the line in the log that stands for it.
    """

    __slots__ = ("_decision", "_host", "_line", "_scheme", "_site")

    def __init__(self, decision: Decision, request: Request, line: Line) -> None:
        environ = request.environ
        self._decision = decision
        self._line = line
        self._host = environ.get("HTTP_HOST")
        self._site = environ.get("HTTP_SEC_FETCH_SITE")
        self._scheme = environ.get("wsgi.url_scheme")

    @property
    def is_short(self) -> bool:
        """Whether it is small enough to be kept."""
        kept = (self._host, self._site, self._scheme, self._decision.path)
        return sum(len(text or "") for text in kept) <= _LONGEST_CONTEXT_REMEMBERED

    def repeated_by(self, request: Request) -> Decision | None:
        """The decision about a request of the same rule, method and origin; None where it has to
        be worked out, or announced, anew."""
        environ = request.environ
        # Everything that tells an app's own page from another's.
        if (
            environ.get("HTTP_HOST") == self._host
            and environ.get("HTTP_SEC_FETCH_SITE") == self._site
            and environ.get("wsgi.url_scheme") == self._scheme
            and self._line.leave_out()
        ):
            decision = self._decision
            path = request.path
            return decision if decision.path == path else decision._replace(path=path)
        return None


class Known(dict[Key, _T], Generic[_T]):
    """Part of a memory: a dict of bounded size."""

    __slots__ = ("_turned_away",)

    def __init__(self) -> None:
        super().__init__()
        self._turned_away = 0

    def renew(self, key: Key, value: _T) -> None:
        """Remember something instead of what is known, or as :meth:`keep` does."""
        if key in self:
            self[key] = value
        else:
            self.keep(key, value)

    def keep(self, key: Key, value: _T) -> None:
        """Remember something that is not known yet, if there is room."""
        if len(self) < _MOST_REMEMBERED:
            self[key] = value
            return
        # The few pages that an app has ask again and again; whoever makes up origins is not to
        # drive them out. But who asks changes over the days.
        self._turned_away += 1
        if self._turned_away >= _MOST_TURNED_AWAY:
            self._turned_away = 0
            self.clear()


class Memory:
    """What was decided lately, in bounded size.

    :param has_trial: whether every request is to be looked at, because a policy is on trial. Then
        nothing is told apart as settled: it would only have to be looked up twice.
    :ivar settled: decisions that stand as they are, by rule, method and origin.
    :ivar open: likewise, those that call for a look at the rest of the request: the app's own page
        may be asking, or the server may have to refuse.
    :ivar rejections: likewise, how some of the open ones ended.
    :ivar preflights: decisions by rule, announced method, origin, announced headers, and whether a
        private network is asked for.
    """

    __slots__ = ("open", "preflights", "rejections", "settled")

    def __init__(self, *, has_trial: bool = False) -> None:
        self.open: Known[Decision] = Known()
        self.settled: Known[Decision] = self.open if has_trial else Known()
        self.rejections: Known[Rejection] = Known()
        self.preflights: Known[Decision] = Known()


def short(decision: Decision) -> Decision:
    """A decision as it is kept: a path that is long comes with the next request anyway."""
    is_long = len(decision.path) > _LONGEST_PATH_REMEMBERED
    return decision._replace(path="") if is_long else decision
