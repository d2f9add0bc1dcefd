"""Path prefixes with marks, and the URLs under them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from werkzeug.routing import AnyConverter, BaseConverter, PathConverter, Rule

from flask_corsguard.decorators import Mark
from flask_corsguard.routing.layers import Layer, Layers
from flask_corsguard.routing.overlap import VARIABLE


class _Segment(NamedTuple):
    """One segment of a rule.

    :ivar pattern: a pattern for the values that it matches, as precise as prefixes need it.
    :ivar values: every value that it matches, or None if it may match any.
    :ivar open_ended: whether any number of segments may follow.
    """

    pattern: re.Pattern[str]
    values: frozenset[str] | None
    open_ended: bool


class Paths:
    """Path prefixes with marks on them.

    :ivar marks: prefix -> its mark.
    :ivar layers: prefix, or "" -> the marks on it and on prefixes above it, the outermost first.
    """

    def __init__(self, marks: Mapping[str, Mark]) -> None:
        self.marks = marks
        self.layers: dict[str, Layers] = {"": ()}
        # Every prefix and every path above one -> the longest prefix that covers it.
        self._covering: dict[str, str] = {}
        # Every path above a prefix -> the next segments of the prefixes below it.
        self._following: dict[str, set[str]] = {}
        for prefix in sorted(marks, key=len):
            outer = self.longest(prefix)
            # It goes to the log, where every line is printable ASCII.
            source = f"path {prefix.encode('unicode_escape').decode('ascii')}"
            self.layers[prefix] = (*self.layers[outer], Layer(marks[prefix], source))
            self._covering[prefix] = head = prefix
            while head:
                above, _, segment = head.rpartition("/")
                self._following.setdefault(above, set()).add(segment)
                self._covering.setdefault(head, outer)
                head = above

    def longest(self, path: str) -> str:
        """The longest prefix that covers a path by whole segments, or ""."""
        covering, found, end = self._covering, "", path.find("/", 1)
        # For most paths, this ends at once, because no prefix begins like them.
        while end > 0:
            known = covering.get(path[:end])
            if known is None:
                return found
            found, end = known, path.find("/", end + 1)
        return covering.get(path, found)

    def above(self, prefix: str) -> Iterator[str]:
        """A prefix and those above it, the innermost first."""
        while prefix:
            yield prefix
            prefix = self.longest(prefix.rpartition("/")[0])

    def of_rule(self, rule: Rule) -> list[str]:
        """Every prefix that is the longest one for some URL of a rule, which is bound to a map."""
        if not self.marks:
            return [""]
        found: set[str] = set()
        heads = {""}
        for segment in _segments_of(rule):
            following: set[str] = set()
            for head in heads:
                known = self._following.get(head, set())
                fitting = {text for text in known if segment.pattern.fullmatch(text)}
                following |= {f"{head}/{text}" for text in fitting}
                if segment.values is None or segment.values - fitting:
                    found.add(self.longest(head))
            heads = following
            if segment.open_ended:
                found |= {p for p in self.marks for head in heads if f"{p}/".startswith(f"{head}/")}
        return sorted(found.union(map(self.longest, heads)))


def _segments_of(rule: Rule) -> Iterator[_Segment]:
    # A private attribute. Without it, a variable counts as matching anything.
    converters: Mapping[str, BaseConverter] = getattr(rule, "_converters", {})
    text = re.sub("/{2,}", "/", rule.rule) if rule.merge_slashes else rule.rule
    variables: list[str] = []

    def mark(variable: re.Match[str]) -> str:
        variables.append(variable["name"])
        return "\0"

    for segment in VARIABLE.sub(mark, text).strip("/").split("/"):
        fixed, *others = segment.split("\0")
        pattern = re.escape(fixed)
        values: frozenset[str] | None = frozenset({fixed})
        for fixed in others:
            converter = converters.get(variables.pop(0))
            if converter is None or not converter.part_isolating:
                if converter and converter.regex == PathConverter.regex:
                    pattern += converter.regex  # at least one character, in any number of segments
                yield _Segment(re.compile(f"{pattern}.*", re.DOTALL), None, open_ended=True)
                return
            pattern += f"(?:{converter.regex}){re.escape(fixed)}"
            values = None
            if type(converter) is AnyConverter and segment == "\0":
                values = frozenset(converter.items)
        yield _Segment(re.compile(pattern), values, open_ended=False)
