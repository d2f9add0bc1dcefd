"""Reading a list of origins, methods or headers: from a list, a string with commas, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from flask_corsguard.errors import Problem, is_function
from flask_corsguard.text import shown, text_of

# Patterns are compiled on first use: most policies need none of them.

# Examples that are both Python and JSON. For all other fields, origins.
_EXAMPLES = {
    "methods": '["PUT", "DELETE"]',
    "allow_headers": '["Content-Type", "Authorization"]',
    "expose_headers": '["X-Total-Count"]',
    "origins_vary": '["X-Tenant"]',
    "raw_origins": '["file://", "app://."]',
    "policy": '["own", "public"]',
    "report_only": '["own", "public"]',
}
# Nobody would read a correction with more entries than this.
_MOST_ENTRIES = 10
# Fields whose strings are JSON lists, or one entry each, kept unchanged.
_NEVER_SPLIT = frozenset({"raw_origins"})
# A list, tuple or set as Python prints it: ['a'], ("a",), set(['a']), frozenset(), ...
_PRINTED = r"(?s:\w*[\[({]+\s*(?:['\"].*)?[\])}]+)"
# [a, b]; but neither [::1] nor [a-z]+
_BARE = r"\[\s*[\w*+.-]+(?:://[^\s,\[\]]*)?\s*(?:,[^\[\]]*)?\]"

# Variables that a shell, a compose file or a template should have replaced.
_VARIABLE = r"\$\{?\w+\}?|\$\(\w+\)|\{\{.*\}\}|%\w+%"
# Such a variable, or what an unset one becomes, as a scheme, a host or a port.
_UNSET_PART = rf"(?:^|://|:)({_VARIABLE}|None|undefined)(?=$|[/:])"
# Not between braces, as in https://{a,b}.example.com.
_COMMA = r",(?![^{}]*\})"


def read_entries(field: str, value: object, problems: list[Problem]) -> list[object]:
    """The entries of a list, in order; some may be empty. Strings are stripped, and split at
    commas, unless the field is never split."""
    if type(value).__name__ == "LocalProxy":  # Werkzeug's, of which a policy would keep one value
        message = (
            "this is a proxy, but a policy is read once. Give the value itself, or a function."
        )
        problems.append(Problem("wrong_type", field, value, message))
        return []
    if isinstance(value, str):
        return _split(field, value, problems)
    if isinstance(value, re.Pattern) or is_function(value) or is_source(value):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, Mapping)):
        problems.append(_not_a_list(field, cast("Any", value)))
        return []
    entries = cast("Iterable[object]", value)
    if isinstance(value, (set, frozenset)):
        entries = sorted(entries, key=text_of)  # in the same order in every process
    return [
        part
        for entry in entries
        for part in (_split(field, entry, problems) if isinstance(entry, str) else (entry,))
    ]


def is_source(value: object) -> bool:
    """Whether a value is a source of origins: an object with ``load()``."""
    return not isinstance(value, type) and callable(getattr(value, "load", None))


def source_name(source: object) -> str:
    """The name of a source."""
    name = getattr(source, "name", None)
    if not isinstance(name, str) or not name:
        return type(source).__qualname__
    return name if name.isprintable() and len(name) <= 100 else shown(name)


def empty_entry(code: str, field: str, value: object, others: Iterable[object]) -> Problem:
    """The problem of an empty entry in a list, such as an unset variable leaves.

    :param others: the entries that are not empty.
    """
    rest = list(others)
    if not rest:
        message = (
            f"{text_of(value)} names nothing: is a variable unset? Give a list, such as"
            f" {_example(field)}, or [] for none; an environment variable can hold either."
        )
        return Problem(code, field, value, message)
    source = source_of_list(rest)
    message = f"{text_of(value)} has an empty item: is there a comma too many, or a variable unset?"
    message += f" Write {source}." if source else " Take it out."
    return Problem(code, field, value, message, source)


def _hint_for_object(field: str, value: object) -> str:
    """What to write instead of a URL of Yarl or Pydantic, or a path; "" for anything else."""
    if type(value).__name__.lower().endswith("url"):
        return "Write str(url).rstrip('/')."
    if hasattr(value, "__fspath__") and field == "origins":
        return f"Write FileOrigins({str(value)!r})."
    return ""


def hint_for_entry(field: str, entry: object) -> str:
    """The end of a message about an entry that is not a string: what to write instead."""
    if entry is None:
        return " Is a variable unset?"
    if isinstance(entry, bytes) and entry.isascii():
        return f" Write {entry.decode('ascii')!r}."
    if isinstance(entry, (list, tuple, set, frozenset)):
        return " Put its items into the list itself."
    if isinstance(entry, re.Pattern):
        return " Patterns are only for origins: list each one."
    if isinstance(entry, type):
        return f" It is a class: give an instance, {entry.__name__}(...)."
    hint = _hint_for_object(field, entry)
    return f" {hint}" if hint else ""


def is_unreplaced(text: str) -> bool:
    """Whether a text is a variable that was not replaced by its value."""
    return re.fullmatch(_VARIABLE, text) is not None


def unset_part(text: str) -> str:
    """The part of an origin where a variable's value should be; "" for none."""
    found = re.search(_UNSET_PART, text)
    return found[1] if found else ""


