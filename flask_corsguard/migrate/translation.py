"""What Flask-CORS's options come to: fields of a policy, as Python source."""

from __future__ import annotations

import ast
import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from flask_corsguard.audit.hostile_origins import ATTACKER, fitted
from flask_corsguard.audit.intended_origins import of_pattern, site_of
from flask_corsguard.compat import CompatError, origin_entry
from flask_corsguard.errors import PolicyError
from flask_corsguard.migrate.findings import Finding
from flask_corsguard.migrate.python_file import Expression, PythonFile
from flask_corsguard.protocol.fields import MAX_AGE_LIMIT
from flask_corsguard.protocol.origins import parse_origin
from flask_corsguard.protocol.policy import FIELDS, Policy

#: The options of Flask-CORS -> the field, or "" where the guard needs none.
FIELD_OF: Mapping[str, str] = {
    "origins": "origins",
    "methods": "methods",
    "allow_headers": "allow_headers",
    "expose_headers": "expose_headers",
    "supports_credentials": "allow_credentials",
    "max_age": "max_age",
    "allow_private_network": "allow_private_network",
    "send_wildcard": "",
    "vary_header": "",
    "automatic_options": "",
    "always_send": "",
    "intercept_exceptions": "",
    "resources": "",
}
#: Python source of each field as Flask-CORS has it where nobody says otherwise.
ALL_HEADERS = '["*", "Authorization"]'
RESETS: Mapping[str, str] = {
    "origins": '"*"',
    "allow_headers": ALL_HEADERS,
    "methods": "None",
    "expose_headers": "()",
    "allow_credentials": "False",
    "max_age": "600",
    "allow_private_network": "False",
}
# What a page can do by a request that needs no preflight, and no more.
_PLAIN_ONLY = {"methods": '["GET", "HEAD", "POST"]', "allow_headers": "[]"}
_ALL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_HINTS = frozenset("*\\]?$^[]()")
_HOW = "list the origins, and run this again: origins=['https://app.example.com']."


class Report:
    """What is found and noted about one call.

    :ivar findings: what leaves it alone.
    :ivar notes: what is worth knowing.
    """

    def __init__(self, file: PythonFile, line: int) -> None:
        self.file = file
        self.line = line
        self.findings: list[Finding] = []
        self.notes: list[str] = []

    def finding(self, code: str, message: str, today: str, *choices: str) -> None:
        """Add a finding."""
        self.findings.append(
            Finding(self.file.path, self.line, code, message, today, tuple(filter(None, choices)))
        )

    def note(self, text: str) -> None:
        """Add a note."""
        self.notes.append(f"{self.file.path}:{self.line}: {text}")


class Value(NamedTuple):
    """One option.

    :ivar code: its text.
    :ivar value: its value, with an :class:`Expression` for what only shows when the code runs.
    """

    code: str
    value: Any

    @property
    def is_read(self) -> bool:
        """Whether all of it is known."""
        return not _has_expression(self.value)


def values_of(file: PythonFile, options: Mapping[str, ast.expr]) -> dict[str, Value]:
    """The options of a call."""
    return {name: Value(file.code(node), file.read(node)) for name, node in options.items()}


def _has_expression(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_expression, cast("list[object]", value)))
    if isinstance(value, dict):
        return any(map(_has_expression, cast("dict[object, object]", value).values()))
    return isinstance(value, Expression)


