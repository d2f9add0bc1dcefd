"""Settings without effect: set where the guard does not read them, or after it has read them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

from flask_corsguard.errors import Problem, unknown_name
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.fields import read_listed_origins
from flask_corsguard.protocol.policy import FIELDS, Policy

if TYPE_CHECKING:
    from flask_corsguard.config import Settings

#: The prefix of every configuration key.
PREFIX = "CORSGUARD_"
_FLASK = "FLASK_"
# The prefix of Flask-CORS's keys, and the modules that read them.
_OTHERS = "CORS_"
_READERS = ("flask_cors", "flask_corsguard.compat")
# Prefixes of keys that can only be meant for the guard.
_MEANT_FOR_US = ("CORSGUARD", "CORS_GUARD_", _FLASK + PREFIX)
# CORSGAURD_, CORGUARD_, CROSGUARD_ and the like, which nobody else uses.
_MISSPELT = re.compile(r"C[ORS]{2,3}E?G[UARD]{3,5}S?_")
# Values that are nested more deeply are compared by identity.
_MOST_NESTED = 4
_MOST_NAMED = 5
# The most characters of a .env file that are read.
_LONGEST_ENV_FILE = 100_000
_ENV_LINE = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=", re.MULTILINE)
# What Flask-CORS's settings call a field. Names that other libraries use too are in field_names.
_MEANT_BY_OTHERS = {
    "allow_methods": "methods",
    "allowed_headers": "allow_headers",
    "exposed_headers": "expose_headers",
    "resources": "origins",
    "supports_credentials": "allow_credentials",
}
# Values of other types are left alone: an iterator, say, could be read only once.
_READ = (str, int, list, tuple, set, frozenset, re.Pattern, timedelta)
_IN_TIME = "before CorsGuard(app), or before guard.init_app(app)"


# A policy field, or self_origins, that is set without effect; its value; and where, in words.
_Unused = tuple[str, object, str]


class _Variable(NamedTuple):
    """An environment variable that looks like a setting.

    :ivar name: its whole name.
    :ivar prefix: what stands before ``CORSGUARD_``, in upper case.
    :ivar key: the configuration key that it would become, in upper case.
    :ivar path: the keys below that one, if it is a value in a mapping.
    :ivar value: its value as Flask would read it. It is compared, and never shown.
    """

    name: str
    prefix: str
    key: str
    path: Sequence[str]
    value: object

    @property
    def is_for_flask(self) -> bool:
        """Whether ``app.config.from_prefixed_env()`` would read it."""
        return self.name.startswith(_FLASK + self.key)


class Reading:
    """What ``app.config`` and the environment held when an app's settings were read.

    :param config: ``app.config``.
    :param known: configuration key -> the name of what it sets.
    :param given: the names that the constructor gives, whose keys have no effect.
    :param policies: the names of the policies that the constructor gives.
    :param location: file and line of the constructor's call.
    """

    __slots__ = ("_given", "_keys", "_known", "_location", "_policies", "_variables")

    def __init__(
        self,
        config: Mapping[str, Any],
        known: Mapping[str, str],
        given: Set[str],
        policies: Collection[str],
        location: str,
    ) -> None:
        self._known = known
        self._given = given
        self._policies = policies
        self._location = location
        self._keys = {key: _copied(config[key]) for key in config if is_ours(key)}
        self._variables = _variables()

    def problems(self, config: Mapping[str, Any], settings: Settings) -> Iterator[Problem]:
        """The problems of settings that have no effect, although they would change something.

        :param config: ``app.config`` as it is now.
        """
        in_force = _in_force(settings)
        late = self._late(config)
        variables = {**self._variables, **_variables()}
        from_environment = {v.key for v in variables.values() if v.is_for_flask}
        for key, how in sorted(late.items()):
            name, value = self._known.get(key, ""), config.get(key, self._keys.get(key))
            what = "Call app.config.from_prefixed_env()" if key in from_environment else "Set it"
            if not name:
                problem = unknown_key(key, self._known)
                message = f"{problem.message} {what} {_IN_TIME}."
                yield problem._replace(message=message, where=self._location)
            elif not self._is_given(name, value) and (
                key not in config or _would_change(name, value, in_force)
            ):
                message = (
                    f"it was {how} after init_app() had read app.config, so it has no effect."
                    f" {what} {_IN_TIME}, in tests too{_unless_reconfigured(name)}."
                )
                yield Problem("late_setting", key, value, message, where=self._location)
        for _, variable in sorted(variables.items()):
            if variable.key not in late:
                yield from self._unread(variable, config, in_force)

    def _late(self, config: Mapping[str, Any]) -> dict[str, str]:
        """The keys that are not what they were, and what has happened to them."""
        late: dict[str, str] = {}
        for key in {*self._keys, *(key for key in config if is_ours(key))}:
            if key not in self._keys:
                late[key] = "set"
            elif key not in config:
                late[key] = "removed"
            elif not _is_same(self._keys[key], _copied(config[key])):
                late[key] = "changed"
        return late

    def _unread(
        self, variable: _Variable, config: Mapping[str, Any], in_force: Mapping[str, object]
    ) -> Iterator[Problem]:
        """The problem of an environment variable that was not read, if it is one."""
        name, prefix, key, path, value = variable
        if prefix not in ("", _FLASK):
            return  # another app's, perhaps
        if key not in self._known:
            if prefix:  # without one, it can be anybody's
                known = [_FLASK + each for each in self._known]
                kind = "environment variable"
                problem = unknown_key(name, known, kind, _FLASK + PREFIX)
                yield problem._replace(where=self._location)
        elif (
            not _has(config, (key, *path))
            and not self._is_given(self._known[key], variable)
            and (path or _would_change(self._known[key], value, in_force))
        ):
            call = f"call app.config.from_prefixed_env() {_IN_TIME}"
            if not variable.is_for_flask:
                call = f"name it {'__'.join((_FLASK + key, *path))}, and {call}"
            message = (
                "this environment variable is set, but nothing has put it into app.config. To use"
                f" it, {call}. If it is meant for something else, rename it, or set"
                f" app.config[{key!r}] yourself."
            )
            if name not in self._variables and variable.is_for_flask:
                message = (
                    "this environment variable was set after CorsGuard(app), or init_app(), had"
                    " read app.config. app.run() reads a .env file as late as that: start the app"
                    " with 'flask run', or call load_dotenv() (from dotenv import load_dotenv)"
                    " before app.config.from_prefixed_env()."
                )
            yield Problem("unread_variable", name, name, message, where=self._location)

    def _is_given(self, name: str, value: object) -> bool:
        """Whether the constructor's arguments win over *value* anyway."""
        if name != "policies":
            return name in self._given
        if isinstance(value, _Variable):
            value = dict.fromkeys(value.path[:1]) or value.value
        names = cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {"": None}
        return all(each in self._policies for each in names)

    def without_effect(self, config: Mapping[str, Any], settings: Settings) -> dict[str, str]:
        """The settings that have no effect, for the explanation of a rejection.

        :param config: ``app.config`` as it is now.
        :returns: policy field, ``self_origins`` or ``policy`` -> where it is set without effect, in
            words.
        """
        in_force = _in_force(settings)
        found: dict[str, list[str]] = {}
        for name, value, words in (
            *self._overridden_keys(config, settings),
            *self._overridden_variables(settings),
            *_of_flask_cors(config),
        ):
            is_known = name in FIELDS or name == "self_origins"
            is_given = name == "policy" and name in self._given
            if is_given or (is_known and _would_change(name, value, in_force)):
                found.setdefault(name, []).append(words)
        return {name: ", ".join(words[:_MOST_NAMED]) for name, words in found.items()}

    def of_flask_cors(
        self,
        config: Mapping[str, Any],
        settings: Settings,
        policies: Callable[[], Iterable[Policy]],
    ) -> list[str]:
        """The keys of Flask-CORS that are set although nothing here reads them, each with what to
        set instead. Keys for fields that the default policy sets are left out, and so are values
        that some policy has, because the app may have read these keys itself.

        :param config: ``app.config`` as it is now.
        :param policies: returns every policy that may decide.
        """
        found: list[str] = []
        for key, value in config.items() if sys.modules.keys().isdisjoint(_READERS) else ():
            name = _meant_by(key.removeprefix(_OTHERS).lower()) if _is_of_flask_cors(key) else ""
            is_set = name in self._given or name in settings.written.fields
            if not name or is_set or value is None or value is False or _is_same(value, ""):
                continue
            if all(_would_change(name, value, policy.values) for policy in policies()):
                is_variable = _FLASK + key in os.environ
                prefix, where = (_FLASK, "the environment") if is_variable else ("", "app.config")
                ours = f"{prefix}{_our_key(key, name)}{_value_meant(key)}"
                found.append(f"{prefix}{key} in {where} (set {ours} instead)")
        return found[:_MOST_NAMED]

    def in_env_file(self, config: Mapping[str, Any]) -> list[str]:
        """The variables of a .env file that would change something if they were loaded, each with
        how to load them.

        :param config: ``app.config`` as it is now.
        """
        load = "call load_dotenv() before app.config.from_prefixed_env()"
        found: list[str] = []
        for variable in _names_in_env_file():
            key = variable.removeprefix(_FLASK)
            is_read = variable in os.environ or key in config or variable == key
            if key in self._known and not is_read and self._known[key] not in self._given:
                found.append(f"{variable} in .env ({load})")
        return found[:_MOST_NAMED]

    def _overridden_keys(self, config: Mapping[str, Any], settings: Settings) -> Iterator[_Unused]:
        for key, name in self._known.items():
            if key in config and name not in settings.configured:
                wins = self._location if name == "self_origins" else settings.source
                yield name, config[key], f"{key} in app.config ({wins} sets it too, and wins)"

    def _overridden_variables(self, settings: Settings) -> Iterator[_Unused]:
        for variable in {**self._variables, **_variables()}.values():
            name = self._known.get(variable.key, "")
            if variable.is_for_flask:
                wins = "app.config" if name in settings.configured else settings.source
                why = f"{wins} sets it too, and wins"
            elif variable.prefix in ("", _FLASK):
                why = f"Flask reads {_FLASK}{variable.key}"
            else:
                why = f"only app.config.from_prefixed_env({variable.prefix[:-1]!r}) reads it"
            if not variable.path:
                yield name, variable.value, f"{variable.name} in the environment ({why})"


