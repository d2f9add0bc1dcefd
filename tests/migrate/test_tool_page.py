"""The page about the tool says what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flask_corsguard.migrate import CODES
from tests.cli.command_line import run

PAGE = (Path(__file__).parents[2] / "docs" / "migrating" / "tool.md").read_text("utf-8")


def test_every_code_is_explained_once() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert rows == list(CODES.items())


def test_the_example_is_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is what the diff begins with: the lines that stay, and those that go."""
    shown = re.search(r"^```text\n\$ flask --app shop cors (.+)\n((?s:.+?))^```$", PAGE, re.M)
    assert shown
    command, output = shown.groups()
    diff = output.partition("\n\n")[0].splitlines()[3:]
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text("".join(f"{line[1:]}\n" for line in diff if line[0] in " -"))
    ran = run(command, "shop")
    assert (ran.code, ran.err, ran.out) == (0, "", output)
