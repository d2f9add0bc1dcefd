"""The routes that a code base shows, and what patterns of paths match among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import libcst as cst

from flask_corsguard.migrate.options import DEFAULTS, Trouble
from flask_corsguard.migrate.patterns import is_regex
from flask_corsguard.migrate.places import Places
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import UNREAD, Value, texts_of

ROUTERS = ("route", "get", "post", "put", "delete", "patch")
# What adds routes in a way that is not followed.
_OPAQUE = (
    "add_url_rule", "add_resource", "add_namespace", "add_route", "register_api", "add_view",
    "add_api", "register",
)  # fmt: skip
_EVERYTHING = ("*", "/*", ".*", "/.*", "^/*", "^/.*", "^.*", "^/.*$", "^.*$", "/(.*)", "/.*$")
_CONVERTER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>")
_SAMPLES: Mapping[str, tuple[str, str]] = {
    "int": ("1", "22"), "float": ("1.5", "2.0"), "path": ("x", "1/y-z"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "11111111-0000-4000-8000-000000000000"),
}  # fmt: skip
# A view for all that no other route takes, as single-page apps have.
_CATCH_ALL = re.compile(r"/<path:\w+>")
_MOST_LISTED = 5


class Route(NamedTuple):
    """One route.

    :ivar rule: with all prefixes.
    :ivar function: the view, or None for files.
    :ivar blueprint: the call that made its blueprint, or None.
    :ivar router: what it is registered on, or None where that cannot be told.
    """

    module: Module
    rule: str
    methods: frozenset[str]
    function: cst.FunctionDef | None
    blueprint: cst.CSTNode | None
    router: cst.CSTNode | None = None

    def shares_url(self, other: Route) -> bool:
        """Whether both are at the same URL of the same app, as far as that can be told."""
        is_elsewhere = (
            self.router is not other.router
            and None not in (self.router, other.router)
            and self.blueprint is other.blueprint is None
        )
        return self.shape == other.shape and not is_elsewhere

    @property
    def shape(self) -> str:
        """The rule without the names of its variables."""
        return _CONVERTER.sub(lambda found: f"<{found[1] or ''}>", self.rule)

    def paths_like(self, stem: str) -> Iterator[str]:
        """Paths that the rule matches and that begin like *stem*, as far as there can be some."""
        whole = stem.strip("/")
        first = whole.partition("/")[0] or "x"
        yield _CONVERTER.sub(
            lambda m: f"{whole}/x" if m[1] == "path" else _sample(m[1], 0), self.rule
        )
        yield _CONVERTER.sub(lambda m: _sample(m[1], 0) if m[1] else first, self.rule)

    def paths(self) -> list[str]:
        """Paths that the rule matches."""
        return [
            _CONVERTER.sub(lambda found: _sample(found[1], 0), self.rule),
            _CONVERTER.sub(lambda found: _sample(found[1], 1), self.rule),
        ]


def _sample(converter: str | None, number: int) -> str:
    return _SAMPLES.get(converter or "", ("x", "1-y"))[number]


class Routes:
    """All routes of some modules.

    :ivar routes: those that can be read.
    :ivar parents: blueprint -> the blueprint that it is registered on.
    :ivar opaque: code that adds routes which cannot be, or "".
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self.routes: list[Route] = []
        self.opaque = ""
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._prefixes: dict[cst.CSTNode, str] = {}
        for module in places.modules:
            for node in module.nodes:
                if isinstance(node, cst.Call):
                    self._visit_call(module, node)
        for module in places.modules:
            for node in module.nodes:
                if isinstance(node, cst.FunctionDef):
                    self.routes += self._of_function(module, node)
        for module, app in places.apps:
            prefix = self._keyword(module, app, "static_url_path")
            if isinstance(prefix, str) or not self._has(app, "static_folder", "static_url_path"):
                rule = f"{'/static' if prefix is None else prefix}/<path:filename>"
                methods = frozenset({"GET", "HEAD", "OPTIONS"})
                self.routes.append(Route(module, rule, methods, None, None))
            elif self._has(app, "static_url_path"):
                self.opaque = self.opaque or f"{module.path}:{module.line(app)}"

    def _visit_call(self, module: Module, node: cst.Call) -> None:
        if not isinstance(node.func, cst.Attribute):
            return
        called = node.func.attr.value
        if called == "register_blueprint" and node.args:
            self._register(module, node)
        elif called in _OPAQUE:
            self.opaque = self.opaque or f"{module.path}:{module.line(node)}"

    def _register(self, module: Module, node: cst.Call) -> None:
        bound = self._places.names.resolve(module, node.args[0].value)
        on_blueprint = isinstance(node.func, cst.Attribute) and self._places.is_blueprint(
            module, node.func.value
        )
        if on_blueprint and bound is not None and bound.node is not None:
            outer = self._places.names.resolve(module, cast("cst.Attribute", node.func).value)
            if outer is not None and outer.node is not None:
                self.parents[bound.node] = outer.node
        if (
            bound is None
            or not isinstance(bound.node, cst.Call)
            or not self._places.is_blueprint(module, node.args[0].value)
            or on_blueprint
            or bound.node in self._prefixes
        ):
            self.opaque = self.opaque or f"{module.path}:{module.line(node)}"
            return
        prefix = self._keyword(module, node, "url_prefix")
        own = self._keyword(bound.module, bound.node, "url_prefix")
        found = own if prefix is None else prefix
        if found is UNREAD or self._has(bound.node, "static_folder"):
            self.opaque = self.opaque or f"{module.path}:{module.line(node)}"
        else:
            self._prefixes[bound.node] = str(found or "")

    def _keyword(self, module: Module, node: cst.Call, name: str) -> Any:
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value == name:
                return self._places.reader.evaluate(module, argument.value)
        return None

    def _has(self, node: cst.Call, *names: str) -> bool:
        return any(a.keyword is not None and a.keyword.value in names for a in node.args)

    def _of_function(self, module: Module, function: cst.FunctionDef) -> Iterator[Route]:
        for decorator in function.decorators:
            call = decorator.decorator
            if not isinstance(call, cst.Call) or not is_router(call):
                continue
            base = call.func.value if isinstance(call.func, cst.Attribute) else call.func
            rule = self._places.reader.evaluate(module, call.args[0].value) if call.args else UNREAD
            bound = self._places.names.resolve(module, base)
            on_blueprint = self._places.is_blueprint(module, base)
            blueprint = bound.node if bound is not None and on_blueprint else None
            if not isinstance(rule, str):
                self.opaque = self.opaque or f"{module.path}:{module.line(decorator)}"
                continue
            prefix = self._prefixes.get(blueprint, "") if blueprint is not None else ""
            full = f"{prefix.rstrip('/')}/{rule.lstrip('/')}" if prefix else rule
            router = bound.node if bound is not None else None
            methods = self._methods(module, call)
            yield Route(module, full, methods, function, blueprint, router)

    def _methods(self, module: Module, call: cst.Call) -> frozenset[str]:
        named = call.func.attr.value if isinstance(call.func, cst.Attribute) else "route"
        if named != "route":
            return frozenset({named.upper(), *(("HEAD",) if named == "get" else ()), "OPTIONS"})
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == "methods":
                methods = self._places.reader.evaluate(module, argument.value)
                if isinstance(methods, (list, tuple)):
                    return frozenset(str(m).upper() for m in methods) | {"OPTIONS"}  # pyright: ignore
                return frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
        return frozenset({"GET", "HEAD", "OPTIONS"})


