"""Flask-CORS's options, translated into policy fields as Python source."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.audit.hostile_origins import ATTACKER, fitted
from flask_corsguard.audit.intended_origins import of_pattern, site_of
from flask_corsguard.errors import PolicyError
from flask_corsguard.flask_cors_options import DEFAULTS, CompatError, compat_fields, origin_entry
from flask_corsguard.migrate.findings import Finding
from flask_corsguard.migrate.python_file import Expression, PythonFile
from flask_corsguard.protocol.fields import MAX_AGE_LIMIT
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.policy import FIELDS, Policy

#: The options of Flask-CORS -> the field, or "" where the guard needs none.
FIELD_OF: Mapping[str, str] = {
    **dict.fromkeys(DEFAULTS, ""),
    **{name: name for name in ("origins", "methods", "allow_headers", "expose_headers", "max_age")},
    "supports_credentials": "allow_credentials",
    "allow_private_network": "allow_private_network",
    "automatic_options": "answer_preflight",
}
#: The Python source of each field, with Flask-CORS's default.
RESETS: Mapping[str, str] = {
    "origins": '"*"',
    "methods": "None",
    "allow_headers": '["*", "Authorization"]',
    "expose_headers": "()",
    "allow_credentials": "False",
    "max_age": "600",
    "allow_private_network": "False",
}
_ALL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_LISTS = frozenset({"origins", "methods", "allow_headers", "expose_headers"})
_HINTS = frozenset("*\\]?$^[]()")
# A group with one quantifier inside and one after it, which can take forever.
_NESTED = re.compile(r"[*+}][^()]*\)+[*+{]")
_HOW = "list the origins, and run this again: origins=['https://app.example.com']."


class Report:
    """The findings and notes about one place.

    :ivar findings: why it is left alone.
    :ivar notes: what is worth knowing.
    :ivar reasons: why only ``flask_corsguard.compat`` can do the same.
    """

    def __init__(self, file: PythonFile, line: int) -> None:
        self.file = file
        self.line = line
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.reasons: list[str] = []

    @property
    def compat(self) -> str:
        """The first reason, or ""."""
        return self.reasons[0] if self.reasons else ""

    def finding(self, code: str, message: str, today: str, *choices: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(self.file.path, self.line, code, message, today, choices))

    def note(self, text: str) -> None:
        """Add a note."""
        self.notes.append(f"{self.file.path}:{self.line}: {text}")


class Value(NamedTuple):
    """One option.

    :ivar code: its text.
    :ivar value: its value, with an :class:`Expression` for what is known only when the code runs.
    """

    code: str
    value: Any

    @property
    def is_read(self) -> bool:
        """Whether all of it is known."""
        return not any(isinstance(entry, (Expression, list)) for entry in listed(self.value))


def listed(value: Any) -> list[Any]:
    """A list as it is, a dictionary's keys, and anything else as a list of one."""
    return list(cast("Any", value)) if isinstance(value, (list, dict)) else [value]


def keyed(value: Any) -> dict[Any, Any]:
    """A dictionary as it is, and a list as keys without values."""
    keys = (Expression("") if isinstance(each, list) else each for each in listed(value))
    return cast("Any", value) if isinstance(value, dict) else dict.fromkeys(keys)


def values_of(file: PythonFile, options: Mapping[str, ast.expr]) -> dict[str, Value]:
    """The options of a call."""
    return {name: Value(file.code(node), file.read(node)) for name, node in options.items()}


