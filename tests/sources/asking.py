"""Asking a source as a request does."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from flask_corsguard.sources.deadline import deadline

DEADLINE = 0.2


def noise() -> float:
    """How late, in seconds, a wait may end on this machine, which may be busy."""
    return 0.3 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def within_deadline(ask: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What *ask* returns, or the exception that it raises, if it takes no longer than it may."""
    started = time.monotonic()
    with deadline(seconds):
        try:
            result = ask()
        except Exception as error:
            result = error
    taken = time.monotonic() - started
    assert taken < seconds + noise(), (taken, result)
    return result


def whole(source: Any, seconds: float = 30) -> tuple[Any, list[Any]]:
    """The version and all rows."""
    with deadline(seconds):
        version, rows = source.load()
        return version, [*rows]


def run_python(code: str, *arguments: object) -> str:
    """What a program prints, in a process of its own."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    return result.stdout
