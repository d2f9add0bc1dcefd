"""Who uses Flask-CORS, and how: imports, calls, decorators, configuration keys."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from flask_corsguard.migrate.python_file import PythonFile, module_paths

#: The keys that Flask-CORS reads -> the option.
OPTION_OF_KEY: Mapping[str, str] = {
    f"CORS_{option.upper()}": option
    for option in (
        "origins", "methods", "allow_headers", "expose_headers", "supports_credentials", "max_age",
        "send_wildcard", "automatic_options", "vary_header", "resources", "intercept_exceptions",
        "always_send", "allow_private_network",
    )
}  # fmt: skip
#: A key of old that has no effect any more.
DEAD_KEY = "CORS_HEADERS"
_PACKAGES = ("flask_cors", "flask.ext.cors")
_MODULES = (*_PACKAGES, "flask_cors.extension", "flask_cors.decorator")
_NAMES = ("CORS", "cross_origin")
# Decorators that let a preflight pass, or only look at what there is.
_HARMLESS = frozenset({
    "login_required", "fresh_login_required", "jwt_required", "route", "get", "post", "put", "delete",
    "patch", "swag_from", "doc", "expect", "response", "marshal_with", "cached", "cross_origin",
    "staticmethod", "limit", "exempt", "memoize",
})  # fmt: skip
_APPS = frozenset({"Flask", "APIFlask", "OpenAPI"})
_LOADERS = frozenset({"from_pyfile", "from_envvar", "from_json", "from_file", "from_prefixed_env"})
_ROUTES = frozenset({"route", "get", "post", "put", "delete", "patch"})


class Imported(NamedTuple):
    """One import of Flask-CORS.

    :ivar alias: the part of *node* that it is about.
    :ivar name: what is imported: a name, ``"*"``, or ``""`` for the module itself.
    :ivar local: what it is called here.
    """

    node: ast.Import | ast.ImportFrom
    alias: ast.alias
    name: str
    local: str


class Call(NamedTuple):
    """One call of ``CORS``, or of ``init_app`` of what that gave.

    :ivar target: what is given to it, if anything.
    :ivar options: by name.
    :ivar unread: what is given as ``*`` or ``**``, or without a name, as it is written.
    :ivar is_init: whether it is a call of ``init_app``.
    """

    file: PythonFile
    node: ast.Call
    target: ast.expr | None
    options: Mapping[str, ast.expr]
    unread: str
    is_init: bool = False


class Mark(NamedTuple):
    """One ``@cross_origin(...)``.

    :ivar function: what it stands above.
    :ivar is_above_route: whether it stands above the route, where it has no effect.
    :ivar between: the first decorator between the route and this one that may refuse a preflight.
    :ivar methods: those that the routes of the view accept, where that is plain.
    :ivar urls: those of its routes.
    """

    call: Call
    function: ast.FunctionDef | ast.AsyncFunctionDef
    is_above_route: bool
    between: str
    methods: frozenset[str]
    urls: tuple[str, ...]

    @property
    def is_method(self) -> bool:
        """Whether it stands on a method of a class."""
        return isinstance(self.call.file.parent(self.function), ast.ClassDef)


class Setting(NamedTuple):
    """One place that sets a configuration key.

    :ivar node: the statement, the keyword or the key in a dictionary.
    :ivar holder: the call or the dictionary that *node* is a part of.
    """

    file: PythonFile
    key: str
    node: ast.stmt | ast.keyword | ast.expr
    value: ast.expr
    holder: ast.Call | ast.Dict | None


class Uses:
    """All uses in some files that may belong to one app.

    :ivar calls: of ``CORS``, and of ``init_app`` of what it gave.
    :ivar others: uses that are neither calls nor decorators.
    :ivar annotations: uses of ``CORS`` as a type.
    :ivar apps: where an app is made.
    :ivar loads_settings: whether the configuration is filled from what does not show.
    :ivar internals: imports of what Flask-CORS does not promise.
    :ivar settings: the places that set keys.
    :ivar read_keys: the keys that the code reads itself.
    """

    def __init__(self, files: Iterable[PythonFile]) -> None:
        self.files = list(files)
        self.imports: dict[PythonFile, list[Imported]] = {}
        self.calls: list[Call] = []
        self.marks: list[Mark] = []
        self.others: list[tuple[PythonFile, ast.expr]] = []
        self.annotations: list[tuple[PythonFile, ast.expr]] = []
        self.internals: list[tuple[PythonFile, ast.stmt]] = []
        self.settings: list[Setting] = []
        self.read_keys: set[str] = set()
        self.apps: list[tuple[PythonFile, ast.Call]] = []
        self.loads_settings = False
        self._urls: dict[tuple[PythonFile, str], ast.AST] = {}
        for file in self.files:
            self._find_imports(file)
        for file in self.imports:
            self._find_uses(file)
        bare = {name for call in self.calls if not call.target for name in _names_of(call)}
        for file in self.files:
            if bare:
                self._find_inits(file, bare)
            self._find_settings(file)
            self._find_apps(file)
        self.marks = [
            mark._replace(between="two @cross_origin on one view")
            if sum(other.function is mark.function for other in self.marks) > 1
            else mark
            for mark in self.marks
        ]

    def _find_apps(self, file: PythonFile) -> None:
        for node in file.nodes:
            match node:
                case ast.Call(func=func) if _last_name(func) in _APPS and (
                    node.args or node.keywords
                ):
                    self.apps.append((file, node))
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in _LOADERS:
                    self.loads_settings |= not file.is_test
                case ast.Call(
                    func=ast.Attribute(attr="from_mapping" | "update", value=of), args=[ast.Call()]
                ) if _last_name(of) == "config":
                    self.loads_settings |= not file.is_test
                case ast.FunctionDef(decorator_list=decorators):
                    for url in _urls(decorators):
                        self._urls.setdefault((file, url), node)
                case _:
                    pass

    def first_at(self, file: PythonFile, url: str) -> ast.AST | None:
        """The function of a file that comes first at a URL."""
        return self._urls.get((file, url))

    def _find_imports(self, file: PythonFile) -> None:
        found: list[Imported] = []
        for node in file.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in _PACKAGES:
                        local = alias.asname or alias.name
                        found.append(Imported(node, alias, "", local))
                    elif alias.name.startswith("flask_cors."):
                        self.internals.append((file, node))
            elif isinstance(node, ast.ImportFrom) and not node.level:
                module = node.module or ""
                for alias in node.names:
                    if module in _MODULES and (alias.name in _NAMES or alias.name == "*"):
                        found.append(Imported(node, alias, alias.name, alias.asname or alias.name))
                    elif f"{module}.{alias.name}" in _MODULES and module == "flask.ext":
                        found.append(Imported(node, alias, "", alias.asname or alias.name))
                    elif module.partition(".")[0] == "flask_cors" or module in _MODULES:
                        self.internals.append((file, node))
        if found:
            self.imports[file] = found

    def meant(self, file: PythonFile, node: ast.AST) -> str:
        """Which name of Flask-CORS an expression is, or ""."""
        text = file.code(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        for imported in self.imports.get(file, ()):
            if imported.name == "*" and text in _NAMES:
                return text
            if imported.name and text == imported.local:
                return imported.name
            module, _, name = text.rpartition(".")
            if not imported.name and module == imported.local and name in _NAMES:
                return name
        return ""

    def _find_uses(self, file: PythonFile) -> None:
        for node in file.nodes:
            if isinstance(getattr(node, "ctx", None), ast.Store) or not (
                name := self.meant(file, node)
            ):
                continue
            above = file.parent(node)
            if isinstance(above, ast.Call) and above.func is node:
                around = file.parent(above)
                call = _read_call(file, above, with_target=name == "CORS")
                if name == "CORS":
                    self.calls.append(call)
                elif isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
                    decorator is above for decorator in around.decorator_list
                ):
                    self.marks.append(_mark(call, around))
                else:
                    self.others.append((file, above))
            elif name == "CORS" and _is_annotation(above, node):
                self.annotations.append((file, cast("ast.expr", node)))
            elif not (isinstance(above, ast.Attribute) and self.meant(file, above)):
                self.others.append((file, cast("ast.expr", node)))

    def _find_inits(self, file: PythonFile, bare: set[str]) -> None:
        for node in file.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=of, attr="init_app")) if (
                    _last_name(of) in bare
                ):
                    self.calls.append(_read_call(file, node)._replace(is_init=True))
                case _:
                    pass

    def _find_settings(self, file: PythonFile) -> None:
        written: set[ast.AST] = set()
        for setting in _settings(file):
            self.settings.append(setting)
            written.add(setting.node)
        for node in file.nodes:
            if node in written or any(above in written for above in file.parents(node)):
                continue
            key = ""
            match node:
                case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                    key = name
                case ast.Constant(value=str() as name):
                    # The variable of the environment is called as the key often.
                    above = file.parent(node)
                    is_variable = isinstance(above, (ast.Call, ast.Subscript)) and (
                        "env" in file.code(above).partition("(")[0].partition("[")[0]
                    )
                    key = "" if is_variable else name
                case _:
                    pass
            if key in OPTION_OF_KEY or key == DEAD_KEY:
                self.read_keys.add(key)

    def kind_of(self, call: Call, roots: list[Path]) -> str:
        """``"app"``, ``"blueprint"``, or "" where it cannot be told."""
        if call.target is None:
            return "app"
        return _kind(call.file, call.target, roots, 0)


def _is_annotation(above: ast.AST | None, node: ast.AST) -> bool:
    return (isinstance(above, (ast.AnnAssign, ast.arg)) and above.annotation is node) or (
        isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)) and above.returns is node
    )


def _urls(decorators: list[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr=attr), args=[ast.Constant(value=str() as url), *_]
            ):
                if attr in _ROUTES:
                    yield url
            case _:
                pass


def _kind(file: PythonFile, node: ast.expr, roots: list[Path], depth: int) -> str:
    if not isinstance(node, ast.Name):
        return "blueprint" if _is_blueprint(file.code(node)) else "app"
    for found in file.nodes:
        match found:
            case (
                ast.Assign(targets=[ast.Name(id=node.id)], value=ast.Call(func=func))
                | ast.AnnAssign(target=ast.Name(id=node.id), value=ast.Call(func=func))
            ):
                return "blueprint" if "blueprint" in file.code(func).lower() else "app"
            case ast.ImportFrom(module=module, names=names, level=level) if depth < 3:
                for alias in names:
                    if (alias.asname or alias.name) == node.id:
                        for path in module_paths(file, module or "", level, roots):
                            other = _other_file(path)
                            if other is not None and alias.name in other.bound:
                                named = ast.Name(id=alias.name, lineno=1, col_offset=0)
                                return _kind(other, named, roots, depth + 1)
            case ast.arg(arg=node.id) if "app" not in node.id.lower():
                return "blueprint" if _is_blueprint(node.id) else ""
            case ast.For(target=target) if any(
                isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(target)
            ):
                return ""
            case _:
                pass
    return "blueprint" if _is_blueprint(node.id) else "app"


def _other_file(path: Path) -> PythonFile | None:
    from flask_corsguard.migrate.files import read_source

    try:
        return PythonFile(read_source(path), path.parent)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _is_blueprint(name: str) -> bool:
    last = name.rpartition(".")[2].lower()
    return "blueprint" in last or last == "bp" or last.endswith("_bp")


def _read_call(file: PythonFile, node: ast.Call, *, with_target: bool = True) -> Call:
    positional = list(node.args)
    options = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    target = options.pop("app", None) if with_target else None
    if with_target and positional and not isinstance(positional[0], ast.Starred):
        target = positional.pop(0)
    unread = [file.code(argument) for argument in positional]
    for keyword in node.keywords:
        if keyword.arg is None:
            read = file.read(keyword.value)
            value = file.value_of(keyword.value.id) if isinstance(keyword.value, ast.Name) else None
            literal = value if value is not None else keyword.value
            if isinstance(read, dict) and isinstance(literal, ast.Dict):
                for key, each in zip(literal.keys, literal.values, strict=True):
                    options.setdefault(str(file.read(key)) if key else "", each)
            else:
                unread.append(f"**{file.code(keyword.value)}")
    if isinstance(target, ast.Constant) and target.value is None:
        target = None
    return Call(file, node, target, options, ", ".join(unread))


def _mark(call: Call, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Mark:
    decorators = function.decorator_list
    place = next(i for i, decorator in enumerate(decorators) if decorator is call.node)
    routes = [i for i, decorator in enumerate(decorators) if _decorator_name(decorator) in _ROUTES]
    between = [
        call.file.code(decorator)
        for decorator in decorators[:place]
        if _decorator_name(decorator) not in _HARMLESS
    ]
    methods: set[str] = set()
    for i in routes:
        methods.update(_methods(call.file, decorators[i]))
    return Mark(
        call,
        function,
        bool(routes) and place < min(routes),
        between[0] if between and not (routes and place < min(routes)) else "",
        frozenset(methods),
        tuple(_urls(decorators)),
    )


def _methods(file: PythonFile, decorator: ast.expr) -> Iterator[str]:
    name = _decorator_name(decorator)
    if name != "route":
        yield name.upper()
        return
    given = [
        keyword.value
        for keyword in (decorator.keywords if isinstance(decorator, ast.Call) else ())
        if keyword.arg == "methods"
    ]
    read = file.read(given[0]) if given else ["GET"]
    if isinstance(read, list) and all(isinstance(each, str) for each in read):
        yield from (each.upper() for each in read)
    else:
        yield from ("GET", "HEAD", "POST")


def _decorator_name(node: ast.expr) -> str:
    return _last_name(node.func if isinstance(node, ast.Call) else node)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _names_of(call: Call) -> Iterator[str]:
    """The names that the result of a call is bound to."""
    statement = call.file.parent(call.node)
    targets: list[Any] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    yield from filter(None, map(_last_name, targets))


def _settings(file: PythonFile) -> Iterator[Setting]:
    for node in file.nodes:
        found: list[tuple[str, Any, ast.expr | None, Any]] = []
        match node:
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))], value=value):
                found = [(key, node, value, None)]
            case ast.Assign(targets=[ast.Name(id=key)], value=value):
                found = [(key, node, value, None)]
            case ast.AnnAssign(target=ast.Name(id=key), value=value):
                found = [(key, node, value, None)]
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=key) as where, value],
            ):
                found = [(key, where, value, node)]
            case ast.Call(keywords=keywords):
                found = [(k.arg or "", k, k.value, node) for k in keywords]
            case ast.Dict(keys=keys, values=values):
                found = [
                    (k.value, k, v, node)
                    for k, v in zip(keys, values, strict=True)
                    if isinstance(k, ast.Constant) and isinstance(k.value, str)
                ]
            case _:
                pass
        for key, where, value, holder in found:
            if value is not None and (key in OPTION_OF_KEY or key == DEAD_KEY):
                if isinstance(where, ast.stmt) and isinstance(where, (ast.Assign, ast.AnnAssign)):
                    function = file.function(where)
                    target = where.targets[0] if isinstance(where, ast.Assign) else where.target
                    if isinstance(target, ast.Name) and function is not file.tree:
                        continue  # a local variable
                yield Setting(file, key, where, value, holder)
