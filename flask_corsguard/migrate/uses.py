"""Where Flask-CORS is used, and how: imports, calls, decorators, configuration keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.flask_cors_options import DEFAULTS
from flask_corsguard.migrate.python_file import FUNCTIONS, PythonFile, last_name
from flask_corsguard.migrate.translation import Report, listed

#: Each key that Flask-CORS reads -> the option.
OPTION_OF_KEY: Mapping[str, str] = {f"CORS_{option.upper()}": option for option in DEFAULTS}
#: An old key that no longer has any effect.
DEAD_KEY = "CORS_HEADERS"
_KEYS = frozenset({*OPTION_OF_KEY, DEAD_KEY})
_MODULES = ("flask_cors", "flask.ext.cors", "flask_cors.extension", "flask_cors.decorator")
_NAMES = ("CORS", "cross_origin")
_ROUTES = frozenset({"route", "get", "post", "put", "delete", "patch"})
# Packages whose decorators leave preflights alone.
_HARMLESS = frozenset({"flask_login", "flask_jwt_extended", "flasgger"})
_APPS = frozenset({"Flask", "APIFlask", "OpenAPI"})


#: Why compat is needed for a decorator on a method of a class.
ON_METHOD = "preflights do not reach it on a method"
_OTHER = "another view is at"


class Imported(NamedTuple):
    """One import of Flask-CORS.

    :ivar alias: the part of *node* that imports it.
    :ivar name: what is imported: a name, ``"*"``, or ``""`` for the module itself.
    :ivar local: what it is called here.
    """

    node: ast.Import | ast.ImportFrom
    alias: ast.alias
    name: str
    local: str


class Call(NamedTuple):
    """One call of ``CORS``, or of ``init_app`` on its result.

    :ivar target: the app or blueprint that it is given, or None.
    :ivar options: its options by name.
    :ivar unread: what it is given as ``*`` or ``**``, or without a name, as written.
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

    :ivar has_no_effect: whether it is above the route.
    :ivar why_compat: why one of the guard's own marks would mean something else, or "".
    :ivar methods: the methods that the view's routes accept, where that is plain.
    :ivar is_repeated: whether the same decorator is below it.
    :ivar routed_by: what the view's routes belong to.
    :ivar urls: the URLs of the view's routes.
    """

    call: Call
    has_no_effect: bool
    why_compat: str
    methods: frozenset[str]
    is_repeated: bool
    routed_by: frozenset[str]
    urls: tuple[str, ...]


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

    :ivar calls: the calls of ``CORS``, and of ``init_app`` on its result.
    :ivar others: uses that are neither calls nor decorators, each in words.
    :ivar annotations: uses of ``CORS`` as a type.
    :ivar reports: what is wrong with some uses, whatever becomes of the others.
    :ivar settings: the places that set keys.
    :ivar read_keys: the keys that occur anywhere else.
    :ivar apps: where apps are made.
    :ivar loads_settings: whether the configuration is loaded from something that cannot be seen.
    """

    def __init__(self, files: Iterable[PythonFile]) -> None:
        self.files = list(files)
        self.imports: dict[PythonFile, list[Imported]] = {}
        self.calls: list[Call] = []
        self.marks: list[Mark] = []
        self.others: list[tuple[PythonFile, ast.expr, str]] = []
        self.annotations: list[tuple[PythonFile, ast.expr]] = []
        self.reports: list[Report] = []
        self.settings: list[Setting] = []
        self.read_keys: set[str] = set()
        self.apps: list[tuple[PythonFile, ast.Call]] = []
        self.loads_settings = False
        self._made: set[tuple[PythonFile, str]] = set()
        self._at: dict[tuple[PythonFile, str], list[ast.AST]] = {}
        classes = {*_APPS, *(name for file in self.files for name in _flask_classes(file))}
        for file in self.files:
            self._find_imports(file)
            self._find_apps(file, classes)
        for file in self.files:
            if file.mentions("CORS", "cross_origin", "flask_cors"):
                self._find_uses(file)
        shared = {
            (mark.call.file, url)
            for mark in self.marks
            if mark.why_compat.startswith(_OTHER)
            for url in mark.urls
        }
        self.marks = [
            mark._replace(why_compat=mark.why_compat or "the views at its URL differ")
            if any((mark.call.file, url) in shared for url in mark.urls)
            else mark
            for mark in self.marks
        ]
        bare = {last_name(t) for c in self.calls if not c.target for t in c.file.targets(c.node)}
        for file in self.files:
            if bare:
                self._find_inits(file, bare)
            if file.mentions("CORS_"):
                self._find_settings(file)

    def _find_imports(self, file: PythonFile) -> None:
        found: list[Imported] = []
        for node in file.nodes:
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            if isinstance(node, ast.ImportFrom) and node.level:
                continue
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                full = f"{module}.{alias.name}".lstrip(".")
                local = alias.asname or alias.name
                if module in _MODULES and alias.name in (*_NAMES, "*"):
                    found.append(Imported(node, alias, alias.name, local))
                elif full in _MODULES[:2]:
                    found.append(Imported(node, alias, "", local))
                elif full.startswith(("flask_cors.", "flask.ext.cors.")):
                    self._report(
                        file, node, "unusual_use", f"{file.code(node)} is not a stable part of"
                                                   " Flask-CORS",
                        "which sites may read depends on what the code does with it.",
                        "use only CORS and cross_origin, and run this again.",
                    )  # fmt: skip
        if found:
            self.imports[file] = found

    def _report(
        self, file: PythonFile, node: ast.stmt | ast.expr, code: str, what: str, *words: str
    ) -> None:
        report = Report(file, node.lineno)
        self.reports.append(report)
        report.finding(code, what, *words)

    def _find_apps(self, file: PythonFile, classes: set[str]) -> None:
        for node in file.nodes:
            match node:
                case ast.Call(func=func, args=[_, *_]) if last_name(func) in classes:
                    self.apps.append((file, node))
                    self._made.add((file, file.assigned(node)))
                case ast.Attribute(attr="config", value=of) if "app" in file.code(of).lower():
                    self.loads_settings |= not file.is_test and not _shows(file, node)
                case (
                    ast.FunctionDef(decorator_list=some) | ast.AsyncFunctionDef(decorator_list=some)
                ):
                    for url in _urls(some):
                        self._at.setdefault((file, url), []).append(node)
                case ast.Call(func=ast.Attribute(attr="add_url_rule")):
                    for url in _urls([node]):
                        self._at.setdefault((file, url), []).append(node)
                case _:
                    pass

    def may_route(self, path: str) -> bool:
        """Whether a view may be at exactly this path."""
        exactly = re.compile(rf"[\"']{re.escape(path)}/?[\"']|[\"']/?<path:".encode())
        return any(exactly.search(file.source.data) for file in self.files if not file.is_test)

    def meant(self, file: PythonFile, node: ast.AST) -> str:
        """Which name of Flask-CORS an expression is, or ""."""
        text = file.code(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        for imported in self.imports.get(file, ()):
            if imported.name and text in (
                imported.local,
                *(_NAMES if imported.name == "*" else ()),
            ):
                return text if imported.name == "*" else imported.name
            module, _, name = text.rpartition(".")
            if not imported.name and module == imported.local and name in _NAMES:
                return name
        return ""

    def _find_uses(self, file: PythonFile) -> None:
        for node in file.nodes:
            self._find_passed_on(file, node)
            if file not in self.imports:
                continue
            name = self.meant(file, node)
            above = file.parent(node)
            if not name or isinstance(getattr(node, "ctx", None), ast.Store):
                continue
            use = cast("ast.expr", node)
            if isinstance(above, ast.Call) and above.func is node:
                self._find_call(file, above, name)
            elif name == "CORS" and file.is_annotation(use):
                self.annotations.append((file, use))
            elif isinstance(above, ast.ClassDef):
                self._report(
                    file, use, "unusual_use", f"{above.name} is a subclass of CORS",
                    "which sites may read depends on what it does with its arguments.",
                    "call CORS where it is used, and run this again.",
                )  # fmt: skip
            elif isinstance(above, FUNCTIONS):
                self._report(
                    file, use, "unusual_use", f"{file.code(node)} has no parentheses",
                    "every request to the view fails; no site reads anything.",
                    f"write {file.code(node)}(), and run this again.",
                )  # fmt: skip
            elif not (isinstance(above, ast.Attribute) and self.meant(file, above)):
                self.others.append((file, use, f"{file.code(node)} is used as a value"))

    def _find_call(self, file: PythonFile, node: ast.Call, name: str) -> None:
        call = _read_call(file, node, with_target=name == "CORS")
        around = file.parent(node)
        local = last_name(node.func)
        if isinstance(node.func, ast.Name) and file.bound[local] > 1:
            self.others.append((file, node, f"{local} has another meaning too"))
        elif name == "CORS" and call.target is None and not file.targets(node):
            self.others.append((file, node, f"{file.code(node)} has no name"))
        elif name == "CORS":
            self.calls.append(call)
        elif isinstance(around, FUNCTIONS):
            self.marks.append(self._mark(call, around))
            if node.args and not isinstance(node.args[0], ast.Starred):
                self._report(
                    file, node, "misspelt_option",
                    f"{call.unread} has no name, and Flask-CORS ignores it",
                    "any site on the web may read the responses, as if no option were given.",
                    f"write origins={call.unread}, if that is meant, and run this again.",
                )  # fmt: skip
        else:
            self.others.append((file, node, f"{file.code(node)} is used as a value"))

    def _find_passed_on(self, file: PythonFile, node: ast.AST) -> None:
        """Find uses of Flask-CORS through another module of the project, or through a string."""
        match node:
            case ast.ImportFrom(names=names, module=module) if module not in _MODULES:
                known = {
                    each.local
                    for imports in self.imports.values()
                    for each in imports
                    if each.name in _NAMES
                }
                if any(
                    a.name in known or (a.name == "*" and any(map(file.uses, known))) for a in names
                ):
                    what = f"{file.code(node)} passes on a name of Flask-CORS"
                    self.others.append((file, cast("Any", node), what))
            case ast.Attribute(attr=attr, value=of) if attr in _NAMES and not self.meant(
                file, node
            ):
                if file.is_called(node):
                    what = f"{file.code(of)} passes on a name of Flask-CORS"
                    self.others.append((file, node, what))
            case ast.Call(func=func, args=[ast.Constant(value="flask_cors"), *_]) if last_name(
                func
            ) in ("import_module", "__import__"):
                self._report(
                    file, node, "unusual_use", "Flask-CORS is imported by a string",
                    "which sites may read depends on what the code does with it.",
                    "write from flask_cors import CORS, and run this again.",
                )  # fmt: skip
            case ast.Name(id=name, ctx=ast.Load()):
                modules = [i.local for i in self.imports.get(file, ()) if not i.name]
                above = file.parent(node)
                if name in modules and not (above and self.meant(file, above)):
                    self._report(
                        file, node, "unusual_use", f"{file.code(above or node)} cannot be"
                                                   " translated",
                        "which sites may read depends on what the code does with it.",
                        "use only CORS and cross_origin, and run this again.",
                    )  # fmt: skip
            case _:
                pass

    def _mark(self, call: Call, function: Any) -> Mark:
        file, decorators = call.file, function.decorator_list
        place = decorators.index(call.node)
        names = [last_name(d.func if isinstance(d, ast.Call) else d) for d in decorators]
        routes = [
            number
            for number, each in enumerate(decorators)
            if names[number] in _ROUTES
            and isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
        ]
        others = [
            number
            for number, each in enumerate(decorators)
            if isinstance(each, ast.Call)
            and self.meant(file, each.func) == "cross_origin"
            and number != place
        ]
        mine = self._known_options(call)
        same = [
            number
            for number in others
            if self._known_options(_read_call(file, decorators[number], with_target=False)) == mine
        ]
        why = next(
            (
                f"@{file.code(decorator)} may refuse preflights"
                for decorator, name in zip(decorators[:place], names[:place], strict=True)
                if name not in _ROUTES
                and not file.is_imported(name, _HARMLESS)
                and decorator not in [decorators[n] for n in others]
            ),
            "",
        )
        if len(same) < len(others):
            self._report(
                file, call.node, "unusual_use", "there are two @cross_origin on one view",
                "the lower one decides who may read, the upper one what preflights get.",
                "write one of them, and run this again.",
            )  # fmt: skip
        if not file.is_plain_decorator(call.node):
            why = "it is in parentheses"
        is_passed = any(
            isinstance(node, ast.Name) and node.id == function.name and not file.is_called(node)
            for node in file.nodes
        )
        has_no_effect = bool(routes) and place < min(routes) and not is_passed and not why
        if not routes or (is_passed and place < min(routes)):
            why = "it is not on a route"
        if isinstance(file.parent(function), ast.ClassDef):
            why = ON_METHOD
        elif call.unread:
            why = f"{call.unread} is known only when the code runs"
        self._check_place(call, [decorators[n] for n in routes] if has_no_effect else [])
        # A URL that cannot be seen may be any URL.
        all_of_it = [each for (of, _), some in self._at.items() if of is file for each in some]
        hidden = all_of_it if (file, "") in self._at else []
        for url in _urls(decorators):
            for other in [*self._at.get((file, url), []), *hidden]:
                theirs = [file.code(each) for each in getattr(other, "decorator_list", [])]
                if other is not function and file.code(call.node) not in theirs:
                    why = f"{_OTHER} {url or 'it'}, and may get its preflights"
        methods = {method for number in routes for method in _methods(file, decorators[number])}
        if "OPTIONS" in methods:
            why = "a route of the view accepts OPTIONS"
        routed_by = frozenset(
            file.code(d.func.value)
            for d in decorators
            if isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute)
        )
        return Mark(
            call,
            has_no_effect,
            why,
            frozenset(methods),
            any(number > place for number in same),
            routed_by,
            tuple(_urls(decorators)),
        )

    def _check_place(self, call: Call, routes: list[Any]) -> None:
        """Report a decorator above a route, unless the route is an app's own: a blueprint registers
        its routes later, and sees what the decorator has set on the view."""
        file = call.file
        if not all((file, file.code(route.func.value)) in self._made for route in routes):
            self._report(
                file, call.node, "unusual_use", "@cross_origin is above a route",
                "no page of another site can read it, and its preflights reach the view itself.",
                "move it below the route, if other sites are meant to read this.",
                "otherwise remove it, and run this again.",
            )  # fmt: skip

    @staticmethod
    def _known_options(call: Call) -> dict[str, str]:
        return {n: call.file.code(node) for n, node in call.options.items() if n in DEFAULTS}

    def _find_inits(self, file: PythonFile, bare: set[str]) -> None:
        for node in file.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=of, attr="init_app"), keywords=keywords) if (
                    last_name(of) in bare or any(each.arg in DEFAULTS for each in keywords)
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
            names = [getattr(node, field, None) for field in ("id", "attr", "arg", "name", "value")]
            key = next((name for name in names if isinstance(name, str) and name in _KEYS), "")
            above = file.parent(node)
            if isinstance(node, ast.Constant) and isinstance(above, (ast.Call, ast.Subscript)):
                # An environment variable often has the key's name.
                of = above.func if isinstance(above, ast.Call) else above.value
                if "env" in file.code(of):
                    continue
            if isinstance(node, ast.Constant) and str(node.value).endswith("CORS_"):
                self.loads_settings = True
            if key in _KEYS and written.isdisjoint((node, *file.parents(node))):
                self.read_keys.add(key)


def _flask_classes(file: PythonFile) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.ClassDef) and _APPS.intersection(map(last_name, node.bases)):
            yield node.name


