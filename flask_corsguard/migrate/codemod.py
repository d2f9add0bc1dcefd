"""The migration of the files that may belong to one app."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flask_corsguard.flask_cors_options import CompatError, NotInGuardError, compat_fields
from flask_corsguard.flask_cors_resources import resource_paths
from flask_corsguard.migrate.configuration import Configuration
from flask_corsguard.migrate.findings import Finding, Migration
from flask_corsguard.migrate.imports import Needs, change_imports
from flask_corsguard.migrate.obstacles import fields_for, last_words, writes_origin
from flask_corsguard.migrate.python_file import Expression, PythonFile
from flask_corsguard.migrate.recorder import Recorded
from flask_corsguard.migrate.translation import (
    FIELD_OF,
    RESETS,
    Report,
    Value,
    arguments,
    fields_of,
    keyed,
    listed,
    quoted,
    short,
    values_of,
)
from flask_corsguard.migrate.uses import ON_METHOD, Call, Mark, Uses

Fields = dict[str, str]
_NO_EFFECT = (
    "@cross_origin is above the route, where it has no effect, so it is removed. If other sites are"
    " meant to read this, write it below the route."
)
_LEAVES_OUT = "leaves GET or POST out"
_DEFAULTS = {name: RESETS[name] for name in ("origins", "allow_headers")}
_NARROWER = frozenset({"origins", "resources", "supports_credentials"})


class _Edit(NamedTuple):
    """What becomes of one call, if nothing stands in the way.

    :ivar known: the options for each of the resources, if all of them are known.
    """

    report: Report
    default: Fields
    paths: dict[str, Fields]
    known: list[dict[str, Any]]


class Codemod:
    """Migrates some files.

    Everything is first translated to the guard's own names. What these cannot express stays as it
    is, with ``flask_corsguard.compat`` in place of Flask-CORS: one decorator, or everything.

    :param roots: the folders that their modules are imported from.
    :param recorded: (path, line) of a call -> what it handed to Flask-CORS when the app was loaded,
        if it was.
    :param mentioned: keys of Flask-CORS that occur anywhere in the code base.
    """

    def __init__(
        self,
        files: Iterable[PythonFile],
        roots: list[Path],
        recorded: Mapping[tuple[Path, int], list[Recorded]],
        mentioned: set[str],
    ) -> None:
        self.uses = uses = Uses(files)
        self._configuration = Configuration(uses, mentioned)
        self._needs = {file: Needs(file) for file in uses.files}
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        # The fields that a layer outside a mark may set.
        self._outer = {FIELD_OF[option] for option in self._configuration.options}
        self._recorded = {
            call.node: recorded.get((call.file.path.resolve(), call.node.lineno), [])
            for call in uses.calls
        }
        self._kinds = {call.node: self._kind(call, roots) for call in uses.calls}
        if recorded:
            self._notes += (
                f"{call.file.path}:{call.node.lineno}: this code did not run when the app was"
                " loaded."
                for call in uses.calls
                if call.target is not None and not self._recorded[call.node]
            )
        given = [call for call in uses.calls if call.target is not None]
        self._bare = [call for call in uses.calls if call.target is None and not call.is_init]
        self._blueprints = [call for call in given if self._kinds[call.node] == "blueprint"]
        rest = [call for call in given if call not in self._blueprints]
        self._apps = [call for call in rest if not call.is_init]
        # init_app() without options stays as it is.
        self._inits = [call for call in rest if call.is_init and call.options]

    def run(self) -> Migration:
        """Migrate them; or say why not, and change nothing."""
        uses = self.uses
        for report in uses.reports:
            self._take(report)
        nodes = [call.node for call in uses.calls]
        for report in last_words(uses.files, nodes):
            self._take(report)
        edits = {
            call.node: self._edit(call)
            for call in (*self._apps, *self._bare, *self._inits, *self._blueprints)
        }
        reasons = [
            *(f"{file.path}:{node.lineno}: {what}" for file, node, what in uses.others),
            *(self._why_compat(call, edits) for call in uses.calls),
            self._configuration.why_compat,
            self._why_no_app(),
            self._why_keys_stay(),
        ]
        reason = next(filter(None, reasons), "")
        if reason:
            self._keep_all(reason, edits)
        else:
            self._migrate(edits)
        for edit in edits.values():
            self._findings += edit.report.findings
        dead = self._configuration.remove_dead()
        self._notes += (note for report in dead for note in report.notes)
        if self._findings:
            calls = [*uses.calls, *(mark.call for mark in uses.marks)]
            found = {(finding.path, finding.line) for finding in self._findings}
            others = {(call.file.path, call.node.lineno) for call in calls} - found
            left = [f"{path}:{line}" for path, line in sorted(others)]
            note = (
                "also left unchanged, because they may belong to the same app as a finding:"
                f" {', '.join(left)}."
            )
            findings = tuple(dict.fromkeys(self._findings))
            return Migration((), findings, (note,) if left else (), 0)
        for file in uses.files:
            change_imports(file, uses.imports.get(file, ()), self._needs[file])
        changed = [file for file in uses.files if file.is_changed]
        broken = next(filter(None, map(_broken, changed)), None)
        if broken is not None:
            return Migration((), (broken,), (), 0)
        places = len(dead) + len(edits) + len(uses.marks) + len(self._configuration.in_force)
        places = max(places, len(changed))
        return Migration(tuple(f.finish() for f in changed), (), tuple(self._notes), places)

    def _kind(self, call: Call, roots: list[Path]) -> str:
        """``"app"``, ``"blueprint"``, or "" where it cannot be told."""
        known = {each.kind for each in self._recorded[call.node]}
        if known:
            return known.pop() if len(known) == 1 else ""
        return "app" if call.target is None else call.file.kind(call.target, roots)

    # What must stay as it is.

    def _why_compat(self, call: Call, edits: Mapping[ast.Call, _Edit]) -> str:
        """Why a call cannot be written with the guard's own names, or ""."""
        file = call.file
        why = edits[call.node].report.compat if call.node in edits else ""
        statement = file.statement(call.node)
        if call.unread:
            why = f"{short(call.unread)} is known only when the code runs"
        elif not self._kinds[call.node]:
            why = f"{file.code(call.target or call.node)} may be an app or a blueprint"
        elif call.is_init and call.options and not file.is_alone(statement, call.node):
            why = "the return value of the call is used"
        elif call.is_init and call.options and any(bare.options for bare in self._bare):
            why = "options are given both to CORS() and to init_app()"
        elif "resources" in call.options and not file.is_alone(statement, call.node):
            why = "the return value of the call is used"
        elif call in self._blueprints and self._is_asked_in_turn(edits[call.node], edits):
            why = "an origin that it rejects may be allowed by another call"
        elif self._configuration.options and call.node in edits and edits[call.node].paths:
            why = "the configuration also decides what the resources allow"
        elif call in self._apps and self._is_second(call):
            why = "an app may be given to Flask-CORS twice"
        return f"{file.path}:{call.node.lineno}: {why}" if why else ""

    def _why_keys_stay(self) -> str:
        """Why compat's decorators need the keys that the guard would rename, or ""."""
        for mark in self.uses.marks if self._configuration.in_force else ():
            if not (mark.has_no_effect or mark.is_repeated) and (why := self._why_not_native(mark)):
                return f"{mark.call.file.path}:{mark.call.node.lineno}: {why}"
        return ""

    def _why_no_app(self) -> str:
        """Why nothing is known of the app, such as its configuration, or ""."""
        given = [
            *self._apps,
            *(c for c in self.uses.calls if c.is_init and c not in self._blueprints),
        ]
        calls = [*given, *self._blueprints]
        is_made = any(not file.is_test for file, _ in self.uses.apps)
        if self._blueprints and given and not self._is_certain():
            return f"{given[0].file.path}:{given[0].node.lineno}: it depends on a condition"
        if not calls or (is_made and (given or (self._unguarded(()) and not self._bare))):
            return ""
        return f"{calls[0].file.path}:{calls[0].node.lineno}: the app is made elsewhere"

    @staticmethod
    def _is_asked_in_turn(edit: _Edit, edits: Mapping[ast.Call, _Edit]) -> bool:
        """Whether an origin that a blueprint's call rejects may be admitted by another one."""
        return edit.default.get("origins") != '"*"' and any(
            other.default.get("origins", '"*"') != edit.default.get("origins")
            for other in edits.values()
        )

    def _is_second(self, call: Call) -> bool:
        """Whether another call may be for the same app, of which the later one is asked first."""
        others = [c for c in (*self._apps, *self._inits) if c is not call and not c.file.is_test]
        mine = call.file.maker(call.target, call.node)
        targets = {each.target for each in self._recorded[call.node]}
        if targets:
            others = [
                c for c in others if targets & {each.target for each in self._recorded[c.node]}
            ]
        return not call.file.is_test and any(
            (mine is None or (other_maker := other.file.maker(other.target, other.node)) is None
             or mine is other_maker)
            and not (other.file is call.file and call.file.exclude(call.node, other.node))
            for other in others
        )  # fmt: skip

    def _keep_all(self, reason: str, edits: Mapping[ast.Call, _Edit]) -> None:
        self._notes.append(
            f"{reason}. So flask_corsguard.compat replaces Flask-CORS here. Unlike Flask-CORS, it"
            " matches patterns to the end."
        )
        for call in self.uses.calls:
            self._keep(call, edits.get(call.node))
        for edit in edits.values():
            self._notes += edit.report.notes
        for mark in self.uses.marks:
            if mark.has_no_effect or mark.is_repeated:
                mark.call.file.remove_lines(mark.call.node)
                where = f"{mark.call.file.path}:{mark.call.node.lineno}"
                self._notes += [f"{where}: {_NO_EFFECT}"] if mark.has_no_effect else []
            else:
                self._keep(mark.call, None)
        for report in self._configuration.refused():
            self._take(report)
        apps = (*self._apps, *self._bare, *self._inits)
        if self._blueprints and any(edits[call.node].paths for call in apps):
            report = Report(self._blueprints[0].file, self._blueprints[0].node.lineno)
            report.finding(
                "resources", "a blueprint is given to Flask-CORS as well as resources by path",
                "an origin that one of them rejects may read if the other admits it.",
                "write the blueprint's options as resources of the app, and run this again.",
            )  # fmt: skip
            self._take(report)
        for file, imports in self.uses.imports.items():
            self._needs[file].compat = {imported.name for imported in imports}
        self._configuration.keep()

    def _keep(self, call: Call, edit: _Edit | None) -> None:
        """Leave a call or a decorator as it is, and say what compat would refuse of it."""
        report = Report(call.file, call.node.lineno)
        known = edit.known if edit else []
        if call not in self.uses.calls:
            options = values_of(call.file, call.options)
            beside = self._configuration.values()
            fields_of(options, report, beside=beside)
            known = self._all_read({**beside, **options})
        for values in () if report.findings or (edit and edit.report.findings) else known:
            try:
                compat_fields(values)
            except CompatError as error:
                report.finding(
                    "refused", " ".join(str(error).split()), "the same sites as before may read.",
                    "change it as the message says, and run this again.",
                )  # fmt: skip
        self._take(report)
        call.file.remove_keywords(call.node, FIELD_OF)

    # The guard's own names.

    def _migrate(self, edits: Mapping[ast.Call, _Edit]) -> None:
        uses = self.uses
        extra, reports = fields_for(uses.files)
        for report in reports:
            self._take(report)
        for call in (*self._apps, *self._bare):
            self._write_app(call, edits[call.node], extra)
        for call in self._inits:
            self._write_init(call, edits[call.node])
        for call in self._blueprints:
            self._write_blueprint(call, edits[call.node])
        native = [mark for mark in uses.marks if not self._why_not_native(mark)]
        if not self._add_guards(native, extra):
            native = []
        for mark in uses.marks:
            self._write_mark(mark, is_native=mark in native)
        for file, node in uses.annotations:
            file.replace(node, self._needs[file].name("CorsGuard"))
        for report in self._configuration.rename(self._needs):
            self._take(report)
        for edit in edits.values():
            self._notes += edit.report.notes

    def _lets_in_everybody(self) -> bool:
        """Whether Flask-CORS lets everybody read everything, without credentials."""
        calls = [*self._apps, *self._bare, *self._inits]
        return (
            bool(calls)
            and not _NARROWER & self._configuration.options
            and not any(_NARROWER & call.options.keys() for call in calls)
        )

    def _edit(self, call: Call) -> _Edit:
        """Translate the options and resources of a call."""
        file = call.file
        report = Report(file, call.node.lineno)
        options = values_of(file, call.options)
        resources = options.pop("resources", None)
        given = "/*" if resources is None else resources.value
        pairs = keyed(given)
        beside = {} if call in self._blueprints else self._configuration.values()
        default: Fields | None = None
        paths: dict[str, Fields] = {}
        known: list[dict[str, Any]] = []
        for pattern, node in pairs.items():
            own = {} if node is None else file.read_options(node)
            if own is None or isinstance(pattern, Expression):
                shown = short(file.code(call.options["resources"]))
                report.reasons.append(f"resources={shown} is known only when the code runs")
                continue
            merged = {**options, **values_of(file, own)}
            fields = fields_of(merged, report, beside=beside)
            known += self._all_read({**beside, **merged})
            for prefix in _prefixes(pattern, report):
                if prefix != "/" and not re.match(pattern, prefix) and self.uses.may_route(prefix):
                    report.reasons.append(
                        f"resources: {pattern!r} does not match {prefix!r} itself"
                    )
                if prefix == "/":
                    default = fields
                else:
                    paths.setdefault(prefix, fields)
                    beyond = f"{prefix[:-1]}x"
                    if re.match(pattern, f"{prefix}x") or re.match(pattern, beyond):
                        report.note(
                            f"resources: {pattern!r} also matches {prefix}x, say; the guard's"
                            f" {prefix!r} covers whole segments."
                        )
        if call in self._blueprints and (paths or default is None):
            report.reasons.append("resources of a blueprint")
        if default is not None:
            configured = {FIELD_OF[option] for option in self._configuration.options}
            is_app = call not in self._blueprints
            default = {**_without(_DEFAULTS, configured if is_app else ()), **default}
        every = {*(default or ()), *(name for fields in paths.values() for name in fields)}
        self._outer |= every & RESETS.keys()
        paths = {p: {**_only(RESETS, {*_DEFAULTS, *self._outer}), **f} for p, f in paths.items()}
        return _Edit(report, default or {}, paths, known)

    @staticmethod
    def _all_read(options: Mapping[str, Value]) -> list[dict[str, Any]]:
        """The values of some options, if all of them are known."""
        if (
            not all(value.is_read for value in options.values())
            or not options.keys() <= FIELD_OF.keys()
        ):
            return []
        return [{name: value.value for name, value in options.items()}]

    def _write_app(self, call: Call, edit: _Edit, extra: Mapping[str, str]) -> None:
        file, node = call.file, call.node
        default = edit.default
        if call in self._bare and self._inits:  # what is set later counts, and arguments win
            default = _only(default, {FIELD_OF.get(name, "") for name in call.options})
        needs = self._needs[file]
        needs.need_re(default, *edit.paths.values())
        name = file.assigned(node)
        head = ""
        if edit.paths and not name:
            free = ("guard", "corsguard", "cors_guard", "app_guard")
            name = next((each for each in free if not file.bound[each]), free[-1])
            head = f"{name} = "
        given = [file.code(call.target)] if call.target else []
        given += arguments({**default, **extra})
        file.replace(node, head + file.call(node, needs.name("CorsGuard"), given))
        for prefix, fields in edit.paths.items():
            row = ", ".join([quoted(prefix), *arguments(fields)])
            file.add_after(file.statement(node), f"{name}.for_path({row})")

    def _write_init(self, call: Call, edit: _Edit) -> None:
        """Write ``init_app``, whose options the guard reads from the configuration."""
        file, node = call.file, call.node
        self._needs[file].need_re(edit.default, *edit.paths.values())
        settings = [f"CORSGUARD_{name.upper()}={code}" for name, code in edit.default.items()]
        if edit.paths:
            rows = (
                f"{quoted(prefix)}: dict({', '.join(arguments(fields))})"
                for prefix, fields in edit.paths.items()
            )
            settings.append(f"CORSGUARD_PATHS={{{', '.join(rows)}}}")
        target = file.code(call.target) if call.target else "app"
        mapping = file.call(node, f"{target}.config.from_mapping", settings)
        init = f"{file.code(node.func)}({target})"
        file.replace(node, f"{mapping}{file.newline}{file.indent(node)}{init}")

    def _write_blueprint(self, call: Call, edit: _Edit) -> None:
        file = call.file
        fields = edit.default
        if call.is_init:
            for bare in self._bare:
                options = _without(values_of(bare.file, bare.options), ("resources",))
                fields = {**fields_of(options, edit.report, beside={}), **fields}
        fields = {**_only(RESETS, self._outer), **fields}
        needs = self._needs[file]
        needs.need_re(fields)
        target = file.code(call.target) if call.target else ""
        new = file.call(call.node, needs.name("cors"), arguments(fields), f"({target})")
        file.replace(call.node, new)

    def _mark_fields(self, mark: Mark, report: Report) -> Fields:
        options = values_of(mark.call.file, mark.call.options)
        configured = {FIELD_OF[option] for option in self._configuration.options}
        given = fields_of(options, report, beside=self._configuration.values())
        # The decorator follows the configuration, but not CORS(app).
        return _without({**_only(RESETS, self._outer), **_DEFAULTS}, configured) | given

    def _why_not_native(self, mark: Mark) -> str:
        """Why a mark would not do what the decorator does, or ""."""
        call = mark.call
        given = {
            name for other in (*self._apps, *self._bare, *self._inits) for name in other.options
        }
        if mark.has_no_effect or mark.why_compat:
            return mark.why_compat or "it has no effect"
        if self._configuration.is_hidden:
            return "the configuration may have CORS_ keys that are not visible here"
        if (given & self._configuration.options) - call.options.keys():
            return "CORS(app) and the configuration differ"
        if writes_origin(self.uses.files):
            return "the header is written by hand too"
        if not self._is_certain():
            return "whether there is a guard depends on a condition"
        report = Report(call.file, call.node.lineno)
        fields = self._mark_fields(mark, report)
        if "answer_preflight" in fields:
            return "the view responds to OPTIONS itself"
        # A method that no route of the view accepts need not be listed.
        methods = call.file.read(call.options.get("methods") or ast.Constant(None))
        named = {str(name).upper() for name in listed(methods)}
        if mark.methods and mark.methods <= named:
            report.reasons = [why for why in report.reasons if _LEAVES_OUT not in why]
        return report.compat

    def _is_certain(self) -> bool:
        """Whether an app is given to Flask-CORS unconditionally, if one is given at all."""
        calls = [*self._apps, *(call for call in self.uses.calls if call.is_init)]
        branches = (ast.If, ast.Try, ast.For, ast.While, ast.IfExp)
        return not calls or any(
            not any(isinstance(above, branches) for above in call.file.parents(call.node))
            and (call.is_init or call.file.maker(call.target, call.node) is not None)
            for call in calls
        )

    def _write_mark(self, mark: Mark, *, is_native: bool) -> None:
        why = self._why_not_native(mark) or "no app is made here"
        call, file = mark.call, mark.call.file
        report = Report(file, call.node.lineno)
        fields = self._mark_fields(mark, report)
        is_same = self._lets_in_everybody() and not call.unread and fields == _DEFAULTS
        is_same = is_same and not self._outer - _DEFAULTS.keys() and not self._blueprints
        is_same = is_same and self._is_certain() and file.is_plain_decorator(call.node)
        is_same = is_same and not report.compat and mark.why_compat in ("", ON_METHOD)
        if mark.has_no_effect or is_same or mark.is_repeated:
            file.remove_lines(call.node)
            if mark.has_no_effect:
                report.note(_NO_EFFECT)
        elif is_native:
            needs = self._needs[file]
            needs.need_re(fields)
            file.replace(call.node, file.call(call.node, needs.name("cors"), arguments(fields)))
        else:
            report.note(f"{why}. So @cross_origin comes from flask_corsguard.compat here.")
            self._needs[file].compat.add("cross_origin")
            file.remove_keywords(call.node, FIELD_OF)
        self._take(report)

    def _add_guards(self, marks: Sequence[Mark], extra: Mapping[str, str]) -> bool:
        """Add a guard where there is none, because marks have no effect without one.

        :returns: whether there is one now.
        """
        apps = self._unguarded(marks)
        for file, node in apps:
            if target := file.assigned(node):
                name = self._needs[file].name("CorsGuard")
                given = ", ".join([target, *arguments(extra)])
                file.add_after(file.statement(node), f"{name}({given})")
        return bool(apps or self._apps or self._inits or self._bare)

    def _unguarded(self, marks: Sequence[Mark]) -> list[tuple[PythonFile, ast.Call]]:
        """Where apps with marks are made that are not given to Flask-CORS."""
        calls = [*self._apps, *(call for call in self.uses.calls if call.is_init)]
        given = {(call.file, call.file.code(call.target)) for call in calls if call.target}
        routed = {(mark.call.file, name) for mark in marks for name in mark.routed_by}
        marked = {mark.call.file for mark in marks} | {call.file for call in self._blueprints}
        made = [(f, n) for f, n in self.uses.apps if f.assigned(n)]
        made = [(f, n) for f, n in made if marked and (f, f.assigned(n)) not in given]
        here = [(f, n) for f, n in made if f in marked]
        if given or self._bare:
            return [(f, n) for f, n in here if (f, f.assigned(n)) in routed]
        return here or [(f, n) for f, n in made if not f.is_test]

    def _take(self, report: Report) -> None:
        self._findings += report.findings
        self._notes += report.notes


def _broken(file: PythonFile) -> Finding | None:
    """A finding if the changed file would no longer be Python."""
    try:
        file.finish()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        report = Report(file, 1)
        report.finding(
            "unusual_use", f"the changed file would not be Python: {error}",
            "other sites may still do there what Flask-CORS allows.",
            "write the calls to Flask-CORS on separate lines, and run this again.",
        )  # fmt: skip
        return report.findings[0]
    return None


def _prefixes(pattern: Any, report: Report) -> list[str]:
    try:
        return resource_paths(pattern)
    except NotInGuardError as error:
        report.reasons.append(str(error))
    except CompatError as error:
        report.finding(
            "resources", str(error).removeprefix("resources: "),
            "the listed origins may read what it matches; no site may read the rest.",
            "write a path, such as '/api/*', and run this again.",
            "remove it, put @cross_origin() on the views that are meant, and run this again.",
        )  # fmt: skip
    return []


def _without(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = set(names)
    return {name: code for name, code in fields.items() if name not in left_out}


def _only(fields: Mapping[str, str], names: Iterable[str]) -> Fields:
    wanted = set(names)
    return {name: code for name, code in fields.items() if name in wanted}
