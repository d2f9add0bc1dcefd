"""The imports of a file, with the guard's names instead of Flask-CORS's."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from flask_corsguard.migrate.python_file import PythonFile
from flask_corsguard.migrate.uses import Imported


class Needs:
    """What a file needs to import.

    :ivar native: name of the guard -> what it is called in the file.
    :ivar compat: names of Flask-CORS that stay, and come from ``flask_corsguard.compat``.
    :ivar re: whether it needs the module ``re``.
    """

    def __init__(self, file: PythonFile) -> None:
        self._file = file
        self.native: dict[str, str] = {}
        self.compat: set[str] = set()
        self.re = False

    def name(self, name: str) -> str:
        """What one of the guard's names is called in the file, which now needs to import it."""
        if name not in self.native:
            is_taken = self._file.bound[name]
            self.native[name] = f"corsguard_{name}".lower() if is_taken else name
        return self.native[name]

    def need_re(self, *fields: Mapping[str, str]) -> None:
        """Import ``re`` if the source of some fields uses it."""
        codes = [code for some in fields for code in some.values()]
        if any("re.compile(" in code for code in codes) and not self._file.bound["re"]:
            self.re = True


def change_imports(file: PythonFile, imports: Sequence[Imported], needs: Needs) -> None:
    """Replace a file's imports of Flask-CORS with what it needs."""
    native = _native(needs.native)
    statements = list(dict.fromkeys(imported.node for imported in imports))
    top = [node for node in statements if file.parent(node) is file.tree]
    first_lines = (["import re"] if needs.re else []) + ([native] if native else [])
    for node in statements:
        mine = [imported for imported in imports if imported.node is node]
        lines = _others(file, node, mine) + _compat(mine, needs.compat)
        if node not in top and native:  # the names are needed where they were imported
            lines.append(native)
        elif node in top:
            lines = first_lines + lines
            first_lines = []
        kept = file.comments(file.code(node))
        if not lines:
            file.remove(node)
        elif file.is_alone(node):
            file.replace(node, "  ".join([lines[0], *kept]))
            file.add_after(node, *lines[1:])
        else:
            file.replace(node, "; ".join(lines))
    if statements and not top and native:
        first_lines.remove(native)
    if first_lines:
        _add(file, first_lines)


def _native(names: Mapping[str, str]) -> str:
    listed = [name if name == local else f"{name} as {local}" for name, local in names.items()]
    return f"from flask_corsguard import {', '.join(sorted(listed))}" if listed else ""


def _compat(imports: Sequence[Imported], compat: set[str]) -> list[str]:
    lines: list[str] = []
    names: list[str] = []
    for imported in imports if compat else ():
        if not compat.intersection((imported.name, "*")) and imported.name not in ("", "*"):
            continue
        if imported.name:
            is_same = imported.local == imported.name
            names.append(imported.name if is_same else f"{imported.name} as {imported.local}")
        else:
            lines.append(f"from flask_corsguard import compat as {imported.local}")
    if names:
        lines.append(f"from flask_corsguard.compat import {', '.join(names)}")
    return lines


def _others(
    file: PythonFile, node: ast.Import | ast.ImportFrom, mine: Sequence[Imported]
) -> list[str]:
    """What else a statement imports."""
    aliases = [imported.alias for imported in mine]
    kept = [file.code(alias) for alias in node.names if alias not in aliases]
    head = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
    return [f"{head}import {', '.join(kept)}"] if kept else []


def _add(file: PythonFile, lines: list[str]) -> None:
    """Add lines after the imports at the top, because later imports may follow the first use."""
    last: ast.stmt | None = None
    for statement in file.tree.body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or (is_text and last is None):
            last = statement
        elif last is not None:
            break
    if last is not None:
        file.add_after(last, *lines)
    else:
        file.add_before(file.tree.body[0], *lines)
