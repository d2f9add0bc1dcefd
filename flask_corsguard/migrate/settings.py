"""``CORS_*`` configuration: which of it Flask-CORS reads, and what it can come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import libcst as cst

from flask_corsguard.migrate.configuration import OPTION_OF_KEY, Setting, is_variable
from flask_corsguard.migrate.options import Trouble, meant_by_option, misspelt
from flask_corsguard.migrate.places import Call, Places
from flask_corsguard.migrate.rewriting import Draft
from flask_corsguard.migrate.sources import Module
from flask_corsguard.migrate.values import UNREAD, Value, quoted, texts_of

_KEY_READ = re.compile(r"""\.config(?:\[|\.get\()\s*["'](\w+)["']""")
_UNSET = re.compile(r"(environ\.get|getenv)\([^(),]*\)$")
# Without these, Flask-CORS allows all; without the others, it does nothing.
_OPEN_WITHOUT = ("CORS_ORIGINS", "CORS_ALLOW_HEADERS")
_LOADERS = re.compile(r"\.from_(object|pyfile|envvar)\(")


class Settings:
    """The configuration of the apps of some modules.

    :ivar kept: the keys that the code itself reads too, and that keep their names.
    """

    def __init__(self, places: Places, calls: Sequence[Call]) -> None:
        self._places = places
        self._calls = calls
        loads = any(_LOADERS.search(module.tree.code) for module in places.modules)
        every = [s for s in places.settings if s.holder is not None or loads]
        keys = {setting.key for setting in every}
        self._read = {key for key in keys if _reads_of(places, key)}
        self._known = [s for s in every if s.key in OPTION_OF_KEY]
        self._unknown = [s for s in every if s.key not in OPTION_OF_KEY and s.key not in self._read]
        self.kept = sorted({setting.key for setting in self._known} & self._read)

    def used(self) -> list[Setting]:
        """The settings that Flask-CORS reads."""
        return self._known

    def options(self) -> Mapping[str, list[Value]]:
        """Option -> the values that the configuration can give it."""
        found: dict[str, list[Value]] = {}
        for setting in self._known:
            if setting.value.value is not None:
                value = setting.value._replace(line=0)
                found.setdefault(OPTION_OF_KEY[setting.key], []).append(value)
        return found

    def lacks_origins(self) -> bool:
        """Whether no setting that can be seen says who may read, but that all may."""
        found = [_texts(setting.value) for setting in self._known if setting.key == "CORS_ORIGINS"]
        return not found or any("*" in texts for texts in found)

    def value_of(self, key: str, code: str) -> Value:
        """The value of a key, read by *code*."""
        values = [s.value for s in self._known if s.key == key]
        if len(values) == 1:
            return values[0]._replace(code=code, line=0)
        return Value(code, UNREAD, tuple(text for value in values for text in _texts(value)))

    def with_texts(self, options: Mapping[str, Value]) -> dict[str, Value]:
        """Options, with what those can come to that are read from the configuration."""
        return {name: self._with_texts(value) for name, value in options.items()}

    def _with_texts(self, value: Value) -> Value:
        key = _KEY_READ.search(value.code) if value.value is UNREAD else None
        if key is None:
            return value
        texts = [
            text
            for setting in self._places.every_setting
            if setting.key == key[1]
            for text in _texts(setting.value)
        ]
        return value._replace(texts=(*value.texts, *texts))

    def troubles(self) -> Iterator[tuple[Setting, Trouble, bool]]:
        """What is wrong with single settings, and whether the rest can do without them."""
        for setting in self._unknown:
            meant = _misspelt_key(setting.key)
            trouble = misspelt(setting.key, setting.line) if meant else None
            if trouble is not None:
                # Which headers may be sent does not say who may read.
                known = f"CORS_{meant.upper()}"
                choices = (
                    f"if {known} was meant, write that, and run this again.",
                    trouble.choices[-1],
                )
                today = "script may send any request header, Authorization included."
                if meant != "allow_headers":
                    wrong = misspelt(setting.key.removeprefix("CORS_").lower(), setting.line)
                    today = wrong.today if wrong else today
                yield (
                    setting,
                    trouble._replace(choices=choices, today=today),
                    meant == "allow_headers",
                )
        for setting in self._known:
            reason = self._unclear(setting)
            if reason:
                yield setting, _unclear(setting, reason), False

    def _unclear(self, setting: Setting) -> str:
        """Why it cannot be told whether a setting is in force, or ""."""
        if _UNSET.search(setting.value.code):
            return "it is None where the variable is not set, and then not in force"
        if not self._calls:
            return "no CORS(app) reads it, only the decorators do"
        if setting.holder is not None:
            return next(filter(None, (_unclear_for(setting, c) for c in self._calls)), "")
        is_open = isinstance(setting.owner, cst.ClassDef) and setting.key in _OPEN_WITHOUT
        if is_open and self._is_partial(setting.key):
            return "some configuration classes have it and some do not"
        return ""

    def _is_partial(self, key: str) -> bool:
        owners = [
            (s.module, s.owner)
            for s in self._places.every_setting
            if isinstance(s.owner, cst.ClassDef)
        ]
        holders = [s.owner for s in self._known if s.key == key]
        bases = {base for module, owner in owners for base in self._bases(module, owner)}
        return not all(
            owner in bases or self._inherits(module, owner, holders, 0) for module, owner in owners
        )

    def _bases(self, module: Module, owner: cst.ClassDef) -> Iterator[object]:
        """The classes that another one is made from: those are not used themselves."""
        for base in owner.bases:
            bound = self._places.names.resolve(module, base.value)
            if bound is not None and isinstance(bound.node, cst.ClassDef):
                yield bound.node

    def _inherits(
        self, module: Module, owner: cst.ClassDef, holders: Sequence[object], depth: int
    ) -> bool:
        if owner in holders:
            return True
        for base in owner.bases if depth < 5 else ():
            bound = self._places.names.resolve(module, base.value)
            if bound is None or not isinstance(bound.node, cst.ClassDef):
                continue
            if self._inherits(bound.module, bound.node, holders, depth + 1):
                return True
        return False

    def remove(self, setting: Setting, draft: Draft) -> None:
        """Take a setting out that the guard does not need."""
        above = setting.module.parent(setting.name)
        if isinstance(above, (cst.Arg, cst.DictElement)):
            draft.remove_argument(above)
        else:
            draft.remove(setting.module.statement(setting.name))

    def rename(self, setting: Setting, draft: Draft, key: str, code: str) -> None:
        """Give a setting another name, and its value another form."""
        is_text = isinstance(setting.name, cst.SimpleString)
        draft.replace(setting.name, quoted(key) if is_text else key)
        if code != setting.value.code:
            draft.replace(_value_node(setting), code)


def _value_node(setting: Setting) -> cst.CSTNode:
    for above in setting.module.parents(setting.name):
        if isinstance(above, (cst.Arg, cst.DictElement, cst.Assign)):
            return above.value
        if isinstance(above, cst.AnnAssign) and above.value is not None:
            return above.value
    return setting.name


def _texts(value: Value) -> list[str]:
    if value.value is UNREAD:
        return list(value.texts)
    return [text for text in texts_of(value.value) if isinstance(text, str)]


def _unclear_for(setting: Setting, call: Call) -> str:
    """Why a setting of one app's configuration does not hold for a call, or ""."""
    module = setting.module
    statement = module.statement(setting.name)
    if module is not call.module or module.parent(statement) not in list(module.parents(call.node)):
        return f"it is not set on the way to CORS(app), at {call.module.path}:{call.line}"
    if setting.line > call.line:
        return f"it is set after CORS(app), at line {call.line}, has read the configuration"
    return ""


def _unclear(setting: Setting, reason: str) -> Trouble:
    return Trouble(
        "config_unclear", setting.line, f"{setting.key}: {reason}",
        "where it is not in force, Flask-CORS' default is: for the origins, any site.",
        ("set it where every app has it, before CORS(app), and run this again.",
         "give it to CORS(app) itself."),
    )  # fmt: skip


def _reads_of(places: Places, key: str) -> list[cst.CSTNode]:
    """Where the code itself reads a configuration key, or has a constant of that name."""
    written = {setting.name for setting in places.settings if setting.key == key}
    found: list[cst.CSTNode] = []
    for module in places.modules:
        for node in module.nodes:
            is_name = isinstance(node, cst.Name) and node.value == key
            is_text = isinstance(node, cst.SimpleString) and node.evaluated_value == key
            if (is_name or is_text) and node not in written and not is_variable(module, node):
                found.append(node)
    return found


def _misspelt_key(key: str) -> str:
    """The option that an unknown configuration key was probably meant for, or ""."""
    return "" if key in OPTION_OF_KEY else meant_by_option(key.removeprefix("CORS_").lower())
