"""The settings file, which is followed while the app runs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import PurePath
from typing import Any, cast

from flask_corsguard.config import (
    SETTINGS_FILE,
    Arguments,
    Configured,
    Settings,
    combined,
    read_config,
    read_configured,
    winning,
)
from flask_corsguard.errors import PolicyError, Problem, in_words
from flask_corsguard.lock import Lock
from flask_corsguard.protocol.audiences import policies_of, resolve
from flask_corsguard.protocol.field_names import unknown_field
from flask_corsguard.protocol.policy import FIELDS
from flask_corsguard.text import described, text_of
from flask_corsguard.watched_file import (
    LARGEST_FILE,
    WatchedFile,
    WatchedFileError,
    read_json,
    read_toml,
)

_NAMES = (*FIELDS, "policy", "policies", "paths", "report_only")
_EMPTY = "it is empty, as a failed write would leave it. To allow nobody, write origins = []."
# How the tables are written that people take for lists, or for tables of tables.
_TABLES = {
    "paths": '[paths."/api"]',
    "policies": "[policies.partners]",
    "policy": "[policies.partners]",
    "report_only": "[report_only]",
}
# What is not TOML, or not JSON -> what to write.
_TOML_HINTS = {
    r"[\u201c\u201d]": "Quotes must be straight.",
    r"=\s*(True|False)\b": "TOML writes true and false in lower case.",
    r"=\s*(None|null)\b": "TOML has no null: leave the line out, or write [] for none.",
    r"(?m)^(\[\w+\.|\s*)/[^\s\]]*": 'Quote the path, as in [paths."/api"].',
    r"(?m)^[^\"'#\n]*[\s\]\"]//": "Comments begin with #.",
    r"=\s*(?!true|false|inf|nan)[A-Za-z*]": 'Strings need quotes, as in "https://app.example.com".',
}
_JSON_HINTS = {
    r",\s*[\]}]": "There is a comma too many, before ] or }.",
    r"(?<!:)//|/\*": "JSON has no comments.",
    r"'": "JSON has double quotes.",
    r"^\s*\w+\s*=": "For TOML, the file's name must end with .toml.",
}
# What to write in Python, in the message of a problem.
_PYTHON_BOOL = re.compile(r"\b(True|False) \(FLASK_\w+=\w+ in the environment[^)]*\)")
_PYTHON_FIELD = re.compile(r"\b(\w+)=(True|False)\b")
_PYTHON_POLICY = re.compile(r'CorsGuard\(app, policies=\{("[^"]+"): Policy\(\.\.\.\)\}\)')
_BARE_KEY = re.compile(r'"[A-Za-z0-9_-]+"')
# In seconds: how often the file is looked at; how often while a change settles; how long it does.
_INTERVAL, _SHORT_INTERVAL, _SETTLE = 1.0, 0.2, 1.0
# In seconds: how late a look may be before other requests wait for it; how long they wait.
_LATE, _PATIENCE = 0.5, 0.25


class Candidate:
    """The file that ``flask cors validate`` has an app read instead of its settings file.

    :ivar is_used: whether an app has read it.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.content = content
        self.is_used = False


#: Read instead of every settings file, if there is one.
candidate: ContextVar[Candidate | None] = ContextVar("flask_corsguard_candidate", default=None)


def read_settings_file(config: Mapping[str, Any], arguments: Arguments) -> SettingsFile:
    """Read the settings of an app, with the settings file that ``app.config`` names.

    :param config: ``app.config``.
    :param arguments: the constructor's arguments.
    :raises PolicyError: with every problem found anywhere in the settings.
    """
    problems: list[Problem] = []
    in_code = read_config(config, arguments, problems)
    path: object = config.get(SETTINGS_FILE)
    if isinstance(path, PurePath):
        path = str(path)
    if not isinstance(path, str) or not path.strip():
        message = (
            f"{text_of(path)} is not the path of a file. Write one, such as '/etc/shop/cors.toml'."
        )
        raise PolicyError(
            [*problems, Problem("wrong_type", "settings_file", path, message, where=SETTINGS_FILE)]
        )
    return SettingsFile(path, in_code, problems)


