"""The modules are those that the page for contributors lists, and imports run upwards in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flask_corsguard"
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE)
MODULES = [name for row in ROWS for name in re.findall(r"`([\w.]+)`", row)]


def path_of(module: str) -> Path:
    return PACKAGE / f"{module.replace('.', '/')}.py"


def imported(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path_of(module).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flask_corsguard"):
            name = (node.module or "").removeprefix("flask_corsguard").removeprefix(".")
            for alias in node.names:
                inner = f"{name}.{alias.name}".strip(".")
                yield inner if path_of(inner).is_file() else name


def runtime_imports(module: str) -> set[str]:
    """Without those that only a type checker sees."""
    source = path_of(module).read_text("utf-8")
    guarded = source.partition("if TYPE_CHECKING:\n")[2]
    for_types = {
        line.split()[1].removeprefix("flask_corsguard.")
        for line in guarded.splitlines()
        if line.startswith("    from flask_corsguard")
    }
    return set(imported(module)) - for_types


def test_the_page_lists_every_module() -> None:
    found = {
        str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".")
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    assert sorted(MODULES) == sorted(found)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_upwards(module: str) -> None:
    assert runtime_imports(module) <= set(MODULES[: MODULES.index(module)])
