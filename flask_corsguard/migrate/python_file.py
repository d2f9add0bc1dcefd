"""One Python file: its syntax, what its names stand for, and the changes to its text."""

from __future__ import annotations

import ast
import contextlib
import datetime
import functools
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from flask_corsguard.migrate.files import Source
from flask_corsguard.migrate.findings import File

_LINE_END = re.compile(rb"\r\n|\r|\n")
_WIDTH = 88
_DEEPEST = 4  # names that stand for names, and imports of imports
_MUTATORS = frozenset(
    {"append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update"}
)


#: What a decorator may stand above, classes aside.
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Expression:
    """A value that is known only when the code runs.

    :ivar code: the text of the expression.
    """

    def __init__(self, code: str) -> None:
        self.code = code


class PythonFile:
    """A file of which only spans of text are changed: all else stays as it is.

    :ivar path: the file.
    :ivar tree: its syntax.
    :ivar nodes: every node of it, outer ones first.
    """

    def __init__(self, source: Source, base: Path) -> None:
        """:param base: the path of the code base.
        :raises SyntaxError, ValueError, RecursionError, MemoryError: if it cannot be parsed."""
        self.path = source.path
        self._base = base
        self.source = source
        self.tree = ast.parse(source.text)
        self.nodes: list[ast.AST] = [self.tree]
        self._parents: dict[ast.AST, ast.AST] = {}
        for node in self.nodes:
            children = list(ast.iter_child_nodes(node))
            self._parents.update(dict.fromkeys(children, node))
            self.nodes += children
        self._data = source.text.encode()
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(self._data))]
        first = _LINE_END.search(self._data)
        self.newline = first[0].decode() if first else "\n"
        self._edits: dict[tuple[int, int], str] = {}
        self._added: dict[int, list[str]] = {}
        self._removed: set[ast.stmt] = set()

    @property
    def is_test(self) -> bool:
        """Whether it holds tests, rather than an app."""
        name = self.path.name
        return (
            name.startswith(("test_", "conftest"))
            or name.endswith("_test.py")
            or not {"test", "tests"}.isdisjoint(self.path.parts[len(self._base.parts) : -1])
        )

    # What is there.

    def mentions(self, *words: str) -> bool:
        """Whether any of these words is in the text, even in a comment."""
        return any(word in self.source.text for word in words)

    def code(self, node: ast.AST) -> str:
        """The text of *node*."""
        start, end = self.span(node)
        return self._data[start:end].decode()

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where *node* is in the text, as UTF-8."""
        place = cast("ast.expr", node)
        start = self._starts[place.lineno - 1] + place.col_offset
        return start, self._starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What *node* is a part of."""
        return self._parents.get(node)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """What *node* is a part of, the innermost first."""
        above = self._parents.get(node)
        while above is not None:
            yield above
            above = self._parents.get(above)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that *node* belongs to."""
        return next(n for n in (node, *self.parents(node)) if isinstance(n, ast.stmt))

    def function(self, node: ast.AST) -> ast.AST:
        """The function that *node* runs in, or the module."""
        return next((n for n in self.parents(node) if isinstance(n, FUNCTIONS)), self.tree)

    def targets(self, node: ast.AST) -> list[ast.expr]:
        """What the value of *node* is assigned to."""
        match self.parent(node):
            case ast.Assign(targets=targets, value=value) if value is node:
                return targets
            case ast.AnnAssign(target=target, value=value) if value is node:
                return [target]
            case _:
                return []

    def assigned(self, node: ast.AST) -> str:
        """The one name for the value of *node*, or ""."""
        targets = self.targets(node)
        return self.code(targets[0]) if len(targets) == 1 else ""

    def uses(self, name: str) -> bool:
        """Whether a name is used here, but not given a value."""
        return not self.bound[name] and any(
            isinstance(node, ast.Name) and node.id == name for node in self.nodes
        )

    def is_imported(self, name: str, packages: Iterable[str]) -> bool:
        """Whether a name is imported from one of these packages."""
        return any(
            isinstance(node, ast.ImportFrom)
            and (node.module or "").partition(".")[0] in packages
            and any((alias.asname or alias.name) == name for alias in node.names)
            for node in self.nodes
        )

    def is_called(self, node: ast.expr) -> bool:
        """Whether an expression is the function of a call."""
        above = self.parent(node)
        return isinstance(above, ast.Call) and above.func is node

    def is_annotation(self, node: ast.expr) -> bool:
        """Whether an expression is an annotation."""
        above = self.parent(node)
        return node in (getattr(above, "annotation", None), getattr(above, "returns", None))

    def maker(self, target: ast.expr | None, node: ast.AST) -> ast.AST | None:
        """The call that makes what *target* stands for, in the function where *node* is."""
        functions = (self.function(node), self.tree)
        return next(
            (
                each
                for each in self.nodes
                if target is not None
                and isinstance(each, ast.Call)
                and self.assigned(each) == self.code(target)
                and self.function(each) in functions
            ),
            None,
        )

    def exclude(self, one: ast.AST, other: ast.AST) -> bool:
        """Whether only one of two expressions runs, because they are in branches of one ``if``."""
        around = [self.block(n) for n in (one, *self.parents(one)) if isinstance(n, ast.stmt)]
        for node in (other, *self.parents(other)):
            above = self.parent(node)
            if isinstance(node, ast.stmt) and isinstance(above, ast.If):
                mine = self.block(node)
                rest = [block for block in (above.body, above.orelse) if block is not mine]
                if any(block is each for block in rest for each in around):
                    return True
        return False

    def kind(self, node: ast.expr, roots: list[Path], depth: int = 0) -> str:
        """``"app"`` or ``"blueprint"``, whichever an expression is; "" if that cannot be told."""
        name = self.code(node) if depth == 0 else cast("ast.Name", node).id
        guess = _kind(name)
        for found in self.nodes if isinstance(node, ast.Name) else ():
            match found:
                case ast.Call(func=func) if self.assigned(found) == name:
                    return _kind(self.code(func)) or _kind(name)
                case ast.ImportFrom(names=names) if depth < _DEEPEST:
                    for alias in names:
                        other = (
                            self._imported(found, roots)
                            if name == (alias.asname or alias.name)
                            else None
                        )
                        if other is not None and other.bound[alias.name]:
                            return other.kind(ast.Name(alias.name), roots, depth + 1)
                case ast.For(target=target) if name in map(last_name, ast.walk(target)):
                    return ""
                case _:
                    pass
        return guess

    def _imported(self, node: ast.ImportFrom, roots: list[Path]) -> PythonFile | None:
        """The module that something is imported from, if it can be read."""
        level = node.level
        starts = [self.path.parent.joinpath(*[".."] * (level - 1))] if level else roots
        for start in starts:
            path = start.joinpath(*(node.module or "").split("."))
            for file in (path.with_suffix(".py"), path / "__init__.py"):
                with contextlib.suppress(OSError, ValueError, SyntaxError, RecursionError):
                    text = file.read_text("utf-8")
                    return PythonFile(Source(file, b"", text, "utf-8"), self._base)
        return None

    @functools.cached_property
    def bound(self) -> Counter[str]:
        """How often each name gets a value."""
        names: Counter[str] = Counter()
        for node in self.nodes:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names[node.id] += 1
            elif isinstance(node, ast.arg):
                names[node.arg] += 1
            elif isinstance(node, ast.alias):
                names[(node.asname or node.name).partition(".")[0]] += 1
            elif isinstance(name := getattr(node, "name", None), str):  # def, class, except, case
                names[name] += 1
        return names

    @functools.cached_property
    def _values(self) -> dict[str, ast.expr]:
        """The value of each name that is given one only once."""
        found: dict[str, ast.expr] = {}
        changed: set[str] = set()
        for node in self.nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found[name] = value
                case ast.Attribute(value=of, attr=attr) if attr in _MUTATORS:
                    changed.add(_first_name(of))
                case ast.Subscript(value=of, ctx=ast.Store() | ast.Del()):
                    changed.add(_first_name(of))
                case ast.AugAssign(target=of):
                    changed.add(_first_name(of))
                case ast.Global(names=names) | ast.Nonlocal(names=names):
                    changed.update(names)
                case _:
                    pass
        loads = Counter(
            node.id
            for node in self.nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        )
        return {
            name: value
            for name, value in found.items()
            if self.bound[name] == 1
            and name not in changed
            and not self.bound["*"]  # another module may give the name a value
            # a value with two names can be changed through the other one
            and (loads[name] == 1 or isinstance(value, ast.Constant))
        }

    def value_of(self, name: str) -> ast.expr | None:
        """What *name* stands for, if that is plain."""
        return self._values.get(name)

    def read(self, node: ast.expr, depth: int = 0) -> Any:
        """The value of an expression, with an :class:`Expression` for what only running it shows.

        The values of a dictionary stay unread, as nodes.
        """
        match node:
            case ast.Constant(value=constant):
                return constant
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return [self.read(element, depth) for element in elements]
            case ast.Dict(keys=keys, values=values):
                read = [self.read(key, depth) if key else Expression("") for key in keys]
                if not any(isinstance(key, (Expression, list, dict)) for key in read):
                    return dict(zip(read, values, strict=True))
            case ast.Name(id=name) if depth < _DEEPEST and (value := self.value_of(name)):
                return self.read(value, depth + 1)
            case ast.BinOp(left=left, right=right):
                return self._joined(node, self.read(left, depth), self.read(right, depth))
            case ast.Call():
                return self._called(node)
            case _:
                pass
        return Expression(self.code(node))

    def _joined(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        if isinstance(node.op, ast.Add) and type(left) is type(right) and type(left) in (list, str):
            return left + right
        if isinstance(node.op, ast.Mult) and type(left) is type(right) is int:
            return left * right
        return Expression(self.code(node))

    def _called(self, node: ast.Call) -> Any:
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        values: dict[Any, Any] = {name: self.read(value) for name, value in given.items()}
        name = last_name(node.func)
        if name == "compile" and not given and len(node.args) == 1:
            with contextlib.suppress(re.error, RecursionError, OverflowError, TypeError):
                return re.compile(self.read(node.args[0]))
        elif name == "timedelta" and not node.args:
            with contextlib.suppress(TypeError, OverflowError):
                return datetime.timedelta(**values)
        elif name == "dict" and not node.args and None not in given:
            return given
        return Expression(self.code(node))

    def read_options(self, value: object) -> dict[str, ast.expr] | None:
        """The options that a value holds, unread, or None."""
        read = self.read(value) if isinstance(value, ast.expr) else value
        known = cast("dict[Any, ast.expr]", read) if isinstance(read, dict) else None
        return known if known is None or all(isinstance(key, str) for key in known) else None

    # What changes.

    def replace(self, node: ast.AST, text: str) -> None:
        """Replace *node* with *text*."""
        self._edits[self.span(node)] = text

    def replace_span(self, start: int, end: int, text: str) -> None:
        """Replace what is between *start* and *end* with *text*."""
        self._edits[start, end] = text

    def add_before(self, statement: ast.stmt, *lines: str) -> None:
        """Add lines before a statement and its decorators, indented like it."""
        start, _ = self._lines(statement)
        self._added.setdefault(start, []).extend(self._indented(statement, lines))

    def add_after(self, statement: ast.stmt, *lines: str) -> None:
        """Add lines after a statement, indented like it."""
        _, end = self._lines(statement)
        new = self._indented(statement, lines)
        if not self._data[:end].endswith((b"\n", b"\r")):  # the end of a file without one
            new = [self.newline + "".join(new).removesuffix(self.newline)]
        self._added.setdefault(end, []).extend(new)

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block of statements that *statement* is in."""
        above = self.parent(statement)
        for field in ("body", "orelse", "finalbody"):
            body = getattr(above, field, None)
            if isinstance(body, list) and statement in body:
                return cast("list[ast.stmt]", body)
        return [statement]

    def is_alone(self, statement: ast.stmt, node: ast.AST | None = None) -> bool:
        """Whether no other statement is on its lines, and it consists of *node* alone."""
        if node is not None and self.parent(node) is not statement:
            return False
        (start, end), (first, last) = self.span(statement), self._lines(statement)
        rest = self._data[end:last].strip()
        return not self._data[first:start].strip() and (not rest or rest.startswith(b"#"))

    def remove(self, statement: ast.stmt) -> None:
        """Remove a statement."""
        self._removed.add(statement)
        is_last = self.parent(statement) is not self.tree and self._removed.issuperset(
            self.block(statement)
        )
        if self.is_alone(statement) and not is_last:
            self.remove_lines(statement)
        else:
            self.replace(statement, "pass")

    def is_plain_decorator(self, node: ast.expr) -> bool:
        """Whether a decorator is on lines of its own, without parentheses around it."""
        start, _ = self._lines(node)
        return not self._data[start : self.span(node)[0]].replace(b"@", b"", 1).strip()

    def remove_lines(self, node: ast.stmt | ast.expr) -> None:
        """Remove the lines of a node, except for their comments."""
        start, end = self._lines(node)
        kept = self.comments(self._data[start:end].decode())
        self._edits[start, end] = "".join(
            f"{self.indent(node)}{comment}{self.newline}" for comment in kept
        )

    def remove_part(self, node: ast.AST, siblings: list[Any]) -> None:
        """Remove an argument, or an entry of a dictionary, from among its siblings.

        :param siblings: (first node, last node) of each, in order; *node* is a first one.
        """
        place = next(i for i, (first, _) in enumerate(siblings) if first is node)
        start, end = self.span(siblings[place][0])[0], self.span(siblings[place][1])[1]
        if place + 1 < len(siblings):
            end = self.span(siblings[place + 1][0])[0]
        elif place:
            start = self.span(siblings[place - 1][1])[1]
        kept = self.comments(self._data[start:end].decode())
        indent = self.indent(node)
        self._edits[start, end] = "".join(f"{each}{self.newline}{indent}" for each in kept)

    def remove_keywords(self, node: ast.Call, known: Iterable[str]) -> None:
        """Remove the arguments whose names are not known."""
        kept = [*node.args, *(each for each in node.keywords if each.arg in (None, "app", *known))]
        gone = [each for each in node.keywords if each not in kept]
        if gone:
            name = self.code(node.func)
            self.replace(node, self.call(node, name, [self.code(each) for each in kept]))

    def call(self, node: ast.Call, name: str, arguments: list[str], after: str = "") -> str:
        """A call to replace *node* with: one argument per line if one line is too short for all, or
        if there are comments to keep."""
        start, end = self.span(node)
        kept = "\n".join(arguments)
        comments = [
            each for each in self.comments(self._data[start:end].decode()) if each not in kept
        ]
        column = start - self._starts[node.lineno - 1]
        line = f"{name}({', '.join(arguments)}){after}"
        if not comments and ("\n" in line or column + len(line) <= _WIDTH):
            return line
        indent = self.indent(node)
        step = "\t" if indent.startswith("\t") else "    "
        lines = [f"{indent}{step}{comment}" for comment in comments]
        lines += [f"{indent}{step}{argument}," for argument in arguments]
        return self.newline.join([f"{name}(", *lines, f"{indent}){after}"])

    @staticmethod
    def comments(text: str) -> list[str]:
        """The comments in a piece of code."""
        found: list[str] = []
        with contextlib.suppress(tokenize.TokenError, SyntaxError):
            for token in tokenize.generate_tokens(io.StringIO(text.lstrip()).readline):
                found += [token.string] if token.type == tokenize.COMMENT else []
        return found

    def _lines(self, node: Any) -> tuple[int, int]:
        """The whole lines that *node* is on."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        last: int = node.end_lineno
        end = self._starts[last] if last < len(self._starts) else len(self._data)
        return self._starts[first - 1], end

    def indent(self, node: Any) -> str:
        """The indentation of the statement that *node* belongs to."""
        start, _ = self._lines(self.statement(node))
        line = self._data[start:].decode()
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _indented(self, statement: ast.stmt, lines: tuple[str, ...]) -> list[str]:
        indent = self.indent(statement)
        return [f"{indent}{line}{self.newline}" for line in lines]

    @property
    def is_changed(self) -> bool:
        """Whether anything is to change."""
        return bool(self._edits or self._added)

    def finish(self) -> File:
        """The changed file.

        :raises SyntaxError, ValueError: if that would no longer be Python.
        """
        data = self._data
        changes = [(*span, text) for span, text in self._edits.items()]
        changes += [(place, place, "".join(lines)) for place, lines in self._added.items()]
        for start, end, text in sorted(changes, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        text = data.decode()
        ast.parse(text)
        return File(
            self.path, self.source.data, text.encode(self.source.encoding), self.source.encoding
        )


def last_name(node: ast.AST) -> str:
    """The last part of a dotted name, or ""."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _first_name(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _kind(name: str) -> str:
    last = name.rpartition(".")[2].lower()
    if "blueprint" in last or last == "bp" or last.endswith("_bp"):
        return "blueprint"
    words = ("app", "flask", "server")
    return "app" if any(word in last for word in words) and last != "current_app" else ""
