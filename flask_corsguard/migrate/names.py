"""What a name stands for, as far as that shows without running the code."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import libcst as cst
from libcst.helpers import get_full_name_for_node

from flask_corsguard.migrate.sources import Module

_DEEPEST = 8
#: The methods that change a list, a set or a dictionary.
MUTATORS = frozenset(
    (
        "append",
        "add",
        "extend",
        "insert",
        "update",
        "remove",
        "discard",
        "clear",
        "pop",
        "setdefault",
    )
)
_ALIASES = {
    "flask.ext.cors": "flask_cors",
    "flask_cors.extension": "flask_cors",
    "flask_cors.decorator": "flask_cors",
    "flask_cors.core": "flask_cors",
}
_SCOPES = (cst.FunctionDef, cst.Lambda, cst.ClassDef, cst.Module)
Scope = cst.FunctionDef | cst.Lambda | cst.ClassDef | cst.Module


class Import(NamedTuple):
    """A name that comes from a module: *attribute* of it, or the module itself."""

    level: int
    module: str
    attribute: str


class Bound(NamedTuple):
    """What a name stands for.

    :ivar module: where that was found.
    :ivar node: a value, a function, a class, a parameter; None for what is not in the code base.
    :ivar external: the full name of what is not in the code base, or "".
    """

    module: Module
    node: cst.CSTNode | None
    external: str = ""


Binding = Import | cst.CSTNode


class Names:
    """All names of a code base."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self.modules = modules
        self._by_path = {module.path.with_suffix("").parts: module for module in modules}
        self._bindings: dict[Module, dict[tuple[Scope, str], list[Binding]]] = {}
        self._stars: dict[Module, list[cst.ImportFrom]] = {}
        for module in modules:
            self._stars[module] = [
                node
                for node in module.nodes
                if isinstance(node, cst.ImportFrom) and isinstance(node.names, cst.ImportStar)
            ]
            bindings: dict[tuple[Scope, str], list[Binding]] = {}
            self._bindings[module] = bindings
            for scope, name, binding in _bindings(module):
                bindings.setdefault((scope, name), []).append(binding)

    def scope(self, module: Module, node: cst.CSTNode) -> Scope:
        """The function, class or module around *node*."""
        return _scope(module, node)

    def is_taken(self, module: Module, name: str) -> bool:
        """Whether a name means anything in *module*, but for what comes from Flask-CORS."""
        return any(
            known == name and not (isinstance(binding, Import) and is_flask_cors(binding.module))
            for (_, known), bindings in self._bindings[module].items()
            for binding in bindings
        )

    def imports(self, module: Module) -> Iterator[Module]:
        """The modules of the code base that *module* imports from."""
        for bindings in self._bindings[module].values():
            for binding in bindings:
                if isinstance(binding, Import):
                    inner = f"{binding.module}.{binding.attribute}".strip(".")
                    for name in (binding.module, inner):
                        found = self._find(module, binding.level, name)
                        if found is not None and found is not module:
                            yield found
        yield from self.star_imports(module)
        yield from self.loaded_from_object(module)

    def star_imports(self, module: Module) -> list[Module]:
        """The modules of the code base all of whose names *module* has too."""
        found = [
            self._find(module, len(node.relative), (node.module and module.code(node.module)) or "")
            for node in self._stars[module]
        ]
        return [other for other in found if other is not None and other is not module]

    def configured_by(self, module: Module) -> set[Module]:
        """The modules whose names *module* makes configuration of, by way of others too."""
        found: set[Module] = set()
        new = set(self.loaded_from_object(module))
        while new:
            found |= new
            new = {other for one in new for other in self.star_imports(one)} - found
        return found

    def loaded_from_object(self, module: Module) -> Iterator[Module]:
        """The modules whose names *module* makes configuration of."""
        for node in module.nodes:
            if not isinstance(node, cst.Call) or not node.args:
                continue
            if not module.code(node.func).endswith(".from_object"):
                continue
            given = node.args[0].value
            default = self.resolve(module, given)
            if default is not None and isinstance(default.node, cst.Param):
                given = default.node.default or given
            if isinstance(given, cst.SimpleString):
                text = str(given.evaluated_value)
                named = [self._find(module, 0, n) for n in (text, text.rpartition(".")[0]) if n]
                yield from (found for found in named if found is not None)
            else:
                bound = self.resolve(module, given)
                if bound is not None and isinstance(bound.node, cst.Module):
                    yield bound.module

    def is_ambiguous(self, module: Module, node: cst.Name) -> bool:
        """Whether a name may stand for a part of Flask-CORS, and may not."""
        bindings = [
            binding
            for (_, name), found in self._bindings[module].items()
            if name == node.value
            for binding in found
        ]
        is_theirs = any(isinstance(b, Import) and is_flask_cors(b.module) for b in bindings)
        return is_theirs and self.resolve(module, node) is None

    def knows(self, importer: Module, name: str) -> bool:
        """Whether a module, or a class in one, is in the code base."""
        return any(self._find(importer, 0, n) for n in (name, name.rpartition(".")[0]) if n)

    def passed_on(self, module: Module) -> Iterator[str]:
        """The names of Flask-CORS that *module* imports from another module of the code base."""
        for bindings in self._bindings[module].values():
            for binding in bindings:
                if isinstance(binding, Import) and not is_flask_cors(binding.module):
                    bound = self._imported(module, binding, 0)
                    if bound is not None and is_flask_cors(bound.external):
                        yield bound.external

    @functools.cached_property
    def _uses(self) -> Mapping[str, list[tuple[Module, cst.Name]]]:
        found: dict[str, list[tuple[Module, cst.Name]]] = {}
        for module in self.modules:
            for node in module.nodes:
                if isinstance(node, cst.Name):
                    found.setdefault(node.value, []).append((module, node))
        return found

    def uses(self, name: str) -> Iterable[tuple[Module, cst.Name]]:
        """Where a name stands, whatever it stands for there."""
        return self._uses.get(name, ())

    def is_changed(self, name: str) -> bool:
        """Whether what is in a list or dictionary of that name may change."""
        return any(self._changes(module, node) for module, node in self.uses(name))

    def is_handed_on(self, name: str) -> bool:
        """Whether a function of the code base is given it, and may change what is in it."""
        return any(
            isinstance(module.parent(node), cst.Arg) and self._changes(module, node)
            for module, node in self.uses(name)
        )

    def _changes(self, module: Module, node: cst.Name) -> bool:
        inner: cst.CSTNode = node
        above = module.parent(node)
        if isinstance(above, cst.Attribute) and above.attr is node:
            inner, above = above, module.parent(above)
        if isinstance(above, cst.Arg):
            call = module.parent(above)
            bound = self.resolve(module, call.func) if isinstance(call, cst.Call) else None
            return bound is not None and isinstance(bound.node, cst.FunctionDef)
        is_part = False
        while isinstance(above, (cst.Attribute, cst.Subscript)) and above.value is inner:
            if isinstance(above, cst.Attribute) and above.attr.value in MUTATORS:
                return isinstance(module.parent(above), cst.Call)
            is_part = is_part or isinstance(above, cst.Subscript)
            inner, above = above, module.parent(above)
        return is_part and isinstance(above, (cst.AssignTarget, cst.AugAssign, cst.Del))

    def resolve(self, module: Module, node: cst.CSTNode, depth: int = 0) -> Bound | None:
        """What *node* stands for; None where that cannot be told."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, cst.Name):
            return self._resolve_name(module, node, depth)
        if isinstance(node, cst.Attribute):
            base = self.resolve(module, node.value, depth + 1)
            return self._member(base, node.attr.value, depth) if base else None
        return Bound(module, node)

    def external(self, module: Module, node: cst.CSTNode) -> str:
        """The full name of what *node* stands for, where that is not in the code base."""
        bound = self.resolve(module, node)
        return bound.external if bound else ""

    def _resolve_name(self, module: Module, node: cst.Name, depth: int) -> Bound | None:
        scope: Scope = _scope(module, node)
        inner = True
        while True:
            if inner or not isinstance(scope, cst.ClassDef):
                bindings = self._bindings[module].get((scope, node.value))
                if bindings:
                    return self._bound(module, bindings, depth)
            if isinstance(scope, cst.Module):
                return self._from_star(module, node.value, depth)
            scope, inner = _scope(module, scope), False

    def _from_star(self, module: Module, name: str, depth: int) -> Bound | None:
        found = [
            other
            for other in self.star_imports(module)
            if (other.tree, name) in self._bindings[other]
        ]
        if len(found) != 1 or depth > _DEEPEST:
            return None
        return self._bound(found[0], self._bindings[found[0]][found[0].tree, name], depth + 1)

    def _bound(self, module: Module, bindings: list[Binding], depth: int) -> Bound | None:
        if len(bindings) > 1:
            # try: from x import y, except ImportError: ... says the same twice
            externals = {b for b in bindings if isinstance(b, Import)}
            if len(externals) != 1 or len(externals) != len(set(bindings)):
                return None
        binding = bindings[0]
        if isinstance(binding, Import):
            return self._imported(module, binding, depth)
        if isinstance(binding, (cst.Name, cst.Attribute)):
            return self.resolve(module, binding, depth + 1)
        return Bound(module, binding)

    def _imported(self, module: Module, binding: Import, depth: int) -> Bound | None:
        found = self._find(module, binding.level, binding.module)
        if not binding.attribute:
            full = binding.module
            return Bound(found, found.tree) if found else Bound(module, None, _canonical(full))
        inner = self._find(
            module, binding.level, f"{binding.module}.{binding.attribute}".strip(".")
        )
        if inner is not None:
            return Bound(inner, inner.tree)
        if found is not None:
            return self._member(Bound(found, found.tree), binding.attribute, depth)
        if binding.level:
            return None
        return Bound(module, None, _canonical(f"{binding.module}.{binding.attribute}"))

    def _member(self, base: Bound, name: str, depth: int) -> Bound | None:
        if base.external:
            return Bound(base.module, None, _canonical(f"{base.external}.{name}"))
        if isinstance(base.node, (cst.Module, cst.ClassDef)):
            bindings = self._bindings[base.module].get((base.node, name))
            if bindings and depth <= _DEEPEST:
                return self._bound(base.module, bindings, depth + 1)
        if isinstance(base.node, cst.Module) and base.module.path.stem == "__init__":
            inner = self._at((*base.module.path.parent.parts, name))
            return Bound(inner, inner.tree) if inner else None
        return None

    def _find(self, importer: Module, level: int, name: str) -> Module | None:
        parts = tuple(name.split(".")) if name else ()
        if level:
            folder = importer.path.parent
            for _ in range(level - 1):
                folder = folder.parent
            return self._at((*folder.parts, *parts))
        if not parts:
            return None
        # An absolute import begins at some folder above the importer; the nearest one first.
        for folder in importer.path.parents:
            found = self._at((*folder.parts, *parts))
            if found is not None:
                return found
        ends = [m for p, m in self._by_path.items() if _module_parts(p)[-len(parts) :] == parts]
        return ends[0] if len(ends) == 1 else None

    def _at(self, parts: tuple[str, ...]) -> Module | None:
        return self._by_path.get(parts) or self._by_path.get((*parts, "__init__"))


def is_flask_cors(name: str) -> bool:
    """Whether a module is Flask-CORS, or a part of it."""
    return f"{_canonical(name)}.".startswith("flask_cors.")


def _module_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts[:-1] if parts and parts[-1] == "__init__" else parts


def _canonical(name: str) -> str:
    for alias, plain in _ALIASES.items():
        if f"{name}.".startswith(f"{alias}."):
            return plain + name[len(alias) :]
    return name


def _scope(module: Module, node: cst.CSTNode) -> Scope:
    inner = node
    for above in module.parents(node):
        if isinstance(above, _SCOPES) and not _is_outside(above, inner):
            return above
        inner = above
    return module.tree


def _is_outside(scope: cst.CSTNode, child: cst.CSTNode) -> bool:
    """Whether *child* of a definition is evaluated around it: a decorator, a base class."""
    if isinstance(scope, cst.FunctionDef):
        return child is not scope.body and not isinstance(child, cst.Parameters)
    return isinstance(scope, cst.ClassDef) and child is not scope.body


def _bindings(module: Module) -> Iterator[tuple[Scope, str, Binding]]:
    for node in module.nodes:
        if isinstance(node, (cst.Import, cst.ImportFrom)):
            scope = _scope(module, node)
            for name, imported in _imported_names(node):
                yield scope, name, imported
        elif isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Param)):
            yield _scope(module, node), node.name.value, node
        else:
            for target, value in _assigned(node):
                # What is unpacked into several names, none of them stands for as a whole.
                binding = value if isinstance(target, cst.Name) else node
                for name in _target_names(target):
                    yield _scope(module, node), name, binding


def _assigned(node: cst.CSTNode) -> Iterable[tuple[cst.CSTNode, cst.CSTNode]]:
    if isinstance(node, cst.Assign):
        return [(target.target, node.value) for target in node.targets]
    if isinstance(node, cst.AnnAssign):
        return [(node.target, node.value)] if node.value else []
    if isinstance(node, cst.NamedExpr):
        return [(node.target, node.value)]
    if isinstance(node, (cst.AugAssign, cst.For, cst.CompFor)):
        return [(node.target, node)]
    if isinstance(node, (cst.WithItem, cst.ExceptHandler)):
        name = node.asname if isinstance(node, cst.WithItem) else node.name
        return [(name.name, node)] if name else []
    return []


def _target_names(target: cst.CSTNode) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _target_names(element.value)


def _imported_names(node: cst.Import | cst.ImportFrom) -> Iterator[tuple[str, Import]]:
    if isinstance(node, cst.Import):
        for alias in node.names:
            full = get_full_name_for_node(alias.name) or ""
            if alias.asname is not None:
                yield str(alias.evaluated_alias), Import(0, full, "")
            else:
                yield full.partition(".")[0], Import(0, full.partition(".")[0], "")
        return
    module = (get_full_name_for_node(node.module) or "") if node.module else ""
    if isinstance(node.names, cst.ImportStar):
        for name in ("CORS", "cross_origin") if is_flask_cors(module) else ():
            yield name, Import(0, module, name)
        return
    for alias in node.names:
        name = str(alias.evaluated_name)
        yield alias.evaluated_alias or name, Import(len(node.relative), module, name)