def fields_of(
    options: Mapping[str, Value], report: Report, *, beside: Mapping[str, Value] | None
) -> dict[str, str]:
    """Field -> Python source, of the options that are given.

    :param options: without ``resources``.
    :param beside: what the configuration says, to be judged with them; None where *options* are
        only a part of what is in force.
    """
    fields: dict[str, str] = {}
    values: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for name, value in (beside or {}).items():
        if name not in options and FIELD_OF.get(name) and value.value is not None:
            _CONVERTERS[name](value, Report(report.file, 0), {}, known)
    for name, value in options.items():
        field = FIELD_OF.get(name)
        if field is None:
            _check_name(name, value, report)
        elif name == "automatic_options" and value.value is not True:
            fields["answer_preflight"] = "False"
        elif field and value.value is not None:
            _CONVERTERS[name](value, report, fields, values)
    if beside is None:
        return fields
    known |= values
    is_origins_given = "origins" in fields or "origins" in beside
    if known.get("origins", None if is_origins_given else "*") == "*":
        if known.get("allow_credentials"):
            report.finding(
                "credentials_any_origin", "supports_credentials=True, and any origin is allowed",
                "any site on the web can send requests with the user's cookies and read the"
                " responses: it acts as whoever is signed in.",
                _HOW, "leave supports_credentials out, if the responses are public.",
            )  # fmt: skip
            return fields
        if fields.get("allow_credentials", "True") != "True":
            report.note("the guard refuses to start where credentials come with every origin.")
    if not report.findings:
        _check_policy(known, report)
    return fields


def _check_name(name: str, value: Value, report: Report) -> None:
    """An option that Flask-CORS does not know, and ignores."""
    close = difflib.get_close_matches(name, FIELD_OF, n=1, cutoff=0.75)
    meant = close[0] if close else "origins" if "origin" in name else ""
    message = f"Flask-CORS has no option {name!r}, and ignores it"
    if meant in ("origins", "resources") and value.value not in ("*", ["*"]):
        report.finding(
            "misspelt_option", message,
            "any site on the web may read the responses, as if nothing were given.",
            f"write {meant}={value.code}, if that is meant, and run this again.",
            "take it out, if what is in force is right, and run this again.",
        )  # fmt: skip
    else:
        report.note(f"{message}; {name}={short(value.code)} is taken out.")


def short(code: str) -> str:
    """An expression on one line, cut where it is long."""
    line = " ".join(code.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _check_policy(values: Mapping[str, Any], report: Report) -> None:
    """Hold what is known against what the guard accepts."""
    known = {name: value for name, value in values.items() if not _has_expression(value)}
    try:
        Policy(**known)
    except PolicyError as error:
        who = "the origins that are given may read the responses."
        if values.get("allow_credentials"):
            who = "the origins that are given, and whoever can pose as one, act as the user."
        for problem in error.problems:
            report.finding(
                "refused", f"the guard refuses it: {problem.field}: {problem.message}", who,
                "change it as the message says, and run this again.",
            )  # fmt: skip


def _origins(value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]) -> None:
    given = value.value
    if isinstance(given, Expression):
        report.note(
            f"origins={short(value.code)} is carried over: the guard reads it at start-up, and"
            " refuses what it cannot use; a string is not a regular expression there."
        )
        fields["origins"] = _without_empty(value.code)
        return
    entries = (
        given if isinstance(given, list) else list(given) if isinstance(given, dict) else [given]
    )
    codes: list[str] = []
    meant: list[Any] = []
    for entry in entries:
        if isinstance(entry, Expression):
            codes.append(entry.code)
            meant.append(entry)
            continue
        new = _entry(entry, report)
        if new is not None:
            meant.append(new)
            codes.append(_entry_code(entry, new, report))
    if not entries:
        codes = []
    if "*" in meant:
        fields["origins"], values["origins"] = '"*"', "*"
        return
    values["origins"] = meant
    is_same = meant == entries and isinstance(given, (list, str))
    fields["origins"] = value.code if is_same else f"[{', '.join(codes)}]"
    if any(isinstance(entry, Expression) for entry in entries):
        report.note(
            "origins that only show at run time are carried over: the guard reads them at start-up,"
            " and refuses what it cannot use."
        )


# A variable that may be unset, and one of which an empty list is made then.
_UNSET = re.compile(r"[\w.]*(?:environ\.get|getenv)\([^(),]*\)")
_EMPTY = re.compile(r"(?:environ\.get|getenv)\([^()]*\)\.split\([^()]*\)")


