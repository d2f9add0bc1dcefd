"""Patterns that take long to say no."""

from __future__ import annotations

import re
import time

from flask_corsguard.audit.hostile import long_ones
from flask_corsguard.protocol.policy import Policy

# In seconds. Any reasonable pattern takes a thousandth of that.
_SLOW = 0.01


def slow_pattern(policy: Policy) -> re.Pattern[str] | None:
    """A pattern of a policy that takes long to refuse some origins."""
    entries = (*policy.origins, *policy.deny_origins)
    return next((e for e in entries if isinstance(e, re.Pattern) and _is_slow(e)), None)


def _is_slow(pattern: re.Pattern[str]) -> bool:
    for texts in long_ones():
        for text in texts:
            # Twice, because the machine may have been busy. Time grows with the length, so that
            # the first slow one is not very slow.
            if min(_seconds(pattern, text), _seconds(pattern, text)) > _SLOW:
                return True
    return False


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    start = time.perf_counter()
    pattern.fullmatch(text)
    return time.perf_counter() - start
