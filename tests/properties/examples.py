"""How many examples a property is tried with.

The same ones each time, and few enough for every run of the tests. ``CORSGUARD_EXAMPLES=100`` takes
a hundred times as many, new ones each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_TIMES = int(os.environ.get("CORSGUARD_EXAMPLES", "1"))


def examples(number: int) -> settings:
    """The settings for a property that is tried with *number* examples."""
    return settings(
        max_examples=number * _TIMES,
        derandomize=_TIMES == 1,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
