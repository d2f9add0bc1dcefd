"""Where ``app.config`` is filled, and with which keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from flask_corsguard.migrate.options import FIELD_OF
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import Reader, Value

#: Configuration key -> the option.
OPTION_OF_KEY = {f"CORS_{name.upper()}": name for name in FIELD_OF}
_CONFIG_MODULE = re.compile(
    r"(.*_)?(config|configs|configuration|settings|defaults)", re.IGNORECASE
)
_CONFIG_CLASS = re.compile(r"config|settings", re.IGNORECASE)
_KEY = re.compile(r"[A-Z][A-Z0-9_]*")


class Setting(NamedTuple):
    """One place that sets a configuration key.

    :ivar key: the key.
    :ivar name: the node that names it.
    :ivar holder: ``app.config``, or None where it is set in a class or module.
    :ivar owner: the class or module, or None.
    """

    module: Module
    key: str
    name: cst.CSTNode
    value: Value
    holder: cst.BaseExpression | None
    owner: cst.ClassDef | cst.Module | None

    @property
    def line(self) -> int:
        """The line that it stands in."""
        return self.module.line(self.name)


def settings_in(
    reader: Reader, module: Module, node: cst.CSTNode, is_loaded: bool
) -> Iterator[Setting]:
    """The keys that a statement sets, of Flask-CORS' and of others."""
    if isinstance(node, cst.Call):
        yield from _updates(reader, module, node)
    elif isinstance(node, cst.Assign):
        for target in node.targets:
            yield from _assigned(reader, module, target.target, node.value, is_loaded)
    elif isinstance(node, cst.AnnAssign) and node.value is not None:
        yield from _assigned(reader, module, node.target, node.value, is_loaded)


def _assigned(
    reader: Reader,
    module: Module,
    target: cst.CSTNode,
    value: cst.BaseExpression,
    is_loaded: bool,
) -> Iterator[Setting]:
    if isinstance(target, cst.Subscript) and is_config(target.value):
        index = target.slice[0].slice
        if isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString):
            key = str(index.value.evaluated_value)
            if _KEY.fullmatch(key):
                read = reader.value(module, value)
                yield Setting(module, key, index.value, read, target.value, None)
    elif isinstance(target, cst.Name) and _KEY.fullmatch(target.value):
        owner = next(
            a
            for a in module.parents(target)
            if isinstance(a, (cst.ClassDef, cst.Module, cst.FunctionDef))
        )
        is_theirs = target.value in OPTION_OF_KEY
        is_setting = (
            isinstance(owner, cst.ClassDef)
            and (is_theirs or _CONFIG_CLASS.search(owner.name.value))
        ) or (
            isinstance(owner, cst.Module)
            and (is_loaded or _CONFIG_MODULE.fullmatch(module.path.stem))
        )
        if is_setting and isinstance(owner, (cst.ClassDef, cst.Module)):
            read = reader.value(module, value)
            yield Setting(module, target.value, target, read, None, owner)


def _updates(reader: Reader, module: Module, node: cst.Call) -> Iterator[Setting]:
    func = node.func
    if not (
        isinstance(func, cst.Attribute)
        and func.attr.value in ("update", "from_mapping")
        and is_config(func.value)
    ):
        return
    for argument in node.args:
        if argument.keyword is not None and _KEY.fullmatch(argument.keyword.value):
            value = reader.value(module, argument.value)
            name = argument.keyword
            yield Setting(module, name.value, name, value, func.value, None)
        elif isinstance(argument.value, cst.Dict):
            for element in argument.value.elements:
                if isinstance(element, cst.DictElement) and isinstance(
                    element.key, cst.SimpleString
                ):
                    key = str(element.key.evaluated_value)
                    if _KEY.fullmatch(key):
                        value = reader.value(module, element.value)
                        yield Setting(module, key, element.key, value, func.value, None)


def stray_key(module: Module, node: cst.CSTNode, is_loaded: bool) -> str:
    """The key of Flask-CORS' that *node* names, where that may set it in a way that is not
    followed; or ""."""
    above = module.parent(node)
    if isinstance(node, cst.SimpleString):
        key, is_set = str(node.evaluated_value), not _is_looked_up(module, node)
    elif isinstance(node, cst.Name):
        key = node.value
        is_set = (
            (isinstance(above, cst.Arg) and above.keyword is node)
            or (isinstance(above, cst.FunctionDef) and above.name is node)
            or (isinstance(above, cst.AnnAssign) and above.target is node and not above.value)
            or (isinstance(above, cst.ImportAlias) and is_loaded)
            or (
                isinstance(above, cst.Attribute)
                and above.attr is node
                and isinstance(module.parent(above), (cst.AssignTarget, cst.AugAssign))
            )
        )
    else:
        return ""
    return key if is_set and key in OPTION_OF_KEY else ""


def _is_looked_up(module: Module, node: cst.SimpleString) -> bool:
    """Whether a key is only read."""
    above, *outer = list(module.parents(node))[:7]
    if isinstance(above, (cst.Index, cst.ComparisonTarget, cst.Comparison)):
        return not any(isinstance(a, (cst.AssignTarget, cst.AugAssign)) for a in outer)
    is_get = isinstance(outer[0], cst.Call) and module.code(outer[0].func).endswith(".get")
    return is_get or is_variable(module, node)


def is_variable(module: Module, node: cst.CSTNode) -> bool:
    """Whether a name is that of an environment variable."""
    if not isinstance(node, cst.SimpleString):
        return False
    for above in list(module.parents(node))[:4]:
        if isinstance(above, (cst.Call, cst.Subscript)):
            base = above.func if isinstance(above, cst.Call) else above.value
            code = module.code(base)
            return "env" in code.lower() or code == "config"
    return False


def is_config(node: cst.BaseExpression) -> bool:
    """Whether an expression is the configuration of an app."""
    return isinstance(node, cst.Attribute) and node.attr.value == "config"


def is_obscure(module: Module, node: cst.Attribute) -> bool:
    """Whether ``app.config`` is used in a way that may set any key."""
    above = module.parent(node)
    if isinstance(above, cst.AugAssign) or (isinstance(above, cst.Assign) and above.value is node):
        return True
    if isinstance(above, cst.Subscript):
        index = above.slice[0].slice
        is_named = isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)
        return not is_named and isinstance(module.parent(above), cst.AssignTarget)
    # What it is handed to may set keys; what only looks at it, may not.
    return isinstance(above, cst.Arg) and not module.code(node).startswith("current_app")


def is_other_key(module: Module, node: cst.Call) -> bool:
    """Whether a call is about a key of something else."""
    return bool(node.args) and "CORS" not in module.code(node.args[0]).upper()
