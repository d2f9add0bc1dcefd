"""Changing the text of a file, and nothing but the places that are meant."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from flask_corsguard.migrate.findings import File
from flask_corsguard.migrate.names import Names, is_flask_cors
from flask_corsguard.migrate.sources import Module

PACKAGE = "flask_corsguard"


class Draft:
    """The changes to one file.

    :ivar keeps_flask_cors: whether a place in it is left alone, and needs what it imports.
    """

    def __init__(self, module: Module, names: Names) -> None:
        self.module = module
        self.keeps_flask_cors = False
        self._names = names
        self._edits: dict[tuple[int, int], str] = {}
        # At one place, what comes after a statement stands above what comes before the next.
        self._after: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._imported: dict[str, str] = {}
        self._needs_re = False
        self._drops = False

    def name(self, name: str) -> str:
        """What a name of the guard is called in this file; it is imported."""
        if name not in self._imported:
            taken = self._names.is_taken(self.module, name)
            self._imported[name] = f"corsguard_{name}".lower() if taken else name
        return self._imported[name]

    def need_re(self) -> str:
        """See that the module ``re`` is there."""
        self._needs_re = True
        return "re"

    def replace(self, node: cst.CSTNode, text: str) -> None:
        """Put *text* in the place of *node*."""
        self._edits[self.module.span(node)] = text

    def insert_after(self, statement: cst.CSTNode, text: str) -> None:
        """Add a line after a statement, as far indented as it."""
        _, end = self._line(statement)
        self._after[end] = (
            self._after.get(end, "") + f"{self._indent(statement)}{text}{self._newline}"
        )

    def insert_before(self, node: cst.CSTNode, text: str) -> None:
        """Add a line before a statement or a decorator, as far indented as it."""
        start, _ = self._line(node)
        line = f"{self._indent(node)}{text}{self._newline}"
        self._before[start] = self._before.get(start, "") + line

    def remove(self, statement: cst.CSTNode) -> None:
        """Take a statement out."""
        body = self.module.parent(statement)
        rest = getattr(body, "body", ())
        if isinstance(body, cst.IndentedBlock) and len(rest) == 1:
            self.replace(statement, "pass")
        else:
            self._edits[self._line(statement)] = ""

    def remove_argument(self, node: cst.Arg | cst.DictElement) -> None:
        """Take an argument, or an entry of a dictionary, out of what it stands in."""
        above = self.module.parent(node)
        siblings = _entries(above)
        place = siblings.index(node)
        start, end = self.module.span(node)
        if place + 1 < len(siblings):
            end = self.module.span(siblings[place + 1])[0]
        elif place:
            start = self.module.span(siblings[place - 1])[1]
        self._edits[start, end] = ""

    @property
    def _newline(self) -> str:
        return self.module.tree.default_newline

    def _line(self, node: cst.CSTNode) -> tuple[int, int]:
        """All of the lines that *node* stands in."""
        start, end = self.module.span(node)
        data = self.module.data
        start = data.rfind(b"\n", 0, start) + 1
        newline = data.find(b"\n", end)
        return start, len(data) if newline < 0 else newline + 1

    def _indent(self, node: cst.CSTNode) -> str:
        start, _ = self._line(node)
        line = self.module.data[start:].decode()
        return line[: len(line) - len(line.lstrip(" \t"))]

    def remove_line(self, node: cst.CSTNode) -> None:
        """Take the lines out that *node* stands in."""
        self._edits[self._line(node)] = ""

    def wrapped(self, node: cst.Call, code: str, width: int) -> str:
        """A call in the place of *node*, an argument a line where one line is too short, or where
        there are comments to keep."""
        comments = self._comments(node, code)
        start, _ = self.module.span(node)
        column = len(self.module.data[self.module.data.rfind(b"\n", 0, start) + 1 : start])
        if column + len(code) <= width and "\n" not in code and not comments:
            return code
        call = cst.parse_expression(code)
        if not isinstance(call, cst.Call):
            return code
        rest = self.module.tree
        indent = self._indent(node)
        # cors(...)(blueprint): the arguments are those of the inner call
        inner = call.func if isinstance(call.func, cst.Call) else call
        step = "\t" if indent.startswith("\t") else "    "
        lines = [f"{indent}{step}{comment}" for comment in comments]
        lines += [
            f"{indent}{step}{rest.code_for_node(a.with_changes(comma=cst.MaybeSentinel.DEFAULT))},"
            for a in inner.args
        ]
        head = rest.code_for_node(inner.func)
        tail = rest.code_for_node(call)[len(rest.code_for_node(call.func)) :]
        tail = tail if inner is not call else ""
        return self._newline.join([f"{head}(", *lines, f"{indent}){tail}"])

    def block(self, node: cst.Call, entries: Sequence[str]) -> str:
        """A dictionary as an argument of a call in the place of *node*, an entry a line."""
        indent = self._indent(node)
        step = "\t" if indent.startswith("\t") else "    "
        lines = [f"{indent}{step * 2}{entry}," for entry in entries]
        return self._newline.join(["{", *lines, f"{indent}{step}}}"])

    def _comments(self, node: cst.Call, code: str) -> list[str]:
        """The comments in a call that would be lost."""
        inside = (n for n in self.module.nodes if isinstance(n, cst.Comment))
        found = [n.value for n in inside if node in self.module.parents(n)]
        return [comment for comment in found if comment not in code]

    def take(self, other: Draft) -> None:
        """Take over the changes of another draft of the same file."""
        self._edits |= other._edits
        for own, theirs in ((self._after, other._after), (self._before, other._before)):
            for at, text in theirs.items():
                own[at] = own.get(at, "") + text
        self._imported |= other._imported
        self._needs_re |= other._needs_re
        self.keeps_flask_cors |= other.keeps_flask_cors

    def drop_unused(self) -> None:
        """See that an import is taken out, though nothing else may change."""
        if self._old_imports() and not self.keeps_flask_cors:
            self._drops = True

    def is_changed(self) -> bool:
        """Whether there is anything to change."""
        return bool(self._edits or self._after or self._before) or self._drops

    def finish(self) -> File:
        """The file with its changes."""
        self._change_imports()
        data = self.module.data
        inserted = {
            (at, at): self._after.get(at, "") + self._before.get(at, "")
            for at in self._after.keys() | self._before.keys()
        }
        for (start, end), text in sorted((self._edits | inserted).items(), reverse=True):
            is_at_end = start == end and start > 0 and data[start - 1 : start] != b"\n"
            lead = self._newline if is_at_end else ""
            data = data[:start] + (lead + text).encode() + data[end:]
        encoding = self.module.encoding
        after = data.decode().encode(encoding)
        return File(self.module.path, self.module.original, after, encoding)

    def _change_imports(self) -> None:
        lines = every = self._import_lines()
        old = [] if self.keeps_flask_cors else self._old_imports()
        for statement, part in old:
            at_top = self.module.parent(statement) is self.module.tree
            if any(isinstance(above, cst.Try) for above in self.module.parents(statement)):
                # It may be missing there, and the app goes on without it.
                here = f"{self._newline}{self._indent(statement)}".join(every)
                self.replace(part, here or "pass")
                lines = []
            elif len(statement.body) > 1:
                self.replace(part, "; ".join(lines) or "pass")
                lines = []
            elif lines and at_top:
                self.replace(part, self._newline.join(lines))
                lines = []
            else:
                self.remove(statement)
        if lines:
            self._insert_imports(lines)

    def _import_lines(self) -> list[str]:
        lines: list[str] = []
        if self._needs_re and not any(
            isinstance(node, cst.Import)
            and any(self.module.code(a.name) == "re" for a in node.names)
            for node in self.module.nodes
        ):
            lines.append("import re")
        if self._imported:
            names = [
                name if name == local else f"{name} as {local}"
                for name, local in sorted(self._imported.items())
            ]
            lines.append(f"from {PACKAGE} import {', '.join(names)}")
        return lines

    def _old_imports(self) -> list[tuple[cst.SimpleStatementLine, cst.Import | cst.ImportFrom]]:
        return [
            (statement, part)
            for statement in self.module.nodes
            if isinstance(statement, cst.SimpleStatementLine)
            for part in statement.body
            if isinstance(part, (cst.Import, cst.ImportFrom)) and self._is_old(part)
        ]

    def _is_old(self, node: cst.Import | cst.ImportFrom) -> bool:
        if isinstance(node, cst.Import):
            return all(is_flask_cors(self.module.code(alias.name)) for alias in node.names)
        return (
            node.module is not None
            and not node.relative
            and is_flask_cors(self.module.code(node.module))
        )

    def _insert_imports(self, lines: list[str]) -> None:
        """After the imports at the top: further ones may come after the first use."""
        last: cst.CSTNode | None = None
        for statement in self.module.tree.body:
            if isinstance(statement, cst.SimpleStatementLine):
                if any(isinstance(part, (cst.Import, cst.ImportFrom)) for part in statement.body):
                    last = statement
                elif last is not None:
                    break
        if last is not None:
            for line in lines:
                self.insert_after(last, line)
        else:
            body = self.module.tree.body
            has_docstring = self.module.tree.get_docstring() is not None
            for line in lines:
                if has_docstring:
                    self.insert_after(body[0], line)
                else:
                    self.insert_before(body[0], line)


def _entries(node: cst.CSTNode | None) -> list[cst.CSTNode]:
    if isinstance(node, cst.Call):
        return list(node.args)
    return list(node.elements) if isinstance(node, cst.Dict) else []


def imports_flask_cors(module: Module) -> bool:
    """Whether a file imports Flask-CORS."""
    return any(
        (
            isinstance(node, cst.ImportFrom)
            and node.module is not None
            and is_flask_cors(module.code(node.module))
        )
        or (
            isinstance(node, cst.Import)
            and any(is_flask_cors(module.code(alias.name)) for alias in node.names)
        )
        for node in module.nodes
    )