def _read_call(file: PythonFile, node: ast.Call, *, with_target: bool = True) -> Call:
    positional = list(node.args)
    options = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    target = options.pop("app", None) if with_target else None
    if with_target and positional and not isinstance(positional[0], ast.Starred):
        target = positional.pop(0)
    unread = [file.code(argument) for argument in positional]
    for keyword in node.keywords:
        if keyword.arg is None:
            read = file.read_options(keyword.value)
            unread += [] if read is not None else [f"**{file.code(keyword.value)}"]
            options |= read or {}
    if isinstance(target, ast.Constant) and target.value is None:
        target = None
    return Call(file, node, target, options, ", ".join(unread))


def _methods(file: PythonFile, decorator: ast.expr) -> Iterator[str]:
    call = decorator if isinstance(decorator, ast.Call) else None
    name = last_name(call.func if call else decorator)
    if name != "route":
        yield name.upper()
        return
    given = [each.value for each in (call.keywords if call else ()) if each.arg == "methods"]
    read = file.read(given[0]) if given else ["GET"]
    names = listed(read) if isinstance(read, list) else ["GET", "POST"]
    yield from (str(name).upper() for name in names)


def _urls(nodes: list[ast.expr]) -> Iterator[str]:
    """The URLs of routes, without their converters; "" for one that cannot be seen."""
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=[url, *_]) if (
                attr in _ROUTES or attr == "add_url_rule"
            ):
                text = url.value if isinstance(url, ast.Constant) else None
                yield re.sub("<[^>]*>", "<>", text) if isinstance(text, str) else ""
            case _:
                pass