def _names_in_env_file() -> list[str]:
    """The variables of a .env file in the working directory, as far as it can be read."""
    if not os.path.isfile(".env"):
        return []  # reading a named pipe could block
    try:
        with open(".env", encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST_ENV_FILE)
    except OSError:
        return []
    return _ENV_LINE.findall(text)


def _of_flask_cors(config: Mapping[str, Any]) -> Iterator[_Unused]:
    """Settings with Flask-CORS's names."""
    variables = {key.removeprefix(_FLASK): key for key in os.environ}
    for key in {**variables, **config}:
        if not _is_of_flask_cors(key):
            continue
        name = _meant_by(key.removeprefix(_OTHERS).removeprefix("GUARD_").lower())
        if not name:
            continue
        ours = f"the guard reads {_our_key(key, name)} in app.config"
        if key in config:
            yield name, config[key], f"{key} in app.config ({ours})"
        else:
            value = _parsed(os.environ.get(variables[key], ""))
            rename = f"rename it to {_FLASK}{_our_key(key, name)}"
            yield name, value, f"{variables[key]} in the environment ({rename})"


def _our_key(key: str, name: str) -> str:
    """The guard's key for one of Flask-CORS, which sets the field *name*."""
    return f"{PREFIX}PATHS" if key == "CORS_RESOURCES" else f"{PREFIX}{name.upper()}"


