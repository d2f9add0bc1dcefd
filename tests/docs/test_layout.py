"""The package is laid out as the page for contributors says: packages import in one direction, and
each name is used once."""

import ast
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flask_corsguard"
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")
# The first column of the table of packages and modules, row by row.
ROWS = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`\w+`.*?) \|", PAGE, re.MULTILINE)]
PACKAGES = [name for row in ROWS for name in row]
# Packages whose modules and classes may have the names of others.
NAMES_MAY_STAND_TWICE = {"cli", "migrate"}


def parts_of(path: Path) -> tuple[str, ...]:
    """The name of a module within the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


SOURCES = {parts_of(p): ast.parse(p.read_text("utf-8")) for p in sorted(PACKAGE.rglob("*.py"))}


def imports(module: tuple[str, ...]) -> Iterator[str]:
    """What a module imports, anywhere in it, except for type checkers."""
    waiting: list[ast.AST] = [SOURCES[module]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        waiting += [] if is_for_types else ast.iter_child_nodes(node)


def imported_modules(module: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The modules of this package that a module imports, without the package itself."""
    names = (tuple(name.split(".")) for name in imports(module))
    own = {name[1:] for name in names if name[0] == "flask_corsguard"}
    return {name if name in SOURCES else name[:-1] for name in own} - {()}


def test_the_page_lists_every_package() -> None:
    assert sorted(PACKAGES) == sorted({module[0] for module in SOURCES if module})


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_those_above_it(package: str) -> None:
    """Each package or module imports only from itself and from the rows of the table above it."""
    (index,) = (n for n, row in enumerate(ROWS) if package in row)
    allowed = {name for row in ROWS[: index + 1] for name in row}
    found = {
        (".".join(module), ".".join(other))
        for module in SOURCES
        if module[:1] == (package,)
        for other in imported_modules(module)
        if other[:1] not in [(name,) for name in allowed]
    }
    assert found == set()


def test_no_two_modules_import_each_other() -> None:
    TopologicalSorter({module: imported_modules(module) - {module} for module in SOURCES}).prepare()


def test_the_protocol_knows_no_framework() -> None:
    """The protocol imports the standard library alone, except what reads or writes. The list of
    public suffixes is data."""
    reads = {"http", "io", "logging", "os", "pathlib", "socket", "sys", "threading", "urllib"}
    allowed = sys.stdlib_module_names - reads | {"publicsuffixlist"}
    own = re.compile(r"flask_corsguard\.(protocol|errors|text)\b")
    found = {
        name
        for module in SOURCES
        if module[:1] == ("protocol",)
        for name in imports(module)
        if name.partition(".")[0] not in allowed and not own.match(name)
    }
    assert found == set()


@pytest.mark.parametrize(
    "package", [(), ("testing",), ("audit",)], ids=lambda parts: ".".join(parts)
)
def test_public_names_are_loaded_when_they_are_used(package: tuple[str, ...]) -> None:
    """Python finds each name where type checkers find it, and no other."""
    (choice,) = (node for node in SOURCES[package].body if isinstance(node, ast.If))
    for_types = {n.module: [a.name for a in n.names] for n in choice.body if hasattr(n, "module")}
    table, *_ = (ast.literal_eval(node) for node in ast.walk(choice) if isinstance(node, ast.Dict))
    assert table == for_types
    module = importlib.import_module(".".join(("flask_corsguard", *package)))
    assert sorted(name for names in table.values() for name in names) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=r"has no attribute 'CorsGard'"):
        _ = module.CorsGard


def test_the_name_of_a_file_or_class_stands_once() -> None:
    trees = {m: t for m, t in SOURCES.items() if not NAMES_MAY_STAND_TWICE.intersection(m[:1])}
    nodes = (node for tree in trees.values() for node in ast.walk(tree))
    classes = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    for names in (Counter(module[-1] for module in trees if module), classes):
        assert [name for name, count in names.items() if count > 1] == []
