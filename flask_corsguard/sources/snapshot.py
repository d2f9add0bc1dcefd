"""The rows of a source, checked and compiled like a list of origins."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Set
from typing import Any, NamedTuple, cast

from flask_corsguard.errors import Problem
from flask_corsguard.protocol.fields import Enforce, OriginList, read_origins
from flask_corsguard.protocol.origins import (
    OPAQUE_SCHEMES,
    OriginPattern,
    OriginSet,
    parse_origin,
    parse_pattern,
)
from flask_corsguard.protocol.policy import Policy, check_combination
from flask_corsguard.sources.source import BadRow
from flask_corsguard.text import text_of

#: How many bad rows are named.
MOST_NAMED = 100
# In characters. A reason can contain the row, or part of it.
_LONGEST_REASON = 400
# How many rows are checked at a time.
_PORTION = 1000
_NOTHING: frozenset[str] = frozenset()
# The first of two words, where only the second is an origin.
_TENANT = re.compile(r"([\w-]+)[\s:=]+\w+://\S+$")
_NOT_FROM_A_SOURCE = {
    "": "it is empty",
    "*": "a source cannot allow everybody: for that, set origins='*'",
    "null": "a source cannot allow 'null': any site can send it from a sandboxed frame",
}


class Rules(NamedTuple):
    """The fields of a policy that determine which origins it may list."""

    allow_credentials: bool
    enforce: Enforce
    dangerously_allow_insecure_origins: bool
    dangerously_allow_public_suffixes: bool

    @classmethod
    def of(cls, policy: Policy) -> Rules:
        """The rules of a policy."""
        return cls(*(policy.values[name] for name in cls._fields))

    @property
    def any_exact(self) -> bool:
        """Whether every origin without a wildcard may be listed, even with http."""
        return not self.allow_credentials or self.dangerously_allow_insecure_origins

    def problems(self, origins: object) -> list[Problem]:
        """The problems of origins in combination with these fields."""
        return check_combination(
            {**self._asdict(), "origins": origins, "deny_origins": OriginList.of((), OriginSet())}
        )


class Snapshot:
    """The good rows that a source had at one time. Immutable.

    :param exact: tenant -> origins without a wildcard. Without ``by``, None is the only tenant.
    :param patterns: tenant -> its other rows, parsed.
    :param bad: some of the rows that were left out, as text that is safe to print -> why.
    :param bad_rows: how many rows were left out.
    :param earlier: the snapshot from which this one was made.
    :ivar rows: how many good rows there are.
    :ivar listed: the origins without a wildcard, if there are no tenants.
    """

    __slots__ = ("_exact", "_others", "_patterns", "bad", "bad_rows", "listed", "rows")

    def __init__(
        self,
        exact: Mapping[Hashable, Set[str]],
        patterns: Mapping[Hashable, Mapping[str, OriginPattern]],
        bad: Mapping[str, str],
        bad_rows: int,
        earlier: Snapshot | None = None,
    ) -> None:
        self._exact = exact
        self.listed = exact.get(None, _NOTHING)
        self._patterns = patterns
        self._others: dict[Hashable, OriginSet] = {}
        for tenant, found in patterns.items():
            if earlier is not None and earlier._patterns.get(tenant) is found:
                self._others[tenant] = earlier._others[tenant]
            else:
                self._others[tenant] = OriginSet(found.values())
        self.bad = bad
        self.bad_rows = bad_rows
        self.rows = sum(map(len, exact.values())) + sum(map(len, patterns.values()))

    @property
    def tenants(self) -> Set[Hashable]:
        """The tenants that have a row."""
        return self._exact.keys() | self._patterns.keys()

    def knows(self, tenant: Hashable) -> bool:
        """Whether a tenant has any row."""
        return tenant in self._exact or tenant in self._patterns

    def admits(self, tenant: Hashable, text: str) -> bool:
        """Whether a row of a tenant covers an origin.

        :param text: the serialized origin.
        """
        if text in self._exact.get(tenant, _NOTHING):
            return True
        others = self._others.get(tenant)
        if others is None:
            return False
        origin = parse_origin(text)
        return origin is not None and others.lists(text, origin)

    def __iter__(self) -> Iterator[tuple[Hashable, str]]:
        """Every good row, with its tenant."""
        for rows in (self._exact, self._patterns):
            for tenant, origins in rows.items():
                for origin in origins:
                    yield tenant, origin

    def changed(self, added: Iterable[object], removed: Iterable[object], rows: Rows) -> Snapshot:
        """A snapshot with some changes, made without visiting every row.

        :param added: the rows that have been added.
        :param removed: the rows that have been removed.
        :param rows: an empty :class:`Rows` to read the added rows.
        """
        exact, patterns = dict(self._exact), dict(self._patterns)
        bad, bad_rows = dict(self.bad), self.bad_rows
        gone: dict[Hashable, set[str]] = {}
        others = rows.like_this()
        for tenant, text, shown in others.each(removed):
            if bad.pop(shown, None) is not None:
                bad_rows -= 1
            gone.setdefault(tenant, set()).add(text)
        for shown in others.finished().bad:
            if bad.pop(shown, None) is not None:
                bad_rows -= 1
        for tenant, texts in gone.items():
            if tenant in exact:
                exact[tenant] = exact[tenant] - texts
            if tenant in patterns and not texts.isdisjoint(patterns[tenant]):
                kept = {text: p for text, p in patterns[tenant].items() if text not in texts}
                patterns[tenant] = kept
        rows.add(added)
        new = rows.finished()
        for tenant, origins in new._exact.items():
            exact[tenant] = exact.get(tenant, _NOTHING) | origins
        for tenant, found in new._patterns.items():
            patterns[tenant] = {**patterns.get(tenant, {}), **found}
        bad_rows += sum(shown not in bad for shown in new.bad) + new.bad_rows - len(new.bad)
        exact = {tenant: origins for tenant, origins in exact.items() if origins}
        patterns = {tenant: found for tenant, found in patterns.items() if found}
        return Snapshot(exact, patterns, {**bad, **new.bad}, max(bad_rows, 0), self)


class Rows:
    """Reads rows, in portions, for one snapshot.

    :param rules: the checks on a row, besides its form.
    :param by_tenant: whether rows are (tenant, origin).
    """

    def __init__(self, rules: Rules, *, by_tenant: bool) -> None:
        self._rules = rules
        self._by_tenant = by_tenant
        self._exact: dict[Hashable, set[str]] = {}
        self._patterns: dict[Hashable, dict[str, OriginPattern]] = {}
        self._bad: dict[str, str] = {}
        self._bad_rows = 0

    def like_this(self) -> Rows:
        """An empty :class:`Rows` with the same rules."""
        return Rows(self._rules, by_tenant=self._by_tenant)

    def add(self, rows: Iterable[Any]) -> None:
        """Read some rows. Bad ones are left out, with the reason."""
        any_exact, by_tenant, exact = self._rules.any_exact, self._by_tenant, self._exact
        others: list[tuple[Hashable, str, str]] = []
        tenant: Any
        text: Any
        for row in rows:
            # A shortcut for nearly all rows, which takes a fifth of the time.
            tenant, text = None, row
            if by_tenant:
                is_pair = row.__class__ is tuple and len(row) == 2
                tenant, text = row if is_pair else (None, None)
            is_usual = type(text) is str and (type(tenant) is str or not by_tenant)
            if is_usual and "*" not in text:
                origin = parse_origin(text)
                scheme = "about" if origin is None else origin.scheme
                if scheme == "https" or (any_exact and scheme not in OPAQUE_SCHEMES):
                    exact.setdefault(tenant, set()).add(text)
                    continue
            others += self.each([row])
            if len(others) >= _PORTION:
                self._read(others)
                others = []
        self._read(others)

    def each(self, rows: Iterable[object]) -> Iterator[tuple[Hashable, str, str]]:
        """The tenant and the origin of each row, and the row as text. A row of another form is
        bad."""
        for row in rows:
            if isinstance(row, BadRow):
                self._leave_out(text_of(row.text, 320), row.why)
                continue
            shown = text_of(row, 320)
            tenant, text = None, row
            if self._by_tenant:
                if not isinstance(row, (tuple, list)) or len(cast("list[Any]", row)) != 2:
                    self._leave_out(
                        shown, "the source has by, so a row must be a tenant and an origin"
                    )
                    continue
                tenant, text = cast("tuple[Hashable, object]", tuple(cast("list[Any]", row)))
                if tenant is None:
                    self._leave_out(shown, "it has no tenant")
                    continue
            try:
                hash(tenant)
            except Exception:
                self._leave_out(shown, "its tenant cannot be compared")
                continue
            if not isinstance(text, str):
                hint = "" if self._by_tenant else ", without a tenant, because the source has no by"
                self._leave_out(shown, f"a row must be a string with an origin{hint}")
            else:
                yield tenant, str(text).strip(), shown

    def _read(self, rows: Collection[tuple[Hashable, str, str]]) -> None:
        """Read rows with the reader and the checks for lists."""
        wrong = self._wrong({text: None for _, text, _ in rows})
        for tenant, text, shown in rows:
            pattern = None if text in wrong else parse_pattern(text)
            if pattern is None:
                self._leave_out(shown, wrong.get(text, "it is not an origin"))
            elif pattern.label or pattern.any_port or pattern.any_host:
                self._patterns.setdefault(tenant, {})[text] = pattern
            else:
                self._exact.setdefault(tenant, set()).add(text)

    def _wrong(self, texts: Iterable[str]) -> dict[str, str]:
        """The problem of each text that has one."""
        wrong: dict[str, str] = {}
        usable: list[str] = []
        for text in texts:
            if text in _NOT_FROM_A_SOURCE:
                wrong[text] = _NOT_FROM_A_SOURCE[text]
            elif "://" in text and (tenant := _TENANT.match(text)) and not self._by_tenant:
                wrong[text] = f"{tenant[1]!r} looks like a tenant, but the source has no by"
            elif "," in text:
                wrong[text] = "a row must be one origin: rows are not split at commas"
            else:
                usable.append(text)
        if not usable:
            return wrong
        problems: list[Problem] = []
        origins = read_origins("origins", usable, problems)
        problems += self._rules.problems(origins)
        known = set(usable)
        for problem in reversed(problems):
            if isinstance(problem.value, str) and problem.value in known:
                message = problem.message.removeprefix(text_of(problem.value)).lstrip(": ")
                wrong[problem.value] = message
            elif len(usable) == 1:
                wrong[usable[0]] = problem.message
            else:  # the problem does not name the row
                for text in usable:
                    wrong |= self._wrong([text])
                break
        return wrong

    def _leave_out(self, row: str, why: str) -> None:
        self._bad_rows += 1
        if len(self._bad) < MOST_NAMED:
            self._bad[row] = why.removesuffix(".")[:_LONGEST_REASON]

    def finished(self) -> Snapshot:
        """The snapshot of all rows that were read."""
        return Snapshot(self._exact, self._patterns, self._bad, self._bad_rows)