class SettingsFile:
    """The settings file of one app.

    :param in_code: what is set elsewhere.
    :param problems: the problems of that.
    :raises PolicyError: with every problem found anywhere in the settings.
    :ivar path: the file's path.
    :ivar start: the settings at the start.
    :ivar when_read: when the content in force was read, in Unix seconds.
    :ivar next_look: when to look at the file again, on the clock of ``time.monotonic()``.
    """

    def __init__(self, path: str, in_code: Settings, problems: list[Problem]) -> None:
        self._in_code = in_code
        self._watched = WatchedFile(path, _SETTLE)
        self._pid = os.getpid()
        self._alone = Lock()
        # The process with a look under way, which a signal can interrupt and a fork can copy.
        self._looking_in: int | None = None
        self.path = self._watched.path
        self.next_look = 0.0
        instead = candidate.get()
        if instead:
            instead.is_used = True
        try:
            content = instead.content if instead else self._watched.read()
        except WatchedFileError as error:
            raise PolicyError([*problems, _unusable(self.path, str(error))]) from error
        self.when_read = time.time()
        name = instead.name if instead else self.path
        # The file that was read last, and how it is written.
        self._read = name, _is_json(name, content)
        self.start = _settings(in_code, name, content, problems)
        # The version of the content that was read last, in force or not. It is set at the end of a
        # look: one that is interrupted, or that only the parent process finishes, is repeated.
        self._version = self._watched.version
        # What is wrong with that content, and with the file as it is now.
        self._mistake: str | None = None
        self._obstacle: str | None = None

    @property
    def last_mistake(self) -> str | None:
        """Why the file as it is now is not in force, in words; None if it is."""
        return self._obstacle or self._mistake

    def settings(self, name: str, content: bytes) -> Settings:
        """The settings if the file had another content.

        :param name: what to call the file in messages.
        :raises PolicyError: with every problem found anywhere in the settings.
        """
        self._read = name, _is_json(name, content)
        return _settings(self._in_code, name, content, [])

    def as_written(self, problem: Problem) -> Problem:
        """A problem of the policy table; if the file can solve it, with what to write there."""
        name, is_json = self._read
        if problem.code != "unknown_policy" and f" in {name}" not in problem.where:
            return problem
        return _as_written(problem, is_json=is_json)

    def lifted_checks(self, settings: Settings) -> list[tuple[str, str]]:
        """The fields in a file that lift a check, as (place, field).

        :param settings: the settings with that file.
        """
        without = combined(self._in_code, Configured(), [])
        return sorted(_lifted_checks(settings) - _lifted_checks(without))

    def _too_late(self, settings: Settings) -> list[Problem]:
        """The problems of fields that can be switched on only when the app starts."""
        message = (
            "this lifts a check, so it counts only if it was on when the app started. Leave it out,"
            " or restart the app."
        )
        return [
            Problem("restart_needed", field, True, message, where=f"{self.path}, {place}")
            for place, field in sorted(_lifted_checks(settings) - _lifted_checks(self.start))
        ]

    def follow(self, put_in_force: Callable[[Settings], object]) -> tuple[Problem, ...]:
        """Look at the file if it is time, and put a change in force.

        :param put_in_force: raises PolicyError if the settings do not fit the app's routes.
        :returns: the problems of the file, the first time they are found.
        """
        is_late = time.monotonic() >= self.next_look + _LATE
        with self._alone.unless_taken(_PATIENCE if is_late else 0) as is_alone:
            now = time.monotonic()
            if not is_alone and is_late:  # further requests do not wait for this look
                self.next_look = now + _INTERVAL
            if not is_alone or now < self.next_look or self._looking_in == os.getpid():
                return ()
            self._looking_in = os.getpid()
            if self._pid != os.getpid():
                # A thread of the parent may have read a change, which it puts in force only there.
                self._pid, self._watched = os.getpid(), WatchedFile(self.path, _SETTLE)
            is_done = False
            try:
                problems = self._look(put_in_force)
                is_done = True
            finally:
                if not is_done:  # interrupted by a time-out of the server
                    self._watched = WatchedFile(self.path, _SETTLE)
                self.next_look = now + (_SHORT_INTERVAL if self._watched.pending else _INTERVAL)
                self._looking_in = None
            return tuple(problems)

    def _look(self, put_in_force: Callable[[Settings], object]) -> Sequence[Problem]:
        before, self._obstacle = self._obstacle, None
        try:
            content = self._watched.look()
        except WatchedFileError as error:
            self._obstacle = str(error)
            return [_unusable(self.path, str(error))] if self._obstacle != before else ()
        if content is None or self._watched.version == self._version:
            return ()
        self._mistake = None  # so that what is put in force has none
        problems = self._change(content, put_in_force)
        self._version = self._watched.version
        self._mistake = in_words(problems, self.path) or None
        if not problems:
            self.when_read = time.time()
        return problems

    def _change(
        self, content: bytes, put_in_force: Callable[[Settings], object]
    ) -> Sequence[Problem]:
        try:
            settings = self.settings(self.path, content)
            problems = self._too_late(settings)
            if not problems:
                put_in_force(settings)
        except PolicyError as error:
            return error.problems
        except Exception as error:
            return [_unusable(self.path, described(error))]
        return problems


