"""The page about the tool says what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flask_corsguard.migrate import CODES
from flask_corsguard.migrate.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs" / "migrating" / "tool.md").read_text("utf-8")


def test_every_code_is_explained_once() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert rows == list(CODES.items())


def test_the_example_is_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```(?:py|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(blocks[0])
    assert main(["app.py"]) == 1
    assert capsys.readouterr().out == blocks[1]