def router_of(node: cst.CSTNode) -> cst.BaseExpression | None:
    """The app or blueprint that a decorator registers a route on; None if it does not."""
    if (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value in ROUTERS
    ):
        return node.func.value
    return None


def is_router(node: cst.CSTNode) -> bool:
    """Whether a decorator registers a route."""
    return router_of(node) is not None


class Pattern(NamedTuple):
    """One entry of ``resources``."""

    text: str
    options: Mapping[str, Any]
    compiled: re.Pattern[str] | None

    def matches(self, path: str) -> bool:
        """Whether Flask-CORS takes *path* for this entry's."""
        if self.compiled is not None:
            return self.compiled.match(path) is not None
        return path == self.text

    @property
    def is_everything(self) -> bool:
        """Whether every path matches."""
        return self.compiled is not None and self.text in _EVERYTHING

    @property
    def stem(self) -> str:
        """What the pattern seems to say that a path begins with."""
        return re.sub(r"(/?\(?\.?\*\)?|/)?\$?$", "", self.text.removeprefix("^")) or "/"

    def goes_beyond(self, rule: str) -> bool:
        """Whether a rule matches that one would not expect to."""
        return rule != self.stem and not rule.startswith(self.stem.rstrip("/") + "/")


def patterns_of(resources: Any) -> list[Pattern] | None:
    """The entries of ``resources``, in the order that Flask-CORS tries them in; None if they
    cannot be read."""
    given: dict[Any, Any]
    if isinstance(resources, dict):
        given = resources  # pyright: ignore[reportUnknownVariableType]
    else:
        entries = resources if isinstance(resources, (list, tuple)) else [resources]  # pyright: ignore
        given = {entry: {} for entry in entries}  # pyright: ignore[reportUnknownVariableType]
    patterns: list[Pattern] = []
    for key, options in given.items():
        text: Any = cast("Any", key).pattern if isinstance(key, re.Pattern) else key
        if not isinstance(text, str) or not isinstance(options, dict):
            return None
        text = ".*" if text == "*" else text
        try:
            is_pattern = isinstance(key, re.Pattern) or is_regex(text)
            compiled = re.compile(text) if is_pattern else None
        except re.error:
            return None
        patterns.append(Pattern(text, options, compiled))  # pyright: ignore
    if isinstance(resources, dict):
        patterns.sort(key=lambda p: (p.compiled is not None, -p.text.count("/"), -len(p.text)))
    return patterns


