"""Which methods have another policy at the same URL.

A browser remembers a preflight's answer for the URL and every method named in it. Where two
policies share a URL, the answer of one must not name the methods of the other.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from werkzeug.routing import (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)

# A variable part, as werkzeug.routing reads it: <converter(arguments):name>
_VARIABLE = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\(.*?\))?:)?[a-zA-Z_]\w*>")
# The converters whose value has no slash; of an app's own it is not known.
_ONE_SEGMENT_CONVERTERS = (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    UnicodeConverter,
    UUIDConverter,
)
# Stand-ins for a variable part, of characters that no rule has
_ONE_SEGMENT, _ANY_SEGMENTS = "\0", "\1"


class Shape(NamedTuple):
    """The URLs of a rule, as far as telling two rules apart goes.

    :ivar domain: host or subdomain, or None where it has variable parts.
    :ivar segments: the path's segments, with None for those that have variable parts.
    :ivar open_ended: whether any number of segments may follow.
    """

    domain: str | None
    segments: tuple[str | None, ...]
    open_ended: bool


def shape_of(rule: Rule) -> Shape:
    """Read the shape off the text of a rule that is bound to a URL map."""
    converters = rule.map.converters

    def mark(variable: re.Match[str]) -> str:
        converter = converters[variable["converter"] or "default"]
        return _ONE_SEGMENT if converter in _ONE_SEGMENT_CONVERTERS else _ANY_SEGMENTS

    domain = rule.host or rule.subdomain or ""
    segments: list[str | None] = []
    open_ended = False
    for segment in _VARIABLE.sub(mark, rule.rule).strip("/").split("/"):
        is_fixed = _ONE_SEGMENT not in segment and _ANY_SEGMENTS not in segment
        segments.append(segment if is_fixed else None)
        if _ANY_SEGMENTS in segment:
            open_ended = True
            break
    return Shape(None if "<" in domain else domain, tuple(segments), open_ended)


class Claim(NamedTuple):
    """That at URLs of one shape, *policy* (anything comparable) answers for *methods*."""

    shape: Shape
    methods: frozenset[str]
    policy: Hashable


class _Governors:
    """Which policies answer for which methods.

    Of each method, two policies are kept: with two, whoever asks meets another one than its own.
    """

    __slots__ = ("_by_domain",)

    def __init__(self) -> None:
        self._by_domain: dict[str | None, dict[str, frozenset[int]]] = {}

    def add(self, domain: str | None, method: str, policies: Iterable[int]) -> None:
        """Note that *policies*, by their numbers, answer for *method*."""
        known = self._by_domain.setdefault(domain, {})
        before = known.get(method, frozenset())
        if len(before) < 2:
            known[method] = before.union(policies)

    def update(self, other: _Governors) -> None:
        """Add all of another one's."""
        for domain, by_method in other._by_domain.items():
            for method, policies in by_method.items():
                self.add(domain, method, policies)

    def others(self, domain: str | None, policy: int) -> Iterator[str]:
        """The methods that, at a domain, another policy than this one answers for."""
        domains = self._by_domain if domain is None else {domain, None} & self._by_domain.keys()
        for each in domains:
            for method, policies in self._by_domain[each].items():
                if policies - {policy}:
                    yield method


class _Node:
    """A place in the tree of all claims, reached by the segments that lead to it.

    :ivar ending: who answers at the URLs that end here.
    :ivar open_ended: who answers at these, and at all that go on from here.
    """

    __slots__ = ("_any_child", "_below", "children", "ending", "open_ended")

    def __init__(self) -> None:
        self.children: dict[str | None, _Node] = {}
        self.ending = _Governors()
        self.open_ended = _Governors()
        self._any_child: _Node | None = None
        self._below: _Governors | None = None

    @classmethod
    def merged(cls, nodes: Sequence[_Node]) -> _Node:
        """A node that stands for several."""
        if len(nodes) == 1:
            return nodes[0]
        merged = cls()
        children: dict[str | None, list[_Node]] = {}
        for node in nodes:
            merged.ending.update(node.ending)
            merged.open_ended.update(node.open_ended)
            for segment, child in node.children.items():
                children.setdefault(segment, []).append(child)
        merged.children = {segment: cls.merged(alike) for segment, alike in children.items()}
        return merged

    def following(self, segment: str | None) -> list[_Node]:
        """The nodes that stand for what *segment* leads to."""
        if segment is not None:
            return [self.children[key] for key in (segment, None) if key in self.children]
        # Not each child: then rules that begin with a variable would take time by their square.
        if self._any_child is None:
            self._any_child = _Node.merged(list(self.children.values()) or [_Node()])
        return [self._any_child]

    def below(self) -> _Governors:
        """Who answers here, or anywhere from here on."""
        if self._below is None:
            self._below = _Governors()
            self._below.update(self.ending)
            self._below.update(self.open_ended)
            for child in self.children.values():
                self._below.update(child.below())
        return self._below

    def meeting(self, shape: Shape) -> Iterator[_Governors]:
        """Who answers at any URL that might be of *shape* too, in parts."""
        nodes = [self]
        for segment in shape.segments:
            yield from (node.open_ended for node in nodes)
            nodes = [child for node in nodes for child in node.following(segment)]
        for node in nodes:
            yield node.open_ended
            yield node.below() if shape.open_ended else node.ending


def methods_governed_elsewhere(claims: Iterable[Claim]) -> Mapping[Claim, frozenset[str]]:
    """For each claim, the methods for which another policy answers at a URL they may share."""
    numbers: dict[Hashable, int] = {}
    numbered = {claim: numbers.setdefault(claim.policy, len(numbers)) for claim in claims}
    if len(numbers) < 2:
        return {}
    root = _Node()
    for claim, policy in numbered.items():
        node = root
        for segment in claim.shape.segments:
            node = node.children.setdefault(segment, _Node())
        governors = node.open_ended if claim.shape.open_ended else node.ending
        for method in claim.methods:
            governors.add(claim.shape.domain, method, (policy,))
    return {
        claim: frozenset(
            method
            for part in root.meeting(claim.shape)
            for method in part.others(claim.shape.domain, policy)
        )
        for claim, policy in numbered.items()
    }