def _without_empty(code: str) -> str:
    """The same without what an unset variable leaves: to Flask-CORS an origin that no request has,
    to the guard an error."""
    if _UNSET.fullmatch(code):
        return f"{code} or ()"
    if _EMPTY.search(code) and re.search(r"(?:environ\.get|getenv)\([^(),]*, *(?:\"\"|'')\)", code):
        return f"[origin for origin in {code} if origin]"
    return code


def _entry(entry: Any, report: Report) -> Any:
    """What one of the origins is to the guard, or None where that is a finding."""
    try:
        new = origin_entry(entry)
    except CompatError as error:
        text = str(entry)
        is_glob = _HINTS.isdisjoint(text.replace("*", "")) and "*" in text
        code, today = "never_matches", "no browser sends that as an origin, so it lets nobody in."
        if text.lower() == "null":
            code, today = "null_origin", "any site can send it from a sandboxed frame, and read."
        elif is_glob:
            code = "glob"
            today = (
                "it is read as a regular expression, which matches other origins than it seems to."
            )
        elif not _HINTS.isdisjoint(text):
            code, today = "regex_too_wide", "who may read is hard to say; perhaps any site."
        report.finding(code, str(error), today, _HOW)
        return None
    if isinstance(new, re.Pattern):
        hostile = _hostile(new)
        if hostile:
            code = "regex_too_wide" if ATTACKER in hostile else "regex_unescaped_dot"
            report.finding(
                code, f"{new.pattern!r} also matches {hostile}",
                f"{hostile} may read the responses, and anybody can have that name.",
                _HOW, r"or write \. for a dot, and run this again.",
            )  # fmt: skip
    return new


def _entry_code(entry: Any, new: Any, report: Report) -> str:
    if isinstance(new, str):
        if isinstance(entry, re.Pattern) or new.lower() != entry.lower():
            old = entry.pattern if isinstance(entry, re.Pattern) else entry
            report.note(f"{old!r} becomes {new!r}, which lets in no more.")
        return quoted(new)
    text = new.pattern
    raw = f'r"{text}"' if '"' not in text and not text.endswith("\\") else repr(text)
    flags = ", re.IGNORECASE" if new.flags & re.IGNORECASE and re.search("[A-Z]", text) else ""
    report.note(f"{text!r} is matched up to its end by the guard.")
    return f"re.compile({raw}{flags})"


def quoted(text: str) -> str:
    """A string as Python source."""
    return (
        f'"{text}"' if '"' not in text and "\\" not in text and text.isprintable() else repr(text)
    )


def _hostile(pattern: re.Pattern[str]) -> str:
    """An origin of somebody else's that the guard would let in by a pattern, or ""."""
    meant = of_pattern(pattern)[:2]
    sites = {site_of(origin) for origin in meant}
    dots = [
        str(origin._replace(host=f"{origin.host[:place]}x{origin.host[place + 1 :]}"))
        for origin in meant
        for place, character in enumerate(origin.host)
        if character == "." and not origin.is_address
    ]
    for text in (*dots, *fitted(meant)):
        origin = parse_origin(text)
        if origin and site_of(origin) not in sites and pattern.fullmatch(text):
            return text
    return ""


def _names(value: Value) -> list[Any] | None:
    """The names in an option that takes one or several, or None where they cannot be read."""
    given = [value.value] if isinstance(value.value, str) else value.value
    return None if not isinstance(given, list) or _has_expression(given) else given


def _carry(field: str, value: Value, report: Report, fields: dict[str, str]) -> None:
    report.note(f"{field}={short(value.code)} is carried over: the guard checks it at start-up.")
    fields[field] = value.code


def _accepted(field: str, names: list[Any], report: Report) -> list[str]:
    """The names that mean something to browsers; the guard refuses the others."""
    kept: list[str] = []
    for name in dict.fromkeys(map(str, names)):
        try:
            Policy(origins="*", **cast("Any", {field: [name]}))
            kept.append(name)
        except PolicyError as error:
            report.note(f"{field}: {name!r} is taken out: {error.problems[0].message}")
    return kept


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, names))}]"