def _is_of_flask_cors(key: object) -> TypeGuard[str]:
    return isinstance(key, str) and key.startswith(_OTHERS) and key.isupper()


def _meant_by(name: str) -> str:
    """The field that does what another library's setting does; "" if there is none."""
    # Loaded with the first such setting, as in unknown_key().
    from flask_corsguard.protocol.field_names import MEANT, SWITCHES

    switches = {switch: field for switch, (field, _) in SWITCHES.items()}
    return name if name in FIELDS else {**MEANT, **switches, **_MEANT_BY_OTHERS}.get(name, "")


def _value_meant(key: str) -> str:
    """What to set the guard's key to instead of switching on *key*, in words; "" if it is no
    switch."""
    from flask_corsguard.protocol.field_names import SWITCHES

    switch = SWITCHES.get(key.removeprefix(_OTHERS).lower())
    return f" = {switch[1]}" if switch else ""


def _unless_reconfigured(name: str) -> str:
    return f"; or call guard.reconfigure({name}=..., app=app) instead" if name in FIELDS else ""


def unknown_key(
    key: str, known: Collection[str], kind: str = "setting", prefix: str = PREFIX
) -> Problem:
    """The problem of an unknown configuration key, or of a variable that would set one."""
    from flask_corsguard.protocol.field_names import unknown_field

    meant = _MISSPELT.sub(PREFIX, key.upper(), count=1)
    if meant in known and not key.upper().startswith(prefix):
        return unknown_name("unknown_key", key, key, kind, known, meant)
    return unknown_field("unknown_key", key, kind, known, prefix)


