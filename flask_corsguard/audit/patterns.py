"""Regular expressions: what one was probably made for, and whether it is slow."""

from __future__ import annotations

import importlib
import itertools
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

_MOST = 40
_DEEPEST = 20
_MOST_REPEATED = 64
# The characters that stand for a class, if it has them: the most likely ones in a name.
_PREFERRED = "xz19-.:/_"
# In seconds. Any reasonable pattern takes a thousandth of that.
_SLOW = 0.01
_UNITS, _ENDS = ("a", "a-", "a.", "1", "a1", "ab."), ("_:1", "0.invalid:1")
_MOST_STARTS = 20
_LONGEST_START = 60


def samples(pattern: re.Pattern[str], *, any_character: str = ".") -> list[str]:
    """Some texts made from *pattern*, the plainest first: it matches most of them as a whole.

    Each choice in it (an alternative, an optional part, a repetition) is taken in one of them.
    Nothing is matched here, because that can take forever.

    :param any_character: what a lone ``.`` stands for. Usually, a dot is meant.
    """
    # Python's own parser. It is not public, but another parser could read patterns differently.
    parser: Any = importlib.import_module("re._parser")
    try:
        nodes = parser.parse(pattern.pattern, pattern.flags & re.VERBOSE)
    except (re.error, RecursionError):
        return []
    return _Sampler(any_character).sequence(nodes, 0)


def literals(pattern: re.Pattern[str]) -> list[str]:
    """The texts that a pattern contains literally, look-arounds included."""
    classes = re.compile(r"\\[A-Za-z0-9]|\[.*?\]")
    return re.split(r"[^\w.:/-]+", classes.sub(" ", pattern.pattern).replace("\\", ""))


def is_slow(pattern: re.Pattern[str]) -> bool:
    """Whether *pattern* takes long to refuse some origins."""
    for start, unit, end in itertools.product(_starts(pattern), _UNITS, _ENDS):
        # Each text is a little longer than the one before. The time grows with the length, so the
        # first slow one is not very slow.
        for length in range(1, (240 if "." in unit else 60) // len(unit)):
            text = f"{start}{unit * length}{end}"
            # Twice, because the processor may have been busy with something else in between.
            if min(_seconds(pattern, text), _seconds(pattern, text)) > _SLOW:
                return True
    return False


def _starts(pattern: re.Pattern[str]) -> list[str]:
    """What comes before each choice in a pattern, such as a repetition; the shortest first."""
    starts = {"https://", "http://", ""}
    for one, other in itertools.pairwise(samples(pattern)):
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        starts.add("".join(character for character, _ in same))
    short = (start for start in starts if len(start) <= _LONGEST_START)
    return sorted(short, key=lambda start: (len(start), start))[:_MOST_STARTS]


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    start = time.thread_time()
    pattern.fullmatch(text)
    return time.thread_time() - start


class _Sampler:
    def __init__(self, any_character: str) -> None:
        self._any = any_character
        self._repeated = False

    def sequence(self, nodes: Iterable[Any], depth: int) -> list[str]:
        """All first choices together, all shortest ones, then every other choice among first
        ones."""
        if depth > _DEEPEST:
            return [""]
        choices = [self._node(str(kind), value, depth) for kind, value in nodes]
        if not all(choices):
            return []  # something in it matches nothing
        first = [texts[0] for texts in choices]
        found = dict.fromkeys(["".join(first), "".join(min(texts, key=len) for texts in choices)])
        for number, texts in enumerate(choices):
            if len(texts) == 1:
                continue
            before, after = "".join(first[:number]), "".join(first[number + 1 :])
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
                return [""]  # anchors and look-arounds; texts that do not match are dropped later

    def _of_class(self, items: Iterable[Any]) -> list[str]:
        # Compiled, not interpreted: a class can hold ranges, other classes, and their opposites.
        belongs = re.compile(_source(items)).fullmatch
        if not self._repeated and belongs("."):
            return ["."]  # as for a lone "."
        return [c for c in (*_PREFERRED, *map(chr, range(33, 127))) if belongs(c)][:2]

    def _repeat(self, least: int, most: int, nodes: Iterable[Any], depth: int) -> Iterator[str]:
        most = min(most, least + 2)
        outside, self._repeated = self._repeated, most > 1
        texts = self.sequence(nodes, depth + 1)
        self._repeated = outside
        for count in dict.fromkeys((min(max(least, 1), most), least, most)):
            for text in texts if count else [""]:
                # A pattern that needs more than any origin has matches none.
                yield text * min(count, _MOST_REPEATED)


def _source(items: Iterable[Any]) -> str:
    parts: list[str] = []
    for kind, value in items:
        match str(kind):
            case "NEGATE":
                parts.append("^")
            case "LITERAL":
                parts.append(re.escape(chr(value)))
            case "RANGE":
                parts.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
            case _:  # CATEGORY_DIGIT, CATEGORY_NOT_WORD, ...
                letter = str(value).rpartition("_")[2][0]
                parts.append(f"\\{letter if '_NOT_' in str(value) else letter.lower()}")
    return f"[{''.join(parts)}]"