def short(code: str) -> str:
    """An expression on one line, cut if it is long."""
    line = " ".join(code.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def quoted(text: str) -> str:
    """A string as Python source."""
    is_plain = '"' not in text and "\\" not in text and text.isprintable()
    return f'"{text}"' if is_plain else repr(text)


def arguments(fields: Mapping[str, str]) -> list[str]:
    """Fields as arguments of a call, in the order of the reference."""
    return [f"{name}={fields[name]}" for name in FIELDS if name in fields]


def fields_of(
    options: Mapping[str, Value], report: Report, *, beside: Mapping[str, Value] | None
) -> dict[str, str]:
    """Field -> Python source, for the given options.

    :param options: without ``resources``.
    :param beside: what the configuration sets, to check together with them; None if *options* are
        only a part of what is in force.
    """
    fields: dict[str, str] = {}
    known: dict[str, Any] = {}
    for name, value in {**(beside or {}), **options}.items():
        is_own = name in options
        if name not in FIELD_OF:
            _check_name(name, value, report)
        elif not value.is_read:
            if FIELD_OF[name]:
                report.reasons.append(
                    f"{name}={short(value.code)} is known only when the code runs"
                )
        elif FIELD_OF[name]:
            new = _read(name, value, report if is_own else Report(report.file, 0))
            if new is not None:
                known[FIELD_OF[name]] = new.value
                if is_own:
                    fields[FIELD_OF[name]] = new.code
    _adjust(fields, known, options, report)
    if beside is not None and not report.findings and not report.compat:
        _check_policy(known, beside, report)
    return fields


def _adjust(
    fields: dict[str, str], known: dict[str, Any], options: Mapping[str, Value], report: Report
) -> None:
    """Translate stars that mean nothing to Flask-CORS, or to browsers."""
    if known.get("allow_credentials") and "*" in known.get("expose_headers", ()):
        report.note(
            "expose_headers='*' exposes nothing to requests with credentials, and the guard refuses"
            " it, so nothing is exposed: list the names."
        )
        fields["expose_headers"], known["expose_headers"] = "()", []
    if "methods" in options and options["methods"].value in ("*", ["*"]):
        report.note(
            "methods: Flask-CORS takes '*' as the name of a method, so pages can send only simple"
            " requests. If more is meant, remove methods and allow_headers."
        )
        fields |= {"methods": '["GET", "HEAD", "POST"]', "allow_headers": "[]"}


def _check_name(name: str, value: Value, report: Report) -> None:
    """An option that Flask-CORS does not know, and ignores."""
    close = difflib.get_close_matches(name, FIELD_OF, n=1, cutoff=0.75)
    meant = close[0] if close else "origins" if "origin" in name else ""
    message = f"Flask-CORS has no option {name!r}, and ignores it"
    if meant in ("origins", "resources") and value.value not in ("*", ["*"]):
        report.finding(
            "misspelt_option", message,
            "any site on the web may read the responses, as if no option were given.",
            f"write {meant}={short(value.code)}, if that is meant, and run this again.",
            "remove it, if what applies now is right, and run this again.",
        )  # fmt: skip
    else:
        report.note(f"{message}; {name}={short(value.code)} is removed.")


def _read(name: str, value: Value, report: Report) -> Value | None:
    """Translate a known option; None if it changes nothing, or is a finding."""
    if name == "origins":
        return _origins(value, report)
    field, given = FIELD_OF[name], value.value
    if field == "methods" and given in ("*", ["*"]):
        return None
    if field == "answer_preflight":
        return None if given else Value("False", False)
    if field in _LISTS and given is not None and "*" not in listed(given):
        given = _accepted(field, given, report)
    try:
        new = compat_fields({"origins": ["https://app.example.com"], name: given})[field]
    except CompatError as error:
        report.reasons.append(str(error))
        return None
    if field == "methods":
        new = [method for method in new if method != "OPTIONS"]
        if _ALL_METHODS.issuperset(new) and len(new) == len(_ALL_METHODS):
            return None
        if "GET" not in new or "POST" not in new:
            report.reasons.append(f"methods={short(value.code)} leaves GET or POST out")
    return _written(value, new, report, is_default=not new and field != "allow_headers")


def _written(value: Value, new: Any, report: Report, *, is_default: bool) -> Value | None:
    is_same = new == value.value and type(new) is type(value.value)
    if is_same or [value.value] == new:
        return Value(value.code, new)
    if is_default:
        return None
    if isinstance(new, list):
        return Value(f"[{', '.join(map(quoted, cast('list[str]', new)))}]", cast("Any", new))
    if isinstance(new, int) and new == MAX_AGE_LIMIT:
        report.note(
            f"max_age={value.code} becomes {new}: no browser remembers a preflight for longer."
        )
    return Value(repr(new), new)


def _accepted(field: str, given: Any, report: Report) -> list[str]:
    """The names that mean something to browsers; the guard refuses the others."""
    names = listed(given)
    if field == "allow_headers":
        names = list(map(str, names))
        for name in [name for name in names if not _HINTS.isdisjoint(name) or "," in name]:
            report.note(f"allow_headers: {name!r} is not the name of a header, and is removed.")
        names = [name for name in names if _HINTS.isdisjoint(name) and "," not in name]
    else:
        names = [part.strip() for name in names for part in str(name).split(",")]
    kept: list[str] = []
    for name in dict.fromkeys(map(str, names)):
        try:
            Policy(
                origins="*", **cast("Any", {field: [name.upper() if field == "methods" else name]})
            )
            kept.append(name)
        except PolicyError as error:
            report.note(f"{field}: {name!r} is removed: {error.problems[0].message}")
    return kept


def _origins(value: Value, report: Report) -> Value:
    if isinstance(value.value, dict):
        report.finding(
            "misspelt_option", "a dictionary is given as origins, and Flask-CORS reads its keys",
            "origins that match a key may read the responses: if a key is '/*', that is any site"
            " on the web.",
            f"write resources={short(value.code)}, if that is meant, and run this again.",
        )  # fmt: skip
        return value
    entries = [entry for entry in listed(value.value) if entry is not None and entry != ""]
    if "*" in entries or ".*" in entries:
        return Value('"*"', "*")
    pairs = [(entry, _entry(entry, report)) for entry in entries]
    meant = [new for _, new in pairs if new is not None]
    if "*" in meant:
        return Value('"*"', "*")
    codes = [_entry_code(entry, new, report) for entry, new in pairs if new is not None]
    if meant == listed(value.value):
        return Value(value.code, meant)
    return Value(f"[{', '.join(codes)}]", meant)


def _entry(entry: Any, report: Report) -> str | re.Pattern[str] | None:
    """Translate one of the origins; None if it lets nobody in, or is a finding."""
    text = str(getattr(entry, "pattern", entry))
    if _NESTED.search(text):
        report.finding(
            "regex_too_wide", f"{short(text)!r} repeats a repetition",
            "any site can keep the app busy with an origin made for this.", _HOW,
        )  # fmt: skip
        return None
    try:
        new = origin_entry(entry)
    except CompatError as error:
        if text.lower() == "null":
            today = "any site can send it from a sandboxed frame, and read the responses."
            report.finding("null_origin", str(error), today, _HOW)
        elif not _HINTS.isdisjoint(text) and "matches nothing" not in str(error):
            today = "it is a regular expression, and matches other origins than it seems to."
            report.finding("glob", str(error), today, _HOW)
        else:
            report.note(f"{error}, if it is meant. It allows nobody today, and is removed.")
        return None
    if isinstance(new, re.Pattern) and new.match("null"):
        report.finding(
            "null_origin", f"{new.pattern!r} matches the origin 'null'",
            "any site can send it from a sandboxed frame, and read the responses.", _HOW,
        )  # fmt: skip
    elif isinstance(new, re.Pattern):
        hostile = _hostile(new)
        if hostile:
            code = "regex_too_wide" if ATTACKER in hostile else "regex_unescaped_dot"
            report.finding(
                code, f"{new.pattern!r} also matches {hostile}",
                f"{hostile} may read the responses, and anybody can register that name.",
                _HOW, r"write \. for a dot, and run this again.",
            )  # fmt: skip
    return new


def _entry_code(entry: Any, new: str | re.Pattern[str], report: Report) -> str:
    if isinstance(new, str):
        old = str(getattr(entry, "pattern", entry))
        if new != "*" and not _HINTS.isdisjoint(old):
            report.note(
                f"{old!r}, a regular expression in Flask-CORS, becomes {new!r} for the guard, which"
                " allows no more."
            )
        return quoted(new)
    text = new.pattern
    raw = f'r"{text}"' if '"' not in text and not text.endswith("\\") else repr(text)
    flags = ", re.IGNORECASE" if new.flags & re.IGNORECASE and re.search("[A-Z]", text) else ""
    report.note(f"{text!r} is matched to its end by the guard.")
    return f"re.compile({raw}{flags})"


def _hostile(pattern: re.Pattern[str]) -> str:
    """Somebody else's origin that the guard would let in by a pattern, or ""."""
    meant = of_pattern(pattern)[:2]
    sites = {site_of(origin) for origin in meant}
    dots: Iterable[str] = (
        str(origin._replace(host=f"{origin.host[:place]}x{origin.host[place + 1 :]}"))
        for origin in meant
        for place, character in enumerate(origin.host)
        if character == "." and not origin.is_address
    )
    for text in (*dots, *fitted(meant)):
        origin = parse_origin(text)
        if origin and site_of(origin) not in sites and pattern.fullmatch(text):
            return text
    return ""


def _check_policy(known: Mapping[str, Any], beside: Mapping[str, Value], report: Report) -> None:
    """Check whether the guard accepts what is known."""
    is_unknown = "origins" in beside and "origins" not in known
    if known.get("allow_credentials") and not is_unknown and known.get("origins", "*") == "*":
        report.finding(
            "credentials_any_origin", "supports_credentials=True, and any origin is allowed",
            "any site on the web can send requests with the user's cookies and read the responses:"
            " it can act as the signed-in user.",
            _HOW, "leave supports_credentials out, if the responses are public.",
        )  # fmt: skip
        return
    try:
        Policy(**cast("Any", known))
    except PolicyError as error:
        who = "the listed origins may read the responses."
        if known.get("allow_credentials"):
            who = "the listed origins, and anybody who can pose as one, can act as the user."
        for problem in error.problems:
            report.finding(
                "refused", f"the guard refuses it: {problem.field}: {problem.message}", who,
                "list other origins, or leave supports_credentials out, and run this again.",
                "write CorsGuard here yourself, with the fields that the message names.",
            )  # fmt: skip
