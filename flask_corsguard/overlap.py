"""Which methods have another policy at the same URL.

A browser remembers a preflight's answer for the URL and every method named in it. Where two
policies share a URL, the answer of one must not name the methods of the other.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
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


class _Node:
    """A place in the tree of all claims, reached by the segments that lead to it."""

    __slots__ = ("children", "ending", "open_ended")

    def __init__(self) -> None:
        self.children: dict[str | None, _Node] = {}
        self.ending: list[Claim] = []
        self.open_ended: list[Claim] = []

    def below(self) -> Iterator[Claim]:
        """Every claim from here on."""
        yield from self.ending
        yield from self.open_ended
        for child in self.children.values():
            yield from child.below()

    def meeting(self, shape: Shape, depth: int = 0) -> Iterator[Claim]:
        """Every claim from here on that some URL of *shape* might have too."""
        yield from self.open_ended
        if depth == len(shape.segments):
            yield from self.ending
            if shape.open_ended:
                for child in self.children.values():
                    yield from child.below()
            return
        segment = shape.segments[depth]
        if segment is None:
            follow = list(self.children.values())
        else:
            follow = [self.children[key] for key in (segment, None) if key in self.children]
        for child in follow:
            yield from child.meeting(shape, depth + 1)


def methods_governed_elsewhere(claims: Iterable[Claim]) -> Mapping[Claim, frozenset[str]]:
    """For each claim, the methods for which another policy answers at a URL they may share."""
    claims = list(dict.fromkeys(claims))
    if len({claim.policy for claim in claims}) < 2:
        return {}
    root = _Node()
    for claim in claims:
        node = root
        for segment in claim.shape.segments:
            node = node.children.setdefault(segment, _Node())
        (node.open_ended if claim.shape.open_ended else node.ending).append(claim)
    elsewhere: dict[Claim, frozenset[str]] = {}
    for claim in claims:
        found: set[str] = set()
        for other in root.meeting(claim.shape):
            if other.policy != claim.policy and _domains_meet(claim.shape, other.shape):
                found |= other.methods
        if found:
            elsewhere[claim] = frozenset(found)
    return elsewhere


def _domains_meet(one: Shape, other: Shape) -> bool:
    return one.domain is None or other.domain is None or one.domain == other.domain
