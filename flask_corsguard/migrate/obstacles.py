"""What responds to preflights, or writes CORS headers, beside Flask-CORS.

Flask-CORS leaves preflights to Flask, and leaves a response alone that has
``Access-Control-Allow-Origin`` already. Where the app relies on either, the guard is told to do the
same, so that no page gets to do what it could not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from flask_corsguard.migrate.python_file import PythonFile

_BEFORE = frozenset({"before_request", "before_app_request"})
_ALLOW_ORIGIN = "access-control-allow-origin"
_NO_PREFLIGHT = {"answer_preflight": "False"}


def fields_for(files: Iterable[PythonFile], everyone: bool) -> tuple[dict[str, str], list[str]]:
    """The fields that a guard needs because of the code around it, and notes that say why.

    :param everyone: whether Flask-CORS lets everybody read everything, without credentials; then a
        star that is written by hand adds nothing.
    """
    fields: dict[str, str] = {}
    notes: list[str] = []
    for file in files:
        if file.is_test:
            continue
        for line, what in _preflights(file):
            if not fields:
                notes.append(
                    f"{file.path}:{line}: {what}, so the guard gets answer_preflight=False: leave"
                    " preflights to it by taking that out, if they need not pass there."
                )
            fields |= _NO_PREFLIGHT
        others = _other_headers(file)
        if others:
            notes.append(
                f"{file.path}:{others[0]}: CORS headers are written by hand here, which the guard"
                " replaces by its own: give the policy what they say, if it counts."
            )
        for line, is_star in _headers(file):
            if is_star and everyone:
                notes.append(
                    f"{file.path}:{line}: the guard writes this header; it may be taken out here."
                )
            else:
                if "dangerously_let_views_override" not in fields:
                    notes.append(
                        f"{file.path}:{line}: Access-Control-Allow-Origin is written by hand, and"
                        " Flask-CORS leaves such a response alone. The guard does the same with"
                        " dangerously_let_views_override=True: take both out if the policy says it"
                        " all."
                    )
                fields |= {**_NO_PREFLIGHT, "dangerously_let_views_override": "True"}
    return fields, notes


def _preflights(file: PythonFile) -> Iterator[tuple[int, str]]:
    """The functions that may refuse a preflight, and the views that respond to OPTIONS."""
    functions: Mapping[str, ast.AST] = {
        node.name: node
        for node in file.nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    for node in file.nodes:
        match node:
            case ast.FunctionDef(name=name, decorator_list=decorators) if any(
                isinstance(each, ast.Attribute) and each.attr in _BEFORE for each in decorators
            ):
                if _may_refuse(file, node):
                    yield node.lineno, f"{name} runs before preflights, and may refuse them"
            case ast.Call(func=ast.Attribute(attr=attr), args=[ast.Name(id=name)]) if (
                attr in _BEFORE
            ):
                function = functions.get(name)
                if function is None or _may_refuse(file, function):
                    yield node.lineno, f"{name} runs before preflights, and may refuse them"
            case ast.keyword(arg="methods", value=value):
                above = file.parent(node)
                named = file.code(above.func) if isinstance(above, ast.Call) else ""
                is_route = named.rpartition(".")[2] in ("route", "add_url_rule", "add_resource")
                read = file.read(value)
                if is_route and isinstance(read, list) and "OPTIONS" in read:
                    yield value.lineno, "a view of its own responds to OPTIONS"
            case (
                ast.keyword(arg="provide_automatic_options")
                | ast.Attribute(attr="provide_automatic_options", ctx=ast.Store())
                | ast.Constant(value="PROVIDE_AUTOMATIC_OPTIONS")
            ):
                yield node.lineno, "Flask's own response to OPTIONS may be off"
            case ast.FunctionDef(name="options") if isinstance(file.parent(node), ast.ClassDef):
                yield node.lineno, "a view of its own responds to OPTIONS"
            case _:
                pass


def _may_refuse(file: PythonFile, function: ast.AST) -> bool:
    if "OPTIONS" in file.code(function):  # it lets preflights pass
        return False
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.expr() as value):
                if not (isinstance(value, ast.Constant) and value.value is None):
                    return True
            case ast.Raise():
                return True
            case ast.Call(func=func) if file.code(func).rpartition(".")[2] == "abort":
                return True
            case _:
                pass
    return False


def _headers(file: PythonFile) -> Iterator[tuple[int, bool]]:
    """Where ``Access-Control-Allow-Origin`` is written, and whether it is a star."""
    for node in file.nodes:
        match node:
            case ast.Constant(value=str() as text) if text.lower() == _ALLOW_ORIGIN:
                value = _written(file, node)
                if value is not None:
                    yield node.lineno, isinstance(value, ast.Constant) and value.value == "*"
            case ast.Attribute(attr="access_control_allow_origin", ctx=ast.Store()):
                yield node.lineno, False
            case _:
                pass


def _other_headers(file: PythonFile) -> list[int]:
    return [
        node.lineno
        for node in file.nodes
        if isinstance(node, ast.Constant)
        and str(node.value).lower().startswith(("access-control-allow-", "access-control-expose-"))
        and str(node.value).lower() != _ALLOW_ORIGIN
        and _written(file, node) is not None
    ]


def _written(file: PythonFile, node: ast.Constant) -> ast.expr | None:
    """What is written there, or the name itself if that is not plain; None if it is looked at."""
    above = file.parent(node)
    match above:
        case ast.Subscript(ctx=ast.Store()):
            statement = file.parent(above)
            return statement.value if isinstance(statement, ast.Assign) else node
        case ast.Call(args=[first, value, *_], func=ast.Attribute(attr=attr)) if first is node:
            return None if attr == "get" else value
        case ast.Call(func=ast.Attribute(attr="get" | "getlist" | "get_all")):
            return None
        case ast.Dict(keys=keys, values=values) if node in keys:
            return values[keys.index(node)]
        case ast.Tuple(elts=[first, value]) if first is node:
            return value
        case ast.Subscript(ctx=ast.Load()) | ast.Compare() | ast.Expr() | ast.JoinedStr():
            return None
        case _:
            return node


def taken_away(files: Iterable[PythonFile]) -> Iterator[tuple[PythonFile, int]]:
    """Where ``Access-Control-Allow-Origin`` is removed again."""
    for file in files:
        for node in file.nodes:
            above = file.parent(node)
            if isinstance(node, ast.Constant) and str(node.value).lower() == _ALLOW_ORIGIN:
                is_removed = isinstance(above, ast.Call) and file.code(above.func).endswith(
                    (".pop", ".remove")
                )
                is_deleted = isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Del)
                if (is_removed or is_deleted) and not file.is_test:
                    yield file, node.lineno
