"""Where a code base uses Flask-CORS."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard, cast

import libcst as cst

from flask_corsguard.migrate.configuration import (
    Setting,
    is_config,
    is_obscure,
    is_other_key,
    settings_in,
    stray_key,
)
from flask_corsguard.migrate.names import Names, is_flask_cors
from flask_corsguard.migrate.options import FIELD_OF, Trouble, ignored, unreadable
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import UNREAD, Reader, Value

_HEADER = re.compile(r"access-control-?((allow|expose|max)-[a-z-]+)?", re.IGNORECASE)
# Werkzeug's name for such a header.
_ATTRIBUTE = re.compile(r"\.access_control_(allow|expose|max)_\w+$")
# What writes a header, takes it out, or looks for all that begin like it.
_HEADER_METHODS = (
    "add", "set", "setdefault", "add_header", "extend", "append", "pop", "remove", "startswith",
)  # fmt: skip
_BLUEPRINTS = ("flask.Blueprint", "flask.blueprints.Blueprint")
_APPS = ("flask.Flask", "flask.app.Flask")


class Call(NamedTuple):
    """A call of ``CORS``, of ``init_app`` on one, or of ``cross_origin``.

    :ivar target: what is given CORS, or None.
    :ivar options: what was given by name.
    :ivar troubles: what of the arguments cannot be read.
    """

    module: Module
    node: cst.Call
    target: cst.BaseExpression | None
    options: Mapping[str, Value]
    troubles: tuple[Trouble, ...]

    @property
    def line(self) -> int:
        """The line that it begins in."""
        return self.module.line(self.node)


class Mark(NamedTuple):
    """A decorator on a function."""

    call: Call
    decorator: cst.Decorator
    function: cst.FunctionDef


class Other(NamedTuple):
    """A use of Flask-CORS that is none of the known ones."""

    module: Module
    node: cst.CSTNode
    at: cst.CSTNode | None = None


class Places:
    """All uses of Flask-CORS in some modules that belong together.

    :ivar calls: ``CORS(app, ...)``.
    :ivar bare: ``CORS(...)`` without an app.
    :ivar inits: ``cors.init_app(app, ...)``, with the bare call that it belongs to.
    :ivar marks: ``@cross_origin(...)``.
    :ivar settings: ``CORS_*`` configuration.
    :ivar every_setting: other configuration as well.
    :ivar others: what else there is.
    :ivar headers: where CORS headers are written by hand.
    :ivar loggers: strings that name Flask-CORS' log.
    :ivar apps: where an app is created.
    :ivar strays: ``CORS_*`` keys that are set in a way that is not followed.
    :ivar loaders: apps whose configuration is filled from what is not in the code.
    """

    def __init__(self, modules: list[Module], names: Names, reader: Reader) -> None:
        self.modules = modules
        self.names = names
        self.reader = reader
        self.calls: list[Call] = []
        self.bare: list[Call] = []
        self.inits: list[tuple[Call, Call]] = []
        self.marks: list[Mark] = []
        self.settings: list[Setting] = []
        self.every_setting: list[Setting] = []
        self.others: list[Other] = []
        self.headers: list[Other] = []
        self.loggers: list[tuple[Module, cst.SimpleString]] = []
        self.apps: list[tuple[Module, cst.Call]] = []
        self.loaders: list[Other] = []
        self.strays: list[tuple[Module, cst.CSTNode, str]] = []
        self._accounted: set[cst.CSTNode] = set()
        self._config_modules = {
            found for module in modules for found in names.configured_by(module)
        }
        for module in modules:
            for node in module.nodes:
                self._visit(module, node)
        followed = {setting.name for setting in self.settings}
        for module in modules:
            for node in module.nodes:
                self._visit_rest(module, node)
                key = stray_key(module, node, module in self._config_modules)
                if key and node not in followed:
                    self.strays.append((module, node, key))

    def part(self, **lists: object) -> Places:
        """The same with other lists."""
        other = copy.copy(self)
        vars(other).update(lists)
        return other

    def _visit(self, module: Module, node: cst.CSTNode) -> None:
        if isinstance(node, cst.Decorator):
            self._visit_decorator(module, node)
        elif isinstance(node, cst.Call):
            self._visit_call(module, node)
        elif isinstance(node, cst.SimpleString):
            self._visit_string(module, node)
        elif self._is_app_config(node, module) and is_obscure(module, node):
            self.loaders.append(Other(module, node.value, module.statement(node)))
        elif isinstance(node, cst.AssignTarget) and _ATTRIBUTE.search(module.code(node.target)):
            self.headers.append(Other(module, node.target))
        for setting in settings_in(self.reader, module, node, module in self._config_modules):
            self.every_setting.append(setting)
            if setting.key.startswith("CORS_"):
                self.settings.append(setting)

    def _is_app_config(self, node: cst.CSTNode, module: Module) -> TypeGuard[cst.Attribute]:
        if not (isinstance(node, cst.Attribute) and is_config(node)):
            return False
        if not (isinstance(node.value, cst.Name) and node.value.value == "self"):
            return True
        owner = next((a for a in module.parents(node) if isinstance(a, cst.ClassDef)), None)
        return owner is not None and self._is_class(module, owner.name, _APPS, 0)

    def _visit_decorator(self, module: Module, node: cst.Decorator) -> None:
        call = node.decorator
        if not isinstance(call, cst.Call):
            return
        function = module.parent(node)
        is_mark = self.names.external(module, call.func) == "flask_cors.cross_origin"
        if is_mark and isinstance(function, cst.FunctionDef):
            self._accounted.add(call.func)
            self.marks.append(Mark(self._call(module, call, None, call.args), node, function))

    def _visit_call(self, module: Module, node: cst.Call) -> None:
        called = self.names.external(module, node.func)
        if isinstance(node.func, cst.Attribute) and is_config(node.func.value):
            self._visit_loader(module, node, node.func)
        elif module.code(node.func) == "getattr" and re.search(
            "[\"']config[\"']", module.code(node)
        ):
            self.loaders.append(Other(module, node.args[0].value, node))
        if called == "flask_cors.CORS":
            self._accounted.add(node.func)
            target, rest = _target(node)
            call = self._call(module, node, target, rest)
            (self.bare if target is None else self.calls).append(call)
        elif self.is_app(module, node):
            self.apps.append((module, node))
        elif isinstance(node.func, cst.Attribute) and node.func.attr.value == "init_app":
            self._visit_init(module, node, node.func.value)

    def _visit_loader(self, module: Module, node: cst.Call, func: cst.Attribute) -> None:
        """Find configuration that comes from elsewhere, and may hold ``CORS_*`` keys."""
        called = func.attr.value
        is_loader = called.startswith("from_") or called in ("update", "setdefault")
        is_seen = {
            "from_object": self._is_seen_object,
            "from_mapping": self._is_seen_mapping,
            "update": self._is_seen_mapping,
            "from_pyfile": self._is_seen_file,
            "setdefault": is_other_key,
        }.get(called)
        if is_loader and not (is_seen and is_seen(module, node)):
            self.loaders.append(Other(module, cast("cst.Attribute", func.value).value, node))

    def _is_seen_object(self, module: Module, node: cst.Call) -> bool:
        if not node.args:
            return False
        given = node.args[0].value
        if isinstance(given, cst.SimpleString):
            return self.names.knows(module, str(given.evaluated_value))
        bound = self.names.resolve(module, given)
        found = bound.node if bound is not None else None
        if isinstance(found, cst.Param) and found.default is not None and bound is not None:
            # Its default stands for what else it is given.
            if isinstance(found.default, cst.SimpleString):
                return self.names.knows(module, str(found.default.evaluated_value))
            inner = self.names.resolve(bound.module, found.default)
            found = inner.node if inner is not None else None
        if isinstance(found, cst.Call):
            found = found.func
            inner = self.names.resolve(module, found)
            found = inner.node if inner is not None else None
        if isinstance(found, cst.Subscript):
            inner = self.names.resolve(bound.module if bound else module, found.value)
            found = inner.node if inner is not None else None
        return isinstance(found, (cst.ClassDef, cst.Module, cst.Dict))

    def _is_seen_mapping(self, module: Module, node: cst.Call) -> bool:
        for argument in node.args:
            bound = self.names.resolve(module, argument.value)
            is_dict = bound is not None and isinstance(bound.node, cst.Dict)
            if argument.keyword is None and not is_dict:
                return False
        return True

    def _is_seen_file(self, _module: Module, node: cst.Call) -> bool:
        given = node.args[0].value if node.args else None
        if not isinstance(given, cst.SimpleString):
            return False
        name = str(given.evaluated_value)
        return any(other.path.name == name.rpartition("/")[2] for other in self.modules)

    def _visit_init(self, module: Module, node: cst.Call, instance: cst.BaseExpression) -> None:
        bound = self.names.resolve(module, instance)
        if bound is None or not isinstance(bound.node, cst.Call):
            given = {argument.keyword.value for argument in node.args if argument.keyword}
            if given & FIELD_OF.keys():
                # Probably that of a CORS(): nothing else takes such options.
                self.others.append(Other(module, node))
        elif self.names.external(bound.module, bound.node.func) == "flask_cors.CORS":
            target, rest = _target(node)
            outer_target, outer_rest = _target(bound.node)
            outer = self._call(bound.module, bound.node, outer_target, outer_rest)
            self.inits.append((self._call(module, node, target, rest), outer))

    def _call(
        self,
        module: Module,
        node: cst.Call,
        target: cst.BaseExpression | None,
        arguments: Sequence[cst.Arg],
    ) -> Call:
        options: dict[str, Value] = {}
        troubles: list[Trouble] = []
        for argument in arguments:
            if argument.keyword is not None and argument.keyword.value == "resources":
                options["resources"] = self._resources(module, argument.value)
            elif argument.keyword is not None:
                options[argument.keyword.value] = self.reader.value(module, argument.value)
            elif argument.star == "**":
                spread = self._options(module, argument.value)
                if spread is None:
                    code = module.code(argument)
                    troubles.append(unreadable("the options", code, module.line(node)))
                options.update(spread or {})
            else:
                code = module.code(argument)
                troubles.append(ignored(code, module.line(node)))
        return Call(module, node, target, options, tuple(troubles))

    def _resources(self, module: Module, node: cst.BaseExpression) -> Value:
        """``resources``, with each option of a resource as a value of its own."""
        value = self.reader.value(module, node)
        bound = self.names.resolve(module, node)
        if bound is None or not isinstance(bound.node, cst.Dict):
            return value
        if self._is_changed(node):
            return value._replace(value=UNREAD)
        found: dict[Any, dict[str, Value]] = {}
        for element in bound.node.elements:
            if not isinstance(element, cst.DictElement):
                return value._replace(value=UNREAD)
            key = self.reader.evaluate(bound.module, element.key)
            options = self._options(bound.module, element.value)
            if key is UNREAD or options is None or bound.module is not module:
                return value._replace(value=UNREAD)
            found[key] = options
        return value._replace(value=found)

    def _options(self, module: Module, node: cst.BaseExpression) -> dict[str, Value] | None:
        """The options in a dictionary, or None where they cannot be read."""
        bound = self.names.resolve(module, node)
        if bound is None or bound.module is not module or self._is_changed(node):
            return None
        pairs: list[tuple[object, cst.BaseExpression]] = []
        if isinstance(bound.node, cst.Dict):
            for element in bound.node.elements:
                if not isinstance(element, cst.DictElement):
                    return None
                pairs.append((self.reader.evaluate(module, element.key), element.value))
        elif isinstance(bound.node, cst.Call) and module.code(bound.node.func) == "dict":
            pairs = [(a.keyword and a.keyword.value, a.value) for a in bound.node.args]
        else:
            return None
        if not all(isinstance(name, str) for name, _ in pairs):
            return None
        return {
            str(name): self._resources(module, value)
            if name == "resources"
            else self.reader.value(module, value)
            for name, value in pairs
        }

    def _is_changed(self, node: cst.BaseExpression) -> bool:
        named = node.attr if isinstance(node, cst.Attribute) else node
        return isinstance(named, cst.Name) and self.names.is_changed(named.value)

    def is_app(self, module: Module, node: cst.CSTNode) -> bool:
        """Whether a call creates an app."""
        return isinstance(node, cst.Call) and self._is_class(module, node.func, _APPS, 0)

    def is_blueprint(self, module: Module, node: cst.CSTNode) -> bool:
        """Whether a call creates a blueprint, or a name stands for one."""
        bound = self.names.resolve(module, node)
        if bound is None:
            return False
        if isinstance(bound.node, cst.Param):
            annotation = bound.node.annotation
            return annotation is not None and self._is_class(
                bound.module, annotation.annotation, _BLUEPRINTS, 0
            )
        return isinstance(bound.node, cst.Call) and self._is_class(
            bound.module, bound.node.func, _BLUEPRINTS, 0
        )

    def _is_class(
        self, module: Module, node: cst.CSTNode, classes: tuple[str, ...], depth: int
    ) -> bool:
        bound = self.names.resolve(module, node)
        if bound is None or depth > 5:
            return False
        if isinstance(bound.node, cst.ClassDef):
            bases = bound.node.bases
            return any(self._is_class(bound.module, b.value, classes, depth + 1) for b in bases)
        return bound.external in classes or (
            # a sub-class in another package, such as APIFlask or APIBlueprint
            bound.external.rpartition(".")[2].endswith(classes[0].rpartition(".")[2])
        )

    def _visit_string(self, module: Module, node: cst.SimpleString) -> None:
        text = node.evaluated_value
        if not isinstance(text, str):
            return
        if text == "flask_cors" or text.startswith("flask_cors."):
            call = next(
                iter(above for above in module.parents(node) if isinstance(above, cst.Call)), None
            )
            if call is not None and module.code(call.func).endswith("getLogger"):
                self.loggers.append((module, node))
        elif _HEADER.fullmatch(text) and _is_written(module, node):
            self.headers.append(Other(module, node))

    def _visit_rest(self, module: Module, node: cst.CSTNode) -> None:
        """Find what is left: names that stand for a part of Flask-CORS."""
        if not isinstance(node, (cst.Name, cst.Attribute)) or node in self._accounted:
            return
        above = module.parent(node)
        if any(isinstance(a, (cst.Import, cst.ImportFrom)) for a in module.parents(node)):
            return
        if isinstance(above, cst.Attribute) and (above.attr is node or above in self._accounted):
            return
        if isinstance(above, (cst.Arg, cst.Param)) and getattr(above, "keyword", above) is node:
            return
        known = self.names.external(module, node)
        is_part = known in ("flask_cors.CORS", "flask_cors.cross_origin")
        is_lost = (
            isinstance(node, cst.Name)
            and not isinstance(above, cst.AssignTarget)
            and self.names.is_ambiguous(module, node)
        )
        if is_part or is_lost or (is_flask_cors(known) and not isinstance(above, cst.Attribute)):
            self.others.append(Other(module, node))


def _target(node: cst.Call) -> tuple[cst.BaseExpression | None, list[cst.Arg]]:
    """What is given CORS, and the other arguments."""
    rest = list(node.args)
    for argument in rest:
        is_first = argument is rest[0] and argument.keyword is None and not argument.star
        if is_first or (argument.keyword is not None and argument.keyword.value == "app"):
            rest.remove(argument)
            is_none = isinstance(argument.value, cst.Name) and argument.value.value == "None"
            return (None if is_none else argument.value), rest
    return None, rest


def _is_written(module: Module, node: cst.SimpleString) -> bool:
    """Whether a header's name stands where a header is set: not in a test that reads it."""
    if module.path.name.startswith("test_") or module.path.name == "conftest.py":
        return False
    above = module.parent(node)
    if isinstance(above, cst.DictElement):
        return above.key is node
    if isinstance(above, cst.Index):
        changes = (cst.AssignTarget, cst.Del)
        return any(isinstance(a, changes) for a in list(module.parents(node))[:4])
    if isinstance(above, cst.Arg):
        call = module.parent(above)
        return (
            isinstance(call, cst.Call)
            and isinstance(call.func, cst.Attribute)
            and call.func.attr.value in _HEADER_METHODS
        )
    # A constant is written somewhere.
    is_constant = isinstance(above, (cst.Assign, cst.AnnAssign))
    return is_constant or (
        isinstance(above, cst.Element) and isinstance(module.parent(above), cst.Tuple)
    )
