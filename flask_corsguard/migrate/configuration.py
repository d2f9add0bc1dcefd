"""What becomes of the ``CORS_*`` keys in ``app.config``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from flask_corsguard.flask_cors_options import CompatError
from flask_corsguard.flask_cors_resources import resource_paths
from flask_corsguard.migrate.imports import Needs
from flask_corsguard.migrate.python_file import Expression
from flask_corsguard.migrate.translation import FIELD_OF, RESETS, Report, Value, fields_of
from flask_corsguard.migrate.uses import DEAD_KEY, OPTION_OF_KEY, Setting, Uses

#: The keys that say who may do what: where they may hold something, it has to be asked for.
_ASKED = {
    "origins": ("CORS_ORIGINS", ', "*"'),
    "allow_headers": ("CORS_ALLOW_HEADERS", ', ["*", "Authorization"]'),
    "methods": ("CORS_METHODS", ""),
}


class Configuration:
    """The keys that Flask-CORS reads in some files.

    :ivar in_force: key -> the places that set it, where Flask-CORS uses it.
    :ivar late: those that are set after ``CORS(app)`` has read the configuration.
    """

    def __init__(self, uses: Uses, elsewhere: set[str]) -> None:
        self._uses = uses
        self._elsewhere = {OPTION_OF_KEY[key] for key in elsewhere}
        self.in_force: dict[str, list[Setting]] = {}
        self.late: list[Setting] = []
        for setting in uses.settings:
            if setting.key == DEAD_KEY or self._is_given(OPTION_OF_KEY[setting.key]):
                continue
            if _is_late(setting, uses):
                self.late.append(setting)
            else:
                self.in_force.setdefault(setting.key, []).append(setting)

    @property
    def why_compat(self) -> str:
        """Why a key cannot be one of the guard's, or ""."""
        if self.late and self._uses.marks:
            late = self.late[0]
            return f"{late.file.path}:{late.value.lineno}: {late.key} is set after CORS(app)"
        for key, some in self.in_force.items():
            for setting in some:
                report = Report(setting.file, setting.value.lineno)
                if key != "CORS_RESOURCES":
                    fields_of({OPTION_OF_KEY[key]: _value(setting)}, report, beside=None)
                if report.compat:
                    return f"{setting.file.path}:{report.line}: {report.compat}"
        return ""

    @property
    def options(self) -> set[str]:
        """The options that are set by keys."""
        return {OPTION_OF_KEY[key] for key in self.in_force}

    def values(self) -> dict[str, Value]:
        """The options that are set, with their values where there is one place that sets them."""
        return {
            OPTION_OF_KEY[key]: Value("", Expression("")) if some[1:] else _value(some[0])
            for key, some in self.in_force.items()
            if key != "CORS_RESOURCES"
        }

    def _is_given(self, option: str) -> bool:
        """Whether every use names an option itself, so that its key counts for nothing."""
        uses = self._uses
        inits = [call for call in uses.calls if call.is_init]
        from_inits = bool(inits) and all(option in init.options for init in inits)
        return all(
            option in call.options or call.is_init or (call.target is None and from_inits)
            for call in uses.calls
        ) and all(option in mark.call.options for mark in uses.marks)

    def unseen(self, target: str) -> dict[str, str]:
        """Fields for what may be in the configuration without being seen: in files of other kinds,
        in the environment, in modules that are named by a string."""
        asked: dict[str, str] = {}
        for option, (key, default) in _ASKED.items():
            is_hidden = self._uses.loads_settings or option in self._elsewhere
            if is_hidden and option not in self.options:
                asked[option] = f'{target}.config.get("{key}"{default})'
        return asked

    def rename(self, needs: Mapping[Any, Needs]) -> list[Report]:
        """Give the keys the names that the guard reads."""
        reports: list[Report] = []
        for key, some in self.in_force.items():
            for setting in some:
                report = Report(setting.file, setting.value.lineno)
                reports.append(report)
                if key == "CORS_RESOURCES":
                    _check_resources(setting, report)
                    if key not in self._uses.read_keys:
                        _remove(setting)
                    continue
                option = OPTION_OF_KEY[key]
                value = _value(setting)
                fields = fields_of({option: value}, report, beside=None)
                needs[setting.file].need_re(fields)
                field = FIELD_OF[option]
                code = fields.get(field, RESETS.get(field, ""))
                if field == "origins" and code == f"{value.code} or ()":
                    code = f'{value.code} or "*"'  # a key that is None counts as left out
                if not field and key not in self._uses.read_keys:
                    _remove(setting)
                elif field and key in self._uses.read_keys:
                    _add(setting, f"CORSGUARD_{field.upper()}", "" if code == value.code else code)
                elif field:
                    _rename(setting, f"CORSGUARD_{field.upper()}")
                    if code != value.code:
                        setting.file.replace(setting.value, code)
        return reports

    def keep(self) -> None:
        """Leave the keys as they are: ``flask_corsguard.compat`` reads them."""
        self.in_force.clear()
        self.late.clear()

    def remove_dead(self) -> int:
        """Take out what Flask-CORS does not read, and say how many there were."""
        dead = [s for s in self._uses.settings if s.key == DEAD_KEY] + self.late
        dead = [setting for setting in dead if setting.key not in self._uses.read_keys]
        for setting in dead:
            _remove(setting)
        return len(dead)


def _value(setting: Setting) -> Value:
    return Value(setting.file.code(setting.value), setting.file.read(setting.value))


def _is_late(setting: Setting, uses: Uses) -> bool:
    """Whether ``CORS(app)`` has read the configuration before, in the same lines of code."""
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


def _check_resources(setting: Setting, report: Report) -> None:
    read = setting.file.read(setting.value)
    try:
        is_everything = isinstance(read, str) and resource_paths(read) == ["/"]
    except CompatError:
        is_everything = False
    if not is_everything:
        report.finding(
            "resources", "CORS_RESOURCES is set by path",
            "the origins that are allowed may read what it matches; no site may read the rest.",
            "give resources to CORS(app) itself, and run this again.",
        )  # fmt: skip


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
    file.replace(target, file.code(target).replace(setting.key, new))


def _add(setting: Setting, new: str, code: str) -> None:
    """The guard's key beside one that the code reads itself."""
    file, node = setting.file, setting.node
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        target = file.code(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        file.add_after(node, f"{target.replace(setting.key, new)} = {code or target}")
        return
    text = code or file.code(setting.value)
    part = f"{new}={text}" if isinstance(node, ast.keyword) else f'"{new}": {text}'
    _, end = file.span(setting.value)
    file.replace_span(end, end, f", {part}")


def _remove(setting: Setting) -> None:
    file, node, holder = setting.file, setting.node, setting.holder
    if isinstance(node, ast.stmt):
        file.remove(node)
    elif isinstance(holder, ast.Call) and isinstance(node, ast.keyword):
        file.remove_part(node, [(each, each) for each in (*holder.args, *holder.keywords)])
    elif isinstance(holder, ast.Dict):
        file.remove_part(node, list(zip(holder.keys, holder.values, strict=True)))
    elif isinstance(statement := file.parent(holder) if holder else None, ast.stmt):
        file.remove(statement)  # app.config.setdefault(...)
