"""Where an app answers or refuses preflights itself, which the guard answers before it does."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from flask_corsguard.migrate.options import Trouble
from flask_corsguard.migrate.routes import is_router
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.work import Work

_BEFORE = ("before_request", "before_app_request")
_REFUSALS = ("redirect", "unauthorized", "forbidden")
_SWITCH = "PROVIDE_AUTOMATIC_OPTIONS"


def check_preflights(work: Work) -> None:
    """Find what keeps preflights from being answered."""
    if not work.modules():
        return
    # @cross_origin answers before its view does.
    marked = [mark.function for mark in work.places.marks]
    for module in work.places.modules:
        for node in module.nodes:
            if isinstance(node, cst.FunctionDef):
                if node in marked or not _refuses_options(module, node):
                    continue
                _refused(work, module, node, f"{node.name.value} refuses OPTIONS")
            elif isinstance(node, (cst.Decorator, cst.Call)):
                _check_before(work, module, node)
            if _switches_off(module, node):
                _refused(work, module, node, f"{module.code(node)}: Flask answers no OPTIONS")


def _refused(work: Work, module: Module, node: cst.CSTNode, message: str) -> None:
    work.add(
        module,
        [Trouble(
            "own_preflight", module.line(node), message,
            "where a preflight is refused, no site can send what needs one; the guard answers"
            " preflights before the app does.",
            ("let OPTIONS pass there, if sites that are allowed are meant to get through; and run"
             " this again.",
             "write answer_preflight=False in the policy, after the migration."),
        )],
    )  # fmt: skip


def _check_before(work: Work, module: Module, node: cst.Decorator | cst.Call) -> None:
    """A function that runs before each request may refuse preflights."""
    func = node.decorator if isinstance(node, cst.Decorator) else node.func
    if not (isinstance(func, cst.Attribute) and func.attr.value in _BEFORE):
        return
    function = module.parent(node)
    if isinstance(node, cst.Call) and node.args:
        bound = work.names.resolve(module, node.args[0].value)
        function = bound.node if bound is not None else None
    if (
        isinstance(function, cst.FunctionDef)
        and _has_cors(work, module, func.value)
        and "OPTIONS" not in module.code(function)
        and _refuses(function.body, any_error=False)
    ):
        message = f"{function.name.value} runs before each request, and may refuse preflights"
        _refused(work, module, node, message)


def _has_cors(work: Work, module: Module, router: cst.BaseExpression) -> bool:
    """Whether what a function runs for has CORS: a blueprint may have none."""
    if work.apps or not work.places.is_blueprint(module, router):
        return True
    bound = work.names.resolve(module, router)
    marked = [mark.function for mark in work.places.marks]
    found = [route.blueprint for route in work.routes.routes if route.function in marked]
    for call in work.blueprints:
        target = work.names.resolve(call.module, call.target or call.node)
        found.append(target.node if target is not None else None)
    return bound is not None and bound.node in found


def _refuses_options(module: Module, function: cst.FunctionDef) -> bool:
    """Whether a view that takes OPTIONS answers it with an error."""
    takes = any(
        is_router(decorator.decorator) and "OPTIONS" in module.code(decorator).upper()
        for decorator in function.decorators
    )
    return takes and any(
        isinstance(node, cst.If)
        and "OPTIONS" in module.code(node.test)
        and _refuses(node.body, any_error=True)
        for node in _inside(function.body)
    )


def _refuses(body: cst.CSTNode, *, any_error: bool) -> bool:
    """Whether code refuses a request: for who sends it, or with *any_error*."""
    return any(
        isinstance(node, cst.Raise)
        or _name(node).lower() in _REFUSALS
        or (any_error and _name(node) == "abort")
        or (
            isinstance(node, cst.Integer)
            and (node.evaluated_value in (401, 403) or (any_error and node.evaluated_value >= 400))
        )
        for node in _inside(body)
    )


def _inside(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _inside(child)


def _name(node: cst.CSTNode) -> str:
    named = node.attr if isinstance(node, cst.Attribute) else node
    return named.value if isinstance(named, cst.Name) else ""


def _switches_off(module: Module, node: cst.CSTNode) -> bool:
    """Whether Flask's own answers to OPTIONS are switched off here."""
    if isinstance(node, cst.Arg) and node.keyword is not None:
        return node.keyword.value.upper() == _SWITCH and module.code(node.value) == "False"
    if isinstance(node, cst.Assign):
        target = module.code(node.targets[0].target).upper()
        return _SWITCH in target and module.code(node.value) == "False"
    return False
