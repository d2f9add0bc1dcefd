"""What ``docs/migrating/php.md`` says of a real PHP beyond its recipes."""

import subprocess
from pathlib import Path

import pytest

from ..listening import require
from .comparing import ask
from .originals import ORIGINALS
from .recipes import PAGES, read_request, table

ROWS = table((PAGES / "php.md").read_text("utf-8"), "What other checks let in")


@pytest.mark.parametrize(("check", "origin", "lets_in"), ROWS)
def test_what_each_check_lets_in(check: str, origin: str, lets_in: str) -> None:
    require(ORIGINALS["php"].needs)
    script = f"$origin = $argv[1]; echo {check} ? 'yes' : 'no';"
    command = ["php", "-n", "-r", script, "--", origin]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == lets_in


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("<?php header('Vary: Origin'); header('Vary: Accept');", [("Vary", "Accept")]),
        (
            "<?php header('Vary: Origin'); header('Vary: Accept', false);",
            [("Vary", "Accept"), ("Vary", "Origin")],
        ),
        ("\n<?php header('Vary: Origin');", []),
        ("<?php echo $missing; header('Vary: Origin');", []),
    ],
)
def test_where_php_loses_headers(script: str, lines: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    with ORIGINALS["php"].running(script, tmp_path) as port:
        assert list(ask(port, read_request("GET /")).lines) == lines