def _unusable(name: str, message: str) -> Problem:
    return Problem("settings_file_unusable", "settings_file", name, message, where=name)


def obstacle_to(path: str) -> Problem | None:
    """The problem of a file that workers would not read, whatever is in it. None too for something
    else than a file, such as standard input."""
    if os.path.isfile(path):
        try:
            WatchedFile(path, _SETTLE).read()
        except WatchedFileError as error:
            return _unusable(path, str(error))
    return None


def _settings(in_code: Settings, name: str, content: bytes, problems: list[Problem]) -> Settings:
    """The settings, with the content of a settings file.

    :param name: what to call the file.
    :param problems: the problems of what is set elsewhere.
    :raises PolicyError: with every problem.
    """
    if not content.strip():
        raise PolicyError([*problems, _unusable(name, _EMPTY)])
    try:
        values = _parsed(name, content)
    except ValueError as error:
        code = "settings_file_syntax"
        problem = Problem(code, "settings_file", name, str(error), where=name)
        raise PolicyError([*problems, problem]) from error
    found = [*_misplaced(values)]
    wrong = {problem.field for problem in found}
    unknown = [key for key in values if key not in _NAMES and key not in wrong]
    found += [unknown_field("unknown_key", key, "setting", _NAMES) for key in unknown]
    problems += [problem._replace(where=name) for problem in found]
    of_tables: list[Problem] = []
    file = read_configured(
        name, {key: values[key] for key in values if key not in wrong}, of_tables
    )
    problems += map(_above_the_tables, of_tables)
    problems += _set_twice(file, values, in_code)
    settings = combined(in_code, file, problems)
    if problems:
        is_json = _is_json(name, content)
        raise PolicyError(
            _as_written(each, is_json=is_json) if name in each.where else each for each in problems
        )
    return settings


def _is_json(name: str, content: bytes) -> bool:
    return name.endswith(".json") or content.lstrip().startswith(b"{")


def _as_written(problem: Problem, *, is_json: bool) -> Problem:
    """A problem with what to write in JSON or TOML in place of Python."""

    def field(match: re.Match[str]) -> str:
        value = match[2].lower()
        return f'"{match[1]}": {value}' if is_json else f"{match[1]} = {value}"

    def policy(match: re.Match[str]) -> str:
        name = match[1] if is_json or not _BARE_KEY.fullmatch(match[1]) else match[1][1:-1]
        written = f'"policies": {{{name}: {{...}}}}' if is_json else f"[policies.{name}]"
        return f"{written} in the settings file"

    message = _PYTHON_BOOL.sub(lambda match: match[1].lower(), problem.message)
    message = _PYTHON_POLICY.sub(policy, _PYTHON_FIELD.sub(field, message))
    suggestion = problem.suggestion
    if suggestion in ("True", "False"):
        suggestion = suggestion.lower()
    return problem._replace(message=message, suggestion=suggestion)


