"""What each origin may do on each route, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from posixpath import commonpath
from typing import NamedTuple

from flask_corsguard.protocol.decision import CorsRequest, Scope, decide
from flask_corsguard.protocol.explanation import policy_summary
from flask_corsguard.protocol.fields import OriginForm, OriginList
from flask_corsguard.protocol.origins import parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import Outcome, Reason
from flask_corsguard.routing.table import Route

#: How many of the origins that policies name have a column.
MAX_COLUMNS = 12
# How many origins of one policy are looked at for that.
_MAX_ORIGINS = 1000
_MAX_NAMES = 4
# Stand-ins for any name or port that a wildcard covers. No policy would name them.
_ANY_NAME, _ANY_PORT = "any-name", 49152


class Sign(Enum):
    """What an origin may do: a name, a symbol that can be told without its colour, and words."""

    EVERYONE = ("everyone", "✱", "everyone may read")
    CREDENTIALS = ("credentials", "◆", "may read, with cookies")
    READ = ("read", "●", "may read")
    SOME = ("some", "◐", "some methods only")
    ASKED = ("asked", "?", "a callable decides")
    SOCKET = ("socket", "!", "not admitted, but nothing refuses its WebSocket")
    NO = ("no", "·", "may not read")
    EXEMPT = ("exempt", "\N{EN DASH}", "exempt")

    def __init__(self, key: str, symbol: str, words: str) -> None:
        self.key = key
        self.symbol = symbol
        self.words = words


class Cell(NamedTuple):
    """What one origin may do on one route, in words for those who cannot see the sign."""

    sign: Sign
    words: str


class Column(NamedTuple):
    """An origin as the policies write it, and an example that stands for it."""

    label: str
    sample: str


#: Origins that matter whatever the policies name.
STRANGERS = (
    Column("null", "null"),
    Column("any other site", "https://any-other-site.invalid"),
)


class Row(NamedTuple):
    """A route with a cell for each column, and its policy in short."""

    route: Route
    cells: tuple[Cell, ...]
    who: str
    how: str


class RowGroup(NamedTuple):
    """Rows that differ only in their route.

    :ivar sources: what set the policy of each, in words, without repetitions.
    :ivar prefix: what all of their rules begin with.
    """

    rows: Sequence[Row]
    sources: Sequence[str]
    prefix: str


def columns_of(routes: Iterable[Route]) -> tuple[list[Column], int]:
    """The origins that policies name, beginning with those of the most routes.

    :returns: a column for each, and how many have none.
    """
    uses = Counter(route.policy for route in routes if route.policy)
    named: Counter[str] = Counter()
    unseen = 0
    for policy, number in uses.items():
        forms: tuple[OriginForm, ...] = () if policy.origins == "*" else policy.origins
        forms += (*policy.raw_origins, *policy.deny_origins)
        unseen += max(0, len(forms) - _MAX_ORIGINS)
        for form in islice(forms, _MAX_ORIGINS):
            if isinstance(form, str) and form != "null":
                named[form] += number
    chosen = [_column(label) for label, _ in named.most_common(MAX_COLUMNS)]
    return chosen, len(named) - len(chosen) + unseen


def _column(label: str) -> Column:
    pattern = parse_pattern(label)
    if pattern is None:  # a raw origin
        return Column(label, label)
    origin = pattern.example(_ANY_NAME)
    if pattern.any_port:
        origin = origin._replace(port=_ANY_PORT)
    return Column(label, str(origin))


class Grid:
    """Makes rows for routes, from what the guard itself would decide."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        # By identity: policies that are derived from one another have the same list.
        self._listed: dict[int, OriginList] = {}
        self._known: dict[tuple[object, ...], tuple[tuple[Cell, ...], str, str]] = {}

    def row(self, route: Route) -> Row:
        """The row of one route."""
        policy = route.policy
        if policy is None:
            cells = tuple(_cell(Sign.EXEMPT, column) for column in self.columns)
            return Row(route, cells, policy_summary(None), "")
        # HEAD goes with GET, and OPTIONS is for everybody.
        own = tuple(name for name in route.methods if name not in ("HEAD", "OPTIONS"))
        methods = own or route.methods
        is_open = route.url_rule.websocket and policy.enforce in ("off", "report")
        key = (policy, methods, is_open)
        if key not in self._known:
            cells = tuple(self._cell(policy, methods, column) for column in self.columns)
            if is_open:
                cells = tuple(map(_open_socket, self.columns, cells))
            who, _, how = policy_summary(policy).partition("; ")
            self._known[key] = (cells, who, "; ".join(filter(None, (how, *_further(policy)))))
        return Row(route, *self._known[key])

    def _cell(self, policy: Policy, methods: tuple[str, ...], column: Column) -> Cell:
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
            return _cell(Sign.ASKED if is_open else Sign.NO, column)
        if len(allowed) < len(methods):
            refused = " ".join(method for method in methods if method not in allowed)
            return _cell(Sign.SOME, column, f", {' '.join(allowed)}, but not {refused}")
        if policy.compiled.sends_star:
            return _cell(Sign.EVERYONE, column)
        return _cell(Sign.CREDENTIALS if policy.allow_credentials else Sign.READ, column)

    def _without_callables(self, policy: Policy) -> Policy:
        """The policy without its callables, which are not run for a page: they may take long, or
        need a request."""
        origins = policy.origins
        if origins == "*" or origins.compiled.is_constant:
            return policy
        if id(origins) not in self._listed:
            derived = policy.derive(origins=[form for form in origins if not callable(form)])
            assert derived.origins != "*"
            self._listed[id(origins)] = derived.origins
        return policy.derive(origins=self._listed[id(origins)])


def _cell(sign: Sign, column: Column, more: str = "") -> Cell:
    sample = "" if column.sample == column.label else f" (such as {column.sample})"
    return Cell(sign, f"{column.label}{sample}: {sign.words}{more}")


def _open_socket(column: Column, cell: Cell) -> Cell:
    """The cell of a WebSocket that no handshake is kept from."""
    return _cell(Sign.SOCKET, column) if cell.sign in (Sign.NO, Sign.ASKED) else cell


def _further(policy: Policy) -> Iterator[str]:
    """What a policy says that its summary leaves out."""
    if policy.allow_headers != Policy.allow_headers.default:
        yield f"headers {_names(policy.allow_headers)}"
    if policy.expose_headers:
        yield f"exposes {_names(policy.expose_headers)}"
    if not policy.answer_preflight:
        yield "the app answers preflights"


def _names(names: str | Sequence[str]) -> str:
    if isinstance(names, str):
        return "all"
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return (" ".join(names[:_MAX_NAMES]) or "none") + more


def grouped(rows: Iterable[Row]) -> list[RowGroup]:
    """Groups of rows that differ only in their route; those open to the most origins come first."""
    groups: dict[tuple[Policy | None, tuple[Cell, ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.route.policy, row.cells), []).append(row)
    closed = (Sign.NO, Sign.EXEMPT)
    return [
        RowGroup(
            alike,
            [*dict.fromkeys(row.route.source for row in alike)],
            _common_prefix([row.route.rule for row in alike]),
        )
        for alike in sorted(
            groups.values(), key=lambda rows: sum(cell.sign in closed for cell in rows[0].cells)
        )
    ]


def _common_prefix(rules: Sequence[str]) -> str:
    """The whole segments that all rules begin with."""
    return rules[0] if len(rules) == 1 else f"{commonpath(rules).rstrip('/')}/…"
