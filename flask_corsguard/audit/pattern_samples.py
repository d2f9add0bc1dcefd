"""Texts that a regular expression matches: what its author had in mind, as far as that shows."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

# Python's own parser. There is no public way to it, and every other would be a second one.
_parser: Any = importlib.import_module("re._parser")
_MOST = 40
_DEEPEST = 20
_MOST_REPEATED = 64
# What a class is stood for by, if it has it: what a name is most likely to be made of.
_PREFERRED = "xz19-.:/_"


def samples(pattern: re.Pattern[str], *, any_character: str = ".") -> list[str]:
    """Some texts made after *pattern*, the plainest first: it matches most of them as a whole.

    Each choice in it (an alternative, an optional part, a repetition) is taken in one of them.
    None is matched here, because that can take for ever.

    :param any_character: what a lone ``.`` stands for. Mostly, a dot is meant.
    """
    try:
        tree = _parser.parse(pattern.pattern, pattern.flags & re.VERBOSE)
    except (re.error, RecursionError):
        return []
    return _Sampler(any_character).sequence(tree, 0)


def literals(pattern: re.Pattern[str]) -> list[str]:
    """The texts that stand in a pattern as they are, look-arounds included."""
    found = [""]

    def collect(nodes: Any) -> None:
        for kind, value in nodes:
            if str(kind) == "LITERAL":
                found[-1] += chr(value)
            else:
                found.append("")
                _each_part(value, collect)
                found.append("")

    with contextlib.suppress(re.error, RecursionError):
        collect(_parser.parse(pattern.pattern, pattern.flags & re.VERBOSE))
    return [text for text in found if text]


def _each_part(value: Any, visit: Callable[[Any], None]) -> None:
    if isinstance(value, _parser.SubPattern):
        visit(value)
    elif isinstance(value, (tuple, list)):
        for part in cast("Iterable[Any]", value):
            _each_part(part, visit)


class _Sampler:
    def __init__(self, any_character: str) -> None:
        self._any = any_character
        self._repeated = False

    def sequence(self, nodes: Iterable[Any], depth: int) -> list[str]:
        """All first choices, all shortest ones, then each other choice with the first ones around
        it."""
        if depth > _DEEPEST:
            return [""]
        choices = [self._node(str(kind), value, depth) for kind, value in nodes]
        if not all(choices):
            return []  # something in it matches nothing
        first = [texts[0] for texts in choices]
        shortest = "".join(min(texts, key=len) for texts in choices)
        found = dict.fromkeys(["".join(first), shortest])
        for place, texts in enumerate(choices):
            if len(texts) == 1:
                continue
            before, after = "".join(first[:place]), "".join(first[place + 1 :])
            found |= dict.fromkeys(before + text + after for text in texts[1:])
        return list(found)[:_MOST]

    def _node(self, kind: str, value: Any, depth: int) -> list[str]:
        match kind:
            case "LITERAL":
                return [chr(value)]
            case "NOT_LITERAL":
                return [c for c in _PREFERRED if c != chr(value)][:1]
            case "ANY":
                return ["x" if self._repeated else self._any]
            case "IN":
                return self._of_class(value)
            case "BRANCH":
                return [text for branch in value[1] for text in self.sequence(branch, depth + 1)]
            case "SUBPATTERN":
                return self.sequence(value[3], depth + 1)
            case "ATOMIC_GROUP":
                return self.sequence(value, depth + 1)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, nodes = value
                return list(self._repeat(least, most, nodes, depth))
            case _:
                return [""]  # anchors and look-arounds take no room; what does not fit, falls out

    def _of_class(self, items: Iterable[Any]) -> list[str]:
        # Compiled, not interpreted: a class can hold ranges, other classes, and their opposites.
        belongs = re.compile(_source(items)).fullmatch
        if not self._repeated and belongs("."):
            return ["."]  # as for a lone "."
        return [c for c in (*_PREFERRED, *map(chr, range(33, 127))) if belongs(c)][:2]

    def _repeat(self, least: int, most: Any, nodes: Any, depth: int) -> Iterator[str]:
        most = min(int(most), least + 2)
        outside, self._repeated = self._repeated, most > 1
        texts = self.sequence(nodes, depth + 1)
        self._repeated = outside
        counts: list[int] = [min(max(least, 1), most), least, most]
        for count in dict.fromkeys(counts):
            for text in texts if count else [""]:
                # One that asks for more than any origin has, matches none.
                yield text * min(count, _MOST_REPEATED)


def _source(items: Iterable[Any]) -> str:
    names = {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s"}
    names |= {name.replace("_", "_NOT_", 1): text.upper() for name, text in names.items()}
    parts: list[str] = []
    for kind, value in items:
        match str(kind):
            case "NEGATE":
                parts.append("^")
            case "LITERAL":
                parts.append(re.escape(chr(value)))
            case "RANGE":
                parts.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
            case _:
                parts.append(names.get(str(value), ""))
    return f"[{''.join(parts)}]"
