"""What responds to preflights, or writes CORS headers, beside Flask-CORS.

Flask-CORS leaves preflights to Flask, and does not touch a response that already has
``Access-Control-Allow-Origin``. If the app relies on either, the guard is told to do the same, so
that no page can do more than before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import cast

from flask_corsguard.migrate.python_file import FUNCTIONS, PythonFile, last_name
from flask_corsguard.migrate.translation import Report

_ALLOW_ORIGIN = "access-control-allow-origin"
# What runs before the response to a preflight, or makes it.
_BEFORE = frozenset({
    "before_request", "before_app_request", "before_request_funcs", "url_value_preprocessor",
    "app_url_value_preprocessor", "url_value_preprocessors", "preprocess_request",
    "full_dispatch_request", "make_default_options_response",
})  # fmt: skip
_AUTOMATIC = frozenset({"provide_automatic_options", "PROVIDE_AUTOMATIC_OPTIONS"})
_AFTER = frozenset({"after_request", "after_app_request"})


def fields_for(files: Iterable[PythonFile]) -> tuple[dict[str, str], list[Report]]:
    """The fields that a guard needs because of the code around it, and notes that say why."""
    fields: dict[str, str] = {}
    reports: list[Report] = []
    for file in files:
        for node, what in () if file.is_test else _preflights(file):
            if not fields:
                reports.append(Report(file, node.lineno))
                reports[-1].note(
                    f"{what}, so the guard gets answer_preflight=False. Remove that if the"
                    " guard should respond to preflights."
                )
            fields["answer_preflight"] = "False"
    for file in files:
        for node, name in () if file.is_test else _headers(file):
            report = Report(file, node.lineno)
            if not _is_written(file, node):
                continue
            if name == _ALLOW_ORIGIN and "dangerously_let_views_override" not in fields:
                report.note(
                    "Access-Control-Allow-Origin is written by hand, and Flask-CORS leaves such a"
                    " response alone. The guard does the same with"
                    " dangerously_let_views_override=True. If the policy is enough, remove both."
                )
            elif name != _ALLOW_ORIGIN and not any(r.file is file for r in reports):
                report.note(
                    "CORS headers are written by hand here, and the guard replaces them: if they"
                    " are needed, put them in the policy."
                )
            if name == _ALLOW_ORIGIN:
                fields["answer_preflight"] = "False"
                fields["dangerously_let_views_override"] = "True"
            reports.append(report)
    return fields, reports


def last_words(files: Iterable[PythonFile], calls: Iterable[ast.Call]) -> Iterator[Report]:
    """What changes the headers after Flask-CORS: functions that are registered before it run after
    it. The guard would write the headers last, so these are findings.

    :param calls: the calls of Flask-CORS.
    """
    for file in files:
        lines = [call.lineno for call in calls if call in file.nodes]
        if not file.is_test:
            yield from _lost_responses(file, lines)
        for node, name in () if file.is_test else _headers(file):
            above = file.parent(node)
            function = file.function(node)
            decorators: list[ast.expr] = getattr(function, "decorator_list", [])
            is_after = any(last_name(each) in _AFTER for each in decorators)
            is_early = is_after and bool(lines) and node.lineno < min(lines)
            is_set = isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Store)
            is_taken = (isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Del)) or (
                isinstance(above, ast.Call) and last_name(above.func) in ("pop", "remove")
            )
            if is_taken or (is_early and not (is_set and name == _ALLOW_ORIGIN)):
                report = Report(file, node.lineno)
                report.finding(
                    "header_by_hand", f"{name} is changed after Flask-CORS has written its headers",
                    "who may read depends on both; where a header is sent twice, no site may.",
                    "remove it, put what is meant into CORS(app), and run this again.",
                )  # fmt: skip
                yield report


def _lost_responses(file: PythonFile, lines: list[int]) -> Iterator[Report]:
    """Functions that run after Flask-CORS and return another response."""
    for function in file.nodes:
        is_early = bool(lines) and getattr(function, "lineno", 0) < min(lines)
        if is_early and isinstance(function, FUNCTIONS) and _makes_another(function):
            report = Report(file, function.lineno)
            report.finding(
                "header_by_hand", f"{function.name} returns another response",
                "the headers that Flask-CORS wrote on the first one are lost, so no site may read.",
                "register it after CORS(app), and run this again.",
            )  # fmt: skip
            yield report


def _makes_another(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether an ``after_request`` function returns anything but its argument."""
    if not any(last_name(each) in _AFTER for each in function.decorator_list):
        return False
    given = [argument.arg for argument in function.args.args]
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(last_name(value) not in given for value in returned if value is not None)


def _preflights(file: PythonFile) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """What may refuse a preflight, or may respond to one."""
    for node in file.nodes if file.mentions(*_BEFORE, *_AUTOMATIC, "options", "OPTIONS") else ():
        above = file.parent(node)
        name = last_name(node)
        if isinstance(node, FUNCTIONS) and isinstance(above, ast.ClassDef):
            is_named = node.name in _BEFORE or node.name == "options"
            yield from [(node, f"{node.name} may respond to preflights")] if is_named else ()
        elif isinstance(node, ast.Attribute) and name in _BEFORE:
            yield from (
                ()
                if _only_assigns(above)
                else [(node, f"{name} runs before preflights, and may refuse them")]
            )
        elif isinstance(node, (ast.Name, ast.Attribute)) and name in _AUTOMATIC:
            yield node, "Flask's own response to OPTIONS may be off"
        elif isinstance(node, ast.keyword) and node.arg in _AUTOMATIC:
            yield node.value, "Flask's own response to OPTIONS may be off"
        elif isinstance(node, ast.Constant) and not isinstance(above, ast.Compare):
            is_named = node.value in _AUTOMATIC or str(node.value).upper() == "OPTIONS"
            yield from [(node, "the app may respond to OPTIONS itself")] if is_named else ()


def _only_assigns(function: ast.AST | None) -> bool:
    """Whether a function only assigns plain values."""
    if not isinstance(function, FUNCTIONS):
        return False
    plain = (ast.Assign, ast.Pass, ast.Name, ast.Attribute, ast.Constant, ast.expr_context)
    body = [node for statement in function.body for node in ast.walk(statement)]
    return all(isinstance(node, (*plain, ast.Expr)) for node in body)


def _headers(file: PythonFile) -> Iterator[tuple[ast.expr, str]]:
    """Where CORS headers are named."""
    for node in file.nodes if file.mentions("ccess-", "access_control_", "CCESS-") else ():
        name = ""
        if isinstance(node, ast.Constant):
            name = str(node.value).lower()
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr.replace("_", "-")
        if name.startswith("access-control-") and "request" not in name:
            is_part = name.endswith("-")  # of a name that the code puts together
            yield cast("ast.expr", node), _ALLOW_ORIGIN if is_part else name


def writes_origin(files: Iterable[PythonFile]) -> bool:
    """Whether ``Access-Control-Allow-Origin`` is written by hand somewhere."""
    return any(
        name == _ALLOW_ORIGIN and _is_written(file, node)
        for file in files
        if not file.is_test
        for node, name in _headers(file)
    )


def _is_written(file: PythonFile, node: ast.expr) -> bool:
    """Whether a header is probably written, and not only read."""
    above = file.parent(node)
    match above:
        case ast.Call(func=ast.Attribute(attr="get" | "getlist" | "get_all")):
            return False
        case ast.Subscript(ctx=ast.Load()) | ast.Compare() | ast.Expr() | ast.JoinedStr():
            return False
        case _:
            return True
