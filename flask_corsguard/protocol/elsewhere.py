"""What other CORS libraries call a policy's fields, for those who bring a policy along.

Without it, the nearest name would be suggested: ``deny_origins`` for ``allowed_origins``.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask_corsguard.errors import Problem, unknown_name

#: Names that mean one of our fields.
MEANT = {
    "allow_method": "methods",
    "allow_methods": "methods",
    "allow_origin": "origins",
    "allow_origin_func": "origins",
    "allow_origin_regex": "origins",
    "allow_origins": "origins",
    "allowed_headers": "allow_headers",
    "allowed_methods": "methods",
    "allowed_origin": "origins",
    "allowed_origin_patterns": "origins",
    "allowed_origin_regexes": "origins",
    "allowed_origins": "origins",
    "automatic_options": "answer_preflight",
    "credentials": "allow_credentials",
    "exposed_headers": "expose_headers",
    "headers": "allow_headers",
    "origin": "origins",
    "preflight_max_age": "max_age",
    "support_credentials": "allow_credentials",
    "supports_credentials": "allow_credentials",
}

_NOT_NEEDED = "It is not needed here: leave it out."
#: Names that mean nothing here, and what takes their place.
INSTEAD = {
    "always_send": _NOT_NEEDED,
    "intercept_exceptions": _NOT_NEEDED,
    "resources": "Mark blueprints and views with @cors(...), or endpoints with for_endpoint().",
    "send_wildcard": _NOT_NEEDED,
    "vary_header": _NOT_NEEDED,
}


def unknown_field(
    code: str, given: object, kind: str, known: Iterable[str], prefix: str = ""
) -> Problem:
    """The problem of a field that there is none of.

    :param given: what was written: *prefix*, and a name in any case.
    :param known: what could have been written.
    """
    field = str(given)
    name = field.removeprefix(prefix).lower()
    if name in INSTEAD:
        return Problem(code, field, given, f"there is no {kind} {field!r}. {INSTEAD[name]}")
    meant = MEANT.get(name)
    written = prefix + (meant.upper() if prefix else meant) if meant else None
    return unknown_name(code, field, given, kind, known, written)
