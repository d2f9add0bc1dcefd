"""The methods that another policy governs at the same URL.

A browser remembers the response to a preflight for the URL and every method named in it. If two
policies share a URL, the responses of one must not name the methods of the other.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from werkzeug.routing import (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)

#: A variable part, as werkzeug.routing reads it: <converter(arguments):name>
VARIABLE = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\(.*?\))?:)?(?P<name>[a-zA-Z_]\w*)>")
# The converters whose values have no slash. An app's own converters may allow one.
_ONE_SEGMENT_CONVERTERS = (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    UnicodeConverter,
    UUIDConverter,
)
# Placeholders for variable parts, with characters that no rule has
_ONE_SEGMENT, _ANY_SEGMENTS = "\0", "\1"
# Up to this many children are visited one by one.
_FEW = 4


class Shape(NamedTuple):
    """The URLs of a rule, in the detail needed to compare two rules.

    :ivar domain: host or subdomain, or None if it has variable parts.
    :ivar segments: the path's segments, with None for those that have variable parts.
    :ivar open_ended: whether any number of segments may follow.
    """

    domain: str | None
    segments: tuple[str | None, ...]
    open_ended: bool


def shape_of(rule: Rule) -> Shape:
    """The shape of a rule that is bound to a URL map, from its text."""
    converters = rule.map.converters

    def mark(variable: re.Match[str]) -> str:
        converter = converters[variable["converter"] or "default"]
        return _ONE_SEGMENT if converter in _ONE_SEGMENT_CONVERTERS else _ANY_SEGMENTS

    domain = rule.host or rule.subdomain or ""
    segments: list[str | None] = []
    open_ended = False
    for segment in VARIABLE.sub(mark, rule.rule).strip("/").split("/"):
        is_fixed = _ONE_SEGMENT not in segment and _ANY_SEGMENTS not in segment
        segments.append(segment if is_fixed else None)
        if _ANY_SEGMENTS in segment:
            open_ended = True
            break
    return Shape(None if "<" in domain else domain, tuple(segments), open_ended)


class Governed(NamedTuple):
    """At URLs of one shape, *policy* (anything comparable) governs *methods*."""

    shape: Shape
    methods: frozenset[str]
    policy: Hashable


def groups_that_may_meet(rules: Iterable[tuple[str, Hashable]]) -> Iterator[list[int]]:
    """Groups of rules, by number, that may share a URL and have different policies. Most rules are
    excluded quickly, by comparing their fixed first segments.

    :param rules: the text of each rule, with its policy.
    """
    all_of_them = [
        (number, text.strip("/").split("/"), policy) for number, (text, policy) in enumerate(rules)
    ]
    waiting = [(0, all_of_them)]
    while waiting:
        depth, group = waiting.pop()
        if len({policy for _, _, policy in group}) < 2:
            continue
        by_segment: dict[str | None, list[tuple[int, list[str], Hashable]]] = {}
        for row in group:
            segments = row[1]
            segment = segments[depth] if depth < len(segments) else None
            if segment is not None and "<" in segment:  # it may be anything
                yield [number for number, _, _ in group]
                break
            by_segment.setdefault(segment, []).append(row)
        else:
            ended = by_segment.pop(None, [])
            if len({policy for _, _, policy in ended}) > 1:
                yield [number for number, _, _ in ended]
            waiting += [(depth + 1, part) for part in by_segment.values() if len(part) > 1]


class _Governors:
    """The policies that govern each method.

    For each method, two policies are enough: whichever policy is compared with them, at least one
    of the two differs.
    """

    __slots__ = ("_by_domain",)

    def __init__(self) -> None:
        self._by_domain: dict[str | None, dict[str, frozenset[int]]] = {}

    def add(self, domain: str | None, method: str, policies: Iterable[int]) -> None:
        """Record that *policies*, by number, govern *method*."""
        known = self._by_domain.setdefault(domain, {})
        before = known.get(method, frozenset())
        if len(before) < 2:
            known[method] = before.union(policies)

    @classmethod
    def union(cls, parts: Iterable[_Governors]) -> _Governors:
        """The union of *parts*."""
        union = cls()
        for part in parts:
            for domain, by_method in part._by_domain.items():
                for method, policies in by_method.items():
                    union.add(domain, method, policies)
        return union

    def others(self, domain: str | None, policy: int) -> Iterator[str]:
        """The methods that a policy other than this one governs at a domain."""
        domains = self._by_domain if domain is None else {domain, None} & self._by_domain.keys()
        for each in domains:
            for method, policies in self._by_domain[each].items():
                if policies - {policy}:
                    yield method


class _Node:
    """A node in the tree of all shapes, reached by the segments that lead to it.

    The rules ``/a``, ``/a/<x>``, ``/a/b/<path:y>`` and ``/c`` make this tree. Each line is a node,
    named by the segment that leads to it from its parent::

        root
          "a"          ending: /a
            None       ending: /a/<x>
            "b"
              None     open_ended: /a/b/<path:y>
          "c"          ending: /c

    :param sources: the nodes that this one merges, if any. It merges them on demand, one level at a
        time, as most of the result is never needed.
    """

    def __init__(self, sources: Sequence[_Node] = ()) -> None:
        self._sources = sources

    @cached_property
    def children(self) -> dict[str | None, _Node]:
        """The nodes below, by the segment that leads there."""
        alike: dict[str | None, list[_Node]] = {}
        for source in self._sources:
            for segment, child in source.children.items():
                alike.setdefault(segment, []).append(child)
        return {
            segment: nodes[0] if len(nodes) == 1 else _Node(nodes)
            for segment, nodes in alike.items()
        }

    @cached_property
    def ending(self) -> _Governors:
        """The policies of the URLs that end here."""
        return _Governors.union(source.ending for source in self._sources)

    @cached_property
    def open_ended(self) -> _Governors:
        """The policies of rules for both the URLs that end here and all that continue from here."""
        return _Governors.union(source.open_ended for source in self._sources)

    @cached_property
    def _below(self) -> _Governors:
        """The policies of any URL that ends here or continues from here."""
        if self._sources:
            return _Governors.union(source._below for source in self._sources)
        below = [child._below for child in self.children.values()]
        return _Governors.union([self.ending, self.open_ended, *below])

    @cached_property
    def _any_child(self) -> _Node:
        return _Node(list(self.children.values()))

    def _following(self, segment: str | None) -> Iterable[_Node]:
        """The nodes that *segment* leads to, or one that merges all of them."""
        if segment is not None:
            return [self.children[key] for key in (segment, None) if key in self.children]
        # One node replaces many: otherwise, rules that begin with a variable would take quadratic
        # time. For few nodes, merging takes longer than it saves.
        is_few = len(self.children) <= _FEW
        return self.children.values() if is_few else (self._any_child,)

    def meeting(self, shape: Shape) -> Iterator[_Governors]:
        """The policies of every URL that *shape* could match too, in several sets."""
        nodes = [self]
        for segment in shape.segments:
            yield from (node.open_ended for node in nodes)
            nodes = [child for node in nodes for child in node._following(segment)]
        for node in nodes:
            yield node.open_ended
            yield node._below if shape.open_ended else node.ending


def methods_governed_elsewhere(rows: Iterable[Governed]) -> Mapping[Governed, frozenset[str]]:
    """For each row, the methods that another policy governs at a URL they may share."""
    numbers: dict[Hashable, int] = {}
    numbered = {row: numbers.setdefault(row.policy, len(numbers)) for row in rows}
    if len(numbers) < 2:
        return {}
    root = _Node()
    for row, policy in numbered.items():
        node = root
        for segment in row.shape.segments:
            node = node.children.setdefault(segment, _Node())
        governors = node.open_ended if row.shape.open_ended else node.ending
        for method in row.methods:
            governors.add(row.shape.domain, method, (policy,))
    return {
        row: frozenset(
            method
            for governors in root.meeting(row.shape)
            for method in governors.others(row.shape.domain, policy)
        )
        for row, policy in numbered.items()
    }