def _shows(file: PythonFile, node: ast.Attribute) -> bool:
    """Whether the code shows which keys a use of a configuration sets, if any."""
    above = file.parent(node)
    match above:
        case ast.Subscript(slice=key, ctx=context):
            return isinstance(key, ast.Constant) or isinstance(context, ast.Load)
        case ast.Attribute(attr="from_object" | "get" | "items" | "keys" | "values" | "copy"):
            return True
        case ast.Attribute(attr="setdefault" | "update" | "from_mapping"):
            call = file.parent(above)
            return (
                isinstance(call, ast.Call)
                and all(_is_plain(file, argument) for argument in call.args)
                and all(keyword.arg for keyword in call.keywords)
            )
        case ast.Call():
            return above.func is not node  # passed on
        case ast.Compare():
            return True
        case _:
            return False


def _is_plain(file: PythonFile, node: ast.expr) -> bool:
    """Whether the code shows which keys there are, or takes them as an argument."""
    if isinstance(node, ast.Dict):
        return all(isinstance(key, ast.Constant) for key in node.keys)
    if isinstance(node, ast.BoolOp):
        return all(_is_plain(file, value) for value in node.values)
    is_argument = isinstance(node, ast.Name) and any(
        isinstance(each, ast.arg) and each.arg == node.id for each in file.nodes
    )
    return isinstance(node, ast.Constant) or is_argument


def _settings(file: PythonFile) -> Iterator[Setting]:
    for node in file.nodes:
        found: list[tuple[Any, Any, ast.expr | None, Any]] = []
        match node:
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))], value=value):
                found = [(key, node, value, None)]
            case (
                ast.Assign(targets=[ast.Name(id=key)], value=value)
                | ast.AnnAssign(target=ast.Name(id=key), value=value)
            ):
                if file.function(node) is file.tree:  # else it is a local variable
                    found = [(key, node, value, None)]
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value=key) as where, value],
            ):
                found = [(key, where, value, node)]
            case ast.Call(keywords=keywords):
                found = [(each.arg, each, each.value, node) for each in keywords]
            case ast.Dict(keys=keys, values=values):
                found = [
                    (key.value, key, value, node)
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant)
                ]
            case _:
                pass
        for key, where, value, holder in found:
            if value is not None and key in _KEYS:
                yield Setting(file, key, where, value, holder)
