"""What each origin may do where: routes x origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice
from posixpath import commonpath
from typing import Literal, NamedTuple, TypeAlias

from flask_corsguard.inspector.words import how, readers, visible, who
from flask_corsguard.protocol.decision import CorsRequest, Scope, decide
from flask_corsguard.protocol.fields import OriginForm, OriginList
from flask_corsguard.protocol.origins import parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route

#: How many of the origins that policies name have a column.
MOST_COLUMNS = 12
# How many entries of one policy are looked at for that.
_MOST_ENTRIES = 1000
# What stands for any name or port that a wildcard covers: nothing that a policy would name.
_ANY_NAME, _ANY_PORT = "any-name", 49152


class State(Enum):
    """What an origin may do: a name, a sign that is known without its colour, and words."""

    EVERYONE = ("everyone", "✱", "everyone may read")
    CREDENTIALS = ("credentials", "◆", "may read, with cookies")
    READ = ("read", "●", "may read")
    SOME = ("some", "◐", "some methods only")
    ASKED = ("asked", "?", "a callable decides")
    NO = ("no", "·", "may not read")
    EXEMPT = ("exempt", "\N{EN DASH}", "exempt")

    def __init__(self, key: str, sign: str, words: str) -> None:
        self.key = key
        self.sign = sign
        self.words = words


class Cell(NamedTuple):
    """What one origin may do on one route, in words for who cannot see the sign."""

    state: State
    words: str


class Column(NamedTuple):
    """An origin, as the policies write it, and the one that it is judged by."""

    label: str
    sample: str


_Verdict: TypeAlias = tuple[tuple[Cell, ...], str, str]

#: Origins that are of interest whatever the policies name.
STRANGERS = (
    Column("null", "null"),
    Column("any other site", "https://any-other-site.invalid"),
)


class Row(NamedTuple):
    """A route, or several that are alike, with a cell for each column."""

    route: Route
    cells: tuple[Cell, ...]
    who: str
    how: str


class Group(NamedTuple):
    """Rows that have everything in common but the route.

    :ivar sources: what set the policy of each, in words, without repetitions.
    :ivar prefix: how all of their rules begin.
    """

    rows: Sequence[Row]
    sources: Sequence[str]
    prefix: str


def columns_of(routes: Iterable[Route]) -> tuple[list[Column], int]:
    """The origins that policies name, those of the most routes first.

    :returns: a column for each, and how many have none.
    """
    uses = Counter(route.policy for route in routes if route.policy)
    named: Counter[str] = Counter()
    unseen = 0
    for policy, number in uses.items():
        forms: tuple[OriginForm, ...] = () if policy.origins == "*" else policy.origins
        forms += policy.deny_origins
        unseen += max(0, len(forms) - _MOST_ENTRIES)
        for form in islice(forms, _MOST_ENTRIES):
            if isinstance(form, str) and form != "null":
                named[form] += number
    chosen = [_column(label) for label, _ in named.most_common(MOST_COLUMNS)]
    return chosen, len(named) - len(chosen) + unseen


def _column(label: str) -> Column:
    pattern = parse_pattern(label)
    assert pattern is not None, "a policy holds nothing else"
    origin = pattern.origin
    if pattern.subdomains:
        origin = origin._replace(host=f"{_ANY_NAME}.{origin.host}")
    if pattern.any_port:
        origin = origin._replace(port=_ANY_PORT)
    return Column(label, str(origin))


class Grid:
    """Judges routes by what the guard itself would decide."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        # By identity: policies that are derived from one another have the same list.
        self._listed: dict[int, Literal["*"] | OriginList] = {}
        self._readers: dict[int, tuple[str, ...]] = {}
        self._known: dict[tuple[Policy, tuple[str, ...]], _Verdict] = {}

    def row(self, route: Route) -> Row:
        """The row of one route."""
        policy = route.policy
        if policy is None:
            cells = tuple(_cell(State.EXEMPT, column) for column in self.columns)
            return Row(route, cells, "the guard leaves it alone", "")
        key = (policy, _methods_to_judge(route))
        known = self._known.get(key)
        if known is None:
            cells = tuple(self._judge(*key, column) for column in self.columns)
            known = self._known[key] = (cells, who(policy, self._readers_of(policy)), how(policy))
        return Row(route, *known)

    def _readers_of(self, policy: Policy) -> tuple[str, ...]:
        origins = policy.origins
        named = self._readers.get(id(origins))
        if named is None:
            named = self._readers[id(origins)] = readers(origins)
        return named

    def _judge(self, policy: Policy, methods: tuple[str, ...], column: Column) -> Cell:
        listed = self._without_callables(policy)
        scope = Scope(methods=frozenset(methods))
        decisions = {
            method: decide(listed, CorsRequest(column.sample, method, preflight=True), scope)
            for method in methods
        }
        allowed = [m for m, decision in decisions.items() if decision.outcome is Outcome.ALLOWED]
        if not allowed:
            reasons = {decision.reason for decision in decisions.values()}
            is_open = listed != policy and reasons == {Reason.ORIGIN_NOT_ALLOWED}
            return _cell(State.ASKED if is_open else State.NO, column)
        if len(allowed) < len(methods):
            refused = " ".join(method for method in methods if method not in allowed)
            return _cell(State.SOME, column, f", {' '.join(allowed)}, but not {refused}")
        if policy.compiled.sends_star:
            return _cell(State.EVERYONE, column)
        return _cell(State.CREDENTIALS if policy.allow_credentials else State.READ, column)

    def _without_callables(self, policy: Policy) -> Policy:
        """What a policy says by itself. A callable of the app is not for a picture to run: it may
        take its time, or a request that there is none of."""
        origins = policy.origins
        if origins == "*" or origins.compiled.is_constant:
            return policy
        listed = self._listed.get(id(origins))
        if listed is None:
            listed = policy.derive(origins=[f for f in origins if not callable(f)]).origins
            self._listed[id(origins)] = listed
        return policy.derive(origins=listed)


def _cell(state: State, column: Column, more: str = "") -> Cell:
    judged_by = "" if column.sample == column.label else f" (such as {column.sample})"
    return Cell(state, f"{visible(column.label)}{judged_by}: {state.words}{more}")


def _methods_to_judge(route: Route) -> tuple[str, ...]:
    """Those that say something: HEAD goes with GET, and OPTIONS answers everybody."""
    own = tuple(name for name in route.methods if name not in ("HEAD", "OPTIONS"))
    return own or route.methods


def grouped(rows: Iterable[Row]) -> list[Group]:
    """Rows that are alike put together; those that are open to the most first."""
    groups: dict[tuple[Policy | None, tuple[Cell, ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.route.policy, row.cells), []).append(row)
    found = [
        Group(
            alike,
            [*dict.fromkeys(row.route.source for row in alike)],
            _common_prefix([row.route.rule for row in alike]),
        )
        for alike in groups.values()
    ]
    closed = (State.NO, State.EXEMPT)
    return sorted(
        found, key=lambda group: sum(cell.state in closed for cell in group.rows[0].cells)
    )


def _common_prefix(rules: Sequence[str]) -> str:
    """How all rules begin, by whole segments."""
    return rules[0] if len(rules) == 1 else f"{commonpath(rules).rstrip('/')}/…"