def _misplaced(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems of settings in an unknown table, and of tables written in another form."""
    for key, value in values.items():
        if isinstance(value, dict) and key not in _NAMES and not value.keys().isdisjoint(_NAMES):
            message = f"settings stand at the top level. Leave out [{key}]."
            yield Problem("unknown_key", key, value, message)
        elif key in _TABLES and (
            (isinstance(value, list) and value and isinstance(value[0], dict))
            or (key == "policy" and isinstance(value, dict))
        ):
            message = f"write it as {_TABLES[key]}."
            yield Problem("wrong_type", key, value, message)


def _above_the_tables(problem: Problem) -> Problem:
    """The problem of a setting inside a table, where it is not a field, with what to do."""
    if problem.code != "unknown_field" or problem.field not in _TABLES:
        return problem
    message = (
        f"{problem.field!r} is not a field of a policy. Move it to the top level (in TOML, above"
        " the first table)."
    )
    return problem._replace(message=message)


def _hint(name: str, text: str, hints: Mapping[str, str]) -> str:
    """What to write instead of text that is not TOML or JSON, if that is clear."""
    if name.endswith((".yaml", ".yml")):
        return ' YAML is not read: write TOML, such as origins = ["https://app.example.com"].'
    return next((f" {hint}" for pattern, hint in hints.items() if re.search(pattern, text)), "")


def _parsed(name: str, content: bytes) -> Mapping[str, Any]:
    """Read TOML or JSON.

    :raises ValueError: with what is wrong, in words.
    """
    if len(content) > LARGEST_FILE:
        raise ValueError(f"it has more than {LARGEST_FILE:,} bytes.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"it is not UTF-8: {error.reason} in line {line}. Save it as UTF-8."
        ) from error
    if text.startswith("\ufeff"):
        raise ValueError("it begins with a byte order mark. Save it as UTF-8 without one.")
    is_json = _is_json(name, content)
    try:
        values: object = read_json(text) if is_json else read_toml(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply.") from error
    except ValueError as error:
        hint = _hint(name, text, _JSON_HINTS if is_json else _TOML_HINTS)
        raise ValueError(f"it is not {'JSON' if is_json else 'TOML'}: {error}.{hint}") from error
    if not isinstance(values, dict):
        raise ValueError('it must be an object, such as {"origins": []}.')
    return cast("dict[str, Any]", values)


def _set_twice(file: Configured, values: Mapping[str, Any], in_code: Settings) -> Iterator[Problem]:
    """The problems of settings that are set both in the file and elsewhere."""
    assert in_code.in_code is not None
    arguments, config = in_code.in_code
    of_config = [
        *config.fields,
        *(n for n in ("policy", "report_only") if getattr(config, n) is not None),
    ]
    elsewhere = {(name, ""): config.where(name) for name in of_config}
    elsewhere |= {("policies", name): config.where("policies") for name in config.policies}
    elsewhere |= {("paths", prefix): config.where("paths") for prefix in config.paths}
    elsewhere |= {(name, ""): arguments.location for name in winning(arguments)}
    elsewhere |= {("policies", name): arguments.location for name in arguments.policies}
    single = [(name, "") for name in values if name in FIELDS or values[name] is not None]
    several = [*(("policies", name) for name in file.policies), *(("paths", p) for p in file.paths)]
    for field, name in (*single, *several):
        place = elsewhere.get((field, name))
        if place is not None:
            message = f"{place} sets {repr(name) if name else 'it'} too. Set it in one place."
            yield Problem("set_twice", field, name or values[field], message, where=file.file)


def _lifted_checks(settings: Settings) -> set[tuple[str, str]]:
    """The fields that lift a check, where they are on, as (place, field)."""
    places: dict[str, Iterable[Mapping[str, Any]]] = {
        "default policy": (policy.values for policy in policies_of(settings.default))
    }
    if settings.report_only is not None:
        policies = policies_of(settings.report_only.policy)
        places["report_only"] = (policy.values for policy in policies)
    for name, policy in settings.policies.items():
        places[f"policy {name!r}"] = [policy.values]
    for prefix, mark in settings.paths.items():
        places[f"path {prefix!r}"] = [mark.fields]
        if mark.policy is not None:
            with contextlib.suppress(PolicyError):  # found when the table is built
                policies = policies_of(resolve(mark.policy, settings.policies, mark.fields))
                places[f"path {prefix!r}"] = (policy.values for policy in policies)
    return {
        (place, field)
        for place, each in places.items()
        for values in each
        for field, value in values.items()
        if field.startswith("dangerously_") and value
    }
