"""Patterns that take long to say no."""

from __future__ import annotations

import itertools
import re
import time

from flask_corsguard.audit.hostile_origins import long_ones
from flask_corsguard.audit.meant_origins import patterns_of
from flask_corsguard.audit.pattern_samples import samples
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.text import name_of, shown

# In seconds. Any reasonable pattern takes a thousandth of that.
_SLOW = 0.01
_MOST_STARTS = 20
_LONGEST_START = 60


def slow_pattern(policy: Policy) -> str:
    """A pattern of a policy, or of a callable's, that takes long to refuse some origins, in words;
    or ""."""
    for entry in (*policy.origins, *policy.deny_origins):
        for pattern in () if isinstance(entry, str) else patterns_of(entry):
            if _is_slow(pattern):
                user = f", which the callable {name_of(entry)} uses," if callable(entry) else ""
                return f"The pattern {shown(pattern.pattern, 200)}{user}"
    return ""


def _is_slow(pattern: re.Pattern[str]) -> bool:
    for start in _starts(pattern):
        for texts in long_ones(start):
            for text in texts:
                # Twice, because the machine may have been busy. Time grows with the length, so
                # that the first slow one is not very slow.
                if min(_seconds(pattern, text), _seconds(pattern, text)) > _SLOW:
                    return True
    return False


def _starts(pattern: re.Pattern[str]) -> list[str]:
    """What comes before each choice in a pattern, such as a repetition; the shortest first."""
    starts = {"https://", "http://", ""}
    for one, other in itertools.pairwise(samples(pattern)):
        both = zip(one, other, strict=False)
        same = itertools.takewhile(lambda characters: characters[0] == characters[1], both)
        starts.add("".join(character for character, _ in same))
    short = (start for start in starts if len(start) <= _LONGEST_START)
    return sorted(short, key=lambda start: (len(start), start))[:_MOST_STARTS]


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    start = time.perf_counter()
    pattern.fullmatch(text)
    return time.perf_counter() - start