def _methods(value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]) -> None:
    names = _names(value)
    if names is None:
        _carry("methods", value, report, fields)
        return
    methods = [part.strip().upper() for name in names for part in str(name).split(",")]
    if methods == ["*"]:
        report.note(
            f"methods={value.code}: Flask-CORS knows no star there, so that no preflight lets a"
            " page send any header or method; take methods and allow_headers out if that is meant."
        )
        fields.update(_PLAIN_ONLY)
        return
    methods = [name for name in dict.fromkeys(methods) if name != "OPTIONS" and name]
    methods = _accepted("methods", methods, report)
    if set(methods) == _ALL_METHODS:
        return
    values["methods"] = methods
    is_same = value.value == methods
    fields["methods"] = value.code if is_same else _listed(methods)


def _allow_headers(
    value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]
) -> None:
    names = _names(value)
    if names is None:
        _carry("allow_headers", value, report, fields)
        return
    if "*" in names or ".*" in names:
        fields["allow_headers"] = ALL_HEADERS
        return
    kept = _accepted("allow_headers", names, report)
    values["allow_headers"] = kept
    fields["allow_headers"] = value.code if value.value == kept else _listed(kept)


def _expose_headers(
    value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]
) -> None:
    names = _names(value)
    if names is None:
        _carry("expose_headers", value, report, fields)
        return
    split = [part.strip() for name in names for part in str(name).split(",") if part.strip()]
    split = ["*"] if "*" in split else _accepted("expose_headers", split, report)
    values["expose_headers"] = "*" if "*" in split else split
    is_same = value.value == split
    fields["expose_headers"] = '"*"' if "*" in split else value.code if is_same else _listed(split)


def _credentials(
    value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]
) -> None:
    if isinstance(value.value, Expression):
        _carry("allow_credentials", value, report, fields)
        if not value.code.startswith("bool("):
            fields["allow_credentials"] = f"bool({value.code})"
        return
    if value.value:  # Flask-CORS looks whether it counts as true
        fields["allow_credentials"], values["allow_credentials"] = "True", True


def _max_age(value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]) -> None:
    if isinstance(value.value, Expression):
        _carry("max_age", value, report, fields)
        return
    seconds = value.value
    if isinstance(seconds, datetime.timedelta):
        seconds = int(seconds.total_seconds())
    if isinstance(seconds, str) and seconds.strip().isdigit():
        seconds = int(seconds)
    if not isinstance(seconds, (int, float)) or seconds < 0:
        report.note(f"max_age={value.code} means nothing to browsers, and is taken out.")
        fields["max_age"] = "None"
        return
    clipped = min(int(seconds), MAX_AGE_LIMIT)
    values["max_age"] = clipped
    if clipped < seconds:
        report.note(f"max_age={value.code} becomes {clipped}: no browser keeps a preflight longer.")
    fields["max_age"] = value.code if clipped == value.value else str(clipped)


def _private_network(
    value: Value, report: Report, fields: dict[str, str], values: dict[str, Any]
) -> None:
    if value.value is True:
        fields["allow_private_network"] = "True"


_Converter = Callable[[Value, Report, dict[str, str], dict[str, Any]], None]
_CONVERTERS: Mapping[str, _Converter] = {
    "origins": _origins,
    "methods": _methods,
    "allow_headers": _allow_headers,
    "expose_headers": _expose_headers,
    "supports_credentials": _credentials,
    "max_age": _max_age,
    "allow_private_network": _private_network,
}


def plain_only(fields: Mapping[str, str]) -> dict[str, str]:
    """The same fields for a page that gets no preflight through."""
    return {**fields, **_PLAIN_ONLY}


def arguments(fields: Mapping[str, str]) -> list[str]:
    """Fields as arguments of a call, in the order of the reference."""
    return [f"{name}={fields[name]}" for name in FIELDS if name in fields]
