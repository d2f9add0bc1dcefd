"""The values of expressions, as far as they can be told without running the code."""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

import libcst as cst

from flask_corsguard.migrate.names import MUTATORS, Bound, Names
from flask_corsguard.migrate.sources import Module

_DEEPEST = 6
_FLAGS = {f"re.{flag.name}": flag for flag in re.RegexFlag} | {
    "re.I": re.IGNORECASE, "re.X": re.VERBOSE, "re.S": re.DOTALL, "re.M": re.MULTILINE,
    "re.A": re.ASCII,
}  # fmt: skip


class Unread:
    """The value of an expression that only shows when the code runs."""


UNREAD: Final = Unread()


class Value(NamedTuple):
    """An expression.

    :ivar code: its text, or the text that is to stand in its place.
    :ivar value: what it comes to, or :data:`UNREAD`.
    :ivar texts: the strings in it that look like origins, where it cannot be read.
    :ivar is_function: whether it is, or may be, a function rather than data, or put together of
        parts.
    :ivar line: where it stands.
    :ivar spelled_out: its text and, where that is a name, what the name stands for.
    """

    code: str
    value: Any
    texts: tuple[str, ...] = ()
    is_function: bool = False
    line: int = 0
    spelled_out: str = ""


class Reader:
    """Reads expressions."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._followed: dict[tuple[str, str], int] = {}

    def value(self, module: Module, node: cst.BaseExpression) -> Value:
        """Read one expression."""
        value = self.evaluate(module, node)
        unread = value is UNREAD
        self._followed = {}
        texts = tuple(dict.fromkeys(self._origin_texts(module, node, 0))) if unread else ()
        code = module.code(node)
        spelled_out = self._spelled_out(module, node) if unread else code
        is_function = unread and self._is_function(module, node, spelled_out)
        return Value(code, value, texts, is_function, module.line(node), spelled_out)

    def evaluate(self, module: Module, node: cst.CSTNode, depth: int = 0) -> Any:
        """What an expression comes to, or :data:`UNREAD`."""
        if depth > _DEEPEST:
            return UNREAD
        if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
            text = node.evaluated_value
            return text if isinstance(text, str) else UNREAD
        if isinstance(node, cst.FormattedString):
            return self._formatted(module, node, depth)
        if isinstance(node, (cst.Integer, cst.Float)):
            return node.evaluated_value
        if isinstance(node, (cst.List, cst.Tuple, cst.Set, cst.Dict)):
            return self._collection(module, node, depth)
        if isinstance(node, (cst.Name, cst.Attribute)):
            return self._named(module, node, depth)
        if isinstance(node, cst.Call):
            return self._call(module, node, depth)
        if isinstance(node, (cst.BinaryOperation, cst.UnaryOperation)):
            return self._operation(module, node, depth)
        return UNREAD

    def _formatted(self, module: Module, node: cst.FormattedString, depth: int) -> Any:
        parts: list[str] = []
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                parts.append(part.value)
                continue
            if not isinstance(part, cst.FormattedStringExpression) or part.format_spec:
                return UNREAD
            value = self.evaluate(module, part.expression, depth + 1)
            if part.conversion or not isinstance(value, str):
                return UNREAD
            parts.append(value)
        text = "".join(parts)
        return UNREAD if "\\" in text or "{" in text else text

    def _operation(
        self, module: Module, node: cst.BinaryOperation | cst.UnaryOperation, depth: int
    ) -> Any:
        try:
            if isinstance(node, cst.UnaryOperation):
                value = self.evaluate(module, node.expression, depth + 1)
                return -value if isinstance(node.operator, cst.Minus) else UNREAD
            left = self.evaluate(module, node.left, depth + 1)
            right = self.evaluate(module, node.right, depth + 1)
            if isinstance(node.operator, cst.Add):
                return left + right
            if isinstance(node.operator, cst.BitOr) and isinstance(left, re.RegexFlag):
                return left | right
            is_product = isinstance(node.operator, cst.Multiply)
            return left * right if is_product and isinstance(left, int) else UNREAD
        except TypeError:
            return UNREAD

    def _collection(
        self, module: Module, node: cst.List | cst.Tuple | cst.Set | cst.Dict, depth: int
    ) -> Any:
        if isinstance(node, cst.Dict):
            pairs: dict[Any, Any] = {}
            for entry in node.elements:
                if not isinstance(entry, cst.DictElement):
                    return UNREAD
                key = self.evaluate(module, entry.key, depth + 1)
                pairs[key] = self.evaluate(module, entry.value, depth + 1)
            return UNREAD if UNREAD in pairs or UNREAD in pairs.values() else pairs
        values: list[Any] = []
        for element in node.elements:
            if not isinstance(element, cst.Element):
                return UNREAD
            values.append(self.evaluate(module, element.value, depth + 1))
        if any(value is UNREAD for value in values):
            return UNREAD
        return tuple(values) if isinstance(node, cst.Tuple) else values

    def _named(self, module: Module, node: cst.Name | cst.Attribute, depth: int) -> Any:
        if isinstance(node, cst.Name) and node.value in ("True", "False", "None"):
            return {"True": True, "False": False, "None": None}[node.value]
        bound = self._names.resolve(module, node)
        if bound is None:
            return UNREAD
        if bound.node is None:
            return _FLAGS.get(bound.external, UNREAD)
        if not isinstance(bound.node, cst.BaseExpression) or bound.node is node:
            return UNREAD
        name = node.value if isinstance(node, cst.Name) else node.attr.value
        if self._names.is_changed(name):
            return UNREAD
        return self.evaluate(bound.module, bound.node, depth + 1)

    def _call(self, module: Module, node: cst.Call, depth: int) -> Any:
        given = [self.evaluate(module, argument.value, depth + 1) for argument in node.args]
        if any(value is UNREAD for value in given):
            return UNREAD
        called = self._names.external(module, node.func)
        keywords = [argument.keyword.value if argument.keyword else "" for argument in node.args]
        try:
            if called == "re.compile" and keywords in ([""], ["", ""], ["", "flags"]):
                return re.compile(*given)
            if called == "datetime.timedelta" and all(keywords):
                return datetime.timedelta(**dict(zip(keywords, given, strict=True)))
        except (re.error, TypeError, OverflowError, RecursionError):
            return UNREAD
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "split":
            text = self.evaluate(module, node.func.value, depth + 1)
            if isinstance(text, str) and len(given) <= 1 and not any(keywords):
                return text.split(*given) if all(given) else UNREAD
        return UNREAD

    def _origin_texts(self, module: Module, node: cst.CSTNode, depth: int) -> Iterator[str]:
        """The strings that an expression can come to: those that are an origin, or a star."""
        if depth > _DEEPEST:
            return
        if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
            text = node.evaluated_value
            if isinstance(text, str):
                # A list may be written as JSON.
                parts = (part.strip(" \"'[]") for part in text.split(","))
                yield from (part for part in parts if part in ("*", "null") or "://" in part)
        elif isinstance(node, (cst.Name, cst.Attribute)):
            bound = self._names.resolve(module, node)
            if bound is not None and isinstance(bound.node, cst.BaseExpression):
                yield from self._origin_texts(bound.module, bound.node, depth + 1)
            elif bound is None and isinstance(node, cst.Attribute):
                yield from self._origin_texts(module, node.value, depth + 1)
            if bound is None or bound.node is not node:
                yield from self._added_texts(bound, node, depth)
        else:
            for child in node.children:
                yield from self._origin_texts(module, child, depth + 1)

    def _added_texts(self, bound: Bound | None, node: cst.CSTNode, depth: int) -> Iterator[str]:
        """What else a name is given: by further assignments, by changes of a list, by callers."""
        name = _last_name(node)
        function = ""
        if bound is not None and isinstance(bound.node, cst.Param):
            above = self._names.scope(bound.module, bound.node)
            function = above.name.value if isinstance(above, cst.FunctionDef) else ""
        # Once is enough, and more would not end where names are given to each other; unless less
        # of the depth is used up.
        if self._followed.get((name, function), _DEEPEST + 1) <= depth:
            return
        self._followed[name, function] = depth
        given = [(m, _given_to(m, use)) for m, use in self._names.uses(name)]
        given += [(m, _given_by_caller(m, use)) for m, use in self._names.uses(function)]
        for module, values in given:
            for value in values:
                yield from self._origin_texts(module, value, depth + 1)

    def _spelled_out(self, module: Module, node: cst.CSTNode, depth: int = 0) -> str:
        code = module.code(node)
        for inner in (node, *node.children) if depth < _DEEPEST else ():
            bound = self._names.resolve(module, inner)
            is_named = bound is not None and bound.node is not inner
            if bound is not None and is_named and isinstance(bound.node, cst.BaseExpression):
                code += f" {self._spelled_out(bound.module, bound.node, depth + 1)}"
        return code

    def _is_function(self, module: Module, node: cst.CSTNode, code: str) -> bool:
        bound = self._names.resolve(module, node)
        functions = (cst.Lambda, cst.FunctionDef, cst.ClassDef)
        if bound is not None and isinstance(bound.node, (*functions, cst.GeneratorExp, cst.Dict)):
            return True
        if isinstance(bound.node if bound else None, cst.List) and self._names.is_handed_on(
            _last_name(node)
        ):
            return True
        # Or whether it is put together, so that none of the parts says what comes of them.
        return re.search(r"\.format\(|\.join\(|\bf[\"']|[\"'] *%", code) is not None


def _outermost(module: Module, use: cst.Name) -> tuple[cst.CSTNode, cst.CSTNode | None]:
    """A name with what it is looked up in, and what that stands in."""
    above = module.parent(use)
    if isinstance(above, cst.Attribute) and above.attr is use:
        return above, module.parent(above)
    return use, above


def _given_to(module: Module, use: cst.Name) -> list[cst.CSTNode]:
    """What a statement gives to a name, or adds to what it stands for."""
    node, above = _outermost(module, use)
    if isinstance(above, cst.AssignTarget):
        above = module.parent(above)
        return [above.value] if isinstance(above, cst.Assign) else []
    if isinstance(above, (cst.AugAssign, cst.AnnAssign)):
        return [above.value] if above.value and above.target is node else []
    call = module.parent(above) if isinstance(above, cst.Attribute) else None
    is_change = isinstance(above, cst.Attribute) and above.attr.value in MUTATORS
    return [a.value for a in call.args] if is_change and isinstance(call, cst.Call) else []


def _given_by_caller(module: Module, use: cst.Name) -> list[cst.CSTNode]:
    node, above = _outermost(module, use)
    if isinstance(above, cst.Call) and above.func is node:
        return [argument.value for argument in above.args]
    return []


def _last_name(node: cst.CSTNode) -> str:
    named = node.attr if isinstance(node, cst.Attribute) else node
    return named.value if isinstance(named, cst.Name) else ""


def texts_of(value: object) -> list[Any]:
    """The entries of a list, or the one that stands for it."""
    if isinstance(value, (list, tuple)):
        return list(cast("list[Any]", value))
    return [value]


def quoted(text: str) -> str:
    """A string as Python source."""
    plain = text.isprintable() and '"' not in text and "\\" not in text
    return f'"{text}"' if plain else repr(text)


def is_literal(code: str) -> bool:
    """Whether an expression means the same wherever it stands."""
    try:
        ast.literal_eval(code)
    except (ValueError, SyntaxError):
        return False
    return True


def is_dictionary(code: str) -> bool:
    """Whether an expression is a dictionary, written out."""
    try:
        return isinstance(ast.parse(code.strip(), mode="eval").body, ast.Dict)
    except SyntaxError:
        return False
