"""What the terminal shows."""

from __future__ import annotations

import time

from flask_corsguard import Decision


def show(name: str, decision: Decision) -> None:
    """Print one line about a decision.

    :param name: the signal that announced it, or the worker that made it.
    """
    summary = decision.explain().splitlines()[0]
    print(f"{time.strftime('%H:%M:%S')}  {name:<19} {summary}", flush=True)


def show_nothing(name: str, decision: Decision) -> None:
    """Print nothing."""
