"""The migration of the files that may belong to one app."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flask_corsguard.compat import CompatError, resource_paths
from flask_corsguard.migrate.configuration import Configuration
from flask_corsguard.migrate.findings import Finding, Migration
from flask_corsguard.migrate.imports import Needs, change_imports
from flask_corsguard.migrate.obstacles import fields_for
from flask_corsguard.migrate.python_file import Expression, PythonFile
from flask_corsguard.migrate.translation import (
    ALL_HEADERS,
    FIELD_OF,
    RESETS,
    Report,
    Value,
    arguments,
    fields_of,
    plain_only,
    quoted,
    short,
    values_of,
)
from flask_corsguard.migrate.uses import Call, Mark, Uses

Fields = dict[str, str]
_DEFAULTS = {"origins": '"*"', "allow_headers": ALL_HEADERS}
_POST = re.compile(rb"[\"']POST[\"']|\.post\(|def post\(")
_NOBODY = "the origins that are given may read what it matches; no site may read the rest."


class Layers(NamedTuple):
    """What the resources of a call come to.

    :ivar default: the options for every path, if there are any.
    :ivar paths: prefix -> options.
    """

    default: dict[str, Value] | None
    paths: dict[str, dict[str, Value]]


class Codemod:
    """What becomes of some files.

    :param roots: the folders that their modules are imported from.
    :param kinds: (path, line) of a call -> what it was given when the app ran, if that is known.
    :param elsewhere: keys of Flask-CORS that are named outside of these files.
    """

    def __init__(
        self,
        files: Iterable[PythonFile],
        roots: list[Path],
        kinds: Mapping[tuple[Path, int], str],
        elsewhere: set[str],
    ) -> None:
        self.uses = uses = Uses(files)
        self._kinds = {
            call.node: kinds.get((call.file.path, call.node.lineno)) or uses.kind_of(call, roots)
            for call in uses.calls
        }
        self._configuration = Configuration(uses, elsewhere)
        self._needs = {file: Needs(file) for file in uses.files}
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        self._places = 0
        # The fields that something further out than a mark may set.
        self._outer = {FIELD_OF[option] for option in self._configuration.options}
        self._bare = [call for call in uses.calls if call.target is None and not call.is_init]
        given = [call for call in uses.calls if call.target is not None]
        self._blueprints = [call for call in given if self._kinds[call.node] == "blueprint"]
        rest = [call for call in given if call not in self._blueprints]
        self._apps = [call for call in rest if not call.is_init]
        # init_app() without options stays as it is, unless configuration has to be asked for.
        self._inits = [
            call for call in rest if call.is_init and (call.options or self._unseen(call))
        ]

    def run(self) -> Migration:
        """Migrate them; or say why not, and change nothing."""
        uses = self.uses
        for file, node in uses.internals:
            report = Report(file, node.lineno)
            report.finding(
                "unusual_use", f"{file.code(node)} is nothing that Flask-CORS promises",
                "what the code does with it decides which sites may read.",
                "use CORS and cross_origin alone, and run this again.",
            )  # fmt: skip
            self._done(report, 0)
        reason = self._why_compat()
        if reason is None:
            self._migrate()
        else:
            self._keep_all(reason)
        self._places += self._configuration.remove_dead()
        if self._findings:
            calls = [*uses.calls, *(mark.call for mark in uses.marks)]
            left = sorted(f"{call.file.path}:{call.node.lineno}" for call in calls)
            note = f"left alone with the findings, as they may be of one app: {', '.join(left)}."
            return Migration((), tuple(self._findings), (note,), 0)
        for file in uses.files:
            change_imports(file, uses.imports.get(file, ()), self._needs[file])
        files = tuple(file.finish() for file in uses.files if file.is_changed)
        return Migration(files, (), tuple(self._notes), self._places)

    # What has to stay as it is, with compat in Flask-CORS's place.

    def _why_compat(self) -> str | None:
        for file, node in self.uses.others:
            return f"{file.path}:{node.lineno}: {file.code(node)} is used as a value"
        for call in self.uses.calls:
            why = self._why_this(call)
            if why:
                return f"{call.file.path}:{call.node.lineno}: {why}"
        if self._configuration.late and self.uses.marks:
            return "a key is set after CORS(app), and counts for @cross_origin alone"
        return self._why_second()

    def _why_this(self, call: Call) -> str:
        """Why a call cannot be written with the guard's own names."""
        file = call.file
        if call.unread:
            return f"{call.unread} only shows when the code runs"
        if not self._kinds[call.node]:
            return f"{file.code(call.target or call.node)} may be an app or a blueprint"
        if "resources" in call.options:
            node = call.options["resources"]
            if not _resources_are_read(file, file.read(node)):
                return f"resources={short(file.code(node))} only shows when the code runs"
            statement = file.statement(call.node)
            if statement is not file.parent(call.node) or not file.is_alone(statement):
                return "the result is used at once"
        if call.is_init and call.options and any(bare.options for bare in self._bare):
            return "options are given both to CORS() and to init_app()"
        return ""

    def _why_second(self) -> str | None:
        """Two calls for one app, of which the second is asked where the first says no."""
        seen: set[tuple[int, str]] = set()
        for call in (*self._apps, *self._blueprints):
            file = call.file
            block = file.block(file.statement(call.node))
            key = (id(block), file.code(call.target or call.node))
            if key in seen:
                return f"{file.path}:{call.node.lineno}: {key[1]} is given to Flask-CORS twice"
            seen.add(key)
        return None

    def _keep_all(self, reason: str) -> None:
        self._notes.append(f"{reason}; so flask_corsguard.compat takes Flask-CORS's place here.")
        for call in (*self.uses.calls, *(mark.call for mark in self.uses.marks)):
            report = Report(call.file, call.node.lineno)
            options = values_of(call.file, call.options)
            options.pop("resources", None)
            fields_of(options, report, beside=self._configuration.values())
            self._findings += report.findings
            self._places += not call.is_init
        self._places += len(self.uses.others)
        for file, imports in self.uses.imports.items():
            self._needs[file].compat = {imported.name for imported in imports}

    # The guard's own names.

    def _migrate(self) -> None:
        uses = self.uses
        for call in (*self._apps, *self._bare, *self._inits):
            self._outer.update(FIELD_OF[name] for name in call.options if FIELD_OF.get(name))
        extra, notes = fields_for(uses.files, self._lets_in_everybody())
        self._notes += notes
        for call in (*self._apps, *self._bare):
            self._app(call, extra)
        for call in self._inits:
            self._init(call)
        for call in self._blueprints:
            self._blueprint(call)
        for mark in uses.marks:
            self._mark(mark)
        for file, node in uses.annotations:
            file.replace(node, self._needs[file].name("CorsGuard"))
        if not (self._apps or self._bare or self._inits) and (uses.marks or self._blueprints):
            self._add_guard(extra)
        for report in self._configuration.rename(self._needs):
            self._done(report)

    def _lets_in_everybody(self) -> bool:
        """Whether Flask-CORS lets everybody read everything, without credentials."""
        narrower = {"origins", "resources", "supports_credentials"}
        calls = [*self._apps, *self._bare, *self._inits]
        return (
            bool(calls)
            and not narrower & self._configuration.options
            and not any(narrower & call.options.keys() or self._unseen(call) for call in calls)
        )

    def _unseen(self, call: Call) -> dict[str, str]:
        target = call.file.code(call.target) if call.target else ""
        if not target or self._kinds[call.node] != "app":
            return {}
        asked = self._configuration.unseen(target)
        return {
            FIELD_OF[option]: code for option, code in asked.items() if option not in call.options
        }

    def _layers(self, call: Call, report: Report) -> Layers:
        file = call.file
        options = values_of(file, call.options)
        resources = options.pop("resources", None)
        layers = Layers(options if resources is None else None, {})
        if resources is None:
            return layers
        given = resources.value
        patterns = given if isinstance(given, dict) else {key: {} for key in _as_list(given)}
        for pattern, node in patterns.items():
            merged = {**options, **values_of(file, file.read_options(node) or {})}
            for prefix in self._prefixes(file, pattern, report):
                if prefix == "/":
                    layers = layers._replace(default=merged)
                else:
                    layers.paths.setdefault(prefix, merged)
        return layers

    def _prefixes(self, file: PythonFile, pattern: Any, report: Report) -> list[str]:
        try:
            return resource_paths(pattern)
        except CompatError as error:
            report.finding(
                "resources", str(error), _NOBODY,
                "write a path, such as '/api/*', and run this again.",
                "take it out, use @cross_origin() on the views that are meant, and run this again.",
            )  # fmt: skip
            return []

    def _default(self, layers: Layers, call: Call, report: Report) -> Fields:
        """The fields of the default policy."""
        if layers.default is None:
            return {}
        beside = self._configuration.values()
        given = fields_of(layers.default, report, beside=beside)
        self._check_methods(layers.default, report)
        unseen = self._unseen(call)
        if unseen:
            report.note(
                "CORS_* keys that do not show here are asked for, in case the configuration has"
                " any: give the values themselves, if you know them."
            )
        configured = {FIELD_OF[option] for option in self._configuration.options}
        return {**_without(_DEFAULTS, configured), **unseen, **given}

    def _paths(self, layers: Layers, default: Fields, report: Report) -> dict[str, Fields]:
        """Prefix -> every field that something further out may set."""
        paths = {
            prefix: fields_of(options, report, beside={})
            for prefix, options in layers.paths.items()
        }
        every = {*default, *self._outer, *_DEFAULTS, *(n for some in paths.values() for n in some)}
        self._outer |= every & set(RESETS)
        return {prefix: {**_only(RESETS, every), **fields} for prefix, fields in paths.items()}

    def _app(self, call: Call, extra: Mapping[str, str]) -> None:
        file, node = call.file, call.node
        report = Report(file, node.lineno)
        layers = self._layers(call, report)
        default = self._default(layers, call, report)
        if call in self._bare and self._inits:  # what is said later counts, and arguments win
            default = _without(default, set(default) - _given(call))
        paths = self._paths(layers, default, report)
        needs = self._needs[file]
        needs.need_re(default)
        name = self._guard_name(call)
        lines: list[str] = []
        for prefix, fields in paths.items():
            needs.need_re(fields)
            lines.append(f"{name}.for_path({', '.join([quoted(prefix), *arguments(fields)])})")
        given = [file.code(call.target)] if call.target else []
        given += arguments({**default, **extra})
        head = f"{name} = " if lines and isinstance(file.parent(node), ast.Expr) else ""
        file.replace(node, head + file.call(node, needs.name("CorsGuard"), given))
        if lines:
            file.add_after(file.statement(node), *lines)
        self._done(report)

    def _init(self, call: Call) -> None:
        """``init_app`` with options: to the guard, these are configuration."""
        file, node = call.file, call.node
        report = Report(file, node.lineno)
        layers = self._layers(call, report)
        default = self._default(layers, call, report)
        paths = self._paths(layers, default, report)
        self._needs[file].need_re(
            {**default, **{n: c for p in paths.values() for n, c in p.items()}}
        )
        settings = [f"CORSGUARD_{argument.upper()}={code}" for argument, code in default.items()]
        if paths:
            listed = (
                f"{quoted(prefix)}: {{{', '.join(f'{quoted(n)}: {c}' for n, c in fields.items())}}}"
                for prefix, fields in paths.items()
            )
            settings.append(f"CORSGUARD_PATHS={{{', '.join(listed)}}}")
        target = file.code(call.target) if call.target else "app"
        file.replace(
            node,
            file.call(node, f"{target}.config.from_mapping", settings)
            + f"{file.newline}{file.indent(node)}{file.code(node.func)}({target})",
        )
        self._done(report)

    def _blueprint(self, call: Call) -> None:
        file = call.file
        report = Report(file, call.node.lineno)
        layers = self._layers(call, report)
        if layers.paths or layers.default is None:
            report.finding(
                "resources", "resources of a blueprint, by path", _NOBODY,
                "leave resources out, if all of the blueprint is meant, and run this again.",
                "use @cross_origin() on the views that are meant, and run this again.",
            )  # fmt: skip
        options = dict(layers.default or {})
        if call.is_init:
            for bare in self._bare:
                options = {**values_of(bare.file, bare.options), **options}
            options.pop("resources", None)
        fields = {
            **_only(RESETS, self._outer),
            **_DEFAULTS,
            **fields_of(options, report, beside={}),
        }
        self._check_methods(options, report)
        needs = self._needs[file]
        needs.need_re(fields)
        target = file.code(call.target) if call.target else ""
        new = file.call(call.node, needs.name("cors"), arguments(fields), f"({target})")
        file.replace(call.node, new)
        self._done(report)

    def _mark(self, mark: Mark) -> None:
        call, file = mark.call, mark.call.file
        report = Report(file, call.node.lineno)
        if mark.is_above_route:
            file.remove_decorator(call.node)
            report.note(
                "@cross_origin stands above the route, where it has no effect, and is taken out."
                " Write @cors(...) if other sites are meant to read this."
            )
            self._done(report)
            return
        reason = call.unread or mark.between
        if self._configuration.unseen("app"):
            reason = reason or "configuration that does not show here"
        if reason:
            self._needs[file].compat.add("cross_origin")
            report.note(f"{reason}: so @cross_origin comes from flask_corsguard.compat here.")
            self._done(report)
            return
        options = values_of(file, call.options)
        configured = {FIELD_OF[option] for option in self._configuration.options}
        given = fields_of(options, report, beside=self._configuration.values())
        # What the configuration says counts for the decorator, what CORS(app) says does not.
        fields = _without({**_only(RESETS, self._outer), **_DEFAULTS}, configured) | given
        self._check_methods(options, report, mark.methods)
        self._check_same_url(mark, report)
        if mark.is_method:
            fields = self._method(mark, fields, report)
        needs = self._needs[file]
        needs.need_re(fields)
        if fields:
            file.replace(call.node, file.call(call.node, needs.name("cors"), arguments(fields)))
        else:
            file.remove_decorator(call.node)
        self._done(report)

    def _method(self, mark: Mark, fields: Fields, report: Report) -> Fields:
        """A decorator on a method of a class, which no preflight reaches."""
        calls = [*self._apps, *self._bare, *self._inits]
        if not calls:
            report.note(
                "preflights do not reach @cross_origin on a method, so that a page can send plain"
                " requests only; take methods and allow_headers out if more is meant."
            )
            return plain_only(fields)
        effective = {
            name: n.value for name, n in values_of(mark.call.file, mark.call.options).items()
        }
        is_same = not self._configuration.options and all(
            {name: v.value for name, v in values_of(call.file, call.options).items()} == effective
            for call in calls
        )
        if is_same or not (fields.keys() - _DEFAULTS.keys() or self._outer - _DEFAULTS.keys()):
            if is_same or (fields == _DEFAULTS and self._lets_in_everybody()):
                return {}
        report.finding(
            "method_decorator", "@cross_origin stands on a method, and the app has CORS too",
            "its preflights get what CORS(app) says, and its responses what this says.",
            "take it out, if CORS(app) is right for it, and run this again.",
        )  # fmt: skip
        return fields

    def _check_methods(
        self, options: Mapping[str, Value], report: Report, accepted: frozenset[str] = frozenset()
    ) -> None:
        """GET and POST pass any preflight, as in the standard; with Flask-CORS only if listed.

        :param accepted: the methods of the view, if they are known.
        """
        given = options.get("methods")
        if given is None or isinstance(given.value, Expression) or given.value is None:
            return
        listed = " ".join(map(str, _as_list(given.value))).upper()
        if listed == "*":
            return
        for method in ("GET", "POST"):
            is_sent = method in accepted
            if not accepted:
                is_sent = method == "POST" and any(
                    _POST.search(file.source.data) for file in self.uses.files if not file.is_test
                )
            if is_sent and method not in listed:
                report.finding(
                    "methods_safelisted", f"{method} is not among the methods",
                    f"a preflight for {method} is refused, though a plain {method} is sent without"
                    " one; the guard follows the standard, and lets it pass.",
                    f"list {method}; or take it out of the route, and run this again.",
                )  # fmt: skip

    def _check_same_url(self, mark: Mark, report: Report) -> None:
        """Flask-CORS answers all preflights of a URL by the view that comes first."""
        for url in mark.urls:
            first = self.uses.first_at(mark.call.file, url)
            if first is None or first is mark.function or self._apps or self._bare or self._inits:
                continue
            others = [other.call for other in self.uses.marks if other.function is first]
            mine = mark.call.file.code(mark.call.node)
            if not others or mark.call.file.code(others[0].node) != mine:
                report.finding(
                    "same_url", f"another view comes first at {url}, and gets its preflights",
                    "a page can send here what the other view's preflights allow, or nothing.",
                    "write the same @cross_origin on both, or one view for all methods.",
                )  # fmt: skip

    def _add_guard(self, extra: Mapping[str, str]) -> None:
        """See that there is a guard: without one, marks mean nothing."""
        marked = {mark.call.file for mark in self.uses.marks}
        marked |= {call.file for call in self._blueprints}
        apps = [made for made in self.uses.apps if made[0] in marked] or [
            made for made in self.uses.apps if not made[0].is_test
        ]
        for file, node in apps:
            statement = file.statement(node)
            target: ast.AST | None = None
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
            elif isinstance(statement, ast.AnnAssign):
                target = statement.target
            if target is not None and getattr(statement, "value", None) is node:
                given = ", ".join([file.code(target), *arguments(extra)])
                file.add_after(statement, f"{self._needs[file].name('CorsGuard')}({given})")
                return
        first = self.uses.marks[0].call if self.uses.marks else self._blueprints[0]
        report = Report(first.file, first.node.lineno)
        report.finding(
            "no_app", "no app is created in what was read, and marks need a guard on it",
            "the origins of the decorators may read; with marks and no guard, no site might.",
            "give the directory of the whole app, not a part of it.",
            "write CORS(app, resources=[]) where the app is made, and run this again.",
        )  # fmt: skip
        self._done(report, 0)

    def _guard_name(self, call: Call) -> str:
        """The variable that holds the guard."""
        statement = call.file.statement(call.node)
        if isinstance(statement, ast.Assign):
            return call.file.code(statement.targets[0])
        if isinstance(statement, ast.AnnAssign):
            return call.file.code(statement.target)
        return "corsguard" if call.file.bound["guard"] else "guard"

    def _done(self, report: Report, places: int = 1) -> None:
        self._findings += report.findings
        self._notes += report.notes
        self._places += places


def _given(call: Call) -> set[str]:
    return {FIELD_OF[name] for name in call.options if FIELD_OF.get(name)}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, dict)) else [value]


def _resources_are_read(file: PythonFile, value: Any) -> bool:
    if isinstance(value, dict):
        return all(file.read_options(options) is not None for options in value.values())
    return not any(isinstance(each, (Expression, list, dict)) for each in _as_list(value))


def _without(fields: Mapping[str, str], names: Iterable[str]) -> Fields:
    left_out = set(names)
    return {name: code for name, code in fields.items() if name not in left_out}


def _only(fields: Mapping[str, str], names: Iterable[str]) -> Fields:
    wanted = set(names)
    return {name: code for name, code in fields.items() if name in wanted}
