"""The migration of ``CORS_*`` keys in ``app.config``."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from flask_corsguard.flask_cors_options import CompatError, compat_fields
from flask_corsguard.flask_cors_resources import resource_paths
from flask_corsguard.migrate.imports import Needs
from flask_corsguard.migrate.python_file import Expression
from flask_corsguard.migrate.translation import (
    FIELD_OF,
    RESETS,
    Report,
    Value,
    fields_of,
    quoted,
    short,
)
from flask_corsguard.migrate.uses import DEAD_KEY, OPTION_OF_KEY, Call, Setting, Uses


class Configuration:
    """The keys that Flask-CORS reads in some files.

    :param mentioned: the keys that occur anywhere in the code base.
    :ivar in_force: key -> the places that set it, where Flask-CORS uses it.
    :ivar late: the places that set one after ``CORS(app)`` has read the configuration.
    """

    def __init__(self, uses: Uses, mentioned: set[str]) -> None:
        self._uses = uses
        self.in_force: dict[str, list[Setting]] = {}
        self.late: list[Setting] = []
        for setting in uses.settings:
            if setting.key == DEAD_KEY or self._is_given(OPTION_OF_KEY[setting.key]):
                continue
            if _is_late(setting, uses):
                self.late.append(setting)
            else:
                self.in_force.setdefault(setting.key, []).append(setting)

        known = {*self.in_force, *(setting.key for setting in self.late)}
        self._hidden = {OPTION_OF_KEY[key] for key in mentioned - known}

    @property
    def why_compat(self) -> str:
        """Why a key cannot be one of the guard's, or ""."""
        if self.late and self._uses.marks:
            late = self.late[0]
            return f"{late.file.path}:{late.value.lineno}: {late.key} is set after CORS(app)"
        if self.is_hidden:
            return "the configuration may have CORS_ keys that are not visible here"
        for setting in (setting for some in self.in_force.values() for setting in some):
            report = Report(setting.file, setting.value.lineno)
            if setting.key in self._uses.read_keys:
                report.reasons.append(f"the code uses {setting.key} in other ways too")
            elif not (FIELD_OF[OPTION_OF_KEY[setting.key]] or setting.key == "CORS_RESOURCES"):
                pass
            elif setting.key == "CORS_AUTOMATIC_OPTIONS" or _value(setting).value is None:
                report.reasons.append(f"{setting.key} is {short(setting.file.code(setting.value))}")
            elif not _is_certain(setting, self._uses):
                report.reasons.append(f"{setting.key} may be set later, or not at all")
            elif setting.key == "CORS_RESOURCES":
                report.reasons.append(
                    ""
                    if _is_everything(setting)
                    else f"{setting.key} has options for some paths only"
                )
            else:
                fields_of({OPTION_OF_KEY[setting.key]: _value(setting)}, report, beside=None)
            if report.compat:
                return f"{setting.file.path}:{report.line}: {report.compat}"
        return ""

    @property
    def options(self) -> set[str]:
        """The options that are set by keys."""
        return {OPTION_OF_KEY[key] for key in self.in_force}

    def values(self) -> dict[str, Value]:
        """The options that are set, with their values if only one place sets them."""
        return {
            OPTION_OF_KEY[key]: _value(some[0])
            if len(some) == 1 and _is_certain(some[0], self._uses)
            else Value("", Expression(""))
            for key, some in self.in_force.items()
            if key != "CORS_RESOURCES"
        }

    def _is_given(self, option: str) -> bool:
        """Whether every use names an option itself, so that its key has no effect."""
        uses = self._uses
        inits = [call for call in uses.calls if call.is_init]
        from_inits = bool(inits) and all(option in init.options for init in inits)
        return all(
            call.is_init or _gives(call, option) or (call.target is None and from_inits)
            for call in uses.calls
        ) and all(option in mark.call.options for mark in uses.marks)

    @property
    def is_hidden(self) -> bool:
        """Whether a key may be in the configuration that cannot be seen: in files of other kinds,
        in the environment, or in modules that a string names."""
        uses = self._uses
        left_out = {option for option in FIELD_OF if not self._is_given(option)}
        return bool((uses.loads_settings and left_out) or left_out & self._hidden)

    def rename(self, needs: Mapping[Any, Needs]) -> list[Report]:
        """Give the keys the names that the guard reads."""
        reports: list[Report] = []
        for setting in (setting for some in self.in_force.values() for setting in some):
            report = Report(setting.file, setting.value.lineno)
            reports.append(report)
            option = OPTION_OF_KEY[setting.key]
            field, value = FIELD_OF[option], _value(setting)
            if not field:
                _remove(setting)
                continue
            fields = fields_of({option: value}, report, beside=None)
            needs[setting.file].need_re(fields)
            code = fields.get(field, RESETS.get(field, ""))
            if option == "origins" and isinstance(setting.node, ast.stmt):
                report.note(
                    "where this setting is not in force, nobody may read; with Flask-CORS,"
                    " everybody may."
                )
            _rename(setting, f"CORSGUARD_{field.upper()}")
            if code != value.code:
                setting.file.replace(setting.value, code)
        return reports

    def refused(self) -> Iterator[Report]:
        """What ``flask_corsguard.compat`` would refuse of the keys."""
        for setting in (setting for some in self.in_force.values() for setting in some):
            option, value = OPTION_OF_KEY[setting.key], _value(setting)
            report = Report(setting.file, setting.value.lineno)
            if not value.is_read or value.value is None or option == "resources":
                continue
            try:
                compat_fields({"origins": ["https://app.example.com"], option: value.value})
            except CompatError as error:
                report.finding(
                    "refused", " ".join(str(error).split()), "the same sites as before may read.",
                    "change it as the message says, and run this again.",
                )  # fmt: skip
                yield report

    def keep(self) -> None:
        """Leave the keys as they are: ``flask_corsguard.compat`` reads them."""
        self.in_force.clear()
        self.late.clear()

    def remove_dead(self) -> list[Report]:
        """Remove the keys that Flask-CORS does not read."""
        reports: list[Report] = []
        for setting in [s for s in self._uses.settings if s.key == DEAD_KEY] + self.late:
            if setting.key not in self._uses.read_keys:
                _remove(setting)
                reports.append(Report(setting.file, setting.value.lineno))
                if setting in self.late:
                    reports[-1].note(
                        f"{setting.key} has no effect after CORS(app), and is removed."
                    )
        return reports


