"""What each origin may do on each route, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from posixpath import commonpath
from typing import NamedTuple

from flask_corsguard.protocol.audiences import Audiences
from flask_corsguard.protocol.decision import (
    UNDECIDED,
    CorsRequest,
    Scope,
    decide,
    decide_unlisted,
)
from flask_corsguard.protocol.fields import OriginForm
from flask_corsguard.protocol.origins import parse_pattern
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.protocol.reasons import NOT_LISTED, Outcome
from flask_corsguard.protocol.remedies import name_in_list
from flask_corsguard.routing.table import Route

#: How many of the origins that policies name get a column.
MAX_COLUMNS = 12
# How many origins of one policy are considered for that.
_MAX_ORIGINS = 1000
_MAX_NAMES = 4
# Stand-ins for any name or port that a wildcard covers. No policy would name them.
_ANY_NAME, _ANY_PORT = "any-name", 49152


class Sign(Enum):
    """What an origin may do: a name, a symbol that works without its colour, and words."""

    EVERYONE = ("everyone", "✱", "everyone may read")
    CREDENTIALS = ("credentials", "◆", "may read, with cookies")
    READ = ("read", "●", "may read")
    SOME = ("some", "◐", "some methods only")
    ASKED = ("asked", "?", "a callable or source decides")
    VIEW = ("view", "◇", "the view may decide")
    SOCKET = ("socket", "!", "not allowed, but nothing refuses the WebSocket")
    NO = ("no", "·", "may not read")
    EXEMPT = ("exempt", "\N{EN DASH}", "exempt")

    def __init__(self, key: str, symbol: str, words: str) -> None:
        self.key = key
        self.symbol = symbol
        self.words = words


class Cell(NamedTuple):
    """What one origin may do on one route.

    :ivar words: the same in words, for those who cannot see the sign.
    :ivar number: which of several policies says so, or 0.
    """

    sign: Sign
    words: str
    number: int = 0


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
    """A route with a cell for each column.

    :ivar policies: each policy in short: who may read, and how.
    """

    route: Route
    cells: tuple[Cell, ...]
    policies: Sequence[tuple[str, str]]


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
    uses = Counter(policy for route in routes for policy in route.policies)
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
        self._known: dict[tuple[object, ...], Row] = {}

    def row(self, route: Route) -> Row:
        """The row of one route."""
        policy = route.policy
        if policy is None:
            cells = tuple(_cell(Sign.EXEMPT, column) for column in self.columns)
            return Row(route, cells, [("exempt", "")])
        # HEAD goes with GET, and OPTIONS is for everybody.
        own = tuple(name for name in route.methods if name not in ("HEAD", "OPTIONS"))
        methods = own or route.methods
        # All policies of a list have the same enforce.
        is_open = route.url_rule.websocket and route.policies[0].enforce in ("off", "report")
        summaries = route.summaries
        # With the summaries, because lists that differ in their policies' names are equal.
        key = (policy, *summaries, methods, is_open)
        if key not in self._known:
            cells = tuple(_cell_of(policy, methods, column) for column in self.columns)
            if is_open:
                cells = tuple(map(_open_socket, self.columns, cells))
            self._known[key] = Row(route, cells, [*map(_in_short, summaries, route.policies)])
        return self._known[key]._replace(route=route)


def _cell_of(policy: Policy | Audiences, methods: tuple[str, ...], column: Column) -> Cell:
    # The page asks no callable, which may take long or need a request.
    first = CorsRequest(column.sample, methods[0], preflight=True)
    asks = decide(policy, first, asks=False) is UNDECIDED
    decider = decide_unlisted if asks else decide
    scope = Scope(methods=frozenset(methods))
    decisions = {
        method: decider(policy, first._replace(method=method), scope, asks=False)
        for method in methods
    }
    allowed = [m for m, decision in decisions.items() if decision.outcome is Outcome.ALLOWED]
    decision = decisions[methods[0]]
    assert decision.policy is not None
    more = ""
    if not allowed:
        sign = Sign.NO
    elif len(allowed) < len(methods):
        refused = " ".join(method for method in methods if method not in allowed)
        sign, more = Sign.SOME, f", {' '.join(allowed)}, but not {refused}"
    elif decision.policy.compiled.star:
        sign = Sign.EVERYONE
    else:
        sign = Sign.CREDENTIALS if decision.policy.allow_credentials else Sign.READ
    name = "" if decision.reason in NOT_LISTED else name_in_list(decision.policy)
    number, by = (len(decision.policies), f", by {name}") if name else (0, "")
    if asks:
        # Whatever comes after the callable is the least that the origin may do.
        least = f"; if it does not admit the origin: {sign.words}{more}{by}" if allowed else ""
        return _cell(Sign.ASKED, column, least)
    is_refused = sign is Sign.NO and decision.policy.compiled.enforces_safe
    if decision.policy.compiled.views_override and not is_refused:
        otherwise = f"; if the view sets no headers of its own: {sign.words}{more}{by}"
        return _cell(Sign.VIEW, column, otherwise, number)
    return _cell(sign, column, f"{more}{by}", number)


def _in_short(summary: str, policy: Policy) -> tuple[str, str]:
    who, _, how = summary.partition("; ")
    return who, "; ".join(filter(None, (how, *_further(policy))))


def _cell(sign: Sign, column: Column, more: str = "", number: int = 0) -> Cell:
    sample = "" if column.sample == column.label else f" (such as {column.sample})"
    return Cell(sign, f"{column.label}{sample}: {sign.words}{more}", number)


def _open_socket(column: Column, cell: Cell) -> Cell:
    """The cell of a WebSocket route that refuses no handshake."""
    return _cell(Sign.SOCKET, column) if cell.sign in (Sign.NO, Sign.ASKED) else cell


def _further(policy: Policy) -> Iterator[str]:
    """What a policy says that its summary leaves out."""
    if policy.allow_headers != Policy.allow_headers.default:
        yield f"headers {_names(policy.allow_headers)}"
    if policy.expose_headers:
        yield f"exposes {_names(policy.expose_headers)}"
    if not policy.answer_preflight:
        yield "the app responds to preflights"


def _names(names: str | Sequence[str]) -> str:
    if isinstance(names, str):
        return "all"
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return (" ".join(names[:_MAX_NAMES]) or "none") + more


def grouped(rows: Iterable[Row]) -> list[RowGroup]:
    """Groups of rows that differ only in their route; those open to the most origins come first."""
    groups: dict[tuple[Policy | Audiences | None, tuple[Cell, ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.route.policy, row.cells), []).append(row)
    closed = (Sign.NO, Sign.EXEMPT)
    return [
        RowGroup(
            alike,
            [*dict.fromkeys(row.route.place for row in alike)],
            _common_prefix([row.route.rule for row in alike]),
        )
        for alike in sorted(
            groups.values(), key=lambda rows: sum(cell.sign in closed for cell in rows[0].cells)
        )
    ]


def _common_prefix(rules: Sequence[str]) -> str:
    """The whole segments that all rules begin with."""
    return rules[0] if len(rules) == 1 else f"{commonpath(rules).rstrip('/')}/…"