class Assigned(NamedTuple):
    """What patterns decide about.

    :ivar routes: number of a pattern -> its routes.
    :ivar partly: views for all that no other route takes, which a pattern matches a part of.
    """

    routes: dict[int, list[Route]]
    partly: list[Route]


def assign(
    patterns: list[Pattern], routes: Routes, options: Mapping[str, Value], line: int
) -> Assigned | Trouble:
    """Which routes each pattern decides about, or why that cannot be told for sure.

    :param options: those that hold for all patterns.
    """
    assigned = Assigned({}, [])
    reason, is_unseen = "", False
    if routes.opaque:
        reason = f"routes are added at {routes.opaque} that cannot be read"
    for route in routes.routes:
        paths = [p for pattern in patterns for p in route.paths_like(pattern.stem)]
        found = {_first(patterns, path) for path in (*paths, *route.paths())}
        if len(found) > 1 and None in found and _CATCH_ALL.fullmatch(route.rule):
            assigned.partly.append(route)  # closed afterwards, as it is for most paths today
        elif len(found) > 1:
            reason = reason or f"a pattern matches a part of {route.rule} only"
        elif (index := found.pop()) is not None:
            assigned.routes.setdefault(index, []).append(route)
    for index, pattern in enumerate(patterns):
        matched = assigned.routes.get(index, [])
        is_unseen = is_unseen or not (matched or pattern.is_everything)
        reason = reason or _oddity(pattern, matched)
    if not reason:
        return assigned
    today = _today(patterns, routes, options)
    choices: tuple[str, ...] = (
        "give a blueprint with these routes to CORS(blueprint, ...), and run this again.",
        "write @cross_origin(...) on each view that is meant, and run this again.",
        "leave resources out, if every route may have these options.",
    )
    if is_unseen:
        whole = "give the directory of the whole app, if its routes are in other files."
        choices = (whole, *choices)
    return Trouble("resources", line, reason, today, choices)


def _oddity(pattern: Pattern, matched: list[Route]) -> str:
    """What is odd about the routes that a pattern matches, or ""."""
    if pattern.is_everything:
        return ""
    if not matched:
        return f"{pattern.text!r} matches no route that can be seen"
    beyond = [route.rule for route in matched if pattern.goes_beyond(route.rule)]
    if beyond:
        return f"{pattern.text!r} also matches {', '.join(beyond[:_MOST_LISTED])}"
    if any(route.function is None for route in matched):
        return f"{pattern.text!r} matches the static files"
    return ""


def _first(patterns: list[Pattern], path: str) -> int | None:
    return next((n for n, pattern in enumerate(patterns) if pattern.matches(path)), None)


def _today(patterns: list[Pattern], routes: Routes, options: Mapping[str, Value]) -> str:
    """Who may read which routes."""
    rules: dict[int | None, list[str]] = {}
    for route in routes.routes:
        rules.setdefault(_first(patterns, route.paths()[0]), []).append(route.rule)
    said: list[str] = []
    for index, pattern in enumerate(patterns):
        if index in rules:
            given = {**DEFAULTS, **options, **cast("Mapping[str, Value]", pattern.options)}
            said.append(f"{_who(given)} may read {_listed(rules[index])}")
    if None in rules:
        is_one = len(rules[None]) == 1
        said.append(
            f"{_listed(rules[None])} {'is' if is_one else 'are'} closed: no site can read"
            f" {'it' if is_one else 'them'}"
        )
    return f"{'; '.join(said) or 'no route can be seen that a site may read'}."


def _who(options: Mapping[str, Value]) -> str:
    origins = options["origins"]
    is_any = any(text in ("*", ".*") for text in texts_of(origins.value))
    who = "any site on the web" if is_any else f"the sites of {' '.join(origins.code.split())}"
    credentials = options.get("supports_credentials")
    is_user = credentials is not None and credentials.value
    return f"{who}, as whoever is signed in," if is_user else who


def _listed(rules: list[str]) -> str:
    more = f" and {len(rules) - _MOST_LISTED} more" if len(rules) > _MOST_LISTED else ""
    return ", ".join(sorted(rules)[:_MOST_LISTED]) + more
