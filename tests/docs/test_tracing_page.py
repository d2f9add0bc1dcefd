"""The page about tracing: what it lists, and how long its receiver is."""

import re
from pathlib import Path

from flask_corsguard.runtime.hooks import _TRACING

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "tracing.md").read_text("utf-8")


def test_the_known_packages_are_listed() -> None:
    listed = (
        " ".join(PAGE.split())
        .partition("functions of these packages run before it: ")[2]
        .partition(".")[0]
    )
    assert set(re.findall(r"`(\w+)`", listed)) == _TRACING


def test_the_receiver_has_ten_lines() -> None:
    [receiver] = re.findall(r"^(@origin_allowed.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert len(receiver.splitlines()) <= 10