def _gives(call: Call, option: str) -> bool:
    """Whether a call names an option, for each of its resources if need be."""
    given = call.options.get("resources")
    by_resource = call.file.read_options(given) if given is not None else None
    return option in call.options or (
        bool(by_resource)
        and all(
            option in (call.file.read_options(node) or ()) for node in (by_resource or {}).values()
        )
    )


def _value(setting: Setting) -> Value:
    return Value(setting.file.code(setting.value), setting.file.read(setting.value))


def _is_late(setting: Setting, uses: Uses) -> bool:
    """Whether ``CORS(app)`` reads the configuration earlier in the same block."""
    file, node = setting.file, setting.node
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
        return False
    block = file.block(node)
    return any(
        call.file is file
        and (call.is_init or call.target is not None)
        and (statement := file.statement(call.node)) in block
        and block.index(statement) < block.index(node)
        for call in uses.calls
    )


def _is_certain(setting: Setting, uses: Uses) -> bool:
    """Whether a key is set before ``CORS(app)`` reads it: earlier in the same block, or in an
    object from which the configuration is loaded before."""
    file = setting.file
    statement = file.statement(setting.node)
    is_kept = isinstance(setting.node, ast.stmt) and not isinstance(
        getattr(setting.node, "targets", [None])[0], ast.Subscript
    )
    calls = [call for call in uses.calls if call.target is not None]
    for call in calls:
        mine = call.file.statement(call.node)
        block = call.file.block(mine)
        after = block[block.index(mine) + 1 :]
        if is_kept and any("from_object" in call.file.code(each) for each in after):
            return False
        if not is_kept and (call.file is not file or statement not in block[: block.index(mine)]):
            return False
    return is_kept or bool(calls)


def _is_everything(setting: Setting) -> bool:
    read = setting.file.read(setting.value)
    with contextlib.suppress(CompatError):
        return isinstance(read, str) and resource_paths(read) == ["/"]
    return False


def _rename(setting: Setting, new: str) -> None:
    file, node = setting.file, setting.node
    if isinstance(node, ast.keyword):
        start, _ = file.span(node)
        file.replace_span(start, start + len(setting.key), new)
        return
    target: ast.AST = node
    if isinstance(node, ast.Assign):
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    if isinstance(target, ast.Subscript):
        target = target.slice
    file.replace(target, new if isinstance(target, ast.Name) else quoted(new))


def _remove(setting: Setting) -> None:
    file, node, holder = setting.file, setting.node, setting.holder
    if isinstance(node, ast.stmt):
        file.remove(node)
    elif isinstance(holder, ast.Call) and isinstance(node, ast.keyword):
        file.remove_part(node, [(each, each) for each in (*holder.args, *holder.keywords)])
    elif isinstance(holder, ast.Dict):
        file.remove_part(node, list(zip(holder.keys, holder.values, strict=True)))
    elif isinstance(statement := file.parent(holder) if holder else None, ast.Expr):
        file.remove(statement)  # app.config.setdefault(...)