def is_ours(key: object) -> bool:
    """Whether a configuration key is meant for the guard."""
    # The bare prefix is what FLASK_CORSGUARD__ORIGINS, with two underscores, becomes.
    if not isinstance(key, str):
        return False
    name = f"{key}_".upper()
    if name.startswith(_FLASK) and key in os.environ:
        return False  # by app.config.from_mapping(os.environ): it is checked as a variable
    return name.startswith(_MEANT_FOR_US) or _MISSPELT.match(name) is not None


def _variables() -> dict[str, _Variable]:
    """The environment variables that look like settings, by name."""
    found: dict[str, _Variable] = {}
    for name in os.environ:
        prefix, ours, rest = name.upper().partition(PREFIX)
        if ours and (not prefix or prefix.endswith("_")) and name.isprintable():
            key = PREFIX + rest.partition("__")[0]
            path = name[len(prefix + key) :].split("__")[1:]
            found[name] = _Variable(name, prefix, key, path, _parsed(os.environ.get(name, "")))
    return found


def _parsed(text: str) -> object:
    """The value of an environment variable as Flask reads it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _in_force(settings: Settings) -> dict[str, object]:
    first, *others = policies_of(settings.default)
    shared = {
        name: value
        for name, value in first.values.items()
        if all(other.values[name] == value for other in others)
    }
    return {**shared, "self_origins": settings.self_origins}


def _would_change(name: str, value: object, in_force: Mapping[str, object]) -> bool:
    """Whether a setting differs from what is in force."""
    return name not in in_force or not _is_same(in_force[name], _read(name, value))


def _read(name: str, value: object) -> object:
    """The value of a policy field, or of ``self_origins``, as the guard would read it."""
    if not isinstance(value, _READ):
        return value
    problems: list[Problem] = []
    reader = FIELDS[name].reader if name in FIELDS else read_listed_origins
    read: object = reader(name, cast("object", value), problems)
    return cast("object", value) if problems else read


def _has(config: object, path: Sequence[str]) -> bool:
    """Whether there is a value at the end of *path*, or on the way."""
    for key in path:
        if not isinstance(config, Mapping):
            return True
        if key not in config:
            return False
        config = cast("Mapping[str, object]", config)[key]
    return True


def _copied(value: object, depth: int = 0) -> object:
    """A copy of a mapping, list or set, which later changes do not affect; or the value itself."""
    if depth >= _MOST_NESTED:
        return value
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {key: _copied(item, depth + 1) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_copied(item, depth + 1) for item in cast("Sequence[object]", value)]
    return set(cast("set[object]", value)) if isinstance(value, set) else value


def _is_same(old: object, new: object) -> bool:
    """Whether two values have the same type and are equal; False if comparing them fails."""
    if old is new:
        return True
    kinds = type(old), type(new)
    try:
        if isinstance(old, dict) and isinstance(new, dict):
            before, now = cast("dict[object, object]", old), cast("dict[object, object]", new)
            return before.keys() == now.keys() and all(_is_same(before[k], now[k]) for k in before)
        if isinstance(old, list) and isinstance(new, list):
            items, others = cast("list[object]", old), cast("list[object]", new)
            return len(items) == len(others) and all(map(_is_same, items, others))
        return kinds[0] is kinds[1] and bool(old == new)
    except Exception:
        return False