def _split(field: str, given: str, problems: list[Problem]) -> list[object]:
    """The parts of a string, so that one environment variable can hold a list."""
    text = given.strip()
    is_open = text.startswith(('["', "['")) and not text.endswith("]")
    if is_open or text.endswith(("]", ")", "}")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return read_entries(field, cast("list[object]", found), problems)
        if is_open or re.fullmatch(_PRINTED, text) or re.fullmatch(_BARE, text):
            return _entries_of_invalid_json(field, text, problems)
    if field in _NEVER_SPLIT:
        return [given[:]]  # a plain string
    if "," not in text:
        return [text]
    return [part.strip() for part in re.split(_COMMA if "}" in text else ",", text)]


def _entries_of_invalid_json(field: str, text: str, problems: list[Problem]) -> list[object]:
    """The entries that were probably meant, so that their problems are reported too."""
    quoted = [single or double for single, double in re.findall(r"'([^']*)'|\"([^\"]*)\"", text)]
    bare = text[1:-1].split(",") if text.startswith("[") else []
    is_mapping = re.search(r"['\"]\s*:", text) is not None
    parts = [] if is_mapping else [part.strip() for part in quoted or bare]
    entries: list[object] = [part for part in parts if part]
    source = None if is_mapping else source_of_list(entries)
    hint = f"Write {source}." if source else f"Give a list, such as {_example(field)}."
    commas = "" if field in _NEVER_SPLIT else " or separated by commas"
    message = (
        f"{text_of(text)}: a list inside a string must be JSON (double quotes, no trailing comma)"
        f"{commas}, not Python. {hint}"
    )
    problems.append(Problem("list_in_string", field, text, message, source))
    return entries


def _not_a_list(field: str, value: object) -> Problem:
    source: str | None = None
    if value is None:
        message = (
            f"None: is a variable unset? Give a list, such as {_example(field)}, or [] for none."
        )
        return Problem("wrong_type", field, value, message)
    if value is False:
        source, hint = "[]", "Write [] for none."
    elif isinstance(value, bytes) and value.isascii():
        source = repr(value.decode("ascii"))
        hint = f"Write {source}."
    elif value is True and field == "origins":
        hint = f"List them, such as {_example(field)}; for everybody, write '*'."
    else:
        hint = _hint_for_object(field, value) or f"Give a list, such as {_example(field)}."
    message = f"{text_of(value)} is neither a string nor a list. {hint}"
    return Problem("wrong_type", field, value, message, source)


def _example(field: str) -> str:
    return _EXAMPLES.get(field, '["https://app.example.com"]')


def source_of_list(entries: list[object]) -> str | None:
    """The list as source, or None if it has entries other than strings, or too many."""
    if len(entries) > _MOST_ENTRIES or not all(isinstance(entry, str) for entry in entries):
        return None
    return json.dumps(entries)
