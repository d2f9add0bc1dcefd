"""Test ids that are the same in every process: no memory addresses, and sets in order."""

import re
from typing import Any


def stable_id(value: Any) -> str:
    """The ``repr`` of *value*, without what differs from one process to the next."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {stable_id(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        start, end = repr(value)[0], repr(value)[-1]
        return f"{start}{', '.join(map(stable_id, value))}{end}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(stable_id, value)))}}}"
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))
