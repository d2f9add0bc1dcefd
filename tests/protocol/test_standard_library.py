"""The protocol needs no framework."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import flask_corsguard.protocol

ITSELF = re.compile(r"flask_corsguard\.(errors|text|protocol)\b")
NO_INPUT = {"http", "io", "logging", "os", "pathlib", "socket", "sys", "threading", "urllib"}


def test_nothing_but_the_standard_library_is_imported() -> None:
    """And nothing of it that reads or writes. The list of public suffixes is data."""
    allowed = sys.stdlib_module_names - NO_INPUT | {"publicsuffixlist"}
    for module in Path(flask_corsguard.protocol.__file__).parent.glob("*.py"):
        source = module.read_text("utf-8")
        for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", source, re.MULTILINE):
            assert ITSELF.match(name) or name.partition(".")[0] in allowed, (module.name, name)
